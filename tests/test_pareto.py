"""The Pareto set: against its definition, what of it is shown, and a choice of several."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_run import small_outcome

from bigbar import pareto
from bigbar.choice import Choice
from bigbar.errors import SettingsError
from bigbar.grid_search import choice_of
from bigbar.pareto import COMBINATION, PLACE, SHARED, non_dominated, pareto_set
from bigbar.results import ResultTable
from bigbar.statistics import COLUMN, STATISTICS
from bigbar.strategies.big_bar.parameters import grid_with

#: Few values, so that many are equal, and what has no order or no end.
SOME = st.sampled_from([-np.inf, -1.5, -1.0, -0.0, 0.0, 0.5, 2.0, np.inf, np.nan])
SCORES = st.integers(1, 5).flatmap(
    lambda width: arrays(
        np.float64,
        st.tuples(st.integers(0, 40), st.just(width)),
        elements=st.one_of(SOME, st.floats(-1e300, 1e300)),
    )
)


def by_definition(scores: np.ndarray) -> list[int]:
    """Every row against every other one."""
    known = [number for number, row in enumerate(scores) if not np.isnan(row).any()]

    def dominates(one: int, other: int) -> bool:
        return bool((scores[one] >= scores[other]).all() and (scores[one] > scores[other]).any())

    return [one for one in known if not any(dominates(other, one) for other in known)]


@given(SCORES, st.sampled_from([1, 30, 1 << 14]), st.integers(0, 3))
def test_it_is_what_no_other_dominates(scores, pairs, few):
    """However small the parts that are compared pair by pair, and whatever is sorted out before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pareto, "_PAIRS", pairs)
        patch.setattr(pareto, "_FEW", few)
        found = non_dominated(scores)
    assert sorted(found.tolist()) == by_definition(scores)
    rows = [tuple(-row + 0.0) for row in scores[found]]
    assert [(row, number) for row, number in zip(rows, found.tolist(), strict=True)] == sorted(
        (row, number) for row, number in zip(rows, found.tolist(), strict=True)
    )


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("all_of_them", [False, True])
def test_it_is_found_among_many(width, all_of_them):
    """More than are compared at once: spread anywhere, and on a sphere: none beats another."""
    scores = np.abs(np.random.default_rng(width).normal(size=(3_000, width)))
    if all_of_them:
        scores /= np.linalg.norm(scores, axis=1)[:, None]
    found = non_dominated(scores)
    better = [((scores >= row).all(axis=1) & (scores > row).any(axis=1)).any() for row in scores]
    assert sorted(found.tolist()) == np.flatnonzero(~np.array(better)).tolist()
    assert (len(found) == 3_000) is all_of_them


# ------------------------------------------------------------------------------------ the choice


def table_of(trades: list[float] | None = None, **columns: list[float]) -> ResultTable:
    """A table with some statistics, by what they are called without unit."""
    count = len(next(iter(columns.values())))
    grid = grid_with(
        atr_period=list(range(1, count + 1)), k_atr=1, uptail_max_ratio=1, previous_weight=1
    )
    values = np.zeros((count, len(STATISTICS)))
    values[:, COLUMN["# Trades"]] = 5 if trades is None else trades
    for name, held in columns.items():
        values[:, COLUMN[NAMED[name]]] = held
    return ResultTable(grid, values)


NAMED = {"sharpe": "Sharpe Ratio", "drawdown": "Max. Drawdown [%]", "risk": "Volatility (Ann.) [%]"}
BOTH = Choice.of(["Sharpe Ratio", "Max. Drawdown [%]"])


def test_each_objective_goes_its_better_way():
    table = table_of(sharpe=[1, 2, 3], drawdown=[-1, -2, -4], risk=[1, 2, 3])
    assert pareto_set(table, BOTH).points.tolist() == [2, 1, 0]
    lower = Choice.of(["Sharpe Ratio", "Volatility (Ann.) [%]"])
    assert pareto_set(table, lower).points.tolist() == [2, 1, 0]
    other = Choice.of(["Max. Drawdown [%]", "Volatility (Ann.) [%]"])
    assert pareto_set(table, other).points.tolist() == [0]


def test_what_does_not_count_is_not_in_it():
    table = table_of([5, 5, 2, 0], sharpe=[1, 9, 9, 9], drawdown=[-5, np.nan, 0, 0])
    choice = Choice.of(["Sharpe Ratio", "Max. Drawdown [%]"], 3)
    assert pareto_set(table, choice).numbers.tolist() == [0]
    assert table.best(choice) == 0
    assert np.isnan(table.scores(choice)).tolist() == [False, True, True, True]
    assert pareto_set(table, Choice.by_name("Sharpe Ratio")) is None
    assert pareto_set(table, Choice.of(["Sharpe Ratio", "SQN"], 9)) is None


