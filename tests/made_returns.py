"""Returns made by a generator that anyone can repeat, and small grids to go with them."""

from __future__ import annotations

import numpy as np

from bigbar.results import ResultTable
from bigbar.space import Space
from bigbar.statistics import COLUMN, NAMES
from bigbar.strategies.big_bar.parameters import grid_with


def lcg(periods: int, combinations: int, seed: int) -> np.ndarray:
    """Numbers of a linear congruential generator, shape (periods, combinations), row by row."""
    x, values = seed, np.empty((periods, combinations))
    for t in range(periods):
        for n in range(combinations):
            x = (1103515245 * x + 12345) % 2**31
            values[t, n] = ((x >> 16) % 2001 - 1000) / 1000
    return values


def noise(combinations: int, periods: int, seed: int, *, traded: float = 1.0) -> np.ndarray:
    """Daily returns without an edge, float32; days without a trade are 0."""
    random = np.random.default_rng(seed)
    values = 0.01 * random.standard_normal((combinations, periods))
    values[random.random(values.shape) >= traded] = 0.0
    return values.astype(np.float32)


def grid_of(*lengths: int) -> Space:
    """A grid with so many values on its axes, `atr_period` first; the rest have one."""
    names = ("atr_period", "k_atr", "uptail_max_ratio", "previous_weight", "buffer_ratio")
    return grid_with(
        **{
            name: tuple(range(1, length + 1))
            for name, length in zip(names, (*lengths, *[1] * (5 - len(lengths))), strict=True)
        }
    )


def table_with(grid: Space, columns: dict[str, np.ndarray]) -> ResultTable:
    """A table with these statistics, and ten trades each."""
    table = ResultTable(grid, np.full((len(grid), len(NAMES)), np.nan))
    for name, values in {"# Trades": np.full(len(grid), 10.0), **columns}.items():
        table.values[:, COLUMN[name]] = np.ravel(values)
    return table


def table_from_returns(grid: Space, returns: np.ndarray) -> ResultTable:
    """Return, Sharpe ratio and number of trades, roughly as a run would have them."""
    values = returns.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        sharpe = values.mean(axis=1) / values.std(axis=1, ddof=1) * np.sqrt(252)
    return table_with(
        grid,
        {
            "# Trades": np.count_nonzero(values, axis=1),
            "Return [%]": 100 * (np.prod(1 + values, axis=1) - 1),
            "Sharpe Ratio": sharpe,
        },
    )
