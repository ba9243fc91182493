"""Garbage is not looked for while modules are imported, and is again afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

_RUN = """
import atexit, gc, runpy, sys

atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 10_000))
sys.argv = ["bigbar", "no-such-file.csv"]
runpy.{how}, run_name="__main__")
"""


@pytest.mark.parametrize(
    "how", ['run_path("bigbar_multiprocessing_optimized.py"', 'run_module("bigbar"']
)
def test_it_is_looked_for_in_a_run_but_not_in_what_was_imported(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUN.format(how=how)], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (2, "True True\n"), done.stderr
