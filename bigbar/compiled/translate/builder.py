"""What the functions of one program have in common: rows, parameters, state and symbols."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from backtesting import Strategy

from bigbar.compiled.translate.kinds import ROOM, Symbols, kind_of, number_of
from bigbar.compiled.translate.parts import Parts
from bigbar.compiled.translate.purity import Purity
from bigbar.compiled.translate.refusal import Refusal
from bigbar.compiled.translate.states import (
    find_arities,
    find_rebound,
    find_state,
    has_value,
    part_name,
    value_at,
)
from bigbar.compiled.translate.values import Nothing, Number, Type

#: Most rows of a program.
MOST_ROWS = 256

#: Orders that there can be at a time, as in `bigbar.compiled.broker.state`.
ORDERS = 512

#: Places that a list takes: how many numbers there are, and the numbers.
_LIST = 1 + ROOM


@dataclass
class Joined:
    """What the values of one name are, all together."""

    types: set[Type] = field(default_factory=set)
    none: bool = False
    numpy: bool = True

    def add(self, value: Number | Nothing) -> None:
        """Take in one more."""
        if isinstance(value, Nothing):
            self.none = True
            return
        self.types.add(value.type)
        self.none = self.none or bool(value.none)
        self.numpy = self.numpy and value.numpy

    @property
    def type(self) -> Type | None:
        """One type for all; None where there is none."""
        if len(self.types) == 1:
            return next(iter(self.types))
        if self.types & {"symbol", "time", "span"}:
            return None
        for one in ("float", "int", "bool"):
            if one in self.types:
                return one
        return "float"

    def signature(self) -> tuple[Any, ...]:
        """To tell whether anything has been added."""
        return (frozenset(self.types), self.none, self.numpy)


@dataclass(frozen=True)
class Hoist:
    """An expression that Python evaluates once per bar.

    Attributes
    ----------
    text : str
        The expression.
    function : function
        In whose scope it is evaluated.
    itself : str
        The name of the strategy there.
    line : int
    """

    text: str
    function: types.FunctionType
    itself: str
    line: int


@dataclass(frozen=True)
class Column:
    """The values of a hoisted expression, or what they have in common.

    Attributes
    ----------
    type : Type
    numpy : bool
    none, raises : bool
        Whether it is None on some bars, and whether evaluating it raises on some.
    """

    type: Type
    numpy: bool
    none: bool
    raises: bool


@dataclass(frozen=True)
class Row:
    """Where a row comes from.

    Attributes
    ----------
    of : str
        "attribute" of the strategy, "data", "hoist", or "time".
    name : str or Hoist
    part : int or str
        The row of an indicator of several, or "value", "none" and "raises" of a hoisted one.
    """

    of: Literal["attribute", "data", "hoist", "time"]
    name: Any
    part: Any = None


class NoColumn(Exception):
    """A hoisted expression whose values are not numbers."""


class Builder:
    """Collects what a program needs, while its functions are translated.

    Parameters
    ----------
    strategy : Strategy
        After its `init`.
    column : callable
        Evaluates a `Hoist` and says what its values are; raises `NoColumn`.
    symbols : Symbols
    block : callable
        Translates statements of a `Unit`.
    """

    def __init__(
        self,
        strategy: Strategy,
        column: Callable[[Hoist], Column],
        symbols: Symbols,
        block: Callable[[Any, list[ast.stmt]], None],
    ) -> None:
        self.strategy = strategy
        self.block = block
        self.kind: type[Strategy] = type(strategy)
        self.column_of = column
        self.rows: dict[Row, int] = {}
        self.parameters: dict[str, int] = {}
        self.constants: dict[float, int] = {}
        self.symbols = symbols
        self.reads: dict[str, str] = {}
        self.hoisted: dict[Hoist, Column] = {}
        #: Functions and global values that have become part of the program.
        self.parts = Parts()
        self._find_state()
        self.purity = Purity(strategy, frozenset((*self.state, *self.lists)), self.parts)
        #: Types of local names and returns, by function; they grow from pass to pass.
        self.locals: dict[Any, dict[str, Joined]] = {}
        self.maybe: dict[Any, set[str]] = {}
        self.returns: dict[Any, list[Joined]] = {}
        self.functions: dict[Any, str] = {}
        self.acts: dict[Any, bool] = {}
        self.underway: list[Any] = []
        #: Functions that are defined inside others.
        self.local_functions: dict[Hashable, types.FunctionType] = {}
        #: What was refused, where translating is to go on after a refusal: to learn of types, or
        #: to tell all that is in the way.
        self.refused: dict[Refusal, None] | None = None
        #: Columns of the data that are read, and the kind of their numbers.
        self.columns: dict[str, str] = {}
        #: Nanoseconds of which the bars' times are multiples, where that is asked for.
        self.tick = 0
        self.local_lists: dict[Hashable, Joined] = {}
        self.places: dict[Hashable, int] = {}
        #: Places of `S` that are used for a while, behind those that are kept from bar to bar.
        self.scratch = 0

    def _find_state(self) -> None:
        """What `next` changes, and what it is after `init`."""
        found = find_state(self.kind)
        #: Attributes that are assigned as a whole, not only changed.
        self.rebound = find_rebound(self.kind)
        arities = find_arities(self.kind)
        #: Names of scalars, in the order in which they are kept; of lists; tuples by their parts;
        #: and what has no translation, with the reason.
        self.states: dict[str, Joined] = {}
        self.lists: dict[str, Joined] = {}
        self.tuples: dict[str, tuple[str, ...]] = {}
        self.unknown: dict[str, str] = {}
        for name in found:
            value = self.value_of_state(name) if self.is_set(name) else None
            counts = arities.get(name, set()) | ({len(value)} if type(value) is tuple else set())
            if type(value) is list:
                self._add_list(name, value)
            elif counts and (value is None or type(value) is tuple):
                self._add_tuple(name, value, counts)
            else:
                self._add_scalar(name)
        self.state = tuple(self.states)
        self.kept = 2 * len(self.state) + _LIST * len(self.lists)

    def _add_scalar(self, name: str) -> None:
        joined = self.states[name] = Joined()
        if not self.is_set(name):
            return
        value = self.value_of_state(name)
        kind = self.note(name, value)
        found = Nothing() if value is None else number_of("", kind)
        if found is None:
            self.unknown[name] = f"it begins as a {type(value).__name__}"
        else:
            joined.add(found)

    def _add_list(self, name: str, value: list[Any]) -> None:
        joined = self.lists[name] = Joined()
        kind = self.note(name, value)
        if name not in vars(self.strategy):
            self.unknown[name] = "it is the class's own list, which runs would share"
        elif kind == "long list":
            self.unknown[name] = f"it has more than {ROOM} items"
        for one in value[:ROOM]:
            found = number_of("", kind_of(one))
            if found is None:
                self.unknown[name] = f"it holds a {type(one).__name__}"
            else:
                joined.add(found)

    def _add_tuple(self, name: str, value: tuple[Any, ...] | None, counts: set[int]) -> None:
        if len(counts) > 1:
            self.states[name] = Joined()
            self.unknown[name] = "it is a tuple now of so many, now of other"
            return
        self.states[name] = Joined()
        if self.is_set(name):
            self.note(name, value)
            if value is None:
                self.states[name].add(Nothing())
        parts = tuple(part_name(name, place) for place in range(next(iter(counts))))
        for part in parts:
            self._add_scalar(part)
        self.tuples[name] = parts

    def begin_pass(self) -> None:
        """Forget the code, keep what was learned of types."""
        self.functions.clear()
        self.rows.clear()
        self.parameters.clear()
        self.constants.clear()
        self.hoisted.clear()
        self.acts.clear()
        self.parts.clear()
        self.parts.attribute(self.kind, "__mro__")
        self.parts.member(self.kind.__mro__, "next")
        self.places.clear()
        self.scratch = 0

    def signature(self) -> Any:
        """What was learned of types so far."""
        return (
            {name: joined.signature() for name, joined in self.states.items()},
            {name: joined.signature() for name, joined in self.lists.items()},
            {key: joined.signature() for key, joined in self.local_lists.items()},
            {
                key: {name: joined.signature() for name, joined in names.items()}
                for key, names in self.locals.items()
            },
            {key: set(names) for key, names in self.maybe.items()},
            {key: [one.signature() for one in many] for key, many in self.returns.items()},
        )

    def note(self, name: str, value: Any) -> str:
        """Remember that the program depends on what an attribute is."""
        kind = self.reads[name] = kind_of(value)
        return kind

    def is_set(self, name: str) -> bool:
        """Whether a state has a value after `init`."""
        return has_value(self.strategy, name)

    def value_of_state(self, name: str) -> Any:
        """The value of a state after `init`."""
        return value_at(self.strategy, name)

    def row(self, row: Row) -> int:
        """The number of a row in the program."""
        return self.rows.setdefault(row, len(self.rows))

    def parameter(self, name: str) -> int:
        """The place of an attribute among the parameters."""
        return self.parameters.setdefault(name, len(self.parameters))

    def constant(self, value: float) -> str:
        """Code of a number that the compiler must not know."""
        place = self.constants.setdefault(value, len(self.constants))
        return f"P[{place} + {{parameters}}]"

    def column(self, hoist: Hoist) -> Column:
        """What the values of a hoisted expression are."""
        if hoist not in self.hoisted:
            self.hoisted[hoist] = self.column_of(hoist)
        return self.hoisted[hoist]

    def room(self, places: int) -> int:
        """Where there is room in `S` for a while."""
        self.scratch += places
        return self.kept + self.scratch - places

    def local_list(self, key: Hashable) -> tuple[int, Joined]:
        """Where a local list is kept, and what its numbers are."""
        if key not in self.places:
            self.places[key] = self.list_room()
        return self.places[key], self.local_lists.setdefault(key, Joined())

    def list_room(self) -> int:
        """Where there is room for a list for a while."""
        return self.room(_LIST)

    def state_place(self, name: str) -> int:
        """Where a state's value is kept; behind it whether it is None (1) or not set (2)."""
        return 2 * self.state.index(name)

    def list_place(self, name: str) -> int:
        """Where is kept how long a list is; its numbers stand behind that."""
        return 2 * len(self.state) + _LIST * tuple(self.lists).index(name)
