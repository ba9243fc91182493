"""The strategies there are: those that come along, those that packages bring, a trader's own.

A package brings one by an entry point of the group `bigbar.strategies`: a name, and a
`backtesting.Strategy` or a `StrategySpec`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bigbar.errors import SettingsError
from bigbar.spec import StrategySpec
from bigbar.user_code import is_file, load_class, split_path
from bigbar.without_charts import import_backtesting

#: Those that come along: a `StrategySpec` class, or a strategy.
BUILT_IN = {
    "big_bar": "bigbar.strategies.big_bar.description:BigBar",
    "sma_cross": "bigbar.strategies.sma_cross:SmaCross",
}

#: What runs where no strategy was named.
DEFAULT = "big_bar"

#: Entry points of packages.
GROUP = "bigbar.strategies"


@dataclass(frozen=True)
class Known:
    """A strategy that can be named.

    Attributes
    ----------
    name : str
    path : str
        "module:Class".
    brought_by : str
        The distribution; "bigbar" for those that come along.
    """

    name: str
    path: str
    brought_by: str

    def spec(self) -> StrategySpec:
        """Its description.

        Raises
        ------
        SettingsError
            If it cannot be imported, or is no strategy.
        """
        import_backtesting()
        module, _, attribute = self.path.partition(":")
        if self.brought_by != "bigbar":
            found = _attribute(self.name, module, attribute)
        else:
            found = getattr(importlib.import_module(module), attribute)
        if isinstance(found, StrategySpec):
            return found
        if isinstance(found, type) and issubclass(found, StrategySpec):
            return found(self.name) if self.brought_by == "bigbar" else found(self.path)
        return StrategySpec.of(found)


def _attribute(name: str, module: str, attribute: str) -> Any:
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as problem:
        raise SettingsError(
            f"the strategy {name!r} of {module} cannot be imported: {type(problem).__name__}: "
            f"{problem}"
        ) from problem


def known_strategies() -> dict[str, Known]:
    """By name; what comes along before what packages bring."""
    found = {name: Known(name, path, "bigbar") for name, path in BUILT_IN.items()}
    for entry in importlib.metadata.entry_points(group=GROUP):
        brought_by = entry.dist.name if entry.dist is not None else entry.module
        found.setdefault(entry.name, Known(entry.name, entry.value, brought_by))
    return found


def find_strategy(path: str) -> StrategySpec:
    """The strategy that a name or a path stands for.

    Parameters
    ----------
    path : str
        A name from `known_strategies`, `file.py:Class` or `package.module:Class`.

    Returns
    -------
    StrategySpec

    Raises
    ------
    SettingsError
        If there is none, with the nearest name, or it cannot be imported.
    """
    known = known_strategies()
    if path in known:
        return known[path].spec()
    where, name = split_path(path)
    if not name and not is_file(where) and "." not in where:
        near = difflib.get_close_matches(path, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        raise SettingsError(
            f"there is no strategy {path!r}; {hint} Or give file.py:Class or package.module:Class"
        )
    return StrategySpec.of(load_class(path))


def described(path: str, settings: Mapping[str, Any]) -> StrategySpec:
    """A strategy as a stored run names it.

    Raises
    ------
    SettingsError
        If it cannot be had any more.
    TypeError
        If it has no such settings: whose code it is, is none.
    """
    spec = find_strategy(path)
    unknown = set(settings) - set(spec.settings)
    if unknown:
        raise TypeError(f"{path} has no setting {', '.join(sorted(map(repr, unknown)))}")
    return replace(spec, **settings)
