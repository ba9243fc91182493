"""A search carried out: the same points and rows for anybody, stored, continued, found wrong."""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_run import small_bars

import bigbar
from bigbar.engines.one_by_one import OneByOne
from bigbar.errors import Interrupted
from bigbar.history.command import main as look_back
from bigbar.machine.budget import Budget
from bigbar.progress.events import Listener
from bigbar.search.contract import Ground
from bigbar.search.find import SEARCHES
from bigbar.store.receipt import read_receipt
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError
from tests.commands import Command, run

#: 48 × 120 = 5,760 combinations.
AXES = {"fast": "3:50:1", "slow": "31:150:1"}
SEARCH = {"method": "local", "max_tries": 150, "engine": "backtesting"}
QUICK = {"verify": 0, "validate": False, "workers": 2}


@dataclass
class Told(Listener):
    """Notes what is told, and sends Ctrl-C once so many combinations have been counted."""

    after: int = 10**9
    said: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    best: str = ""
    expected: list[float] = field(default_factory=list)
    estimates: list[tuple[str, float, float]] = field(default_factory=list)
    budget: Budget | None = None

    @contextmanager
    def progress(self, total: int, done: int = 0, in_flight: float = 0.0):
        self.total = total
        yield self

    def update(self, n: int) -> None:
        self.counts.append(n)
        if sum(self.counts) >= self.after:
            self.after = 10**9
            signal.raise_signal(signal.SIGINT)

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        self.best = s

    def expect(self, seconds: float) -> None:
        self.expected.append(seconds)

    def forecast(self, budget: Budget) -> None:
        self.budget = budget

    def searching(self, method: str, seconds: float, left_s: float) -> None:
        self.estimates.append((method, seconds, left_s))

    def event(self, what: str) -> None:
        self.said.append(what)

    def resuming(self, run, begun, done, total) -> None:
        self.said.append(f"resuming {run}: {done} of {total}")

    def reusing(self, rows, there, runs) -> None:
        self.said.append(f"{rows} rows of {runs}")


def optimize(listener: Listener | None = None, **options) -> bigbar.Optimization:
    asked = SEARCH | QUICK | options
    return bigbar.optimize(small_bars().frame, "sma_cross", listener=listener, **AXES | asked)


def bits(found: bigbar.Optimization) -> tuple[bytes, bytes]:
    space = found.outcome.job.space
    return space.kept.tobytes(), found.outcome.table.values.tobytes()


@pytest.fixture(scope="module")
def undisturbed() -> bigbar.Optimization:
    listener = Told()
    found = optimize(listener)
    assert (listener.total, sum(listener.counts)) == (150, 150)
    assert listener.best.startswith("best Return ")
    return found


@pytest.mark.slow
def test_what_it_tried_is_the_table(undisturbed):
    assert len(undisturbed) == len(undisturbed.table().drop_duplicates(["fast", "slow"])) == 150
    assert undisturbed.outcome.state == "finished"
    space = undisturbed.outcome.job.space
    assert space.is_sample
    assert space.product == 5760
    assert np.any(np.diff(space.kept) < 0)  # In the order of asking.
    whole = optimize(max_tries=None, method="grid", engine="compiled").table()
    rows = undisturbed.table().merge(whole, on=["fast", "slow"], suffixes=("", "_whole"))
    assert (rows["Return [%]"] == rows["Return [%]_whole"]).all()
    # Among the best of the grid, of which it has tried a fortieth.
    best = undisturbed.best_statistics["Return [%]"]
    assert (whole["Return [%]"] > best).mean() < 0.005


@pytest.mark.slow
@pytest.mark.parametrize("other", [{"workers": 1}, {"workers": 3}, {"start_method": "spawn"}])
def test_the_same_for_anybody(undisturbed, other):
    assert bits(optimize(**other)) == bits(undisturbed)


@pytest.mark.slow
def test_another_seed_tries_other_points(undisturbed):
    assert set(optimize(seed=1).outcome.job.space.kept) != set(undisturbed.outcome.job.space.kept)


