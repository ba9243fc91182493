"""What is valid of the best of a grid whose rows were not all kept: a sample stands for the rest.

The best were chosen among very many on these very bars, and the rows that are kept beside them are
a fair sample. So the probability of overfitting is about the sample; luck's best over the sample
and the chosen setting does as well at most as often as luck's best over all; the windows of a
walk-forward analysis choose among the sample, for the best of the whole span know what comes.
See docs/validation.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.executors.contract import Unanswered
from bigbar.job import Job
from bigbar.keeping.rule import Rule
from bigbar.space import Space
from bigbar.validation.searched import AskedTask, halved_asked, run_asked
from bigbar.validation.splits import Span
from bigbar.validation.tasks import Imap


@dataclass(frozen=True)
class KeptRows:
    """What a table has the best and a sample of.

    Attributes
    ----------
    rule : Rule
    space : Space
        All that was tried.
    in_sample : ndarray of bool, shape (rows,)
        Which rows of the table are of the sample.
    """

    rule: Rule
    space: Space
    in_sample: NDArray[np.bool_]

    @property
    def product(self) -> Space:
        """All combinations of the parameters."""
        return Space(self.space.parameters)

    def admitted(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which points of the product are of the grid."""
        return self.space.from_product(numbers) >= 0


def run_points(
    numbers: NDArray[np.int64],
    *,
    job: Job,
    choice: Choice,
    span: Span,
    imap: Imap,
    failed: Sequence[int],
) -> NDArray[np.float64]:
    """Objective and number of trades of a few points of the product, on some bars.

    Parameters
    ----------
    numbers : ndarray of int64, shape (points,)
    job : Job
        On the points that are kept; the workers were started on it.
    choice : Choice
    span : tuple of (int, int)
    imap : Imap
    failed : sequence of int
        Combinations of the job that failed: they are not run again.

    Returns
    -------
    ndarray of float, shape (2, points)
        NaN for points that fail.
    """
    found = np.full((2, len(numbers)), np.nan)
    left = np.flatnonzero(~np.isin(numbers, job.space.in_product(np.array(failed, np.int64))))
    kept = job.space.in_product(np.arange(len(job.space)))
    # Behind those of the job: what is known of its own points by their number is not of these.
    space = Space(job.space.parameters, np.concatenate([kept, numbers[left]]), is_sample=True)
    start = len(kept)
    tasks = [AskedTask(start + at, start + at + 1, space, span, choice) for at in range(len(left))]
    for task, result in imap(run_asked, tasks, split=halved_asked):
        if not isinstance(result, Unanswered):
            found[:, left[task.start - start : task.stop - start]] = result
    return found


def note_of(kept: KeptRows, tried: int) -> str:
    """What can be said of a grid of which a part was kept, and what cannot."""
    sample = int(np.count_nonzero(kept.in_sample))
    return (
        f"of {tried:,} combinations the rows of the {kept.rule.top:,} best and of {sample:,} by "
        f"chance were kept (--keep top:{kept.rule.top}): heatmaps and counts are of all; the "
        "probability of overfitting, the quartiles, the distribution and what the windows of "
        "--walk-forward choose among are of the sample; luck's best over all, its band and the "
        "plateau need every row and are left out"
    )
