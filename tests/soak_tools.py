"""What the soak of faults is made of: a run that can be struck, and what may not be left of it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from processes import is_worker

from bigbar.store.receipt import read_receipt
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError

ROOT = Path(__file__).resolve().parent.parent
DRIVER = ROOT / "tests" / "soak_driver.py"

#: 800 combinations.
GRID = ("--atr-period", "10:40:10", "--k-atr", "1:3:0.5")
COMBINATIONS = 800

#: All that a finished run leaves in its output folder.
FILES = {
    "receipt.json", "report.html", "results.parquet", "runs.sqlite", "summary.json", "trades.csv",
}  # fmt: skip

#: Orphans look for their parent every half second; on a busy machine they take longer.
GONE_S = 15.0

#: A run that is not over by then hangs.
HANGS_S = 240.0


@dataclass
class Tally:
    """What became of the faults of one kind; those that came too late are no faults."""

    caused: int = 0
    missed: int = 0
    struck: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    resumes: int = 0
    wrong: int = 0
    left: int = 0
    unread: int = 0


class Attempt:
    """The command, running in a session and a temporary folder of its own.

    Parameters
    ----------
    folder : Path
        Where the output folder `disk/out` and all else of this case is.
    options : sequence of str
    environment : dict, optional
        On top of this process's own.
    shell : str, optional
        What to do before it, in a mount namespace of its own.
    heard : bool, optional
        Whether it talks to a file; else to a pipe, until `leave` is called.
    """

    def __init__(
        self,
        folder: Path,
        options: tuple[str, ...],
        *,
        environment: dict[str, str] | None = None,
        shell: str | None = None,
        heard: bool = True,
    ) -> None:
        self.folder = folder
        self.output = folder / "disk" / "out"
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.stages = folder / "stages"
        self.stages.write_text("", encoding="utf-8")
        line = [sys.executable, str(DRIVER), str(ROOT / "example.csv"), "--output",
                str(self.output), *GRID, *options]  # fmt: skip
        if shell is not None:
            line = ["unshare", "-m", "sh", "-c", f'{shell} && exec "$@"', "sh", *line]
        self.log = folder / "log"
        added = {"TMPDIR": str(self.temporary), "SOAK_STAGES": str(self.stages)}
        self.log.write_text("", encoding="utf-8")
        self._pipe, writer = (-1, -1) if heard else os.pipe()
        with self.log.open("w") if heard else os.fdopen(writer, "w") as log:
            self.process = subprocess.Popen(
                line,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **added, **(environment or {})},
            )
        self.pid = self.process.pid

    def leave(self) -> None:
        """Listen no longer."""
        os.close(self._pipe)

    def stage(self) -> str:
        """Where it is by now."""
        if self.process.poll() is not None:
            return "missed"
        begun = self.stages.read_text(encoding="utf-8").split("\n")[:-1]
        return begun[-1] if begun else "start-up"

    def wait_for(self, stage: str) -> None:
        """Until a stage has begun, or all is over."""
        begun = time.monotonic()
        while stage not in self.stages.read_text(encoding="utf-8").split("\n"):
            if self.process.poll() is not None or time.monotonic() - begun > HANGS_S:
                return
            time.sleep(0.003)

    def family(self) -> list[psutil.Process]:
        """All processes of the run that live, orphans among them."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                if os.getsid(process.pid) == self.pid and process.status() != "zombie":
                    found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return [one for one in self.family() if one.pid != self.pid and is_worker(one)]

    def trackers(self) -> list[psutil.Process]:
        """Python's resource tracker, once it has started."""
        found = []
        for one in self.family():
            with contextlib.suppress(psutil.Error):
                if "resource_tracker" in " ".join(one.cmdline()):
                    found.append(one)
        return found

    def finish(self) -> int:
        """Wait for its end; its exit code."""
        try:
            return self.process.wait(HANGS_S)
        finally:
            if self.process.poll() is None:
                for process in self.family():
                    with contextlib.suppress(psutil.Error):
                        process.kill()
                self.process.wait()

    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def left_over(self) -> list[str]:
        """Processes, shared memory and temporary files that outlived it."""
        found: list[str] = []
        deadline = time.monotonic() + GONE_S
        while True:
            found = [f"process {process.pid}" for process in self.family()]
            found += [str(path) for path in Path("/dev/shm").glob(f"*bigbar_{self.pid}_*")]
            found += [str(path) for path in self.temporary.iterdir()]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)


def stored(output: Path) -> list[Run]:
    """The runs of a folder, the newest first; damage raises."""
    file = output / "runs.sqlite"
    if not file.exists():
        return []
    with contextlib.closing(sqlite3.connect(file)) as connection:
        try:
            (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        except sqlite3.DatabaseError as problem:
            verdict = str(problem)
        if verdict != "ok":
            raise StoreError(f"integrity_check of {file}: {verdict}")
    try:
        with RunStore(output) as store:
            return store.runs()
    except StoreError as problem:
        if "no run was stored" in str(problem):
            return []
        raise


def result_of(output: Path, *, with_store: bool = True) -> set[str | None]:
    """The digests of the result in the receipt, the summary and the store: one, if all is well."""
    runs = stored(output) if with_store else []
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    receipt = read_receipt(output / "receipt.json")
    return {
        summary["result_sha256"], receipt["result_sha256"],
        *(run.result_sha256 for run in runs if run.state == "finished"),
    }  # fmt: skip


def table(tallies: dict[str, Tally]) -> str:
    """The tallies as a table of Markdown."""
    lines = [
        "| fault | caused | too late | struck during | ended the run | resumes "
        "| wrong results | left over | store unreadable |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    total = Tally()
    for kind, one in tallies.items():
        where = ", ".join(f"{k} {v}" for k, v in sorted(one.struck.items(), key=lambda at: -at[1]))
        lines.append(_line(kind, one, where))
        for name in ("caused", "missed", "ended", "resumes", "wrong", "left", "unread"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
    return "\n".join([*lines, _line("**all**", total, "")]) + "\n"


def _line(kind: str, one: Tally, where: str) -> str:
    return (
        f"| {kind} | {one.caused} | {one.missed} | {where} | {one.ended} | {one.resumes} "
        f"| {one.wrong} | {one.left} | {one.unread} |"
    )
