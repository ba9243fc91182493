"""Methods and functions of their own, and classes that build on others."""

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import SignalStrategy, TrailingStrategy, crossover, resample_apply
from backtesting.test import SMA

from real_strategies.case import case


def rsi(close, n):
    d = pd.Series(close).diff()
    gain = d.clip(lower=0).rolling(n).mean()
    loss = -d.clip(upper=0).rolling(n).mean()
    return 100 - 100 / (1 + gain / loss)


def lowest(low, n):
    return pd.Series(low).rolling(n).min().shift()


def position_size(equity, price, risk):
    """Shares for a share of the equity, at least one."""
    return max(1, int(equity * risk / price))


class SplitIntoMethods(Strategy):
    """Entry and exit as methods of their own."""

    n1 = 10
    n2 = 30
    stop = 0.04

    def init(self):
        self.fast = self.I(SMA, self.data.Close, self.n1)
        self.slow = self.I(SMA, self.data.Close, self.n2)

    def next(self):
        if self.should_enter():
            self.enter()
        elif self.should_exit():
            self.position.close()

    def should_enter(self):
        return not self.position and crossover(self.fast, self.slow)

    def should_exit(self):
        return self.position and crossover(self.slow, self.fast)

    def enter(self):
        self.buy(sl=self.data.Close[-1] * (1 - self.stop))


class HelperWithArguments(Strategy):
    """One method for both sides, with keyword arguments."""

    sl = 1.0
    tp = 2.0

    def init(self):
        self.rsi = self.I(rsi, self.data.Close, 10)

    def prices(self, side, sl=1.0, tp=2.0):
        close = self.data.Close[-1]
        if side == "buy":
            return close * (1 - sl / 100), close * (1 + tp / 100)
        return close * (1 + sl / 100), close * (1 - tp / 100)

    def next(self):
        if self.position or self.equity <= 0:
            return
        if self.rsi < 30:
            sl, tp = self.prices("buy", sl=self.sl, tp=self.tp)
            self.buy(sl=sl, tp=tp)
        elif self.rsi > 70:
            sl, tp = self.prices("sell", sl=self.sl, tp=self.tp)
            self.sell(sl=sl, tp=tp)


class ModuleFunction(Strategy):
    """A function of the module for the size."""

    risk = 0.4

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 15)

    def next(self):
        price = self.data.Close[-1]
        if price > self.ma and not self.position:
            self.buy(size=position_size(self.equity, price, self.risk))
        elif price < self.ma and self.position:
            self.position.close()


class StaticHelper(Strategy):
    """A static method, a property and a private one."""

    k = 1.02

    @staticmethod
    def ratio(a, b):
        return a / b if b else 1.0

    @property
    def price(self):
        return self.data.Close[-1]

    def _is_stretched(self):
        return self.ratio(self.price, self.ma[-1]) > self.k

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 20)

    def next(self):
        if self._is_stretched():
            self.position.close()
        elif self.price < self.ma[-1] and not self.position:
            self.buy()


class Base(Strategy):
    """What several strategies share."""

    n = 20
    stop_pct = 0.05

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)
        self.__entries = 0

    def next(self):
        if self.position and self.position.pl_pct < -100 * self.stop_pct:
            self.position.close()

    def go_long(self):
        self.__entries += 1
        if not self.position:
            self.buy()


class OnTopOfBase(Base):
    """The parent's `next` first, then its own."""

    def next(self):
        super().next()
        if crossover(self.data.Close, self.ma):
            self.go_long()
        elif crossover(self.ma, self.data.Close):
            self.position.close()


class SecondChild(Base):
    """Another one, with a parent's method overridden."""

    n = 40

    def go_long(self):
        self.buy(size=0.5, sl=self.data.Close[-1] * (1 - self.stop_pct))

    def next(self):
        super().next()
        if not self.position and self.data.Close[-1] > self.ma[-1]:
            self.go_long()
        if self.data.Close[-1] < self.ma[-1]:
            self.position.close()


class TrailingSma(TrailingStrategy):
    """The library's trailing stop under a cross."""

    n1 = 10
    n2 = 25
    n_atr = 3

    def init(self):
        super().init()
        self.set_atr_periods(40)
        self.set_trailing_sl(self.n_atr)
        self.sma1 = self.I(SMA, self.data.Close, self.n1)
        self.sma2 = self.I(SMA, self.data.Close, self.n2)

    def next(self):
        super().next()
        if self.position:
            return
        if crossover(self.sma1, self.sma2):
            self.buy()
        elif crossover(self.sma2, self.sma1):
            self.sell()


class TrailingRsi(TrailingStrategy):
    """Trailing in percent, orders with a target."""

    pct = 0.03

    def init(self):
        super().init()
        self.set_trailing_pct(self.pct)
        self.rsi = self.I(rsi, self.data.Close, 7)

    def next(self):
        super().next()
        if not self.position and self.rsi < 30:
            self.buy(tp=self.data.Close[-1] * (1 + 3 * self.pct))
        elif self.rsi > 85:
            self.position.close()


class TrailingShort(TrailingStrategy):
    """The trailing stop over short trades only."""

    def init(self):
        super().init()
        self.set_trailing_sl(2)
        self.low = self.I(lowest, self.data.Low, 15)

    def next(self):
        super().next()
        if not self.position and self.data.Close[-1] < self.low:
            self.sell()


