"""One combination on some of the bars: run by the engine, and proven by `backtesting.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.engines.find import build_engine
from bigbar.engines.reference import BacktestingEngine
from bigbar.errors import VerificationError, WorkersLostError
from bigbar.executors.contract import Unanswered
from bigbar.job import Job
from bigbar.results import ResultTable
from bigbar.space import Space
from bigbar.statistics import COLUMN
from bigbar.validation.splits import Span
from bigbar.validation.tasks import Imap
from bigbar.verification.replay import Replay, compare_engines, differences_text, judged
from bigbar.worker import desk


@dataclass(frozen=True)
class SingleRun:
    """One combination of a grid on some of the bars.

    Attributes
    ----------
    number : int
        The combination.
    job : Job
        Of a grid of this combination alone.
    row : ndarray of float, shape (statistics,)
        Columns as in `bigbar.statistics.STATISTICS`.
    equity : Series, shape (bars,)
        By time, beginning with the cash.
    """

    number: int
    job: Job
    row: NDArray[np.float64]
    equity: pd.Series = field(repr=False)

    def value(self, name: str) -> float:
        """One statistic, by backtesting.py's name; durations in nanoseconds."""
        return float(self.row[COLUMN[name]])

    def statistics(self) -> pd.Series:
        """All statistics as a person reads them, under backtesting.py's names."""
        return ResultTable(self.job.space, self.row[None]).statistics(0)


def whole_span(file: pd.DataFrame, job: Job) -> Span:
    """The bars of a file that take part in a job, as first bar and the one after the last."""
    first, stop, _ = job.bars.indices(len(file))
    return first, stop


def single_job(job: Job, number: int, span: Span, account: Account | None = None) -> Job:
    """A job of one combination of another job's grid.

    Parameters
    ----------
    job : Job
        Whose grid, settings and engine it is.
    number : int
        The combination.
    span : tuple of (int, int)
        The bars that take part. They are named always: a grid of one combination would begin
        earlier.
    account : Account, optional
        Other money and costs.

    Returns
    -------
    Job
    """
    return replace(
        job,
        space=Space.of(**{name: (value,) for name, value in job.space[number].items()}),
        account=job.account if account is None else account,
        span=span,
    )


def run_single(
    file: pd.DataFrame, job: Job, number: int, span: Span, account: Account | None = None
) -> SingleRun:
    """Run one combination on some of the bars; parameters as of `single_job`."""
    single = single_job(job, number, span, account)
    engine = build_engine(file, single)
    return SingleRun(number, single, engine.run(0, 1)[0], engine.equity(0))


@dataclass(frozen=True)
class RunReplay:
    """A run to replay in a worker: number, job and row as of `SingleRun`."""

    number: int
    job: Job
    row: NDArray[np.float64]


def replay_run(task: RunReplay) -> Replay:
    """Replay a run through `backtesting.py`, in a worker started on the same file."""
    return replayed(desk().file, task)


def replayed(file: pd.DataFrame, task: RunReplay) -> Replay:
    """Replay a run of a file through `backtesting.py`."""
    job = task.job
    close = file["Close"].to_numpy(np.float64)[job.bars]
    engine, reference = build_engine(file, job), BacktestingEngine(file, job)
    found = compare_engines(0, task.row, close, engine, reference)
    return judged(found, task.row, job, engine, reference) if found.differences else found


def prove(runs: Sequence[SingleRun], grid: Space, imap: Imap) -> int:
    """Replay runs through `backtesting.py`, every statistic and trade compared.

    Parameters
    ----------
    runs : sequence of SingleRun
    grid : Space
        Whose combinations their numbers are.
    imap : Imap

    Returns
    -------
    int
        How many were replayed, all of them equal; those that the strategy answers differently each
        time do not count.

    Raises
    ------
    VerificationError
        If the engine and `backtesting.py` disagree.
    WorkersLostError
        If a replay kills its worker.
    """
    differences, equal = [], 0
    # The longest first, so that no worker is left with one at the end.
    ordered = sorted(runs, key=lambda one: len(one.equity), reverse=True)
    tasks = [RunReplay(one.number, one.job, one.row) for one in ordered]
    for task, result in imap(replay_run, tasks):
        if isinstance(result, Unanswered):
            raise WorkersLostError(
                f"combination {task.number} could not be replayed through backtesting.py: "
                f"{result.reason()}"
            )
        equal += not result.unsteady
        differences += [replace(one, number=task.number) for one in result.differences]
    if differences:
        raise VerificationError(differences_text(differences, grid))
    return equal
