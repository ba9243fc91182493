"""Strategies that have grown: methods, printing, state, brackets, many filters."""

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


def r_multiple(entry, stop, price):
    """Profit in units of the first risk."""
    risk = abs(entry - stop)
    return (price - entry) / risk if risk > 0 else 0.0


class GrownTrendRider(Strategy):
    """Partial profit, then break even, then a trailing stop; the side kept as text."""

    def init(self):
        h, l, c = self.data.High, self.data.Low, self.data.Close
        self.ema_fast = self.I(talib.EMA, c, 12)
        self.ema_slow = self.I(talib.EMA, c, 36)
        self.atr = self.I(talib.ATR, h, l, c, 14)
        self.entry_price = None
        self.initial_stop = None
        self.stage = "none"

    def reset(self):
        self.entry_price = None
        self.initial_stop = None
        self.stage = "none"

    def manage(self, price):
        r = r_multiple(self.entry_price, self.initial_stop, price)
        if self.stage == "open" and r >= 1:
            self.position.close(0.5)
            self.stage = "half"
        elif self.stage == "half":
            for trade in self.trades:
                trade.sl = max(trade.sl, price - 2 * self.atr[-1])

    def next(self):
        price = self.data.Close[-1]
        if not self.position:
            if self.entry_price is not None:
                self.reset()
            if crossover(self.ema_fast, self.ema_slow):
                self.entry_price = price
                self.initial_stop = price - 2 * self.atr[-1]
                self.stage = "open"
                self.buy(size=0.8, sl=self.initial_stop)
        elif self.position.is_long and self.entry_price is not None:
            self.manage(price)


class GrownBothSides(Strategy):
    """Entry, exit and size in methods of their own, with prints for debugging."""

    debug = False

    def init(self):
        c = self.data.Close
        self.rsi = self.I(talib.RSI, c, 14)
        self.atr = self.I(talib.ATR, self.data.High, self.data.Low, c, 14)
        self.trend = self.I(talib.SMA, c, 60)

    def log(self, what):
        if self.debug:
            print(self.data.index[-1], what, f"equity={self.equity:.0f}")

    def units(self, distance):
        return int(self.equity * 0.015 / distance)

    def open_long(self):
        dist = 2 * self.atr[-1]
        n = self.units(dist)
        if n > 0:
            self.buy(size=n, sl=self.data.Close[-1] - dist, tp=self.data.Close[-1] + 2 * dist)
            self.log("long")

    def open_short(self):
        dist = 2 * self.atr[-1]
        n = self.units(dist)
        if n > 0:
            self.sell(size=n, sl=self.data.Close[-1] + dist, tp=self.data.Close[-1] - 2 * dist)
            self.log("short")

    def next(self):
        if self.position:
            if self.position.is_long and self.rsi[-1] > 75:
                self.position.close()
            elif self.position.is_short and self.rsi[-1] < 25:
                self.position.close()
            return
        if self.data.Close[-1] > self.trend[-1] and self.rsi[-1] < 45:
            self.open_long()
        elif self.data.Close[-1] < self.trend[-1] and self.rsi[-1] > 55:
            self.open_short()


class GrownRegimes(Strategy):
    """Trend or range by ADX; another rule for each, the mode as text."""

    adx_level = 22

    def init(self):
        h, l, c = self.data.High, self.data.Low, self.data.Close
        self.adx = self.I(talib.ADX, h, l, c, 14)
        self.upper, self.middle, self.lower = self.I(talib.BBANDS, c, 20, 2, 2)
        self.mode = None

    def in_trend(self):
        return self.adx[-1] > self.adx_level

    def next(self):
        price = self.data.Close[-1]
        mode = "trend" if self.in_trend() else "range"
        if mode != self.mode and self.position:
            self.position.close()
        self.mode = mode
        if self.mode == "trend":
            if price > self.upper[-1] and not self.position.is_long:
                self.buy(size=0.5, sl=self.middle[-1])
            elif price < self.lower[-1] and not self.position.is_short:
                self.sell(size=0.5, sl=self.middle[-1])
        else:
            if price < self.lower[-1] and not self.position.is_long:
                self.buy(size=0.5, sl=price * 0.95, tp=self.middle[-1])
            elif price > self.upper[-1] and not self.position.is_short:
                self.sell(size=0.5, sl=price * 1.05, tp=self.middle[-1])


