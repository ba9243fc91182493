"""Runs with combinations that never return or take all memory, with stops, and within limits."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from long import in_a_soak
from processes import living_workers
from small_run import small_bars
from test_pool import posix_only

import bigbar
from bigbar.choice import Choice
from bigbar.engines.contract import Engine, EngineKind
from bigbar.engines.find import ENGINES
from bigbar.job import Job
from bigbar.machine.forecast import forecast
from bigbar.outcome import Execution, Outcome
from bigbar.pipeline import optimize_bars
from bigbar.progress.events import Listener
from bigbar.request import Request
from bigbar.strategies.big_bar.description import BigBar
from bigbar.strategies.big_bar.kind import KIND as COMPILED
from bigbar.strategies.big_bar.parameters import big_bar_account, parse_grid
from tests import commands

pytestmark = [pytest.mark.timeout(120), posix_only]

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ROOT / "bigbar_multiprocessing_optimized.py"
EXAMPLE = ROOT / "example.csv"

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as Linux does it")

#: 16 combinations.
GRID = {
    "atr_period": "10,20", "k_atr": "0.8,1,1.2,9", "uptail_max_ratio": "0.7",
    "previous_weight": "0.1,0.4",
}  # fmt: skip

ENDLESS, GREEDY = 5, 11


class Odd:
    """The compiled engine, but for one combination that never returns and one without measure."""

    def __init__(
        self, good: Engine, *, endless: int | None, greedy: int | None, once: Path | None
    ) -> None:
        self._good, self._endless, self._greedy, self._once = good, endless, greedy, once

    def run(self, start: int, stop: int) -> np.ndarray:
        armed = self._once is None or self._once.exists()
        if armed and self._endless is not None and start <= self._endless < stop:
            sum(itertools.repeat(0))  # In C, with the interpreter's lock in its hand.
        if self._greedy is not None and start <= self._greedy < stop:
            taken = [np.ones(1_000_000)]
            while True:
                taken.append(np.ones(1_000_000))
        return self._good.run(start, stop)

    def trades(self, number: int) -> pd.DataFrame:
        return self._good.trades(number)


class Recording(Listener):
    """Keeps what it is told, but of what the tests beside this one have left in shared memory."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def event(self, what: str) -> None:
        if "of shared data that a killed run had left behind" not in what:
            self.events.append(what)


@pytest.fixture
def run(monkeypatch):
    """Run the small grid by an engine with odd combinations."""

    def run_it(endless: int | None = None, greedy: int | None = None, **options: object) -> Outcome:
        def build(file: pd.DataFrame, job: Job) -> Odd:
            good = COMPILED.build(file, job)
            return Odd(good, endless=endless, greedy=greedy, once=once)

        slice_size = options.pop("sample_slice", 16)
        listener, once = options.pop("listener", None), options.pop("once", None)
        warm_up = COMPILED.warm_up
        monkeypatch.setitem(ENGINES, "odd", EngineKind(build, slice_size, warm_up=warm_up))
        return optimize_bars(
            small_bars(),
            Request(
                BigBar(),
                parse_grid(**GRID),
                big_bar_account(),
                "odd",
                Choice.by_name("Return [%]"),
                Execution(workers=2, start_method="fork", verify=0, **options),
            ),
            listener=listener,
        )

    return run_it


@pytest.fixture(scope="module")
def undisturbed() -> np.ndarray:
    return optimize_bars(
        small_bars(),
        Request(
            BigBar(),
            parse_grid(**GRID),
            big_bar_account(),
            "compiled",
            Choice.by_name("Return [%]"),
            Execution(workers=1, verify=0),
        ),
    ).table.values


def same_but(outcome: Outcome, undisturbed: np.ndarray, *failed: int) -> bool:
    """Whether all rows are the same to the last bit, and NaN where combinations failed."""
    expected = undisturbed.copy()
    expected[list(failed)] = np.nan
    return outcome.table.values.tobytes() == expected.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, *in_a_soak(ENDLESS)])
def test_a_combination_that_never_returns(run, undisturbed, number):
    """The sample for the estimate meets it, and nothing does before; nor is it tried again."""
    listener = Recording()
    outcome = run(endless=number, timeout=0.4, listener=listener)
    (failure,) = outcome.failures
    assert (failure.number, failure.reason) == (number, "took longer than 0.4 s")
    assert same_but(outcome, undisturbed, number)
    assert outcome.metrics.overdue == len(listener.events) <= 5  # 16 halved until it is alone
    assert outcome.metrics.deaths == 0
    assert outcome.best == int(np.nanargmax(outcome.table.column("Return [%]")))


