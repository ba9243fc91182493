"""A search over the workers: a batch is asked for, run, and told.

Rows stand in the order of asking. The size of a batch is the search's own and all of it is told in
that order, so the points are the same for any workers, chunks and start method. A run that is
continued asks again, and is answered with the rows that it has until it comes to points that are
new.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import Interrupted
from bigbar.executors.chunks import gaps_in
from bigbar.executors.contract import Executor, Unanswered
from bigbar.job import Job
from bigbar.outcome import Outcome
from bigbar.progress.best import BestSoFar
from bigbar.progress.events import Listener, Progress
from bigbar.results import ResultTable
from bigbar.search.find import SEVERAL, Asking
from bigbar.search.pace import Pace
from bigbar.search.tries import Tries
from bigbar.sharing.asked import AskedSpace, room_for
from bigbar.slices import Chunk, ChunkResult
from bigbar.statistics import COLUMN
from bigbar.store.recorder import Carried, Recorder
from bigbar.store.rows import Slice
from bigbar.stored_rows import distrust, wrong_rows
from bigbar.sweep import answers, take, throttle_of
from bigbar.units import counted
from bigbar.verification.replay import Difference

#: A slice takes about this long at least, where a batch is long enough: handing one out takes a
#: tenth of it.
_SLICE_S = 0.002

#: Rows out of the store that are computed again before the search is told of any.
_COMPUTED_AGAIN = 10

#: That a search takes time for itself is told where it comes to so many seconds in all, once this
#: share of its points was tried: before that a few points would speak for all.
_WORTH_TELLING_S, _TOLD_AT = 2.0, 0.1


@contextmanager
def room_to_search(job: Job, asking: Asking | None) -> Iterator[Job]:
    """The job on points that a search will ask for, where one chooses them."""
    if asking is None:
        yield job
        return
    space, block = room_for(asking.product.parameters, asking.tries)
    try:
        yield replace(job, space=space)
    finally:
        block.close()


def search(
    outcome: Outcome,
    space: AskedSpace,
    pool: Executor,
    listener: Listener,
    recorder: Recorder,
) -> None:
    """Carry out a search; the outcome's job and table are of what it has come to.

    Rows of the store are held against some that are computed again; where they are wrong, it begins
    once more from nothing.

    Parameters
    ----------
    outcome : Outcome
    space : AskedSpace
        Room for its points, which the workers see.
    pool : Executor
    listener : Listener
    recorder : Recorder
    """
    assert outcome.asking is not None
    _begin(outcome, space)
    objectives = outcome.choice.objectives
    seen = outcome.asking.seen(len(objectives))
    pace = Pace(len(space))
    searcher = pace.timed(partial(outcome.asking.searcher, seen))
    tries = Tries(searcher, space.numbers, objectives=seen)
    if seen < len(objectives):
        listener.event(
            f"--method {outcome.asking.method} goes by {objectives[0].name}; "
            f"{' and '.join(sorted(SEVERAL))} by all objectives"
        )
    answering = _Answering(outcome, space, pool, recorder)
    wrong: list[Difference] = []
    try:
        with listener.progress(len(space)) as bar:
            while not wrong and len(places := pace.timed(tries.ask)):
                wrong = answering.answer(places, bar)
                pace.timed(partial(tries.tell, places, answering.scores(places)))
                pace.chose(places.stop)
                answering.predict(pace, places.stop, bar, listener)
    except Interrupted as stop_signal:
        outcome.stopped_by = stop_signal.signal_number
    finally:
        outcome.search_s += pace.spent_s
    if wrong:
        computed = np.zeros(len(space), np.bool_)
        distrust(outcome, listener, recorder, wrong, computed=computed)
        outcome.carried.asked = outcome.carried.known = None
        search(outcome, space, pool, listener, recorder)
        return
    if outcome.reused:
        runs = np.unique(outcome.carried.taken[outcome.carried.taken > 0]).tolist()
        listener.reusing(outcome.reused, outcome.reused, runs)
    if tries.count < len(space) and outcome.stopped_by is None:
        listener.event(
            f"the search ended after {tries.count:,} of {counted(len(space), 'combination')}: "
            f"{tries.why_ended}"
        )
    outcome.untried = 0 if outcome.stopped_by is None else len(space) - tries.count
    _keep(outcome, space, tries.count)


def as_asked_before(outcome: Outcome, space: AskedSpace, recorder: Recorder) -> None:
    """Have the points of a finished search as they were, for what failed to be run again."""
    asked = outcome.carried.asked
    assert asked is not None
    space.numbers[: len(asked)] = asked
    recorder.asked(space.numbers[: len(asked)])
    outcome.kept = np.zeros(len(space), np.bool_)
    _keep(outcome, space, len(asked))


def _begin(outcome: Outcome, space: AskedSpace) -> None:
    """Room for all that may be tried; what there is of an earlier attempt stands in it."""
    if outcome.job.space is not space:  # Searched already, led by rows that were wrong.
        outcome.job = replace(outcome.job, space=space)
        outcome.table = ResultTable.empty(space)
        nothing = Carried.nothing(len(space))
        outcome.carried.done, outcome.carried.taken = nothing.done, nothing.taken
        outcome.carried.asked = outcome.carried.known = None
        outcome.failures = []
    outcome.kept = np.zeros(len(space), np.bool_)
    outcome.resumed = outcome.reused = 0


def _keep(outcome: Outcome, space: AskedSpace, count: int) -> None:
    """Keep the points that were asked for, for good."""
    outcome.job = replace(outcome.job, space=space.so_far(count))
    outcome.table = ResultTable(outcome.job.space, outcome.table.values[:count])
    carried = outcome.carried
    carried.done, carried.taken = carried.done[:count], carried.taken[:count]
    outcome.kept = outcome.kept[:count]
    outcome.failures.sort(key=lambda failure: failure.number)
    outcome.__dict__.pop("identity", None)  # It names the points.
    outcome.changed()


class _Answering:
    """Answers points out of the store where they are there, and by the workers."""

    def __init__(
        self, outcome: Outcome, space: AskedSpace, pool: Executor, recorder: Recorder
    ) -> None:
        self._outcome, self._space = outcome, space
        self._pool, self._recorder = pool, recorder
        self._throttle, self._best = throttle_of(outcome), BestSoFar(outcome.choice)
        self._timed, self._spent = 0, 0.0
        self._ran, self._ran_s = 0, 0.0
        self._has_told = False
        self._to_compute_again = _COMPUTED_AGAIN
        index = outcome.bars.frame.index[outcome.job.bars]
        self._ends = index[0], index[-1]

    def scores(self, places: range) -> NDArray[np.float64]:
        """What the search is told: the higher the better, NaN where a point does not count."""
        choice, asking = self._outcome.choice, self._outcome.asking
        assert asking is not None
        rows = self._outcome.table.values[places.start : places.stop]
        trades = rows[:, COLUMN["# Trades"]]
        if asking.seen(len(choice.objectives)) == 1:
            return choice.scores(choice.objective_of(rows, self._ends), trades)
        values = [each.values(rows, self._ends) for each in choice.objectives]
        return choice.all_scores(values, trades)

    def answer(self, places: range, bar: Progress) -> list[Difference]:
        """Fill in the rows of some points; rows of the store that turned out to be wrong."""
        outcome, start, stop = self._outcome, places.start, places.stop
        self._recorder.asked(self._space.numbers[:stop])
        self._take_out(start, stop)
        kept = outcome.kept[start:stop]
        self._show(bar, start, stop, int(np.count_nonzero(kept)))
        again = (start + np.flatnonzero(kept)[: self._to_compute_again]).tolist()
        self._to_compute_again -= len(again)
        wrong: list[Difference] = []
        for (first, _), found in answers(outcome, self._pool, [(one, one + 1) for one in again]):
            if not isinstance(found, Unanswered):
                wrong += wrong_rows(outcome, first, found.rows)
        if wrong:
            return wrong
        begun = time.perf_counter()
        self._ran += int(np.count_nonzero(~kept))
        for piece, found in answers(outcome, self._pool, self._cut(start, kept), self._throttle):
            take(outcome, self._recorder, piece, found)
            self._time(found)
            self._show(bar, *piece, piece[1] - piece[0])
        self._ran_s += time.perf_counter() - begun
        return []

    def predict(self, pace: Pace, tried: int, bar: Progress, listener: Listener) -> None:
        """Predict the end by what backtests take, and by what the search takes for itself."""
        asking, total = self._outcome.asking, len(self._space)
        own_s = pace.left_s()
        if asking is None or own_s is None or not self._ran:
            return
        left_s = own_s + (total - tried) * self._ran_s / self._ran
        bar.expect(left_s)
        whole_s = pace.spent_s + own_s
        if not self._has_told and whole_s >= _WORTH_TELLING_S and tried >= _TOLD_AT * total:
            listener.searching(asking.method, whole_s, left_s)
            self._has_told = True

    def _take_out(self, start: int, stop: int) -> None:
        """Have what the store has: of this run, and of others."""
        outcome, carried = self._outcome, self._outcome.carried
        self._hold_against_before(start, stop)
        done = carried.done[start:stop]
        outcome.resumed += int(np.count_nonzero(done))
        outcome.kept[start:stop] = done
        if carried.known is None:
            return
        at = carried.known.places(self._space.numbers[start:stop])
        for place in np.flatnonzero((at >= 0) & ~done).tolist():
            here = slice(start + place, start + place + 1)
            outcome.table.values[here] = carried.known.rows[at[place]]
            carried.taken[here] = carried.known.runs[at[place]]
            outcome.kept[here] = True
            outcome.reused += 1
            self._recorder.add(Slice(here.start, here.stop), outcome.table.values[here], ())

    def _hold_against_before(self, start: int, stop: int) -> None:
        """From a point on that the earlier attempt did not ask for, what it had is of no use."""
        outcome, asked = self._outcome, self._outcome.carried.asked
        if asked is None:
            return
        stop = min(stop, len(asked))
        differing = np.flatnonzero(asked[start:stop] != self._space.numbers[start:stop])
        if len(differing):
            first = start + int(differing[0])
            outcome.carried.done[first:] = False
            outcome.table.values[first:] = np.nan
            outcome.failures = [one for one in outcome.failures if one.number < first]
            outcome.carried.asked = None

    def _cut(self, start: int, kept: NDArray[np.bool_]) -> list[Chunk]:
        """What is to be run of a batch, in slices: one a worker, or more if backtests are slow."""
        gaps = gaps_in(kept)
        left = sum(stop - first for first, stop in gaps)
        size = max(1, -(-left // self._pool.workers))
        if duration := self._outcome.estimated_duration_s:
            size = min(size, math.ceil(_SLICE_S / duration))
        self._outcome.chunk_size = max(self._outcome.chunk_size, size if left else 0)
        return [
            (start + at, start + min(at + size, stop))
            for first, stop in gaps
            for at in range(first, stop, size)
        ]

    def _time(self, found: ChunkResult | Unanswered) -> None:
        if isinstance(found, ChunkResult):
            self._timed += found.stop - found.start
            self._spent += found.seconds
            self._outcome.estimated_duration_s = self._spent / self._timed

    def _show(self, bar: Progress, start: int, stop: int, count: int) -> None:
        """Count some more, and show the best of all so far."""
        if not count:
            return
        self._best.add(self._outcome.table.values[start:stop])
        beside = [str(one) for one in (self._throttle, self._best) if one is not None and str(one)]
        bar.set_postfix_str(", ".join(beside), refresh=False)
        bar.update(count)
