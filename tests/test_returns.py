"""Daily returns and equity of every combination: `backtesting.py`'s own, by any engine and pool."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from agreement import EXAMPLES, expected_returns, quick
from hypothesis import given, settings
from hypothesis import strategies as st
from made_bars import CALENDARS, COARSE, Case, Recipe, cases
from numpy.typing import NDArray
from worker_here import one_by_one

import bigbar.worker
from bigbar.calendar import calendar_of, period_returns
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES, build_engine, engine_names
from bigbar.engines.reference import BacktestingEngine
from bigbar.executors.local import WorkerPool
from bigbar.sharing.frames import publish
from bigbar.statistics import COLUMN
from bigbar.strategies.big_bar.description import BigBar, job_of
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.validation.returns import daily_returns
from bigbar.worker import start_worker

GRID = grid_with(
    atr_period=[3, 7], k_atr=[0.7, 1.2, 4.0], uptail_max_ratio=[0.3, 0.7],
    previous_weight=[0.0, 0.3], buffer_ratio=[-0.2, 0.01],
)  # fmt: skip

#: The same without most of it: `backtesting.py` takes its time.
FEW = grid_with(
    atr_period=[3, 7], k_atr=[0.7, 1.2, 4.0], uptail_max_ratio=0.7, previous_weight=0.0,
    buffer_ratio=0.01,
)  # fmt: skip

CASE = Case(Recipe(bars=200, seed=3), GRID, Settings(big_bar_account(commission=0.0002), 1))

#: Leverage and costs that end some combinations, not all.
RUINOUS = Case(
    Recipe(bars=200, seed=3, volatility=0.02),
    GRID,
    Settings(big_bar_account(margin=0.02, commission=0.002), 1),
)


def whole_matrix(case: Case, engine: str = "compiled") -> NDArray[np.float32]:
    return build_engine(case.file(), case.job(engine)).returns(0, len(case.grid))


# The engines. That equity and returns are backtesting.py's, whatever the case, is part of every
# differential test: see `agreement.disagreements`.


@pytest.mark.parametrize("case", [CASE, RUINOUS], ids=["usual", "ruinous"])
def test_both_engines_give_the_same_matrix(case: Case) -> None:
    ours, theirs = whole_matrix(case), whole_matrix(case, "backtesting")
    assert ours.dtype == theirs.dtype == np.float32
    assert ours.shape == (len(GRID), calendar_of(case.file().index[7:]).periods - 1)
    np.testing.assert_array_equal(ours, theirs)
    assert len(np.unique(ours, axis=0)) >= 8


def test_after_ruin_there_is_nothing() -> None:
    file, job = RUINOUS.file(), RUINOUS.job()
    engine = build_engine(file, job)
    final = engine.run(0, len(GRID))[:, COLUMN["Equity Final [$]"]]
    ruined = np.flatnonzero(final == 0)
    assert len(ruined) >= 3
    returns = engine.returns(0, len(GRID))
    for number in ruined:
        (last,) = np.flatnonzero(returns[number] == -1)
        assert (returns[number, last + 1 :] == 0).all()
        curve = engine.equity(int(number))
        assert (curve[curve.to_numpy().argmin() :] == 0).all()
    assert not (returns[final > 0] == -1).any()


@pytest.mark.parametrize("engine", engine_names(BigBar()))
def test_slices_give_the_same_returns(engine: str) -> None:
    case = CASE if engine == "compiled" else replace(CASE, grid=FEW)
    made = build_engine(case.file(), case.job(engine))
    total = len(case.grid)
    whole = made.returns(0, total)
    ends = sorted({0, 1, 2, 7, 23, 24, 25, total - 1, total} & set(range(total + 1)))
    pieces = [made.returns(start, stop) for start, stop in itertools.pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert made.returns(2, 2).shape == (0, whole.shape[1])
    for start, stop in ((-1, 3), (0, total + 1), (9, 5)):
        with pytest.raises(IndexError):
            made.returns(start, stop)


def test_returns_and_statistics_in_turns_leave_each_other_alone() -> None:
    engine = build_engine(CASE.file(), CASE.job())
    rows, returns = engine.run(0, len(GRID)), engine.returns(0, len(GRID))
    np.testing.assert_array_equal(engine.run(0, len(GRID)), rows)
    np.testing.assert_array_equal(engine.returns(0, len(GRID)), returns)


def test_returns_are_those_of_the_equity() -> None:
    engine = build_engine(CASE.file(), CASE.job())
    returns = engine.returns(0, len(GRID))
    for number in range(0, len(GRID), 5):
        curve = engine.equity(number)
        assert curve.index.equals(CASE.file().index[7:])
        assert curve.iloc[0] == CASE.settings.account.cash
        np.testing.assert_array_equal(returns[number], expected_returns(curve))


@pytest.mark.parametrize("number", [-1, 48])
@pytest.mark.parametrize("engine", engine_names(BigBar()))
def test_equity_of_no_combination_is_refused(engine: str, number: int) -> None:
    with pytest.raises(IndexError):
        build_engine(CASE.file(), CASE.job(engine)).equity(number)


def test_a_single_day_has_no_returns() -> None:
    file = Case(Recipe(bars=20, step_min=1), GRID, Settings(week_edge_bars=0)).file()
    for engine in engine_names(BigBar()):
        made = build_engine(file, job_of(GRID, Settings(week_edge_bars=0), engine))
        assert made.returns(0, 3).shape == (3, 0)


@settings(quick, max_examples=EXAMPLES // 6)
@given(cases(), st.data())
def test_any_slice_of_any_case(case: Case, data: st.DataObject) -> None:
    file, job = case.file(), case.job()
    start = data.draw(st.integers(0, len(case.grid) - 1))
    stop = data.draw(st.integers(start + 1, len(case.grid)))
    part = build_engine(file, job).returns(start, stop)
    np.testing.assert_array_equal(part, whole_matrix(case)[start:stop])
    number = (start + stop) // 2
    curve = BacktestingEngine(file, job).equity(number)
    np.testing.assert_array_equal(part[number - start], expected_returns(curve))


# Periods.


@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.parametrize("calendar", [*CALENDARS, *COARSE])
def test_period_returns_are_pandas(calendar: str, zone: str | None) -> None:
    recipe = Recipe(bars=200, calendar=calendar, zone=zone)
    index = Case(recipe, GRID, Settings()).file().index
    random = np.random.default_rng(1)
    curve = pd.Series(1e5 * np.exp(np.cumsum(random.normal(0, 0.01, len(index)))), index)
    for stretch in (curve, curve.iloc[17:90], curve.iloc[:1]):
        found = period_returns(stretch)
        np.testing.assert_array_equal(found.astype(np.float32), expected_returns(stretch))
        assert len(found) == calendar_of(stretch.index).periods - 1


def test_the_calendar_is_kept_for_equal_times_only() -> None:
    index = pd.date_range("2024-01-01", periods=100, freq="h")
    first = calendar_of(index)
    assert calendar_of(index.copy()) is first
    assert calendar_of(index[:-1]) is not first
    local = index.tz_localize("UTC").tz_convert("Asia/Kolkata")
    assert calendar_of(local).numbers.tolist() != calendar_of(index).numbers.tolist()


# Through workers.


class Moody:
    """An engine that cannot answer some combinations; the others' returns are their numbers."""

    bad = (5, 17)

    def run(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((stop - start, len(COLUMN)))

    def returns(self, start: int, stop: int) -> np.ndarray:
        if any(start <= number < stop for number in self.bad):
            raise ZeroDivisionError
        periods = calendar_of(CASE.file().index[7:]).periods - 1
        return np.repeat(np.arange(start, stop, dtype=np.float32)[:, None], periods, axis=1)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This thread is a worker of the case; its desk is cleared away afterwards."""
    moody = EngineKind(lambda file, job: Moody(), 1)  # type: ignore[arg-type, return-value]
    monkeypatch.setitem(ENGINES, "moody", moody)
    yield
    bigbar.worker._local.__dict__.clear()


@pytest.mark.parametrize("chunk_size", [1, 7, 48, 100])
def test_through_a_worker(here: None, chunk_size: int) -> None:
    file, job = CASE.file(), CASE.job()
    with publish(file, job) as publication:
        start_worker(publication.descriptor)
        found = daily_returns(file, job, one_by_one, chunk_size=chunk_size)
        part = daily_returns(file, job, one_by_one, chunk_size=chunk_size, start=11, stop=30)
    np.testing.assert_array_equal(found, whole_matrix(CASE))
    np.testing.assert_array_equal(part, found[11:30])


def test_a_combination_that_raises_has_no_returns(here: None) -> None:
    file, job = CASE.file(), CASE.job("moody")
    with publish(file, job) as publication:
        start_worker(publication.descriptor)
        found = daily_returns(file, job, one_by_one, chunk_size=20)
    numbers = np.arange(len(GRID), dtype=np.float32)
    numbers[[5, 17]] = np.nan
    np.testing.assert_array_equal(found, np.repeat(numbers[:, None], found.shape[1], axis=1))


def test_through_a_pool() -> None:
    file, job = CASE.file(), CASE.job()
    with (
        publish(file, job) as publication,
        WorkerPool(
            2, start_method=None, initializer=start_worker, initargs=(publication.descriptor,)
        ) as pool,
    ):
        found = daily_returns(file, job, pool.imap_unordered, chunk_size=9)
    np.testing.assert_array_equal(found, whole_matrix(CASE))  # It outlives its block.
