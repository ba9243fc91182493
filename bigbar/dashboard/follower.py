"""Following a run: one thread reads what is new of it, and all pages that show it share that."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bigbar.dashboard.reading import KeptStore, Runs
from bigbar.dashboard.scores import Scores
from bigbar.dashboard.vitals import Seen, Vitals
from bigbar.errors import BigBarError, SettingsError
from bigbar.history.rows import choice_of
from bigbar.statistics import NAMES
from bigbar.store.journal import read_journal
from bigbar.store.owner import Owner
from bigbar.store.records import NONSENSE, Run
from bigbar.store.runs import RunStore

#: How often a run is looked at, in seconds; a look that finds nothing new asks SQLite one number.
LOOK_S = 0.2

#: How often its processes are.
_VITALS_S = 1.0

#: The speed is that of so many last seconds.
_SPEED_S = 30.0

#: Problems of a damaged store that are shown.
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Moment:
    """A run as it is now.

    Attributes
    ----------
    run : Run
    at : float
        When that was read, in seconds since 1970.
    seen : float
        When it last told of itself.
    rate : float or None
        Combinations a second, of the last half minute; of all the time where it has ended.
    stage : str or None
        What it is doing.
    notes : list of (float, str)
        When and what.
    workers : dict of int to (int, float)
        Combinations and seconds of each, by the number of its process.
    vitals : Seen or None
    best : dict or None
        `value` and `parameters`.
    problems : tuple of str
        What is wrong with its rows.
    """

    run: Run
    at: float
    seen: float
    rate: float | None = None
    stage: str | None = None
    notes: list[tuple[float, str]] = field(default_factory=list)
    workers: dict[int, tuple[int, float]] = field(default_factory=dict)
    vitals: Seen | None = None
    best: dict[str, Any] | None = None
    problems: tuple[str, ...] = ()

    @property
    def left_s(self) -> float | None:
        """Seconds until all combinations are done, as it goes now."""
        if self.run.state != "running" or not self.rate:
            return None
        return (self.run.combinations - self.run.done) / self.rate

    @property
    def seconds(self) -> float:
        """That it has run, all attempts together."""
        since = self.at - self.seen if self.run.state == "running" else 0.0
        return self.run.seconds + max(0.0, since)


class RunFollower:
    """What is known of a run, read a little further each time; to be used in one thread.

    Parameters
    ----------
    runs : Runs
    number : int
        Of the run.

    Attributes
    ----------
    scores : Scores or None
        None where its objective is a function, of which the store knows the name only.
    """

    def __init__(self, runs: Runs, number: int) -> None:
        self._runs, self._number = runs, number
        self._kept = KeptStore(runs)
        self._version: int | None = None
        self._owner: Owner | None = None
        self._seen = 0.0
        self._run: Run | None = None
        self._look_at = 0.0
        self._forget()

    def _forget(self) -> None:
        """Begin anew with the rows."""
        self.scores: Scores | None = None
        self._last = self._counted = self._computed = 0
        self._lost: tuple[str, int] | None = None
        self._workers: dict[int, tuple[int, float]] = {}
        self._speed: deque[tuple[float, int]] = deque()
        self._problems: dict[str, None] = {}
        self._vitals: Vitals | None = None
        self._busy: Seen | None = None

    def close(self) -> None:
        """Close the store."""
        self._kept.close()

    def look(self) -> Moment | None:
        """The run as it is now; None where nothing has changed since the last look.

        Raises
        ------
        BigBarError
            If it cannot be read, or was deleted.
        """
        store, fresh = self._kept.opened()
        if fresh:
            self._version = None
            self._forget()
        now = time.time()
        version = store.version()
        due = now >= self._look_at
        if version == self._version and not due:
            return None
        before = self._run
        if version != self._version or self._is_gone():
            self._read(store)
            self._version = version
        assert self._run is not None
        running = self._run.state == "running"
        if not running and self._run is before:
            self._look_at = now + _VITALS_S
            return None
        if due and running and self._vitals is not None:
            self._busy = self._vitals.look()
        if due:
            self._look_at = now + _VITALS_S
        return self._moment(now)

    def _is_gone(self) -> bool:
        """Whether a run that says it is running has no process any more."""
        if self._run is None or self._run.state != "running" or self._owner is None:
            return False
        return not self._owner.lives(self._seen)

    def _read(self, store: RunStore) -> None:
        with store.snapshot():
            run = store.run(self._number)
            owner, self._seen = store.owner(self._number)
            if self._run is not None and _asked_for(run) != _asked_for(self._run):
                self._forget()  # Continued for another objective, or a file that was made anew.
            if owner != self._owner:
                self._owner, self._vitals = owner, Vitals(owner)
                self._speed.clear()
            if self.scores is None and self._counted == 0:
                self.scores = _scores_of(run)
            self._read_rows(store, run)
            if self._counted != run.done and self._lost != (run.state, run.done):
                # Rows were put in the place of others, whose numbers may be lower.
                self._last = self._counted = 0
                self.scores = _scores_of(run)
                self._workers.clear()
                self._read_rows(store, run)
                self._lost = run.state, run.done
        self._run = run
        if run.state == "running":
            self._speed.append((self._seen, self._computed))
            while len(self._speed) > 2 and self._speed[0][0] < self._seen - _SPEED_S:
                self._speed.popleft()

    def _read_rows(self, store: RunStore, run: Run) -> None:
        if self.scores is None:
            self._counted = run.done
            return
        for number, piece, rows in store.rows_after(run, self._last, damaged=self._complain):
            self._last = max(self._last, number)
            self.scores.add(piece.start, piece.stop, rows)
            if piece.worker is not None and isinstance(piece.worker, int):
                done, seconds = self._workers.get(piece.worker, (0, 0.0))
                took = piece.seconds if isinstance(piece.seconds, int | float) else 0.0
                self._workers[piece.worker] = done + len(piece), seconds + took
                self._computed += len(piece)
        self._counted = int(self.scores.done.sum())

    def _complain(self, what: str) -> None:
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems[what] = None

    def _rate(self) -> float | None:
        run = self._run
        assert run is not None
        if len(self._speed) > 1 and run.state == "running":
            (begun, before), (ended, after) = self._speed[0], self._speed[-1]
            if ended > begun and after > before:
                return (after - before) / (ended - begun)
        return run.done / run.seconds if run.seconds > 0 and run.done else None

    def _moment(self, now: float) -> Moment:
        run, owner = self._run, self._owner
        assert run is not None
        assert owner is not None
        entries = read_journal(self._runs.folder, run.id, owner)
        stages = [one.text for one in entries if one.kind == "stage"]
        running = run.state == "running"
        return Moment(
            run=run,
            at=now,
            seen=self._seen,
            rate=self._rate(),
            stage=stages[-1] if stages and running else None,
            notes=[(one.at, one.text) for one in entries if one.kind == "note"],
            workers=dict(self._workers),
            vitals=self._busy if running else None,
            best=self._best(run),
            problems=tuple(self._problems),
        )

    def _best(self, run: Run) -> dict[str, Any] | None:
        """The answer of a run that has one; of others the best so far."""
        answered = run.ended is not None and run.state != "interrupted" and run.best is not None
        if answered and run.best_value is not None:
            return {"value": run.best_value, "parameters": run.best_parameters}
        if self.scores is None or self.scores.best is None:
            return None
        return {"value": self.scores.value(), "parameters": dict(run.grid[self.scores.best])}


def _asked_for(run: Run) -> tuple[object, ...]:
    """What its scores are made of."""
    points = len(run.grid)  # A search goes on asking for more.
    return run.fingerprint, run.objective, run.settings.get("min_trades"), points


def _scores_of(run: Run) -> Scores | None:
    if run.identity.parts["statistics"] != list(NAMES):
        return None
    try:
        return Scores(run.grid, choice_of(run))
    except SettingsError:  # By a function from Python.
        return None


def safely(look: Callable[[], Moment | None]) -> Moment | BigBarError | None:
    """What a look gives, or what is wrong; a store may hold anything."""
    try:
        return look()
    except BigBarError as problem:
        return problem
    except MemoryError:
        return BigBarError("there is not enough memory for the rows of this run")
    except NONSENSE as problem:
        return BigBarError(f"this run holds values that make no sense ({problem!r})")
