"""What all engines of a job can share: which bars could be entered on, and what comes of each.

None of it is written to once it is made, so it is made once and published for the workers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.space import Space
from bigbar.strategies.big_bar.market import Market, frozen
from bigbar.strategies.big_bar.one_walk import AccountNumbers
from bigbar.strategies.big_bar.signals import (
    exit_bars,
    least_average_true_range,
    next_lower_low,
    tail_levels,
)
from bigbar.strategies.big_bar.trade_selection import Entries, entries_of
from bigbar.strategies.big_bar.trade_terms import trade_terms, usual_share


class Precomputed(NamedTuple):
    """Bars, and the candidates among them; all arrays read-only.

    Attributes
    ----------
    market : Market
        The bars that take part.
    account : AccountNumbers
    bars : ndarray of int32, shape (candidates,)
        Those that pass the loosest thresholds of the grid.
    direction : ndarray of int8, shape (candidates,)
        1 for long, -1 for short.
    height : ndarray of float, shape (candidates,)
        From low to high.
    tail_levels, weight_levels : ndarray of int32, shape (candidates,)
        The tightest tail ratio, and how many momentum weights each passes.
    long_end, short_end : ndarray of int32, shape (bars + 2,)
        From `bigbar.strategies.big_bar.signals.next_lower_low`.
    entries : Entries or None
        The candidates' trades, where the grid has one `buffer_ratio` only.
    """

    market: Market
    account: AccountNumbers
    bars: NDArray[np.int32]
    direction: NDArray[np.int8]
    height: NDArray[np.float64]
    tail_levels: NDArray[np.int32]
    weight_levels: NDArray[np.int32]
    long_end: NDArray[np.int32]
    short_end: NDArray[np.int32]
    entries: Entries | None = None


def precompute(market: Market, grid: Space, account: Account) -> Precomputed:
    """Find the candidates of a grid.

    Parameters
    ----------
    market : Market
        The bars that take part.
    grid : Space
        The combinations.
    account : Account
        Money and costs.

    Returns
    -------
    Precomputed
    """
    fixed, relative = account.commission_parts
    numbers = AccountNumbers(
        cash=float(account.cash),
        fixed=fixed,
        relative=relative,
        spread=float(account.spread),
        leverage=float(account.leverage),
        share=usual_share(float(account.leverage), relative),
    )
    periods, factors, tails, weights, buffers = (
        np.asarray(axis.values, dtype=np.float64) for axis in grid.parameters
    )
    bars = _enterable(market)
    direction, close = market.direction[bars], market.arrays.close[bars]
    high, low = market.high[bars], market.low[bars]
    height = high - low
    tightest = tail_levels(np.where(direction > 0, high - close, close - low), height, tails)
    strengths = np.searchsorted(weights, market.momentum[bars] * direction, side="right")
    least_range = factors[0] * least_average_true_range(
        market.true_range, periods, market.first_bar
    )
    # What does not pass the loosest thresholds can never be entered.
    kept = (tightest < len(tails)) & (strengths > 0) & (height >= least_range[bars])
    long_end, short_end = next_lower_low(market.low, market.high, market.restricted)
    precomputed = Precomputed(
        market=market,
        account=numbers,
        bars=frozen(bars[kept]),
        direction=frozen(direction[kept]),
        height=frozen(height[kept]),
        tail_levels=frozen(tightest[kept]),
        weight_levels=frozen(strengths[kept].astype(np.int32)),
        long_end=frozen(long_end),
        short_end=frozen(short_end),
    )
    if len(buffers) > 1:
        return precomputed
    return precomputed._replace(entries=entries_with(precomputed, float(buffers[0])))


def entries_with(precomputed: Precomputed, buffer_ratio: float) -> Entries:
    """The candidates with their trades' exits and terms, under one `buffer_ratio`."""
    market, account = precomputed.market, precomputed.account
    exits = frozen(
        exit_bars(
            precomputed.bars, precomputed.direction, market.open, market.high, market.low,
            market.arrays.close, market.restricted, buffer_ratio,
            precomputed.long_end, precomputed.short_end,
        )
    )  # fmt: skip
    returns = np.zeros(len(exits))
    terms = trade_terms(
        precomputed.bars, exits, precomputed.direction, market.arrays.close,
        market.arrays.market, account.spread, account.share, returns,
    )  # fmt: skip
    entries = entries_of(
        entry=precomputed.bars,
        exits=exits,
        direction=precomputed.direction,
        tail_levels=precomputed.tail_levels,
        weight_levels=precomputed.weight_levels,
        terms=terms,
        returns=returns,
        close=market.arrays.close,
        times=market.arrays.times,
        spread=account.spread,
    )
    return Entries(*(frozen(values) for values in entries))


def _enterable(market: Market) -> NDArray[np.int32]:
    """Bars that an order at the close could be filled on, whatever the thresholds."""
    bars = np.flatnonzero((market.direction != 0) & ~market.restricted)
    # The first bar fills no order, and an order at the last close is never filled.
    bars = bars[(bars >= 1) & (bars < len(market.direction) - 1)]
    return bars.astype(np.int32)
