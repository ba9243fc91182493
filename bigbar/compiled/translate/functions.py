"""The trader's own methods and functions: each translated for the arguments it is given."""

from __future__ import annotations

import ast
import itertools
import re
import types
from dataclasses import replace
from typing import Any

from backtesting import Strategy

from bigbar.compiled.translate.builder import Builder, Joined
from bigbar.compiled.translate.codes import fitting
from bigbar.compiled.translate.evaluated import always_read, evaluated
from bigbar.compiled.translate.expressions import translate
from bigbar.compiled.translate.returns import give_back, returned
from bigbar.compiled.translate.scope import ARGUMENTS
from bigbar.compiled.translate.sources import Source, source_of
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    Items,
    Known,
    Listing,
    Nothing,
    Number,
    Order,
    Pure,
    Series,
    StrategyItself,
    Trade,
    Variable,
)

#: Functions inside functions.
_DEEPEST = 12


def of_super(unit: Unit, name: str, node: ast.Call) -> Any:
    """`super().name(...)`."""
    mro = unit.builder.kind.__mro__
    others = mro[mro.index(unit.owner) + 1 :]
    for kind in others:
        if kind is Strategy or kind is object:
            if name == "next":
                return Nothing()
            break
        if name in vars(kind):
            unit.builder.parts.member(others, name)
            return own_method(unit, kind, name, node.args, node.keywords, node)
    raise unit.refusal(node, f"super().{name}() has no translation")


def call_property(unit: Unit, name: str, node: ast.AST) -> Any:
    """The value of a property of the strategy."""
    return own_method(unit, unit.builder.kind, name, [], [], node)


def own_method(
    unit: Unit,
    kind: type,
    name: str,
    arguments: list[ast.expr],
    keywords: list[ast.keyword],
    node: ast.AST,
) -> Any:
    """A call of a method that the trader wrote."""
    owner = next(one for one in kind.__mro__ if name in vars(one))
    found = unit.builder.parts.member(kind.__mro__, name)
    if isinstance(found, property):
        found = found.fget
    itself: Any = StrategyItself()
    if isinstance(found, staticmethod):
        itself = None
    elif isinstance(found, classmethod):
        raise unit.refusal(node, "a class method")
    function = getattr(found, "__func__", found)
    if not isinstance(function, types.FunctionType):
        raise unit.refusal(node, f"{name!r} is no method written with def")
    return own(unit, function, owner, itself, arguments, keywords, node)


def own(
    unit: Unit,
    function: types.FunctionType,
    owner: type,
    itself: Any,
    arguments: list[ast.expr],
    keywords: list[ast.keyword],
    node: ast.AST,
) -> Any:
    """A call of a function that the trader wrote."""
    source = source_of(function, owner.__name__ if owner is not object else "")
    values = bound(unit, function, source.tree, itself, arguments, keywords, node)
    return with_values(unit, function, owner, source, values, node)


def with_values(
    unit: Unit,
    function: types.FunctionType,
    owner: type,
    source: Source,
    values: dict[str, Any],
    node: ast.AST,
) -> Any:
    """A call of a function of the trader's whose names stand for these values."""
    body = [one for one in source.tree.body if not _is_text(one)]
    itself_name = next((name for name, one in values.items() if one == StrategyItself()), "")
    inner = Unit(
        unit.builder, function, owner, source.tree, source.file, (function, "inside"), itself_name
    )
    unit.builder.parts.function(function)
    if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
        return _inside(unit, inner, values, body[0].value, node)
    return _called(unit, function, owner, source, values, itself_name, node)


def _inside(
    unit: Unit, inner: Unit, values: dict[str, Any], expression: ast.expr, node: ast.AST
) -> Any:
    """A function that is one expression, written where it is called."""
    if len(unit.builder.underway) > _DEEPEST:
        raise unit.refusal(expression, "a function that calls itself")
    inner.lines, inner.indent = unit.lines, unit.indent
    inner.temporaries = unit.temporaries
    before = len(unit.lines)
    unit.builder.underway.append(inner)
    try:
        found = _with(inner, values, expression)
        if inner.acts:  # What it is given is evaluated before.
            del unit.lines[before:]
            values = {
                name: inner.kept(one) if isinstance(one, Number) else one
                for name, one in values.items()
            }
            found = _with(inner, values, expression)
    finally:
        unit.builder.underway.pop()
        unit.temporaries = max(unit.temporaries, inner.temporaries)
    if inner.acts:
        unit.keep_order(node)
        unit.acts += inner.acts
    return found


