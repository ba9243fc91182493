"""How the kernel is compiled, and where the machine code is kept between runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])

_HERE = Path(__file__).resolve().parent
#: Sources that are compiled into each other. numba notices an edit of the file a function
#: stands in, not of a helper in another file, so all of them are part of the cache's key.
_SOURCES = (*sorted(_HERE.glob("*.py")), _HERE.parent / "indicators.py")


def source_key() -> str:
    """Digest of everything that is compiled, and of the compiler's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in _SOURCES:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    """Beside the sources where that can be written, else in the user's cache."""
    beside = _HERE / "__pycache__"
    try:
        beside.mkdir(exist_ok=True)
        if os.access(beside, os.W_OK):
            return beside / f"numba-{source_key()}"
    except OSError:
        pass  # A read-only installation: the user's own cache serves as well.
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "bigbar" / f"numba-{source_key()}"


CACHE_FOLDER = _cache_folder()


def compiled(function: _Function) -> _Function:
    """Compile a function, keeping the machine code between runs.

    The lock of the interpreter is released meanwhile, so that a worker's watch over its parent
    goes on; `error_model="numpy"` makes a division by zero give what `backtesting.py` gets.
    """
    return _compiled(function)


def compiled_entry(function: _Function) -> _Function:
    """Compile a function that makes no array, only reads and writes those it is given.

    As `compiled`, without numba's reference counts: counting every array of every tuple passed
    on, and every slice, took half of the time of a sweep, and a third of the compilation's.
    """
    return _compiled(function, _nrt=False)


def compiled_inner(function: _Function) -> _Function:
    """As `compiled_entry`, for functions that only compiled ones call.

    Without the code to call them from Python, a fifth of the compilation's time. Always made part
    of the caller: a call hands over every field of every array of every tuple on its own, and
    that took a quarter of a sweep's time.
    """
    return _compiled(function, _nrt=False, no_cpython_wrapper=True, forceinline=True)


def _compiled(function: _Function, **options: bool) -> _Function:
    config: Any = numba.config
    njit: Any = numba.njit  # Its type hints leave out options that it takes.
    folder_before = config.CACHE_DIR
    config.CACHE_DIR = str(CACHE_FOLDER)
    try:
        return njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options)(
            function
        )
    finally:
        config.CACHE_DIR = folder_before


def is_cached() -> bool:
    """Whether machine code from an earlier run is there, so that this one starts at once."""
    return any(CACHE_FOLDER.rglob("*.nbc"))
