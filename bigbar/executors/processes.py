"""A set of workers that can be taken down without waiting for any of them.

`multiprocessing.Pool` has no safe way out once a worker was killed: the dead may have held the
lock of a queue (an idle worker waits for work with the lock in its hand) or have written half a
result, and then `Pool.terminate` waits for ever. `ProcessBackend.demolish` never waits for a lock:
it kills the processes, closes the pipes, and so lets the pool's threads run out.
"""

from __future__ import annotations

import contextlib
import copy
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import util
from multiprocessing.pool import TERMINATE
from typing import Any, Literal

from bigbar.executors.throttle import Gate, Throttle

try:
    import fcntl
except ImportError:  # Windows has other pipes.
    fcntl = None  # type: ignore[assignment]

from bigbar.errors import WorkersLostError
from bigbar.executors.inside_process import (
    StatusBoard,
    TaskOutcome,
    run_in_process,
    run_while_parent_lives,
    start_worker,
)
from bigbar.executors.stopwatch import Stopwatch
from bigbar.interrupts import children_born_deaf, raise_received, signals_deferred
from bigbar.sharing.blocks import Block, create_segment
from bigbar.sharing.leftovers import SHARED_MEMORY, semaphores_of
from bigbar.sharing.tracker import register

#: How often the watch looks for dead workers, in seconds; also how long it waits for a result.
WATCH_S = 0.1

# A lock of the result queue that is not free after this long, in seconds, with every worker
# dead, was held by one of the dead: the parent itself holds it for a few microseconds.
_LOCK_S = 0.2

# Room for results on their way, in bytes: the most that Linux gives without privileges.
_PIPE_BYTES = 1 << 20

# How long to wait for processes that were killed, in seconds; one in the middle of a system call
# takes its time.
_JOIN_S = 5.0

# How long to wait for the pool's threads once their pipes are closed, in seconds. They stay if a
# process forked elsewhere has inherited the other ends; then they are left to end with it.
_THREAD_S = 0.5


@dataclass(frozen=True)
class Overdue:
    """Why a worker was ended in the middle of a task.

    Attributes
    ----------
    pid : int
    seconds : float
        The limit.
    stopped : bool
        It was stopped from outside for so long; else it was at work for so long.
    """

    pid: int
    seconds: float
    stopped: bool


