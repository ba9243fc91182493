"""Rows of earlier runs that a new one need not compute: what two grids share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bigbar.space import Space
from bigbar.store.records import Run
from bigbar.store.runs import RunStore

#: From no more than so many runs: each has to be read whole.
_MOST_RUNS = 5


def take_over(
    store: RunStore,
    runs: Sequence[Run],
    grid: Space,
    values: NDArray[np.float64],
    done: NDArray[np.bool_],
    *,
    damaged: Callable[[str], None],
) -> NDArray[np.int64]:
    """Fill in rows from other runs of the same context, from those that share most.

    Parameters
    ----------
    store : RunStore
    runs : sequence of Run
        To take from.
    grid : Space
    values : ndarray of float, shape (combinations, statistics)
        Filled in where `done` says that nothing is there yet.
    done : ndarray of bool, shape (combinations,)
        Not changed.
    damaged : callable
        Is told of rows that are not as they were written.

    Returns
    -------
    ndarray of int, shape (combinations,)
        Of which run each row was taken; 0 where none was.
    """
    taken = np.zeros(len(done), dtype=np.int64)
    ranked = sorted(runs, key=lambda run: (grid.count_shared(run.grid), run.id), reverse=True)
    for run in ranked[:_MOST_RUNS]:
        ours, theirs = grid.shared_with(run.grid)
        wanted = ~done[ours] & (taken[ours] == 0)
        if not wanted.any():
            continue
        wrong: list[str] = []
        found, there = store.values(run, damaged=wrong.append)
        whole = has_its_result(run, found, damaged=wrong.append)
        for what in wrong[:1] if not whole else wrong:
            damaged(what)
        if not whole:
            continue
        wanted &= there[theirs] & ~np.isnan(found[theirs]).all(axis=1)  # What failed may not again.
        values[ours[wanted]] = found[theirs[wanted]]
        taken[ours[wanted]] = run.id
    return taken


def has_its_result(
    run: Run, values: NDArray[np.float64], *, damaged: Callable[[str], None]
) -> bool:
    """Whether the rows of a finished run are those that it came to; of another, nobody knows."""
    from bigbar.results import ResultTable

    if run.state != "finished" or ResultTable(run.grid, values).sha256() == run.result_sha256:
        return True
    damaged(f"the rows of run {run.id} are not those of its result")
    return False
