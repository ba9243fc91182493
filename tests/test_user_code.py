"""A trader's own class by its path: files, packages, and one sentence where it cannot be had."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from backtesting import Strategy

from bigbar.errors import SettingsError
from bigbar.user_code import checked_class, importable_path, load_class, split_path

ROOT = Path(__file__).resolve().parents[1]

GOOD = """
from backtesting import Strategy

class Mine(Strategy):
    n = 5
    def init(self): pass
    def next(self): pass
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file beside which the test runs; what it imports is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)

    def written(text: str, name: str = "my.py") -> str:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return name

    yield written
    for name in set(sys.modules) - before:
        if not name.startswith(("bigbar.", "backtesting", "pandas", "numpy")):
            del sys.modules[name]


def refusal(path: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_class(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("my.py:Mine", ("my.py", "Mine")),
        ("my.py", ("my.py", "")),
        ("a/my.py:Out.In", ("a/my.py", "Out.In")),
        ("package.module:Mine", ("package.module", "Mine")),
        ("sma_cross", ("sma_cross", "")),
        (r"C:\trade\my.py", (r"C:\trade\my.py", "")),
        (r"C:\trade\my.py:Mine", (r"C:\trade\my.py", "Mine")),
        ("C:/trade/my.py:Mine", ("C:/trade/my.py", "Mine")),
        (":Mine", (":Mine", "")),
        ("my.py:", ("my.py:", "")),
    ],
)
def test_file_and_class_of_a_path(path, parts):
    assert split_path(path) == parts


def test_a_class_of_a_file(write):
    write(GOOD)
    found = load_class("my.py:Mine")
    assert issubclass(found, Strategy)
    assert found.n == 5
    assert load_class("my.py") is found  # The only one there: it need not be named.
    assert load_class(str(Path("my.py").resolve()) + ":Mine") is found


def test_a_path_by_which_any_process_finds_it_again(write):
    write(GOOD, "deep/my.py")
    path = importable_path(load_class("deep/my.py:Mine"))
    assert path is not None
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from bigbar.user_code import load_class; "
         f"print(load_class({path!r}).n)"],
        capture_output=True, text=True, check=True, cwd="/", env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout == "5\n"


def test_a_class_inside_a_class_and_one_of_a_package(write):
    write("", "house/__init__.py")
    write(GOOD + "class Out:\n    class In(Mine):\n        n = 6\n", "house/room.py")
    assert load_class("house.room:Out.In").n == 6
    assert load_class("house.room:Mine").n == 5
    assert importable_path(load_class("house.room:Out.In")) == "house.room:Out.In"
    assert load_class("house/room.py:Out.In").n == 6


def test_a_file_with_neighbours(write):
    write("def far(): return 7\n", "lib/neighbour_later.py")
    write("FAST = 9\n", "lib/neighbour.py")
    write(
        """
        from backtesting import Strategy
        from neighbour import FAST

        class Mine(Strategy):
            fast = FAST
            def init(self):
                from neighbour_later import far
                self.far = far()
            def next(self): pass
        """,
        "lib/my.py",
    )
    found = load_class("lib/my.py:Mine")
    assert found.fast == 9
    alone = found.__new__(found)
    found.init(alone)  # What is imported later, inside a function, is found as well.
    assert alone.far == 7


def test_two_files_of_one_name_are_two_modules(write):
    write(GOOD, "a/my.py")
    write(GOOD.replace("5", "6"), "b/my.py")
    assert [load_class(f"{folder}/my.py:Mine").n for folder in "ab"] == [5, 6]


def test_a_file_that_is_not_there(write):
    assert refusal("no.py:Mine") == "--strategy: no.py is no such file"
    write(GOOD, "folder.py/my.py")
    assert refusal("folder.py:Mine") == "--strategy: folder.py is a folder"
    assert "there is no module 'no.such'" in refusal("no.such:Mine")
    assert "'bigbar strategies'" in refusal("nothing:Mine")


def test_a_file_without_a_strategy(write):
    write("class Mine: pass\nimport backtesting\nfrom backtesting import Strategy\n")
    assert "my.py holds no strategy; name one: my.py:Class" in refusal("my.py")
    assert refusal("my.py:Mine").startswith("my.py:Mine is no strategy: it must be a subclass of")
    assert "its bases are object" in refusal("my.py:Mine")


