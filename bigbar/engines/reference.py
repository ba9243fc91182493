"""`backtesting.py` itself, for any strategy: slow, and the definition of right."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import period_returns
from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.contract import TRADE_COLUMNS, Engine, EngineKind, span_of
from bigbar.engines.one_by_one import OneByOne
from bigbar.job import Job
from bigbar.without_charts import import_backtesting
from bigbar.working_folder import in_its_folder

if TYPE_CHECKING:
    from backtesting import Backtest

    from bigbar.engines.any_strategy.run import StrategyRunner


class BacktestingEngine(OneByOne):
    """Every combination by `backtesting.py` itself.

    On a part of the file, where it has no way of its own to know the bars before, a strategy is
    run by `bigbar.engines.any_strategy`, which has its `init` see them.

    Parameters
    ----------
    file : DataFrame
        The whole file, with the strategy's columns.
    job : Job

    Each begins with the attributes of the strategy's class as they are now.
    """

    def __init__(self, file: pd.DataFrame, job: Job) -> None:
        import_backtesting()
        from backtesting import Backtest

        from bigbar.engines.any_strategy.class_attributes import ClassAttributes
        from bigbar.engines.any_strategy.run import StrategyRunner

        self._class_attributes = ClassAttributes(job.spec.strategy)
        super().__init__(job.space, file.index[job.bars])  # type: ignore[arg-type]
        self._on_span: StrategyRunner | None = None
        span = span_of(job, len(file))
        whole = job.first_bar, len(file) if job.stop_bar is None else job.stop_bar
        own = job.spec.own_backtest(file, job.account, whole)
        if own is not None:
            self.backtest = own
            return
        if span is not None:
            self._on_span = StrategyRunner(
                file, job.spec.strategy, span=span, **job.account.options
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Prices above the cash: the optimizer explains them.
            bars = file.iloc[slice(*whole)]
            self.backtest = Backtest(bars, job.spec.strategy, **job.account.options)

    def _answer(self, number: int, row: NDArray[np.float64], returns: NDArray[np.float32]) -> None:
        stats = self.stats(number)
        row[:] = statistics_row(stats)
        returns[:] = np.nan_to_num(period_returns(stats["_equity_curve"]["Equity"]), nan=0.0)

    def equity(self, number: int) -> pd.Series:
        curve: pd.Series = self.stats(number)["_equity_curve"]["Equity"]
        return curve

    def trades(self, number: int) -> pd.DataFrame:
        return self.stats(number)["_trades"][list(TRADE_COLUMNS)]

    def stats(self, number: int) -> pd.Series:
        """All that `backtesting.py` has to say about one combination."""
        if self._on_span is not None:
            return self._on_span.run(self._space[number]).stats
        self._class_attributes.restore()
        try:
            return run_quietly(self.backtest, self._space[number])
        finally:
            self._class_attributes.restore()  # Whoever runs it next may be another.


def run_quietly(backtest: Backtest, parameters: Mapping[str, Any]) -> pd.Series:
    """Run one combination without backtesting.py's progress bar and warnings.

    Its bar would write over ours, and what it warns of (a position open at the end, prices
    above the cash) is part of the statistics or said by the optimizer once.

    Parameters
    ----------
    backtest : backtesting.Backtest
        From `reference_backtest`.
    parameters : mapping
        The combination.

    Returns
    -------
    Series
        The statistics, as `Backtest.run` returns them.
    """
    import backtesting.backtesting as module

    bar = module._tqdm
    module._tqdm = lambda bars, **_: bars
    try:
        with warnings.catch_warnings(), in_its_folder(backtest._strategy.__module__):
            warnings.simplefilter("ignore")
            return backtest.run(**parameters)
    finally:
        module._tqdm = bar


def _build(file: pd.DataFrame, job: Job) -> Engine:
    """By the strategy's own way to a Backtest where it has one, else the fast one."""
    import_backtesting()
    from bigbar.engines.runner import RunnerEngine

    return BacktestingEngine(file, job) if job.spec.has_own_backtest else RunnerEngine(file, job)


KIND = EngineKind(_build, sample_slice=1, returns_come_along=True)
