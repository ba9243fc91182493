"""A strategy that writes down every backtest of it, for tests of how often points are run."""

from __future__ import annotations

import os

from backtesting import Strategy

#: Names the file, a line a backtest.
LOG = "COUNTED_BACKTESTS"


class Counted(Strategy):
    """Buys every `every` bars and holds for `hold`."""

    every = 10
    hold = 3

    def init(self) -> None:
        if (path := os.environ.get(LOG)) is not None:
            with open(path, "a", encoding="utf-8") as log:
                log.write(f"{self.every} {self.hold}\n")

    def next(self) -> None:
        if len(self.data) % self.every == 0:
            self.buy(size=1)
        elif self.trades and len(self.data) - self.trades[0].entry_bar > self.hold:
            self.position.close()
