"""Stretches without a bar: told where they are longer than the market's own breaks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from backtesting.test import EURUSD, GOOG

from bigbar.data.gaps import gap_notes
from bigbar.data.read import bars_from_frame, read_bars


def _minutes(start: str, count: int, every: str = "5min") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq=every)


def _office_hours() -> pd.DatetimeIndex:
    """Five-minute bars of a stock, half a year: nights, weekends and a holiday of four days."""
    times = _minutes("2024-01-01", 52_000)
    open_ = (times.day_of_week < 5) & (times.hour >= 9) & (times.hour < 16)
    holiday = (times >= "2024-03-29") & (times < "2024-04-02")
    return times[open_ & ~holiday]


@pytest.mark.parametrize(
    "index",
    [
        _minutes("2024-01-01", 20_000),
        _office_hours(),
        EURUSD.index,
        GOOG.index,
        _minutes("1969-12-26", 100, every="100min").append(_minutes("1970-01-04", 1)),
        pd.date_range("2015-01-01", periods=300, freq="W"),
        pd.date_range("1990-01-01", periods=300, freq="MS"),
    ],
    ids=["round the clock", "office hours", "EURUSD", "GOOG", "week -1", "weekly", "monthly"],
)
def test_usual_breaks_are_not_told(index):
    assert gap_notes(index) == []


@pytest.mark.parametrize(
    ("index", "gone", "days"),
    [
        (_minutes("2024-01-01", 20_000), slice(5_000, 5_600), "2.09"),
        (_office_hours(), slice(4_000, 5_000), "16"),
        (GOOG.index, slice(1_000, 1_020), "32"),
        (pd.date_range("2015-01-01", periods=300, freq="W"), slice(100, 105), "42"),
    ],
    ids=["round the clock", "office hours", "GOOG", "weekly"],
)
def test_a_part_that_is_missing_is_told(index, gone, days):
    left = index.delete(np.arange(*gone.indices(len(index))))
    before, after = left[gone.start - 1], left[gone.start]
    assert gap_notes(left) == [
        f"no bar for {days} days, from {before:%Y-%m-%d %H:%M} to {after:%Y-%m-%d %H:%M}: "
        "a part of the file may be missing"
    ]


def test_the_longest_of_several():
    index = _minutes("2024-01-01", 40_000)
    left = index.delete(np.r_[3_000:4_000, 20_000:22_000, 30_000:30_500])
    (note,) = gap_notes(left)
    assert note.startswith("no bar for 6.95 days, from 2024-03-10 ")
    assert ", and 2 more such gaps: " in note


def test_few_bars_say_nothing():
    assert gap_notes(pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2024-01-01"])) == []


def test_files_and_frames_tell_it(write):
    bars = EURUSD.drop(EURUSD.index[2_000:2_250])
    said = "no bar for 14.5 days, from 2017-08-14 16:00 to 2017-08-29 03:00"
    for shuffled in (bars, bars[::-1]):
        assert said in bars_from_frame(shuffled, source="bars").notes[-1]
        assert said in read_bars(write(shuffled.to_csv())).notes[-1]
