"""`profile`: where the time and the memory of a run went."""

from __future__ import annotations

from bigbar.errors import InputError
from bigbar.history.answer import Answer
from bigbar.history.tables import terminal_width
from bigbar.machine.metrics import describe, from_json
from bigbar.store.records import Run
from bigbar.store.runs import RunStore


def profile(store: RunStore, run: Run) -> Answer:
    """The metrics that were kept with a run, with a verdict on what held it up.

    Raises
    ------
    InputError
        If none were kept: a run that was killed has none.
    DataError
        If they are damaged.
    StoreError
        If they cannot be read.
    """
    values = store.output(run).metrics
    if values is None:
        raise InputError(
            f"run {run.id} has no profile: one is kept when a run comes to its end, and this one "
            f"is {run.state}"
        )
    return Answer(describe(from_json(values), width=terminal_width()), values)
