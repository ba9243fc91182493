"""The grid over the workers where a part of its rows is kept: slices go out, that part comes back.

Nothing here is as large as the grid, and what is kept is the same for any workers, slices and
order of answers. See `bigbar.keeping`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bigbar.engines.find import is_general, kind_of
from bigbar.errors import Interrupted
from bigbar.executors.chunks import (
    CHUNKS_PER_WORKER,
    calculate_adaptive_chunk_size,
    chunks_in_order,
    estimate_duration,
    in_flight,
    longest_chunk,
    whole_periods,
)
from bigbar.executors.contract import Executor, Unanswered
from bigbar.keeping.packed import packed, unpacked
from bigbar.keeping.reduced import Done, Floor, Reduced
from bigbar.keeping.task import ReducedResult, ReducedTask, halved_reduced, run_reduced
from bigbar.outcome import Outcome
from bigbar.progress.best import BestSoFar
from bigbar.progress.events import Listener
from bigbar.results import ResultTable
from bigbar.slices import Chunk, ChunkResult, Failure, halves
from bigbar.space import Space
from bigbar.statistics import STATISTICS
from bigbar.store.recorder import Carried, Recorder
from bigbar.store.writer import Snapshot
from bigbar.sweep import SAMPLE_SIZE, limit_of, throttle_of
from bigbar.units import counted
from bigbar.worker import run_chunk

#: More slices than this are not made, however long one takes: their list takes memory as well.
_MOST_SLICES = 250_000

#: A slice takes so many seconds at least, if the grid is large enough: what is kept of it is looked
#: for and handed over in some milliseconds.
_SLICE_S = 0.25

#: Processor time of this process for what is kept of a slice, beside that of handing it out.
TAKEN_IN_S = 2e-3

#: For whoever watches.
_ROWS_LATER = "--keep: rows are to be seen when the sweep ends or is stopped; until then it counts"

#: Rows out of the store that are computed again before it is gone on from them.
_COMPUTED_AGAIN = 10


class Reduction:
    """A grid that is reduced to what is kept of it.

    Parameters
    ----------
    outcome : Outcome
        With a rule. Gets the table of what is kept, and the job on these points.
    pool : Executor
        Whose workers were started on the grid.
    listener : Listener
    recorder : Recorder
    """

    def __init__(
        self, outcome: Outcome, pool: Executor, listener: Listener, recorder: Recorder
    ) -> None:
        assert outcome.rule is not None
        self._outcome, self._rule = outcome, outcome.rule
        self._pool, self._listener, self._recorder = pool, listener, recorder
        self._space = outcome.job.space
        self._reduced, self._done = Reduced(self._rule, self._space), Done()

    def run(self) -> None:
        """Run what is left of the grid; after an interruption what there is by then is kept."""
        outcome = self._outcome
        try:
            with outcome.timed("estimate_s"):
                self._go_on()
                tasks = self._tasks()
            with outcome.timed("sweep_s"):
                self._sweep(tasks)
        except Interrupted as stop_signal:
            outcome.stopped_by = stop_signal.signal_number
        self._keep()

    def _go_on(self) -> None:
        """Have what an earlier attempt has, if rows of it compute to the same."""
        carried = self._outcome.carried
        if carried.reduction is None:
            return
        try:
            self._reduced, self._done = unpacked(carried.reduction, self._rule, self._space)
            wrong = self._computed_again()
        except ValueError as problem:
            wrong = str(problem)
        if wrong:
            self._listener.event(
                f"what run {carried.run} has kept cannot be gone on from ({wrong}); all is "
                "computed again"
            )
            self._reduced, self._done = Reduced(self._rule, self._space), Done()
            return
        self._outcome.resumed = len(self._done)
        if carried.run is not None and carried.begun is not None:
            self._listener.resuming(carried.run, carried.begun, len(self._done), self._rule.total)

    def _computed_again(self) -> str:
        """What is wrong with rows that were kept; empty where some compute to the same."""
        known: dict[int, NDArray[np.float64]] = {}
        for rows in (self._reduced.best, self._reduced.sample):
            some = rows.only(slice(_COMPUTED_AGAIN))
            own = self._space.from_product(some.numbers)
            known |= dict(zip(own.tolist(), some.values, strict=True))
        for (number, _), found in self._answers([(number, number + 1) for number in known]):
            if isinstance(found, Unanswered) or np.isnan(found.rows).all():
                continue
            if not np.array_equal(found.rows[0], known[number], equal_nan=True):
                return f"a row of combination {number} is another"
        return ""

    def _answers(self, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, ChunkResult | Unanswered]]:
        return self._pool.imap_unordered(
            run_chunk, chunks, split=halves, limit=limit_of(self._outcome)
        )

    def _tasks(self) -> list[Chunk]:
        """Time a sample, and cut what is left into slices."""
        outcome, total = self._outcome, self._rule.total
        left = total - len(self._done)
        if not left:
            return []
        execution = outcome.execution

        def seconds(slices: Sequence[Chunk]) -> float:
            answered = (found for _, found in self._answers(slices))
            return sum(found.seconds for found in answered if isinstance(found, ChunkResult))

        kind = kind_of(outcome.job.spec, outcome.job.engine)
        if is_general(outcome.job.spec, outcome.job.engine):
            # Each worker's first combination waits for the strategy's machine code.
            seconds([(number, number + 1) for number in range(min(execution.workers, total))])
        outcome.estimated_duration_s = estimate_duration(
            seconds, total, slice_size=kind.sample_slice, least=SAMPLE_SIZE, seed=execution.seed
        )
        work = left, execution.workers, outcome.estimated_duration_s
        longest = longest_chunk(*work, hand_out_s=self._pool.hand_out_s + TAKEN_IN_S)
        share = left * outcome.estimated_duration_s / execution.workers / CHUNKS_PER_WORKER
        size = calculate_adaptive_chunk_size(*work, most_seconds=max(longest, min(_SLICE_S, share)))
        size = max(size, -(-left // _MOST_SLICES))
        outcome.chunk_size = whole_periods(size, self._space.per_slowest)
        chunks = chunks_in_order(
            total,
            outcome.chunk_size,
            period=self._space.per_slowest,
            ranges=self._done.left(total),
        )
        self._listener.estimated(outcome.estimated_duration_s, outcome.chunk_size, len(chunks))
        return chunks

    def _sweep(self, chunks: Sequence[Chunk]) -> None:
        self._recorder.note("note", _ROWS_LATER)
        outcome, done = self._outcome, self._done
        limit, throttle, best = limit_of(outcome), throttle_of(outcome), BestSoFar(outcome.choice)
        floor = Floor(self._reduced.floor)
        best.add(self._reduced.best.values)

        def of_task(task: ReducedTask, suspect: bool) -> float:
            assert limit is not None
            return limit((task.start, task.stop), suspect)

        waiting = in_flight(chunks, self._pool.workers)
        with self._listener.progress(self._rule.total, len(done), waiting) as bar:
            for task, found in self._pool.imap_unordered(
                run_reduced,
                [ReducedTask(*chunk, self._rule, floor) for chunk in chunks],
                split=halved_reduced,
                limit=None if limit is None else of_task,
                throttle=throttle,
            ):
                self._take(task, found)
                floor.score = self._reduced.floor
                self._recorder.reduced(self._snapshot)
                best.add(self._reduced.best.values[:1])
                beside = [str(one) for one in (throttle, best) if one is not None and str(one)]
                bar.set_postfix_str(", ".join(beside), refresh=False)
                bar.update(task.stop - task.start)

    def _take(self, task: ReducedTask, found: ReducedResult | Unanswered) -> None:
        if isinstance(found, Unanswered):
            blank = np.full((task.stop - task.start, len(STATISTICS)), np.nan)
            self._reduced.add(task.start, blank, {task.start: found.reason()})
        else:
            assert found.part is not None
            self._reduced.merge(found.part)
            self._outcome.sweep_metrics.add(found)
            self._outcome.in_python.update(found.in_python)
        self._done.add(task.start, task.stop)

    def _snapshot(self) -> Snapshot:
        counts = self._reduced.counts
        return Snapshot(packed(self._reduced, self._done), counts.tried, counts.failed)

    def _keep(self) -> None:
        """Make what is kept the table of the run, and its points the job's."""
        outcome, reduced = self._outcome, self._reduced
        outcome.reduced = reduced
        numbers, values = reduced.kept()
        space = Space(self._space.parameters, numbers, is_sample=True, tried=reduced.counts.tried)
        outcome.job = replace(outcome.job, space=space)
        outcome.table = ResultTable(space, values)
        outcome.failures = [
            Failure(place, reduced.reasons[number])
            for place, number in enumerate(numbers.tolist())
            if number in reduced.reasons
        ]
        nothing = Carried.nothing(len(numbers))
        outcome.carried.done, outcome.carried.taken = nothing.done, nothing.taken
        outcome.kept = nothing.done
        outcome.__dict__.pop("identity", None)  # It names the points.
        outcome.changed()
        self._recorder.keep(numbers, values, outcome.failures, self._snapshot())


def kept_text(outcome: Outcome) -> str:
    """What is kept of a run, in a sentence."""
    rule = outcome.rule
    assert rule is not None
    sample = 0 if outcome.in_sample is None else int(np.count_nonzero(outcome.in_sample))
    return (
        f"{counted(len(outcome.table), 'row')} of {counted(outcome.reached, 'combination')} kept: "
        f"the {min(rule.top, outcome.reached):,} best, and {sample:,} by chance"
    )