class GrownDaily(Strategy):
    """At most so much lost in a day, then nothing until the next."""

    def init(self):
        self.fast = self.I(talib.EMA, self.data.Close, 6)
        self.slow = self.I(talib.EMA, self.data.Close, 18)
        self.day = None
        self.start_equity = None
        self.blocked = False

    def new_day(self):
        today = self.data.index[-1].date()
        if self.day != today:
            self.day = today
            self.start_equity = self.equity
            self.blocked = False

    def next(self):
        self.new_day()
        if self.equity < self.start_equity * 0.995:
            self.blocked = True
        if self.blocked:
            for trade in self.trades:
                trade.close()
            return
        price = self.data.Close[-1]
        if crossover(self.fast, self.slow) and not self.trades:
            self.buy(sl=price * 0.994, tp=price * 1.01)
        elif crossover(self.slow, self.fast) and not self.trades:
            self.sell(sl=price * 1.006, tp=price * 0.99)


class GrownScores(Strategy):
    """Points for each filter, orders with a tag, results kept in a list."""

    def init(self):
        h, l, c = self.data.High, self.data.Low, self.data.Close
        self.rsi = self.I(talib.RSI, c, 10)
        self.mom = self.I(talib.MOM, c, 10)
        self.adx = self.I(talib.ADX, h, l, c, 10)
        self.ma = self.I(talib.SMA, c, 30)
        self.scores = []

    def score(self):
        points = 0
        points += 1 if self.rsi[-1] > 50 else -1
        points += 1 if self.mom[-1] > 0 else -1
        points += 1 if self.data.Close[-1] > self.ma[-1] else -1
        if self.adx[-1] < 15 or self.equity < 5000:
            points = 0
        return points

    def next(self):
        self.scores.append(self.score())
        if len(self.scores) > 3:
            self.scores.pop(0)
        total = sum(self.scores)
        c = self.data.Close[-1]
        if total >= 8 and not self.position.is_long:
            self.buy(size=0.45, sl=c * 0.97, tp=c * 1.05, tag="strong")
        elif total <= -8 and not self.position.is_short:
            self.sell(size=0.45, sl=c * 1.03, tp=c * 0.95, tag="weak")


class GrownPatterns(Strategy):
    """Candle patterns, confirmed by the next bar, remembered with None."""

    def init(self):
        args = (self.data.Open, self.data.High, self.data.Low, self.data.Close)
        self.engulf = self.I(talib.CDLENGULFING, *args)
        self.doji = self.I(talib.CDLDOJI, *args)
        self.atr = self.I(talib.ATR, *args[1:], 10)
        self.wait_high = None
        self.wait_low = None

    def next(self):
        if self.wait_high is not None and self.data.Close[-1] > self.wait_high:
            if not self.position:
                self.buy(sl=self.wait_low, tp=self.data.Close[-1] + 2 * self.atr[-1])
            self.wait_high = self.wait_low = None
        elif self.wait_low is not None and self.data.Close[-1] < self.wait_low:
            self.wait_high = self.wait_low = None
        if self.engulf[-1] == 100 or (self.doji[-1] != 0 and self.engulf[-2] >= 0):
            self.wait_high = self.data.High[-1]
            self.wait_low = self.data.Low[-1]


class GrownLayers(Strategy):
    """Adds at each fall, the average price worked out, one target for all."""

    layers = 3

    def init(self):
        self.rsi = self.I(talib.RSI, self.data.Close, 9)
        self.last_buy = None

    def average_entry(self):
        total = sum(t.size for t in self.trades)
        return sum(t.size * t.entry_price for t in self.trades) / total

    def next(self):
        price = self.data.Close[-1]
        if self.trades:
            if price > self.average_entry() * 1.02:
                self.position.close()
                self.last_buy = None
            elif self.last_buy and price < self.last_buy * 0.97 and len(self.trades) < self.layers:
                self.buy(size=0.3)
                self.last_buy = price
        elif self.rsi < 35:
            self.buy(size=0.25)
            self.last_buy = price


