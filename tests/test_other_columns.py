"""A file's other columns: kept for a strategy to see, as pandas reads them; ignored otherwise."""

import gzip
import io

import numpy as np
import pandas as pd
import pytest

from bigbar.data.other_columns import kept_positions
from bigbar.data.read import bars_from_frame, read_bars
from bigbar.errors import DataError
from bigbar.store.fingerprint import bars_sha256

ROWS = """\
Date,Open,High,Low,Close,Volume,ema,regime,flag,count,Adj Close
2024-01-02 00:00:00,1.5,2,1,1.5,10,,bear,False,4,1.4
2024-01-03 00:00:00,1.5,2,1,1.5,10,1.25,bull,True,3,1.3
2024-01-04 00:00:00,1.5,2,1,1.5,10,1.75,"big, bull",True,5,0.1
"""
OTHERS = ["ema", "regime", "flag", "count", "Adj Close"]


def bars(text, **options):
    return read_bars(io.BytesIO(text.encode()), others=True, **options)


def by_pandas(text=ROWS, **options):
    """The frame as a trader reads it by himself."""
    return pd.read_csv(io.StringIO(text), index_col=0, parse_dates=True, **options)


def semicolons(text):
    """The same with decimal commas."""
    read = by_pandas(text)
    return read.to_csv(sep=";", decimal=",")


def careful(text):
    """The same with a price that only the careful way can read."""
    return text.replace(",1.5,2,1,", ",$1.5,2,1,", 1)


@pytest.mark.parametrize("written", [str, semicolons, careful, lambda text: text.rstrip()])
def test_they_are_what_pandas_makes_of_them(written):
    found = bars(written(ROWS)).frame
    assert list(found.columns) == ["Open", "High", "Low", "Close", "Volume", *OTHERS]
    expected = by_pandas()[OTHERS]
    pd.testing.assert_frame_equal(
        found[OTHERS], expected, check_freq=False, check_names=False, check_index_type=False
    )
    assert found.dtypes[["flag", "count", "ema"]].tolist() == [np.bool_, np.int64, np.float64]


def test_nobody_who_did_not_ask_sees_them():
    text = ROWS.replace('"big, bull"', "bear").replace("bull", "bear")
    plain, asked = read_bars(io.BytesIO(text.encode())), bars(text)
    assert plain.frame.shape == (3, 5)
    assert plain.notes == ("ignored columns: ema, regime, flag, count, Adj Close",
                           "times without UTC offset: read as UTC")  # fmt: skip
    assert asked.notes == (
        "times without UTC offset: read as UTC",
        "other columns, for the strategy to see: ema, regime, flag, count, Adj Close",
    )
    pd.testing.assert_frame_equal(plain.frame, asked.frame.iloc[:, :5])


def test_rows_go_with_their_bars():
    """Sorted, and one of two with the same time left out."""
    head, *rows = ROWS.splitlines()
    mixed = "\n".join([head, rows[2], rows[0], rows[0], rows[1]])
    pd.testing.assert_frame_equal(bars(mixed).frame, bars(ROWS).frame)


def test_of_a_frame_too():
    frame = by_pandas()
    frame["Adj Close"] = frame["Adj Close"].astype(np.float32)
    given = frame.iloc[[2, 0, 1]]
    before = given.copy(deep=True)
    found = bars_from_frame(given, others=True)
    pd.testing.assert_frame_equal(
        found.frame[OTHERS], frame[OTHERS], check_freq=False, check_names=False,
        check_index_type=False,
    )  # fmt: skip
    pd.testing.assert_frame_equal(given, before)
    assert found.sha256 == bars_from_frame(given[["Open", "High", "Low", "Close", "Volume"]]).sha256


def test_they_count_in_the_fingerprint():
    other = ROWS.replace("bear", "calm")
    assert bars_sha256(bars(ROWS).frame) == bars_sha256(bars(ROWS).frame)
    assert bars_sha256(bars(ROWS).frame) != bars_sha256(bars(other).frame)
    assert bars_sha256(bars(ROWS).frame) != bars_sha256(bars(ROWS).frame.iloc[:, :5])


def test_a_large_packed_file_of_several_pieces():
    rows = 60_000
    index = pd.date_range("2024-01-01", periods=rows, freq="min", name="time")
    random = np.random.default_rng(1)
    close = 100 + random.random(rows)
    frame = pd.DataFrame(
        {"open": close, "high": close + 1, "low": close - 1, "close": close,
         "signal": random.random(rows), "regime": random.choice(["up", "down"], rows)}, index,
    )  # fmt: skip
    packed = gzip.compress(frame.to_csv().encode(), 1)
    found = read_bars(io.BytesIO(packed), others=True).frame
    np.testing.assert_array_equal(found["signal"], frame["signal"])
    assert found["regime"].tolist() == frame["regime"].tolist()


def test_several_instruments_are_refused_all_the_same():
    text = ROWS.replace("regime", "Ticker")
    with pytest.raises(DataError, match="bars of several instruments"):
        bars(text)
    with pytest.raises(DataError, match="bars of several instruments"):
        bars_from_frame(by_pandas(text), others=True)


def test_several_texts_in_a_column_that_nobody_sees_are_refused_as_ever():
    with pytest.raises(DataError, match='column "regime" holds several values'):
        read_bars(io.BytesIO(ROWS.encode()))


def test_which_columns_can_be_had():
    """One without a name cannot, nor a second one of a name, nor one that is called as a price."""
    names = ["Date", "o", "h", "l", "c", "Volume", " ", "ema", "ema", "Open", "regime"]
    assert kept_positions(names, range(5, 11)) == {7: "ema", 10: "regime"}
