"""Guards around every test: nothing may be left in shared memory, running, or on disk.

A test that hangs is ended by pytest-timeout (see `pyproject.toml`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

# Resource tracker and workers need a moment to notice that somebody has gone, in seconds.
GRACE_S = 2.0

SHARED_MEMORY = Path("/dev/shm")

# Processes that multiprocessing starts once and keeps.
TOLERATED = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")

# How long an example takes says nothing on a machine that others use as well.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


# Started in the background of a script, tests inherit an ignored Ctrl-C, and so would the programs
# that they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak", action="store_true", default=False, help="also run the tests marked soak"
    )
    parser.addoption(
        "--soak-faults", type=int, default=200, help="faults that the soak causes (200)"
    )
    parser.addoption("--soak-seed", type=int, default=1, help="of the soak's random numbers (1)")
    parser.addoption("--soak-report", help="a file for the soak's table")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    skip = pytest.mark.skip(reason="long: run with --soak")
    for item in items:
        if item.get_closest_marker("soak") is not None:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a shared-memory segment, a child process or a temporary folder."""
    files_before, processes_before = _segments() | _folders(), _children().keys()
    yield
    deadline = time.monotonic() + GRACE_S
    while True:
        new = (_segments() | _folders()) - files_before
        files = sorted(path for path in new if not _belongs_to_a_stranger(path))
        processes = [what for pid, what in _children().items() if pid not in processes_before]
        if (not files and not processes) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert not files, f"left behind: {files}"
    assert not processes, f"still running: {processes}"


def _segments() -> set[Path]:
    return set(SHARED_MEMORY.iterdir()) if SHARED_MEMORY.is_dir() else set()


def _folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("bigbar_*"))


def _children() -> dict[int, str]:
    found = {}
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            command = child.cmdline()
            if not any(word in part for part in command for word in TOLERATED):
                found[child.pid] = f"{child.pid} ({child.status()}): {' '.join(command)}"
    return found


def _belongs_to_a_stranger(path: Path) -> bool:
    """Whether a process outside this test run made it: another run on the same machine."""
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    if path.name.startswith("bigbar_"):
        maker = path.name.split("_")[1]  # A process id, if it is the program's.
        return not maker.isdigit() or (int(maker) not in ours and psutil.pid_exists(int(maker)))
    try:
        inode = path.stat().st_ino  # a semaphore is mapped under another name
    except FileNotFoundError:
        return True
    mapped = re.compile(rf"\b{inode} +{SHARED_MEMORY}/")
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            maps = Path(f"/proc/{process.pid}/maps").read_text(errors="replace")
            if process.pid not in ours and mapped.search(maps):
                return True
    return False


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small runs; not to be changed."""
    from history_tools import make_runs

    return make_runs(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def spoilable_runs(kept_runs: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(kept_runs, tmp_path / "copy"))
