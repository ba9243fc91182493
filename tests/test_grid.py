"""BigBar's grid: its axes as people type them, and its combinations by number."""

import itertools
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigbar.errors import SettingsError
from bigbar.parameter import MOST_VALUES, Parameter
from bigbar.space import MOST_POINTS, Space
from bigbar.strategies.big_bar.description import BigBar, job_of
from bigbar.strategies.big_bar.parameters import (
    DEFAULT_GRID,
    Parameters,
    Settings,
    big_bar_account,
    grid_with,
    longest_period,
    parse_grid,
    parse_parameter,
    single_point,
)


def small_grid() -> Space:
    return grid_with(
        atr_period=[10, 11, 12],
        k_atr=[1.0, 1.1],
        uptail_max_ratio=[0.5, 0.6],
        previous_weight=0.3,
        buffer_ratio=[0.01, 0.02],
    )


def replaced(**values) -> Space:
    """The small grid with some of its axes as they are given, checked by nobody."""
    axes = small_grid().parameters
    return Space([Parameter(axis.name, values.get(axis.name, axis.values)) for axis in axes])


# --------------------------------------------------------------------------------------- axes


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("k_atr", "1.0:1.4:0.1", (1.0, 1.1, 1.2, 1.3, 1.4)),
        ("k_atr", "1:1.95:0.3", (1.0, 1.3, 1.6, 1.9)),  # The stop is not on the way.
        ("k_atr", "2:2:1", (2.0,)),
        ("k_atr", "2", (2.0,)),
        ("k_atr", " 3 , 1,2 ", (1.0, 2.0, 3.0)),
        ("k_atr", "1,1.0,1.00,2", (1.0, 2.0)),
        ("k_atr", "0.1,0.1000000000000000000001", (0.1,)),  # One double.
        ("k_atr", "1e0:3E0:1", (1.0, 2.0, 3.0)),
        ("k_atr", "0", (0.0,)),
        ("previous_weight", "-1:-0.5:0.25", (-1.0, -0.75, -0.5)),
        ("buffer_ratio", ".5", (0.5,)),
        ("atr_period", "10:30:10", (10, 20, 30)),
        ("atr_period", "30,10", (10, 30)),
        ("atr_period", "10.0", (10,)),
    ],
)
def test_parse(name, text, values):
    axis = parse_parameter(name, text)
    assert axis.values == values
    assert len(axis) == len(values)
    assert [type(value) for value in axis.values] == [type(value) for value in values]


def test_decimals_are_the_literal_doubles():
    values = parse_parameter("k_atr", "1.0:4.0:0.1").values
    assert values == tuple(float(f"{tenths // 10}.{tenths % 10}") for tenths in range(10, 41))
    assert values[1] == 1.1
    assert parse_parameter("uptail_max_ratio", "0.5:0.9:0.1").values == (0.5, 0.6, 0.7, 0.8, 0.9)


def test_whole_periods():
    values = parse_parameter("atr_period", "10:100:1").values
    assert values == tuple(range(10, 101))
    assert len(values) == 91
    assert all(type(value) is int for value in values)


@given(st.integers(-9999, 9999), st.integers(1, 500), st.integers(0, 40), st.integers(0, 6))
def test_steps_are_exact_decimals(start, step, count, places):
    def text(number: int) -> str:
        return str(Decimal(number).scaleb(-places))

    axis = parse_parameter(
        "previous_weight", f"{text(start)}:{text(start + step * count)}:{text(step)}"
    )
    assert axis.values == tuple(float(text(start + step * i)) for i in range(count + 1))


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", "1,,2", "1,", "1:2", "1:2:3:4", "::", "1:2:", "nan", "sNaN", "inf", "1:inf:1",
     "1:2:nan", "1;2", "0x10", "1 2", "1e400", "1,5,x"],
)  # fmt: skip
def test_what_is_no_axis_is_shown_with_an_example(text):
    with pytest.raises(SettingsError, match="is no axis; write start:stop:step") as caught:
        parse_parameter("k_atr", text)
    assert repr(text) in str(caught.value)
    assert "--k-atr 1.0:4.0:0.1" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("k_atr", "2:1:1", "stop not below the start"),
        ("k_atr", "1:2:0", "step must be above 0"),
        ("k_atr", "1:2:-1", "step must be above 0"),
        ("k_atr", "0:1:1e-9", "more than 100,000 values"),
        ("k_atr", "0:1e9:1e-300", "more than 100,000 values"),
        ("k_atr", "0:1e300:1e-999999", "more than 100,000 values"),
        ("k_atr", "-1", "cannot be negative"),
        ("uptail_max_ratio", "-0.5:0.5:0.5", "cannot be negative"),
        ("atr_period", "10.5", "whole numbers"),
        ("atr_period", "10:11:0.5", "whole numbers"),
        ("atr_period", "0", "from 1 up"),
        ("atr_period", "-3:3:1", "from 1 up"),
        ("atr_period", "1e400", "is no axis"),
        ("atr_period", "1e999999", "is no axis"),
        ("period", "1", "unknown parameter 'period'"),
    ],
)
def test_refusals(name, text, words):
    with pytest.raises(SettingsError, match=words):
        parse_parameter(name, text)


def test_the_most_values_of_an_axis():
    assert len(parse_parameter("k_atr", f"1:{MOST_VALUES}:1")) == MOST_VALUES
    with pytest.raises(SettingsError, match="more than"):
        parse_parameter("k_atr", f"1:{MOST_VALUES + 1}:1")


