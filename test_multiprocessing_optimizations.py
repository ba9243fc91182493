"""End-to-end tests: the command as a user runs it, and what happens when things go wrong.

Run as a script, this file runs every test of the project:

    python test_multiprocessing_optimizations.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.conftest import nothing_left_behind  # noqa: F401 - the guard serves here as well

ROOT = Path(__file__).resolve().parent
COMMAND = ROOT / "bigbar_multiprocessing_optimized.py"
EXAMPLE = ROOT / "example.csv"

#: A grid that takes a moment, and one that takes some seconds by backtesting.py.
SMALL = ("--atr-period", "10:40:10", "--k-atr", "1:3:0.5")
SLOW = ("--engine", "backtesting", "--atr-period", "10:40:3", "--k-atr", "1,2",
        "--uptail-max-ratio", "0.5,0.8", "--previous-weight", "0.1,0.4")  # fmt: skip


def start(
    output: Path, *arguments: str, script: Path = COMMAND, **options: object
) -> subprocess.Popen[str]:
    """Start the command on the example in a process group of its own."""
    line = [sys.executable, str(script), str(EXAMPLE), "--output", str(output), *arguments]
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=output.parent,
        **options,
    )


def run(output: Path, *arguments: str, script: Path = COMMAND) -> subprocess.CompletedProcess[str]:
    """Run the command on the example to its end."""
    process = start(output, *arguments, script=script)
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def results(output: Path) -> pd.DataFrame:
    return pd.read_parquet(output / "results.parquet")


def summary(output: Path) -> dict:
    return json.loads((output / "summary.json").read_text(encoding="utf-8"))


def same_bits(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables are the same to the last bit, NaN being NaN."""
    if list(one.columns) != list(other.columns) or len(one) != len(other):
        return False
    return all(one[name].to_numpy().tobytes() == other[name].to_numpy().tobytes() for name in one)


