"""Whether anything can come of a run: said before the sweep, with advice that can be followed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_bars import Case, Recipe, make_bars

import bigbar
import bigbar_multiprocessing_optimized as program
from bigbar.choice import Choice
from bigbar.data.read import Bars, bars_from_frame
from bigbar.engines.find import build_engine
from bigbar.engines.reference import BacktestingEngine
from bigbar.errors import DataError, NothingCounts, SettingsError
from bigbar.paragraphs import as_arguments
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.feasibility import (
    bar_name,
    check_affordable,
    most_trades,
)
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with

GRID = grid_with(
    atr_period=[3, 7], k_atr=[0.7, 1.0], uptail_max_ratio=0.7, previous_weight=0.0,
    buffer_ratio=0.01,
)  # fmt: skip

AXES = ("--atr-period", "3,7", "--uptail-max-ratio", "0.7",
        "--previous-weight", "0", "--workers", "1", "--no-progress", "--no-validate")  # fmt: skip
CANDLES = ("--k-atr", "0.7,1")


def stock_hours(days: int, *hours: str) -> pd.DatetimeIndex:
    """So many weekdays with bars at these times of day, in New York."""
    dates = pd.bdate_range("2020-01-06", periods=days)
    times = [date + pd.Timedelta(hour) for date in dates for hour in hours]
    return pd.DatetimeIndex(times).tz_localize("America/New_York")


def bars_at(index: pd.DatetimeIndex) -> Bars:
    """Bars that trade often, at given times."""
    frame = make_bars(Recipe(bars=len(index), seed=3, volatility=0.01)).set_axis(index)
    return bars_from_frame(frame, source="bars.csv")


TIMES = {
    "daily": pd.bdate_range("2015-01-05", periods=300),
    "weekly": pd.date_range("2010-01-08", periods=300, freq="7D"),
    "monthly": pd.date_range("1990-01-01", periods=300, freq="MS"),
    "quarterly": pd.date_range("1960-01-01", periods=200, freq="QS"),
    "yearly": pd.date_range("1900-01-01", periods=100, freq="YS"),
    "4-hour": stock_hours(150, "9h30min", "13h30min"),
}


def refused(bars: Bars, *, settings: Settings | None = None, min_trades: int = 1, **span) -> str:
    job = job_of(GRID, settings or Settings(), "compiled", **span)
    with pytest.raises((DataError, SettingsError)) as problem:
        job.spec.check_feasible(bars, job, Choice.by_name("Return [%]", min_trades))
    return str(problem.value)


# -------------------------------------------------------------------------- the edges of weeks


@pytest.mark.parametrize("kind", TIMES)
def test_bars_that_all_lie_at_the_edges_of_weeks(kind):
    bars = bars_at(TIMES[kind])
    assert refused(bars) == (
        f"bars.csv: {kind} bars: all {len(bars.frame):,} lie within 6 bars of a week edge, where "
        "BigBar stays out; use --week-edge-bars 0"
    )


@pytest.mark.parametrize("kind", TIMES)
def test_the_advice_can_be_followed(kind):
    bars = bars_at(TIMES[kind])
    found = bigbar.optimize(
        bars.frame, week_edge_bars=0, atr_period=[3, 7], k_atr=[0.7, 1.0], uptail_max_ratio=0.7,
        previous_weight=0.0, workers=1, verify=2, validate=kind == "yearly",
    )  # fmt: skip
    assert found.best_statistics["# Trades"] > 0
    assert found.verification.ok


@pytest.mark.parametrize("kind", ["daily", "4-hour"])
def test_the_command_says_so_before_anything_is_done(tmp_path, capsys, kind):
    file, out = tmp_path / "bars.csv", tmp_path / "out"
    bars_at(TIMES[kind]).frame.rename_axis("time").to_csv(file)
    assert program.main([str(file), *AXES, *CANDLES, "--output", str(out)]) == 2
    seen = capsys.readouterr()
    assert f"{kind} bars: all 300 lie within 6 bars of a week edge" in seen.err
    assert seen.err.endswith("use --week-edge-bars 0\n")
    assert "Estimate" not in seen.err
    assert seen.out == ""
    assert not out.exists()
    assert (
        program.main([str(file), *AXES, *CANDLES, "--output", str(out), "--week-edge-bars", "0"])
        == 0
    )
    assert json.loads((out / "summary.json").read_text())["best"]["statistics"]["# Trades"] > 0


def test_from_python_it_is_an_exception():
    with pytest.raises(DataError, match="use week_edge_bars=0"):
        bigbar.optimize(bars_at(TIMES["daily"]).frame, atr_period=[3], workers=1)


def test_a_number_of_edge_bars_that_was_too_large():
    """Hours of a whole week: the usual number leaves most of them."""
    bars = bars_at(pd.date_range("2024-01-07", periods=400, freq="h"))
    assert refused(bars, settings=Settings(week_edge_bars=90)).endswith("use --week-edge-bars 6")


def test_only_what_takes_part_counts():
    """Hours of a week, then days: optimized on the days alone."""
    hours = pd.date_range("2024-01-07", periods=7 * 24, freq="h")
    days = pd.date_range("2024-01-15", periods=40, freq="D")
    text = refused(bars_at(hours.append(days)), span=(7 * 24, 7 * 24 + 40))
    assert ": all 40 that take part lie within" in text


def test_bars_held_back_that_all_lie_at_the_edges():
    hours = pd.date_range("2024-01-07", periods=7 * 24, freq="h")
    days = pd.date_range("2024-01-14", periods=10, freq="D")
    text = refused(bars_at(hours.append(days)), span=(7, 7 * 24))
    assert text == (
        "bars.csv: the 10 bars held back all lie within 6 bars of a week edge, where BigBar stays "
        "out: hold back more with --holdout, or use --week-edge-bars 0"
    )


def test_a_note_where_most_bars_lie_at_the_edges():
    """Three bars a day are fifteen a week, of which twelve are at its edges."""
    bars = bars_at(stock_hours(100, "9h30min", "12h30min", "15h30min"))
    job = job_of(GRID, Settings(), "compiled")
    free = bars.frame.index[job.bars]
    note = job.spec.note(bars, job)
    assert note is not None
    assert note.startswith("3-hour bars: ")
    assert f" of {len(free):,} lie within 6 bars of a week edge" in note
    assert job.spec.note(bars_at(pd.date_range("2024-01-07", periods=400, freq="h")), job) is None


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("15s", "15-second"), ("5min", "5-minute"), ("h", "hourly"), ("4h", "4-hour"),
        ("D", "daily"), ("3D", "3-day"), ("7D", "weekly"), ("MS", "monthly"), ("QS", "quarterly"),
        ("YS", "yearly"),
    ],
)  # fmt: skip
def test_names_of_bars(step, name):
    assert bar_name(pd.date_range("2024-01-01", periods=50, freq=step)) == name


def test_names_of_bars_with_gaps():
    assert bar_name(stock_hours(20, "9h30min", "13h30min")) == "4-hour"
    assert bar_name(pd.bdate_range("2024-01-01", periods=60)) == "daily"


# ------------------------------------------------------------------------- the number of trades


def test_more_trades_than_fit_in():
    bars = bars_at(pd.date_range("2024-01-07", periods=7 * 24, freq="h"))
    # Bars 7 to 161 of one week: 155, entered on every second one at most.
    assert refused(bars, min_trades=79) == (
        "--min-trades 79 is out of reach: no more than 78 trades fit into the 155 bars on which "
        "BigBar may trade; lower --min-trades or use a longer file"
    )
    job = job_of(GRID, Settings(), "compiled")
    job.spec.check_feasible(bars, job, Choice.by_name("SQN", 78))


@pytest.mark.parametrize(
    ("free", "most"),
    [("", 0), ("0", 0), ("1", 1), ("11", 1), ("111", 2), ("101", 2), ("0110111010", 4)],
)
def test_most_trades(free, most):
    assert most_trades(np.array([mark == "1" for mark in free], dtype=np.bool_)) == most


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["leaning", "walk", "gaps", "monotone"]),
    st.sampled_from(["crypto", "forex", "ragged", "daily"]),
    st.integers(0, 3),
)
def test_no_engine_makes_more_trades_than_fit_in(seed, style, calendar, edge):
    recipe = Recipe(seed=seed, style=style, calendar=calendar, bars=150)
    case = Case(recipe, grid_with(
        atr_period=1, k_atr=0.0, uptail_max_ratio=9.0, previous_weight=-9.0, buffer_ratio=0.01
    ), Settings(week_edge_bars=edge))  # fmt: skip
    file, job = case.file(), case.job()
    trades = build_engine(file, job).trades(0)
    assert len(trades) <= most_trades(~file["Restricted"].to_numpy()[job.bars])


# -------------------------------------------------------------------------------------- the cash


def test_a_unit_that_costs_alone_cannot_be_paid():
    bars = bars_at(pd.date_range("2024-01-07", periods=400, freq="h"))
    account = big_bar_account(cash=1000.0, commission=(950.0, 0.0))
    lowest = bars.frame["Close"].min()
    text = refused(bars, settings=Settings(account))
    assert text == (
        f"not one unit can be bought: the lowest close is {lowest:,.10g}, {lowest + 950:,.10g} "
        "with commission and spread, the cash is 1,000, and backtesting.py trades whole units; "
        "raise --cash, or lower --commission"
    )


@pytest.mark.parametrize(
    "account",
    [
        big_bar_account(commission=(500.0, 0.0)),
        big_bar_account(commission=(500.0, 0.002), spread=0.01),
        big_bar_account(commission=-0.001, spread=0.02),
        big_bar_account(commission=0.001, margin=0.5),
    ],
    ids=["fixed", "all", "rebate", "margin"],
)
def test_what_is_asked_is_what_the_broker_asks(account):
    """Bars that can all be sold short: with the least cash let through the broker takes a unit."""
    index = pd.date_range("2024-01-07", periods=40, freq="h")
    prices = {"Open": 101.0, "High": 101.0, "Low": 100.0, "Close": 100.0, "Volume": 1.0}
    bars = pd.DataFrame(prices, index)
    fixed, relative = account.commission_parts
    least = (100.0 * (1 - account.spread + relative) + fixed) * account.margin
    enough, less = (
        Settings(replace(account, cash=cash), 0) for cash in (least + 1e-6, least - 1e-6)
    )
    grid = grid_with(
        atr_period=1, k_atr=0.0, uptail_max_ratio=0.5, previous_weight=0.0, buffer_ratio=0.01
    )
    file = with_indicators(bars, 0)
    check_affordable(bars, enough.account)
    assert len(BacktestingEngine(file, job_of(grid, enough, "backtesting")).trades(0)) > 0
    with pytest.raises(DataError, match="not one unit can be bought"):
        check_affordable(bars, less.account)
    assert len(BacktestingEngine(file, job_of(grid, less, "backtesting")).trades(0)) == 0


# ------------------------------------------------------------------- what no bar was enough for


HOURS = bars_at(pd.date_range("2024-01-07", periods=400, freq="h"))


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"k_atr": [50.0, 60.0]}, "none is as large as k_atr 50; a lower --k-atr lets more"),
        (
            {"previous_weight": [1e6, 2e6]},
            "lean as far as previous_weight 1e+06; lower --previous-weight",
        ),
        (
            {"uptail_max_ratio": [0.0]},
            "tail below uptail_max_ratio 0 of its range; raise --uptail-max-ratio",
        ),
    ],
)
def test_why_nothing_traded(axes, words):
    usual = {
        "atr_period": [3], "k_atr": [0.7], "uptail_max_ratio": [0.7], "previous_weight": [0.0],
        "buffer_ratio": [0.01],
    }  # fmt: skip
    job = job_of(grid_with(**usual | axes), Settings(), "compiled")
    assert words in job.spec.why_no_trade(HOURS, job)
    with pytest.raises(NothingCounts) as problem:
        bigbar.optimize(HOURS.frame, **usual | axes, workers=1, verify=0)
    assert str(problem.value).startswith("No combination traded at all: ")
    assert as_arguments(words) in str(problem.value)
    assert (problem.value.found.table()["# Trades"] == 0).all()
    assert bigbar.optimize(HOURS.frame, **usual, workers=1, verify=0).best_parameters is not None


def test_from_python_nothing_that_counts_is_an_exception():
    axes = {"atr_period": [3, 7], "k_atr": [0.7], "uptail_max_ratio": 0.7, "previous_weight": 0.0}
    found = bigbar.optimize(HOURS.frame, **axes, workers=1, verify=0)
    most = int(found.table()["# Trades"].max())
    with pytest.raises(NothingCounts, match=f"made {most + 1} trades; the most is {most}") as one:
        bigbar.optimize(HOURS.frame, **axes, workers=1, verify=0, min_trades=most + 1)
    assert one.value.exit_code == 2
    assert one.value.found.table().equals(found.table())
    assert one.value.found.best_parameters is None


def test_a_robust_choice_that_there_is_none_of():
    """Every second combination never trades: no cross has more than half of its members."""
    with pytest.raises(NothingCounts, match="Use choose='peak'"):
        bigbar.optimize(
            HOURS.frame, atr_period=[3], k_atr=[0.7, 90.0], uptail_max_ratio=0.7,
            previous_weight=0.0, workers=1, verify=0, choose="robust",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--k-atr", "90"), "No combination traded at all: of the"),
        ((*CANDLES, "--min-trades", "75"), "No combination made 75 trades; the most is"),
    ],
)
def test_the_command_ends_with_2_where_nothing_counts(tmp_path, capsys, options, words):
    file, out = tmp_path / "bars.csv", tmp_path / "out"
    HOURS.frame.rename_axis("time").to_csv(file)
    assert program.main([str(file), *AXES, *options, "--output", str(out)]) == 2
    assert words in capsys.readouterr().out
    assert json.loads((out / "summary.json").read_text())["best"] is None
    assert (out / "results.parquet").exists()  # To look at what there was.
