"""Trades: how they are opened, changed and closed, and what they come to.

The broker's own operations in its own order, so that equity has the same bits.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from bigbar.compiled.broker.orders import order_cancel, order_new, order_remove
from bigbar.compiled.broker.state import (
    ACTIVE,
    CASH,
    CFIX,
    CREL,
    E_ASSERT,
    E_CAP,
    E_ROOM,
    E_VALUE,
    E_ZERO,
    ERR,
    LEV,
    MOST_UNITS,
    NCL,
    NTAB,
    NTR,
    NTRMAX,
    OSERIAL,
    OSIZE,
    OSTOP,
    PINV,
    PLACED,
    PRICE,
    PSIZE,
    QUEUE,
    SPREAD,
    TALIVE,
    TCAP,
    TCLOSED,
    TCOMM,
    TEBAR,
    TENTRY,
    TEPY,
    TEXIT,
    TSIZE,
    TSL,
    TSLO,
    TTAG,
    TTP,
    TTPO,
    TXBAR,
    TXPY,
)
from bigbar.compiled.jit import compiled_apart, compiled_inner

#: From 3.12 on `sum` carries on what adding Python's floats rounds off. Prices are NumPy's floats,
#: which it adds as ever; but an order's own limit or stop is a Python float, and so is the price of
#: a trade that is filled there.
COMPENSATED = sys.version_info >= (3, 12)


@compiled_inner
def add(total, lost, pythonic, value, is_python):  # type: ignore[no-untyped-def]
    """One step of the compensated `sum`.

    Parameters
    ----------
    total, lost : float
        The sum so far, and what was rounded off of it.
    pythonic : int
        1 while all values were Python's floats.
    value : float
    is_python : float
        1 where it is a Python float.

    Returns
    -------
    total, lost, pythonic
        After the last step the sum is `total + lost`.
    """
    if pythonic and is_python:
        after = total + value
        if abs(total) >= abs(value):
            lost += (total - after) + value
        else:
            lost += (value - after) + total
        return after, lost, 1
    # What was lost is added when the first other number comes.
    return (total + lost) + value, 0.0, 0


@compiled_inner
def put_in(n, T, absolute):  # type: ignore[no-untyped-def]
    """Sum of the open trades' sizes times their entry prices."""
    total, lost, pythonic = 0.0, 0.0, 1
    for k in range(n[NTR]):
        t = n[ACTIVE + k]
        size = abs(T[t, TSIZE]) if absolute else T[t, TSIZE]
        value = size * T[t, TENTRY]
        if COMPENSATED:
            total, lost, pythonic = add(total, lost, pythonic, value, T[t, TEPY])
        else:
            total += value
    return total + lost


@compiled_inner
def trades_changed(f, n, T):  # type: ignore[no-untyped-def]
    """The position's size and what was paid for it: they stay until the trades change again."""
    size = 0.0
    for k in range(n[NTR]):
        size += T[n[ACTIVE + k], TSIZE]
    f[PSIZE] = size
    f[PINV] = put_in(n, T, False)


@compiled_inner
def margin_available(f, n, T):  # type: ignore[no-untyped-def]
    """What new orders can be paid from, without leverage."""
    used = 0.0
    for k in range(n[NTR]):
        used += abs(T[n[ACTIVE + k], TSIZE]) * f[PRICE] / f[LEV]
    left = f[CASH] + (f[PRICE] * f[PSIZE] - f[PINV]) - used
    return left if left > 0.0 else 0.0


@compiled_inner
def adjusted_price(f, size, price):  # type: ignore[no-untyped-def]
    """A price, or the last one for 0, with the spread: higher for who buys, lower for who sells."""
    return (price if price != 0.0 else f[PRICE]) * (1.0 + math.copysign(f[SPREAD], size))


@compiled_inner
def commission(f, size, price):  # type: ignore[no-untyped-def]
    """What an order of this size costs at this price."""
    return f[CFIX] + abs(size) * price * f[CREL]


@compiled_inner
def trade_new(f, n, T, Ti, size, price, is_python, bar, tag):  # type: ignore[no-untyped-def]
    """Add an open trade; `trades_changed` is left to the caller.

    Returns
    -------
    int
        Its number; -1 where there is no room.
    """
    t = n[NTAB]
    if t >= n[TCAP]:
        n[ERR] = E_ROOM
        return -1
    if n[NTR] >= NTRMAX or not abs(size) <= MOST_UNITS:
        n[ERR] = E_CAP
        return -1
    if not abs(price) > 0.0:
        n[ERR] = E_ZERO
        return -1
    n[NTAB] += 1
    T[t, TSIZE], T[t, TENTRY], T[t, TEXIT], T[t, TCOMM] = size, price, 0.0, 0.0
    T[t, TSL] = T[t, TTP] = 0.0
    Ti[t, TEBAR], Ti[t, TXBAR], Ti[t, TTAG] = bar, -1, tag
    Ti[t, TSLO] = Ti[t, TTPO] = -1
    T[t, TEPY], T[t, TXPY] = is_python, 0.0
    Ti[t, TALIVE] = 1
    n[ACTIVE + n[NTR]] = t
    n[NTR] += 1
    return t


