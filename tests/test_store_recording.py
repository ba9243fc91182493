"""A run and its store: what is continued, begun, taken over, tried again, and done without."""

import os
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest
from store_tools import change, dead_owner, disk, identity, made_rows, new_run

from bigbar.errors import Interrupted, NothingToRetry, SettingsError, VerificationError
from bigbar.results import ResultTable
from bigbar.slices import Failure
from bigbar.statistics import NAMES
from bigbar.store.fingerprint import Identity
from bigbar.store.recorder import Carried, Recorder
from bigbar.store.recording import ReusePolicy, StoreRecorder
from bigbar.store.records import Ending, Run, RunOutput
from bigbar.store.rows import Slice
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS, StoreError
from bigbar.strategies.big_bar.parameters import big_bar_account

ROWS = made_rows(24)


class Attempt:
    """One attempt at a run of 24 combinations: what it found, and what was told."""

    def __init__(self, folder, found: Identity | None = None, **policy) -> None:
        self.told: list[str] = []
        self.recorder = StoreRecorder(
            folder,
            policy=ReusePolicy(**policy),
            command=("file.csv",),
            tell=self.told.append,
            busy_s=0.2,
        )
        self.identity = found or identity()
        self.values = np.full((len(self.identity.grid()), len(NAMES)), np.nan)

    def begin(self) -> Carried:
        return self.recorder.begin(lambda: new_run(self.identity), self.values)

    def run(
        self, *slices: tuple[int, int], failed=(), error: BaseException | None = None, **ending
    ) -> Carried:
        """Begin, answer some slices, and end as finished, or with an error."""
        try:
            with self.recorder as recorder:
                carried = self.begin()
                for start, stop in slices:
                    rows = ROWS[start:stop].copy()
                    here = [number for number in failed if start <= number < stop]
                    rows[[number - start for number in here]] = np.nan
                    self.values[start:stop] = rows
                    failures = [Failure(number, f"Traceback …\nValueError: {number}")
                                for number in here]  # fmt: skip
                    recorder.add(Slice(start, stop), self.values[start:stop], failures)
                recorder.swept()
                if error is not None:
                    raise error
                digest = ResultTable(self.identity.grid(), self.values).sha256()
                recorder.finish(Ending("finished", result_sha256=digest, **ending))
        except BaseException as raised:
            if raised is not error:
                raise
        return carried


def run_of(folder, number: int) -> Run:
    with RunStore(folder) as store:
        return store.run(number)


def all_runs(folder) -> list[tuple[int, str, int]]:
    with RunStore(folder) as store:
        return [(run.id, run.state, run.done) for run in reversed(store.runs())]


INTERRUPTED = {"error": Interrupted(2)}


# ------------------------------------------------------------------------------------ continue


def test_a_run_that_finishes(tmp_path):
    carried = Attempt(tmp_path).run((12, 24), (0, 12))
    assert (carried.run, carried.begun, carried.earlier) == (1, None, None)
    assert not carried.done.any()
    found = run_of(tmp_path, 1)
    assert (found.state, found.done, found.command) == ("finished", 24, ("file.csv",))
    assert found.seconds > 0


def test_an_interrupted_run_continues_with_its_rows(tmp_path):
    Attempt(tmp_path).run((0, 5), (9, 14), failed=(3,), **INTERRUPTED)
    assert all_runs(tmp_path) == [(1, "interrupted", 10)]
    assert run_of(tmp_path, 1).error == "stopped by signal 2"
    again = Attempt(tmp_path)
    carried = again.run((5, 9), (14, 24))
    assert carried.run == 1
    assert carried.begun == run_of(tmp_path, 1).started
    assert np.flatnonzero(carried.done).tolist() == [*range(5), *range(9, 14)]
    assert [failure.number for failure in carried.failures] == [3]
    expected = ROWS.copy()
    expected[3] = np.nan
    assert again.values.tobytes() == expected.tobytes()
    assert all_runs(tmp_path) == [(1, "finished", 24)]
    with RunStore(tmp_path) as store:
        assert store.values(store.run(1))[0].tobytes() == expected.tobytes()


