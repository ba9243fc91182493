"""The file of runs: made once, opened with every check, and never believed."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from store_tools import begun, disk, made_rows

from bigbar.errors import BigBarError
from bigbar.store.reductions import read_reduction
from bigbar.store.rows import Finished, Slice, write_slices
from bigbar.store.runs import RunStore
from bigbar.store.schema import (
    APPLICATION_ID,
    RUNS,
    VERSION,
    StoreError,
    open_store,
    transaction,
)


@pytest.fixture
def path(tmp_path) -> Path:
    """A file of runs with a run in it."""
    begun(tmp_path)
    return tmp_path / RUNS


def tampered(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def refused(path: Path, match: str, **options) -> str:
    with pytest.raises(StoreError, match=match) as caught:
        open_store(path, **options)
    assert isinstance(caught.value, BigBarError)
    assert str(path) in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------- opening


def test_a_new_file_has_mark_version_log_and_the_users_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        with closing(open_store(tmp_path / RUNS, create=True)) as connection:
            assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
            assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)
            modes = {entry.name: entry.stat().st_mode for entry in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert {stat.S_IMODE(mode) for mode in modes.values()} == {0o640}
    assert os.listdir(tmp_path) == [RUNS]  # Closed: nothing but the file is left.


def test_none_there(tmp_path):
    message = refused(tmp_path / RUNS, "there is no")
    assert "no run was stored" in message
    assert os.listdir(tmp_path) == []


def test_an_empty_file_is_a_new_one(tmp_path):
    (tmp_path / RUNS).touch()
    for read_only in (False, True):  # As when another program is just making it.
        refused(tmp_path / RUNS, "no run was stored in .* yet", read_only=read_only)
    begun(tmp_path)
    with RunStore(tmp_path) as store:
        assert len(store.runs()) == 1


@pytest.mark.slow
def test_twelve_programs_at_once_make_one_file(tmp_path):
    line = [sys.executable, "-c", CREATE, str(tmp_path / RUNS)]
    children = [subprocess.Popen(line, stderr=subprocess.PIPE, text=True) for _ in range(12)]
    said = [child.communicate(timeout=60)[1] for child in children]
    assert [child.returncode for child in children] == [0] * 12, said
    with RunStore(tmp_path) as store:
        assert store.runs() == []


CREATE = """
import sqlite3, sys, time
from pathlib import Path
from bigbar.store.schema import open_store, transaction
time.sleep(1.5 - time.time() % 1)  # All at once.
connection = open_store(Path(sys.argv[1]), create=True)
with transaction(connection):
    connection.execute("INSERT INTO openings VALUES (?, 'x', 1, '')", (str(time.time_ns()),))
