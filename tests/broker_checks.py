"""How the compiled broker is compared with `backtesting.py`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from monkeys import (
    Errand,
    Player,
    Said,
    compiled_monkey,
    theirs,
)

from bigbar.compiled.broker.state import (
    NSEG,
)
from bigbar.compiled.loop import FROM, SEGCASH, SEGPUT, SEGSIZE


def check(one: Errand, player: Player | None = None) -> Said | int:
    """The same trades, equity and observations; or both refuse."""
    player = player or Player(one.data)
    expected = theirs(one.data, one.strategy, one.account)
    ways = []
    for busy in (None, one.busy):  # On every bar, and with most bars left out.
        found = player.play(compiled_monkey(), one.account, one.script, busy=busy)
        if isinstance(expected, Exception):
            assert isinstance(found, int), expected
            continue
        assert isinstance(found, Said), found
        np.testing.assert_array_equal(found.trades, expected.trades)
        np.testing.assert_array_equal(found.equity, expected.equity)
        assert found.looked == expected.looked
        np.testing.assert_array_equal(bar_by_bar(player), expected.equity)
        ways.append(player.segments[: player.state.n[NSEG]].copy())
    if ways:
        np.testing.assert_array_equal(*ways)
    return found


def assert_all_agree(
    seeds: range, make: Callable[[int], Errand], *, trades: float, ruined: float
) -> None:
    """Every errand is checked; of each at least so many trades, and this share is ruined."""
    count = lost = refused = 0
    for seed in seeds:
        found = check(make(seed))
        if isinstance(found, int):
            refused += 1
        else:
            count += len(found.trades)
            lost += found.ruined
    assert count > trades * len(seeds)
    assert lost > ruined * len(seeds)
    assert 0 < refused < len(seeds) / 20


def bar_by_bar(player: Player) -> np.ndarray:
    """Equity from the segments, one bar after the other."""
    count = player.state.n[NSEG]
    segments, close = player.segments[:count], player.bars[3]
    begins = segments[:, FROM]
    assert begins[0] == 1
    assert (np.diff(begins) > 0).all()
    curve = []
    for bar in range(len(close)):
        row = segments[max(np.searchsorted(begins, bar, side="right") - 1, 0)]
        price = close[max(bar, 1)]
        curve.append(row[SEGCASH] + (price * row[SEGSIZE] - row[SEGPUT]))
    return np.array(curve)


def bars(*rows: tuple[float, float, float, float]) -> pd.DataFrame:
    """Bars of Open, High, Low, Close; two quiet ones at 100 come first."""
    quiet = (100.0, 101.0, 99.0, 100.0)
    prices = np.array([quiet, quiet, *rows])
    index = pd.date_range("2024-01-01", periods=len(prices), freq="D")
    return pd.DataFrame(prices, index, ["Open", "High", "Low", "Close"]).assign(Volume=1.0)


QUIET = (100.0, 101.0, 99.0, 100.0)
