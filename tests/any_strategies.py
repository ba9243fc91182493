"""Strategies of many kinds, and how a run of ours is compared with `Backtest.run`."""

from __future__ import annotations

import importlib.util
import random
import warnings
from collections.abc import Mapping
from typing import Any

import backtesting.backtesting
import numpy as np
import pandas as pd
import pytest
from backtesting import Backtest, Strategy
from backtesting.lib import SignalStrategy, TrailingStrategy, crossover, resample_apply
from backtesting.test import SMA

from bigbar.engines.any_strategy.known import VERSIONS
from bigbar.engines.any_strategy.run import BacktestRun, StrategyRunner
from bigbar.engines.any_strategy.statistics import statistics_row

#: Tests of the quick ways themselves; with another version they step aside.
of_known_versions = pytest.mark.skipif(
    backtesting.__version__ not in VERSIONS, reason="a version whose own code runs"
)

#: With it pandas adds up in another order.
ADDS_AS_NUMPY = importlib.util.find_spec("bottleneck") is None


def theirs(
    data: pd.DataFrame, strategy: type[Strategy], parameters: Mapping[str, Any], **account: Any
) -> pd.Series:
    """`Backtest.run` without its bar and its warnings."""
    module = backtesting.backtesting
    bar = module._tqdm
    module._tqdm = lambda bars, **_: bars
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Backtest(data, strategy, **account).run(**parameters)
    finally:
        module._tqdm = bar


def check_agrees(
    data: pd.DataFrame,
    strategy: type[Strategy],
    parameters: Mapping[str, Any] | None = None,
    *,
    runner: StrategyRunner | None = None,
    **account: Any,
) -> BacktestRun:
    """Our run of a strategy is theirs, in everything."""
    expected = theirs(data, strategy, parameters or {}, **account)
    runner = runner or StrategyRunner(data, strategy, **account)
    run = runner.run(parameters or {})
    check_same_row(run.row(), statistics_row(expected))
    np.testing.assert_array_equal(run.equity, expected["_equity_curve"]["Equity"].to_numpy())
    check_same_stats(run.stats, expected)
    assert run.trades is run.stats["_trades"]
    return run


def check_same_row(ours: np.ndarray, expected: np.ndarray) -> None:
    if ADDS_AS_NUMPY:
        np.testing.assert_array_equal(ours, expected)
    else:
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


def check_same_stats(ours: pd.Series, expected: pd.Series) -> None:
    assert type(ours) is type(expected)
    assert ours.dtype == expected.dtype
    assert list(ours.index) == list(expected.index)
    for name, value in expected.items():
        mine = ours[name]
        assert type(mine) is type(value), name
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(mine, value, check_exact=True)
        elif isinstance(value, Strategy):
            assert str(mine) == str(value)
            assert [str(one.name) for one in mine._indicators] == [
                str(one.name) for one in value._indicators
            ]
            assert vars(mine).keys() == vars(value).keys()
        else:
            assert mine is value or mine == value or (pd.isna(mine) and pd.isna(value)), name


def made_bars(bars: int, seed: int, *, index: Any = None, level: float = 100.0) -> pd.DataFrame:
    """Bars that wander; daily unless another index is given."""
    rng = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(rng.normal(0, 0.02, bars)))
    open_ = close * np.exp(rng.normal(0, 0.01, bars))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.01, bars)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.01, bars)))
    if index is None:
        index = pd.date_range("2020-01-01", periods=bars, freq="D")
    return pd.DataFrame(
        {"Open": open_, "High": high, "Low": low, "Close": close, "Volume": 1.0}, index=index
    )


def rsi(close, n):
    moves = pd.Series(close).diff()
    up, down = moves.clip(lower=0).rolling(n).mean(), -moves.clip(upper=0).rolling(n).mean()
    return 100 - 100 / (1 + up / down)


def bands(close, n, width):
    middle = pd.Series(close).rolling(n)
    return np.column_stack(
        [middle.mean() - width * middle.std(), middle.mean() + width * middle.std()]
    )


class RsiBands(Strategy):
    """An indicator of one row, one of two, and stops."""

    n = 14
    bound = 30.0
    width = 2

    def init(self):
        self.rsi = self.I(rsi, self.data.Close.s, self.n, name="RSI {1}")
        self.bands = self.I(bands, self.data.Close, self.n, self.width, name=["low", "high"])

    def next(self):
        price = self.data.Close[-1]
        if not self.position and self.rsi[-1] < self.bound and price > self.bands[0, -1]:
            self.buy(size=0.5, sl=0.93 * price, tp=1.12 * price, tag="dip")
        elif self.rsi[-1] > 100 - self.bound or price > self.bands[1][-1]:
            self.position.close(0.5)


