"""The store changed in every way that there is: computed again or refused, never another answer.

The rows are made up, each a function of its combination, so that it is known what every one of
them has to be, in whatever grid it stands.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from history_tools import Asked
from long import in_a_soak
from store_tools import forge, identity, new_run, reseal

from bigbar.choice import Choice
from bigbar.results import ResultTable
from bigbar.slices import Failure
from bigbar.space import Space
from bigbar.statistics import NAMES
from bigbar.store.fingerprint import Identity
from bigbar.store.recording import StoreRecorder
from bigbar.store.records import Ending, RunOutput
from bigbar.store.rows import Slice
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS, StoreError

#: A run that finished, one that was interrupted, and one that would take rows from both. The
#: longest period of all is the same, so that as many bars take part.
FIRST = identity()
SECOND = identity(k_atr=(1.0, 3.0, 4.0))
GROWN = identity(k_atr=(1.0, 1.5, 2.0, 2.5, 3.0, 4.0))

#: Combinations of the first run that failed.
FAILED = (3, 17)

#: As many random faults of each kind; ten times as many in the soak.
COUNT = 24


def truth(found: Identity) -> np.ndarray:
    """What every combination of a grid comes to."""
    return np.array([_row(tuple(point.values())) for point in found.grid()])


def _row(point: tuple[float, ...]) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(repr(point).encode()).digest()[:8], "little")
    row = np.random.default_rng(seed).random(len(NAMES)) * 100
    row[NAMES.index("# Trades")] = np.ceil(row[NAMES.index("# Trades")]) + 1
    return row


TRUTH = {one.fingerprint: truth(one) for one in (FIRST, SECOND, GROWN)}


class Attempt:
    """One attempt at a run: what it took over, and what was told."""

    def __init__(self, folder: Path, found: Identity) -> None:
        self.told: list[str] = []
        self.found = found
        self.recorder = StoreRecorder(folder, command=("made.csv",), tell=self.told.append)
        self.values = np.full((len(found.grid()), len(NAMES)), np.nan)

    def begin(self) -> np.ndarray:
        """Returns which rows are its own by now; all that it has has to be right."""
        carried = self.recorder.begin(lambda: new_run(self.found), self.values)
        have = carried.done | (carried.taken > 0)
        have[[failure.number for failure in carried.failures]] = False
        expected = TRUTH[self.found.fingerprint]
        assert self.values[have].tobytes() == expected[have].tobytes()
        assert np.isnan(self.values[~have]).all()
        for failure in carried.failures:
            assert failure.number in FAILED
            assert failure.reason == f"ValueError: {failure.number}"
        return carried.done

    def add(self, start: int, stop: int, failed: tuple[int, ...] = ()) -> None:
        self.values[start:stop] = TRUTH[self.found.fingerprint][start:stop]
        here = [number for number in failed if start <= number < stop]
        self.values[here] = np.nan
        failures = [Failure(number, f"ValueError: {number}") for number in here]
        self.recorder.add(Slice(start, stop, 77, 0.5, 0.25), self.values[start:stop], failures)

    def finish(self) -> None:
        table = ResultTable(self.found.grid(), self.values)
        best = table.best(Choice.by_name("Return [%]"))
        told = RunOutput("the answer", {"a": 1}, {"sweep_s": 1.0}, {"b": [2]})
        value = float(table.column("Return [%]")[best])
        self.recorder.finish(Ending("finished", 1.0, best, value, table.sha256(), None, told))


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A folder with a store that nobody has touched."""
    folder = tmp_path_factory.mktemp("original")
    first = Attempt(folder, FIRST)
    with first.recorder:
        first.begin()
        for start in (12, 0, 6, 18):
            first.add(start, start + 6, FAILED)
        assert first.recorder.count_opening("2024-01-01") == 1
        first.finish()
    second = Attempt(folder, SECOND)
    with second.recorder:  # Left without a word, a run was interrupted.
        second.begin()
        second.add(8, 14)
        second.add(0, 3)
    with closing(sqlite3.connect(folder / RUNS)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return folder


@dataclass
class Answers:
    """What the commands answer of an untouched store."""

    history: dict[int, dict]
    shown: dict[int, str]
    exported: dict[int, bytes]


@pytest.fixture(scope="module")
def answers(original, tmp_path_factory) -> Answers:
    folder = Path(shutil.copytree(original, tmp_path_factory.mktemp("answers") / "copy"))
    # Not `capsys`, which is for a single test.
    from bigbar.history import export, listing, show

    with RunStore(folder, read_only=True) as store:
        runs = {run.id: run for run in store.runs()}
        found = Answers({}, {}, {})
        for number, run in runs.items():
            found.history[number] = json.loads(json.dumps(listing.values_of(run)))
            found.shown[number] = show.show(store, run).printed(as_json=False)
            to = folder / f"{number}.csv"
            export.export(store, run, kind="csv", to=to)
            found.exported[number] = to.read_bytes()
    return found


class Spoilt:
    """A copy of the store to spoil, and whether what follows is as promised."""

    def __init__(self, original: Path, folder: Path, capsys, answers: Answers) -> None:
        self.folder = Path(shutil.copytree(original, folder))
        self.path = self.folder / RUNS
        self._capsys = capsys
        self._answers = answers

    def ask(self, *arguments: str) -> Asked:
        asked = Asked(self._capsys, self.folder, *arguments)
        assert asked.code in (0, 2), (arguments, asked.err)
        assert asked.code == 0 or asked.refused(), (arguments, asked.out, asked.err)
        return asked

    def check(self, *, honest: bool = True) -> None:
        """Ask everything; where nobody forged a seal, all answers are those of before."""
        listed = self.ask("history", "--json")
        if listed.code == 0 and honest:
            for told in listed.json:
                if told["state"] != "damaged":
                    assert told.pop("light") == "none"
                    assert told == self._answers.history[told["id"]]
        for number in self._answers.shown:
            shown = self.ask("show", str(number))
            to = self.folder / "rows.csv"
            exported = self.ask("export", str(number), "--format", "csv", "--to", str(to))
            if honest and shown.code == 0:
                assert shown.out == f"{self._answers.shown[number]}\n"
            if honest and exported.code == 0:
                assert to.read_bytes() == self._answers.exported[number]
            to.unlink(missing_ok=True)
        self.ask("compare", "1", "2")
        if honest:
            self._go_on()
        else:
            self._begin_only()

    def _go_on(self) -> None:
        """Continue the interrupted run, and begin the grown one: both end in the truth."""
        for found in (SECOND, GROWN):
            attempt = Attempt(self.folder, found)
            with attempt.recorder:
                for number in np.flatnonzero(~attempt.begin()).tolist():
                    attempt.add(number, number + 1)
                opened = attempt.recorder.count_opening("2024-01-01")
                assert opened > 1 or attempt.told
                attempt.recorder.earlier_trials()
                attempt.finish()
            if attempt.recorder.problem:
                assert attempt.told
                continue
            with RunStore(self.folder, read_only=True) as store:
                run = store.with_fingerprint(found.fingerprint, damaged=[].append)[0]
                values, done = store.values(run)
            assert done.all()
            assert values.tobytes() == TRUTH[found.fingerprint].tobytes()

    def _begin_only(self) -> None:
        attempt = Attempt(self.folder, GROWN)
        with attempt.recorder:
            attempt.recorder.begin(lambda: new_run(GROWN), attempt.values)
            attempt.recorder.count_opening("2024-01-01")
            attempt.recorder.earlier_trials()


@pytest.fixture
def spoil(original, tmp_path, capsys, answers) -> Callable[[], Spoilt]:
    """Gives a fresh copy whenever it is called."""
    made = 0

    def copy() -> Spoilt:
        nonlocal made
        made += 1
        if made > 1:
            shutil.rmtree(tmp_path / str(made - 1))
        return Spoilt(original, tmp_path / str(made), capsys, answers)

    return copy


def test_untouched_everything_is_as_before(spoil):
    spoilt = spoil()
    spoilt.check()
    assert not spoilt.ask("history").err


TABLES = ("runs", "blocks", "slices", "failures", "openings", "sqlite_sequence")


def cells(path: Path, *kinds: str) -> list[tuple[str, str, str]]:
    """Table, column and condition of every value of these kinds."""
    found = []
    with closing(sqlite3.connect(path)) as connection:
        for table in TABLES:
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            keys = ["name"] if table == "sqlite_sequence" else (
                ["run", "number"] if table == "failures" else
                ["bars_sha256", "split"] if table == "openings" else ["id"]
            )  # fmt: skip
            for key in connection.execute(f"SELECT {', '.join(keys)} FROM {table}").fetchall():
                where = " AND ".join(
                    f"{name} = {value!r}" for name, value in zip(keys, key, strict=True)
                )
                for name in names:
                    (kind,) = connection.execute(
                        f"SELECT typeof({name}) FROM {table} WHERE {where}"
                    ).fetchone()
                    if kind in kinds:
                        found.append((table, name, where))
    return found


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("by", [1, *in_a_soak(-1)])
def test_every_number_changed_by_one(spoil, original, table, by):
    changed = 0
    for where, name, condition in cells(original / RUNS, "integer", "real"):
        if where != table:
            continue
        spoilt = spoil()
        with closing(sqlite3.connect(spoilt.path)) as connection, connection:
            try:
                connection.execute(f"UPDATE {table} SET {name} = {name} + {by} WHERE {condition}")
            except sqlite3.IntegrityError:  # The number of another row.
                continue
        spoilt.check()
        changed += 1
    assert changed


def flipped(path: Path, seed: int, count: int) -> None:
    """Turn over so many random bits of the file."""
    random = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    for place in random.integers(0, len(content), count):
        content[place] ^= 1 << int(random.integers(8))
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("bits", [1, 20, 400])
def test_random_bits(spoil, bits):
    for seed in range(COUNT):
        spoilt = spoil()
        flipped(spoilt.path, seed, bits)
        spoilt.check()


def cut(path: Path, seed: int) -> None:
    """Cut the file off, mostly inside of a page."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(int(np.random.default_rng(seed).integers(0, size)))


def test_truncation(spoil):
    for seed in range(COUNT // 2):
        spoilt = spoil()
        cut(spoilt.path, seed)
        spoilt.check()


#: What somebody could write into a column.
HOSTILE = (
    None, -1, 0, 1, 2**31, 2**62, -(2**63), 1e999, -0.0, "", "x", "[" * 100_000, "{}", "[]",
    '{"token": 1, "pid": 1e999, "began": 0, "place": ""}', "9999-12-31T23:59:59-23:59", b"\xff\xfe",
    "\ud800".encode("utf-8", "surrogatepass"), "\x1b[2J",
)  # fmt: skip


def hostile(spoilt: Spoilt, cell: tuple[str, str, str], value: object, *, sealed: bool) -> None:
    """Write a value into a cell, and ask everything."""
    table, name, condition = cell
    statement = f"UPDATE {table} SET {name} = ? WHERE {condition}"
    try:
        if sealed:
            forge(spoilt.folder, statement, value)
        else:
            with closing(sqlite3.connect(spoilt.path)) as connection, connection:
                connection.execute(statement, (value,))
    except sqlite3.IntegrityError:  # The table itself takes no such value.
        return
    spoilt.check(honest=not sealed)


KINDS = ("integer", "real", "text", "blob", "null")


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [False, True])
def test_hostile_values(spoil, original, sealed):
    found = cells(original / RUNS, *KINDS)
    random = np.random.default_rng(5)
    for _ in range(2 * COUNT):
        cell = found[random.integers(len(found))]
        hostile(spoil(), cell, HOSTILE[random.integers(len(HOSTILE))], sealed=sealed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_more_of_it(spoil, original):
    """Every hostile value in every cell, and ten times as many flips."""
    for seed in range(1000, 1000 + 10 * COUNT):
        for bits in (1, 20, 400):
            spoilt = spoil()
            flipped(spoilt.path, seed, bits)
            spoilt.check()
    for seed in range(1000, 1000 + 10 * COUNT):
        spoilt = spoil()
        cut(spoilt.path, seed)
        spoilt.check()
    for cell in cells(original / RUNS, *KINDS):
        for value in HOSTILE:
            for sealed in (False, True):
                hostile(spoil(), cell, value, sealed=sealed)


def test_swapped_rows_are_found(spoil):
    """Two blocks, slices or runs that have changed places: each whole, none where it was."""
    swaps = (
        ("blocks", "packed"), ("blocks", "checksum"), ("slices", "checksum"),
        ("runs", "result_sha256"), ("runs", "answer"), ("runs", "checksum"),
    )  # fmt: skip
    for table, name in swaps:
        spoilt = spoil()
        with closing(sqlite3.connect(spoilt.path)) as connection, connection:
            (one, a), (two, b) = connection.execute(
                f"SELECT id, {name} FROM {table} ORDER BY id"
            ).fetchall()[:2]
            for number, value in ((one, b), (two, a)):
                connection.execute(f"UPDATE {table} SET {name} = ? WHERE id = ?", (value, number))
        spoilt.check()


def test_a_store_that_cannot_be_opened_is_said_and_done_without(tmp_path):
    for name, make in {
        "a link to nothing": lambda path: path.symlink_to("gone/away"),
        "a link to itself": lambda path: path.symlink_to(RUNS),
        "a device": lambda path: path.symlink_to("/dev/null"),
        "a folder": lambda path: path.mkdir(),
        "text": lambda path: path.write_text("my notes\n" * 500),
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        make(folder / RUNS)
        attempt = Attempt(folder, FIRST)
        with attempt.recorder:
            assert not attempt.begin().any()
            attempt.add(0, 24)
            attempt.finish()
        assert len(attempt.told) == 1, name
        assert attempt.told[0].endswith("; the run goes on without a store")
        with pytest.raises(StoreError):
            RunStore(folder)


def test_seals_can_be_forged_and_the_tests_do(original, tmp_path):
    """Else the tests above would only ever meet broken seals."""
    folder = Path(shutil.copytree(original, tmp_path / "copy"))
    with closing(sqlite3.connect(folder / RUNS)) as connection, connection:
        connection.execute("UPDATE runs SET best_value = 5.0 WHERE id = 1")
        reseal(connection)
    with RunStore(folder) as store:
        assert store.run(1).best_value == 5.0
        assert isinstance(store.run(1).grid, Space)
