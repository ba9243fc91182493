"""Price files as people have them: every row a bar, at its own time, or refused with a reason."""

from datetime import timedelta

import pandas as pd
import pytest
from price_files import bars, days, hours, plain, table

from bigbar.data.names import _PRICE_NAMES, _VOLUME_NAMES
from bigbar.data.names import plain as plain_name
from bigbar.data.read import read_bars
from bigbar.data.reading import Reading, parse_columns
from bigbar.errors import DataError

OHLCV = "Date,Time,Open,High,Low,Close,Volume"


def refusal(path: str, **options) -> str:
    with pytest.raises(DataError) as caught:
        read_bars(path, **options)
    message = str(caught.value)
    assert message.startswith(path)
    assert "\n" not in message
    return message


def assert_bars(read, times, made, *, volume=True, zone=None):
    """Every bar at its own time, to the last bit."""
    expected = pd.DatetimeIndex(times).as_unit("ns")
    assert read.frame.index.tolist() == (expected.tz_localize(zone) if zone else expected).tolist()
    columns = ["Open", "High", "Low", "Close", "Volume"][: 5 if volume else 4]
    assert read.frame[columns].to_numpy().tolist() == [list(bar[: len(columns)]) for bar in made]


# ------------------------------------------------------------------------------ times of day

# How a time of day is written in a column of its own.
CLOCKS = {
    "hours and minutes": "%H:%M",
    "AM and PM": "%I:%M:%S %p",
    "am and pm": lambda time: f"{time.hour % 12 or 12}:{time:%M}{'pm' if time.hour > 11 else 'am'}",
    "hour and PM": "%I-%p",
    "930": lambda time: str(100 * time.hour + time.minute),
    "93000": lambda time: str(10_000 * time.hour + 100 * time.minute),
    "093000": "%H%M%S",
    "hours": lambda time: str(time.hour),
    "a duration": lambda time: f"0 days {time:%H:%M:%S}",
    "a dot": "%H.%M",
    "milliseconds": "%H:%M:%S.000",
}


@pytest.mark.parametrize("form", CLOCKS)
@pytest.mark.parametrize(
    "date", ["%Y-%m-%d", "%Y%m%d", "%Y.%m.%d", "%Y-%m-%d 00:00:00", "%d-%b-%Y"]
)
def test_a_time_of_day_is_never_left_out(write, form, date):
    clock = CLOCKS[form]
    times, made = hours(30, "2024-01-02 00:00"), bars(30)
    spell = clock if callable(clock) else lambda time: time.strftime(clock)
    text = table(OHLCV, times, lambda t, b: f"{t.strftime(date)},{spell(t)},{plain(b)}", made)
    assert_bars(read_bars(write(text)), times, made)


@pytest.mark.parametrize(
    ("header", "date"),
    [
        ("Date,Hour", "%Y-%m-%d,%H"),
        ("DateTime,Time", "%Y-%m-%d,%H:%M"),
        ("timestamp,Time", "%Y-%m-%d 00:00:00,%H:%M"),
        ("Date,Timestamp", "%Y%m%d,%H:%M:%S"),
        ("<DTYYYYMMDD>,<TIME>", "%Y%m%d,%H%M%S"),
        ("time,date", "%H:%M,%Y-%m-%d"),
        ("Date,Time", "%Y-%m-%d %H:%M:%S,%H:%M"),
        ("Date,Time", "%Y-%m-%dT%H:%M,"),
    ],
)
def test_day_and_time_of_day_in_columns_of_any_name(write, header, date):
    times, made = hours(30), bars(30)
    text = table(
        f"{header},Open,High,Low,Close,Volume",
        times,
        lambda t, b: f"{t.strftime(date)},{plain(b)}",
        made,
    )
    assert_bars(read_bars(write(text)), times, made)


@pytest.mark.parametrize("zone", ["Z", "+01:00", " -05:00", " EST", " US/Eastern", " GMT+0200"])
def test_a_zone_after_the_time_of_day(write, zone):
    times, made = hours(30), bars(30)
    text = table(OHLCV, times, lambda t, b: f"{t:%Y-%m-%d},{t:%H:%M}{zone},{plain(b)}", made)
    ahead = {"Z": 0, "+01:00": 1, " GMT+0200": 2}.get(zone, -5)
    utc = [time - timedelta(hours=ahead) for time in times]
    assert_bars(read_bars(write(text)), utc, made, zone="UTC")


