"""Processes that the dashboard starts, or is: they import this program, wherever they stand."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """Of this process, and with this program to be found, installed or not."""
    known = os.environ.get("PYTHONPATH")
    paths = [str(_ROOT), *([known] if known else [])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
