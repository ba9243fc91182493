"""Strategies on TA-Lib, which may be missing."""

import numpy as np
from backtesting import Strategy
from backtesting.lib import crossover

from real_strategies.case import Case, case

try:
    import talib
except ImportError:
    talib = None


class TaRsi(Strategy):
    """RSI out of its bounds, both parameters for the grid."""

    upper_bound = 70
    lower_bound = 30
    rsi_window = 14

    def init(self):
        self.rsi = self.I(talib.RSI, self.data.Close, self.rsi_window)

    def next(self):
        if crossover(self.rsi, self.upper_bound):
            self.position.close()
        elif crossover(self.lower_bound, self.rsi):
            self.buy()


class TaRsiShort(Strategy):
    """RSI with both sides and stops in percent."""

    upper = 65
    lower = 35
    stop = 0.05

    def init(self):
        self.rsi = self.I(talib.RSI, self.data.Close, 14)

    def next(self):
        price = self.data.Close[-1]
        if crossover(self.rsi, self.upper):
            if self.position.is_long:
                self.position.close()
                self.sell(sl=price * (1 + self.stop))
        elif crossover(self.lower, self.rsi):
            if self.position.is_short or not self.position:
                self.position.close()
                print(f"Long @ {price}")
                self.buy(sl=price * (1 - self.stop))


class TaMacd(Strategy):
    """MACD, three rows out of one function."""

    fast = 12
    slow = 26
    signal = 9

    def init(self):
        self.macd, self.macd_signal, self.hist = self.I(
            talib.MACD, self.data.Close, self.fast, self.slow, self.signal
        )

    def next(self):
        if crossover(self.macd, self.macd_signal):
            self.buy()
        elif crossover(self.macd_signal, self.macd):
            self.sell()


class TaBands(Strategy):
    """Bollinger bands by number of row."""

    period = 20
    dev = 2

    def init(self):
        self.bb = self.I(talib.BBANDS, self.data.Close, self.period, self.dev, self.dev)

    def next(self):
        if self.data.Close[-1] < self.bb[2][-1] and not self.position:
            self.buy(sl=self.data.Close[-1] * 0.95)
        if self.data.Close[-1] > self.bb[1][-1]:
            if self.position:
                print("exit %.2f, pl %.2f" % (self.data.Close[-1], self.position.pl))
            self.position.close()


class TaEmaAtr(Strategy):
    """EMA cross with brackets of the ATR."""

    ema_fast = 10
    ema_slow = 30
    mult = 2.0

    def init(self):
        self.fast = self.I(talib.EMA, self.data.Close, timeperiod=self.ema_fast)
        self.slow = self.I(talib.EMA, self.data.Close, timeperiod=self.ema_slow)
        self.atr = self.I(talib.ATR, self.data.High, self.data.Low, self.data.Close, timeperiod=14)

    def next(self):
        price = self.data.Close[-1]
        if self.equity < 2000:
            return
        if crossover(self.fast, self.slow):
            if self.position.is_short:
                self.position.close()
            self.buy(
                sl=price - self.mult * self.atr[-1],
                tp=price + 2 * self.mult * self.atr[-1],
            )
        elif crossover(self.slow, self.fast):
            if self.position.is_long:
                self.position.close()
            self.sell(
                sl=price + self.mult * self.atr[-1],
                tp=price - 2 * self.mult * self.atr[-1],
            )


class TaAdxFilter(Strategy):
    """Directional movement, only in a trend."""

    adx_level = 20

    def init(self):
        h, l, c = self.data.High, self.data.Low, self.data.Close
        self.adx = self.I(talib.ADX, h, l, c, 14)
        self.plus = self.I(talib.PLUS_DI, h, l, c, 14)
        self.minus = self.I(talib.MINUS_DI, h, l, c, 14)

    def next(self):
        trending = self.adx > self.adx_level
        if trending and self.plus > self.minus and not self.position.is_long:
            self.position.close()
            self.buy()
        elif trending and self.minus > self.plus and not self.position.is_short:
            self.position.close()
            self.sell()
        elif not trending and self.position:
            self.position.close()


