"""Best-first on the grid: around the best points known so far, and now and then anywhere.

It begins with points spread evenly. A batch after that is made mostly of moves from good points
(`local_moves`), of which those are tried that are more like good points than like what was tried
at all (`local_model`). Some moves are tried whatever the model says of them, and some points are
taken by chance, the more of them the longer nothing better was found, so that no hill is the only
one that is looked at. There is nothing to install and nothing to tune.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bigbar.search.contract import Ground
from bigbar.search.local_model import Model
from bigbar.search.local_moves import Moves
from bigbar.search.random import draw

#: Points that it begins with, and of a batch.
_STARTS, _BATCH = 32, 16

#: So many of the best are moved from.
_BEST = 24

#: Share of a batch that is taken by chance: while better points are found, and at most.
_ANYWHERE, _ANYWHERE_AT_MOST = 0.1, 0.5

#: Tries without a better point from which on that share rises, and until it is at its most.
_PATIENCE, _LOST = 50, 250

#: Share of the moves that the model has no say in.
_UNRANKED = 0.2

#: Points proposed for each that is wanted: many are known already, or not admitted; and of moves
#: that the model chooses from.
_PROPOSED, _RANKED = 4, 8

#: Attempts to fill a batch: the first so many by moves, and then by points from anywhere. After the
#: last there is none left to find.
_BY_MOVES, _MOST_IN_VAIN = 3, 40


class LocalSearch:
    """Best-first search; see the module.

    Parameters
    ----------
    ground : Ground
    """

    why_ended = "it found no others"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._random = np.random.default_rng(ground.seed)
        self._moves = Moves(ground, self._random)
        self._model = Model(ground)
        self._known: set[int] = set()
        self._tried: list[int] = []
        self._tried_at_best = 0
        self._best = np.empty(0, np.int64)
        self._scores = np.empty(0)

    def ask(self) -> NDArray[np.int64]:
        if not self._known:
            return self._starts()
        batch: dict[int, None] = {}
        if len(self._best):
            anywhere = int(self._random.binomial(_BATCH, self._share_anywhere()))
            unranked = int(self._random.binomial(_BATCH - anywhere, _UNRANKED))
            self._add(batch, self._anywhere(_PROPOSED * anywhere), anywhere)
            self._add(batch, self._moved(_PROPOSED * unranked), unranked)
            for _ in range(_BY_MOVES):
                wanted = _BATCH - len(batch)
                self._add(batch, self._moved(_RANKED * wanted), wanted, ranked=True)
        for _ in range(_MOST_IN_VAIN):
            if len(batch) == _BATCH:
                break
            wanted = _BATCH - len(batch)
            self._add(batch, self._anywhere(_PROPOSED * _BATCH), wanted)
        return np.array(list(batch), np.int64)

    def tell(self, numbers: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        self._known.update(numbers.tolist())
        self._tried += numbers.tolist()
        counts = ~np.isnan(scores)
        best = np.concatenate([self._best, numbers[counts]])
        known = np.concatenate([self._scores, scores[counts]])
        order = np.argsort(-known, kind="stable")[:_BEST]  # Of equal ones the first tried.
        if len(order) and order[0] >= len(self._best):
            self._tried_at_best = len(self._tried)
        self._best, self._scores = best[order], known[order]

    def _starts(self) -> NDArray[np.int64]:
        """Points spread evenly."""
        ground = self._ground
        count = min(_STARTS, ground.tries)
        drawn = draw(ground.product, count, constraints=ground.constraints, seed=ground.seed)
        return drawn.in_product(np.arange(len(drawn)))

    def _share_anywhere(self) -> float:
        """Share of the next batch that is taken by chance."""
        in_vain = len(self._tried) - self._tried_at_best
        lost = min(max(in_vain - _PATIENCE, 0) / (_LOST - _PATIENCE), 1.0)
        return _ANYWHERE + lost * (_ANYWHERE_AT_MOST - _ANYWHERE)

    def _anywhere(self, count: int) -> NDArray[np.int64]:
        """Places of so many points by chance, a row each."""
        lengths = self._ground.lengths
        return self._random.integers(lengths, size=(count, len(lengths)))

    def _moved(self, count: int) -> NDArray[np.int64]:
        """Places of so many points that moves from good ones lead to, a row each."""
        return self._moves.proposed(self._ground.places(self._best), count)

    def _add(
        self,
        batch: dict[int, None],
        places: NDArray[np.int64],
        wanted: int,
        *,
        ranked: bool = False,
    ) -> None:
        """Put so many of some points in the batch: new ones that are admitted."""
        numbers = dict.fromkeys(self._ground.numbers(places).tolist())
        fresh = np.array(
            [one for one in numbers if one not in self._known and one not in batch], np.int64
        )
        fresh = fresh[self._ground.admitted(fresh)]
        if ranked and len(fresh) > wanted:
            fresh = fresh[self._promising(fresh)]
        batch.update(dict.fromkeys(fresh[:wanted].tolist()))

    def _promising(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of some points to try first: an order of them."""
        tried = self._model.sampled(self._tried, self._random)
        places = self._ground.places
        promise = self._model.promise(
            places(numbers), places(self._best), places(tried), tries=len(self._tried)
        )
        return np.argsort(-promise, kind="stable")
