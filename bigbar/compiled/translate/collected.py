"""What many numbers come to: their length, sum, extremes; whether all or any are true."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bigbar.compiled.translate.codes import cast
from bigbar.compiled.translate.expressions import condition, number, translate
from bigbar.compiled.translate.kinds import ROOM
from bigbar.compiled.translate.lists import (
    SUMS_PLAINLY,
    as_items,
    comprehension,
    deviation,
    extreme,
    finished,
    mean,
    total,
)
from bigbar.compiled.translate.loops import comprehended
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    Collection,
    Data,
    Items,
    Known,
    Listing,
    Matrix,
    Number,
    Series,
)


def arguments_of(unit: Unit, node: ast.Call, least: int, most: int) -> list[ast.expr]:
    """The arguments of a call that takes no keywords, so many of them."""
    if node.keywords or not least <= len(node.args) <= most:
        raise unit.refusal(node, "other arguments than are known")
    return node.args


def _len(unit: Unit, node: ast.Call) -> Any:
    (argument,) = arguments_of(unit, node, 1, 1)
    value = translate(unit, argument)
    if isinstance(value, Data):
        return Number("(i + 1)", "int")
    if isinstance(value, Series):
        return Number(value.length, "int")
    if isinstance(value, Collection):
        return Number(unit.count_of(value), "int")
    if isinstance(value, Items):
        return Number(repr(len(value.items)), "int")
    if isinstance(value, Listing):
        return Number(value.count, "int", most=ROOM)
    if isinstance(value, Matrix):
        return Number(repr(len(value.rows)), "int", most=len(value.rows))
    if isinstance(value, Known) and isinstance(value.value, tuple | list | str):
        return Number(repr(len(value.value)), "int")
    raise unit.refusal(node, f"the length of {described(value)}")


def _extreme(name: str) -> Callable[[Unit, ast.Call], Any]:
    """`min` and `max`: which of two equal ones, and NaN, as Python has it."""

    def handler(unit: Unit, node: ast.Call) -> Any:
        if node.keywords:
            raise unit.refusal(node, "other arguments than are known")
        if len(node.args) > 1:
            return _extreme_of(name, [number(unit, one) for one in node.args])
        value = _listed(unit, node.args[0])
        if isinstance(value, Listing):
            return extreme(unit, name, value, node)
        items = as_items(value)
        if items is None or not items.items:
            raise unit.refusal(node, f"{name}() of {described(value)}")
        return _extreme_of(name, [unit.scalar(one, node) for one in items.items])

    return handler


def _extreme_of(name: str, values: list[Number]) -> Number:
    found = values[0]
    for one in values[1:]:
        whole = "float" not in (found.type, one.type)
        type_ = found.type if found.type == one.type else "int" if whole else "float"
        most = max(found.most, one.most)
        # Not kept yet, a whole number may be a large one.
        sides = [each.code if each.type == type_ else cast(each, type_) for each in (found, one)]
        code = f"py_{name}({', '.join(sides)})"
        found = Number(code, type_, found.numpy and one.numpy, most=most)
    return found


def _listed(unit: Unit, node: ast.expr) -> Any:
    """What an argument is; what gives one number after the other, as a list."""
    if isinstance(node, ast.GeneratorExp):
        return comprehension(unit, node)
    return translate(unit, node)


def _all_or_any(word: str) -> Callable[[Unit, ast.Call], Any]:
    def handler(unit: Unit, node: ast.Call) -> Any:
        (argument,) = arguments_of(unit, node, 1, 1)
        if isinstance(argument, ast.GeneratorExp | ast.ListComp):
            return _counted(unit, argument, word)
        value = translate(unit, argument)
        items = as_items(value)
        if items is None:
            raise unit.refusal(node, f"{word} over {described(value)}")
        parts = [unit.truth(one, argument) for one in items.items]
        joined = (" and " if word == "all" else " or ").join(parts)
        return Number(f"({joined or word == 'all'})", "bool")

    return handler


def _counted(unit: Unit, node: ast.GeneratorExp | ast.ListComp, word: str) -> Number:
    """`all`, `any` or `sum` of an expression, one turn of a loop after the other."""
    total_ = unit.temporary()
    unit.emit(f"{total_} = { ({'all': True, 'any': False}.get(word, 0)) }")
    with comprehended(unit, node) as each:
        if word != "sum":
            # Those that follow are not looked at where it is settled, and if they raise, Python has
            # the last word.
            truth = condition(unit, each)
            unit.emit(f"{total_} = {total_} {'and' if word == 'all' else 'or'} {truth}")
            return Number(total_, "bool")
        value = number(unit, each)
        unit.emit(
            f"{total_} = {total_} + {value.code if value.type != 'bool' else f'int({value.code})'}"
        )
    if word == "sum" and value.type == "float" and not SUMS_PLAINLY and not value.numpy:
        raise unit.refusal(node, "this version of Python adds floats in another way")
    if value.type != "float":
        return Number(f"fits(n, {total_})", "int")
    return Number(total_)


def _sum(unit: Unit, node: ast.Call) -> Any:
    (argument,) = arguments_of(unit, node, 1, 1)
    if isinstance(argument, ast.GeneratorExp | ast.ListComp):
        return _counted(unit, argument, "sum")
    value = translate(unit, argument)
    if isinstance(value, Listing):
        return total(unit, value, node)
    items = as_items(value)
    if items is None:
        raise unit.refusal(node, f"the sum of {described(value)}")
    numbers = [unit.scalar(one, argument) for one in items.items]
    if not SUMS_PLAINLY and not all(one.numpy or one.type != "float" for one in numbers):
        raise unit.refusal(node, "this version of Python adds floats in another way")
    code = "0"
    for one in numbers:
        code = f"({code} + {f'int({one.code})' if one.type == 'bool' else one.code})"
    if all(one.type != "float" for one in numbers):
        return Number(f"fits(n, {code})", "int")
    return Number(code)


def _collection(unit: Unit, node: ast.Call) -> Any:
    (argument,) = arguments_of(unit, node, 1, 1)
    value = translate(unit, argument)
    if isinstance(value, Collection | Items):
        return value
    if isinstance(value, Listing):
        return finished(value)
    raise unit.refusal(node, f"a list of {described(value)}")


def _reversed(unit: Unit, node: ast.Call) -> Any:
    value = _collection(unit, node)
    if isinstance(value, Items):
        return Items(value.items[::-1])
    if not isinstance(value, Collection):
        raise unit.refusal(node, f"{described(value)} the other way round")
    return replace(value, backwards=not value.backwards)


def _deviation(unit: Unit, node: ast.Call) -> Any:
    (argument,) = arguments_of(unit, node, 1, 1)
    return deviation(unit, _listed(unit, argument), node)


def _mean(unit: Unit, node: ast.Call) -> Any:
    (argument,) = arguments_of(unit, node, 1, 1)
    return mean(unit, _listed(unit, argument), node)


COLLECTED: dict[Any, Callable[[Unit, ast.Call], Any]] = {
    len: _len,
    np.mean: _mean,
    np.std: _deviation,
    min: _extreme("min"),
    max: _extreme("max"),
    all: _all_or_any("all"),
    any: _all_or_any("any"),
    sum: _sum,
    list: _collection,
    tuple: _collection,
    reversed: _reversed,
}
