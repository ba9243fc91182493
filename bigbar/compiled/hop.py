"""A strategy's bars, those left out on which nothing can happen.

A bar is visited where `next` could do something (see `bigbar.compiled.translate.wake`), where an
order could be filled, and wherever the account could be ruined. On every other bar neither the
broker nor the strategy changes anything: equity follows the close, which its segment says already.
"""

from __future__ import annotations

from functools import cache

from bigbar.compiled.ahead import AFTER_ALL, following, next_marked
from bigbar.compiled.broker.state import ACTIVE, CASH, ERR, NTR
from bigbar.compiled.jit import compiled_entry, compiled_inner
from bigbar.compiled.lean import by_short_way, is_simple
from bigbar.compiled.loop import (
    ByPointer,
    broker_first,
    by_its_address,
    loop_at,
    note_equity,
    run,
)
from bigbar.compiled.pointers import address_of, call_at

#: The error of `run_checking`: `next` does something on a bar that is left out.
E_MISSED = 7

#: Bits of a bar's mark: `next` could do something without an open trade, and with one.
FLAT, INSIDE = 1, 2


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
                # Without a branch, which could not be foreseen: the next one is written over it.
                flat[a] = inside[b] = i
                a += marks[i] & FLAT
                b += (marks[i] & INSIDE) >> 1
    flat[a] = inside[b] = AFTER_ALL
    return a + 1, b + 1


def _hop_at(place, start):  # type: ignore[no-untyped-def]
    (
        pointer, f, n, M, I, P, S, T, Ti, segments, stop, finalize_trades, flat, inside, tops,  # noqa: E741
        bottoms, lowest, highest,
    ) = loop_at(place)  # fmt: skip
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
        bar += 1
        marked, at_flat, at_inside = next_marked(n, flat, inside, bar, at_flat, at_inside)
        known = False
        if is_simple(f, n, marked, bar, stop):
            known, bar, at_flat, at_inside = by_short_way(place, bar, at_flat, at_inside)
            if n[ERR]:
                return
        if not known:
            bar = following(f, n, M, tops, bottoms, lowest, highest, marked, bar, stop)


def _step_at(place, start):  # type: ignore[no-untyped-def]
    (
        pointer, f, n, M, I, P, S, T, Ti, segments, stop, finalize_trades, _, _, _, _, _, _,  # noqa: E741
    ) = loop_at(place)  # fmt: skip
    run(pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades)


@cache
def hopping() -> ByPointer:
    """Runs the bars on which something could happen, with what `bigbar.compiled.loop.LOOP` says
    and the first bar.

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
    flat, inside, f0, n0, S0, T0,
):  # fmt: skip
    """Run every bar; `n[ERR]` is `E_MISSED` where `next` does something on one that is not marked.

    Then `n[BAR]` is the bar. For tests, and to find what is wrong.

    Parameters
    ----------
    pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades, flat, inside
        See `bigbar.compiled.loop.LOOP`.
    f0, n0, S0, T0 : ndarray
        As `f`, `n`, `T`, and that part of `S` which is kept from bar to bar: overwritten.
    """
    if start >= stop:
        note_equity(f, n, segments, 0, f[CASH], 0.0, 0.0)
        return
    place = address_of((f, n, M, I, P, S, T, Ti))
    at_flat = at_inside = 0
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
        marked, at_flat, at_inside = next_marked(n, flat, inside, bar, at_flat, at_inside)
        call_at(pointer, place, bar)
        if marked != bar:
            missed = differs(f, f0) or differs(n, n0) or differs(S, S0)
            for k in range(n[NTR]):
                missed = missed or differs(T[n[ACTIVE + k]], T0[k])
            if missed:
                n[ERR] = E_MISSED
        if n[ERR]:
            return
