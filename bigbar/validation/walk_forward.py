"""Walk-forward: the whole grid optimized again and again, each winner run on the bars that follow.

Each test window begins with the equity of the one before. Windows end where the strategy's
description lets the bars be cut. A position that is open at a window's last close counts at that
close, as `backtesting.py` values it, and the next window begins flat with that equity: the position
is closed there, at no further cost.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import calendar_of, period_returns
from bigbar.choice import Choice
from bigbar.errors import DataError
from bigbar.executors.chunks import whole_periods
from bigbar.executors.contract import Unanswered
from bigbar.job import Job
from bigbar.results import best_of
from bigbar.slices import GridTask, answer_slice, halves
from bigbar.statistics import COLUMN
from bigbar.validation.findings import WalkForward, WalkForwardMatrix, Window
from bigbar.validation.single import SingleRun, prove, run_single, whole_span
from bigbar.validation.splits import Span, WindowSplit, length, walk_forward_splits
from bigbar.validation.tasks import Imap
from bigbar.worker import desk, engine_of

#: A strategy keeps this share of its in-sample return, at least, to pass.
_LEAST_EFFICIENCY = 0.5

#: And no single window makes this share of all profit, or more.
_MOST_OF_ONE = 0.5


@dataclass(frozen=True)
class WindowTask(GridTask):
    """A slice of the grid on one training window.

    Attributes
    ----------
    span : tuple of (int, int)
        Bars.
    start, stop : int
        The slice.
    choice : Choice
        What the objective is.
    """

    span: Span
    start: int
    stop: int
    choice: Choice


def run_window(task: WindowTask) -> NDArray[np.float64]:
    """Objective and number of trades of a slice on one training window, in a worker.

    Returns
    -------
    ndarray of float, shape (2, stop - start)
        NaN for combinations that failed.
    """
    engine = engine_of(replace(desk().job, span=task.span))
    rows = answer_slice(engine, (task.start, task.stop)).rows
    return np.stack([task.choice.objective_of(rows), rows[:, COLUMN["# Trades"]]])


def halved_window(task: WindowTask) -> list[WindowTask]:
    """As `bigbar.slices.halves`, for a slice on a training window."""
    return [replace(task, start=a, stop=b) for a, b in halves((task.start, task.stop))]


@dataclass(frozen=True)
class Winner:
    """The best combination on some bars, and its objective."""

    number: int
    objective: float


class FoundWinners(Protocol):
    """Finds the best combination on any bars."""

    choice: Choice
    imap: Imap

    @property
    def job(self) -> Job:
        """A job whose combinations the winners are numbers of."""
        ...

    def find(self, spans: Sequence[Span]) -> list[Winner | None]:
        """The winner on each stretch of bars; None where no combination counts."""
        ...

    def named(self, number: int) -> int:
        """By which number a winner is told."""
        ...


class Winners:
    """The best combination of the grid on any bars, found once for each.

    Parameters
    ----------
    job : Job
        What the workers were started for.
    choice : Choice
        What wins: the same objective and least number of trades as of the run.
    imap : Imap
    slices : int
        Tasks that the grid is cut into for each window: as many as there are workers, at least.
    progress : callable, optional
        Is told how many more combinations are done.
    among : ndarray of bool, shape (combinations,), optional
        Which can win; all by default.
    """

    def __init__(
        self,
        job: Job,
        choice: Choice,
        imap: Imap,
        *,
        slices: int,
        progress: Callable[[int], Any] = lambda _: None,
        among: NDArray[np.bool_] | None = None,
    ) -> None:
        self.job = job
        self.choice = choice
        self.imap = imap
        self._slices = slices
        self._progress = progress
        self._among = among
        self._known: dict[Span, Winner | None] = {}

    def find(self, spans: Sequence[Span]) -> list[Winner | None]:
        """The winner on each stretch of bars; None where no combination counts."""
        new = [span for span in dict.fromkeys(spans) if span not in self._known]
        new.sort(key=length, reverse=True)  # So that no worker is left with a long one at the end.
        tasks = [
            WindowTask(span, start, stop, self.choice)
            for span in new
            for start, stop in self._cuts()
        ]
        total = len(self.job.space)
        answers = {span: np.full((2, total), np.nan) for span in new}
        left = dict.fromkeys(new, total)
        for task, result in self.imap(run_window, tasks, split=halved_window):
            if not isinstance(result, Unanswered):  # Else it does not count.
                answers[task.span][:, task.start : task.stop] = result
            left[task.span] -= task.stop - task.start
            self._progress(task.stop - task.start)
            if not left[task.span]:
                self._known[task.span] = self._best(answers.pop(task.span))
        return [self._known[span] for span in spans]

    def named(self, number: int) -> int:
        """By which number a winner is told: its own."""
        return number

    def _cuts(self) -> list[tuple[int, int]]:
        """Slices of the grid, of whole values of the slowest parameter where there are enough."""
        grid = self.job.space
        size = whole_periods(-(-len(grid) // self._slices), grid.per_slowest)
        ends = [*range(0, len(grid), size), len(grid)]
        return list(itertools.pairwise(ends))

    def _best(self, answers: NDArray[np.float64]) -> Winner | None:
        scores = self.choice.scores(*answers)
        best = best_of(scores if self._among is None else np.where(self._among, scores, np.nan))
        return None if best is None else Winner(best, float(answers[0, best]))


@dataclass(frozen=True)
class _Step:
    """A window with its winner's runs; None where no combination counted."""

    split: WindowSplit
    train: SingleRun | None
    test: SingleRun | None
    equity: pd.Series


