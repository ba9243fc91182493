"""Limits of the worker pool: endless tasks, greedy ones, and stopped workers, all of them real."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from test_pool import METHODS, make_pool, posix_only, run_script

from bigbar.executors.contract import Losses, TookTooLong, WorkerDied
from bigbar.executors.stopwatch import Stopwatch
from tests import pool_tasks as work

pytestmark = [pytest.mark.alone, pytest.mark.timeout(120)]

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as Linux does it")


def half_a_second(_task: object, _suspect: bool) -> float:
    return 0.5


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_endless_elements_are_found(method: str) -> None:
    """13 computes for ever with the interpreter's lock, 37 waits for ever without it."""
    tasks = [(8, 12), (12, 16), (36, 38), (40, 48)]
    events: list[str] = []
    with make_pool(method=method, events=events) as pool:
        found = dict(
            pool.imap_unordered(
                work.add_up_unless_endless, tasks, split=work.halves, limit=half_a_second
            )
        )
        assert pool.losses == Losses(overdue=len(events))
        assert dict(pool.imap_unordered(work.square, [3])) == {3: 9}
    endless = {piece: result for piece, result in found.items() if not isinstance(result, int)}
    assert endless == {(13, 14): TookTooLong(0.5), (37, 38): TookTooLong(0.5)}
    assert TookTooLong(0.5).reason() == "took longer than 0.5 s"
    covered = sorted(number for piece in found for number in range(*piece))
    assert covered == sorted(number for piece in tasks for number in range(*piece))
    assert all(found[piece] == sum(range(*piece)) for piece in found.keys() - endless.keys())
    assert "a slice took longer than 0.5 s; trying it in smaller pieces" in events
    assert "a task took longer than 0.5 s on its own; leaving it out" in events


def test_pieces_are_known_for_suspects() -> None:
    asked = []

    def limit(task: work.Slice, suspect: bool) -> float:
        asked.append((task, suspect))
        return 0.4 if suspect else 0.6

    with make_pool() as pool:
        found = dict(
            pool.imap_unordered(
                work.add_up_unless_endless, [(0, 4), (12, 14)], split=work.halves, limit=limit
            )
        )
    assert found == {(0, 4): 6, (12, 13): 12, (13, 14): TookTooLong(0.4)}
    assert ((12, 14), False) in asked
    assert {task for task, suspect in asked if suspect} == {(12, 13), (13, 14)}


def test_a_task_that_is_done_in_time_is_left_alone() -> None:
    with make_pool() as pool:
        tasks = [0.3] * 4
        assert (
            list(pool.imap_unordered(work.work_for, tasks, limit=lambda task, _: 3.0))
            == [(0.3, 0.3)] * 4
        )
        assert pool.losses == Losses()


@posix_only
def test_the_others_work_is_not_lost_for_good(tmp_path: Path) -> None:
    """What ran beside an endless task runs again, and is answered once."""
    tasks = [(str(tmp_path), number, 0.05) for number in range(20)]
    with make_pool(3) as pool:
        found = list(
            pool.imap_unordered(
                work.endless_or_noted, [None, *tasks], limit=lambda task, _: 0.3 if not task else 9
            )
        )
    answers = dict(found)
    assert answers.pop(None) == TookTooLong(0.3)
    assert answers == {task: task[1] for task in tasks}
    assert len(found) == 21


@pytest.mark.slow
@linux_only
def test_waiting_for_a_processor_does_not_count() -> None:
    """Four others on the same processor: by the clock the task takes longer than it may."""
    here = sorted(os.sched_getaffinity(0))[:1]
    task, spinner = ("work", 0.5), ("spin", time.monotonic() + 3.0)
    with make_pool(5, initializer=os.sched_setaffinity, initargs=(0, here)) as pool:
        found = dict(
            pool.imap_unordered(
                work.clock_of_work,
                [task, *[spinner] * 4],
                limit=lambda asked, _: 1.2 if asked == task else 60.0,
            )
        )
        assert pool.losses == Losses()
    assert found[task] > 1.2


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_worker_is_neither_lost_nor_blamed(method: str, tmp_path: Path) -> None:
    # Enough for the other one to last: the victim may have been between two tasks.
    tasks = [(str(tmp_path), number, 0.05) for number in range(40)]
    events: list[str] = []
    with make_pool(method=method, events=events) as pool:
        victim = pool.worker_pids()[0]
        begun = time.monotonic()
        found = []
        for item in pool.imap_unordered(work.note_and_work, tasks):
            found.append(item)
            if len(found) == 5:
                os.kill(victim, signal.SIGSTOP)
                threading.Timer(1.5, os.kill, (victim, signal.SIGCONT)).start()
        assert time.monotonic() - begun > 1.5
        assert victim in pool.worker_pids()
        assert pool.losses == Losses()
    assert sorted(found) == [(task, task[1]) for task in tasks]
    assert not events
    assert all(len(path.read_text().split()) == 1 for path in tmp_path.iterdir())


