"""The setting for several files: against a plain computation with pandas, and its edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from bigbar.choice import Choice
from bigbar.validation.common_choice import (
    CRITERIA,
    FIGURES,
    CommonChoice,
    ResultsOfFiles,
    ranks_of,
)

#: Few different values, so that many are equal, and some that are none.
_VALUE = st.sampled_from([-2.0, -1.0, 0.0, 1.5, 3.0, float("inf"), -float("inf"), float("nan")])


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Objectives and trades, shape (files, combinations)."""
    files, combinations = draw(st.integers(2, 5)), draw(st.integers(1, 8))
    shape = st.lists(
        st.lists(_VALUE, min_size=combinations, max_size=combinations),
        min_size=files, max_size=files,
    )  # fmt: skip
    trades = st.lists(
        st.lists(st.integers(0, 3), min_size=combinations, max_size=combinations),
        min_size=files, max_size=files,
    )  # fmt: skip
    return np.array(draw(shape)), np.array(draw(trades), dtype=float)


def chosen(values: np.ndarray, trades: np.ndarray, criterion: str, choice: Choice) -> CommonChoice:
    with ResultsOfFiles(values.shape[1], choice, criterion) as results:
        for number, (row, made) in enumerate(zip(values, trades, strict=True)):
            figures = [row, -row, np.abs(row), made]
            results.add(f"file {number}", row, figures)
        return results.choose()


def plain(scores: pd.DataFrame, criterion: str) -> int | None:
    """The best over all rows that have no NaN; scores as (combination, file)."""
    if criterion == "worst":
        merits = scores.min(axis=1, skipna=False)
    else:
        ranks = scores.rank(ascending=False, na_option="bottom")
        merits = -ranks.sum(axis=1)
    merits = merits[scores.notna().all(axis=1)]
    return None if merits.empty else int(merits.index[np.argmax(merits.to_numpy())])


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("objective", ["Return [%]", "Volatility (Ann.) [%]"])
@given(held=tables(), least=st.integers(0, 2))
def test_against_pandas(criterion, objective, held, least):
    values, trades = held
    choice = Choice.by_name(objective, least)
    found = chosen(values, trades, criterion, choice)
    rows = [choice.scores(row, made) for row, made in zip(values, trades, strict=True)]
    scores = pd.DataFrame(np.array(rows).T)
    assert found.number == plain(scores, criterion)
    assert list(found.counting) == list(scores.notna().all(axis=1))
    for place, other in enumerate(found.left_out):
        expected = plain(scores.drop(columns=place), criterion)
        assert (None if other is None else other.number) == expected
        if other is not None:
            ranks = scores[place].rank(ascending=False, na_option="bottom")
            assert other.rank == ranks[expected]
            below = (ranks > ranks[expected]).sum() + ((ranks == ranks[expected]).sum() - 1) / 2
            count = len(ranks) - 1
            assert other.better_than == pytest.approx(below / count if count else 0.5)
            assert other.counts == scores.notna()[place][expected]
    for one, row, made in zip(found.of_files, values, trades, strict=False):
        assert one.value == row[found.number]
        assert one.figures["# Trades"] == made[found.number]
    if found.number is not None and criterion == "mean-rank":
        ranks = scores.rank(ascending=False, na_option="bottom")
        assert found.value == pytest.approx(ranks.loc[found.number].mean())


@given(st.lists(_VALUE, min_size=1, max_size=12))
def test_ranks(values):
    scores = np.array(values)
    expected = rankdata(np.where(np.isnan(scores), np.nan, -scores), nan_policy="omit")
    counting = ~np.isnan(scores)
    assert np.array_equal(ranks_of(scores)[counting], expected[counting])
    last = rankdata(counting * -1.0)[~counting]
    assert np.array_equal(ranks_of(scores)[~counting], last)


def test_what_is_worst_is_said_in_the_objectives_own_sign():
    values = np.array([[1.0, 5.0], [2.0, 4.0]])
    trades = np.ones((2, 2))
    low = chosen(values, trades, "worst", Choice.by_name("Volatility (Ann.) [%]"))
    high = chosen(values, trades, "worst", Choice.by_name("Return [%]"))
    assert (low.number, low.value) == (0, 2.0)
    assert (high.number, high.value) == (1, 4.0)


def test_what_does_not_count_on_one_file_is_not_chosen():
    values = np.array([[9.0, 1.0], [9.0, 1.0], [9.0, 1.0]])
    trades = np.array([[5.0, 5.0], [5.0, 5.0], [1.0, 5.0]])
    found = chosen(values, trades, "mean-rank", Choice.by_name("Return [%]", 2))
    assert found.number == 1
    # Without the third file the first would be: there it shares the last rank.
    assert [one.number for one in found.left_out] == [1, 1, 0]
    assert not found.left_out[2].counts
    assert found.left_out[2].rank == 2.0


def test_all_of_a_file_is_kept_on_disk_not_in_memory(tmp_path):
    """What is held does not grow with the files."""
    import tracemalloc

    combinations = 100_000
    random = np.random.default_rng(1)
    with ResultsOfFiles(
        combinations, Choice.by_name("Return [%]"), "mean-rank", folder=tmp_path
    ) as results:
        held = []
        tracemalloc.start()
        for number in range(12):
            values = random.standard_normal(combinations)
            results.add(f"file {number}", values, [values, values, values, np.ones(combinations)])
            del values
            held.append(tracemalloc.get_traced_memory()[0])
        assert held[-1] - held[1] < 0.1 * 8 * combinations
        found = results.choose()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(found.of_files) == 12
    assert peak < 25 * 8 * combinations
    assert not list(tmp_path.iterdir())


def test_the_figures_are_statistics():
    from bigbar.statistics import NAMES

    assert set(FIGURES) <= set(NAMES)