class GrownTurtle(Strategy):
    """Units by N, adds each half N, stops by trade."""

    def init(self):
        h, l, c = self.data.High, self.data.Low, self.data.Close
        self.n = self.I(talib.ATR, h, l, c, 20)
        self.high20 = self.I(talib.MAX, h, 20)
        self.low10 = self.I(talib.MIN, l, 10)
        self.next_add = None
        self.adds = 0

    def unit(self):
        return max(1, int(0.01 * self.equity / self.n[-1]))

    def next(self):
        price = self.data.Close[-1]
        if self.position.is_long:
            if price < self.low10[-2]:
                self.position.close()
                self.next_add = None
            elif self.adds < 4 and price > self.next_add:
                self.buy(size=self.unit(), sl=price - 2 * self.n[-1])
                self.next_add = price + 0.5 * self.n[-1]
                self.adds += 1
        elif price > self.high20[-2]:
            self.buy(size=self.unit(), sl=price - 2 * self.n[-1])
            self.next_add = price + 0.5 * self.n[-1]
            self.adds = 1


class GrownSwing(Strategy):
    """Swing points found bar by bar, in lists."""

    def init(self):
        self.swing_highs = []
        self.swing_lows = []
        self.ema = self.I(talib.EMA, self.data.Close, 20)

    def find_swings(self):
        h, l = self.data.High, self.data.Low
        if h[-3] > h[-2] > h[-1] and h[-3] > h[-4] > h[-5]:
            self.swing_highs.append(h[-3])
        if l[-3] < l[-2] < l[-1] and l[-3] < l[-4] < l[-5]:
            self.swing_lows.append(l[-3])

    def next(self):
        if len(self.data) < 6:
            return
        self.find_swings()
        if len(self.swing_lows) < 2 or len(self.swing_highs) < 2:
            return
        price = self.data.Close[-1]
        higher_low = self.swing_lows[-1] > self.swing_lows[-2]
        if higher_low and price > self.ema[-1] and not self.position:
            sl = self.swing_lows[-1]
            if sl < price:
                self.buy(size=0.7, sl=sl, tp=price + (price - sl))


class GrownWithTry(Strategy):
    """Every order in a `try`, with the text of the problem counted."""

    def init(self):
        self.macd, self.signal, _ = self.I(talib.MACD, self.data.Close)
        self.failed = 0
        self.last_error = None

    def place(self, side, sl, tp):
        try:
            if side == 1:
                self.buy(size=0.95, sl=sl, tp=tp)
            else:
                self.sell(size=0.95, sl=sl, tp=tp)
        except (ValueError, AssertionError):
            self.failed += 1
            self.last_error = "refused"

    def next(self):
        if self.position:
            return
        c = self.data.Close[-1]
        if crossover(self.macd, self.signal):
            self.place(
                1, min(self.data.Low[-1], self.data.Low[-2]), c + 2 * (c - self.data.Low[-3])
            )
        elif crossover(self.signal, self.macd):
            self.place(
                -1, max(self.data.High[-1], self.data.High[-2]), c - 2 * (self.data.High[-3] - c)
            )


class GrownPortfolioPrint(Strategy):
    """Prints a report at every closed trade."""

    verbose = False

    def init(self):
        self.k, self.d = self.I(talib.STOCH, self.data.High, self.data.Low, self.data.Close)
        self.count = 0

    def next(self):
        if len(self.closed_trades) > self.count:
            self.count = len(self.closed_trades)
            last = self.closed_trades[-1]
            if self.verbose:
                print(f"#{self.count}: {last.pl:+.2f} ({last.pl_pct:.2%}) in {last.exit_bar}")
        if self.k[-1] < 20 and self.k[-1] > self.d[-1] and not self.position.is_long:
            self.buy(size=0.5, tp=self.data.Close[-1] * 1.05)
        elif self.k[-1] > 80 and self.k[-1] < self.d[-1] and self.position.is_long:
            self.position.close()


