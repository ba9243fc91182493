"""Programs as machine code, loaded from their text and kept between runs like all compiled code."""

from __future__ import annotations

import hashlib
import linecache
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba as nb

from bigbar.compiled.jit import compiled_made
from bigbar.compiled.loop import CompiledNext, compiled_next

#: Where a program's text would be a file.
_NAME = "bigbar_program_"


@dataclass(frozen=True)
class Loaded:
    """Machine code of a program.

    Attributes
    ----------
    pointer : int
        Of its `next`.
    marks : callable or None
        `marks(n, M, I, P, e, out, start, stop)`: marks the bars on which `next` could do something.
    keep : CompiledNext
        What must live as long as the pointer is used.
    """

    pointer: int
    marks: Callable[..., None] | None
    keep: CompiledNext


_INTS = nb.types.Array(nb.types.int64, 1, "C")
_TABLE = nb.types.Array(nb.types.float64, 2, "C", readonly=True)
_MARKS_SIGNATURE = nb.types.void(
    _INTS, _TABLE, _TABLE, nb.types.Array(nb.types.float64, 1, "C", readonly=True), _INTS,
    nb.types.Array(nb.types.uint8, 1, "C"), nb.types.int64, nb.types.int64,
)  # fmt: skip

_loaded: dict[str, Loaded] = {}


def load(text: str) -> Loaded:
    """Compile a program, or load what an earlier run has kept.

    Raises
    ------
    Exception
        If it is none that can be compiled.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    if digest not in _loaded:
        name = f"{_NAME}{digest}"
        file = f"<{name}>"
        module = types.ModuleType(name)
        sys.modules[name] = module
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), vars(module))
        code = compiled_next(module.next_, digest)
        marks: Any = getattr(module, "marks_", None)
        made: Any = None
        if marks is not None:
            made = compiled_made(marks, f"{digest}.marks")
            made.compile(_MARKS_SIGNATURE)
        _loaded[digest] = Loaded(code.pointer, made, code)
    return _loaded[digest]
