"""A stored run in memory, column by column: read once, asked many times."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.dashboard.explore.columns import DAY_NS, Column, columns_of
from bigbar.errors import SettingsError
from bigbar.history.rows import choice_of
from bigbar.machine.resources import available_memory
from bigbar.results import ResultTable
from bigbar.statistics import NAMES, STATISTICS
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError
from bigbar.units import as_bytes

Floats = NDArray[np.float64]

#: Bytes that the runs in memory take together, the one that is looked at aside. A million
#: combinations of five parameters are 250 MB.
MOST_BYTES = 600_000_000

#: Orders and plateaus of a run that are kept: scrolling asks for the same ones again.
_KEPT_ANSWERS = 4

#: A run that goes on is read again after this many seconds, or ten times as long as that took.
_LEAST_AGE_S = 2.0


@dataclass(frozen=True)
class StoredTable:
    """The rows of a run as far as they went when it was read.

    Attributes
    ----------
    run : Run
    table : ResultTable
        Its values lie column by column, because questions are about columns.
    done : ndarray of bool, shape (combinations,)
        Which were answered, or failed.
    failures : dict of int to str
        Why combinations failed, by number.
    notes : tuple of str
        What is wrong with what is stored; such rows are left out.
    seconds : float
        That reading it took.
    frames : dict
        What charts show of a column of the whole run, by key, as far as it was asked for.
    """

    run: Run
    table: ResultTable
    done: NDArray[np.bool_]
    failures: dict[int, str]
    notes: tuple[str, ...]
    seconds: float = 0.0
    frames: dict[str, Any] = field(default_factory=dict, compare=False)
    _answers: OrderedDict[Any, Any] = field(default_factory=OrderedDict, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns; what is kept of answers is bounded by four columns more."""
        places = sum(each.nbytes for each in self.places)
        return self.table.values.nbytes + places + (1 + 8 * _KEPT_ANSWERS) * len(self)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Its columns by key."""
        return columns_of(self.table.space)

    @cached_property
    def choice(self) -> Choice:
        """What the run was to find; Return [%] where that was a function, which is not stored."""
        try:
            return choice_of(self.run)
        except SettingsError:
            return Choice.by_name("Return [%]")

    @cached_property
    def places(self) -> tuple[NDArray[np.integer[Any]], ...]:
        """Which of its values each parameter has at every combination, in as few bytes as do."""
        space = self.table.space
        return tuple(
            each.astype(np.min_scalar_type(max(length - 1, 0)))
            for each, length in zip(space.all_places(), space.shape, strict=True)
        )

    def numbers(self, column: Column) -> Floats:
        """A column as numbers, durations in days.

        Returns
        -------
        ndarray of float, shape (combinations,)
            Of a parameter that has a value which is no number: which one it is, from 0.
        """
        if column.axis is not None:
            values = np.array(self.table.space.parameters[column.axis].sort_values)
            return values[self.places[column.axis]]
        values, scale = self.table.column(column.name), self.scale(column)
        return values if scale == 1 else values / scale

    @staticmethod
    def scale(column: Column) -> float:
        """What a stored value is divided by to be shown: durations are stored in nanoseconds."""
        return DAY_NS if column.kind == "duration" else 1

    def scores(self, choice: Choice | None = None) -> Floats:
        """The objective, the higher the better; NaN where a combination does not count."""
        return self.table.scores(choice or self.choice)

    def kept(self, question: object, answer: Callable[[], Any]) -> Any:
        """An answer that takes a while, kept for the next who asks the same."""
        with self._lock:
            if question in self._answers:
                self._answers.move_to_end(question)
                return self._answers[question]
        found = answer()
        with self._lock:
            self._answers[question] = found
            while len(self._answers) > _KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return found


def read_table(store: RunStore, run: Run) -> StoredTable:
    """Read the rows of a run.

    Raises
    ------
    StoreError
        If there is no memory for them, or they hold other statistics than this version has.
    """
    begun = time.monotonic()
    if run.identity.parts["statistics"] != list(NAMES):
        raise StoreError(
            f"the rows of run {run.id} hold other statistics than this version of the optimizer "
            "has; use the version that stored them"
        )
    # The columns, which of its values each parameter has, and what is needed for a moment.
    combinations = len(run.grid)
    needed = combinations * 8 * (len(STATISTICS) + 2 * len(run.grid.parameters) + 4)
    if needed > (free := available_memory()):
        raise StoreError(
            f"exploring the {combinations:,} combinations of run {run.id} takes "
            f"{as_bytes(needed)} of memory, and {as_bytes(free)} are free"
        )
    notes: list[str] = []
    values = np.full((combinations, len(STATISTICS)), np.nan, order="F")
    done = store.fill(run, values, damaged=notes.append)
    failures = {each.number: each.reason for each in store.failures(run, damaged=notes.append)}
    table = ResultTable(run.grid, values)
    if run.state == "finished" and not notes and table.sha256() != run.result_sha256:
        notes.append(f"the rows of run {run.id} are not those of its result")
    if run.identity.keep is not None:
        notes.append(
            f"run {run.id} kept {len(values):,} rows of {run.done:,} (--keep), the best and a "
            "sample: all that is shown here is of these; its report has heatmaps of all"
        )
    seconds = time.monotonic() - begun
    return StoredTable(run, table, done, failures, tuple(dict.fromkeys(notes)), seconds)


class Shelf:
    """Runs that have been read, as many as there is room for; threads may ask at once.

    Parameters
    ----------
    most_bytes : int, optional
        That all of them together may take; the last one asked for is always kept.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[int, tuple[float, StoredTable]] = OrderedDict()
        self._lock = threading.Lock()

    def table(self, store: RunStore, number: int) -> StoredTable:
        """The rows of a run, read anew where it went on since.

        Raises
        ------
        StoreError
            If there is no such run, or it cannot be read.
        """
        run = store.run(number)
        with self._lock:  # Two pages that ask for the same run have it read once.
            read_at, known = self._held.get(number, (0.0, None))
            if known is None or _is_stale(known, run, time.monotonic() - read_at):
                self._held.pop(number, None)
                known = None  # Given back before there is another one.
                known = read_table(store, run)
                self._held[number] = (time.monotonic(), known)
            self._held.move_to_end(number)
            while len(self._held) > 1 and self._bytes() > self._most:
                self._held.popitem(last=False)
            return known

    def _bytes(self) -> int:
        return sum(table.nbytes for _, table in self._held.values())


def _is_stale(known: StoredTable, run: Run, age_s: float) -> bool:
    if (known.run.fingerprint, known.run.started) != (run.fingerprint, run.started):
        return True  # Deleted, and its number was given to another.
    if (known.run.state, known.run.ended) != (run.state, run.ended):
        return True
    return known.run.done != run.done and age_s > max(_LEAST_AGE_S, 10 * known.seconds)
