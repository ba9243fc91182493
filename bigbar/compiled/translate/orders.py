"""Orders: placed, closed, cancelled."""

from __future__ import annotations

import ast
from typing import Any

from backtesting import Strategy

from bigbar.compiled.translate.codes import as_float
from bigbar.compiled.translate.expressions import number, translate
from bigbar.compiled.translate.unit import Unit
from bigbar.compiled.translate.values import (
    Known,
    Nothing,
    Order,
    Position,
    Pure,
    Series,
    Trade,
)

_PRICES = ("limit", "stop", "sl", "tp")


def place(unit: Unit, side: str, node: ast.Call) -> Order:
    """`self.buy` or `self.sell`."""
    if node.args:
        raise unit.refusal(node, "buy and sell take keywords only")
    given = {one.arg: one.value for one in node.keywords}
    unknown = set(given) - {"size", "tag", *_PRICES}
    if unknown:
        raise unit.refusal(node, f"{side} has no argument {sorted(map(str, unknown))[0]!r}")
    size = repr(float(Strategy._FULL_EQUITY))
    codes: dict[str, str] = dict.fromkeys(_PRICES, "0.0")
    tag = "0"
    for name, value in given.items():  # In the order in which they are written.
        if name == "size":
            size = _size(unit, value)
        elif name == "tag":
            tag = _tag(unit, value)
        else:
            assert name is not None
            codes[name] = _price(unit, value)
    sign = "" if side == "buy" else "-"
    name = unit.temporary()
    prices = ", ".join(codes[one] for one in _PRICES)
    unit.act(f"{name} = order_place(f, n, T, Ti, {sign}sized(n, {size}), {prices}, {tag})", node)
    return Order(name)


def _size(unit: Unit, node: ast.expr) -> str:
    value = translate(unit, node)
    if isinstance(value, Series):
        raise unit.refusal(node, "a size that is an array", "take its last value, [-1]")
    return f"{as_float(unit.scalar(value, node))}"


def _price(unit: Unit, node: ast.expr) -> str:
    value = translate(unit, node)
    if isinstance(value, Nothing):
        return "0.0"
    found = unit.number(value, node)
    if found.type not in ("float", "int"):
        raise unit.refusal(node, "a price that is no number")
    code = f"priced(n, {as_float(found)})"
    return f"(0.0 if {found.none} else {code})" if found.none else code


def _tag(unit: Unit, node: ast.expr) -> str:
    value = translate(unit, node)
    if isinstance(value, Nothing):
        return "0"
    if isinstance(value, Known):
        try:
            return f"int({unit.symbol(value.value)})"
        except TypeError:
            raise unit.refusal(node, "a tag that cannot be compared") from None
    found = unit.number(value, node)
    if found.type == "time" and unit.is_pure(node):
        pure = unit.pure(node)
        found = unit.hoisted(pure) if isinstance(pure, Pure) else found
    if found.type != "symbol":
        raise unit.refusal(node, "a tag that is neither text nor a constant")
    code = f"int({found.code})"
    return f"(0 if {found.none} else {code})" if found.none else code


def close(unit: Unit, of: Position | Trade, node: ast.Call) -> Any:
    """`position.close` or `trade.close`."""
    given = [*node.args, *(one.value for one in node.keywords if one.arg == "portion")]
    if len(given) != len(node.args) + len(node.keywords) or len(given) > 1:
        raise unit.refusal(node, "close has one argument, portion")
    portion = f"{as_float(number(unit, given[0]))}" if given else "1.0"
    if isinstance(of, Position):
        unit.act(f"position_close(f, n, T, Ti, {portion})", node)
    else:
        unit.act(f"trade_close(f, n, T, Ti, {of.code}, {portion})", node)
    return Nothing()


def cancel(unit: Unit, order: Order, node: ast.Call) -> Any:
    """`order.cancel`."""
    if node.args or node.keywords:
        raise unit.refusal(node, "cancel has no arguments")
    unit.act(f"order_cancel(f, n, T, Ti, {order.code})", node)
    return Nothing()


def move(unit: Unit, trade: Trade, name: str, value: Any, node: ast.expr) -> None:
    """`trade.sl = price`, `trade.tp = price`."""
    if isinstance(value, Nothing):
        price = "0.0"
    else:
        found = unit.number(value, node)
        if found.type not in ("float", "int"):
            raise unit.refusal(node, "a price that is no number")
        price = f"contingent(n, {as_float(found)})"
        if found.none:
            price = f"(0.0 if {found.none} else {price})"
    unit.act(f"trade_set(f, n, T, Ti, {trade.code}, {name == 'sl'}, {price})", node)
