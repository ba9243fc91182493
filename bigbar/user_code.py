"""A trader's own class: found by its path, imported, and told about where it cannot be."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bigbar.causes import cause_in
from bigbar.errors import SettingsError
from bigbar.from_source import (
    forget_edited,
    forget_namesakes,
    holds,
    import_from_source,
    spec_of_file,
    was_edited,
)
from bigbar.without_charts import import_backtesting
from bigbar.working_folder import remembering_its

if TYPE_CHECKING:
    from backtesting import Strategy


def load_class(path: str) -> type[Strategy]:
    """The class of a path.

    Parameters
    ----------
    path : str
        `file.py:Class` or `package.module:Class`; the class may be left out where there is one.

    Returns
    -------
    type
        A subclass of `backtesting.Strategy`.

    Raises
    ------
    SettingsError
        If there is no such file, module or class, it cannot be imported (with file and line), or
        the class is no strategy.
    """
    import_backtesting()
    import_from_source()
    forget_edited()
    where, name = split_path(path)
    module = _from_file(Path(where)) if is_file(where) else _from_package(where)
    return _class_of(module, where, name)


def split_path(path: str) -> tuple[str, str]:
    """File or module, and class, of a path; the class is empty where it is not named.

    A drive's colon (`C:\\my.py:Mine`) parts nothing.
    """
    head, colon, name = path.rpartition(":")
    if colon and (name.isidentifier() or "." in name) and not name.endswith(".py") and head:
        return head, name
    return path, ""


def is_file(where: str) -> bool:
    """Whether it names a file, not a module."""
    return where.endswith(".py") or os.sep in where or "/" in where


def importable_path(strategy: type) -> str | None:
    """The path by which any process can import a class; None where there is none.

    Nor is there one where the file was edited since: a process that imports it now has another.
    """
    module = sys.modules.get(strategy.__module__)
    if module is None or strategy.__module__ == "__main__":
        return None
    found: Any = module
    for part in strategy.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not strategy or was_edited(strategy):
        return None
    file = getattr(module, "__file__", None)
    if strategy.__module__.startswith(_PREFIX) and file:
        return f"{file}:{strategy.__qualname__}"
    try:
        if importlib.util.find_spec(strategy.__module__) is None:
            return None
    except (ImportError, ValueError):
        return None
    return f"{strategy.__module__}:{strategy.__qualname__}"


#: Modules made of files are named so, with a digest of the file's place.
_PREFIX = "bigbar_strategy_"


def _from_file(file: Path) -> ModuleType:
    if not file.is_file():
        what = "a folder" if file.is_dir() else "no such file"
        raise SettingsError(f"--strategy: {file} is {what}")
    file = file.resolve()
    name = f"{_PREFIX}{file.stem}_{hashlib.sha256(os.fsencode(file)).hexdigest()[:8]}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = spec_of_file(name, file)
    if spec is None or spec.loader is None:
        raise SettingsError(f"--strategy: {file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _first_on_path(str(file.parent)), remembering_its(name):
            spec.loader.exec_module(module)
    except BaseException as problem:
        sys.modules.pop(name, None)
        if isinstance(problem, Exception | SystemExit):
            advice = _as_part_of_a_package(file) if "relative import" in str(problem) else ""
            raise SettingsError(_import_problem(str(file), problem) + advice) from problem
        raise
    return module


@contextlib.contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    """As `python file.py` would: what is in the folder can be imported, before all else."""
    forget_namesakes(folder)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:  # For what is imported later, inside a function.
            sys.path.append(folder)


def _from_package(name: str) -> ModuleType:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)
    # Of another project, where one process works on several.
    first = _first_on_path(folder) if holds(folder, name) else contextlib.nullcontext()
    try:
        with first, remembering_its(name):
            return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        if problem.name and (name == problem.name or name.startswith(f"{problem.name}.")):
            raise SettingsError(
                f"--strategy: there is no module {name!r}; give file.py:Class, "
                "package.module:Class, or a name from 'bigbar strategies'"
            ) from None
        raise SettingsError(_import_problem(name, problem)) from problem
    except (Exception, SystemExit) as problem:
        raise SettingsError(_import_problem(name, problem)) from problem


def _as_part_of_a_package(file: Path) -> str:
    """What to write for a module that imports its neighbours by dots."""
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    if len(parts) == 1:
        return "; a file on its own imports its neighbours without dots"
    return f"; it is part of a package: in {folder}, name it {'.'.join(parts)}:Class"


def _import_problem(where: str, problem: BaseException) -> str:
    """Why a module cannot be imported: its own line, and what Python says."""
    if isinstance(problem, SyntaxError):
        place = f"{problem.filename or where}:{problem.lineno or '?'}"
        line = f": {problem.text.strip()}" if problem.text else ""
        return f"{place}: {problem.msg}{line}"
    frames = [
        frame
        for frame in traceback.extract_tb(problem.__traceback__)
        if not frame.filename.startswith("<frozen") and Path(frame.filename) != Path(__file__)
    ]
    own = [frame for frame in frames if os.path.realpath(frame.filename) == where]
    at = (own or frames)[-1:]
    place = f"{at[0].filename}:{at[0].lineno}" if at else where
    line = f" ({at[0].line})" if at and at[0].line else ""
    return f"{place}: {cause_in(problem)}{line}"


def _class_of(module: ModuleType, where: str, name: str) -> type[Strategy]:
    from backtesting import Strategy

    own = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == module.__name__
    }
    if not name:
        if len(own) == 1:
            return next(iter(own.values()))
        raise SettingsError(
            f"--strategy: {where} holds "
            + (f"{len(own)} strategies ({', '.join(own)})" if own else "no strategy")
            + f"; name one: {where}:{next(iter(own), 'Class')}"
        )
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        near = difflib.get_close_matches(name, own, n=1, cutoff=0.5)
        there = f"did you mean {near[0]}?" if near else f"it holds {', '.join(own) or 'none'}"
        raise SettingsError(f"--strategy: {where} has no class {name!r}; {there}")
    return checked_class(found, f"{where}:{name}")


def checked_class(found: Any, where: str) -> type[Strategy]:
    """A class that can be run as a strategy.

    Raises
    ------
    SettingsError
        If it is none, saying what it is.
    """
    from backtesting import Strategy

    if not isinstance(found, type):
        kind = type(found).__name__
        article = "an" if kind[0].lower() in "aeiou" else "a"
        raise SettingsError(f"{where} is {article} {kind}, not a class")
    if not issubclass(found, Strategy):
        raise SettingsError(
            f"{where} is no strategy: it must be a subclass of backtesting.Strategy, and its bases "
            f"are {', '.join(base.__name__ for base in found.__bases__)}"
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise SettingsError(f"{where} does not define {' and '.join(f'{m}()' for m in missing)}")
    return found
