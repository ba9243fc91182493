"""The grid over the workers: a sample is timed, then slices go out and rows come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bigbar.engines.find import is_general, kind_of
from bigbar.errors import Interrupted
from bigbar.executors.chunks import (
    KEPT_S,
    calculate_adaptive_chunk_size,
    chunks_in_order,
    estimate_duration,
    gaps_in,
    in_flight,
    longest_chunk,
    ranges_to_run,
    time_limit,
    whole_periods,
    without,
)
from bigbar.executors.contract import Executor, Limit, Unanswered
from bigbar.executors.throttle import Throttle
from bigbar.outcome import Outcome
from bigbar.progress.best import BestSoFar
from bigbar.progress.events import Listener
from bigbar.slices import Chunk, ChunkResult, Failure, halves
from bigbar.store.recorder import Recorder
from bigbar.store.rows import Slice
from bigbar.stored_rows import distrust, wrong_rows
from bigbar.verification.replay import Difference
from bigbar.worker import ReturnsTask, halved_returns, run_chunk, run_chunk_with_returns

#: Backtests to time at least before choosing the chunk size.
SAMPLE_SIZE = 10


def estimate(
    outcome: Outcome, pool: Executor, listener: Listener, recorder: Recorder
) -> list[Chunk]:
    """Time a sample in the workers: a combination that kills its process is in there as well.

    What it computes is held against the rows that came from the store.

    Returns
    -------
    list of Chunk
        What is to be run.
    """
    grid, execution, carried = outcome.job.space, outcome.execution, outcome.carried
    if carried.retry is not None:
        outcome.chunk_size = 1
        return [(number, number + 1) for number in carried.retry]
    if outcome.have.all():
        return []
    wrong: list[Difference] = []
    answered: list[ChunkResult] = []

    def seconds(slices: Sequence[Chunk]) -> float:
        spent = 0.0
        for piece, found in answers(outcome, pool, slices):
            if isinstance(found, Unanswered):
                if all(one.number != piece[0] for one in outcome.given_up):  # May be timed twice.
                    outcome.given_up.append(Failure(piece[0], found.reason()))
                continue
            spent += found.seconds
            answered.append(found)
            wrong.extend(wrong_rows(outcome, piece[0], found.rows))
        return spent

    in_python = outcome.job.engine == "backtesting"
    enough = len(grid) >= SAMPLE_SIZE * execution.workers
    if is_general(outcome.job.spec, outcome.job.engine) or (in_python and enough):
        # Each worker's first combination waits for imports, or for the strategy's machine code.
        seconds([(number, number + 1) for number in range(min(execution.workers, len(grid)))])
    outcome.estimated_duration_s = estimate_duration(
        seconds,
        len(grid),
        slice_size=kind_of(outcome.job.spec, outcome.job.engine).sample_slice,
        least=SAMPLE_SIZE,
        seed=execution.seed,
    )
    if wrong:
        distrust(outcome, listener, recorder, wrong, computed=np.zeros(len(grid), dtype=bool))
    if outcome.estimated_duration_s >= KEPT_S:
        _keep_sample(outcome, recorder, answered)
    have = outcome.have
    left = len(grid) - int(np.count_nonzero(have))
    work = left, execution.workers, outcome.estimated_duration_s
    size = calculate_adaptive_chunk_size(
        *work, most_seconds=longest_chunk(*work, hand_out_s=pool.hand_out_s)
    )
    outcome.chunk_size = whole_periods(size, grid.per_slowest)
    chunks = chunks_in_order(
        len(grid),
        outcome.chunk_size,
        period=grid.per_slowest,
        ranges=ranges_to_run(have, outcome.estimated_duration_s),
    )
    listener.estimated(outcome.estimated_duration_s, outcome.chunk_size, len(chunks))
    return without(chunks, {failure.number for failure in outcome.given_up})


def _keep_sample(outcome: Outcome, recorder: Recorder, answered: Sequence[ChunkResult]) -> None:
    """Make rows of what was timed, where no row is there yet."""
    have = outcome.have
    for found in answered:
        if have[found.start : found.stop].any():  # Of a run before, or timed twice.
            continue
        have[found.start : found.stop] = True
        outcome.sampled += range(found.start, found.stop)
        take(outcome, recorder, (found.start, found.stop), found)


def answers(
    outcome: Outcome,
    pool: Executor,
    chunks: Sequence[Chunk],
    throttle: Throttle | None = None,
) -> Iterator[tuple[Chunk, ChunkResult | Unanswered]]:
    """Slices of the grid with what came of them, as it comes; their returns are kept aside."""
    limit, kept = limit_of(outcome), outcome.returns
    if kept is None:
        yield from pool.imap_unordered(
            run_chunk, chunks, split=halves, limit=limit, throttle=throttle
        )
        return

    def of_task(task: ReturnsTask, suspect: bool) -> float:
        assert limit is not None
        return limit((task.start, task.stop), suspect)

    for task, found in pool.imap_unordered(
        run_chunk_with_returns,
        [kept.task(start, stop) for start, stop in chunks],
        split=halved_returns,
        limit=None if limit is None else of_task,
        throttle=throttle,
    ):
        kept.take(task, found if isinstance(found, Unanswered) else found.returns)
        yield (task.start, task.stop), found


def take(
    outcome: Outcome, recorder: Recorder, chunk: Chunk, result: ChunkResult | Unanswered
) -> None:
    """Put what came of a slice into the table, and into the store."""
    start, stop = chunk
    table = outcome.table
    if isinstance(result, Unanswered):
        piece, failures = Slice(start, stop), [Failure(start, result.reason())]
    else:
        table.values[start:stop] = result.rows
        piece = Slice(start, stop, result.worker, result.begun, result.seconds)
        failures = result.failures
        outcome.sweep_metrics.add(result)
        outcome.in_python.update(result.in_python)
    _replace_failures(outcome, chunk, failures)
    recorder.add(piece, table.values[start:stop], failures)


def throttle_of(outcome: Outcome) -> Throttle | None:
    """How many workers may be at work, where that follows the machine."""
    return None if outcome.watcher is None else outcome.watcher.throttle


def limit_of(outcome: Outcome) -> Limit | None:
    """How long a slice may take, by what is known of a backtest so far."""
    timeout = outcome.execution.timeout
    return None if timeout is None else time_limit(timeout, outcome.estimated_duration_s)


def sweep(
    outcome: Outcome,
    pool: Executor,
    listener: Listener,
    recorder: Recorder,
    chunks: Sequence[Chunk],
) -> None:
    """Fan the grid out; the parent alone writes, so any order gives the same table."""
    table = outcome.table
    _keep_what_is_there(outcome, listener, recorder, chunks)
    done = len(table) - sum(stop - start for start, stop in chunks)
    throttle, best = throttle_of(outcome), BestSoFar(outcome.choice)
    best.add(table.values)
    try:
        with listener.progress(len(table), done, in_flight(chunks, pool.workers)) as bar:
            for chunk, result in answers(outcome, pool, chunks, throttle):
                take(outcome, recorder, chunk, result)
                best.add(table.values[slice(*chunk)])
                beside = [str(one) for one in (throttle, best) if one is not None and str(one)]
                bar.set_postfix_str(", ".join(beside), refresh=False)
                bar.update(chunk[1] - chunk[0])
    except Interrupted as stop_signal:
        outcome.stopped_by = stop_signal.signal_number
    outcome.failures.sort(key=lambda failure: failure.number)


def _keep_what_is_there(
    outcome: Outcome, listener: Listener, recorder: Recorder, chunks: Sequence[Chunk]
) -> None:
    """Count what need not be run; rows of other runs among it become rows of this one."""
    carried = outcome.carried
    kept = np.ones(len(outcome.table), dtype=bool)
    for start, stop in chunks:
        kept[start:stop] = False
    if not carried.computed:
        outcome.kept = kept & (carried.done | (carried.taken > 0))
        outcome.resumed = int(np.count_nonzero(kept & carried.done))
    reused = kept & (carried.taken > 0)
    outcome.reused = int(np.count_nonzero(reused))
    if (carried.taken > 0).any():
        runs = np.unique(carried.taken[carried.taken > 0]).tolist()
        listener.reusing(outcome.reused, int(np.count_nonzero(carried.taken)), runs)
    for start, stop in gaps_in(~reused):
        recorder.add(Slice(start, stop), outcome.table.values[start:stop], ())
    for failure in outcome.given_up:
        piece = failure.number, failure.number + 1
        _replace_failures(outcome, piece, [failure])
        recorder.add(Slice(*piece), outcome.table.values[slice(*piece)], [failure])


def _replace_failures(outcome: Outcome, chunk: Chunk, failures: Sequence[Failure]) -> None:
    """What failed of a slice now; what failed of it in an earlier attempt counts no more."""
    start, stop = chunk
    if outcome.carried.failures:
        outcome.failures = [one for one in outcome.failures if not start <= one.number < stop]
    outcome.failures.extend(failures)
