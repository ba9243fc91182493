"""Settings: the documented defaults, and refusals at the edge that agree with the broker's own."""

import inspect
import math
import pickle
from dataclasses import FrozenInstanceError

import pytest
from backtesting import Backtest, Strategy
from backtesting.test import EURUSD

from bigbar.account import Account
from bigbar.errors import SettingsError
from bigbar.strategies.big_bar.parameters import Parameters, Settings, big_bar_account


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
    assert big_bar_account().options == {
        "cash": 100_000.0,
        "commission": 0.0,
        "spread": 0.0,
        "margin": 1.0,
        "trade_on_close": True,
        "hedging": False,
        "exclusive_orders": False,
        "finalize_trades": False,
    }
    assert Settings() == Settings(big_bar_account(), 6)


def test_the_defaults_of_any_other_strategy_are_those_of_backtest():
    theirs = {
        name: parameter.default
        for name, parameter in inspect.signature(Backtest).parameters.items()
        if parameter.default is not parameter.empty
    }
    assert Account().options == theirs


@pytest.mark.parametrize(
    "name", ["trade_on_close", "hedging", "exclusive_orders", "finalize_trades"]
)
def test_a_fill_is_a_yes_or_a_no(name):
    assert Account(**{name: True}).options[name] is True
    with pytest.raises(SettingsError, match=name):
        Account(**{name: "yes"})


def per_unit(size, price):
    """A commission as a function, which other processes import."""
    return 0.01 * abs(size)


def test_a_commission_may_be_a_function_that_travels():
    account = Account(commission=per_unit)
    assert account == Account(commission=per_unit)
    assert account.described["commission"] == "per_unit"
    sent = pickle.loads(pickle.dumps(account))
    assert sent.commission(-300, 1.1) == 3.0
    doubled = pickle.loads(pickle.dumps(Account(commission=lambda size, price: 2 * price)))
    assert doubled.commission(1, 7.5) == 15.0
    with pytest.raises(SettingsError, match="no fixed amount and share"):
        assert account.commission_parts


@pytest.mark.parametrize("thing", [Parameters(), big_bar_account(), Settings()])
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
    account = big_bar_account(**values)
    assert account.commission_parts == parts
    Backtest(EURUSD.iloc[:20] * 1e-12, Idle, **account.options).run()


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
        big_bar_account(**values)
    assert caught.value.exit_code == 2
    with pytest.raises(AssertionError):
        Backtest(EURUSD.iloc[:20], Idle, **(big_bar_account().options | values)).run()


@pytest.mark.parametrize("name", ["cash", "margin", "spread", "commission"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_refused(name, value):
    with pytest.raises(SettingsError, match=name):
        big_bar_account(**{name: value})


@pytest.mark.parametrize("spread", [-0.1, 1.0])
def test_spread_is_a_share(spread):
    with pytest.raises(SettingsError, match="spread"):
        big_bar_account(spread=spread)


def test_a_position_that_pays_for_itself_is_refused():
    with pytest.raises(SettingsError, match="smaller"):
        big_bar_account(spread=0.95, commission=-0.1)


@pytest.mark.parametrize("commission", [(1,), (1, 2, 3), ()])
def test_a_commission_has_one_part_or_two(commission):
    with pytest.raises(SettingsError, match="fixed amount, share"):
        big_bar_account(commission=commission)


def test_leverage_is_the_brokers():
    assert big_bar_account(margin=1 / 30).leverage == 1 / (1 / 30)


@pytest.mark.parametrize("edge", [-1, 2.5])
def test_week_edge_is_a_whole_number(edge):
    with pytest.raises(SettingsError, match="week-edge"):
        Settings(week_edge_bars=edge)
