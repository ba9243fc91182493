"""Signals made before the backtest, carried out with stops, targets and a little state."""

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import SignalStrategy, TrailingStrategy

from real_strategies import ta
from real_strategies.case import case


class SignalWithBrackets(Strategy):
    """Signal of the file, stop and target by ATR, one trade at a time."""

    def init(self):
        super().init()
        self.signal = self.I(lambda: self.data.Signal, name="sig")

    def next(self):
        super().next()
        atr = self.data.ATR[-1]
        if self.signal == 1 and len(self.trades) == 0:
            sl1 = self.data.Close[-1] - 1.5 * atr
            tp1 = self.data.Close[-1] + 3 * atr
            self.buy(sl=sl1, tp=tp1, size=0.5)
        elif self.signal == -1 and len(self.trades) == 0:
            sl1 = self.data.Close[-1] + 1.5 * atr
            tp1 = self.data.Close[-1] - 3 * atr
            self.sell(sl=sl1, tp=tp1, size=0.5)


class SignalRiskSized(Strategy):
    """The same with units from the equity."""

    def init(self):
        super().init()

    def next(self):
        super().next()
        price, atr = self.data.Close[-1], self.data.ATR[-1]
        if self.trades or self.data.Signal[-1] == 0:
            return
        units = int(self.equity * 0.01 / (2 * atr))
        if units < 1:
            print("no money for a unit")
            return
        if self.data.Signal[-1] > 0:
            self.buy(size=units, sl=price - 2 * atr, tp=price + 4 * atr)
        else:
            self.sell(size=units, sl=price + 2 * atr, tp=price - 4 * atr)


class SignalMartingale(Strategy):
    """Size doubled after a loss; the last result as text."""

    def init(self):
        super().init()
        self.units = 10
        self.last_result = None

    def next(self):
        super().next()
        if self.closed_trades:
            self.last_result = "win" if self.closed_trades[-1].pl > 0 else "loss"
        if len(self.trades) > 0:
            return
        price = self.data.Close[-1]
        if self.data.Prediction[-1] > 0.02:
            if self.last_result == "loss":
                self.units = min(self.units * 2, 80)
            elif self.last_result == "win":
                self.units = 10
            self.buy(size=self.units, sl=price * 0.995, tp=price * 1.005)


class SignalTrail(TrailingStrategy):
    """The library's trailing stop under a column."""

    def init(self):
        super().init()
        super().set_trailing_sl(2.5)

    def next(self):
        super().next()
        if not self.trades:
            if self.data.Signal[-1] == 1:
                self.buy()
            elif self.data.Signal[-1] == -1:
                self.sell()


class SignalTrailSide(TrailingStrategy):
    """The same, both sides reversed by closing the trade."""

    def init(self):
        super().init()
        self.set_trailing_pct(0.02)
        self.side = None

    def next(self):
        super().next()
        if self.data.ema_fast[-1] < self.data.Close[-1]:
            wanted = "long"
        else:
            wanted = "short"
        if wanted != self.side:
            for trade in self.trades:
                trade.close()
            if wanted == "long":
                self.buy(size=0.5)
            else:
                self.sell(size=0.5)
            self.side = wanted


class SignalInterface(SignalStrategy):
    """The library's signals, from a column, with a check before."""

    def init(self):
        super().init()
        self.set_signal(0.3 * pd.Series(self.data.Signal), -1.0 * (self.data.Signal == 1))

    def next(self):
        if self.equity > 5000:
            super().next()


class PredictionWithMemory(Strategy):
    """Predictions kept in a list, traded by their mean."""

    def init(self):
        self.last = []

    def next(self):
        self.last.append(self.data.Prediction[-1])
        if len(self.last) > 5:
            self.last = self.last[1:]
        mean = sum(self.last) / len(self.last)
        price = self.data.Close[-1]
        if mean > 0.3 and not self.position.is_long:
            self.buy(size=0.4, sl=price * 0.96, tp=price * 1.06)
        elif mean < -0.3 and not self.position.is_short:
            self.sell(size=0.4, sl=price * 1.04, tp=price * 0.94)


class PredictionRowOfFrame(Strategy):
    """Everything from the last row of the table."""

    def init(self):
        pass

    def next(self):
        row = self.data.df.iloc[-1]
        if self.position.is_long or self.position.is_short:
            return
        if row["Prediction"] > 0 and row["Close"] > row["ema_fast"]:
            self.buy(sl=row["Close"] - 2 * row["ATR"], tp=row["Close"] + 2 * row["ATR"])
        elif row["Prediction"] < 0 and row["Close"] < row["ema_fast"]:
            self.sell(sl=row["Close"] + 2 * row["ATR"], tp=row["Close"] - 2 * row["ATR"])


class FrameByNames(Strategy):
    """Single cells of the table, by names."""

    def init(self):
        self.n_orders = 0

    def next(self):
        price = self.data.df["Close"].iloc[-1]
        atr = self.data.df["ATR"].values[-1]
        if self.data.df["Signal"].iloc[-1] == 1:
            self.n_orders += 1
            print(f"order {self.n_orders} at {price:.2f}") if self.n_orders < 0 else None
            self.buy(size=0.2, sl=price - 2 * atr, tp=price + 4 * atr)


