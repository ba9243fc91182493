"""What every search can do, whoever makes it.

A search asks for points and is told what came of them: a batch of its own size, then all scores of
it in the order of asking, so that it goes the same way whoever runs them, and how. It is asked
again by a run that is continued, and told what there is already. `bigbar.search.find` has those
there are; a new one is a file with a class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bigbar.space import Condition, Space


@dataclass(frozen=True)
class Ground:
    """What a search looks through.

    Attributes
    ----------
    product : Space
        All combinations of the parameters, of any number: nothing may be as large as that.
    constraints : tuple of Condition
        That every point has to meet.
    tries : int
        Different points that it will be told of, at most.
    seed : int
        Of what is left to chance.
    objectives : int
        Scores of each point.
    """

    product: Space
    constraints: tuple[Condition, ...] = field(compare=False)
    tries: int
    seed: int
    objectives: int = 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Number of values of each parameter."""
        return np.array(self.product.shape, np.int64)

    @cached_property
    def strides(self) -> NDArray[np.int64]:
        """How far apart in the product two points are that differ by one in a parameter."""
        return np.array(
            [math.prod(self.product.shape[at + 1 :]) for at in range(len(self.lengths))], np.int64
        )

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of its values each parameter has at some points: a row a point."""
        return numbers[:, None] // self.strides % self.lengths

    def numbers(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The points at which the parameters have these of their values: a row a point."""
        return places @ self.strides

    def admitted(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each of some points meets the constraints."""
        admitted = np.ones(len(numbers), np.bool_)
        for constraint in self.constraints:
            admitted[admitted] = self.product.admitted(constraint, numbers[admitted])
        return admitted


class Searcher(Protocol):
    """A search through a `Ground`, from which it is made.

    Attributes
    ----------
    why_ended : str
        Why there is nothing left to try once `ask` gives none, for a person.
    """

    why_ended: str

    def ask(self) -> NDArray[np.int64]:
        """The next points to try, by their numbers in the product; none when there is nothing left.

        All of them are admitted. Points that were asked for before may be among them: they are
        answered at once, and do not count.
        """
        ...

    def tell(self, numbers: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """What came of the batch that was asked for last, in that order.

        Parameters
        ----------
        numbers : ndarray of int, shape (points,)
        scores : ndarray of float, shape (points,)
            The higher the better; NaN where a point does not count, or failed. Of several
            objectives a column each.
        """
        ...
