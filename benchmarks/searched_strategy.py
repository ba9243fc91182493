"""A strategy with parameters of every kind, for the benchmark of searches."""

from __future__ import annotations

import numpy as np
import pandas as pd
from backtesting import Strategy


def mean(values: pd.Series, bars: int) -> np.ndarray:
    """Mean of the last `bars` values."""
    return pd.Series(values).rolling(bars).mean().to_numpy()


def deviation(values: pd.Series, bars: int) -> np.ndarray:
    """Standard deviation of the last `bars` values."""
    return pd.Series(values).rolling(bars).std().to_numpy()


class Bands(Strategy):
    """Buys or sells at bands around a mean, with the trend or against it, until the mean."""

    length = 20
    width = 2.0
    trend = 100
    follow = False
    side = "both"

    def init(self) -> None:
        self.middle = self.I(mean, self.data.Close, self.length)
        self.spread = self.I(deviation, self.data.Close, self.length)
        self.slow = self.I(mean, self.data.Close, self.trend)

    def next(self) -> None:
        price = self.data.Close[-1]
        away = self.width * self.spread[-1]
        if self.position:
            if (self.position.is_long and price > self.middle[-1]) or (
                self.position.is_short and price < self.middle[-1]
            ):
                self.position.close()
        elif price < self.middle[-1] - away and self.side != "short":
            rises = price > self.slow[-1]
            if rises or not self.follow:
                self.buy()
        elif price > self.middle[-1] + away and self.side != "long":
            falls = price < self.slow[-1]
            if falls or not self.follow:
                self.sell()
