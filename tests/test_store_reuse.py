"""What two grids share, and taking it over from other runs."""

import numpy as np
import pytest
from store_tools import begun, identity, made_rows

from bigbar.slices import Failure
from bigbar.space import Space
from bigbar.statistics import NAMES
from bigbar.store.records import Run
from bigbar.store.reuse import take_over
from bigbar.store.rows import Finished, Slice
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS
from bigbar.store.writer import SliceWriter
from bigbar.strategies.big_bar.parameters import grid_with


def by_hand(grid: Space, other: Space) -> list[tuple[int, int]]:
    places = {tuple(p.values()): number for number, p in enumerate(other)}
    return [
        (number, places[key])
        for number, p in enumerate(grid)
        if (key := tuple(p.values())) in places
    ]


@pytest.mark.parametrize("seed", range(12))
def test_shared_combinations_are_those_found_one_by_one(seed):
    rng = np.random.default_rng(seed)

    def some(values) -> list[float]:
        return sorted(rng.choice(values, size=rng.integers(1, len(values)), replace=False))

    def grid() -> Space:
        return grid_with(
            atr_period=some(range(5, 11)), k_atr=some([1.0, 1.1, 1.2, 1.3]),
            uptail_max_ratio=some([0.5, 0.6, 0.7]), previous_weight=some([0.1, 0.2, 0.3]),
            buffer_ratio=some([0.0, 0.01]),
        )  # fmt: skip

    one, other = grid(), grid()
    ours, theirs = one.shared_with(other)
    assert list(zip(ours.tolist(), theirs.tolist(), strict=True)) == by_hand(one, other)


def test_values_must_be_the_same_to_the_last_bit():
    one = grid_with(k_atr=0.1 + 0.2, atr_period=10, uptail_max_ratio=0.5,
                           previous_weight=0.1)  # fmt: skip
    other = grid_with(k_atr=0.3, atr_period=10, uptail_max_ratio=0.5, previous_weight=0.1)
    assert len(one.shared_with(other)[0]) == 0
    assert len(one.shared_with(one)[0]) == 1


def kept(folder, seed: int, *, failed=(), until: int | None = None, **axes) -> Run:
    """A run whose rows are made up, some of them failed."""
    found = identity(**axes)
    run, owner = begun(folder, found)
    total = len(found.grid())
    rows = made_rows(total, seed=seed)
    rows[list(failed)] = np.nan
    writer = SliceWriter(
        folder / RUNS, run, owner, done=np.zeros(total, dtype=bool), seconds_before=0.0
    )
    failures = [({}, Failure(number, "no")) for number in failed]
    stop = total if until is None else until
    writer.put(Finished(Slice(0, stop), rows[:stop], failures))
    writer.close()
    assert writer.problem is None
    with RunStore(folder) as store:
        return store.run(run)


def taken_by(folder, runs, done=None, **axes) -> tuple[Space, np.ndarray, np.ndarray]:
    grid = identity(**axes).grid()
    values = np.full((len(grid), len(NAMES)), np.nan)
    done = np.zeros(len(grid), dtype=bool) if done is None else done
    with RunStore(folder) as store:
        taken = take_over(store, runs, grid, values, done, damaged=pytest.fail)
    return grid, values, taken


def test_rows_stand_where_their_parameters_are(tmp_path):
    run = kept(tmp_path, 1)
    wider = {"k_atr": (0.5, 1.0, 1.2, 2.0, 2.5), "previous_weight": (0.1, 0.2, 0.4)}
    grid, values, taken = taken_by(tmp_path, [run], **wider)
    rows = made_rows(24, seed=1)
    pairs = by_hand(grid, run.grid)
    assert len(pairs) == 3 * 3 * 2
    for ours, theirs in pairs:
        assert values[ours].tobytes() == rows[theirs].tobytes()
    assert set(np.flatnonzero(taken)) == {ours for ours, _ in pairs}
    assert set(taken[taken > 0]) == {run.id}


def test_what_failed_or_is_missing_is_not_taken(tmp_path):
    run = kept(tmp_path, 1, failed=(3, 4), until=10)
    _, _, taken = taken_by(tmp_path, [run], buffer_ratio=(0.01, 0.02))
    assert np.count_nonzero(taken) == 10 - 2


def test_what_is_there_already_is_not_touched(tmp_path):
    run = kept(tmp_path, 1)
    done = np.zeros(24, dtype=bool)
    done[:20] = True
    _, values, taken = taken_by(tmp_path, [run], done)
    assert np.flatnonzero(taken).tolist() == [20, 21, 22, 23]
    assert np.isnan(values[:20]).all()


def test_of_several_runs_the_one_that_shares_most_comes_first(tmp_path):
    small = kept(tmp_path, 1, k_atr=(1.0, 3.0))
    large = kept(tmp_path, 2, k_atr=(1.0, 1.5, 2.0))
    grid, values, taken = taken_by(tmp_path, [small, large], k_atr=(1.0, 1.5, 2.0, 2.5, 3.0))
    sources = {
        k: set(taken[grid.columns()["k_atr"] == k].tolist()) for k in (1.0, 1.5, 2.0, 2.5, 3.0)
    }
    assert sources == {
        1.0: {large.id}, 1.5: {large.id}, 2.0: {large.id}, 2.5: {0}, 3.0: {small.id}
    }  # fmt: skip
    assert not np.isnan(values[taken > 0]).all(axis=1).any()


def test_grids_that_share_nothing(tmp_path):
    run = kept(tmp_path, 1)
    _, values, taken = taken_by(tmp_path, [run], k_atr=(7.0, 8.0))
    assert not taken.any()
    assert np.isnan(values).all()
