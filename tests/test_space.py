"""Parameters of any kind as people type them, and points by number, whole and in part."""

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigbar.errors import SettingsError
from bigbar.parameter import MOST_VALUES, Parameter, literal, setting_text, several, value_text
from bigbar.space import MOST_POINTS, Space

# --------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5:20:5", (5, 10, 15, 20)),
        ("5:21:5", (5, 10, 15, 20)),
        ("0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("1:2:0.5", (1.0, 1.5, 2.0)),
        ("7", (7,)),
        ("7.0", (7.0,)),
        ("1e3", (1000.0,)),
        ("-3", (-3,)),
        ("True,False", (True, False)),
        ("true", (True,)),
        ("None,10", (None, 10)),
        ("long, short", ("long", "short")),
        ("'5','None'", ("5", "None")),
        ("20,5,10", (20, 5, 10)),  # In the order given.
        ("a:b", ("a:b",)),
    ],
)
def test_a_value_has_the_type_of_its_literal(text, values):
    found = Parameter.parse("p", text).values
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_where_the_strategy_has_text_values_are_taken_as_they_stand():
    assert Parameter.parse("p", "5,True,None, a", as_text=True).values == ("5", "True", "None", "a")
    assert Parameter.parse("p", "1:2:3", as_text=True).values == ("1:2:3",)
    assert Parameter.parse("p", "9:30,10:30", as_text=True).values == ("9:30", "10:30")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty value"),
        ("1,,2", "empty value"),
        ("1,", "empty value"),
        ("3:6", "has no step; write 3:6:1"),
        ("0.5 : 2", "has no step; write 0.5:2:1"),
        ("1:a:2", "p: 'a' is not a number"),
        ("1:inf:2", "'inf' is not a number"),
        ("2:1:1", "the stop not below the start"),
        ("1:2:0", "the step must be above 0"),
        ("0:1:1e-9", "more than 100,000 values"),
    ],
)
def test_what_is_no_parameter(text, words):
    with pytest.raises(SettingsError, match=words) as caught:
        Parameter.parse("p", text)
    assert caught.value.exit_code == 2


def test_the_most_values():
    assert len(Parameter.parse("p", f"1:{MOST_VALUES}:1")) == MOST_VALUES


def test_a_parameter_has_a_value():
    with pytest.raises(SettingsError, match="p has no values"):
        Parameter("p", ())


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
def test_what_is_written_is_read(value):
    assert literal(repr(value)) == value
    assert type(literal(repr(value))) is type(value)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((1,), "1"),
        ((1, 2), "1, 2"),
        ((1, 2, 3), "1 … 3"),
        (("a", "b", "c"), "a, b, c"),
        ((True, False), "True, False"),
        ((None, 0.1, 2), "None, 0.1, 2"),
        ((5, 3, 4, 1), "5 … 1"),
    ],
)
def test_how_it_reads(values, shown):
    assert str(Parameter("p", values)) == shown


@pytest.mark.parametrize(
    ("values", "ordered"),
    [
        ((1, 2, 5), True), ((5, 2.5, 1), True), ((1,), True), ((1, 3, 2), False),
        ((1, 1), False), ((True, False), False), (("a", "b"), False), ((1, None), False),
        ((1.0, math.inf), False),
    ],
)  # fmt: skip
def test_whether_neighbours_are_near(values, ordered):
    assert Parameter("p", values).is_ordered is ordered


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((1, np.int32(2)), np.int64), ((1, 0.5), np.float64), ((True, np.False_), np.bool_),
        (("a", "b"), object), ((1, None), object), ((1, True), object), ((2**70,), np.float64),
    ],
)  # fmt: skip
def test_a_typed_column(values, dtype):
    found = Parameter("p", values).array
    assert found.dtype == dtype
    assert found.tolist() == list(values)


