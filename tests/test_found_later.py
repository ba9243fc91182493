"""What `bt.last` has after an optimization: the table, and findings and page when asked for."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from backtesting.test import GOOG
from small_run import few_prices

import bigbar
from bigbar.errors import DataError, NothingCounts, SettingsError
from bigbar.report.files import OutputError, page_path
from bigbar.strategies.sma_cross import SmaCross
from bigbar.validation.summary import as_json

BARS = GOOG.iloc[:200]
VALUES = {"fast": [3, 5, 8], "slow": [10, 15]}

pytestmark = [
    pytest.mark.filterwarnings("ignore:Some trades remain open"),
    pytest.mark.filterwarnings("ignore:.*deprecated"),
]


@pytest.fixture(scope="module")
def backtest() -> bigbar.Backtest:
    made = bigbar.Backtest(BARS.copy(), SmaCross, commission=0.001)
    made.optimize(**VALUES, maximize="Return [%]", workers=2)
    return made


def test_everything_of_every_combination(backtest):
    found = backtest.last
    table = found.table()
    assert list(table)[:2] == ["fast", "slow"]
    assert len(found) == len(table) == len(found.results) == 6
    for parameters, statistics in found.results:
        expected = backtest.run(**parameters)
        for name, value in statistics.items():
            assert value == expected[name] or (pd.isna(value) and pd.isna(expected[name])), name
    best = table.loc[table["Return [%]"].idxmax(), ["fast", "slow"]].to_dict()
    assert found.best_parameters == best
    pd.testing.assert_series_equal(found.heatmap(), found.heatmap("Return [%]"))
    assert found.heatmap("SQN").name == "SQN"
    assert (found.engine, found.run, found.failures) == ("backtesting", None, [])
    assert found.engine_reason.endswith("too little to try compiling for")
    assert repr(found).startswith("<Optimization of SmaCross for Return [%]: 6 combinations, best ")


@pytest.mark.slow
def test_findings_are_those_of_optimize(backtest):
    took = dict(backtest.last.outcome.timings)
    with few_prices():
        found = backtest.last.findings
        at_once = bigbar.optimize(
            BARS, SmaCross, **VALUES, commission=0.001, maximize="Return [%]", workers=2, verify=0
        )
    space = backtest.last.outcome.job.space
    assert as_json(found, space) == as_json(at_once.findings, space)
    assert found is backtest.last.findings  # Kept.
    assert backtest.last.outcome.timings == took


def test_none_where_none_are_wanted():
    made = bigbar.Backtest(BARS, SmaCross)
    made.optimize(fast=[3, 5], validate=False)
    assert made.last.findings is None
    assert bigbar.optimize(BARS, SmaCross, fast=[3, 5], validate=False).findings is None


def test_none_of_bars_without_dates():
    made = bigbar.Backtest(BARS.reset_index(drop=True), SmaCross)
    made.optimize(fast=[3, 5])
    with pytest.warns(RuntimeWarning, match="no dates"):
        assert made.last.findings is None
    assert made.last.findings is None  # Said once.
    with pytest.raises(DataError, match="give their frame a DatetimeIndex"):
        made.last.report()


def test_bars_that_were_changed_since():
    bars = BARS.assign(Factor=1.0)
    made = bigbar.Backtest(bars, SmaCross)
    made.optimize(fast=[3, 5])
    made._data.iloc[5, made._data.columns.get_loc("Factor")] = 2.0
    with pytest.raises(SettingsError, match="bars have changed since"):
        _ = made.last.findings


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_ctrl_c_while_they_are_found_out():
    made = bigbar.Backtest(BARS, SmaCross)
    made.optimize(**VALUES)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        made.last.findings  # noqa: B018
    timer.join()
    assert made.last.outcome.findings is None
    assert made.last.findings is not None  # Later.


def test_the_page(backtest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = backtest.last.report(), backtest.last.report()
    assert first == Path("bigbar_report/report.html")
    assert second == Path("bigbar_report_2/report.html")
    text = first.read_text(encoding="utf-8")
    assert backtest.last.findings.verdict.headline.removeprefix("Verdict: ")[1:] in text
    assert "fast" in text
    assert backtest.last.report("mine.html") == Path("mine.html")
    assert Path("mine.html").stat().st_size == first.stat().st_size


def test_where_pages_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.csv").touch()
    with pytest.raises(SettingsError, match=r"prices\.csv is a file, and no page"):
        page_path("prices.csv")
    assert page_path(tmp_path) == tmp_path / "report.html"
    assert page_path("a/b") == Path("a/b/report.html")
    assert page_path("a/c/d.HTM") == Path("a/c/d.HTM")
    assert (tmp_path / "a" / "c").is_dir()
    with pytest.raises(OutputError, match="cannot write"):
        page_path("prices.csv/below")
    with pytest.raises(SettingsError, match="path is 3"):
        page_path(3)  # type: ignore[arg-type]


def test_no_page_of_nothing():
    made = bigbar.Backtest(BARS, SmaCross)
    made.optimize(fast=[150], slow=[199])
    assert made.last.best_parameters is None
    assert made.last.findings is None
    assert np.isnan(made.last.heatmap()).all()
    with pytest.raises(NothingCounts, match="No combination traded"):
        made.last.report()
