"""From a file of price bars, or a DataFrame, to validated bars.

A good file is read by pandas' C parser and checked with a handful of array comparisons. Only when
that fails does `bigbar._csv_errors` walk through the rows to say which line and column is wrong.

All indexes have nanosecond resolution (`datetime64[ns]`), whatever the file's own is.
"""

import difflib
import gzip
import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bigbar._csv_dialect import (
    NO_VOLUME,
    PRICES,
    Dialect,
    TimeKind,
    detect_dialect,
    parse_epochs,
    parse_times,
)
from bigbar._csv_errors import Columns, broken_order, line_of_row, read_carefully, volume_number
from bigbar.errors import DataError

COLUMNS = (*PRICES, "Volume")

# Threads share the hashing and the parsing of large files, both of which let go of the
# interpreter. Below a megabyte a piece, starting one more costs what it gains; beyond four, what
# is left is not parallel.
_PIECE_BYTES = 1 << 20
_MOST_THREADS = 4

# From pandas 3.1 on every mode gives the nearest double, and naming one is deprecated.
_PANDAS_VERSION = tuple(int(part) for part in re.findall(r"\d+", pd.__version__)[:2])
_EXACT: dict[str, Any] = {} if _PANDAS_VERSION >= (3, 1) else {"float_precision": "round_trip"}


@dataclass(frozen=True)
class Bars:
    """Validated price bars.

    Attributes
    ----------
    frame : pandas.DataFrame, shape (n, 5), n >= 2
        float64 columns Open, High, Low, Close, Volume (Volume is NaN where absent); a strictly
        increasing, unnamed `DatetimeIndex` of nanoseconds. Every price is finite and above zero,
        no High is below and no Low above another price of its bar.
    source : str
        The path as given, or "DataFrame".
    sha256 : str
        Of the file's bytes as they are on disk; for a DataFrame of the bytes of the index (int64
        nanoseconds, UTC) and then of the five columns (float64) of `frame`, in little-endian.
    rows_read : int
        Rows before duplicate times were dropped.
    notes : tuple of str
        What was dropped, ignored or assumed, each one line for a person.
    """

    frame: pd.DataFrame
    source: str
    sha256: str
    rows_read: int
    notes: tuple[str, ...]


def read_bars(path: str | os.PathLike[str]) -> Bars:
    """Read and check a file of price bars.

    Comma, semicolon (also with decimal comma) or tab between the columns; UTF-8, or UTF-16 with a
    byte order mark; plain, gzip, or a zip archive with one csv or txt file. Columns are found by
    name in any case and order; a file without a header is read as time (or date and time), open,
    high, low, close and volume. Forms of time: see `bigbar._csv_dialect`.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Bars
        Indexed in UTC if the file's times are epochs or carry offsets; without a zone if they
        are naive, which the rest of the program reads as UTC.

    Raises
    ------
    DataError
        The file cannot be read or used. Where a row is at fault the message names the line (from
        1, as an editor shows it), the column, the value, and what to do.
    """
    source = os.fsdecode(path)
    raw = _read_file(source)
    with ThreadPoolExecutor(_threads()) as pool:
        digest = pool.submit(lambda: hashlib.sha256(raw).hexdigest())
        data = _decode(_unpack(raw, source), source)
        dialect = detect_dialect(data, source)
        columns = _read_quickly(data, dialect, pool)
        if columns is None or not _is_sound(columns):
            columns = read_carefully(data, dialect, source)
        sha256 = digest.result()
    index = pd.DatetimeIndex(columns.times.view("datetime64[ns]"))
    notes = [*dialect.notes, *_reading_notes(columns, dialect)]
    if columns.kinds[0] == TimeKind.NAIVE:
        notes.append("times without UTC offset: read as UTC")
    else:
        index = index.tz_localize("UTC")
    values = np.array([*columns.prices, columns.volume])
    frame, order_notes = _ordered(
        values, index, lambda row: f"line {line_of_row(data, dialect, row):,}"
    )
    if len(frame) < 2:
        raise DataError(f"{source} has only one bar. Give a file with two bars or more.")
    return Bars(frame, source, sha256, len(index), (*notes, *order_notes))


