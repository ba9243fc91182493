"""Arrays side by side in one matrix, each once: compiled code reads them by their number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bytes of a matrix at first, and at most unless one backtest needs more. Pages that no row was
#: written to take no memory.
_FIRST_BYTES, _MOST_BYTES = 16 * 2**20, 64 * 2**20


def read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """A view that cannot be written to, which compiled code has to be given everywhere."""
    view = array.view()
    view.flags.writeable = False
    return view


class Rows:
    """A matrix of arrays with a value a bar.

    Parameters
    ----------
    bars : int
    """

    def __init__(self, bars: int) -> None:
        self._bars = bars
        self._matrix = np.empty((max(8, _FIRST_BYTES // (8 * bars)), bars))
        self._places: dict[Any, tuple[int, Any]] = {}
        self._count = self._forgotten = 0

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The rows; read-only."""
        return read_only(self._matrix)

    @property
    def generation(self) -> int:
        """How often rows have been forgotten."""
        return self._forgotten

    @property
    def is_full(self) -> bool:
        """Whether they take so much room that they are forgotten before the next backtest."""
        return self._count * self._bars * 8 > _MOST_BYTES

    def begin(self) -> int:
        """Before the rows of a backtest: forget earlier ones where they take too much room.

        Returns
        -------
        int
            How often that has been: numbers of rows from before do not count then.
        """
        if self.is_full:
            self._places.clear()
            self._count = 0
            self._forgotten += 1
        return self._forgotten

    def place(self, array: np.ndarray) -> int:
        """The number of an array, which must not change from now on."""
        base: Any = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        key = (array.__array_interface__["data"][0], array.strides, array.dtype.str, id(base))
        known = self._places.get(key)
        if known is not None and known[1] is base:
            return known[0]
        if self._count == len(self._matrix):
            larger = np.empty((4 * len(self._matrix), self._bars))
            larger[: self._count] = self._matrix
            self._matrix = larger
        self._matrix[self._count] = array
        self._places[key] = (self._count, base)
        self._count += 1
        return self._count - 1
