"""Several objectives at once: the combinations that no other beats, and what to show of them.

A combination dominates another where it is as good by every objective and better by one. Those that
none dominates are the Pareto set: whoever leaves it gives something away for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.results import ResultTable, Standing

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Up to so many pairs are compared one by one: it takes less time than to divide them.
_PAIRS = 1 << 14

#: Rows that all others are held against before: each takes a millisecond of a hundred thousand.
_FEW = 24

#: What a table leaves out is more than so many rows: to say that they are left out takes one too.
_SPARED = 2

#: Columns of `ParetoSet.frame` besides parameters and statistics. No parameter has a space in its
#: name.
PLACE, SHARED, COMBINATION = "Place on Front", "Shared By", "# Combination"


def non_dominated(scores: Floats) -> Integers:
    """Which rows no other row dominates.

    By dividing: of two halves by the first column, those of the lower half are held against those
    of the upper one by the other columns alone (Kung, Luccio and Preparata 1975).

    Parameters
    ----------
    scores : ndarray of float, shape (rows, objectives)
        The higher the better; rows with NaN are left out.

    Returns
    -------
    ndarray of int64, shape (found,)
        Ordered by the first column, the highest first, then by the next one, and so on; equal rows
        stand together in order. All of several equal ones are among them, or none.
    """
    numbers = np.flatnonzero(~np.isnan(scores).any(axis=1))
    known = scores[numbers]
    if not len(known):
        return numbers
    order = np.lexsort(-known.T[::-1])  # Stable: equal rows stay in order.
    ranked = known[order]
    starts = np.flatnonzero(np.append(True, (ranked[1:] != ranked[:-1]).any(axis=1)))
    rows = ranked[starts]
    left = _after_few(rows) if rows.shape[1] > 2 else np.arange(len(rows))
    is_in = np.zeros(len(starts), np.bool_)
    is_in[_front(rows, left)] = True
    members = np.repeat(is_in, np.diff(starts, append=len(order)))
    return numbers[order[members]]


def _after_few(rows: Floats) -> Integers:
    """Places of the rows that a few of the best do not dominate: most rows are dominated at once.

    The best are those with the highest sum of ranks among the columns.
    """
    left = np.arange(len(rows))
    ranks = np.zeros(len(rows), np.int64)
    for column in rows.T:
        ranks[np.argsort(column, kind="stable")] += left
    for _ in range(_FEW):
        if not len(left):
            break
        best = left[np.argmax(ranks[left])]
        ranks[best] = -1  # Not again; it stays, as no row is dominated by itself.
        beaten = np.ones(len(left), np.bool_)
        for column in rows.T:
            beaten &= column[left] <= column[best]
        left = left[~beaten | (left == best)]
    return left


def _front(rows: Floats, places: Integers) -> Integers:
    """Of different rows in falling order, those that none dominates: only by earlier ones can be.

    `places`: which of the rows it is about.
    """
    if rows.shape[1] == 1:
        return places[:1]
    if rows.shape[1] == 2:
        second = rows[places, 1]
        before = np.maximum.accumulate(np.append(-np.inf, second[:-1]))
        return places[(second > before) | (np.arange(len(places)) == 0)]
    if len(places) ** 2 <= _PAIRS:
        part = rows[places]
        at_least: NDArray[np.bool_] = np.all(part[:, None, :] >= part[None, :, :], axis=2)
        np.fill_diagonal(at_least, val=False)
        return places[~at_least.any(axis=0)]
    middle = len(places) // 2
    upper, lower = _front(rows, places[:middle]), _front(rows, places[middle:])
    return np.concatenate([upper, lower[~_reached(rows[upper, 1:], rows[lower, 1:])]])


def _reached(upper: Floats, lower: Floats) -> NDArray[np.bool_]:
    """Which rows of the lower part some row of the upper part is at least as good as, in all."""
    found = np.zeros(len(lower), np.bool_)
    if not len(upper) or not len(lower):
        return found
    if lower.shape[1] == 1:
        return lower[:, 0] <= upper[:, 0].max()
    if lower.shape[1] == 2:
        return _reached_by_two(upper, lower)
    if len(upper) * len(lower) <= _PAIRS:
        found |= (upper[:, None, :] >= lower[None, :, :]).all(axis=2).any(axis=0)
        return found
    first = np.concatenate([upper[:, 0], lower[:, 0]])
    least, cut = first.min(), np.partition(first, len(first) // 2)[len(first) // 2]
    if cut == least:  # The lowest half of them is one value.
        if not (first > least).any():
            return _reached(upper[:, 1:], lower[:, 1:])
        cut = first[first > least].min()
    is_high, is_up = lower[:, 0] >= cut, upper[:, 0] >= cut
    found[is_high] = _reached(upper[is_up], lower[is_high])
    found[~is_high] = _reached(upper[is_up][:, 1:], lower[~is_high][:, 1:])
    left = np.flatnonzero(~is_high & ~found)
    found[left] = _reached(upper[~is_up], lower[left])
    return found


def _reached_by_two(upper: Floats, lower: Floats) -> NDArray[np.bool_]:
    """`_reached` of two columns: the highest second one among those with as high a first one."""
    order = np.argsort(-upper[:, 0], kind="stable")
    highest = np.maximum.accumulate(upper[order, 1])
    reaching = np.searchsorted(-upper[order, 0], -lower[:, 0], side="right")
    return (reaching > 0) & (highest[np.maximum(reaching, 1) - 1] >= lower[:, 1])


@dataclass(frozen=True)
class ParetoSet:
    """The combinations that no other beats by all objectives.

    Attributes
    ----------
    table : ResultTable
    choice : Choice
        Of several objectives.
    numbers : ndarray of int64, shape (members,)
        The combinations, the best by the main objective first; those with the same objectives
        stand together in grid order.
    starts : ndarray of int64, shape (points,)
        Where among these each point of the front begins: combinations with the same objectives
        are one point.
    scores : ndarray of float, shape (points, objectives)
        The higher the better.
    """

    table: ResultTable
    choice: Choice
    numbers: Integers
    starts: Integers
    scores: Floats

    def __len__(self) -> int:
        """Members, all of those with the same objectives counted."""
        return len(self.numbers)

    @property
    def points(self) -> Integers:
        """A combination for each point of the front: of those with these objectives the first.

        Returns
        -------
        ndarray of int64, shape (points,)
        """
        return self.numbers[self.starts]

    @property
    def sharing(self) -> Integers:
        """How many combinations are at each point, shape (points,)."""
        return np.diff(self.starts, append=len(self.numbers))

    @cached_property
    def scaled(self) -> Floats:
        """The points on a scale of their own for each objective: 0 the worst, 1 the best of them.

        Returns
        -------
        ndarray of float, shape (points, objectives)
            Infinite values stand at the end; 1 for all where there is one value only.
        """
        found = np.ones_like(self.scores)
        for column, values in enumerate(self.scores.T):
            finite = values[np.isfinite(values)]
            low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
            if high > low:
                # Halves: the difference of two finite numbers may be infinite.
                found[:, column] = (values / 2 - low / 2) / (high / 2 - low / 2)
            found[np.isinf(values), column] = np.inf * np.sign(values[np.isinf(values)])
        return np.clip(found, 0.0, 1.0)

    @cached_property
    def compromise(self) -> int:
        """The point nearest to the best of each objective, in units of `scaled`; its place.

        Of several as near, the one that is better by the main objective.
        """
        distances = ((1.0 - self.scaled) ** 2).sum(axis=1)
        return int(np.argmin(np.round(distances, 12)))

    def spread(self, count: int) -> list[int]:
        """Points to show: the best by each objective, the compromise, and others evenly between.

        Parameters
        ----------
        count : int
            At most; the first ones of these always come first.

        Returns
        -------
        list of int
            Places, ascending.
        """
        ends = [int(np.lexsort(-self.scores.T[::-1])[0])]  # The first one, by its order.
        ends += [
            int(np.lexsort((*-np.delete(self.scores, each, axis=1).T[::-1], -column))[0])
            for each, column in enumerate(self.scores.T)
        ]
        chosen = list(dict.fromkeys([ends[0], self.compromise, *ends]))[:count]
        if count >= len(self.starts):
            return list(range(len(self.starts)))
        distance = np.full(len(self.starts), np.inf)
        for place in chosen:
            distance = np.minimum(distance, self._distance_to(place))
        while len(chosen) < count:  # Always what is farthest from all that is shown.
            place = int(np.argmax(distance))
            chosen.append(place)
            distance = np.minimum(distance, self._distance_to(place))
        return sorted(chosen)

    def shown(self, count: int) -> list[int]:
        """Points of a table of about so many rows: one or two that would be left out are in it.

        Parameters
        ----------
        count : int

        Returns
        -------
        list of int
            Places, ascending.
        """
        points = len(self.starts)
        return self.spread(points if points <= count + _SPARED else count)

    def _distance_to(self, place: int) -> Floats:
        found: Floats = ((self.scaled - self.scaled[place]) ** 2).sum(axis=1)
        return found

    def standings(self, places: Sequence[int]) -> list[Standing]:
        """Points by their places, each with how many combinations share it."""
        points, sharing = self.points, self.sharing
        return [Standing(int(points[place]), int(sharing[place])) for place in places]

    def frame(self) -> pd.DataFrame:
        """Every member, the best by the main objective first.

        Returns
        -------
        DataFrame, shape (members, 2 + parameters + objectives that are functions + statistics)
            Indexed by the combination. `Place on Front` counts from 1, equal for combinations with
            the same objectives; `Shared By` is how many these are. Durations are timedeltas.
        """
        where = np.zeros(len(self.table), np.bool_)
        where[self.numbers] = True
        found = self.table.frame(where)
        found.index = pd.Index(np.flatnonzero(where), name=COMBINATION)
        found = found.loc[self.numbers]
        functions = [name for name in self.choice.names if name in self.table.more]
        for place, name in enumerate(functions):
            values = self.table.more[name][self.numbers]
            found.insert(len(self.table.space.names) + place, name, values)
        places = np.repeat(np.arange(len(self.starts)), self.sharing)
        found.insert(0, PLACE, places + 1)
        found.insert(1, SHARED, self.sharing[places])
        return found


def pareto_set(
    table: ResultTable, choice: Choice, *, among: NDArray[np.bool_] | None = None
) -> ParetoSet | None:
    """The Pareto set of a table; None of a single objective, and where nothing counts.

    Parameters
    ----------
    table : ResultTable
    choice : Choice
    among : ndarray of bool, shape (combinations,), optional
        Which combinations it is about; all by default.
    """
    if len(choice.objectives) < 2:
        return None
    scores = table.all_scores(choice)
    if among is not None:
        scores[~among] = np.nan
    numbers = non_dominated(scores)
    if not len(numbers):
        return None
    own = scores[numbers]
    starts = np.flatnonzero(np.append(True, (own[1:] != own[:-1]).any(axis=1)))
    return ParetoSet(table, choice, numbers, starts, own[starts])
