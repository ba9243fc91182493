"""What a user says about a price file: --columns, --time-format, --time-zone, --date-order."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from price_files import bars, days, hours, plain, table

import bigbar
from bigbar.data.read import bars_from_frame, read_bars
from bigbar.data.reading import Reading, parse_columns
from bigbar.errors import DataError, SettingsError
from bigbar.history.command import main as history
from bigbar.options import parse_options
from bigbar_multiprocessing_optimized import main


def refusal(path: str, **said) -> str:
    with pytest.raises(DataError) as caught:
        read_bars(path, reading=Reading(**said))
    return str(caught.value)


def assert_read(path: str, times, made, *, zone=None, **said):
    read = read_bars(path, reading=Reading(**said))
    index = pd.DatetimeIndex(times)
    assert read.frame.index.tolist() == (index.tz_localize(zone) if zone else index).tolist()
    assert read.frame.to_numpy().tolist() == [list(bar) for bar in made]
    assert read.reading == Reading(**said)


# ------------------------------------------------------------------------------------ columns


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("when,a,b,c,d,e", "time=when,open=a,high=b,low=c,close=d,volume=e"),
        ("when,a,b,c,d,e", "time=1,open=2,high=3,low=4,close=5,volume=6"),
        ("", "time=1,open=2,high=3,low=4,close=5,volume=6"),
        ("when,Open,High,Low,Close,Volume", "time=WHEN"),
        ("date,open,high,low,settle, paid, in all,volume", "close=settle"),
        ("created,open,high,low,close,volume,date", "time=created"),
    ],
)
def test_columns_by_name_and_by_number(write, header, columns):
    times, made = hours(9), bars(9)
    more = ",2024-01-01" if header.endswith("date") else ""
    row = "{0},{1},{2},{3},{4},{5}" + more
    if "paid" in header:
        header = header.replace("settle, paid, in all", '"settle, paid, in all"')
        columns = "close=settle, paid, in all"
    text = table(header, times, lambda t, b: row.format(t, *b), made)
    assert_read(write(text), times, made, columns=parse_columns(columns))


def test_a_day_and_a_time_of_day_by_name(write):
    times, made = hours(9), bars(9)
    text = table(
        "a,b,open,high,low,close,volume",
        times,
        lambda t, b: f"{t:%H:%M},{t:%d %b %Y},{plain(b)}",
        made,
    )
    assert_read(write(text), times, made, columns={"time": "b+a"})


def test_of_two_columns_that_mean_the_same_one_is_named(write):
    times, made = hours(9), bars(9)
    text = table(
        "time,Open,High,Low,Close,open,Volume",
        times,
        lambda t, b: f"{t},{plain(b[:4])},1,{b[4]}",
        made,
    )
    assert '"Open" and "open"' in refusal(write(text))
    assert "--columns open=2" in refusal(write(text))
    assert_read(write(text), times, made, columns={"open": "2"})


@pytest.mark.parametrize("column", ["when", "9", "0", "a+b", "1+9"])
def test_a_column_that_is_not_there(write, column):
    text = table("time,open,high,low,close,volume", hours(9), lambda t, b: f"{t},{plain(b)}")
    message = refusal(write(text), columns={"time": column})
    assert f"no column {column!r} for time. Columns found: 'time', 'open'" in message


@pytest.mark.parametrize("text", ["", "open", "open=", "opening=1", "open=1,open=2", "=1"])
def test_columns_that_make_no_sense(text):
    with pytest.raises(SettingsError, match="--columns"):
        Reading(columns=parse_columns(text))


# ------------------------------------------------------------------------------------ formats

FORMATS = {
    "day first": "%d-%m-%Y %Hh%M",
    "with an offset": "%d/%m/%Y %H:%M:%S %z",
    "day of the year": "%Y%j %H%M",
    "nanoseconds": "%Y_%m_%d %H:%M:%S.%f",
}


@pytest.mark.parametrize("form", FORMATS)
def test_times_by_a_format(write, form):
    times, made = hours(9), bars(9)
    spell = FORMATS[form].replace("%z", "+0000")
    text = table(
        "time,open,high,low,close,volume", times, lambda t, b: f"{t:{spell}},{plain(b)}", made
    )
    zone = "UTC" if "%z" in FORMATS[form] else None
    assert_read(write(text), times, made, zone=zone, time_format=FORMATS[form])
    wrong = text.replace(f"{times[3]:{spell}}", "soon")
    message = refusal(write(wrong), time_format=FORMATS[form])
    assert 'line 5, column "time": "soon" does not fit --time-format' in message


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_epochs_by_their_unit(write, unit, scale):
    """Before 1973 the size does not tell the unit."""
    times, made = hours(9, "1970-01-05 09:00"), bars(9)
    text = table(
        "time,open,high,low,close,volume",
        times,
        lambda t, b: f"{int(t.timestamp()) * scale},{plain(b)}",
        made,
    )
    assert_read(write(text), times, made, zone="UTC", time_format=unit)


def test_a_format_for_two_columns(write):
    times, made = hours(9), bars(9)
    text = table(
        "date,time,open,high,low,close,volume",
        times,
        lambda t, b: f"{t:%d~%m~%Y},{t:%H~%M},{plain(b)}",
        made,
    )
    assert_read(write(text), times, made, time_format="%d~%m~%Y %H~%M")


# ------------------------------------------------------------------------------------ zones


def test_times_of_a_zone_become_utc(write):
    """Over both changes of the clocks, every hour once."""
    utc = pd.date_range("2024-03-09", "2024-11-05", freq="h", tz="UTC")
    local = [*utc.tz_convert("America/New_York").tz_localize(None)]
    made = bars(len(local))
    text = table("time,open,high,low,close,volume", local, lambda t, b: f"{t},{plain(b)}", made)
    assert_read(write(text), [*utc], made, time_zone="America/New_York")
    backward = "\n".join([text.splitlines()[0], *text.splitlines()[:0:-1]]) + "\n"
    assert_read(write(backward), [*utc], made, time_zone="America/New_York")
    compact = re.sub(r"(?m)^(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)", r"\2/\3/\1 \4:\5", text)
    assert_read(write(compact), [*utc], made, time_zone="America/New_York")


@pytest.mark.parametrize(
    ("time", "what"),
    [("2024-11-03 01:30", "was there twice"), ("2024-03-10 02:30", "was left out")],
)
def test_an_hour_of_the_change_that_nothing_tells(write, time, what):
    text = f"time,open,high,low,close\n2024-01-02,1,1,1,1\n{time},1,1,1,1\n2024-12-02,1,1,1,1\n"
    message = refusal(write(text), time_zone="America/New_York")
    assert 'line 3, column "time"' in message
    assert what in message


def test_an_abbreviation_with_its_zone(write):
    rows = "2024-11-03 01:30 CDT,1,1,1,1\n2024-11-03 01:30 CST,1,1,1,1\n"
    path = write(f"time,open,high,low,close\n{rows}")
    assert "CST" in refusal(path)
    assert "--time-zone" in refusal(path)
    index = read_bars(path, reading=Reading(time_zone="America/Chicago")).frame.index
    assert [time.hour for time in index] == [6, 7]
    message = refusal(path, time_zone="Asia/Shanghai")
    assert "does not have that name" in message


def test_zones_that_are_none(write):
    path = write("time,open,high,low,close\n2024-11-03 01:30 Americ/New_York,1,1,1,1\n" * 2)
    assert 'did you mean "America/New_York"?' in refusal(path)


# ------------------------------------------------------------------------------------ order


@pytest.mark.parametrize(
    ("order", "form"), [("dmy", "%d/%m/%Y"), ("mdy", "%m/%d/%Y"), ("ymd", "%y/%m/%d")]
)
def test_the_order_of_days(write, order, form):
    when, made = days(9), bars(9)
    text = table(
        "date,open,high,low,close,volume", when, lambda t, b: f"{t:{form}},{plain(b)}", made
    )
    assert "--date-order" in refusal(write(text))
    assert_read(write(text), when, made, date_order=order)


def test_a_line_against_the_order(write):
    text = "date,open,high,low,close\n01/02/2024,1,1,1,1\n01/13/2024,1,1,1,1\n"
    message = refusal(write(text), date_order="dmy")
    assert 'line 3, column "date": "01/13/2024" has no such day in --date-order dmy' in message


# ------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"time_zone": "New York"}, ["--time-zone 'New York'", '"America/New_York"']),
        ({"time_zone": "CST"}, ["--time-zone 'CST'"]),
        ({"time_zone": "../etc/passwd"}, ["--time-zone"]),
        ({"time_zone": 5}, ["--time-zone is 5", "America/New_York"]),
        ({"time_format": "%Q"}, ["--time-format '%Q'"]),
        ({"time_format": "DD/MM"}, ["no directives"]),
        ({"time_format": 5}, ["--time-format is 5", "%d.%m.%Y"]),
        ({"date_order": "dym"}, ["'dym'", "dmy, mdy, ymd"]),
        ({"date_order": ["dmy"]}, ["dmy, mdy, ymd"]),
        ({"columns": {"opening": "a"}}, ["'opening'", "time, open, high"]),
        ({"columns": {"open": True}}, ["--columns open=True"]),
        ({"columns": 5}, ["columns is 5"]),
    ],
)
def test_what_makes_no_sense_is_refused(said, words):
    with pytest.raises(SettingsError) as caught:
        Reading(**said)
    for word in words:
        assert word in str(caught.value)


def test_the_command_line_and_python_say_the_same(write):
    words = ["--columns", "time=Date,close=Last", "--time-format", "%d.%m.%Y", "--time-zone",
             "Europe/Berlin", "--date-order", "dmy"]  # fmt: skip
    expected = Reading({"time": "Date", "close": "Last"}, "%d.%m.%Y", "Europe/Berlin", "dmy")
    assert parse_options(["a.csv", *words]).reading == expected
    assert parse_options(["a.csv"]).reading == Reading()
    assert Reading(**expected.said()) == expected
    assert Reading().said() == {}


def test_from_python(write):
    times, made = hours(200), bars(200)
    text = table(
        "when,a,high,low,close,volume", times, lambda t, b: f"{t:%d/%m/%y %H:%M},{plain(b)}", made
    )
    found = bigbar.optimize(
        write(text),
        columns={"time": 1, "open": "a"},
        time_zone="Europe/Berlin",
        date_order="dmy",
        atr_period=20, k_atr=1, uptail_max_ratio=0.9, previous_weight=0.1, week_edge_bars=0,
        workers=1, verify=1, validate=False,
    )  # fmt: skip
    index = found.outcome.bars.frame.index
    assert index[0] == pd.Timestamp(times[0], tz="Europe/Berlin")
    with pytest.raises(SettingsError, match="date_order is 'd', but must be one of"):
        bigbar.optimize(write(text), date_order="d")


# ------------------------------------------------------------------------------------ DataFrames


def frame(times, made, **changed) -> pd.DataFrame:
    made_frame = pd.DataFrame(made, columns=["open", "high", "low", "close", "volume"])
    return made_frame.set_axis(pd.DatetimeIndex(times)).assign(**changed)


@pytest.mark.parametrize(
    "column",
    [
        lambda t: t,
        lambda t: t.tz_localize("UTC"),
        lambda t: t.strftime("%d.%m.%Y %I:%M %p"),
        lambda t: t.as_unit("s").asi8,
        lambda t: t.strftime("%Y%m%d%H%M").astype("int64"),
    ],
    ids=["times", "times of a zone", "texts", "epochs", "digits"],
)
def test_the_times_of_a_frame_may_be_in_a_column(column):
    times, made = pd.date_range("2024-01-02", periods=600, freq="h"), bars(600)
    given = frame(times, made, Date=column(times)).reset_index(drop=True)
    before = given.copy()
    read = bars_from_frame(given)
    pd.testing.assert_frame_equal(given, before)
    assert read.frame.index.tz_localize(None).tolist() == times.tolist()
    assert read.frame.to_numpy().tolist() == [list(bar) for bar in made]
    assert not any("ignored" in note for note in read.notes)
    renamed = given.rename(columns={"Date": "when", "open": "first"})
    said = Reading(columns={"time": "when", "open": "first"})
    assert bars_from_frame(renamed, reading=said).sha256 == read.sha256


def test_a_day_and_a_time_of_day_in_a_frame():
    times, made = pd.date_range("2024-01-02", periods=50, freq="h"), bars(50)
    given = frame(times, made, Date=times.strftime("%Y-%m-%d"), Time=times.strftime("%H:%M"))
    read = bars_from_frame(given.reset_index(drop=True))
    assert read.frame.index.tolist() == times.tolist()


def test_the_zone_of_a_frame():
    utc = pd.date_range("2024-03-09", "2024-11-05", freq="h", tz="UTC")
    times = utc.tz_convert("America/New_York")
    given = frame(times.tz_localize(None), bars(len(utc)))
    read = bars_from_frame(given, reading=Reading(time_zone="America/New_York"))
    assert read.frame.index.tolist() == times.tolist()
    assert str(read.frame.index.tz) == "America/New_York"
    with pytest.raises(DataError, match="was there twice in America/New_York"):
        bars_from_frame(
            given[~given.index.duplicated()], reading=Reading(time_zone="America/New_York")
        )


NO_PRICES = {
    "times": pd.date_range("2024-01-02", periods=9),
    "times of a zone": pd.date_range("2024-01-02", periods=9, tz="UTC"),
    "durations": pd.timedelta_range("1s", periods=9),
    "complex": np.full(9, 1 + 2j),
    "complex without imaginary part": np.full(9, 1 + 0j),
    "objects that are times": np.array([pd.Timestamp("2024-01-02")] * 9, object),
    "objects that are durations": np.array([np.timedelta64(5, "s")] * 9, object),
    "objects that are complex": np.array([1 + 2j] * 9, object),
    "truth values": np.full(9, True),
    "objects that are truth values": np.array([True] * 9, object),
    "periods": pd.period_range("2024-01", periods=9, freq="M"),
    "categories of times": pd.Categorical(pd.date_range("2024-01-02", periods=9)),
}


@pytest.mark.parametrize("kind", NO_PRICES)
@pytest.mark.parametrize("column", ["open", "close"])
def test_what_is_no_number_is_no_price(kind, column):
    given = frame(pd.date_range("2024-01-02", periods=9, freq="h"), bars(9))
    given[column] = NO_PRICES[kind]
    with pytest.raises(DataError, match=f'column "{column}": .* is not a finite number above zero'):
        bars_from_frame(given)


@pytest.mark.parametrize("kind", NO_PRICES)
def test_what_is_no_number_is_no_volume(kind):
    given = frame(pd.date_range("2024-01-02", periods=9, freq="h"), bars(9))
    given["volume"] = NO_PRICES[kind]
    read = bars_from_frame(given)
    assert read.frame["Volume"].isna().all()
    assert "volume missing or not a number in 9 rows: left empty" in read.notes


def test_frames_of_yfinance():
    times, made = days(9), bars(9)
    one = frame(times, made)
    both = pd.concat({"AAA": one, "BBB": one}, axis=1).swaplevel(axis=1)
    assert bars_from_frame(both.xs("AAA", axis=1, level=1, drop_level=False)).frame.equals(
        bars_from_frame(one).frame
    )
    with pytest.raises(DataError, match="several instruments"):
        bars_from_frame(both)


def test_instruments_and_times_of_a_frame():
    times, made = pd.date_range("2024-01-02", periods=40, freq="h"), bars(40)
    given = frame(times, made, symbol=["A"] * 39 + ["B"])
    with pytest.raises(DataError, match='column "symbol" holds several values'):
        bars_from_frame(given)
    given = frame(times.normalize(), made, clock=times.strftime("%H"))
    with pytest.raises(DataError, match='Column "clock" tells them apart'):
        bars_from_frame(given)
    partial = pd.concat([frame(times, made), frame(times[-1:], made[-1:]).assign(high=999.0)])
    assert bars_from_frame(partial).frame["High"].iloc[-1] == 999.0


def test_a_run_is_verified_as_it_was_read(write, tmp_path, capsys):
    times, made = hours(200, "2024-01-02 00:00"), bars(200)
    text = table(
        "when,open,high,low,close,volume",
        times,
        lambda t, b: f"{t:%d/%m/%y %H:%M},{plain(b)}",
        made,
    )
    axes = ["--atr-period", "20", "--k-atr", "1", "--uptail-max-ratio", "0.9",
            "--previous-weight", "0.1", "--week-edge-bars", "0"]  # fmt: skip
    said = ["--columns", "time=when", "--date-order", "dmy", "--time-zone", "Europe/Berlin"]
    output = ["--output", str(tmp_path / "out"), "--no-validate", "--verify", "1", "--workers", "1"]
    path = write(text)
    assert main([path, *axes, *said, *output]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["data"]["reading"] == {
        "columns": {"time": "when"}, "time_zone": "Europe/Berlin", "date_order": "dmy",
    }  # fmt: skip
    assert history(["verify", "last", "--output", str(tmp_path / "out")]) == 0
    assert "Run 1 is as it was" in capsys.readouterr().out
