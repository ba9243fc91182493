"""The command on several files: what is run, written, said, taken over, and what goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from backtesting.test import EURUSD
from long import in_a_soak

from bigbar.batch.answer import _can_have_one
from bigbar.store.runs import RunStore
from tests import commands

ROOT = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, str(ROOT / "bigbar_multiprocessing_optimized.py"))

#: Six combinations of moving averages, quick and without what takes long.
GRID = ("--strategy", "sma_cross", "--param", "fast=3,5", "--param", "slow=8,12,20")
QUICK = (*GRID, "--verify", "1", "--no-validate", "--workers", "2", "--no-progress")


def run(folder: Path, *words: str, **options: Any) -> Any:
    environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    return commands.run([*COMMAND, *words], cwd=folder, env=environment, **options)


def make_data(folder: Path) -> None:
    """Three good files, one bad, one that has the stem of another."""
    for place in ("data", "other"):
        (folder / place).mkdir(parents=True)
    for number, name in enumerate(("data/A.csv", "data/B.csv", "other/A.csv")):
        EURUSD.iloc[700 * number : 700 * (number + 1)].to_csv(folder / name)
    text = (folder / "data/A.csv").read_text().splitlines()
    text[40] = text[40].replace("1.", "0.", 2)
    (folder / "data/bad.csv").write_text("\n".join(text))


def summary_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def taken(folder: Path) -> list[bool]:
    """Which files were done before."""
    return [one["done_before"] for one in summary_of(folder)["files"]]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run over four files, one of them bad, with a setting for all and all verdicts."""
    folder = tmp_path_factory.mktemp("many")
    make_data(folder)
    words = (*GRID, "--verify", "1", "--workers", "2", "--no-progress", "--common", "mean-rank")
    return folder, run(folder, "data", "other/A.csv", *words)


@pytest.mark.slow
def test_one_bad_file_ends_no_other(many):
    folder, done = many
    assert done.returncode == 3, done.stderr
    out = folder / "bigbar_output"
    for name in ("A", "B", "A_2"):
        found = summary_of(out / name)
        assert found["run"]["state"] == "finished"
        for file in ("results.parquet", "trades.csv", "receipt.json", "report.html"):
            assert (out / name / file).is_file()
    assert not (out / "bad").exists()
    assert re.search(r"^Failed +data/bad.csv: line 41, column", done.stdout, re.MULTILINE)
    assert sorted(path.name for path in out.iterdir()) == [
        "A", "A_2", "B", "receipt.json", "report.html", "runs.sqlite", "summary.json",
    ]  # fmt: skip


def test_the_answer_fits_the_terminal_and_has_a_row_a_file(many):
    _, done = many
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    first = next(place for place, line in enumerate(lines) if line.startswith("file"))
    assert lines[first].split()[:3] == ["file", "bars", "setting"]
    assert lines[first].split()[-1] == "verdict"
    assert "held against luck by Return [%]; of 3 files" in " ".join(done.stdout.split())
    rows = lines[first + 1 : first + 4]
    assert [row.split()[0] for row in rows] == ["A", "B", "A_2"]
    assert all(row.split()[-1] in "✗!✓" for row in rows)
    assert any(line.startswith("Report     bigbar_output/report.html") for line in lines)
    assert sum(line.startswith("Next") for line in lines) == 1
    told = [line for line in done.stderr.splitlines() if re.match(r"\d/4", line)]
    assert [line.split()[1] for line in told] == ["A:", "B:", "failed:", "A_2:"]


