"""The page of a run: complete in itself, inert whatever a file is called, right in what it says."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from functools import cached_property
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from page_findings import VERDICT, only, page_findings

from bigbar.data.read import bars_from_frame
from bigbar.outcome import Outcome
from bigbar.report.files import OutputError
from bigbar.report.page.chart import Axis, Chart, Layer, LegendEntry, numbers, seconds, ticks
from bigbar.report.page.landscape import MOST_CELLS, distribution, heatmaps, landscape_of, profiles
from bigbar.report.page.markup import Cell, escaped, packed_data, table, tag
from bigbar.report.page.numbers import NONE, duration, number, percent, share, statistic
from bigbar.report.page.report import SECTIONS, report_html, write_report
from bigbar.report.page.thinning import around, join_bars, telling_points
from bigbar.strategies.big_bar.parameters import big_bar_account, grid_with
from bigbar.validation.findings import Findings
from tests.small_run import small_outcome

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&.csv"

RECEIPT = {"data": {"sha256": "ab12"}, "command line": ["run", EVIL], "python": "3.11"}

#: Sections by what they need of the findings.
ALWAYS = ["verdict", "equity", "trades", "heatmaps", "luck", "parameters", "walk-forward"]
AT_THE_END = ["months", "top", "statistics", "record"]


def unpacked(packed: str) -> dict:
    """Data of a page, as its script reads them."""
    return json.loads(zlib.decompress(base64.b64decode(packed)))


class Page(HTMLParser):
    """What a page holds, as a browser would see it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "script" in self._inside:
            self.scripts[-1] += data
        elif "style" not in self._inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\xa0", " ").split())

    @property
    def ids(self) -> list[str]:
        return [str(held["id"]) for _, held in self.elements if "id" in held]

    @property
    def sections(self) -> list[str]:
        return [str(held["id"]) for name, held in self.elements if name == "section"]

    @cached_property
    def data(self) -> dict:
        place = next(
            place
            for place, held in enumerate(held for name, held in self.elements if name == "script")
            if held.get("id") == "data"
        )
        return unpacked(self.scripts[place])

    @property
    def charts(self) -> dict:
        return self.data["charts"]

    def attributes(self, name: str) -> list[dict[str, str | None]]:
        return [held for element, held in self.elements if element == name]


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return small_outcome()


@pytest.fixture(scope="module")
def findings(outcome: Outcome) -> Findings:
    return page_findings(outcome)


@pytest.fixture(scope="module")
def html(outcome: Outcome, findings: Findings) -> str:
    return report_html(outcome, findings, receipt=RECEIPT)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def text_of(outcome: Outcome, findings: Findings | None) -> str:
    return Page(report_html(outcome, findings)).text


# --------------------------------------------------------------------------------- as a file


