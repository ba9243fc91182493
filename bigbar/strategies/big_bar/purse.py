"""What the lanes of a batch have: money and marks, side by side in flat arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.jit import compiled_inner
from bigbar.strategies.big_bar.trade_selection import LANES

# Fields of `Purse.money`, as in `selection`: one flat array, fixed distances.
CASH = 0 * LANES  #: Not a number once the lane met something left out here: it is irregular.
BEFORE = 1 * LANES  #: Cash at the last trade's entry.
UNITS = 2 * LANES  #: Of the last trade.
PEAK = 3 * LANES
LOWEST = 4 * LANES  #: Lowest equity since the peak.
COVARIANCE = 5 * LANES
COMMISSIONS = 6 * LANES
MAX_DRAWDOWN = 7 * LANES
SUM_DRAWDOWN = 8 * LANES
#: Bar of the last peak: among the money, because a maximum of doubles is one instruction and
#: one of 64-bit integers a store under a mask, which takes AMD's processors 20 cycles.
PEAK_BAR = 9 * LANES
# What the trades add up to, see `bigbar.compiled.tally.TradeSums`.
GAINED = 10 * LANES
LOST = 11 * LANES
GROWTH = 12 * LANES  #: Product of one plus each return.
WON = 13 * LANES
PAID = 14 * LANES
SQUARE = 15 * LANES  #: Sum of the squares of the profits.
# The same, where there are commissions. Without, `selection` knows them.
BEST_TRADE = 16 * LANES
WORST_TRADE = 17 * LANES
WINS = 18 * LANES
LOSSES = 19 * LANES
MONEY_FIELDS = 20

# Fields of `Purse.marks`.
SUM_HELD = 0 * LANES
ATTENTION = 1 * LANES  #: Why the bars of the last trade must be gone through: the two below.
DRAWDOWNS = 2 * LANES
MAX_TIME = 3 * LANES
SUM_TIME = 4 * LANES
MARK_FIELDS = 5


class Purse(NamedTuple):
    """What the lanes have.

    Attributes
    ----------
    money : ndarray of float, shape (MONEY_FIELDS * LANES,)
    marks : ndarray of int64, shape (MARK_FIELDS * LANES,)
    """

    money: NDArray[np.float64]
    marks: NDArray[np.int64]


def new_purse() -> Purse:
    """Room for the lanes."""
    return Purse(np.zeros(MONEY_FIELDS * LANES), np.zeros(MARK_FIELDS * LANES, np.int64))


@compiled_inner
def start_purse(purse, lanes, cash):  # type: ignore[no-untyped-def]
    """All lanes with the starting cash, at their peak."""
    purse.money[:] = 0.0
    purse.marks[:] = 0
    for lane in range(lanes):
        purse.money[CASH + lane] = cash
        purse.money[PEAK + lane] = cash
        purse.money[LOWEST + lane] = np.inf
        purse.money[GROWTH + lane] = 1.0
        purse.money[BEST_TRADE + lane] = -np.inf
        purse.money[WORST_TRADE + lane] = np.inf
