"""How often the luck statistics are wrong: false positives, power, and what a plateau gains.

Grids without an edge are judged as a run's grid is, again and again; then grids with a planted
hill of edge whose true worth is known. The tables of docs/validation.md are this program's.

    python benchmarks/luck.py            # minutes
    python benchmarks/luck.py --simulations 100   # quicker and coarser
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import common
import numpy as np
from luck_noise import (
    ENGINE_GRID,
    Sample,
    engine_noise,
    field_noise,
    hill,
    plant,
    table_of_scores,
)
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.machine.resources import usable_processors
from bigbar.results import ResultTable
from bigbar.strategies.big_bar.parameters import parse_grid
from bigbar.validation.bootstrap import LEVEL, share_of_square, t_statistics
from bigbar.validation.luck import LuckFindings, assess_luck
from bigbar.validation.plateau import find_plateau
from bigbar.validation.resampling import as_weights, stationary_draws
from bigbar.validation.verdict import weigh

Found = dict[str, float]

#: Days of the grids.
LENGTHS = (100, 250)

#: Annual Sharpe ratios of the planted hills, and the hills' widths in steps of the grid.
EDGES, NARROW, BROAD = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), 0.7, 2.0

#: Correlation of a day with the next, which the blocks take in only in part.
FOLLOWS = 0.2

#: Top of a hill under noise of deviation 1: an annual Sharpe ratio and its error in a year.
ROUGH_HEIGHT = 4.0


def judged(sample: Sample, seed: int, objective: str = "Sharpe Ratio") -> LuckFindings:
    """As a run judges its best."""
    table, choice = sample.table(), Choice.by_name(objective)
    return assess_luck(
        sample.returns, table, choice, table.best(choice), periods_per_year=252.0, seed=seed
    )


def without_edge(make: Callable[[int, int], Sample], days: int, seed: int) -> Found:
    """All figures of one grid of noise."""
    sample = make(days, seed)
    found, by_return = judged(sample, seed), judged(sample, seed, "Return [%]")
    boot, pbo, deflated = found.bootstrap, found.pbo, found.deflated_sharpe
    assert boot is not None
    assert pbo is not None
    assert deflated is not None
    assert by_return.bootstrap is not None
    light = weigh(boot, pbo).light
    return {
        "p": boot.p_value,
        "p return": by_return.bootstrap.p_value,
        "best": boot.chosen,
        "typical": boot.luck_typical,
        "critical": boot.smallest_provable,
        "tries": boot.independent_tries,
        "pbo": pbo.pbo,
        "dsr": deflated.dsr,
        "psr": deflated.psr,
        "green": light == "green",
        "amber": light == "amber",
        **textbook(sample, seed, boot.chosen),
    }


def textbook(sample: Sample, seed: int, best: float) -> Found:
    """The same draws by two variants that are not used, and why: see docs/validation.md."""
    values = sample.returns[sample.returns.any(axis=1)]
    days = values.shape[1]
    weights = as_weights(stationary_draws(days, seed=seed))
    centred = values - values.mean(axis=1, keepdims=True)
    observed = best * np.sqrt(days / 252)
    shares = share_of_square(centred, weights)
    # Draws in which nothing varies would be infinitely good: they are left out.
    ordinary = t_statistics(np.where(shares < 1 - 1e-5, shares, -1.0), days).max(axis=1)
    deviation = centred.std(axis=1, ddof=1, keepdims=True)
    fixed = (weights @ (centred / deviation).T).max(axis=1) * np.sqrt(days)
    return {
        "p, mean from every day": _p(ordinary, observed),
        "p, variance not renewed": _p(fixed, observed),
        "critical, mean from every day": float(np.quantile(ordinary, 0.95)) * np.sqrt(252 / days),
    }


def _p(maxima: NDArray[np.float64], observed: float) -> float:
    return (1 + np.count_nonzero(maxima >= observed)) / (len(maxima) + 1)


def with_edge(days: int, width: float, seed: int) -> Found:
    """What is found of a hill of each height, and what the choices are truly worth."""
    noise = engine_noise(days, seed)
    found: Found = {}
    for edge in EDGES:
        planted = plant(noise, edge, width=width, seed=seed)
        judgement = judged(planted.sample, seed)
        boot = judgement.bootstrap
        assert boot is not None
        plateau, true = judgement.plateau, planted.true_sharpe
        found[f"found {edge}"] = boot.p_value <= LEVEL
        found[f"green {edge}"] = weigh(boot, judgement.pbo).light == "green"
        found[f"pbo {edge}"] = judgement.pbo.pbo if judgement.pbo else np.nan
        found[f"shown {edge}"] = boot.chosen
        for name, number in (("peak", plateau.peak), ("robust", plateau.robust)):
            found[f"{name} {edge}"] = true[number] if number is not None else np.nan
        found[f"box {edge}"] = true[box_choice(planted.sample.table())]
    return found


def rough_surface(width: float, seed: int) -> Found:
    """A hill under noise that neighbours do not share: the true worth of what is chosen."""
    random = np.random.default_rng(seed)
    true = ROUGH_HEIGHT * hill(ENGINE_GRID, int(random.integers(len(ENGINE_GRID))), width)
    table = table_of_scores(ENGINE_GRID, true + random.standard_normal(len(true)))
    plateau = find_plateau(table, Choice.by_name("Sharpe Ratio"))
    assert plateau.peak is not None
    assert plateau.robust is not None
    return {
        "peak": true[plateau.peak],
        "robust": true[plateau.robust],
        "box": true[box_choice(table)],
    }


def box_choice(table: ResultTable) -> int:
    """The best by the mean of the whole box of neighbours, corners included; for comparison."""
    scores = table.scores(Choice.by_name("Sharpe Ratio")).reshape(table.space.shape)
    total, known = np.nan_to_num(scores), (~np.isnan(scores)).astype(float)
    for axis in range(scores.ndim):
        total, known = (_with_neighbours(values, axis) for values in (total, known))
    means = np.where(np.isnan(scores), -np.inf, total / np.maximum(known, 1))
    return int(means.argmax())


def _with_neighbours(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    padded = np.pad(values, [(1, 1) if other == axis else (0, 0) for other in range(values.ndim)])
    length = values.shape[axis]
    return sum(np.take(padded, np.arange(length) + step, axis=axis) for step in range(3))


def whole_grid(days: int, seed: int) -> Found:
    """How many tries the default grid and the coarse one of the same bars are worth."""
    coarse = judged(engine_noise(days, seed), seed).bootstrap
    whole = judged(engine_noise(days, seed, parse_grid()), seed).bootstrap
    assert coarse is not None
    assert whole is not None
    return {
        "tries": coarse.independent_tries,
        "whole tries": whole.independent_tries,
        "critical": coarse.smallest_provable,
        "whole critical": whole.smallest_provable,
    }


class Simulations:
    """Runs a function of a seed many times, over all processors.

    Parameters
    ----------
    pool : ProcessPoolExecutor
    """

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def run(self, function: Callable[[int], Found], count: int) -> dict[str, NDArray[np.float64]]:
        """Every figure of every simulation; seeds from 1."""
        found = list(self._pool.map(function, range(1, count + 1), chunksize=4))
        return {name: np.array([one[name] for one in found], dtype=float) for name in found[0]}


def rate(values: NDArray[np.bool_]) -> str:
    """A share with its standard error."""
    share = values.mean()
    return f"{share:.1%} ± {np.sqrt(share * (1 - share) / len(values)):.1%}"


def quantiles(values: Sequence[float] | NDArray[np.float64], form: str = ".2f") -> str:
    """5 %, median and 95 %."""
    return " / ".join(f"{value:{form}}" for value in np.nanquantile(values, [0.05, 0.5, 0.95]))


def report_noise(report: common.Report, what: str, found: dict[str, NDArray[np.float64]]) -> None:
    """False positives."""
    report.line(f"{what}: p ≤ 5 %, Sharpe", rate(found["p"] <= LEVEL), "at most 5 %")
    report.line(f"{what}: p ≤ 5 %, return", rate(found["p return"] <= LEVEL), "at most 5 %")
    report.line(f"{what}: p ≤ 20 %, Sharpe", rate(found["p"] <= 0.2), "at most 20 %")
    report.line(f"{what}: green light", rate(found["green"] > 0), "at most 5 %")
    report.line(f"{what}: amber light", rate(found["amber"] > 0))
    report.line(f"{what}: best Sharpe seen", quantiles(found["best"]))
    report.line(f"{what}: luck's typical best", quantiles(found["typical"]))
    report.line(f"{what}: smallest provable", quantiles(found["critical"]))
    report.line(f"{what}: independent tries", quantiles(found["tries"], ",.0f"))
    report.line(f"{what}: PBO", quantiles(found["pbo"]))
    report.line(f"{what}: DSR ≥ 95 %", rate(found["dsr"] >= 0.95), "at most 5 %")
    report.line(f"{what}: PSR of the best ≥ 95 %", rate(found["psr"] >= 0.95))
    for name in ("p, mean from every day", "p, variance not renewed"):
        report.line(f"{what}: {name}: ≤ 5 %", rate(found[name] <= LEVEL))
    name = "critical, mean from every day"
    report.line(f"{what}: {name}", quantiles(found[name]))


def report_edge(report: common.Report, what: str, found: dict[str, NDArray[np.float64]]) -> None:
    """Power, and the truth about the choices."""
    for edge in EDGES:
        report.line(
            f"{what}, true Sharpe {edge:g}: found at 5 % / green",
            f"{rate(found[f'found {edge}'] > 0)} / {rate(found[f'green {edge}'] > 0)}",
        )
        report.line(
            f"{what}, true Sharpe {edge:g}: shown; true of peak, robust, box",
            f"{found[f'shown {edge}'].mean():.2f}; "
            + ", ".join(
                f"{np.nanmean(found[f'{name} {edge}']):.2f}" for name in ("peak", "robust", "box")
            ),
        )
        report.line(f"{what}, true Sharpe {edge:g}: PBO", quantiles(found[f"pbo {edge}"]))


def main() -> int:
    """Simulate and report."""
    arguments = common.arguments(
        __doc__ or "",
        simulations=("--simulations", 1000, "grids of noise by the engine; fewer of other kinds"),
    )
    report = common.Report("Luck: false positives and power", arguments)
    check(report)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # For the processes: each has a processor of its own.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(usable_processors(), mp_context=spawn) as pool:
        simulations = Simulations(pool)
        for days in LENGTHS:
            all_noise(report, simulations, days, max(8, arguments.simulations))
        for days in LENGTHS:
            all_edges(report, simulations, days, max(8, arguments.simulations // 4))
    return report.finish()


def all_noise(report: common.Report, simulations: Simulations, days: int, count: int) -> None:
    """Every kind of noise."""
    kinds = (
        ("engine", engine_noise, count),
        ("field", field_noise, count // 2),
        ("days follow", functools.partial(field_noise, follows=FOLLOWS), count // 2),
    )
    for name, make, times in kinds:
        found = simulations.run(functools.partial(without_edge, make, days), times)
        report_noise(report, f"{name}, {days} days", found)
    found = simulations.run(functools.partial(whole_grid, days), max(2, count // 100))
    for key, form in (("tries", ",.0f"), ("critical", ".2f")):
        report.line(
            f"default grid, {days} days: {key}, of 1,560 and of 112,840",
            f"{np.median(found[key]):{form}} and {np.median(found[f'whole {key}']):{form}}",
        )


def all_edges(report: common.Report, simulations: Simulations, days: int, count: int) -> None:
    """Narrow and broad hills."""
    for name, width in (("narrow", NARROW), ("broad", BROAD)):
        found = simulations.run(functools.partial(with_edge, days, width), count)
        report_edge(report, f"{name} hill, {days} days", found)
    if days == LENGTHS[0]:  # There are no days on the rough surface.
        for width in (NARROW, 1.0, BROAD):
            found = simulations.run(functools.partial(rough_surface, width), 4 * count)
            report.line(
                f"rough surface, hill of width {width:g}: true Sharpe of peak, robust, box",
                ", ".join(f"{found[name].mean():.2f}" for name in ("peak", "robust", "box")),
            )


def check(report: common.Report) -> None:
    """The planted truth is what the returns show on many days, and noise has none."""
    noise = engine_noise(2000, 1)
    usual = np.nanmedian(noise.table().column("Sharpe Ratio"))
    report.check("the middle combination of 2,000 days of noise has no edge", abs(usual) < 1.0)
    planted = plant(noise, 4.0, width=BROAD, seed=1)
    table = planted.sample.table()
    best = find_plateau(table, Choice.by_name("Sharpe Ratio")).robust
    report.check(
        "the robust choice stands on a hill of Sharpe 4 with 2,000 days",
        best is not None and planted.true_sharpe[best] > 3.0,
    )


if __name__ == "__main__":
    sys.exit(main())
