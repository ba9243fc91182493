"""What a trader's strategy does that no backtest may be trusted with is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import traders
from small_run import small_outcome
from traders import google, job_for
from worker_here import one_by_one, worker_here

from bigbar.errors import WorkersLostError
from bigbar.executors.contract import WorkerDied
from bigbar.validation.conduct import CUTS, find_conduct
from bigbar.validation.findings import Conduct


def conduct_of(strategy: type, bars: int = 600, span: tuple[int, int] | None = None) -> Conduct:
    job = job_for(strategy, fast=(5, 8), slow=20)
    file = google(bars).frame
    with worker_here(file, job):
        found = find_conduct(job if span is None else replace(job, span=span), 1, one_by_one)
    assert found is not None
    assert found.combination == 1
    return found


@pytest.mark.parametrize(
    "strategy", [traders.Cross, traders.Seeded, traders.AtTheEnd, traders.KeepingBooks]
)
def test_nothing_is_said_of_a_strategy_that_behaves(strategy: type) -> None:
    found = conduct_of(strategy)
    assert found.sees_future is None
    assert found.answers_differently is None
    assert found.changed_class_attributes == ()
    assert len(found.cuts) == len(CUTS)
    assert all(0 < bars < 600 for bars in found.cuts)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (traders.Normalized, "the indicator level is another at 2004-08-19 if the file ends at "),
        (traders.Centred, "the indicator middle is another at "),
        (traders.Undeclared, "Undeclared.tomorrow is another at "),
        (traders.Hidden, "the trade entered at "),
    ],
)
def test_a_strategy_that_sees_the_future(strategy: type, said: str) -> None:
    found = conduct_of(strategy)
    assert found.sees_future is not None
    assert found.sees_future.startswith(said)
    assert found.cuts
    assert found.answers_differently is None


@pytest.mark.parametrize(
    ("strategy", "said"),
    [(traders.Dice, ("equity from ", "the trade entered at ")), (traders.Clock, "equity from "),
     (traders.Noise, "the indicator noise at 2004-08-19"),
     (traders.Restless, "the trade entered at ")],
)  # fmt: skip
def test_a_strategy_that_answers_differently(strategy: type, said: str | tuple[str, str]) -> None:
    found = conduct_of(strategy)
    assert found.answers_differently is not None
    assert found.answers_differently.startswith(said)
    assert found.sees_future is None  # It cannot be told.
    assert found.cuts == ()


def test_a_strategy_that_changes_its_class() -> None:
    found = conduct_of(traders.Counting)
    assert found.changed_class_attributes == ("Counting.runs", "Counting.seen")
    assert found.answers_differently is None
    assert found.sees_future is None
    assert traders.Counting.runs == 0
    assert traders.Counting.seen == []


def test_cuts_that_are_too_short_for_it_say_nothing() -> None:
    found = conduct_of(traders.Impatient)
    assert found.sees_future is None
    assert set(found.cuts) <= set(range(590, 600))


def test_bars_held_back_are_not_looked_at() -> None:
    """An indicator of all prices is made of those before, and so are the cuts."""
    whole, part = conduct_of(traders.Cross), conduct_of(traders.Cross, span=(0, 300))
    assert max(part.cuts) < 300 <= max(whole.cuts)
    assert part == conduct_of(traders.Cross, bars=300)


def test_big_bar_is_not_examined() -> None:
    assert find_conduct(small_outcome().job, 0, one_by_one) is None


def test_a_worker_that_ends_is_told_of() -> None:
    def dead(function, tasks, *, split=None):
        return ((task, WorkerDied(-9, 1)) for task in tasks)

    with pytest.raises(WorkersLostError, match="combination 0"):
        find_conduct(job_for(traders.Cross, fast=5), 0, dead)
