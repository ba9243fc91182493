"""The price-file loader: every format it takes, every mistake it explains."""

import gzip
import hashlib
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bigbar.data.quick
from bigbar.data.diagnosis import read_carefully
from bigbar.data.dialect import detect_dialect
from bigbar.data.epochs import TimeKind
from bigbar.data.quick import are_times_sound, read_quickly
from bigbar.data.read import COLUMNS, bars_from_frame, read_bars
from bigbar.data.reading import AS_FOUND
from bigbar.data.times import parse_time
from bigbar.errors import DataError

ROOT = Path(__file__).resolve().parent.parent
HEADER = "time,open,high,low,close,volume\n"
ROW_1 = "2024-01-02T00:00:00Z,10,12,9,11,100\n"
ROW_2 = "2024-01-02T00:05:00Z,11,13,10,12,200\n"
UTC_TIMES = ["2024-01-02 00:00:00+00:00", "2024-01-02 00:05:00+00:00"]
NAIVE_TIMES = ["2024-01-02 00:00:00", "2024-01-02 00:05:00"]


def refusal(path) -> str:
    with pytest.raises(DataError) as caught:
        read_bars(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def assert_two_bars(bars, times, *, volume=(100.0, 200.0)):
    """The two bars that all format tests spell in their own way."""
    expected = pd.DatetimeIndex(times).as_unit("ns")
    assert list(bars.frame.columns) == list(COLUMNS)
    assert bars.frame.index.equals(expected)
    assert bars.frame.index.dtype == expected.dtype
    assert bars.frame.index.name is None
    assert (bars.frame.dtypes == np.float64).all()
    prices = [[10, 12, 9, 11], [11, 13, 10, 12]]
    assert bars.frame[list(COLUMNS[:4])].to_numpy().tolist() == prices
    np.testing.assert_array_equal(bars.frame["Volume"], volume)


# ------------------------------------------------------------------------------------ formats

UTC_FORMS = {
    "Z": ("2024-01-02T00:00:00Z", "2024-01-02T00:05:00Z"),
    "UTC": ("2024-01-02 00:00:00 UTC", "2024-01-02 00:05:00 UTC"),
    "offsets change": ("2024-01-01T20:00:00-04:00", "2024-01-01T19:05:00-05:00"),
    "offset without colon": ("2024-01-02 02:00:00+0200", "2024-01-02 02:05:00+0200"),
    "offset in hours": ("2024-01-02 02:00+02", "2024-01-02 02:05+02"),
    "fractions": ("2024-01-02T00:00:00.000Z", "2024-01-02T00:05:00.000Z"),
    "some fractions": ("2024-01-02T00:00:00Z", "2024-01-02T00:05:00.000+00:00"),
    "Z and offset": ("2024-01-02T00:00:00Z", "2024-01-01T19:05:00-05:00"),
    "space before offset": ("2024-01-02 00:00:00 +0000", "2024-01-02 00:05:00 +0000"),
    "epoch s": ("1704153600", "1704153900"),
    "epoch s, fraction": ("1704153600.0", "1704153900.0"),
    "epoch ms": ("1704153600000", "1704153900000"),
    "epoch us": ("1704153600000000", "1704153900000000"),
    "epoch ns": ("1704153600000000000", "1704153900000000000"),
}
NAIVE_FORMS = {
    "T": ("2024-01-02T00:00:00", "2024-01-02T00:05:00"),
    "space": ("2024-01-02 00:00:00", "2024-01-02 00:05:00"),
    "no seconds": ("2024-01-02 00:00", "2024-01-02 00:05"),
    "dots": ("2024.01.02 00:00", "2024.01.02 00:05"),
    "slashes": ("2024/01/02 00:00", "2024/01/02 00:05"),
    "not padded": ("2024/1/2 0:00", "2024/1/2 0:05"),
    "compact": ("20240102 000000", "20240102 000500"),
    "mixed widths": ("2024-01-02", "2024-01-02 00:05"),
    "spaces around": (" 2024-01-02 00:00 ", " 2024-01-02 00:05 "),
    "quoted": ('"2024-01-02 00:00"', '"2024-01-02 00:05"'),
}


@pytest.mark.parametrize("form", UTC_FORMS)
def test_times_with_offsets_and_epochs_give_utc(write, form):
    first, second = UTC_FORMS[form]
    bars = read_bars(write(f"{HEADER}{first},10,12,9,11,100\n{second},11,13,10,12,200\n"))
    assert_two_bars(bars, UTC_TIMES)
    moved = form in ("offsets change", "offset without colon", "offset in hours")
    assert bars.notes == (("times are kept in UTC: a strategy sees hours of UTC",) if moved else ())


@pytest.mark.parametrize("form", NAIVE_FORMS)
def test_naive_times_stay_naive_and_are_noted(write, form):
    first, second = NAIVE_FORMS[form]
    bars = read_bars(write(f"{HEADER}{first},10,12,9,11,100\n{second},11,13,10,12,200\n"))
    assert_two_bars(bars, NAIVE_TIMES)
    assert bars.notes == ("times without UTC offset: read as UTC",)


@pytest.mark.parametrize("dates", [("2024-01-02", "2024-01-03"), ("20240102", "20240103")])
def test_dates_alone(write, dates):
    bars = read_bars(write(f"{HEADER}{dates[0]},10,12,9,11,100\n{dates[1]},11,13,10,12,200\n"))
    assert_two_bars(bars, ["2024-01-02", "2024-01-03"])


LAYOUTS = {
    "MetaTrader 5": (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.01.02\t00:00:00\t10\t12\t9\t11\t100\t0\t5\n"
        "2024.01.02\t00:05:00\t11\t13\t10\t12\t200\t0\t5\n",
        "ignored columns: <VOL>, <SPREAD>",
    ),
    "MetaTrader 5, no seconds": (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\n"
        "2024.01.02\t00:00\t10\t12\t9\t11\t100\n2024.01.02\t00:05\t11\t13\t10\t12\t200\n",
        "times without UTC offset: read as UTC",
    ),
    "MetaTrader 4": (
        "2024.01.02,00:00,10,12,9,11,100\n2024.01.02,00:05,11,13,10,12,200\n",
        "no header: columns read as date, time, open, high, low, close, volume",
    ),
    "headerless, one time column": (
        "20240102 000000;10;12;9;11;100\n20240102 000500;11;13;10;12;200\n",
        "no header: columns read as time, open, high, low, close, volume",
    ),
    "headerless, more columns": (
        "2024-01-02 00:00,10,12,9,11,100,7\n2024-01-02 00:05,11,13,10,12,200,7\n",
        "no header: columns read as time, open, high, low, close, volume, ignored",
    ),
    "Yahoo": (
        "Datetime,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-01-02 00:00:00,10,12,9,11,10.5,100\n2024-01-02 00:05:00,11,13,10,12,11.5,200\n",
        "ignored column: Adj Close",
    ),
    "any case, order and spaces": (
        " CLOSE , Volume,LOW,hIgH ,Date Time, Open\n"
        "11,100,9,12,2024-01-02 00:00,10\n12,200,10,13,2024-01-02 00:05,11\n",
        "times without UTC offset: read as UTC",
    ),
    "date and time apart": (
        "Date,Time,Open,High,Low,Close,Volume\n"
        "2024-01-02,00:00:00,10,12,9,11,100\n2024-01-02,00:05:00,11,13,10,12,200\n",
        "times without UTC offset: read as UTC",
    ),
    "date and time as digits": (
        "Date;Time;Open;High;Low;Close;Volume\n"
        "20240102;000000;10;12;9;11;100\n20240102;000500;11;13;10;12;200\n",
        "times without UTC offset: read as UTC",
    ),
    "unnamed first column": (
        ",Open,High,Low,Close,Volume\n"
        "2024-01-02 00:00,10,12,9,11,100\n2024-01-02 00:05,11,13,10,12,200\n",
        "times without UTC offset: read as UTC",
    ),
    "row numbers first": (
        ",time,open,high,low,close,volume\n"
        "0,2024-01-02 00:00,10,12,9,11,100\n1,2024-01-02 00:05,11,13,10,12,200\n",
        "times without UTC offset: read as UTC",
    ),
    "a date beside the epoch": (
        "unix,date,open,high,low,close,symbol,volume\n"
        "1704153600,2024-01-02,10,12,9,11,X,100\n1704153900,2024-01-02,11,13,10,12,X,200\n",
        "ignored columns: date, symbol",
    ),
    "semicolon, decimal comma": (
        "time;open;high;low;close;volume\n"
        "2024-01-02 00:00;10,0;12,0;9,0;11,0;100,0\n2024-01-02 00:05;11;13,0;10,0;12;200\n",
        "decimal commas: 1,25 is read as 1.25",
    ),
    "tab, decimal comma only later": (
        "time\topen\thigh\tlow\tclose\tvolume\n"
        "2024-01-02 00:00\t10\t12\t9\t11\t100\n2024-01-02 00:05\t11,0\t13\t10\t12\t200\n",
        "times without UTC offset: read as UTC",
    ),
    "a delimiter ends every row": (
        HEADER + "2024-01-02 00:00,10,12,9,11,100,\n2024-01-02 00:05,11,13,10,12,200,\n",
        "times without UTC offset: read as UTC",
    ),
    "quotes": (
        HEADER.replace("open", '"Open"')
        + '2024-01-02 00:00,"10",12,9,11,100\n2024-01-02 00:05,11,"13",10,12,200\n',
        "times without UTC offset: read as UTC",
    ),
    "blank lines": (
        f"\n\n{HEADER}\n2024-01-02 00:00,10,12,9,11,100\n   \n\n"
        "2024-01-02 00:05,11,13,10,12,200\n\n\n",
        "times without UTC offset: read as UTC",
    ),
}


NAMED = {
    "Alpha Vantage": "timestamp,1. open,2. high,3. low,4. close,5. volume",
    "Nasdaq": "Date,Open,High,Low,Close/Last,Volume",
    "Sierra Chart": "Date,Open,High,Low,Last,Volume",
    "Investing": "Date,Open,High,Low,Price,Vol.",
    "Barchart": "Time,Open,High,Low,Latest,Volume",
    "letters": "t,o,h,l,c,v",
    "middle prices": "time,mid.o,mid.h,mid.l,mid.c,volume",
    "bid prices": "DateTime,BidOpen,BidHigh,BidLow,BidClose,TickVolume",
    "the window's start": "window_start,open,high,low,close,volume",
    "the zone in the name": "Time (UTC),Open,High,Low,Close,Volume (BTC)",
    "Gmt time": "Gmt time,Open,High,Low,Close,Volume",
    "Local time": "Local time,Open,High,Low,Close,Volume BTC",
}


@pytest.mark.parametrize("program", NAMED)
def test_names_that_programs_use(write, program):
    bars = read_bars(write(NAMED[program] + "\n" + ROW_1 + ROW_2))
    assert_two_bars(bars, UTC_TIMES)
    assert bars.notes == ()


def test_of_two_names_for_one_price_the_better_one_is_taken(write):
    rows = "2024-01-02 00:00,10,12,9,11,5,100,7\n2024-01-02 00:05,11,13,10,12,5,200,7\n"
    for header in (
        "Date,Open,High,Low,Close,Price,Volume,Volume",
        "Date,Open,High,Low,Close,Adj Close,Volume,Volume MA",
        "Date,mid.o,mid.h,mid.l,mid.c,bid.c,volume,complete",
        "Date,Open,High,Low,Last,Latest,Volume BTC,Volume USD",
    ):
        assert_two_bars(read_bars(write(f"{header}\n{rows}")), NAIVE_TIMES)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(write, layout):
    content, note = LAYOUTS[layout]
    bars = read_bars(write(content))
    times = UTC_TIMES if layout == "a date beside the epoch" else NAIVE_TIMES
    assert_two_bars(bars, times)
    assert note in bars.notes


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_quick_way_reads_what_the_careful_one_does(layout):
    data = LAYOUTS[layout][0].strip("\n").encode() + b"\n"
    dialect = detect_dialect(data, "bars")
    with ThreadPoolExecutor(1) as pool:
        quick = read_quickly(data, dialect, pool, AS_FOUND)
    careful = read_carefully(data, dialect, "bars", AS_FOUND)
    if layout in ("a delimiter ends every row", "tab, decimal comma only later"):
        assert quick is None
        return
    assert quick is not None
    assert are_times_sound(quick.kinds)
    assert quick.times.tolist() == careful.times.tolist()
    assert quick.kinds.tolist() == careful.kinds.tolist()
    for one, other in zip(quick.prices, careful.prices, strict=True):
        assert one.tolist() == other.tolist()
    np.testing.assert_array_equal(quick.volume, careful.volume)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("volume", "volume,größe").encode(),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["utf-8 bom", "utf-16", "utf-16 be", "crlf", "cr", "umlaut", "no last newline"],
)
def test_encodings_and_line_ends(write, encode):
    assert_two_bars(read_bars(write(encode(HEADER + ROW_1 + ROW_2))), UTC_TIMES)


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), text)
    return buffer.getvalue()


