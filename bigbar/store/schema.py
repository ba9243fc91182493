"""The file `runs.sqlite`: its tables, and opening it with every check before anything is read.

A file may come from anybody. So nothing of it is trusted: it must carry this program's mark and
version, and its schema must be exactly this one, without a trigger or a view more. Nothing in it
is ever unpickled or run.
"""

from __future__ import annotations

import contextlib
import shlex
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from bigbar.errors import BigBarError

#: Name of the file in the output folder.
RUNS = "runs.sqlite"

#: "BgBr": marks the file as this program's, see https://sqlite.org/pragma.html#pragma_application_id.
APPLICATION_ID = 0x42674272

#: Of the tables below and what is in them; another one is refused. Version 1 had no checksums over
#: what a row of statistics belongs to, so there is no telling which of its rows are right.
#: Version 2 knew one strategy, and nothing of the code, the fills and the values of others.
VERSION = 4

#: As this version, without what is kept of grids whose rows are not: whoever writes adds that.
_WITHOUT_REDUCTIONS = 3

#: How long to wait for another program that is writing, in seconds.
BUSY_S = 5.0

#: Rows are large blobs, so pages are large: with SQLite's own 4 kB, writing them takes half as
#: long again.
_PAGE_BYTES = 16_384

_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL,
    context TEXT NOT NULL,
    bars_sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,
    seen REAL NOT NULL,
    started TEXT NOT NULL,
    ended TEXT,
    seconds REAL NOT NULL,
    combinations INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    identity TEXT NOT NULL,
    settings TEXT NOT NULL,
    command TEXT NOT NULL,
    data TEXT NOT NULL,
    machine TEXT NOT NULL,
    objective TEXT NOT NULL,
    best INTEGER,
    best_value REAL,
    result_sha256 TEXT,
    error TEXT,
    timings TEXT,
    summary TEXT,
    metrics TEXT,
    answer TEXT,
    checksum TEXT NOT NULL,
    told_checksum TEXT NOT NULL
);
CREATE INDEX runs_by_fingerprint ON runs (fingerprint);
CREATE INDEX runs_by_context ON runs (context);
CREATE INDEX runs_by_bars ON runs (bars_sha256);
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    rows INTEGER NOT NULL,
    columns INTEGER NOT NULL,
    packed BLOB NOT NULL,
    checksum TEXT NOT NULL
);
CREATE INDEX blocks_by_run ON blocks (run);
CREATE TABLE slices (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    block INTEGER NOT NULL REFERENCES blocks (id) ON DELETE CASCADE,
    first_row INTEGER NOT NULL,
    worker INTEGER,
    begun REAL,
    seconds REAL,
    checksum TEXT NOT NULL
);
CREATE INDEX slices_by_run ON slices (run);
CREATE INDEX slices_by_block ON slices (block);
CREATE TABLE failures (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    parameters TEXT NOT NULL,
    reason TEXT NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE openings (
    bars_sha256 TEXT NOT NULL,
    split TEXT NOT NULL,
    count INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (bars_sha256, split)
) WITHOUT ROWID;
"""

_REDUCTIONS = """
CREATE TABLE reductions (
    run INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    packed BLOB NOT NULL,
    checksum TEXT NOT NULL
);
"""


class StoreError(BigBarError):
    """The file of runs cannot be used: which file, why, and what to do."""


class NoSuchRun(StoreError):
    """A run was named that is not in the file."""

    exit_code = 2


def open_store(
    path: Path, *, create: bool = False, read_only: bool = False, busy_s: float = BUSY_S
) -> sqlite3.Connection:
    """Open a file of runs, with every check.

    Parameters
    ----------
    path : Path
    create : bool, optional
        Make it where there is none, with the user's own permissions.
    read_only : bool, optional
        Never write, not even to recover from a crash where the folder does not allow it.
    busy_s : float, optional
        How long to wait for another program that is writing, in seconds.

    Returns
    -------
    sqlite3.Connection
        Without implicit transactions; foreign keys are on.

    Raises
    ------
    StoreError
        If there is none, or it is not this program's, of another version, damaged or locked.
    """
    with explained(path):
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is no file of runs (no regular file); {_move_away(path)}")
        if not create and not path.exists():
            raise StoreError(f"there is no {path}: no run was stored in this folder")
        connection = _connect(path, create=create, read_only=read_only, busy_s=busy_s)
        try:
            if create:
                _make_tables(connection, busy_s)
            _check(connection, path)
            if not read_only:
                _add_reductions(connection)
            return connection
        except BaseException:
            connection.close()
            raise


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a `StoreError` that says what to do."""
    try:
        yield
    # SQLite's own messages quote the file, and may be no valid text then.
    except (sqlite3.Error, OSError, OverflowError, UnicodeError) as problem:
        raise StoreError(_explanation(path, problem)) from problem


def _explanation(path: Path, problem: Exception) -> str:
    said = str(problem)
    if isinstance(problem, sqlite3.NotSupportedError) or "not a database" in said:
        return f"{path} is no file of runs ({said}); {_move_away(path)}"
    if "locked" in said or "busy" in said:
        return f"{path} is locked by another program; wait for it to end, then try again"
    if "full" in said:
        return f"{path} cannot be written: the disk is full"
    if "readonly" in said or "read-only" in said:
        return f"{path} cannot be written: it is read-only"
    if "unable to open" in said:
        return f"{path} cannot be opened; see whether you may read and write it and its folder"
    if isinstance(problem, sqlite3.OperationalError):
        return f"{path} cannot be used ({said}); see whether its disk is in order"
    return f"{path} is damaged ({said}); {_move_away(path)}"


def _move_away(path: Path) -> str:
    here, there = (shlex.quote(str(name)) for name in (path, f"{path}.old"))
    return f"move it away (mv {here} {there}) and the next run makes a new one"


def _connect(path: Path, *, create: bool, read_only: bool, busy_s: float) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc" if create else "rw"
    address = f"{path.absolute().as_uri()}?mode={mode}"
    if read_only and not _has_companions(path):
        # Whoever may write removes, with the last connection, what readers coordinate with.
        with contextlib.suppress(sqlite3.OperationalError):
            connection = _prepared(address.replace("?mode=ro", "?mode=rw"), busy_s)
            connection.execute("PRAGMA query_only = ON")
            return connection
    try:
        return _prepared(address, busy_s)
    except sqlite3.OperationalError as problem:
        # On a read-only disk there is no making the file that readers coordinate with; and
        # without a log there is nothing that they could miss.
        if not read_only or "unable to open" not in str(problem) or _has_log(path):
            raise
    return _prepared(f"{address}&immutable=1", busy_s)


def _has_companions(path: Path) -> bool:
    return any(path.with_name(f"{path.name}{end}").exists() for end in ("-wal", "-shm"))


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _prepared(address: str, busy_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=busy_s, isolation_level=None)
    # One text that has decayed is not to stop the reading of all others: its seal will tell.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        for setting in (
            "trusted_schema = OFF",  # what a schema says is not run
            "cell_size_check = ON",  # a damaged page is noticed before it is believed
            "mmap_size = 0",  # and an error while reading one does not end the process
            "foreign_keys = ON",
            "synchronous = NORMAL",
        ):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection, busy_s: float) -> None:
    """Make the tables in an empty file; two programs at once make them once."""
    if _schema(connection):
        return
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _switch_to_log(connection, busy_s)
    with transaction(connection):
        if not _schema(connection):
            for statement in (_TABLES + _REDUCTIONS).split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


