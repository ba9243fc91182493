"""A cluster of three nodes for tests, and what can be done to it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from guard import MARK

ROOT = Path(__file__).resolve().parents[1]

#: Put before every test that needs Ray.
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Ray is not installed (pip install '.[cluster]')",
)

#: What the nodes and their drivers have in their environment.
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
}

#: What Ray sets in a driver and leaves there: as it was before, once a test's patch is undone.
OF_RAY = {"RAY_CLIENT_MODE": "0", "PYTHONBREAKPOINT": ""}


#: Gives the command that follows shared memory of its own.
OWN_MEMORY = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh")

#: Put before tests of nodes that are apart.
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="shared memory of their own takes root and unshare",
)


class Nodes:
    """Nodes of a cluster, each a raylet with workers; use it in a `with` block.

    Parameters
    ----------
    *processors : int
        Of each.
    apart : bool, optional
        Whether they see nothing of this system's shared memory, as other machines would not; it
        takes root.

    Attributes
    ----------
    address : str
    raylets : dict of str to int
        Process ids by the names of the nodes, the head aside.
    """

    def __init__(self, *processors: int, apart: bool = False) -> None:
        environment = {name: value for name, value in os.environ.items() if name != MARK}
        own = OWN_MEMORY if apart else ()
        self._process = subprocess.Popen(
            [*own, sys.executable, str(ROOT / "tests" / "cluster_nodes.py"), *map(str, processors)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**environment, **ENVIRONMENT},
        )
        begun = self._answer()
        self.address: str = begun["address"]
        self.raylets: dict[str, int] = {one["id"]: one["raylet"] for one in begun["nodes"]}

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def _order(self, what: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._answer()

    def add(self) -> str:
        """A node more; its name."""
        found = self._order("add")
        self.raylets[found["id"]] = found["raylet"]
        return str(found["id"])

    def kill(self, name: str) -> None:
        """End a node as a machine ends that loses its power."""
        del self.raylets[name]
        self._order(f"kill {name}")

    def processes(self, name: str) -> list[psutil.Process]:
        """A node's raylet and all that it started."""
        raylet = psutil.Process(self.raylets[name])
        return [raylet, *raylet.children(recursive=True)]

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop all of a node for the block: to the others it is there, and says nothing."""
        stopped = self.processes(name)
        try:
            for one in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.suspend()
            yield
        finally:
            for one in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.resume()

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.read()  # Until it has ended.
        self._process.wait()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
