"""A strategy's bars, those left out on which nothing can happen.

A bar is visited where `next` could do something (see `bigbar.compiled.translate.wake`), where an
order could be filled, and wherever the account could be ruined. On every other bar neither the
broker nor the strategy changes anything: equity follows the close, which its segment says already.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import types
from numpy.typing import NDArray

from bigbar.compiled.broker.state import (
    ACTIVE,
    CASH,
    ERR,
    HIGH,
    LOW,
    NORD,
    NTR,
    OLIM,
    OSIZE,
    OSTOP,
    PINV,
    PSIZE,
    QUEUE,
)
from bigbar.compiled.jit import compiled_entry, compiled_inner
from bigbar.compiled.loop import (
    FLOATS,
    GIVEN,
    GIVEN_TABLE,
    INT_TABLE,
    INTS,
    TABLE,
    ByPointer,
    broker_first,
    by_its_address,
    note_equity,
    run,
)
from bigbar.compiled.pointers import address_of, arrays_at, call_at

#: Bars that are passed over together where nothing can happen on any, and that are looked at
#: together.
BLOCK, STRIDE = 64, 8

#: The error of `run_checking`: `next` does something on a bar that is left out.
E_MISSED = 7

#: After every bar there is.
AFTER_ALL = np.iinfo(np.int64).max

#: Bits of a bar's mark: `next` could do something without an open trade, and with one.
FLAT, INSIDE = 1, 2


@compiled_inner
def resting(f, n):  # type: ignore[no-untyped-def]
    """Which prices fill a waiting order.

    Returns
    -------
    at_once : bool
        Whether one is filled at any price, in the next bar.
    above, below : float
        A high of at least the one, or a low of at most the other.
    """
    above, below = np.inf, -np.inf
    for k in range(n[NORD]):
        o = n[QUEUE + k]
        stop, limit, is_long = f[OSTOP + o], f[OLIM + o], f[OSIZE + o] > 0.0
        if stop != 0.0:
            if is_long:
                above = min(above, stop)
            else:
                below = max(below, stop)
        elif limit != 0.0:
            if is_long:
                below = max(below, limit)
            else:
                above = min(above, limit)
        else:
            return True, above, below
    return False, above, below


@compiled_inner
def can_be_ruined(f, n, lowest, highest):  # type: ignore[no-untyped-def]
    """Whether a close within these would leave nothing."""
    size = f[PSIZE]
    if size == 0.0:  # Trades that hedge each other.
        return n[NTR] > 0 and not f[CASH] - f[PINV] > 0.0
    worst = lowest if size > 0.0 else highest
    return not f[CASH] + (worst * size - f[PINV]) > 0.0


@compiled_inner
def first_reached(M, tops, bottoms, above, below, first, stop):  # type: ignore[no-untyped-def]
    """The first bar with a high of at least the one, or a low of at most the other; else `stop`."""
    i = first
    while i < stop:
        if i % BLOCK == 0 and tops[i // BLOCK] < above and bottoms[i // BLOCK] > below:
            i += BLOCK
            continue
        if i % STRIDE == 0 and i + STRIDE <= stop:
            reached = False
            for k in range(STRIDE):  # Without a way out the compiler takes them together.
                reached |= (M[HIGH, i + k] >= above) | (M[LOW, i + k] <= below)
            if not reached:
                i += STRIDE
                continue
        if M[HIGH, i] >= above or M[LOW, i] <= below:
            return i
        i += 1
    return stop


@compiled_entry
def list_marked(marks, words, flat, inside):  # type: ignore[no-untyped-def]
    """The bars that are marked, in order, and one that is after all bars.

    Parameters
    ----------
    marks : ndarray of uint8, shape (a multiple of 8, at least bars,)
    words : ndarray of uint64
        The same memory: most of it is 0.
    flat, inside : ndarray of int64, shape (bars + 1,)
        Written: those with `FLAT`, and with `INSIDE`.

    Returns
    -------
    int, int
        How many were written to each.
    """
    a = b = 0
    for k in range(len(words)):
        if words[k]:
            for i in range(8 * k, 8 * k + 8):
                if marks[i] & FLAT:
                    flat[a] = i
                    a += 1
                if marks[i] & INSIDE:
                    inside[b] = i
                    b += 1
    flat[a] = inside[b] = AFTER_ALL
    return a + 1, b + 1


def extremes(values: NDArray[np.float64], *, highest: bool) -> NDArray[np.float64]:
    """The highest or lowest value of each block of bars; NaN counts as none."""
    bars = len(values)
    padded = np.full(-(-bars // BLOCK) * BLOCK, -np.inf if highest else np.inf)
    padded[:bars] = values
    blocks = padded.reshape(-1, BLOCK)
    return np.fmax.reduce(blocks, axis=1) if highest else np.fmin.reduce(blocks, axis=1)


@compiled_inner
def following(  # type: ignore[no-untyped-def]
    f, n, M, flat, inside, tops, bottoms, lowest, highest, bar, stop, at_flat, at_inside
):  # fmt: skip
    """The bar to visit next, of those from `bar` on, as things are now.

    Returns
    -------
    bar : int
    at_flat, at_inside : int
        How far the marked bars have been gone through.
    """
    at_once, above, below = resting(f, n)
    if at_once or can_be_ruined(f, n, lowest, highest):
        return bar, at_flat, at_inside
    if n[NTR] > 0:
        while inside[at_inside] < bar:
            at_inside += 1
        marked = min(inside[at_inside], stop)
    else:
        while flat[at_flat] < bar:
            at_flat += 1
        marked = min(flat[at_flat], stop)
    if n[NORD] > 0:
        marked = first_reached(M, tops, bottoms, above, below, bar, marked)
    return marked, at_flat, at_inside


#: What a loop reads, but for the bar to begin with: first all that is said in
#: `bigbar.compiled.loop.run`, then `flat` and `inside` from `list_marked`; `tops` and `bottoms`,
#: `extremes` of the highs and of the lows; the lowest and the highest close.
LOOP = types.Tuple(
    (
        types.int64, FLOATS, INTS, GIVEN_TABLE, GIVEN_TABLE, GIVEN, FLOATS, TABLE, INT_TABLE,
        TABLE, types.int64, types.boolean, INTS, INTS, FLOATS, FLOATS, types.float64, types.float64,
    )
)  # fmt: skip
_loop_at = arrays_at(LOOP)


def _hop_at(place, start):  # type: ignore[no-untyped-def]
    (
        pointer, f, n, M, I, P, S, T, Ti, segments, stop, finalize_trades, flat, inside, tops,  # noqa: E741
        bottoms, lowest, highest,
    ) = _loop_at(place)  # fmt: skip
    if start >= stop:
        note_equity(f, n, segments, 0, f[CASH], 0.0, 0.0)
        return
    arrays = address_of((f, n, M, I, P, S, T, Ti))
    bar, at_flat, at_inside = start, 0, 0
    while bar < stop + finalize_trades:
        if not broker_first(f, n, M, T, Ti, segments, bar, stop):
            return
        if bar == stop:
            return
        call_at(pointer, arrays, bar)
        if n[ERR]:
            return
        bar, at_flat, at_inside = following(
            f, n, M, flat, inside, tops, bottoms, lowest, highest, bar + 1, stop, at_flat, at_inside
        )


def _step_at(place, start):  # type: ignore[no-untyped-def]
    (
        pointer, f, n, M, I, P, S, T, Ti, segments, stop, finalize_trades, _, _, _, _, _, _,  # noqa: E741
    ) = _loop_at(place)  # fmt: skip
    run(pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades)


@cache
def hopping() -> ByPointer:
    """Runs the bars on which something could happen, with what `LOOP` says and the first bar.

    Compiled by itself, as the others are: a strategy needs one of the two loops.
    """
    return by_its_address(_hop_at, "hopping")


@cache
def stepping() -> ByPointer:
    """Runs every bar, likewise."""
    return by_its_address(_step_at, "stepping")


@compiled_inner
def keep(one, other):  # type: ignore[no-untyped-def]
    """Copy one array's beginning into another."""
    for k in range(len(other)):
        other[k] = one[k]


