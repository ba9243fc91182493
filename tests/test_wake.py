"""Bars that are left out: on none of them does `next` do anything, and they are most of them."""

from __future__ import annotations

import numpy as np
import pytest
from generated_strategies import account_of, grid_of, make_strategy, source_of
from real_jobs import job_of
from real_strategies import CASES, bars
from snippets import case, engine_of

from bigbar.compiled.ahead import AFTER_ALL

CompiledEngine = pytest.importorskip("bigbar.engines.general.engine").CompiledEngine

DATA = ("GOOG", "EURUSD", "made")

#: Seeds in each test of generated strategies; in a soak, and otherwise.
SEEDS, QUICK_SEEDS = 50, 4

CROSS = """
if crossover(self.ma, self.mb):
    self.buy(size=1)
elif crossover(self.mb, self.ma):
    self.position.close()
"""


def check_every_bar(strategy, combinations, account, data) -> None:
    """Run each combination on every bar; nothing happens on those that could be left out."""
    job = job_of(strategy, combinations, account)
    hopping, on_every_bar = (
        CompiledEngine(bars(data), job, every_bar=flag) for flag in (False, True)
    )
    for number in range(len(job.space)):
        try:
            found = hopping.one(number)
        except Exception:
            continue  # Python raises: both leave the combination to it.
        if number not in hopping.fell_back and hopping.refused is None:
            expected = on_every_bar.one(number)
            assert number not in on_every_bar.fell_back
            np.testing.assert_array_equal(found.equity, expected.equity)


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", [0, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 9))]
)
@pytest.mark.timeout(1800)
def test_nothing_happens_on_bars_left_out(first):
    count = QUICK_SEEDS if first == 0 else SEEDS
    for seed in range(first * SEEDS, first * SEEDS + count):
        strategy = make_strategy(source_of(seed))
        check_every_bar(strategy, grid_of(strategy), account_of(seed), DATA[seed % 3])


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(8))
def test_nothing_happens_in_the_corpus_either(part):
    for one in CASES[part::8]:
        if not one.needs:
            check_every_bar(one.strategy, one.parameters, one.account, one.data)


def marked_share(one):
    """The share of bars that are visited at least, and the engine that ran."""
    strategy = make_strategy(one.source)
    engine = engine_of(strategy, grid_of(strategy)[:1])
    lists = engine._machine._marks.lists
    for marked in lists:
        marked[:] = 0
    engine.one(0)
    assert engine.refused is None, engine.refused
    ends = [np.flatnonzero(marked == AFTER_ALL) for marked in lists]
    if not all(map(len, ends)):  # None was made: every bar is visited.
        return np.ones(2)
    return np.array([found[0] for found in ends]) / engine._machine.market.shape[1]


SHARES = [
    (case("crossover", CROSS), (0.05, 0.05)),
    (
        case(
            "a_stop_while_in_a_position",
            """
                if not self.position:
                    if crossover(self.ma, self.mb):
                        self.buy(size=1)
                else:
                    for trade in self.trades:
                        trade.sl = max(trade.sl or 0, self.data.Close[-1] * 0.9)
            """,
            soak=True,
        ),
        (0.05, 1.0),
    ),
    (
        case(
            "a_level_that_may_be_none",
            """
                if self.level is not None and self.data.Close[-1] > self.level:
                    if crossover(self.ma, self.mb):
                        self.buy(size=1)
                if crossover(self.mb, self.ma):
                    self.level = self.data.Close[-1]
                    self.position.close()
            """,
            init="self.level = None",
            soak=True,
        ),
        (0.05, 0.05),
    ),
    (
        case(
            "names_taken_apart",
            "a, b = self.ma[-1], self.mb[-1]\nif a > 1.03 * b: self.buy()",
            soak=True,
        ),
        (0.5, 0.5),
    ),
    (
        case(
            "a_size_that_could_raise",
            "units = max(1, int(self.equity * 0.1 / self.data.Close[-1]))\n"
            + CROSS.replace("size=1", "size=units"),
            soak=True,
        ),
        (0.05, 0.05),
    ),
    (
        case("a_count_of_bars", "self.count += 1\n" + CROSS, init="self.count = 0", soak=True),
        (1, 1),
    ),
]


@pytest.mark.parametrize(
    ("one", "most"),
    [pytest.param(*one.values, most, id=one.id, marks=one.marks) for one, most in SHARES],
)
def test_so_many_bars_are_visited(one, most):
    shares = marked_share(one)
    assert (shares <= most).all(), shares
    assert (shares > np.array(most) / 1000).all(), shares