@pytest.mark.parametrize("clock", ["morning", "25:00", "9:75", "0.395833", "", "9:30 EST5"])
def test_a_time_of_day_that_cannot_be_read_is_refused(write, clock):
    times = hours(5)
    text = table(OHLCV, times, lambda t, b: f"{t:%Y-%m-%d},{t:%H:%M},{plain(b)}")
    message = refusal(write(text.replace("10:00", clock)))
    assert "line 3" in message
    assert "Time" in message


def test_tenths_of_hours_are_no_minutes(write):
    text = f"{OHLCV}\n2024-01-02,9.00,1,1,1,1,5\n2024-01-02,9.50,1,1,1,1,5\n"
    assert 'column "Time": "9.00" is not a time of day' in refusal(write(text))


def test_two_times_of_day_that_differ_are_refused(write):
    text = f"{OHLCV}\n2024-01-02 09:30,09:30,1,1,1,1,5\n2024-01-02 10:30,15:30,1,1,1,1,5\n"
    assert "holds two times of day that differ" in refusal(write(text))


def test_midnight_at_the_end_of_a_day(write):
    text = "time,open,high,low,close\n2024-01-02 23:00,1,1,1,1\n2024-01-02 24:00,1,1,1,1\n"
    assert read_bars(write(text)).frame.index[1] == pd.Timestamp("2024-01-03")


# ------------------------------------------------------------------------------ points in time

STAMPS = {
    "YYYYMMDDHHMM": "%Y%m%d%H%M",
    "YYYYMMDDHH": "%Y%m%d%H",
    "YYYYMMDDHHMMSS": "%Y%m%d%H%M%S",
    "AM and PM": "%Y-%m-%d %I:%M:%S %p",
    "hour and PM": "%Y-%m-%d %I-%p",
    "month by name": "%d %b %Y %H:%M",
    "month by name first": "%b %d, %Y %I:%M %p",
    "month between dashes": "%d-%b-%y %H:%M",
    "a weekday": "%A, %d %B %Y %H:%M",
    "two spaces": "%Y%m%d  %H:%M:%S",
    "day first": "%d.%m.%Y %H:%M:%S.000",
    "month first": "%m/%d/%Y %H:%M",
    "month first, short year": "%m/%d/%y %I:%M %p",
    "day first, short year": "%d/%m/%y %H:%M",
    "year first, short year": "%y-%m-%d %H:%M",
}


@pytest.mark.parametrize("form", STAMPS)
def test_points_in_time(write, form):
    times, made = hours(1500), bars(1500)
    text = table(
        "time,open,high,low,close,volume",
        times,
        lambda t, b: f'"{t.strftime(STAMPS[form])}",{plain(b)}',
        made,
    )
    assert_bars(read_bars(write(text)), times, made)


def test_epochs_are_no_days(write):
    """Numbers of ten and twelve digits of which a few happen to spell a day."""
    times = [1_904_010_100 + 60 * i for i in range(200)]
    text = table(
        "time,open,high,low,close,volume", [*map(pd.Timestamp, times)],
        lambda t, b: f"{t.value},{plain(b)}",
    )  # fmt: skip
    index = read_bars(write(text)).frame.index
    assert index[0] == pd.Timestamp(times[0], unit="s", tz="UTC")


def test_a_wrong_cell_among_days_in_digits_is_refused(write):
    text = table(
        "time,open,high,low,close,volume",
        hours(30),
        lambda t, b: f"{t:%Y%m%d%H%M},{plain(b)}",
    )
    assert '"202401021299"' in refusal(write(text.replace("202401021200", "202401021299")))


def test_each_epoch_by_its_own_size(write):
    times, made = hours(60), bars(60)
    scales = [1] * 20 + [1_000] * 20 + [1_000_000] * 20
    rows = [
        f"{int(t.timestamp()) * scale},{plain(b)}"
        for t, b, scale in zip(times, made, scales, strict=True)
    ]
    read = read_bars(write("\n".join(rows) + "\n"))
    assert_bars(read, times, made, zone="UTC")
    assert "epochs change their unit, first in line 21: each by its size" in read.notes


@pytest.mark.parametrize("value", [2**63, 2**64, 10**30, 9_300_000_000_000_000_000])
def test_times_that_no_integer_holds_are_refused(write, value):
    text = table(
        "time,open,high,low,close", hours(5), lambda t, b: f"{t.value},{plain(b[:4])}"
    ).replace(str(hours(5)[3].value), str(value))
    assert "outside the years 1678 to 2261" in refusal(write(text))


