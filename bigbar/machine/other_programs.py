"""What other programs take of the processors, and how many workers that leaves."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable

import psutil

from bigbar.errors import SettingsError
from bigbar.given import whole
from bigbar.machine.resources import BLIND

#: In place of a number of workers: follow the machine.
AUTO = "auto"

#: More than this are a typing mistake: each is a process.
MOST_WORKERS = 1_024

#: Over so many seconds the others' use is averaged: a program that starts up for a moment should
#: not send workers home.
SMOOTHED_S = 1.0

#: One worker fewer once others need half a processor more than is left; one more only when nearly
#: two thirds of one are free beside those at work, so that a load on the edge does not make the
#: number swing.
LEAVE_AT, COME_BACK_AT = 0.5, 0.65


def worker_range(
    workers: int | str, least: int | None, most: int | None, *, usable: int
) -> tuple[int, int | None]:
    """How many workers there are to be, and to how many other programs may bring them down.

    Parameters
    ----------
    workers : int or "auto"
    least, most : int or None
        Of "auto"; by default 1 and the processors that may be used.
    usable : int
        Those processors.

    Returns
    -------
    workers : int
    least : int or None
        None where the number is fixed.

    Raises
    ------
    SettingsError
        If a number is below 1 or above `MOST_WORKERS`, there is a least or most without "auto", or
        they are the wrong way round.
    """
    for name, number in (("workers", workers), ("min-workers", least), ("max-workers", most)):
        if isinstance(number, int):
            whole(f"--{name}", number, least=1, most=MOST_WORKERS)
    if isinstance(workers, int):
        if least is not None or most is not None:
            name = "--max-workers" if least is None else "--min-workers"
            raise SettingsError(f"{name} is for --workers auto, but --workers is {workers}")
        return workers, None
    if workers != AUTO:
        raise SettingsError(f"--workers is {workers!r}, but must be a number or {AUTO!r}")
    most = max(usable, least or 1) if most is None else most
    least = 1 if least is None else least
    if least > most:
        raise SettingsError(f"--min-workers is {least}, but --max-workers is {most}")
    return most, least


class OtherPrograms:
    """How many processors everything that is not ours keeps busy, on those that we may use."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._processor_s: dict[int, float] | None = None
        self._ours_s = 0.0

    def look(self, ours: Iterable[int], now: float | None = None) -> float:
        """Look again, about four times a second.

        Parameters
        ----------
        ours : iterable of int
            Ids of our processes.
        now : float, optional
            Seconds of a clock that only goes forward.

        Returns
        -------
        float
            Processors, on average over the last second or so; 0 at the first look.
        """
        now = time.monotonic() if now is None else now
        self._count_ours(ours)
        self._seen.append((now, _busy_s() - self._ours_s))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SMOOTHED_S:
            self._seen.popleft()
        (began, before), (_, after) = self._seen[0], self._seen[-1]
        return max(0.0, (after - before) / (now - began)) if now > began else 0.0

    def _count_ours(self, ours: Iterable[int]) -> None:
        spent = {pid: seconds for pid in ours if (seconds := _spent_s(pid)) is not None}
        if self._processor_s is not None:  # who is new has spent it all since the last look
            before = self._processor_s
            self._ours_s += sum(all_ - before.get(pid, 0.0) for pid, all_ in spent.items())
        self._processor_s = spent


def workers_wanted(limit: int, free: float, least: int, most: int) -> int:
    """How many workers should be at work, given how many are.

    Parameters
    ----------
    limit : int
        How many are now.
    free : float
        Processors that other programs leave to us.
    least, most : int

    Returns
    -------
    int
    """
    if free < limit - LEAVE_AT:
        limit = int(free + LEAVE_AT)
    elif free > limit + COME_BACK_AT:
        limit = int(free + 1 - COME_BACK_AT)
    return min(max(limit, least), most)


def _busy_s() -> float:
    try:
        processors = psutil.cpu_times(percpu=True)
    except BLIND:  # Then nobody else is seen either.
        return 0.0
    if hasattr(os, "sched_getaffinity"):
        usable = os.sched_getaffinity(0)
        processors = [times for at, times in enumerate(processors) if at in usable]
    # Time stolen by other virtual machines is not there to be had, whatever we do.
    kinds = ("user", "nice", "system", "irq", "softirq")
    return sum(getattr(times, kind, 0.0) for times in processors for kind in kinds)


def _spent_s(pid: int) -> float | None:
    try:
        times = psutil.Process(pid).cpu_times()
    except BLIND:
        return None
    return float(times.user + times.system)
