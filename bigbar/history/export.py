"""`export`: the rows of a run, in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.errors import SettingsError
from bigbar.history.answer import Answer
from bigbar.history.listing import going_on, rows_to_come, state_text
from bigbar.history.rows import table_of
from bigbar.report.delivery import RUN_FILES, Delivery
from bigbar.report.files import (
    OutputError,
    with_durations_as_text,
    write_csv,
    write_results,
    write_whole,
)
from bigbar.report.ownership import (
    is_named,
    is_same,
    is_there,
    place_of,
    receipt_in,
    refuse_to_lose,
    refuse_to_lose_prices,
    stores_in,
)
from bigbar.results import ResultTable
from bigbar.store.receipt import RECEIPT
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.units import json_number


def export(store: RunStore, run: Run, *, kind: str, to: Path | None, force: bool = False) -> Answer:
    """Write all rows that a run has, in grid order.

    Parameters
    ----------
    store : RunStore
    run : Run
    kind : {"parquet", "csv", "json"}
    to : Path or None
        The file; it appears whole or not at all. None for `run-ID.FORMAT` beside the store.
    force : bool, optional
        Whether a file that is there may be replaced although no export wrote it. Never is a price
        file, a store, a run's receipt, or what is no regular file.

    Returns
    -------
    Answer

    Raises
    ------
    SettingsError
        If something would be lost.
    StoreError
        If rows are damaged, or of another version.
    bigbar.report.files.OutputError
        If the file cannot be written.
    """
    path = to or store.path.parent / f"run-{run.id}.{kind}"
    check_place(store, path, force=force)
    table, done = table_of(store, run)

    def write(aside: Path) -> Path:
        if kind == "parquet":
            return write_results(aside, table, where=done)
        if kind == "csv":
            return write_csv(aside, table, where=done)
        return write_whole(aside, lambda part: _write_json(part, table, done))

    deliver(path, write, force=force)
    rows = int(np.count_nonzero(done))
    part = "" if rows == run.combinations else f" of {run.combinations:,}"
    text = f"{path}: {rows:,}{part} combinations"
    if run.state != "finished" or run.failed:
        text += f" (run {run.id}: {state_text(run)})"
    if rows_to_come(run):
        text += f"; with --keep they are stored when it ends: {going_on(run)}"
    if run.state == "failed":
        text += "; they failed the verification and are not to be used"
    values = {
        "path": str(path),
        "format": kind,
        "rows": rows,
        "combinations": run.combinations,
        "failed": run.failed,
        "state": run.state,
    }
    return Answer(text, values)


def deliver(path: Path, write: Callable[[Path], Path], *, force: bool) -> None:
    """Write one file, and name it in the receipt of its folder, so that it can be replaced.

    Parameters
    ----------
    path : Path
    write : callable
        Writes it, at the path it is given.
    force : bool
        Whether a file that this program did not write may be replaced.

    Raises
    ------
    bigbar.report.files.OutputError
        If it cannot be written.
    """
    try:
        with Delivery(path.parent, force=force) as delivery:
            delivery.add(path.name, write)
            delivery.amend()
    except OutputError as problem:
        if not isinstance(problem.__cause__, OSError):
            raise
        said = problem.__cause__.strerror or problem.__cause__
        raise OutputError(f"cannot write {path}: {said}") from problem


def check_place(store: RunStore, path: Path, *, force: bool) -> None:
    """Refuse, before any work, a file that is not to be replaced.

    Parameters
    ----------
    store : RunStore
    path : Path
        What is to be written.
    force : bool
        Whether a file that this program did not write may be replaced.

    Raises
    ------
    SettingsError
        What it is, and what to do.
    """
    advice = "give another file with --to"
    if str(path) == "-":
        raise SettingsError(f"- is no file, and nothing goes to standard output; {advice}")
    for kept in stores_in(store.path.parent):
        if is_same(path, place_of(kept)):
            raise SettingsError(f"{path} is the store of runs itself; {advice}")
    runs, _ = store.survey()  # What of a damaged run cannot be known is not worth a refusal.
    sources = {str(kept.data.get("path", "")) for kept in runs}
    for place in (None, *map(place_of, sources - {"", "-"})):
        refuse_to_lose(path, place, advice=advice)
    if not is_there(path):
        return
    refuse_to_lose_prices(path, {str(kept.data.get("sha256")) for kept in runs}, advice=advice)
    receipt = receipt_in(path.parent)
    if receipt is not None and path.name == RECEIPT:
        raise SettingsError(f"{path} is the receipt of a run; {advice}")
    if not force and (path.name in RUN_FILES or not is_named(path, receipt)):
        raise SettingsError(
            f"{path} is there already and was not written by this program, or changed since; "
            f"{advice}, or write over it with --force"
        )


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
