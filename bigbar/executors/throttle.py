"""How many tasks may be in the hands of a pool at once, and the gate that keeps to it.

`multiprocessing.Pool` takes its tasks in a thread of its own, as fast as its pipe takes them.
The gate makes that thread wait. It must never make anybody else wait: the thread has to end at
once when the pool is taken down, and the main thread may be struck by a signal at any point, even
with a lock in its hand. So there is no lock: what is counted is counted by one thread alone, and
`queue.SimpleQueue`, whose `put` may be interrupted anywhere, wakes the one that waits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any

# How long the gate waits before it looks at the throttle again, in seconds: nobody wakes it when
# that was opened.
_LOOK_S = 0.05


class Throttle:
    """How many tasks may be worked on at once; may be set at any time, by any thread.

    Parameters
    ----------
    workers : int
        As many as there are workers at most; the throttle begins fully open.

    Attributes
    ----------
    workers : int
    limit : int
        1 to `workers`.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.limit = workers

    def __str__(self) -> str:
        return f"workers={self.limit}/{self.workers}"

    @property
    def room(self) -> int:
        """How many tasks may have been handed out and not be finished.

        With all workers at work one more each, so that none waits for its next one; with fewer
        any further one would be taken up by a worker that is to be idle.
        """
        return self.limit if self.limit < self.workers else 2 * self.workers


class Gate:
    """Tasks with their positions, let through as the throttle allows; to be gone through once.

    Parameters
    ----------
    tasks : sequence
    throttle : Throttle
    """

    def __init__(self, tasks: Sequence[Any], throttle: Throttle) -> None:
        self._tasks = tasks
        self._throttle = throttle
        self._handed = 0
        self._finished = 0
        self._closed = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        for position, task in enumerate(self._tasks):
            while position - self._finished >= self._throttle.room and not self._closed:
                with contextlib.suppress(Empty):
                    self._wake.get(timeout=_LOOK_S)
            if self._closed:
                return
            self._handed = position + 1
            yield position, task

    @property
    def underway(self) -> int:
        """How many tasks have been let through and are not finished."""
        return self._handed - self._finished

    def finished(self) -> None:
        """Count a task as finished: another may go. Called by one thread only."""
        self._finished += 1
        self._wake.put(None)

    def close(self) -> None:
        """Let nothing through any more, and nobody wait."""
        self._closed = True
        self._wake.put(None)
