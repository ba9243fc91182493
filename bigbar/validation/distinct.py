"""Combinations whose returns are the same in every period, taken once.

On real grids they are many: a threshold that no bar stands between makes no difference. Luck
cannot tell them apart either, so everything that goes over all combinations goes over the kinds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Combinations that are looked at together: few enough for the processor's cache.
_BLOCK = 1024


@dataclass(frozen=True)
class Kinds:
    """The different rows of a matrix of returns.

    Attributes
    ----------
    first : ndarray of int, shape (kinds,)
        The lowest combination of each kind, ascending.
    counts : ndarray of int, shape (kinds,)
        Combinations of each kind.
    place : ndarray of int, shape (combinations,)
        Which kind a combination is; -1 where it does not count.
    """

    first: NDArray[np.intp]
    counts: NDArray[np.intp]
    place: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.first)

    def only(self, wanted: NDArray[np.bool_]) -> Kinds:
        """Some of the kinds; combinations of the others no longer count."""
        rank = np.where(wanted, np.cumsum(wanted) - 1, -1)
        place = np.where(self.place >= 0, rank[self.place], -1)
        return Kinds(self.first[wanted], self.counts[wanted], place)


def find_kinds(returns: NDArray[np.float32], counting: NDArray[np.bool_]) -> Kinds:
    """Group the combinations whose returns are equal, bit for bit.

    Parameters
    ----------
    returns : ndarray of float32, shape (combinations, periods)
        Contiguous.
    counting : ndarray of bool, shape (combinations,)
        Combinations to group; the others are left out.

    Returns
    -------
    Kinds
    """
    numbers = np.flatnonzero(counting)
    bits = returns.view(np.uint32)
    # A row's key is a sum of its bits times odd numbers, modulo 2^64: equal rows have equal keys.
    odd = np.random.default_rng(0).integers(0, 2**63, returns.shape[1], dtype=np.uint64) * 2 + 1
    keys = np.empty(len(numbers), np.uint64)
    for rows in _blocks(len(numbers)):
        keys[rows] = (bits[numbers[rows]] * odd).sum(axis=1, dtype=np.uint64)
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    # A chance collision of two keys is seen here, and costs no more than a kind of its own.
    own = np.zeros(len(numbers), np.bool_)
    for rows in _blocks(len(numbers)):
        own[rows] = (bits[numbers[rows]] != bits[numbers[first[place[rows]]]]).any(axis=1)
    place[own] = len(first) + np.arange(np.count_nonzero(own))
    first = np.concatenate([first, np.flatnonzero(own)])
    return _in_grid_order(numbers, first, place, len(returns))


def _in_grid_order(
    numbers: NDArray[np.intp], first: NDArray[np.intp], place: NDArray[np.intp], total: int
) -> Kinds:
    """Kinds ordered by their first combination: so the first of equal maxima is the lowest."""
    order = np.argsort(first)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    places = np.full(total, -1, np.intp)
    places[numbers] = rank[place]
    counts = np.bincount(rank[place], minlength=len(order)).astype(np.intp)
    return Kinds(numbers[first[order]], counts, places)


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]
