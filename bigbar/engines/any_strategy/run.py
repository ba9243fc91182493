"""Backtests of one strategy on one file, one set of parameters after another, in this process.

`StrategyRunner.run` is `Backtest.run`: the same checks, the same broker, the same answers. A
progress bar it has none, and warnings are kept with the result.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import backtesting.backtesting
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting._util import _Data
from backtesting.backtesting import _Broker
from numpy.typing import NDArray

from bigbar.engines.any_strategy.class_attributes import ClassAttributes
from bigbar.engines.any_strategy.indicators import IndicatorMemo
from bigbar.engines.any_strategy.keys import unchanged
from bigbar.engines.any_strategy.known import is_known
from bigbar.engines.any_strategy.loop import Bars, bars_of, play
from bigbar.engines.any_strategy.statistics import StatisticsMaker, statistics_row
from bigbar.engines.any_strategy.stretch import Stretch
from bigbar.engines.any_strategy.warm_up import warm_up_bars
from bigbar.engines.any_strategy.warned import Warned, keeping
from bigbar.errors import DataError, SettingsError
from bigbar.working_folder import in_its_folder

#: A backtest's objects refer to each other in circles, which Python finds by their number; of a
#: long file's arrays there would be many by then. It is asked to look after so many bytes.
_COLLECT_BYTES = 16 * 2**20


def _init(strategy: Strategy) -> None:
    strategy.init()


class StrategyRunner:
    """Runs a trader's strategy on a file's bars, or on a stretch of them.

    Parameters
    ----------
    data : DataFrame
        As for `Backtest`: Open, High, Low, Close, and whatever else the strategy reads.
    strategy : type
        A `backtesting.Strategy`.
    span : tuple of (int, int), optional
        The bars that take part, counted in order of time: the first, and the one after the last.
        `init` runs on the whole file all the same, and what it leaves is cut to the span (see
        `bigbar.engines.any_strategy.stretch`), so that indicators are warmed up by the bars before
        it. `next` runs on each bar on which it would run in the whole file, from the span's second
        on. Not given: the whole file, as `Backtest.run` has it.
    memo : IndicatorMemo, optional
        Indicators that other runners have computed; a new one if it is not given.
    **account : optional
        What else `Backtest` takes: `cash`, `spread`, `commission`, `margin`, `trade_on_close`,
        `hedging`, `exclusive_orders`, `finalize_trades`, with its defaults.

    Raises
    ------
    TypeError, ValueError
        What `Backtest` raises of data, strategy and account.
    DataError, SettingsError
        If the span goes beyond the file, or is empty.
    """

    def __init__(
        self,
        data: pd.DataFrame,
        strategy: type[Strategy],
        *,
        span: tuple[int, int] | None = None,
        memo: IndicatorMemo | None = None,
        **account: Any,
    ) -> None:
        #: What `Backtest` warned of.
        self.warned = Warned()
        with keeping(self.warned):
            backtest = Backtest(data, strategy, **account)
        self._prepare(backtest, span, memo)

    @classmethod
    def of(
        cls,
        backtest: Backtest,
        *,
        span: tuple[int, int] | None = None,
        memo: IndicatorMemo | None = None,
    ) -> StrategyRunner:
        """A runner for a `Backtest` that is made already.

        Raises
        ------
        SettingsError
            If its class has a `run` of its own, which a runner would pass by; or of the span.
        DataError
            Of the span.
        """
        if type(backtest).run is not Backtest.run:
            raise SettingsError(
                f"{type(backtest).__name__} has a run of its own, which must be called for each "
                "combination"
            )
        runner = cls.__new__(cls)
        runner.warned = Warned()
        runner._prepare(backtest, span, memo)
        return runner

    def _prepare(
        self, backtest: Backtest, span: tuple[int, int] | None, memo: IndicatorMemo | None
    ) -> None:
        self._whole: pd.DataFrame = backtest._data
        self._strategy: type[Strategy] = backtest._strategy
        self._finalize: bool = backtest._finalize_trades
        self._stretch = _stretch(span, len(self._whole))
        self._prices = self._whole
        if self._stretch is not None:
            self._prices = self._whole.iloc[self._stretch.first : self._stretch.stop]
        self._broker = backtest._broker
        self.maker = StatisticsMaker(self._prices)
        #: Whether prices are of the kind that everything is computed with; of float32 or float16
        #: `backtesting.py` makes some of its statistics in that.
        self.in_doubles = all(
            self._prices[name].dtype in (np.float64, np.int64, np.int32)
            for name in ("Open", "High", "Low", "Close")
        )
        self._class_attributes = ClassAttributes(self._strategy)
        self.memo = IndicatorMemo() if memo is None else memo
        self._digests = self.memo.digests_of(self._whole)
        self._bars: Bars | None = None
        self._arrays: dict[str, Any] | None = None
        self._uncollected = 0

    @property
    def changed_class_attributes(self) -> tuple[str, ...]:
        """Class attributes that backtests have changed, and that were put back before the next."""
        return self._class_attributes.changed

    def restore_class(self) -> None:
        """Put back what backtests have changed of the class: `run` does, after `ready` others."""
        self._class_attributes.restore()

    @property
    def prices(self) -> pd.DataFrame:
        """The bars that take part."""
        return self._prices

    @property
    def index(self) -> pd.Index:
        """Of the bars that take part."""
        return self._prices.index

    def run(
        self, parameters: Mapping[str, Any], init: Callable[[Strategy], object] = _init
    ) -> BacktestRun:
        """One backtest.

        Parameters
        ----------
        parameters : mapping of str to object
            Class attributes of the strategy, and the values to run with.
        init : callable, optional
            As of `ready`.

        Returns
        -------
        BacktestRun

        Raises
        ------
        AttributeError
            If the strategy has no such attribute.
        SettingsError
            If what `init` leaves cannot be cut to the span.
        Exception
            Whatever the strategy raises.
        """
        known = is_known()
        warned = Warned()
        try:
            with keeping(warned), in_its_folder(self._strategy.__module__):
                strategy, broker, data, start = self.ready(parameters, init)
                bars = self._bars_of(data) if known and type(broker) is _Broker else None
                play(strategy, broker, data, start=start, finalize=self._finalize, bars=bars)
        finally:
            self.restore_class()  # Whoever runs the strategy next may be another.
        self._collect(strategy)
        maker = self.maker if known and self.in_doubles else None
        return BacktestRun(strategy, broker, self._prices, maker, warned)

    def ready(
        self,
        parameters: Mapping[str, Any],
        init: Callable[[Strategy], object] = _init,
    ) -> tuple[Strategy, _Broker, _Data, int]:
        """A strategy after its `init`, its broker and data, and the bar on which `next` begins.

        Parameters
        ----------
        parameters : mapping of str to object
            As of `run`.
        init : callable, optional
            Calls the strategy's `init`, with what else is to be done around that.
        """
        self._class_attributes.restore()
        data = self._fresh_data()
        frame = data._Data__df
        blocks = getattr(frame._mgr, "blocks", None)
        broker: _Broker = self._broker(data=data, index=self._prices.index)
        strategy: Strategy = self._strategy(broker, data, dict(parameters))
        known = is_known()
        digests = self._digests if known else None
        with in_its_folder(self._strategy.__module__), self.memo.serving(strategy, digests):
            init(strategy)
        warm_up = warm_up_bars(strategy, known=known)
        if self._stretch is None:
            # `init` may have changed `data.df`.
            if blocks is None or frame._mgr.blocks is not blocks or data._Data__df is not frame:
                data._update()
        else:
            self._stretch.cut_data(data)
            self._stretch.cut_strategy(strategy, data.index)
        return strategy, broker, data, self.first_next(warm_up)

    def first_next(self, warm_up: int) -> int:
        """The bar on which `next` begins, for indicators that warm up so many of the file's."""
        return 1 + max(warm_up - (self._stretch.first if self._stretch is not None else 0), 0)

    def _fresh_data(self) -> _Data:
        """Data for one strategy: a table of its own, and the arrays that are the same for all."""
        if self._arrays is None or not is_known():
            data = _Data(self._whole.copy(deep=False))
            self._arrays = dict(data._Data__arrays)
            return data
        data = _Data.__new__(_Data)
        vars(data).update(
            _Data__df=self._whole.copy(deep=False),
            _Data__len=len(self._whole),
            _Data__pip=None,
            _Data__cache={},
            _Data__arrays=dict(self._arrays),
        )
        return data

    def _bars_of(self, data: _Data) -> Bars:
        """The prices bar by bar; made once unless somebody has changed them, or could."""
        ours = all(
            unchanged(self._prices[name].to_numpy(), data._Data__arrays[name])
            for name in ("High", "Low", "Close")
        )
        if not ours:
            return bars_of(data)
        if self._bars is None:
            self._bars = bars_of(data)
        return self._bars

    def _collect(self, strategy: Strategy) -> None:
        self._uncollected += 8 * len(self._prices) + sum(one.nbytes for one in strategy._indicators)
        if self._uncollected > _COLLECT_BYTES:
            self._uncollected = 0
            gc.collect()


