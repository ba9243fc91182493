"""Standard streams that nobody listens to: closed pipes, closed streams, full disks, no streams."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from long import in_a_soak
from small_run import small_bars

from bigbar.api import optimize
from bigbar.progress.terminal import Terminal, wants_bar
from bigbar.streams import Listened, any_encoding

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ROOT / "bigbar_multiprocessing_optimized.py"
GRID = ("--atr-period", "10,20", "--k-atr", "0.8,1", "--verify", "0", "--no-validate")

posix_only = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell")


def shell(line: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as a line of a shell has them."""
    return subprocess.run(
        ["sh", "-c", line, "sh", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


#: What is done with the streams, and what is still heard of a run.
DEAF = {
    "both to a pipe that is closed after a line": ('{ "$@"; echo "$?" >&3; } 2>&1 | head -1', 1),
    "all closed": ('"$@" >&- 2>&- <&-; echo "$?" >&3', 0),
}
DEAF_TOO = {
    "no standard error": ('"$@" 2>&-; echo "$?" >&3', 40),
    "full disks": ('"$@" >/dev/full 2>&1; echo "$?" >&3', 0),
}


@posix_only
@pytest.mark.parametrize("how", [*DEAF, *in_a_soak(*DEAF_TOO)])
def test_a_run_that_nobody_listens_to_is_finished(how, tmp_path):
    line, heard = (DEAF | DEAF_TOO)[how]
    code, output = tmp_path / "code", tmp_path / "out"
    run = (sys.executable, str(COMMAND), "example.csv", *GRID, "--output", str(output))
    done = shell(f"exec 3>{code}; {line}", *run)
    assert code.read_text() == "0\n"
    assert done.stderr == ""
    assert heard <= len(done.stdout.splitlines()) <= 2 * heard
    written = {"results.parquet", "receipt.json", "summary.json", "report.html", "trades.csv"}
    assert written <= {file.name for file in output.iterdir()}
    kept = shell('"$@"', sys.executable, "-m", "bigbar", "history", "--output", str(output))
    assert "finished" in kept.stdout


@pytest.mark.slow
@posix_only
def test_an_answer_that_could_not_be_written_is_said_to_be_in_the_files(tmp_path):
    run = (sys.executable, str(COMMAND), "example.csv", *GRID, "--output", str(tmp_path / "out"))
    done = shell('"$@" >/dev/full', *run)
    assert done.returncode == 0
    said = " ".join(done.stderr.split())  # Whatever the width of the lines.
    assert "could not be written to standard output (No space left on device)" in said
    assert "Traceback" not in done.stderr


@posix_only
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('"$@" 2>&1 | true', 0),
        ('"$@" >&- 2>&- <&-', 0),
        ('"$@" >&-', 0),
        ('"$@" 2>&-', 0),
        ('"$@" --nonsense 2>&-', 2),
        ('"$@" --nonsense 2>/dev/full', 2),
    ],
)
def test_history_that_nobody_listens_to(line, code, kept_runs):
    command = (sys.executable, "-m", "bigbar", "history", "--output", str(kept_runs))
    done = shell(line, *command)
    assert (done.returncode, done.stderr) == (code, "")


@posix_only
def test_no_file_gets_the_number_of_a_closed_stream():
    """Or a crash of the C library would be written into it."""
    script = (
        "import sys, tempfile\n"
        "from bigbar.streams import open_missing_streams\n"
        "open_missing_streams()\n"
        "print('lost', file=sys.stderr)\n"
        "open(sys.argv[1], 'w').write(str(tempfile.TemporaryFile().fileno()))\n"
    )
    for line in ('"$@" >&- 2>&- <&-', '"$@" 2>&-'):
        told = shell(f'file=$(mktemp); {line} "$file"; cat "$file"; rm "$file"',
                     sys.executable, "-c", script)  # fmt: skip
        assert int(told.stdout) >= 3, told


def test_python_without_streams(monkeypatch):
    """`pythonw` and some services have none; a run from Python tells nobody, and runs."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    terminal = Terminal(sys.stderr, show_bar=wants_bar(sys.stderr, no_progress=False))
    found = optimize(
        small_bars().frame, atr_period=10, k_atr=0.8, workers=1, verify=0, listener=terminal
    )
    assert len(found) == 40
    assert found.best_parameters is not None


class Leaving(io.StringIO):
    """A listener who leaves after some texts."""

    def __init__(self, texts: int, error: Exception) -> None:
        super().__init__()
        self.texts, self.error = texts, error

    def write(self, text: str) -> int:
        if not self.texts:
            raise self.error
        self.texts -= 1
        return super().write(text)


@pytest.mark.parametrize(
    "error", [BrokenPipeError(32, "gone"), OSError(5, "hung up"), ValueError()]
)
def test_who_has_left_is_not_told_again(error):
    heard = Leaving(1, error)
    stream = Listened(heard)
    assert [stream.write(text) for text in ("one", "two", "three")] == [3, 3, 5]
    stream.flush()
    assert heard.getvalue() == "one"
    assert stream.lost is error
    heard.texts = 1
    stream.write("four")
    assert heard.getvalue() == "one"


def test_a_pipe_that_is_full_for_now_is_written_to_again():
    heard = Leaving(0, BlockingIOError(11, "again"))
    stream = Listened(heard)
    stream.write("lost")
    heard.texts = 1
    stream.write("heard")
    assert heard.getvalue() == "heard"
    assert stream.lost is None


def test_a_bar_whose_listener_leaves_counts_on():
    for texts in range(6):
        terminal = Terminal(Leaving(texts, BrokenPipeError()), show_bar=True)
        with terminal.progress(10) as bar:
            for _ in range(10):
                bar.update(1)
            terminal.event("something")
            assert bar.n == 10


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("utf-8", "✗ −1.76 % · 3 × 5 … 日"), ("cp1252", "x -1.76 % · 3 × 5 … ?"),
     ("ascii", "x -1.76 % | 3 x 5 ... ?")],
)  # fmt: skip
def test_signs_that_an_encoding_lacks_are_told_by_the_nearest(monkeypatch, encoding, text):
    """A minus that became a question mark would be another number."""
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding=encoding))
    any_encoding()
    sys.stdout.write("✗ −1.76 % · 3 × 5 … 日")
    sys.stdout.flush()
    assert kept.getvalue().decode(encoding) == text
