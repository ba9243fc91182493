"""A grid, or a part of it, reduced to what is kept: parts add up alike in whatever order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.keeping.rule import MOST_REASONS, Rule
from bigbar.keeping.sums import Cells, PairSums
from bigbar.space import Space
from bigbar.statistics import COLUMN, STATISTICS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_TRADES = COLUMN["# Trades"]


@dataclass
class Counts:
    """How many combinations came to what.

    Attributes
    ----------
    tried : int
        All, those that failed among them.
    failed, without_trades, counting : int
        Failed; never traded; can be the best.
    infinite : int
        Of those that count: the objective is infinite, or too large to be summed up.
    most_trades : int
        That any of them made.
    """

    tried: int = 0
    failed: int = 0
    without_trades: int = 0
    counting: int = 0
    infinite: int = 0
    most_trades: int = 0

    def merge(self, other: Counts) -> None:
        """Add those of other combinations."""
        most = max(self.most_trades, other.most_trades)
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)
        self.most_trades = most


@dataclass
class Rows:
    """Some rows.

    Attributes
    ----------
    numbers : ndarray of int64, shape (rows,)
        In the product.
    scores : ndarray of float, shape (rows, objectives)
        Of the best: every objective, the higher the better. Of a sample there are none.
    values : ndarray of float, shape (rows, statistics)
    """

    numbers: Integers
    scores: Floats
    values: Floats

    @classmethod
    def none(cls, objectives: int = 0) -> Rows:
        """No rows."""
        return cls(np.empty(0, np.int64), np.empty((0, objectives)), np.empty((0, len(STATISTICS))))

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, which: Any) -> Rows:
        """Some of them."""
        return Rows(self.numbers[which], self.scores[which], self.values[which])

    def with_others(self, other: Rows) -> Rows:
        """These and others."""
        return _together([self, other])

    def best(self, count: int) -> Rows:
        """The best of them, best first: by each objective in turn, then by the lowest number."""
        order = np.lexsort((self.numbers, *(-self.scores.T[::-1])))
        return self.only(order[:count])


def _together(parts: Sequence[Rows]) -> Rows:
    if not parts:
        return Rows.none()
    return Rows(
        np.concatenate([one.numbers for one in parts]),
        np.concatenate([one.scores for one in parts]),
        np.concatenate([one.values for one in parts]),
    )


@dataclass
class Part:
    """A slice, reduced, on its way to whoever adds it up.

    Attributes
    ----------
    counts : Counts
    best, sample : Rows
    reasons : dict of int to str
        Why combinations failed, by their numbers in the product.
    cells : Cells
    """

    counts: Counts
    best: Rows
    sample: Rows
    reasons: dict[int, str]
    cells: Cells


@dataclass
class Floor:
    """What a row has to reach to be of the best; it rises, and is sent as it is at that moment.

    Attributes
    ----------
    score : float
        Of the main objective. So many rows as are kept have reached it.
    """

    score: float = -np.inf


class Reduced:
    """What is kept of the combinations that were answered so far.

    Parameters
    ----------
    rule : Rule
    space : Space
        The grid.
    floor : float, optional
        The score that others know enough rows of: those below it are not of the best.

    Attributes
    ----------
    counts : Counts
    best : Rows
    reasons : dict of int to str
    sums : PairSums
    """

    def __init__(self, rule: Rule, space: Space, *, floor: float = -np.inf) -> None:
        self.rule, self.space = rule, space
        self._floor = floor
        self.counts = Counts()
        self.best = Rows.none(len(rule.choice.objectives))
        self._samples: list[Rows] = []
        self.reasons: dict[int, str] = {}
        self.sums = PairSums(space, rule.choice.objective)

    def add(
        self,
        start: int,
        values: Floats,
        reasons: dict[int, str],
        ends: tuple[Any, Any] | None = None,
    ) -> None:
        """Take in a slice of the grid.

        Parameters
        ----------
        start : int
            Its first combination.
        values : ndarray of float, shape (combinations, statistics)
            NaN for those that failed.
        reasons : dict of int to str
            Why those did, by their numbers in the grid.
        ends : tuple, optional
            Times of the first and the last bar, for an objective that asks for them.
        """
        stop = start + len(values)
        numbers = self.space.in_product(np.arange(start, stop))
        every = self.rule.choice.all_scores_of(values, ends)
        trades = values[:, _TRADES]
        counts = ~np.isnan(every[:, 0])
        drawn = self.rule.drawn(numbers)
        self.add_sample(Rows(numbers[drawn], np.empty((np.count_nonzero(drawn), 0)), values[drawn]))
        self._keep_reasons({int(numbers[one - start]): why for one, why in reasons.items()})
        self._keep_best(Rows(numbers, every, values), counts)
        objective = self.rule.choice.objectives[0].signed(every[:, 0])
        fits = counts & self.sums.fits(objective)
        self.sums.add(
            [place[fits] for place in self.space.places_from(start, stop)],
            objective[fits],
            every[fits, 0],
            numbers[fits],
        )
        traded = trades[~np.isnan(trades)]
        self.counts.merge(
            Counts(
                tried=len(values),
                failed=len(values) - len(traded),
                without_trades=int(np.count_nonzero(traded == 0)),
                counting=int(np.count_nonzero(counts)),
                infinite=int(np.count_nonzero(counts & ~fits)),
                most_trades=int(traded.max(initial=0)),
            )
        )

    @property
    def sample(self) -> Rows:
        """The rows that were drawn, those aside that it will be cut down by."""
        if len(self._samples) != 1:
            self._samples = [_together(self._samples)]
        return self._samples[0]

    @property
    def floor(self) -> float:
        """What is worse than this is not of the best: enough rows are known that are better."""
        if len(self.best) < self.rule.top:
            return self._floor
        return max(self._floor, float(self.best.scores[-1, 0]))

    def add_sample(self, rows: Rows) -> None:
        """Rows that were drawn."""
        if len(rows):
            self._samples.append(rows)

    def part(self) -> Part:
        """What there is by now, for `merge`."""
        return Part(self.counts, self.best, self.sample, self.reasons, self.sums.cells())

    def merge(self, part: Part) -> None:
        """Add what came of other combinations."""
        self.counts.merge(part.counts)
        self.best = self.best.with_others(part.best).best(self.rule.top)
        self.add_sample(part.sample)
        self._keep_reasons(part.reasons)
        self.sums.merge(part.cells, part.counts.tried)

    def kept(self) -> tuple[Integers, Floats]:
        """All rows that are kept: the best, the sample, and those whose reason to fail is.

        Returns
        -------
        numbers : ndarray of int64, shape (rows,)
            In the product, ascending.
        values : ndarray of float, shape (rows, statistics)
        """
        sample = self.sample.only(self.rule.in_sample(self.sample.numbers))
        failed = self._reasons_kept(sample.numbers)
        numbers = np.concatenate([self.best.numbers, sample.numbers, failed])
        blank = np.full((len(failed), len(STATISTICS)), np.nan)
        values = np.concatenate([self.best.values, sample.values, blank])
        numbers, first = np.unique(numbers, return_index=True)
        return numbers, values[first]

    def _reasons_kept(self, sample: Integers) -> Integers:
        known = np.array(sorted(self.reasons), np.int64)
        lowest = np.zeros(len(known), np.bool_)
        lowest[:MOST_REASONS] = True
        return known[lowest | np.isin(known, sample)]

    def _keep_best(self, rows: Rows, counts: NDArray[np.bool_]) -> None:
        main = rows.scores[:, 0]
        counts = counts & (main >= self.floor)
        count = int(np.count_nonzero(counts))
        if not count:
            return
        if count > self.rule.top:
            last = np.partition(main[counts], count - self.rule.top)[count - self.rule.top]
            counts = counts & (main >= last)
        self.best = self.best.with_others(rows.only(counts)).best(self.rule.top)

    def _keep_reasons(self, reasons: dict[int, str]) -> None:
        """Of the lowest numbers, and of the sample."""
        self.reasons |= reasons
        if len(self.reasons) <= MOST_REASONS:
            return
        known = np.array(sorted(self.reasons), np.int64)
        kept = self.rule.drawn(known)
        kept[:MOST_REASONS] = True
        self.reasons = {number: self.reasons[number] for number in known[kept].tolist()}


@dataclass
class Done:
    """Which combinations are done, as stretches of the grid: nothing is as large as that.

    Attributes
    ----------
    starts, stops : list of int
        Ascending, apart from each other.
    """

    starts: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)

    def add(self, start: int, stop: int) -> None:
        """A stretch more, of which nothing was done."""
        at = bisect_left(self.starts, start)
        before = at > 0 and self.stops[at - 1] == start
        after = at < len(self.starts) and self.starts[at] == stop
        if before and after:
            self.stops[at - 1] = self.stops[at]
            del self.starts[at], self.stops[at]
        elif before:
            self.stops[at - 1] = stop
        elif after:
            self.starts[at] = start
        else:
            self.starts.insert(at, start)
            self.stops.insert(at, stop)

    def __len__(self) -> int:
        return sum(self.stops) - sum(self.starts)

    def left(self, total: int) -> list[tuple[int, int]]:
        """What is not done, ascending."""
        pieces = zip([0, *self.stops], [*self.starts, total], strict=True)
        return [(start, stop) for start, stop in pieces if start < stop]
