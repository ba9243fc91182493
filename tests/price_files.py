"""Price files in the shapes that programs write, made of a few bars."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from bigbar.data.bar_checks import sound_rows

Bar = tuple[float, float, float, float, int]


def bars(count: int, *, scale: float = 1.0, digits: int = 2, seed: int = 1) -> list[Bar]:
    """Open, High, Low, Close and Volume of made-up bars."""
    random = np.random.default_rng(seed)
    closes = 100 + np.cumsum(random.normal(0, 0.5, count + 1))
    made = []
    for before, after in pairwise(closes.tolist()):
        high = max(before, after) + abs(random.normal(0, 0.2))
        low = min(before, after) - abs(random.normal(0, 0.2))
        prices = [round(scale * price, digits) for price in (before, high, low, after)]
        made.append((*prices, int(random.integers(1_000, 5_000))))
    assert sound_rows(tuple(np.array([bar[i] for bar in made]) for i in range(4))).all()
    return made


def hours(count: int, start: str = "2024-01-02 09:00") -> list[pd.Timestamp]:
    """So many hours from a start on."""
    return list(pd.date_range(start, periods=count, freq="h"))


def days(count: int, start: str = "2024-01-02") -> list[pd.Timestamp]:
    """So many days, without weekends."""
    return list(pd.bdate_range(start, periods=count))


def table(
    header: str,
    times: Sequence[pd.Timestamp],
    row: Callable[[pd.Timestamp, Bar], str],
    made: Sequence[Bar] | None = None,
) -> str:
    """A header and a row a bar."""
    made = bars(len(times)) if made is None else made
    lines = [row(time, bar) for time, bar in zip(times, made, strict=True)]
    return "\n".join([header, *lines] if header else lines) + "\n"


def plain(bar: Bar) -> str:
    """A bar as a row without its time."""
    return ",".join(str(value) for value in bar)
