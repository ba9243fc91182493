"""The default grid on a million bars with two workers; and two workers against one.

The million go through the command, as a user runs it, with the memory of all its processes
watched from outside. Its answers are checked against a plain loop over all bars.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import common
import numpy as np
from against_numba_loop import theirs
from sides import prepared, run_grid
from watched import measure, run_command

from bigbar.data.read import Bars, read_bars

#: Combinations whose answers are checked against the loop.
SAMPLE = 200

#: About a second of work that nothing but the processor slows down.
_SPIN = (
    "import time; begun = time.perf_counter(); n = 0\n"
    "for i in range(12_000_000): n += i * i\n"
    "print(time.perf_counter() - begun)"
)


def million_bars(report: common.Report, file: Path) -> None:
    """One run of the command, of what finds the answer: its worth is another question."""
    run = run_command(file, "--workers", "2", "--no-validate")
    _, inputs, numbers = prepared(file, SAMPLE)
    found = theirs(inputs)
    rows = run.table.iloc[numbers]
    report.check(
        f"return and maximum drawdown of {len(numbers)} combinations on "
        f"{run.summary['data']['rows']:,} bars",
        common.agree(rows["Return [%]"], found[:, 0])
        and common.agree(rows["Max. Drawdown [%]"], found[:, 1]),
    )
    bars = f"{run.summary['data']['rows']:,} bars"
    trades = run.table["# Trades"].mean()
    report.line(f"trades of a combination on {bars}, on average", f"{trades:,.0f}")
    for stage, spent in run.summary["timings"].items():
        if spent >= 0.1:
            report.line(f"  {stage}", f"{spent:.2f} s")
    report.line(
        f"default grid, {bars}, 2 workers, whole command with --no-validate",
        f"{run.seconds:.1f} s",
        "aim under 60 s",
        run.seconds < 60,
    )
    report.line(
        f"all processes together at most ({measure()})",
        common.megabytes(run.peak),
        "under 1,500 MB",
        run.peak < 1.5e9,
    )


def workers_two_against_one(report: common.Report, bars: Bars) -> None:
    """The fan-out with one worker and with two, in turns."""
    one, two = run_grid(bars, workers=1), run_grid(bars, workers=2)
    report.check(
        f"every statistic of the grid on {len(bars.frame):,} bars to the last bit, 1 and 2 workers",
        np.array_equal(one.table.values, two.table.values, equal_nan=True),
    )
    (one_s, two_s), _ = common.alternating(
        [lambda: run_grid(bars, workers=1).timings["sweep_s"],
         lambda: run_grid(bars, workers=2).timings["sweep_s"]],
        rounds=3,
    )  # fmt: skip
    report.line("1 worker, the fan-out", common.duration(one_s))
    report.line("2 workers, the fan-out", common.duration(two_s))
    report.line("the machine itself: two busy processes against one", f"{machine_gain():.2f} ×")
    report.ratio(f"2 workers against 1, {len(bars.frame):,} bars", one_s / two_s, 1.8)


def machine_gain() -> float:
    """What a second busy process brings here: less than 2 where two processors are one core."""

    def together(count: int) -> float:
        command = [sys.executable, "-c", _SPIN]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
        return statistics.mean(float(one.communicate()[0]) for one in running)

    (one_s, two_s), _ = common.alternating([lambda: together(1), lambda: together(2)], rounds=3)
    return 2 * one_s / two_s


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("Scale", arguments)
    workers_two_against_one(report, read_bars(common.data_file(arguments.data, 200_000)))
    million_bars(report, common.data_file(arguments.data, 1_000_000))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
