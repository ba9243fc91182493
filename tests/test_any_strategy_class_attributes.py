"""Class attributes that a run changes are as they were before the next run begins."""

from __future__ import annotations

import threading
import types
from collections import deque

import numpy as np
import pandas as pd
from any_strategies import check_agrees
from backtesting import Strategy
from backtesting.test import GOOG

from benchmarks.example_strategies import SmaCross
from bigbar.engines.any_strategy.run import StrategyRunner

DATA = GOOG.iloc[:60]


class State:
    def __init__(self):
        self.seen = []


def run_twice(attribute, change):
    """What a strategy finds in its attribute at the start of two runs, and the runner."""
    found = []

    class Base(Strategy):
        value = attribute
        period = 3

        def init(self):
            found.append(repr(self.value))

        def next(self):
            change(type(self))

    class Derived(Base):
        pass

    runner = StrategyRunner(DATA, Derived)
    runner.run({})
    assert runner.changed_class_attributes
    runner.run({})
    return found, runner, Base


def test_contents_are_put_back_into_the_same_object():
    for value, change in (
        ([1], lambda kind: kind.value.append(2)),
        ({"a": [1]}, lambda kind: kind.value["a"].append(2)),
        ({1}, lambda kind: kind.value.add(2)),
        (deque([1], maxlen=3), lambda kind: kind.value.append(2)),
        (bytearray(b"a"), lambda kind: kind.value.extend(b"b")),
        (np.zeros(3), lambda kind: kind.value.__setitem__(0, kind.value[0] + 1)),
        (types.SimpleNamespace(n=0), lambda kind: setattr(kind.value, "n", kind.value.n + 1)),
        ([[float("nan")], np.zeros(2)], lambda kind: kind.value[1].__iadd__(1)),
    ):
        found, runner, base = run_twice(value, change)
        assert found[0] == found[1]
        assert runner.changed_class_attributes == (f"{base.__qualname__}.value",)
        assert base.value is value


def test_objects_of_the_trader():
    state = State()
    found, runner, base = run_twice(state, lambda kind: kind.value.seen.append(1))
    assert state.seen == []
    assert base.value is state
    assert runner.changed_class_attributes == (f"{base.__qualname__}.value",)
    assert found[0] == found[1]


def test_tables():
    for table in (pd.Series([1.0, np.nan]), pd.DataFrame({"a": [1.0, np.nan]})):
        found, runner, base = run_twice(table, lambda kind: kind.value.iloc.__setitem__(0, 9.0))
        assert found[0] == found[1]
        assert runner.changed_class_attributes == (f"{base.__qualname__}.value",)


def test_numbers_that_are_counted_up():
    def count(kind):
        kind.value += 1
        kind.new = 1

    found, runner, base = run_twice(0, count)
    assert found == ["0", "0"]
    derived = base.__subclasses__()[0].__qualname__
    assert set(runner.changed_class_attributes) == {f"{derived}.value", f"{derived}.new"}


def test_attributes_that_are_taken_away():
    def take(kind):
        if "value" in vars(kind.__mro__[1]):
            del kind.__mro__[1].value

    found, _, _ = run_twice([1], take)
    assert found == ["[1]", "[1]"]


def test_what_cannot_be_copied_is_left():
    class Locked(SmaCross):
        lock = threading.Lock()
        locks = [threading.Lock()]  # noqa: RUF012

    runner = StrategyRunner(DATA, Locked)
    runner.run({})
    assert runner.changed_class_attributes == ()


def test_nothing_is_said_of_a_strategy_that_changes_nothing():
    runner = StrategyRunner(DATA, SmaCross)
    check_agrees(DATA, SmaCross, runner=runner)
    assert runner.changed_class_attributes == ()
