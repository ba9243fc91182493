"""A stretch of the file: indicators know the whole file, everything else the stretch alone."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from any_strategies import (
    Kinds,
    Resampled,
    RsiBands,
    Signalled,
    Trailing,
    check_agrees,
    check_same_row,
    check_same_stats,
    made_bars,
    of_known_versions,
    theirs,
)
from backtesting import Strategy
from backtesting.test import GOOG, SMA

from benchmarks.example_strategies import Sma4Cross, SmaCross
from bigbar.engines.any_strategy.run import StrategyRunner
from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.errors import DataError, SettingsError

FILE = GOOG.iloc[:600]
FIRST, STOP = 150, 420
CUT = FILE.iloc[FIRST:STOP]


@pytest.mark.parametrize(
    "strategy", [SmaCross, Sma4Cross, RsiBands, Trailing, Signalled, Resampled, Kinds]
)
def test_the_whole_file_as_a_span(strategy):
    check_agrees(FILE, strategy, runner=StrategyRunner(FILE, strategy, span=(0, len(FILE))))


class Ready(SmaCross):
    """What `SmaCross` should be on the stretch, its averages made on the whole file by hand."""

    def init(self):
        def average(n):
            return self.I(lambda: SMA(FILE.Close, n).to_numpy()[FIRST:STOP], name=f"SMA(C,{n})")

        self.sma1, self.sma2 = average(self.n1), average(self.n2)


@pytest.mark.parametrize("parameters", [{}, {"n1": 60, "n2": 150}, {"n1": 100, "n2": 300}], ids=str)
def test_indicators_are_warm(parameters):
    account = {"commission": 0.001, "finalize_trades": True}
    expected = theirs(CUT, Ready, parameters, **account)
    run = StrategyRunner(FILE, SmaCross, span=(FIRST, STOP), **account).run(parameters)
    check_same_row(run.row(), statistics_row(expected))
    stats = run.stats
    stats["_strategy"] = expected["_strategy"] = None
    check_same_stats(stats, expected)
    assert len(run.equity) == STOP - FIRST


def test_next_runs_where_it_would_in_the_file():
    """From the stretch's second bar, or one bar after the last indicator is defined."""

    class Notes(SmaCross):
        def init(self):
            super().init()
            self.bars = []

        def next(self):
            self.bars.append(self.data.index[-1])

    def bars(n2, span):
        return StrategyRunner(FILE, Notes, span=span).run({"n2": n2}).strategy.bars

    assert bars(20, (150, 170)) == list(FILE.index[151:170])
    whole = bars(155, None)
    assert whole == list(FILE.index[155:])
    assert bars(155, (150, 170)) == list(FILE.index[155:170])
    assert bars(300, (150, 170)) == []


class Sees(Strategy):
    """Looks at everything that `init` may leave, and at its data."""

    n = 5

    def init(self):
        close = self.data.Close
        self.average = self.I(SMA, close, self.n)
        self.pair = self.I(lambda: np.column_stack([close, close + 1]), name="pair")
        self.derived = self.average * 2
        self.series = close.s
        self.frame = pd.DataFrame({"a": close, "b": close}, index=self.data.index)
        self.times = self.data.index
        self.rows = np.column_stack([close, close, close])
        self.listed = list(close)
        self.numbers = tuple(range(len(close)))
        self.last = deque(close, maxlen=len(close))
        self.lot = [self.average, {"series": self.series, "n": 3}, "text"]
        self.data_too = self.data
        self.nothing = None
        self.some = [1, 2, 3]
        self.count = itertools.count()
        self.again = self.average
        self.data.df["Twice"] = np.asarray(close) * 2
        self.checked = 0

    def next(self):
        bar, price = len(self.data) - 1, self.data.Close[-1]
        assert self.data_too is self.data
        assert self.average.s.index[-1] == self.data.index[-1] == self.times[bar]
        assert self.derived[-1] == 2 * self.average[-1]
        assert self.again is not None
        assert len(self.again) == len(self.average) == bar + 1
        assert self.pair[1, -1] == price + 1
        assert self.series.iloc[bar] == price == self.frame["b"].iloc[bar] == self.rows[bar, 2]
        assert self.series.index[bar] == self.frame.index[bar] == self.data.index[-1]
        assert self.listed[bar] == price == self.last[bar]
        assert FILE.Close.iloc[self.numbers[bar]] == price
        assert self.lot[0][bar] == self.average[-1]
        assert self.lot[1]["series"] is self.series
        assert self.data.Twice[-1] == 2 * price == self.data.df["Twice"].iloc[-1]
        assert self.some == [1, 2, 3]
        self.checked += 1


