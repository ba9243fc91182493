"""What the setting for several files is worth: on noise, with an edge, and with too little data."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from luck_files import GRID, closes, crossing, judged, left_out_t_test

from bigbar.validation.common_choice import CommonChoice, OfFile
from bigbar.validation.common_verdict import CommonFindings, examine_common, left_out_of
from bigbar.validation.pooled_returns import PooledReturns

#: Simulations of noise: enough to tell 5 % from 20 %.
_SIMULATIONS = 80


def share(lights: list[str], light: str) -> float:
    return lights.count(light) / len(lights)


@pytest.mark.slow
@pytest.mark.parametrize("together", [0.0, 0.6])
def test_noise_is_seldom_green(together):
    """At most 5 % are wrong; by chance alone more than 11 % are once in a hundred times."""
    found = [judged(250, 6, together, "mean-rank", seed) for seed in range(_SIMULATIONS)]
    lights = [findings.verdict.light for _, findings in found]
    assert share(lights, "green") <= 0.11
    assert share(lights, "green") + share(lights, "amber") <= 0.32
    if together:  # What is not done, and why: files that move together are no proofs apart.
        assert np.mean([left_out_t_test(choice) for choice, _ in found]) > 0.15


def test_an_edge_on_all_files_is_found():
    lights = [judged(350, 8, 0.3, "mean-rank", seed, edge=2.5)[1] for seed in range(10)]
    assert share([one.verdict.light for one in lights], "green") >= 0.8


@pytest.mark.parametrize("seed", range(3))
def test_the_same_market_twelve_times_is_one_market(seed):
    """Copies of a file convince no more than the file itself."""
    close = closes(350, 1, 0.0, np.random.default_rng(seed))[0]
    returns = crossing(close).astype(np.float32)
    p_values = []
    for files in (1, 12):
        pooled = PooledReturns(len(GRID))
        for _ in range(files):
            pooled.add(returns, pd.bdate_range("2015-01-01", periods=349), 252.0)
        choice = replace(CHOICE, number=20, names=("A",) * files)
        found = examine_common(choice, pooled, GRID, objective="Sharpe Ratio").bootstrap
        assert found is not None
        p_values.append(found.p_value)
    assert p_values[0] == pytest.approx(p_values[1], abs=1e-3)


def of_file(value: float, better: float = 0.9) -> OfFile:
    return OfFile(0, 1.0, better, True, value, {"Return [%]": value})


CHOICE = CommonChoice(
    criterion="worst",
    names=("A", "B", "C"),
    combinations=len(GRID),
    counting=np.ones(len(GRID), bool),
    number=0,
    value=1.0,
    of_files=(of_file(3.0), of_file(1.0), of_file(2.0)),
    left_out=(of_file(2.0), of_file(-1.0, 0.4), None),
)


def test_left_out():
    found = left_out_of(CHOICE)
    assert found is not None
    assert (found.files, found.made_money, found.lost) == (2, 1, False)
    assert found.better_than == pytest.approx(0.65)
    assert left_out_of(replace(CHOICE, left_out=(None, None, None))) is None
    worse = replace(CHOICE, left_out=(of_file(2.0), of_file(-1.0), of_file(-1.0)))
    assert left_out_of(worse).lost


def examined(choice: CommonChoice = CHOICE, *, edge: float = 0.3, **options) -> CommonFindings:
    random = np.random.default_rng(5)
    pooled = PooledReturns(len(GRID))
    pooled.sums = random.normal(0, 1e-3, (len(GRID), options.pop("periods", 200)))
    pooled.sums[0] += 1e-3 * edge
    pooled.sums = pooled.sums.astype(np.float32)
    pooled.files = options.pop("files", 3)
    pooled._annual = 252.0
    return examine_common(choice, pooled, GRID, objective="Return [%]", **options)


def test_the_lights():
    lost = replace(CHOICE, left_out=(of_file(-2.0), of_file(-1.0), of_file(2.0)))
    cases = [
        (examined(edge=0.6), "green", "unlikely to be luck alone, but not proven."),
        (examined(lost, edge=0.6), "amber", "but it lost on files left out: not proven."),
        (examined(edge=0.0), "red", "cannot be told apart from luck."),
        (examined(lost, edge=0.2), "red", "It also lost on files left out."),
        (examined(edge=0.6, sees_future=True), "red", "the strategy sees the future"),
        (examined(edge=0.6, unsteady=True), "amber", "answers differently each time"),
        (examined(edge=0.6, periods=19), "red", "too little data to tell skill from luck."),
        (examined(edge=0.6, files=2), "red", "too little data to tell skill from luck."),
        (examined(replace(CHOICE, number=None)), "red", "no combination counts on every file"),
    ]
    for found, light, said in cases:
        assert found.verdict.light == light, found.verdict
        assert said in found.verdict.headline
        assert found.verdict.lines[-1] == found.verdict.headline
    assert "19 periods are too few" in str(cases[6][0].verdict)
    assert "not every file could be held against luck" in str(cases[7][0].verdict)


def test_without_validation_there_is_no_light():
    found = examine_common(CHOICE, None, GRID, objective="Return [%]")
    assert found.verdict.light == "none"
    assert "--no-validate" in found.verdict.headline
    assert found.bootstrap is None
    assert found.left_out is not None


def test_earlier_trials_count():
    few, many = examined(edge=0.3), examined(edge=0.3, earlier_trials=100_000)
    assert few.bootstrap is not None
    assert many.bootstrap is not None
    assert few.bootstrap.p_value == many.bootstrap.p_value
    assert many.bootstrap.p_value_all_trials > few.bootstrap.p_value_all_trials
    assert not math.isnan(many.bootstrap.smallest_provable)