def bars_from_frame(df: pd.DataFrame, *, source: str = "DataFrame") -> Bars:
    """Check the bars of a DataFrame.

    Parameters
    ----------
    df : pandas.DataFrame
        Columns open, high, low, close and, if there is one, volume, in any case and order; others
        are ignored. Indexed by a `DatetimeIndex`, whose time zone is kept. Not modified.
    source : str
        Name for messages and for `Bars.source`.

    Returns
    -------
    Bars

    Raises
    ------
    DataError
        The frame cannot be used; where a row is at fault the message names its label and column.
    """
    index = _frame_index(df, source)
    found: dict[str, int] = {}
    for position, name in enumerate(df.columns):
        field = str(name).strip().capitalize()
        if field in COLUMNS:
            if field in found:
                raise DataError(f"{source} has two columns for {field}. Remove or rename one.")
            found[field] = position
    missing = [name for name in PRICES if name not in found]
    if missing:
        names = ", ".join(repr(name) for name in df.columns)
        raise DataError(f"{source} has no column {', '.join(missing)}. Columns found: {names}.")
    notes = []
    ignored = [str(name) for i, name in enumerate(df.columns) if i not in found.values()]
    if ignored:
        notes.append(f"ignored column{'s' if len(ignored) > 1 else ''}: {', '.join(ignored)}")
    values = np.full((5, len(df)), np.nan)
    for row, name in enumerate(COLUMNS):
        if name in found:
            values[row] = _as_floats(df.iloc[:, found[name]])
    values[4, ~np.isfinite(values[4])] = np.nan
    _refuse_unsound_rows(values, df, [found[name] for name in PRICES], source)
    if "Volume" not in found:
        notes.append(NO_VOLUME)
    elif count := int(np.isnan(values[4]).sum()):
        notes.append(f"volume missing or not a number in {_rows(count)}: left empty")
    if index.tz is None:
        notes.append("times without time zone: read as UTC")
    frame, order_notes = _ordered(values, index, lambda row: f"row {df.index[row]}")
    if len(frame) < 2:
        raise DataError(f"{source} has fewer than two bars. Give at least two.")
    digest = hashlib.sha256(pd.DatetimeIndex(frame.index).asi8.astype("<i8").tobytes())
    for name in COLUMNS:
        digest.update(frame[name].to_numpy().astype("<f8").tobytes())
    return Bars(frame, source, digest.hexdigest(), len(df), (*notes, *order_notes))


# ------------------------------------------------------------------------------- from the disk


def _read_file(source: str) -> bytes:
    try:
        with open(source, "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        raise DataError(f"{source} does not exist.{_did_you_mean(source)}") from None
    except IsADirectoryError:
        raise DataError(f"{source} is a directory. Give a file of price bars.") from None
    except PermissionError:
        raise DataError(f"No permission to read {source}. Change it or copy the file.") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        raise DataError(f"{source!r} cannot be read: {error}.") from None
    if not raw or raw.isspace():
        raise DataError(f"{source} is empty. Give a file with a header and rows of prices.")
    return raw


def _did_you_mean(source: str) -> str:
    path = Path(source)
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return f" Neither does its folder {path.parent}." if not path.parent.exists() else ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f' Did you mean "{path.parent / close[0]}"?' if close else " Check the path."


def _unpack(raw: bytes, source: str) -> bytes:
    """The bytes of the text file, decompressed if they are gzip or a zip archive."""
    suffix = Path(source).suffix.lower()
    if raw.startswith(b"\x1f\x8b"):
        try:
            return gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{source} is a damaged gzip file ({error}). Fetch or compress it again."
            ) from None
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unzip(raw, source)
    if suffix in (".gz", ".zip"):
        kind = "gzip file" if suffix == ".gz" else "zip archive"
        raise DataError(
            f"{source} is not a {kind}, or a damaged one. Fetch it again, or remove {suffix} from "
            "its name if it is plain text."
        )
    return raw


