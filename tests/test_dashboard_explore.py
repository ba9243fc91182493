"""Exploring a stored run: every answer against a plain pandas computation, and what is refused."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dashboard_explore_tools import made_run, made_values, mixed_space, table_in
from dashboard_tools import wait_until
from hypothesis import given, settings
from hypothesis import strategies as st
from store_tools import begun, change

from bigbar.choice import Choice
from bigbar.dashboard.explore import cells, heat, scatter
from bigbar.dashboard.explore.asked import question_in
from bigbar.dashboard.explore.combination import combination
from bigbar.dashboard.explore.filters import filters_in, matching
from bigbar.dashboard.explore.overview import overview, plateau
from bigbar.dashboard.explore.pages import QUESTIONS
from bigbar.dashboard.explore.parallel import parallel
from bigbar.dashboard.explore.rows import rows
from bigbar.dashboard.explore.stored import Shelf, StoredTable
from bigbar.errors import InputError
from bigbar.results import ResultTable
from bigbar.statistics import COLUMN, NAMES
from bigbar.store.rows import Finished, Slice
from bigbar.store.runs import RunStore
from bigbar.store.schema import NoSuchRun, StoreError
from bigbar.validation.plateau import find_plateau

DAY_NS = 24 * 3600 * 1e9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run 1 is finished, and 3 of it failed; run 2 stopped after 20."""
    found = tmp_path_factory.mktemp("made")
    values = made_values(len(mixed_space()))
    values[[4, 9, 30]] = np.nan
    failures = {4: "killed", 9: "Traceback (most recent call last):\nValueError: no", 30: "killed"}
    made_run(found, values, failures=failures)
    made_run(found, made_values(len(mixed_space()), 1), done=20)
    return found


@pytest.fixture(scope="module")
def real(folder: Path) -> StoredTable:
    return table_in(folder, 1)


def with_values(real: StoredTable, values: np.ndarray, done: np.ndarray) -> StoredTable:
    """The same run with other rows."""
    values = np.asfortranarray(np.where(done[:, None], values, np.nan))
    table = ResultTable(real.table.space, values)
    return StoredTable(real.run, table, done, {}, (), _answers=OrderedDict())


def frame_of(stored: StoredTable) -> pd.DataFrame:
    """All combinations that are there, as pandas has them; durations in days."""
    frame = pd.DataFrame(stored.table.values, columns=list(NAMES))
    for name in NAMES:
        if name.endswith("Duration"):
            frame[name] /= DAY_NS
    for parameter, places in zip(
        stored.table.space.parameters, stored.table.space.all_places(), strict=True
    ):
        frame[f"p:{parameter.name}"] = places
    return frame[stored.done]


TESTED = ("Return [%]", "# Trades", "Max. Drawdown Duration", "Max. Drawdown [%]", "Beta")


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count = len(mixed_space())
    values = made_values(count, draw(st.integers(0, 10_000)))
    done = np.ones(count, bool)
    done[draw(st.lists(st.integers(0, count - 1), max_size=20))] = False
    return values, done


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(TESTED), max_size=2, unique=True)):
        bounds = {"least": draw(st.none() | st.floats(-1, 1).map(lambda x: round(x, 1)))}
        found[f"s:{name}"] = bounds | {"most": draw(st.none() | st.floats(-0.5, 5))}
    if draw(st.booleans()):
        found["p:side"] = {"places": draw(st.lists(st.integers(0, 1), max_size=3))}
    if draw(st.booleans()):
        found["p:n"] = {"least": draw(st.integers(0, 3)), "most": draw(st.integers(2, 6))}
    return found


def passing(frame: pd.DataFrame, asked: dict[str, Any]) -> pd.DataFrame:
    """Filtered by pandas."""
    for key, said in asked.items():
        column = frame[key if key[0] == "p" else key[2:]]
        if key == "p:n":
            column = column.map({0: 1, 1: 2, 2: 3, 3: 5})
        if said.get("least") is not None:
            frame = frame[column >= said["least"]]
            column = column[frame.index]
        if said.get("most") is not None:
            frame = frame[column <= said["most"]]
            column = column[frame.index]
        if said.get("places") is not None:
            frame = frame[column.isin(said["places"])]
    return frame


def scores_of(frame: pd.DataFrame) -> pd.Series:
    return frame["Return [%]"].where(frame["# Trades"] >= 1)