@compiled_inner
def differs(one, other):  # type: ignore[no-untyped-def]
    """Whether an array's beginning differs from another; NaN is the same as NaN."""
    for k in range(len(other)):
        if one[k] != other[k] and (one[k] == one[k] or other[k] == other[k]):
            return True
    return False


@compiled_entry
def run_checking(  # type: ignore[no-untyped-def]
    pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades,  # noqa: E741
    flat, inside, tops, bottoms, lowest, highest, f0, n0, S0, T0,
):  # fmt: skip
    """As `hopping`, but on every bar: `n[ERR]` is `E_MISSED` where that changes anything.

    Then `n[BAR]` is the bar. For tests, and to find what is wrong.

    Parameters
    ----------
    pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades, flat, inside, tops,
    bottoms, lowest, highest
        See `LOOP`.
    f0, n0, S0, T0 : ndarray
        As `f`, `n`, `T`, and that part of `S` which is kept from bar to bar: overwritten.
    """
    if start >= stop:
        note_equity(f, n, segments, 0, f[CASH], 0.0, 0.0)
        return
    place = address_of((f, n, M, I, P, S, T, Ti))
    visited, at_flat, at_inside = start, 0, 0
    for bar in range(start, stop + finalize_trades):
        if not broker_first(f, n, M, T, Ti, segments, bar, stop):
            return
        if bar == stop:
            return
        keep(f, f0)
        keep(n, n0)
        keep(S, S0)
        for k in range(n[NTR]):
            keep(T[n[ACTIVE + k]], T0[k])
        call_at(pointer, place, bar)
        if bar < visited:
            missed = differs(f, f0) or differs(n, n0) or differs(S, S0)
            for k in range(n[NTR]):
                missed = missed or differs(T[n[ACTIVE + k]], T0[k])
            if missed:
                n[ERR] = E_MISSED
        if n[ERR]:
            return
        if bar == visited:
            visited, at_flat, at_inside = following(
                f, n, M, flat, inside, tops, bottoms, lowest, highest, bar + 1, stop, at_flat,
                at_inside,
            )  # fmt: skip
