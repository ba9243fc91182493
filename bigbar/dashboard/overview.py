"""All runs of a folder at a glance: which there are, and how far those are that go on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bigbar.dashboard.reading import KeptStore, Runs
from bigbar.store.records import DamagedRun, Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import NoSuchRun

#: How often it is looked whether the process of a run has gone, in seconds.
_ALIVE_S = 1.0


@dataclass(frozen=True)
class Glance:
    """The runs as they are now.

    Attributes
    ----------
    states : tuple of (int, str)
        Of all, by their numbers: another list must be drawn where these are others.
    running : tuple of Run
    left_s : dict of int to float
        Seconds that those are expected to take, by their numbers.
    """

    states: tuple[tuple[int, str], ...]
    running: tuple[Run, ...] = ()
    left_s: dict[int, float] = field(default_factory=dict)


class Overview:
    """Looks at all runs, and reads again only those that have changed.

    Parameters
    ----------
    runs : Runs
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._kept = KeptStore(runs)
        self._version: int | None = None
        self._known: dict[int, tuple[str, Run | DamagedRun]] = {}
        self._firsts: dict[int, tuple[float, int]] = {}
        self._alive_at = 0.0
        self._said: Glance | None = None

    def close(self) -> None:
        """Close the store."""
        self._kept.close()

    def look(self) -> Glance | None:
        """The runs as they are now; None where nothing has changed.

        Raises
        ------
        BigBarError
            If they cannot be read.
        """
        if not self._runs.path.exists():
            self.close()
            return self._told(Glance(()))
        store, fresh = self._kept.opened()
        if fresh:
            self._version = None
            self._known.clear()
        version, now = store.version(), time.monotonic()
        if version == self._version and now < self._alive_at:
            return None
        self._version, self._alive_at = version, now + _ALIVE_S
        self._read(store)
        found = [run for _, run in self._known.values()]
        running = tuple(run for run in found if isinstance(run, Run) and _runs(run))
        states = tuple(
            (run.id, run.state if isinstance(run, Run) else "damaged")
            for run in sorted(found, key=lambda run: run.id)
        )
        return self._told(Glance(states, running, self._left(running)))

    def _read(self, store: RunStore) -> None:
        """What has another seal than before; and whether what was running has gone."""
        marks = dict(store.marks())
        for number in self._known.keys() - marks.keys():
            del self._known[number]
        for number, mark in marks.items():
            before = self._known.get(number)
            if before is not None and before[0] == mark and not _runs(before[1]):
                continue
            try:
                self._known[number] = mark, store.run(number)
            except DamagedRun as problem:
                self._known[number] = mark, problem
            except NoSuchRun:  # Deleted just now.
                self._known.pop(number, None)

    def _left(self, running: tuple[Run, ...]) -> dict[int, float]:
        left: dict[int, float] = {}
        now = time.monotonic()
        self._firsts = {run.id: self._firsts.get(run.id, (now, run.done)) for run in running}
        for run in running:
            begun, before = self._firsts[run.id]
            done, spent = run.done - before, now - begun
            if not done:  # Just come to: by what it has done since it began.
                done, spent = run.done, run.seconds
            if done > 0 and spent > 0:
                left[run.id] = (run.combinations - run.done) * spent / done
        return left

    def _told(self, now: Glance) -> Glance | None:
        """It, if it says something new."""
        if self._said is not None and not now.running and now.states == self._said.states:
            return None
        self._said = now
        return now


def _runs(run: Run | DamagedRun) -> bool:
    return isinstance(run, Run) and run.state == "running"
