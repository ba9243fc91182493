"""Neighbouring combinations that have their `init` in common: all else about them is numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.translate.kinds import Symbols, is_number, kind_of
from bigbar.compiled.translate.program import Program
from bigbar.engines.general.starts import Start
from bigbar.space import Space

#: Combinations that are run together at most.
MOST = 1024


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


@dataclass
class _Slice:
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


class Alike:
    """Finds them in a space.

    Parameters
    ----------
    space : Space
    symbols : Symbols
        Numbers for values that are text.
    """

    def __init__(self, space: Space, symbols: Symbols) -> None:
        self._space, self._symbols = space, symbols
        self.begin()
        self._numbers: dict[str, _Numbers] = {}

    def begin(self) -> None:
        """Other points may stand in the space by now than when it was last asked about."""
        self._slice = _Slice(0, 0, {})

    def after(
        self, number: int, stop: int, start: Start, program: Program
    ) -> dict[str, NDArray[np.float64]]:
        """What a combination and those right after it have of their own, as numbers.

        Parameters
        ----------
        number : int
        stop : int
            The combination after the last that may be among them.
        start : Start
            Of the first; the others have the same.
        program : Program
            Of the first; of the others as well.

        Returns
        -------
        dict of str to ndarray of float
            By the parameters' names; empty where only the first is known to be of this kind.
        """
        own = [name for name in start.own if name in program.reads or name in program.parameters]
        if not start.own or any(name in program.state or name in program.lists for name in own):
            return {}
        here = self._around(number, stop)
        first = number - here.start
        until = min(self._end(here, first, start.own), first + MOST, stop - here.start)
        found = {}
        for name in own:
            numbers, places = self._of(name), here.places[name][first:until]
            kind = program.reads.get(name, numbers.kinds[places[0]])
            fitting = np.array([one == kind and one is not None for one in numbers.kinds])
            if not fitting[places].all():
                until = first + int(np.argmin(fitting[places]))
            found[name] = numbers.values
        if until - first < 2:
            return {}
        return {name: values[here.places[name][first:until]] for name, values in found.items()}

    def _around(self, number: int, stop: int) -> _Slice:
        """The slice at hand, which is asked about from its beginning to its end."""
        here = self._slice
        if not (here.start <= number and stop == here.stop):
            places = self._space.places_from(number, stop)
            names = [parameter.name for parameter in self._space.parameters]
            here = self._slice = _Slice(number, stop, dict(zip(names, places, strict=True)))
        return here

    def _end(self, here: _Slice, first: int, own: frozenset[str]) -> int:
        ends = here.ends.get(own)
        if ends is None:
            changes = np.zeros(here.stop - here.start, np.bool_)
            changes[-1] = True
            for name, places in here.places.items():
                if name not in own:
                    changes[:-1] |= places[1:] != places[:-1]
            ends = here.ends[own] = np.flatnonzero(changes) + 1
        return int(ends[np.searchsorted(ends, first, side="right")])

    def _of(self, name: str) -> _Numbers:
        if name not in self._numbers:
            given = next(one for one in self._space.parameters if one.name == name).values
            found = [self._read(one) for one in given]
            values = np.array([value for value, _ in found])
            self._numbers[name] = _Numbers(values, [kind for _, kind in found])
        return self._numbers[name]

    def _read(self, value: object) -> tuple[float, str | None]:
        kind = kind_of(value)
        if isinstance(value, str):
            return float(self._symbols.number(value)), kind
        return (float(value), kind) if is_number(kind) else (np.nan, None)  # type: ignore[arg-type]
