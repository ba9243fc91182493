"""Nodes of a Ray cluster in network namespaces of their own, whose cables can be pulled."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cluster_tools import ENVIRONMENT

_NET = "10.213.77"
_PORT = 6399


def can_be_made() -> bool:
    """Whether this user may make network namespaces here."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"bb{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return made


class Networks:
    """A head that works for nobody, and nodes behind a bridge; use it in a `with` block.

    Attributes
    ----------
    address : str
    """

    address = f"{_NET}.1:{_PORT}"

    def __init__(self, nodes: int) -> None:
        self._tag = secrets.token_hex(2)
        self._bridge = f"bb{self._tag}"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._spaces: list[str] = []
        self._folder = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
        (self._folder / "ray").mkdir()
        try:
            _ip(f"link add {self._bridge} type bridge")
            _ip(f"addr add {_NET}.1/24 dev {self._bridge}")
            _ip(f"link set {self._bridge} up")
            self._start([], "--head", f"--node-ip-address={_NET}.1", f"--port={_PORT}",
                        "--num-cpus=0", "--include-dashboard=false")  # fmt: skip
            time.sleep(5)
            for number in range(nodes):
                self._add(number)
        except BaseException:
            self.close()
            raise

    def _add(self, number: int) -> None:
        space, here, there = (f"{part}{self._tag}{number}" for part in ("bb", "bbh", "bbn"))
        _ip(f"netns add {space}")
        self._spaces.append(space)
        _ip(f"link add {here} type veth peer name {there}")
        _ip(f"link set {there} netns {space}")
        _ip(f"link set {here} master {self._bridge}")
        _ip(f"link set {here} up")
        _ip(f"-n {space} addr add {_NET}.{10 + number}/24 dev {there}")
        _ip(f"-n {space} link set {there} up")
        _ip(f"-n {space} link set lo up")
        self._start(
            ["ip", "netns", "exec", space], f"--address={self.address}", "--num-cpus=1",
            f"--node-ip-address={_NET}.{10 + number}",
        )  # fmt: skip

    def _start(self, before: list[str], *options: str) -> None:
        line = [*before, sys.executable, "-m", "ray.scripts.scripts", "start", "--block",
                f"--object-store-memory={100 << 20}", *options]  # fmt: skip
        self._processes.append(
            subprocess.Popen(
                line,
                env={**os.environ, **ENVIRONMENT, "RAY_TMPDIR": str(self._folder)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    @contextlib.contextmanager
    def cut_off(self, number: int) -> Iterator[None]:
        """Pull a node's cable for the block."""
        cable = f"bbh{self._tag}{number}"
        _ip(f"link set {cable} down")
        try:
            yield
        finally:
            _ip(f"link set {cable} up")

    def close(self) -> None:
        """End all of it."""
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for space in self._spaces:
            subprocess.run(["ip", "netns", "del", space], capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Networks:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)
