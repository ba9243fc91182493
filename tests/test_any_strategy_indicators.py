"""Indicators once per distinct input: never another answer than `Strategy.I` would give."""

from __future__ import annotations

import functools
import itertools
import random
import sys
import time
import types

import numpy as np
import pandas as pd
import pytest
import talib
from any_strategies import (
    Resampled,
    RsiBands,
    Trailing,
    check_agrees,
    made_bars,
    of_known_versions,
)
from backtesting import Strategy
from backtesting.test import GOOG, SMA

from benchmarks.example_strategies import SmaCross
from bigbar.engines.any_strategy.indicators import IndicatorMemo
from bigbar.engines.any_strategy.run import StrategyRunner

pytestmark = of_known_versions

DATA = GOOG.iloc[:300]

FACTOR = 2.0
FACTORS = {"of": 2.0}
TABLE = pd.Series(np.arange(300.0))
CALLS: list[int] = []
COUNT = 0


class Declares(Strategy):
    """Declares what it is told to."""

    n = 3
    m = 1.0

    def init(self):
        self.found = self.declare()

    def declare(self):
        raise NotImplementedError

    def next(self):
        pass


def strategy_of(declare) -> type[Strategy]:
    return type("Declares", (Declares,), {"declare": declare})


def found(runner, **parameters):
    return np.asarray(runner.run(parameters).strategy.found)


def memo_of(declare, *parameters, data=DATA) -> IndicatorMemo:
    """Run the parameters one after the other; each answer must be that of a fresh process."""
    strategy = strategy_of(declare)
    runner = StrategyRunner(data, strategy)
    for one in parameters:
        check_agrees(data, strategy, one, runner=runner)
        alone = StrategyRunner(data, strategy, memo=IndicatorMemo(0))
        ours, fresh = found(runner, **one), found(alone, **one)
        np.testing.assert_array_equal(ours, fresh)
        assert ours.flags.writeable == fresh.flags.writeable
    assert not runner.memo.distrusted  # It would right what the keys get wrong.
    return runner.memo


def scaled(values, factor=1.0):
    return np.asarray(values) * factor


def by_global(values):
    return scaled(values) * FACTOR


def by_table_of_globals(values):
    return scaled(values) * FACTORS["of"] + TABLE.to_numpy()


@functools.lru_cache
def cached(n):
    return np.arange(300.0) * n


def averaged(self):
    return self.I(SMA, self.data.Close, self.n)


def a_lambda(self):
    return self.I(lambda: SMA(self.data.Close, self.n) * self.m)


def a_method(self):
    def calculate(self, values):
        return np.asarray(values) * self.n

    self.calculate = types.MethodType(calculate, self)
    return self.I(self.calculate, self.data.Close)


def a_partial(self):
    return self.I(functools.partial(scaled, factor=self.m), self.data.Close)


def a_closure(self):
    shift = {"by": [self.n, self.m]}
    return self.I(
        lambda values: np.asarray(values) + shift["by"][0] * shift["by"][1], self.data.Low
    )


def an_attribute(self):
    self.weights = np.full(300, self.m)
    return self.I(lambda: self.weights * self.n)


def a_series(self):
    return self.I(lambda close, n: close.rolling(n).max(), self.data.Close.s, self.n)


def a_frame(self):
    return self.I(lambda frame: frame["High"] - frame["Low"] * self.m, self.data.df)


def a_default(self):
    return self.I(lambda values, by=self.m: np.asarray(values) * by, self.data.Close)


def keywords(self):
    return self.I(scaled, values=self.data.Close, factor=self.m, name="s {factor}", overlay=True)


def a_cache(self):
    return self.I(cached, self.n)


def by_a_library(self):
    return self.I(talib.BBANDS, self.data.Close, timeperiod=self.n, nbdevup=self.m)


def a_static_method(self):
    type(self).scaled = staticmethod(scaled)
    return self.I(lambda: self.scaled(self.data.Close, self.m * self.n))


def with_a_helper(self):
    def calculate(self):
        return self.helper() * self.m

    def helper(self):
        return np.asarray(self.data.Close) * self.n

    self.calculate, self.helper = (types.MethodType(one, self) for one in (calculate, helper))
    return self.I(self.calculate)


SAFE = [
    by_a_library, a_static_method, with_a_helper, averaged, a_lambda, a_method, a_partial,
    a_closure, an_attribute, a_series, a_frame, a_default, keywords, a_cache,
]  # fmt: skip


@pytest.mark.parametrize("declare", SAFE, ids=lambda one: one.__name__)
def test_all_that_it_reads_is_in_the_key(declare):
    first, *others = ({"n": n, "m": m} for n in (3, 4) for m in (1.0, 2.0))
    memo = memo_of(declare, first, *others, first, *others, {"n": 3, "m": 2})
    assert memo.passed == 0
    assert memo.misses >= 2
    assert memo.hits >= 4


