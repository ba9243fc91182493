"""What `Optimization` writes and shows outside of notebooks: `save`, `plot`, `report`."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
from backtesting.test import GOOG
from small_run import few_prices

import bigbar
from bigbar.errors import NothingCounts, SettingsError
from bigbar.strategies.sma_cross import SmaCross
from bigbar_multiprocessing_optimized import main

ROOT = Path(__file__).resolve().parents[1]
VALUES = {"fast": [3, 5, 8], "slow": [10, 15]}
FILES = ["summary.json", "results.parquet", "trades.csv", "receipt.json", "report.html"]


@pytest.fixture(scope="module")
def prices(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("saving") / "goog.csv"
    GOOG.iloc[:300].to_csv(path, index_label="Date")
    return path


@pytest.fixture(scope="module")
def found(prices) -> bigbar.Optimization:
    with few_prices():
        return bigbar.optimize(
            prices, SmaCross, **VALUES, holdout=0.2, engine="backtesting", workers=1, verify=1
        )


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.slow
def test_the_files_are_those_of_the_command(found, prices, tmp_path):
    saved = found.save(tmp_path / "saved")
    assert names(saved) == FILES
    command = ["bigbar.strategies.sma_cross:SmaCross", "--param", "fast=3,5,8"]
    command += ["--param", "slow=10,15", "--holdout", "0.2", "--workers", "1", "--verify", "1"]
    options = ["--engine", "backtesting", "--no-progress", "--output", str(tmp_path / "told")]
    with few_prices():
        assert main([str(prices), "--strategy", *command, *options]) == 0
    for name in ("results.parquet", "trades.csv"):
        assert (tmp_path / "saved" / name).read_bytes() == (tmp_path / "told" / name).read_bytes()
    ours, theirs = (
        json.loads((tmp_path / where / "summary.json").read_text()) for where in ("saved", "told")
    )
    assert list(ours) == list(theirs)
    for name in ("result_sha256", "best", "grid", "holdout", "luck", "verdict", "settings"):
        assert ours.get(name) == theirs.get(name), name


@pytest.mark.slow
def test_all_files_and_fewer_the_next_time(found, tmp_path):
    every = found.save(tmp_path, csv=True, plot=True)
    assert names(every) == [
        *FILES[:2], "results.csv", *FILES[2:], "plot.html", "heatmaps.html",
    ]  # fmt: skip
    timings = dict(found.outcome.timings)
    with pytest.warns(RuntimeWarning, match=r"plot\.html, .* of an earlier run: removed"):
        assert names(found.save(tmp_path)) == FILES
    assert "plot_s" in timings
    assert "plot_s" not in found.outcome.timings


def test_what_is_not_ours_stays(found, prices, tmp_path):
    (tmp_path / "trades.csv").write_text("mine")
    with pytest.raises(SettingsError, match="another folder, or write over it with force=True"):
        found.save(tmp_path)
    assert names(list(tmp_path.iterdir())) == ["trades.csv"]
    assert "trades.csv" in names(found.save(tmp_path, force=True))
    (tmp_path / "prices").mkdir()
    there = prices.rename(tmp_path / "prices" / "trades.csv")
    try:
        with pytest.raises(SettingsError, match=r"is the price file.*; choose another folder$"):
            found.save(tmp_path / "prices", force=True)
    finally:
        there.rename(prices)


def test_nothing_counts_and_no_dates(tmp_path):
    bars = GOOG.iloc[:200]
    with pytest.raises(NothingCounts) as caught:
        bigbar.optimize(bars, SmaCross, fast=[150], slow=[199], workers=1, verify=0)
    nothing = caught.value.found
    assert names(nothing.save(tmp_path / "nothing")) == [*FILES[:2], "receipt.json"]
    with pytest.raises(NothingCounts, match="No combination traded"):
        nothing.plot()
    undated = bigbar.Backtest(bars.reset_index(drop=True), SmaCross, finalize_trades=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of the bars without dates.
        undated.optimize(**VALUES, workers=1, engine="backtesting")
        assert names(undated.last.save(tmp_path / "undated")) == FILES[:4]
    trades = pd.read_csv(tmp_path / "undated" / "trades.csv")
    assert trades["entry_time"].tolist() == undated.last.trades["EntryTime"].tolist()


def test_the_plot_is_that_of_the_winner(found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found.plot(filename="mine.html", open_browser=False)
    found.plot(open_browser=False)
    named = {path.name for path in tmp_path.iterdir()}
    best = found.best_parameters
    assert named == {"mine.html", f"SmaCross(fast={best['fast']},slow={best['slow']}).html"}


BROWSE = """
import warnings; warnings.simplefilter("ignore")
import bigbar
from backtesting.test import GOOG
from bigbar.strategies.sma_cross import SmaCross
if __name__ == "__main__":
    found = bigbar.optimize(GOOG.iloc[:200], SmaCross, fast=[3], slow=[10], workers=1, verify=0,
                            validate=False, engine="backtesting")
    print(found.report(), found.report("kept.html"), found.report("shown.html", show=True))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a browser of a shell script")
@pytest.mark.parametrize("screen", [True, False])
def test_the_page_opens_where_there_is_a_screen(tmp_path, screen):
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" >> opened\n')
    browser.chmod(0o755)
    (tmp_path / "script.py").write_text(BROWSE)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=environment | ({"BROWSER": str(browser)} if screen else {}),
    )  # fmt: skip
    assert told.stdout == "bigbar_report/report.html kept.html shown.html\n", told.stderr
    opened = tmp_path / "opened"
    assert opened.exists() == screen
    if screen:
        places = [tmp_path / "bigbar_report" / "report.html", tmp_path / "shown.html"]
        assert opened.read_text().split() == [place.as_uri() for place in places]


def test_a_tuple_that_looks_like_a_range_is_a_list_and_says_so_once(prices):
    import bigbar.parameter as parameter

    parameter._told.clear()
    run = {"workers": 1, "verify": 0, "validate": False, "engine": "backtesting"}
    said = r"fast=\(3, 9, 2\) is a list of the values 3, 9, 2; for a range write fast='3:9:2'"
    with pytest.warns(UserWarning, match=said) as caught:
        found = bigbar.optimize(prices, SmaCross, fast=(3, 9, 2), **run)
    with warnings.catch_warnings(record=True) as again:
        bigbar.optimize(prices, SmaCross, fast=(3, 9, 2), **run)
    assert not [one for one in again if "list of the values" in str(one.message)]
    assert found.table()["fast"].tolist() == [3, 9, 2]
    assert [one.filename for one in caught if "list of the values" in str(one.message)] == [
        __file__
    ]
    backtest = bigbar.Backtest(GOOG.iloc[:200], SmaCross, finalize_trades=True)
    with pytest.warns(UserWarning, match=r"for a range write fast=range\(3, 12, 2\)"):
        backtest.optimize(fast=(3, 11, 2), workers=1)
    assert backtest.last.table()["fast"].tolist() == [3, 11, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parameter.warn_of_ranges(
            {"a": (10, 20, 30), "b": [1, 3, 0.5], "c": (3, 2, 1), "d": (1, 3), "e": ("a", "b", 1)},
            as_text=True,
        )
    with pytest.warns(UserWarning, match=r"k=\(1, 3, 0.5\) .* k=numpy.arange\(1, 3.25, 0.5\)"):
        parameter.warn_of_ranges({"k": (1, 3, 0.5)}, as_text=False)
