"""The bootstrap of the best: an exact oracle, a plain loop, and what it says of pure luck."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from made_returns import lcg, noise

from bigbar.validation import bootstrap as module
from bigbar.validation.bootstrap import (
    EARLIER_POWER,
    LEAST_TRADED,
    LEVEL,
    RETURN,
    SHARPE,
    EarlierTries,
    LuckyBest,
    adjusted_p_values,
    autocorrelation,
    bootstrap_test,
    lucky_best,
    share_of_square,
    statistic_for,
    t_statistics,
)
from bigbar.validation.distinct import find_kinds
from bigbar.validation.expected_maximum import chance_of_best, expected_maximum
from bigbar.validation.resampling import (
    MEAN_BLOCK,
    as_weights,
    lost_spread,
    stationary_draws,
    without_edge,
)
from bigbar.validation.sharpe import moments


def kinds_of(returns):
    return find_kinds(returns, np.ones(len(returns), bool))


def judged(returns, chosen=None, *, objective="Sharpe Ratio", draws=999, seed=0, **more):
    """The test of one combination of a matrix; of the best by Sharpe ratio by default."""
    statistic = statistic_for(objective)
    kinds = kinds_of(returns)
    values = returns[kinds.first].astype(float)
    if statistic is SHARPE:
        observed = values.mean(axis=1) / values.std(axis=1, ddof=1) * np.sqrt(returns.shape[1])
    else:
        observed = np.log1p(values).sum(axis=1)
    chosen = kinds.first[observed.argmax()] if chosen is None else chosen
    weights = as_weights(stationary_draws(returns.shape[1], draws, seed=seed))
    (luck,) = lucky_best(returns, kinds, weights, [statistic])
    return bootstrap_test(
        luck,
        returns[chosen],
        moments(returns[chosen]),
        observed,
        objective=objective,
        combinations=len(returns),
        periods_per_year=252,
        **more,
    )


# ---------------------------------------------------------------------------------- the oracle


def test_all_sign_flips_of_the_generated_matrix():
    values = lcg(12, 5, 1) + 0.15 * np.arange(5)
    flips = np.array(list(itertools.product([1.0, -1.0], repeat=12))) / 12
    found = t_statistics(share_of_square(values.T, flips), 12)
    observed = found[0]  # No sign flipped.
    np.testing.assert_allclose(
        observed, [0.56686722, 0.91442876, 1.17007604, 0.9244072, 4.15283052], atol=5e-9
    )
    maxima = found.max(axis=1)
    assert np.count_nonzero(maxima >= observed.max() - 1e-12) == 21
    assert maxima.mean() == pytest.approx(1.2060411012, abs=5e-11)


# ----------------------------------------------------------------------------------- resampling


def test_draws_are_blocks_of_the_wanted_mean_length_that_go_round_the_end():
    draws = stationary_draws(100, 2000, seed=3)
    follows = (draws[:, 1:] - draws[:, :-1]) % 100 == 1
    # A new block goes on where the last one ended in 1 of 100 cases.
    expected = 1 - 1 / MEAN_BLOCK + 1 / MEAN_BLOCK / 100
    assert follows.mean() == pytest.approx(expected, abs=0.005)
    assert np.any((draws[:, :-1] == 99) & (draws[:, 1:] == 0))
    counts = np.bincount(draws.ravel(), minlength=100)
    assert counts.min() > 0.9 * counts.mean()  # Every period as often as any other.
    assert counts.max() < 1.1 * counts.mean()


def test_draws_of_blocks_of_one_are_independent():
    draws = stationary_draws(50, 2000, seed=3, mean_block=1.0)
    follows = (draws[:, 1:] - draws[:, :-1]) % 50 == 1
    assert follows.mean() == pytest.approx(1 / 50, abs=0.003)


def test_draws_are_the_same_for_the_same_seed():
    one, same, other = (stationary_draws(30, 20, seed=seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_weights_times_returns_are_means_of_the_resamples():
    draws = stationary_draws(40, 50, seed=0)
    returns = noise(7, 40, 1)
    means = as_weights(draws) @ returns.T
    plain = returns[:, draws].mean(axis=2).T
    np.testing.assert_allclose(means, plain, atol=1e-8)


def test_the_spread_that_resamples_lose():
    """For independent days: the mean's variance over many samples, against that of the draws."""
    weights = as_weights(stationary_draws(60, 1000, seed=0))
    ratios = []
    for seed in range(200):
        values = np.random.default_rng(seed).standard_normal(60)
        ratios.append((weights @ (values - values.mean())).var() * 60)
    assert np.mean(ratios) == pytest.approx(lost_spread(60) ** 2, abs=0.02)


