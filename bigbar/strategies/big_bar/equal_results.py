"""The combinations of one ATR period: which need a walk of their own, and whose walk answers them.

Thresholds nest, so two combinations often trade alike. Before any walk: where the same number of
candidates pass, the same candidates pass. After a walk: raising a threshold can only remove
candidates, and removing one that was not traded changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.compiled.jit import compiled_entry, compiled_inner


class WalkTable(NamedTuple):
    """One ATR period's combinations: which walk answers each, -1 where none does yet.

    Attributes
    ----------
    walk_of : ndarray of int32, shape (factors, tails, weights)
        Number of the walk.
    passing : ndarray of int32, shape (factors, tails, weights)
        How many candidates pass the combination's thresholds.
    first, stop : int
        The combinations asked for, counted in that order.
    """

    walk_of: NDArray[np.int32]
    passing: NDArray[np.int32]
    first: int
    stop: int


@compiled_entry
def count_passing(passing, chosen, count, entries, factor_levels):  # type: ignore[no-untyped-def]
    """Write `WalkTable.passing`: a histogram of what candidates pass, summed up along each axis."""
    factors, tails, weights = passing.shape
    passing[:] = 0
    for j in range(count):
        c = chosen[j]
        passing[factor_levels[c] - 1, entries.tail_levels[c], entries.weight_levels[c] - 1] += 1
    for factor in range(factors - 1, -1, -1):
        for tail in range(tails):
            for weight in range(weights - 2, -1, -1):
                passing[factor, tail, weight] += passing[factor, tail, weight + 1]
        for tail in range(1, tails):
            for weight in range(weights):
                passing[factor, tail, weight] += passing[factor, tail - 1, weight]
    for factor in range(factors - 2, -1, -1):
        for tail in range(tails):
            for weight in range(weights):
                passing[factor, tail, weight] += passing[factor + 1, tail, weight]


@compiled_inner
def thresholds_at(table, place):  # type: ignore[no-untyped-def]
    """Thresholds of the combination at a place in the order of the work, as axis positions.

    Loose thresholds come first, so that a walk answers what comes after it: the order of the
    grid, but for the tail ratios, which loosen along their axis.
    """
    _, tails, weights = table.walk_of.shape
    return place // (tails * weights), tails - 1 - place // weights % tails, place % weights


@compiled_inner
def looser_twin(table, thresholds):  # type: ignore[no-untyped-def]
    """Thresholds, one of them looser, that the same candidates pass; the same if there are none.

    Only among the combinations asked for: no other is walked.
    """
    walk_of, passing, first, stop = table
    factor, tail, weight = thresholds
    _, tails, weights = walk_of.shape
    flat = (factor * tails + tail) * weights + weight
    here = passing[factor, tail, weight]
    if weight > 0 and flat - 1 >= first and passing[factor, tail, weight - 1] == here:
        return factor, tail, weight - 1
    if tail + 1 < tails and flat + weights < stop and passing[factor, tail + 1, weight] == here:
        return factor, tail + 1, weight
    if factor > 0 and flat - tails * weights >= first and passing[factor - 1, tail, weight] == here:
        return factor - 1, tail, weight
    return thresholds


@compiled_inner
def is_open(table, thresholds):  # type: ignore[no-untyped-def]
    """Whether a combination is asked for and not answered yet."""
    _, tails, weights = table.walk_of.shape
    factor, tail, weight = thresholds
    flat = (factor * tails + tail) * weights + weight
    return table.first <= flat < table.stop and table.walk_of[factor, tail, weight] < 0


@compiled_inner
def next_to_walk(table, place):  # type: ignore[no-untyped-def]
    """The first place from `place` on that needs a walk, or the number of places."""
    while place < table.walk_of.size:
        thresholds = thresholds_at(table, place)
        if is_open(table, thresholds) and looser_twin(table, thresholds) == thresholds:
            break
        place += 1
    return place


@compiled_inner
def answer(table, thresholds, least, number):  # type: ignore[no-untyped-def]
    """Note a walk for every combination whose thresholds all of its trades still pass.

    Parameters
    ----------
    table : WalkTable
    thresholds : tuple of three int
        Of the combination walked.
    least : tuple of three int
        The thresholds that every trade still passes, from the walk.
    number : int
        Of the walk.
    """
    factor, tail, weight = thresholds
    least_factor, tightest_tail, least_weight = least
    factors, _, weights = table.walk_of.shape
    table.walk_of[
        factor : min(least_factor, factors),
        tightest_tail : tail + 1,
        weight : min(least_weight, weights),
    ] = number


@compiled_entry
def copy_twins(table):  # type: ignore[no-untyped-def]
    """Answer the combinations that were left to their looser twins, which come before them."""
    for place in range(table.walk_of.size):
        thresholds = thresholds_at(table, place)
        if is_open(table, thresholds):
            table.walk_of[thresholds] = table.walk_of[looser_twin(table, thresholds)]
