"""The crossing of two moving averages: a small strategy to copy and make one's own.

    bigbar prices.csv --strategy sma_cross --param fast=5:50:5 --param slow=20:200:10 \\
        --constraint "fast < slow"

Class attributes are parameters. `init` makes the indicators, once; `next` sees the bars up to the
current one, and trades. See https://kernc.github.io/backtesting.py/ for all there is.
"""

from __future__ import annotations

import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover


def moving_average(values: pd.Series, bars: int) -> pd.Series:
    """Mean of the last `bars` values; NaN before there are as many."""
    return pd.Series(values).rolling(bars).mean()


class SmaCross(Strategy):
    """Long while the fast average is above the slow one, short while it is below."""

    #: Bars of the fast average, and of the slow one.
    fast = 10
    slow = 30

    def init(self) -> None:
        self.quick = self.I(moving_average, self.data.Close, self.fast)
        self.calm = self.I(moving_average, self.data.Close, self.slow)

    def next(self) -> None:
        if crossover(self.quick, self.calm):
            self.position.close()
            self.buy()
        elif crossover(self.calm, self.quick):
            self.position.close()
            self.sell()
