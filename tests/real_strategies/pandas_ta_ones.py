"""Strategies on a library of pandas indicators."""

import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover

from real_strategies import ta
from real_strategies.case import case


class PtaEmaPair(Strategy):
    """Series given with `.s`."""

    fast = 8
    slow = 21

    def init(self):
        self.ema1 = self.I(ta.ema, self.data.Close.s, self.fast)
        self.ema2 = self.I(ta.ema, self.data.Close.s, self.slow)

    def next(self):
        if crossover(self.ema1, self.ema2):
            if not self.position.is_long:
                self.buy()
        elif crossover(self.ema2, self.ema1):
            if not self.position.is_short:
                self.sell()


class PtaRsi(Strategy):
    """Oversold by RSI, with a stop."""

    length = 14
    oversold = 35
    overbought = 65

    def init(self):
        self.rsi = self.I(ta.rsi, pd.Series(self.data.Close), length=self.length)

    def next(self):
        price = self.data.Close[-1]
        if self.rsi < self.oversold and not self.position:
            self.buy(sl=0.93 * price)
        elif self.rsi > self.overbought and self.position.is_long:
            self.position.close()


class PtaMacdHist(Strategy):
    """One column of a table, picked by a lambda."""

    def init(self):
        close = self.data.Close.s
        self.hist = self.I(lambda: ta.macd(close)["MACDh_12_26_9"], name="hist")

    def next(self):
        if self.hist[-1] > 0 and self.hist[-2] < 0:
            print("Histogram turned:", round(self.hist[-1], 6))
            self.buy()
        elif self.hist[-1] < 0 and self.hist[-2] > 0:
            self.position.close()


def bands(df, length, std):
    return ta.bbands(df.Close, length=length, std=std).to_numpy().T


class PtaSqueeze(Strategy):
    """The width of the bands, then a breakout."""

    length = 20
    std = 2.0
    narrow = 0.08

    def init(self):
        self.bb = self.I(bands, self.data.df, self.length, self.std)

    def next(self):
        lower, mid, upper = self.bb[0], self.bb[1], self.bb[2]
        width = (upper[-2] - lower[-2]) / mid[-2]
        if width < self.narrow:
            if self.data.Close[-1] > upper[-2]:
                self.buy(size=0.9, sl=mid[-1])
            elif self.data.Close[-1] < lower[-2]:
                self.sell(size=0.9, sl=mid[-1])
        if self.position.is_long and self.data.Close[-1] < mid[-1]:
            self.position.close()
        if self.position.is_short and self.data.Close[-1] > mid[-1]:
            self.position.close()


class PtaSupertrend(Strategy):
    """The direction of a supertrend, as rows of a table."""

    period = 10
    multiplier = 3.0

    def init(self):
        self.st = self.I(
            ta.supertrend,
            self.data.High.s,
            self.data.Low.s,
            self.data.Close.s,
            self.period,
            self.multiplier,
        )

    def next(self):
        direction = self.st[1][-1]
        if direction == 1 and not self.position.is_long:
            self.buy()
        if direction == -1 and not self.position.is_short:
            self.sell()


class PtaSupertrendStop(Strategy):
    """The same line as the stop of every trade, moved each bar."""

    period = 7
    multiplier = 2.0

    def init(self):
        args = self.data.High.s, self.data.Low.s, self.data.Close.s
        self.line, self.side = self.I(ta.supertrend, *args, self.period, self.multiplier)

    def next(self):
        for trade in self.trades:
            if trade.is_long:
                trade.sl = max(trade.sl, self.line[-1]) if self.side[-1] > 0 else trade.sl
        if not self.position and self.side[-1] > 0 and self.side[-2] < 0:
            self.buy(sl=self.line[-1])


class PtaAdx(Strategy):
    """ADX over a level, the direction by its parts."""

    length = 14
    level = 22

    def init(self):
        adx = ta.adx(self.data.High.s, self.data.Low.s, self.data.Close.s, self.length)
        self.adx = self.I(lambda: adx[f"ADX_{self.length}"], name="ADX")
        self.dmp = self.I(lambda: adx[f"DMP_{self.length}"], name="DMP")
        self.dmn = self.I(lambda: adx[f"DMN_{self.length}"], name="DMN")

    def next(self):
        if self.adx[-1] < self.level:
            return
        if self.dmp[-1] > self.dmn[-1]:
            if not self.position.is_long:
                self.position.close()
                self.buy()
        else:
            if not self.position.is_short:
                self.position.close()
                self.sell()


class PtaStoch(Strategy):
    """Stochastic with two rows and an early return."""

    k = 14
    d = 3

    def init(self):
        self.stoch = self.I(
            ta.stoch, self.data.High.s, self.data.Low.s, self.data.Close.s, self.k, self.d
        )

    def next(self):
        k = self.stoch[0, -1]
        d = self.stoch[1, -1]
        if self.position:
            if k > 80 or (k < d and self.position.pl > 0):
                self.position.close()
            return
        if k > d and d < 30:
            self.buy(sl=self.data.Low[-1] * 0.98)


class PtaEmaRsiAtr(Strategy):
    """Everything at once: trend, momentum, brackets."""

    ema_len = 50
    rsi_len = 10
    rr = 2.0
    atr_mult = 1.5

    def init(self):
        h, l, c = self.data.High.s, self.data.Low.s, self.data.Close.s
        self.ema = self.I(ta.ema, c, self.ema_len)
        self.rsi = self.I(ta.rsi, c, self.rsi_len)
        self.atr = self.I(ta.atr, h, l, c, 14)

    def next(self):
        if self.position:
            return
        c = self.data.Close[-1]
        dist = self.atr[-1] * self.atr_mult
        if c > self.ema and self.rsi < 45:
            self.buy(size=0.5, sl=c - dist, tp=c + dist * self.rr)
        elif c < self.ema and self.rsi > 55:
            self.sell(size=0.5, sl=c + dist, tp=c - dist * self.rr)


