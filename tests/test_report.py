"""What a person reads: no control characters where they do not belong, numbers as backtesting's."""

import itertools
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from backtesting.test import EURUSD
from made_findings import walk_forward
from small_run import small_outcome

from bigbar.choice import Choice
from bigbar.data.read import bars_from_frame
from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.reference import run_quietly
from bigbar.outcome import Execution, Memory, Outcome
from bigbar.report.answer import (
    answer,
    differs_from_earlier,
    full_statistics,
    verification_text,
)
from bigbar.report.console import terminal_width
from bigbar.report.details import run_text, statistics_text, whole_answer
from bigbar.results import ResultTable
from bigbar.slices import Failure
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.parameters import Parameters, Settings, big_bar_account, single_point
from bigbar.strategies.big_bar.strategy import reference_backtest
from bigbar.units import as_bytes, as_seconds
from bigbar.validation.findings import Findings, Verdict
from bigbar.validation.plan import Plan
from bigbar.verification.replay import Verification

VERDICT = Verdict("red", "Verdict: luck.", ("You tried 12 settings.", "Verdict: luck."))


def kept_outcome(**earlier) -> Outcome:
    """A finished run with a number, and another one before it."""
    outcome = small_outcome()
    outcome.carried.run = 12
    if earlier:
        outcome.carried.earlier = SimpleNamespace(id=11, **earlier)
    return outcome


def test_the_line_about_the_run():
    result = str(small_outcome().result_sha256)
    assert f"Run        12, result {result[:12]}\n" in whole_answer(kept_outcome(), top=0, files=[])
    same = kept_outcome(result_sha256=result)
    assert run_text(same) == f"12, result {result[:12]} equal to that of run 11"
    assert not differs_from_earlier(same)
    other = kept_outcome(result_sha256="0123456789abcdef")
    assert differs_from_earlier(other)
    assert f"12, result {result[:12]} DIFFERS from 0123456789ab of run 11" in run_text(other)
    assert "DIFFERS" in answer(other, files=[])


def test_the_line_about_a_run_that_cannot_be_compared():
    result = str(small_outcome().result_sha256)
    failed = kept_outcome(result_sha256="0123456789abcdef")
    failed.failures = [Failure(3, "no")]
    assert run_text(failed).startswith("12, result ")
    assert "run 11" not in run_text(failed)
    assert not differs_from_earlier(failed)
    unfinished = kept_outcome(result_sha256=result)
    unfinished.table.values[7:] = np.nan
    assert run_text(unfinished) == "12, unfinished: the same command continues it"
    assert not differs_from_earlier(unfinished)
    assert "\nRun " not in whole_answer(small_outcome(), top=0, files=[])


def test_the_verdict_stands_in_the_answer_and_its_lines_in_the_details():
    outcome = small_outcome()
    assert "Verdict" not in whole_answer(outcome, top=3, files=[])
    outcome.findings = Findings(verdict=VERDICT, notes=("no costs: the bars ran out",))
    shown = whole_answer(outcome, top=3, files=[])
    assert "\n\nYou tried 12 settings.\nno costs: the bars ran out\n\nCounted" in shown
    assert shown.count("Verdict: luck.") == 1
    assert "\n✗ Verdict: luck.\n" in answer(outcome, files=[])
    assert "You tried" not in answer(outcome, files=[])


def test_what_was_walked_forward_over_is_told_with_the_verdict():
    outcome = small_outcome()
    found = replace(walk_forward(1.62), t_statistic=0.2)
    outcome.findings = Findings(verdict=VERDICT, walk_forward=found)
    text = answer(outcome, files=[])
    assert "\nWalk-forward: +1.6 % (t 0.2; above 2 is strong).\n" in text


@pytest.mark.parametrize(
    ("verification", "said"),
    [(None, "Stopped while replaying; every combination had been finished."),
     (Verification(12, 12), "Stopped before there was a verdict; every")],
)  # fmt: skip
def test_where_it_was_stopped(verification, said):
    outcome = small_outcome()
    outcome.stopped_by, outcome.verification = 2, verification
    assert answer(outcome, files=[]).startswith(said)


