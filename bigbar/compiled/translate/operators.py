"""Operators: arithmetic, comparisons, and arrays combined element by element."""

from __future__ import annotations

import ast
import contextlib
import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from bigbar.compiled.translate.codes import as_float
from bigbar.compiled.translate.evaluated import evaluated
from bigbar.compiled.translate.expressions import (
    NEGATED,
    condition,
    one_by_one,
    translate,
)
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    MOST_EXACT,
    Items,
    Known,
    Listing,
    Nothing,
    Number,
    Pure,
    Series,
    Unread,
)

_ARITHMETIC = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip

_COMPARISONS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def elementwise(unit: Unit, node: ast.AST, make: Callable[..., Number], *values: Any) -> Any:
    """Numbers combined; or arrays, element by element."""
    arrays = [one for one in values if isinstance(one, Series)]
    if not arrays:
        return make(*values)
    if len({one.length for one in arrays}) > 1:
        raise unit.refusal(node, "arrays of different lengths")

    def at(index: str) -> Number:
        return make(
            *(
                Number(one.at(index), one.type, numpy=True) if isinstance(one, Series) else one
                for one in values
            )
        )

    return Series(lambda index: at(index).code, at("i").type, arrays[0].length, arrays[0].revealed)


def _operand(unit: Unit, value: Any, node: ast.expr) -> Any:
    return value if isinstance(value, Series) else unit.plain(value, node)


def _binary(unit: Unit, node: ast.BinOp) -> Any:
    left, right = translate(unit, node.left), translate(unit, node.right)
    if isinstance(node.op, ast.Add | ast.Mod) and not unit.is_pure(node):
        if _is_text(left) and (_is_text(right) or isinstance(node.op, ast.Mod)):
            return Unread()
        if isinstance(left, Listing) or isinstance(right, Listing):
            raise unit.refusal(node, "an operator between lists that is not known")
    left, right = _as_span(unit, left, right, node), _as_span(unit, right, left, node)
    left, right = _operand(unit, left, node.left), _operand(unit, right, node.right)
    return arithmetic(unit, node.op, left, right, node)


def _as_span(unit: Unit, one: Any, other: Any, node: ast.AST) -> Any:
    """A constant time between two, where the other side is a time."""
    is_constant = isinstance(one, Known) and isinstance(one.value, _SPANS)
    if is_constant and isinstance(other, Number) and other.type in ("time", "span"):
        return Number(_nanoseconds(unit, one.value, node), "span")
    return one


#: What stands for a time between two.
_SPANS = (datetime.timedelta, np.timedelta64)


def _is_text(value: Any) -> bool:
    return isinstance(value, Unread) or (isinstance(value, Known) and isinstance(value.value, str))


def arithmetic(unit: Unit, op: ast.operator, left: Any, right: Any, node: ast.AST) -> Any:
    """Two numbers or arrays, combined by an operator."""
    if {left.type, right.type} & {"time", "span"}:
        return _of_times(unit, op, left, right, node)
    if isinstance(op, ast.BitAnd | ast.BitOr) and left.type == right.type == "bool":
        word = "&" if isinstance(op, ast.BitAnd) else "|"
        return elementwise(
            unit, node,
            lambda x, y: Number(f"({x.code} {word} {y.code})", "bool", x.numpy or y.numpy),
            left, right,
        )  # fmt: skip
    if isinstance(op, ast.Pow):
        if isinstance(left, Series) or isinstance(right, Series):
            # NumPy has ways of its own for whole arrays.
            raise unit.refusal(node, "a power of an array", "take its last value, [-1], first")
        return _power(unit, left, right, node)
    word = _ARITHMETIC.get(type(op), "")
    if not word:
        raise unit.refusal(node, "an operator that is not known")
    return elementwise(unit, node, lambda x, y: _combined(unit, word, x, y, node), left, right)


def _of_times(unit: Unit, op: ast.operator, left: Any, right: Any, node: ast.AST) -> Number:
    types = left.type, right.type
    if isinstance(left, Series) or isinstance(right, Series):
        raise unit.refusal(node, "an operator between arrays of times")
    if isinstance(op, ast.Sub) and left.type == right.type:
        return Number(f"({left.code} - {right.code})", "span")
    if isinstance(op, ast.Add) and types in (("time", "span"), ("span", "time"), ("span", "span")):
        return Number(f"({left.code} + {right.code})", "time" if "time" in types else "span")
    if isinstance(op, ast.Sub) and types == ("time", "span"):
        return Number(f"({left.code} - {right.code})", "time")
    raise unit.refusal(node, "an operator between times that is not known")


