"""What is kept of a run whose rows are not all, and how far it is: one entry, written anew."""

from __future__ import annotations

import sqlite3

from bigbar.store.rows import key_in
from bigbar.store.seal import BROKEN, seal


def write_reduction(connection: sqlite3.Connection, run: int, content: bytes) -> None:
    """Put this in the place of what a run had; to be called inside a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO reductions (run, packed, checksum) VALUES (?, ?, ?)",
        (run, content, seal("reduction", key_in(connection, run), content)),
    )


def read_reduction(connection: sqlite3.Connection, run: int) -> bytes | None:
    """What a run has; None where there is none.

    Raises
    ------
    ValueError
        If it is not as it was written.
    """
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'reductions'"
    if not connection.execute(query).fetchone()[0]:  # Of the version before.
        return None
    row = connection.execute(
        "SELECT packed, checksum FROM reductions WHERE run = ?", (run,)
    ).fetchone()
    if row is None:
        return None
    content, checksum = row
    if not isinstance(content, bytes):
        raise ValueError("no bytes")
    if seal("reduction", key_in(connection, run), content) != checksum:
        raise ValueError(BROKEN)
    return content
