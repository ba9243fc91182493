"""Python's resource tracker: a process that removes what is registered once all others are gone.

It may be killed like any other. Python then starts another one that knows of nothing, and that
answers with a traceback when it is to forget what it does not know: so whatever is to be forgotten
is registered once more before. To be told twice does not matter to it.

On Windows a segment goes with its last user, and there is no tracker.
"""

from __future__ import annotations

import os
import sys
from multiprocessing import resource_tracker
from typing import Literal

from bigbar.interrupts import start_resource_tracker

Resource = Literal["shared_memory", "semaphore"]


def register(name: str, kind: Resource) -> None:
    """Have it removed when this process and its workers are gone."""
    if sys.platform != "win32":
        start_resource_tracker()
        resource_tracker.register(name, kind)


def forget(name: str, kind: Resource) -> None:
    """It has been removed, and may have been forgotten already."""
    if sys.platform != "win32":
        register(name, kind)
        resource_tracker.unregister(name, kind)


def tell_as_orphan(*lines: str) -> bool:
    """Tell it something from a worker whose parent has been killed; starts no other for that.

    Returns
    -------
    bool
        Whether it lives, and has been told.
    """
    tracker = getattr(resource_tracker, "_resource_tracker", None)
    descriptor = getattr(tracker, "_fd", None)
    try:
        if descriptor is None:
            return False
        os.write(descriptor, "".join(f"{line}\n" for line in lines).encode())
        return True
    except OSError:
        return False


def forget_as_orphan(name: str, kind: Resource) -> None:
    """As `forget`, by a worker whose parent has been killed."""
    tell_as_orphan(f"REGISTER:{name}:{kind}", f"UNREGISTER:{name}:{kind}")


def lives_for_orphans() -> bool:
    """Whether it will do its work once the workers of a parent that was killed have gone."""
    return tell_as_orphan("PROBE:0:noop")
