"""Findings as JSON: every figure under its name, and nothing JSON cannot hold."""

from __future__ import annotations

import dataclasses
import json
import math

import pandas as pd
from made_findings import (
    bootstrap,
    costs,
    deflated,
    holding,
    holdout,
    overfitting,
    perturbation,
    plateau,
    walk_forward,
    walk_forward_matrix,
)
from made_returns import grid_of

from bigbar.validation.findings import Findings
from bigbar.validation.summary import as_json
from bigbar.validation.verdict import conclude

GRID = grid_of(4, 5)


def everything() -> Findings:
    return Findings(
        verdict=conclude(GRID, 5, bootstrap=bootstrap()),
        bootstrap=bootstrap(independent_tries=math.nan),
        sharpe_bootstrap=bootstrap(),
        pbo=overfitting(),
        deflated_sharpe=deflated(),
        plateau=plateau(),
        holdout=holdout(),
        walk_forward=walk_forward(),
        walk_forward_matrix=walk_forward_matrix(),
        buy_and_hold=holding(),
        costs=costs(),
        perturbation=perturbation(),
        luck_band=pd.DataFrame({"low": [1.0]}),
        notes=("a reason",),
    )


def test_it_is_json_with_a_key_for_every_finding():
    found = json.loads(json.dumps(as_json(everything(), GRID), allow_nan=False))
    names = {field.name for field in dataclasses.fields(Findings)} - {"luck_band", "pareto_luck"}
    assert set(found) == names


def test_every_figure_has_its_name():
    findings = everything()
    found = as_json(findings, GRID)
    for name in (
        "bootstrap", "pbo", "deflated_sharpe", "plateau", "buy_and_hold", "costs", "perturbation",
    ):  # fmt: skip
        for field in dataclasses.fields(getattr(findings, name)):
            value = getattr(getattr(findings, name), field.name)
            if isinstance(value, float) and math.isfinite(value):
                assert found[name][field.name] == value


def test_what_there_is_not_is_null():
    found = as_json(Findings(verdict=conclude(GRID, None)), GRID)
    assert all(found[name] is None for name in set(found) - {"verdict", "notes"})
    assert found["notes"] == []
    full = as_json(everything(), GRID)
    assert full["bootstrap"]["independent_tries"] is None
    assert full["walk_forward"]["efficiency"] is None
    assert full["holdout"]["unseen"]["Sharpe Ratio"] is None


def test_combinations_have_their_parameters_beside_them():
    found = as_json(everything(), GRID)
    assert found["plateau"]["robust_parameters"] == GRID[9]
    assert found["plateau"]["peak_parameters"]["k_atr"] == GRID[5].k_atr
    assert found["holdout"]["parameters"] == GRID[5]
    assert [w["parameters"] for w in found["walk_forward"]["windows"]] == [GRID[5], None]
    none = dataclasses.replace(everything(), plateau=plateau(robust=None))
    assert as_json(none, GRID)["plateau"]["robust_parameters"] is None


def test_arrays_for_charts_are_left_out_and_small_ones_kept():
    found = as_json(everything(), GRID)
    assert "in_sample" not in found["pbo"]
    assert "equity" not in found["holdout"]
    assert found["walk_forward_matrix"]["total_return"] == [[1.0, None], ["inf", 2.0]]
    assert found["costs"]["table"][1] == {"commission": 1e-4, "Return [%]": None, "# Trades": 10}
    assert found["perturbation"]["columns"] == ["Return [%]", "Max. Drawdown [%]"]


def test_times_and_durations_are_text():
    found = as_json(everything(), GRID)
    assert found["holdout"]["split"] == "2024-03-03T00:00:00+00:00"
    assert found["holdout"]["unseen"]["Max. Drawdown Duration"] == "3 days 00:00:00"
    assert found["walk_forward"]["windows"][0]["train"] == [0, 100]
    assert found["walk_forward"]["passes"] == {"total above 0": True}
