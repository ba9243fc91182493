"""Tables, own columns, slices and models inside `next`."""

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.test import SMA

from real_strategies.case import case


class OwnSignalColumn(Strategy):
    """A column of the file says when."""

    def init(self):
        pass

    def next(self):
        if self.data.Signal[-1] == 1:
            print(f"signal: {self.data.Signal[-1]}")
            self.buy()
        elif self.data.Signal[-1] == -1:
            self.sell()


class OwnColumnsBrackets(Strategy):
    """The file's ATR gives the stop, its signal the side."""

    mult = 2.0

    def init(self):
        self.signal = self.I(lambda: self.data.Signal, name="signal")

    def next(self):
        price, atr = self.data.Close[-1], self.data.ATR[-1]
        risk = self.equity * 0.02
        if self.signal == 1 and not self.position:
            self.buy(
                size=int(risk / (self.mult * atr)),
                sl=price - self.mult * atr,
                tp=price + 2 * self.mult * atr,
            )
        elif self.signal == -1 and not self.position:
            self.sell(
                size=int(risk / (self.mult * atr)),
                sl=price + self.mult * atr,
                tp=price - 2 * self.mult * atr,
            )


class OwnEmaColumn(Strategy):
    """Lower-case columns, compared as arrays."""

    buffer = 0.0

    def init(self):
        super().init()

    def next(self):
        super().next()
        if self.data.Close[-1] > self.data.ema_fast[-1] * (1 + self.buffer):
            if not self.position.is_long:
                self.buy()
        elif self.data.Close[-1] < self.data.ema_fast[-1] * (1 - self.buffer):
            if not self.position.is_short:
                self.sell()


class PredictionColumn(Strategy):
    """A forecast made before the backtest, with a threshold."""

    threshold = 0.5

    def init(self):
        self.forecast = self.I(lambda x: x, self.data.Prediction, name="forecast")

    def next(self):
        forecast = self.forecast
        if forecast > self.threshold and not self.position.is_long:
            self.buy(size=0.5)
        elif forecast < -self.threshold and not self.position.is_short:
            self.sell(size=0.5)


class ColumnsByName(Strategy):
    """Columns by brackets."""

    def init(self):
        self.data.df["Mid"] = (self.data.df["High"] + self.data.df["Low"]) / 2
        self.mid = self.I(lambda: self.data.df["Mid"].rolling(5).mean(), name="mid")

    def next(self):
        if self.data["Close"] > self.mid and self.data["ATR"][-1] > 0:
            if not self.position:
                self.buy()
        elif self.position:
            self.position.close()


class IlocOfFrame(Strategy):
    """The last row of the table, by `iloc`."""

    fraction = 0.9

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 15)

    def next(self):
        row = self.data.df.iloc[-1]
        if row["Close"] > row["Open"] and row.Close > self.ma and not self.position:
            self.buy(size=self.fraction)
        elif row["Close"] < self.ma and self.position:
            self.position.close()


class ValuesOfFrame(Strategy):
    """The same by `values` and `iat`."""

    def init(self):
        pass

    def next(self):
        if len(self.data) < 5:
            return
        df = self.data.df
        close = df["Close"].values[-1]
        before = df.Close.iloc[-4]
        signal = df["Signal"].iat[-1]
        if signal == 1 or close > 1.05 * before:
            if not self.position:
                self.buy()
        elif close < before:
            self.position.close()


class SliceExtremes(Strategy):
    """Highest and lowest of slices."""

    n = 10

    def init(self):
        pass

    def next(self):
        if len(self.data) < self.n + 2:
            return
        top = self.data.High[-self.n - 1 : -1].max()
        bottom = self.data.Low[-self.n - 1 : -1].min()
        if self.data.Close[-1] > top and not self.position.is_long:
            self.position.close()
            self.buy()
        elif self.data.Close[-1] < bottom and not self.position.is_short:
            self.position.close()
            self.sell()


class SliceMeans(Strategy):
    """`max`, `min`, `np.mean` and `sum` over slices."""

    short = 5

    def init(self):
        self.rng = self.I(lambda df: df.High - df.Low, self.data.df, name="range")

    def next(self):
        if len(self.data) < 21:
            return
        mean5 = np.mean(self.data.Close[-self.short :])
        mean20 = sum(self.data.Close[-20:]) / 20
        stop = min(self.data.Low[-5:])
        noise = np.std(self.data.Close[-10:])
        if mean5 > mean20 and not self.position and noise > 0:
            if stop < self.data.Close[-1]:
                self.buy(size=0.8, sl=stop - 0.1 * noise)
        elif mean5 < mean20:
            self.position.close()