def test_types_of_parameters_are_told_apart():
    def typed(self):
        return self.I(
            lambda n: np.full(300, 1.0 if n is True else np.copysign(2, n)),
            self.n,
            name=str(self.n),
        )

    memo = memo_of(typed, {"n": 1}, {"n": True}, {"n": 1.0}, {"n": np.int64(1)}, {"n": 0.0})
    memo_of(typed, {"n": 0.0}, {"n": -0.0}, {"n": np.nan})
    assert memo.misses == 5


def test_globals_that_change_are_seen(monkeypatch):
    runner = StrategyRunner(DATA, strategy_of(lambda self: self.I(by_global, self.data.Close)))
    before = found(runner)
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 3.0)
    np.testing.assert_array_equal(found(runner), before / 2 * 3)
    tables = strategy_of(lambda self: self.I(by_table_of_globals, self.data.Close))
    runner = StrategyRunner(DATA, tables)
    before = found(runner)
    monkeypatch.setitem(FACTORS, "of", 5.0)
    assert found(runner)[0] == before[0] / 2 * 5
    monkeypatch.setattr(sys.modules[__name__], "TABLE", TABLE + 1)
    assert found(runner)[0] == before[0] / 2 * 5 + 1
    assert runner.memo.misses == 3


def at_random(self):
    return self.I(lambda: np.random.default_rng().random(300))


def at_random_too(self):
    return self.I(lambda values: scaled(values) * random.random(), self.data.Close)


def by_the_clock(self):
    return self.I(lambda: np.full(300, time.perf_counter()))


def counting(self):
    def count(values):
        global COUNT
        COUNT += 1
        return np.full(300, float(COUNT))

    return self.I(count, self.data.Close)


def counting_too(self):
    def count(values):
        CALLS.append(1)
        return np.full(300, float(len(CALLS)))

    return self.I(count, self.data.Close)


def by_the_whole_strategy(self):
    def read(strategy):
        return np.full(300, float(len(strategy._indicators)))

    self.I(SMA, self.data.Close, 2)
    return self.I(lambda: read(self))


def of_a_module_of_chance(self):
    return self.I(np.random.rand, 300)


def by_another_name(self):
    draw = np.random.default_rng
    return self.I(lambda: draw().random(300) if draw else None)


def kept_for_later(self):
    kept = self.I

    def later():
        self.found = kept(lambda: np.full(len(self.data), len(self.data) * 1.0))

    self.next = later
    return self.I(SMA, self.data.Close, 3)


def by_an_object(self):
    class Model:
        def __call__(self, values):
            return np.full(300, float(next(STATE)))

    return self.I(Model(), self.data.Close)


STATE = iter(range(10**6))

UNSAFE = [
    of_a_module_of_chance,
    by_another_name,
    at_random,
    at_random_too,
    by_the_clock,
    counting,
    counting_too,
    by_an_object,
]


@pytest.mark.parametrize("declare", UNSAFE, ids=lambda one: one.__name__)
def test_what_is_not_the_same_twice_is_not_kept(declare):
    runner = StrategyRunner(DATA, strategy_of(declare))
    answers = [found(runner) for _ in range(4)]
    for one, other in itertools.pairwise(answers):
        assert (one != other).all()
    assert runner.memo.hits == 0


def test_a_strategy_that_is_handed_on_is_not_read():
    memo = memo_of(by_the_whole_strategy, {"n": 1}, {"n": 2})
    assert memo.passed == 4


def test_functions_that_change_what_they_get_are_not_kept():
    def declare(self):
        values = np.arange(300.0)

        def sort(values):
            values[:] = values[::-1].copy()
            return values.copy()

        self.I(sort, values)
        return self.I(lambda: values * 1.0)

    memo = memo_of(declare, {}, {"n": 4})
    assert memo.passed


def test_memory_that_is_shared_is_not_kept():
    def declare(self):
        values = np.arange(300.0)
        indicator = self.I(lambda: values)
        values[:] = self.n
        return indicator

    assert memo_of(declare, {"n": 1}, {"n": 2}, {"n": 1}).hits == 0


def test_a_function_that_the_code_does_not_give_away():
    """A library's function may keep a state: a call now and then finds out."""
    module = types.ModuleType("indicator_library")
    module.__file__ = "/usr/lib/python3/site-packages/indicator_library.py"
    exec(
        "import itertools\nstate = itertools.count()\n"
        "def drifting(values): return values * float(next(state))",
        vars(module),
    )
    sys.modules[module.__name__] = module
    try:
        declare = strategy_of(lambda self: self.I(module.drifting, np.arange(300.0)))
        runner = StrategyRunner(DATA, declare)
        answers = [found(runner)[1] for _ in range(4)]
    finally:
        del sys.modules[module.__name__]
    assert answers == [0, 1, 2, 3]
    assert runner.memo.distrusted == {"drifting": "gave something else for the same input"}


