"""The table of statistics against `backtesting.py`'s own, and the choice of an objective."""

import pandas as pd
import pytest
from backtesting.test import EURUSD

from bigbar.engines.reference import run_quietly
from bigbar.errors import SettingsError
from bigbar.statistics import COLUMN, NAMES, STATISTICS, Better, Kind, by_name, objective
from bigbar.strategies.big_bar.parameters import Parameters, Settings, big_bar_account
from bigbar.strategies.big_bar.strategy import reference_backtest


@pytest.fixture(scope="module")
def printed() -> pd.Series:
    backtest = reference_backtest(EURUSD.iloc[:500], 20, Settings(big_bar_account(commission=1e-4)))
    stats = run_quietly(backtest, vars(Parameters(k_atr=1.0)))
    assert stats["# Trades"] > 10
    return stats[[name for name in stats.index if not name.startswith("_")]]


def test_names_and_order_are_backtestings(printed):
    assert ("Start", "End", *NAMES) == tuple(printed.index)


def test_kinds_are_what_backtesting_gives(printed):
    for statistic in STATISTICS:
        value = printed[statistic.name]
        assert isinstance(value, pd.Timedelta) == (statistic.kind is Kind.DURATION), statistic
        assert isinstance(value, int) == (statistic.kind is Kind.COUNT), statistic


def test_columns_follow_the_table():
    assert [COLUMN[name] for name in NAMES] == list(range(len(STATISTICS)))


@pytest.mark.parametrize(
    "typed", ["Sharpe Ratio", "sharpe ratio", " SHARPE RATIO ", "# trades", "Max. Drawdown [%]"]
)
def test_case_does_not_matter(typed):
    assert objective(typed).name.lower() == typed.strip().lower()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Sharp Ratio", "Sharpe Ratio"),
        ("sharpe", "Sharpe Ratio"),
        ("return", "Return [%]"),
        ("win rate", "Win Rate [%]"),
        ("Equity Final", "Equity Final [$]"),
        ("Trades", "# Trades"),
        ("kelly", "Kelly Criterion"),
        ("Max Drawdown", "Max. Drawdown [%]"),
        ("drawdown", "Max. Drawdown [%]"),
    ],
)
def test_did_you_mean(typed, meant):
    with pytest.raises(SettingsError, match="did you mean") as caught:
        objective(typed)
    assert repr(meant) in str(caught.value)
    assert repr(typed) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("typed", ["", "  ", "qqqqqqqq"])
def test_far_from_everything_lists_all(typed):
    with pytest.raises(SettingsError) as caught:
        by_name(typed)
    assert all(name in str(caught.value) for name in NAMES)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Duration", "same for every combination"),
        ("Buy & Hold Return [%]", "same for every combination"),
        ("Max. Trade Duration", "neither a longer nor a shorter"),
        ("Avg. Trade Duration", "neither a longer nor a shorter"),
    ],
)
def test_refused_with_the_reason(name, reason):
    with pytest.raises(SettingsError, match=reason):
        objective(name)
    assert by_name(name).name == name  # It is a statistic all the same.


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("Return [%]", Better.HIGHER),
        ("Max. Drawdown [%]", Better.HIGHER),  # Negative numbers: the highest is the least loss.
        ("Avg. Drawdown [%]", Better.HIGHER),
        ("Max. Drawdown Duration", Better.LOWER),
        ("Avg. Drawdown Duration", Better.LOWER),
        ("Volatility (Ann.) [%]", Better.LOWER),
        ("Commissions [$]", Better.LOWER),
    ],
)
def test_the_traders_better(name, better):
    assert objective(name).better is better
