"""Expected maximum, probabilistic and deflated Sharpe ratio against published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_returns import lcg, noise

from bigbar.validation.expected_maximum import (
    chance_of_best,
    expected_maximum,
    independent_tries,
)
from bigbar.validation.sharpe import (
    Moments,
    deflated_sharpe,
    luck_threshold,
    moments,
    probabilistic_sharpe,
    track_record,
)

NORMAL = {"skewness": 0.0, "kurtosis": 3.0}


# ---------------------------------------------------------------------------- expected maximum


@pytest.mark.parametrize(
    ("tries", "expected"),
    [(10, 1.5745983), (100, 2.5306029), (1000, 3.2551215), (112840, 4.4170339)],
)
def test_expected_maximum_as_published(tries, expected):
    assert expected_maximum(tries) == pytest.approx(expected, abs=5e-8)


def test_expected_maximum_is_near_the_truth():
    """The approximation is within 3 % of the mean of simulated maxima."""
    values = np.random.default_rng(0).standard_normal((20_000, 100))
    assert expected_maximum(100) == pytest.approx(values.max(axis=1).mean(), rel=0.03)


def test_expected_maximum_of_one_try_and_of_very_many():
    assert expected_maximum(1) == 0.0
    assert 30 < expected_maximum(1e200) < 31


@pytest.mark.parametrize("tries", [3.0, 47.5, 1400.0, 112_840.0])
def test_independent_tries_invert_the_expected_maximum(tries):
    assert independent_tries(expected_maximum(tries), 1e9) == pytest.approx(tries, rel=1e-9)


def test_independent_tries_are_one_at_least_and_no_more_than_were_made():
    assert independent_tries(-0.3, 50) == pytest.approx(1.0)
    assert independent_tries(9.0, 50) == 50
    assert independent_tries(0.1, 1) == 1
    assert math.isnan(independent_tries(math.nan, 50))


@pytest.mark.parametrize(
    ("t_statistic", "periods", "tries", "exact"),  # By scipy's Student distribution.
    [
        (2.5, 100, 1, 0.007031298460574534),
        (3.0, 100, 10, 0.016946896427884904),
        (4.5, 250, 300, 0.0015642112075547475),
        (6.0, 50, 1000, 0.00011701467962632878),
        (-1.0, 30, 5, 0.9998856721924981),
    ],
)
def test_chance_of_the_best_of_many(t_statistic, periods, tries, exact):
    assert chance_of_best(t_statistic, periods, tries) == pytest.approx(exact, rel=0.01)


def test_chance_at_the_ends():
    assert chance_of_best(-1e9, 100, 3) == 1.0
    assert chance_of_best(1e9, 100, 3) == chance_of_best(math.inf, 100, 3) == 0.0
    assert chance_of_best(-math.inf, 100, 3) == 1.0
    assert chance_of_best(2.0, 100, 0) == 0.0
    assert math.isnan(chance_of_best(math.nan, 100, 3))


# ----------------------------------------------------------------------------------- published


@pytest.mark.parametrize(
    ("trials", "found", "threshold", "expected"),
    [
        (100, Moments(1250, 2.5 / math.sqrt(250), -3.0, 10.0), 0.1131720019, 0.90039683444939),
        (46, Moments(1250, 2.5 / math.sqrt(250), -3.0, 10.0), None, 0.95050170687558),
        (88, Moments(1250, 2.5 / math.sqrt(250), **NORMAL), None, 0.95049081667601),
    ],
)
def test_deflated_as_in_the_paper_of_2014(trials, found, threshold, expected):
    luck = luck_threshold(0.5 / 250, trials)
    if threshold is not None:
        assert luck == pytest.approx(threshold, abs=5e-11)
    assert probabilistic_sharpe(found, luck) == pytest.approx(expected, abs=1e-9)


def test_probabilistic_as_in_the_efficient_frontier():
    found = Moments(24, 1.585 / math.sqrt(12), -2.448, 10.164)
    assert probabilistic_sharpe(found) == pytest.approx(0.91323430688486, abs=1e-13)


@pytest.mark.parametrize(
    ("per_year", "ratio", "against", "skewness", "kurtosis", "years"),
    [
        (250, 2, 1, 0, 3, 2.7311878017),
        (52, 2, 1, 0, 3, 2.8288335869),
        # By the formula; a table with 3.2397996964 has two digits wrong.
        (12, 2, 1, 0, 3, 3.2398006964),
        (12, 2, 1, -0.72, 5.78, 4.9912582239),
        (12, 3, 2.5, -0.72, 5.78, 27.3529201960),
    ],
)
def test_track_record_as_published(per_year, ratio, against, skewness, kurtosis, years):
    found = Moments(0, ratio / math.sqrt(per_year), skewness, kurtosis)
    periods = track_record(found, against / math.sqrt(per_year))
    assert periods / per_year == pytest.approx(years, abs=5e-11)


def test_the_generated_matrix():
    values = lcg(96, 20, 1)
    ratios = values.mean(axis=0) / values.std(axis=0, ddof=1)
    assert int(ratios.argmax()) == 16
    assert ratios.var(ddof=1) == pytest.approx(0.010086648310, abs=5e-13)
    found = deflated_sharpe(
        values[:, 16], ratios, trials=20, earlier_trials=0, periods_per_year=252
    )
    assert found.sharpe == pytest.approx(0.164623408527, abs=5e-13)
    assert found.annual_sharpe == pytest.approx(0.164623408527 * math.sqrt(252), rel=1e-11)
    assert found.skewness == pytest.approx(-0.146844127030, abs=5e-13)
    assert found.kurtosis == pytest.approx(1.924356968572, abs=5e-13)
    assert found.psr == pytest.approx(0.943023878195, abs=5e-13)
    assert found.threshold == pytest.approx(0.190892484667, abs=5e-13)
    assert found.dsr == pytest.approx(0.400431824, abs=5e-10)


# --------------------------------------------------------------------------------------- edges


def test_earlier_trials_raise_the_bar():
    values = lcg(96, 20, 1)
    ratios = values.mean(axis=0) / values.std(axis=0, ddof=1)
    alone, with_more = (
        deflated_sharpe(values[:, 16], ratios, trials=20, earlier_trials=n, periods_per_year=252)
        for n in (0, 1000)
    )
    assert with_more.threshold == pytest.approx(luck_threshold(ratios.var(ddof=1), 1020))
    assert with_more.dsr < alone.dsr
    assert with_more.psr == alone.psr


def test_a_single_trial_has_nothing_to_deflate():
    values = 0.001 + noise(1, 100, 3)[0]
    found = deflated_sharpe(
        values, np.array([0.1]), trials=1, earlier_trials=0, periods_per_year=252
    )
    assert found.dsr == found.psr
    assert found.threshold == 0.0


@pytest.mark.parametrize(
    "values", [[], [0.1], [0.0] * 30, [0.01] * 30, [0.1, math.nan, 0.2], [0.1, math.inf]]
)
def test_what_has_no_ratio_has_none(values):
    found = moments(np.array(values, dtype=float))
    assert math.isnan(found.sharpe)
    assert math.isnan(probabilistic_sharpe(found))
    assert math.isnan(track_record(found))


def test_two_periods_are_enough_for_a_probability():
    found = moments(np.array([0.03, 0.01]))
    assert found.sharpe == pytest.approx(math.sqrt(2))
    assert 0.5 < probabilistic_sharpe(found) < 1.0


def test_a_track_record_is_of_a_ratio_above_zero():
    found = Moments(100, 0.1, **NORMAL)
    assert track_record(found) == track_record(found, 0.0) > track_record(found, -0.1)


def test_no_track_record_proves_a_ratio_that_is_not_above():
    assert math.isnan(track_record(Moments(100, -0.1, **NORMAL)))
    assert math.isnan(track_record(Moments(100, 0.1, **NORMAL), 0.1))


def test_trials_without_a_ratio_do_not_scatter():
    values = 0.001 + noise(1, 100, 3)[0]
    some, padded = (
        deflated_sharpe(values, np.array(r), trials=9, earlier_trials=0, periods_per_year=252)
        for r in ([0.1, 0.2, 0.0], [0.1, math.nan, 0.2, 0.0, math.nan])
    )
    assert some == padded
