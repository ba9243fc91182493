"""The runs of a folder: begun, continued, ended, read, deleted, counted."""

import json
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from store_tools import begun, change, dead_owner, identity, made_rows, new_run

from bigbar.errors import SettingsError
from bigbar.slices import Failure
from bigbar.store.owner import Owner
from bigbar.store.records import DamagedRun, Ending, RunOutput
from bigbar.store.rows import Finished, Slice, write_slices
from bigbar.store.run_rows import amend_run
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS, StoreError, open_store, transaction
from bigbar.strategies.big_bar.parameters import big_bar_account


@pytest.fixture
def store(tmp_path):
    with RunStore(tmp_path, create=True) as opened:
        yield opened


def kept(store: RunStore, run: int, *finished: Finished, done: int | None = None) -> None:
    with closing(open_store(store.path)) as connection, transaction(connection):
        write_slices(connection, run, finished)
        count = sum(len(one.slice) for one in finished) if done is None else done
        failed = sum(len(one.failures) for one in finished)
        amend_run(connection, run, {"done": count, "failed": failed})


def finished_run(store: RunStore, *, state="finished", done=None, output=None, **changes) -> int:
    owner, found = Owner.of_this_process(), identity(**changes)
    run = store.begin(new_run(found), owner)
    kept(store, run, done=len(found.grid()) if done is None else done)
    store.end(run, owner, Ending(state, output=output or RunOutput()))
    return run


# ------------------------------------------------------------------------------- begin and end


def test_a_run_from_beginning_to_end(store):
    owner = Owner.of_this_process()
    before = datetime.now(UTC) - timedelta(seconds=1)
    number = store.begin(new_run(), owner)
    run = store.run(number)
    assert (run.id, run.state, run.done, run.failed, run.combinations) == (1, "running", 0, 0, 24)
    assert before < run.started <= datetime.now(UTC)
    assert run.started.utcoffset() == timedelta(0)
    assert run.ended is run.best is run.best_parameters is run.result_sha256 is run.error is None
    assert run.identity == identity()
    assert run.fingerprint == identity().fingerprint
    assert run.grid == identity().grid()
    assert run.engine == "backtesting"
    assert run.command == ("eurusd.csv", "--k-atr", "1")
    assert run.data == {"path": "eurusd.csv"}
    assert run.machine == {"host": "here"}

    rows = made_rows(24)
    rows[3] = np.nan
    kept(store, number, Finished(Slice(0, 24), rows, [({"k_atr": 1.0}, Failure(3, "no"))]))
    told = RunOutput("the answer · é\n", {"best": None}, {"sweep_s": 0.5}, {"busy": [0.9]})
    store.end(number, owner, Ending("finished", 2.5, 7, np.inf, "ab" * 32, None, told))
    run = store.run(number)
    assert (run.state, run.seconds, run.best, run.best_value) == ("finished", 2.5, 7, np.inf)
    assert run.best_parameters == run.grid[7]
    assert run.result_sha256 == "ab" * 32
    assert run.ended is not None
    assert run.ended >= run.started
    assert (run.done, run.failed) == (24, 1)
    assert store.output(number) == told
    assert store.failures(run) == [Failure(3, "no")]
    values, done = store.values(run)
    assert done.all()
    assert values.tobytes() == rows.tobytes()


def test_ids_are_never_given_twice(store):
    first = finished_run(store)
    store.delete(first)
    assert store.begin(new_run(), Owner.of_this_process()) == first + 1


def test_the_newest_comes_first(store):
    numbers = [finished_run(store) for _ in range(3)]
    assert [run.id for run in store.runs()] == numbers[::-1]


def test_only_the_owner_ends_a_run(store):
    number = store.begin(new_run(), Owner.of_this_process())
    store.end(number, Owner.of_this_process(), Ending("finished"))
    assert store.run(number).state == "running"