def test_compressed_files_and_their_sha256(write):
    text = HEADER + ROW_1 + ROW_2
    contents = {
        "a.csv.gz": gzip.compress(text.encode()),
        "a.zip": zipped(bars_csv=text, readme_md="hello"),
        "a.csv": text.encode(),
    }
    for name, content in contents.items():
        bars = read_bars(write(content, name))
        assert_two_bars(bars, UTC_TIMES)
        assert bars.sha256 == hashlib.sha256(content).hexdigest()
        assert bars.source.endswith(name)


def test_a_path_object_and_the_rows_read(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_text(HEADER + ROW_1 + ROW_2 + ROW_2)
    bars = read_bars(path)
    assert (bars.source, len(bars.frame)) == (str(path), 2)


def test_rows_out_of_order_and_twice(write):
    row_3 = "2024-01-02T00:10:00Z,12,14,11,13,300\n"
    again = "2024-01-02T00:05:00Z,11,99,9,99,900\n"
    bars = read_bars(write(HEADER + row_3 + ROW_1 + "\n" + ROW_2 + again + row_3))
    assert bars.frame.index.is_monotonic_increasing
    assert bars.frame["Volume"].tolist() == [100, 900, 300]
    assert bars.notes == (
        "3 rows out of order, first line 3: sorted",
        "2 rows with a time seen before, first line 6: the last is kept where it completes the "
        "one before, otherwise the first; prices differ by up to 725 %",
    )


@pytest.mark.parametrize("cell", ["", "n/a", "many", "inf", "1,5x"])
def test_a_volume_that_is_no_number_is_noted(write, cell):
    bars = read_bars(write(f'{HEADER}{ROW_1}2024-01-02T00:05:00Z,11,13,10,12,"{cell}"\n'))
    assert_two_bars(bars, UTC_TIMES, volume=(100.0, np.nan))
    assert bars.notes == ("volume missing or not a number in 1 row: left empty",)


def test_no_volume_column(write):
    text = "time,open,high,low,close\n2024-01-02,10,12,9,11\n2024-01-03,11,13,10,12\n"
    bars = read_bars(write(text))
    assert_two_bars(bars, ["2024-01-02", "2024-01-03"], volume=(np.nan, np.nan))
    assert "no volume column: Volume is empty" in bars.notes


# ------------------------------------------------------------------------------------ mistakes

# Name: the second row (line 3), and what the message has to say besides the line.
BAD_ROWS = {
    "empty time": (",11,13,,12,2", ['column "time"', "missing", "ISO 8601"]),
    "empty price": ("2024-01-02T00:05:00Z,11,13,,12,2", ['column "low"', "missing", "remove"]),
    "nan": ("2024-01-02T00:05:00Z,nan,13,10,12,2", ['column "open"', '"nan"', "missing"]),
    "NULL": ("2024-01-02T00:05:00Z,NULL,13,10,12,2", ['column "open"', '"NULL"', "missing"]),
    "inf": ("2024-01-02T00:05:00Z,11,inf,10,12,2", ['column "high"', '"inf"', "finite"]),
    "overflow": ("2024-01-02T00:05:00Z,11,1e999,10,12,2", ['column "high"', '"1e999"', "finite"]),
    "text": ("2024-01-02T00:05:00Z,11,13,10,abc,2", ['column "close"', '"abc"', "not a number"]),
    "boolean": ("2024-01-02T00:05:00Z,11,13,true,12,2", ['column "low"', '"true"', "number"]),
    "underscore": ("2024-01-02T00:05:00Z,1_1,13,10,12,2", ['column "open"', '"1_1"']),
    "thousands": ('2024-01-02T00:05:00Z,"1,23.5",13,10,12,2', ['"1,23.5"', "thousands"]),
    "thousands, blank": ("2024-01-02T00:05:00Z,1 23.5,13,10,12,2", ['"1 23.5"', "thousands"]),
    "zero": ("2024-01-02T00:05:00Z,11,13,0,12,2", ['column "low"', '"0"', "above zero"]),
    "negative": ("2024-01-02T00:05:00Z,-11,13,9,12,2", ['column "open"', '"-11"', "above zero"]),
    "high < open": ("2024-01-02T00:05:00Z,14,13,10,12,2", ['column "high"', '"13" is below Open']),
    "high < close": ("2024-01-02T00:05:00Z,11,13,10,14,2", ['"13" is below Close', '"14"']),
    "high < low": ("2024-01-02T00:05:00Z,11,13,15,12,2", ['column "high"', '"13" is below Low']),
    "low > open": ("2024-01-02T00:05:00Z,11,13,11.5,12,2", ['column "low"', "above Open", '"11"']),
    "low > close": ("2024-01-02T00:05:00Z,12,13,11.5,11,2", ['column "low"', "above Close"]),
    "no time": ("soon,11,13,10,12,2", ['column "time"', '"soon"', "ISO 8601"]),
    "no such day": ("2024-02-30T00:05:00Z,11,13,10,12,2", ['"2024-02-30T00:05:00Z"', "ISO 8601"]),
    "no such hour": ("2024-01-02T24:05:00Z,11,13,10,12,2", ['"2024-01-02T24:05:00Z"']),
    "day or month": ("01/02/2024 00:05,11,13,10,12,2", ['"01/02/2024 00:05"', "day/month", "ISO"]),
    "year 1600": ("1600-01-02T00:05:00Z,11,13,10,12,2", ["1678", '"1600-01-02T00:05:00Z"']),
    "year 2400": ("2400-01-02T00:05:00Z,11,13,10,12,2", ["2261", '"2400-01-02T00:05:00Z"']),
    "naive": ("2024-01-02T00:05:00,11,13,10,12,2", ["without UTC offset", "line 2 has"]),
    "epoch": ("1704153900,11,13,10,12,2", ['"1704153900"', "epoch seconds", "line 2 has"]),
    "too many": ("2024-01-02T00:05:00Z,11,13,10,12,2,7", ["7 cells", "6 columns", '"7"']),
    "too few": ("2024-01-02T00:05:00Z,11,13,10", ['column "close"', "missing"]),
    "open quote": ('2024-01-02T00:05:00Z,"11,13,10,12,2', ['column "open"', "11,13,10,12,2"]),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_explained(write, name):
    row, words = BAD_ROWS[name]
    path = write(HEADER + ROW_1 + row + "\n")
    message = refusal(path)
    assert message.startswith(f"{path}: line 3")
    for word in words:
        assert word in message
    assert "\n" not in message


def test_the_line_is_the_editors_and_the_column_the_files(write):
    text = (
        '\n"a b",<TIME>, OPEN ,High,Low,Close\n\n'
        'x,2024-01-02T00:00:00Z,1,1,1,1\n\n"x",2024-01-02T00:05:00Z,?,1,1,1\n'
    )
    assert 'line 6, column "OPEN": "?" is not a number' in refusal(write(text))


@pytest.mark.parametrize("bad", [2, 5, 1500])
def test_how_many_more(write, bad):
    message = refusal(write(HEADER + ROW_1 + "2024-01-02,x,1,1,1,1\n" * bad))
    others = f"{bad - 1:,} more line{'s have' if bad > 2 else ' has'} problems"
    assert "line 3" in message
    assert others in message


def test_decimal_marks_do_not_mix(write):
    text = "time;open;high;low;close\n2024-01-02;1,5;1,5;1,5;1,5\n2024-01-03;1.5;1.5;1.5;1.5\n"
    message = refusal(write(text))
    assert 'line 2, column "open": "1,5"' in message
    assert "decimals with a point" in message


def test_a_bad_row_without_a_header(write):
    text = "2024.01.02,00:00,10,12,9,11,1\n2024.01.02,00:05,10,12,x,11,1\n"
    assert 'line 2, column "column 5 (Low)": "x"' in refusal(write(text))


def test_dates_that_may_be_either_are_refused_even_alone(write):
    for first in ("01/02/2024", "12.01.2024 00:00", "1-2-24"):
        message = refusal(write(f"{HEADER}{first},10,12,9,11,1\n"))
        assert "line 2" in message
        assert f'"{first}" may mean day/month or month/day' in message
    assert "line 1" in refusal(write("01/02/2024,10,12,9,11,1\n"))


# Name: file name, content, words of the message.
BAD_FILES = {
    "empty": ("a.csv", b"", ["is empty"]),
    "only white space": ("a.csv", b" \n\t\n", ["is empty"]),
    "only a byte order mark": ("a.csv", b"\xef\xbb\xbf\n", ["is empty"]),
    "empty in gzip": ("a.gz", gzip.compress(b""), ["is empty"]),
    "only a header": ("a.csv", HEADER.encode(), ["header (line 1)", "no rows"]),
    "one bar": ("a.csv", (HEADER + ROW_1).encode(), ["only one bar"]),
    "one bar twice": ("a.csv", (HEADER + ROW_1 + ROW_1).encode(), ["only one bar"]),
    "no names": ("a.csv", b"a,b,c\n1,2,3\n", ["no usable columns", "'a', 'b', 'c'"]),
    "no Low": ("a.csv", b"time,open,high,close\n1,2,3,4\n", ["no column for Low", "'high'"]),
    "no time": ("a.csv", b"x,open,high,low,close\n1,2,3,4,5\n", ["no column for time", "'x'"]),
    "Open twice": ("a.csv", b"time,Open,open,high,low,close\n1,2,3,4,5,6\n", ['"Open" and "open"']),
    "not UTF-8": ("a.csv", (HEADER + ROW_1).encode() + b"\xff\n", ["line 3", "0xff", "UTF-8"]),
    "not UTF-16": ("a.csv", b"\xff\xfea\x00b", ["UTF-16", "UTF-8"]),
    "binary": ("a.csv", b"\x7fELF\x02\x01\x00\x00", ["not a text file"]),
    "control bytes": ("a.csv", b"time,\x01\x02\x03\n", ["not a text file"]),
    "no gzip": ("a.csv.gz", b"time,open\n", ["not a gzip file"]),
    "gzip cut short": ("a.gz", gzip.compress(HEADER.encode() * 99)[:-9], ["damaged gzip"]),
    "gzip broken": ("a.gz", b"\x1f\x8b\x08\x00garbage garbage", ["damaged gzip"]),
    "no zip": ("a.zip", b"time,open\n", ["not a zip archive"]),
    "zip cut short": ("a.zip", zipped(a_csv=HEADER)[:-30], ["cannot be unpacked"]),
    "zip of two": ("a.zip", zipped(a_csv="x", b_txt="y"), ["exactly one", "holds 2", "a.csv"]),
    "zip of none": ("a.zip", zipped(a_md="x"), ["exactly one", "holds 0", "a.md"]),
    "workbook": ("a.xlsx", zipped(xl__workbook_xml="x"), ["Excel"]),
    "long cell": ("a.csv", b"time,open,high,low,close\n1," + b"x" * 200_000 + b"\n", ["a.csv"]),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_explained(write, name):
    file_name, content, words = BAD_FILES[name]
    message = refusal(write(content, file_name))
    for word in [file_name, *words]:
        assert word in message


def test_missing_files_and_directories(tmp_path, write):
    write(HEADER, "eurusd.csv")
    assert 'eurusd.csv"?' in refusal(tmp_path / "eurusd.cvs")
    assert "does not exist. Check the path." in refusal(tmp_path / "zzz")
    assert "does not exist. Neither does its folder" in refusal(tmp_path / "no" / "a.csv")
    assert "is a directory" in refusal(tmp_path)
    assert "cannot be read" in refusal("a\0b.csv")
    assert "cannot be read" in refusal("x" * 5000)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(write):
    path = write(HEADER)
    os.chmod(path, 0)
    assert "No permission" in refusal(path)


# A change at one place of a good file must end in bars or in a DataError, never in anything else.
@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_garbage_never_ends_in_a_traceback(tmp_path_factory, data):
    content = bytearray((HEADER + ROW_1 + ROW_2 + ROW_2.replace("05", "10")).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = start + data.draw(st.integers(0, 8))
        alphabet = st.sampled_from(b'\n\r\t ,;"0123456789.-+eZT:/\x00\xff\xc3\xa4ax')
        content[start:stop] = bytes(data.draw(st.lists(alphabet, max_size=8)))
    path = tmp_path_factory.getbasetemp() / "garbage.csv"
    path.write_bytes(content)
    try:
        frame = read_bars(path).frame
    except DataError:
        return
    assert frame.index.is_monotonic_increasing
    assert frame.index.is_unique
    prices = frame[list(COLUMNS[:4])].to_numpy()
    assert (np.isfinite(prices) & (prices > 0)).all()
    assert (prices[:, 1] == prices.max(axis=1)).all()
    assert (prices[:, 2] == prices.min(axis=1)).all()


# ------------------------------------------------------------------------------------ exactness

PRICE = st.floats(1e-300, 1e300)


@st.composite
def frames(draw) -> pd.DataFrame:
    count = draw(st.integers(2, 12))
    rows = []
    for _ in range(count):
        a, b, c, d = sorted(draw(st.tuples(PRICE, PRICE, PRICE, PRICE)))
        rows.append((b, d, a, c, draw(st.floats(0, 1e300))))
    zone = draw(st.sampled_from([None, "UTC", "America/New_York", "Asia/Kolkata"]))
    step = draw(st.sampled_from([1, 1_000, 1_000_000, 1_000_000_000]))
    low, high = -(10**18) // step, 9 * 10**18 // step
    times = draw(st.lists(st.integers(low, high), min_size=count, max_size=count, unique=True))
    index = pd.DatetimeIndex((np.sort(times) * step).view("datetime64[ns]"))
    if zone:
        index = index.tz_localize("UTC").tz_convert(zone)
    return pd.DataFrame(rows, index=index, columns=list(COLUMNS))


def offset_is_whole_minutes(time: pd.Timestamp) -> bool:
    """Local mean times of long ago have offsets with seconds, which ISO 8601 cannot write."""
    offset = time.utcoffset()
    return offset is None or offset.total_seconds() % 60 == 0


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frames(), st.data())
def test_any_dialect_gives_the_same_bits(tmp_path_factory, frame, data):
    if not all(offset_is_whole_minutes(time) for time in frame.index):
        frame = frame.tz_convert("UTC")
    choose = lambda *options: data.draw(st.sampled_from(options))  # noqa: E731
    delimiter = choose(",", ";", "\t")
    comma = delimiter != "," and choose(True, False)
    quote = choose("", '"')
    separator = choose("T", " ")
    newline = choose("\n", "\r\n")
    order = data.draw(st.permutations(["time", *COLUMNS]))
    spell = choose(str.lower, str.upper, lambda name: f" {name} ")
    lines = [delimiter.join(spell(name) for name in order)]
    for time, *row in frame.itertuples():
        numbers = [repr(value).replace(".", "," if comma else ".") for value in row]
        cells = dict(zip(COLUMNS, numbers, strict=True))
        cells["time"] = time.isoformat(sep=separator)
        lines.append(delimiter.join(quote + cells[name] + quote for name in order))
        if choose(False, False, True):
            lines.append("")
    content = newline.join(lines).encode(choose("utf-8", "utf-8-sig", "utf-16"))
    name, pack = choose(("a.csv", bytes), ("a.csv.gz", gzip.compress))
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(pack(content))
    read = read_bars(path).frame
    assert read.to_numpy().tobytes() == frame.to_numpy().tobytes()
    assert read.index.asi8.tolist() == frame.index.asi8.tolist()
    assert (read.index.tz is None) == (frame.index.tz is None)


@settings(max_examples=300, deadline=None)
@given(
    st.datetimes(pd.Timestamp("1680-01-01"), pd.Timestamp("2260-01-01")),
    st.integers(-23 * 60, 23 * 60),
)
def test_parse_time_agrees_with_pandas(moment, offset):
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    text = moment.isoformat()
    assert parse_time(text) == (pd.Timestamp(text).as_unit("ns").value, TimeKind.NAIVE)
    with_zone = pd.Timestamp(text + zone).as_unit("ns").value
    assert parse_time(text + zone) == (with_zone, TimeKind.OFFSET)


@pytest.mark.parametrize(
    ("text", "nanoseconds", "kind"),
    [
        ("99999999999", 99_999_999_999 * 10**9, TimeKind.OUT_OF_RANGE),
        ("100000000000", 10**17, TimeKind.EPOCH_MS),
        ("9000000000", 9 * 10**18, TimeKind.EPOCH_S),
        ("100000000000000", 10**17, TimeKind.EPOCH_US),
        ("100000000000000000", 0, TimeKind.TICKS),
        ("1000000000000000000", 10**18, TimeKind.EPOCH_NS),
        ("1704153600.123456789", 1704153600123456789, TimeKind.EPOCH_S),
        ("1704153600123.456", 1704153600123456000, TimeKind.EPOCH_MS),
        ("99999999", 0, TimeKind.UNREADABLE),
        ("2024-01-02T00:00:00+24:00", 0, TimeKind.ZONE),
        ("2024-01-02T00:00:60", 0, TimeKind.CLOCK),
        ("9" * 5000, 0, TimeKind.OUT_OF_RANGE),
        ("٢٠٢٤-01-02", 0, TimeKind.UNREADABLE),
    ],
)
def test_parse_time_at_the_edges(text, nanoseconds, kind):
    expected = 0 if kind < TimeKind.NAIVE else nanoseconds
    assert parse_time(text) == (expected, kind)


@pytest.fixture
def large_file(write, monkeypatch):
    """A file that is read in pieces, and its rows as text."""
    monkeypatch.setattr(bigbar.data.quick, "_PIECE_BYTES", 1000)
    monkeypatch.setattr(bigbar.data.quick, "usable_threads", lambda: 4)
    start = pd.Timestamp("2024-01-02", tz="UTC")
    rows = [
        f"{(start + pd.Timedelta(minutes=i)).isoformat()},{10 + i},{12 + i}.5,9,{10 + i},{i}\n"
        for i in range(500)
    ]
    return lambda rows_changed: write(HEADER + "".join(rows_changed)), rows


def test_pieces_join_to_the_whole(large_file):
    save, rows = large_file
    bars = read_bars(save(rows))
    assert bars.frame["Volume"].tolist() == list(range(500))
    assert bars.frame["High"].tolist() == [12.5 + i for i in range(500)]
    assert (np.diff(bars.frame.index.asi8) == 60 * 10**9).all()


@pytest.mark.parametrize("row", [0, 100, 124, 125, 126, 250, 374, 375, 376, 499])
def test_a_cell_too_many_is_seen_in_every_piece(large_file, row):
    save, rows = large_file
    changed = [text[:-1] + ",7\n" if i == row else text for i, text in enumerate(rows)]
    assert f"line {row + 2}: 7 cells" in refusal(save(changed))
    changed = [text[:-1] + ",7\n" if i >= row else text for i, text in enumerate(rows)]
    assert f"line {row + 2}: 7 cells" in refusal(save(changed))


def test_pieces_of_different_kinds(large_file):
    save, rows = large_file
    changed = [r.replace("+00:00", "") if i >= 300 else r for i, r in enumerate(rows)]
    assert "line 302" in refusal(save(changed))
    changed = [f"{1704153600 + 60 * i},{r.split(',', 1)[1]}" for i, r in enumerate(rows)]
    assert "line 302" in refusal(save(changed[:300] + rows[300:]))
    assert len(read_bars(save(changed)).frame) == 500


def test_the_example_is_what_backtesting_ships():
    from backtesting.test import EURUSD

    bars = read_bars(ROOT / "example.csv")
    assert len(bars.frame) == 5000
    assert bars.frame.index.asi8.tolist() == EURUSD.index.as_unit("ns").asi8.tolist()
    expected = EURUSD.astype("float64").to_numpy()
    assert bars.frame.to_numpy().tobytes() == expected.tobytes()
    assert bars.notes == ("times without UTC offset: read as UTC",)


# ------------------------------------------------------------------------------------ DataFrames


def two_bars(**columns) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"OPEN": [10, 11], "high": [12, 13], "Low": [9, 10], "close": [11, 12], "Volume": [1, 2]},
        index=pd.DatetimeIndex(NAIVE_TIMES, name="when"),
    )
    return frame.assign(**columns)


def frame_refusal(frame) -> str:
    with pytest.raises(DataError) as caught:
        bars_from_frame(frame, source="mine")
    assert str(caught.value).startswith("mine")
    return str(caught.value)


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_a_frame_keeps_its_zone_and_is_not_modified(zone, unit):
    frame = two_bars(extra="x").tz_localize(zone)
    frame.index = frame.index.as_unit(unit)
    before = frame.copy()
    bars = bars_from_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert_two_bars(bars, frame.index.rename(None), volume=(1.0, 2.0))
    assert str(bars.frame.index.tz) == str(zone)
    assert bars.source == "DataFrame"
    assert "ignored column: extra" in bars.notes
    assert ("times without time zone: read as UTC" in bars.notes) == (zone is None)
    expected = bars.frame.index.asi8.tobytes() + bars.frame.to_numpy().T.tobytes()
    assert bars.sha256 == hashlib.sha256(expected).hexdigest()


def test_a_frame_with_a_frequency_out_of_order_and_twice():
    index = pd.date_range("2024-01-02", periods=3, freq="h")
    frame = pd.DataFrame({name: [1.0, 2.0, 3.0] for name in COLUMNS}, index=index)
    assert bars_from_frame(frame).frame.index.freq is None
    bars = bars_from_frame(pd.concat([frame.iloc[::-1], frame]))
    assert bars.frame["Close"].tolist() == [1, 2, 3]
    again = "3 rows with a time seen before, first row 2024-01-02 00:00:00"
    assert f"{again}: dropped, as nothing differs" in bars.notes


def test_bars_of_a_file_pass_as_a_frame(write):
    frame = read_bars(write(HEADER + ROW_1 + ROW_2)).frame
    pd.testing.assert_frame_equal(bars_from_frame(frame).frame, frame)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"OPEN": [10, np.nan]}, ["2024-01-02 00:05:00", '"OPEN"', '"nan"']),
        ({"OPEN": [10, np.inf]}, ['"OPEN"', '"inf"']),
        ({"OPEN": ["10", "abc"]}, ['"OPEN"', '"abc"']),
        ({"Low": [0, -1]}, ["2024-01-02 00:00:00", '"Low"', '"0"', "1 more"]),
        ({"high": [12, 11]}, ['"high"', '"11" is below Close ("12")']),
        ({"Low": [9, 11.5]}, ['"Low"', '"11.5" is above Open ("11")']),
        ({"close": [True, True]}, ['"close"', '"True"']),
        ({"open": [10, 11]}, ['"OPEN" and "open"', "mean the same"]),
    ],
)
def test_a_bad_frame_is_explained(columns, words):
    message = frame_refusal(two_bars(**columns))
    for word in words:
        assert word in message