def test_without_a_verdict_the_costs_have_a_line_of_their_own():
    outcome = small_outcome()
    assert "\nCosts      none charged (--commission, --spread)\n" in whole_answer(
        outcome, top=0, files=[]
    )
    outcome.findings = Findings(verdict=VERDICT)
    assert "\nCosts " not in whole_answer(outcome, top=0, files=[])
    charged = small_outcome(account=big_bar_account(commission=(2.0, 5e-5), spread=1e-4))
    text = whole_answer(charged, top=0, files=[])
    assert "\nCosts      commission 2 + 0.5 bp, spread 1 bp\n" in text


def test_a_line_of_the_verdict_is_not_broken_before_a_unit():
    outcome = small_outcome()
    lines = tuple(f"{'word ' * 13}{'x' * count} 35 % or 1.5 bp or 12 days" for count in range(12))
    outcome.findings = Findings(verdict=replace(VERDICT, lines=lines))
    text = whole_answer(outcome, top=0, files=[], width=80)
    for whole in ("35 %", "1.5 bp", "12 days"):
        assert text.count(whole) == 12


def test_the_robust_choice_is_called_so():
    outcome = small_outcome()
    outcome.plan = Plan(choose="robust")
    assert answer(outcome, files=[]).startswith(
        "Robust choice of 12 combinations by Return [%] (cross mean):"
    )


# -------------------------------------------------------------------------- the full statistics


CASES = {
    "defaults": (EURUSD, Settings(), Parameters()),
    "costs": (
        EURUSD[:900],
        Settings(big_bar_account(commission=2e-4, margin=0.1)),
        Parameters(k_atr=1.2),
    ),
    "no trades": (EURUSD[:300], Settings(), Parameters(k_atr=9.0)),
    "one trade": (EURUSD[:460], Settings(), Parameters(k_atr=3.5)),
}


@pytest.fixture(params=CASES)
def replayed(request) -> tuple[pd.Series, Outcome]:
    """A real run of backtesting.py, and the same numbers as an outcome."""
    frame, settings, parameters = CASES[request.param]
    bars = bars_from_frame(frame)
    job = job_of(single_point(parameters), settings, "backtesting")
    stats = run_quietly(reference_backtest(bars.frame, job.first_bar, settings), vars(parameters))
    table = ResultTable(job.space, statistics_row(stats)[np.newaxis])
    choice = Choice.by_name("Return [%]")
    outcome = Outcome(job, Execution(), choice, bars, table, best=table.best(choice))
    return stats, outcome


def test_statistics_as_backtesting_prints_them(replayed):
    stats, outcome = replayed
    printed = str(stats).splitlines()
    ours = statistics_text(outcome, 0).splitlines()
    assert printed[len(ours)].startswith("_strategy")
    # Its column of values is as wide as its last lines need, which are not for reading.
    assert [line.split() for line in ours] == [line.split() for line in printed[: len(ours)]]
    assert len({len(line) for line in ours}) == 1


def test_full_statistics_are_backtestings(replayed):
    stats, outcome = replayed
    found = full_statistics(outcome, 0)
    expected = stats[[name for name in stats.index if not name.startswith("_")]]
    assert list(found.index) == list(expected.index)
    for name, value in expected.items():
        assert found[name] == value or (pd.isna(found[name]) and pd.isna(value)), name


# --------------------------------------------------------------------------------- the answer


def test_all_that_there_is_to_say():
    outcome = small_outcome()
    outcome.memory = Memory(2_000, 2_500, 150_000_000, (3_000_000, 4_000_000), 4_000)
    files = ["out/summary.json", "out/results.parquet"]
    text = whole_answer(outcome, top=3, files=files)
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert text.startswith(statistics_text(outcome, outcome.best))
    assert text.endswith("\n\n" + answer(outcome, files=files))  # The eye is at the end.
    assert "4 without trades" in text
    said = " ".join(text.split())
    assert "5 combinations replayed through backtesting.py: 30 statistics and every trade" in said
    assert "load 0.01 s · sweep 0.50 s · verify 0.06 s" in text
    assert "24 backtests/s" in text
    assert "workers 3.0 MB + 4.0 MB" in said
    assert f"Files      {files[0]}\n           {files[1]}\n" in text