def test_no_such_run(store):
    with pytest.raises(StoreError, match=r"no run 5 in .*runs\.sqlite; there is none yet"):
        store.run(5)
    finished_run(store)
    finished_run(store)
    with pytest.raises(StoreError, match=r"no run 5 .*; there are 1, 2"):
        store.output(5)


def test_a_run_that_told_nothing(store):
    number = store.begin(new_run(), Owner.of_this_process())
    assert store.output(number) == RunOutput(None, None, {}, None)
    assert store.slices(number) == []
    values, done = store.values(store.run(number))
    assert not done.any()
    assert np.isnan(values).all()


# ------------------------------------------------------------------------------------ continue


def test_a_run_whose_process_is_gone_is_interrupted(store):
    number = store.begin(new_run(), dead_owner())
    assert store.run(number).state == "interrupted"


def test_a_run_that_is_running_is_not_claimed(store):
    number = store.begin(new_run(), Owner.of_this_process())
    assert not store.claim(number, new_run(), Owner.of_this_process())


def test_a_claimed_run_belongs_to_the_one_who_claimed_it(store):
    gone, here = dead_owner(), Owner.of_this_process()
    number = store.begin(new_run(), gone)
    started = store.run(number).started
    asked = new_run(objective="SQN", command=("eurusd.csv", "--maximize", "SQN"))
    assert store.claim(number, asked, here)
    run = store.run(number)
    assert (run.state, run.objective, run.command[1]) == ("running", "SQN", "--maximize")
    assert run.started == started
    store.end(number, gone, Ending("failed"))
    assert store.run(number).state == "running"
    store.end(number, here, Ending("interrupted", error="stopped by signal 2"))
    assert store.run(number).state == "interrupted"
    assert store.run(number).error == "stopped by signal 2"


def test_runs_are_found_by_their_digests(store):
    one, other = finished_run(store), finished_run(store, k_atr=(1.0, 3.0))
    apart = finished_run(store, account=big_bar_account(cash=5e4))
    assert [run.id for run in store.with_fingerprint(identity().fingerprint)] == [one]
    assert [run.id for run in store.with_context(identity().context)] == [other, one]
    assert store.run(apart).context != identity().context


# -------------------------------------------------------------------------------------- delete


def test_a_deleted_run_gives_its_room_back(store):
    small = finished_run(store)
    number = finished_run(store)
    kept(store, number, Finished(Slice(0, 20_000), made_rows(20_000)), done=24)
    size = store.path.stat().st_size + store.path.with_name(f"{RUNS}-wal").stat().st_size
    store.delete(number)
    assert [run.id for run in store.runs()] == [small]
    assert store.path.stat().st_size < size / 4
    with pytest.raises(StoreError, match="no run"):
        store.delete(number)


def test_it_began_before_it_was_written_down(store):
    number = store.begin(new_run(), Owner.of_this_process(), ago=5.0)
    assert 5.0 <= (datetime.now(UTC) - store.run(number).started).total_seconds() < 60.0


def test_a_running_one_is_not_deleted(store):
    number = store.begin(new_run(), Owner.of_this_process())
    with pytest.raises(SettingsError, match="is running; stop it"):
        store.delete(number)
    assert store.run(number)


# ------------------------------------------------------------------------------------ counting


def test_trials_on_the_same_bars(store):
    elsewhere = identity(atr_period=(30, 40))  # Shares no combination with the runs below.
    assert store.trials_on_data(elsewhere) == 0
    finished_run(store)
    finished_run(store)  # The same: no more tries.
    finished_run(store, engine="compiled")
    assert store.trials_on_data(elsewhere) == 24
    finished_run(store, account=big_bar_account(commission=1e-4))  # Other costs are another try.
    assert store.trials_on_data(elsewhere) == 48
    finished_run(store, k_atr=(1.0, 3.0), done=7, state="interrupted")
    assert store.trials_on_data(elsewhere) == 55
    last = finished_run(store, k_atr=(1.0, 3.0), done=12)
    assert store.trials_on_data(elsewhere) == 60  # The more complete of the two.
    assert store.trials_on_data(elsewhere, without=last) == 55
    finished_run(store, k_atr=(1.0, 4.0), state="failed")
    assert store.trials_on_data(elsewhere) == 60


