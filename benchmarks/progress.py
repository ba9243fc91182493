"""How well the bar knows the end: predicted against actual over the run, on both engines.

What the bar predicts is the time so far divided by the share done. A machine that others use as
well changes its pace within a run, so the compiled engine runs several times, and the run whose
worst prediction is the median speaks for all. Also what the bar costs.
"""

from __future__ import annotations

import io
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import common
import numpy as np
from against_backtesting import CUT
from numpy.typing import NDArray
from sides import run_grid

from bigbar.data import read_bars
from bigbar.grid import Grid
from bigbar.narrator import Narrator
from bigbar.outcome import Outcome
from bigbar.report import Terminal

WORKERS = 2

#: The prediction is held to the target from this share of the run on.
FROM = 0.2

#: Largest share by which it may be wrong.
MOST = 0.1

#: Runs of the compiled engine, an odd number.
RUNS = 7


class Clock(Narrator):
    """Notes when how much was done.

    Attributes
    ----------
    moments : list of (float, int)
        Seconds since the start, combinations done.
    seconds : float
        That the run took.
    """

    def __init__(self) -> None:
        self.moments: list[tuple[float, int]] = []
        self.seconds = 0.0
        self._begun = 0.0
        self._done = 0

    @contextmanager
    def progress(self, total: int, done: int = 0) -> Iterator[Clock]:
        self._begun = time.perf_counter()
        yield self
        self.seconds = time.perf_counter() - self._begun

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        """Nobody looks."""

    def update(self, n: int) -> None:
        """Count `n` more."""
        self._done += n
        self.moments.append((time.perf_counter() - self._begun, self._done))


def predictions(clock: Clock) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share done and predicted total at each update."""
    elapsed, done = (np.array(column) for column in zip(*clock.moments, strict=True))
    share = done / done[-1]
    return share, elapsed / share


def furthest_off(clock: Clock) -> float:
    """Of what counts of the predictions, by share of what the run took."""
    share, totals = predictions(clock)
    counted = (share >= FROM) & (share < 1)
    return float(np.abs(totals[counted] / clock.seconds - 1).max()) if counted.any() else np.nan


def predicted(report: common.Report, what: str, clocks: Sequence[Clock]) -> None:
    """Predicted totals along the run of the median, and the one furthest off."""
    by_error = sorted(clocks, key=furthest_off)
    clock = by_error[len(by_error) // 2]
    share, totals = predictions(clock)
    for mark in (0.2, 0.4, 0.6, 0.8):
        place = int(np.searchsorted(share, mark))
        report.line(
            f"{what}: predicted at {share[place]:.0%}",
            f"{totals[place]:.2f} s, took {clock.seconds:.2f} s "
            f"({totals[place] / clock.seconds - 1:+.1%})",
        )
    off = furthest_off(clock)
    several = f", median of {len(clocks)} runs" if len(clocks) > 1 else ""
    report.line(
        f"{what}: furthest off from {FROM:.0%} on{several}",
        f"{off:.1%}",
        f"within {MOST:.0%}",
        bool(off <= MOST),
    )


def bar_memory() -> tuple[int, int]:
    """Bytes that the bar takes at most: with the import of tqdm, and without."""

    def draw() -> int:
        tracemalloc.start()
        try:
            with Terminal(io.StringIO(), show_bar=True).progress(112_840) as bar:
                for _ in range(1_000):
                    bar.update(112)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return draw(), draw()


def agree(few: Outcome, both: Outcome) -> bool:
    """Whether two engines found the same returns and trades."""
    names = ("Return [%]", "# Trades", "Max. Drawdown [%]")
    return all(common.agree(few.table.column(name), both.table.column(name)) for name in names)


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("Progress: predicted against actual", arguments)
    first_bytes, bar_bytes = bar_memory()
    bars = read_bars(common.data_file(arguments.data, 20_000))
    cut = Grid.from_values(**CUT)
    clock = Clock()
    reference = run_grid(bars, workers=WORKERS, grid=cut, engine="backtesting", narrator=clock)
    report.check(
        f"returns, trades and drawdowns of both engines for {len(cut)} combinations",
        agree(reference, run_grid(bars, workers=WORKERS, grid=cut)),
    )
    predicted(report, "backtesting engine", [clock])
    for rows in (20_000,) if arguments.data else (20_000, 200_000):
        bars = read_bars(common.data_file(arguments.data, rows))
        clocks = [Clock() for _ in range(RUNS)]
        for clock in clocks:
            run_grid(bars, workers=WORKERS, narrator=clock)
        predicted(report, f"compiled engine, {len(bars.frame):,} bars", clocks)
    report.line("memory of the bar", f"{bar_bytes / 1e6:.3f} MB", "under 1 MB", bar_bytes < 1e6)
    report.line("the same, with importing tqdm", f"{first_bytes / 1e6:.3f} MB")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
