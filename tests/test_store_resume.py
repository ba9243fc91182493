"""Interrupted anywhere, continued anyhow: the same bits as if nothing had happened."""

import signal
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from small_run import small_bars

import bigbar
from bigbar.errors import Interrupted
from bigbar.progress.events import Listener
from bigbar.store.runs import RunStore

#: 4 × 6 × 5 × 8 × 1 = 960 combinations.
GRID = {"atr_period": "5:20:5", "k_atr": "0.5:1.5:0.2"}
QUICK = {"verify": 0, "validate": False, "workers": 2}


@dataclass
class Interrupter(Listener):
    """Sends Ctrl-C once so many combinations have been counted, and notes what is told."""

    after: int = 10**9
    told: list[tuple] = field(default_factory=list)

    @contextmanager
    def progress(self, total: int, done: int = 0, in_flight: float = 0.0):
        self.told.append(("progress", total, done))
        self.count = 0
        yield self

    def update(self, n: int) -> None:
        self.count += n
        if self.count >= self.after:
            self.after = 10**9
            signal.raise_signal(signal.SIGINT)

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        pass

    def event(self, what: str) -> None:
        self.told.append(("event", what))

    def resuming(self, run, begun, done, total) -> None:
        self.told.append(("resuming", run, done, total))

    def reusing(self, rows, there, runs) -> None:
        self.told.append(("reusing", rows, there, runs))

    def estimated(self, seconds, chunk_size, chunks) -> None:
        self.told.append(("estimated", chunk_size))


def optimize(listener: Listener | None = None, **options) -> bigbar.Optimization:
    return bigbar.optimize(small_bars().frame, listener=listener, **GRID | QUICK | options)


@pytest.fixture(scope="module")
def undisturbed() -> bigbar.Optimization:
    return optimize()


def interrupted(folder, after: int, **options) -> None:
    with pytest.raises(Interrupted):
        optimize(Interrupter(after), store=folder, **options)


@pytest.mark.parametrize(
    ("after", "other"),
    [
        (1, {"workers": 3, "seed": 4}),
        (300, {"workers": 1}),
        (300, {"start_method": "spawn"}),
        (700, {"workers": 3}),
        (960, {"workers": 1, "seed": 4}),
    ],
)
def test_the_same_bits(tmp_path, undisturbed, after, other):
    interrupted(tmp_path, after)
    with RunStore(tmp_path) as store:
        left = store.run(1)
        assert left.state == "interrupted"
        assert after <= left.done <= 960
        assert sum(map(len, store.slices(1))) == left.done
    listener = Interrupter()
    found = optimize(listener, store=tmp_path, **other)
    assert ("resuming", 1, left.done, 960) in listener.told
    assert ("progress", 960, left.done) in listener.told
    assert found.run == 1
    assert found.result_sha256 == undisturbed.result_sha256
    assert found.outcome.table.values.tobytes() == undisturbed.outcome.table.values.tobytes()
    assert found.best_parameters == undisturbed.best_parameters
    assert found.outcome.resumed == left.done
    with RunStore(tmp_path) as store:
        done = store.run(1)
        values, there = store.values(done)
        assert (done.state, done.done, there.all()) == ("finished", 960, True)
        assert values.tobytes() == undisturbed.outcome.table.values.tobytes()
        assert done.result_sha256 == undisturbed.result_sha256


def test_interrupted_again_and_again(tmp_path, undisturbed):
    for workers in (1, 2):
        interrupted(tmp_path, 1, workers=workers)
    found = optimize(store=tmp_path)
    assert found.run == 1
    assert 2 <= found.outcome.resumed < 960
    assert found.result_sha256 == undisturbed.result_sha256


def test_another_objective_continues_the_same_run(tmp_path):
    interrupted(tmp_path, 300)
    found = optimize(store=tmp_path, maximize="SQN", min_trades=5)
    assert found.run == 1
    with RunStore(tmp_path) as store:
        assert store.run(1).objective == "SQN"
        assert store.run(1).settings["min_trades"] == 5


def test_nothing_left_to_run_needs_no_estimate(tmp_path, undisturbed):
    interrupted(tmp_path, 960)
    listener = Interrupter()
    found = optimize(listener, store=tmp_path)
    assert not any(what[0] == "estimated" for what in listener.told)
    assert found.result_sha256 == undisturbed.result_sha256
    assert found.outcome.backtests_per_second == 0


def test_slices_tell_who_ran_them_and_when(tmp_path):
    optimize(store=tmp_path)
    with RunStore(tmp_path) as store:
        slices, seconds = store.slices(1), store.run(1).seconds
    assert all(one.worker and one.worker > 1 for one in slices)
    assert all(0 < one.begun < seconds and 0 < one.seconds < seconds for one in slices)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("grown", "shared"),
    [
        ({"k_atr": "0.5:2.5:0.2"}, 960),
        ({"k_atr": "0.5:1.5:0.1"}, 960),
        ({"atr_period": "5:20:3,20", "previous_weight": "0.1:0.8:0.05"}, None),
        ({"buffer_ratio": "0,0.01,0.02"}, 960),
        ({"k_atr": "0.5,0.9", "uptail_max_ratio": 0.7}, 4 * 2 * 8),
    ],
)
def test_a_grid_that_shares_combinations(tmp_path, grown, shared):
    if shared is None:
        grown, shared = grown | {"atr_period": "5,8,11,14,17,20"}, 2 * 6 * 5 * 8
    optimize(store=tmp_path)
    listener = Interrupter()
    found = optimize(listener, store=tmp_path, **grown)
    told = next(what for what in listener.told if what[0] == "reusing")
    assert told == ("reusing", shared, shared, [1])
    assert found.outcome.reused == shared
    alone = optimize(**grown)
    assert found.result_sha256 == alone.result_sha256
    with RunStore(tmp_path) as store:
        values, done = store.values(store.run(2))
    assert done.all()
    assert values.tobytes() == alone.outcome.table.values.tobytes()


def test_a_grown_run_that_is_interrupted(tmp_path):
    optimize(store=tmp_path)
    wide = {"k_atr": "0.5:3.5:0.2"}
    interrupted(tmp_path, 100, **wide)
    found = optimize(store=tmp_path, **wide)
    assert found.run == 2
    assert found.outcome.resumed >= 960 + 100
    assert found.result_sha256 == optimize(**wide).result_sha256


def test_fresh_takes_nothing(tmp_path, undisturbed):
    interrupted(tmp_path, 300)
    found = optimize(store=tmp_path, fresh=True)
    assert (found.run, found.outcome.resumed) == (2, 0)
    assert found.result_sha256 == undisturbed.result_sha256


def test_by_default_nothing_is_kept(tmp_path, undisturbed, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert undisturbed.run is None
    assert optimize().result_sha256 == undisturbed.result_sha256
    assert list(tmp_path.iterdir()) == []


def test_the_digest_waits_for_nobody(undisturbed):
    """It is computed beside the replays, and is that of the finished table."""
    assert undisturbed.result_sha256 == undisturbed.outcome.table.sha256()
    assert np.isfinite(undisturbed.outcome.table.column("# Trades")).all()
