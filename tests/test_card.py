"""What a notebook shows of an optimization."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pandas as pd
import pytest
from backtesting.test import GOOG
from small_run import small_outcome

import bigbar
from bigbar.optimization import Optimization
from bigbar.report.card import card_html
from bigbar.strategies.sma_cross import SmaCross
from bigbar.validation.findings import Findings, Verdict


def parsed(html: str) -> ElementTree.Element:
    """The card as a tree: it is well-formed."""
    return ElementTree.fromstring(html)


def texts(html: str) -> list[str]:
    return [one.strip() for one in parsed(html).itertext() if one.strip()]


@pytest.fixture(scope="module")
def backtest() -> bigbar.Backtest:
    made = bigbar.Backtest(GOOG.iloc[:400], SmaCross, commission=0.001, finalize_trades=True)
    made.optimize(fast=[3, 5, 8], slow=[10, 15], maximize="Return [%]", workers=1)
    return made


@pytest.mark.slow
def test_before_and_after_the_findings(backtest):
    found = backtest.last
    before = texts(found._repr_html_())
    assert before[:3] == ["●", "SmaCross", ": best of 6 combinations for Return [%]"]
    assert "Not held against luck yet: .verdict does so, and is shown here then." in before
    assert found._later is not None, "showing it runs nothing"
    verdict = found.verdict
    assert "holdout=0.2 keeps a fifth" in verdict
    assert "--" not in verdict
    after = texts(found._repr_html_())
    headline = verdict.splitlines()[-1]
    assert headline in after
    assert set(verdict.splitlines()) <= set(after), "no line of it is left out"
    shown = found.best_statistics["Return [%]"]
    assert f"{abs(shown):,.2f}\xa0%" in " ".join(after)


def test_a_run_without_findings():
    outcome = small_outcome()
    html = card_html(outcome, None, to_come=False)
    assert "Not held" not in html
    (line,) = parsed(html).iter("polyline")
    points = [tuple(map(float, one.split(","))) for one in line.get("points").split()]
    assert len(points) == len(outcome.trades) + 1
    assert points[0][0] == 0.0
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert all(0 <= y <= 56 for _, y in points)
    assert re.search(r"Profit after each of \d+ trades", html)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_trades_for_a_curve(count):
    outcome = small_outcome()
    outcome.trades = outcome.trades.iloc[:count]
    assert not list(parsed(card_html(outcome, None, to_come=False)).iter("svg"))


def test_nothing_counts():
    outcome = small_outcome(min_trades=10**6)
    assert outcome.best is None
    html = Optimization(outcome)._repr_html_()
    assert "svg" not in html
    assert "combination" in html


def test_text_stays_text(monkeypatch):
    outcome = small_outcome()
    outcome.engine_reason = "<script>alert(1)</script>"
    html = card_html(outcome, None, to_come=False)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("light", ["red", "amber", "green", "none"])
def test_the_light_is_told_in_words_too(light):
    found = Findings.__new__(Findings)
    object.__setattr__(found, "verdict", Verdict(light, "It is.", ("You tried.", "It is.")))
    html = card_html(small_outcome(), found, to_come=False)
    dot = next(parsed(html).iter("span"))
    assert dot.get("role") == "img"
    assert dot.get("aria-label") == dot.get("title")
    assert (light.capitalize() in dot.get("title")) == (light != "none")


def test_it_is_one_element_without_scripts_or_addresses(backtest):
    html = backtest.last._repr_html_()
    tree = parsed(html)
    assert tree.tag == "div"
    assert not {one.tag for one in tree.iter()} & {"script", "style", "link", "img", "a"}
    assert "http" not in html
    assert pd.notna(backtest.last.best_statistics["Return [%]"])
