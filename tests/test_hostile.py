"""Hostile values for every parameter: what makes no sense is refused, what is reasonable works."""

from __future__ import annotations

import decimal
import fractions
import inspect
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_run import AXES, small_bars

import bigbar
import bigbar_multiprocessing_optimized as program
from bigbar.errors import BigBarError, DataError, SettingsError
from bigbar.machine.other_programs import MOST_WORKERS
from bigbar.progress.events import Listener
from bigbar.report.files import summary
from bigbar.strategies.big_bar.description import BigBar
from bigbar.strategies.big_bar.parameters import DEFAULT_GRID

SMALL = {**AXES, "engine": "backtesting", "workers": 1, "verify": 0, "validate": False}


class Hostile:
    """Nothing that can be asked of it goes well."""

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("hostile")

    __repr__ = __str__ = __float__ = __int__ = __index__ = __len__ = __bool__ = _refuse
    __lt__ = __gt__ = __le__ = __ge__ = _refuse


#: Of no use for any parameter but one that takes it by name below.
VALUES: dict[str, Callable[[], object]] = {
    "text": lambda: "1e5",
    "empty text": lambda: "",
    "bytes": lambda: b"5",
    "nul": lambda: "a\0b",
    "minus": lambda: -1,
    "zero": lambda: 0,
    "huge": lambda: 10**400,
    "large": lambda: 2**63,
    "half": lambda: 0.5,
    "nan": lambda: float("nan"),
    "infinity": lambda: np.inf,
    "minus infinity": lambda: -np.float64("inf"),
    "decimal nan": lambda: decimal.Decimal("sNaN"),
    "complex": lambda: 1 + 2j,
    "none": lambda: None,
    "true": lambda: True,
    "numpy true": lambda: np.bool_(True),
    "list": lambda: [1, "2"],
    "nested": lambda: [[1, 2], [3]],
    "empty": list,
    "nones": lambda: (None, None),
    "set": lambda: {"a"},
    "dict": lambda: {"a": 1},
    "generator": lambda: (text for text in "ab"),
    "endless": lambda: itertools.count(),
    "array": lambda: np.array(["a"]),
    "matrix": lambda: np.ones((2, 2)),
    "array of nothing": lambda: np.array(None),
    "time": lambda: pd.Timestamp("2024-01-01"),
    "no time": lambda: pd.NaT,
    "numpy time": lambda: np.datetime64("2024-01-01"),
    "duration": lambda: pd.Timedelta("1h"),
    "missing": lambda: pd.NA,
    "frame": lambda: pd.DataFrame({"a": [1]}),
    "series": lambda: pd.Series(["a"]),
    "path": lambda: Path("/"),
    "function": lambda: len,
    "class": lambda: Listener,
    "object": object,
    "hostile": Hostile,
    "escape": lambda: "\x1b[2J",
}

AXIS = ("zero", "half", "none", "text", "large")
FLAG = ("zero", "true", "numpy true")

#: What works all the same, by parameter.
WORKS: dict[str, tuple[str, ...]] = {
    "columns": ("none",),
    "time_format": ("none",),
    "time_zone": ("none",),
    "date_order": ("none",),
    "strategy": ("none",),
    "method": ("none",),
    "max_tries": ("none",),
    "cluster": ("none",),
    "cluster_wait": ("none",),
    "maximize": ("function", "class"),
    "min_trades": ("zero",),
    "atr_period": ("none", "text", "large"),
    "k_atr": AXIS,
    "uptail_max_ratio": AXIS,
    "previous_weight": (*AXIS, "minus"),
    "buffer_ratio": (*AXIS, "minus"),
    "constraint": ("none", "text", "function"),
    "cash": ("none", "large", "half"),
    "commission": ("zero", "function", "class"),
    "spread": ("zero", "half"),
    "margin": ("half",),
    "trade_on_close": ("none", "true", "numpy true"),  # BigBar's, and nothing else.
    "hedging": ("none", "zero"),
    "exclusive_orders": ("none", "zero"),
    "finalize_trades": ("none", "zero"),
    "week_edge_bars": ("zero",),
    "engine": ("none",),
    "workers": ("none",),
    "min_workers": ("none",),
    "max_workers": ("none",),
    "timeout_per_backtest": ("none", "half", "large"),
    "max_memory": ("none", "large"),
    "start_method": ("none",),
    "verify": ("zero", "none"),
    "validate": FLAG,
    "holdout": ("none", "half"),
    "choose": (),
    "thorough": FLAG,
    "walk_forward": ("zero",),
    "anchored": ("zero",),
    "walk_forward_matrix": FLAG,
    "seed": ("zero",),
    "store": ("none", "text", "bytes", "path", "escape"),
    "fresh": FLAG,
    "progress": FLAG,
    "keep": (),
    "listener": ("none",),
}


