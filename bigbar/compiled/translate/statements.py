"""Statements: branches, loops, and what leaves them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from bigbar.compiled.translate.assignments import (
    annotated,
    assign,
    augmented,
    delete,
    is_plain,
    store,
)
from bigbar.compiled.translate.closures import define
from bigbar.compiled.translate.evaluated import evaluated
from bigbar.compiled.translate.expressions import condition, translate
from bigbar.compiled.translate.lists import as_items
from bigbar.compiled.translate.loops import Turns, leave_loop, repeated, taken, turns_of
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.compiled.translate.returns import give_back
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import Items, Known, Number, Variable


def block(unit: Unit, body: list[ast.stmt]) -> None:
    """Translate statements one after the other."""
    start = len(unit.lines)
    for one in body:
        if unit.flow.over:
            break
        statement(unit, one)
    if len(unit.lines) == start:
        unit.emit("pass")


def statement(unit: Unit, node: ast.stmt) -> None:
    """Translate a statement.

    Raises
    ------
    CannotCompile
        If it has no translation.
    """
    handler = _HANDLERS.get(type(node))
    indent = unit.indent
    try:
        if handler is None:
            raise unit.refusal(node, f"{type(node).__name__} statements are not known")
        handler(unit, node)
    except CannotCompile as problem:
        if unit.builder.refused is None:
            raise
        unit.indent = indent
        unit.builder.refused[problem.refusal] = None


def _expression(unit: Unit, node: ast.Expr) -> None:
    if isinstance(node.value, ast.Constant):
        return
    instead = as_statement(node)
    if instead is not None:
        statement(unit, instead)
        return
    evaluated(unit, translate(unit, node.value))


def as_statement(node: ast.Expr) -> ast.stmt | None:
    """The statement that an expression stands for of which nobody reads the value."""
    value, found = node.value, None
    if isinstance(value, ast.IfExp):
        found = ast.If(value.test, [ast.Expr(value.body)], [ast.Expr(value.orelse)])
    elif isinstance(value, ast.BoolOp):
        *tests, last = value.values
        is_and = isinstance(value.op, ast.And)
        test = tests[0] if len(tests) == 1 else ast.BoolOp(value.op, tests)
        if not is_and:
            test = ast.UnaryOp(ast.Not(), test)
        found = ast.If(test, [ast.Expr(last)], [])
    elif isinstance(value, ast.ListComp) and len(value.generators) == 1:
        part = value.generators[0]
        if len(part.ifs) <= 1 and isinstance(value.elt, ast.Call):
            body: list[ast.stmt] = [ast.Expr(value.elt)]
            for test in part.ifs:
                body = [ast.If(test, body, [])]
            loop = ast.For(part.target, part.iter, body, [])
            return ast.fix_missing_locations(ast.copy_location(loop, node))
    return found and ast.fix_missing_locations(ast.copy_location(found, node))


def _tested(unit: Unit, node: ast.expr) -> str:
    """Code of a condition; what it guards is looked at also where it cannot be compiled."""
    try:
        return condition(unit, node)
    except CannotCompile as problem:
        if unit.builder.refused is None:
            raise
        unit.builder.refused[problem.refusal] = None
        return "True"


def _if(unit: Unit, node: ast.If) -> None:
    unit.emit(f"if {_tested(unit, node.test)}:")
    before = unit.flow.copy()
    unit.indent += 1
    block(unit, node.body)
    unit.indent -= 1
    after_body, unit.flow = unit.flow, before
    if node.orelse:
        unit.emit("else:")
        unit.indent += 1
        block(unit, node.orelse)
        unit.indent -= 1
    unit.merge(after_body, unit.flow)


def _for(unit: Unit, node: ast.For) -> None:
    if node.orelse:
        raise unit.refusal(node, "else of a loop")
    turns = turns_of(unit, node.iter, node.target)
    items = as_items(turns.value)
    if items is not None and turns.first == "0":
        _unrolled(unit, node, items, turns)
        return
    with repeated(unit, node), taken(unit, turns, node):
        block(unit, node.body)


def _unrolled(unit: Unit, node: ast.For, value: Items, turns: Turns) -> None:
    """A loop over what is written out, written down once for each."""
    if any(isinstance(one, ast.Break | ast.Continue) for one in ast.walk(node)):
        raise unit.refusal(node, "break or continue in a loop over what is written out")
    # All are there before the first turn changes anything.
    items: list[Any] = [unit.kept(one) if isinstance(one, Number) else one for one in value.items]
    for place, one in enumerate(items):
        if turns.counter is not None:
            unit.bind(turns.counter.id, Number(repr(place), "int"), node, None)
        kept: Any = unit.constant(one.value, node) if is_plain(one) else one
        if isinstance(kept, Known) and isinstance(kept.value, tuple | list):
            kept = as_items(kept)
        store(unit, turns.target, kept, node, None)
        block(unit, node.body)
        if unit.flow.over:
            break


def _while(unit: Unit, node: ast.While) -> None:
    if node.orelse:
        raise unit.refusal(node, "else of a loop")
    with repeated(unit, node):
        unit.emit("while True:")
        unit.indent += 1
        unit.emit(f"if n[ERR] != 0 or not {_tested(unit, node.test)}:")
        unit.emit("    break")
        block(unit, node.body)
        unit.indent -= 1


def _return(unit: Unit, node: ast.Return) -> None:
    give_back(unit, node)
    unit.flow.over = True


def _pass(unit: Unit, node: ast.Pass) -> None:
    """Nothing is emitted: `block` does that where nothing else is."""


def _try(unit: Unit, node: ast.Try) -> None:
    """Where anything in it raises, Python runs the combination: what is caught never happens."""
    leaves = ast.Return | ast.Break | ast.Continue
    if node.finalbody and any(
        isinstance(one, leaves) for part in (*node.body, *node.orelse) for one in ast.walk(part)
    ):
        raise unit.refusal(node, "finally behind what leaves the function or the loop")
    for one in (*node.body, *node.orelse, *node.finalbody):
        if unit.flow.over:
            return
        statement(unit, one)


def _assert(unit: Unit, node: ast.Assert) -> None:
    unit.emit(f"if not {condition(unit, node.test)}:")
    unit.emit("    n[ERR] = E_ASSERT")


def _raise(unit: Unit, node: ast.Raise) -> None:
    unit.emit("n[ERR] = E_ASSERT")
    unit.emit(unit.leave())
    unit.flow.over = True


def _import(unit: Unit, node: ast.Import | ast.ImportFrom) -> None:
    scope: dict[str, Any] = {"__package__": unit.function.__globals__.get("__package__")}
    scope["__name__"] = unit.function.__globals__.get("__name__")
    try:
        exec(compile(ast.Module([node], []), unit.file, "exec"), scope)
    except Exception:
        raise unit.refusal(node, "the import fails") from None
    for one in node.names:
        name = one.asname or one.name.partition(".")[0]
        if name not in scope or one.name == "*":
            raise unit.refusal(node, "an import of everything")
        unit.flow.variables[name] = Variable(Known(scope[name]))
        unit.flow.bound.add(name)


_HANDLERS: dict[type, Callable[[Unit, Any], None]] = {
    ast.Expr: _expression,
    ast.Assign: assign,
    ast.AnnAssign: annotated,
    ast.AugAssign: augmented,
    ast.Delete: delete,
    ast.If: _if,
    ast.For: _for,
    ast.While: _while,
    ast.Return: _return,
    ast.Break: leave_loop,
    ast.Continue: leave_loop,
    ast.Pass: _pass,
    ast.Try: _try,
    ast.Assert: _assert,
    ast.FunctionDef: define,
    ast.Raise: _raise,
    ast.Import: _import,
    ast.ImportFrom: _import,
}
