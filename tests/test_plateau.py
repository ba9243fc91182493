"""The robust choice: cross means, edges, and what does not count."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_returns import grid_of, table_with

from bigbar.choice import Choice
from bigbar.statistics import COLUMN
from bigbar.validation.plateau import crosses, find_plateau

SHARPE = Choice.by_name("Sharpe Ratio")


def plain_cross(scores: np.ndarray, place: tuple[int, ...]) -> list[float]:
    """A combination and its neighbours along one axis at a time, as far as there are any."""
    found = [scores[place]]
    for axis in range(scores.ndim):
        for step in (-1, 1):
            there = list(place)
            there[axis] += step
            if 0 <= there[axis] < scores.shape[axis]:
                found.append(scores[tuple(there)])
    return found


# ---------------------------------------------------------------------------------- cross means


def test_inside_the_grid_it_is_the_mean_of_the_cross():
    scores = np.random.default_rng(0).normal(size=(5, 4, 3, 4))
    found = crosses(scores)
    for place in np.ndindex(3, 2, 1, 2):
        inner = tuple(p + 1 for p in place)
        members = plain_cross(scores, inner)
        assert len(members) == 9
        assert found.mean[inner] == pytest.approx(np.mean(members))


def test_the_worst_neighbour():
    scores = np.random.default_rng(0).normal(size=(5, 4, 3))
    found = crosses(scores)
    for place in np.ndindex(scores.shape):
        assert found.worst[place] == min(plain_cross(scores, place)[1:])


def test_a_smooth_surface_needs_no_correction_at_the_edge():
    """What rises towards an edge is best there, and its mean is that of the cross."""
    scores = np.add.outer(np.arange(40.0), 0.5 * np.arange(30.0))
    found = crosses(scores)
    assert np.unravel_index(np.argmax(found.mean), scores.shape) == (39, 29)
    assert found.mean[39, 29] == pytest.approx(np.mean(plain_cross(scores, (39, 29))), rel=0.01)


@pytest.mark.parametrize("smooth", [0, 2])
def test_chance_finds_the_edge_as_often_as_there_is_edge(smooth):
    random = np.random.default_rng(1)
    shape = (12, 10, 5)
    edge = np.ones(shape, bool)
    edge[1:-1, 1:-1, 1:-1] = False
    at_edge = 0
    for _ in range(400):
        scores = random.normal(size=shape)
        for _ in range(smooth):  # Neighbours alike, to and beyond the edges.
            for axis in range(3):
                scores = scores + np.roll(scores, 1, axis)
        at_edge += edge.ravel()[np.nanargmax(crosses(scores).mean)]
    share = edge.mean()
    assert at_edge / 400 == pytest.approx(share, abs=3.5 * math.sqrt(share * (1 - share) / 400))


def test_without_the_correction_chance_would_find_the_edge_more_often():
    """The test above can fail: plain means over fewer members win far too often."""
    random = np.random.default_rng(1)
    wins = 0
    for _ in range(300):
        scores = random.normal(size=(8, 8))
        plain = np.array([np.mean(plain_cross(scores, p)) for p in np.ndindex(8, 8)])
        row, column = divmod(int(plain.argmax()), 8)
        wins += row in (0, 7) or column in (0, 7)
    assert wins / 300 > 28 / 64 + 0.1


def test_what_does_not_count_is_left_out():
    scores = np.ones((5, 5))
    scores[2, 2] = 6.0
    scores[1, 2] = np.nan
    scores[2, 1] = np.inf
    found = crosses(scores)
    assert np.isnan(found.mean[1, 2])
    assert np.isnan(found.mean[2, 1])
    # Three members instead of five: drawn in, but not by more than independent ones would be.
    assert 1 + (8 / 3 - 1) * math.sqrt(3 / 5) < found.mean[2, 2] < 8 / 3
    assert found.worst[2, 2] == 1.0


def test_where_half_of_the_cross_does_not_count_there_is_no_mean():
    scores = np.ones((5, 5))
    scores[1, 2] = scores[2, 1] = scores[3, 2] = np.nan
    found = crosses(scores)
    assert np.isnan(found.mean[2, 2])  # Two of five.
    assert not np.isnan(found.mean[2, 3])  # Four of five.
    corner = np.full((2, 2), 3.0)
    corner[0, 1] = np.nan
    assert not np.isnan(crosses(corner).mean[0, 0])  # Two of three.
    assert np.isnan(crosses(corner).mean[0, 1])


@pytest.mark.parametrize(
    ("scores", "has_mean"),
    [
        ([1.0, math.nan], False),  # One of two: half, and not more.
        ([1.0, 1.0], True),
        ([[1.0, math.nan], [1.0, 1.0], [math.nan, 1.0]], True),  # Two of three at the corner.
        ([[1.0, 1.0], [math.nan, 1.0], [1.0, 1.0]], True),
    ],
)
def test_a_mean_needs_more_than_half_of_its_cross(scores, has_mean):
    found = crosses(np.array(scores))
    assert np.isfinite(found.mean.flat[0]) == has_mean


def test_two_of_four_are_half_of_a_cross():
    scores = np.array([[1.0, math.nan], [1.0, math.nan], [1.0, math.nan]])
    scores[0, 0] = math.nan
    found = crosses(scores)
    assert np.isnan(found.mean[1, 0])  # Itself and the one below, of four.


def test_a_return_of_zero_is_no_profit():
    table = table_with(grid_of(4), {"Return [%]": [-1.0, 0.0, 0.0, 5.0], "Sharpe Ratio": [1.0] * 4})
    assert find_plateau(table, SHARPE).profitable_share == 0.25


def test_a_single_combination_is_its_own_cross():
    found = crosses(np.array([[[2.5]]]))
    assert found.mean.tolist() == [[[2.5]]]
    assert np.isnan(found.worst).all()


def test_nothing_counts():
    found = crosses(np.full((3, 4), np.nan))
    assert np.isnan(found.mean).all()
    assert np.isnan(found.worst).all()


# ------------------------------------------------------------------------------- the choice


def hill(shape=(9, 7)):
    """A broad hill at (3, 3), and a lone peak at (7, 5) that is higher."""
    rows, columns = np.indices(shape)
    scores = 2.0 - 0.2 * np.abs(rows - 3) - 0.2 * np.abs(columns - 3)
    scores[7, 5] = 3.0
    return scores


def test_the_hill_instead_of_the_peak():
    scores = hill()
    found = find_plateau(table_with(grid_of(9, 7), {"Sharpe Ratio": scores}), SHARPE)
    assert (found.peak, found.robust) == (7 * 7 + 5, 3 * 7 + 3)
    assert (found.peak_value, found.robust_value) == (3.0, 2.0)
    assert found.robust_cross_mean == pytest.approx((2.0 + 4 * 1.8) / 5)
    assert found.peak_cross_mean == pytest.approx(np.mean(plain_cross(scores, (7, 5))))
    assert found.robust_worst_neighbour == pytest.approx(1.8)
    assert found.peak_worst_neighbour == min(plain_cross(scores, (7, 5))[1:])
    assert found.peak_edges == found.robust_edges == ()
    assert found.statistic == "Sharpe Ratio"


def test_where_lower_is_better():
    scores = hill()
    table = table_with(grid_of(9, 7), {"Volatility (Ann.) [%]": -scores})
    found = find_plateau(table, Choice.by_name("Volatility (Ann.) [%]"))
    assert (found.peak, found.robust) == (7 * 7 + 5, 3 * 7 + 3)
    assert (found.peak_value, found.robust_value) == (-3.0, -2.0)
    assert found.robust_worst_neighbour == pytest.approx(-1.8)
    assert found.median_value == pytest.approx(-np.median(scores))


def test_axes_at_whose_end_it_stands():
    scores = np.zeros((4, 1, 3))
    scores[3, 0, 1] = 1.0
    found = find_plateau(table_with(grid_of(4, 1, 3), {"Sharpe Ratio": scores}), SHARPE)
    assert found.peak_edges == ("atr_period",)  # An axis with one value has no end.
    scores[3, 0, 1], scores[0, 0, 2] = 0.0, 1.0
    found = find_plateau(table_with(grid_of(4, 1, 3), {"Sharpe Ratio": scores}), SHARPE)
    assert found.peak_edges == ("atr_period", "uptail_max_ratio")


def test_the_lowest_of_equal_ones():
    found = find_plateau(table_with(grid_of(5, 5), {"Sharpe Ratio": np.ones(25)}), SHARPE)
    assert (found.peak, found.robust, found.median) == (0, 0, 12)


def test_shares_and_median():
    returns = np.array([-1.0, 0.0, 2.0, 3.0, 4.0, 9.0])
    table = table_with(grid_of(6), {"Return [%]": returns, "Sharpe Ratio": returns[::-1]})
    table.values[5, COLUMN["# Trades"]] = 0  # Did not trade: it counts neither way.
    found = find_plateau(table, SHARPE)
    assert found.profitable_share == pytest.approx(3 / 5)
    assert found.median == 2  # Of 9, 4, 3, 2, 0.
    assert found.median_value == 3.0


def test_too_few_trades_do_not_count():
    table = table_with(grid_of(9, 7), {"Sharpe Ratio": hill()})
    table.values[7 * 7 + 5, COLUMN["# Trades"]] = 3
    found = find_plateau(table, Choice.by_name("Sharpe Ratio", 5))
    assert found.peak == 3 * 7 + 3


def test_no_combination_counts():
    table = table_with(grid_of(3, 3), {})
    table.values[:, COLUMN["# Trades"]] = 0
    found = find_plateau(table, SHARPE)
    assert (found.peak, found.robust, found.median) == (None, None, None)
    assert math.isnan(found.peak_value)
    assert math.isnan(found.profitable_share)
    assert found.peak_edges == ()
