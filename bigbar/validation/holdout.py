"""The chosen setting on bars that were put away before anything was optimized."""

from __future__ import annotations

import pandas as pd

from bigbar.job import Job
from bigbar.validation.findings import Holdout
from bigbar.validation.single import prove, run_single, whole_span
from bigbar.validation.tasks import Imap


def open_holdout(
    file: pd.DataFrame, job: Job, number: int, imap: Imap, *, share: float, openings: int
) -> Holdout:
    """Look at the bars held back, for one combination: whoever calls this uses them up.

    The indicators at their first bar come from the bars before, and so do the weeks; cash is what
    every run begins with.

    Parameters
    ----------
    file : DataFrame
        The whole file with its indicators: what the workers were started on.
    job : Job
        What was optimized. All bars after its span are held back.
    number : int
        The combination.
    imap : Imap
        The run is replayed through `backtesting.py` in a worker.
    share : float
        What was asked to be held back.
    openings : int
        How often these bars have been looked at, this time included.

    Returns
    -------
    Holdout

    Raises
    ------
    ValueError
        If the job goes to the end of the file: nothing was held back.
    VerificationError
        If the engine and `backtesting.py` disagree.
    """
    first, split = whole_span(file, job)
    if split == len(file):
        raise ValueError("nothing was held back: the job goes to the end of the file")
    optimized = run_single(file, job, number, (first, split))
    unseen = run_single(file, job, number, (split, len(file)))
    prove([unseen], job.space, imap)
    return Holdout(
        share=share,
        split=file.index[split],
        optimized_bars=split - first,
        unseen_bars=len(file) - split,
        combination=number,
        optimized=optimized.statistics(),
        unseen=unseen.statistics(),
        equity=unseen.equity,
        openings=openings,
    )
