"""Any strategy by `backtesting.py`'s broker, many times in a process.

The answers are those of `Backtest.run`; see `bigbar.engines.any_strategy`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.engines.any_strategy.run import BacktestRun, StrategyRunner
from bigbar.engines.contract import TRADE_COLUMNS, span_of
from bigbar.engines.one_by_one import OneByOne
from bigbar.job import Job


class RunnerEngine(OneByOne):
    """Every combination of any strategy's parameters, one after the other.

    Parameters
    ----------
    file : DataFrame
        The whole file.
    job : Job
    """

    def __init__(self, file: pd.DataFrame, job: Job) -> None:
        self._runner = StrategyRunner(
            file, job.spec.strategy, span=span_of(job, len(file)), **job.account.options
        )
        super().__init__(job.space, self._runner.index)  # type: ignore[arg-type]

    def _answer(self, number: int, row: NDArray[np.float64], returns: NDArray[np.float32]) -> None:
        found = self.one(number)
        row[:] = found.row()
        self._write_returns(found.equity, returns)

    def equity(self, number: int) -> pd.Series:
        return pd.Series(self.one(number).equity, self._runner.index, name="Equity")

    def trades(self, number: int) -> pd.DataFrame:
        return self.one(number).trades[list(TRADE_COLUMNS)]

    def stats(self, number: int) -> pd.Series:
        """All that `Backtest.run` has to say about one combination."""
        return self.one(number).stats

    def one(self, number: int) -> BacktestRun:
        """A backtest of one combination."""
        return self._runner.run(self._space[number])
