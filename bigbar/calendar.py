"""The calendar of the annual statistics: which day each bar is in, and how many make a year.

`backtesting.py` samples equity at the end of each day, or of each week, month or year where the
bars are as long as that. Everything made of such returns (its own annual statistics, the luck
statistics, the walk-forward analysis) takes the sampling from here. The expressions are those of
its `compute_stats`, which has them inline.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Sampling, and samples in a year, by the days from bar to bar; days for everything else.
_COARSE = {7: ("W", 52.0), 31: ("ME", 12.0), 365: ("YE", 1.0)}

_WEEK_NS = 7 * 24 * 3600 * 10**9
#: 1970-01-01 was a Thursday; the first Sunday after it was three days later.
_FIRST_SUNDAY_NS = 3 * 24 * 3600 * 10**9


@dataclass(frozen=True)
class Calendar:
    """How the times of some bars are sampled.

    Attributes
    ----------
    index : DatetimeIndex, shape (bars,)
    bar : Timedelta
        The usual time from bar to bar.
    frequency : str
        Pandas' name of the sampling: "D", "W", "ME" or "YE".
    numbers : ndarray of int32, shape (bars,)
        Which period each bar is in, counting periods with bars only; read-only.
    annual_periods : float
        Trading days (or weeks, months, years) in a year.
    """

    index: pd.DatetimeIndex
    bar: pd.Timedelta
    frequency: str
    numbers: NDArray[np.int32]
    annual_periods: float

    @property
    def periods(self) -> int:
        """How many periods have bars."""
        return int(self.numbers[-1]) + 1

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """The last bar of each period; read-only."""
        ends = np.flatnonzero(np.diff(self.numbers, append=self.periods))
        ends.flags.writeable = False
        return ends

    def returns(self, equity: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns from period end to period end of equity at each bar.

        Returns
        -------
        ndarray of float, shape (periods - 1,)
            The first period has none. NaN after ruin, where there is nothing to grow.
        """
        values = equity[self.ends]
        with np.errstate(divide="ignore", invalid="ignore"):
            returns: NDArray[np.float64] = values[1:] / values[:-1] - 1.0
        return returns


#: Runs on the same times follow each other (other costs, other prices): the last one is kept.
_last: Calendar | None = None


def calendar_of(index: pd.DatetimeIndex) -> Calendar:
    """The calendar of some bars' times.

    Parameters
    ----------
    index : DatetimeIndex, shape (bars,)
        Ascending; at least one bar.

    Returns
    -------
    Calendar
    """
    global _last
    if not isinstance(index, pd.DatetimeIndex):
        return _without_dates(index)
    known = _last
    if (
        known is not None
        and known.index.dtype == index.dtype
        and np.array_equal(known.index.asi8, index.asi8)
    ):
        return known
    bar = bar_time(index)
    frequency = _COARSE.get(bar.days, ("D", 0.0))[0]
    ends = pd.Series(np.arange(len(index)), index).resample(frequency).last().dropna()
    numbers = np.searchsorted(ends.to_numpy(), np.arange(len(index))).astype(np.int32)
    numbers.flags.writeable = False
    _last = Calendar(index, bar, frequency, numbers, _annual_periods(index, bar))
    return _last


def _without_dates(index: pd.Index) -> Calendar:
    """Bars that are only numbered: each is a period, and none makes a year."""
    numbers = np.arange(len(index), dtype=np.int32)
    numbers.flags.writeable = False
    return Calendar(index, bar_time(index), "", numbers, np.nan)  # type: ignore[arg-type]


def bar_time(index: pd.DatetimeIndex) -> pd.Timedelta:
    """The usual time from bar to bar; NaT for a single bar."""
    return pd.Series(index[-100:]).diff().dropna().median()


def _annual_periods(index: pd.DatetimeIndex, bar: pd.Timedelta) -> float:
    known = _COARSE.get(bar.days)
    if known is not None:
        return known[1]
    have_weekends = index.day_of_week.to_series().between(5, 6).mean() > 2 / 7 * 0.6
    return 365.0 if have_weekends else 252.0


def period_returns(equity: pd.Series) -> NDArray[np.float64]:
    """Returns from period end to period end, as `compute_stats` has them.

    Parameters
    ----------
    equity : Series, shape (bars,)
        By time.

    Returns
    -------
    ndarray of float, shape (periods - 1,)
        The first period has none. NaN after ruin, where there is nothing to grow.
    """
    index: Any = equity.index
    return calendar_of(index).returns(equity.to_numpy(np.float64))


def trading_weeks(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Which trading week each time is in, counted from 1970.

    A trading week runs from Sunday 00:00 UTC to the next: futures and currencies open on Sunday
    evening, and an ISO week would cut that session in two and leave Friday's close unguarded.

    Parameters
    ----------
    index : DatetimeIndex, shape (bars,)
        Times without a zone are read as UTC.

    Returns
    -------
    ndarray of int64, shape (bars,)
    """
    return (utc_nanoseconds(index) - _FIRST_SUNDAY_NS) // _WEEK_NS


def utc_nanoseconds(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Times as nanoseconds since 1970 UTC; times without a zone are read as UTC."""
    naive = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return naive.as_unit("ns").asi8
