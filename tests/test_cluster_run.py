"""Whole runs on the machines of a cluster: the same bits as on one, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from cluster_tools import ENVIRONMENT, OF_RAY, ROOT, Nodes, needs_ray

import bigbar
from bigbar.executors.find import connected
from bigbar.optimization import Optimization
from bigbar.validation.summary import as_json
from bigbar.worker_names import worker_name

pytestmark = [needs_ray, pytest.mark.cluster, pytest.mark.slow]

#: A trader's file, with a neighbour that it imports, and one that this imports when it is called.
CROSS = """
from backtesting import Strategy
from averages import mean

class Cross(Strategy):
    n = 10
    size = 1

    def init(self):
        self.mean = self.I(mean, self.data.Close, self.n)

    def next(self):
        if self.data.Close[-1] > self.mean[-1]:
            if not self.position:
                self.buy(size=self.size)
        elif self.position:
            self.position.close()
"""
AVERAGES = """
def mean(values, n):
    from rolling import rolled
    return rolled(values, n)
"""
ROLLING = """
import pandas as pd

def rolled(values, n):
    return pd.Series(values).rolling(n).mean()
"""

#: The same, but some combinations raise, kill their process, or never end.
BAD = (
    CROSS
    + """
class Bad(Cross):
    def init(self):
        if self.n == 12:
            raise LookupError("twelve")
        if self.n == 14:
            import os, signal
            os.kill(os.getpid(), signal.SIGKILL)
        while self.n == 16:
            pass
        super().init()
"""
)

#: The same, slow.
SLOW = (
    CROSS
    + """
class Slow(Cross):
    def init(self):
        import time
        time.sleep(0.1)
        super().init()
"""
)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, **OF_RAY}.items():
            patch.setenv(name, value)
        with Nodes(1, 1, 1) as found, connected(found.address, lambda _: None):
            yield found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trader's files, where no node would look."""
    folder = tmp_path_factory.mktemp("project")
    files = {"bad": BAD, "slow": SLOW, "cross": CROSS, "averages": AVERAGES, "rolling": ROLLING}
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    (folder / "bars.csv").write_text("".join(lines[:501]))
    return folder


def pair(nodes: Nodes, data: Any, **options: Any) -> tuple[Optimization, Optimization]:
    """A run on this machine, and one on the cluster."""
    alone = bigbar.optimize(data, workers=2, **options)
    return alone, bigbar.optimize(data, cluster=nodes.address, **options)


def test_the_same_bits_and_findings(nodes: Nodes, tmp_path: Path) -> None:
    grid = {"atr_period": range(10, 40, 2), "k_atr": [1.0, 1.5, 2.0], "buffer_ratio": 0.01}
    alone, spread = pair(nodes, ROOT / "example.csv", **grid, walk_forward=2, verify=5)
    assert spread.outcome.result_sha256 == alone.outcome.result_sha256
    ours, theirs = (as_json(one.findings, one.outcome.job.space) for one in (spread, alone))
    assert ours == theirs
    assert spread.outcome.workers_kind == "cluster"
    assert spread.outcome.verification is not None
    assert spread.outcome.verification.combinations == 6


def test_a_traders_own_files_travel_and_bad_combinations_cost_themselves(
    nodes: Nodes, project: Path, tmp_path: Path
) -> None:
    options = {
        "n": range(11, 25), "validate": False, "verify": 3, "timeout_per_backtest": 1.0,
        "strategy": f"{project / 'bad.py'}:Bad", "engine": "backtesting",
    }  # fmt: skip
    alone, spread = pair(nodes, project / "bars.csv", **options)
    assert spread.table().equals(alone.table())
    assert spread.table()["# Trades"].isna().sum() == 3
    ours, theirs = ({one.number: one.reason for one in each.failures} for each in (spread, alone))
    assert ours.keys() == theirs.keys() == {1, 3, 5}
    assert ours[1].rstrip().endswith("LookupError: twelve")
    assert ours[3] == "its worker died 2 times (disappeared)"
    assert ours[5] == theirs[5] == "took longer than 1 s"
    assert str(project / "bad.py") in ours[1]  # Where it lies on the driver's machine.


