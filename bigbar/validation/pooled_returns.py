"""The returns of every combination on several files at once: side by side, at equal risk.

What markets do on the same day is related: eleven of twelve dollar pairs say much about the
twelfth. So the files are not told as so many independent proofs, but as the one account that trades
all of them with the same setting, whose days can be drawn anew like those of a single file.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import utc_nanoseconds

#: What a file's returns are scaled to, as their root mean square. Its size cancels out of a Sharpe
#: ratio; it is small so that no sum of them is a loss of everything.
_RISK = 1e-3

#: The sums take no more than this, in bytes: whatever the number of files.
MOST_BYTES = 200_000_000

_DAY_NS = 24 * 3600 * 10**9

#: Days in a period, and how many periods make a year: weeks where a file's bars or the memory
#: allow of no days, and so on.
_STEPS = {1: 252.0, 7: 52.0, 28: 365 / 28, 84: 365 / 84, 336: 365 / 336}

#: 1970-01-01 was a Thursday; weeks begin on Sunday, as in `bigbar.calendar.trading_weeks`.
_FIRST_SUNDAY = 3

#: Combinations that are scaled together.
_ROWS = 1024


class PooledReturns:
    """The sum over files of every combination's returns, period by period.

    Parameters
    ----------
    combinations : int
    most_bytes : int, optional

    Attributes
    ----------
    sums : ndarray of float32, shape (combinations, periods)
    files : int
        Taken in so far.
    """

    def __init__(self, combinations: int, *, most_bytes: int = MOST_BYTES) -> None:
        self.sums = np.zeros((combinations, 0), np.float32)
        self.files = 0
        self._days = np.zeros(0, np.int64)  # The first day of each period, since a Sunday.
        self._step = 1
        self._annual = 0.0
        self._most_bytes = most_bytes

    @property
    def periods_per_year(self) -> float:
        """Of annual figures."""
        return self._annual if self._step == 1 else _STEPS[self._step]

    def add(self, returns: NDArray[np.float32], times: pd.DatetimeIndex, annual: float) -> None:
        """Take in one more file.

        Parameters
        ----------
        returns : ndarray of float32, shape (combinations, periods)
            NaN for a combination that failed.
        times : DatetimeIndex, shape (periods,)
            At the end of each.
        annual : float
            Periods in a year.
        """
        days = utc_nanoseconds(times) // _DAY_NS - _FIRST_SUNDAY
        if len(days) > 1:
            gap = float(np.median(np.diff(days)))
            self._coarsen(next((s for s in _STEPS if s >= 0.9 * gap), max(_STEPS)))
        self._make_room(days)
        starts, places = self._places(days)
        risk = _risk_of(returns)
        # The same days as before, as a rule: then nothing has to be picked out.
        every = len(places) == self.sums.shape[1]
        columns = slice(None) if every else places
        for start in range(0, len(returns) if risk else 0, _ROWS):
            part = np.nan_to_num(returns[start : start + _ROWS], nan=0.0)
            part *= np.float32(_RISK / risk)
            if len(starts) < len(days):
                part = np.add.reduceat(part, starts, axis=1)
            self.sums[start : start + _ROWS, columns] += part
        self.files += 1
        self._annual = max(self._annual, annual)

    def _make_room(self, days: NDArray[np.int64]) -> None:
        """A column for every period of these days, in coarser periods where they are too many."""
        while True:
            wanted = np.union1d(self._days, self._firsts(days))
            if 4 * len(self.sums) * len(wanted) <= self._most_bytes or not self._coarsen_once():
                break
        if len(wanted) > len(self._days):
            sums = np.zeros((len(self.sums), len(wanted)), np.float32)
            sums[:, np.searchsorted(wanted, self._days)] = self.sums
            self.sums, self._days = sums, wanted

    def _places(self, days: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the days of each period begin, and which columns those periods are."""
        firsts, starts = np.unique(self._firsts(days), return_index=True)
        return starts, np.searchsorted(self._days, firsts)

    def _firsts(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        return days // self._step * self._step

    def _coarsen(self, step: int) -> None:
        while self._step < step:
            self._coarsen_once()

    def _coarsen_once(self) -> bool:
        """Put periods together; whether there are longer ones."""
        longer = [step for step in _STEPS if step > self._step]
        if not longer:
            return False
        self._step = longer[0]
        if len(self._days):
            firsts, starts = np.unique(self._firsts(self._days), return_index=True)
            self.sums = np.add.reduceat(self.sums, starts, axis=1)
            self._days = firsts
        return True


def _risk_of(returns: NDArray[np.float32]) -> float:
    """Root mean square over all combinations and periods; 0 where nothing was earned or lost."""
    squares, count = 0.0, 0
    for start in range(0, len(returns), _ROWS):
        part = returns[start : start + _ROWS].astype(np.float64)
        finite = np.isfinite(part)
        squares += float(np.square(part[finite]).sum())
        count += int(np.count_nonzero(finite))
    return (squares / count) ** 0.5 if count else 0.0
