"""State that `next` keeps on `self`: counters, None, text, lists, tuples and dictionaries."""

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import SMA

from real_strategies.case import case


class HoldBars(Strategy):
    """Out after so many bars."""

    hold = 5
    n = 20

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)
        self.bars_held = 0

    def next(self):
        if self.position:
            self.bars_held += 1
            if self.bars_held >= self.hold:
                self.position.close()
                self.bars_held = 0
        elif self.data.Close > self.ma:
            self.buy()
            self.bars_held = 0


class CoolDown(Strategy):
    """Waits after a loss, told by the closed trades."""

    wait = 10

    def init(self):
        self.fast = self.I(SMA, self.data.Close, 5)
        self.slow = self.I(SMA, self.data.Close, 15)
        self.cool = 0
        self.n_closed = 0

    def next(self):
        if len(self.closed_trades) > self.n_closed:
            self.n_closed = len(self.closed_trades)
            if self.closed_trades[-1].pl < 0:
                self.cool = self.wait
                print(f"Loss of {self.closed_trades[-1].pl:.2f}, waiting {self.wait} bars")
        if self.cool > 0:
            self.cool -= 1
            return
        if crossover(self.fast, self.slow):
            self.buy()
        elif crossover(self.slow, self.fast):
            self.position.close()


class TextState(Strategy):
    """A machine of three states, by name."""

    dip = 0.02

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 25)
        self.state = "waiting"

    def next(self):
        price = self.data.Close[-1]
        if self.state == "waiting":
            if price > self.ma[-1]:
                self.state = "armed"
        elif self.state == "armed":
            if price < self.ma[-1] * (1 - self.dip / 4):
                self.buy()
                self.state = "in"
        elif self.state == "in":
            if price > self.ma[-1] * (1 + self.dip):
                self.position.close()
                self.state = "waiting"


class OwnTrailing(Strategy):
    """A trailing stop kept by hand, None while flat."""

    trail = 0.03

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 20)
        self.stop_price = None

    def next(self):
        price = self.data.Close[-1]
        if self.position.is_long:
            new_stop = price * (1 - self.trail)
            if self.stop_price is None or new_stop > self.stop_price:
                self.stop_price = new_stop
            if price <= self.stop_price:
                self.position.close()
                self.stop_price = None
        elif crossover(self.data.Close, self.ma):
            self.buy()
            self.stop_price = price * (1 - self.trail)


class LastSignal(Strategy):
    """Acts only where the signal changes, remembered as text or None."""

    n1 = 7
    n2 = 21

    def init(self):
        self.a = self.I(SMA, self.data.Close, self.n1)
        self.b = self.I(SMA, self.data.Close, self.n2)
        self.last_signal = None

    def next(self):
        signal = "long" if self.a[-1] > self.b[-1] else "short"
        if signal == self.last_signal:
            return
        if self.position.is_short or self.position.is_long:
            self.position.close()
        if signal == "long":
            self.buy()
        else:
            self.sell()
        self.last_signal = signal


class PriceList(Strategy):
    """A list of the last prices, kept by hand."""

    length = 8

    def init(self):
        self.prices = []

    def next(self):
        self.prices.append(self.data.Close[-1])
        if len(self.prices) > self.length:
            self.prices.pop(0)
        if len(self.prices) < self.length:
            return
        average = sum(self.prices) / len(self.prices)
        if self.data.Close[-1] > average * 1.005 and not self.position:
            self.buy()
        elif self.data.Close[-1] < average and self.position:
            self.position.close()


class PeakEquity(Strategy):
    """Halves its size in a drawdown of the equity."""

    max_dd = 0.05

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 15)
        self.peak = 0

    def next(self):
        self.peak = max(self.peak, self.equity)
        drawdown = 1 - self.equity / self.peak
        size = 0.9 if drawdown < self.max_dd else 0.45
        if crossover(self.data.Close, self.ma):
            if self.position.is_short:
                self.position.close()
            self.buy(size=size)
        elif crossover(self.ma, self.data.Close):
            if self.position.is_long:
                self.position.close()
            self.sell(size=size)


class ConsecutiveLosses(Strategy):
    """Doubles after a loss, to a limit: a martingale."""

    base = 0.05
    most = 4

    def init(self):
        self.momentum = self.I(lambda c: pd.Series(c).diff(5), self.data.Close)
        self.losses = 0
        self.seen = 0

    def next(self):
        if len(self.closed_trades) > self.seen:
            for trade in self.closed_trades[self.seen :]:
                if trade.pl < 0:
                    self.losses = min(self.losses + 1, self.most)
                else:
                    self.losses = 0
            self.seen = len(self.closed_trades)
        if self.position:
            return
        price = self.data.Close[-1]
        if self.momentum[-1] > 0:
            self.buy(size=self.base * 2**self.losses, sl=price * 0.98, tp=price * 1.02)


class DictState(Strategy):
    """Everything in one dictionary with constant keys."""

    n = 10

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)
        self.s = {"count": 0, "entry": 0.0, "side": None}

    def next(self):
        price = self.data.Close[-1]
        if self.s["side"] is None:
            if price > self.ma[-1]:
                self.s["count"] += 1
            else:
                self.s["count"] = 0
            if self.s["count"] == 3:
                self.buy()
                self.s["side"] = "long"
                self.s["entry"] = price
        elif price > self.s["entry"] * 1.03 or price < self.s["entry"] * 0.98:
            self.position.close()
            self.s["side"] = None
            self.s["count"] = 0


