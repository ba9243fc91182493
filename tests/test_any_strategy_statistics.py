"""Rows of statistics without pandas: the numbers of `compute_stats`, for curves of any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from any_strategies import check_same_row, made_bars, of_known_versions
from backtesting._stats import compute_stats
from backtesting._util import _Data
from backtesting.backtesting import Trade, _Broker

from bigbar.engines.any_strategy.statistics import StatisticsMaker, statistics_row
from bigbar.statistics import COLUMN, NAMES

pytestmark = of_known_versions

DAYS = pd.date_range("2021-03-01", periods=90, freq="D")


def broker_of(prices: pd.DataFrame) -> _Broker:
    return _Broker(
        data=_Data(prices), cash=100, spread=0, commission=0, margin=1, trade_on_close=False,
        hedging=False, exclusive_orders=False, index=prices.index,
    )  # fmt: skip


def closed(broker: _Broker, entry: int, exit_: int, prices: tuple, size: int = 1, paid: Any = 0):
    trade = Trade(broker, size, prices[0], entry, None)
    trade._replace(exit_price=prices[1], exit_bar=exit_)
    trade._commissions = paid
    return trade


def check(prices, equity, trades=(), *, plain=True):
    equity = np.asarray(equity, np.float64)
    with np.errstate(all="ignore"):
        expected = statistics_row(compute_stats(list(trades), equity, prices, None))
    row = StatisticsMaker(prices).row(list(trades), equity, 0)
    assert (row is not None) == plain
    if row is not None:
        check_same_row(row, expected)
    return expected


CURVES = {
    "flat": np.full(90, 100.0),
    "rising": np.linspace(100, 200, 90),
    "falling": np.linspace(200, 100, 90),
    "lost on the last bar": np.r_[np.full(89, 100.0), 90.0],
    "lost on a bar": np.r_[np.full(40, 100.0), 90.0, np.full(49, 100.0)],
    "lost and not regained": np.r_[np.full(40, 100.0), np.full(50, 90.0)],
    "regained on the last bar": np.r_[np.full(40, 100.0), np.full(49, 90.0), 100.0],
    "ruined": np.r_[np.linspace(100, 1, 50), np.zeros(40)],
    "ruined at once": np.r_[100.0, np.zeros(89)],
    "tiny": np.linspace(1, 1.1, 90) * 1e-200,
    "huge": np.linspace(1, 1.1, 90) * 1e200,
    "wild": np.exp(np.random.default_rng(1).normal(0, 3, 90)),
}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_equity_of_any_shape(curve):
    check(made_bars(90, 1, index=DAYS), curve)
    check(made_bars(90, 1, index=pd.RangeIndex(90)), curve)
    check(made_bars(90, 1, index=DAYS.tz_localize("Europe/Berlin").as_unit("ns")), curve)
    check(made_bars(90, 1, index=pd.date_range("2021", periods=90, freq="11min")), curve)


@pytest.mark.parametrize("bars", [1, 2, 3, 4])
def test_few_bars(bars):
    prices = made_bars(bars, 1)
    for equity in (np.full(bars, 7.0), np.linspace(7, 8, bars), np.linspace(8, 7, bars)):
        check(prices, equity)
        broker = broker_of(prices)
        check(prices, equity, [closed(broker, 0, bars - 1, (1.0, 2.0))])


def test_what_is_out_of_the_ordinary_is_left_to_theirs():
    prices = made_bars(90, 1)
    for equity in (np.r_[np.full(89, 1.0), np.nan], np.r_[1.0, np.inf, np.full(88, 1.0)]):
        check(prices, equity, plain=False)
    trade = closed(broker_of(prices), 1, 5, (1.0, np.inf))
    check(prices, np.full(90, 1.0), [trade], plain=False)
    twice = made_bars(90, 1, index=DAYS[:45].repeat(2))
    check(twice, np.linspace(1, 2, 90), plain=False)
    wide = made_bars(90, 1).astype({"Close": object})
    assert StatisticsMaker(wide).row([], np.full(90, 1.0), 0) is None


@pytest.mark.parametrize("index", [DAYS, DAYS.as_unit("s"), pd.RangeIndex(90)], ids=str)
def test_trades_of_any_kind(index):
    prices = made_bars(90, 3, index=index)
    broker = broker_of(prices)
    rng = np.random.default_rng(5)
    for count in (1, 2, 3, 40):
        trades = []
        for _ in range(count):
            entry = int(rng.integers(0, 80))
            size = int(rng.choice([-3, -1, 1, 2]))
            paid = float(rng.choice([0.0, 1.5, -0.2]))
            at = (float(rng.uniform(1, 9)), float(rng.uniform(1, 9)))
            trades.append(closed(broker, entry, entry + int(rng.integers(0, 10)), at, size, paid))
        check(prices, np.linspace(100, 130, 90), trades)
        check(prices, np.linspace(100, 130, 90), [one for one in trades if one.pl > 0])
        check(prices, np.linspace(100, 130, 90), [one for one in trades if one.pl < 0])
    # An exit before the entry: a stop and a market order of one bar, with trade_on_close.
    check(prices, np.full(90, 100.0), [closed(broker, 9, 8, (2.0, 3.0))])
    check(prices, np.full(90, 100.0), [closed(broker, 3, 8, (2.0, 0.0))])
    check(prices, np.full(90, 100.0), [closed(broker, 3, 8, (2.0, -3.0))])


def test_a_column_that_is_left_out():
    """Bars that are not by time have no annual growth, trades without costs no commissions."""
    row = check(made_bars(90, 1, index=pd.RangeIndex(90)), np.linspace(1, 2, 90))
    assert len(row) == len(NAMES)
    assert np.isnan(row[COLUMN["CAGR [%]"]])
    assert np.isnan(row[COLUMN["Duration"]])
    assert row[COLUMN["Commissions [$]"]] == 0
