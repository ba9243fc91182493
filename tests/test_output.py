"""The files of a run: whole or not at all, and what they hold."""

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_run import AXES, small_bars, small_outcome

from bigbar.data.quick import EXACT
from bigbar.errors import BigBarError
from bigbar.outcome import Memory
from bigbar.report.answer import full_statistics
from bigbar.report.files import (
    CSV_EXPORT,
    RESULTS,
    OutputError,
    prepare_folder,
    summary,
    write_csv,
    write_results,
    write_summary,
    write_trades,
    write_whole,
)
from bigbar.slices import Failure
from bigbar.statistics import NAMES
from bigbar.strategies.big_bar.parameters import big_bar_account
from bigbar.version import __version__
from tests import commands


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 kB, where mounting one is permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


# --------------------------------------------------------------------------- whole or not at all


def test_written_whole(tmp_path):
    path = tmp_path / "file.txt"
    assert write_whole(path, lambda part: part.write_text("new")) == path
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_the_writer_works_beside_the_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write(part: Path) -> None:
        assert part.parent == tmp_path
        assert part != path
        part.write_text("new")
        assert path.read_text() == "old"  # A reader never sees half a file.

    write_whole(path, write)
    assert path.read_text() == "new"


def test_a_file_gets_its_name_once_it_is_on_the_disk(tmp_path, monkeypatch):
    """All of it, and the file itself: whoever sees the name after a power loss sees the whole."""
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    synced = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        there = os.fstat(descriptor)
        synced.append((there.st_ino, there.st_size, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", watched)
    write_whole(path, lambda part: part.write_bytes(b"x" * 100_000))
    assert synced == [(path.stat().st_ino, 100_000, b"old")]


def test_a_disk_that_cannot_keep_it_leaves_the_file_of_before(tmp_path, monkeypatch):
    """Some disks tell only then."""
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OutputError, match=r"cannot write .*file\.txt: Input/output error"):
        write_whole(path, lambda part: part.write_text("new"))
    assert os.listdir(tmp_path) == ["file.txt"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_writer_that_raises_leaves_nothing_behind(tmp_path, problem, before):
    path = tmp_path / "file.txt"
    if before is not None:
        path.write_text(before)

    def write(part: Path) -> None:
        part.write_text("half of it")
        raise problem

    with pytest.raises(type(problem)):
        write_whole(path, write)
    assert os.listdir(tmp_path) == ([] if before is None else ["file.txt"])
    assert before is None or path.read_text() == before


def test_a_system_error_is_explained(tmp_path):
    def write(part: Path) -> None:
        part.write_text("half of it")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OutputError, match=r"cannot write .*file\.txt: Input/output error"):
        write_whole(tmp_path / "file.txt", write)
    assert os.listdir(tmp_path) == []


def test_no_such_folder(tmp_path):
    with pytest.raises(OutputError, match="No such file or directory"):
        write_whole(tmp_path / "gone" / "file.txt", lambda part: part.write_text(""))


def test_a_full_disk_leaves_the_file_of_before(tiny_disk):
    path = tiny_disk / "file.bin"
    write_whole(path, lambda part: part.write_bytes(b"old"))
    with pytest.raises(OutputError, match="No space left on device"):
        write_whole(path, lambda part: part.write_bytes(b"x" * 200_000))
    assert os.listdir(tiny_disk) == ["file.bin"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("writer", [write_results, write_csv, write_trades, write_summary])
def test_every_writer_survives_a_full_disk(tiny_disk, writer):
    outcome = small_outcome()
    (tiny_disk / "filler").write_bytes(b"x" * 64 * 1024)
    given = {
        write_summary: outcome, write_trades: outcome.trades
    }.get(writer, outcome.table)  # fmt: skip
    with pytest.raises(OutputError, match="No space left on device"):
        writer(tiny_disk / RESULTS if given is outcome.table else tiny_disk, given)
    assert os.listdir(tiny_disk) == ["filler"]


def test_the_folder_is_made_and_left_empty(tmp_path):
    folder = tmp_path / "a" / "b"
    for _ in range(2):
        prepare_folder(folder)
        assert os.listdir(folder) == []


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(
        OutputError, match=r"File exists; choose another folder with --output"
    ) as caught:
        prepare_folder(tmp_path / "out")
    assert isinstance(caught.value, BigBarError)
    assert caught.value.exit_code == 1


def test_a_full_disk_can_be_noticed_only_later(tiny_disk):
    (tiny_disk / "filler").write_bytes(b"x" * 64 * 1024)
    prepare_folder(tiny_disk)  # An empty file fits: the writers tell the rest.


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    writer = (
        "import sys, time\nfrom pathlib import Path\nfrom bigbar.report.files import write_whole\n"
        "def write(part):\n    part.write_text('half')\n    print(flush=True)\n"
        "    time.sleep(60)\n"
        "write_whole(Path(sys.argv[1]) / 'a.b.csv', write)"
    )
    line = [sys.executable, "-c", writer, str(tmp_path)]
    process = commands.Command(line, stdout=subprocess.PIPE)
    process.stdout.readline()
    prepare_folder(tmp_path)
    assert len(os.listdir(tmp_path)) == 1  # It lives.
    process.kill()
    process.communicate()
    other = tmp_path / f".a.b.csv.00000000-{process.pid}-abcd"
    other.touch()  # Of another machine: there it may live.
    prepare_folder(tmp_path)
    assert os.listdir(tmp_path) == [other.name]


# ------------------------------------------------------------------------------------- results


@pytest.fixture(params=["complete", "with a failed row"])
def outcome(request):
    found = small_outcome(account=big_bar_account(commission=1e-4))
    if request.param != "complete":
        found.table.values[3] = np.nan
    return found


def test_parquet_round_trip(tmp_path, outcome):
    path = write_results(tmp_path / RESULTS, outcome.table)
    assert os.listdir(tmp_path) == ["results.parquet"]
    assert pq.read_schema(path).names == [*AXES, *NAMES]
    found = pd.read_parquet(path)
    pd.testing.assert_frame_equal(found, outcome.table.frame())  # Space order, to the last bit.
    assert found["Avg. Trade Duration"].dtype == np.dtype("timedelta64[ns]")


def test_csv_export(tmp_path, outcome):
    path = write_csv(tmp_path / CSV_EXPORT, outcome.table)
    expected = outcome.table.frame()
    found = pd.read_csv(path, **EXACT)
    assert list(found.columns) == list(expected.columns)
    for name in expected:
        if expected[name].dtype == np.dtype("timedelta64[ns]"):
            found[name] = pd.to_timedelta(found[name]).astype(expected[name].dtype)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_csv_durations_are_readable(tmp_path):
    outcome = small_outcome()
    rows = write_csv(tmp_path / CSV_EXPORT, outcome.table).read_text().splitlines()
    shown = str(outcome.table.statistics(0)["Avg. Trade Duration"])
    assert shown == "0 days 02:00:00"
    assert shown in rows[1]
    assert "NaT" not in rows[5]
    assert "nan" not in rows[5].lower()  # A number there is none of is an empty cell.


def test_trades(tmp_path):
    outcome = small_outcome(account=big_bar_account(commission=1e-4))
    found = pd.read_csv(write_trades(tmp_path, outcome.trades))
    assert list(found.columns) == [
        "entry_time", "exit_time", "direction", "size", "entry_price", "exit_price", "profit",
        "return", "commission",
    ]  # fmt: skip
    statistics = full_statistics(outcome, outcome.best)
    assert len(found) == statistics["# Trades"]
    assert found["profit"].sum() == pytest.approx(
        statistics["Equity Final [$]"] - outcome.job.account.cash
    )
    assert found["commission"].sum() == pytest.approx(statistics["Commissions [$]"])
    assert set(found["direction"]) == {"long", "short"}
    assert ((found["size"] > 0) == (found["direction"] == "long")).all()
    entries = pd.DatetimeIndex(found["entry_time"])
    assert (entries < pd.DatetimeIndex(found["exit_time"])).all()
    assert entries.isin(small_bars().frame.index).all()


def test_no_trades_at_all(tmp_path):
    found = pd.read_csv(write_trades(tmp_path, small_outcome().trades.iloc[:0]))
    assert len(found) == 0
    assert len(found.columns) == 9


# ------------------------------------------------------------------------------------- summary


def strict(text: str) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_summary(tmp_path):
    outcome = small_outcome(account=big_bar_account(commission=(1.0, 1e-4)))
    outcome.memory = Memory(data=100, shared=120, parent=9000, workers=(50, 60), independent=200)
    found = strict(write_summary(tmp_path, outcome).read_text(encoding="utf-8"))
    assert found["version"] == __version__
    assert found["settings"] == {
        "strategy": "big_bar", "maximize": "Return [%]", "min_trades": 1,
        "cash": 100_000.0, "commission": [1.0, 1e-4], "spread": 0.0, "margin": 1.0,
        "trade_on_close": True, "hedging": False, "exclusive_orders": False,
        "finalize_trades": False, "week_edge_bars": 6, "seed": 0, "verify": 20,
    }  # fmt: skip
    assert found["data"]["path"] == "eurusd.csv"
    assert found["data"]["rows"] == 400
    assert found["data"]["bars_taking_part"] == 380
    assert len(found["data"]["sha256"]) == 64
    assert found["data"]["first_time"] == "2017-04-19T09:00:00"
    assert found["grid"]["combinations"] == 12
    assert found["grid"]["axes"]["k_atr"] == [0.8, 1.1, 9.0]
    assert found["engine"] == "backtesting"
    assert (found["workers"], found["start_method"], found["chunk_size"]) == (2, "fork", 6)
    assert found["estimated_duration_s"] == 0.012
    assert found["timings"]["sweep_s"] == 0.5
    assert found["backtests_per_second"] == 24.0
    assert found["memory"] == {
        "data_bytes": 100, "shared_bytes": 120, "parent_bytes": 9000, "workers_bytes": [50, 60],
        "independent_bytes": 200,
    }  # fmt: skip
    assert found["failures"] == []
    assert found["verification"] == {
        "combinations": 5, "wanted": 5, "replayed_before": 0, "statistics": 30,
        "max_relative_difference": 2e-13, "answered_differently": [], "ok": True,
    }  # fmt: skip


def test_the_best_in_the_summary():
    outcome = small_outcome()
    best = summary(outcome)["best"]
    assert best["parameters"] == outcome.job.space[outcome.best]
    assert list(best["statistics"]) == [
        "Start", "End", *(name for name in NAMES if name != "Commissions [$]")
    ]  # fmt: skip
    assert best["statistics"]["Return [%]"] == outcome.table.column("Return [%]")[outcome.best]
    assert best["statistics"]["Duration"] == "21 days 19:00:00"
    assert best["statistics"]["Start"] == "2017-04-20T05:00:00"
    assert type(best["statistics"]["# Trades"]) is int


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_summary_is_strict_json(tmp_path, value):
    outcome = small_outcome()
    outcome.table.values[outcome.best] = value
    outcome.table.values[outcome.best, NAMES.index("# Trades")] = 3
    for name in ("Duration", "Max. Drawdown Duration", "Avg. Drawdown Duration",
                 "Max. Trade Duration", "Avg. Trade Duration"):  # fmt: skip
        outcome.table.values[outcome.best, NAMES.index(name)] = math.nan
    found = strict(write_summary(tmp_path, outcome).read_text(encoding="utf-8"))
    expected = None if math.isnan(value) else str(value)
    assert found["best"]["statistics"]["Sharpe Ratio"] == expected
    assert found["best"]["statistics"]["Max. Trade Duration"] is None


def test_the_summary_of_a_run_without_an_answer(tmp_path):
    outcome = small_outcome(min_trades=10_000)
    outcome.verification, outcome.stopped_by = None, 15
    outcome.failures = [Failure(3, "Traceback …\nZeroDivisionError: 1 / 0")]
    found = strict(write_summary(tmp_path, outcome).read_text(encoding="utf-8"))
    assert found["best"] is None
    assert found["verification"] is None
    assert found["memory"] is None
    assert found["stopped_by_signal"] == 15
    assert found["ties"] == 0
    assert found["without_trades"] == 4
    assert found["failures"] == [
        {
            "combination": 3,
            "parameters": outcome.job.space[3],
            "reason": "Traceback …\nZeroDivisionError: 1 / 0",
        }
    ]


def test_a_file_name_that_is_no_text(tmp_path):
    outcome = small_outcome()
    name = os.fsdecode(b"eur\xff \xc3\xa9.csv")
    object.__setattr__(outcome, "bars", type(outcome.bars)(**vars(outcome.bars) | {"source": name}))
    found = strict(write_summary(tmp_path, outcome).read_text(encoding="utf-8"))
    assert os.fsencode(found["data"]["path"]) == b"eur\xff \xc3\xa9.csv"
