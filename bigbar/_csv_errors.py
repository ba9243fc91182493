"""The slow, careful way through a price file: it knows lines and columns, and says what is wrong.

`bigbar.data` reads a good file with pandas and comes here only when that fails or a check fails.
What this module accepts is the definition; pandas is the fast way to the same arrays.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from bigbar._csv_dialect import Dialect, Int64, Kinds, TimeKind, is_blank, parse_time
from bigbar._csv_names import PRICES
from bigbar.errors import DataError

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[-+]?[.,]?\d+([., '’\u00a0\u202f]+\d+)+", re.ASCII)
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "#n/a"}
_INFINITE = {"inf", "infinity"}
_LONGEST_SHOWN = 60

_TIME_HINT = "Write it as ISO 8601, for example 2024-01-31T09:30:00-05:00."
_TIME_PROBLEMS = {
    TimeKind.UNREADABLE: f"is not a time that can be read. {_TIME_HINT}",
    TimeKind.DAY_FIRST: "may mean day/month or month/day; guessing could move every bar. "
    "Export the times as ISO 8601, year first: 2024-01-31 09:30:00.",
    TimeKind.OUT_OF_RANGE: "lies outside the years 1678 to 2261 that can be held. Correct it.",
}
_KIND_NAMES = {
    TimeKind.NAIVE: "a time without UTC offset",
    TimeKind.OFFSET: "a time with UTC offset",
    TimeKind.EPOCH_S: "epoch seconds",
    TimeKind.EPOCH_MS: "epoch milliseconds",
    TimeKind.EPOCH_US: "epoch microseconds",
    TimeKind.EPOCH_NS: "epoch nanoseconds",
}


@dataclass(frozen=True)
class Columns:
    """The cells of a price file as numbers, rows in file order.

    Attributes
    ----------
    times : ndarray of int64, shape (n,)
        Nanoseconds since 1970-01-01.
    kinds : ndarray of uint8, shape (n,)
        Values of `TimeKind`.
    prices : tuple of 4 ndarrays of float64, shape (n,)
        Open, High, Low, Close.
    volume : ndarray of float64, shape (n,)
        NaN where there is none.
    """

    times: Int64
    kinds: Kinds
    prices: tuple[npt.NDArray[np.float64], ...]
    volume: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one row: the column as the file spells it, and what to say."""

    column: str | None
    what: str


