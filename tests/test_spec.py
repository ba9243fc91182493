"""Any strategy, described: its parameters, how to begin, and what is refused about them."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from backtesting import Strategy

from bigbar.account import Account
from bigbar.errors import SettingsError
from bigbar.space import Space
from bigbar.spec import StrategySpec, range_around
from bigbar.strategies.sma_cross import SmaCross

ROOT = Path(__file__).resolve().parents[1]


class Idle(Strategy):
    """With attributes of every kind, some of which are no parameters."""

    period = 10
    share = 0.5
    on = True
    side = "long"
    stop = None
    _hidden = 3

    def init(self):
        pass

    def next(self):
        pass

    @property
    def price(self):
        return self.data.Close[-1]

    @staticmethod
    def helper():
        return 1


class Heir(Idle):
    period = 20
    more = 1.5

    def side(self):  # No parameter any more.
        return "short"


class Bare(Strategy):
    def init(self):
        pass

    def next(self):
        pass


def test_its_attributes_are_its_parameters():
    assert StrategySpec.of(Idle).attributes == {
        "period": 10, "share": 0.5, "on": True, "side": "long", "stop": None,
    }  # fmt: skip
    assert StrategySpec.of(Heir).attributes == {
        "period": 20, "share": 0.5, "on": True, "stop": None, "more": 1.5,
    }  # fmt: skip
    assert StrategySpec.of(Bare).attributes == {}


def test_by_its_path_where_any_process_can_import_it():
    spec = StrategySpec.of(SmaCross)
    assert spec == StrategySpec("bigbar.strategies.sma_cross:SmaCross")
    assert spec.by_value is None
    assert spec.title == "SmaCross"
    assert spec.strategy is SmaCross


def test_by_value_where_none_can():
    class Local(Idle):
        period = 33

    spec = StrategySpec.of(Local)
    assert spec.by_value is not None
    assert spec.title == "Local"
    sent = pickle.dumps(spec)
    done = subprocess.run(
        [sys.executable, "-c",
         "import pickle, sys; s = pickle.loads(sys.stdin.buffer.read());"
         "print(s.strategy.period, s.title)"],
        input=sent, capture_output=True, check=True, cwd=ROOT, env={"PYTHONPATH": "tests:."},
    )  # fmt: skip
    assert done.stdout.split() == [b"33", b"Local"]


def test_what_cannot_be_sent_is_said():
    class Holds(Idle):
        lock = threading.Lock()

    with pytest.raises(SettingsError, match="cannot be sent to other processes"):
        StrategySpec.of(Holds)


@pytest.mark.parametrize("thing", [int, 5, None, "text", Idle.next])
def test_what_is_no_strategy(thing):
    with pytest.raises(SettingsError, match=r"is no strategy|not a class"):
        StrategySpec.of(thing)


def test_defaults_are_those_of_backtest():
    spec = StrategySpec.of(Idle)
    assert spec.default_account() == Account()
    assert (spec.default_account().cash, spec.default_account().trade_on_close) == (10_000.0, False)
    assert spec.warm_up(Space.of(period=50)) == 0
    assert spec.settings == {}
    bars = pd.DataFrame({"Close": [1.0, 2.0]})
    assert spec.columns(bars) is bars
    index = pd.date_range("2024-01-01", periods=9, freq="h")
    np.testing.assert_array_equal(spec.cuts(index, (2, 6)), [2, 3, 4, 5, 6])


# -------------------------------------------------------------------------------------- points


def test_points_as_typed():
    space = StrategySpec.of(Idle).grid(
        {"period": "5:15:5", "side": "5,long", "on": "True,False", "stop": "None,0.1"}
    )
    assert space.names == ("period", "side", "on", "stop")
    assert [parameter.values for parameter in space.parameters] == [
        (5, 10, 15), ("5", "long"), (True, False), (None, 0.1),
    ]  # fmt: skip


def test_points_from_python():
    space = StrategySpec.of(Idle).space(
        {"period": range(5, 20, 5), "share": [0.1, 0.2], "side": "a,b", "on": False}
    )
    assert [parameter.values for parameter in space.parameters] == [
        (5, 10, 15), (0.1, 0.2), ("a", "b"), (False,),
    ]  # fmt: skip


def test_one_point():
    assert list(StrategySpec.of(Idle).single({"period": "7"})) == [{"period": 7}]
    assert list(StrategySpec.of(Idle).single({})) == [{}]


@pytest.mark.parametrize("ask", ["grid", "space"])
def test_without_a_parameter_it_says_how_to_begin(ask):
    with pytest.raises(SettingsError) as caught:
        getattr(StrategySpec.of(Idle), ask)({})
    said = str(caught.value)
    assert "Its attributes: period = 10, share = 0.5, on = True, side = 'long', stop = None" in said
    options = said.split("To start from: ")[1].split(" ", 2)
    assert options[:2] == ["--strategy", "test_spec:Idle"]
    assert options[2] == "--param period=5:20:2 --param share=0.25,0.375,0.5,0.75,1 " \
        "--param on=True,False"  # fmt: skip
    typed = dict(one.split("=") for one in options[2].split("--param ")[1:])
    space = StrategySpec.of(Idle).grid({name: text.strip() for name, text in typed.items()})
    assert {"period": 9, "share": 0.5, "on": True} in list(space)


def test_with_nothing_to_optimize():
    with pytest.raises(SettingsError, match="no class attribute, so there is nothing to optimize"):
        StrategySpec.of(Bare).grid({})


@pytest.mark.parametrize(
    ("value", "text"),
    [(10, "5:20:2"), (1, "1:2:1"), (2, "1:4:1"), (True, "True,False"), (0.5,
     "0.25,0.375,0.5,0.75,1"), ("a", None), (None, None), (0, None), (-1.5, None)],
)  # fmt: skip
def test_a_range_to_start_from(value, text):
    assert range_around(value) == text


# ------------------------------------------------------------------------------------- refusals


def test_a_parameter_that_the_class_does_not_have():
    spec = StrategySpec.of(Idle)
    spec.check(Space.of(period=1, stop=None), Account())
    with pytest.raises(SettingsError, match="Idle has no parameter 'perido'; did you mean period"):
        spec.check(Space.of(perido=1), Account())
    with pytest.raises(SettingsError, match="no parameter 'zzz'; it has period, share, on, side"):
        spec.check(Space.of(zzz=1), Account())
    with pytest.raises(SettingsError, match="no parameter 'n'; it has none"):
        StrategySpec.of(Bare).check(Space.of(n=1), Account())


def test_what_backtesting_takes_is_taken():
    """It sets whatever the class has, inherited and hidden ones among them."""
    StrategySpec.of(Idle).check(Space.of(_hidden=[1, 2]), Account())
