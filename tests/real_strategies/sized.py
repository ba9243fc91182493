"""Stops, targets and sizes given with the order."""

import math

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import SMA

from real_strategies.case import case


def ATR(high, low, close, n=14):
    high, low, prev = pd.Series(high), pd.Series(low), pd.Series(close).shift(1)
    tr = pd.concat([high - low, (high - prev).abs(), (low - prev).abs()], axis=1).max(axis=1)
    return tr.rolling(n).mean()


def ema(x, n):
    return pd.Series(x).ewm(span=n, min_periods=n).mean()


DEBUG = False


class AtrBrackets(Strategy):
    """Stop and target as multiples of the ATR."""

    n_fast = 8
    n_slow = 24
    sl_atr = 1.5
    tp_atr = 3

    def init(self):
        self.fast = self.I(ema, self.data.Close, self.n_fast)
        self.slow = self.I(ema, self.data.Close, self.n_slow)
        self.atr = self.I(ATR, self.data.High, self.data.Low, self.data.Close, 14)

    def next(self):
        price = self.data.Close[-1]
        atr = self.atr[-1]
        if self.position:
            return
        if DEBUG:
            print(f"price={price} atr={atr:.3f}")
        if crossover(self.fast, self.slow):
            self.buy(sl=price - self.sl_atr * atr, tp=price + self.tp_atr * atr)
        elif crossover(self.slow, self.fast):
            self.sell(sl=price + self.sl_atr * atr, tp=price - self.tp_atr * atr)


class PercentBrackets(Strategy):
    """Stop and target in percent of the close."""

    sl_pct = 3.0
    tp_pct = 6.0
    n = 25

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)

    def next(self):
        close = self.data.Close[-1]
        if not self.position and crossover(self.data.Close, self.ma):
            self.buy(
                size=0.5 if self.equity > 9000 else 0.25,
                sl=close * (1 - self.sl_pct / 100),
                tp=close * (1 + self.tp_pct / 100),
            )


class RiskPerTrade(Strategy):
    """Units from the equity at risk and the distance of the stop."""

    risk = 0.01
    atr_mult = 2.0

    def init(self):
        self.atr = self.I(ATR, self.data.High, self.data.Low, self.data.Close)
        self.high20 = self.I(lambda h: pd.Series(h).rolling(20).max().shift(1), self.data.High)

    def next(self):
        if self.position:
            return
        if self.data.Close[-1] > self.high20[-1]:
            stop_distance = self.atr[-1] * self.atr_mult
            size = int(self.equity * self.risk / stop_distance)
            if size == 0:
                print("too small", self.equity)
            if size > 0:
                entry = self.data.Close[-1]
                self.buy(size=size, sl=entry - stop_distance, tp=entry + 2 * stop_distance)


class FixedUnits(Strategy):
    """A whole number of units; in and out by the average."""

    units = 10

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 10)

    def next(self):
        if crossover(self.data.Close, self.ma):
            self.buy(size=min(self.units, int(self.equity / self.data.Close[-1])))
        elif crossover(self.ma, self.data.Close):
            self.position.close()


class SwingStop(Strategy):
    """The stop below the swing's low, the target by reward to risk."""

    rr = 1.5
    lookback = 5

    def init(self):
        self.ema50 = self.I(ema, self.data.Close, 50)
        self.swing_low = self.I(lambda l: pd.Series(l).rolling(self.lookback).min(), self.data.Low)
        self.swing_high = self.I(
            lambda h: pd.Series(h).rolling(self.lookback).max(), self.data.High
        )

    def next(self):
        price = self.data.Close[-1]
        if len(self.trades) > 0:
            return
        if price > self.ema50[-1] and self.data.Close[-1] > self.data.High[-2]:
            sl = self.swing_low[-1]
            risk = price - sl
            if risk > 0:
                self.buy(sl=sl, tp=price + risk * self.rr)
        elif price < self.ema50[-1] and self.data.Close[-1] < self.data.Low[-2]:
            sl = self.swing_high[-1]
            risk = sl - price
            if risk > 0:
                self.sell(sl=sl, tp=price - risk * self.rr)


