"""What the values of a strategy's attributes are, as far as a program depends on it."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np

from bigbar.compiled.translate.values import MOST_WHOLE, Number

#: Values of which only equality matters.
SYMBOLS = (str, bytes, datetime.date, datetime.time, datetime.timedelta, tuple, frozenset)

#: Numbers that a strategy may keep in one list.
ROOM = 256

_NUMBERS = frozenset({"bool", "numpy bool", "int", "numpy int", "float", "numpy float"})


def kind_of(value: Any) -> str:
    """What an attribute of a strategy is, as far as a program depends on it."""
    found = _kind_of_number(value)
    if found:
        return found
    if value is None:
        return "none"
    if isinstance(value, str):
        return "text"
    if isinstance(value, np.ndarray):
        rows = value.shape[0] if value.ndim == 2 else ""
        return f"{type(value).__name__} {value.dtype.str} {value.ndim} {rows}"
    if type(value) is list:
        kinds = sorted({kind_of(one) for one in value[:ROOM]})
        return f"list of {', '.join(kinds)}" if len(value) <= ROOM else "long list"
    if type(value) is tuple:
        return f"tuple of {', '.join(map(kind_of, value[:ROOM]))}"
    return type(value).__qualname__


def _kind_of_number(value: Any) -> str:
    kind = type(value)
    if kind in (bool, np.bool_):
        return "bool" if kind is bool else "numpy bool"
    if kind in (int, np.int64):
        small = abs(int(value)) <= MOST_WHOLE
        return ("int" if kind is int else "numpy int") if small else "large int"
    if kind in (float, np.float64):
        return "numpy float" if kind is np.float64 else "float"
    return ""


def is_number(kind: str) -> bool:
    """Whether what is of a kind is a number, or a truth value."""
    return kind in _NUMBERS


def number_of(code: str, kind: str) -> Number | None:
    """A number of an attribute's kind, read as a float from somewhere; None for no number."""
    if kind in ("bool", "numpy bool"):
        return Number(f"({code} != 0.0)", "bool", numpy=kind != "bool")
    if kind in ("int", "numpy int"):
        return Number(f"int({code})", "int", numpy=kind != "int")
    if kind in ("float", "numpy float"):
        return Number(code, "float", numpy=kind != "float")
    return Number(code, "symbol") if kind == "text" else None


def literal(value: float | int | bool) -> str:
    """The code of a number."""
    if isinstance(value, bool | np.bool_):
        return repr(bool(value))
    if isinstance(value, int | np.integer):
        return repr(int(value))
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "(-np.inf)"
    return repr(float(value))


class Symbols:
    """Numbers for values of which only equality matters: text, dates, tuples."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._equal: dict[Any, Any] = {}
        self.values: list[Any] = [None]

    def number(self, value: Any) -> int:
        """The number of a value; equal values have the same.

        Raises
        ------
        TypeError
            If it cannot be told whether it equals another, equals one of another type, or counts
            as false and is no text.
        """
        key = (type(value), value)
        if key not in self._numbers:
            same = self._equal.get(value, value)
            if type(same) is not type(value) or value != value or not (value or value == ""):
                raise TypeError(f"{value!r} cannot be told from others by a number")
            self._equal[value] = value
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]
