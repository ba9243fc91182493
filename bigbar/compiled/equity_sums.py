"""What equity adds up to, by the segments that a backtest leaves: drawdowns, days, Beta."""

from __future__ import annotations

import numpy as np

from bigbar.compiled.blocks import block_term, outer_extremes
from bigbar.compiled.jit import compiled_apart, compiled_inner
from bigbar.compiled.logarithms import SERIES_LIMIT, log_ratio, log_series
from bigbar.compiled.loop import FROM
from bigbar.compiled.statistics import pairwise_sum
from bigbar.compiled.vectors import select, unsigned

#: Whole numbers up to this are all there in float64.
_WHOLE = 2.0**53


@compiled_inner
def duration(times, first, last, clock):  # type: ignore[no-untyped-def]
    """Time from bar to bar, in the unit of the clock."""
    return (times[last] - times[first]) * clock.factor // clock.divisor


@compiled_inner
def is_exact(total, bits):  # type: ignore[no-untyped-def]
    """Whether whole numbers of which these are all bits add up to `total` in any order.

    Their common power of two left out, every partial sum is a whole number that float64 has.
    """
    return total <= _WHOLE * (bits & -bits) if bits else True


@compiled_inner
def extremes_of(values, first, end):  # type: ignore[no-untyped-def]
    """The lowest and the highest of some values, by four at a time: none waits for the others."""
    low0 = low1 = low2 = low3 = values[first]
    high0 = high1 = high2 = high3 = values[first]
    i = first
    while i + 4 <= end:
        a, b, c, d = values[i], values[i + 1], values[i + 2], values[i + 3]
        low0, high0 = min(low0, a), max(high0, a)
        low1, high1 = min(low1, b), max(high1, b)
        low2, high2 = min(low2, c), max(high2, c)
        low3, high3 = min(low3, d), max(high3, d)
        i += 4
    while i < end:
        low0, high0 = min(low0, values[i]), max(high0, values[i])
        i += 1
    return min(min(low0, low1), min(low2, low3)), max(max(high0, high1), max(high2, high3))


@compiled_inner
def terms_with_market(terms, count, segment, first, end, before, market):  # type: ignore[no-untyped-def]
    """The equity's log returns times the market's, of the bars of a segment with a position.

    Parameters
    ----------
    terms : ndarray of float
        Written from `count` on: of each bar, or of several at once.
    count : int
    segment : ndarray of float
        See `bigbar.compiled.loop`.
    first, end : int
        Its first bar, and the one after its last.
    before : float
        Equity before it.
    market : CurveMarket

    Returns
    -------
    int
        How many there are now.
    """
    close, move, blocks = market.close, market.market, market.blocks
    cash, size, put_in = segment[1], segment[2], segment[3]
    terms[count] = log_ratio(cash + (close[first] * size - put_in), before) * move[first]
    count += 1
    a, i = (cash - put_in) / size, first + 1
    while i < end:
        b = i >> blocks.shift
        stop = min((b + 1) << blocks.shift, end)
        known, term = block_term(blocks, b, i, stop, a)
        if not known:
            bar_terms(terms, count, segment, i, end, market)
            return count + (end - i)
        terms[count] = term
        count += 1
        i = stop
    return count


@compiled_inner
def bar_terms(terms, count, segment, first, end, market):  # type: ignore[no-untyped-def]
    """As `terms_with_market`, bar by bar, from any but the first of a segment."""
    close, move = market.close, market.market
    cash, size, put_in = segment[1], segment[2], segment[3]
    far, none, some = np.int64(0), np.int64(0), np.int64(1)
    for k in range(end - first):
        # Each from the closes alone, so that several are worked on at once.
        i = unsigned(first + k)
        old = cash + (close[i - unsigned(1)] * size - put_in)
        new = cash + (close[i] * size - put_in)
        z = (new - old) / (new + old)
        far |= select(abs(z) <= SERIES_LIMIT, none, some)
        terms[unsigned(count + k)] = log_series(z) * move[i]
    if far:
        for i in range(first, end):
            old = cash + (close[i - 1] * size - put_in)
            new = cash + (close[i] * size - put_in)
            terms[count + i - first] = log_ratio(new, old) * move[i]


