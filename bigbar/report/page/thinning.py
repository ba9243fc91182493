"""Fewer points for long files, so that a page stays small and quick, and still shows extremes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: A chart is a thousand pixels wide, and can be zoomed in: more bars than this would not show.
MOST_BARS = 6_000

#: The same for the points of a line.
MOST_POINTS = 6_000


def join_bars(bars: pd.DataFrame, most: int = MOST_BARS) -> tuple[pd.DataFrame, int]:
    """Join neighbouring bars into longer ones where there are more than `most`.

    Parameters
    ----------
    bars : DataFrame
        Open, High, Low, Close by time.
    most : int, optional

    Returns
    -------
    bars : DataFrame
        At most so many; each has the time of the first bar in it.
    size : int
        Bars in each of them, the last one aside; 1 where nothing was joined.
    """
    size = -(-len(bars) // most)
    if size == 1:
        return bars[["Open", "High", "Low", "Close"]], 1
    starts = np.arange(0, len(bars), size)
    ends = np.minimum(starts + size, len(bars)) - 1
    joined = {
        "Open": bars["Open"].to_numpy()[starts],
        "High": np.maximum.reduceat(bars["High"].to_numpy(), starts),
        "Low": np.minimum.reduceat(bars["Low"].to_numpy(), starts),
        "Close": bars["Close"].to_numpy()[ends],
    }
    return pd.DataFrame(joined, index=bars.index[starts]), size


def telling_points(values: NDArray[np.float64], most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Which points of a line to draw so that it looks the same: extremes are never lost.

    Parameters
    ----------
    values : ndarray of float, shape (points,)
    most : int, optional

    Returns
    -------
    ndarray of int64
        Ascending: of each stretch the first, the lowest, the highest and the last; all points
        where there are no more than `most`.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    starts = np.linspace(0, count, most // 4, endpoint=False).astype(np.int64)
    ends = np.append(starts[1:], count) - 1
    stretch = np.repeat(np.arange(len(starts)), np.diff(starts, append=count))
    by_value = np.lexsort((values, stretch))  # By stretch, and within each by value.
    return np.unique(np.concatenate([starts, by_value[starts], by_value[ends], ends]))