class ProcessBackend:
    """A `multiprocessing.Pool` whose every process is known, from its first moment on.

    Parameters
    ----------
    workers : int
    start_method : str or None
        None for the platform's default.
    initializer : callable or None
    initargs : tuple
    growth : int or None
        Bytes of memory that a process may take on top of what it has after its initializer.

    Raises
    ------
    OSError, ImportError
        The system refuses processes or the semaphores that their queues need.
    """

    kind: Literal["processes", "threads"] = "processes"

    def __init__(
        self,
        workers: int,
        start_method: str | None,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        growth: int | None = None,
    ) -> None:
        self._processes: list[Any] = []
        self._board: StatusBoard | None = None
        self._gate: Gate | None = None
        self._overdue: dict[int, Overdue] = {}
        self._verdict: dict[int, int] | None = None
        self._down = False
        # The pool replaces its dead by itself and forgets them; a context of our own that keeps
        # every process it makes is what lets no death go unseen.
        context: Any = copy.copy(multiprocessing.get_context(start_method))
        make = context.Process
        context.Process = lambda *args, target, **options: self._enlist(
            make(*args, target=partial(run_while_parent_lives, target), **options)
        )
        self._anchor = _anchor_of_semaphores(context)
        try:
            with (
                children_born_deaf(),
                _semaphores_named_after(self._anchor),
                _no_main_that_is_no_file(),
            ):
                self._pool: Any = context.Pool(
                    workers, start_worker, (initializer, initargs, growth)
                )
        except BaseException:
            self._kill_all()
            self._let_go_of_semaphores()
            raise
        _widen(self._pool._outqueue._writer)

    def outcomes(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        limits: Sequence[float] | None = None,
        throttle: Throttle | None = None,
    ) -> Iterator[TaskOutcome]:
        """Run a round of tasks; yield what arrives, in the order in which it arrives.

        Ends when all have arrived, or early, with the backend taken down: when a worker has died
        (then `fallen` and `started` tell the rest), or when one was at a task for longer than its
        limit (then `overdue` does). `limits` are in seconds, one a task.
        """
        self._close_board()
        board = self._board = StatusBoard(len(tasks))
        gate = self._gate = None if throttle is None else Gate(tasks, throttle)
        run = partial(run_in_process, function, board.handle)
        handed = enumerate(tasks) if gate is None else gate
        results = self._pool.imap_unordered(run, handed, chunksize=1)
        watch = Stopwatch()
        missing, next_look = len(tasks), 0.0
        while missing and not self._down:
            now = time.monotonic()
            if now >= next_look:
                next_look = now + WATCH_S
                if limits is not None:
                    self._overdue = _find_overdue(board.running(), limits, watch, now)
                if self.fallen() or self._overdue:
                    with signals_deferred():
                        self.demolish()
                    yield from _leftovers(results)
                    return
                self._insist_on_a_reader()
                raise_received()
            try:
                outcome = results.next(WATCH_S)
            except multiprocessing.TimeoutError:
                continue
            missing -= 1
            board.arrived(outcome[0])
            if gate is not None:
                gate.finished()
            yield outcome

    def fallen(self) -> dict[int, int]:
        """Exit codes of the workers that have ended by themselves, by process id."""
        if self._verdict is not None:
            return self._verdict
        return {
            process.pid: process.exitcode
            for process in list(self._processes)
            if process.pid is not None and process.exitcode is not None
        }

    def started(self) -> dict[int, int]:
        """Process id of the worker that started it, by position of the task in the round."""
        return {} if self._board is None else self._board.started()

    def overdue(self) -> dict[int, Overdue]:
        """Tasks for whose sake the backend was taken down, by position in the round."""
        return self._overdue

    def running(self) -> int:
        """How many tasks are being worked on; any thread may ask."""
        board = self._board
        return 0 if board is None or self._down else len(board.running())

    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return [process.pid for process in list(self._processes) if process.is_alive()]

    def born(self) -> list[int]:
        """Process ids of all workers that there ever were; any thread may ask."""
        return [process.pid for process in list(self._processes) if process.pid is not None]

    @property
    def down(self) -> bool:
        """Whether it has been taken down."""
        return self._down

    def demolish(self) -> None:
        """Take everything down at once, whatever state it is in; a second call does nothing.

        Results that were sent whole are still read, and can be had from the iterator.
        """
        if self._down:
            return
        self._verdict = self.fallen()
        self._close_gate()
        pool = self._pool
        # Nobody may be replaced any more. (The handler also tells the task handler to end.)
        pool._state = pool._worker_handler._state = pool._task_handler._state = TERMINATE
        pool._change_notifier.put(None)
        pool._worker_handler.join(_JOIN_S)
        self._kill_all()
        # Without writers the reader of results comes to the end of the pipe, and so ends. Closed
        # under the lock, so that the task handler is never in the middle of a write; and before
        # it can add its own farewell to half a result of one of the dead.
        lock = pool._outqueue._wlock
        if lock is not None:
            lock.acquire(timeout=_LOCK_S)  # if not to be had, it died with its owner
        pool._outqueue._writer.close()
        if lock is not None:
            lock.release()
        # Without readers a task handler that waits for room in the pipe gets an error, and ends.
        pool._inqueue._reader.close()
        pool._taskqueue.put(None)
        pool._task_handler.join(_THREAD_S)
        pool._result_handler.join(_THREAD_S)
        self._forget(pool)
        self._down = True

    def _forget(self, pool: Any) -> None:
        # The pool's own way out runs at exit otherwise, and is the one that can hang.
        pool._terminate.cancel()
        if not pool._result_handler.is_alive():
            pool._outqueue._reader.close()
        if not pool._task_handler.is_alive():
            pool._inqueue._writer.close()
        pool._change_notifier.close()
        self._remind_tracker_of_semaphores()
        # Iterator, cache and pool refer to each other: taken apart, so that the semaphores of
        # the queues leave the system now and not with the next garbage collection.
        for iterator in list(pool._cache.values()):
            iterator._pool = None
            _let_go_of_what_was_not_sent(iterator)
        pool._cache.clear()
        self._pool = None
        self._let_go_of_semaphores()
        self._processes.clear()
        self._close_board()

    def _enlist(self, process: Any) -> Any:
        self._processes.append(process)
        return process

    def _kill_all(self) -> None:
        started = [process for process in list(self._processes) if process.pid is not None]
        for process in started:
            process.kill()
        for process in started:
            process.join(_JOIN_S)

    def _remind_tracker_of_semaphores(self) -> None:
        # It may be another one by now, which would complain that it does not know them.
        if self._anchor is not None:
            for semaphore in semaphores_of(self._anchor.handle.name):
                register("/" + semaphore.name.removeprefix("sem."), "semaphore")

    def _let_go_of_semaphores(self) -> None:
        if self._anchor is not None:
            self._anchor.close()

    def _close_board(self) -> None:
        if self._board is not None:
            self._board.close()

    def _close_gate(self) -> None:
        if self._gate is not None:
            self._gate.close()

    def _insist_on_a_reader(self) -> None:
        if not self._pool._result_handler.is_alive():
            raise WorkersLostError(
                "A result of a worker process could not be read back: its type can be pickled "
                "but not unpickled."
            )


