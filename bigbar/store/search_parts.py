"""A search, and what is kept of a grid, as JSON holds it: two that read alike come to the same."""

from __future__ import annotations

import hashlib
import importlib.metadata
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bigbar.store.strategy_code import function_code

if TYPE_CHECKING:  # Whoever only reads an identity does not wait for pandas.
    from bigbar.choice import Choice
    from bigbar.keeping.rule import Rule
    from bigbar.search.find import Asking

#: Packages that take part in choosing points, whichever the method.
_PACKAGES = ("cmaes", "joblib", "numpy", "optuna", "sambo", "scikit-learn", "scipy", "torch")

_HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class SearchParts:
    """How the points of a run are chosen, or which of its rows are kept, exactly.

    Attributes
    ----------
    parts : dict
        As JSON holds it.
    problem : str or None
        Why no other is known to be the same, for a person; None where one can be.
    """

    parts: dict[str, Any]
    problem: str | None = None


def search_parts(asking: Asking, choice: Choice) -> SearchParts:
    """A search, with all that decides which points it asks for.

    Parameters
    ----------
    asking : Asking
    choice : Choice
        Whose scores it is told.
    """
    codes = _Codes()
    objectives = choice.objectives[: asking.seen(len(choice.objectives))]
    parts = {
        "method": asking.method,
        "max_tries": asking.tries,
        "seed": asking.seed,
        **_choice_parts(replace(choice, objectives=objectives), codes),
        "constraints": [
            getattr(constraint, "text", None) or codes.of(constraint)
            for constraint in asking.constraints
        ],
        "sources": _sources_sha256("search"),
        "packages": _versions(),
    }
    return SearchParts(parts, codes.problem)


def keep_parts(rule: Rule) -> SearchParts:
    """What is kept of a grid, with all that decides which rows these are."""
    codes = _Codes()
    parts = {
        "top": rule.top,
        "sample": rule.sample,
        "seed": rule.seed,
        "combinations": rule.total,
        **_choice_parts(rule.choice, codes),
        "sources": _sources_sha256("keeping"),
    }
    return SearchParts(parts, codes.problem)


class _Codes:
    """Functions by their code, and why one cannot be followed."""

    def __init__(self) -> None:
        self._problems: list[str] = []

    def of(self, function: Any) -> dict[str, str]:
        """Its code."""
        code = function_code(function)
        self._problems.extend([] if code.problem is None else [code.problem])
        return code.parts

    @property
    def problem(self) -> str | None:
        """Of all functions so far."""
        return "; ".join(self._problems) or None


def _choice_parts(choice: Choice, codes: _Codes) -> dict[str, Any]:
    return {
        "maximize": [each.name for each in choice.objectives],
        "better": [each.statistic.better.name for each in choice.objectives],
        "functions": [
            None if each.function is None else codes.of(each.function.function)
            for each in choice.objectives
        ],
        "min_trades": choice.min_trades,
    }


def _sources_sha256(folder: str) -> str:
    digest = hashlib.sha256()
    for file in sorted((_HERE / folder).glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
