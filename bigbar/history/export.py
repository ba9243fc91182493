"""`export`: the rows of a run, in a file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from bigbar.output import plain_value, write_csv, write_results, write_whole
from bigbar.results import ResultTable
from bigbar.store.records import Run
from bigbar.store.runs import RunStore

FORMATS = ("parquet", "csv", "json")


def export(store: RunStore, run: Run, *, kind: str, to: Path) -> tuple[Path, int]:
    """Write all rows that a run has, in grid order.

    Parameters
    ----------
    store : RunStore
    run : Run
    kind : {"parquet", "csv", "json"}
    to : Path
        The file; it appears whole or not at all.

    Returns
    -------
    path : Path
    rows : int
        How many combinations were answered; the others' statistics are missing.

    Raises
    ------
    StoreError
        If rows are damaged.
    bigbar.output.OutputError
        If the file cannot be written.
    """
    values, done = store.values(run)
    results = ResultTable(run.grid, values)
    if kind == "parquet":
        write_results(to, results)
    elif kind == "csv":
        write_csv(to, results)
    else:
        text = json.dumps(_records(results), allow_nan=False, indent=1)
        write_whole(to, lambda part: part.write_text(text, encoding="utf-8"))
    return to, int(np.count_nonzero(done))


def _records(results: ResultTable) -> list[dict[str, Any]]:
    frame = results.frame()
    return [
        {str(name): plain_value(value) for name, value in row.items()}
        for row in frame.to_dict(orient="records")
        if not math.isnan(row["# Trades"])
    ]
