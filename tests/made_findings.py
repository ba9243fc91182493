"""Findings with any values: for tests of what is said about them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from bigbar.validation.findings import (
    Bootstrap,
    BuyAndHold,
    Costs,
    DeflatedSharpe,
    Holdout,
    Overfitting,
    Perturbation,
    Plateau,
    WalkForward,
    WalkForwardMatrix,
    Window,
)

_BOOTSTRAP = Bootstrap(
    statistic="Sharpe Ratio",
    objective="Sharpe Ratio",
    tests_objective=True,
    periods=100,
    combinations=112_840,
    resamples=1000,
    mean_block=5.0,
    periods_per_year=252.0,
    chosen=4.4,
    luck_typical=5.4,
    luck_95=7.1,
    p_value=0.82,
    p_value_all_trials=0.82,
    earlier_trials=0,
    best_p_value=0.82,
    traded_periods=80,
    independent_tries=1432.7,
    smallest_provable=7.13,
    autocorrelation=0.01,
    autocorrelation_limit=0.2,
)


def bootstrap(**changes) -> Bootstrap:
    if "p_value" in changes:
        changes.setdefault("p_value_all_trials", changes["p_value"])
    return replace(_BOOTSTRAP, **changes)


def overfitting(pbo: float = 0.48) -> Overfitting:
    splits = 252
    return Overfitting(
        blocks=10,
        splits=splits,
        pbo=pbo,
        loss_share=0.4,
        slope=-0.7,
        intercept=0.1,
        mean_logit=0.02,
        winners=np.zeros(splits, np.intp),
        ranks=np.ones(splits),
        in_sample=np.full(splits, 0.2),
        out_of_sample=np.full(splits, 0.1),
    )


def deflated() -> DeflatedSharpe:
    return DeflatedSharpe(
        sharpe=0.27,
        annual_sharpe=4.3,
        skewness=0.1,
        kurtosis=3.3,
        periods=100,
        trials=112_840,
        earlier_trials=0,
        psr=0.99,
        threshold=0.2,
        dsr=0.7,
        track_record=math.nan,
    )


def plateau(**changes) -> Plateau:
    found = Plateau(
        statistic="Sharpe Ratio",
        peak=5,
        robust=9,
        peak_value=4.4,
        robust_value=3.9,
        peak_cross_mean=2.0,
        robust_cross_mean=3.5,
        peak_worst_neighbour=0.3,
        robust_worst_neighbour=3.1,
        peak_edges=("atr_period",),
        robust_edges=(),
        profitable_share=0.61,
        median=3,
        median_value=0.4,
    )
    return replace(found, **changes)


def equity(returns: np.ndarray) -> pd.Series:
    """Hourly bars, 24 a day, so that each day has this return."""
    times = pd.date_range("2024-03-03", periods=24 * (len(returns) + 1), freq="h", tz="UTC")
    days = np.concatenate([[1.0], np.cumprod(1 + returns)]) * 100_000.0
    return pd.Series(np.repeat(days, 24), index=times)


def holdout(
    total: float = 1.2, *, trades: int = 12, returns: np.ndarray | None = None, openings: int = 1
) -> Holdout:
    if returns is None:
        random = np.random.default_rng(0)
        returns = 0.01 * random.standard_normal(40)
        returns += total / 100 / 40 - returns.mean()
    curve = equity(returns)
    statistics = {"Return [%]": total, "# Trades": trades, "Sharpe Ratio": math.nan}
    statistics["Max. Drawdown Duration"] = pd.Timedelta(days=3)
    return Holdout(
        share=0.2,
        split=curve.index[0],
        optimized_bars=4000,
        unseen_bars=len(curve),
        combination=5,
        optimized=pd.Series({**statistics, "Return [%]": 10.0}, dtype=object),
        unseen=pd.Series(statistics, dtype=object),
        equity=curve,
        openings=openings,
    )


def walk_forward(total: float = 3.1) -> WalkForward:
    times = pd.date_range("2024-01-07", periods=4, freq="7D", tz="UTC")
    windows = tuple(
        Window(
            train=(0, 100),
            test=(100, 150),
            train_times=(times[0], times[1]),
            test_times=(times[2], times[3]),
            combination=combination,
            places=() if combination is None else (1, 0, 0, 0, 0),
            train_return=5.0,
            test_return=total / 2,
            train_objective=2.0,
            test_objective=math.nan,
            test_trades=7,
        )
        for combination in (5, None)
    )
    return WalkForward(
        anchored=False,
        windows=windows,
        equity=equity(np.full(20, total / 2000)),
        total_return=total,
        annual_return=4 * total,
        t_statistic=1.2,
        in_sample_annual_return=20.0,
        efficiency=None,
        profitable_windows=1,
        largest_share=math.nan,
        passes={"total above 0": total > 0},
        replayed=2,
    )


def walk_forward_matrix() -> WalkForwardMatrix:
    values = np.array([[1.0, math.nan], [math.inf, 2.0]])
    return WalkForwardMatrix((4, 8), (0.1, 0.2), values, values)


def costs() -> Costs:
    table = pd.DataFrame(
        {"commission": [0.0, 1e-4], "Return [%]": [4.0, math.nan], "# Trades": [10, 10]}
    )
    return Costs(
        commission=0.0,
        spread=0.0,
        fixed_commission=0.0,
        total_return=4.0,
        break_even_commission=2e-4,
        break_even_spread=None,
        limit=0.01,
        table=table,
    )


def holding(**changes: float) -> BuyAndHold:
    found = BuyAndHold(
        total_return=12.76, max_drawdown=-5.48, chosen_return=4.64, chosen_max_drawdown=-1.76,
        exposure=20.4,
    )  # fmt: skip
    return replace(found, **changes)


def perturbation() -> Perturbation:
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    return Perturbation(
        100, 0.05, ("Return [%]", "Max. Drawdown [%]"), (0.05, 0.5), values, values, 0.1, 0.2
    )
