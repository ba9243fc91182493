"""`--dashboard` on a run: the dashboard in a process beside it, whose address is known at once."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bigbar.dashboard.access import Access, access_for, address_of, listening
from bigbar.dashboard.children import environment
from bigbar.errors import SettingsError
from bigbar.store.owner import Owner
from bigbar.store.schema import RUNS

_HOST = "127.0.0.1"

#: When the run has ended, the dashboard stays while a page of it is open, and so many seconds
#: more: a page may be loaded anew, and one that is hidden asks every minute only. Of a run that was
#: refused there is nothing to wait for.
LINGER_S = 150.0


#: By so much a file's time may lie behind the clock's.
_CLOCK_S = 2.0


def start_beside(folder: Path, *, linger_s: float = LINGER_S) -> str:
    """Start the dashboard of a folder; it ends by itself, some time after this process.

    Nobody waits for it: connections are taken from now on, and answered as soon as it is there.

    Parameters
    ----------
    folder : Path
        The output folder.
    linger_s : float, optional
        How long it stays when nobody needs it any more, in seconds.

    Returns
    -------
    str
        Its address, the token included.

    Raises
    ------
    SettingsError
        Where a process cannot be handed what it is to listen on.
    InputError
        If no port can be listened on.
    """
    if os.name != "posix":
        raise SettingsError(
            "--dashboard: not on this system; give 'bigbar dashboard' in another terminal"
        )
    with listening(_HOST, 0) as listener:
        access = access_for(_HOST, listener.getsockname()[1])
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            env=environment(),
            start_new_session=True,  # Ctrl-C in the terminal is the run's alone.
        )
        values = {
            "listener": listener.fileno(),
            "folder": str(folder.absolute()),
            "port": access.port,
            "token": access.token,  # Not by the command line, which every user can read.
            "linger_s": linger_s,
            "begun": time.time() - _CLOCK_S,
            "owner": asdict(Owner.of_this_process()),
        }
        assert process.stdin is not None
        process.stdin.write(json.dumps(values).encode())
        process.stdin.close()
    return address_of(_HOST, access)


def main() -> None:
    """Serve what standard input says, until nobody needs it."""
    values = json.loads(sys.stdin.buffer.read())
    from bigbar.dashboard.application import Dashboard
    from bigbar.dashboard.serve import serve

    owner, folder = Owner(**values["owner"]), Path(values["folder"])
    needed_at = time.monotonic()

    def goes_on(dashboard: Dashboard) -> bool:
        nonlocal needed_at
        if dashboard.followings.watched or owner.lives(time.time()):
            needed_at = time.monotonic()
        elif not _was_kept(folder, since=float(values["begun"])):
            return False
        return time.monotonic() - max(needed_at, dashboard.asked_at) < float(values["linger_s"])

    listener = socket.socket(fileno=values["listener"])
    access = Access(values["port"], token=values["token"])
    serve(listener, folder, access, goes_on=goes_on)


def _was_kept(folder: Path, *, since: float) -> bool:
    """Whether a run has been kept in a folder since a time."""
    for name in (RUNS, f"{RUNS}-wal"):
        with contextlib.suppress(OSError):
            if (folder / name).stat().st_mtime >= since:
                return True
    return False


if __name__ == "__main__":
    main()
