"""Machine code that is kept: damage of any kind, folders of any kind."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest
from test_leftovers import can_unshare

from bigbar.compiled.code_cache import CodeCache, find_folder, is_there
from bigbar.compiled.jit import CACHE_FOLDER

ROOT = Path(__file__).resolve().parents[1]
RUN = (
    sys.executable, str(ROOT / "bigbar_multiprocessing_optimized.py"), str(ROOT / "example.csv"),
    "--atr-period", "10,20", "--k-atr", "0.8,1", "--verify", "0", "--no-validate",
)  # fmt: skip


def plus_one(x):
    return x + 1


def plus_two(x):
    return x + 2


class Compiled:
    """A function compiled as the kernel is, with what its cache has said."""

    def __init__(self, folder: Path, function=plus_one) -> None:
        self.said: list[str] = []
        self.made = numba.njit(function)
        self.made._cache = CodeCache(function, folder, self.said.append)

    def __call__(self, x):
        return self.made(x)

    @property
    def loaded(self) -> bool:
        return bool(self.made.stats.cache_hits)


def test_what_was_kept_is_loaded(tmp_path):
    folder = tmp_path / "made" / "when needed"
    assert not is_there(folder, "plus_one")
    first = Compiled(folder)
    assert (first(1), first.loaded) == (2, False)
    assert is_there(folder, "plus_one")
    assert not is_there(folder, "another")
    second = Compiled(folder)
    assert (second(1), second.loaded) == (2, True)
    assert (second(1.5), len(list(folder.iterdir()))) == (2.5, 2), "a file a signature"
    assert first.said == second.said == []


def flipped(kept: bytes, place: int) -> bytes:
    return kept[:place] + bytes([kept[place] ^ 0x10]) + kept[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: b"",
        lambda kept: kept[:10],
        lambda kept: kept[: len(kept) // 2],
        lambda kept: kept[:-1],
        lambda kept: kept + b"\0",
        lambda kept: flipped(kept, 0),
        lambda kept: flipped(kept, 40),
        lambda kept: flipped(kept, len(kept) // 2),
        lambda kept: flipped(kept, len(kept) - 1),
        lambda kept: bytes(len(kept)),
    ],
)
def test_what_is_damaged_is_compiled_again(tmp_path, damage):
    Compiled(tmp_path)(1)
    (path,) = tmp_path.iterdir()
    sound = path.read_bytes()
    path.write_bytes(damage(sound))
    second = Compiled(tmp_path)
    assert (second(1), second.loaded) == (2, False)
    assert second.said == ["kept machine code was damaged; it is compiled again"]
    third = Compiled(tmp_path)
    assert (third(1), third.loaded, third.said) == (2, True, [])


def test_code_of_another_function_is_none_of_this_one(tmp_path):
    Compiled(tmp_path / "one")(1)
    Compiled(tmp_path / "two", plus_two)(1)
    (one,), (two,) = (tmp_path / "one").iterdir(), (tmp_path / "two").iterdir()
    one.write_bytes(two.read_bytes())
    again = Compiled(tmp_path / "one")
    assert (again(1), again.loaded) == (2, False)
    assert again.said


def test_where_nothing_can_be_kept_everything_runs(tmp_path):
    (tmp_path / "file").write_text("no folder")
    found = Compiled(tmp_path / "file" / "cache")
    assert found(1) == 2
    assert "machine code cannot be kept" in found.said[0]


@pytest.mark.slow
@pytest.mark.skipif(not can_unshare("-m"), reason="needs the right to mount")
def test_a_full_disk(tmp_path):
    """What could not be written whole is not there."""
    script = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from pathlib import Path
from test_code_cache import Compiled
found = Compiled(Path({str(tmp_path)!r}))
print(found(1), found.said, list(Path({str(tmp_path)!r}).iterdir()))
"""
    mounted = f'mount -t tmpfs -o size=4k tmpfs {tmp_path} && exec "$@"'
    line = ["unshare", "-m", "sh", "-c", mounted, "sh", sys.executable, "-c", script]
    told = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout
    assert told.startswith("2 ['machine code cannot be kept")
    assert told.endswith("(No space left on device)'] []\n")


