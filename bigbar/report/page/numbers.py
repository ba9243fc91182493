"""Numbers, times and durations as a person reads them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar import parameter

#: For what there is none of: no trades, no variance, too few periods.
NONE = "–"

#: Between a number and its unit: no line is broken there.
_SPACE = "\u00a0"


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A number with separators between thousands and a real minus sign.

    Parameters
    ----------
    value : float or None
        NaN and None are shown as a dash.
    digits : int, optional
        After the point.
    sign : bool, optional
        Whether to show a plus, too.
    """
    if value is None:
        return NONE
    text = _signed(f"{value:,.{digits}f}")
    is_above = sign and value > 0 and text.strip("0.,") != ""
    return f"+{text}" if is_above else text


def numbers(values: NDArray[np.float64], digits: int = 2) -> list[str]:
    """Many numbers as `number` has them."""
    return [_signed(f"{value:,.{digits}f}") for value in values.tolist()]


def _signed(text: str) -> str:
    """A formatted number with a real minus sign, which a zero has none of."""
    if text[-1] == "n":
        return NONE
    if text[-1] == "f":
        return "−∞" if text[0] == "-" else "∞"
    if text[0] != "-":
        return text
    return f"−{text[1:]}" if text.strip("-0.,") else text[1:]


def percent(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A number that is in per cent already."""
    text = number(value, digits, sign=sign)
    return text if text == NONE else f"{text}{_SPACE}%"


def share(value: float | None, digits: int = 0) -> str:
    """A share from 0 to 1, in per cent."""
    return percent(None if value is None else 100 * value, digits)


def chance(probability: float) -> str:
    """A probability in per cent, small ones with a digit more."""
    return share(probability, 0 if probability >= 0.1 else 1)


def count(amount: int, noun: str, plural: str | None = None) -> str:
    """A number of things."""
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def value_text(value: object) -> str:
    """A parameter's value, as short as it was typed; of any kind."""
    text = parameter.value_text(value)
    return text.replace("-", "−") if parameter.is_number(value) else text


def amount(value: float | None, unit: str, *, sign: bool = False) -> str:
    """A number in a statistic's unit: "%", "$", "days" or none."""
    if unit == "%":
        return percent(value, sign=sign)
    text = number(value, sign=sign)
    return text if text == NONE or unit in ("", "$") else f"{text}{_SPACE}{unit}"


def day(moment: pd.Timestamp) -> str:
    """A date."""
    return f"{moment:%Y-%m-%d}"


def minute(moment: pd.Timestamp) -> str:
    """A date with the time of day."""
    return f"{moment:%Y-%m-%d %H:%M}"


def duration(span: pd.Timedelta) -> str:
    """The two largest units of a duration."""
    if span is pd.NaT:
        return NONE
    parts = span.components
    named = [
        f"{size:,} {unit}"
        for size, unit in (
            (parts.days, "d"), (parts.hours, "h"), (parts.minutes, "min"), (parts.seconds, "s"),
        )
    ]  # fmt: skip
    first = next((place for place, text in enumerate(named) if not text.startswith("0 ")), 3)
    shown = " ".join(text for text in named[first : first + 2] if not text.startswith("0 "))
    return shown or "0 s"


def statistic(name: str, value: object, *, with_unit: bool = True) -> str:
    """A statistic's value, in the unit that its name gives; beside the name it needs none."""
    if value is None or value is pd.NaT:
        return NONE
    if isinstance(value, pd.Timestamp):
        return minute(value)
    if isinstance(value, pd.Timedelta):
        return duration(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return f"{value:,}"
    unit = name.partition("[")[2].rstrip("]") if with_unit else ""
    return amount(float(value), unit)  # type: ignore[arg-type]


def sort_value(value: object) -> float:
    """What a table sorts a statistic by; NaN for none."""
    if value is None or value is pd.NaT:
        return math.nan
    if isinstance(value, (pd.Timedelta, pd.Timestamp)):
        return float(value.value)
    return float(value)  # type: ignore[arg-type]
