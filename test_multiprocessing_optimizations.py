"""End-to-end tests: the command as a user runs it, and what happens when things go wrong.

Run as a script, this file runs the tests of the project; arguments are handed on to pytest:

    python test_multiprocessing_optimizations.py
    python test_multiprocessing_optimizations.py --slow
    python test_multiprocessing_optimizations.py -k killed_worker
"""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

import bigbar_multiprocessing_optimized as program
from bigbar.machine.resources import usable_processors
from bigbar.store.receipt import read_receipt
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError
from tests.commands import Command
from tests.conftest import nothing_left_behind  # noqa: F401 - the guard serves here as well
from tests.long import in_a_soak
from tests.parts import run_parts
from tests.processes import living_workers

ROOT = Path(__file__).resolve().parent
COMMAND = ROOT / "bigbar_multiprocessing_optimized.py"
EXAMPLE = ROOT / "example.csv"

#: A grid that takes a moment, and one that takes some seconds by backtesting.py.
SMALL = ("--atr-period", "10:40:10", "--k-atr", "1:3:0.5")
SLOW = ("--engine", "backtesting", "--atr-period", "10:40:6", "--k-atr", "1,2",
        "--uptail-max-ratio", "0.5,0.8", "--previous-weight", "0.1,0.4")  # fmt: skip

#: Nothing but the sweep, for tests of what becomes of its rows.
QUICK = ("--verify", "0", "--no-validate")


