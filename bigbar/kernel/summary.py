"""From trades and day ends to statistics: the formulas of backtesting.py's `compute_stats`.

They are evaluated in its order and with its numerics: sums are added pairwise as NumPy adds
them, logarithms and exponentials are NumPy's own (between these functions, see `sweep`), powers
are the C library's. So the annual volatility, which subtracts two almost equal powers, cancels
here exactly as it does there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bigbar.kernel.jit import compiled

#: NumPy adds blocks up to this long with eight running sums, and halves longer ones.
_BLOCK = 128

#: Halvings of the longest array there can be.
_DEEPEST = 64


class MarketConstants(NamedTuple):
    """What the statistics need to know of the bars, besides the trades.

    Attributes
    ----------
    bars : int
        Bars that take part.
    first_close, last_close : float
        Ends of buy and hold.
    duration_ns, years : float
        From the first bar to the last.
    annual_days : float
        Trading days (or weeks, months, years) in a year.
    market_square : float
        Sum over bars of `MarketArrays.market` squared; NaN where there are too few bars.
    unit_ns, round_to : int
        Nanoseconds in a unit of `MarketArrays.times`; durations are rounded up to this many
        units.
    """

    bars: int
    first_close: float
    last_close: float
    duration_ns: float
    years: float
    annual_days: float
    market_square: float
    unit_ns: int
    round_to: int


@compiled
def block_sum(values, start, count):  # type: ignore[no-untyped-def]
    """Sum of a block of at most `_BLOCK` values, in NumPy's order."""
    if count < 8:
        total = 0.0
        for i in range(start, start + count):
            total += values[i]
        return total
    r0, r1, r2, r3 = values[start], values[start + 1], values[start + 2], values[start + 3]
    r4, r5, r6, r7 = values[start + 4], values[start + 5], values[start + 6], values[start + 7]
    whole = count - count % 8
    for i in range(start + 8, start + whole, 8):
        r0 += values[i]
        r1 += values[i + 1]
        r2 += values[i + 2]
        r3 += values[i + 3]
        r4 += values[i + 4]
        r5 += values[i + 5]
        r6 += values[i + 6]
        r7 += values[i + 7]
    total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
    for i in range(start + whole, start + count):
        total += values[i]
    return total


@compiled
def pairwise_sum(values, start, count):  # type: ignore[no-untyped-def]
    """Sum of `values[start:start + count]`, added in NumPy's order.

    NumPy halves longer arrays recursively; here the halves still to come stand on a stack,
    because numba cannot keep recursive functions between runs.
    """
    if count <= _BLOCK:
        return block_sum(values, start, count)
    waiting = np.empty((_DEEPEST, 2), np.int64)
    left = np.empty(_DEEPEST, np.float64)
    left_done = np.empty(_DEEPEST, np.bool_)
    depth = 0
    while True:
        while count > _BLOCK:
            half = count // 2
            half -= half % 8
            waiting[depth, 0], waiting[depth, 1] = start + half, count - half
            left_done[depth] = False
            depth += 1
            count = half
        total = block_sum(values, start, count)
        while depth > 0 and left_done[depth - 1]:
            depth -= 1
            total = left[depth] + total
        if depth == 0:
            return total
        left[depth - 1], left_done[depth - 1] = total, True
        start, count = waiting[depth - 1]


@compiled
def variance(values, start, count, scratch):  # type: ignore[no-untyped-def]
    """Sample variance by pandas' two passes; NaN for fewer than two values."""
    if count < 2:
        return np.nan
    mean = pairwise_sum(values, start, count) / count
    for i in range(count):
        scratch[i] = (mean - values[start + i]) ** 2
    return pairwise_sum(scratch, 0, count) / (count - 1)


