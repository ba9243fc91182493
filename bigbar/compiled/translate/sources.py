"""The source of a function, as a tree whose code is that which runs."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bigbar.compiled.translate.refusal import CannotCompile, Refusal


@dataclass(frozen=True)
class Source:
    """A function's source.

    Attributes
    ----------
    tree : ast.FunctionDef
        With the line numbers of the file, and private names as the class mangles them.
    file : str
    text : str
    """

    tree: ast.FunctionDef
    file: str
    text: str


def mangled(name: str, owner: str) -> str:
    """A private name as a class of this name has it."""
    if not name.startswith("__") or name.endswith("__") or not owner.strip("_"):
        return name
    return f"_{owner.lstrip('_')}{name}"


class _Mangle(ast.NodeTransformer):
    def __init__(self, owner: str) -> None:
        self._owner = owner

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = mangled(node.attr, self._owner)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = mangled(node.id, self._owner)
        return node


def source_of(function: types.FunctionType, owner: str = "") -> Source:
    """The source of a function.

    Parameters
    ----------
    function : function
        As written in a file or a notebook: no wrapper of a decorator's.
    owner : str, optional
        Name of the class whose body it stands in.

    Raises
    ------
    CannotCompile
        If the source cannot be found, is of other code than that which runs (the file was edited
        since), or has a decorator.
    """
    return _source_of(function.__code__, owner)


@lru_cache(maxsize=1024)
def _source_of(code: types.CodeType, owner: str) -> Source:
    file, first = code.co_filename, code.co_firstlineno

    def refuse(why: str, instead: str = "") -> CannotCompile:
        return CannotCompile(Refusal(file, first, f"def {code.co_name}", why, instead))

    try:
        lines, _ = inspect.getsourcelines(code)
        text = textwrap.dedent("".join(lines))
        tree = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        raise refuse("its source cannot be found", "keep the strategy in a file") from None
    if not isinstance(tree, ast.FunctionDef):
        raise refuse("only functions written with def are translated")
    decorators = {ast.unparse(one) for one in tree.decorator_list}
    if decorators - {"staticmethod", "classmethod", "property"}:
        raise refuse("it has a decorator", "leave the decorator out")
    if not _is_compiled_to(text, code, owner):
        linecache.checkcache(file)
        raise refuse("the file has been edited since it was imported", "import the strategy again")
    ast.increment_lineno(tree, first - 1)
    mangle = _Mangle(owner)
    tree.body = [mangle.visit(one) for one in tree.body]
    return Source(tree, file, text)


def _is_compiled_to(text: str, code: types.CodeType, owner: str) -> bool:
    """Whether this text is what the code was compiled from."""
    whole = "".join(linecache.getlines(code.co_filename))
    return any(
        one.co_name == code.co_name and _alike(one, code)
        for compiled in (
            _compiled(whole, code.co_filename, _flags(code)),
            # Of a file that was changed on the way to its code, as tests are for their asserts.
            _compiled(_on_its_own(text, code, owner), code.co_filename, _flags(code)),
        )
        for one in compiled
    )


@lru_cache(maxsize=64)
def _compiled(text: str, file: str, flags: int) -> tuple[types.CodeType, ...]:
    """The code of every function in a text."""
    try:
        return tuple(_codes(compile(text, file, "exec", dont_inherit=True, flags=flags)))
    except (SyntaxError, ValueError):
        return ()


def _on_its_own(text: str, code: types.CodeType, owner: str) -> str:
    names = [name for name in code.co_freevars if name != "__class__"]
    around = ["def outside():", *(f"    {name} = None" for name in names), "    if True:"]
    if owner:
        around.append(f"        class {owner}:")
    return "\n".join(around) + "\n" + textwrap.indent(text, "    " * (3 if owner else 2))


def _flags(code: types.CodeType) -> int:
    """Those of `from __future__ import annotations` and its like."""
    import __future__

    every = [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]
    return sum({flag for flag in every if flag and code.co_flags & flag == flag})


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield one
            yield from _codes(one)


def _alike(one: types.CodeType, other: types.CodeType) -> bool:
    mine, its = one.co_consts, other.co_consts
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and len(mine) == len(its)
        and all(map(_same_constant, mine, its))
    )


def _same_constant(one: Any, other: Any) -> bool:
    if isinstance(one, types.CodeType) and isinstance(other, types.CodeType):
        return _alike(one, other)
    return type(one) is type(other) and repr(one) == repr(other)
