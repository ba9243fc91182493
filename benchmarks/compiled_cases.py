"""Strategies and grids for `compiled_strategies.py`: as traders write them, nothing made easy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import SMA


def rsi(close: Any, period: int) -> Any:
    """Relative strength index by Wilder's averages."""
    change = pd.Series(close).diff()
    up = change.clip(lower=0).ewm(alpha=1 / period, min_periods=period).mean()
    down = -change.clip(upper=0).ewm(alpha=1 / period, min_periods=period).mean()
    return 100 - 100 / (1 + up / down)


class StopCross(Strategy):
    """Two averages cross; a stop-loss and a take-profit with every order."""

    fast, slow = 10, 50
    loss, gain = 0.004, 0.008

    def init(self) -> None:
        self.quick = self.I(SMA, self.data.Close, self.fast)
        self.calm = self.I(SMA, self.data.Close, self.slow)

    def next(self) -> None:
        price = self.data.Close[-1]
        if crossover(self.quick, self.calm):
            self.position.close()
            self.buy(sl=price * (1 - self.loss), tp=price * (1 + self.gain))
        elif crossover(self.calm, self.quick):
            self.position.close()
            self.sell(sl=price * (1 + self.loss), tp=price * (1 - self.gain))


class RsiBounds(Strategy):
    """Buys below one bound of an index, leaves above the other."""

    period, low, high = 14, 30, 70

    def init(self) -> None:
        self.rsi = self.I(rsi, self.data.Close, self.period)

    def next(self) -> None:
        if not self.position:
            if self.rsi[-1] < self.low:
                self.buy()
        elif self.rsi[-1] > self.high:
            self.position.close()


class Trailing(Strategy):
    """Two averages cross; the stop of an open trade follows the close on every bar."""

    fast, slow = 10, 50
    trail = 0.005

    def init(self) -> None:
        self.quick = self.I(SMA, self.data.Close, self.fast)
        self.calm = self.I(SMA, self.data.Close, self.slow)

    def next(self) -> None:
        for trade in self.trades:
            trade.sl = max(trade.sl or -np.inf, self.data.Close[-1] * (1 - self.trail))
        if not self.position and crossover(self.quick, self.calm):
            self.buy()


class Patient(Strategy):
    """Counts the bars since its last order: something changes on every bar."""

    fast, slow = 10, 50
    wait = 20

    def init(self) -> None:
        self.quick = self.I(SMA, self.data.Close, self.fast)
        self.calm = self.I(SMA, self.data.Close, self.slow)
        self.waited = 0

    def next(self) -> None:
        self.waited += 1
        if self.waited < self.wait:
            return
        if crossover(self.quick, self.calm):
            self.buy()
            self.waited = 0
        elif self.position and crossover(self.calm, self.quick):
            self.position.close()
            self.waited = 0


class LongCross(Strategy):
    """Two averages cross; long or out."""

    fast, slow = 10, 50

    def init(self) -> None:
        self.quick = self.I(SMA, self.data.Close, self.fast)
        self.calm = self.I(SMA, self.data.Close, self.slow)

    def next(self) -> None:
        if crossover(self.quick, self.calm):
            self.buy()
        elif crossover(self.calm, self.quick):
            self.position.close()


@dataclass(frozen=True)
class Case:
    """A strategy with its grid, and what is wanted of it.

    Attributes
    ----------
    name : str
    strategy : type
    grid : dict of str to tuple
    least, aim : float or None
        So many times faster than `Backtest.run`.
    """

    name: str
    strategy: type[Strategy]
    grid: dict[str, tuple[Any, ...]]
    least: float | None = None
    aim: float | None = None


_AVERAGES = {"fast": (5, 10, 15, 20, 25), "slow": (40, 60, 80, 100, 120)}

CASES = (
    Case(
        "averages cross, sl and tp",
        StopCross,
        {
            **_AVERAGES,
            "loss": tuple(round(0.001 * k, 3) for k in range(1, 9)),
            "gain": tuple(round(0.002 * k, 3) for k in range(1, 7)),
        },
        800,
        5_000,
    ),
    Case(
        "RSI bounds",
        RsiBounds,
        {
            "period": (7, 10, 14, 20, 28),
            "low": tuple(range(20, 35)),
            "high": tuple(range(62, 77)),
        },
        1_000,
        8_000,
    ),
    Case(
        "trailing stop, moved on every bar",
        Trailing,
        {**_AVERAGES, "trail": tuple(round(0.002 + 0.001 * k, 3) for k in range(12))},
        250,
        5_000,
    ),
    Case(
        "a counter, changed on every bar",
        Patient,
        {**_AVERAGES, "wait": tuple(range(5, 65, 5))},
        150,
        300,
    ),
)

#: A quarter of the first: fewer share what is made once.
FEW = Case(
    "the same, a quarter of them",
    StopCross,
    {**_AVERAGES, "loss": (0.002, 0.004, 0.006, 0.008), "gain": (0.004, 0.008, 0.012)},
)

#: What RaptorBT does just the same. Every combination has averages of its own, and so an `init`.
LONG = Case(
    "averages cross, long only",
    LongCross,
    {"fast": tuple(range(4, 24)), "slow": tuple(range(30, 130, 10))},
)
