"""A listener that passes everything on, and has notes and stages kept for whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.executors.contract import Machine
from bigbar.machine.budget import Budget
from bigbar.progress.events import Listener, Progress
from bigbar.sharing.frames import Publication
from bigbar.store.journal import Kind
from bigbar.units import as_seconds, counted


class Noted(Listener):
    """Tells another listener, and notes what somebody who looks from elsewhere wants to know.

    Parameters
    ----------
    listener : Listener
        Is told everything.
    note : callable
        Keeps a note, or the stage that begins.
    """

    def __init__(self, listener: Listener, note: Callable[[Kind, str], None]) -> None:
        self._listener = listener
        self._note = note

    def shared(self, publication: Publication, workers: int) -> None:
        self._listener.shared(publication, workers)

    def machines(self, publication: Publication, machines: Sequence[Machine]) -> None:
        self._listener.machines(publication, machines)
        self._note("note", f"{counted(len(machines), 'machine')} of the cluster at work")

    def forecast(self, budget: Budget) -> None:
        self._listener.forecast(budget)

    def engine(self, name: str, reason: str) -> None:
        self._listener.engine(name, reason)
        self._note("note", reason)

    def compiling(self) -> None:
        self._listener.compiling()
        self._note("stage", "compiling")

    def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
        self._listener.estimated(seconds, chunk_size, chunks)
        self._note("note", f"a backtest takes about {as_seconds(seconds)}")

    def searching(self, method: str, seconds: float, left_s: float) -> None:
        self._listener.searching(method, seconds, left_s)
        self._note("note", f"{method} takes about {as_seconds(seconds)} to choose")

    def resuming(self, run: int, begun: datetime, done: int, total: int) -> None:
        self._listener.resuming(run, begun, done, total)
        self._note("note", f"continued with {done:,} of {counted(total, 'combination')} done")

    def retrying(self, run: int, count: int) -> None:
        self._listener.retrying(run, count)
        self._note("note", f"{counted(count, 'combination')} that failed run again")

    def reusing(self, rows: int, there: int, runs: Sequence[int]) -> None:
        self._listener.reusing(rows, there, runs)
        self._note("note", f"{counted(rows, 'row')} taken from other runs")

    def progress(
        self, total: int, done: int = 0, in_flight: float = 0.0
    ) -> AbstractContextManager[Progress]:
        self._note("stage", "backtests")
        return self._listener.progress(total, done, in_flight)

    def event(self, what: str) -> None:
        self._listener.event(what)
        self._note("note", what)

    def verifying(self, wanted: int) -> None:
        self._listener.verifying(wanted)
        self._note("stage", "replays through backtesting.py")

    def validating(self, what: str) -> None:
        self._listener.validating(what)
        self._note("stage", what)

    def validated(self, total: int) -> AbstractContextManager[Progress]:
        return self._listener.validated(total)

    def returns(self, returns: NDArray[np.float32], times: pd.DatetimeIndex, annual: float) -> None:
        self._listener.returns(returns, times, annual)
