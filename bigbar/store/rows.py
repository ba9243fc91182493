"""Rows of statistics as they lie in the file: packed blocks, and slices that point into them.

Slices come in any order, a few hundred rows each. What is written in one go is packed together,
because similar rows pack better: 27 MB of the default grid become about 6.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bigbar.store.fingerprint import canonical
from bigbar.store.schema import StoreError, read, storable

if TYPE_CHECKING:
    from bigbar.workers import Failure

#: Rows packed together at least, where there are as many: a megabyte, which the processor's
#: cache still holds while it is turned and packed.
BLOCK_ROWS = 4096

_CODEC = "zstd"


@dataclass(frozen=True)
class Slice:
    """A finished piece of a grid.

    Attributes
    ----------
    start, stop : int
        First combination, and the one after the last.
    worker : int or None
        Process id of the worker that ran it; None if none came to its end, or if the rows were
        taken over from another run.
    begun : float or None
        Seconds after the attempt at the run began.
    seconds : float or None
        That it took.
    """

    start: int
    stop: int
    worker: int | None = None
    begun: float | None = None
    seconds: float | None = None

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Finished:
    """A slice with what came of it.

    Attributes
    ----------
    slice : Slice
    rows : ndarray of float, shape (stop - start, statistics)
        NaN for combinations that failed.
    failures : sequence of (dict, Failure)
        With the combination's parameters.
    """

    slice: Slice
    rows: NDArray[np.float64]
    failures: Sequence[tuple[dict[str, float], Failure]] = ()


def write_slices(connection: sqlite3.Connection, run: int, finished: Sequence[Finished]) -> None:
    """Write finished slices; to be called inside a transaction."""
    for group in _grouped(finished):
        rows = np.concatenate([one.rows for one in group])
        packed = pack(rows)
        block = connection.execute(
            "INSERT INTO blocks (run, rows, columns, packed, crc32) VALUES (?, ?, ?, ?, ?)",
            (run, *rows.shape, packed, zlib.crc32(packed)),
        ).lastrowid
        first_row = 0
        for one in group:
            connection.execute(
                "INSERT INTO slices (run, start, stop, block, first_row, worker, begun, seconds) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run,
                    one.slice.start,
                    one.slice.stop,
                    block,
                    first_row,
                    one.slice.worker,
                    one.slice.begun,
                    one.slice.seconds,
                ),
            )
            first_row += len(one.rows)
    connection.executemany(  # Of an attempt before this one.
        "DELETE FROM failures WHERE run = ? AND number >= ? AND number < ?",
        [(run, one.slice.start, one.slice.stop) for one in finished],
    )
    connection.executemany(
        "INSERT INTO failures (run, number, parameters, reason) VALUES (?, ?, ?, ?)",
        [
            (run, failure.number, canonical(parameters), storable(failure.reason))
            for one in finished
            for parameters, failure in one.failures
        ],
    )


def _grouped(finished: Sequence[Finished]) -> Iterator[list[Finished]]:
    """Slices to pack together; neighbours in the grid, because their rows are alike."""
    group: list[Finished] = []
    rows = 0
    for one in sorted(finished, key=lambda one: one.slice.start):
        group.append(one)
        rows += len(one.rows)
        if rows >= BLOCK_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def pack(rows: NDArray[np.float64]) -> bytes:
    """Rows as bytes: column after column, because those are alike, little-endian, compressed."""
    import pyarrow as pa

    columns = np.ascontiguousarray(rows.T, dtype="<f8")
    packed: bytes = pa.compress(columns, codec=_CODEC, asbytes=True)
    return packed


def unpack(packed: bytes, rows: int, columns: int) -> NDArray[np.float64]:
    """The rows again.

    Raises
    ------
    ValueError
        If the bytes do not hold just so many.
    """
    import pyarrow as pa

    size = rows * columns * 8
    try:
        raw: Any = pa.decompress(packed, decompressed_size=size, codec=_CODEC, asbytes=True)
    except (OSError, pa.ArrowException) as problem:
        raise ValueError(str(problem)) from problem
    if len(raw) != size:
        raise ValueError(f"{len(raw)} bytes in place of {size}")
    return np.frombuffer(raw, dtype="<f8").reshape(columns, rows).T.astype(np.float64)


def read_slices(connection: sqlite3.Connection, run: int) -> list[Slice]:
    """All slices of a run, in the order in which they were written."""
    found = read(
        connection,
        "SELECT start, stop, worker, begun, seconds FROM slices WHERE run = ? ORDER BY id",
        (run,),
        kinds=(int, int, int | None, float | None, float | None),
    )
    return [Slice(*row) for row in found]


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
        Is told of blocks that are damaged, whose slices then count as not done. Without it they
        are an error.

    Returns
    -------
    ndarray of bool, shape (combinations,)
        Which were filled in.

    Raises
    ------
    StoreError
        If slices do not fit the table, or a block is damaged.
    """
    done = np.zeros(len(values), dtype=bool)
    blocks: dict[int, NDArray[np.float64] | None] = {}
    places = read(
        connection,
        "SELECT start, stop, block, first_row FROM slices WHERE run = ? ORDER BY block, id",
        (run,),
        kinds=(int, int, int, int),
    )
    for start, stop, block, first_row in places:
        if block not in blocks:
            blocks = {block: _read_block(connection, run, block, values.shape, damaged)}
        rows = blocks[block]
        if rows is None:
            done[max(0, start) : max(0, stop)] = False
            continue
        if not (0 <= start < stop <= len(values) and 0 <= first_row <= len(rows) - (stop - start)):
            raise StoreError(f"the slices of run {run} do not fit its grid: the file is damaged")
        values[start:stop] = rows[first_row : first_row + stop - start]
        done[start:stop] = True
    values[~done] = np.nan
    return done


def _read_block(
    connection: sqlite3.Connection,
    run: int,
    block: int,
    shape: tuple[int, ...],
    damaged: Callable[[str], None] | None,
) -> NDArray[np.float64] | None:
    found = read(
        connection,
        "SELECT rows, columns, packed, crc32 FROM blocks WHERE id = ? AND run = ?",
        (block, run),
        kinds=(int, int, bytes, int),
    )
    rows, columns, packed, crc32 = next(found, (0, 0, b"", 0))
    try:
        if columns != shape[1] or not 0 < rows <= shape[0] + BLOCK_ROWS:
            raise ValueError("rows of another table")
        if zlib.crc32(packed) != crc32:
            raise ValueError("checksum does not match")
        return unpack(packed, rows, columns)
    except ValueError as problem:
        if damaged is None:
            raise StoreError(f"rows of run {run} are damaged ({problem})") from problem
        damaged(f"rows of run {run} are damaged ({problem})")
        return None
