"""Strategies and functions that no other process could import, under every start method."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from any_strategies import of_known_versions
from long import in_a_soak

from bigbar.by_value import ByValue, pickled_by_value
from bigbar.errors import SettingsError
from tests import commands

ROOT = Path(__file__).resolve().parents[1]
METHODS = [one for one in multiprocessing.get_all_start_methods() if one != "spawn"]

#: Where a worker knows nothing but what it is sent.
HARDEST = ("spawn",)

DEFINITIONS = """
import warnings; warnings.simplefilter("ignore")
from bigbar import Backtest  # Without the charts, which no worker has to import then.
from backtesting import Strategy
from backtesting.test import GOOG, SMA

BARS = GOOG.iloc[:120]
FACTOR = 1

class Mine(Strategy):
    fast, slow = 3, 8

    def init(self):
        self.a = self.I(SMA, self.data.Close, self.fast * FACTOR)
        self.b = self.I(SMA, self.data.Close, self.slow)

    def next(self):
        if self.a > self.b and not self.position:
            self.buy()
        elif self.a < self.b:
            self.position.close()

class Louder(Backtest):
    def run(self, **parameters):
        stats = super().run(**parameters)
        stats["SQN"] = 1000.0 + parameters["fast"]
        return stats
"""

WORK = """
    backtest = Backtest(BARS, Mine, commission=lambda size, price: abs(size) * 0.01)
    stats, heatmap = backtest.optimize(
        fast=[3, 4], slow=[8, 9], maximize=lambda stats: stats["Return [%]"] / FACTOR,
        return_heatmap=True, workers=1, start_method=METHOD, engine="backtesting")
    expected = [backtest.run(fast=fast, slow=slow)["Return [%]"]
                for fast in (3, 4) for slow in (8, 9)]
    assert heatmap.tolist() == expected, (heatmap, expected)
    assert not backtest.last.failures
    louder = Louder(BARS, Mine)
    louder.optimize(fast=[3, 4], workers=1, start_method=METHOD, engine="backtesting")
    assert louder.last.table()["SQN"].tolist() == [1003.0, 1004.0]
    print("all right")
"""


def python(*arguments: str, folder: Path, text: str | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return commands.run(
        [sys.executable, *arguments], cwd=folder, env=environment, input=text, timeout=120
    )


def check_right(done: subprocess.CompletedProcess) -> None:
    assert "all right" in done.stdout, done.stderr[-2000:]
    assert done.returncode == 0, done.stderr[-2000:]


def guarded(method: str) -> str:
    return f'{DEFINITIONS}\nif __name__ == "__main__":\n    METHOD = {method!r}{WORK}'


def plain(method: str) -> str:
    return f"{DEFINITIONS}\nMETHOD = {method!r}{textwrap.dedent(WORK)}"


@pytest.mark.parametrize("method", ["spawn", *in_a_soak(*METHODS)])
def test_a_script(method, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(guarded(method), encoding="utf-8")
    check_right(python(str(script), folder=tmp_path))


COMPILED = """
    backtest = Backtest(BARS, Mine)
    backtest.optimize(fast=[3, 4], slow=[8, 9], engine="compiled", workers=1, start_method=METHOD,
                      validate=False)
    assert backtest.last.engine_reason.startswith("compiled: 4 lines"), backtest.last.engine_reason
    print("all right")
"""


@pytest.mark.slow
@of_known_versions
@pytest.mark.parametrize("method", HARDEST)
def test_a_script_is_compiled_where_it_is_sent(method, tmp_path):
    script = tmp_path / "script.py"
    text = f'{DEFINITIONS}\nif __name__ == "__main__":\n    METHOD = {method!r}{COMPILED}'
    script.write_text(text, encoding="utf-8")
    check_right(python(str(script), folder=tmp_path))


@pytest.mark.slow
@of_known_versions
@pytest.mark.parametrize("method", HARDEST)
def test_a_notebook_is_compiled_where_it_is_sent(method, tmp_path):
    """Cells have their text in `linecache`, as IPython puts it there."""
    cells = [DEFINITIONS, f"METHOD = {method!r}", textwrap.dedent(COMPILED)]
    kernel = (
        "import __main__, sys, json, linecache\n"
        "for number, cell in enumerate(json.loads(%r)):\n"
        "    name = f'/tmp/ipykernel_1/{number}.py'\n"
        "    linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)\n"
        "    exec(compile(cell, name, 'exec'), vars(__main__))\n"
    )
    check_right(python("-", folder=tmp_path, text=kernel % json.dumps(cells)))


@pytest.mark.slow
@pytest.mark.parametrize("method", HARDEST)
def test_code_without_a_file(method, tmp_path):
    """As `python -c` and a notebook have it: `__main__` cannot be imported by anybody."""
    check_right(python("-c", plain(method), folder=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("method", HARDEST)
def test_a_notebook(method, tmp_path):
    """Cell after cell by `exec` in one namespace, read from standard input."""
    cells = [DEFINITIONS, f"METHOD = {method!r}", textwrap.dedent(WORK)]
    kernel = (
        "import __main__, sys, json\n"
        "for cell in json.loads(%r):\n"
        "    exec(compile(cell, '<ipython-input>', 'exec'), vars(__main__))\n"
    )
    check_right(python("-", folder=tmp_path, text=kernel % json.dumps(cells)))


@pytest.mark.slow
@pytest.mark.parametrize("method", HARDEST)
def test_a_class_in_a_function(method, tmp_path):
    inside = textwrap.indent(DEFINITIONS.replace("FACTOR = 1", "FACTOR = 2 - 1"), "    ")
    script = tmp_path / "script.py"
    script.write_text(
        f"def work(METHOD):{inside}{WORK}\nif __name__ == '__main__':\n    work({method!r})\n",
        encoding="utf-8",
    )
    check_right(python(str(script), folder=tmp_path))


def test_a_script_without_a_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(plain("spawn"), encoding="utf-8")
    done = python(str(script), folder=tmp_path)
    assert done.returncode != 0
    assert 'if __name__ == "__main__":' in done.stderr
    assert len(done.stderr.splitlines()) < 60


def test_what_cannot_be_sent():
    lock = threading.Lock()
    with pytest.raises(SettingsError, match=r"<lambda> cannot be sent.*put it into a file"):
        pickled_by_value(lambda: lock)


def test_a_function_by_value():
    one = ByValue(lambda a, b=2: a + b)
    sent = pickle.loads(pickle.dumps(one))
    assert sent(3) == 5
    assert sent(3, b=4) == 7
    assert sent.__name__ == "<lambda>"
    assert one == ByValue(one.function)
    assert hash(one) == hash(ByValue(one.function))
    assert one != one.function
