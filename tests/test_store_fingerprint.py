"""The fingerprint: the same for the same numbers, another for what could change them."""

import ast
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_run import small_bars
from store_tools import AXES, identity
from test_layers import MODULES

from bigbar.account import Account
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES
from bigbar.job import Job
from bigbar.spec import StrategySpec
from bigbar.store import fingerprint
from bigbar.store.fingerprint import (
    _FOLDERS,
    _SOURCES,
    PARTS,
    Identity,
    bars_sha256,
    canonical,
    identity_of,
    sources_sha256,
)
from bigbar.store.points import grid_of
from bigbar.strategies.big_bar.description import BigBar, job_of
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.strategies.find import find_strategy

ROOT = Path(__file__).resolve().parents[1]

#: What the engines import besides: the words of errors, and how a strategy's class gets to where it
#: is run, whose own code counts by itself.
NO_NUMBERS = {
    "errors.py", "causes.py", "printable.py", "from_source.py", "user_code.py", "by_value.py",
}  # fmt: skip


def job(**changes) -> Job:
    given = {"settings": Settings(), "engine": "backtesting", "grid": grid_with(**AXES)}
    return job_of(**given | changes)


def test_the_same_for_the_same():
    one, other = (identity_of(small_bars().frame.copy(), job()) for _ in range(2))
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == len(one.context) == len(one.bars_sha256) == 64
    assert tuple(one.parts) == PARTS
    assert one.differences(other) == []


@pytest.mark.slow
def test_the_same_in_another_process():
    line = [sys.executable, "-c", "import store_tools; print(store_tools.identity().fingerprint)"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == identity().fingerprint


def test_it_survives_the_file():
    found = identity()
    again = Identity(json.loads(canonical(found.parts)))
    assert again.fingerprint == found.fingerprint
    assert again.grid() == found.grid()


def test_numbers_given_as_whole_ones_are_the_same():
    one = identity_of(small_bars().frame, job(settings=Settings(big_bar_account(cash=5000))))
    other = identity_of(small_bars().frame, job(settings=Settings(big_bar_account(cash=5000.0))))
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"settings": Settings(big_bar_account(cash=99_999.0))}, "cash or costs"),
        ({"settings": Settings(big_bar_account(commission=1e-4))}, "cash or costs"),
        ({"settings": Settings(big_bar_account(commission=(0.0, 1e-4)))}, "cash or costs"),
        ({"settings": Settings(big_bar_account(spread=1e-5))}, "cash or costs"),
        ({"settings": Settings(big_bar_account(margin=0.5))}, "cash or costs"),
        ({"settings": Settings(week_edge_bars=5)}, "the strategy's settings (--week-edge-bars)"),
        ({"engine": "compiled"}, "the engine"),
        ({"span": (20, 300)}, "which bars take part (the longest ATR period, --holdout)"),
    ],
)
def test_settings_that_change_numbers_change_both_digests(changed, part):
    one, other = identity(), identity_of(small_bars().frame, job(**changed))
    assert one.fingerprint != other.fingerprint
    assert one.context != other.context
    assert one.differences(other) == [part]


@pytest.mark.parametrize("axes", [{"k_atr": (1.0, 1.5)}, {"atr_period": (11, 20)}])
def test_another_grid_changes_the_fingerprint_alone(axes):
    one, other = identity(), identity(**axes)
    assert one.fingerprint != other.fingerprint
    assert one.context == other.context
    assert one.differences(other) == ["the grid"]


def test_one_bit_of_an_axis_counts():
    values = (1.0, 1.5, 2.0, float(np.nextafter(2.5, 3)))
    assert identity(k_atr=values).fingerprint != identity().fingerprint


def test_the_longest_period_decides_which_bars_take_part():
    one, other = identity(), identity(atr_period=(10, 15, 21))
    assert one.context != other.context
    assert one.differences(other)[0].startswith("which bars")


@pytest.mark.parametrize("name", ["sources", "packages", "machine", "statistics"])
def test_code_and_versions_count(name):
    one = identity()
    other = Identity(one.parts | {name: "something else"})
    assert one.fingerprint != other.fingerprint
    assert one.context != other.context
    assert len(one.differences(other)) == 1


# ---------------------------------------------------------------------------------------- bars


def changed_bars(change) -> str:
    frame = small_bars().frame.copy()
    return bars_sha256(change(frame))


@pytest.mark.parametrize("column", ["Open", "High", "Low", "Close", "Volume"])
def test_one_bit_of_the_bars_counts(column):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[-1], column] = np.nextafter(frame[column].iloc[-1], np.inf)
        return frame

    assert changed_bars(change) != changed_bars(lambda frame: frame)


def test_times_and_their_zone_count():
    digests = {
        changed_bars(lambda frame: frame),
        changed_bars(lambda frame: frame.tz_localize("UTC")),
        changed_bars(lambda frame: frame.tz_localize("America/New_York")),
        changed_bars(lambda frame: frame.shift(1, freq="h")),
        changed_bars(lambda frame: frame.iloc[:-1]),
    }
    assert len(digests) == 5


def test_columns_of_whatever_kind_count():
    lists = [[1], {"a": 2}] * 200

    def with_column(values: list) -> str:
        return changed_bars(lambda frame: frame.assign(Kind=values))

    plain = changed_bars(lambda frame: frame)
    assert with_column(lists) == with_column(list(lists)) != plain
    assert with_column([[1], {"a": 3}] * 200) != with_column(lists)
    assert with_column([object()] * 400) != plain


def test_the_unit_of_the_times_does_not_count():
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.set_axis(pd.DatetimeIndex(frame.index).as_unit("us"))

    assert changed_bars(change) == changed_bars(lambda frame: frame)


