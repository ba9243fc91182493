"""Nothing is left behind: every signal that ends a run, and what the next run finds and removes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
from test_pool import gone, run_script, wait_until

from bigbar.sharing.frames import publish
from bigbar.sharing.leftovers import SHARED_MEMORY, new_folder, new_segment_name, remove_leftovers

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as Linux does it"),
]

ROOT = Path(__file__).resolve().parents[1]
METHODS = ["fork", "spawn", "forkserver"]

BUSY = """
    import sys
    import numpy as np, pandas as pd
    from bigbar.interrupts import signals_raised
    from bigbar.errors import Interrupted
    from bigbar.executors.local import WorkerPool
    from bigbar.sharing.frames import attach, publish
    from tests import pool_tasks as work

    frame = pd.DataFrame({"a": np.arange(1000.0)})
    try:
        with signals_raised(), publish(frame) as shared, WorkerPool(
            2, start_method=sys.argv[1], initializer=attach, initargs=(shared.descriptor,)
        ) as pool:
            rounds = pool.imap_unordered(work.sleep, [0.0, 0.0] + [60.0] * 6)
            next(rounds), next(rounds)
            print(shared.descriptor.block.name, *pool.worker_pids(), flush=True)
            next(rounds)
    except Interrupted as stopped:
        print("stopped", stopped.signal_number, len(pool.worker_pids()))
        sys.exit(stopped.exit_code)
"""


@contextlib.contextmanager
def busy(
    *arguments: str, temporary: Path, prefix: tuple[str, ...] = ()
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process with two workers, at work, and their ids; all of it is ended at last."""
    body = f"import os, tempfile\ntempfile.tempdir = {str(temporary)!r}\n"
    script = run_script(
        "\n".join([*(" " * 4 + line for line in body.splitlines()), BUSY]),
        *arguments,
        prefix=list(prefix),
    )
    with script as process:
        assert process.stdout is not None
        line = process.stdout.readline().split()
        assert line, process.communicate()[1]
        try:
            yield process, [int(word) for word in line[1:]]
        finally:
            for one in family(process.pid):
                with contextlib.suppress(psutil.Error):
                    one.kill()


def family(session: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def tracker_of(session: int) -> psutil.Process:
    (tracker,) = [one for one in family(session) if "resource_tracker" in " ".join(one.cmdline())]
    return tracker


def left_by(pid: int, temporary: Path) -> list[str]:
    """Segments, semaphores, and folders for temporary files."""
    shared = [path.name for path in SHARED_MEMORY.iterdir() if f"bigbar_{pid}_" in path.name]
    return shared + [path.name for path in temporary.iterdir()]


@pytest.mark.parametrize(
    ("method", "number", "group"),
    [
        ("fork", signal.SIGHUP, True),
        ("fork", signal.SIGQUIT, True),
        ("fork", signal.SIGHUP, False),
        ("spawn", signal.SIGQUIT, False),
        ("forkserver", signal.SIGHUP, True),
    ],
)
def test_a_closed_terminal_and_sigquit(method, number, group, tmp_path):
    with busy(method, temporary=tmp_path) as (process, workers):
        assert left_by(process.pid, tmp_path)
        (os.killpg if group else os.kill)(process.pid, number)
        out, errors = process.communicate(timeout=20)
        assert wait_until(lambda: all(map(gone, workers)), 5)
        assert wait_until(lambda: not family(process.pid), 5)
    assert (out, errors) == (f"stopped {number:d} 0\n", "")
    assert process.returncode == 128 + number
    assert not left_by(process.pid, tmp_path)


@pytest.mark.slow
def test_a_sighup_that_is_ignored_at_the_start_stays_ignored(tmp_path):
    """As under `nohup`."""
    ignoring = (sys.executable, "-c", "import os, signal, sys; signal.signal(signal.SIGHUP, "
                "signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])")  # fmt: skip
    with busy("fork", temporary=tmp_path, prefix=ignoring) as (process, workers):
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None
        assert not any(map(gone, workers))
        os.kill(process.pid, signal.SIGTERM)
        out, errors = process.communicate(timeout=20)
    assert (out, errors) == ("stopped 15 0\n", "")


@pytest.mark.parametrize("method", METHODS)
def test_without_a_tracker_orphans_clean_up(method, tmp_path):
    with busy(method, temporary=tmp_path) as (process, workers):
        tracker_of(process.pid).kill()
        process.kill()
        assert wait_until(lambda: all(map(gone, workers)), 10)
        errors = process.communicate(timeout=20)[1]
        assert wait_until(lambda: not left_by(process.pid, tmp_path), 5), left_by(
            process.pid, tmp_path
        )
    assert "Traceback" not in errors


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_run_whose_tracker_was_killed_ends_without_tracebacks(method, tmp_path):
    with busy(method, temporary=tmp_path) as (process, _):
        tracker_of(process.pid).kill()
        os.kill(process.pid, signal.SIGTERM)
        out, errors = process.communicate(timeout=20)
    assert out == "stopped 15 0\n"
    assert "Traceback" not in errors
    assert not left_by(process.pid, tmp_path)


@pytest.mark.slow
def test_a_fork_server_that_is_killed_takes_nothing_along(tmp_path):
    """Its workers go; their parent lives, and still has its data."""
    with busy("forkserver", temporary=tmp_path) as (process, workers):
        server = psutil.Process(workers[0]).parent()
        assert server is not None
        assert server.pid != process.pid
        segments = {name for name in left_by(process.pid, tmp_path) if "sem." not in name}
        server.kill()
        assert wait_until(lambda: all(map(gone, workers)), 10)
        time.sleep(0.3)
        assert sum(name in segments for name in left_by(process.pid, tmp_path)) >= 2
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)


