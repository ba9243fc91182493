"""This thread as a worker: for tests of what is handed out to workers, without any process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

import bigbar.worker
from bigbar.job import Job
from bigbar.sharing.frames import publish
from bigbar.worker import start_worker


@contextmanager
def worker_here(file: pd.DataFrame, job: Job) -> Iterator[None]:
    """Start this thread as a worker of a job; its desk is cleared away afterwards."""
    with publish(file, job) as publication:
        start_worker(publication.descriptor)
        try:
            yield
        finally:
            bigbar.worker._local.__dict__.clear()


def one_by_one(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    *,
    split: Callable[[Any], Sequence[Any]] | None = None,
) -> Iterator[tuple[Any, Any]]:
    """What a pool does with tasks, in this thread: see `bigbar.validation.tasks.Imap`."""
    return ((task, function(task)) for task in tasks)
