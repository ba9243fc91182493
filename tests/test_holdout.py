"""The bars held back: what `backtesting.py` says of them, and nothing else looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_bars import Case, Recipe, make_bars
from worker_here import one_by_one, worker_here

from bigbar.choice import Choice
from bigbar.engines.find import build_engine, engine_names
from bigbar.engines.reference import run_quietly
from bigbar.errors import VerificationError
from bigbar.job import Job
from bigbar.results import ResultTable
from bigbar.strategies.big_bar.description import BigBar, job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.strategies.big_bar.strategy import reference_backtest
from bigbar.validation.findings import Holdout
from bigbar.validation.holdout import open_holdout
from bigbar.validation.splits import holdout_split

GRID = grid_with(
    atr_period=[3, 7], k_atr=[0.7, 1.2, 1.8], uptail_max_ratio=0.7, previous_weight=[0.0, 0.3],
    buffer_ratio=0.01,
)  # fmt: skip

CASE = Case(
    Recipe(bars=700, calendar="forex", seed=4, zone="Europe/Berlin"),
    GRID,
    Settings(big_bar_account(commission=0.0002, margin=0.5), 6),
)


def job_before_the_split(case: Case, engine: str = "compiled") -> Job:
    index = case.file().index
    split = holdout_split(BigBar(), index, (7, len(index)), 0.3)
    return job_of(case.grid, case.settings, engine, (7, split))


def opened(
    file: pd.DataFrame, job: Job, number: int, imap: Any = one_by_one, openings: int = 1
) -> Holdout:
    with worker_here(file, job):
        return open_holdout(file, job, number, imap, share=0.3, openings=openings)


@pytest.mark.parametrize("engine", engine_names(BigBar()))
@pytest.mark.parametrize("number", [0, 5, 11])
def test_both_spans_are_what_backtesting_says(number: int, engine: str) -> None:
    file, job = CASE.file(), job_before_the_split(CASE, engine)
    found = opened(file, job, number, openings=3)
    assert job.stop_bar is not None
    assert found.split == file.index[job.stop_bar]
    assert found.split.tz_convert("UTC").day_name() == "Sunday"
    assert (found.optimized_bars, found.unseen_bars) == (job.stop_bar - 7, 700 - job.stop_bar)
    assert (found.share, found.combination, found.openings) == (0.3, number, 3)
    for statistics, first, stop in (
        (found.optimized, 7, job.stop_bar),
        (found.unseen, job.stop_bar, 700),
    ):
        test = reference_backtest(file, first, CASE.settings, stop_bar=stop)
        expected = run_quietly(test, GRID[number])
        assert expected["# Trades"] >= 3
        assert statistics["# Trades"] == expected["# Trades"]
        assert statistics["Max. Drawdown Duration"] == expected["Max. Drawdown Duration"]
        for name in ("Return [%]", "Sharpe Ratio", "Max. Drawdown [%]", "Win Rate [%]"):
            assert statistics[name] == pytest.approx(expected[name], rel=1e-9)
    pd.testing.assert_series_equal(
        found.equity, expected["_equity_curve"]["Equity"], check_exact=True, check_freq=False
    )
    assert found.equity.iloc[0] == CASE.settings.account.cash


def test_what_is_held_back_decides_nothing() -> None:
    """The table of the job, and so its winner, is the same whatever the unseen bars are."""
    file, job = CASE.file(), job_before_the_split(CASE)
    prices = make_bars(CASE.recipe)
    prices.iloc[job.stop_bar :, :4] = prices.iloc[job.stop_bar :, :4].to_numpy()[::-1] * 7
    other = with_indicators(prices, 6)
    tables = [build_engine(bars, job).run(0, len(GRID)) for bars in (file, other)]
    np.testing.assert_array_equal(*tables)
    best = ResultTable(GRID, tables[0]).best(Choice.by_name("Return [%]"))
    assert best is not None
    here, there = opened(file, job, best), opened(other, job, best)
    assert here.optimized.equals(there.optimized)
    assert here.unseen["Return [%]"] != there.unseen["Return [%]"]


def test_indicators_of_the_first_unseen_bars_come_from_before() -> None:
    """No warm-up is taken from the unseen bars: a trade can begin on the second of them."""
    case = replace(CASE, settings=Settings(big_bar_account(), 0))
    file = case.file()
    engine = build_engine(file, job_of(GRID, case.settings, "compiled"))
    entries = engine.trades(0)["EntryBar"].to_numpy() + 7
    entry = int(entries[entries > 350][0])
    found = opened(file, job_of(GRID, case.settings, "compiled", (7, entry - 1)), 0)
    assert found.equity.iloc[1] == 100_000
    assert found.equity.iloc[2] != 100_000


def test_nothing_held_back() -> None:
    file = CASE.file()
    with pytest.raises(ValueError, match="nothing was held back"):
        opened(file, CASE.job(), 0)


def test_a_wrong_answer_is_found_out() -> None:
    def falsified(function: Any, tasks: Sequence[Any], *, split: Any = None) -> Iterator[Any]:
        for task in tasks:
            yield task, function(replace(task, row=task.row * (1 + 1e-6)))

    file, job = CASE.file(), job_before_the_split(CASE)
    with pytest.raises(VerificationError, match="combination 5 "):
        opened(file, job, 5, falsified)
