"""On which bars `next` could do anything: by what it asks of bars and parameters alone.

Every effect (an order, a close, an assignment to the strategy, a call that is not known) is reached
under conditions. Those that read only bars and parameters are kept, those on the strategy's state
are taken to hold either way, and whether there is an open trade is one of two cases. A bar on which
evaluating a condition could raise counts as one on which something happens.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from bigbar.compiled.translate.conditions import Conditions, Here
from bigbar.compiled.translate.guards import Guards
from bigbar.compiled.translate.statements import as_statement
from bigbar.compiled.translate.unit import Unit

#: Statements that do nothing.
_NOTHING = (ast.Pass, ast.Break, ast.Continue, ast.Import, ast.ImportFrom)

#: A parameter's place; constants stand behind them.
_OF_PARAMETER = re.compile(r"P\[(\d+)\]")

#: What is the same on all bars.
_OF_ALL_BARS = re.compile(r"n\[ROWS \+ \d+\]|P\[\d+(?: \+ \{parameters\})?\]")

#: A value of this bar or the one before, which is there: the first bar is none of those marked. By
#: a place that cannot be negative the compiler takes several bars at once.
_OF_ONE_BAR = re.compile(r"\b([MI])\[(c?\d+), i( - 1)?\]")

_UNLESS_RAISED = """
        if e[ERR] != 0:
            e[ERR] = 0
            mark1, mark2 = 1, 2"""

_HEAD = """

