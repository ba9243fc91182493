"""The quick way through a price file: pandas' C parser, and a handful of array comparisons.

It reads every good file. `bigbar._csv_errors` is the definition of what it reads.
"""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bigbar._csv_dialect import Dialect, TimeKind, parse_epochs, parse_times
from bigbar._csv_errors import Columns, volume_number

# Threads share the hashing and the parsing of large files, both of which let go of the
# interpreter. Below a megabyte a piece, starting one more costs what it gains; beyond four, what
# is left is not parallel.
_PIECE_BYTES = 1 << 20
_MOST_THREADS = 4

# From pandas 3.1 on every mode gives the nearest double, and naming one is deprecated.
_PANDAS_VERSION = tuple(int(part) for part in re.findall(r"\d+", pd.__version__)[:2])
_EXACT: dict[str, Any] = {} if _PANDAS_VERSION >= (3, 1) else {"float_precision": "round_trip"}


class _BytesReader:
    """A stretch of bytes as pandas' C parser reads it.

    An `io.BytesIO` would be decoded and encoded again on the way; an object that does not call
    itself binary is read as it is.
    """

    mode = "r"

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        stop = len(self.data) if size < 0 else self.position + size
        piece = self.data[self.position : stop].tobytes()
        self.position += len(piece)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        """Only asked for by pandas' test of what is a file."""
        return iter(self.read, b"")


def usable_threads() -> int:
    """How many threads to use: the processors this process may use, up to a few."""
    if hasattr(os, "sched_getaffinity"):
        return min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    return min(_MOST_THREADS, os.cpu_count() or 1)


def read_quickly(data: bytes, dialect: Dialect, pool: ThreadPoolExecutor) -> Columns | None:
    """The columns, or None if pandas cannot make sense of the file.

    A large file is cut at line breaks into pieces that are read at the same time.
    """
    body = memoryview(data)[dialect.body_offset :]
    count = max(1, min(usable_threads(), len(body) // _PIECE_BYTES))
    cuts = [dialect.body_offset]
    if b'"' not in data:  # a line break inside a quoted cell is no place to cut
        for i in range(1, count):
            cuts.append(data.find(b"\n", dialect.body_offset + len(body) * i // count) + 1)
    cuts = sorted({cut for cut in cuts if cut >= dialect.body_offset} | {len(data)})
    pieces = [memoryview(data)[a:b] for a, b in pairwise(cuts)]
    parsed = list(pool.map(lambda piece: _read_piece(piece, dialect), pieces))
    found = [columns for columns in parsed if columns is not None]
    if len(found) < len(parsed) or len(found) < 2:
        return found[0] if len(found) == len(parsed) else None
    return Columns(
        np.concatenate([c.times for c in found]),
        np.concatenate([c.kinds for c in found]),
        tuple(np.concatenate([c.prices[i] for c in found]) for i in range(4)),
        np.concatenate([c.volume for c in found]),
    )


def _read_piece(piece: memoryview, dialect: Dialect) -> Columns | None:
    try:
        # No dtypes: naming them is slower, and as float64 pandas takes "true" for 1.0.
        frame = pd.read_csv(
            _BytesReader(piece),  # type: ignore[call-overload]
            header=None,
            names=list(range(len(dialect.names))),
            sep=dialect.delimiter,
            decimal=dialect.decimal,
            engine="c",
            low_memory=False,
            **_EXACT,
        )
    except ValueError:  # ParserError and UnicodeDecodeError are ValueErrors
        return None
    prices = [frame[i] for i in dialect.prices]
    # Rows with a cell too many make pandas take the first column for an index.
    if not isinstance(frame.index, pd.RangeIndex) or any(p.dtype.kind not in "iuf" for p in prices):
        return None
    stamps = _quick_times([frame[i] for i in dialect.times])
    if stamps is None:
        return None
    return Columns(
        *stamps,
        tuple(price.to_numpy(np.float64) for price in prices),
        _quick_volume(frame, dialect),
    )


def _quick_times(
    columns: list["pd.Series[Any]"],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]] | None:
    if any(column.dtype.kind in "fbcu" for column in columns):
        return None  # epochs with a fraction, all missing, or too large: here they would be rounded
    if len(columns) == 1:
        if columns[0].dtype == np.int64:
            return parse_epochs(columns[0].to_numpy())
        return parse_times(_as_arrow(columns[0]))
    date, clock = columns
    if clock.dtype.kind in "iu":
        return None  # leading zeros, as in 000500, are gone
    dates = _as_arrow(date.astype(str) if date.dtype.kind in "iu" else date)
    space = pa.scalar(" ", pa.large_string())
    return parse_times(pc.binary_join_element_wise(dates, _as_arrow(clock), space))


def _as_arrow(texts: "pd.Series[Any]") -> pa.Array:
    """The texts as one Arrow array; without a copy if pandas already holds them so."""
    array = pa.array(texts.array, pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _quick_volume(frame: pd.DataFrame, dialect: Dialect) -> npt.NDArray[np.float64]:
    if dialect.volume is None:
        return np.full(len(frame), np.nan)
    volume = frame[dialect.volume]
    if volume.dtype.kind in "iuf":
        values = volume.to_numpy(np.float64)
        return np.where(np.isfinite(values), values, np.nan)
    return np.array([volume_number(str(cell), dialect.decimal) for cell in volume], np.float64)


def is_sound(columns: Columns) -> bool:
    """Whether every time is readable and of one kind, and the prices agree with each other."""
    kinds = columns.kinds
    if not len(kinds) or kinds[0] < TimeKind.NAIVE or (kinds != kinds[0]).any():
        return False
    return bool(sound_rows(columns.prices).all())


def sound_rows(prices: tuple[npt.NDArray[np.float64], ...]) -> npt.NDArray[np.bool_]:
    """Where all prices are finite and above zero, High is highest and Low is lowest."""
    open_, high, low, close = prices
    sound = (low > 0) & (high < np.inf) & (low <= high)  # NaN compares as False
    for price in (open_, close):
        sound &= (low <= price) & (price <= high)
    return sound
