"""Memory against the number of workers: the data block once, and what each worker adds.

The command on a tenth of the default grid, with the memory of all its processes watched from
outside.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import common
import numpy as np
from watched import Run, measure, run_command

_WORKERS = (2, 4, 8)
_ROWS = (20_000, 1_000_000)
_PERIODS = "10:100:10"


def runs_of(report: common.Report, file: Path) -> dict[int, Run]:
    """The same grid with every number of workers, and a line for each."""
    runs = {
        workers: run_command(file, "--workers", str(workers), "--atr-period", _PERIODS)
        for workers in _WORKERS
    }
    first, *others = runs.values()
    rows = first.summary["data"]["rows"]
    report.check(
        f"every statistic on {rows:,} bars, {', '.join(map(str, _WORKERS))} workers",
        all(first.table.equals(other.table) for other in others),
    )
    shared = {workers: run.summary["memory"]["shared_bytes"] for workers, run in runs.items()}
    for workers, run in runs.items():
        report.line(
            f"{rows:,} bars, {workers} workers: all / block / a worker after the sweep / at most",
            f"{common.megabytes(run.peak)} / {common.megabytes(shared[workers])} / "
            f"{common.megabytes(swept(run))} / {common.megabytes(alone(run))}",
        )
    report.line(
        f"{rows:,} bars: the data block does not grow with the workers",
        common.megabytes(max(shared.values()) - min(shared.values())),
        "0 MB",
        len(set(shared.values())) == 1,
    )
    few, many = min(runs), max(runs)
    added = (runs[many].peak - runs[few].peak) / (many - few)
    report.line(f"{rows:,} bars: a further worker adds", common.megabytes(added))
    return runs


def swept(run: Run) -> float:
    """What a worker holds alone after the sweep, in bytes: the middle of all of them."""
    return statistics.median(run.summary["memory"]["workers_bytes"] or [float("nan")])


def alone(run: Run) -> float:
    """What a worker of a run ever holds alone, in bytes: the middle of all of them."""
    return statistics.median(run.workers) if run.workers else float("nan")


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report(f"Memory ({measure()})", arguments)
    sizes = [
        runs_of(report, common.data_file(arguments.data, rows))
        for rows in (_ROWS[:1] if arguments.data else _ROWS)
    ]
    if len(sizes) == 2:
        few, many = sizes
        bars = [size[_WORKERS[0]].summary["data"]["rows"] for size in sizes]
        for when, held in (("sweep", swept), ("whole run, validation included", alone)):
            growth = np.median([held(many[n]) - held(few[n]) for n in _WORKERS])
            columns = float(growth) / (bars[1] - bars[0]) / 8
            report.line(f"columns of float64 that a worker holds, {when}", f"{columns:.1f}")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
