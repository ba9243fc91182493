"""How a run over many files goes, on standard error: a bar, a line a file, the extraordinary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.batch.entry import Entry, varying
from bigbar.data.read import Bars
from bigbar.executors.contract import Machine
from bigbar.job import Job
from bigbar.machine.budget import Budget
from bigbar.printable import one_line
from bigbar.progress.terminal import Terminal
from bigbar.report.console import MARKS
from bigbar.sharing.frames import Publication
from bigbar.space import Space
from bigbar.units import agreeing, counted, signs

#: Of a name, before the bar.
_MOST_NAME = 24


class FilesTerminal(Terminal):
    """Tells of each file in a line, and of what is out of the ordinary with its name before it.

    Attributes
    ----------
    on_returns : callable
        Is given the returns of each file's combinations; see `Listener.returns`.
    """

    on_returns: Callable[[NDArray[np.float32], pd.DatetimeIndex, float], None]

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]
        self.on_returns = lambda *_: None
        self._engines: set[str] = set()
        self._told: set[str] = set()
        self._grid_told = False
        self._name = ""

    def begin(self, name: str) -> None:
        """The file of this name is next."""
        self._name = name
        self.bar_title = name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…"

    def ended(self, entry: Entry, place: int, total: int) -> None:
        """Tell what came of a file."""
        self.line(f"{place}/{total}", told(entry))

    def grid(self, grid: Space, chosen_by: str) -> None:
        """The grid, once for all files."""
        if not self._grid_told:
            self._grid_told = True
            super().grid(grid, chosen_by)

    def engine(self, name: str, reason: str) -> None:
        """Which engine runs: why, of each engine once."""
        if name not in self._engines:
            self._engines.add(name)
            super().engine(name, reason)

    def event(self, what: str) -> None:
        """Something out of the ordinary; the very same of a later file is not told again."""
        if what not in self._told:
            self._told.add(what)
            super().event(f"{self._name}: {what}" if self._name else what)

    def resuming(self, run: int, begun: datetime, done: int, total: int) -> None:
        share = 100 * done // total
        self.event(f"resuming run {run}, {share} % already done ({done:,} of {total:,})")

    def retrying(self, run: int, count: int) -> None:
        are = agreeing(count, "is", "are")
        self.event(f"run {run}: {counted(count, 'combination')} that failed {are} run again")

    def reusing(self, rows: int, there: int, runs: Sequence[int]) -> None:
        self.event(f"reusing {counted(rows, 'row')} of run {' and '.join(map(str, runs))}")

    def returns(self, returns: NDArray[np.float32], times: pd.DatetimeIndex, annual: float) -> None:
        self.on_returns(returns, times, annual)

    def data(self, bars: Bars, job: Job) -> None:
        """Is in the line at the end."""

    def shared(self, publication: Publication, workers: int) -> None:
        """Not told of each."""

    def machines(self, publication: Publication, machines: Sequence[Machine]) -> None:
        """Not told of each."""

    def forecast(self, budget: Budget) -> None:
        """Not told of each, but for what it warns of."""
        for note in budget.notes:
            self.event(note)

    def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
        """Not told of each."""

    def searching(self, method: str, seconds: float, left_s: float) -> None:
        """Not told of each."""

    def running(self, text: str) -> None:
        """How far the file has come."""
        super().running(f"{one_line(self._name)}: {text}" if self._name else text)

    def verifying(self, wanted: int) -> None:
        """Not told of each."""

    def validating(self, what: str) -> None:
        """Not told of each."""


def told(entry: Entry) -> str:
    """What came of a file, in a line."""
    if entry.best is None:
        return f"failed: {one_line(entry.told_problem)}"
    names = varying([entry])
    pairs = zip(names, entry.values(names), strict=True)
    setting = ", ".join(one_line(f"{name} {value}") for name, value in pairs)
    parts = [
        counted(entry.bars or 0, "bar"),
        setting,
        f"{entry.objective} {signs(f'{entry.statistic(entry.objective):,.2f}')}",
        f"{MARKS[entry.light]} {entry.light}" if entry.light in MARKS else "",
        f"{counted(entry.failed_combinations, 'combination')} failed"
        if entry.failed_combinations
        else "",
        "done before" if entry.taken else "",
        entry.problem or "",
    ]
    return f"{one_line(entry.name)}: {' · '.join(part for part in parts if part)}"
