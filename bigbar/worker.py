"""What runs inside a pool process: attach once, make the engine, and answer slices by it."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.engines.contract import Engine
from bigbar.engines.find import build_engine, warm_up
from bigbar.engines.reference import BacktestingEngine
from bigbar.job import Job
from bigbar.printable import print_printable
from bigbar.sharing.blocks import BlockHandle, open_block
from bigbar.sharing.frames import Attachment, CarriedFrame, Descriptor, attach
from bigbar.sharing.heap import trim_heap
from bigbar.sharing.objects import SharedObject
from bigbar.slices import Chunk, ChunkResult, GridTask, answer_slice, answered, fill, halves
from bigbar.space import Space
from bigbar.without_charts import import_backtesting

if TYPE_CHECKING:
    from bigbar.engines.any_strategy.class_attributes import ClassAttributes


#: Engines of other jobs that a worker keeps: tasks of one window come together, but the last of
#: one may be done after the first of the next.
_ENGINES_KEPT = 2

#: A machine's witness is not asked for another combination after so many seconds.
_WITNESS_S = 2.0


@dataclass(frozen=True)
class _Desk:
    """What a worker keeps from task to task. The attachment lives as long as any view of it."""

    attachment: Attachment
    file: pd.DataFrame
    job: Job
    engine: Engine
    class_attributes: ClassAttributes | None
    shares_memory: bool


# A desk a thread: where no processes can be had, workers are threads of one process, and an
# engine's buffers serve one thread only.
_local = threading.local()

_ahead_s = 0.0


def start_worker(
    descriptor: Descriptor | CarriedFrame, prepared: SharedObject | None = None
) -> None:
    """Attach to the published bars and make the engine; runs once in each worker.

    Parameters
    ----------
    descriptor : Descriptor or CarriedFrame
        Of the file with its indicator columns, published with a `Job` as its payload. Of one that
        was carried here, a worker returns what it would write into shared memory otherwise.
    prepared : SharedObject, optional
        From `bigbar.engines.contract.prepare`, published beside the file; each worker prepares its
        own where it is not given.
    """
    if multiprocessing.parent_process() is not None:
        print_printable()
    attachment = attach(descriptor)
    job = attachment.payload
    if not isinstance(job, Job):
        raise TypeError(f"published with {type(job).__name__} instead of a Job")
    file = attachment.frame()
    for name in ("reference", "others"):  # Of a job before this one, in the same thread.
        _local.__dict__.pop(name, None)
    warm_up(job)
    attributes = None
    if not job.spec.comes_along:
        import_backtesting()  # Otherwise the next line does, with its charts.
        from bigbar.engines.any_strategy.class_attributes import ClassAttributes

        attributes = ClassAttributes(job.spec.strategy)
    engine = build_engine(file, job, None if prepared is None else attachment.load(prepared))
    trim_heap()
    shares_memory = isinstance(descriptor, Descriptor)
    _local.desk = _Desk(attachment, file, job, engine, attributes, shares_memory)


def desk() -> _Desk:
    """What `start_worker` prepared in this worker, and the strategy's class as it was then.

    An engine that is made now takes the class as it finds it.
    """
    found: _Desk = _local.desk
    if found.class_attributes is not None:
        found.class_attributes.restore()
    return found


def clock() -> float:
    """`time.time` of the process that hands out the work, which may be another machine's."""
    return time.time() + _ahead_s


def set_clock(ahead_s: float) -> None:
    """Say how much the clock of the process that hands out the work is ahead of this one's."""
    global _ahead_s
    _ahead_s = ahead_s


def run_chunk(chunk: Chunk) -> ChunkResult:
    """Answer one slice of the grid.

    Parameters
    ----------
    chunk : tuple of (int, int)
        First combination, and the one after the last.

    Returns
    -------
    ChunkResult
    """
    return answer_slice(desk().engine, chunk)


def witness(numbers: Sequence[int]) -> list[str]:
    """Digests of what some combinations answer here: the same wherever they are computed.

    Parameters
    ----------
    numbers : sequence of int
        Those that there is time for: the first in any case.
    """
    return _digests(desk().engine, numbers)


