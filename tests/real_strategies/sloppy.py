"""What grew in notebooks: prints, `try` around orders, leftovers, roundabout ways."""

import logging
import math
import random

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import SMA

from real_strategies.case import case

log = logging.getLogger(__name__)
DEBUG = False
RISK = 0.02


def highest(h, n):
    return pd.Series(h).rolling(n).max()


class TryAroundOrders(Strategy):
    """Stops that may lie on the wrong side, caught and forgotten."""

    sl_mult = 1.0

    def init(self):
        self.fast = self.I(SMA, self.data.Close, 5)
        self.slow = self.I(SMA, self.data.Close, 20)

    def next(self):
        price = self.data.Close[-1]
        try:
            if crossover(self.fast, self.slow):
                self.position.close()
                self.buy(sl=self.slow[-1] - self.sl_mult)
            elif crossover(self.slow, self.fast):
                self.position.close()
                self.sell(sl=self.slow[-1] + self.sl_mult)
        except Exception as e:
            if DEBUG:
                print("order failed", price, e)


class TryValueError(Strategy):
    """A second order where the first was refused."""

    def init(self):
        self.hh = self.I(highest, self.data.High, 7)

    def next(self):
        if self.position:
            if self.data.Close[-1] < self.data.Low[-2]:
                self.position.close()
            return
        try:
            self.buy(size=0.5, stop=self.data.Close[-1] * 1.01, sl=self.hh[-2] * 0.985)
        except ValueError:
            self.buy(size=0.5)


class PrintsEverything(Strategy):
    """Prints at each entry and exit (here to nobody)."""

    n = 12
    quiet = True

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)

    def log(self, text):
        if not self.quiet:
            print(f"{self.data.index[-1]}: {text}")

    def next(self):
        if crossover(self.data.Close, self.ma):
            self.log(f"BUY at {self.data.Close[-1]:.2f}")
            self.buy()
        elif crossover(self.ma, self.data.Close):
            self.log("SELL, pl " + str(round(self.position.pl, 2)))
            self.position.close()


class LogsWithLevels(Strategy):
    """The logging module instead."""

    threshold = 0.015

    def init(self):
        self.ret = self.I(lambda c: pd.Series(c).pct_change(3), self.data.Close)

    def next(self):
        if self.ret < -self.threshold and not self.position:
            log.debug("dip of %.2f%%", self.ret[-1] * 100)
            self.buy()
        elif self.ret > self.threshold and self.position:
            log.debug("out with %s", self.position.pl)
            self.position.close()


class GlobalsAndMath(Strategy):
    """Constants of the module, math functions, nested conditions."""

    lookback = 10

    def init(self):
        self.std = self.I(lambda c: pd.Series(c).rolling(self.lookback).std(), self.data.Close)
        self.ma = self.I(SMA, self.data.Close, self.lookback)

    def next(self):
        price = self.data.Close[-1]
        score = math.tanh((price - self.ma[-1]) / max(self.std[-1], 1e-9))
        wanted = math.floor(self.equity * RISK / max(self.std[-1], 0.01))
        if math.isnan(score):
            return
        if score > 0.5:
            if not self.position:
                if wanted > 0:
                    self.buy(size=min(wanted, int(self.equity / price * 0.9)))
            else:
                pass
        else:
            if self.position:
                if score < 0:
                    self.position.close()


class EverythingTwice(Strategy):
    """The same conditions many times, comparisons with True, unused variables."""

    n1 = 5
    n2 = 15

    def init(self):
        self.s1 = self.I(SMA, self.data.Close, self.n1)
        self.s2 = self.I(SMA, self.data.Close, self.n2)
        self.in_trade = False

    def next(self):
        current_price = self.data.Close[-1]
        current_time = self.data.index[-1]
        if (self.s1[-1] > self.s2[-1]) == True and self.in_trade == False:  # noqa: E712
            self.buy()
            self.in_trade = True
        if (self.s1[-1] < self.s2[-1]) == True and self.in_trade == True:  # noqa: E712
            self.position.close()
            self.in_trade = False


class AndOrValues(Strategy):
    """`or` for defaults, `and` for values."""

    default_size = None
    n = 10

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)
        self.last_exit = None

    def next(self):
        size = self.default_size or 0.75
        reference = self.last_exit or self.data.Close[-1]
        ok = self.data.Close[-1] > self.ma[-1] and self.data.Close[-1] <= reference * 1.05
        if ok and not self.position:
            self.buy(size=size)
        elif not ok and self.position:
            self.last_exit = self.data.Close[-1]
            self.position.close()


class NanChecks(Strategy):
    """NaN looked for in `next`, since the indicators are outside of `self.I`."""

    period = 25

    def init(self):
        self.sma = pd.Series(self.data.Close).rolling(self.period).mean().values
        self.i = 0

    def next(self):
        i = len(self.data) - 1
        if np.isnan(self.sma[i]):
            return
        if self.data.Close[-1] > self.sma[i] and not self.position:
            self.buy()
        elif self.data.Close[-1] < self.sma[i] and self.position:
            self.position.close()


