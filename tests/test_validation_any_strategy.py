"""A trader's strategy through a whole run: every finding, every table, values of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import traders
from backtesting import Backtest
from long import in_a_soak

import bigbar
from bigbar.choice import Choice
from bigbar.data.read import Bars
from bigbar.errors import DataError, NothingCounts
from bigbar.optimization import Optimization
from bigbar.outcome import Execution
from bigbar.pipeline import optimize_bars
from bigbar.report.answer import answer
from bigbar.report.details import whole_answer
from bigbar.report.files import summary
from bigbar.report.page.report import report_html
from bigbar.report.plots import plot_heatmaps
from bigbar.request import Request
from bigbar.store.fingerprint import bars_sha256
from bigbar.validation.plan import Plan
from tests.test_page import Page

FRAME = traders.google(300).frame

#: Enough for a verdict.
FEW = FRAME.iloc[:150]

#: Parameters of every kind: 24 points of 48, because of the constraint.
VALUES: dict[str, Any] = {
    "fast": [4, 12, 30], "slow": [10, 25], "size": [0.95], "short": [True, False],
    "price": ["Close", "Open"], "stop": [None, 0.05],
}  # fmt: skip


def optimized(strategy: type = traders.Cross, frame: pd.DataFrame = FRAME, **how: Any):
    return bigbar.optimize(frame, strategy, **{"workers": 1, "progress": False} | how)


def shown(found: Optimization) -> tuple[str, Page, dict[str, Any]]:
    """The answer, the page and the summary, of a run that must have all of them."""
    outcome = found.outcome
    assert outcome.broke_off == {}
    plain = json.loads(json.dumps(summary(outcome), allow_nan=False))
    text = whole_answer(outcome, top=5, files=[])
    return text, Page(report_html(outcome, outcome.findings)), plain


@pytest.fixture(scope="module")
def every_kind() -> Optimization:
    return optimized(
        **VALUES, constraint=lambda p: p.fast < p.slow, holdout=0.2, walk_forward=2,
    )  # fmt: skip


@pytest.mark.slow
def test_values_of_every_kind_are_shown(every_kind: Optimization) -> None:
    assert len(every_kind) == 2**3 * 3
    assert every_kind.failures == []
    text, page, plain = shown(every_kind)
    best = every_kind.best_parameters
    assert best is not None
    assert f"price {best['price']}" in text
    assert "\nBest of 24 combinations by Return [%]:\n" in text
    head = text.partition("\nTop ")[2].partition("\n 1 ")[0]
    assert {"fast", "short", "price", "stop"} <= set(head.split())
    assert "Cross on" in " ".join(page.words)
    assert "BigBar on" not in " ".join(page.words)
    assert plain["best"]["parameters"] == best
    assert plain["grid"]["axes"] == VALUES
    windows = plain["walk_forward"]["windows"]
    assert {type(one["parameters"]["stop"]) for one in windows} <= {type(None), float}
    assert plain["conduct"]["sees_future"] is None


def test_every_finding_is_there(every_kind: Optimization) -> None:
    findings = every_kind.findings
    assert findings is not None
    missing = {name for name, part in vars(findings).items() if part is None}
    # There is one objective, and no search.
    of_others = {"pareto_luck", "alone", "neighbours"}
    assert missing <= {"sharpe_bootstrap", "walk_forward_matrix", *of_others}
    assert findings.walk_forward is not None
    assert findings.walk_forward.replayed == 4
    assert findings.holdout is not None
    assert findings.holdout.unseen_bars == 60
    assert findings.conduct is not None
    assert findings.conduct.cuts
    assert max(findings.conduct.cuts) < 240


@pytest.mark.slow
def test_a_constraint_leaves_gaps(every_kind: Optimization, tmp_path: Path) -> None:
    """Fast averages of 12 and 30 bars have no slow one of 10; of 30, none of 25 either."""
    outcome = every_kind.outcome
    assert {(p["fast"], p["slow"]) for p in outcome.job.space} == {(4, 10), (4, 25), (12, 25)}
    charts = Page(report_html(outcome, outcome.findings)).charts
    heat = charts["heatmap-fast-slow"]
    cells = [(at, other) for other in heat["names"]["y"] for at in heat["names"]["x"]]
    means = heat["layers"][0]["columns"]["mean"]
    empty = {cell for cell, mean in zip(cells, means, strict=True) if mean is None}
    assert empty == {("12", "10"), ("30", "10"), ("30", "25")}
    names = charts["profile-price"]["layers"][2]["columns"]["at"]
    assert names == ["Close", "Open"]
    heatmap = outcome.table.heatmap("Return [%]")
    assert plot_heatmaps(heatmap, tmp_path / "maps.html") is not None


@pytest.mark.slow
def test_no_neighbours_along_text_and_truth_values() -> None:
    """With nothing but such parameters every cross is a point, and the best is robust."""
    found = optimized(short=[True, False], price=["Close", "Open", "High"], stop=[None, 0.05])
    plateau = found.findings.plateau
    assert plateau.peak == plateau.robust == found.outcome.best
    assert plateau.peak_cross_mean == plateau.peak_value
    assert np.isnan(plateau.peak_worst_neighbour)
    assert plateau.peak_edges == ()
    shown(found)


@pytest.mark.slow
@pytest.mark.parametrize("values", [{"fast": range(4, 7)}, {"fast": 6, "slow": 25}])
def test_one_parameter_and_one_point(values: dict[str, Any]) -> None:
    found = optimized(**values, walk_forward=2, holdout=0.3)
    text, page, plain = shown(found)
    assert "verdict" in page.sections
    assert plain["grid"]["combinations"] == len(found)
    assert "Verdict: " in text


def fee(size: float, price: float) -> float:
    return 1.0 + 0.001 * abs(size) * price


@pytest.mark.slow
def test_a_commission_that_is_a_function() -> None:
    found = optimized(fast=[4, 6, 8], commission=fee)
    text, _, plain = shown(found)
    assert plain["costs"] is None
    assert any("the commission is a function" in note for note in plain["validation_notes"])
    assert plain["settings"]["commission"] == "fee"
    without = optimized(fast=[4, 6, 8], commission=fee, validate=False)
    assert "commission by fee" in whole_answer(without.outcome, top=0, files=[])
    assert "commission by" not in text


def test_bars_without_dates_are_not_validated() -> None:
    frame = FRAME.reset_index(drop=True)
    bars = Bars(frame, "numbered", bars_sha256(frame), ())
    job = traders.job_for(traders.Cross, fast=(4, 6, 8))

    def request(plan: Plan) -> Request:
        return Request(
            job.spec,
            job.space,
            job.account,
            job.engine,
            Choice.by_name("Return [%]"),
            Execution(),
            plan,
        )

    found = optimize_bars(bars, request(Plan()))
    assert found.best is not None
    assert found.findings is None
    text = answer(found, files=[], width=100)
    assert "the validation broke off (the bars have no dates)" in text
    with pytest.raises(DataError, match="no dates, which --holdout and --walk-forward need: give"):
        optimize_bars(bars, request(Plan(holdout=0.2, walk_forward=3)))


# ----------------------------------------------------------------------------------- conduct


@pytest.mark.slow
def test_a_strategy_that_sees_the_future_is_red_and_says_so() -> None:
    found = optimized(traders.Normalized, FEW, fast=[4, 6, 8])
    text, page, plain = shown(found)
    assert found.findings.verdict.light == "red"
    assert "Sees the future: the indicator level is another at" in text
    assert "nobody can trade this result" in text.replace("\n  ", " ")
    assert "Sees the future" in " ".join(page.words)
    assert plain["conduct"]["sees_future"].startswith("the indicator level")


@pytest.mark.slow
def test_a_strategy_that_throws_dice_is_not_blamed_on_an_engine(tmp_path: Path) -> None:
    options: dict[str, Any] = {"fast": [4, 6, 8, 10], "store": tmp_path, "walk_forward": 2}
    found = optimized(traders.Dice, FEW, **options)
    text, _, plain = shown(found)
    assert found.findings.verdict.light != "green"
    assert plain["verification"]["answered_differently"]
    assert plain["verification"]["ok"] is True
    assert "it answers differently" in text
    assert "answered differently when run again" in " ".join(text.split())
    again = optimized(traders.Dice, FEW, **options)
    assert again.outcome.reused == again.outcome.resumed == 0
    assert again.outcome.result_sha256 != found.outcome.result_sha256


@pytest.mark.slow
def test_a_strategy_that_changes_its_class_is_named() -> None:
    found = optimized(traders.Counting, FEW, fast=[4, 6, 8])
    text, _, plain = shown(found)
    assert plain["conduct"]["changed_class_attributes"] == ["Counting.runs", "Counting.seen"]
    assert "A run changes Counting.runs, Counting.seen of the class" in text


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", *in_a_soak("backtesting")])
def test_a_strategy_that_lives_on_its_class_is_proved_from_the_class_as_it_was(engine: str) -> None:
    found = optimized(traders.Growing, fast=[4, 6], verify=2, engine=engine, walk_forward=2)
    proof = found.outcome.verification
    assert proof is not None
    assert (proof.ok, proof.combinations, proof.unsteady) == (True, 2, ())
    assert found.outcome.broke_off == {}
    assert found.outcome.findings is not None
    assert found.outcome.findings.conduct.answers_differently is None
    assert (traders.Growing.count, traders.Growing.seen) == (0, [])
    again = optimized(traders.Growing, fast=[4, 6], verify=0, validate=False, engine=engine)
    assert again.table().equals(found.table())
    assert (traders.Growing.count, traders.Growing.seen) == (0, [])
    alone = Backtest(FRAME, traders.Growing).run(**found.best_parameters)
    assert found.best_statistics["Equity Final [$]"] == alone["Equity Final [$]"]
    traders.Growing.count = 0
    traders.Growing.seen.clear()


class Mistyped(traders.Cross):
    """Raises on its first bar."""

    def next(self) -> None:
        self.quik  # noqa: B018


class Waiting(traders.Cross):
    """Never trades."""

    def next(self) -> None:
        pass


@pytest.mark.slow
def test_what_gave_no_result_was_no_chance_of_luck(tmp_path: Path) -> None:
    """A strategy that is put right, run by run, is judged as if it had been right at once."""
    options: dict[str, Any] = {"fast": [5, 8, 13], "slow": [20, 30], "workers": 1, "verify": 0}
    options |= {"store": tmp_path / "kept", "engine": "backtesting"}
    bars = traders.google(400).frame
    for wrong in (Mistyped, Waiting):
        with pytest.raises(NothingCounts):
            bigbar.optimize(bars, wrong, **options)
    found = bigbar.optimize(bars, traders.Cross, **options)
    assert found.findings is not None
    assert found.findings.bootstrap is not None
    assert found.findings.bootstrap.earlier_trials == 0
    again = bigbar.optimize(bars, traders.Cross, **options | {"fast": [6, 9]})
    assert again.findings is not None
    assert again.findings.bootstrap is not None
    assert 0 < again.findings.bootstrap.earlier_trials <= 6
