"""A slice of a grid, run and reduced in a worker: only what is kept of it travels."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bigbar.keeping.reduced import Floor, Part, Reduced
from bigbar.keeping.rule import Rule
from bigbar.slices import Chunk, ChunkResult, GridTask, answer_slice, halves
from bigbar.statistics import STATISTICS
from bigbar.worker import desk

#: Combinations whose rows a worker holds at once: some megabytes, and sums stay exact.
_BLOCK = 1 << 14


@dataclass(frozen=True)
class ReducedTask(GridTask):
    """A slice that is to be reduced.

    Attributes
    ----------
    start, stop : int
        The slice.
    rule : Rule
        What is kept.
    floor : Floor
        What a row has to reach, as far as is known when the task is sent.
    """

    start: int
    stop: int
    rule: Rule
    floor: Floor


@dataclass(frozen=True)
class ReducedResult(ChunkResult):
    """What is kept of a slice, in place of its rows.

    Attributes
    ----------
    part : Part
    """

    part: Part | None = None


def run_reduced(task: ReducedTask) -> ReducedResult:
    """Answer a slice, block by block.

    Parameters
    ----------
    task : ReducedTask

    Returns
    -------
    ReducedResult
        Without rows, and without failures: those that are kept are in `part`.
    """
    here = desk()
    index: Any = here.file.index[here.job.bars]
    ends = index[0], index[-1]
    found = Reduced(task.rule, here.job.space, floor=task.floor.score)
    done: list[ChunkResult] = []
    spent = 0.0
    for start in range(task.start, task.stop, _BLOCK):
        one = answer_slice(desk().engine, (start, min(start + _BLOCK, task.stop)))
        begun = time.perf_counter()
        found.add(
            start, one.rows, {failure.number: failure.reason for failure in one.failures}, ends
        )
        spent += time.perf_counter() - begun
        done.append(replace(one, rows=_no_rows(), failures=[]))
        # An engine notes them by their numbers, which are as many as the grid has.
        getattr(here.engine, "fell_back", {}).clear()
    in_python: Counter[str] = Counter()
    for one in done:
        in_python.update(one.in_python)
    return ReducedResult(
        task.start,
        task.stop,
        _no_rows(),
        seconds=spent + sum(one.seconds for one in done),
        begun=done[0].begun,
        worker=done[0].worker,
        processor_s=spent + sum(one.processor_s for one in done),
        in_python=dict(in_python),
        part=found.part(),
    )


def halved_reduced(task: ReducedTask) -> list[ReducedTask]:
    """As `bigbar.slices.halves`, for a slice that is to be reduced."""
    pieces: list[Chunk] = halves((task.start, task.stop))
    return [replace(task, start=start, stop=stop) for start, stop in pieces]


def _no_rows() -> np.ndarray:
    return np.empty((0, len(STATISTICS)))
