"""Crosses and breakouts: parameters, indicators, the last bars, and orders."""

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import SMA

from real_strategies.case import case


class SmaCrossTutorial(Strategy):
    """The first strategy that everybody writes."""

    n1 = 10
    n2 = 20

    def init(self):
        price = self.data.Close
        self.ma1 = self.I(SMA, price, self.n1)
        self.ma2 = self.I(SMA, price, self.n2)

    def next(self):
        if crossover(self.ma1, self.ma2):
            print("buy", self.data.index[-1], self.data.Close[-1])
            self.buy()
        elif crossover(self.ma2, self.ma1):
            self.sell()


def EMA(values, n):
    return pd.Series(values).ewm(span=n, adjust=False).mean()


class EmaCrossLongOnly(Strategy):
    """In on a cross up, out on a cross down."""

    fast = 9
    slow = 21

    def init(self):
        self.ema_fast = self.I(EMA, self.data.Close, self.fast)
        self.ema_slow = self.I(EMA, self.data.Close, self.slow)

    def next(self):
        if crossover(self.ema_fast, self.ema_slow):
            if not self.position:
                self.buy()
        elif crossover(self.ema_slow, self.ema_fast):
            if self.position.is_long:
                self.position.close()


class GoldenCross(Strategy):
    """No parameters at all."""

    def init(self):
        self.sma20 = self.I(SMA, self.data.Close, 20)
        self.sma50 = self.I(SMA, self.data.Close, 50)

    def next(self):
        if crossover(self.sma20, self.sma50):
            self.buy()
        if crossover(self.sma50, self.sma20):
            self.position.close()


class PriceAndAverage(Strategy):
    """Long above the average, flat below."""

    period = 30

    def init(self):
        self.sma = self.I(SMA, self.data.Close, self.period)

    def next(self):
        price = self.data.Close[-1]
        if price > self.sma and not self.position:
            self.buy()
        elif price < self.sma and self.position:
            self.position.close()


class TripleEma(Strategy):
    """Three averages in order, by chained comparisons."""

    n_short = 5
    n_mid = 13
    n_long = 34

    def init(self):
        close = self.data.Close
        self.e1 = self.I(EMA, close, self.n_short)
        self.e2 = self.I(EMA, close, self.n_mid)
        self.e3 = self.I(EMA, close, self.n_long)

    def next(self):
        if self.e1[-1] > self.e2[-1] > self.e3[-1]:
            if not self.position.is_long:
                self.position.close()
                self.buy()
        elif self.e1[-1] < self.e2[-1] < self.e3[-1]:
            if not self.position.is_short:
                self.position.close()
                self.sell()


def roc(close, n):
    return pd.Series(close).pct_change(n) * 100


class MomentumRoc(Strategy):
    """Rate of change over a threshold."""

    n = 12
    threshold = 2.0

    def init(self):
        self.roc = self.I(roc, self.data.Close, self.n)

    def next(self):
        if self.roc > self.threshold and not self.position:
            self.buy()
        if self.roc < 0:
            self.position.close()


def highest(high, n):
    return pd.Series(high).rolling(n).max()


def lowest(low, n):
    return pd.Series(low).rolling(n).min()


class DonchianBreakout(Strategy):
    """The channel of the bar before, both ways."""

    n_entry = 20
    n_exit = 10

    def init(self):
        self.upper = self.I(highest, self.data.High, self.n_entry)
        self.lower = self.I(lowest, self.data.Low, self.n_entry)
        self.exit_low = self.I(lowest, self.data.Low, self.n_exit)
        self.exit_high = self.I(highest, self.data.High, self.n_exit)

    def next(self):
        close = self.data.Close[-1]
        if self.position.is_long:
            if close < self.exit_low[-2]:
                self.position.close()
        elif self.position.is_short:
            if close > self.exit_high[-2]:
                self.position.close()
        else:
            if close > self.upper[-2]:
                self.buy()
            elif close < self.lower[-2]:
                self.sell()


def WMA(values, n):
    weights = np.arange(1, n + 1)
    return (
        pd.Series(values)
        .rolling(n)
        .apply(lambda part: np.dot(part, weights) / weights.sum(), raw=True)
    )