def marks_(n, M, I, P, e, out, start, stop):
"""


def marks_of(unit: Unit) -> tuple[str, tuple[int, ...]] | None:
    """Code of a function that marks the bars on which `next` could do something.

    Parameters
    ----------
    unit : Unit
        A fresh one of `next`.

    Returns
    -------
    tuple of (str, tuple of int) or None
        The code, and the places of the parameters that it reads. None where every bar would be
        marked, with and without an open trade.
    """
    cases = []
    for inside in (False, True):
        walk = _Walk(unit, inside=inside)
        walk.statements(unit.tree.body, "True", Here({}))
        cases.append(walk)
    if all("True" in walk.wakes for walk in cases):
        return None
    return _text(cases)


def _text(cases: list[_Walk]) -> tuple[str, tuple[int, ...]]:
    lines: list[str] = []
    for bit, walk in zip((1, 2), cases, strict=True):
        lines += walk.lines
        if "True" in walk.wakes:
            lines.append(f"mark{bit} = {bit}")
        else:
            either = " | ".join(dict.fromkeys(walk.wakes)) or "False"
            lines.append(f"mark{bit} = {bit} if {either} else 0")
    body = "\n".join(f"        {line}" for line in lines)
    body = body.replace("(n, ", "(e, ")
    before: dict[str, str] = {}
    rows: dict[str, str] = {}

    def once(found: re.Match[str]) -> str:
        return before.setdefault(found.group(0), f"c{len(before)}")

    def at(found: re.Match[str]) -> str:
        name = rows.setdefault(f"{found[1]}[{found[2]}]", f"r{len(rows)}")
        return f"{name}[unsigned(i) - unsigned(1)]" if found[3] else f"{name}[unsigned(i)]"

    # What does not change from bar to bar is read once: the compiler cannot know.
    body = _OF_ALL_BARS.sub(once, body)
    prologue = "".join(f"    {name} = {code}\n" for code, name in before.items())
    parameters = tuple(
        int(found.group(1)) for found in map(_OF_PARAMETER.fullmatch, before) if found
    )
    body = _OF_ONE_BAR.sub(at, body)
    prologue += "".join(f"    {name} = {code}\n" for code, name in rows.items())
    if re.search(r"\be\b", body):
        body += _UNLESS_RAISED
    body += "\n        out[unsigned(i)] = mark1 | mark2"
    text = f"{_HEAD}{prologue}    for i in range(start, stop):\n{body}\n"
    return text, parameters


class _Walk:
    """Goes through `next` with or without an open trade.

    Attributes
    ----------
    lines : list of str
        Code that comes first.
    wakes : list of str
        Code of conditions under which something happens.
    """

    def __init__(self, unit: Unit, *, inside: bool) -> None:
        self._unit, self._inside = unit, inside
        self._guards = Guards(unit, inside=inside)
        self._conditions = Conditions(unit, inside=inside)
        self.lines = self._conditions.lines
        self.wakes: list[str] = []

    # Statements.

    def statements(self, body: list[ast.stmt], path: str, here: Here) -> str:
        """Go through statements reached under a condition; the condition after them.

        It is "False" where none come after: the bars that get so far are marked, or `next` is left.
        """
        for one in body:
            if path == "False":
                break
            path = self._statement(one, path, here)
        return path

    def _wake(self, path: str) -> str:
        self.wakes.append(path)
        return "False"

    def _statement(self, node: ast.stmt, path: str, here: Here) -> str:
        if isinstance(node, ast.If):
            return self._if(node, path, here)
        if isinstance(node, ast.For | ast.While):
            return self._loop(node, path, here)
        if isinstance(node, ast.Try):
            return self.statements([*node.body, *node.orelse, *node.finalbody], path, here)
        if isinstance(node, ast.Return):
            if node.value is not None:
                self._looked_at(node.value, path, here)
            return "False"
        if isinstance(node, ast.Expr):
            instead = as_statement(node)
            if instead is not None:
                return self._statement(instead, path, here)
            return self._looked_at(node.value, path, here)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            return self._assign(node, path, here)
        if isinstance(node, ast.FunctionDef):
            here.forget(node.name)
            return path
        if isinstance(node, _NOTHING):
            return path
        return self._wake(path)

    def _looked_at(self, node: ast.expr, path: str, here: Here, *, is_test: bool = False) -> str:
        """An expression is evaluated, which may do something, or raise."""
        self._conditions.put(here.names)
        if not self._conditions.is_harmless(node) or self._guards.could_raise(node, here.facts):
            return self._wake(path)
        if not self._marks_raising(node, here, is_test=is_test):
            return self._wake(path)
        tests = [("({0} == 0)", one) for one in self._guards.not_zero]
        tests += [("({0} - {0} != 0)", one) for one in self._guards.finite]
        for form, one in tests:
            code = self._conditions.number(one, here)
            if code is None:
                return self._wake(path)
            self.wakes.append(self._path(path, form.format(code)))
        return path

    def _marks_raising(self, node: ast.expr, here: Here, *, is_test: bool) -> bool:
        """Whether the bars are marked on which an expression raises by bars and parameters."""
        if is_test and isinstance(node, ast.BoolOp):
            return all(self._marks_raising(one, here, is_test=True) for one in node.values)
        if is_test and isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self._marks_raising(node.operand, here, is_test=True)
        if is_test and self._conditions.is_pure(node, here):
            return True  # By its own code.
        return self._conditions.mark_raising(node, here)

    def _if(self, node: ast.If, path: str, here: Here) -> str:
        true, false = self._conditions.either(node.test, here)
        path = self._looked_at(node.test, path, here, is_test=True)
        if path == "False":
            return path
        body, other = here.copy(), here.copy()
        body.facts |= self._guards.where_true(node.test)
        other.facts |= self._guards.where_false(node.test)
        after = self.statements(node.body, self._path(path, true), body)
        otherwise = self.statements(node.orelse, self._path(path, false), other)
        if after == "False" or otherwise == "False":
            kept = other if after == "False" else body
            here.names, here.facts = kept.names, kept.facts
            return otherwise if after == "False" else after
        here.become(body, other)
        return self._conditions.named(f"{after} | {otherwise}")

    def _loop(self, node: ast.For | ast.While, path: str, here: Here) -> str:
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                here.forget(one.id)
        over = node.iter if isinstance(node, ast.For) else node.test
        path = self._looked_at(over, path, here)
        inside = here.copy()
        if isinstance(node, ast.While):
            inside.facts |= self._guards.where_true(node.test)
            self.statements(
                node.body, self._path(path, self._conditions.either(over, here)[0]), inside
            )
        elif self._inside or not self._conditions.is_of_trades(over):
            self.statements(node.body, path, inside)
        return path

    def _assign(
        self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, path: str, here: Here
    ) -> str:
        targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is None:
            return path
        if not self._are_names(targets):
            return self._wake(path)
        whole: ast.expr = node.value
        if len(targets) == 1 and _are_pairs(targets[0], whole):
            return self._assign_several(targets[0], whole, path, here)
        if isinstance(node, ast.AugAssign):
            whole = ast.BinOp(ast.parse(ast.unparse(node.target), mode="eval").body, node.op, whole)
        pure = None
        if not isinstance(node, ast.AugAssign) and self._conditions.is_pure(whole, here):
            pure = self._conditions.substituted(whole, here)
            if not self._conditions.mark_raising(whole, here):
                path = self._wake(path)
        else:
            path = self._looked_at(whole, path, here)
        for target in targets:
            for one in ast.walk(target):
                if isinstance(one, ast.Name):
                    here.forget(one.id)
                    if one is target and one.id not in self._unit.changed_lists:
                        here.names[one.id] = pure
        return path

    def _assign_several(self, target: Any, value: Any, path: str, here: Here) -> str:
        """`a, b = x, y`."""
        pure = [
            self._conditions.substituted(one, here) if self._conditions.is_pure(one, here) else None
            for one in value.elts
        ]
        for one in value.elts:
            if path != "False":
                path = self._looked_at(one, path, here)
        for name, known in zip(target.elts, pure, strict=True):
            here.forget(name.id)
            if name.id not in self._unit.changed_lists:
                here.names[name.id] = known
        return path

    def _are_names(self, targets: list[ast.expr]) -> bool:
        return all(
            isinstance(one, ast.Name | ast.Tuple | ast.List | ast.Store | ast.Load)
            for target in targets
            for one in ast.walk(target)
        )

    def _path(self, path: str, code: str) -> str:
        if code == "False":
            return "False"
        if code == "True":
            return path
        return self._conditions.named(code if path == "True" else f"{path} & {code}")


def _are_pairs(target: ast.expr, value: ast.expr) -> bool:
    """Whether names are assigned one value each."""
    several = ast.Tuple | ast.List
    return (
        isinstance(target, several)
        and isinstance(value, several)
        and len(target.elts) == len(value.elts)
        and all(isinstance(one, ast.Name) for one in target.elts)
        and not any(isinstance(one, ast.Starred) for one in value.elts)
    )
