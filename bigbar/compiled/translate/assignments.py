"""Assignments: to names, to the strategy's attributes and lists, to a trade's prices."""

from __future__ import annotations

import ast
from typing import Any

from bigbar.compiled.translate import orders
from bigbar.compiled.translate.attributes import kept_as, of_state
from bigbar.compiled.translate.evaluated import evaluated
from bigbar.compiled.translate.expressions import translate
from bigbar.compiled.translate.lists import (
    add_kind,
    as_items,
    filled,
    joined_with,
    new_list,
)
from bigbar.compiled.translate.operators import arithmetic
from bigbar.compiled.translate.places import index_of
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.compiled.translate.states import entry_name
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    Broker,
    Collection,
    Data,
    Items,
    Known,
    Listing,
    Matrix,
    Nothing,
    Number,
    Order,
    Position,
    Pure,
    Series,
    StrategyItself,
    Trade,
    Unread,
    Variable,
)


def assign(unit: Unit, node: ast.Assign) -> None:
    """`a = b = value`."""
    value = _value(unit, node.value)
    if isinstance(value, Number) and len(node.targets) > 1:
        value = unit.kept(value)
    if isinstance(value, Listing | Items) and len(node.targets) > 1:
        raise unit.refusal(node, "several names for one list")
    pure = _pure(unit, node.value)
    for target in node.targets:
        store(unit, target, value, node, pure)


def annotated(unit: Unit, node: ast.AnnAssign) -> None:
    """`a: float = value`."""
    if node.value is not None:
        store(unit, node.target, _value(unit, node.value), node, _pure(unit, node.value))


def _value(unit: Unit, node: ast.expr) -> Any:
    """A value to be kept under a name."""
    value = translate(unit, node)
    if isinstance(value, Known) and isinstance(value.value, bool | int | float | str):
        return unit.constant(value.value, node)
    return value


def _pure(unit: Unit, node: ast.expr) -> ast.expr | None:
    """The expression with names filled in, where Python can evaluate it."""
    if not unit.is_pure(node):
        return None
    try:
        return unit.substituted(node)
    except CannotCompile:
        return None


def augmented(unit: Unit, node: ast.AugAssign) -> None:
    """`a += value`."""
    load = ast.copy_location(ast.parse(ast.unparse(node.target), mode="eval").body, node)
    for one in ast.walk(load):
        one.lineno = node.lineno  # type: ignore[attr-defined]
    before = translate(unit, load)
    acts = unit.acts
    value = translate(unit, node.value)
    if unit.acts > acts and not isinstance(node.target, ast.Name):
        raise unit.refusal(node, "what is added may change what it is added to")
    if isinstance(before, Listing):
        _extended(unit, before, value, node)
        return
    if isinstance(before, Series | Items):
        raise unit.refusal(node, f"{described(before)} is changed in place")
    left, right = unit.plain(before, load), unit.plain(value, node.value)
    store(unit, node.target, arithmetic(unit, node.op, left, right, node), node, None)


def _extended(unit: Unit, numbers: Listing, value: Any, node: ast.AugAssign) -> None:
    items = as_items(value)
    if not isinstance(node.op, ast.Add) or not numbers.place:
        raise unit.refusal(node, "a list is changed in a way that is not known")
    if isinstance(node.target, ast.Name) and node.target.id not in unit.own_lists:
        raise unit.refusal(node, "a list is changed by another name")
    if items is not None:
        made = new_list(unit)
        filled(unit, made, items, node.value)
        value = made
    if not isinstance(value, Listing) or value.name == numbers.name != "":
        raise unit.refusal(node, f"a list is extended by {described(value)}")
    joined_with(unit, numbers, value, node)
    unit.act(f"list_extend(n, S, {numbers.place}, {value.start}, {value.count})", node)


def delete(unit: Unit, node: ast.Delete) -> None:
    """`del numbers[0]`."""
    for target in node.targets:
        if not isinstance(target, ast.Subscript) or isinstance(target.slice, ast.Slice):
            raise unit.refusal(node, "del of something else than one item of a list")
        numbers = _changed_list(unit, target, node)
        unit.act(
            f"{unit.temporary()} = list_pop(n, S, {numbers.place}, {index_of(unit, target.slice)})",
            node,
        )


