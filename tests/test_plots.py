"""The plot pages: complete in themselves, silent on the network, leaving nothing else behind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from backtesting.test import EURUSD, SMA
from bokeh.document import Document
from bokeh.io import curdoc, output_file
from bokeh.io.doc import patch_curdoc
from bokeh.io.state import curstate

from bigbar.report.files import OutputError
from bigbar.report.plots import plot_backtest, plot_heatmaps

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# Counts canvases through the shadow roots that Bokeh draws in.
COUNT_CANVASES = """<script>
setTimeout(() => {
  const count = (root) => [...root.querySelectorAll('*')].reduce((n, e) =>
    n + (e.tagName === 'CANVAS') + (e.shadowRoot ? count(e.shadowRoot) : 0), 0);
  console.log(`canvases: ${count(document)}`);
}, 1500);
</script>"""
# What a visit counter might do.
CALL_HOME = """<script>
fetch('https://counter.invalid/fetch').catch(() => 0);
new Image().src = 'https://counter.invalid/image.gif';
const frame = document.createElement('iframe');
frame.src = 'https://counter.invalid/frame';
document.body.appendChild(frame);
</script>"""


class SmaCross(Strategy):
    """Two moving averages; trades at every crossing."""

    def init(self):
        self.fast = self.I(SMA, self.data.Close, 10)
        self.slow = self.I(SMA, self.data.Close, 30)

    def next(self):
        if crossover(self.fast, self.slow):
            self.position.close()
            self.buy()
        elif crossover(self.slow, self.fast):
            self.position.close()
            self.sell()


class Idle(Strategy):
    """Never trades."""

    def init(self):
        pass

    def next(self):
        pass


def run(strategy: type[Strategy], data: pd.DataFrame) -> tuple[Backtest, pd.Series]:
    backtest = Backtest(data, strategy, trade_on_close=True, finalize_trades=True)
    return backtest, backtest.run()


@pytest.fixture(scope="module")
def crossings() -> tuple[Backtest, pd.Series]:
    return run(SmaCross, EURUSD.iloc[:600])


@pytest.fixture(scope="module")
def many_bars() -> tuple[Backtest, pd.Series]:
    """More bars than `Backtest.plot` draws one by one."""
    generator = np.random.default_rng(5)
    close = np.exp(np.cumsum(generator.normal(0, 0.001, 12_000)))
    data = pd.DataFrame(
        {"Open": close, "High": close * 1.001, "Low": close * 0.999, "Close": close},
        index=pd.date_range("2024-01-01", periods=close.size, freq="6min", tz="UTC"),
    )
    return run(SmaCross, data)


def grid(**axes: list) -> pd.Series:
    """A heatmap Series with a different value for every combination."""
    index = pd.MultiIndex.from_product(axes.values(), names=list(axes))
    return pd.Series(np.arange(len(index), dtype=float), index=index, name="Return [%]")


SMALL_GRID = grid(atr_period=[10, 11, 12], k_atr=[1.0, 1.1], buffer_ratio=[0.01])


def models(page: Path, name: str) -> list[dict]:
    """The attributes of the models of one kind, as the document inside a page has them."""
    found: list[dict] = []

    def collect(node: object) -> None:
        if isinstance(node, dict):
            if node.get("name") == name and "attributes" in node:
                found.append(node["attributes"])
            for child in node.values():
                collect(child)
        elif isinstance(node, list):
            for child in node:
                collect(child)

    collect(embedded_document(page))
    return found


def charts(page: Path) -> list[dict]:
    return models(page, "Figure")


def embedded_document(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    match = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert match is not None
    unescaped = match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(unescaped)


class References(HTMLParser):
    """Collects what the elements of a page refer to (scripts are read as text)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"src", "srcset", "href", "data"}]


def is_blank(document: Document) -> bool:
    """Whether a document holds no chart and no callback."""
    return document.roots == [] and "CustomJS" not in str(document.to_json())


@pytest.fixture
def both_pages(tmp_path, crossings) -> list[Path]:
    pages = [
        plot_backtest(*crossings, tmp_path / "backtest.html", title="Best <of> 6"),
        plot_heatmaps(SMALL_GRID, tmp_path / "heatmaps.html", title="Best <of> 6"),
    ]
    assert None not in pages
    return pages