# -------------------------------------------------------------------------------- against pandas


@given(tables(), filters(), st.sampled_from([*TESTED, None]), st.booleans())
@settings(max_examples=60)
def test_rows_are_those_that_pandas_filters_and_sorts(real, table, asked, by, descending):
    stored = with_values(real, *table)
    wanted = passing(frame_of(stored), asked)
    if by is not None:
        wanted = wanted.sort_values(by, ascending=not descending, kind="stable", na_position="last")
        if descending:  # Equal ones in grid order all the same.
            wanted = wanted.iloc[np.lexsort((wanted.index, -wanted[by]))]
    elif descending:
        wanted = wanted[::-1]
    question = {"filters": asked, "sort": by and f"s:{by}", "descending": descending}
    pages = [rows(stored, question | {"offset": at, "count": 17}) for at in range(0, 50, 17)]
    assert [number for page in pages for number in page["numbers"]] == wanted.index.tolist()
    assert {page["total"] for page in pages} == {len(wanted)}
    found = [row for page in pages for row in page["rows"]]
    statistics = np.array([row[4:] for row in found], float).reshape(len(found), len(NAMES))
    np.testing.assert_array_equal(statistics, wanted[list(NAMES)].to_numpy())
    space = stored.table.space
    assert [row[:4] for row in found] == [list(space[number].values()) for number in wanted.index]


@given(tables(), filters(), st.sampled_from(heat.SHOWN), st.sampled_from(TESTED[:4]))
@settings(max_examples=60)
def test_the_heatmap_is_that_of_pandas(real, table, asked, show, name):
    stored = with_values(real, *table)
    frame = passing(frame_of(stored), asked)
    frame = frame[(frame["# Trades"] > 0) & np.isfinite(frame[name])]
    lower = name == "Max. Drawdown Duration"
    best = {"best": "min" if lower else "max", "worst": "max" if lower else "min"}
    wanted = frame.groupby(["p:n", "p:side"])[name].agg(best.get(show, show))
    found = heat.heatmap(
        stored,
        {"filters": asked, "x": "p:n", "y": "p:side", "statistic": f"s:{name}", "show": show},
    )
    assert found["total"] == len(frame)
    assert found["size"] == [4, 2]
    assert {(x, y) for x, y, *_ in found["cells"]} == set(wanted.index)
    held = frame.groupby(["p:n", "p:side"]).size()
    scores = scores_of(frame)
    for x, y, value, count, number in found["cells"]:
        assert value == pytest.approx(wanted[x, y], rel=1e-12)
        assert count == held[x, y]
        inside = frame[(frame["p:n"] == x) & (frame["p:side"] == y)]
        if show in best:
            assert number == inside.index[inside[name] == value][0]
        else:
            there = scores[inside.index].dropna()
            assert number == (there.index[there == there.max()][0] if len(there) else None)
    drawn = [cell[2] for cell in found["cells"]]
    assert (found["low"], found["high"]) == (min(drawn, default=None), max(drawn, default=None))


@given(tables(), filters(), st.sampled_from(TESTED), st.sampled_from(TESTED))
@settings(max_examples=60)
def test_the_front_of_the_scatter_is_what_no_other_beats(real, table, asked, name, other):
    """Of what passes and has traded, each in its better direction."""
    stored = with_values(real, *table)
    question = {"filters": asked, "x": f"s:{other}", "y": f"s:{name}"}
    front = scatter.scatter(stored, question)["front"]
    if name == other:
        assert front is None
        return
    frame = passing(frame_of(stored), asked)
    frame = frame[frame["# Trades"] >= 1].dropna(subset=[name, other])
    ways = [-1 if one.endswith("Duration") else 1 for one in (other, name)]
    values = frame[[other, name]].to_numpy() * ways
    beaten = [((values >= row).all(1) & (values > row).any(1)).any() for row in values]
    wanted = frame[~np.array(beaten, bool)]
    if not len(wanted):
        assert front is None
        return
    assert front["combinations"] == len(wanted)
    distinct = wanted.groupby([other, name]).size()
    assert front["results"] == len(distinct)
    finite = distinct[[np.isfinite(key).all() for key in distinct.index]]
    assert [tuple(point[1:]) for point in front["points"]] == [
        (*key, count) for key, count in finite.items()
    ]
    for number, across, up, _ in front["points"]:
        assert (frame[other][number], frame[name][number]) == (across, up)


