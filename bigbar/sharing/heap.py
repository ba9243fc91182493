"""Memory that is free again goes back to the system."""

from __future__ import annotations

import ctypes
import sys


def trim_heap() -> None:
    """Have the C library give back what it keeps for later; nothing where it is not glibc.

    It keeps tens of megabytes, in holes that arrays of that size left: in every worker.
    """
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
