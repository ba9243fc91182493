"""The money: one combination hopped from entry to exit, exactly as backtesting.py's broker does it.

Every floating point operation is the broker's own, in the broker's order, so that the equity at
each bar has the same bits. That matters beyond the last digit: whether a close equals the old
peak decides where a drawdown begins.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.kernel.jit import compiled

#: Whole numbers above this have gaps in float64; no order is larger.
MOST_UNITS = 2.0**53

#: Below this the series for the logarithm is exact to the last bit or two with five terms.
_SERIES_LIMIT = 0.01


class MarketArrays(NamedTuple):
    """What the kernel needs of the bars that take part; all arrays contiguous and read-only.

    Attributes
    ----------
    close : ndarray of float, shape (bars,)
        Closing prices.
    times : ndarray of int64, shape (bars,)
        Times in the index's own unit.
    day : ndarray of int32, shape (bars,)
        Which day (or week, month, year: the sampling of the annual statistics) a bar is in.
    market : ndarray of float, shape (bars,)
        Log return of the close into each bar, less the mean of all of them; 0 for the first.
    """

    close: NDArray[np.float64]
    times: NDArray[np.int64]
    day: NDArray[np.int32]
    market: NDArray[np.float64]


class AccountNumbers(NamedTuple):
    """Money and costs as plain floats."""

    cash: float
    fixed: float
    relative: float
    spread: float
    leverage: float


class Tally(NamedTuple):
    """What one walk through the bars adds up to.

    Attributes
    ----------
    equity, peak : float
        Equity at the last bar, and the highest.
    commissions : float
        Paid by closed trades.
    covariance : float
        Sum over bars of the equity's log return times `MarketArrays.market`.
    max_drawdown, sum_drawdown : float
        The deepest, and the sum of the deepest of each drawdown period, as shares of the peak.
    drawdowns : int
        Number of drawdown periods.
    max_time, sum_time : int
        Longest drawdown period and their sum, in units of `times`.
    exposed : int
        Bars with a position, entry and exit bars included.
    max_held, sum_held : int
        Longest trade and the sum of all, in units of `times`.
    trades : int
        Closed trades.
    """

    equity: float
    peak: float
    commissions: float
    covariance: float
    max_drawdown: float
    sum_drawdown: float
    drawdowns: int
    max_time: int
    sum_time: int
    exposed: int
    max_held: int
    sum_held: int
    trades: int


class TradeArrays(NamedTuple):
    """Where a walk writes its trades; each of shape (room,).

    Attributes
    ----------
    returns, profits : ndarray of float
        Of each closed trade, as `ReturnPct` and `PnL` of backtesting.py.
    """

    returns: NDArray[np.float64]
    profits: NDArray[np.float64]


@compiled
def affordable_units(budget, price, fill, fixed, relative):  # type: ignore[no-untyped-def]
    """The most whole units that the broker's margin check lets through."""
    estimate = (budget - fixed) / (fill + price * relative)
    if not estimate >= 0.0:
        estimate = 0.0
    units = min(math.floor(estimate), MOST_UNITS)
    while units >= 1.0 and not (
        units * (fill + (fixed + units * price * relative) / units) <= budget
    ):
        units -= 1.0
    while units < MOST_UNITS:
        more = units + 1.0
        if not (more * (fill + (fixed + more * price * relative) / more) <= budget):
            break
        units = more
    return units


@compiled
def log_ratio(new, old):  # type: ignore[no-untyped-def]
    """Logarithm of new / old, by the series of the area hyperbolic tangent where that is exact."""
    z = (new - old) / (new + old)
    if abs(z) > _SERIES_LIMIT:
        return math.log(new / old)
    s = z * z
    return 2.0 * z * (1.0 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9)))))


