"""The watch over the worker pool: every kind of death is caused for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from bigbar.errors import WorkersLostError
from bigbar.executors.contract import WorkerDied
from bigbar.executors.inside_process import run_while_parent_lives
from bigbar.executors.local import WorkerPool
from tests import commands
from tests import pool_tasks as work

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).resolve().parents[1]

METHODS = ["fork", "spawn"]

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


def make_pool(
    workers: int = 2,
    *,
    method: str | None = "fork",
    initializer: Callable[..., object] | None = None,
    initargs: tuple[object, ...] = (),
    growth: int | None = None,
    events: list[str] | None = None,
) -> WorkerPool:
    return WorkerPool(
        workers,
        start_method=method,
        initializer=initializer,
        initargs=initargs,
        growth=growth,
        on_event=None if events is None else events.append,
    )


@pytest.mark.parametrize("method", METHODS)
def test_every_task_yields_once(method: str) -> None:
    with make_pool(method=method, initializer=work.remember, initargs=("hello",)) as pool:
        assert pool.kind == "processes"
        assert len(pool.worker_pids()) == 2
        found = list(pool.imap_unordered(work.square, range(1000)))
        assert sorted(found) == [(n, n * n) for n in range(1000)]
        assert set(pool.imap_unordered(work.recall, range(3))) == {(n, "hello") for n in range(3)}
    assert pool.worker_pids() == []


def test_no_tasks() -> None:
    with make_pool() as pool:
        assert list(pool.imap_unordered(work.square, [])) == []


def test_refuses_no_workers_and_use_after_close() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        make_pool(0)
    with make_pool() as pool:
        pass
    with pytest.raises(ValueError, match="closed"):
        list(pool.imap_unordered(work.square, [1]))


def test_one_round_at_a_time() -> None:
    with make_pool() as pool:
        rounds = pool.imap_unordered(work.slow_square, range(100))
        next(rounds)
        with pytest.raises(RuntimeError, match="still busy"):
            next(pool.imap_unordered(work.square, [1]))
        rounds.close()  # type: ignore[attr-defined]
        assert list(pool.imap_unordered(work.square, [4])) == [(4, 16)]


@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_idle_worker_killed(method: str) -> None:
    events: list[str] = []
    with make_pool(method=method, events=events) as pool:
        list(pool.imap_unordered(work.square, range(10)))
        # Both idle: one of them waits for work with the queue's lock in its hand.
        for pid in pool.worker_pids():
            os.kill(pid, signal.SIGKILL)
        found = sorted(pool.imap_unordered(work.square, range(50)))
    assert found == [(n, n * n) for n in range(50)]
    assert any("was killed (signal 9)" in line for line in events)


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_busy_worker_killed(method: str) -> None:
    events: list[str] = []
    with make_pool(method=method, events=events) as pool:
        victim = pool.worker_pids()[0]
        found = []
        for task, result in pool.imap_unordered(work.slow_square, range(60)):
            found.append((task, result))
            if len(found) == 10:
                os.kill(victim, signal.SIGKILL)
        assert victim not in pool.worker_pids()
    assert sorted(found) == [(n, n * n) for n in range(60)]
    assert [line for line in events if line.startswith(f"worker {victim} was killed (signal 9)")]


@pytest.mark.slow
@posix_only
def test_a_death_is_noticed_at_once() -> None:
    with make_pool() as pool:
        killer = threading.Timer(0.3, os.kill, (pool.worker_pids()[1], signal.SIGKILL))
        killer.start()
        started = time.monotonic()
        assert sorted(pool.imap_unordered(work.sleep, [0.5, 0.6])) == [(0.5, 0.5), (0.6, 0.6)]
        assert time.monotonic() - started < 2.0
        killer.join()


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_worker_killed_while_it_sends(method: str, tmp_path: Path) -> None:
    tasks = [(str(tmp_path), number) for number in range(4)]
    with make_pool(method=method) as pool:
        for (_, number), result in pool.imap_unordered(work.die_sending, tasks):
            assert result.shape == (4_000_000,)
            assert np.all(result == number)
            tasks.remove((str(tmp_path), number))
    assert not tasks
    assert len(list(tmp_path.iterdir())) == 1


@posix_only
def test_worker_that_dies_after_the_last_result_is_replaced_for_the_next_round() -> None:
    events: list[str] = []
    with make_pool(1, events=events) as pool:
        round_ = pool.imap_unordered(work.square_and_die_later, [2, 3])
        assert next(round_) == (2, 4)
        time.sleep(0.6)  # By now the other result is here, its worker dead, and the death unseen.
        assert dict(round_) == {3: 9}
        assert len(events) == 1
        assert "starting another" in events[0]
        assert dict(pool.imap_unordered(work.square, [4])) == {4: 16}


@posix_only
def test_task_that_kills_once_is_just_run_again(tmp_path: Path) -> None:
    tasks = [(str(tmp_path), number) for number in range(20)]
    with make_pool() as pool:
        found = sorted(pool.imap_unordered(work.die_once_at, tasks))
    assert found == [(task, task[1]) for task in tasks]


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_guilty_element_is_found(method: str) -> None:
    size = 64 if method == "fork" else 16
    tasks = [(start, start + size // 4) for start in range(0, size, size // 4)]
    events: list[str] = []
    with make_pool(method=method, events=events) as pool:
        found = dict(pool.imap_unordered(work.add_up, tasks, split=work.halves))
    dead = {task: result for task, result in found.items() if isinstance(result, WorkerDied)}
    assert set(dead) == {(n, n + 1) for n in (13, 37) if n < size}
    assert set(dead.values()) == {WorkerDied(exitcode=-9, deaths=2)}
    assert WorkerDied(-9, 2).describe() == "was killed (signal 9)"
    covered = sorted(number for piece in found for number in range(*piece))
    assert covered == list(range(size))
    assert all(found[piece] == sum(range(*piece)) for piece in found.keys() - dead.keys())
    assert any("smaller pieces" in line for line in events)
    assert any("leaving it out" in line for line in events)


@pytest.mark.slow
@posix_only
def test_without_split_the_task_is_given_up() -> None:
    with make_pool() as pool:
        found = dict(pool.imap_unordered(work.leave, [7]))
        assert found == {7: WorkerDied(exitcode=7, deaths=2)}
        assert dict(pool.imap_unordered(work.system_exit, [1])) == {1: WorkerDied(5, 2)}
        assert dict(pool.imap_unordered(work.square, [3])) == {3: 9}


@posix_only
def test_finished_tasks_are_not_run_again(tmp_path: Path) -> None:
    tasks = [(str(tmp_path), number) for number in range(10)]
    with make_pool() as pool:
        found = dict(pool.imap_unordered(work.note_and_die_at_9, tasks))
    assert isinstance(found.pop(tasks[9]), WorkerDied)
    assert found == {task: task[1] for task in tasks[:9]}
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        str(number): "x" for number in range(9)
    }


@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_initializer_that_kills(method: str) -> None:
    started = time.monotonic()
    with (
        make_pool(method=method, initializer=work.kill_self) as pool,
        pytest.raises(WorkersLostError, match=r"3 times.*signal 9.*out-of-memory"),
    ):
        list(pool.imap_unordered(work.square, range(5)))
    assert time.monotonic() - started < 15


def test_initializer_that_raises() -> None:
    with (
        make_pool(initializer=work.fail, initargs=(1,)) as pool,
        pytest.raises(LookupError, match="no such thing"),
    ):
        list(pool.imap_unordered(work.square, range(5)))


@pytest.mark.parametrize("method", METHODS)
def test_exception_comes_through(method: str) -> None:
    with make_pool(method=method) as pool:
        with pytest.raises(LookupError, match="no such thing") as caught:
            list(pool.imap_unordered(work.fail, range(5)))
        assert "pool_tasks.py" in "".join(caught.value.__notes__)
        assert dict(pool.imap_unordered(work.square, [3])) == {3: 9}


def test_what_cannot_be_pickled() -> None:
    with make_pool() as pool:
        with pytest.raises(RuntimeError, match="NotTwice: 1 and 2"):
            list(pool.imap_unordered(work.raise_not_twice, [1]))
        with pytest.raises(Exception, match="Error sending result"):
            list(pool.imap_unordered(work.return_unpicklable, [1]))
        with pytest.raises(Exception, match=r"(?i)pickle"):
            list(pool.imap_unordered(work.square, [lambda: None]))
        assert dict(pool.imap_unordered(work.square, [3])) == {3: 9}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_result_that_cannot_be_read() -> None:
    with make_pool() as pool, pytest.raises(WorkersLostError, match="not unpickled"):
        list(pool.imap_unordered(work.return_unreadable, [1]))


@pytest.mark.parametrize("method", METHODS)
def test_left_early(method: str) -> None:
    started = 0.0
    with make_pool(method=method) as pool:
        for _ in pool.imap_unordered(work.sleep, [0.0, 30.0, 30.0, 30.0]):
            started = time.monotonic()
            break
    assert time.monotonic() - started < 1.0


def test_two_pools_at_once() -> None:
    """The second one's forked workers hold the pipes of the first one open."""
    with make_pool() as first:
        assert dict(first.imap_unordered(work.square, [2])) == {2: 4}
        with make_pool() as second:
            started = time.monotonic()
            first.close()
            assert time.monotonic() - started < 2
            assert dict(second.imap_unordered(work.square, [3])) == {3: 9}


