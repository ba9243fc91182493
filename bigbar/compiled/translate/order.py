"""The code of a function while it is translated, and the order of what it does."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from bigbar.compiled.translate.builder import Builder
from bigbar.compiled.translate.codes import fitting
from bigbar.compiled.translate.local_lists import changed_names, own_lists
from bigbar.compiled.translate.refusal import CannotCompile, Refusal, shown
from bigbar.compiled.translate.values import Number

#: Attributes of the broker's objects that an order, or its cancelling, changes at once.
_CHANGE_AT_ONCE = frozenset({"orders", "sl", "tp", "limit", "stop", "is_contingent"})

#: Functions that read no more than they are given.
_READ_ARGUMENTS = frozenset(
    {"abs", "min", "max", "int", "float", "bool", "round", "len", "sum", "all", "any", "str"}
)

_Made = TypeVar("_Made")


class Code:
    """Code of one function.

    Parameters
    ----------
    builder : Builder
    function : function
    owner : type
        The class it belongs to; `object` for a function of a module.
    tree : ast.FunctionDef
    file : str
    key : object
        Under which the builder keeps what was learned of it.
    itself : str
        How the strategy is called in it; empty where it is not at hand.
    """

    def __init__(
        self,
        builder: Builder,
        function: types.FunctionType,
        owner: type,
        tree: ast.FunctionDef,
        file: str,
        key: Any,
        itself: str,
    ) -> None:
        self.builder = builder
        self.function, self.owner, self.tree, self.file = function, owner, tree, file
        self.itself, self.key = itself, key
        self.lines: list[str] = []
        self.indent = 1
        #: The expression that is being translated, from its beginning.
        self.root: ast.AST | None = None
        #: How often something was changed so far.
        self.acts = 0
        self.temporaries = 0
        #: Whether what is translated is only printed.
        self.is_printed = False
        #: Whether what it returns is read by nobody.
        self.is_entry = False
        self.own_lists = own_lists(tree)
        self.changed_lists = changed_names(tree)

    def refusal(self, node: ast.AST, why: str, instead: str = "") -> CannotCompile:
        """The error to raise about a place."""
        line = getattr(node, "lineno", self.tree.lineno)
        return CannotCompile(Refusal(self.file, line, shown(node), why, instead))

    # Code.

    def emit(self, line: str) -> None:
        """Add a line at the present depth."""
        self.lines.append("    " * self.indent + line)

    def temporary(self) -> str:
        """A name that nobody else has."""
        self.temporaries += 1
        return f"t{self.temporaries}"

    def act(self, line: str, node: ast.AST) -> None:
        """Add a line that changes something.

        Raises
        ------
        CannotCompile
            If that may be something which was read earlier in the same expression: its code comes
            behind this line.
        """
        self.keep_order(node)
        self.acts += 1
        self.emit(line)

    def keep_order(self, node: ast.AST) -> None:
        """Refuse a change at a place of an expression behind one that reads what may change."""
        for one in _before(self.root, node):
            if self._may_change(one):
                raise self.refusal(
                    node, f"it may change `{shown(one)}`, which stands before it",
                    "assign the one to a name first",
                )  # fmt: skip

    def _may_change(self, node: ast.AST) -> bool:
        builder = self.builder
        for one in ast.walk(node):
            if isinstance(one, ast.Attribute):
                if one.attr in _CHANGE_AT_ONCE or one.attr in builder.lists:
                    return True
                if any(one.attr == name.partition("[")[0] for name in builder.states):
                    return True
            if (
                isinstance(one, ast.Call)
                and not (isinstance(one.func, ast.Name) and one.func.id in _READ_ARGUMENTS)
                and not self.is_pure(one)
            ):
                return True
        return False

    def is_pure(self, node: ast.expr) -> bool:
        """Whether Python can evaluate an expression once per bar."""
        raise NotImplementedError

    def apart(self, make: Callable[[], _Made]) -> tuple[_Made, list[str], bool]:
        """Make something that may be left out.

        Returns
        -------
        made : object
        lines : list of str
            Code that it takes, one step further in than the present depth.
        acted : bool
            Whether that changes anything.
        """
        start, acts, root = len(self.lines), self.acts, self.root
        self.root = None
        self.indent += 1
        try:
            made = make()
        finally:
            self.indent -= 1
            self.root = root
        lines = self.lines[start:]
        del self.lines[start:]
        return made, lines, self.acts > acts

    @contextmanager
    def within(self, node: ast.AST) -> Iterator[None]:
        """While an expression is translated."""
        before = self.root
        if before is None:
            self.root = node
        try:
            yield
        finally:
            self.root = before

    def kept(self, number: Number) -> Number:
        """A number as it is now, whatever changes later."""
        name = self.temporary()
        self.emit(f"{name} = {fitting(number)}")
        if number.none:
            self.emit(f"{name}_none = {number.none}")
        return Number(name, number.type, number.numpy, number.none and f"{name}_none")


def _before(root: ast.AST | None, node: ast.AST) -> list[ast.AST]:
    """The parts of an expression that are evaluated before one of its parts."""
    if root is None or root is node:
        return []
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(root):
        if any(one is node for one in ast.walk(child)):
            return found + _before(child, node)
        if isinstance(child, ast.expr | ast.keyword):
            found.append(child)
    return [root]
