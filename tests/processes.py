"""Telling the worker processes of a run from its other children."""

from __future__ import annotations

import psutil


def is_worker(process: psutil.Process) -> bool:
    """Whether it lives and is no helper of multiprocessing."""
    try:
        return "resource_tracker" not in " ".join(process.cmdline())
    except psutil.Error:  # It ended between being listed and being asked; a zombie has no line.
        return False


def living_workers(process: psutil.Process) -> list[psutil.Process]:
    """The worker processes of a process."""
    return [child for child in process.children() if is_worker(child)]