def test_parameters_and_what_has_no_better_way_have_no_front(real):
    stored = with_values(
        real, made_values(len(mixed_space()), 1), np.ones(len(mixed_space()), bool)
    )
    for other in ("p:n", "s:Avg. Trade Duration", "s:Buy & Hold Return [%]", "s:Return [%]"):
        question = {"x": other, "y": "s:Return [%]"}
        assert scatter.scatter(stored, question)["front"] is None


@given(tables(), filters(), st.sampled_from(TESTED), st.sampled_from(["p:n", "s:Sharpe Ratio"]))
@settings(max_examples=60)
def test_the_scatter_has_every_point_or_counts_it(real, table, asked, name, other):
    stored = with_values(real, *table)
    frame = passing(frame_of(stored), asked)
    x, y = frame[other if other[0] == "p" else other[2:]], frame[name]
    frame = frame[np.isfinite(x) & np.isfinite(y)]
    question = {"filters": asked, "x": other, "y": f"s:{name}"}
    found = scatter.scatter(stored, question)
    scores = scores_of(frame).dropna()
    best = scores.index[scores == scores.max()][0] if len(scores) else None
    assert found["best"] is None if best is None else found["best"][0] == best
    assert found["shown"] + found["beyond"] == len(frame)
    numbers = [point[0] for point in found["points"]]
    assert len(numbers) == found["shown"]
    assert set(numbers) <= set(frame.index)
    if best is not None:
        assert best in numbers
    for number, _, up in found["points"]:
        assert up == frame[name][number]

    most = scatter.MOST_POINTS
    scatter.MOST_POINTS = 0
    try:
        counted = scatter.scatter(stored, question)
    finally:
        scatter.MOST_POINTS = most
    if not found["shown"]:
        return
    assert sum(held for _, _, held, _ in counted["cells"]) == found["shown"]
    places = {number: (x, y) for number, x, y in found["points"]}
    low, high, size = counted["y"]["low"], counted["y"]["high"], counted["size"]
    for _, row, _, number in counted["cells"]:
        above = (places[number][1] - low) / (high - low) * size[1]
        assert row - 1e-6 <= above <= row + 1 + 1e-6
    if best is not None:
        assert best in [number for *_, number in counted["cells"]]


@given(tables(), filters(), st.integers(2, 30))
@settings(max_examples=40)
def test_the_lines_stand_evenly_from_the_worst_to_the_best(real, table, asked, most):
    stored = with_values(real, *table)
    scores = scores_of(passing(frame_of(stored), asked)).dropna()
    found = parallel(stored, {"filters": asked, "columns": ["p:side", "s:Beta"], "lines": most})
    assert found["total"] == len(scores)
    numbers = [line[0] for line in found["lines"]]
    assert len(numbers) == min(most, len(scores)) == len(set(numbers))
    assert set(numbers) <= set(scores.index)
    values = scores[numbers].to_numpy()
    assert (values[:-1] <= values[1:]).all()
    if len(scores):
        assert numbers[-1] == scores.index[scores == scores.max()][0]
        assert found["lines"][-1][1] == 1
    if len(scores) > 1:
        assert values[0] == scores.min()
    frame = frame_of(stored)
    for number, _, (side, beta) in found["lines"]:
        np.testing.assert_equal([side, beta], [frame["p:side"][number], frame["Beta"][number]])


def test_what_is_equal_leads_to_the_first_of_the_grid():
    found = cells.best_of_cells(
        np.array([0, 1, 0, 1, 2]), np.array([1.0, -np.inf, 1.0, -np.inf, np.nan]), 4
    )
    assert found.tolist() == [0, 1, -1, -1]


def test_an_axis_says_what_lies_beyond_it_and_the_best_never_does(real: StoredTable):
    rng = np.random.default_rng(0)
    values = np.full((44, len(NAMES)), 1.0)
    for name in ("Return [%]", "Profit Factor", "SQN"):
        values[:, COLUMN[name]] = rng.normal(size=44)
        values[7, COLUMN[name]] = 1e6
    stored = with_values(real, values, np.ones(44, bool))
    asked = {"columns": ["s:Return [%]", "s:Profit Factor", "s:Beta", "p:side"]}
    objective, factor, flat, side = parallel(stored, asked)["axes"]
    assert (objective["high"], objective["above"]) == (1e6, False)
    assert factor["high"] < 10
    assert (factor["below"], factor["above"]) == (False, True)
    assert flat["low"] < 1 < flat["high"]
    assert (side["low"], side["high"], side["above"]) == (-0.5, 1.5, False)


