"""Threads as workers, for want of processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import queues
from multiprocessing.pool import ThreadPool
from typing import Any, Literal

from bigbar.executors.inside_process import (
    TaskOutcome,
    run_in_thread,
    start_thread,
)
from bigbar.executors.processes import WATCH_S, Overdue
from bigbar.executors.throttle import Gate, Throttle
from bigbar.interrupts import raise_received


class ThreadBackend:
    """Threads of this process with the interface of `ProcessBackend`, for want of processes.

    The initializer runs once in each thread, as it does in each process.
    """

    kind: Literal["processes", "threads"] = "threads"

    def __init__(
        self,
        workers: int,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
    ) -> None:
        self._pool = _ThreadPoolWithoutSemaphores(workers, start_thread, (initializer, initargs))
        self._workers = workers
        self._gate: Gate | None = None

    def outcomes(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        limits: Sequence[float] | None = None,
        throttle: Throttle | None = None,
    ) -> Iterator[TaskOutcome]:
        """Run a round of tasks; yield what arrives, in the order in which it arrives.

        A thread cannot be ended from outside: `limits` are not kept.
        """
        run = partial(run_in_thread, function)
        gate = self._gate = Gate(tasks, throttle or Throttle(len(tasks)))
        results = self._pool.imap_unordered(run, gate, chunksize=1)
        missing = len(tasks)
        while missing:
            try:
                outcome = results.next(WATCH_S)
            except multiprocessing.TimeoutError:
                raise_received()
                continue
            missing -= 1
            gate.finished()
            yield outcome

    def fallen(self) -> dict[int, int]:
        """Threads do not die."""
        return {}

    def started(self) -> dict[int, int]:
        """Nobody asks, since nobody dies."""
        return {}

    def overdue(self) -> dict[int, Overdue]:
        """Threads cannot be ended."""
        return {}

    def running(self) -> int:
        """How many tasks are being worked on."""
        return 0 if self._gate is None else min(self._gate.underway, self._workers)

    def pids(self) -> list[int]:
        """There are no processes."""
        return []

    def born(self) -> list[int]:
        """There never were any."""
        return []

    @property
    def down(self) -> bool:
        """It stays."""
        return False

    def demolish(self) -> None:
        """Drop the tasks that wait; a task that runs ends in its own time, its result unread."""
        if self._gate is not None:
            self._gate.close()
        self._pool.terminate()


class _ThreadPoolWithoutSemaphores(ThreadPool):
    """`ThreadPool` makes one queue with the semaphores that could not be had: not this one."""

    def _setup_queues(self) -> None:
        super()._setup_queues()  # type: ignore[misc]
        self._ctx = _ThreadContext()


class _ThreadContext:
    Lock = staticmethod(threading.Lock)

    def SimpleQueue(self) -> Any:
        return queues.SimpleQueue(ctx=self)
