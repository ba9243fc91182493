"""A trader's own strategy, whole: `bigbar.Backtest.optimize` against backtesting.py's.

Two processes each, strategies of backtesting.py's documentation on the bars that come with it.
The best, and the whole heatmap, must be equal before a ratio is printed. Needs `fork`, because
`backtesting.Backtest.optimize` hands its processes the strategy class by name.
"""

from __future__ import annotations

import functools
import gc
import multiprocessing
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import backtesting
import backtesting.backtesting
import common
import numpy as np
import pandas as pd
import psutil
from backtesting.test import GOOG
from example_strategies import Sma4Cross, SmaCross

import bigbar

WORKERS = 2

ACCOUNT = {"cash": 10_000, "commission": 0.002}

#: 20 × 30 combinations, and 5 × 6 × 10 × 20.
GRIDS: dict[str, tuple[type, dict[str, range]]] = {
    "SmaCross, 600 combinations": (SmaCross, {"n1": range(2, 42, 2), "n2": range(45, 195, 5)}),
    "Sma4Cross, 6,000 combinations": (
        Sma4Cross,
        {
            "n1": range(10, 60, 10),
            "n2": range(60, 180, 20),
            "n_enter": range(5, 55, 5),
            "n_exit": range(2, 42, 2),
        },
    ),
}

#: The engine that runs what cannot be compiled; the compiled one has a benchmark of its own.
OURS: dict[str, Any] = {"engine": "backtesting", "workers": WORKERS, "progress": False}

#: Memory is looked at so often, in seconds.
LOOK_S = 0.1


def timed(
    kind: type, strategy: type, grid: dict[str, range], **options: Any
) -> tuple[float, pd.Series, pd.Series]:
    """Seconds of a whole `optimize`, its best and its heatmap."""
    backtest = kind(GOOG, strategy, **ACCOUNT)
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats, heatmap = backtest.optimize(
            **grid, maximize="Return [%]", return_heatmap=True, **options
        )
    return time.perf_counter() - begun, stats, heatmap


def same(one: pd.Series, other: pd.Series) -> bool:
    """Whether two results have the same statistics."""
    ours, theirs = (
        stats[[name for name in stats.index if not name.startswith("_")]] for stats in (one, other)
    )
    return bool(ours.index.equals(theirs.index) and (ours == theirs)[ours.notna()].all())


def peak_bytes(work: Callable[[], object]) -> int:
    """Bytes of this process and its children at most, while something is done.

    What processes share is counted once, by proportion.
    """
    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            held = 0
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    held += process.memory_full_info().pss
                except psutil.Error:
                    continue
            most[0] = max(most[0], held)

    watch = threading.Thread(target=look)
    watch.start()
    try:
        work()
    finally:
        over.set()
        watch.join()
    return most[0]


def import_seconds(module: str) -> float:
    """Seconds of a Python that imports a module and ends; the least of several."""
    found = []
    for _ in range(7):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        found.append(time.perf_counter() - begun)
    return min(found)


def memory(report: common.Report) -> None:
    """Whether ten times the combinations of a strategy take more than their rows do."""
    name, (strategy, grid) = list(GRIDS.items())[-1]
    longest = max(grid, key=lambda one: len(grid[one]))
    tenth = {**grid, longest: grid[longest][: len(grid[longest]) // 10]}
    peaks = []
    for part, values in (("a tenth of ", tenth), ("", grid)):
        gc.collect()
        peak = peak_bytes(functools.partial(timed, bigbar.Backtest, strategy, values, **OURS))
        report.line(f"memory, {part}{name}", f"{peak / 1e6:.0f} MB")
        peaks.append(peak)
    more = peaks[1] - peaks[0]
    report.line(
        "memory of the whole over that of the tenth", f"{more / 1e6:+.0f} MB", "30 MB", more <= 30e6
    )


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("Backtest.optimize on a trader's own strategy", arguments)
    backtesting.Pool = functools.partial(multiprocessing.get_context("fork").Pool, WORKERS)
    # Its bars would only fill the screen, and cost it a little.
    backtesting.backtesting._tqdm = lambda iterable, **_: iterable
    for name, (strategy, grid) in GRIDS.items():
        mine, stats, heatmap = timed(bigbar.Backtest, strategy, grid, **OURS)
        theirs, expected, expected_heatmap = timed(backtesting.Backtest, strategy, grid)
        report.check(f"{name}: every return", heatmap.equals(expected_heatmap))
        report.check(f"{name}: every statistic of the best", same(stats, expected))
        report.line(f"{name}: backtesting.Backtest.optimize", f"{theirs:.1f} s")
        report.line(f"{name}: bigbar.Backtest.optimize", f"{mine:.1f} s")
        report.ratio(f"{name}", theirs / mine, 1.5, aim=2)
    memory(report)
    ours, other = import_seconds("bigbar"), import_seconds("backtesting")
    report.line("import bigbar", f"{ours:.2f} s")
    report.line("import backtesting", f"{other:.2f} s", "not slower", bool(np.less(ours, other)))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
