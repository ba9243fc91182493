"""Blocks of walks: lanes filled with combinations, walked, and summed up to rows."""

from __future__ import annotations

import numpy as np

from bigbar.kernel.buffers import LANE_STEP
from bigbar.kernel.cells import answer, next_to_walk, thresholds_at
from bigbar.kernel.hop import (
    LANES,
    LEAST_FACTOR,
    LEAST_WEIGHT,
    TIGHTEST_TAIL,
    hop_rows,
    start_hop,
    start_idle_hop,
)
from bigbar.kernel.jit import compiled_entry, compiled_inner
from bigbar.kernel.lane_tools import unsigned
from bigbar.kernel.lanes import CASH, finish_lane, start_purse, trade_rows
from bigbar.kernel.summary import (
    DAYS,
    DRAWDOWN,
    day_returns,
    day_statistics,
    fill_row,
    mean_log,
    trade_statistics,
)
from bigbar.kernel.trades import walk


@compiled_inner
def list_candidates(listed, chosen, count, factor_levels, factor):  # type: ignore[no-untyped-def]
    """Write to `listed` which of the chosen candidates pass a `k_atr`; returns how many."""
    number = 0
    for j in range(count):
        c = chosen[unsigned(j)]
        listed[unsigned(number)] = c
        number += factor_levels[unsigned(c)] > factor
    return number


@compiled_inner
def pick(cells, place, most, batch):  # type: ignore[no-untyped-def]
    """Put up to `most` combinations that need a walk, from `place` on, on lanes.

    Stops between two values of `k_atr` once half of the lanes are in use: the bars that the
    combinations of one value trade are mostly the same, those of two are less so.

    Returns
    -------
    place, picked : int
        Where to go on, and how many were put on lanes.
    """
    per_factor = cells.walk_of[0].size
    picked = 0
    place = next_to_walk(cells, place)
    factor = place // per_factor
    while place < cells.walk_of.size and picked < most:
        if place // per_factor != factor and 2 * picked >= LANES:
            break
        factor = place // per_factor
        start_hop(batch.hop, picked, thresholds_at(cells, place))
        batch.places[picked] = place
        picked += 1
        place = next_to_walk(cells, place + 1)
    return place, picked


@compiled_inner
def compress(batch, before, rows, picked, stride, fees):  # type: ignore[no-untyped-def]
    """Collect each lane's trades of one pass, without the rows that it does not take.

    Rows are counted on from `before`, those of the passes before.
    """
    taken = batch.hop.taken
    traded, profits, returns = batch.traded, batch.profits, batch.returns
    row_profits, row_returns = batch.purse.profits, batch.purse.returns
    for lane in range(picked):
        start = unsigned(lane * stride + batch.filled[lane])
        at = start
        for row in range(rows):
            source = unsigned(row * LANES + lane)
            profits[at] = row_profits[source]
            if fees is None:
                traded[at] = before + row
            else:
                returns[at] = row_returns[source]
            at += unsigned(taken[source])  # The next trade overwrites one not taken.
        batch.filled[lane] += np.int64(at - start)


@compiled_inner
def look_up(batch, start, count):  # type: ignore[no-untyped-def]
    """Returns, and logarithms of growth, of a lane's trades without fees.

    All lanes take them from the same few rows, which stay in the first cache; collecting both
    for every lane at once would take twice the memory, and as long.
    """
    traded = batch.traded[start : start + count]
    returns, logs, row_growth = batch.returns, batch.logs, batch.row_growth
    for i in range(count):
        row = unsigned(traded[i])
        returns[i] = row_growth[row, 0]
        logs[i] = row_growth[row, 1]


@compiled_inner
def run_lanes(batch, count, picked, used, stride, entries, factor_levels, market, account, fees):  # type: ignore[no-untyped-def]
    """All lanes through all listed candidates, a few rows at a time."""
    for lane in range(picked, used):
        start_idle_hop(batch.hop, lane)
    start_purse(batch.purse, used, account.cash)
    batch.filled[:] = 0
    batch.day_equity[: len(batch.equity) * used] = -1.0  # Equity itself is never negative.
    place = before = 0
    while place < count:
        place, rows = hop_rows(
            batch.hop, used, batch.listed, place, count, entries, factor_levels,
            len(market.close),
        )  # fmt: skip
        trade_rows(
            batch.hop, batch.purse, rows, used, entries, market, account, fees,
            batch.day_equity,
        )  # fmt: skip
        for row in range(rows):
            c = batch.hop.candidate[row]
            batch.row_growth[before + row, 0] = entries.returns[c]
            batch.row_growth[before + row, 1] = entries.logs[c]
        compress(batch, before, rows, picked, stride, fees)
        before += rows


@compiled_inner
def end_walk(  # type: ignore[no-untyped-def]
    cells, batch, lane, used, start, count, number, entries, factor_levels, market, account
):
    """End a lane's walk, or walk its combination alone if it is irregular, and answer cells.

    Leaves the day ends in `batch.equity`, and the trades from `start` on where they are.

    Returns
    -------
    Tally
    regular : bool
        Whether the lane was.
    """
    thresholds = thresholds_at(cells, batch.places[lane])
    lanes = batch.hop.lanes
    tally = finish_lane(
        batch.hop, batch.purse, lane, used, entries, market, account, batch.day_equity
    )
    regular = not np.isnan(batch.purse.money[CASH + lane])
    if regular:
        least = (
            np.int64(lanes[LEAST_FACTOR + lane]),
            np.int64(lanes[TIGHTEST_TAIL + lane]),
            np.int64(lanes[LEAST_WEIGHT + lane]),
        )
        for d in range(len(batch.equity)):
            batch.equity[d] = batch.day_equity[d * used + lane]
    else:
        tally, least = walk(
            batch.listed, count, thresholds, entries, factor_levels, market, account,
            batch.equity, batch.profits[start:], batch.returns[start:],
        )  # fmt: skip
    answer(cells, thresholds, least, number)
    return tally, regular


