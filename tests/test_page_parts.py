"""What the page draws and shows of a run: settings to be pressed, trades counted, scales."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from page_findings import page_findings

from bigbar.outcome import Outcome
from bigbar.report.page.chart import Chart
from bigbar.report.page.curve import curve_section
from bigbar.report.page.looked_at import looked_at
from bigbar.report.page.luck import distribution_section
from bigbar.report.page.numbers import percent, statistic
from bigbar.report.page.report import report_html
from bigbar.report.page.subject import Subject
from bigbar.report.page.trading import trades_section
from bigbar.space import Space
from tests.small_run import small_outcome
from tests.test_page import Page


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return small_outcome()


def chart(charts: tuple[Chart, ...], name: str) -> Chart:
    return next(each for each in charts if each.name == name)


# -------------------------------------------------------------------------------------- settings


def test_each_cell_knows_its_best_combination(outcome):
    subject = Subject(outcome)
    scores = outcome.table.scores(outcome.choice)
    for heatmap in subject.maps:
        places = {name: i for i, name in enumerate(outcome.job.space.names)}
        for (row, column), number in np.ndenumerate(heatmap.numbers):
            inside = [
                other
                for other in range(len(outcome.table))
                if outcome.job.space.places(other)[places[heatmap.x.name]] == column
                and outcome.job.space.places(other)[places[heatmap.y.name]] == row
                and not np.isnan(scores[other])
            ]
            best = max(inside, key=lambda other: scores[other], default=-1)
            assert number == best


def test_settings_have_the_statistics_of_the_table(outcome):
    found = looked_at(Subject(outcome))
    assert found["chosen"] == outcome.best
    for place, number in enumerate(found["numbers"]):
        expected = outcome.table.statistics(number)
        shown = dict(zip(found["names"], (texts[place] for texts in found["texts"]), strict=True))
        assert shown == {name: statistic(name, expected[name], with_unit=False) for name in shown}
    assert "Commissions [$]" not in found["names"]
    assert len(found["names"]) >= 28


def test_settings_of_a_grid_with_gaps_are_named_by_their_place_in_the_product():
    whole = small_outcome()
    kept = np.array([1, 3, 4, 9])
    space = Space(whole.job.space.parameters, kept)
    table = type(whole.table)(space, whole.table.values[kept])
    part = replace(whole, job=replace(whole.job, space=space), table=table)
    part.best = table.best(part.choice)
    found = looked_at(Subject(part))
    assert part.best is not None
    assert found["chosen"] == kept[part.best]
    at = found["numbers"].index(found["chosen"])
    returned = found["texts"][found["names"].index("Return [%]")][at]
    assert returned == statistic(
        "Return [%]", table.statistics(part.best)["Return [%]"], with_unit=False
    )


# ---------------------------------------------------------------------------------------- trades


def test_sides_add_up_to_all_trades(outcome):
    section = trades_section(Subject(outcome))
    assert section is not None
    trades = outcome.trades
    assert trades is not None
    text = Page(str(section.body)).text
    for name, part in (("long", trades[trades["Size"] > 0]), ("short", trades[trades["Size"] < 0])):
        won = percent(100 * float((part["PnL"] > 0).mean()), 1).replace("\xa0", " ")
        assert f"{name} {len(part)} {won} " in text
    sides = chart(section.charts, "sides")
    ends = [layer.columns["y"][-1] for layer in sides.layers]
    assert sum(ends) == pytest.approx(float(trades["PnL"].sum()))


def test_no_bar_of_the_histogram_has_gains_and_losses(outcome):
    section = trades_section(Subject(outcome))
    assert section is not None
    assert outcome.trades is not None
    layers = {layer.color: layer.columns for layer in chart(section.charts, "returns").layers}
    assert max(layers["bad"]["right"]) <= 1e-12
    assert min(layers["good"]["left"]) >= -1e-12
    counted = sum(int(columns["y"].sum()) for columns in layers.values())
    assert counted == len(outcome.trades)
    assert layers["bad"]["y"].sum() == (outcome.trades["ReturnPct"] < 0).sum()
    # Edges are 1, 2 or 5 times a power of ten apart, as marks of an axis are.
    step = layers["bad"]["right"][0] - layers["bad"]["left"][0]
    digit = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(digit - each) for each in (1, 2, 5)) < 1e-6


def test_hours_and_weekdays_are_those_of_the_entries(outcome):
    section = trades_section(Subject(outcome))
    assert section is not None
    trades = outcome.trades
    assert trades is not None
    for what, key in (
        ("hour", trades["EntryTime"].dt.hour.astype(str)),
        ("weekday", trades["EntryTime"].dt.strftime("%a")),
    ):
        found = {
            name: value
            for layer in chart(section.charts, f"by-{what}").layers
            for name, value in zip(layer.columns["at"], layer.columns["y"], strict=True)
        }
        expected = trades.groupby(key)["PnL"].sum()
        assert found == pytest.approx(expected.to_dict())


def test_trades_that_are_none_have_no_figures():
    outcome = small_outcome()
    assert outcome.trades is not None
    outcome.trades = outcome.trades.iloc[:0]
    section = trades_section(Subject(outcome))
    assert section is not None
    assert [each.name for each in section.charts] == ["prices"]


# ---------------------------------------------------------------------------------------- scales


@pytest.mark.parametrize(("growth", "kind"), [(9.0, "linear"), (12.0, "log")])
def test_equity_that_grows_tenfold_is_drawn_on_a_logarithmic_scale(outcome, growth, kind):
    subject = Subject(outcome)
    index = subject.bars.index
    equity = 100_000 * np.linspace(1, growth, len(index))
    vars(subject)["equity"] = pd.Series(equity, index)
    section = curve_section(subject)
    assert section is not None
    assert chart(section.charts, "equity").y.kind == kind
    assert ("logarithmic" in str(section.body)) == (kind == "log")
    # What was lost altogether has no logarithm.
    vars(subject)["equity"] = pd.Series(np.append(equity[:-1], 0.0), index)
    vars(subject).pop("whole_equity", None)
    again = curve_section(subject)
    assert again is not None
    assert chart(again.charts, "equity").y.kind == "linear"


@pytest.mark.parametrize("by", ["Return [%]", "Sharpe Ratio"])
def test_the_halves_are_told_per_year(outcome, by):
    findings = page_findings(outcome)
    assert findings.bootstrap is not None
    assert findings.pbo is not None
    tested = replace(findings.bootstrap, statistic=by)
    section = distribution_section(Subject(outcome, replace(findings, bootstrap=tested)))
    assert section is not None
    drawn = chart(section.charts, "overfitting")
    points, line = (layer.columns for layer in drawn.layers)
    inside = findings.pbo.in_sample
    if by == "Return [%]":
        assert "% a year" in drawn.x.label
        expected = 100 * np.expm1(252 * inside)
    else:
        assert "annual Sharpe ratio" in drawn.x.label
        expected = math.sqrt(252) * inside
    np.testing.assert_allclose(points["x"], expected, rtol=1e-12)
    assert line["x"][-1] == pytest.approx(points["x"].max())


def test_buy_and_hold_begins_where_backtesting_buys():
    """At the first bar that has all indicators: the line ends at the statistic's figure."""
    outcome = small_outcome()
    close = outcome.bars.frame["Close"].iloc[outcome.job.bars]
    returned = 100 * (close.iloc[-1] / close.iloc[30] - 1)
    column = outcome.table.column("Buy & Hold Return [%]")
    column[:] = returned
    subject = Subject(outcome)
    assert subject.equity is not None
    held = subject.held(subject.equity)
    assert (held.iloc[:31] == 100_000).all()
    assert held.iloc[-1] == pytest.approx(100_000 * (1 + returned / 100))
    assert "first close with all indicators there" in report_html(outcome, None)


def test_buy_and_hold_and_costs_stand_beside_the_verdict(outcome):
    findings = page_findings(outcome)
    html = report_html(outcome, findings)
    beside = html[html.index("Against buy and hold") :].partition('class="card chosen"')[0]
    assert beside.count("<polyline") == 2
    assert "Buy and hold made +12.8 %" in beside
    assert "No costs charged; it loses above a commission of 0.76 bp" in beside
    without = report_html(outcome, None)
    beside = without[without.index("Against buy and hold") :].partition('class="card chosen"')[0]
    assert "Charged: no costs." in beside


def test_remarks_come_before_all_else(outcome):
    page = Page(report_html(outcome, None, remarks=["Its <file> has moved."]))
    assert page.text.index("Its <file> has moved.") < page.text.index("Not validated")
