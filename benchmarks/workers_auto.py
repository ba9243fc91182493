"""What `--workers auto` costs on a machine with nothing else to do: the fan-out with and without.

"auto" yields to other programs, which is what it is for, and takes longer where there are some.
So the machinery is measured by itself as well, held at all workers: the gate before the tasks, and
the looks at what everybody uses.
"""

from __future__ import annotations

import statistics
import sys
import time

import common
import numpy as np
from sides import run_grid

from bigbar.data.read import Bars, read_bars
from bigbar.machine.other_programs import OtherPrograms
from bigbar.machine.resources import usable_processors
from bigbar.outcome import Outcome

#: It may cost this share of the fan-out.
MOST = 0.03

_ROUNDS = 15


class Side:
    """One way of running the default grid.

    Attributes
    ----------
    outcomes : list of Outcome
        Of every round.
    parent_s : list of float
        Processor time of this process, in which tasks are handed out and results are read.
    """

    def __init__(self, bars: Bars, workers: int, least_workers: int | None) -> None:
        self._bars, self._workers, self._least = bars, workers, least_workers
        self.outcomes: list[Outcome] = []
        self.parent_s: list[float] = []

    def run(self) -> float:
        """Run it once more; seconds of the fan-out."""
        begun = time.process_time()
        outcome = run_grid(self._bars, workers=self._workers, least_workers=self._least)
        self.parent_s.append(time.process_time() - begun)
        self.outcomes.append(outcome)
        return outcome.timings["sweep_s"]


def compare(report: common.Report, sides: dict[str, Side]) -> None:
    """All of them in turns."""
    medians, rounds = common.alternating([side.run for side in sides.values()], _ROUNDS)
    first = next(iter(sides.values())).outcomes[0].table.values
    report.check(
        "every statistic of the default grid, to the last bit",
        all(
            np.array_equal(outcome.table.values, first, equal_nan=True)
            for side in sides.values()
            for outcome in side.outcomes
        ),
    )
    fixed, fixed_parent = medians[0], _processor_s(sides["fixed"])
    for (name, side), median, all_seconds in zip(sides.items(), medians, rounds, strict=True):
        report.line(
            f"fan-out, {name}: median / fastest",
            f"{common.duration(median)} / {common.duration(min(all_seconds))}",
        )
        if name == "fixed":
            continue
        more = median / fixed - 1
        report.line(f"{name} costs", f"{more:+.1%}", f"under {MOST:.0%}", more < MOST)
        fastest = min(all_seconds) / min(rounds[0]) - 1
        report.line(f"{name} costs, fastest against fastest", f"{fastest:+.1%}")
        report.line(
            f"{name}: processor time of the parent, whole run",
            f"{_processor_s(side) / fixed_parent - 1:+.1%}",
        )


def _processor_s(side: Side) -> float:
    return statistics.median(side.parent_s)


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("Workers that follow the machine", arguments)
    bars = read_bars(common.data_file(arguments.data, 20_000))
    workers = usable_processors()
    watch = OtherPrograms()
    watch.look([])
    time.sleep(1.0)
    report.line("processors used by other programs before", f"{watch.look([]):.2f} of {workers}")
    compare(
        report,
        {
            "fixed": Side(bars, workers, None),
            "auto": Side(bars, workers, 1),
            "auto, held at all": Side(bars, workers, workers),
        },
    )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
