"""A trader's own modules, compiled from what their files say now.

Python keeps bytecode beside a file and takes it again where the size and the second of the file are
those of then, and never reads again a module that a process has. Either way an edit may go unseen,
and another strategy be run than the one that is there to be read. So whatever is not installed is
compiled from its text, and imported anew where that, or something that it imports, has changed.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import resolve_name, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

#: Folders of packages that were installed: their files are not edited.
_INSTALLED = {"site-packages", "dist-packages"}

#: Nor are Python's own, and this program's.
_NOT_THEIRS = tuple(
    os.path.join(os.path.realpath(folder), "")
    for folder in (sysconfig.get_path("stdlib"), Path(__file__).parent)
)


@dataclass(frozen=True)
class _Text:
    """What a module was compiled from.

    Attributes
    ----------
    file : str
    says : bytes
    package : str
        That its relative imports are meant from.
    missed : frozenset of str
        What it may import that was nowhere then: it may do without.
    """

    file: str
    says: bytes
    package: str
    missed: frozenset[str] = frozenset()

    @property
    def edited(self) -> bool:
        """Whether the file says something else by now, has gone, or finds what it had missed."""
        try:
            said = Path(self.file).read_bytes()
            return said != self.says or any(map(PathFinder.find_spec, self.missed))
        except OSError:  # Whoever imports it is told.
            return True

    @cached_property
    def imports(self) -> frozenset[str]:
        """Names of the modules that it may import, and of what it takes from them."""
        return frozenset(self._imports())

    def nowhere(self) -> frozenset[str]:
        """What it may import that is nowhere by now."""
        tops = {name.partition(".")[0] for name in self.imports} - sys.modules.keys()
        return frozenset(top for top in tops if top and PathFinder.find_spec(top) is None)

    def _imports(self) -> Iterator[str]:
        for node in ast.walk(ast.parse(self.says)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                relative = "." * node.level + (node.module or "")
                try:
                    base = resolve_name(relative, self.package) if node.level else relative
                except ImportError:  # It would have failed.
                    continue
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


#: By their names, the modules that were compiled here.
_read: dict[str, _Text] = {}


class _FromSource(SourceFileLoader):
    """Compiles a module from its text, whatever bytecode there is, and keeps none."""

    def path_stats(self, path: str) -> dict[str, Any]:
        """Not told: without it no bytecode is looked for."""
        raise OSError("bytecode is not used")

    def source_to_code(  # type: ignore[override]  # of what get_code gives it
        self, data: bytes, path: str, *, _optimize: int = -1
    ) -> CodeType:
        """Compile it, and remember what it said."""
        code: CodeType = super().source_to_code(data, path)
        package = self.name if self.is_package(self.name) else self.name.rpartition(".")[0]
        text = _Text(path, bytes(data), package)
        _read[self.name] = replace(text, missed=text.nowhere())
        return code


class _Finder(MetaPathFinder):
    """Finds what is not installed, in the order in which Python would."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is, if it is a trader's own."""
        if path is not None and not any(map(is_theirs, path)):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not is_theirs(spec.origin):
            return None
        return _from_source(spec)


_finder = _Finder()


def is_theirs(place: str) -> bool:
    """Whether a file or folder is neither installed nor Python's or this program's."""
    full = os.path.abspath(place)
    if not _INSTALLED.isdisjoint(Path(full).parts):
        return False
    return not os.path.join(os.path.realpath(full), "").startswith(_NOT_THEIRS)


def import_from_source() -> None:
    """Have modules that are not installed compiled from their text from now on."""
    if _finder not in sys.meta_path:
        places = [at for at, one in enumerate(sys.meta_path) if one is PathFinder]
        sys.meta_path.insert(places[0] if places else len(sys.meta_path), _finder)


def spec_of_file(name: str, file: Path) -> ModuleSpec | None:
    """How a file is imported under a name; None where it holds no Python."""
    spec = spec_from_file_location(name, file)
    return None if spec is None else _from_source(spec)


def _from_source(spec: ModuleSpec) -> ModuleSpec | None:
    """The same, compiled from its text; None where that is not what it is made of."""
    if type(spec.loader) is not SourceFileLoader:
        return None
    spec.loader = _FromSource(spec.loader.name, spec.loader.path)
    spec.cached = None
    return spec


def forget_edited() -> None:
    """Have what was edited, and whatever imports it, imported anew when next asked for."""
    if _read:
        importlib.invalidate_caches()  # A file may have come within the second of the last look.
    _forget({name for name, text in _read.items() if text.edited})


def was_edited(kind: type) -> bool:
    """Whether the file of a class says something else by now than what was imported.

    Of a module that was not compiled here, as far as the functions of the class tell.
    """
    text = _read.get(kind.__module__)
    if text is not None:
        return text.edited
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    if not file or not is_theirs(file):
        return False
    try:
        top = compile(Path(file).read_bytes(), file, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return True
    now = {code.co_qualname: code for code in _codes_in(top)}
    functions = (getattr(one, "__func__", one) for one in vars(kind).values())
    codes = [one.__code__ for one in functions if hasattr(one, "__code__")]
    return any(_differs(code, now.get(code.co_qualname)) for code in codes)


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes_in(one)


def _differs(one: CodeType, other: CodeType | None) -> bool:
    """Whether two functions do another thing, wherever in their files they stand."""
    return other is None or _does(one) != _does(other)


def _does(code: CodeType) -> tuple[object, ...]:
    consts = [_does(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, consts


def forget_namesakes(folder: str) -> None:
    """Forget modules of other folders that have the names of those in this one."""
    inside = os.path.join(os.path.realpath(folder), "")

    def is_another(name: str, text: _Text) -> bool:
        return not os.path.realpath(text.file).startswith(inside) and holds(folder, name)

    _forget({name for name, text in _read.items() if is_another(name, text)})


def holds(folder: str, name: str) -> bool:
    """Whether a module, or the package that it is in, is in a folder."""
    place = Path(folder, name.partition(".")[0])
    return place.with_name(f"{place.name}.py").is_file() or any(place.glob("*.py"))


def _forget(names: set[str]) -> None:
    """Forget these modules, and those that import them, however far away."""
    if not names:
        return
    while more := {
        name
        for name in _read.keys() - names
        if any(_means(one, names) for one in _read[name].imports)
    }:
        names = names | more
    # Folders without an `__init__.py`, and what is not made of text, go with what is beside them.
    tops = {name.partition(".")[0] for name in names}
    for name in [one for one in sys.modules if one.partition(".")[0] in tops]:
        del sys.modules[name]
    for name in [one for one in _read if one.partition(".")[0] in tops]:
        # Where the translator and tracebacks have the text from.
        linecache.cache.pop(_read.pop(name).file, None)


def _means(asked: str, names: set[str]) -> bool:
    """Whether importing a name imports one of these: itself, or a package that it is in."""
    return any(
        asked == name or asked.startswith(f"{name}.") or name.startswith(f"{asked}.")
        for name in names
    )
