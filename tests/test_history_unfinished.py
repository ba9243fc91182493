"""Runs that still go on, or were killed: seen by the real command while a real run works."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from history_tools import ROOT, Asked, stored

from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError
from tests import commands

#: 10,120 combinations by backtesting.py: longer than these tests look at it.
COMMAND = (
    "--engine", "backtesting", "--k-atr", "0.8:3:0.1", "--atr-period", "10:20:1",
    "--workers", "2", "--no-progress",
)  # fmt: skip


def running(folder: Path) -> subprocess.Popen[bytes]:
    """A run that has stored some of its rows."""
    source = folder / "bars.csv"
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    source.write_text("".join(lines[:401]))
    script = ROOT / "bigbar_multiprocessing_optimized.py"
    process = commands.Command(
        [sys.executable, str(script), str(source), *COMMAND, "--output", str(folder)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            with RunStore(folder, read_only=True) as store:
                if any(run.done for run in store.runs()):
                    return process
        except StoreError:
            pass  # It is not there yet.
        time.sleep(0.05)
    raise AssertionError("nothing was stored")


@pytest.fixture(scope="module")
def begun(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A folder with a run that goes on, and its process."""
    folder = tmp_path_factory.mktemp("live")
    process = running(folder)
    yield folder, process
    process.kill()
    process.wait(timeout=30)


@pytest.fixture
def live(begun: tuple[Path, subprocess.Popen[bytes]]) -> Iterator[Path]:
    """A folder with a run that goes on, from the test's beginning to its end."""
    folder, process = begun
    assert process.poll() is None
    yield folder
    assert process.poll() is None


@pytest.fixture
def killed(begun: tuple[Path, subprocess.Popen[bytes]]) -> Path:
    """The same folder once the run was killed: for tests after all of those that look at it."""
    folder, process = begun
    process.kill()
    process.wait(timeout=30)
    return folder


def of_all(folder: Path) -> int:
    with RunStore(folder, read_only=True) as store:
        return store.run(1).combinations


class TestWhileItRuns:
    @pytest.mark.slow
    def test_the_list_says_how_far_it_is(self, capsys, live):
        asked = Asked(capsys, live, "history")
        assert asked.code == 0
        assert " running " in asked.out
        assert "no best by Return [%]" in asked.out or "--" in asked.out
        told = Asked(capsys, live, "history", "--json").json[0]
        assert (told["state"], told["ended"], told["best"]) == ("running", None, None)
        assert 0 < told["done"] < told["combinations"]

    def test_the_best_so_far_is_shown(self, capsys, live):
        asked = Asked(capsys, live, "show", "last")
        words = " ".join(asked.out.split())
        assert words.startswith("Run 1 is still running: ")
        assert f"of {of_all(live):,} combinations are done" in words
        assert "combinations so far by Return [%]: " in words
        assert "Sharpe Ratio" in words
        assert "Result sha256" not in words

    def test_it_is_exported_as_far_as_it_goes(self, capsys, live):
        to = live / "rows.parquet"
        asked = Asked(capsys, live, "export", "1", "--to", str(to))
        assert asked.code == 0
        assert "(run 1: running " in asked.out
        assert len(pd.read_parquet(to)) < of_all(live)
        assert not pd.read_parquet(to)["# Trades"].isna().any()

    def test_it_is_verified_as_far_as_it_goes(self, capsys, live):
        told = Asked(capsys, live, "verify", "1", "--sample", "2", "--json").json
        assert told["ok"]
        assert told["hash_matches"] is None
        assert len(told["replayed"]) == 3

    def test_it_is_not_deleted(self, capsys, live):
        assert Asked(capsys, live, "delete", "1").refused("run 1 is running")

    def test_it_has_no_profile_yet(self, capsys, live):
        assert Asked(capsys, live, "profile", "1").refused("has no profile", "running")


def test_a_killed_run(capsys, killed):
    """What it had stored is there, says so, and can be deleted."""
    run, _, done = stored(killed, 1)
    assert run.state == "interrupted"
    assert 0 < np.count_nonzero(done) < run.combinations
    share = f"interrupted {100 * run.done // run.combinations}%"
    assert share in Asked(capsys, killed, "history").out
    asked = Asked(capsys, killed, "show", "1")
    words = " ".join(asked.out.split())
    assert words.startswith(f"Run 1 was interrupted: {run.done:,} of {run.combinations:,}")
    assert "'export 1' writes the rows that there are. The same command continues it." in words
    Asked(capsys, killed, "export", "1")
    frame = pd.read_parquet(killed / "run-1.parquet")
    assert len(frame) == np.count_nonzero(done)
    asked = Asked(capsys, killed, "verify", "1", "--sample", "1")
    assert asked.code == 0
    assert "as far as it came" in asked.out
    asked = Asked(capsys, killed, "compare", "1", "1")
    assert "Run 1 is interrupted at" in asked.out
    assert "same, to the last bit" not in asked.out
    assert Asked(capsys, killed, "delete", "1").code == 0
    assert Asked(capsys, killed, "history").out == "no runs yet\n"