def test_of_several_that_share_the_main_objective_the_next_one_tells():
    table = table_of(sharpe=[3, 3, 1, 3], drawdown=[-4, -2, -1, -2])
    assert table.best(BOTH) == 1
    assert table.best(Choice.by_name("Sharpe Ratio")) == 0
    assert [one.number for one in table.top(BOTH, 9)] == [1, 0, 2]
    found = pareto_set(table, BOTH)
    assert found.numbers.tolist() == [1, 3, 2]
    assert found.points.tolist() == [1, 2]
    assert found.sharing.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("maximize", "said"),
    [
        ([], "maximize is"),
        (["SQN", 3], "maximize is 3"),
        ({"SQN"}, "maximize is"),
        (["SQN", "sqn"], "'SQN' is to be maximized twice"),
        (["SQN", "Shrpe"], "did you mean 'Sharpe Ratio'"),
        (["SQN", "Duration"], "cannot be optimized"),
    ],
)
def test_what_is_no_objective(maximize, said):
    with pytest.raises(SettingsError, match=said):
        Choice.of(maximize)


def test_functions_are_told_apart():
    choice = Choice.of([lambda stats: 1, "SQN", lambda stats: 2])
    assert choice.names == ("lambda", "SQN", "lambda 2")
    rows = np.zeros((2, len(STATISTICS)))
    rows[0, COLUMN["# Trades"]] = 4
    assert choice.all_scores_of(rows)[0].tolist() == [1, 0, 2]
    assert np.isnan(choice.all_scores_of(rows)[1]).all()


def test_backtest_takes_several_in_their_better_direction_and_one_as_it_is():
    several = choice_of(["Volatility (Ann.) [%]", "SQN"])
    assert several.objectives[0].signed(np.array([2.0])) == -2
    assert choice_of("Volatility (Ann.) [%]").objectives[0].signed(np.array([2.0])) == 2


# --------------------------------------------------------------------------------- what is shown


def test_the_compromise_is_nearest_to_the_best_of_both():
    table = table_of(sharpe=[0, 8, 10, 1], drawdown=[0, -3, -10, -0.5])
    found = pareto_set(table, BOTH)
    assert found.points.tolist() == [2, 1, 3, 0]
    assert found.points[found.compromise] == 1
    assert found.scaled[0].tolist() == [1, 0]
    assert found.scaled[3].tolist() == [0, 1]


def test_an_infinite_value_stands_at_the_end():
    table = table_of(sharpe=[1, 2, np.inf, -np.inf], drawdown=[-2, -3, -4, -1])
    found = pareto_set(table, BOTH)
    assert found.scaled[:, 0].tolist() == [1, 1, 0, 0]
    assert 0 <= found.compromise < 4


@given(st.integers(1, 60), st.integers(2, 4), st.integers(1, 12), st.integers(0, 99))
def test_what_is_spread_holds_the_ends_and_the_compromise(count, width, wanted, seed):
    scores = np.abs(np.random.default_rng(seed).normal(size=(count, width))) + 0.01
    scores /= np.linalg.norm(scores, axis=1)[:, None]
    names = ["Sharpe Ratio", "Max. Drawdown [%]", "SQN", "Win Rate [%]"][:width]
    table = table_of(sharpe=[0.0] * count)
    table.values[:, [COLUMN[name] for name in names]] = scores
    found = pareto_set(table, Choice.of(names))
    places = found.spread(wanted)
    assert len(places) == len(set(places)) == min(wanted, len(found.starts))
    assert places == sorted(places)
    assert 0 in places
    if wanted > 1 or found.compromise == 0:
        assert found.compromise in places
    if wanted >= width + 1:
        assert found.scores.max(axis=0).tolist() == found.scores[places].max(axis=0).tolist()


@pytest.mark.parametrize(
    ("points", "count", "rows"), [(4, 3, 4), (5, 3, 5), (6, 3, 3), (3, 9, 3), (50, 48, 50)]
)
def test_one_or_two_are_not_left_out(points, count, rows):
    steps = np.linspace(0.1, 0.9, points)
    found = pareto_set(table_of(sharpe=steps, drawdown=1 - steps), BOTH)
    assert len(found.starts) == points
    assert len(found.shown(count)) == rows


def test_what_is_spread_is_evenly_spread():
    angles = np.linspace(0, np.pi / 2, 401)
    table = table_of(sharpe=np.cos(angles), drawdown=np.sin(angles))
    found = pareto_set(table, BOTH)
    steps = np.diff(found.spread(9))
    assert 25 <= steps.min() <= steps.max() <= 100


def test_the_frame_has_every_member_with_what_it_shares():
    outcome = small_outcome()
    outcome.choice = Choice.of(["Return [%]", "Max. Drawdown [%]", lambda stats: stats["SQN"]])
    outcome.score()
    found = outcome.pareto
    frame = found.frame()
    assert frame.index.name == COMBINATION
    assert frame.index.tolist() == found.numbers.tolist()
    assert frame[PLACE].is_monotonic_increasing
    assert frame.groupby(PLACE).size().tolist() == found.sharing.tolist()
    assert (frame[SHARED] == frame.groupby(PLACE)[SHARED].transform("size")).all()
    assert frame["lambda"].tolist() == frame["SQN"].tolist()
    assert list(frame.columns[:2]) == [PLACE, SHARED]
    first = frame.iloc[0]
    assert first["Return [%]"] == frame["Return [%]"].max()
    whole = outcome.table.frame()
    pd.testing.assert_frame_equal(
        frame[list(whole.columns)], whole.loc[frame.index], check_names=False, check_dtype=False
    )