connection.close()
"""


# ----------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"time,open,high,low,close\n" * 100, "no file of runs"),
        (b"\x00" * 20_000, "no file of runs"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "damaged|no file of runs|cannot be used"),
    ],
)
def test_something_else_under_that_name(tmp_path, content, match):
    path = tmp_path / RUNS
    path.write_bytes(content)
    for options in ({}, {"create": True}, {"read_only": True}):
        message = refused(path, match, **options)
        assert f"(mv {path} {path}.old)" in message
    assert path.read_bytes() == content  # Untouched.


def test_the_advice_can_be_pasted(tmp_path):
    folder = tmp_path / "my runs"
    folder.mkdir()
    (folder / RUNS).write_bytes(b"notes" * 100)
    advice = refused(folder / RUNS, "no file of runs").split("(mv ")[1].split(")")[0]
    subprocess.run(f"mv {advice}", shell=True, check=True)
    assert os.listdir(folder) == [f"{RUNS}.old"]


def test_a_database_of_another_program(tmp_path):
    path = tmp_path / RUNS
    tampered(path, "CREATE TABLE recipes (name TEXT)")
    for options in ({}, {"create": True}):
        assert "mv " in refused(path, "another program", **options)
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    assert names == ["recipes"]


@pytest.mark.parametrize(("version", "word"), [(VERSION + 1, "a newer"), (0, "an older")])
def test_another_version(path, version, word):
    tampered(path, f"PRAGMA user_version = {version}")
    message = refused(path, f"{word} version of the optimizer")
    assert f"tables are version {version}, this one reads {VERSION}" in message
    assert "use that version" in message


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER gotcha AFTER UPDATE ON runs BEGIN DELETE FROM failures; END",
        "CREATE VIEW peek AS SELECT * FROM runs",
        "CREATE TABLE more (x)",
        "ALTER TABLE runs ADD COLUMN extra TEXT",
        "DROP INDEX slices_by_run",
        "DROP TABLE openings",
    ],
)
def test_a_schema_that_is_not_exactly_ours(path, statement):
    tampered(path, statement)
    assert "mv " in refused(path, "was tampered with")


def test_a_view_in_the_place_of_a_table_runs_nothing(path, tmp_path):
    """A hostile file may carry code in its schema: none of it is run, not even while checking."""
    trace = tmp_path / "trace"
    tampered(
        path,
        "DROP TABLE openings",
        "CREATE VIEW openings AS SELECT 'a' AS bars_sha256, 'b' AS split, "
        f"CAST(writefile('{trace}', 'x') AS INTEGER) AS count",
    )
    refused(path, "tampered")
    assert not trace.exists()


def test_a_file_that_was_cut_off(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(StoreError, match=r"damaged|cannot be used"), RunStore(path) as store:
        store.runs()


@pytest.mark.parametrize("seed", range(8))
def test_pages_of_noise_are_found_out_or_do_not_matter(tmp_path, seed):
    """Whatever is overwritten: an error that says so, or the very rows that were written."""
    import numpy as np

    run, _ = begun(tmp_path)
    rows = made_rows(24)
    with closing(open_store(tmp_path / RUNS)) as connection, transaction(connection):
        write_slices(connection, run, [Finished(Slice(0, 24), rows)])
    content = bytearray((tmp_path / RUNS).read_bytes())
    rng = np.random.default_rng(seed)
    for _ in range(3):
        at = int(rng.integers(100, len(content) - 400))
        content[at : at + 400] = rng.bytes(400)
    (tmp_path / RUNS).write_bytes(bytes(content))
    with contextlib.suppress(StoreError), RunStore(tmp_path, read_only=True) as store:
        for found in store.runs():
            values, done = store.values(found)
            assert values[done].tobytes() == rows[done].tobytes()


# ------------------------------------------------------------------------ locked, full, read-only


def test_locked_by_another_program(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun_at = time.monotonic()
        with (
            pytest.raises(StoreError, match="locked by another program; wait"),
            RunStore(path, busy_s=0.3) as store,
        ):
            store.count_opening("x", "y")
        assert 0.2 < time.monotonic() - begun_at < 5
        with RunStore(path, busy_s=0.3) as store:
            assert len(store.runs()) == 1  # Reading never waits.


def test_a_short_lock_is_waited_for(path):
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    release.start()
    with RunStore(path) as store:
        assert store.count_opening("x", "y") == 1
    release.join()
    other.close()


def test_a_full_disk(tmp_path):
    with disk(tmp_path / "disk", "1m") as folder:
        run, _ = begun(folder)
        with closing(open_store(folder / RUNS)) as connection:
            with pytest.raises(sqlite3.OperationalError, match="full"), transaction(connection):
                write_slices(connection, run, [Finished(Slice(0, 24), made_rows(20_000))])
            assert not connection.in_transaction
        with RunStore(folder) as store:
            assert [found.id for found in store.runs()] == [run]
            assert store.slices(run) == []


def test_a_full_disk_from_the_beginning(tmp_path):
    with disk(tmp_path / "disk", "64k") as folder:
        (folder / "filler").write_bytes(b"x" * 64 * 1024)
        with pytest.raises(StoreError, match=r"disk is full|cannot be used"):
            RunStore(folder, create=True)


def test_a_read_only_disk(tmp_path):
    with disk(tmp_path / "disk", "2m") as folder:
        run, _ = begun(folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with RunStore(folder, read_only=True) as store:
            assert store.run(run).combinations == 24
        with pytest.raises(StoreError, match=r"read-only|cannot be opened"):
            begun(folder)


def test_read_only_never_writes(path):
    before = path.read_bytes()
    with RunStore(path, read_only=True) as store:
        assert len(store.runs()) == 1
        with pytest.raises(StoreError, match="read-only"):
            store.count_opening("x", "y")
    assert path.read_bytes() == before


# ------------------------------------------------------------------------------------- writing


def test_a_transaction_is_all_or_nothing(path):
    with closing(open_store(path)) as connection:
        with pytest.raises(sqlite3.Error), transaction(connection):
            connection.executemany("DELETE FROM runs WHERE id = ?", [(1,), (object(),)])
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_file_of_the_version_before_gets_the_table_that_it_has_not(tmp_path):
    """When it is next written; until then it is read as it is."""
    path = tmp_path / RUNS
    open_store(path, create=True).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE reductions")
        connection.execute(f"PRAGMA user_version = {VERSION - 1}")
    for options in ({"read_only": True}, {}, {"read_only": True}):
        with closing(open_store(path, **options)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            assert read_reduction(connection, 1) is None
    assert version == VERSION
