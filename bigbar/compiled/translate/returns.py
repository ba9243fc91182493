"""What a function gives back."""

from __future__ import annotations

import ast

from bigbar.compiled.translate.builder import Joined
from bigbar.compiled.translate.evaluated import evaluated
from bigbar.compiled.translate.expressions import translate
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import Items, Nothing, Number


def give_back(unit: Unit, node: ast.Return) -> None:
    """Translate a return statement."""
    value = Nothing() if node.value is None else translate(unit, node.value)
    if unit.is_entry:
        evaluated(unit, value)
        unit.emit("return")
        return
    if isinstance(value, Items) and value.none:
        raise unit.refusal(node, "it returns a tuple that may be None")
    items = value.items if isinstance(value, Items) else (value,)
    given: list[Number | Nothing] = [
        one if isinstance(one, Nothing) else unit.number(one, node.value or ast.Constant(None))
        for one in items
    ]
    if not unit.returns and not returned(unit.tree):
        unit.emit("return")
        return
    while len(unit.returns) < len(given):
        unit.returns.append(Joined())
    if len(given) != len(unit.returns):
        raise unit.refusal(node, "it returns now one value, now several")
    for joined, one in zip(unit.returns, given, strict=True):
        joined.add(one)
    unit.emit(f"return {unit.given(given)}")


def returned(tree: ast.FunctionDef) -> bool:
    """Whether a function gives anything back."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Return) and one.value is not None:
            return True
        if not isinstance(one, ast.FunctionDef | ast.Lambda):  # Those give back to others.
            todo += ast.iter_child_nodes(one)
    return False
