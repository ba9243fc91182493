"""What the program is called."""

from __future__ import annotations

import shutil

#: Its command, where it is installed.
PROGRAM = "bigbar"


def as_typed() -> str:
    """What to type to call it here: its command, or Python where that is not installed."""
    return PROGRAM if shutil.which(PROGRAM) else f"python -m {PROGRAM}"
