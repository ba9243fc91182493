"""What a caller gives, as plain numbers: whatever is one is taken, and anything else refused.

A number may come as int or float, as NumPy's, as a `Decimal` or a `Fraction`; text is none, nor is
a truth value.
"""

from __future__ import annotations

import math
import numbers
import os
from decimal import Decimal
from typing import Any, SupportsFloat, cast

import numpy as np

from bigbar.errors import SettingsError
from bigbar.printable import shown

#: Whole numbers are up to what 64 bits hold: so far counts SQLite, and so far counts NumPy.
MOST = 2**63 - 1


def is_number(value: object) -> bool:
    """Whether a value is a real number, of whatever kind; truth values are none."""
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iuf"
    return isinstance(value, numbers.Real | Decimal)


def number(name: str, value: Any, wanted: str = "a number") -> float:
    """A number as a float.

    Parameters
    ----------
    name : str
        Of what was given.
    value : object
    wanted : str, optional
        What it must be, for the message.

    Raises
    ------
    SettingsError
        If it is none.
    """
    if is_number(value):
        try:
            return float(cast(SupportsFloat, value))
        except (ValueError, OverflowError):  # A Decimal may be sNaN, an int of 400 digits.
            pass
    raise refusal(name, value, wanted)


def whole(name: str, value: Any, *, least: int = 0, most: int = MOST) -> int:
    """A whole number as an int.

    Parameters
    ----------
    name : str
        Of what was given.
    value : object
        6.0 is one as well.
    least, most : int, optional

    Raises
    ------
    SettingsError
        If it is none, or outside these.
    """
    if is_number(value):
        try:
            found = int(cast(Any, value))
            fits = found == value
        except (ValueError, OverflowError):  # NaN, infinity
            fits = False
        if fits and found < least:
            raise refusal(name, value, f"at least {least:,}")
        if fits and found > most:
            raise refusal(name, value, f"at most {most:,}")
        if fits:
            return found
    raise refusal(name, value, "a whole number")


def flag(name: str, value: Any) -> bool:
    """A truth value as a bool; 0 and 1 are such as well.

    Raises
    ------
    SettingsError
        If it is none.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    try:
        return bool(whole(name, value, most=1))
    except SettingsError:
        raise refusal(name, value, "True or False") from None


def text(name: str, value: Any, wanted: str = "text") -> str:
    """A text.

    Raises
    ------
    SettingsError
        If it is none.
    """
    if isinstance(value, str):
        return str(value)
    raise refusal(name, value, wanted)


def path(name: str, value: Any, wanted: str = "a path") -> str:
    """A path as text.

    Raises
    ------
    SettingsError
        If it is none, or names nothing.
    """
    try:
        found = os.fsdecode(value)
    except TypeError:
        raise refusal(name, value, wanted) from None
    if not found or "\0" in found:
        raise refusal(name, found, wanted)
    return found


def refusal(name: str, value: object, wanted: str) -> SettingsError:
    """The error that says what was given, and what must be."""
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return SettingsError(f"{name} is {float(value)}, but must be {wanted}")
    return SettingsError(f"{name} is {shown(value)}, but must be {wanted}")