def test_one_outlier_does_not_squeeze_all_others(real: StoredTable):
    values = np.append(np.random.default_rng(0).normal(size=5000), 1e9)
    column = real.columns["s:Profit Factor"]
    frame = cells.frame_of(real, column, values)
    assert frame is not None
    assert -8 < frame.low < -3
    assert 3 < frame.high < 12
    kept = cells.frame_of(real, column, values, always=[1e9])
    assert kept is not None
    assert kept.high == 1e9
    assert cells.frame_of(real, column, np.array([np.nan, np.inf])) is None
    flat = cells.frame_of(real, column, np.full(3, 2.0))
    assert flat is not None
    assert flat.low < 2 < flat.high


# ------------------------------------------------------------------------------ one and the whole


def test_a_combination_knows_its_place_and_its_neighbours(real: StoredTable):
    frame, space = frame_of(real), real.table.space
    scores = scores_of(frame)
    ranks = scores.rank(ascending=False, method="min")
    for number in range(len(real)):
        found = combination(real, number)
        place = None if np.isnan(ranks[number]) else int(ranks[number])
        assert (found["place"], found["counting"]) == (place, scores.notna().sum())
        assert tuple(found["places"]) == space.places(number)
        for each in found["neighbours"]:
            here, there = space[number], space[each["number"]]
            assert {name for name in here if here[name] != there[name]} == {each["parameter"]}
            assert each["parameter"] in ("n", "x")  # What has no order has no neighbours.
    whole = combination(real, 0)
    assert [each["text"] for each in whole["neighbours"]] == ["2", "-0.5"]
    assert combination(real, 9)["cause"] == "ValueError: no"
    with pytest.raises(InputError, match="combination 44 of a run of 44; the first is 0"):
        combination(real, 44)


def test_neighbours_that_a_constraint_left_out_are_none(real: StoredTable):
    number = next(
        i for i, point in enumerate(real.table.space) if point.n == 3 and point.on is None
    )
    texts = [
        each["text"] for each in combination(real, number)["neighbours"] if each["parameter"] == "n"
    ]
    assert texts == ["2"]


@pytest.mark.parametrize("name", ["Return [%]", "Max. Drawdown Duration"])
def test_the_plateau_is_that_of_the_validation(real: StoredTable, name: str):
    wanted = find_plateau(real.table, Choice.by_name(name))
    scale = DAY_NS if name.endswith("Duration") else 1
    found = plateau(real, {"statistic": f"s:{name}"})
    for which in ("peak", "robust"):
        assert found[which]["number"] == getattr(wanted, which)
        for told in ("value", "cross_mean", "worst_neighbour"):
            value = getattr(wanted, f"{which}_{told}")
            assert found[which][told] == pytest.approx(value / scale, nan_ok=True)
        assert found[which]["edges"] == list(getattr(wanted, f"{which}_edges"))
    assert found["complete"]


def test_the_overview(folder: Path, real: StoredTable):
    found = overview(real)
    assert (found["combinations"], found["done"], found["failed"]) == (44, 44, 3)
    assert [failure["cause"] for failure in found["failures"]] == [
        "killed",
        "ValueError: no",
        "killed",
    ]
    assert found["best"] == real.table.best(Choice.by_name("Return [%]"))
    columns = {column["key"]: column for column in found["columns"]}
    assert list(columns)[:5] == ["p:n", "p:x", "p:side", "p:on", "s:Duration"]
    assert columns["p:on"]["values"] == [True, False, None]
    assert columns["s:Max. Drawdown Duration"]["unit"] == "days"
    values = real.table.column("Sharpe Ratio")
    values = values[np.isfinite(values)]
    assert (columns["s:Sharpe Ratio"]["low"], columns["s:Sharpe Ratio"]["high"]) == (
        values.min(), values.max(),
    )  # fmt: skip
    unfinished = overview(table_in(folder, 2))
    assert (unfinished["state"], unfinished["done"], unfinished["combinations"]) == (
        "interrupted", 20, 44,
    )  # fmt: skip


