"""This thread as a worker: for tests of what is handed out to workers, without any process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
