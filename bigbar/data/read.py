"""From a file of price bars, or a DataFrame, to validated bars.

A good file is read the quick way, by `bigbar.data.quick`. Only when that fails does
`bigbar.data.diagnosis` walk through the rows to say which line and column is wrong.

All indexes have nanosecond resolution (`datetime64[ns]`), whatever the file's own is.
"""

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from bigbar.data.bar_checks import (
    as_written,
    counted,
    in_order,
    is_identity,
    mend_rounding,
    refuse_several,
    rounding_notes,
    telling_column,
)
from bigbar.data.days import order_of
from bigbar.data.diagnosis import Columns, broken_order, read_carefully, style_notes
from bigbar.data.dialect import detect_dialect
from bigbar.data.encoding import (
    PriceFile,
    decode,
    read_all,
    refuse_beyond,
    source_name,
    text_limit,
)
from bigbar.data.epochs import TimeKind
from bigbar.data.frame_columns import as_floats, frame_times, one_level
from bigbar.data.gaps import gap_notes
from bigbar.data.layout import NO_VOLUME, Dialect
from bigbar.data.names import PRICES, find_columns
from bigbar.data.numbers import NumberStyle
from bigbar.data.other_columns import (
    beside,
    kept_positions,
    may_hold_instruments,
    notes_with,
    of_text,
)
from bigbar.data.packed import unpack
from bigbar.data.quick import are_times_sound, read_quickly, texts_of, usable_threads
from bigbar.data.reading import AS_FOUND, Reading
from bigbar.data.rows import cut_note, last_cells, line_of_row
from bigbar.data.tables import as_text
from bigbar.data.time_agreement import agreement
from bigbar.data.zone_columns import refuse_finer
from bigbar.errors import DataError

COLUMNS = (*PRICES, "Volume")

#: How a time ends that is in UTC as it is.
_IN_UTC = re.compile(r"(Z|UTC|GMT|[+-]00:?00)\s*$", re.IGNORECASE)
_NS_PER_DAY = 86_400 * 10**9
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Bars:
    """Validated price bars.

    Attributes
    ----------
    frame : pandas.DataFrame, shape (n, 5 or more), n >= 2
        float64 columns Open, High, Low, Close, Volume (Volume is NaN where absent), and behind them
        the others of the file where they were asked for; a strictly increasing, unnamed
        `DatetimeIndex` of nanoseconds. Every price is finite and above zero,
        no High is below and no Low above another price of its bar.
    source : str
        The path as given, "standard input", or "DataFrame".
    sha256 : str
        Of the file's bytes as they were read; for a DataFrame of the bytes of the index (int64
        nanoseconds, UTC) and then of the five columns (float64) of `frame`, in little-endian.
    notes : tuple of str
        What was dropped, ignored or assumed, each one line for a person.
    reading : Reading
        What the user said about the file: to be said again by who reads it again.
    """

    frame: pd.DataFrame
    source: str
    sha256: str
    notes: tuple[str, ...]
    reading: Reading = AS_FOUND


