"""What cannot be compiled, said with file, line and reason."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from pathlib import Path

#: So much of an expression is shown.
_SHOWN = 70


@dataclass(frozen=True)
class Refusal:
    """A place in the trader's code that has no translation.

    Attributes
    ----------
    file : str
    line : int
    code : str
        The expression or statement, shortened.
    why : str
    instead : str
        What to write in its place; empty where nothing better is known.
    """

    file: str
    line: int
    code: str
    why: str
    instead: str = ""

    def __str__(self) -> str:
        said = f"{Path(self.file).name}:{self.line}: `{self.code}` cannot be compiled: {self.why}"
        return f"{said}; {self.instead}" if self.instead else said


class CannotCompile(Exception):
    """A strategy that has no translation."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def renamed(name: ast.Name, new: str) -> None:
    """Give a name another one in the translation; messages have the one that was written."""
    name.written = getattr(name, "written", name.id)  # type: ignore[attr-defined]
    name.id = new


def shown(node: ast.AST) -> str:
    """The code of a node as it was written, on one line, shortened."""
    node = copy.deepcopy(node)
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            one.id = getattr(one, "written", one.id)
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
