"""The watch over `multiprocessing.Pool.imap_unordered`, which waits for ever for a killed worker.

A worker can be killed at any time: by the out-of-memory killer, by an administrator, by the code
it runs. `WorkerPool` notices within a fraction of a second, starts a new set of workers, runs
again what was lost, and narrows a task that keeps killing its worker down to the piece that does
it. The same for a task that does not come to an end. Every task gets exactly one answer.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self

from bigbar.errors import WorkersLostError
from bigbar.executors.contract import Limit, Losses, Machine, ending
from bigbar.executors.inside_process import UNGUARDED
from bigbar.executors.processes import ProcessBackend
from bigbar.executors.threads import ThreadBackend
from bigbar.executors.throttle import Throttle
from bigbar.executors.work import Work, narrowed
from bigbar.interrupts import signals_deferred

#: Handing out a slice and taking its rows, in seconds of this process.
_HAND_OUT_S = 30e-6

# So many deaths in a row with no task to blame and no result between them: it will not get better.
_DEATHS_TO_GIVE_UP = 3


class WorkerPool:
    """Worker processes that survive the death of any of them; use it in a `with` block.

    Leaving the block, however that comes about, leaves no process behind.

    Parameters
    ----------
    workers : int
        Number of processes, at least 1.
    start_method : {"fork", "spawn", "forkserver"} or None
        None for the platform's default.
    initializer : callable or None
        Run once in each process before its first task. An exception in it is raised to the
        caller with the first result.
    initargs : tuple
        Its arguments.
    growth : int or None
        Bytes of memory that a worker may take on top of what it has after its initializer; past
        that the system refuses it more, and Python raises a `MemoryError`. On Linux only.
    on_event : callable or None
        Called with a line for a person whenever something worth knowing happens.

    Attributes
    ----------
    workers : int
    losses : Losses
        So far.

    Raises
    ------
    ValueError
        `workers` is below 1, or the platform does not know the start method.
    """

    hand_out_s = _HAND_OUT_S

    def __init__(
        self,
        workers: int,
        *,
        start_method: str | None,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...] = (),
        growth: int | None = None,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"A pool needs at least one worker, not {workers}.")
        self.workers = workers
        self._start_method = start_method
        self._initializer = initializer
        self._initargs = initargs
        self._growth = growth
        self._on_event = on_event
        self.losses = Losses()
        self._backend: ProcessBackend | ThreadBackend | None = None
        self._closed = False
        self._busy = False
        self._bereaved = False

    @property
    def kind(self) -> Literal["processes", "threads"]:
        """`"threads"` where the system, or Python, refuses processes or their semaphores."""
        return self._ready_backend().kind

    def machines(self) -> list[Machine]:
        """There is this one only."""
        return []

    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are alive; none for threads."""
        return [] if self._backend is None else self._backend.pids()

    def born(self) -> list[int]:
        """Process ids of this set of workers, of the dead ones too; any thread may ask."""
        backend = self._backend
        return [] if backend is None else backend.born()

    def running(self) -> int:
        """How many tasks are being worked on at this moment; any thread may ask."""
        backend = self._backend
        return 0 if backend is None else backend.running()

    def imap_unordered(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        split: Callable[[Any], Sequence[Any]] | None = None,
        limit: Limit | None = None,
        throttle: Throttle | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """As of the contract.

        Parameters
        ----------
        function, tasks, split, throttle
            See `bigbar.executors.contract.Executor.imap_unordered`.
        limit : callable or None
            A worker that is at a task for longer is ended, and the task cut up. Time in which a
            worker was stopped, or kept waiting for a processor, does not count; a worker that was
            stopped for so long is replaced, its task run again. Threads cannot be ended: for them
            nothing is too long.

        Yields
        ------
        task : object
            One of `tasks`, or a piece of one.
        result : object
            What `function` returned, or `WorkerDied`, or `TookTooLong`.

        Raises
        ------
        WorkersLostError
            Workers keep dying with no task to blame.
        Exception
            Whatever `function` or the initializer raised; the tasks that are running are lost.
        """
        if self._busy:
            raise RuntimeError("This pool is still busy with an earlier round of tasks.")
        self._busy = True
        pending = [Work(task) for task in tasks]
        fruitless = 0
        try:
            while pending:
                backend = self._ready_backend()
                finished: set[int] = set()
                for position, error, result in backend.outcomes(
                    function,
                    [work.task for work in pending],
                    limits=None if limit is None else [w.limit_by(limit) for w in pending],
                    throttle=throttle,
                ):
                    if error is not None:
                        raise error
                    finished.add(position)
                    fruitless = 0
                    yield pending[position].task, result
                lost = {at: work for at, work in enumerate(pending) if at not in finished}
                pending = list(lost.values())
                if not (pending or backend.down):
                    break
                self._insist_on_a_guard(backend)
                blamed = self._take_stock(backend, lost)
                if not pending:  # A worker died with nothing left to do.
                    break
                fruitless = 0 if blamed else fruitless + 1
                self._give_up_after(fruitless, backend)
                pending, hopeless = narrowed(pending, split, self._tell)
                for work in hopeless:
                    yield work.task, work.verdict()
        finally:
            self._busy = False
            if pending:
                self._dismiss()

    def terminate(self) -> None:
        """Kill all workers and remove every trace of them; a second call does nothing."""
        self._closed = True
        self._dismiss()

    close = terminate

    def __enter__(self) -> Self:
        try:
            self._ready_backend()
        except BaseException:
            self.terminate()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.terminate()
        finally:  # a signal may have struck before `terminate` could hold it off
            self.terminate()

    def _ready_backend(self) -> ProcessBackend | ThreadBackend:
        if self._closed:
            raise ValueError("The worker pool was closed.")
        if self._backend is None:
            with signals_deferred():
                self._backend = self._start_backend()
        return self._backend

    def _start_backend(self) -> ProcessBackend | ThreadBackend:
        if multiprocessing.current_process().daemon:  # Python starts no process for those.
            self._tell(
                "this process is itself a worker of a pool, and may have no processes of its own; "
                f"using {self.workers} threads in their place"
            )
            return ThreadBackend(self.workers, self._initializer, self._initargs)
        try:
            return ProcessBackend(
                self.workers, self._start_method, self._initializer, self._initargs, self._growth
            )
        except (OSError, ImportError) as refused:
            if self._bereaved:  # what kills a process must not run in this one
                raise WorkersLostError(
                    f"Worker processes died, and no new ones could be started ({refused})."
                ) from refused
            self._tell(
                f"no worker processes can be had ({refused}); using {self.workers} threads of "
                "this process in their place"
            )
        return ThreadBackend(self.workers, self._initializer, self._initargs)

    def _dismiss(self) -> None:
        if self._backend is not None:
            with signals_deferred():
                self._backend.demolish()
                self._backend = None

    def _take_stock(self, backend: ProcessBackend | ThreadBackend, lost: dict[int, Work]) -> bool:
        """Charge the dead, and the endless, to the tasks they were at; whether there was any."""
        self._backend = None
        underway = {at: pid for at, pid in backend.started().items() if at in lost}
        dead, overdue = backend.fallen(), backend.overdue()
        self._bereaved = self._bereaved or bool(dead)
        for at, pid in underway.items():
            if pid in dead:
                lost[at].deaths += 1
                lost[at].exitcode = dead[pid]
        again = f"{len(underway)} slice{'' if len(underway) == 1 else 's'}"
        for pid, exitcode in dead.items():
            self._tell(
                f"worker {pid} {ending(exitcode)}; "
                + (f"starting {again} again" if underway else "starting another")
            )
        for at, found in overdue.items():
            if found.stopped:
                self._tell(
                    f"worker {found.pid} was stopped for {found.seconds:g} s; starting {again} "
                    "again in another"
                )
            elif at in lost:  # else its result came at the last moment
                lost[at].overdue_s = found.seconds
        stopped = sum(found.stopped for found in overdue.values())
        self.losses = Losses(
            self.losses.deaths + len(dead),
            self.losses.overdue + len(overdue) - stopped,
            self.losses.stopped + stopped,
        )
        return bool(overdue) or any(pid in dead for pid in underway.values())

    def _insist_on_a_guard(self, backend: ProcessBackend | ThreadBackend) -> None:
        if UNGUARDED in backend.fallen().values():
            raise WorkersLostError(
                "The script begins this run whenever it is imported, as each worker does at its "
                'start: put the call under `if __name__ == "__main__":`'
            )

    def _give_up_after(self, fruitless: int, backend: ProcessBackend | ThreadBackend) -> None:
        if fruitless < _DEATHS_TO_GIVE_UP:
            return
        exitcode = next(iter(backend.fallen().values()), None)
        raise WorkersLostError(
            f"Worker processes died {fruitless} times in a row before they could start on "
            f"anything; the last one {ending(exitcode)}. {_likely_cause(exitcode, self.workers)}"
        )

    def _tell(self, line: str) -> None:
        if self._on_event is not None:
            self._on_event(line)


def _likely_cause(exitcode: int | None, workers: int) -> str:
    several = workers > 1
    if exitcode is not None and exitcode == -9:
        fewer = "try fewer workers, or " if several else ""
        return f"The usual cause is the system's out-of-memory killer: {fewer}close other programs."
    if exitcode is not None and exitcode < 0:
        alone = ": try one worker to see it in isolation" if several else ""
        return f"A compiled library may have crashed{alone}."
    return "Something ended the process before its work: what it printed should say more."
