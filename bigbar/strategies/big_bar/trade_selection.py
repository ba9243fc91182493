"""The selection: which candidates each combination trades, for many combinations side by side.

Thresholds and exits alone decide that, as long as every entry is affordable and nothing is
ruined, so it takes whole numbers only. Candidates go by one after the other, in time order, and
each meets all lanes at once: its numbers are the same for every lane, so nothing is gathered,
and neighbouring combinations trade mostly the same bars (of the default grid's 40 combinations
with one ATR period and one `k_atr`, four in five trade a candidate that any of them trades).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.jit import compiled_inner
from bigbar.compiled.vectors import select, unsigned

#: Combinations advanced side by side, at most. Their state, 10 kB, stays in the first cache.
#: Measured on the default grid, where 40 share a `k_atr`: with 32 a sweep takes 9 % longer.
LANES = 64

#: Rows (candidates that any lane trades) from one pass to the next: what each lane takes of them,
#: 4 kB, stays in the first cache beside the lanes' own state.
ROWS = 64

#: Above every position and bar; not the largest integer, whose minimum with anything would be
#: recognized as needless and turned into a store under a mask (see `select`).
_FAR = 2**30

# Where each field of a lane stands in `Selection.lanes`. One flat array with fixed distances lets
# the compiler prove that fields do not overlap, without which it does not vectorize.
FREE_FROM = 0 * LANES  #: First bar to enter on.
FACTOR = 1 * LANES  #: The combination's thresholds, as positions on their axes.
TAIL = 2 * LANES
WEIGHT = 3 * LANES
LEAST_FACTOR = 4 * LANES  #: The thresholds that every trade taken still passes.
TIGHTEST_TAIL = 5 * LANES
LEAST_WEIGHT = 6 * LANES
TRADES = 7 * LANES  #: Closed trades.
EXPOSED = 8 * LANES  #: Bars with a position, entry and exit bars included.
OPEN = 9 * LANES  #: The candidate still open at the end of the data, -1 for none.
LONGEST = 10 * LANES  #: Of the closed trades, as a rank in `Entries.lengths`.
# The following hold where there are no commissions; see `Entries.outcome` and `Entries.rank`.
PLAIN_WINS = 11 * LANES
PLAIN_LOSSES = 12 * LANES
BEST_RANK = 13 * LANES
WORST_RANK = 14 * LANES  #: Counted from the best down, so that the worst is the largest, too.
SELECTION_FIELDS = 15


class Entries(NamedTuple):
    """The candidates: bars that could be entered on, and what their trades would be.

    Attributes
    ----------
    entry, exit : ndarray of int32, shape (candidates,)
        Bars; an exit at or after the last bar stands for a trade that stays open.
    direction : ndarray of int8, shape (candidates,)
        1 for long, -1 for short.
    tail_levels, weight_levels : ndarray of int32, shape (candidates,)
        The tightest tail ratio, and how many momentum weights each passes.
    terms : ndarray of float, shape (candidates, terms)
        From `bigbar.strategies.big_bar.trade_terms`.
    returns : ndarray of float, shape (candidates,)
        Each trade's return without commissions; 0 where it stays open.
    outcome : ndarray of int8, shape (candidates,)
        1 for a trade that gains without commissions, -1 for one that loses.
    rank : ndarray of int32, shape (candidates,)
        Of the return, in `ranked`.
    ranked : ndarray of float
        All returns there are, ascending.
    held : ndarray of int32, shape (candidates,)
        How long each trade lasts, as a rank in `lengths`; 0 where it stays open.
    lengths : ndarray of int64
        All durations there are, ascending, in units of `MarketArrays.times`. Ranks are compared
        in the place of durations because the processor compares eight of them at once.
    """

    entry: NDArray[np.int32]
    exit: NDArray[np.int32]
    direction: NDArray[np.int8]
    tail_levels: NDArray[np.int32]
    weight_levels: NDArray[np.int32]
    terms: NDArray[np.float64]
    returns: NDArray[np.float64]
    outcome: NDArray[np.int8]
    rank: NDArray[np.int32]
    ranked: NDArray[np.float64]
    held: NDArray[np.int32]
    lengths: NDArray[np.int64]


class Selection(NamedTuple):
    """Where the lanes stand, and the rows of one pass.

    Attributes
    ----------
    lanes : ndarray of int32, shape (SELECTION_FIELDS * LANES,)
        A field after the other.
    taken : ndarray of uint8, shape (ROWS * LANES,)
        1 where the lane trades the row's candidate.
    candidate : ndarray of int32, shape (ROWS,)
        Of each row.
    """

    lanes: NDArray[np.int32]
    taken: NDArray[np.uint8]
    candidate: NDArray[np.int32]


def entries_of(
    *,
    entry: NDArray[np.int32],
    exits: NDArray[np.int32],
    direction: NDArray[np.int8],
    tail_levels: NDArray[np.int32],
    weight_levels: NDArray[np.int32],
    terms: NDArray[np.float64],
    returns: NDArray[np.float64],
    close: NDArray[np.float64],
    times: NDArray[np.int64],
    spread: float,
) -> Entries:
    """Candidates with what follows from their trades' bars; the attributes are those of `Entries`.

    Parameters
    ----------
    close, times : ndarray, shape (bars,)
        See `bigbar.strategies.big_bar.one_walk.MarketArrays`.
    spread : float
    """
    closed = exits < len(close) - 1
    last = np.where(closed, exits, entry)
    fill = close[entry] * (1.0 + direction * spread)
    # The sign of a profit is that of the move: a return can be rounded to nothing.
    outcome = np.where(closed, np.sign(direction * (close[last] - fill)), 0).astype(np.int8)
    ranked, rank = np.unique(returns, return_inverse=True)
    lengths, held = np.unique(times[last] - times[entry], return_inverse=True)
    return Entries(
        entry, exits, direction, tail_levels, weight_levels, terms, returns, outcome,
        rank.astype(np.int32), ranked, held.astype(np.int32), lengths,
    )  # fmt: skip


def new_selection() -> Selection:
    """Room for the lanes and the rows of one pass."""
    return Selection(
        np.zeros(SELECTION_FIELDS * LANES, np.int32),
        np.zeros(ROWS * LANES, np.uint8),
        np.zeros(ROWS, np.int32),
    )


@compiled_inner
def start_selection(selection, lane, thresholds):  # type: ignore[no-untyped-def]
    """Put a combination, its thresholds given as positions on their axes, on a lane."""
    lanes = selection.lanes
    factor, tail, weight = thresholds
    lanes[FREE_FROM + lane] = 1  # backtesting.py starts on the second bar.
    lanes[FACTOR + lane] = factor
    lanes[TAIL + lane] = tail
    lanes[WEIGHT + lane] = weight
    lanes[LEAST_FACTOR + lane] = _FAR
    lanes[TIGHTEST_TAIL + lane] = 0
    lanes[LEAST_WEIGHT + lane] = _FAR
    lanes[TRADES + lane] = 0
    lanes[EXPOSED + lane] = 0
    lanes[OPEN + lane] = -1
    lanes[LONGEST + lane] = 0
    lanes[PLAIN_WINS + lane] = 0
    lanes[PLAIN_LOSSES + lane] = 0
    lanes[BEST_RANK + lane] = 0
    lanes[WORST_RANK + lane] = 0


@compiled_inner
def start_idle_selection(selection, lane):  # type: ignore[no-untyped-def]
    """A lane that trades nothing."""
    start_selection(selection, lane, (np.int64(_FAR), np.int64(-1), np.int64(_FAR)))


@compiled_inner
def select_rows(selection, used, chosen, place, count, entries, factor_levels, bars):  # type: ignore[no-untyped-def]
    """Let candidates go by until there are `ROWS` that any lane trades, or none are left.

    Parameters
    ----------
    selection : Selection
    used : int
        Lanes in use.
    chosen : ndarray of int32
        Candidates to go by, in time order.
    place, count : int
        Where in `chosen` to go on, and its length.
    entries : Entries
    factor_levels : ndarray of int32, shape (candidates,)
        How many `k_atr` each candidate passes.
    bars : int

    Returns
    -------
    place, rows : int
        Where to go on; how many rows there are now.
    """
    lanes, taken, candidate = selection
    used = min(used, LANES)  # Tells the compiler that no index below is negative.
    nothing, far = np.int32(0), np.int32(_FAR)
    row = 0
    while place < count and row < ROWS:
        c = unsigned(chosen[unsigned(place)])
        place += 1
        entry = entries.entry[c]
        factor = factor_levels[c]
        tail = entries.tail_levels[c]
        weight = entries.weight_levels[c]
        free_again = np.int32(entries.exit[c] + 1)
        stays_open = free_again >= bars  # An order at the last close is never filled.
        length = np.int32(0 if stays_open else free_again - entry)
        held, rank = entries.held[c], entries.rank[c]
        rank_from_best = np.int32(len(entries.ranked) - 1 - rank)
        outcome = entries.outcome[c]
        wins, losses = np.int32(outcome > 0), np.int32(outcome < 0)
        if stays_open:
            wins = losses = rank = rank_from_best = nothing
        closed = np.int32(not stays_open)
        base = row * LANES
        any_taken = np.int32(0)
        for lane in range(used):
            free = lanes[FREE_FROM + lane]
            take = (
                (free <= entry)
                & (factor > lanes[FACTOR + lane])
                & (tail <= lanes[TAIL + lane])
                & (weight > lanes[WEIGHT + lane])
            )
            # Where nothing is taken, a neutral value makes the maximum keep what was there.
            lanes[FREE_FROM + lane] = max(free, select(take, free_again, nothing))
            lanes[LEAST_FACTOR + lane] = min(lanes[LEAST_FACTOR + lane], select(take, factor, far))
            lanes[TIGHTEST_TAIL + lane] = max(
                lanes[TIGHTEST_TAIL + lane], select(take, tail, nothing)
            )
            lanes[LEAST_WEIGHT + lane] = min(lanes[LEAST_WEIGHT + lane], select(take, weight, far))
            lanes[TRADES + lane] += select(take, closed, nothing)
            lanes[EXPOSED + lane] += select(take, length, nothing)
            lanes[LONGEST + lane] = max(lanes[LONGEST + lane], select(take, held, nothing))
            lanes[PLAIN_WINS + lane] += select(take, wins, nothing)
            lanes[PLAIN_LOSSES + lane] += select(take, losses, nothing)
            lanes[BEST_RANK + lane] = max(lanes[BEST_RANK + lane], select(take, rank, nothing))
            lanes[WORST_RANK + lane] = max(
                lanes[WORST_RANK + lane], select(take, rank_from_best, nothing)
            )
            taken[unsigned(base + lane)] = take
            any_taken = np.int32(any_taken | take)
        if not any_taken:
            continue
        if stays_open:
            for lane in range(used):
                if taken[base + lane]:
                    lanes[FREE_FROM + lane] = _FAR
                    lanes[OPEN + lane] = c
            continue
        candidate[unsigned(row)] = c
        row += 1
    return place, row
