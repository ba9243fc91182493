"""What is kept of a grid, as a value that any worker can be given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.errors import SettingsError
from bigbar.given import text

#: Rows of the sample: as many as luck is told by in a second, and a chart can show.
SAMPLE = 10_000

#: More rows of the best than this are a table of their own, and no short list.
MOST_KEPT = 1_000_000

#: Reasons of combinations that failed are kept for so many, the lowest; of the sample for all.
MOST_REASONS = 100

#: What a rule is written as.
WANTED = "all, or top:N for the N best, a sample and the heatmaps, such as top:1000"

_EVERY = 2**64


def rows_kept(given: str) -> int | None:
    """How many of the best rows are kept; None for all rows.

    Parameters
    ----------
    given : str
        `all` or `top:N`.

    Raises
    ------
    SettingsError
        If it is neither.
    """
    asked = text("--keep", given, WANTED)
    if asked == "all":
        return None
    head, colon, number = asked.partition(":")
    if (
        head == "top"
        and colon
        and number.isascii()
        and number.isdecimal()
        and 1 <= int(number) <= MOST_KEPT
    ):
        return int(number)
    raise SettingsError(f"--keep is {asked!r}; it can be {WANTED} (at most {MOST_KEPT:,})")


@dataclass(frozen=True)
class Rule:
    """What is kept of the rows.

    Attributes
    ----------
    top : int
        The best rows, by the rule that chooses the answer.
    choice : Choice
        That rule.
    total : int
        Combinations in all.
    seed : int
        Of the sample.
    sample : int
        Rows of it.
    """

    top: int
    choice: Choice
    total: int
    seed: int = 0
    sample: int = SAMPLE

    @property
    def most_rows(self) -> int:
        """Rows that are kept at most."""
        return min(self.top + self.sample + MOST_REASONS, self.total)

    def drawn(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some points are of the sample, or of the few more that it is cut down from.

        Chance decides by a point's number alone, so it is the same sample however the grid is cut.

        Parameters
        ----------
        numbers : ndarray of int64, shape (points,)
            In the product.
        """
        if self.total <= self.sample:
            return np.ones(len(numbers), np.bool_)
        # So many more that it is never short: eight standard deviations.
        wanted = self.sample + 8 * math.sqrt(self.sample) + 16
        limit = min(_EVERY - 1, int(wanted / self.total * _EVERY))
        return self._keys(numbers) < np.uint64(limit)

    def in_sample(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the points that were kept are of the sample.

        Parameters
        ----------
        numbers : ndarray of int64, shape (points,)
            All that were drawn are among them.
        """
        keys = self._keys(numbers)
        drawn = self.drawn(numbers)
        if np.count_nonzero(drawn) <= self.sample:
            return drawn
        last = np.partition(keys[drawn], self.sample - 1)[self.sample - 1]
        return drawn & (keys <= last)

    def _keys(self, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
        """A number by chance for each point, all different (SplitMix64)."""
        begun = (self.seed + 1) * 0x9E3779B97F4A7C15 % _EVERY
        mixed = numbers.astype(np.uint64) + np.uint64(begun)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