def _let_go_of_what_was_not_sent(iterator: Any) -> None:
    """Of tasks for which there was no reader any more, keep the error and not where it was raised.

    There stand the bytes of the task, and a view of them: collected as garbage together, they are
    complained of from Python 3.13 on (`BufferError`).
    """
    for succeeded, value in list(iterator._items):
        if not succeeded:
            value.__traceback__ = None


def _anchor_of_semaphores(context: Any) -> Block | None:
    """A segment for semaphores to be named after, so that they are found when all are killed.

    Where processes are forked, or where the system does not show them as files, it is not needed.
    """
    if context.get_start_method() == "fork" or not SHARED_MEMORY.is_dir():
        return None
    if context.get_start_method() == "forkserver":
        util.get_temp_dir()  # Before there are workers, so that they know where it is.
    try:
        return create_segment(1)
    except (OSError, ImportError):
        return None


@contextlib.contextmanager
def _no_main_that_is_no_file() -> Iterator[None]:
    """Hide the name of a script that came from standard input: no worker can import it."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or getattr(main, "__spec__", None) is not None or os.path.exists(file):
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = file


@contextlib.contextmanager
def _semaphores_named_after(anchor: Block | None) -> Iterator[None]:
    config: dict[str, Any] = getattr(multiprocessing.current_process(), "_config", {})
    before = config.get("semprefix")
    if anchor is None or before is None:
        yield
        return
    config["semprefix"] = f"/{anchor.handle.name}"
    try:
        yield
    finally:
        config["semprefix"] = before


def _find_overdue(
    running: Mapping[int, int], limits: Sequence[float], watch: Stopwatch, now: float
) -> dict[int, Overdue]:
    spent = watch.look(running, now)
    return {
        at: Overdue(running[at], limits[at], one.worked <= limits[at])
        for at, one in spent.items()
        if max(one.worked, one.stopped) > limits[at]
    }


def _widen(pipe: Any) -> None:
    """Give a pipe room for whole results, so that a worker is at its next task while one is read.

    Otherwise it is 64 kB on Linux, a fifth of a usual slice's rows.
    """
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if set_size is not None:
        with contextlib.suppress(OSError):  # A user's pipes may be limited: then it stays small.
            fcntl.fcntl(pipe.fileno(), set_size, _PIPE_BYTES)


def _leftovers(results: Any) -> Iterator[TaskOutcome]:
    """What had arrived before a demolition."""
    while True:
        try:
            outcome = results.next(0)
        except (multiprocessing.TimeoutError, StopIteration):
            return
        except OSError as unsent:  # a task that was on its way to the dead: it is run again
            unsent.__traceback__ = None  # would keep the pool alive until a garbage collection
            continue
        yield outcome
