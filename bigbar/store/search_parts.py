"""A search as JSON holds it: two that read alike ask for the same points."""

from __future__ import annotations

import hashlib
import importlib.metadata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bigbar.store.strategy_code import function_code

if TYPE_CHECKING:  # Whoever only reads an identity does not wait for pandas.
    from bigbar.choice import Choice
    from bigbar.search.find import Asking

#: Packages that take part in choosing points, whichever the method.
_PACKAGES = ("cmaes", "joblib", "numpy", "optuna", "sambo", "scikit-learn", "scipy", "torch")

_HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class SearchParts:
    """How the points of a run are chosen, exactly.

    Attributes
    ----------
    parts : dict
        As JSON holds it.
    problem : str or None
        Why no other search is known to be the same, for a person; None where one can be.
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
    problems: list[str] = []

    def of_code(function: Any) -> dict[str, str]:
        code = function_code(function)
        problems.extend([] if code.problem is None else [code.problem])
        return code.parts

    objectives = choice.objectives[: asking.seen(len(choice.objectives))]
    parts = {
        "method": asking.method,
        "max_tries": asking.tries,
        "seed": asking.seed,
        "maximize": [each.name for each in objectives],
        "better": [each.statistic.better.name for each in objectives],
        "functions": [
            None if each.function is None else of_code(each.function.function)
            for each in objectives
        ],
        "min_trades": choice.min_trades,
        "constraints": [
            getattr(constraint, "text", None) or of_code(constraint)
            for constraint in asking.constraints
        ],
        "sources": _sources_sha256(),
        "packages": _versions(),
    }
    return SearchParts(parts, "; ".join(problems) or None)


def _sources_sha256() -> str:
    digest = hashlib.sha256()
    for file in sorted((_HERE / "search").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
