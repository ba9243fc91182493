"""Runs of strategies by the runner are those of `Backtest.run`, in everything."""

from __future__ import annotations

import re
import warnings

import backtesting._stats
import backtesting.backtesting
import numpy as np
import pandas as pd
import pytest
from any_strategies import (
    AnyOrder,
    Kinds,
    Resampled,
    RsiBands,
    Signalled,
    Trailing,
    check_agrees,
    made_bars,
    of_known_versions,
    theirs,
)
from backtesting import Backtest, Strategy
from backtesting._util import _indicator_warmup_nbars
from backtesting.lib import FractionalBacktest
from backtesting.test import BTCUSD, EURUSD, GOOG, SMA

from benchmarks.example_strategies import Sma4Cross, SmaCross
from bigbar.engines.any_strategy import known
from bigbar.engines.any_strategy.run import StrategyRunner
from bigbar.engines.any_strategy.warm_up import warm_up_bars
from bigbar.errors import SettingsError

SHORT = GOOG.iloc[:400]
PLAIN = pd.DataFrame({"Open": 10.0, "High": 11.0, "Low": 9.0, "Close": 10.0}, index=range(30))
PLAIN.index = pd.RangeIndex(30)


def commission_by_size(size: float, price: float) -> float:
    return 1.0 + abs(size) * price * 0.0015 + (0.5 if size < 0 else 0.0)


def told(account: dict) -> str:
    """An account as the name of a test: the same in every process, which an address is not."""
    return ", ".join(f"{key} {getattr(value, '__name__', value)}" for key, value in account.items())


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [
        (SmaCross, {"n1": 5, "n2": 30}),
        (Sma4Cross, {"n1": 20, "n2": 60, "n_enter": 10, "n_exit": 5}),
        (RsiBands, {"n": 7, "bound": 40.0}),
        (Trailing, {"n": 30, "n_atr": 2}),
        (Signalled, {"n": 25}),
        (Resampled, {"n": 3}),
    ],
)
@pytest.mark.parametrize(("data", "cash"), [(GOOG, 10_000), (EURUSD, 10_000), (BTCUSD, 1e7)])
def test_strategies_on_real_bars(strategy, parameters, data, cash):
    run = check_agrees(data.iloc[:700], strategy, parameters, cash=cash, commission=0.002)
    assert len(run.trades) >= 1


@pytest.mark.parametrize(
    "account",
    [
        {"commission": 0.001, "spread": 0.0005},
        {"commission": (5, 0.001)},
        {"commission": -0.0005},
        {"commission": commission_by_size},
        {"margin": 0.05, "finalize_trades": True},
        {"trade_on_close": True, "margin": 0.5},
        {"hedging": True, "finalize_trades": True},
        {"exclusive_orders": True, "trade_on_close": True},
        {"cash": 1500},
    ],
    ids=told,
)
@pytest.mark.parametrize("strategy", [SmaCross, RsiBands, AnyOrder])
def test_accounts(strategy, account):
    check_agrees(SHORT, strategy, **{"cash": 10_000, **account})


@pytest.mark.parametrize(
    "parameters",
    [
        {"level": 3, "both": False},
        {"level": 0.25, "side": "short"},
        {"level": 2.0, "stop": 0.05},
        {"side": "short", "both": True, "level": np.float64(0.5)},
        {"stop": None, "side": "neither"},
    ],
    ids=told,
)
def test_parameters_of_every_kind(parameters):
    check_agrees(SHORT, Kinds, parameters)


