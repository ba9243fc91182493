"""`bigbar.Backtest.optimize` beside `backtesting.Backtest.optimize`: answers and errors."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import backtesting
import numpy as np
import pandas as pd
import pytest
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import GOOG, SMA

import bigbar
from bigbar.errors import Interrupted, SettingsError
from bigbar.strategies.sma_cross import SmaCross

BARS = GOOG.iloc[:150]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Some trades remain open"),
    pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Data index is not datetime"),
    pytest.mark.filterwarnings("ignore:DatetimeIndex"),
]


class Cross(Strategy):
    """Parameters of many kinds; `mode` changes nothing."""

    n1 = 5
    n2 = 10
    flip = False
    mode: Any = None

    def init(self):
        self.fast = self.I(SMA, self.data.Close, int(self.n1))
        self.slow = self.I(SMA, self.data.Close, int(self.n2))

    def next(self):
        if crossover(self.fast, self.slow):
            self.position.close()
            (self.sell if self.flip else self.buy)(size=0.5)
        elif crossover(self.slow, self.fast):
            self.position.close()
            (self.buy if self.flip else self.sell)(size=0.5)


class Refusing(Cross):
    """Raises where `n1` is 4."""

    def init(self):
        if self.n1 == 4:
            raise LookupError("not with 4")
        super().init()


class Hopeless(Cross):
    def init(self):
        raise LookupError(f"not with {self.n1} either")


class Ending(Cross):
    """Takes its process with it, but never the one that the tests run in."""

    tests = os.getpid()

    def init(self):
        if os.getpid() != Ending.tests:
            os._exit(3)
        raise AssertionError("run in the process that asked")


class Dicing(Cross):
    def init(self):
        super().init()
        self.size = 0.05 + 0.9 * np.random.default_rng().random()

    def next(self):
        if len(self.data) % 9 == 5:
            self.position.close()
            self.buy(size=self.size)


class Slow(Cross):
    def init(self):
        time.sleep(0.3)
        super().init()


class Named(Cross):
    """Has parameters that are named as options are."""

    workers = 3
    engine = 7


class Marking(bigbar.Backtest):
    """A `run` of its own, which the workers must use as well."""

    def run(self, **parameters):
        stats = super().run(**parameters)
        stats["SQN"] = 100.0 * parameters["n1"] + parameters["n2"]
        return stats


def both(
    parameters: dict[str, Any], data: pd.DataFrame = BARS, **account: Any
) -> tuple[bigbar.Backtest, Any, Any]:
    """Our Backtest, what it returns, and what theirs does."""
    ours = bigbar.Backtest(data, Cross, **account)
    theirs = backtesting.Backtest(data, Cross, **account)
    return ours, ours.optimize(workers=2, **parameters), theirs.optimize(**parameters)


def check_stats(ours: pd.Series, theirs: pd.Series) -> None:
    assert type(ours) is type(theirs)
    shown = [name for name in theirs.index if not name.startswith("_")]
    pd.testing.assert_series_equal(ours[shown], theirs[shown])
    pd.testing.assert_frame_equal(ours["_trades"], theirs["_trades"])
    pd.testing.assert_frame_equal(ours["_equity_curve"], theirs["_equity_curve"])


def check_heatmap(ours: pd.Series, theirs: pd.Series) -> None:
    pd.testing.assert_series_equal(ours, theirs)
    assert ours.index.names == theirs.index.names
    for level, expected in zip(ours.index.levels, theirs.index.levels, strict=True):
        assert level.dtype == expected.dtype
        assert list(map(repr, level)) == list(map(repr, expected))


def per_trade(stats: pd.Series) -> float:
    return stats["Return [%]"] / stats["# Trades"]


N1, N2 = range(3, 6), range(6, 9)

VALUES = {
    "ranges": {"n1": range(3, 6), "n2": range(8, 12, 2)},
    "lists, unsorted and repeated": {"n1": [5, 3], "n2": [12, 8, 8]},
    "single values": {"n1": 5, "n2": 8},
    "a single value beside several": {"n1": 5, "n2": [8, 12]},
    "floats among ints": {"n1": [3, 2.5], "n2": (8, 9.0)},
    "truth values": {"flip": [True, False], "n1": 3},
    "text": {"mode": ["b", "a"], "n1": [3, 4]},
    "one text": {"mode": "abc", "n1": [3, 4]},
    "empty text": {"mode": "", "n1": [3, 4]},
    "None": {"mode": None, "n1": [3, 4]},
    "None among others": {"mode": [None, "a", 2], "n1": [3]},
    "tuples": {"mode": [(1, 2), (3, 4)]},
    "functions": {"mode": [len, max]},
    "dates": {"mode": [pd.Timestamp("2020"), pd.Timestamp("2021")]},
    "numpy's own numbers": {"n1": [np.int32(3), np.int32(4)]},
    "none that trades": {"n1": [100, 140], "n2": [145, 149]},
    "some that do not trade": {"n1": [3, 100], "n2": [8, 149]},
    "bytes": {"mode": b"ab"},
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_values_of_every_kind(values):
    _, ours, theirs = both({**values, "return_heatmap": True})
    check_stats(ours[0], theirs[0])
    check_heatmap(ours[1], theirs[1])


OPTIONS: dict[str, dict[str, Any]] = {
    "a key": {"maximize": "Equity Final [$]"},
    "a key that is better low": {"maximize": "Volatility (Ann.) [%]"},
    "a negative one": {"maximize": "Max. Drawdown [%]"},
    "a count": {"maximize": "# Trades"},
    "a function": {"maximize": per_trade},
    "a lambda": {"maximize": lambda stats: stats["Sharpe Ratio"] - stats["Exposure Time [%]"] / 9},
    "a function of times": {"maximize": lambda stats: (stats["End"] - stats["Start"]).days},
    "a function of a duration": {"maximize": lambda stats: stats["Avg. Trade Duration"].days},
    "a function that says None": {"maximize": lambda stats: None},
    "a function without a bottom": {"maximize": lambda stats: -np.inf},
    "a constraint": {"constraint": lambda p: p.n1 < p["n2"] - 1},
    "a share": {"max_tries": 0.2, "random_state": 1},
    "a number": {"max_tries": 7, "random_state": 2},
    "one, which is all": {"max_tries": 1, "random_state": 2},
    "a number of those admitted": {
        "max_tries": 7, "random_state": 3, "constraint": lambda p: p.n1 < p.n2,
    },
    "a share of those admitted": {
        "max_tries": 0.3, "random_state": 0, "constraint": lambda p: p.n1 < p.n2,
    },
}  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_options_of_every_kind(options):
    _, ours, theirs = both({"n1": N1, "n2": N2, "return_heatmap": True, **options})
    check_stats(ours[0], theirs[0])
    check_heatmap(ours[1], theirs[1])


def test_a_function_gets_what_theirs_gets():
    got: list[pd.Series] = []

    def note(stats):
        got.append(stats)
        return stats["Return [%]"]

    for account in ({}, {"commission": 0.002}):
        got.clear()
        both({"n1": [3], "n2": [8], "maximize": note}, **account)
        ours, theirs = got
        assert list(ours.index) == list(theirs.index)
        for name, value in theirs.items():
            assert ours[name] == value or (pd.isna(ours[name]) and pd.isna(value)), name
            assert isinstance(ours[name], type(value)), name


def test_dividing_by_a_statistic_that_is_zero_is_no_error():
    with np.errstate(all="ignore"):
        options = {"maximize": lambda stats: (stats["Return [%]"] + 1e3) / (stats["Alpha [%]"] * 0)}
        _, ours, theirs = both({"n1": [3, 5], "return_heatmap": True, **options})
    check_heatmap(ours[1], theirs[1])


def test_a_generator_as_random_state_goes_on_as_theirs():
    states = [np.random.default_rng(5), np.random.default_rng(5)]
    kinds = (bigbar.Backtest, backtesting.Backtest)
    for kind, state in zip(kinds, states, strict=True):
        kind(BARS, Cross).optimize(n1=[3, 4], n2=[8, 9], random_state=state)
    assert states[0].random() == states[1].random()


def error_of(kind: type, strategy: type, asked: dict[str, Any]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - both are looked at
        kind(BARS, strategy).optimize(**asked)
    return caught.value


REFUSED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "nothing, before all else": {"maximize": "nope", "constraint": 3},
    "no values": {"n1": []},
    "no key": {"n1": [3], "maximize": "nope"},
    "no function": {"n1": [3], "maximize": 3},
    "no constraint": {"n1": [3], "constraint": 3},
    "a false constraint": {"n1": [3], "constraint": 0},
    "no method": {"n1": [3], "method": "magic"},
    "no values, before the method": {"n1": [], "method": "magic"},
    "an optimization of a grid": {"n1": [3], "return_optimization": True},
    "none admitted": {"n1": [3], "constraint": lambda p: False},
    "none admitted, before the names": {"n1": [3], "n9": 5, "constraint": lambda p: False},
    "no tries": {"n1": N1, "max_tries": 0},
    "fewer than none": {"n1": N1, "max_tries": -1},
    "tries that are text": {"n1": N1, "max_tries": "3"},
    "no seed": {"n1": [3], "random_state": "x"},
    "no such parameter": {"n1": [3], "n9": [4]},
    "a value that no index holds": {"mode": [[1], [2]]},
    "a set": {"mode": {1, 2}},
    "trades, which a grid does not keep": {"n1": [3], "maximize": "_trades"},
    "a function that raises": {"n1": [3], "maximize": lambda stats: 1 // 0},
}


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED.keys())
def test_errors_of_theirs(asked):
    ours, theirs = (
        error_of(kind, Cross, asked) for kind in (bigbar.Backtest, backtesting.Backtest)
    )
    assert isinstance(ours, type(theirs))
    assert str(ours) == str(theirs)


@pytest.mark.parametrize("found", ["x", pd.Timedelta(1, "D")])
def test_what_is_no_number_cannot_be_maximized(found):
    asked = {"n1": [3, 4], "maximize": lambda stats: found}
    ours, theirs = (
        error_of(kind, Cross, asked) for kind in (bigbar.Backtest, backtesting.Backtest)
    )
    assert isinstance(theirs, TypeError)
    assert isinstance(ours, TypeError)
    assert "must return a number; lambda returned" in str(ours)


def test_a_constraint_on_what_is_not_there():
    asked = {"n1": [3], "constraint": lambda p: p.n7 < 3}
    ours = error_of(bigbar.Backtest, Cross, asked)
    assert isinstance(ours, type(error_of(backtesting.Backtest, Cross, asked)))
    assert isinstance(ours, AttributeError)


def test_a_name_that_is_nearly_one():
    with pytest.raises(AttributeError, match=r"missing parameter 'n11'.*Did you mean: n1"):
        bigbar.Backtest(BARS, Cross).optimize(n11=[3])


@pytest.mark.parametrize(
    "account", [{"cash": -5}, {"margin": 2}, {"commission": 0.5}], ids=lambda one: next(iter(one))
)
def test_an_account_that_the_broker_refuses(account):
    problems = []
    for kind in (bigbar.Backtest, backtesting.Backtest):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            backtest = kind(BARS, Cross, **account)
        # Of several, one may still hold theirs in shared memory when another has raised.
        with pytest.raises(AssertionError) as caught:
            backtest.optimize(n1=[3])
        problems.append(str(caught.value))
    assert problems[0] == problems[1]


# What theirs cannot.


@pytest.mark.slow
def test_arrays_are_several_values():
    for given in (np.array([3, 5]), pd.Series([3, 5]), pd.Index([3, 5])):
        _, heatmap = bigbar.Backtest(BARS, Cross).optimize(n1=given, n2=[8], return_heatmap=True)
        assert heatmap.index.tolist() == [(3, 8), (5, 8)]
        assert heatmap.notna().all()
    stats = bigbar.Backtest(BARS, Cross).optimize(n1=np.array(3))
    assert stats._strategy.n1 == 3


@pytest.mark.parametrize(
    "key", ["Duration", "Max. Drawdown Duration", "Avg. Trade Duration", "Start", "End"]
)
def test_keys_that_are_times(key):
    backtest = bigbar.Backtest(BARS, Cross)
    best, heatmap = backtest.optimize(n1=[3, 5], n2=[8, 149], maximize=key, return_heatmap=True)
    assert heatmap.name == key
    assert heatmap.isna().tolist() == [False, True, False, True]
    runs = {n1: backtest.run(n1=n1, n2=8)[key] for n1 in (3, 5)}
    at = [heatmap.loc[n1, 8] for n1 in runs]
    if key in ("Start", "End"):
        at = [pd.Timestamp(nanoseconds) for nanoseconds in at]
    assert at == list(runs.values())
    assert best[key] == max(runs.values())


def test_no_commissions_are_zero():
    _, heatmap = bigbar.Backtest(BARS, Cross).optimize(
        n1=[3, 5], maximize="Commissions [$]", return_heatmap=True
    )
    assert heatmap.tolist() == [0.0, 0.0]


def test_the_values_that_were_given_are_run():
    backtest = bigbar.Backtest(BARS, Cross)
    stats = backtest.optimize(n1=[3, 2.0], mode=[None])
    assert stats._strategy._params == backtest.last.best_parameters
    assert stats._strategy.mode is None
    assert type(stats._strategy._params["n1"]) in (int, float)


# Bars and accounts.


def loop_over(backtest: backtesting.Backtest, key: str, **values: list[Any]) -> pd.Series:
    """The heatmap as theirs would be, run after run."""
    index = pd.MultiIndex.from_product(values.values(), names=values.keys())
    found = [
        stats[key] if stats["# Trades"] else np.nan
        for stats in (backtest.run(**dict(zip(index.names, point, strict=True))) for point in index)
    ]
    return pd.Series(found, index=index, name=key, dtype=float)


DATA = {
    "bars without dates": BARS.reset_index(drop=True),
    "more columns": BARS.assign(Note="a", Factor=1.5, Lists=[[1]] * len(BARS)),
    "whole numbers": BARS.round().astype(int),
    "no volume": BARS.drop(columns="Volume"),
    "a time zone": BARS.tz_localize("America/New_York"),
    "one time twice": BARS.set_axis([BARS.index[0], *BARS.index[:-1]]),
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA.keys())
def test_bars_of_every_kind(data):
    values = {"n1": [3, 5], "n2": [8, 149]}
    stats, heatmap = bigbar.Backtest(data, Cross).optimize(**values, return_heatmap=True)
    theirs = backtesting.Backtest(data, Cross)
    check_heatmap(heatmap, loop_over(theirs, "SQN", **values))
    check_stats(stats, theirs.run(**dict(zip(values, heatmap.idxmax(), strict=True))))


@pytest.mark.slow
def test_an_unsorted_file():
    with pytest.warns(UserWarning, match="not sorted"):
        backtest = bigbar.Backtest(BARS.iloc[::-1], Cross)
    check_stats(backtest.optimize(n1=[3, 5]), bigbar.Backtest(BARS, Cross).optimize(n1=[3, 5]))


def fee(size: float, price: float) -> float:
    return 1.0 + abs(size) * 0.01


ACCOUNTS: dict[str, dict[str, Any]] = {
    "a commission by a function": {"commission": fee},
    "fixed and relative": {"commission": (5, 0.001)},
    "much": {"spread": 0.001, "margin": 0.5, "hedging": True, "finalize_trades": True},
    "fills": {"trade_on_close": 1, "exclusive_orders": True},
}


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS.keys())
def test_accounts_of_every_kind(account):
    _, ours, theirs = both({"n1": [3, 5], "n2": [8, 149], "return_heatmap": True}, **account)
    check_stats(ours[0], theirs[0])
    check_heatmap(ours[1], theirs[1])


def test_a_commission_by_a_lambda():
    """Theirs has no way to send it to a worker."""
    account = {"commission": lambda size, price: abs(size) * price * 0.001}
    values = {"n1": [3, 5], "n2": [8, 149]}
    stats, heatmap = bigbar.Backtest(BARS, Cross, **account).optimize(**values, return_heatmap=True)
    theirs = backtesting.Backtest(BARS, Cross, **account)
    check_heatmap(heatmap, loop_over(theirs, "SQN", **values))
    check_stats(stats, theirs.run(n1=3, n2=8))


def test_replays_on_bars_without_dates():
    backtest = bigbar.Backtest(DATA["bars without dates"], Cross)
    backtest.optimize(n1=[3, 5], n2=[8, 149], verify=4)
    assert backtest.last.verification.ok
    assert backtest.last.verification.combinations == 4


# Shapes, methods and options.


def test_shapes():
    backtest = bigbar.Backtest(BARS, Cross)
    stats = backtest.optimize(n1=[3, 5])
    assert isinstance(stats, pd.Series)
    assert backtest._results is stats
    found = backtest.optimize(n1=[3, 5], return_heatmap=True)
    assert isinstance(found, tuple)
    assert len(found) == 2


def test_sambo():
    asked: dict[str, Any] = {
        "n1": [2, 20], "n2": np.arange(10, 40), "method": "sambo", "max_tries": 12,
        "random_state": 2, "return_heatmap": True, "return_optimization": True,
        "constraint": lambda p: p.n1 < p.n2,
    }  # fmt: skip
    backtest, ours, theirs = both(asked)
    check_stats(ours[0], theirs[0])
    pd.testing.assert_series_equal(ours[1], theirs[1])
    assert type(ours[2]) is type(theirs[2])
    with pytest.raises(AttributeError, match="method='sambo' tries points one after another"):
        _ = backtest.last


def test_sambo_maximizes_a_function_of_all_statistics():
    asked = {
        "n1": [3, 9], "n2": [10, 20], "method": "sambo", "max_tries": 6, "random_state": 2,
        "maximize": lambda stats: len(stats["_trades"]),
    }  # fmt: skip
    _, ours, theirs = both(asked)
    check_stats(ours, theirs)


def test_the_old_name_of_sambo():
    backtest = bigbar.Backtest(BARS, Cross)
    with pytest.warns(DeprecationWarning, match='Use `method="sambo"`') as told:
        backtest.optimize(n1=[3, 9], n2=[10, 20], method="skopt", max_tries=6, random_state=1)
    assert __file__ in {one.filename for one in told if "skopt" in str(one.message)}


def test_sambo_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "sambo", None)
    with pytest.raises(ImportError, match=r"sambo.*pip install '\.\[sambo\]'"):
        bigbar.Backtest(BARS, Cross).optimize(n1=[3, 9], method="sambo")


def test_options_give_way_to_parameters():
    backtest = bigbar.Backtest(BARS, Named)
    with pytest.warns(UserWarning, match="is a parameter of Named") as told:
        _, heatmap = backtest.optimize(workers=[1, 2], engine="steam", return_heatmap=True)
    assert [one.filename for one in told if "of Named" in str(one.message)] == [__file__] * 2
    assert heatmap.index.tolist() == [(1, "steam"), (2, "steam")]
    assert heatmap.index.names == ["workers", "engine"]
    assert backtest.last.engine == "backtesting"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"engine": "steam"}, "no engine 'steam' for Cross"),
        ({"progress": "yes"}, "progress is 'yes'"),
        ({"store": 3}, "store is 3"),
        ({"validate": "no"}, "validate is 'no'"),
        ({"start_method": "magic"}, "start method 'magic'"),
    ],
)
def test_options_that_make_no_sense(given, words):
    with pytest.raises(SettingsError, match=words):
        bigbar.Backtest(BARS, Cross).optimize(n1=[3], **given)


@pytest.mark.slow
def test_replays_and_a_store(tmp_path):
    backtest = bigbar.Backtest(BARS, SmaCross)
    backtest.optimize(fast=range(3, 9), slow=[12], store=tmp_path / "kept", verify=3, workers=2)
    first = backtest.last
    assert first.run == 1
    assert first.verification.combinations == 4
    assert (tmp_path / "kept" / "runs.sqlite").is_file()
    backtest.optimize(fast=range(3, 11), slow=[12], store=tmp_path / "kept")
    assert backtest.last.outcome.reused == 6
    backtest.optimize(fast=range(3, 12), slow=[12], store=tmp_path / "kept", fresh=True)
    assert backtest.last.outcome.reused == 0


@pytest.mark.slow
def test_the_bar(capsys):
    backtest = bigbar.Backtest(BARS, Cross)
    backtest.optimize(n1=[3, 5])
    assert "Optimization Progress" not in capsys.readouterr().err  # Nobody watches.
    backtest.optimize(n1=[3, 5], progress=True)
    assert "2/2" in capsys.readouterr().err
    backtest.optimize(n1=[3, 5], progress=False)
    assert "Optimization Progress" not in capsys.readouterr().err


# A `run` of its own.


def test_a_run_of_its_own_is_honoured():
    backtest = Marking(BARS, Cross, commission=lambda size, price: 1.0)
    stats, heatmap = backtest.optimize(n1=[3, 5], n2=[12, 8], return_heatmap=True, workers=2)
    assert heatmap.tolist() == [312.0, 308.0, 512.0, 508.0]
    assert stats["SQN"] == 512.0
    assert backtest.last.table()["SQN"].tolist() == heatmap.tolist()


def test_a_broker_of_its_own_is_honoured():
    from functools import partial

    from backtesting.backtesting import _Broker

    class Generous(_Broker):
        def __init__(self, **given):
            super().__init__(**given)
            self._cash *= 2

    stats = {}
    for kind in (bigbar.Backtest, backtesting.Backtest):
        backtest = kind(BARS, Cross)
        backtest._broker = partial(Generous, **backtest._broker.keywords)
        stats[kind] = (
            backtest.optimize(n1=[3], maximize="Equity Final [$]")
            if kind is bigbar.Backtest
            else backtest.run(n1=3)
        )
    check_stats(*stats.values())


def test_a_copy_has_all_but_what_was_found():
    import pickle

    backtest = bigbar.Backtest(BARS, Cross)
    backtest.optimize(n1=[3, 5])
    sent = pickle.loads(pickle.dumps(backtest))
    with pytest.raises(AttributeError, match=r"nothing has been optimized yet: call optimize"):
        _ = sent.last
    check_stats(sent.run(n1=3), backtest.run(n1=3))


# What goes wrong.


def test_what_all_of_them_raise_is_raised():
    backtest = bigbar.Backtest(BARS, Hopeless)
    with pytest.raises(LookupError, match="not with 3 either"):
        backtest.optimize(n1=[3, 4])
    assert [one.number for one in backtest.last.failures] == [0, 1]


def test_what_some_raise_is_told():
    backtest = bigbar.Backtest(BARS, Refusing)
    with pytest.warns(UserWarning, match="1 of 3 combinations failed and is NaN") as told:
        stats, heatmap = backtest.optimize(n1=[3, 4, 5], n2=8, return_heatmap=True)
    mine = [one for one in told if "failed" in str(one.message)]
    assert [one.filename for one in mine] == [__file__]
    assert "LookupError: not with 4" in str(mine[0].message)
    assert heatmap.isna().tolist() == [False, True, False]
    assert stats._strategy.n1 == heatmap.idxmax()[0]
    (failure,) = backtest.last.failures
    assert failure.number == 1
    assert "LookupError: not with 4" in failure.reason
    assert len(backtest.last.table()) == 3


@pytest.mark.slow
def test_combinations_that_end_their_process_do_not_end_this_one():
    backtest = bigbar.Backtest(BARS, Ending)
    with pytest.raises(SettingsError, match=r"all 2 combinations failed; the first: .*ended"):
        backtest.optimize(n1=[3, 4], workers=2)


def test_one_that_answers_differently_twice():
    backtest = bigbar.Backtest(BARS, Dicing)
    with pytest.warns(UserWarning, match="Dicing answers differently each time it is run") as told:
        stats = backtest.optimize(n1=[3, 5], maximize="Equity Final [$]")
    mine = [one for one in told if "Dicing" in str(one.message)]
    assert [one.filename for one in mine] == [__file__]
    assert backtest._results is stats


def test_one_that_remembers_earlier_runs():
    class Counting(Cross):
        runs: list[int] = []  # noqa: RUF012 - what it is about

        def init(self):
            super().init()
            self.runs.append(1)

        def next(self):
            if len(self.data) % 9 == 5:
                self.position.close()
                self.buy(size=len(self.runs))

    backtest = bigbar.Backtest(BARS, Counting)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        backtest.optimize(n1=[3, 5], n2=[8, 9])
    assert not [one for one in told if "Counting" in str(one.message)]
    # Each from the class as it was: none remembers another.
    assert backtest.last.heatmap().nunique() == 1
    backtest.run(n1=3)
    assert len(Counting.runs) == 2


def test_what_is_refused_leaves_what_was_found():
    backtest = bigbar.Backtest(BARS, Slow)
    backtest.optimize(n1=[3])
    found = backtest.last
    with pytest.raises((AttributeError, ValueError), match="n3"):
        backtest.optimize(n3=[3])
    assert backtest.last is found


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_ctrl_c_is_a_keyboard_interrupt():
    backtest = bigbar.Backtest(BARS, Slow)
    backtest.optimize(n1=[3])
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        backtest.optimize(n1=range(3, 100), n2=[8], workers=2)
    timer.join()
    with pytest.raises(AttributeError, match=r"the last optimize\(...\) did not finish"):
        _ = backtest.last  # Not what was found before.


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_a_handler_of_the_callers_own_is_called():
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        with pytest.raises(Interrupted):
            bigbar.Backtest(BARS, Slow).optimize(n1=range(3, 100), n2=[8], workers=2)
        timer.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no /dev/shm")
def test_nothing_stays_in_shared_memory():
    """After success, an error and Ctrl-C; the guard around every test looks as well."""
    mine = f"bigbar_{os.getpid()}_"
    backtest = bigbar.Backtest(BARS, Cross)
    backtest.optimize(n1=[3, 5])
    with pytest.raises(ZeroDivisionError):
        backtest.optimize(n1=[3, 5], maximize=lambda stats: 1 // 0)
    assert not hasattr(backtest, "last")
    assert not [one for one in os.listdir("/dev/shm") if mine in one]
