"""What keeping a run costs: the sweep and the whole command, with the store and without.

The default grid, as it is by default and with nothing but the sweep; and the store's own side:
bytes on disk for a run, and how long it takes to read one back.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np

from bigbar.results import ResultTable
from bigbar.store.runs import RunStore

#: A run may take so much longer for being kept.
_MOST = 0.05

_OPTIONS = {"by default": (), "sweep alone": ("--verify", "0", "--no-validate")}

#: Of each side, in turns.
_ROUNDS = 9


@dataclass(frozen=True)
class Side:
    """One way of running the command, each time in a folder of its own."""

    file: Path
    options: tuple[str, ...]

    def run(self, folder: Path) -> tuple[float, float, float]:
        """Seconds of the whole command, of its processors, and of its sweep."""
        line = [sys.executable, str(common.COMMAND), str(self.file), "--no-progress"]
        begun, busy = time.perf_counter(), _processor_s()
        done = subprocess.run(
            [*line, "--output", str(folder), *self.options], capture_output=True, text=True
        )
        spent = time.perf_counter() - begun
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(line)} failed:\n{done.stderr}")
        return spent, _processor_s() - busy, self.summary(folder)["timings"]["sweep_s"]

    @staticmethod
    def summary(folder: Path) -> dict:
        """What the run wrote about itself."""
        found: dict = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return found


def _processor_s() -> float:
    """Processor time of all commands so far and of their workers."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def check(report: common.Report, file: Path) -> None:
    """Both sides have the same result, and the store has it, too."""
    with tempfile.TemporaryDirectory() as name:
        kept, alone = Path(name, "kept"), Path(name, "alone")
        Side(file, _OPTIONS["sweep alone"]).run(kept)
        Side(file, (*_OPTIONS["sweep alone"], "--no-store")).run(alone)
        digest = Side.summary(kept)["result_sha256"]
        report.check("result of both sides", digest == Side.summary(alone)["result_sha256"])
        with RunStore(kept, read_only=True) as store:
            run = store.runs()[0]
            begun = time.perf_counter()
            values, done = store.values(run)
            read_s = time.perf_counter() - begun
        report.check(
            f"{len(values):,} rows read back",
            bool(done.all()) and ResultTable(run.grid, values).sha256() == digest,
        )
        size = (kept / "runs.sqlite").stat().st_size
        report.line("rows in memory", common.megabytes(values.nbytes))
        report.line("the file of one run", common.megabytes(size))
        report.line("reading its rows back", common.duration(read_s))


def compare(report: common.Report, file: Path, what: str, options: tuple[str, ...]) -> None:
    """Measure both sides in turns."""
    sides = [Side(file, options), Side(file, (*options, "--no-store"))]
    others: list[list[tuple[float, float]]] = [[], []]
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, "kept"), Path(name, "alone")]
        sides[0].run(folders[0])  # Only the first run in a folder makes the file.

        def measured(number: int) -> float:
            whole, busy, sweep = sides[number].run(folders[number])
            others[number].append((busy, sweep))
            return whole

        whole, _ = common.alternating([lambda: measured(0), lambda: measured(1)], rounds=_ROUNDS)
    busy, sweep = np.median(np.array(others), axis=1).T.tolist()
    for name, (kept, alone) in {
        "sweep": sweep,
        "whole command": whole,
        "processor time of the command": busy,
    }.items():
        report.line(f"{what}: {name}, kept", common.duration(kept))
        report.line(f"{what}: {name}, not kept", common.duration(alone))
        report.line(
            f"{what}: {name}, more for being kept",
            f"{100 * (kept / alone - 1):+.1f} %",
            f"at most {100 * _MOST:g} %",
            kept <= alone * (1 + _MOST),
        )


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("Keeping a run", arguments)
    file = arguments.data or common.ROOT / "example.csv"
    check(report, file)
    for what, options in _OPTIONS.items():
        compare(report, file, what, options)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