def _with(inner: Unit, values: dict[str, Any], expression: ast.expr) -> Any:
    inner.flow.variables = {name: Variable(value) for name, value in values.items()}
    inner.flow.bound = set(values)
    found = translate(inner, expression)
    # A pure expression keeps the scope of its function.
    return inner.number(found, expression) if isinstance(found, Pure) else found


def bound(
    unit: Unit,
    function: types.FunctionType,
    tree: ast.FunctionDef,
    itself: Any,
    arguments: list[ast.expr],
    keywords: list[ast.keyword],
    node: ast.AST,
) -> dict[str, Any]:
    """What the parameters of a function stand for."""
    if tree.args.vararg or tree.args.kwarg:
        raise unit.refusal(node, "a function with * or ** among its parameters")
    names = [one.arg for one in (*tree.args.posonlyargs, *tree.args.args)]
    only = [one.arg for one in tree.args.kwonlyargs]
    given: list[Any] = [] if itself is None else [itself]
    read = _read_by(tree)

    def argument(name: str, one: ast.expr) -> Any:
        value = translate(unit, one)
        value = unit.number(value, one) if isinstance(value, Pure) else value
        return value if name in read else evaluated(unit, value)

    given += [
        argument(name, one)
        for name, one in itertools.zip_longest(names[len(given) :], arguments)
        if one is not None
    ]
    values = dict(zip(names, given, strict=False))
    if len(given) > len(names):
        raise unit.refusal(node, "too many arguments")
    for keyword in keywords:
        if keyword.arg is None or keyword.arg in values or keyword.arg not in names + only:
            raise unit.refusal(node, f"no such argument: {keyword.arg}")
        values[keyword.arg] = argument(keyword.arg, keyword.value)
    defaults = dict(zip(reversed(names), reversed(function.__defaults__ or ()), strict=False)) | (
        function.__kwdefaults__ or {}
    )
    for name in names + only:
        if name not in values:
            if name not in defaults:
                raise unit.refusal(node, f"the argument {name!r} is missing")
            value = defaults[name]
            values[name] = Nothing() if value is None else Known(value)
    return values


def _read_by(tree: ast.FunctionDef) -> frozenset[str]:
    """Names whose values are evaluated in every call."""
    body = [one for one in tree.body if not _is_text(one)]
    if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
        return always_read(body[0].value)  # It is written where it is called.
    return frozenset(one.arg for one in ast.walk(tree.args) if isinstance(one, ast.arg))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _called(
    unit: Unit,
    function: types.FunctionType,
    owner: type,
    source: Source,
    values: dict[str, Any],
    itself: str,
    node: ast.AST,
) -> Any:
    """A call of a function of the trader's, which is translated for these arguments."""
    builder = unit.builder
    key = (
        function,
        owner,
        tuple((name, _described(unit, one, node)) for name, one in values.items()),
    )
    if key in builder.underway or len(builder.underway) > _DEEPEST:
        raise unit.refusal(node, "a function that calls itself")
    name = f"{function.__name__.strip('_')}_{_place(builder, key)}"
    if key not in builder.functions:
        builder.underway.append(key)
        try:
            text, _ = text_of(builder, function, owner, source, values, name, key)
        finally:
            builder.underway.pop()
        builder.functions[key] = text
    arguments = []
    for value in values.values():
        if isinstance(value, Number):
            arguments.append(fitting(value))
            if value.none:
                arguments.append(value.none)
        elif isinstance(value, Trade | Order):
            arguments.append(value.code)
    code = f"{name}({', '.join([ARGUMENTS, *arguments])})"
    return _answer(unit, code, builder.returns[key], builder.acts[key], node)


