"""Expressions of bars and parameters, evaluated once per bar by Python.

An expression is evaluated as `next` would find it: the data and the strategy's indicators end at
the bar. What depends on the same parameters and indicators has the same column, which is kept.
"""

from __future__ import annotations

import ast
import builtins
import math
import types
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from backtesting import Strategy
from backtesting._util import _Array, _Indicator
from numpy.typing import NDArray

from bigbar.compiled.translate.builder import Column, Hoist, NoColumn
from bigbar.compiled.translate.kinds import SYMBOLS, Symbols, is_number, kind_of
from bigbar.compiled.translate.parts import lookup
from bigbar.compiled.translate.values import Type
from bigbar.engines.general.ran import Ran

#: Bytes of columns kept in a process.
_MOST_BYTES = 64 * 2**20

#: Bars by which is told what an expression is.
_PROBED = 12

#: Of the bars, so many are looked at a second time.
_ASKED_AGAIN = 16


@dataclass(frozen=True)
class Values:
    """A hoisted expression's values, bar by bar.

    Attributes
    ----------
    column : Column
        What they have in common.
    value, none, raises : ndarray of float, shape (bars,)
        The value, whether it is None, and whether evaluating it raises.
    """

    column: Column
    value: NDArray[np.float64]
    none: NDArray[np.float64]
    raises: NDArray[np.float64]

    def part(self, name: str) -> NDArray[np.float64]:
        """One of the three arrays."""
        found: NDArray[np.float64] = getattr(self, name)
        return found