def start(
    output: Path,
    *arguments: str,
    script: Path = COMMAND,
    by: type[subprocess.Popen] = Command,
    **options: object,
) -> subprocess.Popen[str]:
    """Start the command on the example in a process group of its own."""
    line = [sys.executable, str(script), str(EXAMPLE), "--output", str(output), *arguments]
    return by(  # type: ignore[no-any-return]
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


def runs(output: Path) -> list[Run]:
    """What is in the store of a folder, the newest first."""
    try:
        with RunStore(output, read_only=True) as store:
            return store.runs()
    except StoreError as problem:
        if "no run was stored" not in str(problem):
            raise
        return []


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of so many bytes, where mounting one is permitted."""
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def same_bits(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables are the same to the last bit, NaN being NaN."""
    if list(one.columns) != list(other.columns) or len(one) != len(other):
        return False
    return all(one[name].to_numpy().tobytes() == other[name].to_numpy().tobytes() for name in one)


def workers_of(process: subprocess.Popen[str], count: int) -> list[psutil.Process]:
    """The worker processes, once all of them run."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        workers = living_workers(psutil.Process(process.pid))
        if len(workers) >= count:
            return workers
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("the workers did not start")


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


def wait_for_rows(output: Path, process: subprocess.Popen[str], done: int = 1) -> None:
    """Until so many combinations are in the store."""

    def there() -> bool:
        assert process.poll() is None, process.communicate()
        return any(run.done >= done for run in runs(output))

    assert wait_until(there, 60)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The slow grid's table, run without any disturbance."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    done = run(output, *SLOW, "--workers", "2", *QUICK)
    assert done.returncode == 0, done.stderr
    return results(output)


class TestOrdinaryRuns:
    def test_answer_and_files(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        done = run(output, *SMALL, "--workers", "2", "--export", "csv", "--verify", "3")
        assert done.returncode == 0, done.stderr
        assert sorted(entry.name for entry in output.iterdir()) == [
            "receipt.json", "report.html", "results.csv", "results.parquet", "runs.sqlite",
            "summary.json",
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

    @pytest.mark.parametrize(("workers", "method"), [("3", "fork"), ("2", "spawn")])
    def test_workers_and_start_method_change_no_bit(
        self, tmp_path: Path, method: str, workers: str, one_worker: pd.DataFrame
    ) -> None:
        output = tmp_path / "out"
        options = ("--workers", workers, "--start-method", method, *QUICK)
        done = run(output, *SMALL, *options)
        assert done.returncode == 0, done.stderr
        assert summary(output)["start_method"] == method
        assert same_bits(results(output), one_worker)

    @pytest.fixture(scope="class")
    @staticmethod
    def one_worker(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
        output = tmp_path_factory.mktemp("one") / "out"
        done = run(output, *SMALL, "--workers", "1", *QUICK, "--seed", "5")
        assert done.returncode == 0, done.stderr
        return results(output)

    def test_both_engines_agree(self, tmp_path: Path, undisturbed: pd.DataFrame) -> None:
        output = tmp_path / "out"
        grid = [text for text in SLOW if text not in ("--engine", "backtesting")]
        assert run(output, *grid, *QUICK).returncode == 0
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
        done = run(output, *SMALL, "--plot", *QUICK)
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
    def test_bad_files(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
    ) -> None:
        file = tmp_path / "bad.csv"
        file.write_text(text, encoding="utf-8")
        self.refused(tmp_path, capsys, said, str(file))

    def test_missing_file(self, tmp_path: Path) -> None:
        """In a process of its own: what a terminal gets to see."""
        line = [sys.executable, str(COMMAND), str(tmp_path / "nowhere.csv")]
        done = subprocess.run(
            [*line, "--output", str(tmp_path / "out")], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert "nowhere.csv" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        assert not (tmp_path / "out").exists()

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
    def test_bad_options(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        options: Sequence[str],
        said: str,
    ) -> None:
        self.refused(tmp_path, capsys, said, str(EXAMPLE), *options)

    @staticmethod
    def refused(
        folder: Path, capsys: pytest.CaptureFixture[str], said: str, *arguments: str
    ) -> None:
        output = folder / "out"
        try:
            code: object = program.main([*arguments, "--output", str(output)])
        except SystemExit as stop:  # argparse's own way out
            code = stop.code
        seen = capsys.readouterr()
        assert code == 2
        assert said in seen.err
        assert seen.out == ""
        assert not output.exists() or not list(output.iterdir())

    def test_output_that_cannot_be_written(self, tmp_path: Path) -> None:
        in_the_way = tmp_path / "file"
        in_the_way.write_text("")
        done = subprocess.run(
            [sys.executable, str(COMMAND), str(EXAMPLE), "--output", str(in_the_way)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        assert "--output" in done.stderr
        assert "Traceback" not in done.stderr


class TestFaults:
    def test_killed_worker(self, tmp_path: Path, undisturbed: pd.DataFrame) -> None:
        output = tmp_path / "out"
        process = start(output, *SLOW, "--workers", "2", *QUICK)
        victim = workers_of(process, 2)[0]
        time.sleep(0.3)  # half a second of work is left to each on a fast machine
        victim.kill()
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert f"worker {victim.pid} was killed (signal 9)" in err
        assert same_bits(results(output), undisturbed)

    @pytest.mark.parametrize(
        ("number", "code"),
        [
            (signal.SIGINT, 130),
            (signal.SIGTERM, 143),
            (signal.SIGHUP, 129),
            pytest.param(signal.SIGQUIT, 131, marks=pytest.mark.soak),
        ],
    )
    def test_interrupt(self, tmp_path: Path, number: int, code: int) -> None:
        output = tmp_path / "out"
        line = (*SLOW[:2], "--atr-period", "10:40:1", *SLOW[4:], "--workers", "2")
        process = start(output, *line, by=subprocess.Popen)
        workers = workers_of(process, 2)
        wait_for_rows(output, process)
        begun = time.monotonic()
        if number != signal.SIGTERM:  # A terminal sends it to everybody.
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - begun < 10
        assert process.returncode == code, err
        assert "Traceback" not in err
        assert "Stopped after" in out
        assert wait_until(lambda: not any(worker.is_running() for worker in workers), 5)
        assert not segments(process)
        assert summary(output)["stopped_by_signal"] == number
        assert 1 <= summary(output)["completed"] < summary(output)["grid"]["combinations"]

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_killed_parent(self, tmp_path: Path, method: str) -> None:
        line = (*SLOW, "--workers", "2", "--start-method", method)
        process = start(tmp_path / "out", *line, by=subprocess.Popen)
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
            f"{EXAMPLE} --output {output} --workers 2 --verify 2 --no-validate {' '.join(SMALL)}"
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
        assert run(clean, *SMALL, *QUICK).returncode == 0
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


class TestNothingLost:
    """Whatever ends a run, its rows are kept, and the same command ends in the same bits."""

    @pytest.mark.parametrize(
        "number",
        [
            signal.SIGKILL,
            *in_a_soak(signal.SIGINT, signal.SIGTERM),
        ],
    )
    def test_an_ended_run_continues(
        self, tmp_path: Path, number: int, undisturbed_small: str
    ) -> None:
        output, script = tmp_path / "out", tmp_path / "unhurried.py"
        script.write_text(UNHURRIED, encoding="utf-8")
        line = (*SMALL, "--engine", "unhurried", *QUICK)
        process = start(output, *line, "--workers", "2", script=script)
        wait_for_rows(output, process, 200)
        process.send_signal(number)
        process.communicate(timeout=30)
        (left,) = runs(output)
        assert left.state == "interrupted"
        assert 200 <= left.done < 800
        if number != signal.SIGKILL:
            assert left.done == summary(output)["completed"]
        others = ("--workers", "3", "--start-method", "spawn", "--seed", "9")
        done = run(output, *line, *others, script=script)
        assert done.returncode == 0, done.stderr
        when = f"{left.started.astimezone():%Y-%m-%d %H:%M}"
        share = f"{100 * left.done // 800} % already done ({left.done} of 800)"
        assert f"resuming run 1 of {when}: {share}" in done.stderr
        (found,) = runs(output)
        assert (found.id, found.state, found.done) == (1, "finished", 800)
        assert found.result_sha256 == summary(output)["result_sha256"] == undisturbed_small
        assert summary(output)["run"]["resumed_rows"] == left.done

    @pytest.fixture(scope="class")
    @staticmethod
    def undisturbed_small(tmp_path_factory: pytest.TempPathFactory) -> str:
        """Digest of the small grid's result, run without any disturbance."""
        output = tmp_path_factory.mktemp("undisturbed") / "out"
        assert run(output, *SMALL, "--workers", "1", *QUICK).returncode == 0
        return str(summary(output)["result_sha256"])

    def test_two_at_once_in_one_folder(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        both = [start(output, *SMALL, "--workers", "2", *QUICK) for _ in range(2)]
        for process in both:
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
        kept = runs(output)
        assert [run.state for run in kept] == ["finished"] * 2
        assert kept[0].result_sha256 == kept[1].result_sha256

    def test_a_grown_grid_and_the_same_again(self, tmp_path: Path) -> None:
        output, wide = tmp_path / "out", ("--atr-period", "10:40:10", "--k-atr", "1:4:0.5")
        assert run(output, *SMALL, *QUICK).returncode == 0
        grown = run(output, *wide, "--verify", "3", "--no-validate")
        assert grown.returncode == 0, grown.stderr
        assert "reusing 800 rows of run 1" in grown.stderr
        assert summary(output)["run"]["reused_rows"] == 800
        assert summary(output)["verification"]["ok"]
        reused = results(output)
        again = run(output, *wide, *QUICK, "--workers", "1", "-v")
        assert "reusing" not in again.stderr
        assert re.search("Run +3, result [0-9a-f]{12} equal to that of run 2", again.stdout)
        assert same_bits(results(output), reused)
        receipt = read_receipt(output / "receipt.json")
        assert (receipt["run"], receipt["state"]) == (3, "finished")
        assert receipt["result_sha256"] == runs(output)[0].result_sha256
        with RunStore(output, read_only=True) as store:
            assert store.output(3).answer == again.stdout
            assert store.output(3).summary == summary(output)

    def test_a_result_that_differs_is_said_loudly(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        assert run(output, *SMALL, *QUICK).returncode == 0
        from store_tools import change  # pytest finds it, the script does not

        change(output, "UPDATE runs SET result_sha256 = ?", "0" * 64, sealed=True)
        done = run(output, *SMALL, *QUICK)
        assert done.returncode == 1
        assert "DIFFERS from that of run 1" in " ".join(done.stdout.split())
        with RunStore(output, read_only=True) as store:
            kept = store.output(2).answer
        assert "DIFFERS from 000000000000 of run 1" in " ".join(kept.split())

    def test_failures_are_kept_and_retried(self, tmp_path: Path) -> None:
        script, output = tmp_path / "sometimes.py", tmp_path / "out"
        script.write_text(SOMETIMES, encoding="utf-8")
        line = (*SMALL, "--engine", "sometimes", *QUICK)
        process = start(output, *line, script=script, env={**os.environ, "BAD": "7 500"})
        process.communicate(timeout=120)
        assert process.returncode == 3
        with RunStore(output, read_only=True) as store:
            assert (store.run(1).state, store.run(1).failed) == ("finished", 2)
            failures = store.failures(store.run(1))
            assert [failure.number for failure in failures] == [7, 500]
            assert "ZeroDivisionError" in failures[0].reason
        done = run(output, *line, "--retry-failed", script=script)
        assert done.returncode == 0, done.stderr
        assert "run 1: 2 combinations that failed" in done.stderr
        assert runs(output)[0].failed == 0
        assert summary(output)["failures"] == []
        before = {path.name: path.stat().st_mtime_ns for path in output.iterdir()}
        none = run(output, *line, "--retry-failed", script=script)
        assert none.returncode == 0
        assert "nothing failed in run 1" in none.stderr
        assert none.stdout == ""
        after = {path.name: path.stat().st_mtime_ns for path in output.iterdir()}
        assert after.items() >= {(name, at) for name, at in before.items() if "sqlite" not in name}
        clean = run(output, *line, "-v", script=script)
        assert "equal to that of run 1" in clean.stdout

    def test_resuming_with_another_command_is_refused(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        assert run(output, *SMALL, *QUICK).returncode == 0
        done = run(output, *SMALL, "--spread", "0.0001", "--resume", "1")
        assert done.returncode == 2
        assert "what differs: cash or costs" in done.stderr
        assert run(output, "--fresh", "--resume", "1").returncode == 2
        assert run(output, "--no-store", "--retry-failed").returncode == 2
        assert run(output, *SMALL, "--resume", "9").returncode == 2
        assert len(runs(output)) == 1

    def test_a_broken_store_costs_a_line(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        output.mkdir()
        (output / "runs.sqlite").write_bytes(b"no database" * 1000)
        done = run(output, *SMALL, *QUICK)
        assert done.returncode == 0
        assert done.stderr.count("Note") == 1
        assert "no file of runs" in done.stderr
        assert "Best of 800" in done.stdout
        assert summary(output)["run"]["id"] is None
        assert (output / "runs.sqlite").read_bytes() == b"no database" * 1000

    def test_a_full_disk_does_not_cost_the_answer(self, tmp_path: Path) -> None:
        with disk(tmp_path / "disk", "256k") as folder:
            (folder / "filler").write_bytes(b"x" * 252 * 1024)
            done = run(folder, *SMALL, *QUICK)
            assert done.returncode == 1
            assert "runs.sqlite" in done.stderr
            assert "cannot write" in done.stderr
            assert "No space left on device" in done.stderr
            assert "Traceback" not in done.stderr
            assert "Best of 800" in done.stdout

    def test_without_a_store(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        assert run(output, *SMALL, *QUICK, "--no-store").returncode == 0
        assert not (output / "runs.sqlite").exists()
        assert read_receipt(output / "receipt.json")["run"] is None
        assert summary(output)["run"]["id"] is None

    def test_one_combination_and_a_failed_proof_are_kept_too(self, tmp_path: Path) -> None:
        output, script = tmp_path / "out", tmp_path / "wrong.py"
        script.write_text(WRONG, encoding="utf-8")
        assert run(output, "--no-optimize", *QUICK).returncode == 0
        wrong_one = ("--engine", "wrong", "--verify", "1", "--no-validate")
        assert run(output, *SMALL, *wrong_one, script=script).returncode == 1
        wrong, single = runs(output)
        assert (single.state, single.combinations, single.best) == ("finished", 1, 0)
        assert wrong.state == "failed"
        assert "disagree" in str(wrong.error)


#: An engine with two bad combinations: one raises, one ends its process.
FAULTY = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES, kind_of
import bigbar_multiprocessing_optimized as command

class Faulty:
    def __init__(self, file, job):
        self._good = kind_of(job.spec, "compiled").build(file, job)
    def run(self, start, stop):
        if start <= 7 < stop:
            1 / 0
        if start <= 500 < stop:
            os.kill(os.getpid(), 9)
        return self._good.run(start, stop)
    def __getattr__(self, name):
        return getattr(self._good, name)

ENGINES["faulty"] = EngineKind(Faulty, sample_slice=4)
if __name__ == "__main__":
    sys.exit(command.main())
"""

#: An engine in which the combinations named in the environment raise.
SOMETIMES = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES, kind_of
import bigbar_multiprocessing_optimized as command

class Sometimes:
    def __init__(self, file, job):
        self._good = kind_of(job.spec, "compiled").build(file, job)
    def run(self, start, stop):
        if any(start <= int(bad) < stop for bad in os.environ.get("BAD", "").split()):
            1 / 0
        return self._good.run(start, stop)
    def __getattr__(self, name):
        return getattr(self._good, name)

ENGINES["sometimes"] = EngineKind(Sometimes, sample_slice=4)
if __name__ == "__main__":
    sys.exit(command.main())
"""

#: An engine that takes its time: five milliseconds for each combination.
UNHURRIED = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES, kind_of
import bigbar_multiprocessing_optimized as command

class Unhurried:
    def __init__(self, file, job):
        self._good = kind_of(job.spec, "compiled").build(file, job)
    def run(self, start, stop):
        time.sleep(0.005 * (stop - start))
        return self._good.run(start, stop)
    def __getattr__(self, name):
        return getattr(self._good, name)

ENGINES["unhurried"] = EngineKind(Unhurried, sample_slice=1)
if __name__ == "__main__":
    sys.exit(command.main())
"""

#: An engine whose Sharpe ratio is off by a millionth.
WRONG = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES, kind_of
from bigbar.statistics import COLUMN
import bigbar_multiprocessing_optimized as command

class Wrong:
    def __init__(self, file, job):
        self._good = kind_of(job.spec, "compiled").build(file, job)
    def run(self, start, stop):
        rows = self._good.run(start, stop)
        rows[:, COLUMN["Sharpe Ratio"]] *= 1.000001
        return rows
    def __getattr__(self, name):
        return getattr(self._good, name)

ENGINES["wrong"] = EngineKind(Wrong, sample_slice=4)
if __name__ == "__main__":
    sys.exit(command.main())
"""


class TestDocumentedFunctions:
    def test_names_that_were_documented(self) -> None:
        file = program.load_data(EXAMPLE)
        combinations = program.generate_parameter_combinations()
        assert len(combinations) == 112_840
        assert combinations[0] == (10, 1.0, 0.5, 0.1, 0.01)
        assert 0 < program.estimate_backtest_duration(file, sample_size=10) < 1
        name, shape, dtype, metadata = program.create_shared_memory_dataframe(file)
        try:
            back = program.load_from_shared_memory(name, shape, dtype, metadata)
            pd.testing.assert_frame_equal(back, file)
            parameters, stats = program.run_backtest_single_param_shared(
                (combinations[40_000], name, shape, dtype, metadata)
            )
        finally:
            program.cleanup_shared_memory(name, metadata)
        best, every = program.parallel_optimize_strategy_shared(EXAMPLE, 2, False)
        assert best is not None
        assert len(every) == 112_840
        some = max(every[number][1]["Return [%]"] for number in range(0, 112_840, 997))
        assert best[1]["Return [%]"] >= some > 0
        assert every[40_000][0] == parameters
        assert every[40_000][1].equals(stats)


def compile_once(*, tests: bool = False) -> None:
    """Compile sources and kernels: of tests side by side, each of the first would do it.

    With `tests`, the files of all tests as well, which pytest writes anew before it compiles them.
    """
    compileall.compile_dir(ROOT / "bigbar", quiet=2)
    quickly = ("--workers", "1", "--verify", "0", "--engine", "compiled", "--output")
    run_ = [str(COMMAND), str(EXAMPLE), *quickly]
    lines = [["-m", "pytest", "--collect-only", "-q", str(ROOT)]] if tests else []
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    with tempfile.TemporaryDirectory() as folder:
        lines += [
            [*run_, f"{folder}/1", "--atr-period", "20"],
            [*run_, f"{folder}/2", "--strategy", "sma_cross", "--param", "fast=5,6"],
        ]
        started = [
            subprocess.Popen(
                [sys.executable, *line],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for line in lines
        ]
        for process in started:  # What goes wrong, a test will tell.
            process.wait()


def main(arguments: Sequence[str]) -> int:
    """Run the tests, those that need the machine to themselves after all others.

    The others run side by side. What came of all of them is in the last line. With `--slow`, run
    those that take seconds each instead. With other arguments, which are pytest's, all that they
    choose run one after the other.
    """
    slow = list(arguments) == ["--slow"]
    if arguments and not slow:
        return int(pytest.main([str(ROOT), *arguments]))
    # In the order of the files, in which the long ones come early and the last are short.
    # Those of a file stay together, for what it has once for all of its tests.
    side_by_side = ["-n", str(min(4, usable_processors())), "--dist", "loadfile"]
    side_by_side += ["--no-loadscope-reorder"]
    which = "slow" if slow else "not slow"
    parts = {
        "tests side by side": [*side_by_side, "-m", f"{which} and not alone"],
        "tests that run alone": ["-m", f"{which} and alone"],
    }
    compile_once(tests=True)
    return run_parts(parts, ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