def walk_forward(
    file: pd.DataFrame,
    job: Job,
    winners: FoundWinners,
    *,
    windows: int,
    share: float,
    anchored: bool = False,
) -> WalkForward:
    """Optimize each training window, and run its winner on the test window after it.

    Parameters
    ----------
    file : DataFrame
        The bars that the workers were started on, with their indicators.
    job : Job
        What the workers were started for; its bars are what is cut into windows.
    winners : Winners
        Of that job.
    windows, share, anchored
        See `bigbar.validation.splits.walk_forward_splits`.

    Returns
    -------
    WalkForward

    Raises
    ------
    SettingsError, DataError
        If the bars cannot be cut like that.
    VerificationError
        If the engine and `backtesting.py` disagree on a winner in any window.
    """
    index: Any = file.index
    splits = walk_forward_splits(
        job.spec, index, whole_span(file, job), windows=windows, share=share, anchored=anchored
    )
    steps = _steps(file, splits, winners)
    runs = [run for step in steps for run in (step.train, step.test) if run is not None]
    replayed = prove(runs, winners.job.space, winners.imap)
    equity = pd.concat([step.equity for step in steps])
    profits = [float(step.equity.iloc[-1] - step.equity.iloc[0]) for step in steps]
    total = sum(profits)
    profitable = sum(profit > 0 for profit in profits)
    efficiency = _efficiency(equity, steps)
    largest = max(profits) / total if total > 0 else np.nan
    return WalkForward(
        anchored=anchored,
        windows=tuple(_window(step, index, winners) for step in steps),
        equity=equity,
        total_return=_total_return(equity),
        annual_return=_annual_return(equity),
        t_statistic=t_statistic(period_returns(equity)),
        in_sample_annual_return=_in_sample(steps),
        efficiency=efficiency,
        profitable_windows=profitable,
        largest_share=largest,
        passes={
            "makes money out of sample": total > 0,
            "keeps at least half of the in-sample return": (
                efficiency is not None and efficiency >= _LEAST_EFFICIENCY
            ),
            "at least half of the windows make money": 2 * profitable >= len(steps),
            "no window makes half of the profit or more": bool(largest < _MOST_OF_ONE),
        },
        replayed=replayed,
    )


def walk_forward_matrix(
    file: pd.DataFrame,
    job: Job,
    winners: FoundWinners,
    *,
    windows: Sequence[int],
    shares: Sequence[float],
    anchored: bool = False,
) -> WalkForwardMatrix:
    """Walk-forward over several numbers of windows and shares out of sample.

    A training window that comes again is not optimized again, nor are those that `winners`
    knows already. The runs are the engine's; `walk_forward` replays those of one such analysis.

    Parameters
    ----------
    file, job, winners, anchored
        As of `walk_forward`.
    windows : sequence of int
    shares : sequence of float

    Returns
    -------
    WalkForwardMatrix
        NaN where there are too few bars.

    Raises
    ------
    SettingsError
        If a number of windows or a share makes no sense.
    """
    index: Any = file.index
    cut: dict[tuple[int, int], tuple[WindowSplit, ...]] = {}
    for row, column in itertools.product(range(len(windows)), range(len(shares))):
        try:
            cut[row, column] = walk_forward_splits(
                job.spec,
                index,
                whole_span(file, job),
                windows=windows[row],
                share=shares[column],
                anchored=anchored,
            )
        except DataError:
            continue  # Too few bars for these: NaN.
    # All at once, so that no worker waits at the end of each.
    winners.find([one.train for splits in cut.values() for one in splits])
    total_return, efficiency = np.full((2, len(windows), len(shares)), np.nan)
    for place, splits in cut.items():
        steps = _steps(file, splits, winners)
        equity = pd.concat([step.equity for step in steps])
        total_return[place] = _total_return(equity)
        found = _efficiency(equity, steps)
        efficiency[place] = np.nan if found is None else found
    return WalkForwardMatrix(tuple(windows), tuple(shares), total_return, efficiency)


