"""The money: many combinations side by side through the trades that `hop` found for them.

Exactly `bigbar.kernel.trades.walk`, lane for lane, with masks instead of branches: one after the
other, a walk is a chain of divisions each waiting for the one before. A lane that meets what is
left out here (an entry that is not affordable, ruin) is irregular, its combination walked alone.

Why a trade needs no look at its bars: the broker's operations round monotonically, so equity at
the best close is the best equity, bit for bit. Only where that reaches the old peak are the bars
gone through, for the duration of drawdowns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.kernel.hop import EXPOSED, LANES, OPEN, ROWS, TRADES
from bigbar.kernel.jit import compiled_inner
from bigbar.kernel.lane_tools import select, unsigned
from bigbar.kernel.terms import (
    BEST,
    FIRST,
    REACH,
    REACH_LIMIT,
    SERIES_LIMIT,
    WORST,
    log_ratio,
    log_series,
)
from bigbar.kernel.trades import Tally, affordable_units

# Fields of `Purse.money`, as in `hop`: one flat array, fixed distances.
CASH = 0 * LANES  #: Not a number once the lane met something left out here: it is irregular.
BEFORE = 1 * LANES  #: Cash at the last trade's entry.
UNITS = 2 * LANES  #: Of the last trade.
PEAK = 3 * LANES
LOWEST = 4 * LANES  #: Lowest equity since the peak.
COVARIANCE = 5 * LANES
COMMISSIONS = 6 * LANES
MAX_DRAWDOWN = 7 * LANES
SUM_DRAWDOWN = 8 * LANES
MONEY_FIELDS = 9

# Fields of `Purse.marks`.
PEAK_BAR = 0 * LANES  #: Of the last peak.
SUM_HELD = 1 * LANES
MAX_HELD = 2 * LANES
ATTENTION = 3 * LANES  #: Why the bars of the last trade must be gone through: the two below.
DRAWDOWNS = 4 * LANES
MAX_TIME = 5 * LANES
SUM_TIME = 6 * LANES
MARK_FIELDS = 7

#: Up to this the quotient of budget and price is off by a whole number at most once: its rounding
#: and the check's are a few 2**-53 of it. Prices and cash on a grid of ticks do meet that.
_SURE_UNITS = 2.0**48

_RISES = 1  #: The trade reaches the old peak.
_FAR = 2  #: The covariance's series does not converge fast enough.


class Purse(NamedTuple):
    """What the lanes have, and the profits and returns of one pass of rows.

    Attributes
    ----------
    money : ndarray of float, shape (MONEY_FIELDS * LANES,)
    marks : ndarray of int64, shape (MARK_FIELDS * LANES,)
    profits, returns : ndarray of float, shape (ROWS * LANES,)
        Of the row's trade, where the lane takes it; returns only where there are fees.
    """

    money: NDArray[np.float64]
    marks: NDArray[np.int64]
    profits: NDArray[np.float64]
    returns: NDArray[np.float64]


def new_purse() -> Purse:
    """Room for the lanes and one pass."""
    return Purse(
        np.zeros(MONEY_FIELDS * LANES),
        np.zeros(MARK_FIELDS * LANES, np.int64),
        np.zeros(ROWS * LANES),
        np.zeros(ROWS * LANES),
    )


@compiled_inner
def start_purse(purse, lanes, cash):  # type: ignore[no-untyped-def]
    """All lanes with the starting cash, at their peak."""
    purse.money[:] = 0.0
    purse.marks[:] = 0
    for lane in range(lanes):
        purse.money[CASH + lane] = cash
        purse.money[PEAK + lane] = cash
        purse.money[LOWEST + lane] = np.inf


@compiled_inner
def trade_rows(hop, purse, rows, used, entries, market, account, fees, day_equity):  # type: ignore[no-untyped-def]
    """Every lane through the rows' trades that it takes.

    Parameters
    ----------
    hop : Hop
        With the rows to trade.
    purse : Purse
    rows, used : int
        Rows, and lanes in use.
    entries : Entries
    market : MarketArrays
    account : AccountNumbers
    fees : None, or tuple of two float
        Fixed and relative commission; None, for none at all, is compiled on its own and saves
        half of the divisions.
    day_equity : ndarray of float, shape (days * used,)
        Written: equity at the end of each day, of all lanes, where a trade decides it.
    """
    day = market.day
    for row in range(rows):
        c = hop.candidate[row]
        entry, last = entries.entry[c], entries.exit[c]
        attention = trade_row(
            hop.taken, purse, row, used, c, entry, last, entries, market, account, fees
        )
        if day[entry + 1] != day[last + 1]:
            write_days_inside(hop.taken, purse, row, used, c, entries, market, account, day_equity)
        base, at = row * LANES, day[last + 1] * used
        for lane in range(used):
            ended = unsigned(at + lane)
            day_equity[ended] = select(
                hop.taken[unsigned(base + lane)] != 0, purse.money[CASH + lane], day_equity[ended]
            )
        if attention:
            for lane in range(used):
                if purse.marks[ATTENTION + lane]:
                    follow_bars(purse, lane, c, entries, market, account)


@compiled_inner
def cost(units, fill, price, fixed, relative):  # type: ignore[no-untyped-def]
    """What the broker's margin check counts an order as."""
    return units * (fill + (fixed + units * price * relative) / units)


