"""The grid over the workers: a sample is timed, then slices go out and rows come back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bigbar.engines.contract import ENGINES
from bigbar.errors import Interrupted
from bigbar.executors.chunks import (
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
from bigbar.executors.local import Limit, Throttle, Unanswered, WorkerPool
from bigbar.outcome import Outcome
from bigbar.progress.events import Narrator
from bigbar.space import Grid
from bigbar.store.recording import Recorder
from bigbar.store.rows import Slice
from bigbar.stored_rows import distrust, wrong_rows
from bigbar.verification.replay import Difference
from bigbar.worker import Chunk, Failure, halves, run_chunk

#: Backtests to time at least before choosing the chunk size.
SAMPLE_SIZE = 10


def estimate(
    outcome: Outcome, pool: WorkerPool, narrator: Narrator, recorder: Recorder
) -> list[Chunk]:
    """Time a sample in the workers: a combination that kills its process is in there as well.

    What it computes is held against the rows that came from the store.

    Returns
    -------
    list of Chunk
        What is to be run.
    """
    grid, execution, carried = outcome.job.grid, outcome.execution, outcome.carried
    if carried.retry is not None:
        outcome.chunk_size = 1
        return [(number, number + 1) for number in carried.retry]
    if (carried.done | (carried.taken > 0)).all():
        return []
    wrong: list[Difference] = []

    def seconds(start: int, stop: int) -> float:
        spent = 0.0
        limit = limit_of(outcome)
        for piece, found in pool.imap_unordered(
            run_chunk, [(start, stop)], split=halves, limit=limit
        ):
            if isinstance(found, Unanswered):
                outcome.given_up.append(Failure(piece[0], found.reason()))
                continue
            spent += found.seconds
            wrong.extend(wrong_rows(outcome, piece[0], found.rows))
        return spent

    outcome.estimated_duration_s = estimate_duration(
        seconds,
        len(grid),
        slice_size=ENGINES[outcome.job.engine].sample_slice,
        least=SAMPLE_SIZE,
        seed=execution.seed,
    )
    if wrong:
        distrust(outcome, narrator, recorder, wrong, computed=np.zeros(len(grid), dtype=bool))
    have = carried.done | (carried.taken > 0)
    left = len(grid) - int(np.count_nonzero(have))
    work = left, execution.workers, outcome.estimated_duration_s
    size = calculate_adaptive_chunk_size(*work, most_seconds=longest_chunk(*work))
    outcome.chunk_size = whole_periods(size, _period(grid))
    chunks = chunks_in_order(
        len(grid),
        outcome.chunk_size,
        period=_period(grid),
        ranges=ranges_to_run(have, outcome.estimated_duration_s),
    )
    narrator.estimated(outcome.estimated_duration_s, outcome.chunk_size, len(chunks))
    return without(chunks, {failure.number for failure in outcome.given_up})


def throttle_of(outcome: Outcome) -> Throttle | None:
    """How many workers may be at work, where that follows the machine."""
    return None if outcome.watcher is None else outcome.watcher.throttle


def limit_of(outcome: Outcome) -> Limit | None:
    """How long a slice may take, by what is known of a backtest so far."""
    timeout = outcome.execution.timeout
    return None if timeout is None else time_limit(timeout, outcome.estimated_duration_s)


def _period(grid: Grid) -> int:
    """Combinations of one ATR period: what they cost comes again with the next."""
    return len(grid) // len(grid.axes[0])


def sweep(
    outcome: Outcome,
    pool: WorkerPool,
    narrator: Narrator,
    recorder: Recorder,
    chunks: Sequence[Chunk],
) -> None:
    """Fan the grid out; the parent alone writes, so any order gives the same table."""
    table = outcome.table
    _keep_what_is_there(outcome, narrator, recorder, chunks)
    done = len(table) - sum(stop - start for start, stop in chunks)
    throttle = throttle_of(outcome)
    answers = pool.imap_unordered(
        run_chunk, chunks, split=halves, limit=limit_of(outcome), throttle=throttle
    )
    try:
        with narrator.progress(len(table), done, in_flight(chunks, pool.workers)) as bar:
            for chunk, result in answers:
                start, stop = chunk
                if isinstance(result, Unanswered):
                    piece, failures = Slice(start, stop), [Failure(start, result.reason())]
                else:
                    table.values[start:stop] = result.rows
                    piece = Slice(start, stop, result.worker, result.begun, result.seconds)
                    failures = result.failures
                    outcome.account.add(result)
                _replace_failures(outcome, chunk, failures)
                recorder.add(piece, table.values[start:stop], failures)
                if throttle is not None:
                    bar.set_postfix_str(str(throttle), refresh=False)
                bar.update(stop - start)
    except Interrupted as stop_signal:
        outcome.stopped_by = stop_signal.signal_number
    outcome.failures.sort(key=lambda failure: failure.number)


def _keep_what_is_there(
    outcome: Outcome, narrator: Narrator, recorder: Recorder, chunks: Sequence[Chunk]
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
        narrator.reusing(outcome.reused, int(np.count_nonzero(carried.taken)), runs)
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