def top_of(text: str) -> list[str]:
    """The lines of the table of the best."""
    (block,) = [one for one in text.split("\n\n") if one.startswith("Top ")]
    return block.splitlines()


def test_the_top_table():
    outcome = small_outcome()
    block = top_of(whole_answer(outcome, top=4, files=[]))
    assert block[0] == "Top 4:"
    assert len({len(line) for line in block[3:]}) == 1
    rows = [line.split() for line in block[-4:]]
    numbers = [one.number for one in outcome.table.top(outcome.choice, 4)]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    for row, number in zip(rows, numbers, strict=True):
        parameters = outcome.job.space[number]
        varying = ("atr_period", "k_atr", "previous_weight")
        assert row[1:4] == [f"{parameters[name]:g}" for name in varying]
        value = outcome.table.column("Return [%]")[number]
        assert row[4] == f"{value:,.3f}".replace("-", "−")


def tied_outcome() -> Outcome:
    """Twelve settings: seven have the results of the best, four those of the second."""
    outcome = small_outcome()
    best, second = (one.number for one in outcome.table.top(outcome.choice, 2))
    rows = outcome.table.values[[best, second]]
    third = outcome.table.values[outcome.table.top(outcome.choice, 3)[2].number].copy()
    outcome.table.values[:7], outcome.table.values[7:11] = rows[0], rows[1]
    outcome.table.values[11] = third
    outcome.best = outcome.table.best(outcome.choice)
    return outcome


def test_equal_results_stand_in_one_row():
    block = top_of(whole_answer(tied_outcome(), top=10, files=[]))
    assert block[0] == "Top 3; equal results once, with the number of settings that share them:"
    assert [line.split()[-1] for line in block[2:-3]] == ["shared", "by"]
    assert [line.split()[-1] for line in block[-3:]] == ["7", "4", "1"]
    assert len({len(line) for line in block[-3:]}) == 1


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
@pytest.mark.parametrize("maximize", ["Return [%]", "Equity Final [$]", "Max. Drawdown Duration"])
def test_nothing_is_wider_than_the_terminal(width, maximize):
    outcome = small_outcome(maximize=maximize, uptail_max_ratio=(0.7, 0.8))
    outcome.findings = Findings(verdict=replace(VERDICT, lines=("word " * 30, "Verdict: luck.")))
    outcome.table.values[3] = outcome.table.values[0]
    statistics = statistics_text(outcome, outcome.best)
    text = whole_answer(outcome, top=10, files=[], width=width).removeprefix(statistics)
    assert max(map(len, text.splitlines())) <= width
    table = "\n".join(top_of(whole_answer(outcome, top=10, files=[], width=width)))
    assert "Trades" in table
    assert maximize.split()[-1] in table


def test_a_table_that_cannot_fit_names_the_parameters_in_words():
    """No word is split, and no figure is cut."""
    block = top_of(
        whole_answer(small_outcome(uptail_max_ratio=(0.7, 0.8)), top=3, files=[], width=40)
    )
    words = " ".join(" ".join(block).split())
    best = small_outcome(uptail_max_ratio=(0.7, 0.8))
    point = best.job.space[best.best]
    for name in ("atr_period", "k_atr", "uptail_max_ratio", "previous_weight"):
        assert f"{name}={point[name]:g}" in words


def test_the_width_is_that_of_the_terminal(monkeypatch):
    for columns, used in (("20", 40), ("60", 60), ("80", 80), ("300", 120)):
        monkeypatch.setenv("COLUMNS", columns)
        assert terminal_width() == used


def test_the_top_table_shows_a_duration_that_was_optimized():
    text = whole_answer(small_outcome(maximize="Avg. Drawdown Duration"), top=3, files=[])
    assert re.search(r"\d d \d", text.split("Top 3:")[1])


