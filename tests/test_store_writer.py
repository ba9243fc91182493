"""The writer: soon, in whole transactions, and never at the cost of the run."""

import contextlib
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
from store_tools import begun, disk, made_rows

from bigbar.slices import Failure
from bigbar.statistics import NAMES
from bigbar.store.owner import Owner
from bigbar.store.reading import read_rows
from bigbar.store.rows import Finished, Slice
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS, open_store
from bigbar.store.writer import COMMIT_S, SliceWriter


def writer_for(folder: Path, run: int, owner: Owner, **options) -> SliceWriter:
    given = {"done": np.zeros(24, dtype=bool), "seconds_before": 0.0} | options
    return SliceWriter(folder / RUNS, run, owner, **given)


def piece(start: int, stop: int, **more) -> Finished:
    return Finished(Slice(start, stop), made_rows(stop - start, seed=start), **more)


def test_everything_is_there_at_the_end(tmp_path):
    run, owner = begun(tmp_path)
    writer = writer_for(tmp_path, run, owner, seconds_before=100.0)
    for start in range(0, 24, 2):
        writer.put(piece(start, start + 2))
    writer.close()
    writer.close()
    assert writer.problem is None
    with RunStore(tmp_path) as store:
        found = store.run(run)
        values, done = store.values(found)
    assert (found.done, done.all()) == (24, True)
    assert 100 <= found.seconds < 130
    for start in range(0, 24, 2):
        assert values[start : start + 2].tobytes() == made_rows(2, seed=start).tobytes()
    assert os.listdir(tmp_path) == [RUNS]


def test_a_finished_slice_is_committed_within_a_second(tmp_path):
    run, owner = begun(tmp_path)
    writer = writer_for(tmp_path, run, owner)
    writer.put(piece(0, 4))
    put_at = time.monotonic()
    try:
        with closing(sqlite3.connect(tmp_path / RUNS)) as other:
            while not other.execute("SELECT count(*) FROM slices").fetchone()[0]:
                assert time.monotonic() - put_at < 1.5
                time.sleep(0.01)
        assert COMMIT_S < 0.9
    finally:
        writer.close()


def test_flushing_does_not_wait(tmp_path):
    run, owner = begun(tmp_path)
    writer = writer_for(tmp_path, run, owner)
    try:
        writer.put(piece(0, 4))
        writer.flush()
        deadline = time.monotonic() + COMMIT_S * 0.8
        with RunStore(tmp_path) as store:
            while not store.slices(run) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert store.slices(run) == [Slice(0, 4)]
    finally:
        writer.close()


def test_many_slices_are_one_transaction_with_their_failures(tmp_path):
    run, owner = begun(tmp_path)
    writer = writer_for(tmp_path, run, owner)
    with closing(open_store(tmp_path / RUNS)) as connection:
        before = connection.execute("PRAGMA data_version").fetchone()
        for start in range(0, 20, 2):
            writer.put(piece(start, start + 2, failures=[({"k_atr": 1.0}, Failure(start, "no"))]))
        writer.close()
        # One more for the log that is emptied at the end.
        assert connection.execute("PRAGMA data_version").fetchone()[0] - before[0] <= 2
    with RunStore(tmp_path) as store:
        assert len(store.slices(run)) == len(store.failures(store.run(run))) == 10


def test_what_was_done_before_counts(tmp_path):
    run, owner = begun(tmp_path)
    done = np.zeros(24, dtype=bool)
    done[:10] = True
    writer = writer_for(tmp_path, run, owner, done=done)
    writer.put(piece(8, 12))
    writer.close()
    with RunStore(tmp_path) as store:
        assert store.run(run).done == 12
    assert np.count_nonzero(done) == 10  # The caller's is not touched.


# --------------------------------------------------------------------------------------- trouble


def test_a_run_that_was_taken_over_is_left_alone(tmp_path):
    run, _ = begun(tmp_path)
    writer = writer_for(tmp_path, run, Owner.of_this_process())
    writer.put(piece(0, 4))
    writer.close()
    assert "taken over or deleted by another program" in str(writer.problem)
    writer.put(piece(4, 8))
    with RunStore(tmp_path) as store:
        assert store.slices(run) == []


