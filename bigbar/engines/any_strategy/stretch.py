"""A stretch of the file: the strategy sees these bars, its indicators have seen the whole file.

`init` runs on the whole file. Then whatever it left on the strategy that has a value a bar is cut
to the stretch: the arrays of `self.I`, and other arrays, Series, DataFrames and lists that are as
long as the file (`lib.TrailingStrategy` keeps its ATR as a plain array). What holds such an array
out of reach (an object, a closure, an iterator) is refused.
"""

from __future__ import annotations

import functools
import itertools
import operator
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting._util import _Array, _Data

from bigbar.errors import SettingsError

#: Attributes of every strategy that are not its author's.
_OF_STRATEGY = ("_broker", "_data", "_params")

#: Iterators that no bar of the file is in.
_ENDLESS = (itertools.count, itertools.cycle, itertools.repeat)

#: How deep objects are searched for an array of the file's length.
_DEEP = 3


class Stretch:
    """Cuts what belongs to the bars of a whole file down to some of them.

    Parameters
    ----------
    first, stop : int
        The bars that remain: the first, and the one after the last.
    bars : int
        How many the file has.
    """

    def __init__(self, first: int, stop: int, bars: int) -> None:
        self.first, self.stop, self.bars = first, stop, bars

    def __repr__(self) -> str:
        return f"bars {self.first} to {self.stop}"

    def cut_data(self, data: _Data) -> None:
        """Let the strategy's data be these bars; columns that `init` added stay."""
        frame = data._Data__df.iloc[self.first : self.stop]
        data._Data__df = frame
        data._update()
        data._set_length(len(frame))

    def cut_strategy(self, strategy: Strategy, index: pd.Index) -> None:
        """Cut what `init` has left on a strategy.

        Parameters
        ----------
        strategy : Strategy
        index : Index
            Of the stretch.

        Raises
        ------
        SettingsError
            If an attribute holds values of each bar of the file in a way that cannot be cut.
        """
        cutter = _Cutter(self, strategy, index)
        for name, value in list(vars(strategy).items()):
            if name not in _OF_STRATEGY:
                found = cutter.cut(value, name)
                if found is not value:
                    setattr(strategy, name, found)


class _Cutter:
    """Cuts the attributes of one strategy; what was one object stays one."""

    def __init__(self, stretch: Stretch, strategy: Strategy, index: pd.Index) -> None:
        self._stretch, self._strategy, self._index = stretch, strategy, index
        self._kept = slice(stretch.first, stretch.stop)
        self._done: dict[int, tuple[Any, Any]] = {}

    def cut(self, value: Any, name: str) -> Any:
        """A value with the stretch's bars only; the same object where it has no bars."""
        if value is None or isinstance(value, str | bytes | bool | int | float | complex):
            return value
        known = self._done.get(id(value))
        if known is not None:
            return known[1]
        found = self._cut(value, name)
        self._done[id(value)] = (value, found)
        return found

    def _cut(self, value: Any, name: str) -> Any:
        if isinstance(value, np.ndarray):
            return self._cut_array(value, name)
        if isinstance(value, pd.Series | pd.DataFrame):
            return value.iloc[self._kept] if self._is_long(value) else value
        if isinstance(value, pd.Index | pd.api.extensions.ExtensionArray):
            return value[self._kept] if self._is_long(value) else value
        if isinstance(value, list | tuple | deque):
            return self._cut_list(value, name)
        if isinstance(value, dict):
            return self._cut_dict(value, name)
        if self._hides(value, _DEEP):
            self._refuse(value, name)
        return value

    def _cut_array(self, array: np.ndarray, name: str) -> np.ndarray:
        axes = {axis for axis in (0, array.ndim - 1) if array.ndim and self._is_long(array, axis)}
        if not axes:
            return array
        if len(axes) > 1:
            raise SettingsError(
                f"{self._told(name)}, set in init, has as many rows as columns, {len(array)} like "
                f"the file, so that it is not clear how to cut it to {self._stretch}"
            )
        found = array[..., self._kept] if axes != {0} else array[self._kept]
        if isinstance(found, _Array):
            options = found._opts
            if "index" in options and self._is_long(options["index"]):
                found._opts = self._options(options)
        return found

    def _options(self, options: dict) -> dict:
        known = self._done.get(id(options))
        if known is None:
            known = self._done[id(options)] = (options, {**options, "index": self._index})
        found: dict = known[1]
        return found

    def _cut_list(self, values: Any, name: str) -> Any:
        found = [self.cut(one, f"{name}[{place}]") for place, one in enumerate(values)]
        if all(map(operator.is_, found, values)):
            if not self._is_long(values):
                return values
            found = found[self._kept]
        if isinstance(values, deque):
            return deque(found, values.maxlen)
        if isinstance(values, list):
            return found
        return type(values)(*found) if hasattr(values, "_fields") else tuple(found)

    def _cut_dict(self, values: dict, name: str) -> dict:
        if self._is_long(values) and all(isinstance(key, int) for key in values):
            self._refuse(values, name)
        found = {key: self.cut(one, f"{name}[{key!r}]") for key, one in values.items()}
        if all(map(operator.is_, found.values(), values.values())):
            return values
        cut = values.copy()  # Of its own kind: a defaultdict, say.
        cut.update(found)
        return cut

    def _is_long(self, value: Any, axis: int = 0) -> bool:
        shape = getattr(value, "shape", None)
        length = shape[axis] if isinstance(shape, tuple) and shape else len(value)
        return bool(length == self._stretch.bars)

    def _hides(self, value: Any, depth: int) -> bool:
        """Whether an object has something in it that is as long as the file."""
        if value is self._strategy or isinstance(value, type | types.ModuleType | _Data):
            return False
        if isinstance(value, _ENDLESS):
            return False
        if isinstance(value, Iterator):
            return True
        if isinstance(value, str | bytes):
            return False
        try:
            if self._is_long(value) or (isinstance(value, np.ndarray) and self._is_long(value, -1)):
                return True
        except Exception:  # No length, or one that cannot be told.
            pass
        return depth > 0 and any(self._hides(one, depth - 1) for one in _inside(value))

    def _refuse(self, value: Any, name: str) -> None:
        raise SettingsError(
            f"{self._told(name)}, set in init, is a {type(value).__name__} with a value for each "
            f"bar of the file, which cannot be cut to {self._stretch}; keep such values as an "
            "attribute of the strategy, or better, declare them with self.I"
        )

    def _told(self, name: str) -> str:
        return f"{type(self._strategy).__name__}.{name}"


def _inside(value: Any) -> Iterator[Any]:
    """What an object holds, as far as it shows."""
    if isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # Not filled yet.
                continue
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
    elif isinstance(value, types.MethodType):
        yield value.__self__
    elif isinstance(value, functools.partial):
        yield value.func
        yield from value.args
        yield from value.keywords.values()
    elif isinstance(value, list | tuple | set | frozenset | deque):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    elif not isinstance(value, np.ndarray | pd.Series | pd.DataFrame | pd.Index):
        yield from getattr(value, "__dict__", {}).values()
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for slot in [slots] if isinstance(slots, str) else slots:
                if hasattr(value, slot):
                    yield getattr(value, slot)
