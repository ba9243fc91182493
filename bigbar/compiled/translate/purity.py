"""Whether an expression reads only bars and parameters, so that Python can evaluate it once a bar.

It must not read what a run changes (the position, orders, trades, equity, the strategy's own
state), write anything, or answer by chance or by the clock.
"""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bigbar.chance import CHANCE, MODULES_OF_CHANCE
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.compiled.translate.sources import source_of

#: Attributes of a strategy that a run changes, or that change a run.
OF_THE_RUN = frozenset(
    {
        *("position", "equity", "orders", "trades", "closed_trades", "buy", "sell", "I"),
        *("_broker", "_data", "_params", "_indicators"),
    }
)

#: Built-in functions that only answer.
_ANSWERS = frozenset(
    {
        *("abs", "all", "any", "bool", "complex", "dict", "divmod", "enumerate", "filter"),
        *("float", "format", "frozenset", "getattr", "hasattr", "int", "isinstance", "len"),
        *("list", "map", "max", "min", "pow", "range", "repr", "reversed", "round", "set"),
        *("slice", "sorted", "str", "sum", "tuple", "type", "zip"),
    }
)

#: Methods that change what they belong to, or reach outside.
_CHANGES = frozenset(
    {
        *("append", "appendleft", "extend", "extendleft", "insert", "remove", "pop", "popleft"),
        *("popitem", "clear", "update", "add", "discard", "sort", "reverse", "setdefault"),
        *("fit", "partial_fit", "fit_transform", "fit_predict", "train", "write", "writelines"),
        *("send", "put", "fill", "resize", "setflags", "itemset", "close", "cancel", "buy"),
        *("sell", "read", "readline", "save", "to_csv", "to_pickle", "to_parquet", "to_sql"),
    }
)

#: Expressions that are pure where their parts are.
_PLAIN = (
    ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Starred, ast.Subscript,
    ast.keyword, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
)  # fmt: skip

#: Statements that a function without effects may be made of.
_HARMLESS = (
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.If, ast.For, ast.While, ast.Return, ast.Pass,
    ast.Break, ast.Continue, ast.Expr, ast.Raise, ast.Assert, ast.Try, ast.ExceptHandler,
)  # fmt: skip

_DEEPEST = 8


class Purity:
    """Judges expressions of one strategy.

    Parameters
    ----------
    strategy : Strategy
        After its `init`.
    state : collection of str
        Attributes that `next` assigns.
    """

    def __init__(self, strategy: Any, state: frozenset[str]) -> None:
        self._strategy = strategy
        self._state = state
        #: Dictionaries of which `next` assigns entries.
        self._entries = {name.partition("[")[0] for name in state if "[" in name}

    def of(
        self, node: ast.AST, names: Mapping[str, bool], known: Callable[[str], Any], depth: int = 0
    ) -> bool:
        """Whether an expression is pure.

        Parameters
        ----------
        node : ast.AST
        names : mapping of str to bool
            Local names, and whether what they stand for is pure.
        known : callable
            From any other name to the object it stands for; raises KeyError.
        """
        judge = _Judge(self, dict(names), known, depth)
        return judge.pure(node)

    def attribute(self, name: str) -> bool:
        """Whether an attribute of the strategy stays as it is during a run."""
        if name in OF_THE_RUN or name in self._state or name in self._entries:
            return False
        member = getattr(type(self._strategy), name, None)
        if isinstance(member, property) and name != "data":
            return self.function(types.MethodType(member.fget, self._strategy), 0)  # type: ignore[arg-type]
        return hasattr(self._strategy, name)

    def function(self, function: Any, depth: int, *, bound: bool = False) -> bool:
        """Whether calling a function only gives an answer."""
        if depth > _DEEPEST:
            return False
        if isinstance(getattr(function, "__self__", None), Iterator):
            return False  # What it gives, it gives once.
        if isinstance(function, types.MethodType):
            bound_to_strategy = function.__self__ is self._strategy
            return self.function(function.__func__, depth, bound=bound_to_strategy)
        name = getattr(function, "__name__", "")
        module = getattr(function, "__module__", None) or ""
        if function is getattr(builtins, name, None):
            return name in _ANSWERS
        if name in CHANCE or module.partition(".")[0] in MODULES_OF_CHANCE or name in _CHANGES:
            return False
        if not isinstance(function, types.FunctionType) or _is_installed(function):
            return callable(function)
        owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
        try:
            tree = source_of(function, "" if owner == "<locals>" else owner).tree
        except CannotCompile:
            return False
        return self._body(tree, function, depth, bound=bound)

    def _body(
        self, tree: ast.FunctionDef, function: types.FunctionType, depth: int, *, bound: bool
    ) -> bool:
        arguments = [one.arg for one in (*tree.args.posonlyargs, *tree.args.args)]
        arguments += [one.arg for one in tree.args.kwonlyargs]
        arguments += [one.arg for one in (tree.args.vararg, tree.args.kwarg) if one]
        made = {
            one.id
            for one in ast.walk(tree)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        }
        names = dict.fromkeys((*arguments, *made), True)
        if bound and arguments:
            names.pop(arguments[0])

        def known(name: str) -> Any:
            if bound and arguments and name == arguments[0]:
                return self._strategy
            return lookup(function, name)

        judge = _Judge(self, names, known, depth + 1)
        return all(judge.statement(one, made - set(arguments)) for one in tree.body)


