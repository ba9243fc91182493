"""A bar's fills: what `_Broker._process_orders` and `_Broker.next` do."""

from __future__ import annotations

import math

import numpy as np

from bigbar.compiled.broker.orders import is_contingent, order_remove
from bigbar.compiled.broker.state import (
    ACTIVE,
    BAR,
    CASH,
    CLOSE,
    E_ASSERT,
    E_CAP,
    E_VALUE,
    E_ZERO,
    ERR,
    HEDGE,
    HIGH,
    LEV,
    LOW,
    MOST_UNITS,
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
    PARTED,
    PINV,
    PRICE,
    PSIZE,
    QUEUE,
    SNAP,
    SNAPT,
    TALIVE,
    TOC,
    TSIZE,
    release,
)
from bigbar.compiled.broker.trades import (
    adjusted_price,
    commission,
    margin_available,
    trade_close,
    trade_end,
    trade_new,
    trade_reduce,
    trade_set,
    trades_changed,
)
from bigbar.compiled.jit import compiled_apart, compiled_inner, compiled_within

#: Four times what a quotient can be rounded by, as a part of it.
_UNSURE = 2.0**-51


@compiled_inner
def can_fill(f, n, high, low):  # type: ignore[no-untyped-def]
    """Whether the broker would do anything about an order in a bar with these prices."""
    for k in range(n[NORD]):
        o = n[QUEUE + k]
        stop, limit, is_long = f[OSTOP + o], f[OLIM + o], f[OSIZE + o] > 0.0
        if stop != 0.0:
            if high >= stop if is_long else low <= stop:
                return True
        elif limit == 0.0 or (low <= limit if is_long else high >= limit):
            return True
    return False


@compiled_inner
def price_of_limit(is_long, limit, price):  # type: ignore[no-untyped-def]
    """What a limit order is filled at that is hit in a bar of this price, and `is_python`."""
    return (limit, 1.0) if (limit < price if is_long else limit > price) else (price, 0.0)


@compiled_inner
def price_of_stop(is_long, stop, price):  # type: ignore[no-untyped-def]
    """What a stop order is filled at that is hit in a bar of this price, and `is_python`."""
    return (stop, 1.0) if (stop > price if is_long else stop < price) else (price, 0.0)


@compiled_inner
def fill_price(f, n, M, o, stop, contingent):  # type: ignore[no-untyped-def]
    """Where an order whose stop, if any, was hit is filled in this bar.

    Returns
    -------
    filled : bool
    price : float
    is_python : float
        1 where the price is a Python float, one of the order's own.
    bar : int
        Bar of entry or exit.
    """
    bar = n[BAR]
    is_long, limit = f[OSIZE + o] > 0.0, f[OLIM + o]
    if limit != 0.0:
        if not (M[LOW, bar] <= limit if is_long else M[HIGH, bar] >= limit):
            return False, 0.0, 0.0, bar
        # Where both are hit, the limit is taken to have come before the stop.
        if stop != 0.0 and (limit <= stop if is_long else limit >= stop):
            return False, 0.0, 0.0, bar
        price, is_python = price_of_limit(is_long, limit, stop if stop != 0.0 else M[OPEN, bar])
        return True, price, 1.0 if stop != 0.0 else is_python, bar
    on_close = n[TOC] == 1 and not contingent
    price = M[CLOSE, bar - 1] if on_close else M[OPEN, bar]
    if stop == 0.0:
        return True, price, 0.0, bar - 1 if on_close else bar
    price, is_python = price_of_stop(is_long, stop, price)
    return True, price, is_python, bar


