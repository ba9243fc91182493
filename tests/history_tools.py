"""What the tests of the history share: real small runs in a folder, and ways to spoil a copy."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from small_run import AXES

import bigbar
from bigbar.history.command import main
from bigbar.statistics import COLUMN
from bigbar.store.rows import pack, unpack
from bigbar.store.runs import RunStore

ROOT = Path(__file__).resolve().parents[1]


def make_runs(folder: Path) -> Path:
    """Two runs: the second's factors reach elsewhere, and it costs."""
    source = folder / "bars.csv"
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    source.write_text("".join(lines[:401]))
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


def change(folder: Path, statement: str, *values: object) -> None:
    """Change the store behind the program's back."""
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        assert connection.execute(statement, values).rowcount
        connection.commit()


def falsify(folder: Path, run: int, number: int, name: str, by: float) -> None:
    """Change one number in a stored blob, and its checksum so that it fits."""
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
        connection.execute(
            "UPDATE blocks SET packed = ?, crc32 = ? WHERE id = ?",
            (packed, zlib.crc32(packed), block),
        )
        connection.commit()


def stored(folder: Path, number: int):
    """A run with its rows: `(run, values, done)`."""
    with RunStore(folder, read_only=True) as store:
        run = store.run(number)
        return run, *store.values(run)
