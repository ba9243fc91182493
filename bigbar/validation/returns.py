"""The returns of every combination from day to day: what the luck statistics are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import calendar_of
from bigbar.engines.find import kind_of
from bigbar.executors.chunks import gaps_in
from bigbar.executors.contract import Unanswered
from bigbar.job import Job
from bigbar.sharing.blocks import create_block, open_block
from bigbar.validation.tasks import Imap
from bigbar.worker import ReturnsTask, halved_returns, run_returns


def daily_returns(
    file: pd.DataFrame,
    job: Job,
    imap: Imap,
    *,
    chunk_size: int,
    start: int = 0,
    stop: int | None = None,
) -> NDArray[np.float32]:
    """Returns of the combinations `start` to `stop` (excluded), from day end to day end.

    The workers write them into shared memory, which nothing is copied out of: it goes with the
    array.

    Parameters
    ----------
    file : DataFrame
        The bars that the workers were started on.
    job : Job
        What the workers were started for.
    imap : Imap
    chunk_size : int
        Combinations a task; whole values of the slowest parameter are best, see
        `bigbar.executors.chunks.whole_periods`.
    start, stop : int, optional
        A slice of the grid, where the whole of it would take too much memory: 4 bytes times
        combinations times periods.

    Returns
    -------
    ndarray of float32, shape (stop - start, periods - 1)
        See `bigbar.engines.contract.Engine.returns`; NaN in all of a row for a combination that
        failed.
    """
    stop = len(job.space) if stop is None else stop
    index: Any = file.index[job.bars]
    shape = stop - start, calendar_of(index).periods - 1
    if not shape[0] * shape[1]:
        return np.empty(shape, np.float32)
    block = create_block(4 * shape[0] * shape[1])
    try:
        matrix = np.frombuffer(
            open_block(block.handle, writable=True), np.float32, shape[0] * shape[1]
        ).reshape(shape)
        tasks = [
            ReturnsTask(at, min(at + chunk_size, stop), block.handle, start, shape[1])
            for at in range(start, stop, chunk_size)
        ]
        for task, result in imap(run_returns, tasks, split=halved_returns):
            _put(matrix[task.start - start : task.stop - start], result)
    finally:
        block.close()
    return matrix


def _put(rows: NDArray[np.float32], result: Any) -> None:
    """Take in what a worker answered: None where it has written its returns here already."""
    if result is not None:
        rows[:] = np.nan if isinstance(result, Unanswered) else result


class KeptReturns:
    """The returns of a whole grid in shared memory, filled in while the grid is swept.

    Parameters
    ----------
    combinations, periods : int
        Rows, and returns of each.

    Attributes
    ----------
    matrix : ndarray of float32, shape (combinations, periods)
        Stays valid after `close`.
    there : ndarray of bool, shape (combinations,)
        Which rows have been filled in.
    """

    def __init__(self, combinations: int, periods: int) -> None:
        self.there = np.zeros(combinations, dtype=bool)
        self._periods = periods
        self._block = create_block(4 * combinations * periods)
        self.matrix = np.frombuffer(
            open_block(self._block.handle, writable=True), np.float32, combinations * periods
        ).reshape(combinations, periods)

    def task(self, start: int, stop: int) -> ReturnsTask:
        """A slice of the grid whose returns are to be filled in."""
        return ReturnsTask(start, stop, self._block.handle, 0, self._periods)

    def complete(self, imap: Imap, *, chunk_size: int) -> NDArray[np.float32]:
        """Fill in what is missing: rows that were not run, but came from a store."""
        tasks = [
            self.task(at, min(at + chunk_size, stop))
            for start, stop in gaps_in(self.there)
            for at in range(start, stop, chunk_size)
        ]
        for task, result in imap(run_returns, tasks, split=halved_returns):
            self.take(task, result)
        return self.matrix

    def take(self, task: ReturnsTask, result: Any) -> None:
        """What a worker answered to a task: its returns, `Unanswered`, or None where they are in.

        Those of a task that was not answered are NaN.
        """
        _put(self.matrix[task.start : task.stop], result)
        self.there[task.start : task.stop] = True

    def close(self) -> None:
        """Remove the block from the system; a second call does nothing."""
        self._block.close()


def keep_returns(file: pd.DataFrame, job: Job, *, most_bytes: int) -> KeptReturns | None:
    """Room for the returns of a grid, where its engine gives them along with its rows.

    Parameters
    ----------
    file : DataFrame
        The bars that the workers were started on.
    job : Job
    most_bytes : int
        What they may take: None is made where they take more.
    """
    index: Any = file.index[job.bars]
    periods = calendar_of(index).periods - 1
    if not come_along(job, periods, most_bytes=most_bytes):
        return None
    return KeptReturns(len(job.space), periods)


def come_along(job: Job, periods: int, *, most_bytes: int) -> bool:
    """Whether a grid's returns are kept while it is swept, and there is room for them."""
    if not kind_of(job.spec, job.engine).returns_come_along:
        return False
    return 0 < 4 * len(job.space) * periods <= most_bytes