def test_an_unfinished_run_shows_what_there_is(folder: Path):
    stored = table_in(folder, 2)
    assert rows(stored, {"count": 500})["total"] == 20
    assert not plateau(stored, {})["complete"]
    assert not combination(stored, 30)["done"]


def test_of_a_run_by_a_function_the_return_stands_in(tmp_path: Path):
    values = made_values(44)
    made_run(tmp_path, values, objective="lambda")
    found = overview(table_in(tmp_path, 1))
    assert found["objective_is_a_function"]
    assert (found["objective"], found["objective_asked"]) == ("s:Return [%]", "lambda")


# ------------------------------------------------------------------------------- what is refused

REFUSED = [
    ("rows", {"filters": []}, "filters are [], not an object"),
    ("rows", {"filters": {"s:Retrun": {}}}, "no column 's:Retrun'; its columns are p:n, p:x"),
    ("rows", {"filters": {"s:Beta": 1}}, "the filter of Beta is 1, not an object"),
    ("rows", {"filters": {"s:Beta": {"least": "1"}}}, 'least of the filter of Beta is "1"'),
    ("rows", {"filters": {"s:Beta": {"least": True}}}, "is true, no finite number"),
    ("rows", {"filters": {"s:Beta": {"most": 10**400}}}, "no finite number"),
    ("rows", {"filters": {"s:Beta": {"max": 1}}}, "has no 'max'; it has least, most, places"),
    ("rows", {"filters": {"s:Beta": {"places": [0]}}}, "names places, which only parameters have"),
    ("rows", {"filters": {"p:side": {"places": [2]}}}, "not numbers from 0 to 1"),
    ("rows", {"filters": {"p:side": {"places": [True]}}}, "not numbers from 0 to 1"),
    ("rows", {"filters": {"p:side": {"places": "0"}}}, "not numbers from 0 to 1"),
    ("rows", {"sort": 3}, "this run has no column '3'"),
    ("rows", {"descending": "yes"}, 'descending is "yes", neither true nor false'),
    ("rows", {"offset": -1}, "offset is -1, no whole number from 0"),
    ("rows", {"count": 501}, "count is 501, no whole number from 0 to 500"),
    ("rows", {"count": 1.5}, "count is 1.5"),
    ("rows", {"limit": 3}, "the table has no 'limit'"),
    ("scatter", {"x": "s:Beta"}, "this run has no column 'None'"),
    ("parallel", {"columns": []}, "columns are [], not a list of 1 to 20 columns"),
    ("parallel", {"columns": ["s:Beta"] * 21}, "not a list of 1 to 20 columns"),
    ("parallel", {"columns": ["s:Beta"], "lines": 1}, "lines is 1"),
    ("heatmap", {"x": "p:n", "y": "p:n"}, "both axes of the heatmap are n"),
    ("heatmap", {"x": "p:n", "y": "s:Beta"}, "Beta is no parameter; name one of p:n"),
    ("heatmap", {"x": "p:n", "y": "p:x", "statistic": "p:x"}, "x is a parameter; name a statistic"),
    ("heatmap", {"x": "p:n", "y": "p:x", "show": "median"}, "choose from mean, best, worst, count"),
    ("heatmap", {"x": "p:n", "y": "p:x", "statistic": "s:Duration", "show": "best"},
     "neither a higher nor a lower Duration is better"),
    ("plateau", {"statistic": "s:Duration"}, "'Duration' cannot be optimized"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "asked", "said"), REFUSED)
def test_a_question_that_makes_no_sense_is_refused(real, name, asked, said):
    with pytest.raises(InputError) as refused:
        QUESTIONS[name](real, asked)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 1200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"), ("[1]", "a list, not an object"), ('"x"', "is text, not an object"),
        ("3", "a number, not an object"), ('{"x": NaN}', "NaN is no number"),
        ('{"x": Infinity}', "Infinity is no number"), ("[" * 40_000, "no JSON"),
        (" " * 50_001, "50,001 characters"),
    ],
)  # fmt: skip
def test_what_is_no_question(text: str, said: str):
    with pytest.raises(InputError, match=said):
        question_in(text)


def test_no_question_is_an_empty_one():
    assert question_in(None) == question_in("") == {}


# ---------------------------------------------------------------------------------- in memory


