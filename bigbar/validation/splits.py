"""Where the bars are cut: what is put away before anything is optimized, and walk-forward windows.

Every cut is at the edge of a trading week, where the strategy is flat (as long as
`week_edge_bars` is above 0), so nothing overlaps and no trade is cut in two.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.errors import DataError, SettingsError
from bigbar.strategies.big_bar.indicators import LEAST_TRADING_BARS, trading_weeks
from bigbar.units import counted

#: Bars of the file: the first, and the one after the last.
Span = tuple[int, int]

#: A week at either end of the bars with less than this share of the longest week's bars is no week
#: to speak of (the warm-up ended inside it, or the file does): it goes with its neighbour.
_WHOLE_WEEK = 0.5

#: Weeks are fractions of fractions here: what is a whole number but for rounding is one.
_FUZZ = 1e-9


def length(span: Span) -> int:
    """How many bars a span holds."""
    return span[1] - span[0]


@dataclass(frozen=True)
class WindowSpans:
    """The bars of one step of a walk-forward analysis.

    Attributes
    ----------
    train, test : tuple of (int, int)
        What is optimized, and what the winner is run on; the second begins where the first ends.
    """

    train: Span
    test: Span


def week_edges(index: pd.DatetimeIndex, span: Span) -> NDArray[np.int64]:
    """Where the trading weeks of a stretch of bars begin and end.

    Parameters
    ----------
    index : DatetimeIndex
        Times of the whole file.
    span : tuple of (int, int)

    Returns
    -------
    ndarray of int64, shape (weeks + 1,)
        The first bar of each week, the first of the span among them, and the span's end. A week
        at either end with less than half of the longest one's bars goes with its neighbour.
    """
    first, stop = span
    weeks = trading_weeks(index[first:stop])
    edges = np.append(first + np.flatnonzero(np.diff(weeks, prepend=weeks[0] - 1)), stop)
    lengths = np.diff(edges)
    least = _WHOLE_WEEK * lengths.max()
    if len(lengths) > 1 and lengths[-1] < least:
        edges = np.delete(edges, -2)
    if len(lengths) > 1 and lengths[0] < least:
        edges = np.delete(edges, 1)
    return edges


def holdout_split(index: pd.DatetimeIndex, span: Span, share: float) -> int:
    """The first bar to put away before anything is optimized.

    Parameters
    ----------
    index : DatetimeIndex
        Times of the whole file.
    span : tuple of (int, int)
        The bars that take part.
    share : float
        Of these bars, from the end, above 0 and below 1.

    Returns
    -------
    int
        The first bar of the trading week whose beginning is nearest to that share.

    Raises
    ------
    SettingsError
        If the share is none.
    DataError
        If there are no two trading weeks to cut between.
    """
    _check_share("the share to hold back", share)
    first, stop = span
    edges = week_edges(index, span)
    inner = edges[(edges - first >= LEAST_TRADING_BARS) & (stop - edges >= LEAST_TRADING_BARS)]
    if not len(inner):
        raise DataError(
            f"to hold back unseen days the bars must be in at least 2 trading weeks (Sunday 00:00 "
            f"UTC to the next); the {stop - first:,} bars that take part are in "
            f"{len(edges) - 1}: use a longer file, or leave out --holdout"
        )
    return int(inner[np.argmin(np.abs(inner - (stop - share * (stop - first))))])


def walk_forward_spans(
    index: pd.DatetimeIndex, span: Span, *, windows: int, share: float, anchored: bool
) -> tuple[WindowSpans, ...]:
    """The training and test windows of a walk-forward analysis.

    The test windows follow each other without a gap, and cover all that comes after the first
    training window. With a share s and N windows, a test window is one part in (1 - s) / s + N
    of all weeks, a training window (1 - s) / s such parts, both rounded to whole weeks. Where a
    part is less than a week, test windows are of a week, and training windows shorter for it, down
    to half of what the share asks for.

    Parameters
    ----------
    index : DatetimeIndex
        Times of the whole file.
    span : tuple of (int, int)
        The bars that take part.
    windows : int
        Number of steps, at least 1.
    share : float
        What the test window is of a training window and its test window together.
    anchored : bool
        Whether every training window begins with the span. Otherwise it moves with the test
        window, and keeps its length in weeks.

    Returns
    -------
    tuple of WindowSpans

    Raises
    ------
    SettingsError
        If the number or the share makes no sense.
    DataError
        If there are too few trading weeks, saying how many there are and how many are needed.
    """
    if windows < 1:
        raise SettingsError(f"walk-forward needs at least 1 window, not {windows}")
    _check_share("the share out of sample", share)
    edges = week_edges(index, span)
    weeks = len(edges) - 1
    ratio = (1 - share) / share
    needed = windows + max(1, math.ceil(ratio / 2 - _FUZZ))
    if weeks < needed:
        raise DataError(
            f"{counted(windows, 'walk-forward window')} with {share:.0%} out of sample "
            f"{'needs' if windows == 1 else 'need'} {needed:,} trading weeks, and the "
            f"{span[1] - span[0]:,} bars that take part are in {weeks}"
        )
    part = weeks / (windows + ratio)
    train = max(part * ratio, 1.0) if part >= 1.0 else float(weeks - windows)
    test = (weeks - train) / windows
    bounds = [math.floor(train + i * test + 0.5 + _FUZZ) for i in range(windows + 1)]
    found = tuple(
        WindowSpans(
            (int(edges[0 if anchored else begin - bounds[0]]), int(edges[begin])),
            (int(edges[begin]), int(edges[end])),
        )
        for begin, end in itertools.pairwise(bounds)
    )
    shortest = min(stop - first for one in found for first, stop in (one.train, one.test))
    if shortest < LEAST_TRADING_BARS:
        raise DataError(
            f"a window of {counted(windows, 'walk-forward window')} would have {shortest} bar, and "
            f"nothing can be traded in fewer than {LEAST_TRADING_BARS}"
        )
    return found


def _check_share(what: str, share: float) -> None:
    if not 0 < share < 1:
        raise SettingsError(f"{what} is {share!r}, but must be above 0 and below 1, such as 0.2")
