"""Settings: the documented defaults, and refusals at the edge that agree with the broker's own."""

import math
from dataclasses import FrozenInstanceError

import pytest
from backtesting import Backtest, Strategy
from backtesting.test import EURUSD

from bigbar.account import Account, Parameters, Settings
from bigbar.errors import SettingsError


class Idle(Strategy):
    def init(self):
        pass

    def next(self):
        pass


def test_single_run_defaults():
    assert vars(Parameters()) == {
        "atr_period": 20,
        "k_atr": 2.0,
        "uptail_max_ratio": 0.7,
        "previous_weight": 0.1,
        "buffer_ratio": 0.01,
    }


def test_money_defaults():
    assert vars(Account()) == {"cash": 100_000.0, "commission": 0.0, "spread": 0.0, "margin": 1.0}
    assert Settings() == Settings(Account(), 6)


@pytest.mark.parametrize("thing", [Parameters(), Account(), Settings()])
def test_frozen(thing):
    with pytest.raises(FrozenInstanceError):
        setattr(thing, next(iter(vars(thing))), 1)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({}, (0.0, 0.0)),
        ({"commission": 0.002}, (0.0, 0.002)),
        ({"commission": -0.1}, (0.0, -0.1)),
        ({"commission": (5, 0.001)}, (5.0, 0.001)),
        ({"cash": 1e-9, "margin": 1}, (0.0, 0.0)),
        ({"spread": 0.99, "margin": 1e-6}, (0.0, 0.0)),
    ],
)
def test_accepted_as_by_backtesting(values, parts):
    account = Account(**values)
    assert account.commission_parts == parts
    Backtest(EURUSD.iloc[:20] * 1e-12, Idle, **vars(account)).run()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"cash": 0}, "cash is 0"),
        ({"cash": -1.0}, "positive amount"),
        ({"margin": 0.0}, "margin is 0.0"),
        ({"margin": 1.5}, "above 0 and at most 1"),
        ({"commission": 0.1}, "below 0.1"),
        ({"commission": -0.2}, "commission is -0.2"),
        ({"commission": (-5, 0.001)}, "fixed commission is -5.0"),
    ],
)
@pytest.mark.filterwarnings("ignore:Some prices are larger")
def test_refused_as_by_backtesting(values, words):
    with pytest.raises(SettingsError, match=words) as caught:
        Account(**values)
    assert caught.value.exit_code == 2
    with pytest.raises(AssertionError):
        Backtest(EURUSD.iloc[:20], Idle, **(vars(Account()) | values)).run()


@pytest.mark.parametrize("name", ["cash", "margin", "spread", "commission"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_refused(name, value):
    with pytest.raises(SettingsError, match=name):
        Account(**{name: value})


@pytest.mark.parametrize("spread", [-0.1, 1.0])
def test_spread_is_a_share(spread):
    with pytest.raises(SettingsError, match="spread"):
        Account(spread=spread)


def test_a_position_that_pays_for_itself_is_refused():
    with pytest.raises(SettingsError, match="smaller"):
        Account(spread=0.95, commission=-0.1)


@pytest.mark.parametrize("commission", [(1,), (1, 2, 3), ()])
def test_a_commission_has_one_part_or_two(commission):
    with pytest.raises(SettingsError, match="fixed amount, share"):
        Account(commission=commission)


def test_leverage_is_the_brokers():
    assert Account(margin=1 / 30).leverage == 1 / (1 / 30)


@pytest.mark.parametrize("edge", [-1, 2.5])
def test_week_edge_is_a_whole_number(edge):
    with pytest.raises(SettingsError, match="week-edge"):
        Settings(week_edge_bars=edge)