def test_every_figure_is_that_of_the_run_of_its_own(many):
    folder, done = many
    out = folder / "bigbar_output"
    whole = summary_of(out)
    assert whole["state"] == "failed"
    assert whole["total"] == 4
    assert whole["settings"]["common"] == "mean-rank"
    by_name = {one["name"]: one for one in whole["files"]}
    assert list(by_name) == ["A", "B", "bad", "A_2"]
    assert by_name["bad"]["best"] is None
    assert by_name["bad"]["exit_code"] == 2
    assert "line 41" in by_name["bad"]["problem"]
    for name in ("A", "B", "A_2"):
        own = summary_of(out / name)
        assert by_name[name]["best"] == own["best"]
        assert by_name[name]["light"] == own["verdict"]["light"]
        assert by_name[name]["result_sha256"] == own["result_sha256"]
        table = pd.read_parquet(out / name / "results.parquet")
        assert own["best"]["statistics"]["Return [%]"] == table["Return [%]"].max()
        best = f"{own['best']['statistics']['Return [%]']:.2f}".replace("-", "−")
        assert re.search(rf"^{name} .* {best} ", done.stdout, re.MULTILINE)
    assert sum(whole["lights"].values()) == 3


@pytest.mark.slow
def test_a_file_alone_has_the_very_same_result(many, tmp_path):
    folder, _ = many
    done = run(folder, "data/B.csv", *QUICK, "--output", str(tmp_path / "alone"))
    assert done.returncode == 0, done.stderr
    alone, together = (summary_of(one) for one in (tmp_path / "alone", folder / "bigbar_output/B"))
    assert alone["result_sha256"] == together["result_sha256"]
    assert alone["run"]["fingerprint"] == together["run"]["fingerprint"]


def test_the_common_setting_is_that_of_the_tables(many):
    """Ranks by pandas, of the tables as they were written."""
    folder, done = many
    out = folder / "bigbar_output"
    tables = {name: pd.read_parquet(out / name / "results.parquet") for name in ("A", "B", "A_2")}
    ranks = pd.DataFrame(
        {name: table["Return [%]"].rank(ascending=False) for name, table in tables.items()}
    )
    found = summary_of(out)["common"]
    number = int(ranks.mean(axis=1).idxmin())
    assert found["combination"] == number
    assert found["value"] == pytest.approx(ranks.mean(axis=1).min(), rel=1e-15)
    assert found["replayed"] == 3
    for one in found["files"]:
        table = tables[one["name"]]
        for name, value in one["common"]["statistics"].items():
            assert value == table[name][number]
        assert one["common"]["rank"] == ranks[one["name"]][number]
        others = ranks.drop(columns=one["name"]).mean(axis=1)
        assert one["left_out"]["combination"] == int(others.idxmin())
    assert found["verdict"]["light"] in ("red", "amber", "green")
    assert found["bootstrap"]["periods"] > 80
    assert f"The best setting over all 3 files, mean rank {found['value']:.1f} of 6" in done.stdout
    assert "replayed through backtesting.py on 3 of 3 files" in " ".join(done.stdout.split())


