"""Filters: which combinations are looked at, by ranges and choices of any columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.dashboard.explore.asked import known_only, number, shown
from bigbar.dashboard.explore.columns import Column, column_named
from bigbar.dashboard.explore.stored import StoredTable
from bigbar.errors import InputError


@dataclass(frozen=True)
class Filter:
    """What a column must be.

    Attributes
    ----------
    column : Column
    least, most : float or None
        Bounds, both included, durations in days.
    places : tuple of int or None
        Which of a parameter's values, counted from 0.
    """

    column: Column
    least: float | None = None
    most: float | None = None
    places: tuple[int, ...] | None = None


#: Filters of different columns: all of them must hold.
Filters = tuple[Filter, ...]


def filters_in(stored: StoredTable, given: object) -> Filters:
    """Filters out of a question: `{"s:Return [%]": {"least": 1}, "p:n1": {"places": [0, 2]}}`.

    Raises
    ------
    InputError
        If a column is none of the run's, a bound no finite number, or a place none of a
        parameter's.
    """
    if given is None:
        return ()
    if not isinstance(given, dict):
        raise InputError(f"filters are {shown(given)}, not an object of columns")
    return tuple(
        _filter(stored, column_named(stored.columns, key), said) for key, said in given.items()
    )


def _filter(stored: StoredTable, column: Column, said: Any) -> Filter:
    what = f"the filter of {column.name}"
    if not isinstance(said, dict):
        raise InputError(f"{what} is {shown(said)}, not an object")
    known_only(said, ("least", "most", "places"), what)
    least, most = (
        None if said.get(name) is None else number(said[name], f"{name} of {what}")
        for name in ("least", "most")
    )
    return Filter(column, least, most, _places(stored, column, said.get("places"), what))


def _places(stored: StoredTable, column: Column, said: object, what: str) -> tuple[int, ...] | None:
    if said is None:
        return None
    if column.axis is None:
        raise InputError(f"{what} names places, which only parameters have")
    count = len(stored.table.space.parameters[column.axis])
    if not isinstance(said, list) or not all(
        isinstance(place, int) and not isinstance(place, bool) and 0 <= place < count
        for place in said
    ):
        raise InputError(f"places of {what} are {shown(said)}, not numbers from 0 to {count - 1:,}")
    return tuple(sorted(set(said)))


def matching(stored: StoredTable, filters: Filters) -> NDArray[np.bool_]:
    """Which combinations are there and pass all filters.

    Returns
    -------
    ndarray of bool, shape (combinations,)
        A combination without a value in a column that is filtered does not pass.
    """
    passing = stored.done.copy()
    for each in filters:
        if each.column.axis is not None:
            passing &= _values_passing(stored, each)[stored.places[each.column.axis]]
            continue
        values = stored.numbers(each.column)
        if each.least is not None:
            passing &= values >= each.least
        if each.most is not None:
            passing &= values <= each.most
    return passing


def _values_passing(stored: StoredTable, each: Filter) -> NDArray[np.bool_]:
    """Of a parameter's values, those that pass."""
    assert each.column.axis is not None
    parameter = stored.table.space.parameters[each.column.axis]
    passing = np.ones(len(parameter), np.bool_)
    values = np.array(parameter.sort_values)
    if each.least is not None:
        passing &= values >= each.least
    if each.most is not None:
        passing &= values <= each.most
    if each.places is not None:
        chosen = np.zeros(len(parameter), np.bool_)
        chosen[list(each.places)] = True
        passing &= chosen
    return passing