@compiled
def day_growth(day_equity, rows, returns, growth, days):  # type: ignore[no-untyped-def]
    """Returns from day end to day end, and one plus them, for a block of walks.

    Parameters
    ----------
    day_equity : ndarray of float, shape (room, day ends)
        Equity at each day's end.
    rows : int
        Walks in the block.
    returns, growth : ndarray of float, shape (room, day ends)
        Written.
    days : ndarray of int, shape (room,)
        Written: how many returns there are; after ruin there are none (0 / 0).
    """
    for row in range(rows):
        count = 0
        for d in range(1, day_equity.shape[1]):
            if day_equity[row, d - 1] == 0.0:
                break
            change = day_equity[row, d] / day_equity[row, d - 1] - 1.0
            returns[row, count] = change
            growth[row, count] = 1.0 + change
            count += 1
        days[row] = count
        growth[row, count:] = 1.0


@compiled
def mean_log(logs, growth_is_zero, start, count):  # type: ignore[no-untyped-def]
    """Mean logarithm; minus infinity stands for a loss of everything, NaN for no values."""
    if growth_is_zero:
        return 0.0
    if count == 0:
        return np.nan
    return pairwise_sum(logs, start, count) / count


@compiled
def mean_logs(day_logs, days, trade_logs, offsets, rows, means):  # type: ignore[no-untyped-def]
    """Mean logarithm of daily and of trade growth, where NumPy's exponential takes over.

    Where any growth is zero or less backtesting.py calls the mean return 0, whose logarithm
    is 0 as well.
    """
    for row in range(rows):
        lost = False
        for d in range(days[row]):
            lost |= not day_logs[row, d] > -np.inf
        means[0, row] = mean_log(day_logs[row], lost, 0, days[row])
        lost = False
        start, stop = offsets[row], offsets[row + 1]
        for i in range(start, stop):
            lost |= not trade_logs[i] > -np.inf
        means[1, row] = mean_log(trade_logs, lost, start, stop - start)


@compiled
def or_nan(value):  # type: ignore[no-untyped-def]
    """The value, or NaN where it is zero: Python's `value or nan`."""
    return value if value != 0.0 else np.nan


@compiled
def annual_statistics(out, mean_return, returns, days, max_drawdown, constants, scratch):  # type: ignore[no-untyped-def]
    """Columns 7, 8 and 10 to 12: annual return and volatility, Sharpe, Sortino, Calmar."""
    n = constants.annual_days
    growth = 1.0 + mean_return
    annual = math.pow(growth, n) - 1.0
    spread = variance(returns, 0, days, scratch)
    inner = math.pow(spread + math.pow(growth, 2.0 * (n / n)), n) - math.pow(growth, 2.0 * n)
    volatility = math.sqrt(inner) * 100.0 if inner >= 0.0 else np.nan
    out[7] = annual * 100.0
    out[8] = volatility
    out[10] = annual * 100.0 / or_nan(volatility)
    for d in range(days):
        scratch[d] = min(returns[d], 0.0) ** 2
    downside = pairwise_sum(scratch, 0, days) / days if days else np.nan
    out[11] = annual / (math.sqrt(downside) * math.sqrt(n))
    out[12] = annual / or_nan(max_drawdown)


@compiled
def trade_statistics(out, trades, start, stop, mean_return, scratch):  # type: ignore[no-untyped-def]
    """Columns 19 to 23 and 26 to 29: what the closed trades add up to."""
    returns, profits = trades
    count = stop - start
    out[19] = count
    if count == 0:
        out[20:24] = np.nan
        out[26:30] = np.nan
        return
    best, worst = returns[start], returns[start]
    wins, losses = 0, 0
    for i in range(start, stop):
        best, worst = max(best, returns[i]), min(worst, returns[i])
        wins += profits[i] > 0.0
        losses += profits[i] < 0.0
    win_rate = wins / count
    out[20] = win_rate * 100.0
    out[21] = best * 100.0
    out[22] = worst * 100.0
    out[23] = mean_return * 100.0
    gained = pairwise_sum(scratch, 0, positive_part(returns, start, stop, 1.0, scratch))
    lost = pairwise_sum(scratch, 0, positive_part(returns, start, stop, -1.0, scratch))
    out[26] = gained / or_nan(lost)
    out[27] = pairwise_sum(returns, start, count) / count * 100.0
    mean_profit = pairwise_sum(profits, start, count) / count
    deviation = math.sqrt(variance(profits, start, count, scratch))
    out[28] = math.sqrt(count) * mean_profit / or_nan(deviation)
    won = pairwise_sum(scratch, 0, positive_part(profits, start, stop, 1.0, scratch)) / wins
    paid = pairwise_sum(scratch, 0, positive_part(profits, start, stop, -1.0, scratch)) / losses
    out[29] = win_rate - (1.0 - win_rate) / (won / paid)


