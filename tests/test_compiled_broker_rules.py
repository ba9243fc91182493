"""Rules of the broker that are hard to match, each with what comes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from any_strategies import of_known_versions
from backtesting import Backtest, Strategy
from backtesting.test import GOOG
from broker_checks import QUIET, bars, check
from monkeys import (
    ACT,
    CANCEL,
    CLOSE_ALL,
    FIELDS,
    HANDS,
    KEEP,
    KEPT,
    LIMIT,
    MOVE,
    ORDER,
    PICK,
    PORTION,
    SHIFT,
    SIDE,
    SIZE,
    SL,
    STOP,
    TP,
    Errand,
    Player,
    Said,
    compiled_monkey,
)

import bigbar
from bigbar.account import Account
from bigbar.compiled.broker.state import (
    E_ASSERT,
    E_VALUE,
    NORD,
    NSEG,
)

pytestmark = of_known_versions


def plan(data: pd.DataFrame, *deeds: dict[str, Any], **account: Any) -> Errand:
    """A script: each deed names its bar, and what is to be done. Prices are as far from 100."""
    script = np.zeros((HANDS * FIELDS, len(data)))
    script[SIDE], script[FIELDS + SIDE] = 1.0, 1.0
    for deed in deeds:
        bar = deed["bar"]
        first = FIELDS if script[ACT, bar] else 0
        assert not script[first + ACT, bar]
        for name, value in ({"act": ORDER, "size": 10.0, "portion": 1.0} | deed).items():
            if name != "bar":
                script[first + PLACES[name], bar] = value
    return Errand(data, Account(**({"cash": 100_000.0} | account)), script)


PLACES = {
    "act": ACT, "side": SIDE, "size": SIZE, "limit": LIMIT, "stop": STOP, "sl": SL, "tp": TP,
    "portion": PORTION, "shift": SHIFT, "pick": PICK,
}  # fmt: skip


def played(one: Errand) -> Said:
    found = check(one)
    assert isinstance(found, Said)
    return found


def exits(one: Errand) -> list[tuple[float, int, float]]:
    """Size, bar and price of each exit."""
    return [(row[0], int(row[2]), row[4]) for row in played(one).trades]


def test_stop_loss_and_take_profit_in_one_bar():
    """The stop-loss stands further ahead in the queue."""
    wide = (100.0, 120.0, 80.0, 100.0)
    assert exits(plan(bars(QUIET, wide), {"bar": 1, "sl": 10.0, "tp": 10.0})) == [(10, 3, 90)]
    # In the bar of the entry, too.
    assert exits(plan(bars(wide), {"bar": 1, "sl": 10.0, "tp": 10.0})) == [(10, 2, 90)]
    short = {"bar": 1, "side": -1.0, "sl": 10.0, "tp": 10.0}
    assert exits(plan(bars(QUIET, wide), short))[0][1:] == (3, 110)


def test_a_gap_beyond_the_stop_loss():
    found = played(plan(bars(QUIET, (70.0, 75.0, 65.0, 70.0)), {"bar": 1, "sl": 10.0, "tp": 10.0}))
    assert found.trades[0, 4:7].tolist() == [70.0, 90.0, 110.0]


def test_an_order_that_goes_in_the_bar_it_would_be_filled_in():
    fall = (100.0, 101.0, 80.0, 85.0)
    order = {"bar": 1, "limit": 10.0}
    assert len(played(plan(bars(QUIET, fall), order, finalize_trades=True)).trades) == 1
    cancelled = plan(bars(QUIET, fall), order, {"bar": 2, "act": CANCEL}, finalize_trades=True)
    assert len(played(cancelled).trades) == 0
    # The order to close comes first, and takes the stop-loss with it, which is hit in this bar.
    data = bars(QUIET, QUIET, fall)
    closing = plan(data, {"bar": 1, "sl": 10.0}, {"bar": 3, "act": CLOSE_ALL})
    assert exits(closing) == [(10, 4, 100)]


def test_a_stop_limit_order():
    # The stop is hit, the limit is not: a limit order from then on.
    up, down = (100.0, 112.0, 109.0, 110.0), (110.0, 110.0, 103.0, 105.0)
    order = {"bar": 1, "stop": 10.0, "limit": -5.0}
    found = played(plan(bars(up, down, QUIET), order, finalize_trades=True))
    assert found.trades[0, [1, 3]].tolist() == [3, 105.0]
    # Both are hit in one bar: the limit is taken to have come first.
    both = (100.0, 112.0, 99.0, 110.0)
    found = played(plan(bars(both, QUIET), order, finalize_trades=True))
    assert found.trades[0, [1, 3]].tolist() == [3, 100.0]


def test_a_stop_order_whose_take_profit_is_reached_at_once():
    up = (100.0, 120.0, 99.0, 119.0)
    order = {"bar": 1, "stop": 5.0, "tp": 5.0}
    assert exits(plan(bars(up, QUIET), order)) == [(10, 2, 110)]
    # Not where the stop-loss could have come before.
    order = {"bar": 1, "stop": 5.0, "tp": 5.0, "sl": 5.0}
    found = exits(plan(bars((100.0, 120.0, 99.0, 119.0), QUIET), order))
    assert found == [(10, 3, 100)]


def test_a_stop_loss_that_was_moved_is_another_order():
    keep, give_up = {"act": KEEP, "pick": 0}, {"act": KEPT}
    data = bars(QUIET, QUIET, QUIET, (70.0, 70.0, 70.0, 70.0))
    first = {"bar": 1, "sl": 10.0}
    assert exits(plan(data, first, {"bar": 2} | keep, {"bar": 4} | give_up)) == []
    move = {"bar": 3, "act": MOVE, "pick": 9, "shift": 20.0}
    moved = plan(data, first, {"bar": 2} | keep, move, {"bar": 4} | give_up)
    assert exits(moved) == [(10, 5, 70)]


def test_ruin_closes_every_second_trade():
    data = bars(QUIET, QUIET, (1.0, 1.0, 1.0, 1.0), QUIET)
    deeds = [{"bar": bar, "size": size} for bar in (1, 2) for size in (100.0, 200.0)]
    found = played(plan(data, *deeds, cash=10_000.0, margin=0.1, finalize_trades=True))
    assert found.ruined
    assert found.trades[:, 0].tolist() == [100.0, 100.0]
    assert found.equity[-2:].tolist() == [0.0, 0.0]


def test_exclusive_orders_skip_every_second_order():
    def left(*deeds: dict[str, Any]) -> int:
        one = plan(bars(QUIET), *deeds, exclusive_orders=True)
        player = Player(one.data)
        check(one, player)
        return int(player.state.n[NORD])

    waiting = {"bar": 2, "limit": 50.0}
    assert left(waiting) == 1
    assert left(waiting, waiting) == 1
    # The second cancels the order to close the trade, and passes over the first behind it.
    assert left({"bar": 1}, waiting) == 2
    assert left({"bar": 1}, waiting, waiting) == 3


def test_a_part_of_a_trade_is_closed_without_its_stop_loss():
    deeds = [{"bar": 1, "sl": 50.0, "tp": 50.0}, {"bar": 2, "act": CLOSE_ALL, "portion": 0.25}]
    found = played(plan(bars(QUIET, QUIET, QUIET), *deeds, finalize_trades=True))
    assert found.trades[:, 0].tolist() == [2.0, 8.0], "half of an even number is rounded to it"
    assert np.isnan(found.trades[0, 5:7]).all()
    assert found.trades[1, 5:7].tolist() == [50.0, 150.0]


def test_what_waits_can_be_filled_when_trades_are_finalized():
    found = played(plan(bars(QUIET), {"bar": 2, "act": ORDER}, finalize_trades=True))
    assert found.trades.shape[0] == 0
    deeds = [{"bar": 1}, {"bar": 2, "side": -1.0, "size": 30.0}]
    found = played(plan(bars(QUIET), *deeds, finalize_trades=True, commission=0.01))
    assert found.trades[:, 1:3].tolist() == [[2.0, 2.0]]


def test_no_bar_to_run_on():
    one = plan(bars(), {"bar": 1})
    player = Player(one.data)
    found = player.play(compiled_monkey(), one.account, one.script, start=2)
    assert isinstance(found, Said)
    assert found.equity.tolist() == [100_000.0, 100_000.0]
    assert player.segments[: player.state.n[NSEG]].tolist() == [[0.0, 100_000.0, 0.0, 0.0]]


REFUSED = {
    "a size between whole numbers": ({"bar": 1, "size": 1.5}, E_ASSERT),
    "no size": ({"bar": 1, "size": 0.0}, E_ASSERT),
    "an endless size": ({"bar": 1, "size": np.inf}, E_ASSERT),
    "no portion": ({"bar": 2, "act": CLOSE_ALL, "portion": 0.0}, E_ASSERT),
    "more than all": ({"bar": 2, "act": CLOSE_ALL, "portion": 1.1}, E_ASSERT),
    "a negative stop-loss": ({"bar": 2, "act": MOVE, "pick": 9, "shift": 150.0}, E_ASSERT),
    "a stop-loss that is no number": (
        {"bar": 2, "act": MOVE, "pick": 9, "shift": np.nan}, E_ASSERT,
    ),
    "a stop-loss above": ({"bar": 1, "sl": -10.0}, E_VALUE),
    "a stop-loss at the price": ({"bar": 1, "sl": 1e-15}, E_VALUE),
    "a take-profit at the price": ({"bar": 1, "tp": 1e-15}, E_VALUE),
    "a take-profit below": ({"bar": 1, "tp": -10.0}, E_VALUE),
    "a stop-loss that is no price": ({"bar": 1, "sl": 200.0}, E_ASSERT),
}  # fmt: skip


@pytest.mark.parametrize(("deed", "error"), REFUSED.values(), ids=REFUSED)
def test_what_the_broker_refuses(deed, error):
    first = [{"bar": 1}] if deed["bar"] == 2 else []
    assert check(plan(bars(QUIET, QUIET, QUIET), *first, deed)) == error


class Parting(Strategy):
    """Closes parts of its trades, by a share or by an order against them."""

    share = 0.5

    def init(self) -> None:
        pass

    def next(self) -> None:
        if len(self.data) % 20 == 0:
            self.buy(size=10)
        elif len(self.data) % 20 == 5 and self.share > 0.0:
            self.position.close(self.share)
        elif len(self.data) % 20 == 5:
            self.sell(size=4)


@pytest.mark.parametrize("share", [0.5, 0.99, 1.0, -1.0])
def test_sizes_are_of_the_kind_that_the_broker_has(share: float) -> None:
    """Floats after `close` of a part, whole numbers after an order against a part."""
    bars_ = GOOG.iloc[:300]
    found = bigbar.optimize(
        bars_, Parting, share=[share], engine="compiled", workers=1, verify=1, validate=False
    )
    known = Backtest(bars_, Parting, finalize_trades=False).run(share=share)._trades
    assert found.trades["Size"].dtype == known["Size"].dtype
    assert found.trades["Size"].tolist() == known["Size"].tolist()
