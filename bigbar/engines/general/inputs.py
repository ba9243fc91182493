"""What a program reads: arrays, parameters and state of a strategy, each by its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from backtesting import Strategy
from numpy.typing import NDArray

from bigbar.compiled.translate.attributes import ticks_of
from bigbar.compiled.translate.builder import Row
from bigbar.compiled.translate.kinds import ROOM, Symbols
from bigbar.compiled.translate.program import Program
from bigbar.compiled.translate.states import has_value, value_at
from bigbar.engines.general.columns import Columns
from bigbar.engines.general.rows import Rows
from bigbar.engines.general.starts import Start


class Given(NamedTuple):
    """What a program reads of a combination.

    Attributes
    ----------
    places : ndarray of int
        Numbers of its rows.
    P : ndarray of float
        Its parameters; overwritten by the next combination's.
    S : ndarray of float
        Its first state; the caller's.
    """

    places: NDArray[np.int64]
    P: NDArray[np.float64]
    S: NDArray[np.float64]


@dataclass(frozen=True)
class _Kept:
    """What a program needs of a strategy: its rows, parameters and state, each by its number."""

    generation: int
    rows: NDArray[np.int64]
    P: NDArray[np.float64]
    S: NDArray[np.float64]
    #: Rows that depend on what a combination has of its own.
    varying: tuple[int, ...]


class Inputs:
    """Puts it where a program finds it.

    Parameters
    ----------
    index : Index
        Of the bars that take part.
    rows : Rows
        Where arrays are put.
    columns : Columns
    symbols : Symbols
        Numbers for values that are text.
    """

    def __init__(self, index: pd.Index, rows: Rows, columns: Columns, symbols: Symbols) -> None:
        self._index, self._rows = index, rows
        self._columns, self._symbols = columns, symbols

    def of(self, program: Program, start: Start, parameters: Mapping[str, Any]) -> Given:
        """What a program reads of a combination.

        Raises
        ------
        bigbar.compiled.translate.builder.NoColumn
            If an expression that Python evaluates is no column.
        """
        given: _Kept | None = start.more.get("given")
        if given is None or given.generation != self._rows.begin():
            given = start.more["given"] = self._made(program, start)
        for place in given.varying:
            given.rows[place] = self._rows.place(self._array(program.rows[place], start.strategy))
        P, S = given.P, given.S.copy()
        self._fill(program, start.own, parameters, P, S)
        return Given(given.rows, P, S)

    @property
    def generation(self) -> int:
        """See `bigbar.engines.general.rows.Rows`."""
        return self._rows.generation

    @property
    def is_full(self) -> bool:
        """See `bigbar.engines.general.rows.Rows`."""
        return self._rows.is_full

    def place(self, array: np.ndarray) -> int:
        """The number of an array's row, which must not change from now on."""
        return self._rows.place(array)

    def _made(self, program: Program, start: Start) -> _Kept:
        """What a program needs of a strategy."""
        strategy = start.strategy
        generation = self._rows.begin()
        rows = np.array(
            [self._rows.place(self._array(row, strategy)) for row in program.rows], np.int64
        )
        P = np.empty(len(program.parameters) + len(program.constants))
        P[len(program.parameters) :] = program.constants
        S = np.zeros(max(program.room, 1))
        everything = frozenset((*program.parameters, *program.state, *program.lists))
        values = {
            name: value_at(strategy, name) for name in everything if has_value(strategy, name)
        }
        self._fill(program, everything, values, P, S)
        varying = tuple(
            place
            for place, row in enumerate(program.rows)
            if row.of == "hoist" and self._columns.varies(row.name, strategy, start.own)
        )
        return _Kept(generation, rows, P, S, varying)

    def _fill(
        self,
        program: Program,
        names: frozenset[str],
        values: Mapping[str, Any],
        P: NDArray[np.float64],
        S: NDArray[np.float64],
    ) -> None:
        """Put the values of some attributes where the program reads them."""
        for place, name in enumerate(program.parameters):
            if name in names:
                P[place] = self.number(values[name])
        for place, name in enumerate(program.state):
            if name in names:
                value = values.get(name, _UNSET)
                S[2 * place + 1] = 2.0 if value is _UNSET else float(value is None)
                if value is not _UNSET and value is not None and not isinstance(value, tuple):
                    S[2 * place] = self.number(value)
        for place, name in enumerate(program.lists):
            if name in names:
                numbers = [self.number(one) for one in values[name]]
                first = 2 * len(program.state) + place * (ROOM + 1)
                S[first : first + 1 + len(numbers)] = [len(numbers), *numbers]

    def number(self, value: Any) -> float:
        """A number or text as a program reads it."""
        return float(self._symbols.number(value) if isinstance(value, str) else value)

    def _array(self, row: Row, strategy: Strategy) -> np.ndarray:
        if row.of == "hoist":
            return self._columns.of(row.name, strategy).part(row.part)
        if row.of == "data":
            return np.asarray(strategy._data[row.name])
        if row.of == "time":
            return self._ticks
        value = np.asarray(getattr(strategy, row.name))
        return value if row.part is None else value[row.part]

    @cached_property
    def _ticks(self) -> NDArray[np.int64]:
        return ticks_of(self._index)[0]  # type: ignore[arg-type]


_UNSET = object()
