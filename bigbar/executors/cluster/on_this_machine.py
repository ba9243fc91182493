"""A cluster of this machine alone, to try: kept to it, and ended without a trace."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from bigbar.errors import BigBarError, Interrupted, SettingsError
from bigbar.executors.cluster import reaper
from bigbar.interrupts import TERMINAL_SIGNALS
from bigbar.machine.resources import BLIND, available_memory
from bigbar.sharing.leftovers import new_folder, remove_folder

#: Bytes of the object store: what is published, and results on their way.
_STORE = 512 << 20

#: The store takes no more than this share of the memory that there is.
_SHARE = 0.2

#: Below this Ray starts no store.
_LEAST_STORE = 80 << 20

#: Names of sockets on Unix have 107 characters at most, and Ray's are so long.
_MOST_PATH, _OF_RAY = 107, 66

#: Of this process: Ray reads a token once and keeps it.
_token = secrets.token_hex(32)

#: Directories that programs are looked for in, so that those of Ray find this one.
_ROOT = str(Path(__file__).resolve().parents[3])


class ClusterHere:
    """Ray's processes on this machine, reached from nowhere else; close it.

    Parameters
    ----------
    ray : module
    workers : int

    Raises
    ------
    BigBarError
        It cannot be started, or would listen beyond this machine.
    """

    def __init__(self, ray: Any, workers: int) -> None:
        self._ray = ray
        self._mark = secrets.token_hex(8)
        self._folder, self._lock = new_folder()
        self._reaper: subprocess.Popen[bytes] | None = None
        try:
            self._check_folder()
            self._reaper = subprocess.Popen(
                [sys.executable, reaper.__file__, self._mark, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # A closed terminal does not end it.
            )
            self._start(workers)
            self._insist_on_loopback()
        except BaseException:
            self.close()
            raise

    def pids(self) -> list[int]:
        """Its processes."""
        with contextlib.suppress(*BLIND):
            reaping = None if self._reaper is None else self._reaper.pid
            children = psutil.Process().children(recursive=True)
            return [one.pid for one in children if one.pid != reaping]
        return []

    def close(self) -> None:
        """End all of it, and remove its folder; a second call does nothing."""
        if self._lock == -1:
            return
        with contextlib.suppress(Exception):  # What does not end by itself is ended below.
            self._ray.shutdown()
        if self._reaper is not None:
            self._reaper.kill()
            self._reaper.wait()
            if self._reaper.stdin is not None:
                self._reaper.stdin.close()
        reaper.end_all(self._mark, str(self._folder))
        remove_folder(self._folder, self._lock)
        self._lock = -1

    def _check_folder(self) -> None:
        room = _MOST_PATH - _OF_RAY
        if len(str(self._folder)) + 2 > room:
            raise SettingsError(
                f"the folder for temporary files has too long a name for Ray's sockets "
                f"({self._folder.parent}): set TMPDIR to one of at most {room - 30} characters"
            )

    def _start(self, workers: int) -> None:
        token = self._folder / "token"
        descriptor = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(_token)
        inside = self._folder / "r"  # Ray opens its folder to everybody; this one is not open.
        inside.mkdir()
        paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            reaper.MARK: self._mark,
            "PYTHONPATH": os.pathsep.join(paths),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # By which Ray keeps to 127.0.0.1.
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        room = int(min(_STORE, max(_LEAST_STORE, _SHARE * available_memory())))
        before = signal.getsignal(signal.SIGTERM)
        try:
            with (
                _environment(environment),
                _loopback_only(self._ray),
                _deaf_children(),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")  # What Ray will do in later versions.
                _use_token(self._ray)
                self._ray.init(
                    address="local",
                    num_cpus=workers,
                    num_gpus=0,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="error",
                    object_store_memory=room,
                    _temp_dir=str(inside),
                )
        except SystemExit as stopped:  # Ray's own answer to SIGTERM.
            raise Interrupted(signal.SIGTERM) from stopped
        except (RuntimeError, OSError, ValueError) as problem:
            said = str(problem).strip().partition("\n")[0]
            raise BigBarError(f"Ray could not be started on this machine: {said}") from problem
        finally:
            signal.signal(signal.SIGTERM, before)

    def _insist_on_loopback(self) -> None:
        for pid in [os.getpid(), *self.pids()]:
            with contextlib.suppress(*BLIND):
                process = psutil.Process(pid)
                for one in process.net_connections(kind="inet"):
                    place = str(one.laddr.ip).removeprefix("::ffff:") if one.laddr else ""
                    if one.status != psutil.CONN_LISTEN or pid == os.getpid():
                        continue
                    if not (place.startswith("127.") or place == "::1"):
                        raise BigBarError(
                            f"Ray listens at {place}:{one.laddr.port}, beyond this machine, and "
                            "was ended; please report this with the version of Ray"
                        )


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """With these values in the environment, which children inherit; then as before."""
    before = {name: os.environ.get(name) for name in (*values, "RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    os.environ.update(values)
    for name in before.keys() - values.keys():  # Another cluster's.
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _loopback_only(ray: Any) -> Iterator[None]:
    """Ray reads this when it is imported, which may have been before."""
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


def _use_token(ray: Any) -> None:
    """Have Ray read mode and token anew: it keeps those of a cluster before."""
    ray._raylet.Config.initialize("")
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes that are started meanwhile leave it to this one what a terminal's signals mean."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
