"""A broker and its bars, on which programs are run as machine code."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from numpy.typing import NDArray

from bigbar.compiled.broker import state as at
from bigbar.compiled.broker.state import new_state, reset
from bigbar.compiled.hop import (
    E_MISSED,
    extremes,
    list_marked,
    run_checking,
    run_hopping,
)
from bigbar.compiled.loop import SEGCOLUMNS, run
from bigbar.compiled.translate.attributes import ticks_of
from bigbar.compiled.translate.builder import MOST_ROWS, Row
from bigbar.compiled.translate.kinds import ROOM, Symbols
from bigbar.compiled.translate.program import Program
from bigbar.compiled.translate.states import has_value, value_at
from bigbar.engines.general.columns import Columns
from bigbar.engines.general.prepare import Prepared
from bigbar.engines.general.rows import Rows, read_only
from bigbar.engines.general.starts import Start

#: Trades that there is room for in the end, for each bar.
_MOST_ROOM = 64

#: Bytes of marks of bars that are kept.
_MOST_MARKS = 16 * 2**20


class Machine:
    """Runs programs, one after the other, on the same bars and with the same account.

    Parameters
    ----------
    prices : DataFrame
        The bars that take part.
    options : mapping
        The account, as `Backtest` takes it.
    columns : Columns
    symbols : Symbols
    every_bar : bool
        Run every bar, and make sure that nothing happens on those that could have been left out.

    Attributes
    ----------
    market : ndarray of float, shape (5, bars)
        Open, High, Low, Close, Volume.
    n, segments, T, Ti : ndarray
        The last run's counts, equity and trades, see `bigbar.compiled.broker.state` and
        `bigbar.compiled.loop`; overwritten by the next one.
    room : int
        Trades that there is room for.
    """

    def __init__(
        self,
        prices: pd.DataFrame,
        options: Mapping[str, Any],
        columns: Columns,
        symbols: Symbols,
        *,
        every_bar: bool,
    ) -> None:
        self._options, self._columns, self._symbols = options, columns, symbols
        self._every_bar = every_bar
        self._index = prices.index
        self._bars = len(prices)
        market = prices[["Open", "High", "Low", "Close", "Volume"]].to_numpy(np.float64)
        self.market = read_only(np.ascontiguousarray(market.T))
        self._rows = Rows(self._bars)
        self.n = np.zeros(at.NN + MOST_ROWS, np.int64)
        self.segments = np.empty((self._bars + 2, SEGCOLUMNS))
        self._marks: OrderedDict[Any, tuple[NDArray[np.int64], NDArray[np.int64]]]
        self._marks = OrderedDict()
        self._marks_bytes = 0
        self._marked_bars = np.zeros(-(-self._bars // 8) * 8, np.uint8)
        self._lists = tuple(np.empty(self._bars + 1, np.int64) for _ in range(2))
        self._tops = extremes(self.market[at.HIGH], highest=True)
        self._bottoms = extremes(self.market[at.LOW], highest=False)
        self._errors = np.zeros(16, np.int64)
        close = self.market[at.CLOSE]
        self._extremes = (float(close.min()), float(close.max()))
        self._make_room(max(64, self._bars))

    def _make_room(self, trades: int) -> None:
        self._f, _, self.T, self.Ti = new_state(trades)
        self.room = trades

    @cached_property
    def _ticks(self) -> NDArray[np.int64]:
        return ticks_of(self._index)[0]  # type: ignore[arg-type]

    def play(self, prepared: Prepared, start: Start, parameters: Mapping[str, Any]) -> int:
        """Run a program for a combination.

        Returns
        -------
        int
            The error that ended it, see `bigbar.compiled.broker.state`; 0 if there was none.
        """
        error = self._play(prepared, start, parameters)
        while error == at.E_ROOM and self.room < _MOST_ROOM * self._bars:
            self._make_room(4 * self.room)
            error = self._play(prepared, start, parameters)
        return error

    def _play(self, prepared: Prepared, start: Start, parameters: Mapping[str, Any]) -> int:
        given = start.more.get("given")
        if given is None or given.generation != self._rows.begin():
            given = start.more["given"] = self._given(prepared.program, start)
        for place in given.varying:
            row = prepared.program.rows[place]
            given.rows[place] = self._rows.place(self._array(row, start.strategy))
        f, n, T, Ti = self._f, self.n, self.T, self.Ti
        self._reset(f, n, len(T))
        n[at.NN : at.NN + len(given.rows)] = given.rows
        P, S = given.P, given.S.copy()
        self._fill(prepared.program, start.own, parameters, P, S)
        run_args = (
            prepared.code.pointer, f, n, self.market, self._rows.matrix, read_only(P), S, T, Ti,
            self.segments, start.start, self._bars,
            bool(self._options.get("finalize_trades", False)),
        )  # fmt: skip
        marks = prepared.code.marks
        if marks is None:
            run(*run_args)
        else:
            marked = self._marked(prepared, start, n, P)
            hop_args = (*run_args, *marked, self._tops, self._bottoms, *self._extremes)
            if self._every_bar:
                kept = S[: prepared.program.kept]
                run_checking(*hop_args, *(np.empty_like(one) for one in (f, n, kept, T)))
                assert n[at.ERR] != E_MISSED, f"next does something on bar {n[at.BAR]}"
            else:
                run_hopping(*hop_args)
        return int(n[at.ERR])

    def _marked(
        self, prepared: Prepared, start: Start, n: NDArray[np.int64], P: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The bars on which `next` could do something, without an open trade and with one."""
        program, marks = prepared.program, prepared.code.marks
        assert marks is not None
        assert program.marked_by is not None
        rows = n[at.NN : at.NN + len(program.rows)]
        read = P[list(program.marked_by)].tobytes() if program.marked_by else b""
        key = (program.text, rows.tobytes(), self._rows.begin(), read, start.start)
        known = self._marks.get(key)
        if known is None:
            marked = self._marked_bars
            marked[:] = 0
            marks(
                n, self.market, self._rows.matrix, read_only(P), self._errors,
                marked[: self._bars], start.start, self._bars,
            )  # fmt: skip
            counts = list_marked(marked, marked.view(np.uint64), *self._lists)
            listed = [one[:count].copy() for one, count in zip(self._lists, counts, strict=True)]
            known = self._marks[key] = (listed[0], listed[1])
            self._marks_bytes += sum(one.nbytes for one in known)
            while self._marks_bytes > _MOST_MARKS and len(self._marks) > 1:
                _, oldest = self._marks.popitem(last=False)
                self._marks_bytes -= sum(one.nbytes for one in oldest)
        return known

    def _given(self, program: Program, start: Start) -> Given:
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
        return Given(generation, rows, P, S, varying)

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
                P[place] = self._as_float(values[name])
        for place, name in enumerate(program.state):
            if name in names:
                value = values.get(name, _UNSET)
                S[2 * place + 1] = 2.0 if value is _UNSET else float(value is None)
                if value is not _UNSET and value is not None and not isinstance(value, tuple):
                    S[2 * place] = self._as_float(value)
        for place, name in enumerate(program.lists):
            if name in names:
                numbers = [self._as_float(one) for one in values[name]]
                first = 2 * len(program.state) + place * (ROOM + 1)
                S[first : first + 1 + len(numbers)] = [len(numbers), *numbers]

    def _as_float(self, value: Any) -> float:
        return float(self._symbols.number(value) if isinstance(value, str) else value)

    def _reset(self, f: np.ndarray, n: np.ndarray, room: int) -> None:
        options = self._options
        commission = options.get("commission", 0.0)
        fixed, relative = commission if isinstance(commission, tuple) else (0.0, commission)
        reset(
            f, n, float(options["cash"]), float(options.get("spread", 0.0)), float(fixed),
            float(relative), 1 / options.get("margin", 1.0),
            bool(options.get("trade_on_close", False)), bool(options.get("hedging", False)),
            bool(options.get("exclusive_orders", False)), room,
        )  # fmt: skip

    def _array(self, row: Row, strategy: Strategy) -> np.ndarray:
        if row.of == "hoist":
            return self._columns.of(row.name, strategy).part(row.part)
        if row.of == "data":
            return np.asarray(strategy._data[row.name])
        if row.of == "time":
            return self._ticks
        value = np.asarray(getattr(strategy, row.name))
        return value if row.part is None else value[row.part]


@dataclass(frozen=True)
class Given:
    """What a program needs of a strategy: its rows, parameters and state, each by its number."""

    generation: int
    rows: NDArray[np.int64]
    P: NDArray[np.float64]
    S: NDArray[np.float64]
    #: Rows that depend on what a combination has of its own.
    varying: tuple[int, ...]


_UNSET = object()
