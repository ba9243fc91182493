"""What the machine has left, within the limits of control groups as the kernel writes them."""

from pathlib import Path

import psutil
import pytest

from bigbar import resources
from bigbar.resources import available_memory, free_disk, free_shared_memory


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


@pytest.fixture
def room(tmp_path: Path):
    """The room of a process whose groups are named in the given lines."""

    def look(*lines: str) -> int | None:
        own = tmp_path / "own"
        own.write_text("\n".join(lines))
        return resources._room_in_groups(tmp_path / "groups", own)

    look.groups = tmp_path / "groups"
    return look


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
