"""Places: `array[-1]`, `trades[0]`, `numbers[-3:]`, `pair[1]`."""

from __future__ import annotations

import ast
from typing import Any

from bigbar.compiled.translate.attributes import of_data, of_state
from bigbar.compiled.translate.expressions import either, number, translate
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.compiled.translate.states import entry_name
from bigbar.compiled.translate.unit import Unit, described
from bigbar.compiled.translate.values import (
    Collection,
    Data,
    Items,
    Known,
    Listing,
    Matrix,
    Nothing,
    Number,
    Order,
    Series,
    Trade,
)

#: Longest list of constants that a place is looked up in while running.
_LONGEST_TABLE = 32


def _subscript(unit: Unit, node: ast.Subscript) -> Any:
    entry = entry_name(node, unit.itself)
    if entry in unit.builder.states:
        return of_state(unit, entry, node)
    base = translate(unit, node.value)
    key = node.slice
    if isinstance(base, Data) and isinstance(key, ast.Constant) and isinstance(key.value, str):
        return of_data(unit, key.value, node)
    if isinstance(base, Series):
        return _place(unit, base, key, node)
    if isinstance(base, Matrix):
        return _line(unit, base, key, node)
    if isinstance(base, Listing):
        return part(unit, base, key) if isinstance(key, ast.Slice) else item(unit, base, key)
    if isinstance(base, Collection):
        return _members(unit, base, key) if isinstance(key, ast.Slice) else _member(unit, base, key)
    if isinstance(base, Items):
        if isinstance(key, ast.Slice) and not base.none:
            return Items(base.items[_written_slice(unit, key)])
        return base.items[_whole(unit, key, len(base.items))]
    if isinstance(base, Known) and isinstance(base.value, tuple | list):
        if isinstance(key, ast.Slice):
            return Known(base.value[_written_slice(unit, key)])
        try:
            value = base.value[_whole(unit, key, len(base.value))]
        except CannotCompile:
            return _of_table(unit, base.value, key)
        return Nothing() if value is None else Known(value)
    if (
        isinstance(base, Known)
        and isinstance(base.value, dict)
        and isinstance(key, ast.Constant)
        and key.value in base.value
    ):
        return Known(base.value[key.value])
    raise unit.refusal(node, f"a place in {described(base)}")


def _written_slice(unit: Unit, key: ast.Slice) -> slice:
    try:
        ends = [one and ast.literal_eval(one) for one in (key.lower, key.upper, key.step)]
    except ValueError:
        raise unit.refusal(key, "a slice that is not written out") from None
    return slice(*ends)


def _whole(unit: Unit, key: ast.expr, count: int) -> int:
    try:
        place = ast.literal_eval(key)
    except ValueError:
        place = None
    if not isinstance(place, int) or not -count <= place < count:
        raise unit.refusal(key, "a place that is not written out, or is not there")
    return place


def _of_table(unit: Unit, table: tuple | list, key: ast.expr) -> Number:
    """A place, found while running, in a list of numbers that does not change."""
    if not 0 < len(table) <= _LONGEST_TABLE:
        raise unit.refusal(key, "a place in a long list")
    items = [unit.constant(one, key) for one in table]
    place = unit.temporary()
    unit.emit(f"{place} = place(n, {index_of(unit, key)}, {len(table)})")
    found = items[-1]
    for number_, one in reversed(list(enumerate(items[:-1]))):
        found = either(unit, f"{place} == {number_}", one, found, key)
    return found


def index_of(unit: Unit, key: ast.expr) -> str:
    """Code of a whole number that stands for a place."""
    index = number(unit, key)
    if index.type != "int":
        raise unit.refusal(key, "a place that is not a whole number")
    return index.code


def _place(unit: Unit, array: Series, key: ast.expr, node: ast.AST) -> Number:
    if isinstance(key, ast.Slice | ast.Tuple):
        raise unit.refusal(node, "a slice of an array that changes with the run")
    try:
        place = ast.literal_eval(key)
    except ValueError:
        place = None
    # Two bars are there from the first call of next on.
    if isinstance(place, int) and not isinstance(place, bool) and place in (-1, -2):
        return array.last(-place)
    code = f"place(n, {index_of(unit, key)}, {array.length})"
    return Number(array.at(code), array.type, numpy=True)


def _line(unit: Unit, matrix: Matrix, key: ast.expr, node: ast.AST) -> Any:
    if isinstance(key, ast.Tuple) and len(key.elts) == 2:
        line = matrix.rows[_whole(unit, key.elts[0], len(matrix.rows))]
        return _place(unit, line, key.elts[1], node)
    return matrix.rows[_whole(unit, key, len(matrix.rows))]


def _member(unit: Unit, collection: Collection, key: ast.expr) -> Any:
    place = f"place(n, {index_of(unit, key)}, {unit.count_of(collection)})"
    if collection.first or collection.stop:
        raise unit.refusal(key, "a place in a part of the trades")
    if collection.backwards:
        place = f"{unit.count_of(collection)} - 1 - {place}"
    return member(collection, place)


def _members(unit: Unit, collection: Collection, key: ast.Slice) -> Collection:
    if collection.backwards or collection.first or collection.of == "orders":
        raise unit.refusal(key, "a slice of what is no plain list of trades")
    if _is_backwards(key):
        return Collection(collection.of, backwards=True)
    first, stop = ends(unit, key, unit.count_of(collection))
    return Collection(collection.of, first=first, stop=stop)


def _is_backwards(key: ast.Slice) -> bool:
    return key.lower is None and key.upper is None and ast.unparse(key) == "::-1"


def member(collection: Collection, place: str) -> Any:
    """One of the trades or orders, by code of its place."""
    if collection.of == "trades":
        return Trade(f"n[ACTIVE + {place}]")
    if collection.of == "closed_trades":
        return Trade(f"Ti[{place}, TCLOSED]", closed=True)
    return Order(f"n[QUEUE + {place}]")


# Lists.


def item(unit: Unit, numbers: Listing, key: ast.expr) -> Number:
    """`numbers[k]`."""
    return numbers.at(f"place(n, {index_of(unit, key)}, {numbers.count})")


def part(unit: Unit, numbers: Listing, key: ast.Slice) -> Listing:
    """`numbers[a:b]`."""
    first, stop = ends(unit, key, numbers.count)
    return Listing(f"{numbers.start} + {first}", f"max({stop} - {first}, 0)", numbers.joined)


def ends(unit: Unit, key: ast.Slice, count: str) -> tuple[str, str]:
    """Code of where a slice begins, and of where it ends."""
    if key.step is not None:
        raise unit.refusal(key, "a slice with a step")
    found = []
    for one, default in ((key.lower, "0"), (key.upper, count)):
        name = unit.temporary()
        empty = one is None or (isinstance(one, ast.Constant) and one.value is None)
        code = default if empty or one is None else f"slice_end({index_of(unit, one)}, {count})"
        unit.emit(f"{name} = {code}")
        found.append(name)
    return found[0], found[1]


PLACES = {ast.Subscript: _subscript}