@pytest.mark.slow
def test_interrupted_and_continued(tmp_path, undisturbed):
    for after, workers in ((1, 1), (90, 3)):
        with pytest.raises(Interrupted):
            optimize(Told(after), store=tmp_path, workers=workers)
    with RunStore(tmp_path) as store:
        left = store.run(1)
        assert left.state == "interrupted"
        assert 90 <= left.done <= len(left.grid) < left.combinations == 150
    listener = Told()
    found = optimize(listener, store=tmp_path)
    assert f"resuming 1: {left.done} of 150" in listener.said
    assert found.outcome.resumed == left.done
    assert bits(found) == bits(undisturbed)
    assert found.result_sha256 == undisturbed.result_sha256
    with RunStore(tmp_path) as store:
        done = store.run(1)
        values, there = store.values(done)
    assert (done.state, done.done, done.combinations, there.all()) == ("finished", 150, 150, True)
    assert done.fingerprint == left.fingerprint
    assert done.grid.kept.tolist() == found.outcome.job.space.kept.tolist()
    assert values.tobytes() == bits(undisturbed)[1]


@pytest.mark.slow
def test_more_tries_take_what_other_runs_have(tmp_path, undisturbed):
    optimize(store=tmp_path)
    optimize(store=tmp_path, method="grid", max_tries=None, fast="3:30:1", slow="31:150:3")
    listener = Told()
    found = optimize(listener, store=tmp_path, max_tries=200)
    space = found.outcome.job.space
    assert len(found) == 200
    assert space.kept[:150].tolist() == undisturbed.outcome.job.space.kept.tolist()
    assert found.outcome.reused >= 150
    assert found.outcome.kept.sum() == found.outcome.reused
    assert any(said.startswith(f"{found.outcome.reused} rows of [1") for said in listener.said)
    assert bits(found) == bits(optimize(max_tries=200))


@pytest.mark.slow
def test_the_same_command_again_computes_again_and_agrees(tmp_path, undisturbed):
    first = optimize(store=tmp_path)
    again = optimize(store=tmp_path)
    assert (first.run, again.run, again.outcome.reused) == (1, 2, 0)
    assert again.outcome.carried.earlier.result_sha256 == again.result_sha256


@pytest.mark.slow
def test_stored_rows_that_are_wrong_lead_nobody_astray(tmp_path, undisturbed, monkeypatch):
    """Rows of a run that was interrupted are right by their seals, and wrong all the same."""
    right = OneByOne.run

    def wrong(self, start, stop):
        return -right(self, start, stop)

    monkeypatch.setattr(OneByOne, "run", wrong)
    with pytest.raises(Interrupted):
        optimize(Told(80), store=tmp_path, start_method="fork")
    monkeypatch.undo()
    listener = Told()
    found = optimize(listener, store=tmp_path)
    assert any("run 1 holds wrong rows" in said for said in listener.said)
    assert bits(found) == bits(undisturbed)
    with RunStore(tmp_path) as store:
        assert store.values(store.run(1))[0].tobytes() == bits(undisturbed)[1]


@pytest.mark.slow
def test_what_fails_is_told_as_what_does_not_count(tmp_path):
    script = tmp_path / "poison.py"
    script.write_text(
        "import os\n"
        "from backtesting import Strategy\n"
        "class Poison(Strategy):\n"
        "    a = b = 1\n"
        "    def init(self):\n"
        "        if self.a % 7 == 3:\n"
        "            raise ValueError('no such a')\n"
        "        if self.b < 5 and self.a == 22:\n"
        "            os._exit(9)\n"
        "    def next(self):\n"
        "        if len(self.data) % (self.a + 5) == 0:\n"
        "            self.buy(size=1)\n"
        "        elif len(self.data) % (self.b + 5) == 0:\n"
        "            self.position.close()\n"
    )
    asked = SEARCH | QUICK | {"max_tries": 80, "a": "1:30:1", "b": "1:9:1"}
    one, other = (
        bigbar.optimize(small_bars().frame, f"{script}:Poison", **asked | {"workers": workers})
        for workers in (1, 3)
    )
    assert bits(one) == bits(other)
    assert [f.number for f in one.failures] == [f.number for f in other.failures]
    table = one.table()
    failed = table.iloc[[failure.number for failure in one.failures]]
    is_poison = (table["a"] % 7 == 3) | ((table["b"] < 5) & (table["a"] == 22))
    assert len(failed) == is_poison.sum() > 5
    assert failed["Return [%]"].isna().all()


