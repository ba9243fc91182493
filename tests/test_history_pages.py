"""`report`: the page of a stored run drawn again; `compare --html`: two runs on one page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from history_tools import ROOT, Asked, stored
from small_run import AXES
from test_page import Page

import bigbar
from bigbar.report.page.numbers import statistic
from bigbar.statistics import COLUMN


def page_of(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    """A folder with a run that held bars back and walked forward, and the page that it had."""
    folder = tmp_path_factory.mktemp("judged")
    source = folder / "bars.csv"
    source.write_text("".join((ROOT / "example.csv").read_text().splitlines(True)[:1201]))
    found = bigbar.optimize(
        source, **AXES, workers=1, verify=1, holdout=0.2, walk_forward=2, seed=5, store=folder
    )
    return folder, page_of(found.report(folder / "then.html"))


@pytest.fixture
def copy(judged: tuple[Path, Page], tmp_path: Path) -> Path:
    return Path(shutil.copytree(judged[0], tmp_path / "copy"))


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_the_page_is_drawn_again_as_it_was(known, capsys, judged, tmp_path, monkeypatch):
    if not known:
        monkeypatch.setattr("bigbar.known._folder", lambda: None)
    folder, then = judged
    path = tmp_path / "again.html"
    asked = Asked(capsys, folder, "report", "last", "--json", "--to", str(path))
    assert (asked.code, asked.json["path"], asked.json["remarks"]) == (0, str(path), [])
    assert ("the bars that were held back" in asked.err) is not known
    again = page_of(path)
    assert again.data == then.data
    assert again.sections == then.sections
    # The receipt aside, which is of the store now, every word is the same.
    told = [page.text.rpartition("Settings and receipt")[0] for page in (again, then)]
    assert told[0] == told[1] != ""
    assert "looked at once by now" in again.text
    # Nothing was counted: the unseen bars were not looked at once more.
    asked = Asked(capsys, folder, "report", "1", "--force", "--to", str(path))
    assert asked.out == f"{path}: run 1\n"
    assert "looked at once by now" in page_of(path).text


def test_another_price_file_is_refused(capsys, copy):
    source = copy / "bars.csv"
    source.write_text("".join(source.read_text().splitlines(True)[:-1]))
    asked = Asked(capsys, copy, "report", "1", "--data", str(source))
    assert asked.refused("are not those of run 1", "--data FILE")
    assert not (copy / "report-1.html").exists()


def test_a_file_of_somebody_else_is_not_replaced(capsys, copy):
    theirs = copy / "report-1.html"
    theirs.write_text("mine")
    asked = Asked(capsys, copy, "report", "1")
    assert asked.refused("was not written by this program", "--force")
    assert theirs.read_text() == "mine"
    assert Asked(capsys, copy, "report", "1", "--to", str(copy / "bars.csv"), "--force").refused()


def test_two_runs_are_put_on_one_page(capsys, kept_runs, tmp_path):
    to = tmp_path / "both.html"
    asked = Asked(capsys, kept_runs, "compare", "1", "2", "--html", "--to", str(to))
    assert (asked.code, asked.err) == (0, "")
    assert asked.out.endswith(f"{to}: both side by side\n")
    page = page_of(to)
    assert page.sections == ["verdict", "differs", "equity", "heatmaps", "luck", "statistics"]
    assert "commission 0 0.0001" in page.text
    for number, key in ((1, "a"), (2, "b")):
        run, values, _ = stored(kept_runs, number)
        returned = statistic("Return [%]", values[run.best, COLUMN["Return [%]"]], with_unit=False)
        assert returned.replace("\xa0", " ") in page.text
        assert len(page.data["settings"][key]["numbers"]) > 1
    maps = [name for name in page.charts if "heatmap" in name]
    assert [name.removeprefix("a-") for name in maps[::2]] == [
        name.removeprefix("b-") for name in maps[1::2]
    ]
    # One objective: one scale of colours for both.
    assert page.charts[maps[0]]["variants"] == page.charts[maps[1]]["variants"]
    assert page.charts["equity"]["together"] == page.charts["drawdown"]["together"]


def test_where_to_is_about_the_page(capsys, kept_runs):
    assert Asked(capsys, kept_runs, "compare", "1", "2", "--force").refused("they need --html")
