"""What a run will take: the formulas, the fit into a limit, and forecast against a real run."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_run import AXES, small_bars

import bigbar
from bigbar.errors import Interrupted, SettingsError
from bigbar.job import Job
from bigbar.machine.budget import Files, budget_for, workload
from bigbar.machine.forecast import Forecast, Workload, fit, forecast, worker_growth
from bigbar.progress.events import Listener
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.parameters import Settings, parse_grid
from bigbar.validation.plan import Plan

#: The default run on example.csv with two workers.
DEFAULT = Workload(combinations=112_840, bars=5_000, returns=246, workers=2, replays=21, windows=0)
PRESENT = 126_000_000

_LOADS = st.builds(
    Workload,
    combinations=st.integers(1, 10**7),
    bars=st.integers(102, 10**7),
    returns=st.integers(0, 3_000),
    engine=st.sampled_from(["compiled", "backtesting", "another"]),
    workers=st.integers(1, 64),
    forked=st.booleans(),
    replays=st.integers(0, 500),
    windows=st.integers(0, 12),
    kept=st.booleans(),
    csv=st.booleans(),
    plot=st.booleans(),
    compiling=st.booleans(),
)


def in_mb(count: float) -> float:
    return count / 1e6


def test_the_measured_runs():
    """As measured (see the module), each within a quarter: memory in MB, disk in MB."""
    sweep_only = replace(DEFAULT, replays=0, returns=0)
    measured = [
        (DEFAULT, 581, 21),
        (replace(sweep_only, csv=True), 364, 83),
        (replace(sweep_only, combinations=1_240), 279, 2.5),
        (replace(sweep_only, combinations=1, bars=1_000_000, workers=1), 754, None),
        (replace(DEFAULT, combinations=549_640, replays=0), 968, 89),
        (replace(DEFAULT, replays=0, returns=0, combinations=1, engine="backtesting"), 210, None),
    ]
    for load, memory, disk in measured:
        present = PRESENT + 145 * (load.bars - 5_000)
        found = forecast(load, present=present)
        assert in_mb(found.memory) == pytest.approx(memory, rel=0.25), load
        if disk:
            assert in_mb(found.disk) == pytest.approx(disk, rel=0.25, abs=1), load


@given(_LOADS)
def test_more_takes_more(load):
    found = forecast(load, present=PRESENT)
    for more in (
        {"combinations": load.combinations * 2}, {"bars": load.bars * 2},
        {"returns": load.returns + 100}, {"workers": load.workers + 1},
        {"replays": load.replays + 1}, {"csv": True}, {"plot": True}, {"compiling": True},
    ):  # fmt: skip
        larger = forecast(replace(load, **more), present=PRESENT)
        assert larger.memory >= found.memory, more
        if not more.keys() & {"combinations", "returns"}:  # a large matrix is shared in parts
            assert larger.shared >= found.shared, more
        assert larger.disk >= found.disk, more
        if "workers" not in more:
            assert larger.seconds >= found.seconds, more


def test_time_after_the_estimate():
    rough = forecast(DEFAULT, present=PRESENT)
    twice = forecast(DEFAULT, present=PRESENT, backtest_s=1e-3)
    assert twice.seconds > 112_840 * 1e-3 / 2 > rough.seconds


def test_what_the_sweep_keeps_is_not_run_once_more():
    slow = replace(DEFAULT, combinations=2_000, measured_s=0.03)
    again = (
        forecast(slow, present=0).seconds - forecast(replace(slow, along=True), present=0).seconds
    )
    assert again == pytest.approx(2_000 * 0.03 / 2)
    known = replace(slow, along=True, known=500)  # Their returns are not there.
    assert forecast(known, present=0).seconds == pytest.approx(
        forecast(replace(slow, along=True), present=0).seconds
    )


def peak(**load) -> float:
    """MB at the most of a run in which nothing takes more than the workers after the sweep."""
    plain = Workload(combinations=100, bars=100_000, workers=4, kept=False)
    return in_mb(forecast(replace(plain, **load), present=0).memory)


def test_what_replays_take():
    """In each worker: importing backtesting.py (67 MB), and 100 bytes a bar."""
    assert peak(replays=21) - peak() == pytest.approx(4 * (67 + 10))
    assert peak(replays=1) == peak(replays=21) == peak(windows=5)
    of_backtesting = {"engine": "backtesting"}  # There it is imported already.
    assert peak(replays=21, **of_backtesting) - peak(**of_backtesting) == pytest.approx(4 * 10)


def test_what_holding_against_luck_takes():
    """The matrix of returns, four bytes each, and what is made of it; up to a limit."""
    assert peak(returns=250) - peak() == pytest.approx(1.4 * 4 * 100 * 250 / 1e6)
    large = {"returns": 250, "combinations": 10**6, "matrix_bytes": 10**8}
    assert peak(**large) - peak(**large | {"returns": 0}) == pytest.approx(140)


@given(_LOADS, st.integers(10**7, 10**10))
def test_what_fits_is_within_the_limit_and_no_smaller_than_it_must_be(load, most):
    try:
        found = fit(load, most, present=PRESENT)
    except SettingsError:
        assert forecast(replace(load, workers=1), present=PRESENT).memory > most
        return
    assert forecast(found, present=PRESENT).memory <= most
    assert found == replace(load, workers=found.workers)
    if found.workers < load.workers:
        more = replace(load, workers=found.workers + 1)
        assert forecast(more, present=PRESENT).memory > most


def test_a_refusal_says_what_would_do():
    needed = forecast(replace(DEFAULT, workers=1), present=PRESENT).memory
    with pytest.raises(SettingsError) as caught:
        fit(DEFAULT, 450_000_000, present=PRESENT)
    said = str(caught.value)
    assert caught.value.exit_code == 2
    assert f"needs about {needed / 1e6:.0f} MB even with one worker" in said
    assert "--max-memory is 450 MB; give it" in said
    assert "leave out the validation (--no-validate)" in said
    assert "combinations at a time" in said
    with pytest.raises(SettingsError, match=r"--max-memory is 1.0 MB; give it \d+ MB$"):
        fit(replace(DEFAULT, workers=1), 1_000_000, present=PRESENT)


def test_each_way_of_a_refusal_does():
    said = ""
    try:
        fit(DEFAULT, 450_000_000, present=PRESENT)
    except SettingsError as problem:
        said = str(problem)
    given_more = float(said.split("give it ")[1].split(" MB")[0]) * 1e6
    fit(DEFAULT, round(given_more), present=PRESENT)
    fit(replace(DEFAULT, returns=0), 450_000_000, present=PRESENT)
    smaller = int(said.split("run ")[-1].split(" combinations")[0].replace(",", ""))
    fit(replace(DEFAULT, combinations=smaller), 450_000_000, present=PRESENT)


def test_a_worker_may_take_what_replays_need():
    assert worker_growth(DEFAULT) > worker_growth(replace(DEFAULT, replays=0)) > 10**7
    assert worker_growth(replace(DEFAULT, bars=10**6)) > worker_growth(DEFAULT) + 10**8


def job(**axes: object) -> Job:
    return job_of(parse_grid(**axes), Settings(), "backtesting")


def load_of(plan: Plan | None, **options) -> Workload:
    given = {
        "bars": 5_000, "returns": 246, "workers": 4, "start_method": "spawn", "verify": 20,
        "verify_seconds": 6.0, "files": None,
    }  # fmt: skip
    return workload(job(k_atr="1,2", atr_period="10"), plan, **given | options)


def test_the_workload_of_a_run(tmp_path):
    load = load_of(Plan(walk_forward=5), files=Files(tmp_path, csv=True))
    assert (load.combinations, load.workers, load.replays) == (80, 4, 21)
    assert (load.returns, load.windows, load.engine) == (246, 5, "backtesting")
    assert not load.forked
    assert load.kept
    assert (load.csv, load.plot, load.compiling) == (True, False, False)
    bare = load_of(None, start_method="fork", verify=0, workers=200)
    assert (bare.returns, bare.windows, bare.replays, bare.workers) == (0, 0, 0, 80)
    assert bare.forked
    assert not bare.kept
    assert forecast(bare).disk == 0


def test_a_budget_without_a_limit(tmp_path):
    load = load_of(Plan())
    found = budget_for(load, max_memory=None, files=None)
    assert found.load == load
    assert found.memory_limit > 10**8
    assert found.growth >= 2 * worker_growth(load)
    assert found.notes == ()


def test_a_budget_with_fewer_workers():
    load = replace(load_of(Plan()), workers=8)
    most = forecast(replace(load, workers=3)).memory + 20_000_000
    found = budget_for(load, max_memory=most, files=None)
    assert found.load.workers == 3
    assert found.memory_limit <= most
    assert worker_growth(load) <= found.growth < worker_growth(load) + 20_000_000
    (note,) = found.notes
    assert note.startswith("3 workers in place of 8: one more would take the run to")


def test_a_budget_warns_of_what_is_short(tmp_path, monkeypatch):
    monkeypatch.setattr("bigbar.machine.budget.available_memory", lambda: 0)
    monkeypatch.setattr("bigbar.machine.budget.free_shared_memory", lambda: 1000)
    monkeypatch.setattr("bigbar.machine.budget.free_disk", lambda folder: 1000)
    files = Files(tmp_path / "out")
    notes = budget_for(load_of(Plan(), files=files), max_memory=None, files=files).notes
    assert [note.split(" may not do")[0] for note in notes] == [
        "memory", "shared memory", "the disk",
    ]  # fmt: skip
    assert str(tmp_path / "out") in notes[2]


def test_against_what_it_came_to():
    found = budget_for(load_of(None), max_memory=None, files=None)
    told = found.against(backtest_s=0.5, seconds=4.0, memory=5, shared=6, disk=7)
    assert {name: one["actual"] for name, one in told.items()} == {
        "time_s": 4.0, "memory_bytes": 5, "shared_bytes": 6, "disk_bytes": 7,
    }  # fmt: skip
    assert told["memory_bytes"]["forecast"] == found.forecast.memory
    assert told["time_s"]["after_estimate"] > 80 * 0.5 / 4
    untimed = found.against(backtest_s=0.0, seconds=4.0, memory=5, shared=6, disk=7)
    assert untimed["time_s"].keys() == {"forecast", "actual"}
    assert isinstance(found.forecast, Forecast)


# ---------------------------------------------------------------------------------- what is left


@given(_LOADS, st.floats(0, 1), st.floats(0, 1))
def test_what_is_known_need_not_be_run(load, share, of_it):
    known = int(share * load.combinations)
    rest = replace(load, known=known, stored=int(of_it * known))
    whole, less = forecast(load, present=PRESENT), forecast(rest, present=PRESENT)
    assert less.seconds <= whole.seconds
    assert less.disk <= whole.disk
    assert (less.memory, less.shared) == (whole.memory, whole.shared)
    slow = forecast(rest, present=PRESENT, backtest_s=1.0).seconds
    saved = forecast(load, present=PRESENT, backtest_s=1.0).seconds - slow
    assert saved == pytest.approx(known / load.workers)


def test_a_budget_of_the_rest(tmp_path, monkeypatch):
    files = Files(tmp_path)
    load = replace(load_of(Plan(), files=files), combinations=1_000_000)
    room = forecast(load).disk - 10_000_000
    monkeypatch.setattr("bigbar.machine.budget.free_disk", lambda folder: room)
    whole = budget_for(load, max_memory=None, files=files)
    assert [note[:20] for note in whole.notes] == ["the disk may not do:"]
    rest = whole.of_the_rest(known=900_000, stored=900_000, files=files)
    assert rest.notes == ()
    assert (rest.memory_limit, rest.growth) == (whole.memory_limit, whole.growth)
    assert rest.forecast.memory == whole.forecast.memory
    saved = whole.forecast.seconds - rest.forecast.seconds  # Holding it against luck is not less.
    assert saved == pytest.approx(900_000 * (0.005 + 1e-5 * 5_000) / 4)
    told = rest.against(backtest_s=0.05, seconds=4.0, memory=5, shared=6, disk=7)
    after = told["time_s"]["after_estimate"]
    assert (
        after
        < whole.against(backtest_s=0.05, seconds=4.0, memory=5, shared=6, disk=7)["time_s"][
            "after_estimate"
        ]
    )


class Forecasts(Listener):
    """Keeps what is told in advance, in the order in which it is; stops after so many rows."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.told: list[tuple[str, Any]] = []
        self._left = stop_after

    def resuming(self, run, begun, done, total) -> None:
        self.told.append(("resuming", done))

    def forecast(self, budget) -> None:
        self.told.append(("forecast", budget))

    @contextmanager
    def progress(self, total, done=0, in_flight=0.0):
        yield self

    def set_postfix_str(self, s, refresh) -> None:
        pass

    def update(self, n) -> None:
        self._left -= n
        if self._left <= 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_a_run_that_is_continued_forecasts_what_is_left(tmp_path):
    options = {
        "engine": "backtesting", "workers": 1, "verify": 0, "validate": False, "store": tmp_path,
        **AXES | {"uptail_max_ratio": (0.6, 0.7)},
    }  # fmt: skip
    first, second, grown = Forecasts(5), Forecasts(), Forecasts()
    with pytest.raises(Interrupted):
        bigbar.optimize(small_bars().frame, listener=first, **options)
    bigbar.optimize(small_bars().frame, listener=second, **options)
    ((_, whole),) = first.told
    (what, done), (_, rest) = second.told
    assert what == "resuming"
    assert whole.load.known == 0
    # The sample that was timed is kept as well.
    assert 10 <= done == rest.load.known == rest.load.stored < 24
    each = whole.forecast.seconds - rest.forecast.seconds
    assert each / done == pytest.approx(0.005 + 1e-5 * 400, rel=0.01)
    # Rows of another run are not run either, but written into the store of this one.
    bigbar.optimize(small_bars().frame, listener=grown, **options | {"k_atr": (0.8, 1.1, 2)})
    ((_, reused),) = grown.told
    assert (reused.load.known, reused.load.stored) == (16, 0)
