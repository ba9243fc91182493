"""What is required: everything that is imported, in a range whose lower end is tested."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (*sorted((ROOT / "bigbar").rglob("*.py")), ROOT / "bigbar_multiprocessing_optimized.py")
LINE = re.compile(r"([\w-]+)>=([\d.]+),<([\d.]+)")


def required() -> dict[str, tuple[str, str]]:
    """Lowest version and the first that is not allowed, by name."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), lines
    return {match[1]: (match[2], match[3]) for match in matches if match}


def numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


def imported() -> set[str]:
    """First names of all modules that the program imports, wherever in it."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name.split(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).split(".")[0])
    return found


@pytest.mark.slow
def test_what_is_imported_is_required_and_nothing_else():
    theirs = (
        imported()
        - sys.stdlib_module_names
        - {*(path.stem for path in SOURCES), "bigbar", "llvmlite"}
    )
    assert theirs == set(required())


@pytest.mark.parametrize("name", required())
def test_what_is_installed_is_allowed(name):
    lowest, first_not = required()[name]
    assert numbers(lowest) <= numbers(version(name)) < numbers(first_not)


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("sed")), reason="needs bash and sed")
def test_ci_tests_the_lowest_versions_of_all():
    rule = re.search(r"^lowest=.*$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M)
    assert rule is not None
    line = ["bash", "-euc", f'{rule[0]}; printf "%s\\n" $lowest']
    shown = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.split() == [f"{name}=={lowest}" for name, (lowest, _) in required().items()]
