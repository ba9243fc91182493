"""What the compiled statistics need to know of bars, see `bigbar.compiled.curve_statistics`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import calendar_of
from bigbar.compiled.blocks import CloseBlocks, close_blocks
from bigbar.compiled.clock import Clock
from bigbar.compiled.curve_statistics import CurveMarket
from bigbar.compiled.statistics import MarketConstants
from bigbar.engines.any_strategy.statistics import Times, are_plain


class Curves(NamedTuple):
    """Arguments of `bigbar.compiled.curve_statistics.curve_row` that the bars decide.

    Attributes
    ----------
    market : CurveMarket
    constants : MarketConstants
    clocks : tuple of (Clock, Clock)
    """

    market: CurveMarket
    constants: MarketConstants
    clocks: tuple[Clock, Clock]


def curves_of(prices: pd.DataFrame, times: Times | None = None) -> Curves | None:
    """Prepare some bars.

    Parameters
    ----------
    prices : DataFrame
        The bars as `Backtest` holds them: checked, in order of time.
    times : Times, optional
        Theirs, where they are known.

    Returns
    -------
    Curves or None
        None where something is out of the ordinary, as for `StatisticsMaker`.
    """
    if not are_plain(prices):
        return None
    index: Any = prices.index
    close = prices["Close"].to_numpy(np.float64)
    centred = np.zeros(len(close))
    with np.errstate(all="ignore"):
        moves = np.log(close[1:] / close[:-1])
        centred[1:] = moves - moves.mean() if len(moves) else moves
        square = float((centred * centred).sum()) if len(moves) > 1 else np.nan
    calendar = calendar_of(index)
    if times is None and isinstance(index, pd.DatetimeIndex):
        times = Times(index)
    stamps = np.arange(len(close)) if times is None else times.stamps
    market = CurveMarket(
        _frozen(close, np.float64),
        _frozen(stamps, np.int64),
        _frozen(centred, np.float64),
        _frozen(calendar.ends, np.int64),
        _frozen_blocks(close_blocks(close, centred)),
    )
    constants = MarketConstants(
        bars=len(close),
        first_close=float(close[0]),
        last_close=float(close[-1]),
        duration_ns=np.nan if times is None else times.duration_ns,
        years=0.0 if times is None else times.years,
        annual_days=float(calendar.annual_periods),
        market_square=square,
        unit_ns=1,
        round_to=1,
    )
    uncounted = Clock(factor=1, divisor=1, unit_ns=1, round_to=1)
    return Curves(market, constants, (uncounted, uncounted) if times is None else times.clocks)


def _frozen_blocks(blocks: CloseBlocks) -> CloseBlocks:
    shift, *arrays = blocks
    return CloseBlocks(shift, *(_frozen(one, np.float64) for one in arrays))


def _frozen(values: NDArray[Any], kind: type) -> NDArray[Any]:
    """Contiguous and read-only: another layout would be another type to compile for."""
    view: NDArray[Any] = np.ascontiguousarray(values, kind).view()
    view.flags.writeable = False
    return view
