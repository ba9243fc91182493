"""Writing what a run has while it goes on, beside it, in a thread: slices, or what is kept."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bigbar.store.owner import SIGN_OF_LIFE_S, Owner
from bigbar.store.reductions import write_reduction
from bigbar.store.rows import Finished, count_failures, write_slices
from bigbar.store.run_rows import amend_run
from bigbar.store.schema import BUSY_S, StoreError, explained, open_store, transaction

#: A finished slice is written this many seconds later, with all that have come in by then: a
#: sweep of half a second is over before the writer takes a processor from it.
COMMIT_S = 0.7


class _Command(Enum):
    FLUSH = "flush"
    CLOSE = "close"


_Item = TypeVar("_Item")


class _Writer(Generic[_Item]):
    """A thread that writes in batches, each in one transaction.

    Nothing is raised: after the first problem nothing more is written, and `problem` has it.

    Parameters
    ----------
    path : Path
        The file of runs.
    run : int
    owner : Owner
        Whose run it is; if it is that no more, nothing is written.
    seconds_before : float
        Of the attempts before this one.
    busy_s : float, optional
        How long to wait for another program that is writing, in seconds.
    """

    def __init__(
        self,
        path: Path,
        run: int,
        owner: Owner,
        *,
        seconds_before: float,
        busy_s: float = BUSY_S,
    ) -> None:
        self.problem: StoreError | None = None
        self._path = path
        self._run = run
        self._owner = owner
        self._begun = time.monotonic() - seconds_before
        self._busy_s = busy_s
        # Not a condition or a lock: a signal whose handler raises can leave those locked.
        self._queue: SimpleQueue[_Item | _Command] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="bigbar-store", daemon=True)
        self._thread.start()

    def put(self, item: _Item) -> None:
        """Have something written; it may not change any more."""
        if self.problem is None:
            self._queue.put(item)

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

    def _next(self) -> tuple[list[_Item], _Command | None]:
        """Wait until there is something to do: a batch that is due, a command, a sign of life."""
        batch: list[_Item] = []
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

    def _commit(self, connection: sqlite3.Connection, batch: list[_Item]) -> None:
        known = {
            "seen": time.time(),
            "seconds": time.monotonic() - self._begun,
            **self._columns(batch),
        }
        with explained(self._path), transaction(connection):
            if not amend_run(connection, self._run, known, owner=self._owner):
                raise StoreError(
                    f"run {self._run} in {self._path} was taken over or deleted by another program"
                )
            if batch:
                self._write(connection, batch)

    def _columns(self, batch: list[_Item]) -> dict[str, Any]:
        """What changes of the run itself."""
        raise NotImplementedError

    def _write(self, connection: sqlite3.Connection, batch: list[_Item]) -> None:
        """Write what there is, inside a transaction."""
        raise NotImplementedError


class SliceWriter(_Writer[Finished]):
    """Writes slices, with what failed of them.

    Parameters
    ----------
    done : ndarray of bool, shape (combinations,)
        What has been written already.
    asked : callable, optional
        Gives columns of the run that go with the slices: which points a search has asked for.
    path, run, owner, seconds_before, busy_s
        As of `_Writer`.
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
        self._done, self._asked = done.copy(), asked
        super().__init__(path, run, owner, seconds_before=seconds_before, busy_s=busy_s)

    def _columns(self, batch: list[Finished]) -> dict[str, Any]:
        for one in batch:
            self._done[one.slice.start : one.slice.stop] = True
        done = int(np.count_nonzero(self._done))
        return {"done": done, **(self._asked() if batch else {})}

    def _write(self, connection: sqlite3.Connection, batch: list[Finished]) -> None:
        write_slices(connection, self._run, batch)
        failed = count_failures(connection, self._run)
        amend_run(connection, self._run, {"failed": failed})


@dataclass(frozen=True)
class Snapshot:
    """What is kept of a run by now, in place of what was kept before.

    Attributes
    ----------
    content : bytes
        From `bigbar.keeping.packed`.
    done, failed : int
        Combinations.
    """

    content: bytes
    done: int
    failed: int


class SnapshotWriter(_Writer[Snapshot]):
    """Writes what is kept, always the last there is; parameters as of `_Writer`."""

    def _columns(self, batch: list[Snapshot]) -> dict[str, Any]:
        return {"done": batch[-1].done, "failed": batch[-1].failed} if batch else {}

    def _write(self, connection: sqlite3.Connection, batch: list[Snapshot]) -> None:
        write_reduction(connection, self._run, batch[-1].content)


def _empty_the_log(connection: sqlite3.Connection) -> None:
    """Bring the file up to date now, while the replays run, not when the answer is waited for."""
    # On a full disk it cannot be; what is in the log is as safe there.
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