@compiled_inner
def one_step(units, spent, too_much, budget):  # type: ignore[no-untyped-def]
    """The most units that the broker accepts, given an estimate's cost and one more's."""
    return units + select(too_much <= budget, 1.0, 0.0) - select(spent > budget, 1.0, 0.0)


@compiled_inner
def trade_row(taken, purse, row, used, c, entry, last, entries, market, account, fees):  # type: ignore[no-untyped-def]
    """One row: the broker's arithmetic, in its order; returns whether any lane needs attention."""
    money, marks, profits, returns = purse
    used = min(used, LANES)  # Tells the compiler that no index below is negative.
    terms = entries.terms[c]
    side = np.float64(entries.direction[c])
    price, exit_price = market.close[entry], market.close[last]
    held = market.times[last] - market.times[entry]
    fill = price * (1.0 + side * account.spread)
    signed_fill, move = side * fill, side * (exit_price - fill)
    best, worst, reach = terms[BEST], terms[WORST], terms[REACH]
    plain_return = entries.returns[c]
    c0, c1, c2 = terms[FIRST], terms[FIRST + 1], terms[FIRST + 2]
    c3, c4, c5 = terms[FIRST + 3], terms[FIRST + 4], terms[FIRST + 5]
    leverage, share = account.leverage, account.share
    entry_bar, base = np.int64(entry), row * LANES
    zero, rises_mark, far_mark = np.int64(0), np.int64(_RISES), np.int64(_FAR)
    any_attention = np.int64(0)
    if fees is not None:
        fixed, relative = fees
        in_move, out_move = market.market[entry + 1], market.market[last + 1]
    for lane in range(used):
        take = taken[unsigned(base + lane)] != 0
        cash = money[CASH + lane]
        peak = money[PEAK + lane]
        budget = cash * leverage
        if fees is None:
            units = np.floor(budget / fill)
            units = one_step(units, units * fill, (units + 1.0) * fill, budget)
            value = units * fill
            owned = cash
            net = profit = units * move
            logarithms, fee_is_far = 0.0, False
        else:
            units = np.floor((budget - fixed) / (fill + price * relative))
            spent = cost(units, fill, price, fixed, relative)
            too_much = cost(units + 1.0, fill, price, fixed, relative)
            units = one_step(units, spent, too_much, budget)
            value = units * fill
            entry_fee = fixed + value * relative
            exit_fee = fixed + units * exit_price * relative
            both = exit_fee + entry_fee
            owned = cash - entry_fee
            gain = units * move
            net, profit = gain - exit_fee, gain - both
            returns[unsigned(base + lane)] = plain_return - both / value
            before_exit = owned + (units * (side * exit_price) - units * signed_fill)
            after = owned + net
            z_in = (owned - cash) / (owned + cash)
            z_out = (after - before_exit) / (after + before_exit)
            logarithms = log_series(z_in) * in_move + log_series(z_out) * out_move
            fee_is_far = (abs(z_in) > SERIES_LIMIT) | (abs(z_out) > SERIES_LIMIT)
            money[COMMISSIONS + lane] += select(take, both, 0.0)
        profits[unsigned(base + lane)] = profit
        paid = units * signed_fill
        highest = owned + (units * best - paid)
        lowest = owned + (units * worst - paid)
        after = owned + net
        highest = select(after > highest, after, highest)
        lowest = select(after < lowest, after, lowest)

        regular = (units >= 1.0) & (units <= _SURE_UNITS) & (lowest > 0.0)
        at_peak = take & (cash == peak)
        rises = take & (highest >= peak)
        # In all of these a neutral value stands where nothing changes: see `select`.
        marks[PEAK_BAR + lane] = max(marks[PEAK_BAR + lane], select(at_peak, entry_bar, zero))
        low_before = select(at_peak, np.inf, money[LOWEST + lane])
        low_now = select(take & (not rises), lowest, np.inf)
        money[LOWEST + lane] = select(low_now < low_before, low_now, low_before)
        marks[SUM_HELD + lane] += select(take, held, zero)
        marks[MAX_HELD + lane] = max(marks[MAX_HELD + lane], select(take, held, zero))

        off = (value - share * owned) / owned
        far = regular & (fee_is_far | (not abs(off) * reach <= REACH_LIMIT))
        part = c0 + off * (c1 + off * (c2 + off * (c3 + off * (c4 + off * c5))))
        money[COVARIANCE + lane] += select(take & (not far), part + logarithms, 0.0)

        attention = select(rises, rises_mark, zero) | select(take & far, far_mark, zero)
        marks[ATTENTION + lane] = attention
        any_attention |= attention
        money[BEFORE + lane] = cash
        money[UNITS + lane] = units
        gained = select(take, select(regular, net, np.nan), 0.0)
        money[CASH + lane] = gained + (cash if fees is None else select(take, owned, cash))
    return any_attention != 0


