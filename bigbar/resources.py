"""What the machine has for a run: processors, and bytes of memory, shared memory and disk."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import psutil

_SHARED = Path("/dev/shm")
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def usable_processors() -> int:
    """Processors this process may use: a container or `taskset` can allow fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Memory that can be had without swapping, within the limits of this process's container."""
    available = psutil.virtual_memory().available
    room = _room_in_groups()
    return int(available if room is None else min(available, room))


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
    """The smallest room that a control group of this process has left; None without any limit.

    Version 2 has one tree of groups, version 1 one a controller. A container sees its own group
    as the root, or under its path on the host; a limit of any group above counts as well.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    rooms = []
    tops: tuple[Path, ...]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            tops, names = (groups, groups / "unified"), ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            tops = (groups / "memory",)
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        for top in tops:
            below = top / path.lstrip("/")
            for folder in (below, *below.parents):
                if folder.is_relative_to(top):
                    rooms.append(_room_in_group(folder, *names))
    return min((room for room in rooms if room is not None), default=None)


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
