"""How a price file spells things: its delimiter, columns, decimal mark and times.

Times
-----
ISO 8601 (``T`` or a space, ``Z``, offsets, fractions down to nanoseconds, dates alone; ``-``,
``/`` or ``.`` between year, month and day; ``20240102`` and ``20240102 000500``), and epochs. An
epoch's unit follows from its size: below 10¹¹ seconds, below 10¹⁴ milliseconds, below 10¹⁷
microseconds, otherwise nanoseconds. Read as any other unit the number would lie before March 1973
or after the year 5000. Numbers below 10⁸ are no epochs, so that eight digits can mean a date.
"""

import csv
import io
import re
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bigbar._csv_names import PRICES, Found, find_columns
from bigbar.errors import DataError

NO_VOLUME = "no volume column: Volume is empty"
NS_PER_SECOND = 1_000_000_000

# Delimiters in the order that settles a draw: a tab or a semicolon hardly occurs in a cell.
_DELIMITERS = "\t;,"
_HEAD_BYTES = 1 << 16  # enough for a header of thousands of columns

_STAMP = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"|(?P<month2>\d\d)(?P<day2>\d\d))"
    r"(?:[T ](?:(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d))?)?"
    r"|(?P<hour2>\d\d)(?P<minute2>\d\d)(?P<second2>\d\d)?)(?:(?<=\d\d)[.,](?P<fraction>\d{1,9}))?"
    r"(?: ?(?:(?P<utc>Z|z|UTC|GMT)|(?P<sign>[-+])(?P<zone_hour>\d\d)(?::?(?P<zone_minute>\d\d))?"
    r"))?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d{1,9})?)?|\d{6}|\d{4}", re.ASCII)
_EPOCH = re.compile(r"(\d{9,19})(?:\.(\d{1,9}))?", re.ASCII)
_DAY_FIRST = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d\d)\b.*", re.ASCII)
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+\s*", re.ASCII)
_NUMBER_SHAPE = re.compile(r"\s*[-+]?\d*[.,]?\d+\s*", re.ASCII)


class TimeKind(IntEnum):
    """What a time cell turned out to be; all cells of a file must be of one readable kind."""

    UNREADABLE = 0
    DAY_FIRST = 1
    OUT_OF_RANGE = 2
    NAIVE = 3
    OFFSET = 4
    EPOCH_S = 5
    EPOCH_MS = 6
    EPOCH_US = 7
    EPOCH_NS = 8


@dataclass(frozen=True)
class Dialect:
    """Where the columns of a text file are, and how its cells are spelled.

    Attributes
    ----------
    delimiter, decimal : str
        Between the cells, and inside numbers.
    names : tuple of str
        The columns as the file spells them; made up ("column 3 (Open)") where it has no header.
    times : tuple of int
        Position of the time column, or of the date column and the clock column.
    prices : tuple of int
        Positions of Open, High, Low and Close.
    volume : int or None
        Position of the volume column.
    body_offset, body_line : int
        Byte and line (from 1) at which the rows begin.
    notes : tuple of str
        What was ignored or assumed.
    """

    delimiter: str
    decimal: str
    names: tuple[str, ...]
    times: tuple[int, ...]
    prices: tuple[int, ...]
    volume: int | None
    body_offset: int
    body_line: int
    notes: tuple[str, ...] = ()


def detect_dialect(data: bytes, source: str) -> Dialect:
    """Find delimiter, columns and decimal mark from the first lines.

    Parameters
    ----------
    data : bytes
        The file as UTF-8, without a byte order mark.
    source : str
        Name for messages.

    Raises
    ------
    DataError
        No row, no usable columns, or two columns for one field.
    """
    lines = list(io.StringIO(data[:_HEAD_BYTES].decode("utf-8", "ignore"), newline=""))
    heads = {mark: _first_rows(lines, mark) for mark in _DELIMITERS}
    if not heads[","]:
        raise DataError(f"{source} is empty. Give a file with a header and rows of prices.")
    known = {mark: count_known(rows[0][1]) for mark, rows in heads.items()}
    delimiter = max(_DELIMITERS, key=lambda mark: known[mark])
    if known[delimiter] < 2:
        return _headerless(source, heads)
    header_end, header = heads[delimiter][0]
    if len(heads[delimiter]) == 1:
        raise DataError(f"{source} has a header (line {header_end}) but no rows below it.")
    first = heads[delimiter][1][1]
    dialect = _with_header(source, header, first)
    offset = sum(len(line.encode()) for line in lines[:header_end])
    dialect = replace(dialect, delimiter=delimiter, body_offset=offset, body_line=header_end + 1)
    return _with_decimal(dialect, first)