@pytest.mark.parametrize("top", [0, 99])
def test_no_table_and_the_whole_table(top):
    text = whole_answer(small_outcome(), top=top, files=[])
    assert ("Top 8:" in text) is (top == 99)  # Four of twelve never traded.


def test_one_combination():
    outcome = small_outcome(atr_period=10, k_atr=1.1, previous_weight=0.1)
    text = whole_answer(outcome, top=10, files=[])
    assert answer(outcome, files=[]).startswith("One combination:\n  atr_period 10, k_atr 1.1")
    assert "Top" not in text
    assert "Counted" not in text


def test_ties_are_counted():
    outcome = small_outcome()
    outcome.table.values[:] = outcome.table.values[0]
    outcome.best = outcome.table.best(outcome.choice)
    text = whole_answer(outcome, top=0, files=[])
    assert "12 combinations share the best (the first is shown); 0 without trades" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k_atr": (9.0, 9.5)}, "that would do but for their size none is as large as"),
        ({"min_trades": 1000}, "No combination made 1,000 trades; the most is"),
        ({"min_trades": 1000}, "Lower --min-trades"),
    ],
)
def test_why_there_is_nothing(change, words):
    text = whole_answer(small_outcome(**change), top=10, files=[])
    assert words in " ".join(text.split())
    assert "Top" not in text
    assert "no combination counts" in text


def test_an_undefined_objective():
    outcome = small_outcome()
    outcome.table.column("Return [%]")[:] = np.nan
    outcome.best = None
    assert "Return [%] is undefined for every combination that traded" in answer(outcome, files=[])


@pytest.mark.parametrize(
    ("finished", "words"),
    [
        (7, "Stopped after 7 of 12 combinations.\nBest so far of 7 combinations by Return [%]:"),
        (0, "Stopped after 0 of 12 combinations.\nNo combination was finished."),
    ],
)
def test_stopped_early(finished, words):
    outcome = small_outcome()
    outcome.table.values[finished:] = np.nan
    outcome.best, outcome.stopped_by = outcome.table.best(outcome.choice), 2
    assert answer(outcome, files=[]).startswith(words)


def test_failures_are_named():
    outcome = small_outcome()
    outcome.failures = [Failure(3, "Traceback …\n  somewhere\nValueError: odd\n")]
    text = answer(outcome, files=[])
    assert "Failed     1 combination, in summary.json; the first:\n" in text
    assert "atr_period=10, k_atr=1.1, uptail_max_ratio=0.7, previous_weight=0.4" in text
    assert " " * 11 + "ValueError: odd\n" in text


@pytest.mark.parametrize(
    ("found", "verify", "words"),
    [
        (None, 20, "nothing"),
        (None, 0, "nothing (--verify 0)"),
        (Verification(1, 1), 20, "1 combination replayed through"),
        (
            Verification(3, 21),
            20,
            "; 18 more did not fit into the 6 s for replays (--verify 20 makes",
        ),
    ],
)
def test_the_verification_line(found, verify, words):
    outcome = small_outcome()
    outcome.verification, outcome.execution = found, Execution(verify=verify)
    assert words in verification_text(outcome)


def test_the_zone_of_the_bars_is_shown_whole():
    bars = bars_from_frame(EURUSD[:300].tz_localize("UTC").tz_convert("America/New_York"))
    outcome = small_outcome()
    zoned = Outcome(outcome.job, outcome.execution, outcome.choice, bars, outcome.table)
    assert "2017-04-20 01:00:00-04:00" in statistics_text(zoned, 0)


def test_amounts_and_durations_read_well():
    shown = [as_bytes(count) for count in (0, 999, 1500, 123_456, 5e6, 2.5e9)]
    assert shown == ["0 B", "999 B", "1.5 kB", "123 kB", "5.0 MB", "2.50 GB"]
    shown = [as_seconds(spent) for spent in (12.3456, 0.5, 0.012, 1.5e-5, 2e-9)]
    assert shown == ["12.3 s", "500 ms", "12 ms", "15 µs", "2 ns"]
    pairs = itertools.pairwise([1e-9 * 1.7**n for n in range(50)])
    assert all(as_seconds(a) != as_seconds(b) for a, b in pairs)
