"""Following the machine: what others take of the processors, and how many workers that leaves."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_pool import make_pool

from bigbar.errors import SettingsError
from bigbar.executors.throttle import Throttle
from bigbar.machine.other_programs import OtherPrograms, worker_range, workers_wanted
from bigbar.machine.resources import usable_processors
from bigbar.machine.watch import SweepMetrics, Watcher
from tests import pool_tasks as work

pytestmark = pytest.mark.alone

_SPIN = "while True: pass"


@contextmanager
def busy(count: int) -> Iterator[list[int]]:
    """So many other programs that do nothing but compute.

    Each in a session of its own: Linux gives every session the same share of a busy machine.
    """
    command = [sys.executable, "-S", "-c", _SPIN]
    running = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield [one.pid for one in running]
    finally:
        for one in running:
            one.kill()
            one.wait()


@pytest.mark.parametrize(
    ("limit", "free", "wanted"),
    [
        (2, 2.0, 2), (2, 1.6, 2), (2, 1.4, 1), (2, 0.0, 1), (1, 1.5, 1), (1, 1.6, 1), (1, 1.7, 2),
        (1, 9.0, 8), (8, 8.0, 8), (8, 5.3, 5), (4, 5.6, 5), (1, -1.0, 1),
    ],
)  # fmt: skip
def test_workers_wanted(limit, free, wanted):
    assert workers_wanted(limit, free, least=1, most=8) == wanted


@given(st.integers(1, 16), st.floats(-2, 20), st.integers(1, 8), st.integers(0, 8))
def test_the_number_settles_within_its_bounds(limit, free, least, more):
    """Under a load that stays as it is, it is moved once and then stays as well."""
    bounds = {"least": least, "most": least + more}
    wanted = workers_wanted(limit, free, **bounds)
    assert least <= wanted <= least + more
    assert workers_wanted(wanted, free, **bounds) == wanted


def test_a_competitor_shares_at_first_and_gets_its_own_processor():
    """Two processors, two workers, one competitor: it gets two thirds of one, and then one."""
    wanted = workers_wanted(2, 2 - 2 / 3, least=1, most=2)
    assert wanted == 1
    assert workers_wanted(wanted, 2 - 1.0, least=1, most=2) == 1
    assert workers_wanted(wanted, 2 - 0.1, least=1, most=2) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((3, None, None), (3, None)),
        (("auto", None, None), (4, 1)),
        (("auto", 2, None), (4, 2)),
        (("auto", None, 8), (8, 1)),
        (("auto", 6, None), (6, 6)),
        (("auto", 2, 2), (2, 2)),
    ],
)
def test_worker_range(given, expected):
    assert worker_range(*given, usable=4) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((0, None, None), "--workers is 0"),
        (("auto", 0, None), "--min-workers is 0"),
        (("auto", None, -1), "--max-workers is -1"),
        (("auto", 3, 2), "--min-workers is 3, but --max-workers is 2"),
        ((2, 1, None), "--min-workers is for --workers auto, but --workers is 2"),
        ((2, None, 4), "--max-workers is for --workers auto"),
        (("many", None, None), "--workers is 'many'"),
    ],
)
def test_no_worker_range(given, words):
    with pytest.raises(SettingsError, match=words):
        worker_range(*given, usable=4)


def test_what_is_ours_does_not_count():
    """A process that computes is another program or not: that is all the difference."""
    with busy(1) as (pid,):
        ours, theirs = OtherPrograms(), OtherPrograms()
        for _ in range(4):
            taken = ours.look([os.getpid(), pid]), theirs.look([os.getpid()])
            time.sleep(0.2)
        used = sum(psutil.Process(pid).cpu_times()[:2]) / 0.8
    assert taken[1] - taken[0] == pytest.approx(used, abs=0.35)


def test_only_the_last_second_counts():
    watch = OtherPrograms()
    with busy(usable_processors()):
        watch.look([], 0.0)
        time.sleep(0.3)
        assert watch.look([], 0.3) > 0.3
        loaded = watch.look([], 0.31)
    for moment in range(1, 9):  # as if two seconds went by in which nothing was used
        later = watch.look([], 0.31 + moment / 4)
    assert later < loaded / 2


def used_by_others(ours: list[int]) -> float:
    """Processors, over a second."""
    watch = OtherPrograms()
    watch.look(ours)
    time.sleep(1.0)
    return watch.look(ours)


class OnlyThese(OtherPrograms):
    """Counts nothing but the test's own load: on a busy machine as well it comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.pids: list[int] = []
        self._before: tuple[float, float] | None = None

    def look(self, ours: Iterable[int], now: float | None = None) -> float:
        moment, spent = time.monotonic(), 0.0
        for pid in self.pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                spent += sum(psutil.Process(pid).cpu_times()[:2])
        before, self._before = self._before, (moment, spent)
        if before is None or not self.pids:
            return 0.0
        return max(0.0, spent - before[1]) / (moment - before[0])


@pytest.mark.slow
@pytest.mark.skipif(usable_processors() < 2, reason="nothing to yield")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("others", [OnlyThese(), OtherPrograms()], ids=["own load", "all load"])
def test_workers_yield_to_a_real_load_and_come_back(others):
    """Numbers of tasks at work are compared, not times; so many that they get a share anywhere."""
    most = usable_processors()
    if type(others) is OtherPrograms and used_by_others([os.getpid()]) > 0.5:
        pytest.skip("other programs are using this machine")
    throttle = Throttle(most)
    with make_pool(most) as pool:
        watcher = Watcher(pool, throttle=throttle, least=1, processors=most, others=others)
        watcher.start()
        answers = pool.imap_unordered(work.work_for, [0.02] * 100_000, throttle=throttle)
        try:
            with watcher.sweeping(SweepMetrics()):
                with busy(4 * most) as pids:
                    others.pids = pids
                    assert _run_until(answers, lambda: throttle.limit == 1, 5)
                    under_load = [_at_work(pool, answers) for _ in range(5)]
                    others.pids = []
                came_back = _run_until(answers, lambda: throttle.limit > 1, 4)
                if type(others) is OtherPrograms and not came_back:
                    pytest.skip("other programs have begun to use this machine")
                assert came_back
                afterwards = max(_at_work(pool, answers) for _ in range(20))
        finally:
            watcher.stop()
            answers.close()
        metrics = watcher.metrics(SweepMetrics(), {})
    assert set(under_load) <= {0, 1}
    assert afterwards > 1
    assert {limit for _, limit in metrics.allowed} >= {1, 2}
    assert max(count for _, count in metrics.in_flight) <= most


def _run_until(answers: Iterator[object], condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        next(answers)
    return condition()


def _at_work(pool, answers: Iterator[object]) -> int:
    for _ in range(4):  # what was handed out before is finished by then
        next(answers)
    time.sleep(0.005)
    return pool.running()