def _changed_list(unit: Unit, target: ast.Subscript, node: ast.stmt) -> Listing:
    numbers = translate(unit, target.value)
    if not isinstance(numbers, Listing) or not numbers.place:
        raise unit.refusal(node, "an assignment to a place")
    base = target.value
    if isinstance(base, ast.Name) and base.id not in unit.own_lists:
        raise unit.refusal(node, "a list is changed by another name")
    return numbers


def store(unit: Unit, target: ast.expr, value: Any, node: ast.stmt, pure: ast.expr | None) -> None:
    """Assign a value to a name, an attribute or several of them."""
    if isinstance(target, ast.Tuple | ast.List):
        _unpack(unit, target, value, node)
    elif isinstance(target, ast.Name):
        _store_name(unit, target.id, value, node, pure)
    elif isinstance(target, ast.Attribute):
        _store_attribute(unit, target, value, node)
    elif isinstance(target, ast.Subscript):
        name = entry_name(target, unit.itself)
        if name in unit.builder.states:
            _store_state(unit, name, value, node)
        elif isinstance(target.slice, ast.Slice):
            raise unit.refusal(node, "an assignment to a slice")
        else:
            _store_item(unit, target, value, node)
    else:
        raise unit.refusal(node, "an assignment that is not known")


def _store_item(unit: Unit, target: ast.Subscript, value: Any, node: ast.stmt) -> None:
    numbers = _changed_list(unit, target, node)
    found = unit.kept(unit.not_none(unit.number(value, target_of(node))))
    add_kind(unit, numbers, found, node)
    place = f"place(n, {index_of(unit, target.slice)}, {numbers.count})"
    unit.act(f"S[{numbers.start} + {place}] = {kept_as(unit, found)}", node)


def _unpack(unit: Unit, target: ast.Tuple | ast.List, value: Any, node: ast.stmt) -> None:
    if isinstance(value, Matrix):
        value = Items(value.rows)
    if isinstance(value, Known):
        value = as_items(value)
    if not isinstance(value, Items) or len(value.items) != len(target.elts):
        raise unit.refusal(node, f"{described(value)} is taken apart")
    value = settled(unit, value, node)  # All are there before the first is assigned.
    given = getattr(node, "value", None)
    pure: list[ast.expr | None] = [None] * len(value.items)
    if isinstance(given, ast.Tuple | ast.List) and len(given.elts) == len(value.items):
        pure = [_pure(unit, one) for one in given.elts]
    for place, one, whole in zip(target.elts, value.items, pure, strict=True):
        store(unit, place, one, node, whole)


def settled(unit: Unit, value: Items, node: ast.stmt) -> Items:
    """Items as they are now, whatever changes later."""
    kept: list[Any] = []
    for one in value.items:
        if isinstance(one, Items):
            one = settled(unit, one, node)
        if isinstance(one, Pure):
            one = _as_number(unit, one)
        if is_plain(one):
            one = unit.constant(one.value, node)
        elif isinstance(one, Number):
            one = unit.kept(one)
        elif isinstance(one, Listing):
            raise unit.refusal(node, "a list in a tuple")
        kept.append(one)
    none = value.none
    if none:
        name = unit.temporary()
        unit.emit(f"{name} = {none}")
        none = name
    return Items(tuple(kept), none)


def is_plain(value: Any) -> bool:
    """Whether a value is a number or text of Python's."""
    return isinstance(value, Known) and isinstance(value.value, bool | int | float | str)


def _store_name(unit: Unit, name: str, value: Any, node: ast.stmt, pure: ast.expr | None) -> None:
    if name in unit.changed_lists:
        pure = None
        items = as_items(value)
        if isinstance(value, Items | Known) and items is not None and name in unit.own_lists:
            value = _made_list(unit, items, node)
    if isinstance(value, Order):
        evaluated(unit, value)
        # Slots are used again, so that an order must not be looked at once it may be gone.
        unit.flow.variables[name] = Variable(Unread())
        unit.flow.bound.add(name)
        return
    if isinstance(value, Collection) and value.of == "orders":
        raise unit.refusal(node, "a name for self.orders", "use self.orders itself")
    kept = Number | Nothing | Series | Matrix | Trade | Collection | Items | Known | Pure | Data
    if not isinstance(value, kept | Broker | Position | Unread | StrategyItself | Listing):
        raise unit.refusal(node, f"a name for {described(value)}")
    if isinstance(value, Items):
        value = settled(unit, value, node)
    if isinstance(value, Pure):
        value = evaluated(unit, _as_number(unit, value))
    if isinstance(value, Series) and any(part in value.at("i") for part in _OF_THE_RUN):
        # It would be read as it is later.
        if pure is None:
            raise unit.refusal(
                node, "an array made of what the run changes", "take its last value, [-1]"
            )
        value = Pure(pure)
    unit.bind(name, value, node, pure)


