"""SAMBO's shuffled complex evolution, which `Backtest.optimize(method="sambo")` runs.

It calls a function for one point after another, so it runs in a thread of its own, which waits
in that function until it is told.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

import numpy as np
import sambo
from numpy.typing import NDArray

from bigbar.search.contract import Ground
from bigbar.search.scores import Worst

#: It takes no fewer calls than this.
_LEAST_CALLS = 5


class _Stopped(BaseException):
    """Nobody will tell what came of a point any more."""


class _Channel:
    """What goes to the thread and comes back: points to try, and their scores."""

    def __init__(self) -> None:
        self.points: SimpleQueue[int | Exception | None] = SimpleQueue()
        self.scores: SimpleQueue[float | None] = SimpleQueue()
        self.why_ended = ""
        self.calls = 0
        self._known: dict[int, float] = {}

    def score(self, number: int) -> float:
        """Ask for a point, and wait; each is asked for once."""
        self.calls += 1
        if number not in self._known:
            self.points.put(number)
            score = self.scores.get()
            if score is None:
                raise _Stopped
            self._known[number] = score
        return self._known[number]


class SamboSearch:
    """A search by `sambo.minimize`, one point at a time.

    Parameters
    ----------
    ground : Ground
    """

    def __init__(self, ground: Ground) -> None:
        self._channel = channel = _Channel()
        self._worst = Worst()
        # The thread does not know of the search: once nobody has that any more, it ends.
        self._end = weakref.finalize(self, channel.scores.put, None)
        thread = threading.Thread(target=_run, args=(ground, channel), daemon=True)
        thread.name = "bigbar-sambo"
        thread.start()

    @property
    def why_ended(self) -> str:
        return self._channel.why_ended

    def ask(self) -> NDArray[np.int64]:
        found = self._channel.points.get()
        if isinstance(found, Exception):
            raise found
        return np.array([] if found is None else [found], np.int64)

    def tell(self, numbers: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        for score in self._worst.in_place(scores).tolist():
            self._channel.scores.put(score)


def _run(ground: Ground, channel: _Channel) -> None:
    axes = [_axis(parameter) for parameter in ground.product.parameters]

    def number(point: Any) -> int:
        places = [place(value) for (_, place), value in zip(axes, point, strict=True)]
        return int(ground.numbers(np.array(places)))

    def is_admitted(point: Any) -> bool:
        return bool(ground.admitted(np.array([number(point)]))[0])

    try:
        found = sambo.minimize(
            lambda point: -channel.score(number(point)),
            bounds=[bounds for bounds, _ in axes],
            constraints=is_admitted if ground.constraints else None,
            max_iter=max(ground.tries, _LEAST_CALLS),
            method="sceua",
            rng=ground.seed,
        )
    except _Stopped:
        return
    except Exception as problem:
        channel.points.put(problem)
    else:
        channel.why_ended = (
            "SAMBO saw nothing better for so long that it takes the best for found"
            if found.success
            else f"SAMBO ends after {channel.calls:,} tries, and counts the same one anew each time"
        )
        channel.points.put(None)


def _axis(parameter: Any) -> tuple[Any, Callable[[Any], int]]:
    """Bounds of a parameter, as backtesting.py gives them, and the place of what is found."""
    values = parameter.values
    if not parameter.is_ordered:
        return list(range(len(values))), int
    if all(isinstance(value, int) for value in values) and _are_consecutive(values):
        first = values[0]
        return (first, values[-1] + 1), partial(_from, first)
    return (0, len(values)), int


def _from(first: int, value: Any) -> int:
    return int(value) - first


def _are_consecutive(values: tuple[int, ...]) -> bool:
    return list(values) == list(range(values[0], values[0] + len(values)))