class TaStoch(Strategy):
    """Slow stochastic in its lower part."""

    k_period = 14

    def init(self):
        self.k, self.d = self.I(
            talib.STOCH,
            self.data.High,
            self.data.Low,
            self.data.Close,
            fastk_period=self.k_period,
        )

    def next(self):
        if self.k[-1] < 25 and crossover(self.k, self.d):
            self.buy()
        elif self.k[-1] > 75 and crossover(self.d, self.k):
            self.position.close()


class TaHammer(Strategy):
    """Patterns of candles, which are integers."""

    exit_after = 8

    def init(self):
        args = (self.data.Open, self.data.High, self.data.Low, self.data.Close)
        self.hammer = self.I(talib.CDLHAMMER, *args)
        self.engulf = self.I(talib.CDLENGULFING, *args)
        self.bar_in = 0

    def next(self):
        if not self.position and (self.hammer[-1] == 100 or self.engulf[-1] > 0):
            self.buy()
            self.bar_in = len(self.data)
        elif self.position and len(self.data) - self.bar_in >= self.exit_after:
            self.position.close()


class TaCci(Strategy):
    """CCI from below its lower bound."""

    n = 14

    def init(self):
        self.cci = self.I(talib.CCI, self.data.High, self.data.Low, self.data.Close, self.n)

    def next(self):
        if self.cci[-2] < -100 and self.cci[-1] > -100:
            self.buy()
        if self.cci[-2] > 100 and self.cci[-1] < 100:
            self.position.close()


class TaSar(Strategy):
    """Parabolic stop and reverse."""

    acceleration = 0.02
    maximum = 0.2

    def init(self):
        self.sar = self.I(talib.SAR, self.data.High, self.data.Low, self.acceleration, self.maximum)

    def next(self):
        if self.data.Close[-1] > self.sar[-1]:
            if not self.position.is_long:
                self.position.close()
                self.buy()
        else:
            if not self.position.is_short:
                self.position.close()
                self.sell()


class TaMomentumLambda(Strategy):
    """Lambdas around TA-Lib."""

    n = 10

    def init(self):
        self.mom = self.I(lambda: talib.MOM(self.data.Close, self.n), name="mom")
        self.avg = self.I(lambda x: talib.SMA(x, self.n * 3), self.data.Close)

    def next(self):
        price = self.data.Close[-1]
        if self.mom[-1] > 0 and price > self.avg[-1] and not self.position:
            self.buy(sl=price * 0.97, tp=price * 1.05)
        elif self.mom[-1] < 0 and self.position.is_long:
            self.position.close()


class TaKeltner(Strategy):
    """Channels worked out in `next`."""

    n = 20
    k = 1.5

    def init(self):
        self.mid = self.I(talib.EMA, self.data.Close, self.n)
        self.atr = self.I(talib.ATR, self.data.High, self.data.Low, self.data.Close, self.n)

    def next(self):
        upper = self.mid[-1] + self.k * self.atr[-1]
        lower = self.mid[-1] - self.k * self.atr[-1]
        close = self.data.Close[-1]
        if close > upper and not self.position.is_long:
            self.position.close()
            self.buy()
        elif close < lower and not self.position.is_short:
            self.position.close()
            self.sell()


class TaDoubleRsi(Strategy):
    """A short and a long RSI, with a profit target read from the position."""

    def init(self):
        self.rsi2 = self.I(talib.RSI, self.data.Close, 2)
        self.rsi14 = self.I(talib.RSI, self.data.Close, 14)

    def next(self):
        if self.position:
            if self.position.pl_pct > 4 or self.rsi2 > 90:
                self.position.close()
        elif self.rsi2 < 15 and self.rsi14 > 45:
            self.buy()


class TaTrix(Strategy):
    """TRIX over zero."""

    n = 9

    def init(self):
        self.trix = self.I(talib.TRIX, self.data.Close, self.n)

    def next(self):
        if self.trix[-1] > 0 >= self.trix[-2]:
            self.buy()
        elif self.trix[-1] < 0 <= self.trix[-2]:
            self.position.close()


