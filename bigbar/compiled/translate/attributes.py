"""Attributes: of the strategy, its data and position, of trades and orders."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pandas as pd
from backtesting._util import _Indicator

from bigbar.compiled.translate.builder import Row
from bigbar.compiled.translate.codes import as_float
from bigbar.compiled.translate.evaluated import evaluated
from bigbar.compiled.translate.expressions import translate
from bigbar.compiled.translate.functions import call_property
from bigbar.compiled.translate.kinds import number_of
from bigbar.compiled.translate.states import is_computed
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    Broker,
    Collection,
    Data,
    Items,
    Known,
    Listing,
    Matrix,
    Method,
    Nothing,
    Number,
    Order,
    Position,
    Series,
    StrategyItself,
    Trade,
    Type,
)

#: Rows of the broker's own prices.
_PRICES = {"Open": 0, "High": 1, "Low": 2, "Close": 3}

#: Arrays of other numbers are rounded, or overflow, in their own way.
_TYPES: dict[str, Type] = {"f8": "float", "i8": "int", "b1": "bool"}

_OF_POSITION = {
    "size": Number("f[PSIZE]"),
    "is_long": Number("(f[PSIZE] > 0.0)", "bool"),
    "is_short": Number("(f[PSIZE] < 0.0)", "bool"),
    "pl": Number("pos_pl(f, n, T)"),
    "pl_pct": Number("pos_pl_pct(f, n, T)"),
}

_OF_BROKER = {
    "_cash": Number("f[CASH]"),
    "_commission_fixed": Number("f[CFIX]"),
    "_commission_relative": Number("f[CREL]"),
    "_leverage": Number("f[LEV]"),
    "_spread": Number("f[SPREAD]"),
    "last_price": Number("f[PRICE]", numpy=True),
    "margin_available": Number("margin_available(f, n, T)"),
}


def _attribute(unit: Unit, node: ast.Attribute) -> Any:
    if (
        isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "super"
        and not node.value.args
    ):
        return Method(None, node.attr)
    base = translate(unit, node.value)
    name = node.attr
    if isinstance(base, StrategyItself):
        return of_strategy(unit, name, node)
    if isinstance(base, Data):
        return of_data(unit, name, node)
    if isinstance(base, Position):
        found = _OF_POSITION.get(name)
        if found is not None:
            return found
        if name == "close":
            return Method(base, name)
    if isinstance(base, Broker):
        return of_broker(unit, name, node)
    if isinstance(base, Trade):
        return _of_trade(unit, base, name, node)
    if isinstance(base, Order):
        return _of_order(unit, base, name, node)
    if isinstance(base, Listing):
        return Method(base, name)
    if isinstance(base, Known):
        try:
            value = unit.builder.parts.attribute(base.value, name)
        except Exception:
            raise unit.refusal(node, f"there is no attribute {name!r}") from None
        return Nothing() if value is None else Known(value)
    if isinstance(base, Series) and name == "size":
        return Number(base.length, "int")
    if isinstance(base, Number) and base.type == "span":
        return _of_span(unit, base, name, node)
    raise unit.refusal(node, f"{described(base)} has no {name!r} that is known")


def _of_span(unit: Unit, span: Number, name: str, node: ast.AST) -> Any:
    span = unit.not_none(span)
    if name == "days":
        return Number(f"({span.code} // {_DAY})", "int")
    if name == "seconds":
        return Number(f"({span.code} % {_DAY} // 1000000000)", "int")
    if name == "total_seconds":
        return Method(span, name)
    raise unit.refusal(node, f"{name!r} of a time has no translation")


#: Nanoseconds.
_DAY = 86_400 * 10**9


def of_strategy(unit: Unit, name: str, node: ast.AST) -> Any:
    """An attribute of the strategy."""
    builder = unit.builder
    if name == "data":
        return Data()
    if name == "position":
        return Position()
    if name in ("trades", "orders", "closed_trades"):
        return Collection(name)  # type: ignore[arg-type]
    if name == "equity":
        return Number("equity(f, n, T)")
    if name == "_broker":
        return Broker()
    if name in builder.states or name in builder.lists:
        return of_state(unit, name, node)
    strategy = builder.strategy
    member = getattr(builder.kind, name, None)
    if isinstance(member, property):
        return call_property(unit, name, node)
    if is_computed(builder.kind, name):
        raise unit.refusal(node, f"{name!r} is computed when it is asked for")
    if not hasattr(strategy, name):
        raise unit.refusal(node, f"after init there is no attribute {name!r}")
    value = getattr(strategy, name)
    if callable(value) and name not in vars(strategy):
        return Method(StrategyItself(), name)
    kind = builder.note(name, value)
    if value is None:
        return Nothing()
    if number_of("", kind) is not None:
        return number_of(f"P[{builder.parameter(name)}]", kind)
    if isinstance(value, np.ndarray) and value.dtype.str[1:] in _TYPES:
        return _array(unit, name, value, node)
    if isinstance(value, tuple | list) and _is_constant(unit, name, value):
        owner = builder.kind
        builder.parts.attribute(owner, name)
        return Known(value)
    # Neither is a function that init has made: the next combination's is another.
    raise unit.refusal(node, f"{name!r} is a {type(value).__name__}")


def of_broker(unit: Unit, name: str, node: ast.AST) -> Any:
    """An attribute of `self._broker`: what strategies that size their own orders read of it."""
    if name in ("position", "trades", "orders", "closed_trades", "equity"):
        return of_strategy(unit, name, node)
    if name in ("_adjusted_price", "_commission"):
        return Method(Broker(), name)
    if name in _OF_BROKER:
        return _OF_BROKER[name]
    raise unit.refusal(node, f"{name!r} of the broker has no translation")


def _is_constant(unit: Unit, name: str, value: Any) -> bool:
    """Whether a tuple or list is the class's own, the same for every combination."""
    return name not in vars(unit.builder.strategy) and len(value) <= 64


