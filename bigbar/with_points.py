"""Tasks on their way to other machines, with the points that a search has asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.job import Job
from bigbar.sharing.asked import AskedSpace
from bigbar.slices import GridTask
from bigbar.space import Space
from bigbar.worker import desk, witness_of


@dataclass(frozen=True)
class WithPoints:
    """A task and the points that it is about.

    Attributes
    ----------
    function : callable
        Of the task.
    task : object
    start : int
        Where the points stand in the task's space, or the worker's.
    numbers : ndarray of int64, shape (points,)
        In the product.
    """

    function: Callable[[Any], Any]
    task: Any
    start: int
    numbers: NDArray[np.int64]


def run_with_points(sent: WithPoints) -> Any:
    """Have the points, and do the task."""
    space = _space_of(sent.task, desk().job)
    if isinstance(space, AskedSpace):
        space.fill(sent.start, sent.numbers)
    return sent.function(sent.task)


def dressing(
    job: Job,
) -> Callable[[Callable[[Any], Any], Any], tuple[Callable[[Any], Any], Any]] | None:
    """What sends points with the tasks of a job; None where its points are known to all."""
    if not isinstance(job.space, AskedSpace):
        return None

    def dressed(function: Callable[[Any], Any], task: Any) -> tuple[Callable[[Any], Any], Any]:
        space, stretch = _space_of(task, job), _stretch_of(task)
        if stretch is None or not isinstance(space, AskedSpace):
            return function, task
        numbers = space.numbers[stretch.start : stretch.stop].copy()
        return run_with_points, WithPoints(function, task, stretch.start, numbers)

    return dressed


def _space_of(task: Any, job: Job) -> Space:
    """Whose points a task names: its own, or those of the job of the workers."""
    own = getattr(task, "space", None)
    return own if isinstance(own, Space) else job.space


def _stretch_of(task: Any) -> range | None:
    """Which points a task is about, by their places; None where it is about none."""
    if isinstance(task, GridTask):
        return range(task.start, task.stop)
    if isinstance(task, tuple) and len(task) == 2 and all(type(one) is int for one in task):
        return range(*task)
    number = getattr(task, "number", None)
    return range(number, number + 1) if isinstance(number, int) else None


def witness_of_points(numbers: Sequence[int]) -> list[str]:
    """As `bigbar.worker.witness`, of points by their numbers in the product."""
    here = desk()
    space = Space(here.job.space.parameters, np.array(numbers, np.int64), is_sample=True)
    return witness_of(space, range(len(numbers)))