def test_names_that_are_no_text(tmp_path):
    """A file's name can be any bytes; Python shows those that are no text as lone surrogates."""
    folder = tmp_path / os.fsdecode(b"caf\xe9 #1?%20")
    folder.mkdir()
    attempt = Attempt(folder)
    with attempt.recorder as recorder:
        attempt.begin()
        reason = f"Traceback …\nOSError: {folder}"
        recorder.add(Slice(0, 24), ROWS, [Failure(3, reason)])
        recorder.finish(
            Ending("finished", output=RunOutput(f"Files {folder}", {"a": str(folder)}, {}))
        )
    assert attempt.told == []
    assert os.listdir(folder) == [RUNS]
    with RunStore(folder) as store:
        assert r"caf\udce9 #1?%20" in str(store.output(1).answer)
        assert store.output(1).summary == {"a": str(folder)}
        assert r"caf\udce9" in store.failures(store.run(1))[0].reason


def test_seconds_of_all_attempts_add_up(tmp_path):
    Attempt(tmp_path).run((0, 5), **INTERRUPTED)
    change(tmp_path, "UPDATE runs SET seconds = 1000", sealed=True)
    Attempt(tmp_path).run((5, 24))
    assert 1000 < run_of(tmp_path, 1).seconds < 1030


def test_the_process_that_vanished_left_an_unfinished_run(tmp_path):
    with RunStore(tmp_path / RUNS, create=True) as store:
        store.begin(new_run(identity()), dead_owner())
    assert Attempt(tmp_path).run((0, 24)).run == 1


def test_a_run_at_which_another_process_is_gets_a_sister(tmp_path):
    first = Attempt(tmp_path)
    assert first.begin().run == 1
    assert Attempt(tmp_path).run((0, 24)).run == 2
    assert all_runs(tmp_path) == [(1, "running", 0), (2, "finished", 24)]


def test_a_finished_run_is_computed_anew_and_compared_with(tmp_path):
    Attempt(tmp_path).run((0, 24))
    carried = Attempt(tmp_path).run((0, 24))
    assert (carried.run, carried.earlier.id) == (2, 1)
    assert not carried.done.any()
    assert not carried.taken.any()


def test_what_was_left_before_a_finished_run_stays_left(tmp_path):
    Attempt(tmp_path).run((0, 5), **INTERRUPTED)
    Attempt(tmp_path, fresh=True).run((0, 24))
    assert Attempt(tmp_path).run((0, 24)).run == 3


@pytest.mark.parametrize("error", [VerificationError("they disagree"), RuntimeError("a bug")])
def test_what_an_error_leaves(tmp_path, error):
    Attempt(tmp_path).run((0, 24), error=error)
    wrong = isinstance(error, VerificationError)
    assert run_of(tmp_path, 1).state == ("failed" if wrong else "interrupted")
    assert run_of(tmp_path, 1).error == str(error)
    # Rows that were found wrong are nobody's.
    assert Attempt(tmp_path).run((0, 24)).run == (2 if wrong else 1)


def test_damaged_rows_are_run_again(tmp_path):
    Attempt(tmp_path).run((0, 12), **INTERRUPTED)
    change(tmp_path, "UPDATE blocks SET packed = substr(packed, 2)")
    attempt = Attempt(tmp_path)
    carried = attempt.run((0, 24))
    assert carried.run == 1
    assert not carried.done.any()
    assert "damaged" in attempt.told[0]
    assert "computed again" in attempt.told[0]
    with RunStore(tmp_path) as store:
        values, done = store.values(store.run(1))  # The damaged ones have left the file.
    assert done.all()
    assert values.tobytes() == ROWS.tobytes()


# ------------------------------------------------------------------------------- fresh, resume


def test_fresh_takes_nothing(tmp_path):
    Attempt(tmp_path).run((0, 5), **INTERRUPTED)
    carried = Attempt(tmp_path, fresh=True).run((0, 24))
    assert carried.run == 2
    assert not carried.done.any()
    assert all_runs(tmp_path) == [(1, "interrupted", 5), (2, "finished", 24)]


def test_resuming_one_of_several(tmp_path):
    Attempt(tmp_path).run((0, 5), **INTERRUPTED)
    Attempt(tmp_path, fresh=True).run((0, 7), **INTERRUPTED)
    carried = Attempt(tmp_path, resume=1).run((5, 24))
    assert (carried.run, np.count_nonzero(carried.done)) == (1, 5)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"k_atr": (1.0, 9.0)}, "what differs: the grid. Its own command line was: file.csv"),
        ({"account": big_bar_account(cash=1e4)}, "what differs: cash or costs"),
        ({"engine": "compiled"}, "what differs: the engine"),
    ],
)
def test_resuming_another_run_is_refused(tmp_path, other, words):
    Attempt(tmp_path).run((0, 5), **INTERRUPTED)
    with pytest.raises(SettingsError, match=words):
        Attempt(tmp_path, identity(**other), resume=1).begin()


