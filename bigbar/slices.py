"""A slice of the grid and the answer to it: by an engine, with the combinations that raise."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bigbar.engines.contract import Engine
from bigbar.statistics import STATISTICS

Chunk = tuple[int, int]
_Float = TypeVar("_Float", np.float32, np.float64)

#: No errors by their kind, but a strategy that raises one has failed all the same. Signals do not
#: come as exceptions here.
RAISED = (KeyboardInterrupt, GeneratorExit)


@dataclass(frozen=True)
class Failure:
    """A combination that raised, or that its worker did not survive.

    Attributes
    ----------
    number : int
        The combination.
    reason : str
        The traceback, or how the worker ended.
    """

    number: int
    reason: str


@dataclass(frozen=True)
class ChunkResult:
    """The answer to one slice of the grid.

    Attributes
    ----------
    start, stop : int
        The slice.
    rows : ndarray of float, shape (stop - start, statistics)
        NaN for the combinations that failed.
    failures : list of Failure
    seconds : float
        Time spent on the slice in the worker.
    begun : float
        When that was, by `time.monotonic`, whose clock all processes share.
    worker : int
        Its process id, or its thread's where workers are threads; of another machine's see
        `bigbar.worker_names`.
    processor_s : float
        Of `seconds`, on a processor.
    in_python : dict of str to int
        Why combinations that are compiled otherwise were run by `backtesting.py`, and how many.
    returns : ndarray of float32, shape (stop - start, periods), optional
        Where they were asked for, and could not be written where the task says.
    """

    start: int
    stop: int
    rows: NDArray[np.float64]
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    begun: float = 0.0
    worker: int = 0
    processor_s: float = 0.0
    in_python: dict[str, int] = field(default_factory=dict)
    returns: NDArray[np.float32] | None = None

    def seen_from_elsewhere(self, *, ahead_s: float, worker: int) -> ChunkResult:
        """The same by another machine's clock, which is so much ahead, and name for the worker."""
        return replace(self, begun=self.begun + ahead_s, worker=worker)


class GridTask:
    """A task that is a slice of the grid: a frozen dataclass with these fields among others.

    Attributes
    ----------
    start, stop : int
        First combination, and the one after the last.
    """

    start: int
    stop: int


def halves(chunk: Chunk) -> list[Chunk]:
    """A slice that killed its worker, in two halves; a single combination stays whole."""
    start, stop = chunk
    if stop - start == 1:
        return [chunk]
    middle = (start + stop) // 2
    return [(start, middle), (middle, stop)]


def answer_slice(engine: Engine, chunk: Chunk) -> ChunkResult:
    """Answer one slice of the grid by a given engine."""
    return answered(engine, engine.run, chunk)


def answered(
    engine: Engine, run: Callable[[int, int], NDArray[np.float64]], chunk: Chunk
) -> ChunkResult:
    """Answer one slice of the grid by a function of its ends, and tell how the engine did it."""
    start, stop = chunk
    begun, clock, processor = time.monotonic(), time.perf_counter(), time.thread_time()
    compiling = getattr(engine, "preparing_s", 0.0)
    failures: list[Failure] = []
    rows = _attempt(run, start, stop, failures)
    if rows is None:
        rows = np.empty((stop - start, len(STATISTICS)))
        _fill_halves(run, rows, start, failures)
    # Compiling, which a worker does once, says nothing about the next slice.
    compiling = getattr(engine, "preparing_s", 0.0) - compiling
    spent = max(0.0, time.perf_counter() - clock - compiling)
    used = max(0.0, time.thread_time() - processor - compiling)
    left: Mapping[int, str] = getattr(engine, "fell_back", {})
    in_python = dict(Counter(left[one] for one in range(start, stop) if one in left))
    return ChunkResult(start, stop, rows, failures, spent, begun, _worker(), used, in_python)


def _worker() -> int:
    in_a_process = multiprocessing.parent_process() is not None
    return os.getpid() if in_a_process else threading.get_native_id()


def fill(
    run: Callable[[int, int], NDArray[_Float]],
    rows: NDArray[_Float],
    start: int,
    failures: list[Failure],
) -> None:
    """Run the slice of these rows; where it raises, halve it until those to blame stand alone."""
    found = _attempt(run, start, start + len(rows), failures)
    if found is None:
        _fill_halves(run, rows, start, failures)
    else:
        rows[:] = found


def _attempt(
    run: Callable[[int, int], NDArray[_Float]], start: int, stop: int, failures: list[Failure]
) -> NDArray[_Float] | None:
    """What a slice gives, or None where it raises; a combination alone is to blame then.

    The error ends here: while it is handled it keeps alive all that the engine had when it
    failed. After a `MemoryError` there would be no memory for the halves.
    """
    try:
        return run(start, stop)
    except (Exception, *RAISED):
        if stop - start == 1:
            failures.append(Failure(start, traceback.format_exc()))
        return None


def _fill_halves(
    run: Callable[[int, int], NDArray[_Float]],
    rows: NDArray[_Float],
    start: int,
    failures: list[Failure],
) -> None:
    """What a slice that raised gives in parts; NaN where it is a single combination."""
    if len(rows) == 1:
        rows[:] = np.nan
        return
    for first, last in halves((start, start + len(rows))):
        fill(run, rows[first - start : last - start], first, failures)