#: What code reads that changes during a call of `next`.
_OF_THE_RUN = ("S[", "v_", "n[NORD", "f[")


def _made_list(unit: Unit, items: Items, node: ast.stmt) -> Listing:
    made = new_list(unit)
    filled(unit, made, items, target_of(node))
    return Listing(made.start, made.count, made.joined)


def _as_number(unit: Unit, value: Pure) -> Any:
    """What Python finds as a number where it is one, so that it may change later."""
    before = len(unit.lines)
    try:
        return unit.hoisted(value)
    except CannotCompile:
        del unit.lines[before:]
        return value


def _store_attribute(unit: Unit, target: ast.Attribute, value: Any, node: ast.stmt) -> None:
    base = translate(unit, target.value)
    if isinstance(base, StrategyItself) and target.attr in unit.builder.lists:
        _store_list(unit, target.attr, value, node)
    elif isinstance(base, StrategyItself) and target.attr in unit.builder.tuples:
        _store_tuple(unit, target.attr, value, node)
    elif isinstance(base, StrategyItself) and target.attr in unit.builder.states:
        _store_state(unit, target.attr, value, node)
    elif isinstance(base, Trade) and target.attr in ("sl", "tp") and not base.closed:
        orders.move(unit, base, target.attr, value, target)
    else:
        raise unit.refusal(node, f"an assignment to {target.attr!r} of {described(base)}")


def _store_list(unit: Unit, name: str, value: Any, node: ast.stmt) -> None:
    numbers = of_state(unit, name, node)
    items = as_items(value)
    if items is not None and not isinstance(target_of(node), ast.Tuple):
        unit.keep_order(node)
        unit.acts += 1
        filled(unit, numbers, items, target_of(node))
    elif isinstance(value, Listing) and not value.place:
        joined_with(unit, numbers, value, node)
        unit.act(f"list_copy(S, {numbers.place}, {value.start}, {value.count})", node)
    else:
        raise unit.refusal(node, f"{name!r} is a list, and {described(value)} is assigned to it")


def _store_tuple(unit: Unit, name: str, value: Any, node: ast.stmt) -> None:
    builder = unit.builder
    if name in builder.unknown:
        raise unit.refusal(node, f"{name!r} has no translation: {builder.unknown[name]}")
    parts, place = builder.tuples[name], builder.state_place(name)
    if isinstance(value, Nothing):
        builder.states[name].add(value)
        unit.act(f"S[{place + 1}] = 1.0", node)
        return
    items = as_items(value)
    if items is None or len(items.items) != len(parts):
        raise unit.refusal(node, f"{name!r} is a tuple, and {described(value)} is assigned to it")
    items = settled(unit, items, node)
    for part, one in zip(parts, items.items, strict=True):
        _store_state(unit, part, one, node)
    unit.act(f"S[{place + 1}] = 0.0", node)


def _store_state(unit: Unit, name: str, value: Any, node: ast.stmt) -> None:
    builder = unit.builder
    if name in builder.unknown:
        raise unit.refusal(node, f"{name!r} has no translation: {builder.unknown[name]}")
    place = builder.state_place(name)
    joined = builder.states[name]
    if isinstance(value, Nothing):
        joined.add(value)
        unit.act(f"S[{place + 1}] = 1.0", node)
        return
    if isinstance(value, Series):
        raise unit.refusal(node, "an array is kept", "keep its last value, [-1]")
    found = unit.number(value, target_of(node))
    joined.add(found)
    if joined.type is None:
        raise unit.refusal(node, f"{name!r} is text or a time now, and a number then")
    if found.type == "span":
        raise unit.refusal(node, "a time between two is kept", "keep the time itself")
    found = unit.kept(found)
    code = kept_as(unit, found)
    if found.none and found.type in ("int", "time"):
        code = f"0.0 if {found.none} else {code}"
    unit.act(f"S[{place}] = {code}", node)
    unit.act(f"S[{place + 1}] = {f'1.0 if {found.none} else 0.0' if found.none else '0.0'}", node)


def target_of(node: ast.stmt) -> ast.expr:
    """The expression that a statement assigns."""
    found: ast.expr = getattr(node, "value", None) or ast.Constant(None)
    return found
