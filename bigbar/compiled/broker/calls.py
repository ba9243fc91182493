"""What a strategy's `next` asks of the broker, besides what it reads from the arrays itself."""

from __future__ import annotations

import math

import numpy as np

from bigbar.compiled.broker.orders import is_contingent, order_cancel, order_new
from bigbar.compiled.broker.state import (
    ACTIVE,
    CASH,
    E_ASSERT,
    E_INDEX,
    E_VALUE,
    ERR,
    EXCL,
    MOST_UNITS,
    NCL,
    NORD,
    NTR,
    OLIM,
    OSTOP,
    PINV,
    PRICE,
    PSIZE,
    QUEUE,
    TCLOSED,
    TCOMM,
    TENTRY,
    TEXIT,
    TSIZE,
    TSLO,
    TTPO,
)
from bigbar.compiled.broker.trades import adjusted_price, put_in, trade_close
from bigbar.compiled.jit import compiled_apart, compiled_inner


@compiled_apart
def order_place(f, n, T, Ti, size, limit, stop, sl, tp, tag):  # type: ignore[no-untyped-def]
    """`self.buy(...)` or `self.sell(...)`.

    Parameters
    ----------
    f, n, T, Ti : ndarray
    size : float
        Negative to sell.
    limit, stop, sl, tp : float
        0.0 is None.
    tag : int
        0 is None.

    Returns
    -------
    int
        The order's slot; -1 after an error.
    """
    units = abs(size)
    if not (0.0 < units < 1.0 or (np.rint(units) == units and 1.0 <= units <= MOST_UNITS)):
        n[ERR] = E_ASSERT
        return -1
    price = adjusted_price(f, size, 0.0)
    if limit != 0.0:
        price = limit
    elif stop != 0.0:
        price = stop
    below, above = (sl, tp) if size > 0.0 else (tp, sl)
    if below == 0.0:
        below = -np.inf
    if above == 0.0:
        above = np.inf
    if not below < price < above:
        n[ERR] = E_VALUE
        return -1
    if n[EXCL]:
        k = 0
        while k < n[NORD]:  # Cancelling while iterating skips every second order.
            o = n[QUEUE + k]
            if not is_contingent(n, Ti, o):
                order_cancel(f, n, T, Ti, o)
            k += 1
        position_close(f, n, T, Ti, 1.0)
    return order_new(f, n, size, limit, stop, sl, tp, -1, tag, False)


@compiled_inner
def position_close(f, n, T, Ti, portion):  # type: ignore[no-untyped-def]
    """`position.close(portion)`."""
    for k in range(n[NTR]):
        trade_close(f, n, T, Ti, n[ACTIVE + k], portion)


@compiled_inner
def pos_pl(f, n, T):  # type: ignore[no-untyped-def]
    """`position.pl`."""
    return f[PRICE] * f[PSIZE] - f[PINV]


@compiled_inner
def pos_pl_pct(f, n, T):  # type: ignore[no-untyped-def]
    """`position.pl_pct`."""
    invested = put_in(n, T, True)
    return pos_pl(f, n, T) / invested * 100.0 if invested != 0.0 else 0.0


@compiled_inner
def equity(f, n, T):  # type: ignore[no-untyped-def]
    """`self.equity`."""
    return f[CASH] + (f[PRICE] * f[PSIZE] - f[PINV])


@compiled_inner
def trade_price(f, T, t):  # type: ignore[no-untyped-def]
    """A trade's exit price; the last price while it is open."""
    return T[t, TEXIT] if T[t, TEXIT] != 0.0 else f[PRICE]


@compiled_inner
def trade_pl(f, T, t):  # type: ignore[no-untyped-def]
    """`trade.pl`, open or closed."""
    return T[t, TSIZE] * (trade_price(f, T, t) - T[t, TENTRY]) - T[t, TCOMM]


@compiled_inner
def trade_pl_pct(f, T, t):  # type: ignore[no-untyped-def]
    """`trade.pl_pct`, open or closed."""
    size, entry = T[t, TSIZE], T[t, TENTRY]
    made = math.copysign(1.0, size) * (trade_price(f, T, t) / entry - 1.0)
    return made - T[t, TCOMM] / (abs(size) * entry)


@compiled_inner
def trade_value(f, T, t):  # type: ignore[no-untyped-def]
    """`trade.value`, open or closed."""
    return abs(T[t, TSIZE]) * trade_price(f, T, t)


@compiled_inner
def trade_sl(f, n, Ti, t):  # type: ignore[no-untyped-def]
    """`trade.sl` of an open trade; 0.0 is None. `T[t, TSL]` has it of closed ones, too."""
    o = Ti[t, TSLO]
    return f[OSTOP + o] if o >= 0 else 0.0


@compiled_inner
def trade_tp(f, n, Ti, t):  # type: ignore[no-untyped-def]
    """`trade.tp` of an open trade; 0.0 is None. `T[t, TTP]` has it of closed ones, too."""
    o = Ti[t, TTPO]
    return f[OLIM + o] if o >= 0 else 0.0


@compiled_inner
def place_in(n, k, count):  # type: ignore[no-untyped-def]
    """An index of a sequence, counted from its beginning; 0 after an error."""
    place = k + count if k < 0 else k
    if 0 <= place < count:
        return place
    n[ERR] = E_INDEX
    return 0


@compiled_inner
def trade_at(n, k):  # type: ignore[no-untyped-def]
    """The trade `self.trades[k]`."""
    return n[ACTIVE + place_in(n, k, n[NTR])]


@compiled_inner
def closed_at(n, Ti, k):  # type: ignore[no-untyped-def]
    """The trade `self.closed_trades[k]`."""
    return Ti[place_in(n, k, n[NCL]), TCLOSED]


@compiled_inner
def order_at(n, k):  # type: ignore[no-untyped-def]
    """The order `self.orders[k]`."""
    return n[QUEUE + place_in(n, k, n[NORD])]
