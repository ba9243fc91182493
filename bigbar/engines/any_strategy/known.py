"""Whether `backtesting.py` is the one whose workings the quick ways know.

The quick loop and the statistics without pandas stand in for code of `backtesting.py`. Where it is
of another version, or somebody has replaced a method of its classes, that code itself runs.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

import backtesting.backtesting
from backtesting import Backtest, Strategy
from backtesting._util import _Array, _Data, _Indicator
from backtesting.backtesting import Order, Position, Trade, _Broker

#: Versions whose loop, broker and statistics the quick ways repeat to the bit.
VERSIONS = frozenset({"0.6.6"})

_CLASSES = (Backtest, Strategy, _Broker, Order, Position, Trade, _Data, _Array, _Indicator)


#: The members of all classes when they were last looked at, and found to be in place.
_in_place: tuple[tuple[Any, ...], ...] | None = None


def is_known() -> bool:
    """Whether this is a known version, with all its methods in place."""
    global _in_place
    if backtesting.__version__ not in VERSIONS:
        return False
    module = sys.modules["backtesting._stats"]
    if backtesting.backtesting.compute_stats is not module.compute_stats:
        return False
    if not _at_home(module.compute_stats, module):
        return False
    members = tuple(tuple(vars(kind).values()) for kind in _CLASSES)
    if members != _in_place:
        _in_place = members if all(map(_untouched, _CLASSES)) else None
    return _in_place is not None


def _untouched(kind: type) -> bool:
    module = sys.modules[kind.__module__]
    return all(_at_home(member, module) for member in vars(kind).values())


def _at_home(member: Any, module: Any) -> bool:
    """Whether a member of a class was written where the class was; data always is."""
    if isinstance(member, property):
        return all(_at_home(one, module) for one in (member.fget, member.fset) if one)
    if isinstance(member, cached_property):
        return _at_home(member.func, module)
    if isinstance(member, staticmethod | classmethod):
        return _at_home(member.__func__, module)
    written_in = getattr(member, "__globals__", None)
    return written_in is None or written_in is vars(module)
