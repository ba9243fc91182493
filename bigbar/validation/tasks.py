"""How the validation hands out work: to a pool of workers, or one task after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol


class Imap(Protocol):
    """What `bigbar.pool.WorkerPool.imap_unordered` does: every task with its result, as it comes.

    The workers have been started by `bigbar.workers.start_worker` on the file that the validation
    is about.
    """

    def __call__(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        split: Callable[[Any], Sequence[Any]] | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Run a function on every task; a task that kills its workers comes back in pieces."""
        ...


def one_by_one(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    *,
    split: Callable[[Any], Sequence[Any]] | None = None,
) -> Iterator[tuple[Any, Any]]:
    """An `Imap` without a pool: in this thread, which must have been started as a worker."""
    return ((task, function(task)) for task in tasks)
