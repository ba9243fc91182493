"""What is wanted: one objective or several, and which combinations count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.by_value import ByValue
from bigbar.errors import SettingsError, SettingsTypeError
from bigbar.given import refusal
from bigbar.printable import shown
from bigbar.series import series_of
from bigbar.statistics import COLUMN, Better, Statistic, objective

#: What may be maximized: a statistic by its name, a function of all of them, or several of these.
Maximize = str | Callable[[pd.Series], float] | Sequence[str | Callable[[pd.Series], float]]

_TRADES = COLUMN["# Trades"]


@dataclass(frozen=True)
class Objective:
    """One thing that is optimized.

    Attributes
    ----------
    statistic : Statistic
        In the direction a trader wants it.
    function : ByValue or None
        What gives its value of a combination, from all statistics as a Series; None where it is a
        statistic itself.
    """

    statistic: Statistic
    function: ByValue | None = None

    @classmethod
    def of(cls, maximize: str | Callable[[pd.Series], float]) -> Objective:
        """An objective by a statistic's name, or a function: of that, the higher the better.

        Raises
        ------
        SettingsError
            If it is neither; see `bigbar.statistics.objective`.
        """
        if not callable(maximize):
            return cls(objective(maximize))
        sent = ByValue(maximize)
        name = sent.__name__.replace("<lambda>", "lambda")
        return cls(Statistic(name, better=Better.HIGHER), sent)

    @property
    def name(self) -> str:
        """By backtesting.py's name, or the function's."""
        return self.statistic.name

    def values(
        self, rows: NDArray[np.float64], ends: tuple[Any, Any] | None = None
    ) -> NDArray[np.float64]:
        """Its values of rows of statistics; see `Choice.objective_of`."""
        if self.function is None:
            return rows[:, COLUMN[self.name]]
        found = np.full(len(rows), np.nan)
        for place in np.flatnonzero(rows[:, _TRADES] > 0):
            stats = series_of(rows[place], ends, number=np.float64)
            found[place] = self._number(self.function(stats))
        return found

    def _number(self, found: object) -> float:
        try:
            return np.nan if found is None else float(found)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise SettingsTypeError(
                f"`maximize` must return a number; {self.name} returned {shown(found)}"
            ) from None

    def signed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values so that the higher is the better."""
        return -values if self.statistic.better is Better.LOWER else values


@dataclass(frozen=True)
class Choice:
    """Which combinations count, and which of them wins.

    Attributes
    ----------
    objectives : tuple of Objective
        What is optimized, the main one first: by it the best is the best. Of several, a
        combination counts only with a value of each.
    min_trades : int
        Combinations with fewer trades do not count.
    """

    objectives: tuple[Objective, ...]
    min_trades: int = 1

    @classmethod
    def of(cls, maximize: Maximize, min_trades: int = 1) -> Choice:
        """The choice by what is to be maximized.

        Parameters
        ----------
        maximize : str, callable, or sequence of these
            The main objective first. Functions of one name are told apart by a number.
        min_trades : int, optional

        Raises
        ------
        SettingsError
            If it is none of these, or one is named twice; see `Objective.of`.
        """
        several = _several(maximize)
        found: list[Objective] = []
        for one in map(Objective.of, several):
            names = [other.name for other in found]
            if one.name in names and one.function is None:
                raise SettingsError(f"{one.name!r} is to be maximized twice; name it once")
            number = 2
            name = one.name
            while one.name in names:
                one = replace(one, statistic=replace(one.statistic, name=f"{name} {number}"))
                number += 1
            found.append(one)
        return cls(tuple(found), min_trades)

    @classmethod
    def by_name(cls, name: str, min_trades: int = 1) -> Choice:
        """The choice by a statistic's name; see `bigbar.statistics.objective`."""
        return cls((Objective(objective(name)),), min_trades)

    @property
    def objective(self) -> Statistic:
        """The main objective."""
        return self.objectives[0].statistic

    @property
    def function(self) -> ByValue | None:
        """What gives the main objective; None where it is a statistic itself."""
        return self.objectives[0].function

    @property
    def has_functions(self) -> bool:
        """Whether any objective is a function: two of them cannot be told to be the same."""
        return any(each.function is not None for each in self.objectives)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the objectives."""
        return tuple(each.name for each in self.objectives)

    def __str__(self) -> str:
        """`Sharpe Ratio and Max. Drawdown [%]`."""
        *others, last = self.names
        return f"{', '.join(others)} and {last}" if others else last

    def objective_of(
        self, rows: NDArray[np.float64], ends: tuple[Any, Any] | None = None
    ) -> NDArray[np.float64]:
        """The main objective of rows of statistics.

        Parameters
        ----------
        rows : ndarray of float, shape (combinations, statistics)
        ends : tuple, optional
            Times of the first and the last bar, for a function that asks for `Start` or `End`.

        Returns
        -------
        ndarray of float, shape (combinations,)
            A function is not asked about combinations without trades: NaN.

        Raises
        ------
        SettingsTypeError
            If the function returns no number.
        """
        return self.objectives[0].values(rows, ends)

    def scores(
        self, values: NDArray[np.float64], trades: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The main objective of combinations, the higher the better; NaN where it does not count.

        Parameters
        ----------
        values, trades : ndarray of float, shape (combinations,)
            The objective and the number of trades of each.

        Returns
        -------
        ndarray of float, shape (combinations,)
        """
        return np.where(self._enough(trades), self.objectives[0].signed(values), np.nan)

    def all_scores(
        self, values: Sequence[NDArray[np.float64]], trades: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Every objective of combinations, the higher the better.

        Parameters
        ----------
        values : sequence of ndarray of float, shape (combinations,)
            Of each objective, in order.
        trades : ndarray of float, shape (combinations,)

        Returns
        -------
        ndarray of float, shape (combinations, objectives)
            NaN in all of a row that does not count: of too few trades, or without one of the
            objectives.
        """
        found = np.column_stack(
            [each.signed(held) for each, held in zip(self.objectives, values, strict=True)]
        )
        found[~self._enough(trades) | np.isnan(found).any(axis=1)] = np.nan
        return found

    def all_scores_of(
        self, rows: NDArray[np.float64], ends: tuple[Any, Any] | None = None
    ) -> NDArray[np.float64]:
        """The same of rows of statistics; parameters as of `objective_of`."""
        values = [each.values(rows, ends) for each in self.objectives]
        return self.all_scores(values, rows[:, _TRADES])

    def _enough(self, trades: NDArray[np.float64]) -> NDArray[np.bool_]:
        # No objective of a combination without trades says anything, whatever the least number.
        return trades >= max(self.min_trades, 1)


def _several(maximize: Maximize) -> Sequence[Any]:
    if isinstance(maximize, str) or callable(maximize):
        return [maximize]
    wanted = "a statistic's name, such as 'Sharpe Ratio', a function, or a list of these"
    if not isinstance(maximize, Sequence) or not maximize:
        raise refusal("maximize", maximize, wanted)
    for one in maximize:
        if not isinstance(one, str) and not callable(one):
            raise refusal("maximize", one, wanted)
    return maximize
