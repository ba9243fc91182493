"""The package's face: what importing it brings, its names, and their types."""

from __future__ import annotations

import ast
import os
import pydoc
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import bigbar

ROOT = Path(__file__).resolve().parents[1]


def modules_after(code: str) -> set[str]:
    """Packages that are imported once some code has run in a new Python."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return {name.partition(".")[0] for name in told.stdout.split()}


def test_importing_it_brings_nothing_heavy():
    brought = modules_after("import bigbar")
    assert not brought & {"pandas", "numpy", "numba", "backtesting", "bokeh", "multiprocessing"}


@pytest.mark.slow
def test_the_drop_in_brings_no_more_than_the_original():
    """Charts come when one is drawn, the compiler when a kernel is asked for."""
    ours = modules_after("from bigbar import Backtest")
    theirs = modules_after("from backtesting import Backtest")
    assert "bokeh" in theirs
    assert "bokeh" not in ours
    # Pandas brings PyArrow, which brings some of these, to both.
    assert not ours & {"numba", "cloudpickle", "sambo", "sklearn", "joblib"} - theirs


@pytest.mark.slow
def test_charts_are_drawn_all_the_same(tmp_path):
    code = f"""
from bigbar import Backtest
from backtesting.test import GOOG
from bigbar.strategies.sma_cross import SmaCross
backtest = Backtest(GOOG.iloc[:100], SmaCross)
backtest.optimize(fast=[3, 5])
backtest.plot(filename={str(tmp_path / "chart.html")!r}, open_browser=False)
"""
    assert "bokeh" in modules_after(code)
    assert (tmp_path / "chart.html").stat().st_size > 10_000


def test_names():
    assert dir(bigbar) == sorted(bigbar.__all__)
    for name in bigbar.__all__:
        assert getattr(bigbar, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        bigbar.optimise  # noqa: B018


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ("bigbar", "found = bigbar.optimize("),
        ("bigbar.optimize", "maximize : str or callable, or a list of these, optional"),
        ("bigbar.Backtest.optimize", "`bigbar.optimize`"),
        ("bigbar.Optimization", "report(self"),
    ],
)
def test_help(thing, said):
    """What `help` prints, without a word about how it comes to be there."""
    shown = pydoc.plain(pydoc.render_doc(eval(thing)))
    assert said in shown
    assert "TYPE_CHECKING" not in shown
    assert "importlib" not in shown


def test_every_name_has_a_type():
    """Type checkers see no `__getattr__`'s names, but those imported for them."""
    tree = ast.parse(Path(bigbar.__file__).read_text(encoding="utf-8"))
    shown = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    assert shown == set(bigbar.__all__) - {"__version__"}
    assert (files("bigbar") / "py.typed").is_file()


@pytest.mark.soak
def test_the_types(tmp_path):
    """By mypy, as a user's own project has them; our own run checks that file less strictly."""
    shutil.copy(ROOT / "tests" / "strict_consumer.py", tmp_path / "mine.py")
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports", "silent",
         "--cache-dir", "cache", "mine.py"],
        cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert told.stdout.startswith("Success"), told.stdout
