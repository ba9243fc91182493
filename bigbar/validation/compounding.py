"""The returns of a whole grid within a bound on memory: days put together where they are many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import calendar_of
from bigbar.job import Job
from bigbar.validation.returns import KeptReturns, daily_returns
from bigbar.validation.tasks import Imap

#: The matrix of returns takes no more than this, in bytes: the default grid on 800 days. Testing
#: it takes as much again.
MOST_BYTES = 400_000_000


def returns_within(
    file: pd.DataFrame,
    job: Job,
    imap: Imap,
    *,
    chunk_size: int,
    most_bytes: int = MOST_BYTES,
    kept: KeptReturns | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Returns of every combination, of days, or of several days each where the file is long.

    Parameters
    ----------
    file, job, imap, chunk_size
        As of `bigbar.validation.returns.daily_returns`.
    most_bytes : int, optional
        What the matrix may take.
    kept : KeptReturns, optional
        Those that came along with the rows.

    Returns
    -------
    returns : ndarray of float32, shape (combinations, periods // days)
        The first days are left out where they are too few for a period.
    days : int
        Days in a period.
    """
    if kept is not None:
        return kept.complete(imap, chunk_size=chunk_size), 1
    index: Any = file.index[job.bars]
    periods = calendar_of(index).periods - 1
    combinations = len(job.space)
    days = max(1, -(-4 * combinations * periods // most_bytes))
    if days == 1:
        return daily_returns(file, job, imap, chunk_size=chunk_size), days
    found = np.empty((combinations, periods // days), np.float32)
    # As many combinations at once as a quarter of the bound holds.
    size = max(chunk_size, most_bytes // (16 * periods) // chunk_size * chunk_size)
    for start in range(0, combinations, size):
        stop = min(start + size, combinations)
        part = daily_returns(file, job, imap, chunk_size=chunk_size, start=start, stop=stop)
        found[start:stop] = compounded(part, days)
    return found, days


def compounded(returns: NDArray[np.float32], days: int) -> NDArray[np.float32]:
    """Returns of so many periods each, counted from the end; the first, too few, are left out.

    Parameters
    ----------
    returns : ndarray of float32, shape (combinations, periods)
    days : int

    Returns
    -------
    ndarray of float32, shape (combinations, periods // days)
    """
    combinations, periods = returns.shape
    kept = returns[:, periods % days :].reshape(combinations, periods // days, days)
    growth = np.ones(kept.shape[:2])
    for day in range(days):
        growth *= 1.0 + kept[:, :, day].astype(np.float64)
    return (growth - 1.0).astype(np.float32)
