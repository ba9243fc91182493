"""The store, as pages read it: never written, and whatever is wrong with it is a message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bigbar.errors import BigBarError
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