@pytest.mark.slow
def test_constraints_of_every_kind(tmp_path):
    by_text = optimize(constraint="fast < slow - 30 and fast % 2 == 0")
    assert (by_text.table()["fast"] < by_text.table()["slow"] - 30).all()
    assert (by_text.table()["fast"] % 2 == 0).all()
    by_function = optimize(constraint=lambda p: p.fast < p.slow - 30 and p["fast"] % 2 == 0)
    assert bits(by_text) == bits(by_function)
    with pytest.raises(Interrupted):  # Its code is known, so that it can be continued.
        optimize(Told(70), store=tmp_path, constraint=lambda p: p.fast < p.slow - 30)
    again = Told()
    optimize(again, store=tmp_path, constraint=lambda p: p.fast < p.slow - 30)
    assert again.said[0].startswith("resuming 1: ")


@pytest.mark.slow
def test_a_function_to_maximize_leads_the_search():
    found = optimize(maximize=lambda stats: -abs(stats["# Trades"] - 17))
    trades = found.table()["# Trades"]
    assert found.best_statistics["# Trades"] == 17
    assert (trades[64:].sub(17).abs() < 5).mean() > 2 * (trades[:64].sub(17).abs() < 5).mean()


@pytest.mark.slow
def test_several_objectives():
    """NSGA-II is told of all of them; others go by the main one, which is said."""
    pytest.importorskip("optuna")
    told, asked = Told(), {"maximize": ["Return [%]", "Max. Drawdown [%]"], "max_tries": 128}
    found = optimize(told, method="optuna:nsga2", **asked)
    assert not told.said
    alone = optimize(method="optuna:nsga2", **asked | {"maximize": "Return [%]"})
    kept, of_one = (each.outcome.job.space.kept.tolist() for each in (found, alone))
    assert kept[:32] == of_one[:32]
    assert kept != of_one
    assert len(found.outcome.pareto.points) > 1
    by_main = Told()
    assert bits(optimize(by_main, **asked)) == bits(optimize(max_tries=128))
    assert by_main.said == ["--method local goes by Return [%]; optuna:nsga2 by all objectives"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["optuna:tpe", "sambo"])
def test_methods_of_packages_are_carried_out_alike(tmp_path, method):
    pytest.importorskip(method.partition(":")[0])
    whole = optimize(method=method, max_tries=60, workers=1)
    with pytest.raises(Interrupted):
        optimize(Told(30), store=tmp_path, method=method, max_tries=60)
    told = Told()
    again = optimize(told, store=tmp_path, method=method, max_tries=60, start_method="spawn")
    assert told.said[0].startswith("resuming 1: ")
    assert bits(again) == bits(whole)


class Slow:
    """Points by chance, by a search that takes ever longer to choose: 1 ms, then up to 21 ms."""

    why_ended = ""

    def __init__(self, ground: Ground) -> None:
        self._left = np.random.default_rng(0).permutation(ground.product.product).astype(np.int64)
        self._asked = 0

    def ask(self) -> np.ndarray:
        time.sleep(5 * (0.001 + 0.0001 * self._asked))
        found = self._left[self._asked : self._asked + 5]
        self._asked += 5
        return found

    def tell(self, numbers: np.ndarray, scores: np.ndarray) -> None:
        """It learns nothing."""


