"""Class attributes that a backtest changes: put back before the next one.

A list, a counter or a table that belongs to the class outlives the backtest, so that the next one
in the same process would begin where this one ended, and answers would depend on who ran before.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy

from bigbar.equality import is_plain_object, same
from bigbar.origin import is_library, own_roots

#: Whether a copy of a table shares its memory until one of the two is written into.
_COPIES_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3

#: Stands for what is not there.
_MISSING: Any = object()


class _Kept:
    """A class attribute as it was."""

    def __init__(self, value: Any) -> None:
        self.value = value
        #: A copy that nobody else has, where the value can be changed in place.
        self.pristine = _MISSING
        if _can_change(value):
            try:
                self.pristine = _copied(value)
            except Exception:  # A list of locks, say: what cannot be copied cannot be put back.
                self.pristine = _MISSING

    def is_now(self, value: Any) -> bool:
        """Whether the attribute is the same object still, with the same contents."""
        return value is self.value and (
            self.pristine is _MISSING or same(self.value, self.pristine)
        )

    def restored(self) -> Any:
        """The object with its first contents, or another with them if it cannot be filled."""
        if self.pristine is not _MISSING and not same(self.value, self.pristine):
            fresh = _copied(self.pristine)
            if not _refill(self.value, fresh):
                self.value = fresh
        return self.value


class ClassAttributes:
    """The attributes of a strategy's class and of its bases in the trader's code.

    Parameters
    ----------
    strategy : type
        A `backtesting.Strategy`; its attributes are taken as they are now.
    """

    def __init__(self, strategy: type[Strategy]) -> None:
        own = own_roots(strategy)
        self._kept = {
            kind: {name: _Kept(value) for name, value in _attributes(kind)}
            for kind in strategy.__mro__
            if not is_library(kind.__module__, own)
        }
        self._changed: dict[str, None] = {}

    @property
    def changed(self) -> tuple[str, ...]:
        """Attributes that any backtest so far has changed, as "Class.attribute"."""
        self._note()
        return tuple(self._changed)

    def restore(self) -> None:
        """Put back what has changed."""
        for kind, name in self._note():
            kept = self._kept[kind].get(name)
            if kept is None:
                delattr(kind, name)
            else:
                setattr(kind, name, kept.restored())

    def _note(self) -> list[tuple[type, str]]:
        """What differs from the start now; it is remembered."""
        found = list(self._differences())
        for kind, name in found:
            self._changed[f"{kind.__qualname__}.{name}"] = None
        return found

    def _differences(self) -> Iterator[tuple[type, str]]:
        for kind, kept in self._kept.items():
            now = dict(_attributes(kind))
            for name, one in kept.items():
                if not one.is_now(now.get(name, _MISSING)):
                    yield kind, name
            for name in now.keys() - kept.keys():
                yield kind, name


def _attributes(kind: type) -> Iterator[tuple[str, Any]]:
    """The attributes of a class that are its author's, not Python's."""
    for name, value in vars(kind).items():
        if not name.startswith("_abc_") and not (name.startswith("__") and name.endswith("__")):
            yield name, value


def _copied(value: Any) -> Any:
    if isinstance(value, pd.Series | pd.DataFrame):
        return value.copy(deep=not _COPIES_ON_WRITE)
    return copy.deepcopy(value)


def _can_change(value: Any) -> bool:
    """Whether a value has contents of its own that a backtest may change."""
    if isinstance(value, np.ndarray):
        return bool(value.flags.writeable)
    if isinstance(value, list | dict | set | bytearray | deque | pd.Series | pd.DataFrame):
        return True
    return is_plain_object(value)


def _refill(value: Any, fresh: Any) -> bool:
    """Move contents into the object that had them, so that other names for it stay right."""
    if isinstance(value, np.ndarray) and value.shape == fresh.shape:
        value[...] = fresh
    elif isinstance(value, list | bytearray):
        value[:] = fresh
    elif isinstance(value, dict | set):
        value.clear()
        value.update(fresh)
    elif isinstance(value, deque):
        value.clear()
        value.extend(fresh)
    elif is_plain_object(value):
        vars(value).clear()
        vars(value).update(vars(fresh))
    else:
        return False
    return True