def _add_reductions(connection: sqlite3.Connection) -> None:
    """Add the table that a file of the version before has not; nothing else of it is another."""
    if _version(connection) == VERSION:
        return
    with transaction(connection):
        if _version(connection) != VERSION:  # Another program may just have done it.
            connection.execute(_REDUCTIONS)
            connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _switch_to_log(connection: sqlite3.Connection, busy_s: float) -> None:
    """Write ahead to a log: readers never wait, and a commit needs no wait for the disk.

    SQLite does not wait for others here, so this does. Where there can be no log, as on some
    network drives, it keeps a rollback journal, which is as safe.
    """
    deadline = time.monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as problem:
            if "locked" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """That the file is this program's, of this version, and holds these tables and no more."""
    connection.execute("BEGIN")  # All of one moment: another program may just be making it.
    try:
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        version, schema = _version(connection), _schema(connection)
    finally:
        connection.execute("COMMIT")
    if not mark and not version and not schema:
        raise StoreError(f"no run was stored in {path} yet")  # Another program is just making it.
    if mark != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database of another program, not a file of runs; {_move_away(path)}"
        )
    if version not in (_WITHOUT_REDUCTIONS, VERSION):
        newer = "a newer" if version > VERSION else "an older"
        raise StoreError(
            f"{path} was written by {newer} version of the optimizer (its tables are version "
            f"{version}, this one reads {VERSION}); use that version for it, or "
            f"{_move_away(path)}"
        )
    if schema != _expected_schema(version):
        raise StoreError(
            f"{path} does not have the tables that this program makes: it is damaged or was "
            f"tampered with; {_move_away(path)}"
        )


def _schema(connection: sqlite3.Connection) -> frozenset[tuple[object, ...]]:
    return frozenset(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


@cache
def _expected_schema(version: int) -> frozenset[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_TABLES + (_REDUCTIONS if version == VERSION else ""))
        return _schema(connection)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing of it; waits for other writers at the beginning."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors, a full disk among them, SQLite has rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def storable(text: str | None) -> str | None:
    """Text as SQLite takes it: names of files that are no valid text come escaped."""
    return text and text.encode("utf-8", "backslashreplace").decode("utf-8")
