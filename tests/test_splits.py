"""A stretch of the file: both engines agree on any, and cuts are where they should be."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from agreement import EXAMPLES, disagreements, quick
from hypothesis import given, settings
from hypothesis import strategies as st
from made_bars import Case, Recipe, cases, make_bars

from bigbar.calendar import trading_weeks
from bigbar.engines.find import build_engine, engine_names
from bigbar.errors import DataError, SettingsError
from bigbar.job import Job
from bigbar.spec import StrategySpec
from bigbar.statistics import COLUMN
from bigbar.strategies.big_bar.description import BigBar, job_of
from bigbar.strategies.big_bar.indicators import first_trading_bar, with_indicators
from bigbar.strategies.big_bar.parameters import (
    Settings,
    big_bar_account,
    grid_with,
    longest_period,
)
from bigbar.validation.splits import holdout_split, walk_forward_splits

SPEC = BigBar()

GRID = grid_with(
    atr_period=[3, 7], k_atr=[0.7, 1.2], uptail_max_ratio=0.7, previous_weight=[0.0, 0.3],
)  # fmt: skip

#: Hourly, Sunday evening to Friday evening: 120 bars a week.
FOREX = Recipe(bars=700, calendar="forex", seed=4)


def job_on(case: Case, first: int, stop: int, engine: str = "compiled") -> Job:
    return job_of(case.grid, case.settings, engine, (first, stop))


# The engines.


@st.composite
def cases_with_spans(draw: st.DrawFn) -> tuple[Case, Job]:
    """Anything from two bars to all of them, anywhere."""
    case = draw(cases())
    warm, bars = first_trading_bar(longest_period(case.grid)), case.recipe.bars
    longest = draw(st.sampled_from((6, 40, bars)))
    first = draw(st.integers(warm, bars - 2))
    stop = draw(st.integers(first + 2, min(bars, first + max(2, longest))))
    return case, job_on(case, first, stop)


@pytest.mark.slow
def test_the_engines_agree_on_any_span() -> None:
    seen: Counter[str] = Counter()

    @settings(quick, max_examples=EXAMPLES // 3)
    @given(cases_with_spans())
    def compare(drawn: tuple[Case, Job]) -> None:
        case, job = drawn
        file = case.file()
        found = list(disagreements(file, job))
        assert not found, (job.span, found)
        assert job.span is not None
        first, stop = job.span
        weeks = trading_weeks(file.index)
        trades = build_engine(file, job).run(0, len(job.space))[:, COLUMN["# Trades"]]
        seen["up to five bars"] += stop - first <= 5
        seen["not to the end"] += stop < len(file)
        seen["starts inside a week"] += weeks[first - 1] == weeks[first]
        seen["ends inside a week"] += stop < len(file) and weeks[stop - 1] == weeks[stop]
        seen["in one week"] += weeks[first] == weeks[stop - 1]
        seen["no trade at all"] += trades.max() == 0
        seen["five trades"] += (trades >= 5).any()

    compare()
    assert {name for name, number in seen.items() if not number} == set()
    assert len(seen) == 7


@pytest.mark.slow
def test_wherever_a_span_ends() -> None:
    """No trade, one trade and more; trades closed, open, and ordered too late to be filled."""
    case = Case(FOREX, GRID, Settings(big_bar_account(commission=0.0001), 1))
    file = case.file()
    trades, open_ends = set(), 0
    for stop in range(142, 184):
        job = job_on(case, 140, stop)
        assert not list(disagreements(file, job, [0]))
        engine = build_engine(file, job)
        closed = engine.trades(0)
        trades.add(len(closed))
        open_ends += abs(engine.equity(0).iloc[-1] - 100_000 - closed["PnL"].sum()) > 1e-6
    assert {0, 1, 2, 3} <= trades
    assert open_ends >= 3


@pytest.mark.parametrize("engine", engine_names(SPEC))
def test_the_whole_file_is_the_default(engine: str) -> None:
    case = Case(FOREX, GRID, Settings(big_bar_account(), 1))
    file = case.file()
    plain = job_of(GRID, case.settings, engine)
    spanned = job_on(case, 7, len(file), engine)
    assert (plain.first_bar, plain.stop_bar, plain.bars) == (7, None, slice(7, None))
    assert (spanned.first_bar, spanned.stop_bar, spanned.bars) == (7, 700, slice(7, 700))
    for number in (0, len(GRID) - 1):
        slices = [build_engine(file, job).run(number, number + 1) for job in (plain, spanned)]
        np.testing.assert_array_equal(*slices)


def test_what_comes_after_a_span_changes_nothing_but_the_week() -> None:
    """A span's answer is that of the file cut off there, if that is where a week ends anyway."""
    case = Case(FOREX, GRID, Settings(big_bar_account(), 6))
    file = case.file()
    edges = SPEC.cuts(file.index, (7, len(file)))
    stop = int(edges[2])
    cut = with_indicators(make_bars(case.recipe).iloc[:stop], 6)
    answers = [build_engine(bars, job_on(case, 7, stop)).run(0, len(GRID)) for bars in (file, cut)]
    np.testing.assert_array_equal(*answers)


