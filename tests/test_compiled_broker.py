"""The compiled broker: its trades and equity are those of `backtesting.py`, to the bit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from any_strategies import of_known_versions
from broker_checks import QUIET, assert_all_agree, bars, check
from monkeys import (
    KEPT_AS,
    Player,
    Said,
    begin,
    compiled_monkey,
    errand,
    monkey_next,
    read_only,
)

from bigbar.account import Account
from bigbar.compiled.broker.calls import closed_at, order_at, order_place, trade_at
from bigbar.compiled.broker.orders import order_cancel
from bigbar.compiled.broker.state import (
    CAP,
    E_CAP,
    E_INDEX,
    E_ROOM,
    E_VALUE,
    ERR,
    FULL_EQUITY,
    NCL,
    NSEG,
    NTRMAX,
)
from bigbar.compiled.broker.trades import COMPENSATED, add, trade_set
from bigbar.compiled.loop import compiled_next, inlined_run

pytestmark = of_known_versions

ROOT = Path(__file__).resolve().parents[1]

#: As of the monkey: machine code is kept by these very lines.
KEPT_AS_THIS = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def test_a_monkey():
    assert_all_agree(range(200), errand, trades=10, ruined=0.05)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_monkeys(pytestconfig):
    first = 100_000 * pytestconfig.getoption("--soak-seed")
    assert_all_agree(range(first, first + 20_000), errand, trades=10, ruined=0.05)


@pytest.mark.slow
def test_made_part_of_the_loop():
    """The same answers where `next` is not called but compiled with the loop."""
    inlined = inlined_run(monkey_next, KEPT_AS)
    for seed in range(500, 520):
        one = errand(seed)
        by_pointer, player = Player(one.data), Player(one.data)
        expected = by_pointer.play(compiled_monkey(), one.account, one.script)
        begin(player.state, one.account)
        inlined(
            0, player.state.f, player.state.n, player.bars, read_only(one.script),
            read_only(np.zeros(1)), player.own, player.state.T, player.state.Ti, player.segments,
            1, len(one.data), one.account.finalize_trades,
        )  # fmt: skip
        if isinstance(expected, int):
            assert player.state.n[ERR] == expected
            continue
        count = player.state.n[NSEG]
        assert count == by_pointer.state.n[NSEG]
        np.testing.assert_array_equal(player.segments[:count], by_pointer.segments[:count])
        np.testing.assert_array_equal(player.state.T, by_pointer.state.T)


def test_a_run_leaves_nothing_for_the_next():
    one, other = errand(2), errand(1)  # The other script is the longer one.
    player = Player(one.data)
    before = check(one, player)
    player.play(compiled_monkey(), other.account, other.script[:, : len(one.data)])
    after = check(one, player)
    assert isinstance(before, Said)
    assert isinstance(after, Said)


def too_many_orders(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    order_place(f, n, T, Ti, 0.1, 50.0, 0.0, 0.0, 0.0, 0)


def too_many_trades(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    order_place(f, n, T, Ti, 1.0, 0.0, 0.0, 0.0, 0.0, 0)


def too_large(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    order_place(f, n, T, Ti, FULL_EQUITY, 0.0, 0.0, 0.0, 0.0, 0)


def no_such_trade(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    trade_at(n, 0)


def no_such_closed_trade(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    closed_at(n, Ti, -1)


def no_such_order(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    order_place(f, n, T, Ti, 1.0, 50.0, 0.0, 0.0, 0.0, 0)
    order_at(n, -1)
    if not n[ERR]:
        order_at(n, 1)


def cancelled_twice(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    o = order_place(f, n, T, Ti, 1.0, 50.0, 0.0, 0.0, 0.0, 0)
    order_cancel(f, n, T, Ti, o)
    if not n[ERR]:
        order_cancel(f, n, T, Ti, o)


def stop_loss_of_a_closed_trade(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    if i == 1:
        order_place(f, n, T, Ti, 1.0, 0.0, 0.0, 99.5, 0.0, 0)
    if n[NCL]:
        trade_set(f, n, T, Ti, closed_at(n, Ti, 0), True, 50.0)


LEFT_TO_PYTHON = {
    too_many_orders: E_CAP, too_many_trades: E_ROOM, too_large: E_CAP, no_such_trade: E_INDEX,
    no_such_closed_trade: E_INDEX, no_such_order: E_INDEX, cancelled_twice: E_VALUE,
    stop_loss_of_a_closed_trade: E_VALUE,
}  # fmt: skip


def name_of(value: Any) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("function", "error"), LEFT_TO_PYTHON.items(), ids=name_of)
def test_what_is_left_to_python(function, error):
    data = bars(*[QUIET] * (CAP + 2))
    cash = 1e20 if function is too_large else 1e6
    found = Player(data, room=100).play(
        compiled_next(function, KEPT_AS_THIS), Account(cash=cash), np.zeros((1, len(data)))
    )
    assert found == error


def test_more_open_trades_than_there_is_room_for():
    data = bars(*[QUIET] * (NTRMAX + 2))
    found = Player(data, room=2 * NTRMAX).play(
        compiled_next(too_many_trades, KEPT_AS_THIS), Account(cash=1e6), np.zeros((1, len(data)))
    )
    assert found == E_CAP


def python_sum(values: list[float]) -> float:
    """`sum` of Python 3.12."""
    total, lost = 0.0, 0.0
    for k, value in enumerate(values):
        if type(value) is not float:
            return float(sum(values[k:], np.float64(total + lost)))
        after = total + value
        large, small = (total, value) if abs(total) >= abs(value) else (value, total)
        lost += (large - after) + small
        total = after
    return total + lost


def test_sums_of_pythons_floats():
    """What `sum` makes of entry prices of which some are Python's and some NumPy's."""
    rng = np.random.default_rng(3)
    rounded_off = 0
    for _ in range(300):
        plain = (rng.normal(size=rng.integers(1, 12)) * 10.0 ** rng.integers(-8, 8)).tolist()
        numpys = rng.random(len(plain)) < rng.choice([0.0, 0.2])
        values = [np.float64(one) if numpys[k] else one for k, one in enumerate(plain)]
        total, lost, pythonic = 0.0, 0.0, 1
        for value in values:
            kind = float(type(value) is float)
            total, lost, pythonic = add.py_func(total, lost, pythonic, float(value), kind)
        assert total + lost == python_sum(values)
        if COMPENSATED:
            assert total + lost == sum(values)
        rounded_off += total + lost != float(np.add.accumulate(plain)[-1])
    assert rounded_off > 30


#: In a process of its own: compile a `next`, call it, and say what came of it.
PROGRAM = """
import sys
sys.path[:0] = {paths!r}
import numba, numpy as np
from bigbar.compiled.loop import NEXT_SIGNATURE, compiled_next
from bigbar.compiled.pointers import address_of, call_at

def first(f, n, M, I, P, S, T, Ti, i):
    S[0] = 10 + i

def second(f, n, M, I, P, S, T, Ti, i):
    S[0] = 20 + i

@numba.njit
def call(pointer, f, n, M, I, P, S, T, Ti, i):
    call_at(pointer, address_of((f, n, M, I, P, S, T, Ti)), i)

for function in (first, second):
    made = compiled_next(function, "sources")
    arrays = [np.zeros((2,) * one.ndim, one.dtype.name) for one in NEXT_SIGNATURE.args[:-1]]
    for one, kind in zip(arrays, NEXT_SIGNATURE.args):
        one.flags.writeable = kind.mutable
    call(made.pointer, *arrays, 7)
    print(int(arrays[5][0]), sum(made._function.stats.cache_hits.values()))
"""


@pytest.mark.slow
def test_machine_code_is_kept_for_each_strategy(tmp_path):
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(paths=[str(ROOT)])], check=False, timeout=120,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.stderr == ""
        said.append(done.stdout.split("\n")[:2])
    assert said == [["17 0", "27 0"], ["17 1", "27 1"]]
