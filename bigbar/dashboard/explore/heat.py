"""A statistic over any two parameters: the mean, the best or the worst over all others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.dashboard.explore.asked import known_only, one_of
from bigbar.dashboard.explore.cells import best_of_cells
from bigbar.dashboard.explore.columns import Column, parameter_named, statistic_named
from bigbar.dashboard.explore.filters import filters_in, matching
from bigbar.dashboard.explore.stored import StoredTable
from bigbar.errors import InputError
from bigbar.statistics import Better

#: What a cell can show.
SHOWN = ("mean", "best", "worst", "count")

#: A parameter with more values than this is drawn in as many groups of neighbours.
MOST_CELLS = 120


def heatmap(stored: StoredTable, asked: dict[str, Any]) -> dict[str, Any]:
    """One statistic over two parameters.

    Parameters
    ----------
    stored : StoredTable
    asked : dict
        `filters`; `x` and `y`, keys of parameters; `statistic`, a key; `show`, one of "mean",
        "best", "worst", "count".

    Returns
    -------
    dict
        `total` of the combinations in it: those that pass, traded, and have a finite value.
        `size`, cells along x and y; `group`, values of each parameter in a cell; `low` and `high`
        over all cells, null where there is none; `cells`, each `[column, row, value, how many,
        the combination that it leads to]`: of "best" and "worst" that one itself, of the others
        the one with the best objective.

    Raises
    ------
    InputError
        If one of these makes no sense.
    """
    known_only(asked, ("filters", "x", "y", "statistic", "show"), "the heatmap")
    x, y = (parameter_named(stored.columns, asked.get(name)) for name in ("x", "y"))
    if x == y:
        raise InputError(f"both axes of the heatmap are {x.name}; choose two parameters")
    statistic = statistic_named(
        stored.columns, asked.get("statistic", f"s:{stored.choice.objective.name}")
    )
    show = one_of(asked, "show", SHOWN)
    if show in ("best", "worst") and statistic.better in (Better.SAME, Better.UNCLEAR):
        raise InputError(
            f"neither a higher nor a lower {statistic.name} is better; show the mean or the count"
        )
    values = stored.numbers(statistic)
    traded = stored.table.column("# Trades") > 0
    passing = matching(stored, filters_in(stored, asked.get("filters")))
    numbers = np.flatnonzero(passing & traded & np.isfinite(values))
    axes = [_grouped(stored, axis, numbers) for axis in (x, y)]
    (across, columns, group_x), (down, rows, group_y) = axes
    cells = _cells(
        down * columns + across, columns, rows, numbers, values[numbers],
        _wanted(stored, statistic, show, numbers), show,
    )  # fmt: skip
    drawn = [cell[2] for cell in cells]
    return {
        "total": len(numbers),
        "size": [columns, rows],
        "group": [group_x, group_y],
        "low": min(drawn, default=None),
        "high": max(drawn, default=None),
        "cells": cells,
    }


def _grouped(
    stored: StoredTable, axis: Column, numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int, int]:
    """Cells along an axis, how many there are, and how many values share one."""
    assert axis.axis is not None
    count = len(stored.table.space.parameters[axis.axis])
    group = -(-count // MOST_CELLS)
    return stored.places[axis.axis][numbers].astype(np.int64) // group, -(-count // group), group


def _wanted(
    stored: StoredTable, statistic: Column, show: str, numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The higher, the sooner a combination stands for its cell."""
    if show not in ("best", "worst"):
        return stored.scores()[numbers]
    sign = (-1.0 if statistic.better is Better.LOWER else 1.0) * (1 if show == "best" else -1)
    return sign * stored.numbers(statistic)[numbers]


def _cells(
    cells: NDArray[np.int64],
    columns: int,
    rows: int,
    numbers: NDArray[np.int64],
    values: NDArray[np.float64],
    wanted: NDArray[np.float64],
    show: str,
) -> list[list[Any]]:
    """The cells with anything in them; see `heatmap`."""
    counts = np.bincount(cells, minlength=columns * rows)
    leading = best_of_cells(cells, wanted, len(counts))
    filled = np.flatnonzero(counts)
    if show == "mean":
        shown = np.bincount(cells, values, minlength=columns * rows)[filled] / counts[filled]
    elif show == "count":
        shown = counts[filled].astype(np.float64)
    else:
        shown = values[leading[filled]]
    lead = leading[filled]
    leads = [int(numbers[place]) if place >= 0 else None for place in lead]
    lists = (filled % columns, filled // columns, shown, counts[filled])
    return [
        [*cell, number]
        for *cell, number in zip(*(each.tolist() for each in lists), leads, strict=True)
    ]
