"""One function of the strategy while it is translated: what its values are as numbers."""

from __future__ import annotations

import ast
import copy
import types
from typing import Any

from bigbar.compiled.translate.builder import Hoist, NoColumn, Row
from bigbar.compiled.translate.kinds import is_number, kind_of, literal
from bigbar.compiled.translate.parts import lookup
from bigbar.compiled.translate.scope import Scope
from bigbar.compiled.translate.values import (
    MOST_EXACT,
    MOST_WHOLE,
    Collection,
    Items,
    Known,
    Listing,
    Nothing,
    Number,
    Order,
    Position,
    Pure,
    Series,
    StrategyItself,
    Trade,
    Type,
)

#: Constants that can stand in an expression in place of a name.
_WRITTEN_OUT = (bool, int, float, str, type(None))


class Unit(Scope):
    """Translates one function: its names, its code, and its numbers."""

    def number(self, value: Any, node: ast.expr) -> Number:
        """A value as a number that may be None."""
        if isinstance(value, Number):
            return value
        if isinstance(value, Pure):
            return self.hoisted(value)
        if isinstance(value, Series):
            return value.last()
        if isinstance(value, Known):
            return self.constant(value.value, node)
        raise self.refusal(node, f"a number is needed where this is {described(value)}")

    def plain(self, value: Any, node: ast.expr) -> Number:
        """A value as a number; None is an error while running."""
        if isinstance(value, Nothing):
            raise self.refusal(node, "a number is needed where this is None")
        number = self.number(value, node)
        if number.type == "symbol":
            raise self.refusal(node, "a number is needed where this is text or a date")
        return self.not_none(number)

    def scalar(self, value: Any, node: ast.expr) -> Number:
        """As `plain`, but of no time either."""
        number = self.plain(value, node)
        if number.type in ("time", "span"):
            raise self.refusal(node, "a number is needed where this is a time")
        return number

    def not_none(self, number: Number) -> Number:
        """A number that must not be None."""
        if not number.none:
            return number
        code = f"needed(n, {number.code}, {number.none})"
        return Number(code, number.type, number.numpy, most=number.most)

    def constant(self, value: Any, node: ast.AST) -> Number:
        """An object of Python's as a number or symbol."""
        kind = kind_of(value)
        if is_number(kind):
            type_: Type = kind.rpartition(" ")[2]  # type: ignore[assignment]
            most = abs(int(value)) if type_ == "int" else MOST_WHOLE
            return Number(literal(value), type_, kind.startswith("numpy"), most=most)
        if kind == "large int":
            if abs(value) <= MOST_EXACT:  # Not to be kept, but to be compared with.
                return Number(repr(int(value)), "int", most=abs(int(value)))
            raise self.refusal(node, f"whole numbers above {MOST_EXACT} are not exact")
        try:
            return Number(self.symbol(value), "symbol")
        except TypeError:
            raise self.refusal(
                node, f"a number is needed where this is a {type(value).__name__}"
            ) from None

    def symbol(self, value: Any) -> str:
        """Code of a symbol's number: not written out, so that the text is the same every time."""
        return self.builder.constant(float(self.builder.symbols.number(value)))

    def truth(self, value: Any, node: ast.expr) -> str:
        """Code of whether a value counts as true."""
        if isinstance(value, Nothing):
            return "False"
        if isinstance(value, Position):
            return "(f[PSIZE] != 0.0)"
        if isinstance(value, Trade | Order):
            return f"({value.code} >= 0)" if "(n, " in value.code else "True"
        if isinstance(value, Collection):
            return f"({self.count_of(value)} != 0)"
        if isinstance(value, Listing):
            return f"({value.count} != 0)"
        if isinstance(value, Items):
            return f"(not {value.none})" if value.none and value.items else repr(bool(value.items))
        number = self.number(value, node)
        if number.type == "bool":
            code = number.code
        elif number.type == "symbol":
            code = f"({number.code} != {self.symbol('')})"
        elif number.type == "time":
            code = f"({number.code} >= 0)" if "(n, " in number.code else "True"
        else:
            code = f"({number.code} != 0)"
        return f"(not {number.none} and {code})" if number.none else code

    def count_of(self, collection: Collection) -> str:
        """Code of how many trades or orders there are."""
        if collection.stop:
            return f"max({collection.stop} - {collection.first}, 0)"
        return {"trades": "n[NTR]", "orders": "n[NORD]", "closed_trades": "n[NCL]"}[collection.of]

    # Expressions for Python.

    def is_pure(self, node: ast.AST) -> bool:
        """Whether Python can evaluate an expression once per bar."""
        return not self._shadowed(node) and self.builder.purity.of(node, self.names(), self.known)

    def _shadowed(self, node: ast.AST) -> bool:
        """Whether an expression has a name of its own that is also one of the function's."""
        own = {
            one.id
            for part in ast.walk(node)
            if isinstance(part, ast.comprehension)
            for one in ast.walk(part.target)
            if isinstance(one, ast.Name)
        }
        own |= {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
        return bool(own & set(self.flow.variables))

    def pure(self, node: ast.expr) -> Any:
        """An expression for Python: a constant where it reads no bar, else one a bar."""
        whole = self.substituted(node)
        scope = self._scope(whole)
        if self.itself not in scope:
            try:
                return Known(eval(_compiled(whole), scope))
            except Exception as problem:
                raise self.refusal(node, f"evaluating it raises {type(problem).__name__}") from None
        return Pure(whole)

    def substituted(self, node: ast.expr) -> ast.expr:
        """The expression with what local names were assigned in their place."""
        unit = self

        class Substitute(ast.NodeTransformer):
            def visit_Name(self, name: ast.Name) -> ast.AST:
                variable = unit.flow.variables.get(name.id)
                if variable is None or isinstance(variable.value, StrategyItself):
                    return name
                if isinstance(variable.value, Pure):
                    return copy.deepcopy(variable.value.node)
                if variable.pure is not None:
                    return copy.deepcopy(variable.pure)
                if isinstance(variable.value, Known):
                    return unit._written_out(name, variable.value.value)
                return name

        found: ast.expr = Substitute().visit(copy.deepcopy(node))
        return found

    def _written_out(self, name: ast.Name, value: Any) -> ast.expr:
        """A local name that stands for an object, where the function's own scope is not at hand."""
        if type(value) in _WRITTEN_OUT:
            return ast.copy_location(ast.Constant(value), name)
        try:
            if not self._is_local(name.id) and lookup(self.function, name.id) is value:
                return name
        except KeyError:
            pass
        raise self.refusal(name, f"{name.id!r} is a local name of a {type(value).__name__}")

    def _scope(self, node: ast.expr) -> dict[str, Any]:
        """Objects by the names that an expression reads, the strategy among them."""
        scope: dict[str, Any] = {}
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and one.id not in scope:
                try:
                    scope[one.id] = self.known(one.id)
                except KeyError:
                    continue  # A name of a comprehension's.
        return scope

    def hoisted(self, pure: Pure) -> Number:
        """The value at this bar of an expression that Python evaluates."""
        node = pure.node
        hoist = Hoist(ast.unparse(node), self.function, self.itself, getattr(node, "lineno", 0))
        try:
            column = self.builder.column(hoist)
        except NoColumn as problem:
            raise self.refusal(node, str(problem)) from None

        def at(part: str) -> str:
            return f"I[n[ROWS + {self.builder.row(Row('hoist', hoist, part))}], i]"

        code = at("value")
        if column.raises:
            code = f"unless(n, {code}, {at('raises')})"
        if column.type == "bool":
            code = f"({code} != 0.0)"
        elif column.type == "int":
            code = f"int({code})"
        none = f"({at('none')} != 0.0)" if column.none else ""
        return Number(code, column.type, column.numpy, none=none)


def _compiled(node: ast.expr) -> types.CodeType:
    return compile(ast.fix_missing_locations(ast.Expression(node)), "<constant>", "eval")


def described(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, Items):
        return "a tuple or list"
    if isinstance(value, Known):
        return f"a {type(value.value).__name__}"
    return {
        "StrategyItself": "the strategy",
        "Data": "the data",
        "Position": "the position",
        "Trade": "a trade",
        "Order": "an order",
        "Broker": "the broker",
        "LocalFunction": "a function",
        "Collection": "a list of trades or orders",
        "Listing": "a list",
        "Method": "a method",
        "Matrix": "an indicator of several lines",
        "Nothing": "None",
        "Unread": "text",
    }.get(type(value).__name__, "an object of Python's")