def test_weeks_are_cut_on_the_whole_file() -> None:
    """In the middle of a week no bar is restricted, though it is the span's first or last."""
    case = Case(FOREX, GRID, Settings(big_bar_account(), 6))
    file = case.file()
    week = int(SPEC.cuts(file.index, (7, len(file)))[1])
    first, stop = week + 30, week + 90
    assert not file["Restricted"].to_numpy()[first:stop].any()
    within = build_engine(file, job_on(case, first, stop))
    alone = with_indicators(make_bars(case.recipe).iloc[:stop], 6)
    assert alone["Restricted"].to_numpy()[stop - 6 :].all()
    cut = build_engine(alone, job_on(case, first, stop))
    here, there = within.equity(0), cut.equity(0)
    assert here.iloc[:-6].equals(there.iloc[:-6])
    assert here.nunique() > 5
    assert not here.equals(there)  # Where the file ends, no position is held to the end.
    assert not list(disagreements(file, job_on(case, first, stop)))


def test_a_span_before_the_indicators_is_refused() -> None:
    for span in ((6, 100), (0, 100), (-5, 100)):
        with pytest.raises(SettingsError, match="ATR period 7 is from bar 7 on"):
            job_of(GRID, Settings(), "compiled", span)
    with pytest.raises(SettingsError, match="from bar 3 on"):
        job_of(grid_with(atr_period=1), Settings(), "compiled", (2, 100))


@pytest.mark.parametrize("stop", [5, 7, 8])
def test_a_span_too_short_to_trade_in_is_refused(stop: int) -> None:
    with pytest.raises(SettingsError, match="at least 2 bars"):
        job_of(GRID, Settings(), "compiled", (7, stop))


@pytest.mark.parametrize("engine", engine_names(SPEC))
def test_a_span_beyond_the_file_is_refused(engine: str) -> None:
    case = Case(Recipe(bars=50), GRID, Settings())
    with pytest.raises(DataError, match="to bar 51 of a file of 50 bars"):
        build_engine(case.file(), job_on(case, 7, 51, engine))


# Cuts.


def index_of(weeks: list[int], start: str = "2024-01-07 23:00") -> pd.DatetimeIndex:
    """Hours of weeks with so many bars each, from Sunday evening on."""
    sundays = pd.date_range(start, periods=len(weeks), freq="7D", tz="UTC")
    stretches = [
        pd.date_range(sunday, periods=bars, freq="h")
        for sunday, bars in zip(sundays, weeks, strict=True)
    ]
    return pd.DatetimeIndex(np.concatenate(stretches), tz="UTC")


def test_week_edges() -> None:
    index = index_of([120, 120, 90, 120])
    assert SPEC.cuts(index, (0, 450)).tolist() == [0, 120, 240, 330, 450]
    assert SPEC.cuts(index, (20, 400)).tolist() == [20, 120, 240, 330, 400]
    assert SPEC.cuts(index, (240, 330)).tolist() == [240, 330]


def test_a_sliver_of_a_week_goes_with_its_neighbour() -> None:
    index = index_of([120, 120, 90, 120])
    assert SPEC.cuts(index, (100, 450)).tolist() == [100, 240, 330, 450]
    assert SPEC.cuts(index, (0, 340)).tolist() == [0, 120, 240, 340]
    assert SPEC.cuts(index, (118, 243)).tolist() == [118, 243]
    assert SPEC.cuts(index, (239, 335)).tolist() == [239, 335]


