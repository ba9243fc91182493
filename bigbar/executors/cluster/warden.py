"""Who looks after the workers of a machine, on that machine: what they are at, and for how long.

It is an actor that takes no processor. It says what is installed there before anything is sent,
ends what takes too long (counted from when a worker began, as `bigbar.executors.stopwatch` counts),
tells what workers died at, and answers once a second: a machine whose warden says nothing is frozen
or cut off, long before Ray gives it up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from bigbar.executors.cluster.board import Board
from bigbar.executors.stopwatch import Stopwatch
from bigbar.machine.resources import BLIND

#: How often it looks for what takes too long, in seconds.
WATCH_S = 0.1


@dataclass(frozen=True)
class Greeting:
    """What a machine says of itself.

    Attributes
    ----------
    host : str
    board : str
        Where its workers write what they are at; empty where there is no such place.
    versions : dict of str to str
    """

    host: str
    board: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Look:
    """What a warden sees of its machine.

    Attributes
    ----------
    now : float
        Seconds by its `time.time`.
    pids : tuple of int
        Workers of the run that are alive.
    memory : int
        Bytes that each of these holds by itself, added up.
    """

    now: float
    pids: tuple[int, ...]
    memory: int


@dataclass(frozen=True)
class Fate:
    """What a worker died at.

    Attributes
    ----------
    begun : bool
        Whether a worker had begun with the task.
    overdue_s : float or None
        The limit that it was ended for.
    stopped : bool
        Whether it was stopped from outside for so long, in place of being at work.
    """

    begun: bool
    overdue_s: float | None = None
    stopped: bool = False


class Warden:
    """Looks after the workers of one run on one machine.

    Parameters
    ----------
    versions : callable
        Of what is installed here, by names for a person.
    named : tuple of str
        Its argument.
    """

    def __init__(self, versions: Callable[..., dict[str, str]], named: tuple[str, ...]) -> None:
        self._board: Board | None = None
        with contextlib.suppress(OSError):
            self._board = Board()
        self._versions = versions(named)
        self._ended: dict[int, Fate] = {}
        if self._board is not None:
            threading.Thread(target=self._watch, daemon=True).start()

    def greet(self) -> Greeting:
        """What this machine is, and has installed."""
        place = "" if self._board is None else self._board.place
        return Greeting(socket.gethostname(), place, self._versions)

    def look(self) -> Look:
        """Who is at work here, and what that takes."""
        pids, memory = [], 0
        for pid in [] if self._board is None else self._board.workers():
            with contextlib.suppress(*BLIND):
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    held = process.memory_info()
                    memory += held.rss - getattr(held, "shared", 0)
                    pids.append(pid)
        return Look(time.time(), tuple(pids), memory)

    def fate(self, serial: int) -> Fate:
        """What became of a task whose worker has died."""
        if serial in self._ended:
            return self._ended[serial]
        return Fate(self._board is None or self._board.begun(serial) is not None)

    def _watch(self) -> None:
        assert self._board is not None
        watch = Stopwatch()
        while True:
            time.sleep(WATCH_S)
            busy = {serial: (pid, limit) for pid, serial, limit in self._board.at_work()}
            limits: dict[int, Any] = {at: one for at, one in busy.items() if one[1] < float("inf")}
            spent = watch.look({at: pid for at, (pid, _) in limits.items()}, time.monotonic())
            for serial, one in spent.items():
                pid, limit = limits[serial]
                if max(one.worked, one.stopped) > limit and self._board.begun(serial) == pid:
                    self._ended[serial] = Fate(True, limit, one.worked <= limit)
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
