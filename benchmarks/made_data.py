"""Made-up five-minute bars that trade like gold, the same for the same seed.

Sessions open on Sunday 23:00 UTC and close on Friday 22:00, with an hour's break each day.
Volatility clusters (GARCH), follows the time of day, and a bar's path is a random walk, so that
ranges, bodies and tails stand in the proportions of real bars. On 20,000 of them a combination
of the default grid makes a few hundred trades, as it does on real ones.

    python benchmarks/made_data.py 20000 bars.csv
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Bars of one trading day: 23 hours of five minutes.
_DAY_BARS = 23 * 12

#: Moves within a bar that its open, high, low and close are read off.
_STEPS = 24

#: Standard deviation of a five-minute log return of gold in the autumn of 2025.
_SIGMA = 8e-4

#: GARCH(1, 1): how much of the variance the last squared return brings, and how much stays.
_ALPHA, _BETA = 0.06, 0.93

#: Cent prices, as the exchanges quote gold.
_DECIMALS = 2


def made_bars(rows: int, *, seed: int = 1) -> pd.DataFrame:
    """Make bars.

    Parameters
    ----------
    rows : int
        How many.
    seed : int, optional
        Of the generator.

    Returns
    -------
    DataFrame, shape (rows, 5)
        Open, High, Low, Close, Volume by UTC time, prices rounded to cents.
    """
    random = np.random.default_rng(seed)
    index = _times(rows)
    sigma = _volatility(random, rows) * _time_of_day(index)
    # Beyond the clusters: some bars are quieter than their neighbours, and a few bring news.
    sigma *= np.exp(0.25 * random.standard_normal(rows) - 0.03)
    sigma *= np.where(random.random(rows) < 0.01, random.uniform(1.5, 4.0, rows), 1.0)
    ends = np.zeros(rows)
    highest, lowest = np.zeros(rows), np.zeros(rows)
    for _ in range(_STEPS):
        ends += random.standard_normal(rows) * sigma / np.sqrt(_STEPS)
        np.maximum(highest, ends, out=highest)
        np.minimum(lowest, ends, out=lowest)
    # A quote or two beyond the walk: real tails are longer than a random walk's.
    highest += 0.15 * sigma * random.standard_exponential(rows)
    lowest -= 0.15 * sigma * random.standard_exponential(rows)
    gaps = 0.08 * sigma * random.standard_normal(rows)
    # Pulled back to where it began, or a million bars would wander off by orders of magnitude.
    starts = _pulled_back(gaps, ends)
    paths = {"Open": gaps, "High": gaps + highest, "Low": gaps + lowest, "Close": gaps + ends}
    frame = pd.DataFrame(
        {name: np.round(3600.0 * np.exp(starts + path), _DECIMALS) for name, path in paths.items()},
        index=index,
    )
    frame["Volume"] = np.floor(1e6 * sigma * random.uniform(0.5, 1.5, rows)) + 1.0
    return frame


def made_file(rows: int, *, seed: int = 1) -> Path:
    """The same as a CSV file, written once and kept in the folder for temporary files."""
    folder = Path(tempfile.gettempdir()) / "bigbar-benchmarks"
    folder.mkdir(exist_ok=True)
    path = folder / f"made-{rows}-{seed}.csv"
    if not path.exists():
        partial = path.with_suffix(".part")
        write_csv(made_bars(rows, seed=seed), partial)
        partial.replace(path)
    return path


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write bars as `time,open,high,low,close,volume`, times as ISO 8601."""
    times = pd.DatetimeIndex(frame.index).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    table = frame.rename(columns=str.lower)
    table.insert(0, "time", times)
    table.to_csv(path, index=False)


def _times(rows: int) -> pd.DatetimeIndex:
    bars = np.arange(rows)
    day, bar = np.divmod(bars, _DAY_BARS)
    week, weekday = np.divmod(day, 5)
    first = np.datetime64("2015-01-04T23:00", "ns")  # A Sunday.
    minutes = (week * 7 + weekday) * 24 * 60 + bar * 5
    return pd.DatetimeIndex(first + minutes * np.timedelta64(60 * 10**9, "ns"), tz="UTC")


def _time_of_day(index: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Quiet in the Asian night, busiest when London and New York overlap."""
    hour = index.hour.to_numpy() + index.minute.to_numpy() / 60
    return 0.75 + 0.6 * np.exp(-0.5 * ((hour - 14.5) / 2.5) ** 2)


def _volatility(random: np.random.Generator, rows: int) -> NDArray[np.float64]:
    shocks = (random.standard_t(6, rows) / np.sqrt(6 / 4)).tolist()
    variance = 1.0
    variances = np.empty(rows)
    for i, shock in enumerate(shocks):
        variances[i] = variance
        variance = (1 - _ALPHA - _BETA) + variance * (_ALPHA * shock * shock + _BETA)
    return _SIGMA * np.sqrt(variances)


def _pulled_back(gaps: NDArray[np.float64], moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log price before each bar's gap: the moves before it, with a slow pull to zero."""
    keep = 1 - 1 / (120 * _DAY_BARS)
    level = 0.0
    levels = np.empty(len(moves))
    for i, move in enumerate((gaps + moves).tolist()):
        levels[i] = level
        level = keep * level + move
    return levels


if __name__ == "__main__":
    write_csv(made_bars(int(sys.argv[1])), Path(sys.argv[2]))
