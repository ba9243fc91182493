"""Models, tables and functions of the module, on TA-Lib: from notebooks of the curious."""

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover

from real_strategies import ta
from real_strategies.case import case

try:
    import talib
except ImportError:
    talib = None


class NearestNeighbours:
    """A classifier by the nearest rows, as the libraries have them."""

    def __init__(self, k=5):
        self.k = k

    def fit(self, x, y):
        """Remember them."""
        self.x, self.y = np.asarray(x, float), np.asarray(y, float)
        return self

    def predict(self, x):
        """Mean sign of the nearest."""
        return np.array([self._one(row) for row in np.asarray(x, float)])

    def _one(self, row):
        distance = np.abs(self.x - row).sum(axis=1)
        return np.sign(self.y[np.argsort(distance, kind="stable")[: self.k]].sum())


def features_of(data):
    close = data.Close
    table = pd.DataFrame(index=data.index)
    table["r1"] = close.pct_change()
    table["r3"] = close.pct_change(3)
    table["range"] = (data.High - data.Low) / close
    return table.fillna(0.0)


def stops(price, atr, side, mult):
    """Stop and target, on the right sides."""
    if side > 0:
        return price - mult * atr, price + 2 * mult * atr
    return price + mult * atr, price - 2 * mult * atr


def crossed_above(a, b):
    return a[-2] < b[-2] and a[-1] > b[-1]


def crossed_below(a, b):
    return a[-2] > b[-2] and a[-1] < b[-1]


class OwnCrossFunction(Strategy):
    """Crosses by functions of its own over TA-Lib."""

    def init(self):
        self.a = self.I(talib.DEMA, self.data.Close, 10)
        self.b = self.I(talib.SMA, self.data.Close, 30)

    def next(self):
        if crossed_above(self.a, self.b):
            self.position.close()
            self.buy()
        elif crossed_below(self.a, self.b):
            self.position.close()
            self.sell()


class StopsByFunction(Strategy):
    """A function of the module that returns two numbers."""

    mult = 1.5

    def init(self):
        h, l, c = self.data.High, self.data.Low, self.data.Close
        self.atr = self.I(talib.ATR, h, l, c, 14)
        self.slope = self.I(talib.LINEARREG_SLOPE, c, 20)

    def next(self):
        price = self.data.Close[-1]
        side = 1 if self.slope > 0 else -1
        if side > 0 and not self.position.is_long:
            sl, tp = stops(price, self.atr[-1], side, self.mult)
            self.buy(sl=sl, tp=tp)
        elif side < 0 and not self.position.is_short:
            sl, tp = stops(price, self.atr[-1], side, self.mult)
            self.sell(sl=sl, tp=tp)


class ModelOnce(Strategy):
    """Trained in `init` on the first part, asked on every bar."""

    train = 300

    def init(self):
        table = features_of(self.data.df)
        target = np.sign(self.data.df.Close.shift(-1) - self.data.df.Close).fillna(0)
        self.model = NearestNeighbours(7).fit(table[: self.train], target[: self.train])
        self.f = self.I(lambda: table.to_numpy().T, name=list(table.columns), plot=False)

    def next(self):
        if len(self.data) < self.train:
            return
        x = [[self.f[0][-1], self.f[1][-1], self.f[2][-1]]]
        forecast = self.model.predict(x)[0]
        price = self.data.Close[-1]
        upper, lower = price * 1.03, price * 0.97
        if forecast == 1 and not self.position.is_long:
            self.buy(size=0.2, tp=upper, sl=lower)
        elif forecast == -1 and not self.position.is_short:
            self.sell(size=0.2, tp=lower, sl=upper)


class ModelWalkForward(ModelOnce):
    """Trained anew now and then on the table so far."""

    every = 100

    def next(self):
        if len(self.data) >= self.train and len(self.data) % self.every == 0:
            df = self.data.df[-self.train :]
            table = features_of(df)
            target = np.sign(df.Close.shift(-1) - df.Close).fillna(0)
            self.model.fit(table, target)
        super().next()


class FrameMask(Strategy):
    """Rows of the last days, by a mask on the table's index."""

    def init(self):
        self.rsi = self.I(talib.RSI, self.data.Close, 5)

    def next(self):
        if self.rsi[-1] > 30 and not self.position:
            return
        df = self.data.df
        week = df[df.index > df.index[-1] - pd.Timedelta(days=7)]
        if not self.position and len(week) > 2:
            self.buy(sl=week.Low.min() * 0.99, tp=week.High.max() * 1.01)


class FrameTail(Strategy):
    """`tail`, `mean` and `max` of the table's columns."""

    def init(self):
        self.ema = self.I(talib.EMA, self.data.Close, 15)

    def next(self):
        if not crossover(self.data.Close, self.ema):
            if crossover(self.ema, self.data.Close):
                self.position.close()
            return
        recent = self.data.df.tail(10)
        quiet = recent["ATR"].mean() < 1.1 * recent["ATR"].max()
        if quiet and recent.Prediction.iloc[-1] > 0:
            self.buy(size=0.9)


