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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from page_findings import page_findings

from bigbar.data.read import bars_from_frame
from bigbar.outcome import Outcome
from bigbar.report.page.numbers import statistic, value_text
from bigbar.report.page.pair import Differences, Side, pair_html
from bigbar.report.page.report import write_report
from bigbar.report.page.subject import Subject
from bigbar.validation.findings import Findings
from tests.small_run import small_outcome
from tests.test_page import EVIL, RECEIPT

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
#: Selenium would download one that it does not find: it is given the one that is here, or none.
DRIVER = shutil.which("chromedriver")

_INSTALL = "apt-get install chromium chromium-driver"
pytestmark = [
    pytest.mark.slow,
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

#: A point of a chart, by shares of its width and height, once it is in sight.
PLACE = """
const place = document.querySelector(`[data-chart="${arguments[0]}"]`);
place.scrollIntoView({ block: 'center', behavior: 'instant' });
const { left, top, width, height } = place.getBoundingClientRect();
return [left + width * arguments[1], top + height * arguments[2]];
"""

#: What the first tooltip says that can be seen.
TOOLTIP = """
const texts = (root) => [...root.querySelectorAll('*')].flatMap((element) => [
  ...(element.classList.contains('bk-Tooltip') && element.checkVisibility()
    ? [element.shadowRoot.textContent] : []),
  ...(element.shadowRoot ? texts(element.shadowRoot) : [])]);
return texts(document).find((text) => text.trim() !== '');
"""

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
        until = time.monotonic() + 60
        while time.monotonic() < until:
            at = self.run(PLACE, chart, across, down)  # Anew: what is above may have grown.
            for step in (4, 2, 0):  # A pointer that moves, as a hand's does.
                self.command(
                    "Input.dispatchMouseEvent", type="mouseMoved", x=at[0] - step, y=at[1] - step
                )
                time.sleep(0.05)
            if text := self.run(TOOLTIP):
                return text
        raise AssertionError(f"no tooltip in the chart {chart}")

    def click(self, chart: str, across: float, down: float) -> None:
        """Press a place of a chart with the mouse."""
        self.hover(chart, across, down)
        x, y = self.run(PLACE, chart, across, down)
        for kind in ("mousePressed", "mouseReleased"):
            self.command(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
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
def browser(*, local: bool = False) -> Iterator[Visitor]:
    """A browser that reaches nothing; with `local` it reaches servers of this machine."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in OPTIONS:
        reached = ",EXCLUDE 127.0.0.1" if local and "NOTFOUND" in option else ""
        options.add_argument(option + reached)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield Visitor(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """One browser's visits to a page, to one as a plain run has it, and to one that is evil."""
    folder = tmp_path_factory.mktemp("pages")
    outcome = small_outcome()
    findings = page_findings(outcome)
    page = write_report(folder / "report.html", outcome, findings, receipt=RECEIPT)
    outcome.bars = bars_from_frame(outcome.bars.frame, source=EVIL)
    evil = write_report(folder / "evil.html", outcome, findings, receipt={EVIL: EVIL})
    text = evil.read_text(encoding="utf-8")
    evil.write_text(text.replace("</body>", f"{CALL_HOME}</body>"), encoding="utf-8")

    plain = write_report(folder / "plain.html", *plain_run(), receipt=RECEIPT)

    several = small_outcome(maximize=["Return [%]", "Exposure Time [%]"])
    front = write_report(folder / "front.html", several, page_findings(several), receipt=RECEIPT)

    both = folder / "both.html"
    both.write_text(pair_html(two_runs(), Differences([("commission", "0", "0.0001")], [])))

    found = {name: Seen() for name in ("page", "plain", "front", "both", "evil")}
    with browser() as visitor:
        visitor.resize(WIDE)
        visitor.prefer("light")
        visitor.open(page)
        for visit in (
            visit_keyboard, visit_charts, visit_tables, visit_controls, visit_settings,
            visit_folded, visit_scheme,
        ):  # fmt: skip
            visit(visitor, found["page"].notes)
        visitor.resize(NARROW)  # The scheme is dark by now.
        visitor.open(page)
        visit_narrow(visitor, found["page"].notes)
        visitor.look_into(found["page"])
        visitor.resize(WIDE)
        visitor.open(plain)
        found["plain"].notes["height"] = visitor.run("return document.body.scrollHeight")
        found["plain"].notes["colours"] = visitor.run(COLOURS)
        visitor.look_into(found["plain"])
        visitor.open(front)
        visit_front(visitor, found["front"].notes)
        visitor.look_into(found["front"])
        visitor.resize(WIDE)
        visitor.open(both)
        visit_both(visitor, found["both"].notes)
        visitor.look_into(found["both"])
        visitor.open(evil)
        found["evil"].notes["title"] = visitor.driver.title
        visitor.look_into(found["evil"])
    return found


def plain_run() -> tuple[Outcome, Findings]:
    """As `bigbar prices.csv` has it: four parameters that vary, no bars held back, no windows."""
    outcome = small_outcome(uptail_max_ratio=(0.6, 0.7))
    outcome.table.column("Return [%]")[1::7] -= 60.0  # A few heavy losses.
    findings = page_findings(outcome)
    return outcome, replace(findings, holdout=None, walk_forward=None, walk_forward_matrix=None)


def two_runs() -> tuple[Side, Side]:
    """Of the second the factors reach elsewhere."""
    outcomes = small_outcome(), small_outcome(k_atr=(0.8, 1.1, 1.5))
    first, second = map(Subject, outcomes)
    return Side("a", "Run 1", first), Side("b", "Run 2", second)


#: Where the last point of the front stands, by shares of its chart.
LAST_POINT = """
const { figure, view, place } = Page.drawn.get('pareto-1-0');
const { x, y } = figure.renderers[2].data_source.data;
const { width, height } = place.getBoundingClientRect();
return [view.frame.x_scale.compute(x[x.length - 1]) / width,
  view.frame.y_scale.compute(y[y.length - 1]) / height];
"""


def visit_front(visitor: Visitor, notes: dict[str, Any]) -> None:
    """The points of a front, by mouse and by keyboard."""
    across, down = visitor.run(LAST_POINT)
    at = visitor.run(PLACE, "pareto-1-0", across, down)
    for step in (3, 0):
        visitor.command(
            "Input.dispatchMouseEvent", type="mouseMoved", x=at[0] - step, y=at[1] - step
        )
    notes["tip"] = visitor.run("return document.querySelector('.setting-tip').innerText")
    for kind in ("mousePressed", "mouseReleased"):
        visitor.command(
            "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1
        )
    notes["pressed point"] = visitor.run(DRAWER)
    visitor.run("document.querySelector('.drawer').close();"
                "document.querySelector('[data-chart=pareto-1-0]').focus()")  # fmt: skip
    for _ in range(30):  # To the right, as far as it goes.
        visitor.press("\ue014")
    notes["said"] = visitor.run("return document.querySelector('#pareto output.cell').textContent")
    visitor.press("\ue007")
    notes["entered point"] = visitor.run(DRAWER)
    visitor.resize(NARROW)
    notes["widths"] = visitor.run(
        "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
    )


def visit_both(visitor: Visitor, notes: dict[str, Any]) -> None:
    """Both curves are zoomed together; each heatmap opens the settings of its own run."""
    visitor.click("b-heatmap-k_atr-previous_weight", 0.85, 0.3)
    notes["pressed cell"] = visitor.run(DRAWER)
    visitor.run("document.querySelector('[data-controls=equity] [data-move=nearer]').click()")
    notes["ranges"] = visitor.run(
        FIGURES + "return ['equity', 'drawdown'].map((name) => figure(name).x_range.start)"
    )
    visitor.resize(NARROW)
    notes["widths"] = visitor.run(
        "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
    )


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
        "prices": visitor.hover("prices", 0.3, 0.5),
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
    cells = FIGURES + (
        "const { fill, mean, best } = figure('heatmap-k_atr-previous_weight').renderers[0]"
        ".data_source.data;"
        "const caption = document.querySelector('#heatmaps figcaption');"
        "const to = document.querySelector('.scale .to').textContent;"
        "return { fill, mean, best, caption: caption.innerText, to };"
    )
    notes["mean"] = visitor.run(cells)
    visitor.run("document.querySelector('input[value=best]').click()")
    notes["best"] = visitor.run(cells)

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
        notes[f"prices {step}"] = visitor.run(ends, "prices")
    bars = FIGURES + "return Array.from(figure('prices').renderers[0].data_source.data.bars);"
    notes["prices"] = visitor.run(ends, "prices")
    notes["bars"] = visitor.run(bars)
    visitor.run(press, "prices", "[data-step='1']")
    notes["bars at a trade"] = visitor.run(bars)
    notes["equity at a trade"] = visitor.run(ends, "equity")
    notes["trade"] = visitor.run(
        "return document.querySelector('[data-controls=prices] output').textContent"
    )
    notes["prices at a trade"] = visitor.run(ends, "prices")


#: Of the map with the most cells, and the strongest colour of a loss and of a gain.
COLOURS = (
    FIGURES
    + """
const { mean, fill } = figure('heatmap-k_atr-previous_weight').renderers[0].data_source.data;
const style = getComputedStyle(document.documentElement);
return [{ mean, fill }, ['--low', '--high'].map((name) => style.getPropertyValue(name).trim())];
"""
)

DRAWER = """
const drawer = document.querySelector('dialog');
const rows = [...drawer.querySelectorAll('tr')].map((row) =>
  [...row.cells].map((cell) => cell.textContent));
return [drawer.open, drawer.querySelector('p')?.textContent, rows,
  document.activeElement.className];
"""


def visit_settings(visitor: Visitor, notes: dict[str, Any]) -> None:
    """Statistics of a setting, by mouse, by keyboard, and from the table of the best."""
    chart = "heatmap-k_atr-previous_weight"
    tip = visitor.hover(chart, 0.4, 0.7)
    notes["pointed at"] = tip[tip.rindex("}") + 1 :]
    visitor.click(chart, 0.4, 0.7)
    notes["pressed cell"] = visitor.run(DRAWER)
    visitor.press("\ue00c")
    notes["escaped"] = visitor.run(DRAWER)
    visitor.run(f"document.querySelector('[data-chart=\"{chart}\"]').focus()")
    for key in ("\ue014", "\ue014", "\ue013"):  # The first shows where one is: at the left end.
        visitor.press(key)
    notes["cell in words"] = visitor.run("return document.querySelector('output.cell').textContent")
    visitor.press("\ue007")
    notes["entered cell"] = visitor.run(DRAWER)
    visitor.press("\ue007")  # The drawer's own button has the focus.
    notes["closed"] = visitor.run(DRAWER)
    visitor.run("document.querySelectorAll('#top td button')[1].click()")
    notes["row of the table"] = visitor.run(DRAWER)
    notes["second row"] = visitor.run(
        "return [...document.querySelectorAll('#top tbody tr')[1].cells]"
        ".map((cell) => cell.textContent)"
    )
    visitor.run("document.querySelector('dialog').close()")


def visit_folded(visitor: Visitor, notes: dict[str, Any]) -> None:
    opened = (
        "return ['statistics', 'record'].map((id) => document.querySelector(`#${id} details`).open)"
    )
    notes["folded"] = visitor.run(opened)
    visitor.run("document.querySelector('nav a[href=\"#record\"]').click()")
    visitor.wait("return document.querySelector('#record details').open")
    notes["unfolded"] = visitor.run(opened)


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


def test_heatmaps_can_show_the_best_and_their_captions_follow(seen):
    mean, best = (seen["page"].notes[name] for name in ("mean", "best"))
    assert (mean["mean"], mean["best"]) == (best["mean"], best["best"])
    assert mean["fill"] != best["fill"]
    assert mean["to"] != best["to"]
    assert mean["caption"].startswith("The best mean, ")
    assert best["caption"].startswith("The best, ")


def test_each_side_of_zero_has_its_own_scale(seen):
    """The heaviest loss and the largest gain have the strongest colours, however unequal."""
    cells, strongest = seen["plain"].notes["colours"]
    colours = dict(zip(cells["mean"], cells["fill"], strict=True))
    low, high = min(colours), max(colours)
    assert low < -10 * high < 0
    assert (colours[low], colours[high]) == tuple(strongest)
    gains = [value for value in colours if 0 < value < high]
    assert gains
    assert colours[high] not in {colours[value] for value in gains}


def test_a_cell_opens_the_statistics_of_its_setting(seen):
    outcome, notes = small_outcome(), seen["page"].notes
    opened, setting, rows, _ = notes["pressed cell"]
    assert opened
    heads, *lines = rows
    assert heads == ["statistic", "this setting", "chosen"]
    number = next(
        number
        for number in range(len(outcome.table))
        if setting_text_of(outcome, number) == setting
    )
    shown = {name: (one, chosen) for name, one, chosen in lines}
    for place, which in enumerate((number, outcome.best)):
        found = outcome.table.statistics(which)
        for name in ("Return [%]", "Sharpe Ratio", "# Trades", "Max. Drawdown Duration"):
            assert shown[name][place] == statistic(name, found[name], with_unit=False)
    trades = outcome.table.statistics(number)["# Trades"]
    assert notes["pointed at"].endswith(f"Trades{trades}")
    assert not notes["escaped"][0]


def test_the_keyboard_walks_over_a_heatmap(seen):
    notes = seen["page"].notes
    said = notes["cell in words"]
    assert said.startswith("k_atr 1.1, previous_weight 0.4: mean ")
    opened, setting, _, focus = notes["entered cell"]
    assert opened
    assert ("k_atr 1.1" in setting, "previous_weight 0.4" in setting) == (True, True)
    assert focus == "close"
    assert not notes["closed"][0]
    assert "plot" in notes["closed"][3]  # The focus is where it was.


def test_a_row_of_the_best_opens_its_statistics(seen):
    notes = seen["page"].notes
    opened, _, rows, _ = notes["row of the table"]
    assert opened
    returned = next(row[1] for row in rows if row[0] == "Return [%]")
    assert returned in notes["second row"]


def test_settings_and_receipt_are_folded_until_one_goes_there(seen):
    notes = seen["page"].notes
    assert notes["folded"] == [False, False]
    assert notes["unfolded"] == [False, True]


def test_a_point_of_the_front_opens_the_statistics_of_its_setting(seen):
    outcome, notes = (
        small_outcome(maximize=["Return [%]", "Exposure Time [%]"]),
        seen["front"].notes,
    )
    assert seen["front"].errors == []
    last = int(outcome.pareto.points[-1])
    wanted = setting_text_of(outcome, last)
    values = outcome.table.statistics(last)
    assert "Exposure Time [%]" in notes["tip"]
    assert statistic("Return [%]", values["Return [%]"], with_unit=False) in notes["tip"]
    for name in ("pressed point", "entered point"):
        opened, setting, rows, _ = notes[name]
        assert opened
        assert setting == wanted
        assert ["# Trades", str(values["# Trades"])] in [row[:2] for row in rows]
    assert "Enter shows its statistics." in notes["said"]
    needed, there = notes["widths"]
    assert needed == there


def test_two_runs_side_by_side(seen):
    notes = seen["both"].notes
    assert seen["both"].errors == []
    opened, setting, rows, _ = notes["pressed cell"]
    assert opened
    assert "k_atr 1.5" in setting  # Only the second run has it.
    assert rows[0] == ["statistic", "this setting", "chosen"]
    assert notes["ranges"][0] == notes["ranges"][1]
    needed, there = notes["widths"]
    assert needed == there


def test_a_plain_run_is_seen_without_much_scrolling(seen):
    assert 4_000 < seen["plain"].notes["height"] < 9_000
    assert seen["plain"].errors == []


def test_charts_of_one_time_are_zoomed_together_and_fit_their_height(seen):
    notes = seen["page"].notes
    whole, nearer, everything = (notes[f"equity {step}"] for step in ("whole", "nearer", "all"))
    assert nearer[1] - nearer[0] == pytest.approx((whole[1] - whole[0]) / 2)
    assert nearer[3] - nearer[2] < whole[3] - whole[2]
    assert everything == whole
    for step in ("whole", "nearer", "all"):
        for other in ("drawdown", "prices"):
            assert notes[f"{other} {step}"][:2] == notes[f"equity {step}"][:2]
    assert notes["drawdown whole"][3] == 0


def test_trades_are_looked_at_one_by_one(seen):
    notes = seen["page"].notes
    assert notes["trade"].startswith("Trade 1 of ")
    whole, near = notes["prices"], notes["prices at a trade"]
    assert near[1] - near[0] < (whole[1] - whole[0]) / 3
    assert near[3] - near[2] < whole[3] - whole[2]
    assert notes["equity at a trade"][:2] == near[:2]
    # From afar bars are joined; there each stands alone, with room to be seen.
    assert max(notes["bars"]) > 1
    assert set(notes["bars at a trade"]) == {1}
    assert 10 < len(notes["bars at a trade"]) < 100


def setting_text_of(outcome: Outcome, number: int) -> str:
    """As the page has it: every parameter, in order."""
    point = outcome.job.space[number]
    return ", ".join(f"{name} {value_text(value)}" for name, value in point.items())


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
