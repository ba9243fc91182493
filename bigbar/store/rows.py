"""Rows of statistics as they lie in the file: packed blocks, and slices that point into them.

Slices come in any order, a few hundred rows each. What is written in one go is packed together,
because similar rows pack better: 27 MB of the default grid become about 6.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bigbar.store.fingerprint import canonical
from bigbar.store.points import encoded
from bigbar.store.schema import storable
from bigbar.store.seal import key_of, seal

if TYPE_CHECKING:
    from bigbar.slices import Failure

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
        The worker that ran it, as `bigbar.worker_names` has it; None if none came to its end, or if
        the rows were taken over from another run.
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
    failures: Sequence[tuple[Mapping[str, Any], Failure]] = ()


def write_slices(connection: sqlite3.Connection, run: int, finished: Sequence[Finished]) -> None:
    """Write finished slices; to be called inside a transaction."""
    key = key_in(connection, run)
    block, number = _next(connection, "blocks"), _next(connection, "slices")
    for group in _grouped(finished):
        rows = np.concatenate([one.rows for one in group])
        written = block, *rows.shape, pack(rows)
        connection.execute(
            "INSERT INTO blocks (run, id, rows, columns, packed, checksum) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (run, *written, seal("block", key, *written)),
        )
        first_row = 0
        for one in group:
            piece = one.slice
            place = (
                number, piece.start, piece.stop, block, first_row,
                piece.worker, _real(piece.begun), _real(piece.seconds),
            )  # fmt: skip
            connection.execute(
                "INSERT INTO slices (run, id, start, stop, block, first_row, worker, begun, "
                "seconds, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (run, *place, seal("slice", key, *place)),
            )
            number += 1
            first_row += len(one.rows)
        block += 1
    connection.executemany(  # Of an attempt before this one.
        "DELETE FROM failures WHERE run = ? AND number >= ? AND number < ?",
        [(run, one.slice.start, one.slice.stop) for one in finished],
    )
    failed = [
        (failure.number, canonical(_encoded(parameters)), storable(failure.reason))
        for one in finished
        for parameters, failure in one.failures
    ]
    connection.executemany(
        "INSERT INTO failures (run, number, parameters, reason, checksum) VALUES (?, ?, ?, ?, ?)",
        [(run, *one, seal("failure", key, *one)) for one in failed],
    )


def _encoded(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: encoded(value) for name, value in parameters.items()}


def delete_rows(connection: sqlite3.Connection, run: int) -> None:
    """Remove all rows of a run; to be called inside a transaction."""
    for table in ("slices", "blocks", "failures"):
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))


def count_failures(connection: sqlite3.Connection, run: int) -> int:
    """How many combinations of a run are stored as failed."""
    query = "SELECT count(*) FROM failures WHERE run = ?"
    return int(connection.execute(query, (run,)).fetchone()[0])


def key_in(connection: sqlite3.Connection, run: int) -> str:
    """What the seals of a run's rows know it by."""
    found = connection.execute("SELECT fingerprint FROM runs WHERE id = ?", (run,)).fetchone()
    return key_of(run, "" if found is None else str(found[0]))


def _real(seconds: float | None) -> float | None:
    """As it will be read back."""
    return None if seconds is None else float(seconds)


def _next(connection: sqlite3.Connection, table: str) -> int:
    """The id of the next row: known before it is written, because its seal covers it."""
    return int(connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])


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
