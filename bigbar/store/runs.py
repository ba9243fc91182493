"""The runs of an output folder: begin one, continue one, read any, count what was tried."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import SettingsError
from bigbar.store.fingerprint import Identity, canonical
from bigbar.store.owner import Owner
from bigbar.store.records import (
    COLUMNS,
    KINDS,
    Ending,
    NewRun,
    Run,
    Told,
    columns_told,
    from_json,
    run_from_row,
)
from bigbar.store.rows import Slice, read_rows, read_slices
from bigbar.store.schema import (
    BUSY_S,
    RUNS,
    NoSuchRun,
    explained,
    open_store,
    read,
    storable,
    transaction,
)

if TYPE_CHECKING:
    from bigbar.workers import Failure


class RunStore:
    """The runs of an output folder; use it in a `with` block, in one thread.

    Every method raises `StoreError` where the file is locked, damaged or cannot be written, or
    there is no such run.

    Parameters
    ----------
    folder : Path
        The output folder, or the file itself.
    create : bool, optional
        Make the file where there is none.
    read_only : bool, optional
        Never write.
    busy_s : float, optional
        How long to wait for another program that is writing, in seconds.

    Raises
    ------
    StoreError
        If it cannot be opened; see `bigbar.store.schema.open_store`.
    """

    def __init__(
        self, folder: Path, *, create: bool = False, read_only: bool = False, busy_s: float = BUSY_S
    ) -> None:
        self.path = folder / RUNS if folder.is_dir() else folder
        self._connection = open_store(self.path, create=create, read_only=read_only, busy_s=busy_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with explained(self.path):
            self._connection.close()

    # ---------------------------------------------------------------------------------- reading

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        return self._runs("ORDER BY id DESC")

    def run(self, number: int) -> Run:
        """One run by its id."""
        found = self._runs("WHERE id = ?", number)
        if found:
            return found[0]
        known = [str(run) for (run,) in self._read("SELECT id FROM runs ORDER BY id", kinds=(int,))]
        there = f"there are {', '.join(known[-10:])}" if known else "there is none yet"
        raise NoSuchRun(f"there is no run {number} in {self.path}; {there}")

    def with_fingerprint(self, fingerprint: str) -> list[Run]:
        """Runs of the same numbers, the newest first."""
        return self._runs("WHERE fingerprint = ? ORDER BY id DESC", fingerprint)

    def with_context(self, context: str) -> list[Run]:
        """Runs that agree wherever their grids meet, the newest first."""
        return self._runs("WHERE context = ? ORDER BY id DESC", context)

    def told(self, number: int) -> Told:
        """What a run said at its end."""
        self.run(number)
        found = self._read(
            "SELECT answer, summary, timings, metrics FROM runs WHERE id = ?",
            number,
            kinds=(str | None, str | None, str | None, str | None),
        )
        answer, summary, timings, metrics = found[0]
        return Told(
            answer,
            None if summary is None else from_json(summary, dict),
            {} if timings is None else from_json(timings, dict),
            None if metrics is None else from_json(metrics, dict),
        )

    def slices(self, number: int) -> list[Slice]:
        """Finished pieces of a run, in the order in which they were written."""
        with explained(self.path):
            return read_slices(self._connection, number)

    def failures(self, number: int) -> list[Failure]:
        """Combinations of a run that failed, in grid order."""
        from bigbar.workers import Failure

        found = self._read(
            "SELECT number, reason FROM failures WHERE run = ? ORDER BY number",
            number,
            kinds=(int, str),
        )
        return [Failure(*row) for row in found]

    def values(
        self, run: Run, *, damaged: Callable[[str], None] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The statistics of a run.

        Parameters
        ----------
        run : Run
        damaged : callable or None
            Is told of rows that are damaged, which are then left out; without it they are an error.

        Returns
        -------
        values : ndarray of float, shape (combinations, statistics)
            Columns as in `run.identity.parts["statistics"]`; NaN where there is no row.
        done : ndarray of bool, shape (combinations,)
            Where there is one; those that failed have one of NaN.
        """
        values = np.full((run.combinations, len(run.identity.parts["statistics"])), np.nan)
        return values, self.fill(run, values, damaged=damaged)

    def fill(
        self,
        run: Run,
        values: NDArray[np.float64],
        *,
        damaged: Callable[[str], None] | None = None,
    ) -> NDArray[np.bool_]:
        """As `values`, into a table that is there; returns `done`."""
        with explained(self.path):
            return read_rows(self._connection, run.id, values, damaged=damaged)

    def trials_on_data(self, identity: Identity, *, without: int | None = None) -> int:
        """How many other combinations earlier runs tried on the same bars.

        Runs of the same grid, costs and week edges count once, whatever their engine or version;
        of a run under the costs at hand, only what the grid at hand has not.

        Parameters
        ----------
        identity : Identity
            Of the run that asks.
        without : int or None
            Its id: it does not count.

        Returns
        -------
        int
        """
        farthest: dict[str, Run] = {}
        for run in self._runs("WHERE bars_sha256 = ? ORDER BY done", identity.bars_sha256):
            if run.id != without and run.state in ("finished", "interrupted"):
                farthest[run.fingerprint] = run
        tried: dict[str, int] = {}
        grid, costs = identity.grid(), _costs(identity)
        for run in farthest.values():
            other = run.grid
            same = costs == _costs(run.identity)
            new = max(0, run.done - (grid.count_shared(other) if same else 0))
            key = canonical([run.identity.parts["grid"], _costs(run.identity)])
            tried[key] = max(tried.get(key, 0), new)
        return sum(tried.values())

    # ---------------------------------------------------------------------------------- writing

    def begin(self, new: NewRun, owner: Owner) -> int:
        """Write down that a run begins; returns its id."""
        with explained(self.path), transaction(self._connection):
            return self._insert(new, owner)

    def claim(self, number: int, new: NewRun, owner: Owner) -> bool:
        """Continue a run, unless another process is at it.

        What is asked for besides its numbers (the objective and the like) is written anew.

        Returns
        -------
        bool
            False if its process lives.
        """
        with explained(self.path), transaction(self._connection):
            if self.run(number).state == "running":
                return False
            self._connection.execute(
                "UPDATE runs SET state = 'running', owner = ?, seen = ?, ended = NULL,"
                " error = NULL, settings = ?, command = ?, data = ?, machine = ?, objective = ?"
                " WHERE id = ?",
                (owner.text(), time.time(), *columns_told(new), number),
            )
            return True

    def end(self, number: int, owner: Owner, ending: Ending) -> None:
        """Write down how a run ended, if it still belongs to this owner."""
        told = ending.told
        with explained(self.path), transaction(self._connection):
            self._connection.execute(
                "UPDATE runs SET state = ?, ended = ?, seen = ?, seconds = ?, best = ?,"
                " best_value = ?, result_sha256 = ?, error = ?, timings = ?, summary = ?,"
                " metrics = ?, answer = ? WHERE id = ? AND owner = ?",
                (
                    ending.state, _now(), time.time(), ending.seconds, ending.best,
                    ending.best_value, ending.result_sha256, storable(ending.error),
                    json.dumps(told.timings), _or_none(told.summary), _or_none(told.metrics),
                    storable(told.answer), number, owner.text(),
                ),
            )  # fmt: skip

    def delete(self, number: int) -> None:
        """Remove a run with its rows, and give the room back to the disk.

        Raises
        ------
        SettingsError
            If it is running.
        """
        with explained(self.path):
            with transaction(self._connection):
                if self.run(number).state == "running":
                    raise SettingsError(f"run {number} is running; stop it before deleting it")
                self._connection.execute("DELETE FROM runs WHERE id = ?", (number,))
            # Not `execute`: that takes the first step only, which is a single page.
            self._connection.executescript("PRAGMA incremental_vacuum")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def count_opening(self, bars_sha256: str, split: str) -> int:
        """Count that bars held out for a test were looked at.

        Parameters
        ----------
        bars_sha256 : str
            Of all bars.
        split : str
            Which of them were held out.

        Returns
        -------
        int
            How often by now, this time included.
        """
        with explained(self.path), transaction(self._connection):
            self._connection.execute(
                "INSERT INTO openings (bars_sha256, split, count) VALUES (?, ?, 1) "
                "ON CONFLICT (bars_sha256, split) DO UPDATE SET count = count + 1",
                (bars_sha256, split),
            )
            query = "SELECT count FROM openings WHERE bars_sha256 = ? AND split = ?"
            found = self._read(query, bars_sha256, split, kinds=(int,))
            return int(found[0][0])

    # ----------------------------------------------------------------------------------- inside

    def _insert(self, new: NewRun, owner: Owner) -> int:
        identity = new.identity
        cursor = self._connection.execute(
            "INSERT INTO runs (fingerprint, context, bars_sha256, state, owner, seen, started,"
            " seconds, combinations, done, identity, settings, command, data, machine, objective)"
            " VALUES (?, ?, ?, 'running', ?, ?, ?, 0.0, ?, 0, ?, ?, ?, ?, ?, ?)",
            (
                identity.fingerprint, identity.context, identity.bars_sha256, owner.text(),
                time.time(), _now(), len(identity.grid()), canonical(identity.parts),
                *columns_told(new),
            ),
        )  # fmt: skip
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _read(self, query: str, *parameters: object, kinds: Sequence[Any]) -> list[tuple[Any, ...]]:
        with explained(self.path):
            return list(read(self._connection, query, parameters, kinds=kinds))

    def _runs(self, condition: str, *parameters: object) -> list[Run]:
        query = f"SELECT {COLUMNS} FROM runs {condition}"
        return [run_from_row(row) for row in self._read(query, *parameters, kinds=KINDS)]


def _costs(identity: Identity) -> str:
    return canonical([identity.parts[name] for name in ("account", "week_edge_bars")])


def _or_none(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
