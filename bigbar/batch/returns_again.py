"""The returns of every combination of a run that was done before: no file holds them."""

from __future__ import annotations

from functools import partial

from bigbar.data.read import Bars
from bigbar.job import Job
from bigbar.outcome import Outcome
from bigbar.progress.events import Listener
from bigbar.request import Request
from bigbar.results import ResultTable
from bigbar.sweep import limit_of, throttle_of
from bigbar.validation.examine import timed_returns
from bigbar.validation.tasks import sparing
from bigbar.worker_setup import WorkerSetup, among_workers, placed


def returns_again(bars: Bars, job: Job, request: Request, listener: Listener) -> None:
    """Have the workers compute the returns of every combination, and tell the listener.

    Parameters
    ----------
    bars : Bars
    job : Job
        What was run.
    request : Request
        How it is carried out.
    listener : Listener
        Is told by `Listener.returns`.
    """
    outcome = Outcome(
        job, request.execution, request.choice, bars, ResultTable.empty(job.space), request.plan
    )

    def work(setup: WorkerSetup) -> None:
        imap = sparing(
            partial(setup.pool.imap_unordered, throttle=throttle_of(outcome)),
            {},
            limit=limit_of(outcome),
            progress=listener.validated,
        )
        returns, times, annual, _ = timed_returns(setup.file, job, imap)
        listener.returns(returns, times, annual)

    with placed(outcome.execution, listener):
        among_workers(outcome, listener, work)