def test_big_results() -> None:
    with make_pool() as pool:
        for number, result in pool.imap_unordered(work.big_result, range(12)):
            assert result.shape == (1_000_000,)
            assert result[-1] == number


def run_script(
    body: str, *arguments: str, prefix: list[str] | None = None
) -> subprocess.Popen[str]:
    """Start a script in a process (and a process group) of its own."""
    script = textwrap.dedent(body)
    return commands.Command(
        [*(prefix or []), sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


BUSY = """
    import os, signal, sys
    import numpy as np, pandas as pd
    from bigbar.errors import Interrupted
    from bigbar.executors.local import WorkerPool
    from bigbar.sharing.frames import attach, publish
    from tests import pool_tasks as work

    def stop(number, frame):
        raise Interrupted(number)

    signal.signal(signal.SIGTERM, stop)
    frame = pd.DataFrame({"a": np.arange(1000.0)})
    try:
        with publish(frame) as shared, WorkerPool(
            2, start_method=sys.argv[1], initializer=attach, initargs=(shared.descriptor,)
        ) as pool:
            rounds = pool.imap_unordered(work.sleep, [0.0, 0.0] + [60.0] * 6)
            next(rounds), next(rounds)
            print(*pool.worker_pids(), *shared.descriptor.names, flush=True)
            next(rounds)
    except KeyboardInterrupt:
        print("interrupted", len(pool.worker_pids()))
    except Interrupted as stopped:
        print("stopped", stopped.signal_number, len(pool.worker_pids()))
"""


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def started(process: subprocess.Popen[str]) -> tuple[list[int], list[Path]]:
    assert process.stdout is not None
    line = process.stdout.readline().split()
    assert line, process.communicate()[1]
    pids = [int(word) for word in line if word.isdigit()]
    return pids, [Path("/dev/shm") / word for word in line if not word.isdigit()]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_parent_killed(method: str) -> None:
    with run_script(BUSY, method) as process:
        pids, segments = started(process)
        assert len(pids) == 2
        assert all(path.exists() for path in segments)
        process.kill()
        process.wait()
        assert wait_until(lambda: all(map(gone, pids)), 4)
        assert wait_until(lambda: not any(path.exists() for path in segments), 4)


@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_a_result_for_a_parent_that_was_killed(method: str) -> None:
    """No worker prints a traceback; Python's resource tracker says what it cleans up."""
    body = """
        import sys
        from bigbar.executors.local import WorkerPool
        from tests import pool_tasks as work

        with WorkerPool(4, start_method=sys.argv[1], initializer=None) as pool:
            for number, _ in enumerate(pool.imap_unordered(work.sleep, [0.002] * 9999)):
                if number == 4:
                    print("begun", flush=True)
    """
    with run_script(body, method) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.kill()
        errors = process.stderr.read()  # Ends when the last worker has closed it.
    assert "Traceback" not in errors


def test_only_a_broken_pipe_is_passed_over() -> None:
    def fail(error: Exception) -> None:
        raise error

    run_while_parent_lives(fail, BrokenPipeError())
    with pytest.raises(ValueError, match="another"):
        run_while_parent_lives(fail, ValueError("another"))


@posix_only
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("number", "answer"), [(signal.SIGINT, "interrupted 0"), (signal.SIGTERM, "stopped 15 0")]
)
def test_signals_to_the_whole_group(method: str, number: int, answer: str) -> None:
    with run_script(BUSY, method) as process:
        pids, segments = started(process)
        os.killpg(process.pid, number)
        sent = time.monotonic()
        out, errors = process.communicate(timeout=10)
        assert time.monotonic() - sent < 2
    assert out.strip() == answer
    assert "Traceback" not in errors
    assert all(map(gone, pids))
    assert not any(path.exists() for path in segments)


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_interrupt_at_any_moment(method: str) -> None:
    """Ctrl-C again and again, during start-up, work and clean-up alike: nothing survives."""
    body = """
        import os, random, signal, sys, threading, time
        import psutil
        from bigbar.executors.local import WorkerPool
        from tests import pool_tasks as work
        from tests.processes import living_workers

        # Python itself reports an interrupt that met a finalizer, where nothing can be raised.
        report = sys.unraisablehook
        sys.unraisablehook = lambda dropped: (
            None if isinstance(dropped.exc_value, KeyboardInterrupt) else report(dropped)
        )
        rng = random.Random(int(sys.argv[2]))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        def pester(delays):
            for delay in delays:
                time.sleep(delay)
                os.kill(os.getpid(), signal.SIGINT)
        def ours():
            return living_workers(psutil.Process())
        def calm(thread):
            while True:
                try:
                    thread.join()
                    return signal.signal(signal.SIGINT, signal.SIG_IGN)
                except KeyboardInterrupt:
                    pass
        for turn in range(int(sys.argv[3])):
            first = rng.uniform(0.0, 0.15 if sys.argv[1] == "fork" else 0.6)
            thread = threading.Thread(target=pester, args=([first, 0.001, 0.003],))
            thread.start()
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                with WorkerPool(2, start_method=sys.argv[1], initializer=None) as pool:
                    for _ in pool.imap_unordered(work.sleep, [0.01] * 100):
                        pass
            except KeyboardInterrupt:
                pass
            finally:
                calm(thread)
            assert not ours(), (turn, first, ours())
        print("clean")
    """
    turns = "25" if method == "fork" else "4"
    with run_script(body, method, "7", turns) as process:
        out, errors = process.communicate(timeout=50)
    assert out.strip() == "clean", errors
    assert not errors  # nor anything left for the resource tracker to complain of


def without_semaphores() -> list[str]:
    """A command prefix under which /dev/shm takes nothing at all, or a skip."""
    command = ["unshare", "-m", "sh", "-c"]
    setup = 'mount -t tmpfs -o size=64k,nr_inodes=1 none /dev/shm && exec "$@"'
    try:
        probe = subprocess.run([*command, setup, "sh", "true"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if probe.returncode:
        pytest.skip(f"a private /dev/shm is not permitted here: {probe.stderr.strip()}")
    return [*command, setup, "sh"]


def test_threads_where_processes_cannot_be_had() -> None:
    body = """
        import os, signal, time
        from bigbar.interrupts import signals_raised
        from bigbar.errors import Interrupted
        from bigbar.executors.local import WorkerPool
        from tests import pool_tasks as work

        class Dying:
            def __del__(self):
                signal.raise_signal(signal.SIGTERM)

        events = []
        with WorkerPool(
            2, start_method="fork", initializer=work.remember, initargs=("hi",),
            on_event=events.append,
        ) as pool:
            assert pool.kind == "threads" and pool.worker_pids() == []
            assert sorted(pool.imap_unordered(work.square, range(99))) == [
                (n, n * n) for n in range(99)
            ]
            assert set(pool.imap_unordered(work.recall, range(3))) == {(n, "hi") for n in range(3)}
            for function, kind in (work.fail, LookupError), (work.system_exit, Exception):
                try:
                    list(pool.imap_unordered(function, range(3)))
                except kind as error:
                    print(error)
            started = time.monotonic()
            for _ in pool.imap_unordered(work.sleep, [0.0, 2.0, 2.0]):
                break
            assert list(pool.imap_unordered(work.square, [3])) == [(3, 9)]
            with signals_raised():
                try:
                    for _ in pool.imap_unordered(work.sleep, [0.0, 9.0]):
                        Dying()  # what the handler raises goes nowhere from there
                except Interrupted as stopped:
                    print(stopped)
        assert time.monotonic() - started < 2, time.monotonic() - started
        print(events)
    """
    with run_script(body, prefix=without_semaphores()) as process:
        out, errors = process.communicate(timeout=30)
    assert "no worker processes can be had" in out, errors
    assert "no such thing" in out
    assert "stopped by signal 15" in out
    assert "Traceback" not in errors


@posix_only
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("method", METHODS)
def test_soak_of_random_kills(method: str) -> None:
    """Somebody keeps killing workers at random; the answer is complete all the same."""
    rng = np.random.default_rng(3)
    stop = threading.Event()
    with make_pool(3, method=method) as pool:

        def murder() -> None:
            while not stop.wait(rng.uniform(0.3, 1.5)):
                for pid in pool.worker_pids()[:1]:
                    os.kill(pid, signal.SIGKILL)

        murderer = threading.Thread(target=murder)
        murderer.start()
        try:
            found = sorted(pool.imap_unordered(work.slow_square, range(2000)))
        finally:
            stop.set()
            murderer.join()
    answered = [item for item in found if not isinstance(item[1], WorkerDied)]
    assert [task for task, _ in found] == list(range(2000))
    assert len(answered) >= 1990


@posix_only
@pytest.mark.parametrize("method", METHODS)
def test_tasks_that_nobody_took_leave_without_a_word(method: str) -> None:
    """Python tells in this mode, and from 3.13 on always, of an end that goes wrong."""
    body = """
        import gc, sys
        from bigbar.executors.local import WorkerPool
        from tests import pool_tasks as work

        with WorkerPool(2, start_method=sys.argv[1], initializer=None) as pool:
            tasks = ([60.0, "x" * 1000] for _ in range(1000))
            for _ in pool.imap_unordered(work.sleep_first, [[0.0, ""], *tasks]):
                break
        gc.collect()
        print("left")
    """
    with run_script(body, method, prefix=["env", "PYTHONDEVMODE=1"]) as process:
        out, errors = process.communicate(timeout=50)
    assert (out.strip(), errors) == ("left", "")
