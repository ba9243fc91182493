"""Times of day as price files write them: 09:30, 9:30 AM, 930, 93000, 03-PM, 24:00, 09:30Z."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

NS_PER_SECOND = 1_000_000_000

_ZONE = (
    r"(?P<zone>Z|(?:UTC|GMT)?[-+]\d{1,2}(?::?\d\d)?"
    r"|[A-Z][A-Z0-9_+-]*(?:/[A-Z0-9_+-]+)*|\([A-Z0-9_+-]+(?:/[A-Z0-9_+-]+)*\))"
)
_CLOCK = re.compile(
    r"(?:0 days? )?"
    r"(?:(?P<hour>\d{1,2})(?P<mark>[:.])(?P<minute>\d\d)(?:(?P=mark)(?P<second>\d\d)"
    r"(?:[.,](?P<fraction>\d{1,9}))?)?|(?P<digits>\d{1,9})(?:[.,](?P<fraction2>\d{1,9}))?)"
    r"(?:\s?-?(?P<half>[AP])\.?M\.?(?![A-Z/_]))?"
    rf"(?:\s?{_ZONE})?",
    re.ASCII | re.IGNORECASE,
)
_OFFSET = re.compile(r"(?:UTC|GMT)?([-+])(\d{1,2})(?::?(\d\d))?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Clock:
    """A time of day, or digits that only the whole column tells how to read.

    Attributes
    ----------
    nanoseconds : int or None
        Since midnight; None where `digits` are to be read.
    zone : str
        As written after it; empty if nothing is.
    digits : str
        Such as 930 or 93000.
    dotted : bool
        Whether it is written as 9.30, which may be nine and three tenths of an hour.
    """

    nanoseconds: int | None
    zone: str = ""
    digits: str = ""
    half: str = ""
    dotted: bool = False


@lru_cache(maxsize=1 << 16)
def parse_clock(text: str) -> Clock | None:
    """Read a time of day; None if it is none, nothing written is midnight."""
    if not text:
        return Clock(0)
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    half = (match["half"] or "").lower()
    zone = (match["zone"] or "").strip("()")
    digits = match["digits"]
    if digits is None:
        second, fraction = int(match["second"] or 0), match["fraction"]
        time = _nanoseconds(int(match["hour"]), int(match["minute"]), second, fraction, half)
        dotted = match["mark"] == "." and match["second"] is None
        return None if time is None else Clock(time, zone, dotted=dotted)
    if match["fraction2"]:  # only seconds have one
        time = _of_digits(digits, 6, match["fraction2"], half) if len(digits) in (5, 6) else None
    elif half and len(digits) <= 2:
        time = _nanoseconds(int(digits), 0, 0, None, half)
    else:
        return Clock(None, zone, digits, half)
    return None if time is None else Clock(time, zone)


def read_digits(clocks: Iterable[Clock]) -> Mapping[str, int | None]:
    """Nanoseconds of all digits of a column, by their text and half of the day.

    Programs that take 000500 for a number leave 500. The widest of the column tells what they
    were: up to two digits are hours, up to four hours and minutes, up to six with seconds, nine
    with milliseconds.
    """
    found = list(dict.fromkeys((clock.digits, clock.half) for clock in clocks if clock.digits))
    widest = max((len(digits) for digits, _ in found), default=0)
    width = next(width for width in (2, 4, 6, 9) if width >= widest)
    return {digits + half: _of_digits(digits, width, None, half) for digits, half in found}


def are_tenths(clocks: Iterable[Clock]) -> bool:
    """Whether 9.25 and 9.50 in a column may as well be quarters of hours."""
    dotted = [clock.nanoseconds for clock in clocks if clock.dotted and clock.nanoseconds]
    minutes = {nanoseconds // NS_PER_SECOND // 60 % 60 for nanoseconds in dotted}
    return bool(minutes - {0}) and minutes <= {0, 25, 50}


def offset_of(zone: str) -> int | None:
    """Seconds east of UTC that `+02:00`, `GMT+0200`, `Z` or UTC mean; None if it is a name."""
    if zone.upper() in ("Z", "UTC", "GMT"):
        return 0
    match = _OFFSET.fullmatch(zone)
    if not match or int(match[2]) > 23 or int(match[3] or 0) > 59:
        return None
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    return -seconds if match[1] == "-" else seconds


def _of_digits(digits: str, width: int, fraction: str | None, half: str) -> int | None:
    if len(digits) > width:
        return None
    text = digits.zfill(width)
    if width == 9:
        fraction = text[6:]
    return _nanoseconds(int(text[:2]), int(text[2:4] or 0), int(text[4:6] or 0), fraction, half)


def _nanoseconds(
    hour: int, minute: int, second: int, fraction: str | None, half: str
) -> int | None:
    """Nanoseconds since midnight; None if there is no such time of day."""
    part = int((fraction or "").ljust(9, "0"))
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    elif half and (half == "p") != (hour > 12):  # 13:00 PM is clear, 0:30 PM is not
        return None
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second or part)):
        return None
    return ((hour * 60 + minute) * 60 + second) * NS_PER_SECOND + part
