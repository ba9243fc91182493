"""What a cluster costs: a slice, a grid, a long job; and what that comes to on a hundred machines.

`--markdown FILE` writes the table for docs/cluster.md.

Nodes of a Ray cluster are started on this machine, so no network is measured, and with more nodes
than processors nothing gets faster: what is compared is processor time. That of all processes
counts, Ray's own among them, once a first run has started the workers.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
os.environ["RAY_TMPDIR"] = _FOLDER = tempfile.mkdtemp(prefix="bb", dir="/tmp")
os.mkdir(os.path.join(_FOLDER, "ray"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
_HERE = Path(__file__).resolve().parent
os.environ["PYTHONPATH"] = os.pathsep.join([str(_HERE), str(_HERE.parent)])
sys.path.insert(0, str(_HERE.parent))

import cluster_tasks  # noqa: E402
import common  # noqa: E402
import psutil  # noqa: E402

import bigbar  # noqa: E402
from bigbar.executors import find  # noqa: E402
from bigbar.executors.chunks import longest_chunk  # noqa: E402
from bigbar.executors.cluster.executor import ClusterExecutor  # noqa: E402
from bigbar.executors.cluster.supplies import Supplies, Witness  # noqa: E402
from bigbar.executors.cluster.travelling import Travelling  # noqa: E402
from bigbar.keeping.packed import packed  # noqa: E402
from bigbar.keeping.reduced import Done, Reduced  # noqa: E402
from bigbar.reducing import TAKEN_IN_S  # noqa: E402

#: The processor time of a cluster may be more than that of processes by this share.
MOST = 0.10

#: Bytes of a node's object store.
_STORE = 150 << 20

#: Handed out for a figure; their rows are let go as they come, as a sweep does.
_SLICES = 1000

#: On paper: points, machines, processors of each, seconds for a point.
POINTS, MACHINES, PROCESSORS, POINT_S = 10_000_000_000, 100, 64, 2e-4


def rays_s() -> float:
    """Seconds that Ray's own processes have taken, the workers aside."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, IndexError):
            if not process.cmdline()[0].startswith(("ray::answer", "ray::IDLE")):
                total += sum(process.cpu_times()[:2])
    return total


class Nodes:
    """A cluster of nodes with so many processors each; use it in a `with` block."""

    def __init__(self, *processors: int) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()
        for number, each in enumerate(processors):
            head = {} if number else {"include_dashboard": False}
            self._cluster.add_node(num_cpus=each, object_store_memory=_STORE, **head)
        self.address: str = self._cluster.address

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *exception: object) -> None:
        self._cluster.shutdown()


def slices(report: common.Report, address: str) -> float:
    """Hand out slices that take no time; seconds of the driver for one."""
    with find.connected(address, print):
        supplies = Supplies(
            cluster_tasks.nothing, (None,), Travelling(), Witness(cluster_tasks.digits, [()]),
            cluster_tasks.versions, (), 60.0,
        )  # fmt: skip
        assert find._session is not None
        with ClusterExecutor(find._session, supplies, on_event=lambda _: None) as executor:
            costs = {}
            for combinations in (1, 1250):
                tasks = [(at, at + combinations) for at in range(_SLICES)]
                deque(executor.imap_unordered(cluster_tasks.rows, tasks[:200]), maxlen=0)
                begun, used = time.perf_counter(), time.process_time()
                deque(executor.imap_unordered(cluster_tasks.rows, tasks), maxlen=0)
                each = (time.perf_counter() - begun) / _SLICES
                costs[combinations] = (time.process_time() - used) / _SLICES
                sent = len(pickle.dumps(cluster_tasks.rows(tasks[0])))
                report.line(
                    f"a slice of {combinations} rows, {sent:,} bytes: on the clock / driver",
                    f"{common.duration(each)} / {common.duration(costs[combinations])}",
                )
    return costs[1250]


def kept_slices(report: common.Report, address: str) -> tuple[float, int]:
    """The same with `--keep top:1000`; seconds of the driver for one, and bytes of it."""
    supplies = Supplies(
        cluster_tasks.nothing, (None,), Travelling(), Witness(cluster_tasks.digits, [()]),
        cluster_tasks.versions, (), 60.0,
    )  # fmt: skip
    with find.connected(address, print):
        assert find._session is not None
        with ClusterExecutor(find._session, supplies, on_event=lambda _: None) as executor:
            tasks = [(at, at + 1) for at in range(_SLICES)]
            deque(executor.imap_unordered(cluster_tasks.kept, tasks[:50]), maxlen=0)
            found, done = Reduced(cluster_tasks.RULE, cluster_tasks.GRID), Done()
            used = time.process_time()
            for task, part in executor.imap_unordered(cluster_tasks.kept, tasks):
                found.merge(part)
                done.add(*task)
            driver_s = (time.process_time() - used) / _SLICES
    sent = len(pickle.dumps(part))
    report.line(
        f"what is kept of {cluster_tasks.KEPT_OF:,} rows (--keep top:1000), {sent:,} bytes: driver",
        common.duration(driver_s),
    )
    used, counts = time.process_time(), found.counts
    counts.tried = len(done)
    content = packed(found, done)
    report.line(
        f"all that is kept, for the store: {len(content):,} bytes",
        common.duration(time.process_time() - used),
    )
    return driver_s, sent


