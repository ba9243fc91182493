"""From trades and day ends to statistics: the formulas of backtesting.py's `compute_stats`.

The daily returns are rounded as pandas rounds them, and their variance is added up pairwise as
NumPy adds: the annual volatility subtracts two almost equal powers, and what is left of it depends
on the last bits of both. What the trades add up to was summed up on the way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.eights import EIGHT, eights_sum
from bigbar.compiled.jit import compiled_inner

#: NumPy adds blocks up to this long with eight running sums, and halves longer ones.
_BLOCK = 128

#: Within these a product of growths has lost no digit, and its logarithm is the logarithms' sum.
LEAST_GROWTH, MOST_GROWTH = 1e-290, 1e290

#: Halvings of the longest array there can be.
_DEEPEST = 64


class Stack(NamedTuple):
    """Room for `pairwise_sum`.

    Attributes
    ----------
    waiting : ndarray of int64, shape (2 * depth,)
        Start and count of right halves still to be added.
    left : ndarray of float, shape (depth,)
        Sums of the left halves.
    left_done : ndarray of bool, shape (depth,)
    """

    waiting: NDArray[np.int64]
    left: NDArray[np.float64]
    left_done: NDArray[np.bool_]


def new_stack() -> Stack:
    """Room enough for any array."""
    return Stack(np.zeros(2 * _DEEPEST, np.int64), np.zeros(_DEEPEST), np.zeros(_DEEPEST, np.bool_))


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


@compiled_inner
def block_sum(values, start, count):  # type: ignore[no-untyped-def]
    """Sum of a block of at most `_BLOCK` values, in NumPy's order."""
    block = values[start : start + count]
    whole = count - count % EIGHT
    total = eights_sum(block, whole) if whole else 0.0
    for i in range(whole, count):
        total += block[i]
    return total


@compiled_inner
def pairwise_sum(values, count, stack):  # type: ignore[no-untyped-def]
    """Sum of `values[:count]`, added in NumPy's order.

    NumPy halves longer arrays recursively; here the halves still to come stand on a stack,
    because numba cannot keep recursive functions between runs.

    Parameters
    ----------
    values : ndarray of float
    count : int
    stack : Stack
        Reused from call to call: a sweep makes no array.
    """
    start = np.int64(0)  # Not the literal, which `block_sum` would be compiled for once more.
    if count <= _BLOCK:
        return block_sum(values, start, count)
    waiting, left, left_done = stack
    depth = 0
    while True:
        while count > _BLOCK:
            half = count // 2
            half -= half % 8
            waiting[2 * depth], waiting[2 * depth + 1] = start + half, count - half
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
        start, count = waiting[2 * depth - 2], waiting[2 * depth - 1]


@compiled_inner
def squares(values, count, scratch, stack):  # type: ignore[no-untyped-def]
    """Sum of the squared deviations from the mean, by pandas' two passes."""
    mean = pairwise_sum(values, count, stack) / count
    for i in range(count):
        deviation = mean - values[i]
        scratch[i] = deviation * deviation
    return pairwise_sum(scratch, count, stack)


@compiled_inner
def variance(values, count, scratch, stack):  # type: ignore[no-untyped-def]
    """Sample variance; NaN for fewer than two values."""
    if count < 2:
        return np.nan
    return squares(values, count, scratch, stack) / (count - 1)


