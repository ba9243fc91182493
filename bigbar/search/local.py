"""Best-first on the grid: around the best points known so far, and now and then anywhere.

It begins with points spread evenly. A batch after that is made of steps from good points along one
or two parameters, short ones more often than long ones, and of points by chance, so that no
hill is the only one that is looked at. There is nothing to install and nothing to tune.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bigbar.search.contract import Ground
from bigbar.search.random import draw

#: Points that it begins with, and of a batch.
_STARTS, _BATCH = 48, 16

#: So many of the best are stepped from: the first most often, by an exponential law of this mean.
_BEST, _MEAN_RANK = 24, 6.0

#: Share of a batch that is taken by chance, and of steps that go along two parameters.
_ANYWHERE, _TWICE = 0.15, 0.4

#: Values that a step goes over at most; of a parameter with very many, one in so many of them.
_STEP = 8

#: Points proposed for each that is wanted: many are known already, or not admitted.
_PROPOSED = 4

#: Proposals in a row without a point that is new: then there is none left to find.
_MOST_IN_VAIN = 40


class LocalSearch:
    """Best-first search; see the module.

    Parameters
    ----------
    ground : Ground
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._random = np.random.default_rng(ground.seed)
        self._known: set[int] = set()
        self._best = np.empty(0, np.int64)
        self._scores = np.empty(0)
        self._varying = np.flatnonzero(ground.lengths > 1)
        self._ordered = np.array([each.is_ordered for each in ground.product.parameters])

    def ask(self) -> NDArray[np.int64]:
        if not self._known:
            return self._starts()
        batch: list[int] = []
        for _ in range(_MOST_IN_VAIN):
            numbers = self._ground.numbers(self._proposed(_PROPOSED * _BATCH))
            fresh = [one for one in dict.fromkeys(numbers.tolist()) if one not in self._known]
            fresh = [one for one in fresh if one not in batch]
            admitted = self._ground.admitted(np.array(fresh, np.int64))
            batch += np.array(fresh, np.int64)[admitted].tolist()
            if len(batch) >= _BATCH:
                break
        return np.array(batch[:_BATCH], np.int64)

    def tell(self, numbers: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        self._known.update(numbers.tolist())
        counts = ~np.isnan(scores)
        best = np.concatenate([self._best, numbers[counts]])
        known = np.concatenate([self._scores, scores[counts]])
        order = np.lexsort((best, -known))[:_BEST]
        self._best, self._scores = best[order], known[order]

    def _starts(self) -> NDArray[np.int64]:
        """Points spread evenly."""
        ground = self._ground
        count = min(_STARTS, ground.tries)
        drawn = draw(ground.product, count, constraints=ground.constraints, seed=ground.seed)
        return drawn.in_product(np.arange(len(drawn)))

    def _proposed(self, count: int) -> NDArray[np.int64]:
        """Places of so many points, a row each: steps from good ones, and some by chance."""
        random, lengths = self._random, self._ground.lengths
        places = random.integers(lengths, size=(count, len(lengths)))
        anywhere = random.random(count) < _ANYWHERE
        if not len(self._best):
            return places
        rank = np.minimum(
            random.exponential(_MEAN_RANK, count).astype(np.int64), len(self._best) - 1
        )
        near = self._ground.places(self._best[rank])
        steps = self._steps(count)
        moved = near + steps
        moved = np.where(self._ordered, np.clip(moved, 0, lengths - 1), moved % lengths)
        return np.where(anywhere[:, None], places, moved)

    def _steps(self, count: int) -> NDArray[np.int64]:
        """Steps along one or two parameters; short ones more often."""
        random = self._random
        lengths = self._ground.lengths
        longest = np.minimum(np.maximum(_STEP, lengths // _STEP), np.maximum(lengths - 1, 1))
        sizes = np.exp(random.random((count, len(lengths))) * np.log(longest + 0.5)).astype(
            np.int64
        )
        signs = random.integers(0, 2, (count, len(lengths))) * 2 - 1
        chosen = np.zeros((count, len(lengths)), np.bool_)
        rows = np.arange(count)
        chosen[rows, random.choice(self._varying, count)] = True
        twice = random.random(count) < _TWICE
        chosen[rows[twice], random.choice(self._varying, int(twice.sum()))] = True
        return np.where(chosen, sizes * signs, 0)
