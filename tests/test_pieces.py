"""Combinations without an `init` of their own: put together from what other ones' has made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from generated_strategies import grid_of, make_strategy
from real_jobs import check_same, job_of
from real_strategies import bars
from snippets import snippet

from bigbar.engines.general.engine import CompiledEngine
from bigbar.engines.runner import RunnerEngine

CROSS = """
if crossover(self.ma, self.mb):
    self.buy(size=self.k)
elif crossover(self.mb, self.ma):
    self.position.close()
"""

#: Of three values, two and two.
GRID = "tuple(dict(n=n, k=k, width=w) for n in (5, 7, 12) for k in (1, 3) for w in (0.1, 0.2))"

PUT_TOGETHER = {
    "an_alias": "price = self.data.Close\nself.mc = self.I(sma, price, self.k)",
    "by_keyword": "self.mc = self.I(sma, self.data.High, n=2 * self.k, name=f'average {self.k}')",
    "a_lambda": "self.mc = self.I(lambda x: sma(x, self.k + 1), self.data.Close)",
    "an_indicator_of_an_indicator": "self.mc = self.I(sma, self.ma, self.k + 1)",
    "several_at_once": "self.mc, self.md = self.I(both, self.data.Close, self.k)",
    "two_rows": "self.mc = self.I(both, self.data.Close, self.k)",
    "its_own_method": "self.mc = self.I(self.smoothed, self.data.Close)",
    "numbers_and_state": "self.level = self.k * 2 + 1\nself.seen = []\nself.last: float = np.nan",
    "the_table": "self.mc = self.I(lambda: self.data.df.Close.rolling(self.k + 1).max())",
}

ON_THEIR_OWN = {
    "a_branch": "if self.k > 2:\n    self.mc = self.I(sma, self.data.Close, 3)",
    "a_loop": "for j in (1, 2):\n    setattr(self, f'm{j}', self.I(sma, self.data.Close, j))",
    "a_parameter_that_is_changed": "self.k = self.k + 1",
    "the_strategy_handed_on": "self.mc = self.I(of_all, self)",
    "assigned_twice": "self.mc = self.I(sma, self.data.Close, 3)\nself.mc = self.ma",
    "a_call_for_its_effect": "COUNTER.append(self.k)\nself.mc = self.I(sma, self.data.Close, 3)",
    "chance": "self.mc = self.I(lambda x: x + np.random.rand(), self.data.Close)",
    "what_a_function_counts": "self.mc = self.I(counted, self.data.Close)",
}

EXTRA = """
def both(values, n):
    return sma(values, n), sma(values, 2 * n)


def of_all(strategy):
    return sma(strategy.data.Close, strategy.k)


def counted(values):
    COUNTER[0] += 1
    return sma(values, COUNTER[0])
"""

METHODS = """
def smoothed(self, values):
    return sma(values, self.halved() + 1)

def halved(self):
    return self.k // 2 + self.n
"""


def engines(name: str, init: str) -> tuple[type, CompiledEngine, Any]:
    """A strategy with more in its `init`, and both engines on its grid."""
    init = f"self.edge = self.width\n{init}"
    one = snippet(name, CROSS, init=init, extra=EXTRA, methods=METHODS, grid=GRID)
    strategy = make_strategy(one.source)
    job = job_of(strategy, grid_of(strategy), {"cash": 10_000})
    return strategy, CompiledEngine(bars("GOOG"), job), RunnerEngine(bars("GOOG"), job)


@pytest.mark.parametrize("name", PUT_TOGETHER)
def test_they_are_as_their_init_would_have_made_them(name):
    _, ours, theirs = engines(name, PUT_TOGETHER[name])
    check_same(ours, theirs, range(12))
    assert ours.refused is None, ours.refused
    assert not ours.fell_back
    assert ours.composed >= 3


@pytest.mark.parametrize("name", ON_THEIR_OWN)
@pytest.mark.filterwarnings("ignore")
def test_an_init_that_does_more_is_run_for_each(name):
    _, ours, _ = engines(name, ON_THEIR_OWN[name])
    ours.run(0, 12)
    assert ours.composed == 0


def test_on_a_stretch_of_the_file_they_warm_up_on_all_of_it():
    strategy, _, _ = engines("a_stretch", PUT_TOGETHER["an_indicator_of_an_indicator"])
    for span in ((6, 900), (300, 800)):
        job = job_of(strategy, grid_of(strategy), {"cash": 10_000}, span)
        ours = CompiledEngine(bars("GOOG"), job)
        check_same(ours, RunnerEngine(bars("GOOG"), job), range(12))
        assert ours.composed >= 3


def test_a_value_that_a_function_reads_may_change_between_two_runs():
    extra = "SHIFT = 0\n\ndef shifted(values, n):\n    return sma(values, n + SHIFT)\n"
    init = "self.mc = self.I(shifted, self.data.Close, self.k)"
    body = CROSS.replace("self.ma", "self.mc")
    one = snippet("a_shift", body, init=init, extra=extra, grid=GRID)
    strategy = make_strategy(one.source)
    job = job_of(strategy, grid_of(strategy), {"cash": 10_000})
    ours, theirs = CompiledEngine(bars("GOOG"), job), RunnerEngine(bars("GOOG"), job)
    before = ours.run(0, 12)
    assert ours.composed >= 2
    strategy.init.__globals__["SHIFT"] = 4
    check_same(ours, theirs, range(12))
    assert not np.array_equal(before, ours.run(0, 12), equal_nan=True)
