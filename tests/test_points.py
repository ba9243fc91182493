"""Points and accounts as JSON holds them: every kind of value comes back as it was."""

import base64
import json
import math
import zlib

import numpy as np
import pytest

from bigbar.account import Account
from bigbar.parameter import Parameter, plain_point
from bigbar.space import Space
from bigbar.store.fingerprint import canonical
from bigbar.store.points import (
    FunctionNotStored,
    Unmade,
    account_of,
    account_parts,
    decoded,
    encoded,
    grid_of,
    grid_parts,
)


def through_json(value: object) -> object:
    return json.loads(canonical(value))


VALUES = [
    0, -7, 2**70, 0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan,
    True, False, None, "", "text", "ünï", "5", "nan",
    np.int8(-5), np.uint64(2**64 - 1), np.float32(0.1), np.float64(0.1), np.float16(np.inf),
    np.float64(np.nan), np.bool_(True), np.bool_(False),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_with_its_type(value):
    again = decoded(through_json(encoded(value)))
    assert type(again) is type(value)
    assert repr(again) == repr(value)


def test_no_two_values_are_stored_alike():
    texts = [canonical(encoded(value)) for value in (*VALUES, 5, 5.0, True, 1, 1.0)]
    assert len(set(texts)) == len(texts) - 1  # True is there twice.


def test_what_json_has_no_word_for_is_known_by_its_text():
    held = through_json(encoded((1, "a")))
    assert held == {"type": "builtins.tuple", "text": "(1, 'a')"}
    assert encoded((1, "a")) != encoded((1, "b"))
    assert decoded(held) == Unmade("(1, 'a')")
    assert str(decoded(held)) == "(1, 'a')"


@pytest.mark.parametrize(
    "held",
    [{"numpy": "object", "value": "1"}, {"numpy": "int8"}, {"float": "1"}, {"float": []}, {}],
)
def test_nothing_is_made_of_what_is_not_known(held):
    assert isinstance(decoded(held), Unmade)


@pytest.mark.parametrize(
    "held", [[], [1], {"numpy": "int8", "value": "x"}, {"numpy": "int8", "value": "300"}]
)
def test_what_is_no_value_is_refused(held):
    with pytest.raises((ValueError, OverflowError)):
        decoded(held)


def space(**values) -> Space:
    return Space([Parameter(name, tuple(several)) for name, several in values.items()])


def test_a_grid_comes_back_in_its_order():
    grid = space(slow=[30, 20], fast=[1, 2.5, True, None], kind=["a", "b"])
    again = grid_of({"grid": through_json(grid_parts(grid))})
    assert again.names == ("slow", "fast", "kind")
    assert [repr(point) for point in again] == [repr(point) for point in grid]


@pytest.mark.parametrize("modulus", [1, 2, 3, 50])
def test_a_constrained_grid_comes_back(modulus):
    grid = space(fast=range(1, 12), slow=range(5, 30)).where(
        lambda point: point.fast < point.slow and point.fast * point.slow % modulus == 0
    )
    again = grid_of({"grid": through_json(grid_parts(grid))})
    assert len(again) == len(grid) < grid.product
    assert list(again.kept) == list(grid.kept)
    assert list(again) == list(grid)


def test_a_few_points_of_ten_billion_come_back():
    whole = space(**{name: range(100) for name in "abcde"})
    kept = np.array([0, 1, 7, 10**9, 10**10 - 1])
    parts = through_json(grid_parts(Space(whole.parameters, kept, is_sample=True)))
    assert grid_of({"grid": parts}).is_sample
    assert not grid_of({"grid": grid_parts(Space(whole.parameters, kept))}).is_sample
    assert len(parts["kept"]["steps"]) < 80
    assert list(grid_of({"grid": parts}).kept) == list(kept)
    for count, steps in [(4, [0, 1, 1, 10**10]), (4, [0, 1, 0, 1]), (4, [-1, 1, 1, 1]), (9, [1])]:
        packed = base64.b64encode(zlib.compress(np.array(steps, "<i8").tobytes())).decode()
        with pytest.raises(ValueError, match="no points of a grid"):
            grid_of({"grid": parts | {"kept": {"count": count, "steps": packed}}})
    for kept in ({"count": 2}, {"count": "2", "steps": ""}, {"count": 10**9, "steps": ""}):
        with pytest.raises(ValueError, match="no points of a grid"):
            grid_of({"grid": parts | {"kept": kept}})


def test_a_small_text_does_not_become_a_large_grid():
    """What is packed may say that it is a gigabyte: no more is unpacked than there are points."""
    packed = base64.b64encode(zlib.compress(b"\xff" * (1 << 26), 9)).decode()
    with pytest.raises(ValueError, match="no points of a grid"):
        grid_of({"grid": grid_parts(space(fast=[1, 2], slow=[3])) | {"kept": packed}})


def test_a_point_that_people_read():
    point = {"a": np.int64(3), "b": math.inf, "c": None, "d": True, "e": "x", "f": (1, 2)}
    found = plain_point(point)
    assert found == {"a": 3, "b": "inf", "c": None, "d": True, "e": "x", "f": "(1, 2)"}
    json.dumps(found, allow_nan=False)


# ---------------------------------------------------------------------------------------- money


@pytest.mark.parametrize(
    "account",
    [
        Account(),
        Account(5_000, 0.002, 0.0001, 0.5, trade_on_close=True, hedging=True),
        Account(commission=(3.0, 0.001), exclusive_orders=True, finalize_trades=True),
    ],
)
def test_an_account_comes_back(account):
    parts, problem = account_parts(account)
    assert problem is None
    assert account_of({"account": through_json(parts)}) == account


def flat_fee(size: float, price: float) -> float:
    return max(1.0, abs(size) * 0.01)


def other_fee(size: float, price: float) -> float:
    return max(1.0, abs(size) * 0.02)


def test_a_commission_that_is_a_function_counts_by_its_code():
    one, again, other = (
        account_parts(Account(commission=fee))[0] for fee in (flat_fee, flat_fee, other_fee)
    )
    assert one == again != other
    with pytest.raises(FunctionNotStored, match="a function"):
        account_of({"account": one})


def test_what_a_commission_closes_over_counts():
    def fee_of(rate):
        return lambda size, price: rate * abs(size)

    one, again, other = (
        account_parts(Account(commission=fee_of(rate)))[0] for rate in (0.1, 0.1, 0.2)
    )
    assert one == again != other