@compiled
def walk(chosen, count, candidates, direction, exits, levels, market, account, day_equity, trades):  # type: ignore[no-untyped-def]
    """Trade one combination: take each chosen candidate that comes while flat.

    Parameters
    ----------
    chosen : ndarray of int32, shape (at least count,)
        Candidates that pass the combination's thresholds, in time order.
    count : int
        How many of them.
    candidates, direction, exits : ndarray, shape (candidates,)
        Entry bar, 1 or -1, exit bar of each candidate.
    levels : tuple of three ndarray of int32, shape (candidates,)
        How many `k_atr` each passes; the tightest tail ratio; how many momentum weights.
    market : MarketArrays
    account : AccountNumbers
    day_equity : ndarray of float, shape (days,)
        Written: equity at the end of each day.
    trades : TradeArrays
        Written: the closed trades.

    Returns
    -------
    Tally
    least_factor, tightest_tail, least_weight : int
        The thresholds that every trade taken still passes. Raising a threshold can only remove
        candidates, and removing one that was not traded changes nothing: so every combination
        within these has this very result.
    """
    close, times, day, market_move = market
    factor_levels, tail_levels, weight_levels = levels
    bars = len(close)
    cash = account.cash
    day_equity[:] = -1.0  # Not touched yet; equity itself is never negative.

    peak = cash
    last_peak_bar = 0
    lowest = np.inf  # Since the last peak.
    at_peak = True
    max_drawdown = 0.0
    sum_drawdown = 0.0
    drawdowns = 0
    max_time = np.int64(0)
    sum_time = np.int64(0)
    covariance = 0.0
    commissions = 0.0
    exposed = 0
    max_held = np.int64(0)
    sum_held = np.int64(0)
    number = 0
    least_factor = np.int32(2**31 - 1)
    tightest_tail = np.int32(0)
    least_weight = np.int32(2**31 - 1)
    free_from = 1  # The first bar only fills no order: backtesting.py starts on the second.
    equity = cash
    flat_at_end = True
    ruined = False

    for j in range(count):
        c = chosen[j]
        entry = candidates[c]
        if entry < free_from:
            continue
        side = np.float64(direction[c])
        price = close[entry]
        fill = price * (1.0 + side * account.spread)
        units = affordable_units(
            cash * account.leverage, price, fill, account.fixed, account.relative
        )
        if units < 1.0:
            continue
        least_factor = min(least_factor, factor_levels[c])
        tightest_tail = max(tightest_tail, tail_levels[c])
        least_weight = min(least_weight, weight_levels[c])
        if at_peak:
            last_peak_bar = entry
            lowest = np.inf
        exit_bar = exits[c]
        stays_open = exit_bar >= bars - 1  # An order at the last close is never filled.
        last = bars - 1 if stays_open else exit_bar

        size = side * units
        paid = fill * size
        entry_fee = account.fixed + units * fill * account.relative
        before = cash
        cash -= entry_fee

        i = entry + 1
        while i <= last + 1:
            if i <= last:
                equity = cash + (close[i] * size - paid)
            elif stays_open:
                break
            else:
                exit_fee = account.fixed + units * close[last] * account.relative
                cash += size * (close[last] - fill) - exit_fee
                equity = cash
            if equity <= 0.0:
                ruined = True
                equity = 0.0
            if equity >= peak:
                if i > last_peak_bar + 1:
                    span = times[i] - times[last_peak_bar]
                    depth = 1.0 - lowest / peak
                    max_time = max(max_time, span)
                    sum_time += span
                    sum_drawdown += depth
                    max_drawdown = max(max_drawdown, depth)
                    drawdowns += 1
                peak = equity
                last_peak_bar = i
                lowest = np.inf
            else:
                lowest = min(lowest, equity)
            day_equity[day[i]] = equity
            if ruined:
                break
            covariance += log_ratio(equity, before) * market_move[i]
            before = equity
            i += 1

        at_peak = equity == peak
        if ruined and i <= last:
            last = i  # The broker closes what is open at this close.
        elif stays_open:
            flat_at_end = False
            break
        exit_price = close[last]
        fees = (account.fixed + units * exit_price * account.relative) + entry_fee
        profit = size * (exit_price - fill) - fees
        trades.profits[number] = profit
        trades.returns[number] = side * (exit_price / fill - 1.0) - fees / (units * fill)
        number += 1
        commissions += fees
        exposed += last - entry + 1
        held = times[last] - times[entry]
        max_held = max(max_held, held)
        sum_held += held
        if ruined:
            break
        free_from = last + 1

    if ruined:
        covariance = np.nan
        for d in range(day[min(i, bars - 1)], len(day_equity)):
            day_equity[d] = 0.0
    elif flat_at_end and at_peak:
        last_peak_bar = bars - 1
    if last_peak_bar < bars - 1:  # The last drawdown lasts to the end.
        depth = 1.0 - lowest / peak
        max_drawdown = max(max_drawdown, depth)
        if bars - 1 > last_peak_bar + 1:
            span = times[bars - 1] - times[last_peak_bar]
            max_time = max(max_time, span)
            sum_time += span
            sum_drawdown += depth
            drawdowns += 1
        elif drawdowns == 0:
            # backtesting.py knows no period here, and averages the bars below the peak instead.
            sum_drawdown = depth

    carried = account.cash
    for d in range(len(day_equity)):
        if day_equity[d] < 0.0:
            day_equity[d] = carried
        carried = day_equity[d]

    tally = Tally(
        equity, peak, commissions, covariance, max_drawdown, sum_drawdown, drawdowns,
        max_time, sum_time, exposed, max_held, sum_held, number,
    )  # fmt: skip
    return tally, least_factor, tightest_tail, least_weight
