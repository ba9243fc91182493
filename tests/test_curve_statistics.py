"""Rows of statistics from segments of equity: those of `StatisticsMaker`, which are theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from any_strategies import ADDS_AS_NUMPY, made_bars, of_known_versions
from backtesting import Backtest
from backtesting.test import EURUSD
from monkeys import (
    ACT,
    FIELDS,
    HANDS,
    LIMIT,
    ORDER,
    SIDE,
    SIZE,
    TP,
    Errand,
    Player,
    calm_errand,
    compiled_monkey,
    errand,
    without_statistics,
)

from bigbar.account import Account
from bigbar.calendar import calendar_of
from bigbar.compiled.broker.state import NCL, TCLOSED, TEBAR, TEXIT, TICOLUMNS, TXBAR
from bigbar.compiled.curve_statistics import curve_row, exposed_bars, is_exact, new_buffers
from bigbar.compiled.jit import compiled_entry
from bigbar.engines.any_strategy.curves import curves_of
from bigbar.engines.any_strategy.statistics import StatisticsMaker
from bigbar.statistics import COLUMN, NAMES

pytestmark = of_known_versions

Floats = np.ndarray[Any, np.dtype[np.float64]]

#: What is added in another order, or made of logarithms; the rest has the same bits.
ROUNDED = (
    "Return (Ann.) [%]", "Volatility (Ann.) [%]", "Sharpe Ratio", "Sortino Ratio", "Calmar Ratio",
    "Alpha [%]", "Beta", "Avg. Drawdown [%]", "Avg. Trade [%]",
)  # fmt: skip

#: Equity is rounded, and so are its logarithms; the market's moves are no smaller than 1e-4.
BETAS_ROUNDING = 1e-12

INDEXES = {
    "days": lambda bars: pd.date_range("2021-03-01", periods=bars, freq="D"),
    "seconds' unit": lambda bars: pd.date_range("2021", periods=bars, freq="11min").as_unit("s"),
    "minutes": lambda bars: pd.date_range("2021", periods=bars, freq="97min", tz="Europe/Berlin"),
    "odd seconds": lambda bars: pd.to_datetime(np.arange(bars) ** 2 * 7 + 3, unit="s"),
    "weekdays": lambda bars: pd.date_range("1999-12-27", periods=bars, freq="B"),
    "weeks": lambda bars: pd.date_range("1999-12-27", periods=bars, freq="W"),
    "months": lambda bars: pd.date_range("1999-12-27", periods=bars, freq="MS"),
    "years": lambda bars: pd.date_range("1850", periods=bars, freq="YS").as_unit("s"),
    "numbers": lambda bars: pd.RangeIndex(bars),
}


@compiled_entry
def count_up(  # type: ignore[no-untyped-def]
    out, returns, n, T, Ti, segments, market, constants, clocks, first_bar, buffers
):  # fmt: skip
    """`curve_row`, which is made part of what calls it, from Python."""
    return curve_row(
        out, returns, n, T, Ti, segments, market, constants, clocks, first_bar, buffers
    )


def row_of(player: Player, data: pd.DataFrame, first_bar: int = 0) -> tuple[Floats, Any] | None:
    """The row and the returns of what a player has played."""
    curves = curves_of(data)
    assert curves is not None
    _, n, T, Ti = player.state
    days = len(curves.market.ends)
    row, returns = np.zeros(len(NAMES)), np.zeros(days - 1, np.float32)
    plain = count_up(
        row, returns, n, T, Ti, player.segments, *curves, first_bar,
        new_buffers(len(data), days, len(T)),
    )  # fmt: skip
    return (row, returns) if plain else None


def check(one: Errand, data: pd.DataFrame, first_bar: int) -> Floats | None:
    """The row is that of `StatisticsMaker`; None where nothing could be played."""
    with without_statistics():
        try:
            given: Any = Backtest(data, one.strategy, **one.account.options).run()
        except (AssertionError, ValueError):
            return None
    equity = np.asarray(given["equity"], np.float64)
    expected = StatisticsMaker(data).row(given["trades"], equity, first_bar)
    assert expected is not None
    player = Player(data)
    player.play(compiled_monkey(), one.account, one.script)
    found = row_of(player, data, first_bar)
    assert found is not None
    row, returns = found
    calendar = calendar_of(data.index)  # type: ignore[arg-type]
    check_row(row, expected, calendar.annual_periods)
    days = calendar.returns(equity)
    np.testing.assert_array_equal(returns, np.nan_to_num(days.astype(np.float32)))
    return row


def check_row(row: Floats, expected: Floats, annual_days: float) -> None:
    slack = what_rounding_leaves_open(expected, annual_days)
    for name, column in COLUMN.items():
        mine, theirs = row[column], expected[column]
        if name not in ROUNDED and ADDS_AS_NUMPY:
            assert mine == theirs or np.isnan([mine, theirs]).all(), name
            continue
        allowed = max(1e-9, slack.get(name, 0.0))
        least = BETAS_ROUNDING if name == "Beta" else 1e-300
        assert mine == pytest.approx(theirs, rel=allowed, abs=least, nan_ok=True), name


def what_rounding_leaves_open(expected: Floats, annual_days: float) -> dict[str, float]:
    """Relative errors of what is a small difference of larger numbers."""
    value = {name: expected[column] for name, column in COLUMN.items()}
    with np.errstate(all="ignore"):
        # One plus the mean return is rounded, and taken to the power of the days in a year.
        growth = 1.0 + value["Return (Ann.) [%]"] / 100.0
        of_power = 4.0 * np.finfo(float).eps * annual_days
        annual = of_power * growth / abs(growth - 1.0)
        volatility = of_power * growth**2 / (value["Volatility (Ann.) [%]"] / 100.0) ** 2
        held = abs((abs(value["Beta"]) + BETAS_ROUNDING) * value["Buy & Hold Return [%]"])
        alpha = 1e-9 * (1.0 + held / abs(value["Alpha [%]"]))
    slack = dict.fromkeys(("Return (Ann.) [%]", "Sortino Ratio", "Calmar Ratio"), annual)
    slack |= {"Volatility (Ann.) [%]": volatility, "Sharpe Ratio": annual + volatility}
    return {name: float(np.nan_to_num(one)) for name, one in (slack | {"Alpha [%]": alpha}).items()}


@pytest.mark.slow
def test_a_monkeys_rows():
    made = [check(one, one.data, seed % 2) for seed in range(150) for one in [errand(seed)]]
    rows = np.array([row for row in made if row is not None])
    assert len(rows) > 130
    assert (rows[:, COLUMN["Equity Final [$]"]] == 0).sum() > 10, "ruined"
    assert np.isnan(rows[:, COLUMN["Beta"]]).any()
    assert (rows[:, COLUMN["# Trades"]] > 20).any()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_rows(pytestconfig):
    first = 100_000 * pytestconfig.getoption("--soak-seed")
    kinds = list(INDEXES.values())
    for seed in range(first, first + 5_000):
        one = errand(seed)
        data = one.data.set_axis(kinds[seed % len(kinds)](len(one.data)))
        check(one, data, seed % len(data))


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_bars_of_any_times(index):
    for seed in range(200, 212):
        one = errand(seed)
        check(one, one.data.set_axis(index(len(one.data))), 1)


@pytest.mark.parametrize("factor", [1e-5, 1e-3, 1 / 20, 20.0, 1e3])
def test_prices_that_are_of_another_size_later(factor):
    """A split that is not adjusted, or a coin that is worth nothing any more; calm after that."""
    counted = 0
    for seed in range(40):
        one = calm_errand(seed)
        script, bars = one.script.copy(), one.script.shape[1]
        data = EURUSD.iloc[50 * seed : 50 * seed + bars].copy()
        data.iloc[bars // 3 :, :4] *= factor
        for hand in range(HANDS):
            script[hand * FIELDS + LIMIT : hand * FIELDS + TP + 1] = 0.0
            script[hand * FIELDS + SIZE] = 0.5
        row = check(Errand(data, replace(one.account, margin=1.0), script), data, 0)
        counted += row is not None and bool(row[COLUMN["Equity Final [$]"]] > 0)
    assert counted > 10


@pytest.mark.parametrize("bars", [1, 2, 3])
def test_few_bars(bars):
    for index in (INDEXES["days"], INDEXES["numbers"]):
        data = made_bars(bars, 1, index=index(bars))
        script = errand(3).script[:, :bars]
        row = check(Errand(data, Account(), np.ascontiguousarray(script)), data, 0)
        assert row is not None
        assert row[COLUMN["# Trades"]] == 0


@pytest.mark.parametrize("margin", [1.0, 0.01])
def test_a_single_bar_to_trade_on(margin):
    """Where trades are finalized on it, equity is another one from the very first bar on."""
    changed = out_of_the_ordinary = 0
    for seed in range(60):
        data = made_bars(2, seed, level=10.0)
        script = np.zeros_like(errand(3).script[:, :2])
        script[[ACT, SIDE, SIZE], 1] = ORDER, 1.0, 0.9
        one = Errand(data, Account(finalize_trades=True, margin=margin), script)
        player = Player(data)
        player.play(compiled_monkey(), one.account, one.script)
        if row_of(player, data) is None:
            assert player.segments[0, 1] == 0
            out_of_the_ordinary += 1
        else:
            check(one, data, 0)
            changed += player.segments[0, 2] != 0
    assert changed > 10
    assert (out_of_the_ordinary > 0) == (margin < 1.0)


def test_what_is_out_of_the_ordinary_is_left_to_others():
    one = errand(4)
    player = Player(one.data)
    player.play(compiled_monkey(), one.account, one.script)
    assert row_of(player, one.data) is not None
    # Nanoseconds by the year: their sum is another one in another order.
    odd = pd.date_range("1990", periods=len(one.data), freq="80D").as_unit("ns")
    odd = odd + pd.to_timedelta(np.arange(len(odd)) * 3, unit="ns")
    assert row_of(player, one.data.set_axis(odd)) is None
    state = player.state
    state.T[state.Ti[state.n[NCL] - 1, TCLOSED], TEXIT] = np.inf
    assert row_of(player, one.data) is None
    player.segments[0, 1] = np.inf
    assert row_of(player, one.data) is None
    assert curves_of(one.data.astype({"Close": object})) is None
    assert curves_of(one.data.set_axis(one.data.index[:1].repeat(len(one.data)))) is None


def test_sums_that_are_the_same_in_any_order():
    assert is_exact.py_func(0.0, np.int64(0))
    assert is_exact.py_func(2.0**53, np.int64(1))
    assert not is_exact.py_func(2.0**53 + 2, np.int64(1))
    assert is_exact.py_func(2.0**53 + 2, np.int64(6))
    assert is_exact.py_func(2.0**53 + 2, np.int64(-6))


def test_exposed_bars_whatever_the_order():
    rng = np.random.default_rng(2)
    for bars in (5, 40):
        for _ in range(400):
            count = int(rng.integers(0, 7))
            Ti = np.zeros((10, TICOLUMNS), np.int64)
            chosen = rng.permutation(10)[:count]
            Ti[:count, TCLOSED] = chosen
            Ti[chosen, TEBAR] = rng.integers(0, bars, count)
            Ti[chosen, TXBAR] = np.minimum(
                Ti[chosen, TEBAR] + rng.integers(-1, bars, count), bars - 1
            )
            if rng.random() < 0.7:  # The usual order.
                Ti[:count, TCLOSED] = chosen[np.argsort(Ti[chosen, TXBAR])]
            expected = {bar for t in chosen for bar in range(Ti[t, TEBAR], Ti[t, TXBAR] + 1)}
            held = rng.random(bars) < 0.5
            assert exposed_bars.py_func(Ti, count, held) == len(expected)