def test_resuming_what_cannot_be(tmp_path):
    Attempt(tmp_path).run((0, 24))
    with pytest.raises(SettingsError, match="run 1 is finished"):
        Attempt(tmp_path, resume=1).begin()
    Attempt(tmp_path).run((0, 24), error=VerificationError("no"))
    with pytest.raises(SettingsError, match="run 2 failed its verification"):
        Attempt(tmp_path, resume=2).begin()
    running = Attempt(tmp_path)
    running.begin()
    with pytest.raises(SettingsError, match="run 3 is being run by another process"):
        Attempt(tmp_path, resume=3).begin()
    with pytest.raises(StoreError, match="no run 9"):
        Attempt(tmp_path, resume=9).begin()


# --------------------------------------------------------------------------------------- reuse


def test_a_grown_grid_takes_over_rows_and_keeps_them(tmp_path):
    Attempt(tmp_path).run((0, 24), failed=(2,))
    wider = identity(k_atr=(1.0, 1.5, 2.0, 2.5, 3.0))
    carried = Attempt(tmp_path, wider).begin()
    assert np.count_nonzero(carried.taken) == 23
    assert set(carried.taken) == {0, 1}
    assert not carried.done.any()


@pytest.mark.parametrize(
    ("state", "taken"),
    [({}, True), (INTERRUPTED, True), ({"error": VerificationError("no")}, False)],
)
def test_from_which_runs_rows_are_taken(tmp_path, state, taken):
    Attempt(tmp_path).run((0, 24), **state)
    carried = Attempt(tmp_path, identity(buffer_ratio=(0.01, 0.02))).begin()
    assert carried.taken.any() == taken


@pytest.mark.parametrize(
    "other",
    [
        {"account": big_bar_account(spread=1e-5)},
        {"engine": "compiled"},
        {"atr_period": (10, 15, 20, 30)},  # Fewer bars take part.
    ],
)
def test_nothing_is_taken_from_another_context(tmp_path, other):
    Attempt(tmp_path).run((0, 24))
    assert not Attempt(tmp_path, identity(**other)).begin().taken.any()


def test_nothing_is_taken_by_a_fresh_run_or_one_that_was_finished_once(tmp_path):
    Attempt(tmp_path).run((0, 24))
    wider = identity(buffer_ratio=(0.01, 0.02))
    assert not Attempt(tmp_path, wider, fresh=True).begin().taken.any()
    with RunStore(tmp_path) as store:
        store.end(2, dead_owner(), Ending("interrupted"))
    attempt = Attempt(tmp_path, wider)
    attempt.begin()
    attempt.recorder.finish(Ending("finished"))
    assert not Attempt(tmp_path, wider).begin().taken.any()


# --------------------------------------------------------------------------------------- retry


def test_what_failed_is_tried_again(tmp_path):
    Attempt(tmp_path).run((0, 24), failed=(3, 17))
    carried = Attempt(tmp_path, retry_failed=True).run((3, 4), (17, 18), failed=(17,))
    assert (carried.run, carried.retry) == (1, [3, 17])
    found = run_of(tmp_path, 1)
    assert (found.state, found.failed, found.done) == ("finished", 1, 24)
    with RunStore(tmp_path) as store:
        assert [failure.number for failure in store.failures(found)] == [17]
        values, _ = store.values(found)
    expected = ROWS.copy()
    expected[17] = np.nan
    assert values.tobytes() == expected.tobytes()


def test_a_retry_that_is_interrupted_loses_nothing(tmp_path):
    Attempt(tmp_path).run((0, 24), failed=(3, 17))
    Attempt(tmp_path, retry_failed=True).run((3, 4), **INTERRUPTED)
    carried = Attempt(tmp_path).run()
    assert carried.done.all()
    assert [failure.number for failure in carried.failures] == [17]
    assert run_of(tmp_path, 1).state == "finished"


def test_the_newest_run_with_failures_is_retried(tmp_path):
    Attempt(tmp_path).run((0, 24), failed=(3,))
    Attempt(tmp_path).run((0, 24), failed=(4,))
    Attempt(tmp_path).run((0, 24))
    assert Attempt(tmp_path, retry_failed=True).begin().retry == [4]


