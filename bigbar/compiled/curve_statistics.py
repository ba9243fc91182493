"""From segments of equity and closed trades to a row of statistics, for any strategy.

The formulas are those of `bigbar.engines.any_strategy.statistics`, and what is added up in its
order has its bits: all that is made of trades, and of equity at single bars. Averages over
drawdowns and days, and Beta, are added in another order. What cannot be told to the last digit is
left to it: see `curve_row`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.blocks import CloseBlocks
from bigbar.compiled.broker.state import (
    NCL,
    NSEG,
    TCLOSED,
    TCOMM,
    TEBAR,
    TENTRY,
    TEPY,
    TEXIT,
    TSIZE,
    TXBAR,
    TXPY,
)
from bigbar.compiled.broker.trades import COMPENSATED, add
from bigbar.compiled.equity_sums import curve_sums, day_ends, duration, is_exact
from bigbar.compiled.jit import compiled_apart, compiled_inner, compiled_within
from bigbar.compiled.statistics import (
    MarketConstants,
    Stack,
    annual_statistics,
    day_returns,
    fill_row,
    new_stack,
    pairwise_sum,
    rounded_up,
    squares,
    trade_statistics,
)
from bigbar.compiled.tally import Tally, TradeSums


class CurveMarket(NamedTuple):
    """What the statistics need to know of the bars; all arrays contiguous and read-only.

    Attributes
    ----------
    close : ndarray of float, shape (bars,)
    times : ndarray of int64, shape (bars,)
        In the index's own unit; anything where bars are not by time.
    market : ndarray of float, shape (bars,)
        Log return of the close into each bar, less the mean of all of them; 0 for the first.
    ends : ndarray of int64, shape (days,)
        The last bar of each day, or of each longer period, see `bigbar.calendar`.
    blocks : CloseBlocks
    """

    close: NDArray[np.float64]
    times: NDArray[np.int64]
    market: NDArray[np.float64]
    ends: NDArray[np.int64]
    blocks: CloseBlocks


class CurveBuffers(NamedTuple):
    """Room for `curve_row`, used again from row to row.

    Attributes
    ----------
    equity : ndarray of float, shape (days,)
    profits, made : ndarray of float, shape (trades,)
    scratch : ndarray of float, shape (days or trades,)
    held : ndarray of bool, shape (bars,)
    terms : ndarray of float, shape (bars,)
    stack : Stack
    """

    equity: NDArray[np.float64]
    profits: NDArray[np.float64]
    made: NDArray[np.float64]
    scratch: NDArray[np.float64]
    held: NDArray[np.bool_]
    terms: NDArray[np.float64]
    stack: Stack


def new_buffers(bars: int, days: int, room: int) -> CurveBuffers:
    """Buffers for bars of so many days, and for up to `room` trades."""
    return CurveBuffers(
        equity=np.empty(days),
        profits=np.empty(room),
        made=np.empty(room),
        scratch=np.empty(max(days, room)),
        held=np.zeros(bars, np.bool_),
        terms=np.empty(bars),
        stack=new_stack(),
    )


@compiled_inner
def exposed_bars(Ti, count, held):  # type: ignore[no-untyped-def]
    """Bars with a position that was closed later.

    From the last trade to the first their exits mostly go back in time. Then all bars from the
    earliest entry so far to the trade's exit are counted already.
    """
    exposed, earliest = 0, np.int64(len(held))
    later = earliest
    for k in range(count - 1, -1, -1):
        t = Ti[k, TCLOSED]
        entry, last = Ti[t, TEBAR], Ti[t, TXBAR]
        if last < entry:
            continue
        if last > later:
            break
        later = last
        exposed += max(min(last, earliest - 1) - entry + 1, 0)
        earliest = min(earliest, entry)
    else:
        return exposed
    held[:] = False
    for t in range(count):
        trade = Ti[t, TCLOSED]
        for i in range(Ti[trade, TEBAR], Ti[trade, TXBAR] + 1):
            held[i] = True
    exposed = 0
    for i in range(len(held)):
        exposed += held[i]
    return exposed


@compiled_apart
def side_sum(values, count, side, scratch, stack):  # type: ignore[no-untyped-def]
    """Sum of the positive values (side 1.0), or of the amounts of the negative ones (-1.0)."""
    found = 0
    for k in range(count):
        value = side * values[k]
        if value > 0.0:
            scratch[found] = value
            found += 1
    return pairwise_sum(scratch, found, stack)


@compiled_inner
def trade_sums(T, Ti, count, buffers):  # type: ignore[no-untyped-def]
    """What closed trades add up to, in the order in which they were closed.

    Returns
    -------
    sums : TradeSums
    commissions : float
    mean : float
        Of the trades' returns.
    """
    profits, made, scratch, stack = buffers.profits, buffers.made, buffers.scratch, buffers.stack
    best, worst, log_growth = -np.inf, np.inf, 0.0
    commissions, lost_bits, pythonic = 0.0, 0.0, 1
    wins = losses = 0
    for k in range(count):
        t = Ti[k, TCLOSED]
        size, entry, paid = T[t, TSIZE], T[t, TENTRY], T[t, TCOMM]
        profit = size * (T[t, TEXIT] - entry) - paid
        share = math.copysign(1.0, size) * (T[t, TEXIT] / entry - 1.0) - paid / (abs(size) * entry)
        profits[k], made[k] = profit, share
        best, worst = max(best, share), min(worst, share)
        log_growth += math.log(1.0 + share) if 1.0 + share > 0.0 else np.nan
        wins, losses = wins + (profit > 0.0), losses + (profit < 0.0)
        if COMPENSATED:
            is_python = T[t, TEPY] * T[t, TXPY]
            commissions, lost_bits, pythonic = add(
                commissions, lost_bits, pythonic, paid, is_python
            )
        else:
            commissions += paid
    sums = TradeSums(
        best=best,
        worst=worst,
        gained=side_sum(made, count, 1.0, scratch, stack),
        lost=side_sum(made, count, -1.0, scratch, stack),
        log_growth=log_growth,
        won=side_sum(profits, count, 1.0, scratch, stack),
        paid=side_sum(profits, count, -1.0, scratch, stack),
        wins=np.int64(wins),
        losses=np.int64(losses),
        mean_profit=pairwise_sum(profits, count, stack) / count,
        scatter=squares(profits, count, scratch, stack),
    )
    return sums, commissions + lost_bits, pairwise_sum(made, count, stack) / count


@compiled_inner
def times_held(Ti, count, times, clock):  # type: ignore[no-untyped-def]
    """Time in the closed trades.

    Returns
    -------
    longest, total
        In the unit of the clock.
    exact : bool
        Whether the total is, in any order of adding.
    """
    longest, bits = np.int64(0), np.int64(0)
    total = amount = 0.0
    for k in range(count):
        t = Ti[k, TCLOSED]
        time = duration(times, Ti[t, TEBAR], Ti[t, TXBAR], clock)
        longest = time if k == 0 else max(longest, time)
        bits |= time
        total += time
        amount += abs(time)
    return longest, total, is_exact(amount, bits)


@compiled_within
def curve_row(  # type: ignore[no-untyped-def]
    out, returns, n, T, Ti, segments, market, constants, clocks, first_bar, buffers
):  # fmt: skip
    """The row of statistics of a backtest, and its returns from day end to day end.

    Parameters
    ----------
    out : ndarray of float, shape (statistics,)
        Written: columns as in `bigbar.statistics.STATISTICS`, durations in nanoseconds.
    returns : ndarray of float32, shape (days - 1,)
        Written: as an `Engine` has them; 0 after ruin.
    n, T, Ti, segments : ndarray
        After `bigbar.compiled.loop.run`, without an error.
    market : CurveMarket
    constants : MarketConstants
        `first_close` does not matter here. Duration, years and days of the year are NaN, 0 and NaN
        where bars are not by time; then each bar counts as a day.
    clocks : tuple of (bigbar.compiled.clock.Clock, Clock)
        Of drawdowns, and of trades.
    first_bar : int
        Where buy and hold begins: the bars that the strategy's indicators warm up.
    buffers : CurveBuffers

    Returns
    -------
    bool
        False where something is out of the ordinary, and the row does not count: equity or a trade
        that is not finite, nothing to begin with, or durations whose sum depends on the order of
        adding.
    """
    segment_count, trades = n[NSEG], n[NCL]
    timed = constants.duration_ns == constants.duration_ns
    (
        first_equity, equity, peak, covariance, max_drawdown, sum_drawdown, drawdowns, max_time,
        sum_time, exact,
    ) = curve_sums(
        segments, segment_count, market, clocks[0], buffers.terms, buffers.stack
    )  # fmt: skip
    sums, commissions, mean_made = trade_sums(T, Ti, trades, buffers)
    longest, held, held_exactly = times_held(Ti, trades, market.times, clocks[1])
    if not (first_equity > 0.0 and math.isfinite(peak)) or (timed and not (exact and held_exactly)):
        return False
    if trades and not math.isfinite(commissions + sums.mean_profit + mean_made):
        return False
    exposed = exposed_bars(Ti, trades, buffers.held)
    tally = Tally(
        equity, peak, commissions, covariance, max_drawdown, sum_drawdown, drawdowns, max_time,
        sum_time, exposed, longest, held, trades, sums,
    )  # fmt: skip
    known = MarketConstants(
        constants.bars, market.close[first_bar], constants.last_close, constants.duration_ns,
        constants.years, constants.annual_days, constants.market_square, clocks[0].unit_ns,
        clocks[0].round_to,
    )  # fmt: skip
    fill_row(out, tally, known, first_equity)
    trade_statistics(out, sums, trades)
    if trades:
        out[24] = rounded_up(longest, clocks[1])
        out[25] = rounded_up(np.int64(held / trades), clocks[1])
        out[27] = mean_made * 100.0
    day_equity, days = buffers.equity, len(market.ends)
    day_ends(day_equity, segments, segment_count, market)
    count, mean_return = day_returns(day_equity, days, first_equity)
    for d in range(days - 1):
        returns[d] = day_equity[d] if d < count else 0.0
    if not timed:
        count, mean_return = 0, 0.0
        out[17:19] = np.nan
        out[24:26] = np.nan
    annual_statistics(
        out, day_equity, count, mean_return, max_drawdown, known, buffers.scratch, buffers.stack
    )
    return True
