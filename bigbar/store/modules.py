"""Modules of a project, followed from one to the other by what their sources import."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from bigbar.store.outside import outside_calls

#: As `bigbar.user_code` names modules that are made of files.
_OF_FILES = "bigbar_strategy_"

#: Their code counts by itself, and they import nothing of a trader's.
_KNOWN = frozenset({"backtesting", "bigbar"})


class Modules:
    """The modules that have been followed so far, and what came of it.

    Parameters
    ----------
    own : collection of str, optional
        Top-level names of modules that are followed however they were installed.

    Attributes
    ----------
    digests : dict of str to str
        SHA-256 of each source.
    packages : dict of str to str
        Versions of installed distributions.
    files : set of str
        Of the sources.
    sources : dict of str to (str, bytes)
        File and text of each module, by its name.
    problems : list of str
        What cannot be followed or reads what is not in the bars, for a person.
    """

    def __init__(self, own: Collection[str] = ()) -> None:
        self.digests: dict[str, str] = {}
        self.packages: dict[str, str] = {}
        self.files: set[str] = set()
        self.sources: dict[str, tuple[str, bytes]] = {}
        self.problems: list[str] = []
        self._own = frozenset(own) - _KNOWN
        self._seen: set[str] = set()

    def is_installed(self, name: str) -> bool:
        """Whether a module is Python's or a package's, not the project's."""
        top = name.partition(".")[0]
        if top == "__main__":
            return False
        if top in _KNOWN or top in sys.stdlib_module_names or top in sys.builtin_module_names:
            return True
        if top in self._own or top.startswith(_OF_FILES):
            return False
        file = _file_of(top) or _file_of(name)  # Of a namespace there is no file.
        parts = () if file is None else file.parts
        return top in _distributions() and ("site-packages" in parts or "dist-packages" in parts)

    def has_source(self, name: str) -> bool:
        """Whether a module has a file that can be followed."""
        file = _file_of(name)
        return file is not None and file.is_file()

    def note_package(self, name: str) -> None:
        """Note the version of the distribution that an installed module belongs to."""
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "bigbar":
            return
        for distribution in _distributions().get(top, ()):
            self.packages[distribution.lower()] = version_of(distribution) or ""

    def follow(self, name: str) -> bool:
        """Follow a module of the project's, and all that it imports.

        Returns
        -------
        bool
            False where it has no source to follow, as a notebook's has none; a script that is
            being run is not followed either: what it does besides is no part of its classes.
        """
        if name == "__main__" or not self.has_source(name):
            return False
        self.note_package(name)
        queue = [name]
        while queue:
            module = queue.pop()
            if module in self._seen:
                continue
            self._seen.add(module)
            if module == "__main__":
                self.problems.append("it imports the script that is being run")
            elif self.is_installed(module):
                self.note_package(module)
            else:
                queue += self._followed(module)
        return True

    def _followed(self, name: str) -> list[str]:
        """Take in one module; returns those that it imports."""
        shown, file = shown_name(name), _file_of(name)
        parent = name.rpartition(".")[0]
        more = [parent] if parent else []
        if file is None:
            if name not in sys.modules and _spec_of(name) is None:
                self.digests[shown] = "not there"  # And its importer goes on without it.
            elif not _is_namespace(name):
                self.problems.append(f"the source of {shown} cannot be had")
            return more
        try:
            source = file.read_bytes()
        except OSError as problem:
            self.problems.append(f"{file} cannot be read ({problem.strerror or problem})")
            return more
        self.files.add(str(file))
        self.digests[shown] = hashlib.sha256(source).hexdigest()
        if file.suffix != ".py":
            self.problems.append(f"what {file.name} is built on cannot be followed")
            return more
        self.sources[name] = str(file), source
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            self.problems.append(f"{shown} cannot be parsed any more")
            return more
        if not _is_as_imported(name, source, file):
            self.problems.append(f"{shown} was edited after it had been imported")
        tree = _without_main(tree)
        for line, said in outside_calls(tree, self.is_installed):
            self.problems.append(f"{shown} line {line} {said}")
        for line, imported in _imports(tree, name):
            if imported is None:
                self.problems.append(f"{shown} line {line} imports what only a run will tell")
            else:
                more.append(imported)
        return more


def shown_name(module: str) -> str:
    """A module's name for a person, the same wherever its file lies."""
    if module.startswith(_OF_FILES):
        file = _file_of(module)
        return module if file is None else file.name
    return module or "the class"


def _file_of(name: str) -> Path | None:
    """The file of a module; None where it has none, or there is no such module."""
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
        return Path(file) if file else None
    found = _spec_of(name)
    return Path(found.origin) if found is not None and found.has_location else None


def _spec_of(name: str) -> Any:
    try:
        return importlib.util.find_spec(name)
    except Exception:  # Of the package that it is in, which is imported for that.
        return None


def _is_namespace(name: str) -> bool:
    """Whether it is a folder without a source of its own."""
    module = sys.modules.get(name)
    found = getattr(module, "__spec__", None) if module is not None else _spec_of(name)
    return found is not None and found.origin is None and bool(found.submodule_search_locations)


def _is_as_imported(name: str, source: bytes, file: Path) -> bool:
    """Whether the code that runs is that of the file as it is now."""
    module = sys.modules.get(name)
    if module is None:
        return True
    codes = set(_codes(compile(source, str(file), "exec", dont_inherit=True)))
    for thing in list(vars(module).values()):
        members = vars(thing).values() if isinstance(thing, type) else [thing]
        if isinstance(thing, type) and thing.__module__ != name:
            continue
        for member in members:
            function = getattr(member, "__func__", member)
            if isinstance(function, property):
                function = function.fget
            if (
                isinstance(function, FunctionType)
                and function.__code__.co_filename == str(file)
                and function.__code__ not in codes
            ):
                return False
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _without_main(tree: ast.Module) -> ast.Module:
    """Without what only runs as a script."""
    kept = [node for node in tree.body if not _is_main_guard(node)]
    return ast.Module(kept, tree.type_ignores)


def _is_main_guard(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")
    )


def _imports(tree: ast.AST, module: str) -> Iterator[tuple[int, str | None]]:
    """Modules that a source imports, wherever in it; None where its code decides which."""
    package = module if _is_package(module) else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, package)
            yield node.lineno, base
            for alias in node.names:  # A name may be a module of its own.
                whole = f"{base}.{alias.name}"
                if base is not None and _is_package(base) and _file_of(whole) is not None:
                    yield node.lineno, whole
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__"):
                first = node.args[0] if node.args else None
                text = first.value if isinstance(first, ast.Constant) else None
                known = isinstance(text, str) and not text.startswith(".")
                yield node.lineno, str(text) if known else None


def _absolute(base: str, level: int, package: str) -> str | None:
    """The name of a module that is imported, perhaps relatively."""
    if not level:
        return base
    parts = package.split(".")
    parents = parts[: len(parts) - level + 1]
    return ".".join([*parents, base] if base else parents) or None


def _is_package(name: str) -> bool:
    module = sys.modules.get(name)
    if module is not None:
        return hasattr(module, "__path__")
    found = _spec_of(name)
    return found is not None and found.submodule_search_locations is not None


@cache
def version_of(distribution: str) -> str | None:
    """The version of what is installed; None where it is not. What is loaded stays as it is."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())
