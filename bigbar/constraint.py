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
    fixed : mapping of str to object, optional
        What else it may name: attributes of the strategy that are no parameters of this grid, with
        the values that they have in all of it.

    Raises
    ------
    SettingsError
        If it holds anything else, saying what and where.
    """

    def __init__(
        self, text: str, names: Collection[str], fixed: Mapping[str, object] | None = None
    ) -> None:
        self.text = text
        self._fixed = {
            name: value
            for name, value in (fixed or {}).items()
            if name not in names and (value is None or isinstance(value, bool | int | float | str))
        }
        try:
            if len(text) > _MOST_CHARACTERS:
                raise RecursionError
            self._tree = ast.parse(text.strip(), mode="eval").body
            self._check(self._tree, names)
        except SyntaxError as problem:
            raise SettingsError(
                f"--constraint {text!r} cannot be read {_place(text, problem)}: {problem.msg}; "
                "write something like 'fast < slow'"
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
            If it compares what cannot be compared, or divides by zero where Python would.
        """
        length = len(next(iter(columns.values()))) if columns else 1
        try:
            with np.errstate(all="ignore"):
                found = self._value(self._tree, columns, np.ones(length, np.bool_))
                return np.broadcast_to(_truth(found), length)
        except (TypeError, ValueError) as problem:
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
                if name not in names and name not in self._fixed:
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

    def _value(
        self, node: ast.AST, columns: Mapping[str, NDArray[Any]], asked: NDArray[np.bool_]
    ) -> Any:
        """Of many points; `asked`: of which Python would come by here."""
        match node:
            case ast.BoolOp(op=op, values=values):
                is_and = isinstance(op, ast.And)
                join = np.logical_and if is_and else np.logical_or
                found = _truth(self._value(values[0], columns, asked))
                for each in values[1:]:
                    asked = asked & (found if is_and else ~found)
                    found = join(found, _truth(self._value(each, columns, asked)))
                return found
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return np.logical_not(_truth(self._value(operand, columns, asked)))
            case ast.UnaryOp(op=op, operand=operand):
                value = self._value(operand, columns, asked)
                return -value if isinstance(op, ast.USub) else +value
            case ast.BinOp(left=left, op=op, right=right):
                one = self._value(left, columns, asked)
                other = self._value(right, columns, asked)
                if isinstance(op, ast.Div | ast.FloorDiv | ast.Mod):
                    other = self._divisor(one, other, columns, asked)
                return _ARITHMETIC[type(op)](one, other)
            case ast.Compare(left=left, ops=ops, comparators=others):
                whole: Any = True
                one = self._value(left, columns, asked)
                for kind, each in zip(ops, others, strict=True):
                    other = self._value(each, columns, asked)
                    met = _compared(_COMPARISONS[type(kind)], one, other)
                    whole, one = np.logical_and(whole, met), other
                    asked = asked & _truth(whole)
                return whole
            case ast.Name(id=name):
                return columns[name] if name in columns else self._fixed[name]
        assert isinstance(node, ast.Constant)
        return node.value

    def _divisor(
        self, one: Any, other: Any, columns: Mapping[str, NDArray[Any]], asked: NDArray[np.bool_]
    ) -> Any:
        """What is divided by, without a zero; one that Python would divide by is refused."""
        if isinstance(one, str) or isinstance(other, str):
            return other
        zero = np.asarray(other == 0)
        wrong = np.flatnonzero(zero & asked)
        if len(wrong):
            point = {
                name: column[wrong[0]].item() if column.dtype.kind in "biuf" else column[wrong[0]]
                for name, column in columns.items()
            }
            where = ", ".join(f"{name} {value!r}" for name, value in point.items())
            raise SettingsError(
                f"--constraint {self.text!r} divides by zero at {where or 'every point'}; leave "
                "such points out first, as in 'slow != 0 and fast / slow > 2'"
            )
        return np.where(zero, 1, other) if zero.any() else other


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


def _place(text: str, problem: SyntaxError) -> str:
    """Where Python could not go on; it was given the text without the blanks around it."""
    read = text.strip()
    lines = read.splitlines(keepends=True)[: (problem.lineno or 1) - 1]
    offset = sum(map(len, lines)) + (problem.offset or 0)
    if 0 < offset <= len(read):
        return f"at character {text.index(read) + offset}"
    return "at its end"