def read_bars(
    file: PriceFile,
    *,
    reading: Reading = AS_FOUND,
    max_memory: int | None = None,
    others: bool = False,
) -> Bars:
    """Read and check a file of price bars.

    Comma, semicolon (also with decimal comma), bar or tab between the columns; UTF-8, or UTF-16
    with a byte order mark; or Parquet, or Feather. Plain, gzip, bzip2, xz, zstd, or a zip archive
    with one such file. Columns are found by name in any case and order; a file without a header is
    read as time (or date and time), open, high, low, close and volume, one with a header of unknown
    words is refused. Names: see `bigbar.data.names`; forms of time: `bigbar.data.days`,
    `_csv_clocks` and `_csv_times`; of numbers: `_csv_numbers`; rows that are no bars: `_csv_rows`.

    Parameters
    ----------
    file : str, os.PathLike or file object
        Its path, or something open for reading, which is read from where it stands.
    reading : Reading, optional
        What the file itself does not tell; found out, by default.
    max_memory : int, optional
        Bytes that this process may take; what the machine has, by default.
    others : bool, optional
        Whether to keep the other columns as well, for a strategy to see.

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
        dialect = detect_dialect(data, shown, reading)
        columns = read_quickly(data, dialect, pool, reading)
        mended = None if columns is None else _mended(columns)
        if mended is None or not mended.sound:
            mended = _mended(read_carefully(data, dialect, shown, reading))
        sha256 = digest.result()
    text = _TextFile(data, source, shown, dialect)
    return _bars_of_text(text, mended, sha256, reading, others=others)


@dataclass(frozen=True)
class _TextFile:
    data: bytes
    source: str
    shown: str
    dialect: Dialect

    def place(self, row: int, columns: Columns) -> str:
        """The line of a row, for messages."""
        lines = columns.lines
        line = line_of_row(self.data, self.dialect, row) if lines is None else lines[row]
        return f"line {line:,}"

    def name(self, position: int) -> str:
        return self.dialect.names[position]


class _Mended(NamedTuple):
    """Columns, the rows whose prices were mended, and whether all is as it should be now."""

    columns: Columns
    rows: npt.NDArray[np.int64]
    sound: bool


def _mended(columns: Columns) -> _Mended:
    prices, rows, unsound = mend_rounding(columns.prices)
    columns = replace(columns, prices=prices)
    return _Mended(columns, rows, not len(unsound) and are_times_sound(columns.kinds))


def _bars_of_text(
    file: _TextFile, mended: _Mended, sha256: str, reading: Reading, *, others: bool
) -> Bars:
    """The checks that the cells of a file have to pass together."""
    columns = mended.columns

    def place(row: int) -> str:
        return file.place(row, columns)

    def telling() -> str | None:
        exact = columns if columns.lines is not None else None
        if exact is None:  # the quick way has not kept all the columns
            exact = read_carefully(file.data, file.dialect, file.shown, reading)
        return telling_column(
            exact.times, {file.name(i): cells for i, cells in exact.others.items()}
        )

    notes = [*file.dialect.notes, *columns.notes, *rounding_notes(mended.rows, place)]
    notes += _reading_notes(columns, file.dialect, place)
    last = len(file.dialect.names) - 1
    if last in file.dialect.prices:
        price = columns.prices[file.dialect.prices.index(last)]
        cut = cut_note(last_cells(file.data, file.dialect), file.dialect, price)
        notes += [cut] if cut else []
    index = pd.DatetimeIndex(columns.times.view("datetime64[ns]"))
    if columns.kinds[0] == TimeKind.NAIVE:
        notes.append("times without UTC offset: read as UTC")
    else:
        index = index.tz_localize("UTC")
        if columns.kinds[0] == TimeKind.OFFSET and not _IN_UTC.search(file.dialect.example):
            notes.append("times are kept in UTC: a strategy sees hours of UTC")
    values = np.array([*columns.prices, columns.volume])
    try:
        for position, cells in columns.others.items():
            if may_hold_instruments(file.name(position), seen=others):
                refuse_several(file.name(position), pd.unique(pd.Series(cells, dtype=object)))
        notes += _agreement_notes(file, columns, place, reading)
        _refuse_finer(file, columns, place, reading)
        certain = reading.time_format is not None
        ordered = in_order(columns.times, values, place, telling, certain=certain)
    except DataError as problem:
        raise DataError(f"{file.shown}: {problem}") from None
    frame = _frame(values, index, ordered.rows)
    if len(frame) < 2:
        raise DataError(f"{file.source} has only one bar. Give a file with two bars or more.")
    if others:
        seen = of_text(file.data, file.dialect, columns)
        frame, notes = beside(frame, seen, ordered.rows), notes_with(notes, seen)
    notes += [*ordered.notes, *gap_notes(pd.DatetimeIndex(frame.index))]
    return Bars(frame, file.source, sha256, tuple(notes), reading)


def _text(raw: bytes, source: str, limit: int) -> tuple[bytes, str]:
    """What a file holds, as text in UTF-8, and what messages that name its lines call it."""
    data = unpack(raw, source, limit)
    text = as_text(data, source, lambda count: refuse_beyond(limit, count, source))
    return decode(text, source), source if text is data else f"{source} (as CSV)"


def bars_from_frame(
    df: pd.DataFrame,
    *,
    source: str = "DataFrame",
    reading: Reading = AS_FOUND,
    others: bool = False,
) -> Bars:
    """Check the bars of a DataFrame.

    Parameters
    ----------
    df : pandas.DataFrame
        Columns open, high, low, close and, if there is one, volume, by the names that are known
        of files; others are ignored. Indexed by a `DatetimeIndex`, whose time zone is kept; or
        with a column of times by one of the names known of files. Not modified.
    source : str
        Name for messages and for `Bars.source`.
    reading : Reading, optional
        As for files; a time zone is that of times that have none.
    others : bool, optional
        Whether to keep the other columns as well, for a strategy to see.

    Returns
    -------
    Bars

    Raises
    ------
    DataError
        The frame cannot be used; where a row is at fault the message names its label and column.
    """
    df = one_level(df, source)
    names = [str(name) for name in df.columns]
    try:
        found = find_columns(names, reading.columns)
    except DataError as problem:
        raise DataError(f"{source}: {problem}") from None
    missing = [name for name in PRICES if name not in found.prices]
    if missing:
        columns = ", ".join(repr(name) for name in df.columns)
        raise DataError(f"{source} has no column {', '.join(missing)}. Columns found: {columns}.")
    index, times = frame_times(df, found, source, reading)
    fields = found.prices if found.volume is None else found.prices | {"Volume": found.volume}
    ignored = {i: name for i, name in enumerate(names) if i not in {*fields.values(), *times}}
    notes = []
    if ignored:
        plural = "s" if len(ignored) > 1 else ""
        notes.append(f"ignored column{plural}: {', '.join(ignored.values())}")
    values = np.full((5, len(df)), np.nan)
    for row, name in enumerate(COLUMNS):
        if name in fields:
            values[row] = as_floats(df.iloc[:, fields[name]])
    values[4, ~np.isfinite(values[4])] = np.nan
    prices, mended, unsound = mend_rounding(tuple(values[:4]))
    values[:4] = prices
    _refuse_unsound_rows(values, unsound, df, [fields[name] for name in PRICES], source)
    notes += rounding_notes(mended, lambda row: f"row {df.index[row]}")
    if "Volume" not in fields:
        notes.append(NO_VOLUME)
    elif count := int(np.isnan(values[4]).sum()):
        notes.append(f"volume missing or not a number in {counted(count)}: left empty")
    if index.tz is None:
        notes.append("times without time zone: read as UTC")
    try:
        for position, name in ignored.items():
            texts = df.dtypes.iloc[position].kind not in "iufbcmM"
            if is_identity(name) or (texts and may_hold_instruments(name, seen=others)):
                refuse_several(name, df.iloc[:, position].dropna().unique())
        ordered = in_order(
            index.asi8,
            values,
            lambda row: f"row {df.index[row]}",
            lambda: telling_column(
                index.asi8, {name: list(df.iloc[:, i]) for i, name in ignored.items()}
            ),
        )
    except DataError as problem:
        raise DataError(f"{source}: {problem}") from None
    frame = _frame(values, index, ordered.rows)
    if len(frame) < 2:
        raise DataError(f"{source} has fewer than two bars. Give at least two.")
    digest = hashlib.sha256(pd.DatetimeIndex(frame.index).asi8.astype("<i8").tobytes())
    for name in COLUMNS:
        digest.update(frame[name].to_numpy().astype("<f8").tobytes())
    if others:
        seen = {name: df.iloc[:, i] for i, name in kept_positions(names, ignored).items()}
        frame, notes = beside(frame, seen, ordered.rows), notes_with(notes, seen)
    notes += [*ordered.notes, *gap_notes(pd.DatetimeIndex(frame.index))]
    return Bars(frame, source, digest.hexdigest(), tuple(notes), reading)


# ------------------------------------------------------------------------------- order and notes


def _reading_notes(columns: Columns, dialect: Dialect, place: Callable[[int], str]) -> list[str]:
    notes = []
    if columns.lines is None:
        notes += style_notes(NumberStyle(dialect.decimal))
    if dialect.volume is not None and (count := int(np.isnan(columns.volume).sum())):
        notes.append(f"volume missing or not a number in {counted(count)}: left empty")
    if order := order_of(dialect.example, int(columns.times[0]) // _NS_PER_DAY):
        first = {"dmy": "day", "mdy": "month", "ymd": "year"}[order]
        notes.append(f"{dialect.example}: days are read with the {first} first")
    other = np.flatnonzero(columns.kinds != columns.kinds[0])
    if len(other):  # only epochs may be of several kinds
        notes.append(f"epochs change their unit, first in {place(int(other[0]))}: each by its size")
    return notes


def _refuse_finer(
    file: _TextFile, columns: Columns, place: Callable[[int], str], reading: Reading
) -> None:
    """Refuse minutes and seconds in columns of their own that the times do not have."""
    times = columns.times
    if file.dialect.joined or columns.kinds[0] >= TimeKind.EPOCH_S:
        return
    if columns.kinds[0] == TimeKind.OFFSET:
        if reading.zone is None:
            return
        moments = pd.DatetimeIndex(times.view("datetime64[ns]"), tz="UTC")
        times = moments.tz_convert(reading.time_zone).tz_localize(None).asi8
    finer = [
        (file.name(i), scale, texts_of(pd.Series(columns.others[i], dtype=object)))
        for i, scale in zip(file.dialect.finer, (60, 1), strict=True)
        if i is not None
    ]
    refuse_finer(times, finer, place)


def _agreement_notes(
    file: _TextFile, columns: Columns, place: Callable[[int], str], reading: Reading
) -> list[str]:
    notes = []
    read = " + ".join(file.name(i) for i in file.dialect.times)
    for position in file.dialect.more_times:
        cells = texts_of(pd.Series(columns.others[position], dtype=object))
        notes += agreement(columns.times, cells, (read, file.name(position)), place, reading)
    return notes


def _frame(
    values: npt.NDArray[np.float64], index: pd.DatetimeIndex, rows: npt.NDArray[np.int64] | None
) -> pd.DataFrame:
    """The bars of these rows, or of all.

    Parameters
    ----------
    values : ndarray, shape (5, n)
    index : DatetimeIndex, shape (n,)
    rows : ndarray of int or None
    """
    if rows is not None:
        values, index = values[:, rows], index[rows]
    # Made anew rather than renamed: an index given by a caller may carry a frequency.
    plain = pd.DatetimeIndex(index.asi8.view("datetime64[ns]"))
    index = plain if index.tz is None else plain.tz_localize("UTC").tz_convert(index.tz)
    return pd.DataFrame(values.T, index=index, columns=list(COLUMNS), copy=False)


def _cell(df: pd.DataFrame, row: int, position: int) -> str:
    text = as_written(df.iat[row, position])
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _refuse_unsound_rows(
    values: npt.NDArray[np.float64],
    bad: npt.NDArray[np.int64],
    df: pd.DataFrame,
    positions: list[int],
    source: str,
) -> None:
    if not len(bad):
        return
    row = int(bad[0])
    prices = [float(price) for price in values[:4, row]]
    wrong = [i for i, price in enumerate(prices) if not 0 < price < np.inf]
    broken = None if wrong else broken_order(prices)
    here = broken[0] if broken else wrong[0]
    shown = f'"{_cell(df, row, positions[here])}"'
    what = "is not a finite number above zero"
    if broken:
        side = "below" if here == 1 else "above"
        what = f'is {side} {PRICES[broken[1]]} ("{_cell(df, row, positions[broken[1]])}")'
    more = f" ({len(bad) - 1:,} more with problems.)" if len(bad) > 1 else ""
    raise DataError(
        f'{source}: row {df.index[row]}, column "{df.columns[positions[here]]}": {shown} {what}. '
        f"Correct or remove the row.{more}"
    )
