"""The store, as pages read it: never written, and whatever is wrong with it is a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bigbar.errors import BigBarError
from bigbar.history.verdicts import Light, light_of
from bigbar.store.records import NONSENSE, DamagedRun, Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS, StoreError

#: How long to wait for a run that is writing, in seconds: a page would rather ask again.
_BUSY_S = 1.0


class Runs:
    """The runs of an output folder, which may have none yet.

    Parameters
    ----------
    folder : Path
        The output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def path(self) -> Path:
        """The file of runs."""
        return self.folder / RUNS

    def opened(self) -> RunStore:
        """The store, for whoever keeps it open; see `open`."""
        return RunStore(self.path, read_only=True, busy_s=_BUSY_S)

    @contextmanager
    def open(self) -> Iterator[RunStore]:
        """The store, to be used in one thread; make of it inside whatever is shown of it.

        Raises
        ------
        StoreError
            If it cannot be used, or what it holds makes no sense: anybody can seal anything.
        """
        try:
            with self.opened() as store:
                yield store
        except BigBarError:
            raise
        except NONSENSE as problem:
            raise StoreError(
                f"{self.path} holds values that make no sense ({problem!r})"
            ) from problem

    def survey(self) -> tuple[list[Run], list[DamagedRun]]:
        """All runs, the newest first, and those that are damaged; none where there is no file."""
        if not self.path.exists():
            return [], []
        with self.open() as store:
            return store.survey()

    def lights(self, runs: Iterable[Run]) -> dict[int, Light]:
        """The lights of some of its runs, by their numbers."""
        with self.open() as store:
            return {run.id: light_of(store, run) for run in runs}


class KeptStore:
    """The store of somebody who looks again and again: kept open, in one thread.

    Parameters
    ----------
    runs : Runs
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._store: RunStore | None = None
        self._inode: tuple[int, int] | None = None

    def opened(self) -> tuple[RunStore, bool]:
        """The store, and whether it was opened just now: another file may have taken its place.

        Raises
        ------
        StoreError
            If there is none, or it cannot be used.
        """
        try:
            found = self._runs.path.stat()
            inode = found.st_dev, found.st_ino
        except OSError:
            inode = None
        if self._store is not None and inode == self._inode:
            return self._store, False
        self.close()
        self._store, self._inode = self._runs.opened(), inode
        return self._store, True

    def close(self) -> None:
        """Close it; it is opened again where it is asked for."""
        if self._store is not None:
            self._store.close()
            self._store = None
