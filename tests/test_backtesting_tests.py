"""`backtesting.py`'s own tests, installed with it, with our classes in place of theirs.

All of TestBacktest, TestStrategy, TestOptimize and TestRegressions run, and of TestLib what uses a
Backtest.

Where `bigbar.Backtest` is not `backtesting.Backtest`, on purpose:

- No warning `Searching for best of … configurations`, and no use of `backtesting.Pool`: workers
  are our own, and thousands of combinations are nothing to warn of.
- Where some combinations raise, these are NaN, with a warning; theirs ends with the exception. It
  is raised here where all of them do.
- An array, a Series or an Index is a parameter's values, as a list is; theirs takes it for the one
  value, which no index can hold (`TypeError: unhashable`).
- The best is run once more with the very values that were given (`3`, `None`); theirs takes them
  from the index (`np.int64(3)`, `nan`).
- Durations and booleans can be maximized; theirs raises a TypeError with today's pandas. `Start`
  and `End`, the same for all combinations, can be as well. So can `Commissions [$]` where there
  are none: 0 for all, and no KeyError.
- Bars without dates can be optimized on; theirs fails in its shared memory. Durations there are
  missing.
- A constraint that admits nothing raises `No admissible parameter combinations to test` with
  `max_tries` as well, in place of a ZeroDivisionError. One that asks for a parameter that is not
  there gets an error that is an AttributeError besides a KeyError.
- `method="sambo"` without its packages names all that have to be installed.

TestPlot, TestUtil and TestDocs are about what stays theirs.
"""

from __future__ import annotations

import contextlib
import unittest
from functools import partial
from pathlib import Path
from typing import Any

import backtesting.test._test as theirs
import pytest

import bigbar
import bigbar.lib

#: Of TestLib, what is about a Backtest.
LIB = (
    "test_plot_heatmaps", "test_compute_stats", "test_SignalStrategy", "test_TrailingStrategy",
    "test_FractionalBacktest", "test_MultiBacktest",
    "test_MultiBacktest_handles_mixed_no_trade_results",
)  # fmt: skip

#: They are about seconds: what else the machine does at the time costs another try.
TIMED = ("test_run_speed", "test_optimize_speed")
TRIES = 4


def all_of_theirs() -> list[Any]:
    found = [("TestLib", name) for name in LIB]
    for kind in ("TestBacktest", "TestStrategy", "TestOptimize", "TestRegressions"):
        names = unittest.defaultTestLoader.getTestCaseNames(getattr(theirs, kind))
        found += [(kind, name) for name in names]
    return [
        pytest.param(*one, marks=[pytest.mark.alone] if one[1] in TIMED else []) for one in found
    ]


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In place of theirs, with the option that their tests give theirs; pages go elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(theirs, "Backtest", partial(bigbar.Backtest, finalize_trades=True))
    monkeypatch.setattr(
        theirs,
        "FractionalBacktest",
        partial(bigbar.lib.FractionalBacktest, finalize_trades=True),
    )
    monkeypatch.setattr(theirs, "MultiBacktest", bigbar.lib.MultiBacktest)


def run(kind: str, name: str) -> None:
    """One of their tests, as unittest runs it."""
    result = unittest.TestResult()
    getattr(theirs, kind)(name).run(result)
    assert result.testsRun == 1
    assert not result.skipped
    for _, told in (*result.errors, *result.failures):
        pytest.fail(told)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "name"), all_of_theirs())
def test_theirs(kind: str, name: str) -> None:
    for _ in range(TRIES - 1 if name in TIMED else 0):
        with contextlib.suppress(pytest.fail.Exception):
            run(kind, name)
            return
    run(kind, name)


def test_a_test_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def worst(*_: Any, **__: Any) -> None:
        raise RuntimeError("no backtest")

    monkeypatch.setattr(theirs, "Backtest", worst)
    with pytest.raises(pytest.fail.Exception, match="no backtest"):
        run("TestOptimize", "test_optimize")
