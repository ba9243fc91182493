"""The result table: a row a combination, and the answers read off it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.series import as_timedeltas, series_of
from bigbar.space import Space
from bigbar.statistics import COLUMN, STATISTICS, Kind, Statistic, by_name

#: Rows that are hashed at once: a quarter of a megabyte, which stays in the processor's cache.
_HASHED_ROWS = 1024

#: Rows that are compared at once, to find those that are equal.
_COMPARED_ROWS = 1024

#: One combination and its statistics.
Pair = tuple[dict[str, Any], pd.Series]


def best_of(scores: NDArray[np.float64]) -> int | None:
    """The place of the highest score; of several equal ones the first, None if all are NaN."""
    if np.isnan(scores).all():
        return None
    # Not nanargmax: to that, NaN before -inf is the higher of the two.
    return int(np.argmax(scores == np.nanmax(scores)))


@dataclass(frozen=True)
class Standing:
    """A result among the best.

    Attributes
    ----------
    number : int
        The combination; of several with the very same statistics the lowest number.
    sharing : int
        How many there are, itself included.
    """

    number: int
    sharing: int


class ResultTable:
    """Statistics of every combination of a grid.

    Parameters
    ----------
    space : Space
    values : ndarray of float, shape (combinations, statistics)
        Columns as in `bigbar.statistics.STATISTICS`; durations in nanoseconds; NaN in all of a
        row for a combination that failed or was not reached.
    """

    def __init__(self, space: Space, values: NDArray[np.float64]) -> None:
        self.space = space
        self.values = values
        #: Objectives that are no statistics, by name.
        self.more: dict[str, NDArray[np.float64]] = {}

    @classmethod
    def empty(cls, space: Space) -> ResultTable:
        """A table with every combination still to come."""
        return cls(space, np.full((len(space), len(STATISTICS)), np.nan))

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> NDArray[np.float64]:
        """One statistic of every combination, as floats; durations in nanoseconds."""
        return self.more[name] if name in self.more else self.values[:, COLUMN[name]]

    def reached(self) -> int:
        """How many combinations have been answered."""
        return int(np.count_nonzero(~np.isnan(self.column("# Trades"))))

    def without_trades(self) -> int:
        """How many combinations never traded."""
        return int(np.count_nonzero(self.column("# Trades") == 0))

    def sha256(self) -> str:
        """Digest of the statistics of every combination in grid order.

        Returns
        -------
        str
            SHA-256 of the values as little-endian float64, row after row; every NaN as the one
            that `numpy.nan` is.
        """
        digest = hashlib.sha256()
        for start in range(0, len(self.values), _HASHED_ROWS):
            rows = self.values[start : start + _HASHED_ROWS].astype("<f8", order="C")
            rows[np.isnan(rows)] = np.nan
            digest.update(rows.data)
        return digest.hexdigest()

    def scores(self, choice: Choice) -> NDArray[np.float64]:
        """The objective of every combination, the higher the better; NaN where it does not count.

        Of several objectives the main one.

        Returns
        -------
        ndarray of float, shape (combinations,)
        """
        if len(choice.objectives) > 1:
            return self.all_scores(choice)[:, 0]
        return choice.scores(self.column(choice.objective.name), self.column("# Trades"))

    def all_scores(self, choice: Choice) -> NDArray[np.float64]:
        """Every objective of every combination; see `Choice.all_scores`."""
        return choice.all_scores(list(map(self.column, choice.names)), self.column("# Trades"))

    def best(self, choice: Choice) -> int | None:
        """The winning combination; of several equal ones the lowest number, None if none counts.

        Where several share the main objective, the next one tells, and so on.
        """
        if len(choice.objectives) == 1:
            return best_of(self.scores(choice))
        scores = self.all_scores(choice)
        left = np.flatnonzero(~np.isnan(scores[:, 0]))
        for column in scores.T if len(left) else ():
            left = left[column[left] == column[left].max()]
        return int(left[0]) if len(left) else None

    def ties(self, choice: Choice) -> int:
        """How many combinations share the best objective."""
        scores = self.scores(choice)
        return 0 if np.isnan(scores).all() else int(np.sum(scores == np.nanmax(scores)))

    def top(self, choice: Choice, count: int) -> list[Standing]:
        """The best results, best first, equal values in grid order, the very same results once.

        Where several share the main objective, the next one tells.

        Parameters
        ----------
        choice : Choice
        count : int
            Results at most.

        Returns
        -------
        list of Standing
        """
        every = self.all_scores(choice)
        scores = every[:, 0]
        order = np.lexsort(-every.T[::-1])[: np.count_nonzero(~np.isnan(scores))]
        found: dict[bytes, list[int]] = {}
        for start in range(0, len(order) if count > 0 else 0, _COMPARED_ROWS):
            numbers = order[start : start + _COMPARED_ROWS]
            for number, row in zip(numbers.tolist(), _as_bytes(self.values[numbers]), strict=True):
                if row in found:
                    found[row][1] += 1
                elif len(found) < count:
                    found[row] = [number, 1]
                    last = scores[number]
                elif scores[number] < last:  # What is equal to one of them has its score.
                    break
            else:
                continue
            break
        return [Standing(number, sharing) for number, sharing in found.values()]

    def same_result(self, one: int, other: int) -> bool:
        """Whether two combinations have the very same statistics."""
        first, second = _as_bytes(self.values[[one, other]])
        return first == second

    def statistics(self, number: int) -> pd.Series:
        """All statistics of one combination under backtesting.py's names.

        Returns
        -------
        Series
            Floats, an int for the number of trades, timedeltas for durations; commissions are
            left out where there are none, as backtesting.py does.
        """
        return series_of(self.values[number])

    def values_of(self, number: int) -> dict[str, Any]:
        """The same by name, commissions in any case, and objectives that are functions."""
        functions = {name: float(held[number]) for name, held in self.more.items()}
        return {"Commissions [$]": 0.0} | dict(self.statistics(number)) | functions

    def frame(self, where: NDArray[np.bool_] | None = None) -> pd.DataFrame:
        """The whole table: a column a parameter, then every statistic; durations as timedelta.

        Parameters
        ----------
        where : ndarray of bool, shape (combinations,), optional
            Which combinations; all by default.

        Returns
        -------
        DataFrame, shape (combinations, parameters + statistics)
            In grid order.
        """
        kept = slice(None) if where is None else where
        columns: dict[str, np.ndarray] = {
            name: values[kept] for name, values in self.space.columns().items()
        }
        for column, statistic in enumerate(STATISTICS):
            values: np.ndarray = self.values[kept, column]
            if statistic.kind is Kind.DURATION:
                values = as_timedeltas(values)
            elif statistic.kind is Kind.COUNT and not np.isnan(values).any():
                values = values.astype(np.int64)
            columns[statistic.name] = values
        return pd.DataFrame(columns)

    def heatmap(self, name: str) -> pd.Series:
        """One statistic over the grid, shaped as `Backtest.optimize(return_heatmap=True)` gives it.

        Parameters
        ----------
        name : str
            The statistic, by backtesting.py's name.

        Returns
        -------
        Series
            Indexed by the parameters; NaN where there were no trades.

        Raises
        ------
        SettingsError
            If there is no such statistic.
        """
        statistic = Statistic(name) if name in self.more else by_name(name)
        values = np.where(self.column("# Trades") > 0, self.column(statistic.name), np.nan)
        index = index_of(self.space)
        shown = as_timedeltas(values) if statistic.kind is Kind.DURATION else values
        return pd.Series(shown, index=index, name=statistic.name)


def index_of(space: Space) -> pd.MultiIndex:
    """The points as the index of a heatmap, as `Backtest.optimize` makes it."""
    if space.is_whole and all(parameter.array.dtype != object for parameter in space.parameters):
        return pd.MultiIndex.from_product(
            [parameter.values for parameter in space.parameters], names=list(space.names)
        )
    return pd.MultiIndex.from_tuples([tuple(point.values()) for point in space], names=space.names)


def _as_bytes(rows: NDArray[np.float64]) -> list[bytes]:
    """Rows as bytes that are equal where the numbers are: one NaN is as another, 0 as -0."""
    plain = np.add(rows, 0.0, order="C")
    plain[np.isnan(plain)] = np.nan
    held: list[bytes] = plain.view(f"V{plain.shape[1] * plain.itemsize}").ravel().tolist()
    return held


class Pairs(Sequence[Pair]):
    """The table as a sequence of `(parameters, statistics)`, each pair made when asked for."""

    def __init__(self, table: ResultTable) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, place: int) -> Pair: ...

    @overload
    def __getitem__(self, place: slice) -> list[Pair]: ...

    def __getitem__(self, place: int | slice) -> Pair | list[Pair]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = place + len(self) if place < 0 else place
        if not 0 <= number < len(self):
            raise IndexError(f"combination {place} of {len(self)}")
        return dict(self._table.space[number]), self._table.statistics(number)

    def __iter__(self) -> Iterator[Pair]:
        return (self[number] for number in range(len(self)))