def HMA(values, n):
    half = WMA(values, n // 2)
    full = WMA(values, n)
    return WMA(2 * half - full, int(np.sqrt(n)))


class HullTurn(Strategy):
    """The slope of a Hull average."""

    n = 16

    def init(self):
        self.hma = self.I(HMA, self.data.Close, self.n, overlay=True)

    def next(self):
        rising = self.hma[-1] > self.hma[-2]
        was_rising = self.hma[-2] > self.hma[-3]
        if rising and not was_rising:
            self.buy()
        elif was_rising and not rising:
            self.sell()


def MACD(close, fast=12, slow=26, signal=9):
    close = pd.Series(close)
    line = close.ewm(span=fast).mean() - close.ewm(span=slow).mean()
    return line, line.ewm(span=signal).mean()


class MacdSignal(Strategy):
    """Two lines out of one function, unpacked."""

    fast = 12
    slow = 26
    smooth = 9

    def init(self):
        self.macd, self.signal = self.I(MACD, self.data.Close, self.fast, self.slow, self.smooth)

    def next(self):
        if crossover(self.macd, self.signal) and self.macd < 0:
            self.buy()
        elif crossover(self.signal, self.macd):
            self.position.close()


class Engulfing(Strategy):
    """Candles only, no indicators."""

    def init(self):
        pass

    def next(self):
        o, c = self.data.Open, self.data.Close
        bullish = c[-1] > o[-1] and c[-2] < o[-2] and c[-1] > o[-2] and o[-1] <= c[-2]
        bearish = c[-1] < o[-1] and c[-2] > o[-2] and c[-1] < o[-2] and o[-1] >= c[-2]
        if len(self.data) < 3:
            return
        if bullish:
            if self.position.is_short:
                self.position.close()
            if not self.position:
                self.buy()
        elif bearish:
            if self.position.is_long:
                self.position.close()
            if not self.position:
                self.sell()


class GapFade(Strategy):
    """Against a gap, out at the next bar."""

    gap = 0.01

    def init(self):
        super().init()

    def next(self):
        if self.position:
            self.position.close()
            return
        if len(self.data) < 2:
            return
        change = self.data.Open[-1] / self.data.Close[-2] - 1
        if change > self.gap:
            self.sell()
        elif change < -self.gap:
            self.buy()


class PullbackInTrend(Strategy):
    """Three falling closes above a long average."""

    trend_len = 60

    def init(self):
        self.trend = self.I(SMA, self.data.Close, self.trend_len)

    def next(self):
        c = self.data.Close
        if not self.position:
            if c > self.trend and c[-1] < c[-2] < c[-3]:
                self.buy()
        elif c[-1] > self.data.High[-2]:
            self.position.close()


class BuyAndHold(Strategy):
    """The benchmark: one trade."""

    def init(self):
        pass

    def next(self):
        if not self.position:
            self.buy()


def kama(close, n, fast, slow):
    close = np.asarray(close, dtype=float)
    out = np.full(len(close), np.nan)
    out[n] = close[n]
    for i in range(n + 1, len(close)):
        change = abs(close[i] - close[i - n])
        noise = np.sum(np.abs(np.diff(close[i - n : i + 1])))
        er = change / noise if noise else 0
        sc = (er * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1)) ** 2
        out[i] = out[i - 1] + sc * (close[i] - out[i - 1])
    return out


class KaufmanCross(Strategy):
    """An indicator with a loop of its own."""

    n = 10

    def init(self):
        self.kama = self.I(kama, self.data.Close, self.n, 2, 30)

    def next(self):
        if crossover(self.data.Close, self.kama):
            if self.position.is_short:
                self.position.close()
            self.buy()
        elif crossover(self.kama, self.data.Close):
            if self.position.is_long:
                self.position.close()
            self.sell()


class LambdaAverages(Strategy):
    """Indicators written as lambdas over pandas."""

    short_window = 8
    long_window = 30

    def init(self):
        self.short = self.I(
            lambda x: pd.Series(x).rolling(self.short_window).mean(), self.data.Close
        )
        self.long = self.I(lambda x: pd.Series(x).rolling(self.long_window).mean(), self.data.Close)

    def next(self):
        if self.short[-1] > self.long[-1] and self.short[-2] <= self.long[-2]:
            self.buy()
        elif self.short[-1] < self.long[-1] and self.short[-2] >= self.long[-2]:
            self.sell()