@pytest.mark.parametrize(("summary", "left"), [({"without_trades": 20}, 4), ({}, 24), (None, 24)])
def test_what_never_traded_was_no_chance(store, summary, left):
    finished_run(store, output=RunOutput("told", summary))
    assert store.trials_on_data(identity(atr_period=(30, 40))) == left


def test_what_is_shared_and_never_traded_is_not_taken_off_twice(store):
    grown = identity(k_atr=(1.0, 1.5, 9.0))  # Shares 12 of the 24.
    assert grown.grid().count_shared(identity().grid()) == 12
    finished_run(store, output=RunOutput("told", {"without_trades": 10}))
    assert store.trials_on_data(grown) == 12


def test_trials_of_the_grid_at_hand_are_no_others(store):
    finished_run(store)
    assert store.trials_on_data(identity()) == 0
    assert store.trials_on_data(identity(account=big_bar_account(spread=1e-4))) == 24
    grown = identity(k_atr=(0.8, 1.1, 9.0, 10.0))
    assert store.trials_on_data(grown) == 24 - grown.grid().count_shared(identity().grid())


def test_openings_are_counted_for_each_split(store):
    counts = [store.count_opening("a", split) for split in ("x", "x", "y", "x")]
    assert counts == [1, 2, 1, 3]
    assert store.count_opening("b", "x") == 1
    store.close()
    with RunStore(store.path) as again:
        assert again.count_opening("a", "x") == 4


# -------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("identity", "{}"),
        ("identity", "[" * 100_000),
        ("identity", '{"grid": '),
        ("identity", json.dumps({**identity().parts, "grid": {"k_atr": [1]}})),
        ("identity", json.dumps({**identity().parts, "statistics": 30})),
        ("identity", json.dumps({**identity().parts, "bars": None})),
        ("state", "asleep"),
        ("owner", "nobody"),
        ("started", "yesterday"),
        ("started", "2026-01-01"),
        ("combinations", 25),
        ("done", 25),
        ("done", -1),
        ("best", 24),
        ("settings", "[]"),
        ("settings", "{"),
        ("command", "{}"),
        ("data", b"\xff"),
        ("machine", "3"),
        ("seconds", "long"),
        ("objective", 3.5),
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_a_damaged_run_is_an_error_that_says_so(tmp_path, store, column, value, sealed):
    """Whoever changes it, by accident or with a seal that fits."""
    number = finished_run(store)
    change(tmp_path, f"UPDATE runs SET {column} = ?", value, sealed=False)
    if column == "owner":
        change(tmp_path, "UPDATE runs SET state = 'running'", sealed=False)
    if sealed:
        change(tmp_path, "UPDATE runs SET checksum = ''", sealed=True)
    if (column, sealed) == ("objective", True):  # A number there is no text: SQLite makes it one.
        assert store.run(number).objective == "3.5"
        return
    for read in (store.runs, lambda: store.run(number), lambda: store.output(number)):
        with pytest.raises(DamagedRun, match=f"run {number} is damaged") as caught:
            read()
        assert caught.value.id == number


@pytest.mark.parametrize("column", ["id", "seen", "seconds", "done", "failed", "best_value"])
def test_a_number_changed_by_one_is_found(tmp_path, store, column):
    number = finished_run(store)
    change(tmp_path, f"UPDATE runs SET {column} = coalesce({column}, 0) + 1")
    with pytest.raises(DamagedRun, match="checksum"):
        store.run(number + (column == "id"))