def workers_of(process: subprocess.Popen[str], count: int) -> list[psutil.Process]:
    """The worker processes, once all of them run; helpers of multiprocessing left out."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        children = psutil.Process(process.pid).children()
        workers = [child for child in children if not is_helper(child)]
        if len(workers) >= count:
            return workers
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("the workers did not start")


def is_helper(process: psutil.Process) -> bool:
    return "resource_tracker" in " ".join(process.cmdline())


def segments(process: subprocess.Popen[str]) -> set[str]:
    """What a run has in shared memory; the names carry its process id."""
    return {entry.name for entry in Path("/dev/shm").glob(f"bigbar_{process.pid}_*")}


def wait_until(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The slow grid's table, run without any disturbance."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    done = run(output, *SLOW, "--workers", "2", "--verify", "0")
    assert done.returncode == 0, done.stderr
    return results(output)


class TestOrdinaryRuns:
    def test_answer_and_files(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        done = run(output, *SMALL, "--workers", "2", "--export", "csv", "--verify", "3")
        assert done.returncode == 0, done.stderr
        assert sorted(entry.name for entry in output.iterdir()) == [
            "receipt.json", "results.csv", "results.parquet", "runs.sqlite", "summary.json",
            "trades.csv",
        ]  # fmt: skip
        told = summary(output)
        table = results(output)
        assert told["grid"]["combinations"] == len(table) == 4 * 5 * 5 * 8
        assert told["verification"]["ok"]
        assert told["verification"]["combinations"] == 4
        assert told["verification"]["max_relative_difference"] <= 1e-9
        assert told["best"]["statistics"]["Return [%]"] == table["Return [%]"].max()
        assert told["data"]["rows"] == 5000
        assert told["failures"] == []
        trades = pd.read_csv(output / "trades.csv")
        assert len(trades) == told["best"]["statistics"]["# Trades"]
        assert "4 combinations replayed through backtesting.py" in done.stdout
        assert len(pd.read_csv(output / "results.csv")) == len(table)

    def test_without_a_terminal_there_are_no_control_characters(self, tmp_path: Path) -> None:
        done = run(tmp_path / "out", *SMALL, "--verify", "0")
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", done.stdout + done.stderr)
        assert "Optimization Progress" not in done.stderr

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    @pytest.mark.parametrize("workers", ["1", "3"])
    def test_workers_and_start_method_change_no_bit(
        self, tmp_path: Path, method: str, workers: str, one_worker: pd.DataFrame
    ) -> None:
        output = tmp_path / "out"
        options = ("--workers", workers, "--start-method", method, "--verify", "0")
        done = run(output, *SMALL, *options)
        assert done.returncode == 0, done.stderr
        assert summary(output)["start_method"] == method
        assert same_bits(results(output), one_worker)

    @pytest.fixture(scope="class")
    @staticmethod
    def one_worker(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
        output = tmp_path_factory.mktemp("one") / "out"
        done = run(output, *SMALL, "--workers", "1", "--verify", "0", "--seed", "5")
        assert done.returncode == 0, done.stderr
        return results(output)

    def test_both_engines_agree(self, tmp_path: Path, undisturbed: pd.DataFrame) -> None:
        output = tmp_path / "out"
        grid = [text for text in SLOW if text not in ("--engine", "backtesting")]
        assert run(output, *grid, "--verify", "0").returncode == 0
        compiled = results(output)
        for name in undisturbed:
            if pd.api.types.is_timedelta64_dtype(undisturbed[name]):
                assert undisturbed[name].equals(compiled[name]), name
            else:
                np.testing.assert_allclose(
                    compiled[name], undisturbed[name], rtol=1e-9, atol=1e-12, err_msg=name
                )

    def test_single_backtest(self, tmp_path: Path) -> None:
        done = run(tmp_path / "out", "--no-optimize", "--k-atr", "1.5")
        assert done.returncode == 0, done.stderr
        assert "One combination:" in done.stdout
        assert summary(tmp_path / "out")["best"]["parameters"] == {
            "atr_period": 20,
            "k_atr": 1.5,
            "uptail_max_ratio": 0.7,
            "previous_weight": 0.1,
            "buffer_ratio": 0.01,
        }

    def test_plot(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        done = run(output, *SMALL, "--plot", "--verify", "0")
        assert done.returncode == 0, done.stderr
        for name in ("plot.html", "heatmaps.html"):
            assert (output / name).stat().st_size > 100_000


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "empty"),
            ("time,open,high,low,close\n2024-01-01T00:00,1,2,0.5,x\n", "line 2"),
            ("time,open,high,low,close\n2024-01-01T00:00,1,2,0.5,1\n"
             "2024-01-01T01:00,1,0.9,0.5,1\n", "line 3"),
            ("time,open,high,low,close\n2024-01-01T00:00,1,2,0.5,1\n"
             "2024-01-01T01:00,1,2,0.5,1\n", "102"),
        ],
    )  # fmt: skip
    def test_bad_files(self, tmp_path: Path, text: str, said: str) -> None:
        file = tmp_path / "bad.csv"
        file.write_text(text, encoding="utf-8")
        self.refused(tmp_path, said, str(file))

    def test_missing_file(self, tmp_path: Path) -> None:
        self.refused(tmp_path, "nowhere.csv", str(tmp_path / "nowhere.csv"))

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--k-atr", "1:2"), "start:stop:step"),
            (("--maximize", "Sharp Ratio"), "Sharpe Ratio"),
            (("--maximize", "Max. Trade Duration"), "better"),
            (("--cash", "0.5"), "not one unit"),
            (("--cash", "-1"), "cash"),
            (("--margin", "2"), "margin"),
            (("--commission", "free"), "--commission"),
            (("--workers", "0"), "--workers"),
            (("--no-optimize", "--k-atr", "1,2"), "one backtest"),
        ],
    )
    def test_bad_options(self, tmp_path: Path, options: Sequence[str], said: str) -> None:
        self.refused(tmp_path, said, str(EXAMPLE), *options)

    @staticmethod
    def refused(folder: Path, said: str, *arguments: str) -> None:
        output = folder / "out"
        done = subprocess.run(
            [sys.executable, str(COMMAND), *arguments, "--output", str(output)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        assert not output.exists() or not list(output.iterdir())

    def test_output_that_cannot_be_written(self, tmp_path: Path) -> None:
        in_the_way = tmp_path / "file"
        in_the_way.write_text("")
        done = run(in_the_way / "out", *SMALL) if in_the_way.is_dir() else subprocess.run(
            [sys.executable, str(COMMAND), str(EXAMPLE), "--output", str(in_the_way)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        assert "--output" in done.stderr
        assert "Traceback" not in done.stderr


class TestFaults:
    def test_killed_worker(self, tmp_path: Path, undisturbed: pd.DataFrame) -> None:
        output = tmp_path / "out"
        process = start(output, *SLOW, "--workers", "2", "--verify", "0")
        victim = workers_of(process, 2)[0]
        time.sleep(1.0)
        victim.kill()
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert f"worker {victim.pid} was killed (signal 9)" in err
        assert same_bits(results(output), undisturbed)

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_interrupt(self, tmp_path: Path, number: int, code: int) -> None:
        output = tmp_path / "out"
        process = start(output, *SLOW, "--workers", "2")
        workers = workers_of(process, 2)
        time.sleep(2.5)
        begun = time.monotonic()
        if number == signal.SIGINT:  # A terminal sends Ctrl-C to everybody.
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - begun < 5
        assert process.returncode == code, err
        assert "Traceback" not in err
        assert "Stopped after" in out or "stopped before" in err
        assert wait_until(lambda: not any(worker.is_running() for worker in workers), 5)
        assert not segments(process)
        if "Stopped after" in out:
            assert summary(output)["stopped_by_signal"] == number
            assert summary(output)["completed"] < 176

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_killed_parent(self, tmp_path: Path, method: str) -> None:
        process = start(tmp_path / "out", *SLOW, "--workers", "2", "--start-method", method)
        workers = workers_of(process, 2)
        time.sleep(1.0)
        process.kill()
        process.communicate(timeout=30)
        assert wait_until(lambda: not any(worker.is_running() for worker in workers), 8)
        assert wait_until(lambda: not segments(process), 8)

    @pytest.mark.parametrize(("size", "fallback"), [("64k", "file"), ("0", "file")])
    def test_shared_memory_that_cannot_be_had(
        self, tmp_path: Path, size: str, fallback: str
    ) -> None:
        if (
            not shutil.which("unshare")
            or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode
        ):
            pytest.skip("needs the right to make a mount namespace")
        output = tmp_path / "out"
        mount = f"size={size}" if size != "0" else "size=4k,nr_inodes=1"
        line = (
            f"mount -t tmpfs -o {mount} tmpfs /dev/shm && exec {sys.executable} {COMMAND} "
            f"{EXAMPLE} --output {output} --workers 2 --verify 2 {' '.join(SMALL)}"
        )
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", line], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "memory-mapped file" in done.stderr
        assert summary(output)["shared_kind"] == fallback
        assert summary(output)["verification"]["ok"]

    def test_combinations_that_raise_or_kill(self, tmp_path: Path) -> None:
        script = tmp_path / "faulty.py"
        script.write_text(FAULTY, encoding="utf-8")
        output = tmp_path / "out"
        done = run(output, *SMALL, "--engine", "faulty", "--workers", "2", "--verify", "2",
                   script=script)  # fmt: skip
        assert done.returncode == 3, done.stderr
        told = summary(output)
        assert [failure["combination"] for failure in told["failures"]] == [7, 500]
        assert "ZeroDivisionError" in told["failures"][0]["reason"]
        assert "died" in told["failures"][1]["reason"]
        table = results(output)
        failed = table["Return [%]"].isna()
        assert list(np.flatnonzero(failed)) == [7, 500]
        clean = tmp_path / "clean"
        assert run(clean, *SMALL, "--verify", "0").returncode == 0
        whole = results(clean).astype({"# Trades": float})  # As in a column with gaps.
        assert same_bits(table[~failed], whole[~failed])

    def test_a_wrong_engine_is_found_out(self, tmp_path: Path) -> None:
        script = tmp_path / "wrong.py"
        script.write_text(WRONG, encoding="utf-8")
        output = tmp_path / "out"
        done = run(output, *SMALL, "--engine", "wrong", "--workers", "2", script=script)
        assert done.returncode == 1
        assert "disagree" in done.stderr
        assert "Sharpe Ratio" in done.stderr
        assert "Traceback" not in done.stderr


#: An engine with two bad combinations: one raises, one ends its process.
FAULTY = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from bigbar.engines import ENGINES, EngineKind
import bigbar_multiprocessing_optimized as command

class Faulty:
    def __init__(self, file, job):
        self._good = ENGINES["compiled"].build(file, job)
    def run(self, start, stop):
        if start <= 7 < stop:
            1 / 0
        if start <= 500 < stop:
            os.kill(os.getpid(), 9)
        return self._good.run(start, stop)
    def trades(self, number):
        return self._good.trades(number)

ENGINES["faulty"] = EngineKind(Faulty, sample_slice=4)
if __name__ == "__main__":
    sys.exit(command.main())
"""