def test_a_zone_in_a_header_is_told_and_changes_nothing(write):
    times, made = hours(5), bars(5)
    text = table("Time (EET),Open,High,Low,Close,Volume", times, lambda t, b: f"{t},{plain(b)}")
    read = read_bars(write(text))
    assert_bars(read, times, made)
    assert any("stay as written; --time-zone" in note for note in read.notes)
    text = text.replace("EET", "UTC")
    assert read_bars(write(text)).notes == ("times without UTC offset: read as UTC",)


# ------------------------------------------------------------------------------ day and month


def dated(form: str, when: list[pd.Timestamp]) -> str:
    return table(
        "Date,Open,High,Low,Close", when, lambda t, b: f"{t.strftime(form)},{plain(b[:4])}"
    )


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y"])
def test_a_number_above_12_anywhere_settles_the_order(write, form):
    when = days(9, "2024-01-02")  # up to the 12th …
    assert "--date-order dmy" in refusal(write(dated(form, when)))
    when = days(10, "2024-01-02")  # … and the 15th, in the last line
    read = read_bars(write(dated(form, when)))
    assert read.frame.index.tolist() == when
    word = "day" if form.startswith("%d") else "month"
    assert any(f"read with the {word} first" in note for note in read.notes)


@pytest.mark.parametrize("changed", [3, 8])
def test_a_line_against_the_order_of_the_rest_is_refused(write, changed):
    when = [day for day in days(40) if day.day > 12]
    lines = dated("%d/%m/%Y", when).splitlines()
    wrong = when[changed - 2].strftime("%m/%d/%Y")
    lines[changed - 1] = wrong + lines[changed - 1][10:]
    assert f'line {changed}, column "Date": "{wrong}"' in refusal(write("\n".join(lines) + "\n"))


@pytest.mark.parametrize("form", ["%d/%m/%y", "%m/%d/%y", "%d.%m.%Y"])
@pytest.mark.parametrize("wrong", ["{:%y/%m/%d}", "0/01/24", "32/01/24", "13/13/2024"])
def test_a_wrong_cell_does_not_turn_the_order_of_all(write, form, wrong):
    when = days(60)
    lines = dated(form, when).splitlines()
    wrong = wrong.format(when[18])
    lines[20 - 1] = wrong + lines[19][lines[19].index(",") :]
    text = "\n".join(lines) + "\n"
    if wrong == "24/01/26" and form != "%m/%d/%y":  # may be the 24th, two years later
        index = read_bars(write(text)).frame.index.tolist()
        assert index == [*when[:18], *when[19:], pd.Timestamp("2026-01-24")]
        return
    message = refusal(write(text))
    assert "line 20" in message or "--date-order" in message


def test_a_number_above_12_by_mistake_is_not_believed(write):
    """Month first, no day above 12 but one that is wrong."""
    when = [day for day in days(300) if day.day <= 12]
    text = dated("%m/%d/%Y", when)
    assert "--date-order" in refusal(write(text.replace("\n03/04/2024", "\n13/04/2024")))


def test_short_years_that_may_be_days_are_refused(write):
    text = "Date,Open,High,Low,Close\n18/01/24,1,1,1,1\n19/01/24,1,1,1,1\n"
    assert "--date-order" in refusal(write(text))


# ------------------------------------------------------------------------------ one bar a time


def test_the_full_bar_takes_the_place_of_a_partial_one(write):
    text = (
        "time,open,high,low,close,volume\n2024-01-02 00:00:00,10,12,9,11,100\n"
        "2024-01-02 01:00:00,11,11.1,10.9,11,3\n2024-01-02 01:00:00,11,14,8,13,900\n"
        "2024-01-02 02:00:00,13,14,12,13,200\n"
    )
    full = [10, 11, 13], [12, 14, 14], [9, 8, 12], [11, 13, 13], [100, 900, 200]
    read = read_bars(write(text))
    assert read.frame.to_numpy().T.tolist() == [list(map(float, column)) for column in full]
    assert "first line 4" in read.notes[-1]
    assert "prices differ by up to 26.6 %" in read.notes[-1]
    backward = "\n".join([text.splitlines()[0], *text.splitlines()[:0:-1]]) + "\n"
    assert read_bars(write(backward)).frame.equals(read.frame)


