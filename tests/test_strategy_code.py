"""A strategy's code in the fingerprint: files are really edited, each time for a fresh process."""

import json
import os
import sys
from pathlib import Path

import pytest

from bigbar.store.code_objects import value_text
from bigbar.store.strategy_code import UNFOLLOWED, strategy_code
from bigbar.strategies.find import find_strategy
from tests import commands

ROOT = Path(__file__).resolve().parents[1]

STRATEGY = """
from backtesting import Strategy
import numpy as np
import shared
from package import tools
from package.deep.inner import twice

class Cross(Strategy):
    fast = 10
    slow = 20

    def init(self):
        import lazy
        self.mean = self.I(shared.mean, self.data.Close, self.fast)

    def next(self):
        if self.mean[-1] > twice(self.slow):
            self.buy()

if __name__ == "__main__":
    import pandas as pd
    print(pd.read_csv("prices.csv"))
"""

FILES = {
    "my.py": STRATEGY,
    "shared.py": "def mean(values, n):\n    return values\n",
    "lazy.py": "LEVEL = 1\n",
    "package/__init__.py": "",
    "package/tools.py": "from . import beside\nfrom .deep import inner\n",
    "package/beside.py": "SIZE = 3\n",
    "package/deep/__init__.py": "",
    "package/deep/inner.py": "from ..below import FACTOR\n\ndef twice(n):\n    return FACTOR * n\n",
    "package/below.py": "FACTOR = 2\n",
    "unrelated.py": "OTHER = 1\n",
}

SCRIPT = """
import json, sys
from bigbar.spec import StrategySpec
from bigbar.store.strategy_code import strategy_code
from bigbar.strategies.find import find_strategy
spec = find_strategy(sys.argv[1])
found, again = strategy_code(spec), strategy_code(spec)
print(json.dumps([found.name, found.parts, found.packages, found.problem, again.parts]))
"""


def write(folder: Path) -> Path:
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path)


@pytest.fixture(scope="module")
def unedited(tmp_path_factory: pytest.TempPathFactory) -> list:
    """Of the project as it is: name, digests, packages, problem, and the digests once more."""
    return python(write(tmp_path_factory.mktemp("unedited")), SCRIPT, "my.py:Cross")


def python(folder: Path, script: str, *arguments: str) -> list:
    """What a script prints as JSON, in a process of its own."""
    done = commands.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def followed(folder: Path, path: str = "my.py:Cross") -> tuple[dict, str | None]:
    """Digests of a strategy's code, by a fresh process, and why it cannot be followed."""
    _, parts, _, problem, _ = python(folder, SCRIPT, path)
    return parts, problem


def changed(one: dict, other: dict) -> set[str]:
    return {name for name in {**one, **other} if one.get(name) != other.get(name)}


def test_what_it_is_built_on(project, unedited):
    name, parts, packages, problem, _ = unedited
    assert (name, problem) == ("Cross", None)
    assert set(parts) == {
        "my.py", "shared", "lazy", "package", "package.tools", "package.beside", "package.deep",
        "package.deep.inner", "package.below", ".fast", ".slow",
    }  # fmt: skip
    assert {"backtesting", "numpy"} <= set(packages)
    assert followed(project)[0] == parts


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("my.py", "my.py"), ("shared.py", "shared"), ("lazy.py", "lazy"),
        ("package/__init__.py", "package"), ("package/beside.py", "package.beside"),
        ("package/below.py", "package.below"),
    ],
)  # fmt: skip
def test_an_edit_is_noticed_and_named(project, unedited, file, name):
    with open(project / file, "a") as edited:
        edited.write("MORE = 1\n")
    assert changed(unedited[1], followed(project)[0]) == {name}


def test_what_it_does_not_import_does_not_count(project, unedited):
    (project / "unrelated.py").write_text("OTHER = 2\n")
    assert followed(project)[0] == unedited[1]


