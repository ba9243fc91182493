"""Conditions of `next`: whether each can hold, and can not hold, by bars and parameters alone."""

from __future__ import annotations

import ast
import re
import types
from dataclasses import dataclass
from typing import Any

from backtesting import Strategy

from bigbar.compiled.translate.evaluated import may_raise, raising
from bigbar.compiled.translate.expressions import condition, translate
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.compiled.translate.states import CHANGES
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import Number, Pure, StrategyItself, Variable

#: What a condition may come to: code of whether it can be true, and whether it can be false.
Either = tuple[str, str]

UNKNOWN: Either = ("True", "True")

#: Arrays that are there in a run only.
_NEEDS_A_RUN = re.compile(r"\b(f|S|T|Ti)\b")


@dataclass
class Here:
    """What is known at one place of `next`.

    Attributes
    ----------
    names : dict of str to ast.expr or None
        Local names, and what they were assigned where that reads only bars and parameters.
    facts : frozenset of str
        See `bigbar.compiled.translate.guards`.
    """

    names: dict[str, ast.expr | None]
    facts: frozenset[str] = frozenset()

    def copy(self) -> Here:
        """To go on from here twice."""
        return Here(dict(self.names), self.facts)

    def forget(self, name: str) -> None:
        """A name is assigned what the run changes."""
        self.names[name] = None
        self.facts = frozenset(
            one for one in self.facts if not re.search(rf"\b{re.escape(name)}\b", one)
        )

    def become(self, one: Here, other: Here) -> None:
        """Go on where two ways meet."""
        self.names = {
            name: one.names.get(name) if one.names.get(name) is other.names.get(name) else None
            for name in {**one.names, **other.names}
        }
        self.facts = one.facts & other.facts


