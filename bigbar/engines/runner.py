"""Any strategy by `backtesting.py`'s broker, many times in a process.

The answers are those of `Backtest.run`; see `bigbar.engines.any_strategy`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import calendar_of
from bigbar.engines.any_strategy.run import BacktestRun, StrategyRunner
from bigbar.engines.contract import TRADE_COLUMNS, span_of
from bigbar.job import Job
from bigbar.statistics import NAMES


class RunnerEngine:
    """Every combination of any strategy's parameters, one after the other.

    Parameters
    ----------
    file : DataFrame
        The whole file.
    job : Job
    """

    def __init__(self, file: pd.DataFrame, job: Job) -> None:
        self._space = job.space
        self._runner = StrategyRunner(
            file, job.spec.strategy, span=span_of(job, len(file)), **job.account.options
        )
        index: Any = self._runner.index
        self._calendar = calendar_of(index)

    def run(self, start: int, stop: int) -> NDArray[np.float64]:
        return self.run_with_returns(start, stop)[0]

    def returns(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.run_with_returns(start, stop)[1]

    def run_with_returns(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Statistics and returns at once: see `Engine.run` and `Engine.returns`."""
        if not 0 <= start <= stop <= len(self._space):
            raise IndexError(f"combinations {start} to {stop} of a grid of {len(self._space)}")
        rows = np.empty((stop - start, len(NAMES)))
        returns = np.empty((stop - start, self._calendar.periods - 1), np.float32)
        for place in range(stop - start):
            found = self.one(start + place)
            rows[place] = found.row()
            returns[place] = np.nan_to_num(self._calendar.returns(found.equity), nan=0.0)
        return rows, returns

    def equity(self, number: int) -> pd.Series:
        equity = pd.Series(self.one(number).equity, self._runner.index, name="Equity")
        self._runner.restore_class()  # Whoever runs the strategy next may be another.
        return equity

    def trades(self, number: int) -> pd.DataFrame:
        trades = self.one(number).trades[list(TRADE_COLUMNS)]
        self._runner.restore_class()
        return trades

    def stats(self, number: int) -> pd.Series:
        """All that `Backtest.run` has to say about one combination."""
        return self.one(number).stats

    def one(self, number: int) -> BacktestRun:
        """A backtest of one combination."""
        return self._runner.run(self._space[number])
