"""A broker and its bars, on which programs are run as machine code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.compiled.ahead import extremes
from bigbar.compiled.broker import state as at
from bigbar.compiled.broker.state import new_state, reset
from bigbar.compiled.curve_statistics import CurveBuffers, new_buffers
from bigbar.compiled.hop import E_MISSED, hopping, run_checking, stepping
from bigbar.compiled.loop import SEGCOLUMNS
from bigbar.compiled.many import counter, running_many
from bigbar.compiled.translate.builder import MOST_ROWS
from bigbar.compiled.translate.kinds import Symbols
from bigbar.engines.any_strategy.curves import Curves, curves_of
from bigbar.engines.general.batch import Batch
from bigbar.engines.general.columns import Columns
from bigbar.engines.general.inputs import Given, Inputs
from bigbar.engines.general.marks import Lists, Marks
from bigbar.engines.general.prepare import Prepared
from bigbar.engines.general.programs import Loaded
from bigbar.engines.general.rows import Rows, read_only
from bigbar.engines.general.starts import Start
from bigbar.statistics import NAMES

#: Columns of the market.
MARKET = ("Open", "High", "Low", "Close", "Volume")

#: Trades that there is room for in the end, for each bar.
_MOST_ROOM = 64


@dataclass(frozen=True)
class Counting:
    """Where what combinations come to is written, and what it is counted up by.

    Attributes
    ----------
    rows, returns : ndarray, shape (combinations, …)
        Without any of them nothing is counted up.
    curves : Curves
    buffers : CurveBuffers
        With room for as many trades as the machine has.
    """

    rows: NDArray[np.float64]
    returns: NDArray[np.float32]
    curves: Curves
    buffers: CurveBuffers


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
    inputs : Inputs
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
        self._options, self._every_bar = options, every_bar
        self._bars = len(prices)
        market = prices[list(MARKET)].to_numpy(np.float64)
        self.market = read_only(np.ascontiguousarray(market.T))
        self._rows = Rows(self._bars)
        self.inputs = Inputs(prices.index, self._rows, columns, symbols)
        self.n = np.zeros(at.NN + MOST_ROWS, np.int64)
        self.segments = np.empty((self._bars + 2, SEGCOLUMNS))
        self._marks = Marks(self._bars)
        self._tops = extremes(self.market[at.HIGH], highest=True)
        self._bottoms = extremes(self.market[at.LOW], highest=False)
        close = self.market[at.CLOSE]
        self._extremes = (float(close.min()), float(close.max()))
        self._finalize = bool(options.get("finalize_trades", False))
        self._uncounted = nothing_counted()
        self._make_room(max(64, self._bars))

    def _make_room(self, trades: int) -> None:
        self._f, _, self.T, self.Ti = new_state(trades)
        self.room = trades

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

    def play_many(
        self, prepared: Prepared, start: Start, given: Given, batch: Batch, counting: Counting
    ) -> NDArray[np.int64]:
        """Run a program for combinations that follow each other, and count them up.

        Parameters
        ----------
        prepared : Prepared
        start : Start
            Of the first.
        given : Given
            What was put for the first.
        batch : Batch
        counting : Counting

        Returns
        -------
        ndarray of int64, shape (combinations,)
            See `bigbar.compiled.many.running_many`.
        """
        count = len(counting.rows)
        Ps = np.repeat(given.P[np.newaxis], count, axis=0)
        for place, name in enumerate(prepared.program.parameters):
            if name in batch.values:
                Ps[:, place] = batch.values[name]
        if batch.places is None:
            return self._run(prepared, start, given, Ps, counting)
        assert batch.starts is not None
        assert batch.first_bars is not None
        return self._run_by(
            prepared.code, prepared.program.marked_by, Ps, batch.places, given.S, batch.starts,
            batch.first_bars, counting,
        )  # fmt: skip

    def run_bare(self, code: Loaded, counting: Counting) -> None:
        """Run code that needs nothing of a strategy."""
        self._reset(self._f, self.n, len(self.T))
        one = np.ones(1, np.int64)
        self._run_by(
            code, (), np.zeros((1, 1)), np.empty((1, 0), np.int64), np.zeros(1), one, one, counting
        )

    def put(self, prepared: Prepared, start: Start, parameters: Mapping[str, Any]) -> Given:
        """Make everything ready for a combination: its rows, parameters, and first state."""
        given = self.inputs.of(prepared.program, start, parameters)
        self._reset(self._f, self.n, len(self.T))
        return given

    def _play(self, prepared: Prepared, start: Start, parameters: Mapping[str, Any]) -> int:
        given = self.put(prepared, start, parameters)
        if self._every_bar and prepared.code.marks is not None:
            return self._checked(prepared, start, given)
        return int(self._run(prepared, start, given, given.P[np.newaxis], self._uncounted)[0])

    def _run(
        self,
        prepared: Prepared,
        start: Start,
        given: Given,
        Ps: NDArray[np.float64],
        counting: Counting,
    ) -> NDArray[np.int64]:
        """Run combinations that differ in parameters alone."""
        count = len(Ps)
        places = np.repeat(given.places[np.newaxis], count, axis=0)
        starts = np.full(count, start.start, np.int64)
        first_bars = np.full(count, start.first_bar, np.int64)
        return self._run_by(
            prepared.code, prepared.program.marked_by, Ps, places, given.S, starts, first_bars,
            counting,
        )  # fmt: skip

    def _run_by(
        self,
        code: Loaded,
        marked_by: tuple[int, ...] | None,
        Ps: NDArray[np.float64],
        places: NDArray[np.int64],
        S: NDArray[np.float64],
        starts: NDArray[np.int64],
        first_bars: NDArray[np.int64],
        counting: Counting,
    ) -> NDArray[np.int64]:
        """Run the machine code, see `running_many`."""
        n, codes = self.n, np.empty(len(Ps), np.int64)
        marker = 0 if code.marks is None else code.marks.pointer
        read = np.array(marked_by or (), np.int64)
        runner = stepping() if code.marks is None else hopping()
        counts = counter().pointer if len(counting.rows) else 0
        begins = self._f[: at.F_BEGINS].copy(), n[: at.N_BEGINS].copy(), S.copy()
        running_many()(
            runner.pointer, counts, code.next.pointer, marker, self._f, n,
            self.market, self._rows.matrix, read_only(Ps), places, S, self.T, self.Ti,
            self.segments, starts, self._bars, self._finalize, *begins,
            read, self._marks.errors, self._marks.bars, self._marks.words, *self._marks.lists,
            self._tops, self._bottoms, *self._extremes, codes, counting.rows, counting.returns,
            first_bars, counting.curves.market, counting.curves.constants, counting.curves.clocks,
            counting.buffers,
        )  # fmt: skip
        return codes

    def _checked(self, prepared: Prepared, start: Start, given: Given) -> int:
        """Run one bar by bar, and make sure that nothing happens on those to be left out."""
        f, n, T, P, S = self._f, self.n, self.T, given.P, given.S
        n[at.NN : at.NN + len(given.places)] = given.places
        kept = S[: prepared.program.kept]
        run_checking(
            prepared.code.next.pointer, f, n, self.market, self._rows.matrix, read_only(P), S, T,
            self.Ti, self.segments, start.start, self._bars, self._finalize,
            *self._marked(prepared, start, P), *(np.empty_like(one) for one in (f, n, kept, T)),
        )  # fmt: skip
        assert n[at.ERR] != E_MISSED, f"next does something on bar {n[at.BAR]}"
        return int(n[at.ERR])

    def _marked(self, prepared: Prepared, start: Start, P: NDArray[np.float64]) -> Lists:
        """The bars on which `next` could do something, without an open trade and with one."""
        return self._marks.of(
            prepared, self.n, self.market, self._rows.matrix, read_only(P), start.start
        )

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


@cache
def nothing_counted() -> Counting:
    """For runs that are not counted up."""
    days = pd.date_range("2024-01-01", periods=2, freq="D")
    curves = curves_of(pd.DataFrame({"Close": [1.0, 1.0]}, index=days))
    assert curves is not None
    rows, returns = np.empty((0, len(NAMES))), np.empty((0, 1), np.float32)
    return Counting(rows, returns, curves, new_buffers(2, 2, 1))