def test_one_damaged_run_does_not_hide_the_others(tmp_path, store):
    numbers = [finished_run(store) for _ in range(3)]
    change(tmp_path, "UPDATE runs SET settings = X'FFFE' WHERE id = ?", numbers[1])
    runs, damaged = store.survey()
    assert [run.id for run in runs] == [3, 1]
    assert [(one.id, str(one)) for one in damaged] == [
        (2, "run 2 is damaged (its checksum does not match)")
    ]
    told = []
    found = store.with_fingerprint(identity().fingerprint, damaged=told.append)
    assert [run.id for run in found] == [3, 1]
    assert told == [str(damaged[0])]
    assert store.with_context(identity().context, damaged=told.append)[0].id == 3
    assert store.trials_on_data(identity(k_atr=(7.0, 8.0)), damaged=told.append) == 24
    assert len(told) == 3
    for search in (
        lambda: store.with_fingerprint(identity().fingerprint),
        lambda: store.trials_on_data(identity()),
    ):
        with pytest.raises(StoreError, match="run 2 is damaged"):
            search()


def test_the_columns_by_which_a_run_is_found_are_those_of_its_identity(tmp_path, store):
    """One changed, and sealed again: it is not taken for a run of other bars."""
    number = finished_run(store)
    other = identity(account=big_bar_account(cash=1.0))
    for column in ("fingerprint", "context", "bars_sha256"):
        before = getattr(store.run(number), column)
        value = "0" * 64 if column == "bars_sha256" else getattr(other, column)
        change(tmp_path, f"UPDATE runs SET {column} = ?", value, sealed=True)
        with pytest.raises(DamagedRun, match=f"its {column} is not that of what it lists"):
            store.run(number)
        change(tmp_path, f"UPDATE runs SET {column} = ?", before, sealed=True)
    assert store.run(number).id == number


def test_a_damaged_run_is_not_written_to(tmp_path, store):
    """A new seal would hide what is wrong."""
    owner = Owner.of_this_process()
    number = store.begin(new_run(), owner)
    change(tmp_path, "UPDATE runs SET seconds = 5.0")
    for write in (
        lambda: store.claim(number, new_run(), owner),
        lambda: store.end(number, owner, Ending("finished")),
    ):
        with pytest.raises(DamagedRun):
            write()
    with pytest.raises(DamagedRun):
        store.run(number)
    store.delete(number)
    assert store.runs() == []


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("column", ["summary", "timings", "metrics", "answer"])
def test_what_a_run_told_can_be_damaged_too(tmp_path, store, column, sealed):
    number = finished_run(store)
    value = b"\xff\xfe" if column == "answer" else "[1]"
    change(tmp_path, f"UPDATE runs SET {column} = ?", value, sealed=sealed)
    with pytest.raises(StoreError, match=f"what run {number} said at its end is damaged"):
        store.output(number)
    assert store.run(number).state == "finished"  # The rest is as good as before.


def failing(store: RunStore) -> int:
    """A run of which two combinations failed."""
    owner = Owner.of_this_process()
    number = store.begin(new_run(), owner)
    rows = made_rows(24)
    rows[[3, 7]] = np.nan
    failed = [({"k_atr": 1.0}, Failure(one, "no")) for one in (3, 7)]
    kept(store, number, Finished(Slice(0, 24), rows, failed))
    store.end(number, owner, Ending("interrupted"))
    return number


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE failures SET number = 4 WHERE number = 3",
        "UPDATE failures SET reason = 'because' WHERE number = 3",
        "UPDATE failures SET parameters = '{}' WHERE number = 3",
        "DELETE FROM failures WHERE number = 3",
    ],
)
def test_a_failure_that_is_not_as_it_was_written_is_none(tmp_path, store, statement):
    """The row that had it counts as not done: nothing says any more why it is empty."""
    run = store.run(failing(store))
    change(tmp_path, statement)
    told = []
    assert store.failures(run, damaged=told.append) == [Failure(7, "no")]
    _, done = store.values(run, damaged=told.append)
    assert np.flatnonzero(~done).tolist() == [3]
    assert told
    with pytest.raises(StoreError, match="what failed of run"):
        store.failures(run)


