"""What is known of blocks of closes, so that a segment of equity need not be gone through.

Within a segment equity is `size * (close + a)`. With closes counted from a block's first one, `c`,
and `q = c + a`, its logarithm is `log(size * q)` and a series of `(close - c) / q`; so what each
power of `close - c` adds up to with the market's moves, bar by bar, tells what equity's log returns
do, for any segment: eight terms, for which a block's closes must not lie far from its first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.jit import compiled_inner

#: Terms of the series, and how far from 0 its argument may be: what follows is less than the last
#: bits of what it is added to.
TERMS, MOST_ARGUMENT = 8, 0.02

#: Bars of a block, as a power of two: the longest and the shortest.
_LONGEST, _SHORTEST = 6, 3

#: So many blocks should be within half of the series' reach of their first close.
_MOSTLY = 0.9


class CloseBlocks(NamedTuple):
    """Closes by blocks of `2**shift` bars; all arrays contiguous and read-only.

    Attributes
    ----------
    shift : int
    lows, highs, firsts : ndarray of float, shape (blocks,)
        The lowest, highest and first close of each.
    reach : ndarray of float, shape (blocks,)
        How far a close of the block, or the one before it, is from the first at most.
    running : ndarray of float, shape (at least bars, TERMS)
        From a block's first bar up to each of its bars, the sum of the market's move into a bar
        times the change in each power of the close's distance from the block's first, as the series
        has it. Each block begins anew: what a price was worth before it fell would take all digits.
    """

    shift: int
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    firsts: NDArray[np.float64]
    reach: NDArray[np.float64]
    running: NDArray[np.float64]


def close_blocks(close: NDArray[np.float64], moves: NDArray[np.float64]) -> CloseBlocks:
    """Prepare some bars.

    Parameters
    ----------
    close : ndarray of float, shape (bars,)
    moves : ndarray of float, shape (bars,)
        The market's, see `bigbar.compiled.curve_statistics.CurveMarket`.
    """
    before = np.concatenate([close[:1], close[:-1]])
    for shift in range(_LONGEST, _SHORTEST - 1, -1):
        places = np.arange(0, len(close), 1 << shift)
        firsts = close[places]
        lows = np.minimum.reduceat(close, places)
        highs = np.maximum.reduceat(close, places)
        outer = before[places]
        reach = np.maximum(np.maximum(highs, outer) - firsts, firsts - np.minimum(lows, outer))
        if np.mean(reach <= MOST_ARGUMENT / 2 * firsts) >= _MOSTLY:
            break
    origin = np.repeat(firsts, 1 << shift)[: len(close)]
    now, old = close - origin, before - origin
    terms = np.zeros((len(firsts) << shift, TERMS))
    power, old_power = np.ones(len(close)), np.ones(len(close))
    for k in range(TERMS):
        power *= now
        old_power *= old
        terms[: len(close), k] = moves * (power - old_power) * ((-1) ** k / (k + 1))
    running = terms.reshape(len(firsts), -1, TERMS).cumsum(axis=1).reshape(-1, TERMS)
    return CloseBlocks(shift, lows, highs, firsts, reach, running)


@compiled_inner
def outer_extremes(blocks, first, end):  # type: ignore[no-untyped-def]
    """The lowest and highest close of all blocks that some bars are in."""
    b = first >> blocks.shift
    low, high = blocks.lows[b], blocks.highs[b]
    for k in range(b + 1, ((end - 1) >> blocks.shift) + 1):
        low, high = min(low, blocks.lows[k]), max(high, blocks.highs[k])
    return low, high


@compiled_inner
def block_term(blocks, b, first, end, a):  # type: ignore[no-untyped-def]
    """The log returns of `close + a` times the market's moves, summed up over bars of one block.

    Parameters
    ----------
    blocks : CloseBlocks
    b : int
        The block.
    first, end : int
        The bars; the first is not 0.
    a : float

    Returns
    -------
    known : bool
        Whether the series reaches so far.
    float
    """
    q = blocks.firsts[b] + a
    if not blocks.reach[b] <= MOST_ARGUMENT * abs(q):
        return False, 0.0
    upto, before, r = blocks.running[end - 1], blocks.running[first - 1], 1.0 / q
    # What comes before the block is no part of its sums.
    part = 0.0 if first == b << blocks.shift else 1.0
    total = 0.0
    for k in range(TERMS - 1, -1, -1):
        total = (total + (upto[k] - part * before[k])) * r
    return True, total
