"""Values that Python evaluates, whether or not they are read later: that may raise."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Any

from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import Items, Number, Order, Pure, Trade

#: A call that may leave an error; one of a function of the trader's.
_LEAVES, _OF_THEIRS = re.compile(r"\(n, |n\[ERR\]"), re.compile(r"\b(\w+)\(f, n, M, ")

#: Attributes that can be asked for at every bar.
_THERE = frozenset({"df", "s", "iloc", "values", "T", "index", "data"})


def may_raise(unit: Unit, code: str) -> bool:
    """Whether running code may leave an error."""
    if _LEAVES.search(code):
        return True
    texts = unit.builder.functions.values()
    for name in _OF_THEIRS.findall(code):
        text = next((one for one in texts if f"def {name}(" in one), None)
        if text is None or may_raise(unit, text.partition(":\n")[2]):
            return True
    return False


def evaluated(unit: Unit, value: Any) -> Any:
    """A value after code that comes to it here, where that may raise."""
    if isinstance(value, Items):
        if value.none:  # Its items are there only where it is.
            return value
        return replace(value, items=tuple(evaluated(unit, one) for one in value.items))
    if isinstance(value, Pure):
        code = raising(unit, value)
        if code:
            unit.emit(f"{unit.temporary()} = {code}")
    elif isinstance(value, Number):
        if may_raise(unit, value.code + value.none):
            return unit.kept(value)
    elif isinstance(value, Trade | Order) and may_raise(unit, value.code):
        name = unit.temporary()
        unit.emit(f"{name} = {value.code}")
        return replace(value, code=name)
    return value


def raising(unit: Unit, value: Pure) -> str:
    """Code that leaves an error where Python raises; empty where it never does."""
    if _cannot_raise(value.node):
        return ""
    whole = ast.Compare(value.node, [ast.Is()], [ast.Constant(None)])
    code = unit.hoisted(Pure(ast.copy_location(whole, value.node))).code
    return code if may_raise(unit, code) else ""


def _cannot_raise(node: ast.AST) -> bool:
    """Whether an expression of bars and parameters can be evaluated at every bar."""
    if isinstance(node, ast.Subscript):
        return _is_safe_place(node.slice) and _cannot_raise(node.value)
    if isinstance(node, ast.Attribute):
        whole = node.attr in _THERE or isinstance(node.value, ast.Name)
        return (whole or ast.unparse(node.value).endswith(".data")) and _cannot_raise(node.value)
    return isinstance(node, ast.Name | ast.Constant)


def _is_safe_place(node: ast.expr) -> bool:
    """Whether a place is the last one, or a slice between whole numbers."""
    if not isinstance(node, ast.Slice):
        return ast.unparse(node) == "-1"
    ends = [one for one in (node.lower, node.upper, node.step) if one is not None]
    written = [ast.unparse(one) for one in ends]
    return all(re.fullmatch(r"-?\d+", one) for one in written) and (
        node.step is None or written[-1].lstrip("-").strip("0") != ""
    )


def always_read(node: ast.AST) -> frozenset[str]:
    """Names that an expression reads in every case."""
    if isinstance(node, ast.Name):
        return frozenset({node.id})
    if isinstance(node, ast.BoolOp):
        parts: list[ast.AST] = [node.values[0]]
    elif isinstance(node, ast.IfExp):
        parts = [node.test]
    elif isinstance(node, ast.Compare):
        parts = [node.left, node.comparators[0]]
    elif isinstance(node, ast.Lambda):
        parts = []
    elif isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
        parts = [node.generators[0].iter]
    else:
        parts = list(ast.iter_child_nodes(node))
    return frozenset().union(*map(always_read, parts))
