"""Trying some of a grid: which points, and the run over them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_run import small_bars

import bigbar
from bigbar.constraint import Constraint
from bigbar.errors import SettingsError
from bigbar.history.command import main as look_back
from bigbar.options import parse_options
from bigbar.progress.events import Listener
from bigbar.search.find import Points, Search
from bigbar.search.random import draw
from bigbar.space import Space

#: Ten billion points.
HUGE = Space.of(**{name: range(100) for name in "abcde"})

#: The same of BigBar's, whose engine must hold nothing of that size either.
HUGE_AXES = {
    "atr_period": "5:14:1", "k_atr": "0.5:2:0.001", "uptail_max_ratio": "0.5:0.9:0.01",
    "previous_weight": "0:0.8:0.005", "buffer_ratio": "0:0.1:0.001",
}  # fmt: skip
HUGE_RUN = {"method": "random", "max_tries": 150, "verify": 3, "engine": "compiled"}


# -------------------------------------------------------------------------------------- points


def test_each_point_once_and_the_same_for_a_seed():
    drawn = draw(HUGE, 3000)
    assert len(drawn) == 3000
    assert drawn.kept is not None
    assert (np.diff(drawn.kept) > 0).all()
    assert drawn == draw(HUGE, 3000, seed=0) != draw(HUGE, 3000, seed=1)
    assert drawn.is_sample
    assert drawn.parameters == HUGE.parameters


def test_more_tries_begin_with_those_of_fewer():
    assert set(map(int, draw(HUGE, 500).kept)) < set(map(int, draw(HUGE, 2500).kept))


def test_they_are_spread_evenly():
    """Of every parameter each tenth of the values as often as any other, unlike by dice."""
    for places in draw(HUGE, 2000).all_places():
        counts = np.bincount(places // 10, minlength=10)
        assert abs(counts - 200).max() <= 4


def test_nothing_is_as_large_as_the_space():
    tracemalloc.start()
    try:
        drawn = draw(HUGE, 2000, constraints=[Constraint("a < b", HUGE.names)])
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(drawn) == 2000
    assert taken < 30e6  # A bit a point would be 1.25 GB; scipy itself is a part of this.


@pytest.mark.parametrize(
    "constraint", [Constraint("a < b and c % 7 == 3", HUGE.names), lambda p: p.a < p["b"] < p.c]
)
def test_constraints_are_met(constraint):
    drawn = draw(HUGE, 400, constraints=[constraint])
    assert len(drawn) == 400
    assert all(constraint(point) for point in drawn)


@settings(max_examples=20)
@given(st.integers(1, 60), st.integers(0, 3), st.integers(1, 6))
def test_as_many_as_there_are_of_a_small_space(count, seed, most):
    space = Space.of(a=range(7), b=range(2), c=["x"], d=range(4))
    admitted = [point for point in space if point["a"] < most]
    drawn = draw(space, min(count, 55), constraints=[lambda p: p.a < most], seed=seed)
    assert len(drawn) == min(count, 55, len(admitted))
    assert all(point in admitted for point in drawn)
    if len(admitted) < count:
        assert not drawn.is_sample
    if len(admitted) > len(drawn):
        assert drawn.is_sample


def test_what_is_rare_in_a_space_that_can_be_held_is_found():
    space = Space.of(a=range(1000), b=range(1000), c=range(10))
    drawn = draw(space, 20, constraints=[Constraint("a == b and a > 990 and c == 3", space.names)])
    assert len(drawn) == 9
    assert not drawn.is_sample


@pytest.mark.slow
def test_what_cannot_be_found_or_numbered_is_refused():
    with pytest.raises(SettingsError, match=r"of 10,000,000,000 combinations none was found"):
        draw(HUGE, 5, constraints=[lambda p: False])
    endless = Space.of(**{name: range(1000) for name in "abcdefgh"})
    with pytest.raises(SettingsError, match="too many to be numbered"):
        draw(endless, 5)


# ------------------------------------------------------------------------------- the method


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("random",), "--method random needs --max-tries N"),
        (("grid", 5), "nothing for --max-tries to say"),
        (("best", 5), "it can be grid, random"),
        (("local",), "--method local needs --max-tries N"),
        ((None, 0), "at least 1"),
        ((None, 1.5), "a whole number"),
        (("random", 10**9), "at most 100,000,000"),
    ],
)
def test_what_makes_no_sense_is_refused(asked, why):
    with pytest.raises(SettingsError, match=why):
        Search(*asked)


def test_as_many_tries_as_there_are_combinations_are_all_of_them():
    space = Space.of(a=range(3), b=range(3))
    assert Search("random", 9).points(space, (), lambda: space) == Points(space)
    some = Search(None, 8).points(space, (), lambda: space)
    assert (len(some.space), some.whole.combinations, some.whole.space()) == (8, 9, space)
    assert some.asking.method == "local"
    assert Search("random", 8).points(space, (), lambda: space) == Points(some.space)
    assert Search("local", 8).points(space, (), lambda: space) == replace(some, whole=None)


def test_from_the_command_line():
    words = ["x.csv", "--k-atr", "1:4:0.0001", "--previous-weight", "0.1:0.8:0.0001"]
    with pytest.raises(SettingsError, match="try some of them with --max-tries, or keep the best"):
        parse_options(words)
    asked = parse_options([*words, "--max-tries", "70", "--constraint", "k_atr < 2"]).request
    assert len(asked.space) == 70
    assert (asked.space.columns()["k_atr"] < 2).all()
    assert asked.whole is not None
    assert asked.whole.combinations == asked.space.product > 10**9
    named = parse_options([*words, "--max-tries", "70", "--method", "random", "--seed", "3"])
    assert named.request.whole is None
    for more, why in [
        (["--no-optimize", "--max-tries", "3"], "--no-optimize runs one backtest"),
        (["--max-tries", "70", "--choose", "robust"], "leaves out; try the whole grid"),
    ]:
        with pytest.raises(SettingsError, match=why):
            parse_options(["x.csv", *more])


def test_one_setting_for_several_files_is_sought_on_the_same_points():
    files = ["one.csv", "two.csv", "--k-atr", "1:4:0.0001", "--max-tries", "70"]
    apart = parse_options(files).request
    assert apart.asking.method == "local"
    together = parse_options([*files, "--common", "worst"]).request
    assert (together.asking, together.whole, len(together.space)) == (None, None, 70)
    with pytest.raises(SettingsError, match="--method local tries others on each"):
        parse_options([*files, "--common", "worst", "--method", "local"])


# ---------------------------------------------------------------------------------- the run


class Told(Listener):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def event(self, what: str) -> None:
        self.said.append(what)

    def reusing(self, rows, there, runs) -> None:
        self.said.append(f"{rows} rows of {runs}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def found(folder):
    return bigbar.optimize(small_bars().frame, **HUGE_RUN, **HUGE_AXES, workers=2, store=folder)


@pytest.mark.slow
def test_a_run_over_ten_billion_combinations(found):
    space = found.outcome.job.space
    assert space.product == 10_007_182_010
    assert len(found) == len(found.table().drop_duplicates(space.names)) == 150
    assert found.verification.ok
    assert found.table()["# Trades"].max() > 5
    assert found.best_parameters == dict(space[found.outcome.best])


def test_what_is_valid_of_some_is_found_and_what_is_not_is_left_out_with_the_reason(found):
    findings = found.findings
    assert findings.plateau is None
    assert findings.costs is not None
    assert any(
        note.startswith("150 of 10,007,182,010") and "no plateau was looked for" in note
        for note in findings.notes
    )


def test_the_page_of_it(found, tmp_path):
    assert found.report(tmp_path / "page.html").stat().st_size > 100_000


def test_the_page_of_the_stored_run(found, folder, tmp_path, capsys):
    """Drawn again from the store, which remembers that chance chose what was run."""
    prices = tmp_path / "prices.csv"
    small_bars().frame.to_csv(prices, index_label="time")
    assert (
        look_back(["report", str(found.run), "--output", str(folder), "--data", str(prices)]) == 0
    )
    assert "broke off" not in capsys.readouterr().err


def test_other_workers_have_the_same_points_and_rows(found):
    again = bigbar.optimize(
        small_bars().frame, **HUGE_RUN | {"verify": 0}, **HUGE_AXES, workers=1, validate=False
    )
    assert again.outcome.job.space == found.outcome.job.space
    assert again.result_sha256 == found.result_sha256


def test_more_tries_take_what_there_is_from_the_store(found, folder):
    told = Told()
    more = HUGE_RUN | {"max_tries": 220, "verify": 0, "validate": False}
    again = bigbar.optimize(
        small_bars().frame, **more, **HUGE_AXES, workers=1, store=folder, listener=told
    )
    assert told.said == [f"150 rows of [{found.run}]"]
    assert len(again) == 220


def test_a_quick_grid_is_run_whole_and_that_is_said():
    told = Told()
    axes = {"atr_period": "5:14:1", "k_atr": "0.5:2:0.5"}
    plain = {"verify": 0, "validate": False, "workers": 1, "listener": told}
    whole = bigbar.optimize(small_bars().frame, max_tries=50, **plain, **axes)
    count = 10 * 4 * 5 * 8
    assert len(whole) == count
    assert told.said == [
        f"compiled, all {count:,} combinations take under a minute: they are run in place of 50 "
        "(--method local tries no more than these)"
    ]
    in_python = bigbar.optimize(
        small_bars().frame, max_tries=5, engine="backtesting", **plain, **axes
    )
    assert len(in_python) == 5


def test_whether_chance_chose_the_points_makes_no_other_space():
    drawn = draw(Space.of(a=range(9), b=range(9)), 20)
    assert drawn == Space(drawn.parameters, drawn.kept)
    assert drawn.where(lambda p: p.a > 2).is_sample
