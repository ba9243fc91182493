"""What the equity of luck's best setting looks like, for the equity chart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.validation.bootstrap import LuckyBest
from bigbar.validation.distinct import Kinds
from bigbar.validation.resampling import without_edge

#: Draws whose winner is followed: enough for the quantiles of a band.
FOLLOWED = 200

#: The band's columns.
QUANTILES = {"low": 0.05, "typical": 0.5, "high": 0.95}


def luck_band(
    returns: NDArray[np.float32],
    kinds: Kinds,
    draws: NDArray[np.intp],
    luck: LuckyBest,
    *,
    times: pd.DatetimeIndex,
    cash: float,
) -> pd.DataFrame:
    """Follow the winner of each draw through that draw.

    Parameters
    ----------
    returns : ndarray of float32, shape (combinations, periods)
    kinds : Kinds
    draws : ndarray of int, shape (draws, periods)
        From `bigbar.validation.resampling.stationary_draws`.
    luck : LuckyBest
        With winners.
    times : DatetimeIndex, shape (periods,)
    cash : float
        At the start.

    Returns
    -------
    DataFrame
        Columns `low`, `typical`, `high` by time: quantiles of each period's equity.
    """
    followed = len(luck.winners)
    columns = luck.statistic.of_returns(returns[kinds.first[luck.winners]])
    paths = np.take_along_axis(without_edge(columns), draws[:followed], axis=1)
    equity = luck.statistic.path(paths.astype(np.float64))
    bands = np.quantile(equity, list(QUANTILES.values()), axis=0)
    return pd.DataFrame(cash * bands.T, index=times, columns=list(QUANTILES))
