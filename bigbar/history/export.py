"""`export`: the rows of a run, in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.history.answer import Answer
from bigbar.history.listing import state_text
from bigbar.history.rows import table_of
from bigbar.output import with_durations_as_text, write_csv, write_results, write_whole
from bigbar.quantities import json_number
from bigbar.results import ResultTable
from bigbar.store.records import Run
from bigbar.store.runs import RunStore


def export(store: RunStore, run: Run, *, kind: str, to: Path | None) -> Answer:
    """Write all rows that a run has, in grid order.

    Parameters
    ----------
    store : RunStore
    run : Run
    kind : {"parquet", "csv", "json"}
    to : Path or None
        The file; it appears whole or not at all. None for `run-ID.FORMAT` beside the store.

    Returns
    -------
    Answer

    Raises
    ------
    StoreError
        If rows are damaged, or of another version.
    bigbar.output.OutputError
        If the file cannot be written.
    """
    path = to or store.path.parent / f"run-{run.id}.{kind}"
    table, done = table_of(store, run)
    if kind == "parquet":
        write_results(path, table, where=done)
    elif kind == "csv":
        write_csv(path, table, where=done)
    else:
        write_whole(path, lambda part: _write_json(part, table, done))
    rows = int(np.count_nonzero(done))
    part = "" if rows == run.combinations else f" of {run.combinations:,}"
    text = f"{path}: {rows:,}{part} combinations"
    if run.state != "finished" or run.failed:
        text += f" (run {run.id}: {state_text(run)})"
    if run.state == "failed":
        text += "; they failed the verification and are not to be used"
    told = {
        "path": str(path),
        "format": kind,
        "rows": rows,
        "combinations": run.combinations,
        "failed": run.failed,
        "state": run.state,
    }
    return Answer(text, told)


def _write_json(path: Path, table: ResultTable, done: NDArray[np.bool_]) -> None:
    """A list of objects, one a line; every digit of every number."""
    frame = with_durations_as_text(table.frame(done))
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for place, record in enumerate(_records(frame)):
            file.write(",\n" if place else "\n")
            file.write(json.dumps(record, allow_nan=False))
        file.write("\n]\n")


def _records(frame: pd.DataFrame) -> Iterator[dict[str, object]]:
    names = [str(name) for name in frame.columns]
    for row in zip(*(_column(frame[name]) for name in names), strict=True):
        yield dict(zip(names, row, strict=True))


def _column(values: pd.Series) -> list[object]:
    found: list[object] = values.tolist()
    if values.dtype == object or np.isfinite(values.to_numpy()).all():
        return found
    return [json_number(number) for number in values.to_numpy(np.float64).tolist()]