def test_data_that_init_has_changed():
    def declare(self):
        if self.n == 4:
            self.data.df["Close"] = 1.0
        return self.I(lambda: self.data.df["Close"] * self.m)

    memo_of(declare, {"n": 3}, {"n": 4}, {"n": 3}, {"n": 4}, {"n": 3})


def test_an_answer_that_is_written_into_stays_as_it_was():
    def declare(self):
        indicator = self.I(lambda: np.zeros(300) + self.n)
        indicator[:50] = -1
        return indicator

    assert memo_of(declare, *[{"n": n} for n in (1, 2, 1, 2, 1, 2)]).hits


def test_a_strategy_with_an_i_of_its_own_is_left_alone():
    def own(self, func, *args, **kwargs):
        CALLS.append(0)
        return Strategy.I(self, func, *args, **kwargs)

    strategy = type("Own", (Declares,), {"declare": averaged, "I": own})
    CALLS.clear()
    runner = StrategyRunner(DATA, strategy)
    for _ in range(3):
        runner.run({})
    assert len(CALLS) == 3
    assert "I" not in vars(StrategyRunner(DATA, SmaCross).run({}).strategy)


def test_resampled_and_others_of_the_library():
    for strategy, parameters in ((Resampled, {"n": 3}), (RsiBands, {}), (Trailing, {})):
        runner = StrategyRunner(DATA, strategy)
        for _ in range(4):
            check_agrees(DATA, strategy, parameters, runner=runner)
        assert runner.memo.hits
        assert not runner.memo.passed


def test_an_i_that_is_kept_for_later_is_the_plain_one():
    strategy = strategy_of(kept_for_later)
    runner = StrategyRunner(DATA, strategy)
    for _ in range(3):
        check_agrees(DATA, strategy, runner=runner)
    assert not runner.memo.distrusted


def test_frames_that_differ_in_their_labels():
    def declare(self):
        index = self.data.index if self.n == 3 else pd.Index([f"{n}" for n in range(300)])
        label = {3: "a", 4: "b", 5: 1}[self.n]
        frame = pd.DataFrame({label: np.asarray(self.data.Close)}, index=index)

        def read(frame):
            column = frame.columns[0]
            return np.full(300, float(len(str(frame.index[7])) + (column == "a")))

        return self.I(read, frame)

    assert memo_of(declare, *[{"n": n} for n in (3, 4, 5, 3, 4, 5)]).passed == 0

    def objects(self):
        index = pd.Index([(n, self.n) for n in range(300)], tupleize_cols=False)
        series = pd.Series(np.asarray(self.data.Close), index=index)
        return self.I(lambda one: np.full(300, float(one.index[7][1])), series, name="objects")

    memo_of(objects, {"n": 3}, {"n": 4}, {"n": 3})


def test_files_are_told_apart():
    memo = IndicatorMemo()
    for seed in (1, 2, 1):
        data = made_bars(100, seed)
        check_agrees(data, SmaCross, runner=StrategyRunner(data, SmaCross, memo=memo))
    moved = made_bars(100, 1, index=pd.date_range("2021-01-01", periods=100))
    check_agrees(moved, SmaCross, runner=StrategyRunner(moved, SmaCross, memo=memo))
    assert memo.misses == 6


def test_no_more_is_kept_than_allowed():
    memo = IndicatorMemo(most_bytes=3 * (8 * 300 + 2_000))
    runner = StrategyRunner(DATA, strategy_of(averaged), memo=memo)
    for n in (2, 3, 4, 2, 5, 3):
        found(runner, n=n)
    assert (memo.misses, memo.hits) == (5, 0)  # The first use is a check: it is made all the same.
    found(runner, n=5)
    found(runner, n=5)
    assert memo.misses == 5
    assert len(memo._entries) == 3
    nothing = IndicatorMemo(0)
    runner = StrategyRunner(DATA, strategy_of(averaged), memo=nothing)
    found(runner)
    found(runner)
    assert (nothing.hits, nothing.misses, len(nothing._entries)) == (0, 0, 0)


def test_what_is_quicker_made_than_found_is_made(monkeypatch):
    """A key of a long table takes longer than to look at its first value."""
    long = np.zeros(2_000_000)

    def declare(self):
        return self.I(lambda: np.full(300, long[0]))

    runner = StrategyRunner(DATA, strategy_of(declare))
    for _ in range(14):
        found(runner)
    assert runner.memo.passed >= 3
