"""Blocks of walks: lanes filled with combinations, walked, and summed up to rows."""

from __future__ import annotations

import numpy as np

from bigbar.compiled.jit import compiled_entry, compiled_inner
from bigbar.compiled.statistics import annual_statistics, day_returns, fill_row, trade_statistics
from bigbar.compiled.vectors import unsigned
from bigbar.strategies.big_bar.buffers import LANE_STEP
from bigbar.strategies.big_bar.equal_results import answer, next_to_walk, thresholds_at
from bigbar.strategies.big_bar.many_walks import finish_lane, trade_rows
from bigbar.strategies.big_bar.one_walk import walk
from bigbar.strategies.big_bar.purse import CASH, start_purse
from bigbar.strategies.big_bar.trade_selection import (
    LANES,
    LEAST_FACTOR,
    LEAST_WEIGHT,
    TIGHTEST_TAIL,
    select_rows,
    start_idle_selection,
    start_selection,
)


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
def pick(table, place, most, batch):  # type: ignore[no-untyped-def]
    """Put up to `most` combinations that need a walk, from `place` on, on lanes.

    Stops between two values of `k_atr` once half of the lanes are in use: the bars that the
    combinations of one value trade are mostly the same, those of two are less so.

    Returns
    -------
    place, picked : int
        Where to go on, and how many were put on lanes.
    """
    per_factor = table.walk_of[0].size
    picked = np.int64(0)  # Not the literal, which functions would be compiled for once more.
    place = next_to_walk(table, place)
    factor = place // per_factor
    while place < table.walk_of.size and picked < most:
        if place // per_factor != factor and 2 * picked >= LANES:
            break
        factor = place // per_factor
        start_selection(batch.selection, picked, thresholds_at(table, place))
        batch.places[picked] = place
        picked += 1
        place = next_to_walk(table, place + 1)
    return place, picked


@compiled_inner
def run_lanes(batch, count, picked, used, entries, factor_levels, market, account, fees):  # type: ignore[no-untyped-def]
    """All lanes through all listed candidates, a few rows at a time."""
    for lane in range(picked, used):
        start_idle_selection(batch.selection, lane)
    start_purse(batch.purse, used, account.cash)
    batch.day_equity[: len(batch.equity) * used] = -1.0  # Equity itself is never negative.
    place = np.int64(0)  # As in `pick`.
    while place < count:
        place, rows = select_rows(
            batch.selection, used, batch.listed, place, count, entries, factor_levels,
            len(market.close),
        )  # fmt: skip
        trade_rows(
            batch.selection, batch.purse, rows, used, entries, market, account, fees,
            batch.day_equity,
        )  # fmt: skip


@compiled_inner
def end_walk(  # type: ignore[no-untyped-def]
    thresholds, batch, lane, used, count, entries, factor_levels, market, account, fees
):
    """End a lane's walk, or walk its combination alone if it is irregular.

    Leaves the day ends in `batch.equity`; returns the `Tally`, and the thresholds that every trade
    still passes.
    """
    lanes = batch.selection.lanes
    tally = finish_lane(
        batch.selection, batch.purse, lane, used, entries, market, account, fees, batch.day_equity
    )
    if not np.isnan(batch.purse.money[CASH + lane]):
        least = (
            np.int64(lanes[LEAST_FACTOR + lane]),
            np.int64(lanes[TIGHTEST_TAIL + lane]),
            np.int64(lanes[LEAST_WEIGHT + lane]),
        )
        for d in range(len(batch.equity)):
            batch.equity[d] = batch.day_equity[d * used + lane]
    else:
        tally, least = walk(
            batch.listed, count, thresholds, entries, factor_levels, market, account, batch.equity
        )
    return tally, least


@compiled_inner
def sum_up(out, batch, tally, account, constants):  # type: ignore[no-untyped-def]
    """A walk's row of statistics."""
    fill_row(out, tally, constants, account.cash)
    trade_statistics(out, tally.sums, tally.trades)
    days, mean_return = day_returns(batch.equity, len(batch.equity), account.cash)
    # Minus the negative drawdown that stands in the table would differ in the last bit.
    annual_statistics(
        out, batch.equity, days, mean_return, tally.max_drawdown, constants, batch.scratch,
        batch.stack,
    )  # fmt: skip


