"""What a price file's layout is found to be: where its columns are, and how cells are spelled."""

import re
from dataclasses import dataclass, replace

from bigbar.data.names import zone_in
from bigbar.data.reading import Reading

NO_VOLUME = "no volume column: Volume is empty"

_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+\s*", re.ASCII)
NUMBER_SHAPE = re.compile(r"\s*[-+$€£¥₹]*\d*[.,]?\d+([.,]\d+)*\.?([eE][-+]?\d+)?\s*", re.ASCII)


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
    more_times : tuple of int
        Other columns that hold whole times; they have to agree with `times`.
    digits : bool
        Whether the times of day have no marks, so that zeros in front count.
    example : str
        The first time as it is written.
    finer : tuple of int or None
        Positions of the columns of minutes and of seconds.
    joined : bool
        Whether those belong to the clock column, which has hours; otherwise they have to agree.
    zone : int or None
        Position of the column that says the offset or the zone of times that have none.
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
    more_times: tuple[int, ...] = ()
    digits: bool = False
    example: str = ""
    finer: tuple[int | None, int | None] = (None, None)
    joined: bool = False
    zone: int | None = None

    @property
    def ignored(self) -> tuple[int, ...]:
        """Positions of the columns that are not read."""
        used = {*self.times, *self.prices, self.volume, self.zone}
        used |= set(self.finer) if self.joined else set()
        return tuple(i for i in range(len(self.names)) if i not in used)


def has_digits(times: tuple[int, ...], first: list[str]) -> bool:
    return len(times) == 2 and times[1] < len(first) and first[times[1]].strip().isdigit()


def column_notes(dialect: Dialect, reading: Reading) -> tuple[str, ...]:
    ignored = [dialect.names[i] for i in dialect.ignored if dialect.names[i]]
    notes = []
    if ignored:
        plural = "s" if len(ignored) > 1 else ""
        notes.append(f"ignored column{plural}: {', '.join(ignored)}")
    if dialect.volume is None:
        notes.append(NO_VOLUME)
    for position in dialect.times:
        zone = zone_in(dialect.names[position])
        if zone and reading.time_zone is None:
            notes.append(
                f'column "{dialect.names[position]}": the times stay as written; --time-zone says '
                "which zone they are in"
            )
    return tuple(notes)


def is_blank(cells: list[str]) -> bool:
    """Whether these are the cells of a line that holds nothing but white space."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


def with_decimal(dialect: Dialect, first: list[str]) -> Dialect:
    """The dialect with the decimal mark that the first row's prices use."""
    if dialect.delimiter == ",":
        return dialect
    cells = [first[i] for i in dialect.prices if i < len(first)]
    comma = any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    return replace(dialect, decimal=",") if comma and not any("." in c for c in cells) else dialect