class Conditions:
    """Judges the conditions of one function, with or without an open trade.

    Parameters
    ----------
    unit : Unit
        A fresh one of that function.
    inside : bool
        Whether there is an open trade.

    Attributes
    ----------
    lines : list of str
        Code that comes first.
    """

    def __init__(self, unit: Unit, *, inside: bool) -> None:
        self._unit, self._inside = unit, inside
        self.lines: list[str] = []

    def named(self, code: str) -> str:
        """A name for what a condition comes to."""
        if code in ("True", "False"):
            return code
        name = f"{'inside' if self._inside else 'flat'}{len(self.lines) + 1}"
        self.lines.append(f"{name} = {code}")
        return name

    def either(self, node: ast.expr, here: Here) -> Either:
        if isinstance(node, ast.BoolOp):
            return self._bool(node, here)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            true, false = self.either(node.operand, here)
            return false, true
        of_trades = self._about_trades(node)
        if of_trades is not None:
            return of_trades
        if not self.is_pure(node, here):
            return UNKNOWN
        code = self._code(node, here)
        if code is None:
            return UNKNOWN
        name = self.named(code)
        return name, f"(not {name})"

    def _bool(self, node: ast.BoolOp, here: Here) -> Either:
        true, false = self.either(node.values[0], here)
        for one in node.values[1:]:
            also_true, also_false = self.either(one, here)
            if isinstance(node.op, ast.And):
                true, false = _and(true, also_true), _or(false, also_false)
            else:
                true, false = _or(true, also_true), _and(false, also_false)
        return true, false

    def _about_trades(self, node: ast.expr) -> Either | None:
        """A condition on whether there are open trades, known in either case."""
        here: Either = ("True", "False") if self._inside else ("False", "True")
        if self.is_of_trades(node) or self._is_member(node, "position"):
            # Trades that hedge each other are no position.
            return here if not self._inside or self.is_of_trades(node) else UNKNOWN
        if (
            isinstance(node, ast.Attribute)
            and self._is_member(node.value, "position")
            and node.attr in ("is_long", "is_short")
        ):
            return UNKNOWN if self._inside else ("False", "True")
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._compared(node)
        return None

    def _compared(self, node: ast.Compare) -> Either | None:
        other = node.comparators[0]
        if not (isinstance(other, ast.Constant) and type(other.value) in (int, float)):
            return None
        left = node.left
        is_size = isinstance(left, ast.Attribute) and self._is_member(left.value, "position")
        is_size = is_size and left.attr in ("size", "pl", "pl_pct")  # type: ignore[attr-defined]
        is_count = (
            isinstance(left, ast.Call)
            and isinstance(left.func, ast.Name)
            and left.func.id == "len"
            and len(left.args) == 1
            and self.is_of_trades(left.args[0])
        )
        if self._inside or not (is_size or is_count):
            return None
        try:
            holds = _COMPARED[type(node.ops[0])](0, other.value)
        except KeyError:
            return None
        return ("True", "False") if holds else ("False", "True")

    def _is_member(self, node: ast.expr, name: str) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and node.attr == name
            and isinstance(node.value, ast.Name)
            and node.value.id == self._unit.itself
        )

    def is_of_trades(self, node: ast.expr) -> bool:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.args
            and node.func.id in ("list", "tuple", "reversed", "enumerate", "bool")
        ):
            node = node.args[0]
        return self._is_member(node, "trades")

    # What is pure.

    def substituted(self, node: ast.expr, here: Here) -> ast.expr:
        self.put(here.names)
        return self._unit.substituted(node)

    def put(self, names: dict[str, ast.expr | None]) -> None:
        flow = self._unit.flow
        flow.variables = {self._unit.itself: Variable(StrategyItself())}
        flow.bound = {self._unit.itself}
        for name, pure in names.items():
            flow.variables[name] = Variable(None, pure)

    def is_pure(self, node: ast.expr, here: Here) -> bool:
        self.put(here.names)
        return self._unit.is_pure(node)

    def number(self, node: ast.expr, here: Here) -> str | None:
        """Code of a number of bars and parameters; None where there is none."""
        whole = self.substituted(node, here)
        self.put({})
        before = len(self._unit.lines)
        try:
            code = self._unit.scalar(translate(self._unit, whole), whole).code
            if len(self._unit.lines) > before or _NEEDS_A_RUN.search(code):
                del self._unit.lines[before:]
                pure = self._unit.pure(whole)
                code = self._unit.scalar(pure, whole).code
        except CannotCompile:
            return None
        return self.named(code)

    def mark_raising(self, node: ast.AST, here: Here) -> bool:
        """Have the bars marked on which bars and parameters make an expression raise.

        Returns
        -------
        bool
            Whether they are known.
        """
        if not isinstance(node, ast.expr) or not self.is_pure(node, here):
            return all(self.mark_raising(one, here) for one in ast.iter_child_nodes(node))
        whole = self.substituted(node, here)
        self.put({})
        try:
            code = self._raising(whole)
        except CannotCompile:
            return False
        if may_raise(self._unit, code):
            self.named(code)
        return True

    def _raising(self, node: ast.expr) -> str:
        """Code that leaves an error where evaluating an expression raises."""
        unit = self._unit
        before = len(unit.lines)
        value = translate(unit, node)
        code = value.code + value.none if isinstance(value, Number) else ""
        lines = unit.lines[before:]
        del unit.lines[before:]
        if not isinstance(value, Pure) and not may_raise(unit, "\n".join([*lines, code])):
            return ""
        if isinstance(value, Number) and not (lines or value.none or _NEEDS_A_RUN.search(code)):
            return code
        pure = unit.pure(node)
        return raising(unit, pure) if isinstance(pure, Pure) else ""

    def _code(self, node: ast.expr, here: Here) -> str | None:
        whole = self.substituted(node, here)
        self.put({})
        before = len(self._unit.lines)
        try:
            code = condition(self._unit, whole)
        except CannotCompile:
            return None
        if len(self._unit.lines) == before and not _NEEDS_A_RUN.search(code):
            return code
        # It takes more than an expression: Python finds it.
        del self._unit.lines[before:]
        try:
            pure = self._unit.pure(whole)
            found = self._unit.hoisted(pure) if isinstance(pure, Pure) else pure
            return self._unit.truth(found, whole)
        except CannotCompile:
            return None

    def is_harmless(self, node: ast.expr) -> bool:
        """Whether evaluating an expression changes nothing, whatever it reads."""
        for one in ast.walk(node):
            if isinstance(one, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
                return False
            if (
                isinstance(one, ast.Call)
                and not self._unit.is_pure(one)
                and not self._is_harmless_call(one)
            ):
                return False
        return True

    def _is_harmless_call(self, node: ast.Call) -> bool:
        function = node.func
        if (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id in self._unit.own_lists
            and function.attr in CHANGES
        ):
            return True
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
            inner = function.value.func
            if isinstance(inner, ast.Name) and inner.id == "super" and function.attr == "next":
                mro = self._unit.builder.kind.__mro__
                above = mro[mro.index(self._unit.owner) + 1 :]
                return next(one for one in above if "next" in vars(one)) is Strategy
        try:
            found: Any = self._unit.known(function.id) if isinstance(function, ast.Name) else None
        except KeyError:
            return False
        if found is None:
            return False
        return found is print or (
            not isinstance(found, types.FunctionType | types.MethodType)
            and self._unit.builder.purity.function(found, 0)
        )


def _and(one: str, other: str) -> str:
    if "False" in (one, other):
        return "False"
    if one == "True":
        return other
    return one if other == "True" else f"({one} & {other})"


def _or(one: str, other: str) -> str:
    if "True" in (one, other):
        return "True"
    if one == "False":
        return other
    return one if other == "False" else f"({one} | {other})"


_COMPARED: dict[type, Any] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
}
