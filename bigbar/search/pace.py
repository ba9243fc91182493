"""What a search takes for itself: choosing points, and learning from what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")

#: Batches that are timed before anything is said of those to come. The first one is left out of
#: that where there are others: it imports what the method needs, and has no model to make.
_LEAST_BATCHES = 4


class Pace:
    """How long a search has taken for itself, and how much longer it will take.

    What a point takes is fitted as a straight line over the points tried before it, as most methods
    look at all of them to choose the next: measured while it goes on, on the machine that it runs
    on.

    Parameters
    ----------
    points : int
        That it will choose at most.
    clock : callable, optional
        Tells seconds.

    Attributes
    ----------
    spent_s : float
        Seconds so far.
    batches : int
        How many were chosen.
    """

    def __init__(self, points: int, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._points, self._clock = points, clock
        self._chosen = 0
        self._of_batch_s = 0.0
        #: Of all batches but the first: points, and sums over them for the line.
        self._count = self._at = self._at_squared = self._took = self._at_by_took = 0.0
        self.spent_s = 0.0
        self.batches = 0

    def timed(self, step: Callable[[], _Found]) -> _Found:
        """Do a step of the search, and count what it takes."""
        begun = self._clock()
        try:
            return step()
        finally:
            took = self._clock() - begun
            self.spent_s += took
            self._of_batch_s += took

    def chose(self, points: int) -> None:
        """So many points were chosen by now: what was timed since the last ones is of the rest."""
        count, middle = points - self._chosen, (points + self._chosen) / 2
        if self.batches and count:
            self._count += count
            self._at += count * middle
            self._at_squared += count * middle**2
            self._took += self._of_batch_s
            self._at_by_took += middle * self._of_batch_s
        self._chosen = points
        self._of_batch_s = 0.0
        self.batches += 1

    def left_s(self) -> float | None:
        """Seconds that it will take for the points to come; None where that cannot be told yet."""
        if self.batches < _LEAST_BATCHES or not self._count:
            return None
        left = self._points - self._chosen
        mean, middle = self._took / self._count, self._at / self._count
        spread = self._at_squared / self._count - middle**2
        slope = (self._at_by_took / self._count - middle * mean) / spread if spread > 0 else 0.0
        # What seems to become quicker is taken for steady.
        ahead = (self._chosen + self._points) / 2 - middle
        return left * (mean + max(0.0, slope) * ahead)