def test_the_page_is_written_whole_and_small(tmp_path, outcome, findings):
    path = tmp_path / "report.html"
    path.write_text("old")
    assert write_report(path, outcome, findings, receipt=RECEIPT) == path
    assert [found.name for found in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert 1_000_000 < path.stat().st_size < 3_000_000


def test_a_missing_folder_is_told(tmp_path, outcome):
    with pytest.raises(OutputError, match="missing"):
        write_report(tmp_path / "missing" / "report.html", outcome, None)


def test_neither_bokeh_nor_backtesting_is_imported(tmp_path):
    code = (
        "import sys, bigbar.report.page.report; "
        "print(sorted({'bokeh', 'backtesting', 'numba', 'pyarrow.parquet'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ------------------------------------------------------------------------------ nothing asked


def test_nothing_outside_the_page_is_referred_to(page):
    referring = ("src", "srcset", "href", "data", "action", "poster", "background")
    found = [
        (name, key, held[key]) for name, held in page.elements for key in referring if key in held
    ]
    outward = [each for each in found if not str(each[2]).startswith(("#", "data:"))]
    assert outward == []
    assert [held for held in page.attributes("link") if held["rel"] == "icon"]


def test_links_lead_somewhere(page):
    targets = [str(held["href"])[1:] for held in page.attributes("a")]
    assert len(targets) >= len(SECTIONS)
    assert set(targets) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_policy_lets_in_only_the_scripts_of_the_page(page):
    (policy,) = (str(held["content"]) for held in page.attributes("meta") if held.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in rules["script-src"]
    run = [
        script
        for script, held in zip(page.scripts, page.attributes("script"), strict=True)
        if held.get("type") != "application/octet-stream"
    ]
    digests = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in run
    ]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    assert not [key for _, held in page.elements for key in held if key.startswith("on")]


def test_a_name_with_markup_in_it_is_inert(outcome, findings):
    evil = bars_from_frame(outcome.bars.frame, source=f"folder/{EVIL}")
    noted = replace(evil, notes=(f"note {EVIL}",))
    verdict = replace(VERDICT, headline=EVIL, lines=(EVIL + "!", EVIL))
    changed = small_outcome()
    changed.bars = noted
    found = replace(findings, verdict=verdict, notes=(EVIL,))
    page = Page(report_html(changed, found, receipt={EVIL: EVIL}))
    clean = Page(report_html(small_outcome(), findings, receipt=RECEIPT))
    for name in ("script", "img"):
        assert len(page.attributes(name)) == len(clean.attributes(name))
    assert page.text.count("<script>alert(1)</script>") >= 7


def test_a_name_that_is_no_text_can_be_written(tmp_path):
    outcome = small_outcome()
    outcome.bars = bars_from_frame(outcome.bars.frame, source="bad\udcff.csv")
    path = write_report(tmp_path / "report.html", outcome, None)
    assert "bad?.csv" in Page(path.read_text(encoding="utf-8")).text


# ------------------------------------------------------------------------------- what is there


def test_sections_come_in_order(page):
    assert page.sections == [*ALWAYS, "costs", *AT_THE_END]
    assert len(page.sections) == len(SECTIONS) - 1  # That of several objectives is not there.


def test_without_findings_the_page_says_so(outcome):
    page = Page(report_html(outcome, None))
    assert page.sections == [*ALWAYS, *AT_THE_END]
    assert "Not validated" in page.text
    assert "--holdout 0.2" in page.text
    assert "--walk-forward 8" in page.text
    assert "Receipt" not in page.text.replace("Settings and receipt", "")


PARTS = sorted(set(vars(Findings(VERDICT))) - {"verdict", "notes"})


@pytest.mark.parametrize("part", PARTS)
def test_any_part_of_the_findings_may_be_missing(outcome, findings, part):
    alone = Page(report_html(outcome, only(findings, part)))
    without = Page(report_html(outcome, replace(findings, **{part: None})))
    assert set(ALWAYS) <= set(alone.sections)
    assert set(ALWAYS) <= set(without.sections)


def test_the_verdict_comes_first_and_not_by_colour_alone(page):
    assert page.sections[0] == "verdict"
    assert page.text.index("Red light") < page.text.index(VERDICT.headline)
    assert page.text.index(VERDICT.headline) < page.text.index("The best of 12 combinations")
    assert [held for held in page.attributes("g") if "lit" in str(held.get("class"))] == [
        {"class": "lamp red lit", "transform": "translate(4 4)"}
    ]
    for line in VERDICT.lines:
        assert page.text.count(line) == 1


@pytest.mark.parametrize(("light", "word"), [("amber", "Amber light"), ("green", "Green light")])
def test_lights(outcome, findings, light, word):
    found = replace(findings, verdict=replace(VERDICT, light=light))
    page = Page(report_html(outcome, found))
    assert word in page.text
    (lit,) = (held["class"] for held in page.attributes("g") if "lit" in str(held.get("class")))
    assert lit == f"lamp {light} lit"


def test_key_figures_are_those_of_the_table(outcome, findings, page):
    assert outcome.best is not None
    found = outcome.table.statistics(outcome.best)
    assert f"Return {percent(found['Return [%]'])}".replace("\xa0", " ") in page.text
    assert f"Trades {found['# Trades']} unseen 71" in page.text
    for name, value in outcome.job.space[outcome.best].items():
        assert f"{name} {value:g}" in page.text


def test_buy_and_hold_is_a_tile_a_line_and_a_sentence(outcome, page):
    close = outcome.bars.frame["Close"].iloc[outcome.job.bars]
    returned = 100 * (close.iloc[-1] / close.iloc[0] - 1)
    shown = percent(returned).replace("\xa0", " ")
    assert f"Buy & hold instead {shown} unseen" in page.text
    assert f"holding to the last returned {shown}." in page.text
    (line,) = (
        layer for layer in page.charts["equity"]["layers"] if layer.get("color") == "ink"
    )  # fmt: skip
    assert line["columns"]["y"][0] == 100_000
    ended = 100_000 * (1 + returned / 100)
    assert line["columns"]["y"][-1] == pytest.approx(ended, rel=1e-6)
    assert line["columns"]["x"][-1] == seconds(close.index)[-1]
    assert "buy and hold" in page.text
    assert f"holding on ended at {ended:,.2f}" in page.text
    chosen = page.charts["equity"]["layers"][-1]["columns"]
    at = np.isin(seconds(close.index), chosen["x"])
    expected = 100_000 * close.to_numpy()[at] / close.iloc[0]
    assert chosen["held"][: at.sum()] == pytest.approx(expected.tolist(), rel=1e-6)


def test_buy_and_hold_goes_on_over_the_unseen_bars():
    """On the bars of the file itself, as a run with --holdout has them."""
    outcome = small_outcome()
    outcome.job, outcome.trades = replace(outcome.job, span=(20, 301)), None
    findings = page_findings(outcome)
    assert findings.holdout is not None
    close = outcome.bars.frame["Close"].iloc[20:]
    unseen = pd.Series(100_000.0, index=close.index[281:])
    held_back = replace(findings.holdout, split=unseen.index[0], equity=unseen)
    page = Page(report_html(outcome, replace(findings, holdout=held_back)))
    (line,) = (
        layer for layer in page.charts["equity"]["layers"] if layer.get("color") == "ink"
    )  # fmt: skip
    assert line["columns"]["x"][-1] == seconds(close.index)[-1]
    ended = 100_000 * close.iloc[-1] / close.iloc[0]
    assert line["columns"]["y"][-1] == pytest.approx(ended, rel=1e-6)


def test_every_sharpe_ratio_says_which_it_is(outcome, findings):
    """backtesting.py's by its name, that of the luck tests by another, and both are explained."""
    sharpe = replace(findings.bootstrap, statistic="Sharpe Ratio", chosen=1.66)
    verdict = replace(VERDICT, lines=())
    text = text_of(outcome, replace(findings, sharpe_bootstrap=sharpe, verdict=verdict))
    found = re.findall(r"(\w*) ?Sharpe( Ratio)?", text)
    assert {name or "daily" for name, _ in found} >= {"daily"}
    assert all(ratio or name.lower() == "daily" for name, ratio in found)
    own = outcome.table.statistics(outcome.best)["Sharpe Ratio"]
    assert f"compounds returns first ({own:,.2f})".replace("-", "−") in text
    assert "mean over deviation of each period’s return (1.66). Both are annual." in text
    assert "Daily Sharpe, deflated by the number of trials" in text


def test_equal_results_stand_in_one_row(findings):
    outcome = small_outcome()
    best = outcome.best
    outcome.table.values[[0, 1, 11]] = outcome.table.values[best]
    section = re.findall(
        r'<section id="top".*?</section>', report_html(outcome, findings), re.DOTALL
    )[0]
    rows = re.findall(r"<tr><td.*?</tr>", section)
    first = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", rows[0])]
    same = sum(outcome.table.same_result(best, number) for number in range(12))
    assert first[:2] == ["1chosen", str(same)]
    assert "stand in one row" in section
    assert "settings" in re.findall(r"<th .*?</th>", section)[1]
    # Where all differ there is no such column.
    plain = report_html(small_outcome(), findings)
    assert "stand in one row" not in plain


def test_without_a_best_the_page_says_why():
    outcome = small_outcome(k_atr=9.0)
    assert outcome.best is None
    page = Page(report_html(outcome, Findings(VERDICT)))
    assert "No combination traded at all" in page.text
    assert page.sections == ["verdict", "record"]


def test_a_choice_that_hardly_traded_is_not_given_a_probability(outcome, findings):
    nothing = replace(
        findings.bootstrap, p_value=np.nan, p_value_all_trials=np.nan, traded_periods=5
    )
    said = text_of(outcome, replace(findings, bootstrap=nothing))
    assert "in 5 periods only: too few to tell anything from luck." in said
    assert "p = " not in said
    assert "of the time" not in said.split("Could luck have done it?")[1].split("best value")[0]


def test_what_was_charged_is_told_with_fixed_fees(outcome, findings):
    charged = replace(findings.costs, fixed_commission=5.0, commission=5e-5, spread=1e-4)
    said = text_of(outcome, replace(findings, costs=charged))
    assert "Charged in this run: commission 5 + 0.5 bp, spread 1 bp. " in said
    assert "Charged in this run: no costs. " in text_of(outcome, findings)


def test_an_interrupted_run_is_marked(findings):
    outcome = small_outcome()
    outcome.table.values[-2:] = np.nan
    assert "Not every combination was answered: 10 of 12" in text_of(outcome, findings)


def test_a_run_stopped_before_its_trades_were_listed_has_a_page(findings):
    outcome = small_outcome()
    outcome.trades = None
    page = Page(report_html(outcome, replace(findings, costs=None, perturbation=None)))
    assert page.sections == [*(name for name in ALWAYS if name != "trades"), *AT_THE_END]


def test_bars_that_were_held_back_and_not_opened_are_told():
    outcome = small_outcome()
    outcome.job, outcome.trades = replace(outcome.job, span=(20, 301)), None
    said = text_of(outcome, None)
    assert "The last 99 bars, from 2017-05-07 on, were put away" in said
    assert "--holdout" not in said


def test_one_combination_has_a_page():
    outcome = small_outcome(atr_period=10, k_atr=0.8, previous_weight=0.1)
    page = Page(report_html(outcome, None))
    assert "No heatmap: fewer than two parameters" in page.text
    assert "The one combination of this run" in page.text
    assert "top" not in page.sections
    assert "parameters" not in page.sections


@pytest.mark.parametrize(
    "maximize",
    ["Sharpe Ratio", "Max. Drawdown [%]", "Max. Drawdown Duration", "# Trades", "Profit Factor"],
)
def test_any_objective_has_a_page(maximize):
    outcome = small_outcome(maximize=maximize)
    page = Page(report_html(outcome, page_findings(outcome)))
    assert "heatmaps" in page.sections
    assert f"optimized for {maximize}" in page.text


def test_a_ruined_account_has_a_page():
    outcome = small_outcome(account=big_bar_account(margin=0.002))
    page = Page(report_html(outcome, None))
    assert "equity" in page.sections


def test_a_robust_choice_is_named_so(outcome, findings):
    assert findings.plateau is not None
    chosen = small_outcome()
    chosen.best = findings.plateau.robust
    assert "The robust choice of 12 combinations" in text_of(chosen, findings)


def test_unseen_days_follow_on_the_curve(outcome, findings, page):
    (line,) = (
        layer for layer in page.charts["equity"]["layers"] if layer["columns"].get("y") and
        layer.get("color") == "chosen"
    )  # fmt: skip
    assert findings.holdout is not None
    assert line["columns"]["x"][-1] == seconds(findings.holdout.equity.index)[-1]
    seen = outcome.table.statistics(outcome.best)["Equity Final [$]"]
    ends = seen * findings.holdout.equity.iloc[-1] / 100_000
    assert line["columns"]["y"][-1] == pytest.approx(ends, rel=1e-6)
    assert (
        page.charts["equity"]["shades"][0]["start"]
        == seconds(pd.DatetimeIndex([findings.holdout.split]))[0]
    )
    assert "They have been looked at twice by now" in page.text


def test_the_curve_is_not_rounded_beyond_what_can_be_seen(outcome):
    page = Page(report_html(outcome, None))
    held, line = page.charts["equity"]["layers"]
    assert (held["color"], line["color"]) == ("ink", "chosen")
    final = outcome.table.statistics(outcome.best)["Equity Final [$]"]
    assert line["columns"]["y"][-1] == pytest.approx(final, abs=0.01)
    assert line["columns"]["y"][0] == 100_000


# ---------------------------------------------------------------------------------- for everyone


def test_every_chart_is_said_in_words(page, html):
    places = [held for _, held in page.elements if "data-chart" in held]
    assert len(places) == len(page.charts)
    assert len(places) >= 12
    for held in places:
        assert held["role"] == "img"
        assert held["aria-labelledby"] in page.ids
        assert held["aria-describedby"] in page.ids
    captions = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", html, re.DOTALL)
    assert len(captions) == len(places)
    assert all(re.search(r"\d", Page(caption).text) for caption in captions)


def test_every_table_has_a_caption_and_can_be_scrolled_by_keyboard(html):
    tables = re.findall(r"<table.*?</table>", html, re.DOTALL)
    assert len(tables) >= 8
    assert all("<caption" in each for each in tables)
    boxes = re.findall(r'<div class="scroll"[^>]*>', html)
    assert len(boxes) == len(tables)
    assert all('tabindex="0"' in box and "aria-label=" in box for box in boxes)


def test_sortable_columns_have_buttons_and_values(html):
    (top,) = re.findall(r"<section id=\"top\".*?</section>", html, re.DOTALL)
    heads = re.findall(r"<th [^>]*>", top)
    assert heads
    assert all('aria-sort="none"' in head for head in heads)
    assert top.count('<button type="button">') == len(heads)
    row = re.findall(r"<tr><td.*?</tr>", top)[0]
    assert row.count("data-value=") == len(heads)


def test_headings_do_not_skip_a_level(page):
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 defines it."""

    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read(html, scheme):
    blocks = re.findall(r":root \{(.*?)\}", html, re.DOTALL)
    of = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[0]))
    if scheme == "dark":
        of |= dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[1]))
    for text in ("ink", "muted", "link"):
        for ground in ("page", "card", "raised"):
            assert contrast(of[text], of[ground]) >= 4.5, (text, ground)
    for light in ("red", "amber", "green"):
        assert contrast(of[light], of[f"{light}-wash"]) >= 4.5, light
        assert contrast(of["ink"], of[f"{light}-wash"]) >= 7, light
    for drawn in ("chosen", "unseen", "luck", "robust", "good", "bad", "faint"):
        assert contrast(of[drawn], of["card"]) >= 3, drawn
    tinted = {way: mixed(of[way], of["card"], 0.45) for way in ("low", "high")}
    for ground in tinted.values():
        assert contrast(of["ink"], ground) >= 4.5


def mixed(one: str, other: str, part: float) -> str:
    pairs = [(int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a * part + b * (1 - part)):02x}" for a, b in pairs)


# ------------------------------------------------------------------------------------ the grid


def brute_heatmap(outcome: Outcome, x: str, y: str, how: str) -> pd.DataFrame:
    frame = outcome.table.frame()
    frame = frame[frame["# Trades"] > 0]
    found = frame.groupby([y, x])[outcome.choice.objective.name].agg(how).unstack()
    return found.reindex(
        index=[v for axis in outcome.job.space.parameters if axis.name == y for v in axis.values],
        columns=[v for axis in outcome.job.space.parameters if axis.name == x for v in axis.values],
    )


@pytest.mark.parametrize(
    ("maximize", "how"), [("Return [%]", "max"), ("Volatility (Ann.) [%]", "min")]
)
def test_heatmaps_are_those_of_pandas(maximize, how):
    outcome = small_outcome(maximize=maximize)
    found = list(heatmaps(landscape_of(outcome.table, outcome.choice)))
    assert [(each.x.name, each.y.name) for each in found] == [
        ("k_atr", "atr_period"), ("atr_period", "previous_weight"), ("k_atr", "previous_weight"),
    ]  # fmt: skip
    for each in found:
        names = each.x.name, each.y.name
        np.testing.assert_array_equal(each.best, brute_heatmap(outcome, *names, how))
        np.testing.assert_allclose(each.mean, brute_heatmap(outcome, *names, "mean"), rtol=1e-12)
    assert np.isnan(found[0].mean[:, 2]).all()  # No trades at the high k_atr.


def test_long_axes_share_cells(outcome):
    from bigbar.results import ResultTable

    count = 2 * MOST_CELLS + 1
    grid = grid_with(
        k_atr=np.arange(count), previous_weight=(0.1, 0.2), atr_period=10, uptail_max_ratio=0.7
    )
    table = ResultTable(grid, np.ones((len(grid), outcome.table.values.shape[1])))
    table.column("Return [%]")[:] = np.arange(len(grid))
    (found,) = heatmaps(landscape_of(table, outcome.choice))
    assert found.group == (3, 1)
    assert found.best.shape == (2, -(-count // 3))
    assert found.best[0, 0] == 4
    assert found.mean[0, 0] == 2
    assert found.mean[1, -1] == np.mean([2 * (count - 1) + 1])


def test_profiles_are_those_of_numpy(outcome):
    landscape = landscape_of(outcome.table, outcome.choice)
    for profile in profiles(landscape):
        place = [axis.name for axis in landscape.space.parameters].index(profile.axis.name)
        rows = np.moveaxis(landscape.space.on_product(landscape.values), place, 0).reshape(
            len(profile.axis), -1
        )
        for row, *found in zip(
            rows, profile.best, profile.upper, profile.median, profile.lower, strict=True
        ):
            known = row[~np.isnan(row)]
            expected = np.quantile(known, (1, 0.75, 0.5, 0.25)) if len(known) else [np.nan] * 4
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_distribution_counts_every_combination_once(outcome):
    landscape = landscape_of(outcome.table, outcome.choice)
    found = distribution(landscape)
    assert found is not None
    assert found.counts.sum() == len(outcome.table) - outcome.table.without_trades()
    assert found.median == np.median(landscape.counted)
    assert landscape.share_better(landscape.counted[0]) == pytest.approx(1 - 1 / 8, abs=0.13)
    assert landscape.share_better(landscape.counted[-1]) == 0


def test_infinite_values_are_left_out_and_told():
    outcome = small_outcome(maximize="Profit Factor")
    outcome.table.column("Profit Factor")[0] = np.inf
    assert landscape_of(outcome.table, outcome.choice).infinite == 1
    assert "1 infinite value not drawn" in text_of(outcome, None)


# ---------------------------------------------------------------------------------- small parts


def test_points_that_are_left_keep_every_extreme():
    values = np.cumsum(np.random.default_rng(3).normal(size=100_000))
    shown = telling_points(values, 1_000)
    assert len(shown) <= 1_000
    assert (np.diff(shown) > 0).all()
    assert {0, len(values) - 1, int(values.argmax()), int(values.argmin())} <= set(shown.tolist())
    np.testing.assert_array_equal(telling_points(values[:10], 10), np.arange(10))


def test_bars_are_joined_as_longer_ones():
    times = pd.date_range("2024-01-01", periods=7, freq="h")
    made = np.arange(7.0)
    bars = pd.DataFrame(
        {"Open": made, "High": made + 3, "Low": made - 3, "Close": made + 1, "Volume": 1.0}, times
    )
    joined = join_bars(bars, most=3)
    assert joined.to_numpy().tolist() == [[0, 5, -3, 3, 3], [3, 8, 0, 6, 3], [6, 9, 3, 7, 1]]
    assert list(joined.index) == list(times[::3])
    assert join_bars(bars)["Bars"].tolist() == [1] * 7
    # Around trades each bar stays alone.
    near = around(np.array([0, 3]), np.array([0, 3]), count=7, room=1, most=3)
    assert near.tolist() == [False, False, True, True, True, False, False]
    joined = join_bars(bars, most=5, keep=near)
    assert joined["Bars"].tolist() == [2, 1, 1, 1, 2]
    assert joined["High"].tolist() == [4, 5, 6, 7, 9]


@pytest.mark.slow
def test_a_long_file_makes_no_large_page():
    outcome = small_outcome()
    frame = outcome.bars.frame
    times = pd.date_range("2000-01-02", periods=100 * len(frame), freq="min")
    longer = pd.DataFrame(np.tile(frame.to_numpy(), (100, 1)), times, frame.columns)
    outcome.bars = bars_from_frame(longer, source="long.csv")
    html = report_html(outcome, None)
    assert len(html) < 3_000_000
    assert "Away from trades each bar drawn joins 3 bars of the file" in Page(html).text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1234.5, "1,234.50"), (-0.5, "−0.50"), (-0.001, "0.00"), (float("nan"), NONE),
        (None, NONE), (float("inf"), "∞"), (float("-inf"), "−∞"),
    ],
)  # fmt: skip
def test_numbers(value, said):
    assert number(value) == said


def test_signs_and_units():
    assert number(2, sign=True) == "+2.00"
    assert number(0, sign=True) == "0.00"
    assert percent(1.5) == "1.50\xa0%"
    assert share(0.823) == "82\xa0%"
    assert statistic("Return [%]", 1.5) == "1.50\xa0%"
    assert statistic("Return [%]", 1.5, with_unit=False) == "1.50"
    assert statistic("# Trades", 1234) == "1,234"
    assert statistic("Duration", pd.Timedelta("3 days 04:05:00")) == "3 d 4 h"
    assert duration(pd.Timedelta(0)) == "0 s"
    assert duration(pd.Timedelta("1 days 00:05:00")) == "1 d"
    assert statistic("Max. Drawdown Duration", pd.NaT) == NONE


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "<b>", tag("i", "&")) == "<p>&lt;b&gt;<i>&amp;</i></p>"
    assert tag("a", href='"x"', class_=None, hidden=True) == '<a href="&quot;x&quot;" hidden></a>'
    assert escaped(["a", None, 3, ["<"]]) == "a3&lt;"
    data = packed_data({"</script><!--": "&"}, id="x")
    assert data.count("<") == 2
    assert unpacked(data.split(">", 1)[1].rsplit("<", 1)[0]) == {"</script><!--": "&"}


def test_table_cells():
    made = table(("a_long_name", "b"), [("x", Cell("1", 1.5))], caption="c", sortable=True)
    assert "a_<wbr>long_<wbr>name" in made
    assert '<td data-value="1.5">1</td>' in made


def test_numbers_in_charts_are_json():
    held = np.array([1.23456789012, np.nan, 1e-20, -np.inf])
    assert numbers(held) == [1.2345679, None, 0.0, None]
    assert numbers(np.array([1, 2])) == [1, 2]
    assert numbers(np.zeros(2)) == [0.0, 0.0]
    assert numbers(np.array([1.123456789e-7])) == [1.1234568e-7]
    assert numbers(np.array([123456.789])) == [123456.79]


def test_times_are_seconds_of_utc():
    zoned = pd.DatetimeIndex(["2024-01-01 01:00"]).tz_localize("Europe/Berlin")
    assert seconds(zoned) == seconds(pd.DatetimeIndex(["2024-01-01"])) == [1704067200]
    assert seconds(pd.DatetimeIndex(["1970-01-01 00:00:01.5"])) == [1.5]


def test_ticks_are_thinned():
    names = [str(value) for value in range(10, 101)]
    assert [name for _, name in ticks(names)] == ["10", "30", "50", "70", "90"]
    assert len(ticks(names[:7])) == 7


def test_a_chart_leaves_out_what_says_nothing():
    chart = Chart(
        "n", "t", "says", Axis(), Axis(end=0), [Layer("line", {"x": [1], "y": [2]})],
        keys=[LegendEntry("line", "ink", "<k>")],
    )  # fmt: skip
    spec = chart.spec()
    assert spec["y"] == {"kind": "linear", "format": "0,0.[00]", "end": 0}
    assert spec["layers"] == [{"mark": "line", "color": "chosen", "columns": {"x": [1], "y": [2]}}]
    assert "&lt;k&gt;" in chart.figure()


def test_assets_are_installed_with_the_package():
    import tomllib

    root = Path(__file__).resolve().parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["package-data"] == {
        "bigbar": ["py.typed"],
        "bigbar.report.page": ["assets/*"],
        "bigbar.dashboard": ["assets/*", "pages/*"],
    }
    assert {path.name for path in (root / "bigbar" / "report" / "page" / "assets").iterdir()} == {
        "report.css", "charts.js", "candles.js", "heatmaps.js", "scatter.js", "page.js", "logo.svg",
    }  # fmt: skip
