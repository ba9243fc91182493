"""The tests of `backtesting.py` itself, with our runner in place of `Backtest.run`."""

from __future__ import annotations

import inspect
import unittest
import warnings
from copy import copy
from functools import partial

import backtesting.test._test as theirs
import pytest
from any_strategies import of_known_versions
from backtesting import Backtest

from bigbar.engines.any_strategy.run import StrategyRunner

pytestmark = of_known_versions

#: Of other things than `run`, or of its speed on a machine with nothing else to do.
BESIDES = ("optimize", "plot(", "MultiBacktest", "process_time")

CASES = [
    (kind, name)
    for kind in (
        theirs.TestBacktest,
        theirs.TestStrategy,
        theirs.TestRegressions,
        theirs.TestLib,
        theirs.TestUtil,
    )
    for name in unittest.defaultTestLoader.getTestCaseNames(kind)
    if not any(word in inspect.getsource(getattr(kind, name)) for word in BESIDES)
]


class Ours(Backtest):
    def run(self, **parameters):
        plain = copy(self)
        plain.__class__ = Backtest
        run = StrategyRunner.of(plain).run(parameters)
        run.row()
        self._results = run.stats
        for category, text in run.warned.messages:
            warnings.warn(text, category, stacklevel=2)
        return self._results


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{k.__name__}-{n}" for k, n in CASES])
def test_as_they_have_it(kind, name, monkeypatch):
    monkeypatch.setattr(theirs, "_Backtest", Ours)
    monkeypatch.setattr(theirs, "Backtest", partial(Ours, finalize_trades=True))
    result = unittest.TestResult()
    kind(name).run(result)
    assert not result.errors + result.failures, (result.errors + result.failures)[0][1]


def test_there_are_many():
    assert len(CASES) >= 45