@compiled
def positive_part(values, start, stop, sign, scratch):  # type: ignore[no-untyped-def]
    """Collect `sign * value` of the values of that sign; returns how many."""
    count = 0
    for i in range(start, stop):
        scratch[count] = sign * values[i]
        count += scratch[count] > 0.0
    return count


@compiled
def rounded_up(units, constants):  # type: ignore[no-untyped-def]
    """A duration as nanoseconds, rounded up to the resolution of the bars."""
    return float(-(-units // constants.round_to) * constants.round_to * constants.unit_ns)


@compiled
def fill_row(out, tally, constants, cash):  # type: ignore[no-untyped-def]
    """The columns that follow from the tally alone."""
    out[0] = constants.duration_ns
    out[1] = tally.exposed / constants.bars * 100.0
    out[2] = tally.equity
    out[3] = tally.peak
    out[4] = tally.commissions
    out[5] = (tally.equity - cash) / cash * 100.0
    held = (constants.last_close - constants.first_close) / constants.first_close * 100.0
    out[6] = held
    out[9] = np.nan
    if constants.years != 0.0:
        out[9] = (math.pow(tally.equity / cash, 1.0 / constants.years) - 1.0) * 100.0
    beta = tally.covariance / constants.market_square
    out[13] = out[5] - beta * held
    out[14] = beta
    out[15] = -tally.max_drawdown * 100.0
    out[16:19] = np.nan
    if tally.drawdowns:
        out[16] = -(tally.sum_drawdown / tally.drawdowns) * 100.0
        out[17] = rounded_up(tally.max_time, constants)
        mean_time = np.int64(np.float64(tally.sum_time) / tally.drawdowns)
        out[18] = rounded_up(mean_time, constants)
    elif tally.sum_drawdown:
        out[16] = -tally.sum_drawdown * 100.0
    out[24:26] = np.nan
    if tally.trades:
        out[24] = rounded_up(tally.max_held, constants)
        mean_held = np.int64(np.float64(tally.sum_held) / tally.trades)
        out[25] = rounded_up(mean_held, constants)


@compiled
def statistics_rows(  # type: ignore[no-untyped-def]
    out, tallies, rows, day_returns, days, trades, offsets, means, constants, cash, scratch
):
    """The statistics of a block of walks, a row each, columns as `bigbar.statistics` orders them.

    Parameters
    ----------
    out : ndarray of float, shape (room, statistics)
        Written.
    tallies : list of Tally
        What each walk added up to.
    rows : int
        Walks in the block.
    day_returns, days
        From `day_growth`.
    trades, offsets
        Trades of all walks one after the other, and where each walk's begin.
    means : ndarray of float, shape (2, room)
        Mean daily and mean trade return.
    constants : MarketConstants
    cash : float
        Starting cash.
    scratch : ndarray of float
        Room for the days or the trades of any walk.
    """
    for row in range(rows):
        tally = tallies[row]
        fill_row(out[row], tally, constants, cash)
        annual_statistics(
            out[row], means[0, row], day_returns[row], days[row], tally.max_drawdown, constants,
            scratch,
        )  # fmt: skip
        trade_statistics(
            out[row], trades, offsets[row], offsets[row + 1], means[1, row], scratch
        )
