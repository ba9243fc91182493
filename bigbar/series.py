"""Rows of statistics as `backtesting.py` shows them: under its names, durations as timedeltas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.statistics import STATISTICS, Kind, Statistic


def series_of(
    row: NDArray[np.float64],
    ends: tuple[Any, Any] | None = None,
    *,
    number: type[float] = float,
) -> pd.Series:
    """A row of statistics under backtesting.py's names; see `ResultTable.statistics`.

    Its numbers are of the type given: those of NumPy can be divided by zero, as backtesting.py's.
    """
    shown: dict[str, object] = {} if ends is None else {"Start": ends[0], "End": ends[1]}
    shown |= {
        statistic.name: _as_shown(statistic, number(row[column]))
        for column, statistic in enumerate(STATISTICS)
        if statistic.name != "Commissions [$]" or row[column]
    }
    return pd.Series(shown, dtype=object)


def as_timedeltas(nanoseconds: NDArray[np.float64]) -> NDArray[np.timedelta64]:
    """Durations in nanoseconds as timedeltas, NaN as NaT."""
    missing = np.isnan(nanoseconds)
    whole = np.where(missing, 0, nanoseconds).astype(np.int64).astype("timedelta64[ns]")
    whole[missing] = np.timedelta64("NaT", "ns")
    return whole


def _as_shown(statistic: Statistic, value: float) -> object:
    if statistic.kind is Kind.DURATION:
        return pd.NaT if np.isnan(value) else pd.Timedelta(int(value), unit="ns")
    if statistic.kind is Kind.COUNT and not np.isnan(value):
        return int(value)
    return value
