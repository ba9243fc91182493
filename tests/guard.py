"""What a test leaves behind: segments, processes and folders of its own, and nobody else's.

Other programs use this machine as well, other tests side by side with this one among them. What
counts as left behind is therefore what can be shown to come from here: the program's segments and
folders have in their names the id of the process that made them, and every process that was
started from here, or from one of those, has a mark in its environment.
"""

from __future__ import annotations

import contextlib
import multiprocessing.util
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

# Resource tracker and workers need a moment to notice that somebody has gone, in seconds; on a busy
# machine some more. Only what does stay is waited for so long.
GRACE_S = 20.0

SHARED_MEMORY = Path("/dev/shm")

# Processes that multiprocessing starts once and keeps. The first starts no others.
_TRACKER = "multiprocessing.resource_tracker"
TOLERATED = (_TRACKER, "multiprocessing.forkserver")

# In the environment of what is started from here; each of several pytests side by side has its own.
MARK = f"BIGBAR_TESTED_BY_{os.getpid()}"
os.environ[MARK] = "1"

# The program's segments, semaphores and folders.
_NAME = re.compile(r"(?:sem\.)?bigbar_(\d+)_")

# Who made something may be gone when it is found.
_started = {os.getpid()}

# How many processes were started in any way. To look at all of the machine takes milliseconds,
# which thousands of tests that start none need not pay.
_starts = 0

# What is to live as long as the tests.
_spared: set[int] = set()
_start = subprocess.Popen.__init__
_spawn = multiprocessing.util.spawnv_passfds


def _count() -> None:
    global _starts
    _starts += 1


def _start_noted(self: subprocess.Popen, *args: object, **options: object) -> None:  # type: ignore[type-arg]
    _count()
    _start(self, *args, **options)  # type: ignore[call-overload]
    _started.add(self.pid)


def _spawn_noted(*given: object) -> int:
    _count()
    return int(_spawn(*given))  # type: ignore[arg-type]


subprocess.Popen.__init__ = _start_noted  # type: ignore[method-assign]
multiprocessing.util.spawnv_passfds = _spawn_noted
os.register_at_fork(after_in_parent=_count)


def spare(pid: int) -> None:
    """Let a process outlive the test that starts it."""
    _spared.add(pid)


class Guard:
    """Looks around now, and once more at the end."""

    def __init__(self) -> None:
        self._begun = len(_started)
        self._files = _segments() | _folders()
        self._processes = set(_descendants_by_now())

    def left_behind(self, grace_s: float | None = None) -> tuple[list[str], list[str]]:
        """What has come and not gone since, after some moments' grace.

        Parameters
        ----------
        grace_s : float, optional

        Returns
        -------
        files, processes : list of str
        """
        deadline = time.monotonic() + (GRACE_S if grace_s is None else grace_s)
        known = self._processes | _spared
        while True:
            found = _descendants_by_now()
            if len(_started) > self._begun:  # else there can be no orphans
                found |= _orphans()
            new = (_segments() | _folders()) - self._files
            # What ran before goes on, and makes what it needs: a run that many tests look at.
            makers = (_started | found.keys()) - self._processes
            files = sorted(str(path) for path in new if _is_ours(path, makers, found))
            processes = [
                what
                for pid, what in found.items()
                if pid not in known and not any(word in what for word in TOLERATED)
            ]
            if not (files or processes) or time.monotonic() > deadline:
                return files, processes
            time.sleep(0.05)


def _segments() -> set[Path]:
    return set(SHARED_MEMORY.iterdir()) if SHARED_MEMORY.is_dir() else set()


def _folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("bigbar_*"))


def _descendants_by_now() -> dict[int, str]:
    """Looked for again where some were started since, or some are there that could start others."""
    global _known
    begun, found = _known
    could_start = [pid for pid, what in found.items() if _TRACKER not in what]
    if begun != _starts or set(could_start) - _spared:
        _known = _starts, _descendants()
    return _known[1]


def _descendants() -> dict[int, str]:
    return _described(psutil.Process().children(recursive=True))


# How many had been started when it was looked for them, and who was there.
_known: tuple[int, dict[int, str]] = (-1, {})


def _orphans() -> dict[int, str]:
    """Those whose parent ended before them."""
    mark = f"{MARK}=".encode()
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if mark in Path(f"/proc/{process.pid}/environ").read_bytes():
                found.append(process)
    return _described(found)


def _described(processes: list[psutil.Process]) -> dict[int, str]:
    found = {}
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            what = f"{process.pid} ({process.status()}): {' '.join(process.cmdline())}"
            if process.pid != os.getpid():
                found[process.pid] = what
    return found


def _is_ours(path: Path, makers: set[int], living: dict[int, str]) -> bool:
    """Whether one of the makers made it, or one that lives holds it."""
    if named := _NAME.match(path.name):
        return int(named[1]) in makers
    try:
        inode = path.stat().st_ino  # a semaphore is mapped under another name
    except FileNotFoundError:
        return False
    mapped = re.compile(rf"\b{inode} +{SHARED_MEMORY}/")
    for pid in (os.getpid(), *living):
        with contextlib.suppress(OSError):
            if mapped.search(Path(f"/proc/{pid}/maps").read_text(errors="replace")):
                return True
    return False
