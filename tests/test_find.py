"""Strategies by name: those that come along, those that installed packages bring."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bigbar.__main__ import main
from bigbar.errors import SettingsError
from bigbar.spec import StrategySpec
from bigbar.strategies.big_bar.description import BigBar
from bigbar.strategies.find import BUILT_IN, described, find_strategy, known_strategies
from bigbar.strategies.sma_cross import SmaCross

ROOT = Path(__file__).resolve().parents[1]

MODULE = """
from dataclasses import dataclass
from backtesting import Strategy
from bigbar.spec import StrategySpec

class Weekly(Strategy):
    '''Every Monday.'''
    day = 0
    def init(self): pass
    def next(self): pass

@dataclass(frozen=True)
class WithMore(StrategySpec):
    lag: int = 3

    @property
    def strategy(self): return Weekly

    @property
    def settings(self): return {"lag": self.lag}

NUMBER = 5
"""

ENTRIES = """
[bigbar.strategies]
weekly = tiny_strategies:Weekly
weekly_more = tiny_strategies:WithMore
broken = tiny_strategies_broken:Broken
gone = tiny_strategies:Gone
number = tiny_strategies:NUMBER
sma_cross = tiny_strategies:Weekly
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A tiny distribution, installed as `pip install --target` would."""
    site = tmp_path / "site"
    info = site / "tiny_strategies-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-strategies\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (site / "tiny_strategies.py").write_text(MODULE)
    (site / "tiny_strategies_broken.py").write_text("import no_such_package_at_all\n")
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    yield site
    for name in ("tiny_strategies", "tiny_strategies_broken"):
        sys.modules.pop(name, None)


def test_those_that_come_along():
    assert find_strategy("big_bar") == BigBar()
    assert find_strategy("sma_cross") == StrategySpec.of(SmaCross)
    assert set(BUILT_IN) <= set(known_strategies())
    for name in BUILT_IN:
        spec = find_strategy(name)
        assert spec.attributes
        assert spec.strategy.__doc__


def test_those_that_a_package_brings(installed):
    found = known_strategies()["weekly"]
    assert (found.path, found.brought_by) == ("tiny_strategies:Weekly", "tiny-strategies")
    assert find_strategy("weekly").path == "tiny_strategies:Weekly"
    assert find_strategy("weekly").attributes == {"day": 0}
    assert find_strategy("weekly_more").settings == {"lag": 3}
    assert described("weekly_more", {"lag": 5}).settings == {"lag": 5}
    with pytest.raises(TypeError, match="no_such"):
        described("weekly_more", {"no_such": 5})


@pytest.mark.parametrize("name", ["path", "by_value"])
def test_a_stored_setting_does_not_name_other_code(name, tmp_path):
    evil = tmp_path / "evil.py"
    evil.write_text("raise SystemExit('run')\n", encoding="utf-8")
    with pytest.raises(TypeError, match=f"big_bar has no setting '{name}'"):
        described("big_bar", {name: f"{evil}:X"})
    assert described("big_bar", {"week_edge_bars": 3}).settings == {"week_edge_bars": 3}


def test_what_comes_along_is_not_replaced(installed):
    assert find_strategy("sma_cross") == StrategySpec.of(SmaCross)


def test_those_that_are_broken_hurt_nobody_else(installed):
    with pytest.raises(SettingsError, match="'broken' of tiny_strategies_broken cannot") as caught:
        find_strategy("broken")
    assert "No module named 'no_such_package_at_all'" in str(caught.value)
    with pytest.raises(SettingsError, match="'gone' of tiny_strategies cannot be imported"):
        find_strategy("gone")
    with pytest.raises(SettingsError, match="not a class"):
        find_strategy("number")
    assert find_strategy("weekly").title == "Weekly"


def test_the_list(installed, capsys):
    assert main(["strategies"]) == 0
    told = capsys.readouterr().out.split("\n\n")
    by_name = {block.split()[0]: block.splitlines() for block in told}
    assert list(by_name) == ["big_bar", "sma_cross", "weekly", "weekly_more", "broken", "gone",
                             "number"]  # fmt: skip
    assert by_name["big_bar"][0] == "big_bar (the default)"
    assert by_name["big_bar"][2] == (
        "  atr_period=20, k_atr=2, uptail_max_ratio=0.7, previous_weight=0.1, buffer_ratio=0.01"
    )
    assert by_name["sma_cross"] == [
        "sma_cross",
        "  Long while the fast average is above the slow one, short while it is below.",
        "  fast=10, slow=30",
    ]
    assert by_name["weekly"] == ["weekly (from tiny-strategies)", "  Every Monday.", "  day=0"]
    assert "cannot be imported" in by_name["broken"][1]


def test_in_another_process(installed):
    done = subprocess.run(
        [sys.executable, "-m", "bigbar", "strategies"], cwd=installed, capture_output=True,
        text=True, check=True, env={"PYTHONPATH": f"{installed}:{ROOT}"},
    )  # fmt: skip
    assert "weekly (from tiny-strategies)" in done.stdout
    assert done.stderr == ""


def test_nobody_need_listen_to_the_list():
    """As `bigbar strategies | head -1`."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "bigbar", "strategies"], cwd=ROOT, stdout=write,
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_list_takes_no_words(capsys):
    assert main(["strategies", "--all"]) == 2
    assert "there is no option '--all'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sma_crss", "there is no strategy 'sma_crss'; did you mean 'sma_cross'?"),
        ("xyz", "there are big_bar, sma_cross."),
        ("", "there are big_bar, sma_cross."),
        ("xyz", "Or give file.py:Class or package.module:Class"),
    ],
)
def test_a_name_that_there_is_not(name, words):
    with pytest.raises(SettingsError) as caught:
        find_strategy(name)
    assert words in str(caught.value)
