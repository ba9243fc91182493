"""`show`: one run as it was."""

from __future__ import annotations

from history_tools import Asked, fail, stored
from small_run import AXES
from store_tools import forge

from bigbar.store.receipt import receipt_text
from bigbar.store.runs import RunStore


def test_what_was_printed_comes_first(capsys, kept_runs):
    with RunStore(kept_runs, read_only=True) as store:
        answer = store.output(1).answer
    assert answer is not None
    asked = Asked(capsys, kept_runs, "show", "1")
    assert asked.code == 0
    assert asked.out.startswith(f"{answer.rstrip()}\n\n")


def test_the_facts_of_its_receipt_follow(capsys, kept_runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    run, _, _ = stored(kept_runs, 2)
    asked = Asked(capsys, kept_runs, "show", "last").out
    _, label, facts = asked.partition("\n\nRun            2, finished\n")
    assert label
    assert max(map(len, facts.splitlines())) <= 80
    words = " ".join(facts.split())
    for fact in (
        run.fingerprint, run.result_sha256, run.bars_sha256, run.identity.code_sha256,
        run.data["sha256"], "cash 100,000, commission 0.0001, spread 0, margin 1",
        "week_edge_bars 6", "Seed 0", "Engine backtesting", "none, it was run from Python",
        "k_atr 0.8 … 1.5 (3)", "atr_period 10, 20", "12 combinations", "400 bars from",
        "Took part bars 21 to 400", "Return [%], of those with 1 or more trades",
        f"numpy {run.identity.parts['packages']['numpy']}", run.machine["host"],
    ):  # fmt: skip
        assert fact in words, fact


def test_for_machines(capsys, kept_runs):
    run, _, _ = stored(kept_runs, 2)
    told = Asked(capsys, kept_runs, "show", "2", "--json").json
    assert told["id"] == 2
    assert "\n\nBest of 12 combinations" in told["answer"]
    assert told["summary"]["settings"]["commission"] == 1e-4
    assert told["summary"]["verdict"] is None
    assert told["timings"]["sweep_s"] > 0
    assert told["best_parameters"] == run.best_parameters
    assert told["best_parameters"].keys() == AXES.keys()
    assert told["failures"] == []
    # All that a receipt has, but what stands elsewhere under another name.
    assert told["result_sha256"] in receipt_text(told)


def test_numbers_that_json_has_not(capsys, spoilable_runs):
    forge(spoilable_runs, "UPDATE runs SET best_value = 9e999 WHERE id = 1")
    told = Asked(capsys, spoilable_runs, "show", "1", "--json").json
    assert told["best_value"] == "inf"


def test_a_run_that_failed_its_verification(capsys, spoilable_runs):
    forge(
        spoilable_runs,
        "UPDATE runs SET state = 'failed', answer = NULL, error = ? WHERE id = 1",
        "the engine and backtesting.py disagree; do not use this result:\n  combination 3",
    )
    asked = Asked(capsys, spoilable_runs, "show", "1")
    assert asked.code == 0
    assert asked.out.startswith(
        "Run 1 failed its verification; its rows are not to be used.\nthe engine and"
    )
    assert "Best of" not in asked.out


def test_a_continued_run_does_not_show_the_answer_of_before(capsys, spoilable_runs):
    """Its objective may be another one by now."""
    forge(
        spoilable_runs,
        "UPDATE runs SET state = 'interrupted', ended = NULL, objective = 'SQN' WHERE id = 1",
    )
    asked = Asked(capsys, spoilable_runs, "show", "1")
    assert asked.out.startswith("Run 1 was interrupted: 12 of 12 combinations are done.")
    assert "Best of the 12 combinations so far by SQN: " in " ".join(asked.out.split())
    assert "Result sha256" not in asked.out
    told = Asked(capsys, spoilable_runs, "history", "--json").json[0]
    assert told["best"] is told["best_value"] is told["result_sha256"] is None


def test_failures_without_an_answer_are_named(capsys, spoilable_runs):
    fail(spoilable_runs, 1, range(4), "Traceback …\nValueError: no")
    forge(spoilable_runs, "UPDATE runs SET state = 'interrupted', ended = NULL WHERE id = 1")
    asked = Asked(capsys, spoilable_runs, "show", "1")
    assert "12 of 12 combinations are done, 4 of them failed" in " ".join(asked.out.split())
    assert asked.out.count("ValueError: no") == 3
    assert "Failed  atr_period 10, k_atr 0.8" in asked.out
    told = Asked(capsys, spoilable_runs, "show", "1", "--json").json
    assert [failure["combination"] for failure in told["failures"]] == [0, 1, 2, 3]
    assert told["failures"][0]["parameters"]["atr_period"] == 10
