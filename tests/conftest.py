"""A guard around every test (see `guard`), what the command line adds, and folders of runs.

A test that hangs is ended by pytest-timeout (see `pyproject.toml`).
"""

from __future__ import annotations

import gc
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.guard import Guard

# How long an example takes says nothing on a machine that others use as well.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


# Started in the background of a script, tests inherit an ignored Ctrl-C, and by `nohup` an ignored
# hang-up; and so would the programs that they start and send these to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak", action="store_true", default=False, help="also run the tests marked soak"
    )
    parser.addoption(
        "--soak-faults", type=int, default=200, help="faults that the soak causes (200)"
    )
    parser.addoption("--soak-seed", type=int, default=1, help="of the soak's random numbers (1)")
    parser.addoption("--soak-report", help="a file for the soak's table")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """For the tests that run alone, do not read all the files that have none."""
    if not config.getoption("markexpr").endswith(" and alone") or not collection_path.is_file():
        return None
    return "mark.alone" not in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Side by side, tests are known by their names: an address is another one in every process.
    if odd := [item.nodeid for item in items if re.search(r" at 0x[0-9a-f]{6,}", item.nodeid)]:
        raise pytest.UsageError(f"give these tests names without an address: {odd}")
    if config.getoption("--soak"):
        return
    skip = pytest.mark.skip(reason="long: run with --soak")
    for item in items:
        if item.get_closest_marker("soak") is not None:
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    """Thousands of tests and all that they import stay: no process looks through them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a shared-memory segment, a process or a temporary folder."""
    guard = Guard()
    yield
    files, processes = guard.left_behind()
    assert not files, f"left behind: {files}"
    assert not processes, f"still running: {processes}"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a price file, of text or bytes, and return its path."""

    def write_file(content: str | bytes, name: str = "bars.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write_file


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small runs; not to be changed."""
    from history_tools import make_runs

    return make_runs(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def spoilable_runs(kept_runs: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(kept_runs, tmp_path / "copy"))