@pytest.mark.parametrize("another", ["11.5,14,8,13,900", "11,14,10.95,13,900", "11,14,8,13,2"])
def test_a_bar_that_completes_nothing_is_not_taken(write, another):
    text = (
        "time,open,high,low,close,volume\n2024-01-02 00:00:00,10,12,9,11,100\n"
        f"2024-01-02 01:00:00,11,11.1,10.9,11,3\n2024-01-02 01:00:00,{another}\n"
    )
    assert "1 row of 3 have the time of another row" in refusal(write(text))
    more = table("", hours(97, "2024-01-03"), lambda t, b: f"{t},{plain(b)}")
    assert read_bars(write(text + more)).frame["Close"].tolist()[:2] == [11, 11]


def test_so_many_rows_may_have_the_time_of_another(write):
    times, made = hours(400), bars(400)

    def text(count: int) -> str:
        again = [(t + timedelta(hours=1), b) for t, b in zip(times, made, strict=True)][:count]
        rows = [f"{t},{plain(b)}" for t, b in [*zip(times, made, strict=True), *again]]
        return "\n".join(["time,open,high,low,close,volume", *rows]) + "\n"

    assert_bars(read_bars(write(text(4))), times, made)
    message = refusal(write(text(5)))
    assert "5 rows of 405 have the time of another row and other prices" in message
    assert "line 402" in message


def test_a_file_joined_with_itself_loses_nothing(write):
    times, made = hours(50), bars(50)
    body = table("", times, lambda t, b: f"{t},{plain(b)}", made)
    read = read_bars(write(body + body))
    assert_bars(read, times, made)
    assert any("dropped, as nothing differs" in note for note in read.notes)


def test_the_column_that_tells_rows_apart_is_named(write):
    times = [time.normalize() for time in hours(40)]
    rows = table(
        "date,bar,open,high,low,close", times, lambda t, b: f"{t:%Y-%m-%d},@,{plain(b[:4])}"
    )
    parts = rows.split("@")
    text = "".join(f"{part}{i}" for i, part in enumerate(parts[:-1])) + parts[-1]
    assert 'Column "bar" tells them apart' in refusal(write(text))


@pytest.mark.parametrize("column", ["Name", "symbol", "Ticker", "contract", "what it is"])
def test_several_instruments_are_refused(write, column):
    times, made = hours(20), bars(20)
    text = table(
        f"time,open,high,low,close,volume,{column}",
        times,
        lambda t, b: f"{t},{plain(b)},{'AAA' if t < times[15] else 'BBB'}",
        made,
    )
    message = refusal(write(text))
    assert f'column "{column}" holds several values ("AAA", "BBB")' in message
    assert_bars(read_bars(write(text.replace("BBB", "AAA"))), times, made)


@pytest.mark.parametrize(
    ("column", "values"), [("symbol", (600519, 858)), ("<PER>", (60, 1440)), ("Code", ("7203", ""))]
)
def test_instruments_and_lengths_of_bars_by_number(write, column, values):
    text = "\n".join(
        [f"time,open,high,low,close,{column}"]
        + [f"2024-01-02 0{i}:00,1,1,1,1,{values[i % 2]}" for i in range(6)]
    )
    if "" in values:
        assert len(read_bars(write(text + "\n")).frame) == 6
    else:
        assert f'"{column}" holds several values' in refusal(write(text + "\n"))


def test_other_columns_of_text_are_let_be(write):
    times, made = hours(30), bars(30)
    text = table(
        "time,open,high,low,close,volume,Change %,trend,closed,complete",
        times,
        lambda t, b: (
            f"{t},{plain(b)},{t.hour / 10 - 1:.1f}%,,{t + timedelta(hours=1)},{t.hour % 2 == 0}"
        ),
        made,
    )
    assert_bars(read_bars(write(text)), times, made)


# ------------------------------------------------------------------------------ two columns of time


def test_a_second_column_of_times_has_to_agree(write):
    times, made = hours(30), bars(30)

    def text(apart) -> str:
        return table(
            "datetime,timestamp,open,high,low,close,volume",
            times,
            lambda t, b: f"{t + apart(t)},{int(t.timestamp()) * 1000},{plain(b)}",
            made,
        )

    read = read_bars(write(text(lambda t: timedelta(0))))
    assert_bars(read, times, made, zone="UTC")
    assert read.notes == ("ignored column: datetime",)
    read = read_bars(write(text(lambda t: timedelta(hours=2))))
    assert_bars(read, times, made, zone="UTC")
    assert 'column "datetime" is +2 h apart from "timestamp", which is read' in read.notes
    message = refusal(write(text(lambda t: timedelta(hours=t.day, minutes=7))))
    assert '"timestamp" and "datetime" tell different times, first in line 2' in message
    assert "--columns time=timestamp" in message


