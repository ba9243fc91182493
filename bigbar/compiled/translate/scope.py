"""The names of a function while it is translated, and what they stand for."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from bigbar.compiled.translate.builder import Joined
from bigbar.compiled.translate.codes import ZERO, cast
from bigbar.compiled.translate.order import Code
from bigbar.compiled.translate.values import (
    Known,
    Listing,
    Nothing,
    Number,
    Pure,
    StrategyItself,
    Trade,
    Type,
    Variable,
)

#: What every function of a program is given.
ARGUMENTS = "f, n, M, I, P, S, T, Ti, i"


@dataclass
class Flow:
    """What is known at one place of a function.

    Attributes
    ----------
    variables : dict of str to Variable
    bound : set of str
        Names that have a value for certain.
    over : bool
        Whether this place is never reached.
    """

    variables: dict[str, Variable]
    bound: set[str]
    over: bool = False

    def copy(self) -> Flow:
        """To go on from here twice."""
        return Flow(dict(self.variables), set(self.bound), self.over)


class Scope(Code):
    """Code and names of one function; parameters as of `Code`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        builder, key = self.builder, self.key
        self.locals: dict[str, Joined] = builder.locals.setdefault(key, {})
        self.maybe: set[str] = builder.maybe.setdefault(key, set())
        self.returns: list[Joined] = builder.returns.setdefault(key, [])
        self.flow = Flow({}, set())
        #: What is known where the loops around are left, or begun anew.
        self.left: list[list[Flow]] = []

    def prologue(self) -> list[str]:
        """What names that may not be bound begin with."""
        lines = []
        for name in sorted(self.maybe):
            joined = self.locals.get(name)
            if joined is not None:
                lines.append(f"    v_{name} = {ZERO[joined.type or 'float']}")
                lines.append(f"    w_{name} = False")
                lines.append(f"    b_{name} = False")
        return lines

    def leave(self) -> str:
        """The statement that leaves the function where going on makes no sense."""
        if self.is_entry or not self.returns:
            return "return"
        return f"return {self.given([Nothing()] * len(self.returns))}"

    def given(self, values: list[Number | Nothing]) -> str:
        """Code of what the function returns: a number, or each with whether it is None."""
        types_: list[Type] = [one.type or "float" for one in self.returns]
        codes = [
            ZERO[type_] if isinstance(one, Nothing) else cast(one, type_)
            for one, type_ in zip(values, types_, strict=True)
        ]
        if len(codes) == 1 and not self.returns[0].none:
            return codes[0]
        nones = ["True" if isinstance(one, Nothing) else one.none or "False" for one in values]
        parts = [part for pair in zip(codes, nones, strict=True) for part in pair]
        return f"({', '.join(parts)})"

    # Names.

    def known(self, name: str) -> Any:
        """The object of Python's that a name stands for; KeyError where it stands for none."""
        variable = self.flow.variables.get(name)
        if variable is not None:
            if isinstance(variable.value, StrategyItself):
                return self.builder.strategy
            if isinstance(variable.value, Known):
                return variable.value.value
            raise KeyError(name)
        if self._is_local(name):
            raise KeyError(name)
        return self.looked_up(name)

    def looked_up(self, name: str) -> Any:
        """What a name that is not local stands for; KeyError where it is nothing."""
        return self.builder.parts.name(self.function, name)

    def _is_local(self, name: str) -> bool:
        code = self.function.__code__
        return name in code.co_varnames or name in code.co_cellvars

    def names(self) -> dict[str, bool]:
        """Local names, and whether each is pure."""
        return {
            name: one.pure is not None or isinstance(one.value, Pure)
            for name, one in self.flow.variables.items()
            if not isinstance(one.value, Known | StrategyItself)
        }

    def load(self, node: ast.Name) -> Any:
        """What a name stands for."""
        name = node.id
        variable = self.flow.variables.get(name)
        if variable is not None:
            value = variable.value
            if value is None:
                raise self.refusal(node, "it may stand for different kinds of things here")
            if name not in self.flow.bound:
                if not isinstance(value, Number):
                    raise self.refusal(node, f"{name!r} may have no value here")
                self.maybe.add(name)
                code = f"bound(n, {value.code}, b_{name})"
                return Number(code, value.type, value.numpy, value.none)
            return value
        if self._is_local(name):
            raise self.refusal(node, f"{name!r} has no value here")
        try:
            return Known(self.looked_up(name))
        except KeyError:
            raise self.refusal(node, f"{name!r} is not known here") from None

    def bind(self, name: str, value: Any, node: ast.AST, pure: ast.expr | None) -> None:
        """Assign a value to a local name."""
        if isinstance(value, Number | Nothing):
            value = self._bind_number(name, value, node)
        elif isinstance(value, Listing):
            value = self._bind_list(name, value, node)
        elif isinstance(value, Trade):
            self.emit(f"v_{name} = {value.code}")
            value = Trade(f"v_{name}", value.closed)
        if isinstance(value, Number) and name in self.maybe:
            self.emit(f"b_{name} = True")
        self.flow.variables[name] = Variable(value, pure)
        self.flow.bound.add(name)

    def _bind_number(self, name: str, value: Number | Nothing, node: ast.AST) -> Number | Nothing:
        joined = self.locals.setdefault(name, Joined())
        joined.add(value)
        kind = joined.type
        if kind is None:
            raise self.refusal(node, f"{name!r} is text or a time now, and a number then")
        if isinstance(value, Nothing):
            if not joined.types:
                return value
            self.emit(f"v_{name} = {ZERO[kind]}")
        else:
            self.emit(f"v_{name} = {cast(value, kind)}")
        if not joined.none:
            return Number(f"v_{name}", kind, joined.numpy)
        none = "True" if isinstance(value, Nothing) else value.none or "False"
        self.emit(f"w_{name} = {none}")
        return Number(f"v_{name}", kind, joined.numpy, none=f"w_{name}")

    def _bind_list(self, name: str, value: Listing, node: ast.AST) -> Listing:
        if value.name and value.name not in self.builder.rebound:
            return value
        if value.place:
            raise self.refusal(node, "a second name for a list", "use the first")
        place, joined = self.builder.local_list((self.key, name))
        joined.types |= value.joined.types
        joined.numpy = joined.numpy and value.joined.numpy
        if joined.type is None:
            raise self.refusal(node, f"{name!r} holds text or times, and numbers")
        self.emit(f"list_copy(S, {place}, {value.start}, {value.count})")
        return Listing(f"{place + 1}", f"int(S[{place}])", joined, f"{place}")

    def merge(self, one: Flow, other: Flow) -> None:
        """Go on where two ways meet."""
        if one.over or other.over:
            self.flow = one if other.over else other
            return
        variables: dict[str, Variable] = {}
        for name in {**one.variables, **other.variables}:
            here, there = one.variables.get(name), other.variables.get(name)
            if here is None or there is None:
                found = here or there
                assert found is not None
                kept = found.value if isinstance(found.value, Number) else None
                variables[name] = Variable(kept)
            elif here.value == there.value:
                same = here.pure if here.pure is there.pure else None
                variables[name] = Variable(here.value, same)
            elif isinstance(here.value, Number) and isinstance(there.value, Number):
                variables[name] = Variable(here.value)
            else:
                variables[name] = Variable(None)
        self.flow = Flow(variables, one.bound & other.bound)
