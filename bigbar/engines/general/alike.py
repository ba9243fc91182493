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
    _fitting: dict[str | None, NDArray[np.bool_]] = field(default_factory=dict)

    def are_of(self, kind: str | None) -> NDArray[np.bool_]:
        """Which of the values are of a kind."""
        if kind not in self._fitting:
            found = [one == kind and one is not None for one in self.kinds]
            self._fitting[kind] = np.array(found, np.bool_)
        return self._fitting[kind]


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
        self.begin(0, len(space))
        self._numbers: dict[str, _Numbers] = {}

    def begin(self, start: int, stop: int) -> None:
        """It will be asked about these combinations, from the first to the one before the last.

        Other points may stand there by now than when it was last asked about them.
        """
        self._range = start, stop
        self._slice: _Slice | None = None

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
        here = self._slice = self._slice or self._read()
        first = number - here.start
        until = min(self._end(here, first, start.own), first + MOST, stop - here.start)
        found = {}
        for name in own:
            numbers, places = self._of(name), here.places[name][first:until]
            kind = program.reads.get(name, numbers.kinds[places[0]])
            fitting = numbers.are_of(kind)[places]
            if not fitting.all():
                until = first + int(np.argmin(fitting))
            found[name] = numbers.values
        if until - first < 2:
            return {}
        return {name: values[here.places[name][first:until]] for name, values in found.items()}

    def _read(self) -> _Slice:
        places = self._space.places_from(*self._range)
        names = [parameter.name for parameter in self._space.parameters]
        return _Slice(*self._range, dict(zip(names, places, strict=True)))

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
            found = [self._number(one) for one in given]
            values = np.array([value for value, _ in found])
            self._numbers[name] = _Numbers(values, [kind for _, kind in found])
        return self._numbers[name]

    def _number(self, value: object) -> tuple[float, str | None]:
        kind = kind_of(value)
        if isinstance(value, str):
            return float(self._symbols.number(value)), kind
        return (float(value), kind) if is_number(kind) else (np.nan, None)  # type: ignore[arg-type]
