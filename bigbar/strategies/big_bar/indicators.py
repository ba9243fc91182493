"""What the strategy reads off the bars: true range, ATR, momentum and the edges of the week.

All of it is computed on the whole file, before the warm-up bars are dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import trading_weeks

Floats = NDArray[np.float64]

#: Momentum looks at the three bars before.
MOMENTUM_BARS = 3


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """True range of each bar; NaN for the first one, which has no close before it.

    Parameters
    ----------
    high, low, close : ndarray of float, shape (bars,)
        Prices.

    Returns
    -------
    ndarray of float, shape (bars,)
        In price units, as TA-Lib's `TRANGE` defines it.
    """
    ranges = np.full(len(close), np.nan)
    previous = close[:-1]
    ranges[1:] = np.maximum(
        high[1:] - low[1:], np.maximum(np.abs(high[1:] - previous), np.abs(low[1:] - previous))
    )
    return ranges


def average_true_range(ranges: Floats, period: int) -> Floats:
    """Wilder's average true range, as TA-Lib's `ATR` defines it.

    The plain loop is also the source that the compiled engine compiles: one rule, one order of
    operations, the same bits in both engines.

    Parameters
    ----------
    ranges : ndarray of float, shape (bars,)
        True ranges, the first one NaN.
    period : int
        Bars to average over, at least 1.

    Returns
    -------
    ndarray of float, shape (bars,)
        In price units; NaN before bar `period`.
    """
    bars = len(ranges)
    averages = np.full(bars, np.nan)
    if bars <= period:
        return averages
    total = 0.0
    for i in range(1, period + 1):
        total += ranges[i]
    average = total / period
    averages[period] = average
    for i in range(period + 1, bars):
        average = (average * (period - 1) + ranges[i]) / period
        averages[i] = average
    return averages


def momentum(open_: Floats, close: Floats) -> Floats:
    """How much the three bars before leaned one way, in bodies of the bar itself.

    Parameters
    ----------
    open_, close : ndarray of float, shape (bars,)
        Prices.

    Returns
    -------
    ndarray of float, shape (bars,)
        Positive where they rose; 0 where the bar has no body; NaN for the first three bars.
    """
    moves = close - open_
    leaning = np.full(len(close), np.nan)
    weighted = 1.0 * moves[:-3] + 2.0 * moves[1:-2] + 3.0 * moves[2:-1]
    bodies = np.abs(moves[MOMENTUM_BARS:])
    leaning[MOMENTUM_BARS:] = np.divide(
        weighted, bodies, out=np.zeros_like(weighted), where=bodies > 0
    )
    return leaning


def restricted_bars(index: pd.DatetimeIndex, edge: int) -> NDArray[np.bool_]:
    """Bars on which no position may be held: the first and last `edge` of each trading week.

    Parameters
    ----------
    index : DatetimeIndex, shape (bars,)
        Ascending times; without a zone they are read as UTC.
    edge : int
        Bars at each end of a week.

    Returns
    -------
    ndarray of bool, shape (bars,)
    """
    weeks = trading_weeks(index)
    starts = np.flatnonzero(np.diff(weeks, prepend=weeks[0] - 1))
    lengths = np.diff(starts, append=len(weeks))
    place = np.arange(len(weeks)) - np.repeat(starts, lengths)
    return (place < edge) | (place >= np.repeat(lengths, lengths) - edge)


def first_trading_bar(max_atr_period: int) -> int:
    """Number of the first bar that takes part: the largest ATR and the momentum are defined."""
    return max(max_atr_period, MOMENTUM_BARS)


def with_indicators(bars: pd.DataFrame, week_edge_bars: int) -> pd.DataFrame:
    """The bars with the indicator columns that no parameter changes.

    Parameters
    ----------
    bars : DataFrame, shape (bars, 5)
        Open, High, Low, Close, Volume of the whole file.
    week_edge_bars : int
        See `restricted_bars`.

    Returns
    -------
    DataFrame
        With `TrueRange`, `Momentum` (float) and `Restricted` (bool) added.
    """
    index: Any = bars.index
    high, low, close = (bars[name].to_numpy(np.float64) for name in ("High", "Low", "Close"))
    return bars.assign(
        TrueRange=true_range(high, low, close),
        Momentum=momentum(bars["Open"].to_numpy(np.float64), close),
        Restricted=restricted_bars(index, week_edge_bars),
    )
