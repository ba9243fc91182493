"""`verify`: a stored run held against `backtesting.py` and against its data, as they are now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bigbar.data import read_bars
from bigbar.engines import BacktestingEngine, Job
from bigbar.errors import DataError
from bigbar.indicators import with_indicators
from bigbar.results import ResultTable
from bigbar.settings import Account, Settings
from bigbar.store.fingerprint import identity_of
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.verification import Reference, compare, differences_text, sample


@dataclass
class Findings:
    """What a check of a stored run came to.

    Attributes
    ----------
    replayed : int
        Combinations run again by `backtesting.py`.
    largest : float
        Largest relative difference of a statistic.
    changed : list of str
        Parts of the fingerprint that are not as they were.
    problems : list of str
        What is wrong; empty where all is well.
    """

    replayed: int = 0
    largest: float = 0.0
    changed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {**vars(self), "ok": not self.problems}


def verify(store: RunStore, run: Run, *, count: int, data: str | None = None) -> Findings:
    """Replay the winner and a sample, and check the digests.

    Parameters
    ----------
    store : RunStore
    run : Run
    count : int
        Combinations to replay besides the winner.
    data : str, optional
        The price file, if it is not where it was.

    Returns
    -------
    Findings

    Raises
    ------
    DataError
        If the price file cannot be read.
    StoreError
        If rows are damaged.
    """
    found = Findings()
    values, done = store.values(run)
    digest = ResultTable(run.grid, values).sha256()
    if run.result_sha256 not in (None, digest):
        found.problems.append("the stored rows are not those of the stored result hash")
    bars = _bars(run, data)
    job = job_of(run)
    if job.stop_bar is not None and job.stop_bar > len(bars.frame):
        found.problems.append(f"the price file has {len(bars.frame):,} bars, fewer than it had")
        return found
    found.changed = run.identity.differences(identity_of(bars.frame, job))
    if "the bars" in found.changed:
        found.problems.append("the bars are not those of the run: the price file has changed")
        return found
    failed = {failure.number for failure in store.failures(run.id)}
    answered = done & ~np.isnan(values).all(axis=1)
    missing = set(np.flatnonzero(~answered).tolist()) | failed
    first = [] if run.best is None else [run.best]
    others = sample(run.combinations, count, 0, without={*first, *missing})
    _replay(found, job, bars, values, [*first, *others])
    return found


def _replay(found: Findings, job: Job, bars: Any, values: Any, numbers: list[int]) -> None:
    """Compare stored rows with what `backtesting.py` answers now."""
    file = with_indicators(bars.frame, job.settings.week_edge_bars)
    reference = BacktestingEngine(file, job)
    close = file["Close"].to_numpy(np.float64)[job.bars]
    for number in numbers:
        replayed = compare(number, values[number], Reference(reference.stats(number), close))
        found.replayed += 1
        found.largest = max(found.largest, replayed.largest)
        if replayed.differences:
            found.problems.append(differences_text(replayed.differences, job.grid))


def job_of(run: Run) -> Job:
    """The job that a run computed, from its identity."""
    parts = run.identity.parts
    account = parts["account"]
    fixed, relative = account["commission"]
    return Job(
        run.grid,
        Settings(
            Account(
                account["cash"],
                (fixed, relative) if fixed else relative,
                account["spread"],
                account["margin"],
            ),
            parts["week_edge_bars"],
        ),
        run.engine,
        (parts["span"][0], parts["span"][1]),
    )


def _bars(run: Run, data: str | None) -> Any:
    path = str(run.data.get("path", "")) if data is None else data
    try:
        return read_bars(path)
    except DataError as problem:
        if data is not None:
            raise
        raise DataError(f"{problem} If the file was moved, name it with --data FILE.") from problem
