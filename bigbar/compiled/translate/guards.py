"""Whether evaluating an expression could raise, by what was tested before.

Of what a run changes. On a bar that is left out nothing changes, but another way may be taken
through `next` than on the last one that was not: what could raise on it counts as something that
happens.

Facts are expressions, as text, that are known not to be None; `len(x)` is one that is known not to
be 0, as of a list that counted as true.
"""

from __future__ import annotations

import ast

from bigbar.compiled.translate.states import entry_name, is_attribute
from bigbar.compiled.translate.unit import Unit

_Facts = frozenset[str]

#: Attributes of trades and orders that may be None.
_MAY_BE_NONE = frozenset({"sl", "tp", "limit", "stop", "exit_price", "exit_bar", "exit_time"})

#: Numbers of the broker's that are never 0.
_NEVER_ZERO = frozenset({"entry_price", "exit_price"})

#: Numbers of trades and the position that are finite where prices are.
_FINITE = frozenset({"size", "pl", "pl_pct", "value", "entry_price", "entry_bar"})

#: Functions that take any number.
_SAFE = frozenset(
    {"abs", "min", "max", "float", "bool", "len", "print", "str", "repr", "all", "any"}
)

#: Expressions that raise only where a part of them does.
_PLAIN = (
    ast.Tuple, ast.List, ast.Starred, ast.keyword, ast.Name, ast.Constant, ast.JoinedStr,
    ast.expr_context,
)  # fmt: skip


