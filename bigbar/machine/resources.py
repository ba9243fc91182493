"""What the machine has for a run: processors, and bytes of memory, shared memory and disk.

A container may be allowed less than the machine has, and not see `/proc`, or not all of it: then
psutil is blind, and what can be told without it has to do.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

#: What psutil raises where it cannot see: besides its own errors, whatever reading a file of
#: `/proc` that is not there, not permitted, or empty comes to.
BLIND: tuple[type[Exception], ...] = (
    psutil.Error,
    OSError,
    LookupError,
    ValueError,
    RuntimeError,
    AttributeError,
)

#: In place of the memory of a machine that does not tell: nothing is refused for its sake.
_UNKNOWN_MEMORY = 1 << 40

_SHARED = Path("/dev/shm")
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def usable_processors() -> int:
    """Processors this process may use: a container or `taskset` can allow fewer than there are.

    A quota (`docker run --cpus 1.5`) counts as so many, rounded up.
    """
    quota = _quota_in_groups()
    seen = seen_processors()
    return seen if quota is None else max(1, min(seen, math.ceil(quota)))


def seen_processors() -> int:
    """Processors this process may run on, whatever share of their time it may take."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Memory that can be had without swapping, within the limits of this process's container."""
    try:
        available = int(psutil.virtual_memory().available)
    except BLIND:
        available = _pages("SC_AVPHYS_PAGES")
    room = _room_in_groups()
    return available if room is None else min(available, room)


def machine_memory() -> int:
    """All memory of the machine, in bytes."""
    try:
        return int(psutil.virtual_memory().total)
    except BLIND:
        return _pages("SC_PHYS_PAGES")


def resident_memory() -> int:
    """Memory that this process has now, in bytes; the most it ever had where that is not told."""
    try:
        return int(psutil.Process().memory_info().rss)
    except BLIND:
        with contextlib.suppress(ImportError):  # Windows, where psutil does see.
            import resource

            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return 0


def process_exists(pid: int) -> bool:
    """Whether there is a process of this number: the system is asked, for psutil may be blind."""
    if os.name != "posix":
        return bool(psutil.pid_exists(pid))
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0


def _pages(name: str) -> int:
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return _UNKNOWN_MEMORY


def free_shared_memory() -> int | None:
    """Room for segments of shared memory; None where the system does not say."""
    return _free(_SHARED) if _SHARED.is_dir() else None


def free_disk(folder: Path) -> int | None:
    """Room on the file system of a folder, or of the nearest one above that exists."""
    for place in (folder, *folder.absolute().parents):
        if place.is_dir():
            return _free(place)
    return None


def _free(place: Path) -> int | None:
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


def _room_in_groups(groups: Path = _GROUPS, own: Path = _OWN_GROUPS) -> int | None:
    """The smallest room that a control group of this process has left; None without any limit."""
    names = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"),
             2: ("memory.max", "memory.current")}  # fmt: skip
    rooms = [
        _room_in_group(folder, *names[version])
        for folder, version in _own_folders("memory", groups, own)
    ]
    return min((room for room in rooms if room is not None), default=None)


def _quota_in_groups(groups: Path = _GROUPS, own: Path = _OWN_GROUPS) -> float | None:
    """The fewest processors whose time a group of this process may take; None without any limit."""
    quotas = [
        _quota_of_group(folder, version) for folder, version in _own_folders("cpu", groups, own)
    ]
    return min((quota for quota in quotas if quota is not None), default=None)


def _own_folders(controller: str, groups: Path, own: Path) -> Iterator[tuple[Path, int]]:
    """The control groups of this process, and those above, with the version of their files.

    Version 2 has one tree of groups, version 1 one a controller, or one for several. A container
    sees its own group as the root, or under its path on the host; a limit of any group above counts
    as well.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:  # Without /proc: the root is what a container has of its own.
        lines = ["0::/", f"1:{controller}:/"]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        tops: tuple[Path, ...]
        if controllers == "":
            tops, version = (groups, groups / "unified"), 2
        elif controller in controllers.split(","):
            tops, version = (groups / controller, groups / controllers), 1
        else:
            continue
        for top in dict.fromkeys(tops):
            below = top / path.lstrip("/")
            for folder in (below, *below.parents):
                if folder.is_relative_to(top):
                    yield folder, version


def _quota_of_group(folder: Path, version: int) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):  # no such group, or "max"
        if version == 2:
            quota, period = map(int, (folder / "cpu.max").read_text().split())
        else:
            quota = int((folder / "cpu.cfs_quota_us").read_text())
            period = int((folder / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    return None


def _room_in_group(folder: Path, limit_name: str, used_name: str) -> int | None:
    with contextlib.suppress(OSError, ValueError):  # no such group here, or "max"
        limit = int((folder / limit_name).read_text())
        used = int((folder / used_name).read_text())
        return max(0, limit - used + _reclaimable(folder))
    return None


def _reclaimable(folder: Path) -> int:
    """File pages that the kernel drops when memory is wanted; they count as used."""
    with contextlib.suppress(OSError):
        for line in (folder / "memory.stat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name in ("total_inactive_file", "inactive_file") and count.isdigit():
                return int(count)
    return 0
