"""From bars to answer: publish once, estimate, fan out, verify, clean up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bigbar.data.read import Bars
from bigbar.engines.contract import Engine
from bigbar.engines.find import build_engine, kind_of, warm_up
from bigbar.engines.stack_room import with_room
from bigbar.errors import Interrupted, SettingsError, VerificationError
from bigbar.executors.chunks import (
    estimate_duration,
)
from bigbar.executors.contract import Executor, Unanswered
from bigbar.executors.inside_process import leave_if_starting
from bigbar.interrupts import signals_raised
from bigbar.job import Job
from bigbar.keeping.rule import SAMPLE
from bigbar.machine.budget import Budget, budget_for
from bigbar.machine.describe import machine
from bigbar.outcome import Execution, Outcome, data_values, settings_values
from bigbar.progress.events import Listener
from bigbar.progress.noted import Noted
from bigbar.reducing import Reduction
from bigbar.request import Request
from bigbar.results import ResultTable
from bigbar.search.find import Asking
from bigbar.searching import as_asked_before, room_to_search, search
from bigbar.settled import load_of, settle
from bigbar.sharing.asked import AskedSpace
from bigbar.sharing.leftovers import remove_leftovers
from bigbar.space import Space
from bigbar.store.fingerprint import bars_sha256
from bigbar.store.recorder import Recorder
from bigbar.store.records import NewRun
from bigbar.stored_rows import distrust
from bigbar.sweep import SAMPLE_SIZE, estimate, limit_of, sweep, throttle_of
from bigbar.validation.compounding import MOST_BYTES
from bigbar.validation.examine import ExaminedRun, choose, concluded, examine
from bigbar.validation.kept import KeptRows
from bigbar.validation.plan import CHOICES, Plan
from bigbar.validation.returns import come_along, keep_returns
from bigbar.validation.summary import as_json
from bigbar.validation.tasks import sparing
from bigbar.verification.replay import differences_text
from bigbar.verification.replays import verify
from bigbar.worker_setup import WorkerSetup, among_workers, memory_of, placed, workers_here

#: What the validation found is kept as, for runs that come to the same result.
_WORTH = "worth"

#: The system takes some milliseconds for each process to say what memory it has: a call from Python
#: that did not take longer than this is not kept waiting for that.
_MOMENT_S = 0.5


def checked_job(bars: Bars, request: Request) -> Job:
    """What is to be computed, once it is known that something can come of it.

    Raises
    ------
    DataError
        If no run could be made of the bars, or they are too few for what the plan holds back, or
        for its windows.
    SettingsError
        If no combination could make as many trades as have to be made.
    """
    job = job_for(bars, request)
    job.spec.check_feasible(bars, job, request.choice)
    return job


def optimize_bars(
    bars: Bars,
    request: Request,
    *,
    job: Job | None = None,
    listener: Listener | None = None,
    recorder: Recorder | None = None,
) -> Outcome:
    """Run all points of a space: publish, estimate, fan out, verify, validate, clean up.

    Parameters
    ----------
    bars : Bars
        The file, from `bigbar.data`.
    request : Request
        What is wanted, and how it is carried out.
    job : Job, optional
        From `job_for`, where that was asked for already.
    listener : Listener, optional
        Is told how the run goes.
    recorder : Recorder, optional
        Keeps it while it goes on, and knows what there is from earlier runs.

    Returns
    -------
    Outcome
        After an interruption during fan-out or replays: what was finished by then, `stopped_by`
        set.

    Raises
    ------
    DataError, SettingsError
        If nothing could come of it: see `checked_job`.
    SettingsError, StoreError
        If a run that was to be continued cannot be.
    VerificationError
        If the engine and `backtesting.py` disagree.
    Interrupted
        By a signal in any other stage.
    """
    leave_if_starting()
    job = job or checked_job(bars, request)
    recorder = recorder or Recorder()
    listener = Noted(listener or Listener(), recorder.note)
    if (note := job.spec.note(bars, job)) is not None:
        listener.event(note)
    with signals_raised():
        engine = settle(bars, job, request, listener, recorder)
    asking = request.asking if engine.job.space is job.space else None
    job = engine.job
    if engine.reason:
        listener.engine(job.engine, engine.reason)
    removed = remove_leftovers()  # First: what they take up is not there to be had.
    if removed:
        what = "block of shared data" if removed == 1 else "blocks of shared data"
        listener.event(f"removed {removed} {what} that a killed run had left behind")
    with signals_raised(), placed(request.execution, listener) as execution:
        budget = _budget(bars, job, execution, request, engine.backtest_s, asking)
        if asking is not None:
            budget = replace(budget, method=asking.method)
        execution = _within(execution, budget)
        with room_to_search(job, asking) as job:
            rule = request.rule(job.space)
            if request.keep is not None and rule is None and len(job.space) > 1:
                listener.event(
                    f"--keep top:{request.keep} leaves no row out: all of up to {SAMPLE:,} are "
                    f"kept, and there are {len(job.space):,}"
                )
            held = job.space if rule is None else job.space.only(np.empty(0, np.int64))
            table = ResultTable.empty(held)
            outcome = Outcome(
                job, execution, request.choice, bars, table, request.plan, budget=budget
            )
            outcome.engine_reason, outcome.asking, outcome.rule = engine.reason, asking, rule
            if execution.files is not None:
                outcome.kept_bytes = execution.files.store_bytes()
            _carry_out(outcome, budget, listener, recorder)
    if outcome.verification is not None and not outcome.verification.ok:
        raise VerificationError(
            differences_text(outcome.verification.differences, outcome.job.space)
        )
    return outcome


def _budget(
    bars: Bars,
    job: Job,
    execution: Execution,
    request: Request,
    backtest_s: float | None,
    asking: Asking | None,
) -> Budget:
    load = load_of(bars, job, execution, request.plan)
    rule = request.rule(job.space)
    whole = rule is None and asking is None
    load = replace(
        load,
        measured_s=backtest_s,
        held=None if rule is None else rule.most_rows,
        along=whole and come_along(job, load.returns, most_bytes=MOST_BYTES),
    )
    if execution.cluster is not None:
        load = replace(load, forked=False, here=workers_here(execution))
    return budget_for(load, max_memory=execution.max_memory, files=execution.files)


def _within(execution: Execution, budget: Budget) -> Execution:
    """With fewer workers, where there is no memory for all of them."""
    workers, least = budget.load.workers, execution.least_workers
    if workers >= min(execution.workers, budget.load.combinations):
        return execution
    return replace(execution, workers=workers, least_workers=least and min(least, workers))


def job_for(bars: Bars, request: Request) -> Job:
    """What is to be computed: on all bars, or on those that the plan does not hold back.

    Raises
    ------
    DataError
        If no run could be made of the bars, or they are too few for what the plan holds back, or
        for its windows.
    """
    job = Job(request.spec, request.space, request.account, request.engine)
    job.spec.check_bars(bars, job.space)
    index: Any = bars.frame.index
    span = None if request.plan is None else request.plan.span(index, job)
    return job if span is None else replace(job, span=span)


def validate_later(outcome: Outcome, plan: Plan, *, listener: Listener | None = None) -> None:
    """Find out what the result of a finished run is worth, with workers of its own.

    Parameters
    ----------
    outcome : Outcome
        Of `optimize_bars`, without a plan; gets the findings, and what of them broke off.
    plan : Plan
        Without anything that holds bars back, which would have come before the run.
    listener : Listener, optional
        Is told how it goes.

    Raises
    ------
    SettingsError
        If the bars were changed since.
    Interrupted
        By a signal.
    """
    leave_if_starting()
    if bars_sha256(outcome.bars.frame) != outcome.bars.sha256:
        raise SettingsError(
            "the bars have changed since they were optimized on, so nothing can be found out "
            "about that result any more; optimize again"
        )
    validate_again(outcome, plan, listener=listener)


def validate_again(
    outcome: Outcome,
    plan: Plan,
    *,
    listener: Listener | None = None,
    recorder: Recorder | None = None,
) -> None:
    """Find out what a result is worth whose bars and rows are known to be those of the run.

    Parameters
    ----------
    outcome : Outcome
        Gets the findings, and what of them broke off.
    plan : Plan
        Bars that it holds back have to be held back by the job already.
    listener : Listener, optional
        Is told how it goes.
    recorder : Recorder, optional
        Knows of earlier trials, and how often bars held back were looked at.

    Raises
    ------
    Interrupted
        By a signal.
    """
    listener = listener or Listener()
    # What the run itself took, of time and memory, stays as it is.
    own = replace(outcome, plan=plan, timings={}, broke_off={}, watcher=None, returns=None)

    def validate(setup: WorkerSetup) -> None:
        with own.apart("the validation", listener.event):
            _validate(own, setup.file, setup.pool, listener, recorder or Recorder())

    with signals_raised(), placed(outcome.execution, listener):
        among_workers(own, listener, validate)
    outcome.findings = own.findings
    outcome.broke_off.update(own.broke_off)


def _carry_out(outcome: Outcome, budget: Budget, listener: Listener, recorder: Recorder) -> None:
    """The run itself, filling in the outcome stage by stage."""
    with outcome.timed("store_s"):
        _take_over(outcome, listener, recorder)
    _tell_forecast(outcome, budget, listener)

    def optimize(setup: WorkerSetup) -> None:
        _optimize(outcome, setup, listener, recorder)

    if outcome.rule is not None:
        _reduce(outcome, listener, recorder)
        return
    among_workers(outcome, listener, optimize)


def _reduce(outcome: Outcome, listener: Listener, recorder: Recorder) -> None:
    """Sweep the space by workers that reduce it; the rest by others, on what is kept of it."""

    def sweep_all(setup: WorkerSetup) -> None:
        assert outcome.watcher is not None
        with outcome.watcher.sweeping(outcome.sweep_metrics):
            Reduction(outcome, setup.pool, listener, recorder).run()
        outcome.machines = setup.pool.machines()
        workers = outcome.execution.workers
        outcome.memory = memory_of(setup.file, setup.publication, setup.pool, workers)

    def conclude(setup: WorkerSetup) -> None:
        _settle(outcome, setup.engine, listener)
        _find_out(outcome, setup, listener, recorder, run_again=lambda: None)

    among_workers(outcome, listener, sweep_all)
    if outcome.stopped_by is not None:
        _settle(outcome, None, listener)
        return
    watcher = outcome.watcher  # What the sweep took is what counts.
    among_workers(outcome, listener, conclude)
    outcome.watcher = watcher


def _optimize(outcome: Outcome, setup: WorkerSetup, listener: Listener, recorder: Recorder) -> None:
    """Sweep the space, read the answer off the table, verify it, and find out what it is worth."""
    file, engine, pool, watcher = setup.file, setup.engine, setup.pool, outcome.watcher
    assert watcher is not None
    if outcome.plan is not None and outcome.plan.assess and outcome.asking is None:
        outcome.returns = keep_returns(file, outcome.job, most_bytes=MOST_BYTES)
    space = outcome.job.space
    run = partial(_run, outcome, space, pool, listener, recorder)
    with watcher.sweeping(outcome.sweep_metrics):
        run()
    recorder.swept()
    _settle(outcome, engine, listener)
    outcome.machines = pool.machines()
    if outcome.execution.files is not None or sum(outcome.timings.values()) > _MOMENT_S:
        outcome.memory = memory_of(file, setup.publication, pool, outcome.execution.workers)
    if outcome.stopped_by is None:
        _find_out(outcome, setup, listener, recorder, run_again=run)


def _find_out(
    outcome: Outcome,
    setup: WorkerSetup,
    listener: Listener,
    recorder: Recorder,
    *,
    run_again: Callable[[], None],
) -> None:
    """Verify the answer, and find out what it is worth."""
    try:
        _verify(outcome, setup.engine, setup.pool, listener, recorder, run_again)
        with outcome.timed("validate_s"), outcome.apart("the validation", listener.event):
            _validate(outcome, setup.file, setup.pool, listener, recorder)
    except Interrupted as stop_signal:  # The result is complete all the same.
        outcome.stopped_by = stop_signal.signal_number


def _run(
    outcome: Outcome, space: Space, pool: Executor, listener: Listener, recorder: Recorder
) -> None:
    """Fill in the table: run all its points, or those that a search asks for."""
    if isinstance(space, AskedSpace):
        if outcome.carried.retry is None:
            with outcome.timed("sweep_s"):
                search(outcome, space, pool, listener, recorder)
            return
        as_asked_before(outcome, space, recorder)
    with outcome.timed("estimate_s"):
        chunks = estimate(outcome, pool, listener, recorder)
    with outcome.timed("sweep_s"):
        sweep(outcome, pool, listener, recorder, chunks)


def _take_over(outcome: Outcome, listener: Listener, recorder: Recorder) -> None:
    """What earlier runs have of this one."""
    table = outcome.table
    carried = recorder.begin(lambda: _described(outcome), table.values)
    outcome.carried, outcome.failures = carried, list(carried.failures)
    if carried.run is None or outcome.rule is not None:
        return
    if carried.retry is not None:
        listener.retrying(carried.run, len(carried.retry))
    elif carried.begun is not None:
        done = int(np.count_nonzero(carried.done))
        listener.resuming(carried.run, carried.begun, done, len(table))


def _tell_forecast(outcome: Outcome, budget: Budget, listener: Listener) -> None:
    """What the run will take, of what is left to do of it; nothing large was allocated so far."""
    carried, total = outcome.carried, len(outcome.table)
    stored = int(np.count_nonzero(carried.done))
    known = int(np.count_nonzero(carried.done | (carried.taken > 0)))
    if carried.retry is not None:
        known = stored = total - len(carried.retry)
        budget = replace(budget, method=None)  # Nothing is chosen any more.
    if known and outcome.rule is None:
        files = outcome.execution.files
        budget = budget.of_the_rest(known=known, stored=stored, files=files)
    outcome.budget = budget
    listener.forecast(budget)


def _described(outcome: Outcome) -> NewRun:
    return NewRun(
        identity=outcome.identity,
        settings=settings_values(outcome),
        data=data_values(outcome),
        machine=machine(),
        objective=outcome.choice.objective.name,
    )


def _settle(outcome: Outcome, engine: Engine | None, listener: Listener) -> None:
    """Read the answer off a table that is finished."""
    outcome.score()
    outcome.digest_aside()
    _choose(outcome, listener)
    outcome.trades = None
    if engine is not None and outcome.stopped_by is None and outcome.best is not None:
        with outcome.apart("the list of trades", listener.event):
            outcome.trades = engine.trades(outcome.best)


def _choose(outcome: Outcome, listener: Listener) -> None:
    """The answer, by the plan; the best where the other choice cannot be made."""
    plan = outcome.plan or Plan()
    outcome.best = outcome.table.best(outcome.choice)
    if plan.choose != CHOICES[0]:
        with outcome.apart("the robust choice", listener.event):
            outcome.best = choose(plan, outcome.table, outcome.choice)
            return
        outcome.plan = replace(plan, choose=CHOICES[0])


def _verify(
    outcome: Outcome,
    engine: Engine,
    pool: Executor,
    listener: Listener,
    recorder: Recorder,
    run_again: Callable[[], None],
) -> None:
    """Replay some; where the store had a wrong row, do what it had all over again first."""
    with outcome.timed("verify_s"):
        wrong = verify(outcome, pool, listener)
    if not wrong:
        return
    # What a search was told led it to all that it computed.
    computed = ~outcome.kept if outcome.asking is None else np.zeros_like(outcome.kept)
    distrust(outcome, listener, recorder, wrong, computed=computed)
    run_again()
    recorder.swept()
    _settle(outcome, engine, listener)
    if outcome.stopped_by is None:
        with outcome.timed("verify_s"):
            verify(outcome, pool, listener)


def _validate(
    outcome: Outcome, file: pd.DataFrame, pool: Executor, listener: Listener, recorder: Recorder
) -> None:
    """Find out what the result is worth, unless it is known by now that it is wrong."""
    plan = outcome.plan
    if plan is None or outcome.best is None or outcome.stopped_by is not None:
        return
    if outcome.verification is not None and not outcome.verification.ok:
        return
    if not isinstance(file.index, pd.DatetimeIndex):
        outcome.break_off("the validation", "the bars have no dates", listener.event)
        return
    run = ExaminedRun(
        file=file,
        job=outcome.job,
        table=outcome.table,
        choice=outcome.choice,
        chosen=outcome.best,
        imap=sparing(
            partial(pool.imap_unordered, throttle=throttle_of(outcome)),
            {failure.number: Unanswered() for failure in outcome.failures},
            limit=limit_of(outcome),
            progress=listener.validated,
        ),
        workers=outcome.execution.workers,
        seed=outcome.execution.seed,
        earlier_trials=recorder.earlier_trials(),
        count_opening=lambda split: recorder.count_opening(split.isoformat()),
        returns=outcome.returns,
        on_returns=listener.returns,
        asking=outcome.asking,
        failed=[failure.number for failure in outcome.failures],
        kept=_kept_rows(outcome),
    )
    before = len(outcome.broke_off)
    known = outcome.known(replace(plan, choose=CHOICES[0]), outcome.best, run.earlier_trials)
    examined = None if known is None else known.recall(_WORTH)
    if examined is None:
        examined = examine(
            plan, run, listener.validating, apart=lambda part: outcome.apart(part, listener.event)
        )
        if known is not None and len(outcome.broke_off) == before:
            known.keep(_WORTH, examined)
    else:
        examined = examined.again(run)
    found = None if examined is None else concluded(examined, plan, run)
    if found is not None:
        broken = list(outcome.broke_off.values())[before:]
        found = replace(found, notes=(*found.notes, *broken))
        json.dumps(as_json(found, outcome.job.space), allow_nan=False)  # It can be written, later.
    outcome.findings = found


def _kept_rows(outcome: Outcome) -> KeptRows | None:
    """What the table has a part of."""
    rule, reduced, in_sample = outcome.rule, outcome.reduced, outcome.in_sample
    if rule is None or reduced is None or in_sample is None:
        return None
    return KeptRows(rule, reduced.space, in_sample)


def time_a_backtest(bars: Bars, job: Job, *, sample_size: int = SAMPLE_SIZE) -> float:
    """Seconds per backtest of a job on these bars, in this process.

    Parameters
    ----------
    bars : Bars
    job : Job
    sample_size : int, optional
        Backtests to time at least.

    Returns
    -------
    float
    """
    job.spec.check_bars(bars, job.space)
    with_room(partial(warm_up, job))
    engine = build_engine(job.spec.columns(bars.frame), job)

    def seconds(slices: Sequence[tuple[int, int]]) -> float:
        begun = time.perf_counter()
        for start, stop in slices:
            engine.run(start, stop)
        return time.perf_counter() - begun

    return estimate_duration(
        seconds,
        len(job.space),
        slice_size=kind_of(job.spec, job.engine).sample_slice,
        least=sample_size,
        seed=0,
    )
