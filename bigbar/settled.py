"""What is run in the end: by which engine, and whether the whole grid in place of some of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from bigbar.calendar import calendar_of
from bigbar.data.read import Bars
from bigbar.engine_choice import EngineChoice, choose_engine
from bigbar.engines.find import AUTO, is_general
from bigbar.job import Job
from bigbar.machine.budget import workload
from bigbar.machine.forecast import Workload, forecast
from bigbar.outcome import Execution
from bigbar.progress.events import Listener
from bigbar.request import Request
from bigbar.search.find import DEFAULT_SEARCH
from bigbar.store.fingerprint import identity_of
from bigbar.store.recorder import Recorder
from bigbar.store.search_parts import keep_parts, search_parts
from bigbar.units import counted
from bigbar.validation.plan import Plan

#: A grid that one worker is done with in so many seconds is not worth a search.
_QUICK_S = 60.0


def settle(
    bars: Bars, job: Job, request: Request, listener: Listener, recorder: Recorder
) -> EngineChoice:
    """Settle what is run, and by what.

    Parameters
    ----------
    bars : Bars
    job : Job
        As asked for.
    request : Request
    listener : Listener
        Is told where another grid is run.
    recorder : Recorder
        Knows what it was in an earlier attempt.

    Raises
    ------
    SettingsError
        As `choose_engine`.
    """
    if (whole := _quick_whole(bars, job, request)) is not None:
        found = _engine_of(bars, whole, replace(request, asking=None), listener, recorder)
        if found.job.engine != "backtesting":
            every = counted(len(whole.space), "combination")
            listener.event(
                f"compiled, all {every} take under a minute: they are run in place of "
                f"{len(job.space):,} (--method {DEFAULT_SEARCH} tries no more than these)"
            )
            return found
    return _engine_of(bars, job, request, listener, recorder)


def _quick_whole(bars: Bars, job: Job, request: Request) -> Job | None:
    """The job on the whole grid, where that may be run and would be quick compiled.

    By figures that are the same at any time, so that a run that is continued is of the same grid.
    """
    if request.whole is None or job.engine == "backtesting":
        return None
    load = replace(
        load_of(bars, job, request.execution, request.plan),
        combinations=request.whole.combinations,
        workers=1,
        forked=True,
        compiling=False,
    )
    if forecast(load, present=0).seconds >= _QUICK_S:
        return None
    return replace(job, space=request.whole.space())


def _engine_of(
    bars: Bars, job: Job, request: Request, listener: Listener, recorder: Recorder
) -> EngineChoice:
    before = _as_before(bars, job, request, recorder)
    engine = choose_engine(bars, before, request.execution, request.plan, listener)
    if before is not job and not engine.reason:
        engine = replace(engine, reason="backtesting.py runs it, as it did before")
    return engine


def _as_before(bars: Bars, job: Job, request: Request, recorder: Recorder) -> Job:
    """With the engine of the earlier attempt, where the run goes on from one."""
    if job.engine != AUTO or not is_general(job.spec, job.engine):
        return job
    jobs = {name: replace(job, engine=name) for name in ("compiled", "backtesting")}
    asking = request.asking
    search = None if asking is None else search_parts(asking, request.choice)
    rule = request.rule(job.space)
    keep = None if rule is None else keep_parts(rule)
    before = recorder.engine_before(
        {name: partial(identity_of, bars.frame, one, search, keep) for name, one in jobs.items()}
    )
    return job if before is None else jobs[before]


def load_of(bars: Bars, job: Job, execution: Execution, plan: Plan | None) -> Workload:
    """What decides how much a job takes.

    Parameters
    ----------
    bars : Bars
    job : Job
    execution : Execution
    plan : Plan or None
    """
    index: Any = bars.frame.index
    return workload(
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