def test_one_store_has_all_runs(many):
    folder, _ = many
    for words, said in (
        (("history",), "SmaCross on A.csv"),
        (("show", "2"), "data/B.csv"),
        (("compare", "1", "2"), "data/A.csv"),
    ):
        done = commands.run(
            [sys.executable, "-m", "bigbar", *words], cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    with RunStore(folder / "bigbar_output/runs.sqlite", read_only=True) as store:
        runs = sorted(store.runs(), key=lambda run: run.id)
    assert [run.command[-1] for run in runs] == ["data/A.csv", "data/B.csv", "other/A.csv"]
    assert "--common" not in runs[0].command


def test_the_dashboard_has_the_page_of_each(many):
    from bigbar.dashboard.history import report_of

    out = many[0] / "bigbar_output"
    with RunStore(out / "runs.sqlite", read_only=True) as store:
        pages = [report_of(out, run) for run in sorted(store.runs(), key=lambda run: run.id)]
    assert pages == [out / name / "report.html" for name in ("A", "B", "A_2")]


def test_the_runs_are_not_in_the_folder_of_a_file(many):
    done = commands.run(
        [sys.executable, "-m", "bigbar", "history", "--output", "bigbar_output/A"], cwd=many[0],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "--output bigbar_output has those of several files" in done.stderr


def test_the_page_links_to_the_page_of_each(many):
    folder, _ = many
    html = (folder / "bigbar_output/report.html").read_text()
    for name in ("A", "B", "A_2"):
        assert f'href="{name}/report.html"' in html
    assert "One setting for all" in html
    assert "bad" in html


def copied(many: tuple[Path, Any], to: Path) -> Path:
    return Path(shutil.copytree(many[0], to / "copy"))


COMMON = (*GRID, "--verify", "1", "--workers", "2", "--no-progress", "--common", "mean-rank")


@pytest.mark.slow
def test_what_is_done_is_not_run_again(many, tmp_path):
    folder = copied(many, tmp_path)
    out = folder / "bigbar_output"
    before = summary_of(out)
    (folder / "data/bad.csv").write_text((folder / "data/B.csv").read_text())  # Corrected.
    done = run(folder, "data", "other/A.csv", *COMMON)
    assert done.returncode == 0, done.stderr
    assert taken(out) == [True, True, False, True]
    after = summary_of(out)
    assert after["state"] == "finished"
    # The corrected one has the bars of another, and so says nothing new about the common one.
    found, was = after["common"], before["common"]
    assert found.pop("notes") == ["bad has the bars of B, and counts once"]
    assert was.pop("notes") == []
    assert found == was
    with RunStore(out / "runs.sqlite", read_only=True) as store:
        assert len(store.runs()) == 4


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over two files, without verdicts."""
    folder = tmp_path_factory.mktemp("two")
    make_data(folder)
    assert run(folder, "data/A.csv", "data/B.csv", *QUICK).returncode == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("change", ["bars", "file", "options", "fresh"])
def test_what_is_another_by_now_is_run_again(two, tmp_path, change):
    folder = Path(shutil.copytree(two, tmp_path / "copy"))
    out = folder / "bigbar_output"
    more = {"options": ["--maximize", "Sharpe Ratio"], "fresh": ["--fresh"]}.get(change, [])
    if change == "file":
        (out / "A/trades.csv").unlink()
    elif change == "bars":
        EURUSD.iloc[:680].to_csv(folder / "data/A.csv")
    assert run(folder, "data/A.csv", "data/B.csv", *QUICK, *more).returncode == 0
    assert taken(out) == [False, change in ("bars", "file")]


def test_none_with_a_result(tmp_path):
    make_data(tmp_path)
    done = run(tmp_path, "data/bad.csv", "no_such.csv", *QUICK)
    assert done.returncode == 2
    assert "None of 2 files has a result." in done.stdout
    assert "no_such.csv does not exist" in " ".join(done.stdout.split())


@pytest.mark.slow
def test_what_would_be_written_over_is_refused_before_any_work(tmp_path):
    make_data(tmp_path)
    (tmp_path / "bigbar_output").mkdir()
    (tmp_path / "bigbar_output/summary.json").write_text("mine")
    done = run(tmp_path, "data", *QUICK)
    assert done.returncode == 2
    assert "summary.json in bigbar_output was not written by this program" in done.stderr
    assert (tmp_path / "bigbar_output/summary.json").read_text() == "mine"
    assert run(tmp_path, "data/A.csv", "other/A.csv", *QUICK, "--force").returncode == 0


RAISING = """
from bigbar.strategies.sma_cross import SmaCross

class Raising(SmaCross):
    def init(self):
        super().init()
        if len(self.data) == 640 and self.fast == 5 and self.slow == 8:
            raise ValueError("not so")
"""


@pytest.mark.slow
def test_what_failed_alone_is_run_again(tmp_path):
    (tmp_path / "raising.py").write_text(RAISING)
    for name, count in (("a", 600), ("c", 640)):
        EURUSD.iloc[:count].to_csv(tmp_path / f"{name}.csv")
    words = ("a.csv", "c.csv", "--strategy", "raising.py:Raising", *QUICK[2:])
    assert run(tmp_path, *words).returncode == 3
    out = tmp_path / "bigbar_output"
    again = run(tmp_path, *words)
    assert again.returncode == 3
    assert taken(out) == [True, True]
    assert "--retry-failed runs just those again" in " ".join(again.stdout.split())
    retried = run(tmp_path, *words, "--retry-failed")
    assert retried.returncode == 3
    assert taken(out) == [True, False]
    assert "c: run 2: 1 combination that failed is run again" in retried.stderr
    fresh = run(tmp_path, "a.csv", *QUICK, "--retry-failed", "other.csv")
    assert fresh.returncode == 2
    assert taken(out) == [True, False]  # Nothing was run, so nothing was written.


ODD = """
import os
from bigbar.strategies.sma_cross import SmaCross

class Odd(SmaCross):
    def init(self):
        super().init()
        if len(self.data) == 640 and self.fast == 5 and self.slow == 8:
            os.kill(os.getpid(), 9)
        if len(self.data) == 630:
            raise RuntimeError("not on this one")
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_and_a_strategy_that_raises(tmp_path):
    (tmp_path / "odd.py").write_text(ODD)
    for name, count in (("a", 600), ("c", 640), ("d", 630)):
        EURUSD.iloc[:count].to_csv(tmp_path / f"{name}.csv")
    done = run(tmp_path, "*.csv", "--strategy", "odd.py:Odd", *QUICK[2:])
    assert done.returncode == 3, done.stderr
    found = {one["name"]: one for one in summary_of(tmp_path / "bigbar_output")["files"]}
    assert found["a"]["failures"] == 0
    assert found["c"]["failures"] == 1
    assert found["c"]["best"] is not None
    assert found["d"]["best"] is None
    assert "All 6 combinations failed" in found["d"]["problem"]
    assert "1 combination of c" in " ".join(done.stdout.split())


#: Long enough to be stopped in.
LONG = (
    *("--strategy", "sma_cross", "--param", "fast=3:10:1", "--param", "slow=20:60:10"),
    *("--engine", "backtesting", *QUICK[6:]),
)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, *in_a_soak(signal.SIGTERM)])
def test_stopped_in_the_middle_and_continued(tmp_path, number):
    EURUSD.iloc[:300].to_csv(tmp_path / "a.csv")
    EURUSD.iloc[:4000].to_csv(tmp_path / "b.csv")
    out_folder = tmp_path / "bigbar_output"
    process = commands.Command(
        [*COMMAND, "a.csv", "b.csv", *LONG], cwd=tmp_path, stdout=-1, stderr=-1,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip
    with process:
        deadline = time.monotonic() + 120
        while not (out_folder / "b").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.4)
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=120)
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number, err
        assert summary_of(out_folder)["state"] == "interrupted"
        assert "The same command continues" in " ".join(out.split())
        assert re.search(r"^a +300 ", out, re.MULTILINE)
    done = run(tmp_path, "a.csv", "b.csv", *LONG)
    assert done.returncode == 0, done.stderr
    assert taken(out_folder) == [True, False]
    assert summary_of(out_folder)["state"] == "finished"
    with RunStore(out_folder / "runs.sqlite", read_only=True) as store:
        assert [run.state for run in store.runs()] == ["finished", "finished"]


@pytest.mark.parametrize(
    ("combinations", "settings", "expected"),
    [
        (24, {"maximize": "SQN"}, True),
        (24, {"maximize": "SQN", "method": "random"}, True),
        (1, {"maximize": "SQN"}, False),
        (24, {"maximize": ["SQN", "Return [%]"]}, False),
        (24, {"maximize": "SQN", "method": "local"}, False),
    ],
)
def test_one_setting_for_all_is_advised_where_it_can_be_had(combinations, settings, expected):
    summary = {"grid": {"combinations": combinations}, "settings": settings}
    assert _can_have_one(summary) is expected
