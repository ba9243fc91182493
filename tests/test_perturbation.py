"""A setting under chance: trades compounded as by hand, and prices that are prices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_bars import Case, Recipe, recipes
from worker_here import one_by_one, worker_here

from bigbar.engines.find import build_engine
from bigbar.engines.reference import BacktestingEngine
from bigbar.executors.contract import WorkerDied
from bigbar.executors.local import WorkerPool
from bigbar.sharing.frames import publish
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.validation.findings import Perturbation
from bigbar.validation.price_noise import (
    COLUMNS,
    NOISE,
    QUANTILES,
    PricesTask,
    on_other_prices,
    other_prices,
    perturb,
    redrawn,
    repetitions_for,
    run_on_other_prices,
)
from bigbar.validation.single import single_job, whole_span
from bigbar.worker import start_worker

GRID = grid_with(
    atr_period=[3, 7], k_atr=[0.7, 9.0], uptail_max_ratio=0.7, previous_weight=0.0,
    buffer_ratio=0.01,
)  # fmt: skip

CASE = Case(
    Recipe(bars=250, seed=3), GRID, Settings(big_bar_account(commission=0.0002, margin=0.5), 1)
)


def perturbed(case: Case, number: int = 0, imap: Any = one_by_one, **how: Any) -> Perturbation:
    file, job = case.file(), case.job()
    with worker_here(file, job):
        return perturb(file, job, number, imap, **{"seed": 7} | how)


# Other orders.


@given(
    profits=st.lists(st.floats(-900.0, 900.0), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
)
def test_trades_are_compounded(profits: list[float], seed: int) -> None:
    cash = 30_000.0
    found = redrawn(np.array(profits), cash, 5, seed)
    growth, equity = [], cash
    for profit in profits:
        growth.append((equity + profit) / equity)
        equity += profit
    drawn = np.random.default_rng(seed).integers(0, len(profits), (5, len(profits)))
    for row, trades in zip(found, drawn, strict=True):
        money = peak = 1.0
        deepest = 0.0
        for trade in trades:
            money *= growth[trade]
            peak = max(peak, money)
            deepest = min(deepest, money / peak - 1)
        assert row.tolist() == pytest.approx([100 * (money - 1), 100 * deepest], abs=1e-9)


def test_many_trades_are_drawn_in_parts() -> None:
    """The draws do not depend on how many fit into memory at once."""
    profits = np.random.default_rng(1).normal(1, 100, 3000)
    found = redrawn(profits, 1e6, 400, 3)
    assert len(np.unique(found[:, 0])) == 400
    np.testing.assert_array_equal(found[:100], redrawn(profits, 1e6, 100, 3))


def test_a_trade_that_takes_everything_ends_it() -> None:
    found = redrawn(np.array([100.0, -1100.0]), 1000.0, 200, 1)
    lost = found[:, 0] == -100
    assert 0.6 < lost.mean() < 0.9
    assert (found[lost, 1] == -100).all()
    assert found[~lost, 0] == pytest.approx(21)


def test_more_than_everything_is_not_lost() -> None:
    """With leverage a trade can lose more than there is: then nothing is left, and not less."""
    found = redrawn(np.array([-1500.0, 200.0]), 1000.0, 200, 1)
    assert (found[:, 0] >= -100).all()
    assert (found[:, 1] >= -100).all()
    assert (found[:, 0] == -100).any()


def test_no_trades_no_orders() -> None:
    assert np.isnan(redrawn(np.array([]), 1000.0, 3, 1)).all()


def test_the_mean_of_the_draws_is_the_setting_itself() -> None:
    """Compounding independent draws multiplies their means."""
    profits = np.random.default_rng(2).normal(20, 200, 60)
    before = 1e5 + np.concatenate([[0.0], np.cumsum(profits)[:-1]])
    expected = (1 + (profits / before).mean()) ** 60 - 1
    found = redrawn(profits, 1e5, 20_000, 5)[:, 0] / 100
    error = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - expected) < 4 * error


# Other prices.


@pytest.mark.slow
@given(recipe=recipes(most_bars=60), noise=st.sampled_from([0.0, 0.05, 1.0, 50.0]))
def test_moved_prices_are_prices(recipe: Recipe, noise: float) -> None:
    bars = Case(recipe, GRID, Settings()).file()
    case = Case(recipe, GRID, Settings())
    moved = on_other_prices(bars, case.job(), noise, np.random.default_rng(1))
    ohlc = moved[["Open", "High", "Low", "Close"]].to_numpy()
    assert (ohlc > 0).all()
    assert (ohlc[:, 1] == ohlc.max(axis=1)).all()
    assert (ohlc[:, 2] == ohlc.min(axis=1)).all()
    assert list(moved.columns) == list(bars.columns)
    assert moved.index.equals(bars.index)
    plain = moved[["Open", "High", "Low", "Close", "Volume"]]
    pd.testing.assert_frame_equal(with_indicators(plain, 6), moved)
    if noise == 0:
        pd.testing.assert_frame_equal(moved, bars)


def test_the_week_is_that_of_the_whole_file() -> None:
    """A span that ends in the middle of a week has no week edge there."""
    file = CASE.file()
    job = job_of(GRID, CASE.settings, "compiled", (7, 150))
    moved = on_other_prices(file, job, 0.1, np.random.default_rng(1))
    assert len(moved) == 150
    assert not file["Restricted"].iloc[149]
    pd.testing.assert_series_equal(moved["Restricted"], file["Restricted"].iloc[:150])


def test_a_price_keeps_half_of_its_low() -> None:
    """Bars a hundred times as high as low, moved by as much as they are high."""
    index = pd.date_range("2024-01-07", periods=400, freq="h")
    prices = {"Open": 2.0, "High": 100.0, "Low": 1.0, "Close": 3.0, "Volume": 1.0}
    bars = with_indicators(pd.DataFrame(prices, index), 0)
    moved = other_prices(bars, 1.0, np.random.default_rng(1))
    ohlc = moved[["Open", "High", "Low", "Close"]].to_numpy()
    assert ohlc.min() == 0.5
    assert (moved["Open"] == 0.5).mean() == pytest.approx(0.5, abs=0.1)


def test_prices_move_as_far_as_they_should() -> None:
    bars = Case(Recipe(bars=4000, style="walk"), GRID, Settings()).file()
    moved = other_prices(bars, 0.05, np.random.default_rng(1))
    height = (bars["High"] - bars["Low"]).to_numpy()
    for name in ("Open", "Close"):
        change = (moved[name] - bars[name]).to_numpy() / height
        assert change.std() == pytest.approx(0.05, rel=0.05)
        assert abs(change.mean()) < 0.004


@pytest.mark.parametrize("span", [None, (7, 140)])
def test_a_repetition_is_backtestings(span: tuple[int, int] | None) -> None:
    file = CASE.file()
    job = single_job(CASE.job(), 2 if span else 0, span or whole_span(file, CASE.job()))
    with worker_here(file, CASE.job()):
        found = run_on_other_prices(PricesTask(job, 0.1, 42, 3, 6))
    assert len(np.unique(found[:, 0])) == 3
    for row, repetition in zip(found, range(3, 6), strict=True):
        random = np.random.default_rng((42, repetition))
        moved = on_other_prices(file, job, 0.1, random)
        stats = BacktestingEngine(moved, job).stats(0)
        assert stats["# Trades"] >= 5
        assert row.tolist() == pytest.approx([stats[name] for name in COLUMNS], rel=1e-9)


def test_without_noise_every_repetition_is_the_run_itself() -> None:
    found = perturbed(CASE, noise=0.0)
    row = build_engine(CASE.file(), CASE.job()).run(0, 1)[0]
    np.testing.assert_array_equal(found.prices, np.tile(row[[5, 15]], (len(QUANTILES), 1)))
    assert found.prices_loss_share == float(row[5] < 0)


@pytest.mark.slow
def test_bars_after_the_span_are_not_looked_at() -> None:
    file = CASE.file()
    other = file.copy()
    other.iloc[150:, :4] *= 2
    job = job_of(GRID, CASE.settings, "compiled", (7, 150))
    found = []
    for bars in (file, other):
        with worker_here(bars, job):
            found.append(perturb(bars, job, 0, one_by_one, seed=1))
    np.testing.assert_array_equal(found[0].prices, found[1].prices)
    np.testing.assert_array_equal(found[0].trade_order, found[1].trade_order)


# All of it.


def test_quantiles_and_losses() -> None:
    found = perturbed(CASE)
    assert (found.noise, found.columns, found.quantiles) == (NOISE, COLUMNS, QUANTILES)
    assert (found.repetitions, found.price_repetitions) == (1000, 200)
    file, job = CASE.file(), CASE.job()
    single = single_job(job, 0, whole_span(file, job))
    with worker_here(file, job):
        prices = run_on_other_prices(PricesTask(single, NOISE, 7, 0, 200))
    np.testing.assert_array_equal(found.prices, np.quantile(prices, QUANTILES, axis=0))
    assert found.prices_loss_share == (prices[:, 0] < 0).mean()
    profits = build_engine(file, job).trades(0)["PnL"].to_numpy()
    orders = redrawn(profits, 100_000.0, 1000, 7)
    np.testing.assert_array_equal(found.trade_order, np.quantile(orders, QUANTILES, axis=0))
    assert found.order_loss_share == (orders[:, 0] < 0).mean()
    assert (np.diff(found.trade_order[:, 0]) > 0).all()


@pytest.mark.slow
def test_seeds() -> None:
    first, again, other = perturbed(CASE), perturbed(CASE), perturbed(CASE, seed=8)
    np.testing.assert_array_equal(first.prices, again.prices)
    np.testing.assert_array_equal(first.trade_order, again.trade_order)
    assert (first.prices != other.prices).any()
    assert (first.trade_order != other.trade_order).any()


def test_a_setting_without_trades() -> None:
    found = perturbed(CASE, 1)
    assert len(build_engine(CASE.file(), CASE.job()).trades(1)) == 0
    assert np.isnan(found.trade_order).all()
    assert math.isnan(found.order_loss_share)
    assert (found.prices == 0).all()


@pytest.mark.parametrize(
    ("bars", "wanted"), [(100, 200), (5_000, 200), (20_000, 200), (40_000, 100), (10**6, 20)]
)
def test_repetitions_follow_from_the_bars(bars: int, wanted: int) -> None:
    assert repetitions_for(bars) == wanted


@pytest.mark.parametrize(("bars", "wanted"), [(300, 200), (2_000, 200), (8_000, 50), (10**6, 20)])
def test_without_a_kernel_long_files_are_run_less_often(bars: int, wanted: int) -> None:
    assert repetitions_for(bars, played=True) == wanted


def test_repetitions_that_kill_their_worker_are_left_out() -> None:
    def some(function: Any, tasks: Any, *, split: Any = None) -> Any:
        for task in tasks:
            died = task.start == 25
            yield task, WorkerDied(-9, 2) if died else function(task)

    found = perturbed(CASE, imap=some)
    assert found.price_repetitions == 175
    assert np.isfinite(found.prices).all()
    none = perturbed(CASE, imap=lambda f, tasks, split: ((t, WorkerDied(-9, 2)) for t in tasks))
    assert np.isnan(none.prices).all()


def test_a_pool_gives_the_same() -> None:
    file, job = CASE.file(), CASE.job()
    with (
        publish(file, job) as publication,
        WorkerPool(
            2, start_method=None, initializer=start_worker, initargs=(publication.descriptor,)
        ) as pool,
    ):
        found = perturb(file, job, 0, pool.imap_unordered, seed=7)
    np.testing.assert_array_equal(found.prices, perturbed(CASE).prices)