def test_as_the_reality_check_of_another_package():
    """Of `arch` 8.0: SPA, stationary, blocks of 5, not studentized, 5,000 draws, "upper"."""
    for edge, expected in ((0.0, 0.5666), (0.08, 0.0164)):
        values = lcg(96, 20, 1)
        values[:, 16] += edge
        columns = (values / values.std(axis=0)).T
        weights = as_weights(stationary_draws(96, 5000, seed=3))
        maxima = (weights @ without_edge(columns.astype(np.float32)).T).max(axis=1)
        found = adjusted_p_values(columns.mean(axis=1), maxima).min()
        assert found == pytest.approx(expected, abs=3 * math.sqrt(2 * expected / 5000))


def test_where_every_day_trades_the_edge_is_the_mean():
    returns = noise(5, 60, 2) + np.float32(0.003)
    np.testing.assert_allclose(
        without_edge(returns), returns - returns.mean(axis=1, keepdims=True), atol=1e-8
    )


def test_days_without_a_trade_stay_what_they_are():
    returns = noise(5, 60, 2, traded=0.3)
    returns[0] = 0.0
    centred = without_edge(returns)
    assert ((centred == 0) >= (returns == 0)).all()
    np.testing.assert_allclose(centred.sum(axis=1), 0, atol=1e-7)


def test_a_single_day_is_its_own_mean():
    returns = np.zeros((2, 60), np.float32)
    returns[0, 7], returns[1, [3, 8]] = 0.02, 0.02
    assert (without_edge(returns) == 0).all()


# -------------------------------------------------------------------------- the best of each draw


def plain_maxima(returns, draws, statistic):
    """By the definition, draw by draw."""
    if statistic is RETURN:
        resampled = without_edge(np.log1p(returns))[:, draws].astype(float)
        return resampled.sum(axis=2).max(axis=0) / lost_spread(returns.shape[1])
    resampled = without_edge(returns)[:, draws].astype(float)
    means, deviations = resampled.mean(axis=2), resampled.std(axis=2, ddof=1)
    # A draw without any trade is as good as nothing.
    ratio = np.divide(means, deviations, out=np.zeros_like(means), where=deviations > 0)
    return ratio.max(axis=0) * math.sqrt(returns.shape[1])


@pytest.mark.parametrize("statistic", [SHARPE, RETURN], ids=lambda statistic: statistic.name)
@pytest.mark.parametrize("traded", [1.0, 0.5, 0.05])
def test_as_by_the_definition(statistic, traded, monkeypatch):
    monkeypatch.setattr(module, "_COLUMNS", 16)
    returns = noise(50, 80, 4, traded=traded) + np.float32(0.0)
    returns[:, 11] = 0.0  # A day on which nobody trades.
    draws = stationary_draws(80, 60, seed=1)
    (found,) = lucky_best(returns, kinds_of(returns), as_weights(draws), [statistic], followed=20)
    np.testing.assert_allclose(
        found.maxima, plain_maxima(returns, draws, statistic), rtol=2e-5, atol=1e-6
    )
    winners = returns[kinds_of(returns).first[found.winners]]
    for b, winner in enumerate(winners):
        alone = plain_maxima(winner[None], draws[b : b + 1], statistic)
        assert alone == pytest.approx(found.maxima[b], rel=2e-5, abs=1e-6)


