"""What is valid of a setting that a search chose: its neighbours, and the search in each window.

Points that a search asked for are no sample of the grid: each was chosen by what came of those
before, on these very bars. On other bars, as luck's draws are, it would have asked for others. So
luck's best over them, the probability of overfitting and the deflated Sharpe ratio would flatter
the result, and are not computed. See docs/validation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.executors.contract import Unanswered
from bigbar.job import Job
from bigbar.results import ResultTable, best_of
from bigbar.search.find import Asking
from bigbar.search.tries import Tries
from bigbar.sharing.asked import AskedSpace, room_for
from bigbar.slices import GridTask, answer_slice, halves
from bigbar.space import Space
from bigbar.statistics import COLUMN, Better
from bigbar.units import agreeing
from bigbar.validation.findings import Bootstrap, Neighbours
from bigbar.validation.luck import LuckFindings, assess_luck
from bigbar.validation.single import whole_span
from bigbar.validation.splits import Span
from bigbar.validation.tasks import Imap
from bigbar.validation.walk_forward import Winner
from bigbar.worker import desk, engine_of

#: Points that are run together at most.
_ROOM = 1 << 12


@dataclass(frozen=True)
class AskedTask(GridTask):
    """Points that were asked for, on some bars.

    Attributes
    ----------
    start, stop : int
        Where they stand in the space.
    space : Space
    span : tuple of (int, int)
        Bars.
    choice : Choice
        What the objective is.
    """

    start: int
    stop: int
    space: Space
    span: Span
    choice: Choice


def run_asked(task: AskedTask) -> NDArray[np.float64]:
    """Objective and number of trades of some points, in a worker.

    Returns
    -------
    ndarray of float, shape (2, stop - start)
        NaN for points that failed.
    """
    engine = engine_of(replace(desk().job, space=task.space, span=task.span))
    rows = answer_slice(engine, (task.start, task.stop)).rows
    return np.stack([task.choice.objective_of(rows), rows[:, COLUMN["# Trades"]]])


def halved_asked(task: AskedTask) -> list[AskedTask]:
    """As `bigbar.slices.halves`, for points that were asked for."""
    return [replace(task, start=a, stop=b) for a, b in halves((task.start, task.stop))]


class AskedPoints:
    """Runs any points of a product on any bars, in workers that were started on another space.

    Parameters
    ----------
    asking : Asking
        The search that the run was.
    job : Job
        What it came to: its points are those that were asked for.
    choice : Choice
    imap : Imap
    workers : int
    failed : collection of int
        Points of the run that failed: they are not run again.
    space : AskedSpace
        Room for the points; the first of it, as many as the run has, is not used: what is said of
        the run's own points by their number is not of these.
    """

    def __init__(
        self,
        asking: Asking,
        job: Job,
        choice: Choice,
        imap: Imap,
        *,
        workers: int,
        failed: Sequence[int],
        space: AskedSpace,
    ) -> None:
        self.asking, self.job, self.choice, self.imap = asking, job, choice, imap
        self._workers, self._space = workers, space
        self._failed = job.space.in_product(np.array(failed, np.int64))

    def objectives(self, numbers: NDArray[np.int64], span: Span) -> NDArray[np.float64]:
        """Objective and number of trades of some points of the product, on some bars.

        Returns
        -------
        ndarray of float, shape (2, points)
            NaN for points that fail, and for those that failed in the run.
        """
        found = np.full((2, len(numbers)), np.nan)
        left = np.flatnonzero(~np.isin(numbers, self._failed))
        for first in range(0, len(left), _ROOM):
            part = left[first : first + _ROOM]
            self._run(part, numbers, span, found)
        return found

    def _run(
        self,
        part: NDArray[np.int64],
        numbers: NDArray[np.int64],
        span: Span,
        found: NDArray[np.float64],
    ) -> None:
        start = len(self.job.space)
        stop = start + len(part)
        self._space.numbers[start:stop] = numbers[part]
        size = -(-len(part) // self._workers)
        tasks = [
            AskedTask(at, min(at + size, stop), self._space, span, self.choice)
            for at in range(start, stop, size)
        ]
        for task, result in self.imap(run_asked, tasks, split=halved_asked):
            if not isinstance(result, Unanswered):
                found[:, part[task.start - start : task.stop - start]] = result


@contextmanager
def asked_points(
    asking: Asking,
    job: Job,
    choice: Choice,
    imap: Imap,
    *,
    workers: int,
    failed: Sequence[int] = (),
) -> Iterator[AskedPoints]:
    """Room for points to be run in; parameters as of `AskedPoints`."""
    space, block = room_for(job.space.parameters, len(job.space) + _ROOM)
    try:
        yield AskedPoints(asking, job, choice, imap, workers=workers, failed=failed, space=space)
    finally:
        block.close()


class SearchedWinners:
    """The winner of the same search on any bars, found once for each; as `Winners` of a grid.

    Parameters
    ----------
    points : AskedPoints
    """

    def __init__(self, points: AskedPoints) -> None:
        self._points = points
        self.choice, self.imap = points.choice, points.imap
        self._known: dict[Span, Winner | None] = {}
        self._numbers: list[int] = []

    @property
    def job(self) -> Job:
        """A job on the winners that were found so far, which they are the numbers of."""
        space = self._points.job.space
        kept = np.array(self._numbers, np.int64)
        return replace(self._points.job, space=Space(space.parameters, kept, is_sample=True))

    def find(self, spans: Sequence[Span]) -> list[Winner | None]:
        """The winner on each stretch of bars; None where no point that was tried counts."""
        for span in dict.fromkeys(spans):
            if span not in self._known:
                self._known[span] = self._search(span)
        return [self._known[span] for span in spans]

    def named(self, number: int) -> int:
        """By which number a winner is told: that in the product."""
        return self._numbers[number]

    def _search(self, span: Span) -> Winner | None:
        asking = self._points.asking
        tries = Tries(asking.searcher(), np.zeros(asking.tries, np.int64))
        objectives = np.full(asking.tries, np.nan)
        while len(places := tries.ask()):
            here = slice(places.start, places.stop)
            found = self._points.objectives(tries.numbers[here], span)
            objectives[here] = found[0]
            tries.tell(places, self.choice.scores(*found))
        best = best_of(tries.scores)
        if best is None:
            return None
        number = int(tries.numbers[best])
        if number not in self._numbers:
            self._numbers.append(number)
        return Winner(self._numbers.index(number), float(objectives[best]))


def look_around(
    points: AskedPoints, file: pd.DataFrame, table: ResultTable, chosen: int
) -> Neighbours:
    """Run what stands one step along a parameter from the chosen setting.

    Parameters
    ----------
    points : AskedPoints
    file : DataFrame
        The bars that the workers were started on.
    table : ResultTable
        Of the run.
    chosen : int
    """
    product, span = points.asking.product, whole_span(file, points.job)

    def admitted(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        met = np.ones(len(numbers), np.bool_)
        for constraint in points.asking.constraints:
            met[met] = product.admitted(constraint, numbers[met])
        return met

    return neighbours_of(
        chosen,
        table,
        points.choice,
        product=product,
        admitted=admitted,
        objectives=lambda numbers: points.objectives(numbers, span),
    )


def neighbours_of(
    chosen: int,
    table: ResultTable,
    choice: Choice,
    *,
    product: Space,
    admitted: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
    objectives: Callable[[NDArray[np.int64]], NDArray[np.float64]],
) -> Neighbours:
    """What stands one step along a parameter from the chosen setting.

    Parameters
    ----------
    chosen : int
        By its place in the table.
    table : ResultTable
    choice : Choice
    product : Space
        All combinations of the parameters.
    admitted : callable
        Which of some points, by their numbers in the product, can be tried.
    objectives : callable
        Runs some points; gives their objective and number of trades.
    """
    here = table.space.places(chosen)
    around, edges = [], []
    for axis, (parameter, place) in enumerate(zip(product.parameters, here, strict=True)):
        if len(parameter) < 2 or not parameter.is_ordered:
            continue
        steps = [one for one in (place - 1, place + 1) if 0 <= one < len(parameter)]
        around += [(*here[:axis], one, *here[axis + 1 :]) for one in steps]
        edges += [parameter.name] if len(steps) < 2 else []
    numbers = _numbers_of(around, product)
    numbers = numbers[admitted(numbers)]
    found = objectives(numbers)
    scores = choice.scores(*found)
    counts = np.isfinite(scores)
    sign = -1.0 if choice.objective.better is Better.LOWER else 1.0
    own = float(table.scores(choice)[chosen])
    return Neighbours(
        statistic=choice.objective.name,
        value=sign * own,
        combinations=len(numbers),
        counting=int(np.count_nonzero(counts)),
        mean=sign * float(scores[counts].mean()) if counts.any() else np.nan,
        worst=sign * float(scores[counts].min()) if counts.any() else np.nan,
        edges=tuple(edges),
    )


def _numbers_of(places: Sequence[tuple[int, ...]], product: Space) -> NDArray[np.int64]:
    if not places:
        return np.empty(0, np.int64)
    axes: Any = tuple(np.array(places, np.int64).T)
    return np.asarray(np.ravel_multi_index(axes, product.shape))


def held_alone(
    returns: NDArray[np.float32],
    table: ResultTable,
    choice: Choice,
    chosen: int,
    *,
    periods_per_year: float,
    seed: int,
) -> tuple[Bootstrap | None, tuple[str, ...]]:
    """Hold the chosen setting against luck as if no other had been tried.

    Luck does as well at least so often: what else was looked at only adds to it.

    Parameters
    ----------
    returns : ndarray of float32, shape (1, periods)
        Of the chosen setting.
    table : ResultTable
    choice : Choice
    chosen : int
    periods_per_year : float
    seed : int

    Returns
    -------
    bootstrap : Bootstrap or None
    notes : tuple of str
    """
    alone = ResultTable(table.space.only(np.array([chosen])), table.values[[chosen]])
    for name, values in table.more.items():
        alone.more[name] = values[[chosen]]
    found: LuckFindings = assess_luck(
        returns, alone, choice, 0, periods_per_year=periods_per_year, seed=seed
    )
    return found.bootstrap, found.notes


def note_of(asking: Asking, tried: int) -> str:
    """What can be said of points that a search chose, and what cannot."""
    return (
        f"{tried:,} of {asking.product.product:,} combinations "
        f"{agreeing(tried, 'was', 'were')} tried, each by what came of "
        f"those before it (--method {asking.method}): they are no sample of the grid, so luck's "
        "best over them, the probability of overfitting and the deflated Sharpe ratio would "
        "flatter the result and are left out; bars that were held back (--holdout 0.2) and the "
        "search run in each window (--walk-forward 5) can tell"
    )
