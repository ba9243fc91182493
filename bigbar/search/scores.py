"""Scores for methods that take finite numbers only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Worst:
    """Puts a number in the place of each score that is none: the worst that was told so far.

    Attributes
    ----------
    score : float
        That; 0 before there is any.
    """

    def __init__(self) -> None:
        self.score = 0.0
        self._best = 0.0
        self._is_first = True

    def in_place(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores, each finite: what does not count as bad as the worst, infinities bounded.

        Parameters
        ----------
        scores : ndarray of float, shape (points,)
            The higher the better; NaN where one does not count.
        """
        finite = scores[np.isfinite(scores)]
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
            self.score = low if self._is_first else min(self.score, low)
            self._best = high if self._is_first else max(self._best, high)
            self._is_first = False
        return np.nan_to_num(scores, nan=self.score, posinf=self._best, neginf=self.score)
