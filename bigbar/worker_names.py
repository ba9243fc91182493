"""How workers are called: by their process, and on other machines by the machine as well."""

from __future__ import annotations

#: Process ids are below this on every system.
_PROCESSES = 1 << 24


def worker_number(machine: int, pid: int) -> int:
    """One number for a worker; on this machine (0) its process id."""
    return machine * _PROCESSES + pid


def worker_name(number: int) -> str:
    """A worker as a person reads it: `1234`, or `machine 2: 1234`."""
    machine, pid = divmod(number, _PROCESSES)
    return f"machine {machine}: {pid}" if machine else str(pid)