class TaMfi(Strategy):
    """Money flow, which wants doubles."""

    n = 14
    low = 30
    high = 70

    def init(self):
        volume = np.asarray(self.data.Volume, dtype=float)
        self.mfi = self.I(talib.MFI, self.data.High, self.data.Low, self.data.Close, volume, self.n)

    def next(self):
        if self.mfi < self.low:
            if not self.position:
                self.buy(tag="mfi")
        elif self.mfi > self.high:
            self.position.close()


class TaAroon(Strategy):
    """Aroon with a printed trade."""

    n = 14
    verbose = False

    def init(self):
        self.down, self.up = self.I(talib.AROON, self.data.High, self.data.Low, self.n)

    def next(self):
        if self.up > 70 and self.down < 30 and not self.position:
            self.buy()
            if self.verbose:
                print(f"buy at {self.data.Close[-1]:.2f} on {self.data.index[-1]}")
        elif self.down > 70 and self.position:
            self.position.close()
            if self.verbose:
                print("out, equity", self.equity)


class TaLinearReg(Strategy):
    """Price against its forecast."""

    n = 14
    factor = 0.01

    def init(self):
        self.tsf = self.I(talib.TSF, self.data.Close, self.n)

    def next(self):
        deviation = (self.data.Close[-1] - self.tsf[-1]) / self.tsf[-1]
        if deviation < -self.factor and not self.position:
            self.buy(sl=self.data.Close[-1] * 0.96)
        elif deviation > 0 and self.position:
            self.position.close()


class TaMaTypes(Strategy):
    """Text as a parameter chooses the kind of average."""

    kind = "ema"
    n = 20

    def init(self):
        functions = {"sma": talib.SMA, "ema": talib.EMA, "wma": talib.WMA}
        self.ma = self.I(functions[self.kind], self.data.Close, self.n)

    def next(self):
        factor = 1.01 if self.kind == "sma" else 1.0
        if self.data.Close[-1] > self.ma[-1] * factor and not self.position:
            self.buy()
        elif self.data.Close[-1] < self.ma[-1] and self.position:
            self.position.close()


class TaThreeFilters(Strategy):
    """Many conditions at once by `all`."""

    n = 14

    def init(self):
        close = self.data.Close
        self.ema = self.I(talib.EMA, close, 50)
        self.rsi = self.I(talib.RSI, close, self.n)
        self.macd, self.sig, _ = self.I(talib.MACD, close)

    def next(self):
        conditions = [
            self.data.Close[-1] > self.ema,
            self.rsi > 50,
            self.macd > self.sig,
        ]
        if all(conditions) and not self.position:
            self.buy()
        elif self.position and sum(conditions) <= 1:
            self.position.close()


class TaSupport(Strategy):
    """Support and resistance by TA-Lib's extremes."""

    n = 20
    near = 0.01

    def init(self):
        self.sup = self.I(talib.MIN, self.data.Low, self.n)
        self.res = self.I(talib.MAX, self.data.High, self.n)

    def next(self):
        price = self.data.Close[-1]
        if not self.position:
            if abs(price - self.sup[-1]) / price < self.near:
                self.buy(
                    size=int(0.5 * self.equity / price),
                    sl=self.sup[-1] * (1 - self.near),
                    tp=price + 0.8 * (self.res[-1] - self.sup[-1]),
                )


class TaScaleOut(Strategy):
    """A third of the position at each bar over the band."""

    n = 10

    def init(self):
        self.rsi = self.I(talib.RSI, self.data.Close, self.n)

    def next(self):
        if self.rsi < 35 and self.position.size == 0:
            self.buy(size=0.9)
        elif self.rsi > 55 and self.position.is_long:
            self.position.close(portion=1 / 3)


class TaUltimate(Strategy):
    """Two oscillators with `or`, sizes from the equity."""

    risk_pct = 2

    def init(self):
        h, l, c = self.data.High, self.data.Low, self.data.Close
        self.ult = self.I(talib.ULTOSC, h, l, c)
        self.willr = self.I(talib.WILLR, h, l, c, 14)
        self.atr = self.I(talib.ATR, h, l, c, 14)

    def next(self):
        c = self.data.Close[-1]
        if not self.position:
            if self.ult < 40 or self.willr < -85:
                risk = self.equity * self.risk_pct / 100
                units = int(risk / (2 * self.atr[-1]))
                if units >= 1:
                    self.buy(size=units, sl=c - 2 * self.atr[-1])
        elif self.ult > 60 or self.willr > -15:
            self.position.close()