INDICES = {
    "weekly": pd.date_range("2015-01-02", periods=120, freq="W-FRI"),
    "monthly": pd.date_range("2010-01-31", periods=120, freq="ME"),
    "yearly": pd.date_range("1900-12-31", periods=120, freq="YE"),
    "hourly": pd.date_range("2020-03-01", periods=120, freq="h", tz="America/New_York"),
    "seconds": pd.date_range("2020-03-01", periods=120, freq="37s", unit="s"),
    "nanoseconds": pd.date_range("2020-03-01", periods=120, freq="7ms").as_unit("ns"),
    "periods": pd.RangeIndex(5, 365, 3),
    "twice": pd.date_range("2020-01-01", periods=60).repeat(2),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indices(index):
    for seed in range(3):
        data = made_bars(len(index), seed, index=index)
        try:
            check_agrees(data, AnyOrder, {"seed": seed}, margin=0.2)
        except ValueError:
            # Two bars at the same time: backtesting.py cannot always tell drawdowns apart.
            with pytest.raises(ValueError, match="duplicate"):
                theirs(data, AnyOrder, {"seed": seed}, margin=0.2)
            assert index is INDICES["twice"]


@pytest.mark.parametrize("seed", range(120))
def test_orders_of_all_kinds_under_any_account(seed):
    rng = np.random.default_rng(seed)
    data = made_bars(int(rng.integers(5, 200)), seed, level=float(rng.choice([1.5, 40, 900])))
    account = {
        "cash": float(rng.choice([300, 2_000, 100_000])),
        "spread": float(rng.choice([0, 0.0004, 0.01])),
        "commission": [0.0, 0.002, (3, 0.001), -0.0002, commission_by_size][rng.integers(5)],
        "margin": float(rng.choice([1, 0.5, 0.1, 0.01])),
        "trade_on_close": bool(rng.integers(2)),
        "hedging": bool(rng.integers(2)),
        "exclusive_orders": bool(rng.random() < 0.25),
        "finalize_trades": bool(rng.integers(2)),
    }
    expected = raised = None
    try:
        expected = theirs(data, AnyOrder, {"seed": seed}, **account)
    except Exception as error:
        raised = error
    if raised is not None:
        with pytest.raises(type(raised), match=re.escape(str(raised))):
            StrategyRunner(data, AnyOrder, **account).run({"seed": seed})
        return
    run = check_agrees(data, AnyOrder, {"seed": seed}, **account)
    assert run.strategy.log == expected["_strategy"].log


@pytest.mark.parametrize("seed", range(15))
def test_orders_at_the_very_prices_of_a_bar(seed):
    data = made_bars(150, seed, level=12).round()
    data["High"] += 1
    check_agrees(data, AnyOrder, {"seed": seed, "digits": 0}, margin=0.2)


class Once(Strategy):
    """Buys once and for all."""

    def init(self):
        pass

    def next(self):
        if len(self.data) == 2:
            self.buy(size=100)


def test_ruin_to_the_last_cent():
    data = made_bars(9, 1)
    data[["Open", "High", "Low", "Close"]] = 10.0
    data.iloc[5, :4] = 0.0
    run = check_agrees(data, Once, cash=1000)
    assert list(run.equity[4:7]) == [1000, 0, 0]


def test_the_random_accounts_go_everywhere():
    """Else the test above would say less than it seems to: ruin, open trades, many trades."""
    ruined = left_open = busy = 0
    for seed in range(40):
        margin = 0.01 if seed % 2 else 1.0
        runner = StrategyRunner(made_bars(150, seed), AnyOrder, cash=9_000, margin=margin)
        run = runner.run({"seed": seed})
        ruined += run.equity[-1] == 0
        left_open += any("remain open" in text for _, text in run.warned.messages)
        busy += len(run.trades) > 20
    assert min(ruined, left_open, busy) >= 5


@pytest.mark.parametrize("bars", [1, 2, 3])
def test_hardly_any_bars(bars):
    class Buys(Strategy):
        def init(self):
            pass

        def next(self):
            self.buy(size=1)

    check_agrees(made_bars(bars, 1), Buys)
    check_agrees(made_bars(bars, 1), Buys, finalize_trades=True)
    check_agrees(PLAIN.iloc[:bars], Buys, trade_on_close=True)


class OrdersInInit(Strategy):
    """Defined on the last bar only: no bar is left to run on."""

    def init(self):
        self.late = self.I(lambda: np.r_[np.full(len(self.data) - 1, np.nan), 1.0])
        self.buy(size=1)

    def next(self):
        raise AssertionError


def test_orders_that_no_bar_is_left_for():
    run = check_agrees(SHORT, OrdersInInit, finalize_trades=True)
    assert len(run.trades) == 0


class Doubles(SmaCross):
    """Changes the prices that the broker uses."""

    by = 1.0

    def init(self):
        for name in ("Open", "High", "Low", "Close"):
            self.data.df[name] = self.data.df[name] * self.by
        super().init()


def test_prices_that_init_changes():
    runner = StrategyRunner(SHORT, Doubles, cash=100_000)
    for by in (1.0, 2.0, 3.0, 1.0):
        check_agrees(SHORT, Doubles, {"by": by}, runner=runner, cash=100_000)
    runner = StrategyRunner(SHORT, SmaCross)
    runner.run({})
    check_agrees(SHORT, SmaCross, runner=runner)


def test_indicators_that_are_never_defined():
    check_agrees(SHORT.iloc[:30], SmaCross, {"n1": 40, "n2": 50})
    check_agrees(SHORT.iloc[:30], SmaCross, {"n1": 5, "n2": 30})


def test_prices_that_are_whole_numbers():
    whole = SHORT.round().astype(int)
    check_agrees(whole, SmaCross)
    check_agrees(whole, AnyOrder, {"seed": 3}, margin=0.3)


class BuysAndSells(Strategy):
    def init(self):
        pass

    def next(self):
        if len(self.data) % 3 == 0 and 0 < self.data.Close[-1] < np.inf:
            self.buy(size=2) if len(self.data) % 2 else self.sell(size=1)
        elif self.position:
            self.position.close()


@pytest.mark.parametrize("price", [0.0, np.inf])
def test_prices_of_nothing_and_without_end(price):
    """A price of 0 is no price to `Trade.pl`, which then takes the last one."""
    data = SHORT.iloc[:80].copy()
    data.iloc[30:36, :4] = price
    run = check_agrees(data, BuysAndSells)
    assert np.isfinite(run.trades["PnL"]).all() == (price == 0.0)


@of_known_versions
def test_one_runner_for_many():
    runner = StrategyRunner(SHORT, SmaCross)
    for _ in range(2):
        for n1 in (5, 8):
            for n2 in (10, 20, 40):
                check_agrees(SHORT, SmaCross, {"n1": n1, "n2": n2}, runner=runner)
    assert runner.memo.hits > runner.memo.misses == 5


def test_a_backtest_that_is_made_already():
    class Mine(Backtest):
        """As theirs."""

    backtest = Mine(SHORT, SmaCross, cash=5_000, commission=0.001, finalize_trades=True)
    check_agrees(
        SHORT,
        SmaCross,
        {"n1": 4},
        runner=StrategyRunner.of(backtest),
        cash=5_000,
        commission=0.001,
        finalize_trades=True,
    )
    with pytest.raises(SettingsError, match="FractionalBacktest has a run of its own"):
        StrategyRunner.of(FractionalBacktest(SHORT, SmaCross))


def test_data_of_the_wrong_shape():
    with pytest.raises(TypeError, match=r"must be a pandas\.DataFrame with columns"):
        StrategyRunner(GOOG.index, SmaCross)
    with pytest.raises(ValueError, match="is empty"):
        StrategyRunner(GOOG.iloc[:0], SmaCross)
    with pytest.raises(ValueError, match="with columns 'Open', 'High'"):
        StrategyRunner(GOOG[["Open", "High"]], SmaCross)
    with pytest.raises(ValueError, match="Some OHLC values are missing"):
        StrategyRunner(GOOG * np.nan, SmaCross)
    with pytest.raises(TypeError, match="must be a Strategy sub-type"):
        StrategyRunner(GOOG, dict)
    with pytest.raises(TypeError, match="unexpected keyword argument 'cahs'"):
        StrategyRunner(GOOG, SmaCross, cahs=1)


def test_bars_out_of_order():
    check_agrees(SHORT.iloc[::-1], SmaCross)
    runner = StrategyRunner(SHORT.iloc[::-1], SmaCross, cash=100)
    assert [text.split(".")[0] for _, text in runner.warned.messages] == [
        "Some prices are larger than initial cash value",
        "Data index is not sorted in ascending order",
    ]


@of_known_versions
def test_a_parameter_that_is_none():
    with pytest.raises(AttributeError, match=r"missing parameter 'nn1'.*Did you mean: n1"):
        StrategyRunner(SHORT, SmaCross).run({"nn1": 1})


class Raises(SmaCross):
    def next(self):
        if len(self.data) == 50:
            raise KeyError("bar 50")
        super().next()


class Failing(SmaCross):
    def init(self):
        super().init()
        self.I(lambda: 1 / 0, name="broken")


def test_a_strategy_that_raises():
    runner = StrategyRunner(SHORT, Raises)
    before = np.geterr(), list(warnings.filters)
    with pytest.raises(KeyError, match="bar 50"):
        runner.run({})
    assert (np.geterr(), list(warnings.filters)) == before
    with pytest.raises(RuntimeError, match='Indicator "broken" error'):
        StrategyRunner(SHORT, Failing).run({})


class Warns(SmaCross):
    loud = 1

    def next(self):
        super().next()
        warnings.warn(f"bar {len(self.data) * self.loud}", RuntimeWarning, stacklevel=2)


def test_warnings_are_kept(capsys, recwarn):
    runner = StrategyRunner(SHORT, Warns)
    for _ in range(2):
        warned = runner.run({"loud": 0}).warned
        assert warned.messages[RuntimeWarning, "bar 0"] == 400 - 20
        assert [text[:16] for _, text in warned.messages] == ["bar 0", "Some trades rema"]
    warned = runner.run({}).warned
    assert len(warned.messages) == 100
    assert warned.more == 400 - 20 - 100 + 1
    assert not recwarn.list
    assert capsys.readouterr() == ("", "")


def test_the_user_s_filters_count():
    runner = StrategyRunner(SHORT, Warns)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(RuntimeWarning, match="bar 21"):
            runner.run({})
        warnings.simplefilter("ignore", RuntimeWarning)
        assert RuntimeWarning not in dict(runner.run({}).warned.messages.keys())


@of_known_versions
def test_what_others_have_changed_in_the_broker_counts(monkeypatch):
    quick = StrategyRunner(SHORT, SmaCross).run({}).row()

    def half_way(self):
        self._data._current_value("Open")
        original(self)
        self._cash -= 0.01

    original = backtesting.backtesting._Broker._process_orders
    assert known.is_known()
    monkeypatch.setattr(backtesting.backtesting._Broker, "_process_orders", half_way)
    assert not known.is_known()
    run = check_agrees(SHORT, SmaCross)
    assert run.row()[2] < quick[2]


def test_what_others_have_changed_in_the_statistics_counts(monkeypatch):
    def doubled(**given):
        stats = original(**given)
        stats["SQN"] = 2.0
        return stats

    original = backtesting._stats.compute_stats
    monkeypatch.setattr(backtesting.backtesting, "compute_stats", doubled)
    assert not known.is_known()
    check_agrees(SHORT, SmaCross)


class Writes(Strategy):
    """Writes into its indicators, and keeps yesterday's."""

    n = 5

    def init(self):
        self.sma = self.I(lambda: SMA(self.data.Close, self.n).to_numpy(copy=True), name="a")
        self.flat = self.I(np.zeros_like, self.data.Close)
        self.before = None

    def next(self):
        if self.before is not None and self.before[-1] < self.sma[-1]:
            self.flat[-1] += 1
        self.before = self.sma
        self.sma[-2] *= 1.5
        if self.flat.sum() % 3 == 1:
            self.buy(size=1)
        elif self.position:
            self.position.close()


@of_known_versions
def test_a_strategy_that_writes_into_its_indicators():
    runner = StrategyRunner(SHORT, Writes)
    for n in (5, 5, 5, 3, 5):
        run = check_agrees(SHORT, Writes, {"n": n}, runner=runner)
        assert run.strategy.flat.max() > 0
    assert runner.memo.hits


class Mixed(Strategy):
    """Reads its data in every way, some only now and then."""

    def init(self):
        self.wide = self.I(lambda: pd.DataFrame({"a": self.data.Close, "b": self.data.Open}))
        self.derived = self.I(SMA, self.data.Close, 4) * 2
        self.kept = self.data

    def next(self):
        assert type(self.derived).__name__ == "_Indicator"
        assert type(self.data.Close) is type(self.data["Volume"])
        assert self.data.Close.name == "Close"
        assert self.data.Close.s.index[-1] == self.data.index[-1] == self.data.df.index[-1]
        assert self.derived.s.iloc[-1] == self.derived[-1]
        assert self._broker._i == len(self.data) - 1
        assert len(self.kept.Close) == len(self.data) == len(self.data.df)
        if len(self.data) % 7 == 0:
            assert self.data.Low[-1] <= self.data.High[-1]
            self.buy(size=1, sl=self.data.Low[-1] * 0.95, tp=self.data.High[-1] * 1.05)


def test_what_a_strategy_finds():
    check_agrees(SHORT, Mixed)
    assert len(StrategyRunner(SHORT, Mixed).run({}).strategy.data) == len(SHORT)


@pytest.mark.parametrize("kind", ["float32", "float16", "int64", "int32"])
def test_prices_of_other_types(kind):
    bars = SHORT.copy()
    names = ["Open", "High", "Low", "Close"]
    bars[names] = bars[names].astype(kind)
    check_agrees(bars, SmaCross, cash=10_000, commission=0.002)


@pytest.mark.parametrize("first", [0, 1, 511, 512, 513, 700])
def test_bars_that_indicators_warm_up(first):
    """As `backtesting.py` counts them: of one row or several, of whole numbers, of none at all."""
    values = np.arange(900.0)
    values[:first] = np.nan
    later = np.roll(values, 100)
    later[:100] = np.nan
    many = {
        "one": values, "two": np.array([values, later]), "whole": np.arange(900),
        "none": np.full(900, np.nan), "truth": values > 3,
    }  # fmt: skip

    class Warming(Strategy):
        shown = ("one",)

        def init(self):
            for name in self.shown:
                setattr(self, name, self.I(lambda name=name: many[name]))

        def next(self):
            pass

    runner = StrategyRunner(GOOG.iloc[:900], Warming)
    for shown in ((), ("one",), ("two",), ("whole",), ("none",), ("truth", "one"), tuple(many)):
        strategy, *_ = runner.ready({"shown": shown})
        assert warm_up_bars(strategy, known=True) == _indicator_warmup_nbars(strategy)
