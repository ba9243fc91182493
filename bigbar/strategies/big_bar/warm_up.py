"""Compiling the kernel, or loading what was compiled, on bars that are known to do no harm."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bigbar.account import Account
from bigbar.strategies.big_bar.candidates import precompute
from bigbar.strategies.big_bar.engine import CompiledSweep
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.market import market_of
from bigbar.strategies.big_bar.parameters import grid_with

_BARS = 64

#: Whether it was done with commissions, and without. Forked workers inherit it with the code.
_done: set[bool] = set()


def warm_up(account: Account) -> None:
    """Run a combination on a few made bars.

    Not one of the job's own: were there one that crashes or does not end, it would do so here, in
    the parent or before a worker's first task, where nobody watches.

    Parameters
    ----------
    account : Account
        Of the job: without commissions other code is compiled than with them.
    """
    with_commissions = any(account.commission_parts)
    if with_commissions in _done:
        return
    close = 100 + np.sin(np.arange(_BARS))
    open_ = np.roll(close, 1)
    bars = pd.DataFrame(
        {
            "Open": open_,
            "High": np.maximum(open_, close) + 0.25,
            "Low": np.minimum(open_, close) - 0.25,
            "Close": close,
            "Volume": 1.0,
        },
        index=pd.date_range("2024-01-01", periods=_BARS, freq="h"),
    )
    grid = grid_with(atr_period=5, k_atr=[0.5, *range(1, 50)])
    market = market_of(with_indicators(bars, 0), 6)
    precomputed = precompute(market, grid, account)
    CompiledSweep(precomputed, grid).run(0, 1)
    ends = grid.only(np.array([0, len(grid) - 1]))  # Far apart: no other is walked.
    CompiledSweep(precomputed, ends).run(0, 2)
    _done.add(with_commissions)
