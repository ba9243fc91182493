"""The guard around every test knows what the test left behind, and what other programs did."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guard import SHARED_MEMORY
from tests.parts import ROOT
from tests.test_pool import wait_until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists() or not SHARED_MEMORY.is_dir(),
    reason="looks into /proc and /dev/shm, which Linux has",
)

#: Every test but the last leaves something; in the last, others do.
TESTS = """
import multiprocessing, os, subprocess, sys, tempfile, time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from tests import guard

guard.GRACE_S = 0.3

def leave(pid, kind=""):
    Path(f"/dev/shm/{kind}bigbar_{pid}_test_guard").touch()

def test_segment():
    leave(os.getpid())

def test_semaphore_of_a_dead_child():
    child = subprocess.Popen(["true"])
    child.wait()
    leave(child.pid, "sem.")

def test_segment_in_hand():
    global held
    held = SharedMemory("test_guard_in_hand", create=True, size=8)

def test_folder():
    tempfile.mkdtemp(prefix=f"bigbar_{os.getpid()}_test_guard")

def test_child():
    subprocess.Popen(["sleep", "60"])

def test_orphan():
    subprocess.run(["sh", "-c", "sleep 60 >/dev/null 2>&1 &"])

def test_fork():
    os.fork() or os.execlp("sleep", "sleep", "60")

def test_worker():
    multiprocessing.get_context("spawn").Process(target=time.sleep, args=[60], daemon=True).start()

def test_others():
    Path("ready").touch()
    while not Path("made").exists():
        time.sleep(0.01)
"""


@contextlib.contextmanager
def by_another_program() -> Iterator[None]:
    """A segment and a folder of a run of this process, and what some other program has."""
    made = [
        SHARED_MEMORY / f"bigbar_{os.getpid()}_other_test_guard",
        SHARED_MEMORY / "psm_other_test_guard",
        SHARED_MEMORY / "sem.mp-other_test_guard",
    ]
    for path in made:
        path.touch()
    try:
        yield
    finally:
        for path in made:
            path.unlink()


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of the tests; what they left is removed."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "test_it.py").write_text(TESTS, encoding="utf-8")
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder),
                   "COLUMNS": "500"}  # fmt: skip
    with subprocess.Popen(
        [*line, "-rfE", "test_it.py"], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert wait_until((folder / "ready").exists, 60)
        with by_another_program():
            (folder / "made").touch()
            out, _ = process.communicate(timeout=60)
    for pid in re.findall(r"still running: \['(\d+) ", out):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), 9)
    for path in SHARED_MEMORY.glob("*test_guard"):
        path.unlink()
    return out


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("segment", r"left behind: \['/dev/shm/bigbar_\d+_test_guard'\]"),
        ("semaphore_of_a_dead_child", r"left behind: \['/dev/shm/sem.bigbar_\d+_test_guard'\]"),
        ("segment_in_hand", r"left behind: \['/dev/shm/test_guard_in_hand'\]"),
        ("folder", r"left behind: \['[^']*/bigbar_\d+_test_guard\w+'\]"),
        ("child", r"still running: \['\d+ \(sleeping\): sleep 60'\]"),
        ("orphan", r"still running: \['\d+ \(sleeping\): sleep 60'\]"),
        ("fork", r"still running: \['\d+ \(sleeping\): sleep 60'\]"),
        ("worker", r"still running: \['\d+ \(\w+\): \S+ (-B )?-c from multiprocessing.spawn"),
    ],
)
def test_what_a_test_left_is_laid_at_its_door(said, name, left):
    assert re.search(rf"^ERROR test_it.py::test_{name} - AssertionError: {left}", said, re.M), said


def test_nothing_else_is(said):
    assert "test_others" not in said
    assert said.splitlines()[-1].startswith("9 passed, 8 errors")
