"""The table: combinations sorted by a column, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.dashboard.explore.asked import flag, known_only, whole
from bigbar.dashboard.explore.columns import Column, column_named
from bigbar.dashboard.explore.filters import Filters, filters_in, matching
from bigbar.dashboard.explore.stored import StoredTable
from bigbar.parameter import plain_value
from bigbar.statistics import Better

#: Rows of an answer at most.
MOST_ROWS = 500


@dataclass(frozen=True)
class Order:
    """What a table is sorted by.

    Attributes
    ----------
    column : Column or None
        None for grid order.
    descending : bool
    """

    column: Column | None
    descending: bool


def order_of(stored: StoredTable, filters: Filters, order: Order) -> NDArray[np.int32]:
    """Combinations that pass, in order; equal ones in grid order, those without a value last.

    Returns
    -------
    ndarray of int32, shape (passing,)
    """

    def found() -> NDArray[np.int32]:
        numbers = np.flatnonzero(matching(stored, filters)).astype(np.int32)
        if order.column is None:
            return numbers[::-1] if order.descending else numbers
        values = stored.numbers(order.column)[numbers]
        return numbers[np.argsort(-values if order.descending else values, kind="stable")]

    answer: NDArray[np.int32] = stored.kept(("order", filters, order), found)
    return answer


def rows(stored: StoredTable, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the table.

    Parameters
    ----------
    stored : StoredTable
    asked : dict
        `filters`; `sort`, a column's key, by default the objective, null for grid order;
        `descending`, by default the better end first; `offset`; `count`.

    Returns
    -------
    dict
        `total` that pass; `offset`; `numbers` of the combinations; `rows` of values, a parameter's
        as they are, then every statistic, durations in days.

    Raises
    ------
    InputError
        If one of these makes no sense.
    """
    known_only(asked, ("filters", "sort", "descending", "offset", "count"), "the table")
    filters = filters_in(stored, asked.get("filters"))
    order = _order(stored, asked)
    numbers = order_of(stored, filters, order)
    offset = whole(asked, "offset", 0, least=0, most=10**9)
    count = whole(asked, "count", 100, least=0, most=MOST_ROWS)
    page = numbers[offset : offset + count]
    return {
        "total": len(numbers),
        "offset": offset,
        "numbers": page.tolist(),
        "rows": values_of(stored, page),
    }


def _order(stored: StoredTable, asked: dict[str, Any]) -> Order:
    key = asked.get("sort", f"s:{stored.choice.objective.name}")
    column = None if key is None else column_named(stored.columns, key)
    higher_first = column is not None and column.better in (Better.HIGHER, Better.UNCLEAR)
    is_statistic = column is not None and column.axis is None
    return Order(column, flag(asked, "descending", higher_first and is_statistic))


def values_of(stored: StoredTable, numbers: NDArray[np.integer[Any]]) -> list[list[Any]]:
    """All columns of some combinations, as JSON holds them."""
    columns: list[list[Any]] = []
    for column in stored.columns.values():
        if column.axis is not None:
            values = stored.table.space.parameters[column.axis].values
            places = stored.places[column.axis][numbers]
            columns.append([plain_value(values[place]) for place in places])
        else:
            columns.append(stored.numbers(column)[numbers].tolist())
    return [list(row) for row in zip(*columns, strict=True)]
