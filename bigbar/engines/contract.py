"""The engines: one contract, and the table of those there are.

An engine answers slices of the grid with rows of statistics. `compiled` is the default;
`backtesting` is slow and the definition of right.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.account import Account, Settings
from bigbar.calendar import calendar_of, period_returns
from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.errors import DataError, SettingsError
from bigbar.space import Grid
from bigbar.statistics import NAMES
from bigbar.strategies.big_bar.indicators import LEAST_TRADING_BARS, first_trading_bar
from bigbar.without_charts import import_backtesting


@dataclass(frozen=True)
class Job:
    """What is to be computed: the grid under given settings by one of the engines.

    Attributes
    ----------
    grid : Grid
    settings : Settings
    engine : str
        A name in `ENGINES`.
    span : tuple of (int, int), optional
        The bars of the file that take part: the first, and the one after the last. Indicators
        are computed, and weeks cut, on the whole file all the same. Not given: from the first
        bar on which all indicators of the grid are defined, to the end of the file.

    Raises
    ------
    SettingsError
        If the span begins before the indicators are defined, or holds too few bars to trade.
    """

    grid: Grid
    settings: Settings
    engine: str
    span: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.span is None:
            return
        first, stop = self.span
        period = self.grid.max_atr_period
        defined = first_trading_bar(period)
        if first < defined:
            raise SettingsError(
                f"a span from bar {first} begins before the indicators are defined: ATR period "
                f"{period} is from bar {defined} on"
            )
        if stop - first < LEAST_TRADING_BARS:
            raise SettingsError(
                f"a span from bar {first} to bar {stop} is too short to trade in: it needs at "
                f"least {LEAST_TRADING_BARS} bars"
            )

    @property
    def first_bar(self) -> int:
        """Bars of the file before this one only warm up the indicators."""
        if self.span is not None:
            return self.span[0]
        return first_trading_bar(self.grid.max_atr_period)

    @property
    def stop_bar(self) -> int | None:
        """The bar after the last that takes part; None for the end of the file."""
        return None if self.span is None else self.span[1]

    @property
    def bars(self) -> slice:
        """The bars of the file that take part, as a slice of it."""
        return slice(self.first_bar, self.stop_bar)


class Engine(Protocol):
    """What every engine can do. One instance serves one thread of one process."""

    def run(self, start: int, stop: int) -> NDArray[np.float64]:
        """Statistics of the combinations `start` to `stop` (excluded), in grid order.

        Returns
        -------
        ndarray of float, shape (stop - start, statistics)
            Columns as in `bigbar.statistics.STATISTICS`; durations in nanoseconds.

        Raises
        ------
        IndexError
            If the slice is not one of the grid's.
        """
        ...

    def returns(self, start: int, stop: int) -> NDArray[np.float32]:
        """Returns of the combinations `start` to `stop` (excluded), from day end to day end.

        Returns
        -------
        ndarray of float32, shape (stop - start, periods - 1)
            As `backtesting.py` has them for its annual statistics (of weeks, months or years for
            bars that long, see `bigbar.calendar`), rounded from float64. After ruin, where it has
            none, 0.

        Raises
        ------
        IndexError
            If the slice is not one of the grid's.
        """
        ...

    def equity(self, number: int) -> pd.Series:
        """Equity of one combination at each bar that takes part, by time.

        A position that is open at the last bar counts at its close.
        """
        ...

    def trades(self, number: int) -> pd.DataFrame:
        """Closed trades of one combination, columns and order as backtesting.py's `_trades`.

        Returns
        -------
        DataFrame
            Size, EntryBar, ExitBar, EntryPrice, ExitPrice, PnL, Commission, ReturnPct,
            EntryTime, ExitTime; bars counted from the first that takes part.
        """
        ...


#: Columns of a trade list, named as backtesting.py names them.
TRADE_COLUMNS = (
    "Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "PnL", "Commission", "ReturnPct",
    "EntryTime", "ExitTime",
)  # fmt: skip


@dataclass(frozen=True)
class EngineKind:
    """How an engine is made, and how to time it.

    Attributes
    ----------
    build : callable
        From the file with its indicator columns and the job to an `Engine`; with a third argument
        from what was prepared.
    sample_slice : int
        Neighbouring combinations that share preparatory work; timing fewer at once would not
        show what they cost in a chunk.
    warm_up : callable, optional
        Compiles what the engine runs under an account, or loads it: done, and told, before anything
        is timed. It must run none of a job's own combinations, one of which may misbehave.
    prepare : callable, optional
        From the file and the job to what all engines of the job can share: picklable, and never
        written to. It is made once and published for all workers.
    """

    build: Callable[..., Engine]
    sample_slice: int
    warm_up: Callable[[Account], None] | None = None
    prepare: Callable[[pd.DataFrame, Job], Any] | None = None


class BacktestingEngine:
    """Every combination by `backtesting.py` itself.

    Parameters
    ----------
    file : DataFrame
        Open, High, Low, Close, Volume of the whole file.
    job : Job
    """

    def __init__(self, file: pd.DataFrame, job: Job) -> None:
        import_backtesting()
        from bigbar.strategies.big_bar.strategy import reference_backtest

        self._grid = job.grid
        index: Any = file.index[job.bars]
        self._periods = calendar_of(index).periods
        self._backtest = reference_backtest(
            file, job.first_bar, job.settings, stop_bar=job.stop_bar
        )

    def run(self, start: int, stop: int) -> NDArray[np.float64]:
        numbers = self._numbers(start, stop)
        rows = np.empty((len(numbers), len(NAMES)))
        for row, number in zip(rows, numbers, strict=True):
            row[:] = statistics_row(self.stats(number))
        return rows

    def returns(self, start: int, stop: int) -> NDArray[np.float32]:
        numbers = self._numbers(start, stop)
        rows = np.empty((len(numbers), self._periods - 1), np.float32)
        for row, number in zip(rows, numbers, strict=True):
            row[:] = np.nan_to_num(period_returns(self.equity(number)), nan=0.0)
        return rows

    def _numbers(self, start: int, stop: int) -> range:
        if not 0 <= start <= stop <= len(self._grid):
            raise IndexError(f"combinations {start} to {stop} of a grid of {len(self._grid)}")
        return range(start, stop)

    def equity(self, number: int) -> pd.Series:
        curve: pd.Series = self.stats(number)["_equity_curve"]["Equity"]
        return curve

    def trades(self, number: int) -> pd.DataFrame:
        return self.stats(number)["_trades"][list(TRADE_COLUMNS)]

    def stats(self, number: int) -> pd.Series:
        """All that `backtesting.py` has to say about one combination."""
        from bigbar.strategies.big_bar.strategy import run_quietly

        return run_quietly(self._backtest, self._grid[number])


def _groundwork(file: pd.DataFrame, job: Job) -> Any:
    from bigbar.strategies.big_bar.candidates import lay_groundwork
    from bigbar.strategies.big_bar.market import market_of

    market = market_of(file, job.first_bar, job.stop_bar)
    return lay_groundwork(market, job.grid, job.settings.account)


def _compiled(file: pd.DataFrame, job: Job, groundwork: Any = None) -> Engine:
    from bigbar.strategies.big_bar.engine import CompiledSweep

    return CompiledSweep(_groundwork(file, job) if groundwork is None else groundwork, job.grid)


def _compile_or_load(account: Account) -> None:
    from bigbar.strategies.big_bar.warm_up import warm_up

    warm_up(account)


ENGINES: dict[str, EngineKind] = {
    "compiled": EngineKind(
        _compiled, sample_slice=1240, warm_up=_compile_or_load, prepare=_groundwork
    ),
    "backtesting": EngineKind(BacktestingEngine, sample_slice=1),
}


def available_engine(name: str) -> tuple[str, str | None]:
    """The engine to use for a wish, and the reason where it is another one.

    Parameters
    ----------
    name : str
        A name in `ENGINES`.

    Returns
    -------
    name : str
    reason : str or None
        A sentence for the user where the wish cannot be had.

    Raises
    ------
    SettingsError
        If there is no engine of that name.
    """
    if name not in ENGINES:
        raise SettingsError(f"there is no engine {name!r}; choose from {', '.join(ENGINES)}")
    if name == "compiled" and importlib.util.find_spec("numba") is None:
        return "backtesting", (
            "numba is not installed, so backtesting.py runs every combination, which is tens of "
            "thousands of times slower; 'pip install numba' brings the compiled engine"
        )
    return name, None


def build_engine(file: pd.DataFrame, job: Job, prepared: Any = None) -> Engine:
    """Make the engine that a job asks for.

    Parameters
    ----------
    file : DataFrame
        The whole file, as `bigbar.strategies.big_bar.indicators.with_indicators` returns it.
    job : Job
    prepared : object, optional
        From `prepare`, of the same file and job; the engine makes its own where it is not given.

    Returns
    -------
    Engine

    Raises
    ------
    DataError
        If the job's span goes beyond the end of the file.
    """
    _check_span(file, job)
    build = ENGINES[job.engine].build
    return build(file, job) if prepared is None else build(file, job, prepared)


def warm_up(job: Job) -> None:
    """Compile what the job's engine runs, or load it, where it compiles at all."""
    kind = ENGINES[job.engine]
    if kind.warm_up is not None:
        kind.warm_up(job.settings.account)


def prepare(file: pd.DataFrame, job: Job) -> Any:
    """What all engines of a job can share, in this process and others; None if that is nothing.

    Parameters and errors as of `build_engine`.
    """
    _check_span(file, job)
    kind = ENGINES[job.engine]
    return None if kind.prepare is None else kind.prepare(file, job)


def _check_span(file: pd.DataFrame, job: Job) -> None:
    if job.stop_bar is not None and job.stop_bar > len(file):
        raise DataError(f"a span to bar {job.stop_bar} of a file of {len(file)} bars")
