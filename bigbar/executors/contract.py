"""What every executor can do, whoever does the work: processes, threads, machines of a cluster.

An executor has workers that were made ready once, gets slices, and gives each exactly one answer.
`bigbar.executors.find` has those there are; nobody else knows which one it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bigbar.executors.throttle import Throttle


class Unanswered:
    """What takes the place of the result of a task that cannot be answered."""

    def reason(self) -> str:
        """Why there is no result, in words."""
        return "there is no answer"


@dataclass(frozen=True)
class WorkerDied(Unanswered):
    """The answer for a task that kills whatever process runs it.

    Parameters
    ----------
    exitcode : int or None
        Of the last process that it ended; minus the signal number if that was killed. None where
        that is not known.
    deaths : int
        How many processes this very task has ended.
    """

    exitcode: int | None
    deaths: int

    def describe(self) -> str:
        """How the last process ended, in words: `was killed (signal 9)`."""
        return ending(self.exitcode)

    def reason(self) -> str:
        return f"its worker died {self.deaths} times ({self.describe()})"


@dataclass(frozen=True)
class TookTooLong(Unanswered):
    """The answer for a task that was not done within its limit, and cannot be cut any smaller.

    Parameters
    ----------
    seconds : float
        The limit.
    """

    seconds: float

    def reason(self) -> str:
        return f"took longer than {self.seconds:g} s"


def ending(exitcode: int | None) -> str:
    """How a process ended, in words."""
    if exitcode is None:
        return "disappeared"
    if exitcode < 0:
        return f"was killed (signal {-exitcode})"
    return f"ended with exit code {exitcode}"


#: The limit of a task in seconds; also told whether it is a piece of one that took too long.
Limit = Callable[[Any, bool], float]


@dataclass(frozen=True)
class Losses:
    """What an executor went through.

    Attributes
    ----------
    deaths : int
        Workers that died by themselves or were killed by somebody else.
    overdue : int
        Workers that were ended because their task took longer than its limit.
    stopped : int
        Workers that were ended because they were stopped for longer than that.
    """

    deaths: int = 0
    overdue: int = 0
    stopped: int = 0


@dataclass(frozen=True)
class Machine:
    """A machine of a cluster.

    Attributes
    ----------
    name : str
    processors : int
        That work for this run at once.
    tasks : int
        That it has answered.
    memory : int
        Bytes that its workers hold, as far as is known.
    """

    name: str
    processors: int
    tasks: int
    memory: int


class Executor(Protocol):
    """Workers that have been made ready by an initializer; use it in a `with` block, or close it.

    Workers that share memory with this process may write what they find where a task says; all
    others return it (see `bigbar.worker.run_returns`).

    Attributes
    ----------
    losses : Losses
        So far.
    hand_out_s : float
        Processor time of this process for a task and its answer.
    """

    losses: Losses
    hand_out_s: float

    @property
    def workers(self) -> int:
        """That are at work at once, at most; of machines that come and go, at this moment."""
        ...

    @property
    def kind(self) -> Literal["processes", "threads", "cluster"]:
        """What workers are."""
        ...

    def imap_unordered(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        split: Callable[[Any], Sequence[Any]] | None = None,
        limit: Limit | None = None,
        throttle: Throttle | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Run a function on every task; yield each with its result as it is done.

        Parameters
        ----------
        function : callable
            Of one task; importable by every worker.
        tasks : sequence
            Picklable.
        split : callable or None
            Cuts a task that kills its workers, or takes too long, into smaller ones, which then
            take its place. One piece or none means that it is as small as it gets.
        limit : callable or None
            How long a task may take, in seconds from when a worker began with it.
        throttle : Throttle or None
            How many tasks may be worked on at once, where that is to change as they go.

        Yields
        ------
        task : object
            One of `tasks`, or a piece of one.
        result : object
            What `function` returned, or an `Unanswered`.
        """
        ...

    def machines(self) -> list[Machine]:
        """The machines that have taken part, this one aside where it is the only one."""
        ...

    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are alive on this machine, where each is known."""
        ...

    def born(self) -> list[int]:
        """Process ids on this machine whose memory is this run's; any thread may ask."""
        ...

    def running(self) -> int:
        """How many tasks are being worked on at this moment; any thread may ask."""
        ...

    def close(self) -> None:
        """End all work and remove every trace of it; a second call does nothing."""
        ...