def test_frames_of_the_wrong_shape():
    frame = two_bars()
    assert "no column Low. Columns found: 'OPEN'" in frame_refusal(frame.drop(columns="Low"))
    assert "RangeIndex" in frame_refusal(frame.reset_index())
    assert "fewer than two" in frame_refusal(frame.iloc[:1])
    assert "fewer than two" in frame_refusal(frame.iloc[:0])
    both = pd.concat({"a": frame, "b": frame}, axis=1)
    assert "2 levels, for several instruments" in frame_refusal(both)
    assert_two_bars(bars_from_frame(both[["a"]]), NAIVE_TIMES, volume=(1.0, 2.0))
    assert "NaT" in frame_refusal(frame.set_axis(pd.DatetimeIndex(["2024-01-02", pd.NaT])))
    old = pd.DatetimeIndex(np.array(["1600-01-01", "2024-01-01"], "datetime64[s]"))
    assert "1678" in frame_refusal(frame.set_axis(old))


def test_a_frame_without_usable_volume():
    bars = bars_from_frame(two_bars(Volume=["x", 2]))
    assert_two_bars(bars, NAIVE_TIMES, volume=(np.nan, 2.0))
    assert "volume missing or not a number in 1 row: left empty" in bars.notes
    bars = bars_from_frame(two_bars().set_axis(["o", "h", "l", "c", "v"], axis=1))
    assert_two_bars(bars, NAIVE_TIMES, volume=(1.0, 2.0))
    bars = bars_from_frame(two_bars().drop(columns="Volume"))
    assert "no volume column: Volume is empty" in bars.notes


def test_nullable_and_narrow_types():
    frame = two_bars().astype({"OPEN": "Float64", "high": "float32", "Volume": "Int64"})
    assert_two_bars(bars_from_frame(frame), NAIVE_TIMES, volume=(1.0, 2.0))
    frame["OPEN"] = pd.array([10, None], "Float64")
    assert '"OPEN"' in frame_refusal(frame)
