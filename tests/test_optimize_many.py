"""`bigbar.optimize_many`: what it returns, and `backtesting.lib.MultiBacktest` beside it."""

from __future__ import annotations

import signal

import backtesting.lib
import numpy as np
import pandas as pd
import pytest
from backtesting.test import EURUSD, GOOG
from small_run import few_prices

import bigbar
from bigbar.errors import DataError, Interrupted, NothingCounts, SettingsError
from bigbar.progress.events import Listener
from bigbar.store.runs import RunStore
from bigbar.strategies.sma_cross import SmaCross

pytestmark = [
    pytest.mark.filterwarnings("ignore:Some trades remain open"),
    pytest.mark.filterwarnings("ignore:.*deprecated"),
]

FRAMES = {"EURUSD": EURUSD.iloc[:600], "GOOG": GOOG.iloc[:500], "<b>": EURUSD.iloc[600:1200]}
VALUES = {"fast": [3, 5], "slow": [8, 12, 20]}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> bigbar.Optimizations:
    """Three frames and a file that is not there, with a setting for all."""
    store = tmp_path_factory.mktemp("store")
    with pytest.warns(RuntimeWarning, match="gone: no_such_file.csv does not exist"), few_prices():
        return bigbar.optimize_many(
            {**FRAMES, "gone": "no_such_file.csv"}, SmaCross, **VALUES,
            common="mean rank", verify=1, workers=2, store=store,
        )  # fmt: skip


@pytest.mark.slow
def test_heatmaps_are_those_of_multi_backtest(found):
    theirs = backtesting.lib.MultiBacktest(list(FRAMES.values()), SmaCross).optimize(
        **VALUES, maximize="Return [%]"
    )
    ours = found.heatmap()
    assert list(ours.columns) == list(FRAMES)
    pd.testing.assert_frame_equal(ours.set_axis(range(3), axis=1), theirs)
    sharpe = found.heatmap("Sharpe Ratio")
    assert sharpe["GOOG"].equals(found["GOOG"].heatmap("Sharpe Ratio"))


def test_each_is_what_optimize_returns(found):
    alone = bigbar.optimize(FRAMES["GOOG"], SmaCross, **VALUES, verify=0, validate=False)
    assert isinstance(found["GOOG"], bigbar.Optimization)
    assert found["GOOG"].result_sha256 == alone.result_sha256
    assert found["GOOG"].best_parameters == alone.best_parameters
    assert found["GOOG"].verdict is not None
    assert list(found) == list(FRAMES) == list(found.runs)
    assert len(found) == 3
    with RunStore(found["GOOG"].outcome.execution.files.folder / "runs.sqlite") as store:
        assert len(store.runs()) == 3


def test_the_table_has_a_row_a_file(found):
    table = found.table()
    assert list(table.index) == list(FRAMES)
    for name, one in found.items():
        for parameter, value in one.best_parameters.items():
            assert table[parameter][name] == value
        assert table["Return [%]"][name] == one.best_statistics["Return [%]"]
        assert table["light"][name] == one.findings.verdict.light
    assert table["# Trades"].dtype.kind == "i"


def test_the_common_setting(found):
    ranks = found.heatmap().rank(ascending=False)
    common = found.common
    assert tuple(common.parameters.values()) == ranks.mean(axis=1).idxmin()
    table = common.table()
    assert list(table.index) == list(FRAMES)
    for name in FRAMES:
        assert table["rank"][name] == ranks[name][tuple(common.parameters.values())]
    assert common.verdict.splitlines()[-1].startswith("Verdict: ")
    assert common.replayed == 3


