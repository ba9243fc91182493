"""What a run pays for being followed by the dashboard: processor time, in pairs.

Each pair is the same run twice at the same time, one of them with its page open: what else the
machine does bears on both. Counted is the processor time of the run and its workers; the dashboard
is a process of its own, whose time is told besides.
"""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import common
import psutil

#: Pairs, odd: the median is one of them.
PAIRS = 7

#: Largest share of its processor time that a run may pay.
MOST = 0.02

#: 441 combinations by backtesting.py, some ten seconds.
RUN = ("--strategy", "sma_cross", "--engine", "backtesting", "--param", "fast=2:42:2",
       "--param", "slow=43:83:2", "--workers", "1", "--no-validate", "--verify", "0",
       "--no-progress")  # fmt: skip


def run(folder: Path) -> float:
    """The command in a folder; seconds of processor time that it and its workers took."""
    command = [
        sys.executable,
        "-m",
        "bigbar",
        str(common.ROOT / "example.csv"),
        *RUN,
        "--output",
        str(folder),
    ]
    process = subprocess.Popen(
        command, cwd=common.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return used.ru_utime + used.ru_stime


def followed(folder: Path) -> tuple[float, float, int]:
    """The same with its page open: seconds of the run, of the dashboard, and updates seen."""
    command = [sys.executable, "-m", "bigbar", "dashboard", "--output", str(folder)]
    with subprocess.Popen(
        command, cwd=common.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        seen: list[bytes] = []
        page = threading.Thread(target=_look, args=(server.stdout.readline(), seen), daemon=True)
        page.start()
        try:
            spent = run(folder)
            of_server = sum(psutil.Process(server.pid).cpu_times()[:2])
        finally:
            server.terminate()
    page.join()
    return spent, of_server, len(seen)


def _look(address: str, seen: list[bytes]) -> None:
    """A page that is kept up to date, until the server ends."""
    parts = urlsplit(address.strip())
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0)
    connection.request("GET", f"/?{parts.query}")
    answer = connection.getresponse()
    answer.read()
    cookie = str(answer.getheader("Set-Cookie")).partition(";")[0]
    connection.request("GET", "/api/runs/1/live", headers={"Cookie": cookie})
    response = connection.getresponse()
    while line := response.readline():
        if line.startswith(b"data: "):
            seen.append(line)


def main() -> None:
    """Print the pairs, and whether their median is within the target."""
    shares = []
    for _ in range(PAIRS):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            with ThreadPoolExecutor() as both:
                jobs = [both.submit(run, Path(one)), both.submit(followed, Path(other))]
            alone, (spent, of_server, updates) = jobs[0].result(), jobs[1].result()
        shares.append(spent / alone - 1)
        print(
            f"alone {alone:.2f} s, followed {spent:.2f} s: {100 * shares[-1]:+.1f} %; "
            f"the dashboard {of_server:.2f} s, {updates} updates",
            flush=True,
        )
    median = statistics.median(shares)
    print(f"median {100 * median:+.1f} % of its processor time (at most {100 * MOST:.0f} %)")


if __name__ == "__main__":
    main()
