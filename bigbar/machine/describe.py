"""The machine in words, for whoever compares two runs."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from bigbar.machine.resources import machine_memory, usable_processors


def machine() -> dict[str, Any]:
    """Host, processor, how many this process may use, memory, system, Python, working folder."""
    return {
        "folder": _folder(),
        "host": platform.node(),
        "processor": _processor(),
        "usable_processors": usable_processors(),
        "memory_bytes": machine_memory(),
        # Not platform.platform(), which starts a process to ask for what is not told here.
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _folder() -> str | None:
    """What relative names of the command are meant from."""
    try:
        return os.getcwd()
    except OSError:  # It was removed.
        return None


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass  # Not Linux: what the standard library knows will do.
    return platform.processor() or platform.machine()
