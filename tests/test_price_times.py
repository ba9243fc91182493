"""Times of price files that may be read in two ways: read in the right one, or refused."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from price_files import bars, days, hours, plain, table

from bigbar.data.read import bars_from_frame, read_bars
from bigbar.data.reading import Reading
from bigbar.errors import DataError

OHLCV = "Open,High,Low,Close,Volume"


def refusal(path: str, **said) -> str:
    with pytest.raises(DataError) as caught:
        read_bars(path, reading=Reading(**said))
    return str(caught.value)


def read_times_of(path: str, **said) -> pd.DatetimeIndex:
    return read_bars(path, reading=Reading(**said)).frame.index


def spelled(header: str, times, spell, made=None) -> str:
    """A file whose times are written by `spell`."""
    return table(f"{header},{OHLCV}", times, lambda t, b: f"{spell(t)},{plain(b)}", made)


# ------------------------------------------------------------------------------ whole numbers


@pytest.mark.parametrize("start", ["2017-04-19 09:00", "2024-12-30 09:00"])
@pytest.mark.parametrize(
    "form",
    ["%y%m%d%H%M", "%d%m%y%H%M", "%m%d%y%H%M", "%d%m%Y%H", "%y%m%d%H%M%S", "%d%m%y%H%M%S"],
)
def test_days_in_digits_are_no_epochs(write, form, start):
    times = hours(60, start)
    path = write(spelled("time", times, lambda t: t.strftime(form)))
    assert "--time-format" in refusal(path)
    assert read_times_of(path, time_format=form).tolist() == times


@pytest.mark.parametrize("step", [1, 60, 300, 86_400])
@pytest.mark.parametrize("scale", [1, 1000])
def test_epochs_stay_epochs(write, step, scale):
    start = 1_704_190_900 if step == 1 else 1_704_067_200
    times = [pd.Timestamp(start + step * i, unit="s", tz="UTC") for i in range(120)]
    path = write(spelled("time", times, lambda t: str(int(t.timestamp()) * scale)))
    assert read_times_of(path).tolist() == times


@pytest.mark.parametrize("since", ["0001-01-01", "1601-01-01"])
def test_ticks_are_no_nanoseconds(write, since):
    seconds = int((np.datetime64("1970-01-01") - np.datetime64(since)).astype(int)) * 86_400
    times = hours(30)
    path = write(spelled("time", times, lambda t: str((int(t.timestamp()) + seconds) * 10**7)))
    message = refusal(path)
    assert 'line 2, column "time"' in message
    assert "FILETIME" in message
    frame = pd.read_csv(path)
    with pytest.raises(DataError, match="cannot be read"):
        bars_from_frame(frame)


def test_nanoseconds_of_the_last_century_have_to_be_named(write):
    times = hours(30, "1995-01-02 09:00")
    path = write(spelled("time", times, lambda t: str(t.value)))
    assert "--time-format ns" in refusal(path)
    index = read_times_of(path, time_format="ns")
    assert index.tolist() == [time.tz_localize("UTC") for time in times]


# ------------------------------------------------------------------------------ order and copies


@pytest.mark.parametrize("form", ["%Y-%d-%m", "%Y/%d/%m %H:%M:%S"])
@pytest.mark.parametrize("months", [2, 4, 12])
def test_days_that_were_read_as_months_are_refused(write, form, months):
    times = [t for t in days(31 * months, "2024-01-01") if t.day <= 12]
    path = write(spelled("Date", times, lambda t: t.strftime(form)))
    message = refusal(path)
    assert "are out of order" in message
    assert "--time-format" in message
    assert read_times_of(path, time_format=form).tolist() == times


def test_a_file_in_no_order_is_not_sorted(write):
    times = hours(200, "2024-01-20 00:00")
    shuffled = [times[i] for i in np.random.default_rng(3).permutation(200)]
    path = write(spelled("time", shuffled, str))
    assert "of 200 are out of order, first line" in refusal(path)
    assert read_times_of(path, time_format="%Y-%m-%d %H:%M:%S").tolist() == times


def test_stretches_in_another_order_are_sorted(write):
    times = hours(200, "2024-01-20 00:00")
    for moved in ([*times[120:], *times[:120]], times[::-1], [*times[1:], times[0]]):
        path = write(spelled("time", moved, str))
        assert read_times_of(path).tolist() == times
    backward_but_one = [times[100], *times[:100:-1], *times[99::-1]]
    assert read_times_of(write(spelled("time", backward_but_one, str))).tolist() == times


def test_one_row_that_says_something_else_counts_by_its_share(write):
    times, made = hours(40), bars(40)
    text = spelled("time", times, str, made)
    copy = f"{times[7]},{plain([round(price + 30, 2) for price in made[7][:4]])},5\n"
    assert "1 row of 41 have the time of another row and other prices" in refusal(
        write(text + copy)
    )
    open_, high, low, close, volume = made[7]
    full = (open_, high + 1, low - 1, close, volume + 1)
    for joined in (text + f"{times[7]},{plain(full)}\n",):
        assert read_bars(write(joined)).frame.iloc[7].tolist() == list(full)


# ------------------------------------------------------------------------------ several columns


@pytest.mark.parametrize("utc", ["UTC time", "Time (UTC)", "time_utc", "GMT time"])
def test_of_two_clocks_the_one_in_utc_is_read(write, utc):
    times, made = hours(30), bars(30)
    text = spelled(f"Local time,{utc}", times, lambda t: f"{t - timedelta(hours=5)},{t}", made)
    read = read_bars(write(text))
    assert read.frame.index.tolist() == times
    assert any("Local time" in note and "5 h apart" in note for note in read.notes)
    frame = pd.read_csv(write(text), parse_dates=["Local time", utc])
    assert bars_from_frame(frame).frame.index.tolist() == times


# ------------------------------------------------------------------------------ frames


@pytest.mark.parametrize("exponent", [25, 400, 6000])
@pytest.mark.parametrize("column", ["High", "Volume", "remark", "code"])
def test_numbers_that_no_double_holds(exponent, column):
    frame = pd.DataFrame(bars(6), columns=OHLCV.split(","), index=pd.DatetimeIndex(hours(6)))
    frame[column] = frame.get(column, pd.Series(1.0, frame.index)).astype(object)
    frame.iloc[3, frame.columns.get_loc(column)] = 10**exponent
    if (column == "High" and exponent > 25) or column == "code":
        with pytest.raises(DataError, match="High" if column == "High" else "several values"):
            bars_from_frame(frame)
        return
    read = bars_from_frame(frame).frame
    if column == "High":
        assert read["High"].iloc[3] == 1e25
    if column == "Volume":
        assert np.isnan(read["Volume"].iloc[3]) == (exponent > 25)


# ------------------------------------------------------------------------------ cut last lines


@pytest.mark.parametrize(
    "last", ["", "1", "10", "99", "99.2", "101.", "-", "+", "x", "0", "0.", "101.2e", "nan"]
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_last_line_cut_inside_its_last_price(write, last, end):
    rows = [f"{t},100.25,102.75,99.25,101.25" for t in hours(50)]
    text = "\n".join(["time,open,high,low,close", *rows])
    path = write(text[: -len("101.25")] + last + end)
    if end and last != "101.":
        assert "line 51" in refusal(path)
        return
    read = read_bars(path)
    assert len(read.frame) == (50 if end else 49)
    assert ("line 51 is cut off: skipped" in read.notes) == (not end)


def test_a_last_price_with_fewer_digits_is_told(write):
    rows = [f"{t},100.25,102.75,99.25,101.25" for t in hours(50)]
    text = "\n".join(["time,open,high,low,close", *rows])
    said = 'its last price, "101.2", has fewer digits than most'
    assert any(said in note for note in read_bars(write(text[:-1])).notes)
    assert not any(said in note for note in read_bars(write(text[:-1] + "\n")).notes)
    assert not any("digits" in note for note in read_bars(write(text)).notes)


# ------------------------------------------------------------------------------ parts of clocks


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("Date,Hour,Minute", "%Y-%m-%d,%H,%M"),
        ("Date,Hour,Minute,Second", "%Y-%m-%d,%H,%M,%S"),
        ("Date,Time,Minutes", "%Y-%m-%d,%H:00,%M"),
        ("Date,Time,Minutes", "%Y-%m-%d,%H:%M,%M"),
        ("Date,Time,Seconds", "%Y-%m-%d,%H:%M,%S"),
        ("time,Minute", "%Y-%m-%d %H:%M,%M"),
    ],
)
@pytest.mark.parametrize("start", ["2024-01-02 09:30", "2024-01-02 00:05"])
def test_minutes_in_a_column_of_their_own(write, header, form, start):
    times = list(pd.date_range(start, periods=40, freq="25min"))
    path = write(spelled(header, times, lambda t: t.strftime(form)))
    assert read_times_of(path).tolist() == times


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("time,Minute", "%Y-%m-%d %H:00,%M"),
        ("Date,Minute", "%Y-%m-%d,%M"),
        ("time,Seconds", "%Y-%m-%d %H:%M,42"),
        ("Date,Hour,Minute", "%Y-%m-%d,%H,75"),
        ("Date,Time,Minute", "%Y-%m-%d,%H:%M,7"),
    ],
)
def test_minutes_that_are_not_read_are_refused(write, header, form):
    times = hours(40, "2024-01-02 09:30")
    path = write(spelled(header, times, lambda t: t.strftime(form)))
    assert header.split(",")[-1] in refusal(path)
    if header.startswith("time"):
        zeros = write(spelled(header, times, lambda t: f"{t},0"))
        assert read_times_of(zeros).tolist() == times


# ------------------------------------------------------------------------------ zones beside


@pytest.mark.parametrize("offset", ["-05:00", "-5", "-0500", "-18000", "EST", "UTC-5", "Etc/GMT+5"])
@pytest.mark.parametrize("clock", ["%Y-%m-%d,%H:%M", "%Y%m%d,%H%M", "%Y-%m-%d %H:%M:%S"])
def test_an_offset_in_a_column_of_its_own(write, offset, clock):
    times = hours(40)
    header = "Date,Time,Offset" if "," in clock else "time,utc_offset"
    path = write(spelled(header, times, lambda t: f"{t.strftime(clock)},{offset}"))
    moments = [(t + timedelta(hours=5)).tz_localize("UTC") for t in times]
    assert read_times_of(path).tolist() == moments


def test_zones_row_by_row(write):
    zone = "America/New_York"
    times = list(pd.date_range("2024-03-08 10:00", periods=90, freq="h", tz=zone))
    by_name = write(spelled("time,tz", times, lambda t: f"{t.tz_localize(None)},{zone}"))
    assert read_times_of(by_name).tolist() == times
    by_offset = write(spelled("time,tz", times, lambda t: f"{t.tz_localize(None)},{t:%z}"))
    assert read_times_of(by_offset).tolist() == times


@pytest.mark.parametrize("zone", ["CST", "Nowhere/Town", "-300", "99", ""])
def test_a_zone_that_is_none_is_refused(write, zone):
    path = write(spelled("time,zone", hours(40), lambda t: f"{t},{zone}"))
    assert 'line 2, column "zone"' in refusal(path)


def test_an_offset_of_times_that_have_one_changes_nothing(write):
    times = [t.tz_localize("UTC") for t in hours(40)]
    path = write(spelled("time,Offset", times, lambda t: f"{t.isoformat()},-05:00"))
    assert read_times_of(path).tolist() == times


def test_parts_and_offsets_of_a_frame(write):
    times = list(pd.date_range("2024-01-02 09:30", periods=40, freq="25min"))
    path = write(spelled("Date,Hour,Minute,Offset", times, lambda t: f"{t:%Y-%m-%d,%H,%M},-05:00"))
    index = bars_from_frame(pd.read_csv(path)).frame.index
    assert index.tolist() == [(t + timedelta(hours=5)).tz_localize("UTC") for t in times]
    assert read_times_of(path).tolist() == index.tolist()


def test_minutes_that_are_dropped_in_a_zone(write):
    path = write(spelled("time,Minute", hours(40, "2024-01-02 09:00"), lambda t: f"{t},30"))
    assert '"Minute" is not read' in refusal(path, time_zone="Asia/Kolkata")
