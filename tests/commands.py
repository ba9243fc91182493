"""Start the command, or a script, as `subprocess` would, but without its imports every time.

What is started is a process like any other, and a child of this one: with an id, streams, a folder,
an environment and a session of its own, with signals and an exit code. It is forked from a process
that has imported everything and done nothing else (see `preloaded`).

Any other program, and Python with options or with another environment for what is imported, is
started as ever. Tests of the start itself, of what is imported when, of memory and of the installed
package use `subprocess`.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.guard import spare

SERVER = Path(__file__).with_name("preloaded.py")

#: What is read while modules are imported: with another value, they have to be imported anew.
READ_EARLY = ("PYTHON", "NUMBA_", "OMP_", "OPENBLAS_", "XDG_", "HOME", "LANG", "LC_", "LD_", "TZ")

#: Of these, what the forked heeds all the same. Ray sets the last one for all that follows it.
HEEDED = {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONBREAKPOINT"}

#: The command lines that are understood: a module, code or a script.
FORM = re.compile(r"-[mc]$|[^-]")

#: Taken when tests are collected: none of them has put anything into it for itself by then.
ENVIRONMENT = {**os.environ, "PYTHONPATH": ""}

_one_at_a_time = threading.Lock()


class Command(subprocess.Popen):  # type: ignore[type-arg]
    """`subprocess.Popen`, quick where it starts this interpreter; text, unless told."""

    def __init__(self, line: Sequence[str | Path], **options: Any) -> None:
        super().__init__([str(word) for word in line], **{"text": True, **options})

    def _execute_child(self, *given: Any, **named: Any) -> None:
        start = super()._execute_child  # type: ignore[misc]
        asked = inspect.signature(start).bind(*given, **named).arguments
        environment = dict(os.environ if asked["env"] is None else asked["env"])
        if not _can_be_forked(asked, environment):
            start(*given, **named)
            return
        request = {
            "arguments": asked["args"][1:],
            "folder": os.path.abspath(asked["cwd"] or "."),
            "environment": environment,
            "session": asked["start_new_session"],
        }
        ends = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [number if end == -1 else end for number, end in enumerate(ends)]
        self.pid = _forked(request, streams)
        self._child_created = True
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in names))  # type: ignore[attr-defined]


def run(
    line: Sequence[str | Path],
    *,
    input: str | bytes | None = None,
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = True,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run` by `Command`; what is written is captured, unless told."""
    if capture_output:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with Command(line, **options) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _can_be_forked(asked: dict[str, Any], environment: dict[str, str]) -> bool:
    """Whether the forked would be no other than the started."""
    line = asked["args"]
    if sys.platform != "linux" or line[0] != sys.executable or not FORM.match(line[1]):
        return False
    if asked["preexec_fn"] is not None or asked["pass_fds"]:
        return False
    _, imported = _server()
    early = {name for name in imported | environment if name.startswith(READ_EARLY)}
    return all(imported.get(name) == environment.get(name) for name in early - HEEDED)


def _forked(request: dict[str, Any], streams: Sequence[int]) -> int:
    """Have it forked; the process id of what is by then a child of this process."""
    channel, _ = _server()
    body = json.dumps(request).encode()
    with _one_at_a_time:
        _take_in_orphans(True)
        try:
            socket.send_fds(channel, [len(body).to_bytes(4, "big")], streams)
            channel.sendall(body)
            pid = channel.recv(4, socket.MSG_WAITALL)
        finally:
            _take_in_orphans(False)
    assert pid, "the process that forks commands has ended"
    return int.from_bytes(pid, "big")


@cache
def _server() -> tuple[socket.socket, dict[str, str]]:
    """Where to ask, and the environment of the imports; it ends with this process."""
    here, there = socket.socketpair()
    with there:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(there.fileno())],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[there.fileno()],
        )
    spare(process.pid)
    return here, ENVIRONMENT


def _take_in_orphans(wanted: bool) -> None:
    """Whether this process becomes the parent of those below it whose own parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    take_in = 36  # PR_SET_CHILD_SUBREAPER
    if libc.prctl(take_in, int(wanted), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
