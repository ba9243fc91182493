"""Strategies as traders write them, in `backtesting.py` and compiled.

    pytest tests/test_real_strategies.py --soak --soak-seed 1

compares thousands of generated strategies besides the corpus.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from any_strategies import check_agrees, of_known_versions
from generated_strategies import (
    account_of,
    accounts,
    grid_of,
    make_strategy,
    source_of,
    sources,
)
from hypothesis import given, note, settings
from hypothesis import strategies as st
from real_jobs import check_same, job_of, space_of
from real_strategies import CASES, Case, bars
from real_strategies.bars import TICK, made_bars
from real_strategies.features import FEATURES, uses

from bigbar.engines.any_strategy.run import StrategyRunner
from bigbar.engines.runner import RunnerEngine

#: Of all strategies, so many must close three trades with each of their combinations.
TRADING_SHARE = 0.8

#: Shares of features may differ by so many points of a hundred from those of public strategies.
POINTS = 6

#: Of all strategies, so many must compile.
COMPILED_SHARE = 0.95

#: Combinations of these are left to `backtesting.py`: an order is refused, and `try` goes on.
FALL_BACK = frozenset({"TryAroundOrders", "TryValueError", "TableOfSignals"})

#: So many of a hundred public strategies at most have a feature that is rare.
RARE = [name for name, (share, _) in FEATURES.items() if share <= 3]

#: Of the strategies without a rare feature one of so many is compiled in every run.
EVERY = 16

GENERATED_EXAMPLES = 6

#: Generated strategies that a soak compares: tests, and seeds in each.
SOAK_TESTS, SOAK_SEEDS = 40, 100

DATA = ("GOOG", "EURUSD", "made")


def _parameter(case: Case) -> Any:
    missing = bool(case.needs) and importlib.util.find_spec(case.needs) is None
    marks = pytest.mark.skipif(missing, reason=f"{case.needs} is not installed")
    return pytest.param(case, id=case.name, marks=marks)


ALL = [_parameter(case) for case in CASES]
RUNNABLE = [one for one in CASES if not one.needs or importlib.util.find_spec(one.needs)]


# ------------------------------------------------------------------------------------- the corpus


@of_known_versions
@pytest.mark.parametrize("case", ALL)
def test_it_runs(case):
    """By `Backtest.run`, and by our runner to the same numbers."""
    check_agrees(bars(case.data), case.strategy, case.parameters[0], **case.account)


@pytest.mark.slow
def test_most_of_them_trade():
    idle = []
    for case in RUNNABLE:
        runner = StrategyRunner(bars(case.data), case.strategy, **case.account)
        if any(len(runner.run(one).strategy.closed_trades) < 3 for one in case.parameters):
            idle.append(case.name)
    assert len(idle) <= (1 - TRADING_SHARE) * len(RUNNABLE), idle


@pytest.mark.slow
def test_there_are_many():
    assert len(CASES) >= 100
    assert not [name for name, count in Counter(case.name for case in CASES).items() if count > 1]
    for case in CASES:
        assert len({tuple(one) for one in case.parameters}) == 1, case.name
        assert len(case.parameters) <= 3, case.name
        assert inspect.getdoc(case.strategy).count("\n") == 0, case.name
        assert case.needs or "talib" not in inspect.getsource(case.strategy), case.name


def test_made_bars_have_what_markets_have():
    """Gaps in time and price, bars of one price, equal prices, and no volume."""
    made = bars("made")
    assert (made.High == made.Low).mean() > 0.01
    assert (made.Close.diff() == 0).mean() > 0.02
    assert (made.Volume == 0).any()
    nights = made.index.to_series().diff() > pd.Timedelta(hours=1)
    assert nights.sum() > 10
    assert (made.Open - made.Close.shift()).abs()[nights].mean() > 5 * TICK
    assert (made.index.to_series().diff() == pd.Timedelta(minutes=10)).any()
    assert made.index.hour.nunique() == 7
    assert ((made / TICK).round(6) % 1 == 0)[["Open", "High", "Low", "Close"]].all(axis=None)
    pd.testing.assert_frame_equal(made_bars(50, seed=3), made_bars(50, seed=3))


@pytest.mark.parametrize("feature", FEATURES)
def test_they_use_what_public_ones_use(feature):
    share = 100 * sum(feature in uses(case.strategy) for case in CASES) / len(CASES)
    assert abs(share - FEATURES[feature][0]) <= POINTS, f"{share:.0f} %"


# ----------------------------------------------------------------------------- the generated ones


def test_a_seed_writes_the_same_source_again():
    assert source_of(7) == source_of(7)
    assert len({source_of(seed) for seed in range(50)}) > 45
    assert make_strategy(source_of(7)) is make_strategy(source_of(7))
    assert inspect.getsource(make_strategy(source_of(7)).next) in source_of(7)


@given(source=sources())
@settings(max_examples=30)
def test_sources_are_python(source):
    strategy = make_strategy(source)
    assert ast.parse(source)
    assert space_of(grid_of(strategy))


@pytest.mark.slow
def test_most_generated_ones_trade():
    trades = []
    errors: Counter[type[Exception]] = Counter()
    for seed in range(40):
        strategy = make_strategy(source_of(seed))
        runner = StrategyRunner(bars(DATA[seed % 3]), strategy)
        try:
            trades.append(len(runner.run(grid_of(strategy)[0]).strategy.closed_trades))
        except Exception as problem:
            errors[type(problem)] += 1
    assert sum(errors.values()) <= 4, errors
    assert sum(count >= 3 for count in trades) >= 28, trades


# -------------------------------------------------------------------------------------- compiled


def compiled_engine() -> Any:
    """The class of the engine, where there is one."""
    return pytest.importorskip("bigbar.engines.general.engine").CompiledEngine


def _compiled_parameters() -> list[Any]:
    """All cases, those that are left to a soak marked: compiling takes a second each.

    Every run takes one for each rare feature, and one of so many of the others.
    """
    missing = set(RARE)
    found = []
    for place, case in enumerate(CASES):
        rare = {feature for feature in missing if feature in uses(case.strategy)}
        missing -= rare
        one = _parameter(case)
        if not rare and (place + place // EVERY) % EVERY:
            one = pytest.param(case, id=case.name, marks=[*one.marks, pytest.mark.soak])
        found.append(one)
    return found


COMPILED = _compiled_parameters()


@pytest.mark.parametrize("case", COMPILED)
def test_compiled_is_the_reference(case):
    """To the bit; or refused, where that is expected, with file and line."""
    job = job_of(case.strategy, case.parameters, case.account)
    ours = compiled_engine()(bars(case.data), job)
    check_same(ours, RunnerEngine(bars(case.data), job), range(len(job.space)))
    assert not ours.fell_back or case.name in FALL_BACK, ours.fell_back
    if case.compiles is not None:
        assert case.compiles is (ours.refused is None), ours.refused
    if ours.refused is not None:
        told = re.match(r"(.+\.py):(\d+): `.+` cannot be compiled: ", ours.refused)
        assert told, ours.refused
        files = {Path(inspect.getfile(kind)).name for kind in case.strategy.__mro__[:-1]}
        assert Path(told[1]).name in files
        assert int(told[2]) > 0


def test_most_of_them_compile():
    assert sum(case.compiles is not False for case in CASES) >= COMPILED_SHARE * len(CASES)


def _check_generated(source: str, account: dict[str, Any], data: str) -> None:
    strategy = make_strategy(source)
    job = job_of(strategy, grid_of(strategy), account)
    ours = compiled_engine()(bars(data), job)
    check_same(ours, RunnerEngine(bars(data), job), range(len(job.space)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_generated_strategies_agree():
    compiled_engine()
    _generated_strategies_agree()


@given(
    source=sources() | st.integers(0, 9999).map(source_of),
    account=accounts(),
    data=st.sampled_from(DATA),
)
@settings(max_examples=GENERATED_EXAMPLES, derandomize=True)
def _generated_strategies_agree(source: str, account: dict[str, Any], data: str) -> None:
    note(source)
    _check_generated(source, account, data)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(SOAK_TESTS))
def test_many_generated_strategies_agree(part, pytestconfig):
    compiled_engine()
    first = (pytestconfig.getoption("--soak-seed") * SOAK_TESTS + part) * SOAK_SEEDS
    wrong = []
    for seed in range(first, first + SOAK_SEEDS):
        try:
            _check_generated(source_of(seed), account_of(seed), DATA[seed % 3])
        except AssertionError as problem:
            wrong.append(f"seed {seed}: {str(problem).strip().splitlines()[0]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize("case", COMPILED[::9])
def test_a_span_is_the_reference(case, share):
    """A stretch in the middle of the file, as walk-forward windows have it."""
    engine = compiled_engine()
    count = len(bars(case.data))
    span = int(count * share), int(count * (share + 0.3))
    job = job_of(case.strategy, case.parameters[:1], case.account, span)
    check_same(engine(bars(case.data), job), RunnerEngine(bars(case.data), job), range(1))
