"""Combinations of a space that follow each other, as places among the values, and as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.translate.kinds import Symbols, is_number, kind_of
from bigbar.compiled.translate.program import Program
from bigbar.space import Space


@dataclass(frozen=True)
class _Numbers:
    """A parameter's values as a program reads them.

    Attributes
    ----------
    values : ndarray of float
        NaN for what is no number.
    kinds : list of str or None
        See `bigbar.compiled.translate.kinds.kind_of`; None for what is neither number nor text.
    """

    values: NDArray[np.float64]
    kinds: list[str | None]
    _fitting: dict[str | None, NDArray[np.bool_]] = field(default_factory=dict)

    def are_of(self, kind: str | None) -> NDArray[np.bool_]:
        """Which of the values are of a kind."""
        if kind not in self._fitting:
            found = [one == kind and one is not None for one in self.kinds]
            self._fitting[kind] = np.array(found, np.bool_)
        return self._fitting[kind]


@dataclass
class Slice:
    """Combinations of a space, one after the other.

    Attributes
    ----------
    start, stop : int
    places : dict of str to ndarray of int
        Which of its values each parameter has.
    ends : dict of frozenset of str to ndarray of int
        Where parameters other than these change, by their names: places within the slice.
    """

    start: int
    stop: int
    places: dict[str, NDArray[np.int64]]
    ends: dict[frozenset[str], NDArray[np.int64]] = field(default_factory=dict)


class Points:
    """Reads them.

    Parameters
    ----------
    space : Space
    symbols : Symbols
        Numbers for values that are text.
    """

    def __init__(self, space: Space, symbols: Symbols) -> None:
        self._space, self._symbols = space, symbols
        self._numbers: dict[str, _Numbers] = {}
        self.names = frozenset(parameter.name for parameter in space.parameters)
        self.begin(0, len(space))

    def begin(self, start: int, stop: int) -> None:
        """These will be asked about, from the first to the one before the last.

        Other points may stand there by now than when they were last asked about.
        """
        self._range = start, stop
        self._slice: Slice | None = None

    @property
    def here(self) -> Slice:
        """What will be asked about."""
        if self._slice is None:
            places = self._space.places_from(*self._range)
            names = [parameter.name for parameter in self._space.parameters]
            self._slice = Slice(*self._range, dict(zip(names, places, strict=True)))
        return self._slice

    def numbers(
        self, names: Iterable[str], program: Program, first: int, stop: int
    ) -> tuple[dict[str, NDArray[np.float64]], int]:
        """Values of parameters as a program reads them, of combinations that it is for.

        Parameters
        ----------
        names : iterable of str
        program : Program
            Of the first.
        first, stop : int
            Places within the slice.

        Returns
        -------
        dict of str to ndarray of float
            By the parameters' names, of all combinations up to the last it is for.
        int
            The place after that.
        """
        found = {}
        for name in names:
            numbers, places = self._of(name), self.here.places[name][first:stop]
            kind = program.reads.get(name, numbers.kinds[places[0]])
            fitting = numbers.are_of(kind)[places]
            if not fitting.all():
                stop = first + int(np.argmin(fitting))
            found[name] = numbers.values
        return {
            name: all_[self.here.places[name][first:stop]] for name, all_ in found.items()
        }, stop

    def _of(self, name: str) -> _Numbers:
        if name not in self._numbers:
            given = next(one for one in self._space.parameters if one.name == name).values
            found = [self._number(one) for one in given]
            values = np.array([value for value, _ in found])
            self._numbers[name] = _Numbers(values, [kind for _, kind in found])
        return self._numbers[name]

    def _number(self, value: object) -> tuple[float, str | None]:
        kind = kind_of(value)
        if isinstance(value, str):
            return float(self._symbols.number(value)), kind
        return (float(value), kind) if is_number(kind) else (np.nan, None)  # type: ignore[arg-type]
