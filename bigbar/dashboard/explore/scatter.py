"""Two columns against each other: points, or how many there are where these are too many."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.dashboard.explore.asked import known_only
from bigbar.dashboard.explore.cells import Frame, best_of_cells, frame_of, positions
from bigbar.dashboard.explore.columns import Column, column_named
from bigbar.dashboard.explore.filters import filters_in, matching
from bigbar.dashboard.explore.stored import StoredTable
from bigbar.pareto import pareto_set
from bigbar.results import best_of
from bigbar.statistics import Better

#: More points than this are counted in cells instead: they would lie on top of each other.
MOST_POINTS = 4_000

#: Points of a front, spread evenly.
MOST_FRONT = 400

#: Cells across and down.
CELLS = (160, 100)


def scatter(stored: StoredTable, asked: dict[str, Any]) -> dict[str, Any]:
    """Combinations by two columns.

    Parameters
    ----------
    stored : StoredTable
    asked : dict
        `filters`; `x` and `y`, keys of columns.

    Returns
    -------
    dict
        `total` that pass; `shown`, those with a value in both that stand in the frame; `beyond`
        the frame; `x` and `y` with `key`, `low` and `high`; `best`, the combination with the best
        objective and where it stands, or null; `front`, what no other beats in both, or null where
        one of them has no better way. Then `points`, each `[number, x, y]`, or `cells`,
        each `[column, row, how many, the best of them]`, with their `size`.

    Raises
    ------
    InputError
        If one of these makes no sense.
    """
    known_only(asked, ("filters", "x", "y"), "the scatter")
    axes = [column_named(stored.columns, asked.get(name)) for name in ("x", "y")]
    passing = matching(stored, filters_in(stored, asked.get("filters")))
    numbers = np.flatnonzero(passing)
    places = [positions(stored, axis)[numbers] for axis in axes]
    front, ends = _front(stored, axes, passing)
    known = np.isfinite(places[0]) & np.isfinite(places[1])
    if not known.all():
        numbers, places = numbers[known], [each[known] for each in places]
    answer: dict[str, Any] = {
        "total": len(known), "shown": 0, "beyond": 0, "best": None, "front": front,
    }  # fmt: skip
    if not len(numbers):
        return answer | {"x": {"key": axes[0].key}, "y": {"key": axes[1].key}, "points": []}
    scores = stored.scores()[numbers]
    best = best_of(scores)
    frames = [
        frame_of(stored, axis, each, always=[*end, *([] if best is None else [float(each[best])])])
        for axis, each, end in zip(axes, places, ends, strict=True)
    ]
    x, y = (frame for frame in frames if frame is not None)
    inside = _inside(x, places[0]) & _inside(y, places[1])
    if best is not None:
        answer["best"] = [int(numbers[best]), *(float(each[best]) for each in places)]
    numbers, scores, places = numbers[inside], scores[inside], [each[inside] for each in places]
    answer |= {
        "shown": len(numbers),
        "beyond": int(np.count_nonzero(~inside)),
        "x": {"key": axes[0].key, "low": x.low, "high": x.high},
        "y": {"key": axes[1].key, "low": y.low, "high": y.high},
    }
    if len(numbers) <= MOST_POINTS:
        lists = (numbers.tolist(), places[0].tolist(), places[1].tolist())
        return answer | {"points": [list(point) for point in zip(*lists, strict=True)]}
    size = [
        _cells_along(stored, axis, frame, most)
        for axis, frame, most in zip(axes, (x, y), CELLS, strict=True)
    ]
    across = _cell(places[0], x, size[0])
    down = _cell(places[1], y, size[1])
    return answer | {"size": size, "cells": _counted(across, down, size, numbers, scores)}


def _front(
    stored: StoredTable, axes: list[Column], passing: NDArray[np.bool_]
) -> tuple[dict[str, Any] | None, list[list[float]]]:
    """What of the combinations that pass, and count, no other beats in both; and where that is.

    Its `points` are `[number, x, y, how many share it]` from left to right, as far as they are
    finite; `results` and `combinations` are how many there are.
    """
    ways = {axis.better for axis in axes}
    if axes[0] is axes[1] or not ways <= {Better.HIGHER, Better.LOWER}:
        return None, [[], []]
    choice = Choice.of([axis.name for axis in axes], stored.choice.min_trades)
    found = pareto_set(stored.table, choice, among=passing)
    if found is None:
        return None, [[], []]
    places = found.spread(MOST_FRONT)
    numbers = found.points[places]
    x, y = (stored.numbers(axis)[numbers] for axis in axes)
    lists = (numbers.tolist(), x.tolist(), y.tolist(), found.sharing[places].tolist())
    points = [list(point) for point in zip(*lists, strict=True) if np.isfinite(point[1:3]).all()]
    points.sort(key=lambda point: (point[1], point[2]))
    front = {"results": len(found.starts), "combinations": len(found), "points": points}
    return front, [[point[1] for point in points], [point[2] for point in points]]


def _inside(frame: Frame, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (values >= frame.low) & (values <= frame.high)


def _cells_along(stored: StoredTable, axis: Column, frame: Frame, most: int) -> int:
    """How many cells; of whole numbers each has as many values as the next, or stripes appear."""
    if axis.axis is not None:
        return min(len(stored.table.space.parameters[axis.axis]), most)
    if axis.kind == "count":
        values = frame.high - frame.low
        return max(1, min(most, round(values / max(1, -(-values // most)))))
    return most


def _cell(values: NDArray[np.float64], frame: Frame, count: int) -> NDArray[np.int64]:
    scaled = (values - frame.low) * (count / (frame.high - frame.low))
    return np.minimum(scaled.astype(np.int64), count - 1)


def _counted(
    across: NDArray[np.int64],
    down: NDArray[np.int64],
    size: list[int],
    numbers: NDArray[np.int64],
    scores: NDArray[np.float64],
) -> list[list[int]]:
    """The cells with anything in them: column, row, how many, and the best of these."""
    cells = down * size[0] + across
    counts = np.bincount(cells, minlength=size[0] * size[1])
    best = best_of_cells(cells, scores, len(counts))
    # Where none counts, any of them stands for the cell.
    first = np.zeros(len(counts), np.int64)
    first[cells[::-1]] = np.arange(len(cells))[::-1]
    filled = np.flatnonzero(counts)
    best = np.where(best < 0, first, best)[filled]
    columns = (filled % size[0], filled // size[0], counts[filled], numbers[best])
    return [list(cell) for cell in zip(*(each.tolist() for each in columns), strict=True)]
