"""Rows read back, each against its seal: what is not as it was written is told and left out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.store.rows import BLOCK_ROWS, Slice, key_in, unpack
from bigbar.store.schema import StoreError
from bigbar.store.seal import BROKEN, seal

_PLACES = (
    "SELECT id, start, stop, block, first_row, worker, begun, seconds, checksum "
    "FROM slices WHERE run = ?"
)


def read_slices(connection: sqlite3.Connection, run: int) -> list[Slice]:
    """All slices of a run, in the order in which they were written.

    Raises
    ------
    StoreError
        If one is damaged.
    """
    key = key_in(connection, run)
    found = connection.execute(f"{_PLACES} ORDER BY id", (run,))
    try:
        return [_place(row, key)[0] for row in found]
    except ValueError as problem:
        raise StoreError(_damaged_rows(run, problem)) from problem


def read_failures(
    connection: sqlite3.Connection,
    run: int,
    combinations: int,
    *,
    damaged: Callable[[str], None] | None = None,
) -> list[tuple[int, str]]:
    """What failed of a run: combination and reason, in grid order.

    Parameters
    ----------
    connection : sqlite3.Connection
    run : int
    combinations : int
        Of its grid.
    damaged : callable or None
        Is told of those that are damaged, which are left out; without it they are an error.

    Raises
    ------
    StoreError
        If one is damaged.
    """
    key, failures = key_in(connection, run), []
    query = (
        "SELECT number, parameters, reason, checksum FROM failures WHERE run = ? ORDER BY number"
    )
    for number, parameters, reason, checksum in _steps(connection, query, run, damaged):
        if seal("failure", key, number, parameters, reason) != checksum:
            _tell(damaged, f"what failed of run {run} is damaged ({BROKEN})")
        elif not (_is_whole(number, combinations) and isinstance(reason, str)):
            _tell(damaged, f"what failed of run {run} is damaged (not of its grid)")
        else:
            failures.append((number, reason))
    return failures


def read_rows(
    connection: sqlite3.Connection,
    run: int,
    values: NDArray[np.float64],
    *,
    damaged: Callable[[str], None] | None = None,
) -> NDArray[np.bool_]:
    """Fill in the rows of a run; of several answers for a combination the last one stands.

    Parameters
    ----------
    connection : sqlite3.Connection
    run : int
    values : ndarray of float, shape (combinations, statistics)
        Filled in where there are rows.
    damaged : callable or None
        Is told of slices that are damaged, or whose block is; they count as not done. Without it
        they are an error.

    Returns
    -------
    ndarray of bool, shape (combinations,)
        Which were filled in.

    Raises
    ------
    StoreError
        If a slice or a block is damaged.
    """
    done = np.zeros(len(values), dtype=bool)
    for _, piece, rows in rows_after(connection, run, values.shape, damaged=damaged):
        values[piece.start : piece.stop] = rows
        done[piece.start : piece.stop] = True
    values[~done] = np.nan
    return done


def rows_after(
    connection: sqlite3.Connection,
    run: int,
    shape: tuple[int, ...],
    *,
    after: int = 0,
    damaged: Callable[[str], None] | None = None,
) -> Iterator[tuple[int, Slice, NDArray[np.float64]]]:
    """Slices of a run with their rows, block by block, as they were written.

    Parameters
    ----------
    connection : sqlite3.Connection
    run : int
    shape : (int, int)
        Combinations of its grid, and statistics.
    after : int, optional
        Only slices with a higher number: those that came since.
    damaged : callable or None
        As in `read_rows`.

    Yields
    ------
    number : int
        Of the slice.
    piece : Slice
    rows : ndarray of float, shape (len(piece), statistics)

    Raises
    ------
    StoreError
        If a slice or a block is damaged.
    """
    key = key_in(connection, run)
    block, rows = 0, None  # Slices of a block come one after the other: it is unpacked once.
    query = f"{_PLACES} AND id > {int(after)} ORDER BY block, id"
    for row in _steps(connection, query, run, damaged):
        try:
            piece, wanted, first_row = _place(row, key)
            if wanted != block or rows is None:
                rows = None  # Until it has been read without an error.
                block, rows = wanted, _read_block(connection, run, key, wanted, shape)
            _check_bounds(piece, first_row, shape[0], len(rows))
        except (ValueError, sqlite3.DatabaseError) as problem:
            if isinstance(problem, sqlite3.OperationalError):  # Not the file: locked, or the disk.
                raise
            _tell(damaged, _damaged_rows(run, problem))
            continue
        yield row[0], piece, rows[first_row : first_row + len(piece)]


def _place(row: tuple[Any, ...], key: str) -> tuple[Slice, int, int]:
    """A slice, its block, and its first row there.

    Raises
    ------
    ValueError
        If it is not as it was written.
    """
    *known, checksum = row
    if seal("slice", key, *known) != checksum:
        raise ValueError(BROKEN)
    _, start, stop, block, first_row, worker, begun, seconds = known
    return Slice(start, stop, worker, begun, seconds), block, first_row


def _check_bounds(piece: Slice, first_row: int, combinations: int, rows: int) -> None:
    """Whoever writes a file by hand can seal it as well."""
    bounds = (piece.start, piece.stop, first_row)
    if not all(isinstance(bound, int) for bound in bounds):
        raise ValueError("bounds that are no numbers")
    if not (0 <= piece.start < piece.stop <= combinations and 0 <= first_row <= rows - len(piece)):
        raise ValueError("a slice that does not fit the grid")


def _read_block(
    connection: sqlite3.Connection, run: int, key: str, block: int, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """The rows of a block.

    Raises
    ------
    ValueError
        If they are not as they were written.
    """
    found = connection.execute(
        "SELECT id, rows, columns, packed, checksum FROM blocks WHERE id = ? AND run = ?",
        (block, run),
    ).fetchone()
    if found is None:
        raise ValueError("they are gone")
    *known, checksum = found
    if seal("block", key, *known) != checksum:
        raise ValueError(BROKEN)
    _, rows, columns, packed = known
    if not (isinstance(rows, int) and isinstance(packed, bytes)) or columns != shape[1]:
        raise ValueError("rows of another table")
    if not 0 < rows <= shape[0] + BLOCK_ROWS:
        raise ValueError("more rows than the grid has")
    return unpack(packed, rows, columns)


def _steps(
    connection: sqlite3.Connection, query: str, run: int, damaged: Callable[[str], None] | None
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query as far as the file can be read."""
    try:
        yield from connection.execute(query, (run,))
    except sqlite3.OperationalError:  # Not the file: it is locked, or the disk is out of order.
        raise
    except sqlite3.DatabaseError as problem:
        _tell(damaged, _damaged_rows(run, problem))


def _tell(damaged: Callable[[str], None] | None, what: str) -> None:
    if damaged is None:
        raise StoreError(what)
    damaged(what)


def _damaged_rows(run: int, problem: Exception) -> str:
    return f"rows of run {run} are damaged ({problem})"


def _is_whole(number: object, combinations: int) -> bool:
    return isinstance(number, int) and 0 <= number < combinations
