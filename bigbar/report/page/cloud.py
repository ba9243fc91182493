"""All combinations by two objectives, as few points as look the same, beside the Pareto set."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bigbar.pareto import ParetoSet
from bigbar.report.page.landscape import in_unit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Cells across and down: of each the best by the main objective stands for all in it.
_CELLS = (60, 36)

#: With more pairs of objectives than this, only those with the main one are drawn.
_MOST_PAIRS = 6

#: Points of the front that are drawn, and told of one by one.
_MOST_FRONT = 300

#: What is farther out than all but this share of the combinations and the front is not drawn.
_FAR = 0.002


@dataclass(frozen=True)
class Cloud:
    """Two objectives of the combinations.

    Attributes
    ----------
    x, y : int
        Which objectives.
    numbers : ndarray of int64, shape (points,)
        A combination for each cell with any.
    counts : ndarray of int64, shape (points,)
        How many are in it.
    ends : tuple of two (float, float)
        What is drawn of either, in the units of `values`.
    beyond : int
        How many lie outside.
    """

    x: int
    y: int
    numbers: Integers
    counts: Integers
    ends: tuple[tuple[float, float], tuple[float, float]]
    beyond: int


def values(found: ParetoSet, objective: int) -> tuple[Floats, str]:
    """An objective of every combination as a person reads it, and its unit."""
    return in_unit(found.table, found.choice.objectives[objective].statistic)


def front_shown(found: ParetoSet) -> Integers:
    """Points of the front that are drawn, the best by the main objective first."""
    return found.points[found.spread(_MOST_FRONT)]


def clouds(found: ParetoSet) -> list[Cloud]:
    """A cloud for every pair of objectives, the main one of the two upwards."""
    count = len(found.choice.objectives)
    pairs = list(combinations(range(count), 2))
    if len(pairs) > _MOST_PAIRS:
        pairs = [pair for pair in pairs if pair[0] == 0]
    scores = found.table.scores(found.choice)
    return [_cloud(found, scores, x, y) for y, x in pairs]


def _cloud(found: ParetoSet, scores: Floats, x: int, y: int) -> Cloud:
    columns = [values(found, each)[0] for each in (x, y)]
    known = np.flatnonzero(~np.isnan(scores) & np.isfinite(columns[0]) & np.isfinite(columns[1]))
    ends = tuple(_ends(column[known], column[found.points]) for column in columns)
    inside = np.ones(len(known), np.bool_)
    cells = np.zeros(len(known), np.int64)
    for column, (low, high), count in zip(columns, ends, _CELLS, strict=True):
        part = column[known]
        inside &= (part >= low) & (part <= high)
        place = np.clip((part - low) / (high - low) * count, 0, count - 1)
        cells = cells * count + place.astype(np.int64)
    kept, cells = known[inside], cells[inside]
    order = np.argsort(-scores[kept], kind="stable")
    _, first, counts = np.unique(cells[order], return_index=True, return_counts=True)
    beyond = int(np.count_nonzero(~inside))
    return Cloud(x, y, kept[order][first], counts, (ends[0], ends[1]), beyond)


def _ends(column: Floats, front: Floats) -> tuple[float, float]:
    """Nearly all combinations, and the whole front as far as it is finite."""
    front = front[np.isfinite(front)]
    inner = np.quantile(column, (_FAR, 1 - _FAR)) if len(column) else np.zeros(0)
    shown = np.concatenate([inner, front])
    low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 0.0)
    room = 0.04 * (high - low) or 0.5 * max(abs(low), 1.0)
    return low - room, high + room