def numbered_rows(text: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """The rows of the file's body that are not blank, each with its first line (from 1)."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter)
    line = dialect.body_line
    try:
        for cells in reader:
            if not is_blank(cells):
                yield line, cells
            line = dialect.body_line + reader.line_num
    except csv.Error as error:
        raise DataError(
            f"line {line}: a cell is too long to belong to a price table ({error}); "
            "a quotation mark may be missing. Correct the line."
        ) from None


def line_of_row(data: bytes, dialect: Dialect, row: int) -> int:
    """The line (from 1) at which row number `row` (from 0) begins."""
    text = data[dialect.body_offset :].decode()
    return next(islice(numbered_rows(text, dialect), row, None))[0]


def read_carefully(data: bytes, dialect: Dialect, source: str) -> Columns:
    """Read the rows one by one.

    Raises
    ------
    DataError
        At the first row with a problem: its line, column and value, what to do, and how many
        more lines have problems.
    """
    try:
        rows = list(numbered_rows(data[dialect.body_offset :].decode(), dialect))
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    reader = _RowReader(_with_decimal_of_all(rows, dialect))
    first: str | None = None
    more = 0
    for line, cells in rows:
        problem = reader.read(line, cells)
        if problem and first is None:
            column = f', column "{problem.column}"' if problem.column is not None else ""
            first = f"{source}: line {line}{column}: {problem.what}"
        elif problem:
            more += 1
    if first:
        others = f" ({more:,} more line{'s have' if more > 1 else ' has'} problems.)"
        raise DataError(first + (others if more else ""))
    return reader.columns()


def _with_decimal_of_all(rows: list[tuple[int, list[str]]], dialect: Dialect) -> Dialect:
    """The dialect with a decimal comma if some price has a comma and none has a point."""
    if dialect.delimiter == ",":
        return dialect
    cells = [cells[i] for _, cells in rows for i in dialect.prices if i < len(cells)]
    comma = any("," in cell for cell in cells) and not any("." in cell for cell in cells)
    return replace(dialect, decimal="," if comma else ".")


class _RowReader:
    """Turns cells into numbers and collects them; the first time cell sets the kind of all."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.kind: TimeKind | None = None
        self.kind_line = 0
        self.rows: list[tuple[float, ...]] = []
        self.times: list[int] = []
        self.kinds: list[int] = []

    def columns(self) -> Columns:
        table = np.array(self.rows, np.float64).reshape(-1, 5)
        times, kinds = np.array(self.times, np.int64), np.array(self.kinds, np.uint8)
        return Columns(times, kinds, tuple(table[:, i].copy() for i in range(4)), table[:, 4])

    def read(self, line: int, cells: list[str]) -> Problem | None:
        """Take one row in, or say what is wrong with it."""
        width = len(self.dialect.names)
        # Some programs end every row with a delimiter; an empty cell too many does no harm.
        while len(cells) > width and not cells[-1].strip():
            cells = cells[:-1]
        if len(cells) > width:
            extra = _show(cells[width])
            return Problem(
                None,
                f"{len(cells)} cells where there are {width} columns; the first one too many is "
                f"{extra}. Correct the line, or quote cells that contain the delimiter.",
            )
        cells = cells + [""] * (width - len(cells))
        return self._read_time(line, cells) or self._read_numbers(cells)

    def _read_time(self, line: int, cells: list[str]) -> Problem | None:
        text = " ".join(cells[i].strip() for i in self.dialect.times)
        nanoseconds, kind = parse_time(text)
        name = " + ".join(self.dialect.names[i] for i in self.dialect.times)
        if kind < TimeKind.NAIVE:
            if not text.strip():
                return Problem(name, f"the time is missing (empty). {_TIME_HINT}")
            return Problem(name, f"{_show(text)} {_TIME_PROBLEMS[kind]}")
        if self.kind is None:
            self.kind, self.kind_line = kind, line
        elif kind != self.kind:
            return Problem(
                name,
                f"{_show(text)} is {_KIND_NAMES[kind]}, but line {self.kind_line} has "
                f"{_KIND_NAMES[self.kind]}. Write all times of the file in one way.",
            )
        self.times.append(nanoseconds)
        self.kinds.append(kind)
        return None

    def _read_numbers(self, cells: list[str]) -> Problem | None:
        dialect = self.dialect
        values = []
        for position in dialect.prices:
            value = _number(cells[position], dialect.decimal)
            if not 0 < value < np.inf:
                what = _price_problem(cells[position], value, dialect.decimal)
                return Problem(dialect.names[position], what)
            values.append(value)
        broken = broken_order(values)
        if broken:
            high_or_low, other = broken
            here, there = dialect.prices[high_or_low], dialect.prices[other]
            side = "below" if high_or_low == 1 else "above"
            return Problem(
                dialect.names[here],
                f"{_show(cells[here])} is {side} {PRICES[other]} (column "
                f'"{dialect.names[there]}": {_show(cells[there])}). Correct or remove the line.',
            )
        volume = (
            np.nan
            if dialect.volume is None
            else volume_number(cells[dialect.volume], dialect.decimal)
        )
        self.rows.append((*values, volume))
        return None


def broken_order(prices: list[float]) -> tuple[int, int] | None:
    """The first pair of (Open, High, Low, Close) that contradict each other, as positions."""
    for other in (0, 3, 2):
        if prices[1] < prices[other]:
            return 1, other
    for other in (0, 3):
        if prices[2] > prices[other]:
            return 2, other
    return None


def _number(cell: str, decimal: str) -> float:
    """The double nearest to what the cell says; NaN if it is no number."""
    text = cell.strip()
    if decimal == ",":
        if "." in text:
            return np.nan
        text = text.replace(",", ".")
    return float(text) if _NUMBER.fullmatch(text) else np.nan


def volume_number(cell: str, decimal: str) -> float:
    """The volume; NaN where the cell holds no finite number."""
    value = _number(cell, decimal)
    return value if np.isfinite(value) else np.nan


def _price_problem(cell: str, value: float, decimal: str) -> str:
    text = cell.strip()
    if text.lower() in _MISSING:
        shown = f"it says {_show(text)}" if text else "the cell is empty"
        return f"the price is missing ({shown}). Fill it in or remove the line."
    if text.lower().lstrip("+-") in _INFINITE or value == np.inf:
        return f"{_show(text)} is not a finite price. Correct it or remove the line."
    if value <= 0:
        return (
            f"{_show(text)} is not above zero, and a price must be. Correct it or remove the line."
        )
    if _GROUPED.fullmatch(text):
        mark = "comma" if decimal == "," else "point"
        return (
            f"{_show(text)} is not a plain number. Remove thousands separators, and write "
            f"decimals with a {mark} in the whole file."
        )
    return f"{_show(text)} is not a number. Correct it or remove the line."


def _show(value: str) -> str:
    """The value in quotes, on one line and not too long."""
    text = value if len(value) <= _LONGEST_SHOWN else value[: _LONGEST_SHOWN - 1] + "…"
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + '"'
