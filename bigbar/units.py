"""Counts, bytes and seconds, as a person reads and writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bigbar.errors import SettingsError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def counted(number: int, noun: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def agreeing(number: int, one: str, several: str) -> str:
    """The verb that goes with a number: of 1 the first, else the second."""
    return one if number == 1 else several


def signs(text: str) -> str:
    """A number as it is written for people: with a true minus, and no minus before a zero."""
    if not any(digit in text for digit in "123456789"):
        text = text.replace("-", "")
    return text.replace("-", "−")


def as_bytes(count: float) -> str:
    """`12.3 kB`, `456 MB`; units of 1,000."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def as_seconds(duration: float) -> str:
    """`1.23 s`, `45.6 µs`; from ten minutes on `19 min`, `2.5 h`, `12 days`."""
    if not duration:
        return "0 s"
    if duration >= 2 * 86_400:
        return f"{duration / 86_400:,.0f} days"
    if duration >= 7_200:
        return f"{duration / 3_600:.1f} h"
    if duration >= 600:
        return f"{duration / 60:.0f} min"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if duration >= scale:
            return f"{duration / scale:.3g} {unit}"
    return f"{duration / 1e-9:.3g} ns"


def as_share(share: float) -> str:
    """`45 %`."""
    return f"{100 * share:.0f} %"


def json_number(number: float) -> float | str | None:
    """A float as JSON can hold it: None for NaN, `inf` and `-inf` as text."""
    if math.isnan(number):
        return None
    return number if math.isfinite(number) else str(number)


def json_values(value: Any) -> Any:
    """The same with only what JSON holds: floats as `json_number` has them, keys as text."""
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, Mapping):
        return {str(key): json_values(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [json_values(item) for item in value]
    return value


def parse_size(text: str) -> int:
    """A number of bytes as a person writes it.

    Parameters
    ----------
    text : str
        A number with a unit: `800M`, `2G`, `1.5GB` are of 1,000, `2GiB` is of 1,024.

    Returns
    -------
    int

    Raises
    ------
    SettingsError
        If it is no size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]?i?)b?\s*", text, re.IGNORECASE)
    unit = (_UNITS | _BINARY_UNITS).get(found[2].lower()) if found else None
    if found is None or unit is None or float(found[1]) * unit < 1:
        raise SettingsError(f"{text!r} is no size; write a number and a unit: 800M, 2G, 1.5GiB")
    return int(float(found[1]) * unit)
