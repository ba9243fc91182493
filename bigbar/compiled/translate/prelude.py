"""What translated code calls, besides the broker.

Where Python would raise, these leave an error code in `n[ERR]`, and the combination is run by
`backtesting.py`: what they return then does not matter.
"""

from __future__ import annotations

import math

import numpy as np

from bigbar.compiled.broker.calls import (
    equity,
    order_place,
    pos_pl,
    pos_pl_pct,
    position_close,
    trade_pl,
    trade_pl_pct,
    trade_sl,
    trade_tp,
    trade_value,
)
from bigbar.compiled.broker.orders import is_contingent, order_cancel
from bigbar.compiled.broker.state import (
    ACTIVE,
    CASH,
    CFIX,
    CREL,
    E_ASSERT,
    E_INDEX,
    E_VALUE,
    E_ZERO,
    ERR,
    LEV,
    NCL,
    NN,
    NORD,
    NTR,
    OLIM,
    OSIZE,
    OSL,
    OSTOP,
    OTAG,
    OTP,
    PRICE,
    PSIZE,
    QUEUE,
    SPREAD,
    TCLOSED,
    TEBAR,
    TENTRY,
    TEXIT,
    TSIZE,
    TTAG,
    TXBAR,
)
from bigbar.compiled.broker.trades import (
    adjusted_price,
    commission,
    margin_available,
    trade_close,
    trade_set,
)
from bigbar.compiled.jit import compiled_inner
from bigbar.compiled.translate.values import MOST_WHOLE
from bigbar.compiled.vectors import unsigned

#: What a program finds here.
__all__ = [
    "ACTIVE", "CASH", "CFIX", "CREL", "ERR", "E_ASSERT", "E_INDEX", "E_VALUE", "E_ZERO", "LEV",
    "NCL", "NN", "NORD", "NTR", "OLIM", "OSIZE", "OSL", "OSTOP", "OTAG", "OTP", "PRICE", "PSIZE",
    "QUEUE", "ROWS", "SPREAD", "TCLOSED", "TEBAR", "TENTRY", "TEXIT", "TSIZE", "TTAG", "TXBAR",
    "adjusted_price", "bound", "commission", "contingent", "equity", "fits", "is_contingent",
    "kept_time", "kept_whole", "margin_available", "math", "needed", "nonzero", "np_maximum",
    "np_minimum", "np_round", "order_cancel", "order_place", "place", "pos_pl", "pos_pl_pct",
    "position_close", "power", "priced", "product", "py_max", "py_min", "root", "sized",
    "slice_end", "total_seconds", "trade_close", "trade_pl", "trade_pl_pct", "trade_set",
    "trade_sl", "trade_tp", "trade_value", "unless", "unsigned", "was_set", "whole", "whole_power",
]  # fmt: skip

#: Where the numbers of a program's rows begin.
ROWS = NN


@compiled_inner
def py_min(a, b):  # type: ignore[no-untyped-def]
    """`min(a, b)`: the first of two that are equal, or not comparable."""
    return b if b < a else a


@compiled_inner
def py_max(a, b):  # type: ignore[no-untyped-def]
    """`max(a, b)`: the first of two that are equal, or not comparable."""
    return b if b > a else a


@compiled_inner
def nonzero(n, x):  # type: ignore[no-untyped-def]
    """A divisor: zero raises."""
    if x == 0:
        n[ERR] = E_ZERO
        return x + 1
    return x


@compiled_inner
def needed(n, x, none):  # type: ignore[no-untyped-def]
    """A number that must not be None."""
    if none:
        n[ERR] = E_VALUE
    return x


@compiled_inner
def bound(n, x, is_bound):  # type: ignore[no-untyped-def]
    """A local name that must have been assigned."""
    if not is_bound:
        n[ERR] = E_VALUE
    return x


@compiled_inner
def unless(n, x, raises):  # type: ignore[no-untyped-def]
    """A value found by Python, unless finding it raised."""
    if raises != 0.0:
        n[ERR] = E_VALUE
    return x


@compiled_inner
def was_set(n, S, place):  # type: ignore[no-untyped-def]
    """An attribute that `next` must have assigned by now."""
    if S[place + 1] == 2.0:
        n[ERR] = E_VALUE
    return S[place]


@compiled_inner
def fits(n, x):  # type: ignore[no-untyped-def]
    """A whole number that must not be too large to be exact."""
    if not -MOST_WHOLE <= x <= MOST_WHOLE:
        n[ERR] = E_VALUE
        return x * 0
    return x