def _array(unit: Unit, name: str, value: np.ndarray, node: ast.AST) -> Any:
    revealed = isinstance(value, _Indicator) and name in vars(unit.builder.strategy)
    bars = len(unit.builder.strategy._data)
    if value.shape[-1:] != (bars,):
        raise unit.refusal(node, f"{name!r} is an array that has not one value a bar")
    type_ = _TYPES[value.dtype.str[1:]]
    if value.ndim == 1:
        return series(unit, Row("attribute", name), type_, revealed=revealed)
    if value.ndim == 2 and revealed:
        rows = (Row("attribute", name, part) for part in range(len(value)))
        return Matrix(tuple(series(unit, row, type_, revealed=True) for row in rows))
    raise unit.refusal(node, f"{name!r} is an array of {value.ndim} dimensions")


def series(unit: Unit, row: Row, type_: Type, *, revealed: bool) -> Series:
    """An array of a row."""
    place = unit.builder.row(row)

    def at(index: str) -> str:
        code = f"I[n[ROWS + {place}], {index}]"
        if type_ == "int":
            return f"int({code})"
        if type_ == "time":
            return f"int({code}) * {tick(unit)}"
        return f"({code} != 0.0)" if type_ == "bool" else code

    return Series(at, type_, "(i + 1)" if revealed else "M.shape[1]", revealed)


def times(unit: Unit, node: ast.AST) -> Series:
    """`self.data.index`, where it is one of times."""
    if not isinstance(unit.builder.strategy._data.index, pd.DatetimeIndex):
        raise unit.refusal(node, "the data's index holds no times")
    return series(unit, Row("time", "index"), "time", revealed=True)


def tick(unit: Unit) -> str:
    """Code of the nanoseconds of which every bar's time is a multiple, counted from the first."""
    builder = unit.builder
    if not builder.tick:
        builder.tick = ticks_of(builder.strategy._data.index)[1]
    return f"int({builder.constant(float(builder.tick))})"


def ticks_of(index: pd.DatetimeIndex) -> tuple[np.ndarray, int]:
    """Times as whole numbers: ticks since the first one, and nanoseconds of a tick."""
    since = index.as_unit("ns").asi8 - index.as_unit("ns").asi8[0]
    found = int(np.gcd.reduce(since)) or 1
    return since // found, found


def of_state(unit: Unit, name: str, node: ast.AST) -> Any:
    """An attribute that `next` changes."""
    builder = unit.builder
    if name in builder.unknown:
        raise unit.refusal(node, f"{name!r} has no translation: {builder.unknown[name]}")
    if name in builder.lists:
        place = builder.list_place(name)
        return Listing(f"{place + 1}", f"int(S[{place}])", builder.lists[name], f"{place}", name)
    if name in builder.tuples:
        return _tuple(unit, name, node)
    joined = builder.states[name]
    kind = joined.type
    if kind is None:
        raise unit.refusal(node, f"{name!r} is text or a time now, and a number then")
    if not joined.types and (joined.none or not builder.is_set(name)):
        return Nothing()
    place = builder.state_place(name)
    code = f"S[{place}]"
    if not builder.is_set(name):
        code = f"was_set(n, S, {place})"
    if kind == "bool":
        code = f"({code} != 0.0)"
    elif kind == "int":
        code = f"int({code})"
    elif kind == "time":
        code = f"int({code}) * {tick(unit)}"
    elif kind == "span":
        raise unit.refusal(node, f"{name!r} is a time between two")
    none = f"(S[{place + 1}] == 1.0)" if joined.none else ""
    return Number(code, kind, joined.numpy, none=none)


