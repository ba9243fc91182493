"""BigBar's reference class through the engine for any strategy: the same as its own kernel.

The two share no code but the statistics: the kernel hops from entry to exit, which it has computed
for all combinations at once; the general engine translates `next` and runs the broker's twin.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from agreement import quick, telling
from backtesting.test import EURUSD
from hypothesis import given, settings
from made_bars import Case, cases
from real_jobs import check_same_rows, check_same_trades

from bigbar.engines.find import build_engine
from bigbar.job import Job
from bigbar.statistics import COLUMN
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, parse_grid


def check_alike(file: pd.DataFrame, kernel_job: Job, general_job: Job, numbers: list[int]) -> Any:
    """Both engines say the same of some combinations; returns the general one, and the rows."""
    kernel, general = build_engine(file, kernel_job), build_engine(file, general_job)
    rows = np.concatenate([kernel.run(number, number + 1) for number in numbers])
    check_same_rows(np.concatenate([general.run(one, one + 1) for one in numbers]), rows)
    for number in (numbers[place] for place in telling(rows, 2)):
        check_same_trades(general.trades(number), kernel.trades(number))
        assert general.equity(number).equals(kernel.equity(number))
    return general, rows


def test_a_cut_through_the_default_grid() -> None:
    settings = Settings(big_bar_account(commission=(1.0, 1e-5), spread=1e-5, margin=0.5))
    file = with_indicators(EURUSD.iloc[-2_000:], settings.week_edge_bars)
    grid = parse_grid()
    jobs = [job_of(grid, settings, engine) for engine in ("compiled", "general")]
    general, rows = check_alike(file, *jobs, list(range(0, len(grid), 1_499)))
    assert general.refused is None
    assert not general.fell_back
    assert np.median(rows[:, COLUMN["# Trades"]]) >= 1


def test_generated_bars() -> None:
    seen: Counter[str] = Counter()

    @settings(quick, max_examples=60)
    @given(cases())
    def check(case: Case) -> None:
        numbers = list(range(len(case.grid)))[:24]
        jobs = [case.job(engine) for engine in ("compiled", "general")]
        general, rows = check_alike(case.file(), *jobs, numbers)
        assert general.refused is None
        seen["combinations"] += len(numbers)
        seen["left to Python"] += len(general.fell_back)
        seen["traded"] += int((rows[:, COLUMN["# Trades"]] > 0).sum())
        seen["ruined"] += int((rows[:, COLUMN["Equity Final [$]"]] == 0).sum())

    check()
    print(seen)
    assert seen["traded"] > 0.3 * seen["combinations"]
    assert seen["ruined"] > 0
    assert seen["left to Python"] < 0.2 * seen["combinations"]