@compiled_inner
def sum_up(batch, block, row, tally, start, growth_used, looked_up, account, constants):  # type: ignore[no-untyped-def]
    """A walk's row of statistics; returns how much of `trade_growth` is in use then."""
    count, stack = tally.trades, batch.stack
    out, moments = block.rows[row], block.moments[row]
    first = 0 if looked_up else start
    returns = batch.returns[first : first + count]
    fill_row(out, tally, constants, account.cash)
    trade_statistics(
        out, returns, batch.profits[start : start + count], count, batch.scratch, stack
    )
    moments[DRAWDOWN] = tally.max_drawdown
    day_statistics(
        moments, block.day_growth[row], batch.equity, len(batch.equity), account.cash,
        batch.scratch, stack,
    )  # fmt: skip
    if looked_up:
        block.spans[row, 0] = -1
        block.trade_logs[row] = mean_log(batch.logs, 0, count, stack)
        return growth_used
    block.spans[row, 0], block.spans[row, 1] = growth_used, count
    growth = block.trade_growth[growth_used : growth_used + count]
    for i in range(count):
        growth[i] = 1.0 + returns[i]
    return growth_used + count


@compiled_inner
def keep_returns(batch, block, row, cash):  # type: ignore[no-untyped-def]
    """A walk's row of daily returns, 0 after ruin."""
    days = day_returns(block.day_growth[row], batch.equity, len(batch.equity), cash)
    out = block.day_returns[row]
    for d in range(days):
        out[d] = np.float32(batch.equity[d])
    out[days:] = 0.0


@compiled_entry
def walk_block(  # type: ignore[no-untyped-def]
    cells, place, walks, chosen, count, entries, factor_levels, market, account, fees, constants,
    batch, block, returns_only,
):  # fmt: skip
    """Walk combinations from `place` on until the block is full or the slice is done.

    Parameters
    ----------
    cells : Cells
        Where each walk is noted for the combinations that it answers.
    place : int
        Where to begin, in the order of `bigbar.kernel.cells.thresholds_at`.
    walks : int
        Number of the block's first walk.
    chosen, count
        Candidates that pass the loosest thresholds, in time order, and how many.
    entries : Entries
    factor_levels : ndarray of int32, shape (candidates,)
        How many `k_atr` each candidate passes.
    market : MarketArrays
    account : AccountNumbers
    fees : None, or tuple of two float
        See `bigbar.kernel.lanes.trade_rows`.
    constants : MarketConstants
    batch : Batch
    block : Block
        Written.
    returns_only : bool
        Whether to leave it at the daily returns, in place of rows of statistics.

    Returns
    -------
    place : int
        Where to go on; the number of combinations at the end.
    rows : int
        Walks in the block.
    growth_used : int
        Values in `Block.trade_growth`.
    """
    days = len(batch.equity)
    rows = growth_used = 0
    place = next_to_walk(cells, place)
    while place < cells.walk_of.size:
        factor = thresholds_at(cells, place)[0]
        listed = list_candidates(batch.listed, chosen, count, factor_levels, factor)
        stride = min(listed, len(market.close) // 2) + 1
        most = min(LANES, len(batch.profits) // stride, len(batch.day_equity) // days)
        most -= most % LANE_STEP
        if rows + most > len(block.rows) or (
            growth_used and growth_used + most * stride > len(block.trade_growth)
        ):
            break
        place, picked = pick(cells, place, most, batch)
        used = picked + -picked % LANE_STEP
        run_lanes(
            batch, listed, picked, used, stride, entries, factor_levels, market, account, fees
        )
        for lane in range(picked):
            start = lane * stride
            tally, regular = end_walk(
                cells, batch, lane, used, start, listed, walks + rows, entries, factor_levels,
                market, account,
            )  # fmt: skip
            if returns_only:
                keep_returns(batch, block, rows, account.cash)
                rows += 1
                continue
            looked_up = fees is None and regular
            if looked_up:
                look_up(batch, start, tally.trades)
            growth_used = sum_up(
                batch, block, rows, tally, start, growth_used, looked_up, account, constants
            )
            rows += 1
    return place, rows, growth_used


@compiled_entry
def mean_logs(block, rows, means, stack):  # type: ignore[no-untyped-def]
    """Mean logarithm of daily and of trade growth, once NumPy has taken the logarithms.

    Parameters
    ----------
    block : Block
        With logarithms in the place of growth.
    rows : int
    means : ndarray of float, shape (2, room)
        Written.
    stack : Stack
    """
    for row in range(rows):
        days = np.int64(block.moments[row, DAYS])
        means[0, row] = mean_log(block.day_growth[row], 0, days, stack)
        start, count = block.spans[row]
        means[1, row] = block.trade_logs[row]
        if start >= 0:
            means[1, row] = mean_log(block.trade_growth, start, count, stack)
