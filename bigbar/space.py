"""The points that a strategy is tried at, by their numbers.

A space is finite, and a point of it is a number: chunks, rows and neighbours are integers, and
nothing is built that is not asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import SettingsError, SettingsValueError
from bigbar.parameter import Parameter, several

#: No more can be run: the table of a row a point would take 25 GB.
MOST_POINTS = 100_000_000

#: Up to here every number is exact as a float, which is what a browser and JSON have for it.
MOST_NUMBERED = 1 << 53

#: Points that a constraint is asked about at once: some megabytes of columns.
_BLOCK = 1 << 17

#: What a constraint is asked: a point's parameters by attribute and by name.
Condition = Callable[[Any], Any]


class _Point(dict[str, Any]):
    """A point's parameters, by name and by attribute."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise _NoParameter(name) from None


class _NoParameter(AttributeError, KeyError):
    """What is not a parameter of a point: a KeyError to `backtesting.py`, whose points are that."""


class Space:
    """Points: the product of some parameters, the first varying slowest, or a part of it.

    Parameters
    ----------
    parameters : sequence of Parameter
        Different names.
    kept : ndarray of int64, optional
        Numbers in the product of those points that belong to the space, each once: ascending, or
        in the order in which a search asked for them. All of them by default. A point's own number
        is its place among them.
    is_sample : bool, optional
        Whether chance or a search left out what is not kept, so that nothing is known of what
        stands around a point. It makes no other space.
    tried : int, optional
        Points that were tried, of which these were kept; all of them by default.

    Raises
    ------
    SettingsError
        If two parameters share a name.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        kept: NDArray[np.int64] | None = None,
        *,
        is_sample: bool = False,
        tried: int | None = None,
    ) -> None:
        self.parameters = tuple(parameters)
        if len(set(self.names)) < len(self.names):
            raise SettingsError(f"a parameter is named twice: {', '.join(self.names)}")
        self.kept = None if kept is None or _are_all(kept, self.product) else _frozen(kept)
        self.is_sample = is_sample and self.kept is not None
        self._tried = tried

    @classmethod
    def of(cls, **values: Any) -> Space:
        """A space from values: for each parameter one, or a sequence of them."""
        return cls([Parameter(name, several(given)) for name, given in values.items()])

    # -------------------------------------------------------------------------------- as a value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        shown = ", ".join(f"{each.name}: {each}" for each in self.parameters)
        return f"<Space of {self.count:,} points: {shown}>"

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        # Beside each value its type: 1, 1.0 and True are equal, and are not the same setting.
        values = tuple((p.name, tuple((type(v).__name__, v) for v in p.values))
                       for p in self.parameters)  # fmt: skip
        return values, None if self.kept is None else self.kept.tobytes()

    # ------------------------------------------------------------------------------------ points

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter."""
        return tuple(len(parameter) for parameter in self.parameters)

    @property
    def product(self) -> int:
        """Points of the whole product, those left out included."""
        return math.prod(self.shape)

    @property
    def count(self) -> int:
        """Points of the space: also of one that is too large for `len`."""
        return self.product if self.kept is None else len(self.kept)

    @property
    def tried(self) -> int:
        """Points that were tried, of which those of the space may be a part."""
        return self.count if self._tried is None else self._tried

    @property
    def size_text(self) -> str:
        """`91 × 31 = 2,821`: the whole product, as a person reads it."""
        return f"{' × '.join(map(str, self.shape))} = {self.product:,}"

    def check_size(self) -> None:
        """Refuse more points than can be held, a row each.

        Raises
        ------
        SettingsError
        """
        if self.count > MOST_POINTS:
            raise SettingsError(
                f"the grid has {self.size_text} combinations, more than {MOST_POINTS:,}; give a "
                "parameter fewer values or a larger step, try some of them with --max-tries, or "
                "keep the best of them (--keep top:1000)"
            )

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole product."""
        return self.kept is None

    @property
    def varying(self) -> tuple[Parameter, ...]:
        """The parameters that take more than one value."""
        return tuple(parameter for parameter in self.parameters if len(parameter) > 1)

    @property
    def per_slowest(self) -> int:
        """Points that share a value of the slowest parameter, on average: what they cost comes
        again with the next."""
        return max(1, len(self) // len(self.parameters[0])) if self.parameters else 1

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, Any]:
        """A point's parameters by name, the values as they were given."""
        return _Point(
            {
                parameter.name: parameter.values[place]
                for parameter, place in zip(self.parameters, self.places(number), strict=True)
            }
        )

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[number] for number in range(len(self)))

    def places(self, number: int) -> tuple[int, ...]:
        """Which of its values each parameter has at a point."""
        if not 0 <= number < len(self):
            raise IndexError(f"combination {number} of a grid of {len(self)}")
        whole = number if self.kept is None else int(self.kept[number])
        places = []
        for length in reversed(self.shape):
            whole, place = divmod(whole, length)
            places.append(place)
        return tuple(reversed(places))

    def in_product(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers that some of its points have in the whole product."""
        return numbers if self.kept is None else self.kept[numbers]

    def from_product(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Its own numbers of points of the whole product; -1 where it has none."""
        return _places_in(self.kept, numbers)

    def all_places(self) -> tuple[NDArray[np.int64], ...]:
        """The same of all points, an array a parameter."""
        self.check_size()
        return self.places_from(0, len(self))

    def places_from(self, start: int, stop: int) -> tuple[NDArray[np.int64], ...]:
        """The same of the points from one number to the one before another."""
        whole = np.arange(start, stop) if self.kept is None else self.kept[start:stop]
        return _unravelled(whole, self.shape)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The values at every point, a typed column a parameter."""
        return {
            parameter.name: parameter.array[place]
            for parameter, place in zip(self.parameters, self.all_places(), strict=True)
        }

    def on_product(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """A value a point, laid out on the whole product; NaN where a point was left out.

        Returns
        -------
        ndarray of float, shape of the space
        """
        if self.kept is None:
            return values.reshape(self.shape)
        whole = np.full(self.product, np.nan)
        whole[self.kept] = values
        return whole.reshape(self.shape)

    def of_product(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `on_product` laid out, a value a point again."""
        flat = values.reshape(-1)
        return flat if self.kept is None else flat[self.kept]

    # ------------------------------------------------------------------------------------- parts

    def where(self, constraint: Condition) -> Space:
        """The points that a constraint admits.

        Parameters
        ----------
        constraint : callable
            Gets a point's parameters, by attribute and by name. One that has `of_columns` is
            asked about many points at once instead.

        Raises
        ------
        SettingsError
            If it admits none.
        """
        if self.count > MOST_POINTS:
            raise SettingsError(
                f"the constraint has to be asked about {self.size_text} combinations, "
                f"more than {MOST_POINTS:,}; give a parameter fewer values or a larger step, or "
                "try some of them with --max-tries"
            )
        whole = self._numbers()
        admitted = self.admitted(constraint, whole)
        if not admitted.any():
            raise SettingsValueError("No admissible parameter combinations to test")
        return Space(self.parameters, whole[admitted], is_sample=self.is_sample)

    def admitted(self, constraint: Condition, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a constraint admits each of some points, by their numbers in the product."""
        many = getattr(constraint, "of_columns", None)
        admitted = np.zeros(len(numbers), np.bool_)
        for start in range(0, len(numbers), _BLOCK):
            part = numbers[start : start + _BLOCK]
            places = _unravelled(part, self.shape)
            if many is not None:
                columns = {
                    p.name: p.array[place] for p, place in zip(self.parameters, places, strict=True)
                }
                admitted[start : start + len(part)] = many(columns)
                continue
            for row in range(len(part)):
                point = _Point(
                    {
                        p.name: p.values[place[row]]
                        for p, place in zip(self.parameters, places, strict=True)
                    }
                )
                admitted[start + row] = bool(constraint(point))
        return admitted

    def only(self, numbers: NDArray[np.bool_] | NDArray[np.int64]) -> Space:
        """Some of the points, in the same order."""
        places = np.flatnonzero(numbers) if numbers.dtype == np.bool_ else numbers
        kept = self.in_product(np.asarray(places, np.int64))
        return Space(self.parameters, kept, is_sample=self.is_sample)

    def _numbers(self) -> NDArray[np.int64]:
        """Of all its points, in the product."""
        self.check_size()
        return np.arange(self.product) if self.kept is None else self.kept

    def shared_with(self, other: Space) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Points that two spaces have in common: the same parameters, values and types.

        Returns
        -------
        numbers, numbers_in_other : ndarray of int64, shape (shared,)
            In this space's order.
        """
        nothing = np.empty(0, np.int64)
        if set(self.names) != set(other.names):
            return nothing, nothing
        if not self.names:
            return np.zeros(1, np.int64), np.zeros(1, np.int64)
        theirs = {parameter.name: parameter for parameter in other.parameters}
        pairs = [_shared_values(mine, theirs[mine.name]) for mine in self.parameters]
        if not all(len(ours) for ours, _ in pairs):
            return nothing, nothing
        if self.kept is not None and self.count <= other.count:
            return _shared_of(self, other)
        if other.kept is not None:
            there, here = _shared_of(other, self)
            order = np.argsort(here)
            return here[order], there[order]
        axes = [self.names.index(name) for name in other.names]
        ours = _product_numbers([mine for mine, _ in pairs], self.shape)
        grids = np.meshgrid(*(its for _, its in pairs), indexing="ij")
        whole = np.ravel_multi_index(tuple(grids[place].ravel() for place in axes), other.shape)
        here, there = _places_in(self.kept, ours), _places_in(other.kept, np.asarray(whole))
        both = np.flatnonzero((here >= 0) & (there >= 0))
        both = both[np.argsort(here[both], kind="stable")]
        return here[both], there[both]

    def count_shared(self, other: Space) -> int:
        """How many points another space has as well."""
        if self.kept is None and other.kept is None and set(self.names) == set(other.names):
            theirs = {parameter.name: parameter for parameter in other.parameters}
            return math.prod(
                len(_shared_values(mine, theirs[mine.name])[0]) for mine in self.parameters
            )
        return len(self.shared_with(other)[0])


def _unravelled(
    numbers: NDArray[np.int64], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], ...]:
    if not shape:  # The one point without a parameter.
        return ()
    return tuple(np.asarray(found) for found in np.unravel_index(numbers, shape))


def _are_all(kept: NDArray[np.int64], product: int) -> bool:
    """Whether different numbers of a product are all of them, in its order."""
    return len(kept) == product and bool((np.diff(kept) > 0).all())


def _frozen(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    view = np.ascontiguousarray(numbers, np.int64).view()
    view.flags.writeable = False
    return view


def _shared_values(mine: Parameter, its: Parameter) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    places = {(type(value), value): place for place, value in enumerate(its.values)}
    found = [
        (here, there)
        for here, value in enumerate(mine.values)
        if (there := places.get((type(value), value))) is not None
    ]
    ours, theirs = zip(*found, strict=True) if found else ((), ())
    return np.array(ours, np.int64), np.array(theirs, np.int64)


def _shared_of(few: Space, many: Space) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What two spaces share, found by the points of one: nothing is as large as a product."""
    theirs = {p.name: place for p, place in zip(few.parameters, few.all_places(), strict=True)}
    numbers, is_there = np.zeros(len(few), np.int64), np.ones(len(few), np.bool_)
    for parameter in many.parameters:
        mine = next(one for one in few.parameters if one.name == parameter.name)
        from_place = np.full(len(mine), -1)
        ours, its = _shared_values(mine, parameter)
        from_place[ours] = its
        place = from_place[theirs[parameter.name]]
        is_there &= place >= 0
        numbers = numbers * len(parameter) + place
    here = np.flatnonzero(is_there)
    there = _places_in(many.kept, numbers[here])
    return here[there >= 0], there[there >= 0]


def _product_numbers(
    places: Sequence[NDArray[np.int64]], shape: tuple[int, ...]
) -> NDArray[np.int64]:
    return np.asarray(np.ravel_multi_index(np.ix_(*places), shape)).ravel()


def _places_in(kept: NDArray[np.int64] | None, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where numbers of the product stand among those kept; -1 where they do not."""
    if kept is None:
        return numbers
    if not len(kept):
        return np.full(np.shape(numbers), -1)
    order = np.argsort(kept, kind="stable")  # Of ascending ones it takes next to no time.
    at = order[np.minimum(np.searchsorted(kept, numbers, sorter=order), len(kept) - 1)]
    return np.where(kept[at] == numbers, at, -1)