class _Judge:
    def __init__(
        self, purity: Purity, names: dict[str, bool], known: Callable[[str], Any], depth: int
    ) -> None:
        self._purity, self._names, self._known, self._depth = purity, names, known, depth

    def pure(self, node: ast.AST | None) -> bool:
        if node is None or isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
            return self._comprehension(node)
        if isinstance(node, ast.Lambda):
            return self._inside([one.arg for one in node.args.args]).pure(node.body)
        if isinstance(node, _PLAIN):
            return all(map(self.pure, ast.iter_child_nodes(node)))
        return False

    def statement(self, node: ast.stmt, own: set[str]) -> bool:
        """Whether a statement of a function changes nothing but the function's own names."""
        for one in ast.walk(node):
            if isinstance(one, ast.stmt | ast.ExceptHandler) and not isinstance(one, _HARMLESS):
                return False
            if isinstance(one, ast.Attribute) and not isinstance(one.ctx, ast.Load):
                return False
            if (
                isinstance(one, ast.Subscript)
                and not isinstance(one.ctx, ast.Load)
                and not (isinstance(one.value, ast.Name) and one.value.id in own)
            ):
                return False
        expressions = (one for one in _outermost(node))
        return all(self.pure(one) for one in expressions)

    def _inside(self, names: list[str]) -> _Judge:
        return _Judge(
            self._purity, {**self._names, **dict.fromkeys(names, True)}, self._known, self._depth
        )

    def _name(self, name: str) -> bool:
        if name in self._names:
            return self._names[name]
        try:
            value = self._known(name)
        except KeyError:
            return False
        if value is self._purity._strategy or isinstance(value, Iterator):
            return False
        return not _is_of_chance(value)

    def _attribute(self, node: ast.Attribute) -> bool:
        if self._is_strategy(node.value):
            if isinstance(getattr(self._purity._strategy, node.attr, None), Iterator):
                return False
            return self._purity.attribute(node.attr) and not callable(
                getattr(type(self._purity._strategy), node.attr, None)
            )
        if isinstance(self._object(node), Iterator):
            return False
        return node.attr not in CHANCE and self.pure(node.value)

    def _is_strategy(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Name) or node.id in self._names:
            return False
        try:
            return self._known(node.id) is self._purity._strategy
        except KeyError:
            return False

    def _call(self, node: ast.Call) -> bool:
        if not all(self.pure(one.value) for one in node.keywords):
            return False
        if any(one.arg == "inplace" for one in node.keywords):
            return False
        if not all(map(self.pure, node.args)):
            return False
        function = node.func
        if isinstance(function, ast.Name) and function.id not in self._names:
            try:
                return self._purity.function(self._known(function.id), self._depth)
            except KeyError:
                return False
        if not isinstance(function, ast.Attribute):
            return self.pure(function)
        if function.attr in _CHANGES or function.attr in CHANCE:
            return False
        found = self._object(function)
        if found is not None:
            return self._purity.function(found, self._depth)
        return self.pure(function.value)

    def _object(self, node: ast.expr) -> Any:
        """The object that a dotted name stands for, where that is known; else None."""
        if isinstance(node, ast.Name) and node.id not in self._names:
            try:
                return self._known(node.id)
            except KeyError:
                return None
        if isinstance(node, ast.Attribute):
            base = self._object(node.value)
            if base is None:
                return None
            if base is self._purity._strategy and (
                node.attr == "data" or not self._purity.attribute(node.attr)
            ):
                return None
            return getattr(base, node.attr, None)
        return None

    def _comprehension(
        self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp
    ) -> bool:
        judge = self
        for one in node.generators:
            if not judge.pure(one.iter):
                return False
            bound = [name.id for name in ast.walk(one.target) if isinstance(name, ast.Name)]
            judge = judge._inside(bound)
            if not all(map(judge.pure, one.ifs)):
                return False
        if isinstance(node, ast.DictComp):
            return judge.pure(node.key) and judge.pure(node.value)
        return judge.pure(node.elt)


def _outermost(node: ast.AST) -> list[ast.expr]:
    """The expressions of a statement that are not part of another one; targets left out."""
    found: list[ast.expr] = []
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.expr):
            if not isinstance(getattr(one, "ctx", None), ast.Store):
                found.append(one)
        else:
            found.extend(_outermost(one))
    return found


def lookup(function: types.FunctionType, name: str) -> Any:
    """The object that a name, not a local one, stands for in a function.

    Raises
    ------
    KeyError
        If there is none.
    """
    code = function.__code__
    if name in code.co_freevars and function.__closure__:
        try:
            return function.__closure__[code.co_freevars.index(name)].cell_contents
        except ValueError:
            raise KeyError(name) from None
    if name in function.__globals__:
        return function.__globals__[name]
    if hasattr(builtins, name):
        return getattr(builtins, name)
    raise KeyError(name)


def _is_of_chance(value: Any) -> bool:
    name = value.__name__ if isinstance(value, types.ModuleType) else type(value).__module__
    return name.partition(".")[0] in MODULES_OF_CHANCE


def _is_installed(function: types.FunctionType) -> bool:
    file = function.__code__.co_filename.replace("\\", "/")
    return "/site-packages/" in file or "/dist-packages/" in file or "/lib/python3" in file
