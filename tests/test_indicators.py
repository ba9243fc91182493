"""Indicators against TA-Lib and against plain Python written from the strategy's page."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from backtesting.test import EURUSD
from hypothesis import given, settings
from hypothesis import strategies as st

from bigbar.calendar import utc_nanoseconds
from bigbar.errors import DataError
from bigbar.strategies.big_bar.description import check_enough_bars
from bigbar.strategies.big_bar.indicators import (
    average_true_range,
    first_trading_bar,
    momentum,
    restricted_bars,
    true_range,
    with_indicators,
)

PRICES = tuple(EURUSD[name].to_numpy(np.float64) for name in ("Open", "High", "Low", "Close"))
SUNDAY = datetime(2024, 1, 7, tzinfo=UTC)


def walk(seed: int, bars: int = 300) -> tuple[np.ndarray, ...]:
    """Open, high, low, close of a random walk with gaps."""
    random = np.random.default_rng(seed)
    close = 100 + np.cumsum(random.normal(size=bars))
    open_ = close + random.normal(size=bars)
    high = np.maximum(open_, close) + random.random(bars)
    low = np.minimum(open_, close) - random.random(bars)
    return open_, high, low, close


BARS = {"EUR/USD": PRICES, "walk": walk(1), "other walk": walk(2)}


# ------------------------------------------------------------------------------ ATR, true range


@pytest.mark.parametrize("bars", BARS)
def test_true_range_is_talibs(bars):
    talib = pytest.importorskip("talib", reason="needs TA-Lib: pip install -r requirements-dev.txt")
    _, high, low, close = BARS[bars]
    np.testing.assert_allclose(
        true_range(high, low, close), talib.TRANGE(high, low, close), rtol=1e-12
    )


@pytest.mark.parametrize("bars", BARS)
@pytest.mark.parametrize("period", [1, 2, 3, 10, 14, 20, 99, 100, 298, 299])
def test_atr_is_talibs(bars, period):
    talib = pytest.importorskip("talib", reason="needs TA-Lib: pip install -r requirements-dev.txt")
    _, high, low, close = BARS[bars]
    ours = average_true_range(true_range(high, low, close), period)
    theirs = talib.ATR(high, low, close, timeperiod=period)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert np.flatnonzero(~np.isnan(ours))[0] == period


@pytest.mark.parametrize("bars", [1, 2, 5])
def test_atr_of_too_few_bars_is_undefined(bars):
    _, high, low, close = walk(3, bars)
    assert np.isnan(average_true_range(true_range(high, low, close), 5)).all()


# ------------------------------------------------------------------------------------- momentum


def plain_momentum(open_: list[float], close: list[float]) -> list[float]:
    found = []
    for i in range(len(close)):
        moves = [c - o for o, c in zip(open_[i - 3 : i], close[i - 3 : i], strict=True)]
        body = abs(close[i] - open_[i])
        if i < 3:
            found.append(float("nan"))
        elif body == 0:
            found.append(0.0)
        else:
            found.append((1 * moves[0] + 2 * moves[1] + 3 * moves[2]) / body)
    return found


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), max_size=30))
def test_momentum_is_the_pages(bars):
    open_, close = [o / 10 for o, _ in bars], [c / 10 for _, c in bars]
    np.testing.assert_allclose(
        momentum(np.array(open_), np.array(close)), plain_momentum(open_, close), rtol=1e-12
    )


def test_momentum_without_a_body_is_zero():
    open_, close = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 3.0, 4.0, 4.0])
    assert momentum(open_, close)[3] == 0.0


# --------------------------------------------------------------------------------- week edges


def plain_restricted(moments: list[datetime], edge: int) -> list[bool]:
    """Sunday 00:00 UTC to the next; weekday() counts from Monday."""
    weeks: dict[object, list[int]] = {}
    for i, moment in enumerate(moments):
        day = moment.astimezone(UTC).date()
        sunday = day - timedelta(days=(day.weekday() + 1) % 7)
        weeks.setdefault(sunday, []).append(i)
    edges = set()
    for bars in weeks.values():
        edges.update(bars[:edge])
        edges.update(bars[len(bars) - edge :] if edge < len(bars) else bars)
    return [i in edges and edge > 0 for i in range(len(moments))]


def check_restricted(index: pd.DatetimeIndex, edge: int) -> np.ndarray:
    found = restricted_bars(index, edge)
    aware = index if index.tz is not None else index.tz_localize("UTC")
    assert found.tolist() == plain_restricted(list(aware.to_pydatetime()), edge)
    return found


ZONES = [None, "UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", ["2024-03-01", "2024-10-20", "2023-12-20", "1969-12-20"])
@pytest.mark.parametrize("edge", [0, 1, 6])
def test_weeks_across_clock_changes_and_year_ends(zone, start, edge):
    index = pd.date_range(start, periods=24 * 24, freq="h", tz="UTC")
    check_restricted(index.tz_convert(zone), edge)


def test_a_zone_changes_nothing():
    index = pd.date_range("2024-03-01", periods=1000, freq="h", tz="UTC")
    here = restricted_bars(index, 6)
    for zone in ZONES[1:]:
        assert (restricted_bars(index.tz_convert(zone), 6) == here).all()


def test_sunday_opening_and_friday_close():
    """A currency week: Sunday 22:00 to Friday 21:00 is one week, guarded at both ends."""
    hours = pd.date_range(SUNDAY, periods=24 * 14, freq="h")
    index = hours[
        ((hours.day_name() == "Sunday") & (hours.hour >= 22))
        | ((hours.day_name() == "Friday") & (hours.hour < 22))
        | hours.day_name().isin(["Monday", "Tuesday", "Wednesday", "Thursday"])
    ]
    found = check_restricted(index, 6)
    week = index[: len(index) // 2]
    assert week[0].day_name() == "Sunday"
    assert week[-1].day_name() == "Friday"
    assert np.flatnonzero(found[: len(week)]).tolist() == [
        *range(6), *range(len(week) - 6, len(week))
    ]  # fmt: skip
    assert not found[index.get_loc("2024-01-08 04:00:00+00:00")]  # Monday: no edge of its own.


def test_the_week_turns_at_midnight_utc():
    index = pd.DatetimeIndex([SUNDAY + timedelta(seconds=s) for s in (-2, -1, 0, 1)])
    assert restricted_bars(index, 1).tolist() == [True, True, True, True]
    index = pd.DatetimeIndex([SUNDAY + timedelta(seconds=s) for s in (-3, -2, -1, 0, 1, 2)])
    assert restricted_bars(index, 1).tolist() == [True, False, True, True, False, True]


@pytest.mark.parametrize("length", range(1, 16))
@pytest.mark.parametrize("edge", [0, 1, 2, 6, 100])
def test_weeks_of_every_length(length, edge):
    index = pd.DatetimeIndex(
        [SUNDAY + timedelta(weeks=week, hours=hour) for week in range(3) for hour in range(length)]
    )
    found = check_restricted(index, edge).reshape(3, length)
    assert (found.sum(axis=1) == min(2 * edge, length)).all()


@settings(max_examples=50)
@given(
    st.sets(st.integers(-40 * 24 * 60, 40 * 24 * 60), min_size=1, max_size=60),
    st.integers(0, 7),
    st.sampled_from(ZONES),
    st.sampled_from(["s", "ms", "us", "ns"]),
)
def test_ragged_weeks(minutes, edge, zone, unit):
    moments = [datetime(2024, 3, 31, tzinfo=UTC) + timedelta(minutes=m) for m in sorted(minutes)]
    check_restricted(pd.DatetimeIndex(moments).tz_convert(zone).as_unit(unit), edge)


def test_utc_nanoseconds():
    berlin = pd.DatetimeIndex(["1970-01-01 01:00:01"]).tz_localize("Europe/Berlin")
    naive = pd.DatetimeIndex(["1970-01-01 00:00:01"])
    for index in (berlin, naive, naive.as_unit("s")):
        assert utc_nanoseconds(index).tolist() == [1_000_000_000]


# --------------------------------------------------------------------------- whole file, warm-up


def test_the_columns_no_parameter_changes():
    file = with_indicators(EURUSD, 6)
    assert list(file.columns) == [*EURUSD.columns, "TrueRange", "Momentum", "Restricted"]
    assert file["Restricted"].dtype == bool
    assert file["TrueRange"].isna().sum() == 1
    assert file["Momentum"].isna().sum() == 3
    assert "TrueRange" not in EURUSD


@pytest.mark.parametrize(("period", "first"), [(1, 3), (3, 3), (4, 4), (100, 100)])
def test_the_first_bar_has_its_atr_and_three_bars_before(period, first):
    assert first_trading_bar(period) == first
    file = with_indicators(EURUSD.iloc[:200], 6)
    atr = average_true_range(file["TrueRange"].to_numpy(), period)
    defined = ~np.isnan(atr) & file["Momentum"].notna().to_numpy()
    assert np.flatnonzero(defined)[0] == first


def test_a_file_too_short_for_the_grid():
    check_enough_bars(102, 100, "bars.csv")
    with pytest.raises(DataError, match=r"bars\.csv: 101 bars, but .* 100 needs at least 102"):
        check_enough_bars(101, 100, "bars.csv")
