"""Each bound is what rounding does to the formula: enough for it, and not much more.

The oracle evaluates `backtesting.py`'s formulas in extended precision on inputs that rounding has
moved by half a last digit, many times over, and looks at how far the statistic went.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtesting._stats import compute_stats
from made_bars import Case, Recipe, make_bars

from bigbar.account import Account
from bigbar.engines.reference import BacktestingEngine
from bigbar.statistics import NAMES
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.verification.rounding import EPS, Reference, looseness

CANCELLING = (
    "Return (Ann.) [%]", "Volatility (Ann.) [%]", "CAGR [%]", "Sharpe Ratio", "Sortino Ratio",
    "Calmar Ratio", "Alpha [%]", "Beta", "Avg. Trade [%]", "Expectancy [%]", "SQN",
    "Kelly Criterion",
)  # fmt: skip

#: One combination that trades often.
BUSY = grid_with(
    atr_period=3, k_atr=0.7, uptail_max_ratio=0.7, previous_weight=0.0, buffer_ratio=0.01
)

#: Cases whose formulas are in good and in bad shape.
CASES = {
    "hourly": Recipe(),
    "nearly flat curve": Recipe(volatility=2e-7),
    "minute bars of a high price": Recipe(step_min=1, price=1e6, volatility=2e-4, bars=260),
    "wild": Recipe(volatility=0.02, calendar="weekdays"),
    "coarse ticks": Recipe(ticks=1, calendar="forex"),
    "weekly": Recipe(calendar="weekly", bars=120),
    "monthly": Recipe(calendar="monthly", bars=120),
    "yearly": Recipe(calendar="yearly", bars=120),
}

#: Roundings of single values tried; the largest effect found is what the bound is held against.
TRIALS = 60


def _reference(recipe: Recipe, account: Account | None = None) -> tuple[Reference, pd.DataFrame]:
    case = Case(recipe, BUSY, Settings(account or big_bar_account(cash=1000.1 * recipe.price), 0))
    file = case.file()
    stats = BacktestingEngine(file, case.job("backtesting")).stats(0)
    kept = file.iloc[case.job().first_bar :]
    return Reference(stats, kept["Close"].to_numpy(np.float64)), kept


def _exact(inputs: dict[str, np.ndarray], shape: dict[str, Any]) -> dict[str, Any]:
    """The cancelling statistics of `compute_stats`, in extended precision throughout."""
    one = np.longdouble(1)
    equity, close, ends = inputs["equity"], inputs["close"], inputs["equity"][shape["ends"]]
    n = np.longdouble(shape["annual_days"])
    returns = ends[1:] / ends[:-1] - one + inputs["day_noise"]
    growth = np.exp(np.mean(np.log(one + returns))) * (one + inputs["growth_noise"])
    annual = growth**n - one
    spread = returns.var(ddof=1) if len(returns) > 1 else np.longdouble(np.nan)
    squared = ((spread + growth**2) * (one + inputs["power_noise"])) ** n - growth ** (2 * n)
    volatility = np.sqrt(squared)
    deepest = np.max(one - equity / np.maximum.accumulate(equity))
    moves = np.log(equity[1:] / equity[:-1]) + inputs["move_noise"]
    market = np.log(close[1:] / close[:-1]) + inputs["market_noise"]
    off = market - market.mean()
    beta = (off @ (moves - moves.mean())) / (off @ off)
    held = (close[-1] - close[0]) / close[0] * 100
    made = (equity[-1] - equity[0]) / equity[0] * 100
    trades, profits = inputs["returns"], inputs["profits"]
    share = np.mean((profits > 0).astype(np.longdouble))
    won, lost = profits[profits > 0].mean(), -profits[profits < 0].mean()
    return {
        "Return (Ann.) [%]": annual * 100,
        "Volatility (Ann.) [%]": volatility * 100,
        "CAGR [%]": (
            (equity[-1] / equity[0] * (one + inputs["growth_noise"])) ** (one / shape["years"])
            - one
        )
        * 100,
        "Sharpe Ratio": annual / volatility,
        "Sortino Ratio": annual / (np.sqrt(np.mean(np.minimum(returns, 0) ** 2)) * np.sqrt(n)),
        "Calmar Ratio": annual / deepest,
        "Alpha [%]": made - beta * held,
        "Beta": beta,
        "Avg. Trade [%]": (
            np.exp(np.mean(np.log(one + trades))) * (one + inputs["growth_noise"]) - one
        )
        * 100,
        "Expectancy [%]": trades.mean() * 100,
        "SQN": np.sqrt(one * len(profits)) * profits.mean() / profits.std(ddof=1),
        "Kelly Criterion": share - (one - share) / (won / lost),
    }


def _inputs(reference: Reference) -> dict[str, np.ndarray]:
    trades = reference.stats["_trades"]
    bars = len(reference.close)
    wide = {
        "equity": reference.equity,
        "close": reference.close,
        "returns": trades["ReturnPct"].to_numpy(np.float64),
        "profits": trades["PnL"].to_numpy(np.float64),
        "day_noise": np.zeros(len(reference.day_returns)),
        "move_noise": np.zeros(bars - 1),
        "market_noise": np.zeros(bars - 1),
        "growth_noise": np.zeros(()),
        "power_noise": np.zeros(()),
    }
    return {name: values.astype(np.longdouble) for name, values in wide.items()}


def _shape(reference: Reference) -> dict[str, Any]:
    index: Any = reference.stats["_equity_curve"].index
    places = pd.Series(np.arange(len(index)), index)
    ends = places.resample(reference.sampling[0]).last().dropna().to_numpy(int)
    duration = reference.stats["Duration"]
    weekends = index.day_of_week.to_series().between(5, 6).mean() > 2 / 7 * 0.6
    days = reference.sampling[1]
    return {
        "ends": ends,
        "annual_days": (365 if weekends else 252) if days == 365 else days,
        "years": np.longdouble((duration.days + duration.seconds / 86400) / 365.25),
    }


def _rounded(inputs: dict[str, np.ndarray], random: np.random.Generator) -> dict[str, np.ndarray]:
    """The inputs as another order of operations could have rounded them."""
    moved = {}
    for name, values in inputs.items():
        noise = random.uniform(-0.5, 0.5, values.shape).astype(np.longdouble) * EPS
        # A ratio less 1 or its logarithm carry the rounding of the 1.
        moved[name] = values + noise if name.endswith("noise") else values * (1 + noise)
    return moved


needs_more_digits = pytest.mark.skipif(
    np.finfo(np.longdouble).eps > 1e-18, reason="no type with more digits than float64 here"
)


@pytest.fixture(scope="module", params=CASES)
def shaken(request: pytest.FixtureRequest) -> tuple[Reference, dict[str, Any], dict[str, float]]:
    """A backtest, its statistics in extended precision, and how far rounding moved each."""
    reference, _ = _reference(CASES[request.param])
    assert reference.stats["# Trades"] >= 5
    inputs, shape = _inputs(reference), _shape(reference)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Means of nothing: the bars of a single day.
        exact = _exact(inputs, shape)
        # Equity and prices are data, and stay; what is computed from them moves.
        random = np.random.default_rng(1)
        trials = [
            _exact(_rounded(inputs, random) | {k: inputs[k] for k in ("equity", "close")}, shape)
            for _ in range(TRIALS)
        ]
    moved = {name: float(max(abs(trial[name] - exact[name]) for trial in trials)) for name in exact}
    return reference, exact, moved


@needs_more_digits
@pytest.mark.parametrize("name", CANCELLING)
def test_the_reference_is_within_its_bound(name: str, shaken: Any) -> None:
    reference, exact, moved = shaken
    loose = looseness(name, reference)
    value = reference.value(name)
    if math.isinf(loose) or (math.isnan(value) and math.isnan(float(exact[name]))):
        return
    assert abs(np.longdouble(value) - exact[name]) <= loose + 1e-15 * abs(value)
    assert moved[name] <= loose + 1e-15 * abs(value)


@needs_more_digits
@pytest.mark.parametrize("name", CANCELLING)
def test_the_bound_is_no_blanket(name: str, shaken: Any) -> None:
    reference, _, moved = shaken
    loose = looseness(name, reference)
    if math.isinf(loose) or not moved[name] > 0:
        pytest.skip("no digit to hold the bound against")
    # 1e-9 of the value is allowed anyway; beyond that, bounds of the worst case stay within
    # what random roundings of a few hundred bars do times a few hundred.
    assert loose <= max(500 * moved[name], 1e-10 * abs(reference.value(name)))


def test_well_conditioned_results_keep_nine_digits() -> None:
    reference, _ = _reference(CASES["wild"])
    for name in NAMES:
        value = reference.stats.get(name, 0.0)
        if isinstance(value, float) and math.isfinite(value):
            assert looseness(name, reference) <= 1e-9 * abs(value), name


def test_a_formula_that_does_not_cancel_has_no_slack() -> None:
    reference, _ = _reference(CASES["hourly"])
    strict = set(NAMES) - set(CANCELLING)
    assert {looseness(name, reference) for name in strict} == {0.0}


def test_without_trades_everything_is_exact() -> None:
    reference, _ = _reference(CASES["hourly"], big_bar_account(cash=1.0))
    assert reference.stats["# Trades"] == 0
    assert reference.value("Volatility (Ann.) [%]") == 0
    assert looseness("Volatility (Ann.) [%]", reference) == 0
    assert looseness("Sharpe Ratio", reference) == 0
    assert looseness("Sortino Ratio", reference) == 0
    assert looseness("Beta", reference) == 0


def _with_equity(reference: Reference, kept: pd.DataFrame, equity: np.ndarray) -> Reference:
    """The same trades under another equity curve."""
    trades = reference.stats["_trades"]
    with np.errstate(all="ignore"):
        stats = compute_stats(trades, equity, kept, None)
    return replace(reference, stats=stats)


def test_a_volatility_of_nothing_but_rounding_is_bounded() -> None:
    reference, kept = _reference(CASES["hourly"])
    equity = np.full(len(kept), 100_000.0)
    equity[1::5] = np.nextafter(equity[0], np.inf)
    loose = looseness("Volatility (Ann.) [%]", _with_equity(reference, kept, equity))
    assert 0 < loose < 1e-2
    assert math.isinf(looseness("Sharpe Ratio", _with_equity(reference, kept, equity)))


def test_overflow_leaves_no_slack() -> None:
    reference, kept = _reference(CASES["hourly"])
    equity = np.geomspace(1.0, 1e30, len(kept))
    explosive = _with_equity(reference, kept, equity)
    assert math.isinf(explosive.value("CAGR [%]"))
    for name in ("Return (Ann.) [%]", "CAGR [%]", "Volatility (Ann.) [%]", "Sharpe Ratio"):
        assert looseness(name, explosive) == 0, name


def test_a_market_that_only_rounds_has_no_beta() -> None:
    recipe = Recipe(style="monotone", price=5000.0)
    reference, _ = _reference(Recipe())
    market = make_bars(recipe)["Close"].to_numpy()[: len(reference.equity)]
    assert 0 < np.diff(np.log(market)).std() < 1e-14
    assert math.isinf(looseness("Beta", replace(reference, close=market)))


def test_a_market_that_stands_still_has_exactly_no_beta() -> None:
    reference, _ = _reference(CASES["hourly"])
    still = replace(reference, close=np.full(len(reference.close), 7.0))
    assert looseness("Beta", still) == 0


def test_ruin_is_exact() -> None:
    reference, _ = _reference(
        Recipe(volatility=0.02, seed=1), big_bar_account(cash=100_000.0, margin=0.005)
    )
    assert reference.value("Equity Final [$]") == 0
    assert looseness("Beta", reference) == 0
    assert looseness("Sharpe Ratio", reference) == 0
