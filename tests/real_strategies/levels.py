"""Oscillators, bands and other levels, without a library of indicators."""

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import barssince, crossover
from backtesting.test import SMA

from real_strategies.case import case


def RSI(close, n=14):
    delta = pd.Series(close).diff()
    up = delta.clip(lower=0).ewm(alpha=1 / n, min_periods=n).mean()
    down = (-delta.clip(upper=0)).ewm(alpha=1 / n, min_periods=n).mean()
    return 100 - 100 / (1 + up / down)


class RsiBounds(Strategy):
    """Oversold in, overbought out."""

    upper_bound = 70
    lower_bound = 30
    rsi_window = 14

    def init(self):
        self.rsi = self.I(RSI, self.data.Close, self.rsi_window)

    def next(self):
        if crossover(self.rsi, self.upper_bound):
            self.position.close()
        elif crossover(self.lower_bound, self.rsi):
            print(f"RSI {self.rsi[-1]:.1f}, price {self.data.Close[-1]}")
            self.buy()


class RsiReversal(Strategy):
    """Both sides of the RSI, with the side of the position asked."""

    n = 7
    low = 25
    high = 75

    def init(self):
        self.rsi = self.I(RSI, self.data.Close, self.n)

    def next(self):
        rsi = self.rsi[-1]
        if rsi < self.low and not self.position.is_long:
            if self.position.is_short:
                self.position.close()
            self.buy()
        elif rsi > self.high and not self.position.is_short:
            if self.position.is_long:
                self.position.close()
            self.sell()


def bollinger(close, n, k):
    close = pd.Series(close)
    mid = close.rolling(n).mean()
    std = close.rolling(n).std()
    return mid - k * std, mid, mid + k * std


class BollingerReversion(Strategy):
    """Below the lower band in, at the middle out."""

    n = 20
    k = 2.0

    def init(self):
        self.bb = self.I(bollinger, self.data.Close, self.n, self.k)

    def next(self):
        lower, middle, upper = self.bb[0][-1], self.bb[1][-1], self.bb[2][-1]
        price = self.data.Close[-1]
        if not self.position:
            if price < lower:
                self.buy()
            elif price > upper:
                self.sell()
        elif self.position.is_long and price >= middle:
            self.position.close()
        elif self.position.is_short and price <= middle:
            self.position.close()


class BollingerBreakout(Strategy):
    """Three separate indicators by lambdas."""

    length = 20
    mult = 1.5

    def init(self):
        close = pd.Series(self.data.Close)
        self.basis = self.I(lambda: close.rolling(self.length).mean(), name="basis")
        self.dev = self.I(lambda: close.rolling(self.length).std(), name="dev", plot=False)

    def next(self):
        up = self.basis[-1] + self.mult * self.dev[-1]
        dn = self.basis[-1] - self.mult * self.dev[-1]
        if self.data.Close[-1] > up and self.position.size == 0:
            self.buy()
        if self.data.Close[-1] < self.basis[-1] and self.position.is_long:
            self.position.close()
        if self.data.Close[-1] < dn and self.position.size == 0:
            self.sell()
        if self.data.Close[-1] > self.basis[-1] and self.position.is_short:
            self.position.close()


def stochastic(high, low, close, n, d):
    hh = pd.Series(high).rolling(n).max()
    ll = pd.Series(low).rolling(n).min()
    k = 100 * (pd.Series(close) - ll) / (hh - ll)
    return np.array([k, k.rolling(d).mean()])


class StochasticCross(Strategy):
    """%K across %D in its outer thirds."""

    n = 14
    d = 3

    def init(self):
        self.stoch = self.I(
            stochastic, self.data.High, self.data.Low, self.data.Close, self.n, self.d
        )

    def next(self):
        k, d = self.stoch
        if k[-1] > d[-1] and k[-2] <= d[-2] and k[-1] < 33:
            self.buy()
        elif k[-1] < d[-1] and k[-2] >= d[-2] and k[-1] > 67:
            self.sell()


def cci(high, low, close, n):
    tp = (pd.Series(high) + pd.Series(low) + pd.Series(close)) / 3
    mad = tp.rolling(n).apply(lambda x: np.abs(x - x.mean()).mean(), raw=True)
    return (tp - tp.rolling(n).mean()) / (0.015 * mad)


class CciZero(Strategy):
    """CCI above and below its bounds."""

    period = 20
    bound = 100

    def init(self):
        self.cci = self.I(cci, self.data.High, self.data.Low, self.data.Close, self.period)

    def next(self):
        if self.cci[-1] > self.bound > self.cci[-2]:
            self.buy()
        elif self.cci[-1] < -self.bound < self.cci[-2]:
            self.position.close()


def zscore(close, n):
    s = pd.Series(close)
    return (s - s.rolling(n).mean()) / s.rolling(n).std()


class ZScoreReversion(Strategy):
    """Mean reversion by standard deviations."""

    lookback = 20
    entry_z = 2.0
    exit_z = 0.5

    def init(self):
        self.z = self.I(zscore, self.data.Close, self.lookback)

    def next(self):
        z = self.z[-1]
        if not self.position:
            if z < -self.entry_z:
                self.buy()
            elif z > self.entry_z:
                self.sell()
        else:
            if self.position.is_long and z > -self.exit_z:
                self.position.close()
            elif self.position.is_short and z < self.exit_z:
                self.position.close()


