"""The store for a strategy of one's own: continued to the same bits, reused, or told why not."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bigbar.store.receipt import read_receipt
from bigbar.store.runs import RunStore
from bigbar.store.schema import VERSION
from tests import commands

ROOT = Path(__file__).resolve().parents[1]

STRATEGY = """
import time
from backtesting import Strategy
from backtesting.lib import crossover
from averages import mean

class Cross(Strategy):
    fast = 5
    slow = 20
    pause = 0.0

    def init(self):
        time.sleep(self.pause)
        self.quick = self.I(mean, self.data.Close, self.fast)
        self.calm = self.I(mean, self.data.Close, self.slow)

    def next(self):
        if crossover(self.quick, self.calm):
            self.position.close()
            self.buy()
        elif crossover(self.calm, self.quick):
            self.position.close()
"""

AVERAGES = """
import pandas as pd

def mean(values, n):
    return pd.Series(values).rolling(n).mean()
"""

OPTIONS = ("--cash", "1000000", "--workers", "1", "--no-validate", "--no-progress", "--verify", "0")
GRID = ("--param", "fast=4:10:2", "--param", "slow=20,40")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    (tmp_path / "prices.csv").write_text("".join(lines[:501]))
    (tmp_path / "my.py").write_text(STRATEGY)
    (tmp_path / "averages.py").write_text(AVERAGES)
    return tmp_path


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return commands.Command(
        [sys.executable, "-m", "bigbar", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def asked(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code of a command, and what it said, its lines joined."""
    process = started(folder, *arguments)
    out, err = process.communicate(timeout=100)
    assert "Traceback" not in out + err
    return process.returncode, " ".join((out + err).split())


def optimized(folder: Path, *arguments: str, grid: tuple[str, ...] = GRID) -> str:
    line = ("prices.csv", "--strategy", "my.py:Cross", *grid, *OPTIONS, *arguments)
    code, said = asked(folder, *line, "--output", "out")
    assert code == 0, said
    return said


def summary(folder: Path) -> dict:
    return json.loads((folder / "out" / "summary.json").read_text())


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def done(folder: Path) -> int:
    """Combinations of the first run that are in the store by now."""
    if not (folder / "runs.sqlite").exists():
        return 0
    try:
        with RunStore(folder, read_only=True) as store:
            return sum(len(one) for one in store.slices(1))
    except Exception:  # It is being made.
        return 0


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(project):
    grid = ("--param", "fast=4:18:2", "--param", "slow=20,40", "--param", "pause=0.15")
    grid += ("--engine", "backtesting")
    line = ("prices.csv", "--strategy", "my.py:Cross", *grid, *OPTIONS, "--output", "out")
    process = started(project, *line)
    deadline = time.monotonic() + 60
    while done(project / "out") < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = done(project / "out")
    assert 2 <= kept < 16
    said = optimized(project, grid=grid)
    assert "resuming run 1" in said.lower() or "continuing run 1" in said.lower(), said
    first = summary(project)
    assert first["run"]["id"] == 1
    assert first["run"]["resumed_rows"] >= kept
    optimized(project, "--fresh", grid=grid)
    again = summary(project)
    assert again["run"]["resumed_rows"] == again["run"]["reused_rows"] == 0
    assert again["result_sha256"] == first["result_sha256"]
    assert again["best"] == first["best"]


@pytest.mark.slow
def test_the_engine_is_told_of_a_run_that_is_given_again(project):
    for said in ("too little to try compiling for", "backtesting.py runs it, as it did before"):
        assert said in optimized(project)
        told = summary(project)
        assert told["engine"] == "backtesting"
        assert said in told["engine_reason"]


@pytest.mark.slow
def test_a_grown_grid_takes_the_rows_there_are(project):
    optimized(project)
    grown = ("--param", "slow=20,30,40", "--param", "fast=4:12:2")  # In another order, too.
    assert "reusing 8 rows of run 1" in optimized(project, grid=grown)
    found = summary(project)
    assert found["run"]["reused_rows"] == 8
    optimized(project, "--fresh", grid=grown)
    assert summary(project)["result_sha256"] == found["result_sha256"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "name"),
    [
        ("my.py", "self.buy()", "self.buy(size=0.5)", "my.py"),
        ("averages.py", ".mean()", ".median()", "averages"),
    ],
)
def test_an_edited_strategy_takes_nothing_and_says_why(project, file, old, new, name):
    optimized(project)
    edit(project / file, old, new)
    said = optimized(project)
    assert (
        f"nothing of run 1 is used: since then the strategy's own code ({name}) changed" in said
    ), said
    found = summary(project)
    assert found["run"]["reused_rows"] == found["run"]["resumed_rows"] == 0
    edit(project / file, new, old)  # As it was: then all of it is there.
    assert "nothing of run" not in optimized(project)