def test_nothing_to_retry(tmp_path):
    Attempt(tmp_path).run((0, 24))
    with pytest.raises(NothingToRetry, match="nothing failed in run 1, so nothing is run again"):
        Attempt(tmp_path, retry_failed=True).run()


def test_nothing_that_could_be_retried(tmp_path):
    with pytest.raises(SettingsError, match="run it without --retry-failed first"):
        Attempt(tmp_path, retry_failed=True).begin()
    Attempt(tmp_path).run((0, 5), failed=(3,), **INTERRUPTED)
    with pytest.raises(SettingsError, match="run 1 is unfinished: leave --retry-failed out"):
        Attempt(tmp_path, retry_failed=True).begin()


def test_a_run_with_failures_is_not_compared_with(tmp_path):
    Attempt(tmp_path).run((0, 24), failed=(3,))
    assert Attempt(tmp_path).begin().earlier is None


# ----------------------------------------------------------------------------- without a store


def test_a_recorder_that_keeps_nothing():
    values = np.zeros((24, 30))
    with Recorder() as recorder:
        carried = recorder.begin(lambda: pytest.fail("nobody asks"), values)
        recorder.add(Slice(0, 1), values[:1], ())
        recorder.swept()
        recorder.finish(Ending("finished"))
    assert carried.run is None
    assert not carried.done.any()


def test_a_file_that_is_none_is_left_alone_and_the_run_goes_on(tmp_path):
    (tmp_path / RUNS).write_bytes(b"my notes" * 100)
    attempt = Attempt(tmp_path)
    carried = attempt.run((0, 24))
    assert carried.run is None
    assert len(attempt.told) == 1
    assert "no file of runs" in attempt.told[0]
    assert f"mv {tmp_path / RUNS}" in attempt.told[0]
    assert attempt.told[0].endswith("; the run goes on without a store")
    assert (tmp_path / RUNS).read_bytes() == b"my notes" * 100


@pytest.mark.parametrize("policy", [{"resume": 1}, {"retry_failed": True}])
def test_who_needs_the_store_is_told_that_it_cannot_be_had(tmp_path, policy):
    (tmp_path / RUNS).write_bytes(b"my notes" * 100)
    with pytest.raises(StoreError, match="no file of runs"):
        Attempt(tmp_path, **policy).begin()


def test_locked_too_long(tmp_path):
    Attempt(tmp_path).run((0, 24))
    with closing(sqlite3.connect(tmp_path / RUNS, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        attempt = Attempt(tmp_path)
        assert attempt.run((0, 24)).run is None
        assert "locked" in attempt.told[0]


def test_locked_from_the_middle_on(tmp_path):
    attempt = Attempt(tmp_path)
    with closing(sqlite3.connect(tmp_path / RUNS, isolation_level=None)) as other:
        with attempt.recorder as recorder:
            attempt.begin()
            other.execute("BEGIN IMMEDIATE")
            recorder.add(Slice(0, 24), ROWS, ())
            recorder.finish(Ending("finished"))
        other.execute("ROLLBACK")
    assert len(attempt.told) == 1
    assert "locked" in attempt.told[0]
    assert run_of(tmp_path, 1).done == 0


def test_a_disk_that_fills_up(tmp_path):
    with disk(tmp_path / "disk", "2m") as folder:
        found = identity(buffer_ratio=tuple(np.linspace(0, 0.5, 1000).tolist()))
        attempt = Attempt(folder, found)
        rng = np.random.default_rng(0)
        with attempt.recorder as recorder:
            attempt.begin()
            for start in range(0, 24_000, 1000):
                recorder.add(Slice(start, start + 1000), rng.random((1000, len(NAMES))), ())
                recorder.swept()
                while start == 0 and not run_of(folder, 1).done:
                    time.sleep(0.01)
            recorder.finish(Ending("finished", result_sha256="ab" * 32))
        assert len(attempt.told) == 1
        assert "the disk is full" in attempt.told[0]
        run = run_of(folder, 1)
        assert run.state in ("interrupted", "running")  # There may be no room to say so.
        assert run.result_sha256 is None
        assert 1000 <= run.done < 24_000
        with RunStore(folder) as store:
            values, there = store.values(run)
        assert np.count_nonzero(there) == run.done
        assert not np.isnan(values[there]).any()
