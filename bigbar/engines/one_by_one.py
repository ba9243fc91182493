"""Slices of combinations, for engines that answer one after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import Calendar, calendar_of
from bigbar.space import Space
from bigbar.statistics import NAMES


class OneByOne:
    """The part of `bigbar.engines.contract.Engine` that deals with slices.

    A backtest gives statistics and returns together, so engines made of this have
    `run_with_returns` as well.

    Parameters
    ----------
    space : Space
    index : DatetimeIndex
        Of the bars that take part.
    """

    def __init__(self, space: Space, index: pd.DatetimeIndex) -> None:
        self._space = space
        self._calendar: Calendar = calendar_of(index)

    def run(self, start: int, stop: int) -> NDArray[np.float64]:
        return self.run_with_returns(start, stop)[0]

    def returns(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.run_with_returns(start, stop)[1]

    def run_with_returns(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Statistics and returns at once: see `Engine.run` and `Engine.returns`."""
        if not 0 <= start <= stop <= len(self._space):
            raise IndexError(f"combinations {start} to {stop} of a grid of {len(self._space)}")
        rows = np.empty((stop - start, len(NAMES)))
        returns = np.empty((stop - start, self._calendar.periods - 1), np.float32)
        place = 0
        while place < len(rows):
            place += self._answer_some(start + place, rows[place:], returns[place:])
        return rows, returns

    def _answer_some(
        self, number: int, rows: NDArray[np.float64], returns: NDArray[np.float32]
    ) -> int:
        """Write a combination's statistics and returns, and of those after it what comes along.

        Returns
        -------
        int
            How many combinations that are.
        """
        self._answer(number, rows[0], returns[0])
        return 1

    def _answer(self, number: int, row: NDArray[np.float64], returns: NDArray[np.float32]) -> None:
        """Write one combination's statistics and returns."""
        raise NotImplementedError

    def _write_returns(self, equity: NDArray[np.float64], returns: NDArray[np.float32]) -> None:
        """Write the returns of an equity curve; where it has none, 0."""
        returns[:] = np.nan_to_num(self._calendar.returns(equity), nan=0.0)
