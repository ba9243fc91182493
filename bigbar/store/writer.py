"""Writing finished slices while a run goes on, beside it, in a thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bigbar.store.owner import SIGN_OF_LIFE_S, Owner
from bigbar.store.rows import Finished, write_slices
from bigbar.store.schema import BUSY_S, StoreError, explained, open_store, transaction

#: A finished slice is written this many seconds later, with all that have come in by then: a
#: sweep of half a second is over before the writer takes a processor from it.
COMMIT_S = 0.7


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
    ) -> None:
        self.problem: StoreError | None = None
        self._path = path
        self._run = run
        self._owner = owner.text()
        self._done = done.copy()
        self._begun = time.monotonic() - seconds_before
        self._busy_s = busy_s
        self._changed = threading.Condition()
        self._pending: list[Finished] = []
        self._due: float | None = None
        self._flushing = self._closing = False
        self._thread = threading.Thread(target=self._work, name="bigbar-store", daemon=True)
        self._thread.start()

    def put(self, finished: Finished) -> None:
        """Have a slice written; its rows may not change any more."""
        with self._changed:
            if self.problem is not None:
                return
            self._pending.append(finished)
            if self._due is None:
                self._due = time.monotonic() + COMMIT_S
                self._changed.notify()

    def flush(self) -> None:
        """Have everything written now, without waiting for it."""
        with self._changed:
            self._flushing = True
            self._changed.notify()

    def close(self) -> None:
        """Write what is left, and end; a second call does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        try:
            with closing(open_store(self._path, busy_s=self._busy_s)) as connection:
                while True:
                    batch, flushing, closing_ = self._next()
                    if batch or not closing_:
                        self._commit(connection, batch)
                    if flushing:
                        _empty_the_log(connection)
                    if closing_:
                        return
        except Exception as problem:  # Whatever it is: the run goes on, and says so.
            with self._changed:
                self._pending.clear()
                self.problem = (
                    problem
                    if isinstance(problem, StoreError)
                    else StoreError(f"{self._path} cannot be written ({problem!r})")
                )

    def _next(self) -> tuple[list[Finished], bool, bool]:
        """Wait until there is something to do: a batch that is due, a wish, a sign of life."""
        wake = time.monotonic() + SIGN_OF_LIFE_S
        with self._changed:
            while not (self._flushing or self._closing):
                left = min(wake, self._due or wake) - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            batch, self._pending, self._due = self._pending, [], None
            flushing, self._flushing = self._flushing, False
            return batch, flushing, self._closing

    def _commit(self, connection: sqlite3.Connection, batch: list[Finished]) -> None:
        for one in batch:
            self._done[one.slice.start : one.slice.stop] = True
        with explained(self._path), transaction(connection):
            owned = connection.execute(
                "UPDATE runs SET seen = ?, seconds = ?, done = ? WHERE id = ? AND owner = ?",
                (
                    time.time(),
                    time.monotonic() - self._begun,
                    int(np.count_nonzero(self._done)),
                    self._run,
                    self._owner,
                ),
            ).rowcount
            if not owned:
                raise StoreError(
                    f"run {self._run} in {self._path} was taken over or deleted by another program"
                )
            write_slices(connection, self._run, batch)


def _empty_the_log(connection: sqlite3.Connection) -> None:
    """Bring the file up to date now, while the replays run, not when the answer is waited for."""
    # On a full disk it cannot be; what is in the log is as safe there.
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
