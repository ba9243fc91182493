"""What a call depends on, as a key: the function's code, and whatever it can read.

Two calls with the same key give the same answer. Where that cannot be told there is no key: code
that asks the clock, a random generator, a file or the interpreter; objects whose contents do not
show; a strategy of which more is read than plain attributes.
"""

from __future__ import annotations

import datetime
import dis
import enum
import functools
import hashlib
import inspect
import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting._util import _Data

from bigbar.chance import CHANCE, MODULES_OF_CHANCE
from bigbar.origin import is_library, own_roots

#: The same in the trader's own code: names that reach further than what is looked at here.
_SUSPICIOUS = CHANCE | {
    *("time", "open", "input", "print", "read_csv", "read_parquet", "read_pickle", "read_sql"),
    *("read_json", "read_excel", "read_feather", "read_text", "read_bytes", "load", "loads"),
    *("connect", "execute", "eval", "exec", "compile", "globals", "locals", "vars", "getattr"),
    *("setattr", "delattr", "__import__", "import_module", "breakpoint", "id"),
    *("fit", "train", "predict"),
}

#: Operations that write where the next call can read it.
_WRITES = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "DELETE_DEREF"})

#: Functions that call functions that call functions.
_DEEP = 12

#: Operations whose last variable is loaded.
_LOADS = ("LOAD_FAST", "LOAD_DEREF", "STORE_FAST_LOAD_FAST")

Key = tuple[Any, ...]


class NoKey(Exception):
    """It cannot be told what a call depends on."""


@dataclass(frozen=True)
class _Read:
    """What a code object refers to, by name."""

    globals: frozenset[str]
    attributes: frozenset[str]


def unchanged(ours: np.ndarray, other: Any) -> bool:
    """Whether an array is the very memory of one of ours, which nobody can write into."""
    mine, its = ours.__array_interface__, np.asarray(other).__array_interface__
    return bool(
        mine["data"] == its["data"]
        and mine["data"][1]
        and mine["shape"] == its["shape"]
        and mine["typestr"] == its["typestr"]
        and mine["strides"] == its["strides"]
    )


class Digests:
    """Digests of a file's columns, made once each: its arrays are met in most calls.

    Parameters
    ----------
    frame : DataFrame
        The file.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._close = frame["Close"].to_numpy()
        self._columns = {
            _memory(array): array for array in (one.to_numpy() for _, one in frame.items())
        }
        self._known: dict[Any, bytes] = {}
        self._index_key: Key | None = None

    @property
    def shown_with(self) -> Key:
        """Key of what every indicator is declared against: the times, and the closing prices."""
        close = self._close
        return (self.of_index(self._frame.index), close.dtype.str, self.of(close))

    def of(self, array: np.ndarray) -> bytes:
        """Digest of an array's contents."""
        memory = _memory(array)
        ours = self._columns.get(memory)
        if ours is None or not unchanged(ours, array):
            return _digest(array)
        if memory not in self._known:
            self._known[memory] = _digest(array)
        return self._known[memory]

    def is_ours(self, array: np.ndarray) -> bool:
        """Whether it is a column of the file, which nobody can write into."""
        ours = self._columns.get(_memory(array))
        return ours is not None and unchanged(ours, array)

    def of_index(self, index: pd.Index) -> Key:
        """Key of an index; the file's own is looked at once."""
        if not index.is_(self._frame.index):
            return _index_key(index)
        if self._index_key is None:
            self._index_key = _index_key(index)
        return self._index_key

    def of_data(self, data: _Data) -> Key:
        """Key of a strategy's data while `init` runs: its arrays, and its frame if it differs."""
        arrays = {name: np.asarray(one) for name, one in data._Data__arrays.items()}
        del arrays["__index"]
        seen = [(name, one.dtype.str, self.of(one)) for name, one in arrays.items()]
        changed = []
        for name, one in data._Data__df.items():
            values = one.to_numpy()
            if name not in arrays or _memory(values) != _memory(arrays[name]):
                changed.append((name, values.dtype.str, self.of(values)))
        columns = tuple(data._Data__df.columns)
        return ("data", self.of_index(data._Data__df.index), columns, *seen, *changed)


