"""Functions that are defined inside another function, and read its names."""

from __future__ import annotations

import ast
import types
from typing import Any

from bigbar.compiled.translate.functions import bound, with_values
from bigbar.compiled.translate.sources import Source
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import LocalFunction, Pure, Variable


def define(unit: Unit, node: ast.FunctionDef) -> None:
    """Translate `def` inside a function: nothing runs yet."""
    unit.flow.variables[node.name] = Variable(LocalFunction(_made(unit, node), node, unit.key))
    unit.flow.bound.add(node.name)


def call_local(unit: Unit, local: LocalFunction, node: ast.Call) -> Any:
    """A call of such a function: the names of the other one are handed on as they are now."""
    if local.home != unit.key:
        raise unit.refusal(
            node, "a function inside another is called from elsewhere", "make it a method"
        )
    function = local.function
    values = bound(unit, function, local.tree, None, node.args, node.keywords, node)
    outer = unit.function.__code__.co_freevars
    for name in function.__code__.co_freevars:
        if name in outer:  # It is looked up where it belongs.
            continue
        found = unit.load(ast.copy_location(ast.Name(name, ast.Load()), node))
        values[name] = unit.number(found, node) if isinstance(found, Pure) else found
    return with_values(unit, function, unit.owner, Source(local.tree, unit.file, ""), values, node)


def _made(unit: Unit, node: ast.FunctionDef) -> types.FunctionType:
    """The function without the other one's values; the same one in every pass."""
    known = unit.builder.local_functions
    key = (unit.function, node.name, node.lineno)
    if key not in known:
        code = _code(unit, node)
        outer = unit.function
        cells = dict(zip(outer.__code__.co_freevars, outer.__closure__ or (), strict=True))
        closure = tuple(cells.get(name) or types.CellType() for name in code.co_freevars)
        made = types.FunctionType(code, outer.__globals__, node.name, None, closure)
        made.__defaults__ = tuple(_constant(unit, one) for one in node.args.defaults) or None
        made.__kwdefaults__ = {
            one.arg: _constant(unit, value)
            for one, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            if value is not None
        }
        known[key] = made
    return known[key]


def _code(unit: Unit, node: ast.FunctionDef) -> types.CodeType:
    if node.decorator_list:
        raise unit.refusal(node, "it has a decorator", "leave the decorator out")
    found = [
        one
        for one in unit.function.__code__.co_consts
        if isinstance(one, types.CodeType)
        and (one.co_name, one.co_firstlineno) == (node.name, node.lineno)
    ]
    if len(found) != 1 or "__class__" in found[0].co_freevars:
        raise unit.refusal(node, "a function inside a function that is not known")
    return found[0]


def _constant(unit: Unit, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise unit.refusal(node, "a default that is no constant") from None