def _combined(unit: Unit, word: str, x: Number, y: Number, node: ast.AST) -> Number:
    numpy = x.numpy or y.numpy
    whole = x.type != "float" and y.type != "float"
    if numpy and x.type == y.type == "bool":
        raise unit.refusal(node, "arithmetic with truth values of NumPy's")
    left, right = _as_operand(x), _as_operand(y)
    if word in ("/", "//", "%") and not (numpy and word == "/" and not whole):
        right = f"nonzero(n, {right})"
    if not whole or word == "/":
        return Number(f"({left} {word} {right})", "float", numpy)
    return _whole(word, left, right, _most(x), _most(y), numpy)


def _whole(word: str, left: str, right: str, most: int, other: int, numpy: bool) -> Number:
    """Whole numbers combined: what is too large to be exact is an error while running."""
    largest = {"+": most + other, "-": most + other, "*": most * other, "//": most, "%": other}[
        word
    ]
    if largest <= MOST_EXACT:
        return Number(f"({left} {word} {right})", "int", numpy, most=largest)
    if word == "*":
        return Number(f"product(n, {left}, {right})", "int", numpy)
    return Number(f"fits(n, {left} {word} {right})", "int", numpy)


def _most(number: Number) -> int:
    return 1 if number.type == "bool" else number.most


def _as_operand(number: Number) -> str:
    return f"int({number.code})" if number.type == "bool" else number.code


def _power(unit: Unit, x: Number, y: Number, node: ast.AST) -> Number:
    """By the C library's own pow, as Python has it: a constant exponent would be multiplied out."""
    if "bool" in (x.type, y.type):
        raise unit.refusal(node, "a power of a truth value")
    if x.type == y.type == "int":
        return Number(f"whole_power(n, {x.code}, {y.code})", "int", x.numpy or y.numpy)
    exponent = y.code
    with contextlib.suppress(ValueError):
        exponent = unit.builder.constant(float(ast.literal_eval(y.code)))
    return Number(f"power(n, {as_float(x)}, float({exponent}))", "float", x.numpy and y.numpy)


def _unary(unit: Unit, node: ast.UnaryOp) -> Any:
    if isinstance(node.op, ast.Not):
        return Number(condition(unit, node), "bool")
    value = _operand(unit, translate(unit, node.operand), node.operand)
    if value.type in ("time", "span"):
        raise unit.refusal(node, "a sign of a time")
    if isinstance(node.op, ast.Invert):
        if not isinstance(value, Series) or value.type != "bool":
            raise unit.refusal(node, "~ of a number")
        return elementwise(unit, node, lambda x: Number(f"(not {x.code})", "bool", True), value)
    if value.type == "bool":
        raise unit.refusal(node, "a sign of a truth value")
    if isinstance(node.op, ast.UAdd):
        return value
    return elementwise(
        unit, node, lambda x: Number(f"(-{x.code})", x.type, x.numpy, most=x.most), value
    )


# Comparisons.


def _compare(unit: Unit, node: ast.Compare) -> Any:
    left = translate(unit, node.left)
    if len(node.ops) == 1:
        return _compared(unit, node.ops[0], left, translate(unit, node.comparators[0]), node)
    sides = [left]

    def part(place: int) -> str:
        right = translate(unit, node.comparators[place])
        found = _compared(unit, node.ops[place], sides[-1], right, node)
        sides.append(right)
        return unit.truth(found, node)

    return Number(one_by_one(unit, node, list(range(len(node.ops))), part), "bool")


def _compared(unit: Unit, op: ast.cmpop, left: Any, right: Any, node: ast.Compare) -> Any:
    if isinstance(op, ast.In | ast.NotIn):
        return _within(unit, op, left, right, node)
    equal = isinstance(op, ast.Is | ast.Eq)
    if isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) and (
        isinstance(right, Nothing) or isinstance(left, Nothing)
    ):
        other = left if isinstance(right, Nothing) else right
        code = _is_none(unit, other)
        return Number(code if equal else NEGATED.get(code, f"(not {code})"), "bool")
    if isinstance(op, ast.Is | ast.IsNot):
        return _is_truth_value(unit, left, right, node, equal=equal)
    word = _COMPARISONS.get(type(op), "")
    if not word:
        raise unit.refusal(node, "a comparison that is not known")
    if isinstance(left, Series) or isinstance(right, Series):
        a = left if isinstance(left, Series) else unit.scalar(left, node)
        b = right if isinstance(right, Series) else unit.scalar(right, node)
        return elementwise(
            unit, node, lambda x, y: Number(f"({x.code} {word} {y.code})", "bool", True), a, b
        )
    a, b = as_sides(unit, left, right, node)
    if word not in ("==", "!="):
        a, b = unit.plain(a, node), unit.plain(b, node)
        if a.type != b.type and {"time", "span"} & {a.type, b.type}:
            raise unit.refusal(node, "a time is compared with a number")
        return Number(f"({a.code} {word} {b.code})", "bool", a.numpy or b.numpy)
    code = equality(unit, a, b, node)
    return Number(code if equal else f"(not {code})", "bool", a.numpy or b.numpy)