@pytest.mark.slow
def test_one_that_the_sample_does_not_meet(run, undisturbed, tmp_path):
    """Endless from the sweep on."""

    class Arming(Listener):
        def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
            (tmp_path / "armed").touch()

    outcome = run(endless=ENDLESS, timeout=0.4, once=tmp_path / "armed", listener=Arming())
    assert [failure.number for failure in outcome.failures] == [ENDLESS]
    assert not outcome.given_up
    assert same_but(outcome, undisturbed, ENDLESS)


def test_a_limit_that_is_not_reached_changes_nothing(run, undisturbed):
    outcome = run(timeout=30.0)
    assert not outcome.failures
    assert same_but(outcome, undisturbed)
    assert outcome.metrics.overdue == 0


@pytest.mark.slow
@linux_only
def test_a_combination_that_takes_memory_without_end(run, undisturbed):
    """Its worker is refused the memory: a failure with its traceback, and no worker dies."""
    here = psutil.Process().memory_info().rss  # Much, where other tests have compiled a lot.
    outcome = run(greedy=GREEDY, max_memory=here + 800_000_000)
    (failure,) = outcome.failures
    assert failure.number == GREEDY
    assert "MemoryError" in failure.reason.splitlines()[-1]
    assert "taken.append" in failure.reason
    assert same_but(outcome, undisturbed, GREEDY)
    assert outcome.metrics.deaths == 0
    assert outcome.metrics.peak_memory < here + 1_000_000_000


def test_following_the_machine_changes_no_bit(run, undisturbed):
    outcome = run(least_workers=1)
    assert same_but(outcome, undisturbed)
    assert outcome.watcher.throttle.workers == 2


@pytest.mark.slow
def test_stopped_workers_in_a_run(run, undisturbed):
    """All of them are stopped for a second before the sweep: it waits, and nobody is blamed."""

    class Stopper(Recording):
        def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
            workers = living_workers(psutil.Process())
            for worker in workers:
                worker.suspend()
            threading.Timer(1.0, lambda: [worker.resume() for worker in workers]).start()

    stopper = Stopper()
    outcome = run(listener=stopper)
    assert outcome.timings["sweep_s"] > 0.9
    assert not stopper.events
    assert not outcome.failures
    assert same_but(outcome, undisturbed)


#: The command with an odd engine; `returns` are the good engine's, but one never returns.
SCRIPT = f"""
import itertools, os, sys
sys.path.insert(0, {str(ROOT)!r})
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES
from bigbar.strategies.big_bar.kind import KIND as COMPILED
import bigbar_multiprocessing_optimized as command

class Odd:
    def __init__(self, file, job):
        self._good = COMPILED.build(file, job)
    def run(self, start, stop):
        self.wait(start, stop)
        return self._good.run(start, stop)
    def returns(self, start, stop):
        self.wait(start, stop)
        return self._good.returns(start, stop)
    def wait(self, start, stop):
        if start <= 5 < stop:
            sum(itertools.repeat(0))
    def __getattr__(self, name):
        return getattr(self._good, name)

ENGINES["odd"] = EngineKind(Odd, sample_slice=4)
if __name__ == "__main__":
    sys.exit(command.main())
"""


def command(
    output: Path, *options: str, script: Path = COMMAND
) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(script), str(EXAMPLE), "--output", str(output), *options]
    return commands.run(line, timeout=110)