def test_all_that_init_leaves():
    run = StrategyRunner(FILE, Sees, span=(FIRST, STOP)).run({})
    assert run.strategy.checked == STOP - FIRST - 1
    check_agrees(FILE, Sees)


class Box:
    def __init__(self, inside):
        self.inside = inside


class Slotted:
    __slots__ = ("inside",)

    def __init__(self, inside):
        self.inside = inside


class Pair(NamedTuple):
    one: object
    other: object


def of_file(close):
    return close[0]


HIDDEN = {
    "Box": Box,
    "Slotted": Slotted,
    "function": lambda close: lambda bar: close[bar],
    "partial": lambda close: functools.partial(of_file, close),
    "list_iterator": lambda close: iter(list(close)),
    "Rolling": lambda close: pd.Series(close).rolling(3),
    "dict": lambda close: dict(enumerate(close)),
    "set": lambda close: {*map(float, range(len(close)))},
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_what_cannot_be_cut_is_refused(kind):
    class Hides(Strategy):
        def init(self):
            self.model = HIDDEN[kind](np.asarray(self.data.Close))

        def next(self):
            pass

    with pytest.raises(SettingsError) as refused:
        StrategyRunner(FILE, Hides, span=(FIRST, STOP)).run({})
    assert str(refused.value) == (
        f"Hides.model, set in init, is a {kind} with a value for each bar of the file, which "
        "cannot be cut to bars 150 to 420; keep such values as an attribute of the strategy, or "
        "better, declare them with self.I"
    )
    StrategyRunner(FILE, Hides).run({})


def test_as_many_rows_as_columns():
    class Square(Strategy):
        def init(self):
            self.square = np.zeros((len(self.data), len(self.data)))

        def next(self):
            pass

    with pytest.raises(SettingsError, match=r"Square\.square, .* as many rows as columns, 600"):
        StrategyRunner(FILE, Square, span=(FIRST, STOP)).run({})


def test_harmless_objects_are_let_through():
    class Harmless(Strategy):
        def init(self):
            self.box = Box([1, 2, np.zeros(7)])
            self.pair = Pair(np.asarray(self.data.Close), 3)
            self.function = lambda: self.data.Close[-1]
            self.rule = self.next

        def next(self):
            assert self.pair.one[len(self.data) - 1] == self.function()
            assert isinstance(self.pair, Pair)

    StrategyRunner(FILE, Harmless, span=(FIRST, STOP)).run({})


@pytest.mark.parametrize("index", [None, pd.RangeIndex(300)], ids=["daily", "periods"])
@of_known_versions
def test_one_memo_for_all_windows(index):
    data = made_bars(300, 1, index=index)
    first = StrategyRunner(data, SmaCross, span=(50, 150))
    second = StrategyRunner(data.copy(), SmaCross, span=(100, 200), memo=first.memo)
    alone = StrategyRunner(data, SmaCross, span=(100, 200))
    first.run({})
    hits = first.memo.misses
    second.run({})
    assert first.memo.misses == hits == 2
    np.testing.assert_array_equal(second.run({}).row(), alone.run({}).row())


def test_spans_that_are_none():
    for span in ((10, 10), (-1, 20), (30, 20)):
        with pytest.raises(SettingsError, match=f"a span from bar {span[0]} to bar {span[1]} has"):
            StrategyRunner(FILE, SmaCross, span=span)
    with pytest.raises(DataError, match="a span to bar 601 of a file of 600 bars"):
        StrategyRunner(FILE, SmaCross, span=(0, 601))
