"""A small finished run, on real bars by `backtesting.py`: for tests of what follows a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest
from backtesting.test import EURUSD

from bigbar.account import Account
from bigbar.choice import Choice, Maximize
from bigbar.data.read import Bars, bars_from_frame
from bigbar.engines.find import build_engine
from bigbar.job import Job
from bigbar.outcome import Execution, Outcome
from bigbar.results import ResultTable
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.verification.replay import Verification

#: 12 combinations: many trades at the low `k_atr`, none at the high one.
AXES = {
    "atr_period": (10, 20),
    "k_atr": (0.8, 1.1, 9.0),
    "uptail_max_ratio": 0.7,
    "previous_weight": (0.1, 0.4),
    "buffer_ratio": 0.01,
}


@contextlib.contextmanager
def few_prices() -> Iterator[None]:
    """A look at slightly other prices takes seconds by `backtesting.py`: not at so many of them.

    For tests that have their validation from workers that are forked, and are not about this part.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bigbar.validation.price_noise.REPETITIONS", 20)
        yield


@cache
def small_bars(count: int = 400) -> Bars:
    """The first hourly EUR/USD bars."""
    return bars_from_frame(EURUSD.iloc[:count], source="eurusd.csv")


@cache
def _values(axes: tuple[tuple[str, object], ...], account: Account) -> tuple[Job, np.ndarray]:
    job = job_of(grid_with(**dict(axes)), Settings(account), "backtesting")
    file = job.spec.columns(small_bars().frame)
    return job, build_engine(file, job).run(0, len(job.space))


@cache
def _trades(axes: tuple[tuple[str, object], ...], account: Account, number: int) -> pd.DataFrame:
    job, _ = _values(axes, account)
    return build_engine(job.spec.columns(small_bars().frame), job).trades(number)


def small_outcome(
    *,
    maximize: Maximize = "Return [%]",
    min_trades: int = 1,
    account: Account | None = None,
    **axes,
) -> Outcome:
    """A finished run on `small_bars`, fresh for every test that asks."""
    asked = tuple((AXES | axes).items()), account or big_bar_account()
    job, values = _values(*asked)
    choice = Choice.of(maximize, min_trades)
    table = ResultTable(job.space, values.copy())
    outcome = Outcome(job, Execution(workers=2), choice, small_bars(), table)
    outcome.score()
    outcome.best = table.best(choice)
    outcome.verification = Verification(combinations=5, wanted=5, max_relative_difference=2e-13)
    outcome.estimated_duration_s, outcome.chunk_size = 0.012, 6
    outcome.start_method, outcome.workers_kind = "fork", "processes"
    outcome.shared_kind = "shared_memory"
    outcome.timings = {"load_s": 0.01, "sweep_s": 0.5, "verify_s": 0.06}
    if outcome.best is not None:
        outcome.trades = _trades(*asked, outcome.best).copy()
    return outcome
