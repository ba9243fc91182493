"""Any strategy, compiled: `init` runs in Python, `next` and the broker as machine code.

What raises on the way, or is not covered, is run by `backtesting.py`'s own code, whose answer or
exception counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.compiled.broker import state as at
from bigbar.compiled.curve_statistics import new_buffers
from bigbar.compiled.loop import fill_equity
from bigbar.compiled.translate.builder import NoColumn
from bigbar.compiled.translate.kinds import Symbols
from bigbar.compiled.translate.refusal import CannotCompile
from bigbar.engines.any_strategy.curves import curves_of
from bigbar.engines.any_strategy.known import is_known
from bigbar.engines.any_strategy.run import BacktestRun, StrategyRunner
from bigbar.engines.contract import TRADE_COLUMNS, span_of
from bigbar.engines.general.alike import alike_after
from bigbar.engines.general.batch import MOST, Batch
from bigbar.engines.general.columns import Columns
from bigbar.engines.general.compiled_run import CompiledRun
from bigbar.engines.general.inputs import Given
from bigbar.engines.general.machine import MARKET, Counting, Machine
from bigbar.engines.general.points import Points
from bigbar.engines.general.prepare import Prepared, Preparer, shared_by
from bigbar.engines.general.programs import load
from bigbar.engines.general.put_together import PutTogether
from bigbar.engines.general.ran import Ran
from bigbar.engines.general.starts import Start, Starts
from bigbar.engines.one_by_one import OneByOne
from bigbar.job import Job
from bigbar.statistics import NAMES

#: So many with one `init` are not worth another one's check, to run more of them together.
_ENOUGH = 8

#: What the codes of errors mean, for those who ask why a combination went to Python.
WHY = {
    at.E_VALUE: "a value or an order that the compiled code leaves to Python",
    at.E_ASSERT: "a size, a portion or a price that the broker does not take",
    at.E_CAP: "too many orders or trades at a time",
    at.E_ZERO: "a division by zero",
    at.E_INDEX: "a place that is not there",
    at.E_ROOM: "too many trades",
}


class CompiledEngine(OneByOne):
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
    """

    def __init__(self, file: pd.DataFrame, job: Job, *, every_bar: bool = False) -> None:
        self._options = job.account.options
        self._runner = StrategyRunner(
            file, job.spec.strategy, span=span_of(job, len(file)), **self._options
        )
        prices = self._runner.prices
        super().__init__(job.space, prices.index)  # type: ignore[arg-type]
        self._shared = shared_by(job.spec.strategy)
        self._ran = Ran()
        columns = Columns(self._shared.symbols, self._ran)
        self._starts = Starts(self._runner, self._ran)
        self._preparer = Preparer(self._shared, columns, self._ran)
        self._machine = Machine(
            prices, self._options, columns, self._shared.symbols, every_bar=every_bar
        )
        self._curves = curves_of(prices, self._runner.maker.times)
        self._every_bar = every_bar
        self._points, self._at_once = Points(job.space, self._shared.symbols), MOST
        self._put_together = PutTogether(
            job.space, self._points, self._starts.composer, self._machine.inputs,
            self._runner.first_next,
        )  # fmt: skip
        self._make_buffers()
        self.fell_back: dict[int, str] = {}
        self.refused: str | None = self._why_not()

    def _make_buffers(self) -> None:
        room = self._machine.room
        self._buffers = new_buffers(len(self._runner.index), self._calendar.periods, room)

    def _why_not(self) -> str | None:
        if not is_known():
            return "backtesting.py is of another version, or has been changed"
        if not self._runner.in_doubles:
            return "prices of another type than float64 stay in Python"
        if callable(self._options.get("commission", 0.0)):
            return "a commission that is a function stays in Python"
        return None

    @property
    def lines(self) -> int:
        """Lines of the trader's `next` that were translated."""
        return self._shared.lines

    @property
    def composed(self) -> int:
        """Strategies put together from what the `init` of other combinations had made."""
        return self._starts.composer.composed

    @property
    def preparing_s(self) -> float:
        """Seconds spent on translating and compiling so far."""
        return self._preparer.seconds

    def translate(self, number: int) -> None:
        """Translate and compile the strategy by one combination, unless that is done.

        What its `init` has made of the class is put back.
        """
        self._ran.again()
        try:
            self._ready(self._space[number])
        finally:
            self._runner.restore_class()

    # The contract.

    def equity(self, number: int) -> pd.Series:
        return pd.Series(self.one(number).equity, self._runner.index, name="Equity")

    def trades(self, number: int) -> pd.DataFrame:
        return self.one(number).trades[list(TRADE_COLUMNS)]

    # One combination.

    def run_with_returns(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        self._ran.again()  # Whoever asks may have, since.
        self._points.begin(start, stop)
        try:
            return super().run_with_returns(start, stop)
        finally:
            self._runner.restore_class()

    def _answer_some(
        self, number: int, rows: NDArray[np.float64], returns: NDArray[np.float32]
    ) -> int:
        """See `OneByOne`; up to the first that needs more than the compiled code."""
        count = self._together(number, rows, returns)
        if not count:
            self._answer(number, rows[0], returns[0])
            self._at_once = 1  # Where one is Python's, many may be.
            return 1
        self._at_once = min(2 * self._at_once, MOST)
        return count

    def _together(
        self, number: int, rows: NDArray[np.float64], returns: NDArray[np.float32]
    ) -> int:
        """Run a combination with those after it that are alike; how many have their answer."""
        curves = self._curves
        if self.refused is not None or curves is None or self._every_bar:
            return 0
        parameters = self._space[number]
        start, prepared = self._ready(parameters)
        if start is None or prepared is None:
            return 0
        stop = number + min(len(rows), self._at_once)
        try:
            given = self._machine.put(prepared, start, parameters)
            batch = self._batch(number, stop, start, prepared, given)
            counting = Counting(rows[: len(batch)], returns[: len(batch)], curves, self._buffers)
            codes = self._machine.play_many(prepared, start, given, batch, counting)
        except NoColumn:
            return 0
        count = len(batch) if not codes.any() else int(np.argmax(codes != 0))
        if batch.places is not None:
            self._starts.composer.use(max(count - 1, 0))
        return count

    def _batch(
        self, number: int, stop: int, start: Start, prepared: Prepared, given: Given
    ) -> Batch:
        """Combinations that can be run together with one, that one alone if there are none."""
        program = prepared.program
        if stop - number == 1:
            return Batch({})
        alike = None
        if self._preparer.is_all_of_numbers(program, start):
            alike = alike_after(self._points, number, stop, start, program)
        if alike is None or len(alike) < _ENOUGH:
            self._starts.check(self._space[number], min(stop - number, MOST) - 1)
        together = self._put_together.after(number, stop, program, given.places)
        return max((one for one in (alike, together) if one), key=len, default=Batch({}))

    def _answer(self, number: int, row: NDArray[np.float64], returns: NDArray[np.float32]) -> None:
        parameters = self._space[number]
        start = self._played(number, parameters)
        found = self._by_python(parameters) if start is None else self._run_of(start, parameters)
        row[:] = found.row()
        self._write_returns(found.equity, returns)

    def one(self, number: int) -> BacktestRun | CompiledRun:
        """A backtest of one combination; read it before the next one."""
        self._ran.again()
        parameters = self._space[number]
        try:
            start = self._played(number, parameters)
        finally:
            self._runner.restore_class()
        if start is None:
            return self._by_python(parameters)
        return self._run_of(start, parameters)

    def _by_python(self, parameters: Mapping[str, Any]) -> BacktestRun:
        self._ran.again()
        return self._runner.run(parameters)

    def _run_of(self, start: Start, parameters: Mapping[str, Any]) -> CompiledRun:
        return CompiledRun(
            self._machine, self._runner, self._shared.symbols, parameters, start.first_bar
        )

    def _played(self, number: int, parameters: Mapping[str, Any]) -> Start | None:
        """Run a combination; None where it is Python's."""
        if self.refused is not None:
            return None
        start, prepared = self._ready(parameters)
        if start is None or prepared is None:
            return None
        room = self._machine.room
        try:
            error = self._machine.play(prepared, start, parameters)
        except NoColumn as problem:
            self.fell_back[number] = f"an expression that Python evaluates: {problem}"
            return None
        if self._machine.room != room:
            self._make_buffers()
        if error:
            self.fell_back[number] = WHY[error]
            return None
        return start

    def _ready(self, parameters: Mapping[str, Any]) -> tuple[Start, Prepared] | tuple[None, None]:
        start = self._starts.of(parameters)
        if start is None:
            self.refused = "a broker of its own"
            return None, None
        if self._preparer.reads_other_data(start):  # An `init` since has exchanged it.
            self._starts.forget()
            return self._ready(parameters)
        try:
            return start, self._preparer.program_for(start)
        except CannotCompile as problem:
            self.refused = str(problem.refusal)
            return None, None


@cache
def warm_up() -> None:
    """Compile what all strategies share, or load it, by running a `next` that does nothing.

    Once in a process; one that is forked has it from its parent.
    """
    code = load(
        "def next_(f, n, M, I, P, S, T, Ti, i):\n    pass\n\n\n"
        "def marks_(n, M, I, P, errors, marked, start, stop):\n    pass\n"
    )
    days = pd.date_range("2024-01-01", periods=4, freq="D")
    prices = pd.DataFrame(1.0, days, MARKET)
    symbols = Symbols()
    columns = Columns(symbols, Ran())
    machine = Machine(prices, {"cash": 1000.0}, columns, symbols, every_bar=False)
    curves = curves_of(prices)
    assert curves is not None
    counting = Counting(
        np.empty((1, len(NAMES))), np.empty((1, 3), np.float32), curves, new_buffers(4, 4, 64)
    )
    machine.run_bare(code, counting)
    fill_equity(np.empty(4), machine.segments, int(machine.n[at.NSEG]), machine.market[at.CLOSE])
