"""The best so far, for whoever watches the bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.statistics import COLUMN, Better
from bigbar.units import signs


class BestSoFar:
    """The best objective among the rows seen so far.

    Parameters
    ----------
    choice : Choice
        Which rows count; a function of the statistics is not asked: nothing is shown then.
    """

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._score = -np.inf

    def add(self, rows: NDArray[np.float64]) -> None:
        """See some rows; those that were not answered are NaN."""
        choice = self._choice
        if choice.function is not None or not len(rows):
            return
        scores = choice.scores(rows[:, COLUMN[choice.objective.name]], rows[:, COLUMN["# Trades"]])
        self._score = max(self._score, float(np.fmax.reduce(scores, initial=-np.inf)))

    def __str__(self) -> str:
        """`best Return 4.64 %`; empty before anything counts."""
        if not np.isfinite(self._score):
            return ""
        objective = self._choice.objective
        value = -self._score if objective.better is Better.LOWER else self._score
        name, _, unit = objective.name.partition(" [")
        if name.endswith("Duration"):
            return f"best {name} {value / 86_400e9:,.1f} days"
        ending = " %" if unit.startswith("%") else ""
        return f"best {name.removeprefix('# ')} {signs(f'{value:,.2f}')}{ending}"