@pytest.mark.slow
def test_what_the_search_takes_for_itself_is_told_and_predicted(monkeypatch):
    """Of 200 points: 2.2 s for choosing, of which the forecast by backtests knows nothing."""
    monkeypatch.setitem(SEARCHES, "local", f"{__name__}:Slow")
    told = Told()
    found = optimize(told, max_tries=200, engine="compiled").outcome
    assert found.search_s >= 2.1
    ((method, seconds, left_s),) = told.estimates
    assert method == "local"
    assert seconds == pytest.approx(found.search_s, rel=0.5)
    assert left_s > 0.5 * seconds
    assert told.expected[0] > told.expected[len(told.expected) // 2] > told.expected[-1]
    assert told.budget.method == "local"
    time_s = found.against_forecast["time_s"]
    assert time_s["search"] == pytest.approx(found.search_s, abs=0.001)
    assert time_s["after_estimate"] > time_s["search"]


def test_a_quick_search_is_not_told_of(undisturbed):
    told = Told()
    optimize(told, max_tries=60)
    assert not told.estimates
    assert "search" not in optimize(method="grid", max_tries=None, fast="3:5:1", slow="40:45:1")\
        .outcome.against_forecast["time_s"]  # fmt: skip


@pytest.mark.slow
def test_several_files_are_searched_each_by_itself(tmp_path, undisturbed):
    names = []
    for name, bars in (("one", small_bars().frame), ("two", small_bars(300).frame)):
        bars.to_csv(tmp_path / f"{name}.csv", index_label="time")
        names.append(str(tmp_path / f"{name}.csv"))
    words = command(Path(names[0]), tmp_path / "kept", names[1])
    assert run(words).returncode == 0
    receipts = [read_receipt(tmp_path / "kept" / name / "receipt.json") for name in ("one", "two")]
    assert receipts[0]["result_sha256"] == undisturbed.result_sha256
    assert receipts[1]["result_sha256"] not in (None, undisturbed.result_sha256)
    assert run(words).returncode == 0  # Neither is run again.
    with RunStore(tmp_path / "kept") as store:
        assert len(store.runs()) == 2


# -------------------------------------------------------------------------- killed, as a command


@pytest.fixture(scope="module")
def prices(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("prices") / "prices.csv"
    small_bars(1500).frame.to_csv(path, index_label="time")
    return path


def command(prices: Path, output: Path, *more: str, tries: int = 150) -> list[str]:
    words = [sys.executable, "-m", "bigbar", str(prices), "--strategy", "sma_cross"]
    for name, values in AXES.items():
        words += ["--param", f"{name}={values}"]
    words += [
        "--engine",
        "backtesting",
        "--max-tries",
        str(tries),
        "--no-progress",
        "--no-validate",
    ]
    words += ["--verify", "2"]
    return [*words, "--output", str(output), *more]


def done_of(folder: Path) -> int:
    if not (folder / "runs.sqlite").exists():
        return 0
    try:
        with RunStore(folder, read_only=True) as store:
            runs = store.runs()
    except StoreError:  # It is just being made.
        return 0
    return runs[0].done if runs else 0


@pytest.mark.slow
def test_killed_and_continued(tmp_path, prices, capsys):
    tries = 400
    undisturbed = bigbar.optimize(
        prices, "sma_cross", **AXES | SEARCH | {"max_tries": tries} | QUICK
    )
    folder = tmp_path / "kept"
    with Command(command(prices, folder, tries=tries)) as process:
        deadline = time.monotonic() + 120
        while not 20 <= done_of(folder) < tries and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    done = done_of(folder)
    assert 20 <= done < tries
    for words in (["show", "1"], ["history"], ["export", "1", "--format", "csv"]):
        assert look_back([*words, "--output", str(folder)]) == 0
    assert f"{done} of {tries}" in capsys.readouterr().out
    said = run(command(prices, folder, tries=tries))
    assert said.returncode == 0, said.stderr
    assert f"{done:,} of {tries}" in said.stderr
    table = pd.read_parquet(folder / "results.parquet")
    assert table["Return [%]"].to_numpy().tobytes() == (
        undisturbed.table()["Return [%]"].to_numpy().tobytes()
    )
    receipt = read_receipt(folder / "receipt.json")
    assert receipt["result_sha256"] == undisturbed.result_sha256
    assert receipt["grid"]["search"]["method"] == "local"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["settings"]["method"], summary["settings"]["max_tries"]) == ("local", tries)
    assert look_back(["verify", "1", "--output", str(folder)]) == 0
    assert "Run 1 is as it was." in capsys.readouterr().out
