"""What the machine has left, within the limits of control groups as the kernel writes them."""

import contextlib
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from bigbar.machine import resources
from bigbar.machine.resources import (
    available_memory,
    free_disk,
    free_shared_memory,
    seen_processors,
    usable_processors,
)

ROOT = Path(__file__).resolve().parents[1]


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def of_groups(measure: Callable[[Path, Path], Any], folder: Path):
    """A measure of the groups that are named in the given lines; they stand in `groups`."""

    def look(*lines: str) -> Any:
        own = folder / "own"
        own.write_text("\n".join(lines))
        return measure(folder / "groups", own)

    look.groups = folder / "groups"
    return look


@pytest.fixture
def room(tmp_path: Path):
    """The room of a process whose groups are named in the given lines."""
    return of_groups(resources._room_in_groups, tmp_path)


def test_version_2(room):
    group(room.groups / "job", memory__max=1000, memory__current=600)
    assert room("0::/job") == 400
    group(room.groups / "job", memory__stat="anon 5\ninactive_file 150\nactive_file 7")
    assert room("0::/job") == 550


def test_no_limit(room):
    assert room("0::/") is None
    group(room.groups / "job", memory__max="max", memory__current=600)
    assert room("0::/job") is None


def test_a_group_above_has_the_least_room(room):
    group(room.groups / "job" / "step", memory__max=1000, memory__current=100)
    group(room.groups / "job", memory__max=1500, memory__current=1400)
    assert room("0::/job/step") == 100


def test_inside_a_container_the_path_is_the_hosts_and_the_group_is_the_root(room):
    group(room.groups, memory__max=1000, memory__current=900)
    assert room("0::/docker/123") == 100


def test_version_1(room):
    names = {"memory__limit_in_bytes": 1000, "memory__usage_in_bytes": 800}
    group(room.groups / "memory" / "job", **names, memory__stat="total_inactive_file 50")
    assert room("9:cpuset:/other", "4:memory:/job", "0::/") == 250
    assert room("9:cpuset:/job") is None


def test_more_than_allowed_is_no_room(room):
    group(room.groups / "job", memory__max=1000, memory__current=1600)
    assert room("0::/job") == 0


def test_no_groups_at_all(tmp_path):
    assert resources._room_in_groups(tmp_path, tmp_path / "not there") is None


def test_this_machine(tmp_path):
    assert 0 < available_memory() <= psutil.virtual_memory().total
    there = free_disk(tmp_path)
    assert there is not None
    assert there > 0
    assert free_disk(tmp_path / "not" / "made" / "yet") == pytest.approx(there, rel=0.2)
    shared = free_shared_memory()
    assert shared is None or shared > 0


@pytest.fixture
def quota(tmp_path: Path):
    """The processors that the groups of a process allow it."""
    return of_groups(resources._quota_in_groups, tmp_path)


def test_a_quota_of_version_2(quota):
    group(quota.groups / "job", cpu__max="150000 100000")
    assert quota("0::/job") == 1.5
    group(quota.groups / "job", cpu__max="max 100000")
    assert quota("0::/job") is None
    assert quota("0::/elsewhere") is None


def test_the_fewest_processors_of_any_group_above(quota):
    group(quota.groups, cpu__max="400000 100000")
    group(quota.groups / "job", cpu__max="max 100000")
    group(quota.groups / "job/step", cpu__max="300000 100000")
    assert quota("0::/job/step") == 3
    group(quota.groups / "job", cpu__max="50000 100000")
    assert quota("0::/job/step") == 0.5


def test_a_container_sees_its_quota_at_the_root(quota):
    group(quota.groups, cpu__max="200000 100000")
    assert quota("0::/docker/4f1c") == 2


@pytest.mark.parametrize("tree", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_version_1(quota, tree):
    group(quota.groups / tree / "job", cpu__cfs_quota_us=250_000, cpu__cfs_period_us=100_000)
    lines = ("4:memory:/", "3:cpu,cpuacct:/job", "2:cpuset:/job", "0::/")
    assert quota(*lines) == 2.5
    group(quota.groups / tree / "job", cpu__cfs_quota_us=-1)
    assert quota(*lines) is None


@pytest.mark.parametrize("text", ["", "nonsense", "100000 0", "max", "0 100000", "1 2 3"])
def test_a_quota_that_makes_no_sense_is_none(quota, text):
    group(quota.groups, cpu__max=text)
    assert quota("0::/") is None


def python(script: str, *prefix: str) -> str:
    line = [*prefix, sys.executable, "-c", script]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_a_real_quota():
    """Of a group made for it; version 1 or 2, whichever this machine has."""
    assert usable_processors() <= seen_processors()
    group = Path("/sys/fs/cgroup/cpu" if Path("/sys/fs/cgroup/cpu").is_dir() else "/sys/fs/cgroup")
    group /= f"bigbar-test-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("needs the right to make a control group")
    try:
        try:
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_quota_us").write_text("50000")
                (group / "cpu.cfs_period_us").write_text("100000")
            else:
                (group / "cpu.max").write_text("50000 100000")
        except OSError:
            pytest.skip("needs a control group that limits processors")
        inside = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
        script = (
            "from bigbar.machine.resources import *; print(usable_processors(), seen_processors())"
        )
        assert python(script, *inside) == f"1 {seen_processors()}"
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


BLIND = """
import os, time
from bigbar.executors.stopwatch import Stopwatch
from bigbar.machine.other_programs import OtherPrograms
from bigbar.machine.resources import *
from bigbar.machine.watch import ProcessMemory, peak_of_this_process
from bigbar.machine.describe import machine
from bigbar.store.owner import Owner

assert usable_processors() >= 1
assert available_memory() > 1 << 20
assert machine()["memory_bytes"] >= available_memory() >> 1
assert 1 << 20 < resident_memory() < 1 << 40
assert peak_of_this_process() > 1 << 20
assert process_exists(os.getpid()) and process_exists(1) and not process_exists(1 << 22)
others = OtherPrograms()
assert others.look([os.getpid()], 1.0) == others.look([os.getpid()], 2.0) == 0
ProcessMemory().look([os.getpid()])
watch = Stopwatch()
watch.look({0: os.getpid()}, 1.0)
sum(range(10_000_000))
watch.look({0: os.getpid()}, 1.2)
sum(range(10_000_000))
assert watch.look({0: os.getpid()}, 1.5)[0].worked > 0
owner = Owner.from_text(Owner.of_this_process().text())
assert owner.lives(time.time())
print("done")
"""


def can_mount() -> bool:
    line = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    with contextlib.suppress(FileNotFoundError):
        return not subprocess.run(line, capture_output=True, check=False).returncode
    return False


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount")
@pytest.mark.parametrize(
    "hide",
    [
        "mount -t tmpfs tmpfs /proc",
        "for one in stat meminfo uptime; do mount --bind /dev/null /proc/$one; done",
    ],
    ids=["no /proc", "empty files in it"],
)
def test_where_psutil_is_blind(hide):
    assert python(BLIND, "unshare", "-m", "sh", "-c", f'{hide}; exec "$@"', "sh") == "done"
