"""Columns beside the times that say their zone, and finer columns of their clocks."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bigbar.data.epochs import TimeKind, TimeKinds
from bigbar.data.reading import Reading
from bigbar.data.time_zones import Int64
from bigbar.data.times import apply_zone
from bigbar.errors import DataError

_WHOLE = re.compile(r"([-+]?)(\d{1,5})(?:\.0*)?", re.ASCII)
_PART = re.compile(r"\d{1,2}(?:\.0*)?", re.ASCII)
_HOUR = re.compile(r"\d{1,2}", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_NS_PER_SECOND = 10**9


def with_zones(
    nanoseconds: Int64, kinds: TimeKinds, zones: Sequence[str], reading: Reading
) -> tuple[Int64, TimeKinds]:
    """Times without offset turned into UTC by what a column beside them says, row by row.

    Parameters
    ----------
    nanoseconds, kinds : ndarrays, shape (n,)
    zones : sequence of str, length n
        Offsets such as -05:00 and -5, in seconds such as -18000, or names of time zones.
    reading : Reading
    """
    nanoseconds, kinds = nanoseconds.copy(), kinds.copy()
    codes, unique = pd.factorize(np.array([zone.strip() for zone in zones], object))
    for code, zone in enumerate(unique):
        rows = np.flatnonzero((codes == code) & (kinds == TimeKind.NAIVE))
        spelled = _spelled(zone)
        if spelled is None:
            kinds[rows] = TimeKind.ZONE
        else:
            apply_zone(nanoseconds, kinds, rows, spelled, reading)
    nanoseconds[kinds < TimeKind.NAIVE] = 0
    return nanoseconds, kinds


def _spelled(zone: str) -> str | None:
    """An offset as +HH:MM where it is a number of hours or of seconds; None if it is neither."""
    match = _WHOLE.fullmatch(zone)
    if not match:
        return zone or None
    sign, value = match[1] or "+", int(match[2])
    if match[1] and len(match[2]) == 4:  # -0500
        return zone
    if value <= 14:
        return f"{sign}{value:02}:00"
    if value % 900 or not 3600 <= value <= 14 * 3600:
        return None
    return f"{sign}{value // 3600:02}:{value // 60 % 60:02}"


def with_parts(clocks: Sequence[str], minutes: Sequence[str], seconds: Sequence[str]) -> list[str]:
    """Times of day of an hour, a minute and a second in columns of their own.

    Parameters
    ----------
    clocks : sequence of str, length n
        Hours, or whole times of day; those that have minutes are left as they are.
    minutes, seconds : sequence of str, length n or 0

    Returns
    -------
    list of str
        What cannot be put together stands with a plus between, to be refused.
    """
    hours = [clock.strip() for clock in clocks]
    more = [[cell.strip() for cell in column] for column in (minutes, seconds) if column]
    whole = [_CLOCK.fullmatch(hour) for hour in hours]
    own = any(match and (int(match[2]) or int(match[3] or 0)) for match in whole)
    found = []
    for row, hour in enumerate(hours):
        cells = [column[row] for column in more]
        match = whole[row]
        if not all(_PART.fullmatch(cell) for cell in cells) or not (match or _HOUR.fullmatch(hour)):
            found.append(" + ".join([hour, *cells]))
            continue
        minute = int(float(minutes[row])) if minutes else int(match[2]) if match else 0
        second = int(float(seconds[row])) if seconds else int(match[3] or 0) if match else 0
        told = (int(match[2]), int(match[3] or 0)) if match else (0, 0)
        if own and told != (minute, second if seconds else told[1]):
            found.append(" + ".join([hour, *cells]))
        else:
            found.append(f"{match[1] if match else hour}:{minute:02}:{second:02}")
    return found


def refuse_finer(
    times: Int64,
    finer: Sequence[tuple[str, int, Sequence[str]]],
    place: Callable[[int], str],
) -> None:
    """Refuse columns of minutes and seconds that are not read and say what the times do not.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        Nanoseconds on the clock that the file is written by.
    finer : sequence of tuple
        The name of each column, how many seconds one of it is, and its cells.
    place : callable
        Names the row at a position.

    Raises
    ------
    DataError
        The message begins in the middle of a sentence.
    """
    for name, scale, cells in finer:
        own = times // (scale * _NS_PER_SECOND) % 60
        values = pd.to_numeric(pd.Series(list(cells), dtype=object), errors="coerce").to_numpy(
            np.float64
        )
        values = np.where([str(cell).strip() in ("", "nan") for cell in cells], 0.0, values)
        wrong = np.flatnonzero(values != own)
        if len(wrong) and (values != 0).any():
            raise DataError(
                f'column "{name}" is not read, and says something else than the times, first in '
                f"{place(int(wrong[0]))}. Remove it, or name the columns that are right: --columns "
                "time=…"
            )
