"""The short ways of common fills: the same as the broker's own, and taken."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from any_strategies import of_known_versions
from broker_checks import QUIET, assert_all_agree, bars, check
from monkeys import (
    ACT,
    FIELDS,
    HANDS,
    ORDER,
    SIDE,
    SIZE,
    SL,
    TP,
    Errand,
    Player,
    calm_errand,
    compiled_monkey,
)

from bigbar.account import Account
from bigbar.compiled.broker.calls import order_place, position_close
from bigbar.compiled.loop import compiled_next

pytestmark = of_known_versions

#: As of the monkey: machine code is kept by these very lines.
KEPT_AS_THIS = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def test_a_calm_monkey():
    assert_all_agree(range(300), calm_errand, trades=3, ruined=0.01)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_calm_monkeys(pytestconfig):
    first = 100_000 * pytestconfig.getoption("--soak-seed")
    assert_all_agree(range(first, first + 20_000), calm_errand, trades=3, ruined=0.01)


def counted_next(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    S[0] += 1.0
    if I[0, i] == 2.0:
        position_close(f, n, T, Ti, 1.0)
    if I[0, i] != 0.0:
        order_place(f, n, T, Ti, 0.5, 0.0, 0.0, 90.0, 110.0, 0)


def test_next_runs_on_its_own_bars_alone():
    """Neither where an order is filled nor where a stop or a target is."""
    rows = [QUIET] * 12
    for bar, row in ((3, (109.0, 111.0, 108.0, 109.0)), (6, (91.0, 92.0, 89.0, 91.0))):
        rows[bar] = row
    data = bars(*rows)
    acts = np.zeros((1, len(data)))
    acts[0, [2, 6, 9, 11]] = 1.0, 1.0, 1.0, 2.0
    player, counted = Player(data), compiled_next(counted_next, KEPT_AS_THIS)
    found = player.play(
        counted, Account(cash=10_000.0, finalize_trades=True), acts, busy=np.array([2, 6, 9, 11])
    )
    assert not isinstance(found, int)
    assert found.looked == 1 + 4, "the first bar, and those on which it does something"
    np.testing.assert_array_equal(found.trades[:, 1:3], [[3, 5], [7, 8], [10, 12], [12, 13]])
    np.testing.assert_array_equal(
        found.trades[:, 3:5], [[100, 110], [100, 90], [100, 100]] * 1 + [[100, 100]]
    )


@pytest.mark.parametrize("level", [-1.0, np.inf])
def test_a_stop_that_the_broker_does_not_take(level):
    """Where the target is reached in the very bar of the entry, too."""
    data = bars((100.0, 120.0, 99.0, 110.0), QUIET)
    script = np.zeros((HANDS * FIELDS, len(data)))
    script[[ACT, SIDE, SIZE], 1] = ORDER, 1.0, 0.5
    script[SL if level < 0 else TP, 1] = 100.0 - level if level < 0 else level
    script[TP if level < 0 else SL, 1] = 5.0
    one = Errand(data, Account(), script)
    assert isinstance(check(one), int)
    assert isinstance(Player(data).play(compiled_monkey(), one.account, script, busy=one.busy), int)
