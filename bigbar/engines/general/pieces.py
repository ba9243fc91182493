"""An `init` in pieces: each attribute that it assigns, and the parameters that it depends on.

Most of what `init` does is a list of `self.name = self.I(function, prices, self.parameter)`. Where
it is no more than that, a combination whose every attribute is known from other combinations needs
no `init` of its own: a grid of 20 by 30 averages runs it for the 50 averages, not 600 times.
"""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backtesting import Strategy

from bigbar.compiled.translate.parts import Parts
from bigbar.compiled.translate.purity import OF_THE_RUN, Purity
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.compiled.translate.sources import source_of
from bigbar.compiled.translate.states import is_computed

#: Methods by which attributes become more than values.
_OVERRIDES = ("__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__init__", "I")

#: Methods that call methods.
_DEEPEST = 6


@dataclass(frozen=True)
class Piece:
    """Attributes that are assigned together.

    Attributes
    ----------
    names : tuple of str
    reads : tuple of str
        Parameters that their values depend on, in alphabetical order.
    """

    names: tuple[str, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Pieces:
    """All of an `init`.

    Attributes
    ----------
    pieces : tuple of Piece
    parts : Parts
        The functions and values that it is made of besides the strategy's attributes.
    """

    pieces: tuple[Piece, ...]
    parts: Parts

    def are_stale(self) -> bool:
        """Whether something that it is made of is not what it was."""
        return not all(one.is_there() for one in self.parts)


class _NoPieces(Exception):
    """`init` is more than a list of assignments."""


def pieces_of(strategy: Strategy, parameters: frozenset[str]) -> Pieces | None:
    """The pieces of a strategy's `init`, by its source; None where it is not made of such.

    Parameters
    ----------
    strategy : Strategy
        After its `init`.
    parameters : frozenset of str
        Whatever may be another value in another combination.
    """
    parts = Parts()
    try:
        return Pieces(tuple(_Init(strategy, parameters, parts).pieces()), parts)
    except (_NoPieces, CannotCompile):
        return None


class _Init:
    def __init__(self, strategy: Strategy, parameters: frozenset[str], parts: Parts) -> None:
        self._strategy, self._kind = strategy, type(strategy)
        self._parameters, self._parts = parameters, parts
        self._purity = Purity(strategy, frozenset(), parts)
        #: What names and attributes that were assigned so far depend on.
        self._locals: dict[str, frozenset[str]] = {}
        self._assigned: dict[str, frozenset[str]] = {}

    def pieces(self) -> Iterator[Piece]:
        self._check_class()
        owner = next(one for one in self._kind.__mro__ if "init" in vars(one))
        if owner is Strategy:
            return
        self._function: Any = self._parts.member(self._kind.__mro__, "init")
        if not isinstance(self._function, types.FunctionType):
            raise _NoPieces
        tree = source_of(self._function, owner.__name__).tree
        if len(tree.args.args) != 1 or tree.args.vararg or tree.args.kwarg:
            raise _NoPieces
        self._itself = tree.args.args[0].arg
        self._names, self._attributes = self._assigned_in(tree)
        for one in tree.body:
            if isinstance(one, ast.Pass) or _is_text(one) or self._is_super(one, owner):
                continue
            names = self._assignment(one)
            if names:
                yield Piece(names, tuple(sorted(self._assigned[names[0]])))

    def _check_class(self) -> None:
        for one in self._kind.__mro__:
            if one not in (Strategy, object) and set(_OVERRIDES) & set(vars(one)):
                raise _NoPieces
        for name in self._parameters:
            if hasattr(type(inspect.getattr_static(self._kind, name, None)), "__get__"):
                raise _NoPieces

    def _is_super(self, node: ast.stmt, owner: type) -> bool:
        """Whether a statement is `super().init()` of `Strategy`, which does nothing."""
        if not isinstance(node, ast.Expr) or ast.unparse(node) != "super().init()":
            return False
        mro = self._kind.__mro__
        above = mro[mro.index(owner) + 1 :]
        return next(one for one in above if "init" in vars(one)) is Strategy

    def _assignment(self, node: ast.stmt) -> tuple[str, ...]:
        """Take in an assignment; the attributes that it assigns."""
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            raise _NoPieces
        if _is_used_up(value):
            raise _NoPieces
        reads = self._reads(value)
        names = []
        for one in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            if isinstance(one, ast.Name) and one.id not in (*self._locals, self._itself):
                self._locals[one.id] = reads
            elif self._is_attribute(one) and self._is_free(one.attr):  # type: ignore[attr-defined]
                names.append(one.attr)  # type: ignore[attr-defined]
                self._assigned[names[-1]] = reads
            else:
                raise _NoPieces
        return tuple(names)

    def _is_free(self, name: str) -> bool:
        """Whether an attribute may be assigned, once."""
        if name in self._assigned or name in self._parameters or name in OF_THE_RUN:
            return False
        member = inspect.getattr_static(self._kind, name, None)
        return name != "data" and not hasattr(type(member), "__set__")

    def _is_attribute(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == self._itself
        )

    # What an expression depends on.

    def _reads(self, node: ast.expr) -> frozenset[str]:
        """Parameters that an expression reads, which does nothing but compute.

        Raises
        ------
        _NoPieces
        """
        if isinstance(node, ast.Call) and self._is_indicator(node):
            if any(isinstance(one, ast.Starred) for one in node.args):
                raise _NoPieces
            parts = [*node.args, *(one.value for one in node.keywords)]
            return self._together(map(self._reads, parts))
        method = self._method(node)
        if method is not None:
            return self._reads_of_method(method, 0)
        if not self._purity.of(node, dict.fromkeys(self._locals, True), self._known):
            raise _NoPieces
        return self._named_in(node)

    def _is_indicator(self, node: ast.Call) -> bool:
        return self._is_attribute(node.func) and node.func.attr == "I"  # type: ignore[attr-defined]

    def _assigned_in(self, tree: ast.FunctionDef) -> tuple[frozenset[str], frozenset[str]]:
        """Names and attributes that it assigns anywhere: a function may read them later on."""
        stored = [
            one
            for one in ast.walk(tree)
            if isinstance(getattr(one, "ctx", None), ast.Store | ast.Del)
        ]
        return (
            frozenset(one.id for one in stored if isinstance(one, ast.Name)),
            frozenset(one.attr for one in stored if isinstance(one, ast.Attribute)),
        )

    def _known(self, name: str) -> Any:
        if name == self._itself:
            return self._strategy
        if name in self._names:
            raise KeyError(name)
        return self._parts.name(self._function, name)

    def _named_in(self, node: ast.AST) -> frozenset[str]:
        inside = {id(one.value) for one in ast.walk(node) if isinstance(one, ast.Attribute)}
        found: list[frozenset[str]] = []
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and one.id == self._itself and id(one) not in inside:
                raise _NoPieces  # The strategy is handed on.
            if isinstance(one, ast.Name) and one.id in self._locals:
                found.append(self._locals[one.id])
            if self._is_attribute(one):
                found.append(self._of_attribute(one.attr, 0))  # type: ignore[attr-defined]
        return self._together(found)

    def _of_attribute(self, name: str, depth: int) -> frozenset[str]:
        if name in self._parameters:
            return frozenset({name})
        if name in self._assigned:
            return self._assigned[name]
        if name in self._attributes:
            raise _NoPieces  # By then it may be what is assigned further down.
        member = inspect.getattr_static(self._kind, name, None)
        if name == "data":
            return frozenset()
        if isinstance(member, types.FunctionType):
            return self._reads_of_method(member, depth)
        if name not in dir(self._kind) or is_computed(self._kind, name) or callable(member):
            raise _NoPieces
        if isinstance(member, property | staticmethod | classmethod):
            raise _NoPieces
        self._parts.attribute(self._kind, name)
        return frozenset()

    def _method(self, node: ast.expr) -> types.FunctionType | None:
        """The method that an expression names, without a call."""
        if not self._is_attribute(node):
            return None
        name: str = node.attr  # type: ignore[attr-defined]
        member = inspect.getattr_static(self._kind, name, None)
        is_own = name not in self._assigned and name not in self._parameters
        return member if is_own and isinstance(member, types.FunctionType) else None

    def _reads_of_method(self, method: types.FunctionType, depth: int) -> frozenset[str]:
        """Parameters that a method may read, which only gives an answer."""
        bound = types.MethodType(method, self._strategy)
        if depth > _DEEPEST or not self._purity.function(bound, 0):
            raise _NoPieces
        self._parts.function(method)
        owner = method.__qualname__.rpartition(".")[0].rpartition(".")[2]
        tree = source_of(method, owner).tree
        if not tree.args.args:
            raise _NoPieces
        itself = tree.args.args[0].arg
        attributes = [
            one
            for one in ast.walk(tree)
            if isinstance(one, ast.Attribute)
            and isinstance(one.value, ast.Name)
            and one.value.id == itself
        ]
        names = [one for one in ast.walk(tree) if isinstance(one, ast.Name) and one.id == itself]
        if len(names) != len(attributes):
            raise _NoPieces
        return self._together(self._of_attribute(one.attr, depth + 1) for one in attributes)

    @staticmethod
    def _together(sets: Any) -> frozenset[str]:
        return frozenset().union(*sets)


def _is_used_up(node: ast.expr) -> bool:
    """Whether a value is one that whoever reads it uses up."""
    if isinstance(node, ast.Tuple | ast.List):
        return any(map(_is_used_up, node.elts))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("map", "zip", "filter", "enumerate", "reversed")
    return isinstance(node, ast.GeneratorExp)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
