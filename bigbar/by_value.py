"""What no other process could import (of a notebook, of `__main__`, a lambda), sent as it is."""

from __future__ import annotations

import linecache
import pickle
import types
from collections.abc import Callable, Iterator
from typing import Any

from bigbar.errors import SettingsError


def pickled_by_value(thing: object, *, edited: types.ModuleType | None = None) -> bytes:
    """An object as any process can load it by `pickle`.

    Parameters
    ----------
    thing : object
    edited : module, optional
        Whose file says something else by now: what is of it is sent as well, not its name.

    Raises
    ------
    SettingsError
        If it holds what cannot be sent (an open file, a lock).
    """
    import cloudpickle  # Only here: most strategies can be imported.

    try:
        if edited is not None:
            cloudpickle.register_pickle_by_value(edited)
        try:
            return pickle.dumps(_Sent(bytes(cloudpickle.dumps(thing)), *_sources_of(thing)))
        finally:
            if edited is not None:
                cloudpickle.unregister_pickle_by_value(edited)
    except Exception as problem:
        raise SettingsError(
            f"{getattr(thing, '__qualname__', thing)!s} cannot be sent to other processes "
            f"({problem}); put it into a file of its own and import it"
        ) from problem


class _Sent:
    """A pickled object, and the text of its functions, which they lose on the way."""

    def __init__(self, held: bytes, files: dict[str, str], texts: dict[str, list[str]]) -> None:
        self._contents = held, files, texts

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, self._contents


def _received(held: bytes, files: dict[str, str], texts: dict[str, list[str]]) -> Any:
    thing = pickle.loads(held)
    for file, lines in texts.items():
        linecache.cache.setdefault(file, (sum(map(len, lines)), None, lines, file))
    for function in _functions_of(thing):
        place = _place(function)
        if place in files:
            function.__code__ = function.__code__.replace(co_filename=files[place])
    return thing


def _sources_of(thing: object) -> tuple[dict[str, str], dict[str, list[str]]]:
    """File of each function by its place, and the lines of each file."""
    files = {_place(one): one.__code__.co_filename for one in _functions_of(thing)}
    texts = {file: linecache.getlines(file) for file in set(files.values())}
    return files, {file: lines for file, lines in texts.items() if lines}


def _place(function: types.FunctionType) -> str:
    return f"{function.__qualname__}:{function.__code__.co_firstlineno}"


def _functions_of(thing: object) -> Iterator[types.FunctionType]:
    """A function or the methods of a class, and what they call of the same module."""
    todo, seen = [thing], set()
    while todo:
        one: Any = todo.pop()
        one = getattr(one, "fget", None) or getattr(one, "__func__", one)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, type):
            for kind in one.__mro__:
                if kind.__module__ == one.__module__:
                    todo += vars(kind).values()
        elif isinstance(one, types.FunctionType):
            yield one
            called = (one.__globals__.get(name) for name in one.__code__.co_names)
            kinds = (type, types.FunctionType)
            todo += [
                each
                for each in called
                if isinstance(each, kinds) and each.__module__ == one.__module__
            ]


class ByValue:
    """A function that can be sent to any process.

    Parameters
    ----------
    function : callable
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.function(*arguments, **options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByValue) and self.function == other.function

    def __hash__(self) -> int:
        return hash(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded, (pickled_by_value(self.function),)


def _loaded(held: bytes) -> ByValue:
    return ByValue(pickle.loads(held))
