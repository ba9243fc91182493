"""A trader's own strategy, compiled, against backtesting.py.

`Backtest.run` against the compiled engine: one process each, processor time a combination, on made
five-minute bars. A grid's combinations share their indicators, as real grids do, and making them is
counted; compiling is not. Then a whole `optimize` on the bars that come with backtesting.py, two
processes each, and the first call on a machine that has compiled nothing yet. Every statistic, the
trades and the equity of a sample must be equal before anything is timed.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import any_strategy
import backtesting.backtesting
import common
import numpy as np
import pandas as pd
from backtesting import Backtest
from backtesting.test import SMA
from compiled_cases import CASES, FEW, LONG, Case

import bigbar
from bigbar.account import Account
from bigbar.data.read import read_bars
from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.contract import TRADE_COLUMNS
from bigbar.engines.general.engine import CompiledEngine
from bigbar.job import Job
from bigbar.parameter import Parameter
from bigbar.space import Space
from bigbar.spec import StrategySpec
from bigbar.statistics import COLUMN

ROUNDS = 5

#: Combinations that are compared, and that `Backtest.run` is timed with.
SAMPLE = 6

ACCOUNT = {"cash": 100_000, "commission": 0.0001}

#: So rich that what whole units leave over does not matter.
RICH = {"cash": 1e9}

#: Relative, what it comes to all the same.
_LOOSE = 1e-5

#: Nanoseconds a bar and combination of the first case that are wanted, and aimed at.
NS_A_BAR, AIM_NS_A_BAR = 8.0, 1.0


def engine_of(
    bars: pd.DataFrame, case: Case, account: dict[str, Any] = ACCOUNT
) -> tuple[CompiledEngine, Space]:
    """A fresh engine: nothing is known but the machine code."""
    space = Space([Parameter(name, values) for name, values in case.grid.items()])
    job = Job(StrategySpec.of(case.strategy), space, Account(**account), "compiled")
    return CompiledEngine(bars, job), space


def agree(bars: pd.DataFrame, case: Case, numbers: Sequence[int]) -> bool:
    """Whether both say the same of each combination, and none was left to Python."""
    engine, space = engine_of(bars, case)
    backtest = Backtest(bars, case.strategy, **ACCOUNT)
    for number in numbers:
        expected = backtest.run(**space[number])
        trades = expected["_trades"][list(TRADE_COLUMNS)]
        if not (
            common.agree(engine.run(number, number + 1)[0], statistics_row(expected))
            and engine.trades(number).equals(trades)
            and np.array_equal(engine.equity(number), expected["_equity_curve"]["Equity"])
        ):
            return False
    engine.run(0, len(space))
    return engine.refused is None and not engine.fell_back


def cpu_seconds(work: Callable[[], object], count: int) -> float:
    """Processor time of each of so many: others count less in it than in the clock."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / count


def compare(report: common.Report, bars: pd.DataFrame, case: Case) -> float:
    """One case: check, measure, report; returns seconds a combination."""
    known, space = engine_of(bars, case)
    count = len(space)
    numbers = [int(one) for one in common.spread_over(count, SAMPLE)]
    report.check(
        f"{case.name}: every statistic, trade and bar of equity of {len(numbers)} combinations",
        agree(bars, case, numbers),
    )
    trades = known.run(0, count)[:, COLUMN["# Trades"]].mean()
    backtest = Backtest(bars, case.strategy, **ACCOUNT)

    def theirs() -> float:
        return cpu_seconds(lambda: [backtest.run(**space[one]) for one in numbers], len(numbers))

    def ours() -> float:
        fresh, _ = engine_of(bars, case)
        return cpu_seconds(lambda: fresh.run(0, count), count)

    def again() -> float:
        return cpu_seconds(lambda: known.run(0, count), count)

    (theirs_s, ours_s, again_s), _ = common.alternating([theirs, ours, again], ROUNDS)
    report.line(f"{case.name}: combinations, trades in each", f"{count}, {trades:.0f}")
    report.line(f"{case.name}: Backtest.run", common.duration(theirs_s))
    report.line(f"{case.name}: compiled", common.duration(ours_s))
    report.line(f"{case.name}: once more, all indicators known", common.duration(again_s))
    if case.least is None:
        report.line(case.name, f"{theirs_s / ours_s:.0f} ×")
    else:
        report.ratio(case.name, theirs_s / ours_s, case.least, case.aim)
    return ours_s


