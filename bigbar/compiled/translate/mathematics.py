"""Functions of Python, NumPy and the library that have a translation."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import backtesting.lib
import numpy as np

from bigbar.compiled.translate.codes import as_float
from bigbar.compiled.translate.collected import COLLECTED, arguments_of
from bigbar.compiled.translate.expressions import condition, either, number, translate
from bigbar.compiled.translate.operators import elementwise
from bigbar.compiled.translate.printed import text
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import Known, Number, Series


def _crossover(unit: Unit, node: ast.Call) -> Any:
    return _crossing(unit, node, both=False)


def _cross(unit: Unit, node: ast.Call) -> Any:
    return _crossing(unit, node, both=True)


def _crossing(unit: Unit, node: ast.Call, *, both: bool) -> Number:
    sides = []
    for one in arguments_of(unit, node, 2, 2):
        value = translate(unit, one)
        if isinstance(value, Series):
            before, now = value.last(2).code, value.last().code
        else:
            before = now = unit.scalar(value, one).code
        sides.append((before, now))
    (a2, a1), (b2, b1) = sides
    # Without branches: several bars can be looked at side by side.
    over = f"(({a2} < {b2}) & ({a1} > {b1}))"
    return Number(f"({over} | (({b2} < {a2}) & ({b1} > {a1})))" if both else over, "bool")


def _one(make: Callable[[Unit, Number, ast.Call], Number]) -> Callable[[Unit, ast.Call], Any]:
    """A function of one number, or of an array element by element."""

    def handler(unit: Unit, node: ast.Call) -> Any:
        (argument,) = arguments_of(unit, node, 1, 1)

        value = translate(unit, argument)
        if not isinstance(value, Series):
            value = unit.scalar(value, argument)
        return elementwise(unit, node, lambda x: make(unit, x, node), value)

    return handler


def _scalar(
    make: Callable[[Unit, Number, ast.Call], Number], *, of_arrays: bool = True
) -> Callable[[Unit, ast.Call], Any]:
    """A function of one number; of an array its last element, where Python takes that."""

    def handler(unit: Unit, node: ast.Call) -> Any:
        (argument,) = arguments_of(unit, node, 1, 1)
        value = translate(unit, argument)
        if not of_arrays and isinstance(value, Series):
            raise unit.refusal(node, "an array in place of a number", "take its last value, [-1]")
        return make(unit, unit.scalar(value, argument), node)

    return handler


def _abs(unit: Unit, x: Number, node: ast.Call) -> Number:
    if x.type == "bool":
        raise unit.refusal(node, "abs() of a truth value")
    return Number(f"abs({x.code})", x.type, x.numpy, most=x.most)


def _np_abs(unit: Unit, x: Number, node: ast.Call) -> Number:
    return replace(_abs(unit, x, node), numpy=True)


def _int(unit: Unit, x: Number, node: ast.Call) -> Number:
    code = x.code if x.type == "int" else f"whole(n, {as_float(x)})"
    return Number(code, "int")


def _float(unit: Unit, x: Number, node: ast.Call) -> Number:
    return Number(f"{as_float(x)}")


def _to_whole(name: str) -> Callable[[Unit, Number, ast.Call], Number]:
    def make(unit: Unit, x: Number, node: ast.Call) -> Number:
        code = x.code if x.type == "int" else f"whole(n, np.{name}({as_float(x)}))"
        return Number(code, "int")

    return make


def _of_numpy(name: str, type_: Any = "float") -> Callable[[Unit, Number, ast.Call], Number]:
    def make(unit: Unit, x: Number, node: ast.Call) -> Number:
        return Number(f"np.{name}({as_float(x)})", type_, True)

    return make


def _of_math(name: str) -> Callable[[Unit, Number, ast.Call], Number]:
    def make(unit: Unit, x: Number, node: ast.Call) -> Number:
        return Number(f"np.{name}({as_float(x)})", "bool")

    return make


def _root(unit: Unit, x: Number, node: ast.Call) -> Number:
    return Number(f"root(n, {as_float(x)})")


def _bool(unit: Unit, node: ast.Call) -> Any:
    (argument,) = arguments_of(unit, node, 1, 1)
    return Number(condition(unit, argument), "bool")


def _isinstance(unit: Unit, node: ast.Call) -> Any:
    value, kinds = translate(unit, node.args[0]), translate(unit, node.args[-1])
    if isinstance(value, Known) and isinstance(kinds, Known) and len(node.args) == 2:
        return Known(isinstance(value.value, kinds.value))
    raise unit.refusal(node, "isinstance() of what a run changes")


def _where(unit: Unit, node: ast.Call) -> Any:
    """`np.where(condition, a, b)` of three numbers."""
    test, *parts = arguments_of(unit, node, 3, 3)
    values = [translate(unit, one) for one in (test, *parts)]
    if any(isinstance(one, Series) for one in values):
        raise unit.refusal(node, "np.where of arrays")
    truth = unit.truth(values[0], test)
    yes, no = (unit.scalar(value, one) for value, one in zip(values[1:], parts, strict=True))
    return replace(either(unit, truth, yes, no, node), numpy=True)


def _of_two(name: str) -> Callable[[Unit, ast.Call], Any]:
    """`np.maximum` and `np.minimum`, which give NaN where either is NaN."""

    def handler(unit: Unit, node: ast.Call) -> Any:
        sides = [translate(unit, one) for one in arguments_of(unit, node, 2, 2)]
        if any(isinstance(one, Series) for one in sides):
            raise unit.refusal(node, f"np.{name} of arrays")
        a, b = (unit.scalar(one, node) for one in sides)
        if "float" not in (a.type, b.type):
            raise unit.refusal(node, f"np.{name} of whole numbers")
        return Number(f"np_{name}({as_float(a)}, {as_float(b)})", "float", True)

    return handler


def _copysign(*, numpy: bool) -> Callable[[Unit, ast.Call], Any]:
    def handler(unit: Unit, node: ast.Call) -> Any:
        sides = [translate(unit, one) for one in arguments_of(unit, node, 2, 2)]
        if numpy and any(isinstance(one, Series) for one in sides):
            raise unit.refusal(node, "np.copysign of arrays")
        x, sign = (as_float(unit.scalar(one, node)) for one in sides)
        return Number(f"math.copysign({x}, {sign})", "float", numpy)

    return handler


def _sign(unit: Unit, x: Number, node: ast.Call) -> Number:
    if x.type != "float":
        raise unit.refusal(node, "np.sign of a whole number")
    return Number(f"np.sign({x.code})", "float", True)


def _round(unit: Unit, node: ast.Call) -> Any:
    """`round`: to a number of places as NumPy does it, where it is a number of NumPy's."""
    arguments = arguments_of(unit, node, 1, 2)
    value = translate(unit, arguments[0])
    if isinstance(value, Series):
        raise unit.refusal(node, "an array in place of a number", "take its last value, [-1]")
    x = unit.scalar(value, arguments[0])
    if len(arguments) == 1:
        code = x.code if x.type in ("int", "bool") else f"whole(n, np.rint({as_float(x)}))"
        return Number(f"int({code})" if x.type == "bool" else code, "int", most=x.most)
    return _rounded(unit, x, arguments[1], node)


