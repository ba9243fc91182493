"""What strategies use, counted over their syntax trees, beside what public ones use."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from pathlib import Path

from backtesting import Strategy


@cache
def _classes(file: str) -> dict[str, ast.ClassDef]:
    """Those of a file, by name."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


class Code:
    """The syntax tree of a strategy's class, without what it inherits."""

    def __init__(self, strategy: type[Strategy]) -> None:
        self.tree = ast.Module([_classes(inspect.getfile(strategy))[strategy.__name__]], [])
        self.functions = {
            name
            for name, one in vars(inspect.getmodule(strategy)).items()
            if inspect.isfunction(one)
        }

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Everything in the class."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def methods(self) -> dict[str, ast.FunctionDef]:
        """By name."""
        body = self.tree.body[0]
        assert isinstance(body, ast.ClassDef)
        return {one.name: one for one in body.body if isinstance(one, ast.FunctionDef)}

    @cached_property
    def in_next(self) -> tuple[ast.AST, ...]:
        """Everything in methods but `init`."""
        return tuple(
            node for name, one in self.methods.items() if name != "init" for node in ast.walk(one)
        )

    @cached_property
    def columns(self) -> dict[str, str]:
        """Local names of columns and of indicators."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Assign):
                target, value = node.targets[0], node.value
                both = (
                    zip(target.elts, value.elts, strict=True)
                    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                    else [(target, value)]
                )
                for name, what in both:
                    if isinstance(name, ast.Name):
                        found[name.id] = ast.unparse(what)
        return found

    def indexed(self) -> Iterator[str]:
        """What has a `[-k]`, local names replaced."""
        for node in self.in_next:
            if isinstance(node, ast.Subscript) and "-" in ast.unparse(node.slice):
                if isinstance(node.slice, ast.Slice):
                    continue
                value = node.value
                while isinstance(value, ast.Subscript):
                    value = value.value
                text = ast.unparse(value)
                yield self.columns.get(text, text)

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call, by what is called."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node

    def called(self, *names: str) -> list[ast.Call]:
        """Calls of those names."""
        return [node for name, node in self.calls() if name in names]

    @property
    def orders(self) -> list[ast.Call]:
        """Calls of `buy` and `sell`."""
        return self.called("self.buy", "self.sell")

    def with_keyword(self, word: str) -> bool:
        """Whether an order has it."""
        return any(one.arg == word for call in self.orders for one in call.keywords)

    @property
    def text(self) -> str:
        """All methods but `init`."""
        return "\n".join(ast.unparse(one) for name, one in self.methods.items() if name != "init")

    def indicators_of(self, test: Callable[[str, ast.expr], bool]) -> bool:
        """Whether any call of `self.I` is of such a function."""
        return any(
            test(ast.unparse(call.args[0]), call.args[0])
            for call in self.called("self.I")
            if call.args
        )

    @cached_property
    def state(self) -> tuple[ast.expr, ...]:
        """What is assigned to attributes of self outside of `init`, and there to the same."""
        targets: dict[str, list[ast.expr]] = {}
        kept = set()
        for method, one in self.methods.items():
            for node in ast.walk(one):
                if isinstance(node, ast.Assign | ast.AugAssign):
                    each = node.targets if isinstance(node, ast.Assign) else [node.target]
                    for target in each:
                        parts = target.elts if isinstance(target, ast.Tuple) else [target]
                        for part in parts:
                            while isinstance(part, ast.Subscript):
                                part = part.value
                            name = ast.unparse(part)
                            if name.startswith("self."):
                                targets.setdefault(name, []).append(node.value)
                                if method != "init":
                                    kept.add(name)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    name = ast.unparse(node.func.value)
                    if node.func.attr in ("append", "pop") and name.startswith("self."):
                        kept.add(name)
        return tuple(value for name in kept for value in targets.get(name, []))

    def has_state(self, kind: type) -> bool:
        """Whether a constant of that type is among the state."""
        return any(
            isinstance(node, ast.Constant) and isinstance(node.value, kind)
            for value in self.state
            for node in ast.walk(value)
            if not isinstance(value, ast.Dict | ast.Subscript | ast.Call)
        )


def _attributes(code: Code) -> bool:
    body = code.tree.body[0]
    assert isinstance(body, ast.ClassDef)
    return any(isinstance(one, ast.Assign) for one in body.body)


_PRICES = ("Open", "High", "Low", "Close", "Volume", "df", "index", "pip")


def _own_columns(code: Code) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("self.data", "self.data.df")
        and node.attr not in (*_PRICES, "iloc")
        for node in code.nodes
    ) or any(f'self.data.df["{word}' in ast.unparse(code.tree).replace("'", '"')
             and f'"{word}' not in _PRICES for word in ("Mid", "Signal"))  # fmt: skip


def _own_function(name: str, node: ast.expr, code: Code) -> bool:
    return isinstance(node, ast.Name) and name in code.functions


def _slices(code: Code) -> bool:
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and "self.data." in ast.unparse(node.value)
        for node in code.in_next
    )


def _helpers(code: Code) -> bool:
    return any(
        f"self.{name}(" in code.text for name in code.methods if name not in ("init", "next")
    )


def _module_functions(code: Code) -> bool:
    called = {ast.unparse(node.func) for node in code.in_next if isinstance(node, ast.Call)}
    return bool(called & code.functions - {"crossover", "barssince"})


#: How many of a hundred public strategies use a thing, and whether a strategy does.
FEATURES: dict[str, tuple[int, Callable[[Code], bool]]] = {
    "class attributes": (73, _attributes),
    "data[-k]": (61, lambda code: any("self.data." in text for text in code.indexed())),
    "indicator[-k]": (48, lambda code: any(
        text.startswith("self.") and not text.startswith(("self.data", "self.trades"))
        for text in code.indexed())),
    "position.close": (66, lambda code: bool(code.called("self.position.close"))),
    "position.close of a portion": (3, lambda code: any(
        call.args or call.keywords for call in code.called("self.position.close"))),
    "position.is_long": (25, lambda code: "self.position.is_long" in code.text),
    "position.is_short": (24, lambda code: "self.position.is_short" in code.text),
    "crossover": (22, lambda code: bool(code.called("crossover"))),
    "barssince": (2, lambda code: bool(code.called("barssince"))),
    "I of own functions": (39, lambda code: code.indicators_of(
        lambda name, node: _own_function(name, node, code))),
    "I of TA-Lib": (21, lambda code: code.indicators_of(
        lambda name, node: name.startswith("talib.") or "functions[" in name)),
    "I of a pandas library": (13, lambda code: "ta." in ast.unparse(code.methods["init"])
                              .replace("data.", "") if "init" in code.methods else False),
    "I of lambdas": (12, lambda code: code.indicators_of(
        lambda name, node: isinstance(node, ast.Lambda))),
    "resample_apply": (3, lambda code: bool(code.called("resample_apply"))),
    "equity": (16, lambda code: "self.equity" in code.text),
    "trades": (15, lambda code: "self.trades" in code.text),
    "trade.sl or trade.tp set": (3, lambda code: any(
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith((".sl", ".tp"))
        and not ast.unparse(node.targets[0]).startswith("self.") for node in code.in_next)),
    "trade.close": (5, lambda code: bool(code.called("trade.close", "t.close"))),
    "orders, cancel, closed_trades": (2, lambda code: "self.orders" in code.text
                                      or "closed_trades" in code.text),
    "size=": (36, lambda code: code.with_keyword("size")),
    "sl=": (36, lambda code: code.with_keyword("sl")),
    "tp=": (27, lambda code: code.with_keyword("tp")),
    "orders without arguments": (50, lambda code: any(not one.keywords for one in code.orders)),
    "limit=": (2, lambda code: code.with_keyword("limit")),
    "stop=": (1, lambda code: code.with_keyword("stop")),
    "tag=": (2, lambda code: code.with_keyword("tag")),
    "state": (27, lambda code: bool(code.state)),
    "state: None": (15, lambda code: code.has_state(type(None))),
    "state: text": (7, lambda code: code.has_state(str)),
    "state: lists": (5, lambda code: any(
        isinstance(value, ast.List | ast.ListComp) for value in code.state)),
    "helper methods": (12, _helpers),
    "module functions": (4, _module_functions),
    "print, log, f-strings": (13, lambda code: bool(code.called("print", "log.debug")) or any(
        isinstance(node, ast.JoinedStr) for node in code.in_next)),
    "super().next()": (11, lambda code: bool(code.called("super().next"))),
    "own columns": (11, _own_columns),
    "data.index": (8, lambda code: "self.data.index" in code.text),
    "data.df in next": (7, lambda code: "self.data.df" in code.text),
    "try": (5, lambda code: any(isinstance(node, ast.Try) for node in code.in_next)),
    "slices": (3, _slices),
    "models, tables": (5, lambda code: any(
        word in code.text for word in ("predict(", "polyfit(", "pd.Series(", "recent["))),
}  # fmt: skip


@cache
def uses(strategy: type[Strategy]) -> frozenset[str]:
    """The features of `FEATURES` that a strategy uses."""
    code = Code(strategy)
    return frozenset(name for name, (_, test) in FEATURES.items() if test(code))
