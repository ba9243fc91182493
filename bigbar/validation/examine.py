"""The validation of a run, step by step: luck, unseen days, walk-forward, costs, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import calendar_of
from bigbar.choice import Choice
from bigbar.job import Job
from bigbar.results import ResultTable
from bigbar.search.find import Asking
from bigbar.space import Space
from bigbar.units import agreeing
from bigbar.validation.benchmark import buy_and_hold
from bigbar.validation.compounding import returns_within
from bigbar.validation.conduct import find_conduct
from bigbar.validation.costs import find_costs
from bigbar.validation.findings import Bootstrap, Findings, Holdout, Neighbours
from bigbar.validation.holdout import open_holdout
from bigbar.validation.kept import KeptRows, run_points
from bigbar.validation.kept import note_of as note_of_kept
from bigbar.validation.luck import LuckFindings, assess_luck, assess_sample
from bigbar.validation.plan import MATRIX_SHARES, MATRIX_WINDOWS, TEST_SHARE, Plan
from bigbar.validation.plateau import find_plateau
from bigbar.validation.price_noise import perturb
from bigbar.validation.returns import KeptReturns, daily_returns
from bigbar.validation.searched import (
    AskedPoints,
    SearchedWinners,
    asked_points,
    held_alone,
    look_around,
    neighbours_of,
    note_of,
)
from bigbar.validation.single import whole_span
from bigbar.validation.tasks import Imap
from bigbar.validation.verdict import FOUND_BY_SEARCH, FOUND_OF_MANY, WEIGHED, conclude
from bigbar.validation.walk_forward import (
    FoundWinners,
    Winners,
    walk_forward,
    walk_forward_matrix,
)

#: What a part of the validation is attempted in, by its name.
Apart = Callable[[str], AbstractContextManager[None]]

#: Is given returns, their times, and how many make a year.
OnReturns = Callable[[NDArray[np.float32], pd.DatetimeIndex, float], None]


@dataclass(frozen=True)
class ExaminedRun:
    """The run that is examined.

    Attributes
    ----------
    file : DataFrame
        The whole file with its indicators: what the workers were started on.
    job : Job
        What was optimized, on which of its bars.
    table : ResultTable
    choice : Choice
    chosen : int or None
        The setting to judge.
    imap : Imap
        Hands out work to the workers.
    workers : int
    seed : int
    earlier_trials : int
        Combinations that earlier runs tried on the same bars.
    count_opening : callable
        Is told the first bar held back, when the bars from there on are looked at; says how often
        they have been by now.
    returns : KeptReturns or None
        Of the whole grid, where they came along with the rows.
    on_returns : callable
        Is given the returns of the whole grid, which it must not keep, the end of each period, and
        how many make a year.
    asking : Asking or None
        The search that chose the points.
    failed : sequence of int
        Combinations that failed.
    kept : KeptRows or None
        What the table has a part of; None where it has all.
    """

    file: pd.DataFrame
    job: Job
    table: ResultTable
    choice: Choice
    chosen: int | None
    imap: Imap
    workers: int
    seed: int = 0
    earlier_trials: int = 0
    count_opening: Callable[[pd.Timestamp], int] = field(default=lambda _: 1)
    returns: KeptReturns | None = None
    on_returns: OnReturns = field(default=lambda *_: None)
    asking: Asking | None = None
    failed: Sequence[int] = ()
    kept: KeptRows | None = None


@dataclass(frozen=True)
class Examined:
    """What was found out about a run, before it is weighed.

    Attributes
    ----------
    parts : dict of str to object
        By their names in `bigbar.validation.findings.Findings`.
    notes : tuple of str
        Why something is missing, a line each.
    """

    parts: dict[str, Any]
    notes: tuple[str, ...]

    def again(self, run: ExaminedRun) -> Examined:
        """The same, for a run that looks at it once more: bars held back are opened again."""
        if (held_back := self.parts.get("holdout")) is None:
            return self
        openings = run.count_opening(held_back.split)
        return replace(self, parts=self.parts | {"holdout": replace(held_back, openings=openings)})


def choose(plan: Plan, table: ResultTable, choice: Choice) -> int | None:
    """The setting that is the answer: the best, or the best by cross mean; None if none counts."""
    if plan.choose == "peak":
        return table.best(choice)
    return find_plateau(table, choice).robust


def examine(
    plan: Plan,
    run: ExaminedRun,
    tell: Callable[[str], Any] = lambda _: None,
    *,
    apart: Apart = lambda _: nullcontext(),
) -> Examined | None:
    """Find out what a result is worth; `concluded` says what it comes to.

    Parameters
    ----------
    plan : Plan
    run : ExaminedRun
    tell : callable, optional
        Is told of each step that begins.
    apart : callable, optional
        What a part is attempted in, by the part's name: it decides what becomes of the others if
        that fails. By default it ends them.

    Returns
    -------
    Examined or None
        None where nothing was asked for.

    Raises
    ------
    VerificationError
        If the engine and `backtesting.py` disagree on a winner of the walk-forward analysis.
    """
    if not (plan.assess or plan.holdout or plan.walk_forward or plan.matrix):
        return None
    parts: dict[str, Any] = {}
    notes: list[str] = []
    if plan.assess and run.asking is not None:
        notes.append(note_of(run.asking, len(run.table)))
        if run.chosen is not None:
            tell("the chosen setting alone, and what stands around it")
            with apart("holding the chosen setting against luck"):
                parts["alone"], remarks = _alone(run, run.chosen)
                notes += remarks
            with apart("the look around the chosen setting"), _points_of(run) as points:
                parts["neighbours"] = look_around(points, run.file, run.table, run.chosen)
    elif plan.assess and run.kept is not None:
        notes.append(note_of_kept(run.kept, run.job.space.tried))
        if run.chosen is not None:
            tell("luck: the returns of the sample, and what stands around the chosen setting")
            with apart("holding the result against luck"):
                found, of_days = _luck_of_kept(plan, run, run.kept, run.chosen)
                parts |= {"pbo": found.pbo, "deflated_sharpe": found.deflated_sharpe}
                parts["alone"] = found.bootstrap
                notes += [*of_days, *found.notes]
            with apart("the look around the chosen setting"):
                parts["neighbours"] = _around_kept(run, run.kept, run.chosen)
    elif plan.assess:
        tell("luck: the returns of every combination")
        with apart("holding the result against luck"):
            found, of_days = _luck(plan, run)
            parts |= {part.name: getattr(found, part.name) for part in fields(found)}
            notes += [*of_days, *parts.pop("notes")]
        notes += _of_a_sample(run.job.space)
    if plan.holdout is not None and run.chosen is not None:
        tell("the bars that were held back")
        with apart("the look at the bars that were held back"):
            parts["holdout"] = held_back = _unseen(plan.holdout, run, run.chosen)
            if not held_back.unseen["# Trades"]:
                notes.append(
                    "the chosen setting made no trade on the unseen bars: they say nothing about "
                    "it; hold back more with --holdout"
                )
    if plan.walk_forward or plan.matrix:
        parts |= _forward(plan, run, tell, apart)
    if plan.assess and run.chosen is not None and not run.job.spec.comes_along:
        tell("what the strategy sees and changes")
        with apart("the look at what the strategy sees and changes"):
            parts["conduct"] = find_conduct(run.job, run.chosen, run.imap)
    if plan.assess and run.chosen is not None:
        tell("costs, other orders of the trades, other prices")
        file, job, chosen = run.file, run.job, run.chosen
        with apart("the comparison with buy and hold"):
            parts["buy_and_hold"] = buy_and_hold(file, job, run.table, chosen)
        if callable(job.account.commission):
            notes.append("costs that break even were not looked for: the commission is a function")
        else:
            with apart("the search for costs that break even"):
                parts["costs"] = find_costs(file, job, chosen)
        with apart("the test on other orders and prices"):
            parts["perturbation"] = perturb(file, job, chosen, run.imap, seed=run.seed)
    return Examined(parts, tuple(notes))


def concluded(examined: Examined, plan: Plan, run: ExaminedRun) -> Findings:
    """What was found out, and the verdict on it.

    Parameters
    ----------
    examined : Examined
    plan : Plan
    run : ExaminedRun
    """
    parts = examined.parts
    trades = run.table.column("# Trades")
    verdict = conclude(
        run.job.space,
        run.chosen,
        trades=None if run.chosen is None else int(trades[run.chosen]),
        most_trades=0 if np.isnan(trades).all() else int(np.nanmax(trades)),
        assessed=plan.assess,
        found_by="" if run.asking is None and run.kept is None else _found_by(run),
        **{name: parts.get(name) for name in WEIGHED},
    )
    return Findings(verdict=verdict, **parts, notes=examined.notes)


def _found_by(run: ExaminedRun) -> str:
    """How a setting was found that luck cannot be held against as of a whole grid."""
    return FOUND_BY_SEARCH if run.asking is not None else FOUND_OF_MANY


def _of_a_sample(space: Space) -> tuple[str, ...]:
    """What can be said of combinations that were chosen by chance, and what cannot."""
    if not space.is_sample:
        return ()
    return (
        f"{len(space):,} of {space.product:,} combinations "
        f"{agreeing(len(space), 'was', 'were')} tried, spread evenly by chance: "
        "luck and the probability of overfitting are about these; what stands around each was not "
        "run, so no plateau was looked for",
    )


def _luck(plan: Plan, run: ExaminedRun) -> tuple[LuckFindings, list[str]]:
    """Hold the result against what luck finds in the same grid."""
    job = run.job
    returns, times, annual, days = timed_returns(run.file, job, run.imap, kept=run.returns)
    run.on_returns(returns, times, annual)
    found = assess_luck(
        returns,
        run.table,
        run.choice,
        run.chosen,
        periods_per_year=annual,
        times=times,
        cash=job.account.cash,
        earlier_trials=run.earlier_trials,
        seed=run.seed,
        thorough=plan.thorough,
    )
    return found, _of_days(days)


def _of_days(days: int) -> list[str]:
    if days == 1:
        return []
    return [
        f"luck was told by returns of {days} days each: of single days they would take too "
        "much memory"
    ]


def _luck_of_kept(
    plan: Plan, run: ExaminedRun, kept: KeptRows, chosen: int
) -> tuple[LuckFindings, list[str]]:
    """Hold the result against what luck finds in a sample of the grid."""
    returns, _, annual, days = timed_returns(run.file, run.job, run.imap)
    found = assess_sample(
        returns,
        run.table,
        run.choice,
        chosen,
        kept.in_sample,
        tried=run.job.space.tried,
        periods_per_year=annual,
        earlier_trials=run.earlier_trials,
        seed=run.seed,
        thorough=plan.thorough,
    )
    return found, _of_days(days)


def _around_kept(run: ExaminedRun, kept: KeptRows, chosen: int) -> Neighbours:
    """Run what stands around the chosen setting."""
    return neighbours_of(
        chosen,
        run.table,
        run.choice,
        product=kept.product,
        admitted=kept.admitted,
        objectives=lambda numbers: run_points(
            numbers,
            job=run.job,
            choice=run.choice,
            span=whole_span(run.file, run.job),
            imap=run.imap,
            failed=run.failed,
        ),
    )


def timed_returns(
    file: pd.DataFrame, job: Job, imap: Imap, *, kept: KeptReturns | None = None
) -> tuple[NDArray[np.float32], pd.DatetimeIndex, float, int]:
    """The returns of a whole grid within a bound on memory, and what their periods are.

    Parameters
    ----------
    file, job, imap, kept
        As of `bigbar.validation.compounding.returns_within`.

    Returns
    -------
    returns : ndarray of float32, shape (combinations, periods)
    times : DatetimeIndex, shape (periods,)
        At the end of each.
    annual : float
        Periods in a year.
    days : int
        Days (or weeks, or months) in a period.
    """
    returns, days = returns_within(file, job, imap, chunk_size=job.space.per_slowest, kept=kept)
    index: Any = file.index[job.bars]
    calendar = calendar_of(index)
    first_end = (calendar.periods - 1) % days + days  # The first period has no return.
    times = index[calendar.ends[first_end::days]]
    return returns, times, calendar.annual_periods / days, days


def _points_of(run: ExaminedRun) -> AbstractContextManager[AskedPoints]:
    """Room for other points than those of the run."""
    assert run.asking is not None
    return asked_points(
        run.asking, run.job, run.choice, run.imap, workers=run.workers, failed=run.failed
    )


def _alone(run: ExaminedRun, chosen: int) -> tuple[Bootstrap | None, tuple[str, ...]]:
    """Hold the chosen setting against luck as if no other had been tried."""
    returns = daily_returns(
        run.file, run.job, run.imap, chunk_size=1, start=chosen, stop=chosen + 1
    )
    index: Any = run.file.index[run.job.bars]
    return held_alone(
        returns,
        run.table,
        run.choice,
        chosen,
        periods_per_year=calendar_of(index).annual_periods,
        seed=run.seed,
    )


def _unseen(share: float, run: ExaminedRun, chosen: int) -> Holdout:
    """Look at the bars held back: once, counted, and after the choice was made."""
    file, job = run.file, run.job
    split = pd.Timestamp(file.index[len(file) if job.stop_bar is None else job.stop_bar])
    openings = run.count_opening(split)
    return open_holdout(file, job, chosen, run.imap, share=share, openings=openings)


def _forward(
    plan: Plan, run: ExaminedRun, tell: Callable[[str], Any], apart: Apart
) -> dict[str, Any]:
    """Walk forward, over one or several numbers of windows."""
    if run.asking is None:
        among = None if run.kept is None else run.kept.in_sample
        winners = Winners(run.job, run.choice, run.imap, slices=4 * run.workers, among=among)
        return _walked(plan, run, winners, tell, apart)
    with _points_of(run) as points:
        return _walked(plan, run, SearchedWinners(points), tell, apart)


def _walked(
    plan: Plan, run: ExaminedRun, winners: FoundWinners, tell: Callable[[str], Any], apart: Apart
) -> dict[str, Any]:
    job = run.job
    parts: dict[str, Any] = {}
    if plan.walk_forward:
        tell(f"walk-forward, {plan.walk_forward} windows")
        with apart("the walk-forward analysis"):
            parts["walk_forward"] = walk_forward(
                run.file,
                job,
                winners,
                windows=plan.walk_forward,
                share=TEST_SHARE,
                anchored=plan.anchored,
            )
    if plan.matrix:
        tell(f"walk-forward, {len(MATRIX_WINDOWS)} × {len(MATRIX_SHARES)} ways of cutting")
        with apart("the walk-forward matrix"):
            parts["walk_forward_matrix"] = walk_forward_matrix(
                run.file,
                job,
                winners,
                windows=MATRIX_WINDOWS,
                shares=MATRIX_SHARES,
                anchored=plan.anchored,
            )
    return parts