@compiled_inner
def position(purse, lane, c, entries, market, account):  # type: ignore[no-untyped-def]
    """Cash after the entry fee, signed size, and what it cost, of the lane's last trade."""
    cash, units = purse.money[BEFORE + lane], purse.money[UNITS + lane]
    side = np.float64(entries.direction[c])
    fill = market.close[entries.entry[c]] * (1.0 + side * account.spread)
    size = side * units
    return cash - (account.fixed + units * fill * account.relative), size, fill * size


@compiled_inner
def write_days_inside(taken, purse, row, used, c, entries, market, account, day_equity):  # type: ignore[no-untyped-def]
    """Equity at the days that end while the row's trade is open."""
    close, day = market.close, market.day
    for i in range(entries.entry[c] + 1, entries.exit[c] + 1):
        if day[i] == day[i + 1]:
            continue
        for lane in range(used):
            if taken[row * LANES + lane]:
                owned, size, paid = position(purse, lane, c, entries, market, account)
                day_equity[day[i] * used + lane] = owned + (close[i] * size - paid)


@compiled_inner
def meet(purse, lane, i, equity, times):  # type: ignore[no-untyped-def]
    """A bar's equity: a new peak, which ends a drawdown, or perhaps a new low."""
    money, marks = purse.money, purse.marks
    peak = money[PEAK + lane]
    if equity >= peak:
        peak_bar = marks[PEAK_BAR + lane]
        if i > peak_bar + 1:
            span = times[i] - times[peak_bar]
            depth = 1.0 - money[LOWEST + lane] / peak
            marks[MAX_TIME + lane] = max(marks[MAX_TIME + lane], span)
            marks[SUM_TIME + lane] += span
            marks[DRAWDOWNS + lane] += 1
            money[SUM_DRAWDOWN + lane] += depth
            money[MAX_DRAWDOWN + lane] = max(money[MAX_DRAWDOWN + lane], depth)
        money[PEAK + lane] = equity
        marks[PEAK_BAR + lane] = i
        money[LOWEST + lane] = np.inf
    else:
        money[LOWEST + lane] = min(money[LOWEST + lane], equity)


