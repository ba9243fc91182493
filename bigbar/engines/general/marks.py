"""Lists of the bars on which a program could do something, made once and kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.broker import state as at
from bigbar.compiled.many import mark
from bigbar.engines.general.prepare import Prepared

#: Bytes of lists that are kept.
_MOST_BYTES = 16 * 2**20

#: Bars without an open trade, and with one; see `bigbar.compiled.hop.list_marked`.
Lists = tuple[NDArray[np.int64], NDArray[np.int64]]


class Marks:
    """Makes and keeps them.

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
        self._kept: OrderedDict[Any, Lists] = OrderedDict()
        self._bytes = 0

    def of(
        self,
        prepared: Prepared,
        n: NDArray[np.int64],
        market: NDArray[np.float64],
        rows: NDArray[np.float64],
        P: NDArray[np.float64],
        start: int,
        generation: int,
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
        generation : int
            Numbers of rows from another one are other rows.
        """
        program, marks = prepared.program, prepared.code.marks
        assert marks is not None
        numbers = n[at.NN : at.NN + len(program.rows)].tobytes()
        read = P[list(program.marked_by)].tobytes() if program.marked_by else b""
        key = (program.text, numbers, generation, read, start)
        known = self._kept.get(key)
        if known is None:
            counts = mark(
                marks.pointer, n, market, rows, P, self.errors, self.bars, self.words, *self.lists,
                start,
            )  # fmt: skip
            flat, inside = (
                one[:count].copy() for one, count in zip(self.lists, counts, strict=True)
            )
            known = self._kept[key] = flat, inside
            self._bytes += flat.nbytes + inside.nbytes
            while self._bytes > _MOST_BYTES and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= sum(one.nbytes for one in oldest)
        return known
