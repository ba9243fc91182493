"""The connection to a cluster: one of this machine's own, or one that is there."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import signal
import socket
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bigbar.errors import Interrupted, SettingsError
from bigbar.executors.cluster.on_this_machine import ClusterHere

#: Seconds that a cluster has to answer at its address, before Ray itself is asked, which takes 100.
_ANSWER_S = 5.0

#: The oldest Ray that it was tried with, and the first that it was not.
LOWEST, FIRST_NOT = (2, 55), (3,)

#: Ray keeps errors that nobody asked about to itself where this is set.
_UNHANDLED = "RAY_IGNORE_UNHANDLED_ERRORS"

_EXTRA = "pip install '.[cluster]'"

_LOCAL = re.compile(r"local:(\d+)")
_ADDRESS = re.compile(r"[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+")


def check_cluster(cluster: str) -> int | None:
    """Refuse what names no cluster, or needs what is not installed.

    Returns
    -------
    int or None
        Its workers, where they are known.

    Raises
    ------
    SettingsError
    """
    local = _LOCAL.fullmatch(cluster)
    if local is not None and not 1 <= int(local[1]) <= 1024:
        raise SettingsError(f"--cluster {cluster}: from 1 to 1024 workers can be started here")
    if "://" in cluster:
        raise SettingsError(
            f"--cluster {cluster}: the program runs on a machine of the cluster, not through Ray's "
            "client; log in to one of them, or join this one ('ray start --address=HOST:PORT "
            "--num-cpus=0'), and give HOST:PORT"
        )
    if local is None and cluster != "auto" and not _ADDRESS.fullmatch(cluster):
        raise SettingsError(
            f"--cluster {cluster!r} is neither an address (HOST:PORT), nor auto (the cluster that "
            "this machine is part of), nor local:N (N workers on this machine, to try)"
        )
    if importlib.util.find_spec("ray") is None:
        raise SettingsError(f"--cluster needs Ray, which is not installed: {_EXTRA}")
    return None if local is None else int(local[1])


class Session:
    """A connection to a cluster; close it.

    Parameters
    ----------
    cluster : str
        As `check_cluster` takes it.
    tell : callable
        Is told what a person should know.

    Attributes
    ----------
    ray : module
    cluster : str
    here : ClusterHere or None
        Where the cluster was started for this session alone.

    Raises
    ------
    SettingsError
        If there is no such cluster, or it is not one that this program can join.
    """

    def __init__(self, cluster: str, tell: Callable[[str], None]) -> None:
        workers = check_cluster(cluster)
        self.cluster = cluster
        self.here: ClusterHere | None = None
        self.ray = _imported()
        self._mine = not self.ray.is_initialized()
        self._quiet = _quiet(self.ray) if self._mine else contextlib.ExitStack()
        if workers is not None and not self._mine:
            raise SettingsError(
                f"--cluster {cluster}: this process is part of a cluster already; give auto"
            )
        try:
            if workers is not None:
                self.here = ClusterHere(self.ray, workers)
            elif self._mine:
                self._join(tell)
        except BaseException:
            self._quiet.close()
            raise

    def processors(self) -> int:
        """That the cluster has now, on all machines."""
        return int(self.ray.cluster_resources().get("CPU", 0))

    def close(self) -> None:
        """Leave the cluster; one of this session's own ends. A second call does nothing."""
        if self.here is not None:
            self.here.close()
        elif self._mine:
            self.ray.shutdown()
        self._mine = False
        self._quiet.close()

    def _join(self, tell: Callable[[str], None]) -> None:
        if self.cluster != "auto":
            _insist_on_an_answer(self.cluster)
        _set_token_mode(tell)
        before = signal.getsignal(signal.SIGTERM)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # What Ray will do in later versions.
                self.ray.init(
                    address=self.cluster,
                    log_to_driver=False,
                    logging_level="error",
                    configure_logging=False,
                )
        except SystemExit as stopped:  # Ray's own answer to SIGTERM.
            raise Interrupted(signal.SIGTERM) from stopped
        except (RuntimeError, OSError, ValueError) as problem:
            raise SettingsError(_why_not(self.cluster, problem)) from problem
        finally:
            signal.signal(signal.SIGTERM, before)


def _imported() -> Any:
    # Before it is imported: it reads some of its settings then.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = importlib.import_module("ray")
    for name in ("exceptions", "_private.ray_constants", "util.scheduling_strategies"):
        importlib.import_module(f"ray.{name}")
    found = tuple(int(part) for part in re.findall(r"\d+", ray.__version__)[:2])
    if not LOWEST <= found < FIRST_NOT:
        lowest = ".".join(map(str, LOWEST))
        raise SettingsError(
            f"--cluster needs Ray {lowest} or later, below {FIRST_NOT[0]}; installed is "
            f"{ray.__version__}: {_EXTRA}"
        )
    return ray


def _quiet(ray: Any) -> contextlib.ExitStack:
    """Keep what Ray has to say of dead workers, which is told in our own words, off the answer.

    It prints it on standard output, whatever it is asked for, and logs errors of tasks whose answer
    nobody needs any more. Closing what is returned ends that.
    """
    worker, stack = ray._private.worker, contextlib.ExitStack()
    printing = getattr(worker, "print_to_stdstream", None)
    if printing is not None:
        stack.callback(setattr, worker, "print_to_stdstream", printing)
        worker.print_to_stdstream = lambda *_, **__: None
    if _UNHANDLED not in os.environ:
        stack.callback(os.environ.pop, _UNHANDLED, None)
        os.environ[_UNHANDLED] = "1"
    return stack


def _insist_on_an_answer(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except (OSError, OverflowError) as problem:
        raise SettingsError(
            f"--cluster {address}: nobody answers there ({problem}); 'ray start --head' on the "
            "first machine prints the address"
        ) from problem


def _set_token_mode(tell: Callable[[str], None]) -> None:
    """Use the cluster's token where this machine has one, and keep it to this user."""
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    with contextlib.suppress(OSError):
        mode = file.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            file.chmod(stat.S_IRUSR | stat.S_IWUSR)
            tell(f"{file} could be read by others; now by this user only")
    if os.environ.get("RAY_AUTH_MODE"):
        return
    if os.environ.get("RAY_AUTH_TOKEN") or file.is_file():
        os.environ["RAY_AUTH_MODE"] = "token"
    else:
        tell(
            "this machine has no token for the cluster: whoever reaches one that asks for none can "
            "run code on it ('ray get-auth-token --generate', and RAY_AUTH_MODE=token everywhere)"
        )


def _why_not(cluster: str, problem: Exception) -> str:
    said = str(problem).strip()
    if "Version mismatch" in said:
        found = re.findall(r"(Ray|Python): *(\S+)", said)
        theirs, ours = (" ".join(map(" ".join, part)) for part in (found[:2], found[2:4]))
        return (
            f"--cluster {cluster}: it runs {theirs}, and this is {ours}; both must be the same on "
            "all machines"
        )
    if "Could not find any running Ray" in said:
        return "--cluster auto: this machine is part of no cluster; give its address (HOST:PORT)"
    first = said.partition("\n")[0]
    return (
        f"--cluster {cluster}: it cannot be joined ({first}); this machine must be part of it: "
        "'ray start --address=HOST:PORT --num-cpus=0' makes it one"
    )
