"""A trader's own strategy: our runner against `Backtest.run`, combination by combination.

One process each, the strategies of backtesting.py's documentation on the bars that come with it.
Every statistic, the equity and the trades of a sample must be equal before anything is timed.
"""

from __future__ import annotations

import itertools
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import backtesting.backtesting
import common
import numpy as np
from backtesting import Backtest, Strategy
from backtesting.test import GOOG
from example_strategies import Sma4Cross, SmaCross

from bigbar.engines.any_strategy.indicators import IndicatorMemo
from bigbar.engines.any_strategy.run import StrategyRunner
from bigbar.engines.any_strategy.statistics import statistics_row

ROUNDS = 5

#: Combinations that a round times, spread over the grid.
TIMED = 24

ACCOUNT = {"cash": 10_000, "commission": 0.002}


GRIDS: dict[type[Strategy], dict[str, range]] = {
    SmaCross: {"n1": range(5, 55, 2), "n2": range(20, 116, 4)},
    Sma4Cross: {
        "n1": range(10, 110, 10),
        "n2": range(20, 210, 20),
        "n_enter": range(15, 35, 5),
        "n_exit": range(10, 25, 5),
    },
}


def combinations(grid: dict[str, range]) -> list[dict[str, int]]:
    """A sample of a grid, spread over it."""
    points = [dict(zip(grid, one, strict=True)) for one in itertools.product(*grid.values())]
    points = [one for one in points if one["n1"] < one["n2"]]
    return [points[number] for number in common.spread_over(len(points), TIMED)]


def agree(backtest: Backtest, runner: StrategyRunner, points: Sequence[dict[str, int]]) -> bool:
    """Whether both give the same for each point, to the last bit."""
    for point in points:
        expected, run = backtest.run(**point), runner.run(point)
        curve = expected["_equity_curve"]["Equity"].to_numpy()
        if not (
            np.array_equal(run.row(), statistics_row(expected), equal_nan=True)
            and np.array_equal(run.equity, curve)
            and run.trades.equals(expected["_trades"])
        ):
            return False
    return True


def cpu_seconds(function: Callable[[dict[str, int]], Any], points: Sequence[dict]) -> float:
    """Processor time per point: others on the machine count less in it than in the clock."""
    begun = time.process_time()
    for point in points:
        function(point)
    return (time.process_time() - begun) / len(points)


def compare(report: common.Report, strategy: type[Strategy], grid: dict[str, range]) -> None:
    """One strategy: check, measure, report."""
    points = combinations(grid)
    backtest = Backtest(GOOG, strategy, **ACCOUNT)
    runner = StrategyRunner(GOOG, strategy, **ACCOUNT)
    forgetful = StrategyRunner(GOOG, strategy, **ACCOUNT, memo=IndicatorMemo(0))
    name = strategy.__name__
    report.check(f"{len(points)} combinations of {name}", agree(backtest, runner, points))
    medians, _ = common.alternating(
        [
            lambda: cpu_seconds(lambda point: backtest.run(**point), points),
            lambda: cpu_seconds(lambda point: runner.run(point).row(), points),
            lambda: cpu_seconds(lambda point: forgetful.run(point).row(), points),
        ],
        ROUNDS,
    )
    theirs, ours, without = medians
    report.line(f"{name}: Backtest.run, per combination", common.duration(theirs))
    report.line(f"{name}: ours, per combination", common.duration(ours))
    report.line(f"{name}: ours, indicators made each time", common.duration(without))
    report.ratio(f"{name}: ours against Backtest.run", theirs / ours, 1.5, 2)


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("A trader's own strategy against Backtest.run", arguments)
    # Its bars would only fill the screen, and cost it a little.
    backtesting.backtesting._tqdm = lambda iterable, **_: iterable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for strategy, grid in GRIDS.items():
            compare(report, strategy, grid)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
