"""What is read off an equity curve: how far it is below its high, and what each month returned."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def drawdown(equity: Floats) -> Floats:
    """How far equity is below its highest so far, in per cent, from 0 down to -100."""
    return 100.0 * (equity / np.maximum.accumulate(equity) - 1.0)


def monthly_returns(equity: pd.Series) -> pd.DataFrame:
    """Returns by calendar month, from month end to month end.

    Parameters
    ----------
    equity : Series
        By time.

    Returns
    -------
    DataFrame
        A row a year, columns 1 to 12 and "Year", in per cent; NaN for months without bars.
    """
    times = pd.DatetimeIndex(equity.index)
    years = _returns(equity, times.year)
    months = _returns(equity, times.year * 100 + times.month)
    table = pd.DataFrame(np.nan, index=years.index, columns=[*range(1, 13), "Year"])
    for month, value in months.items():
        year, number = divmod(int(str(month)), 100)
        table.loc[year, number] = value
    table["Year"] = years
    return table


def _returns(equity: pd.Series, periods: pd.Index) -> pd.Series:
    """Per cent from the end of each period to that of the next; the first from its first value."""
    ends = equity.groupby(periods).last()
    before = ends.shift(fill_value=equity.iloc[0])
    return 100.0 * (ends / before.where(before > 0) - 1.0)