def _stretch(span: tuple[int, int] | None, bars: int) -> Stretch | None:
    if span is None or span == (0, bars):
        return None
    first, stop = span
    if stop > bars:
        raise DataError(f"a span to bar {stop} of a file of {bars} bars")
    if not 0 <= first < stop:
        raise SettingsError(f"a span from bar {first} to bar {stop} has no bars")
    return Stretch(first, stop, bars)


class BacktestRun:
    """What came of one backtest; statistics and tables are made when asked for.

    Attributes
    ----------
    strategy : Strategy
        The instance that ran.
    warned : Warned
        What was warned of on the way.
    """

    def __init__(
        self,
        strategy: Strategy,
        broker: _Broker,
        prices: pd.DataFrame,
        maker: StatisticsMaker | None,
        warned: Warned,
    ) -> None:
        self.strategy = strategy
        self.warned = warned
        self._closed = broker.closed_trades
        self._prices = prices
        self._maker = maker
        self._equity = _filled(broker._equity, broker._cash)

    @property
    def equity(self) -> NDArray[np.float64]:
        """Equity at each bar that takes part."""
        return self._equity

    @cached_property
    def stats(self) -> pd.Series:
        """All that `Backtest.run` returns, made by `backtesting.py` itself."""
        with keeping(self.warned), np.errstate(invalid="ignore"):
            stats: pd.Series = backtesting.backtesting.compute_stats(
                trades=self._closed,
                equity=self._equity,
                ohlc_data=self._prices,
                risk_free_rate=0.0,
                strategy_instance=self.strategy,
            )
        return stats

    @property
    def trades(self) -> pd.DataFrame:
        """Closed trades, as in `_trades` of the statistics."""
        trades: pd.DataFrame = self.stats["_trades"]
        return trades

    def row(self) -> NDArray[np.float64]:
        """The statistics as plain numbers.

        Returns
        -------
        ndarray of float, shape (statistics,)
            Columns as in `bigbar.statistics.STATISTICS`; durations in nanoseconds.
        """
        if self._maker is not None:
            first_bar = warm_up_bars(self.strategy, known=True)
            row = self._maker.row(self._closed, self._equity, first_bar)
            if row is not None:
                return row
        return statistics_row(self.stats)


def _filled(equity: NDArray[np.float64], cash: float) -> NDArray[np.float64]:
    """Equity of every bar: that of the next one for bars without, at the end the cash.

    As `Series.bfill().fillna(cash)`.
    """
    missing = np.isnan(equity)
    filled = equity.copy()
    if missing.any():
        places = np.where(missing, len(equity), np.arange(len(equity)))
        following = np.minimum.accumulate(places[::-1])[::-1]
        filled = np.append(equity, cash)[following]
    return filled