class PtaTotalSignal(Strategy):
    """A signal computed over the whole table before, as in the videos."""

    sl_coef = 1.5
    tp_coef = 2.0

    def init(self):
        df = self.data.df
        rsi = ta.rsi(df.Close, 5)
        ema = ta.ema(df.Close, 60)
        signal = [0] * len(df)
        for i in range(60, len(df)):
            if df.Close.iloc[i] > ema.iloc[i] and rsi.iloc[i] < 40:
                signal[i] = 2
            elif df.Close.iloc[i] < ema.iloc[i] and rsi.iloc[i] > 60:
                signal[i] = 1
        self.signal1 = self.I(lambda: signal, name="TotalSignal")
        self.atr = self.I(ta.atr, df.High, df.Low, df.Close, 7)

    def next(self):
        slatr = self.sl_coef * self.atr[-1]
        tpatr = self.tp_coef * self.atr[-1]
        if self.signal1 == 2 and len(self.trades) == 0:
            sl1 = self.data.Close[-1] - slatr
            tp1 = self.data.Close[-1] + tpatr
            self.buy(sl=sl1, tp=tp1, size=int(self.equity * 0.3))
        elif self.signal1 == 1 and len(self.trades) == 0:
            sl1 = self.data.Close[-1] + slatr
            tp1 = self.data.Close[-1] - tpatr
            self.sell(sl=sl1, tp=tp1, size=int(self.equity * 0.3))


class PtaSmaEnvelope(Strategy):
    """An envelope in percent."""

    length = 20
    percent = 1.0

    def init(self):
        self.sma = self.I(ta.sma, self.data.Close.s, self.length)

    def next(self):
        up = self.sma[-1] * (1 + self.percent / 100)
        low = self.sma[-1] * (1 - self.percent / 100)
        if self.data.Close[-1] > up:
            if not self.position:
                self.buy()
        elif self.data.Close[-1] < low:
            self.position.close()


class PtaAtrBreak(Strategy):
    """Yesterday's close plus a part of the ATR."""

    factor = 0.8

    def init(self):
        self.atr = self.I(ta.atr, self.data.High.s, self.data.Low.s, self.data.Close.s)

    def next(self):
        jump = self.data.Close[-1] - self.data.Close[-2]
        if not self.position:
            if jump > self.factor * self.atr[-2]:
                self.buy(tp=self.data.Close[-1] + 2 * self.atr[-1], sl=self.data.Low[-2] * 0.99)
        elif jump < -self.factor * self.atr[-2]:
            self.position.close()


class PtaRsiDivergence(Strategy):
    """A lower low in price, a higher low in RSI, by fixed bars back."""

    back = 10

    def init(self):
        self.rsi = self.I(ta.rsi, self.data.Close.s, 9)

    def next(self):
        lower_low = self.data.Low[-1] < self.data.Low[-self.back]
        higher_rsi = self.rsi[-1] > self.rsi[-self.back]
        if lower_low and higher_rsi and not self.position:
            price = self.data.Close[-1]
            self.buy(sl=price * 0.97, tp=price * 1.04)
        elif self.rsi[-1] > 75:
            self.position.close()


class PtaZeroLag(Strategy):
    """Twice the average less the average of it."""

    n = 12

    def init(self):
        e = ta.ema(self.data.Close.s, self.n)
        self.zlema = self.I(lambda: 2 * e - ta.ema(e.dropna(), self.n).reindex(e.index), name="zl")

    def next(self):
        if self.zlema[-1] > self.zlema[-2] > self.zlema[-3] and not self.position:
            self.buy()
        elif self.zlema[-1] < self.zlema[-2] and self.position:
            self.position.close()


CASES = (
    case(PtaEmaPair, "GOOG", {"fast": 8, "slow": 21}, {"fast": 5, "slow": 50}, commission=0.002, exclusive_orders=True),
    case(PtaRsi, "GOOG", {"length": 14, "oversold": 35}, {"length": 7, "oversold": 25}),
    case(PtaMacdHist, "EURUSD"),
    case(PtaSqueeze, "GOOG", {"narrow": 0.08}, {"narrow": 0.15}),
    case(PtaSupertrend, "made", {"multiplier": 3.0}, {"multiplier": 1.5}, commission=0.0002, exclusive_orders=True),
    case(PtaSupertrendStop, "GOOG", {"multiplier": 2.0}, {"multiplier": 1}),
    case(PtaAdx, "EURUSD", {"length": 14, "level": 22}, {"length": 8, "level": 30}, margin=0.1),
    case(PtaStoch, "GOOG", {"k": 14}, {"k": 7}),
    case(PtaEmaRsiAtr, "made", {"rr": 2.0, "atr_mult": 1.5}, {"rr": 1.0, "atr_mult": 3}, spread=0.0001),
    case(PtaTotalSignal, "EURUSD", {"sl_coef": 1.5}, {"sl_coef": 2.5}, margin=0.05),
    case(PtaSmaEnvelope, "GOOG", {"percent": 1.0}, {"percent": 3}),
    case(PtaAtrBreak, "GOOG", {"factor": 0.8}, {"factor": 0.5}, commission=0.001),
    case(PtaRsiDivergence, "GOOG", {"back": 10}, {"back": 5}),
    case(PtaZeroLag, "made", {"n": 12}, {"n": 5}),
)  # fmt: skip
