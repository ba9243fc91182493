"""One worker against a plain numba loop over all bars, for every combination anew.

The loop is what a good programmer writes on a day: momentum and week edges computed before, one
pass over the bars per combination, and no more asked of it than return and drawdown. It is
measured twice: with the ATR of every period handed to it ready-made, which costs it nothing, and
with the ATR of its combination made by itself, as a loop that is given parameters has to. Ours
makes every ATR in the time that is measured.
"""

from __future__ import annotations

import math
import sys

import common
import numba
import numpy as np
from numpy.typing import NDArray
from sides import prepared, run_grid, sweep_seconds

from bigbar.strategies.big_bar.indicators import average_true_range

#: Combinations the loop runs: spread over the default grid, they stand for all of it.
SAMPLE = 5_000


@numba.njit
def backtest(open_, high, low, close, momentum, restricted, atr, k_atr, tail, weight, buffer):  # type: ignore[no-untyped-def]
    """Final equity and deepest drawdown of one combination, from 1 unit of 100,000 cash."""
    cash = equity = peak = 100_000.0
    drawdown = 0.0
    units = 0.0  # Negative when short.
    entry = 0
    stop = 0.0
    last = len(close) - 1
    for i in range(1, last + 1):
        if units != 0.0:
            equity = cash + units * (close[i] - close[entry])
            if equity > peak:
                peak = equity
            else:
                drawdown = max(drawdown, 1.0 - equity / peak)
            room = buffer * (high[entry] - low[entry])
            if units > 0.0:
                if i == entry + 1:
                    stop = max(stop, low[i] - room)
                    leave = close[i] <= open_[i] or high[i] <= high[entry]
                else:
                    stop = max(stop, min(low[i], low[i - 1]))
                    leave = low[i] <= stop
            elif i == entry + 1:
                stop = min(stop, high[i] + room)
                leave = close[i] >= open_[i] or low[i] >= low[entry]
            else:
                stop = min(stop, max(high[i], high[i - 1]))
                leave = high[i] >= stop
            if (leave or restricted[i]) and i < last:
                cash = equity
                units = 0.0
        elif not restricted[i] and i < last:
            height = high[i] - low[i]
            if height >= k_atr * atr[i]:
                if (
                    close[i] > open_[i]
                    and momentum[i] >= weight
                    and high[i] - close[i] < tail * height
                ):
                    units = math.floor(cash / close[i])
                    stop = low[i] - buffer * height
                    entry = i
                elif (
                    close[i] < open_[i]
                    and momentum[i] <= -weight
                    and close[i] - low[i] < tail * height
                ):
                    units = -math.floor(cash / close[i])
                    stop = high[i] + buffer * height
                    entry = i
    return equity, drawdown


@numba.njit
def loop(open_, high, low, close, momentum, restricted, atr, period, k_atr, tail, weight, buffer):  # type: ignore[no-untyped-def]
    """Return and maximum drawdown in percent, shape (combinations, 2)."""
    found = np.empty((len(period), 2))
    for n in range(len(period)):
        equity, drawdown = backtest(
            open_, high, low, close, momentum, restricted, atr[period[n]],
            k_atr[n], tail[n], weight[n], buffer[n],
        )  # fmt: skip
        found[n, 0] = (equity - 100_000.0) / 100_000.0 * 100.0
        found[n, 1] = -drawdown * 100.0
    return found


atr_of = numba.njit(average_true_range)


@numba.njit
def loop_with_atr(  # type: ignore[no-untyped-def]
    open_, high, low, close, momentum, restricted, ranges, periods, period, k_atr, tail, weight,
    buffer,
):  # fmt: skip
    """As `loop`, from the true ranges of the whole file."""
    found = np.empty((len(period), 2))
    for n in range(len(period)):
        atr = atr_of(ranges, periods[period[n]])[-len(close) :]
        equity, drawdown = backtest(
            open_, high, low, close, momentum, restricted, atr, k_atr[n], tail[n], weight[n],
            buffer[n],
        )  # fmt: skip
        found[n, 0] = (equity - 100_000.0) / 100_000.0 * 100.0
        found[n, 1] = -drawdown * 100.0
    return found


def theirs_with_atr(inputs: dict[str, NDArray], count: int | None = None) -> NDArray[np.float64]:
    """The loop that makes its own ATR over the first `count` combinations of the sample."""
    market = [
        inputs[name]
        for name in ("open", "high", "low", "close", "momentum", "restricted", "ranges", "periods")
    ]
    names = ("period", "k_atr", "uptail_max_ratio", "previous_weight", "buffer_ratio")
    return loop_with_atr(*market, *(inputs[name][:count] for name in names))


def theirs(inputs: dict[str, NDArray], count: int | None = None) -> NDArray[np.float64]:
    """The loop over the first `count` combinations of the sample."""
    market = [
        inputs[name] for name in ("open", "high", "low", "close", "momentum", "restricted", "atr")
    ]
    names = ("period", "k_atr", "uptail_max_ratio", "previous_weight", "buffer_ratio")
    return loop(*market, *(inputs[name][:count] for name in names))


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("One worker against a plain numba loop", arguments)
    bars, inputs, numbers = prepared(common.data_file(arguments.data, 20_000), SAMPLE)
    for side in (theirs, theirs_with_atr):
        side(inputs, 1)  # Compiles.
    outcome = run_grid(bars, workers=1)
    table = outcome.table
    for side in (theirs, theirs_with_atr):
        found = side(inputs)
        report.check(
            f"return and maximum drawdown of {len(numbers):,} combinations "
            f"({table.column('# Trades').mean():.0f} trades on average)",
            common.agree(table.column("Return [%]")[numbers], found[:, 0])
            and common.agree(table.column("Max. Drawdown [%]")[numbers], found[:, 1]),
        )
    (ours_s, theirs_s, with_atr_s), _ = common.alternating(
        [
            lambda: sweep_seconds(bars, 1),
            lambda: common.seconds(lambda: theirs(inputs)) / len(numbers),
            lambda: common.seconds(lambda: theirs_with_atr(inputs)) / len(numbers),
        ],
        rounds=5,
    )
    report.line("BigBar, all statistics, per combination", common.duration(ours_s))
    report.line("numba loop given every ATR, return and drawdown", common.duration(theirs_s))
    report.ratio("1 worker against a loop given every ATR", theirs_s / ours_s, 12, 50)
    report.line("numba loop that makes its ATR, return and drawdown", common.duration(with_atr_s))
    report.ratio("1 worker against a loop that makes its ATR", with_atr_s / ours_s, 12, 50)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
