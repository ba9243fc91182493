"""The seal of a row: another one for any other values, in whatever way they are others."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigbar.store.seal import seal

_VALUES = st.one_of(
    st.none(), st.text(max_size=3), st.binary(max_size=3), st.integers(-(2**63), 2**63 - 1),
    st.floats(),
)  # fmt: skip


def as_stored(values: list[object]) -> list[tuple[str, object]]:
    """Kind and value as SQLite tells them apart; NaN is none there, and zero has no sign."""
    plain = [None if isinstance(one, float) and math.isnan(one) else one for one in values]
    return [(type(one).__name__, one + 0.0 if isinstance(one, float) else one) for one in plain]


@given(st.lists(_VALUES, max_size=4), st.lists(_VALUES, max_size=4))
def test_the_same_seal_for_the_same_values_alone(some, others):
    assert (seal(*some) == seal(*others)) == (as_stored(some) == as_stored(others))


@pytest.mark.parametrize(
    ("some", "others"),
    [
        (("ab", "c"), ("a", "bc")),
        (("ab",), ("a", "b")),
        (("", "a"), ("a", "")),
        (("a",), (b"a",)),
        ((1,), ("1",)),
        ((1,), (1.0,)),
        ((None,), ("",)),
        ((None,), ()),
        ((0,), (None,)),
        ((1,), (257,)),
        ((1,), (-1,)),
    ],
)
def test_near_misses(some, others):
    assert seal(*some) != seal(*others)


def test_what_sqlite_makes_no_difference_of():
    assert seal(math.nan) == seal(None)
    assert seal(-0.0) == seal(0.0)


def test_seals_stay_what_they_are():
    """Those of stores that exist: what was kept would be thrown away under others."""
    assert seal("run", 1, 0.5, None, b"\x00", "é") == "412a706a9976bb28a08db6d610634980"