@compiled_apart
def trade_end(f, n, T, Ti, t, price, is_python, bar):  # type: ignore[no-untyped-def]
    """Close a whole trade at a price."""
    k = 0
    while n[ACTIVE + k] != t:
        k += 1
    n[NTR] -= 1
    for j in range(k, n[NTR]):
        n[ACTIVE + j] = n[ACTIVE + j + 1]
    trades_changed(f, n, T)
    if Ti[t, TSLO] >= 0:
        order_remove(n, Ti[t, TSLO])
    if Ti[t, TTPO] >= 0:
        order_remove(n, Ti[t, TTPO])
    trade_settle(f, n, T, Ti, t, price, is_python, bar)


@compiled_inner
def trade_settle(f, n, T, Ti, t, price, is_python, bar):  # type: ignore[no-untyped-def]
    """Note how a trade was closed, and pay for it."""
    Ti[t, TALIVE] = 0
    # Their slots will be other orders'.
    Ti[t, TSLO] = Ti[t, TTPO] = -1
    if not abs(price) > 0.0:
        n[ERR] = E_ZERO  # An exit price of zero is none to the broker.
        return
    T[t, TEXIT] = price
    T[t, TXPY] = is_python
    Ti[t, TXBAR] = bar
    Ti[n[NCL], TCLOSED] = t
    n[NCL] += 1
    size, entry = T[t, TSIZE], T[t, TENTRY]
    paid = commission(f, size, price)
    f[CASH] += size * (price - entry) - paid
    T[t, TCOMM] = paid + commission(f, size, entry)


@compiled_inner
def trade_reduce(f, n, T, Ti, t, price, is_python, size, bar):  # type: ignore[no-untyped-def]
    """Close `size` units of a trade, or all of it: a copy of that size is closed."""
    left = T[t, TSIZE] + size
    closed = t
    if left != 0.0:
        T[t, TSIZE] = left
        if Ti[t, TSLO] >= 0:
            f[OSIZE + Ti[t, TSLO]] = -left
        if Ti[t, TTPO] >= 0:
            f[OSIZE + Ti[t, TTPO]] = -left
        closed = trade_new(f, n, T, Ti, -size, T[t, TENTRY], T[t, TEPY], Ti[t, TEBAR], Ti[t, TTAG])
    if closed >= 0:
        trade_end(f, n, T, Ti, closed, price, is_python, bar)


@compiled_apart
def trade_close(f, n, T, Ti, t, portion):  # type: ignore[no-untyped-def]
    """`trade.close(portion)`."""
    if not 0.0 < portion <= 1.0:
        n[ERR] = E_ASSERT
        return
    size = T[t, TSIZE]
    units = max(np.rint(abs(size) * portion), 1.0)
    order_new(f, n, math.copysign(units, -size), 0.0, 0.0, 0.0, 0.0, t, Ti[t, TTAG], True)


@compiled_inner
def trade_set(f, n, T, Ti, t, is_sl, price):  # type: ignore[no-untyped-def]
    """`trade.sl = price` or `trade.tp = price`.

    Parameters
    ----------
    f, n, T, Ti : ndarray
    t : int
        Number of the trade.
    is_sl : bool
    price : float
        0.0 is None, and takes the order away. (To Python the number 0 is an error.)
    """
    if price != 0.0 and not 0.0 < price < np.inf:
        n[ERR] = E_ASSERT
        return
    if not Ti[t, TALIVE]:
        n[ERR] = E_VALUE
        return
    o = Ti[t, TSLO]
    if is_sl and price != 0.0 and o >= 0 and n[QUEUE] == o:
        # Cancelled, it would make room for a new order at the very place.
        n[OSERIAL + o] = n[PLACED]
        n[PLACED] += 1
        f[OSTOP + o] = T[t, TSL] = price
    else:
        _contingent_anew(f, n, T, Ti, t, is_sl, price)


@compiled_apart
def _contingent_anew(f, n, T, Ti, t, is_sl, price):  # type: ignore[no-untyped-def]
    column = TSLO if is_sl else TTPO
    o = Ti[t, column]
    if o >= 0:
        order_cancel(f, n, T, Ti, o)
    if price == 0.0:
        return
    limit, stop = (0.0, price) if is_sl else (price, 0.0)
    o = order_new(f, n, -T[t, TSIZE], limit, stop, 0.0, 0.0, t, Ti[t, TTAG], is_sl)
    Ti[t, column] = o
    T[t, TSL if is_sl else TTP] = price