def test_the_place_of_the_project_does_not_count(project, unedited):
    moved = write(project / "elsewhere")
    assert followed(moved)[0] == unedited[1]
    assert followed(moved, "my:Cross")[0].keys() == {*unedited[1]} - {"my.py"} | {"my"}


def test_a_base_in_another_module_counts(project):
    (project / "child.py").write_text("import my\n\nclass Child(my.Cross):\n    fast = 5\n")
    before, problem = followed(project, "child.py:Child")
    assert problem is None
    assert {"child.py", "my", "shared"} <= set(before)
    (project / "my.py").write_text(STRATEGY.replace("self.buy()", "self.sell()"))
    assert changed(before, followed(project, "child.py:Child")[0]) == {"my"}


def test_a_module_that_was_not_there_counts_when_it_is(project):
    with open(project / "my.py", "a") as file:
        file.write("try:\n    import perhaps\nexcept ImportError:\n    perhaps = None\n")
    before, problem = followed(project)
    assert (before["perhaps"], problem) == ("not there", None)
    (project / "perhaps.py").write_text("")
    assert changed(before, followed(project)[0]) == {"perhaps"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("TABLE = open('levels.txt').read() if False else ''", "reads what is not in the bars"),
        ("def levels(): return np.load('x.npy')", "reads what is not in the bars (np.load)"),
        ("import requests", "reads what is not in the bars (requests)"),
        ("import os\nHOME = os.environ.get('X')", "(environ)"),
        ("import time\ndef age(): return time.time()", "asks for what changes (time.time)"),
        ("from datetime import datetime\nNOW = datetime.now()", "(datetime.now)"),
        ("NOISE = np.random.rand()", "by chance, without a seed (np.random.rand)"),
        ("RNG = np.random.default_rng()", "without a seed (np.random.default_rng)"),
        ("import importlib\nX = importlib.import_module('sha' + 'red')", "only a run will tell"),
    ],
)
def test_what_cannot_be_known_is_never_the_same_twice(project, line, said):
    (project / "shared.py").write_text(f"import numpy as np\n{FILES['shared.py']}{line}\n")
    if "requests" in line:
        (project / "requests.py").write_text("")
    _, one, _, problem, again = python(project, SCRIPT, "my.py:Cross")
    assert problem.startswith("shared line ")
    assert said in problem
    assert changed(one, again) == {UNFOLLOWED}


@pytest.mark.parametrize(
    "line",
    [
        "RNG = np.random.default_rng(7)",
        "import random\nrandom.seed(3)\nX = random.random()",
        "import importlib\nX = importlib.import_module('lazy')",
        "if __name__ == '__main__':\n    open('prices.csv')",
    ],
)
def test_what_answers_the_same_each_time_is_followed(project, line):
    (project / "shared.py").write_text(f"import numpy as np\n{FILES['shared.py']}{line}\n")
    _, one, _, problem, again = python(project, SCRIPT, "my.py:Cross")
    assert problem is None
    assert one == again


def test_a_file_that_was_edited_after_its_import_is_not_followed(project):
    """What runs is the code of before: its rows are not those of the file as it is now."""
    script = """
import json, pathlib
from bigbar.store.strategy_code import strategy_code
from bigbar.strategies.find import find_strategy
spec = find_strategy("my.py:Cross")
spec.strategy
before = strategy_code(spec)
file = pathlib.Path("{file}.py")
file.write_text(file.read_text().replace("{old}", "{new}"))
print(json.dumps([before.problem, strategy_code(spec).problem]))
"""
    edit = script.format(file="my", old="self.buy()", new="self.sell()")
    assert python(project, edit) == [None, "my.py was edited after it had been imported"]
    edit = script.format(file="shared", old="return values", new="return 2 * values")
    assert python(project, edit)[1] == "shared was edited after it had been imported"


def test_attributes_count_as_they_are_now(project):
    script = """
import json, my
from bigbar.spec import StrategySpec
from bigbar.store.strategy_code import strategy_code
spec = StrategySpec.of(my.Cross)
found = [strategy_code(spec).parts]
my.Cross.fast = 11
found.append(strategy_code(spec).parts)
my.Cross.next = lambda self: None
found.append(strategy_code(spec).parts)
print(json.dumps(found))
"""
    (project / "my.py").write_text(STRATEGY)
    first, second, third = python(project, script)
    assert changed(first, second) == {".fast"}
    assert changed(second, third) == {"Cross.next"}


