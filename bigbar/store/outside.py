"""How code comes by what is not in the bars: files, networks, clocks, and chance."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Collection, Iterator

from bigbar.store.pure import (
    PATH_METHODS,
    PLAIN_PATH_METHODS,
    READERS,
    is_changing,
    is_known_package,
    is_pure,
)

#: Modules that are there for nothing else: whoever imports them does.
_READING_MODULES = frozenset(
    {
        "aiohttp", "ccxt", "ftplib", "http", "httpx", "pymongo", "redis", "requests", "socket",
        "sqlalchemy", "sqlite3", "subprocess", "urllib", "urllib3", "yfinance",
    }
)  # fmt: skip

#: Of a module `random`: they make a source of chance, which a seed makes the same each time.
_SOURCES_OF_CHANCE = ("default_rng", "RandomState", "Random", "Generator", "SeedSequence")

#: What they run stands in no source that could be followed.
_RUNNERS = ("exec", "eval", "compile")

_IMPORTERS = ("import_module", "__import__")


def outside_paths(
    paths: Collection[str], names: Collection[str], is_installed: Callable[[str], bool]
) -> Iterator[str]:
    """What code objects use that is not in the bars, in words.

    Parameters
    ----------
    paths : collection of str
        What they use of modules: `os.path.join`.
    names : collection of str
        Every name that they mention, those of methods among them.
    is_installed : callable
        Whether a module is Python's or a package's; others are followed by themselves.
    """
    seeded = any(path.endswith("random.seed") for path in paths)
    for path in sorted(paths):
        judged = _beyond(path, is_installed)
        said = judged and _said(judged, judged, seeded=seeded)
        if said:
            yield said
        if path in ("builtins.__import__", "importlib.import_module"):
            yield "imports what only a run will tell"
        elif path in ("numpy", "pandas") and "builtins.getattr" in paths:
            yield _reads(f"getattr({path}, ...)")
    methods = PLAIN_PATH_METHODS
    if any(path.startswith("pathlib") for path in paths):
        methods = PATH_METHODS
    for name in sorted(names):
        if name in READERS or name in _READING_MODULES or name in methods:
            yield _reads(name)


def outside_calls(tree: ast.AST, is_installed: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """Lines of a source that come by what is not in the bars, each with what they do.

    Parameters
    ----------
    tree : AST
        Of the source.
    is_installed : callable
        Whether a module is Python's or a package's; others are followed by themselves.
    """
    source = _Source(tree, is_installed)
    source.visit(tree)
    seen = set()
    for line, said in sorted(source.found):
        if said not in seen:
            seen.add(said)
            yield line, said


def _beyond(path: str, is_installed: Callable[[str], bool]) -> str | None:
    """The part of a path that is not the project's: `os.stat` of `helper.os.stat`."""
    top, *names = path.split(".")
    if is_installed(top):
        return path
    for place, name in enumerate(names):
        if name in sys.stdlib_module_names:
            return ".".join(names[place:])
    return None


def _said(path: str, shown: str, *, seeded: bool, bare_call: bool = False) -> str | None:
    """What the use of something of a module amounts to, in words; None where it is of no account.

    `bare_call`: whether it is called without arguments.
    """
    name = path.rpartition(".")[2]
    if path.startswith(("random.", "numpy.random.")):
        if name in _SOURCES_OF_CHANCE:
            by_chance = bare_call
        else:
            by_chance = not seeded and name not in ("seed", "random" * (path != "random.random"))
        return f"draws numbers by chance, without a seed ({shown})" if by_chance else None
    if is_changing(path):
        return f"asks for what changes ({shown})"
    if is_pure(path):
        return None
    if not is_known_package(path):
        top = path.partition(".")[0]
        return f"uses a package that may read what is not in the bars ({top})"
    if path.startswith("builtins.") and name in _RUNNERS:
        return f"runs code that only a run will tell ({shown})"
    return _reads(shown)


def _reads(shown: str) -> str:
    return f"reads what is not in the bars ({shown})"