class AllOfLastBars(Strategy):
    """`all` and `any` over generators, list comprehensions."""

    k = 3

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 20)

    def next(self):
        rising = all(self.data.Close[-i] > self.data.Close[-i - 1] for i in range(1, self.k + 1))
        broken = any(self.data.Close[-i] < self.ma[-i] for i in range(1, 3))
        bodies = [abs(self.data.Close[-i] - self.data.Open[-i]) for i in range(1, 6)]
        if rising and bodies[0] < max(bodies) and not self.position:
            self.buy()
        elif broken and self.position:
            self.position.close()


class WholeSeries(Strategy):
    """Pandas over the whole past, on every bar."""

    n = 10

    def init(self):
        pass

    def next(self):
        close = pd.Series(self.data.Close[-60:])
        if len(close) < 60:
            return
        ema = close.ewm(span=self.n).mean().iloc[-1]
        if self.data.Close[-1] > ema * 1.01 and not self.position:
            self.buy()
        elif self.data.Close[-1] < ema:
            self.position.close()


class FilteredFrame(Strategy):
    """Counts the rising bars of the last year in a filtered table."""

    share = 0.55

    def init(self):
        pass

    def next(self):
        recent = self.data.df[-12:]
        rising = recent[recent["Close"] > recent["Open"]]
        if len(rising) > self.share * len(recent):
            if not self.position:
                self.buy()
        elif self.position:
            self.position.close()


class LinearModel:
    """A model with the least that a model has."""

    def __init__(self, weights):
        self.weights = np.asarray(weights)

    def predict(self, X):
        return (np.asarray(X) @ self.weights > 0).astype(int)


class ModelPredicts(Strategy):
    """A model asked on every bar."""

    def init(self):
        self.model = LinearModel([1.0, 0.5, -0.25])

    def next(self):
        if len(self.data) < 5:
            return
        returns = np.diff(self.data.Close[-4:])
        up = self.model.predict([returns])[0]
        if up == 1 and not self.position:
            print("predicted up")
            self.buy()
        elif up == 0 and self.position:
            self.position.close()


class ModelTrains(Strategy):
    """A fit anew every so many bars, kept on self."""

    every = 50
    window = 30

    def init(self):
        self.slope = 0.0

    def next(self):
        n = len(self.data)
        if n < self.window:
            return
        if n % self.every == 0:
            y = np.array(self.data.Close[-self.window :])
            self.slope, _ = np.polyfit(np.arange(self.window), y, 1)
            if self.slope > 0 and not self.position.is_long:
                self.position.close()
                self.buy()
            elif self.slope <= 0 and not self.position.is_short:
                self.position.close()
                self.sell()


class DictOfIndicators(Strategy):
    """Indicators in a list and a dictionary, which do not count in the warm-up."""

    lengths = (5, 10, 20)

    def init(self):
        self.mas = [self.I(SMA, self.data.Close, n) for n in self.lengths]
        self.by_name = {"slow": self.I(SMA, self.data.Close, 40)}

    def next(self):
        if len(self.data) < 45:
            return
        i = len(self.data) - 1
        values = [ma[i] for ma in self.mas]
        if values == sorted(values, reverse=True) and not self.position:
            self.buy()
        elif self.by_name["slow"][i] > self.mas[0][i]:
            self.position.close()


CASES = (
    case(OwnSignalColumn, "GOOG", commission=0.002, exclusive_orders=True),
    case(OwnColumnsBrackets, "made", {"mult": 2.0}, {"mult": 4.0}, spread=0.0002, margin=0.1),
    case(OwnEmaColumn, "GOOG", {"buffer": 0.0}, {"buffer": 0.01}, exclusive_orders=True),
    case(PredictionColumn, "GOOG", {"threshold": 0.5}, {"threshold": 2}, exclusive_orders=True),
    case(ColumnsByName, "GOOG", trade_on_close=True),
    case(IlocOfFrame, "made", {"fraction": 0.9}, {"fraction": 0.3}),
    case(ValuesOfFrame, "GOOG", commission=0.001),
    case(SliceExtremes, "made", {"n": 10}, {"n": 20}),
    case(SliceMeans, "GOOG", {"short": 5}, {"short": 8}),
    case(AllOfLastBars, "GOOG", {"k": 3}, {"k": 2}),
    case(WholeSeries, "GOOG", {"n": 10}, {"n": 30}, compiles=None),
    case(FilteredFrame, "BTCUSD", {"share": 0.55}, {"share": 0.45}, compiles=None, cash=1_000_000),
    case(ModelPredicts, "GOOG", compiles=None),
    case(ModelTrains, "made", {"every": 50}, {"every": 20}, compiles=None),
    case(DictOfIndicators, "GOOG", compiles=None),
)  # fmt: skip
