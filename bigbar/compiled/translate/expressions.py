"""Expressions: each by a translation of its own, or by what Python finds at every bar."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, TypeVar

from bigbar.compiled.translate.codes import ZERO, cast
from bigbar.compiled.translate.evaluated import evaluated
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import (
    Collection,
    Items,
    Known,
    Listing,
    Nothing,
    Number,
    Position,
    Pure,
    Series,
    Type,
    Unread,
)

#: What translates an expression, by its kind; `program` fills in those of the other modules.
HANDLERS: dict[type[ast.AST], Callable[[Unit, Any], Any]] = {}

NEGATED = {"True": "False", "False": "True"}

#: What is nothing but true or false as a number.
_THINGS = (Position, Collection, Items, Listing)

_Made = TypeVar("_Made")


def translate(unit: Unit, node: ast.expr) -> Any:
    """What an expression is.

    Raises
    ------
    CannotCompile
        If it has no translation, and Python cannot evaluate it once per bar either.
    """
    handler = HANDLERS.get(type(node))

    def make() -> Any:
        if handler is None:
            raise unit.refusal(node, f"{type(node).__name__} is not known")
        return handler(unit, node)

    return _or_else(unit, node, make, unit.pure)


def number(unit: Unit, node: ast.expr) -> Number:
    """An expression as a number; None is an error while running."""
    return _or_hoisted(unit, node, lambda found: unit.scalar(found, node))


def timed(unit: Unit, node: ast.expr) -> Number:
    """As `number`, or as a time."""
    return _or_hoisted(unit, node, lambda found: unit.plain(found, node))


def condition(unit: Unit, node: ast.expr) -> str:
    """Code of whether an expression is true."""
    if isinstance(node, ast.BoolOp):
        with unit.within(node):
            return one_by_one(unit, node, node.values, lambda one: condition(unit, one))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        code = condition(unit, node.operand)
        return NEGATED.get(code, f"(not {code})")
    return _or_hoisted(unit, node, lambda found: unit.truth(found, node))


def one_by_one(
    unit: Unit, node: ast.BoolOp | ast.Compare, parts: list[Any], make: Callable[[Any], str]
) -> str:
    """Conditions of which each is looked at only where those before it leave that open."""
    is_or = isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)
    word, settles = ("or", "True") if is_or else ("and", "False")
    found = make(parts[0])
    for one in parts[1:]:
        if found == settles:  # What follows is never looked at.
            break
        code, lines, acted = unit.apart(lambda one=one: make(one))  # type: ignore[misc]
        if acted:
            unit.keep_order(node)
        if not lines:
            found = f"({found} {word} {code})"
            continue
        name = unit.temporary()
        unit.emit(f"{name} = {found}")
        unit.emit(f"if {'not ' if is_or else ''}{name}:")
        unit.lines += lines
        unit.emit(f"    {name} = {code}")
        found = name
    return found


def _or_hoisted(unit: Unit, node: ast.expr, of_value: Callable[[Any], _Made]) -> _Made:
    """What `of_value` makes of an expression, or else of what Python finds at each bar."""

    def hoisted(node: ast.expr) -> _Made:
        found = unit.pure(node)
        return of_value(unit.hoisted(found) if isinstance(found, Pure) else found)

    return _or_else(unit, node, lambda: of_value(translate(unit, node)), hoisted)


def _or_else(
    unit: Unit, node: ast.expr, make: Callable[[], _Made], other: Callable[[ast.expr], _Made]
) -> _Made:
    """What `make` makes; what `other` does where that cannot be compiled and Python can do it."""
    before = len(unit.lines)
    with unit.within(node):
        try:
            return make()
        except CannotCompile:
            if not unit.is_pure(node):
                raise
            del unit.lines[before:]
            return other(node)


def _constant(unit: Unit, node: ast.Constant) -> Any:
    return Nothing() if node.value is None else Known(node.value)


def _name(unit: Unit, node: ast.Name) -> Any:
    value = unit.load(node)
    return Nothing() if isinstance(value, Known) and value.value is None else value


def _boolean(unit: Unit, node: ast.BoolOp) -> Any:
    """`and` and `or` give one of their operands."""
    before = len(unit.lines)
    first = translate(unit, node.values[0])
    rest, lines, acted = unit.apart(lambda: _rest(unit, node))
    if all(_is_truth(one) for one in (first, rest)):
        # Once more, as conditions.
        del unit.lines[before:]
        return Number(condition(unit, node), "bool")
    if acted:
        unit.keep_order(node)
    is_or = isinstance(node.op, ast.Or)
    one, other = (maybe(unit, value, node) for value in (first, rest))
    truth = unit.truth(one, node) if one.code else "False"
    yes, no = (one, other) if is_or else (other, one)
    if lines:
        found = either_by_lines(
            unit, truth, yes, no, node, *(([], lines) if is_or else (lines, [])), never_none=is_or
        )
    else:
        found = either(unit, truth, yes, no, node, never_none=is_or)
    return found if found.type != "float" or found.code else Nothing()


def _rest(unit: Unit, node: ast.BoolOp) -> Any:
    """The operands but the first."""
    if len(node.values) == 2:
        value = translate(unit, node.values[1])
    else:
        value = translate(
            unit, ast.copy_location(ast.BoolOp(node.op, node.values[1:]), node.values[1])
        )
    return unit.hoisted(value) if isinstance(value, Pure) else value


def _is_truth(value: Any) -> bool:
    if isinstance(value, Number):
        return value.type == "bool" and not value.none
    return isinstance(value, _THINGS) or (isinstance(value, Series) and value.type == "bool")


def maybe(unit: Unit, value: Any, node: ast.expr) -> Number:
    """A value as a number; None as one that is always None, a thing as whether it is true."""
    if isinstance(value, _THINGS):
        return Number(unit.truth(value, node), "bool")
    return Number("", none="True") if isinstance(value, Nothing) else unit.number(value, node)


def either(
    unit: Unit, truth: str, yes: Number, no: Number, node: ast.AST, *, never_none: bool = False
) -> Number:
    """`yes if truth else no`; `never_none` where `yes` was found true."""
    type_, numpy = _common(unit, yes, no, node)
    zero = ZERO[type_]
    codes = [cast(one, type_) if one.code else zero for one in (yes, no)]
    code = f"({codes[0]} if {truth} else {codes[1]})"
    yes_none = "False" if never_none else yes.none or "False"
    no_none = no.none or "False"
    none = "" if yes_none == no_none == "False" else f"({yes_none} if {truth} else {no_none})"
    return Number(code if yes.code or no.code else "", type_, numpy, none=none)


def _common(unit: Unit, yes: Number, no: Number, node: ast.AST) -> tuple[Type, bool]:
    if not yes.code or not no.code:
        known = no if not yes.code else yes
        return known.type, known.numpy
    if yes.type != no.type and {"symbol", "time", "span"} & {yes.type, no.type}:
        raise unit.refusal(node, "text or a time in one case and a number in the other")
    order: tuple[Type, ...] = ("symbol", "time", "span", "float", "int", "bool")
    return next(one for one in order if one in (yes.type, no.type)), yes.numpy and no.numpy


def either_by_lines(
    unit: Unit,
    truth: str,
    yes: Number,
    no: Number,
    node: ast.AST,
    yes_lines: list[str],
    no_lines: list[str],
    *,
    never_none: bool = False,
) -> Number:
    """As `either`, where the one or the other takes lines of code."""
    type_, numpy = _common(unit, yes, no, node)
    name = unit.temporary()
    has_none = bool(no.none or (yes.none and not never_none))
    for head, lines, one, none in (
        (f"if {truth}:", yes_lines, yes, "" if never_none else yes.none),
        ("else:", no_lines, no, no.none),
    ):
        unit.emit(head)
        unit.lines += lines
        unit.emit(f"    {name} = {cast(one, type_) if one.code else ZERO[type_]}")
        if has_none:
            unit.emit(f"    {name}_none = {none or 'False'}")
    return Number(name, type_, numpy, none=f"{name}_none" if has_none else "")


def _if(unit: Unit, node: ast.IfExp) -> Any:
    truth = condition(unit, node.test)
    if truth in ("True", "False"):
        return translate(unit, node.body if truth == "True" else node.orelse)
    parts = [node.body, node.orelse]
    (yes, no), lines, acted = _both(unit, parts)
    if acted:
        unit.keep_order(node)
    if all(isinstance(one, Nothing | Unread) for one in (yes, no)):
        if any(lines):
            _branch(unit, truth, lines)
        return Nothing() if Nothing() in (yes, no) else Unread()
    one, other = (maybe(unit, value, part) for value, part in zip((yes, no), parts, strict=True))
    if any(lines):
        return either_by_lines(unit, truth, one, other, node, *lines)
    return either(unit, truth, one, other, node)


def _both(unit: Unit, parts: list[ast.expr]) -> tuple[list[Any], list[list[str]], bool]:
    made, each, acts = [], [], False
    for part in parts:
        value, lines, acted = unit.apart(lambda part=part: translate(unit, part))  # type: ignore[misc]
        made.append(unit.hoisted(value) if isinstance(value, Pure) else value)
        each.append(lines)
        acts = acts or acted
    return made, each, acts


def _branch(unit: Unit, truth: str, lines: list[list[str]]) -> None:
    unit.emit(f"if {truth}:")
    unit.lines += lines[0]
    unit.emit("    pass")
    unit.emit("else:")
    unit.lines += lines[1]
    unit.emit("    pass")


def _items(unit: Unit, node: ast.Tuple | ast.List) -> Any:
    if any(isinstance(one, ast.Starred) for one in node.elts):
        raise unit.refusal(node, "* in a list")
    return Items(tuple(evaluated(unit, translate(unit, one)) for one in node.elts))


OWN_HANDLERS: dict[type[ast.AST], Callable[[Unit, Any], Any]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BoolOp: _boolean,
    ast.IfExp: _if,
    ast.Tuple: _items,
    ast.List: _items,
}
HANDLERS.update(OWN_HANDLERS)
