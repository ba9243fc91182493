"""Buffers of the sweep: made once, of a size that the file's length decides little."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.kernel.hop import LANES, Hop, new_hop
from bigbar.kernel.lanes import Purse, new_purse
from bigbar.kernel.summary import MOMENTS, Stack, new_stack
from bigbar.statistics import STATISTICS

#: Lanes are filled up with idle ones to a multiple of this, so that no vector is left half full;
#: buffers have room for at least as many, however long the file.
LANE_STEP = 8

#: Trades of a batch of lanes, and day ends of a block of rows, stay within this where the file
#: allows it: 1.6 MB, the size of a processor's second cache.
_BLOCK_VALUES = 200_000

#: Rows of a block at most: enough that NumPy's calls, some microseconds each, do not show.
_MOST_ROWS = 2048


class Block(NamedTuple):
    """Buffers that a block of walks is summed up to.

    Attributes
    ----------
    rows : ndarray of float, shape (room, statistics)
    moments : ndarray of float, shape (room, MOMENTS)
        Of the daily returns, see `bigbar.kernel.summary`.
    day_growth : ndarray of float, shape (room, days)
        One plus each daily return, for NumPy to take the logarithm of.
    day_returns : ndarray of float32, shape (room, days - 1)
        The daily returns themselves, where they are all that is asked for.
    trade_growth : ndarray of float
        One plus each trade's return, of the walks that do not know the logarithms.
    spans : ndarray of int64, shape (room, 2)
        Where in `trade_growth` a walk's begin and how many; -1 where `trade_logs` is known.
    trade_logs : ndarray of float, shape (room,)
        Mean logarithm of the trades' growth.
    """

    rows: NDArray[np.float64]
    moments: NDArray[np.float64]
    day_growth: NDArray[np.float64]
    day_returns: NDArray[np.float32]
    trade_growth: NDArray[np.float64]
    spans: NDArray[np.int64]
    trade_logs: NDArray[np.float64]


class Batch(NamedTuple):
    """Buffers of the lanes that are walked side by side.

    Attributes
    ----------
    hop, purse
        State of the lanes.
    places : ndarray of int64, shape (LANES,)
        Place of the combination on each lane, see `bigbar.kernel.cells`.
    listed : ndarray of int32, shape (candidates,)
        Candidates that pass the loosest `k_atr` of the lanes.
    filled : ndarray of int64, shape (LANES,)
        Trades collected so far.
    traded : ndarray of int32, shape (room,)
    profits, returns : ndarray of float, shape (room,)
        Trades of the lanes, a stretch each: the row, and where there are fees the return.
    row_growth : ndarray of float, shape (candidates, 2)
        Return without fees, and logarithm of one plus that, of each row of all passes.
    logs : ndarray of float, shape (most trades,)
        Logarithms of one lane's growth from trade to trade.
    day_equity : ndarray of float
        Day ends of all lanes, see `bigbar.kernel.lanes.trade_rows`.
    equity, scratch : ndarray of float
        Day ends of one lane; room for the days or the trades of one.
    stack : Stack
    """

    hop: Hop
    purse: Purse
    places: NDArray[np.int64]
    listed: NDArray[np.int32]
    filled: NDArray[np.int64]
    traded: NDArray[np.int32]
    profits: NDArray[np.float64]
    returns: NDArray[np.float64]
    row_growth: NDArray[np.float64]
    logs: NDArray[np.float64]
    day_equity: NDArray[np.float64]
    equity: NDArray[np.float64]
    scratch: NDArray[np.float64]
    stack: Stack


def new_buffers(candidates: int, bars: int, days: int) -> tuple[Block, Batch]:
    """Buffers for a file of this size; pages that are never written to take up no memory."""
    longest = min(candidates, bars // 2) + 1
    trades = max(LANE_STEP * longest, _BLOCK_VALUES)
    rows = max(LANES, min(_BLOCK_VALUES // days, _MOST_ROWS))
    block = Block(
        rows=np.empty((rows, len(STATISTICS))),
        moments=np.empty((rows, MOMENTS)),
        day_growth=np.empty((rows, days)),
        day_returns=np.empty((rows, days - 1), np.float32),
        trade_growth=np.empty(trades),
        spans=np.empty((rows, 2), np.int64),
        trade_logs=np.empty(rows),
    )
    batch = Batch(
        hop=new_hop(),
        purse=new_purse(),
        places=np.empty(LANES, np.int64),
        listed=np.empty(candidates, np.int32),
        filled=np.empty(LANES, np.int64),
        traded=np.empty(trades, np.int32),
        profits=np.empty(trades),
        returns=np.empty(trades),
        row_growth=np.empty((candidates, 2)),
        logs=np.empty(longest),
        day_equity=np.empty(max(LANE_STEP * days, _BLOCK_VALUES)),
        equity=np.empty(days),
        scratch=np.empty(max(days, longest)),
        stack=new_stack(),
    )
    return block, batch
