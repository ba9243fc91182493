"""Several combinations of a strategy, one after the other, with no step of Python in between."""

from __future__ import annotations

import numpy as np

from bigbar.compiled.broker.state import ERR, NN
from bigbar.compiled.curve_statistics import curve_row
from bigbar.compiled.hop import keep, list_marked, run_hopping
from bigbar.compiled.jit import compiled_entry, compiled_inner
from bigbar.compiled.loop import run
from bigbar.compiled.pointers import address_of, call_at

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


@compiled_entry
def run_many(  # type: ignore[no-untyped-def]
    pointer, marker, f, n, M, I, Ps, places, S, T, Ti, segments, starts, stop, finalize_trades,  # noqa: E741
    f0, n0, S0, read, errors, marked, words, flat, inside, tops, bottoms, lowest, highest,
    codes, rows, returns, first_bars, market, constants, clocks, buffers,
):  # fmt: skip
    """Run combinations of one program with one state to begin with, and count them up.

    Parameters
    ----------
    pointer, f, n, M, I, S, T, Ti, segments, stop, finalize_trades
        See `bigbar.compiled.loop.run`; afterwards they are as the last combination left them.
    Ps : ndarray of float, shape (combinations, parameters)
    places : ndarray of int64, shape (combinations, rows)
        Which rows of `I` each reads.
    starts, first_bars : ndarray of int64, shape (combinations,)
        See `bigbar.compiled.loop.run` and `bigbar.compiled.curve_statistics.curve_row`.
    f0, n0, S0 : ndarray
        How `f`, `n` and `S` begin.
    marker, errors, marked, words
        See `mark`; with a marker of 0 every bar is run.
    read : ndarray of int64
        The parameters by which bars are marked.
    flat, inside, tops, bottoms, lowest, highest
        See `bigbar.compiled.hop.run_hopping`.
    codes : ndarray of int64, shape (combinations,)
        Written: the error that ended it; `UNCOUNTED` where only its statistics are missing; 0.
    rows, returns : ndarray, shape (combinations, …)
        Written; nothing is counted up where `rows` is empty.
    market, constants, clocks, buffers
        See `bigbar.compiled.curve_statistics.curve_row`.
    """
    for k in range(len(Ps)):
        keep(f0, f)
        keep(n0, n)
        keep(S0, S)
        for place in range(places.shape[1]):
            n[NN + place] = places[k, place]
        P, start = Ps[k], starts[k]
        if marker != 0:
            if k == 0 or not are_marked_alike(Ps, places, starts, k, read):
                mark(marker, n, M, I, P, errors, marked, words, flat, inside, start)
            run_hopping(
                pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades,
                flat, inside, tops, bottoms, lowest, highest,
            )  # fmt: skip
        else:
            run(pointer, f, n, M, I, P, S, T, Ti, segments, start, stop, finalize_trades)
        codes[k] = n[ERR]
        if n[ERR] == 0 and len(rows):
            written = curve_row(
                rows[k], returns[k], n, T, Ti, segments, market, constants, clocks, first_bars[k],
                buffers,
            )  # fmt: skip
            if not written:
                codes[k] = UNCOUNTED
