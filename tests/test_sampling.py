"""Watching a run: what its slices took, memory over time, and what watching costs."""

from __future__ import annotations

import os
import time

import numpy as np
import psutil
import pytest
from test_pool import make_pool, wait_until

from bigbar.machine.watch import (
    ProcessMemory,
    SweepMetrics,
    Watcher,
    _capacity_s,
    _Moments,
    peak_of_this_process,
)
from bigbar.sharing import blocks as _blocks
from bigbar.sharing.heap import trim_heap
from bigbar.slices import ChunkResult
from tests import pool_tasks as work


def answered(start: int, begun: float, seconds: float, worker: int) -> ChunkResult:
    rows = np.empty((10, 1))
    return ChunkResult(start, start + 10, rows, [], seconds, begun, worker, seconds / 2)


def test_the_account(monkeypatch):
    clock = iter([100.0, 104.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    sweep = SweepMetrics()
    sweep.begin()
    sweep.add(answered(0, 100.25, 1.0, worker=1))
    sweep.add(answered(10, 100.5, 2.0, worker=2))
    sweep.add(answered(20, 101.5, 0.5, worker=1))
    sweep.end({1})
    assert (sweep.slices, sweep.combinations) == (3, 30)
    assert (sweep.busy_s, sweep.processor_s) == (3.5, 1.75)
    assert sweep.lead_s == 0.25 + 0.5
    assert (sweep.hand_out_s, sweep.hand_outs) == (0.25, 1)
    assert sweep.tail_s == 104.0 - 102.0  # the other one had died
    assert [one.start for one in sweep.slowest] == [10, 0, 20]
    assert sweep.slowest[0].begun_s == 0.5


def test_what_was_timed_before_the_sweep_does_not_count():
    sweep = SweepMetrics()
    sweep.add(answered(0, 0.25, 1.0, worker=1))
    assert (sweep.slices, sweep.slowest) == (0, ())


def test_the_slowest_are_kept():
    sweep = SweepMetrics()
    sweep.begin()
    order = np.random.default_rng(1).permutation(100)
    for number in order:
        sweep.add(answered(int(number), 0.0, float(number), worker=1))
    assert [one.start for one in sweep.slowest] == list(range(99, 89, -1))


def test_moments_are_thinned_out_to_their_highest():
    moments = _Moments()
    for number in range(10_000):
        moments.add(float(number), number if number % 97 else 10**6)
    series = moments.since(0.0)
    assert len(series) <= 513
    assert [moment for moment, _ in series] == sorted(moment for moment, _ in series)
    assert series[0] == (0.0, 10**6)
    assert series[-1][1] >= 9_999 - 32
    assert sum(value == 10**6 for _, value in series) >= 10_000 // 97


def test_capacity():
    assert _capacity_s((), 2, 10.0) == 20.0
    assert _capacity_s(((0.2, 2), (4.0, 1), (8.0, 2)), 2, 10.0) == 4 * 2 + 4 * 1 + 2 * 2


@pytest.mark.skipif(not hasattr(psutil.Process().memory_info(), "shared"), reason="Linux has PSS")
def test_memory_is_that_of_the_system():
    """What is shared counts once, what was taken since the last question is added."""
    with make_pool(2) as pool:
        list(pool.imap_unordered(work.square, range(10)))
        pids = [os.getpid(), *pool.born()]
        trim_heap()  # Else what is held below may lie where earlier tests left room.
        memory = ProcessMemory()
        first = memory.look(pids)
        true = sum(psutil.Process(pid).memory_full_info().pss for pid in pids)
        assert memory.kind == "pss"
        assert first == pytest.approx(true, rel=0.05)
        assert first < sum(psutil.Process(pid).memory_info().rss for pid in pids)
        memory._ask_at = float("inf")
        held = np.ones(5_000_000)
        block = _blocks.create_block(30_000_000)
        assert memory.look(pids) - first == pytest.approx(70_000_000, rel=0.1)
        del held
        trim_heap()
        block.close()
        assert memory.look(pids) == pytest.approx(first, rel=0.05)
    assert memory.look([*pids, 2**22 + 1]) > 0  # who has ended is left out


def test_the_peak_of_this_process():
    before = peak_of_this_process()
    held = np.ones(40_000_000)
    assert peak_of_this_process() >= max(before, held.nbytes)


@pytest.mark.slow
def test_a_watched_pool():
    sweep = SweepMetrics()
    with make_pool(2) as pool:
        watcher = Watcher(pool, memory_limit=10**9)
        watcher.start()
        with watcher.sweeping(sweep):
            list(pool.imap_unordered(work.work_for, [0.05] * 24))
        watcher.stop()
        watcher.stop()
        found = watcher.metrics(sweep, {"sweep_s": 1.0})
    assert found.workers == 2
    assert found.memory_limit == 10**9
    assert found.peak_memory >= max(bytes_ for _, bytes_ in found.memory) > 10**7
    assert found.in_flight
    assert {count for _, count in found.in_flight} <= {0, 1, 2}
    assert max(count for _, count in found.in_flight) == 2
    assert found.allowed == ()
    assert [moment for moment, _ in found.memory] == sorted(moment for moment, _ in found.memory)


@pytest.mark.slow
def test_watching_costs_less_than_a_hundredth():
    """In processor time, which the machine's other programs do not change."""
    with make_pool(2) as pool:
        list(pool.imap_unordered(work.square, range(10)))
        watcher = Watcher(pool)
        watcher.start()
        assert wait_until(lambda: len(watcher._memory.kept) > 1, 5)
        begun = time.monotonic()
        spent = psutil.Process().cpu_times()
        time.sleep(2.0)
        after = psutil.Process().cpu_times()
        passed = time.monotonic() - begun
        watcher.stop()
    used = after.user - spent.user + after.system - spent.system
    assert used < 0.01 * passed + 0.02  # and a tick of the clock, which shows hundredths