@compiled_apart
def curve_sums(segments, count, market, clock, terms, stack):  # type: ignore[no-untyped-def]
    """What equity adds up to.

    The broker's operations round monotonically, so equity at the best close of a segment is its
    best equity, bit for bit. Only where that reaches the peak are its bars gone through, and its
    best and worst close are looked for only where those of whole blocks would matter.

    Parameters
    ----------
    segments : ndarray of float
        See `bigbar.compiled.loop`.
    count : int
        How many of them.
    market : CurveMarket
    clock : bigbar.compiled.clock.Clock
        Of drawdowns.
    terms : ndarray of float, shape (bars,)
        Room.
    stack : Stack

    Returns
    -------
    first_equity : float
    equity, peak, covariance, max_drawdown, sum_drawdown, drawdowns, max_time, sum_time
        See `Tally`.
    exact : bool
        Whether `sum_time` is, in any order of adding.
    """
    close, times = market.close, market.times
    bars = len(close)
    # Up to the first segment's first bar equity is what it is there.
    first = int(segments[0, FROM])
    first_equity = segments[0, 1] + (close[first] * segments[0, 2] - segments[0, 3])
    peak, last_peak, lowest = first_equity, first, np.inf
    max_drawdown = sum_drawdown = sum_time = 0.0
    drawdowns = summed = 0
    max_time = bits = np.int64(0)
    equity = first_equity
    for k in range(count):
        cash, size, put_in = segments[k, 1], segments[k, 2], segments[k, 3]
        i = int(segments[k, FROM])
        end = int(segments[k + 1, FROM]) if k + 1 < count else bars
        if size != 0.0:
            summed = terms_with_market(terms, summed, segments[k], i, end, equity, market)
            low, high = outer_extremes(market.blocks, i, end)
            best, worst = (high, low) if size > 0.0 else (low, high)
            if cash + (best * size - put_in) >= peak or cash + (worst * size - put_in) < lowest:
                low, high = extremes_of(close, i, end)
                best, worst = (high, low) if size > 0.0 else (low, high)
            if cash + (best * size - put_in) < peak:
                lowest = min(lowest, cash + (worst * size - put_in))
                equity = cash + (close[end - 1] * size - put_in)
                continue
        else:
            flat = cash + (close[i] * size - put_in)
            if flat != equity:
                terms[summed] = log_ratio(flat, equity) * market.market[i]
                summed += 1
        while i < end:
            equity = cash + (close[i] * size - put_in)
            after = i + 1 if size != 0.0 else end  # Without a position it stays the same.
            if equity >= peak:
                if i > last_peak + 1:
                    time = duration(times, last_peak, i, clock)
                    depth = 1.0 - lowest / peak
                    max_time, bits = max(max_time, time), bits | time
                    sum_time += time
                    sum_drawdown += depth
                    max_drawdown = max(max_drawdown, depth)
                    drawdowns += 1
                peak, last_peak, lowest = equity, after - 1, np.inf
            else:
                lowest = min(lowest, equity)
            i = after
    if last_peak < bars - 1:  # The last drawdown lasts to the end.
        depth = 1.0 - lowest / peak
        max_drawdown = max(max_drawdown, depth)
        if bars - 1 > last_peak + 1:
            time = duration(times, last_peak, bars - 1, clock)
            max_time, bits = max(max_time, time), bits | time
            sum_time += time
            sum_drawdown += depth
            drawdowns += 1
        elif drawdowns == 0:
            # backtesting.py knows no period here, and averages the bars below the peak instead.
            sum_drawdown = depth
    # There is no logarithm of nothing.
    covariance = np.nan if equity == 0.0 else pairwise_sum(terms, summed, stack)
    return (
        first_equity, equity, peak, covariance, max_drawdown, sum_drawdown, drawdowns, max_time,
        sum_time,
        is_exact(sum_time, bits),
    )  # fmt: skip


@compiled_inner
def day_ends(out, segments, count, market):  # type: ignore[no-untyped-def]
    """Equity at the end of each day."""
    close, ends = market.close, market.ends
    d, first = 0, int(segments[0, FROM])
    for k in range(count):
        held, size, put_in = segments[k, 1], segments[k, 2], segments[k, 3]
        end = int(segments[k + 1, FROM]) if k + 1 < count else len(close)
        while d < len(ends) and ends[d] < end:
            out[d] = held + (close[max(ends[d], first)] * size - put_in)
            d += 1