def _first_rows(lines: list[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """The first two rows that are not blank, each with the number of its last line."""
    reader = csv.reader(iter(lines), delimiter=delimiter)
    found: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if not is_blank(cells):
                found.append((reader.line_num, cells))
            if len(found) == 2:
                break
    except csv.Error:  # a cell of more than 128 KB: whatever this is, it is no such table
        pass
    return found


def is_blank(cells: list[str]) -> bool:
    """Whether these are the cells of a line that holds nothing but white space."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


def count_known(cells: list[str]) -> int:
    """How many cells are names of columns that are known."""
    try:
        return find_columns(cells).known
    except DataError:  # two for one price: a header all the same
        return len(cells)


def _with_header(source: str, header: list[str], first: list[str]) -> Dialect:
    names = tuple(name.strip() for name in header)
    try:
        found = find_columns(names)
    except DataError as problem:
        raise DataError(f"{source}: {problem}") from None
    times = _time_columns(names, found, first)
    if len(found.prices) < len(PRICES) or not times:
        wanted = [name for name in PRICES if name not in found.prices]
        raise DataError(
            f"{source}: no column for {', '.join(wanted if times else ['time', *wanted])}. "
            f"Columns found: {', '.join(repr(n) for n in names)}. Name the columns time, open, "
            "high, low, close and (if there is one) volume."
        )
    prices = tuple(found.prices[name] for name in PRICES)
    notes = _column_notes(names, {*times, *prices, found.volume}, found.volume)
    return Dialect(",", ".", names, times, prices, found.volume, 0, 1, notes)


def _time_columns(names: tuple[str, ...], found: Found, first: list[str]) -> tuple[int, ...]:
    """The one or two columns that hold the time; empty if there are none."""
    cells = [cell.strip() for cell in first] + [""] * len(names)
    points = [i for i in found.times if parse_time(cells[i])[1] != TimeKind.UNREADABLE]
    clocks = [i for i in found.times if _CLOCK.fullmatch(cells[i]) and i not in points]
    whole = [i for i in points if ":" in cells[i] or _EPOCH.fullmatch(cells[i])]
    if whole:
        return (whole[0],)
    if points and clocks:
        return (points[0], clocks[0])
    if points or found.times:
        return (points[0] if points else found.times[0],)
    if not names[0] and parse_time(cells[0])[1] != TimeKind.UNREADABLE:
        return (0,)
    return ()


def _column_notes(
    names: tuple[str, ...], used: set[int | None], volume: int | None
) -> tuple[str, ...]:
    ignored = [name for i, name in enumerate(names) if i not in used and name]
    notes = []
    if ignored:
        plural = "s" if len(ignored) > 1 else ""
        notes.append(f"ignored column{plural}: {', '.join(ignored)}")
    if volume is None:
        notes.append(NO_VOLUME)
    return tuple(notes)


def _headerless(source: str, heads: dict[str, list[tuple[int, list[str]]]]) -> Dialect:
    """The layout of a file without a header: time (or date, clock), open, high, low, close."""
    for delimiter in _DELIMITERS:
        line, cells = heads[delimiter][0]
        cells = [cell.strip() for cell in cells]
        # Day-first dates are let in here, to be refused with their own explanation.
        if parse_time(cells[0])[1] == TimeKind.UNREADABLE:
            continue
        clock = len(cells) > 1 and ":" in cells[1] and _CLOCK.fullmatch(cells[1])
        labels = ["date", "time"] if clock else ["time"]
        shift = len(labels)
        rest = cells[shift:]
        if len(rest) < 4 or not all(_NUMBER_SHAPE.fullmatch(cell) for cell in rest[:4]):
            continue
        labels += [*PRICES, "Volume"][: len(rest)]
        labels += ["ignored"] * (len(cells) - len(labels))
        names = tuple(f"column {i} ({label})" for i, label in enumerate(labels, 1))
        prices = tuple(range(shift, shift + 4))
        volume = shift + 4 if len(rest) > 4 else None
        meaning = ", ".join(label.lower() for label in labels)
        notes = [f"no header: columns read as {meaning}"]
        if volume is None:
            notes.append(NO_VOLUME)
        times = tuple(range(shift))
        dialect = Dialect(delimiter, ".", names, times, prices, volume, 0, 1, tuple(notes))
        return _with_decimal(dialect, cells)
    line, cells = heads[max(_DELIMITERS, key=lambda mark: len(heads[mark][0][1]))][0]
    found = ", ".join(repr(cell.strip()[:40]) for cell in cells[:20])
    raise DataError(
        f"{source}: no usable columns. Line {line} holds {found}. Give the file a header with "
        "time, open, high, low, close and (if there is one) volume."
    )


def _with_decimal(dialect: Dialect, first: list[str]) -> Dialect:
    """The dialect with the decimal mark that the first row's prices use."""
    if dialect.delimiter == ",":
        return dialect
    cells = [first[i] for i in dialect.prices if i < len(first)]
    comma = any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    return replace(dialect, decimal=",") if comma and not any("." in c for c in cells) else dialect


# --------------------------------------------------------------------------------------- times


def parse_time(text: str) -> tuple[int, TimeKind]:
    """Read one time.

    Returns
    -------
    nanoseconds : int
        Since 1970-01-01; in UTC where the text has an offset. 0 if it cannot be read.
    kind : TimeKind
        What the text is.
    """
    text = text.strip()
    if match := _EPOCH.fullmatch(text):
        return _parse_epoch(match[1], match[2] or "")
    match = _STAMP.fullmatch(text)
    if not match:
        day_first = _DAY_FIRST.fullmatch(text)
        return 0, TimeKind.DAY_FIRST if day_first else TimeKind.UNREADABLE
    part = {k: int(v) for k, v in match.groupdict().items() if v and v.isdigit()}
    for name in ("month", "day", "hour", "minute", "second"):
        part.setdefault(name, part.get(f"{name}2", 0))
    zone_hour, zone_minute = part.get("zone_hour", 0), part.get("zone_minute", 0)
    if part["hour"] > 23 or zone_hour > 23 or max(part["minute"], part["second"], zone_minute) > 59:
        return 0, TimeKind.UNREADABLE
    try:
        days = date(part["year"], part["month"], part["day"]).toordinal() - _ORDINAL_1970
    except ValueError:  # no such day
        return 0, TimeKind.UNREADABLE
    offset = (zone_hour * 60 + zone_minute) * (-60 if match["sign"] == "-" else 60)
    seconds = days * 86_400 + part["hour"] * 3600 + part["minute"] * 60 + part["second"] - offset
    fraction = int((match["fraction"] or "").ljust(9, "0"))
    kind = TimeKind.OFFSET if match["utc"] or match["sign"] else TimeKind.NAIVE
    return _in_range(seconds * NS_PER_SECOND + fraction, kind)


_ORDINAL_1970 = date(1970, 1, 1).toordinal()
# datetime64[ns] ends on 1677-09-21 and 2262-04-11; a whole second of room keeps sums inside.
_MAX_SECONDS = (2**63 - 1) // NS_PER_SECOND - 1


def _in_range(nanoseconds: int, kind: TimeKind) -> tuple[int, TimeKind]:
    if abs(nanoseconds) > _MAX_SECONDS * NS_PER_SECOND:
        return 0, TimeKind.OUT_OF_RANGE
    return nanoseconds, kind


def _parse_epoch(whole: str, fraction: str) -> tuple[int, TimeKind]:
    value = int(whole)
    if value < 10**8:
        return 0, TimeKind.UNREADABLE
    unit = sum(value >= bound for bound in (10**11, 10**14, 10**17))
    scale = 1000 ** (3 - unit)
    # A fraction finer than a nanosecond is cut off: no file means it.
    nanoseconds = value * scale + int(fraction.ljust(9, "0")) * scale // NS_PER_SECOND
    return _in_range(nanoseconds, TimeKind(TimeKind.EPOCH_S + unit))


Int64 = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.uint8]


def parse_epochs(values: Int64) -> tuple[Int64, Kinds]:
    """`parse_time` for a whole column of integers; eight digits count as a date."""
    kinds = np.full(len(values), TimeKind.UNREADABLE, np.uint8)
    nanoseconds = np.zeros(len(values), np.int64)
    bounds = (10**8, 10**11, 10**14, 10**17, 2**63 - 1)
    for unit, (low, high) in enumerate(pairwise(bounds)):
        here = (values >= low) & (values < high)
        scale = 1000 ** (3 - unit)
        inside = here & (values <= _MAX_SECONDS * NS_PER_SECOND // scale)
        kinds[here] = TimeKind.OUT_OF_RANGE
        kinds[inside] = TimeKind.EPOCH_S + unit
        nanoseconds[inside] = values[inside] * scale
    dates = np.flatnonzero(kinds == TimeKind.UNREADABLE)
    _parse_one_by_one([str(v) for v in values[dates].tolist()], dates, nanoseconds, kinds)
    return nanoseconds, kinds


def parse_times(texts: pa.Array) -> tuple[Int64, Kinds]:
    """`parse_time` for a whole column; fast if all its cells are ISO 8601 of one kind.

    Parameters
    ----------
    texts : pyarrow.Array of strings, shape (n,)

    Returns
    -------
    nanoseconds : ndarray of int64, shape (n,)
    kinds : ndarray of uint8, shape (n,)
        Values of `TimeKind`.
    """
    first = texts[0].as_py() or ""
    kind = parse_time(first)[1]
    if kind in (TimeKind.NAIVE, TimeKind.OFFSET):
        if first[4] in "./":
            texts = pc.replace_substring(texts, first[4], "-", max_replacements=2)
        # Arrow's parser is exact and strict: it refuses cells with an offset in a column without
        # and the reverse, days that do not exist, and times that nanoseconds cannot hold.
        try:
            stamps = texts.cast(pa.timestamp("ns", "UTC" if kind == TimeKind.OFFSET else None))
        except pa.ArrowInvalid:
            pass  # another spelling, or a mistake: one by one tells which
        else:
            if not stamps.null_count and not _may_have_wrapped(texts):
                nanoseconds = stamps.cast(pa.int64()).to_numpy()
                return nanoseconds, np.full(len(texts), kind, np.uint8)
    nanoseconds = np.zeros(len(texts), np.int64)
    kinds = np.zeros(len(texts), np.uint8)
    cells = ["" if cell is None else cell for cell in texts.to_pylist()]
    _parse_one_by_one(cells, np.arange(len(texts)), nanoseconds, kinds)
    return nanoseconds, kinds


# Before 23 a time that nanoseconds cannot hold came back as another one, some centuries away.
_ARROW_WRAPS = int(pa.__version__.split(".")[0]) < 23


def _may_have_wrapped(texts: pa.Array) -> bool:
    """Whether a year of ISO texts is at the edge of what nanoseconds can hold, or beyond."""
    if not _ARROW_WRAPS:
        return False
    first, last = pc.min_max(texts).as_py().values()
    return not "1678" <= first[:4] <= last[:4] <= "2261"


def _parse_one_by_one(cells: list[str], rows: Int64, nanoseconds: Int64, kinds: Kinds) -> None:
    for row, cell in zip(rows, cells, strict=True):
        nanoseconds[row], kinds[row] = parse_time(cell)
