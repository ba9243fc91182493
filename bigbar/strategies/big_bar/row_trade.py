"""One candidate's trade in many lanes: what it comes to in each, and what it adds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bigbar.compiled.jit import compiled_inner
from bigbar.compiled.logarithms import SERIES_LIMIT, log_series
from bigbar.compiled.vectors import keep, merge, select
from bigbar.strategies.big_bar.purse import (
    BEST_TRADE,
    CASH,
    COMMISSIONS,
    GAINED,
    GROWTH,
    LOSSES,
    LOST,
    LOWEST,
    PAID,
    PEAK,
    PEAK_BAR,
    SQUARE,
    WINS,
    WON,
    WORST_TRADE,
)
from bigbar.strategies.big_bar.trade_terms import BEST, WORST

#: Up to this the quotient of budget and price is off by a whole number at most once: its rounding
#: and the check's are a few 2**-53 of it. Prices and cash on a grid of ticks do meet that.
_SURE_UNITS = 2.0**48


@compiled_inner
def cost(units, fill, price, fixed, relative):  # type: ignore[no-untyped-def]
    """What the broker's margin check counts an order as."""
    return units * (fill + (fixed + units * price * relative) / units)


@compiled_inner
def one_step(units, spent, too_much, budget):  # type: ignore[no-untyped-def]
    """The most units that the broker accepts, given an estimate's cost and one more's."""
    return units + (select(too_much <= budget, 1.0, 0.0) - select(spent > budget, 1.0, 0.0))


class RowTrade(NamedTuple):
    """What all lanes of a row have in common: one candidate's trade, per unit.

    Attributes
    ----------
    side : float
        1 for long, -1 for short.
    price, exit_price, fill : float
        Closes, and the entry's with the spread.
    per_fill, signed_fill : float
        One over the fill, and the fill times the side.
    move : float
        Profit of a unit before fees.
    made : float
        Return before fees.
    best, worst : float
        Signed value of a unit at the best close, and the worst.
    in_move, out_move : float
        The market's move into the bars after entry and exit.
    """

    side: float
    price: float
    exit_price: float
    fill: float
    per_fill: float
    signed_fill: float
    move: float
    made: float
    best: float
    worst: float
    in_move: float
    out_move: float


@compiled_inner
def row_trade(c, entry, last, entries, market, account):  # type: ignore[no-untyped-def]
    """The trade of a candidate."""
    side = np.float64(entries.direction[c])
    price, exit_price = market.close[entry], market.close[last]
    fill = price * (1.0 + side * account.spread)
    terms = entries.terms[c]
    return RowTrade(
        side, price, exit_price, fill, 1.0 / fill, side * fill, side * (exit_price - fill),
        entries.returns[c], terms[BEST], terms[WORST], market.market[entry + 1],
        market.market[last + 1],
    )  # fmt: skip


class Outcome(NamedTuple):
    """What a lane's trade comes to, if the lane takes it.

    Attributes
    ----------
    units, value : float
        And their worth at the fill.
    owned : float
        Cash after the entry fee.
    net, profit : float
        Without the exit fee, and without both.
    fees, made : float
        Both fees, and the return.
    logarithms : float
        What the fees add to the covariance.
    is_far : bool
        Whether a series for these does not converge fast enough.
    """

    units: float
    value: float
    owned: float
    net: float
    profit: float
    fees: float
    made: float
    logarithms: float
    is_far: bool


@compiled_inner
def outcome_of(trade, cash, leverage, fees):  # type: ignore[no-untyped-def]
    """The broker's arithmetic, in its order."""
    budget = cash * leverage
    if fees is None:
        units = np.floor(budget * trade.per_fill)
        units = one_step(units, units * trade.fill, (units + 1.0) * trade.fill, budget)
        profit = units * trade.move
        return Outcome(units, units * trade.fill, cash, profit, profit, 0.0, trade.made, 0.0, False)
    fixed, relative = fees
    price, fill = trade.price, trade.fill
    units = np.floor((budget - fixed) / (fill + price * relative))
    spent = cost(units, fill, price, fixed, relative)
    too_much = cost(units + 1.0, fill, price, fixed, relative)
    units = one_step(units, spent, too_much, budget)
    value = units * fill
    entry_fee = fixed + value * relative
    exit_fee = fixed + units * trade.exit_price * relative
    both = exit_fee + entry_fee
    owned = cash - entry_fee
    moved = units * trade.move
    net = moved - exit_fee
    before_exit = owned + (units * (trade.side * trade.exit_price) - units * trade.signed_fill)
    after = owned + net
    z_in = (owned - cash) / (owned + cash)
    z_out = (after - before_exit) / (after + before_exit)
    logarithms = log_series(z_in) * trade.in_move + log_series(z_out) * trade.out_move
    is_far = (abs(z_in) > SERIES_LIMIT) | (abs(z_out) > SERIES_LIMIT)
    made = trade.made - both / value
    return Outcome(units, value, owned, net, moved - both, both, made, logarithms, is_far)


@compiled_inner
def add_trade(money, lane, mask, done, fees, gains):  # type: ignore[no-untyped-def]
    """Add a lane's trade to what its trades come to."""
    made, kept = done.made, keep(mask, done.profit)
    if fees is not None:
        gained, lost = select(made > 0.0, made, 0.0), select(made < 0.0, -made, 0.0)
        most, least = money[BEST_TRADE + lane] + 0.0, money[WORST_TRADE + lane] + 0.0
        made_most, made_least = merge(mask, made, -np.inf), merge(mask, made, np.inf)
        money[BEST_TRADE + lane] = select(made_most > most, made_most, most)
        money[WORST_TRADE + lane] = select(made_least < least, made_least, least)
        money[WINS + lane] += keep(mask, select(done.profit > 0.0, 1.0, 0.0))
        money[LOSSES + lane] += keep(mask, select(done.profit < 0.0, 1.0, 0.0))
        money[COMMISSIONS + lane] += keep(mask, done.fees)
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
    money[GROWTH + lane] *= merge(mask, 1.0 + made, 1.0)
    money[SQUARE + lane] += kept * kept


@compiled_inner
def follow_peak(money, lane, mask, trade, done, entry_bar):  # type: ignore[no-untyped-def]
    """Peak and lowest of a lane after its trade.

    Returns
    -------
    regular : bool
        Whether the trade is one that is not left out here.
    rises : bool
        Whether it reaches the old peak.
    """
    cash, peak = money[CASH + lane], money[PEAK + lane]
    paid = done.units * trade.signed_fill
    highest = done.owned + (done.units * trade.best - paid)
    lowest = done.owned + (done.units * trade.worst - paid)
    after = done.owned + done.net
    highest = select(after > highest, after, highest)
    lowest = select(after < lowest, after, lowest)
    rises = highest >= peak
    # In all of these a neutral value stands where nothing changes: see `select`. Adding zero
    # hides that the other value is what stands there already: see `keep`.
    peak_bar = money[PEAK_BAR + lane] + 0.0
    peak_now = keep(mask, select(cash == peak, entry_bar, 0.0))
    money[PEAK_BAR + lane] = select(peak_now > peak_bar, peak_now, peak_bar)
    low_before = money[LOWEST + lane] + 0.0  # Infinity at a peak: `meet` has been there.
    low_now = merge(mask, select(rises, np.inf, lowest), np.inf)
    money[LOWEST + lane] = select(low_now < low_before, low_now, low_before)
    regular = (done.units >= 1.0) & (done.units <= _SURE_UNITS) & (lowest > 0.0)
    return regular, rises
