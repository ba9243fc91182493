"""Chunk sizes as documented, an order of which every beginning stands for the whole, estimates."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigbar.executors.chunks import (
    CHUNK_S,
    LEAST_SLICES,
    SAMPLE_S,
    calculate_adaptive_chunk_size,
    chunks_in_order,
    estimate_duration,
    gaps_in,
    longest_chunk,
    ranges_to_run,
    whole_periods,
)

GRID = 112_840
#: Combinations of the default grid that share an ATR period.
PERIOD = GRID // 91

# ---------------------------------------------------------------------------------- chunk size


def documented(total: int, workers: int, seconds: float) -> int:
    """The rule, word for word."""
    base = max(1, total // (workers * 4))
    if seconds < 0.05:
        size = max(base * 2, 100)
    elif seconds > 0.5:
        size = max(base // 2, 10)
    else:
        size = base
    return size


@pytest.mark.parametrize(
    ("total", "workers", "seconds", "size"),
    [
        (GRID, 4, 0.01, 14_104),  # Fast: doubled.
        (GRID, 4, 0.1, 7_052),
        (GRID, 4, 0.05, 7_052),  # The limits themselves are neither fast nor slow.
        (GRID, 4, 0.5, 7_052),
        (GRID, 4, 1.0, 3_526),  # Slow: halved.
        (400, 2, 0.01, 100),
        (80, 2, 1.0, 10),
        (8, 2, 0.01, 4),  # Doubling would leave a worker without work.
        (8, 2, 1.0, 4),
        (3, 8, 0.1, 1),
        (1, 1, 1e-9, 1),
    ],
)
def test_the_documented_sizes(total, workers, seconds, size):
    assert calculate_adaptive_chunk_size(total, workers, seconds) == size


durations = st.floats(0, 100) | st.sampled_from([0.05, 0.5, 1e-9])


@given(st.integers(1, 10**6), st.integers(1, 256), durations)
def test_the_rule_and_its_first_bound(total, workers, seconds):
    rule = documented(total, workers, seconds)
    share = max(1, total // workers)
    assert calculate_adaptive_chunk_size(total, workers, seconds) == min(rule, share)
    unbound = calculate_adaptive_chunk_size(total, workers, seconds, bound_to_worker=False)
    assert unbound == rule


@given(st.integers(1, 10**6), st.integers(1, 256), durations)
def test_never_more_than_half_a_second(total, workers, seconds):
    size = calculate_adaptive_chunk_size(total, workers, seconds, most_seconds=CHUNK_S)
    assert 1 <= size <= calculate_adaptive_chunk_size(total, workers, seconds)
    assert size == 1 or size * seconds <= CHUNK_S


# --------------------------------------------------------------------------------------- order


@given(st.integers(1, 5000), st.integers(1, 6000), st.none() | st.integers(1, 6000))
def test_every_combination_exactly_once(total, size, period):
    chunks = chunks_in_order(total, size, period=period)
    covered = [number for start, stop in chunks for number in range(start, stop)]
    assert sorted(covered) == list(range(total))
    assert sum(stop - start < size for start, stop in chunks) <= 1


def test_the_order_is_fixed_and_not_the_grids():
    chunks = chunks_in_order(GRID, 500, period=PERIOD)
    assert chunks == chunks_in_order(GRID, 500, period=PERIOD)
    assert chunks != sorted(chunks)
    assert all(type(end) is int for chunk in chunks for end in chunk)


def worst_prediction(chunks: list[tuple[int, int]], cost: np.ndarray) -> float:
    """How far off the mean cost of a beginning is, from a fifth of the grid on."""
    done = np.cumsum([stop - start for start, stop in chunks])
    spent = np.cumsum([cost[start:stop].sum() for start, stop in chunks])
    judged = done >= 0.2 * len(cost)
    return float(np.abs(spent[judged] / done[judged] / cost.mean() - 1).max())


NUMBERS = np.arange(GRID)
PHASE = NUMBERS % PERIOD / PERIOD
COSTS = {
    "less with k_atr": 1 - PHASE,
    "much less with k_atr": np.exp(-5 * PHASE) + 0.02,
    "less with atr_period": 1.5 - NUMBERS / GRID,
    "less with both": (1.5 - NUMBERS / GRID) * (1 - PHASE),
    "even": np.ones(GRID),
}


# With 158, 291, 473, 475 and 767 a grid period is a power of the golden ratio in chunks long.
@pytest.mark.parametrize("size", [10, 50, 100, 158, 291, 400, 473, 475, 620, 767])
@pytest.mark.parametrize("cost", COSTS)
def test_every_beginning_stands_for_the_whole(size, cost):
    chunks = chunks_in_order(GRID, size, period=PERIOD)
    assert worst_prediction(chunks, COSTS[cost]) < 0.08


# ---------------------------------------------------------------------------------- what is left

some_done = st.lists(st.booleans(), min_size=1, max_size=300).map(np.array)


@given(some_done, st.integers(1, 400))
def test_only_what_is_left_is_cut_and_all_of_it(done, size):
    chunks = chunks_in_order(len(done), size, ranges=gaps_in(done))
    covered = [number for start, stop in chunks for number in range(start, stop)]
    assert sorted(covered) == np.flatnonzero(~done).tolist()
    assert all(0 < stop - start <= size for start, stop in chunks)
    # Whole periods stay whole: pieces end where those of the whole grid do.
    assert all(start // size == (stop - 1) // size for start, stop in chunks)


@given(some_done, st.integers(1, 50))
def test_short_stretches_that_are_done_do_not_end_a_gap(done, least):
    gaps = gaps_in(done, least=least)
    assert gaps == sorted(gaps)
    inside = np.zeros(len(done), dtype=bool)
    for start, stop in gaps:
        inside[start:stop] = True
        assert not done[start]
        assert not done[stop - 1]
    assert inside[~done].all()
    for (_, before), (after, _) in itertools.pairwise(gaps):
        assert after - before >= least


def test_few_pieces_are_left_out_exactly():
    done = np.zeros(GRID, dtype=bool)
    done[::200] = True
    assert ranges_to_run(done, 4e-6) == gaps_in(done)


def test_very_many_small_ones_are_quicker_run_again():
    done = np.zeros(GRID, dtype=bool)
    done[::2] = True
    done[5000:9000] = True
    ranges = ranges_to_run(done, 4e-6)
    assert ranges == [(1, 5000), (9001, GRID)]
    # Where a backtest is slow, nothing is run again.
    assert ranges_to_run(done, 0.05) == gaps_in(done)


def test_nothing_is_left():
    done = np.ones(7, dtype=bool)
    assert gaps_in(done) == ranges_to_run(done, 0.1) == []
    assert chunks_in_order(7, 3, ranges=[]) == []


@pytest.mark.parametrize("size", [20, 300])
def test_without_a_known_period_a_trend_is_in_balance(size):
    assert worst_prediction(chunks_in_order(GRID, size), COSTS["less with atr_period"]) < 0.05


# ------------------------------------------------------------------------------------ estimate


class Sweep:
    """Counts what it is asked to run; every combination has a known cost in seconds."""

    def __init__(self, cost: np.ndarray) -> None:
        self.cost = cost
        self.slices: list[tuple[int, int]] = []

    def __call__(self, slices: Sequence[tuple[int, int]]) -> float:
        assert all(0 <= start < stop <= len(self.cost) for start, stop in slices)
        self.slices += slices
        return sum(float(self.cost[start:stop].sum()) for start, stop in slices)

    @property
    def timed(self) -> int:
        return sum(stop - start for start, stop in self.slices)


def estimate(sweep: Sweep, *, slice_size: int = 1, least: int = 10, seed: int = 0) -> float:
    return estimate_duration(sweep, len(sweep.cost), slice_size=slice_size, least=least, seed=seed)


def test_a_slow_engine_is_timed_on_the_sample_size_only():
    sweep = Sweep(np.full(GRID, 2.0))
    assert estimate(sweep) == pytest.approx(2.0)
    assert sweep.timed == 10


def test_a_fast_engine_is_timed_until_the_sample_is_long_enough():
    sweep = Sweep(np.full(GRID, 1e-5))
    assert estimate(sweep, slice_size=128) == pytest.approx(1e-5)
    assert SAMPLE_S <= sweep.timed * 1e-5 < SAMPLE_S + 128 * 1e-5 * 1.01
    assert len(sweep.slices) >= LEAST_SLICES


@pytest.mark.parametrize("total", [1, 2, 7, 100])
def test_a_small_fast_grid_ends_too(total):
    sweep = Sweep(np.full(total, 1e-9))
    assert estimate(sweep, slice_size=128) == pytest.approx(1e-9)
    assert sweep.timed == pytest.approx(total, abs=128)


def test_nothing_measurable_ends_too():
    assert estimate(Sweep(np.zeros(500)), slice_size=16) == 0.0


def test_at_least_the_sample_size():
    sweep = Sweep(np.full(GRID, 0.5))
    estimate(sweep, least=33)
    assert sweep.timed == 33


@pytest.mark.parametrize("seed", range(5))
def test_the_sample_is_spread_over_the_grid(seed):
    cost = np.where(NUMBERS < GRID // 2, 0.001, 0.1)  # Cheap and dear, a hundredfold apart.
    sweep = Sweep(cost)
    assert estimate(sweep, least=40, seed=seed) == pytest.approx(cost.mean(), rel=0.1)


def test_the_seed_decides_where():
    def slices(seed: int) -> list[tuple[int, int]]:
        sweep = Sweep(np.full(GRID, 0.5))
        estimate(sweep, seed=seed)
        return sweep.slices

    assert slices(1) == slices(1)
    assert slices(1) != slices(2)


@pytest.mark.parametrize(
    ("total", "workers", "seconds", "longest"),
    [
        (112_840, 2, 250e-6, 0.5),  # A million bars: half a second.
        (112_840, 2, 5e-6, 112_840 * 5e-6 / 2 / 25),  # A short run: 25 steps a worker.
        (800, 2, 5e-6, 0.005),  # A very short one: not below five milliseconds.
    ],
)
def test_the_longest_chunk(total, workers, seconds, longest):
    assert longest_chunk(total, workers, seconds) == pytest.approx(longest)


@pytest.mark.parametrize(
    ("size", "cut"), [(1, 1), (1239, 1239), (1240, 1240), (2479, 1240), (2480, 2480)]
)
def test_chunks_end_where_a_period_ends(size, cut):
    assert whole_periods(size, 1240) == cut
