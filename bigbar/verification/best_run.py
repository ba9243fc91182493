"""The best combination's own run, by `backtesting.py`, held against what the workers answered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.find import build_engine
from bigbar.errors import VerificationError
from bigbar.job import Job
from bigbar.verification.replay import Difference, compare, differences_text, first_difference
from bigbar.verification.rounding import Reference


def held_against(
    stats: pd.Series,
    row: NDArray[np.float64],
    *,
    job: Job,
    number: int,
    bars: pd.DataFrame,
    run: Callable[[], pd.Series],
) -> str | None:
    """Compare a run with its row of the table.

    A strategy that answers differently each time, or that remembers earlier runs of this process,
    is not blamed on an engine.

    Parameters
    ----------
    stats : Series
        What `Backtest.run` returned for the combination.
    row : ndarray of float, shape (statistics,)
        What a worker answered.
    job : Job
    number : int
        The combination.
    bars : DataFrame
        The whole file.
    run : callable
        Runs it once more as `stats` was.

    Returns
    -------
    str or None
        What to tell, where they differ and the strategy is the cause.

    Raises
    ------
    VerificationError
        If the engine is.
    """
    its_own = statistics_row(stats)
    if np.isnan(row).all() or first_difference(number, row, its_own) is None:  # All NaN: it failed.
        return None
    close = bars["Close"].to_numpy(np.float64)
    differ = _differences(number, stats, row, close)
    if not differ:
        return None
    engine = build_engine(job.spec.columns(bars), job)
    here, again = (engine.run(number, number + 1)[0] for _ in range(2))
    name, first = job.spec.title, differ[0]
    which = (
        f"{first.what} of the best combination is {first.engine!r} in the table, and "
        f"{first.reference!r} in its own run"
    )
    if first_difference(number, here, again) is not None:
        return (
            f"{name} answers differently each time it is run (random numbers? the clock?): "
            f"{which}; the table holds one answer of many"
        )
    if not _differences(number, stats, here, close):
        return f"{name} answers differently in this process than in the workers: {which}"
    if first_difference(number, its_own, statistics_row(run())) is not None:
        return f"{name} remembers earlier runs: {which}"
    raise VerificationError(differences_text(differ, job.space))


def _differences(
    number: int, stats: pd.Series, row: NDArray[np.float64], close: NDArray[np.float64]
) -> list[Difference]:
    return compare(number, row, Reference(stats, close)).differences