#: An engine whose Sharpe ratio is off by a millionth.
WRONG = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from bigbar.engines import ENGINES, EngineKind
from bigbar.statistics import COLUMN
import bigbar_multiprocessing_optimized as command

class Wrong:
    def __init__(self, file, job):
        self._good = ENGINES["compiled"].build(file, job)
    def run(self, start, stop):
        rows = self._good.run(start, stop)
        rows[:, COLUMN["Sharpe Ratio"]] *= 1.000001
        return rows
    def trades(self, number):
        return self._good.trades(number)

ENGINES["wrong"] = EngineKind(Wrong, sample_slice=4)
if __name__ == "__main__":
    sys.exit(command.main())
"""


class TestDocumentedFunctions:
    def test_names_that_were_documented(self) -> None:
        import bigbar_multiprocessing_optimized as command

        file = command.load_data(EXAMPLE)
        combinations = command.generate_parameter_combinations()
        assert len(combinations) == 112_840
        assert combinations[0] == (10, 1.0, 0.5, 0.1, 0.01)
        assert 0 < command.estimate_backtest_duration(file, sample_size=10) < 1
        name, shape, dtype, metadata = command.create_shared_memory_dataframe(file)
        try:
            back = command.load_from_shared_memory(name, shape, dtype, metadata)
            pd.testing.assert_frame_equal(back, file)
            parameters, stats = command.run_backtest_single_param_shared(
                (combinations[40_000], name, shape, dtype, metadata)
            )
        finally:
            command.cleanup_shared_memory(name, metadata)
        best, every = command.parallel_optimize_strategy_shared(EXAMPLE, 2, False)
        assert best is not None
        assert len(every) == 112_840
        assert (
            best[1]["Return [%]"]
            == max(every[number][1]["Return [%]"] for number in range(0, 112_840, 997))
            or best[1]["Return [%]"] > 0
        )
        assert every[40_000][0] == parameters
        assert every[40_000][1].equals(stats)


if __name__ == "__main__":
    sys.exit(pytest.main([str(ROOT), *sys.argv[1:]]))
