"""The methods by name, and what of a space one of them tries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bigbar.errors import SettingsError
from bigbar.given import text, whole
from bigbar.search.random import draw
from bigbar.space import MOST_POINTS, Condition, Space

#: Every combination; or some by chance, spread evenly: what `max_tries` alone chooses.
METHODS = ("grid", "random")


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
        If they make no sense together.
    """

    method: str | None = None
    max_tries: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method is not None and text("--method", self.method) not in METHODS:
            raise SettingsError(f"--method is {self.method!r}; it can be {' or '.join(METHODS)}")
        if self.max_tries is not None:
            tries = whole("--max-tries", self.max_tries, least=1, most=MOST_POINTS)
            object.__setattr__(self, "max_tries", tries)
        if self.method == "grid" and self.max_tries is not None:
            raise SettingsError(
                "--method grid tries every combination, so there is nothing for --max-tries to "
                "say; leave one of them out"
            )
        if self.method == "random" and self.max_tries is None:
            raise SettingsError("--method random needs --max-tries N: how many combinations to try")

    def points(
        self, product: Space, constraints: Sequence[Condition], everything: Callable[[], Space]
    ) -> tuple[Space, Whole | None]:
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
            return everything(), None
        drawn = draw(product, self.max_tries, constraints=constraints, seed=self.seed)
        return drawn, Whole(product.count, everything) if self.method is None else None
