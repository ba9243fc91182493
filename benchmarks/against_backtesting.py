"""The default grid on two workers against `Backtest.optimize` on two processes.

`backtesting.py` runs a coarse cut through the default grid: of every axis some values from its
inside, so that the combinations are neither the dearest nor the cheapest. Needs `fork`, because
`Backtest.optimize` hands its processes the strategy class by name.
"""

from __future__ import annotations

import functools
import multiprocessing
import sys
import time
import warnings

import backtesting
import backtesting.backtesting
import common
import pandas as pd
from backtesting import Backtest
from sides import run_grid, sweep_seconds

from bigbar.data.read import Bars, read_bars
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.parameters import Settings, parse_grid
from bigbar.strategies.big_bar.strategy import BigBarAllIn

WORKERS = 2

#: 4 × 5 × 2 × 2 combinations of the default grid.
CUT = {
    "atr_period": (21, 44, 66, 89),
    "k_atr": (1.3, 1.9, 2.5, 3.1, 3.7),
    "uptail_max_ratio": (0.6, 0.8),
    "previous_weight": (0.2, 0.6),
    "buffer_ratio": (0.01,),
}


def theirs(bars: Bars) -> tuple[float, pd.Series]:
    """Seconds that `Backtest.optimize` takes for the cut, and the returns that it finds."""
    settings = Settings()
    first = job_of(parse_grid(), settings, "compiled").first_bar
    BigBarAllIn.whole_file = bars.frame
    BigBarAllIn.week_edge_bars = settings.week_edge_bars
    backtesting.Pool = functools.partial(multiprocessing.get_context("fork").Pool, WORKERS)
    # Its bars would only fill the screen, and cost it a little.
    backtesting.backtesting._tqdm = lambda iterable, **_: iterable
    backtest = Backtest(
        bars.frame.iloc[first:], BigBarAllIn, cash=settings.account.cash, trade_on_close=True
    )
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, heatmap = backtest.optimize(**CUT, maximize="Return [%]", return_heatmap=True)
    return time.perf_counter() - begun, heatmap


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report(f"{WORKERS} workers against Backtest.optimize", arguments)
    bars = read_bars(common.data_file(arguments.data, 20_000))
    before = [run_grid(bars, workers=WORKERS)]
    ours_s = [sweep_seconds(bars, WORKERS) for _ in range(3)]
    theirs_s, found = theirs(bars)
    ours_s += [sweep_seconds(bars, WORKERS) for _ in range(2)]
    ours = before[0].table.heatmap("Return [%]").reindex(found.index)
    report.check(f"returns of {len(found)} combinations", common.agree(ours, found))
    per_combination = theirs_s / len(found)
    typical = sorted(ours_s)[len(ours_s) // 2]
    report.line("BigBar, per combination of the default grid", common.duration(typical))
    report.line("Backtest.optimize, per combination", common.duration(per_combination))
    report.ratio(
        f"{WORKERS} workers against Backtest.optimize", per_combination / typical, 20_000, 100_000
    )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
