"""Combinations that a program is run for in one call, all else about them being numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Combinations that are run together at most.
MOST = 1024


@dataclass(frozen=True)
class Batch:
    """What the first and those right after it have of their own.

    Attributes
    ----------
    values : dict of str to ndarray of float, shape (combinations,)
        By the names of parameters; what is not there, all have as the first has it.
    places : ndarray of int, shape (combinations, rows), or None
        Numbers of the rows that they read; None where all read those of the first.
    starts, first_bars : ndarray of int, shape (combinations,), or None
        See `bigbar.engines.general.starts.Start`; None as above.
    """

    values: dict[str, NDArray[np.float64]]
    places: NDArray[np.int64] | None = None
    starts: NDArray[np.int64] | None = None
    first_bars: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        if self.starts is not None:
            return len(self.starts)
        return max((len(one) for one in self.values.values()), default=1)
