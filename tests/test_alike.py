"""Combinations that are run together, with no step of Python in between: the same bits as alone."""

from __future__ import annotations

import numpy as np
import pytest
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import GOOG, SMA

from bigbar.account import Account
from bigbar.engines.general.alike import MOST
from bigbar.engines.general.engine import CompiledEngine
from bigbar.engines.runner import RunnerEngine
from bigbar.job import Job
from bigbar.parameter import Parameter
from bigbar.space import Space
from bigbar.spec import StrategySpec

BARS = GOOG.iloc[:700]


class Stops(Strategy):
    """What it has of its own are numbers of several kinds, a text and a flag."""

    period, loss, side, twice, level = 10, 0.02, "long", False, 0

    def init(self) -> None:
        self.mean = self.I(SMA, self.data.Close, self.period)

    def next(self) -> None:
        price = self.data.Close[-1]
        if price > self.mean[-1] + self.level and not self.position:
            if self.side == "long":
                self.buy(sl=price * (1 - self.loss))
            else:
                self.sell(sl=price * (1 + self.loss))
            if self.twice:
                self.buy(size=1)
        elif price < self.mean[-1]:
            self.position.close()


class Raises(Strategy):
    """A stop above the price is an error, which ends those combinations."""

    factor, period = 0.9, 10

    def init(self) -> None:
        self.mean = self.I(SMA, self.data.Close, self.period)

    def next(self) -> None:
        if crossover(self.data.Close, self.mean):
            self.position.close()
            self.buy(size=5, sl=self.data.Close[-1] * self.factor)


class Counts(Strategy):
    """What it begins with is changed as it runs, and differs."""

    left, period = 3, 10

    def init(self) -> None:
        self.mean = self.I(SMA, self.data.Close, self.period)

    def next(self) -> None:
        if crossover(self.data.Close, self.mean) and self.left > 0:
            self.left -= 1
            self.buy(size=2)


class Pairs(Strategy):
    """All that it has is made by `init`: averages, a level, and what it begins with."""

    quick, slow, level, side = 5, 20, 1, "long"

    def init(self) -> None:
        self.fast = self.I(SMA, self.data.Close, self.quick)
        self.bands = self.I(bands, self.data.Close, self.slow)
        self.least = self.level / 10
        self.left = 9

    def next(self) -> None:
        if self.left and crossover(self.fast, self.bands[0]) and self.bands[1][-1] > self.least:
            self.left -= 1
            if self.side == "long":
                self.buy()
            else:
                self.sell()
        elif crossover(self.bands[0], self.fast):
            self.position.close()


def bands(close, period):
    """An average, and how far prices are from it."""
    mean = SMA(close, period)
    return np.vstack([mean, np.abs(close - mean)])


class Often(Strategy):
    """More trades than there is room for at first."""

    units, period = 1, 10

    def init(self) -> None:
        self.mean = self.I(SMA, self.data.Close, self.period)

    def next(self) -> None:
        for _ in range(3):
            self.buy(size=self.units)
        for trade in self.trades:
            trade.close()


CASES = {
    "kinds": (
        Stops,
        {
            "level": (0, 1.5, 2, True), "period": (10, 20), "side": ("long", "short"),
            "twice": (False, True), "loss": (0.01, 0.05),
        },
    ),
    "own_values_first": (Stops, {"loss": (0.01, 0.02, 0.05), "period": (10, 15, 20)}),
    "errors": (Raises, {"period": (10, 15), "factor": (0.9, 0.95, 1.1, 0.99, 1.2, 0.8)}),
    "state": (Counts, {"period": (10, 15), "left": (0, 1, 2, 50)}),
    "pairs": (
        Pairs,
        {
            "quick": (3, 5, 8, 700), "slow": (10, 20, 30, 40), "level": (0, 1, 25, 0.5),
            "side": ("long", "short"),
        },
    ),
    "room": (Often, {"period": (10,), "units": (1, 2, 3)}),
}  # fmt: skip


