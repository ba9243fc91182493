"""A stored row that is wrong: found, not believed again, computed anew, and nobody else blamed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from small_run import small_bars
from store_tools import change, forge, reseal
from test_store_resume import GRID, Interrupter

import bigbar
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES
from bigbar.errors import Interrupted, VerificationError
from bigbar.history.show import show
from bigbar.results import ResultTable
from bigbar.statistics import COLUMN
from bigbar.store.rows import pack, unpack
from bigbar.store.runs import RunStore
from bigbar.stored_rows import sample_stored
from bigbar.strategies.big_bar.kind import KIND as COMPILED
from bigbar.verification.replay import first_difference

#: 960 combinations of the first grid, and 320 more.
GROWN = GRID | {"k_atr": "0.5:1.9:0.2"}
QUICK = {"validate": False, "workers": 2}


def optimize(listener=None, **options) -> bigbar.Optimization:
    return bigbar.optimize(small_bars().frame, listener=listener, **QUICK | GRID | options)


@pytest.fixture(scope="module")
def alone() -> bigbar.Optimization:
    """The grown grid without a store."""
    return optimize(verify=0, **GROWN)


def falsify(folder: Path, run: int, *, least: float, by: float = 1.0, hashed: bool = True) -> int:
    """Add to the final equity of rows where it is so high, and have every seal and hash fit."""
    changed = 0
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection, connection:
        query = "SELECT id, rows, columns, packed FROM blocks WHERE run = ?"
        for block, rows, columns, packed in connection.execute(query, (run,)).fetchall():
            values = unpack(packed, rows, columns)
            wrong = values[:, COLUMN["Equity Final [$]"]] >= least
            values[wrong, COLUMN["Equity Final [$]"]] += by
            changed += int(np.count_nonzero(wrong))
            connection.execute("UPDATE blocks SET packed = ? WHERE id = ?", (pack(values), block))
        reseal(connection)
    if hashed:
        with RunStore(folder) as store:
            found = store.run(run)
            digest = ResultTable(found.grid, store.values(found)[0]).sha256()
        forge(folder, "UPDATE runs SET result_sha256 = ? WHERE id = ?", digest, run)
    return changed


def interrupted_at_the_end(folder: Path) -> None:
    with pytest.raises(Interrupted):
        optimize(Interrupter(960), store=folder, verify=0)


def wrong_rows_told(listener: Interrupter, run: int) -> bool:
    said = [what[1] for what in listener.told if what[0] == "event"]
    return len(said) == 1 and (
        said[0].startswith(f"run {run} holds wrong rows (Equity Final [$] of combination ")
        and said[0].endswith("all that came from the store is computed again")
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE slices SET first_row = first_row + 1 WHERE start = 0",
        "UPDATE slices SET start = start + 1 WHERE start = 0",
        "UPDATE blocks SET packed = X'00'",
        "UPDATE runs SET identity = replace(identity, '0', '1')",
    ],
)
def test_what_was_changed_by_hand_is_computed_again(tmp_path, alone, statement):
    optimize(store=tmp_path, verify=0)
    change(tmp_path, statement)
    listener = Interrupter()
    found = optimize(listener, store=tmp_path, verify=0, **GROWN)
    assert found.result_sha256 == alone.result_sha256
    assert found.outcome.reused == 0
    said = [what[1] for what in listener.told if what[0] == "event"]
    assert len(said) == 1
    assert "damaged (" in said[0]


@pytest.mark.parametrize("verify", [0, 20])
def test_the_sample_that_is_timed_finds_them(tmp_path, alone, verify):
    """Whether there are replays or not: of a quick engine, thousands of rows are compared."""
    optimize(store=tmp_path, verify=0)
    # The twenty best of 960, by so little that no replay would mind.
    best = np.sort(alone.outcome.table.column("Equity Final [$]"))[-20]
    assert falsify(tmp_path, 1, least=best, by=1e-9 * best / 20)
    listener = Interrupter()
    found = optimize(listener, store=tmp_path, verify=verify, **GROWN)
    assert found.result_sha256 == alone.result_sha256
    assert wrong_rows_told(listener, 1)
    assert not any(what[0] == "reusing" for what in listener.told)
    assert (found.outcome.reused, found.outcome.resumed) == (0, 0)
    with RunStore(tmp_path) as store:
        assert store.run(1).state == "failed"
        assert "was stored as" in store.run(1).error
        second = store.run(2)
        assert (second.state, second.result_sha256) == ("finished", alone.result_sha256)
        values, done = store.values(second)
        shown = show(store, store.run(1)).text
    assert done.all()
    assert values.tobytes() == alone.outcome.table.values.tobytes()
    # What it answered then is shown, but not as if it still held.
    assert shown.startswith("Run 1 failed its verification; its rows are not to be used.")
    assert "was stored as" in shown


def test_the_replays_find_them_where_nothing_is_left_to_time(tmp_path):
    interrupted_at_the_end(tmp_path)
    assert falsify(tmp_path, 1, least=0.0, hashed=False) == 960
    listener = Interrupter()
    found = optimize(listener, store=tmp_path, verify=1)
    undisturbed = optimize(verify=0)
    assert found.result_sha256 == undisturbed.result_sha256
    assert found.run == 1
    assert wrong_rows_told(listener, 1)
    assert found.outcome.verification.ok
    assert found.outcome.verification.combinations == 2
    assert found.outcome.resumed == 0
    assert found.outcome.backtests_per_second > 0
    with RunStore(tmp_path) as store:  # The wrong ones have left the file.
        done = store.run(1)
        assert (done.state, done.done, done.result_sha256) == (
            "finished", 960, undisturbed.result_sha256
        )  # fmt: skip
        values, _ = store.values(done)
        assert sum(map(len, store.slices(1))) == 960
    assert values.tobytes() == undisturbed.outcome.table.values.tobytes()


def test_a_wrong_winner_is_always_found(tmp_path):
    """Of all rows it is the one that is shown."""
    interrupted_at_the_end(tmp_path)
    with RunStore(tmp_path) as store:
        equity = store.values(store.run(1))[0][:, COLUMN["Equity Final [$]"]]
    assert falsify(tmp_path, 1, least=equity.max(), hashed=False) == 1
    listener = Interrupter()
    options = {"maximize": "Equity Final [$]", "verify": 1, "seed": 3}
    found = optimize(listener, store=tmp_path, **options)
    assert wrong_rows_told(listener, 1)
    assert found.best_statistics["Equity Final [$]"] == equity.max()
    assert found.result_sha256 == optimize(verify=0).result_sha256


@pytest.mark.slow
def test_rows_of_the_store_are_always_among_the_replays(tmp_path):
    optimize(store=tmp_path, verify=0)
    for verify in (1, 8, 20):
        grown = GRID | {"k_atr": f"0.5,0.7,0.9,1.1,1.3,1.5,{2 + verify}"}
        found = optimize(store=tmp_path, verify=verify, **grown)
        assert found.outcome.reused >= 960
        assert found.outcome.verification.wanted == 1 + verify
        drawn = sample_stored(found.outcome, 100)
        assert len(set(drawn)) == 100
        assert found.outcome.kept[drawn].all()
        # One of each run in turn: of both there are some.
        taken = found.outcome.carried.taken[drawn]
        assert set(np.unique(taken)) == set(np.unique(found.outcome.carried.taken)) - {0}


@pytest.mark.slow
def test_what_was_reused_and_is_right_stays(tmp_path, alone):
    optimize(store=tmp_path, verify=0)
    listener = Interrupter()
    found = optimize(listener, store=tmp_path, verify=20, **GROWN)
    assert found.outcome.reused == 960
    assert found.result_sha256 == alone.result_sha256
    assert not [what for what in listener.told if what[0] == "event"]


def test_it_is_found_even_where_nothing_wins(tmp_path):
    """Rows that hide the winner: there is none to replay, but there are rows of the store."""
    interrupted_at_the_end(tmp_path)
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection, connection:
        for block, rows, columns, packed in connection.execute(
            "SELECT id, rows, columns, packed FROM blocks"
        ).fetchall():
            values = unpack(packed, rows, columns)
            values[:, COLUMN["# Trades"]] = 0
            connection.execute("UPDATE blocks SET packed = ? WHERE id = ?", (pack(values), block))
        reseal(connection)
    found = optimize(store=tmp_path, verify=4)
    assert found.result_sha256 == optimize(verify=0).result_sha256
    assert found.outcome.verification.combinations == 5


def off(file, job, prepared=None):
    """An engine that is wrong by a euro, always by the same."""
    good = COMPILED.build(file, job)
    right = good.run

    def run(start: int, stop: int) -> np.ndarray:
        rows = right(start, stop)
        rows[:, COLUMN["Equity Final [$]"]] += 1.0
        return rows

    good.run = run
    return good


def test_an_engine_that_is_wrong_is_the_one_to_blame(tmp_path, monkeypatch):
    """What it had stored is what it computes to; `backtesting.py` says otherwise."""
    monkeypatch.setitem(ENGINES, "off", EngineKind(off, 40, warm_up=COMPILED.warm_up))
    options = {"engine": "off", "start_method": "fork", "store": tmp_path}
    optimize(verify=0, **options)
    listener = Interrupter()
    with pytest.raises(VerificationError, match=r"the engine and backtesting.py disagree"):
        optimize(listener, verify=4, **options | GROWN)
    assert any(what[0] == "reusing" for what in listener.told)
    with RunStore(tmp_path) as store:
        assert [run.state for run in store.runs()] == ["failed", "finished"]


def test_two_rows_differ_from_the_first_bit_on():
    row = np.array([1.0, np.nan, 0.0, np.inf] + [0.5] * 26)
    assert first_difference(3, row, row.copy()) is None
    other = row.copy()
    other[1] = -np.nan
    assert first_difference(3, row, other) is None
    other[2] = -0.0
    found = first_difference(3, row, other)
    assert (found.number, found.engine, found.reference) == (3, 0.0, 0.0)
    other[0] = np.nextafter(1.0, 2)
    assert first_difference(3, row, other).engine == 1.0
