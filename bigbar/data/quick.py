"""The quick way through a price file: pandas' C parser, and a handful of array comparisons.

It reads every good file. `bigbar.data.diagnosis` is the definition of what it reads.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bigbar.data.bar_checks import is_identity
from bigbar.data.diagnosis import Columns
from bigbar.data.epochs import TimeKind, TimeKinds
from bigbar.data.layout import Dialect
from bigbar.data.numbers import NumberStyle, volume_style
from bigbar.data.reading import Reading
from bigbar.data.rows import is_cut_short, last_cells
from bigbar.data.time_zones import Int64
from bigbar.data.times import cast_times, in_zone, parse_epochs, read_times
from bigbar.data.zone_columns import with_zones
from bigbar.machine.resources import usable_processors

# Threads share the hashing and the parsing of large files, both of which let go of the
# interpreter. Below a megabyte a piece, starting one more costs what it gains; beyond four, what
# is left is not parallel.
_PIECE_BYTES = 1 << 20
_MOST_THREADS = 4

# From pandas 3.1 on every mode gives the nearest double, and naming one is deprecated.
_PANDAS_VERSION = tuple(int(part) for part in re.findall(r"\d+", pd.__version__)[:2])
EXACT: dict[str, Any] = {} if _PANDAS_VERSION >= (3, 1) else {"float_precision": "round_trip"}


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
    return min(_MOST_THREADS, usable_processors())


@dataclass(frozen=True)
class _ParsedStretch:
    """What pandas made of a stretch of the file.

    Attributes
    ----------
    prices : tuple of 4 ndarrays of float64
    volume : Series or None
    times : tuple of Series
        As pandas has read them.
    cast : tuple of ndarrays or None
        The same as nanoseconds and kinds, where that is quickly done.
    others : dict of int to Series
        Columns that are looked at, though not read.
    """

    prices: tuple[npt.NDArray[np.float64], ...]
    volume: "pd.Series[Any] | None"
    times: tuple["pd.Series[Any]", ...]
    cast: tuple[Int64, TimeKinds] | None
    others: dict[int, "pd.Series[Any]"]


def read_quickly(
    data: bytes, dialect: Dialect, pool: ThreadPoolExecutor, reading: Reading
) -> Columns | None:
    """The columns, or None if pandas cannot make sense of the file.

    A large file is cut at line breaks into pieces that are read at the same time. What only the
    whole file tells, such as whether the day or the month comes first, is not asked of pieces.
    """
    if dialect.joined or _may_be_cut(data, dialect):
        return None
    body = memoryview(data)[dialect.body_offset :]
    count = max(1, min(usable_threads(), len(body) // _PIECE_BYTES))
    cuts = [dialect.body_offset]
    quoted = b'"' in data
    if not quoted:  # a line break inside a quoted cell is no place to cut
        for i in range(1, count):
            cuts.append(data.find(b"\n", dialect.body_offset + len(body) * i // count) + 1)
    cuts = sorted({cut for cut in cuts if cut >= dialect.body_offset} | {len(data)})
    stretches = [memoryview(data)[a:b] for a, b in pairwise(cuts)]
    read = pool.map(lambda piece: _read_piece(piece, dialect, reading, quoted), stretches)
    pieces = [piece for piece in list(read) if piece is not None]
    if len(pieces) < len(stretches) or not pieces:
        return None
    times = _whole_times(pieces, reading)
    volume = _whole_volume(pieces, NumberStyle(dialect.decimal))
    if times is None or volume is None:
        return None
    prices = tuple(np.concatenate([piece.prices[i] for piece in pieces]) for i in range(4))
    others = {
        i: pd.concat([piece.others[i] for piece in pieces if i in piece.others])
        for i in {i for piece in pieces for i in piece.others}
    }
    if dialect.zone is not None:
        zones = others.pop(dialect.zone)
        times = with_zones(*times, texts_of(zones), reading)
    return Columns(*times, prices, volume, others)


def _may_be_cut(data: bytes, dialect: Dialect) -> bool:
    """Whether the last line has no end, and fewer cells than there are columns, or half a price."""
    cells = last_cells(data, dialect)
    return cells is not None and (len(cells) < len(dialect.names) or is_cut_short(cells, dialect))


def _read_piece(
    piece: memoryview, dialect: Dialect, reading: Reading, quoted: bool
) -> _ParsedStretch | None:
    # Where zeros in front count, or the user's format does, the column is left as it is written.
    as_text = {dialect.times[-1]} if dialect.digits else set()
    as_text |= set(dialect.times) if reading.time_format else set()
    if dialect.zone is not None:
        as_text.add(dialect.zone)
    try:
        # Other dtypes are not named: that is slower, and as float64 pandas takes "true" for 1.0.
        frame = pd.read_csv(
            _BytesReader(piece),  # type: ignore[call-overload]
            header=None,
            names=list(range(len(dialect.names))),
            sep=dialect.delimiter,
            decimal=dialect.decimal,
            engine="c",
            low_memory=False,
            dtype=dict.fromkeys(as_text, str) or None,
            **EXACT,
        )
    except ValueError:  # ParserError and UnicodeDecodeError are ValueErrors
        return None
    prices = [frame[i] for i in dialect.prices]
    # Rows with a cell too many make pandas take the first column for an index.
    if not isinstance(frame.index, pd.RangeIndex) or any(p.dtype.kind not in "iuf" for p in prices):
        return None
    times = tuple(frame[i] for i in dialect.times)
    # Epochs with a fraction, or all missing: a float would round them. Too great ones: unsigned.
    if any(column.dtype.kind in "fbcu" for column in times):
        return None
    looked_for = dialect.ignored if dialect.zone is None else (*dialect.ignored, dialect.zone)
    others = {
        i: frame[i]
        for i in looked_for
        if frame[i].dtype.kind not in "iufb"
        or i in dialect.more_times
        or i in dialect.finer
        or is_identity(dialect.names[i])
    }
    volume = None if dialect.volume is None else frame[dialect.volume]
    looked_at = [*others.values()] if volume is None else [*others.values(), volume]
    if quoted and any(_has_line_break(column) for column in looked_at):
        return None
    values = tuple(price.to_numpy(np.float64) for price in prices)
    return _ParsedStretch(
        values, volume, times, None if as_text - {dialect.zone} else _cast(times), others
    )


def _has_line_break(column: "pd.Series[Any]") -> bool:
    if column.dtype.kind in "iufb":
        return False
    found = pc.match_substring_regex(_as_arrow(column), "[\r\n]")
    return bool(pc.any(found).as_py())


def _cast(columns: tuple["pd.Series[Any]", ...]) -> tuple[Int64, TimeKinds] | None:
    """The times, where that is quickly done and the piece alone tells it."""
    if columns[-1].dtype.kind == "i":
        return None
    if len(columns) == 1:
        return cast_times(_as_arrow(columns[0]))
    date, clock = columns
    dates = _as_arrow(date.astype(str) if date.dtype.kind == "i" else date)
    space = pa.scalar(" ", pa.large_string())
    return cast_times(pc.binary_join_element_wise(dates, _as_arrow(clock), space))


def _whole_times(pieces: list[_ParsedStretch], reading: Reading) -> tuple[Int64, TimeKinds] | None:
    cast = [piece.cast for piece in pieces if piece.cast is not None]
    if len(cast) == len(pieces):
        whole = np.concatenate([c[0] for c in cast]), np.concatenate([c[1] for c in cast])
        return in_zone(*whole, reading) if (whole[1] == whole[1][0]).all() else None
    columns: list[pd.Series[Any]]
    columns = [pd.concat(parts) for parts in zip(*(p.times for p in pieces), strict=True)]
    if len(columns) == 1 and columns[0].dtype == np.int64:
        return parse_epochs(columns[0].to_numpy(), reading)
    return read_times([texts_of(column) for column in columns], reading)


def texts_of(column: "pd.Series[Any]") -> list[str]:
    """The cells as text; those that are missing are empty."""
    return ["" if cell is None or cell != cell else str(cell) for cell in column.tolist()]


def _as_arrow(texts: "pd.Series[Any]") -> pa.Array:
    """The texts as one Arrow array; without a copy if pandas already holds them so."""
    try:
        array = pa.array(texts.array, pa.large_string(), from_pandas=True)
    except (pa.ArrowTypeError, pa.ArrowInvalid):  # whole numbers that no int64 holds
        array = pa.array(texts_of(texts), pa.large_string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _whole_volume(
    pieces: list[_ParsedStretch], prices: NumberStyle
) -> npt.NDArray[np.float64] | None:
    columns = [piece.volume for piece in pieces if piece.volume is not None]
    if not columns:
        return np.full(sum(len(piece.prices[0]) for piece in pieces), np.nan)
    numeric = [column.dtype.kind in "iuf" for column in columns]
    if all(numeric):
        values = np.concatenate([column.to_numpy(np.float64) for column in columns])
        return np.where(np.isfinite(values), values, np.nan)
    if any(numeric):
        return None  # as numbers they have lost the marks that tell how the others are written
    texts = texts_of(pd.concat(columns))
    style = volume_style(texts, prices)
    return np.array([style.volume(cell) for cell in texts], np.float64)


def are_times_sound(kinds: TimeKinds) -> bool:
    """Whether every time is readable and of one kind."""
    kinds = np.minimum(kinds, TimeKind.EPOCH_S)
    return bool(len(kinds) and kinds[0] >= TimeKind.NAIVE and (kinds == kinds[0]).all())
