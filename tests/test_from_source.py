"""A trader's modules are what their files say now, whatever bytecode or process knows of before."""

from __future__ import annotations

import importlib
import os
import pickle
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
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith(("helper", "mine", "spread", "other", "late", "bigbar_strategy_")):
            del sys.modules[name]
    sys.path[:] = path
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


def _project(folder: Path, **files: str) -> Path:
    """A folder with these modules; `_` stands for a folder."""
    for name, text in files.items():
        file = folder / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def _every(imports: str) -> str:
    return STRATEGY.replace("from helper import SIZE\nfrom mine_parts.deep import EVERY", imports)


def test_an_edit_counts_wherever_a_module_lies(tmp_path):
    """Without `__init__.py`, behind a link, in a folder beside."""
    lib = _project(tmp_path / "lib", helper_lib="DEEP = 1\n")
    outside = _project(tmp_path / "outside", deep="LINKED = 1\n")
    mine = _project(
        tmp_path / "mine",
        spread__helper="SIZE = 1\n",
        mine_whole__sub__mod="EVERY = 3\n",
        mine_whole__other="OTHER = 1\n",
    )
    (mine / "mine_whole" / "__init__.py").write_text("")
    (mine / "mine_whole" / "link.py").symlink_to(outside / "deep.py")
    (mine / "my.py").write_text(_every(
        f"import sys\nsys.path.insert(0, {str(lib)!r})\n"
        "from helper_lib import DEEP\nfrom spread import helper\nimport mine_whole.sub.mod\n"
        "import mine_whole.link\nimport mine_whole.other\n"
        "SIZE = helper.SIZE\n"
        "EVERY = mine_whole.sub.mod.EVERY + DEEP + mine_whole.link.LINKED + mine_whole.other.OTHER"
    ))  # fmt: skip
    where = f"{mine / 'my.py'}:Mine"
    seen = [answer(where)]
    for file, old, new in (
        (lib / "helper_lib.py", "1", "2"), (mine / "spread/helper.py", "1", "2"),
        (mine / "mine_whole/sub/mod.py", "3", "5"), (outside / "deep.py", "1", "3"),
        (mine / "my.py", "== 0", "== 1"),
    ):  # fmt: skip
        edit(file, old, new)
        seen.append(answer(where))
        assert seen[-1] not in seen[:-1], file


def test_helpers_of_one_name_in_two_folders(tmp_path):
    text = _every("from helper import SIZE, EVERY")
    for name, size in (("a", 1), ("b", 2)):
        _project(tmp_path / name, my=text, helper=f"SIZE = {size}\nEVERY = 3\n")
    one, other = (f"{tmp_path / name / 'my.py'}:Mine" for name in "ab")
    first, second = answer(one), answer(other)
    assert first != second
    assert (answer(one), answer(other)) == (first, second)
    edit(tmp_path / "a" / "helper.py", "SIZE = 1", "SIZE = 4")
    assert answer(one) not in (first, second)
    assert answer(other) == second


def test_packages_of_one_name_in_two_working_folders(tmp_path, monkeypatch):
    seen = []
    for name, size in (("a", 1), ("b", 2), ("a", 1)):
        text = _every(f"SIZE, EVERY = {size}, 3")
        folder = _project(tmp_path / name, mine_pack__mod=text)
        (folder / "mine_pack" / "__init__.py").write_text("")
        monkeypatch.chdir(folder)
        seen.append(answer("mine_pack.mod:Mine"))
    assert seen[0] == seen[2] != seen[1]


def test_a_helper_that_comes_later_is_taken(tmp_path):
    imports = "try:\n    from late import SIZE\nexcept ImportError:\n    SIZE = 1\nEVERY = 3"
    _project(tmp_path, my=_every(imports))
    where = f"{tmp_path / 'my.py'}:Mine"
    before = answer(where)
    assert load_class(where) is load_class(where)
    _project(tmp_path, late="SIZE = 2\n")
    assert answer(where) != before
    (tmp_path / "late.py").unlink()
    assert answer(where) == before


def test_what_an_edited_module_has_no_part_in_stays(tmp_path):
    _project(
        tmp_path, my=_every("from helper import SIZE\nEVERY = 3"), helper="SIZE = 1\n",
        other_module="class Mine: pass\n",
    )  # fmt: skip
    load_class(f"{tmp_path / 'my.py'}:Mine")
    other = importlib.import_module("other_module")
    made = other.Mine()
    edit(tmp_path / "helper.py", "1", "2")
    load_class(f"{tmp_path / 'my.py'}:Mine")
    assert type(pickle.loads(pickle.dumps(made))) is other.Mine


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
    for place in (bigbar.__file__, os.__file__, "/opt/lib/site-packages/some/module.py"):
        assert not from_source.is_theirs(place)
    assert from_source.is_theirs("/home/somebody/strategies/mine.py")


def test_a_file_that_has_gone_is_told(folder):
    load_class("mine.py:Mine")
    (folder / "helper.py").unlink()
    with pytest.raises(SettingsError, match="No module named 'helper'"):
        load_class("mine.py:Mine")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["backtesting", "auto"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_class_of_the_session_stays_what_was_imported(folder, method, engine):
    """Whoever has imported it has the class of then; so do the workers, however they start."""
    sys.path.insert(0, str(folder))
    kind = importlib.import_module("mine").Mine
    alone = bigbar.Backtest(GOOG.iloc[:300], kind).run(n=20)
    edit(folder / "mine.py", "% self.n == 0", "% self.n == 1")
    found = bigbar.optimize(
        GOOG.iloc[:300], kind, n=[20, 30], engine=engine, workers=2, verify=2, validate=False,
        start_method=method,
    )  # fmt: skip
    assert found.table()["Equity Final [$]"].iloc[0] == alone["Equity Final [$]"]
    assert found.table()["# Trades"].iloc[0] == alone["# Trades"]
    edit(folder / "mine.py", "% self.n == 1", "% self.n == 0")
    assert not from_source.was_edited(kind)
