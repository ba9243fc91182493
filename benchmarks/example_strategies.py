"""The two strategies of backtesting.py's documentation, for benchmarks and tests."""

from __future__ import annotations

from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import SMA


class SmaCross(Strategy):
    """Two averages: always long or short; the documentation's first strategy."""

    n1 = 10
    n2 = 20

    def init(self) -> None:
        self.sma1 = self.I(SMA, self.data.Close, self.n1)
        self.sma2 = self.I(SMA, self.data.Close, self.n2)

    def next(self) -> None:
        if crossover(self.sma1, self.sma2):
            self.position.close()
            self.buy()
        elif crossover(self.sma2, self.sma1):
            self.position.close()
            self.sell()


class Sma4Cross(Strategy):
    """Four averages: two say which way, one when to enter, one when to leave.

    The strategy of the chapter on heatmaps.
    """

    n1 = 50
    n2 = 100
    n_enter = 20
    n_exit = 10

    def init(self) -> None:
        self.sma1 = self.I(SMA, self.data.Close, self.n1)
        self.sma2 = self.I(SMA, self.data.Close, self.n2)
        self.sma_enter = self.I(SMA, self.data.Close, self.n_enter)
        self.sma_exit = self.I(SMA, self.data.Close, self.n_exit)

    def next(self) -> None:
        if not self.position:
            if self.sma1 > self.sma2:
                if crossover(self.data.Close, self.sma_enter):
                    self.buy()
            elif crossover(self.sma_enter, self.data.Close):
                self.sell()
        elif (self.position.is_long and crossover(self.sma_exit, self.data.Close)) or (
            self.position.is_short and crossover(self.data.Close, self.sma_exit)
        ):
            self.position.close()