class ScaledByVolatility(Strategy):
    """A fraction of the equity by volatility, bounded by min and max."""

    target_vol = 0.15
    n = 20

    def init(self):
        returns = pd.Series(self.data.Close).pct_change()
        self.vol = self.I(lambda: returns.rolling(self.n).std() * np.sqrt(252), name="vol")
        self.ma = self.I(SMA, self.data.Close, 30)

    def next(self):
        size = max(0.05, min(0.95, self.target_vol / self.vol[-1]))
        if self.data.Close > self.ma and not self.position:
            self.buy(size=size)
        elif self.data.Close < self.ma and self.position:
            self.position.close()


class PipStops(Strategy):
    """Stops in pips, as with currencies."""

    sl_pips = 20
    tp_pips = 40
    pip = 0.0001

    def init(self):
        self.fast = self.I(ema, self.data.Close, 10)
        self.slow = self.I(ema, self.data.Close, 40)

    def next(self):
        price = self.data.Close[-1]
        units = max(1000, int(self.equity // 10))
        if crossover(self.fast, self.slow):
            self.position.close()
            self.buy(
                size=units,
                sl=price - self.sl_pips * self.pip,
                tp=price + self.tp_pips * self.pip,
            )
        if crossover(self.slow, self.fast):
            self.position.close()
            self.sell(
                size=units,
                sl=price + self.sl_pips * self.pip,
                tp=price - self.tp_pips * self.pip,
            )


class LimitDip(Strategy):
    """Limit orders below the market, cancelled when they have aged."""

    discount = 0.01
    max_age = 3

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 20)
        self.age = 0

    def next(self):
        if self.orders and not self.position:
            self.age += 1
            if self.age > self.max_age:
                for order in self.orders:
                    order.cancel()
                self.age = 0
            return
        price = self.data.Close[-1]
        if not self.position and price > self.ma[-1]:
            limit = price * (1 - self.discount)
            self.buy(size=0.9, limit=limit, sl=limit * 0.97, tp=limit * 1.03, tag="dip")
            self.age = 0


class StopEntry(Strategy):
    """Stop orders over the last high."""

    buffer = 0.001

    def init(self):
        self.atr = self.I(ATR, self.data.High, self.data.Low, self.data.Close, 10)

    def next(self):
        if self.position or self.orders:
            if len(self.data) % 10 == 0:
                for o in self.orders:
                    if not o.is_contingent:
                        o.cancel()
            return
        trigger = self.data.High[-1] * (1 + self.buffer)
        self.buy(stop=trigger, sl=trigger - 2 * self.atr[-1], tp=trigger + 2 * self.atr[-1])


class HalfOut(Strategy):
    """Half of the position closed at a first target, the rest by the average."""

    first_target = 3.0

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 15)
        self.half_done = False

    def next(self):
        if not self.position:
            if crossover(self.data.Close, self.ma):
                self.buy(size=0.8)
                self.half_done = False
            return
        if not self.half_done and self.position.pl_pct > self.first_target:
            self.position.close(0.5)
            self.half_done = True
        elif crossover(self.ma, self.data.Close):
            self.position.close()


class RoundLots(Strategy):
    """Lots by math.floor, never less than one."""

    lot = 5
    leverage_used = 0.8

    def init(self):
        self.mom = self.I(lambda c: pd.Series(c).diff(10), self.data.Close)

    def next(self):
        affordable = self.equity * self.leverage_used / self.data.Close[-1]
        lots = math.floor(affordable / self.lot)
        units = max(lots * self.lot, 1)
        if self.mom[-1] > 0 and self.mom[-2] <= 0:
            if self.position.is_short:
                self.position.close()
            self.buy(size=units, sl=0.95 * self.data.Close[-1])
        elif self.mom[-1] < 0 and self.mom[-2] >= 0:
            if self.position.is_long:
                self.position.close()
            self.sell(size=units, sl=1.05 * self.data.Close[-1])