# --- what is written -------------------------------------------------------------------------


@pytest.mark.slow
def test_pages_refer_to_nothing_outside_themselves(both_pages):
    for page in both_pages:
        text = page.read_text(encoding="utf-8")
        assert "plx.gif" not in text
        assert "<iframe" not in text
        assert "cdn.bokeh.org" not in text
        assert "Content-Security-Policy" in text
        references = References()
        references.feed(text)
        assert references.found == ["data:,"]  # an empty icon, so that none is asked for
        # The counter would be a callback of the document itself.
        (document,) = embedded_document(page).values()
        assert not document.get("callbacks")


def test_the_page_of_backtesting_has_the_counter(tmp_path, crossings):
    """Else the checks above would prove nothing."""
    page = tmp_path / "raw.html"
    backtest, stats = crossings
    backtest.plot(results=stats, filename=str(page), open_browser=False)
    assert "plx.gif" in page.read_text(encoding="utf-8")
    assert not is_blank(curdoc())
    curstate().reset()


def test_titles_are_escaped_and_shown(both_pages):
    for page in both_pages:
        text = page.read_text(encoding="utf-8")
        assert "<title>Best &lt;of&gt; 6</title>" in text
        assert "<h1>Best &lt;of&gt; 6</h1>" in text


def test_only_the_page_is_written(tmp_path, crossings, monkeypatch):
    work, output = tmp_path / "work", tmp_path / "output"
    work.mkdir()
    output.mkdir()
    monkeypatch.chdir(work)
    plot_backtest(*crossings, output / "backtest.html")
    plot_heatmaps(SMALL_GRID, output / "heatmaps.html")
    assert list(work.iterdir()) == []
    assert sorted(p.name for p in output.iterdir()) == ["backtest.html", "heatmaps.html"]


def test_an_earlier_page_is_replaced(tmp_path):
    page = tmp_path / "heatmaps.html"
    page.write_text("old")
    assert plot_heatmaps(SMALL_GRID, page) == page
    assert page.read_text(encoding="utf-8").lstrip().startswith("<!DOCTYPE html>")


def test_a_failing_plot_leaves_the_earlier_page(tmp_path, crossings):
    page = tmp_path / "backtest.html"
    page.write_text("old")
    backtest, stats = crossings
    other_bars = stats.copy()
    other_bars["_equity_curve"] = stats["_equity_curve"].iloc[:-1]
    with pytest.raises(AssertionError):
        plot_backtest(backtest, other_bars, page)
    assert [p.name for p in tmp_path.iterdir()] == ["backtest.html"]
    assert page.read_text() == "old"


def test_a_page_that_cannot_be_put_in_place_leaves_no_part(tmp_path):
    page = tmp_path / "heatmaps.html"
    page.mkdir()  # a folder in the way fails the very last step
    with pytest.raises(OutputError, match=re.escape(page.name)):
        plot_heatmaps(SMALL_GRID, page)
    assert [p.name for p in tmp_path.iterdir()] == ["heatmaps.html"]


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(OutputError, match="missing"):
        plot_heatmaps(SMALL_GRID, tmp_path / "missing" / "heatmaps.html")


# --- what is left as it was ------------------------------------------------------------------


@pytest.fixture
def bokeh_in_use(tmp_path):
    """Bokeh as a program that also uses it for its own pages might have set it."""
    state = curstate()
    state.reset()
    output_file(tmp_path / "own.html", title="own")
    yield state
    state.reset()


@pytest.mark.parametrize("fails", [False, True])
def test_global_state_of_bokeh_is_untouched(tmp_path, crossings, bokeh_in_use, fails):
    before, document, config = vars(bokeh_in_use).copy(), curdoc(), bokeh_in_use.file
    backtest, stats = crossings
    if fails:
        stats = stats.drop("_trades")
        with pytest.raises(KeyError):
            plot_backtest(backtest, stats, tmp_path / "backtest.html")
    else:
        plot_backtest(backtest, stats, tmp_path / "backtest.html")
        plot_heatmaps(SMALL_GRID, tmp_path / "heatmaps.html")
    assert curstate() is bokeh_in_use
    assert vars(bokeh_in_use) == before
    assert curdoc() is document
    assert bokeh_in_use.file is config
    assert is_blank(document)


