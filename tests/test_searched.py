"""What is found out about a setting that a search chose, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_findings import bootstrap, holdout, walk_forward
from small_run import few_prices, small_bars

import bigbar
from bigbar.engines.find import build_engine
from bigbar.errors import NothingCounts
from bigbar.search.tries import Tries
from bigbar.space import Space
from bigbar.statistics import COLUMN
from bigbar.validation.verdict import FOUND_BY_SEARCH, SEARCH_CONFIDENCE, conclude, weigh

AXES = {"fast": "3:50:1", "slow": "31:150:1"}
ASKED = {
    "method": "local", "max_tries": 90, "engine": "backtesting", "verify": 0,
    "holdout": 0.25, "walk_forward": 3, "constraint": "fast < slow", "min_trades": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    with few_prices():
        return bigbar.optimize(small_bars(900).frame, "sma_cross", workers=2, **AXES, **ASKED)


@pytest.mark.slow
def test_what_is_not_valid_is_left_out_and_why_is_said(found):
    findings = found.findings
    for name in ("bootstrap", "sharpe_bootstrap", "pbo", "deflated_sharpe", "plateau", "luck_band"):
        assert getattr(findings, name) is None, name
    assert findings.notes[0].startswith("90 of 5,760 combinations were tried, each by what came")
    assert "would flatter the result and are left out" in findings.notes[0]
    for name in ("alone", "neighbours", "holdout", "walk_forward", "costs", "perturbation"):
        assert getattr(findings, name) is not None, name
    lines = "\n".join(findings.verdict.lines)
    assert "Had it alone been tried, luck would do as well" in lines
    assert "One step away in a parameter" in lines


@pytest.mark.slow
def test_alone_is_what_a_grid_of_one_says(found):
    point = found.best_parameters
    with few_prices():
        one = bigbar.optimize(
            small_bars(900).frame, "sma_cross", **point, engine="backtesting", verify=0,
            holdout=0.25, min_trades=2,
        )  # fmt: skip
    assert found.findings.alone == one.findings.bootstrap
    assert found.findings.alone.combinations == 1


def test_neighbours_are_those_of_the_grid(found):
    point = found.best_parameters
    around = bigbar.optimize(
        small_bars(900).frame, "sma_cross", engine="backtesting", verify=0, holdout=0.25,
        min_trades=2, validate=False, method="grid", constraint="fast < slow",
        fast=[point["fast"] + step for step in (-1, 0, 1) if 3 <= point["fast"] + step <= 50],
        slow=[point["slow"] + step for step in (-1, 0, 1) if 31 <= point["slow"] + step <= 150],
    ).table()  # fmt: skip
    steps = (around["fast"] != point["fast"]).astype(int) + (around["slow"] != point["slow"])
    near = around[steps == 1]
    counting = near[near["# Trades"] >= 2]["Return [%]"]
    neighbours = found.findings.neighbours
    assert neighbours.combinations == len(near)
    assert neighbours.counting == len(counting)
    assert neighbours.mean == pytest.approx(counting.mean())
    assert neighbours.worst == counting.min()
    assert neighbours.value == found.best_statistics["Return [%]"]


@pytest.mark.slow
def test_each_window_is_searched_by_itself(found):
    """Against the same search over an engine of that window, in this process."""
    outcome, walked = found.outcome, found.findings.walk_forward
    file, choice = outcome.bars.frame, outcome.choice
    for window in walked.windows:
        tries = Tries(outcome.asking.searcher(), np.zeros(90, np.int64))
        best, at = -np.inf, None
        while len(places := tries.ask()):
            numbers = tries.numbers[places.start : places.stop]
            space = Space(outcome.job.space.parameters, numbers, is_sample=True)
            job = replace(outcome.job, space=space, span=window.train)
            rows = build_engine(file, job).run(0, len(space))
            scores = choice.scores(choice.objective_of(rows), rows[:, COLUMN["# Trades"]])
            tries.tell(places, scores)
            for number, score in zip(numbers.tolist(), scores.tolist(), strict=True):
                if score > best:
                    best, at = score, number
        assert window.combination == at
        assert window.train_objective == best
        product = Space(outcome.job.space.parameters)
        assert window.places == product.places(at)
    assert walked.replayed == 6


@pytest.mark.slow
def test_other_workers_find_the_same(found):
    with few_prices():
        again = bigbar.optimize(small_bars(900).frame, "sma_cross", workers=1, **AXES, **ASKED)
    assert again.findings.verdict == found.findings.verdict
    assert again.findings.neighbours == found.findings.neighbours
    assert again.findings.walk_forward.windows == found.findings.walk_forward.windows


def test_the_page_and_the_files_tell_it(found, tmp_path):
    assert found.report(tmp_path / "page.html").stat().st_size > 100_000
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Had it alone been tried" in text
    assert "One step away in a parameter" in text


@pytest.mark.parametrize(
    ("evidence", "light", "headline"),
    [
        ({}, "red", "a search found it, and only bars that it has not seen can tell"),
        ({"holdout": holdout(-1.0)}, "red", "a search found it, and it lost on unseen days"),
        ({"walk_forward": walk_forward(-1.0)}, "red", "and it lost walking forward"),
        ({"walk_forward": walk_forward(3.0)}, "red", "the bars it has not seen do not tell it"),
    ],
)
def test_the_verdict_goes_by_bars_that_it_has_not_seen(evidence, light, headline):
    space = Space.of(a=range(3), b=range(3))
    found = conclude(space, 4, found_by=FOUND_BY_SEARCH, alone=bootstrap(p_value=0.001), **evidence)
    assert found.light == light
    assert headline in found.headline


@pytest.mark.parametrize(("alone", "light"), [(0.01, "green"), (0.19, "green"), (0.4, "amber")])
def test_unseen_days_that_convince(alone, light):
    seen = replace(weigh(None, found_by=FOUND_BY_SEARCH), unseen_convinces=True, has_unseen=True)
    assert replace(seen, p_alone=alone).light == light
    assert replace(seen, p_alone=alone, unseen_lost=True).light == "red"
    assert replace(seen, p_alone=alone, sees_future=True).light == "red"


def test_a_search_takes_more_to_convince(monkeypatch):
    monkeypatch.setattr("bigbar.validation.verdict.unseen_confidence", lambda holdout: 0.96)
    assert weigh(None, holdout=holdout(3.0)).unseen_convinces
    assert not weigh(None, holdout=holdout(3.0), found_by=FOUND_BY_SEARCH).unseen_convinces
    assert 0.96 < SEARCH_CONFIDENCE < 0.98


def test_a_search_that_finds_nothing_that_counts():
    with pytest.raises(NothingCounts):
        bigbar.optimize(
            small_bars(100).frame, "sma_cross", fast="3:8:1", slow="20:29:1", min_trades=90,
            method="local", max_tries=20, engine="backtesting",
        )  # fmt: skip
