"""Stretches without a bar that are longer than the market's usual breaks: a part may be missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bigbar.units import counted

_NS_PER_DAY = 86_400_000_000_000
_NS_PER_WEEK = 7 * _NS_PER_DAY

#: So many times a week's longest break, as it usually is: holidays in a row come to three times.
_TIMES_USUAL = 4

#: With fewer bars there is no telling what is usual.
_LEAST = 100


def gap_notes(index: pd.DatetimeIndex) -> list[str]:
    """The longest stretch without a bar, where it is longer than any break that is usual here.

    Parameters
    ----------
    index : DatetimeIndex
        Times of the bars, each later than the one before.
    """
    times = index.as_unit("ns").asi8
    if len(times) < _LEAST:
        return []
    gaps = np.diff(times)
    if gaps.max() <= _NS_PER_DAY:
        return []
    weeks = times[:-1] // _NS_PER_WEEK
    firsts = np.flatnonzero(np.diff(weeks, prepend=weeks[0] - 1))
    usual = float(np.median(np.maximum.reduceat(gaps, firsts)))
    long = np.flatnonzero(gaps > max(_TIMES_USUAL * usual, _NS_PER_DAY))
    if not len(long):
        return []
    at = int(long[np.argmax(gaps[long])])
    days = gaps[at] / _NS_PER_DAY
    for_days = f"{days:,.0f}" if days >= 100 else f"{days:.3g}"
    others = f", and {counted(len(long) - 1, 'more such gap')}" if len(long) > 1 else ""
    return [
        f"no bar for {for_days} days, from {index[at]:%Y-%m-%d %H:%M} to "
        f"{index[at + 1]:%Y-%m-%d %H:%M}{others}: a part of the file may be missing"
    ]
