"""Which of some points are likely to be good, by what stands near them.

The density of good points is held against that of all that were tried, as tree-structured Parzen
estimators do (Bergstra et al. 2011): where it is relatively high, good points were found oftener
than was looked. Kernels see all parameters together. Their number is bounded, whatever was tried.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bigbar.search.contract import Ground

#: Share of what was tried that passes for good, and points at least.
_GOOD, _LEAST_GOOD = 0.06, 4

#: Points that stand for all that were tried.
_TRIED = 200

#: Width of a kernel along a parameter: as a share of its values if the point were the only one,
#: and in values at least.
_WIDTH, _LEAST_WIDTH = 0.2, 0.5

#: What a density is at least, of one point's: far from everything nothing is known.
_LEAST_DENSITY = 1e-3

#: Decimals of a promise that count. The last bits differ between processors, and what is as
#: promising as another must be so on all of them.
_DECIMALS = 9


class Model:
    """Says how promising points are; see the module.

    Parameters
    ----------
    ground : Ground
    """

    def __init__(self, ground: Ground) -> None:
        parameters = ground.product.parameters
        self._axes = [
            (axis, len(parameter), parameter.is_ordered)
            for axis, parameter in enumerate(parameters)
            if len(parameter) > 1
        ]

    def sampled(self, tried: list[int], random: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of points that stand for all that were tried."""
        if len(tried) <= _TRIED:
            return np.array(tried, np.int64)
        return np.array([tried[at] for at in random.integers(len(tried), size=_TRIED).tolist()])

    def promise(
        self,
        places: NDArray[np.int64],
        best: NDArray[np.int64],
        tried: NDArray[np.int64],
        *,
        tries: int,
    ) -> NDArray[np.float64]:
        """How promising some points are.

        Parameters
        ----------
        places : ndarray of int, shape (points, parameters)
            Theirs.
        best, tried : ndarray of int, shape (others, parameters)
            Of the best that are known, in order, and of what stands for all that were tried.
        tries : int
            Number of those.

        Returns
        -------
        ndarray of float, shape (points,)
            The higher the better; of no unit.
        """
        good = best[: max(_LEAST_GOOD, math.ceil(_GOOD * tries))]
        of_good, of_tried = self._density(places, good), self._density(places, tried)
        return np.round(np.log(of_good) - np.log(of_tried), _DECIMALS)

    def _density(self, places: NDArray[np.int64], points: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean of the kernels of some points at these places."""
        width = _WIDTH * len(points) ** (-1 / (len(self._axes) + 4))
        other = 0.5 * math.log(len(points) + 1)
        exponents = np.zeros((len(places), len(points)))
        for axis, length, is_ordered in self._axes:
            apart = places[:, axis, None] - points[:, axis]
            if is_ordered:
                scale = max(width * (length - 1), _LEAST_WIDTH)
                exponents -= 0.5 * (apart / scale) ** 2
            else:
                exponents -= other * (apart != 0)
        density: NDArray[np.float64] = np.exp(exponents).mean(axis=1)
        return density + _LEAST_DENSITY / len(points)