# ------------------------------------------------------------------------------------- sources


ENGINE_NAMES = "compiled", "backtesting"


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    """What a process has read of its sources, it does not read again."""
    yield
    fingerprint._common_sources.cache_clear()


def sources() -> tuple[str, ...]:
    """Digest of BigBar's sources, by either engine, as a process finds them that begins now."""
    fingerprint._common_sources.cache_clear()
    return tuple(sources_sha256(job(engine=name)) for name in ENGINE_NAMES)


@pytest.mark.parametrize(
    "name",
    [
        "space.py", "engines/contract.py", "engines/any_strategy/statistics.py", "compiled/jit.py",
        "strategies/big_bar/strategy.py", "strategies/big_bar/indicators.py",
        "strategies/big_bar/trade_selection.py",
    ],
)  # fmt: skip
def test_an_edit_of_the_code_counts(tmp_path, monkeypatch, name):
    shutil.copytree(ROOT / "bigbar", tmp_path / "bigbar", ignore=lambda *_: ["__pycache__"])
    monkeypatch.setattr(fingerprint, "_HERE", tmp_path / "bigbar")
    before = sources()
    assert before == sources()
    file = tmp_path / "bigbar" / name
    file.write_text(file.read_text() + "\n# changed\n")
    assert all(one != other for one, other in zip(before, sources(), strict=True))


def test_a_strategy_that_comes_along_counts_with_its_file(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "bigbar", tmp_path / "bigbar", ignore=lambda *_: ["__pycache__"])
    monkeypatch.setattr(fingerprint, "_HERE", tmp_path / "bigbar")
    spec = find_strategy("sma_cross")
    other = Job(spec, spec.space({"fast": [5]}), spec.default_account(), "backtesting")
    before = sources_sha256(other), sources()
    file = tmp_path / "bigbar" / "strategies" / "sma_cross.py"
    file.write_text(file.read_text() + "\n# changed\n")
    assert sources_sha256(other) != before[0]
    assert sources() == before[1]


def test_an_engine_from_elsewhere_counts_with_its_file(tmp_path, monkeypatch):
    script = tmp_path / "elsewhere.py"
    script.write_text("class Engine: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import elsewhere

    monkeypatch.setitem(ENGINES, "elsewhere", EngineKind(elsewhere.Engine, sample_slice=1))
    before = sources_sha256(job(engine="elsewhere"))
    assert before == sources_sha256(job(engine="elsewhere"))
    script.write_text("class Engine: ...\n")
    assert sources_sha256(job(engine="elsewhere")) != before


def test_an_engine_without_a_file_is_like_no_other(monkeypatch):
    space = {"__name__": "nowhere"}
    exec("class Engine: pass", space)
    monkeypatch.setitem(ENGINES, "typed", EngineKind(space["Engine"], sample_slice=1))
    assert sources_sha256(job(engine="typed")) != sources_sha256(job(engine="typed"))


def built_on(module: str) -> set[str]:
    """Modules that another one imports when it runs; not those that are named for types alone."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & (set(MODULES) - {"bigbar"})


def test_all_sources_that_make_the_numbers_count():
    """Whatever the engines build on, but for what makes no number."""
    reached = set()
    left = {name for name in MODULES if name.split(".")[1:2] in (["engines"], ["compiled"])}
    while left:
        module = left.pop()
        reached.add(module)
        left |= built_on(module) - reached
    names = {"/".join(module.split(".")[1:]) + ".py" for module in reached}
    rest = {
        name for name in names if name.split("/")[0] not in (*_FOLDERS, "compiled.py", "engines.py")
    }
    assert rest - NO_NUMBERS == set(_SOURCES)


def test_everything_that_decides_the_numbers_counts():
    """A field more in one of these has to become part of the identity first."""
    known = {
        Job: {"spec", "space", "account", "engine", "span"},
        StrategySpec: {"path", "by_value"},
        BigBar: {"path", "by_value", "week_edge_bars"},
        Account: {
            "cash", "commission", "spread", "margin", "trade_on_close", "hedging",
            "exclusive_orders", "finalize_trades",
        },
    }  # fmt: skip
    for kind, names in known.items():
        assert {field.name for field in dataclasses.fields(kind)} == names


# -------------------------------------------------------------------------------------- parts


def test_canonical_text_is_one_and_exact():
    assert canonical({"b": 0.1, "a": [1, 1e300]}) == '{"a":[1,1e+300],"b":0.1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))


def grid(**changes) -> dict:
    """The parts of a grid, some of them changed."""
    whole = {"order": ["fast", "slow"], "values": {"fast": [1, 2], "slow": [3]}, "kept": None}
    return whole | changes


@pytest.mark.parametrize(
    "parts",
    [
        None, [], {}, {"order": []}, {"k_atr": [1.0]}, grid() | {"more": 1}, grid(order=None),
        grid(order=["fast"]), grid(order=["fast", "other"]), grid(values=[]), grid(order="fs"),
        grid(values={"fast": 1, "slow": [3]}), grid(values={"fast": [[1]], "slow": [3]}),
        grid(kept="!"), grid(kept=3), grid(kept=""), grid(kept="eJxjAAAAAQAB"),
        grid(kept="eJz7DwABAQEA"),
    ],
)  # fmt: skip
def test_parts_that_hold_no_grid(parts):
    with pytest.raises(ValueError, match=r"^no (parameters|values|points) of a (grid|parameter)"):
        grid_of({"grid": parts})


def test_the_parts_of_a_whole_grid_hold_one():
    assert [dict(point) for point in grid_of({"grid": grid()})] == [
        {"fast": 1, "slow": 3}, {"fast": 2, "slow": 3},
    ]  # fmt: skip