# ------------------------------------------------------------------- without a file of its own

NOTEBOOK = """
import json, sys
from backtesting import Strategy
from bigbar.spec import StrategySpec
from bigbar.store.strategy_code import strategy_code
import shared

LEVEL = {level}
data = object()  # Of the notebook: no code looks at it.

def above(value):
    return value > LEVEL

class Typed(Strategy):
    n = 3
    def init(self):
        self.x = self.I(shared.mean, self.data.Close, self.n)
    def next(self):
        if above(self.x[-1]):
            self.{order}()

found = strategy_code(StrategySpec.of(Typed))
print(json.dumps([found.parts, found.problem]))
"""


def test_a_notebooks_class_by_what_it_is_compiled_to(project):
    def told(level: int = 1, order: str = "buy") -> list:
        return python(project, NOTEBOOK.format(level=level, order=order))

    first, problem = told()
    assert problem is None
    assert {"Typed", "shared", ".n"} == set(first)
    assert told()[0] == first
    assert changed(first, told(level=2)[0]) == {"Typed"}
    assert changed(first, told(order="sell")[0]) == {"Typed"}
    (project / "shared.py").write_text(FILES["shared.py"] + "# edited\n")
    assert changed(first, told()[0]) == {"shared"}


def test_a_notebooks_class_that_reads_a_file(project):
    script = NOTEBOOK.format(level="'1'", order="buy").replace(
        "return value > LEVEL", "return open(LEVEL)"
    )
    first, problem = python(project, script)
    assert "reads what is not in the bars (open)" in problem
    assert changed(first, python(project, script)[0]) == {UNFOLLOWED}


MADE = """
from backtesting import Strategy

def made(level):
    class Made(Strategy):
        def init(self):
            pass
        def next(self):
            if self.data.Close[-1] > level:
                self.buy()
    return Made

class Odd(made(1)):
    thing = object()
"""


def test_what_a_class_closes_over_counts(project):
    (project / "makes.py").write_text(MADE)
    script = """
import json, makes
from bigbar.spec import StrategySpec
from bigbar.store.strategy_code import strategy_code
kinds = [makes.made(1), makes.made(1), makes.made(2), makes.Odd, makes.Odd]
found = [strategy_code(StrategySpec.of(kind)) for kind in kinds]
print(json.dumps([[one.parts, one.problem] for one in found]))
"""
    (one, problem), (again, _), (other, _), (odd, said), (odd_again, _) = python(project, script)
    assert problem is None
    assert one == again
    assert changed(one, other) == {"made.<locals>.Made"}
    assert said == "the value of thing cannot be told apart from another"
    assert changed(odd, odd_again) == {UNFOLLOWED}


@pytest.mark.parametrize("name", ["big_bar", "sma_cross"])
def test_one_that_comes_along_counts_by_the_programs_own_sources(name):
    found = strategy_code(find_strategy(name))
    assert (found.parts, found.packages, found.problem) == ({}, {}, None)


def test_values_as_text():
    import numpy as np
    import pandas as pd

    values = [
        1, 1.0, True, "1", b"1", None, [1], (1,), {1}, {1: 2}, [1, [2]], np.arange(3),
        np.arange(3.0), np.array(["a", None], object), pd.Series([1, 2]), pd.Series([1, 3]),
        pd.Series([1, 2], name="x"), pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]}),
        pd.Index([1, 2]), 1j, range(3),
    ]  # fmt: skip
    texts = [value_text(value) for value in values]
    assert None not in texts
    assert len(set(texts)) == len(texts)
    assert value_text({"b", "a", "c"}) == value_text({"c", "a", "b"})
    assert value_text(object()) is value_text([object()]) is value_text({1: object()}) is None