@pytest.mark.parametrize("values", [(), (1.0, 1.0), (2.0, 1.0), (np.nan,), (1.0, np.inf)])
def test_an_axis_is_finite_ascending_and_not_empty(values):
    with pytest.raises(SettingsError, match="k_atr"):
        BigBar().check(replaced(k_atr=values), big_bar_account())


@pytest.mark.parametrize(
    ("text", "shown"), [("1:4:0.1", "1 … 4"), ("0.01", "0.01"), ("2,3", "2, 3")]
)
def test_an_axis_reads_well(text, shown):
    assert str(parse_parameter("k_atr", text)) == shown


# --------------------------------------------------------------------------------------- grid


def test_the_default_grid():
    grid = parse_grid()
    assert grid.shape == (91, 31, 5, 8, 1)
    assert len(grid) == 112_840
    assert longest_period(grid) == 100
    assert grid[0] == vars(Parameters(10, 1.0, 0.5, 0.1, 0.01))
    assert grid[112_839] == vars(Parameters(100, 4.0, 0.9, 0.8, 0.01))


def test_atr_period_is_slowest_and_buffer_ratio_fastest():
    grid = small_grid()
    assert grid[1] == vars(Parameters(10, 1.0, 0.5, 0.3, 0.02))
    assert grid[2] == vars(Parameters(10, 1.0, 0.6, 0.3, 0.01))
    assert grid[4] == vars(Parameters(10, 1.1, 0.5, 0.3, 0.01))
    assert grid[8] == vars(Parameters(11, 1.0, 0.5, 0.3, 0.01))


@pytest.mark.parametrize("grid", [small_grid(), parse_grid()], ids=["small", "default"])
def test_columns_are_the_product(grid):
    product = list(itertools.product(*(axis.values for axis in grid.parameters)))
    columns = grid.columns()
    assert list(columns) == list(DEFAULT_GRID)
    assert columns["atr_period"].dtype == np.int64
    assert list(zip(*(column.tolist() for column in columns.values()), strict=True)) == product
    some = range(0, len(grid), max(1, len(grid) // 500))
    assert [tuple(grid[n].values()) for n in some] == [product[n] for n in some]


def test_iterating_gives_every_combination():
    grid = small_grid()
    assert list(grid) == [grid[number] for number in range(24)]
    assert len({tuple(point.values()) for point in grid}) == 24


@pytest.mark.parametrize("number", [-1, 24, 10**30])
def test_there_is_no_such_combination(number):
    with pytest.raises(IndexError):
        small_grid()[number]


def test_numbers_and_text_make_the_same_grid():
    assert grid_with(k_atr=np.array([1.2, 1.0, 1.1, 1.0])) == parse_grid(k_atr="1,1.1,1.2")
    assert grid_with(atr_period=14) == parse_grid(atr_period="14")


def test_one_combination():
    grid = single_point(Parameters(k_atr=1.7))
    assert len(grid) == 1
    assert grid[0] == vars(Parameters(k_atr=1.7))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"atr_periods": 3}, "unknown axis 'atr_periods'"),
        ({"atr_period": 3.5}, "whole numbers"),
        ({"k_atr": []}, "has no values"),
        ({"k_atr": [1, np.nan]}, "finite"),
    ],
)
def test_values_refused(values, words):
    with pytest.raises(SettingsError, match=words):
        grid_with(**values)


def test_unknown_axis_as_text():
    with pytest.raises(SettingsError, match="unknown axis 'katr'"):
        parse_grid(katr="1")


def test_axes_in_another_order_are_refused():
    with pytest.raises(SettingsError, match="a grid of BigBar needs atr_period, k_atr"):
        BigBar().check(Space(small_grid().parameters[::-1]), big_bar_account())


@pytest.mark.parametrize("name", list(DEFAULT_GRID))
def test_an_axis_left_out_is_refused(name):
    left = [axis for axis in small_grid().parameters if axis.name != name]
    with pytest.raises(SettingsError, match="a grid of BigBar needs"):
        BigBar().check(Space(left), big_bar_account())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"atr_period": (0,)}, "from 1 up"),
        ({"atr_period": (2.5,)}, "whole numbers of bars"),
        ({"k_atr": (-0.1, 1.0)}, "k_atr cannot be negative"),
        ({"uptail_max_ratio": (-0.1,)}, "uptail_max_ratio cannot be negative"),
        ({"k_atr": ("1.0",)}, "not a finite number"),
        ({"k_atr": (True,)}, "not a finite number"),
    ],
)
def test_a_job_of_values_that_big_bar_does_not_take_is_refused(values, words):
    with pytest.raises(SettingsError, match=words):
        job_of(replaced(**values), Settings(), "compiled")


@pytest.mark.parametrize(
    "fill", ["trade_on_close", "hedging", "exclusive_orders", "finalize_trades"]
)
def test_big_bar_is_always_filled_alike(fill):
    account = big_bar_account()
    other = replace(account, **{fill: not getattr(account, fill)})
    with pytest.raises(SettingsError, match=f"always run with {fill}="):
        BigBar().check(small_grid(), other)


def test_a_grid_beyond_any_memory_is_refused_at_once():
    with pytest.raises(SettingsError, match=r"fewer values") as caught:
        parse_grid(k_atr="1:10:0.001", previous_weight="0:10:0.001", atr_period="10").check_size()
    assert f"{MOST_POINTS:,}" in str(caught.value)