def _memory(array: np.ndarray) -> Any:
    interface = array.__array_interface__
    return interface["data"][0], interface["shape"], interface["typestr"]


def _digest(array: np.ndarray) -> bytes:
    if array.dtype.hasobject:
        raise NoKey("an array of objects")
    return hashlib.blake2b(array.tobytes(), digest_size=16).digest()


def _index_key(index: pd.Index) -> Key:
    if isinstance(index, pd.RangeIndex):
        return ("range", index.start, index.stop, index.step, index.name)
    if isinstance(index, pd.DatetimeIndex):
        name = (str(index.dtype), str(index.freq), index.name)
        return ("times", _digest(index.asi8), *name)
    values = index.to_numpy()
    if values.dtype.hasobject:
        if not all(type(one) in (str, int) for one in values):
            raise NoKey("an index of objects")
        return ("labels", index.name, *((type(one), one) for one in values))
    return ("index", _digest(values), str(index.dtype), index.name)


class KeyMaker:
    """Makes the key of one call.

    Parameters
    ----------
    strategy : Strategy
        In whose `init` the call is made.
    digests : Digests
    """

    def __init__(self, strategy: Strategy, digests: Digests) -> None:
        self._strategy = strategy
        self._own = own_roots(type(strategy))
        self._digests = digests
        self._met: dict[int, int] = {}
        #: Arrays that the key speaks of: an answer that shares their memory is not kept.
        self.arrays: list[np.ndarray] = []

    def of(self, value: Any, depth: int = _DEEP) -> Key:
        """Key of a value, or of a function with all that it reads.

        Raises
        ------
        NoKey
        """
        if depth < 0:
            raise NoKey("functions nested too deep")
        kind = type(value)
        if value is None or kind in (bool, int, str, bytes, types.EllipsisType):
            return (kind, value)
        if kind in (float, complex):
            return (kind, repr(value))
        if isinstance(value, np.ndarray):
            return self._of_array(value)
        if isinstance(value, pd.Series | pd.DataFrame | pd.Index):
            return self._of_table(value)
        if isinstance(value, np.generic):
            if value.dtype.hasobject:
                raise NoKey("a number of unknown kind")
            return (kind, value.dtype.str, value.tobytes())
        if kind in (list, tuple, set, frozenset, dict):
            return self._of_container(value, depth)
        if kind in (range, slice) or isinstance(value, np.dtype):
            return (kind, repr(value))
        if isinstance(value, enum.Enum | datetime.date | datetime.timedelta | datetime.time):
            return (kind, repr(value))
        if isinstance(value, _Data):
            return self._of_data(value)
        return self._of_callable(value, depth)

    def of_call(self, function: Any, arguments: tuple, options: Mapping[str, Any]) -> Key:
        """Key of a call: function, arguments, and keyword arguments in their order."""
        given = tuple(map(self.of, arguments))
        named = tuple((name, self.of(value)) for name, value in options.items())
        return (self.of(function), given, named)

    def _of_array(self, array: np.ndarray) -> Key:
        plain = np.asarray(array)
        self.arrays.append(plain)
        digest = self._digests.of(plain)
        name = getattr(array, "name", None)
        if name is not None and not isinstance(name, str):
            name = repr(name)
        return (type(array), plain.dtype.str, plain.shape, name, digest)

    def _of_table(self, table: Any) -> Key:
        kind = type(table)
        if isinstance(table, pd.Index):
            return (kind, self._digests.of_index(table))
        index = self._digests.of_index(table.index)
        if isinstance(table, pd.Series):
            return (kind, self.of(table.name), index, self._of_column(table))
        columns = tuple((self.of(name), self._of_column(one)) for name, one in table.items())
        return (kind, index, columns)

    def _of_column(self, series: pd.Series) -> Key:
        if isinstance(series.dtype, pd.DatetimeTZDtype):
            return (str(series.dtype), *self._of_array(np.asarray(series.array.asi8)))
        if not isinstance(series.dtype, np.dtype):
            raise NoKey(f"a column of type {series.dtype}")
        return self._of_array(series.to_numpy())

    def _of_container(self, values: Any, depth: int) -> Key:
        kind = type(values)
        if isinstance(values, dict):
            return (
                kind,
                *((self.of(k, depth - 1), self.of(v, depth - 1)) for k, v in values.items()),
            )
        keys = [self.of(one, depth - 1) for one in values]
        return (kind, frozenset(keys)) if isinstance(values, set | frozenset) else (kind, *keys)

    def _of_data(self, data: _Data) -> Key:
        if data is not self._strategy._data:
            raise NoKey("data of another strategy")
        return self._digests.of_data(data)

    def _of_callable(self, value: Any, depth: int) -> Key:
        if isinstance(value, types.MethodType):
            return self._of_method(value, depth)
        if isinstance(value, types.ModuleType):
            if is_library(value.__name__, self._own):
                return ("module", value.__name__)
            raise NoKey(f"the module {value.__name__}")
        if self._is_of_library(value):
            return ("library", value)
        if isinstance(value, types.FunctionType):
            return self._of_function(value, depth)
        if isinstance(value, functools.partial):
            arguments = tuple(self.of(one, depth - 1) for one in value.args)
            named = self.of(value.keywords, depth - 1)
            return ("partial", self.of(value.func, depth - 1), arguments, named)
        # functools.lru_cache and numba's compiled functions are as good as what they wrap.
        for wrapped in ("__wrapped__", "py_func"):
            inner = getattr(value, wrapped, None)
            if isinstance(inner, types.FunctionType) and is_library(type(value).__module__):
                return (type(value), self._of_function(inner, depth - 1))
        raise NoKey(f"an object of type {type(value).__qualname__}")

    def _is_of_library(self, value: Any) -> bool:
        """Whether a function or class is one that a library has for everybody.

        It has a name in a module, and neither it nor its module is known to be one of chance.
        """
        path = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
        if not isinstance(path, str):
            return False
        module = getattr(value, "__module__", None)
        if isinstance(value, np.ufunc):
            module = "numpy"
        in_globals = getattr(value, "__globals__", {}).get("__name__")
        for name in dict.fromkeys((module, in_globals)):
            if isinstance(name, str) and is_library(name, self._own) and _has(name, path, value):
                if set(name.split(".")) & MODULES_OF_CHANCE or path.split(".")[-1] in _SUSPICIOUS:
                    raise NoKey(f"{name}.{path}")
                code = getattr(value, "__code__", None)
                found = CHANCE & set(code.co_names) if code is not None else ()
                if found:
                    raise NoKey(f"{name}.{path}, which has to do with {', '.join(sorted(found))}")
                return True
        return False

    def _of_method(self, method: types.MethodType, depth: int) -> Key:
        function: Any = method.__func__
        code = getattr(function, "__code__", None)
        if method.__self__ is not self._strategy or code is None or not code.co_argcount:
            raise NoKey(f"the method {method.__qualname__}")
        read = self._of_strategy(code, code.co_varnames[0], depth)
        return ("method", self._of_function(function, depth), read)

    def _of_function(self, function: types.FunctionType, depth: int) -> Key:
        code = function.__code__
        if id(function) in self._met:
            return ("again", self._met[id(function)])
        self._met[id(function)] = len(self._met)
        read = _read_by(code)
        parts: list[Any] = ["function", function.__name__, code]
        parts.append(tuple(self.of(one, depth - 1) for one in function.__defaults__ or ()))
        parts.append(self.of(function.__kwdefaults__ or {}, depth - 1))
        parts.append(self.of(dict(vars(function)), depth - 1))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            parts.append((name, self._of_cell(code, name, cell, depth)))
        for name in sorted(read.globals):
            parts.append((name, self._of_global(function, name, read.attributes, depth)))
        return tuple(parts)

    def _of_cell(self, code: types.CodeType, name: str, cell: Any, depth: int) -> Key:
        try:
            value = cell.cell_contents
        except ValueError:
            raise NoKey(f"{name}, which has no value yet") from None
        if value is self._strategy:
            return self._of_strategy(code, name, depth)
        return self.of(value, depth - 1)

    def _of_global(
        self, function: types.FunctionType, name: str, attributes: Iterable[str], depth: int
    ) -> Key:
        names = function.__globals__
        if name not in names:
            built_in = names["__builtins__"]
            built_in = built_in if isinstance(built_in, dict) else vars(built_in)
            if name not in built_in:
                raise NoKey(f"{name}, which is not defined")
            return ("builtin", name)
        value = names[name]
        if isinstance(value, types.ModuleType) and not is_library(value.__name__, self._own):
            found = [one for one in sorted(attributes) if hasattr(value, one)]
            read = tuple((one, self.of(getattr(value, one), depth - 1)) for one in found)
            return ("module", value.__name__, read)
        return self.of(value, depth - 1)

    def _of_strategy(self, code: types.CodeType, name: str, depth: int) -> Key:
        """Key of the strategy as far as some code reads it, under the name that it has there."""
        attributes = _attributes_of(code, name)
        if attributes is None:
            raise NoKey("a strategy that is handed on")
        return tuple((one, self.of(self._attribute(one), depth - 1)) for one in sorted(attributes))

    def _attribute(self, name: str) -> Any:
        strategy = self._strategy
        if name == "I":
            raise NoKey("an indicator within an indicator")
        if name == "data" and type(strategy).data is Strategy.data:
            return strategy._data
        found = inspect.getattr_static(strategy, name, None)
        if found is not None and found is vars(strategy).get(name):
            return found
        plain = isinstance(found, types.FunctionType | staticmethod)
        if hasattr(type(found), "__get__") and not plain:
            raise NoKey(f"the attribute {name}, which is computed")
        if not hasattr(strategy, name):
            raise NoKey(f"the attribute {name}, which is not there")
        return getattr(strategy, name)


