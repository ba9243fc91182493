"""Loops: over ranges, trades, orders and lists, as statements and in comprehensions."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bigbar.compiled.translate.builder import ORDERS, Joined
from bigbar.compiled.translate.expressions import condition, number, translate
from bigbar.compiled.translate.places import member
from bigbar.compiled.translate.refusal import renamed
from bigbar.compiled.translate.states import CHANGES
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    Collection,
    Listing,
    Nothing,
    Number,
    Order,
    Variable,
)


@dataclass(frozen=True)
class Turns:
    """What a loop goes over.

    Attributes
    ----------
    over : ast.expr
    value : object
        What it gives, unless it is a range.
    target : ast.expr
        What is assigned.
    counter : ast.Name or None
        And what is counted along.
    first : str
        Code of the number that is counted from.
    """

    over: ast.expr
    value: Any
    target: ast.expr
    counter: ast.Name | None = None
    first: str = "0"


def turns_of(unit: Unit, over: ast.expr, target: ast.expr) -> Turns:
    """What a loop goes over, evaluated."""
    name = called_name(unit, over)
    if not isinstance(over, ast.Call) or name not in ("range", "enumerate"):
        return Turns(over, translate(unit, over), target)
    if name == "range":
        return Turns(over, None, target)
    if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
        raise unit.refusal(over, "enumerate into one name")
    counter, each = target.elts
    if not isinstance(counter, ast.Name) or not 1 <= len(over.args) <= 2:
        raise unit.refusal(over, "enumerate into something else than a name")
    value = translate(unit, over.args[0])
    first = number(unit, over.args[1]).code if len(over.args) == 2 else "0"
    return Turns(over, value, each, counter, first)


@contextmanager
def taken(unit: Unit, turns: Turns, node: ast.AST) -> Iterator[None]:
    """What is emitted inside is run for each turn."""
    if turns.value is None:
        assert isinstance(turns.over, ast.Call)
        with _in_range(unit, turns.over, turns.target):
            yield
    elif turns.counter is None:
        with _over_value(unit, turns.value, turns.target, node):
            yield
    else:
        count = unit.temporary()
        unit.emit(f"{count} = {turns.first} - 1")
        with _over_value(unit, turns.value, turns.target, node):
            unit.emit(f"{count} = {count} + 1")
            unit.bind(turns.counter.id, Number(count, "int"), node, None)
            yield


def called_name(unit: Unit, over: ast.expr) -> str:
    """The name of Python's own function that is called; empty for anything else."""
    if (
        isinstance(over, ast.Call)
        and isinstance(over.func, ast.Name)
        and over.func.id not in unit.flow.variables
        and not over.keywords
    ):
        return over.func.id
    return ""


@contextmanager
def _in_range(unit: Unit, over: ast.Call, target: ast.expr) -> Iterator[None]:
    if not isinstance(target, ast.Name):
        raise unit.refusal(over, "a range is taken apart")
    bounds = []
    for one in over.args:
        bound = number(unit, one)
        if bound.type != "int":
            raise unit.refusal(one, "a range of what is no whole number")
        bounds.append(bound.code)
    if len(bounds) == 3:
        bounds[2] = f"nonzero(n, {bounds[2]})"
    step = unit.temporary()
    unit.emit(f"for {step} in range({', '.join(bounds)}):")
    unit.indent += 1
    unit.emit("if n[ERR] != 0:")
    unit.emit("    break")
    unit.bind(target.id, Number(step, "int"), over, None)
    yield
    unit.indent -= 1


@contextmanager
def _over_value(unit: Unit, value: Any, target: ast.expr, node: ast.AST) -> Iterator[None]:
    """What is emitted inside is run for each trade, order or number."""
    if not isinstance(target, ast.Name) or not isinstance(value, Collection | Listing):
        raise unit.refusal(node, f"a loop over {described(value)}")
    if isinstance(value, Listing):
        with _over_list(unit, value, target.id, node):
            yield
    elif value.of == "orders":
        with _over_orders(unit, value, target.id):
            yield
    else:
        with _over_trades(unit, value, target.id, node):
            yield


@contextmanager
def _over_list(unit: Unit, numbers: Listing, name: str, node: ast.AST) -> Iterator[None]:
    """A loop over a list, which may change meanwhile; a part of one as it was."""
    rebound = numbers.name in unit.builder.rebound and _may_be_rebound(unit, node, numbers.name)
    if not numbers.place or rebound:
        if rebound and _may_be_changed(unit, node):
            raise unit.refusal(node, "a list is changed while it is looped over")
        place = unit.builder.list_room()
        unit.emit(f"list_copy(S, {place}, {numbers.start}, {numbers.count})")
        numbers = Listing(f"{place + 1}", f"int(S[{place}])", numbers.joined)
    index = unit.temporary()
    unit.emit(f"{index} = -1")
    unit.emit("while True:")
    unit.indent += 1
    unit.emit(f"{index} = {index} + 1")
    unit.emit(f"if n[ERR] != 0 or {index} >= {numbers.count}:")
    unit.emit("    break")
    unit.bind(name, numbers.at(index), node, None)
    yield
    unit.indent -= 1


