"""What runs inside a pool process, run here: attach, answer slices, report what failed."""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_run import AXES, small_bars, small_outcome

import bigbar.worker
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES
from bigbar.engines.reference import BacktestingEngine
from bigbar.job import Job
from bigbar.sharing.frames import publish
from bigbar.slices import halves
from bigbar.statistics import STATISTICS
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, grid_with
from bigbar.worker import desk, reference_engine, run_chunk, start_worker


@dataclass
class Moody:
    """An engine that cannot answer some combinations; the others' rows are their numbers."""

    bad: frozenset[int]
    asked: list[tuple[int, int]]

    def run(self, start: int, stop: int) -> np.ndarray:
        self.asked.append((start, stop))
        for number in range(start, stop):
            if number in self.bad:
                raise ZeroDivisionError(f"combination {number}")
        return np.repeat(np.arange(start, stop, dtype=float)[:, None], len(STATISTICS), axis=1)

    def trades(self, number: int) -> pd.DataFrame:
        raise NotImplementedError


@pytest.fixture
def start(monkeypatch):
    """Start this thread as a worker of a job; the desk is cleared away afterwards."""
    publications = []

    def start_here(engine: str = "backtesting", **axes) -> Job:
        job = job_of(grid_with(**AXES | axes), Settings(), engine)
        publications.append(publish(with_indicators(small_bars().frame, 6), job))
        start_worker(publications[-1].descriptor)
        return job

    def start_moody(*bad: int) -> Moody:
        engine = Moody(frozenset(bad), [])
        monkeypatch.setitem(ENGINES, "moody", EngineKind(lambda file, job: engine, 1))
        start_here("moody")
        return engine

    start_here.moody = start_moody
    yield start_here
    bigbar.worker._local.__dict__.clear()
    for publication in publications:
        publication.close()


def test_a_worker_answers_from_shared_memory(start):
    job = start()
    assert desk().job == job
    pd.testing.assert_frame_equal(
        desk().file, with_indicators(small_bars().frame, 6), check_freq=False
    )
    result = run_chunk((3, 7))
    assert (result.start, result.stop) == (3, 7)
    assert result.failures == []
    assert result.seconds > 0
    np.testing.assert_array_equal(result.rows, small_outcome().table.values[3:7])


def test_only_a_job_can_be_worked_on():
    with (
        publish(small_bars().frame, "no job") as publication,
        pytest.raises(TypeError, match="str instead of a Job"),
    ):
        start_worker(publication.descriptor)


def test_a_combination_that_raises_stands_alone(start):
    start.moody(5)
    result = run_chunk((0, 12))
    assert [failure.number for failure in result.failures] == [5]
    assert result.failures[0].reason.startswith("Traceback (most recent call last)")
    assert result.failures[0].reason.endswith("ZeroDivisionError: combination 5\n")
    assert np.isnan(result.rows[5]).all()
    others = [number for number in range(12) if number != 5]
    assert result.rows[others, 0].tolist() == others


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.frozensets(st.integers(0, 63)), st.integers(0, 63), st.integers(1, 64))
def test_exactly_those_that_raise_are_reported(start, bad, first, length):
    stop = min(first + length, 64)
    start.moody(*bad)
    result = run_chunk((first, stop))
    blamed = sorted(bad & set(range(first, stop)))
    assert [failure.number for failure in result.failures] == blamed
    for number in range(first, stop):
        row = result.rows[number - first]
        assert np.isnan(row).all() if number in bad else (row == number).all()


def test_a_slice_that_works_is_run_once(start):
    engine = start.moody()
    run_chunk((0, 12))
    assert engine.asked == [(0, 12)]


def test_one_bad_combination_costs_a_search_by_halves(start):
    engine = start.moody(700)
    run_chunk((0, 1024))
    assert len(engine.asked) == 1 + 2 * 10


@pytest.mark.parametrize("raised", [KeyboardInterrupt, GeneratorExit])
def test_what_is_no_error_by_its_kind_is_a_failure_when_a_strategy_raises_it(
    start, monkeypatch, raised
):
    engine = start.moody()
    monkeypatch.setattr(engine, "run", lambda first, stop: (_ for _ in ()).throw(raised))
    assert [failure.number for failure in run_chunk((0, 4)).failures] == [0, 1, 2, 3]


def test_an_end_that_is_asked_for_is_no_failure(start, monkeypatch):
    engine = start.moody()
    monkeypatch.setattr(engine, "run", lambda first, stop: sys.exit(3))
    with pytest.raises(SystemExit):
        run_chunk((0, 4))


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_halves(first, length):
    parts = halves((first, first + length))
    assert parts[0][0] == first
    assert parts[-1][1] == first + length
    assert all(begin < end for begin, end in parts)
    assert len(parts) == min(length, 2)
    if len(parts) == 2:
        assert parts[0][1] == parts[1][0]
        assert max(end - begin for begin, end in parts) - length // 2 in (0, 1)


def test_the_reference_is_the_engine_where_that_is_backtesting(start):
    start()
    assert reference_engine() is desk().engine


def test_the_reference_is_made_once_for_a_job(start):
    start.moody()
    first = reference_engine()
    assert isinstance(first, BacktestingEngine)
    assert reference_engine() is first
    start.moody()
    assert reference_engine() is not first  # The next job's file and settings are others.
