"""From bars to answer: publish once, estimate, fan out, verify, clean up."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
import psutil

from bigbar._blocks import SHARED_MEMORY_IN_USE
from bigbar.budget import Budget, Files, budget_for, workload
from bigbar.data import Bars
from bigbar.engines import ENGINES, Engine, Job, build_engine
from bigbar.errors import BigBarError, DataError, Interrupted, VerificationError
from bigbar.grid import Grid
from bigbar.indicators import check_enough_bars, with_indicators
from bigbar.metrics import Metrics
from bigbar.periods import calendar_of
from bigbar.pool import Limit, Throttle, Unanswered, WorkerPool
from bigbar.results import Choice, ResultTable
from bigbar.sampling import Account, Watcher
from bigbar.scheduling import (
    calculate_adaptive_chunk_size,
    chunks_in_order,
    estimate_duration,
    gaps_in,
    longest_chunk,
    ranges_to_run,
    time_limit,
    whole_periods,
    without,
)
from bigbar.settings import Settings
from bigbar.shared_memory import Publication, publish
from bigbar.store.fingerprint import Identity, identity_of
from bigbar.store.machine import machine
from bigbar.store.recording import Carried, Recorder
from bigbar.store.records import NewRun, State
from bigbar.store.rows import Slice
from bigbar.validation.examine import Subject, choose, examine
from bigbar.validation.findings import Findings
from bigbar.validation.plan import Plan
from bigbar.validation.tasks import sparing
from bigbar.verification import (
    BUDGET_S,
    Replay,
    ReplayTask,
    Verification,
    differences_text,
    replay,
    sample,
)
from bigbar.verification import summarize as summarize_replays
from bigbar.workers import Chunk, Failure, halves, run_chunk, start_worker

#: Backtests to time at least before choosing the chunk size.
SAMPLE_SIZE = 10


@dataclass(frozen=True)
class Execution:
    """How a run is carried out; nothing here changes a bit of its result.

    Attributes
    ----------
    workers : int
        Worker processes.
    least_workers : int or None
        At work when other programs take the processors; None to keep all at work whatever they do.
    timeout : float or None
        Seconds that a single combination may take before it counts as failed.
    start_method : str or None
        "fork", "spawn" or "forkserver"; None for Python's default.
    verify : int
        Combinations to replay through `backtesting.py` besides the winner; 0 for no replay.
    verify_seconds : float
        When these are over no further replay begins, the winner's aside.
    seed : int
        Of the samples that are timed and replayed.
    max_memory : int or None
        Bytes that all processes together may take; None for what the machine has.
    files : Files or None
        What is written, for the forecast; None where nothing is.
    """

    workers: int = 1
    least_workers: int | None = None
    timeout: float | None = None
    start_method: str | None = None
    verify: int = 20
    verify_seconds: float = BUDGET_S
    seed: int = 0
    max_memory: int | None = None
    files: Files | None = None


def usable_processors() -> int:
    """Processors this process may use: a container or `taskset` can allow fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class Progress(Protocol):
    """A bar that counts backtests."""

    def update(self, n: int) -> Any:
        """Count `n` more."""
        ...

    def set_postfix_str(self, s: str, refresh: bool) -> Any:
        """Show something else beside the count, at once if `refresh`."""
        ...


class Narrator:
    """What a run tells while it goes on. This one keeps quiet; see `bigbar.report`."""

    def shared(self, publication: Publication, workers: int) -> None:
        """The bars have been published for the workers."""

    def forecast(self, budget: Budget) -> None:
        """What the run will take; told before it takes it."""

    def compiling(self) -> None:
        """The kernel is being compiled, which happens once on a machine."""

    def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
        """A backtest takes about this long; this many combinations go out at once."""

    def resuming(self, run: int, begun: datetime, done: int, total: int) -> None:
        """A run that was begun earlier is continued: so many of all combinations are done."""

    def retrying(self, run: int, count: int) -> None:
        """So many combinations of a run failed, and are run again."""

    def reusing(self, rows: int, there: int, runs: Sequence[int]) -> None:
        """So many rows of these other runs are taken; others there are quicker run again."""

    def progress(self, total: int, done: int = 0) -> AbstractContextManager[Progress]:
        """A bar for this many backtests, of which so many are done already."""
        return nullcontext(_Uncounted())

    def event(self, what: str) -> None:
        """Something out of the ordinary: a worker died, shared memory could not be had."""

    def verifying(self, wanted: int) -> None:
        """This many combinations are about to be replayed."""

    def validating(self, what: str) -> None:
        """A step of the validation begins."""