def test_what_is_shown(found):
    assert repr(found).startswith("<Optimizations of SmaCross for Return [%] on 3 files: EURUSD")
    assert "1 failed: gone" in repr(found)
    html = found._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>:" not in html
    assert "gone failed: no_such_file.csv does not exist" in html
    assert found.common.findings.verdict.headline in html
    assert isinstance(found.failed["gone"], DataError)


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        ({}, {}, "there is nothing in the data"),
        ([], {}, "there is nothing in the data"),
        ({1: EURUSD}, {}, "from names, which are text"),
        (EURUSD, {}, "a mapping such as {'EURUSD': frame}"),
        (7, {}, "a mapping such as"),
        ("one.csv", {}, "'one.csv' is one file; bigbar.optimize takes it"),
        (FRAMES, {"common": "median"}, "'mean-rank' or 'worst'"),
        (FRAMES, {"common": 3}, "'mean-rank' or 'worst'"),
        (FRAMES, {"common": "worst", "maximize": ["SQN", "Win Rate [%]"]}, "by one objective"),
        (FRAMES, {"maximize": "sharpe"}, "there is no statistic 'sharpe'"),
        (FRAMES, {"verify": -1}, "verify"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(data, options, said):
    with pytest.raises(SettingsError) as caught:
        bigbar.optimize_many(data, SmaCross, **VALUES, **options)
    assert said in str(caught.value)


@pytest.mark.slow
def test_paths_and_folders(tmp_path):
    for name in ("b", "a"):
        EURUSD.iloc[:300].to_csv(tmp_path / f"{name}.csv")
    options = {**VALUES, "verify": 0, "validate": False}
    for data in (tmp_path, [tmp_path / "a.csv", tmp_path / "b.csv"], str(tmp_path / "*.csv")):
        many = bigbar.optimize_many(data, SmaCross, **options)
        assert list(many) == ["a", "b"]
    alike = bigbar.optimize_many(tmp_path, SmaCross, common="worst", **options)
    assert alike.common is None  # The same bars twice are one file.


def test_where_none_has_a_result_the_first_says_why():
    short = EURUSD.iloc[:30]
    with pytest.raises(NothingCounts, match="No combination made 99 trades") as caught:
        bigbar.optimize_many(
            {"A": short, "B": "no.csv"}, SmaCross, **VALUES, min_trades=99, verify=0
        )
    assert len(caught.value.found.table()) == 6


@pytest.mark.slow
def test_combinations_have_to_be_the_same_for_a_common_setting():
    """A function is asked about all alike; what a sample is of is the same on each file."""
    many = bigbar.optimize_many(
        FRAMES, SmaCross, fast=range(2, 8), slow=range(10, 40), max_tries=10, common="worst",
        verify=0, validate=False, maximize=lambda stats: stats["Return [%]"],
    )  # fmt: skip
    assert {len(one) for one in many.values()} == {10}
    worst = many.heatmap("lambda").min(axis=1)
    assert tuple(many.common.parameters.values()) == worst.idxmax()
    assert many.common.findings.verdict.light == "none"


class _Stopping(Listener):
    """Asks the process to stop when the second file begins."""

    def __init__(self) -> None:
        self.begun = 0

    def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
        self.begun += 1
        if self.begun == 2:
            signal.raise_signal(signal.SIGTERM)


def test_stopped_with_what_is_finished():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(Interrupted) as caught:
            bigbar.optimize_many(
                FRAMES, SmaCross, **VALUES, verify=0, validate=False, listener=_Stopping()
            )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert list(caught.value.found) == ["EURUSD"]


def test_large_tables_wait_on_disk(monkeypatch):
    from bigbar.batch import python

    monkeypatch.setattr(python, "_LARGE", 1)
    many = bigbar.optimize_many(
        {"A": FRAMES["EURUSD"]}, SmaCross, **VALUES, verify=0, validate=False
    )
    held = many["A"].outcome.table.values
    assert isinstance(held, np.memmap)
    alone = bigbar.optimize(FRAMES["EURUSD"], SmaCross, **VALUES, verify=0, validate=False)
    pd.testing.assert_frame_equal(many["A"].table(), alone.table())
    assert many["A"].findings is None
