"""Which of the columns that speak of time are to be read: by what they hold, then by name."""

from bigbar.data.clocks import parse_clock
from bigbar.data.epochs import TimeKind
from bigbar.data.names import Found, says_utc
from bigbar.data.reading import Reading
from bigbar.data.times import parse_time, read_times


def time_columns(
    names: list[str], found: Found, first: list[str], reading: Reading
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The one or two columns that hold the time, and others that hold whole times.

    What a column holds counts more than its name: `Timestamp` may hold times of day, `DateTime`
    may hold days.
    """
    cells = [cell.strip() for cell in first] + [""] * len(names)
    if found.time_given:
        return found.times, ()
    if reading.time_format is not None:
        return _time_by_format(found, cells, reading), ()
    points = [i for i in found.times if parse_time(cells[i])[1] != TimeKind.UNREADABLE]
    clocks = [
        i for i in found.times if i not in points and (i in found.clocks or is_clock(cells[i]))
    ]
    whole = [i for i in points if not is_day(cells[i])]
    # One that says where it is valid goes before one that does not.
    whole.sort(key=lambda i: (parse_time(cells[i])[1] < TimeKind.OFFSET, not says_utc(names[i])))
    if whole and not clocks:
        return (whole[0],), tuple(i for i in points if i != whole[0])
    if whole and parse_time(cells[whole[0]])[1] >= TimeKind.EPOCH_S:
        return (whole[0],), tuple(i for i in whole[1:])
    if points and clocks:
        return ((whole or points)[0], clocks[0]), ()
    if found.times:
        return ((points or list(found.times))[0],), ()
    if not names[0] and parse_time(cells[0])[1] != TimeKind.UNREADABLE:
        return (0,), ()
    return (), ()


def _time_by_format(found: Found, cells: list[str], reading: Reading) -> tuple[int, ...]:
    for position in found.times:
        if parse_time(cells[position], reading)[1] >= TimeKind.NAIVE:
            return (position,)
    for day in found.times:
        for clock in found.times:
            pair = [[cells[day]], [cells[clock]]]
            if day != clock and read_times(pair, reading)[1][0] >= TimeKind.NAIVE:
                return (day, clock)
    return found.times[:1]


def is_clock(cell: str) -> bool:
    """Whether a cell holds a time of day and nothing else."""
    clock = parse_clock(" ".join(cell.split())) if cell else None
    return clock is not None and len(clock.digits) <= 6


def is_day(cell: str) -> bool:
    """Whether a time that can be read may stand for its day alone."""
    nanoseconds, kind = parse_time(cell)
    if kind == TimeKind.DAY_OR_MONTH:
        return ":" not in cell
    return kind in (TimeKind.NAIVE, TimeKind.OFFSET) and (
        ":" not in cell or nanoseconds % 86_400_000_000_000 == 0
    )
