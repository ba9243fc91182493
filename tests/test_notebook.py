"""Use from a notebook, in a real kernel: strategies of cells, what is shown, errors, Ctrl-C."""

from __future__ import annotations

import html
import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

NEEDED = ("ipykernel", "jupyter_client", "ipywidgets")
pytestmark = pytest.mark.skipif(
    os.name != "posix" or not all(map(importlib.util.find_spec, NEEDED)),
    reason="needs ipykernel and ipywidgets: pip install -r requirements-dev.txt",
)

if importlib.util.find_spec("jupyter_client"):
    from notebooks import Cell, Kernel, kernel_in

#: Of a notebook without ipywidgets; nothing of it comes from a file.
FIRST = """
import sys
sys.modules["ipywidgets"] = None
import bigbar
from bigbar.lib import crossover
from backtesting import Strategy
from backtesting.test import GOOG, SMA
import warnings
warnings.filterwarnings("ignore", "Some trades remain open")

class Cross(Strategy):
    fast, slow = 3, 10
    def init(self):
        self.quick = self.I(SMA, self.data.Close, self.fast)
        self.calm = self.I(SMA, self.data.Close, self.slow)
    def next(self):
        if crossover(self.quick, self.calm):
            self.buy()
        elif crossover(self.calm, self.quick):
            self.position.close()

class Busy(Cross):
    def init(self):
        super().init()
        sum(range(4_000_000))

BARS = GOOG.iloc[:300]
GRID = {"fast": [3, 5, 8], "slow": [10, 15], "engine": "backtesting", "workers": 2}
"""

#: All of a traceback that is shown: the line of the cell, and the sentence.
TWO_LINES = r"Line {line}: {text}\n{error}: [^\n]+"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def started(folder) -> Iterator[tuple[Kernel, Cell]]:
    with kernel_in(folder) as kernel:
        yield kernel, kernel.run(FIRST)


@pytest.fixture(scope="module")
def kernel(started) -> Kernel:
    return started[0]


@pytest.fixture(scope="module")
def found(kernel) -> Cell:
    return kernel.run("found = bigbar.optimize(BARS, Cross, **GRID, progress=True)\nfound")


@pytest.mark.slow
def test_nothing_is_complained_of_without_ipywidgets(started):
    assert started[1].out == ""


@pytest.mark.slow
def test_the_bar_as_text_and_the_card(found):
    assert found.error is None
    assert "6/6" in found.streams["stderr"]
    assert "Warning" not in found.streams["stderr"]
    (shown,) = found.shown
    assert shown["text/html"].startswith("<div")
    assert "<polyline" in shown["text/html"]
    assert shown["text/plain"].startswith("<Optimization of Cross for Return [%]: 6 combinations")


@pytest.mark.slow
def test_the_bar_as_a_widget(folder, tmp_path):
    with kernel_in(tmp_path) as kernel:
        kernel.run(FIRST.replace('sys.modules["ipywidgets"] = None', ""))
        cell = kernel.run("_ = bigbar.Backtest(BARS, Cross).optimize(**GRID)")
    assert cell.out == ""
    assert "application/vnd.jupyter.widget-view+json" in cell.shown[0]


@pytest.mark.slow
def test_a_strategy_of_a_cell_under_spawn(kernel, found):
    cell = kernel.run(
        'again = bigbar.optimize(BARS, Cross, **GRID, start_method="spawn")\n'
        "print(again.outcome.start_method, again.table().equals(found.table()))"
    )
    assert cell.out == "spawn True"


def test_the_page_cannot_disturb_the_notebook(kernel, found, folder):
    cell = kernel.run("found.report()")
    assert cell.out == ""
    (shown,) = cell.shown
    frame = re.fullmatch(
        r'<iframe srcdoc="([^"]+)" sandbox="([^"]+)" .*</iframe>', shown["text/html"], re.S
    )
    assert frame is not None
    assert "allow-same-origin" not in frame[2]
    page = html.unescape(frame[1])
    assert page.startswith("<!DOCTYPE html>")
    assert "Cross" in page
    assert not (folder / "bigbar_report").exists()
    kept = kernel.run('found.report("mine.html")')
    assert [one["text/plain"] for one in kept.shown] == ["PosixPath('mine.html')"]
    assert (folder / "mine.html").read_text(encoding="utf-8") == page
    assert "iframe" in kernel.run('found.report("mine.html", show=True)').shown[0]["text/html"]


