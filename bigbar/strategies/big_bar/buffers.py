"""Buffers of the sweep: made once, of a size that the file's length decides little."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.statistics import Stack, new_stack
from bigbar.strategies.big_bar.purse import Purse, new_purse
from bigbar.strategies.big_bar.trade_selection import LANES, Selection, new_selection

#: Lanes are filled up with idle ones to a multiple of this, so that no vector is left half full;
#: buffers have room for at least as many, however long the file.
LANE_STEP = 8

#: Day ends of a batch of lanes stay within this where the file allows it: 1.6 MB, the size of a
#: processor's second cache.
_BATCH_VALUES = 200_000


class Batch(NamedTuple):
    """Buffers of the lanes that are walked side by side.

    Attributes
    ----------
    selection, purse
        State of the lanes.
    places : ndarray of int64, shape (LANES,)
        Place of the combination on each lane, see `bigbar.strategies.big_bar.equal_results`.
    listed : ndarray of int32, shape (candidates,)
        Candidates that pass the loosest `k_atr` of the lanes.
    day_equity : ndarray of float
        Day ends of all lanes, see `bigbar.strategies.big_bar.many_walks.trade_rows`.
    equity, scratch : ndarray of float, shape (days,)
        Day ends of one lane; room for as many.
    stack : Stack
    """

    selection: Selection
    purse: Purse
    places: NDArray[np.int64]
    listed: NDArray[np.int32]
    day_equity: NDArray[np.float64]
    equity: NDArray[np.float64]
    scratch: NDArray[np.float64]
    stack: Stack


def new_batch(candidates: int, days: int) -> Batch:
    """Buffers for a file of this size; pages that are never written to take up no memory."""
    return Batch(
        selection=new_selection(),
        purse=new_purse(),
        places=np.empty(LANES, np.int64),
        listed=np.empty(candidates, np.int32),
        day_equity=np.empty(max(LANE_STEP * days, min(_BATCH_VALUES, LANES * days))),
        equity=np.empty(days),
        scratch=np.empty(days),
        stack=new_stack(),
    )
