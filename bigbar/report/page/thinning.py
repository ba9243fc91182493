"""What is drawn of long files, small and quick and with every extreme; and on which scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Bars on a page. The browser joins what is in sight to as many as can be told apart, so that a
#: single bar of a file that has no more than these can be looked at.
MOST_BARS = 20_000

#: Points of a line: a chart is a thousand pixels wide.
MOST_POINTS = 6_000


def join_bars(
    bars: pd.DataFrame, most: int = MOST_BARS, *, keep: NDArray[np.bool_] | None = None
) -> pd.DataFrame:
    """Join neighbouring bars into longer ones where there are more than `most`.

    Parameters
    ----------
    bars : DataFrame
        Open, High, Low, Close by time.
    most : int, optional
    keep : ndarray of bool, shape (bars,), optional
        Bars that stay single; they count, so they should be fewer than `most`.

    Returns
    -------
    DataFrame
        At most about so many, each at the time of the first bar in it, with a column `Bars`: how
        many of them it is.
    """
    count = len(bars)
    keep = np.zeros(count, np.bool_) if keep is None or count <= most else keep
    others = int(np.count_nonzero(~keep))
    size = max(1, -(-others // max(most - (count - others), 1)))
    # A bar begins after every one that stays single, at each of those, and at every size-th.
    edges = keep | np.roll(keep, 1)
    edges[0] = True
    since = np.arange(count) - np.maximum.accumulate(np.where(edges, np.arange(count), 0))
    starts = np.flatnonzero(since % size == 0)
    ends = np.append(starts[1:], count) - 1
    joined = {
        "Open": bars["Open"].to_numpy()[starts],
        "High": np.maximum.reduceat(bars["High"].to_numpy(), starts),
        "Low": np.minimum.reduceat(bars["Low"].to_numpy(), starts),
        "Close": bars["Close"].to_numpy()[ends],
        "Bars": ends - starts + 1,
    }
    return pd.DataFrame(joined, index=bars.index[starts])


def around(
    first: NDArray[np.int64], last: NDArray[np.int64], *, count: int, room: int, most: int
) -> NDArray[np.bool_]:
    """Which bars lie around trades, the latest trades first as far as they go.

    Parameters
    ----------
    first, last : ndarray of int, shape (trades,)
        Bars of entry and exit.
    count : int
        Bars there are.
    room : int
        Bars before the entry and after the exit.
    most : int
        Bars at most.
    """
    near = np.zeros(count, np.bool_)
    taken = 0
    for entry, exit_ in zip(first[::-1].tolist(), last[::-1].tolist(), strict=True):
        span = slice(max(entry - room, 0), exit_ + room + 1)
        taken += int(np.count_nonzero(~near[span]))
        if taken > most:
            break
        near[span] = True
    return near


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


def spans_tenfold(lines: Sequence[NDArray[np.float64]]) -> bool:
    """Whether lines span a factor of ten together, all of them above zero: then drawn on logs."""
    values = np.concatenate(lines)
    lowest, highest = np.nanmin(values), np.nanmax(values)
    return bool(lowest > 0 and highest >= 10 * lowest)
