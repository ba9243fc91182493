"""How the kernel is compiled, and where the machine code is kept between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import types

from bigbar.compiled.code_cache import CodeCache, find_folder, is_there, versions
from bigbar.compiled.indices import CountingFromZero

_Function = TypeVar("_Function", bound=Callable[..., Any])

_HERE = Path(__file__).resolve().parent
#: Sources that are compiled into each other. numba notices an edit of the file a function
#: stands in, not of a helper in another file, so all of them are part of the cache's key.
_SOURCES = (*sorted(_HERE.rglob("*.py")), *sorted((_HERE.parent / "strategies").rglob("*.py")))


def source_key() -> str:
    """Digest of everything that is compiled, and of what compiles it."""
    digest = hashlib.sha256(versions().encode())
    for source in _SOURCES:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


#: Where the machine code is kept; None where nothing can be written.
CACHE_FOLDER = find_folder(_HERE / "__pycache__", f"numba-{source_key()}")

# What has to be said about it, once each.
_told: dict[str, None] = {}


def compiled(function: _Function) -> _Function:
    """Compile a function, keeping the machine code between runs.

    The lock of the interpreter is released meanwhile, so that a worker's watch over its parent
    goes on; `error_model="numpy"` makes a division by zero give what `backtesting.py` gets. No
    variable that is an index may be negative, see `bigbar.compiled.indices`.
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


def compiled_within(function: _Function) -> _Function:
    """As `compiled_inner`, but compiled as a part of each caller only, not by itself first."""
    return _compiled(function, None, _nrt=False, no_cpython_wrapper=True, inline="always")


def compiled_apart(function: _Function) -> _Function:
    """As `compiled_inner`, but a function of its own: for what is long and seldom called."""
    return _compiled(function, _nrt=False, no_cpython_wrapper=True)


def compiled_part(function: _Function) -> _Function:
    """As `compiled_inner`, for functions that were made while the program runs.

    Not kept on its own, only as a part of what calls it. Its indices may count from the end.
    """
    return _compiled(
        function, None, counting_from_zero=False, _nrt=False, no_cpython_wrapper=True,
        forceinline=True,
    )  # fmt: skip


def compiled_made(function: _Function, name: str) -> _Function:
    """As `compiled_entry`, for functions that were made while the program runs.

    Parameters
    ----------
    function : callable
        Its module must be one that can be imported.
    name : str
        What its machine code is kept by. It must belong to the function alone, and to the sources
        of all that it calls outside of this package.
    """
    return _compiled(function, name, _nrt=False)


def _compiled(
    function: _Function,
    name: str | None = "",
    *,
    counting_from_zero: bool = True,
    **options: Any,
) -> _Function:
    """Compile, keeping the machine code by this name or the function's own; None: not at all."""
    njit: Any = numba.njit  # Its type hints leave out options that it takes.
    made = njit(
        nogil=True,
        error_model="numpy",
        no_cfunc_wrapper=True,
        pipeline_class=CountingFromZero if counting_from_zero else None,
        **options,
    )(function)
    if not hasattr(made, "_cache"):  # With NUMBA_DISABLE_JIT.
        return cast(_Function, made)
    _compile_once(made)
    if name is not None and CACHE_FOLDER is not None:
        made._cache = CodeCache(
            function, CACHE_FOLDER, lambda said: _told.setdefault(said), name=name
        )
    return cast(_Function, made)


def _compile_once(made: Any) -> None:
    """Have no code of its own for a constant as an argument: what calls it knows the constant."""
    template = made.get_call_template

    def get_call_template(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        named = {name: types.unliteral(one) for name, one in kws.items()}
        return template(tuple(types.unliteral(one) for one in args), named)

    made.get_call_template = get_call_template


def is_cached(function: str) -> bool:
    """Whether machine code of a function is there from an earlier run, which then starts at once.

    Parameters
    ----------
    function : str
        See `bigbar.engines.contract.EngineKind.compiles`.
    """
    return is_there(CACHE_FOLDER, function)


def what_to_say() -> list[str]:
    """What was found out about the machine code that is kept, and has not been said yet."""
    said = list(_told)
    _told.clear()
    return said
