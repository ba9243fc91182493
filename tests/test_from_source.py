"""A trader's modules are what their files say now, whatever bytecode or process knows of before."""

from __future__ import annotations

import importlib
import os
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from backtesting.test import GOOG

import bigbar
from bigbar import from_source
from bigbar.errors import SettingsError
from bigbar.user_code import load_class

STRATEGY = """
from backtesting import Strategy
from helper import SIZE
from mine_parts.deep import EVERY

class Mine(Strategy):
    n = 20
    def init(self): pass
    def next(self):
        if len(self.data) % self.n == 0:
            self.buy(size=SIZE)
        elif len(self.data) % self.n == EVERY:
            self.position.close()
"""


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is imported here is gone afterwards, and bytecode would be kept if it were made."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    modules, path, folders = set(sys.modules), list(sys.path), set(from_source._finder.folders)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith(("helper", "mine_parts", "bigbar_strategy_", "mine")):
            del sys.modules[name]
    sys.path[:] = path
    from_source._finder.folders = folders
    from_source._read.clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trader's project: a strategy, a helper beside it, and one in a package."""
    (tmp_path / "mine_parts").mkdir()
    (tmp_path / "mine_parts" / "__init__.py").write_text("")
    for name, text in (
        ("mine.py", STRATEGY), ("helper.py", "SIZE = 1\n"), ("mine_parts/deep.py", "EVERY = 3\n"),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1e9, 1e9))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    """Say something else in as many characters, at the same time of the clock."""
    assert len(old) == len(new)
    file.write_text(file.read_text().replace(old, new))
    os.utime(file, (1e9, 1e9))


def answer(where: str, engine: str = "backtesting") -> float:
    found = bigbar.optimize(
        GOOG.iloc[:300], where, n=[20, 30], engine=engine, workers=1, verify=0,
        validate=False,
    )  # fmt: skip
    return float(found.best_statistics["Equity Final [$]"])


EDITS = [
    ("mine.py", "% self.n == 0", "% self.n == 1"),
    ("helper.py", "SIZE = 1", "SIZE = 2"),
    ("mine_parts/deep.py", "EVERY = 3", "EVERY = 9"),
]


@pytest.mark.parametrize(
    ("where", "engine"),
    [("mine.py:Mine", "backtesting"), ("mine:Mine", "backtesting"), ("mine.py:Mine", "compiled")],
)
@pytest.mark.parametrize(("file", "old", "new"), EDITS, ids=[row[0] for row in EDITS])
def test_an_edit_counts_in_the_same_process(folder, where, engine, file, old, new):
    before = answer(where, engine)
    assert answer(where, engine) == before
    edit(folder / file, old, new)
    after = answer(where, engine)
    assert after != before
    edit(folder / file, new, old)
    assert answer(where, engine) == before


def test_what_was_not_edited_is_not_imported_again(folder):
    assert load_class("mine.py:Mine") is load_class("mine.py:Mine")
    before = load_class("mine.py:Mine")
    edit(folder / "helper.py", "1", "2")
    assert load_class("mine.py:Mine") is not before


@pytest.mark.parametrize("file", ["mine.py", "helper.py", "mine_parts/deep.py"])
def test_bytecode_of_an_earlier_text_is_not_taken(folder, file):
    for text in (file, "mine_parts/__init__.py"):
        py_compile.compile(str(folder / text), doraise=True)
    name, old, new = next(row for row in EDITS if row[0] == file)
    edit(folder / name, old, new)
    # Python itself would run what the file said before.
    kept = importlib.util.cache_from_source(str(folder / file))
    before = Path(kept).read_bytes()
    with_edit = answer("mine.py:Mine")
    assert Path(kept).read_bytes() == before
    edit(folder / name, new, old)
    assert answer("mine.py:Mine") != with_edit


def test_nothing_is_left_beside_the_files(folder):
    answer("mine.py:Mine")
    assert not list(folder.rglob("__pycache__"))


def test_installed_packages_are_imported_as_ever(folder):
    package = folder / ".venv" / "site-packages"
    package.mkdir(parents=True)
    (package / "helper_installed.py").write_text("SIZE = 1\n")
    (folder / "helper.py").write_text("from helper_installed import SIZE\n")
    sys.path.append(str(package))
    load_class("mine.py:Mine")
    assert type(sys.modules["helper"].__loader__) is from_source._FromSource
    assert type(sys.modules["mine_parts.deep"].__loader__) is from_source._FromSource
    loader = sys.modules["helper_installed"].__loader__
    assert type(loader) is importlib.machinery.SourceFileLoader
    assert (package / "__pycache__").is_dir()


def test_the_programs_own_and_pythons_own_are_not_theirs():
    finder = from_source._Finder()
    finder.folders = {"/", str(Path(bigbar.__file__).parents[1])}
    for place in (bigbar.__file__, os.__file__):
        assert not finder._is_here(place)
    assert finder._is_here("/home/somebody/strategies/mine.py")


def test_a_file_that_has_gone_is_told(folder):
    load_class("mine.py:Mine")
    (folder / "helper.py").unlink()
    with pytest.raises(SettingsError, match="No module named 'helper'"):
        load_class("mine.py:Mine")