@pytest.mark.parametrize(("bars", "own"), [(61, True), (60, True), (59, False)])
def test_half_of_a_week_is_a_week(bars: int, own: bool) -> None:
    """At either end, where the longest has 120 bars: less than half of them is none."""
    at_the_end = SPEC.cuts(index_of([120, 120, bars]), (0, 240 + bars)).tolist()
    assert at_the_end == ([0, 120, 240, 240 + bars] if own else [0, 120, 240 + bars])
    index, first = index_of([120, 120, 120]), 120 - bars
    at_the_start = SPEC.cuts(index, (first, 360)).tolist()
    assert at_the_start == ([first, 120, 240, 360] if own else [first, 240, 360])


@pytest.mark.parametrize(("weeks", "cut"), [([2, 3], 2), ([3, 2], 3), ([2, 2], 2)])
def test_two_bars_are_enough_on_either_side_of_a_cut(weeks: list[int], cut: int) -> None:
    """Bars from week to week, so that the weeks themselves are that short."""
    assert holdout_split(SPEC, index_of(weeks), (0, sum(weeks)), 0.5) == cut


@pytest.mark.parametrize("weeks", [[1, 2], [2, 1], [1, 1]])
def test_a_single_bar_is_not(weeks: list[int]) -> None:
    with pytest.raises(DataError, match="at least 2 trading weeks"):
        holdout_split(SPEC, index_of(weeks), (0, sum(weeks)), 0.5)


def test_windows_of_two_bars_are_enough() -> None:
    splits = walk_forward_splits(
        SPEC, index_of([2] * 9), (0, 18), windows=6, share=0.25, anchored=False
    )  # fmt: skip
    assert [stop - first for first, stop in (one.test for one in splits)] == [2] * 6


def test_week_edges_are_in_universal_time() -> None:
    """Sunday evening in New York is Sunday in London, and its Saturday 20:00 is as well."""
    index = pd.date_range("2024-01-06 16:00", periods=8, freq="h", tz="America/New_York")
    assert SPEC.cuts(index, (0, 8)).tolist() == [0, 3, 8]


def test_holdout_is_cut_at_the_nearest_week() -> None:
    index = index_of([100] * 10)
    assert holdout_split(SPEC, index, (0, 1000), 0.2) == 800
    assert holdout_split(SPEC, index, (0, 1000), 0.24) == 800
    assert holdout_split(SPEC, index, (0, 1000), 0.26) == 700
    assert holdout_split(SPEC, index, (0, 1000), 0.01) == 900
    assert holdout_split(SPEC, index, (0, 1000), 0.99) == 100
    assert holdout_split(SPEC, index, (300, 1000), 0.2) == 900
    assert holdout_split(SPEC, index, (0, 900), 0.5) == 400


def test_holdout_needs_two_weeks() -> None:
    index = index_of([100, 100, 100])
    assert holdout_split(SPEC, index, (0, 200), 0.2) == 100
    with pytest.raises(DataError, match=r"at least 2 trading weeks .* 100 bars .* are in 1"):
        holdout_split(SPEC, index, (100, 200), 0.2)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, 1.5, float("nan")])
def test_holdout_share(share: float) -> None:
    with pytest.raises(SettingsError, match="above 0 and below 1"):
        holdout_split(SPEC, index_of([100] * 3), (0, 300), share)


def test_rolling_windows() -> None:
    index = index_of([100] * 9)
    splits = walk_forward_splits(SPEC, index, (0, 900), windows=6, share=0.25, anchored=False)
    assert [one.train for one in splits] == [(a, a + 300) for a in range(0, 600, 100)]
    assert [one.test for one in splits] == [(a, a + 100) for a in range(300, 900, 100)]


def test_anchored_windows() -> None:
    index = index_of([100] * 9)
    splits = walk_forward_splits(SPEC, index, (20, 900), windows=6, share=0.25, anchored=True)
    assert [one.train for one in splits] == [(20, a) for a in range(300, 900, 100)]
    assert [one.test for one in splits] == [(a, a + 100) for a in range(300, 900, 100)]