def test_a_document_someone_else_made_current_is_untouched(tmp_path, crossings):
    document = Document()
    with patch_curdoc(document):
        plot_backtest(*crossings, tmp_path / "backtest.html")
        assert curdoc() is document
    assert is_blank(document)


@pytest.mark.slow
def test_nothing_reaches_the_terminal(tmp_path, many_bars, capfd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plot_backtest(*many_bars, tmp_path / "backtest.html")
        plot_heatmaps(SMALL_GRID, tmp_path / "heatmaps.html")
    assert caught == []
    assert capfd.readouterr() == ("", "")


# --- what the pages show ---------------------------------------------------------------------


def test_backtest_page_shows_equity_trades_and_indicators(tmp_path, crossings):
    page = plot_backtest(*crossings, tmp_path / "backtest.html")
    text = page.read_text(encoding="utf-8")
    assert "600 bars. " in text
    trades = len(crossings[1]["_trades"])
    for label in (f"Trades ({trades})", "Max Dd Dur.", "Equity", "SMA(C,10)", "SMA(C,30)"):
        assert label in text
    assert len(charts(page)) == 4  # equity, profit and loss, prices, volume


def test_joined_bars_are_said_and_their_drawdown_line_is_hidden(tmp_path, many_bars):
    page = plot_backtest(*many_bars, tmp_path / "backtest.html")
    drawn = re.search(r"12,000 bars, drawn as ([\d,]+) longer ones", page.read_text("utf-8"))
    assert drawn is not None
    assert 5_000 < int(drawn[1].replace(",", "")) <= 10_000

    hidden = [item for item in models(page, "LegendItem") if item.get("visible") is False]
    assert [item["label"]["value"].partition(" (")[0] for item in hidden] == ["Max Dd Dur."]


@pytest.mark.parametrize("index", ["time", "numbers"])
def test_a_backtest_without_trades_is_drawn(tmp_path, index):
    data = EURUSD.iloc[:100]
    if index == "numbers":
        data = data.reset_index(drop=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # backtesting.py prefers a time index
        backtest, stats = run(Idle, data)
    page = plot_backtest(backtest, stats, tmp_path / "backtest.html")
    assert len(charts(page)) == 2  # prices, volume


def axis_labels(page: Path) -> list[list[str]]:
    return [
        [chart[side][0]["attributes"]["axis_label"] for side in ("below", "left")]
        for chart in charts(page)
    ]


def test_one_heatmap_for_every_pair_that_varies(tmp_path):
    heatmap = grid(a=[1, 2], fixed=[7], b=[0.1, 0.2], c=[True, False])
    page = plot_heatmaps(heatmap, tmp_path / "heatmaps.html", ncols=2)
    assert axis_labels(page) == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert "Return [%], 8 combinations. Each cell is the highest" in page.read_text("utf-8")


def test_values_of_a_level_that_no_combination_has_get_no_cells(tmp_path):
    heatmap = SMALL_GRID.drop(12, level="atr_period")
    page = plot_heatmaps(heatmap, tmp_path / "heatmaps.html")
    (chart,) = charts(page)
    assert chart["x_range"]["attributes"]["factors"] == ["10", "11"]
    assert chart["y_range"]["attributes"]["factors"] == ["1.0", "1.1"]


def test_the_given_series_is_not_changed(tmp_path):
    heatmap = SMALL_GRID.copy()
    plot_heatmaps(heatmap, tmp_path / "heatmaps.html")
    pd.testing.assert_series_equal(heatmap, SMALL_GRID)
    assert heatmap.index.names == ["atr_period", "k_atr", "buffer_ratio"]


@pytest.mark.parametrize(
    "heatmap",
    [
        grid(a=[1, 2, 3], b=[0.1], c=[5]),
        grid(a=[1], b=[0.1]),
        SMALL_GRID * np.nan,
        SMALL_GRID * np.inf,
        pd.Series([1.0, 2.0], index=pd.Index([1, 2], name="a"), name="Return [%]"),
    ],
    ids=["one axis varies", "none varies", "no value", "no finite value", "plain index"],
)
def test_nothing_to_draw_writes_nothing(tmp_path, heatmap):
    assert plot_heatmaps(heatmap, tmp_path / "heatmaps.html") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4, 5, 6], (1, 6)),
        ([1.5, np.nan, -np.inf, np.inf, 2.5, np.nan], (1.5, 2.5)),
        ([3, 3, 3, 3, 3, 3], (3, 3)),
        (pd.to_timedelta([12, 24, 36, None, 48, 72], unit="h"), (0.5, 3)),
    ],
    ids=["whole numbers", "infinities and gaps", "one value", "durations in days"],
)
def test_colours_span_the_finite_values(tmp_path, values, expected):
    heatmap = pd.Series(values, index=SMALL_GRID.index, name="Max. Trade Duration")
    page = plot_heatmaps(heatmap, tmp_path / "heatmaps.html")
    (colours,) = models(page, "LinearColorMapper")
    assert (colours["low"], colours["high"]) == expected
    days = pd.api.types.is_timedelta64_dtype(heatmap.dtype)
    assert ("Max. Trade Duration (days)" in page.read_text("utf-8")) == days
    # A scale without length has nothing to tell.
    assert len(models(page, "ColorBar")) == (expected[0] < expected[1])