def _steps(file: pd.DataFrame, splits: Sequence[WindowSplit], winners: FoundWinners) -> list[_Step]:
    """Every window's winner on both sides of its split, equity going on from window to window."""
    found = winners.find([one.train for one in splits])
    job, choice = winners.job, winners.choice
    account = job.account
    cash = float(account.cash)
    steps = []
    for one, winner in zip(splits, found, strict=True):
        train = test = None
        if winner is not None:
            train = run_single(file, job, winner.number, one.train)
            # What won, as the worker answered it: the replay compares that as well.
            if choice.function is None:
                train.row[COLUMN[choice.objective.name]] = winner.objective
        if winner is not None and cash > 0:
            test = run_single(file, job, winner.number, one.test, replace(account, cash=cash))
            equity = test.equity
        else:
            equity = pd.Series(cash, file.index[slice(*one.test)], name="Equity")
        steps.append(_Step(one, train, test, equity))
        cash = float(equity.iloc[-1])
    return steps


def _window(step: _Step, index: pd.DatetimeIndex, winners: FoundWinners) -> Window:
    (first, split), (_, stop) = step.split.train, step.split.test
    choice, space = winners.choice, winners.job.space
    number = None if step.train is None else step.train.number
    return Window(
        train=step.split.train,
        test=step.split.test,
        train_times=(index[first], index[split - 1]),
        test_times=(index[split], index[stop - 1]),
        combination=None if number is None else winners.named(number),
        places=() if number is None else space.places(number),
        train_return=0.0 if step.train is None else step.train.value("Return [%]"),
        test_return=0.0 if step.test is None else step.test.value("Return [%]"),
        train_objective=np.nan
        if step.train is None
        else float(choice.objective_of(step.train.row[None])[0]),
        test_objective=np.nan
        if step.test is None
        else float(choice.objective_of(step.test.row[None])[0]),
        test_trades=0 if step.test is None else int(step.test.value("# Trades")),
    )


def _total_return(equity: pd.Series) -> float:
    return float(equity.iloc[-1] / equity.iloc[0] - 1) * 100


def _annual_return(equity: pd.Series) -> float:
    """Mean return of a period times periods in a year, in per cent; NaN without returns.

    Not compounded: the best of a grid over a few weeks, compounded to a year, would be out of
    all proportion to what any other window made.
    """
    returns = period_returns(equity)
    index: Any = equity.index
    if not len(returns):
        return np.nan
    return float(np.nan_to_num(returns).mean()) * calendar_of(index).annual_periods * 100


def _in_sample(steps: Sequence[_Step]) -> float:
    """Mean annual return of the winners in their training windows; 0 where there was none."""
    found = [0.0 if step.train is None else _annual_return(step.train.equity) for step in steps]
    return float(np.mean(found))


def _efficiency(equity: pd.Series, steps: Sequence[_Step]) -> float | None:
    in_sample = _in_sample(steps)
    return _annual_return(equity) / in_sample if in_sample > 0 else None


def t_statistic(returns: NDArray[np.float64]) -> float:
    """Mean return over its standard error; NaN for fewer than two returns, or equal ones.

    Parameters
    ----------
    returns : ndarray of float, shape (periods,)
        NaN, after ruin, counts as 0.
    """
    returns = np.nan_to_num(returns)
    if len(returns) < 2:
        return np.nan
    error = float(returns.std(ddof=1)) / np.sqrt(len(returns))
    return float(returns.mean()) / error if error > 0 else np.nan