class Columns:
    """Evaluates hoisted expressions for strategies on the same bars, and keeps what came of it.

    Parameters
    ----------
    symbols : Symbols
        Numbers for values that are no numbers.
    ran : Ran
        Is told of every expression.
    """

    def __init__(self, symbols: Symbols, ran: Ran) -> None:
        self._symbols, self._ran = symbols, ran
        self._kept: OrderedDict[Any, Values] = OrderedDict()
        self._codes: dict[Hoist, tuple[types.CodeType, tuple[str, ...], tuple[str, ...]]] = {}

    def of(self, hoist: Hoist, strategy: Strategy) -> Values:
        """The values of an expression for a strategy after its `init`.

        Raises
        ------
        NoColumn
            If they are not numbers, or now numbers and now text.
        """
        code, names, attributes = self._code(hoist)
        key = (hoist, *(_identity(strategy, name) for name in attributes))
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known
        bars = range(len(strategy._data))
        found = self._evaluated(hoist, strategy, code, names, attributes, bars)
        self._kept[key] = found
        while sum(one.value.nbytes * 3 for one in self._kept.values()) > _MOST_BYTES:
            self._kept.popitem(last=False)
        return found

    def forget(self) -> None:
        """Evaluate everything anew from here on."""
        self._kept.clear()

    def varies(self, hoist: Hoist, strategy: Strategy, own: frozenset[str]) -> bool:
        """Whether an expression may read one of these attributes."""
        _, _, attributes = self._code(hoist)
        return bool(own & set(attributes)) or _calls_methods(strategy, attributes)

    def probe(self, hoist: Hoist, strategy: Strategy) -> Column:
        """What the values of an expression have in common on some of the bars.

        Raises
        ------
        NoColumn
            As `of`.
        """
        code, names, attributes = self._code(hoist)
        bars = len(strategy._data)
        some = sorted({int(one) for one in np.linspace(bars // 4, bars - 1, _PROBED)})
        return self._evaluated(hoist, strategy, code, names, attributes, some).column

    def _code(self, hoist: Hoist) -> tuple[types.CodeType, tuple[str, ...], tuple[str, ...]]:
        if hoist not in self._codes:
            tree = ast.parse(hoist.text, mode="eval")
            names, attributes = [], []
            for node in ast.walk(tree):
                if isinstance(node, ast.Name) and node.id != hoist.itself:
                    names.append(node.id)
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id == hoist.itself
                ):
                    attributes.append(node.attr)
            code = compile(tree, f"<{hoist.text}>", "eval")
            self._codes[hoist] = code, tuple(names), tuple(sorted(set(attributes)))
        return self._codes[hoist]

    def _evaluated(
        self,
        hoist: Hoist,
        strategy: Strategy,
        code: types.CodeType,
        names: tuple[str, ...],
        attributes: tuple[str, ...],
        places: Sequence[int],
    ) -> Values:
        self._ran.again()
        scope: dict[str, Any] = {"__builtins__": builtins, hoist.itself: strategy}
        for name in names:
            try:
                scope[name] = lookup(hoist.function, name)
            except KeyError:
                continue  # A name of a comprehension's.
        data = strategy._data
        bars = len(data)
        whole = {
            name: value
            for name, value in vars(strategy).items()
            if isinstance(value, _Indicator)
            # A method that is called may read any of them.
            and (name in attributes or _calls_methods(strategy, attributes))
        }
        found: list[Any] = []
        raises = np.zeros(len(places))
        #: Some once more, backwards: what remembers earlier calls answers otherwise then.
        again = range(len(places) - 1, -1, -max(1, len(places) // _ASKED_AGAIN))
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                for place in (*range(len(places)), *again):
                    bar = places[place]
                    data._set_length(bar + 1)
                    for name, value in whole.items():
                        setattr(strategy, name, value[..., : bar + 1])
                    try:
                        answer = _single(eval(code, scope))
                    except Exception:
                        answer = _RAISED
                    if len(found) < len(places):
                        found.append(answer)
                        raises[place] = answer is _RAISED
                    elif not _same(answer, found[place]):
                        raise NoColumn("it answers differently when it is asked again")
        finally:
            data._set_length(bars)
            for name, value in whole.items():
                setattr(strategy, name, value)
        return self._values(hoist, found, raises)

    def _values(self, hoist: Hoist, found: list[Any], raises: NDArray[np.float64]) -> Values:
        kinds = {_kind(one) for one in found if one is not _RAISED and one is not None}
        if "other" in kinds:
            first = next(one for one in found if one is not None and _kind(one) == "other")
            raise NoColumn(f"Python finds a {type(first).__name__} where a number is needed")
        types_ = {one.rpartition(" ")[2] for one in kinds}
        if "symbol" in types_ and len(types_) > 1:
            raise NoColumn("it is text at one bar and a number at another")
        if not kinds and raises.all():
            raise NoColumn("evaluating it raises on every bar")
        order: tuple[Type, ...] = ("symbol", "float", "int", "bool")
        type_: Type = next((one for one in order if one in types_), "float")
        values = np.zeros(len(found))
        none = np.zeros(len(found))
        for bar, one in enumerate(found):
            if one is None:
                none[bar] = 1.0
            elif one is not _RAISED:
                values[bar] = self._number(one) if type_ == "symbol" else float(one)
        # Before the first call of next nothing is read.
        column = Column(
            type_,
            numpy=bool(kinds) and all(one.startswith("numpy") for one in kinds),
            none=bool(none.any()),
            raises=bool(raises.any()),
        )
        return Values(column, values, none, raises)

    def _number(self, value: Any) -> int:
        try:
            return self._symbols.number(value)
        except TypeError as problem:
            raise NoColumn(str(problem)) from None


_RAISED = object()


def _single(value: Any) -> Any:
    """An array of the data's stands for its last element, one with one element for that."""
    if isinstance(value, _Array) and value.ndim == 1 and value.size:
        raise TypeError("an array")
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value[()]
    return value


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other or (one != one and other != other))
    except (TypeError, ValueError):
        return True  # What it is, is told elsewhere.


def _kind(value: Any) -> str:
    kind = kind_of(value)
    if is_number(kind):
        return kind
    return "symbol" if isinstance(value, SYMBOLS) else "other"


def _calls_methods(strategy: Strategy, attributes: tuple[str, ...]) -> bool:
    return any(
        name != "data" and (callable(member) or isinstance(member, property))
        for name in attributes
        for member in (getattr(type(strategy), name, None),)
    )


def _identity(strategy: Strategy, name: str) -> Any:
    """What of an attribute an expression depends on."""
    if name == "data":
        return None
    if isinstance(getattr(type(strategy), name, None), property):
        return _of_all(strategy)
    value = getattr(strategy, name, None)
    if isinstance(value, bool | int | float | str | np.generic | type(None)):
        return (type(value), "nan" if isinstance(value, float) and math.isnan(value) else value)
    if isinstance(value, np.ndarray):
        return (value.__array_interface__["data"][0], value.shape, value.strides, _held(value))
    if isinstance(value, types.MethodType):
        return _of_all(strategy)
    return _held(value)


def _of_all(strategy: Strategy) -> Any:
    """What of a strategy its methods may depend on."""
    return tuple(
        (name, _identity(strategy, name)) for name in vars(strategy) if name not in _OF_THE_RUN
    )


#: Attributes that are none of the strategy's own.
_OF_THE_RUN = frozenset({"_broker", "_data", "_params", "_indicators"})


class _Held:
    """An object by identity, kept alive so that no other takes its place."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _held(value: Any) -> _Held:
    base = value
    while isinstance(base, np.ndarray) and isinstance(base.base, np.ndarray):
        base = base.base
    return _Held(base)
