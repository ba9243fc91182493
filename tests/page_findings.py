"""Findings such as a validation makes, for tests of what shows them; figures made up, not found."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from bigbar.outcome import Outcome
from bigbar.report.answer import full_statistics
from bigbar.validation.findings import (
    Bootstrap,
    BuyAndHold,
    Costs,
    DeflatedSharpe,
    Findings,
    Holdout,
    Overfitting,
    Perturbation,
    Plateau,
    Verdict,
    WalkForward,
    WalkForwardMatrix,
    Window,
)

VERDICT = Verdict(
    light="red",
    headline="Cannot be told apart from luck.",
    lines=(
        "You tried 112,840 settings on 205 days. They behave like about 1,400 independent tries.",
        "With no edge at all, the best would typically show a Sharpe ratio of 3.6, and 1 time in "
        "20 above 4.4. Yours is 2.9.",
        "Luck alone does this well 82 % of the time.",
        "On the unseen days it returned −0.42 %.",
        "The least that this much data could tell from luck is a Sharpe ratio of 4.5.",
        "Cannot be told apart from luck.",
    ),
)


def page_findings(outcome: Outcome, *, seed: int = 1) -> Findings:
    """Everything that a validation can find, shaped as it would be for this run."""
    assert outcome.best is not None
    made = np.random.default_rng(seed)
    return Findings(
        verdict=VERDICT,
        bootstrap=_bootstrap(outcome),
        sharpe_bootstrap=None,
        pbo=_overfitting(made),
        deflated_sharpe=DeflatedSharpe(
            sharpe=0.178, annual_sharpe=2.87, skewness=0.61, kurtosis=5.9, periods=205,
            trials=len(outcome.table), earlier_trials=3 * len(outcome.table), psr=0.991,
            threshold=0.262, dsr=0.131, track_record=92.4,
        ),
        plateau=_plateau(outcome),
        holdout=_holdout(outcome, made),
        walk_forward=_walk_forward(outcome, made),
        walk_forward_matrix=WalkForwardMatrix(
            windows=(4, 8, 12),
            shares=(0.1, 0.2, 0.3),
            total_return=np.array([[1.2, -0.4, 0.9], [2.1, 0.3, -1.7], [np.nan, -0.2, 0.1]]),
            efficiency=np.array([[0.21, np.nan, 0.17], [0.35, 0.04, np.nan], [np.nan] * 3]),
        ),
        buy_and_hold=BuyAndHold(
            total_return=12.76, max_drawdown=-5.48, chosen_return=4.64, chosen_max_drawdown=-1.76,
            exposure=20.4,
        ),
        costs=_costs(),
        perturbation=_perturbation(),
        luck_band=_luck_band(outcome),
        notes=("The luck test follows the objective over 205 days of the file.",),
    )  # fmt: skip


def only(findings: Findings, *kept: str) -> Findings:
    """The findings with everything None but the verdict and what is named."""
    parts = set(vars(findings)) - {"verdict", "notes"}
    return replace(findings, **dict.fromkeys(parts.difference(kept)), notes=())


def _bootstrap(outcome: Outcome) -> Bootstrap:
    return Bootstrap(
        statistic="Return [%]", objective=outcome.choice.objective.name,
        tests_objective=outcome.choice.objective.name == "Return [%]", periods=205,
        combinations=len(outcome.table) - outcome.table.without_trades(), resamples=1000,
        mean_block=5.0, periods_per_year=252.0, chosen=4.64, luck_typical=5.92, luck_95=9.13,
        p_value=0.823, p_value_all_trials=0.841, earlier_trials=3 * len(outcome.table),
        best_p_value=0.823, traded_periods=171, independent_tries=float("nan"),
        smallest_provable=9.2, autocorrelation=-0.21, autocorrelation_limit=0.14,
    )  # fmt: skip


def _overfitting(made: np.random.Generator) -> Overfitting:
    # Mean log returns per day.
    inside = made.normal(0.0005, 0.0001, 252)
    outside = 0.0002 - 0.55 * inside + made.normal(0, 0.0002, 252)
    slope, intercept = np.polyfit(inside, outside, 1)
    return Overfitting(
        blocks=10, splits=252, pbo=0.61, loss_share=float((outside < 0).mean()),
        slope=float(slope), intercept=float(intercept), mean_logit=-0.3,
        winners=np.zeros(252, np.intp), ranks=made.uniform(1, 12, 252), in_sample=inside,
        out_of_sample=outside,
    )  # fmt: skip


def _plateau(outcome: Outcome) -> Plateau:
    best, table = outcome.best, outcome.table
    assert best is not None
    objective = outcome.choice.objective.name
    numbers = [one.number for one in table.top(outcome.choice, len(table))]
    robust, median = numbers[min(len(numbers) - 1, 40)], numbers[len(numbers) // 2]
    values = table.column(objective)
    traded = table.column("# Trades") > 0
    return Plateau(
        statistic=objective, peak=best, robust=robust,
        peak_value=float(values[best]), robust_value=float(values[robust]),
        peak_cross_mean=float(values[best]) * 0.82, robust_cross_mean=float(values[robust]) * 0.95,
        peak_worst_neighbour=float(values[best]) * 0.4,
        robust_worst_neighbour=float(values[robust]) * 0.8,
        peak_edges=("uptail_max_ratio",), robust_edges=(),
        profitable_share=float((table.column("Return [%]")[traded] > 0).mean()),
        median=median, median_value=float(values[median]),
    )  # fmt: skip


def _holdout(outcome: Outcome, made: np.random.Generator) -> Holdout:
    assert outcome.best is not None
    index = outcome.bars.frame.index
    bar = index[1] - index[0]
    times = pd.date_range(index[-1] + bar, periods=len(index) // 4, freq=bar)
    steps = np.where(made.random(len(times)) < 0.08, made.normal(-0.00005, 0.0014, len(times)), 0.0)
    equity = outcome.job.account.cash * np.cumprod(1 + steps)
    optimized = full_statistics(outcome, outcome.best)
    unseen = optimized.copy()
    unseen["Return [%]"] = 100 * (equity[-1] / equity[0] - 1)
    unseen["Return (Ann.) [%]"], unseen["Sharpe Ratio"] = -1.9, -0.71
    unseen["Max. Drawdown [%]"], unseen["# Trades"] = -2.3, 71
    return Holdout(
        share=0.2, split=times[0], optimized_bars=len(index), unseen_bars=len(times),
        combination=outcome.best, optimized=optimized, unseen=unseen,
        equity=pd.Series(equity, index=times), openings=2,
    )  # fmt: skip


def _walk_forward(outcome: Outcome, made: np.random.Generator) -> WalkForward:
    index = outcome.bars.frame.index
    edges = np.linspace(len(index) // 3, len(index) - 1, 9).astype(int)
    windows = []
    for start, stop in pairwise(edges):
        train = (int(start - edges[0]), int(start))
        number = None if len(windows) == 3 else int(made.integers(len(outcome.table)))
        windows.append(
            Window(
                train=train, test=(int(start), int(stop)),
                train_times=(index[train[0]], index[train[1] - 1]),
                test_times=(index[start], index[stop - 1]),
                combination=number,
                places=() if number is None else outcome.job.space.places(number),
                train_return=float(made.uniform(2, 5)), test_return=float(made.normal(0.1, 1)),
                train_objective=3.0, test_objective=0.1, test_trades=int(made.integers(5, 40)),
            )
        )  # fmt: skip
    times = index[edges[0] :]
    equity = 100_000 * np.cumprod(1 + made.normal(0.000002, 0.0004, len(times)))
    return WalkForward(
        anchored=False, windows=tuple(windows), equity=pd.Series(equity, index=times),
        total_return=float(100 * (equity[-1] / equity[0] - 1)), annual_return=0.9, t_statistic=0.41,
        in_sample_annual_return=11.2, efficiency=0.08,
        profitable_windows=sum(window.test_return > 0 for window in windows), largest_share=0.62,
        passes={
            "total return above zero": True,
            "efficiency of at least 50 %": False,
            "at least half of the windows profitable": True,
            "no window with half of the profit or more": False,
        },
        replayed=7,
    )  # fmt: skip


def _costs() -> Costs:
    rungs = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.5]) * 1e-4
    rows = [(rung, 0.0) for rung in rungs] + [(0.0, rung) for rung in rungs[1:]]
    table = pd.DataFrame(rows, columns=["commission", "spread"])
    table["Return [%]"] = 4.64 - 6.1e4 * table["commission"] - 3.05e4 * table["spread"]
    table["Sharpe Ratio"] = table["Return [%]"] / 2.9
    table["# Trades"] = 305
    return Costs(
        commission=0.0, spread=0.0, fixed_commission=0.0, total_return=4.64,
        break_even_commission=0.000076, break_even_spread=None, limit=0.01, table=table,
    )  # fmt: skip


def _perturbation() -> Perturbation:
    order = np.array([[-1.1, -5.2], [2.3, -3.1], [4.6, -2.2], [6.8, -1.6], [10.2, -1.0]])
    prices = np.array([[-3.4, -5.9], [-1.0, -4.0], [0.6, -3.1], [2.2, -2.5], [4.1, -1.8]])
    return Perturbation(
        repetitions=200, noise=0.05, columns=("Return [%]", "Max. Drawdown [%]"),
        quantiles=(0.05, 0.25, 0.5, 0.75, 0.95), trade_order=order, prices=prices,
        order_loss_share=0.09, prices_loss_share=0.41,
    )  # fmt: skip


def _luck_band(outcome: Outcome) -> pd.DataFrame:
    times = outcome.bars.frame.index[outcome.job.bars]
    account = outcome.job.account
    way = np.linspace(0, 1, len(times)) ** 0.6
    return pd.DataFrame(
        {
            "low": account.cash * (1 + 0.037 * way),
            "typical": account.cash * (1 + 0.059 * way),
            "high": account.cash * (1 + 0.091 * way),
        },
        index=times,
    )
