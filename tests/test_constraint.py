"""A constraint as typed: what it understands, exactly as Python would; what it refuses, and how."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigbar.constraint import Constraint
from bigbar.errors import SettingsError
from bigbar.space import Space

POINTS = Space.of(
    fast=[5, 10, 20], slow=[10, 20], share=[0.1, 0.5], on=[True, False], kind=["a", "b"],
    stop=[None, 3],
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "fast < slow",
        " fast<slow ",
        "fast <= slow",
        "fast == slow",
        "fast != slow",
        "fast > slow or share >= 0.5",
        "fast < slow and not (fast == 5 or slow < 20)",
        "5 < fast < slow",
        "5 <= fast <= 10 <= slow",
        "fast * 2 < slow + 1",
        "slow - fast >= 5",
        "slow / fast > 1.5",
        "slow // fast == 2",
        "slow % fast == 0",
        "-fast > -slow",
        "+fast >= 10",
        "on",
        "not on",
        "on == True",
        "on is True",
        "kind == 'a'",
        'kind != "a" and fast < 20',
        "stop is None",
        "stop is not None",
        "stop == None or fast == 5",
        "True",
        "fast == 10.0",
        "kind == 5 or on",
    ],
)
def test_it_is_python(text):
    """What is evaluated here only is what the tests themselves wrote down."""
    constraint = Constraint(text, POINTS.names)
    expected = [point for point in POINTS if eval(text.strip(), {}, dict(point))]
    assert list(POINTS.where(constraint)) == expected
    assert [point for point in POINTS if constraint(point)] == expected


names = st.sampled_from(["fast", "slow", "share"])
operands = st.one_of(names, st.integers(-3, 30).map(str))
arithmetic = st.recursive(
    operands,
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda parts: f"({' '.join(parts)})"
    ),
    max_leaves=5,
)
comparisons = st.tuples(
    arithmetic, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), arithmetic
).map(" ".join)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
    ),
    max_leaves=5,
)


@given(conditions)
def test_any_condition_is_python(text):
    found = Constraint(text, POINTS.names).of_columns(POINTS.columns())
    expected = [bool(eval(text, {}, dict(point))) for point in POINTS]
    assert found.tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        "n / m > 1", "n // m > 1", "n % m == 1", "n / 0 > 1", "n // (m * 0) > 1", "1 / on > 0",
        "on or n / m > 1", "n < 3 and n / m > 1", "0 < n < n / m", "n / (m != 0) > 1", "f / g > 1",
        "o / 0 > 1",
    ],
)  # fmt: skip
def test_a_division_by_zero_is_an_error_as_in_python(text):
    points = Space.of(n=[1, 6], m=[0, 2], on=[True, False], f=[1.5], g=[0.0, 0.5], o=[None, 3])
    points = points.where(lambda p: p["o"] is not None)
    with pytest.raises(ZeroDivisionError):
        [eval(text, {}, dict(point)) for point in points]
    with pytest.raises(SettingsError, match="divides by zero at n 1, m 0, on"):
        points.where(Constraint(text, points.names))


@pytest.mark.parametrize(
    "text",
    [
        "m != 0 and n / m > 2", "m == 0 or n // m > 2", "not (m == 0 or n % m == 0)",
        "0 < m < n / m", "on and m and n / m > 1",
    ],
)  # fmt: skip
def test_where_python_does_not_divide_nothing_is_said(text):
    points = Space.of(n=[1, 6], m=[0, 2], on=[True, False], o=[None, 3])
    wanted = [dict(point) for point in points if eval(text, {}, dict(point))]
    assert [dict(point) for point in points.where(Constraint(text, points.names))] == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fast < slwo", "'slwo' is none of the parameters of this grid; did you mean slow?"),
        ("xyz", "there are fast, slow, share, on, kind, stop"),
        ("fast <", "cannot be read at its end: invalid syntax"),
        ("  fast = slow ", "cannot be read at character 8: invalid syntax"),
        ("fast\n< slow\n)", "cannot be read at character 13: unmatched"),
        ("fast < slow)", "cannot be read at character 12: unmatched"),
        ("", "cannot be read at its end"),
        ("fast; slow", "cannot be read"),
        ("__import__('os').system('true')", "is not understood"),
        ("fast.__class__", "'fast.__class__' is not understood"),
        ("max(fast, slow) < 3", "'max(fast, slow)' is not understood"),
        ("[fast]", "is not understood"),
        ("(lambda: 1)()", "is not understood"),
        ("fast if on else slow", "is not understood"),
        ("fast ** slow", "is not understood"),
        ("fast << 5", "is not understood"),
        ("fast & 5", "is not understood"),
        ("~fast", "is not understood"),
        ("kind in 'ab'", "is not understood"),
        ("f'{fast}'", "is not understood"),
        ("(fast := 3)", "is not understood"),
        ("b'5' == kind", "is not understood"),
        ("1j < fast", "is not understood"),
        ("... == fast", "is not understood"),
        ("fast" + " + fast" * 1000, "too long or too deep"),
        ("(" * 300 + "fast" + ")" * 300, "character"),
        ("- " * 101 + "fast", "too long or too deep"),
        ("fast < slow\0", "cannot be read|too long or too deep"),
    ],
)
def test_what_it_refuses(text, words):
    with pytest.raises(SettingsError) as caught:
        Constraint(text, POINTS.names)
    assert any(word in str(caught.value) for word in words.split("|")), str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["kind < 5", "kind + fast > 1", "stop > 2", "-kind == 1"])
def test_what_cannot_be_compared(text):
    with pytest.raises(SettingsError, match="--constraint"):
        POINTS.where(Constraint(text, POINTS.names))


def test_a_hundred_thousand_points_in_a_moment():
    """Whole columns at once: no expression a point."""
    space = Space.of(a=range(400), b=range(400))
    kept = space.where(Constraint("a < b and a % 2 == 0", space.names))
    assert len(kept) == sum(b - a - 1 for a, b in itertools.product(range(0, 400, 2), [400]))
    assert kept.columns()["a"].dtype == np.int64


def test_an_attribute_that_is_no_parameter_of_the_grid_has_its_value():
    fixed = {"stop": 0.05, "fast": 99, "frame": [1], "mode": None}
    columns = {"fast": np.array([1, 2, 3])}
    for text, met in (
        ("fast > 1 and stop < 0.1", [False, True, True]),
        ("stop > 0.1", [False] * 3),
        ("fast == 2 or mode != None", [False, True, False]),  # The grid's own is the grid's.
    ):
        assert Constraint(text, ["fast"], fixed).of_columns(columns).tolist() == met
    with pytest.raises(SettingsError, match="'frame' is none of the parameters of this grid"):
        Constraint("frame == 1", ["fast"], fixed)
