"""From a file of price bars, or a DataFrame, to validated bars.

A good file is read the quick way, by `bigbar._csv_quick`. Only when that fails does
`bigbar._csv_errors` walk through the rows to say which line and column is wrong.

All indexes have nanosecond resolution (`datetime64[ns]`), whatever the file's own is.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bigbar._csv_bytes import (
    PriceFile,
    decode,
    read_all,
    refuse_beyond,
    source_name,
    text_limit,
)
from bigbar._csv_dialect import NO_VOLUME, Dialect, TimeKind, detect_dialect
from bigbar._csv_errors import Columns, broken_order, line_of_row, read_carefully
from bigbar._csv_names import PRICES, find_columns
from bigbar._csv_quick import is_sound, read_quickly, sound_rows, usable_threads
from bigbar._packed import unpack
from bigbar._tables import as_text
from bigbar.errors import DataError

COLUMNS = (*PRICES, "Volume")


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
        The path as given, "standard input", or "DataFrame".
    sha256 : str
        Of the file's bytes as they were read; for a DataFrame of the bytes of the index (int64
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


def read_bars(file: PriceFile, *, max_memory: int | None = None) -> Bars:
    """Read and check a file of price bars.

    Comma, semicolon (also with decimal comma) or tab between the columns; UTF-8, or UTF-16 with a
    byte order mark; or Parquet, or Feather. Plain, gzip, bzip2, xz, zstd, or a zip archive with
    one such file. Columns are found by name in any case and order; a file without a header is
    read as time (or date and time), open, high, low, close and volume. Forms of time: see
    `bigbar._csv_dialect`.

    Parameters
    ----------
    file : str, os.PathLike or file object
        Its path, or something open for reading, which is read from where it stands.
    max_memory : int, optional
        Bytes that this process may take; what the machine has, by default.

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
    source, limit = source_name(file), text_limit(max_memory)
    raw = read_all(file, limit)
    with ThreadPoolExecutor(usable_threads()) as pool:
        digest = pool.submit(lambda: hashlib.sha256(raw).hexdigest())
        data, shown = _text(raw, source, limit)
        dialect = detect_dialect(data, shown)
        columns = read_quickly(data, dialect, pool)
        if columns is None or not is_sound(columns):
            columns = read_carefully(data, dialect, shown)
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


def _text(raw: bytes, source: str, limit: int) -> tuple[bytes, str]:
    """What a file holds, as text in UTF-8, and what messages that name its lines call it."""
    data = unpack(raw, source, limit)
    text = as_text(data, source, lambda count: refuse_beyond(limit, count, source))
    return decode(text, source), source if text is data else f"{source} (as CSV)"


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
    names = [str(name) for name in df.columns]
    try:
        found = find_columns(names)
    except DataError as problem:
        raise DataError(f"{source}: {problem}") from None
    missing = [name for name in PRICES if name not in found.prices]
    if missing:
        columns = ", ".join(repr(name) for name in df.columns)
        raise DataError(f"{source} has no column {', '.join(missing)}. Columns found: {columns}.")
    fields = found.prices if found.volume is None else found.prices | {"Volume": found.volume}
    notes = []
    ignored = [name for i, name in enumerate(names) if i not in fields.values()]
    if ignored:
        notes.append(f"ignored column{'s' if len(ignored) > 1 else ''}: {', '.join(ignored)}")
    values = np.full((5, len(df)), np.nan)
    for row, name in enumerate(COLUMNS):
        if name in fields:
            values[row] = _as_floats(df.iloc[:, fields[name]])
    values[4, ~np.isfinite(values[4])] = np.nan
    _refuse_unsound_rows(values, df, [fields[name] for name in PRICES], source)
    if "Volume" not in fields:
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
    bad = np.flatnonzero(~sound_rows(tuple(values[:4])))
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