@compiled_inner
def day_returns(equity, count, cash):  # type: ignore[no-untyped-def]
    """Returns from day end to day end.

    Parameters
    ----------
    equity : ndarray of float, shape (days,)
        At each day's end; negative where it is the same as the day before. Overwritten by the
        returns of each day but the first. After ruin there are none (0 / 0).
    count : int
        Days.
    cash : float
        Starting cash.

    Returns
    -------
    days : int
        How many returns there are.
    mean_return : float
        Their geometric mean; NaN for none, 0 after ruin, as backtesting.py has it. One plus each
        return is multiplied up, not the growth itself: the return of a day that loses nearly
        everything holds few digits of it, and backtesting.py's mean has those and no others.
    """
    carried, before_ruin = cash, 0
    for d in range(count):
        carried = equity[d] if equity[d] >= 0.0 else carried
        equity[d] = carried
        before_ruin += carried != 0.0
    days = min(before_ruin, count - 1)
    for d in range(days):
        equity[d] = equity[d + 1] / equity[d] - 1.0
    if days == 0:
        return days, np.nan
    growth = 1.0
    for d in range(days):
        growth *= 1.0 + equity[d]
    if LEAST_GROWTH < growth < MOST_GROWTH:
        return days, math.exp(math.log(growth) / days) - 1.0
    log_growth = 0.0
    for d in range(days):
        if not 1.0 + equity[d] > 0.0:
            return days, 0.0
        log_growth += math.log(1.0 + equity[d])
    return days, math.exp(log_growth / days) - 1.0


@compiled_inner
def or_nan(value):  # type: ignore[no-untyped-def]
    """The value, or NaN where it is zero: Python's `value or nan`."""
    return value if value != 0.0 else np.nan


@compiled_inner
def annual_statistics(out, returns, days, mean_return, max_drawdown, constants, scratch, stack):  # type: ignore[no-untyped-def]
    """Columns 7, 8 and 10 to 12: annual return and volatility, Sharpe, Sortino, Calmar."""
    n = constants.annual_days
    growth = 1.0 + mean_return
    annual = math.pow(growth, n) - 1.0
    scatter = variance(returns, days, scratch, stack) + math.pow(growth, 2.0 * (n / n))
    inner = math.pow(scatter, n) - math.pow(growth, 2.0 * n)
    volatility = math.sqrt(inner) * 100.0 if inner >= 0.0 else np.nan
    for d in range(days):
        loss = min(returns[d], 0.0)
        scratch[d] = loss * loss
    downside = pairwise_sum(scratch, days, stack) / days if days else np.nan
    out[7] = annual * 100.0
    out[8] = volatility
    out[10] = annual * 100.0 / or_nan(volatility)
    out[11] = annual / (math.sqrt(downside) * math.sqrt(n))
    out[12] = annual / or_nan(max_drawdown)


@compiled_inner
def trade_statistics(out, sums, count):  # type: ignore[no-untyped-def]
    """Columns 19 to 23 and 26 to 29: what the closed trades add up to."""
    out[19] = count
    if count == 0:
        out[20:24] = np.nan
        out[26:30] = np.nan
        return
    win_rate = sums.wins / count
    # Where a trade lost everything backtesting.py calls the mean return 0.
    log_growth = sums.log_growth if sums.log_growth == sums.log_growth else 0.0
    out[20] = win_rate * 100.0
    out[21] = sums.best * 100.0
    out[22] = sums.worst * 100.0
    out[23] = (math.exp(log_growth / count) - 1.0) * 100.0
    out[26] = sums.gained / or_nan(sums.lost)
    out[27] = (sums.gained - sums.lost) / count * 100.0
    deviation = math.sqrt(sums.scatter / (count - 1)) if count > 1 else np.nan
    out[28] = math.sqrt(count) * sums.mean_profit / or_nan(deviation)
    out[29] = win_rate - (1.0 - win_rate) / ((sums.won / sums.wins) / (sums.paid / sums.losses))


@compiled_inner
def rounded_up(units, constants):  # type: ignore[no-untyped-def]
    """A duration as nanoseconds, rounded up to the resolution of the bars."""
    return float(-(-units // constants.round_to) * constants.round_to * constants.unit_ns)


@compiled_inner
def fill_row(out, tally, constants, cash):  # type: ignore[no-untyped-def]
    """Columns 0 to 6, 9, 13 to 18, 24 and 25: what follows from the tally alone."""
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