class ConditionalTarget(Strategy):
    """Targets by conditional expressions; None for no target."""

    use_tp = True
    n = 20

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)
        self.atr = self.I(ATR, self.data.High, self.data.Low, self.data.Close, self.n)

    def next(self):
        price = float(self.data.Close[-1])
        up = bool(self.ma[-1] > self.ma[-2])
        if not self.position:
            tp = price + 3 * self.atr[-1] if self.use_tp else None
            if up and price > self.ma[-1]:
                self.buy(size=0.6, sl=price - 2 * self.atr[-1], tp=tp)
        elif not up:
            self.position.close()


class RoundedPrices(Strategy):
    """Stops rounded to cents, Kelly-like sizes."""

    win_rate = 0.55
    payoff = 1.4

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 12)

    def next(self):
        kelly = self.win_rate - (1 - self.win_rate) / self.payoff
        size = round(max(0.01, min(kelly, 0.5)), 2)
        price = self.data.Close[-1]
        if self.position:
            return
        if price > self.ma[-1] and self.data.Close[-2] <= self.ma[-2]:
            self.buy(size=size, sl=round(price * 0.99, 2), tp=round(price * 1.015, 2))
        elif price < self.ma[-1] and self.data.Close[-2] >= self.ma[-2]:
            self.sell(size=size, sl=round(price * 1.01, 2), tp=round(price * 0.985, 2))


class PyramidUp(Strategy):
    """Adds to winners up to a number of trades."""

    max_trades = 4
    step = 0.02

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 40)

    def next(self):
        price = self.data.Close[-1]
        if price < self.ma[-1]:
            self.position.close()
        elif len(self.trades) == 0:
            self.buy(size=0.2)
        elif len(self.trades) < self.max_trades:
            last = self.trades[-1]
            if price > last.entry_price * (1 + self.step):
                self.buy(size=0.2)


class OrderRemembered(Strategy):
    """Keeps the entry price itself and works out its stop from it."""

    stop_pct = 0.04

    def init(self):
        self.entry = None
        self.ma = self.I(SMA, self.data.Close, 30)

    def next(self):
        price = self.data.Close[-1]
        if self.position and self.entry is not None:
            if price < self.entry * (1 - self.stop_pct):
                self.position.close()
                self.entry = None
                return
        if not self.position and crossover(self.data.Close, self.ma):
            self.entry = price
            self.buy()
        elif self.position and price > self.ma[-1] * 1.08:
            self.position.close()
            self.entry = None


CASES = (
    case(AtrBrackets, "GOOG", {"sl_atr": 1.5, "tp_atr": 3}, {"sl_atr": 2, "tp_atr": 2.0}, commission=0.001),
    case(PercentBrackets, "GOOG", {"sl_pct": 3.0, "n": 25}, {"sl_pct": 1.5, "n": 10}),
    case(RiskPerTrade, "GOOG", {"risk": 0.01, "atr_mult": 2.0}, {"risk": 0.02, "atr_mult": 1.0}, cash=100_000),
    case(FixedUnits, "made", {"units": 10}, {"units": 50}, commission=(0.5, 0.0)),
    case(SwingStop, "EURUSD", {"rr": 1.5, "lookback": 5}, {"rr": 3, "lookback": 8}, margin=0.05, spread=0.00005),
    case(ScaledByVolatility, "GOOG", {"target_vol": 0.15}, {"target_vol": 0.3}, cash=20_000),
    case(PipStops, "EURUSD", {"sl_pips": 20}, {"sl_pips": 35}, margin=0.02),
    case(LimitDip, "GOOG", {"discount": 0.01}, {"discount": 0.005}),
    case(StopEntry, "made", {"buffer": 0.001}, {"buffer": 0.0}, commission=0.0001),
    case(HalfOut, "GOOG", {"first_target": 3.0}, {"first_target": 1.0}, cash=25_000),
    case(RoundLots, "made", {"lot": 5}, {"lot": 10}, margin=0.5),
    case(ConditionalTarget, "GOOG", {"use_tp": True}, {"use_tp": False}),
    case(RoundedPrices, "made", {"payoff": 1.4}, {"payoff": 2.0}),
    case(PyramidUp, "GOOG", {"max_trades": 4}, {"max_trades": 2}, commission=0.002, cash=40_000),
    case(OrderRemembered, "GOOG", {"stop_pct": 0.04}, {"stop_pct": 0.02}),
)  # fmt: skip