#: Every parameter of `bigbar.optimize` but the bars, those of BigBar among them.
PARAMETERS = [
    name
    for name in inspect.signature(bigbar.optimize).parameters
    if name not in ("data", "parameters")
] + [*DEFAULT_GRID, *BigBar().settings]


def test_every_parameter_is_tried():
    assert sorted(WORKS) == sorted(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter(name, monkeypatch, tmp_path):
    """Settings are looked at before the bars, so what is accepted ends at a file that is not."""
    monkeypatch.chdir(tmp_path)
    accepted = []
    for what, make in VALUES.items():
        with pytest.raises((SettingsError, DataError)) as caught:
            bigbar.optimize("there is no such file.csv", **SMALL | {name: make()})
        assert str(caught.value).isprintable(), what
        if isinstance(caught.value, DataError):
            accepted.append(what)
    assert sorted(accepted) == sorted(WORKS[name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", VALUES)
def test_the_bars(what):
    with pytest.raises(DataError):
        bigbar.optimize(VALUES[what](), **SMALL)


@pytest.mark.parametrize("with_data", [{}, {"Volume": ["a"] * 400}, {"Open": [None] * 400}])
def test_frames_with_wrong_columns(with_data):
    frame = small_bars().frame.assign(**with_data)
    if "Open" in with_data:
        with pytest.raises(DataError):
            bigbar.optimize(frame, **SMALL)
    else:
        assert len(bigbar.optimize(frame, **SMALL)) == 12


# --------------------------------------------------------------------------- what is reasonable


@pytest.mark.slow
def test_numbers_of_any_kind_give_the_same_run(tmp_path):
    bars = small_bars().frame
    plain = bigbar.optimize(bars, **SMALL | {"verify": 1}, cash=50_000.0, spread=0.0001, seed=3)
    kinds = bigbar.optimize(
        bars,
        engine=np.str_("backtesting"),
        workers=np.int64(1),
        verify=np.uint8(1),
        validate=np.bool_(False),
        atr_period=np.array([20, 10], dtype=np.int32),
        k_atr=(decimal.Decimal(text) for text in ("9", "0.8", "1.1", "1.1")),
        uptail_max_ratio=fractions.Fraction(7, 10),
        previous_weight={0.4, 0.1},
        buffer_ratio=pd.Series([0.01]),
        cash=decimal.Decimal(50_000),
        commission=[np.int8(0), np.float64(0)],
        spread=np.float64(0.0001),
        margin=np.int64(1),
        week_edge_bars=6.0,
        min_trades=np.int64(1),
        max_memory=np.float64(8e9),
        timeout_per_backtest=np.int64(60),
        walk_forward=np.int64(0),
        seed=np.uint32(3),
        store=tmp_path,
    )
    assert kinds.result_sha256 == plain.result_sha256
    assert kinds.outcome.identity.fingerprint == plain.outcome.identity.fingerprint
    assert kinds.best_parameters == plain.best_parameters
    json.dumps(summary(kinds.outcome), allow_nan=False)


def test_more_workers_than_any_machine_has():
    for name in ("workers", "max_workers"):
        more = {"workers": "auto"} | {name: MOST_WORKERS + 1}
        with pytest.raises(SettingsError, match="at most 1,024"):
            bigbar.optimize(small_bars().frame, **SMALL | more)


def test_a_listener_needs_all_methods():
    class Deaf:
        def event(self, what: str) -> None:
            raise AssertionError

    with pytest.raises(SettingsError, match="or have all its methods"):
        bigbar.optimize(small_bars().frame, **SMALL, listener=Deaf())


# -------------------------------------------------------------------- the documented functions

SHARED = ("bigbar_1_0123456789ab", (6, 400), np.float64, "bigbar_1_ba9876543210")

FUNCTIONS: dict[str, tuple[Callable[..., object], tuple[object, ...]]] = {
    "load_data": (program.load_data, (None,)),
    "estimate_backtest_duration": (program.estimate_backtest_duration, (None, 1)),
    "parallel": (program.parallel_optimize_strategy_shared, ("no such file.csv", 1, False)),
    "chunk_size": (program.calculate_adaptive_chunk_size, (10, 2, 0.1)),
    "create": (program.create_shared_memory_dataframe, (None,)),
    "load": (program.load_from_shared_memory, SHARED),
    "cleanup": (program.cleanup_shared_memory, (SHARED[0], SHARED[3])),
    "one backtest": (
        program.run_backtest_single_param_shared,
        (((10, 1.0, 0.5, 0.1, 0.01), *SHARED),),
    ),
    "combination": (
        lambda combination: program.run_backtest_single_param_shared((combination, *SHARED)),
        ((10, 1.0, 0.5, 0.1, 0.01),),
    ),
    "period": (
        lambda period: program.run_backtest_single_param_shared(
            ((period, 1.0, 0.5, 0.1, 0.01), *SHARED)
        ),
        (10,),
    ),
    "main": (program.main, (None,)),
}

#: What a function does something with, by its place; anything else is refused.
TAKES = {
    ("estimate_backtest_duration", 1): set(),
    ("chunk_size", 0): {"zero"},
    ("chunk_size", 2): {"zero", "half", "large"},
    ("create", 0): {"frame"},
}


@pytest.mark.parametrize(
    ("name", "place"),
    [(name, at) for name, (_, usual) in FUNCTIONS.items() for at in range(len(usual))],
)
def test_a_documented_function(name, place, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    function, usual = FUNCTIONS[name]
    if name == "estimate_backtest_duration" and place:
        usual = (small_bars().frame, 1)
    done = set()
    for what, make in VALUES.items():
        words = [*usual]
        words[place] = make()
        if name == "main":
            if words[0] is not None:  # Then it is asked for its real command line.
                assert function(*words) == 2, what
            continue
        try:
            found = function(*words)
        except BigBarError:
            continue
        done.add(what)
        if name == "create":
            program.cleanup_shared_memory(found[0], found[3])
    assert done == TAKES.get((name, place), set())


def test_nothing_that_is_not_ours_is_removed(tmp_path):
    block = tmp_path / "mine" / "block"
    block.parent.mkdir()
    block.touch()
    for name in (
        str(block),
        "/dev/shm/x",
        "../bigbar_1",
        "psm_12345678",
        "bigbar_1/../../mine/block",
    ):
        with pytest.raises(SettingsError, match="as create_shared_memory_dataframe returned it"):
            program.cleanup_shared_memory(name, SHARED[3])
        with pytest.raises(SettingsError, match="as create_shared_memory_dataframe returned it"):
            program.cleanup_shared_memory(SHARED[0], name)
    assert block.exists()


def test_a_frame_that_is_no_bars_is_refused():
    name, shape, dtype, metadata = program.create_shared_memory_dataframe(pd.DataFrame({"a": [1]}))
    try:
        combination = (10, 1.0, 0.5, 0.1, 0.01)
        with pytest.raises(DataError):
            program.run_backtest_single_param_shared((combination, name, shape, dtype, metadata))
        for wrong in ((shape[0], 10**6), (9, 9)):
            with pytest.raises(SettingsError, match="is not of the shape"):
                program.load_from_shared_memory(name, wrong, dtype, metadata)
        with pytest.raises(SettingsError, match="does not describe it"):
            program.load_from_shared_memory(name, shape, dtype, name)
    finally:
        program.cleanup_shared_memory(name, metadata)