class _Uncounted:
    def update(self, n: int) -> None:
        """Nobody watches."""

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        """Nobody watches."""


@dataclass(frozen=True)
class Memory:
    """Where the memory of a run is; all in bytes.

    Attributes
    ----------
    data : int
        The bars with their indicator columns.
    shared : int
        Published for all workers together.
    parent : int
        Of the parent process, at its end.
    workers : tuple of int
        What each worker holds alone; empty where that could not be read.
    independent : int
        What the data would take if every process had loaded it.
    """

    data: int
    shared: int
    parent: int
    workers: tuple[int, ...]
    independent: int


@dataclass
class Outcome:
    """All that a run found.

    Attributes
    ----------
    job, execution, choice, bars
        What was asked for.
    table : ResultTable
        Rows not reached before an interruption are NaN.
    plan : Plan or None
        What of the validation was asked for.
    best : int or None
        The combination that is the answer, None where none counts: the winner, unless the
        robust choice was asked for.
    trades : DataFrame or None
        Closed trades of the best.
    verification : Verification or None
        None where it was switched off or nothing counts.
    findings : Findings or None
        What the result is worth; None where that was not asked for, or not reached.
    failures : list of Failure
        In grid order.
    estimated_duration_s : float
        Seconds per backtest.
    chunk_size : int
    start_method, workers_kind : str
        As they came to be used: "processes" or, where there are no semaphores, "threads".
    shared_kind : str
        "shared_memory" or "file".
    timings : dict of str to float
        Seconds of each stage.
    memory : Memory or None
    stopped_by : int or None
        Number of the signal that ended the run early.
    carried : Carried
        What there was from earlier runs.
    resumed, reused : int
        Rows that were not run: from an earlier attempt of this run, and from other runs.
    given_up : list of Failure
        Combinations that the sample for the estimate left no doubt about: they are not run again.
    account : Account
        Of the slices of the sweep.
    watcher : Watcher or None
        What was seen of the run's processes.
    budget : Budget or None
        What it was expected to take.
    shared_bytes, written_bytes : int
        What it took of shared memory at most, and of the disk.
    kept_bytes : int
        What earlier runs had taken of the disk.
    """

    job: Job
    execution: Execution
    choice: Choice
    bars: Bars
    table: ResultTable
    plan: Plan | None = None
    best: int | None = None
    trades: pd.DataFrame | None = None
    verification: Verification | None = None
    findings: Findings | None = None
    failures: list[Failure] = field(default_factory=list)
    estimated_duration_s: float = 0.0
    chunk_size: int = 0
    start_method: str = ""
    workers_kind: str = ""
    shared_kind: str = ""
    timings: dict[str, float] = field(default_factory=dict)
    memory: Memory | None = None
    stopped_by: int | None = None
    carried: Carried = field(default_factory=Carried.nothing)
    resumed: int = 0
    reused: int = 0
    given_up: list[Failure] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    watcher: Watcher | None = None
    budget: Budget | None = None
    shared_bytes: int = 0
    written_bytes: int = 0
    kept_bytes: int = 0

    @property
    def metrics(self) -> Metrics | None:
        """Where time and memory went, up to now; None before the workers were there."""
        if self.watcher is None:
            return None
        return self.watcher.metrics(self.account, self.timings)

    @property
    def against_forecast(self) -> dict[str, dict[str, float]] | None:
        """Forecast and actual of time, memory, shared memory and disk, up to now."""
        metrics = self.metrics
        if self.budget is None or metrics is None:
            return None
        return self.budget.against(
            backtest_s=self.estimated_duration_s,
            seconds=sum(self.timings.values()),
            memory=metrics.peak_memory,
            shared=self.shared_bytes,
            disk=self.written_bytes,
        )

    @property
    def backtests_per_second(self) -> float:
        """Over the fan-out alone."""
        seconds = self.timings.get("sweep_s", 0.0)
        ran = self.table.reached() - self.resumed - self.reused
        return max(0, ran) / seconds if seconds else 0.0

    @cached_property
    def identity(self) -> Identity:
        """What decides the numbers."""
        return identity_of(self.bars.frame, self.job)

    @property
    def complete(self) -> bool:
        """Whether every combination was answered, or failed."""
        return self.table.reached() + len(self.failures) >= len(self.table)

    @property
    def state(self) -> State:
        """What becomes of the run in the history."""
        if self.verification is not None and not self.verification.ok:
            return "failed"
        return "finished" if self.complete and self.stopped_by is None else "interrupted"

    @property
    def result_sha256(self) -> str | None:
        """Digest of every combination's statistics; None unless all were answered."""
        return self._digest.result() if self.complete else None

    @cached_property
    def _digest(self) -> Future[str]:
        aside = ThreadPoolExecutor(1)
        future = aside.submit(self.table.sha256)
        aside.shutdown(wait=False)
        return future

    def digest_aside(self) -> None:
        """Begin with the digest of a table that will not change any more."""
        if self.complete:
            _ = self._digest

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds spent inside to a stage's timing."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begun
            self.timings[stage] = self.timings.get(stage, 0.0) + spent


