"""The table of runs, row by row: written with their seals, and read against them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bigbar.store.fingerprint import canonical
from bigbar.store.owner import Owner
from bigbar.store.records import (
    COLUMNS,
    NONSENSE,
    OUTPUT,
    DamagedRun,
    NewRun,
    Run,
    RunOutput,
    columns_asked,
    from_json,
    output_seal,
    run_from_row,
    run_seal,
)
from bigbar.store.schema import StoreError
from bigbar.store.seal import BROKEN

_KNOWN = ", ".join(COLUMNS)
_SAID = ", ".join(OUTPUT)


def read_run(connection: sqlite3.Connection, number: int) -> Run | None:
    """One run; None where there is none of that number.

    Raises
    ------
    DamagedRun
        If it is damaged.
    """
    try:
        row = connection.execute(
            f"SELECT {_KNOWN}, checksum FROM runs WHERE id = ?", (number,)
        ).fetchone()
    except sqlite3.OperationalError:  # Not the file: it is locked, or the disk is out of order.
        raise
    except sqlite3.DatabaseError as problem:
        raise DamagedRun(number, str(problem)) from problem
    return None if row is None else run_from_row(row)


def read_owner(connection: sqlite3.Connection, number: int) -> tuple[Owner, float] | None:
    """Which process a run belongs to, and when it last told of itself; None where there is none.

    Raises
    ------
    DamagedRun
        If it is damaged.
    """
    row = connection.execute(
        f"SELECT {_KNOWN}, checksum FROM runs WHERE id = ?", (number,)
    ).fetchone()
    if row is None:
        return None
    run_from_row(row)
    known = dict(zip(COLUMNS, row, strict=False))
    try:
        return Owner.from_text(known["owner"]), float(known["seen"])
    except NONSENSE as problem:
        raise DamagedRun(number, str(problem)) from problem


def read_output(connection: sqlite3.Connection, run: Run) -> RunOutput:
    """What a run said at its end.

    Raises
    ------
    StoreError
        If it is damaged.
    """
    query = f"SELECT {_SAID}, told_checksum FROM runs WHERE id = ?"
    *texts, checksum = connection.execute(query, (run.id,)).fetchone()
    try:
        if output_seal(run.id, run.fingerprint, texts) != checksum:
            raise ValueError(BROKEN)
        if not all(isinstance(text, str | None) for text in texts):
            raise ValueError("no texts")
        answer, *others = texts
        summary, timings, metrics = (
            None if text is None else from_json(text, dict) for text in others
        )
    except NONSENSE as problem:
        raise StoreError(f"what run {run.id} said at its end is damaged ({problem})") from problem
    return RunOutput(answer, summary, timings or {}, metrics)


def insert_run(
    connection: sqlite3.Connection, new: NewRun, owner: Owner, *, ago: float = 0.0
) -> int:
    """Write down that a run begins, or began so many seconds ago, inside a transaction; its id."""
    identity = new.identity
    number = connection.execute(
        "INSERT INTO runs (fingerprint, context, bars_sha256, state, owner, seen, started,"
        " seconds, combinations, done, failed, identity, settings, command, data, machine,"
        " objective, checksum, told_checksum)"
        " VALUES (?, ?, ?, 'running', ?, ?, ?, 0.0, ?, 0, 0, ?, ?, ?, ?, ?, ?, '', '')",
        (
            identity.fingerprint, identity.context, identity.bars_sha256, owner.text(),
            time.time(), now(ago=ago), identity.combinations, canonical(identity.parts),
            *columns_asked(new).values(),
        ),
    ).lastrowid  # fmt: skip
    assert number is not None
    _seal(connection, number)
    return number


def amend_run(
    connection: sqlite3.Connection,
    number: int,
    changes: Mapping[str, Any],
    *,
    owner: Owner | None = None,
) -> bool:
    """Change columns of a run, inside a transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
    number : int
    changes : mapping of str to value
        Columns and what they are to hold.
    owner : Owner or None
        Only if it is this one's.

    Returns
    -------
    bool
        False where there is no such run, or it is another owner's.

    Raises
    ------
    DamagedRun
        If it is: a new seal would hide that.
    """
    query = f"SELECT {_KNOWN}, checksum FROM runs WHERE id = ?"
    row = connection.execute(query, (number,)).fetchone()
    if row is None:
        return False
    *values, checksum = row
    if run_seal(values) != checksum:
        raise DamagedRun(number, BROKEN)
    if owner is not None and values[COLUMNS.index("owner")] != owner.text():
        return False
    settings = ", ".join(f"{name} = ?" for name in changes)
    connection.execute(f"UPDATE runs SET {settings} WHERE id = ?", (*changes.values(), number))
    _seal(connection, number, output=not changes.keys().isdisjoint(OUTPUT))
    return True


def _seal(connection: sqlite3.Connection, number: int, *, output: bool = True) -> None:
    """Seal what the file holds by now, as it gives it back."""
    query = f"SELECT {_KNOWN}, {_SAID} FROM runs WHERE id = ?"
    row = connection.execute(query, (number,)).fetchone()
    known, said = row[: len(COLUMNS)], row[len(COLUMNS) :]
    connection.execute("UPDATE runs SET checksum = ? WHERE id = ?", (run_seal(known), number))
    if output:
        checksum = output_seal(number, known[COLUMNS.index("fingerprint")], said)
        connection.execute("UPDATE runs SET told_checksum = ? WHERE id = ?", (checksum, number))


def json_or_none(value: dict[str, Any] | None) -> str | None:
    """As it is stored."""
    return None if value is None else json.dumps(value)


def now(*, ago: float = 0.0) -> str:
    """The time, or that of so many seconds ago, as it is stored."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds")
