"""What heatmaps show, of every pair of axes: sums that come out alike in whatever order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.space import Space
from bigbar.statistics import Kind, Statistic

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: An axis with more values than this is counted, and drawn, in as many groups of neighbours: cells
#: narrower than a few pixels could not be told apart, and the room would grow with their number.
MOST_CELLS = 120

#: A sum is three whole numbers of so many bits, in units of a power of two. Whole numbers add up
#: alike in any order; floats do not. Durations are in nanoseconds.
_BITS = 32
_UNIT, _UNIT_OF_DURATIONS = -44, -20

#: Values beyond this many units count as infinite: the sum has no room for them.
_MOST_UNITS = 2.0**95

#: After so many points what is too large for the lower numbers of a sum is carried on.
_CARRIED_AFTER = 1 << 29


@dataclass(frozen=True)
class Cells:
    """What some cells hold.

    Attributes
    ----------
    places : ndarray of int32, shape (cells,)
        Which, ascending.
    counts : ndarray of int64, shape (cells,)
        Points with a finite value.
    parts : ndarray of int64, shape (cells, 3)
        Of the sums of their values.
    best : ndarray of float, shape (cells,)
        The best score, the higher the better.
    numbers : ndarray of int64, shape (cells,)
        The point that has it, in the product; of several the lowest.
    """

    places: NDArray[np.int32]
    counts: Integers
    parts: Integers
    best: Floats
    numbers: Integers


class PairSums:
    """Count, sum and best of the objective in every cell of every pair of axes that vary.

    Parameters
    ----------
    space : Space
    statistic : Statistic
        The objective.

    Attributes
    ----------
    pairs : tuple of (int, int)
        Numbers of the two axes, the first one first.
    groups : tuple of int
        Of each axis: neighbouring values that share a cell.
    """

    def __init__(self, space: Space, statistic: Statistic) -> None:
        axes = [number for number, length in enumerate(space.shape) if length > 1]
        self.pairs = tuple(combinations(axes, 2))
        self._values = space.shape
        self.groups = tuple(-(-length // MOST_CELLS) for length in space.shape)
        self._lengths = [
            -(-length // group) for length, group in zip(space.shape, self.groups, strict=True)
        ]
        sizes = [self._lengths[one] * self._lengths[other] for one, other in self.pairs]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        count = int(self._starts[-1])
        self._unit = 2.0 ** (_UNIT_OF_DURATIONS if statistic.kind is Kind.DURATION else _UNIT)
        self.counts = np.zeros(count, np.int64)
        self.parts = np.zeros((count, 3), np.int64)
        self.best = np.full(count, -np.inf)
        self.numbers = np.full(count, -1)
        self._since = 0

    def fits(self, values: Floats) -> NDArray[np.bool_]:
        """Which values are finite, and not too large to be summed up."""
        with np.errstate(invalid="ignore"):
            return np.abs(values) < _MOST_UNITS * self._unit

    def add(
        self, places: Sequence[Integers], values: Floats, scores: Floats, numbers: Integers
    ) -> None:
        """Count some points.

        Parameters
        ----------
        places : sequence of ndarray of int64, shape (points,)
            Which value each axis has.
        values, scores : ndarray of float, shape (points,)
            The objective, of those that fit; the higher the score the better.
        numbers : ndarray of int64, shape (points,)
            In the product, ascending.
        """
        if not len(values):
            return
        parts = self._parts_of(values)
        grouped = [
            place if group == 1 else place // group
            for place, group in zip(places, self.groups, strict=True)
        ]
        for (one, other), start in zip(self.pairs, self._starts.tolist(), strict=False):
            cells = grouped[one] * self._lengths[other] + grouped[other]
            first = int(cells.min())
            here = cells - first
            into = slice(start + first, start + int(cells.max()) + 1)
            count = into.stop - into.start
            self.counts[into] += np.bincount(here, minlength=count)
            for at, part in enumerate(parts):
                # Exact: a million whole numbers below 2 ** 32 are below 2 ** 53 together.
                self.parts[into, at] += np.bincount(here, part, count).astype(np.int64)
            best = np.full(count, -np.inf)
            np.maximum.at(best, here, scores)
            winners = np.flatnonzero(scores == best[here])[::-1]
            first_of = np.full(count, -1)
            first_of[here[winners]] = numbers[winners]
            self._take_best(np.arange(into.start, into.stop), best, first_of)
        self._carry(len(values))

    def cells(self) -> Cells:
        """What there is in those cells that hold anything."""
        self._carry(_CARRIED_AFTER)
        places = np.flatnonzero(self.counts)
        return Cells(
            places.astype(np.int32),
            self.counts[places],
            self.parts[places],
            self.best[places],
            self.numbers[places],
        )

    def merge(self, cells: Cells, points: int) -> None:
        """Add what others have counted, of so many points."""
        self.counts[cells.places] += cells.counts
        self.parts[cells.places] += cells.parts
        self._take_best(cells.places, cells.best, cells.numbers)
        self._carry(points)

    def heatmap(self, pair: tuple[int, int]) -> tuple[Floats, Floats, Integers]:
        """Of a pair of axes: best score, mean value, and the point that is the best.

        Returns
        -------
        scores, means : ndarray of float, shape (cells of the first axis, cells of the second)
            NaN where nothing counts.
        numbers : ndarray of int64, same shape
            In the product; -1 where nothing counts.
        """
        self._carry(_CARRIED_AFTER)
        at = self.pairs.index(pair)
        here = slice(int(self._starts[at]), int(self._starts[at + 1]))
        shape = self._lengths[pair[0]], self._lengths[pair[1]]
        counts = np.where(self.counts[here] > 0, self.counts[here], np.nan)
        lowest, middle, highest = self.parts[here].astype(np.float64).T
        sums = (highest * 2.0 ** (2 * _BITS) + middle * 2.0**_BITS + lowest) * self._unit
        scores = np.where(np.isnan(counts), np.nan, self.best[here])
        return (
            scores.reshape(shape),
            (sums / counts).reshape(shape),
            self.numbers[here].reshape(shape),
        )

    def best_along(self, axis: int) -> Floats | None:
        """The best score at each value of an axis; None where it is the only one that varies.

        Neighbouring values that share cells have the same.
        """
        pair = next((pair for pair in self.pairs if axis in pair), None)
        if pair is None:
            return None
        scores, _, _ = self.heatmap(pair)
        best = np.fmax.reduce(scores, axis=1 - pair.index(axis))
        return np.repeat(best, self.groups[axis])[: self._values[axis]]

    def _parts_of(self, values: Floats) -> list[Floats]:
        """Whole numbers of `_BITS` bits that make up each value, the lowest first."""
        units = np.abs(values) / self._unit
        highest = np.floor(units * 2.0 ** (-2 * _BITS))
        units -= highest * 2.0 ** (2 * _BITS)
        middle = np.floor(units * 2.0**-_BITS)
        units -= middle * 2.0**_BITS
        sign = np.sign(values)
        return [np.rint(units) * sign, middle * sign, highest * sign]

    def _take_best(self, places: NDArray[np.integer[Any]], best: Floats, numbers: Integers) -> None:
        here, known = self.best[places], self.numbers[places]
        lower = (numbers >= 0) & ((known < 0) | (numbers < known))
        better = (best > here) | ((best == here) & lower)
        self.best[places[better]] = best[better]
        self.numbers[places[better]] = numbers[better]

    def _carry(self, points: int) -> None:
        self._since += points
        if self._since < _CARRIED_AFTER:
            return
        self._since = 0
        for at in (0, 1):
            over = self.parts[:, at] >> _BITS
            self.parts[:, at] -= over << _BITS
            self.parts[:, at + 1] += over
