"""What no other process could import (of a notebook, of `__main__`, a lambda), sent as it is."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from bigbar.errors import SettingsError


def pickled_by_value(thing: object) -> bytes:
    """An object as any process can load it by `pickle`.

    Raises
    ------
    SettingsError
        If it holds what cannot be sent (an open file, a lock).
    """
    import cloudpickle  # Only here: most strategies can be imported.

    try:
        return bytes(cloudpickle.dumps(thing))
    except Exception as problem:
        raise SettingsError(
            f"{getattr(thing, '__qualname__', thing)!s} cannot be sent to other processes "
            f"({problem}); put it into a file of its own and import it"
        ) from problem


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
