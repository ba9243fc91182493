"""Days as price files write them, and whether the day or the month comes first."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise

#: Names of `--date-order`, and where year, month and day then stand.
ORDERS = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december", "sept"),
)
_MONTH = "|".join(sorted((*_LONG_MONTHS, *_MONTHS), key=len, reverse=True))
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"

#: A day at the beginning of a text, and what follows it.
_HEAD = re.compile(
    _WEEKDAY + r"(?P<day>\d{4}(?P<mark>[-/.])\d{1,2}(?P=mark)\d{1,2}|\d{8}"
    r"|\d{1,2}(?P<mark2>[-/.])\d{1,2}(?P=mark2)(?:\d{4}|\d\d)"
    rf"|\d{{1,2}}[-/. ]\s?(?:{_MONTH})\.?[-/., ]\s?(?:\d{{4}}|\d\d)"
    rf"|(?:{_MONTH})\.? \d{{1,2}},? \d{{4}}"
    rf"|\d{{4}}[-/. ](?:{_MONTH})[-/. ]\d{{1,2}})"
    r"(?:[Tt](?=\d)|,?\s+|\Z)(?P<rest>.*)",
    re.ASCII | re.IGNORECASE,
)
_NAMED = re.compile(
    rf"(?P<a>\d{{1,4}})?\W*(?P<month>{_MONTH})\W+(?P<b>\d{{1,4}})(?:\W+(?P<c>\d{{4}}))?",
    re.ASCII | re.IGNORECASE,
)
_ORDINAL_1970 = date(1970, 1, 1).toordinal()
#: Two digits of a year from here on are of the 20th century, as POSIX has it.
_CENTURY_PIVOT = 69


@dataclass(frozen=True)
class Unordered:
    """Three numbers of which the order is not known: 03/04/2024."""

    numbers: tuple[int, int, int]
    short_year: bool

    def day(self, order: str) -> int | None:
        """Days since 1970 in this order; None where there is no such day."""
        if order == "ymd" and not self.short_year:
            return None
        year, month, day = (self.numbers[i] for i in ORDERS[order])
        if self.short_year:
            year += 1900 if year >= _CENTURY_PIVOT else 2000
        return days_since_1970(year, month, day)


def has_no_order(text: str) -> bool:
    """Whether a time begins with three numbers of which only the order is missing."""
    split = split_stamp(" ".join(text.split()))
    return split is not None and isinstance(parse_day(split[0]), Unordered)


def days_since_1970(year: int, month: int, day: int) -> int | None:
    """Days from 1970-01-01; None where there is no such day."""
    try:
        return date(year, month, day).toordinal() - _ORDINAL_1970
    except ValueError:
        return None


def split_stamp(text: str) -> tuple[str, str] | None:
    """The day at the beginning of a text, and what follows it; None if there is no day."""
    match = _HEAD.fullmatch(text)
    return (match["day"], match["rest"]) if match else None


@lru_cache(maxsize=1 << 16)
def parse_day(text: str) -> int | Unordered | None:
    """Read a day that `split_stamp` found.

    Returns
    -------
    int, Unordered or None
        Days since 1970; or what an order has to be known for; or None where there is no such day.
    """
    if any(c.isalpha() for c in text):
        return _with_month_name(text)
    if len(text) == 8 and text.isdigit():
        return days_since_1970(int(text[:4]), int(text[4:6]), int(text[6:]))
    parts = re.split(r"[-/.]", text)
    first, second, third = (int(part) for part in parts)
    if len(parts[0]) == 4:
        return days_since_1970(first, second, third)
    return Unordered((first, second, third), short_year=len(parts[2]) == 2)


def _with_month_name(text: str) -> int | None:
    match = _NAMED.fullmatch(text)
    if not match:
        return None
    month = _MONTHS.index(match["month"][:3].lower()) + 1
    if match["c"]:  # Jan 2, 2024
        return days_since_1970(int(match["c"]), month, int(match["b"]))
    if not match["a"]:
        return None
    first, last = match["a"], match["b"]
    if len(first) == 4:  # 2024-Jan-02
        return days_since_1970(int(first), month, int(last))
    year = int(last)
    if len(last) == 2:
        year += 1900 if year >= _CENTURY_PIVOT else 2000
    return days_since_1970(year, month, int(first))


def settle_order(days: Iterable[Unordered]) -> str | None:
    """The one order in which all these are days; None if there is none, or several.

    The rows of a price file go forward, or backward. Where the year has two digits, it may come
    first as well, and of several orders the one is taken in which the days go one way, if in the
    others they turn more often than a wrong cell makes them. And where they do not go one way in
    the only order that is left, but do in another one but for a cell or two, those cells are more
    likely wrong than all the rest: then there is none either.

    Parameters
    ----------
    days : iterable of Unordered
        In the order of the rows.
    """
    unique = list(dict.fromkeys(days))
    read = {order: [day.day(order) for day in unique] for order in ORDERS}
    valid = {order: [day for day in found if day is not None] for order, found in read.items()}
    whole = [order for order in ORDERS if unique and len(valid[order]) == len(unique)]
    if len(whole) > 1 and "ymd" in whole:
        turns = {order: _turns(valid[order]) for order in whole}
        whole = [order for order in whole if turns[order] < 2]
    if len(whole) != 1:
        return None
    most_wrong = max(1, len(unique) // 50)
    rivals = [found for found in valid.values() if 0 < len(unique) - len(found) <= most_wrong]
    if _turns(valid[whole[0]]) and not all(map(_turns, rivals)):
        return None
    return whole[0]


def order_of(text: str, near: int) -> str | None:
    """In which order the day in a text was read; None where its writing leaves no choice.

    Parameters
    ----------
    text : str
        A time as it is written.
    near : int
        Days since 1970 that it was read as, one more or less for its time zone.
    """
    split = split_stamp(" ".join(text.split()))
    day = parse_day(split[0]) if split else None
    if not isinstance(day, Unordered):
        return None
    read = {order: day.day(order) for order in ORDERS}
    orders = [order for order, days in read.items() if days is not None and abs(days - near) <= 1]
    return orders[0] if len(orders) == 1 else None


def _turns(days: list[int]) -> int:
    """How many steps go back, of days that go forward otherwise, or the other way round."""
    back = sum(later < earlier for earlier, later in pairwise(days))
    forward = sum(later > earlier for earlier, later in pairwise(days))
    return min(back, forward)
