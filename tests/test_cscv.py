"""Probability of backtest overfitting: against known numbers, and against a plain loop."""

from __future__ import annotations

import itertools
import math
import sys

import numpy as np
import pytest
from made_returns import lcg, noise

from bigbar.validation.cscv import block_sums, overfitting
from bigbar.validation.distinct import find_kinds

EXAMPLE = np.array(
    [
        [2, 1, -1], [1, -1, 2], [-1, 2, 1], [3, 1, -2],
        [-2, 2, 1], [1, -1, 3], [0, 2, 1], [1, 3, -1],
    ],
    dtype=float,
)  # fmt: skip


def plain(returns: np.ndarray, blocks: int, *, by_growth: bool = False) -> np.ndarray:
    """By the definition, split by split: winner, performance inside and outside, rank."""
    edges = [i * returns.shape[1] // blocks for i in range(blocks + 1)]
    parts = [returns[:, a:b].astype(float) for a, b in itertools.pairwise(edges)]
    found = []
    for pick in itertools.combinations(range(blocks), blocks // 2):
        inside = np.hstack([parts[b] for b in pick])
        outside = np.hstack([parts[b] for b in range(blocks) if b not in pick])
        here, there = (performance(half, by_growth) for half in (inside, outside))
        here[~inside.any(axis=1)] = -np.inf
        if not inside.any():
            continue
        best = int(here.argmax())
        rank = np.sum(there < there[best]) + (np.sum(there == there[best]) + 1) / 2
        found.append((best, here[best], there[best], rank))
    return np.array(found)


def performance(half: np.ndarray, by_growth: bool) -> np.ndarray:
    if by_growth:
        return np.log1p(half).mean(axis=1)
    deviation = half.std(axis=1, ddof=1)
    return np.divide(half.mean(axis=1), deviation, out=np.zeros(len(half)), where=deviation > 0)


def columns(found) -> np.ndarray:
    return np.column_stack([found.winners, found.in_sample, found.out_of_sample, found.ranks])


# ------------------------------------------------------------------------------- known numbers


@pytest.mark.parametrize(
    ("blocks", "splits", "pbo", "loss", "slope", "intercept", "logit"),
    [
        (4, 6, 3, 4, -0.917155108151, 0.251850637751, 0.184737651686),
        (6, 20, 10, 11, -0.811668509855, 0.196163318875, 0.005812154215),
        (8, 70, 32, 42, -0.769977847184, 0.183625880208, -0.061109833481),
        (12, 924, 375, 468, -0.709091980408, 0.175334422388, 0.110425935954),
    ],
)
def test_the_generated_matrix(blocks, splits, pbo, loss, slope, intercept, logit):
    found = overfitting(block_sums(lcg(96, 20, 1).T, blocks))
    assert (found.blocks, found.splits) == (blocks, splits)
    assert found.pbo == pytest.approx(pbo / splits, abs=1e-15)
    assert found.loss_share == pytest.approx(loss / splits, abs=1e-15)
    assert found.slope == pytest.approx(slope, abs=5e-12)
    assert found.intercept == pytest.approx(intercept, abs=5e-12)
    assert found.mean_logit == pytest.approx(logit, abs=5e-12)


def test_without_any_mean_what_wins_must_lose():
    values = lcg(96, 20, 1)
    for blocks in (4, 6, 8, 12):
        found = overfitting(block_sums((values - values.mean(axis=0)).T, blocks))
        assert found.pbo == found.loss_share == 1.0


def test_the_small_example():
    found = overfitting(block_sums(EXAMPLE.T, 4))
    assert found.winners.tolist() == [0, 2, 0, 1, 1, 1]
    assert found.ranks.tolist() == [1, 1, 1, 2, 1, 2]
    assert found.pbo == 1.0  # Two of the logits are exactly 0, and count.
    assert found.loss_share == pytest.approx(1 / 6)


# ------------------------------------------------------------------------------ the definition


@pytest.mark.parametrize("by_growth", [False, True])
@pytest.mark.parametrize("periods", [40, 47])  # 47 does not divide by 6.
def test_as_by_the_definition(by_growth, periods):
    returns = noise(30, periods, 5, traded=0.6)
    found = columns(overfitting(block_sums(returns, 6, by_growth=by_growth)))
    np.testing.assert_allclose(found, plain(returns, 6, by_growth=by_growth), rtol=1e-9, atol=1e-15)


def test_what_never_trades_in_a_half_performs_nothing_there():
    """It cannot win in sample, not even where all others lose, and out of sample it is 0."""
    returns = -np.abs(noise(8, 24, 1)) - np.float32(1e-4)
    returns[3, :12] = 0.0  # Nothing in the first half, and a profit in the second.
    returns[3, 12:] = np.abs(returns[4, 12:])
    found = columns(overfitting(block_sums(returns, 4)))
    np.testing.assert_allclose(found, plain(returns, 4), rtol=1e-9)
    first_half_inside = found[0]
    assert first_half_inside[0] != 3
    other_way = found[-1]
    assert other_way.tolist()[0] == 3
    assert other_way[2] == 0.0
    assert other_way[3] == 8.0  # It neither gains nor loses, all others lose.


def test_splits_without_a_winner_are_left_out():
    returns = np.zeros((3, 24), np.float32)
    returns[:, 0] = [0.1, 0.2, 0.3]
    returns[:, 1] = [0.1, -0.1, 0.3]
    found = overfitting(block_sums(returns, 4))
    assert found.splits == 3  # Those with the first block inside.


def test_nothing_to_rank():
    assert overfitting(block_sums(noise(1, 40, 1), 4)) is None
    assert overfitting(block_sums(np.zeros((5, 40)), 4)) is None


def test_equal_combinations_are_counted_and_share_their_rank():
    few = noise(12, 40, 2)
    many = np.repeat(few, np.arange(1, 13), axis=0)
    kinds = find_kinds(many, np.ones(len(many), bool))
    assert len(kinds) == 12
    at_once = overfitting(block_sums(many, 6, rows=kinds.first, counts=kinds.counts))
    np.testing.assert_allclose(columns(at_once), plain(many, 6), rtol=1e-9)


def test_two_kinds_that_do_as_well_share_their_rank():
    """Days in another order inside each block: other returns, and the same performance."""
    random = np.random.default_rng(4)
    values = random.integers(-8, 9, (3, 24)) / 64  # Sums of these and of their squares are exact.
    values[1] = np.concatenate([random.permutation(part) for part in np.split(values[0], 4)])
    found = overfitting(block_sums(values, 4))
    assert set(found.winners.tolist()) == {0, 2}  # Of equal ones the lowest number wins.
    for winner, rank in zip(found.winners, found.ranks, strict=True):
        assert rank in ((1.5, 2.5) if winner == 0 else (1.0, 3.0))


def test_two_combinations_can_be_ranked():
    found = overfitting(block_sums(noise(2, 40, 1), 4))
    np.testing.assert_allclose(columns(found), plain(noise(2, 40, 1), 4), rtol=1e-9)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_the_same_for_any_number_of_threads(threads):
    blocks = block_sums(noise(50, 60, 7), 8)
    assert (columns(overfitting(blocks, threads=threads)) == columns(overfitting(blocks))).all()


def test_a_straight_line_of_performances():
    found = overfitting(block_sums(lcg(96, 20, 1).T, 8))
    slope, intercept = np.polyfit(found.in_sample, found.out_of_sample, 1)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept))


def test_no_line_where_a_performance_is_infinite():
    returns = np.tile(np.float32([0.5, 0.25]), (3, 8))  # Sums of these are exact.
    returns[1] = 0.5
    found = overfitting(block_sums(returns, 4))
    assert found.in_sample.max() == math.inf
    assert math.isnan(found.slope)
    assert math.isnan(found.intercept)


def test_the_remainder_of_the_periods_is_spread_over_the_blocks():
    blocks = block_sums(noise(3, 47, 1), 10)
    assert sorted(set(blocks.lengths.tolist())) == [4.0, 5.0]
    assert blocks.lengths.sum() == 47


def test_needs_nothing_but_numpy():
    """The luck statistics must not make a run wait for more than NumPy and pandas."""
    import subprocess

    code = (
        "import sys, bigbar.validation.luck, bigbar.validation.verdict, bigbar.validation.summary;"
        "print({'scipy', 'numba', 'backtesting', 'bokeh'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
