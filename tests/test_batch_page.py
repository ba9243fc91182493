"""The page about many files: what stands on it, escaped; and in a browser sorted and followed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_page_browser import NARROW, WIDE, Seen, browser
from test_page_browser import pytestmark as needs_browser

from bigbar.batch.answer import answer
from bigbar.batch.common import Common
from bigbar.batch.entry import Entry
from bigbar.batch.page import page_of
from bigbar.report.files import summary
from bigbar.validation.common_choice import CommonChoice, OfFile
from bigbar.validation.common_verdict import CommonFindings, LeftOut
from bigbar.validation.findings import Verdict
from tests.small_run import small_outcome

EVIL = "<img src=x onerror=alert(1)> ü\udce9 & co"


def entries(folder: Path) -> list[Entry]:
    """Three files with a result, of which the second has an evil name, and one without."""
    found = []
    for number, name in enumerate(("A", EVIL, "C")):
        held: dict[str, Any] = json.loads(json.dumps(summary(small_outcome())))
        held["best"]["statistics"]["Return [%]"] = [2.5, -1.0, 10.0][number]
        held["best"]["statistics"]["Sharpe Ratio"] = [0.5, None, "inf"][number]
        held["verdict"] = {"light": ["amber", "red", "green"][number], "headline": "", "lines": []}
        found.append(Entry(name, f"data/{name}.csv", folder / name, held))
    return [*found, Entry("bad", "data/bad.csv", None, None, "data/bad.csv: <b>no</b>", 2)]


def common_of(light: str = "amber") -> Common:
    outcome = small_outcome()
    figures = {"Return [%]": 1.5, "Sharpe Ratio": 0.4, "Max. Drawdown [%]": -2.0, "# Trades": 9.0}
    one = OfFile(3, 1.5, 0.91, True, 1.5, figures)
    choice = CommonChoice(
        criterion="mean-rank",
        names=("A", EVIL, "C"),
        combinations=12,
        counting=np.ones(12, bool),
        number=3,
        value=1.5,
        of_files=(one, one, one),
        left_out=(one, one, None),
    )
    verdict = Verdict(light, "Verdict: not proven.", ("It was tried.", "Verdict: not proven."))
    findings = CommonFindings(verdict, None, LeftOut(2, 0.91, 2))
    return Common(choice, findings, outcome.job.space, "Return [%]", ("D counts once",), 3)


def page(folder: Path) -> str:
    return page_of(
        entries(folder), common_of(), title="Crossing", objective="Return [%]",
        summary={"total": 5, "notes": ["x is y: it counts once"]},
    )  # fmt: skip


def test_nothing_of_a_name_is_markup(tmp_path):
    html = page(tmp_path)
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror" in html
    assert "&lt;b&gt;no&lt;/b&gt;" in html
    html.encode()  # Surrogates are no text.


def test_what_stands_on_it(tmp_path):
    html = page(tmp_path)
    for said in (
        "Crossing on 5 files", "4 of 5 files were reached", "1 green, 1 amber, 1 red",
        "One setting for all", "mean rank 1.5 of 12", "x is y: it counts once", "D counts once.",
        'href="A/report.html"', "Not proven.",
    ):  # fmt: skip
        assert said in html, said


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_answer_fits(tmp_path, width):
    text = answer(
        entries(tmp_path), common_of(), objective="Return [%]", total=5, page="out/report.html",
        folder="out", sought="mean-rank", width=width,
    )  # fmt: skip
    table = [line for line in text.splitlines() if line[:2] in ("fi", "A ", "C ", "<i")]
    assert len(table) >= 8
    assert max(map(len, table)) <= width
    assert "\x1b" not in text
    flat = " ".join(text.split())
    assert "Failed data/bad.csv: <b>no</b>" in flat
    assert "Stopped 1 file not reached" in flat
    assert "∞" in text or width < 80
    assert flat.count("Next ") == 1
    assert "The same command continues" in flat


def test_the_setting_for_all_is_on_the_last_screen(tmp_path):
    bad = Entry("bad", "data/bad.csv", None, None, "data/bad.csv: no", 2)
    many = [*entries(tmp_path), *[bad] * 30]
    common = replace(common_of("red"), notes=("D counts once",) * 9, too_late=2)
    text = answer(
        many, common, objective="Return [%]", total=40, page="out/report.html", folder="out",
        sought="mean-rank", width=80,
    )  # fmt: skip
    last = text.splitlines()[-23:]
    assert "The best setting over all 3 files, mean rank 1.5 of 12:" in last
    assert any(line.startswith("  atr_period=") for line in last)
    assert "✗ Verdict: not proven." in last
    assert "all equal; 2 more did not fit into the 6 s for replays" in " ".join(text.split())


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(page(folder), encoding="utf-8")
    for name in ("A", "C"):
        (folder / name).mkdir()
        (folder / name / "report.html").write_text(f"<title>{name}</title>", encoding="utf-8")
    found = Seen()
    with browser() as visitor:
        visitor.resize(WIDE)
        visitor.open(folder / "report.html")
        names = "return [...document.querySelectorAll('#verdict tbody th')].map(t => t.innerText)"
        found.notes["before"] = visitor.run(names)
        for column in ("Return", "verdict"):
            visitor.run(
                """[...document.querySelectorAll('#verdict th button')]
                .find((button) => button.textContent.startsWith(arguments[0])).click();""",
                column,
            )
            found.notes[column] = visitor.run(names)
        found.notes["alerts"] = visitor.run("return document.querySelectorAll('img').length")
        found.notes["light"] = visitor.run(
            """const row = document.querySelector('#verdict tbody tr');
            const box = row.closest('.scroll').getBoundingClientRect();
            const light = [...row.cells].find((cell) => /red|amber|green/.test(cell.innerText));
            return [light.getBoundingClientRect().right, box.right];"""
        )
        visitor.resize(NARROW)
        found.notes["widths"] = visitor.run(
            "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
        )
        visitor.look_into(found)
        visitor.run("document.querySelector('#verdict tbody a').click()")
        found.notes["title"] = visitor.wait("return document.title")
    return found


class TestInABrowser:
    """What one visit saw."""

    pytestmark = needs_browser

    def test_it_asks_for_nothing_and_complains_of_nothing(self, seen):
        assert seen.errors == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in seen.requests)
        assert seen.notes["alerts"] == 0

    def test_it_is_sorted_by_figures_and_by_lights(self, seen):
        evil = EVIL.replace("\udce9", "?")
        assert seen.notes["before"] == ["A", evil, "C"]
        assert seen.notes["Return"] == ["C", "A", evil]
        assert seen.notes["verdict"] == ["C", "A", evil]

    def test_the_light_needs_no_scrolling_sideways(self, seen):
        assert seen.notes["light"][0] <= seen.notes["light"][1]

    def test_a_narrow_window_needs_no_scrolling_sideways(self, seen):
        assert seen.notes["widths"][0] <= seen.notes["widths"][1]

    def test_a_name_leads_to_its_page(self, seen):
        assert seen.notes["title"] == "C"
