"""Rows of earlier runs that a new one need not compute: what two grids share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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

    def is_new(ours: NDArray[np.int64]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = ~done[ours] & (taken[ours] == 0)
        return found

    for number, ours, rows in _in_common(store, runs, grid, is_new, damaged):
        new = is_new(ours)
        values[ours[new]] = rows[new]
        taken[ours[new]] = number
    return taken


@dataclass(frozen=True)
class KnownRows:
    """Rows of other runs by the numbers that their points have in a product.

    Attributes
    ----------
    numbers : ndarray of int64, shape (points,)
        Ascending.
    rows : ndarray of float, shape (points, statistics)
    runs : ndarray of int64, shape (points,)
        Of which run each is.
    """

    numbers: NDArray[np.int64]
    rows: NDArray[np.float64]
    runs: NDArray[np.int64]

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the rows of some points are; -1 where there is none."""
        at = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[at] == numbers, at, -1)


def known_rows(
    store: RunStore, runs: Sequence[Run], product: Space, *, damaged: Callable[[str], None]
) -> KnownRows | None:
    """What other runs of the same context have of a product, for a search through it.

    Parameters
    ----------
    store : RunStore
    runs : sequence of Run
        To take from.
    product : Space
        The whole of it.
    damaged : callable
        Is told of rows that are not as they were written.

    Returns
    -------
    KnownRows or None
        None for nothing.
    """
    found = list(_in_common(store, runs, product, lambda ours: ours >= 0, damaged))
    if not any(len(numbers) for _, numbers, _ in found):
        return None
    # Of a point that several have, the row of the first.
    numbers, first = np.unique(np.concatenate([one[1] for one in found]), return_index=True)
    rows = np.concatenate([one[2] for one in found])
    of_runs = np.concatenate([np.full(len(one[1]), one[0]) for one in found])
    return KnownRows(numbers, rows[first], of_runs[first])


def _in_common(
    store: RunStore,
    runs: Sequence[Run],
    grid: Space,
    is_wanted: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
    damaged: Callable[[str], None],
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64]]]:
    """Runs with the points that a grid shares with them, and their rows; the most first.

    What failed there is left out: it may not fail again. A run is not read for points of which none
    is wanted.
    """
    ranked = sorted(runs, key=lambda run: (grid.count_shared(run.grid), run.id), reverse=True)
    for run in ranked[:_MOST_RUNS]:
        ours, theirs = grid.shared_with(run.grid)
        if not is_wanted(ours).any():
            continue
        wrong: list[str] = []
        found, there = store.values(run, damaged=wrong.append)
        whole = has_its_result(run, found, damaged=wrong.append)
        for what in wrong[:1] if not whole else wrong:
            damaged(what)
        if not whole:
            continue
        usable = there[theirs] & ~np.isnan(found[theirs]).all(axis=1)
        yield run.id, ours[usable], found[theirs[usable]]


def has_its_result(
    run: Run, values: NDArray[np.float64], *, damaged: Callable[[str], None]
) -> bool:
    """Whether the rows of a finished run are those that it came to; of another, nobody knows."""
    from bigbar.results import ResultTable

    if run.state != "finished" or ResultTable(run.grid, values).sha256() == run.result_sha256:
        return True
    damaged(f"the rows of run {run.id} are not those of its result")
    return False
