"""Parallel coordinates: a line a combination, of those that stand evenly along the objective."""

from __future__ import annotations

from typing import Any

import numpy as np

from bigbar.dashboard.explore.asked import known_only, shown, whole
from bigbar.dashboard.explore.cells import frame_of, positions
from bigbar.dashboard.explore.columns import Column, column_named
from bigbar.dashboard.explore.filters import filters_in, matching
from bigbar.dashboard.explore.stored import StoredTable
from bigbar.errors import InputError

#: Share of the values that may lie beyond either end of an axis, and is drawn at that end. Of the
#: objective none is: the best is what the eye looks for.
_FAR = 0.03

#: Lines by default, and at most.
LINES = 300
MOST_LINES = 1_000

#: Axes at most; narrower ones could not be told apart.
MOST_AXES = 20


def parallel(stored: StoredTable, asked: dict[str, Any]) -> dict[str, Any]:
    """Lines over some columns.

    Parameters
    ----------
    stored : StoredTable
    asked : dict
        `filters`; `columns`, a list of keys; `lines`, how many at most.

    Returns
    -------
    dict
        `total` that pass and count; `axes` with `key`, `low`, `high`, and whether values are
        `below` and `above`, the same whatever the filters are; `lines` from the worst to the best,
        each `[number, rank, values]`, the rank from 0 for the worst to 1 for the best of those that
        pass. The first and the last are always among them.

    Raises
    ------
    InputError
        If one of these makes no sense.
    """
    known_only(asked, ("filters", "columns", "lines"), "the parallel coordinates")
    columns = _columns(stored, asked.get("columns"))
    most = whole(asked, "lines", LINES, least=2, most=MOST_LINES)
    scores = stored.scores()
    passing = matching(stored, filters_in(stored, asked.get("filters"))) & ~np.isnan(scores)
    numbers = np.flatnonzero(passing)
    # Best last, so that it is drawn on top; of equal ones the first in the grid is the best.
    numbers = numbers[::-1][np.argsort(scores[numbers[::-1]], kind="stable")]
    ranks = np.unique(np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(np.int64))
    shown_ones = numbers[ranks]
    along = [positions(stored, column)[shown_ones].tolist() for column in columns]
    shares = (ranks / max(len(numbers) - 1, 1)).tolist() if len(numbers) != 1 else [1.0]
    return {
        "total": len(numbers),
        "axes": [_axis(stored, column) for column in columns],
        "lines": [
            [number, share, list(values)]
            for number, share, values in zip(
                shown_ones.tolist(), shares, zip(*along, strict=True), strict=True
            )
        ],
    }


def _columns(stored: StoredTable, keys: object) -> list[Column]:
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST_AXES:
        raise InputError(f"columns are {shown(keys)}, not a list of 1 to {MOST_AXES} columns")
    return [column_named(stored.columns, key) for key in keys]


def _axis(stored: StoredTable, column: Column) -> dict[str, Any]:
    """A column's range over the whole run, so that nothing moves while one filters."""

    if column.key not in stored.frames:
        values = positions(stored, column)[stored.done]
        far = 0.0 if column.name == stored.choice.objective.name else _FAR
        frame = frame_of(stored, column, values, far=far)
        axis: dict[str, Any] = {"key": column.key, "low": None, "high": None}
        if frame is not None:
            axis |= {"low": frame.low, "high": frame.high}
            axis |= {"below": bool((values < frame.low).any())}
            axis |= {"above": bool((values > frame.high).any())}
        stored.frames[column.key] = axis
    found: dict[str, Any] = stored.frames[column.key]
    return found
