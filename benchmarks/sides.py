"""Our side of the comparisons: the default grid as the product runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from common import spread_over
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.data.read import Bars, read_bars
from bigbar.outcome import Execution, Outcome
from bigbar.pipeline import optimize_bars
from bigbar.progress.events import Listener
from bigbar.request import Request
from bigbar.space import Space
from bigbar.strategies.big_bar.description import BigBar, job_of
from bigbar.strategies.big_bar.indicators import average_true_range, with_indicators
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, parse_grid


def run_grid(
    bars: Bars,
    *,
    workers: int,
    grid: Space | None = None,
    engine: str = "compiled",
    listener: Listener | None = None,
    least_workers: int | None = None,
) -> Outcome:
    """A grid, the default one if none is given, through the pipeline without verification."""
    request = Request(
        spec=BigBar(),
        space=grid or parse_grid(),
        account=big_bar_account(),
        engine=engine,
        choice=Choice.by_name("Return [%]"),
        execution=Execution(workers=workers, least_workers=least_workers, verify=0),
    )
    return optimize_bars(bars, request, listener=listener)


def sweep_seconds(bars: Bars, workers: int) -> float:
    """Seconds of the fan-out alone, per combination of the default grid."""
    outcome = run_grid(bars, workers=workers)
    return outcome.timings["sweep_s"] / len(outcome.table)


def prepared(file: Path, sample: int) -> tuple[Bars, dict[str, NDArray], NDArray[np.int64]]:
    """Bars, and what a program of another make needs to run a sample of the default grid.

    Parameters
    ----------
    file : Path
        Price bars.
    sample : int
        How many combinations, spread over the grid.

    Returns
    -------
    bars : Bars
    inputs : dict of ndarray
        Prices, momentum, restricted, shape (bars that take part,); `atr`, shape (periods, bars),
        and what it is made of: `ranges` of the whole file and `periods`; `times` in nanoseconds;
        and per combination of the sample `period` (a row of `atr`), `k_atr`, `uptail_max_ratio`,
        `previous_weight`, `buffer_ratio`.
    numbers : ndarray of int64, shape (sample,)
        Which combinations these are.
    """
    bars, grid = read_bars(file), parse_grid()
    first = job_of(grid, Settings(), "compiled").first_bar
    indicators = with_indicators(bars.frame, Settings().week_edge_bars)
    ranges = indicators["TrueRange"].to_numpy()
    columns = grid.columns()
    numbers = spread_over(len(grid), sample)
    kept = indicators.iloc[first:]
    inputs = {
        name.lower(): np.ascontiguousarray(kept[name].to_numpy())
        for name in ("Open", "High", "Low", "Close", "Momentum", "Restricted")
    }
    periods = grid.parameters[0].values
    inputs["atr"] = np.stack([average_true_range(ranges, int(p))[first:] for p in periods])
    inputs["ranges"] = ranges
    inputs["periods"] = np.asarray(periods)
    inputs["times"] = kept.index.as_unit("ns").asi8  # type: ignore[attr-defined]
    inputs["period"] = np.searchsorted(periods, columns["atr_period"][numbers])
    for name in ("k_atr", "uptail_max_ratio", "previous_weight", "buffer_ratio"):
        inputs[name] = columns[name][numbers]
    return bars, inputs, numbers
