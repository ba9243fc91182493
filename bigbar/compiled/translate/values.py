"""What an expression of a strategy is while it is translated.

Values of numba's own kinds are `Number`s: code that comes to one. Everything else a strategy
handles (its data, a trade, an array that is revealed bar by bar) is known by what it is, and turns
into code where a number is asked of it.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

#: What a number is. A symbol is any other value (text, a date) of which only equality matters; a
#: time is a bar's, in nanoseconds since the first one, and a span the time between two.
Type = Literal["bool", "int", "float", "symbol", "time", "span"]

#: Whole numbers up to here are the same as floats.
MOST_EXACT = 2**53

#: Whole numbers that are kept are no larger: one such more or less is exact.
MOST_WHOLE = 2**52


@dataclass(frozen=True)
class Number:
    """Code that comes to a number, or to the number of a symbol; running it changes nothing.

    Attributes
    ----------
    code : str
    type : Type
    numpy : bool
        Whether it is NumPy's for certain: dividing by zero gives inf or nan then, while Python
        raises.
    none : str
        Code that is true where the value is None in place of a number; empty where it never is.
    most : int
        A whole number is no larger than this.
    """

    code: str
    type: Type = "float"
    numpy: bool = False
    none: str = ""
    most: int = MOST_WHOLE


@dataclass(frozen=True)
class Nothing:
    """None."""


@dataclass(frozen=True)
class Series:
    """An array with a value a bar.

    Attributes
    ----------
    at : callable
        From code of a place, counted from the first bar, to the code of the value there.
    type : Type
    length : str
        Code of how many values the array has now.
    revealed : bool
        Whether it ends at this bar; else it has the whole file's values.
    """

    at: Callable[[str], str]
    type: Type
    length: str
    revealed: bool

    def last(self, back: int = 1) -> Number:
        """The value so many places before the end, which must be there: one or two."""
        place = ("i" if back == 1 else f"i - {back - 1}") if self.revealed else (
            f"{self.length} - {back}"
        )  # fmt: skip
        return Number(self.at(place), self.type, numpy=True)


@dataclass(frozen=True)
class Matrix:
    """An indicator of several arrays."""

    rows: tuple[Series, ...]


@dataclass(frozen=True)
class StrategyItself:
    """`self`."""


@dataclass(frozen=True)
class Data:
    """`self.data`."""


@dataclass(frozen=True)
class Position:
    """`self.position`."""


@dataclass(frozen=True)
class Broker:
    """`self._broker`: the account, and what it asks for orders."""


@dataclass(frozen=True)
class LocalFunction:
    """A function that is defined inside another one.

    Attributes
    ----------
    function : function
        Without the values of the other one's names.
    tree : ast.FunctionDef
    home : object
        Key of the function that it is defined in: its names are at hand only there.
    """

    function: types.FunctionType
    tree: ast.FunctionDef
    home: Any


@dataclass(frozen=True)
class Trade:
    """A trade: code of its row in the tables."""

    code: str
    closed: bool = False


@dataclass(frozen=True)
class Order:
    """An order: code of its slot."""

    code: str


@dataclass(frozen=True)
class Collection:
    """`self.trades`, `self.orders` or `self.closed_trades`; a part of it, or reversed.

    Attributes
    ----------
    of : str
    backwards : bool
    first, stop : str
        Code of where a part begins, and of where it ends; empty for all.
    """

    of: Literal["trades", "orders", "closed_trades"]
    backwards: bool = False
    first: str = ""
    stop: str = ""


@dataclass(frozen=True)
class Known:
    """An object of Python's that is known now: a function, a module, a constant."""

    value: Any


@dataclass(frozen=True)
class Method:
    """A method of something that is not an object of Python's."""

    of: Any
    name: str


@dataclass(frozen=True)
class Items:
    """A tuple or list that is written out, or a tuple that the strategy keeps.

    Attributes
    ----------
    items : tuple
    none : str
        Code that is true where there is None in its place; empty where that is never so.
    """

    items: tuple[Any, ...]
    none: str = ""


@dataclass(frozen=True)
class Listing:
    """Numbers one after the other in `S`: a list, or a part of one.

    Attributes
    ----------
    start, count : str
        Code of the place of the first, and of how many there are.
    joined : Joined
        What the numbers are.
    place : str
        Code of where the count is kept, of a list that can be changed; else empty.
    name : str
        Of the strategy's attribute that it is; else empty.
    """

    start: str
    count: str
    joined: Any
    place: str = ""
    name: str = ""

    def at(self, index: str) -> Number:
        """The number at a place that is there."""
        code = f"S[{self.start} + {index}]"
        type_: Type = self.joined.type or "float"
        if type_ == "bool":
            code = f"({code} != 0.0)"
        elif type_ == "int":
            code = f"int({code})"
        return Number(code, type_, self.joined.numpy)


@dataclass(frozen=True)
class Pure:
    """An expression of bars and parameters only, which Python can evaluate once per bar."""

    node: ast.expr


@dataclass(frozen=True)
class Unread:
    """Text for people: a message, of which nothing in the strategy depends."""


@dataclass
class Variable:
    """A local name.

    Attributes
    ----------
    value : object
        What it stands for.
    pure : ast.expr or None
        The expression it was assigned, where that reads only bars and parameters.
    """

    value: Any
    pure: ast.expr | None = field(default=None)