def test_a_run_is_read_once_and_the_shelf_keeps_within_its_bytes(folder: Path):
    with RunStore(folder, read_only=True) as store:
        shelf = Shelf()
        first = shelf.table(store, 1)
        assert shelf.table(store, 1) is first
        second = shelf.table(store, 2)
        assert shelf.table(store, 1) is first
        small = Shelf(most_bytes=first.nbytes + 1)
        kept = small.table(store, 1)
        assert small.table(store, 2) is not second
        assert small.table(store, 1) is not kept
        with pytest.raises(NoSuchRun):
            shelf.table(store, 3)
    assert first.nbytes > first.table.values.nbytes
    assert first.table.values.flags.f_contiguous


def test_a_run_that_ended_meanwhile_is_read_again(tmp_path: Path):
    values = made_values(44)
    number = made_run(tmp_path, values, done=20)
    shelf = Shelf()
    with RunStore(tmp_path) as store:
        before = shelf.table(store, number)
    change(tmp_path, "UPDATE runs SET state = 'failed' WHERE id = ?", number, sealed=True)
    with RunStore(tmp_path) as store:
        after = shelf.table(store, number)
    assert (before.run.state, after.run.state) == ("interrupted", "failed")


def test_a_run_that_goes_on_is_read_again_now_and_then(tmp_path: Path, monkeypatch):
    number, owner = begun(tmp_path)
    shelf, values = Shelf(), made_values(24)
    with RunStore(tmp_path) as store:
        store.rewrite(number, owner, [Finished(Slice(0, 10), values[:10])])
        before = shelf.table(store, number)
        assert before.run.state == "running"
        assert shelf.table(store, number) is before
        store.rewrite(number, owner, [Finished(Slice(0, 15), values[:15])])
        assert shelf.table(store, number) is before  # Not for every row.
        monkeypatch.setattr("bigbar.dashboard.explore.stored._LEAST_AGE_S", 0.0)
        wait_until(lambda: shelf.table(store, number) is not before)
        after = shelf.table(store, number)
        assert [table.done.sum() for table in (before, after)] == [10, 15]
        assert shelf.table(store, number) is after


def test_a_run_that_memory_does_not_hold_is_refused(folder: Path, monkeypatch):
    monkeypatch.setattr("bigbar.dashboard.explore.stored.available_memory", lambda: 10_000)
    with pytest.raises(StoreError, match=r"44 combinations of run 1 takes 14.8 kB .* 10.0 kB"):
        table_in(folder, 1)


def test_damaged_rows_are_left_out_and_told_of(tmp_path: Path):
    made_run(tmp_path, made_values(44))
    change(tmp_path, "UPDATE blocks SET packed = x'00' WHERE run = 1")
    stored = table_in(tmp_path, 1)
    assert not stored.done.any()
    assert any("damaged" in note for note in stored.notes)
    assert rows(stored, {})["total"] == 0
    assert scatter.scatter(stored, {"x": "s:Beta", "y": "p:n"})["points"] == []
    for name in ("heatmap", "parallel"):
        asked: dict[str, Any] = (
            {"x": "p:n", "y": "p:x"} if name == "heatmap" else {"columns": ["s:Beta"]}
        )
        assert QUESTIONS[name](stored, asked)["total"] == 0
    assert plateau(stored, {})["peak"] is None
    assert overview(stored)["best"] is None


def test_rows_that_are_not_those_of_the_result_are_told_of(tmp_path: Path):
    made_run(tmp_path, made_values(44))
    change(tmp_path, "UPDATE runs SET result_sha256 = 'x' WHERE id = 1", sealed=True)
    assert table_in(tmp_path, 1).notes == ("the rows of run 1 are not those of its result",)


def test_rows_of_other_statistics_are_refused(real: StoredTable, folder: Path, monkeypatch):
    monkeypatch.setattr("bigbar.dashboard.explore.stored.NAMES", (*NAMES, "More"))
    with pytest.raises(StoreError, match="hold other statistics than this version"):
        table_in(folder, 1)


def test_places_take_as_few_bytes_as_do(real: StoredTable):
    assert {places.dtype for places in real.places} == {np.dtype(np.uint8)}
    everything = matching(real, filters_in(real, None))
    assert everything.sum() == 44
    assert rows(real, {"count": 0})["rows"] == []
