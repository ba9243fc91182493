"""The whole grid at a glance: one statistic over every pair of axes, along each, and counted.

All of it is read off the table of results with NumPy; nothing here knows how it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.keeping.reduced import Reduced
from bigbar.keeping.sums import MOST_CELLS, PairSums
from bigbar.parameter import Parameter
from bigbar.results import ResultTable
from bigbar.space import Space
from bigbar.statistics import Better, Kind, Statistic

Floats = NDArray[np.float64]

#: What a cell of a heatmap can show, over all parameters that are not on its axes.
Variant = Literal["mean", "best"]

_DAY_NS = 24 * 3600 * 10**9

#: Bars of the distribution.
BINS = 60


@dataclass(frozen=True)
class Landscape:
    """The objective over the grid.

    Attributes
    ----------
    space : Space
    values : ndarray of float, shape (combinations,)
        In the units a person reads (durations in days); NaN where a combination does not count,
        or its value is infinite.
    name, unit : str
        Of the objective: "Return [%]" is named so, with the unit "%".
    lower_is_better : bool
    infinite : int
        How many combinations were left out for an infinite value.
    in_sample : ndarray of bool, shape (combinations,), or None
        Where the rows are a part of all: which are a fair sample. None where they are all.
    sums : PairSums or None
        Of all combinations then.
    """

    space: Space
    values: Floats
    name: str
    unit: str
    lower_is_better: bool
    infinite: int
    in_sample: NDArray[np.bool_] | None = None
    sums: PairSums | None = None

    @cached_property
    def _counts(self) -> NDArray[np.bool_]:
        counts = ~np.isnan(self.values)
        return counts if self.in_sample is None else counts & self.in_sample

    @cached_property
    def each(self) -> Floats:
        """The values of all combinations that count, or of a sample of them, in grid order."""
        return self.values[self._counts]

    @cached_property
    def counted(self) -> Floats:
        """The same, ascending."""
        return np.sort(self.each)

    @cached_property
    def places_counted(self) -> tuple[NDArray[np.int64], ...]:
        """Where on each axis these combinations stand: an array an axis."""
        return tuple(place[self._counts] for place in self.space.all_places())

    def value(self, number: int) -> float:
        """The objective of one combination."""
        return float(self.values[number])

    def places(self, number: int) -> tuple[int, ...]:
        """Where on each axis a combination stands."""
        return self.space.places(number)

    def share_better(self, value: float) -> float:
        """Share of the combinations that count which are strictly better than a value."""
        counted = self.counted
        if self.lower_is_better:
            return float(np.searchsorted(counted, value, side="left")) / len(counted)
        return 1 - float(np.searchsorted(counted, value, side="right")) / len(counted)


def in_unit(table: ResultTable, statistic: Statistic) -> tuple[Floats, str]:
    """A statistic of every combination as a person reads it, durations in days, and its unit."""
    values = table.column(statistic.name)
    if statistic.kind is Kind.DURATION:
        return values / _DAY_NS, "days"
    return values, statistic.name.partition("[")[2].rstrip("]")


def landscape_of(
    table: ResultTable,
    choice: Choice,
    *,
    in_sample: NDArray[np.bool_] | None = None,
    reduced: Reduced | None = None,
) -> Landscape:
    """The objective of every combination that counts.

    Parameters
    ----------
    table : ResultTable
    choice : Choice
    in_sample : ndarray of bool, optional
        Which rows are a sample, where the table has a part of all.
    reduced : Reduced, optional
        What is known of all then.
    """
    statistic = choice.objective
    values, unit = in_unit(table, statistic)
    values = np.where(np.isnan(table.scores(choice)), np.nan, values)
    infinite = np.isinf(values)
    return Landscape(
        space=table.space,
        values=np.where(infinite, np.nan, values),
        name=statistic.name,
        unit=unit,
        lower_is_better=statistic.better is Better.LOWER,
        infinite=int(infinite.sum()) if reduced is None else reduced.counts.infinite,
        in_sample=in_sample,
        sums=None if reduced is None else reduced.sums,
    )


@dataclass(frozen=True)
class Heatmap:
    """The objective over two axes.

    Attributes
    ----------
    x, y : Parameter
    best, mean : ndarray of float, shape (cells along y, cells along x)
        Over all other axes; NaN where no combination counts.
    numbers : ndarray of int, shape (cells along y, cells along x)
        The combination that is the best of a cell, by its place in the whole product; -1 where
        none counts.
    group : tuple of (int, int)
        Neighbouring values of x, and of y, that share a cell.
    """

    x: Parameter
    y: Parameter
    best: Floats
    mean: Floats
    numbers: NDArray[np.int64]
    group: tuple[int, int]

    def peak(self, variant: Variant, *, lower_is_better: bool) -> tuple[int, int] | None:
        """Cell along x, and along y, that is best by its mean, or by its best combination.

        None where no cell has a value.
        """
        values = self.mean if variant == "mean" else self.best
        if np.isnan(values).all():
            return None
        pick = np.nanargmin if lower_is_better else np.nanargmax
        row, column = np.unravel_index(pick(values), values.shape)
        return int(column), int(row)


def varying(grid: Space) -> list[int]:
    """Numbers of the axes with more than one value."""
    return [number for number, axis in enumerate(grid.parameters) if len(axis) > 1]


def heatmaps(landscape: Landscape) -> Iterator[Heatmap]:
    """A heatmap for every pair of axes that vary, the one with more values along x."""
    axes = landscape.space.parameters
    for pair in combinations(varying(landscape.space), 2):
        x, y = sorted(pair, key=lambda number: (-len(axes[number]), number))
        yield heatmap_of(landscape, x, y)


def heatmap_of(landscape: Landscape, x: int, y: int) -> Heatmap:
    """The heatmap over two axes, by their numbers."""
    if landscape.sums is not None:
        return _of_sums(landscape, landscape.sums, x, y)
    axes = landscape.space.parameters
    group = (-(-len(axes[x]) // MOST_CELLS), -(-len(axes[y]) // MOST_CELLS))
    places = landscape.places_counted
    rows, columns = (-(-len(axes[axis]) // size) for axis, size in ((y, group[1]), (x, group[0])))
    best, mean, numbers = _cells(
        landscape, places[y] // group[1] * columns + places[x] // group[0], rows * columns
    )
    shape = rows, columns
    return Heatmap(
        axes[x], axes[y], best.reshape(shape), mean.reshape(shape), numbers.reshape(shape), group
    )


def _of_sums(landscape: Landscape, sums: PairSums, x: int, y: int) -> Heatmap:
    """The same where all combinations were summed up as they were run."""
    scores, means, numbers = sums.heatmap((min(x, y), max(x, y)))
    if x < y:
        scores, means, numbers = scores.T, means.T, numbers.T
    best = -scores if landscape.lower_is_better else scores
    in_days = _DAY_NS if landscape.unit == "days" else 1
    axes = landscape.space.parameters
    return Heatmap(
        axes[x],
        axes[y],
        best / in_days,
        means / in_days,
        numbers,
        (sums.groups[x], sums.groups[y]),
    )


def _cells(
    landscape: Landscape, cells: NDArray[np.int64], count: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Best and mean of each cell, and the combination that is its best: of equal ones the first.

    `cells`: which one each combination that counts belongs to.
    """
    known = np.flatnonzero(~np.isnan(landscape.values))
    values = landscape.values[known]
    members = np.bincount(cells, minlength=count)
    sums = np.bincount(cells, weights=values, minlength=count)
    best = np.full(count, np.inf if landscape.lower_is_better else -np.inf)
    (np.minimum if landscape.lower_is_better else np.maximum).at(best, cells, values)
    winners = np.flatnonzero(values == best[cells])[::-1]
    numbers = np.full(count, -1)
    numbers[cells[winners]] = landscape.space.in_product(known[winners])
    some = members > 0
    with np.errstate(invalid="ignore"):
        mean = sums / np.where(some, members, np.nan)
    return np.where(some, best, np.nan), mean, numbers


