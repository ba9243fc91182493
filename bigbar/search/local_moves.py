"""Moves from good points of a grid to others: steps, differences of good points, and mixtures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bigbar.search.contract import Ground

#: The best are moved from most often, by an exponential law of this mean rank.
_MEAN_RANK = 9.0

#: Share of moves that go by the difference of two good points, and of those that mix two of them.
_DIFFERENCES, _MIXTURES = 0.3, 0.2

#: How often a difference goes along a parameter, and how far of it is gone.
_ALONG, _FAR = 0.7, (0.5, 1.0)

#: Share of steps that go along two parameters, and of mixtures that a step is taken from.
_TWICE, _STEPPED = 0.4, 0.5

#: Values that a step goes over at most; of a parameter with very many, one in so many of them.
_STEP = 8


class Moves:
    """Proposes points around good ones.

    Short steps along one or two parameters find the top of a hill. Differences of good points have
    the direction and the length of the ridge that these stand on. Mixtures take each value from one
    of two good points. Where values have no order, another one takes the place of a step.

    Parameters
    ----------
    ground : Ground
    random : numpy.random.Generator
    """

    def __init__(self, ground: Ground, random: np.random.Generator) -> None:
        self._random, self._lengths = random, ground.lengths
        self._varying = np.flatnonzero(ground.lengths > 1)
        self._ordered = np.array([each.is_ordered for each in ground.product.parameters])
        self._longest = np.minimum(
            np.maximum(_STEP, ground.lengths // _STEP), np.maximum(ground.lengths - 1, 1)
        )

    def proposed(self, good: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Places that moves lead to.

        Parameters
        ----------
        good : ndarray of int, shape (points, parameters)
            Places of points that are known, the best first; at least one.
        count : int

        Returns
        -------
        ndarray of int, shape (count, parameters)
            Some of them may be equal, or known.
        """
        near, steps = self._picked(good, count), self._steps(count)
        kind = self._random.random(count)[:, None]
        moved = np.where(kind < _DIFFERENCES, near + self._differences(good, near), near + steps)
        mixed = self._mixtures(good, near, steps)
        moved = np.where(kind >= 1 - _MIXTURES, mixed, moved)
        inside = np.clip(moved, 0, self._lengths - 1)
        return np.where(self._ordered, inside, moved % self._lengths)

    def _picked(self, good: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """So many of the good points, the best most often."""
        rank = self._random.exponential(_MEAN_RANK, count).astype(np.int64)
        return good[np.minimum(rank, len(good) - 1)]

    def _steps(self, count: int) -> NDArray[np.int64]:
        """Steps along one or two parameters; short ones more often."""
        random, axes = self._random, len(self._lengths)
        logarithms = random.random((count, axes)) * np.log(self._longest + 0.5)
        sizes = np.exp(logarithms).astype(np.int64)
        signs = random.integers(0, 2, (count, axes)) * 2 - 1
        chosen = np.zeros((count, axes), np.bool_)
        rows = np.arange(count)
        chosen[rows, random.choice(self._varying, count)] = True
        twice = random.random(count) < _TWICE
        chosen[rows[twice], random.choice(self._varying, int(twice.sum()))] = True
        return np.where(chosen, sizes * signs, 0)

    def _differences(self, good: NDArray[np.int64], near: NDArray[np.int64]) -> NDArray[np.int64]:
        """From each point by the difference of two good ones; without an order, to one of them."""
        count = len(near)
        to, start = self._picked(good, count), self._picked(good, count)
        far = self._random.choice(_FAR, count)[:, None]
        along = self._random.random(near.shape) < _ALONG
        gone = np.where(self._ordered, np.rint(far * (to - start)).astype(np.int64), to - near)
        return np.where(along, gone, 0)

    def _mixtures(
        self, good: NDArray[np.int64], near: NDArray[np.int64], steps: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Each value from a point or from another good one, and a step from there at times."""
        from_other = self._random.random(near.shape) < 0.5
        mixed = np.where(from_other, self._picked(good, len(near)), near)
        stepped = self._random.random(len(near)) < _STEPPED
        return np.where(stepped[:, None], mixed + steps, mixed)
