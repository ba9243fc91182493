"""The proof finds what is wrong, names it, and calls nothing wrong that is not."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from made_bars import Case, Recipe

from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.contract import TRADE_COLUMNS
from bigbar.engines.find import build_engine
from bigbar.engines.reference import BacktestingEngine
from bigbar.sharing.frames import publish
from bigbar.statistics import COLUMN, NAMES
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.verification.replay import (
    TOLERANCE,
    Difference,
    ReplayTask,
    Verification,
    compare,
    compare_trades,
    relative_difference,
    replay,
    sample,
    summarize,
)
from bigbar.verification.rounding import Reference, looseness
from bigbar.worker import start_worker

GRID = grid_with(atr_period=3, k_atr=[0.7, 1.0], uptail_max_ratio=0.7, previous_weight=[0.0, 0.1])
CASE = Case(
    Recipe(price=1.1, volatility=0.01), GRID, Settings(big_bar_account(commission=0.0002), 1)
)


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A backtest with wins, losses and drawdowns."""
    file, job = CASE.file(), CASE.job("backtesting")
    stats = BacktestingEngine(file, job).stats(1)
    return Reference(stats, file["Close"].to_numpy(np.float64)[job.first_bar :])


# Distances of single numbers.


@pytest.mark.parametrize(
    ("value", "wanted", "loose"),
    [
        (1.0, 1.0, 0.0),
        (0.0, -0.0, 0.0),
        (math.nan, math.nan, 0.0),
        (math.inf, math.inf, 0.0),
        (100.0, 100.0 * (1 + 0.9e-9), 0.0),
        (3e-12, 0.0, 3e-12),
        (1.0, 5.0, math.inf),
        (math.nan, 5.0, math.inf),
    ],
)
def test_what_agrees(value: float, wanted: float, loose: float) -> None:
    assert relative_difference(value, wanted, loose) <= TOLERANCE


@pytest.mark.parametrize(
    ("value", "wanted", "loose"),
    [
        (1.0, 1.0 + 1.1e-9, 0.0),
        (1e-300, 0.0, 0.0),
        (4e-12, 0.0, 3e-12),
        (math.nan, 0.0, 1e-6),
        (0.0, math.nan, 1e-6),
        (math.inf, 1e308, 0.0),
        (1e308, math.inf, 0.0),
        (-math.inf, math.inf, 1.0),
        (1.0, -1.0, 0.0),
    ],
)
def test_what_disagrees(value: float, wanted: float, loose: float) -> None:
    assert relative_difference(value, wanted, loose) > TOLERANCE


def test_a_root_of_nothing_may_be_nan_and_no_more() -> None:
    assert relative_difference(math.nan, 1e-7, 1e-6, root=True) == 0
    assert relative_difference(1e-7, math.nan, 1e-6, root=True) == 0
    assert relative_difference(math.nan, 1e-5, 1e-6, root=True) == math.inf
    assert relative_difference(1e-5, math.nan, 1e-6, root=True) == math.inf
    assert relative_difference(math.nan, 0.1, 0.0, root=True) == math.inf


# Rows.


def test_the_reference_agrees_with_itself(reference: Reference) -> None:
    replayed = compare(1, statistics_row(reference.stats), reference)
    assert replayed.differences == []
    assert replayed.largest == 0
    assert list(replayed.trades.columns) == list(TRADE_COLUMNS)
    assert not any(name.startswith("_") for name in replayed.stats.index)


@pytest.mark.parametrize("name", NAMES)
def test_a_falsified_statistic_is_named(name: str, reference: Reference) -> None:
    row = statistics_row(reference.stats)
    right = row[COLUMN[name]]
    assert math.isfinite(right)
    wrong = right + 2 * max(abs(right) * TOLERANCE, looseness(name, reference), 1e-300)
    row[COLUMN[name]] = wrong
    replayed = compare(17, row, reference)
    assert replayed.differences == [Difference(17, name, wrong, right)]
    assert replayed.largest > TOLERANCE


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", NAMES)
def test_a_missing_or_infinite_statistic_is_named(
    name: str, wrong: float, reference: Reference
) -> None:
    row = statistics_row(reference.stats)
    row[COLUMN[name]] = wrong
    replayed = compare(17, row, reference)
    assert [(one.what, one.number) for one in replayed.differences] == [(name, 17)]
    assert replayed.largest == math.inf


def test_a_number_in_place_of_a_missing_one_is_named() -> None:
    idle = Case(CASE.recipe, GRID, Settings(big_bar_account(cash=0.5)))
    file, job = idle.file(), idle.job("backtesting")
    stats = BacktestingEngine(file, job).stats(0)
    reference = Reference(stats, file["Close"].to_numpy(np.float64)[job.first_bar :])
    right = statistics_row(stats)
    assert compare(0, right, reference).differences == []
    for name in ("Sharpe Ratio", "SQN", "Win Rate [%]", "Max. Drawdown Duration"):
        row = right.copy()
        assert math.isnan(row[COLUMN[name]])
        row[COLUMN[name]] = 0.0
        assert [one.what for one in compare(0, row, reference).differences] == [name]


# Trade lists.


def test_equal_trade_lists(reference: Reference) -> None:
    trades = reference.stats["_trades"]
    assert len(trades) >= 5
    assert compare_trades(1, trades[list(TRADE_COLUMNS)].copy(), trades) == []
    assert compare_trades(1, trades.iloc[:0], trades.iloc[:0]) == []