def witness_of(space: Space, numbers: Sequence[int]) -> list[str]:
    """The same of combinations of another space."""
    return _digests(engine_of(replace(desk().job, space=space)), numbers)


def _digests(engine: Engine, numbers: Sequence[int]) -> list[str]:
    begun, found = time.monotonic(), []
    for number in numbers:
        desk()  # The class as it was.
        rows = answer_slice(engine, (number, number + 1)).rows
        found.append(hashlib.sha256(rows.astype("<f8").tobytes()).hexdigest())
        if time.monotonic() - begun > _WITNESS_S:
            break
    return found


@dataclass(frozen=True)
class ReturnsTask(GridTask):
    """A slice of the grid whose returns are wanted, and where they go if the worker gets there.

    Attributes
    ----------
    start, stop : int
        The slice.
    block : BlockHandle
        Of float32, a row a combination, `periods` columns.
    first : int
        The combination of the block's first row.
    periods : int
    """

    start: int
    stop: int
    block: BlockHandle
    first: int
    periods: int


def run_returns(task: ReturnsTask) -> NDArray[np.float32] | None:
    """Write one slice's returns from period to period into shared memory.

    Parameters
    ----------
    task : ReturnsTask

    Returns
    -------
    ndarray of float32, shape (task.stop - task.start, task.periods), or None
        NaN for combinations that fail. None where they could be written where the task says.
    """
    here = desk()
    returns = _room_for(task, here)
    fill(here.engine.returns, returns, task.start, [])
    return None if here.shares_memory else returns


def _room_for(task: ReturnsTask, here: _Desk) -> NDArray[np.float32]:
    """Where the returns of a task go, as this process sees it; if it does not, room of its own."""
    shape = task.stop - task.start, task.periods
    if not here.shares_memory:
        return np.empty(shape, np.float32)
    return np.frombuffer(
        open_block(task.block, writable=True),
        dtype=np.float32,
        count=shape[0] * shape[1],
        offset=4 * (task.start - task.first) * task.periods,
    ).reshape(shape)


def run_chunk_with_returns(task: ReturnsTask) -> ChunkResult:
    """Answer one slice of the grid, and write its returns into shared memory on the way.

    Parameters
    ----------
    task : ReturnsTask

    Returns
    -------
    ChunkResult
        As of `run_chunk`; the returns of those that failed are NaN.
    """
    here = desk()
    kept = _room_for(task, here)
    kept[:] = np.nan
    engine: Any = here.engine

    def run(start: int, stop: int) -> NDArray[np.float64]:
        rows, returns = engine.run_with_returns(start, stop)
        kept[start - task.start : stop - task.start] = returns
        found: NDArray[np.float64] = rows
        return found

    found = answered(engine, run, (task.start, task.stop))
    return found if here.shares_memory else replace(found, returns=kept)


def halved_returns(task: ReturnsTask) -> list[ReturnsTask]:
    """As `halves`, for a slice whose returns are wanted."""
    return [replace(task, start=a, stop=b) for a, b in halves((task.start, task.stop))]


def engine_of(job: Job) -> Engine:
    """This worker's engine for another job on the same bars; those of the last two are kept.

    Parameters
    ----------
    job : Job

    Returns
    -------
    Engine
    """
    kept: dict[Job, Engine] = _local.__dict__.setdefault("others", {})
    engine = kept.pop(job, None)
    if engine is None:
        while len(kept) >= _ENGINES_KEPT:  # Makes room before the next is made.
            del kept[next(iter(kept))]
        engine = build_engine(desk().file, job)
        trim_heap()
    kept[job] = engine  # The last one used comes last.
    return engine


def reference_engine() -> BacktestingEngine:
    """This worker's `backtesting.py`, made when first asked for: importing it takes a while."""
    here = desk()
    if isinstance(here.engine, BacktestingEngine):
        return here.engine
    if not hasattr(_local, "reference"):
        _local.reference = BacktestingEngine(here.file, here.job)
    found: BacktestingEngine = _local.reference
    return found
