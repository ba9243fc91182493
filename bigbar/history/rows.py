"""The rows of a stored run as a table of results, and which of them won."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.history.listing import has_ended
from bigbar.results import ResultTable
from bigbar.statistics import NAMES
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError


def table_of(
    store: RunStore, run: Run, *, damaged: Callable[[str], None] | None = None
) -> tuple[ResultTable, NDArray[np.bool_]]:
    """The rows of a run, as far as they go.

    Parameters
    ----------
    store : RunStore
    run : Run
    damaged : callable or None
        Is told of rows that are damaged, which are then left out; without it they are an error, and
        so are rows of a finished run that do not have the hash of its result.

    Returns
    -------
    table : ResultTable
    done : ndarray of bool, shape (combinations,)
        Which combinations were answered, or failed.

    Raises
    ------
    StoreError
        If rows are damaged, not those of the run's result, or hold other statistics than this
        version has.
    """
    if run.identity.parts["statistics"] != list(NAMES):
        raise StoreError(
            f"the rows of run {run.id} hold other statistics than this version of the optimizer "
            "has; use the version that stored them"
        )
    values, done = store.values(run, damaged=damaged)
    table = ResultTable(run.grid, values)
    if damaged is None and run.state == "finished" and table.sha256() != run.result_sha256:
        raise StoreError(f"the rows of run {run.id} are not those of its result")
    return table, done


def choice_of(run: Run) -> Choice:
    """What the run was to find.

    Raises
    ------
    SettingsError
        If its objective is none of this version's.
    """
    least = run.settings.get("min_trades", 1)
    asked = run.settings.get("maximize")
    several = asked if isinstance(asked, list) and run.objective in asked[:1] else run.objective
    return Choice.of(several, least if isinstance(least, int) else 1)


def winner_of(run: Run, table: ResultTable) -> int | None:
    """The best combination; of a run without an answer, of those that were finished."""
    if has_ended(run) and run.best is not None:
        return run.best
    return table.best(choice_of(run))