@quick
@given(
    lengths=st.lists(st.integers(20, 120), min_size=2, max_size=60),
    windows=st.integers(1, 20),
    share=st.floats(0.05, 0.95),
    anchored=st.booleans(),
    cut=st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
def test_any_windows(
    lengths: list[int], windows: int, share: float, anchored: bool, cut: tuple[int, int]
) -> None:
    index = index_of(lengths)
    span = cut[0], len(index) - cut[1]
    if span[1] - span[0] < 2:
        return
    edges = SPEC.cuts(index, span).tolist()
    ratio = (1 - share) / share
    if len(edges) - 1 < windows + max(ratio / 2, 1) - 1e-9:
        with pytest.raises(DataError, match=f"are in {len(edges) - 1}$"):
            walk_forward_splits(SPEC, index, span, windows=windows, share=share, anchored=anchored)
        return
    splits = walk_forward_splits(SPEC, index, span, windows=windows, share=share, anchored=anchored)
    assert len(splits) == windows
    assert splits[0].train[0] == span[0]
    assert splits[-1].test[1] == span[1]
    for one in splits:
        assert set(one.train + one.test) <= set(edges)
        assert one.train[0] < one.train[1] == one.test[0] < one.test[1]
    weeks = [[edges.index(bar) for bar in one.train + one.test] for one in splits]
    for (start, end, _, stop), (next_start, next_end, *_) in itertools.pairwise(weeks):
        assert next_end == stop
        assert next_start == (0 if anchored else start + next_end - end)
    tests = [stop - begin for *_, begin, stop in weeks]
    assert max(tests) - min(tests) <= 1
    train = weeks[0][1]
    part = (len(edges) - 1) / (windows + ratio)
    if part >= 1:
        assert abs(train - max(part * ratio, 1)) <= 0.5 + 1e-6
    else:
        assert set(tests) == {1}
        assert ratio / 2 - 1e-9 <= train < ratio


def test_training_windows_shrink_where_weeks_are_few() -> None:
    index = index_of([100] * 14)
    splits = walk_forward_splits(SPEC, index, (0, 1400), windows=12, share=0.25, anchored=False)
    assert {stop - first for first, stop in (one.train for one in splits)} == {200}
    assert {stop - first for first, stop in (one.test for one in splits)} == {100}


def test_too_few_weeks_for_the_windows() -> None:
    index = index_of([100] * 13)
    with pytest.raises(DataError, match=r"need 14 trading weeks, and the 1,300 .* are in 13"):
        walk_forward_splits(SPEC, index, (0, 1300), windows=12, share=0.25, anchored=False)
    with pytest.raises(DataError, match="50% out of sample need 14 trading weeks"):
        walk_forward_splits(SPEC, index, (0, 1300), windows=13, share=0.5, anchored=False)
    assert (
        len(walk_forward_splits(SPEC, index, (0, 1300), windows=12, share=0.5, anchored=False))
        == 12
    )


def test_windows_of_a_single_bar_are_refused() -> None:
    index = pd.date_range("2024-01-07", periods=40, freq="W")
    with pytest.raises(DataError, match="have 1 bar"):
        walk_forward_splits(SPEC, index, (0, 40), windows=30, share=0.25, anchored=False)
    assert (
        len(walk_forward_splits(SPEC, index, (0, 40), windows=5, share=0.25, anchored=False)) == 5
    )


def test_windows_that_make_no_sense() -> None:
    index = index_of([100] * 9)
    with pytest.raises(SettingsError, match="at least 1 window"):
        walk_forward_splits(SPEC, index, (0, 900), windows=0, share=0.25, anchored=False)
    with pytest.raises(SettingsError, match="out of sample is 1"):
        walk_forward_splits(SPEC, index, (0, 900), windows=3, share=1, anchored=False)


# Strategies that may be cut at any bar.


def test_any_strategy_is_cut_at_the_nearest_bar() -> None:
    spec = StrategySpec("my.py:Mine")
    index = index_of([100] * 3)
    assert holdout_split(spec, index, (0, 300), 0.2) == 240
    assert holdout_split(spec, index, (37, 300), 0.5) == 168
    assert holdout_split(spec, index, (10, 14), 0.01) == 12
    with pytest.raises(DataError, match="at least 4 bars are needed, and 3 take part: use a long"):
        holdout_split(spec, index, (10, 13), 0.5)


def test_windows_of_any_strategy_are_of_bars() -> None:
    spec = StrategySpec("my.py:Mine")
    index = index_of([100] * 3)
    splits = walk_forward_splits(spec, index, (0, 300), windows=3, share=0.25, anchored=False)
    assert [one.train for one in splits] == [(0, 150), (50, 200), (100, 250)]
    assert [one.test for one in splits] == [(150, 200), (200, 250), (250, 300)]
    with pytest.raises(DataError, match=r"25% out of sample need 6 bars, and 5 take part$"):
        walk_forward_splits(spec, index, (0, 5), windows=4, share=0.25, anchored=False)
