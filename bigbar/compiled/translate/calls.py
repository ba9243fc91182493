"""Calls: of the strategy's own methods, of orders and lists, and of what is known by name."""

from __future__ import annotations

import ast
import logging
import types
from typing import Any

from backtesting import Strategy

from bigbar.compiled.translate import orders
from bigbar.compiled.translate.closures import call_local
from bigbar.compiled.translate.codes import as_float
from bigbar.compiled.translate.collected import arguments_of
from bigbar.compiled.translate.expressions import translate
from bigbar.compiled.translate.functions import of_super, own, own_method
from bigbar.compiled.translate.lists import call_method
from bigbar.compiled.translate.mathematics import FUNCTIONS
from bigbar.compiled.translate.printed import printed
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    Broker,
    Known,
    Listing,
    LocalFunction,
    Method,
    Number,
    Order,
    Position,
    StrategyItself,
    Trade,
    Unread,
)


def _call(unit: Unit, node: ast.Call) -> Any:
    if any(isinstance(one, ast.Starred) for one in node.args) or any(
        one.arg is None for one in node.keywords
    ):
        raise unit.refusal(node, "* or ** in a call")
    if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
        raise unit.refusal(node, "super() on its own")
    function = translate(unit, node.func)
    if isinstance(function, Method):
        return _method(unit, function, node)
    if isinstance(function, Known):
        return _known(unit, function.value, node)
    if isinstance(function, LocalFunction):
        return call_local(unit, function, node)
    raise unit.refusal(node, f"{described(function)} is called")


def _method(unit: Unit, method: Method, node: ast.Call) -> Any:
    if method.of is None:
        return of_super(unit, method.name, node)
    if isinstance(method.of, StrategyItself):
        if getattr(unit.builder.kind, method.name) is getattr(Strategy, method.name, None):
            if method.name in ("buy", "sell"):
                return orders.place(unit, method.name, node)
            raise unit.refusal(node, f"{method.name}() inside next")
        return own_method(unit, unit.builder.kind, method.name, node.args, node.keywords, node)
    if isinstance(method.of, Position | Trade):
        return orders.close(unit, method.of, node)
    if isinstance(method.of, Broker):
        return _of_broker(unit, method.name, node)
    if isinstance(method.of, Order):
        return orders.cancel(unit, method.of, node)
    if isinstance(method.of, Listing):
        return call_method(unit, method, node)
    if isinstance(method.of, Number) and not node.args and not node.keywords:
        return Number(f"total_seconds(n, {method.of.code})", "float")
    raise unit.refusal(node, f"{method.name}() has no translation")


def _of_broker(unit: Unit, name: str, node: ast.Call) -> Number:
    size, *given = [
        unit.scalar(translate(unit, one), one) for one in arguments_of(unit, node, 1, 2)
    ]
    if name == "_commission":
        if not given:
            raise unit.refusal(node, "a commission without a price")
        code = f"commission(f, {as_float(size)}, {as_float(given[0])})"
        return Number(code, "float", given[0].numpy)
    price = given[0] if given else Number("f[PRICE]", numpy=True)
    return Number(f"adjusted_price(f, {as_float(size)}, {as_float(price)})", "float", price.numpy)


def _known(unit: Unit, function: Any, node: ast.Call) -> Any:
    if getattr(function, "__self__", None) is unit.builder.strategy:
        raise unit.refusal(node, "a method that init has kept")
    if function is print or _is_log(function):
        printed(unit, [*node.args, *(one.value for one in node.keywords)], node)
        return Unread()
    try:
        handler = FUNCTIONS.get(function)
    except TypeError:
        handler = None
    if handler is not None:
        return handler(unit, node)
    if isinstance(function, types.FunctionType):
        module = function.__module__ or ""
        if module.partition(".")[0] not in ("numpy", "pandas", "backtesting"):
            return own(unit, function, object, None, node.args, node.keywords, node)
    name = getattr(function, "__name__", type(function).__name__)
    raise unit.refusal(node, f"{name}() has no translation")


def _is_log(function: Any) -> bool:
    owner = getattr(function, "__self__", None)
    return isinstance(owner, logging.Logger) or (
        isinstance(function, types.FunctionType) and function.__module__ == "logging"
    )


CALLS = {ast.Call: _call}
