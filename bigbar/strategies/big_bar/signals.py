"""Which bars could be entered on, when each such trade would end, and what thresholds it passes.

Where a trade ends does not depend on the parameters that decided whether to enter, only on
`buffer_ratio`. So the exit of every possible entry is computed once, and a combination goes from
entry to exit to next entry.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.jit import compiled
from bigbar.strategies.big_bar.indicators import average_true_range

compiled_average_true_range = compiled(average_true_range)


@compiled
def least_average_true_range(
    ranges: NDArray[np.float64], periods: NDArray[np.float64], first_bar: int
) -> NDArray[np.float64]:
    """The least of the average true ranges of some periods, at each bar from `first_bar` on.

    All periods go from bar to bar together: the steps of one wait for each other's divisions,
    those of many do not.

    Parameters
    ----------
    ranges : ndarray of float, shape (bars,)
        True ranges.
    periods : ndarray of float
        Whole numbers below `first_bar`.
    first_bar : int
    """
    averages = np.empty(len(periods))
    for k in range(len(periods)):
        averages[k] = compiled_average_true_range(ranges[: first_bar + 1], int(periods[k]))[-1]
    # Positive numbers are in the same order as their bits, and the least of whole numbers is
    # found several at a time.
    bits = averages.view(np.int64)
    least = np.empty(len(ranges) - first_bar, np.int64)
    for i in range(len(least)):
        if i > 0:
            for k in range(len(periods)):
                total = averages[k] * (periods[k] - 1.0) + ranges[first_bar + i]
                averages[k] = total / periods[k]
        lowest = bits[0]
        for k in range(1, len(periods)):
            lowest = min(lowest, bits[k])
        least[i] = lowest
    return least.view(np.float64)


@compiled
def next_lower_low(
    low: NDArray[np.float64], high: NDArray[np.float64], restricted: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """From each bar on, the next one that ends a trailing long, and a trailing short.

    Once a long has survived two bars, its stop is the low before the last and that last low is
    above it; so it ends on the next bar whose low is not above the low before, or on a
    restricted bar. Shorts mirror it. `bars` stands for never.
    """
    bars = len(low)
    long_end = np.full(bars + 2, bars, np.int32)
    short_end = np.full(bars + 2, bars, np.int32)
    for i in range(bars - 1, 0, -1):
        long_end[i] = i if restricted[i] or low[i] <= low[i - 1] else long_end[i + 1]
        short_end[i] = i if restricted[i] or high[i] >= high[i - 1] else short_end[i + 1]
    return long_end, short_end


@compiled
def exit_bars(
    candidates: NDArray[np.int32],
    direction: NDArray[np.int8],
    open_: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    close: NDArray[np.float64],
    restricted: NDArray[np.bool_],
    buffer_ratio: float,
    long_end: NDArray[np.int32],
    short_end: NDArray[np.int32],
) -> NDArray[np.int32]:
    """The bar at whose close each candidate's trade is left; the number of bars for never.

    Parameters
    ----------
    candidates : ndarray of int32, shape (candidates,)
        Entry bars.
    direction : ndarray of int8, shape (candidates,)
        1 for long, -1 for short.
    open_, high, low, close : ndarray of float, shape (bars,)
        Prices.
    restricted : ndarray of bool, shape (bars,)
        Bars on which no position may be held.
    buffer_ratio : float
        Room under the first stop, as a share of the entry bar's range.
    long_end, short_end : ndarray of int32
        From `next_lower_low`.
    """
    bars = len(close)
    exits = np.full(len(candidates), bars, np.int32)
    for c in range(len(candidates)):
        entry = candidates[c]
        room = buffer_ratio * (high[entry] - low[entry])
        first, second = entry + 1, entry + 2
        if first >= bars:
            continue
        if direction[c] > 0:
            if restricted[first] or close[first] <= open_[first] or high[first] <= high[entry]:
                exits[c] = first
            elif second < bars:
                stop = max(low[entry] - room, low[first] - room)
                stop = max(stop, min(low[second], low[first]))
                leave = restricted[second] or low[second] <= stop
                exits[c] = second if leave else long_end[entry + 3]
        elif restricted[first] or close[first] >= open_[first] or low[first] >= low[entry]:
            exits[c] = first
        elif second < bars:
            stop = min(high[entry] + room, high[first] + room)
            stop = min(stop, max(high[second], high[first]))
            leave = restricted[second] or high[second] >= stop
            exits[c] = second if leave else short_end[entry + 3]
    return exits


@compiled
def tail_levels(
    tail: NDArray[np.float64], height: NDArray[np.float64], ratios: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Number of the tightest `uptail_max_ratio` that each candidate still passes.

    The thresholds nest: what passes one passes every looser one. The number of ratios stands
    for passing none.
    """
    levels = np.empty(len(tail), np.int32)
    for c in range(len(tail)):
        level = len(ratios)
        while level > 0 and tail[c] < ratios[level - 1] * height[c]:
            level -= 1
        levels[c] = level
    return levels


@compiled
def big_bars(
    candidates: NDArray[np.int32],
    height: NDArray[np.float64],
    atr: NDArray[np.float64],
    factors: NDArray[np.float64],
    levels: NDArray[np.int32],
    chosen: NDArray[np.int32],
) -> int:
    """Candidates whose range is at least the lowest `k_atr` times the ATR of their bar.

    Writes to `chosen` which candidates, in time order, and to `levels` (by candidate) how many
    of the ascending factors each passes; returns how many were chosen.
    """
    count = 0
    for c in range(len(candidates)):
        average = atr[candidates[c]]
        level = 0
        while level < len(factors) and height[c] >= factors[level] * average:
            level += 1
        levels[c] = level
        chosen[count] = c
        count += level > 0
    return count
