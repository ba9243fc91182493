"""A slice of the grid through the compiled kernel: candidates once, then blocks of walks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.grid import Grid
from bigbar.kernel.block import walk_block
from bigbar.kernel.buffers import new_batch
from bigbar.kernel.cells import Cells, copy_twins, count_passing
from bigbar.kernel.hop import LANES, Entries, entries_of
from bigbar.kernel.market import Market
from bigbar.kernel.signals import (
    big_bars,
    compiled_average_true_range,
    exit_bars,
    next_lower_low,
    tail_levels,
)
from bigbar.kernel.terms import trade_terms, usual_share
from bigbar.kernel.trades import AccountNumbers, walk_for_trades
from bigbar.settings import Account
from bigbar.statistics import STATISTICS

#: Rows of walks that are gathered before they are copied: half a megabyte.
_MOST_ROWS = 2048


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
            cash=float(account.cash),
            fixed=fixed,
            relative=relative,
            spread=float(account.spread),
            leverage=float(account.leverage),
            share=usual_share(float(account.leverage), relative),
        )
        self._fees = (fixed, relative) if fixed or relative else None
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
        self._factor_levels = np.empty(len(self._candidates), np.int32)
        self._chosen = np.empty(len(self._candidates), np.int32)
        self._cells = (
            np.empty(grid.shape[1:4], np.int32),
            np.empty(grid.shape[1:4], np.int32),
        )
        self._batch = new_batch(len(self._candidates), int(market.arrays.day[-1]) + 1)
        room = max(LANES, min(len(grid) // (grid.shape[0] * grid.shape[-1]), _MOST_ROWS))
        self._rows = np.empty((room, len(STATISTICS)))
        self._known_entries: tuple[float, Entries] | None = None

    def run(self, start: int, stop: int) -> NDArray[np.float64]:
        """Statistics of the combinations `start` to `stop` (excluded).

        Returns
        -------
        ndarray of float, shape (stop - start, statistics)
            Columns as in `bigbar.statistics.STATISTICS`.

        Raises
        ------
        IndexError
            If the grid has no such slice.
        """
        if not 0 <= start <= stop <= len(self._grid):
            raise IndexError(f"combinations {start} to {stop} of a grid of {len(self._grid)}")
        out = np.empty((stop - start, len(STATISTICS)))
        periods, *_, buffers = self._grid.shape
        per_period = len(self._grid) // periods
        for b, buffer_ratio in enumerate(self._grid.axes[-1].values):
            entries = self._entries(buffer_ratio)
            for p in range(start // per_period, -(-stop // per_period)):
                base = p * per_period + b
                first = max(0, -(-(start - base) // buffers))
                last = min(per_period // buffers, -(-(stop - base) // buffers))
                if first < last:
                    period = int(self._grid.axes[0].values[p])
                    into = slice(base + first * buffers - start, stop - start, buffers)
                    self._period(period, entries, first, last, out[into][: last - first])
        return out

    def trades(self, number: int) -> pd.DataFrame:
        """Closed trades of one combination, columns and order as backtesting.py's `_trades`.

        Returns
        -------
        DataFrame
            Columns as in `bigbar.engines.TRADE_COLUMNS`.

        Raises
        ------
        IndexError
            If the grid has no such combination.
        """
        if not 0 <= number < len(self._grid):
            raise IndexError(f"combination {number} of a grid of {len(self._grid)}")
        places = [int(place) for place in np.unravel_index(number, self._grid.shape)]
        period, *combination, buffer = places
        entries = self._entries(self._grid.axes[-1].values[buffer])
        count = self._choose(int(self._grid.axes[0].values[period]))
        market, account = self._market.arrays, self._account
        ledger = walk_for_trades(
            self._chosen, count, tuple(combination), entries, self._factor_levels, market,
            account, int(market.day[-1]) + 1, len(self._candidates),
        )  # fmt: skip
        entry, exit_ = ledger[:, 0].astype(np.int64), ledger[:, 1].astype(np.int64)
        size = ledger[:, 2]
        return pd.DataFrame(
            {
                "Size": size.astype(np.int64),
                "EntryBar": entry,
                "ExitBar": exit_,
                "EntryPrice": market.close[entry] * (1.0 + np.copysign(account.spread, size)),
                "ExitPrice": market.close[exit_],
                "PnL": ledger[:, 3],
                "Commission": ledger[:, 4],
                "ReturnPct": ledger[:, 5],
                "EntryTime": self._market.index[entry],
                "ExitTime": self._market.index[exit_],
            }
        )

    def _entries(self, buffer_ratio: float) -> Entries:
        """The candidates with their trades' exits and terms; those of the last ratio are kept."""
        if self._known_entries is not None and self._known_entries[0] == buffer_ratio:
            return self._known_entries[1]
        self._known_entries = None  # Makes room before the next are computed.
        market, account = self._market, self._account
        exits = exit_bars(
            self._candidates, self._direction, market.open, market.high, market.low,
            market.arrays.close, market.restricted, buffer_ratio, *self._ends,
        )  # fmt: skip
        returns = np.zeros(len(exits))
        terms = trade_terms(
            self._candidates, exits, self._direction, market.arrays.close,
            market.arrays.market, account.spread, account.share, returns,
        )  # fmt: skip
        entries = entries_of(
            entry=self._candidates,
            exits=exits,
            direction=self._direction,
            tail_levels=self._tail_levels,
            weight_levels=self._weight_levels,
            terms=terms,
            returns=returns,
            close=market.arrays.close,
            times=market.arrays.times,
            spread=account.spread,
        )
        self._known_entries = buffer_ratio, entries
        return entries

    def _period(
        self, period: int, entries: Entries, first: int, stop: int, out: NDArray[np.float64]
    ) -> None:
        """Rows of one ATR period's combinations `first` to `stop`, for one buffer ratio."""
        count = self._choose(period)
        walk_of, passing = self._cells
        cells = Cells(walk_of, passing, first, stop)
        walk_of[...] = -1
        count_passing(passing, self._chosen, count, entries, self._factor_levels)
        pieces: list[NDArray[np.float64]] = []
        walks = place = 0
        while place < walk_of.size:
            place, rows = walk_block(
                cells, place, walks, self._chosen, count, entries, self._factor_levels,
                self._market.arrays, self._account, self._fees, self._market.constants,
                self._batch, self._rows,
            )  # fmt: skip
            pieces.append(self._rows[:rows].copy())
            walks += rows
        copy_twins(cells)
        np.take(np.concatenate(pieces), walk_of.reshape(-1)[first:stop], axis=0, out=out)

    def _choose(self, period: int) -> int:
        """Find the candidates that are big bars under one ATR period; returns how many."""
        atr = compiled_average_true_range(self._market.true_range, period)
        atr = atr[self._market.first_bar :]
        found: int = big_bars(
            self._candidates, self._height, atr, self._factors, self._factor_levels, self._chosen
        )
        return found
