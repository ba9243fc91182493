"""How well the bar knows the end: predicted against actual over the run, on both engines.

The bar could predict whenever a slice comes back, but is drawn ten times a second: what it then
shows is held to the target. A machine that others use as well changes its pace within a run, so
each engine runs several times, and the medians speak for all. Also what the bar costs.
"""

from __future__ import annotations

import io
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import common
import numpy as np
from against_backtesting import CUT
from numpy.typing import NDArray
from sides import run_grid

from bigbar.data.read import read_bars
from bigbar.outcome import Outcome
from bigbar.progress.events import Listener
from bigbar.progress.terminal import Terminal
from bigbar.strategies.big_bar.parameters import grid_with

WORKERS = 2

#: The prediction is held to the target from this share of the run on.
FROM = 0.2

#: Largest share by which it may be wrong.
MOST = 0.1

#: Runs of each engine, odd numbers: the slow one takes a quarter of a minute.
COMPILED_RUNS, BACKTESTING_RUNS = 9, 3


class Clock(Listener):
    """Shows the real bar to nobody, and notes what it predicts.

    Attributes
    ----------
    moments : list of (int, float, bool)
        Combinations done, predicted total in seconds, and whether the bar was drawn then.
    seconds : float
        That the run took.
    """

    def __init__(self) -> None:
        self.moments: list[tuple[int, float, bool]] = []
        self.seconds = 0.0

    @contextmanager
    def progress(self, total: int, done: int = 0, in_flight: float = 0.0) -> Iterator[Clock]:
        begun = time.perf_counter()
        with Terminal(io.StringIO(), show_bar=True).progress(total, done, in_flight) as bar:
            self._bar: Any = bar
            yield self
        self.seconds = time.perf_counter() - begun

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        """Nobody looks."""

    def update(self, n: int) -> None:
        """Count `n` more."""
        drawn = bool(self._bar.update(n))
        shown = self._bar.format_dict
        left = shown["total"] - shown["n"]
        whole = shown["elapsed"] + (left / shown["rate"] if left else 0.0)
        self.moments.append((self._bar.n, whole, drawn))


def predictions(clock: Clock) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share done and predicted total at each update."""
    done, totals, _ = (np.array(column) for column in zip(*clock.moments, strict=True))
    return done / done[-1], totals


def furthest_off(clock: Clock, *, drawn_only: bool = False) -> float:
    """Of what counts of the predictions, by share of what the run took."""
    share, totals = predictions(clock)
    drawn = np.array([drawn for *_, drawn in clock.moments])
    counted = (share >= FROM) & (share < 1) & (drawn | (not drawn_only))
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
    several = f", median of {len(clocks)} runs" if len(clocks) > 1 else ""
    shown = float(np.median([furthest_off(one, drawn_only=True) for one in clocks]))
    report.line(
        f"{what}: furthest off from {FROM:.0%} on, as drawn{several}",
        f"{shown:.1%}",
        f"within {MOST:.0%}",
        bool(shown <= MOST),
    )
    report.line("the same, at any slice, drawn or not", f"{furthest_off(clock):.1%}")


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
    cut = grid_with(**CUT)
    clocks = [Clock() for _ in range(BACKTESTING_RUNS)]
    reference, *_ = (
        run_grid(bars, workers=WORKERS, grid=cut, engine="backtesting", listener=clock)
        for clock in clocks
    )
    report.check(
        f"returns, trades and drawdowns of both engines for {len(cut)} combinations",
        agree(reference, run_grid(bars, workers=WORKERS, grid=cut)),
    )
    predicted(report, "backtesting engine", clocks)
    for rows in (20_000,) if arguments.data else (20_000, 200_000):
        bars = read_bars(common.data_file(arguments.data, rows))
        clocks = [Clock() for _ in range(COMPILED_RUNS)]
        for clock in clocks:
            run_grid(bars, workers=WORKERS, listener=clock)
        predicted(report, f"compiled engine, {len(bars.frame):,} bars", clocks)
    report.line("memory of the bar", f"{bar_bytes / 1e6:.3f} MB", "under 1 MB", bar_bytes < 1e6)
    report.line("the same, with importing tqdm", f"{first_bytes / 1e6:.3f} MB")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
