"""Combinations whose strategies are put together of known pieces: all about them is numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.translate.kinds import kind_of
from bigbar.compiled.translate.program import Program
from bigbar.compiled.translate.states import base_of, has_value, value_at
from bigbar.engines.general.batch import MOST, Batch
from bigbar.engines.general.composed import Composer, Made
from bigbar.engines.general.inputs import Inputs
from bigbar.engines.general.pieces import Piece
from bigbar.engines.general.points import Points
from bigbar.space import Space

#: Combinations of values that are told apart by a number.
_MOST_KEYS = 2**62


@dataclass(frozen=True)
class _Asked:
    """What a program reads of a piece.

    Attributes
    ----------
    rows : list of (int, str, int or None)
        Places among its rows, attributes, and which of their rows.
    numbers : list of (int, str)
        Places among its parameters, and attributes.
    kinds : dict of str to str
        What it takes attributes for.
    """

    piece: Piece
    rows: list[tuple[int, str, Any]]
    numbers: list[tuple[int, str]]
    kinds: dict[str, str]


@dataclass(frozen=True)
class _Found:
    """What it finds there, where a piece came to something.

    Attributes
    ----------
    made : Made
    generation : int
        See `bigbar.engines.general.rows.Rows.begin`.
    rows : list of int
        Numbers of rows.
    numbers : list of float
    """

    made: Made
    generation: int
    rows: list[int]
    numbers: list[float]


class PutTogether:
    """Finds combinations that need no step of Python.

    Parameters
    ----------
    space : Space
    points : Points
        Of this space.
    composer : Composer
    inputs : Inputs
    first_next : callable
        See `bigbar.engines.any_strategy.run.StrategyRunner.first_next`.
    """

    def __init__(
        self,
        space: Space,
        points: Points,
        composer: Composer,
        inputs: Inputs,
        first_next: Callable[[int], int],
    ) -> None:
        self._points, self._composer, self._inputs = points, composer, inputs
        self._first_next = first_next
        self._values = {parameter.name: parameter.values for parameter in space.parameters}
        self._asked: tuple[Program, tuple[Piece, ...], list[_Asked] | None] | None = None
        self._found: dict[tuple[int, int], _Found | None] = {}

    def after(
        self, number: int, stop: int, program: Program, places: NDArray[np.int64]
    ) -> Batch | None:
        """A combination and those right after it that are put together.

        Parameters
        ----------
        number : int
        stop : int
            The combination after the last that may be among them.
        program : Program
            Of the first.
        places : ndarray of int, shape (rows,)
            Numbers of the rows that the first reads.

        Returns
        -------
        Batch or None
            None where only the first is known to be of this kind.
        """
        asked = self._asked_by(program)
        if asked is None:
            return None
        here = self._points.here
        first = number - here.start
        until = first + min(MOST, stop - number, 1 + self._composer.unchecked)
        names = [name for name in program.parameters if name in self._values]
        names += [name for name in program.reads if name in self._values and name not in names]
        values, until = self._points.numbers(names, program, first, until)
        picked = []
        for place, one in enumerate(asked):
            found, which, until = self._pick(place, one, first, until)
            if until - first < 2:
                return None
            picked.append((one, found, which))
        count = until - first
        rows = np.repeat(places[np.newaxis], count, axis=0)
        warm_ups, first_bars = np.zeros(count, np.int64), np.zeros(count, np.int64)
        values = {name: all_[:count] for name, all_ in values.items()}
        for one, found, which in picked:
            which = which[:count]
            for column, (place, _, _) in enumerate(one.rows):
                rows[:, place] = np.array([each.rows[column] for each in found])[which]
            for column, (_, name) in enumerate(one.numbers):
                values[name] = np.array([each.numbers[column] for each in found])[which]
            many = np.array([(each.made.warm_up, each.made.first_bar) for each in found])[which]
            np.maximum(warm_ups, many[:, 0], out=warm_ups)
            np.maximum(first_bars, many[:, 1], out=first_bars)
        starts = np.array([self._first_next(one) for one in warm_ups.tolist()], np.int64)
        return Batch(values, rows, starts, first_bars)

    def _asked_by(self, program: Program) -> list[_Asked] | None:
        """What a program reads of each piece; None where it is more than rows and numbers."""
        pieces = self._composer.pieces
        known = self._asked
        if known is None or known[0] is not program or known[1] is not pieces:
            known = self._asked = program, pieces, self._read(program, pieces)
            self._found.clear()
        return known[2]

    def _read(self, program: Program, pieces: tuple[Piece, ...]) -> list[_Asked] | None:
        varying = {name for piece in pieces if piece.reads for name in piece.names}
        assigned = {name for piece in pieces for name in piece.names}
        kept = {base_of(name) for name in (*program.state, *program.lists)}
        if not pieces or program.hoisted or kept & (varying | self._points.names):
            return None
        if assigned & self._points.names:
            return None
        asked = []
        for piece in pieces:
            of_piece = set(piece.names) if piece.reads else set()
            rows = [
                (place, row.name, row.part)
                for place, row in enumerate(program.rows)
                if row.of == "attribute" and row.name in of_piece
            ]
            numbers = [
                (place, name)
                for place, name in enumerate(program.parameters)
                if base_of(name) in of_piece
            ]
            kinds = {
                name: kind for name, kind in program.reads.items() if base_of(name) in of_piece
            }
            asked.append(_Asked(piece, rows, numbers, kinds))
        return asked

    def _pick(
        self, place: int, asked: _Asked, first: int, until: int
    ) -> tuple[list[_Found], NDArray[np.intp], int]:
        """What a piece came to, each of them, and which of these a combination has."""
        keys = np.zeros(until - first, np.int64)
        size = 1
        for name in asked.piece.reads:
            count = len(self._values[name])
            size *= count
            keys = keys * count + self._points.here.places[name][first:until]
        if size > _MOST_KEYS:
            return [], np.zeros(0, np.intp), first
        different, which = np.unique(keys, return_inverse=True)
        found = [self._find(place, asked, key) for key in different.tolist()]
        known = [one for one in found if one is not None]
        if len(known) < len(found):
            is_known = np.array([one is not None for one in found])
            until = first + int(np.argmin(is_known[which]))
            which = (np.cumsum(is_known) - 1)[which[: until - first]]
        return known, which, until

    def _find(self, place: int, asked: _Asked, key: int) -> _Found | None:
        """What a piece came to, of the values that a key stands for; None where not known."""
        parameters, rest = {}, key
        for name in reversed(asked.piece.reads):
            rest, at = divmod(rest, len(self._values[name]))
            parameters[name] = self._values[name][at]
        made = self._composer.made(asked.piece, parameters)
        if made is None:
            return None
        known = self._found.get((place, key))
        if known is None or known.made is not made or known.generation != self._inputs.generation:
            known = self._found[place, key] = self._taken(asked, made)
        return known

    def _taken(self, asked: _Asked, made: Made) -> _Found | None:
        attributes = SimpleNamespace(**dict(zip(asked.piece.names, made.values, strict=True)))
        for name, kind in asked.kinds.items():
            if not has_value(attributes, name) or kind_of(value_at(attributes, name)) != kind:
                return None
        if self._inputs.is_full:
            return None
        rows = []
        for _, name, part in asked.rows:
            array = np.asarray(getattr(attributes, name))
            rows.append(self._inputs.place(array if part is None else array[part]))
        numbers = [self._inputs.number(value_at(attributes, name)) for _, name in asked.numbers]
        return _Found(made, self._inputs.generation, rows, numbers)