def _unzip(raw: bytes, source: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
            if "xl/workbook.xml" in names:
                raise DataError(f"{source} is an Excel workbook. Save the sheet as CSV.")
            texts = [
                name
                for name in names
                if name.lower().endswith((".csv", ".txt")) and not name.startswith("__MACOSX/")
            ]
            if len(texts) != 1:
                found = ", ".join(names[:10]) + (", …" if len(names) > 10 else "") or "nothing"
                raise DataError(
                    f"{source} must hold exactly one csv or txt file, and holds {len(texts)} "
                    f"(found: {found}). Unpack it and give the file you mean."
                )
            return archive.read(texts[0])
    # RuntimeError: encrypted; NotImplementedError (a RuntimeError): unknown compression.
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{source} is a zip archive that cannot be unpacked ({error}). Fetch it again or "
            "give the unpacked file."
        ) from None


_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1a")) + b"\x7f"


def _decode(data: bytes, source: str) -> bytes:
    """The text as UTF-8 without a byte order mark, known to decode."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError as error:  # the lone surrogates of `encode` included
            raise DataError(
                f"{source} begins like UTF-16 text but is not ({error}). Save it as UTF-8."
            ) from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in data or data[:4096].translate(None, _CONTROL_BYTES) != data[:4096]:
        raise DataError(
            f"{source} is not a text file (it holds binary data, or UTF-16 without a byte order "
            "mark). Export the prices as CSV in UTF-8."
        )
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            before = data[: error.start].decode()
            line = 1 + len(re.findall("\r\n|\r|\n", before))
            raise DataError(
                f"{source}: line {line} holds the byte 0x{data[error.start]:02x}, which is not "
                "UTF-8. Save the file as UTF-8."
            ) from None
    return data


# ------------------------------------------------------------------------------- the quick way


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


def _threads() -> int:
    """How many threads to use: the processors this process may use, up to a few."""
    if hasattr(os, "sched_getaffinity"):
        return min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    return min(_MOST_THREADS, os.cpu_count() or 1)


def _read_quickly(data: bytes, dialect: Dialect, pool: ThreadPoolExecutor) -> Columns | None:
    """The columns, or None if pandas cannot make sense of the file.

    A large file is cut at line breaks into pieces that are read at the same time.
    """
    body = memoryview(data)[dialect.body_offset :]
    count = max(1, min(_threads(), len(body) // _PIECE_BYTES))
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
    if any(column.dtype.kind in "fbc" for column in columns):
        return None  # epochs with a fraction, or all missing: a float would round them
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


def _is_sound(columns: Columns) -> bool:
    """Whether every time is readable and of one kind, and the prices agree with each other."""
    kinds = columns.kinds
    if not len(kinds) or kinds[0] < TimeKind.NAIVE or (kinds != kinds[0]).any():
        return False
    return bool(_sound_rows(columns.prices).all())


def _sound_rows(prices: tuple[npt.NDArray[np.float64], ...]) -> npt.NDArray[np.bool_]:
    """Where all prices are finite and above zero, High is highest and Low is lowest."""
    open_, high, low, close = prices
    sound = (low > 0) & (high < np.inf) & (low <= high)  # NaN compares as False
    for price in (open_, close):
        sound &= (low <= price) & (price <= high)
    return sound


# ------------------------------------------------------------------------------- order and notes


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _reading_notes(columns: Columns, dialect: Dialect) -> list[str]:
    notes = []
    if dialect.decimal == ",":
        notes.append("decimal commas: 1,25 is read as 1.25")
    if dialect.volume is not None and (count := int(np.isnan(columns.volume).sum())):
        notes.append(f"volume missing or not a number in {_rows(count)}: left empty")
    return notes


def _ordered(
    values: npt.NDArray[np.float64], index: pd.DatetimeIndex, place: Callable[[int], str]
) -> tuple[pd.DataFrame, list[str]]:
    """The bars sorted by time, the first of equal times kept, and notes on what that changed.

    Parameters
    ----------
    values : ndarray, shape (5, n)
    index : DatetimeIndex, shape (n,)
    place : callable
        Names the row at a position, for the notes.
    """
    times = index.asi8
    notes: list[str] = []
    if not (np.diff(times) > 0).all():
        late = np.flatnonzero(times < np.maximum.accumulate(times))
        if len(late):
            notes.append(f"{_rows(len(late))} out of order, first {place(late[0])}: sorted")
        order = np.argsort(times, kind="stable")
        again = np.diff(times[order], prepend=times[order[0]] - 1) == 0
        if again.any():
            first = place(order[again].min())
            count = int(again.sum())
            notes.append(f"{_rows(count)} with a time seen before, first {first}: dropped")
        order = order[~again]
        values, index = values[:, order], index[order]
    # Made anew rather than renamed: an index given by a caller may carry a frequency.
    plain = pd.DatetimeIndex(index.asi8.view("datetime64[ns]"))
    index = plain if index.tz is None else plain.tz_localize("UTC").tz_convert(index.tz)
    return pd.DataFrame(values.T, index=index, columns=list(COLUMNS), copy=False), notes


# ------------------------------------------------------------------------------- from a DataFrame


def _frame_index(df: pd.DataFrame, source: str) -> pd.DatetimeIndex:
    """The index in nanoseconds; refused if it is no index of times, or holds missing ones."""
    if not isinstance(df.index, pd.DatetimeIndex):
        raise DataError(
            f"{source} is indexed by {type(df.index).__name__}, not by times. Use "
            "df.set_index(pd.to_datetime(...)) with the column that holds the times."
        )
    if df.columns.nlevels > 1:
        raise DataError(f"{source} has columns of {df.columns.nlevels} levels. Select one level.")
    if df.index.hasnans:
        row = int(np.flatnonzero(df.index.isna())[0])
        raise DataError(f"{source}: row {row} (from 0) has no time (NaT). Remove the row.")
    try:
        index = df.index.as_unit("ns")
    except pd.errors.OutOfBoundsDatetime:
        raise DataError(
            f"{source} has times outside the years 1678 to 2261 ({df.index.min()} to "
            f"{df.index.max()}). Correct them."
        ) from None
    return index


def _as_floats(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """The column as float64, NaN where a value is no number."""
    if column.dtype.kind == "b":
        return np.full(len(column), np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def _refuse_unsound_rows(
    values: npt.NDArray[np.float64], df: pd.DataFrame, positions: list[int], source: str
) -> None:
    bad = np.flatnonzero(~_sound_rows(tuple(values[:4])))
    if not len(bad):
        return
    row = int(bad[0])
    prices = [float(price) for price in values[:4, row]]
    wrong = [i for i, price in enumerate(prices) if not 0 < price < np.inf]
    broken = None if wrong else broken_order(prices)
    here = broken[0] if broken else wrong[0]
    shown = f'"{df.iat[row, positions[here]]!s}"'
    what = "is not a finite number above zero"
    if broken:
        side = "below" if here == 1 else "above"
        what = f'is {side} {PRICES[broken[1]]} ("{df.iat[row, positions[broken[1]]]!s}")'
    more = f" ({len(bad) - 1:,} more with problems.)" if len(bad) > 1 else ""
    raise DataError(
        f'{source}: row {df.index[row]}, column "{df.columns[positions[here]]}": {shown} {what}. '
        f"Correct or remove the row.{more}"
    )