def test_equal_combinations_change_nothing():
    few = noise(20, 60, 6)
    many = np.repeat(few, 5, axis=0)[np.random.default_rng(0).permutation(100)]
    weights = as_weights(stationary_draws(60, 100, seed=0))
    one, other = (
        lucky_best(returns, kinds_of(returns), weights, [SHARPE])[0].maxima
        for returns in (few, many)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_no_ratio_of_a_draw_is_beyond_what_so_few_trades_can_show():
    """A setting that lost on two days must not look brilliant where they are missing."""
    returns = np.zeros((1, 100), np.float32)
    returns[0, [10, 60]] = [-0.03, -0.001]
    weights = as_weights(stationary_draws(100, 500, seed=0))
    (found,) = lucky_best(returns, kinds_of(returns), weights, [SHARPE])
    most_days = weights[:, [10, 60]].sum(axis=1) * 100
    assert np.isfinite(found.maxima).all()
    assert (found.maxima <= np.sqrt(99 * most_days / (100 - most_days)) + 1e-3).all()


# --------------------------------------------------------------------------------- p-values


def test_p_values_count_the_data_as_a_draw():
    maxima = np.array([1.0, 2.0, 3.0, 4.0])
    found = adjusted_p_values(np.array([0.5, 2.0, 2.5, 4.0, 9.0, math.nan]), maxima)
    assert found[:5].tolist() == [1.0, 4 / 5, 3 / 5, 2 / 5, 1 / 5]
    assert math.isnan(found[5])


def test_the_smallest_provable_is_just_not_enough():
    luck = LuckyBest(SHARPE, np.random.default_rng(0).normal(size=1000), np.empty(0, np.intp))
    least = luck.smallest_provable()
    assert luck.p_value(least) > LEVEL >= luck.p_value(np.nextafter(least, 9))


def test_too_few_draws_prove_nothing():
    luck = LuckyBest(SHARPE, np.arange(18.0), np.empty(0, np.intp))
    assert math.isnan(luck.smallest_provable())
    assert not math.isnan(LuckyBest(SHARPE, np.arange(19.0), luck.winners).smallest_provable())


def test_figures_are_annual_sharpe_ratios():
    returns = noise(40, 100, 8)
    returns[7] += np.float32(0.01)
    found = judged(returns)
    values = returns[7].astype(float)
    assert found.chosen == pytest.approx(values.mean() / values.std(ddof=1) * math.sqrt(252))
    assert (found.statistic, found.tests_objective) == ("Sharpe Ratio", True)
    assert found.p_value == found.best_p_value == 1 / 1000
    assert found.luck_typical < found.luck_95 < found.chosen
    assert found.smallest_provable == pytest.approx(found.luck_95, rel=0.02)
    assert (found.periods, found.combinations, found.resamples) == (100, 40, 999)
    assert found.traded_periods == 100


def test_figures_are_returns_in_per_cent():
    returns = noise(40, 100, 8)
    returns[7] += np.float32(0.01)
    found = judged(returns, objective="Equity Final [$]")
    assert found.statistic == "Return [%]"
    assert found.tests_objective
    growth = np.prod(1 + returns[7].astype(float))
    assert found.chosen == pytest.approx(100 * (growth - 1))
    assert found.p_value == 1 / 1000
    assert 0 < found.luck_typical < found.luck_95 < found.chosen
    assert math.isnan(found.independent_tries)


@pytest.mark.parametrize(
    ("objective", "statistic", "tests_it"),
    [
        ("Sharpe Ratio", "Sharpe Ratio", True),
        ("Return [%]", "Return [%]", True),
        ("CAGR [%]", "Return [%]", True),
        ("SQN", "Sharpe Ratio", False),
        ("Max. Drawdown Duration", "Sharpe Ratio", False),
    ],
)
def test_what_is_tested_for_an_objective(objective, statistic, tests_it):
    found = judged(noise(5, 40, 1), objective=objective)
    assert (found.statistic, found.tests_objective) == (statistic, tests_it)


def test_a_worse_choice_has_a_larger_p_value():
    returns = noise(40, 100, 8)
    order = np.argsort(-returns.mean(axis=1) / returns.std(axis=1))
    best, middling = judged(returns, order[0]), judged(returns, order[20])
    assert best.p_value < middling.p_value
    assert best.best_p_value == middling.best_p_value == best.p_value


def test_independent_tries_are_those_of_the_mean_maximum():
    returns = noise(200, 250, 3)
    found = judged(returns)
    weights = as_weights(stationary_draws(250, 999, seed=0))
    (luck,) = lucky_best(returns, kinds_of(returns), weights, [SHARPE])
    assert expected_maximum(found.independent_tries) == pytest.approx(luck.maxima.mean())
    assert 100 < found.independent_tries <= 200  # Independent they are.


def test_neighbours_are_worth_fewer_tries():
    alike = noise(1, 250, 1) + 0.1 * noise(200, 250, 3)
    assert judged(alike).independent_tries < 20


def test_a_choice_that_hardly_traded_has_no_p_value():
    returns = noise(40, 100, 8)
    returns[3] = 0.0
    returns[3, :9] = 0.01 + noise(1, 9, 2)[0] / 100
    found = judged(returns, 3)
    assert LEAST_TRADED == 10
    assert found.traded_periods == 9
    assert math.isnan(found.p_value)
    assert math.isnan(found.p_value_all_trials)
    assert not math.isnan(found.luck_typical)
    returns[3, 9] = 0.01
    assert not math.isnan(judged(returns, 3).p_value)


# ------------------------------------------------------------------------------ earlier runs


def test_without_earlier_runs_nothing_changes():
    found = judged(noise(40, 100, 8))
    assert found.p_value_all_trials == pytest.approx(found.p_value)
    luck = LuckyBest(SHARPE, np.random.default_rng(0).normal(size=1000), np.empty(0, np.intp))
    assert EarlierTries(0).smallest_provable(luck, 100) == luck.smallest_provable()


@pytest.mark.parametrize("trials", [1, 100, 112_840])
def test_earlier_runs_count_as_the_root_of_their_number(trials):
    assert EARLIER_POWER == 0.5
    earlier = EarlierTries(trials)
    assert earlier.chance(2.5, 100) == chance_of_best(2.5, 100, math.sqrt(trials))
    both = 1 - (1 - 0.1) * (1 - earlier.chance(2.5, 100))
    assert earlier.with_all(0.1, 2.5, 100) == pytest.approx(both)


def test_earlier_runs_ask_for_more():
    returns = noise(40, 100, 8)
    found = [judged(returns, earlier_trials=trials) for trials in (0, 100, 112_840)]
    chances = [one.p_value_all_trials for one in found]
    assert sorted(chances) == chances
    assert len(set(chances)) == 3
    least = [one.smallest_provable for one in found]
    assert sorted(least) == least
    assert len({one.p_value for one in found}) == 1


def test_the_smallest_provable_with_earlier_runs_is_at_the_level():
    luck = LuckyBest(SHARPE, np.random.default_rng(0).normal(size=1000), np.empty(0, np.intp))
    for trials in (1, 500, 10**12):
        earlier = EarlierTries(trials)
        least = earlier.smallest_provable(luck, 100)
        just = earlier.with_all(luck.p_value(least), least, 100)
        below = earlier.with_all(luck.p_value(least - 0.01), least - 0.01, 100)
        assert just <= LEVEL < below


def test_so_few_draws_have_no_room_for_earlier_runs():
    luck = LuckyBest(SHARPE, np.arange(19.0), np.empty(0, np.intp))
    assert luck.smallest_provable() == 18.0
    assert math.isnan(EarlierTries(5).smallest_provable(luck, 100))


# ------------------------------------------------------------------------------ autocorrelation


def test_autocorrelation():
    random = np.random.default_rng(0)
    shocks = random.standard_normal(5000)
    follows = shocks.copy()
    for i in range(1, 5000):
        follows[i] += 0.4 * follows[i - 1]
    assert autocorrelation(shocks) == pytest.approx(0.0, abs=0.04)
    assert autocorrelation(follows) == pytest.approx(0.4, abs=0.04)
    assert math.isnan(autocorrelation(np.full(9, 0.5)))


# ---------------------------------------------------------------------------------- its level


@pytest.mark.parametrize("objective", ["Sharpe Ratio", "Return [%]"])
@pytest.mark.parametrize("traded", [1.0, 0.4])
def test_luck_is_found_out(objective, traded):
    """Without an edge the best is significant at 5 % about as often as it says; not more."""
    chances = [
        judged(
            noise(30, 80, seed, traded=traded), objective=objective, draws=199, seed=seed
        ).best_p_value
        for seed in range(200)
    ]
    rejected = np.mean(np.array(chances) <= LEVEL)
    assert rejected <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / 200)
    assert 0.35 < np.mean(chances) < 0.7


def test_an_edge_is_found():
    chances = []
    for seed in range(40):
        returns = noise(30, 80, seed, traded=0.6)
        returns[11] += np.where(returns[11] != 0, np.float32(0.008), np.float32(0))
        chances.append(judged(returns, draws=199, seed=seed).best_p_value)
    assert np.mean(np.array(chances) <= LEVEL) > 0.9
