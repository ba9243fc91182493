"""Which engine runs a strategy: compiled where that can be done, pays, and is proved first.

A handful of combinations over the space run both ways in workers of their own, which a strategy may
kill, before anything else does.
"""

from __future__ import annotations

import io
import multiprocessing
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakSet

import numpy as np

from bigbar.data.read import Bars
from bigbar.engine_trials import check_compiled, time_backtests
from bigbar.engines.find import AUTO, build_engine, is_general
from bigbar.engines.general.checked import Checked, Comparison
from bigbar.engines.general.kind import KIND
from bigbar.errors import SettingsError
from bigbar.executors.contract import Unanswered
from bigbar.executors.local import WorkerPool
from bigbar.job import Job
from bigbar.machine.forecast import rough_backtest_s
from bigbar.outcome import Execution
from bigbar.progress.events import Listener
from bigbar.sharing.frames import publish
from bigbar.store.fingerprint import identity_of
from bigbar.units import as_seconds, counted
from bigbar.validation.plan import Plan
from bigbar.worker import start_worker

#: Combinations that run both ways.
_CHECKED = 6

#: Combinations that are timed by `backtesting.py`, after a first one that pays for imports.
_TIMED = 4

#: Seconds that a sweep takes for a backtest to be timed before anything is said of it.
_WORTH_TIMING_S = 0.5

#: Seconds that compiling takes: a strategy's `next`, and what every strategy shares, which is kept.
_NEXT_S, _SHARED_S = 1.5, 10.0

#: Seconds of translating that are spent once more, so that no worker has to.
_QUICK_S = 2.0

#: Validation runs about so many times what the sweep does.
_VALIDATION = 3.0


#: Has workers run tasks by a function.
_Answers = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]

#: Strategies that this process has optimized, compiled: one is likely to be optimized once more.
_optimized: WeakSet[type] = WeakSet()


@dataclass(frozen=True)
class EngineChoice:
    """An engine, and why it is this one.

    Attributes
    ----------
    job : Job
        With the engine.
    reason : str
        A line for the user; empty where there was nothing to choose.
    backtest_s : float or None
        Seconds that it takes for a combination, where that was measured.
    """

    job: Job
    reason: str = ""
    backtest_s: float | None = None


@dataclass
class _Agreed:
    """What both ways were found to agree on.

    Attributes
    ----------
    choice : EngineChoice
    number : int or None
        A combination to make the program known by; None where it is, or takes too long.
    """

    choice: EngineChoice
    number: int | None

    def make_known(self, bars: Bars, job: Job, execution: Execution) -> None:
        """Translate the strategy here as well, once."""
        if self.number is not None:
            _make_known(bars, job, self.number, execution)
            self.number = None


#: What was compared in this process, by all that decides the numbers.
_agreed: dict[str, _Agreed] = {}


def choose_engine(
    bars: Bars, job: Job, execution: Execution, plan: Plan | None, listener: Listener
) -> EngineChoice:
    """Settle what runs a job.

    Parameters
    ----------
    bars : Bars
    job : Job
        Whose engine may be "auto".
    execution : Execution
    plan : Plan or None
    listener : Listener

    Raises
    ------
    SettingsError
        If the strategy is to be compiled, and cannot be; with file, line and reason.
    """
    if not is_general(job.spec, job.engine):
        return EngineChoice(job, backtest_s=_timed(bars, job, execution, listener))
    insists = job.engine != AUTO
    in_python = replace(job, engine="backtesting")
    if len(job.space) == 1 and not insists:
        return EngineChoice(in_python)
    compiled = replace(job, engine=job.engine if insists else "compiled")
    decides = identity_of(bars.frame, compiled)
    agreed = _agreed.get(decides.fingerprint) if decides.problem is None else None
    if agreed is not None:
        agreed.make_known(bars, compiled, execution)
        return replace(agreed.choice, job=compiled)
    checked: list[Checked] = []
    reference_s: float | None = None
    for one, reference_s in _checked(bars, in_python, execution, plan, listener, insists=insists):
        if isinstance(one, str):
            return EngineChoice(in_python, one, reference_s)
        if one.refused is not None:
            if insists:
                raise SettingsError(one.refused)
            assert reference_s is not None
            spent = as_seconds(_sweep_s(reference_s, job, execution))
            return EngineChoice(
                in_python,
                f"{one.refused}; backtesting.py runs every combination (about {spent})",
                reference_s,
            )
        if one.difference is not None:
            point = ", ".join(f"{name}={value}" for name, value in job.space[one.number].items())
            listener.event(
                f"{job.spec.title} compiled is not what backtesting.py runs: with {point}, "
                f"{one.difference}. Please report this with the strategy; backtesting.py goes on"
            )
            return EngineChoice(
                in_python, "compiled, it differs from backtesting.py: not used", reference_s
            )
        checked.append(one)
    compared = [one for one in checked if one.in_python is None]
    if not compared:
        why = next((f" ({one.in_python})" for one in checked), "")
        return EngineChoice(
            in_python,
            "no combination of the sample could be compared with backtesting.py's, which runs "
            f"all{why}",
            reference_s,
        )
    choice = EngineChoice(
        compiled,
        f"compiled: {counted(max(one.lines for one in compared), 'line')} of next() translated in "
        f"{as_seconds(checked[0].compiled_s)}, {counted(len(compared), 'combination')} equal to "
        f"backtesting.py's in every trade",
        # The first of a worker waits for the machine code.
        min(one.compiled_s for one in compared),
    )
    is_quick = checked[0].compiled_s < _QUICK_S
    agreed = _Agreed(choice, compared[0].number if is_quick else None)
    if job.spec.strategy in _optimized:
        agreed.make_known(bars, compiled, execution)
    _optimized.add(job.spec.strategy)
    if decides.problem is None:
        _agreed[decides.fingerprint] = agreed
    return choice


