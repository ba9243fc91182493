"""The validation as a whole, on real small runs; each of its parts has tests of its own."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from backtesting.test import EURUSD
from worker_here import one_by_one, worker_here

import bigbar
from bigbar.engines.find import build_engine
from bigbar.errors import DataError, SettingsError
from bigbar.report.files import summary
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, grid_with
from bigbar.validation.compounding import compounded, returns_within
from bigbar.validation.findings import Findings
from bigbar.validation.plan import Plan
from bigbar.validation.returns import daily_returns

AXES = {
    "atr_period": (10, 20),
    "k_atr": (0.8, 1.1, 1.5),
    "uptail_max_ratio": 0.7,
    "previous_weight": (0.1, 0.4),
    "buffer_ratio": 0.01,
}


def optimized(**more):
    return bigbar.optimize(EURUSD[:1500], **AXES | {"workers": 2, "verify": 1} | more)


@pytest.fixture(scope="module")
def everything():
    return optimized(holdout=0.3, walk_forward=3, choose="robust", thorough=False)


@pytest.mark.slow
def test_every_part_is_found(everything):
    findings = everything.findings
    empty = {part.name for part in fields(Findings) if getattr(findings, part.name) is None}
    # BigBar's conduct is not looked at, there is one objective, and it was no search.
    of_a_search = {"alone", "neighbours"}
    assert empty == {"walk_forward_matrix", "conduct", "pareto_luck", *of_a_search}
    assert len(findings.verdict.lines) <= 9
    assert findings.verdict.lines[-1] == findings.verdict.headline


def test_the_answer_is_the_robust_choice(everything):
    findings, best = everything.findings, everything.outcome.best
    assert findings.plateau.robust == best == findings.holdout.combination
    assert findings.plateau.peak == everything.outcome.table.best(everything.outcome.choice)


def test_nothing_held_back_is_optimized_on(everything):
    """The same as optimizing a file that ends where the unseen bars begin."""
    split = everything.findings.holdout.split
    assert split.day_name() == "Sunday"
    seen = bigbar.optimize(
        EURUSD[:1500][EURUSD[:1500].index < split], **AXES, workers=1, verify=0, validate=False
    )
    np.testing.assert_array_equal(everything.outcome.table.values, seen.outcome.table.values)


def test_the_windows_end_before_what_was_held_back(everything):
    last = everything.findings.walk_forward.windows[-1]
    assert last.test_times[1] < everything.findings.holdout.split


def test_the_band_has_the_times_of_the_days(everything):
    band = everything.findings.luck_band
    index = everything.outcome.bars.frame.index[everything.outcome.job.bars]
    days = pd.Series(index, index).resample("D").last().dropna()
    assert list(band.index) == list(days[1:])


def test_every_figure_is_in_the_summary(everything):
    told = json.loads(json.dumps(summary(everything.outcome), allow_nan=False))
    assert told["holdout"]["openings"] == 1
    assert told["pbo"]["pbo"] == everything.findings.pbo.pbo
    assert told["walk_forward"]["replayed"] == everything.findings.walk_forward.replayed > 0
    assert told["costs"]["break_even_spread"] == everything.findings.costs.break_even_spread
    assert told["verdict"]["light"] in ("red", "amber", "green")


def test_buy_and_hold_on_the_bars_that_were_optimized(everything):
    """By backtesting.py's own statistics, and the drawdown by hand."""
    held, best = everything.findings.buy_and_hold, everything.best_statistics
    assert held.total_return == best["Buy & Hold Return [%]"]
    assert held.chosen_return == best["Return [%]"]
    assert held.chosen_max_drawdown == best["Max. Drawdown [%]"]
    assert held.exposure == best["Exposure Time [%]"]
    outcome = everything.outcome
    close = outcome.bars.frame["Close"].iloc[outcome.job.bars]
    assert held.max_drawdown == pytest.approx(100 * (close / close.cummax() - 1).min())
    assert held.total_return == pytest.approx(100 * (close.iloc[-1] / close.iloc[0] - 1))
    assert any(line.startswith("Buy and hold made ") for line in everything.findings.verdict.lines)
    assert any(line.startswith("No costs charged") for line in everything.findings.verdict.lines)


