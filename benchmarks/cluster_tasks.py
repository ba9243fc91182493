"""What `cluster.py` gives the workers of a cluster to do; importable there."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.keeping.reduced import Part, Reduced
from bigbar.keeping.rule import Rule
from bigbar.space import Space
from bigbar.statistics import COLUMN

#: Ten billion combinations; of each slice of so many, what is kept.
GRID = Space.of(**{name: range(100) for name in "abcde"})
RULE = Rule(1000, Choice.of("Return [%]"), GRID.count)
KEPT_OF = 150_000

#: Rows at once, as a worker has them; and of these the share that can still be of the best.
_BLOCK, _BEST = 1 << 14, 1e-4


def nothing(data: object) -> None:
    """Make a worker ready."""


def rows(task: tuple[int, int]) -> NDArray[np.float64]:
    """As many rows of 30 statistics as the slice has combinations."""
    return np.zeros((task[1] - task[0], 30))


def kept(task: tuple[int, int]) -> Part:
    """What is kept of a slice, once the best are mostly known."""
    return _reduced().part()


@cache
def _reduced() -> Reduced:
    random = np.random.default_rng(0)
    found = Reduced(RULE, GRID, floor=float(-np.quantile(random.normal(size=10**6), _BEST)))
    for start in range(0, KEPT_OF, _BLOCK):
        values = random.normal(size=(min(_BLOCK, KEPT_OF - start), 30))
        values[:, COLUMN["# Trades"]] = 50
        found.add(start, values, {})
    return found


def digits(task: object) -> list[str]:
    """What all machines agree on."""
    return []


def versions(named: tuple[str, ...]) -> dict[str, str]:
    """What all machines have."""
    return {}
