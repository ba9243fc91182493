"""How the validation hands out work: to a pool of workers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from bigbar.executors.chunks import without
from bigbar.slices import GridTask


class Imap(Protocol):
    """What `bigbar.executors.contract.Executor.imap_unordered` does: every task with its result, as
    it comes.

    The workers have been started by `bigbar.worker.start_worker` on the file that the validation
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


class Counter(Protocol):
    """What shows how far something has come."""

    def update(self, n: int) -> Any:
        """Count `n` more."""
        ...


#: Times as long as in the sweep may a task take: those of the walk-forward analysis make an engine
#: first, for their own stretch of bars.
_PATIENCE = 10


def sparing(
    imap: Callable[..., Iterator[tuple[Any, Any]]],
    failed: Mapping[int, Any],
    *,
    limit: Callable[[tuple[int, int], bool], float] | None,
    progress: Callable[[int], AbstractContextManager[Counter]],
) -> Imap:
    """An `Imap` that does not try again what has failed, and that nothing holds up for ever.

    Parameters
    ----------
    imap : callable
        `bigbar.executors.contract.Executor.imap_unordered`.
    failed : mapping of int to object
        What to answer for combinations that failed, in place of trying them.
    limit : callable or None
        How long a slice may take in the sweep, in seconds.
    progress : callable
        Shows how far each call has come; see `bigbar.progress.events.Listener.validated`.
    """

    def longer(task: Any, suspect: bool) -> float:
        if limit is None or not isinstance(task, GridTask):
            return math.inf
        return _PATIENCE * limit((task.start, task.stop), suspect)

    def spared(
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        split: Callable[[Any], Sequence[Any]] | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        left: list[Any] = []
        for task in tasks:
            if not failed or not isinstance(task, GridTask):
                left.append(task)
                continue
            cut: Any = task
            pieces = without([(task.start, task.stop)], failed)
            left += [replace(cut, start=start, stop=stop) for start, stop in pieces]
            for number in sorted(failed.keys() & set(range(task.start, task.stop))):
                yield replace(cut, start=number, stop=number + 1), failed[number]
        with progress(sum(map(_size, left))) as bar:
            found = imap(function, left, split=split, limit=None if limit is None else longer)
            for task, result in found:
                yield task, result
                bar.update(_size(task))

    return spared


def _size(task: Any) -> int:
    """Combinations of a task; anything else counts as one."""
    return task.stop - task.start if isinstance(task, GridTask) else 1