@compiled_inner
def keep_returns(out, batch, cash):  # type: ignore[no-untyped-def]
    """A walk's row of daily returns, 0 after ruin."""
    days, _ = day_returns(batch.equity, len(batch.equity), cash)
    for d in range(days):
        out[d] = np.float32(batch.equity[d])
    out[days:] = 0.0


@compiled_inner
def most_lanes(batch):  # type: ignore[no-untyped-def]
    """How many combinations there is room for side by side."""
    most = min(LANES, len(batch.day_equity) // len(batch.equity))
    return most - most % LANE_STEP


@compiled_entry
def walk_block(  # type: ignore[no-untyped-def]
    table, place, walks, chosen, count, entries, factor_levels, market, account, fees, constants,
    batch, out, day_out, returns_only,
):  # fmt: skip
    """Walk combinations from `place` on until `out` is full or the slice is done.

    Parameters
    ----------
    table : WalkTable
        Where each walk is noted for the combinations that it answers.
    place : int
        Where to begin, in the order of `bigbar.strategies.big_bar.equal_results.thresholds_at`.
    walks : int
        Number of the first walk.
    chosen, count
        Candidates that pass the loosest thresholds, in time order, and how many.
    entries : Entries
    factor_levels : ndarray of int32, shape (candidates,)
        How many `k_atr` each candidate passes.
    market : MarketArrays
    account : AccountNumbers
    fees : None, or tuple of two float
        See `bigbar.strategies.big_bar.many_walks.trade_rows`.
    constants : MarketConstants
    batch : Batch
    out : ndarray of float, shape (room, statistics)
        Written: a row a walk.
    day_out : ndarray of float32, shape (room, days - 1)
        Written in its place where only the daily returns are asked for.
    returns_only : bool
        Whether they are.

    Returns
    -------
    place : int
        Where to go on; the number of combinations at the end.
    rows : int
        Walks in `out`.
    """
    most = most_lanes(batch)
    rows = 0
    place = next_to_walk(table, place)
    while place < table.walk_of.size and rows + most <= len(out):
        factor = thresholds_at(table, place)[0]
        listed = list_candidates(batch.listed, chosen, count, factor_levels, factor)
        place, picked = pick(table, place, most, batch)
        used = picked + -picked % LANE_STEP
        run_lanes(batch, listed, picked, used, entries, factor_levels, market, account, fees)
        for lane in range(picked):
            thresholds = thresholds_at(table, batch.places[lane])
            tally, least = end_walk(
                thresholds, batch, lane, used, listed, entries, factor_levels, market, account, fees
            )
            answer(table, thresholds, least, walks + rows)
            if returns_only:
                keep_returns(day_out[rows], batch, account.cash)
            else:
                sum_up(out[rows], batch, tally, account, constants)
            rows += 1
    return place, rows


@compiled_entry
def walk_each(  # type: ignore[no-untyped-def]
    combinations, chosen, count, entries, factor_levels, market, account, fees, constants, batch,
    out, day_out, returns_only,
):  # fmt: skip
    """Walk just these combinations, each into its row.

    Parameters
    ----------
    combinations : ndarray of int64, shape (combinations, 3)
        `k_atr`, tail ratio and momentum weight, as positions on their axes; `k_atr` ascending.
    chosen, count, entries, factor_levels, market, account, fees, constants, batch, returns_only
        As of `walk_block`.
    out : ndarray of float, shape (combinations, statistics)
        Written.
    day_out : ndarray of float32, shape (combinations, days - 1)
        Written in its place where only the daily returns are asked for.
    """
    most = most_lanes(batch)
    for start in range(0, len(combinations), most):
        picked = min(most, len(combinations) - start)
        listed = list_candidates(batch.listed, chosen, count, factor_levels, combinations[start, 0])
        for lane in range(picked):
            row = start + lane
            thresholds = (combinations[row, 0], combinations[row, 1], combinations[row, 2])
            start_selection(batch.selection, lane, thresholds)
        used = picked + -picked % LANE_STEP
        run_lanes(batch, listed, picked, used, entries, factor_levels, market, account, fees)
        for lane in range(picked):
            row = start + lane
            thresholds = (combinations[row, 0], combinations[row, 1], combinations[row, 2])
            tally, _ = end_walk(
                thresholds, batch, lane, used, listed, entries, factor_levels, market, account, fees
            )
            if returns_only:
                keep_returns(day_out[row], batch, account.cash)
            else:
                sum_up(out[row], batch, tally, account, constants)
