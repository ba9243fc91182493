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
from bigbar.strategies.big_bar.drawdowns import (
    Drawdowns,
    at_peak_since,
    lasting_to_the_end,
    met,
)

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


class Position(NamedTuple):
    """What was bought or sold at a bar's close.

    Attributes
    ----------
    side : float
        1 for long, -1 for short.
    units, size : float
        Without, and with the sign; 0 where not even one can be paid.
    fill : float
        Price with the spread.
    paid : float
        What the size cost.
    fee : float
        Commission of the entry.
    """

    side: float
    units: float
    size: float
    fill: float
    paid: float
    fee: float


@compiled_inner
def entered(cash, side, price, account):  # type: ignore[no-untyped-def]
    """All in at a price."""
    fill = price * (1.0 + side * account.spread)
    budget = cash * account.leverage
    units = 0.0
    # Not even one, told without a division: a lost account meets this often.
    if not fill + (account.fixed + price * account.relative) > budget:
        units = affordable_units(budget, price, fill, account.fixed, account.relative)
    size = side * units
    fee = account.fixed + units * fill * account.relative
    return Position(side, units, size, fill, fill * size, fee)


@compiled_inner
def held(  # type: ignore[no-untyped-def]
    position, entry, last, stays_open, before, past, covariance, market, account, day_equity, curve
):  # fmt: skip
    """A position from its entry to the bar after its exit, or to the end of the bars.

    Parameters
    ----------
    position : Position
    entry, last : int
        Bars of its entry, and of its exit.
    stays_open : bool
        Whether the bars end before it does.
    before : float
        Cash before the entry.
    past : Drawdowns
    covariance : float
    market, account, day_equity, curve
        See `walk`.

    Returns
    -------
    bar : int
        Where it ended: that of the ruin, or the one after the last.
    cash, equity : float
        Equity is 0 after ruin.
    past, covariance
        As they are then.
    ruined : bool
    """
    close, times, day, market_move = market
    cash = before - position.fee
    equity = before
    bar = np.int64(entry) + 1
    while bar <= last + 1:
        if bar <= last:
            equity = cash + (close[bar] * position.size - position.paid)
        elif stays_open:
            break
        else:
            exit_fee = account.fixed + position.units * close[last] * account.relative
            cash += position.size * (close[last] - position.fill) - exit_fee
            equity = cash
        ruined = equity <= 0.0
        if ruined:
            equity = 0.0
        past = met(past, bar, equity, times)
        day_equity[day[bar]] = equity
        if curve is not None:
            curve[bar] = equity
        if ruined:
            return bar, cash, equity, past, covariance, True
        covariance += log_ratio(equity, before) * market_move[bar]
        before = equity
        bar += 1
    return bar, cash, equity, past, covariance, False


@compiled_inner
def with_trade(sums, trades, profit, made):  # type: ignore[no-untyped-def]
    """The sums with one trade more, after so many."""
    deviation = profit - sums.mean_profit  # Welford's rule.
    mean_profit = sums.mean_profit + deviation / (trades + 1)
    return TradeSums(
        max(sums.best, made),
        min(sums.worst, made),
        sums.gained + max(made, 0.0),
        sums.lost - min(made, 0.0),
        sums.log_growth + (math.log(1.0 + made) if 1.0 + made > 0.0 else np.nan),
        sums.won + max(profit, 0.0),
        sums.paid - min(profit, 0.0),
        sums.wins + np.int64(profit > 0.0),
        sums.losses + np.int64(profit < 0.0),
        mean_profit,
        sums.scatter + deviation * (profit - mean_profit),
    )


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
    close, times, day, _ = market
    factor, tail, weight = combination
    bars = len(close)
    day_equity[:] = -1.0  # Not touched yet; equity itself is never negative.

    cash = equity = account.cash
    none, most = np.int64(0), np.int64(2**31 - 1)
    past = Drawdowns(cash, none, np.inf, 0.0, 0.0, none, none, none)
    sums = TradeSums(-np.inf, np.inf, 0.0, 0.0, 0.0, 0.0, 0.0, none, none, 0.0, 0.0)
    covariance = commissions = 0.0
    number = exposed = max_held = sum_held = none
    least_factor, tightest_tail, least_weight = most, none, most
    free_from = 1  # The first bar only fills no order: backtesting.py starts on the second.
    flat_at_end, ruined = True, False

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
        position = entered(cash, np.float64(entries.direction[c]), close[entry], account)
        if position.units < 1.0:
            continue
        least_factor = min(least_factor, np.int64(factor_levels[c]))
        tightest_tail = max(tightest_tail, np.int64(entries.tail_levels[c]))
        least_weight = min(least_weight, np.int64(entries.weight_levels[c]))
        if equity == past.peak:
            past = at_peak_since(past, entry, past.peak)
        stays_open = entries.exit[c] >= bars - 1  # An order at the last close is never filled.
        last = np.int64(bars - 1 if stays_open else entries.exit[c])
        bar, cash, equity, past, covariance, ruined = held(
            position, entry, last, stays_open, cash, past, covariance, market, account, day_equity,
            curve,
        )  # fmt: skip
        if ruined and bar <= last:
            last = bar  # The broker closes what is open at this close.
        elif stays_open:
            flat_at_end = False
            break
        exit_price = close[last]
        fees = (account.fixed + position.units * exit_price * account.relative) + position.fee
        profit = position.size * (exit_price - position.fill) - fees
        made = position.side * (exit_price / position.fill - 1.0) - fees / (
            position.units * position.fill
        )
        if ledger is not None:
            ledger[number, 0], ledger[number, 1], ledger[number, 2] = entry, last, position.size
            ledger[number, 3], ledger[number, 4], ledger[number, 5] = profit, fees, made
        sums = with_trade(sums, number, profit, made)
        number += 1
        commissions += fees
        exposed += last - entry + 1
        max_held = max(max_held, times[last] - times[entry])
        sum_held += times[last] - times[entry]
        if ruined:
            break
        free_from = last + 1

    if ruined:
        covariance = np.nan
        for d in range(day[min(bar, bars - 1)], len(day_equity)):
            day_equity[d] = 0.0
    elif flat_at_end and equity == past.peak:
        past = at_peak_since(past, bars - 1, past.peak)
    past = lasting_to_the_end(past, bars, times)
    tally = Tally(
        equity, past.peak, commissions, covariance, past.deepest, past.depths, past.number,
        past.longest, past.lengths, exposed, max_held, sum_held, number, sums,
    )  # fmt: skip
    return tally, (least_factor, tightest_tail, least_weight)


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
