"""A run and the store: what it takes over, what it writes, and how it goes on without a store."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import BigBarError, NothingToRetry, SettingsError, VerificationError
from bigbar.executors.chunks import gaps_in
from bigbar.interrupts import signals_deferred
from bigbar.slices import Failure
from bigbar.space import Space
from bigbar.store.fingerprint import Identity, canonical
from bigbar.store.journal import Journal, Kind
from bigbar.store.owner import Owner
from bigbar.store.recorder import Carried, Recorder
from bigbar.store.records import Ending, NewRun, Run
from bigbar.store.reuse import has_its_result, known_rows, take_over
from bigbar.store.rows import Finished, Slice
from bigbar.store.runs import RunStore
from bigbar.store.schema import BUSY_S, RUNS, StoreError
from bigbar.store.writer import COMMIT_S, SliceWriter, Snapshot, SnapshotWriter


@dataclass(frozen=True)
class ReusePolicy:
    """What to do about earlier runs; by default the same run is continued where it stopped.

    Attributes
    ----------
    fresh : bool
        Take nothing over.
    resume : int or None
        Continue this run.
    retry_failed : bool
        Run again what failed in the last run.
    """

    fresh: bool = False
    resume: int | None = None
    retry_failed: bool = False

    @property
    def needs_store(self) -> bool:
        """Whether there must be a store for it."""
        return self.resume is not None or self.retry_failed


#: What is kept is written again after so many times what it takes to make it ready.
_SNAPSHOTS = 30.0


class StoreRecorder(Recorder):
    """Keeps a run in the store of a folder; use it in a `with` block.

    A run never fails for its store: if that cannot be used, `tell` is told once, and it goes on
    without.

    Parameters
    ----------
    folder : Path
        The output folder.
    policy : ReusePolicy, optional
    command : sequence of str, optional
        The command line.
    tell : callable
        Gets a line for a person.
    busy_s : float, optional
        How long to wait for another program that is writing, in seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        policy: ReusePolicy | None = None,
        command: Sequence[str] = (),
        tell: Callable[[str], None],
        busy_s: float = BUSY_S,
    ) -> None:
        self.command = tuple(command)
        self._path = folder / RUNS
        self._policy = policy or ReusePolicy()
        self._tell = tell
        self._busy_s = busy_s
        self._owner = Owner.of_this_process()
        self._told: set[str] = set()
        self._begun = time.monotonic()
        self._seconds_before = 0.0
        self._grid: Space | None = None
        self._identity: Identity | None = None
        self._carried: Carried | None = None
        self._writer: SliceWriter | SnapshotWriter | None = None
        self._next_snapshot = 0.0
        self._journal: Journal | None = None
        self._noted: list[tuple[Kind, str]] = []  # Before the run had its number.
        self._asked: NDArray[np.int64] | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        wrong = isinstance(error, VerificationError)
        said = str(error) or type(error).__name__ if error is not None else None
        self.finish(Ending("failed" if wrong else "interrupted", error=said))

    def engine_before(self, identities: Mapping[str, Callable[[], Identity]]) -> str | None:
        if self._policy.fresh:
            return None
        # Whoever needs a store that cannot be used is told when the run begins.
        with suppress(StoreError), self._store() as store:
            for name, identity_by in identities.items():
                if store.with_fingerprint(identity_by().fingerprint):
                    return name
        return None

    def begin(self, describe: Callable[[], NewRun], values: NDArray[np.float64]) -> Carried:
        new = replace(describe(), command=self.command)
        self._identity = new.identity
        self._grid = new.identity.grid()
        if self._policy.retry_failed and new.identity.keep is not None:
            raise SettingsError(
                "--retry-failed needs every row, and --keep keeps a part of them; leave one out"
            )
        try:
            with self._store(create=True) as store:
                carried = self._choose(store, new, values)
        except StoreError as problem:
            if self._policy.needs_store:
                raise
            self._give_up(problem)
            values[:] = np.nan
            return Carried.nothing(len(values))
        self._carried = carried
        if carried.run is not None:
            self._journal = Journal(self._path.parent, carried.run, self._owner)
            for kind, text in self._noted:
                self._journal.add(kind, text)
        if new.identity.problem is not None:
            self._tell_once(
                f"the rows of this run will not be used again, nor can it be continued: "
                f"{new.identity.problem}"
            )
        return carried

    def asked(self, numbers: NDArray[np.int64]) -> None:
        self._asked = numbers
        if self._grid is not None:
            self._grid = Space(self._grid.parameters, numbers, is_sample=True)

    def add(self, slice_: Slice, rows: NDArray[np.float64], failures: Sequence[Failure]) -> None:
        carried, grid = self._carried, self._grid
        if carried is None or carried.run is None or grid is None or self.problem:
            return
        if self._writer is None:  # Only now: processes are not forked with an open store.
            with signals_deferred():  # Or it might run without anybody knowing of it.
                self._writer = SliceWriter(
                    self._path,
                    carried.run,
                    self._owner,
                    done=carried.done,
                    seconds_before=self._seconds(),
                    busy_s=self._busy_s,
                    asked=self._asked_columns,
                )
        assert isinstance(self._writer, SliceWriter)
        if slice_.begun is not None:
            slice_ = replace(slice_, begun=slice_.begun - self._begun)
        named = [(grid[failure.number], failure) for failure in failures]
        self._writer.put(Finished(slice_, rows, named))
        self._give_up(self._writer.problem)

    def _asked_columns(self) -> dict[str, Any]:
        """What a run stores of the points that a search has asked for."""
        identity = self._identity_now()
        if identity is None or self._asked is None:
            return {}
        return {"identity": canonical(identity.parts)}

    def _identity_now(self) -> Identity | None:
        if self._identity is None or self._asked is None:
            return self._identity
        return self._identity.with_points(self._asked)

    def reduced(self, snapshot: Callable[[], Snapshot]) -> None:
        carried, begun = self._carried, time.monotonic()
        if carried is None or carried.run is None or self.problem or begun < self._next_snapshot:
            return
        if self._writer is None:  # Only now, as in `add`.
            with signals_deferred():
                self._writer = SnapshotWriter(
                    self._path,
                    carried.run,
                    self._owner,
                    seconds_before=self._seconds(),
                    busy_s=self._busy_s,
                )
        assert isinstance(self._writer, SnapshotWriter)
        self._writer.put(snapshot())
        ended = time.monotonic()
        self._next_snapshot = ended + max(COMMIT_S, _SNAPSHOTS * (ended - begun))
        self._give_up(self._writer.problem)

    def keep(
        self,
        numbers: NDArray[np.int64],
        rows: NDArray[np.float64],
        failures: Sequence[Failure],
        snapshot: Snapshot,
    ) -> None:
        carried, grid = self._carried, self._grid
        if carried is None or carried.run is None or grid is None:
            return
        if not self.problem:
            self._next_snapshot = 0.0
            self.reduced(lambda: snapshot)  # It counts what is done.
        self._close_writer()
        self.asked(numbers)
        identity, grid = self._identity_now(), self._grid
        assert identity is not None
        assert grid is not None
        named = [(grid[failure.number], failure) for failure in failures]
        kept = Finished(Slice(0, len(numbers)), rows, named)
        try:
            with self._store() as store:
                store.keep(carried.run, self._owner, identity, kept, snapshot.content)
        except StoreError as problem:
            self._give_up(problem)

    def note(self, kind: Kind, text: str) -> None:
        if self._journal is not None:
            self._journal.add(kind, text)
        elif self._carried is None:
            self._noted.append((kind, text))

    def swept(self) -> None:
        if self._writer is not None:
            self._writer.flush()

    def distrust(
        self,
        runs: Collection[int],
        why: str,
        *,
        done: NDArray[np.bool_],
        values: NDArray[np.float64],
        failures: Sequence[Failure],
    ) -> None:
        carried = self._carried
        if carried is None or carried.run is None:
            return
        self._close_writer()
        try:
            with self._store() as store:
                for number in runs:
                    if number != carried.run:
                        store.reject(number, why)
                self._rewrite(store, carried.run, done, values, failures)
        except StoreError as problem:
            self._give_up(problem)

    def earlier_trials(self) -> int:
        carried, identity = self._carried, self._identity_now()
        if carried is None or carried.run is None or identity is None:
            return 0
        try:
            with self._store(read_only=True) as store:
                return store.trials_on_data(
                    identity, without=carried.run, damaged=self._is_left_out
                )
        except StoreError as problem:
            self._tell(f"{problem}; what earlier runs tried is not counted")
            return 0

    def count_opening(self, split: str) -> int:
        if self._carried is None or self._identity is None:
            return 1
        try:
            with self._store() as store:
                return store.count_opening(
                    self._identity.bars_sha256, split, damaged=self._counts_anew
                )
        except StoreError as problem:
            self._tell(f"{problem}; that bars held back were looked at is not counted")
            return 1

    def finish(self, ending: Ending) -> None:
        carried, self._carried = self._carried, None
        if carried is None or carried.run is None:
            return
        self._close_writer()
        if self.problem:  # Not all rows are in the store: it can be continued.
            ending = replace(ending, state="interrupted", result_sha256=None, error=self.problem)
        is_search = self._identity is not None and self._identity.search is not None
        if self._asked is not None and is_search and ending.state != "interrupted":
            ending = replace(ending, combinations=len(self._asked))
        try:
            with self._store() as store:
                store.end(carried.run, self._owner, replace(ending, seconds=self._seconds()))
        except StoreError as problem:
            self._give_up(problem)
        if self._journal is not None:
            self._journal.close()

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._begun

    def _give_up(self, problem: StoreError | None) -> None:
        if problem is not None and self.problem is None:
            self.problem = str(problem)
            self._tell(f"{problem}; the run goes on without a store")

    @contextmanager
    def _store(self, *, create: bool = False, read_only: bool = False) -> Iterator[RunStore]:
        """The store; whatever is wrong with it is a `StoreError`."""
        try:
            with RunStore(
                self._path, create=create, read_only=read_only, busy_s=self._busy_s
            ) as store:
                yield store
        except BigBarError:
            raise
        except (
            Exception
        ) as problem:  # Of what somebody wrote into it: the run goes on all the same.
            raise StoreError(f"{self._path} cannot be used ({problem!r})") from problem

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._give_up(self._writer.problem)
            self._writer = None

    def _rewrite(
        self,
        store: RunStore,
        run: int,
        done: NDArray[np.bool_],
        values: NDArray[np.float64],
        failures: Sequence[Failure],
    ) -> None:
        """Keep these rows and no others."""
        grid = self._grid
        assert grid is not None
        named = [(grid[failure.number], failure) for failure in failures]
        pieces = [
            Finished(
                Slice(start, stop),
                values[start:stop],
                [one for one in named if start <= one[1].number < stop],
            )
            for start, stop in gaps_in(~done)
        ]
        store.rewrite(run, self._owner, pieces)

    def _tell_once(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(what)

    def _are_damaged(self, what: str) -> None:
        self._tell_once(f"{what}; they are computed again")

    def _is_left_out(self, what: str) -> None:
        self._tell_once(f"{what}; it is left out (bigbar delete removes it)")

    def _counts_anew(self, what: str) -> None:
        self._tell_once(f"{what}; counting begins anew")

    def _choose(self, store: RunStore, new: NewRun, values: NDArray[np.float64]) -> Carried:
        """Continue a run or begin one, and fill in what is there."""
        carried = Carried.nothing(len(values))
        same = store.with_fingerprint(new.identity.fingerprint, damaged=self._is_left_out)
        run = self._wanted(store, new, same)
        if run is not None and store.claim(run.id, new, self._owner):
            carried.run, carried.begun = run.id, run.started
            self._seconds_before = run.seconds
            self._continue(store, run, carried, values)
        elif self._policy.needs_store and run is not None:
            raise SettingsError(f"run {run.id} is being run by another process; wait for its end")
        else:
            # Choosing an engine took its time before there was anything to write down.
            carried.run = store.begin(new, self._owner, ago=time.monotonic() - self._begun)
        finished = [one for one in same if one.state == "finished" and one.id != carried.run]
        carried.earlier = next(
            (one for one in finished if one.result_sha256 and not one.failed), None
        )
        carried.recalls = not self._policy.fresh
        if not (finished or self._policy.fresh or carried.done.all()):
            others = [
                one
                for one in store.with_context(new.identity.context, damaged=self._is_left_out)
                if one.state in ("finished", "interrupted") and one.id != carried.run
            ]
            grid, damaged = new.identity.grid(), self._are_damaged
            if new.identity.search is not None:
                product = Space(grid.parameters)
                carried.known = known_rows(store, others, product, damaged=damaged)
            else:
                carried.taken = take_over(
                    store, others, grid, values, carried.done, damaged=damaged
                )
            if not (others or same):
                self._tell_of_an_edit(store, new.identity)
        return carried

    def _tell_of_an_edit(self, store: RunStore, new: Identity) -> None:
        """Why nothing of the last run is used, where that is an edit of the strategy."""
        if (edited := self._edited(store, new)) is not None:
            self._tell_once(f"nothing of run {edited}")

    def _edited(self, store: RunStore, new: Identity) -> str | None:
        """The last run like this one, and what of the strategy was edited since; or None."""
        run = next((one for one in store.like(new, damaged=self._is_left_out) if one.done), None)
        if (
            run is None
            or new.problem is not None
            or run.identity.strategy_code == new.strategy_code
        ):
            return None
        differing = [part for part in run.identity.differences(new) if part != "the grid"]
        return f"{run.id} is used: since then {_and(differing)} changed"

    def _continue(
        self, store: RunStore, run: Run, carried: Carried, values: NDArray[np.float64]
    ) -> None:
        """What a run has already; rows of it that are not as they were written leave the file."""
        if run.identity.keep is not None:
            carried.reduction = store.reduction(run, damaged=self._are_damaged)
            return
        wrong: list[str] = []
        done = store.fill(run, values, damaged=wrong.append)
        there = len(run.grid)  # Of a search, it may be less than is to be tried.
        if run.identity.search is not None:
            carried.asked = run.grid.kept
        if not (wrong or has_its_result(run, values[:there], damaged=wrong.append)):
            done[:] = False
        carried.done = done
        carried.failures = [
            failure for failure in store.failures(run, damaged=wrong.append) if done[failure.number]
        ]
        for what in wrong:
            self._are_damaged(what)
        if wrong:
            values[~done] = np.nan
            self._rewrite(store, run.id, done, values, carried.failures)
        if self._policy.retry_failed:
            failed = [failure.number for failure in carried.failures]
            if done[:there].all():
                carried.retry = failed
            else:  # More is left to run than what failed.
                done[failed] = False
                carried.failures = []

    def _wanted(self, store: RunStore, new: NewRun, same: Sequence[Run]) -> Run | None:
        """The run to continue; None where a new one is to begin."""
        if self._policy.fresh:
            return None
        if self._policy.resume is not None:
            return _to_resume(store.run(self._policy.resume), new)
        ended = [run for run in same if run.state != "running"]
        if self._policy.retry_failed:
            return _to_retry(ended, store.path, self._edited(store, new.identity))
        # A run that was finished later has the answer: then this one is meant to be another.
        return ended[0] if ended and ended[0].state == "interrupted" else None


def _and(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _to_resume(run: Run, new: NewRun) -> Run:
    if run.fingerprint != new.identity.fingerprint:
        differing = ", ".join(run.identity.differences(new.identity))
        raise SettingsError(
            f"run {run.id} cannot be resumed with this command; what differs: {differing}. Its "
            f"own command line was: {shlex.join(run.command) or 'none (it was run from Python)'}"
        )
    if run.state == "finished":
        raise SettingsError(f"run {run.id} is finished; there is nothing left to resume")
    if run.state == "failed":
        raise SettingsError(
            f"run {run.id} failed its verification, so its rows cannot be trusted; start over "
            "with --fresh"
        )
    return run


def _to_retry(ended: Sequence[Run], path: Path, edited: str | None) -> Run:
    finished = [run for run in ended if run.state == "finished"]
    if not finished and edited is not None:
        raise SettingsError(
            f"--retry-failed: nothing of run {edited}; leave --retry-failed out to run it anew"
        )
    if not finished:
        unfinished = next((run for run in ended if run.state == "interrupted"), None)
        raise SettingsError(
            f"--retry-failed: no finished run of this command is in {path}; "
            + (
                f"run {unfinished.id} is unfinished: leave --retry-failed out to resume it"
                if unfinished
                else "run it without --retry-failed first"
            )
        )
    failed = next((run for run in finished if run.failed), None)
    if failed is None:
        number = finished[0].id
        raise NothingToRetry(
            f"nothing failed in run {number}, so nothing is run again and its files stay as they "
            f"are ('bigbar show {number}' prints it)"
        )
    return failed
