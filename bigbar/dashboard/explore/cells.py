"""What the charts share: how much of a column is shown, and the best combination of each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bigbar.dashboard.explore.columns import Column
from bigbar.dashboard.explore.stored import StoredTable

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

#: What is farther out than all but this share of the values on either side, and as far again as
#: these reach, is not drawn: one profit factor of a million would leave a chart of a single line.
FAR = 0.001

#: Shares are told from so many values at most.
_SAMPLED = 100_000


@dataclass(frozen=True)
class Frame:
    """The part of a column that a chart shows.

    Attributes
    ----------
    low, high : float
        Of a parameter in numbers of its values, from half below the first to half above the last.
    """

    low: float
    high: float


def positions(stored: StoredTable, column: Column) -> Floats:
    """Where combinations stand along a column: its values, or which of a parameter's they have.

    Returns
    -------
    ndarray of float, shape (combinations,)
    """
    if column.axis is not None:
        return stored.places[column.axis].astype(np.float64)
    return stored.numbers(column)


def frame_of(
    stored: StoredTable,
    column: Column,
    values: Floats,
    *,
    far: float = FAR,
    always: Sequence[float] = (),
) -> Frame | None:
    """What to show of some values of a column; None where there is no finite one.

    Parameters
    ----------
    stored : StoredTable
    column : Column
    values : ndarray of float, shape (n,)
        Positions along it.
    far : float, optional
        Share of the values on either side that may be left out.
    always : sequence of float, optional
        Values that are shown in any case, where they are finite.
    """
    if column.axis is not None:
        return Frame(-0.5, len(stored.table.space.parameters[column.axis]) - 0.5)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    inner = np.quantile(finite[:: -(-len(finite) // _SAMPLED)], (far, 1 - far))
    span = float(inner[1] - inner[0])
    if span > 0:
        low, high = max(low, float(inner[0]) - span), min(high, float(inner[1]) + span)
    known = [value for value in always if np.isfinite(value)]
    low, high = min([low, *known]), max([high, *known])
    if low == high:  # A scale needs a length.
        reach = max(abs(low), 1.0) * 0.5
        low, high = low - reach, high + reach
    return Frame(low, high)


def best_of_cells(cells: Numbers, scores: Floats, count: int) -> Numbers:
    """The place of the highest score in each cell, of equal ones the first.

    Parameters
    ----------
    cells : ndarray of int, shape (n,)
        From 0 to count - 1.
    scores : ndarray of float, shape (n,)
        NaN does not count.
    count : int

    Returns
    -------
    ndarray of int64, shape (count,)
        Places from 0 to n - 1; -1 where no score counts.
    """
    known = np.flatnonzero(~np.isnan(scores))
    cells, scores = cells[known], scores[known]
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, cells, scores)
    hits = np.flatnonzero(scores == highest[cells])[::-1]
    found = np.full(count, -1, np.int64)
    found[cells[hits]] = known[hits]  # The first of several was written last.
    return found
