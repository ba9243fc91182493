"""A task on its way to an answer: what it is to blame for, and how it is cut up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bigbar.executors.contract import Limit, TookTooLong, WorkerDied

# A task that was being run at this many deaths is taken to be their cause. One may be chance:
# the out-of-memory killer takes whoever is largest.
_DEATHS_TO_BLAME = 2


@dataclass(eq=False)
class Work:
    """A task, and what became of it so far.

    Attributes
    ----------
    task : object
    suspect : bool
        Whether it is a piece of one that took too long.
    deaths : int
        Of workers that were at it.
    exitcode : int or None
        Of the last of them.
    overdue_s : float or None
        The limit that it went beyond.
    """

    task: Any
    suspect: bool = False
    deaths: int = 0
    exitcode: int | None = None
    overdue_s: float | None = None

    def limit_by(self, limit: Limit) -> float:
        """How long it may take, in seconds."""
        return limit(self.task, self.suspect)

    def fault(self) -> str | None:
        """What it is to blame for, in words."""
        if self.overdue_s is not None:
            return f"took longer than {self.overdue_s:.3g} s"
        return f"ended {self.deaths} workers" if self.deaths >= _DEATHS_TO_BLAME else None

    def verdict(self) -> WorkerDied | TookTooLong:
        """Its answer, where it can be cut no smaller."""
        if self.overdue_s is not None:
            return TookTooLong(self.overdue_s)
        return WorkerDied(self.exitcode, self.deaths)

    def piece(self, task: Any) -> Work:
        """A part of it."""
        return type(self)(task, self.suspect or self.overdue_s is not None)


def narrowed(
    pending: Iterable[Work],
    split: Callable[[Any], Sequence[Any]] | None,
    tell: Callable[[str], None],
) -> tuple[list[Work], list[Work]]:
    """Cut up the tasks that are to blame for something; those that cannot be: hopeless.

    Returns
    -------
    kept, hopeless : list of Work
    """
    kept: list[Work] = []
    hopeless: list[Work] = []
    for work in pending:
        fault = work.fault()
        if fault is None:
            kept.append(work)
            continue
        pieces = [] if split is None else list(split(work.task))
        if len(pieces) > 1:
            tell(f"a slice {fault}; trying it in smaller pieces")
            kept.extend(work.piece(piece) for piece in pieces)
        else:
            tell(f"a task {fault} on its own; leaving it out")
            hopeless.append(work)
    return kept, hopeless