class FrameBefore(Strategy):
    """Changes between rows of the table."""

    def init(self):
        self.state = "flat"

    def next(self):
        df = self.data.df
        if len(df) < 3:
            return
        change = df["ema_fast"].iloc[-1] / df["ema_fast"].iloc[-2] - 1
        if self.state == "flat" and change > 0.001:
            self.buy()
            self.state = "long"
        elif self.state == "long" and change < 0:
            for trade in self.trades:
                trade.close()
            self.state = "flat"


class TableOfSignals(Strategy):
    """A Python list as indicator, filled in a loop, carried out with `try`."""

    def init(self):
        ema = ta.ema(self.data.Close.s, 20)
        rsi = ta.rsi(self.data.Close.s, 7)
        out = []
        for i in range(len(ema)):
            if rsi.iloc[i] < 48 and self.data.Close[i] > ema.iloc[i]:
                out.append(2)
            elif rsi.iloc[i] > 52 and self.data.Close[i] < ema.iloc[i]:
                out.append(1)
            else:
                out.append(0)
        self.signal1 = self.I(lambda: out, name="Signal")

    def next(self):
        price = self.data.Close[-1]
        low5, high5 = min(self.data.Low[-5:]), max(self.data.High[-5:])
        try:
            if self.signal1 == 2 and len(self.trades) == 0:
                self.buy(sl=low5, tp=price + 1.5 * (price - low5))
            elif self.signal1 == 1 and len(self.trades) == 0:
                self.sell(sl=high5, tp=price - 1.5 * (high5 - price))
        except Exception as problem:
            self.problem = str(problem)


class TwoSignals(Strategy):
    """Main and confirming signal in a dictionary, timed out by a counter."""

    def init(self):
        self.macd = self.I(lambda: ta.macd(self.data.Close.s)["MACD_12_26_9"], name="macd")
        self.pending = {"side": None, "age": 0}

    def enter(self, price, atr):
        if self.pending["side"] == "long":
            self.buy(
                size=0.5 if self.equity > 9500 else 0.3, sl=price - 2 * atr, tp=price + 2 * atr
            )
        else:
            self.sell(
                size=0.5 if self.equity > 9500 else 0.3, sl=price + 2 * atr, tp=price - 2 * atr
            )

    def next(self):
        if self.data.Signal[-1] != 0:
            self.pending["side"] = "long" if self.data.Signal[-1] > 0 else "short"
            self.pending["age"] = 0
        if self.pending["side"] is None:
            return
        self.pending["age"] += 1
        if self.pending["age"] > 10:
            self.pending["side"] = None
            return
        up = self.macd[-1] > self.macd[-2]
        if up == (self.pending["side"] == "long") and not self.position:
            self.enter(self.data.Close[-1], self.data.ATR[-1])
            self.pending["side"] = None


class RowNumbers(Strategy):
    """Arrays prepared as plain numpy, read by the bar's number."""

    def init(self):
        self.up = np.asarray(self.data.Close) > np.asarray(self.data.ema_fast)
        self.stops = np.asarray(self.data.Low) - 0.5 * np.asarray(self.data.ATR)
        self.i = -1

    def next(self):
        self.i = len(self.data) - 1
        if self.up[self.i] and not self.up[self.i - 1] and not self.trades:
            risk = self.data.Close[-1] - self.stops[self.i]
            if risk > 0 and self.up[self.i]:
                self.buy(
                    size=max(1, int(self.equity * 0.002 // risk)),
                    sl=self.stops[self.i],
                    tp=self.data.Close[-1] + 2 * risk,
                )


class ColumnGrid(Strategy):
    """A grid of levels: near one, both sides with the same brackets (hedged)."""

    def init(self):
        middle = self.data.Close[0]
        self.grid = np.arange(middle * 0.5, middle * 1.5, middle * 0.004)
        self.last_level = None

    def next(self):
        price, atr = self.data.Close[-1], self.data.ATR[-1]
        level = int(np.searchsorted(self.grid, price))
        if level != self.last_level and len(self.trades) <= 20 and self.last_level is not None:
            self.buy(size=10, sl=price - 3 * atr - 0.1, tp=price + 2 * atr + 0.1)
            self.sell(size=10, sl=price + 3 * atr + 0.1, tp=price - 2 * atr - 0.1)
        self.last_level = level


CASES = (
    case(SignalWithBrackets, "GOOG", commission=0.0005),
    case(SignalRiskSized, "made", cash=100_000),
    case(SignalMartingale, "made"),
    case(SignalTrail, "GOOG", commission=0.001),
    case(SignalTrailSide, "made", spread=0.0002),
    case(SignalInterface, "GOOG", cash=50_000, hedging=True),
    case(PredictionWithMemory, "GOOG", exclusive_orders=True),
    case(PredictionRowOfFrame, "made", margin=0.5),
    case(FrameByNames, "GOOG", cash=30_000),
    case(FrameBefore, "GOOG"),
    case(TableOfSignals, "EURUSD", margin=0.1),
    case(TwoSignals, "GOOG"),
    case(RowNumbers, "made", cash=200_000, trade_on_close=True),
    case(ColumnGrid, "made", hedging=True, margin=0.1),
)  # fmt: skip
