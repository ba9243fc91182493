"""Memory and workers of a run, seen from outside: asking the system costs the run nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psutil

from bigbar.machine.resources import BLIND
from bigbar.machine.watch import ProcessMemory
from bigbar.store.owner import Owner, place


@dataclass(frozen=True)
class Seen:
    """A look at the processes of a run.

    Attributes
    ----------
    memory : int
        Bytes of all together.
    kind : str
        "pss", or "rss" where the system does not know what is shared.
    busy : dict of int to float
        Share of a processor that each worker process took since the last look, by its number.
    """

    memory: int
    kind: str
    busy: dict[int, float]


class Vitals:
    """Looks at the process of a run and those that it started.

    Parameters
    ----------
    owner : Owner
        Of the run.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._memory = ProcessMemory()
        self._known: dict[int, psutil.Process] = {}

    def look(self) -> Seen | None:
        """What there is to be seen; None of a run on another machine, or in another container."""
        if self._owner.place != place():
            return None
        try:
            children = psutil.Process(self._owner.pid).children(recursive=True)
        except BLIND:
            return None
        known = {child.pid: self._known.get(child.pid, child) for child in children}
        self._known = {pid: one for pid, one in known.items() if _is_worker(one)}
        busy = {pid: share for pid, one in self._known.items() if (share := _busy(one)) is not None}
        memory = self._memory.look([self._owner.pid, *self._known])
        return Seen(memory, self._memory.kind, busy)


#: In the commands of processes that a run has besides its workers: of Python's multiprocessing, the
#: dashboard, and a cluster that was started for it.
_NO_WORKERS = (
    *("resource_tracker", "bigbar.dashboard", "cluster/reaper.py", "gcs_server", "raylet"),
    *("ray/_private/", "ray/dashboard/", "ray/autoscaler/", "Agent", "ray::Warden"),
)


def _is_worker(process: Any) -> bool:
    """Whether it lives and is a worker."""
    try:
        command = " ".join(process.cmdline())
    except BLIND:
        return False
    return not any(name in command for name in _NO_WORKERS)


def _busy(process: Any) -> float | None:
    try:
        return float(process.cpu_percent(interval=None)) / 100
    except BLIND:
        return None