def made(kind, name: str, kept: np.ndarray | None = None):
    strategy, values = CASES[name]
    space = Space([Parameter(*one) for one in values.items()])
    if kept is not None:
        space = Space(space.parameters, kept, is_sample=True)
    job = Job(StrategySpec.of(strategy), space, Account(margin=0.5), "compiled")
    return kind(BARS, job), len(space)


def answers(engine, start: int, stop: int):
    """Rows and returns; where a combination raises, what it says."""
    found = []
    for number in range(start, stop):
        try:
            rows, returns = engine.run_with_returns(number, number + 1)
            found.append((rows[0].tobytes(), returns[0].tobytes()))
        except Exception as problem:
            found.append((str(problem), ""))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name != "errors"])
def test_together_as_alone_and_as_the_broker_has_it(name):
    together, count = made(CompiledEngine, name)
    rows, returns = together.run_with_returns(0, count)
    assert together.refused is None
    assert not together.fell_back
    alone, _ = made(CompiledEngine, name)
    theirs, _ = made(RunnerEngine, name)
    for number in range(count):
        one, of_one = alone.run_with_returns(number, number + 1)
        assert one[0].tobytes() == rows[number].tobytes()
        assert of_one[0].tobytes() == returns[number].tobytes()
    expected = theirs.run(0, count)
    assert np.allclose(rows, expected, rtol=1e-9, atol=1e-9, equal_nan=True)


def test_they_are_run_together():
    engine, count = made(CompiledEngine, "kinds")
    asked = []
    real = engine._machine.play_many

    def noted(prepared, start, parameters, others, counting):
        asked.append(len(counting.rows))
        return real(prepared, start, parameters, others, counting)

    engine._machine.play_many = noted
    engine.run(0, count)
    assert asked == [8] * 8  # A level, and a period: the one of another kind, the other's `init`.
    assert count == 64
    engine, count = made(CompiledEngine, "own_values_first")
    engine._machine.play_many, real = noted, engine._machine.play_many
    asked.clear()
    engine.run(0, count)
    assert asked[:2] == [1, 1]  # Their neighbours have another `init`,
    assert max(asked) > 1  # which are put together in the end.
    assert sum(asked) == count == 9
    assert engine.composed > 0


def test_what_is_put_together_is_checked_by_a_real_init_now_and_then():
    engine, count = made(CompiledEngine, "pairs")
    begun = []
    real = engine._runner.ready

    def noted(parameters, init):
        begun.append(1)
        return real(parameters, init)

    engine._runner.ready = noted
    engine.run(0, count)
    new = 4 + 4 + 4 + 1 - 3  # Values of each piece; the first combination has one of each.
    checks = count.bit_length()
    assert new <= len(begun) <= new + checks


def test_one_that_raises_does_so_and_the_others_are_answered():
    engine, count = made(CompiledEngine, "errors")
    theirs, _ = made(RunnerEngine, "errors")
    with pytest.raises(ValueError, match="require"):
        engine.run(0, count)
    ours, others = answers(engine, 0, count), answers(theirs, 0, count)
    assert [len(one[1]) for one in ours] == [len(one[1]) for one in others]
    assert [one[0] for one in ours if not one[1]] == [one[0] for one in others if not one[1]]
    # From behind the first that raises to before the next.
    rows = engine.run(3, 4)
    assert rows.tobytes() == ours[3][0]


def test_some_points_of_a_product():
    whole, count = made(CompiledEngine, "kinds")
    kept = np.sort(np.random.default_rng(3).permutation(count)[:40])
    some, few = made(CompiledEngine, "kinds", kept)
    assert few == 40
    assert whole.run(0, count)[kept].tobytes() == some.run(0, few).tobytes()


def test_a_long_run_is_cut():
    space = Space([Parameter("loss", tuple(0.001 + 1e-5 * np.arange(MOST + 30)))])
    job = Job(StrategySpec.of(Stops), space, Account(), "compiled")
    engine = CompiledEngine(BARS.iloc[:60], job)
    rows = engine.run(0, len(space))
    for number in (0, 1, MOST - 1, MOST, MOST + 1, MOST + 29):
        assert engine.run(number, number + 1).tobytes() == rows[number : number + 1].tobytes()
