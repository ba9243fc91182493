"""Who is at which task on a machine of a cluster: a table that a warden has, and workers write.

It has no name in the file system, so nothing is left of it, however everybody ends. The workers
open it through the warden's process (`/proc/PID/fd`), which Linux has and other systems have not.
"""

from __future__ import annotations

import mmap
import os
import time
from typing import Any

import numpy as np
import psutil

try:
    import fcntl
except ImportError:  # Windows has no such locks, and no clusters.
    fcntl = None  # type: ignore[assignment]

#: Workers of a machine at most, those of a run that have died among them.
ROWS = 4096

_ROW = np.dtype(
    [("pid", np.int64), ("serial", np.int64), ("begun_ns", np.int64), ("limit_s", np.float64)]
)


class Board:
    """The table as its owner sees it.

    Raises
    ------
    OSError
        This system has none.
    """

    def __init__(self) -> None:
        if not hasattr(os, "memfd_create") or fcntl is None:
            raise OSError("this system has no memory without a name")
        self._descriptor = os.memfd_create("bigbar")
        os.ftruncate(self._descriptor, ROWS * _ROW.itemsize)
        self.place = f"/proc/{os.getpid()}/fd/{self._descriptor}"
        self._rows = _mapped(self._descriptor)

    def workers(self) -> list[int]:
        """Process ids of all that ever wrote here."""
        return [int(pid) for pid in self._rows["pid"] if pid]

    def at_work(self) -> list[tuple[int, int, float]]:
        """Process id, task and limit in seconds of each that lives and is at a task."""
        busy = self._rows[self._rows["serial"] > 0]
        found = [(int(one["pid"]), int(one["serial"]), float(one["limit_s"])) for one in busy]
        return [one for one in found if psutil.pid_exists(one[0])]

    def begun(self, serial: int) -> int | None:
        """The process that is, or died, at a task; None where it was not begun, or is done."""
        found = np.flatnonzero(self._rows["serial"] == serial)
        return int(self._rows["pid"][found[0]]) if len(found) else None


class Seat:
    """A worker's own row.

    Parameters
    ----------
    place : str
        `Board.place`, of this machine.
    """

    def __init__(self, place: str) -> None:
        descriptor = os.open(place, os.O_RDWR)
        try:
            rows = _mapped(descriptor)
            fcntl.lockf(descriptor, fcntl.LOCK_EX)  # Nobody else takes the same row.
            at = _free(rows)
            rows["pid"][at] = os.getpid()
        finally:
            os.close(descriptor)  # Which unlocks it.
        self._row = rows[at : at + 1]

    def sit_down(self, serial: int, limit_s: float) -> None:
        """Begin with a task."""
        self._row["limit_s"] = limit_s
        self._row["begun_ns"] = time.monotonic_ns()
        self._row["serial"] = serial  # Last: whoever reads it finds the others beside it.

    def stand_up(self) -> None:
        """The task is done."""
        self._row["serial"] = 0


def _free(rows: np.ndarray[Any, Any]) -> int:
    """A row that nobody has; if there is none, one of the dead."""
    free = np.flatnonzero(rows["pid"] == 0)
    if len(free):
        return int(free[0])
    return next(at for at, pid in enumerate(rows["pid"]) if not psutil.pid_exists(int(pid)))


def _mapped(descriptor: int) -> np.ndarray[Any, Any]:
    return np.frombuffer(mmap.mmap(descriptor, ROWS * _ROW.itemsize), dtype=_ROW, count=ROWS)