def test_a_lock_that_stays_is_a_problem_but_no_exception(tmp_path):
    run, owner = begun(tmp_path)
    with closing(sqlite3.connect(tmp_path / RUNS, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer = writer_for(tmp_path, run, owner, busy_s=0.2)
        writer.put(piece(0, 4))
        writer.close()
        assert "locked" in str(writer.problem)


def test_a_full_disk_keeps_what_was_committed(tmp_path):
    with disk(tmp_path / "disk", "2m") as folder:
        run, owner = begun(folder)
        rng = np.random.default_rng(0)
        rows = rng.random((1000, len(NAMES)))  # Noise does not pack: 240 kB each.
        writer = writer_for(folder, run, owner, done=np.zeros(20_000, dtype=bool))
        for start in range(0, 20_000, 1000):
            writer.put(Finished(Slice(start, start + 1000), rows))
            writer.flush()
            time.sleep(0.02)
        writer.close()
        assert "the disk is full" in str(writer.problem)
        values = np.full((20_000, len(NAMES)), np.nan)
        with closing(open_store(folder / RUNS)) as connection:
            done = read_rows(connection, run, values)
            told = connection.execute("SELECT done FROM runs").fetchone()[0]
        assert 0 < told == np.count_nonzero(done) < 20_000
        assert values[done].tobytes() == np.tile(rows, (told // 1000, 1)).tobytes()
        with closing(sqlite3.connect(folder / RUNS)) as other:
            assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_vanishes_is_a_problem_but_no_exception(tmp_path):
    run, owner = begun(tmp_path)
    (tmp_path / RUNS).unlink()
    writer = writer_for(tmp_path, run, owner)
    writer.put(piece(0, 4))
    writer.close()
    assert "there is no" in str(writer.problem)
    assert os.listdir(tmp_path) == []


# ------------------------------------------------------------------------------- other processes


def write_rounds(folder: Path, rounds: int, said: Connection) -> None:
    """Write slices as fast as can be; say which rounds are committed for sure."""
    run, owner = begun(folder)
    said.send(run)
    for _ in range(rounds):
        writer = writer_for(folder, run, owner)
        for start in range(0, 24, 2):
            writer.put(piece(start, start + 2))
            writer.flush()
        writer.close()
        said.send(writer.problem and str(writer.problem))


@contextlib.contextmanager
def writing(folder: Path, rounds: int) -> Iterator[tuple[BaseProcess, Connection]]:
    """A process that does so."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=write_rounds, args=(folder, rounds, there))
    process.start()
    there.close()
    try:
        yield process, here
    finally:
        process.kill()
        process.join()
        here.close()


def test_two_programs_write_side_by_side(tmp_path):
    with writing(tmp_path, 15) as one, writing(tmp_path, 15) as other:
        for process, said in (one, other):
            said.recv()
            assert [said.recv() for _ in range(15)] == [None] * 15
            process.join(60)
    with RunStore(tmp_path) as store:
        runs = store.runs()
        assert len(runs) == 2
        for run in runs:
            assert len(store.slices(run.id)) == 15 * 12
            values, done = store.values(run)
            assert done.all()
            assert values[:2].tobytes() == made_rows(2, seed=0).tobytes()


def killed_at_some_moment(folder: Path, after: float) -> None:
    """What was said to be committed is there, and nothing is half there."""
    rounds = 0
    with writing(folder, 10_000) as (process, said):
        run = said.recv()
        time.sleep(after)
        process.kill()
        process.join()
        with contextlib.suppress(EOFError):
            while said.recv() is None:
                rounds += 1
    with RunStore(folder) as store:
        found = store.run(run)
        assert found.state == "interrupted"
        slices = store.slices(run)
        assert len(slices) >= 12 * rounds
        values, done = store.values(found)
        for one in slices:
            rows = made_rows(2, seed=one.start)
            assert values[one.start : one.stop].tobytes() == rows.tobytes()
        assert done.sum() == 2 * len({one.start for one in slices})
        assert 0 <= found.done <= done.sum()  # Every round counts from the beginning.
    with closing(sqlite3.connect(folder / RUNS)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.slow
def test_killed_at_any_moment_it_stays_readable_and_right(tmp_path):
    for after in np.random.default_rng(5).random(12) * 0.2:
        killed_at_some_moment(tmp_path, float(after))


@pytest.mark.soak
def test_killed_two_hundred_times(tmp_path):
    for after in np.random.default_rng(6).random(200):
        killed_at_some_moment(tmp_path, float(after))
