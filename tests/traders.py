"""Strategies such as traders write, well behaved and not, for tests of what is said about them."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import GOOG

from bigbar.account import Account
from bigbar.data.read import Bars, bars_from_frame
from bigbar.job import Job
from bigbar.space import Space
from bigbar.spec import StrategySpec


def average(values: Any, bars: int) -> pd.Series:
    """Of the last bars."""
    return pd.Series(values).rolling(bars).mean()


def google(bars: int = 600) -> Bars:
    """Daily bars."""
    return bars_from_frame(GOOG.iloc[:bars], source="goog.csv")


def job_for(strategy: type[Strategy], account: Account | None = None, **values: Any) -> Job:
    """A job on all bars, by `backtesting.py`'s broker."""
    space = Space.of(**values)
    return Job(StrategySpec.of(strategy), space, account or Account(), "backtesting")


class Cross(Strategy):
    """Two averages, with parameters of every kind."""

    fast = 5
    slow = 20
    size = 0.9
    short = True
    price = "Close"
    stop: float | None = None

    def init(self) -> None:
        values = self.data[self.price]
        self.quick = self.I(average, values, self.fast)
        self.calm = self.I(average, values, self.slow)

    def next(self) -> None:
        close = self.data.Close[-1]
        if crossover(self.quick, self.calm):
            self.position.close()
            self.buy(size=self.size, sl=None if self.stop is None else close * (1 - self.stop))
        elif crossover(self.calm, self.quick):
            self.position.close()
            if self.short:
                self.sell(size=self.size)


class Normalized(Cross):
    """Knows the mean of all prices."""

    def init(self) -> None:
        super().init()
        self.level = self.I(lambda: self.data.Close / self.data.Close.mean(), name="level")


class Centred(Cross):
    """Its average reaches two bars ahead."""

    def init(self) -> None:
        super().init()
        closes = self.data.Close.s
        self.middle = self.I(lambda: closes.rolling(5, center=True).mean(), name="middle")


class Undeclared(Cross):
    """Keeps tomorrow's close beside its indicators."""

    def init(self) -> None:
        super().init()
        self.tomorrow = np.roll(np.asarray(self.data.Close), -1)


class Hidden(Cross):
    """Closes as if it knew the prices ten bars on: only its trades tell."""

    def init(self) -> None:
        super().init()
        closes = np.asarray(self.data.Close).copy()
        self.ahead = lambda bar: closes[min(bar + 10, len(closes) - 1)]

    def next(self) -> None:
        bar = len(self.data) - 1
        if not self.position:
            self.buy()
        elif self.ahead(bar) < self.data.Close[-1]:
            self.position.close()


class AtTheEnd(Cross):
    """Closes what is open on the file's last bar."""

    def init(self) -> None:
        super().init()
        self.last = len(self.data)

    def next(self) -> None:
        super().next()
        if len(self.data) >= self.last - 1:
            self.position.close()


class Dice(Cross):
    """Buys when it feels like it."""

    def next(self) -> None:
        if random.random() < 0.1:
            self.position.close()
            self.buy()


class KeepingBooks(Cross):
    """Writes into arrays as long as the file, by trade and by price: no indicators of bars."""

    def init(self) -> None:
        super().init()
        self.profits = np.zeros(len(self.data))
        self.met = np.zeros(len(self.data))

    def next(self) -> None:
        super().next()
        self.met[int(self.data.Close[-1]) % 50] += 1
        for place, trade in enumerate(self.closed_trades):
            self.profits[place] = trade.pl


class Restless(Cross):
    """Always in the market; closes and opens again, at one price, when it feels like it."""

    def next(self) -> None:
        if not self.position:
            self.buy()
        elif random.random() < 0.1:
            self.position.close()
            self.buy()


class Noise(Cross):
    """An indicator of random numbers."""

    def init(self) -> None:
        super().init()
        self.noise = self.I(lambda: np.random.default_rng().random(len(self.data)), name="noise")


class Clock(Cross):
    """Sizes by the time of day."""

    def next(self) -> None:
        if not self.position:
            self.buy(size=0.1 + time.perf_counter_ns() % 1000 / 2000)
        else:
            self.position.close()


class Seeded(Cross):
    """Random, and always the same."""

    def init(self) -> None:
        super().init()
        self.dice = random.Random(1)

    def next(self) -> None:
        if self.dice.random() < 0.1:
            self.position.close()
            self.buy()


class Counting(Cross):
    """Counts its runs in the class."""

    runs = 0
    seen: list[int] = []  # noqa: RUF012 - that is the fault

    def init(self) -> None:
        super().init()
        type(self).runs += 1
        self.seen.append(len(self.data))


class Growing(Cross):
    """Trades by what it counts in the class, in both ways in which a class can be changed."""

    count = 0
    seen: list[int] = []  # noqa: RUF012 - that is the fault

    def next(self) -> None:
        type(self).count += 1
        self.seen.append(1)
        if len(self.data) % 5 == 0:
            self.position.close()
            self.buy(size=1 + self.count % 7 + len(self.seen) // 100)


class Impatient(Cross):
    """Raises on fewer bars than it likes."""

    def init(self) -> None:
        if len(self.data) < 590:
            raise ValueError("too few bars")
        super().init()
