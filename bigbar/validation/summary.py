"""The findings as plain values, for `summary.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bigbar.parameter import plain_point
from bigbar.space import Space
from bigbar.units import json_number
from bigbar.validation.findings import Findings

#: The keys: fields of `Findings`, without what is for charts only, or stands with the Pareto set.
SECTIONS = tuple(
    part.name
    for part in dataclasses.fields(Findings)
    if part.name not in ("luck_band", "pareto_luck")
)

#: Longer arrays and series are for charts; the files of the run hold what they are made of.
MOST_VALUES = 100


def as_json(findings: Findings | None, grid: Space) -> dict[str, Any]:
    """Every figure under its name; null for what there is not.

    Parameters
    ----------
    findings : Findings or None
    grid : Space
        Whose combinations the findings name: their parameters are put beside the numbers.

    Returns
    -------
    dict
        A key a field of `Findings`, all None without findings. NaN is None, infinity, times and
        durations are text; series and arrays of more than `MOST_VALUES` values are left out.
    """
    if findings is None:
        return dict.fromkeys(SECTIONS)
    found: dict[str, Any] = {name: _plain(getattr(findings, name)) for name in SECTIONS}
    if findings.plateau is not None:
        for name in ("peak", "robust", "median"):
            found["plateau"][f"{name}_parameters"] = _parameters(
                grid, getattr(findings.plateau, name)
            )
    if findings.holdout is not None:
        found["holdout"]["parameters"] = _parameters(grid, findings.holdout.combination)
    if findings.walk_forward is not None:
        for window in found["walk_forward"]["windows"]:
            places = zip(grid.parameters, window.pop("places"), strict=False)
            values = {parameter.name: parameter.values[place] for parameter, place in places}
            window["parameters"] = plain_point(values) if values else None
    return found


def _parameters(grid: Space, number: int | None) -> dict[str, Any] | None:
    return None if number is None else plain_point(grid[number])


def _is_long(value: object) -> bool:
    return isinstance(value, (np.ndarray, pd.Series)) and value.size > MOST_VALUES


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _plain(fields)
    if isinstance(value, pd.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if isinstance(value, pd.Series):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items() if not _is_long(item)}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    return plain_scalar(value)


def _key(key: object) -> str:
    return key.isoformat() if isinstance(key, pd.Timestamp) else str(key)


def plain_scalar(value: Any) -> Any:
    """As JSON holds it: None for NaN; infinity, times and durations are text."""
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, pd.Timedelta):
        return str(value)
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    return json_number(float(value))
