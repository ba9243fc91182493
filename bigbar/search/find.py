"""The methods by name, and what of a space one of them tries."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bigbar.errors import SettingsError
from bigbar.given import text, whole
from bigbar.search.contract import Ground, Searcher
from bigbar.search.random import draw
from bigbar.space import MOST_POINTS, Condition, Space

#: Searches, which choose each batch by what came of those before: where each is, "module:class",
#: imported when asked for.
SEARCHES = {
    "local": "bigbar.search.local:LocalSearch",
    "optuna:tpe": "bigbar.search.optuna:tpe",
    "optuna:gp": "bigbar.search.optuna:gp",
    "optuna:nsga2": "bigbar.search.optuna:nsga2",
    "optuna:cmaes": "bigbar.search.optuna:cmaes",
    "sambo": "bigbar.search.sambo:SamboSearch",
}

#: Searches that look at all objectives, where there are several; the others at the main one.
SEVERAL = frozenset({"optuna:nsga2"})

#: Packages that a search needs, and what is to be installed for them.
_NEEDED: dict[str, tuple[tuple[str, ...], str]] = {
    "optuna:tpe": (("optuna",), "'.[search]'"),
    "optuna:gp": (("optuna", "torch"), "'.[search]' torch"),
    "optuna:nsga2": (("optuna",), "'.[search]'"),
    "optuna:cmaes": (("optuna", "cmaes"), "'.[search]'"),
    "sambo": (("sambo", "joblib", "sklearn"), "'.[sambo]'"),
}

#: Every combination; some by chance, spread evenly; or a search.
METHODS = ("grid", "random", *SEARCHES)

#: What `max_tries` alone chooses.
DEFAULT_SEARCH = "local"


@dataclass(frozen=True)
class Whole:
    """A grid that was not asked for, and is made where it is run all the same.

    Attributes
    ----------
    combinations : int
        That it has at most.
    space : callable
        Makes it.
    """

    combinations: int
    space: Callable[[], Space] = field(compare=False)


@dataclass(frozen=True)
class Asking:
    """How the points of a run are chosen, where each depends on what came of those before.

    Attributes
    ----------
    method : str
    tries : int
        Different points at most.
    seed : int
    product : Space
        All combinations of the parameters.
    constraints : tuple of Condition
        That each point has to meet.
    """

    method: str
    tries: int
    seed: int
    product: Space
    constraints: tuple[Condition, ...] = field(default=(), compare=False)

    def seen(self, objectives: int) -> int:
        """At how many of so many objectives it looks."""
        return objectives if self.method in SEVERAL else 1

    def searcher(self, objectives: int = 1) -> Searcher:
        """The search, at its beginning, told of so many objectives that it looks at.

        Raises
        ------
        SettingsError
            If a package that it needs is not installed.
        """
        check_there(self.method)
        module, _, name = SEARCHES[self.method].partition(":")
        made: Callable[[Ground], Searcher] = getattr(importlib.import_module(module), name)
        return made(Ground(self.product, self.constraints, self.tries, self.seed, objectives))


@dataclass(frozen=True)
class Points:
    """What is tried of a space.

    Attributes
    ----------
    space : Space
        The points; where a search chooses them as many by chance, to reckon with.
    whole : Whole or None
        The grid that may be run in their place where that is quick.
    asking : Asking or None
        The search, where one chooses them.
    """

    space: Space
    whole: Whole | None = None
    asking: Asking | None = None


@dataclass(frozen=True)
class Search:
    """How combinations are chosen to be tried.

    Attributes
    ----------
    method : str or None
        One of `METHODS`; None where none was named.
    max_tries : int or None
        Combinations at most.
    seed : int
        Of what is left to chance.

    Raises
    ------
    SettingsError
        If they make no sense together, or a package that the method needs is not installed.
    """

    method: str | None = None
    max_tries: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method is not None and text("--method", self.method) not in METHODS:
            raise SettingsError(
                f"--method is {self.method!r}; it can be {', '.join(METHODS[:-1])} or {METHODS[-1]}"
            )
        if self.max_tries is not None:
            tries = whole("--max-tries", self.max_tries, least=1, most=MOST_POINTS)
            object.__setattr__(self, "max_tries", tries)
        if self.method == "grid" and self.max_tries is not None:
            raise SettingsError(
                "--method grid tries every combination, so there is nothing for --max-tries to "
                "say; leave one of them out"
            )
        if self.method not in (None, "grid") and self.max_tries is None:
            raise SettingsError(
                f"--method {self.method} needs --max-tries N: how many combinations to try"
            )
        if self.method in SEARCHES:
            check_there(self.method)

    def points(
        self, product: Space, constraints: Sequence[Condition], everything: Callable[[], Space]
    ) -> Points:
        """The points to try, and the grid that may be run in their place where that is quick.

        Parameters
        ----------
        product : Space
            All combinations of the parameters, of any number.
        constraints : sequence of Condition
        everything : callable
            Gives those of them that meet the constraints.

        Raises
        ------
        SettingsError
            If there is none, or too many to hold.
        """
        if self.max_tries is None or self.max_tries >= product.count:
            return Points(everything())
        drawn = draw(product, self.max_tries, constraints=constraints, seed=self.seed)
        if not drawn.is_sample:  # No more of them meet the constraints.
            return Points(drawn)
        whole = Whole(product.count, everything) if self.method is None else None
        method = self.method or DEFAULT_SEARCH
        if method not in SEARCHES:
            return Points(drawn, whole)
        asking = Asking(method, len(drawn), self.seed, product, tuple(constraints))
        return Points(drawn, whole, asking)


def check_there(method: str) -> None:
    """Refuse a search whose packages are not installed, saying what installs them.

    Raises
    ------
    SettingsError
    """
    packages, wanted = _NEEDED.get(method, ((), ""))
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"--method {method} needs {' and '.join(missing)}, which is not installed: pip install "
            f"{wanted}"
        )
