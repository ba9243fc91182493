"""The rules of the strategy on bars made by hand, against answers worked out by hand."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import backtesting
import numpy as np
import pandas as pd
import pytest
from backtesting import Backtest
from hypothesis import HealthCheck, given, settings
from made_bars import Case, Recipe, cases, make_bars

from bigbar.engines.reference import run_quietly
from bigbar.space import Space
from bigbar.strategies.big_bar.indicators import first_trading_bar
from bigbar.strategies.big_bar.parameters import Parameters, Settings, longest_period
from bigbar.strategies.big_bar.strategy import BigBarAllIn, reference_backtest

Row = tuple[float, float, float, float]

QUIET: Row = (100, 101, 99, 100)
#: Three bars that lean upwards by half a point each, true range 2.
LEANING: list[Row] = [(100, 101, 99, 100.5)] * 3
#: Range 5, body 4, tail 0.5. Momentum (1 + 2 + 3)·0.5 / 4 = 0.75; ATR of three bars (2+2+5)/3 = 3.
BIG: Row = (100.5, 105, 100, 104.5)
BEFORE = [QUIET] * 5 + LEANING
#: Number of the big bar.
ENTRY = len(BEFORE)

GREEN: Row = (104.5, 106, 104, 105.5)
RED: Row = (104.5, 106, 104, 104.25)

PARAMETERS = {
    "atr_period": 3, "k_atr": 1.5, "uptail_max_ratio": 0.5, "previous_weight": 0.5,
    "buffer_ratio": 0.01, "week_edge_bars": 0,
}  # fmt: skip


def frame(rows: list[Row], start: str = "2024-01-01", zone: str | None = None) -> pd.DataFrame:
    """Hourly bars; the default start is a Monday."""
    index = pd.date_range(start, periods=len(rows), freq="h", tz=zone)
    return pd.DataFrame(rows, index, columns=["Open", "High", "Low", "Close"], dtype=float)


def mirrored(rows: list[Row]) -> list[Row]:
    """The same bars upside down: what was a long becomes a short."""
    return [(200 - o, 200 - low, 200 - high, 200 - c) for o, high, low, c in rows]


def run(
    bars: pd.DataFrame, *, account: dict[str, object] | None = None, **changed: float
) -> pd.Series:
    options = {"cash": 100_000, "trade_on_close": True, **(account or {})}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(backtesting.backtesting, "_tqdm", lambda bars, **_: bars)
        warnings.simplefilter("ignore")
        return Backtest(bars, BigBarAllIn, **options).run(**(PARAMETERS | changed))


def trips(rows: list[Row], **changed: float) -> list[tuple[int, int, int]]:
    """(direction, entry bar, exit bar) of each trade; held against the mirrored bars as well."""
    long = _trips(run(frame(rows), **changed))
    short = _trips(run(frame(mirrored(rows)), **changed))
    assert short == [(-side, entry, leave) for side, entry, leave in long]
    return long


def _trips(stats: pd.Series) -> list[tuple[int, int, int]]:
    trades = stats["_trades"]
    bars = zip(np.sign(trades["Size"]), trades["EntryBar"], trades["ExitBar"], strict=True)
    return [(int(side), int(entry), int(leave)) for side, entry, leave in bars]


#: After the exit, so that every order is filled.
AFTER = [(104, 104.5, 103.5, 104.0)] * 3
ONE_TRADE = [(1, ENTRY, ENTRY + 1)]


def entered(**changed: float) -> bool:
    found = trips([*BEFORE, BIG, RED, *AFTER], **changed)
    assert found in ([], ONE_TRADE)
    return bool(found)


# Entering.


def test_fill_at_the_close_with_all_the_money() -> None:
    trade = run(frame([*BEFORE, BIG, RED, *AFTER]))["_trades"].iloc[0]
    assert (trade["EntryPrice"], trade["ExitPrice"]) == (104.5, 104.25)
    assert trade["Size"] == 956  # int(100,000 / 104.5)
    assert trade["PnL"] == pytest.approx(-0.25 * 956)


def test_range_in_atrs() -> None:
    assert entered(k_atr=5 / 3)  # 5 >= 5/3 · 3
    assert not entered(k_atr=np.nextafter(5 / 3, 2))


def test_momentum_may_equal_the_threshold() -> None:
    assert entered(previous_weight=0.75)
    assert not entered(previous_weight=np.nextafter(0.75, 1))


def test_momentum_against_the_bar_keeps_out() -> None:
    falling = [(100.0, 101.0, 99.0, 99.5)] * 3
    rows = [*[QUIET] * 5, *falling, BIG, RED, *AFTER]
    assert trips(rows, previous_weight=0.1) == []
    assert trips(rows, previous_weight=0.0) == []
    assert trips(rows, previous_weight=-0.75) == ONE_TRADE


def test_the_bar_before_weighs_most() -> None:
    # (1·0 + 2·0 + 3·1) / 4 = 0.75 against (1·1 + 2·0 + 3·0) / 4 = 0.25
    moved, still = (99.5, 101.0, 99.0, 100.5), (100.0, 101.0, 99.0, 100.0)
    late = [*[QUIET] * 5, still, still, moved, BIG, RED, *AFTER]
    early = [*[QUIET] * 5, moved, still, still, BIG, RED, *AFTER]
    assert trips(late, previous_weight=0.75) == ONE_TRADE
    assert trips(early, previous_weight=0.25) == ONE_TRADE
    assert trips(early, previous_weight=0.26) == []


def test_tail_must_be_less_than_its_share() -> None:
    assert not entered(uptail_max_ratio=0.1)  # 0.5 < 0.1 · 5 is false.
    assert entered(uptail_max_ratio=0.11)


def test_no_body_no_trade() -> None:
    doji = (104.5, 105.0, 100.0, 104.5)
    rows = [*BEFORE, doji, RED, *AFTER]
    assert trips(rows, previous_weight=-9.0, k_atr=0.5) != ONE_TRADE
    assert all(entry != ENTRY for _, entry, _ in trips(rows, previous_weight=-9.0, k_atr=0.5))


def test_price_above_the_cash_is_no_trade() -> None:
    assert run(frame([*BEFORE, BIG, RED, *AFTER]), account={"cash": 104.0})["# Trades"] == 0
    assert run(frame([*BEFORE, BIG, RED, *AFTER]), account={"cash": 104.5})["# Trades"] == 1


def test_next_entry_on_the_bar_after_the_exit() -> None:
    # The exit bar is big itself; the bar after it is another candidate.
    leave = (104.5, 105.0, 104.0, 104.75)
    again = (104.75, 109.5, 104.5, 109.0)
    rows = [*BEFORE, BIG, leave, again, (109.0, 109.5, 108.0, 108.5), *AFTER]
    found = trips(rows, k_atr=1.2, previous_weight=0.1)
    assert found[:2] == [(1, ENTRY, ENTRY + 1), (1, ENTRY + 2, ENTRY + 3)]


# Leaving.


@pytest.mark.parametrize(
    ("bar", "stays"),
    [
        (GREEN, True),
        ((104.5, 106.0, 104.0, 104.25), False),  # Red.
        ((104.5, 106.0, 104.0, 104.5), False),  # No body.
        ((104.5, 105.0, 104.0, 104.75), False),  # High no higher than the entry bar's.
        ((104.5, 105.25, 90.0, 104.75), True),  # A low below the stop is for later bars.
    ],
)
def test_first_bar_after_the_entry(bar: Row, stays: bool) -> None:
    second = (105.0, 106.0, 80.0, 105.0)
    found = trips([*BEFORE, BIG, bar, second, *AFTER])
    assert found[0] == (1, ENTRY, ENTRY + (2 if stays else 1))


def test_second_bar_leaves_at_a_low_not_above_the_one_before() -> None:
    def low_of_second(low: float) -> int:
        second, third = (105.5, 106.0, low, 105.0), (105.0, 106.0, 90.0, 104.0)
        return trips([*BEFORE, BIG, GREEN, second, third, *AFTER])[0][2] - ENTRY

    assert low_of_second(104.0) == 2
    assert low_of_second(104.01) == 3


def test_stop_trails_the_lower_of_two_lows() -> None:
    lows = [104.5, 104.75, 105.0, 105.25, 105.25, 105.5]
    climb = [(105.5, 107.0, low, 106.0) for low in lows]
    # Each low is above the one before, until two are equal.
    assert trips([*BEFORE, BIG, GREEN, *climb, *AFTER])[0] == (1, ENTRY, ENTRY + 6)


def test_the_buffer_makes_room_under_the_first_stop() -> None:
    second, third = (105.5, 106.0, 104.5, 105.0), (105.0, 106.0, 90.0, 104.0)
    rows = [*BEFORE, BIG, GREEN, second, third, *AFTER]
    # The first bar's low is 104; its stop is 104 - buffer · 5, and the second bar's low 104.5.
    assert trips(rows, buffer_ratio=-0.09)[0][2] == ENTRY + 3
    assert trips(rows, buffer_ratio=-0.1)[0][2] == ENTRY + 2
    assert trips(rows, buffer_ratio=0.5)[0][2] == ENTRY + 3


def test_open_at_the_end_is_no_closed_trade() -> None:
    stats = run(frame([*BEFORE, BIG, GREEN]))
    assert stats["# Trades"] == 0
    assert stats["Return [%]"] == pytest.approx(956 / 100_000 * 100)
    # An order at the last close is never filled.
    assert run(frame([*BEFORE, BIG]))["Return [%]"] == 0
    assert run(frame([*BEFORE, BIG, RED]))["# Trades"] == 0
    assert run(frame([*BEFORE, BIG, RED, *AFTER]))["# Trades"] == 1


# Week edges: Sunday 00:00 UTC to the next.


def trips_around_week_end(
    bars_before_edge: int, edge: int, zone: str | None = None
) -> list[object]:
    """The one-trade bars, with so many of them before Sunday 00:00 UTC."""
    climb = [(105.0 + i, 107.0 + i, 104.5 + i, 106.0 + i) for i in range(6)]
    rows = [*BEFORE, BIG, GREEN, *climb, (100.0, 101.0, 90.0, 95.0), *AFTER]
    start = pd.Timestamp("2024-01-07") - pd.Timedelta(hours=bars_before_edge)
    bars = frame(rows, str(start), "UTC")
    bars = bars.tz_convert(zone) if zone else bars.tz_localize(None)
    return _trips(run(bars, week_edge_bars=edge))


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "Asia/Kolkata"])
def test_a_position_is_closed_on_a_restricted_bar(zone: str | None) -> None:
    assert trips_around_week_end(ENTRY + 4, 0, zone)[0] == (1, ENTRY, ENTRY + 8)
    # Bars ENTRY + 2 and ENTRY + 3 are the last two of their week.
    assert trips_around_week_end(ENTRY + 4, 2, zone)[0] == (1, ENTRY, ENTRY + 2)
    assert trips_around_week_end(ENTRY + 4, 1, zone)[0] == (1, ENTRY, ENTRY + 3)


def test_no_entry_on_a_restricted_bar() -> None:
    assert trips_around_week_end(ENTRY + 1, 1) == []  # The big bar is the week's last.
    assert trips_around_week_end(ENTRY, 1) == []  # The big bar is the week's first.
    assert trips_around_week_end(ENTRY + 2, 1)[0] == (1, ENTRY, ENTRY + 1)


def test_sunday_evening_opens_the_week_and_friday_closes_it() -> None:
    """The session that an ISO week would cut: Friday's last bar is guarded, Monday's first not."""
    hours = pd.date_range("2024-01-07 22:00", "2024-01-19 21:00", freq="h")
    open_ = hours[(hours.day_of_week < 4) | ((hours.day_of_week == 4) & (hours.hour < 22))
                  | ((hours.day_of_week == 6) & (hours.hour >= 22))]  # fmt: skip
    bars = frame([QUIET] * len(open_)).set_axis(open_, axis=0)
    stats = run(bars, week_edge_bars=2)
    restricted = np.asarray(stats["_strategy"].restricted, bool)
    assert list(open_[restricted]) == [
        pd.Timestamp(text)
        for text in (
            "2024-01-07 22:00", "2024-01-07 23:00", "2024-01-12 20:00", "2024-01-12 21:00",
            "2024-01-14 22:00", "2024-01-14 23:00", "2024-01-19 20:00", "2024-01-19 21:00",
        )
    ]  # fmt: skip


# Size.


@pytest.mark.parametrize("commission", [0.0, 0.001, 0.05, -0.001, (10.0, 0.001), (99.0, 0.0)])
@pytest.mark.parametrize("spread", [0.0, 0.0005, 0.01])
@pytest.mark.parametrize("margin", [1.0, 0.3, 1 / 30])
@pytest.mark.parametrize("cash", [100_000.0, 1_045.0, 104.5])
def test_size_is_the_most_that_equity_and_leverage_carry(
    commission: float | tuple[float, float], spread: float, margin: float, cash: float
) -> None:
    fixed, relative = commission if isinstance(commission, tuple) else (0.0, commission)
    account = {"cash": cash, "commission": commission, "spread": spread, "margin": margin}
    for rows, side in (
        ([*BEFORE, BIG, RED, *AFTER], 1),
        (mirrored([*BEFORE, BIG, RED, *AFTER]), -1),
    ):
        close = rows[ENTRY][3]
        fill = close * (1 + side * spread)

        def carried(units: int, fill: float = fill, close: float = close) -> bool:
            return units * fill + fixed + units * close * relative <= cash / margin

        trades = run(frame(rows), account=account)["_trades"]
        units = abs(int(trades["Size"].iloc[0])) if len(trades) else 0
        assert units == 0 or carried(units)
        assert not carried(units + 1)
        if units:
            assert trades["EntryPrice"].iloc[0] == fill


@pytest.mark.slow
@settings(
    max_examples=25, derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(cases(most_bars=180))
def test_the_broker_never_cancels_an_order(case: Case) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for parameters in _spread(case.grid):
            first_bar = first_trading_bar(longest_period(case.grid))
            test = reference_backtest(make_bars(case.recipe), first_bar, case.settings)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(backtesting.backtesting, "_tqdm", lambda bars, **_: bars)
                test.run(**parameters)
    assert not [one for one in caught if "canceled" in str(one.message)]


def _spread(grid: Space) -> Iterator[dict[str, Any]]:
    yield from (grid[number] for number in sorted({0, len(grid) // 2, len(grid) - 1}))


# Stand-alone, and as the optimizer prepares it.


@pytest.mark.parametrize("period", [2, 3, 10])
def test_stand_alone_warms_up_on_its_own_bars(period: int) -> None:
    bars = make_bars(Recipe(seed=4, bars=300))
    parameters = vars(Parameters(atr_period=period, k_atr=0.7, previous_weight=0.0))
    alone = run(bars, **parameters, week_edge_bars=1)["_trades"]
    first_bar = first_trading_bar(period)
    prepared = run_quietly(
        reference_backtest(bars, first_bar, Settings(week_edge_bars=1)), parameters
    )
    assert len(alone) >= 5
    columns = ["Size", "EntryPrice", "ExitPrice", "PnL", "ReturnPct", "EntryTime", "ExitTime"]
    pd.testing.assert_frame_equal(alone[columns], prepared["_trades"][columns])
    assert (alone["EntryBar"] - prepared["_trades"]["EntryBar"] == first_bar).all()


def test_stand_alone_needs_no_volume_and_no_settings() -> None:
    bars = make_bars(Recipe(seed=4, bars=300)).drop(columns="Volume")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats = run_quietly(Backtest(bars, BigBarAllIn, trade_on_close=True), vars(Parameters()))
    strategy = stats["_strategy"]
    assert asdict(Parameters()) == {name: getattr(strategy, name) for name in asdict(Parameters())}
    assert strategy.week_edge_bars == Settings().week_edge_bars == 6


def test_backtest_optimize(monkeypatch: pytest.MonkeyPatch) -> None:
    """`backtesting.py`'s own optimizer runs the strategy, its parameters as class attributes."""
    monkeypatch.setattr(backtesting, "Pool", multiprocessing.get_context("fork").Pool)
    bars = make_bars(Recipe(seed=4, bars=250))
    axes = {"k_atr": [0.7, 1.5], "previous_weight": [0.0, 0.3]}
    fixed = {"atr_period": 3, "week_edge_bars": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best, heatmap = Backtest(bars, BigBarAllIn, trade_on_close=True, cash=100_000).optimize(
            **axes, **fixed, maximize="Return [%]", return_heatmap=True
        )
    assert heatmap.index.names[:2] == ["k_atr", "previous_weight"]
    expected = {
        (k, w): run(
            bars,
            **(asdict(Parameters()) | fixed | {"k_atr": k, "previous_weight": w}),
        )["Return [%]"]
        for k in axes["k_atr"]
        for w in axes["previous_weight"]
    }
    assert {key[:2]: value for key, value in heatmap.items()} == expected
    assert len(set(expected.values())) > 1
    assert best["Return [%]"] == max(expected.values())


def test_two_backtests_on_different_files_do_not_share_state() -> None:
    parameters = vars(Parameters(atr_period=3, k_atr=0.7, previous_weight=0.0))
    files = [make_bars(Recipe(seed=seed, bars=200)) for seed in (1, 2)]

    def test(file: pd.DataFrame) -> Backtest:
        return reference_backtest(file, 3, Settings(week_edge_bars=1))

    together = [run_quietly(one, parameters) for one in [test(file) for file in files]]
    alone = [run_quietly(test(file), parameters) for file in files]
    returns = [stats["Return [%]"] for stats in together]
    assert returns == [stats["Return [%]"] for stats in alone]
    assert returns[0] != returns[1]


def test_run_quietly_puts_the_bar_back(capsys: pytest.CaptureFixture[str]) -> None:
    bar = backtesting.backtesting._tqdm
    test = reference_backtest(make_bars(Recipe()), 3, Settings())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_quietly(test, vars(Parameters(atr_period=3)))
    with pytest.raises(AttributeError, match="nonsense"):
        run_quietly(test, vars(Parameters()) | {"nonsense": 1})
    assert backtesting.backtesting._tqdm is bar
    assert capsys.readouterr() == ("", "")
