"""Combinations without an `init` of their own: put together from what other ones' has made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from generated_strategies import grid_of, make_strategy
from real_jobs import check_same, job_of
from real_strategies import bars
from snippets import snippet

from bigbar.engines.general.engine import CompiledEngine
from bigbar.engines.runner import RunnerEngine
from bigbar.parameter import Parameter
from bigbar.space import Space

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

#: A function that reads what is assigned behind it.
LATER = "f = lambda x: sma(x, {})\n{}\nself.mc = self.I(f, self.data.Close)"

ON_THEIR_OWN = {
    "a_branch": "if self.k > 2:\n    self.mc = self.I(sma, self.data.Close, 3)",
    "a_loop": "for j in (1, 2):\n    setattr(self, f'm{j}', self.I(sma, self.data.Close, j))",
    "a_parameter_that_is_changed": "self.k = self.k + 1",
    "the_strategy_handed_on": "self.mc = self.I(of_all, self)",
    "assigned_twice": "self.mc = self.I(sma, self.data.Close, 3)\nself.mc = self.ma",
    "a_call_for_its_effect": "COUNTER.append(self.k)\nself.mc = self.I(sma, self.data.Close, 3)",
    "chance": "self.mc = self.I(lambda x: x + np.random.rand(), self.data.Close)",
    "what_a_function_counts": "self.mc = self.I(counted, self.data.Close)",
    "an_attribute_that_comes_later": LATER.format("self.later", "self.later = self.k + 1"),
    "a_name_that_comes_later": LATER.format("period", "period = self.k + 1"),
    "a_method_before_what_it_reads": "f = self.of_later\nself.later = self.k\n"
    "self.mc = self.I(f, self.data.Close)",
    "what_is_used_up": "it = map(int, range(4, 9))\nself.a = 3 + self.k in it\n"
    "self.mc = self.I(sma, self.data.Close, 3 + sum(it))",
    "a_list_that_is_written_into": "w = [40]\nself.a = heapq.heappush(w, 20 + self.k)\n"
    "self.mc = self.I(lambda x: sma(x, w[0]), self.data.Close)",
    "an_array_that_is_written_into": "w = np.zeros(1)\nself.a = np.copyto(w, self.k)\n"
    "self.mc = self.I(lambda x: sma(x, 4 + int(w[0])), self.data.Close)",
}

EXTRA = """
import heapq

def both(values, n):
    return sma(values, n), sma(values, 2 * n)


def of_all(strategy):
    return sma(strategy.data.Close, strategy.k)


def counted(values):
    COUNTER[0] += 1
    return sma(values, COUNTER[0])
"""

METHODS = """
later = 3

def of_later(self, values):
    return sma(values, 2 + self.later)

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


@pytest.mark.parametrize(
    ("values", "width"),
    [
        (((4,), (4.0,)), "9 if type(p[0]) is float else 4"),
        (((1,), (True,)), "9 if type(p[0]) is bool else 4"),
        ((0.0, -0.0), "9 if math.copysign(1, p) < 0 else 4"),
    ],
    ids=["a_float_in_a_tuple", "a_truth_value_in_a_tuple", "minus_zero"],
)
def test_parameters_that_are_equal_and_not_the_same(values, width):
    one = snippet(
        "equal", CROSS.replace("self.ma", "self.mc"), attrs="p = 0",
        extra=f"def wide(values, p):\n    return sma(values, {width})\n",
        init="self.mc = self.I(wide, self.data.Close, self.p)",
    )  # fmt: skip
    strategy = make_strategy(one.source)
    job = job_of(strategy, grid_of(strategy), {"cash": 10_000})
    space = Space([Parameter("n", (5, 7, 12)), Parameter("p", values)])
    job = replace(job, space=space)
    ours = CompiledEngine(bars("GOOG"), job)
    check_same(ours, RunnerEngine(bars("GOOG"), job), range(6))
    assert ours.composed >= 2
