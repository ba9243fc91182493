"""The optimizer from Python, whole: file or DataFrame in, table and best out."""

import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest
from small_run import AXES, small_bars, small_outcome

import bigbar
from bigbar.errors import DataError, Interrupted, NothingCounts, SettingsError
from bigbar.outcome import Execution
from bigbar.progress.events import Listener
from bigbar.report.answer import full_statistics

SMALL = {"engine": "backtesting", "workers": 1, "verify": 2, "validate": False}


@pytest.fixture(scope="module")
def found() -> bigbar.Optimization:
    return bigbar.optimize(small_bars().frame, **SMALL, **AXES)


def test_what_the_package_offers():
    offered = [
        *("Backtest", "Explanation", "Optimization", "Optimizations", "__version__"),
        *("explain", "optimize", "optimize_many"),
    ]
    assert bigbar.__all__ == offered
    for name in bigbar.__all__:
        assert getattr(bigbar, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        bigbar.optimise  # noqa: B018


def test_the_best(found):
    expected = small_outcome()
    assert found.best_parameters == expected.job.space[expected.best]
    pd.testing.assert_series_equal(found.best_statistics, full_statistics(expected, expected.best))
    pd.testing.assert_frame_equal(found.trades, expected.trades)


def test_the_table(found):
    expected = small_outcome().table
    assert len(found) == len(found.results) == 12
    pd.testing.assert_frame_equal(found.table(), expected.frame())
    parameters, statistics = found.results[3]
    assert parameters == expected.space[3]
    assert statistics["# Trades"] == expected.statistics(3)["# Trades"]


def test_the_heatmap(found):
    expected = small_outcome().table
    pd.testing.assert_series_equal(found.heatmap(), expected.heatmap("Return [%]"))
    pd.testing.assert_series_equal(found.heatmap("SQN"), expected.heatmap("SQN"))
    with pytest.raises(SettingsError, match="did you mean"):
        found.heatmap("Return")


def test_the_proof(found):
    assert found.verification is not None
    assert found.verification.ok
    assert found.verification.combinations == 3
    assert found.failures == []


@pytest.mark.slow
def test_only_the_default_number_of_replays_is_cut_by_time(monkeypatch):
    monkeypatch.setattr(Execution, "verify_seconds", 0.0)
    bars, plain = small_bars().frame, {"engine": "backtesting", "workers": 1, "validate": False}
    cut = bigbar.optimize(bars, **AXES, **plain).verification
    assert (cut.combinations, cut.wanted) == (1, 12)
    whole = bigbar.optimize(bars, **AXES, **plain, verify=20).verification
    assert (whole.combinations, whole.wanted) == (12, 12)


def test_a_file_and_axes_as_text(tmp_path):
    path = tmp_path / "bars.csv"
    small_bars().frame.rename_axis("time").to_csv(path)
    with pytest.raises(NothingCounts, match="a lower k_atr") as problem:
        bigbar.optimize(
            path, **SMALL, atr_period="20", k_atr="9,12", uptail_max_ratio=0.7,
            previous_weight=[0.1],
        )  # fmt: skip
    found = problem.value.found
    assert len(found) == 2
    assert found.best_parameters is None  # Nothing is that big.
    assert found.best_statistics is None
    assert found.trades is None
    assert found.verification is None
    assert found.heatmap().isna().all()
    assert (found.table()["# Trades"] == 0).all()
    assert np.array_equal(found.table()["k_atr"], [9.0, 12.0])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"workers": -2}, "workers is -2"),
        ({"verify": -1}, "verify is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"start_method": "magic"}, "start method 'magic'"),
        ({"engine": "steam"}, "no engine 'steam'"),
        ({"maximize": "Shrpe"}, "did you mean 'Sharpe Ratio'"),
        ({"cash": -1}, "cash is -1"),
        ({"k_atr": "x"}, "is no axis"),
        ({"k_atr": -1.0}, "cannot be negative"),
        ({"week_edge_bars": -1}, "week-edge"),
    ],
)
def test_refused_before_any_work(given, words):
    with pytest.raises(SettingsError, match=words):
        bigbar.optimize("there is no such file.csv", **given)


def test_data_that_cannot_be_used():
    with pytest.raises(DataError, match="does not exist"):
        bigbar.optimize("there is no such file.csv")
    with pytest.raises(DataError, match="needs at least 102"):
        bigbar.optimize(small_bars().frame.iloc[:50])


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_an_interruption_is_no_result():
    class Impatient(Listener):
        def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(Interrupted) as caught:
        bigbar.optimize(
            small_bars().frame, engine="backtesting", workers=1, listener=Impatient()
        )  # The default grid: half an hour of work.
    assert caught.value.exit_code == 130


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_python_dropped_still_ends_the_run():
    class Dying:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)  # What its handler raises goes nowhere from here.
            sum(range(1000))

    class Impatient(Listener):
        def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
            Dying()

    with pytest.raises(Interrupted) as caught:
        bigbar.optimize(
            small_bars().frame, engine="backtesting", workers=1, listener=Impatient()
        )  # The default grid: half an hour of work.
    assert caught.value.exit_code == 130


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "local"}, "method local needs max_tries N"),
        ({"method": "grid", "max_tries": 5}, "method grid tries every"),
        ({"holdout": 3}, "holdout is 3"),
    ],
)
def test_what_is_refused_speaks_of_arguments(options, said):
    with pytest.raises(SettingsError) as problem:
        bigbar.optimize("example.csv", progress=False, **options)
    assert said in str(problem.value)
    assert "--" not in str(problem.value)