class GrownPta(Strategy):
    """Pandas indicators, text state for three phases, printing and a portion."""

    def init(self):
        c = self.data.Close.s
        self.ema = self.I(ta.ema, c, 34)
        self.rsi = self.I(ta.rsi, c, 14)
        self.phase = "idle"

    def say(self, text):
        if len(self.data) == 0:
            print(f"{text}: {self.data.Close[-1]}")

    def next(self):
        price = self.data.Close[-1]
        if self.phase == "idle" and price > self.ema[-1]:
            self.phase = "trend"
        elif self.phase == "trend":
            if price < self.ema[-1] * 0.99:
                self.phase = "idle"
            elif self.rsi[-1] < 50:
                self.say("entry")
                self.buy(size=0.9, sl=price * 0.95)
                self.phase = "entered"
        elif self.phase == "entered":
            if not self.position:
                self.phase = "idle"
            elif self.rsi[-1] > 70:
                self.position.close(portion=0.25)
                self.say("part")


class GrownPtaTrail(Strategy):
    """The best price since the entry, None while flat, both sides."""

    def init(self):
        h, l, c = self.data.High.s, self.data.Low.s, self.data.Close.s
        self.atr = self.I(ta.atr, h, l, c, 10)
        self.ema = self.I(ta.ema, c, 25)
        self.best = None

    def next(self):
        price = self.data.Close[-1]
        if self.position.is_long:
            self.best = price if self.best is None else max(self.best, price)
            if price < self.best - 3 * self.atr[-1]:
                self.position.close()
                self.best = None
        elif self.position.is_short:
            self.best = price if self.best is None else min(self.best, price)
            if price > self.best + 3 * self.atr[-1]:
                self.position.close()
                self.best = None
        elif crossover(self.data.Close, self.ema):
            self.buy()
        elif crossover(self.ema, self.data.Close):
            self.sell()


class GrownPtaSession(Strategy):
    """Hours, days, pandas indicators, units from pips at risk."""

    def init(self):
        c = self.data.Close.s
        self.fast = self.I(ta.ema, c, 9)
        self.slow = self.I(ta.ema, c, 30)
        self.atr = self.I(ta.atr, self.data.High.s, self.data.Low.s, c, 14)

    def is_session(self):
        t = self.data.index[-1]
        return 7 <= t.hour <= 17 and t.weekday() < 4

    def next(self):
        if not self.is_session() or self.position:
            return
        price = self.data.Close[-1]
        units = round(self.equity * 0.01 / (1.5 * self.atr[-1]) / 1000) * 1000
        if units <= 0:
            return
        if self.fast[-1] > self.slow[-1]:
            self.buy(size=units, sl=price - 1.5 * self.atr[-1], tp=price + 1.5 * self.atr[-1])
        else:
            self.sell(size=units, sl=price + 1.5 * self.atr[-1], tp=price - 1.5 * self.atr[-1])


class GrownParent(Strategy):
    """A parent with an account of its own: equity at the start, drawdown, sizes."""

    risk_fraction = 0.3

    def init(self):
        self.high_water = None

    def next(self):
        if self.high_water is None or self.equity > self.high_water:
            self.high_water = self.equity

    def size_now(self):
        drawdown = 1 - self.equity / self.high_water
        return self.risk_fraction * (0.5 if drawdown > 0.05 else 1.0)


class GrownChildBreakout(GrownParent):
    """Breakouts on the parent's sizes."""

    def init(self):
        super().init()
        self.bb = self.I(lambda: ta.bbands(self.data.Close.s, 15, 1.5).to_numpy().T, name="bb")

    def next(self):
        super().next()
        price = self.data.Close[-1]
        if price > self.bb[2][-1] and not self.position.is_long:
            self.buy(size=self.size_now(), sl=self.bb[0][-1], tp=price * 1.04)
        elif price < self.bb[0][-1] and not self.position.is_short:
            self.sell(size=self.size_now(), sl=self.bb[2][-1], tp=price * 0.96)