class SignalVector(SignalStrategy):
    """The whole signal in `init`, exits as portions."""

    n = 20

    def init(self):
        super().init()
        close = pd.Series(self.data.Close)
        above = (close > close.rolling(self.n).mean()).astype(int)
        change = above.diff().fillna(0)
        self.set_signal(change.clip(lower=0) * 0.9, (change < 0) * 1.0)


class SignalAndTrail(SignalStrategy, TrailingStrategy):
    """Both of the library's classes, as its tutorial composes them."""

    n1 = 8
    n2 = 20

    def init(self):
        super().init()
        sma1 = self.I(SMA, self.data.Close, self.n1)
        sma2 = self.I(SMA, self.data.Close, self.n2)
        signal = (pd.Series(sma1) > sma2).astype(int).diff().fillna(0)
        signal = signal.replace(-1, 0)
        self.set_signal(entry_size=signal * 0.95)
        self.set_trailing_sl(2)


class SignalPlus(SignalStrategy):
    """A signal, and a `next` that adds a stop."""

    stop = 0.03

    def init(self):
        super().init()
        close = self.data.Close
        jump = np.append(0, np.diff(close) / close[:-1])
        self.set_signal(np.where(jump > 0.02, 0.5, 0) - np.where(jump < -0.02, 0.5, 0))

    def next(self):
        super().next()
        for trade in self.trades:
            if trade.pl_pct < -self.stop or trade.pl_pct > 2 * self.stop:
                trade.close()


class WeeklyFilter(Strategy):
    """Days, filtered by an average of weeks."""

    weeks = 8
    days = 10

    def init(self):
        self.weekly = resample_apply("W-FRI", SMA, self.data.Close, self.weeks)
        self.daily = self.I(SMA, self.data.Close, self.days)

    def next(self):
        price = self.data.Close[-1]
        if not self.position and price > self.weekly[-1] and crossover(self.data.Close, self.daily):
            self.buy()
        elif crossover(self.daily, self.data.Close):
            self.position.close()


class FourRsi(Strategy):
    """RSI of days and weeks with their own levels and a stop."""

    d_rsi = 14
    w_rsi = 6
    level = 55

    def init(self):
        self.daily_rsi = self.I(rsi, self.data.Close, self.d_rsi)
        self.weekly_rsi = resample_apply("W-FRI", rsi, self.data.Close, self.w_rsi)
        self.ma10 = self.I(SMA, self.data.Close, 10)
        self.ma20 = self.I(SMA, self.data.Close, 20)

    def next(self):
        price = self.data.Close[-1]
        if (
            not self.position
            and self.daily_rsi[-1] > self.level
            and self.weekly_rsi[-1] > self.level
            and self.weekly_rsi[-1] > self.daily_rsi[-1] - 20
            and self.ma20[-1] < self.ma10[-1] < price
        ):
            self.buy(sl=0.92 * price)
        elif price < 0.98 * self.ma10[-1]:
            self.position.close()


class HourlyOfFiveMinutes(Strategy):
    """The trend of hours over bars of five minutes."""

    def init(self):
        self.hour_ema = resample_apply(
            "60min", lambda x: pd.Series(x).ewm(span=6).mean(), self.data.Close
        )
        self.ema = self.I(lambda x: pd.Series(x).ewm(span=10).mean(), self.data.Close)

    def next(self):
        if len(self.data) < 20:
            return
        up = self.hour_ema[-1] > self.hour_ema[-13]
        if up and self.data.Close[-1] < self.ema[-1] and not self.position.is_long:
            self.position.close()
            self.buy()
        elif not up and self.data.Close[-1] > self.ema[-1] and not self.position.is_short:
            self.position.close()
            self.sell()


CASES = (
    case(SplitIntoMethods, "GOOG", {"n1": 10, "n2": 30}, {"n1": 5, "n2": 15}),
    case(HelperWithArguments, "made", {"sl": 1.0, "tp": 2.0}, {"sl": 0.5, "tp": 0.5}),
    case(ModuleFunction, "GOOG", {"risk": 0.4}, {"risk": 0.9}, cash=30_000),
    case(StaticHelper, "GOOG", {"k": 1.02}, {"k": 1.05}),
    case(OnTopOfBase, "GOOG", {"n": 20, "stop_pct": 0.05}, {"n": 10, "stop_pct": 0.02}),
    case(SecondChild, "EURUSD", {"n": 40}, {"n": 15}, margin=0.1),
    case(TrailingSma, "GOOG", {"n1": 10, "n_atr": 3}, {"n1": 5, "n_atr": 1.5}, commission=0.002),
    case(TrailingRsi, "GOOG", {"pct": 0.03}, {"pct": 0.06}),
    case(TrailingShort, "made", margin=0.5),
    case(SignalVector, "GOOG", {"n": 20}, {"n": 50}),
    case(SignalAndTrail, "GOOG", {"n1": 8, "n2": 20}, {"n1": 4, "n2": 12}, commission=0.001),
    case(SignalPlus, "GOOG", {"stop": 0.03}, {"stop": 0.01}, cash=40_000, hedging=True),
    case(WeeklyFilter, "GOOG", {"weeks": 8, "days": 10}, {"weeks": 3, "days": 5}),
    case(FourRsi, "GOOG", {"level": 55}, {"level": 50}),
    case(HourlyOfFiveMinutes, "made", trade_on_close=True),
)  # fmt: skip
