"""Time zones by name, and times of day in them as moments."""

import difflib
import zoneinfo
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

Int64 = npt.NDArray[np.int64]

#: Abbreviations that zoneinfo does not have, and that mean one offset wherever prices are made,
#: in hours. CST, IST, BST, AST, PST, MSK and others mean several, or were moved: refused.
_ABBREVIATIONS = {
    name: hours
    for hours, names in {
        -7: "PDT", -6: "MDT", -5: "CDT", -4: "EDT", 1: "WEST", 2: "CEST", 3: "EEST",
        8: "HKT SGT", 9: "JST KST", 10: "AEST", 11: "AEDT", 12: "NZST", 13: "NZDT",
    }.items()
    for name in names.split()
}  # fmt: skip
_UNUSABLE = ("right/", "posix/", "localtime", "Factory", "posixrules")


class Local(IntEnum):
    """What became of a local time."""

    FOUND = 0
    TWICE = 1  # the clocks went back over it, and nothing tells which of the two it is
    NEVER = 2  # the clocks went forward over it
    OTHER_NAME = 3  # the zone has another abbreviation then


def fixed_offset(name: str) -> int | None:
    """Seconds east of UTC that an abbreviation such as EDT means; None if it is none."""
    hours = _ABBREVIATIONS.get(name.upper())
    return None if hours is None else hours * 3600


def zone_of(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone of this name; None if there is none."""
    if name.startswith(_UNUSABLE):
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_hint(name: str) -> str:
    """What to write in place of a name that is none."""
    names = sorted(zoneinfo.available_timezones())
    lower = {known.lower(): known for known in names}
    lower |= {known.lower().rsplit("/", 1)[-1]: known for known in names}
    close = difflib.get_close_matches(name.lower().replace(" ", "_"), lower, n=1, cutoff=0.8)
    return f'did you mean "{lower[close[0]]}"?' if close else "write it as in America/New_York"


def to_utc(
    local: Int64, zone: zoneinfo.ZoneInfo, *, abbreviation: str | None = None
) -> tuple[Int64, npt.NDArray[np.uint8]]:
    """Local times as moments.

    A time that the clocks went back over is told by the order of the rows: before the rows of
    that hour go back in time it is the first one, after it the second.

    Parameters
    ----------
    local : ndarray of int64, shape (n,)
        Nanoseconds since 1970-01-01 on the zone's clocks, in the order of the rows.
    zone : ZoneInfo
    abbreviation : str, optional
        That the zone has to have at these times, such as EDT.

    Returns
    -------
    nanoseconds : ndarray of int64, shape (n,)
        In UTC.
    states : ndarray of uint8, shape (n,)
        Values of `Local`.
    """
    index = pd.DatetimeIndex(local.view("datetime64[ns]"))
    first, second = (
        index.tz_localize(zone, ambiguous=np.full(len(index), dst), nonexistent="NaT")
        for dst in (True, False)
    )
    states = np.where(first.isna(), Local.NEVER, Local.FOUND).astype(np.uint8)
    moments = first.asi8.copy()
    if abbreviation is not None:
        names = [np.array(side.strftime("%Z"), object) == abbreviation for side in (first, second)]
        moments[~names[0]] = second.asi8[~names[0]]
        states[~names[0] & ~names[1] & (states == Local.FOUND)] = Local.OTHER_NAME
        return moments, states
    twice = first.asi8 != second.asi8
    if twice.any():
        _tell_apart(local, moments, second.asi8, states, np.flatnonzero(twice))
    return moments, states


def _tell_apart(
    local: Int64, moments: Int64, second: Int64, states: npt.NDArray[np.uint8], rows: Int64
) -> None:
    """Decide by the order of the rows which of two moments each local time is."""
    hours = np.flatnonzero(np.diff(local[rows] // (24 * 3600 * 10**9), prepend=np.int64(-(2**40))))
    forward = local[-1] >= local[0]
    for hour in np.split(rows, hours[1:]):
        ordered = hour if forward else hour[::-1]
        back = np.flatnonzero(np.diff(local[ordered]) <= 0)
        if len(back) == 1:
            later = ordered[back[0] + 1 :]
            moments[later] = second[later]
        else:
            states[hour] = Local.TWICE
