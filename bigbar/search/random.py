"""Points by chance: the first of a scrambled Sobol sequence, which leaves smaller gaps than dice.

Each point once, so a draw of 2,000 begins with those of a draw of 1,000. Nothing is as large as the
space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import SettingsError
from bigbar.space import MOST_NUMBERED, MOST_POINTS, Condition, Space

#: Points of the sequence that are looked at before the rest is taken another way: where most of a
#: space is asked for, or a constraint admits little of it, new ones become rare.
_LEAST_LOOKED_AT, _LOOKED_AT = 1 << 20, 8

#: The sequence begins with so many; a power of two, as its balance asks for.
_FIRST = 1 << 10

#: And goes on with no more at once: some tens of megabytes.
_AT_ONCE = 1 << 20


def draw(
    product: Space, count: int, *, constraints: Sequence[Condition] = (), seed: int = 0
) -> Space:
    """Some points of a product, spread evenly over it.

    Parameters
    ----------
    product : Space
        All combinations of some parameters, of any number.
    count : int
        Points to draw; at least 1, and fewer than there are.
    constraints : sequence of Condition, optional
        Only points that meet all of them.
    seed : int, optional

    Returns
    -------
    Space
        Of fewer points where no more of them meet the constraints; of a space that is too large to
        hold also where no more were found.

    Raises
    ------
    SettingsError
        If none was found, or points cannot be numbered: there are too many.
    """
    if product.product > MOST_NUMBERED:
        raise SettingsError(
            f"{product.size_text} combinations are too many to be numbered; give a parameter fewer "
            "values or a larger step"
        )
    found = _from_sequence(product, count, constraints, seed)
    is_all = False
    if len(found) < count and product.product <= MOST_POINTS:
        found = np.concatenate([found, _others(product, found, constraints, seed)])
        is_all = len(found) <= count
    if not len(found):
        raise SettingsError(
            f"of {product.product:,} combinations none was found that meets the constraint; give "
            "the parameters values of which more do"
        )
    return Space(product.parameters, np.sort(found[:count]), is_sample=not is_all)


def _from_sequence(
    product: Space, count: int, constraints: Sequence[Condition], seed: int
) -> NDArray[np.int64]:
    """Numbers of different points that meet the constraints, in the order of the sequence."""
    from scipy.stats import qmc  # It takes a second, and most runs need none of it.

    lengths = np.array([len(parameter) for parameter in product.varying], np.int64)
    strides = np.array(
        [math.prod(int(one) for one in lengths[place + 1 :]) for place in range(len(lengths))],
        np.int64,
    )
    sequence = qmc.Sobol(len(lengths), seed=seed)
    found = np.empty(0, np.int64)
    looked_at, most = 0, max(_LEAST_LOOKED_AT, _LOOKED_AT * count)
    while len(found) < count and looked_at < most:
        shares = sequence.random(min(max(_FIRST, looked_at), _AT_ONCE))
        looked_at += len(shares)
        places = np.minimum((shares * lengths).astype(np.int64), lengths - 1)
        numbers = _once(places @ strides)
        for constraint in constraints:
            numbers = numbers[product.admitted(constraint, numbers)]
        found = _once(np.concatenate([found, numbers]))
    return found


def _once(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each of them where it first comes."""
    first = np.unique(numbers, return_index=True)[1]
    return numbers[np.sort(first)]


def _others(
    product: Space, found: NDArray[np.int64], constraints: Sequence[Condition], seed: int
) -> NDArray[np.int64]:
    """All other points that meet the constraints, shuffled."""
    is_left = np.ones(product.product, np.bool_)
    is_left[found] = False
    left = np.flatnonzero(is_left)
    for constraint in constraints:
        left = left[product.admitted(constraint, left)]
    return np.random.default_rng(seed).permutation(left)