class Guards:
    """Judges expressions of one function, in one of the two cases.

    Parameters
    ----------
    unit : Unit
        Whose local names are those that are known at present.
    inside : bool
        Whether there is an open trade.
    """

    def __init__(self, unit: Unit, *, inside: bool) -> None:
        self._unit, self._inside = unit, inside
        #: Expressions of bars and parameters that must not be 0, or not be NaN or infinite.
        self.not_zero: list[ast.expr] = []
        self.finite: list[ast.expr] = []
        builder = unit.builder
        self._maybe_unbound = builder.maybe.get(("entry",), set())
        self._locals = builder.locals.get(("entry",), {})

    # What is known after a condition.

    def where_true(self, node: ast.expr) -> _Facts:
        """Facts where a condition holds."""
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            return frozenset().union(*map(self.where_true, node.values))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.where_false(node.operand)
        if isinstance(node, ast.Compare):
            return self._compared(node, holds=True)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return frozenset({ast.unparse(node), f"len({ast.unparse(node)})"})
        if isinstance(node, ast.Call):
            return frozenset({ast.unparse(node)})  # `len(x)` among them.
        return frozenset()

    def where_false(self, node: ast.expr) -> _Facts:
        """Facts where a condition does not hold."""
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return frozenset().union(*map(self.where_false, node.values))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.where_true(node.operand)
        if isinstance(node, ast.Compare):
            return self._compared(node, holds=False)
        return frozenset()

    def _compared(self, node: ast.Compare, *, holds: bool) -> _Facts:
        left, op, right = node.left, node.ops[0], node.comparators[0]
        is_none = isinstance(right, ast.Constant) and right.value is None
        if len(node.ops) == 1 and is_none:
            tells = ast.IsNot | ast.NotEq if holds else ast.Is | ast.Eq
            return frozenset({ast.unparse(left)}) if isinstance(op, tells) else frozenset()
        if isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            # Comparing None would have raised.
            sides = [left, right] if len(node.ops) == 1 or not holds else [left, *node.comparators]
            found = {ast.unparse(one) for one in sides}
        else:
            found = set()
        if self._is_length(left) and len(node.ops) == 1 and isinstance(right, ast.Constant):
            if isinstance(right.value, int) and not self._takes_zero(op, right.value, holds=holds):
                found.add(ast.unparse(left))
            else:
                found.discard(ast.unparse(left))
        else:
            found -= {one for one in found if one.startswith("len(")}
        return frozenset(found)

    def _is_length(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node.func) == "len"

    def _takes_zero(self, op: ast.cmpop, value: int, *, holds: bool) -> bool:
        zero = {
            ast.Gt: value < 0, ast.GtE: value <= 0, ast.Lt: value > 0, ast.LtE: value >= 0,
            ast.Eq: value == 0, ast.NotEq: value != 0,
        }.get(type(op), holds)  # fmt: skip
        return zero is holds

    # Whether it could raise.

    def could_raise(self, node: ast.expr, facts: _Facts) -> bool:
        """Whether evaluating an expression could raise, where these facts are known.

        If not, it still does where one of `not_zero` is 0, or one of `finite` is not.
        """
        self.not_zero, self.finite = [], []
        return self.may_raise(node, facts)

    def may_raise(self, node: ast.AST, facts: _Facts) -> bool:
        """Whether evaluating a part of an expression could raise."""
        if isinstance(node, ast.expr) and self._unit.is_pure(node):
            return False  # Its condition marks the bars where it raises.
        if isinstance(node, ast.BoolOp):
            learn = self.where_true if isinstance(node.op, ast.And) else self.where_false
            for one in node.values:
                if self.may_raise(one, facts):
                    return True
                facts |= learn(one)
            return False
        if isinstance(node, ast.IfExp):
            return (
                self.may_raise(node.test, facts)
                or self.may_raise(node.body, facts | self.where_true(node.test))
                or self.may_raise(node.orelse, facts | self.where_false(node.test))
            )
        if any(self.may_raise(one, facts) for one in ast.iter_child_nodes(node)):
            return True
        return self._raises_itself(node, facts)

    def _raises_itself(self, node: ast.AST, facts: _Facts) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self._maybe_unbound
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod) and self._may_be_zero(
                node.right, facts
            ):
                return True
            both = (node.left, node.right)
            return isinstance(node.op, ast.Pow) or any(self._is_none(one, facts) for one in both)
        if isinstance(node, ast.UnaryOp):
            return not isinstance(node.op, ast.Not) and self._is_none(node.operand, facts)
        if isinstance(node, ast.Compare):
            ordered = any(isinstance(one, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for one in node.ops)
            sides = (node.left, *node.comparators)
            return ordered and any(self._is_none(one, facts) for one in sides)
        if isinstance(node, ast.Call):
            return self._call_raises(node, facts)
        if isinstance(node, ast.Subscript):
            return self._place_raises(node, facts)
        if isinstance(node, ast.Attribute):
            return self._attribute_raises(node, facts)
        if isinstance(node, ast.FormattedValue):
            return node.format_spec is not None and self._is_none(node.value, facts)
        return not isinstance(node, (*_PLAIN, ast.operator, ast.unaryop, ast.boolop, ast.cmpop))

    def _call_raises(self, node: ast.Call, facts: _Facts) -> bool:
        function = node.func
        if isinstance(function, ast.Attribute):
            base = function.value
            if ast.unparse(function) in ("math.floor", "math.ceil", "math.trunc"):
                return len(node.args) != 1 or not self._is_finite(node.args[0], facts)
            return not (isinstance(base, ast.Call) and ast.unparse(base) == "super()")
        if isinstance(function, ast.Name) and function.id in ("int", "round"):
            return len(node.args) != 1 or not self._is_finite(node.args[0], facts)
        if not isinstance(function, ast.Name) or function.id not in _SAFE:
            return True
        if function.id in ("min", "max") and len(node.args) == 1:
            return f"len({ast.unparse(node.args[0])})" not in facts
        if function.id in ("print", "str", "repr", "bool", "len", "all", "any"):
            return False
        return any(self._is_none(one, facts) for one in node.args)

    def _place_raises(self, node: ast.Subscript, facts: _Facts) -> bool:
        if entry_name(node, self._unit.itself) in self._unit.builder.states:
            return False
        base = ast.unparse(node.value)
        if isinstance(node.slice, ast.Slice):
            return False
        if ast.unparse(node.slice) in ("0", "-1"):
            if self._inside and base == f"{self._unit.itself}.trades":
                return False
            if f"len({base})" in facts:
                return False
        is_tuple = is_attribute(node.value, self._unit.itself) and (
            node.value.attr in self._unit.builder.tuples  # type: ignore[attr-defined]
        )
        return not is_tuple or self._is_none(node.value, facts)

    def _attribute_raises(self, node: ast.Attribute, facts: _Facts) -> bool:
        builder = self._unit.builder
        if is_attribute(node, self._unit.itself):
            name = node.attr
            return (name in builder.states or name in builder.lists) and not builder.is_set(name)
        return self._is_none(node.value, facts)

    def _may_be_zero(self, node: ast.expr, facts: _Facts) -> bool:
        if isinstance(node, ast.Constant):
            return not node.value
        if isinstance(node, ast.Attribute) and node.attr in _NEVER_ZERO:
            return False
        if self._unit.is_pure(node):
            self.not_zero.append(node)
            return False
        return ast.unparse(node) not in facts or not ast.unparse(node).startswith("len(")

    def _is_finite(self, node: ast.expr, facts: _Facts) -> bool:
        """Whether a number is none of NaN and infinity; given that, `finite` are not either."""
        if self._unit.is_pure(node):
            self.finite.append(node)
            return True
        if self._is_none(node, facts):
            return False
        if isinstance(node, ast.BinOp):
            sides = [node.left, node.right]
            if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):
                if self._may_be_zero(node.right, facts):
                    return False
            elif not isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
                return False
            return all(self._is_finite(one, facts) for one in sides)
        if isinstance(node, ast.UnaryOp):
            return self._is_finite(node.operand, facts)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "len":
                return True
            known = node.func.id in ("abs", "min", "max", "float", "int", "round")
            return known and all(self._is_finite(one, facts) for one in node.args)
        if is_attribute(node, self._unit.itself):
            return node.attr == "equity"  # type: ignore[attr-defined]
        return isinstance(node, ast.Attribute) and node.attr in _FINITE

    def _is_none(self, node: ast.expr, facts: _Facts) -> bool:
        """Whether an expression may be None."""
        if ast.unparse(node) in facts:
            return False
        builder = self._unit.builder
        if isinstance(node, ast.BoolOp):
            if isinstance(node.op, ast.Or):
                return self._is_none(node.values[-1], facts)
            return any(self._is_none(one, facts) for one in node.values)
        if isinstance(node, ast.IfExp):
            return self._is_none(node.body, facts | self.where_true(node.test)) or self._is_none(
                node.orelse, facts | self.where_false(node.test)
            )
        if isinstance(node, ast.Name):
            joined = self._locals.get(node.id)
            return joined is not None and (joined.none or not joined.types)
        if is_attribute(node, self._unit.itself):
            name = node.attr  # type: ignore[attr-defined]
            if name not in builder.states:
                return False
            known = builder.states[name]
            return known.none or not (known.types or name in builder.tuples)
        if isinstance(node, ast.Subscript):
            entry = builder.states.get(entry_name(node, self._unit.itself))
            return entry is not None and entry.none
        return isinstance(node, ast.Attribute) and node.attr in _MAY_BE_NONE