def _tuple(unit: Unit, name: str, node: ast.AST) -> Any:
    builder = unit.builder
    place = builder.state_place(name)
    is_none = f"(S[{place + 1}] == 1.0)"
    may_be_none = builder.states[name].none or not builder.is_set(name)
    if not builder.is_set(name):
        is_none = f"(was_set(n, S, {place}) != 0.0 or {is_none})"
    if may_be_none and not any(builder.states[part].types for part in builder.tuples[name]):
        return Nothing()
    parts = []
    for part in builder.tuples[name]:
        value = of_state(unit, part, node)
        if may_be_none and isinstance(value, Number):
            code = f"needed(n, {value.code}, {is_none})"
            value = Number(code, value.type, value.numpy, value.none)
        parts.append(value)
    return Items(tuple(parts), is_none if may_be_none else "")


def of_data(unit: Unit, name: str, node: ast.AST) -> Any:
    """An attribute, or a column, of the data."""
    if name in _PRICES:
        row = _PRICES[name]
        return Series(lambda index: f"M[{row}, {index}]", "float", "(i + 1)", revealed=True)
    if name == "index":
        return times(unit, node)
    if name in ("df", "pip"):
        raise unit.refusal(node, f"data.{name} has no translation here")
    try:
        array = np.asarray(unit.builder.strategy._data[name])
    except KeyError:
        raise unit.refusal(node, f"the data has no column {name!r}") from None
    unit.builder.columns[name] = array.dtype.str
    if array.dtype.str[1:] not in _TYPES:
        raise unit.refusal(node, f"the column {name!r} is of {array.dtype}")
    return series(unit, Row("data", name), _TYPES[array.dtype.str[1:]], revealed=True)


def _of_trade(unit: Unit, trade: Trade, name: str, node: ast.AST) -> Any:
    t = trade.code
    numbers = {
        "size": Number(f"T[{t}, TSIZE]"),
        "entry_price": Number(f"T[{t}, TENTRY]"),
        "entry_bar": Number(f"Ti[{t}, TEBAR]", "int"),
        "is_long": Number(f"(T[{t}, TSIZE] > 0.0)", "bool"),
        "is_short": Number(f"(not T[{t}, TSIZE] > 0.0)", "bool"),
        "tag": Number(f"float(Ti[{t}, TTAG])", "symbol", none=f"(Ti[{t}, TTAG] == 0)"),
        "pl": Number(f"trade_pl(f, T, {t})"),
        "pl_pct": Number(f"trade_pl_pct(f, T, {t})"),
        "value": Number(f"trade_value(f, T, {t})"),
    }
    if name in ("entry_time", "exit_time") and (trade.closed or name == "entry_time"):
        bar = "TEBAR" if name == "entry_time" else "TXBAR"
        return Number(times(unit, node).at(f"Ti[{t}, {bar}]"), "time")
    if trade.closed:
        numbers |= {
            "exit_price": Number(f"T[{t}, TEXIT]"),
            "exit_bar": Number(f"Ti[{t}, TXBAR]", "int"),
        }
    else:
        numbers |= {
            "sl": Number(f"trade_sl(f, n, Ti, {t})", none=f"(trade_sl(f, n, Ti, {t}) == 0.0)"),
            "tp": Number(f"trade_tp(f, n, Ti, {t})", none=f"(trade_tp(f, n, Ti, {t}) == 0.0)"),
        }
        if name in ("exit_price", "exit_bar", "exit_time"):
            evaluated(unit, trade)
            return Nothing()
    if name in numbers:
        return numbers[name]
    if name == "close" and not trade.closed:
        return Method(trade, name)
    raise unit.refusal(node, f"{name!r} of a trade has no translation")


def _of_order(unit: Unit, order: Order, name: str, node: ast.AST) -> Any:
    o = order.code
    numbers = {
        "size": Number(f"f[OSIZE + {o}]"),
        "is_long": Number(f"(f[OSIZE + {o}] > 0.0)", "bool"),
        "is_short": Number(f"(f[OSIZE + {o}] < 0.0)", "bool"),
        "is_contingent": Number(f"is_contingent(n, Ti, {o})", "bool"),
        "tag": Number(f"float(n[OTAG + {o}])", "symbol", none=f"(n[OTAG + {o}] == 0)"),
    }
    for key, column in (("limit", "OLIM"), ("stop", "OSTOP"), ("sl", "OSL"), ("tp", "OTP")):
        numbers[key] = Number(f"f[{column} + {o}]", none=f"(f[{column} + {o}] == 0.0)")
    if name in numbers:
        return numbers[name]
    if name == "cancel":
        return Method(order, name)
    raise unit.refusal(node, f"{name!r} of an order has no translation")


def kept_as(unit: Unit, number: Number) -> str:
    """Code of a number as a float that is kept from bar to bar."""
    if number.type == "int":
        return f"kept_whole(n, {number.code})"
    if number.type == "time":
        return f"kept_time(n, {number.code}, {tick(unit)})"
    return as_float(number)


ATTRIBUTES = {ast.Attribute: _attribute}
