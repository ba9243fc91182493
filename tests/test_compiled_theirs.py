"""`backtesting.py`'s own tests that place orders, once more with the compiled engine.

Each backtest of theirs runs as it does there, and then compiled: every trade, the equity and every
statistic have to be the same, unless the strategy cannot be compiled.
"""

from __future__ import annotations

import unittest
from collections import Counter
from typing import Any, ClassVar

import backtesting.test._test as theirs
import pandas as pd
import pytest
from any_strategies import of_known_versions
from backtesting import Backtest
from real_jobs import check_same, job_of

from bigbar.engines.general.engine import CompiledEngine
from bigbar.engines.runner import RunnerEngine
from bigbar.errors import SettingsError

#: How many backtests of each kind of theirs have to come to the same, compiled; and how many have
#: to be refused: those of TestStrategy run a generator step by step, which must not be taken for
#: something that a bar decides.
KINDS = {"TestStrategy": (0, 8), "TestRegressions": (6, 2), "TestBacktest": (16, 3)}

#: They are about seconds, or optimize.
LEFT_OUT = ("test_run_speed", "test_optimize_speed")

OPTIONS = (
    "cash", "spread", "commission", "margin", "trade_on_close", "hedging", "exclusive_orders",
)  # fmt: skip


class Twice(Backtest):
    """Runs as it does, and then compiled."""

    came_to: ClassVar[Counter[str]] = Counter()

    def run(self, **parameters: Any) -> pd.Series:
        stats = super().run(**parameters)
        options = {name: self._broker.keywords[name] for name in OPTIONS}
        options["finalize_trades"] = self._finalize_trades
        try:
            job = job_of(self._strategy, (parameters,), options)
        except SettingsError:  # A parameter that no grid can hold.
            self.came_to["no grid"] += 1
            return stats
        ours = CompiledEngine(self._data, job)
        check_same(ours, RunnerEngine(self._data, job), range(1))
        self.came_to["refused" if ours.refused else "in python" if ours.fell_back else "same"] += 1
        return stats


@pytest.mark.slow
@of_known_versions
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_theirs_compiled(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)

    def twice(*args: Any, **kwargs: Any) -> Twice:
        return Twice(*args, **{"finalize_trades": True, **kwargs})

    monkeypatch.setattr(theirs, "Backtest", twice)
    monkeypatch.setattr(Twice, "came_to", Counter())
    wrong = []
    for name in unittest.defaultTestLoader.getTestCaseNames(getattr(theirs, kind)):
        if name in LEFT_OUT or "optimize" in name:
            continue
        result = unittest.TestResult()
        getattr(theirs, kind)(name).run(result)
        wrong += [f"{name}: {told}" for _, told in (*result.errors, *result.failures)]
    assert not wrong, "\n".join(wrong)
    same, refused = KINDS[kind]
    assert Twice.came_to["same"] >= same, Twice.came_to
    assert Twice.came_to["refused"] >= refused, Twice.came_to
