"""Columns of times as text, and the moments they mean."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bigbar.data.clocks import NS_PER_SECOND, are_tenths, offset_of, parse_clock, read_digits
from bigbar.data.days import Unordered, parse_day, settle_order, split_stamp
from bigbar.data.epochs import (
    MAX_DAYS,
    MAX_NS,
    NS_PER_DAY,
    TimeKind,
    TimeKinds,
    epochs_of_unit,
    moments_of_digits,
    moments_of_numbers,
)
from bigbar.data.reading import AS_FOUND, EPOCH_UNITS, Reading
from bigbar.data.time_zones import Int64, Local, fixed_offset, to_utc, zone_of

_EPOCH = re.compile(r"(\d{8,})(?:\.(\d{1,9}))?", re.ASCII)
_OF_LOCAL = {
    Local.TWICE: TimeKind.TWICE,
    Local.NEVER: TimeKind.NEVER,
    Local.OTHER_NAME: TimeKind.OTHER_NAME,
}


def parse_time(text: str, reading: Reading = AS_FOUND) -> tuple[int, TimeKind]:
    """Read one time.

    Returns
    -------
    nanoseconds : int
        Since 1970-01-01; in UTC where the text has an offset. 0 if it cannot be read.
    kind : TimeKind
        What the text is.
    """
    nanoseconds, kinds = read_times([[text]], reading)
    return int(nanoseconds[0]), TimeKind(kinds[0])


def read_times(
    columns: Sequence[Sequence[str]], reading: Reading = AS_FOUND
) -> tuple[Int64, TimeKinds]:
    """Read a column of times, or a column of days and one of times of day.

    Parameters
    ----------
    columns : sequence of 1 or 2 sequences of str, length n
        In the order of the rows.
    reading : Reading, optional

    Returns
    -------
    nanoseconds : ndarray of int64, shape (n,)
    kinds : ndarray of uint8, shape (n,)
        Values of `TimeKind`.
    """
    texts = [[" ".join(cell.split()) for cell in column] for column in columns]
    if reading.time_format is not None:
        cells = [" ".join(row) for row in zip(*texts, strict=True)]
        if reading.time_format in EPOCH_UNITS:
            return epochs_of_unit(cells, reading.time_format)
        return in_zone(*_by_format(cells, reading.time_format), reading)
    if len(texts) == 2:
        return _of_two(texts[0], texts[1], reading)
    cells = texts[0]
    epochs = [_EPOCH.fullmatch(cell) for cell in cells]
    nanoseconds = np.zeros(len(cells), np.int64)
    kinds = np.zeros(len(cells), np.uint8)
    rows = np.flatnonzero([match is not None for match in epochs])
    if len(rows):
        found = [(match[1], match[2] or "") for match in epochs if match]
        nanoseconds[rows], kinds[rows] = moments_of_digits(found)
    others = np.flatnonzero([match is None for match in epochs])
    if len(others):
        stamps = [cells[row] for row in others.tolist()]
        nanoseconds[others], kinds[others] = _of_stamps(stamps, reading)
    dates = rows[kinds[rows] == TimeKind.NAIVE]
    if len(dates):
        nanoseconds[dates], kinds[dates] = in_zone(nanoseconds[dates], kinds[dates], reading)
    return nanoseconds, kinds


def parse_epochs(values: Int64, reading: Reading = AS_FOUND) -> tuple[Int64, TimeKinds]:
    """`read_times` of one column of whole numbers."""
    return in_zone(*moments_of_numbers(values), reading)


def cast_times(texts: pa.Array) -> tuple[Int64, TimeKinds] | None:
    """`read_times` of one column, if all its cells are ISO 8601 of one kind: the fast way.

    Parameters
    ----------
    texts : pyarrow.Array of strings, shape (n,)
    """
    first = (texts[0].as_py() or "").strip() if len(texts) else ""
    kind = parse_time(first)[1]
    if kind not in (TimeKind.NAIVE, TimeKind.OFFSET) or not first[:4].isdigit() or len(first) < 9:
        return None
    if first[4] in "./":
        texts = pc.replace_substring(texts, first[4], "-", max_replacements=2)
    # Arrow's parser is exact and strict: it refuses cells with an offset in a column without and
    # the reverse, days that do not exist, and times that nanoseconds cannot hold.
    try:
        stamps = texts.cast(pa.timestamp("ns", "UTC" if kind == TimeKind.OFFSET else None))
    except pa.ArrowInvalid:
        return None  # another spelling, or a mistake: the slower way tells which
    if stamps.null_count or _may_have_wrapped(texts):
        return None
    return stamps.cast(pa.int64()).to_numpy(), np.full(len(texts), kind, np.uint8)


# Before 23 a time that nanoseconds cannot hold came back as another one, some centuries away.
_ARROW_WRAPS = int(pa.__version__.split(".")[0]) < 23


def _may_have_wrapped(texts: pa.Array) -> bool:
    """Whether a year of ISO texts is at the edge of what nanoseconds can hold, or beyond."""
    if not _ARROW_WRAPS:
        return False
    first, last = pc.min_max(texts).as_py().values()
    return not "1678" <= first[:4] <= last[:4] <= "2261"


# -------------------------------------------------------------------------------------- calendar


def _of_stamps(cells: list[str], reading: Reading) -> tuple[Int64, TimeKinds]:
    """Days with a time of day, or without, in one cell."""
    parts = [cell.partition(" ") for cell in cells]
    if all(split_stamp(day) == (day, "") for day in {day for day, _, _ in parts}):
        split = [(day, rest) for day, _, rest in parts]
    else:
        split = [split_stamp(cell) or ("", "") for cell in cells]
    return _moments([day for day, _ in split], [rest for _, rest in split], reading)


def _of_two(cells: list[str], texts: list[str], reading: Reading) -> tuple[Int64, TimeKinds]:
    """Days in one column, which may have a time of day as well, and times of day in another."""
    known = {cell: split_stamp(cell) or ("", "") for cell in dict.fromkeys(cells)}
    days, own = [known[cell][0] for cell in cells], [known[cell][1] for cell in cells]
    if not any(texts):
        return _moments(days, own, reading)
    clocks = [text or "missing" for text in texts]
    midnights = _Clocks(own)
    if not midnights.wrong.any() and not midnights.times.any():
        if any(midnights.zones):
            zones = midnights.zones[midnights.codes]
            clocks = [f"{clock}{zone}" for clock, zone in zip(clocks, zones, strict=True)]
        return _moments(days, clocks, reading)
    nanoseconds, kinds = _moments(days, own, reading)
    there = _Clocks(clocks)
    differ = there.wrong[there.codes] | (
        there.times[there.codes] != midnights.times[midnights.codes]
    )
    kinds[(kinds >= TimeKind.NAIVE) & differ] = TimeKind.CLOCKS_DIFFER
    return nanoseconds, kinds


class _Clocks:
    """The different times of day of a column, and which of them each row has.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Positions in the others.
    times : ndarray of int64
        Nanoseconds since midnight.
    wrong : ndarray of bool
        Where they cannot be read.
    zones : ndarray of str
    """

    def __init__(self, texts: list[str]) -> None:
        self.codes, unique = pd.factorize(np.array(texts, object))
        clocks = [parse_clock(text) for text in unique]
        digits = read_digits(clock for clock in clocks if clock)
        tenths = are_tenths(clock for clock in clocks if clock)
        read = [
            None
            if clock is None or (tenths and clock.dotted)
            else digits[clock.digits + clock.half]
            if clock.digits
            else clock.nanoseconds
            for clock in clocks
        ]
        self.times = np.array([time or 0 for time in read], np.int64)
        self.wrong = np.array([time is None for time in read], bool)
        self.zones = np.array([clock.zone if clock else "" for clock in clocks], object)


def _moments(days: list[str], clocks: list[str], reading: Reading) -> tuple[Int64, TimeKinds]:
    """Days and times of day put together, zones included."""
    codes, unique = pd.factorize(np.array(days, object))
    numbers, kinds_of_days = _numbers_of_days(list(unique), reading)
    clock = _Clocks(clocks)
    kinds = kinds_of_days[codes]
    kinds[clock.wrong[clock.codes] & (kinds == TimeKind.NAIVE)] = TimeKind.CLOCK
    nanoseconds = numbers[codes] * NS_PER_DAY + clock.times[clock.codes]
    for zone in dict.fromkeys(clock.zones.tolist()):
        if zone:
            rows = np.flatnonzero((clock.zones[clock.codes] == zone) & (kinds == TimeKind.NAIVE))
            apply_zone(nanoseconds, kinds, rows, zone, reading)
    nanoseconds, kinds = in_zone(nanoseconds, kinds, reading)
    nanoseconds[kinds < TimeKind.NAIVE] = 0
    return nanoseconds, kinds


def _numbers_of_days(texts: list[str], reading: Reading) -> tuple[Int64, TimeKinds]:
    """Days since 1970 of the different days of a column, in the order of the rows."""
    parsed = [parse_day(text) if text else None for text in texts]
    unordered = [day for day in parsed if isinstance(day, Unordered)]
    order = reading.date_order or settle_order(unordered) or _best_order(unordered)
    numbers = np.zeros(len(texts), np.int64)
    kinds = np.full(len(texts), TimeKind.UNREADABLE, np.uint8)
    for i, day in enumerate(parsed):
        if isinstance(day, Unordered):
            if order is None:
                kinds[i] = TimeKind.DAY_OR_MONTH
                continue
            day = day.day(order)
        if day is not None:
            inside = abs(day) <= MAX_DAYS
            numbers[i] = day if inside else 0
            kinds[i] = TimeKind.NAIVE if inside else TimeKind.OUT_OF_RANGE
    return numbers, kinds


def _best_order(days: list[Unordered]) -> str | None:
    """Where a few cells contradict the rest: the order in which fewer of them are no days."""
    wrong = sorted((sum(day.day(order) is None for day in days), order) for order in ("dmy", "mdy"))
    return wrong[0][1] if 0 < wrong[0][0] < wrong[1][0] else None


def apply_zone(
    nanoseconds: Int64, kinds: TimeKinds, rows: Int64, zone: str, reading: Reading
) -> None:
    """Turn local times with a zone written after them into UTC, in place."""
    offset, named = offset_of(zone), zone_of(zone)
    if offset is None and reading.zone is not None and "/" not in zone:
        found = to_utc(nanoseconds[rows], reading.zone, abbreviation=zone.upper())
        _localize(nanoseconds, kinds, rows, found)
    elif offset is None and named is not None:
        _localize(nanoseconds, kinds, rows, to_utc(nanoseconds[rows], named))
    else:
        offset = fixed_offset(zone) if offset is None else offset
        kinds[rows] = TimeKind.ZONE if offset is None else TimeKind.OFFSET
        nanoseconds[rows] -= (offset or 0) * NS_PER_SECOND


def in_zone(nanoseconds: Int64, kinds: TimeKinds, reading: Reading) -> tuple[Int64, TimeKinds]:
    """Times without offset turned into UTC, if the user named their zone."""
    rows = np.flatnonzero(kinds == TimeKind.NAIVE) if reading.zone is not None else np.array([])
    if reading.zone is None or not len(rows):
        return nanoseconds, kinds
    nanoseconds, kinds = nanoseconds.copy(), kinds.copy()
    _localize(nanoseconds, kinds, rows, to_utc(nanoseconds[rows], reading.zone))
    return nanoseconds, kinds


def _localize(
    nanoseconds: Int64, kinds: TimeKinds, rows: Int64, found: tuple[Int64, TimeKinds]
) -> None:
    moments, states = found
    nanoseconds[rows] = moments
    kinds[rows] = [_OF_LOCAL.get(Local(state), TimeKind.OFFSET) for state in states.tolist()]


def _by_format(cells: list[str], time_format: str) -> tuple[Int64, TimeKinds]:
    """Times by the directives of `strptime`, exactly."""
    zoned = "%z" in time_format or "%Z" in time_format
    found = pd.to_datetime(pd.Series(cells), format=time_format, errors="coerce", utc=zoned)
    kinds = np.full(len(cells), TimeKind.OFFSET if zoned else TimeKind.NAIVE, np.uint8)
    moments = pd.DatetimeIndex(found)
    kinds[moments.isna()] = TimeKind.UNREADABLE
    limits = pd.Timestamp(-MAX_NS), pd.Timestamp(MAX_NS)
    bare = moments.tz_localize(None) if zoned else moments
    kinds[(bare < limits[0]) | (bare > limits[1])] = TimeKind.OUT_OF_RANGE
    usable = bare.where(kinds >= TimeKind.NAIVE, pd.Timestamp(0)).as_unit("ns")
    return usable.asi8.copy(), kinds
