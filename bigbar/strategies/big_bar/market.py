"""The bars as the kernel wants them: plain arrays, and what does not depend on any parameter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import Calendar, calendar_of
from bigbar.compiled.statistics import MarketConstants
from bigbar.strategies.big_bar.one_walk import MarketArrays

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Market:
    """The bars that take part, and what the kernel derives from them once.

    Attributes
    ----------
    first_bar : int
        Bars of the file before this one only warm up the indicators.
    true_range : ndarray of float, shape (first_bar + bars,)
        From the beginning of the file: the ATR needs the warm-up.
    open, high, low, momentum : ndarray of float, shape (bars,)
    restricted : ndarray of bool, shape (bars,)
    direction : ndarray of int8, shape (bars,)
        1 for a green bar, -1 for a red one, 0 for neither.
    index : DatetimeIndex
        Times of the bars.
    calendar : Calendar
        Which day each bar is in.
    arrays : MarketArrays
    constants : MarketConstants
    """

    first_bar: int
    true_range: Floats
    open: Floats
    high: Floats
    low: Floats
    momentum: Floats
    restricted: NDArray[np.bool_]
    direction: NDArray[np.int8]
    index: pd.DatetimeIndex
    calendar: Calendar
    arrays: MarketArrays
    constants: MarketConstants


def market_of(file: pd.DataFrame, first_bar: int, stop_bar: int | None = None) -> Market:
    """Prepare a file for the kernel.

    Parameters
    ----------
    file : DataFrame
        The whole file, as `bigbar.strategies.big_bar.indicators.with_indicators` returns it.
    first_bar : int
        Bars before this one only warm up the indicators.
    stop_bar : int, optional
        The bar after the last that takes part; the end of the file if it is not given.

    Returns
    -------
    Market
        Its arrays are read-only; prices are views of the file's where pandas allows.
    """
    kept = file.iloc[first_bar:stop_bar]
    open_, high, low, close, momentum = (
        frozen(kept[name].to_numpy(np.float64))
        for name in ("Open", "High", "Low", "Close", "Momentum")
    )
    restricted = frozen(kept["Restricted"].to_numpy(np.bool_))
    direction = np.sign(close - open_).astype(np.int8)
    index: Any = kept.index
    # With these very times, not with the equal ones that a calendar made before may have.
    calendar = replace(calendar_of(index), index=index)
    arrays, square = _arrays(calendar, close)
    return Market(
        first_bar=first_bar,
        true_range=frozen(file["TrueRange"].to_numpy(np.float64)[:stop_bar]),
        open=open_,
        high=high,
        low=low,
        momentum=momentum,
        restricted=restricted,
        direction=frozen(direction),
        index=index,
        calendar=calendar,
        arrays=arrays,
        constants=_constants(calendar, close, square),
    )


def frozen(values: np.ndarray) -> np.ndarray:
    """Contiguous and read-only, always: another layout would be another type to compile for."""
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view


def _arrays(calendar: Calendar, close: Floats) -> tuple[MarketArrays, float]:
    moves = np.log(close[1:] / close[:-1])
    centred = np.zeros(len(close))
    centred[1:] = moves - moves.mean()
    # Not `centred @ centred`: from 10,000 bars on BLAS would start threads for it, which takes
    # milliseconds beside busy workers, and how it adds would depend on how many there are.
    square = float((centred * centred).sum()) if len(moves) > 1 else np.nan
    arrays = MarketArrays(
        close, frozen(calendar.index.asi8), frozen(calendar.numbers), frozen(centred)
    )
    return arrays, square


def _constants(calendar: Calendar, close: Floats, square: float) -> MarketConstants:
    index = calendar.index
    duration = index[-1] - index[0]
    unit_ns = int(pd.Timedelta(1, unit=index.unit).as_unit("ns").value)
    resolution_ns = pd.Timedelta(f"1{calendar.bar.resolution_string}").as_unit("ns").value
    return MarketConstants(
        bars=len(close),
        first_close=float(close[0]),
        last_close=float(close[-1]),
        duration_ns=float(duration.as_unit("ns").value),
        years=(duration.days + duration.seconds / 86400) / 365.25,
        annual_days=calendar.annual_periods,
        market_square=square,
        unit_ns=unit_ns,
        round_to=max(1, int(resolution_ns) // unit_ns),
    )