# ------------------------------------------------------------------------------ other lines


def test_headers_of_yfinance(write):
    when, made = days(20), bars(20)
    names = ["Close", "High", "Low", "Open", "Volume"]
    rows = table("", when, lambda t, b: f"{t:%Y-%m-%d},{b[3]},{b[1]},{b[2]},{b[0]},{b[4]}", made)
    three = f"Price,{','.join(names)}\nTicker{',ZZZ' * 5}\nDate,,,,,\n"
    turned = f"Ticker{',ZZZ' * 5}\nPrice,{','.join(names)}\nDate,,,,,\n"
    two = f"Date,{','.join(names)}\n{',ZZZ' * 5}\n"
    for header in (three, turned, two):
        assert_bars(read_bars(write(header + rows)), when, made)
    several = three.replace("ZZZ,ZZZ,ZZZ,ZZZ,ZZZ", "ZZZ,YYY,ZZZ,YYY,ZZZ")
    assert "several instruments" in refusal(write(several + rows))


ABOVE = {
    "an address": "https://www.example.com\n",
    "comments": "# symbol: ZZZ\n# tz: UTC\n",
    "a title and a blank line": "Symbol: ZZZ\nTimeframe: 1 hour\n\n",
    "words with commas": "ZZZ, hourly bars, exchange time, not adjusted, free\n",
}


@pytest.mark.parametrize("above", ABOVE)
@pytest.mark.parametrize("header", ["time,open,high,low,close,volume", ""])
def test_lines_above_the_table(write, above, header):
    times, made = hours(9), bars(9)
    text = table(header, times, lambda t, b: f"{t},{plain(b)}", made)
    read = read_bars(write(ABOVE[above] + text))
    assert_bars(read, times, made)
    count = ABOVE[above].strip().count("\n") + 1
    assert read.notes[0].startswith("line 1 skipped" if count == 1 else "lines 1 to 2 skipped")
    broken = (ABOVE[above] + text).replace(str(made[5][1]), "x")
    line = ABOVE[above].count("\n") + (7 if header else 6)
    assert f"line {line}, " in refusal(write(broken))


def test_the_delimiter_may_stand_in_a_line_of_its_own(write):
    made = bars(9)
    text = table(
        "Date;Open;High;Low;Close;Volume",
        days(9),
        lambda t, b: f"{t:%Y-%m-%d};" + plain(b).replace(",", ";").replace(".", ","),
        made,
    )
    assert_bars(read_bars(write("sep=;\n" + text)), days(9), made)


def test_a_header_with_a_column_missing_is_not_skipped(write):
    text = table("time,open,high,close,volume,x", hours(5), lambda t, b: f"{t},{plain(b)}")
    assert "no column for Low" in refusal(write(text))


# Time, close, high, low, open and volume, in this order.
SWAPPED = {
    "German": "Datum;Schluss;Hoch;Tief;Eröffnung;Volumen",
    "German, by programs": "Datum;Zuletzt;Hoch;Tief;Eröffn.;Vol.",
    "German, of a stock": "Datum;Schlusskurs;Höchst;Tiefst;Erster;Stück",
    "German, in capitals without accents": "DATUM;SCHLUSSKURS;HOECHST;TIEFST;EROEFFNUNG;VOLUMEN",
    "German, with a zone": "Zeit (UTC);Schluß;Hoch;Tief;Eröffnung;Volumen",
    "French": "Jour;Clôture;Haut;Bas;Ouverture;Volume",
    "French, without accents": "Date;Cloture;Haut;Bas;Ouverture;Volume",
    "French, by programs": "Date;Dernier;Plus Haut;Plus Bas;Ouv.;Vol.",
    "Spanish": "Fecha;Cierre;Máximo;Mínimo;Apertura;Volumen",
    "Spanish, by programs": "Fecha;Último;Máximo;Mínimo;Apertura;Vol.",
    "Italian": "Data;Chiusura;Massimo;Minimo;Apertura;Volume",
    "Portuguese": "Data;Fechamento;Máxima;Mínima;Abertura;Volume",
    "Dutch": "Datum;Slotkoers;Hoog;Laag;Opening;Volume",
    "Polish": "Data;Zamknięcie;Najwyższy;Najniższy;Otwarcie;Wolumen",
    "Russian": "Дата;Цена;Макс.;Мин.;Откр.;Объём",
    "Russian, accents apart": "Дата;Закрытие;Максимум;Минимум;Открытие;Объе\u0308м",
}


