"""`bigbar.lib` beside `backtesting.lib`."""

from __future__ import annotations

import backtesting.lib
import pandas as pd
import pytest
from backtesting.test import BTCUSD, EURUSD, GOOG
from small_run import few_prices

import bigbar
import bigbar.lib
from bigbar.strategies.sma_cross import SmaCross

pytestmark = [
    pytest.mark.filterwarnings("ignore:Some trades remain open"),
    pytest.mark.filterwarnings("ignore:.*deprecated"),
    pytest.mark.filterwarnings("ignore:Some prices are larger"),
]

VALUES = {"fast": [3, 5], "slow": [8, 12]}


def check_same(ours: pd.Series, theirs: pd.Series) -> None:
    shown = [name for name in theirs.index if not name.startswith("_")]
    pd.testing.assert_series_equal(ours[shown], theirs[shown])
    pd.testing.assert_frame_equal(ours["_trades"], theirs["_trades"])


def test_all_names_are_there():
    assert set(bigbar.lib.__all__) == set(backtesting.lib.__all__)
    for name in backtesting.lib.__all__:
        mine = name in ("FractionalBacktest", "MultiBacktest")
        assert (getattr(bigbar.lib, name) is getattr(backtesting.lib, name)) != mine, name


@pytest.mark.parametrize("rows", [BTCUSD.iloc[:120], BTCUSD.iloc[:120].iloc[::-1]])
def test_fractional(rows):
    given = {"fractional_unit": 1e-3, "cash": 1000, "commission": 0.001, "finalize_trades": True}
    theirs = backtesting.lib.FractionalBacktest(rows.sort_index(), SmaCross, **given)
    ours = bigbar.lib.FractionalBacktest(rows, SmaCross, **given)
    check_same(ours.run(fast=3, slow=8), theirs.run(fast=3, slow=8))
    stats, heatmap = ours.optimize(**VALUES, return_heatmap=True)
    expected, wanted = theirs.optimize(**VALUES, return_heatmap=True)
    check_same(stats, expected)
    pd.testing.assert_series_equal(heatmap, wanted)
    # The table is of the run with fractions, of which more can be paid than of whole coins.
    assert (ours.last.table()["# Trades"] > 3).all()
    assert backtesting.Backtest(rows.sort_index(), SmaCross, cash=1000).run(fast=3)["# Trades"] == 3


@pytest.mark.slow
def test_fractional_on_other_prices_and_costs():
    """What validation changes, the run with fractions sees."""
    ours = bigbar.lib.FractionalBacktest(
        BTCUSD.iloc[:120], SmaCross, fractional_unit=1e-3, cash=1000
    )
    ours.optimize(**VALUES)
    with few_prices():
        findings = ours.last.findings
    prices = findings.perturbation.prices[:, 0]
    assert prices.min() < prices.max()
    returns = findings.costs.table["Return [%]"]
    assert returns.nunique() == len(returns)


@pytest.mark.slow
def test_multi():
    frames = [GOOG.iloc[:100], EURUSD.iloc[:100], GOOG.iloc[:9]]
    given = {"cash": 10_000, "commission": 0.001}
    theirs = backtesting.lib.MultiBacktest(frames, SmaCross, **given)
    ours = bigbar.lib.MultiBacktest(frames, SmaCross, **given)
    pd.testing.assert_frame_equal(ours.run(fast=3, slow=8), theirs.run(fast=3, slow=8))
    pd.testing.assert_frame_equal(ours.optimize(**VALUES), theirs.optimize(**VALUES))
    assert [len(found) for found in ours.last] == [4, 4, 4]
    assert [found.best_parameters is None for found in ours.last] == [False, False, True]
