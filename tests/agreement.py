"""Whether the compiled engine and `backtesting.py` agree on a job: what differential tests ask."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from bigbar.engines.find import build_engine
from bigbar.engines.reference import BacktestingEngine
from bigbar.job import Job
from bigbar.statistics import COLUMN
from bigbar.verification.replay import compare, compare_trades
from bigbar.verification.rounding import Reference

EXAMPLES = 100

quick = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def telling(rows: NDArray[np.float64], most: int) -> list[int]:
    """Combinations with different answers: the busiest, the idlest, and some between."""
    _, first = np.unique(np.nan_to_num(rows, nan=-7.7), axis=0, return_index=True)
    by_trades = first[np.argsort(-rows[first, COLUMN["# Trades"]], kind="stable")]
    places = np.linspace(0, len(by_trades) - 1, most).round().astype(int)
    return [int(number) for number in dict.fromkeys(by_trades[places])]


def disagreements(
    file: pd.DataFrame, job: Job, numbers: list[int] | None = None
) -> Iterator[object]:
    """Whatever the compiled engine and `backtesting.py` do not agree on.

    Statistics and trades within what rounding leaves open; equity at each bar, and the daily
    returns, to the last bit.
    """
    engine = build_engine(file, job)
    rows = engine.run(0, len(job.space))
    returns = engine.returns(0, len(job.space))
    reference = BacktestingEngine(file, job)
    close = file["Close"].to_numpy(np.float64)[job.bars]
    for number in telling(rows, 3) if numbers is None else numbers:
        stats = reference.stats(number)
        replayed = compare(number, rows[number], Reference(stats, close))
        yield from replayed.differences
        yield from compare_trades(number, engine.trades(number), replayed.trades)
        curve = stats["_equity_curve"]["Equity"]
        if not engine.equity(number).equals(curve):
            yield number, "equity"
        if not np.array_equal(returns[number], expected_returns(curve)):
            yield number, "returns"


def expected_returns(curve: pd.Series) -> NDArray[np.float32]:
    """Returns from day end to day end, by the expressions of `compute_stats`; 0 after ruin."""
    bar = pd.Series(curve.index[-100:]).diff().dropna().median()
    frequency = {7: "W", 31: "ME", 365: "YE"}.get(bar.days, "D")
    returns = curve.resample(frequency).last().dropna().pct_change().iloc[1:].fillna(0.0)
    return returns.to_numpy(np.float32)
