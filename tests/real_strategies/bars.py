"""The bars that the corpus runs on: short, so that each run is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from backtesting.test import BTCUSD, EURUSD, GOOG

#: Smallest move of the made prices: coarse, so that many prices are equal.
TICK = 0.05

_MADE_BARS = 1200


@cache
def bars(name: str) -> pd.DataFrame:
    """Bars by name; not to be changed.

    Parameters
    ----------
    name : str
        GOOG (days), EURUSD (hours), BTCUSD (months, few) or made (five minutes of trading days,
        with gaps, ties and flat bars). GOOG and made have columns besides prices and volume, as
        a trader adds them before a backtest: `Signal`, `ATR`, `ema_fast` and `Prediction`.
    """
    if name == "GOOG":
        return _with_columns(GOOG.iloc[300:1300])
    if name == "EURUSD":
        return EURUSD.iloc[500:1700].copy()
    if name == "BTCUSD":
        return BTCUSD.copy()
    if name == "made":
        return _with_columns(made_bars(_MADE_BARS, seed=5))
    raise KeyError(name)


def made_bars(count: int, seed: int) -> pd.DataFrame:
    """Five-minute bars from 9:30 to 16:00 of trading days, the same for the same seed.

    Nights are gaps, some bars are missing, some have one price only, and prices are multiples of a
    coarse tick.
    """
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2023-03-06", periods=count // 70 + 2)
    times = (day + pd.Timedelta(minutes=570 + 5 * bar) for day in days for bar in range(78))
    index = pd.DatetimeIndex([time for time in times if rng.random() > 0.02][:count])
    moves = rng.normal(0, 0.0025, count) + 0.0012 * np.sin(np.arange(count) / 17)
    opens_day = np.append(True, index[1:].date != index[:-1].date)
    moves[opens_day] += rng.normal(0, 0.008, int(opens_day.sum()))
    close = 100 * np.exp(np.cumsum(moves))
    open_ = np.append(100.0, close[:-1]) * np.exp(np.where(opens_day, moves * 0.8, 0.0))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.0015, count)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.0015, count)))
    flat = rng.random(count) < 0.03
    open_, high, low = (np.where(flat, close, prices) for prices in (open_, high, low))
    volume = rng.integers(0, 5000, count)
    volume[flat] = 0
    prices = {"Open": open_, "High": high, "Low": low, "Close": close}
    ticks = {side: np.round(np.round(each / TICK) * TICK, 2) for side, each in prices.items()}
    return pd.DataFrame({**ticks, "Volume": volume}, index=index)


def _with_columns(plain: pd.DataFrame) -> pd.DataFrame:
    data = plain.copy()
    ranges = pd.concat(
        [
            data.High - data.Low,
            (data.High - data.Close.shift()).abs(),
            (data.Low - data.Close.shift()).abs(),
        ],
        axis=1,
    )
    data["ATR"] = ranges.max(axis=1).rolling(14, min_periods=1).mean()
    data["ema_fast"] = data.Close.ewm(span=9, adjust=False).mean()
    slow = data.Close.ewm(span=26, adjust=False).mean()
    above = (data["ema_fast"] > slow).astype(int)
    data["Signal"] = above.diff().fillna(0).astype(int)
    data["Prediction"] = data.Close.rolling(5, min_periods=1).mean().diff().fillna(0.0)
    return data