class FlagsInInit(Strategy):
    """Flags, set once each way, with `last` values over None."""

    n = 30

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)
        self.was_above = False
        self.entry_bar = None

    def next(self):
        above = self.data.Close[-1] > self.ma[-1]
        if above and not self.was_above:
            self.position.close()
            self.buy()
            self.entry_bar = len(self.data)
        if self.entry_bar is not None and len(self.data) - self.entry_bar > 15:
            self.position.close()
            self.entry_bar = None
        self.was_above = above


class OpeningState(Strategy):
    """Attributes made in `next` itself, on its first bars."""

    def init(self):
        self.first = True

    def next(self):
        if self.first:
            self.reference = self.data.Close[-1]
            self.first = False
            return
        move = self.data.Close[-1] / self.reference - 1
        if abs(move) > 0.02:
            if move > 0 and not self.position.is_long:
                self.buy()
            elif move < 0 and not self.position.is_short:
                self.sell()
            self.reference = self.data.Close[-1]


class GridLevels(Strategy):
    """Buys each level down once, sells all at the top: a list of numbers."""

    spacing = 0.01
    n_levels = 4

    def init(self):
        self.levels = []
        self.anchor = None

    def next(self):
        price = self.data.Close[-1]
        if self.anchor is None:
            self.anchor = price
            self.levels = [price * (1 - self.spacing * i) for i in range(1, self.n_levels + 1)]
        while len(self.levels) > 0 and price <= self.levels[0]:
            self.buy(size=0.2)
            self.levels.pop(0)
        if self.position and price > self.anchor:
            print("take profit", self.position.pl_pct)
            self.position.close()
            self.anchor = None
        elif not self.position and price > self.anchor * (1 + self.spacing):
            self.anchor = None


class TupleState(Strategy):
    """The last swing as a tuple of bar and price."""

    depth = 0.02

    def init(self):
        self.swing = (0, 0.0)
        self.up = True

    def next(self):
        bar, price = self.swing
        close = self.data.Close[-1]
        if bar == 0:
            self.swing = (len(self.data), close)
            return
        if self.up:
            if close > price:
                self.swing = (len(self.data), close)
            elif close < price * (1 - self.depth):
                self.up = False
                self.swing = (len(self.data), close)
                self.position.close()
                self.sell()
        else:
            if close < price:
                self.swing = (len(self.data), close)
            elif close > price * (1 + self.depth):
                self.up = True
                self.swing = (len(self.data), close)
                self.position.close()
                self.buy()


def efficiency(close, n):
    s = pd.Series(close)
    return s.diff(n).abs() / s.diff().abs().rolling(n).sum().replace(0, np.nan).ffill()


class RegimeText(Strategy):
    """The regime as text, chosen by conditional expressions, with a tie to the side."""

    n = 14
    trend_level = 0.4

    def init(self):
        self.er = self.I(efficiency, self.data.Close, self.n)
        self.ma = self.I(SMA, self.data.Close, self.n)
        self.regime = "unknown"

    def next(self):
        self.regime = "trend" if self.er[-1] > self.trend_level else "range"
        above = self.data.Close[-1] > self.ma[-1]
        if self.regime == "trend" and above and not self.position.is_long:
            self.position.close()
            self.buy()
        elif self.regime == "trend" and not above and not self.position.is_short:
            self.position.close()
            self.sell()
        elif self.regime == "range" and self.position:
            self.position.close()


CASES = (
    case(HoldBars, "GOOG", {"hold": 5, "n": 20}, {"hold": 2, "n": 50}),
    case(CoolDown, "GOOG", {"wait": 10}, {"wait": 30}, commission=0.002),
    case(TextState, "GOOG", {"dip": 0.02}, {"dip": 0.04}),
    case(OwnTrailing, "GOOG", {"trail": 0.03}, {"trail": 0.06}, trade_on_close=True),
    case(LastSignal, "made", {"n1": 7, "n2": 21}, {"n1": 12, "n2": 36}, spread=0.0002),
    case(PriceList, "GOOG", {"length": 8}, {"length": 15}),
    case(PeakEquity, "made", {"max_dd": 0.05}, {"max_dd": 0.01}, commission=0.0005),
    case(ConsecutiveLosses, "GOOG", {"base": 0.05, "most": 4}, {"base": 0.01, "most": 3}, cash=100_000),
    case(DictState, "GOOG", {"n": 10}, {"n": 30}, margin=0.5),
    case(FlagsInInit, "GOOG", {"n": 30}, {"n": 10}),
    case(OpeningState, "made", commission=0.0002, exclusive_orders=True),
    case(GridLevels, "made", {"spacing": 0.01}, {"spacing": 0.005}),
    case(TupleState, "made", {"depth": 0.02}, {"depth": 0.01}),
    case(RegimeText, "EURUSD", {"n": 14}, {"n": 28}, hedging=True),
)  # fmt: skip
