"""Ends what a cluster on this machine leaves when the process that started it is killed.

A process of its own, run as a file so that it imports next to nothing. It waits until its standard
input closes, which happens when its parent ends, however that comes about. Then it ends every
process of the parent's cluster, and removes its folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time

import psutil

#: In the environment of every process of a cluster that was started here: whose it is.
MARK = "BIGBAR_CLUSTER"

#: Seconds within which processes are born that were on their way.
_LATE_S = 1.0


def belonging(mark: str, folder: str) -> list[psutil.Process]:
    """The processes of a cluster, this one aside.

    Some of them write their names over their environment; they all write logs.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid in (os.getpid(), os.getppid()):
                continue
            if process.environ().get(MARK) == mark or any(
                file.path.startswith(folder) for file in process.open_files()
            ):
                found.append(process)
    return found


def end_all(mark: str, folder: str) -> None:
    """Kill them, and those that they start meanwhile."""
    while found := belonging(mark, folder):
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=_LATE_S)


def main() -> None:
    """Wait for the parent's end, and clear up behind it."""
    mark, folder = sys.argv[1:]
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_all(mark, folder)
    time.sleep(_LATE_S)
    end_all(mark, folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
