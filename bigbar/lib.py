"""What `backtesting.lib` builds on `Backtest`, on top of `bigbar.Backtest`; the rest is its own.

from bigbar.lib import FractionalBacktest, MultiBacktest, crossover
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from bigbar.backtest import Backtest
from bigbar.optimization import Optimization

import backtesting.lib  # isort: skip - after that module, which leaves its charts for later
from backtesting.lib import *  # noqa: F403 - everything of it, under the same names

__all__ = list(backtesting.lib.__all__)


class FractionalBacktest(Backtest, backtesting.lib.FractionalBacktest):
    """`backtesting.lib.FractionalBacktest` with the `optimize` of `bigbar.Backtest`.

    Its `run` is its own, and it is what runs every combination.
    """

    def __init__(self, data: pd.DataFrame, *args: Any, **kwargs: Any) -> None:
        super().__init__(data, *args, **kwargs)
        self._put_on(self._data)  # Sorted by now.

    def _put_on(self, bars: pd.DataFrame | None) -> None:
        """Take other bars, and of these the prices of a fraction, which its `run` trades at."""
        super()._put_on(bars)
        scaled = bars
        if bars is not None:
            unit = self._fractional_unit
            scaled = bars.assign(
                **{name: bars[name] * unit for name in ("Open", "High", "Low", "Close")},
                Volume=bars["Volume"] / unit,
            )
        self._FractionalBacktest__data = scaled


class MultiBacktest(backtesting.lib.MultiBacktest):
    """`backtesting.lib.MultiBacktest` with the `optimize` of `bigbar.Backtest`.

    Attributes
    ----------
    last : list of Optimization or None
        What the last `optimize` found, one for each frame; None for each with `method="sambo"`.
    """

    def __init__(self, df_list: list[pd.DataFrame], strategy_cls: type, **kwargs: Any) -> None:
        super().__init__(df_list, strategy_cls, **kwargs)
        self.last: list[Optimization | None] = []

    def optimize(self, **kwargs: Any) -> pd.DataFrame:
        """The heatmap of each frame, side by side; arguments as of `Backtest.optimize`."""
        heatmaps = {}
        self.last = []
        options = {**kwargs, "return_heatmap": True, "return_optimization": False}
        for place, frame in enumerate(self._dfs):
            backtest = Backtest(frame, self._strategy, **self._bt_kwargs)
            heatmaps[place] = backtest.optimize(**options)[1]
            self.last.append(getattr(backtest, "last", None))
        return pd.DataFrame(heatmaps)