@compiled_inner
def product(n, x, y):  # type: ignore[no-untyped-def]
    """`x * y` of whole numbers."""
    if not abs(float(x) * float(y)) <= MOST_WHOLE:
        n[ERR] = E_VALUE
        return x * 0
    return x * y


@compiled_inner
def kept_time(n, x, tick):  # type: ignore[no-untyped-def]
    """A time that is kept as a number of ticks."""
    if x % tick != 0:
        n[ERR] = E_VALUE
    return float(x // tick)


@compiled_inner
def kept_whole(n, x):  # type: ignore[no-untyped-def]
    """A whole number that is kept as a float."""
    if not -MOST_WHOLE <= x <= MOST_WHOLE:
        n[ERR] = E_VALUE
    return float(x)


@compiled_inner
def sized(n, x):  # type: ignore[no-untyped-def]
    """A size as `Strategy.buy` and `sell` take it."""
    if not (0.0 < x < 1.0 or (np.rint(x) == x and x >= 1.0)):
        n[ERR] = E_ASSERT
        return 1.0
    return x


@compiled_inner
def priced(n, x):  # type: ignore[no-untyped-def]
    """A price of an order: zero, which the broker takes for none, goes to Python."""
    if x == 0.0:
        n[ERR] = E_VALUE
    return x


@compiled_inner
def contingent(n, x):  # type: ignore[no-untyped-def]
    """A price for a trade's sl or tp."""
    if not 0.0 < x < np.inf:
        n[ERR] = E_ASSERT
        return 1.0
    return x


@compiled_inner
def whole(n, x):  # type: ignore[no-untyped-def]
    """`int(x)`; NaN and inf raise."""
    if not abs(x) < MOST_WHOLE:
        n[ERR] = E_VALUE
        return 0
    return int(x)


@compiled_inner
def root(n, x):  # type: ignore[no-untyped-def]
    """`math.sqrt`, which raises below zero."""
    if x < 0.0:
        n[ERR] = E_VALUE
        return 0.0
    return math.sqrt(x)


@compiled_inner
def power(n, x, y):  # type: ignore[no-untyped-def]
    """`x ** y`; what Python has a complex number or an error for goes there."""
    if (x < 0.0 and np.rint(y) != y) or (x == 0.0 and y < 0.0):
        n[ERR] = E_VALUE
        return 1.0
    found = math.pow(x, y)
    if np.isinf(found):
        n[ERR] = E_VALUE
    return found


@compiled_inner
def whole_power(n, x, y):  # type: ignore[no-untyped-def]
    """`x ** y` of whole numbers; a fraction, and what is too large, is Python's."""
    found = 1
    if y < 0:
        n[ERR] = E_VALUE
    elif abs(x) > 1:
        for _ in range(y):
            found = product(n, found, x)
            if n[ERR] != 0:
                break
    elif y > 0:
        found = x if y % 2 else x * x
    return found


@compiled_inner
def place(n, k, length):  # type: ignore[no-untyped-def]
    """Where an index points to, which may count from the end; outside raises."""
    found = k + length if k < 0 else k
    if found < 0 or found >= length:
        n[ERR] = E_INDEX
        return 0
    return found


@compiled_inner
def total_seconds(n, span):  # type: ignore[no-untyped-def]
    """`total_seconds()`; fractions are Python's, which adds them up in a way of its own."""
    if span % 1_000_000_000 != 0:
        n[ERR] = E_VALUE
    return float(span // 1_000_000_000)


@compiled_inner
def slice_end(k, length):  # type: ignore[no-untyped-def]
    """Where a slice begins or ends, which may count from the end and be outside."""
    found = k + length if k < 0 else k
    return min(max(found, 0), length)


@compiled_inner
def np_maximum(x, y):  # type: ignore[no-untyped-def]
    """`np.maximum`: NaN where either is."""
    return x if x >= y or x != x else y


@compiled_inner
def np_minimum(x, y):  # type: ignore[no-untyped-def]
    """`np.minimum`: NaN where either is."""
    return x if x <= y or x != x else y


@compiled_inner
def np_round(x, places):  # type: ignore[no-untyped-def]
    """`round(x, places)` of a number of NumPy's."""
    power = 1.0
    for _ in range(abs(places)):
        power *= 10.0
    return np.rint(x * power) / power if places >= 0 else np.rint(x / power) * power