def _has(module: str, path: str, value: Any) -> bool:
    """Whether a module has this very object under a name."""
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found is value


def _read_by(code: types.CodeType) -> _Read:
    """The names that code, and the code within it, looks up."""
    read = _read_or_why_not(code)
    if isinstance(read, str):
        raise NoKey(read)
    return read


@functools.lru_cache(maxsize=4096)
def _read_or_why_not(code: types.CodeType) -> _Read | str:
    """The names that code looks up, or why it cannot have a key."""
    names: set[str] = set()
    attributes: set[str] = set()
    for one in dis.get_instructions(code):
        if one.opname in _WRITES and one.argval not in code.co_cellvars:
            return f"code that writes to {one.argval}"
        if one.opname == "IMPORT_NAME" and not is_library(one.argval):
            return f"code that imports {one.argval}"
        if one.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names.add(one.argval)
        elif isinstance(one.argval, str) and one.argval in code.co_names:
            attributes.add(one.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner = _read_or_why_not(constant)
            if isinstance(inner, str):
                return inner
            names |= inner.globals
            attributes |= inner.attributes
    found = (names | attributes) & _SUSPICIOUS
    if found:
        return f"code that has to do with {', '.join(sorted(found))}"
    return _Read(frozenset(names), frozenset(attributes))


@functools.lru_cache(maxsize=4096)
def _attributes_of(code: types.CodeType, name: str) -> frozenset[str] | None:
    """The attributes that code reads of a variable; None if it does anything else with it."""
    if any(name in one.co_freevars for one in code.co_consts if isinstance(one, types.CodeType)):
        return None
    found = set()
    instructions = list(dis.get_instructions(code))
    for one, following in zip(instructions, instructions[1:] + instructions[-1:], strict=True):
        named = one.argval if isinstance(one.argval, tuple) else (one.argval,)
        if name not in named or one.opname in ("COPY_FREE_VARS", "MAKE_CELL"):
            continue
        is_variable = one.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE", "STORE_"))
        if not is_variable and not one.opname.startswith("DELETE_"):
            continue  # A constant or an attribute of the same name.
        # From Python 3.13 on one instruction loads two variables: the second is looked into.
        if name in named[:-1] or not one.opname.startswith(_LOADS):
            return None
        if following.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            return None
        found.add(following.argval)
    return frozenset(found)