def test_what_was_mended_has_nothing_to_retry(project):
    line = ("prices.csv", "--strategy", "my.py:Cross", *GRID, *OPTIONS, "--output", "out")
    edit(project / "my.py", "time.sleep(self.pause)", "1 / (self.fast - 6)")
    code, said = asked(project, *line)
    assert code == 3
    assert "same command; with --retry-failed where the strategy stays as it is" in said
    edit(project / "my.py", "1 / (self.fast - 6)", "pass")
    code, said = asked(project, *line, "--retry-failed")
    assert code == 2
    assert "--retry-failed: nothing of run 1 is used: since then the strategy's own code" in said
    assert "leave --retry-failed out to run it anew" in said


@pytest.mark.slow
def test_one_that_reads_a_file_takes_nothing_and_says_why(project):
    with open(project / "averages.py", "a") as file:
        file.write("\ndef levels():\n    return open('levels.txt').read()\n")
    for _ in range(2):
        said = optimized(project)
        assert "averages line 8 reads what is not in the bars (open)" in said
        assert "rows of this run will not be used again" in said
        assert summary(project)["run"]["reused_rows"] == 0


def test_what_is_told_names_strategy_and_account(project):
    optimized(project, "--trade-on-close", "--commission", "0.001")
    settings = summary(project)["settings"]
    assert settings["strategy"] == f"{project / 'my.py'}:Cross"
    assert (settings["trade_on_close"], settings["exclusive_orders"]) == (True, False)
    receipt = read_receipt(project / "out" / "receipt.json")
    assert receipt["strategy"]["name"] == "Cross"
    assert {"my.py", "averages"} <= set(receipt["strategy"]["code"])
    assert receipt["account"]["trade_on_close"] is True
    assert receipt["account"]["commission"] == [0.0, 0.001]
    assert receipt["grid"]["values"] == {"fast": [4, 6, 8, 10], "slow": [20, 40]}


# -------------------------------------------------------------------------------------- history


@pytest.mark.slow
def test_the_history_of_a_strategy(project):
    optimized(project)
    edit(project / "averages.py", ".mean()", ".median()")
    optimized(project, grid=("--param", "fast=4:10:2", "--param", "slow=20"))
    folder = ("--output", "out")
    code, said = asked(project, "show", "1", *folder)
    assert code == 0
    assert "Cross, of averages, my.py" in said
    code, said = asked(project, "compare", "1", "2", *folder)
    assert code == 0
    assert "code of averages" in said
    assert "code of my.py" not in said
    assert "shared combinations 4" in said
    code, said = asked(project, "export", "1", *folder, "--to", "rows.parquet")
    assert (code, (project / "rows.parquet").exists()) == (0, True)
    code, said = asked(project, "verify", "2", *folder)
    assert (code, "Run 2 is as it was." in said) == (0, True)
    code, said = asked(project, "verify", "1", *folder)
    assert code == 1
    assert "the strategy's own code (averages) changed since the run" in said
    assert "so this is of another strategy than the stored rows are of" in said


@pytest.mark.slow
def test_a_strategy_that_has_gone(project):
    optimized(project)
    folder = ("--output", "out")
    (project / "my.py").rename(project / "mine.py")
    code, said = asked(project, "verify", "1", *folder)
    assert code == 2
    assert f"the strategy of run 1 cannot be had any more: {project / 'my.py'} is no such" in said
    assert "name it with --strategy" in said
    for command in (("history",), ("show", "1"), ("compare", "1", "1"), ("export", "1")):
        assert asked(project, *command, *folder)[0] == 0
    code, said = asked(project, "verify", "1", *folder, "--strategy", "mine.py:Cross")
    assert (code, "Run 1 is as it was." in said) == (0, True), said
    edit(project / "mine.py", "class Cross", "class Other")
    code, said = asked(project, "verify", "1", *folder, "--strategy", "mine.py:Other")
    assert code == 2
    assert "run 1 is of the strategy Cross, and mine.py:Other is Other" in said
    (project / "my.py").write_text("class Cross(:\n")
    code, said = asked(project, "verify", "1", *folder)
    assert code == 2
    assert "my.py:1: invalid syntax" in said


def test_a_store_of_an_older_version_is_refused(project):
    optimized(project)
    with closing(sqlite3.connect(project / "out" / "runs.sqlite")) as connection, connection:
        connection.execute(f"PRAGMA user_version = {VERSION - 2}")
    code, said = asked(project, "history", "--output", "out")
    assert code == 2
    assert f"an older version of the optimizer (its tables are version {VERSION - 2}" in said
    assert "mv " in said