class EarlyReturns(Strategy):
    """One guard after the other."""

    min_vol = 0.005
    n = 14

    def init(self):
        self.rng = self.I(lambda df: (df.High - df.Low) / df.Close, self.data.df, name="rng")
        self.ma = self.I(SMA, self.data.Close, self.n)

    def next(self):
        if len(self.data) < 30:
            return
        if self.position:
            if self.data.Close[-1] < self.ma[-1]:
                self.position.close()
            return
        if self.rng[-1] < self.min_vol:
            return
        if not self.data.Close[-1] > self.ma[-1]:
            return
        if self.equity < 1000:
            return
        self.buy()


class WhileLoops(Strategy):
    """Counts with `while` and `break` how long prices have risen."""

    streak = 3

    def init(self):
        pass

    def next(self):
        if len(self.data) < 12:
            return
        run = 0
        i = 1
        while i < 10:
            if self.data.Close[-i] <= self.data.Close[-i - 1]:
                break
            run += 1
            i += 1
        if run >= self.streak and not self.position:
            self.sell(size=0.5)
        elif run == 0 and self.position.is_short:
            self.position.close()


class RandomEntries(Strategy):
    """Coin flips with a seed: the benchmark of the sceptic."""

    seed = 1

    def init(self):
        self.rng = random.Random(self.seed)

    def next(self):
        if self.position:
            if self.rng.random() < 0.1:
                self.position.close()
        elif self.rng.random() < 0.05:
            self.buy() if self.rng.random() < 0.5 else self.sell()


class NumpyScalars(Strategy):
    """Functions of numpy on single numbers."""

    n = 20

    def init(self):
        self.logret = self.I(lambda c: np.append(0, np.diff(np.log(c))), self.data.Close, name="lr")
        self.vol = self.I(
            lambda c: pd.Series(c).pct_change().rolling(self.n).std(), self.data.Close
        )

    def next(self):
        move = np.abs(self.logret[-1])
        side = np.sign(self.logret[-1])
        limit = np.maximum(1.2 * self.vol[-1], 0.0005)
        if not self.position and move > limit:
            size = float(np.clip(0.01 / self.vol[-1], 0.1, 0.9))
            if side > 0:
                self.sell(size=size)
            else:
                self.buy(size=size)
        elif np.sqrt(move) < 0.5 * np.sqrt(limit):
            self.position.close()


class KeptClose(Strategy):
    """A column kept in `init`, which is then not revealed: `[-1]` is the last bar of all."""

    n = 30

    def init(self):
        self.close = self.data.Close
        self.ma = self.I(SMA, self.close, self.n)

    def next(self):
        now = self.close[len(self.data) - 1]
        if now < self.ma[-1] and self.ma[-1] < self.close[-1] * 1.5 and not self.position:
            self.buy()
        elif now > self.ma[-1] * 1.01:
            self.position.close()


class ClassLevelList(Strategy):
    """A list of the class, with a counter by index."""

    weights = [0.2, 0.4, 0.8]

    def init(self):
        self.ma = self.I(SMA, self.data.Close, 18)
        self.step = 0

    def next(self):
        if crossover(self.data.Close, self.ma):
            self.buy(size=self.weights[self.step])
            self.step = (self.step + 1) % len(self.weights)
        elif crossover(self.ma, self.data.Close):
            self.position.close()


class SwitchesItself(Strategy):
    """Swaps its own method after the first trade: nothing to translate."""

    n = 10

    def init(self):
        self.ma = self.I(SMA, self.data.Close, self.n)
        self.act = self.wait

    def wait(self):
        if self.data.Close[-1] > self.ma[-1]:
            self.buy()
            self.act = self.hold

    def hold(self):
        if self.data.Close[-1] < self.ma[-1]:
            self.position.close()
            self.act = self.wait

    def next(self):
        self.act()


CASES = (
    case(TryAroundOrders, "GOOG", {"sl_mult": 1.0}, {"sl_mult": -2.0}),
    case(TryValueError, "GOOG", cash=20_000),
    case(PrintsEverything, "GOOG", {"n": 12}, {"n": 30}, commission=0.002),
    case(LogsWithLevels, "GOOG", {"threshold": 0.015}, {"threshold": 0.04}),
    case(GlobalsAndMath, "made", {"lookback": 10}, {"lookback": 25}),
    case(EverythingTwice, "EURUSD", {"n1": 5, "n2": 15}, {"n1": 3, "n2": 40}),
    case(AndOrValues, "GOOG", {"default_size": None}, {"default_size": 0.3}),
    case(NanChecks, "GOOG", {"period": 25}, {"period": 60}),
    case(EarlyReturns, "GOOG", {"min_vol": 0.005, "n": 14}, {"min_vol": 0.03, "n": 8}),
    case(WhileLoops, "GOOG", {"streak": 3}, {"streak": 2}, margin=0.5),
    case(RandomEntries, "made", {"seed": 1}, {"seed": 2}, {"seed": 3}, compiles=None),
    case(NumpyScalars, "made", {"n": 20}, {"n": 40}, commission=0.0001),
    case(KeptClose, "GOOG", {"n": 30}, {"n": 10}),
    case(ClassLevelList, "GOOG", cash=60_000),
    case(SwitchesItself, "GOOG", {"n": 10}, {"n": 30}, compiles=False),
)  # fmt: skip
