"""BigBar for `backtesting.py`: the reference that every other engine must agree with.

Runs under `Backtest(data, BigBarAllIn, trade_on_close=True, ...)`. Works on any OHLC frame with
a time index; `reference_backtest` prepares it the way the optimizer does.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from math import copysign
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from bigbar.strategies.big_bar.indicators import (
    average_true_range,
    momentum,
    restricted_bars,
    true_range,
)
from bigbar.strategies.big_bar.parameters import Parameters, Settings

#: Whole numbers above this have gaps in float64, so that one unit more is none: no order is larger.
MOST_UNITS = 2**53


class BigBarAllIn(Strategy):
    """Trade with an unusually large bar, all in; leave at the first sign that the move is over."""

    atr_period = Parameters.atr_period
    k_atr = Parameters.k_atr
    uptail_max_ratio = Parameters.uptail_max_ratio
    previous_weight = Parameters.previous_weight
    buffer_ratio = Parameters.buffer_ratio

    week_edge_bars = Settings.week_edge_bars

    #: The whole file, where the backtest runs on a stretch of it: indicators are computed on all
    #: of it, and weeks cut on all of it. None: the backtest's data is the whole file.
    whole_file: pd.DataFrame | None = None

    #: Where in the whole file the backtest's data begins; None: it is the last bars of it.
    first_bar: int | None = None

    def init(self) -> None:
        file = self.data.df if self.whole_file is None else self.whole_file
        bars = len(self.data.df)
        first = len(file) - bars if self.first_bar is None else self.first_bar
        kept = slice(first, first + bars)
        open_, high, low, close = (
            file[column].to_numpy(np.float64) for column in ("Open", "High", "Low", "Close")
        )

        def atr() -> np.ndarray:
            return average_true_range(true_range(high, low, close), self.atr_period)[kept]

        def leaning() -> np.ndarray:
            return momentum(open_, close)[kept]

        def restricted() -> np.ndarray:
            index: Any = file.index
            return restricted_bars(index, self.week_edge_bars)[kept]

        self.atr = self.I(atr, name=f"ATR({self.atr_period})", overlay=False)
        self.momentum = self.I(leaning, name="Momentum", overlay=False)
        self.restricted = self.I(restricted, name="Restricted", overlay=False)
        self.stop = np.nan

    def next(self) -> None:
        if not self.position:
            if not self.restricted[-1]:
                self._look_for_entry()
        elif self.restricted[-1] or self._move_is_over():
            self.position.close()

    def _look_for_entry(self) -> None:
        data = self.data
        high, low = data.High[-1], data.Low[-1]
        height = high - low
        if not height >= self.k_atr * self.atr[-1]:
            return
        open_, close = data.Open[-1], data.Close[-1]
        longest_tail = self.uptail_max_ratio * height
        leaning = self.momentum[-1]
        if close > open_ and leaning >= self.previous_weight and high - close < longest_tail:
            self._enter(1, stop=low - self.buffer_ratio * height)
        elif close < open_ and leaning <= -self.previous_weight and close - low < longest_tail:
            self._enter(-1, stop=high + self.buffer_ratio * height)

    def _enter(self, direction: int, *, stop: float) -> None:
        units = self._affordable_units(direction)
        if units < 1:
            return
        self.stop = stop
        if direction > 0:
            self.buy(size=units)
        else:
            self.sell(size=units)

    def _affordable_units(self, direction: int) -> int:
        """The most whole units that the broker's own margin check lets through at this close."""
        broker = self._broker
        price = self.data.Close[-1]
        fill = broker._adjusted_price(direction, price)
        budget = broker.margin_available * broker._leverage

        def accepted(units: int) -> bool:
            size = copysign(units, direction)
            return units * (fill + broker._commission(size, price) / units) <= budget

        fixed = broker._commission_fixed
        units = max(int((budget - fixed) / (fill + price * broker._commission_relative)), 0)
        units = min(units, MOST_UNITS)
        # The quotient can round across a whole number either way; the broker's check decides.
        while units >= 1 and not accepted(units):
            units -= 1
        while units < MOST_UNITS and accepted(units + 1):
            units += 1
        return units

    def _move_is_over(self) -> bool:
        data, entry_bar = self.data, self.trades[0].entry_bar
        first_bar_after_entry = len(data) - 1 == entry_bar + 1
        entry_high, entry_low = data.High[entry_bar], data.Low[entry_bar]
        room = self.buffer_ratio * (entry_high - entry_low)
        if self.position.is_long:
            if first_bar_after_entry:
                self.stop = max(self.stop, data.Low[-1] - room)
                return bool(data.Close[-1] <= data.Open[-1] or data.High[-1] <= entry_high)
            self.stop = max(self.stop, min(data.Low[-1], data.Low[-2]))
            return bool(data.Low[-1] <= self.stop)
        if first_bar_after_entry:
            self.stop = min(self.stop, data.High[-1] + room)
            return bool(data.Close[-1] >= data.Open[-1] or data.Low[-1] >= entry_low)
        self.stop = min(self.stop, max(data.High[-1], data.High[-2]))
        return bool(data.High[-1] >= self.stop)


@lru_cache(maxsize=8)
def with_week_edges(bars: int) -> type[BigBarAllIn]:
    """The strategy with this many restricted bars at each end of a trading week."""
    if bars == BigBarAllIn.week_edge_bars:
        return BigBarAllIn
    named = {"week_edge_bars": bars, "__doc__": BigBarAllIn.__doc__, "__module__": __name__}
    return type(BigBarAllIn.__name__, (BigBarAllIn,), named)


def reference_backtest(
    whole_file: pd.DataFrame, first_bar: int, settings: Settings, *, stop_bar: int | None = None
) -> Backtest:
    """`backtesting.py`'s own backtest of the strategy, on the bars that take part.

    Parameters
    ----------
    whole_file : DataFrame
        Open, High, Low, Close, Volume of the whole file.
    first_bar : int
        Bars before this one only warm up the indicators.
    settings : Settings
        Money, costs and week edges.
    stop_bar : int, optional
        The bar after the last that takes part; the end of the file if it is not given.

    Returns
    -------
    backtesting.Backtest
        Ready for `run(**vars(parameters))`.
    """
    prices = whole_file[["Open", "High", "Low", "Close", "Volume"]]
    # A subclass of its own, so that two backtests on different files do not share state.
    bound = type(
        BigBarAllIn.__name__,
        (with_week_edges(settings.week_edge_bars),),
        {"whole_file": prices, "first_bar": first_bar},
    )
    account = settings.account
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Prices above the cash: the optimizer explains them.
        return Backtest(
            prices.iloc[first_bar:stop_bar],
            bound,
            cash=account.cash,
            commission=account.commission,
            spread=account.spread,
            margin=account.margin,
            trade_on_close=True,
        )
