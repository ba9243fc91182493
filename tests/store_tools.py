"""What the tests of the store share: a small run to keep, made-up rows, and a small disk."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from small_run import small_bars

from bigbar.account import Account
from bigbar.statistics import NAMES
from bigbar.store.fingerprint import Identity, identity_of
from bigbar.store.owner import Owner
from bigbar.store.records import COLUMNS, OUTPUT, NewRun, output_seal, run_seal
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS
from bigbar.store.seal import key_of, seal
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with

#: 3 × 4 × 1 × 2 × 1 = 24 combinations.
AXES = {
    "atr_period": (10, 15, 20),
    "k_atr": (1.0, 1.5, 2.0, 2.5),
    "uptail_max_ratio": 0.7,
    "previous_weight": (0.1, 0.4),
    "buffer_ratio": 0.01,
}


def identity(*, engine: str = "backtesting", account: Account | None = None, **axes) -> Identity:
    grid = grid_with(**AXES | axes)
    return identity_of(
        small_bars().frame, job_of(grid, Settings(account or big_bar_account()), engine)
    )


def new_run(found: Identity | None = None, **more) -> NewRun:
    told = {
        "settings": {"maximize": "Return [%]"},
        "data": {"path": "eurusd.csv"},
        "machine": {"host": "here"},
        "objective": "Return [%]",
        "command": ("eurusd.csv", "--k-atr", "1"),
    }
    return NewRun(found or identity(), **told | more)


def made_rows(count: int, seed: int = 0) -> np.ndarray:
    """Rows with what statistics can be: NaN, infinities, both zeros, tiny and huge."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, len(NAMES))) * 10.0 ** rng.integers(-300, 300, len(NAMES))
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324])
    places = rng.random(rows.shape) < 0.2
    rows[places] = rng.choice(odd, places.sum())
    return rows


def begun(folder: Path, found: Identity | None = None) -> tuple[int, Owner]:
    """A run of this process in the store of a folder."""
    owner = Owner.of_this_process()
    with RunStore(folder, create=True) as store:
        return store.begin(new_run(found), owner), owner


def dead_owner() -> Owner:
    """A process of this machine that has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    here = Owner.of_this_process()
    return Owner(here.token, child.pid, here.began, here.place)


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of so many bytes, where mounting one is permitted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a file system is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def change(folder: Path, statement: str, *values: object, sealed: bool = False) -> None:
    """Change a store behind the program's back, with or without new seals."""
    with closing(sqlite3.connect(folder / RUNS)) as connection, connection:
        assert connection.execute(statement, values).rowcount
        if sealed:
            reseal(connection)


def forge(folder: Path, statement: str, *values: object) -> None:
    """Change a store so that all its digests and seals fit, as somebody could who means harm."""
    with closing(sqlite3.connect(folder / RUNS)) as connection, connection:
        assert connection.execute(statement, values).rowcount
        for run, text in connection.execute("SELECT id, identity FROM runs").fetchall():
            with contextlib.suppress(
                AttributeError, LookupError, RecursionError, TypeError, ValueError
            ):
                found = Identity(json.loads(text))
                connection.execute(
                    "UPDATE runs SET fingerprint = ?, context = ?, bars_sha256 = ? WHERE id = ?",
                    (found.fingerprint, found.context, found.bars_sha256, run),
                )
        reseal(connection)


#: What is sealed of a row, by table.
_SEALED = {
    "blocks": ("id", "rows", "columns", "packed"),
    "slices": ("id", "start", "stop", "block", "first_row", "worker", "begun", "seconds"),
    "failures": ("number", "parameters", "reason"),
}


def reseal(connection: sqlite3.Connection) -> None:
    """Give every row the seal of what it holds by now."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    keys = {}
    for row in connection.execute(f"SELECT {', '.join((*COLUMNS, *OUTPUT))} FROM runs").fetchall():
        known, said = row[: len(COLUMNS)], row[len(COLUMNS) :]
        keys[row[0]] = key_of(row[0], known[1] if isinstance(known[1], str) else str(known[1]))
        seals = run_seal(known), output_seal(row[0], known[1], said)
        connection.execute(
            "UPDATE runs SET checksum = ?, told_checksum = ? WHERE id = ?", (*seals, row[0])
        )
    for table, names in _SEALED.items():
        query = f"SELECT run, {', '.join(names)} FROM {table}"
        for run, *values in connection.execute(query).fetchall():
            checksum = seal(table[:-1], keys.get(run, ""), *values)
            connection.execute(
                f"UPDATE {table} SET checksum = ? WHERE run = ? AND {names[0]} = ?",
                (checksum, run, values[0]),
            )
    for row in connection.execute("SELECT bars_sha256, split, count FROM openings").fetchall():
        connection.execute(
            "UPDATE openings SET checksum = ? WHERE bars_sha256 = ? AND split = ?",
            (seal("opening", *row), *row[:2]),
        )
