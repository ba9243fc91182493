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

from cluster_tools import ENVIRONMENT, OWN_MEMORY

_PORT = 6399

#: Seconds that a node has to start.
_START_S = 90.0

#: Seconds that it has to leave; a head would take more than twenty.
_LEAVE_S = 5.0

#: What `ray start` says once the cluster knows its node.
_STARTED = "Ray runtime started"

#: Gives the command after the name that follows this name, as a machine's.
_NAMED = ("unshare", "--uts", "sh", "-c",
          'echo "$0" > /proc/sys/kernel/hostname && exec "$@"')  # fmt: skip

#: How the names of this process' folders begin; Ray's sockets need short ones.
_OURS = f"bb{os.getpid()}_"


def can_be_made() -> bool:
    """Whether this user may make network namespaces here."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"bb{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return made


def there() -> set[str]:
    """Links and namespaces of this machine, and folders that were made here."""
    spaces = Path("/run/netns")
    found = [*Path("/sys/class/net").iterdir(), *Path("/tmp").glob(f"{_OURS}*")]
    return {str(one) for one in [*found, *(spaces.iterdir() if spaces.is_dir() else ())]}


class Networks:
    """A head that works for nobody, and nodes behind a bridge; use it in a `with` block.

    Each node is as a machine of its own: with a network, a name (node0, node1, ...), shared memory,
    and a folder for Ray. In a common folder two that start at once take the same socket, and one of
    them ends.

    Parameters
    ----------
    nodes : int
        All are part of the cluster when the block begins.

    Attributes
    ----------
    address : str

    Raises
    ------
    RuntimeError
        A node did not start, with what it wrote last.
    """

    def __init__(self, nodes: int) -> None:
        self._tag = secrets.token_hex(2)
        self._bridge = f"bb{self._tag}"
        # Another one each time: what is left of a test that was killed has the last one still.
        self._net = f"10.213.{1 + secrets.randbelow(254)}"
        self.address = f"{self._net}.1:{_PORT}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._spaces: list[str] = []
        self._folder = Path(tempfile.mkdtemp(prefix=_OURS, dir="/tmp"))
        try:
            _ip(f"link add {self._bridge} type bridge")
            _ip(f"addr add {self._net}.1/24 dev {self._bridge}")
            _ip(f"link set {self._bridge} up")
            self._start("head", [], "--head", f"--node-ip-address={self._net}.1",
                        f"--port={_PORT}", "--num-cpus=0", "--include-dashboard=false")  # fmt: skip
            self._wait_for("head")
            for number in range(nodes):
                self._add(number)
            for number in range(nodes):
                self._wait_for(f"node{number}")
        except BaseException:
            self.close()
            raise

    def _add(self, number: int) -> None:
        space, here, inside = (f"{part}{self._tag}{number}" for part in ("bb", "bbh", "bbn"))
        _ip(f"netns add {space}")
        self._spaces.append(space)
        _ip(f"link add {here} type veth peer name {inside}")
        _ip(f"link set {inside} netns {space}")
        _ip(f"link set {here} master {self._bridge}")
        _ip(f"link set {here} up")
        _ip(f"-n {space} addr add {self._net}.{10 + number}/24 dev {inside}")
        _ip(f"-n {space} link set {inside} up")
        _ip(f"-n {space} link set lo up")
        self._start(
            f"node{number}", ["ip", "netns", "exec", space, *OWN_MEMORY, *_NAMED, f"node{number}"],
            f"--address={self.address}", "--num-cpus=1",
            f"--node-ip-address={self._net}.{10 + number}",
        )  # fmt: skip

    def _start(self, name: str, before: list[str], *options: str) -> None:
        line = [*before, sys.executable, "-u", "-m", "ray.scripts.scripts", "start", "--block",
                f"--object-store-memory={100 << 20}", f"--temp-dir={self._folder / name}",
                *options]  # fmt: skip
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                line,
                env={**os.environ, **ENVIRONMENT},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_for(self, name: str) -> None:
        log, process = self._folder / f"{name}.log", self._processes[name]
        deadline = time.monotonic() + _START_S
        while _STARTED not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > deadline:
                folder = self._folder / name / "session_latest" / "logs"
                said = [_end_of(one) for one in (log, *sorted(folder.glob("raylet.*")))]
                raise RuntimeError(f"{name} of the cluster did not start\n" + "\n".join(said))
            time.sleep(0.1)

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
        for process in reversed(self._processes.values()):  # The head last: nodes take their leave.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LEAVE_S)
            with contextlib.suppress(ProcessLookupError):  # Its agents may outlive a raylet.
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for number, space in enumerate(self._spaces):
            # The cable first: the space itself goes some time after its last process.
            for words in (f"link del bbh{self._tag}{number}", f"netns del {space}"):
                subprocess.run(["ip", *words.split()], capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Networks:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join([f"--- {log.name}", *lines[-40:]])
