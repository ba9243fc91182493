"""What `next` changes of a strategy: attributes, entries of dictionaries, tuples, lists."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterator
from typing import Any

from backtesting import Strategy

from bigbar.compiled.translate.sources import source_of

#: Methods that change a list.
CHANGES = frozenset(
    {"append", "pop", "clear", "insert", "extend", "remove", "reverse", "sort", "popleft",
     "appendleft", "extendleft", "rotate"}
)  # fmt: skip


def has_value(strategy: Any, name: str) -> bool:
    """Whether there is what `value_at` gives."""
    base, key = _parted(name)
    if key is None:
        return hasattr(strategy, base)
    whole = getattr(strategy, base, None)
    if isinstance(whole, tuple):
        return isinstance(key, int) and key < len(whole)
    return isinstance(whole, dict) and key in whole


def is_computed(kind: type, name: str) -> bool:
    """Whether asking for an attribute runs code of its own: `cached_property`, and its like.

    Properties and methods are translated, and are not meant.
    """
    member = inspect.getattr_static(kind, name, None)
    known = (property, types.FunctionType, staticmethod, classmethod)
    return hasattr(type(member), "__get__") and not isinstance(member, known)


def value_at(strategy: Any, name: str) -> Any:
    """An attribute of a strategy, or `attribute[key]` of a dictionary or tuple there."""
    base, key = _parted(name)
    value = getattr(strategy, base)
    return value if key is None else value[key]


def base_of(name: str) -> str:
    """The attribute that a name stands for, or for a part of."""
    return _parted(name)[0]


def part_name(name: str, place: int) -> str:
    """How a part of a tuple is called."""
    return f"{name}[{place}]"


def _parted(name: str) -> tuple[str, Any]:
    base, _, key = name.partition("[")
    return base, ast.literal_eval(key[:-1]) if key else None


def find_state(kind: type[Strategy]) -> tuple[str, ...]:
    """Attributes that `next`, or a method that it may call, assigns or changes."""
    found = {name: None for node, itself in _nodes(kind) for name in _changed(node, itself)}
    return tuple(sorted(found))


def find_rebound(kind: type[Strategy]) -> frozenset[str]:
    """Attributes that are assigned as a whole."""
    return frozenset(
        node.attr
        for node, itself in _nodes(kind)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store | ast.Del)
        and is_attribute(node, itself)
    )


def find_arities(kind: type[Strategy]) -> dict[str, set[int]]:
    """How many parts the tuples have that are assigned to attributes."""
    found: dict[str, set[int]] = {}
    for node, itself in _nodes(kind):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            for target in node.targets:
                if is_attribute(target, itself):
                    arities = found.setdefault(target.attr, set())  # type: ignore[attr-defined]
                    arities.add(len(node.value.elts))
    return found


def _nodes(kind: type[Strategy]) -> Iterator[tuple[ast.AST, str]]:
    for owner, function in _methods(kind):
        tree = source_of(function, owner.__name__).tree
        itself = tree.args.args[0].arg if tree.args.args else ""
        for node in ast.walk(tree):
            yield node, itself


def _changed(node: ast.AST, itself: str) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        if is_attribute(node, itself):
            yield node.attr
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        entry = entry_name(node, itself)
        if entry:
            yield entry
        elif is_attribute(node.value, itself):
            yield node.value.attr  # type: ignore[attr-defined]
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CHANGES
        and is_attribute(node.func.value, itself)
    ):
        yield node.func.value.attr  # type: ignore[attr-defined]


def is_attribute(node: ast.AST, itself: str) -> bool:
    """Whether an expression is an attribute of the strategy."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == itself
    )


def entry_name(node: ast.Subscript, itself: str) -> str:
    """`attribute['key']` of a dictionary that is the strategy's attribute; else empty."""
    base, key = node.value, node.slice
    if (
        isinstance(base, ast.Attribute)
        and isinstance(base.value, ast.Name)
        and base.value.id == itself
        and isinstance(key, ast.Constant)
        and isinstance(key.value, str)
    ):
        return f"{base.attr}[{key.value!r}]"
    return ""


def _methods(kind: type[Strategy]) -> list[tuple[type, types.FunctionType]]:
    """The methods that are called from `next` by name, over and over."""
    todo, seen = ["next"], set()
    found: list[tuple[type, types.FunctionType]] = []
    while todo:
        name = todo.pop()
        if name in seen or name in ("init", "__init__"):
            continue
        seen.add(name)
        for owner in kind.__mro__:
            function = vars(owner).get(name)
            if isinstance(function, property):
                function = function.fget
            function = getattr(function, "__func__", function)
            if owner is Strategy or not isinstance(function, types.FunctionType):
                continue
            found.append((owner, function))
            tree = source_of(function, owner.__name__).tree
            todo += [one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)]
    return found
