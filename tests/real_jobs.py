"""Jobs for single combinations, and whether two engines say the same of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.contract import TRADE_COLUMNS
from bigbar.job import Job
from bigbar.parameter import Parameter
from bigbar.space import Space
from bigbar.spec import StrategySpec

#: Statistics may differ by so much: they are added up in another order.
ROW_TOLERANCE = 1e-9


def space_of(combinations: Sequence[Mapping[str, Any]]) -> Space:
    """The space of some combinations of the same parameters, and of no others.

    Parameters
    ----------
    combinations : sequence of mapping
        At least one; the same one twice counts once.
    """
    values = {
        name: tuple({(type(one[name]), one[name]): one[name] for one in combinations}.values())
        for name in combinations[0]
    }
    space = Space([Parameter(name, each) for name, each in values.items()])
    kept = {_number_of(one, values, space.shape) for one in combinations}
    return Space(space.parameters, np.array(sorted(kept), np.int64))


def _number_of(
    one: Mapping[str, Any], values: Mapping[str, tuple[Any, ...]], shape: tuple[int, ...]
) -> int:
    if not values:
        return 0
    places = [
        next(
            place
            for place, value in enumerate(each)
            if type(value) is type(one[name]) and value == one[name]
        )
        for name, each in values.items()
    ]
    return int(np.ravel_multi_index(places, shape))


def job_of(
    strategy: type[Strategy],
    combinations: Sequence[Mapping[str, Any]],
    account: Mapping[str, Any],
    span: tuple[int, int] | None = None,
) -> Job:
    """What engines are given, for a strategy and the combinations to run it with."""
    return Job(
        StrategySpec.of(strategy), space_of(combinations), Account(**account), "compiled", span
    )


def check_same(ours: Any, reference: Any, numbers: Sequence[int]) -> None:
    """An engine says of combinations what the reference says, or raises what it raises.

    Parameters
    ----------
    ours : Engine
    reference : RunnerEngine
    numbers : sequence of int
        Which combinations; without gaps.
    """
    rows = []
    for number in numbers:
        expected = _or_error(reference.stats, number)
        found = _or_error(ours.run, number, number + 1)
        if isinstance(expected, type) or isinstance(found, type):
            assert found is expected, f"combination {number}: {found}, and not {expected}"
            continue
        rows.append(statistics_row(expected))
        check_same_trades(ours.trades(number), expected["_trades"][list(TRADE_COLUMNS)])
        pd.testing.assert_series_equal(
            ours.equity(number),
            expected["_equity_curve"]["Equity"],
            check_exact=True,
            check_freq=False,
        )
        check_same_rows(found, rows[-1][np.newaxis])
    if not rows or len(rows) < len(numbers):
        return
    span = numbers[0], numbers[-1] + 1
    check_same_rows(ours.run(*span), np.array(rows))
    np.testing.assert_allclose(ours.returns(*span), reference.returns(*span), rtol=1e-6, atol=1e-9)


def check_same_trades(ours: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Every column of the closed trades is the same, to the bit.

    Whether prices are whole numbers is not, where those of the bars are; whether sizes are, is.
    """
    assert list(ours.columns) == list(TRADE_COLUMNS)
    assert len(ours) == len(expected)
    if not len(ours):  # Columns without entries may be of different kinds.
        return
    assert ours["Size"].dtype == expected["Size"].dtype
    pd.testing.assert_frame_equal(
        ours, expected, check_exact=True, check_freq=False, check_dtype=False
    )


def check_same_rows(ours: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """Statistics are the same, but for the order in which numbers are added up."""
    np.testing.assert_allclose(ours, expected, rtol=ROW_TOLERANCE, atol=ROW_TOLERANCE)


def _or_error(call: Callable[..., Any], *arguments: int) -> Any:
    """What a call gives, or the type of what it raises."""
    try:
        return call(*arguments)
    except Exception as problem:
        return type(problem)
