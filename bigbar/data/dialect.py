"""How a price file is laid out: delimiter, header, columns, and where the rows begin."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from bigbar.data.epochs import TimeKind
from bigbar.data.headerless import headerless
from bigbar.data.layout import NUMBER_SHAPE, Dialect, column_notes, has_digits, with_decimal
from bigbar.data.names import PRICES, Found, find_columns
from bigbar.data.reading import AS_FOUND, Reading
from bigbar.data.time_columns import time_columns
from bigbar.data.times import parse_time
from bigbar.errors import DataError

# Delimiters in the order that settles a draw: a tab or a semicolon hardly occurs in a cell.
_DELIMITERS = "\t;|,"
_HEAD_BYTES = 1 << 16  # enough for a header of thousands of columns
_MOST_LINES_ABOVE = 50
_LONGEST_CELL = 10_000


class _Line(NamedTuple):
    """A line that is not blank: its number from 1, the byte at which the next begins, its text."""

    number: int
    end: int
    text: str

    def cells(self, delimiter: str) -> list[str]:
        row = next(csv.reader([self.text.rstrip("\r\n")], delimiter=delimiter), [])
        return [cell.strip() for cell in row]


def detect_dialect(data: bytes, source: str, reading: Reading = AS_FOUND) -> Dialect:
    """Find delimiter, columns and decimal mark from the first lines.

    Parameters
    ----------
    data : bytes
        The file as UTF-8, without a byte order mark.
    source : str
        Name for messages.
    reading : Reading, optional

    Raises
    ------
    DataError
        No row, no usable columns, or two columns for one field.
    """
    lines = _first_lines(data)
    if not lines:
        raise DataError(f"{source} is empty. Give a file with a header and rows of prices.")
    marks = _DELIMITERS
    if match := re.fullmatch(r'"?sep=(.)"?', lines[0].text.strip(), re.IGNORECASE):
        marks = match[1]
    try:
        return _dialect(source, lines, marks, reading)
    except csv.Error:  # a cell of more than 128 KB: whatever this is, it is no such table
        raise DataError(f"{source}: no usable columns: line 1 is too long.") from None


def _first_lines(data: bytes) -> list[_Line]:
    lines = []
    end = 0
    text = data[:_HEAD_BYTES].decode("utf-8", "ignore")
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        end += len(line.encode())
        if line.strip():
            lines.append(_Line(number, end, line))
        if len(lines) > _MOST_LINES_ABOVE:
            break
    return lines


def _dialect(source: str, lines: list[_Line], marks: str, reading: Reading) -> Dialect:
    named = 0
    for at, line in enumerate(lines):
        by_known = _by_known(line, marks)
        for mark in by_known:
            cells = line.cells(mark)
            if _is_header(cells, reading):
                return _with_header(source, lines, at, mark, reading)
            if named == 0 and (dialect := headerless(cells, mark, reading)):
                if not reading.columns and (header := _header_above(lines[:at], cells, mark)):
                    return _with_header(source, lines, lines.index(header), mark, reading)
                above = lines[at - 1] if at else _Line(0, 0, "")
                dialect = replace(dialect, body_offset=above.end, body_line=above.number + 1)
                return _with_notes_above(dialect, source, lines[:at])
        named += _known(line, by_known[0]) >= 2  # a header with something missing
    best = max(lines, key=lambda line: max(_known(line, mark) for mark in marks))
    mark = _by_known(best, marks)[0]
    if _known(best, mark) >= 2:
        return _with_header(source, lines, lines.index(best), mark, reading)
    line = lines[0]
    cells = max((line.cells(mark) for mark in marks), key=len)
    found = ", ".join(repr(cell[:40]) for cell in cells[:20])
    raise DataError(
        f"{source}: no usable columns. Line {line.number} holds {found}. Give the file a header "
        "with time, open, high, low, close and (if there is one) volume, or say which column is "
        "which: --columns time=1,open=2,high=3,low=4,close=5."
    )


def _header_above(lines: Sequence[_Line], bar: list[str], delimiter: str) -> _Line | None:
    """The line above the bars that names the columns, though not by words that are known.

    Of several the one of which most is known, or the first: below it may stand units.
    """
    width = len(_without_end(bar))
    headers = [line for line in lines if _may_be_header(line.cells(delimiter), width)]
    return max(headers, key=lambda line: _known(line, delimiter), default=None)


def _may_be_header(cells: list[str], width: int) -> bool:
    """Whether cells above bars of so many cells may be the names of their columns.

    Those fill as many cells, up to one, and mostly with words. A title or a remark has fewer, a bar
    with mistakes has a time or more numbers.
    """
    filled = [cell for cell in cells if cell]
    if len(cells) < width or len(filled) < width - 1:
        return False
    if any(parse_time(cell)[1] != TimeKind.UNREADABLE for cell in filled):
        return False
    numbers = sum(NUMBER_SHAPE.fullmatch(cell) is not None for cell in filled)
    words = sum(
        any(c.isalpha() for c in cell) and not NUMBER_SHAPE.fullmatch(cell) for cell in filled
    )
    return words >= 2 and words > numbers


def _without_end(cells: list[str]) -> list[str]:
    """The cells without empty ones at the end."""
    count = len(cells)
    while count and not cells[count - 1]:
        count -= 1
    return cells[:count]


# ----------------------------------------------------------------------------------- with a header


def _known(line: _Line, delimiter: str) -> int:
    """How many cells of a line are names of columns that are known."""
    cells = line.cells(delimiter)
    try:
        return find_columns(cells).known
    except DataError:  # two for one price: a header all the same
        return len(cells)


def _by_known(line: _Line, marks: str) -> list[str]:
    """The delimiters, those first by which more of a line is known."""
    if len(line.text) > _LONGEST_CELL:
        return sorted(marks, key=lambda mark: -line.text.count(mark))
    return sorted(marks, key=lambda mark: -_known(line, mark))


def _is_header(cells: list[str], reading: Reading) -> bool:
    """Whether these cells name the columns."""
    if len(cells) < 4:
        return False
    try:
        found = find_columns(cells, reading.columns)
    except DataError:
        try:
            return len(find_columns(cells).prices) == len(PRICES)
        except DataError:
            return True
    if len(found.prices) < len(PRICES):
        return False
    return not any(NUMBER_SHAPE.fullmatch(cells[i]) for i in found.prices.values())


def _with_header(
    source: str, lines: list[_Line], at: int, delimiter: str, reading: Reading
) -> Dialect:
    header = lines[at]
    names = header.cells(delimiter)
    try:
        found = find_columns(names, reading.columns)
        names, below = _names_below(names, lines[at + 1 : at + 3], delimiter, found)
        found = find_columns(names, reading.columns)
    except DataError as problem:
        raise DataError(f"{source}: {problem}") from None
    body = lines[at + below]
    rows = lines[at + below + 1 :]
    first = (rows[0].cells(delimiter) if rows else []) + [""] * len(names)
    times, more = time_columns(names, found, first, reading)
    if len(found.prices) < len(PRICES) or not times:
        wanted = [name for name in PRICES if name not in found.prices]
        wanted = wanted if times else ["time", *wanted]
        raise DataError(
            f"{source}: no column for {', '.join(wanted)}. Columns found in line {header.number}: "
            f"{', '.join(repr(n) for n in names)}. Name the columns time, open, high, low, close "
            "and (if there is one) volume, or say which is which, by name or by number from 1: "
            f"--columns {','.join(f'{name.lower()}=…' for name in wanted)}"
        )
    if not rows:
        raise DataError(f"{source} has a header (line {header.number}) but no rows below it.")
    prices = tuple(found.prices[name] for name in PRICES)
    dialect = Dialect(
        delimiter, ".", tuple(names), times, prices, found.volume, body.end, body.number + 1,
        more_times=more, digits=has_digits(times, first), example=first[times[0]],
        finer=found.finer, joined=len(times) == 2 and found.finer != (None, None),
        zone=found.zone if reading.zone is None else None,
    )  # fmt: skip
    dialect = replace(dialect, notes=column_notes(dialect, reading))
    _refuse_open_quotes(source, lines[: at + below + 1])
    return with_decimal(_with_notes_above(dialect, source, lines[:at]), first)


def _names_below(
    names: list[str], lines: Sequence[_Line], delimiter: str, found: Found
) -> tuple[list[str], int]:
    """The names with what further lines of the header say, and how many of those there are.

    yfinance writes the instrument below the names of the prices, and below that the name of the
    first column.
    """
    below = 0
    for line in lines:
        cells = line.cells(delimiter) + [""] * len(names)
        prices = [cells[i] for i in found.prices.values()]
        if any(NUMBER_SHAPE.fullmatch(cell) for cell in prices):
            break
        if parse_time(cells[0])[1] != TimeKind.UNREADABLE or len(line.cells(delimiter)) < 4:
            break
        if len(set(prices)) > 1 and all(any(c.isalpha() for c in cell) for cell in prices):
            raise DataError(
                f"line {line.number} names several instruments ({prices[0]!r}, {prices[1]!r}). "
                "Give a file of one."
            )
        if len(set(prices)) > 1:
            break
        if prices and not any(prices) and not found.times:
            names = [cells[0] or names[0], *names[1:]]
        below += 1
    return names, below


def _refuse_open_quotes(source: str, lines: Sequence[_Line]) -> None:
    for line in lines:
        if line.text.count('"') % 2:
            raise DataError(
                f"{source}: line {line.number}: a quotation mark is never closed, or there is a "
                "line break inside a cell. Correct the line."
            )


def _with_notes_above(dialect: Dialect, source: str, above: Sequence[_Line]) -> Dialect:
    """With a note on the lines above the header, or above the bars."""
    _refuse_open_quotes(source, above)
    if not above:
        return dialect
    which = f"line {above[0].number} skipped"
    if len(above) > 1:
        which = f"lines {above[0].number} to {above[-1].number} skipped"
    where = "above the bars" if dialect.names[0].startswith("column 1 (") else "above the header"
    text = above[0].text.strip()
    shown = text if len(text) <= 40 else text[:39] + "…"
    return replace(dialect, notes=(f"{which} {where}: {shown}", *dialect.notes))