class TestFolders:
    @pytest.fixture(autouse=True)
    def nowhere(self, tmp_path, monkeypatch):
        """Neither the installation nor a home can be written to, whoever one is."""
        monkeypatch.setattr(numba.config, "CACHE_DIR", "")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
        monkeypatch.setenv("HOME", "/proc/nonexistent")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        (tmp_path / "tmp").mkdir()
        self.installed = Path("/proc/installed")
        self.user = tmp_path / "tmp" / f"bigbar-cache-{os.geteuid()}"

    def test_beside_the_sources(self, tmp_path):
        assert find_folder(tmp_path / "beside", "name") == tmp_path / "beside" / "name"

    def test_in_the_users_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert find_folder(self.installed, "name") == tmp_path / ".cache" / "bigbar" / "name"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert find_folder(self.installed, "name") == tmp_path / "xdg" / "bigbar" / "name"

    def test_numbas_own_variable_is_obeyed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "given"))
        assert find_folder(tmp_path / "beside", "name") == tmp_path / "given" / "bigbar" / "name"

    def test_without_rights_or_home(self):
        assert find_folder(self.installed, "name") == self.user / "name"
        assert stat.S_IMODE(self.user.stat().st_mode) == 0o700
        assert find_folder(self.installed, "name") == self.user / "name", "the next run, too"

    def test_code_that_somebody_else_could_have_put_there_is_not_run(self, tmp_path):
        self.user.mkdir()
        self.user.chmod(0o777)
        assert find_folder(self.installed, "name") is None
        self.user.rmdir()
        (tmp_path / "theirs").mkdir(mode=0o700)
        self.user.symlink_to(tmp_path / "theirs")
        assert find_folder(self.installed, "name") is None

    def test_nothing_at_all(self, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", "/proc/nonexistent")
        assert find_folder(self.installed, "name") is None


def run(tmp_path: Path, *prefix: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *RUN, "--output", str(tmp_path / "out")],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def copy_of_kept_code(tmp_path: Path, place: Path) -> Path:
    """What an ordinary run keeps, in another place: compiling it takes long."""
    assert CACHE_FOLDER is not None
    if not found_of_one_function(CACHE_FOLDER):  # Other tests keep other functions there.
        assert run(tmp_path).returncode == 0
    return Path(shutil.copytree(CACHE_FOLDER, place / CACHE_FOLDER.name))


def found_of_one_function(place: Path) -> list[Path]:
    """A file for each kind of argument: other tests may have called it with others."""
    return list(place.glob("average-true-range*"))


def kept_of_one_function(place: Path) -> list[Path]:
    found = found_of_one_function(place)
    assert found
    return found


@pytest.mark.slow
def test_the_command_with_damaged_code(tmp_path):
    place = copy_of_kept_code(tmp_path, tmp_path / "given" / "bigbar")
    for damaged in kept_of_one_function(place):
        damaged.write_bytes(flipped(damaged.read_bytes(), 20_000))
    done = run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "given"))
    assert done.returncode == 0, done.stderr
    assert "Note       kept machine code was damaged; it is compiled again\n" in done.stderr
    again = run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "given"))
    assert again.returncode == 0
    assert "machine code" not in again.stderr


@pytest.mark.slow
@pytest.mark.skipif(not can_unshare("-m"), reason="needs the right to mount")
def test_the_command_from_a_read_only_installation_without_a_home(tmp_path):
    user = tmp_path / f"bigbar-cache-{os.geteuid()}"
    user.mkdir(mode=0o700)
    place = copy_of_kept_code(tmp_path, user)
    lost = kept_of_one_function(place)
    for path in lost:
        path.unlink()
    read_only = f'mount --bind {ROOT} {ROOT} && mount -o remount,ro,bind {ROOT} && exec "$@"'
    done = run(
        tmp_path, "unshare", "-m", "sh", "-c", read_only, "sh",
        HOME="/proc/nonexistent", TMPDIR=str(tmp_path), XDG_CACHE_HOME="",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert any(path.exists() for path in lost)
