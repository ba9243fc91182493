"""What a page knows of a run before it asks anything: its columns, its best, what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from bigbar.causes import cause_of
from bigbar.choice import Choice
from bigbar.dashboard.explore.asked import known_only
from bigbar.dashboard.explore.cells import positions
from bigbar.dashboard.explore.columns import Column, listed_values, statistic_named
from bigbar.dashboard.explore.stored import StoredTable
from bigbar.errors import InputError
from bigbar.history.listing import data_name, state_text
from bigbar.printable import one_line
from bigbar.statistics import Better
from bigbar.validation.plateau import find_plateau

#: Failures that are named one by one.
_FAILURES = 20


def overview(stored: StoredTable) -> dict[str, Any]:
    """The run, its columns with their ranges, and its best combination, as JSON holds it."""
    run, choice = stored.run, stored.choice
    scores = stored.scores()
    return {
        "run": run.id,
        "fingerprint": run.fingerprint,
        "state": run.state,
        "state_text": state_text(run),
        "strategy": one_line(run.identity.strategy_name),
        "data": data_name(run),
        "combinations": run.combinations,
        "done": int(np.count_nonzero(stored.done)),
        "failed": len(stored.failures),
        "counting": int(np.count_nonzero(~np.isnan(scores))),
        "objective": f"s:{choice.objective.name}",
        "objectives": [f"s:{name}" for name in choice.names],
        "objective_is_a_function": run.objective != choice.objective.name,
        "objective_asked": one_line(run.objective),
        "min_trades": max(choice.min_trades, 1),
        "best": stored.table.best(choice),
        "columns": [_described(stored, column) for column in stored.columns.values()],
        "notes": [one_line(note) for note in stored.notes],
        "failures": [
            {"number": number, "cause": one_line(cause_of(reason))}
            for number, reason in list(stored.failures.items())[:_FAILURES]
        ],
    }


def _described(stored: StoredTable, column: Column) -> dict[str, Any]:
    """A column with the range of its finite values."""
    better = {Better.HIGHER: 1, Better.LOWER: -1, Better.SAME: 0, Better.UNCLEAR: None}
    known: dict[str, Any] = {
        "key": column.key,
        "name": column.name,
        "kind": column.kind,
        "unit": column.unit,
        "better": better[column.better],
    }
    if column.axis is not None:
        return known | listed_values(stored.table.space.parameters[column.axis])
    values = positions(stored, column)
    values = values[np.isfinite(values)]
    if not len(values):
        return known | {"low": None, "high": None}
    return known | {"low": float(values.min()), "high": float(values.max())}


def plateau(stored: StoredTable, asked: dict[str, Any]) -> dict[str, Any]:
    """The robust choice beside the peak, of the whole run whatever the filters are.

    Parameters
    ----------
    stored : StoredTable
    asked : dict
        `statistic`, a key; the objective by default.

    Returns
    -------
    dict
        See `bigbar.validation.findings.Plateau`; values of durations in days. `complete` says
        whether every combination of the grid was there.

    Raises
    ------
    InputError
        If it is no statistic, or one that cannot be optimized.
    """
    known_only(asked, ("statistic",), "the plateau")
    column = statistic_named(
        stored.columns, asked.get("statistic", f"s:{stored.choice.objective.name}")
    )
    choice = Choice.by_name(column.name, stored.choice.min_trades)
    if stored.run.identity.keep is not None:
        raise InputError(
            "the run kept a part of its rows (--keep), so what stands around most of them is not "
            "there: its report tells of the neighbours of the best"
        )
    found = stored.kept(("plateau", choice), lambda: find_plateau(stored.table, choice))
    scale = stored.scale(column)

    def point(name: str, number: int | None) -> dict[str, Any] | None:
        if number is None:
            return None
        return {
            "number": number,
            "value": getattr(found, f"{name}_value") / scale,
            "cross_mean": getattr(found, f"{name}_cross_mean") / scale,
            "worst_neighbour": getattr(found, f"{name}_worst_neighbour") / scale,
            "edges": list(getattr(found, f"{name}_edges")),
        }

    return {
        "statistic": column.key,
        "peak": point("peak", found.peak),
        "robust": point("robust", found.robust),
        "median": {"number": found.median, "value": found.median_value / scale},
        "profitable_share": found.profitable_share,
        "complete": bool(stored.done.all()),
    }