def test_a_missing_trade_is_counted(reference: Reference) -> None:
    trades = reference.stats["_trades"]
    found = compare_trades(5, trades.iloc[1:], trades)
    assert found == [Difference(5, "number of trades", len(trades) - 1, len(trades))]


@pytest.mark.parametrize("column", TRADE_COLUMNS[:-2])
def test_a_falsified_trade_is_named(column: str, reference: Reference) -> None:
    trades = reference.stats["_trades"]
    falsified = trades[list(TRADE_COLUMNS)].copy()
    right = float(falsified[column].iloc[3])
    # Prices of about 1 and returns of a few percent: a slip in the eighth digit must show.
    wrong = right * (1 + 1e-8)
    falsified[column] = falsified[column].astype(float)
    falsified.loc[3, column] = wrong
    assert compare_trades(5, falsified, trades) == [
        Difference(5, f"{column} of trade 4", wrong, right)
    ]
    falsified.loc[3, column] = math.nan
    assert [one.what for one in compare_trades(5, falsified, trades)] == [f"{column} of trade 4"]


@pytest.mark.parametrize("column", TRADE_COLUMNS[-2:])
def test_a_falsified_time_is_named(column: str, reference: Reference) -> None:
    trades = reference.stats["_trades"]
    falsified = trades[list(TRADE_COLUMNS)].copy()
    falsified.loc[2, column] += pd.Timedelta(seconds=1)
    assert [one.what for one in compare_trades(5, falsified, trades)] == [column]


def test_small_prices_are_held_to_as_many_digits() -> None:
    cheap = Case(Recipe(price=1e-4, volatility=0.01), GRID, Settings(week_edge_bars=1))
    trades = BacktestingEngine(cheap.file(), cheap.job("backtesting")).trades(0)
    assert len(trades) >= 5
    falsified = trades.assign(ExitPrice=trades["ExitPrice"] * (1 + 1e-8))
    assert [one.what for one in compare_trades(0, falsified, trades)] == ["ExitPrice of trade 1"]


# Which combinations, and what they come to.


def test_a_sample_is_seeded_and_without_repeats() -> None:
    drawn = sample(1000, 50, 7)
    assert drawn == sample(1000, 50, 7)
    assert drawn != sample(1000, 50, 8)
    assert len(set(drawn)) == 50
    assert all(0 <= number < 1000 and type(number) is int for number in drawn)


def test_a_sample_leaves_out_what_it_is_told_to() -> None:
    assert sorted(sample(10, 10, 1, without=[3, 4, 4])) == [0, 1, 2, 5, 6, 7, 8, 9]
    assert sample(1, 20, 1, without=[0]) == []
    assert sample(1000, 0, 1) == []
    without = range(0, 1000, 2)
    drawn = sample(1000, 400, 1, without=without)
    assert len(drawn) == 400
    assert not set(drawn) & set(without)


def test_a_sample_spreads_over_the_grid() -> None:
    drawn = np.array(sample(112_840, 500, 1))
    counts, _ = np.histogram(drawn, bins=5, range=(0, 112_840))
    assert counts.min() > 60


def test_a_summary_adds_up(reference: Reference) -> None:
    row = statistics_row(reference.stats)
    good = compare(1, row, reference)
    row = row.copy()
    row[COLUMN["SQN"]] *= 1.5
    bad = compare(2, row, reference)
    fine = summarize([good, good], wanted=5)
    assert fine == Verification(combinations=2, wanted=5, max_relative_difference=0.0)
    assert fine.ok
    assert fine.statistics == len(NAMES)
    mixed = summarize([good, bad], wanted=2)
    assert not mixed.ok
    assert mixed.max_relative_difference == pytest.approx(0.5)
    assert [(one.number, one.what) for one in mixed.differences] == [(2, "SQN")]
    assert summarize([], wanted=0).ok


# The replay itself, as a worker does it.


def test_a_replay_in_a_worker() -> None:
    file, job = CASE.file(), CASE.job()
    rows = build_engine(file, job).run(0, len(GRID))
    falsified = rows[1].copy()
    falsified[COLUMN["Return [%]"]] += 1e-6
    now = time.time()
    tasks = [ReplayTask(number, row) for number, row in enumerate(rows)]
    special = [
        ReplayTask(1, falsified),
        ReplayTask(1, rows[1], deadline=now - 1),
        ReplayTask(1, rows[1], deadline=now + 60),
    ]
    # A worker's desk belongs to its thread, and goes with it.
    with publish(file, job) as publication, ThreadPoolExecutor(1) as worker:
        worker.submit(start_worker, publication.descriptor).result()
        replays = list(worker.map(replay, tasks))
        wrong, late, in_time = worker.map(replay, special)
    for number, done in enumerate(replays):
        assert done is not None
        assert (done.number, done.differences) == (number, [])
        assert done.largest <= TOLERANCE
        assert len(done.trades) == rows[number, COLUMN["# Trades"]] >= 5
    assert wrong is not None
    name = "Return [%]"
    assert wrong.differences == [
        Difference(1, name, falsified[COLUMN[name]], rows[1, COLUMN[name]])
    ]
    assert late is None
    assert in_time is not None
