"""Lists of numbers: changed, made, and what they come to."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any

from bigbar.compiled.translate.attributes import kept_as
from bigbar.compiled.translate.builder import Joined
from bigbar.compiled.translate.codes import as_float
from bigbar.compiled.translate.expressions import number, translate
from bigbar.compiled.translate.loops import comprehended
from bigbar.compiled.translate.places import index_of
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    Items,
    Known,
    Listing,
    Method,
    Nothing,
    Number,
    Type,
)

#: From 3.12 on `sum` makes up for what adding Python's floats loses.
SUMS_PLAINLY = sys.version_info < (3, 12)


def add_kind(unit: Unit, numbers: Listing, value: Number, node: ast.AST) -> None:
    """A number comes to a list."""
    numbers.joined.add(value)
    if numbers.joined.type is None:
        raise unit.refusal(node, "a list of text or times, and of numbers")


def as_items(value: Any) -> Items | None:
    """What is written out, as items."""
    if isinstance(value, Known) and isinstance(value.value, tuple | list):
        return Items(tuple(Nothing() if one is None else Known(one) for one in value.value))
    return value if isinstance(value, Items) and not value.none else None


def filled(unit: Unit, numbers: Listing, items: Items, node: ast.expr) -> None:
    """Make a list one of these numbers."""
    found = [unit.kept(unit.not_none(unit.number(one, node))) for one in items.items]
    for place, one in enumerate(found):
        add_kind(unit, numbers, one, node)
        unit.emit(f"S[{numbers.start} + {place}] = {kept_as(unit, one)}")
    unit.emit(f"S[{numbers.place}] = {len(found)}")


def new_list(unit: Unit) -> Listing:
    """An empty list for a while."""
    place = unit.builder.list_room()
    unit.emit(f"S[{place}] = 0.0")
    return Listing(f"{place + 1}", f"int(S[{place}])", Joined(), f"{place}")


def finished(numbers: Listing) -> Listing:
    """A list that nothing is added to any more."""
    return Listing(numbers.start, numbers.count, numbers.joined)


def appended(unit: Unit, numbers: Listing, value: Number, node: ast.AST) -> str:
    """Code that adds a number to a list."""
    add_kind(unit, numbers, value, node)
    return f"list_append(n, S, {numbers.place}, {kept_as(unit, value)})"


# Methods.


def call_method(unit: Unit, method: Method, node: ast.Call) -> Any:
    """A method of a list."""
    numbers, name = method.of, method.name
    handler = _METHODS.get(name)
    if handler is None or node.keywords:
        raise unit.refusal(node, f"{name}() of a list has no translation")
    if not numbers.place:
        raise unit.refusal(node, "a list that is made in place is changed")
    base = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    if not numbers.name and not (isinstance(base, ast.Name) and base.id in unit.own_lists):
        raise unit.refusal(node, "a list is changed by another name")
    if numbers.name and isinstance(base, ast.Name):
        raise unit.refusal(node, "a list is changed by another name", f"use self.{numbers.name}")
    if len(node.args) not in _COUNTS[name]:
        raise unit.refusal(node, "other arguments than are known")
    return handler(unit, numbers, node)


def _append(unit: Unit, numbers: Listing, node: ast.Call) -> Any:
    value = unit.not_none(unit.number(translate(unit, node.args[0]), node.args[0]))
    unit.act(appended(unit, numbers, value, node), node)
    return Nothing()


def _insert(unit: Unit, numbers: Listing, node: ast.Call) -> Any:
    index = index_of(unit, node.args[0])
    value = number(unit, node.args[1])
    add_kind(unit, numbers, value, node)
    kept = kept_as(unit, value)
    unit.act(f"list_insert(n, S, {numbers.place}, {index}, {kept})", node)
    return Nothing()


def _extend(unit: Unit, numbers: Listing, node: ast.Call) -> Any:
    value = translate(unit, node.args[0])
    items = as_items(value)
    if items is not None:
        for one in items.items:
            found = unit.not_none(unit.number(one, node.args[0]))
            unit.act(appended(unit, numbers, found, node), node)
        return Nothing()
    if not isinstance(value, Listing) or value.name == numbers.name:
        raise unit.refusal(node, f"a list is extended by {described(value)}")
    joined_with(unit, numbers, value, node)
    unit.act(f"list_extend(n, S, {numbers.place}, {value.start}, {value.count})", node)
    return Nothing()


def joined_with(unit: Unit, numbers: Listing, other: Listing, node: ast.AST) -> None:
    """The numbers of one list come to another."""
    numbers.joined.types |= other.joined.types
    numbers.joined.numpy = numbers.joined.numpy and other.joined.numpy
    if numbers.joined.type is None:
        raise unit.refusal(node, "a list of text or times, and of numbers")


def _pop(unit: Unit, numbers: Listing, node: ast.Call) -> Any:
    index = index_of(unit, node.args[0]) if node.args else "-1"
    name = unit.temporary()
    unit.act(f"{name} = list_pop(n, S, {numbers.place}, {index})", node)
    type_: Type = numbers.joined.type or "float"
    code = {"bool": f"({name} != 0.0)", "int": f"int({name})"}.get(type_, name)
    return Number(code, type_, numbers.joined.numpy)


def _clear(unit: Unit, numbers: Listing, node: ast.Call) -> Any:
    unit.act(f"S[{numbers.place}] = 0.0", node)
    return Nothing()


def _remove(unit: Unit, numbers: Listing, node: ast.Call) -> Any:
    value = number(unit, node.args[0])
    unit.act(f"list_remove(n, S, {numbers.place}, {as_float(value)})", node)
    return Nothing()


_METHODS: dict[str, Callable[[Unit, Listing, ast.Call], Any]] = {
    "append": _append, "insert": _insert, "extend": _extend, "pop": _pop, "clear": _clear,
    "remove": _remove,
}  # fmt: skip

_COUNTS: dict[str, tuple[int, ...]] = {
    "append": (1,), "insert": (2,), "extend": (1,), "pop": (0, 1), "clear": (0,), "remove": (1,),
}  # fmt: skip


# What a list comes to.


def total(unit: Unit, numbers: Listing, node: ast.AST) -> Number:
    """`sum(numbers)`."""
    type_ = numbers.joined.type or "int"
    if type_ not in ("float", "int", "bool"):
        raise unit.refusal(node, "the sum of what is no number")
    if type_ == "float" and not SUMS_PLAINLY and not numbers.joined.numpy:
        raise unit.refusal(node, "this version of Python adds floats in another way")
    code = f"list_sum(S, {numbers.start}, {numbers.count})"
    if type_ != "float":
        return Number(f"whole(n, {code})", "int")
    return Number(code, "float")


def extreme(unit: Unit, name: str, numbers: Listing, node: ast.AST) -> Number:
    """`min(numbers)` or `max(numbers)`."""
    found = numbers.at("0")
    code = f"list_{name}(n, S, {numbers.start}, {numbers.count})"
    if found.type in ("int", "bool"):
        code = f"int({code})"
        return Number(code, "int", found.numpy)
    if found.type != "float":
        raise unit.refusal(node, f"{name} of what is no number")
    return Number(code, "float", found.numpy)


# Comprehensions.


def comprehension(unit: Unit, node: ast.ListComp | ast.GeneratorExp) -> Listing:
    """A list of numbers, one after the other."""
    made = new_list(unit)
    with comprehended(unit, node) as each:
        value = unit.not_none(unit.number(translate(unit, each), each))
        unit.emit(appended(unit, made, value, node))
    return finished(made)


def mean(unit: Unit, value: Any, node: ast.Call) -> Number:
    """`np.mean` of a list."""
    return _of_floats(unit, "list_mean", value, node)


def deviation(unit: Unit, value: Any, node: ast.Call) -> Number:
    """`np.std` of a list."""
    return _of_floats(unit, "list_std", value, node)


def _of_floats(unit: Unit, name: str, value: Any, node: ast.Call) -> Number:
    if not isinstance(value, Listing) or value.joined.type != "float":
        raise unit.refusal(node, f"a mean of {described(value)}")
    return Number(f"{name}(n, S, {value.start}, {value.count})", "float", True)


LISTS = {ast.ListComp: comprehension}
