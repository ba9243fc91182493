"""A slice of the grid through the compiled kernel: candidates once, then a hop per combination."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.grid import Grid
from bigbar.kernel.jit import compiled
from bigbar.kernel.market import Market
from bigbar.kernel.signals import (
    big_bars,
    compiled_average_true_range,
    exit_bars,
    next_lower_low,
    tail_levels,
)
from bigbar.kernel.summary import day_growth, mean_logs, statistics_rows
from bigbar.kernel.trades import AccountNumbers, TradeArrays, walk
from bigbar.settings import Account
from bigbar.statistics import STATISTICS

#: Day ends and trades of a block of combinations stay within this, so that they fit the
#: processor's second cache on the way from one pass to the next.
_BLOCK_VALUES = 150_000


class Cells(NamedTuple):
    """One ATR period's combinations: which walk answers each, -1 where none does yet.

    Attributes
    ----------
    walk_of : ndarray of int32, shape (factors, tails, weights)
        Number of the walk.
    first, stop : int
        The combinations asked for, counted in that order.
    """

    walk_of: NDArray[np.int32]
    first: int
    stop: int


class Block(NamedTuple):
    """Buffers that a block of walks is written to.

    Attributes
    ----------
    day_equity : ndarray of float, shape (room, days)
    trades : TradeArrays
    offsets : ndarray of int64, shape (room + 1,)
        Where each walk's trades begin.
    """

    day_equity: NDArray[np.float64]
    trades: TradeArrays
    offsets: NDArray[np.int64]


@compiled
def walk_block(cells, place, chosen, count, entries, levels, market, account, block, walks):  # type: ignore[no-untyped-def]
    """Walk combinations from `place` on until the block is full or the slice is done.

    Thresholds go from loose to tight, and a walk answers every combination whose thresholds all
    of its trades still pass (see `walk`), so most combinations cost nothing.

    Returns
    -------
    place : int
        The first combination not reached.
    tallies : list of Tally
    """
    candidates, direction, exits = entries
    factor_levels, tail_levels, weight_levels = levels
    walk_of, first, stop = cells
    factors, tails, weights = walk_of.shape
    by_factor = np.empty(count, np.int32)
    by_tail = np.empty(count, np.int32)
    by_weight = np.empty(count, np.int32)
    empty_account_row = np.empty(0, np.float64)
    tallies = [walk(by_weight, 0, candidates, direction, exits, levels, market, account,
                    empty_account_row, block.trades)[0]]  # fmt: skip
    tallies.clear()
    row = 0
    used = 0
    room = len(block.trades.returns)
    # Within one factor the loosest tail comes first, the grid has it last: `place` counts in
    # the order of the work.
    while place < factors * tails * weights:
        factor = place // (tails * weights)
        by_factor_count = 0
        for j in range(count):
            by_factor[by_factor_count] = chosen[j]
            by_factor_count += factor_levels[chosen[j]] > factor
        while place < (factor + 1) * tails * weights:
            tail = tails - 1 - place // weights % tails
            by_tail_count = 0
            for j in range(by_factor_count):
                by_tail[by_tail_count] = by_factor[j]
                by_tail_count += tail_levels[by_factor[j]] <= tail
            for weight in range(place % weights, weights):
                cell = (factor * tails + tail) * weights + weight
                if cell < first or cell >= stop or walk_of[factor, tail, weight] >= 0:
                    place += 1
                    continue
                by_weight_count = 0
                for j in range(by_tail_count):
                    by_weight[by_weight_count] = by_tail[j]
                    by_weight_count += weight_levels[by_tail[j]] > weight
                if row == len(block.day_equity) or used + by_weight_count > room:
                    return place, tallies
                tally, least_factor, tightest_tail, least_weight = walk(
                    by_weight, by_weight_count, candidates, direction, exits, levels, market,
                    account, block.day_equity[row],
                    TradeArrays(block.trades.returns[used:], block.trades.profits[used:]),
                )  # fmt: skip
                tallies.append(tally)
                walk_of[
                    factor : min(least_factor, factors),
                    tightest_tail : tail + 1,
                    weight : min(least_weight, weights),
                ] = walks + row
                used += tally.trades
                row += 1
                block.offsets[row] = used
                place += 1
    return place, tallies


class CompiledSweep:
    """The compiled engine on one file: rows of statistics for slices of the grid.

    Parameters
    ----------
    market : Market
        The bars that take part.
    grid : Grid
        The combinations.
    account : Account
        Money and costs.
    """

    def __init__(self, market: Market, grid: Grid, account: Account) -> None:
        self._market = market
        self._grid = grid
        fixed, relative = account.commission_parts
        self._account = AccountNumbers(
            float(account.cash), fixed, relative, float(account.spread), float(account.leverage)
        )
        _, factors, tails, weights, _ = (
            np.asarray(axis.values, dtype=np.float64) for axis in grid.axes
        )
        self._factors = factors
        enterable = market.enterable
        # What passes not even the loosest tail and momentum can never be entered.
        tightest = tail_levels(market.tail[enterable], market.height[enterable], tails)
        strengths = np.searchsorted(weights, market.strength[enterable], side="right")
        kept = (tightest < len(tails)) & (strengths > 0)
        self._tail_levels = tightest[kept]
        self._weight_levels = strengths[kept].astype(np.int32)
        self._candidates = enterable[kept]
        self._direction = market.direction[self._candidates]
        self._height = market.height[self._candidates]
        self._ends = next_lower_low(market.low, market.high, market.restricted)
        self._allocate()

    def _allocate(self) -> None:
        days = int(self._market.arrays.day[-1]) + 1
        longest = len(self._candidates)
        rows = max(1, min(_BLOCK_VALUES // days, 2048))
        room = max(longest, _BLOCK_VALUES)
        self._block = Block(
            np.empty((rows, days)),
            TradeArrays(np.empty(room), np.empty(room)),
            np.zeros(rows + 1, np.int64),
        )
        self._day_returns = np.empty((rows, days))
        self._logs = np.empty((rows, days)), np.empty(room)
        self._days = np.empty(rows, np.int64)
        self._means = np.empty((2, rows))
        self._scratch = np.empty(max(days, longest) + 1)
        self._rows = np.empty((rows, len(STATISTICS)))

    def run(self, start: int, stop: int) -> NDArray[np.float64]:
        """Statistics of the combinations `start` to `stop` (excluded).

        Returns
        -------
        ndarray of float, shape (stop - start, statistics)
            Columns as in `bigbar.statistics.STATISTICS`.
        """
        out = np.empty((stop - start, len(STATISTICS)))
        periods, *_, buffers = self._grid.shape
        per_period = len(self._grid) // periods
        for b, buffer_ratio in enumerate(self._grid.axes[-1].values):
            exits = self._exits(buffer_ratio)
            for p in range(start // per_period, -(-stop // per_period)):
                base = p * per_period + b
                first = max(0, -(-(start - base) // buffers))
                last = min(per_period // buffers, -(-(stop - base) // buffers))
                if first < last:
                    rows = self._period(int(self._grid.axes[0].values[p]), exits, first, last)
                    out[base + first * buffers - start : base + last * buffers - start : buffers][
                        : last - first
                    ] = rows
        return out

    def _exits(self, buffer_ratio: float) -> NDArray[np.int32]:
        market = self._market
        return exit_bars(
            self._candidates, self._direction, market.open, market.high, market.low,
            market.arrays.close, market.restricted, buffer_ratio, *self._ends,
        )  # fmt: skip

    def _period(
        self, period: int, exits: NDArray[np.int32], first: int, stop: int
    ) -> NDArray[np.float64]:
        """Rows of one ATR period's combinations `first` to `stop`, for one buffer ratio."""
        atr = compiled_average_true_range(self._market.true_range, period)
        atr = atr[self._market.first_bar :]
        factor_levels = np.empty(len(self._candidates), np.int32)
        chosen = np.empty(len(self._candidates), np.int32)
        count = big_bars(
            self._candidates, self._height, atr, self._factors, factor_levels, chosen
        )
        levels = factor_levels, self._tail_levels, self._weight_levels
        entries = self._candidates, self._direction, exits
        cells = Cells(np.full(self._grid.shape[1:4], -1, np.int32), first, stop)
        pieces: list[NDArray[np.float64]] = []
        walks = place = 0
        while place < cells.walk_of.size:
            place, tallies = walk_block(
                cells, place, chosen, count, entries, levels, self._market.arrays,
                self._account, self._block, walks,
            )  # fmt: skip
            if tallies:
                pieces.append(self._summarize(tallies))
                walks += len(tallies)
        table = np.concatenate(pieces) if pieces else np.empty((0, len(STATISTICS)))
        return table[cells.walk_of.reshape(-1)[first:stop]]

    def _summarize(self, tallies: list[tuple[float, ...]]) -> NDArray[np.float64]:
        rows, block = len(tallies), self._block
        day_logs, trade_logs = self._logs
        day_growth(block.day_equity, rows, self._day_returns, day_logs, self._days)
        used = int(block.offsets[rows])
        np.add(block.trades.returns[:used], 1.0, out=trade_logs[:used])
        with np.errstate(divide="ignore", invalid="ignore"):
            # NumPy's logarithm and exponential, as pandas calls them: the kernel's own could
            # differ in the last bit, which the annual volatility magnifies.
            np.log(day_logs[:rows], out=day_logs[:rows])
            np.log(trade_logs[:used], out=trade_logs[:used])
        mean_logs(day_logs, self._days, trade_logs, block.offsets, rows, self._means)
        means = np.exp(self._means[:, :rows]) - 1.0
        statistics_rows(
            self._rows, tallies, rows, self._day_returns, self._days, block.trades,
            block.offsets, means, self._market.constants, self._account.cash, self._scratch,
        )  # fmt: skip
        return self._rows[:rows].copy()
