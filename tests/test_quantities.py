"""Counts, bytes and seconds as a person reads and writes them."""

import json
import math

import pytest

from bigbar.errors import SettingsError
from bigbar.units import as_bytes, as_seconds, as_share, counted, json_number, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1), ("800M", 800_000_000), ("2g", 2_000_000_000), ("1.5GB", 1_500_000_000),
        ("2GiB", 2 * 2**30), (" 64 Ki ", 65_536), (".5k", 500), ("1T", 10**12), ("3b", 3),
    ],
)  # fmt: skip
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "2X", "G", "-1G", "0", "0.1", "1e9", "1,5G", "2 G B", "2i"])
def test_no_sizes(text):
    with pytest.raises(SettingsError, match="is no size; write a number and a unit: 800M, 2G"):
        parse_size(text)


def test_as_read():
    assert [counted(1, "worker"), counted(1200, "slice")] == ["1 worker", "1,200 slices"]
    assert [as_bytes(count) for count in (0, 999, 1234, 45_678_900, 2.5e9)] == [
        "0 B", "999 B", "1.2 kB", "45.7 MB", "2.50 GB",
    ]  # fmt: skip
    assert [as_seconds(one) for one in (12.34, 0.0456, 7.8e-6, 3e-9, 0.0)] == [
        "12.3 s", "45.6 ms", "7.8 µs", "3 ns", "0 s",
    ]  # fmt: skip
    assert [as_seconds(one) for one in (599.4, 600, 1_140, 9_000, 1_036_800)] == [
        "599 s", "10 min", "19 min", "2.5 h", "12 days",
    ]  # fmt: skip
    assert as_share(0.456) == "46 %"


def test_floats_that_json_has_not():
    values = [json_number(value) for value in (0.1, -0.0, math.nan, math.inf, -math.inf)]
    assert values == [0.1, 0.0, None, "inf", "-inf"]
    assert json.loads(json.dumps(values, allow_nan=False)) == values
