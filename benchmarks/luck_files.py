"""How often the verdict on one setting for many files is wrong: on noise, and with a true edge.

Moving averages crossing on random walks, long and short, 60 settings on every file; the files move
by themselves, or partly together, as markets do. Judged as `--common` judges them. For comparison:
a t-test over the files of what the others choose, which takes files that move together for so many
independent proofs.

    python benchmarks/luck_files.py                      # ten minutes
    python benchmarks/luck_files.py --simulations 100    # quicker and coarser
"""

from __future__ import annotations

import argparse
import itertools
import math

import common  # noqa: F401  (makes bigbar importable)
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.space import Space
from bigbar.statistics import COLUMN, NAMES
from bigbar.validation.common_choice import CRITERIA, FIGURES, CommonChoice, ResultsOfFiles
from bigbar.validation.common_verdict import CommonFindings, examine_common
from bigbar.validation.pooled_returns import PooledReturns

FAST, SLOW = (2, 3, 4, 6, 8, 12), (16, 20, 25, 30, 40, 50, 60, 70, 80, 100)
GRID = Space.of(fast=FAST, slow=SLOW)

#: Of a day's return.
_DEVIATION = 0.01

#: Sharpe ratio a year of an edge, spread over the settings like a hill around (4, 30).
EDGES = (0.0, 1.0, 2.0)

Floats = NDArray[np.float64]


def closes(days: int, files: int, together: float, random: np.random.Generator) -> Floats:
    """Random walks, shape (files, days), of which a share of the variance is the same for all."""
    shared = random.standard_normal(days)
    own = random.standard_normal((files, days))
    moves = math.sqrt(together) * shared + math.sqrt(1.0 - together) * own
    return np.exp(np.cumsum(_DEVIATION * moves, axis=1))


def crossing(close: Floats, edge: float = 0.0) -> Floats:
    """Daily returns of every setting on one file, shape (combinations, days - 1)."""
    totals = np.concatenate(([0.0], np.cumsum(close)))
    days = np.arange(len(close))
    averages = {}
    for length in (*FAST, *SLOW):
        begin = np.maximum(days + 1 - length, 0)
        averages[length] = (totals[days + 1] - totals[begin]) / (days + 1 - begin)
    moves = close[1:] / close[:-1] - 1.0
    rows = []
    for (a, fast), (b, slow) in itertools.product(enumerate(FAST), enumerate(SLOW)):
        side = np.sign(averages[fast] - averages[slow])[:-1]
        side[: max(SLOW)] = 0.0  # The same days for all.
        hill = math.exp(-(((a - 2) / 2.0) ** 2) - (((b - 3) / 3.0) ** 2))
        rows.append(side * moves + np.abs(side) * edge * hill * _DEVIATION / math.sqrt(252.0))
    return np.array(rows)


def row_figures(returns: Floats) -> Floats:
    """A table of statistics of the settings: those that a choice needs."""
    values = np.full((len(returns), len(NAMES)), np.nan)
    total = np.expm1(np.log1p(returns).sum(axis=1))
    curve = np.cumprod(1.0 + returns, axis=1)
    below = curve / np.maximum.accumulate(curve, axis=1) - 1.0
    values[:, COLUMN["Return [%]"]] = 100.0 * total
    values[:, COLUMN["Sharpe Ratio"]] = (
        returns.mean(axis=1) / returns.std(axis=1, ddof=1) * math.sqrt(252.0)
    )
    values[:, COLUMN["Max. Drawdown [%]"]] = 100.0 * below.min(axis=1)
    values[:, COLUMN["# Trades"]] = 1 + np.count_nonzero(np.diff(np.sign(returns)), axis=1)
    return values


def judged(
    days: int,
    files: int,
    together: float,
    criterion: str,
    seed: int,
    *,
    edge: float = 0.0,
    objective: str = "Sharpe Ratio",
) -> tuple[CommonChoice, CommonFindings]:
    """One simulation: what is chosen over all files, and what is said of it."""
    random = np.random.default_rng([seed, days, files, round(100 * together)])
    times = pd.bdate_range("2015-01-01", periods=days)[1:]
    pooled = PooledReturns(len(GRID))
    with ResultsOfFiles(len(GRID), Choice.by_name(objective), criterion) as results:
        for number, close in enumerate(closes(days, files, together, random)):
            returns = crossing(close, edge)
            values = row_figures(returns)
            results.add(
                f"file {number}",
                values[:, COLUMN[objective]],
                [values[:, COLUMN[name]] for name in FIGURES],
            )
            pooled.add(returns.astype(np.float32), times, 252.0)
        choice = results.choose()
    return choice, examine_common(choice, pooled, GRID, objective=objective, seed=seed)


def left_out_t_test(choice: CommonChoice) -> bool:
    """Whether a t-test over the files would call the settings that the others choose good."""
    from scipy.stats import ttest_1samp

    found = [one.figures["Return [%]"] for one in choice.left_out if one is not None]
    return bool(ttest_1samp(found, 0.0, alternative="greater").pvalue <= 0.05)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=500)
    simulations = parser.parse_args().simulations
    print("| files | days | shared variance | edge | criterion | green % | amber % | t-test % |")
    print("|---:|---:|---:|---:|---|---:|---:|---:|")
    cases = [
        (files, days, together, edge, criterion)
        for edge in EDGES
        for files, days in ((4, 350), (12, 350), (12, 850))
        for together in (0.0, 0.6)
        for criterion in CRITERIA
    ]
    for files, days, together, edge, criterion in cases:
        lights, tests = [], []
        for seed in range(simulations):
            choice, found = judged(days, files, together, criterion, seed, edge=edge)
            lights.append(found.verdict.light)
            tests.append(left_out_t_test(choice))
        green, amber = (100 * lights.count(light) / simulations for light in ("green", "amber"))
        print(
            f"| {files} | {days - max(SLOW)} | {together:.0%} | {edge:g} | {criterion} | "
            f"{green:.1f} | {amber:.1f} | {100 * np.mean(tests):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
