"""A slow engine runs each point once: what was timed is kept, and returns come along."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from backtesting.test import EURUSD
from counted_strategy import LOG, Counted

import bigbar
from bigbar.engines.find import build_engine
from bigbar.job import Job
from bigbar.space import Space
from bigbar.spec import StrategySpec
from bigbar.validation.returns import KeptReturns, keep_returns

BARS = EURUSD.iloc[:900]
GRID = {"every": [5, 7, 9, 11], "hold": [1, 2, 3]}


def counted(log: Path) -> Counter[tuple[int, int]]:
    lines = log.read_text(encoding="utf-8").split("\n")[:-1]
    return Counter(tuple(map(int, line.split())) for line in lines)  # type: ignore[misc]


@pytest.mark.slow
def test_every_point_is_run_once(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv(LOG, str(log))
    found = bigbar.optimize(
        BARS, Counted, **GRID, engine="backtesting", workers=2, verify=0, cash=10_000
    )
    best = found.best_parameters
    assert best is not None
    assert found.findings is not None
    assert found.findings.bootstrap is not None  # It was held against luck all the same.
    times = counted(log)
    assert len(times) == 12
    # The winner is run again for its trades, under other costs and on other prices.
    assert {point for point, count in times.items() if count > 1} <= {(best["every"], best["hold"])}


@pytest.fixture
def job() -> Job:
    spec = StrategySpec.of(Counted)
    return Job(spec, Space.of(**GRID), spec.default_account(), "backtesting")


def test_room_is_made_where_returns_come_along_and_fit(job):
    periods = len(build_engine(BARS, job).returns(0, 1)[0])
    kept = keep_returns(BARS, job, most_bytes=4 * 12 * periods)
    assert isinstance(kept, KeptReturns)
    kept.close()
    assert kept.matrix.shape == (12, periods)
    assert keep_returns(BARS, job, most_bytes=4 * 12 * periods - 1) is None


def test_rows_and_returns_are_those_of_each_alone(job):
    engine = build_engine(BARS, job)
    rows, returns = engine.run_with_returns(2, 9)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(rows, engine.run(2, 9))
    np.testing.assert_array_equal(returns, engine.returns(2, 9))
    assert (returns != 0).any()