def swapped(header: str) -> str:
    """A table with open and close the other way round than without a header."""
    mark = ";" if ";" in header else ","

    def row(time, bar):
        return mark.join(map(str, (time, bar[3], bar[1], bar[2], bar[0], bar[4])))

    return table(header, hours(9), row, bars(9))


@pytest.mark.parametrize("language", SWAPPED)
def test_columns_in_other_languages_are_read_by_name(write, language):
    read = read_bars(write(swapped(SWAPPED[language])))
    assert_bars(read, hours(9), bars(9))
    assert not any("skipped" in note or "ignored" in note for note in read.notes)


def test_no_word_means_two_prices():
    words = [word for words in _PRICE_NAMES.values() for word in words] + [*_VOLUME_NAMES]
    assert len(words) == len(set(words))
    assert [plain_name(word) for word in words] == words


def test_days_and_times_of_day_in_other_languages(write):
    times, made = hours(9), bars(9)
    for names in ("Datum,Uhrzeit", "Date,Heure", "Fecha,Hora", "Data,Ora", "Дата,Время"):
        header = f"{names},Open,High,Low,Close,Volume"
        text = table(header, times, lambda t, b: f"{t:%Y-%m-%d},{t:%H:%M},{plain(b)}", made)
        assert_bars(read_bars(write(text)), times, made)


def test_a_price_file_of_a_german_web_page(write):
    times, made = hours(9, "2024-01-22 09:00"), bars(9)

    def row(time, bar):
        cells = [f"{time:%d.%m.%Y %H:%M}", *(f"{bar[i]:.2f}" for i in (3, 0, 1, 2)), str(bar[4])]
        return ",".join(
            f'"{cell.replace(".", ",") if i else cell}"' for i, cell in enumerate(cells)
        )

    text = table('"Datum","Zuletzt","Eröffn.","Hoch","Tief","Vol."', times, row, made)
    lines = [f'{line},"{"0,12%" if i else "+/- %"}"' for i, line in enumerate(text.splitlines())]
    read = read_bars(write("\n".join(lines) + "\n"))
    assert_bars(read, times, made)
    assert "ignored column: +/- %" in read.notes


def test_data_is_a_date_only_where_nothing_else_is(write):
    text = table("time,open,high,low,close,volume,data", hours(9), lambda t, b: f"{t},{plain(b)},9")
    read = read_bars(write(text))
    assert_bars(read, hours(9), bars(9))
    assert "ignored column: data" in read.notes


UNKNOWN = {
    "Finnish": "Päivä,Päätös,Ylin,Alin,Avaus,Vaihto",
    "Chinese": "日期,收盘,最高,最低,开盘,成交量",
    "no name for the time": ",Päätös,Ylin,Alin,Avaus,Vaihto",
    "no name for the last": "Päivä,Päätös,Ylin,Alin,Avaus,",
    "some are known": "Päivä,Päätös,High,Alin,Open,Volume",
    "one is known": "Päivä,Close,Ylin,Alin,Avaus,Vaihto",
    "a number among them": "Päivä,Päätös,Ylin,Alin,Avaus,20",
    "a delimiter at the end": "Päivä,Päätös,Ylin,Alin,Avaus,Vaihto,",
    "semicolons": "Päivä;Päätös;Ylin;Alin;Avaus;Vaihto",
}


@pytest.mark.parametrize("above", ["", "ZZZ hourly\n", "# symbol: ZZZ\n\n"])
@pytest.mark.parametrize("names", UNKNOWN)
def test_a_header_of_unknown_words_is_not_skipped(write, names, above):
    header = UNKNOWN[names]
    path = write(above + swapped(header))
    message = refusal(path)
    found = ", ".join(map(repr, header.replace(";", ",").split(",")))
    assert f"Columns found in line {above.count(chr(10)) + 1}: {found}." in message
    assert "no column for " in message
    assert message.endswith("=…")
    hint = message.rpartition("--columns ")[2]
    numbers = {"time": 1, "open": 5, "high": 3, "low": 4, "close": 2}
    for name, number in numbers.items():
        hint = hint.replace(f"{name}=…", f"{name}={number}")
    said = parse_columns(f"{hint},volume=6")
    assert_bars(read_bars(path, reading=Reading(columns=said)), hours(9), bars(9))