def text_of(
    builder: Builder,
    function: types.FunctionType,
    owner: type,
    source: Source,
    values: dict[str, Any],
    name: str,
    key: Any,
) -> tuple[str, Unit]:
    """The text of a translated function."""
    itself = next((one for one, value in values.items() if value == StrategyItself()), "")
    unit = Unit(builder, function, owner, source.tree, source.file, key, itself)
    unit.is_entry = name == "next_"
    builder.parts.function(function)
    parameters = []
    for one, value in values.items():
        if isinstance(value, Number):
            parameters.append(f"a_{one}")
            none = f"a_{one}_none" if value.none else ""
            if none:
                parameters.append(none)
            value = Number(f"a_{one}", value.type, value.numpy, none=none)
        elif isinstance(value, Trade | Order):
            parameters.append(f"a_{one}")
            value = replace(value, code=f"a_{one}")
        unit.bind(one, value, source.tree, None)
    builder.block(unit, source.tree.body)
    if not unit.flow.over and not unit.is_entry:
        if not unit.returns and returned(source.tree):
            give_back(unit, ast.Return(None))
        else:
            for joined in unit.returns:
                joined.add(Nothing())
            unit.emit(unit.leave())
    builder.acts[key] = unit.acts > 0
    heading = ", ".join([ARGUMENTS, *parameters])
    decorator = [] if unit.is_entry else ["@compiled_part"]
    lines = [*decorator, f"def {name}({heading}):", *unit.prologue(), *unit.lines]
    return "\n".join(lines), unit


def _place(builder: Builder, key: Any) -> int:
    known = list(builder.locals)
    return known.index(key) if key in known else len(known)


def _answer(unit: Unit, code: str, returns: list[Joined], acts: bool, node: ast.AST) -> Any:
    if any(joined.type is None for joined in returns):
        raise unit.refusal(node, "it returns text or a time now, and a number then")
    if len(returns) == 1 and not returns[0].none:
        found = Number(code, returns[0].type or "float", returns[0].numpy)
        if not acts:
            return found
        name = unit.temporary()
        unit.act(f"{name} = {code}", node)
        return Number(name, found.type, found.numpy)
    names = [unit.temporary() for _ in range(2 * len(returns))]
    line = f"{', '.join(names)} = {code}" if names else code
    if acts:
        unit.act(line, node)
    else:
        unit.emit(line)
    found_ones: list[Any] = []
    for joined, value, none in zip(returns, names[::2], names[1::2], strict=True):
        if not joined.types:
            found_ones.append(Nothing())
        else:
            kept = none if joined.none else ""
            found_ones.append(Number(value, joined.type or "float", joined.numpy, none=kept))
    if not found_ones:
        return Nothing()
    return found_ones[0] if len(found_ones) == 1 else Items(tuple(found_ones))


def _described(unit: Unit, value: Any, node: ast.AST) -> Any:
    """What of an argument the translation of a function depends on."""
    if isinstance(value, Number):
        return ("number", value.type, value.numpy, bool(value.none))
    if isinstance(value, Trade):
        return ("trade", value.closed)
    if isinstance(value, Order):
        return ("order",)
    if isinstance(value, Known):
        simple = isinstance(value.value, bool | int | float | str)
        return ("known", type(value.value), repr(value.value), None if simple else id(value.value))
    if isinstance(value, Listing) and value.name:
        return ("list", value.name)
    if isinstance(value, Items) and not value.none:
        codes = [one.code for one in value.items if isinstance(one, Number)]
        if not any(map(_OF_HERE.search, codes)):
            return ("items", tuple(_described(unit, one, node) for one in value.items), *codes)
    if isinstance(value, Series) and not _OF_HERE.search(value.at("i") + value.length):
        return ("series", value.at("i"), value.type, value.length)
    if isinstance(value, Series | Items | Listing):
        raise unit.refusal(node, f"{described(value)} made of local values is handed on")
    return value


#: Names of the function that code stands in.
_OF_HERE = re.compile(r"\b(?:[vwab]_\w+|t\d+)\b")
