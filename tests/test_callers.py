"""Where a run may be called from: scripts without a guard, standard input, other pools' workers."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from long import in_a_soak
from small_run import small_bars
from test_pool import posix_only

from bigbar.api import optimize
from bigbar.progress.events import Listener

ROOT = Path(__file__).resolve().parents[1]

UNGUARDED = """
import sys
sys.path[:0] = sys.argv[2:]
from small_run import small_bars
from bigbar import optimize

try:
    found = optimize(
        small_bars().frame, atr_period=(10, 20), k_atr=1, workers=2, start_method=sys.argv[1],
        verify=0, validate=False, engine="backtesting",
    )
finally:
    print("ended", flush=True)
print(len(found))
"""


def script(path: Path, method: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(path), method, str(ROOT), str(ROOT / "tests")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", ["spawn", *in_a_soak("forkserver")])
def test_a_script_without_a_guard_is_told_so_once(method, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(UNGUARDED)
    done = script(path, method)
    assert done.returncode == 1
    assert done.stdout == "ended\n", "of the script itself; no worker ran on"
    assert done.stderr.count("Traceback") == 1
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith("bigbar.errors.WorkersLostError: The script begins this run whenever it")
    assert last.endswith('put the call under `if __name__ == "__main__":`')
    assert len(done.stderr.splitlines()) < 45


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", ["spawn", *in_a_soak("forkserver")])
def test_a_script_from_standard_input(method):
    """No worker could import it; none has to."""
    done = script(Path("-"), method, input=UNGUARDED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n80\n", "")


class Heard(Listener):
    def __init__(self) -> None:
        self.events: list[str] = []

    def event(self, what: str) -> None:
        self.events.append(what)


def run_in_a_worker(_: int) -> tuple[list[str], str | None, str]:
    heard = Heard()
    found = optimize(
        small_bars().frame, atr_period=(10, 20), k_atr=1, workers=2, verify=0, validate=False,
        engine="backtesting", listener=heard,
    )  # fmt: skip
    return heard.events, found.result_sha256, found.outcome.workers_kind


@pytest.mark.slow
@posix_only
def test_inside_the_worker_of_another_pool():
    """Which is daemonic: Python lets it have no processes of its own."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        events, digest, kind = pool.apply(run_in_a_worker, (0,))
        pool.close()
        pool.join()
    assert kind == "threads"
    (said,) = [event for event in events if "threads" in event]
    assert said.startswith("this process is itself a worker of a pool")
    assert (digest, "processes") == run_in_a_worker(0)[1:]
