"""Several combinations of a strategy, one after the other, with no step of Python in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import typeof, types

from bigbar.compiled.blocks import CloseBlocks
from bigbar.compiled.broker.state import ERR, F_BEGINS, N_BEGINS, NN
from bigbar.compiled.clock import Clock
from bigbar.compiled.curve_statistics import CurveMarket, curve_row, new_buffers
from bigbar.compiled.hop import keep, list_marked
from bigbar.compiled.jit import compiled_entry, compiled_inner
from bigbar.compiled.loop import (
    FLOATS,
    GIVEN_TABLE,
    INT_TABLE,
    INTS,
    TABLE,
    ByPointer,
    by_its_address,
)
from bigbar.compiled.pointers import address_of, arrays_at, call_at
from bigbar.compiled.statistics import MarketConstants

#: What stands for a combination whose statistics are left to Python: no error of the broker's.
UNCOUNTED = -1


@compiled_entry
def mark(marker, n, M, I, P, errors, marked, words, flat, inside, start):  # type: ignore[no-untyped-def]  # noqa: E741
    """List the bars on which `next` could do something.

    Parameters
    ----------
    marker : int
        Pointer of `bigbar.compiled.loop.compiled_marks`.
    n, M, I, P
        As for `next`.
    errors : ndarray of int64
        For the function alone.
    marked : ndarray of uint8, shape (bars,)
    words : ndarray of uint64
        The same memory, to the end of the last eight bars.
    flat, inside : ndarray of int64, shape (bars + 1,)
        Written, see `bigbar.compiled.hop.list_marked`.
    start : int
        The first bar on which `next` runs.

    Returns
    -------
    int, int
        How many were written to each.
    """
    words[:] = 0
    place = address_of((n, M, I, P, errors, marked))
    call_at(marker, place, start)
    return list_marked(words.view(np.uint8), words, flat, inside)


@compiled_inner
def are_marked_alike(Ps, places, starts, k, read):  # type: ignore[no-untyped-def]
    """Whether a combination has the marked bars of the one before."""
    alike = starts[k] == starts[k - 1]
    for place in range(places.shape[1]):
        alike &= places[k, place] == places[k - 1, place]
    for place in read:
        alike &= Ps[k, place] == Ps[k - 1, place]
    return alike


def _count_at(place, k):  # type: ignore[no-untyped-def]
    (
        codes, rows, returns, n, T, Ti, segments, market, constants, clocks, first_bars, buffers,
    ) = _counted_at(place)  # fmt: skip
    written = curve_row(
        rows[k], returns[k], n, T, Ti, segments, market, constants, clocks, first_bars[k], buffers
    )
    if not written:
        codes[k] = UNCOUNTED


def _types_of_bars() -> tuple[types.Type, ...]:
    """Of what the statistics need to know of bars: market, constants, clocks and buffers."""
    moments, numbers, table = np.zeros(1, np.int64), np.zeros(1), np.zeros((1, 1))
    for one in (moments, numbers, table):
        one.flags.writeable = False
    blocks = CloseBlocks(1, numbers, numbers, numbers, numbers, table)
    clock = Clock(factor=1, divisor=1, unit_ns=1, round_to=1)
    return tuple(
        typeof(one)
        for one in (
            CurveMarket(numbers, moments, numbers, moments, blocks),
            MarketConstants(1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 1),
            (clock, clock),
            new_buffers(1, 1, 1),
        )
    )


_MARKET, _CONSTANTS, _CLOCKS, _BUFFERS = _types_of_bars()
_RETURNS = types.Array(types.float32, 2, "C")
_counted_at = arrays_at(
    types.Tuple(
        (
            INTS, TABLE, _RETURNS, INTS, TABLE, INT_TABLE, TABLE, _MARKET, _CONSTANTS, _CLOCKS,
            INTS, _BUFFERS,
        )
    )
)  # fmt: skip


@cache
def counter() -> ByPointer:
    """Counts up what a combination has come to."""
    return by_its_address(_count_at, "counter")


@compiled_entry
def _run_many(  # type: ignore[no-untyped-def]
    runner, counter, pointer, marker, f, n, M, I, Ps, places, S, T, Ti, segments, starts, stop,  # noqa: E741
    finalize_trades, f0, n0, S0, read, errors, marked, words, flat, inside, tops, bottoms,
    lowest, highest, codes, rows, returns, first_bars, market, constants, clocks, buffers,
):  # fmt: skip
    for k in range(len(Ps)):
        keep(f0, f[:F_BEGINS])
        keep(n0, n[:N_BEGINS])
        keep(S0, S)
        for place in range(places.shape[1]):
            n[NN + place] = places[k, place]
        P, start = Ps[k], starts[k]
        if marker != 0 and (k == 0 or not are_marked_alike(Ps, places, starts, k, read)):
            mark(marker, n, M, I, P, errors, marked, words, flat, inside, start)
        loop = address_of(
            (
                pointer, f, n, M, I, P, S, T, Ti, segments, stop, finalize_trades, flat, inside,
                tops, bottoms, lowest, highest,
            )
        )  # fmt: skip
        call_at(runner, loop, start)
        codes[k] = n[ERR]
        if n[ERR] == 0 and len(rows):
            counted = address_of(
                (
                    codes, rows, returns, n, T, Ti, segments, market, constants, clocks,
                    first_bars, buffers,
                )
            )  # fmt: skip
            call_at(counter, counted, k)


_BYTES, _WORDS = types.Array(types.uint8, 1, "C"), types.Array(types.uint64, 1, "C")
_INT_ROWS = types.Array(types.int64, 2, "C")
#: Of all that it is given, so that it is never compiled for anything else: what it calls by its
#: address would take that for what it is not.
_SIGNATURE = types.void(
    types.int64, types.int64, types.int64, types.int64, FLOATS, INTS, GIVEN_TABLE, GIVEN_TABLE,
    GIVEN_TABLE, _INT_ROWS, FLOATS, TABLE, INT_TABLE, TABLE, INTS, types.int64, types.boolean,
    FLOATS, INTS, FLOATS, INTS, INTS, _BYTES, _WORDS, INTS, INTS, FLOATS, FLOATS, types.float64,
    types.float64, INTS, TABLE, _RETURNS, INTS, _MARKET, _CONSTANTS, _CLOCKS, _BUFFERS,
)  # fmt: skip


@cache
def running_many() -> Callable[..., None]:
    """Runs combinations of one program with one state to begin with, and counts them up.

    Returns
    -------
    callable
        Of, by their places:

        runner, counter : int
            Pointers of `bigbar.compiled.hop.hopping` or `stepping`, and of `counter`.
        pointer, marker : int
            Of `next`; and of what marks bars, see `mark`, or 0.
        f, n, M, I
            See `bigbar.compiled.loop.run`; `f`, `n`, `S`, `T`, `Ti` and `segments` are left as the
            last combination left them.
        Ps : ndarray of float, shape (combinations, parameters)
        places : ndarray of int64, shape (combinations, rows)
            Which rows of `I` each reads.
        S, T, Ti, segments
        starts : ndarray of int64, shape (combinations,)
            The first bar on which `next` runs.
        stop, finalize_trades
        f0, n0, S0 : ndarray
            How `f`, `n` and `S` begin, those two by `F_BEGINS` and `N_BEGINS` values.
        read : ndarray of int64
            The parameters by which bars are marked.
        errors, marked, words
            See `mark`.
        flat, inside, tops, bottoms, lowest, highest
            See `bigbar.compiled.loop.LOOP`.
        codes : ndarray of int64, shape (combinations,)
            Written: the error that ended it; `UNCOUNTED` where only its statistics are missing; 0.
        rows, returns : ndarray, shape (combinations, …)
            Written; nothing is counted up where `rows` is empty.
        first_bars : ndarray of int64, shape (combinations,)
        market, constants, clocks, buffers
            See `bigbar.compiled.curve_statistics.curve_row`.
    """
    made: Any = _run_many
    made.compile(_SIGNATURE)
    made.disable_compile()
    return _run_many
