"""Probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV).

Bailey, Borwein, López de Prado and Zhu, "The probability of backtest overfitting" (2017). The
periods are cut into an even number of contiguous blocks. Each half of the blocks in turn is what
one optimizes on; the other half shows what its winner is worth. Only sums and sums of squares of
the blocks are needed, and each pair of complementary halves once.

What does not vary in a half (a combination that does not trade there) performs 0: it cannot win
in sample, and out of sample it stands between those that gain and those that lose.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bigbar.machine.resources import usable_processors
from bigbar.validation.findings import Overfitting

Floats = NDArray[np.float64]

#: Blocks of periods: 252 splits as a rule, 12,870 for a thorough look.
BLOCKS, THOROUGH_BLOCKS = 10, 16

#: A block of fewer periods says nothing.
LEAST_BLOCK = 2

#: Combinations whose blocks are summed together.
_ROWS = 4096

#: Makes 0 / 0 a zero, and changes no sum of squares that is not zero.
_NEXT_TO_NOTHING = 1e-300


@dataclass(frozen=True)
class BlockSums:
    """What CSCV needs to know of the returns.

    Attributes
    ----------
    lengths : ndarray of float, shape (blocks,)
        Periods of each block.
    sums, squares : ndarray of float, shape (blocks, kinds)
        Sums of the returns, and of their squares, over each block.
    numbers : ndarray of int, shape (kinds,)
        The lowest combination of each kind.
    weights : ndarray of float, shape (kinds,)
        Combinations of each kind.
    by_growth : bool
        Performance is the mean of the log returns, which ranks as the total return does, instead
        of mean / standard deviation (ddof 1) of the returns.
    """

    lengths: Floats
    sums: Floats
    squares: Floats
    numbers: NDArray[np.intp]
    weights: Floats
    by_growth: bool

    def __len__(self) -> int:
        return len(self.lengths)


def block_sums(
    returns: NDArray[np.floating],
    blocks: int,
    *,
    rows: NDArray[np.intp] | None = None,
    counts: NDArray[np.intp] | None = None,
    by_growth: bool = False,
) -> BlockSums:
    """Cut the periods into blocks and add each up.

    Parameters
    ----------
    returns : ndarray of float, shape (combinations, periods)
    blocks : int
        Even. Where they do not divide the periods, some blocks are one period longer, spread
        evenly.
    rows : ndarray of int, optional
        The combinations to take, one of each kind; all by default.
    counts : ndarray of int, optional
        How many combinations each row stands for; 1 by default.
    by_growth : bool, optional
        See `BlockSums`.

    Returns
    -------
    BlockSums
    """
    rows = np.arange(len(returns)) if rows is None else rows
    counts = np.ones(len(rows), np.intp) if counts is None else counts
    edges = np.arange(blocks + 1) * returns.shape[1] // blocks
    sums, squares = np.empty((2, blocks, len(rows)))
    for start in range(0, len(rows), _ROWS):
        into = slice(start, start + _ROWS)
        part = returns[rows[into]].astype(np.float64)
        if by_growth:
            part = np.log1p(part)
        sums[:, into] = np.add.reduceat(part, edges[:-1], axis=1).T
        squares[:, into] = np.add.reduceat(part * part, edges[:-1], axis=1).T
    return BlockSums(
        np.diff(edges).astype(np.float64),
        sums,
        squares + _NEXT_TO_NOTHING,
        rows,
        counts.astype(np.float64),
        by_growth,
    )


def halves(blocks: int) -> list[tuple[int, ...]]:
    """The ways of taking half of the blocks, without the complements: all with the first block."""
    rest = itertools.combinations(range(1, blocks), blocks // 2 - 1)
    return [(0, *others) for others in rest]


def overfitting(blocks: BlockSums, *, threads: int | None = None) -> Overfitting | None:
    """Optimize on each half of the blocks, and look at the winner on the other.

    Parameters
    ----------
    blocks : BlockSums
    threads : int, optional
        As many as there are processors by default; the result is the same for any number.

    Returns
    -------
    Overfitting or None
        None where there are fewer than two combinations to rank, or no half has a winner.
        A rank is 1 for the worst; equal performances share their mean rank.
    """
    if blocks.weights.sum() < 2:
        return None
    picks = halves(len(blocks))
    threads = threads or usable_processors()
    size = -(-len(picks) // (4 * threads))
    parts = [picks[start : start + size] for start in range(0, len(picks), size)]
    with ThreadPoolExecutor(threads) as pool:
        found = np.concatenate(list(pool.map(lambda part: _winners(blocks, part), parts)))
    # In the order of itertools.combinations a complement stands as far from the end.
    return _summarize(np.concatenate([found[:, 0], found[::-1, 1]]), blocks)


def _winners(blocks: BlockSums, picks: Sequence[tuple[int, ...]]) -> Floats:
    """For splits and their complements the winner's kind, performance in and out, and rank.

    Returns
    -------
    ndarray of float, shape (splits, 2, 4)
    """
    found = np.empty((len(picks), 2, 4))
    first, second = _Halves(blocks), _Halves(blocks)
    for number, pick in enumerate(picks):
        # Not the total less the first half: where nothing happened, rounding would leave a trace.
        # Backwards, because complements of neighbouring picks end alike.
        others = tuple(block for block in reversed(range(len(blocks))) if block not in pick)
        here, there = first.of(pick), second.of(others)
        found[number, 0] = _judge(here, there, blocks.weights)
        found[number, 1] = _judge(there, here, blocks.weights)
    return found


class _Halves:
    """Half of the blocks after another; what a pick begins with like the last is not added anew."""

    def __init__(self, blocks: BlockSums) -> None:
        self._blocks = blocks
        depth, kinds = len(blocks) // 2, blocks.sums.shape[1]
        self._sums, self._squares = np.empty((2, depth, kinds))
        self._pick: tuple[int, ...] = ()

    def of(self, pick: tuple[int, ...]) -> _Half:
        """Good until the next one is asked for."""
        blocks, same = self._blocks, 0
        while same < len(self._pick) and pick[same] == self._pick[same]:
            same += 1
        for running, values in ((self._sums, blocks.sums), (self._squares, blocks.squares)):
            for level in range(same, len(pick)):
                if level:
                    np.add(running[level - 1], values[pick[level]], out=running[level])
                else:
                    running[0] = values[pick[0]]
        self._pick = pick
        periods = float(blocks.lengths[list(pick)].sum())
        return _Half(self._sums[-1], self._squares[-1], periods, by_growth=blocks.by_growth)


class _Half:
    """Every combination's performance on half of the blocks.

    Ranks need only something that rises with mean / standard deviation: s·|s| / q, of the sum s
    and the sum of squares q. The performance itself is worked out for the winners alone.
    """

    def __init__(self, sums: Floats, squares: Floats, periods: float, *, by_growth: bool) -> None:
        self._squares, self._periods, self._by_growth = squares, periods, by_growth
        if by_growth:
            self.order = sums.copy()
        else:
            self.order = np.abs(sums)
            self.order *= sums
            self.order /= squares

    def best(self) -> int | None:
        """The winner, the lowest of several equal ones; None where nothing varies."""
        best = int(self.order.argmax())
        if self.order[best] > 0.0:
            return best
        # All lose, or do nothing: what does nothing has not won.
        varies = self._squares > 1e6 * _NEXT_TO_NOTHING
        if not varies.any():
            return None
        return int(np.where(varies, self.order, -np.inf).argmax())

    def performance(self, number: int) -> float:
        """Mean per period, over the standard deviation (ddof 1) unless by growth."""
        order, periods = float(self.order[number]), self._periods
        if self._by_growth:
            return order / periods
        scatter = 1.0 - abs(order) / periods  # The share of the mean square that is variance.
        if scatter <= 0.0:
            return math.copysign(math.inf, order)
        ratio = math.sqrt(abs(order) / periods) / math.sqrt(scatter * periods / (periods - 1.0))
        return math.copysign(ratio, order)


def _judge(inside: _Half, outside: _Half, weights: Floats) -> tuple[float, ...]:
    """Kind, performance inside and outside, and rank of the winner inside; NaN for none."""
    best = inside.best()
    if best is None:
        return math.nan, math.nan, math.nan, math.nan
    level = outside.order[best]
    # Not a BLAS product: its threads and ours would get into each other's way.
    below = float(np.einsum("i,i", outside.order < level, weights))
    equal = outside.order == level
    same = weights[best] if np.count_nonzero(equal) == 1 else weights[equal].sum()
    rank = below + (float(same) + 1.0) / 2.0
    return best, inside.performance(best), outside.performance(best), rank


def _summarize(found: Floats, blocks: BlockSums) -> Overfitting | None:
    found = found[~np.isnan(found[:, 0])]
    if not len(found):
        return None
    kinds, inside, outside, ranks = found.T.copy()
    share = ranks / (blocks.weights.sum() + 1.0)
    logits = np.log(share / (1.0 - share))
    slope, intercept = _line(inside, outside)
    return Overfitting(
        blocks=len(blocks),
        splits=len(found),
        # Not logits <= 0: the logarithm of a share just at one half may round to either side.
        pbo=float(np.mean(2.0 * ranks <= blocks.weights.sum() + 1.0)),
        loss_share=float(np.mean(outside < 0.0)),
        slope=slope,
        intercept=intercept,
        mean_logit=float(logits.mean()),
        winners=blocks.numbers[kinds.astype(np.intp)],
        ranks=ranks,
        in_sample=inside,
        out_of_sample=outside,
    )


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and intercept by least squares; NaN where the x are all the same, or not finite."""
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or x.min() == x.max():
        return math.nan, math.nan
    deviations = x - x.mean()
    slope = float(deviations @ (y - y.mean()) / (deviations @ deviations))
    return slope, float(y.mean() - slope * x.mean())
