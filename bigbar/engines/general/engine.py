"""Any strategy, compiled: `init` runs in Python, `next` and the broker as machine code.

What raises on the way, or is not covered, is run by `backtesting.py`'s own code, whose answer or
exception counts.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from backtesting import Strategy
from numpy.typing import NDArray

from bigbar.calendar import calendar_of
from bigbar.compiled.broker import state as at
from bigbar.compiled.broker.state import new_state, reset
from bigbar.compiled.curve_statistics import curve_row, new_buffers
from bigbar.compiled.hop import E_MISSED, extremes, mark_blocks, run_checking, run_hopping
from bigbar.compiled.loop import SEGCOLUMNS, fill_equity, run
from bigbar.compiled.translate.attributes import ticks_of
from bigbar.compiled.translate.builder import MOST_ROWS, Column, Hoist, NoColumn, Row
from bigbar.compiled.translate.kinds import ROOM, Symbols
from bigbar.compiled.translate.program import Program, translate_strategy
from bigbar.compiled.translate.refusal import CannotCompile, Refusal
from bigbar.compiled.translate.states import has_value, value_at
from bigbar.engines.any_strategy.curves import curves_of
from bigbar.engines.any_strategy.known import is_known
from bigbar.engines.any_strategy.run import BacktestRun, StrategyRunner
from bigbar.engines.any_strategy.statistics import ClosedTrades
from bigbar.engines.any_strategy.warned import Warned, keeping
from bigbar.engines.contract import TRADE_COLUMNS, span_of
from bigbar.engines.general.columns import Columns
from bigbar.engines.general.programs import Loaded, load
from bigbar.engines.general.rows import Rows, read_only
from bigbar.engines.general.starts import Start, Starts
from bigbar.job import Job
from bigbar.statistics import NAMES

#: What the codes of errors mean, for those who ask why a combination went to Python.
WHY = {
    at.E_VALUE: "a value or an order that the compiled code leaves to Python",
    at.E_ASSERT: "a size, a portion or a price that the broker does not take",
    at.E_CAP: "too many orders or trades at a time",
    at.E_ZERO: "a division by zero",
    at.E_INDEX: "a place that is not there",
    at.E_ROOM: "too many trades",
}

#: Trades that there is room for in the end, for each bar.
_MOST_ROOM = 64

#: Bytes of marks of bars that are kept.
_MOST_MARKS = 16 * 2**20

#: Programs for parameters of different kinds.
_MOST_PROGRAMS = 64


class CompiledEngine:
    """Every combination of any strategy that can be compiled.

    Parameters
    ----------
    file : DataFrame
        The whole file.
    job : Job
    every_bar : bool, optional
        Run every bar, and make sure that nothing happens on those that could have been left out.

    Attributes
    ----------
    refused : str or None
        Why the strategy cannot be compiled, beginning with `file:line:`; then every combination is
        `backtesting.py`'s.
    fell_back : dict of int to str
        Combinations that were run by `backtesting.py` all the same, and why.
    preparing_s : float
        Seconds spent on translating and compiling so far.
    """

    def __init__(self, file: pd.DataFrame, job: Job, *, every_bar: bool = False) -> None:
        self._every_bar = every_bar
        self._space = job.space
        self._options = job.account.options
        self._runner = StrategyRunner(
            file, job.spec.strategy, span=span_of(job, len(file)), **self._options
        )
        prices = self._runner.prices
        index: Any = prices.index
        self._calendar = calendar_of(index)
        self._bars = len(index)
        self._starts = Starts(self._runner)
        self._shared = _shared_by(job.spec.strategy)
        self._columns = Columns(self._shared.symbols)
        self.fell_back: dict[int, str] = {}
        self.refused: str | None = self._why_not()
        self.preparing_s = 0.0
        columns = prices[["Open", "High", "Low", "Close", "Volume"]].to_numpy(np.float64)
        self._market = read_only(np.ascontiguousarray(columns.T))
        self._rows = Rows(self._bars)
        self._curves = curves_of(prices)
        self._n = np.zeros(at.NN + MOST_ROWS, np.int64)
        self._segments = np.empty((self._bars + 2, SEGCOLUMNS))
        self._marks: OrderedDict[Any, tuple[NDArray[np.uint8], NDArray[np.uint8]]]
        self._marks = OrderedDict()
        self._tops = extremes(self._market[at.HIGH], highest=True)
        self._bottoms = extremes(self._market[at.LOW], highest=False)
        self._errors = np.zeros(16, np.int64)
        close = self._market[at.CLOSE]
        self._extremes = (float(close.min()), float(close.max()))
        self._make_room(max(64, self._bars))

    def _make_room(self, room: int) -> None:
        self._state = new_state(room)
        self._buffers = new_buffers(self._bars, self._calendar.periods, room)

    def _why_not(self) -> str | None:
        if not is_known():
            return "backtesting.py is of another version, or has been changed"
        if callable(self._options.get("commission", 0.0)):
            return "a commission that is a function stays in Python"
        return None

    @cached_property
    def _ticks(self) -> NDArray[np.int64]:
        return ticks_of(self._runner.prices.index)[0]  # type: ignore[arg-type]

    @property
    def lines(self) -> int:
        """Lines of the trader's `next` that were translated."""
        return max((one.program.lines for one in self._shared.programs), default=0)

    # The contract.

    def run(self, start: int, stop: int) -> NDArray[np.float64]:
        return self.run_with_returns(start, stop)[0]

    def returns(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.run_with_returns(start, stop)[1]

    def run_with_returns(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Statistics and returns at once: see `Engine.run` and `Engine.returns`."""
        if not 0 <= start <= stop <= len(self._space):
            raise IndexError(f"combinations {start} to {stop} of a grid of {len(self._space)}")
        rows = np.empty((stop - start, len(NAMES)))
        returns = np.empty((stop - start, self._calendar.periods - 1), np.float32)
        for place in range(stop - start):
            self._answer(start + place, rows[place], returns[place])
        return rows, returns

    def equity(self, number: int) -> pd.Series:
        return pd.Series(self.one(number).equity, self._runner.index, name="Equity")

    def trades(self, number: int) -> pd.DataFrame:
        return self.one(number).trades[list(TRADE_COLUMNS)]

    # One combination.

    def _answer(self, number: int, row: NDArray[np.float64], returns: NDArray[np.float32]) -> None:
        parameters = self._space[number]
        start = self._played(number, parameters)
        curves = self._curves
        if start is not None and curves is not None:
            _, _, T, Ti = self._state
            if curve_row(
                row, returns, self._n, T, Ti, self._segments, curves.market, curves.constants,
                curves.clocks, start.first_bar, self._buffers,
            ):  # fmt: skip
                return
        found = self._runner.run(parameters) if start is None else self._run_of(start, parameters)
        row[:] = found.row()
        returns[:] = np.nan_to_num(self._calendar.returns(found.equity), nan=0.0)

    def one(self, number: int) -> BacktestRun | CompiledRun:
        """A backtest of one combination; read it before the next one."""
        parameters = self._space[number]
        start = self._played(number, parameters)
        if start is None:
            return self._runner.run(parameters)
        return self._run_of(start, parameters)

    def _run_of(self, start: Start, parameters: Mapping[str, Any]) -> CompiledRun:
        return CompiledRun(self, start, parameters)

    def _played(self, number: int, parameters: Mapping[str, Any]) -> Start | None:
        """Run a combination; None where it is Python's."""
        if self.refused is not None:
            return None
        start, prepared = self._ready(parameters)
        if start is None or prepared is None:
            return None
        error = self._play(prepared, start, parameters)
        while error == at.E_ROOM and len(self._state.T) < _MOST_ROOM * self._bars:
            self._make_room(4 * len(self._state.T))
            error = self._play(prepared, start, parameters)
        if error:
            self.fell_back[number] = WHY[error]
            return None
        return start

    def _ready(self, parameters: Mapping[str, Any]) -> tuple[Start, Prepared] | tuple[None, None]:
        with keeping(Warned()):
            start = self._starts.of(parameters)
            if start is None:
                self.refused = "a broker of its own"
                return None, None
            try:
                return start, self._prepared(start)
            except CannotCompile as problem:
                self.refused = str(problem.refusal)
                return None, None

    def _prepared(self, start: Start) -> Prepared:
        """The program that fits a strategy, made where there is none so far."""
        known: Prepared | None = start.more.get("prepared")
        if known is not None and self._fits(known.program, start, start.own):
            return known
        programs = self._shared.programs
        found = next((one for one in programs if self._fits(one.program, start)), None)
        start.more = {"prepared": found or self._translated(start.strategy)}
        prepared: Prepared = start.more["prepared"]
        return prepared

    def _fits(self, program: Program, start: Start, only: frozenset[str] | None = None) -> bool:
        """Whether a program is for attributes and columns as this strategy has them."""
        if not program.fits(start.strategy, only):
            return False
        try:
            return all(
                self._columns.of(hoist, start.strategy).column == column
                for hoist, column in program.hoisted.items()
                if only is None or self._columns.varies(hoist, start.strategy, only)
            )
        except NoColumn:
            return False

    def _translated(self, strategy: Strategy) -> Prepared:
        if len(self._shared.programs) >= _MOST_PROGRAMS:
            raise CannotCompile(
                Refusal("", 0, "", "its parameters are of too many different kinds")
            )
        begun = time.perf_counter()

        def column(hoist: Hoist) -> Column:
            return self._columns.of(hoist, strategy).column

        def probe(hoist: Hoist) -> Column:
            return self._columns.probe(hoist, strategy)

        program = translate_strategy(strategy, column, self._shared.symbols, probe=probe)
        try:
            found = Prepared(program, load(program.text))
        except Exception as problem:
            # What the translation took for a program is none.
            why = f"the compiler does not take it ({type(problem).__name__})"
            raise CannotCompile(Refusal(program.file, program.line, "def next", why)) from problem
        self._shared.programs.append(found)
        self.preparing_s += time.perf_counter() - begun
        return found

    def _play(self, prepared: Prepared, start: Start, parameters: Mapping[str, Any]) -> int:
        """Run a program; returns the error that ended it, or 0."""
        given = start.more.get("given")
        if given is None or given.generation != self._rows.begin():
            given = start.more["given"] = self._given(prepared.program, start)
        for place in given.varying:
            row = prepared.program.rows[place]
            given.rows[place] = self._rows.place(self._array(row, start.strategy))
        f, _, T, Ti = self._state
        n = self._n
        self._reset(f, n, len(T))
        n[at.NN : at.NN + len(given.rows)] = given.rows
        P, S = given.P, given.S.copy()
        self._fill(prepared.program, start.own, parameters, P, S)
        run_args = (
            prepared.code.pointer, f, n, self._market, self._rows.matrix, read_only(P), S, T, Ti,
            self._segments, start.start, self._bars,
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
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The bars on which `next` could do something, for these parameters; and their blocks."""
        program, marks = prepared.program, prepared.code.marks
        assert marks is not None
        assert program.marked_by is not None
        rows = n[at.NN : at.NN + len(program.rows)]
        read = P[list(program.marked_by)].tobytes() if program.marked_by else b""
        key = (program.text, rows.tobytes(), self._rows.begin(), read, start.start)
        known = self._marks.get(key)
        if known is None:
            marked = np.zeros(self._bars, np.uint8)
            blocks = np.zeros(len(self._tops), np.uint8)
            marks(
                n, self._market, self._rows.matrix, read_only(P), self._errors, marked, start.start,
                self._bars,
            )  # fmt: skip
            mark_blocks(marked, blocks, start.start)
            known = self._marks[key] = marked, blocks
            if len(self._marks) * self._bars > _MOST_MARKS:
                self._marks.popitem(last=False)
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
        return float(self._shared.symbols.number(value) if isinstance(value, str) else value)

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
class Prepared:
    """A program, and its machine code."""

    program: Program
    code: Loaded


@dataclass(frozen=True)
class Shared:
    """What the engines of one strategy in this process have in common."""

    symbols: Symbols = field(default_factory=Symbols)
    programs: list[Prepared] = field(default_factory=list)


#: By the class; with those of a notebook's earlier cells, a class is gone when nobody has it.
_of_classes: WeakKeyDictionary[type, Shared] = WeakKeyDictionary()


def _shared_by(strategy: type[Strategy]) -> Shared:
    return _of_classes.setdefault(strategy, Shared())


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


def warm_up() -> None:
    """Compile what all strategies share, or load it, by running a `next` that does nothing."""
    text = "def next_(f, n, M, I, P, S, T, Ti, i):\n    pass\n"
    index = pd.date_range("2024-01-01", periods=4, freq="D")
    curves = curves_of(pd.DataFrame({"Close": [1.0, 1.0, 1.0, 1.0]}, index=index))
    assert curves is not None
    f, n, T, Ti = new_state(8)
    reset(f, n, 1000.0, 0.0, 0.0, 0.0, 1.0, False, False, False, 8)
    market, some, own = read_only(np.ones((5, 4))), read_only(np.zeros(1)), np.zeros(1)
    segments = np.empty((6, SEGCOLUMNS))
    run(load(text).pointer, f, n, market, market, some, own, T, Ti, segments, 1, 4, False)
    fill_equity(np.empty(4), segments, int(n[at.NSEG]), market[at.CLOSE])
    curve_row(
        np.empty(len(NAMES)), np.empty(3, np.float32), n, T, Ti, segments, curves.market,
        curves.constants, curves.clocks, 0, new_buffers(4, 4, 8),
    )  # fmt: skip


class CompiledRun:
    """What came of one compiled backtest; read before the next one of the same engine."""

    def __init__(self, engine: CompiledEngine, start: Start, parameters: Mapping[str, Any]) -> None:
        self._engine, self._start, self._parameters = engine, start, parameters
        self._segments = engine._segments[: engine._n[at.NSEG]].copy()
        closed = engine._state.Ti[: engine._n[at.NCL], at.TCLOSED]
        self._T, self._Ti = engine._state.T[closed], engine._state.Ti[closed]

    @cached_property
    def equity(self) -> NDArray[np.float64]:
        """Equity at each bar that takes part."""
        close = self._engine._market[at.CLOSE]
        found = np.empty(len(close))
        fill_equity(found, self._segments, len(self._segments), close)
        return found

    @cached_property
    def closed(self) -> ClosedTrades:
        """The closed trades."""
        T, Ti = self._T, self._Ti
        columns = (T[:, at.TSIZE], T[:, at.TENTRY], T[:, at.TEXIT], T[:, at.TCOMM])
        return ClosedTrades.of(columns, (Ti[:, at.TEBAR], Ti[:, at.TXBAR]))

    def row(self) -> NDArray[np.float64]:
        """The statistics as plain numbers, see `BacktestRun.row`."""
        row = self._engine._runner.maker.row_of(self.closed, self.equity, self._start.first_bar)
        return self._engine._runner.run(self._parameters).row() if row is None else row

    @property
    def trades(self) -> pd.DataFrame:
        """Closed trades, as in `_trades` of the statistics."""
        T, Ti = self._T, self._Ti
        index = self._engine._runner.index
        entry_bars, exit_bars = Ti[:, at.TEBAR], Ti[:, at.TXBAR]

        def price(column: int) -> NDArray[np.float64]:
            return np.where(T[:, column] == 0.0, np.nan, T[:, column])

        return pd.DataFrame(
            {
                "Size": T[:, at.TSIZE].astype(np.int64),
                "EntryBar": entry_bars,
                "ExitBar": exit_bars,
                "EntryPrice": T[:, at.TENTRY],
                "ExitPrice": T[:, at.TEXIT],
                "SL": price(at.TSL),
                "TP": price(at.TTP),
                "PnL": self.closed.profits,
                "Commission": T[:, at.TCOMM],
                "ReturnPct": self.closed.returns,
                "EntryTime": index[entry_bars],
                "ExitTime": index[exit_bars],
                "Tag": [self._engine._shared.symbols.values[tag] for tag in Ti[:, at.TTAG]],
            }
        )
