"""One combination: its parameters and statistics, where it stands, and what is around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from bigbar.causes import cause_of
from bigbar.dashboard.explore.rows import values_of
from bigbar.dashboard.explore.stored import StoredTable
from bigbar.errors import InputError
from bigbar.parameter import value_text
from bigbar.printable import one_line
from bigbar.space import Space


def combination(stored: StoredTable, number: int) -> dict[str, Any]:
    """What is stored of a combination.

    Parameters
    ----------
    stored : StoredTable
    number : int

    Returns
    -------
    dict
        `values` of all columns; `places`, which of its values each parameter has; `place` among
        the `counting` by the objective, from 1, null where it does not count; `done`; `cause`
        where it failed; `neighbours`, those one value away along each ordered parameter, with the
        objective.

    Raises
    ------
    InputError
        If the run has none of that number.
    """
    count = len(stored)
    if not 0 <= number < count:
        raise InputError(f"combination {number:,} of a run of {count:,}; the first is 0")
    scores = stored.scores()
    mine = scores[number]
    reason = stored.failures.get(number)
    return {
        "number": number,
        "done": bool(stored.done[number]),
        "places": list(stored.table.space.places(number)),
        "values": values_of(stored, np.array([number]))[0],
        "place": None if np.isnan(mine) else int(np.count_nonzero(scores > mine)) + 1,
        "counting": int(np.count_nonzero(~np.isnan(scores))),
        "cause": None if reason is None else one_line(cause_of(reason)),
        "neighbours": _neighbours(stored, number),
    }


def _neighbours(stored: StoredTable, number: int) -> list[dict[str, Any]]:
    space = stored.table.space
    objective = stored.numbers(stored.columns[f"s:{stored.choice.objective.name}"])
    places, found = space.places(number), []
    for axis, parameter in enumerate(space.parameters):
        if not parameter.is_ordered:
            continue
        for step in (-1, 1):
            there = list(places)
            there[axis] += step
            other = _number_at(space, there) if 0 <= there[axis] < len(parameter) else None
            if other is not None:
                found.append(
                    {
                        "parameter": parameter.name,
                        "text": value_text(parameter.values[there[axis]]),
                        "number": other,
                        "value": float(objective[other]) if stored.done[other] else None,
                    }
                )
    return found


def _number_at(space: Space, places: list[int]) -> int | None:
    """The combination that stands there; None where a constraint left it out."""
    whole = np.ravel_multi_index(places, space.shape)
    at = int(space.from_product(np.array([whole], np.int64))[0])
    return None if at < 0 else at