def kill_all(session: int) -> None:
    for _ in range(2):  # Who was about to be born is seen the second time.
        for process in family(session):
            with contextlib.suppress(psutil.Error):
                process.kill()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_next_run_removes_what_nobody_was_left_to_remove(method, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with busy(method, temporary=tmp_path) as (process, _):
        before = left_by(process.pid, tmp_path)
        remove_leftovers()
        assert left_by(process.pid, tmp_path) == before, "its owner lives"
        for one in family(process.pid):
            one.suspend()  # So that none of them sees another one die.
        kill_all(process.pid)
        process.communicate(timeout=20)
    assert {name for name in before if "pymp" not in name} <= set(left_by(process.pid, tmp_path))
    remove_leftovers()
    assert [name for name in left_by(process.pid, tmp_path) if "pymp" not in name] == []


def test_workers_that_live_on_keep_what_they_were_forked_with(tmp_path):
    """Until they have noticed that their parent has been killed."""
    with busy("fork", temporary=tmp_path) as (process, workers):
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        process.kill()
        process.wait()
        remove_leftovers()
        assert len(left_by(process.pid, tmp_path)) == 2, "the data and its description"
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        assert wait_until(lambda: not left_by(process.pid, tmp_path), 5)


def can_unshare(*what: str) -> bool:
    line = ["unshare", *what, "true"]
    if shutil.which("unshare") is None:
        return False
    return not subprocess.run(line, capture_output=True, check=False).returncode


NO_SHARED_MEMORY = (
    "unshare", "-m", "sh", "-c",
    'mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs /dev/shm && exec "$@"', "sh",
)  # fmt: skip


@pytest.mark.skipif(not can_unshare("-m"), reason="needs the right to mount")
def test_the_file_that_takes_the_place_of_shared_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with busy("fork", temporary=tmp_path, prefix=NO_SHARED_MEMORY) as (process, _):
        folders = left_by(process.pid, tmp_path)
        assert folders
        remove_leftovers()
        assert left_by(process.pid, tmp_path) == folders
        for one in family(process.pid):
            one.suspend()
        kill_all(process.pid)
        process.communicate(timeout=20)
    assert left_by(process.pid, tmp_path) == folders
    remove_leftovers()
    assert list(tmp_path.iterdir()) == []


def sweep() -> set[str]:
    remove_leftovers()
    return set(os.listdir(SHARED_MEMORY))


@pytest.mark.skipif(not can_unshare("-p", "-f"), reason="needs a process namespace of its own")
def test_what_a_container_owns_that_shares_the_folder_stays(tmp_path):
    """There its process id is another one, which here is nobody's, or somebody else's."""
    inside = ("unshare", "-p", "-f", "--mount-proc")
    with busy("fork", temporary=tmp_path, prefix=inside) as (_, _workers):
        names = [name for name in os.listdir(SHARED_MEMORY) if name.startswith("bigbar_1_")]
        assert names
        remove_leftovers()
        assert set(names) <= set(os.listdir(SHARED_MEMORY))
    assert wait_until(lambda: not sweep() & set(names), 5)


@contextlib.contextmanager
def unlocked_segment() -> Iterator[Path]:
    """One that has no owner, though there is a process of the number in its name: ours."""
    path = SHARED_MEMORY / new_segment_name()
    path.write_bytes(b"0" * 4096)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def test_a_process_id_that_was_given_to_another_process_protects_nothing():
    with unlocked_segment() as path, publish(pd.DataFrame({"a": [1.0]})) as ours:
        remove_leftovers()
        assert not path.exists()
        assert all((SHARED_MEMORY / name).exists() for name in ours.descriptor.names)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_what_belongs_to_another_user_stays():
    with unlocked_segment() as path:
        os.chown(path, 12345, -1)
        remove_leftovers()
        assert path.exists()


def test_what_only_looks_like_a_segment_stays(tmp_path, monkeypatch):
    """A name of somebody's own, one without the mark of a lock, and a link."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = [tmp_path / "bigbar_results", tmp_path / "bigbar_7_abcdefgh"]
    for folder in kept:
        folder.mkdir()
    target = tmp_path / "mine"
    target.mkdir()
    link = tmp_path / f"bigbar_7_k{'a' * 8}"
    link.symlink_to(target)
    remove_leftovers()
    assert all(path.exists() for path in (*kept, target, link))


def test_the_folder_of_a_process_that_was_killed_while_it_drew(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = (
        "import os, signal\n"
        "from bigbar.sharing.leftovers import temporary_folder\n"
        "with temporary_folder() as folder:\n"
        "    (folder / 'scratch.html').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    line = [sys.executable, "-c", script]
    subprocess.run(line, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert list(tmp_path.iterdir())
    remove_leftovers()
    assert not list(tmp_path.iterdir())


def test_a_folder_is_removed_when_its_lock_is_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder, descriptor = new_folder()
    (folder / "block").write_bytes(b"0")
    remove_leftovers()
    assert folder.exists()
    assert descriptor is not None
    os.close(descriptor)
    remove_leftovers()
    assert not folder.exists()
