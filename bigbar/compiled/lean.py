"""The short ways of the commonest fills: one trade at a time, for a market order.

A market order without open trades, a close of the only trade, both of them at once, and the
stop-loss or take-profit of the only trade come to the same as `bigbar.compiled.broker.fills` has
it, without the queue of orders; and on from there to the next bar that has to be visited. State is
that of the broker between bars, so that all else is the general way's, from any bar on.
"""

from __future__ import annotations

import numpy as np

from bigbar.compiled.ahead import can_be_ruined, first_marked, first_reached
from bigbar.compiled.broker.calls import trade_sl, trade_tp
from bigbar.compiled.broker.fills import (
    is_paid,
    open_trade,
    price_of_limit,
    price_of_stop,
    priced,
    units_for,
)
from bigbar.compiled.broker.state import (
    ACTIVE,
    BAR,
    CASH,
    CLOSE,
    ERR,
    FREE,
    HIGH,
    LOW,
    NFREE,
    NORD,
    NTR,
    OALIVE,
    OLIM,
    OPAR,
    OPEN,
    OSIZE,
    OSL,
    OSTOP,
    OTAG,
    OTP,
    PINV,
    PLACED,
    PRICE,
    PSIZE,
    QUEUE,
    TOC,
    TSIZE,
    TSL,
    TSLO,
    TTP,
    TTPO,
    release,
)
from bigbar.compiled.broker.trades import trade_set, trade_settle
from bigbar.compiled.jit import compiled_apart, compiled_inner
from bigbar.compiled.loop import loop_at, note_equity


@compiled_inner
def is_market(f, o):  # type: ignore[no-untyped-def]
    """Whether an order is filled at any price."""
    return f[OSTOP + o] == 0.0 and f[OLIM + o] == 0.0


@compiled_inner
def contingents(n, Ti, t):  # type: ignore[no-untyped-def]
    """How many orders wait as stop-loss or take-profit of a trade."""
    return (Ti[t, TSLO] >= 0) + (Ti[t, TTPO] >= 0)


@compiled_inner
def filled_next(f, n, T, Ti):  # type: ignore[no-untyped-def]
    """The orders that the next open fills, where that is all there is to it; see `is_simple`.

    Returns
    -------
    closing, opening : int
        The slots of an order that closes the only trade, and of a market order that comes after it;
        or -1. Both are -1 where other orders or trades are there.
    """
    waiting = n[NORD]
    if n[TOC]:
        return -1, -1
    opening = n[QUEUE + (waiting - 1)]
    if n[OPAR + opening] >= 0 or not is_market(f, opening):
        opening = -1
    if n[NTR] == 0:
        return -1, opening if waiting == 1 else -1
    t, closing = n[ACTIVE], n[QUEUE]
    is_all = is_market(f, closing) and abs(f[OSIZE + closing]) >= abs(T[t, TSIZE])
    others = 1 + contingents(n, Ti, t) + (opening >= 0)
    if n[OPAR + closing] == t and is_all and waiting == others:
        return closing, opening
    return -1, -1


@compiled_inner
def forget_orders(n):  # type: ignore[no-untyped-def]
    """Empty the queue, while no loop goes through it."""
    for k in range(n[NORD]):
        o = n[QUEUE + k]
        n[OALIVE + o] = 0
        n[FREE + n[NFREE]] = o
        n[NFREE] += 1
    n[NORD] = 0


@compiled_inner
def leave(f, n, T, Ti, price, is_python, bar):  # type: ignore[no-untyped-def]
    """Close the only trade; its orders are gone."""
    n[NTR] = 0
    f[PSIZE] = f[PINV] = 0.0
    trade_settle(f, n, T, Ti, n[ACTIVE], price, is_python, bar)


@compiled_inner
def enter(f, n, T, Ti, o, price, bar):  # type: ignore[no-untyped-def]
    """Fill a market order that no trade stands against; the trade, or -1 where it is not paid."""
    asked = f[OSIZE + o]
    adjusted, plus = priced(f, asked, price)
    size = units_for(f, n, T, asked, plus)
    if size == 0.0 or not is_paid(f, n, T, size, plus):
        return -1
    return open_trade(f, n, T, Ti, size, adjusted, 0.0, bar, n[OTAG + o])


