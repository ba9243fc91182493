"""The slow, careful way through a price file: it knows lines and columns, and says what is wrong.

`bigbar.data.read` reads a good file with pandas and comes here only when that fails or a check
fails. What this module accepts is the definition; pandas is the fast way to the same arrays.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bigbar.data.bar_checks import ROUNDING
from bigbar.data.days import has_no_order
from bigbar.data.epochs import TimeKind, TimeKinds
from bigbar.data.layout import Dialect
from bigbar.data.names import PRICES
from bigbar.data.numbers import NumberStyle, price_style, volume_style
from bigbar.data.reading import Reading
from bigbar.data.rows import Row, bar_rows, show
from bigbar.data.time_zones import Int64, zone_hint
from bigbar.data.times import read_times
from bigbar.data.zone_columns import with_parts, with_zones
from bigbar.errors import DataError

_GROUPED = re.compile(r"[-+]?[.,]?\d+([., '’\u00a0\u202f]+\d+)+", re.ASCII)
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "#n/a"}
_INFINITE = {"inf", "infinity"}

_TIME_HINT = (
    "Write it as ISO 8601, for example 2024-01-31T09:30:00-05:00, or say how it is written: "
    '--time-format "%d.%m.%Y %H:%M".'
)
_TIME_PROBLEMS = {
    TimeKind.UNREADABLE: f"is not a time that can be read. {_TIME_HINT}",
    TimeKind.DAY_OR_MONTH: "may mean day/month or month/day, and nothing in the file tells which; "
    "guessing could move every bar. Say --date-order dmy (the day first) or mdy, or export the "
    "times as ISO 8601, year first: 2024-01-31 09:30:00.",
    TimeKind.OUT_OF_RANGE: "lies outside the years 1678 to 2261 that can be held. Correct it.",
    TimeKind.CLOCKS_DIFFER: "holds two times of day that differ. Say which column is right: "
    "--columns time=…",
    TimeKind.TWICE: "was there twice that night, when the clocks went back. Export the times in "
    "UTC or with their offsets.",
    TimeKind.NEVER: "was left out that night, when the clocks went forward. Check the time zone.",
    TimeKind.OTHER_NAME: "names a part of the year in which the time zone of --time-zone does not "
    "have that name. Check the time zone.",
    TimeKind.TICKS: "is likely a count of 100 nanoseconds, as .NET (ticks) and Windows (FILETIME) "
    "have it: as nanoseconds it would lie before September 2001. Export the times as ISO 8601; or, "
    "if they are epoch nanoseconds, say --time-format ns.",
    TimeKind.SHORT_YEAR: "may be an epoch, or a day and a time of day in digits. Say which: "
    '--time-format "%y%m%d%H%M" (the year first, in two digits), "%d%m%y%H%M", or s or ms for '
    "epochs in seconds or milliseconds.",
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
    others : dict of int to array-like, length n
        Cells of columns that are not read, as far as they are looked at: by position.
    lines : list of int or None
        The line of each row; None where all rows that are not blank are bars.
    notes : tuple of str
        What was left out, or read as something else than it looks.
    """

    times: Int64
    kinds: TimeKinds
    prices: tuple[npt.NDArray[np.float64], ...]
    volume: npt.NDArray[np.float64]
    others: dict[int, Any] = field(default_factory=dict)
    lines: list[int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one row: the column as the file spells it, and what to say."""

    column: str | None
    what: str


def read_carefully(data: bytes, dialect: Dialect, source: str, reading: Reading) -> Columns:
    """Read the rows cell by cell.

    Raises
    ------
    DataError
        At the first row with a problem: its line, column and value, what to do, and how many
        more lines have problems.
    """
    try:
        rows, notes = bar_rows(data, dialect)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    if not rows:
        raise DataError(f"{source} has no bars: {'; '.join(notes) or 'no rows'}.")
    return _CarefulReader(rows, dialect, reading).columns(source, notes)


class _CarefulReader:
    """The cells of all rows, their styles, and what is wrong with them."""

    def __init__(self, rows: list[Row], dialect: Dialect, reading: Reading) -> None:
        self.dialect = dialect
        self.reading = reading
        self.lines = [line for line, _ in rows]
        width = len(dialect.names)
        self.widths = [_width(cells, width) for _, cells in rows]
        self.rows = [cells[:width] + [""] * (width - len(cells)) for _, cells in rows]
        self.cells = [cells for _, cells in rows]
        prices = [cells[i] for cells in self.rows for i in dialect.prices]
        self.style = price_style(prices, dialect.delimiter)
        self.volumes = self._column(dialect.volume)
        self.volume_style = volume_style(self.volumes, self.style)
        columns = [self._column(i) for i in dialect.times]
        if dialect.joined:
            columns[-1] = with_parts(columns[-1], *(self._column(i) for i in dialect.finer))
        self.times, self.kinds = read_times(columns, reading)
        if dialect.zone is not None:
            zones = self._column(dialect.zone)
            self.times, self.kinds = with_zones(self.times, self.kinds, zones, reading)
        self.classes = np.minimum(self.kinds, TimeKind.EPOCH_S)

    def _column(self, position: int | None) -> list[str]:
        return [] if position is None else [cells[position] for cells in self.rows]

    def columns(self, source: str, notes: list[str]) -> Columns:
        """The numbers; refused at the first row with a problem."""
        table = np.array(
            [[self.style.number(cells[i]) for i in self.dialect.prices] for cells in self.rows]
        )
        problems = [problem for row in range(len(table)) if (problem := self._problem(row, table))]
        if problems:
            (row, first), more = problems[0], len(problems) - 1
            column = f', column "{first.column}"' if first.column is not None else ""
            others = f" ({more:,} more line{'s have' if more > 1 else ' has'} problems.)"
            raise DataError(
                f"{source}: line {self.lines[row]}{column}: {first.what}" + (others if more else "")
            )
        volume = np.array([self.volume_style.volume(cell) for cell in self.volumes])
        return Columns(
            self.times,
            self.kinds,
            tuple(table[:, i].copy() for i in range(4)),
            volume if len(volume) else np.full(len(table), np.nan),
            {i: self._column(i) for i in self.dialect.ignored},
            self.lines,
            (*notes, *style_notes(self.style)),
        )

    def _problem(self, row: int, table: npt.NDArray[np.float64]) -> tuple[int, Problem] | None:
        problem = self._width_problem(row) or self._time_problem(row)
        problem = problem or self._price_problem(row, table[row].tolist())
        return (row, problem) if problem else None

    def _width_problem(self, row: int) -> Problem | None:
        width = len(self.dialect.names)
        if self.widths[row] <= width:
            return None
        extra = show(self.cells[row][width])
        return Problem(
            None,
            f"{self.widths[row]} cells where there are {width} columns; the first one too many is "
            f"{extra}. Correct the line, or quote cells that contain the delimiter.",
        )

    def _time_problem(self, row: int) -> Problem | None:
        kind = TimeKind(self.kinds[row])
        positions = self.dialect.times
        texts = [self.rows[row][i].strip() for i in positions]
        name = " + ".join(self.dialect.names[i] for i in positions)
        text = " ".join(texts)
        if not text.strip():
            return Problem(name, f"the time is missing (empty). {_TIME_HINT}")
        if kind == TimeKind.CLOCK:
            finer = [i for i in self.dialect.finer if i is not None and self.dialect.joined]
            cell = show(" + ".join([texts[-1], *(self.rows[row][i].strip() for i in finer)]))
            name = " + ".join(self.dialect.names[i] for i in (positions[-1], *finer))
            return Problem(
                name,
                f"{cell} is not a time of day that can be read. Write it as 09:30 or 09:30:00; "
                "or, if the column is not to be read, name the one that is: --columns time=…",
            )
        if kind == TimeKind.ZONE and self.dialect.zone is not None:
            zone = self.rows[row][self.dialect.zone].strip()
            what = f"{show(zone)} {_zone_problem(zone)}" if zone else "the offset is missing."
            return Problem(self.dialect.names[self.dialect.zone], what)
        if kind == TimeKind.ZONE:
            return Problem(name, f"{show(text)} {_zone_problem(text)}")
        if kind < TimeKind.NAIVE:
            what = _TIME_PROBLEMS[kind]
            if self.reading.time_format and kind == TimeKind.UNREADABLE:
                what = f"does not fit --time-format {self.reading.time_format!r}. Correct either."
            elif kind == TimeKind.UNREADABLE and has_no_order(text):
                said = self.reading.date_order
                order = f"--date-order {said}" if said else "the order of most other lines"
                what = f"has no such day in {order}. Correct the line, or say the order."
            return Problem(name, f"{show(text)} {what}")
        first = int(np.flatnonzero(self.kinds >= TimeKind.NAIVE)[0])
        if self.classes[row] == self.classes[first]:
            return None
        expected = _KIND_NAMES[TimeKind(self.kinds[first])]
        return Problem(
            name,
            f"{show(text)} is {_KIND_NAMES[kind]}, but line {self.lines[first]} has {expected}. "
            "Write all times of the file in one way.",
        )

    def _price_problem(self, row: int, values: list[float]) -> Problem | None:
        dialect, cells = self.dialect, self.rows[row]
        for position, value in zip(dialect.prices, values, strict=True):
            if not 0 < value < np.inf:
                what = _price_problem(cells[position], value, self.style.decimal)
                return Problem(dialect.names[position], what)
        broken = broken_order(values)
        if not broken:
            return None
        high_or_low, other = broken
        here, there = dialect.prices[high_or_low], dialect.prices[other]
        side = "below" if high_or_low == 1 else "above"
        return Problem(
            dialect.names[here],
            f"{show(cells[here])} is {side} {PRICES[other]} (column "
            f'"{dialect.names[there]}": {show(cells[there])}). Correct or remove the line.',
        )


def _width(cells: list[str], width: int) -> int:
    """How many cells there are; empty ones too many at the end, as some programs write, apart."""
    count = len(cells)
    while count > width and not cells[count - 1].strip():
        count -= 1
    return count


def style_notes(style: NumberStyle) -> list[str]:
    """What the reading of the numbers assumed, for a person."""
    example = f"1{style.thousands}234{style.decimal}5"
    if style.thousands:
        return [f"thousands separators: {example} is read as 1234.5"]
    return ["decimal commas: 1,25 is read as 1.25"] if style.decimal == "," else []


def _zone_problem(text: str) -> str:
    zone = text.split()[-1].strip("()")
    if zone.isalpha() and zone.isupper() and len(zone) <= 5:
        return (
            f"has a time zone ({zone}) that may mean several or none. Say which one it is, for "
            "example --time-zone America/Chicago, or write offsets such as -06:00."
        )
    return f"has a time zone that is not known; {zone_hint(zone)}, or write offsets such as -06:00."


def broken_order(prices: list[float]) -> tuple[int, int] | None:
    """The first pair of (Open, High, Low, Close) that contradict each other, as positions.

    What the rounding of a last digit explains is no contradiction.
    """
    for other in (0, 3, 2):
        if prices[1] * (1 + ROUNDING) < prices[other]:
            return 1, other
    for other in (0, 3):
        if prices[2] * (1 - ROUNDING) > prices[other]:
            return 2, other
    return None


def _price_problem(cell: str, value: float, decimal: str) -> str:
    text = cell.strip()
    if text.lower() in _MISSING:
        shown = f"it says {show(text)}" if text else "the cell is empty"
        return f"the price is missing ({shown}). Fill it in or remove the line."
    if text.lower().lstrip("+-") in _INFINITE or value == np.inf:
        return f"{show(text)} is not a finite price. Correct it or remove the line."
    if value <= 0:
        return (
            f"{show(text)} is not above zero, and a price must be. Correct it or remove the line."
        )
    if _GROUPED.fullmatch(text):
        mark = "comma" if decimal == "," else "point"
        return (
            f"{show(text)} is not a plain number. Remove thousands separators, and write "
            f"decimals with a {mark} in the whole file."
        )
    return f"{show(text)} is not a number. Correct it or remove the line."