@contextmanager
def _answering(
    bars: Bars, job: Job, execution: Execution, listener: Listener, workers: int
) -> Iterator[_Answers]:
    """Workers of their own for a job: what gives answers of tasks, but for those without one."""
    publication = publish(job.spec.columns(bars.frame), job)
    pool: WorkerPool | None = None
    limit = execution.timeout

    def answers(run: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        """Of each task that has an answer; of the others the sweep will say what is wrong."""
        assert pool is not None
        most = None if limit is None else lambda _, __: 2 * limit + _SHARED_S
        for _, found in pool.imap_unordered(run, tasks, limit=most):
            if found is not None and not isinstance(found, Unanswered):
                yield found

    try:
        pool = WorkerPool(
            min(execution.workers, workers),
            start_method=execution.start_method,
            initializer=start_worker,
            initargs=(publication.descriptor, None),
            on_event=listener.event,
        )
        yield answers
    finally:
        try:
            if pool is not None:
                pool.close()
        finally:
            publication.close()


def _timed(bars: Bars, job: Job, execution: Execution, listener: Listener) -> float | None:
    """Seconds of a backtest by `backtesting.py`, where that runs enough of them."""
    rough_s = rough_backtest_s(job.engine, len(bars.frame))
    if job.engine != "backtesting" or _sweep_s(rough_s, job, execution) < _WORTH_TIMING_S:
        return None
    numbers = _numbers(len(job.space), execution.seed)
    with _answering(bars, job, execution, listener, len(numbers)) as answers:
        return _seconds(answers, numbers, execution)


def _seconds(answers: _Answers, numbers: Sequence[int], execution: Execution) -> float | None:
    """Seconds of a backtest while the other workers are busy as well, as they will be."""
    at_once = min(execution.workers, len(numbers))
    found = [*answers(time_backtests, [numbers[: 1 + _TIMED]] * at_once)]
    return sum(found) / len(found) if found else None


def _checked(
    bars: Bars,
    job: Job,
    execution: Execution,
    plan: Plan | None,
    listener: Listener,
    *,
    insists: bool,
) -> Iterator[tuple[Checked | str, float | None]]:
    """Combinations as workers answer them; or why not to go on. And what one backtest takes."""
    numbers = _numbers(len(job.space), execution.seed)
    with _answering(bars, job, execution, listener, len(numbers)) as answers:
        first: list[Checked] = []
        timed: float | None = None
        beside = _to_compile(listener) if insists else []
        while numbers and not first:
            timed = None if insists else _seconds(answers, numbers, execution)
            number = numbers.pop(0)
            if not insists:
                if timed is None:
                    continue
                if not _pays(timed, job, execution, plan):
                    yield (
                        f"backtesting.py runs {counted(len(job.space), 'combination')} in about "
                        f"{as_seconds(_sweep_s(timed, job, execution))}: too little to try "
                        "compiling for",
                        timed,
                    )
                    return
                beside = _to_compile(listener)
            # By itself: the program that it compiles is there for the others then, and what is
            # compiled beside it.
            alone = Comparison(number, as_swept=not (beside and numbers))
            first = [*answers(check_compiled, [alone, *beside])]
        if first:
            yield from ((one, timed) for one in first)
            others = [Comparison(number) for number in numbers]
            yield from ((one, timed) for one in answers(check_compiled, others))


def _make_known(bars: Bars, job: Job, number: int, execution: Execution) -> None:
    """Translate the strategy here as well: workers that are forked from now on have its program.

    Its `init` runs with a combination that a worker has just been through; the class and the random
    generators are as before then.
    """
    if multiprocessing.get_context(execution.start_method).get_start_method() != "fork":
        return
    engine: Any = build_engine(job.spec.columns(bars.frame), replace(job, engine="general"))
    drawn, numpy_drawn = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with suppress(Exception, SystemExit), redirect_stdout(io.StringIO()):
            engine.translate(number)
    finally:
        random.setstate(drawn)
        np.random.set_state(numpy_drawn)  # noqa: NPY002


def _to_compile(listener: Listener) -> list[None]:
    """What a worker has to compile beside the first check, and a word of it: once a machine."""
    from bigbar.compiled.jit import is_cached

    if is_cached(KIND.compiles):
        return []
    listener.compiling()
    return [None]


def _sweep_s(backtest_s: float, job: Job, execution: Execution) -> float:
    return backtest_s * len(job.space) / min(execution.workers, len(job.space))


def _pays(reference_s: float, job: Job, execution: Execution, plan: Plan | None) -> bool:
    times = _VALIDATION if plan is not None and plan.assess else 1.0
    spent = times * _sweep_s(reference_s, job, execution)
    if spent <= _NEXT_S:
        return False  # Without a look at the compiler, which takes a while to import.
    from bigbar.compiled.jit import is_cached

    return spent > _NEXT_S + (0.0 if is_cached(KIND.compiles) else _SHARED_S)


def _numbers(count: int, seed: int) -> list[int]:
    """Both ends, and others by chance."""
    picked = [0, count - 1, count // 2]
    rng = np.random.default_rng(seed)
    picked += [int(one) for one in rng.integers(0, count, _CHECKED)]
    return list(dict.fromkeys(picked))[:_CHECKED]
