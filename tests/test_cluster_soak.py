"""Faults of many kinds at random moments, and a network that is cut: the same bits every time.

pytest tests/test_cluster_soak.py --soak --soak-faults 60
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from cluster_networks import Networks, can_be_made, there
from cluster_tools import ENVIRONMENT, ROOT, Nodes, needs_ray

import bigbar
from bigbar.executors.find import connected
from bigbar.progress.events import Listener

pytestmark = [needs_ray, pytest.mark.cluster, pytest.mark.soak, pytest.mark.timeout(7200)]

#: Slow enough to be struck: some seconds on two workers.
SLOW = """
import time
from backtesting import Strategy

class Slow(Strategy):
    n = 1

    def init(self):
        time.sleep(0.05)

    def next(self):
        if len(self.data) % (self.n + 7) == 0:
            self.buy()
        elif len(self.data) % (self.n + 11) == 0:
            self.position.close()
"""

#: Each run may take so many seconds, whatever happens to it.
HANGS_S = 120


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("job")
    (folder / "slow.py").write_text(SLOW)
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    (folder / "bars.csv").write_text("".join(lines[:401]))
    return {
        "data": folder / "bars.csv", "strategy": f"{folder / 'slow.py'}:Slow",
        "n": range(1, 121), "engine": "backtesting", "validate": False, "verify": 2,
    }  # fmt: skip


class Events(Listener):
    """Keeps what is told, and begins with something when the sweep does."""

    def __init__(self, then: threading.Timer) -> None:
        self.told: list[str] = []
        self._then = then

    def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
        self._then.start()

    def event(self, what: str) -> None:
        self.told.append(what)


def strike(kind: str, nodes: Nodes, random_: random.Random, over: threading.Event) -> bool:
    """Cause a fault within some seconds; a node that goes is followed by another.

    Returns
    -------
    bool
        Whether the run was not over yet.
    """
    time.sleep(random_.uniform(0.0, 5.0))
    name = random_.choice(sorted(nodes.raylets))
    if kind in ("worker", "warden"):
        title = "ray::answer" if kind == "worker" else "ray::Warden"
        while not over.is_set():
            if found := [one for one in nodes.processes(name) if called(one).startswith(title)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    random_.choice(found).kill()
                    return True
            time.sleep(0.01)
        return False
    in_time = not over.is_set()
    if kind == "freeze":
        with nodes.frozen(name):
            time.sleep(random_.uniform(0.5, 8.0))
    elif kind == "node":
        nodes.add()
        in_time = not over.is_set()
        nodes.kill(name)
    elif kind == "join":
        nodes.add()
        in_time = not over.is_set()
        if len(nodes.raylets) > 3:
            nodes.kill(name)
    return in_time


def called(process: psutil.Process) -> str:
    """How a process calls itself; nothing once it has ended."""
    try:
        return "".join(process.cmdline()[:1])
    except psutil.NoSuchProcess:
        return ""


def test_random_faults_change_no_bit(
    job: dict[str, Any], pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    random_ = random.Random(pytestconfig.getoption("--soak-seed"))
    expected = bigbar.optimize(**job, workers=2).outcome.result_sha256
    seconds: dict[str, list[float]] = defaultdict(list)
    faults = pytestconfig.getoption("--soak-faults")
    with (
        Nodes(0, 1, 1) as nodes,
        connected(nodes.address, lambda _: None),
        ThreadPoolExecutor(1) as striker,
    ):
        while sum(map(len, seconds.values())) < faults:
            kind = random_.choice(["worker", "worker", "warden", "node", "freeze", "join"])
            over, begun = threading.Event(), time.monotonic()
            struck = striker.submit(strike, kind, nodes, random_, over)
            try:
                found = bigbar.optimize(**job, cluster=nodes.address).outcome
            finally:
                over.set()
            took = time.monotonic() - begun
            assert found.result_sha256 == expected, kind
            assert not found.failures, kind
            assert took < HANGS_S, (kind, took)
            if struck.result():
                seconds[kind].append(took)
                print(f"{kind:<8} {took:6.1f} s")
    for kind, each in sorted(seconds.items()):
        print(f"{kind:<8} {len(each):4} times, {min(each):.1f} to {max(each):.1f} s")


@pytest.mark.skipif(not can_be_made(), reason="needs root, and network namespaces")
def test_a_network_that_is_cut_for_ten_seconds(
    job: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    before, grid = there(), {**job, "n": range(1, 401)}
    expected = bigbar.optimize(**grid, workers=2).outcome.result_sha256
    with (
        Networks(2) as networks,
        connected(networks.address, lambda _: None) as processors,
    ):
        assert processors == 2
        for number in (0, 1):

            def pull(number: int = number) -> None:
                with networks.cut_off(number):
                    time.sleep(10)

            later = threading.Timer(1.0, pull)
            events = Events(later)
            found = bigbar.optimize(**grid, cluster=networks.address, listener=events).outcome
            later.join()
            silent = [line for line in events.told if "does not answer" in line]
            assert len(silent) == 1, events.told
            assert f"(node{number})" in silent[0]
            assert found.result_sha256 == expected
            assert not found.failures
    assert there() == before


@pytest.mark.skipif(not can_be_made(), reason="needs root, and network namespaces")
def test_a_network_whose_nodes_do_not_start_tells_why_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = there()
    monkeypatch.setitem(ENVIRONMENT, "RAY_AUTH_TOKEN", "")
    with pytest.raises(RuntimeError, match=r"(?s)head of the cluster did not start.*oken"):
        Networks(1)
    assert there() == before