def test_two_strategies_and_none_named(write):
    write(GOOD + "class Other(Mine): pass\n")
    assert refusal("my.py") == (
        "--strategy: my.py holds 2 strategies (Mine, Other); name one: my.py:Mine"
    )
    assert load_class("my.py:Other").__name__ == "Other"


def test_did_you_mean(write):
    write(GOOD)
    assert refusal("my.py:Mien").endswith("my.py has no class 'Mien'; did you mean Mine?")
    assert refusal("my.py:Xyz").endswith("my.py has no class 'Xyz'; it holds Mine")


def test_what_is_no_class(write):
    write(GOOD + "thing = Mine.n\ndef function(): pass\n")
    assert refusal("my.py:thing") == "my.py:thing is an int, not a class"
    assert refusal("my.py:function") == "my.py:function is a function, not a class"


def test_an_abstract_class(write):
    write("from backtesting import Strategy\nclass Mine(Strategy):\n    def init(self): pass\n")
    assert refusal("my.py:Mine") == "my.py:Mine does not define next()"
    assert refusal("backtesting:Strategy") == (
        "backtesting:Strategy does not define init() and next()"
    )


def test_a_syntax_error_with_its_line(write):
    write("from backtesting import Strategy\n\nclass Mine(Strategy)\n    n = 5\n")
    said = refusal("my.py:Mine")
    assert f"{Path('my.py').resolve()}:3: expected ':': class Mine(Strategy)" in said
    write("x = 5\n\ty = 6\n", "tabs.py")
    assert "tabs.py:2: unexpected indent" in refusal("tabs.py")
    Path("bytes.py").write_bytes(b"x = '\xff'\n")
    assert "bytes.py" in refusal("bytes.py")
    Path("nul.py").write_bytes(b"x = 1\0\n")
    assert "nul.py" in refusal("nul.py")


def test_an_exception_while_it_is_imported_with_file_and_line(write):
    write("import neighbour_bad\n")
    write("def f():\n    return 1 / 0\nf()\n", "neighbour_bad.py")
    said = refusal("my.py:Mine")
    assert f"{Path('my.py').resolve()}:1: ZeroDivisionError: division by zero" in said
    assert "(import neighbour_bad)" in said
    write("x = 5\nimport no_such_package_at_all\n", "needs.py")
    assert "needs.py:2: ModuleNotFoundError: No module named 'no_such_package_at_all'" in refusal(
        "needs.py:Mine"
    )
    write("import sys\nsys.exit('not today')\n", "leaves.py")
    assert "leaves.py:2: SystemExit: not today" in refusal("leaves.py")
    write("import no_such_package_at_all\n", "packed.py")
    assert "packed.py:1: ModuleNotFoundError" in refusal("packed:Mine")


def test_what_failed_once_is_tried_again(write):
    write("1 / 0\n")
    refusal("my.py:Mine")
    write(GOOD)
    assert load_class("my.py:Mine").n == 5


def test_ctrl_c_while_it_is_imported_is_ctrl_c(write):
    write("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_class("my.py:Mine")


def test_classes_that_no_other_process_could_import():
    class Local(Strategy):
        def init(self): ...
        def next(self): ...

    assert importable_path(Local) is None
    assert checked_class(Local, "Local") is Local
    made = type("Made", (Local,), {"__module__": "__main__"})
    assert importable_path(made) is None
    assert importable_path(Strategy) == "backtesting.backtesting:Strategy"


def test_a_file_of_a_package_is_named_as_part_of_it(tmp_path):
    folder = tmp_path / "mine" / "inner"
    folder.mkdir(parents=True)
    for place in (folder, folder.parent):
        (place / "__init__.py").touch()
    (folder / "child.py").write_text("from .base import Mine\n", encoding="utf-8")
    (tmp_path / "alone.py").write_text("from .base import Mine\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"child\.py:1: ImportError: .*; it is part of") as told:
        load_class(f"{folder / 'child.py'}:Child")
    assert str(told.value).endswith(f"in {tmp_path}, name it mine.inner.child:Class")
    with pytest.raises(SettingsError, match="its neighbours without dots"):
        load_class(f"{tmp_path / 'alone.py'}")
