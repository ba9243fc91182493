"""The sweep of a run that has a past: what failed before and does not now, and what still does."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from small_run import small_bars

from bigbar.choice import Choice
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES
from bigbar.outcome import Execution, Outcome
from bigbar.pipeline import optimize_bars
from bigbar.progress.events import Listener
from bigbar.request import Request
from bigbar.store.recording import ReusePolicy, StoreRecorder
from bigbar.store.records import Ending
from bigbar.store.runs import RunStore
from bigbar.strategies.big_bar.description import BigBar
from bigbar.strategies.big_bar.kind import KIND as COMPILED
from bigbar.strategies.big_bar.parameters import big_bar_account, parse_grid

#: 12 combinations.
GRID = {"atr_period": "10,20", "k_atr": "0.8,1.1,9", "uptail_max_ratio": "0.7",
        "previous_weight": "0.1,0.4"}  # fmt: skip


class Moody:
    """The compiled engine, but for combinations that raise while a list of them says so."""

    bad: frozenset[int] = frozenset()

    def __init__(self, file, job) -> None:
        self._good = COMPILED.build(file, job)

    def run(self, start: int, stop: int) -> np.ndarray:
        if self.bad & set(range(start, stop)):
            raise ArithmeticError(f"one of {sorted(self.bad)}")
        return self._good.run(start, stop)

    def trades(self, number: int):
        return self._good.trades(number)


class StopsAtOnce(Listener):
    """Sends Ctrl-C with the first answer."""

    @contextmanager
    def progress(self, total: int, done: int = 0, in_flight: float = 0.0):
        yield self

    def update(self, n: int) -> None:
        signal.raise_signal(signal.SIGINT)

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """What stands beside a bar."""


@pytest.fixture
def attempt(monkeypatch, tmp_path: Path):
    """Run the grid with a store while some combinations raise; workers are forked with the list."""
    kind = EngineKind(Moody, 4, warm_up=COMPILED.warm_up)
    monkeypatch.setitem(ENGINES, "moody", kind)

    def attempt_it(
        *bad: int, retry_failed: bool = False, listener: Listener | None = None
    ) -> Outcome:
        monkeypatch.setattr(Moody, "bad", frozenset(bad))
        policy = ReusePolicy(retry_failed=retry_failed)
        with StoreRecorder(tmp_path, policy=policy, tell=pytest.fail) as recorder:
            outcome = optimize_bars(
                small_bars(),
                Request(
                    BigBar(),
                    parse_grid(**GRID),
                    big_bar_account(),
                    "moody",
                    Choice.by_name("Return [%]"),
                    Execution(workers=1, start_method="fork", verify=0),
                ),
                listener=listener,
                recorder=recorder,
            )
            recorder.finish(Ending(outcome.state, result_sha256=outcome.result_sha256))
        return outcome

    return attempt_it


def told(outcome: Outcome) -> list[tuple[int, str]]:
    return [(one.number, one.reason.splitlines()[-1]) for one in outcome.failures]


def kept(folder: Path) -> list[tuple[int, str]]:
    with RunStore(folder, read_only=True) as store:
        return [(one.number, one.reason.splitlines()[-1]) for one in store.failures(store.run(1))]


def test_what_fails_is_told_in_the_order_of_the_grid(attempt, tmp_path):
    """The first and the last of it among them."""
    reason = "ArithmeticError: one of [0, 3, 11]"
    outcome = attempt(11, 3, 0)
    assert told(outcome) == kept(tmp_path) == [(0, reason), (3, reason), (11, reason)]
    assert np.flatnonzero(np.isnan(outcome.table.column("Return [%]"))).tolist() == [0, 3, 11]


@pytest.mark.parametrize("bad", [3, 7, 8])
def test_a_retried_success_loses_its_old_failure_and_no_other_does(attempt, tmp_path, bad):
    attempt(3, 7, 8)
    outcome = attempt(bad, retry_failed=True)
    assert told(outcome) == kept(tmp_path) == [(bad, f"ArithmeticError: one of [{bad}]")]
    assert outcome.table.reached() == 11
    outcome = attempt(retry_failed=True)
    assert told(outcome) == kept(tmp_path) == []
    assert outcome.table.reached() == 12


def test_what_an_interrupted_retry_did_not_come_to_has_failed_still(attempt, tmp_path):
    reason = "ArithmeticError: one of [3, 7, 8]"
    attempt(3, 7, 8)
    outcome = attempt(retry_failed=True, listener=StopsAtOnce())
    assert outcome.stopped_by == signal.SIGINT
    assert told(outcome) == kept(tmp_path) == [(7, reason), (8, reason)]
    assert outcome.table.reached() == 10
