"""How long a worker has really been at a task: a loaded machine or a stop is not held against it.

Time on the clock says little about a task. A worker that was stopped (SIGSTOP, a debugger), that
waits for a processor behind other programs, or whose parent was stopped with it (Ctrl-Z), has done
nothing wrong. So what counts is what the worker was seen to do between two looks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from bigbar.machine.resources import BLIND

# At most this much of the time between two looks counts, in seconds: looks are a tenth of a second
# apart, and if they are not, it was the parent that was held up.
_MOST_S = 0.5

# A running process is charged with its processor time where the system tells the two apart: on
# others than Linux a process that sleeps is said to be running as well.
_TELLS_RUNNING = sys.platform.startswith("linux")


@dataclass
class Spent:
    """Seconds of a worker on one task.

    Attributes
    ----------
    worked : float
        Computing, or waiting for something of its own: a file, a lock, the end of a sleep.
    stopped : float
        Stopped from outside.
    """

    worked: float = 0.0
    stopped: float = 0.0


class Stopwatch:
    """Adds up what each running task has spent, from look to look."""

    def __init__(self) -> None:
        self._spent: dict[int, Spent] = {}
        self._processes: dict[int, psutil.Process] = {}
        self._processor_s: dict[int, float] = {}
        self._last: float | None = None

    def look(self, running: Mapping[int, int], now: float) -> dict[int, Spent]:
        """Look at all workers.

        Parameters
        ----------
        running : mapping of int to int
            Process id by the position of the task that it is at.
        now : float
            Seconds of a clock that only goes forward.

        Returns
        -------
        dict of int to Spent
            By position. A task counts from the look at which it is first seen, or the next one.
        """
        passed = 0.0 if self._last is None else min(now - self._last, _MOST_S)
        self._last = now
        before, self._spent = self._spent, {}
        for at, pid in running.items():
            self._spent[at] = before.get(at, Spent())
            if at in before:  # most are over before they are seen twice
                self._charge(self._spent[at], pid, passed)
            else:
                self._processor_s.pop(pid, None)
        return self._spent

    def _charge(self, spent: Spent, pid: int, passed: float) -> None:
        try:
            if pid not in self._processes:
                self._processes[pid] = psutil.Process(pid)
            process = self._processes[pid]
            with process.oneshot():
                status, times = process.status(), process.cpu_times()
        except BLIND:  # It has just died, and the watch will see; or it cannot be looked at.
            spent.worked += passed
            return
        processor_s = times.user + times.system
        used = processor_s - self._processor_s.get(pid, processor_s)
        self._processor_s[pid] = processor_s
        if status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            spent.worked += used
            spent.stopped += passed
        elif status == psutil.STATUS_RUNNING and _TELLS_RUNNING:
            spent.worked += used
        else:
            spent.worked += passed