@compiled_inner
def follow_bars(purse, lane, c, entries, market, account):  # type: ignore[no-untyped-def]
    """The lane's last trade bar by bar, for what `trade_row` could not tell."""
    money = purse.money
    close, times, _, market_move = market
    entry, last = entries.entry[c], entries.exit[c]
    owned, size, paid = position(purse, lane, c, entries, market, account)
    why = purse.marks[ATTENTION + lane]
    before = money[BEFORE + lane]
    for i in range(entry + 1, last + 2):
        equity = owned + (close[i] * size - paid) if i <= last else money[CASH + lane]
        if why & _RISES:
            meet(purse, lane, i, equity, times)
        if why & _FAR:
            money[COVARIANCE + lane] += log_ratio(equity, before) * market_move[i]
        before = equity


@compiled_inner
def hold_to_end(purse, lane, used, c, entries, market, account, day_equity):  # type: ignore[no-untyped-def]
    """A trade that stays open at the end of the data; returns the equity at the last bar."""
    money, marks = purse.money, purse.marks
    close, times, day, market_move = market
    entry = entries.entry[c]
    equity = money[BEFORE + lane] = money[CASH + lane]
    if equity == money[PEAK + lane]:
        marks[PEAK_BAR + lane] = entry
        money[LOWEST + lane] = np.inf
    price = close[entry]
    fill = price * (1.0 + np.float64(entries.direction[c]) * account.spread)
    money[UNITS + lane] = affordable_units(
        equity * account.leverage, price, fill, account.fixed, account.relative
    )
    if money[UNITS + lane] < 1.0:
        money[CASH + lane] = np.nan
    owned, size, paid = position(purse, lane, c, entries, market, account)
    for i in range(entry + 1, len(close)):
        before, equity = equity, owned + (close[i] * size - paid)
        if equity <= 0.0:
            money[CASH + lane] = np.nan
        meet(purse, lane, i, equity, times)
        money[COVARIANCE + lane] += log_ratio(equity, before) * market_move[i]
        day_equity[day[i] * used + lane] = equity
    return equity


@compiled_inner
def finish_lane(hop, purse, lane, used, entries, market, account, day_equity):  # type: ignore[no-untyped-def]
    """What the lane's walk adds up to; nothing to go by if the lane is irregular then."""
    money, marks = purse.money, purse.marks
    times = market.times
    end = len(market.close) - 1
    equity = money[CASH + lane]
    still_open = hop.lanes[OPEN + lane]
    if still_open >= 0:
        equity = hold_to_end(purse, lane, used, still_open, entries, market, account, day_equity)
    elif equity == money[PEAK + lane]:
        marks[PEAK_BAR + lane] = end
    max_drawdown, sum_drawdown = money[MAX_DRAWDOWN + lane], money[SUM_DRAWDOWN + lane]
    drawdowns = marks[DRAWDOWNS + lane]
    max_time, sum_time = marks[MAX_TIME + lane], marks[SUM_TIME + lane]
    peak_bar = marks[PEAK_BAR + lane]
    if peak_bar < end:  # The last drawdown lasts to the end.
        depth = 1.0 - money[LOWEST + lane] / money[PEAK + lane]
        max_drawdown = max(max_drawdown, depth)
        if end > peak_bar + 1:
            span = times[end] - times[peak_bar]
            max_time = max(max_time, span)
            sum_time += span
            sum_drawdown += depth
            drawdowns += 1
        elif drawdowns == 0:
            sum_drawdown = depth  # As in `walk`.
    return Tally(
        equity, money[PEAK + lane], money[COMMISSIONS + lane], money[COVARIANCE + lane],
        max_drawdown, sum_drawdown, drawdowns, max_time, sum_time,
        np.int64(hop.lanes[EXPOSED + lane]), marks[MAX_HELD + lane], marks[SUM_HELD + lane],
        np.int64(hop.lanes[TRADES + lane]),
    )  # fmt: skip
