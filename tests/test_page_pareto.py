"""The section of the page about the Pareto set: what is drawn is what the table has."""

from __future__ import annotations

import numpy as np
import pytest
from page_findings import page_findings
from test_page import EVIL, Page

from bigbar.report.page.cloud import clouds, front_shown
from bigbar.report.page.report import report_html
from tests.small_run import small_outcome

#: Of the second the lower is the better.
BOTH = ["Return [%]", "Volatility (Ann.) [%]"]


@pytest.fixture(scope="module")
def outcome():
    return small_outcome(maximize=BOTH)


@pytest.fixture(scope="module")
def page(outcome) -> Page:
    return Page(report_html(outcome, page_findings(outcome)))


def layers(page: Page, mark: str, chart: str = "pareto-1-0") -> list[dict]:
    return [each["columns"] for each in page.charts[chart]["layers"] if each["mark"] == mark]


def test_it_stands_behind_the_verdict(page, outcome):
    assert page.sections[:2] == ["verdict", "pareto"]
    one = small_outcome()
    assert "pareto" not in Page(report_html(one, page_findings(one))).sections


def test_the_front_is_drawn_with_all_that_it_has(page, outcome):
    front, table = layers(page, "settings")[1], outcome.table
    points = outcome.pareto.points
    assert front["number"] == points.tolist()
    np.testing.assert_allclose(front["x"], table.column(BOTH[1])[points], rtol=1e-6)
    np.testing.assert_allclose(front["y"], table.column("Return [%]")[points], rtol=1e-6)
    assert front["trades"] == table.column("# Trades")[points].tolist()


def test_the_line_is_the_edge_of_what_can_be_had(page, outcome):
    """Below it something is at least as good in both; what lies above it nobody has."""
    (line,), table = layers(page, "line"), outcome.table
    x, y = (np.array(line[name]) for name in "xy")
    assert (np.diff(x) <= 0).all()  # From the best return on, to the lowest volatility.
    assert (np.diff(y) <= 0).all()
    assert ((np.diff(x) == 0) | (np.diff(y) == 0)).all()
    volatility, returns = table.column(BOTH[1]), table.column(BOTH[0])
    counting = ~np.isnan(table.scores(outcome.choice))
    for across, up in zip(x, y, strict=True):
        better = (volatility[counting] < across - 1e-6) & (returns[counting] > up + 1e-6)
        assert not better.any()


def test_the_cloud_stands_for_all(page, outcome):
    cloud = layers(page, "settings")[0]
    (counted,) = clouds(outcome.pareto)
    counting = int(np.count_nonzero(~np.isnan(outcome.table.scores(outcome.choice))))
    assert sum(cloud["here"]) + counted.beyond == counting
    assert len(cloud["number"]) == len(set(cloud["number"])) <= 60 * 36
    assert f"{counted.beyond:,} far outliers" in page.text or not counted.beyond


def test_what_is_drawn_can_be_pressed(page, outcome):
    known = set(page.data["settings"]["own"]["numbers"])
    for drawn in layers(page, "settings"):
        assert set(drawn["number"]) <= known
    chart = page.charts["pareto-1-0"]
    assert chart["settings"] == "own"
    assert chart["units"] == {"x": "%", "y": "%"}
    rows = [held for held in page.attributes("td") if "data-setting" in held]
    pressed = {int(held["data-setting"]) for held in rows}
    assert set(front_shown(outcome.pareto).tolist()) <= pressed


def test_more_than_two_are_pairs_and_a_name_is_only_text():
    def named(stats):
        return stats["SQN"]

    named.__name__ = EVIL
    asked = ["Return [%]", "Max. Drawdown Duration", named]
    outcome = small_outcome(maximize=asked)
    page = Page(report_html(outcome, page_findings(outcome)))
    names = [name for name in page.charts if name.startswith("pareto")]
    assert names == ["pareto-1-0", "pareto-2-0", "pareto-2-1"]
    assert not layers(page, "line")
    days = outcome.table.column("Max. Drawdown Duration")[outcome.pareto.points] / 86_400e9
    drawn = layers(page, "settings")[1]["x"]
    np.testing.assert_allclose(drawn, days, rtol=1e-6)
    assert page.charts["pareto-1-0"]["x"]["label"] == "Max. Drawdown Duration (days)"
    assert "What seems to be beaten in one chart is better in another." in page.text
    assert "<script>alert(1)</script>" in page.text
    assert not [held for held in page.attributes("img") if "onerror" in held]


def test_what_is_infinite_is_told_and_not_drawn():
    outcome = small_outcome(maximize=["Profit Factor", "Max. Drawdown [%]"])
    number = int(outcome.pareto.points[0])
    outcome.table.column("Profit Factor")[number] = np.inf
    outcome.changed()
    page = Page(report_html(outcome, page_findings(outcome)))
    assert layers(page, "settings")[1]["y"][0] is None
    assert "1 result of the set is infinite" in page.text
