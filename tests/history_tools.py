"""What the tests of the history share: real small runs in a folder, and ways to spoil a copy."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_run import AXES
from store_tools import forge, reseal

import bigbar
from bigbar.history.command import main
from bigbar.results import ResultTable
from bigbar.slices import Failure
from bigbar.statistics import COLUMN
from bigbar.store.rows import Finished, Slice, delete_rows, pack, unpack, write_slices
from bigbar.store.run_rows import amend_run
from bigbar.store.runs import RunStore
from bigbar.store.schema import open_store, transaction

ROOT = Path(__file__).resolve().parents[1]


def make_runs(folder: Path) -> Path:
    """Two runs: the second's factors reach elsewhere, and it costs."""
    source = _bars(folder)
    for k_atr, commission in ((AXES["k_atr"], 0.0), ((0.8, 1.1, 1.5), 1e-4)):
        bigbar.optimize(
            source,
            **AXES | {"k_atr": k_atr},
            commission=commission,
            workers=1,
            verify=1,
            validate=False,
            engine="backtesting",
            store=folder,
        )
    return folder


def _bars(folder: Path) -> Path:
    """The first bars of the example."""
    source = folder / "bars.csv"
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    source.write_text("".join(lines[:401]))
    return source


def make_judged_run(folder: Path) -> str:
    """One more run of the same bars, held against luck; the sentence of its verdict."""
    source = _bars(folder)
    made = bigbar.optimize(source, **AXES, workers=1, verify=1, store=folder)
    assert made.findings is not None
    return made.findings.verdict.headline


class Asked:
    """What a command answered: exit code, standard output and error."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> None:
        self.code = main([*arguments, "--output", str(folder)])
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> Any:
        """Standard output as JSON, strictly: NaN and the like are none."""
        return json.loads(self.out, parse_constant=_refuse)

    def refused(self, *messages: str) -> bool:
        """Whether it was an error in one line that says all this."""
        lines = self.err.splitlines()
        return (
            (self.code, self.out) == (2, "")
            and len(lines) == 1
            and lines[0].startswith("error: ")
            and all(message in lines[0] for message in messages)
        )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def falsify(folder: Path, run: int, number: int, name: str, by: float) -> None:
    """Change one number in a stored blob, and its seal so that it fits."""
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        block, first_row, start = connection.execute(
            "SELECT block, first_row, start FROM slices WHERE run = ? AND start <= ? AND stop > ?",
            (run, number, number),
        ).fetchone()
        rows, columns, packed = connection.execute(
            "SELECT rows, columns, packed FROM blocks WHERE id = ?", (block,)
        ).fetchone()
        values = unpack(packed, rows, columns)
        values[first_row + number - start, COLUMN[name]] += by
        packed = pack(values)
        connection.execute("UPDATE blocks SET packed = ? WHERE id = ?", (packed, block))
        reseal(connection)
        connection.commit()


def rehash(folder: Path, run: int) -> None:
    """Give a run the hash of the rows that it has by now."""
    found, values, _ = stored(folder, run)
    digest = ResultTable(found.grid, values).sha256()
    forge(folder, "UPDATE runs SET result_sha256 = ? WHERE id = ?", digest, run)


def fail(folder: Path, run: int, numbers: Sequence[int], reason: str = "killed") -> None:
    """Have combinations of a run failed, as if that had been so from the beginning."""
    _, values, _ = stored(folder, run)
    values[numbers] = np.nan
    failures = [({}, Failure(number, reason)) for number in numbers]
    finished = Finished(Slice(0, len(values)), values, failures)
    with closing(open_store(folder / "runs.sqlite")) as connection, transaction(connection):
        delete_rows(connection, run)
        write_slices(connection, run, [finished])
        amend_run(connection, run, {"failed": len(numbers)})
    rehash(folder, run)


def stored(folder: Path, number: int):
    """A run with its rows: `(run, values, done)`."""
    with RunStore(folder, read_only=True) as store:
        run = store.run(number)
        return run, *store.values(run)
