"""The watch over `multiprocessing.Pool.imap_unordered`, which waits for ever for a killed worker.

A worker can be killed at any time: by the out-of-memory killer, by an administrator, by the code
it runs. `WorkerPool` notices within a fraction of a second, starts a new set of workers, runs
again what was lost, and narrows a task that keeps killing its worker down to the piece that does
it. Every task gets exactly one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from bigbar._crew import ProcessCrew, ThreadCrew
from bigbar._signals import signals_deferred
from bigbar.errors import WorkersLostError

# A task that was being run at this many deaths is taken to be their cause. One may be chance:
# the out-of-memory killer takes whoever is largest.
_DEATHS_TO_BLAME = 2

# So many deaths in a row with no task to blame and no result between them: it will not get better.
_DEATHS_TO_GIVE_UP = 3


@dataclass(frozen=True)
class WorkerDied:
    """The answer for a task that kills whatever process runs it.

    Parameters
    ----------
    exitcode : int or None
        Of the last process that it ended; minus the signal number if that was killed.
    deaths : int
        How many processes this very task has ended.
    """

    exitcode: int | None
    deaths: int

    def describe(self) -> str:
        """How the last process ended, in words: `was killed (signal 9)`."""
        return _ending(self.exitcode)


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
    on_event : callable or None
        Called with a line for a person whenever something worth knowing happens.

    Raises
    ------
    ValueError
        `workers` is below 1, or the platform does not know the start method.
    """

    def __init__(
        self,
        workers: int,
        *,
        start_method: str | None,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...] = (),
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"A pool needs at least one worker, not {workers}.")
        self._workers = workers
        self._start_method = start_method
        self._initializer = initializer
        self._initargs = initargs
        self._on_event = on_event
        self._crew: ProcessCrew | ThreadCrew | None = None
        self._closed = False
        self._busy = False
        self._bereaved = False

    @property
    def kind(self) -> Literal["processes", "threads"]:
        """`"threads"` where the system refuses processes or their semaphores."""
        return self._ready_crew().kind

    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are alive; none for threads."""
        return [] if self._crew is None else self._crew.pids()

    def imap_unordered(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        split: Callable[[Any], Sequence[Any]] | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Run `function` on every task; yield each with its result as it is done.

        Parameters
        ----------
        function : callable
            Of one task; importable, so that it can be sent to a process.
        tasks : sequence
            Picklable.
        split : callable or None
            Cuts a task that kills its workers into smaller ones, which then take its place. One
            piece or none means that it is as small as it gets.

        Yields
        ------
        task : object
            One of `tasks`, or a piece of one.
        result : object
            What `function` returned, or `WorkerDied`.

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
        pending = [_Work(task) for task in tasks]
        fruitless = 0
        try:
            while pending:
                crew = self._ready_crew()
                finished: set[int] = set()
                for position, error, result in crew.outcomes(function, [w.task for w in pending]):
                    if error is not None:
                        raise error
                    finished.add(position)
                    fruitless = 0
                    yield pending[position].task, result
                lost = {at: work for at, work in enumerate(pending) if at not in finished}
                pending = list(lost.values())
                if not pending:
                    break
                blamed = self._take_stock(crew, lost)
                fruitless = 0 if blamed else fruitless + 1
                self._give_up_after(fruitless, crew)
                pending, hopeless = self._narrow(pending, split)
                for work in hopeless:
                    yield work.task, WorkerDied(work.exitcode, work.deaths)
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
            self._ready_crew()
        except BaseException:
            self.terminate()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.terminate()
        finally:  # a signal may have struck before `terminate` could hold it off
            self.terminate()

    def _ready_crew(self) -> ProcessCrew | ThreadCrew:
        if self._closed:
            raise ValueError("The worker pool was closed.")
        if self._crew is None:
            with signals_deferred():
                self._crew = self._recruit()
        return self._crew

    def _recruit(self) -> ProcessCrew | ThreadCrew:
        try:
            return ProcessCrew(self._workers, self._start_method, self._initializer, self._initargs)
        except (OSError, ImportError) as refused:
            if self._bereaved:  # what kills a process must not run in this one
                raise WorkersLostError(
                    f"Worker processes died, and no new ones could be started ({refused})."
                ) from refused
            self._tell(
                f"no worker processes can be had ({refused}); using {self._workers} threads of "
                "this process in their place"
            )
        return ThreadCrew(self._workers, self._initializer, self._initargs)

    def _dismiss(self) -> None:
        if self._crew is not None:
            with signals_deferred():
                self._crew.demolish()
                self._crew = None

    def _take_stock(self, crew: ProcessCrew | ThreadCrew, lost: dict[int, _Work]) -> bool:
        """Charge the dead to the tasks they were running; whether there was any."""
        self._crew = None
        self._bereaved = True
        underway = {at: pid for at, pid in crew.started().items() if at in lost}
        dead = crew.fallen()
        for at, pid in underway.items():
            if pid in dead:
                lost[at].deaths += 1
                lost[at].exitcode = dead[pid]
        for pid, exitcode in dead.items():
            again = f"{len(underway)} slice{'' if len(underway) == 1 else 's'}"
            self._tell(
                f"worker {pid} {_ending(exitcode)}; "
                + (f"starting {again} again" if underway else "starting another")
            )
        return any(pid in dead for pid in underway.values())

    def _give_up_after(self, fruitless: int, crew: ProcessCrew | ThreadCrew) -> None:
        if fruitless < _DEATHS_TO_GIVE_UP:
            return
        exitcode = next(iter(crew.fallen().values()), None)
        raise WorkersLostError(
            f"Worker processes died {fruitless} times in a row before they could start on "
            f"anything; the last one {_ending(exitcode)}. {_likely_cause(exitcode)}"
        )

    def _narrow(
        self, pending: list[_Work], split: Callable[[Any], Sequence[Any]] | None
    ) -> tuple[list[_Work], list[_Work]]:
        """Cut up the tasks that were there at too many deaths; those that cannot be: hopeless."""
        kept: list[_Work] = []
        hopeless: list[_Work] = []
        for work in pending:
            if work.deaths < _DEATHS_TO_BLAME:
                kept.append(work)
                continue
            pieces = [] if split is None else list(split(work.task))
            if len(pieces) > 1:
                self._tell(f"a slice ended {work.deaths} workers; trying it in smaller pieces")
                kept.extend(_Work(piece) for piece in pieces)
            else:
                self._tell(f"a task ended {work.deaths} workers on its own; leaving it out")
                hopeless.append(work)
        return kept, hopeless

    def _tell(self, line: str) -> None:
        if self._on_event is not None:
            self._on_event(line)


@dataclass
class _Work:
    task: Any
    deaths: int = 0
    exitcode: int | None = None


def _ending(exitcode: int | None) -> str:
    if exitcode is None:
        return "disappeared"
    if exitcode < 0:
        return f"was killed (signal {-exitcode})"
    return f"ended with exit code {exitcode}"


def _likely_cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode == -9:
        return (
            "The usual cause is the system's out-of-memory killer: try fewer workers, or close "
            "other programs."
        )
    if exitcode is not None and exitcode < 0:
        return "A compiled library may have crashed: try one worker to see it in isolation."
    return "Something ended the process before its work: what it printed should say more."