def summary(output: Path) -> dict:
    return json.loads((output / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_command_with_one_that_never_returns(tmp_path):
    """Through every stage, by spawned workers: estimate, sweep, luck; exit code 3."""
    script = tmp_path / "odd.py"
    script.write_text(SCRIPT, encoding="utf-8")
    output = tmp_path / "out"
    done = command(
        output, "--atr-period", "20,30", "--k-atr", "1.3,2", "--uptail-max-ratio", "0.7",
        "--previous-weight", "0.1,0.3", "--engine", "odd", "--verify", "0",
        "--timeout-per-backtest", "0.4", "--start-method", "spawn", "--workers", "2",
        script=script,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    told = summary(output)
    assert [(one["combination"], one["reason"]) for one in told["failures"]] == [
        (5, "took longer than 0.4 s")
    ]
    assert told["completed"] == 7
    assert told["metrics"]["overdue"] <= 4
    assert "took longer than 0.4 s" in done.stdout
    assert "trying it in smaller pieces" in done.stderr


def test_more_memory_than_allowed_is_refused_before_any_work(tmp_path):
    output = tmp_path / "out"
    done = command(output, "--max-memory", "150M")
    assert done.returncode == 2
    assert "even with one worker, and --max-memory is 150 MB" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(output.iterdir())


@pytest.mark.slow
def test_fewer_workers_within_the_memory_allowed(tmp_path):
    """With what two workers take by the forecast, eight become few; the rest is the same."""
    few = ("--atr-period", "20", "--k-atr", "2", "--verify", "0", "--no-validate")
    plain, output = tmp_path / "plain", tmp_path / "out"
    assert command(plain, *few, "--workers", "2").returncode == 0
    expected = summary(plain)["forecast"]["memory_bytes"]["forecast"]
    done = command(output, *few, "--workers", "8", "--max-memory", str(expected + 5_000_000))
    assert done.returncode == 0, done.stderr
    told = summary(output)
    assert 2 <= told["workers"] < 8
    note = f"{told['workers']} workers in place of 8: one more would take the run to"
    assert note in done.stderr
    assert told["result_sha256"] == summary(plain)["result_sha256"]


def test_fewer_workers_than_were_never_to_be_sent_home():
    """Of six that always are at work there is memory for two or three: these always are."""

    def optimize(**options: object) -> Outcome:
        grid = {"atr_period": "20", "k_atr": "1.5:3:0.5", "verify": 0, "validate": False}
        return bigbar.optimize(small_bars().frame, **grid, **options).outcome

    plain = optimize(workers=2, start_method="fork")
    most = forecast(plain.budget.load).memory + 6_000_000
    found = optimize(workers="auto", min_workers=6, max_workers=8, start_method="fork",
                     max_memory=most).execution  # fmt: skip
    assert 1 <= found.workers < 6
    assert found.least_workers == found.workers
    few = optimize(workers="auto", min_workers=1, max_workers=8, start_method="fork",
                   max_memory=most).execution  # fmt: skip
    assert few.workers < 8
    assert few.least_workers == 1
    fixed = optimize(workers=8, start_method="fork", max_memory=most).execution
    assert fixed.workers < 8
    assert fixed.least_workers is None


@pytest.mark.slow
def test_forecast_and_metrics_of_the_command(tmp_path):
    output = tmp_path / "out"
    done = command(output, "--atr-period", "10:40:10", "--verify", "2", "--workers", "auto",
                   "--min-workers", "1", "--max-workers", "2", "-v")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\nForecast   about " in done.stderr
    assert "\nForecast   against actual: time " in done.stdout
    told = summary(output)
    against = told["forecast"]
    memory, shared = against["memory_bytes"], against["shared_bytes"]
    assert 0.5 < memory["forecast"] / memory["actual"] < 2
    assert shared["forecast"] == pytest.approx(shared["actual"], rel=0.02)
    assert against["disk_bytes"]["forecast"] == pytest.approx(
        against["disk_bytes"]["actual"], rel=0.3
    )
    assert against["time_s"].keys() == {"forecast", "after_estimate", "actual"}
    metrics = told["metrics"]
    assert metrics["combinations"] == told["completed"] == 4960
    assert metrics["slices"] >= 4
    assert metrics["workers"] == 2
    assert 0 < metrics["busy_share"] <= 1
    assert metrics["verdict"].endswith(".")
    assert metrics["stages"]["sweep_s"] == told["timings"]["sweep_s"]
    assert "memory" not in metrics
    profile = commands.run(
        [sys.executable, "-m", "bigbar", "profile", str(told["run"]["id"]), "--output", output],
        timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert profile.returncode == 0, profile.stderr
    assert profile.stdout.startswith("Verdict ")
    assert "Memory      at most" in profile.stdout


@pytest.mark.slow
def test_a_worker_stopped_while_the_command_runs(tmp_path):
    """SIGSTOP for two seconds: no note, no failure, exit code 0."""
    output = tmp_path / "out"
    slow = ("--engine", "backtesting", "--atr-period", "10,20", "--k-atr", "1,2", "--verify", "0",
            "--uptail-max-ratio", "0.7", "--previous-weight", "0.1:1:0.03", "--no-validate",
            "--workers", "2")  # fmt: skip
    line = [sys.executable, str(COMMAND), str(EXAMPLE), "--output", str(output), *slow]
    with commands.Command(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as one:
        assert one.stderr is not None
        while not one.stderr.readline().startswith("Estimate"):
            assert one.poll() is None
        victim = living_workers(psutil.Process(one.pid))[0].pid
        os.kill(victim, signal.SIGSTOP)
        time.sleep(2.0)
        os.kill(victim, signal.SIGCONT)
        _, errors = one.communicate(timeout=100)
    assert one.returncode == 0, errors
    assert "worker" not in errors
    assert summary(output)["failures"] == []
    assert summary(output)["completed"] == 124