def test_values_as_they_are_written():
    assert [value_text(one) for one in (0.1 + 0.2, 5, 1_000_000, True, None, "x", np.float64(2))] \
        == ["0.3", "5", "1000000", "True", "None", "x", "2"]  # fmt: skip
    assert setting_text({"n1": 10, "kind": "a"}) == "n1=10, kind=a"


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (5, (5,)), ("ab", ("ab",)), (range(3), (0, 1, 2)), ([1, 2], (1, 2)),
        (np.array([1.5, 2.5]), (1.5, 2.5)), ((n for n in (1, 2)), (1, 2)), (None, (None,)),
    ],
)  # fmt: skip
def test_one_value_or_several(given, values):
    assert several(given) == values


# ------------------------------------------------------------------------------------- points


MIXED = Space.of(fast=[5, 10, 20], kind=["a", "b"], on=[True, False], stop=[None, 0.1])


def test_points_are_the_product_the_first_varying_slowest():
    product = list(itertools.product(*(parameter.values for parameter in MIXED.parameters)))
    assert [tuple(point.values()) for point in MIXED] == product
    assert len(MIXED) == MIXED.product == 24
    assert MIXED.shape == (3, 2, 2, 2)
    assert MIXED.per_slowest == 8
    columns = MIXED.columns()
    assert list(columns) == ["fast", "kind", "on", "stop"]
    assert list(zip(*(column.tolist() for column in columns.values()), strict=True)) == product


def test_a_point_is_had_by_name_and_by_attribute():
    point = MIXED[9]
    assert point == {"fast": 10, "kind": "a", "on": True, "stop": 0.1}
    assert (point.fast, point.stop) == (10, 0.1)
    with pytest.raises(AttributeError, match="slow"):
        point.slow  # noqa: B018


@pytest.mark.parametrize("number", [-1, 24, 10**30])
def test_there_is_no_such_point(number):
    with pytest.raises(IndexError, match=f"combination {number} of a grid of 24"):
        MIXED[number]


def test_the_point_without_a_parameter():
    nothing = Space([])
    assert (len(nothing), list(nothing), nothing.columns(), nothing.per_slowest) == (1, [{}], {}, 1)
    assert nothing.shared_with(Space([]))[0].tolist() == [0]


def test_a_name_that_is_given_twice():
    with pytest.raises(SettingsError, match="a parameter is named twice: n, n"):
        Space([Parameter("n", (1,)), Parameter("n", (2,))])


def test_a_product_beyond_any_memory_is_refused_at_once():
    with pytest.raises(SettingsError, match="fewer values") as caught:
        Space.of(a=range(100_000), b=range(1001)).check_size()
    assert f"{MOST_POINTS:,}" in str(caught.value)


def test_spaces_as_values():
    """1, 1.0 and True are equal to Python, and are not the same setting."""
    assert Space.of(n=[1, 2]) == Space.of(n=[1, 2])
    assert len({Space.of(n=[1, 2]), Space.of(n=[1, 2]), Space.of(n=[1.0, 2])}) == 2
    assert Space.of(n=[1]) != Space.of(n=[True])
    assert Space.of(a=1, b=2) != Space.of(b=2, a=1)
    assert MIXED.where(lambda p: p.fast > 5) != MIXED
    assert pickle.loads(pickle.dumps(MIXED)) == MIXED
    assert repr(Space.of(n=[1, 2])) == "<Space of 2 points: n: 1, 2>"


# -------------------------------------------------------------------------------------- parts


def test_a_constraint_keeps_some_points_in_order():
    whole = Space.of(fast=range(1, 6), slow=range(1, 6))
    part = whole.where(lambda p: p.fast < p.slow)
    assert list(part) == [point for point in whole if point["fast"] < point["slow"]]
    assert len(part) == 10
    assert part.product == 25
    assert whole.is_whole
    assert not part.is_whole
    for name, column in part.columns().items():
        assert column.tolist() == [point[name] for point in part]