def williams_r(high, low, close, period):
    hh, ll = pd.Series(high).rolling(period).max(), pd.Series(low).rolling(period).min()
    return -100 * (hh - close) / (hh - ll)


class WilliamsR(Strategy):
    """Percent range with a filter of the trend."""

    def init(self):
        self.wr = self.I(williams_r, self.data.High, self.data.Low, self.data.Close, 10)
        self.sma = self.I(SMA, self.data.Close, 40)

    def next(self):
        uptrend = self.data.Close > self.sma
        if uptrend and self.wr < -80 and not self.position:
            self.buy()
        elif self.position and (self.wr > -20 or not uptrend):
            self.position.close()


def ibs(high, low, close):
    spread = np.where(high == low, np.nan, high - low)
    return np.nan_to_num((close - low) / spread, nan=0.5)


class InternalBarStrength(Strategy):
    """Where the close stands in the bar's range."""

    buy_below = 0.2
    sell_above = 0.8

    def init(self):
        self.ibs = self.I(ibs, self.data.High, self.data.Low, self.data.Close)

    def next(self):
        if self.ibs < self.buy_below and not self.position:
            self.buy()
        elif self.ibs > self.sell_above:
            self.position.close()


class BarsSinceCross(Strategy):
    """Bars since the close stood below its average."""

    n = 20
    wait = 3

    def init(self):
        self.sma = self.I(SMA, self.data.Close, self.n)

    def next(self):
        since = barssince(self.data.Close < self.sma, default=0)
        if since == self.wait and not self.position:
            self.buy()
        elif self.position and since == 0:
            self.position.close()


class RsiTimeout(Strategy):
    """A second filter by barssince, and an exit either way."""

    n = 10

    def init(self):
        self.rsi = self.I(RSI, self.data.Close, self.n)

    def next(self):
        recently_low = barssince(self.rsi < 35) < 5
        if not self.position:
            if recently_low and self.rsi[-1] > 45:
                self.buy()
            return
        if self.rsi[-1] > 65 or barssince(self.rsi > 45) > 3:
            self.position.close()


def vwap(df, n):
    typical = (df.High + df.Low + df.Close) / 3
    return (typical * df.Volume).rolling(n).sum() / df.Volume.rolling(n).sum()


class VwapDistance(Strategy):
    """Distance from a rolling volume-weighted price."""

    n = 24
    pct = 0.15

    def init(self):
        self.vwap = self.I(vwap, self.data.df, self.n)

    def next(self):
        distance = (self.data.Close[-1] - self.vwap[-1]) / self.vwap[-1] * 100
        if distance < -self.pct:
            if self.position.is_short:
                self.position.close()
            elif not self.position:
                self.buy()
        elif distance > self.pct:
            if self.position.is_long:
                self.position.close()
            elif not self.position:
                self.sell()


def volume_ratio(volume, n):
    v = pd.Series(volume, dtype=float)
    return v / v.rolling(n).mean()


class VolumeSpike(Strategy):
    """A rising bar on much volume."""

    n = 20
    times = 1.6

    def init(self):
        self.ratio = self.I(volume_ratio, self.data.Volume, self.n)

    def next(self):
        if (
            self.ratio[-1] > self.times
            and self.data.Close[-1] > self.data.Open[-1]
            and not self.position
        ):
            self.buy()
        elif self.data.Close[-1] < self.data.Low[-2]:
            self.position.close()


CASES = (
    case(RsiBounds, "GOOG", {"upper_bound": 70, "lower_bound": 30}, {"upper_bound": 60, "lower_bound": 40},
         commission=0.002),
    case(RsiReversal, "EURUSD", {"n": 7, "low": 25}, {"n": 14, "low": 30}, margin=0.1),
    case(BollingerReversion, "GOOG", {"n": 20, "k": 2.0}, {"n": 10, "k": 1}, {"n": 30, "k": 2.5}),
    case(BollingerBreakout, "made", {"length": 20, "mult": 1.5}, {"length": 12, "mult": 2}),
    case(StochasticCross, "GOOG", {"n": 14, "d": 3}, {"n": 9, "d": 5}, commission=0.001, exclusive_orders=True),
    case(CciZero, "EURUSD", {"period": 20, "bound": 100}, {"period": 14, "bound": 50}),
    case(ZScoreReversion, "made", {"lookback": 20, "entry_z": 2.0}, {"lookback": 40, "entry_z": 1.5},
         hedging=True),
    case(WilliamsR, "GOOG", cash=50_000),
    case(InternalBarStrength, "GOOG", {"buy_below": 0.2}, {"buy_below": 0.1}, trade_on_close=True),
    case(BarsSinceCross, "GOOG", {"wait": 3}, {"wait": 1}),
    case(RsiTimeout, "EURUSD", {"n": 10}, {"n": 20}),
    case(VwapDistance, "EURUSD", {"n": 24, "pct": 0.15}, {"n": 48, "pct": 0.3}, spread=0.0001),
    case(VolumeSpike, "GOOG", {"times": 1.6}, {"times": 2.0}, commission=0.0005),
)  # fmt: skip