@compiled_inner
def close_by_order(f, n, T, Ti, o, contingent, price, is_python, bar):  # type: ignore[no-untyped-def]
    """Fill an order that closes its parent trade, or a part of it."""
    t, size = n[OPAR + o], f[OSIZE + o]
    # By an earlier order a part of the trade may be closed already, or all of it.
    size = math.copysign(min(abs(T[t, TSIZE]), abs(size)), size)
    if Ti[t, TALIVE]:
        if abs(size) < abs(T[t, TSIZE]):
            n[PARTED] = 1
        trade_reduce(f, n, T, Ti, t, price, is_python, size, bar)
    if contingent:
        if n[OALIVE + o]:
            n[ERR] = E_ASSERT
    else:
        order_remove(n, o)


@compiled_inner
def priced(f, asked, price):  # type: ignore[no-untyped-def]
    """What an order is filled at with the spread, and what one unit of it comes to in all."""
    adjusted = adjusted_price(f, asked, price)
    return adjusted, adjusted + commission(f, asked, price) / abs(asked)


@compiled_inner
def units_for(f, n, T, asked, plus):  # type: ignore[no-untyped-def]
    """The units of an order, for a share of what is available too; 0.0 where none can be paid."""
    if not -1.0 < asked < 1.0:
        return asked
    if plus == 0.0:
        n[ERR] = E_ZERO
        return 0.0
    units = floor_divided(margin_available(f, n, T) * f[LEV] * abs(asked), plus)
    if not abs(units) <= MOST_UNITS:
        n[ERR] = E_CAP
        return 0.0
    return math.copysign(units, asked)


@compiled_inner
def floor_divided(a, b):  # type: ignore[no-untyped-def]
    """`a // b`.

    Where the quotient is no whole number by more than it can be rounded, its digits say it all;
    only elsewhere the remainder is needed, whose making takes ten times as long.
    """
    quotient = a / b
    whole = np.floor(quotient)
    unsure = _UNSURE * quotient
    if 0.0 < quotient < MOST_UNITS and unsure < quotient - whole < 1.0 - unsure:
        return whole
    return a // b


@compiled_inner
def is_paid(f, n, T, size, plus):  # type: ignore[no-untyped-def]
    """Whether what is available is enough for so many units."""
    return not abs(size) * plus > margin_available(f, n, T) * f[LEV]


@compiled_inner
def open_trade(f, n, T, Ti, size, adjusted, is_python, bar, tag):  # type: ignore[no-untyped-def]
    """Open a trade and pay for it; its number, or -1 after an error."""
    t = trade_new(f, n, T, Ti, size, adjusted, is_python, bar, tag)
    if t >= 0:
        trades_changed(f, n, T)
        f[CASH] -= commission(f, size, adjusted)
    return t


@compiled_inner
def close_opposite(f, n, T, Ti, size, price, is_python, bar):  # type: ignore[no-untyped-def]
    """Close trades that face the other way, the oldest first; returns the units that are left."""
    count = n[NTR]
    for k in range(count):
        n[SNAPT + k] = n[ACTIVE + k]
    is_long = size > 0.0
    for k in range(count):
        t = n[SNAPT + k]
        other = T[t, TSIZE]
        if (other > 0.0) == is_long:
            continue
        if abs(size) >= abs(other):
            trade_end(f, n, T, Ti, t, price, is_python, bar)
            size += other
        else:
            trade_reduce(f, n, T, Ti, t, price, is_python, size, bar)
            size = 0.0
        if size == 0.0:
            break
    return size


