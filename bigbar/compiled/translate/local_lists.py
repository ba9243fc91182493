"""Which local names of a function stand for lists that it makes, and changes."""

from __future__ import annotations

import ast

from bigbar.compiled.translate.states import CHANGES


def own_lists(tree: ast.FunctionDef) -> frozenset[str]:
    """Local names that are nothing but lists made in the function."""
    assigned = [
        (target, isinstance(node.value, ast.List | ast.ListComp))
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    fresh = {id(target) for target, is_made in assigned if is_made}
    others = {
        one.id
        for one in ast.walk(tree)
        if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load) and id(one) not in fresh
    }
    others |= {one.arg for one in ast.walk(tree.args) if isinstance(one, ast.arg)}
    return frozenset(target.id for target, _ in assigned) - others


def changed_names(tree: ast.FunctionDef) -> frozenset[str]:
    """Local names of lists that are changed in place."""
    found = set()
    for node in ast.walk(tree):
        base: ast.AST | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in CHANGES:
                base = node.func.value
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            base = node.value
        elif isinstance(node, ast.AugAssign):
            base = node.target
        if isinstance(base, ast.Name):
            found.add(base.id)
    return frozenset(found)
