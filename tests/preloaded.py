"""A process that has imported what the command imports, and forks for each that tests start.

    python tests/preloaded.py FD

Whoever started it asks over the socket FD (see `commands`). What is forked becomes a child of the
asker, and a program of its own: the interpreter ends in the way that it always ends. Nothing but
imports, and a look at what is installed, is done before the fork: every command reads, compiles and
starts its workers itself.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import multiprocessing.process
import os
import runpy
import signal
import socket
import sys
import tempfile
import threading
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

#: Those of a run and of a look at earlier ones; they import the others.
MODULES = (
    *("bigbar_multiprocessing_optimized", "bigbar.engines.any_strategy.run"),
    *("bigbar.engines.general.engine", "bigbar.strategies.big_bar.engine"),
    *("bigbar.report.page.report", "bigbar.history.command", "bigbar.explanation"),
    *("bigbar.progress.bar", "pyarrow.parquet", "rich.console", "rich.table"),
)

_SIZE = 4  # bytes of a number on the socket


def main(channel: socket.socket) -> None:
    """Fork for whoever asks, until he is gone; and, as the forked, be the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody at a terminal.
    preload()
    while (asked := _next(channel)) is not None:
        request, streams = asked
        pid = fork_away()
        if not pid:
            channel.close()
            return become(request, streams)
        for stream in streams:
            os.close(stream)
        channel.sendall(pid.to_bytes(_SIZE, "big"))
    return None


def preload() -> None:
    """Import; no thread but those of libraries that see to forks themselves may have started."""
    sys.path[0] = str(ROOT)
    for name in MODULES:
        __import__(name)
    sys.modules["bigbar.store.modules"]._distributions()  # That takes a while to look through.
    del sys.path[0]
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()  # else the first collection of every child would copy all of it


def _next(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """What is asked for next, and its standard streams; None at the end."""
    head, streams, _, _ = socket.recv_fds(channel, _SIZE, 3)
    if not head:
        return None
    body = channel.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
    return json.loads(body), streams


def fork_away() -> int:
    """Fork a process whose parent is the one above that takes in orphans; 0 in the process."""
    told, tell = os.pipe()
    begin, let_begin = os.pipe()
    between = os.fork()
    if not between:
        if pid := os.fork():
            os.write(tell, pid.to_bytes(_SIZE, "big"))
            os._exit(0)
        os.read(begin, 1)
        for end in (told, tell, begin, let_begin):
            os.close(end)
        return 0
    os.waitpid(between, 0)  # From now on the process has its other parent.
    os.write(let_begin, b".")
    pid = int.from_bytes(os.read(told, _SIZE), "big")
    for end in (told, tell, begin, let_begin):
        os.close(end)
    return pid


def become(request: dict[str, Any], streams: list[int]) -> None:
    """Be what `python` with these arguments would be, and run it."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if request["session"]:
        os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    _renew_streams()
    _renew_state()
    sys.orig_argv = [sys.executable, *request["arguments"]]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = map(os.path.abspath, paths)
    # Whoever looks for the main module finds that of the command.
    main_module = sys.modules["__main__"] = types.ModuleType("__main__")
    match request["arguments"]:
        case ["-m", name, *words]:
            sys.path.insert(0, os.getcwd())
            sys.argv = ["-m", *words]
            runpy._run_module_as_main(name)  # type: ignore[attr-defined]  # what -m does
        case ["-c", code, *words]:
            sys.path.insert(0, "")
            sys.argv = ["-c", *words]
            exec(compile(code, "<string>", "exec"), vars(main_module))
        case [script, *words]:
            sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
            sys.argv = [script, *words]
            file = os.path.join(os.getcwd(), script)
            loader = SourceFileLoader("__main__", file)
            vars(main_module).update(__file__=file, __loader__=loader, __cached__=None)
            exec(loader.source_to_code(Path(file).read_bytes(), file), vars(main_module))


def _renew_streams() -> None:
    """Standard streams for what is behind their numbers now."""
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        mode = "w" if number else "r"
        binary: Any = open(  # noqa: SIM115
            number, f"{mode}b", 0 if number and unbuffered else -1, closefd=False
        )
        getattr(binary, "raw", binary).name = f"<{name}>"
        new: Any = io.TextIOWrapper(
            binary,
            encoding=old.encoding,
            errors=old.errors,
            newline="\n" if number else None,
            line_buffering=not unbuffered and (number == 2 or os.isatty(number)),
            write_through=unbuffered,
        )
        new.mode = mode
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _renew_state() -> None:
    """What a process has from its start and a fork keeps."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    tempfile.tempdir = None
    multiprocessing.process.ORIGINAL_DIR = os.getcwd()
    multiprocessing.process.current_process()._config["authkey"] = os.urandom(32)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


if __name__ == "__main__":
    with contextlib.closing(socket.socket(fileno=int(sys.argv[1]))) as channel_:
        main(channel_)
