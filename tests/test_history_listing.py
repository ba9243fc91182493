"""`history`, and the drawing of tables."""

from __future__ import annotations

import itertools
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from history_tools import Asked, make_judged_run
from small_run import AXES
from store_tools import forge

from bigbar.history.listing import list_text
from bigbar.history.tables import Column, pairs, paragraph, table, value_text
from bigbar.history.verdicts import MEANINGS, Light, light_of
from bigbar.store.records import Run
from bigbar.store.runs import RunStore


@pytest.fixture(scope="module")
def runs(kept_runs: Path) -> list[Run]:
    with RunStore(kept_runs, read_only=True) as store:
        return store.runs()[::-1]


@pytest.fixture(scope="module")
def judged(kept_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs that were not held against luck, and a third that was."""
    folder = Path(shutil.copytree(kept_runs, tmp_path_factory.mktemp("judged") / "out"))
    make_judged_run(folder)
    return folder


#: Where none was held against luck.
DARK = {1: Light(), 2: Light()}


def test_the_newest_is_last(capsys, kept_runs, runs):
    asked = Asked(capsys, kept_runs, "history")
    assert (asked.code, asked.err) == (0, "")
    head, first, second, *_ = asked.out.splitlines()
    assert head.split() == ["id", "begun", "state", "grid", "seconds", "best", "at"]
    for line, run in ((first, runs[0]), (second, runs[1])):
        cells = re.split(" {2,}", line.strip())
        assert cells[0] == str(run.id)
        assert cells[1].endswith(run.started.astimezone().strftime("%d %H:%M"))
        assert cells[2:4] == ["finished", "12"]
        assert float(cells[4]) == round(run.seconds, 1)
        assert float(cells[5]) == float(f"{run.best_value:.4g}")
        assert cells[6] == " ".join(f"{value:g}" for value in run.best_parameters.values())
    assert asked.out.endswith("\nAll of big_bar by Return [%], on bars.csv.\n")


def test_for_machines(capsys, kept_runs):
    first, second = Asked(capsys, kept_runs, "history", "--json").json
    assert (first["id"], second["id"]) == (1, 2)
    assert first["combinations"] == first["done"] == 12
    assert first["best_parameters"].keys() == AXES.keys()
    assert first["settings"]["commission"] == 0
    assert second["settings"]["commission"] == 1e-4
    assert first["identity"]["bars"] == second["identity"]["bars"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_it_fits(runs, width):
    drawn = list_text(runs, DARK, width=width)
    assert max(map(len, drawn.splitlines())) <= width
    assert "…" not in drawn
    for run in runs:
        assert value_text(run.best_value) in drawn
        # As they stand in a table, or by their names.
        for name, value in run.best_parameters.items():
            assert re.search(rf"{name}\s+{value:g}\b|[\d ]+ {value:g}\b", drawn)


def test_strategy_objective_and_data_are_columns_where_there_is_room(runs):
    drawn = list_text(runs, DARK, width=112)
    assert drawn.splitlines()[0].endswith("strategy  objective   data")
    assert "All of" not in drawn


@pytest.mark.parametrize("width", ["50", "80", "130"])
def test_the_light_of_the_verdict_stands_before_the_best(capsys, judged, monkeypatch, width):
    with RunStore(judged, read_only=True) as store:
        lights = [light_of(store, run) for run in store.runs()[::-1]]
        *_, best = (run.best_value for run in store.runs()[::-1])
    assert lights[:2] == [Light(), Light()]
    assert lights[2].light in MEANINGS
    monkeypatch.setenv("COLUMNS", width)
    asked = Asked(capsys, judged, "history")
    where = {"50": "Return \\[%\\] ", "80": " ", "130": " "}[width]
    assert re.search(rf"{lights[2].mark} {where}{value_text(best)}\b", asked.out)
    assert asked.out.count(lights[2].mark) == 2, "of the run, and what it means"
    said = " ".join(asked.out.split())
    assert f"{lights[2].mark} {lights[2].meaning}; 'show' has the whole verdict." in said
    assert [run["light"] for run in Asked(capsys, judged, "history", "--json").json] == [
        "none", "none", lights[2].light
    ]  # fmt: skip


def test_a_damaged_verdict_is_none_and_the_list_goes_on(capsys, judged, tmp_path):
    folder = Path(shutil.copytree(judged, tmp_path / "copy"))
    for damage in ("'{}'", "'{\"verdict\": 1}'", '\'{"verdict": {"light": "blue"}}\''):
        forge(folder, f"UPDATE runs SET summary = {damage} WHERE id = 3")
        assert [run["light"] for run in Asked(capsys, folder, "history", "--json").json] == (
            ["none"] * 3
        )
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET answer = 'other' WHERE id = 3")
    asked = Asked(capsys, folder, "history")
    assert (asked.code, asked.err) == (0, "")
    assert "✗" not in asked.out


def test_no_runs_yet(capsys, tmp_path):
    RunStore(tmp_path, create=True).close()
    assert Asked(capsys, tmp_path, "history").out == "no runs yet\n"
    assert Asked(capsys, tmp_path, "history", "--json").json == []
    assert Asked(capsys, tmp_path, "show", "last").refused("there is no run yet in")


def test_long_names_are_cut(capsys, spoilable_runs, monkeypatch):
    name = "EURUSD_hourly_from_2017_to_2018_with_volume_of_the_broker_second_try.csv"
    forge(spoilable_runs, f"UPDATE runs SET data = json_set(data, '$.path', '{name}') WHERE id=1")
    monkeypatch.setenv("COLUMNS", "120")
    drawn = Asked(capsys, spoilable_runs, "history").out
    assert max(map(len, drawn.splitlines())) == 120
    assert re.search(r"EURUSD_\w+…\w+_try.csv$", drawn.splitlines()[1])


def test_a_run_of_another_year_says_which(capsys, spoilable_runs):
    forge(spoilable_runs, "UPDATE runs SET started = '2019-07-01T12:00:00+00:00' WHERE id = 1")
    assert "2019-07-01" in Asked(capsys, spoilable_runs, "history").out


# -------------------------------------------------------------------------------------- tables


def test_numbers_stand_right_and_are_never_cut():
    columns = Column("name", least=6), Column("count", right=True)
    rows = [("a_very_long_name_of_a_file.csv", "1,234,567"), ("short", "8")]
    assert table(columns, rows, width=30).splitlines() == [
        "name                     count",
        "a_very_lo…_file.csv  1,234,567",
        "short                        8",
    ]


def test_a_table_that_does_not_fit_becomes_blocks():
    columns = Column("name", least=6), Column("count", right=True)
    drawn = table(columns, [("one two three", "1,234,567"), ("b", "2")], width=16)
    assert drawn == "name   one two\n       three\ncount  1,234,567\n\nname   b\ncount  2"


@pytest.mark.parametrize("width", range(16, 60, 3))
def test_wide_and_combining_characters(width):
    rows = [
        ("数据文件名称很长的一个文件.csv", "1"),
        ("e\u0301tude.csv", "23"),
        ("plain.csv", "456"),
    ]
    drawn = table((Column("file", least=6), Column("n", right=True)), rows, width=width)
    taken = [
        sum(2 if "\u2e80" <= one <= "\uffef" else one != "\u0301" for one in line)
        for line in drawn.splitlines()
    ]
    assert len(set(taken)) == 1
    assert taken[0] <= width


def test_paragraphs_keep_line_breaks_and_indents():
    text = paragraph("one two three\nfour", width=24, first="Label  ", indent=" " * 7)
    assert text == "Label  one two three\n       four"
    assert pairs([("a", "one two three"), ("long", "x")], width=14) == (
        "a     one two\n      three\nlong  x"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "--"), (float("nan"), "--"), (float("inf"), "inf"), (float("-inf"), "-inf"),
        (3.66512, "3.665"), (0.000123456, "0.0001235"), (100_000.0, "100,000"), (12, "12"),
        (1234567, "1,234,567"), (1e20, "1e+20"), (True, "True"), ("text", "text"),
    ],
)  # fmt: skip
def test_values(value, text):
    assert value_text(value) == text


def test_every_width_up_to_the_natural_one():
    columns = Column("first", least=6), Column("second", least=8), Column("n", right=True)
    rows = [("x" * 20, "y" * 30, "12"), ("x", "y" * 9, "1,000")]
    natural = 20 + 30 + 5 + 4
    for width in itertools.chain(range(23, natural + 1), [200]):
        widest = max(map(len, table(columns, rows, width=width).splitlines()))
        assert widest == min(width, natural)
