"""What of a trader's own code decides the numbers: the class, and all that it is built on.

A stored row is reusable only if all of this is the same. What cannot be followed makes a strategy
that is never taken for another: its rows are computed anew.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any

from bigbar.store.code_objects import Reached, reached_from, value_text
from bigbar.store.modules import Modules, shown_name
from bigbar.store.outside import outside_paths

if TYPE_CHECKING:
    from bigbar.spec import StrategySpec

#: Name of the part that differs in every run whose code cannot be followed.
UNFOLLOWED = "not followed"


@dataclass(frozen=True)
class StrategyCode:
    """What of a strategy's code decides the numbers.

    Attributes
    ----------
    name : str
        Of the class; of one that comes along, the name that it goes by.
    parts : dict of str to str
        Digests: of each module of the project's that it is built on, by name, and of its
        attributes. One entry more, never the same twice, where the code cannot be followed.
    packages : dict of str to str
        Versions of the distributions it imports.
    problem : str or None
        Why its rows cannot be reused, for a person.
    sources : dict of str to (str, bytes)
        File and text of each module of the project's, by its name.
    """

    name: str
    parts: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    sources: dict[str, tuple[str, bytes]] = field(default_factory=dict, compare=False)


def strategy_code(spec: StrategySpec) -> StrategyCode:
    """Follow a strategy's code: its class and bases, and every module of the project's they import.

    Parameters
    ----------
    spec : StrategySpec
    """
    strategy, name = spec.strategy, strategy_name(spec)
    if _comes_along(strategy) and _comes_along(type(spec)):
        return StrategyCode(name)  # The program's own sources count by themselves.
    modules = Modules(own={base.__module__.partition(".")[0] for base in strategy.__mro__})
    parts: dict[str, str] = {}
    for kind in (*strategy.__mro__, *type(spec).__mro__):
        if kind is object or _comes_along(kind) or modules.is_installed(kind.__module__):
            modules.note_package(kind.__module__)
        elif not modules.follow(kind.__module__) or "<locals>" in kind.__qualname__:
            # A notebook's cell, a script, code that was made; what a function made closes over.
            _follow_objects(kind, kind.__qualname__, modules, parts)
        else:
            for method_name, method in _from_elsewhere(kind, modules):
                _follow_objects(method, f"{kind.__qualname__}.{method_name}", modules, parts)
    for attribute, value in _own_attributes(strategy, modules).items():
        _add_value(attribute, value, modules, parts)
    parts |= modules.digests
    problems = list(dict.fromkeys(modules.problems))
    if problems:
        parts[UNFOLLOWED] = secrets.token_hex(32)
    said = "; ".join(problems[:3]) or None
    return StrategyCode(name, parts, modules.packages, said, modules.sources)


def function_code(function: Callable[..., Any]) -> StrategyCode:
    """Follow a function's code and all that it uses; see `strategy_code`."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    modules, parts = Modules(), dict[str, str]()
    _follow_objects(function, name, modules, parts)
    parts |= modules.digests
    if modules.problems:
        parts[UNFOLLOWED] = secrets.token_hex(32)
    said = "; ".join(modules.problems[:3]) or None
    return StrategyCode(name, parts, modules.packages, said, modules.sources)


def strategy_name(spec: StrategySpec) -> str:
    """Name of a strategy's class, wherever it lies; of one that comes along, what it goes by."""
    strategy = spec.strategy
    if not _comes_along(strategy):
        return strategy.__qualname__
    return spec.path if _comes_along(type(spec)) else spec.title


def _comes_along(kind: type) -> bool:
    """Whether a class is the program's own."""
    return kind.__module__.partition(".")[0] == "bigbar"


def _from_elsewhere(kind: type, modules: Modules) -> Iterator[tuple[str, FunctionType]]:
    """Methods that were put into a class from no file that is followed."""
    for name, value in sorted(vars(kind).items()):
        function = getattr(value, "__func__", value)
        if isinstance(function, FunctionType):
            file = function.__code__.co_filename
            if file not in modules.files and not modules.is_installed(function.__module__ or ""):
                yield name, function


def _own_attributes(strategy: type, modules: Modules) -> dict[str, Any]:
    """Values of attributes, as they are now: whoever runs it may have set them."""
    return {
        name: value
        for base in reversed(strategy.__mro__)
        if base is not object and not modules.is_installed(base.__module__)
        for name, value in vars(base).items()
        if not name.startswith(("__", "_abc_"))
        and not callable(value)
        and not isinstance(value, property | classmethod | staticmethod)
        and not hasattr(value, "__get__")
    }


def _add_value(name: str, value: Any, modules: Modules, parts: dict[str, str]) -> None:
    try:
        text = value_text(value)
    except RecursionError:
        text = None
    if text is None:
        modules.problems.append(f"the value of {name} cannot be told apart from another")
    parts[f".{name}"] = hashlib.sha256(str(text).encode("utf-8", "backslashreplace")).hexdigest()


def _follow_objects(thing: Any, name: str, modules: Modules, parts: dict[str, str]) -> None:
    """What a class or function without a file to follow is compiled to, and what it uses."""
    home = getattr(thing, "__module__", "")

    def inside(module: str) -> bool:
        return module == home or not (
            modules.is_installed(module) or (module != "__main__" and modules.has_source(module))
        )

    found: Reached = reached_from(thing, inside=inside)
    parts[name] = found.sha256
    modules.problems += [
        f"the value of {each} in {shown_name(home)} cannot be told apart from another"
        for each in found.unknown
    ]
    for module in sorted(found.modules):
        if modules.is_installed(module):
            modules.note_package(module)
        elif not modules.follow(module) and module in sys.modules and module != home:
            modules.problems.append(f"the source of {shown_name(module)} cannot be had")
    for said in outside_paths(found.paths, found.names, modules.is_installed):
        modules.problems.append(f"{name} {said}")
