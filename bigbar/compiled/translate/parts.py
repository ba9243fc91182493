"""What a program was made of besides the strategy's attributes: functions, and what they read.

A program is used again only while all of it is what it was, and holds what it held.
"""

from __future__ import annotations

import builtins
import copy
import types
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from bigbar.equality import same

#: What holds other values, which can be exchanged in place.
_HOLDERS = (
    list,
    dict,
    set,
    frozenset,
    tuple,
    bytearray,
    deque,
    np.ndarray,
    pd.Series,
    pd.DataFrame,
)

#: Tables larger than this are known by what they are, not by what they hold, in bytes.
_LARGE = 2**20

#: Of which only the value counts.
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Part:
    """One thing that has become part of a program.

    Parameters
    ----------
    look_up : callable
        Gives it as it is now; raises where it is not there any more.
    """

    def __init__(self, look_up: Callable[[], Any]) -> None:
        self._look_up = look_up
        self.value = look_up()
        self._holds = isinstance(self.value, _HOLDERS) and not _is_large(self.value)
        self._held: Any = None
        if self._holds:
            try:
                self._held = copy.deepcopy(self.value)
            except Exception:  # A list of locks, say: it is known by what it is.
                self._holds = False

    @property
    def is_data(self) -> bool:
        """Whether it is a value that runs may exchange: no function, class or module."""
        return self._holds or isinstance(self.value, _PLAIN)

    def is_there(self) -> bool:
        """Whether it is what it was."""
        try:
            now = self._look_up()
        except Exception:
            return False
        if self._holds:
            return same(now, self._held)
        if isinstance(now, _PLAIN):
            return type(now) is type(self.value) and repr(now) == repr(self.value)
        return now is self.value


class Parts:
    """The parts of one program, each once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Part] = {}

    def __iter__(self) -> Iterator[Part]:
        return iter(self._known.values())

    def clear(self) -> None:
        """Forget them."""
        self._known.clear()

    def note(self, key: Hashable, look_up: Callable[[], Any]) -> Any:
        """Take in what `look_up` gives, under a key of its own; returns it.

        Raises
        ------
        Exception
            Whatever `look_up` raises.
        """
        if key not in self._known:
            self._known[key] = Part(look_up)
        return self._known[key].value

    def name(self, function: types.FunctionType, name: str) -> Any:
        """What a name that is not local stands for in a function; KeyError where it is nothing."""
        return self.note((id(function), name), lambda: lookup(function, name))

    def attribute(self, value: Any, name: str) -> Any:
        """An attribute of something that is none of the strategy's."""
        return self.note((id(value), ".", name), lambda: getattr(value, name))

    def function(self, function: types.FunctionType) -> None:
        """A function with its code and defaults."""
        for name in ("__code__", "__defaults__", "__kwdefaults__"):
            self.attribute(function, name)

    def member(self, kinds: tuple[type, ...], name: str) -> Any:
        """What the first of some classes that has a name has by it; KeyError where none has."""

        def look_up() -> Any:
            for kind in kinds:
                if name in vars(kind):
                    return vars(kind)[name]
            raise KeyError(name)

        return self.note((kinds, name), look_up)


def lookup(function: types.FunctionType, name: str) -> Any:
    """The object that a name, not a local one, stands for in a function.

    Raises
    ------
    KeyError
        If there is none.
    """
    code = function.__code__
    if name in code.co_freevars and function.__closure__:
        try:
            return function.__closure__[code.co_freevars.index(name)].cell_contents
        except ValueError:
            raise KeyError(name) from None
    if name in function.__globals__:
        return function.__globals__[name]
    if hasattr(builtins, name):
        return getattr(builtins, name)
    raise KeyError(name)


def _is_large(value: Any) -> bool:
    if isinstance(value, pd.DataFrame):
        return int(value.memory_usage(deep=False).sum()) > _LARGE
    return isinstance(value, np.ndarray | pd.Series) and value.nbytes > _LARGE
