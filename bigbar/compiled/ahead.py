"""What lies ahead of a bar: the next one on which anything can happen, as things are now."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.broker.state import (
    CASH,
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
from bigbar.compiled.jit import compiled_inner

#: Bars that are passed over together where nothing can happen on any, and that are looked at
#: together.
BLOCK, STRIDE = 64, 8

#: After every bar there is.
AFTER_ALL = np.iinfo(np.int64).max


def extremes(values: NDArray[np.float64], *, highest: bool) -> NDArray[np.float64]:
    """The highest or lowest value of each block of bars; NaN counts as none."""
    bars = len(values)
    padded = np.full(-(-bars // BLOCK) * BLOCK, -np.inf if highest else np.inf)
    padded[:bars] = values
    blocks = padded.reshape(-1, BLOCK)
    return np.fmax.reduce(blocks, axis=1) if highest else np.fmin.reduce(blocks, axis=1)


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


@compiled_inner
def first_marked(marked, at, bar):  # type: ignore[no-untyped-def]
    """How far to go in a list of marked bars for the first from `bar` on."""
    while marked[at] < bar:
        at += 1
    return at


@compiled_inner
def next_marked(n, flat, inside, bar, at_flat, at_inside):  # type: ignore[no-untyped-def]
    """The first bar from `bar` on that is marked, as things are now.

    Returns
    -------
    marked : int
        After all bars if there is none.
    at_flat, at_inside : int
        How far the marked bars have been gone through.
    """
    if n[NTR] > 0:
        at_inside = first_marked(inside, at_inside, bar)
        return inside[at_inside], at_flat, at_inside
    at_flat = first_marked(flat, at_flat, bar)
    return flat[at_flat], at_flat, at_inside


@compiled_inner
def following(f, n, M, tops, bottoms, lowest, highest, marked, bar, stop):  # type: ignore[no-untyped-def]
    """The bar to visit next, of those from `bar` on: one that is marked, or one before it."""
    if marked == bar:
        return bar
    at_once, above, below = resting(f, n)
    if at_once or can_be_ruined(f, n, lowest, highest):
        return bar
    end = min(marked, stop)
    return first_reached(M, tops, bottoms, above, below, bar, end) if n[NORD] > 0 else end