class FourAverages(Strategy):
    """Arrays as truth values, a trend filter, separate averages for entry and exit."""

    n1 = 30
    n2 = 60
    n_enter = 15
    n_exit = 8

    def init(self):
        self.sma1 = self.I(SMA, self.data.Close, self.n1)
        self.sma2 = self.I(SMA, self.data.Close, self.n2)
        self.sma_enter = self.I(SMA, self.data.Close, self.n_enter)
        self.sma_exit = self.I(SMA, self.data.Close, self.n_exit)

    def next(self):
        if self.position:
            if self.position.is_long and crossover(self.sma_exit, self.data.Close):
                self.position.close()
            if self.position.is_short and crossover(self.data.Close, self.sma_exit):
                self.position.close()
        elif self.sma1 > self.sma2:
            if crossover(self.data.Close, self.sma_enter):
                self.buy()
        else:
            if crossover(self.sma_enter, self.data.Close):
                self.sell()


def slope(close, n):
    x = np.arange(n)
    return pd.Series(close).rolling(n).apply(lambda y: np.polyfit(x, y, 1)[0], raw=True)


class RegressionSlope(Strategy):
    """The sign of a fitted line."""

    n = 15

    def init(self):
        self.slope = self.I(slope, self.data.Close, self.n)

    def next(self):
        if self.slope > 0 and not self.position.is_long:
            self.buy()
        elif self.slope < 0 and not self.position.is_short:
            self.sell()


def heikin_ashi(df):
    close = (df.Open + df.High + df.Low + df.Close) / 4
    open_ = np.zeros(len(df))
    open_[0] = df.Open.iloc[0]
    for i in range(1, len(df)):
        open_[i] = (open_[i - 1] + close.iloc[i - 1]) / 2
    return open_, close.values


class HeikinAshi(Strategy):
    """Two candles of one colour; the indicator's rows by number."""

    def init(self):
        self.ha = self.I(heikin_ashi, self.data.df)

    def next(self):
        green = self.ha[1][-1] > self.ha[0][-1]
        green_before = self.ha[1][-2] > self.ha[0][-2]
        if green and green_before and not self.position:
            self.buy()
        elif not green and self.position:
            self.position.close()


CASES = (
    case(SmaCrossTutorial, "GOOG", {"n1": 10, "n2": 20}, {"n1": 5, "n2": 30},
         commission=0.002, exclusive_orders=True),
    case(EmaCrossLongOnly, "GOOG", {"fast": 9, "slow": 21}, {"fast": 5, "slow": 13}),
    case(GoldenCross, "GOOG", commission=0.001),
    case(PriceAndAverage, "EURUSD", {"period": 30}, {"period": 12}, {"period": 100}),
    case(TripleEma, "made", {"n_short": 5, "n_mid": 13}, {"n_short": 8, "n_mid": 21}, margin=0.5),
    case(MomentumRoc, "GOOG", {"n": 12, "threshold": 2.0}, {"n": 5, "threshold": 4}),
    case(DonchianBreakout, "EURUSD", {"n_entry": 20, "n_exit": 10}, {"n_entry": 55, "n_exit": 20},
         commission=0.0002, margin=1 / 30),
    case(HullTurn, "GOOG", {"n": 16}, {"n": 25}, exclusive_orders=True),
    case(MacdSignal, "GOOG", {"fast": 12, "slow": 26}, {"fast": 5, "slow": 35}),
    case(Engulfing, "GOOG", cash=100_000, commission=0.002),
    case(GapFade, "made", {"gap": 0.002}, {"gap": 0.005}),
    case(PullbackInTrend, "GOOG", {"trend_len": 60}, {"trend_len": 120}),
    case(BuyAndHold, "BTCUSD", cash=1_000_000, finalize_trades=True),
    case(KaufmanCross, "EURUSD", {"n": 10}, {"n": 20}, trade_on_close=True),
    case(LambdaAverages, "made", {"short_window": 8}, {"short_window": 12}, spread=0.0005, exclusive_orders=True),
    case(FourAverages, "GOOG", {"n1": 30, "n_exit": 8}, {"n1": 20, "n_exit": 12}, commission=0.002),
    case(RegressionSlope, "GOOG", {"n": 15}, {"n": 30}, commission=(1.0, 0.001), exclusive_orders=True),
    case(HeikinAshi, "BTCUSD", cash=500_000),
)  # fmt: skip
