"""A constraint as typed, such as `fast < slow and not (fast == 5 or slow > 100)`.

Only what is named here is understood; nothing is ever handed to Python to run. It is asked about
whole columns of points at once.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import SettingsError

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
}

#: Longer is no constraint.
_MOST_CHARACTERS = 2_000

#: Deeper is none either; some hundreds more would be Python's own limit, wherever it is asked.
_DEEPEST = 100

_HOW = "comparisons, + - * / // %, and, or, not, numbers, 'text', True, False, None"


class Constraint:
    """A condition on the parameters of a point.

    Parameters
    ----------
    text : str
        As typed.
    names : collection of str
        The parameters that it can be about.

    Raises
    ------
    SettingsError
        If it holds anything else, saying what and where.
    """

    def __init__(self, text: str, names: Collection[str]) -> None:
        self.text = text
        try:
            if len(text) > _MOST_CHARACTERS:
                raise RecursionError
            self._tree = ast.parse(text.strip(), mode="eval").body
            self._check(self._tree, names)
        except SyntaxError as problem:
            raise SettingsError(
                f"--constraint {text!r} cannot be read at character {problem.offset or 1}: "
                f"{problem.msg}; write something like 'fast < slow'"
            ) from None
        except (RecursionError, MemoryError, ValueError):
            raise SettingsError(
                f"--constraint {text[:60]!r} … is too long or too deep; {_MOST_CHARACTERS:,} "
                "characters are the most"
            ) from None

    def __call__(self, point: Mapping[str, Any]) -> bool:
        """Whether a point meets it."""
        columns = {name: np.array([value], dtype=_dtype(value)) for name, value in point.items()}
        return bool(self.of_columns(columns)[0])

    def of_columns(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Whether each of many points meets it.

        Parameters
        ----------
        columns : mapping of str to ndarray, shape (points,)
            The values of each parameter.

        Raises
        ------
        SettingsError
            If it compares what cannot be compared.
        """
        length = len(next(iter(columns.values()))) if columns else 1
        try:
            with np.errstate(all="ignore"):  # A division by zero meets no comparison.
                found = self._value(self._tree, columns)
                return np.broadcast_to(_truth(found), length)
        except (TypeError, ValueError, ZeroDivisionError) as problem:
            raise SettingsError(f"--constraint {self.text!r}: {problem}") from problem

    def _check(self, node: ast.AST, names: Collection[str], depth: int = 0) -> None:
        """Refuse whatever is not understood."""
        if depth > _DEEPEST:
            raise RecursionError
        match node:
            case ast.BoolOp(values=values):
                parts: list[ast.AST] = list(values)
            case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
                parts = [operand]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                parts = [left, right]
            case ast.Compare(left=left, ops=ops, comparators=others) if all(
                type(op) in _COMPARISONS for op in ops
            ):
                parts = [left, *others]
            case ast.Constant(value=value) if value is None or isinstance(
                value, bool | int | float | str
            ):
                parts = []
            case ast.Name(id=name):
                parts = []
                if name not in names:
                    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
                    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
                    raise SettingsError(
                        f"--constraint {self.text!r}: {name!r} is none of the parameters of this "
                        f"grid; {hint}"
                    )
            case _:
                shown = ast.get_source_segment(self.text.strip(), node) or type(node).__name__
                raise SettingsError(
                    f"--constraint {self.text!r}: {shown!r} is not understood; there are {_HOW}"
                )
        for part in parts:
            self._check(part, names, depth + 1)

    def _value(self, node: ast.AST, columns: Mapping[str, NDArray[Any]]) -> Any:
        match node:
            case ast.BoolOp(op=op, values=values):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                found = _truth(self._value(values[0], columns))
                for each in values[1:]:
                    found = join(found, _truth(self._value(each, columns)))
                return found
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return np.logical_not(_truth(self._value(operand, columns)))
            case ast.UnaryOp(op=op, operand=operand):
                value = self._value(operand, columns)
                return -value if isinstance(op, ast.USub) else +value
            case ast.BinOp(left=left, op=op, right=right):
                return _ARITHMETIC[type(op)](
                    self._value(left, columns), self._value(right, columns)
                )
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [self._value(each, columns) for each in (left, *others)]
                whole: Any = True
                for kind, one, other in zip(ops, sides, sides[1:], strict=False):
                    met = _compared(_COMPARISONS[type(kind)], one, other)
                    whole = np.logical_and(whole, met)
                return whole
            case ast.Name(id=name):
                return columns[name]
        assert isinstance(node, ast.Constant)
        return node.value


def _compared(compare: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    """A comparison; equality with None and of text with numbers is asked of each value."""
    if compare in (operator.eq, operator.ne):
        one, other = (
            np.array([value], object) if value is None or isinstance(value, str) else value
            for value in (one, other)
        )
    return compare(one, other)


def _truth(value: Any) -> NDArray[np.bool_]:
    return np.asarray(value).astype(np.bool_)


def _dtype(value: Any) -> Any:
    return None if isinstance(value, bool | int | float) else object
