"""The layout of a price file that begins with a bar, without names of its columns."""

from dataclasses import replace

from bigbar.data.epochs import TimeKind
from bigbar.data.layout import (
    NO_VOLUME,
    NUMBER_SHAPE,
    Dialect,
    column_notes,
    has_digits,
    with_decimal,
)
from bigbar.data.names import PRICES, find_columns
from bigbar.data.reading import Reading
from bigbar.data.time_columns import is_clock, is_day
from bigbar.data.times import parse_time, read_times
from bigbar.errors import DataError


def headerless(cells: list[str], delimiter: str, reading: Reading) -> Dialect | None:
    """The layout of a file that begins with a bar; None if this is none.

    Time (or date, clock), open, high, low, close and volume, or as the user says.
    """
    if reading.columns:
        return _headerless_as_said(cells, delimiter, reading)
    # Days that may be months are let in here, to be refused with their own explanation.
    clock = len(cells) > 5 and _is_day_and_clock(cells, reading)
    if not clock and parse_time(cells[0], reading)[1] == TimeKind.UNREADABLE:
        return None
    labels = ["date", "time"] if clock else ["time"]
    shift = len(labels)
    rest = cells[shift:]
    if len(rest) < 4 or not all(NUMBER_SHAPE.fullmatch(cell) for cell in rest[:4]):
        return None
    labels += [*PRICES, "Volume"][: len(rest)]
    labels += ["ignored"] * (len(cells) - len(labels))
    names = tuple(f"column {i} ({label})" for i, label in enumerate(labels, 1))
    prices = tuple(range(shift, shift + 4))
    volume = shift + 4 if len(rest) > 4 else None
    notes = [f"no header: columns read as {', '.join(label.lower() for label in labels)}"]
    if volume is None:
        notes.append(NO_VOLUME)
    times = tuple(range(shift))
    dialect = Dialect(
        delimiter, ".", names, times, prices, volume, 0, 1, tuple(notes),
        digits=has_digits(times, cells), example=cells[0],
    )  # fmt: skip
    return with_decimal(dialect, cells)


def _is_day_and_clock(cells: list[str], reading: Reading) -> bool:
    """Whether a row begins with a day and a time of day rather than with a time and a price."""
    day, clock = cells[:2]
    if reading.time_format is not None:
        return read_times([[day], [clock]], reading)[1][0] >= TimeKind.NAIVE
    if not is_day(day) or not is_clock(clock):
        return False
    # Digits may be a price: 0930 is none if as prices the cells contradict each other.
    return not clock.isdigit() or (not _may_be_prices(cells[1:5]) and _may_be_prices(cells[2:6]))


def _may_be_prices(cells: list[str]) -> bool:
    try:
        open_, high, low, close = (float(cell.replace(",", ".")) for cell in cells)
    except ValueError:
        return False
    return low <= min(open_, close) and high >= max(open_, close)


def _headerless_as_said(cells: list[str], delimiter: str, reading: Reading) -> Dialect | None:
    """The layout where the user gave the numbers of the columns."""
    names = tuple(f"column {i}" for i in range(1, len(cells) + 1))
    try:
        found = find_columns(names, reading.columns)
    except DataError:
        return None
    if len(found.prices) < len(PRICES) or not found.times:
        return None
    if not all(NUMBER_SHAPE.fullmatch(cells[i]) for i in found.prices.values()):
        return None
    dialect = Dialect(
        delimiter, ".", names, found.times, tuple(found.prices[name] for name in PRICES),
        found.volume, 0, 1, digits=has_digits(found.times, cells),
        example=cells[found.times[0]],
    )  # fmt: skip
    return with_decimal(replace(dialect, notes=column_notes(dialect, reading)), cells)