class _Source(ast.NodeVisitor):
    """Goes through a source and notes what it uses of modules."""

    def __init__(self, tree: ast.AST, is_installed: Callable[[str], bool]) -> None:
        self.found: list[tuple[int, str]] = []
        self._is_installed = is_installed
        #: By the name that it has here, what was imported.
        self._imported: dict[str, str] = {}
        self._bound: set[str] = set()
        nodes = list(ast.walk(tree))
        for node in nodes:
            self._bind(node)
        self._seeded = any(
            isinstance(node, ast.Call) and _dotted(node.func)[-1:] == ["seed"] and node.args
            for node in nodes
        )
        self._knows_paths = any(one.startswith("pathlib") for one in self._imported.values())

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                self._imported[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self._imported[alias.asname or alias.name] = self._of_import(node, alias.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            self._bound.add(node.id)
        elif isinstance(node, ast.arg):
            self._bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._bound.add(node.name)

    def _of_import(self, node: ast.ImportFrom, name: str) -> str:
        return f"{'.' * bool(node.level)}{node.module or ''}.{name}"

    def _note(self, node: ast.expr | ast.stmt, said: str | None) -> None:
        if said is not None:
            self.found.append((node.lineno, said))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if _is_reading_module(alias.name):
                self._note(node, _reads(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if _is_reading_module(module):
            self._note(node, _reads(module))
        elif any(alias.name == "*" for alias in node.names) and not node.level:
            judged = _beyond(module, self._is_installed)
            if judged is not None and module != "pathlib":
                self._note(node, _said(judged, judged, seeded=self._seeded))

    def visit_Assign(self, node: ast.Assign) -> None:
        path = self._path(node.value)
        if path is not None and all(isinstance(one, ast.Name) for one in node.targets):
            for target in node.targets:  # `xp = np`
                assert isinstance(target, ast.Name)
                self._imported.setdefault(target.id, path)
            if path in sys.modules or path in sys.stdlib_module_names:
                return
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        bare = not (node.args or node.keywords)
        if isinstance(node.func, ast.Name | ast.Attribute):
            self._use(node.func, called=True, bare_call=bare)
        else:
            self.visit(node.func)
        given = node.args
        if _dotted(node.func) == ["getattr"] and len(given) > 1 and self._path(given[0]):
            self._of_getattr(node)
            given = given[1:]
        for one in given:
            self.visit(one)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def _of_getattr(self, node: ast.Call) -> None:
        path, name = self._path(node.args[0]), node.args[1]
        if isinstance(name, ast.Constant):
            full = f"{path}.{name.value!s}"
            self._judge(node, full, full)
        elif path in ("numpy", "pandas"):
            self._note(node, _reads(f"getattr({path}, ...)"))
        else:
            self._judge(node, str(path), str(path))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._use(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use(node)

    def _use(
        self, node: ast.Name | ast.Attribute, *, called: bool = False, bare_call: bool = False
    ) -> None:
        names, shown = _dotted(node), ".".join(_dotted(node))
        path = self._path(node)
        if "environ" in names:
            self._note(node, _reads("environ"))
        elif path is not None:
            self._judge(node, path, shown, bare_call=bare_call)
        elif (
            isinstance(node, ast.Name)
            and hasattr(builtins, node.id)
            and (called or node.id not in self._bound)
        ):
            self._judge(node, f"builtins.{node.id}", shown)
        if isinstance(node, ast.Attribute):
            self._method(node, names, shown, called=called)
        elif called and node.id in READERS:
            self._note(node, _reads(shown))
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name):
            self.visit(root)

    def _method(self, node: ast.Attribute, names: list[str], shown: str, *, called: bool) -> None:
        """What is known of something by the names of its attributes alone."""
        if called and names[-1] in READERS:
            self._note(node, _reads(shown))
        elif called and names[-2:-1] == ["random"] and self._path(node) is None:
            self._note(node, _said(f"random.{names[-1]}", shown, seeded=self._seeded))
        elif len(names) == 2 and names[0] in ("self", "cls"):
            return
        elif names[-1] in PATH_METHODS and (
            self._knows_paths or (called and names[-1] in PLAIN_PATH_METHODS)
        ):
            self._note(node, _reads(shown))

    def _judge(self, node: ast.expr, path: str, shown: str, *, bare_call: bool = False) -> None:
        judged = _beyond(path, self._is_installed)
        if judged is not None:
            self._note(node, _said(judged, shown, seeded=self._seeded, bare_call=bare_call))

    def _path(self, node: ast.expr) -> str | None:
        """What goes by a name, from its module on; None where that is not known."""
        if isinstance(node, ast.Attribute):
            base = self._path(node.value)
            return None if base is None else f"{base}.{node.attr}"
        if isinstance(node, ast.Name):
            if node.id in self._imported:
                return self._imported[node.id]
            # By `from helper import *`.
            unbound = node.id not in self._bound and not hasattr(builtins, node.id)
            return node.id if unbound and node.id in sys.stdlib_module_names else None
        if isinstance(node, ast.Call) and _dotted(node.func)[-1:] and node.args:
            first = node.args[0]
            if _dotted(node.func)[-1] in _IMPORTERS and isinstance(first, ast.Constant):
                return str(first.value)
        return None


def _is_reading_module(name: str) -> bool:
    return name.partition(".")[0] in _READING_MODULES and name != "urllib.parse"


def _dotted(node: ast.AST) -> list[str]:
    """`a.b.c` as its parts; what stands before a call or an index is left out."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*_dotted(node.value), node.attr]
    return []