@compiled_inner
def exit_price(M, is_long, sl, tp, bar):  # type: ignore[no-untyped-def]
    """What a trade is left at in a bar that reaches one of these, and `is_python`."""
    price = M[OPEN, bar]
    if sl != 0.0 and (M[LOW, bar] <= sl if is_long else M[HIGH, bar] >= sl):
        return price_of_stop(not is_long, sl, price)
    return price_of_limit(not is_long, tp, price)


@compiled_inner
def is_price(level):  # type: ignore[no-untyped-def]
    """Whether a stop-loss or take-profit is one that the broker takes, or none."""
    return 0.0 <= level < np.inf


@compiled_inner
def is_simple(f, n, marked, bar, stop):  # type: ignore[no-untyped-def]
    """Whether what is next could be one of the short ways.

    Parameters
    ----------
    marked : int
        The next bar, from `bar` on, on which `next` could do something.
    """
    if n[NORD] == 0 or n[NTR] > 1 or bar >= stop:
        return False
    return n[NTR] == 0 or marked > bar or is_market(f, n[QUEUE])


@compiled_apart
def by_short_way(place, bar, at_flat, at_inside):  # type: ignore[no-untyped-def]
    """What the broker does from a bar on, where that is one of the short ways.

    Parameters
    ----------
    place : int
        Of what `bigbar.compiled.loop.LOOP` says.
    bar : int
        The one after the bar that was visited; it `is_simple`.
    at_flat, at_inside : int
        See `bigbar.compiled.ahead.next_marked`.

    Returns
    -------
    known : bool
        Whether it is; if not, nothing has changed.
    bar, at_flat, at_inside : int
        See `bigbar.compiled.ahead.next_marked`.
    """
    (
        _, f, n, M, _, _, _, T, Ti, segments, stop, _, flat, inside, tops, bottoms, lowest, highest,
    ) = loop_at(place)  # fmt: skip
    closing, opening = filled_next(f, n, T, Ti)
    t, sl, tp = -1, 0.0, 0.0
    is_new = closing >= 0 or opening >= 0
    if is_new:
        release(n)
        n[BAR] = bar
        f[PRICE], price = M[CLOSE, bar], M[OPEN, bar]
        forget_orders(n)
        if closing >= 0:
            leave(f, n, T, Ti, price, 0.0, bar)
        if opening >= 0:
            t = enter(f, n, T, Ti, opening, price, bar)
            sl, tp = f[OSL + opening], f[OTP + opening]
        if n[ERR]:
            return True, bar, at_flat, at_inside
    elif n[NTR] == 0 or n[NORD] != contingents(n, Ti, n[ACTIVE]):
        return False, bar, at_flat, at_inside
    else:
        t = n[ACTIVE]
        sl, tp = trade_sl(f, n, Ti, t), trade_tp(f, n, Ti, t)
    if t >= 0:
        at_inside = first_marked(inside, at_inside, bar)
        marked = min(inside[at_inside], stop)
        if can_be_ruined(f, n, lowest, highest) or not (is_price(sl) and is_price(tp)):
            marked = bar
        is_long, end = T[t, TSIZE] > 0.0, marked
        if sl != 0.0 or tp != 0.0:
            low, high = (sl, tp) if is_long else (tp, sl)
            above = high if high != 0.0 else np.inf
            below = low if low != 0.0 else -np.inf
            end = first_reached(M, tops, bottoms, above, below, bar, marked)
        if is_new and end > bar:
            note_equity(f, n, segments, bar, f[CASH], f[PSIZE], f[PINV])
        if end == marked:
            if is_new and tp != 0.0:
                trade_set(f, n, T, Ti, t, False, tp)
            if is_new and sl != 0.0:
                trade_set(f, n, T, Ti, t, True, sl)
            return True, marked, at_flat, at_inside
        if is_new:
            T[t, TSL], T[t, TTP] = sl, tp
            n[PLACED] += (sl != 0.0) + (tp != 0.0)
        forget_orders(n)
        price, is_python = exit_price(M, is_long, sl, tp, end)
        leave(f, n, T, Ti, price, is_python, end)
        bar = end
    if f[CASH] > 0.0:
        note_equity(f, n, segments, bar, f[CASH], 0.0, 0.0)
        at_flat = first_marked(flat, at_flat, bar)
        bar = min(flat[at_flat], stop)
    return True, bar, at_flat, at_inside
