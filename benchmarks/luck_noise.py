"""Grids of daily returns without an edge, and with one whose truth is known.

Two kinds of noise. `engine`: the optimizer's own engine on made bars (`made_data.py`), whose
direction is a random walk: the combinations trade like real ones, rarely or often, and are as
alike as real neighbours are. `field`: a smooth random surface of returns, every combination
trading every day, with fat tails and volatility that comes and goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from common import ROOT  # noqa: F401  (makes bigbar importable)
from made_data import made_bars
from numpy.typing import NDArray

from bigbar.engines.find import build_engine
from bigbar.results import ResultTable
from bigbar.space import Space
from bigbar.statistics import COLUMN, NAMES
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, grid_with, parse_grid

#: The whole range of the default grid in larger steps: 10 · 13 · 3 · 4 combinations.
ENGINE_GRID = parse_grid(
    atr_period="10:100:10", k_atr="1:4:0.25", uptail_max_ratio="0.5:0.9:0.2",
    previous_weight="0.1:0.8:0.2",
)  # fmt: skip

FIELD_GRID = grid_with(
    atr_period=range(1, 61), k_atr=range(1, 41), uptail_max_ratio=1, previous_weight=1
)

#: Likeness of neighbours on the field, and of a day's volatility to the day's before.
_ALIKE, _VOLATILE = 0.95, 0.9


@dataclass(frozen=True)
class Sample:
    """A grid's returns.

    Attributes
    ----------
    grid : Space
    returns : ndarray of float32, shape (combinations, days)
    """

    grid: Space
    returns: NDArray[np.float32]

    def table(self) -> ResultTable:
        """The statistics that the choice needs, from the returns."""
        values = self.returns.astype(np.float64)
        table = ResultTable(self.grid, np.full((len(values), len(NAMES)), np.nan))
        table.values[:, COLUMN["# Trades"]] = np.count_nonzero(values, axis=1)
        table.values[:, COLUMN["Return [%]"]] = 100 * np.expm1(np.log1p(values).sum(axis=1))
        deviation = values.std(axis=1, ddof=1)
        ratio = np.divide(
            values.mean(axis=1), deviation, out=np.full(len(values), np.nan), where=deviation > 0
        )
        table.values[:, COLUMN["Sharpe Ratio"]] = ratio * np.sqrt(252)
        return table


def engine_noise(days: int, seed: int, grid: Space = ENGINE_GRID) -> Sample:
    """The compiled engine on a random walk of five-minute bars."""
    rows = 240 * days + 1000  # A week of 1,380 bars has six days, Sunday's one hour included.
    settings = Settings()
    job = job_of(grid, settings, "compiled")
    file = with_indicators(made_bars(rows, seed=seed), settings.week_edge_bars)
    returns = build_engine(file, job).returns(0, len(grid))
    return Sample(grid, np.ascontiguousarray(returns[:, -days:]))


def field_noise(days: int, seed: int, *, follows: float = 0.0) -> Sample:
    """A smooth surface of returns with fat tails.

    Parameters
    ----------
    days, seed : int
    follows : float, optional
        Correlation of each day with the next.
    """
    random = np.random.default_rng(seed)
    values = random.standard_normal((days, *FIELD_GRID.shape[:2]))
    for axis, keep in ((1, _ALIKE), (2, _ALIKE), (0, follows)):
        moved = np.moveaxis(values, axis, 0)
        moved[1:] *= np.sqrt(1 - keep**2)
        for i in range(1, len(moved)):
            moved[i] += keep * moved[i - 1]
    logs = random.standard_normal(days)
    for i in range(1, days):
        logs[i] = _VOLATILE * logs[i - 1] + np.sqrt(1 - _VOLATILE**2) * logs[i]
    scale = 0.005 * np.exp(0.4 * logs) / np.sqrt(random.chisquare(5, days) / 5)
    returns = values.reshape(days, -1).T * scale
    return Sample(FIELD_GRID, np.ascontiguousarray(returns, dtype=np.float32))


def table_of_scores(grid: Space, scores: NDArray[np.float64]) -> ResultTable:
    """A table with these Sharpe ratios, every combination having traded."""
    table = ResultTable(grid, np.full((len(grid), len(NAMES)), np.nan))
    table.values[:, COLUMN["# Trades"]] = 100
    table.values[:, COLUMN["Sharpe Ratio"]] = scores.ravel()
    return table


def hill(grid: Space, middle: int, width: float) -> NDArray[np.float64]:
    """1 in the middle, falling off like a normal curve; shape (combinations,)."""
    places = np.indices(grid.shape).reshape(len(grid.shape), -1)
    distance = ((places - places[:, [middle]]) ** 2).sum(axis=0)
    return np.exp(-0.5 * distance / width**2)


@dataclass(frozen=True)
class Planted:
    """A grid with a hill of true edge.

    Attributes
    ----------
    sample : Sample
    true_sharpe : ndarray of float, shape (combinations,)
        What each combination is worth: annual.
    """

    sample: Sample
    true_sharpe: NDArray[np.float64]


def plant(noise: Sample, sharpe: float, *, width: float, seed: int) -> Planted:
    """Raise the returns of a hill of combinations on the days they trade.

    Parameters
    ----------
    noise : Sample
    sharpe : float
        True annual Sharpe ratio of the middle of the hill.
    width : float
        Standard deviation of the hill, in steps of the grid.
    seed : int
        Of where it stands: on a combination that trades on a quarter of the days at least.

    Returns
    -------
    Planted
    """
    returns = noise.returns.astype(np.float64)
    traded, deviation = (returns != 0).mean(axis=1), returns.std(axis=1, ddof=1)
    middles = np.flatnonzero(traded > 0.25)
    middle = np.random.default_rng(seed).choice(middles)
    per_day = sharpe / np.sqrt(252) * deviation[middle] / traded[middle]
    edge = per_day * hill(noise.grid, int(middle), width)
    raised = returns + edge[:, None] * (returns != 0)
    true = np.divide(
        edge * traded, deviation, out=np.zeros(len(returns)), where=deviation > 0
    ) * np.sqrt(252)
    return Planted(Sample(noise.grid, raised.astype(np.float32)), true)