class TaNatrText(Strategy):
    """Volatility by name, one average a regime."""

    calm = 1.5
    mode = "both"

    def init(self):
        self.natr = self.I(talib.NATR, self.data.High, self.data.Low, self.data.Close, 14)
        self.quick = self.I(talib.SMA, self.data.Close, 10)
        self.steady = self.I(talib.SMA, self.data.Close, 30)

    def next(self):
        regime = "calm" if self.natr[-1] < self.calm else "wild"
        ma = self.quick if regime == "wild" else self.steady
        if self.data.Close[-1] > ma[-1]:
            if self.position.is_short:
                self.position.close()
            if not self.position and self.mode in ("long", "both"):
                self.buy()
        elif self.data.Close[-1] < ma[-1]:
            if self.position.is_long:
                self.position.close()
            if not self.position and self.mode in ["short", "both"]:
                self.sell()


def ta_case(strategy: type[Strategy], data: str, *grid: dict, **more) -> Case:
    return case(strategy, data, *grid, needs="talib", **more)


CASES = (
    ta_case(TaRsi, "GOOG", {"upper_bound": 60, "lower_bound": 40}, {"upper_bound": 65, "lower_bound": 35}),
    ta_case(TaRsiShort, "EURUSD", {"upper": 65, "lower": 35, "stop": 0.05}, {"upper": 60, "lower": 40, "stop": 0.01}),
    ta_case(TaMacd, "GOOG", {"fast": 12, "slow": 26}, {"fast": 6, "slow": 13}, commission=0.002, exclusive_orders=True),
    ta_case(TaBands, "GOOG", {"period": 20, "dev": 2}, {"period": 10, "dev": 1.5}),
    ta_case(TaEmaAtr, "EURUSD", {"ema_fast": 10, "mult": 2.0}, {"ema_fast": 5, "mult": 1.0}, margin=0.1, spread=0.0001),
    ta_case(TaAdxFilter, "GOOG", {"adx_level": 20}, {"adx_level": 30}, cash=50_000),
    ta_case(TaStoch, "made", {"k_period": 14}, {"k_period": 5}),
    ta_case(TaHammer, "GOOG", {"exit_after": 8}, {"exit_after": 3}, commission=0.001),
    ta_case(TaCci, "GOOG", {"n": 14}, {"n": 30}, exclusive_orders=True),
    ta_case(TaSar, "made", {"acceleration": 0.02}, {"acceleration": 0.01, }, commission=0.0003),
    ta_case(TaMomentumLambda, "GOOG", {"n": 10}, {"n": 5}, trade_on_close=True),
    ta_case(TaKeltner, "GOOG", {"n": 20, "k": 1.5}, {"n": 10, "k": 1}, margin=0.5),
    ta_case(TaDoubleRsi, "GOOG"),
    ta_case(TaTrix, "made", {"n": 9}, {"n": 4}),
    ta_case(TaMfi, "GOOG", {"low": 30, "high": 70}, {"low": 40, "high": 60}),
    ta_case(TaAroon, "made", {"n": 14, "verbose": False}, {"n": 25, "verbose": False}),
    ta_case(TaLinearReg, "GOOG", {"factor": 0.01}, {"factor": 0.02}),
    ta_case(TaMaTypes, "GOOG", {"kind": "ema"}, {"kind": "sma"}, {"kind": "wma"}),
    ta_case(TaThreeFilters, "GOOG", {"n": 14}, {"n": 7}),
    ta_case(TaSupport, "made", {"near": 0.01}, {"near": 0.004}, commission=(1, 0.0001)),
    ta_case(TaScaleOut, "GOOG", {"n": 10}, {"n": 6}, cash=30_000),
    ta_case(TaUltimate, "GOOG", {"risk_pct": 2}, {"risk_pct": 5}, cash=60_000),
    ta_case(TaNatrText, "GOOG", {"mode": "both"}, {"mode": "long"}, {"mode": "short"}),
)  # fmt: skip
