"""The page of a run in a real browser: it draws, answers, fits, and asks the network for nothing.

One browser visits everything first and notes what it saw, so that it is gone when tests look for
what was left behind.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from page_findings import page_findings

from bigbar.data.read import bars_from_frame
from bigbar.report.page.report import write_report
from tests.small_run import small_outcome
from tests.test_page import EVIL, RECEIPT

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
#: Selenium would download one that it does not find: it is given the one that is here, or none.
DRIVER = shutil.which("chromedriver")

_INSTALL = "apt-get install chromium chromium-driver"
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason=f"needs Chromium: {_INSTALL}"),
    pytest.mark.skipif(DRIVER is None, reason=f"needs chromedriver: {_INSTALL}"),
    pytest.mark.skipif(
        importlib.util.find_spec("selenium") is None,
        reason="needs selenium: pip install -r requirements-dev.txt",
    ),
]

WIDE, NARROW = (1400, 1000), (400, 800)

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip

#: What a visit counter might do.
CALL_HOME = """<script>
fetch('https://counter.invalid/fetch').catch(() => 0);
new Image().src = 'https://counter.invalid/image.gif';
</script><img src="https://counter.invalid/still.gif">"""

#: The figures in the order in which their places stand on the page, by the names of these.
FIGURES = """
const names = [...document.querySelectorAll('[data-chart]')].map((place) => place.dataset.chart);
const figures = Bokeh.documents.map((held) => held.roots()[0]);
const figure = (name) => figures[names.indexOf(name)];
"""


@dataclass
class Seen:
    """What a browser saw of the pages.

    Attributes
    ----------
    errors : list of str
        Of the console, over all that was done with the page.
    requests : list of str
        Addresses that were asked for meanwhile.
    notes : dict
        What the visit wrote down.
    """

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


class Visitor:
    """A browser that looks at one page after the other."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def command(self, name: str, **parameters: object) -> Any:
        return self.driver.execute_cdp_cmd(name, parameters)

    def resize(self, size: tuple[int, int]) -> None:
        width, height = size
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def prefer(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", features=features)

    def open(self, page: Path) -> None:
        self.driver.get(page.as_uri())
        self.wait("return document.documentElement.dataset.ready !== undefined")

    def wait(self, script: str, *arguments: object) -> Any:
        """Until the script returns something."""
        until = time.monotonic() + 60
        while not (found := self.run(script, *arguments)):
            assert time.monotonic() < until, script
            time.sleep(0.05)
        return found

    def hover(self, chart: str, across: float, down: float) -> str:
        """Point at a place of a chart; what its tooltip says."""
        at = self.run(
            """const place = document.querySelector(`[data-chart="${arguments[0]}"]`);
            place.scrollIntoView({ block: 'center', behavior: 'instant' });
            const { left, top, width, height } = place.getBoundingClientRect();
            return [left + width * arguments[1], top + height * arguments[2]];""",
            chart, across, down,
        )  # fmt: skip
        for step in (4, 2, 0):  # A pointer that moves, as a hand's does.
            self.command(
                "Input.dispatchMouseEvent", type="mouseMoved", x=at[0] - step, y=at[1] - step
            )
            time.sleep(0.05)
        return self.wait(
            """const texts = (root) => [...root.querySelectorAll('*')].flatMap((element) => [
              ...(element.classList.contains('bk-Tooltip') && element.checkVisibility()
                ? [element.shadowRoot.textContent] : []),
              ...(element.shadowRoot ? texts(element.shadowRoot) : [])]);
            return texts(document).find((text) => text.trim() !== '');"""
        )

    def press(self, key: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(key).perform()

    def look_into(self, seen: Seen) -> None:
        """Note the console's errors and the requests since the last time."""
        seen.errors += [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]
        log = self.driver.get_log("performance")
        events = [json.loads(entry["message"])["message"] for entry in log]
        # What the page's own policy refuses is noted as begun and failed, and never leaves.
        refused = {
            event["params"]["requestId"]
            for event in events
            if event["method"] == "Network.loadingFailed"
            and event["params"].get("blockedReason") == "csp"
        }
        seen.requests += [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
            and event["params"]["requestId"] not in refused
        ]


@contextmanager
def browser() -> Iterator[Visitor]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield Visitor(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """One browser's visits to the page, and to one of an evil name that also calls home."""
    folder = tmp_path_factory.mktemp("pages")
    outcome = small_outcome()
    findings = page_findings(outcome)
    page = write_report(folder / "report.html", outcome, findings, receipt=RECEIPT)
    outcome.bars = bars_from_frame(outcome.bars.frame, source=EVIL)
    evil = write_report(folder / "evil.html", outcome, findings, receipt={EVIL: EVIL})
    text = evil.read_text(encoding="utf-8")
    evil.write_text(text.replace("</body>", f"{CALL_HOME}</body>"), encoding="utf-8")

    found = {name: Seen() for name in ("page", "evil")}
    with browser() as visitor:
        visitor.resize(WIDE)
        visitor.prefer("light")
        visitor.open(page)
        for visit in (visit_keyboard, visit_charts, visit_tables, visit_controls, visit_scheme):
            visit(visitor, found["page"].notes)
        visitor.resize(NARROW)  # The scheme is dark by now.
        visitor.open(page)
        visit_narrow(visitor, found["page"].notes)
        visitor.look_into(found["page"])
        visitor.open(evil)
        found["evil"].notes["title"] = visitor.driver.title
        visitor.look_into(found["evil"])
    return found


def visit_charts(visitor: Visitor, notes: dict[str, Any]) -> None:
    notes["drawn"] = visitor.run(
        """const canvases = (root) => [...root.querySelectorAll('*')].reduce((count, element) =>
          count + (element.tagName === 'CANVAS')
          + (element.shadowRoot ? canvases(element.shadowRoot) : 0), 0);
        return [...document.querySelectorAll('[data-chart]')].map((place) =>
          [place.dataset.chart, canvases(place)]);"""
    )
    notes["tips"] = {
        "equity": visitor.hover("equity", 0.5, 0.5),
        "heatmap-k_atr-previous_weight": visitor.hover("heatmap-k_atr-previous_weight", 0.4, 0.3),
        "distribution": visitor.hover("distribution", 0.93, 0.8),
        "prices": visitor.hover("prices", 0.4, 0.9),
    }


def visit_tables(visitor: Visitor, notes: dict[str, Any]) -> None:
    read = """const table = document.querySelector('#top table');
    const heads = [...table.tHead.rows[0].cells];
    const place = heads.findIndex((head) => head.textContent.startsWith('Sharpe'));
    return [heads.map((head) => head.getAttribute('aria-sort')),
      [...table.tBodies[0].rows].map((row) => Number(row.cells[place].dataset.value)), place];"""
    notes["before"] = visitor.run(read)
    visitor.run(
        """[...document.querySelectorAll('#top th button')]
        .find((button) => button.textContent.startsWith('Sharpe')).click();"""
    )
    notes["clicked"] = visitor.run(read)
    # And again from the keyboard alone.
    visitor.run(
        """[...document.querySelectorAll('#top th button')]
        .find((button) => button.textContent.startsWith('Sharpe')).focus();"""
    )
    visitor.press("\ue007")
    notes["pressed"] = visitor.run(read)


def visit_controls(visitor: Visitor, notes: dict[str, Any]) -> None:
    scale = "return document.querySelector('.scale .to').textContent"
    fill = FIGURES + (
        "const cells = figure('heatmap-k_atr-previous_weight').renderers[0].glyph;"
        "return cells.fill_color.field;"
    )
    notes["mean"] = visitor.run(scale), visitor.run(fill)
    visitor.run("document.querySelector('input[value=best]').click()")
    notes["best"] = visitor.run(scale), visitor.run(fill)

    ends = FIGURES + (
        "const { x_range, y_range } = figure(arguments[0]);"
        "return [x_range.start, x_range.end, y_range.start, y_range.end];"
    )
    press = "document.querySelector(`[data-controls=${arguments[0]}] ${arguments[1]}`).click()"
    for step, button in (("whole", None), ("nearer", "nearer"), ("all", "all")):
        if button:
            visitor.run(press, "equity", f"[data-move={button}]")
        notes[f"equity {step}"] = visitor.run(ends, "equity")
        notes[f"drawdown {step}"] = visitor.run(ends, "drawdown")
    notes["prices"] = visitor.run(ends, "prices")
    visitor.run(press, "prices", "[data-step='1']")
    notes["trade"] = visitor.run(
        "return document.querySelector('[data-controls=prices] output').textContent"
    )
    notes["prices at a trade"] = visitor.run(ends, "prices")


def visit_keyboard(visitor: Visitor, notes: dict[str, Any]) -> None:
    visitor.press("\ue004")
    notes["first stop"] = visitor.run(
        """const held = document.activeElement, { top } = held.getBoundingClientRect();
        return [held.textContent, top >= 0, getComputedStyle(held).outlineStyle];"""
    )
    visitor.press("\ue007")
    notes["skipped to"] = visitor.run("return location.hash")
    notes["out of reach"] = visitor.run(
        """return [...document.querySelectorAll('button, a, input, summary, .scroll')]
        .filter((held) => held.tabIndex < 0).map((held) => held.outerHTML)"""
    )


SCHEME = FIGURES + (
    "const style = getComputedStyle(document.documentElement);"
    "const lines = figure('equity').renderers.map((each) => each.glyph.line_color?.value);"
    "return [getComputedStyle(document.body).backgroundColor, lines.at(-1),"
    " style.getPropertyValue('--chosen').trim(),"
    " figure('equity').below[0].major_label_text_color,"
    " style.getPropertyValue('--muted').trim()];"
)


def visit_scheme(visitor: Visitor, notes: dict[str, Any]) -> None:
    notes["light"] = visitor.run(SCHEME)
    visitor.prefer("dark")
    visitor.wait("return document.documentElement.hasAttribute('data-dark')")
    notes["changed to dark"] = visitor.run(SCHEME)


def visit_narrow(visitor: Visitor, notes: dict[str, Any]) -> None:
    notes["opened in dark"] = visitor.run(SCHEME)
    notes["widths"] = visitor.run(
        "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
    )
    notes["too wide"] = visitor.run(
        """return [...document.querySelectorAll('main *')].filter((held) =>
          !held.closest('.scroll table') && !held.closest('.unseen-text')
          && held.getBoundingClientRect().right > innerWidth + 0.5)
        .map((held) => held.outerHTML.slice(0, 120))"""
    )


# ----------------------------------------------------------------------------------- what it saw


def test_no_error_and_no_request(seen):
    assert seen["page"].errors == []
    assert seen["page"].requests
    asked = {url.partition(":")[0] for url in seen["page"].requests}
    assert asked <= {"file", "data", "blob"}
    assert {url for url in seen["page"].requests if url.startswith("file:")} == {
        url for url in seen["page"].requests if url.endswith("/report.html")
    }


def test_every_chart_is_drawn(seen):
    drawn = dict(seen["page"].notes["drawn"])
    assert len(drawn) >= 12
    assert min(drawn.values()) >= 1


def test_tooltips_say_what_is_pointed_at(seen):
    tips = seen["page"].notes["tips"]
    assert "Equity" in tips["equity"]
    assert "Buy and hold" in tips["equity"]
    assert "2017-" in tips["equity"]
    cell = tips["heatmap-k_atr-previous_weight"]
    assert all(word in cell for word in ("k_atr", "previous_weight", "Mean", "Best", "%"))
    assert "Combinations" in tips["distribution"]
    assert all(word in tips["prices"] for word in ("Open", "High", "Low", "Close"))
    assert not [tip for tip in tips.values() if "???" in tip or "NaN" in tip]


def test_tables_are_sorted_by_click_and_by_keyboard(seen):
    before, clicked, pressed = (
        seen["page"].notes[name] for name in ("before", "clicked", "pressed")
    )
    place = before[2]
    assert set(before[0]) == {"none"}
    assert clicked[0][place] == "descending"
    assert clicked[1] == sorted(before[1], reverse=True)
    assert pressed[0][place] == "ascending"
    assert pressed[1] == sorted(before[1])
    assert before[1] not in (clicked[1], pressed[1])
    assert [order for i, order in enumerate(pressed[0]) if i != place] == ["none"] * (
        len(before[0]) - 1
    )


def test_heatmaps_can_show_the_best(seen):
    notes = seen["page"].notes
    assert notes["mean"][1] == "mean"
    assert notes["best"][1] == "best"
    assert notes["best"][0] != notes["mean"][0]


def test_charts_of_one_time_are_zoomed_together_and_fit_their_height(seen):
    notes = seen["page"].notes
    whole, nearer, everything = (notes[f"equity {step}"] for step in ("whole", "nearer", "all"))
    assert nearer[1] - nearer[0] == pytest.approx((whole[1] - whole[0]) / 2)
    assert nearer[3] - nearer[2] < whole[3] - whole[2]
    assert everything == whole
    for step in ("nearer", "all"):
        assert notes[f"drawdown {step}"][:2] == notes[f"equity {step}"][:2]
    assert notes["drawdown whole"][3] == 0


def test_trades_are_looked_at_one_by_one(seen):
    notes = seen["page"].notes
    assert notes["trade"].startswith("Trade 1 of ")
    whole, near = notes["prices"], notes["prices at a trade"]
    assert near[1] - near[0] < (whole[1] - whole[0]) / 3
    assert near[3] - near[2] < whole[3] - whole[2]


def test_the_keyboard_reaches_everything(seen):
    notes = seen["page"].notes
    text, in_sight, outline = notes["first stop"]
    assert (text, in_sight) == ("Skip to the verdict", True)
    assert outline != "none"
    assert notes["skipped to"] == "#verdict"
    assert notes["out of reach"] == []


def test_charts_follow_the_readers_scheme(seen):
    notes = seen["page"].notes
    assert notes["light"] != notes["changed to dark"] == notes["opened in dark"]
    for scheme in ("light", "changed to dark"):
        _, line, chosen, label, muted = notes[scheme]
        assert line == chosen
        assert label == muted
    assert notes["light"][0] == "rgb(244, 245, 247)"
    assert notes["changed to dark"][0] == "rgb(14, 18, 24)"


def test_a_narrow_window_needs_no_scrolling_sideways(seen):
    notes = seen["page"].notes
    needed, there = notes["widths"]
    assert needed == there <= NARROW[0]
    assert notes["too wide"] == []


def test_an_evil_name_is_shown_and_does_nothing(seen):
    assert seen["evil"].notes["title"].endswith(EVIL.rpartition("/")[2])
    refused = [error for error in seen["evil"].errors if "Content Security Policy" in error]
    assert refused == seen["evil"].errors


def test_the_policy_stops_what_would_call_home(seen):
    """And what was not there when the page was written does not run at all."""
    refused = [error for error in seen["evil"].errors if "Content Security Policy" in error]
    assert len(refused) == 2  # The script, and the picture in the page itself.
    assert [url for url in seen["evil"].requests if "counter.invalid" in url] == []
