"""Times as numbers: epochs, and days and times of day written as one number.

Epochs: the unit follows from the size: below 10¹¹ seconds, below 10¹⁴ milliseconds, below 10¹⁷
microseconds, otherwise nanoseconds. Read as any other unit the number would lie before March 1973
or after the year 5000. Numbers below 10⁸ are no epochs, so that eight digits can mean a date. Ten,
twelve, fourteen and seventeen digits that are days and times of the 20th or 21st century are those
(2024010209, 202401020930), where most of the column is.

What may as well be something else is not read: eighteen digits, which are nanoseconds of before
2001 or what Windows and .NET count, and epochs that keep to no minute while all of them spell a
day with the year last or in two digits (2401020930). `--time-format` says what they are.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bigbar.data.clocks import NS_PER_SECOND, Clock, read_digits
from bigbar.data.days import days_since_1970
from bigbar.data.reading import EPOCH_UNITS
from bigbar.data.time_zones import Int64

TimeKinds = npt.NDArray[np.uint8]

NS_PER_DAY = 86_400 * NS_PER_SECOND
# datetime64[ns] ends on 1677-09-21 and 2262-04-11; a whole second of room keeps sums inside.
_MAX_SECONDS = (2**63 - 1) // NS_PER_SECOND - 1
MAX_NS = _MAX_SECONDS * NS_PER_SECOND
MAX_DAYS = _MAX_SECONDS // 86_400 - 1

#: September 2001. Ticks of .NET are 6.2 to 6.6 × 10¹⁷ nowadays, those of Windows 1.2 to 1.5.
_LEAST_NS = 10**18
#: Digits of days and times that the year does not begin with all its four, the last part first.
_OTHER_DAYS = {
    digits: [{part: 4 if part == "Y" else 2 for part in reversed(form)} for form in forms]
    for digits, forms in {
        10: ("ymdHM", "dmyHM", "mdyHM", "dmYH", "mdYH"),
        12: ("ymdHMS", "dmyHMS", "mdyHMS", "dmYHM", "mdYHM"),
    }.items()
}


class TimeKind(IntEnum):
    """What a time cell turned out to be; those below NAIVE cannot be used."""

    UNREADABLE = 0
    DAY_OR_MONTH = 1
    OUT_OF_RANGE = 2
    CLOCK = 3  # the day can be read, the time of day cannot
    CLOCKS_DIFFER = 4  # the column of days has a time of day, and it is another one
    ZONE = 5
    TWICE = 6
    NEVER = 7
    OTHER_NAME = 8
    TICKS = 9  # epoch nanoseconds of before 2001, or 100 nanoseconds since the year 1 or 1601
    SHORT_YEAR = 10  # an epoch, or a day with a year of two digits and a time of day
    NAIVE = 20
    OFFSET = 21
    EPOCH_S = 22
    EPOCH_MS = 23
    EPOCH_US = 24
    EPOCH_NS = 25


def moments_of_numbers(values: Int64) -> tuple[Int64, TimeKinds]:
    """Nanoseconds and kinds of a column of whole numbers."""
    kinds = np.full(len(values), TimeKind.UNREADABLE, np.uint8)
    nanoseconds = np.zeros(len(values), np.int64)
    bounds = (10**8, 10**11, 10**14, 10**17, 2**63 - 1)
    for unit, (low, high) in enumerate(pairwise(bounds)):
        here = (values >= low) & (values < high)
        scale = 1000 ** (3 - unit)
        inside = here & (values <= MAX_NS // scale)
        kinds[here] = TimeKind.OUT_OF_RANGE
        kinds[inside] = TimeKind.EPOCH_S + unit
        nanoseconds[inside] = values[inside] * scale
    _calendar_numbers(values, nanoseconds, kinds)
    kinds[(kinds == TimeKind.EPOCH_NS) & (values < _LEAST_NS)] = TimeKind.TICKS
    _refuse_other_days(values, kinds)
    nanoseconds[kinds < TimeKind.NAIVE] = 0
    return nanoseconds, kinds


def _refuse_other_days(values: Int64, kinds: TimeKinds) -> None:
    """Mark epochs that are more likely days with the year last, or in two digits.

    Bars begin at whole minutes, and numbers that spell days and times hardly ever are multiples of
    sixty; numbers that are seconds hardly ever all spell days and times.
    """
    for kind, digits, minute in ((TimeKind.EPOCH_S, 10, 60), (TimeKind.EPOCH_MS, 12, 60_000)):
        if len(values) < 2 or (kinds == TimeKind.NAIVE).any():
            return
        if values.min() < 10 ** (digits - 2) or values.max() >= 10**digits:
            continue
        steps = np.diff(values)
        ordered = (steps >= 0).all() or (steps <= 0).all()
        if (kinds == kind).all() and ordered and not (values % minute).any():
            continue
        if any(_all_spell(values, form) for form in _OTHER_DAYS[digits]):
            kinds[:] = TimeKind.SHORT_YEAR


def _all_spell(values: Int64, form: Mapping[str, int]) -> bool:
    """Whether all numbers are days and times, of parts with so many digits from the last one on."""
    bounds = {"S": (0, 59), "M": (0, 59), "H": (0, 23), "d": (1, 31), "m": (1, 12)}
    bounds |= {"Y": (1900, 2100), "y": (0, 99)}
    rest = values
    for part, digits in form.items():
        found, rest = rest % 10**digits, rest // 10**digits
        if found.min() < bounds[part][0] or found.max() > bounds[part][1]:
            return False
    return True


def _calendar_numbers(values: Int64, nanoseconds: Int64, kinds: TimeKinds) -> None:
    """Take numbers such as 20240102 and 202401020930 for the days and times that they spell."""
    for digits in (8, 10, 12, 14, 17):
        low, high = 1900 * 10 ** (digits - 4), 2101 * 10 ** (digits - 4)
        if digits == 8:  # nothing else has eight digits
            low, high = 10**7, 10**8
        rows = np.flatnonzero((values >= low) & (values < high))
        if not len(rows):
            continue
        texts = [str(value) for value in values[rows].tolist()]
        read = [_spelled(text) for text in texts]
        found = np.array([moment is not None for moment in read])
        if digits in (10, 12) and found.mean() <= 0.5:
            continue
        kinds[rows] = TimeKind.UNREADABLE
        kinds[rows[found]] = TimeKind.NAIVE
        nanoseconds[rows[found]] = [moment for moment in read if moment is not None]


def _spelled(text: str) -> int | None:
    """Nanoseconds that YYYYMMDD and a clock without marks mean, or None."""
    day = days_since_1970(int(text[:4]), int(text[4:6]), int(text[6:8]))
    rest = text[8:]
    clock = read_digits([Clock(None, digits=rest)])[rest] if rest else 0  # of 2, 4, 6 or 9
    if day is None or clock is None or abs(day) > MAX_DAYS:
        return None
    return day * NS_PER_DAY + clock


def moments_of_digits(found: list[tuple[str, str]]) -> tuple[Int64, TimeKinds]:
    """Nanoseconds and kinds of whole numbers and the digits after their point, as texts."""
    # What no int64 holds is as much out of range as its greatest.
    greatest = 2**63 - 2
    values = np.array(
        [min(int(whole), greatest) if len(whole) < 20 else greatest for whole, _ in found], np.int64
    )
    nanoseconds, kinds = moments_of_numbers(values)
    for row, (_, fraction) in enumerate(found):
        if fraction.strip("0") and kinds[row] < TimeKind.EPOCH_S:
            kinds[row] = TimeKind.UNREADABLE
        elif fraction and kinds[row] >= TimeKind.EPOCH_S:
            scale = 1000 ** int(TimeKind.EPOCH_NS - kinds[row])
            # A fraction finer than a nanosecond is cut off: no file means it.
            nanoseconds[row] += int(fraction.ljust(9, "0")) * scale // NS_PER_SECOND
    return nanoseconds, kinds


def epochs_of_unit(cells: list[str], unit: str) -> tuple[Int64, TimeKinds]:
    """Epochs of a unit that the user named."""
    nanoseconds = np.zeros(len(cells), np.int64)
    kinds = np.zeros(len(cells), np.uint8)
    scale, found = EPOCH_UNITS[unit], TimeKind.EPOCH_S + list(EPOCH_UNITS).index(unit)
    for row, cell in enumerate(cells):
        match = re.fullmatch(r"(-?\d{1,25})(?:\.(\d{1,9}))?", cell, re.ASCII)
        if match:
            value = int(match[1]) * scale + int((match[2] or "").ljust(9, "0")) * scale // 10**9
            inside = abs(value) <= MAX_NS
            nanoseconds[row] = value if inside else 0
            kinds[row] = found if inside else TimeKind.OUT_OF_RANGE
    return nanoseconds, kinds
