"""The columns of a run as pages name them: its parameters and the statistics, with their units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bigbar.errors import InputError
from bigbar.parameter import Parameter, plain_value, value_text
from bigbar.space import Space
from bigbar.statistics import STATISTICS, Better, Kind

ColumnKind = Literal["parameter", "number", "count", "duration"]

#: Nanoseconds of a day: durations are shown in days.
DAY_NS = 24 * 3600 * 10**9

#: Parameters with more values than this are not listed one by one.
MOST_LISTED = 500


_KINDS: dict[Kind, ColumnKind] = {
    Kind.NUMBER: "number",
    Kind.COUNT: "count",
    Kind.DURATION: "duration",
}


@dataclass(frozen=True)
class Column:
    """A column of a run.

    Attributes
    ----------
    key : str
        `p:` and a parameter's name, or `s:` and a statistic's: a strategy may well have a
        parameter that is called Beta.
    name : str
    kind : {"parameter", "number", "count", "duration"}
    unit : str
        "%", "$", "days" or none.
    better : Better
        Which way a trader wants it; unclear of a parameter.
    axis : int or None
        Which parameter of the grid it is.
    """

    key: str
    name: str
    kind: ColumnKind
    unit: str = ""
    better: Better = Better.UNCLEAR
    axis: int | None = None


def columns_of(space: Space) -> dict[str, Column]:
    """All columns of a run by their keys: parameters in grid order, then the statistics."""
    found = [
        Column(f"p:{parameter.name}", parameter.name, "parameter", axis=axis)
        for axis, parameter in enumerate(space.parameters)
    ]
    for statistic in STATISTICS:
        is_duration = statistic.kind is Kind.DURATION
        unit = "days" if is_duration else statistic.name.partition(" [")[2].rstrip("]")
        found.append(
            Column(
                f"s:{statistic.name}",
                statistic.name,
                _KINDS[statistic.kind],
                unit,
                statistic.better,
            )
        )
    return {column.key: column for column in found}


def listed_values(parameter: Parameter) -> dict[str, Any]:
    """What a page knows of a parameter's values."""
    known: dict[str, Any] = {
        "count": len(parameter),
        "numbers": parameter.are_numbers,
        "ordered": parameter.is_ordered,
    }
    if len(parameter) <= MOST_LISTED:
        known["values"] = [plain_value(value) for value in parameter.values]
        known["texts"] = [value_text(value) for value in parameter.values]
    return known


def column_named(columns: dict[str, Column], key: object) -> Column:
    """A column by its key.

    Raises
    ------
    InputError
        If the run has none of that key.
    """
    if isinstance(key, str) and key in columns:
        return columns[key]
    raise InputError(f"this run has no column {str(key)!r:.80}; its columns are {_all(columns)}")


def parameter_named(columns: dict[str, Column], key: object) -> Column:
    """A parameter by its key; see `column_named`."""
    found = column_named(columns, key)
    if found.axis is None:
        raise InputError(f"{found.name} is no parameter; name one of {_all(columns, 'p:')}")
    return found


def statistic_named(columns: dict[str, Column], key: object) -> Column:
    """A statistic by its key; see `column_named`."""
    found = column_named(columns, key)
    if found.axis is not None:
        raise InputError(f"{found.name} is a parameter; name a statistic, such as s:Return [%]")
    return found


def _all(columns: dict[str, Column], begin: str = "") -> str:
    return ", ".join(key for key in columns if key.startswith(begin)) or "none"
