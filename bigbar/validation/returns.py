"""The returns of every combination from day to day: what the luck statistics are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import calendar_of
from bigbar.engines.contract import Job
from bigbar.executors.local import Unanswered
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
        Combinations a task; whole ATR periods are best, see `bigbar.executors.chunks.whole_periods`.
    start, stop : int, optional
        A slice of the grid, where the whole of it would take too much memory: 4 bytes times
        combinations times periods.

    Returns
    -------
    ndarray of float32, shape (stop - start, periods - 1)
        See `bigbar.engines.contract.Engine.returns`; NaN in all of a row for a combination that failed.
    """
    stop = len(job.grid) if stop is None else stop
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
            if isinstance(result, Unanswered):
                matrix[task.start - start : task.stop - start] = np.nan
    finally:
        block.close()
    return matrix
