"""Walk-forward against one grid: twelve windows of the default grid on 20,000 bars.

Both go through the same two workers, in turns. The windows' winners are checked against the whole
table of each training window, and replayed through `backtesting.py`, which is part of the time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import common
import pandas as pd

from bigbar.choice import Choice
from bigbar.data.read import read_bars
from bigbar.engines.find import build_engine
from bigbar.executors.chunks import chunks_in_order
from bigbar.executors.local import WorkerPool
from bigbar.job import Job
from bigbar.results import ResultTable
from bigbar.sharing.frames import publish
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.parameters import Settings, parse_grid
from bigbar.validation.findings import WalkForward
from bigbar.validation.walk_forward import Winners, walk_forward
from bigbar.worker import run_chunk, start_worker

_WINDOWS, _SHARE, _WORKERS = 12, 0.25, 2
_CHOICE = Choice.by_name("Return [%]")

#: Combinations a task of one grid.
_CHUNK = 4960

Analyse = Callable[..., WalkForward]


@contextmanager
def workers(file: pd.DataFrame, job: Job) -> Iterator[tuple[Callable[[], None], Analyse]]:
    """One grid, and a walk-forward analysis, by the same workers."""
    with (
        publish(file, job) as publication,
        WorkerPool(
            _WORKERS,
            start_method=None,
            initializer=start_worker,
            initargs=(publication.descriptor,),
        ) as pool,
    ):

        def one_grid() -> None:
            chunks = chunks_in_order(len(job.space), _CHUNK)
            for _ in pool.imap_unordered(run_chunk, chunks):
                pass

        def analyse(*, anchored: bool) -> WalkForward:
            winners = Winners(job, _CHOICE, pool.imap_unordered, slices=2 * _WORKERS)
            return walk_forward(
                file, job, winners, windows=_WINDOWS, share=_SHARE, anchored=anchored
            )

        yield one_grid, analyse


def right_winners(file: pd.DataFrame, job: Job, found: WalkForward) -> bool:
    """Whether every window's winner is the best of the window's whole table."""
    tables = []
    for one in found.windows:
        engine = build_engine(file, replace(job, span=one.train))
        tables.append(ResultTable(job.space, engine.run(0, len(job.space))))
    return [one.combination for one in found.windows] == [table.best(_CHOICE) for table in tables]


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("Walk-forward", arguments)
    bars = read_bars(common.data_file(arguments.data, 20_000))
    job = job_of(parse_grid(), Settings(), "compiled")
    file = job.spec.columns(bars.frame)
    with workers(file, job) as (one_grid, analyse):
        found = analyse(anchored=False)
        report.check(
            f"the winner of each of {_WINDOWS} windows, with its whole table",
            right_winners(file, job, found),
        )
        report.check("winners replayed on both of their windows", found.replayed == 2 * _WINDOWS)
        (grid_s, rolling_s, anchored_s), _ = common.alternating(
            [lambda: common.seconds(one_grid),
             lambda: common.seconds(lambda: analyse(anchored=False)),
             lambda: common.seconds(lambda: analyse(anchored=True))],
            rounds=5,
        )  # fmt: skip
    report.line(f"one grid, {len(file):,} bars, {_WORKERS} workers", common.duration(grid_s))
    for name, seconds in (("rolling", rolling_s), ("anchored", anchored_s)):
        times = seconds / grid_s
        report.line(f"{_WINDOWS} windows, {name}, with replays", common.duration(seconds))
        report.line(f"  in grids ({name})", f"{times:.1f}", "under 15", times < 15)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
