"""Lists of the bars on which a program could do something."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.many import mark
from bigbar.engines.general.prepare import Prepared

#: Bars without an open trade, and with one; see `bigbar.compiled.hop.list_marked`.
Lists = tuple[NDArray[np.int64], NDArray[np.int64]]


class Marks:
    """Room to mark bars, and to list them.

    Parameters
    ----------
    bars : int

    Attributes
    ----------
    bars, words : ndarray
        The same memory: room to mark every bar, as bytes and eight at a time.
    lists : Lists
        Room for two lists; overwritten by the next ones.
    errors : ndarray of int64
        For the function that marks.
    """

    def __init__(self, bars: int) -> None:
        room = np.zeros(-(-bars // 8) * 8, np.uint8)
        self.bars, self.words = room[:bars], room.view(np.uint64)
        self.lists: Lists = np.empty(bars + 1, np.int64), np.empty(bars + 1, np.int64)
        self.errors = np.zeros(16, np.int64)

    def of(
        self,
        prepared: Prepared,
        n: NDArray[np.int64],
        market: NDArray[np.float64],
        rows: NDArray[np.float64],
        P: NDArray[np.float64],
        start: int,
    ) -> Lists:
        """The lists for a program, its rows and its parameters.

        Parameters
        ----------
        prepared : Prepared
            Of a program that has marks.
        n, market, rows, P
            As for `next`.
        start : int
            The first bar on which it runs.
        """
        marks = prepared.code.marks
        assert marks is not None
        mark(
            marks.pointer, n, market, rows, P, self.errors, self.bars, self.words, *self.lists,
            start,
        )  # fmt: skip
        return self.lists
