"""Any engine keeps the contract, and the compiled one answers as `backtesting.py` does."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agreement import EXAMPLES, disagreements, quick
from backtesting.test import EURUSD
from hypothesis import given, settings
from hypothesis import strategies as st
from made_bars import Case, Recipe, cases, make_bars
from numpy.typing import NDArray

from bigbar.engines.contract import TRADE_COLUMNS, Engine
from bigbar.engines.find import (
    AUTO,
    ENGINES,
    available_engine,
    build_engine,
    engine_names,
    kind_of,
)
from bigbar.errors import SettingsError
from bigbar.spec import StrategySpec
from bigbar.statistics import COLUMN, NAMES
from bigbar.strategies.big_bar.description import BigBar, job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import (
    Settings,
    big_bar_account,
    grid_with,
    longest_period,
    parse_grid,
)
from bigbar.strategies.sma_cross import SmaCross

#: What a backtest without a single trade has no value for.
NOT_WITHOUT_TRADES = {
    "Sharpe Ratio", "Sortino Ratio", "Calmar Ratio", "Avg. Drawdown [%]",
    "Max. Drawdown Duration", "Avg. Drawdown Duration", "Win Rate [%]", "Best Trade [%]",
    "Worst Trade [%]", "Avg. Trade [%]", "Max. Trade Duration", "Avg. Trade Duration",
    "Profit Factor", "Expectancy [%]", "SQN", "Kelly Criterion",
}  # fmt: skip

thorough = settings(quick, max_examples=60 * EXAMPLES, derandomize=False)

LOOSE = grid_with(
    atr_period=[3, 7], k_atr=[0.7, 1.2, 4.0], uptail_max_ratio=[0.3, 0.7],
    previous_weight=[0.0, 0.3], buffer_ratio=[-0.2, 0.01],
)  # fmt: skip


#: What all combinations of a case have, by the name of an engine, computed once.
Rows = Callable[[str], NDArray[Any]]

# The contract, for any engine.


@pytest.fixture(params=engine_names(BigBar()))
def kind(request: pytest.FixtureRequest) -> str:
    """The name of an engine."""
    return str(request.param)


@pytest.fixture(scope="module")
def case() -> Case:
    """Bars that are traded often, and a grid of which some combinations trade nothing."""
    return Case(Recipe(bars=120, seed=3), LOOSE, Settings(big_bar_account(commission=0.0002), 1))


@pytest.fixture(scope="module")
def case_rows(case: Case) -> Rows:
    """Every row of it; not to be changed."""
    return cache(lambda kind: engine_of(case, kind).run(0, len(case.grid)))


@pytest.fixture(scope="module")
def case_returns(case: Case) -> Rows:
    """The returns of every combination; not to be changed."""
    return cache(lambda kind: engine_of(case, kind).returns(0, len(case.grid)))


def engine_of(case: Case, kind: str) -> Engine:
    return build_engine(case.file(), case.job(kind))


def same(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> bool:
    """Whether two tables hold the same bits, any NaN being like any other."""
    return bool(np.array_equal(ours, theirs, equal_nan=True))


def test_a_row_a_combination(kind: str, case: Case, case_rows: Rows) -> None:
    rows = case_rows(kind)
    assert rows.shape == (len(case.grid), len(NAMES))
    assert rows.dtype == np.float64
    assert (rows[:, COLUMN["# Trades"]] >= 5).any()
    assert (rows[:, COLUMN["# Trades"]] == 0).any()


def test_slices_give_the_same_rows(kind: str, case: Case, case_rows: Rows) -> None:
    engine, total = engine_of(case, kind), len(case.grid)
    whole = case_rows(kind)
    for cuts in ([1, 2, 3, 5, 8, 13, 21, 34, total - 1], range(7, total, 7)):
        ends = [0, *cuts, total]
        slices = list(itertools.pairwise(ends))
        for start, stop in reversed(slices):
            assert same(engine.run(start, stop), whole[start:stop]), (start, stop)
    assert same(engine_of(case, kind).run(5, 6), whole[5:6])


@pytest.mark.parametrize("every", [1, 2, 7, 23])
def test_some_of_a_grid_have_the_rows_that_they_have_in_all_of_it(
    kind: str, case: Case, case_rows: Rows, case_returns: Rows, every: int
) -> None:
    """Of those that a constraint leaves: near each other, and far apart."""
    numbers = np.flatnonzero(np.arange(len(case.grid)) % every == every // 2)
    whole, job = engine_of(case, kind), replace(case.job(kind), space=case.grid.only(numbers))
    some = build_engine(case.file(), job)
    rows, returns = case_rows(kind), case_returns(kind)
    assert same(some.run(0, len(numbers)), rows[numbers])
    assert same(some.returns(0, len(numbers)), returns[numbers])
    assert same(some.run(1, 2), rows[numbers[1:2]])
    assert len(some.run(1, 1)) == 0
    for number in range(0, len(numbers), 11):
        pd.testing.assert_frame_equal(some.trades(number), whole.trades(int(numbers[number])))
        pd.testing.assert_series_equal(some.equity(number), whole.equity(int(numbers[number])))
    with pytest.raises(IndexError, match=f"of a grid of {len(numbers)}"):
        some.run(0, len(numbers) + 1)


def test_an_empty_slice_is_an_empty_table(kind: str, case: Case) -> None:
    assert engine_of(case, kind).run(7, 7).shape == (0, len(NAMES))


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (0, 49), (48, 50), (9, 5), (-3, -1)])
def test_a_slice_outside_the_grid_is_refused(kind: str, case: Case, start: int, stop: int) -> None:
    assert len(case.grid) == 48
    with pytest.raises(IndexError):
        engine_of(case, kind).run(start, stop)


@pytest.mark.parametrize("number", [-1, 48])
def test_trades_of_no_combination_are_refused(kind: str, case: Case, number: int) -> None:
    with pytest.raises(IndexError):
        engine_of(case, kind).trades(number)


def test_without_trades_the_rest_is_still_told(kind: str, case: Case) -> None:
    idle = Case(case.recipe, case.grid, Settings(big_bar_account(cash=50.0)))
    engine = engine_of(idle, kind)
    row = engine.run(0, 1)[0]
    missing = {name for name, value in zip(NAMES, row, strict=True) if np.isnan(value)}
    assert missing == NOT_WITHOUT_TRADES
    for name in ("Exposure Time [%]", "Return [%]", "Commissions [$]", "# Trades", "Beta"):
        assert row[COLUMN[name]] == 0, name
    assert row[COLUMN["Equity Final [$]"]] == row[COLUMN["Equity Peak [$]"]] == 50.0
    assert list(engine.trades(0).columns) == list(TRADE_COLUMNS)
    assert len(engine.trades(0)) == 0


def test_trade_lists(kind: str, case: Case) -> None:
    engine = engine_of(case, kind)
    rows = engine.run(0, len(case.grid))
    index = case.file().index[case.job().first_bar :]
    for number in (0, 11, 30):
        trades = engine.trades(number)
        assert list(trades.columns) == list(TRADE_COLUMNS)
        assert len(trades) == rows[number, COLUMN["# Trades"]]
        assert (trades["ExitBar"] > trades["EntryBar"]).all()
        assert (trades["EntryBar"].to_numpy()[1:] > trades["ExitBar"].to_numpy()[:-1]).all()
        assert list(trades["EntryTime"]) == list(index[trades["EntryBar"]])
        assert list(trades["ExitTime"]) == list(index[trades["ExitBar"]])


def test_the_file_is_left_alone(kind: str, case: Case) -> None:
    file = case.file()
    before = file.copy(deep=True)
    engine = build_engine(file, case.job(kind))
    engine.run(0, 8)
    engine.trades(0)
    pd.testing.assert_frame_equal(file, before)


def test_unknown_engine() -> None:
    with pytest.raises(SettingsError, match=r"'vectorized' for BigBar.*compiled.*backtesting"):
        available_engine(BigBar(), "vectorized")


def test_the_engines_of_any_other_strategy() -> None:
    spec = StrategySpec.of(SmaCross)
    assert engine_names(spec) == ("compiled", "backtesting")
    assert available_engine(spec) == (AUTO, None)
    assert available_engine(spec, "compiled") == ("compiled", None)
    assert kind_of(spec, "compiled") is ENGINES["general"]
    with pytest.raises(SettingsError, match="'steam' for SmaCross; choose from auto, compiled, b"):
        available_engine(spec, "steam")
    with pytest.raises(SettingsError, match="SmaCross has no engine 'steam'"):
        kind_of(spec, "steam")


def test_engines_at_hand() -> None:
    assert engine_names(BigBar()) == ("compiled", "backtesting", "general")
    assert available_engine(BigBar()) == ("compiled", None)
    assert available_engine(BigBar(), AUTO) == ("compiled", None)
    assert available_engine(BigBar(), "compiled") == ("compiled", None)
    assert available_engine(BigBar(), "backtesting") == ("backtesting", None)
    assert kind_of(BigBar(), "compiled") is not ENGINES["general"]


def test_without_numba_the_reference_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    name, reason = available_engine(BigBar(), "compiled")
    assert name == "backtesting"
    assert reason is not None
    assert "pip install numba" in reason
    assert available_engine(BigBar(), "backtesting") == ("backtesting", None)


# The compiled engine against backtesting.py.


def check(case: Case) -> None:
    found = list(disagreements(case.file(), case.job()))
    assert not found, found


@pytest.mark.slow
@quick
@given(cases())
def test_generated_bars(case: Case) -> None:
    check(case)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@thorough
@given(cases(most_bars=420))
def test_many_generated_bars(case: Case) -> None:
    check(case)


@pytest.mark.slow
@settings(quick, max_examples=EXAMPLES // 10)
@given(cases(most_bars=900))
def test_longer_generated_bars(case: Case) -> None:
    check(case)


@pytest.mark.slow
def test_generated_cases_cover_what_they_should() -> None:
    """Counted on the same cases that `test_generated_bars` compares."""
    seen: Counter[str] = Counter()

    @quick
    @given(cases())
    def count(case: Case) -> None:
        rows = build_engine(case.file(), case.job()).run(0, len(case.grid))
        columns = {name: rows[:, column] for name, column in COLUMN.items()}
        trades = columns["# Trades"]
        seen["cases"] += 1
        seen["five trades"] += trades.max() >= 5
        seen["twenty trades"] += trades.max() >= 20
        seen["no trade"] += trades.min() == 0
        seen["one trade"] += (trades == 1).any()
        seen["ruin"] += (columns["Equity Final [$]"] == 0).any()
        seen["paid"] += (columns["Commissions [$]"] > 0).any()
        seen["rebates"] += (columns["Commissions [$]"] < 0).any()
        seen["gains"] += (columns["Return [%]"] > 0).any()
        seen["market stands still"] += bool(np.isnan(columns["Beta"]).all())
        # A trade that is open at the end moves the equity, but is in no list.
        seen["open at the end"] += ((trades == 0) & (columns["Return [%]"] != 0)).any()

    count()
    print(seen)
    assert seen["cases"] >= EXAMPLES * 0.9
    assert seen["five trades"] >= EXAMPLES * 0.3
    assert seen["twenty trades"] >= EXAMPLES * 0.1
    # Which cases are drawn depends on the loaded modules: hypothesis tries their constants. A
    # drawdown on the last bar only is too rare to count on: it has a test of its own below.
    at_least_once = (
        "no trade", "one trade", "ruin", "paid", "rebates", "gains", "market stands still",
        "open at the end",
    )  # fmt: skip
    assert {name: seen[name] for name in at_least_once if not seen[name]} == {}


@pytest.mark.parametrize("trading_bars", [2, 3, 4, 5])
@pytest.mark.parametrize("edge", [0, 1])
def test_a_file_of_a_few_bars(trading_bars: int, edge: int) -> None:
    grid = grid_with(atr_period=3, k_atr=[0.0, 0.7], previous_weight=[-1.0, 0.0])
    for seed in range(12):
        recipe = Recipe(seed=seed, bars=3 + trading_bars)
        check(Case(recipe, grid, Settings(week_edge_bars=edge)))


@pytest.mark.parametrize("margin", [1.0, 0.5, 0.1, 0.02, 0.005])
@pytest.mark.parametrize("commission", [0.0, 0.01, -0.01, (5.0, 0.001), (5.0, -0.001)])
def test_leverage_and_commissions(margin: float, commission: float | tuple[float, float]) -> None:
    account = big_bar_account(commission=commission, margin=margin, spread=0.0005)
    check(Case(Recipe(seed=7, volatility=0.01), LOOSE, Settings(account, 1)))


@pytest.mark.parametrize("units", [0.9, 1.0, 1.2, 2.0, 3.5])
def test_a_cash_for_very_few_units(units: float) -> None:
    recipe = Recipe(seed=5, ticks=4)
    check(Case(recipe, LOOSE, Settings(big_bar_account(cash=units * recipe.price), 0)))


@pytest.mark.timeout(120)
def test_more_units_than_whole_numbers_can_count() -> None:
    """Rebates on borrowed money multiply the equity until a unit more or less has no digit."""
    account = big_bar_account(commission=-0.1, margin=0.005)
    grid = grid_with(atr_period=3, k_atr=0.3, previous_weight=0.0, uptail_max_ratio=0.9)
    case = Case(Recipe(price=1e-4, volatility=0.0002, bars=260), grid, Settings(account, 0))
    rows = build_engine(case.file(), case.job()).run(0, 1)
    assert rows[0, COLUMN["Equity Peak [$]"]] > 2.0**53 * 1e-4
    check(case)


#: Open, high, low, close of a loop: three bars lean upwards, a big bar, a red one, and back.
LOOP = [
    (64, 65, 63, 64.5), (64, 65, 63, 64.5), (64, 65, 63, 64.5), (64, 68, 63.5, 67.5),
    (67.5, 67.75, 66, 66.5), (66.5, 67, 64, 65), (65, 66, 63, 64), (64, 65, 63, 64),
]  # fmt: skip

ONE_EACH = grid_with(
    atr_period=3, k_atr=1.2, uptail_max_ratio=0.7, previous_weight=0.1, buffer_ratio=0.01
)


def looped(loops: int, *ending: tuple[float, float, float, float]) -> pd.DataFrame:
    rows = [*(LOOP * loops), *ending]
    index = pd.date_range("2024-01-01", periods=len(rows), freq="h")
    bars = pd.DataFrame(rows, index, columns=["Open", "High", "Low", "Close"], dtype=float)
    return with_indicators(bars.assign(Volume=1.0), 0)


def test_equal_profits_have_no_deviation() -> None:
    file = looped(12)
    job = job_of(ONE_EACH, Settings(big_bar_account(cash=80.0), 0), "compiled")
    row = build_engine(file, job).run(0, 1)[0]
    assert row[COLUMN["# Trades"]] == 11  # The first loop warms up the indicators.
    assert row[COLUMN["Expectancy [%]"]] < 0
    assert np.isnan(row[COLUMN["SQN"]])
    assert not list(disagreements(file, job))


def test_a_drawdown_on_the_last_bar_only() -> None:
    up = (64, 65, 63, 64.5)
    file = looped(2, (64, 65, 63, 64), up, up, up, (64, 68, 63.5, 67.5), (67.5, 70, 66, 66.5))
    job = job_of(ONE_EACH, Settings(big_bar_account(cash=80.0), 0), "compiled")
    before = file.iloc[len(LOOP) * 2 - 3 :]  # Without the trades of the loops.
    bars = with_indicators(before[["Open", "High", "Low", "Close", "Volume"]], 0)
    row = build_engine(bars, job).run(0, 1)[0]
    assert row[COLUMN["# Trades"]] == 0
    assert row[COLUMN["Max. Drawdown [%]"]] == row[COLUMN["Avg. Drawdown [%]"]] < 0
    assert np.isnan(row[COLUMN["Max. Drawdown Duration"]])
    assert not list(disagreements(bars, job))
    assert not list(disagreements(file, job))


@pytest.mark.parametrize("extra", range(6))
def test_the_last_bars(extra: int) -> None:
    """The same trade ever nearer to the end: closed, open, and an order that is never filled."""
    up = (64, 65, 63, 64.5)
    tail = [
        up,
        up,
        up,
        (64, 68, 63.5, 67.5),
        (67.5, 70, 67, 69),
        (69, 71, 68, 70),
        (70, 71, 67, 68),
    ]
    file = looped(2, *tail[: 3 + extra])
    job = job_of(ONE_EACH, Settings(big_bar_account(cash=80.0), 0), "compiled")
    assert not list(disagreements(file, job))


def test_numbers_outside_the_usual_annual_range() -> None:
    """Gains of a few minutes, made annual, overflow; what is left must be just as infinite."""
    account = big_bar_account(margin=0.005, commission=-0.01)
    recipe = Recipe(step_min=1, volatility=0.0002, bars=200)
    case = Case(recipe, LOOSE, Settings(account, 0))
    rows = build_engine(case.file(), case.job()).run(0, len(case.grid))
    assert np.isinf(rows[:, COLUMN["CAGR [%]"]]).any()
    check(case)


# A cut through the default grid.

CUT_STEP = 1_997


def example_bars(trading_bars: int) -> pd.DataFrame:
    grid = parse_grid()
    bars = EURUSD.iloc[-(trading_bars + longest_period(grid)) :]
    return with_indicators(bars, Settings().week_edge_bars)


@pytest.mark.slow
def test_a_cut_through_the_default_grid() -> None:
    file, job = example_bars(1_500), job_of(parse_grid(), Settings(), "compiled")
    numbers = list(range(0, len(job.space), CUT_STEP))
    assert not list(disagreements(file, job, numbers))
    rows = build_engine(file, job).run(0, len(job.space))
    assert np.median(rows[numbers, COLUMN["# Trades"]]) >= 1


def _check_numbers(numbers: range) -> list[object]:
    file, job = example_bars(300), job_of(parse_grid(), Settings(), "compiled")
    return list(disagreements(file, job, list(numbers)))


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_the_whole_default_grid() -> None:
    total = len(parse_grid())
    parts = [range(start, min(start + 2_000, total)) for start in range(0, total, 2_000)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        found = [one for part in pool.map(_check_numbers, parts) for one in part]
    assert not found, found[:5]


@pytest.mark.slow
@settings(quick, max_examples=60)
@given(cases(), st.data())
def test_generated_slices_give_the_same_rows(case: Case, data: st.DataObject) -> None:
    engine = build_engine(case.file(), case.job())
    total = len(case.grid)
    whole = engine.run(0, total)
    cuts = data.draw(st.lists(st.integers(0, total), max_size=6).map(sorted))
    pieces = [engine.run(a, b) for a, b in zip([0, *cuts], [*cuts, total], strict=True)]
    assert same(np.concatenate(pieces), whole)


def test_recipes_are_repeatable() -> None:
    recipe = Recipe(seed=11, calendar="ragged", zone="Europe/Berlin", unit="ms")
    pd.testing.assert_frame_equal(make_bars(recipe), make_bars(recipe))


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("--no-optimize",), ("--strategy", "sma_cross", "--param", "fast=5,6")]
)
def test_without_a_compiler_backtesting_runs_it(tmp_path, words):
    """As numba has it while somebody debugs."""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "bigbar", str(root / "example.csv"), *words, "--no-validate",
         "--no-store", "--no-progress", "--workers", "1", "--output", str(tmp_path)],
        capture_output=True, text=True, timeout=200,
        env={**os.environ, "PYTHONPATH": str(root), "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "NUMBA_DISABLE_JIT is set, so backtesting.py runs every combination" in done.stderr
    assert "Traceback" not in done.stderr
