"""`backtesting.py` without its charts: the same numbers, and the charts when one is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run_fresh(body: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", body], capture_output=True, text=True, cwd=ROOT,
        timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


REPLAY = """
import sys
from bigbar.strategies.big_bar.description import Parameters, Settings, job_of, single_point
from bigbar.data.read import read_bars
from bigbar.engines.reference import BacktestingEngine
from bigbar.strategies.big_bar.indicators import with_indicators

job = job_of(single_point(Parameters()), Settings(), "backtesting")
engine = BacktestingEngine(with_indicators(read_bars("example.csv").frame.iloc[:400], 6), job)
"""


@pytest.mark.slow
def test_a_replay_imports_no_charts_and_answers_the_same():
    answer = "print('bokeh' in sys.modules, engine.run(0, 1).tobytes().hex())"
    without = run_fresh(REPLAY + answer)
    with_charts = run_fresh("import backtesting\n" + REPLAY + answer)
    assert without.startswith("False ")
    assert with_charts.startswith("True ")
    assert without.split()[1] == with_charts.split()[1]


@pytest.mark.slow
def test_charts_come_when_asked_for(tmp_path):
    page = tmp_path / "page.html"
    body = f"""
from backtesting import Backtest
import backtesting
backtesting.set_bokeh_output(notebook=False)
engine.stats(0)
engine.backtest.plot(filename={str(page)!r}, open_browser=False)
import backtesting._plotting
print(backtesting._plotting.__file__.endswith("_plotting.py"))
"""
    assert run_fresh(REPLAY + body).endswith("True")
    assert page.stat().st_size > 10_000


@pytest.mark.slow
def test_a_version_that_takes_more_from_the_charts_is_imported_whole():
    body = """
import sys
from bigbar import without_charts
without_charts._NAMES = ("plot",)
without_charts.import_backtesting()
print("backtesting" in sys.modules)
from backtesting import Backtest, set_bokeh_output
print("bokeh" in sys.modules, Backtest.__module__)
"""
    assert run_fresh(body).split() == ["False", "True", "backtesting.backtesting"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [[], ["--strategy", "sma_cross", "--param", "fast=5,10"]])
def test_a_run_imports_no_charts(strategy, tmp_path):
    words = ["example.csv", *strategy, "--workers", "1", "--no-validate", "--output", f"{tmp_path}"]
    small = words if strategy else [*words, "--atr-period", "10", "--k-atr", "2"]
    body = f"""
import sys
import bigbar_multiprocessing_optimized as program
assert program.main({small!r}) == 0
print("bokeh" in sys.modules, "backtesting" in sys.modules)
"""
    assert run_fresh(body).endswith("\nFalse True")
