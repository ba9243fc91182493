"""The points that a search has asked for, each once, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bigbar.search.contract import Searcher

#: So many batches without a point that is new, and a search has come to its end: in a small space
#: some methods ask for the same few for ever.
_MOST_IN_VAIN = 50


class Tries:
    """The points that a search has asked for, each once, in that order, and their scores.

    Parameters
    ----------
    searcher : Searcher
    numbers : ndarray of int64, shape (most,)
        Room for the points, by their numbers in the product.
    objectives : int, optional
        Scores of each.

    Attributes
    ----------
    numbers : ndarray of int64, shape (most,)
        The first `count` of them are known.
    scores : ndarray of float, shape (most,)
        The higher the better; NaN where one does not count. Of several objectives a column each.
    count : int
    why_ended : str
        Why there are no more once `ask` gives none, for a person.
    """

    def __init__(
        self, searcher: Searcher, numbers: NDArray[np.int64], *, objectives: int = 1
    ) -> None:
        self._searcher = searcher
        self._places: dict[int, int] = {}
        self._batch = np.empty(0, np.int64)
        self.numbers = numbers
        several = () if objectives == 1 else (objectives,)
        self.scores = np.full((len(numbers), *several), np.nan)
        self.count = 0
        self.why_ended = ""

    def ask(self) -> range:
        """Places of the points to try next, all of them new; none when the search has ended."""
        for _ in range(_MOST_IN_VAIN):
            if self.count == len(self.numbers):
                break
            self._batch = self._searcher.ask()
            if not len(self._batch):
                self.why_ended = self._searcher.why_ended
                break
            if len(new := self._taken_in(self._batch.tolist())):
                return new
            self._tell()
        else:
            self.why_ended = f"{_MOST_IN_VAIN} times in a row it asked only for what it had tried"
        return range(self.count, self.count)

    def tell(self, places: range, scores: NDArray[np.float64]) -> None:
        """What came of the points of that batch."""
        self.scores[places.start : places.stop] = scores
        self._tell()

    def _taken_in(self, batch: Sequence[int]) -> range:
        first, room = self.count, len(self.numbers)
        for number in batch:
            if number not in self._places and self.count < room:
                self._places[number] = self.count
                self.numbers[self.count] = number
                self.count += 1
        return range(first, self.count)

    def _tell(self) -> None:
        places = [self._places.get(number, -1) for number in self._batch.tolist()]
        if min(places) >= 0:  # Else there was no room for all: nothing more will be asked.
            self._searcher.tell(self._batch, self.scores[places])
