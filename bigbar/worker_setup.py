"""The workers of a run on the published bars: started, watched, and cleared away."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
import psutil

from bigbar.cluster_setup import supplies_for
from bigbar.engines.contract import Engine
from bigbar.engines.find import build_engine, kind_of, prepare, warm_up
from bigbar.engines.stack_room import with_room
from bigbar.executors.contract import Executor
from bigbar.executors.find import Processes, check_cluster, connected, start_executor
from bigbar.executors.throttle import Throttle
from bigbar.machine.resources import BLIND, resident_memory, seen_processors, usable_processors
from bigbar.machine.watch import Watcher
from bigbar.outcome import Execution, Memory, Outcome
from bigbar.progress.events import Listener
from bigbar.sharing.blocks import SHARED_MEMORY_IN_USE
from bigbar.sharing.frames import Publication, publish
from bigbar.sharing.heap import trim_heap
from bigbar.sharing.objects import SharedObject
from bigbar.worker import start_worker


@dataclass(frozen=True)
class WorkerSetup:
    """What is there while a run goes on: bars, engine and workers."""

    file: pd.DataFrame
    publication: Publication
    engine: Engine
    pool: Executor


@contextmanager
def placed(execution: Execution, listener: Listener) -> Iterator[Execution]:
    """Be where the workers are, for the block: on a cluster, with as many as it has now.

    Raises
    ------
    SettingsError
        If there is no such cluster.
    """
    with connected(execution.cluster, listener.event) as processors:
        yield execution if processors is None else replace(execution, workers=max(1, processors))


def workers_here(execution: Execution) -> int:
    """How many workers there are on this machine, as far as they are this run's own."""
    if execution.cluster is None:
        return execution.workers
    return check_cluster(execution.cluster) or 0


def among_workers(
    outcome: Outcome, listener: Listener, work: Callable[[WorkerSetup], None]
) -> None:
    """Publish the bars, start workers on them, do some work, and leave nothing behind."""
    publication: Publication | None = None
    pool: Executor | None = None
    SHARED_MEMORY_IN_USE.begin()
    try:
        with outcome.timed("prepare_s"):
            file = outcome.job.spec.columns(outcome.bars.frame)
        with outcome.timed("publish_s"):
            publication = publish(file, outcome.job)
            outcome.shared_kind = publication.kind
            file = publication.attachment.frame()  # The only copy from here on.
        engine, prepared = _build_and_compile(outcome, publication, listener)
        if publication.reason:
            listener.event(publication.reason)
        if outcome.execution.cluster is None:
            listener.shared(publication, outcome.execution.workers)
        with outcome.timed("start_workers_s"):
            pool = _start_pool(outcome, publication, prepared, listener)
            if outcome.execution.cluster is not None:
                listener.machines(publication, pool.machines())
            outcome.watcher = _watch(outcome, pool, listener)
        work(WorkerSetup(file, publication, engine, pool))
    finally:
        outcome.shared_bytes = SHARED_MEMORY_IN_USE.most
        with outcome.timed("clean_up_s"):
            try:
                if outcome.watcher is not None:
                    outcome.watcher.stop()
                if pool is not None:
                    pool.close()
            finally:
                if outcome.returns is not None:
                    outcome.returns.close()
                    outcome.returns = None
                if publication is not None:
                    publication.close()


def _build_and_compile(
    outcome: Outcome, publication: Publication, listener: Listener
) -> tuple[Engine, SharedObject | None]:
    """The parent's own engine, and what it shares with those of the workers.

    Workers that are forked inherit what was compiled for it.
    """
    job, attachment = outcome.job, publication.attachment
    file = attachment.frame()
    with outcome.timed("compile_s"):
        kind = kind_of(job.spec, job.engine)
        if kind.warm_up is not None:
            from bigbar.compiled.jit import is_cached

            if not is_cached(kind.compiles):
                listener.compiling()
        with_room(partial(warm_up, job))
        if kind.warm_up is not None:
            from bigbar.compiled.jit import what_to_say

            for said in what_to_say():
                listener.event(said)
        prepared = prepare(file, job)
        shared = None if prepared is None else publication.share(prepared)
        if shared is not None:
            prepared = attachment.load(shared)
            trim_heap()  # The copy that was published.
        return build_engine(file, job, prepared), shared


def _start_pool(
    outcome: Outcome,
    publication: Publication,
    prepared: SharedObject | None,
    listener: Listener,
) -> Executor:
    execution = outcome.execution
    pool = start_executor(
        Processes(
            min(execution.workers, len(outcome.job.space)),
            start_method=execution.start_method,
            initializer=start_worker,
            initargs=(publication.descriptor, prepared),
            growth=None if outcome.budget is None else outcome.budget.growth,
        ),
        None if execution.cluster is None else lambda: supplies_for(outcome, publication, prepared),
        on_event=listener.event,
    )
    try:
        outcome.workers_kind = pool.kind  # Starts the workers.
    except BaseException:  # A signal meanwhile: nobody else knows of the pool yet.
        pool.close()
        raise
    outcome.start_method = multiprocessing.get_context(execution.start_method).get_start_method()
    return pool


def _watch(outcome: Outcome, pool: Executor, listener: Listener) -> Watcher:
    """Look at the run from here on; with `--workers auto`, also at everything else."""
    execution = outcome.execution
    if execution.timeout is not None and pool.kind == "threads":
        listener.event("threads cannot be ended: no combination can take too long")
    throttle = None if execution.least_workers is None else Throttle(pool.workers)
    watcher = Watcher(
        pool,
        throttle=throttle,
        least=execution.least_workers or 1,
        processors=usable_processors(),
        seen=seen_processors(),
        memory_limit=0 if outcome.budget is None else outcome.budget.memory_limit,
    )
    watcher.start()
    return watcher


def memory_of(file: pd.DataFrame, publication: Publication, pool: Executor, workers: int) -> Memory:
    """What the bars and the processes hold now."""
    data = int(file.memory_usage(index=True, deep=True).sum())
    return Memory(
        data=data,
        shared=publication.nbytes,
        parent=_alone(os.getpid()) or resident_memory(),
        workers=tuple(held for pid in pool.worker_pids() if (held := _alone(pid))),
        independent=data * workers,
    )


def _alone(pid: int) -> int:
    """Memory that only this process holds, in bytes; 0 where that cannot be read."""
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except BLIND:
        return 0