def test_few_trades_are_told_of_the_choice():
    found = optimized(k_atr=(2.8, 3.0), maximize="Win Rate [%]")
    assert found.best_statistics["# Trades"] < 30
    told = f"Only {found.best_statistics['# Trades']} trade"
    assert any(line.startswith(told) for line in found.findings.verdict.lines)


def test_a_holdout_without_a_trade_is_told():
    """On the last days of the file nothing is as large as that."""
    found = optimized(holdout=0.1, k_atr=(2.8, 3.0))
    assert found.findings.holdout.unseen["# Trades"] == 0
    assert any("no trade, so nothing is known" in line for line in found.findings.verdict.lines)
    assert any("made no trade on the unseen bars" in note for note in found.findings.notes)


def test_without_validation_nothing_is_found():
    assert optimized(validate=False).findings is None


def test_the_unseen_bars_alone():
    findings = optimized(validate=False, holdout=0.3).findings
    assert findings.holdout is not None
    assert findings.bootstrap is findings.costs is None


@pytest.mark.slow
def test_openings_are_counted_in_the_store(tmp_path):
    for wanted in (1, 2):
        found = optimized(validate=False, holdout=0.3, store=tmp_path, fresh=True)
        assert found.findings.holdout.openings == wanted
    # Other bars held back are others.
    assert optimized(validate=False, holdout=0.5, store=tmp_path).findings.holdout.openings == 1


@pytest.mark.slow
def test_earlier_trials_on_the_same_bars_count(tmp_path):
    optimized(validate=False, store=tmp_path)
    found = bigbar.optimize(
        EURUSD[:1500], **AXES | {"k_atr": (0.9, 1.1)}, workers=1, verify=0, store=tmp_path
    )
    assert found.findings.deflated_sharpe.earlier_trials == 12 - 4


@pytest.mark.slow
def test_a_single_setting_is_judged_as_well():
    found = bigbar.optimize(EURUSD[:1500], **{n: np.atleast_1d(v)[0] for n, v in AXES.items()})
    assert found.findings.bootstrap.combinations == 1
    assert found.findings.plateau.peak == found.findings.plateau.robust == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"holdout": 1.5}, "between 0 and 1"),
        ({"choose": "best"}, "peak or robust"),
        ({"walk_forward": -1}, "must be at least 0"),
        ({"anchored": True}, "needs --walk-forward"),
    ],
)
def test_plans_that_make_no_sense(options, message):
    with pytest.raises(SettingsError, match=message):
        Plan(**options)


def test_too_few_weeks_are_told_before_any_work():
    with pytest.raises(DataError, match="trading weeks"):
        bigbar.optimize(EURUSD[:300], **AXES, walk_forward=40)
    with pytest.raises(DataError, match="trading week"):
        bigbar.optimize(EURUSD[:60], **AXES | {"atr_period": 3}, holdout=0.5)


def test_days_are_put_together_where_they_are_many():
    file = with_indicators(EURUSD[:1500].rename_axis(None), 6)
    job = job_of(grid_with(**AXES), Settings(), "compiled")
    with worker_here(file, job):
        single = daily_returns(file, job, one_by_one, chunk_size=5)
        whole, one = returns_within(file, job, one_by_one, chunk_size=5)
        # As many bytes as a third of the matrix takes: three days at once, in several slices.
        several, days = returns_within(
            file, job, one_by_one, chunk_size=5, most_bytes=single.nbytes // 3 + 50
        )
    np.testing.assert_array_equal(whole, single)
    assert (one, days) == (1, 3)
    np.testing.assert_array_equal(several, compounded(single, 3))
    assert several.shape == (12, single.shape[1] // 3)
    engine = build_engine(file, job)
    # What is left out at the beginning is all that total growth can miss.
    for number in (0, 5, 11):
        equity = engine.equity(number).resample("D").last().dropna().to_numpy()
        left_out = single.shape[1] % 3
        growth = np.prod(1.0 + several[number].astype(np.float64))
        assert growth == pytest.approx(equity[-1] / equity[left_out], rel=1e-5)
