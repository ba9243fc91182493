"""A slice of the grid through the compiled kernel: candidates once, then blocks of walks.

Where few of a grid's combinations are to be run, no others are walked.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.space import Space
from bigbar.statistics import STATISTICS
from bigbar.strategies.big_bar.batches import walk_block, walk_each
from bigbar.strategies.big_bar.buffers import new_batch
from bigbar.strategies.big_bar.candidates import Precomputed, entries_with
from bigbar.strategies.big_bar.equal_results import WalkTable, copy_twins, count_passing
from bigbar.strategies.big_bar.one_walk import walk_for_trades
from bigbar.strategies.big_bar.signals import big_bars, compiled_average_true_range
from bigbar.strategies.big_bar.trade_selection import LANES, Entries

#: Rows of walks that are gathered before they are copied: half a megabyte.
_MOST_ROWS = 2048

#: Where one combination of so many is asked for, or more, all are walked: neighbours answer each
#: other.
_DENSE = 8

#: But not for fewer than one of so many that share an ATR period and buffer ratio: each of these is
#: looked at then.
_LOOKED_AT = 256


_Number = TypeVar("_Number", np.float64, np.float32)


class _Piece(NamedTuple):
    """Combinations that share ATR period and buffer ratio.

    Attributes
    ----------
    period : int
    buffer_ratio : float
    first, stop : int
        Which of the period's combinations with that ratio.
    places : slice
        Where they stand in the slice of the product that was asked for.
    """

    period: int
    buffer_ratio: float
    first: int
    stop: int
    places: slice


class CompiledSweep:
    """The compiled engine on one file: rows of statistics for slices of the grid.

    Parameters
    ----------
    precomputed : Precomputed
        Of the grid, under the account.
    grid : Space
        The combinations.
    """

    def __init__(self, precomputed: Precomputed, grid: Space) -> None:
        self._precomputed = precomputed
        self._market = precomputed.market
        self._account = account = precomputed.account
        self._grid = grid
        self._fees = (
            (account.fixed, account.relative) if account.fixed or account.relative else None
        )
        self._factors = np.asarray(grid.parameters[1].values, dtype=np.float64)
        candidates, days = len(precomputed.bars), self._market.calendar.periods
        self._factor_levels = np.empty(candidates, np.int32)
        self._chosen = np.empty(candidates, np.int32)
        self._batch = new_batch(candidates, days)
        room = max(LANES, min(grid.product // (grid.shape[0] * grid.shape[-1]), _MOST_ROWS))
        self._rows = np.empty((room, len(STATISTICS)))
        self._day_returns = np.empty((room, days - 1), np.float32)
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
        return self._answered(start, stop, np.empty((0, len(STATISTICS))), returns_only=False)

    def returns(self, start: int, stop: int) -> NDArray[np.float32]:
        """Daily returns of the combinations `start` to `stop` (excluded).

        Returns
        -------
        ndarray of float32, shape (stop - start, days - 1)
            From day end to day end; 0 after ruin.

        Raises
        ------
        IndexError
            If the grid has no such slice.
        """
        days = self._market.calendar.periods - 1
        return self._answered(start, stop, np.empty((0, days), np.float32), returns_only=True)

    def trades(self, number: int) -> pd.DataFrame:
        """Closed trades of one combination, columns and order as backtesting.py's `_trades`.

        Returns
        -------
        DataFrame
            Columns as in `bigbar.engines.contract.TRADE_COLUMNS`.

        Raises
        ------
        IndexError
            If the grid has no such combination.
        """
        ledger, _ = self._walk_alone(number)
        market, account = self._market.arrays, self._account
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

    def equity(self, number: int) -> pd.Series:
        """Equity of one combination at each bar, as backtesting.py's `_equity_curve` has it.

        Returns
        -------
        Series, shape (bars,)
            By time.

        Raises
        ------
        IndexError
            If the grid has no such combination.
        """
        return pd.Series(self._walk_alone(number)[1], self._market.index, name="Equity")

    def _walk_alone(self, number: int) -> tuple[NDArray[np.float64], ...]:
        """One combination by the plain walk, see `walk_for_trades`."""
        period, *combination, buffer = self._grid.places(number)
        entries = self._entries(self._grid.parameters[-1].values[buffer])
        count = self._choose(int(self._grid.parameters[0].values[period]))
        found: tuple[NDArray[np.float64], ...] = walk_for_trades(
            self._chosen, count, tuple(combination), entries, self._factor_levels,
            self._market.arrays, self._account, self._market.calendar.periods,
            len(self._precomputed.bars),
        )  # fmt: skip
        return found

    def _answered(
        self, start: int, stop: int, empty: NDArray[_Number], *, returns_only: bool
    ) -> NDArray[_Number]:
        """Rows of a slice, each as long as those of `empty`."""
        if not 0 <= start <= stop <= len(self._grid):
            raise IndexError(f"combinations {start} to {stop} of a grid of {len(self._grid)}")
        if self._grid.kept is None:
            return self._together(start, stop, empty, returns_only=returns_only)
        numbers = self._grid.kept[start:stop]
        if not len(numbers):
            return empty
        first, last = int(numbers.min()), int(numbers.max())
        table = math.prod(self._grid.shape[1:4])
        if last - first < _DENSE * len(numbers) and table <= _LOOKED_AT * len(numbers):
            rows = self._together(first, last + 1, empty, returns_only=returns_only)
            return rows[numbers - first]
        return self._just_these(numbers, empty, returns_only=returns_only)

    def _together(
        self, start: int, stop: int, empty: NDArray[_Number], *, returns_only: bool
    ) -> NDArray[_Number]:
        """Rows of a slice of the product."""
        out = np.empty((stop - start, empty.shape[1]), empty.dtype)
        for piece in self._pieces(start, stop):
            rows, walk_of = self._walk(piece, returns_only=returns_only)
            np.take(rows, walk_of, axis=0, out=out[piece.places])
        return out

    def _just_these(
        self, numbers: NDArray[np.int64], empty: NDArray[_Number], *, returns_only: bool
    ) -> NDArray[_Number]:
        """Rows of a few points of the product, those of one ATR period and buffer ratio at once."""
        out = np.empty((len(numbers), empty.shape[1]), empty.dtype)
        places = np.stack(np.unravel_index(numbers, self._grid.shape), axis=1)
        order = np.lexsort((places[:, 1], places[:, 0], places[:, -1]))
        alike = (np.diff(places[order][:, [0, -1]], axis=0) == 0).all(axis=1)
        for those in np.split(order, np.flatnonzero(~alike) + 1):
            period, buffer = places[those[0], 0], places[those[0], -1]
            entries = self._entries(self._grid.parameters[-1].values[buffer])
            count = self._choose(int(self._grid.parameters[0].values[period]))
            rows = np.empty((len(those), empty.shape[1]), empty.dtype)
            walk_each(
                np.ascontiguousarray(places[those, 1:4]), self._chosen, count, entries,
                self._factor_levels, self._market.arrays, self._account, self._fees,
                self._market.constants, self._batch, self._rows if returns_only else rows,
                rows if returns_only else self._day_returns, returns_only,
            )  # fmt: skip
            out[those] = rows
        return out

    @cached_property
    def _walk_table(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Room for that of an ATR period, see `WalkTable`."""
        shape = self._grid.shape[1:4]
        return np.empty(shape, np.int32), np.empty(shape, np.int32)

    def _pieces(self, start: int, stop: int) -> list[_Piece]:
        """A slice of the product by ATR period and buffer ratio."""
        pieces = []
        periods, *_, buffers = self._grid.shape
        per_period = self._grid.product // periods
        for b, buffer_ratio in enumerate(self._grid.parameters[-1].values):
            for p in range(start // per_period, -(-stop // per_period)):
                base = p * per_period + b
                first = max(0, -(-(start - base) // buffers))
                last = min(per_period // buffers, -(-(stop - base) // buffers))
                if first < last:
                    at = base + first * buffers - start
                    places = slice(at, at + (last - first - 1) * buffers + 1, buffers)
                    period = int(self._grid.parameters[0].values[p])
                    pieces.append(_Piece(period, buffer_ratio, first, last, places))
        return pieces

    def _entries(self, buffer_ratio: float) -> Entries:
        """The candidates' trades; those of the last ratio are kept."""
        if self._precomputed.entries is not None:
            return self._precomputed.entries
        if self._known_entries is None or self._known_entries[0] != buffer_ratio:
            self._known_entries = None  # Makes room before the next are computed.
            self._known_entries = buffer_ratio, entries_with(self._precomputed, buffer_ratio)
        return self._known_entries[1]

    def _walk(
        self, piece: _Piece, *, returns_only: bool
    ) -> tuple[NDArray[np.floating], NDArray[np.int32]]:
        """A row of every walk that a piece of the grid takes, and each combination's walk."""
        entries = self._entries(piece.buffer_ratio)
        count = self._choose(piece.period)
        walk_of, passing = self._walk_table
        table = WalkTable(walk_of, passing, piece.first, piece.stop)
        walk_of[...] = -1
        count_passing(passing, self._chosen, count, entries, self._factor_levels)
        blocks: list[NDArray[np.floating]] = []
        walks = place = 0
        while place < walk_of.size:
            place, rows = walk_block(
                table, place, walks, self._chosen, count, entries, self._factor_levels,
                self._market.arrays, self._account, self._fees, self._market.constants,
                self._batch, self._rows, self._day_returns, returns_only,
            )  # fmt: skip
            written = self._day_returns if returns_only else self._rows
            blocks.append(written[:rows].copy())
            walks += rows
        copy_twins(table)
        return np.concatenate(blocks), walk_of.reshape(-1)[piece.first : piece.stop]

    def _choose(self, period: int) -> int:
        """Find the candidates that are big bars under one ATR period; returns how many."""
        atr = compiled_average_true_range(self._market.true_range, period)
        atr = atr[self._market.first_bar :]
        found: int = big_bars(
            self._precomputed.bars,
            self._precomputed.height,
            atr,
            self._factors,
            self._factor_levels,
            self._chosen,
        )
        return found