@pytest.mark.parametrize("number", [24, -1, 2**62, 4])
def test_a_failure_that_cannot_be_is_none(tmp_path, store, number):
    """Outside of the grid, or of a combination that has a row."""
    run = store.run(failing(store))
    change(tmp_path, "UPDATE failures SET number = ? WHERE number = 3", number, sealed=True)
    told = []
    _, done = store.values(run, damaged=told.append)
    assert np.flatnonzero(~done).tolist() == ([3, 4] if number == 4 else [3])
    assert told


def test_rows_that_vanished_are_missed(tmp_path, store):
    owner = Owner.of_this_process()
    number = store.begin(new_run(), owner)
    rows = made_rows(24)
    kept(store, number, *(Finished(Slice(a, a + 8), rows[a : a + 8]) for a in (0, 8, 16)))
    change(tmp_path, "DELETE FROM slices WHERE start = 8")
    run, told = store.run(number), []
    _, done = store.values(run, damaged=told.append)
    assert np.flatnonzero(~done).tolist() == list(range(8, 16))
    assert told == ["8 rows of run 1 that had been stored cannot be read"]
    with pytest.raises(StoreError, match="8 rows of run 1 that had been stored cannot be read"):
        store.values(run)


def test_a_rewritten_run_has_those_rows_only(store):
    number, owner = failing(store), Owner.of_this_process()
    assert store.claim(number, new_run(), owner)
    rows = made_rows(24, seed=9)
    store.rewrite(number, Owner.of_this_process(), [Finished(Slice(0, 24), rows)])
    assert store.run(number).failed == 2  # Of another owner: nothing happened.
    store.rewrite(number, owner, [Finished(Slice(4, 20), rows[4:20])])
    run = store.run(number)
    assert (run.done, run.failed) == (16, 0)
    values, done = store.values(run)
    assert np.flatnonzero(done).tolist() == list(range(4, 20))
    assert values[done].tobytes() == rows[4:20].tobytes()
    assert store.failures(run) == []


def test_rejected_runs_are_nobodys(store):
    number, living = finished_run(store), store.begin(new_run(), Owner.of_this_process())
    for one in (number, living):
        store.reject(one, "combination 3 is wrong")
    assert (store.run(number).state, store.run(number).error) == (
        "failed",
        "combination 3 is wrong",
    )
    assert store.run(living).state == "running"  # Its own process finds out.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE openings SET count = count + 1",
        "UPDATE openings SET split = 'z'",
        "UPDATE openings SET bars_sha256 = 'b'",
        "UPDATE openings SET checksum = ''",
    ],
)
def test_a_count_of_openings_that_is_damaged_is_forgotten_and_said(tmp_path, store, statement):
    store.count_opening("a", "x")
    change(tmp_path, statement)
    with pytest.raises(StoreError, match="how often bars held back were looked at is damaged"):
        store.count_opening("a", "x")
    told = []
    assert store.count_opening("a", "x", damaged=told.append) == 1
    assert len(told) == 1
    assert store.count_opening("a", "x") == 2


def test_the_package_reads_no_pickle():
    """What is unpickled can run code: nothing of a file ever is."""
    import bigbar.store

    folder = os.path.dirname(bigbar.store.__file__)
    for name in os.listdir(folder):
        if name.endswith(".py"):
            with open(os.path.join(folder, name), encoding="utf-8") as source:
                text = source.read()
            assert "import pickle" not in text
            assert "allow_pickle" not in text
            assert "eval(" not in text


def test_a_folder_or_the_file_itself(tmp_path):
    begun(tmp_path)
    for place in (tmp_path, tmp_path / RUNS):
        with RunStore(place) as store:
            assert len(store.runs()) == 1