@pytest.mark.slow
def test_the_plot_is_in_the_notebook(kernel, found, folder):
    before = set(folder.iterdir())
    cell = kernel.run("_ = found.plot()")
    assert cell.out == ""
    assert any("application/vnd.bokehjs_exec.v0+json" in one for one in cell.shown)
    assert set(folder.iterdir()) == before
    drawn = kernel.run("from bigbar.lib import plot_heatmaps\n_ = plot_heatmaps(found.heatmap())")
    assert drawn.out == ""
    assert any("application/vnd.bokehjs_exec.v0+json" in one for one in drawn.shown)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("bigbar.optimize(BARS, Cross, fats=[3, 5])", "SettingsError"),
        ('bigbar.optimize("no.csv", Cross, fast=[3, 5])', "DataError"),
        ("bigbar.optimize(BARS, Cross, fast=[280], slow=[290], workers=1)", "NothingCounts"),
        ('bigbar.Backtest(BARS, Cross).optimize(fast=[3], maximize="x")', "SettingsValueError"),
        ("bigbar.Backtest(BARS, Cross).last", "SettingsAttributeError"),
    ],
)
def test_an_error_is_one_sentence(kernel, code, error):
    cell = kernel.run(f"pass\n{code}")
    assert cell.error is not None
    assert re.fullmatch(TWO_LINES.format(line=2, text=re.escape(code), error=error), cell.error), (
        cell.error
    )


def test_what_a_strategy_raises_is_told(kernel):
    code = "bigbar.optimize(BARS, Wrong, **GRID)"
    kernel.run("class Wrong(Cross):\n    def next(self):\n        self.by()")
    cell = kernel.run(code)
    assert cell.error is not None
    assert re.fullmatch(
        TWO_LINES.format(line=1, text=re.escape(code), error="NothingCounts"), cell.error
    )
    assert cell.error.endswith(
        "All 6 combinations failed. The first that failed: AttributeError: 'Wrong' object has no "
        "attribute 'by'"
    )


def half_done(cell: Cell) -> bool:
    counts = re.findall(r"(\d+)/40 ", cell.streams["stderr"])
    return bool(counts) and int(counts[-1]) >= 12


@pytest.mark.slow
def test_the_button_stops_a_run_and_the_next_goes_on_there(kernel):
    grid = '{**GRID, "fast": range(3, 23), "validate": False, "verify": 0, "store": "kept"}'
    code = f"more = bigbar.optimize(BARS, Busy, **{grid}, progress=True)"
    stopped = kernel.run(code, stop_when=half_done)
    assert stopped.error == f"Line 1: {code}\nInterrupted: stopped by signal 2"
    left = kernel.run(
        "import psutil\nprint([one.name() for one in psutil.Process().children(recursive=True) "
        "if not any('resource_tracker' in word for word in one.cmdline())])"
    )
    assert left.out == "[]"
    again = kernel.run(f"{code}\nprint(more.outcome.resumed, more.outcome.complete)")
    assert again.error is None
    resumed, complete = again.streams["stdout"].split()
    assert int(resumed) >= 12
    assert complete == "True"


@pytest.mark.slow
def test_the_button_stops_a_backtest(kernel):
    code = "bt = bigbar.Backtest(BARS, Busy); bt.optimize(**{**GRID, 'fast': range(3, 23)})"
    stopped = kernel.run(code, stop_when=half_done)
    assert stopped.error == f"Line 1: {code}\nKeyboardInterrupt"
    assert "did not finish" in str(kernel.run("bt.last").error)
    assert kernel.run("print(bt.run()['# Trades'] > 0)").streams["stdout"] == "True\n"
