"""Machine code that is kept between runs, under a digest: nothing else is ever run.

numba's own cache runs what it finds: a byte that flipped on the disk ends in a traceback, a crash,
or another number. And its index of files is written by every process anew. Here each function and
signature has one file, by a name that says so, whose digest covers that name and its contents. What
is damaged is dropped, and compiled again.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from bigbar import private_cache

#: How the files are named.
_ENDING = ".code"


def versions() -> str:
    """What machine code depends on besides the sources."""
    return f"{numba.__version__} {llvmlite.__version__} {sys.implementation.cache_tag}"


def find_folder(beside: Path, name: str) -> Path | None:
    """Where machine code can be kept: see `bigbar.private_cache.find_folder`.

    In `NUMBA_CACHE_DIR` where that is set. Where nothing can be written at all, everything is
    compiled in each run.

    Parameters
    ----------
    beside : Path
        The folder beside the sources.
    name : str
        Of the folder in there.
    """
    config: Any = numba.config
    return private_cache.find_folder(beside, name, given=str(config.CACHE_DIR or ""))


class CodeCache(_Cache):
    """What numba asks for the machine code of one function.

    Parameters
    ----------
    function : callable
        As Python has it.
    folder : Path
    tell : callable
        Is told in words what could not be read or kept.
    name : str, optional
        Of a function that has none of its own, because it was made while the program runs.
    """

    def __init__(
        self,
        function: Callable[..., object],
        folder: Path,
        tell: Callable[[str], object],
        *,
        name: str = "",
    ) -> None:
        code = function.__code__
        self._name = f"{function.__module__}.{function.__qualname__}:{code.co_firstlineno}"
        if name:
            self._name = f"{name}.{self._name}"
        self._folder = folder
        self._tell = tell
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """The folder."""
        return str(self._folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function, or None where it is not there."""
        # numba's own cache has the context refreshed, which imports all that can be compiled and
        # takes longer than everything else here. What is compiled asks for that by itself.
        rtsys.initialize(target_context)
        if not self._enabled:
            return None
        key = self._key(sig, target_context.codegen())
        try:
            contents = private_cache.read(self._path(key), key)
        except private_cache.Damaged:
            self._tell("kept machine code was damaged; it is compiled again")
            return None
        if contents is None:
            return None
        return CompileResult._rebuild(target_context, *pickle.loads(contents))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function."""
        if not self._enabled or data.library.has_dynamic_globals:
            return
        key = self._key(sig, data.codegen)
        try:
            private_cache.write(self._path(key), key, dumps(data._reduce()))
        except OSError as problem:
            self._tell(f"machine code cannot be kept in {self._folder} ({problem.strerror})")

    def enable(self) -> None:
        """Load and keep from here on."""
        self._enabled = True

    def disable(self) -> None:
        """Neither load nor keep from here on."""
        self._enabled = False

    def flush(self) -> None:
        """There is nothing that has not been written."""

    def _key(self, sig: Any, codegen: Any) -> str:
        return f"{self._name} {sig} {codegen.magic_tuple()}"

    def _path(self, key: str) -> Path:
        named = hashlib.sha256(key.encode()).hexdigest()[:24]
        return self._folder / f"{_readable(self._name.rpartition('.')[2])}-{named}{_ENDING}"


def _readable(name: str) -> str:
    return "".join(one if one.isalnum() else "-" for one in name)


def is_there(folder: Path | None, function: str) -> bool:
    """Whether machine code of a function by that name is kept there."""
    return folder is not None and any(folder.glob(f"{_readable(function)}-*{_ENDING}"))
