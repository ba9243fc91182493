"""Text for people to read: made of what a run changes, of which nothing in the strategy depends."""

from __future__ import annotations

import ast
import re
from typing import Any

from bigbar.compiled.translate.evaluated import evaluated
from bigbar.compiled.translate.expressions import translate
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import Known, Number, Pure, Series, Unread

#: Formats that numbers of all kinds take.
_OF_NUMBERS = re.compile(r"[ +-]?,?\d*,?(?:\.\d+)?[fFeEgG%]?")


def printed(unit: Unit, parts: list[ast.expr], node: ast.AST) -> None:
    """What is handed to `print` or a log: evaluated where that could raise."""
    for one in parts:
        _evaluated(unit, one)


def _evaluated(unit: Unit, node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return Known(node.value)
    acts, unit.is_printed = unit.acts, True
    try:
        value = translate(unit, node)
    finally:
        unit.is_printed = False
    if unit.acts > acts:
        raise unit.refusal(node, "what is printed changes something")
    return evaluated(unit, value)


def _joined(unit: Unit, node: ast.JoinedStr) -> Any:
    if unit.is_pure(node):
        raise unit.refusal(node, "text")
    for one in node.values:
        if isinstance(one, ast.FormattedValue):
            _formatted(unit, one)
    return Unread()


def _formatted(unit: Unit, node: ast.FormattedValue) -> None:
    value = _evaluated(unit, node.value)
    form = node.format_spec
    if form is None or (isinstance(value, Number) and value.type == "time"):
        return
    parts = form.values if isinstance(form, ast.JoinedStr) else [form]
    if all(isinstance(one, ast.Constant) for one in parts):
        written = "".join(str(one.value) for one in parts)  # type: ignore[attr-defined]
        if isinstance(value, Known | Series | Pure):
            value = unit.number(value, node.value)
        if isinstance(value, Number) and value.type == "symbol" and not value.none:
            if re.fullmatch(r"[<>^]?\d*s?", written):
                return
        elif (
            isinstance(value, Number)
            and _OF_NUMBERS.fullmatch(written)
            and value.type in ("float", "int", "bool")
        ):
            unit.kept(unit.not_none(value))
            return
    raise unit.refusal(node.value, "it is printed in a format that it may not take")


def text(unit: Unit, node: ast.Call) -> Any:
    """`str`, `repr` and `format` of what a run changes."""
    if unit.is_pure(node):
        raise unit.refusal(node, "text")
    printed(unit, node.args, node)
    return Unread()


PRINTED = {ast.JoinedStr: _joined}
