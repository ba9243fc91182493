"""The money: many combinations side by side through the trades that `selection` found for them.

Exactly `bigbar.strategies.big_bar.one_walk.walk`, lane for lane, with masks instead of branches:
one after the other, a walk is a chain of divisions each waiting for the one before. A lane that
meets what is left out here (an entry that is not affordable, ruin) is irregular, its combination
walked alone.

Why a trade needs no look at its bars: the broker's operations round monotonically, so equity at
the best close is the best equity, bit for bit. Only where that reaches the old peak are the bars
gone through, for the duration of drawdowns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.jit import compiled_inner
from bigbar.compiled.logarithms import SERIES_LIMIT, log_ratio, log_series
from bigbar.compiled.statistics import LEAST_GROWTH, MOST_GROWTH
from bigbar.compiled.tally import Tally, TradeSums
from bigbar.compiled.vectors import keep, merge, select, unsigned
from bigbar.strategies.big_bar.one_walk import affordable_units
from bigbar.strategies.big_bar.trade_selection import (
    BEST_RANK,
    EXPOSED,
    LANES,
    LONGEST,
    OPEN,
    PLAIN_LOSSES,
    PLAIN_WINS,
    TRADES,
    WORST_RANK,
)
from bigbar.strategies.big_bar.trade_terms import (
    BEST,
    FIRST,
    REACH,
    REACH_LIMIT,
    WORST,
)

# Fields of `Purse.money`, as in `selection`: one flat array, fixed distances.
CASH = 0 * LANES  #: Not a number once the lane met something left out here: it is irregular.
BEFORE = 1 * LANES  #: Cash at the last trade's entry.
UNITS = 2 * LANES  #: Of the last trade.
PEAK = 3 * LANES
LOWEST = 4 * LANES  #: Lowest equity since the peak.
COVARIANCE = 5 * LANES
COMMISSIONS = 6 * LANES
MAX_DRAWDOWN = 7 * LANES
SUM_DRAWDOWN = 8 * LANES
#: Bar of the last peak: among the money, because a maximum of doubles is one instruction and
#: one of 64-bit integers a store under a mask, which takes AMD's processors 20 cycles.
PEAK_BAR = 9 * LANES
# What the trades add up to, see `bigbar.compiled.tally.TradeSums`.
GAINED = 10 * LANES
LOST = 11 * LANES
GROWTH = 12 * LANES  #: Product of one plus each return.
WON = 13 * LANES
PAID = 14 * LANES
SQUARE = 15 * LANES  #: Sum of the squares of the profits.
# The same, where there are commissions. Without, `selection` knows them.
BEST_TRADE = 16 * LANES
WORST_TRADE = 17 * LANES
WINS = 18 * LANES
LOSSES = 19 * LANES
MONEY_FIELDS = 20

# Fields of `Purse.marks`.
SUM_HELD = 0 * LANES
ATTENTION = 1 * LANES  #: Why the bars of the last trade must be gone through: the two below.
DRAWDOWNS = 2 * LANES
MAX_TIME = 3 * LANES
SUM_TIME = 4 * LANES
MARK_FIELDS = 5

#: Up to this the quotient of budget and price is off by a whole number at most once: its rounding
#: and the check's are a few 2**-53 of it. Prices and cash on a grid of ticks do meet that.
_SURE_UNITS = 2.0**48

#: Up to this share of it the variance may be off by, where it is made of sums of squares: of
#: profits that are nearly equal they would leave no digit.
_LOOSE_VARIANCE = 1e-10
_EPS = 2.0**-52

_RISES = 1  #: The trade reaches the old peak.
_FAR = 2  #: The covariance's series does not converge fast enough.


class Purse(NamedTuple):
    """What the lanes have.

    Attributes
    ----------
    money : ndarray of float, shape (MONEY_FIELDS * LANES,)
    marks : ndarray of int64, shape (MARK_FIELDS * LANES,)
    """

    money: NDArray[np.float64]
    marks: NDArray[np.int64]


def new_purse() -> Purse:
    """Room for the lanes."""
    return Purse(np.zeros(MONEY_FIELDS * LANES), np.zeros(MARK_FIELDS * LANES, np.int64))


@compiled_inner
def start_purse(purse, lanes, cash):  # type: ignore[no-untyped-def]
    """All lanes with the starting cash, at their peak."""
    purse.money[:] = 0.0
    purse.marks[:] = 0
    for lane in range(lanes):
        purse.money[CASH + lane] = cash
        purse.money[PEAK + lane] = cash
        purse.money[LOWEST + lane] = np.inf
        purse.money[GROWTH + lane] = 1.0
        purse.money[BEST_TRADE + lane] = -np.inf
        purse.money[WORST_TRADE + lane] = np.inf


@compiled_inner
def trade_rows(selection, purse, rows, used, entries, market, account, fees, day_equity):  # type: ignore[no-untyped-def]
    """Every lane through the rows' trades that it takes.

    Parameters
    ----------
    selection : Selection
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
        c = selection.candidate[row]
        entry, last = entries.entry[c], entries.exit[c]
        if fees is None:  # Alone in its condition: else the rest is compiled for nothing.
            if entries.outcome[c] < 0:
                attention = trade_row(
                    selection.taken, purse, row, used, c, entry, last, entries, market, account,
                    None, None, day_equity,
                )  # fmt: skip
            else:
                attention = trade_row(
                    selection.taken, purse, row, used, c, entry, last, entries, market, account,
                    None, True, day_equity,
                )  # fmt: skip
        else:
            attention = trade_row(
                selection.taken, purse, row, used, c, entry, last, entries, market, account, fees,
                True, day_equity,
            )  # fmt: skip
        if day[entry + 1] != day[last + 1]:
            write_days_inside(
                selection.taken, purse, row, used, c, entries, market, account, day_equity
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
    return units + (select(too_much <= budget, 1.0, 0.0) - select(spent > budget, 1.0, 0.0))


@compiled_inner
def trade_row(  # type: ignore[no-untyped-def]
    taken, purse, row, used, c, entry, last, entries, market, account, fees, gains, day_equity
):  # fmt: skip
    """One row: the broker's arithmetic, in its order; returns whether any lane needs attention.

    `gains` is None where there are no fees and the trade loses, on every lane then: as with
    `fees`, that is compiled on its own, and adds up only what such a trade adds to.
    """
    money, marks = purse
    used = min(used, LANES)  # Tells the compiler that no index below is negative.
    terms = entries.terms[c]
    side = np.float64(entries.direction[c])
    price, exit_price = market.close[entry], market.close[last]
    held = market.times[last] - market.times[entry]
    fill = price * (1.0 + side * account.spread)
    per_fill = 1.0 / fill
    signed_fill, move = side * fill, side * (exit_price - fill)
    best, worst, reach = terms[BEST], terms[WORST], terms[REACH]
    made = entries.returns[c]
    c0, c1, c2 = terms[FIRST], terms[FIRST + 1], terms[FIRST + 2]
    c3, c4, c5 = terms[FIRST + 3], terms[FIRST + 4], terms[FIRST + 5]
    leverage, share = account.leverage, account.share
    entry_bar, base, day_end = np.float64(entry), row * LANES, market.day[last + 1] * used
    zero, rises_mark, far_mark = np.int64(0), np.int64(_RISES), np.int64(_FAR)
    any_attention = np.int64(0)
    growth = 1.0 + made
    if fees is not None:
        fixed, relative = fees
        in_move, out_move = market.market[entry + 1], market.market[last + 1]
        plain_return = made
    for lane in range(used):
        mask = -np.int64(taken[unsigned(base + lane)])
        cash = money[CASH + lane]
        peak = money[PEAK + lane]
        budget = cash * leverage
        if fees is None:
            units = np.floor(budget * per_fill)
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
            moved = units * move
            net, profit = moved - exit_fee, moved - both
            made = plain_return - both / value
            growth = 1.0 + made
            gained, lost = select(made > 0.0, made, 0.0), select(made < 0.0, -made, 0.0)
            most, least = money[BEST_TRADE + lane] + 0.0, money[WORST_TRADE + lane] + 0.0
            made_most, made_least = merge(mask, made, -np.inf), merge(mask, made, np.inf)
            money[BEST_TRADE + lane] = select(made_most > most, made_most, most)
            money[WORST_TRADE + lane] = select(made_least < least, made_least, least)
            money[WINS + lane] += keep(mask, select(profit > 0.0, 1.0, 0.0))
            money[LOSSES + lane] += keep(mask, select(profit < 0.0, 1.0, 0.0))
            before_exit = owned + (units * (side * exit_price) - units * signed_fill)
            after = owned + net
            z_in = (owned - cash) / (owned + cash)
            z_out = (after - before_exit) / (after + before_exit)
            logarithms = log_series(z_in) * in_move + log_series(z_out) * out_move
            fee_is_far = (abs(z_in) > SERIES_LIMIT) | (abs(z_out) > SERIES_LIMIT)
            money[COMMISSIONS + lane] += keep(mask, both)
        kept = keep(mask, profit)
        if fees is not None:
            money[GAINED + lane] += keep(mask, gained)
            money[LOST + lane] += keep(mask, lost)
            money[WON + lane] += select(kept > 0.0, kept, 0.0)
            money[PAID + lane] += select(kept < 0.0, -kept, 0.0)
        elif gains is not None:
            money[GAINED + lane] += keep(mask, made)
            money[WON + lane] += kept
        else:
            money[LOST + lane] -= keep(mask, made)
            money[PAID + lane] -= kept
        money[GROWTH + lane] *= merge(mask, growth, 1.0)
        money[SQUARE + lane] += kept * kept

        paid = units * signed_fill
        highest = owned + (units * best - paid)
        lowest = owned + (units * worst - paid)
        after = owned + net
        highest = select(after > highest, after, highest)
        lowest = select(after < lowest, after, lowest)
        regular = (units >= 1.0) & (units <= _SURE_UNITS) & (lowest > 0.0)
        rises = highest >= peak
        # In all of these a neutral value stands where nothing changes: see `select`. Adding zero
        # hides that the other value is what stands there already: see `keep`.
        peak_bar = money[PEAK_BAR + lane] + 0.0
        peak_now = keep(mask, select(cash == peak, entry_bar, 0.0))
        money[PEAK_BAR + lane] = select(peak_now > peak_bar, peak_now, peak_bar)
        low_before = money[LOWEST + lane] + 0.0  # Infinity at a peak: `meet` has been there.
        low_now = merge(mask, select(rises, np.inf, lowest), np.inf)
        money[LOWEST + lane] = select(low_now < low_before, low_now, low_before)
        marks[SUM_HELD + lane] += mask & held

        off = (value - share * owned) / owned
        far = regular & (fee_is_far | (not abs(off) * reach <= REACH_LIMIT))
        # In pairs: a processor works on the pairs at once, on Horner's rule step by step.
        square = off * off
        part = (c0 + off * c1) + square * ((c2 + off * c3) + square * (c4 + off * c5))
        money[COVARIANCE + lane] += keep(mask, select(far, 0.0, part + logarithms))

        attention = mask & (select(rises, rises_mark, zero) | select(far, far_mark, zero))
        marks[ATTENTION + lane] = attention
        any_attention |= attention
        money[BEFORE + lane] = cash
        money[UNITS + lane] = units
        change = keep(mask, select(regular, net, np.nan))
        now = change + (cash if fees is None else merge(mask, owned, cash))
        money[CASH + lane] = now
        ended = unsigned(day_end + lane)
        day_equity[ended] = merge(mask, now, day_equity[ended])
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
def meet(purse, lane, i, equity, times, peak, peak_bar, lowest):  # type: ignore[no-untyped-def]
    """A bar's equity: a new peak, which ends a drawdown, or perhaps a new low.

    Returns
    -------
    peak, peak_bar, lowest
        As they are now; the caller keeps them at hand from bar to bar.
    """
    if equity < peak:
        return peak, peak_bar, min(lowest, equity)
    if i > peak_bar + 1:
        money, marks = purse.money, purse.marks
        span = times[i] - times[peak_bar]
        depth = 1.0 - lowest / peak
        marks[MAX_TIME + lane] = max(marks[MAX_TIME + lane], span)
        marks[SUM_TIME + lane] += span
        marks[DRAWDOWNS + lane] += 1
        money[SUM_DRAWDOWN + lane] += depth
        money[MAX_DRAWDOWN + lane] = max(money[MAX_DRAWDOWN + lane], depth)
    return equity, i, np.inf


@compiled_inner
def follow_bars(purse, lane, c, entries, market, account):  # type: ignore[no-untyped-def]
    """The lane's last trade bar by bar, for what `trade_row` could not tell."""
    money = purse.money
    close, times, _, market_move = market
    entry, last = np.int64(entries.entry[c]), np.int64(entries.exit[c])
    owned, size, paid = position(purse, lane, c, entries, market, account)
    is_far = purse.marks[ATTENTION + lane] & _FAR
    before = money[BEFORE + lane]
    peak, lowest = money[PEAK + lane], money[LOWEST + lane]
    peak_bar = np.int64(money[PEAK_BAR + lane])
    for i in range(entry + 1, last + 2):
        equity = owned + (close[i] * size - paid) if i <= last else money[CASH + lane]
        # Where it does not rise to the peak, its lowest is counted already.
        peak, peak_bar, lowest = meet(purse, lane, i, equity, times, peak, peak_bar, lowest)
        if is_far:
            money[COVARIANCE + lane] += log_ratio(equity, before) * market_move[i]
        before = equity
    money[PEAK + lane], money[PEAK_BAR + lane], money[LOWEST + lane] = peak, peak_bar, lowest


@compiled_inner
def hold_to_end(purse, lane, used, c, entries, market, account, day_equity):  # type: ignore[no-untyped-def]
    """A trade that stays open at the end of the data; returns the equity at the last bar."""
    money = purse.money
    close, times, day, market_move = market
    entry = np.int64(entries.entry[c])
    equity = money[BEFORE + lane] = money[CASH + lane]
    peak, lowest = money[PEAK + lane], money[LOWEST + lane]
    peak_bar = np.int64(money[PEAK_BAR + lane])
    if equity == peak:
        peak_bar, lowest = entry, np.inf
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
        peak, peak_bar, lowest = meet(purse, lane, i, equity, times, peak, peak_bar, lowest)
        money[COVARIANCE + lane] += log_ratio(equity, before) * market_move[i]
        day_equity[day[i] * used + lane] = equity
    money[PEAK + lane], money[PEAK_BAR + lane], money[LOWEST + lane] = peak, peak_bar, lowest
    return equity


@compiled_inner
def trade_sums(selection, purse, lane, entries, fees):  # type: ignore[no-untyped-def]
    """What the lane's trades add up to; makes the lane irregular where that holds too few digits.

    Returns
    -------
    TradeSums
    """
    money, lanes = purse.money, selection.lanes
    trades = lanes[TRADES + lane]
    if trades == 0:
        return TradeSums(
            -np.inf, np.inf, 0.0, 0.0, 0.0, 0.0, 0.0, np.int64(0), np.int64(0), 0.0, 0.0
        )
    if fees is None:
        ranked = entries.ranked
        best = ranked[lanes[BEST_RANK + lane]]
        worst = ranked[len(ranked) - 1 - lanes[WORST_RANK + lane]]
        wins, losses = np.int64(lanes[PLAIN_WINS + lane]), np.int64(lanes[PLAIN_LOSSES + lane])
    else:
        best, worst = money[BEST_TRADE + lane], money[WORST_TRADE + lane]
        wins, losses = np.int64(money[WINS + lane]), np.int64(money[LOSSES + lane])
    growth = money[GROWTH + lane]
    log_growth = np.nan
    if 1.0 + worst > 0.0:
        log_growth = math.log(growth)
        if not LEAST_GROWTH < growth < MOST_GROWTH:
            money[CASH + lane] = np.nan
    total, square = money[WON + lane] - money[PAID + lane], money[SQUARE + lane]
    scatter = square - total * total / trades
    if square != 0.0 and not scatter * _LOOSE_VARIANCE >= square * trades * _EPS:
        money[CASH + lane] = np.nan
    return TradeSums(
        best, worst, money[GAINED + lane], money[LOST + lane], log_growth, money[WON + lane],
        money[PAID + lane], wins, losses, total / trades, scatter,
    )  # fmt: skip


@compiled_inner
def finish_lane(selection, purse, lane, used, entries, market, account, fees, day_equity):  # type: ignore[no-untyped-def]
    """What the lane's walk adds up to; nothing to go by if the lane is irregular then."""
    money, marks = purse.money, purse.marks
    times = market.times
    end = len(market.close) - 1
    equity = money[CASH + lane]
    still_open = selection.lanes[OPEN + lane]
    if still_open >= 0:
        equity = hold_to_end(purse, lane, used, still_open, entries, market, account, day_equity)
    elif equity == money[PEAK + lane]:
        money[PEAK_BAR + lane] = end
    max_drawdown, sum_drawdown = money[MAX_DRAWDOWN + lane], money[SUM_DRAWDOWN + lane]
    drawdowns = marks[DRAWDOWNS + lane]
    max_time, sum_time = marks[MAX_TIME + lane], marks[SUM_TIME + lane]
    peak_bar = np.int64(money[PEAK_BAR + lane])
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
    max_held = np.int64(0)
    if selection.lanes[TRADES + lane]:
        max_held = entries.lengths[selection.lanes[LONGEST + lane]]
    return Tally(
        equity, money[PEAK + lane], money[COMMISSIONS + lane], money[COVARIANCE + lane],
        max_drawdown, sum_drawdown, drawdowns, max_time, sum_time,
        np.int64(selection.lanes[EXPOSED + lane]), max_held, marks[SUM_HELD + lane],
        np.int64(selection.lanes[TRADES + lane]), trade_sums(selection, purse, lane, entries, fees),
    )  # fmt: skip
