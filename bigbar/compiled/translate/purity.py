"""Whether an expression reads only bars and parameters, so that Python can evaluate it once a bar.

It must not read what a run changes (the position, orders, trades, equity, the strategy's own
state), write anything, or answer by chance or by the clock.
"""

from __future__ import annotations

import ast
import builtins
import functools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from bigbar.chance import CHANCE, MODULES_OF_CHANCE
from bigbar.compiled.translate.parts import Parts
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.compiled.translate.sources import source_of
from bigbar.compiled.translate.states import is_computed
from bigbar.origin import is_library

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
        *("heappush", "heappop", "heapify", "heapreplace", "heappushpop", "insort", "insort_left"),
        *("insort_right", "copyto", "place", "putmask", "put_along_axis", "fill_diagonal"),
        *("rotate", "move_to_end", "partition", "intersection_update", "difference_update"),
        *("symmetric_difference_update", "isetitem", "setfield", "setitem", "delitem", "savetxt"),
        *("system", "savez", "tofile", "to_json", "to_excel", "to_feather", "dump", "send_signal"),
    }
)

#: Keyword arguments by which a library's function writes into what it is given.
_WRITES_INTO = frozenset({"inplace", "out", "copy", "overwrite_input"})

#: Methods with names of Python's own that only answer.
_DUNDERS = frozenset(
    f"__{one}__"
    for one in (
        *("abs", "add", "and", "bool", "contains", "eq", "float", "ge", "getitem", "gt", "call"),
        *("int", "invert", "le", "len", "lt", "mod", "mul", "ne", "neg", "or", "pos", "pow", "sub"),
        *("round", "str", "repr", "truediv", "floordiv"),
    )
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
    parts : Parts
        Takes in what the functions read that are judged.
    """

    def __init__(self, strategy: Any, state: frozenset[str], parts: Parts) -> None:
        self._strategy = strategy
        self._state = state
        self.parts = parts
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
        if is_computed(type(self._strategy), name):
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
        if name in CHANCE or module.partition(".")[0] in MODULES_OF_CHANCE:
            return False
        if _changes(name) and not _is_own(function):
            return False
        if isinstance(function, functools.partial):
            given = (*function.args, *function.keywords.values())
            return self.function(function.func, depth + 1) and all(
                self.value(one, depth + 1) for one in given
            )
        if not isinstance(function, types.FunctionType):
            return self._is_of_a_library(function, depth)
        if _is_installed(function):
            return True
        self.parts.function(function)
        owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
        try:
            tree = source_of(function, "" if owner == "<locals>" else owner).tree
        except CannotCompile:
            return False
        return self._body(tree, function, depth, bound=bound)

    def value(self, value: Any, depth: int) -> bool:
        """Whether a value can be handed on: where it is a function, calling it only answers."""
        if isinstance(value, Iterator) or _is_of_chance(value):
            return False
        if callable(value) and not isinstance(value, type):
            return self.function(value, depth)
        return True

    def _is_of_a_library(self, function: Any, depth: int) -> bool:
        """Whether what is called, and is no plain function, is a library's, and no object's own."""
        if not callable(function):
            return False
        for name in ("pyfunc", "py_func", "__wrapped__"):  # np.vectorize, numba, lru_cache
            inner = getattr(function, name, None)
            if isinstance(inner, types.FunctionType):
                return self.function(inner, depth + 1)
        if isinstance(function, type):
            return is_library(function.__module__) or hasattr(function, "_fields")
        owner = getattr(function, "__self__", None)
        kind = type(function if owner is None or isinstance(owner, types.ModuleType) else owner)
        return is_library(kind.__module__)

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
            return self.parts.name(function, name)

        judge = _Judge(self, names, known, depth + 1)
        own = _made_here(tree) - set(arguments)
        return all(judge.statement(one, own) for one in tree.body)


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
            given = [one for one in ast.walk(node.args) if isinstance(one, ast.arg)]
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            inside = self._inside([one.arg for one in given])
            return all(map(self.pure, defaults)) and inside.pure(node.body)
        if isinstance(node, _PLAIN):
            return all(map(self.pure, ast.iter_child_nodes(node)))
        return False

    def statement(self, node: ast.stmt, own: set[str]) -> bool:
        """Whether a statement of a function changes nothing but what the function has made."""
        for one in ast.walk(node):
            if isinstance(one, ast.AugAssign) and not (
                isinstance(one.target, ast.Name) and one.target.id in own
            ):
                return False
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
        return value is not self._purity._strategy and self._purity.value(value, self._depth)

    def _attribute(self, node: ast.Attribute) -> bool:
        if self._is_strategy(node.value):
            if isinstance(getattr(self._purity._strategy, node.attr, None), Iterator):
                return False
            return self._purity.attribute(node.attr) and not callable(
                getattr(type(self._purity._strategy), node.attr, None)
            )
        found = self._object(node)
        if found is not None and not self._purity.value(found, self._depth):
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
        if any(one.arg in _WRITES_INTO and not _is_harmless(one) for one in node.keywords):
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
        found = self._object(function)
        if function.attr in CHANCE or (_changes(function.attr) and not _is_own(found)):
            return False
        if isinstance(found, np.ufunc) and len(node.args) > found.nin:
            return False  # The last one is where the answer goes.
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
            if base is self._purity._strategy:
                return getattr(base, node.attr, None)
            try:
                return self._purity.parts.attribute(base, node.attr)
            except Exception:
                return None
        return None

    def _comprehension(
        self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp
    ) -> bool:
        judge = self
        for one in node.generators:
            if not judge.pure(one.iter) or not all(
                isinstance(part, ast.Name | ast.Tuple | ast.List | ast.Starred | ast.expr_context)
                for part in ast.walk(one.target)
            ):
                return False
            bound = [name.id for name in ast.walk(one.target) if isinstance(name, ast.Name)]
            judge = judge._inside(bound)
            if not all(map(judge.pure, one.ifs)):
                return False
        if isinstance(node, ast.DictComp):
            return judge.pure(node.key) and judge.pure(node.value)
        return judge.pure(node.elt)


#: Calls of these make something new.
_MAKERS = frozenset(
    {
        *("list", "dict", "set", "sorted", "array", "zeros", "ones", "empty", "full", "copy"),
        *("zeros_like", "ones_like", "empty_like", "full_like", "arange", "linspace"),
        *("int", "float", "bool", "str", "len", "sum", "abs", "round"),
    }
)

#: Expressions whose value is nobody else's.
_NEW = (
    ast.Constant, ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.BinOp,
    ast.UnaryOp, ast.Compare, ast.JoinedStr,
)  # fmt: skip


def _made_here(tree: ast.FunctionDef) -> set[str]:
    """Names of a function that only ever stand for what it has made itself."""
    made: dict[str, bool] = {}
    counted = {
        id(target)
        for one in ast.walk(tree)
        if isinstance(one, ast.Assign | ast.AnnAssign)
        and one.value is not None
        and _is_new(one.value)
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
    }
    counted |= {id(one.target) for one in ast.walk(tree) if isinstance(one, ast.AugAssign)}
    for one in ast.walk(tree):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            made[one.id] = made.get(one.id, True) and id(one) in counted
    return {name for name, is_new in made.items() if is_new}


def _is_new(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        return name in _MAKERS
    if isinstance(node, ast.IfExp):
        return _is_new(node.body) and _is_new(node.orelse)
    return isinstance(node, _NEW)


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


def _is_own(function: Any) -> bool:
    """Whether a function is the trader's: what it does is told by its source, not its name."""
    function = getattr(function, "__func__", function)
    return isinstance(function, types.FunctionType) and not _is_installed(function)


def _changes(name: str) -> bool:
    """Whether a function of this name changes what it belongs to, or is given."""
    return name in _CHANGES or (name.startswith("__") and name not in _DUNDERS)


def _is_harmless(keyword: ast.keyword) -> bool:
    """Whether an argument by which functions write into others says that this does not."""
    value = keyword.value
    if not isinstance(value, ast.Constant):
        return False
    return value.value is (True if keyword.arg == "copy" else None) or (
        value.value is False and keyword.arg in ("inplace", "overwrite_input")
    )


def _is_of_chance(value: Any) -> bool:
    name = value.__name__ if isinstance(value, types.ModuleType) else type(value).__module__
    return name.partition(".")[0] in MODULES_OF_CHANCE


def _is_installed(function: types.FunctionType) -> bool:
    file = function.__code__.co_filename.replace("\\", "/")
    return "/site-packages/" in file or "/dist-packages/" in file or "/lib/python3" in file
