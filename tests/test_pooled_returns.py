"""The returns of several files side by side: days that fit, periods that do not, a bound."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bigbar.validation.pooled_returns import PooledReturns


def noise(days: int, combinations: int = 3, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(0, 0.01, (combinations, days)).astype(np.float32)


def days(start: str, count: int) -> pd.DatetimeIndex:
    return pd.bdate_range(start, periods=count) + pd.Timedelta(hours=17)


def scaled(returns: np.ndarray) -> np.ndarray:
    wide = returns.astype(np.float64)
    return 1e-3 * wide / np.sqrt(np.mean(np.square(wide)))


def test_the_same_days_are_added_at_equal_risk():
    pooled = PooledReturns(3)
    quiet, wild = noise(50), 20 * noise(50, seed=1)
    pooled.add(quiet, days("2020-01-01", 50), 252.0)
    pooled.add(wild, days("2020-01-01", 50), 365.0)
    assert np.allclose(pooled.sums, scaled(quiet) + scaled(wild), rtol=1e-4, atol=1e-9)
    assert pooled.files == 2
    assert pooled.periods_per_year == 365.0


def test_days_of_one_file_only_stand_alone():
    pooled = PooledReturns(3)
    first, second = noise(30), noise(30, seed=1)
    pooled.add(second, days("2020-02-03", 30), 252.0)
    pooled.add(first, days("2020-01-06", 30), 252.0)  # 20 days before, 10 together.
    frame = pd.DataFrame(scaled(first).T, days("2020-01-06", 30)).add(
        pd.DataFrame(scaled(second).T, days("2020-02-03", 30)), fill_value=0
    )
    assert pooled.sums.shape == (3, 50)
    assert np.allclose(pooled.sums.T, frame.to_numpy(), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("times", "step", "annual"),
    [
        (pd.date_range("2015-01-02", periods=60, freq="W-FRI"), 7, 52.0),
        (pd.date_range("2015-01-31", periods=60, freq="ME"), 28, 365 / 28),
        (pd.date_range("1990-12-31", periods=60, freq="YE"), 336, 365 / 336),
        (pd.bdate_range("2015-01-01", periods=180)[2::3], 7, 52.0),
    ],
)
def test_longer_periods_make_all_longer(times, step, annual):
    returns, daily = noise(60), noise(600, seed=1)
    pooled = PooledReturns(3)
    pooled.add(daily, days("2015-01-01", 600), 252.0)
    pooled.add(returns, times, 12.0)
    assert pooled.periods_per_year == annual
    total = scaled(returns).sum(axis=1) + scaled(daily).sum(axis=1)
    assert np.allclose(pooled.sums.sum(axis=1), total, rtol=1e-3)
    dates = [*times, *days("2015-01-01", 600)]
    epoch = pd.Timestamp("1970-01-04")  # A Sunday.
    assert pooled.sums.shape[1] == len({(one - epoch).days // step for one in dates})


def test_a_week_ends_with_saturday():
    pooled = PooledReturns(1)
    pooled.add(noise(2, 1), pd.DatetimeIndex(["2024-03-01", "2024-03-08"]), 52.0)
    before = pooled.sums.copy()
    assert before.shape == (1, 2)
    pooled.add(noise(3, 1), pd.DatetimeIndex(["2024-03-02", "2024-03-03", "2024-03-09"]), 252.0)
    assert pooled.sums.shape == (1, 2)  # Saturday with Friday, Sunday with the Friday after.


def test_the_sums_take_no_more_than_they_may():
    pooled = PooledReturns(100, most_bytes=100 * 4 * 300)
    for year in range(2000, 2012):
        pooled.add(noise(250, 100, seed=year), days(f"{year}-01-01", 250), 252.0)
        assert pooled.sums.nbytes <= 100 * 4 * 300
    assert pooled.files == 12
    assert pooled.periods_per_year < 252.0


def test_failed_combinations_and_files_without_a_trade():
    pooled = PooledReturns(3)
    returns = noise(40)
    returns[1] = np.nan
    pooled.add(returns, days("2020-01-01", 40), 252.0)
    assert not pooled.sums[1].any()
    assert np.isfinite(pooled.sums).all()
    held = pooled.sums.copy()
    pooled.add(np.zeros((3, 40), np.float32), days("2020-01-01", 40), 252.0)
    assert np.array_equal(pooled.sums, held)
    assert pooled.files == 2
