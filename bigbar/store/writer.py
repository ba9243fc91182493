"""Writing finished slices while a run goes on, beside it, in a thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from enum import Enum
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.store.owner import SIGN_OF_LIFE_S, Owner
from bigbar.store.rows import Finished, count_failures, write_slices
from bigbar.store.run_rows import amend_run
from bigbar.store.schema import BUSY_S, StoreError, explained, open_store, transaction

#: A finished slice is written this many seconds later, with all that have come in by then: a
#: sweep of half a second is over before the writer takes a processor from it.
COMMIT_S = 0.7


class _Command(Enum):
    FLUSH = "flush"
    CLOSE = "close"


class SliceWriter:
    """A thread that writes slices in batches, each in one transaction with its failures.

    Nothing is raised: after the first problem nothing more is written, and `problem` has it.

    Parameters
    ----------
    path : Path
        The file of runs.
    run : int
    owner : Owner
        Whose run it is; if it is that no more, nothing is written.
    done : ndarray of bool, shape (combinations,)
        What has been written already.
    seconds_before : float
        Of the attempts before this one.
    busy_s : float, optional
        How long to wait for another program that is writing, in seconds.
    asked : callable, optional
        Gives columns of the run that go with the slices: which points a search has asked for.
    """

    def __init__(
        self,
        path: Path,
        run: int,
        owner: Owner,
        *,
        done: NDArray[np.bool_],
        seconds_before: float,
        busy_s: float = BUSY_S,
        asked: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self.problem: StoreError | None = None
        self._path = path
        self._run = run
        self._owner = owner
        self._done = done.copy()
        self._begun = time.monotonic() - seconds_before
        self._busy_s = busy_s
        self._asked = asked
        # Not a condition or a lock: a signal whose handler raises can leave those locked.
        self._queue: SimpleQueue[Finished | _Command] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="bigbar-store", daemon=True)
        self._thread.start()

    def put(self, finished: Finished) -> None:
        """Have a slice written; its rows may not change any more."""
        if self.problem is None:
            self._queue.put(finished)

    def flush(self) -> None:
        """Have everything written now, without waiting for it."""
        self._queue.put(_Command.FLUSH)

    def close(self) -> None:
        """Write what is left, and end; a second call does nothing."""
        self._queue.put(_Command.CLOSE)
        self._thread.join()

    def _work(self) -> None:
        try:
            with closing(open_store(self._path, busy_s=self._busy_s)) as connection:
                item = None
                while item is not _Command.CLOSE:
                    batch, item = self._next()
                    if batch or item is None:  # Without a batch: a sign of life.
                        self._commit(connection, batch)
                    if item is _Command.FLUSH:
                        _empty_the_log(connection)
        except StoreError as problem:
            self.problem = problem
        except Exception as problem:  # Whatever it is: the run goes on, and says so.
            self.problem = StoreError(f"{self._path} cannot be written ({problem!r})")

    def _next(self) -> tuple[list[Finished], _Command | None]:
        """Wait until there is something to do: a batch that is due, a command, a sign of life."""
        batch: list[Finished] = []
        due = time.monotonic() + SIGN_OF_LIFE_S
        while (left := due - time.monotonic()) > 0:
            try:
                item = self._queue.get(timeout=left)
            except Empty:
                break
            if isinstance(item, _Command):
                return batch, item
            if not batch:
                due = time.monotonic() + COMMIT_S
            batch.append(item)
        return batch, None

    def _commit(self, connection: sqlite3.Connection, batch: list[Finished]) -> None:
        for one in batch:
            self._done[one.slice.start : one.slice.stop] = True
        known = {
            "seen": time.time(),
            "seconds": time.monotonic() - self._begun,
            "done": int(np.count_nonzero(self._done)),
            **(self._asked() if batch else {}),
        }
        with explained(self._path), transaction(connection):
            if not amend_run(connection, self._run, known, owner=self._owner):
                raise StoreError(
                    f"run {self._run} in {self._path} was taken over or deleted by another program"
                )
            if batch:
                write_slices(connection, self._run, batch)
                failed = count_failures(connection, self._run)
                amend_run(connection, self._run, {"failed": failed})


def _empty_the_log(connection: sqlite3.Connection) -> None:
    """Bring the file up to date now, while the replays run, not when the answer is waited for."""
    # On a full disk it cannot be; what is in the log is as safe there.
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