def whole(report: common.Report) -> None:
    """`optimize` of 600 combinations: the first call on a machine, and the second of a process."""
    backtesting.Pool = functools.partial(
        multiprocessing.get_context("fork").Pool, any_strategy.WORKERS
    )
    strategy, grid = next(iter(any_strategy.GRIDS.values()))
    options: dict[str, Any] = {"workers": any_strategy.WORKERS, "progress": False}
    mine = functools.partial(any_strategy.timed, bigbar.Backtest, strategy, grid, **options)
    theirs = functools.partial(any_strategy.timed, backtesting.Backtest, strategy, grid)
    _, stats, heatmap = mine()
    _, expected, expected_heatmap = theirs()
    count = len(expected_heatmap)
    what = f"optimize, {count} combinations"
    report.check(f"{what}: every return", heatmap.equals(expected_heatmap))
    report.check(f"{what}: every statistic of the best", any_strategy.same(stats, expected))
    (ours_s, theirs_s), _ = common.alternating([lambda: mine()[0], lambda: theirs()[0]], rounds=3)
    report.line(f"{what}: backtesting.Backtest.optimize", common.duration(theirs_s))
    report.line(f"{what}: bigbar.Backtest.optimize, from the second call", common.duration(ours_s))
    report.ratio(f"{what}, from the second call", theirs_s / ours_s, 30, 150)
    for engine in ("auto", "compiled"):
        besides = theirs()[0]
        (first_s, used, _), (second_s, _, _) = in_a_fresh_process(engine)
        besides = (besides + theirs()[0]) / 2  # Others on the machine change within a minute.
        told = f"{what}, nothing compiled yet, engine={engine!r}"
        report.line(f"{told}: used", used)
        report.line(f"{told}: backtesting.Backtest.optimize", common.duration(besides))
        report.line(f"{told}: first call", common.duration(first_s))
        report.line(f"{told}: second call", common.duration(second_s))
        report.ratio(f"{told}: first call", besides / first_s, 1)


def in_a_fresh_process(engine: str) -> list[tuple[float, str, str]]:
    """Seconds, engine and reason of two calls where no machine code is kept."""
    script = Path(__file__).with_name("compiled_first_call.py")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(script), engine],
            env={**os.environ, "NUMBA_CACHE_DIR": folder},
            capture_output=True,
            text=True,
            check=True,
        )
    found: list[tuple[float, str, str]] = json.loads(done.stdout)
    return found


def signals(bars: pd.DataFrame, space: Space) -> dict[str, np.ndarray]:
    """Bars, and where the averages of each combination cross, for `raptorbt_side.py`."""
    close = bars["Close"]
    averages = {
        period: SMA(close, period).to_numpy()
        for parameter in space.parameters
        for period in parameter.values
    }
    above = np.array(
        [
            averages[one["fast"]] - averages[one["slow"]]
            for one in map(space.__getitem__, range(len(space)))
        ]
    )
    before, now = above[:, :-1], above[:, 1:]
    first = np.zeros((len(space), 1), np.bool_)
    index: Any = bars.index
    return {
        "times": index.as_unit("ns").asi8,
        **{
            name.lower(): bars[name].to_numpy(np.float64)
            for name in ("Open", "High", "Low", "Close")
        },
        "entries": np.hstack([first, (before < 0) & (now > 0)]),
        "exits": np.hstack([first, (before > 0) & (now < 0)]),
        "cash": np.array(RICH["cash"]),
    }


def against_raptorbt(report: common.Report, python: str, bars: pd.DataFrame) -> None:
    """RaptorBT on signals that are ready-made."""
    engine, space = engine_of(bars, LONG, RICH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "inputs.npz", **signals(bars, space))  # type: ignore[arg-type]
        script = Path(__file__).with_name("raptorbt_side.py")
        side = subprocess.Popen(
            [python, str(script), str(folder / "inputs.npz"), str(folder / "found.npz")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        to_side, from_side = side.stdin, side.stdout
        assert to_side is not None
        assert from_side is not None
        version = from_side.readline().strip()
        if not version:
            side.wait()
            print("RaptorBT is not installed here: left out (--raptorbt-python names a Python)")
            return
        with np.load(folder / "found.npz") as file:
            answers = file["found"]

        def theirs() -> float:
            to_side.write("again\n")
            to_side.flush()
            return float(from_side.readline()) / len(space)

        def ours() -> float:
            return cpu_seconds(lambda: engine.run(0, len(space)), len(space))

        rows = engine.run(0, len(space))[:, [COLUMN["# Trades"], COLUMN["Return [%]"]]]
        # Its units are not whole, so that its last digits differ.
        report.check(
            f"{LONG.name}: trades and return of {len(space)} combinations, to {_LOOSE:g}",
            common.agree(rows, answers, tolerance=_LOOSE),
        )
        (ours_s, theirs_s), _ = common.alternating([ours, theirs], ROUNDS)
        to_side.close()
        side.wait()
    told = f"{LONG.name}: RaptorBT {version}, one thread, signals ready-made"
    report.line(told, common.duration(theirs_s))
    report.line(f"{LONG.name}: compiled, indicators known", common.duration(ours_s))
    report.ratio(f"{LONG.name}, against RaptorBT", theirs_s / ours_s, 6, 40)


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(
        __doc__ or "",
        raptorbt=("--raptorbt-python", sys.executable, "Python that has raptorbt; this one if not"),
    )
    report = common.Report("A trader's own strategy, compiled", arguments)
    # Its bars would only fill the screen, and cost it a little.
    backtesting.backtesting._tqdm = lambda iterable, **_: iterable
    bars = read_bars(common.data_file(arguments.data, 20_000)).frame
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [compare(report, bars, case) for case in (*CASES, FEW, LONG)]
        ns = found[0] / len(bars) * 1e9
        report.line(
            f"{CASES[0].name}: a bar and combination, of {len(bars):,} bars",
            f"{ns:.1f} ns",
            f"{NS_A_BAR:g} ns, aim {AIM_NS_A_BAR:g} ns",
            ns <= NS_A_BAR,
        )
        against_raptorbt(report, arguments.raptorbt, bars)
        whole(report)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
