"""The queue of orders.

Stop-losses and orders to close a trade go to the front, all others to the end, and they are
processed in this order.
"""

from __future__ import annotations

from bigbar.compiled.broker.state import (
    CAP,
    E_CAP,
    E_VALUE,
    ERR,
    FREE,
    NFREE,
    NORD,
    NPEND,
    OALIVE,
    OLIM,
    OPAR,
    OSERIAL,
    OSIZE,
    OSL,
    OSTOP,
    OTAG,
    OTP,
    PEND,
    PLACED,
    QUEUE,
    TSL,
    TSLO,
    TTP,
    TTPO,
)
from bigbar.compiled.jit import compiled_inner


@compiled_inner
def order_new(f, n, size, limit, stop, sl, tp, parent, tag, front):  # type: ignore[no-untyped-def]
    """Put an order into the queue, unchecked.

    Returns
    -------
    int
        Its slot; -1 where there is no room.
    """
    if n[NFREE] == 0:
        n[ERR] = E_CAP
        return -1
    n[NFREE] -= 1
    o = n[FREE + n[NFREE]]
    f[OSIZE + o], f[OLIM + o], f[OSTOP + o] = size, limit, stop
    f[OSL + o], f[OTP + o] = sl, tp
    n[OPAR + o], n[OTAG + o], n[OALIVE + o] = parent, tag, 1
    n[OSERIAL + o] = n[PLACED]
    n[PLACED] += 1
    if front:
        for k in range(n[NORD], 0, -1):
            n[QUEUE + k] = n[QUEUE + k - 1]
        n[QUEUE] = o
    else:
        n[QUEUE + n[NORD]] = o
    n[NORD] += 1
    return o


@compiled_inner
def order_remove(n, o):  # type: ignore[no-untyped-def]
    """`orders.remove(order)`. The slot is free once no loop over orders can hold it."""
    if not n[OALIVE + o]:
        n[ERR] = E_VALUE
        return
    k = 0
    while n[QUEUE + k] != o:
        k += 1
    n[NORD] -= 1
    for j in range(k, n[NORD]):
        n[QUEUE + j] = n[QUEUE + j + 1]
    n[OALIVE + o] = 0
    n[PEND + n[NPEND]] = o
    n[NPEND] += 1


@compiled_inner
def is_contingent(n, Ti, o):  # type: ignore[no-untyped-def]
    """`order.is_contingent`: whether it is the stop-loss or take-profit of its parent trade."""
    parent = n[OPAR + o]
    return parent >= 0 and (Ti[parent, TSLO] == o or Ti[parent, TTPO] == o)


@compiled_inner
def order_cancel(f, n, T, Ti, o):  # type: ignore[no-untyped-def]
    """`order.cancel()`."""
    order_remove(n, o)
    parent = n[OPAR + o]
    if parent >= 0:
        if Ti[parent, TSLO] == o:
            Ti[parent, TSLO] = -1
            T[parent, TSL] = 0.0
        elif Ti[parent, TTPO] == o:
            Ti[parent, TTPO] = -1
            T[parent, TTP] = 0.0


@compiled_inner
def order_handle(n, o):  # type: ignore[no-untyped-def]
    """A number for an order that stays its own: what a strategy can keep from bar to bar."""
    return n[OSERIAL + o] * CAP + o


@compiled_inner
def order_of(n, handle):  # type: ignore[no-untyped-def]
    """The slot of an order by its handle; -1 where it waits no longer."""
    o = handle % CAP
    return o if n[OALIVE + o] and n[OSERIAL + o] == handle // CAP else -1
