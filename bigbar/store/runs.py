"""The runs of an output folder: begin one, continue one, read any, count what was tried."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import SettingsError
from bigbar.store.fingerprint import Identity, canonical
from bigbar.store.journal import journal_path
from bigbar.store.openings import count_opening
from bigbar.store.owner import Owner
from bigbar.store.reading import read_failures, read_rows, read_slices, rows_after
from bigbar.store.records import DamagedRun, Ending, NewRun, Run, RunOutput, columns_asked
from bigbar.store.reductions import read_reduction, write_reduction
from bigbar.store.rows import Finished, Slice, delete_rows, write_slices
from bigbar.store.run_rows import (
    amend_run,
    insert_run,
    json_or_none,
    now,
    read_output,
    read_owner,
    read_run,
)
from bigbar.store.schema import (
    BUSY_S,
    RUNS,
    NoSuchRun,
    StoreError,
    explained,
    open_store,
    storable,
    transaction,
)
from bigbar.store.strategy_code import UNFOLLOWED
from bigbar.units import counted

if TYPE_CHECKING:
    from bigbar.slices import Failure

#: Is told of what is damaged, and therefore left out.
Damaged = Callable[[str], None]


class RunStore:
    """The runs of an output folder; use it in a `with` block, in one thread.

    Every method raises `StoreError` where the file is locked, damaged or cannot be written, or
    there is no such run. Nothing is believed that does not have its seal; where a method takes
    `damaged`, that is told of what has not, and it is left out.

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
        # A folder that is called like the file is one that is in its place.
        self.path = folder / RUNS if folder.is_dir() and folder.name != RUNS else folder
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

    def survey(self) -> tuple[list[Run], list[DamagedRun]]:
        """All runs that can be read, and what is wrong with the others; the newest first."""
        # By the table itself: an index that has decayed may not have all of them.
        return self._those("NOT INDEXED ORDER BY id DESC")

    def runs(self) -> list[Run]:
        """All runs, the newest first; a damaged one is an error."""
        runs, damaged = self.survey()
        if damaged:
            raise damaged[0]
        return runs

    def newest(self) -> Run | None:
        """The last one that was begun."""
        ids = self._ids("NOT INDEXED ORDER BY id DESC LIMIT 1")
        return self.run(ids[0]) if ids else None

    def run(self, number: int) -> Run:
        """One run by its id."""
        with explained(self.path):
            found = read_run(self._connection, number)
        if found is not None:
            return found
        known = [str(run) for run in self._ids("ORDER BY id")]
        there = f"there are {', '.join(known[-10:])}" if known else "there is none yet"
        raise NoSuchRun(f"there is no run {number} in {self.path}; {there}")

    def with_fingerprint(self, fingerprint: str, *, damaged: Damaged | None = None) -> list[Run]:
        """Runs of the same numbers, the newest first."""
        found = self._found("WHERE fingerprint = ? ORDER BY id DESC", fingerprint, damaged)
        return [run for run in found if run.fingerprint == fingerprint]

    def with_context(self, context: str, *, damaged: Damaged | None = None) -> list[Run]:
        """Runs that agree wherever their grids meet, the newest first."""
        found = self._found("WHERE context = ? ORDER BY id DESC", context, damaged)
        return [run for run in found if run.context == context]

    def like(self, identity: Identity, *, damaged: Damaged | None = None) -> list[Run]:
        """Runs of the same bars and a strategy of the same name, the newest first."""
        found = self._found("WHERE bars_sha256 = ? ORDER BY id DESC", identity.bars_sha256, damaged)
        return [run for run in found if run.identity.strategy_name == identity.strategy_name]

    def owner(self, number: int) -> tuple[Owner, float]:
        """The process that a run belongs to, and when it last told of itself, in seconds."""
        with explained(self.path):
            found = read_owner(self._connection, number)
        if found is None:
            raise NoSuchRun(f"there is no run {number} in {self.path}")
        return found

    def output(self, run: Run | int) -> RunOutput:
        """What a run said at its end."""
        if isinstance(run, int):
            run = self.run(run)
        with explained(self.path):
            return read_output(self._connection, run)

    def slices(self, number: int) -> list[Slice]:
        """Finished pieces of a run, in the order in which they were written."""
        with explained(self.path):
            return read_slices(self._connection, number)

    def failures(self, run: Run, *, damaged: Damaged | None = None) -> list[Failure]:
        """Combinations of a run that failed, in grid order."""
        from bigbar.slices import Failure

        with explained(self.path):
            found = read_failures(self._connection, run.id, len(run.grid), damaged=damaged)
        if len(found) < run.failed and run.state != "running" and run.identity.keep is None:
            self._complain(f"some of what failed of run {run.id} is gone", damaged)
        return [Failure(*one) for one in found]

    def values(
        self, run: Run, *, damaged: Damaged | None = None
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
        shape = len(run.grid), len(run.identity.parts["statistics"])
        try:
            values = np.full(shape, np.nan)
        except (MemoryError, ValueError) as problem:
            raise StoreError(
                f"there is no memory for the {len(run.grid):,} rows of run {run.id}"
            ) from problem
        return values, self.fill(run, values, damaged=damaged)

    def fill(
        self, run: Run, values: NDArray[np.float64], *, damaged: Damaged | None = None
    ) -> NDArray[np.bool_]:
        """As `values`, into a table that is there; returns `done`."""
        with explained(self.path):
            done = read_rows(self._connection, run.id, values, damaged=damaged)
        failed = np.zeros(len(values), dtype=bool)
        failed[[failure.number for failure in self.failures(run, damaged=damaged)]] = True
        there = ~np.isnan(values).all(axis=1)
        # A row without a number stands for a failure, and for nothing else.
        if (lost := done & (there == failed)).any():
            self._complain(f"rows of run {run.id} do not go with what failed of it", damaged)
            done &= ~lost
            values[lost] = np.nan
        known = run.done if run.identity.keep is None else len(values)
        if (missing := known - int(np.count_nonzero(done))) > 0:
            what = f"{counted(missing, 'row')} of run {run.id} that had been stored cannot be read"
            self._complain(what, damaged)
        return done

    def reduction(self, run: Run, *, damaged: Damaged | None = None) -> bytes | None:
        """What is kept of a run whose rows are not all, see `bigbar.keeping.packed`.

        Parameters
        ----------
        run : Run
        damaged : callable or None
            Is told if it is damaged; without it that is an error.

        Returns
        -------
        bytes or None
            None where there is none.
        """
        with explained(self.path):
            try:
                return read_reduction(self._connection, run.id)
            except ValueError as problem:
                self._complain(f"what is kept of run {run.id} is damaged ({problem})", damaged)
        return None

    def trials_on_data(
        self, identity: Identity, *, without: int | None = None, damaged: Damaged | None = None
    ) -> int:
        """How many other combinations earlier runs tried on the same bars.

        Runs of the same grid, costs and week edges count once, whatever their engine or version;
        of a run under the costs at hand, only what the grid at hand has not. What failed or never
        traded gave luck no chance.

        Parameters
        ----------
        identity : Identity
            Of the run that asks.
        without : int or None
            Its id: it does not count.
        damaged : callable or None
            Is told of runs of which it is not known what they tried.

        Returns
        -------
        int
        """
        farthest: dict[str, Run] = {}
        runs, unknown = self.survey()
        for problem in unknown:
            self._complain(str(problem), damaged)
        for run in sorted(runs, key=lambda run: run.done):
            if run.bars_sha256 != identity.bars_sha256 or run.id == without:
                continue
            if run.state in ("finished", "interrupted"):
                farthest[run.fingerprint] = run
        tried: dict[str, int] = {}
        grid, costs = identity.tried(), _conditions(identity)
        for run in farthest.values():
            other = run.identity.tried()
            same = costs == _conditions(run.identity)
            new = max(0, run.done - (grid.count_shared(other) if same else 0))
            # Which of them gave luck no chance is not told: no more than all that did are new.
            new = min(new, self._chances(run))
            key = canonical([run.identity.parts["grid"], _conditions(run.identity)])
            tried[key] = max(tried.get(key, 0), new)
        return sum(tried.values())

    def _chances(self, run: Run) -> int:
        """How many of its combinations could have been chosen, as far as it said."""
        try:
            idle = (self.output(run).summary or {}).get("without_trades")
        except StoreError:
            idle = None
        return run.done - run.failed - (idle if isinstance(idle, int) else 0)

    def version(self) -> int:
        """A number that changes when another program has written."""
        with explained(self.path):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def marks(self) -> list[tuple[int, str]]:
        """Each run with the seal of what is known of it: another one where that has changed."""
        with explained(self.path):
            return list(self._connection.execute("SELECT id, checksum FROM runs ORDER BY id"))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Whatever is read inside is of one moment."""
        with explained(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            with explained(self.path):
                self._connection.execute("ROLLBACK")

    def rows_after(
        self, run: Run, after: int, *, damaged: Damaged
    ) -> Iterator[tuple[int, Slice, NDArray[np.float64]]]:
        """Slices of a run that came after one, with their rows; see `reading.rows_after`."""
        shape = len(run.grid), len(run.identity.parts["statistics"])
        with explained(self.path):
            yield from rows_after(self._connection, run.id, shape, after=after, damaged=damaged)

    # ---------------------------------------------------------------------------------- writing

    def begin(self, new: NewRun, owner: Owner, *, ago: float = 0.0) -> int:
        """Write down that a run begins, or began so many seconds ago; returns its id."""
        with explained(self.path), transaction(self._connection):
            return insert_run(self._connection, new, owner, ago=ago)

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
            changes = {"state": "running", "owner": owner.text(), "seen": time.time()}
            changes |= {"ended": None, "error": None, **columns_asked(new)}
            return amend_run(self._connection, number, changes)

    def end(self, number: int, owner: Owner, ending: Ending) -> None:
        """Write down how a run ended, if it still belongs to this owner."""
        output = ending.output
        changes = {
            "state": ending.state,
            "ended": now(),
            "seen": time.time(),
            "seconds": ending.seconds,
            "best": ending.best,
            "best_value": ending.best_value,
            "result_sha256": ending.result_sha256,
            "error": storable(ending.error),
            "answer": storable(output.answer),
            "summary": json_or_none(output.summary),
            "timings": json_or_none(output.timings),
            "metrics": json_or_none(output.metrics),
        }
        if ending.combinations is not None:
            changes["combinations"] = ending.combinations
        with explained(self.path), transaction(self._connection):
            amend_run(self._connection, number, changes, owner=owner)

    def reject(self, number: int, why: str) -> None:
        """Write down that the rows of a run are wrong, so that nobody takes them any more."""
        changes = {"state": "failed", "error": storable(why)}
        with explained(self.path), transaction(self._connection):
            if not self._runs_now(number):  # Else its own process finds out, as this one did.
                amend_run(self._connection, number, changes)

    def rewrite(self, number: int, owner: Owner, finished: Sequence[Finished]) -> None:
        """Put these rows in the place of all that a run has, if it belongs to this owner."""
        done = sum(len(one.slice) for one in finished)
        failed = sum(len(one.failures) for one in finished)
        with explained(self.path), transaction(self._connection):
            changes = {"done": done, "failed": failed}
            if amend_run(self._connection, number, changes, owner=owner):
                delete_rows(self._connection, number)
                write_slices(self._connection, number, finished)

    def keep(
        self, number: int, owner: Owner, identity: Identity, finished: Finished, content: bytes
    ) -> None:
        """Put these rows, which are kept of many, in the place of all that a run has.

        Parameters
        ----------
        number : int
        owner : Owner
            Nothing is written if the run is another's.
        identity : Identity
            Of the run, with the points that are kept.
        finished : Finished
            Their rows, as one slice.
        content : bytes
            From `bigbar.keeping.packed`.
        """
        with explained(self.path), transaction(self._connection):
            changes = {"identity": canonical(identity.parts)}
            if amend_run(self._connection, number, changes, owner=owner):
                delete_rows(self._connection, number)
                if len(finished.rows):
                    write_slices(self._connection, number, [finished])
                write_reduction(self._connection, number, content)

    def delete(self, number: int) -> None:
        """Remove a run with its rows, and give the room back to the disk.

        Raises
        ------
        SettingsError
            If it is running.
        """
        with explained(self.path):
            with transaction(self._connection):
                if self._runs_now(number):
                    raise SettingsError(f"run {number} is running; stop it before deleting it")
                self._connection.execute("DELETE FROM runs WHERE id = ?", (number,))
            # Not `execute`: that takes the first step only, which is a single page.
            self._connection.executescript("PRAGMA incremental_vacuum")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            journal_path(self.path.parent, number).unlink(missing_ok=True)

    def count_opening(self, bars_sha256: str, split: str, *, damaged: Damaged | None = None) -> int:
        """Count that bars held out for a test were looked at.

        Parameters
        ----------
        bars_sha256 : str
            Of all bars.
        split : str
            Which of them were held out.
        damaged : callable or None
            Is told of counts that are damaged, which are forgotten.

        Returns
        -------
        int
            How often by now, this time included.
        """
        with explained(self.path), transaction(self._connection):
            return count_opening(self._connection, bars_sha256, split, damaged=damaged)

    # ----------------------------------------------------------------------------------- inside

    def _runs_now(self, number: int) -> bool:
        """Whether a run is running; one that is damaged is not."""
        try:
            return self.run(number).state == "running"
        except DamagedRun:
            return False

    def _ids(self, condition: str, *parameters: object) -> list[int]:
        with explained(self.path):
            found = self._connection.execute(f"SELECT id FROM runs {condition}", parameters)
            return [number for (number,) in found]

    def _those(self, condition: str, *parameters: object) -> tuple[list[Run], list[DamagedRun]]:
        runs, damaged = [], []
        for number in self._ids(condition, *parameters):
            try:
                runs.append(self.run(number))
            except NoSuchRun:  # Deleted by another program just now.
                continue
            except DamagedRun as problem:
                damaged.append(problem)
        return runs, damaged

    def _found(self, condition: str, digest: str, damaged: Damaged | None) -> list[Run]:
        runs, unreadable = self._those(condition, digest)
        for run in unreadable:
            self._complain(str(run), damaged)
        return runs

    @staticmethod
    def _complain(what: str, damaged: Damaged | None) -> None:
        if damaged is None:
            raise StoreError(what)
        damaged(what)


def _conditions(identity: Identity) -> str:
    strategy = dict(identity.parts["strategy"])
    strategy["code"] = {
        name: digest for name, digest in dict(strategy["code"]).items() if name != UNFOLLOWED
    }
    return canonical([strategy, *(identity.parts[name] for name in ("settings", "account"))])