def as_sides(unit: Unit, left: Any, right: Any, node: ast.Compare) -> tuple[Number, Number]:
    """Both sides of a comparison: a constant as what the other side is."""
    sides = []
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Known) and isinstance(other, Number):
            if other.type == "span" and isinstance(one.value, datetime.timedelta | np.timedelta64):
                sides.append(Number(_nanoseconds(unit, one.value, node), "span"))
                continue
            if other.type == "symbol":
                try:
                    sides.append(Number(unit.symbol(one.value), "symbol"))
                except TypeError as problem:
                    raise unit.refusal(node, str(problem)) from None
                continue
        sides.append(unit.number(one, node))
    return sides[0], sides[1]


def _nanoseconds(unit: Unit, value: Any, node: ast.AST) -> str:
    span = pd.Timedelta(value)
    if span is pd.NaT:
        raise unit.refusal(node, "a time that is none")
    return repr(int(span.as_unit("ns").value))


def _is_truth_value(unit: Unit, left: Any, right: Any, node: ast.Compare, *, equal: bool) -> Number:
    """`is True`, `is False` of a truth value that is Python's own."""
    a, b = unit.number(left, node), unit.number(right, node)
    if a.type != "bool" or b.type != "bool" or not isinstance(right, Known):
        raise unit.refusal(node, "`is` between other things than None and truth values")
    if a.numpy or not _is_pythons(a.code):
        raise unit.refusal(node, "`is` with a truth value that may be NumPy's", "leave `is` out")
    code = equality(unit, a, b, node)
    return Number(code if equal else f"(not {code})", "bool")


def _is_pythons(code: str) -> bool:
    """Whether a truth value is one of Python's for certain: an attribute that `init` has set."""
    return code.startswith("(P[")


def equality(unit: Unit, a: Number, b: Number, node: ast.AST) -> str:
    """Code of whether two values are equal, either of which may be None."""
    if a.type != b.type and {"symbol", "time", "span"} & {a.type, b.type}:
        raise unit.refusal(node, "text or a time is compared with something else")
    same = f"{a.code} == {b.code}"
    if a.none and b.none:
        return f"(({a.none} and {b.none}) or (not {a.none} and not {b.none} and {same}))"
    if a.none or b.none:
        return f"(not {a.none or b.none} and {same})"
    return f"({same})"


def _is_none(unit: Unit, value: Any) -> str:
    if isinstance(value, Nothing):
        return "True"
    if isinstance(value, Pure):
        value = unit.hoisted(value)
    value = evaluated(unit, value)
    if isinstance(value, Number | Items):
        return value.none or "False"
    return "False"


def _within(unit: Unit, op: ast.cmpop, left: Any, right: Any, node: ast.Compare) -> Number:
    if isinstance(right, Listing):
        value = unit.scalar(left, node)
        if (right.joined.type == "symbol") != (value.type == "symbol") and right.joined.types:
            raise unit.refusal(node, "text is looked for among numbers")
        code = f"listed(n, S, {right.start}, {right.count}, {as_float(value)})"
        return Number(code if isinstance(op, ast.In) else f"(not {code})", "bool")
    if isinstance(right, Known) and isinstance(right.value, tuple | list | set | frozenset):
        items: list[Any] = [Known(one) for one in right.value]
    elif isinstance(right, Items) and not right.none:
        items = list(right.items)
    else:
        raise unit.refusal(node, f"`in` {described(right)}")
    each = [_is_item(unit, left, one, node) for one in items]
    code = f"({' or '.join(each)})" if each else "False"
    return Number(code if isinstance(op, ast.In) else f"(not {code})", "bool")


def _is_item(unit: Unit, left: Any, one: Any, node: ast.Compare) -> str:
    if isinstance(one, Nothing) or (isinstance(one, Known) and one.value is None):
        return _is_none(unit, left)
    return equality(unit, *as_sides(unit, left, one, node), node)


OPERATORS = {
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
}