def test_compiled_strategies_travel_and_the_store_takes_rows_of_either(
    nodes: Nodes, project: Path, tmp_path: Path
) -> None:
    options = {
        "size": [1, 2], "verify": 3, "engine": "compiled",
        "strategy": f"{project / 'cross.py'}:Cross", "validate": False, "store": tmp_path,
    }  # fmt: skip
    spread = bigbar.optimize(project / "bars.csv", n=range(5, 30), cluster=nodes.address, **options)
    assert spread.outcome.job.engine == "compiled"
    assert not spread.outcome.in_python
    alone = bigbar.optimize(project / "bars.csv", n=range(5, 31), workers=2, **options)
    assert alone.outcome.reused == 50
    again = bigbar.optimize(project / "bars.csv", n=range(5, 31), workers=2, **options, fresh=True)
    assert again.outcome.result_sha256 == alone.outcome.result_sha256
    machines = spread.outcome.machines
    assert sum(one.tasks for one in machines) > 0
    seen = spread.outcome.metrics
    assert seen is not None
    assert {worker_name(one.worker).partition(":")[0] for one in seen.slowest} - {""}
    assert all(0 <= one.begun_s < 60 for one in seen.slowest)


# A cluster of this machine alone, by the command.


def command(project: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    line = [
        *(sys.executable, "-m", "bigbar", "bars.csv", "--strategy", "slow.py:Slow"),
        *("--param", "n=5:34:1", "--engine", "backtesting", "--no-validate", "--verify", "1"),
        *("--output", str(output), *more),
    ]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.Popen(
        line,
        cwd=project,
        env={**environment, "PYTHONPATH": str(ROOT), "HOME": str(output.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_the_sweep(process: subprocess.Popen[str]) -> str:
    """What was told until the sweep began."""
    told = ""
    assert process.stderr is not None
    while not told.rpartition("\n")[2].startswith("Estimate"):
        line = process.stderr.readline()
        assert line, told
        told += line.rstrip("\n") if line.startswith("Estimate") else line
    time.sleep(0.5)
    return told


def test_a_cluster_here_keeps_to_itself_and_a_killed_run_goes_on_anywhere(
    project: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    first = command(project, output, "--cluster", "local:2")
    in_the_sweep(first)
    family = psutil.Process(first.pid).children(recursive=True)
    raylet = next(one for one in family if one.name() == "raylet")
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            for listening in one.net_connections(kind="inet"):
                if listening.status == psutil.CONN_LISTEN:
                    assert listening.laddr.ip in ("127.0.0.1", "::ffff:127.0.0.1"), one
    environment = raylet.environ()
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["RAY_AUTH_MODE"] == "token"
    token = Path(environment["RAY_AUTH_TOKEN_PATH"])
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.parent.stat().st_mode & 0o777 == 0o700
    first.kill()
    first.communicate()
    deadline = time.monotonic() + 20
    while (token.parent.exists() or any_lives(family)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not token.parent.exists()
    assert not any_lives(family)
    assert not (tmp_path / ".ray").exists()  # Which is where Ray would keep a token.

    second = command(project, output)
    in_the_sweep(second)
    second.send_signal(signal.SIGINT)
    _, told = second.communicate()
    assert "resuming run 1" in told or second.returncode == 130

    third = command(project, output, "--cluster", "local:2")
    answer, told = third.communicate()
    assert third.returncode == 0, told
    assert "resuming run 1" in told
    assert answer.startswith("Best of 30 combinations")
    assert "ray" not in answer.lower()
    fresh = command(project, tmp_path / "fresh")
    fresh.communicate()
    assert fresh.returncode == 0
    assert digest(output) == digest(tmp_path / "fresh")


def any_lives(processes: list[psutil.Process]) -> bool:
    return any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def digest(folder: Path) -> str:
    import json

    return str(json.loads((folder / "summary.json").read_text())["result_sha256"])