def test_best_over_the_rest_may_be_infinite_everywhere(tmp_path):
    heatmap = grid(a=[1, 2], b=[1, 2], c=[1, 2])
    heatmap[[(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)]] = np.inf
    assert plot_heatmaps(heatmap, tmp_path / "heatmaps.html") is not None


def test_long_axes_thin_out_their_labels(tmp_path):
    page = plot_heatmaps(
        grid(atr_period=list(range(10, 101)), k_atr=[1.0, 1.1]), tmp_path / "heatmaps.html"
    )
    (chart,) = charts(page)
    assert chart["below"][0]["attributes"]["major_label_policy"]["name"] == "NoOverlap"


# --- in a browser ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Visit:
    """What a browser did with a page: its console, and who asked the network for what."""

    console: list[str]
    requests: list[str]


def visit(page: Path, profile: Path) -> Visit:
    """Open a page in a browser whose every name lookup fails."""
    log = profile / "net.json"
    assert CHROMIUM is not None
    profile.mkdir()
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            f"--user-data-dir={profile}",
            f"--log-net-log={log}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
            "--virtual-time-budget=4000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    return Visit(
        console=re.findall(r':CONSOLE[^\]]*\] "(.*?)", source:', done.stderr, re.DOTALL),
        # The browser's own requests (clock, accounts) are begun by no page: "not an origin".
        requests=[
            event["url"]
            for event in events
            if "url" in event and event.get("initiator", "not an origin") != "not an origin"
        ],
    )


def with_script(page: Path, script: str, *, policy: bool = True) -> Path:
    text = page.read_text(encoding="utf-8").replace("</body>", f"{script}</body>")
    if not policy:
        text = text.replace("Content-Security-Policy", "x-none")
    changed = page.with_name(f"changed_{page.name}")
    changed.write_text(text, encoding="utf-8")
    return changed


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_pages_draw_and_stay_off_the_network(both_pages, tmp_path):
    for page in both_pages:
        seen = visit(with_script(page, COUNT_CANVASES), tmp_path / f"profile_{page.stem}")
        assert seen.requests == []
        # Nothing but BokehJS's two remarks, so no error and no refused request.
        *remarks, canvases = seen.console
        assert all(remark.startswith("[bokeh ") for remark in remarks), seen.console
        assert "document idle" in remarks[-1]
        assert int(canvases.removeprefix("canvases: ")) >= 1


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("policy", [True, False])
def test_the_page_policy_stops_what_would_call_home(both_pages, tmp_path, policy):
    page = with_script(both_pages[1], CALL_HOME, policy=policy)
    requests = visit(page, tmp_path / "profile").requests
    assert any("counter.invalid" in url for url in requests) != policy
