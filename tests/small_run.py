"""A small finished run, on real bars by `backtesting.py`: for tests of what follows a run."""

from __future__ import annotations

from functools import cache

import numpy as np
from backtesting.test import EURUSD

from bigbar.account import Account, Settings
from bigbar.data.read import Bars, bars_from_frame
from bigbar.engines.contract import Job, build_engine
from bigbar.outcome import Execution, Outcome
from bigbar.results import Choice, ResultTable
from bigbar.space import Grid
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.verification.replay import Verification

#: 12 combinations: many trades at the low `k_atr`, none at the high one.
AXES = {
    "atr_period": (10, 20),
    "k_atr": (0.8, 1.1, 9.0),
    "uptail_max_ratio": 0.7,
    "previous_weight": (0.1, 0.4),
    "buffer_ratio": 0.01,
}


@cache
def small_bars(count: int = 400) -> Bars:
    """The first hourly EUR/USD bars."""
    return bars_from_frame(EURUSD.iloc[:count], source="eurusd.csv")


@cache
def _values(axes: tuple[tuple[str, object], ...], account: Account) -> tuple[Job, np.ndarray]:
    job = Job(Grid.from_values(**dict(axes)), Settings(account), "backtesting")
    file = with_indicators(small_bars().frame, job.settings.week_edge_bars)
    return job, build_engine(file, job).run(0, len(job.grid))


def small_outcome(
    *, maximize: str = "Return [%]", min_trades: int = 1, account: Account | None = None, **axes
) -> Outcome:
    """A finished run on `small_bars`, fresh for every test that asks."""
    job, values = _values(tuple((AXES | axes).items()), account or Account())
    choice = Choice.by_name(maximize, min_trades)
    table = ResultTable(job.grid, values.copy())
    outcome = Outcome(job, Execution(workers=2), choice, small_bars(), table)
    outcome.best = table.best(choice)
    outcome.verification = Verification(combinations=5, wanted=5, max_relative_difference=2e-13)
    outcome.estimated_duration_s, outcome.chunk_size = 0.012, 6
    outcome.start_method, outcome.workers_kind = "fork", "processes"
    outcome.shared_kind = "shared_memory"
    outcome.timings = {"load_s": 0.01, "sweep_s": 0.5, "verify_s": 0.06}
    if outcome.best is not None:
        file = with_indicators(small_bars().frame, job.settings.week_edge_bars)
        outcome.trades = build_engine(file, job).trades(outcome.best)
    return outcome