def test_of_lines_above_the_bars_the_names_are_shown(write):
    text = swapped("Päivä,Päätös,Ylin,Alin,Avaus,Vaihto\n-,EUR,EUR,EUR,EUR,pcs")
    assert "Columns found in line 1: 'Päivä'" in refusal(write(text))
    text = swapped("Symbol,ZZZ,Broker,Example,Account,Demo\nPäivä,Päätös,Ylin,Alin,Open,Vaihto")
    assert "Columns found in line 2: 'Päivä'" in refusal(write(text))
    text = swapped("Päivä,Päätös,Ylin,Alin,Avaus,Vaihto\n2024-01-02 08:00,n/a,n/a,n/a,n/a,0")
    assert "Columns found in line 1: 'Päivä'" in refusal(write(text))


@pytest.mark.parametrize(
    "above",
    [
        "ZZZ hourly export",
        "Symbol,ZZZ,,,,",
        "Symbol,ZZZ,Period,H1",
        "Broker,Demo,From,2024-01-01,To,2024-02-01",
        "0,1,2,3,4,5",
        "soon,1,2,0.5,1.5,n/a",
        "2024-01-02 08:00,x,y,z,w,v",
    ],
)
def test_what_names_no_columns_is_skipped_with_a_note(write, above):
    times, made = hours(9), bars(9)
    read = read_bars(write(table(above, times, lambda t, b: f"{t},{plain(b)}", made)))
    assert_bars(read, times, made)
    assert read.notes[0] == f"line 1 skipped above the bars: {above[:39]}" + "…" * (len(above) > 40)


HEADER = "time,open,high,low,close,volume"


@pytest.mark.parametrize(
    ("tail", "note"),
    [
        ("\nData provided by Example. Not advice.\n", "remark below the bars in line 12: skipped"),
        (
            "Downloaded from Example, as of 07-14-2025 03:45pm CDT\nSource: Example\n",
            "2 remarks below the bars, first line 11: skipped",
        ),
        (",,,,,\n,,,,,\n , ,,,,\n", "3 empty rows, first line 11: skipped"),
        ("2024-01-02 18:00,1.21801,1.21", "line 11 is cut off: skipped"),
        ("2024-01-", "line 11 is cut off: skipped"),
        ("2024-01-02 18:00,101,102,100,101", "line 11 is cut off: skipped"),
        (f"{HEADER}\n", "repeated header in line 11: skipped"),
    ],
)
def test_what_is_no_bar_below_the_bars(write, tail, note):
    times, made = hours(9), bars(9)
    read = read_bars(write(table(HEADER, times, lambda t, b: f"{t},{plain(b)}", made) + tail))
    assert_bars(read, times, made)
    assert note in read.notes


def test_a_header_that_comes_again_inside(write):
    times, made = hours(20), bars(20)
    lines = table(HEADER, times, lambda t, b: f"{t},{plain(b)}", made).splitlines()
    lines[8:8] = [HEADER.title()]
    lines[15:15] = ["", ",,,,,"]
    read = read_bars(write("\n".join(lines) + "\n"))
    assert_bars(read, times, made)
    assert "repeated header in line 9: skipped" in read.notes
    lines[8] = "time,high,open,low,close,volume"
    assert "line 9" in refusal(write("\n".join(lines) + "\n"))


@pytest.mark.parametrize(
    "tail",
    [
        "2024-01-02 18:00,1.21801,1.21\n",  # whole lines, so nothing is cut
        "2024-01-02 18:00,,,,,\n",
        "2024-01-02 18:00;1;1;1;1;1\n2024-01-02 19:00;1;1;1;1;1\n",
        "soon,1,1,1,1,1\n",
        "words\n2024-01-02 18:00,1,1,1,x,1\n",
    ],
)
def test_what_may_be_a_bar_is_not_skipped(write, tail):
    text = table(HEADER, hours(9), lambda t, b: f"{t},{plain(b)}")
    assert "line 11" in refusal(write(text + tail))


# ------------------------------------------------------------------------------ quotation marks


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("lines", [(5,), (5, 9), (5, 20)])
def test_a_stray_quote_swallows_nothing(write, column, lines):
    rows = [
        line.split(",")
        for line in table(HEADER, hours(20), lambda t, b: f"{t},{plain(b)}").splitlines()
    ]
    for line in lines:
        rows[line - 1][column] = '"' + rows[line - 1][column]
    message = refusal(write("\n".join(",".join(row) for row in rows) + "\n"))
    assert f'line 5, column "{HEADER.split(",")[column]}"' in message