class Trailing(TrailingStrategy):
    n = 20
    n_atr = 3.0

    def init(self):
        super().init()
        self.set_trailing_sl(self.n_atr)
        self.sma = self.I(lambda: SMA(self.data.Close, self.n), name="average")

    def next(self):
        super().next()
        if not self.position:
            if crossover(self.data.Close, self.sma):
                self.buy()
            elif crossover(self.sma, self.data.Close):
                self.sell(size=0.3)


class Signalled(SignalStrategy):
    n = 15

    def init(self):
        super().init()
        above = self.data.Close > SMA(self.data.Close, self.n).to_numpy()
        turns = np.diff(above.astype(float), prepend=0.0)
        self.set_signal(turns * 0.9, -0.5 * (turns != 0))


class Resampled(Strategy):
    """Daily bars with weekly averages, and an array of its own that `next` indexes."""

    n = 4

    def init(self):
        self.weekly = resample_apply("W-FRI", SMA, self.data.Close, self.n)
        self.plain = np.asarray(self.data.Close) * 1.01
        self.several = [self.I(SMA, self.data.Close, n) for n in (3, 5)]

    def next(self):
        bar = len(self.data) - 1
        if self.plain[bar] > self.weekly[-1] and self.several[0][bar] > self.several[1][bar]:
            if not self.position:
                self.buy(size=5)
        elif self.position:
            self.position.close()


class Kinds(Strategy):
    """Parameters of every kind, columns made in `init`, and a `next` that changes."""

    level = 0.5
    both = True
    side = "long"
    stop = None

    def init(self):
        self.data.df["Middle"] = (self.data.High + self.data.Low) / 2
        self.held = 0

    def next(self):
        if self.data.Middle[-1] > self.data.Close[-1] and not self.position:
            size = self.level if self.level < 1 else int(self.level)
            sl = None if self.stop is None else self.data.Close[-1] * (1 - self.stop)
            if self.side == "long":
                self.buy(size=size, sl=sl)
            elif self.both:
                self.sell(size=size)
        elif self.position:
            self.held += 1
            if self.held > 5:
                self.position.close()
                self.held = 0
                if self.level == 0.25:
                    self.next = lambda: None


class AnyOrder(Strategy):
    """Orders of all kinds at random, the same for the same seed; at round prices, if asked."""

    seed = 0
    digits = 15

    def init(self):
        self.rng = random.Random(self.seed)
        self.average = self.I(SMA, self.data.Close, 1 + self.seed % 5)
        self.counted = self.I(lambda: np.arange(len(self.data)) * 1.0, scatter=True)
        self.log = []

    def next(self):
        rng, price = self.rng, self.data.Close[-1]
        self.log.append((self.equity, self.position.pl, self.position.size, len(self.orders)))
        try:
            if rng.random() < 0.25:
                self._order(rng, price)
            if self.trades and rng.random() < 0.2:
                self._manage(rng, price)
            if self.orders and rng.random() < 0.1:
                rng.choice(self.orders).cancel()
        except (ValueError, AssertionError):
            self.log.append("refused")

    def _order(self, rng, price):
        enter = self.buy if rng.random() < 0.5 else self.sell
        side = 1 if enter == self.buy else -1
        size = rng.choice([None, 0.1, 0.5, 0.99, 1, 7, 40])
        options = {} if size is None else {"size": size}
        near = price * (1 + rng.uniform(-0.03, 0.03))
        if rng.random() < 0.3:
            options["limit"] = round(near, self.digits)
        if rng.random() < 0.3:
            options["stop"] = round(price * (1 + rng.uniform(-0.03, 0.03)), self.digits)
        if rng.random() < 0.4:
            options["sl"] = round(near * (1 - side * rng.uniform(0.001, 0.08)), self.digits)
        if rng.random() < 0.4:
            options["tp"] = round(near * (1 + side * rng.uniform(0.001, 0.08)), self.digits)
        if rng.random() < 0.3:
            options["tag"] = rng.choice(["a", 1, None, (1, 2)])
        enter(**options)

    def _manage(self, rng, price):
        trade = rng.choice(self.trades)
        side = 1 if trade.is_long else -1
        what = rng.randrange(5)
        if what == 0:
            trade.close(rng.choice([0.1, 0.5, 1.0]))
        elif what == 1:
            self.position.close(rng.choice([0.3, 1.0]))
        elif what == 2:
            trade.sl = rng.choice([None, price * (1 - side * rng.uniform(0.001, 0.05))])
        elif what == 3:
            trade.tp = rng.choice([None, price * (1 + side * rng.uniform(0.001, 0.05))])
        else:
            trade.close(0.5)
            trade.close(0.5)
