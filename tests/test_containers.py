"""Where price files come from and how they are packed: paths, pipes, archives, tables.

Whatever is in the way, what is read is the same bars, or it ends in a `DataError`.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import bigbar
from bigbar.data.encoding import text_limit
from bigbar.data.read import read_bars
from bigbar.errors import DataError
from tests import commands

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ROOT / "bigbar_multiprocessing_optimized.py"


def made_frame(rows: int = 300) -> pd.DataFrame:
    """Prices of all sorts of digits, indexed by time."""
    random_numbers = np.random.default_rng(7)
    middle = 100 * np.exp(random_numbers.normal(0, 0.01, rows).cumsum())
    width = middle * random_numbers.uniform(0.001, 0.01, rows)
    return pd.DataFrame(
        {
            "Open": middle,
            "High": middle + width,
            "Low": middle - width,
            "Close": middle + width / 3,
            "Volume": random_numbers.integers(1, 10**6, rows).astype(np.float64),
        },
        index=pd.date_range("2024-01-02 09:30", periods=rows, freq="5min", unit="ns"),
    )


FRAME = made_frame()
TEXT = FRAME.to_csv(index_label="time").encode()
HALF = TEXT.index(b"\n", len(TEXT) // 2) + 1


def zstd(text: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(text)
    return sink.getvalue().to_pybytes()


def zipped(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def parquet(frame: pd.DataFrame, **options: object) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, **options)
    return buffer.getvalue()


def feather(frame: pd.DataFrame, **options: object) -> bytes:
    buffer = io.BytesIO()
    frame.rename_axis("date").reset_index().to_feather(buffer, **options)
    return buffer.getvalue()


def refusal(file: object) -> str:
    with pytest.raises(DataError) as caught:
        read_bars(file)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_the_bars(file: object, frame: pd.DataFrame = FRAME) -> None:
    """The bars of `FRAME`, to the bit."""
    pd.testing.assert_frame_equal(
        read_bars(file).frame, frame, check_exact=True, check_names=False, check_freq=False
    )


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}
CONTAINERS = {
    "plain.csv": TEXT,
    **{f"one.csv.{suffix}": pack(TEXT) for suffix, pack in PACKERS.items()},
    # As pigz, pbzip2, pxz and pzstd write, or `cat` joins.
    **{f"two.{s}": pack(TEXT[:HALF]) + pack(TEXT[HALF:]) for s, pack in PACKERS.items()},
    "stored.zip": zipped(zipfile.ZIP_STORED, bars__csv=TEXT),
    "deflated.zip": zipped(bars__txt=TEXT, readme__md=b"hello"),
    "bzip2.zip": zipped(zipfile.ZIP_BZIP2, bars__csv=TEXT),
    "lzma.zip": zipped(zipfile.ZIP_LZMA, bars__csv=TEXT),
    "parquet.zip": zipped(zipfile.ZIP_STORED, bars__parquet=parquet(FRAME)),
    "bars.parquet": parquet(FRAME),
    "named.parquet": parquet(FRAME.rename_axis("Date")),
    "column.parquet": parquet(FRAME.rename_axis("time").reset_index()),
    "brotli.parquet": parquet(FRAME, compression="brotli"),
    "bars.parquet.gz": gzip.compress(parquet(FRAME)),
    "bars.feather": feather(FRAME),
    "zstd.feather": feather(FRAME, compression="zstd"),
}


# ------------------------------------------------------------------------------ what can be read


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_bars(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(CONTAINERS[name])
    for file in (path, str(path), os.fsencode(path).decode(), io.BytesIO(CONTAINERS[name])):
        assert_the_bars(file)
    with path.open("rb") as opened:
        assert_the_bars(opened)


def test_padding_after_the_data():
    """Tapes and block devices fill up with zeros, and both formats allow it."""
    assert_the_bars(io.BytesIO(gzip.compress(TEXT) + bytes(100)))
    xz = lzma.compress(TEXT[:HALF]) + bytes(8) + lzma.compress(TEXT[HALF:]) + bytes(4)
    assert_the_bars(io.BytesIO(xz))


def test_the_digest_is_that_of_the_file():
    import hashlib

    for raw in (TEXT, CONTAINERS["bars.parquet"], CONTAINERS["one.csv.xz"]):
        assert read_bars(io.BytesIO(raw)).sha256 == hashlib.sha256(raw).hexdigest()


def test_an_open_file_is_read_from_where_it_stands_and_stays_open():
    file = io.BytesIO(b"# exported by hand\n" + TEXT)
    file.readline()
    assert_the_bars(file)
    assert not file.closed
    assert_the_bars(io.StringIO(TEXT.decode()))


def test_what_an_open_file_is_called(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_bytes(TEXT)
    with path.open("rb") as opened:
        assert read_bars(opened).source == str(path)
    assert read_bars(io.BytesIO(TEXT)).source == "BytesIO"
    assert refusal(io.BytesIO(b"")).startswith("BytesIO is empty")


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.rename(columns=str.lower),
        lambda t: t[["Close", "Volume", "Low", "High", "Open"]],
        lambda t: t.tz_localize("UTC").tz_convert("America/New_York").rename_axis("timestamp"),
        lambda t: t.set_axis(t.index.asi8 // 10**6).rename_axis("open time").reset_index(),
        lambda t: t.set_axis(t.index.asi8 / 1e9).rename_axis("unix").reset_index(),
        lambda t: t.set_axis(t.index.astype(str)).rename_axis("time").reset_index(),
        lambda t: t.set_axis(t.index.astype(str).astype("category")).rename_axis("time"),
        lambda t: t.assign(Volume=t["Volume"].astype(np.uint64)),
        lambda t: t.assign(more=[["a", "list"]] * len(t)),
        lambda t: t.set_axis(pd.MultiIndex.from_product([t.columns, ["AAPL"]]), axis=1),
    ],
    ids=["lower case", "order", "zone", "epochs", "float epochs", "text", "categories", "integers",
         "lists", "yfinance"],
)  # fmt: skip
def test_tables_as_people_have_them(change):
    table = change(FRAME)
    bars = read_bars(io.BytesIO(parquet(table))).frame
    assert list(bars.index.tz_localize(None)) == list(FRAME.index)
    np.testing.assert_array_equal(bars.to_numpy(), FRAME.to_numpy())


def test_single_precision_stays_what_it_is():
    single = FRAME.astype(np.float32)
    bars = read_bars(io.BytesIO(parquet(single))).frame
    np.testing.assert_array_equal(bars.to_numpy(), single.to_numpy().astype(np.float64))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (FRAME.drop(columns="Low"), ["no column for Low"]),
        (FRAME.assign(High=FRAME["Low"] / 2), ["line 2", '"High"', "is below Open"]),
        (FRAME.iloc[:0], ["is empty"]),
        (FRAME.assign(Open=True), ["line 2", '"Open"', '"true"']),
        (FRAME.assign(Open=FRAME.index), ["line 2", '"Open"', "2024-01-02"]),
        (FRAME.assign(Open=pd.Timedelta(1, "D")), ["line 2", '"Open"', "duration"]),
        (FRAME.assign(time=np.uint64(2**64 - 1)).reset_index(drop=True), ["line 2", '"time"']),
        (FRAME.reset_index(drop=True), ["no column for time"]),
    ],
    ids=["column", "order", "rows", "booleans", "times", "durations", "above int64", "no times"],
)
def test_a_bad_table_is_explained(table, words):
    message = refusal(io.BytesIO(parquet(table)))
    assert all(word in message for word in words), message


# --------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("name", ["one.csv.gz", "two.gz", "one.csv.bz2", "two.bz2", "one.csv.xz",
                                  "two.xz", "stored.zip", "deflated.zip", "bzip2.zip", "lzma.zip",
                                  "bars.parquet", "bars.feather", "zstd.feather"])  # fmt: skip
def test_flipped_bits(name):
    """The same bars, or an error: a checksum notices the damage. Tables have none: they may lie,
    but not otherwise break the program."""
    numbers = random.Random(name)
    sound = CONTAINERS[name]
    can_lie = name.endswith(("parquet", "feather"))
    refused = 0
    for _ in range(150):
        flipped = bytearray(sound)
        # A directory or a footer is a small part of the file, and the one with most to break.
        first = numbers.choice((0, len(flipped) - min(len(flipped), 400)))
        for _ in range(numbers.randint(1, 3)):
            flipped[numbers.randrange(first, len(flipped))] ^= 1 << numbers.randrange(8)
        try:
            found = read_bars(io.BytesIO(flipped)).frame
        except DataError:
            refused += 1
        else:
            assert can_lie or found.equals(FRAME)
    assert refused > (20 if can_lie else 60)


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name != "plain.csv"])
def test_cut_short_or_with_something_behind(name):
    raw = CONTAINERS[name]
    for count in (len(raw) - 1, len(raw) - 9, len(raw) // 2, 30, 12):
        refusal(io.BytesIO(raw[:count]))
    if name.endswith(tuple(PACKERS)):
        message = refusal(io.BytesIO(raw + b"something else"))
        assert "damaged" in message


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst", "zip", "parquet", "feather"])
def test_a_name_that_promises_something_else(tmp_path, suffix):
    path = tmp_path / f"bars.{suffix}"
    path.write_bytes(TEXT)
    message = refusal(path)
    assert f"bars.{suffix} is not a " in message
    assert "damaged" in message


def test_a_feather_file_of_long_ago():
    assert "version 1" in refusal(io.BytesIO(b"FEA1" + TEXT))


def test_an_encrypted_archive_says_so():
    raw = bytearray(CONTAINERS["deflated.zip"])
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        raw[raw.index(mark) + place] |= 1
    assert "encrypted" in refusal(io.BytesIO(raw))


# --------------------------------------------------------------------------------- without end


def bomb(size: int) -> bytes:
    """A thousandth of the size, as gzip."""
    million = gzip.compress(b"1" * 10**6)
    return million * (size // 10**6)


#: Runs a command and says how much memory it took at most. A process of its own, because what a
#: process has when it starts another counts as that one's as well, and tests have much by then.
_MEASURE = """
import os, resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(code, peak * (1 if sys.platform == "darwin" else 1024))
"""


def peak_of(arguments: list[str]) -> tuple[int, str, int]:
    """Exit code of the command, what it said on standard error, and its memory at most."""
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURE, sys.executable, str(COMMAND), *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, peak = map(int, measured.stdout.split())
    return code, measured.stderr, peak


@pytest.mark.parametrize("limit", [[], ["--max-memory", "500M"]])
def test_a_bomb(tmp_path, limit):
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(bomb(1_500_000_000))
    assert path.stat().st_size < 2_000_000
    code, said, peak = peak_of([str(path), "--output", str(tmp_path / "out"), *limit])
    assert code == 2
    assert said.startswith(f"error: {path} ")
    assert said.count("\n") == 1
    assert peak < 500_000_000
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_bombs_of_every_kind():
    zeros = b"1" * 150_000_000
    for raw in (bz2.compress(zeros, 1), lzma.compress(zeros, preset=0), zstd(zeros)):
        assert "unpacks to more than 1" in refusal(io.BytesIO(raw))
    table = pa.table({"open": pa.array(np.zeros(60_000_000, np.int8))})
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer)
    assert len(buffer.getvalue()) < 1_000_000
    with pytest.raises(DataError, match="holds more than"):
        read_bars(io.BytesIO(buffer.getvalue()), max_memory=1)


def test_a_file_that_memory_does_not_do_for(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # A hole: it takes no room.
    message = refusal(path)
    assert "holds more than" in message
    assert "--max-memory" in message


def test_the_limit_follows_the_memory():
    before = psutil.Process().memory_info().rss
    limit = text_limit(before + 500_000_000)
    given_back = before - psutil.Process().memory_info().rss  # By others, or a garbage collection.
    assert text_limit(1) == 16 << 20
    assert limit == pytest.approx((500_000_000 + given_back) / 5, rel=0.1)
    assert text_limit() > 16 << 20


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such devices here")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
def test_devices(device):
    assert f"{device} is a device, not a file" in refusal(device)
    with open(device, "rb") as opened:
        assert "is a device, not a file" in refusal(opened)


def test_a_socket(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert "is a socket, not a file" in refusal(path)


def test_a_pipe_that_nobody_writes_to(tmp_path, monkeypatch):
    monkeypatch.setattr("bigbar.data.encoding._PATIENCE_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe that nobody writes to" in refusal(tmp_path / "pipe")


def test_a_pipe_with_a_slow_writer(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(TEXT))
    threading.Timer(0.2, writer.start).start()
    assert_the_bars(pipe)
    writer.join()


@pytest.mark.parametrize("wrong", [None, 5, [1, 2], {}, object()])
def test_what_is_no_file_at_all(wrong):
    message = refusal(wrong)
    assert type(wrong).__name__ in message
    with pytest.raises(DataError):
        bigbar.optimize(wrong)


# ------------------------------------------------------------------------------ standard input


def run(arguments: list[str], **streams: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(COMMAND), "-", "--no-store", *arguments]
    return commands.run(line, timeout=120, **streams)


def test_standard_input(tmp_path):
    single = ["--no-optimize", "--no-validate", "--engine", "backtesting"]
    path = tmp_path / "bars.csv.zst"
    path.write_bytes(zstd((ROOT / "example.csv").read_bytes()))
    with path.open("rb") as piped:
        found = run([*single, "--output", str(tmp_path / "out")], stdin=piped)
    assert found.returncode == 0, found.stderr
    assert "Data       standard input · 5,000 bars" in found.stderr


def test_no_standard_input(tmp_path):
    rest = ["--output", str(tmp_path / "out")]
    with open("/dev/zero", "rb") as endless:
        for streams, said in (
            ({"stdin": endless}, "error: standard input is a device, not a file"),
            ({"input": ""}, "error: standard input is empty"),
            ({"preexec_fn": lambda: os.close(0)}, "error: standard input is closed"),
        ):
            found = run(rest, **streams)
            assert (found.returncode, found.stdout) == (2, "")
            assert found.stderr.startswith(said)
            assert found.stderr.count("\n") == 1


def test_input_without_end(tmp_path):
    with subprocess.Popen(["yes", "1,2,3,4,5,6"], stdout=subprocess.PIPE) as endless:
        found = run(
            ["--max-memory", "300M", "--output", str(tmp_path / "out")], stdin=endless.stdout
        )
        endless.kill()
    assert found.returncode == 2
    assert "standard input holds more than" in found.stderr


def test_a_terminal_is_not_waited_for():
    ours, theirs = os.openpty()
    try:
        found = run([], stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert found.returncode == 2
    assert found.stderr.startswith("error: standard input is a terminal")