def measured(run: Callable[..., Any], **place: Any) -> tuple[float, float, str]:
    """Processor seconds of slices, driver and Ray in a run; of slices alone; what came of it."""
    begun, own = rays_s(), time.process_time()
    outcome = run(**place).outcome
    metrics = outcome.metrics
    assert metrics is not None
    around = time.process_time() - own + (rays_s() - begun if "cluster" in place else 0.0)
    return metrics.processor_s + around, metrics.processor_s, str(outcome.result_sha256)


def compare(
    report: common.Report, what: str, run: Callable[..., Any], rounds: int, *clusters: Any
) -> None:
    """A job by processes and by each cluster, in turns."""
    for processors in clusters:
        with Nodes(*processors) as nodes, find.connected(nodes.address, print):
            run(cluster=nodes.address)  # Workers are there, and have imported everything.
            pairs = []
            for number in range(rounds):
                sides = [{"workers": 2}, {"cluster": nodes.address}]
                found = [measured(run, **side) for side in sides[:: 1 if number % 2 == 0 else -1]]
                pairs.append(found if number % 2 == 0 else found[::-1])
        name = f"{what}, {len(processors)} nodes of {processors[0]}"
        report.check(f"{name}: every statistic", len({one[2] for two in pairs for one in two}) == 1)
        more = statistics.median(two[1][1] / two[0][1] - 1 for two in pairs)
        spent = common.duration(statistics.median(two[0][1] for two in pairs))
        report.line(
            f"{name}: processor time of slices, against {spent}",
            f"{more:+.1%}", f"under {MOST:.0%}", more < MOST,
        )  # fmt: skip
        beside = statistics.median(two[1][0] - two[0][0] for two in pairs)
        report.line(f"{name}: with driver, wardens and Ray, more", common.duration(beside))


def on_paper(report: common.Report, driver_s: float, kept_s: float, kept_bytes: int) -> None:
    """A grid of 10 billion points on a hundred machines, by what was measured."""
    workers = MACHINES * PROCESSORS
    seconds = POINTS * POINT_S / workers
    report.line(
        f"on paper: {POINTS:,} points of {common.duration(POINT_S)} on {workers:,} processors",
        f"{seconds / 3600:.2f} hours",
    )
    hand_out_s = ClusterExecutor.hand_out_s
    for what, each, more in (("all rows", driver_s, 0.0), ("--keep top:1000", kept_s, TAKEN_IN_S)):
        long = longest_chunk(POINTS, workers, POINT_S, hand_out_s=hand_out_s + more)
        count = POINTS * POINT_S / long
        busy = count * each / seconds
        report.line(
            f"{what}: slices of {long:.1f} s, and a second",
            f"{count:,.0f}, {count / seconds:,.0f} /s",
        )
        report.line(f"{what}: the driver's processor", f"{busy:.2f}", "under 1", busy < 1)
        sent = POINTS * 240 if not more else count * kept_bytes
        report.line(f"{what}: to the driver", f"{sent / seconds / 1e6:,.0f} MB/s")
    report.line("all rows, each 160 bytes packed, in the store", f"{POINTS * 160 / 1e12:.1f} TB")


def main() -> int:
    options = common.arguments(
        __doc__.splitlines()[0],
        rounds=("--rounds", 3, "pairs of runs (3)"),
        minutes=("--minutes", 5.0, "of the long job on two workers (5)"),
    )
    report = common.Report("A cluster against processes of one machine", options)
    with Nodes(2) as nodes:
        driver_s = slices(report, nodes.address)
        kept = kept_slices(report, nodes.address)
    file = common.data_file(options.data, 20_000)
    clusters = ((2,), (1, 1), (1, 1, 1))

    def default_grid(**place: Any) -> Any:
        return bigbar.optimize(file, validate=False, verify=0, **place)

    def long_job(**place: Any) -> Any:
        return bigbar.optimize(
            file, strategy=f"{_HERE / 'example_strategies.py'}:Sma4Cross", engine="backtesting",
            n1=range(10, 10 + count), validate=False, verify=0, **place,
        )  # fmt: skip

    compare(report, "default grid", default_grid, options.rounds, *clusters)
    count = 8
    each = long_job(workers=2).outcome.estimated_duration_s
    count = max(8, int(options.minutes * 60 * 2 / each))
    compare(report, f"{options.minutes:g} minutes of Python", long_job, options.rounds, *clusters)
    on_paper(report, driver_s, *kept)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