def _rounded(unit: Unit, x: Number, places: ast.expr, node: ast.Call) -> Number:
    count = number(unit, places)
    exact = x.type == "float" and x.numpy
    if not (exact or unit.is_printed) or count.type != "int":
        raise unit.refusal(
            node, "Python's own floats are rounded to the nearest decimal",
            "leave round() out, or round what comes of prices only",
        )  # fmt: skip
    return Number(f"np_round({as_float(x)}, {count.code})", "float", x.numpy)


def _np_round(unit: Unit, node: ast.Call) -> Any:
    first, *rest = arguments_of(unit, node, 1, 2)
    value = translate(unit, first)
    if isinstance(value, Series):
        raise unit.refusal(node, "np.round of an array")
    x = replace(unit.scalar(value, first), numpy=True)
    return _rounded(unit, x, rest[0] if rest else ast.Constant(0), node)


_MATHEMATICS: dict[Any, Callable[[Unit, ast.Call], Any]] = {
    backtesting.lib.crossover: _crossover,
    backtesting.lib.cross: _cross,
    abs: _one(_abs),
    np.abs: _one(_np_abs),
    math.fabs: _scalar(lambda unit, x, node: _float(unit, _abs(unit, x, node), node)),
    int: _scalar(_int, of_arrays=False),
    float: _scalar(_float),
    bool: _bool,
    round: _round,
    np.round: _np_round,
    np.where: _where,
    np.maximum: _of_two("maximum"),
    np.minimum: _of_two("minimum"),
    np.sign: _scalar(_sign, of_arrays=False),
    math.floor: _scalar(_to_whole("floor")),
    math.ceil: _scalar(_to_whole("ceil")),
    math.trunc: _scalar(_int),
    math.sqrt: _scalar(_root),
    math.copysign: _copysign(numpy=False),
    np.copysign: _copysign(numpy=True),
    math.isnan: _scalar(_of_math("isnan")),
    math.isinf: _scalar(_of_math("isinf")),
    math.isfinite: _scalar(_of_math("isfinite")),
    np.sqrt: _one(_of_numpy("sqrt")),
    np.floor: _one(_of_numpy("floor")),
    np.ceil: _one(_of_numpy("ceil")),
    np.isnan: _one(_of_numpy("isnan", "bool")),
    np.isinf: _one(_of_numpy("isinf", "bool")),
    np.isfinite: _one(_of_numpy("isfinite", "bool")),
    isinstance: _isinstance,
    str: text,
    repr: text,
    format: text,
}

#: By the function.
FUNCTIONS = COLLECTED | _MATHEMATICS