@pytest.mark.slow
@posix_only
def test_a_stop_is_not_held_against_the_task_that_was_running(tmp_path: Path) -> None:
    """Stopped for longer than the task may take, at every attempt but the last: still answered."""
    task = (str(tmp_path), 0, 0.3)
    events: list[str] = []
    with make_pool(1, events=events) as pool:

        def stop_whoever_begins() -> None:
            for attempt in range(1, 4):
                while len(_pids(tmp_path / "0")) < attempt:
                    time.sleep(0.01)
                os.kill(_pids(tmp_path / "0")[-1], signal.SIGSTOP)

        stopper = threading.Thread(target=stop_whoever_begins)
        stopper.start()
        found = dict(pool.imap_unordered(work.note_and_work, [task], limit=lambda *_: 0.6))
        stopper.join()
        assert pool.losses == Losses(stopped=3)
    assert found == {task: 0}
    assert [line.split(" ", 2)[2] for line in events] == [
        "was stopped for 0.6 s; starting 1 slice again in another"
    ] * 3


def _pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split("\n")[:-1]] if file.exists() else []


@pytest.mark.slow
@posix_only
def test_the_parents_own_stop_does_not_count(tmp_path: Path) -> None:
    """Ctrl-Z and `fg`: parent and workers stand still for longer than the task may take."""
    body = """
        import os, sys
        from bigbar.executors.local import WorkerPool
        from tests import pool_tasks as work

        with WorkerPool(2, start_method="fork", initializer=None) as pool:
            print("begun", flush=True)
            limit = lambda task, suspect: 1.2
            print(sorted(pool.imap_unordered(work.sleep, [0.9, 0.8], limit=limit)), pool.losses)
    """
    with run_script(body) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.4)
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(2.0)
        os.killpg(process.pid, signal.SIGCONT)
        out, errors = process.communicate(timeout=20)
    assert out.strip() == f"[(0.8, 0.8), (0.9, 0.9)] {Losses()}", errors


@linux_only
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pieces", ["big", "small"])
def test_memory_without_end_is_refused_to_the_worker(method: str, pieces: str) -> None:
    with make_pool(1, method=method, growth=40_000_000) as pool:
        before = pool.worker_pids()
        tasks = [pieces, "none", pieces, "none"]
        answers = [result for _, result in pool.imap_unordered(work.survive, tasks)]
        assert answers == ["refused", "none", "refused", "none"]
        assert pool.worker_pids() == before
        refused: MemoryError | None = None
        try:
            ((_, ended),) = pool.imap_unordered(work.allocate, [pieces])
        except MemoryError as problem:
            refused = problem
        if refused is None:
            # Without any memory left Python itself may give up, now and then.
            assert pieces == "small"
            assert isinstance(ended, WorkerDied)
        else:
            assert "pool_tasks.py" in "".join(refused.__notes__)
            assert pool.losses == Losses()


def test_a_stopwatch_counts_from_the_second_look() -> None:
    watch = Stopwatch()
    assert watch.look({0: os.getpid()}, 10.0)[0].worked == 0.0
    work.work_for(0.1)
    assert watch.look({0: os.getpid()}, 10.1)[0].worked == 0.0  # from here on it is measured
    work.work_for(0.1)
    assert watch.look({0: os.getpid()}, 10.2)[0].worked == pytest.approx(0.1, abs=0.05)
    assert watch.look({1: os.getpid()}, 10.3)[1].worked == 0.0  # another task


@linux_only
def test_a_stopwatch_tells_work_from_waiting_and_from_a_stop() -> None:
    with make_pool(1) as pool:
        (pid,) = pool.worker_pids()
        list(pool.imap_unordered(work.square, [1]))
        time.sleep(0.1)  # it is idle, and waits
        watch = Stopwatch()
        for moment in (0.0, 0.1, 0.2, 10.0):  # 9.8 s: it was the parent that did not look
            (spent,) = watch.look({0: pid}, moment).values()
        assert (spent.worked, spent.stopped) == (pytest.approx(0.1 + 0.1 + 0.5), 0.0)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        (spent,) = watch.look({0: pid}, 10.4).values()
        assert (spent.worked, spent.stopped) == (pytest.approx(0.7), pytest.approx(0.4))
