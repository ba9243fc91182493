"""Rows that a run has from its store: some are computed again, and one that is wrong costs all.

Checksums say that a row is as it was written, not that it was right then: memory decays as well,
and whoever writes a file by hand can seal it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bigbar.outcome import Outcome
from bigbar.progress.events import Listener
from bigbar.store.recorder import Recorder
from bigbar.verification.replay import Difference, first_difference


def sources(outcome: Outcome) -> NDArray[np.int64]:
    """From which run each row was taken out of the store; 0 where it was not, or failed.

    Returns
    -------
    ndarray of int, shape (combinations,)
    """
    carried = outcome.carried
    found = carried.taken.copy()
    if carried.run is not None and not carried.computed:
        found[carried.done] = carried.run
        found[[failure.number for failure in carried.failures]] = 0
    return found


def wrong_rows(outcome: Outcome, start: int, computed: NDArray[np.float64]) -> list[Difference]:
    """Rows of the store that are not what their combinations compute to, to the last bit.

    Parameters
    ----------
    outcome : Outcome
    start : int
        The first combination of those that were computed.
    computed : ndarray of float, shape (combinations, statistics)
        NaN where one failed, which says nothing of its row in the store.
    """
    stop = start + len(computed)
    stored, blank = outcome.table.values[start:stop], np.isnan(computed)
    there = (sources(outcome)[start:stop] > 0) & ~blank.all(axis=1)
    same = (stored.view(np.int64) == computed.view(np.int64)) | (np.isnan(stored) & blank)
    found = (
        first_difference(start + place, stored[place], computed[place])
        for place in np.flatnonzero(there & ~same.all(axis=1)).tolist()
    )
    return [difference for difference in found if difference is not None]


def sample_stored(outcome: Outcome, count: int) -> list[int]:
    """Rows out of the store to replay: so many at random, of each run in turn."""
    found = np.where(outcome.kept, sources(outcome), 0)
    random = np.random.default_rng(outcome.execution.seed)
    runs = np.unique(found[found > 0])[::-1]
    drawn = [random.permutation(np.flatnonzero(found == run))[:count].tolist() for run in runs]
    turns = [of[turn] for turn in range(count) for of in drawn if turn < len(of)]
    return turns[:count]


def distrust(
    outcome: Outcome,
    listener: Listener,
    recorder: Recorder,
    wrong: Sequence[Difference],
    *,
    computed: NDArray[np.bool_],
) -> None:
    """Believe nothing of the store any more: what came from there is to be computed again.

    The runs that the wrong rows are of are never taken from again.

    Parameters
    ----------
    outcome : Outcome
    listener : Listener
    recorder : Recorder
    wrong : sequence of Difference
        Stored rows (`engine`), and what they compute to (`reference`).
    computed : ndarray of bool, shape (combinations,)
        What this attempt has computed by now: all that is left.
    """
    carried, table, first = outcome.carried, outcome.table, wrong[0]
    found = sources(outcome)
    runs = sorted({int(found[one.number]) for one in wrong})
    why = (
        f"{first.what} of combination {first.number} was stored as {first.engine!r} and is "
        f"{first.reference!r}"
    )
    listener.event(
        f"run {' and '.join(map(str, runs))} holds wrong rows ({why}); nothing of it is used, and "
        "all that came from the store is computed again"
    )
    outcome.failures = [one for one in outcome.failures if computed[one.number]]
    table.values[~computed] = np.nan
    recorder.distrust(runs, why, done=computed, values=table.values, failures=outcome.failures)
    carried.done, carried.taken = computed.copy(), np.zeros_like(carried.taken)
    carried.failures, carried.retry, carried.computed = list(outcome.failures), None, True
    outcome.resumed = outcome.reused = 0
    outcome.broke_off.clear()  # It is attempted again.
    outcome.kept = np.zeros_like(computed)
    outcome.changed()
