"""The rows of a price file, with their lines, and which of them are no bars."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from bigbar.data.epochs import TimeKind
from bigbar.data.layout import NUMBER_SHAPE, Dialect, is_blank
from bigbar.data.names import plain
from bigbar.data.numbers import NumberStyle
from bigbar.data.times import parse_time
from bigbar.errors import DataError

Row = tuple[int, list[str]]

_TOKEN = re.compile(r"[^;\t,|\s]+")
_NUMBER = re.compile(r"[-+$€£¥₹]*\d+([.,]\d+)*", re.ASCII)
_MOST_REMARKS = 20
_LONGEST_SHOWN = 60
_PLAIN = re.compile(r"\d+([.,]\d+)?", re.ASCII)
#: Of the prices, that end in zeros by chance.
_FEW = 0.02


def numbered_rows(text: str, dialect: Dialect) -> Iterator[Row]:
    """The rows of the file's body that are not blank, each with its line (from 1).

    Raises
    ------
    DataError
        A cell goes on over the end of its line.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter)
    line = dialect.body_line
    try:
        for cells in reader:
            if not is_blank(cells):
                _refuse_line_breaks(line, cells, dialect)
                yield line, cells
            line = dialect.body_line + reader.line_num
    except csv.Error as error:
        raise DataError(
            f"line {line}: a cell is too long to belong to a price table ({error}); "
            "a quotation mark may be missing. Correct the line."
        ) from None


def _refuse_line_breaks(line: int, cells: list[str], dialect: Dialect) -> None:
    for position, cell in enumerate(cells):
        if "\n" in cell or "\r" in cell:
            name = dialect.names[position] if position < len(dialect.names) else position + 1
            raise DataError(
                f'line {line}, column "{name}": {show(cell)} goes on over the end of the line. A '
                "quotation mark is never closed, or there is a line break inside the cell: correct "
                "the line."
            )


def line_of_row(data: bytes, dialect: Dialect, row: int) -> int:
    """The line (from 1) of row number `row` (from 0) of those that are not blank."""
    text = data[dialect.body_offset :].decode()
    return next(islice(numbered_rows(text, dialect), row, None))[0]


def bar_rows(data: bytes, dialect: Dialect) -> tuple[list[Row], list[str]]:
    """The rows that are to be bars, and notes on those that are none.

    Left out are rows without any text in their cells, headers that come again, remarks below the
    last bar, and a last line that is cut off.
    """
    text = data[dialect.body_offset :].decode()
    rows = list(numbered_rows(text, dialect))
    names = [plain(name) for name in dialect.names]
    headers = [row for row in rows if len(row[1]) == len(names) and _is_header(row[1], names)]
    empty = [row for row in rows if not any(cell.strip() for cell in row[1])]
    left = {row[0] for row in (*headers, *empty)}
    rows = [row for row in rows if row[0] not in left]
    notes = _skipped("repeated header", headers) + _skipped("empty row", empty)
    if (
        not text.endswith(("\n", "\r"))
        and len(rows) > 1
        and _is_cut(rows, headers + empty, dialect)
    ):
        notes.append(f"line {rows.pop()[0]:,} is cut off: skipped")
    remarks: list[Row] = []
    while rows and len(remarks) < _MOST_REMARKS and _is_remark(rows[-1][1], dialect):
        remarks.insert(0, rows.pop())
    return rows, notes + _skipped("remark below the bars", remarks)


def last_cells(data: bytes, dialect: Dialect) -> list[str] | None:
    """The cells of the last line, if it has no end: it may be cut off. None if it has one."""
    last = data[max(data.rfind(b"\n"), data.rfind(b"\r"), dialect.body_offset - 1) + 1 :]
    if not last.strip():
        return None
    try:
        return next(csv.reader([last.decode()], delimiter=dialect.delimiter), None)
    except csv.Error:  # too long a cell: whoever reads all the rows says so
        return None


def is_cut_short(cells: list[str], dialect: Dialect) -> bool:
    """Whether a line without an end, with a cell for each column, is cut off inside the last.

    It is where that is a price, and none at all, one that ends with its decimal mark, or one that
    cannot be with the others of the bar.
    """
    last = len(dialect.names) - 1
    if last not in dialect.prices or len(cells) != last + 1:
        return False
    style = NumberStyle(dialect.decimal)
    text = cells[last].strip()
    price = style.number(text)
    if not (NUMBER_SHAPE.fullmatch(text) and text[-1].isdigit()) or price <= 0:
        return True
    others = [style.number(cells[i]) for i in dialect.prices if i != last]
    digits = [len(cells[i].strip().partition(dialect.decimal)[2]) for i in dialect.prices]
    low = max(others) if last == dialect.prices[1] else min(others)
    # A low may be as low as it likes: what can be a bar is one, and `cut_note` says the rest.
    return (
        price < low
        and last != dialect.prices[2]
        and (digits[dialect.prices.index(last)] < max(digits))
    )


def cut_note(cells: list[str] | None, dialect: Dialect, prices: npt.NDArray[np.float64]) -> str:
    """That the last price may be cut off, as hardly any other has so few digits; or nothing.

    Parameters
    ----------
    cells : list of str or None
        Of the last line, if it has no end.
    dialect : Dialect
    prices : ndarray of float64, shape (n,)
        Of the last column.
    """
    if cells is None or len(cells) != len(dialect.names):
        return ""
    text = cells[-1].strip()
    if not _PLAIN.fullmatch(text) or NumberStyle(dialect.decimal).number(text) != prices[-1]:
        return ""
    digits = len(text.partition(dialect.decimal)[2])
    if np.mean(np.round(prices[:-1], digits) == prices[:-1]) > _FEW:
        return ""
    return (
        f"the last line has no end, and its last price, {show(text)}, has fewer digits than most: "
        "it may be cut off"
    )


def _is_header(cells: list[str], names: list[str]) -> bool:
    return [plain(cell) for cell in cells] == names


def _is_cut(rows: Sequence[Row], left_out: Sequence[Row], dialect: Dialect) -> bool:
    """Whether the last line of the file has fewer cells than the one before it, or is cut short."""
    (last, cells), (_, before) = rows[-1], rows[-2]
    cut = len(cells) < len(before) or is_cut_short(cells, dialect)
    return cut and all(line < last for line, _ in left_out)


def _is_remark(cells: list[str], dialect: Dialect) -> bool:
    """Whether these are words below the table rather than a bar with mistakes."""
    here = [cells[i] if i < len(cells) else "" for i in (*dialect.times, *dialect.prices)]
    time = " ".join(here[: len(dialect.times)])
    if parse_time(time)[1] != TimeKind.UNREADABLE or not any(c.isalpha() for c in "".join(cells)):
        return False
    words = _TOKEN.findall(" ".join(cells))
    numbers = sum(_NUMBER.fullmatch(word) is not None for word in words)
    prices = sum(_NUMBER.fullmatch(cell.strip()) is not None for cell in here[-4:])
    return numbers < 4 and prices < 2


def _skipped(what: str, rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    lines = f"line {rows[0][0]:,}"
    if len(rows) == 1:
        return [f"{what} in {lines}: skipped"]
    plural = what.replace("remark", "remarks") if what.startswith("remark") else f"{what}s"
    return [f"{len(rows):,} {plural}, first {lines}: skipped"]


def show(value: str) -> str:
    """The value in quotes, on one line and not too long."""
    text = value if len(value) <= _LONGEST_SHOWN else value[: _LONGEST_SHOWN - 1] + "…"
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + '"'
