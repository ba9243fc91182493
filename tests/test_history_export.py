"""`export`: the rows of a run in a file; `delete`: gone, and the room with it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from history_tools import Asked, falsify, rehash, stored
from store_tools import begun, change, disk, forge, made_rows, reseal

from bigbar.data.quick import EXACT
from bigbar.report.files import RESULTS, write_csv, write_results
from bigbar.results import ResultTable
from bigbar.statistics import NAMES, STATISTICS, Kind
from bigbar.store.owner import Owner
from bigbar.store.rows import Finished, Slice
from bigbar.store.runs import RunStore
from bigbar.store.writer import SliceWriter

KINDS = ("parquet", "csv", "json")


def read(path: Path, kind: str) -> pd.DataFrame:
    if kind == "parquet":
        return pd.read_parquet(path)
    if kind == "csv":
        return pd.read_csv(path, **EXACT)
    return pd.DataFrame(json.loads(path.read_text()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_with_every_digit(capsys, kept_runs, tmp_path, kind):
    to = tmp_path / f"rows.{kind}"
    asked = Asked(capsys, kept_runs, "export", "1", "--format", kind, "--to", str(to))
    assert (asked.code, asked.out) == (0, f"{to}: 12 combinations\n")
    found = read(to, kind)
    run, values, _ = stored(kept_runs, 1)
    expected = ResultTable(run.grid, values).frame()
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns:
        column = found[name]
        if expected[name].dtype == "timedelta64[ns]":
            column = pd.to_timedelta(column)
            assert (column.isna() == expected[name].isna()).all()
            assert (column.dropna() == expected[name].dropna()).all()
        else:
            np.testing.assert_array_equal(
                column.to_numpy(np.float64), expected[name].to_numpy(np.float64), name
            )


def test_the_same_file_as_the_run_writes(capsys, kept_runs, tmp_path):
    run, values, _ = stored(kept_runs, 1)
    table = ResultTable(run.grid, values)
    for kind, write in (("parquet", write_results), ("csv", write_csv)):
        to, other = tmp_path / f"rows.{kind}", tmp_path / f"other.{kind}"
        Asked(capsys, kept_runs, "export", "1", "--format", kind, "--to", str(to))
        write(other, table)
        assert to.read_bytes() == other.read_bytes()


def test_where_it_goes_by_default(capsys, spoilable_runs):
    asked = Asked(capsys, spoilable_runs, "export", "last", "--json")
    path = spoilable_runs / "run-2.parquet"
    assert asked.json == {
        "path": str(path), "format": "parquet", "rows": 12, "combinations": 12, "failed": 0,
        "state": "finished",
    }  # fmt: skip
    assert pq.read_metadata(path).num_rows == 12
    assert path.name != RESULTS


@pytest.mark.parametrize("kind", KINDS)
def test_infinite_values(capsys, spoilable_runs, kind):
    falsify(spoilable_runs, 1, 3, "SQN", np.inf)
    rehash(spoilable_runs, 1)
    Asked(capsys, spoilable_runs, "export", "1", "--format", kind)
    found = read(spoilable_runs / f"run-1.{kind}", kind)
    assert float(found["SQN"][3]) == np.inf


@pytest.fixture
def unfinished(tmp_path):
    """A folder with a run of 24 combinations, of which 10 are there; one of those failed."""
    from bigbar.slices import Failure

    number, owner = begun(tmp_path)
    rows = made_rows(10)
    rows[:, [statistic.kind is Kind.DURATION for statistic in STATISTICS]] = 3.6e12
    rows[4] = np.nan
    writer = SliceWriter(
        tmp_path / "runs.sqlite", number, owner, done=np.zeros(24, bool), seconds_before=0.0
    )
    writer.put(Finished(Slice(0, 6), rows[:6], [({"k_atr": 1.0}, Failure(4, "it was killed"))]))
    writer.put(Finished(Slice(20, 24), rows[6:]))
    writer.close()
    assert writer.problem is None
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_as_far_as_a_run_goes(capsys, unfinished, kind):
    asked = Asked(capsys, unfinished, "export", "1", "--format", kind)
    assert asked.code == 0
    assert asked.out.endswith(": 10 of 24 combinations (run 1: running 41%, 1 failed)\n")
    found = read(unfinished / f"run-1.{kind}", kind)
    run, values, done = stored(unfinished, 1)
    assert len(found) == np.count_nonzero(done) == 10
    numbers = np.flatnonzero(done)
    assert found["k_atr"].tolist() == [run.grid[int(n)]["k_atr"] for n in numbers]
    shown = pd.to_numeric(found["Beta"]).to_numpy(np.float64)
    np.testing.assert_array_equal(shown, values[numbers, NAMES.index("Beta")])


def test_rows_that_failed_the_verification_are_marked(capsys, spoilable_runs):
    forge(spoilable_runs, "UPDATE runs SET state = 'failed' WHERE id = 1")
    asked = Asked(capsys, spoilable_runs, "export", "1")
    assert asked.code == 0
    assert asked.out.endswith("they failed the verification and are not to be used\n")


def test_damaged_rows_are_not_exported(capsys, spoilable_runs):
    change(spoilable_runs, "UPDATE blocks SET packed = x'00' WHERE run = 1")
    assert Asked(capsys, spoilable_runs, "export", "1").refused("rows of run 1 are damaged")
    assert not (spoilable_runs / "run-1.parquet").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_where_it_cannot_be_written(capsys, kept_runs, tmp_path, kind):
    for to in (tmp_path / "none" / "x", tmp_path):
        asked = Asked(capsys, kept_runs, "export", "1", "--format", kind, "--to", str(to))
        assert asked.refused(f"cannot write {to}")
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------- delete


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("runs.sqlite*"))


def test_delete_one(capsys, spoilable_runs):
    asked = Asked(capsys, spoilable_runs, "delete", "1")
    assert asked.code == 0
    assert asked.out.startswith("deleted run 1 with 12 rows; ")
    assert Asked(capsys, spoilable_runs, "show", "1").refused("there is no run 1", "there are 2")
    assert Asked(capsys, spoilable_runs, "show", "2").code == 0
    with closing(sqlite3.connect(spoilable_runs / "runs.sqlite")) as connection:
        for table in ("slices", "blocks", "failures"):
            count = connection.execute(f"SELECT count(*) FROM {table} WHERE run = 1").fetchone()
            assert count == (0,)


def test_delete_several_named_in_any_way(capsys, spoilable_runs):
    asked = Asked(capsys, spoilable_runs, "delete", "2", "last", "1", "02", "--json")
    assert asked.json["deleted"] == [2, 1]
    assert asked.json["rows"] == 24
    assert Asked(capsys, spoilable_runs, "history").out == "no runs yet\n"


def test_the_room_is_given_back(capsys, tmp_path):
    """As many bytes as it says, and most of what a large run took."""
    number, _ = begun(tmp_path)
    small = size(tmp_path)
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        connection.execute(
            "INSERT INTO blocks (run, rows, columns, packed, checksum) VALUES (?, 1, 1, ?, '')",
            (number, os.urandom(5_000_000)),
        )
        connection.execute("UPDATE runs SET state = 'interrupted'")
        reseal(connection)
        connection.commit()
    large = size(tmp_path)
    assert large > small + 4_900_000
    told = Asked(capsys, tmp_path, "delete", str(number), "--json").json
    assert told["freed_bytes"] == large - size(tmp_path) > 4_900_000


def test_a_run_that_lives_is_not_deleted_and_then_no_other(capsys, spoilable_runs):
    owner = Owner.of_this_process()
    forge(
        spoilable_runs,
        "UPDATE runs SET state = 'running', owner = ? WHERE id = 2",
        owner.text(),
    )
    asked = Asked(capsys, spoilable_runs, "delete", "1", "2")
    assert asked.refused("run 2 is running; stop it before deleting it", "Nothing was deleted")
    with RunStore(spoilable_runs, read_only=True) as store:
        assert [run.id for run in store.runs()] == [2, 1]


def test_one_wrong_number_deletes_nothing(capsys, spoilable_runs):
    assert Asked(capsys, spoilable_runs, "delete", "1", "7").refused("there is no run 7")
    assert Asked(capsys, spoilable_runs, "show", "1").code == 0


def test_a_disk_that_is_read_only(capsys, kept_runs, tmp_path):
    """All can be looked at there; nothing can be deleted or written."""
    with disk(tmp_path / "disk", "20M") as folder:
        shutil.copy(kept_runs / "runs.sqlite", folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        for command in (("history",), ("show", "1"), ("compare", "1", "2"), ("profile", "1")):
            assert Asked(capsys, folder, *command).code == 0
        assert Asked(capsys, folder, "delete", "1").refused("see whether you may read and write")
        assert Asked(capsys, folder, "export", "1").refused("cannot write", "Read-only")
        to = str(tmp_path / "rows.parquet")
        assert Asked(capsys, folder, "export", "1", "--to", to).code == 0
