"""Several parts, one closing line: real runs of pytest that fail, crash and are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import ROOT
from tests.test_pool import posix_only, wait_until

GOOD = "def test_good():\n    pass\n"
BAD = "def test_bad():\n    assert False\n"
SKIPS = "import pytest\ndef test_skipped():\n    pytest.skip('needs a browser: install one')\n"
ENDS = "import os, signal\ndef test_ends():\n    {}\n"

_SCRIPT = """
import sys
from pathlib import Path
from tests.parts import run_parts
parts = {{"first part": ["-k", "not last"], "second part": ["-k", "last"]}}
sys.exit(run_parts(parts, Path({!r})))
"""


def start(folder: Path, first: str, last: str, *, workers: int = 0) -> subprocess.Popen[str]:
    """Two parts, of a file each."""
    options = f"-p xdist -n {workers}" if workers else ""
    (folder / "pytest.ini").write_text(f"[pytest]\naddopts = -q -p no:cacheprovider {options}\n")
    (folder / "test_first.py").write_text(first)
    (folder / "test_last.py").write_text(last)
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT.format(str(folder))],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def run(
    folder: Path, first: str = GOOD, last: str = GOOD, *, workers: int = 0
) -> tuple[int, list[str]]:
    """Exit code, and what was told after the parts."""
    process = start(folder, first, last, workers=workers)
    out, _ = process.communicate(timeout=100)
    return process.returncode, out.rstrip().split("\n\n")[-1].splitlines()


def test_all_went_well(tmp_path):
    code, told = run(tmp_path, GOOD + SKIPS, GOOD)
    assert told == [
        "skipped 1: needs a browser: install one",
        "Complete: 2 passed, 0 failed, 1 skipped",
    ]
    assert code == 0


def test_a_failure_in_the_first_part_is_in_the_last_line(tmp_path):
    clears_up = "import pytest\n@pytest.fixture\ndef mess():\n    yield\n    1 / 0\n"
    code, told = run(tmp_path, GOOD + BAD + clears_up + "def test_mess(mess):\n    pass\n")
    assert told == [
        "failed: test_first.py::test_bad",
        "failed: test_first.py::test_mess",  # Passed, and failed while it cleared up: once.
        "Complete: 2 passed, 2 failed, 0 skipped",
    ]
    assert code == 1


@posix_only
@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", 139, "was ended by SIGSEGV"),
        ("os._exit(0)", 1, "broke off with exit code 0"),
        ("os._exit(1)", 1, "broke off with exit code 1"),
    ],
)
def test_a_part_that_breaks_off_takes_nothing_from_the_other(tmp_path, end, code, said):
    found, told = run(tmp_path, GOOD + ENDS.format(end) + "def test_never():\n    pass\n")
    assert told == [
        "failed: test_first.py::test_ends",
        f"first part {said} in test_first.py::test_ends",
        "Incomplete: 2 passed, 1 failed, 0 skipped",
    ]
    assert found == code


def test_a_file_that_cannot_be_read_as_tests(tmp_path):
    """Then pytest runs none of that part."""
    code, told = run(tmp_path, GOOD, "def test_last(:\n")
    assert told == [
        "failed: test_last.py",
        "first part could not collect its tests",
        "second part could not collect its tests",
        "Incomplete: 0 passed, 1 failed, 0 skipped",
    ]
    assert code == 2


@pytest.mark.slow
def test_side_by_side(tmp_path):
    code, told = run(tmp_path, GOOD + BAD, GOOD, workers=2)
    assert told == ["failed: test_first.py::test_bad", "Complete: 2 passed, 1 failed, 0 skipped"]
    assert code == 1


@pytest.mark.slow
def test_tests_that_have_other_names_in_every_process(tmp_path):
    """Then pytest-xdist runs none."""
    named = "import os, pytest\n@pytest.mark.parametrize('pid', [os.getpid()])\ndef test_it(pid):\n"
    code, told = run(tmp_path, named + "    pass\n", GOOD, workers=2)
    assert told[-1].startswith("Incomplete: 1 passed, 1 failed")
    assert "first part could not collect its tests" in told
    assert code == 1


def test_a_part_without_tests(tmp_path):
    code, told = run(tmp_path, GOOD, "")
    assert told == ["second part had no tests", "Incomplete: 1 passed, 0 failed, 0 skipped"]
    assert code == 5


@posix_only
def test_an_interrupted_part_ends_it_all(tmp_path):
    waits = f"import time\ndef test_waits():\n    open({str(tmp_path / 'there')!r}, 'w')\n"
    process = start(tmp_path, GOOD + waits + "    time.sleep(60)\n", GOOD)
    assert wait_until((tmp_path / "there").exists, 30)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert out.rstrip().split("\n\n")[-1].splitlines() == [
        "first part was interrupted in test_first.py::test_waits",
        "not run: 1 of 2 parts",
        "Incomplete: 1 passed, 0 failed, 0 skipped",
    ]
    assert process.returncode == 2


@pytest.mark.slow
def test_the_script_hands_its_arguments_on():
    """As it is run: there pytest has not yet said where modules are to be found."""
    line = [sys.executable, "test_multiprocessing_optimizations.py", "--version"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"pytest {pytest.__version__}\n"
