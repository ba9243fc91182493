"""Whether two values are equal through and through."""

from __future__ import annotations

import types
from collections import deque
from typing import Any

import numpy as np
import pandas as pd

from bigbar.origin import is_library


def is_plain_object(value: Any) -> bool:
    """An instance of the trader's own class, or a namespace: nothing but its attributes."""
    kind = type(value)
    if kind is types.SimpleNamespace:
        return True
    return (
        hasattr(value, "__dict__")
        and not isinstance(value, type)
        and not is_library(kind.__module__)
    )


def exact_key(value: Any) -> Any:
    """A key that only values have in common which are equal through and through.

    Raises
    ------
    TypeError
        If there is none: of what can be changed, and of objects with an equality of their own.
    """
    kind = type(value)
    if isinstance(value, tuple | frozenset):
        parts = [exact_key(one) for one in value]
        return (kind, frozenset(parts) if isinstance(value, frozenset) else tuple(parts))
    if isinstance(value, float | complex | np.inexact):
        return (kind, repr(value))  # 0.0 is equal to -0.0.
    if kind.__eq__ is not object.__eq__ and not is_library(kind.__module__):
        raise TypeError(f"{kind.__qualname__} has an equality of its own")
    hash(value)
    return (kind, value)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal through and through: types, order and NaN included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        nan = one.dtype.kind in "fcmM"
        return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=nan))
    if isinstance(one, pd.Series | pd.DataFrame):
        return bool(one.equals(other))
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if is_plain_object(one):
        return same(vars(one), vars(other))
    return bool(one == other or (one != one and other != other))
