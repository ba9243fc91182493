"""The robust choice: good together with its neighbours, instead of best alone.

Cross mean: the mean of the objective over a combination and its neighbours along one axis at a
time. A plateau helps to choose. It is no evidence of an edge: smooth noise has plateaus, too.

Rules. Combinations that do not count, or whose objective is infinite, are left out of the mean;
where they are half of the cross or more, or the combination itself is one, there is no cross mean.
At the edge of the grid, too, a cross has fewer members. A mean of fewer scatters more, and the best
of very many would stand at an edge more often than it should. So it is drawn towards the mean of
the grid by as much as it scatters more; how much that is follows from how alike neighbours are:
much in a rough surface, next to nothing in a smooth one. The edge is neither favoured nor punished.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.results import ResultTable
from bigbar.space import Space
from bigbar.statistics import Better
from bigbar.validation.findings import Plateau

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Crosses:
    """What stands around every combination; the shape is the grid's.

    Attributes
    ----------
    mean : ndarray of float
        Cross mean, corrected where members are missing; NaN where there is none.
    worst : ndarray of float
        The lowest of the neighbours that count, NaN where there is none.
    """

    mean: Floats
    worst: Floats


def crosses(scores: Floats, *, ordered: Sequence[bool] | None = None) -> Crosses:
    """Cross mean and worst neighbour of every combination.

    Parameters
    ----------
    scores : ndarray of float, shape of the grid
        The higher the better; NaN where a combination does not count.
    ordered : sequence of bool, optional
        Of each axis, whether values next to each other are near each other. There are no
        neighbours along one that is not (text, truth values). All are, by default.

    Returns
    -------
    Crosses
    """
    counts = np.isfinite(scores)
    total = np.where(counts, scores, 0.0)
    known, members = counts.astype(np.int64), np.ones(scores.shape, np.int64)
    worst = np.full(scores.shape, np.inf)
    for axis, length in enumerate(scores.shape):
        if ordered is not None and not ordered[axis]:
            continue
        below = (slice(None),) * axis + (slice(0, length - 1),)
        above = (slice(None),) * axis + (slice(1, length),)
        for here, there in ((below, above), (above, below)):
            total[here] += np.where(counts[there], scores[there], 0.0)
            known[here] += counts[there]
            members[here] += 1
            neighbour = np.where(counts[there], scores[there], np.inf)
            np.minimum(worst[here], neighbour, out=worst[here])
    mean = np.full(scores.shape, np.nan)
    np.divide(total, known, out=mean, where=counts & (2 * known > members))
    return Crosses(
        _corrected(mean, known, int(members.max()), _likeness(scores, counts, ordered)),
        np.where(np.isinf(worst), np.nan, worst),
    )


def _likeness(scores: Floats, counts: NDArray[np.bool_], ordered: Sequence[bool] | None) -> float:
    """Correlation of neighbours, from 0 to 1."""
    if not counts.any():
        return 0.0
    deviations = np.where(counts, scores - scores[counts].mean(), 0.0)
    products, pairs = 0.0, 0
    for axis, length in enumerate(scores.shape):
        if ordered is not None and not ordered[axis]:
            continue
        below = (slice(None),) * axis + (slice(0, length - 1),)
        above = (slice(None),) * axis + (slice(1, length),)
        products += float((deviations[below] * deviations[above]).sum())
        pairs += int(np.count_nonzero(counts[below] & counts[above]))
    square = float((deviations**2).sum()) / np.count_nonzero(counts)
    return min(max(products / pairs / square, 0.0), 1.0) if pairs and square else 0.0


def _corrected(mean: Floats, known: NDArray[np.int64], full: int, likeness: float) -> Floats:
    """Means of fewer than `full` members drawn in as much as they scatter more."""
    if np.isnan(mean).all():
        return mean

    def scatter(members: NDArray[np.int64] | int) -> Floats:
        """Variance of a mean, where any two members have the same correlation."""
        return np.asarray((1.0 + (members - 1) * likeness) / members)

    middle = float(np.nanmean(mean))
    drawn = middle + (mean - middle) * np.sqrt(scatter(full) / scatter(np.maximum(known, 1)))
    return np.where(known < full, drawn, mean)


def _edges(grid: Space, number: int | None) -> tuple[str, ...]:
    """Axes with more than one value at whose end a combination stands."""
    if number is None:
        return ()
    places = grid.places(number)
    return tuple(
        axis.name
        for axis, place in zip(grid.parameters, places, strict=True)
        if len(axis) > 1 and axis.is_ordered and place in (0, len(axis) - 1)
    )


def _first_highest(values: Floats) -> int | None:
    return None if np.isnan(values).all() else int(np.argmax(values == np.nanmax(values)))


def _median(scores: Floats) -> int | None:
    """The middle combination of those that count, the worse of the two middle ones."""
    order = np.argsort(scores, kind="stable")  # NaN sorts last.
    counting = int(np.count_nonzero(~np.isnan(scores)))
    return int(order[(counting - 1) // 2]) if counting else None


def find_plateau(table: ResultTable, choice: Choice) -> Plateau:
    """Look for the robust choice beside the peak.

    Parameters
    ----------
    table : ResultTable
    choice : Choice
        Which combinations count, and what is good.

    Returns
    -------
    Plateau
        Of equal combinations the lowest number. Values as the objective has them, also where
        lower is better.
    """
    grid, scores = table.space, table.scores(choice)
    around = crosses(grid.on_product(scores), ordered=[p.is_ordered for p in grid.parameters])
    means, worst = grid.of_product(around.mean), grid.of_product(around.worst)
    sign = -1.0 if choice.objective.better is Better.LOWER else 1.0
    peak, robust, median = table.best(choice), _first_highest(means), _median(scores)

    def value(values: Floats, number: int | None) -> float:
        return math.nan if number is None else sign * float(values[number])

    traded = table.column("# Trades") > 0
    gained = table.column("Return [%]")[traded] > 0
    return Plateau(
        statistic=choice.objective.name,
        peak=peak,
        robust=robust,
        peak_value=value(scores, peak),
        robust_value=value(scores, robust),
        peak_cross_mean=value(means, peak),
        robust_cross_mean=value(means, robust),
        peak_worst_neighbour=value(worst, peak),
        robust_worst_neighbour=value(worst, robust),
        peak_edges=_edges(grid, peak),
        robust_edges=_edges(grid, robust),
        profitable_share=float(gained.mean()) if len(gained) else math.nan,
        median=median,
        median_value=value(scores, median),
    )