@compiled_inner
def open_by_order(f, n, M, T, Ti, o, stop, price, is_python, bar):  # type: ignore[no-untyped-def]
    """Fill an order that stands alone.

    Returns
    -------
    bool
        Whether the stop-loss or take-profit of the new trade can be filled in the same bar, so that
        all orders have to be processed again.
    """
    asked = f[OSIZE + o]
    is_long = asked > 0.0
    if price == 0.0:
        is_python = 0.0
    adjusted, plus = priced(f, asked, price)
    size = units_for(f, n, T, asked, plus)
    if size == 0.0:
        if not n[ERR]:
            order_remove(n, o)
        return False
    if not n[HEDGE]:
        size = close_opposite(f, n, T, Ti, size, price, is_python, bar)
    if not is_paid(f, n, T, size, plus):
        order_remove(n, o)
        return False
    again = False
    if size != 0.0:
        t = open_trade(f, n, T, Ti, size, adjusted, is_python, bar, n[OTAG + o])
        if t < 0:
            return False
        sl, tp = f[OSL + o], f[OTP + o]
        if tp != 0.0:
            trade_set(f, n, T, Ti, t, False, tp)
        if sl != 0.0:
            trade_set(f, n, T, Ti, t, True, sl)
        if stop == 0.0 and f[OLIM + o] == 0.0:
            again = sl != 0.0 or tp != 0.0
        elif stop != 0.0 and f[OLIM + o] == 0.0 and tp != 0.0:
            high, low = M[HIGH, n[BAR]], M[LOW, n[BAR]]
            if is_long:
                again = tp <= high and (sl == 0.0 or sl < low)
            else:
                again = tp >= low and (sl == 0.0 or sl > high)
    order_remove(n, o)
    return again


@compiled_apart
def process_orders(f, n, M, T, Ti):  # type: ignore[no-untyped-def]
    """`_Broker._process_orders` for the bar `n[BAR]`."""
    high, low = M[HIGH, n[BAR]], M[LOW, n[BAR]]
    again = True
    while again:
        again = False
        release(n)
        count = n[NORD]
        for k in range(count):
            n[SNAP + k] = n[QUEUE + k]
        for k in range(count):
            o = n[SNAP + k]
            if not n[OALIVE + o]:
                continue
            stop = f[OSTOP + o]
            if stop != 0.0:
                if not (high >= stop if f[OSIZE + o] > 0.0 else low <= stop):
                    continue
                f[OSTOP + o] = 0.0  # From here on it is a market or limit order.
            contingent = is_contingent(n, Ti, o)
            filled, price, is_python, bar = fill_price(f, n, M, o, stop, contingent)
            if not filled:
                continue
            if n[OPAR + o] >= 0:
                close_by_order(f, n, T, Ti, o, contingent, price, is_python, bar)
            elif open_by_order(f, n, M, T, Ti, o, stop, price, is_python, bar):
                again = True
            if n[ERR]:
                return


@compiled_within
def broker_next(f, n, M, T, Ti):  # type: ignore[no-untyped-def]
    """`_Broker.next` for the bar `n[BAR]`; returns False after ruin or an error."""
    bar = n[BAR]
    f[PRICE] = M[CLOSE, bar]
    release(n)
    if n[NORD] and can_fill(f, n, M[HIGH, bar], M[LOW, bar]):
        process_orders(f, n, M, T, Ti)
        if n[ERR]:
            return False
    if f[CASH] + (f[PRICE] * f[PSIZE] - f[PINV]) > 0.0:
        return True
    ruin(f, n, T, Ti)
    return False


@compiled_apart
def ruin(f, n, T, Ti):  # type: ignore[no-untyped-def]
    """What is done where equity is not positive."""
    if not f[CASH] + (f[PRICE] * f[PSIZE] - f[PINV]) <= 0.0:
        n[ERR] = E_VALUE  # It is not a number, and the broker would go on with that.
        return
    if margin_available(f, n, T) > 0.0:
        n[ERR] = E_ASSERT
        return
    k = 0
    while k < n[NTR]:  # Closing while iterating skips every second trade.
        trade_end(f, n, T, Ti, n[ACTIVE + k], f[PRICE], 0.0, n[BAR])
        k += 1
    f[CASH] = 0.0


@compiled_inner
def close_all(f, n, T, Ti):  # type: ignore[no-untyped-def]
    """What `finalize_trades` does before the broker comes to the last bar once more."""
    for k in range(n[NTR] - 1, -1, -1):
        trade_close(f, n, T, Ti, n[ACTIVE + k], 1.0)
