"""The fingerprint: the same for the same numbers, another for what could change them."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_run import small_bars
from store_tools import AXES, identity
from test_layers import IMPORTS

from bigbar.account import Account, Settings
from bigbar.engines.contract import ENGINES, EngineKind, Job
from bigbar.space import Grid
from bigbar.store import fingerprint
from bigbar.store.fingerprint import (
    _FOLDERS,
    _SOURCES,
    PARTS,
    Identity,
    bars_sha256,
    canonical,
    grid_of,
    identity_of,
    sources_sha256,
)

ROOT = Path(__file__).resolve().parents[1]


def job(**changes) -> Job:
    given = {"settings": Settings(), "engine": "backtesting", "grid": Grid.from_values(**AXES)}
    return Job(**given | changes)


def test_the_same_for_the_same():
    one, other = (identity_of(small_bars().frame.copy(), job()) for _ in range(2))
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == len(one.context) == len(one.bars_sha256) == 64
    assert tuple(one.parts) == PARTS
    assert one.differences(other) == []


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
    one = identity_of(small_bars().frame, job(settings=Settings(Account(cash=5000))))
    other = identity_of(small_bars().frame, job(settings=Settings(Account(cash=5000.0))))
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"settings": Settings(Account(cash=99_999.0))}, "cash or costs"),
        ({"settings": Settings(Account(commission=1e-4))}, "cash or costs"),
        ({"settings": Settings(Account(commission=(0.0, 1e-4)))}, "cash or costs"),
        ({"settings": Settings(Account(spread=1e-5))}, "cash or costs"),
        ({"settings": Settings(Account(margin=0.5))}, "cash or costs"),
        ({"settings": Settings(week_edge_bars=5)}, "--week-edge-bars"),
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


def test_the_unit_of_the_times_does_not_count():
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.set_axis(pd.DatetimeIndex(frame.index).as_unit("us"))

    assert changed_bars(change) == changed_bars(lambda frame: frame)


# ------------------------------------------------------------------------------------- sources


@pytest.mark.parametrize(
    "name",
    ["strategy.py", "indicators.py", "engines.py", "kernel/hop.py", "any_strategy/statistics.py"],
)
def test_an_edit_of_the_code_counts(tmp_path, monkeypatch, name):
    for folder in ("", *_FOLDERS):
        (tmp_path / folder).mkdir(exist_ok=True)
        for source in (ROOT / "bigbar" / folder).glob("*.py"):
            (tmp_path / folder / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(fingerprint, "_HERE", tmp_path)
    before = sources_sha256("compiled"), sources_sha256("backtesting")
    assert before == (sources_sha256("compiled"), sources_sha256("backtesting"))
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\n# changed\n")
    after = sources_sha256("compiled"), sources_sha256("backtesting")
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_an_engine_from_elsewhere_counts_with_its_file(tmp_path, monkeypatch):
    script = tmp_path / "elsewhere.py"
    script.write_text("class Engine: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import elsewhere

    monkeypatch.setitem(ENGINES, "elsewhere", EngineKind(elsewhere.Engine, sample_slice=1))
    before = sources_sha256("elsewhere")
    assert before == sources_sha256("elsewhere")
    script.write_text("class Engine: ...\n")
    assert sources_sha256("elsewhere") != before


def test_an_engine_without_a_file_is_like_no_other(monkeypatch):
    space = {"__name__": "nowhere"}
    exec("class Engine: pass", space)
    monkeypatch.setitem(ENGINES, "typed", EngineKind(space["Engine"], sample_slice=1))
    assert sources_sha256("typed") != sources_sha256("typed")


def test_all_sources_that_make_the_numbers_count():
    """Whatever the engines build on, but for the words of errors."""
    reached, left = set(), {"bigbar.engines.contract"}
    while left:
        module = left.pop()
        reached.add(module)
        left |= IMPORTS[module] - reached
    names = {module.removeprefix("bigbar.") for module in reached}
    rest = {name for name in names if name.split(".")[0] not in _FOLDERS}
    assert rest - {"errors", "printable"} == set(_SOURCES)


def test_everything_that_decides_the_numbers_counts():
    """A field more in one of these has to become part of the identity first."""
    known = {
        Job: {"grid", "settings", "engine", "span"},
        Settings: {"account", "week_edge_bars"},
        Account: {"cash", "commission", "spread", "margin"},
    }
    for kind, names in known.items():
        assert {field.name for field in dataclasses.fields(kind)} == names


# -------------------------------------------------------------------------------------- parts


def test_canonical_text_is_one_and_exact():
    assert canonical({"b": 0.1, "a": [1, 1e300]}) == '{"a":[1,1e+300],"b":0.1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))


@pytest.mark.parametrize(
    "grid",
    [None, [], {}, {"k_atr": [1.0]}, {**{name: [1.0] for name in AXES}, "more": [1.0]},
     dict.fromkeys(AXES, "1"), {name: ["1"] for name in AXES}, {name: [True] for name in AXES}],
)  # fmt: skip
def test_parts_that_hold_no_grid(grid):
    with pytest.raises(ValueError, match=r"axes|axis"):
        grid_of({"grid": grid})