def _may_be_rebound(unit: Unit, node: ast.AST, name: str) -> bool:
    """Whether an attribute may be assigned inside a loop, so that the loop has the one before."""
    return any(
        _calls_own(unit, one)
        or (isinstance(one, ast.Attribute) and one.attr == name and isinstance(one.ctx, ast.Store))
        for one in ast.walk(node)
    )


def _may_be_changed(unit: Unit, node: ast.AST) -> bool:
    """Whether a list may be changed in place inside a loop."""
    return any(
        _calls_own(unit, one)
        or (isinstance(one, ast.Attribute) and one.attr in CHANGES)
        or (isinstance(one, ast.Subscript) and not isinstance(one.ctx, ast.Load))
        or isinstance(one, ast.AugAssign)
        for one in ast.walk(node)
    )


def _calls_own(unit: Unit, node: ast.AST) -> bool:
    """Whether this calls a method of the strategy that the trader wrote."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    base = node.func.value
    if isinstance(base, ast.Name) and base.id == unit.itself:
        return node.func.attr not in ("buy", "sell")
    return isinstance(base, ast.Call)  # `super().method()`.


@contextmanager
def _over_trades(unit: Unit, over: Collection, name: str, node: ast.AST) -> Iterator[None]:
    place = unit.temporary()
    first, stop = over.first or "0", over.stop or unit.count_of(over)
    bounds = f"{stop} - 1, {first} - 1, -1" if over.backwards else f"{first}, {stop}"
    unit.emit(f"for {place} in range({bounds}):")
    unit.indent += 1
    unit.bind(name, member(over, place), node, None)
    yield
    unit.indent -= 1


@contextmanager
def _over_orders(unit: Unit, over: Collection, name: str) -> Iterator[None]:
    """A loop over the orders as they are when it begins."""
    base = unit.builder.room(ORDERS)
    place, count = unit.temporary(), unit.temporary()
    unit.emit(f"{count} = n[NORD]")
    unit.emit(f"for {place} in range({count}):")
    unit.emit(f"    S[{base} + {place}] = n[QUEUE + {place}]")
    unit.emit(f"for {place} in range({f'{count} - 1, -1, -1' if over.backwards else count}):")
    unit.indent += 1
    unit.emit(f"v_{name} = int(S[{base} + {place}])")
    unit.flow.variables[name] = Variable(Order(f"v_{name}"))
    unit.flow.bound.add(name)
    yield
    unit.indent -= 1


@contextmanager
def repeated(unit: Unit, node: ast.AST) -> Iterator[None]:
    """A body that may run any number of times."""
    assigned = {
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }
    for name in assigned:
        joined = unit.locals.get(name)
        variable = unit.flow.variables.get(name)
        if variable is not None:
            if isinstance(variable.value, Listing) and name in unit.own_lists:
                unit.flow.variables[name] = Variable(variable.value)
            elif not isinstance(variable.value, Number | Nothing):
                unit.flow.variables[name] = Variable(None)
            else:
                unit.flow.variables[name] = Variable(_joined(name, joined, variable.value))
        elif joined is not None and joined.types:
            unit.flow.variables[name] = Variable(_joined(name, joined, None))
    before = unit.flow.copy()
    unit.left.append([])
    yield
    unit.flow.over = False
    for flow in (before, *unit.left.pop()):
        unit.merge(flow, unit.flow)


def leave_loop(unit: Unit, node: ast.Break | ast.Continue) -> None:
    """`break` and `continue`."""
    unit.left[-1].append(unit.flow.copy())
    unit.emit("break" if isinstance(node, ast.Break) else "continue")
    unit.flow.over = True


def _joined(name: str, joined: Joined | None, value: Any) -> Any:
    """A name that the body of a loop assigns: all that it ever is."""
    if joined is None or not joined.types:
        return value
    none = f"w_{name}" if joined.none else ""
    return Number(f"v_{name}", joined.type or "float", joined.numpy, none=none)


@contextmanager
def comprehended(unit: Unit, node: ast.ListComp | ast.GeneratorExp) -> Iterator[ast.expr]:
    """What is emitted inside is run for each turn of a comprehension: its element is given."""
    node = _renamed(node)
    depth = unit.indent
    before = unit.flow.copy()
    with ExitStack() as stack:
        for one in node.generators:
            turns = turns_of(unit, one.iter, one.target)
            stack.enter_context(taken(unit, turns, node))
            for test in one.ifs:
                unit.emit(f"if {condition(unit, test)}:")
                unit.indent += 1
        yield node.elt
    unit.indent = depth
    unit.flow = before


def _renamed(node: Any) -> Any:
    """A comprehension with names of its own, which are none of the function's."""
    own = {
        one.id
        for part in node.generators
        for one in ast.walk(part.target)
        if isinstance(one, ast.Name)
    }
    ending = f"_{node.lineno}_{node.col_offset}"
    node = copy.deepcopy(node)
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and one.id in own:
            renamed(one, one.id + ending)
    return node
