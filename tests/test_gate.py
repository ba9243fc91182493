"""The gate before a pool: as many tasks as the throttle allows, and nobody ever waits for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from test_pool import METHODS, make_pool, posix_only, run_script, wait_until

from bigbar.executors.contract import WorkerDied
from bigbar.executors.throttle import Gate, Throttle
from tests import pool_tasks as work

pytestmark = [pytest.mark.alone, pytest.mark.timeout(60)]


def test_room() -> None:
    throttle = Throttle(3)
    assert [throttle.limit, throttle.room] == [3, 6]
    throttle.limit = 2
    assert throttle.room == 2


def test_the_gate_lets_through_as_many_as_there_is_room_for() -> None:
    throttle = Throttle(2)
    throttle.limit = 1
    gate = Gate("abcdef", throttle)
    through: list[tuple[int, str]] = []
    passing = threading.Thread(target=lambda: through.extend(gate))
    passing.start()

    assert wait_until(lambda: gate.underway == 1, 2)
    assert not wait_until(lambda: gate.underway != 1, 0.1)
    gate.finished()
    assert wait_until(lambda: gate.underway == 1, 2)
    throttle.limit = 2  # nobody wakes it: it looks by itself
    assert wait_until(lambda: gate.underway == 4, 2)
    assert not wait_until(lambda: gate.underway != 4, 0.1)
    gate.finished()
    passing.join(2)
    assert through == list(enumerate("abcdef"))


def test_a_closed_gate_lets_nothing_through() -> None:
    gate = Gate(range(3), Throttle(1))
    gate.close()
    assert list(gate) == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_more_are_worked_on_than_the_throttle_allows(
    method: str, limit: int, tmp_path: Path
) -> None:
    throttle = Throttle(3)
    throttle.limit = limit
    most = 0
    tasks = [(str(tmp_path), number, 0.05) for number in range(15)]
    with make_pool(3, method=method) as pool:
        there: set[int] = set()
        while len(there) < 3:  # else the first to start may do all of it
            there.update(pid for _, pid in pool.imap_unordered(work.whoami, range(9)))
        done = threading.Event()
        seen: list[int] = []

        def look() -> None:
            while not done.wait(0.002):
                seen.append(pool.running())

        watch = threading.Thread(target=look)
        watch.start()
        try:
            found = sorted(pool.imap_unordered(work.note_and_work, tasks, throttle=throttle))
        finally:
            done.set()
            watch.join()
        most = max(seen)
    assert found == [(task, task[1]) for task in tasks]
    assert most == limit


def test_the_throttle_can_be_moved_while_tasks_run() -> None:
    throttle = Throttle(2)
    with make_pool(2) as pool:
        counts: dict[int, set[int]] = {1: set(), 2: set()}
        answers = pool.imap_unordered(work.slow_square, range(100), throttle=throttle)
        for done, _ in enumerate(answers):
            throttle.limit = 1 if 30 <= done < 60 else 2
            time.sleep(0.008)  # the next one has begun
            if done not in range(30, 35):  # what was handed out before is finished
                counts[throttle.limit].add(pool.running())
    assert max(counts[1]) == 1
    assert max(counts[2]) == 2


@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_dies_behind_the_gate(method: str, tmp_path: Path) -> None:
    throttle = Throttle(2)
    throttle.limit = 1
    tasks = [(str(tmp_path), number) for number in range(12)]
    with make_pool(method=method) as pool:
        found = sorted(pool.imap_unordered(work.die_once_at, tasks, throttle=throttle))
        assert pool.losses.deaths == 1
    assert found == [(task, task[1]) for task in tasks]


@posix_only
def test_a_task_that_kills_behind_the_gate() -> None:
    throttle = Throttle(2)
    throttle.limit = 1
    with make_pool() as pool:
        tasks = [(12, 15), (0, 12), (15, 30)]
        found = dict(pool.imap_unordered(work.add_up, tasks, split=work.halves, throttle=throttle))
    assert found[13, 14] == WorkerDied(-9, 2)
    assert (
        sum(result for result in found.values() if isinstance(result, int)) == sum(range(30)) - 13
    )


@pytest.mark.parametrize("method", METHODS)
def test_left_early_with_tasks_before_the_gate(method: str) -> None:
    throttle = Throttle(2)
    throttle.limit = 1
    with make_pool(method=method) as pool:
        for _ in pool.imap_unordered(work.sleep, [0.0, *[30.0] * 50], throttle=throttle):
            began = time.monotonic()
            break
    assert time.monotonic() - began < 1.0


@posix_only
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_the_gate_is_shut(method: str, number: int) -> None:
    body = """
        import os, signal, sys, threading
        from bigbar.executors.throttle import Throttle
        from bigbar.errors import Interrupted
        from bigbar.executors.local import WorkerPool
        from tests import pool_tasks as work

        def stop(number, frame):
            raise Interrupted(number)

        signal.signal(signal.SIGTERM, stop)
        throttle = Throttle(2)
        throttle.limit = 1
        try:
            with WorkerPool(2, start_method=sys.argv[1], initializer=None) as pool:
                rounds = pool.imap_unordered(
                    work.sleep, [0.0, 0.0] + [60.0] * 50, throttle=throttle
                )
                next(rounds), next(rounds)
                print("shut", flush=True)
                next(rounds)
        except (KeyboardInterrupt, Interrupted):
            print("left with", [thread.name for thread in threading.enumerate()])
    """
    with run_script(body, method) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "shut\n"
        os.killpg(process.pid, number)
        sent = time.monotonic()
        out, errors = process.communicate(timeout=10)
        assert time.monotonic() - sent < 2
    assert out.strip() == "left with ['MainThread']", errors


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_interrupt_at_any_moment_with_a_gate(method: str) -> None:
    """Ctrl-C again and again while tasks go through a gate that moves: no thread stays, no hang."""
    body = """
        import os, random, signal, sys, threading, time
        from bigbar.executors.throttle import Throttle
        from bigbar.executors.local import WorkerPool
        from tests import pool_tasks as work

        rng = random.Random(11)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for turn in range(int(sys.argv[2])):
            throttle = Throttle(2)
            moment = rng.uniform(0.02, 0.1 if sys.argv[1] == "fork" else 1.0)
            thread = threading.Timer(moment, os.kill, (os.getpid(), signal.SIGINT))
            thread.start()
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                with WorkerPool(2, start_method=sys.argv[1], initializer=None) as pool:
                    for number, _ in pool.imap_unordered(
                        work.square, range(100_000), throttle=throttle
                    ):
                        throttle.limit = 1 + number % 2
            except KeyboardInterrupt:
                pass
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            thread.join()
            names = [thread.name for thread in threading.enumerate()]
            assert not any("_handle_tasks" in name for name in names), (turn, names)
        print("clean")
    """
    with run_script(body, method, "25" if method == "fork" else "4") as process:
        out, errors = process.communicate(timeout=50)
    assert out.strip() == "clean", errors
