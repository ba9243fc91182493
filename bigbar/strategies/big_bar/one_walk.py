"""The money: one combination walked from entry to exit, exactly as backtesting.py's broker does it.

Every floating point operation is the broker's own, in the broker's order, so that the equity at
each bar has the same bits. That matters beyond the last digit: whether a close equals the old
peak decides where a drawdown begins.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.jit import compiled, compiled_inner
from bigbar.compiled.logarithms import log_ratio
from bigbar.compiled.tally import Tally, TradeSums

#: Whole numbers above this have gaps in float64; no order is larger.
MOST_UNITS = 2.0**53


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
    """Money and costs as plain floats.

    Attributes
    ----------
    cash, spread, leverage : float
        As in `bigbar.account.Account`.
    fixed, relative : float
        Parts of the commission.
    share : float
        From `bigbar.strategies.big_bar.trade_terms.usual_share`.
    """

    cash: float
    fixed: float
    relative: float
    spread: float
    leverage: float
    share: float


@compiled_inner
def affordable_units(budget, price, fill, fixed, relative):  # type: ignore[no-untyped-def]
    """The most whole units that the broker's margin check lets through."""
    estimate = (budget - fixed) / (fill + price * relative)
    if not estimate >= 0.0:
        estimate = 0.0
    units = min(np.floor(estimate), MOST_UNITS)
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


@compiled_inner
def walk(  # type: ignore[no-untyped-def]
    chosen, count, combination, entries, factor_levels, market, account, day_equity, ledger=None,
    curve=None,
):  # fmt: skip
    """Trade one combination: take each candidate that passes and comes while flat.

    The plain twin of `bigbar.strategies.big_bar.many_walks`, and what its irregular lanes fall back
    on.

    Parameters
    ----------
    chosen : ndarray of int32, shape (at least count,)
        Candidates in time order.
    count : int
        How many of them.
    combination : tuple of three int
        `k_atr`, tail ratio and momentum weight, as positions on their axes.
    entries : Entries
    factor_levels : ndarray of int32, shape (candidates,)
        How many `k_atr` each candidate passes.
    market : MarketArrays
    account : AccountNumbers
    day_equity : ndarray of float, shape (days,)
        Written: equity at the end of each day, -1 where no trade decides it.
    ledger : ndarray of float, shape (room, 6), or None
        Written, unless None: entry bar, exit bar, size, `PnL`, commissions and `ReturnPct` of
        each closed trade.
    curve : ndarray of float, shape (bars,), or None
        Written, unless None: equity at each bar on which it can have changed.

    Returns
    -------
    Tally
    least : tuple of three int
        The thresholds that every trade taken still passes. Raising a threshold can only remove
        candidates, and removing one that was not traded changes nothing: so every combination
        within these has this very result.
    """
    close, times, day, market_move = market
    factor, tail, weight = combination
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
    best, worst = -np.inf, np.inf
    gained = lost = log_growth = won = paid_out = mean_profit = scatter = 0.0
    wins = losses = 0
    least_factor = np.int32(2**31 - 1)
    tightest_tail = np.int32(0)
    least_weight = np.int32(2**31 - 1)
    free_from = 1  # The first bar only fills no order: backtesting.py starts on the second.
    equity = cash
    flat_at_end = True
    ruined = False

    for j in range(count):
        c = chosen[j]
        entry = entries.entry[c]
        if (
            entry < free_from
            or factor_levels[c] <= factor
            or entries.tail_levels[c] > tail
            or entries.weight_levels[c] <= weight
        ):
            continue
        side = np.float64(entries.direction[c])
        price = close[entry]
        fill = price * (1.0 + side * account.spread)
        budget = cash * account.leverage
        if fill + (account.fixed + price * account.relative) > budget:
            continue  # Not even one, told without a division: a lost account meets this often.
        units = affordable_units(budget, price, fill, account.fixed, account.relative)
        if units < 1.0:
            continue
        least_factor = min(least_factor, factor_levels[c])
        tightest_tail = max(tightest_tail, entries.tail_levels[c])
        least_weight = min(least_weight, entries.weight_levels[c])
        if at_peak:
            last_peak_bar = entry
            lowest = np.inf
        exit_bar = entries.exit[c]
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
            if curve is not None:
                curve[i] = equity
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
        made = side * (exit_price / fill - 1.0) - fees / (units * fill)
        if ledger is not None:
            ledger[number, 0], ledger[number, 1], ledger[number, 2] = entry, last, size
            ledger[number, 3], ledger[number, 4], ledger[number, 5] = profit, fees, made
        best, worst = max(best, made), min(worst, made)
        gained, lost = gained + max(made, 0.0), lost - min(made, 0.0)
        log_growth += math.log(1.0 + made) if 1.0 + made > 0.0 else np.nan
        won, paid_out = won + max(profit, 0.0), paid_out - min(profit, 0.0)
        wins, losses = wins + (profit > 0.0), losses + (profit < 0.0)
        number += 1
        deviation = profit - mean_profit  # Welford's rule.
        mean_profit += deviation / number
        scatter += deviation * (profit - mean_profit)
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

    sums = TradeSums(
        best, worst, gained, lost, log_growth, won, paid_out, np.int64(wins), np.int64(losses),
        mean_profit, scatter,
    )  # fmt: skip
    tally = Tally(
        equity, peak, commissions, covariance, max_drawdown, sum_drawdown, drawdowns,
        max_time, sum_time, exposed, max_held, sum_held, number, sums,
    )  # fmt: skip
    return tally, (np.int64(least_factor), np.int64(tightest_tail), np.int64(least_weight))


@compiled
def walk_for_trades(  # type: ignore[no-untyped-def]
    chosen, count, combination, entries, factor_levels, market, account, days, room
):  # fmt: skip
    """Walk one combination for its trade list and its equity; parameters as of `walk`.

    Returns
    -------
    ledger : ndarray of float, shape (trades, 6)
        Entry bar, exit bar, size, `PnL`, commissions and `ReturnPct`.
    curve : ndarray of float, shape (bars,)
        Equity at each bar.
    """
    ledger = np.empty((room, 6))
    curve = np.full(len(market.close), -1.0)  # Not touched yet; equity itself is never negative.
    tally, _ = walk(
        chosen, count, combination, entries, factor_levels, market, account, np.empty(days),
        ledger, curve,
    )  # fmt: skip
    carried = account.cash
    for i in range(len(curve)):
        carried = curve[i] if curve[i] >= 0.0 else carried
        curve[i] = carried
    return ledger[: tally.trades], curve
