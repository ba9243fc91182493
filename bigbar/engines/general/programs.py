"""Programs as machine code, loaded from their text and kept between runs like all compiled code."""

from __future__ import annotations

import hashlib
import linecache
import sys
import types
from dataclasses import dataclass
from typing import Any

from bigbar.compiled.loop import ByPointer, compiled_marks, compiled_next

#: Where a program's text would be a file.
_NAME = "bigbar_program_"


@dataclass(frozen=True)
class Loaded:
    """Machine code of a program.

    Attributes
    ----------
    pointer : int
        Of its `next`.
    next, marks : ByPointer
        The second, which marks the bars on which it could do something, is None where all are.
    """

    next: ByPointer
    marks: ByPointer | None


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
        marks: Any = getattr(module, "marks_", None)
        _loaded[digest] = Loaded(
            compiled_next(module.next_, digest),
            None if marks is None else compiled_marks(marks, digest),
        )
    return _loaded[digest]
