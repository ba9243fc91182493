"""One combination both ways: every trade, the equity and every statistic compared."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd

from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.general.checked import Checked
from bigbar.engines.general.engine import CompiledEngine
from bigbar.engines.reference import BacktestingEngine
from bigbar.engines.runner import RunnerEngine
from bigbar.statistics import NAMES

#: Statistics agree within this, relative; trades and equity to the last bit.
TOLERANCE = 1e-9


def check(
    number: int,
    reference: RunnerEngine | BacktestingEngine,
    compiled: CompiledEngine,
    *,
    as_swept: bool,
) -> Checked:
    """Run a combination both ways; `as_swept`: the row of the sweep is compared as well.

    Raises
    ------
    Exception
        Whatever the strategy raises.
    """
    expected = reference.stats(number)
    begun = time.perf_counter()
    found = compiled.one(number)
    checked = Checked(number, compiled_s=time.perf_counter() - begun)
    if compiled.refused is not None:
        return replace(checked, refused=compiled.refused)
    if number in compiled.fell_back:
        return replace(checked, in_python=compiled.fell_back[number])
    difference = (
        _of_trades(found.trades, expected["_trades"])
        or _of_equity(found.equity, expected["_equity_curve"]["Equity"].to_numpy())
        or _of_rows(found.row(), row := statistics_row(expected))
        or (as_swept and _of_rows(compiled.run(number, number + 1)[0], row))
        or None
    )
    return replace(checked, difference=difference, lines=compiled.lines)


def _of_trades(found: pd.DataFrame, expected: pd.DataFrame) -> str | None:
    both = min(len(found), len(expected))
    first = both
    differing = ""
    for column in expected.columns:
        if column in found:
            ours, theirs = found[column].iloc[:both], expected[column].iloc[:both]
            unequal = (ours != theirs) & ~(ours.isna() & theirs.isna())
            place = int(np.argmax(unequal.to_numpy())) if unequal.any() else both
            if place < first:
                first, differing = place, column
    if differing:
        ours, theirs = found[differing].iloc[first], expected[differing].iloc[first]
        return f"trade {first + 1}: {differing} {ours} compiled, {theirs} by backtesting.py"
    if len(found) != len(expected):
        return f"{len(found)} trades compiled, {len(expected)} by backtesting.py"
    return None


def _of_equity(found: np.ndarray, expected: np.ndarray) -> str | None:
    if np.array_equal(found, expected, equal_nan=True):
        return None
    bar = int(np.argmax(found != expected))
    return f"equity at bar {bar}: {found[bar]} compiled, {expected[bar]} by backtesting.py"


def _of_rows(found: np.ndarray, expected: np.ndarray) -> str | None:
    near = np.isclose(found, expected, rtol=TOLERANCE, atol=0.0, equal_nan=True)
    if near.all():
        return None
    column = int(np.argmin(near))
    return f"{NAMES[column]} {found[column]} compiled, {expected[column]} by backtesting.py"