class GrownChildMeanReversion(GrownParent):
    """Mean reversion on the same parent, closing trades one by one."""

    def init(self):
        super().init()
        self.rsi = self.I(ta.rsi, self.data.Close.s, 5)

    def next(self):
        super().next()
        for trade in self.trades:
            if trade.pl_pct > 0.01 or len(self.data) - trade.entry_bar > 8:
                trade.close()
        if self.rsi < 25 and len(self.trades) < 3:
            self.buy(size=self.size_now())


class GrownFeatures(Strategy):
    """A vector of features and a linear rule learnt before: a model by hand."""

    def init(self):
        c = self.data.Close.s
        features = pd.DataFrame(
            {"r1": c.pct_change(), "r5": c.pct_change(5), "rsi": ta.rsi(c, 10) / 100 - 0.5}
        ).fillna(0.0)
        target = np.sign(c.shift(-1) / c - 1).fillna(0.0)
        half = len(c) // 3
        self.weights, *_ = np.linalg.lstsq(features[:half], target[:half], rcond=None)
        self.x = self.I(lambda: features.to_numpy().T, name=list(features.columns))

    def forecast(self):
        return float(np.dot(self.weights, self.x[:, -1]))

    def next(self):
        value = self.forecast()
        price = self.data.Close[-1]
        if value > 0.02 and not self.position.is_long:
            self.buy(size=0.2, sl=price * 0.97, tp=price * 1.03)
        elif value < -0.02 and not self.position.is_short:
            self.sell(size=0.2, sl=price * 1.03, tp=price * 0.97)


class GrownRangeBars(Strategy):
    """A box kept as a tuple; orders at both of its ends, cancelled with it."""

    def init(self):
        self.box = None
        self.age = 0

    def cancel_all(self):
        for order in self.orders:
            if not order.is_contingent:
                order.cancel()

    def next(self):
        if len(self.data) < 25:
            return
        if self.position:
            self.cancel_all()
            self.box = None
            return
        if self.box is None:
            top, bottom = self.data.High[-20:].max(), self.data.Low[-20:].min()
            if top / bottom - 1 < 0.08:
                self.box = (top, bottom)
                self.age = 0
                height = top - bottom
                self.buy(size=0.5, stop=top * 1.001, sl=top - height / 2, tp=top + height)
                self.sell(size=0.5, stop=bottom * 0.999, sl=bottom + height / 2, tp=bottom - height)
        else:
            self.age += 1
            if self.age > 15:
                self.cancel_all()
                self.box = None


CASES = (
    case(GrownTrendRider, "GOOG", needs="talib", commission=0.001),
    case(GrownBothSides, "GOOG", {"debug": False}, needs="talib", cash=100_000),
    case(GrownRegimes, "GOOG", {"adx_level": 22}, {"adx_level": 30}, needs="talib"),
    case(GrownDaily, "made", needs="talib", commission=0.0001),
    case(GrownScores, "GOOG", needs="talib", exclusive_orders=True),
    case(GrownPatterns, "GOOG", needs="talib"),
    case(GrownLayers, "GOOG", {"layers": 3}, {"layers": 2}, needs="talib", cash=50_000),
    case(GrownTurtle, "GOOG", needs="talib", cash=200_000, commission=0.0005),
    case(GrownSwing, "made", needs="talib"),
    case(GrownWithTry, "GOOG", needs="talib", commission=0.0005),
    case(GrownPortfolioPrint, "GOOG", {"verbose": False}, needs="talib", cash=30_000),
    case(GrownPta, "GOOG", cash=40_000),
    case(GrownPtaTrail, "made", spread=0.0002),
    case(GrownPtaSession, "EURUSD", margin=0.05),
    case(GrownChildBreakout, "made", {"risk_fraction": 0.3}, {"risk_fraction": 0.6}),
    case(GrownChildMeanReversion, "EURUSD", {"risk_fraction": 0.3}, {"risk_fraction": 0.1}),
    case(GrownFeatures, "GOOG", compiles=None, hedging=True),
    case(GrownRangeBars, "GOOG", trade_on_close=True),
)  # fmt: skip
