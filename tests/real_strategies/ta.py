"""Indicators on pandas series, called as those of the common libraries on pandas are called."""

from __future__ import annotations

import numpy as np
import pandas as pd


def sma(close: pd.Series, length: int = 10) -> pd.Series:
    """Simple moving average."""
    return close.rolling(length).mean().rename(f"SMA_{length}")


def ema(close: pd.Series, length: int = 10) -> pd.Series:
    """Exponential moving average; undefined for the first bars."""
    return close.ewm(span=length, min_periods=length, adjust=False).mean().rename(f"EMA_{length}")


def rsi(close: pd.Series, length: int = 14) -> pd.Series:
    """Relative strength index by Wilder's averages."""
    moves = close.diff()
    up = moves.clip(lower=0).ewm(alpha=1 / length, min_periods=length, adjust=False).mean()
    down = (-moves.clip(upper=0)).ewm(alpha=1 / length, min_periods=length, adjust=False).mean()
    return (100 * up / (up + down)).rename(f"RSI_{length}")


def true_range(high: pd.Series, low: pd.Series, close: pd.Series) -> pd.Series:
    """The bar's range, the gap before it included."""
    before = close.shift()
    return pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(axis=1)


def atr(high: pd.Series, low: pd.Series, close: pd.Series, length: int = 14) -> pd.Series:
    """Average true range."""
    ranges = true_range(high, low, close)
    return ranges.ewm(alpha=1 / length, min_periods=length, adjust=False).mean()


def macd(close: pd.Series, fast: int = 12, slow: int = 26, signal: int = 9) -> pd.DataFrame:
    """Line, histogram and signal, named by the lengths."""
    line = ema(close, fast) - ema(close, slow)
    smooth = line.ewm(span=signal, min_periods=signal, adjust=False).mean()
    names = f"{fast}_{slow}_{signal}"
    return pd.DataFrame(
        {f"MACD_{names}": line, f"MACDh_{names}": line - smooth, f"MACDs_{names}": smooth}
    )


def bbands(close: pd.Series, length: int = 20, std: float = 2.0) -> pd.DataFrame:
    """Lower, middle and upper band."""
    middle = close.rolling(length).mean()
    width = std * close.rolling(length).std(ddof=0)
    names = f"{length}_{std}"
    return pd.DataFrame(
        {f"BBL_{names}": middle - width, f"BBM_{names}": middle, f"BBU_{names}": middle + width}
    )


def stoch(
    high: pd.Series, low: pd.Series, close: pd.Series, k: int = 14, d: int = 3
) -> pd.DataFrame:
    """Stochastic oscillator: %K and %D."""
    lowest = low.rolling(k).min()
    raw = 100 * (close - lowest) / (high.rolling(k).max() - lowest)
    smooth = raw.rolling(d).mean()
    return pd.DataFrame({"STOCHk": smooth, "STOCHd": smooth.rolling(d).mean()})


def adx(high: pd.Series, low: pd.Series, close: pd.Series, length: int = 14) -> pd.DataFrame:
    """Average directional index with both directions."""
    up, down = high.diff(), -low.diff()
    plus = up.where((up > down) & (up > 0), 0.0)
    minus = down.where((down > up) & (down > 0), 0.0)
    ranges = true_range(high, low, close).ewm(alpha=1 / length, adjust=False).mean()
    di_plus = 100 * plus.ewm(alpha=1 / length, adjust=False).mean() / ranges
    di_minus = 100 * minus.ewm(alpha=1 / length, adjust=False).mean() / ranges
    strength = 100 * (di_plus - di_minus).abs() / (di_plus + di_minus)
    index = strength.ewm(alpha=1 / length, min_periods=length, adjust=False).mean()
    return pd.DataFrame(
        {f"ADX_{length}": index, f"DMP_{length}": di_plus, f"DMN_{length}": di_minus}
    )


def supertrend(
    high: pd.Series, low: pd.Series, close: pd.Series, length: int = 10, multiplier: float = 3.0
) -> pd.DataFrame:
    """The line that follows a trend, and its direction: 1 up, -1 down."""
    middle = ((high + low) / 2).to_numpy()
    width = multiplier * atr(high, low, close, length).to_numpy()
    upper, lower, price = middle + width, middle - width, close.to_numpy()
    trend, direction = np.full(len(price), np.nan), np.ones(len(price))
    for bar in range(length, len(price)):
        up = direction[bar - 1] > 0
        if price[bar - 1] < upper[bar - 1] < upper[bar]:
            upper[bar] = upper[bar - 1]
        if price[bar - 1] > lower[bar - 1] > lower[bar]:
            lower[bar] = lower[bar - 1]
        if price[bar] > upper[bar - 1]:
            up = True
        elif price[bar] < lower[bar - 1]:
            up = False
        direction[bar] = 1 if up else -1
        trend[bar] = lower[bar] if up else upper[bar]
    return pd.DataFrame({"SUPERT": trend, "SUPERTd": direction})
