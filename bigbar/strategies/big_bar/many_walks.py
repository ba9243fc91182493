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

import numpy as np

from bigbar.compiled.jit import compiled_inner
from bigbar.compiled.logarithms import log_ratio
from bigbar.compiled.statistics import LEAST_GROWTH, MOST_GROWTH
from bigbar.compiled.tally import Tally, TradeSums
from bigbar.compiled.vectors import keep, merge, select, unsigned
from bigbar.strategies.big_bar.one_walk import affordable_units
from bigbar.strategies.big_bar.purse import (
    ATTENTION,
    BEFORE,
    BEST_TRADE,
    CASH,
    COMMISSIONS,
    COVARIANCE,
    DRAWDOWNS,
    GAINED,
    GROWTH,
    LOSSES,
    LOST,
    LOWEST,
    MAX_DRAWDOWN,
    MAX_TIME,
    PAID,
    PEAK,
    PEAK_BAR,
    SQUARE,
    SUM_DRAWDOWN,
    SUM_HELD,
    SUM_TIME,
    UNITS,
    WINS,
    WON,
    WORST_TRADE,
)
from bigbar.strategies.big_bar.row_trade import add_trade, follow_peak, outcome_of, row_trade
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
    FIRST,
    REACH,
    REACH_LIMIT,
)

#: Up to this share of it the variance may be off by, where it is made of sums of squares: of
#: profits that are nearly equal they would leave no digit.
_LOOSE_VARIANCE = 1e-10
_EPS = 2.0**-52

_RISES = 1  #: The trade reaches the old peak.
_FAR = 2  #: The covariance's series does not converge fast enough.


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
def trade_row(  # type: ignore[no-untyped-def]
    taken, purse, row, used, c, entry, last, entries, market, account, fees, gains, day_equity
):  # fmt: skip
    """One row through all lanes; returns whether any lane needs attention.

    `gains` is None where there are no fees and the trade loses, on every lane then: as with
    `fees`, that is compiled on its own, and adds up only what such a trade adds to.
    """
    money, marks = purse
    used = min(used, LANES)  # Tells the compiler that no index below is negative.
    trade = row_trade(c, entry, last, entries, market, account)
    terms = entries.terms[c]
    c0, c1, c2 = terms[FIRST], terms[FIRST + 1], terms[FIRST + 2]
    c3, c4, c5 = terms[FIRST + 3], terms[FIRST + 4], terms[FIRST + 5]
    reach, leverage, share = terms[REACH], account.leverage, account.share
    time_held = market.times[last] - market.times[entry]
    entry_bar, base, day_end = np.float64(entry), row * LANES, market.day[last + 1] * used
    zero, rises_mark, far_mark = np.int64(0), np.int64(_RISES), np.int64(_FAR)
    any_attention = np.int64(0)
    for lane in range(used):
        mask = -np.int64(taken[unsigned(base + lane)])
        cash = money[CASH + lane]
        done = outcome_of(trade, cash, leverage, fees)
        add_trade(money, lane, mask, done, fees, gains)
        regular, rises = follow_peak(money, lane, mask, trade, done, entry_bar)
        marks[SUM_HELD + lane] += mask & time_held

        off = (done.value - share * done.owned) / done.owned
        far = regular & (done.is_far | (not abs(off) * reach <= REACH_LIMIT))
        # In pairs: a processor works on the pairs at once, on Horner's rule step by step.
        square = off * off
        part = (c0 + off * c1) + square * ((c2 + off * c3) + square * (c4 + off * c5))
        money[COVARIANCE + lane] += keep(mask, select(far, 0.0, part + done.logarithms))

        attention = mask & (select(rises, rises_mark, zero) | select(far, far_mark, zero))
        marks[ATTENTION + lane] = attention
        any_attention |= attention
        money[BEFORE + lane] = cash
        money[UNITS + lane] = done.units
        change = keep(mask, select(regular, done.net, np.nan))
        now = change + (cash if fees is None else merge(mask, done.owned, cash))
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