def check_affordable(bars: pd.DataFrame, settings: Settings) -> None:
    """Refuse bars of which not one unit could ever be bought.

    Raises
    ------
    DataError
        With the lowest price and the cash.
    """
    lowest = float(bars["Close"].min())
    account = settings.account
    if lowest > account.cash * account.leverage:
        with_margin = f" at margin {account.margin:g}" if account.margin < 1 else ""
        raise DataError(
            f"not one unit can be bought: the lowest close is {lowest:,.10g}, the cash is "
            f"{account.cash:,.10g}{with_margin}, and backtesting.py trades whole units; raise "
            "--cash above the price, or give prices per smaller unit"
        )


def check_input(bars: Bars, grid: Grid, settings: Settings) -> None:
    """Refuse bars that no run could be made of, before any work.

    Raises
    ------
    DataError
        If they are too few for the grid, or no unit could ever be bought.
    """
    check_enough_bars(len(bars.frame), grid.max_atr_period, bars.source)
    check_affordable(bars.frame, settings)


@contextmanager
def signals_raised() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `Interrupted`, so that every `finally` runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def raise_interrupted(number: int, _frame: object) -> None:
        raise Interrupted(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, raise_interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def optimize_bars(
    bars: Bars,
    grid: Grid,
    *,
    settings: Settings,
    engine: str,
    choice: Choice,
    execution: Execution,
    narrator: Narrator | None = None,
    recorder: Recorder | None = None,
    plan: Plan | None = None,
) -> Outcome:
    """Run a whole grid: publish, estimate, fan out, verify, validate, clean up.

    Parameters
    ----------
    bars : Bars
        The file, from `bigbar.data`.
    grid : Grid
    settings : Settings
    engine : str
        A name in `bigbar.engines.ENGINES`.
    choice : Choice
        What wins.
    execution : Execution
    narrator : Narrator, optional
        Is told how the run goes.
    recorder : Recorder, optional
        Keeps it while it goes on, and knows what there is from earlier runs.
    plan : Plan, optional
        What of the validation is asked for; nothing, by default.

    Returns
    -------
    Outcome
        After an interruption during fan-out or replays: what was finished by then, `stopped_by`
        set.

    Raises
    ------
    DataError
        If the bars are too few for the grid, for what is to be held back or for the windows, or
        no unit could ever be bought.
    SettingsError, StoreError
        If a run that was to be continued cannot be.
    VerificationError
        If the engine and `backtesting.py` disagree.
    Interrupted
        By a signal in any other stage.
    """
    check_input(bars, grid, settings)
    job = job_for(bars, grid, settings, engine, plan)
    narrator = narrator or Narrator()
    budget = _budget(bars, job, execution, plan)
    narrator.forecast(budget)
    execution = _within(execution, budget)
    outcome = Outcome(job, execution, choice, bars, ResultTable.empty(grid), plan, budget=budget)
    if execution.files is not None:
        outcome.kept_bytes = execution.files.store_bytes()
    with signals_raised():
        _carry_out(outcome, narrator, recorder or Recorder())
    if outcome.verification is not None and not outcome.verification.ok:
        raise VerificationError(differences_text(outcome.verification.differences, grid))
    return outcome


def _budget(bars: Bars, job: Job, execution: Execution, plan: Plan | None) -> Budget:
    index: Any = bars.frame.index
    load = workload(
        job,
        plan,
        bars=len(bars.frame),
        returns=calendar_of(index[job.bars]).periods - 1,
        workers=execution.workers,
        start_method=execution.start_method,
        verify=execution.verify,
        verify_seconds=execution.verify_seconds,
        files=execution.files,
    )
    return budget_for(load, max_memory=execution.max_memory, files=execution.files)


def _within(execution: Execution, budget: Budget) -> Execution:
    """With fewer workers, where there is no memory for all of them."""
    workers, least = budget.load.workers, execution.least_workers
    if workers >= min(execution.workers, budget.load.combinations):
        return execution
    return replace(execution, workers=workers, least_workers=least and min(least, workers))


def job_for(bars: Bars, grid: Grid, settings: Settings, engine: str, plan: Plan | None) -> Job:
    """What is to be computed: on all bars, or on those that the plan does not hold back.

    Raises
    ------
    DataError
        If there are too few bars for what the plan holds back, or for its windows.
    """
    job = Job(grid, settings, engine)
    index: Any = bars.frame.index
    span = None if plan is None else plan.span(index, job)
    return job if span is None else replace(job, span=span)


def _carry_out(outcome: Outcome, narrator: Narrator, recorder: Recorder) -> None:
    """The run itself, filling in the outcome stage by stage."""
    publication: Publication | None = None
    pool: WorkerPool | None = None
    SHARED_MEMORY_IN_USE.begin()
    try:
        with outcome.timed("store_s"):
            _take_over(outcome, narrator, recorder)
        with outcome.timed("prepare_s"):
            file = with_indicators(outcome.bars.frame, outcome.job.settings.week_edge_bars)
        with outcome.timed("publish_s"):
            publication = publish(file, outcome.job)
            outcome.shared_kind = publication.kind
        if publication.reason:
            narrator.event(publication.reason)
        narrator.shared(publication, outcome.execution.workers)
        engine = _build_and_compile(outcome, file, narrator)
        with outcome.timed("start_workers_s"):
            pool = _start_pool(outcome, publication, narrator)
            outcome.watcher = watcher = _watch(outcome, pool, narrator)
        with outcome.timed("estimate_s"):
            chunks = _estimate(outcome, pool, narrator)
        with outcome.timed("sweep_s"), watcher.sweeping(outcome.account):
            _sweep(outcome, pool, narrator, recorder, chunks)
        recorder.swept()
        outcome.digest_aside()
        outcome.best = choose(outcome.plan or Plan(), outcome.table, outcome.choice)
        outcome.memory = _memory(file, publication, pool, outcome.execution.workers)
        if outcome.stopped_by is None and outcome.best is not None:
            outcome.trades = engine.trades(outcome.best)
            try:
                with outcome.timed("verify_s"):
                    _verify(outcome, pool, narrator)
                with outcome.timed("validate_s"):
                    _validate(outcome, file, pool, narrator, recorder)
            except Interrupted as stop_signal:  # The result is complete all the same.
                outcome.stopped_by = stop_signal.signal_number
    finally:
        outcome.shared_bytes = SHARED_MEMORY_IN_USE.most
        with outcome.timed("clean_up_s"):
            try:
                if outcome.watcher is not None:
                    outcome.watcher.stop()
                if pool is not None:
                    pool.close()
            finally:
                if publication is not None:
                    publication.close()


def _take_over(outcome: Outcome, narrator: Narrator, recorder: Recorder) -> None:
    """What earlier runs have of this one."""
    table = outcome.table
    carried = recorder.begin(lambda: _described(outcome), table.values)
    outcome.carried, outcome.failures = carried, list(carried.failures)
    if carried.run is None:
        return
    if carried.retry is not None:
        narrator.retrying(carried.run, len(carried.retry))
    elif carried.begun is not None:
        done = int(np.count_nonzero(carried.done))
        narrator.resuming(carried.run, carried.begun, done, len(table))


def _described(outcome: Outcome) -> NewRun:
    return NewRun(
        identity=outcome.identity,
        settings=settings_told(outcome),
        data=data_told(outcome),
        machine=machine(),
        objective=outcome.choice.objective.name,
    )


def settings_told(outcome: Outcome) -> dict[str, Any]:
    """What was asked for, besides the grid, as JSON holds it."""
    job, execution = outcome.job, outcome.execution
    return {
        "maximize": outcome.choice.objective.name,
        "min_trades": outcome.choice.min_trades,
        **vars(job.settings.account),
        "week_edge_bars": job.settings.week_edge_bars,
        "seed": execution.seed,
        "verify": execution.verify,
    }


def data_told(outcome: Outcome) -> dict[str, Any]:
    """The bars, as JSON holds it."""
    bars = outcome.bars
    return {
        "path": bars.source,
        "sha256": bars.sha256,
        "rows": len(bars.frame),
        "first_time": bars.frame.index[0].isoformat(),
        "last_time": bars.frame.index[-1].isoformat(),
        "bars_taking_part": len(bars.frame.index[outcome.job.bars]),
        "notes": list(bars.notes),
    }


def _build_and_compile(outcome: Outcome, file: pd.DataFrame, narrator: Narrator) -> Engine:
    """The parent's own engine; workers that are forked inherit what was compiled for it."""
    with outcome.timed("compile_s"):
        if not ENGINES[outcome.job.engine].compiles:
            return build_engine(file, outcome.job)
        from bigbar.kernel.jit import is_cached

        if not is_cached():
            narrator.compiling()
        engine = build_engine(file, outcome.job)
        engine.run(0, 1)
        return engine


def _start_pool(outcome: Outcome, publication: Publication, narrator: Narrator) -> WorkerPool:
    execution = outcome.execution
    pool = WorkerPool(
        min(execution.workers, len(outcome.job.grid)),
        start_method=execution.start_method,
        initializer=start_worker,
        initargs=(publication.descriptor,),
        growth=None if outcome.budget is None else outcome.budget.growth,
        on_event=narrator.event,
    )
    try:
        outcome.workers_kind = pool.kind  # Starts the workers.
    except BaseException:  # A signal meanwhile: nobody else knows of the pool yet.
        pool.close()
        raise
    outcome.start_method = multiprocessing.get_context(execution.start_method).get_start_method()
    return pool


def _watch(outcome: Outcome, pool: WorkerPool, narrator: Narrator) -> Watcher:
    """Look at the run from here on; with `--workers auto`, also at everything else."""
    execution = outcome.execution
    if execution.timeout is not None and pool.kind == "threads":
        narrator.event("threads cannot be ended: no combination can take too long")
    throttle = None if execution.least_workers is None else Throttle(pool.workers)
    watcher = Watcher(
        pool,
        throttle=throttle,
        least=execution.least_workers or 1,
        processors=usable_processors(),
        memory_limit=0 if outcome.budget is None else outcome.budget.memory_limit,
    )
    watcher.start()
    return watcher


def _estimate(outcome: Outcome, pool: WorkerPool, narrator: Narrator) -> list[Chunk]:
    """Time a sample in the workers: a combination that kills its process is in there as well.

    Returns
    -------
    list of Chunk
        What is to be run.
    """
    grid, execution, carried = outcome.job.grid, outcome.execution, outcome.carried
    if carried.retry is not None:
        outcome.chunk_size = 1
        return [(number, number + 1) for number in carried.retry]
    have = carried.done | (carried.taken > 0)
    left = len(grid) - int(np.count_nonzero(have))
    if not left:
        return []

    def seconds(start: int, stop: int) -> float:
        spent = 0.0
        limit = _limit(outcome)
        for piece, found in pool.imap_unordered(
            run_chunk, [(start, stop)], split=halves, limit=limit
        ):
            if isinstance(found, Unanswered):
                outcome.given_up.append(Failure(piece[0], found.reason()))
            spent += getattr(found, "seconds", 0.0)
        return spent

    outcome.estimated_duration_s = estimate_duration(
        seconds,
        len(grid),
        slice_size=ENGINES[outcome.job.engine].sample_slice,
        least=SAMPLE_SIZE,
        seed=execution.seed,
    )
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


def _throttle(outcome: Outcome) -> Throttle | None:
    """How many workers may be at work, where that follows the machine."""
    return None if outcome.watcher is None else outcome.watcher.throttle


def _limit(outcome: Outcome) -> Limit | None:
    """How long a slice may take, by what is known of a backtest so far."""
    timeout = outcome.execution.timeout
    return None if timeout is None else time_limit(timeout, outcome.estimated_duration_s)


def _period(grid: Grid) -> int:
    """Combinations of one ATR period: what they cost comes again with the next."""
    return len(grid) // len(grid.axes[0])


def _sweep(
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
    throttle = _throttle(outcome)
    answers = pool.imap_unordered(
        run_chunk, chunks, split=halves, limit=_limit(outcome), throttle=throttle
    )
    try:
        with narrator.progress(len(table), done) as bar:
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


def _verify(outcome: Outcome, pool: WorkerPool, narrator: Narrator) -> None:
    """Replay the winner always, and a sample as far as the time allows."""
    best, execution, table = outcome.best, outcome.execution, outcome.table
    if best is None:
        return
    if not execution.verify:
        return
    failed = {failure.number for failure in outcome.failures}
    others = sample(len(table), execution.verify, execution.seed, without={best, *failed})
    narrator.verifying(1 + len(others))
    deadline = time.time() + execution.verify_seconds
    tasks = [ReplayTask(best, table.values[best])]
    tasks += [ReplayTask(number, table.values[number], deadline) for number in others]
    replays: list[Replay] = []
    for _task, done in pool.imap_unordered(replay, tasks, throttle=_throttle(outcome)):
        if isinstance(done, Unanswered):
            raise VerificationError(
                f"combination {_task.number} could not be replayed: {done.reason()}"
            )
        if done is not None:
            replays.append(done)
    outcome.verification = summarize_replays(replays, len(tasks))


def _validate(
    outcome: Outcome, file: pd.DataFrame, pool: WorkerPool, narrator: Narrator, recorder: Recorder
) -> None:
    """Find out what the result is worth, unless it is known by now that it is wrong."""
    plan = outcome.plan
    if plan is None or (outcome.verification is not None and not outcome.verification.ok):
        return
    subject = Subject(
        file=file,
        job=outcome.job,
        table=outcome.table,
        choice=outcome.choice,
        chosen=outcome.best,
        imap=sparing(
            partial(pool.imap_unordered, throttle=_throttle(outcome)),
            {failure.number: Unanswered() for failure in outcome.failures},
            limit=_limit(outcome),
        ),
        workers=outcome.execution.workers,
        seed=outcome.execution.seed,
        earlier_trials=recorder.earlier_trials(),
        count_opening=lambda split: recorder.count_opening(split.isoformat()),
    )
    try:
        outcome.findings = examine(plan, subject, narrator.validating)
    except BigBarError:
        raise
    except Exception as problem:  # Hours of sweep must not be lost to what comes after them.
        narrator.event(
            f"the validation broke off ({type(problem).__name__}: {problem}); the result stands "
            "without it"
        )


def _memory(file: pd.DataFrame, publication: Publication, pool: WorkerPool, workers: int) -> Memory:
    data = int(file.memory_usage(index=True, deep=True).sum())
    return Memory(
        data=data,
        shared=publication.nbytes,
        parent=_alone(os.getpid()) or psutil.Process().memory_info().rss,
        workers=tuple(held for pid in pool.worker_pids() if (held := _alone(pid))),
        independent=data * workers,
    )


def _alone(pid: int) -> int:
    """Memory that only this process holds, in bytes; 0 where that cannot be read."""
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except (psutil.Error, AttributeError):
        return 0


def time_a_backtest(
    bars: Bars, *, sample_size: int = SAMPLE_SIZE, settings: Settings | None = None
) -> float:
    """Seconds per backtest of the default grid on these bars, by the fastest engine there is.

    Parameters
    ----------
    bars : Bars
    sample_size : int, optional
        Backtests to time at least.
    settings : Settings, optional

    Returns
    -------
    float
    """
    from bigbar.engines import available_engine

    grid, settings = Grid.parse(), settings or Settings()
    check_enough_bars(len(bars.frame), grid.max_atr_period, bars.source)
    job = Job(grid, settings, available_engine("compiled")[0])
    engine = build_engine(with_indicators(bars.frame, settings.week_edge_bars), job)
    engine.run(0, 1)  # Compiles.

    def seconds(start: int, stop: int) -> float:
        begun = time.perf_counter()
        engine.run(start, stop)
        return time.perf_counter() - begun

    slice_size = ENGINES[job.engine].sample_slice
    return estimate_duration(seconds, len(grid), slice_size=slice_size, least=sample_size, seed=0)