def test_constraints_one_after_the_other():
    whole = Space.of(a=range(6), b=range(6))
    both = whole.where(lambda p: p.a < p.b).where(lambda p: p["b"] > 3)
    assert list(both) == [p for p in whole if p["a"] < p["b"] and p["b"] > 3]
    assert whole.where(lambda p: True) == whole
    assert whole.where(lambda p: True).is_whole


def test_one_that_knows_columns_is_asked_about_many_points_at_once():
    class Columns:
        asked = 0

        def of_columns(self, columns):
            self.asked += 1
            return columns["a"] < columns["b"]

    whole, columns = Space.of(a=range(400), b=range(400)), Columns()
    assert len(whole.where(columns)) == 400 * 399 // 2
    assert columns.asked == 2


def test_a_constraint_that_nothing_meets():
    with pytest.raises(SettingsError, match="No admissible parameter combinations"):
        MIXED.where(lambda p: False)
    with pytest.raises(ValueError, match="No admissible"):  # As backtesting.py raises it.
        MIXED.where(lambda p: False)


@given(st.sets(st.integers(0, 23), min_size=1))
def test_laid_out_on_the_product_and_back(numbers):
    part = MIXED.only(np.array(sorted(numbers)))
    values = np.arange(len(part), dtype=float)
    whole = part.on_product(values)
    assert whole.shape == MIXED.shape
    assert np.isnan(whole).sum() == 24 - len(part)
    assert part.of_product(whole).tolist() == values.tolist()
    for number in range(len(part)):
        assert whole[part.places(number)] == number
        assert part[number] == MIXED[sorted(numbers)[number]]


points = st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True)


@given(points, points, points, points, st.booleans(), st.booleans())
def test_what_two_spaces_share(a, b, other_a, other_b, turned, constrained):
    here = Space.of(a=a, b=b)
    there = Space.of(b=other_b, a=other_a) if turned else Space.of(a=other_a, b=other_b)
    if constrained and any(point["a"] <= point["b"] for point in here):
        here = here.where(lambda p: p.a <= p.b)
    ours, theirs = here.shared_with(there)
    assert [here[n] for n in ours.tolist()] == [there[n] for n in theirs.tolist()]
    expected = [point for point in here if any(point == other for other in there)]
    assert [here[n] for n in ours.tolist()] == expected
    assert here.count_shared(there) == len(expected)


def test_spaces_of_other_parameters_or_types_share_nothing():
    assert Space.of(a=1).count_shared(Space.of(b=1)) == 0
    assert Space.of(a=[1, 2]).count_shared(Space.of(a=[1.0, 2.0])) == 0
    assert Space.of(a=[1, 2]).count_shared(Space.of(a=[2, 3])) == 1


def test_what_few_points_of_large_spaces_share():
    """Found by the points of one, whichever that is: a list of the product would take 80 GB."""
    whole = Space.of(**{name: range(100) for name in "abcde"})
    turned = Space.of(**{name: range(99, -1, -1) for name in "edcba"})
    some = Space(whole.parameters, np.array([3, 77, 10**9 + 5, 9_999_999_999]))
    others = Space(turned.parameters, np.arange(10**9, 10**9 + 50))
    both = Space(
        turned.parameters,
        np.union1d(others.kept, whole_numbers(turned, [some[1], some[3]])),
    )
    for one, other in ((some, both), (both, some), (some, turned), (turned, some)):
        ours, theirs = one.shared_with(other)
        assert (np.diff(ours) > 0).all()
        assert [one[n] for n in ours.tolist()] == [other[n] for n in theirs.tolist()]
        assert len(ours) == (4 if turned in (one, other) else 2)
    assert some.count_shared(others) == 0


def whole_numbers(space, points):
    numbers = []
    for point in points:
        number = 0
        for parameter in space.parameters:
            number = number * len(parameter) + parameter.values.index(point[parameter.name])
        numbers.append(number)
    return numbers