@pytest.mark.parametrize("cell", ['"a\nb"', '"\n"', '"a\r\nb"'])
def test_a_line_break_inside_a_cell_is_refused(write, cell):
    text = table(f"{HEADER},note", hours(5), lambda t, b: f"{t},{plain(b)},a")
    assert 'line 4, column "note"' in refusal(
        write(text.replace(",a\n2024-01-02 12", f",{cell}\n2024-01-02 12"))
    )
    assert "line 1" in refusal(write(text.replace("note", cell)))


# ------------------------------------------------------------------------------ numbers


def grouped(value: float, thousands: str, decimal: str, digits: int = 2) -> str:
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans({",": thousands, ".": decimal}))


@pytest.mark.parametrize(
    ("delimiter", "thousands", "decimal"),
    [
        (",", ",", "."),
        (";", ".", ","),
        ("\t", ",", "."),
        (";", "'", "."),
        (";", " ", ","),
        (",", ".", ","),
    ],
)
def test_thousands(write, delimiter, thousands, decimal):
    when, made = days(20), bars(20, scale=215.3)
    text = table(
        "Date,Open,High,Low,Close,Volume".replace(",", delimiter),
        when,
        lambda t, b: delimiter.join(
            f'"{cell}"'
            for cell in (
                t.date(),
                *(grouped(price, thousands, decimal) for price in b[:4]),
                grouped(b[4], thousands, decimal, 0),
            )
        ),
        made,
    )
    read = read_bars(write(text))
    assert_bars(read, when, made)
    assert f"thousands separators: 1{thousands}234{decimal}5 is read as 1234.5" in read.notes


def test_currency_signs_and_abbreviated_volumes(write):
    when, made = days(20)[::-1], bars(20)
    text = table(
        "Date,Close/Last,Volume,Open,High,Low",
        when,
        lambda t, b: f"{t:%m/%d/%Y},${b[3]},{b[4] / 1000:.2f}K,${b[0]},${b[1]},${b[2]}",
        made,
    )
    read = read_bars(write(text))
    expected = [(*bar[:4], float(f"{bar[4] / 1000:.2f}e3")) for bar in made]
    assert_bars(read, when[::-1], expected[::-1])


@pytest.mark.parametrize(
    ("price", "line"),
    [("1,23", 4), ("12,345", 4), ("1.2.3", 4), ("101,5", 4), ("$", 4), ("1 01", 4)],
)
def test_a_price_against_the_style_of_the_rest_is_refused(write, price, line):
    lines = table(HEADER, hours(9), lambda t, b: f"{t},{plain(b)}").splitlines()
    cells = lines[3].split(",")
    cells[2] = f'"{price}"'
    lines[3] = ",".join(cells)
    assert f'line {line}, column "high": "{price}"' in refusal(write("\n".join(lines) + "\n"))


def test_a_high_that_misses_the_close_by_a_last_digit_is_raised(write):
    text = (
        "Date,Open,High,Low,Close\n2024-01-02,63.9,64.5,63.1,64.0\n"
        "2024-01-03,63.86384676389813,63.96426391601562,63.46218453963265,63.964263916015625\n"
        "2024-01-04,63.1,64,63.10000000000001,63.5\n"
    )
    read = read_bars(write(text))
    assert read.frame["High"].tolist() == [64.5, 63.964263916015625, 64]
    assert read.frame["Low"].tolist() == [63.1, 63.46218453963265, 63.1]
    assert read.notes[1].startswith("2 rows with a high below or a low above another price")
    assert "first line 3" in read.notes[1]
    for apart in (1 + 0.9e-9, 1 + 1e-9, 1 + 1.1e-9):
        row = f"2024-01-05,100,{100 / apart!r},99,99.5\n"
        close = f"2024-01-05,100.5,101,{100 * apart!r},100\n"
        for line in (row, close):
            if apart < 1 + 1e-9:
                assert len(read_bars(write(text + line)).frame) == 4
            elif apart > 1 + 1e-9:
                assert "line 5" in refusal(write(text + line))
    assert '"63.96425" is below Close' in refusal(
        write(text.replace("63.96426391601562", "63.96425"))
    )
