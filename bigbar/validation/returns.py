"""The returns of every combination from day to day: what the luck statistics are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar._blocks import create_block, open_block
from bigbar.engines import Job
from bigbar.periods import calendar_of
from bigbar.pool import Unanswered
from bigbar.validation.tasks import Imap
from bigbar.workers import ReturnsTask, halved_returns, run_returns

#: Combinations whose returns are looked at together: a few megabytes.
_BLOCK = 4096


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
        Combinations a task; whole ATR periods are best, see `bigbar.scheduling.whole_periods`.
    start, stop : int, optional
        A slice of the grid, where the whole of it would take too much memory: 4 bytes times
        combinations times periods.

    Returns
    -------
    ndarray of float32, shape (stop - start, periods - 1)
        See `bigbar.engines.Engine.returns`; NaN in all of a row for a combination that failed.
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


def distinct(rows: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which rows of a matrix differ: many combinations trade alike.

    On real bars a quarter to two thirds of the default grid's rows are another's double.

    Parameters
    ----------
    rows : ndarray of float32, shape (combinations, periods)

    Returns
    -------
    first : ndarray of int64, shape (kinds,)
        The first row of each kind, ascending.
    kind : ndarray of int64, shape (combinations,)
        Of each row: `rows[first][kind]` is `rows`, bit for bit.
    """
    # Odd factors: rows that differ in one place only never have the same sum; others as rarely
    # as 64 bits allow.
    factors = np.random.default_rng(0).integers(0, 2**63, rows.shape[1], np.uint64) * 2 + 1
    keys = np.empty(len(rows), np.uint64)
    bits = np.ascontiguousarray(rows).view(np.uint32)
    for at in range(0, len(rows), _BLOCK):
        part = bits[at : at + _BLOCK].astype(np.uint64)
        keys[at : at + _BLOCK] = (part * factors).sum(axis=1)
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return first[order], place[kind]
