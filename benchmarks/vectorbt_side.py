"""The vectorbt side of `against_vectorbt.py`; runs in whatever Python has vectorbt.

    python benchmarks/vectorbt_side.py inputs.npz answers.npz

Reads the prices, indicators and combinations, runs BigBar as an order function with a column a
combination, writes return, trades, drawdown and Sharpe, and then, for every line on standard
input, does it all again and prints the seconds it took.
"""

from __future__ import annotations

import math
import sys
import time

import numba
import numpy as np
import pandas as pd
import vectorbt as vbt
from numpy.typing import NDArray
from vectorbt.portfolio.enums import NoOrder
from vectorbt.portfolio.nb import order_nb

#: Combinations simulated at once: of 8 to 640 tried, the fastest per combination.
COLUMNS = 16

#: Rows of the arrays that `big_bar` gets. Few arrays with rows, not many arrays: each one costs
#: vectorbt time for every bar of every combination.
MARKET = ("open", "high", "low", "close", "momentum", "restricted")
OPEN, HIGH, LOW, CLOSE, MOMENTUM, RESTRICTED = range(6)
COMBINATION = ("period", "k_atr", "uptail_max_ratio", "previous_weight", "buffer_ratio")
PERIOD, K_ATR, TAIL, WEIGHT, BUFFER = range(5)
STATE = ("entry", "stop")
ENTRY, STOP = range(2)


@numba.njit
def big_bar(c, market, atr, combinations, states):  # type: ignore[no-untyped-def]
    """BigBar's order for one bar of one combination."""
    i, col = c.i, c.col
    # As backtesting.py has it: the first bar fills no order, nor does the last close.
    if i == 0 or i == market.shape[1] - 1:
        return NoOrder
    open_, high, low, close = market[OPEN, i], market[HIGH, i], market[LOW, i], market[CLOSE, i]
    buffer = combinations[BUFFER, col]
    if c.position_now == 0.0:
        height = high - low
        level = combinations[K_ATR, col] * atr[int(combinations[PERIOD, col]), i]
        if market[RESTRICTED, i] or not height >= level:
            return NoOrder
        weight, longest = combinations[WEIGHT, col], combinations[TAIL, col] * height
        units = math.floor(c.cash_now / close)
        if close > open_ and market[MOMENTUM, i] >= weight and high - close < longest:
            states[STOP, col] = low - buffer * height
        elif close < open_ and market[MOMENTUM, i] <= -weight and close - low < longest:
            states[STOP, col] = high + buffer * height
            units = -units
        else:
            return NoOrder
        states[ENTRY, col] = i
        return order_nb(units, close)
    entry, stop = int(states[ENTRY, col]), states[STOP, col]
    room = buffer * (market[HIGH, entry] - market[LOW, entry])
    if c.position_now > 0.0:
        if i == entry + 1:
            stop = max(stop, low - room)
            leave = close <= open_ or high <= market[HIGH, entry]
        else:
            stop = max(stop, min(low, market[LOW, i - 1]))
            leave = low <= stop
    elif i == entry + 1:
        stop = min(stop, high + room)
        leave = close >= open_ or low >= market[LOW, entry]
    else:
        stop = min(stop, max(high, market[HIGH, i - 1]))
        leave = high >= stop
    states[STOP, col] = stop
    if leave or market[RESTRICTED, i]:
        return order_nb(-c.position_now, close)
    return NoOrder


def run(inputs: dict[str, NDArray], *, columns: int = COLUMNS) -> NDArray[np.float64]:
    """Every combination of the inputs.

    Parameters
    ----------
    inputs : dict of ndarray
        As `sides.prepared` makes them.
    columns : int, optional
        Combinations simulated at once.

    Returns
    -------
    ndarray of float, shape (combinations, 4)
        Return and maximum drawdown in percent, closed trades, vectorbt's own Sharpe ratio.
    """
    index = pd.DatetimeIndex(inputs["times"])  # With a zone, vectorbt makes an object of each.
    market = np.stack([inputs[name].astype(np.float64) for name in MARKET])
    combinations = np.stack([inputs[name].astype(np.float64) for name in COMBINATION])
    found = []
    for start in range(0, combinations.shape[1], columns):
        some = np.ascontiguousarray(combinations[:, start : start + columns])
        count = some.shape[1]
        close = pd.DataFrame(np.repeat(market[CLOSE][:, None], count, axis=1), index=index)
        portfolio = vbt.Portfolio.from_order_func(
            close,
            big_bar,
            market,
            inputs["atr"],
            some,
            np.zeros((len(STATE), count)),
            init_cash=100_000.0,
            fill_pos_record=False,
            ffill_val_price=False,
            max_logs=0,
            freq="5min",
        )
        columns_found = (
            100.0 * portfolio.total_return(),
            100.0 * portfolio.max_drawdown(),
            portfolio.trades.closed.count(),
            portfolio.sharpe_ratio(),
        )
        found.append(np.column_stack([column.to_numpy() for column in columns_found]))
    return np.concatenate(found)


def main() -> None:
    """Answer once, then time on demand."""
    with np.load(sys.argv[1]) as file:
        inputs = {name: file[name] for name in file.files}
    np.savez(sys.argv[2], found=run(inputs))
    print(vbt.__version__, flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        run(inputs)
        print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main()