class TryFallback(Strategy):
    """With a stop if it may be, without one otherwise."""

    def init(self):
        self.sar = self.I(talib.SAR, self.data.High, self.data.Low)
        self.problems = 0

    def next(self):
        if not crossover(self.data.Close, self.sar):
            return
        self.position.close()
        try:
            self.buy(sl=self.sar[-1] * 1.002, tp=self.data.Close[-1] * 1.05)
        except ValueError as problem:
            self.problems += 1
            print(f"refused ({problem}), without a stop then")
            self.buy()


class TryDivision(Strategy):
    """A division that may fail, caught."""

    def init(self):
        self.up = self.I(talib.MAX, self.data.High, 5)
        self.down = self.I(talib.MIN, self.data.Low, 5)

    def next(self):
        place = 0.5
        try:
            place = (self.data.Close[-1] - self.down[-1]) / float(self.up[-1] - self.down[-1])
        except ZeroDivisionError:
            pass
        if place < 0.15 and not self.position:
            self.buy()
        elif place > 0.85:
            self.position.close()


class FlipOnNone(Strategy):
    """The side as None, text and text; a count of flips; own columns."""

    def init(self):
        self.side = None
        self.since = None
        self.flips = 0

    def next(self):
        now = "up" if self.data.ema_fast[-1] > self.data.ema_fast[-2] else "down"
        if self.side is None:
            self.side = now
            return
        if now != self.side:
            self.flips += 1
            self.side = now
            self.since = len(self.data)
        if self.since is not None and len(self.data) - self.since == 2:
            if self.side == "up":
                self.buy(sl=self.data.Low[-1] - self.data.ATR[-1])
            else:
                self.sell(sl=self.data.High[-1] + self.data.ATR[-1])
            self.since = None


class WaitForRetest(Strategy):
    """A level broken, waited for, bought at its retest; level and side may be None."""

    def init(self):
        self.high30 = self.I(talib.MAX, self.data.High, 30)
        self.level = None
        self.deadline = None

    def next(self):
        price = self.data.Close[-1]
        if self.level is None:
            if price > self.high30[-2]:
                self.level, self.deadline = self.high30[-2], len(self.data) + 15
        elif len(self.data) > self.deadline:
            self.level = self.deadline = None
        elif self.data.Low[-1] <= self.level < price:
            if not self.position:
                self.buy(sl=self.level * 0.97, tp=price * 1.05)
            self.level = None
            self.deadline = None


class ParentOfMany(Strategy):
    """A frame for rules that subclasses give."""

    allow_short = True

    def init(self):
        self.bars = 0

    def entry(self):
        return 0

    def next(self):
        self.bars += 1
        side = self.entry()
        if side > 0 and not self.position.is_long:
            self.position.close()
            self.buy()
        elif side < 0 and not self.position.is_short:
            self.position.close()
            if self.allow_short:
                self.sell()


class RuleMacd(ParentOfMany):
    """One rule in that frame."""

    def init(self):
        super().init()
        self.macd, self.sig, _ = self.I(talib.MACD, self.data.Close, 8, 21, 5)

    def entry(self):
        if crossover(self.macd, self.sig):
            return 1
        return -1 if crossover(self.sig, self.macd) else 0


class RuleAfterWarmUp(RuleMacd):
    """A rule over the rule: nothing in the first bars, and out on a large fall."""

    wait = 50

    def next(self):
        if len(self.data) < self.wait:
            return
        super().next()
        if self.position.pl_pct < -4:
            self.position.close()


class RuleOfColumns(ParentOfMany):
    """The file's columns in the same frame."""

    def next(self):
        super().next()
        for trade in self.trades:
            if trade.is_long and self.data.Prediction[-1] < -1:
                trade.close()

    def entry(self):
        return int(np.sign(self.data.Signal[-1]))


class MonthlyRotation(Strategy):
    """Monthly bars, the volatility by pandas in `next`."""

    def init(self):
        self.ma = self.I(ta.sma, self.data.Close.s, 6)

    def next(self):
        closes = pd.Series(self.data.Close)
        vol = closes.pct_change().tail(6).std()
        if self.data.Close[-1] > self.ma[-1] and vol < 0.6:
            if not self.position:
                self.buy(size=min(0.9, 0.1 / vol))
        elif self.position:
            self.position.close()


CASES = (
    case(OwnCrossFunction, "GOOG", needs="talib", commission=0.001),
    case(StopsByFunction, "made", {"mult": 1.5}, {"mult": 4.0}, needs="talib", exclusive_orders=True),
    case(ModelOnce, "GOOG", {"train": 300}, compiles=None),
    case(ModelWalkForward, "GOOG", {"every": 100}, compiles=None),
    case(FrameMask, "GOOG", needs="talib", compiles=None),
    case(FrameTail, "made", needs="talib", compiles=None),
    case(TryFallback, "GOOG", needs="talib"),
    case(TryDivision, "GOOG", needs="talib"),
    case(FlipOnNone, "made", exclusive_orders=True, commission=0.0001),
    case(WaitForRetest, "GOOG", needs="talib"),
    case(RuleMacd, "EURUSD", {"allow_short": True}, {"allow_short": False}, needs="talib"),
    case(RuleAfterWarmUp, "GOOG", {"wait": 50}, {"wait": 200}, needs="talib"),
    case(RuleOfColumns, "GOOG", {"allow_short": True}, {"allow_short": False}),
    case(MonthlyRotation, "BTCUSD", cash=1_000_000, compiles=None),
)  # fmt: skip
