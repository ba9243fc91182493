"""How often bars that were held back have been looked at."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from bigbar.store.schema import StoreError
from bigbar.store.seal import BROKEN, seal


def count_opening(
    connection: sqlite3.Connection,
    bars_sha256: str,
    split: str,
    *,
    damaged: Callable[[str], None] | None = None,
) -> int:
    """Count one more, inside a transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
    bars_sha256 : str
        Of all bars.
    split : str
        Which of them were held back.
    damaged : callable or None
        Is told of counts that are damaged, which are forgotten; without it they are an error.

    Returns
    -------
    int
        How often by now, this time included.

    Raises
    ------
    StoreError
        If a count is damaged: it may be this one, because its key may be what has decayed.
    """
    before, lost = 0, []
    found = connection.execute("SELECT bars_sha256, split, count, checksum FROM openings")
    for bars, where, count, checksum in found.fetchall():
        if seal("opening", bars, where, count) != checksum or not 0 < count < 2**62:
            lost.append((bars, where))
        elif (bars, where) == (bars_sha256, split):
            before = count
    if lost:
        what = f"how often bars held back were looked at is damaged ({BROKEN})"
        if damaged is None:
            raise StoreError(what)
        damaged(what)
        connection.executemany("DELETE FROM openings WHERE bars_sha256 = ? AND split = ?", lost)
    count = before + 1
    connection.execute(
        "INSERT OR REPLACE INTO openings (bars_sha256, split, count, checksum) VALUES (?, ?, ?, ?)",
        (bars_sha256, split, count, seal("opening", bars_sha256, split, count)),
    )
    return count
