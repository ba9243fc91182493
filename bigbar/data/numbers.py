"""Numbers as price files write them: decimal marks, thousands, currency signs, 1.2K."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_CURRENCY = "$€£¥₹"
_SUFFIXES = {"": "", "k": "e3", "m": "e6", "b": "e9", "t": "e12"}
_BLANKS = " \u00a0\u202f"
_MARKS = re.compile(rf"[-+]?(\d[\d.,'’{_BLANKS}]*)", re.ASCII)
_VOLUME = re.compile(r"(.*?)\s?([KMBT]?)", re.ASCII | re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class NumberStyle:
    """How a column writes its numbers.

    Attributes
    ----------
    decimal : str
        The mark before the fraction.
    thousands : str
        The mark between thousands; empty if there is none.
    """

    decimal: str = "."
    thousands: str = ""

    def number(self, cell: str) -> float:
        """The double nearest to what a cell says; NaN if it is no number."""
        text = cell.strip()
        if text.startswith(tuple(_CURRENCY)) or text.endswith(tuple(_CURRENCY)):
            text = text.strip(_CURRENCY).strip()
        if not _shape(self.decimal, self.thousands).fullmatch(text):
            return np.nan
        for mark in _BLANKS if self.thousands == " " else self.thousands:
            text = text.replace(mark, "")
        return float(text.replace(self.decimal, "."))

    def volume(self, cell: str) -> float:
        """The volume, of which K, M, B and T are thousands to billions; NaN if it is none."""
        match = _VOLUME.fullmatch(cell.strip())
        if not match or not match[2]:
            value = self.number(cell)
        else:
            value = self.number(match[1])
            # Of the digits themselves: 2.67 × 1000 is not always 2670.
            value = float(f"{value!r}{_SUFFIXES[match[2].lower()]}") if value == value else value
        return value if np.isfinite(value) else np.nan


PLAIN = NumberStyle()


@lru_cache
def _shape(decimal: str, thousands: str) -> re.Pattern[str]:
    mark = re.escape(decimal)
    if not thousands:
        return re.compile(rf"[-+]?(\d+{mark}?\d*|{mark}\d+)([eE][-+]?\d+)?", re.ASCII)
    between = rf"[{_BLANKS}]" if thousands == " " else re.escape(thousands)
    # Lakhs are 12,34,567. Five digits without a mark contradict a file that has them.
    whole = rf"(?:\d{{1,3}}(?:{between}\d{{2,3}})*{between}\d{{3}}|\d{{1,4}})"
    return re.compile(rf"[-+]?(?:{whole}(?:{mark}\d*)?|{mark}\d+)", re.ASCII)


def price_style(cells: Iterable[str], delimiter: str) -> NumberStyle:
    """The style in which all prices of a file are written.

    Where 1,234 could be both, it is thousands in a file with commas between its columns, and a
    decimal comma in others.
    """
    return _style(cells, lone_comma="thousands" if delimiter == "," else "decimal")


def volume_style(cells: Iterable[str], prices: NumberStyle) -> NumberStyle:
    """The style of the volumes; what could be both is as in the prices."""
    if prices.decimal == ",":
        return _style(cells, lone_comma="decimal", lone_point="thousands")
    return _style(cells, lone_comma="thousands")


def _style(cells: Iterable[str], *, lone_comma: str, lone_point: str = "decimal") -> NumberStyle:
    decimals, thousands, lone = _evidence(cells)
    if not decimals and len(thousands & {".", ","}) == 1:
        decimals = {"."} if "," in thousands else {","}
    if not decimals and len(lone) == 1:
        use = {",": lone_comma, ".": lone_point}[next(iter(lone))]
        (decimals if use == "decimal" else thousands).update(lone)
        if use == "thousands":
            decimals = {"."} if lone == {","} else {","}
    decimal = decimals.pop() if len(decimals) == 1 else "."
    if decimals or len(thousands) > 1 or decimal in thousands:
        return PLAIN  # They contradict each other: those with commas will be named.
    return NumberStyle(decimal, thousands.pop() if thousands else "")


def _evidence(cells: Iterable[str]) -> tuple[set[str], set[str], set[str]]:
    """Marks that must be decimal, marks that must be thousands, and those that may be both."""
    decimals: set[str] = set()
    thousands: set[str] = set()
    lone: set[str] = set()
    for cell in cells:
        match = _MARKS.match(cell.strip().lstrip(_CURRENCY).strip())
        if not match:
            continue
        text = match[1].rstrip(_BLANKS)
        marks = [c for c in text if c in ".,"]
        thousands |= {" " if c in _BLANKS else c for c in text if c in "'’" + _BLANKS}
        if len(set(marks)) == 2:
            decimals.add(marks[-1])
            thousands.add(marks[0])
        elif len(marks) > 1:
            thousands.add(marks[0])
        elif marks and re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", text):
            lone.add(marks[0])
        elif marks:
            decimals.add(marks[0])
    return decimals, thousands, lone
