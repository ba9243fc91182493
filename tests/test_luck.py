"""All the luck statistics in one call, and the luck band."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_returns import grid_of, noise, table_from_returns

from bigbar.choice import Choice
from bigbar.statistics import COLUMN
from bigbar.validation import luck as module
from bigbar.validation.cscv import BLOCKS, THOROUGH_BLOCKS, block_sums, overfitting
from bigbar.validation.luck import assess_luck
from bigbar.validation.plateau import find_plateau
from bigbar.validation.resampling import stationary_draws
from bigbar.validation.sharpe import deflated_sharpe, moments

GRID = grid_of(6, 5, 4)
TIMES = pd.date_range("2024-01-01", periods=100, freq="D", tz="UTC")


def made(periods=100, *, traded=0.7, edge=0.0):
    """Returns of a grid, some combinations alike, and its table."""
    returns = noise(len(GRID), periods, 3, traded=traded)
    returns[1::2] = returns[::2]
    returns[40] += np.where(returns[40] != 0, np.float32(edge), np.float32(0))
    return returns, table_from_returns(GRID, returns)


def assessed(returns, table, objective="Sharpe Ratio", chosen=None, **more):
    choice = Choice.by_name(objective)
    more = {"periods_per_year": 252, "resamples": 199} | more
    return assess_luck(
        returns, table, choice, table.best(choice) if chosen is None else chosen, **more
    )


def test_everything_at_once():
    returns, table = made(edge=0.01)
    found = assessed(returns, table, times=TIMES, cash=1000.0)
    assert table.best(Choice.by_name("Sharpe Ratio")) == 40
    assert found.bootstrap.p_value == 1 / 200
    assert found.bootstrap.combinations == len(GRID)
    assert found.sharpe_bootstrap is None
    assert found.pbo.blocks == BLOCKS
    by_hand = overfitting(block_sums(returns, BLOCKS))
    assert found.pbo.pbo == by_hand.pbo
    assert found.pbo.mean_logit == pytest.approx(by_hand.mean_logit)
    assert found.deflated_sharpe.trials == len(GRID)
    assert found.deflated_sharpe.sharpe == moments(returns[40]).sharpe
    assert found.plateau == find_plateau(table, Choice.by_name("Sharpe Ratio"))
    assert found.luck_band.shape == (100, 3)
    assert found.notes == ()


def test_the_best_of_the_grid_is_the_chosen_one():
    returns, table = made()
    found = assessed(returns, table)
    assert found.bootstrap.best_p_value == found.bootstrap.p_value


def test_the_return_is_tested_as_such_and_the_sharpe_ratio_besides():
    returns, table = made(edge=0.01)
    found = assessed(returns, table, "Return [%]")
    assert found.bootstrap.statistic == "Return [%]"
    assert found.bootstrap.chosen == pytest.approx(table.column("Return [%]")[40], rel=1e-5)
    assert found.sharpe_bootstrap.statistic == "Sharpe Ratio"
    assert found.sharpe_bootstrap.tests_objective is False
    by_hand = overfitting(block_sums(returns, BLOCKS, by_growth=True))
    assert found.pbo.pbo == by_hand.pbo


def test_other_objectives_are_tested_by_the_sharpe_ratio_which_is_said():
    returns, table = made()
    table.values[:, COLUMN["SQN"]] = np.arange(len(GRID))
    found = assessed(returns, table, "SQN")
    assert found.bootstrap.tests_objective is False
    assert "not by SQN" in found.notes[-1]
    assert found.bootstrap.p_value >= found.bootstrap.best_p_value


def test_the_robust_choice_can_be_judged():
    returns, table = made()
    robust = find_plateau(table, Choice.by_name("Sharpe Ratio")).robust
    found = assessed(returns, table, chosen=robust)
    assert found.deflated_sharpe.sharpe == moments(returns[robust]).sharpe
    assert found.bootstrap.p_value >= found.bootstrap.best_p_value


def test_what_does_not_count_is_no_part_of_luck():
    returns, table = made()
    found = assessed(returns, table, chosen=0)
    few = np.arange(len(GRID)) >= 60
    table.values[few, COLUMN["# Trades"]] = 2
    choice = Choice.by_name("Sharpe Ratio", 3)
    fewer = assess_luck(returns, table, choice, 0, periods_per_year=252, resamples=199)
    assert fewer.bootstrap.combinations == 60
    assert fewer.bootstrap.luck_95 < found.bootstrap.luck_95
    assert fewer.deflated_sharpe.trials == len(GRID)


def test_failed_ruined_and_idle_combinations_are_left_out():
    returns, table = made()
    returns[0], returns[2, 5], returns[4], returns[6] = np.nan, -1.0, 0.0, 0.001
    table.values[0] = np.nan
    found = assessed(returns, table, chosen=50)
    assert found.bootstrap.combinations == len(GRID) - 4
    assert math.isfinite(found.bootstrap.luck_95)
    assert math.isfinite(found.deflated_sharpe.threshold)
    none = assessed(returns, table, chosen=4)
    assert none.bootstrap is none.pbo is none.deflated_sharpe is None
    assert none.notes == ("the chosen setting has no returns that could be tested",)


def test_nothing_counts():
    returns, table = made()
    table.values[:, COLUMN["# Trades"]] = 0
    found = assess_luck(returns, table, Choice.by_name("Sharpe Ratio"), None, periods_per_year=252)
    assert found.bootstrap is found.pbo is found.luck_band is None
    assert found.plateau.peak is None
    assert found.notes == ("no combination counts, so there is nothing to test",)


def test_too_few_periods():
    returns, table = made(19)
    found = assessed(returns, table)
    assert found.bootstrap is None
    assert "19 periods are too few" in found.notes[0]
    assert found.plateau.peak is not None
    assert assessed(*made(20)).bootstrap is not None


def test_thorough_cuts_more_blocks_where_the_periods_allow():
    assert assessed(*made(40), thorough=True).pbo.blocks == THOROUGH_BLOCKS
    assert assessed(*made(31), thorough=True).pbo.blocks == BLOCKS


def test_the_same_for_the_same_seed():
    returns, table = made()
    one, same, other = (assessed(returns, table, seed=seed) for seed in (1, 1, 2))
    assert one.bootstrap == same.bootstrap
    assert one.bootstrap.luck_typical != other.bootstrap.luck_typical


def test_correlated_days_are_warned_of():
    returns, table = made(traded=1.0)
    trend = np.repeat(noise(1, 25, 5)[0], 4)
    returns[7] = trend
    found = assessed(returns, table, chosen=7)
    assert abs(found.bootstrap.autocorrelation) > found.bootstrap.autocorrelation_limit == 0.2
    assert "correlated with the next" in found.notes[0]


def test_a_choice_that_hardly_traded_is_noted():
    returns, table = made()
    returns[9, 5:] = 0.0
    found = assessed(returns, table, chosen=9)
    assert "with fewer than 10 nothing can be told" in found.notes[0]


def test_one_combination_has_no_overfitting():
    grid = grid_of()
    returns = noise(1, 100, 3)
    found = assessed(returns, table_from_returns(grid, returns), chosen=0)
    assert found.pbo is None
    assert found.bootstrap.independent_tries == 1.0
    assert found.deflated_sharpe.dsr == found.deflated_sharpe.psr


def test_any_number_of_rows_at_once(monkeypatch):
    returns, table = made()
    expected = assessed(returns, table)
    monkeypatch.setattr(module, "_ROWS", 7)
    assert assessed(returns, table).bootstrap == expected.bootstrap


def test_returns_in_any_layout():
    returns, table = made()
    expected = assessed(returns, table).bootstrap
    assert assessed(np.asfortranarray(returns), table).bootstrap == expected


# ------------------------------------------------------------------------------ the luck band


@pytest.mark.parametrize("objective", ["Sharpe Ratio", "Return [%]"])
def test_the_luck_band_is_around_lucks_best(objective):
    returns, table = made()
    found = assessed(returns, table, objective, times=TIMES, cash=1000.0, resamples=200)
    band = found.luck_band
    assert list(band.columns) == ["low", "typical", "high"]
    assert band.index.equals(TIMES)
    assert (band["low"] <= band["typical"]).all()
    assert (band["typical"] <= band["high"]).all()
    assert band["typical"].iloc[-1] > 1000.0  # The best of luck gains.
    if objective == "Return [%]":  # Then it is the best by what the curve ends with.
        assert band["typical"].iloc[-1] / 10 - 100 == pytest.approx(
            found.bootstrap.luck_typical, rel=1e-3
        )


def test_the_luck_band_is_of_the_winners_of_the_draws():
    """By hand: the best of each draw, followed through that draw from the cash on."""
    returns, table = made(traded=0.5)
    found = assessed(returns, table, times=TIMES, cash=1000.0, resamples=50)
    draws = stationary_draws(100, 50, seed=0)
    centred = returns - np.array(
        [row.sum(dtype=np.float64) / max(np.count_nonzero(row), 1) for row in returns], np.float32
    )[:, None] * (returns != 0)
    curves = []
    for draw in draws:
        drawn = centred[:, draw].astype(np.float64)
        best = int((drawn.mean(axis=1) / drawn.std(axis=1)).argmax())
        curves.append(1000.0 * np.cumprod(1 + drawn[best]))
    expected = np.quantile(curves, [0.05, 0.5, 0.95], axis=0).T
    np.testing.assert_allclose(found.luck_band.to_numpy(), expected, rtol=1e-6)


def test_the_deflated_ratio_is_against_the_ratios_of_all_that_count():
    """Ratios of one period, each as often as there are combinations of its kind."""
    returns, table = made()
    found = assessed(returns, table, chosen=40).deflated_sharpe
    ratios = np.array([moments(row).sharpe for row in returns])
    expected = deflated_sharpe(
        returns[40], ratios, trials=len(GRID), earlier_trials=0, periods_per_year=252
    )
    assert found.earlier_trials == 0
    assert found.threshold == pytest.approx(expected.threshold)
    assert found.dsr == pytest.approx(expected.dsr)


def test_no_times_no_band():
    assert assessed(*made()).luck_band is None