@dataclass(frozen=True)
class Profile:
    """The objective along one axis, over all others.

    Attributes
    ----------
    axis : Parameter
    best, upper, median, lower : ndarray of float, shape (values,)
        The best, and the quartiles (75, 50 and 25 %); NaN where no combination counts.
    """

    axis: Parameter
    best: Floats
    upper: Floats
    median: Floats
    lower: Floats


def profiles(landscape: Landscape) -> Iterator[Profile]:
    """A profile for every axis that varies."""
    values = landscape.each
    for number in varying(landscape.space):
        axis, place = landscape.space.parameters[number], landscape.places_counted[number]
        ordered = values[np.lexsort((values, place))]
        counts = np.bincount(place, minlength=len(axis))
        starts = np.cumsum(counts) - counts
        lowest, lower, median, upper, highest = (
            _quantile(ordered, starts, counts, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)
        )
        best = lowest if landscape.lower_is_better else highest
        if landscape.sums is not None:
            best = _best_along(landscape, landscape.sums, number, best)
        yield Profile(axis, best, upper, median, lower)


def _best_along(landscape: Landscape, sums: PairSums, axis: int, sampled: Floats) -> Floats:
    """The best at each value of an axis, of all combinations; of the sample for a lone axis."""
    scores = sums.best_along(axis)
    if scores is None:
        return sampled
    best = -scores if landscape.lower_is_better else scores
    return best / (_DAY_NS if landscape.unit == "days" else 1)


def _quantile(
    ordered: Floats, starts: NDArray[np.int64], counts: NDArray[np.int64], share: float
) -> Floats:
    """Of each run of ordered values, between neighbours in proportion, as NumPy does it."""
    found = np.full(len(counts), np.nan)
    there = counts > 0
    last = counts[there] - 1
    place = last * share
    below = np.floor(place).astype(np.int64)
    low = ordered[starts[there] + below]
    high = ordered[starts[there] + np.minimum(below + 1, last)]
    found[there] = low + (high - low) * (place - below)
    return found


@dataclass(frozen=True)
class Distribution:
    """How many combinations reached what.

    Attributes
    ----------
    edges : ndarray of float, shape (bins + 1,)
    counts : ndarray of int, shape (bins,)
    median, lower, upper : float
        Median and quartiles.
    """

    edges: Floats
    counts: NDArray[np.int64]
    median: float
    lower: float
    upper: float


def distribution(landscape: Landscape) -> Distribution | None:
    """The objective of all combinations that count; None where none does."""
    counted = landscape.counted
    if not len(counted):
        return None
    counts, edges = np.histogram(counted, bins=BINS)
    lower, median, upper = np.quantile(counted, (0.25, 0.5, 0.75))
    return Distribution(edges, counts, float(median), float(lower), float(upper))
