"""The answer on one screen: what stands there, its size, its colours, and the next step."""

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import TextIO

import numpy as np
import pytest
from made_findings import bootstrap, costs, holding, holdout, plateau, walk_forward
from small_run import small_outcome

from bigbar.outcome import Outcome
from bigbar.parameter import Parameter
from bigbar.program import as_typed
from bigbar.report.answer import answer
from bigbar.report.console import coloured
from bigbar.report.figures import held
from bigbar.report.next_step import around, next_step
from bigbar.slices import Failure
from bigbar.validation.findings import Conduct, Findings, Verdict
from bigbar.validation.verdict import conclude
from bigbar.verification.replay import Verification

PAGE = ["bigbar_output/summary.json", "bigbar_output/report.html"]


def judged(outcome: Outcome | None = None, **changes) -> Outcome:
    """A run with a verdict: unlikely luck, costs charged, unless something else is said."""
    outcome = outcome or small_outcome()
    found = {
        "bootstrap": bootstrap(
            statistic="Return [%]", chosen=4.6, luck_typical=1.0, luck_95=2.1, p_value=0.01
        ),
        "costs": replace(costs(), commission=1e-4),
        "buy_and_hold": holding(),
        "plateau": plateau(peak=outcome.best, robust=outcome.best, peak_edges=()),
    } | changes
    verdict = conclude(outcome.job.space, outcome.best, **found)
    outcome.findings = Findings(verdict=verdict, **found)
    return outcome


@pytest.mark.parametrize(
    "changes",
    [{}, {"holdout": holdout(), "walk_forward": walk_forward()},
     {"bootstrap": bootstrap(p_value=0.4, earlier_trials=1234, p_value_all_trials=0.6)}],
)  # fmt: skip
def test_it_fits_a_terminal_of_24_lines(changes):
    outcome = judged(**changes)
    outcome.carried.run = 3
    text = answer(outcome, files=PAGE, width=80, more=True)
    lines = text.splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80


def test_all_of_it_is_there():
    outcome = judged(holdout=holdout())
    outcome.carried.run = 3
    text = answer(outcome, files=PAGE, more=True)
    assert text.startswith("Best of 12 combinations by Return [%]:\n  atr_period 20, k_atr 1.1, ")
    assert [line.split("  ")[1] for line in text.split("\n\n")[1].splitlines()[1:]] == [
        "Return", "Max. Drawdown", "Sharpe Ratio (annual)", "Win Rate", "Exposure Time", "Trades",
    ]  # fmt: skip
    head = text.split("\n\n")[1].splitlines()[0]
    assert head.split("  ")[-1].strip() == "Buy and hold"
    assert "Unseen" in head
    assert "✓ Verdict: unlikely to be luck alone, but not proven." in text
    assert "\nNext       " in text
    assert "\nReport     bigbar_output/report.html\n" in text
    assert "\nVerified   5 combinations replayed through backtesting.py: all equal\n" in text
    assert f"'{as_typed()} show 3'" in text
    assert "−" in text
    assert "-1" not in text


def test_the_folder_is_named_where_it_is_another():
    outcome = judged()
    outcome.carried.run = 3
    text = answer(outcome, files=["here/report.html"], width=100, more=True)
    assert f"'{as_typed()} show 3 --output here'" in text
    outcome.carried.run = None
    assert "bigbar show" not in answer(outcome, files=PAGE, more=True)


def test_the_objective_stands_first_where_it_is_none_of_the_six():
    table = answer(judged(small_outcome(maximize="SQN")), files=[]).split("\n\n")[1].splitlines()
    assert table[1].split()[0] == "SQN"
    assert len(table) == 7


def test_parameters_of_many_lines_are_cut_down_to_those_that_vary():
    text = answer(small_outcome(), files=[], width=28)
    assert text.split("\n\n")[0].splitlines()[2:] == [
        "  atr_period 20, k_atr 1.1,",
        "  previous_weight 0.4",
        "  (and 2 parameters that did",
        "  not vary)",
    ]


def test_no_figure_is_cut_in_a_narrow_terminal():
    text = answer(judged(holdout=holdout()), files=[], width=40)
    assert max(map(len, text.splitlines())) <= 40
    assert "…" not in text


def test_buy_and_hold_has_backtestings_figures():
    """The Sharpe ratio and the drawdown of a strategy that buys at the first close and holds."""
    from backtesting import Backtest, Strategy

    class Hold(Strategy):
        def init(self):
            pass

        def next(self):
            if not self.position:
                self.buy(size=0.9999)

    outcome = small_outcome()
    bars = outcome.bars.frame.iloc[outcome.job.bars]
    stats = Backtest(bars * 1e-4, Hold, cash=1e6, trade_on_close=True, finalize_trades=True).run()
    found = held(outcome, outcome.best)
    assert found["Return [%]"] == outcome.table.column("Buy & Hold Return [%]")[outcome.best]
    assert found["Max. Drawdown [%]"] == pytest.approx(stats["Max. Drawdown [%]"], rel=0.02)
    assert found["Sharpe Ratio"] == pytest.approx(stats["Sharpe Ratio"], rel=0.1)


# ------------------------------------------------------------------------------- what went wrong


def test_warnings_stay_visible():
    outcome = judged()
    outcome.failures = [Failure(3, "Traceback …\nValueError: odd\n")]
    outcome.broke_off = {"the costs": "the costs broke off (MemoryError)"}
    outcome.carried.run = 12
    text = answer(outcome, files=PAGE)
    assert "Failed     1 combination, in summary.json; the first:\n" in text
    assert "Note       the costs broke off (MemoryError)\n" in text
    outcome = judged()
    outcome.carried.run, outcome.carried.earlier = 12, SimpleNamespace(id=11, result_sha256="0")
    assert "the result DIFFERS from that of run 11" in " ".join(answer(outcome, files=[]).split())
    outcome.verification = Verification(3, 21)
    said = " ".join(answer(outcome, files=[]).split())
    assert "; 18 more did not fit into the 6 s for replays (--verify 20 makes them all)" in said


def conduct(**changes) -> Conduct:
    found = Conduct(0, (100,), None, None, ())
    return replace(found, **changes)


def test_a_strategy_that_misbehaves_is_told():
    text = answer(judged(conduct=conduct(sees_future="its trades change")), files=[])
    assert "✗ Verdict: the strategy sees the future, so nobody can trade this result." in text
    assert "\nSees the future: its trades change.\n" in text


def test_earlier_runs_that_change_the_verdict_are_told_in_words():
    found = bootstrap(p_value=0.03, p_value_all_trials=0.42, earlier_trials=1)
    text = " ".join(answer(judged(bootstrap=found), files=[]).split())
    assert (
        "Luck does as well as yours 3.0 % of the time; with 1 other setting that earlier runs "
        "tried on these bars, 42 % of the time."
    ) in text
    assert "earlier runs" not in answer(judged(), files=[])


# ------------------------------------------------------------------------------------- next step


def stopped() -> Outcome:
    outcome = judged()
    outcome.stopped_by, outcome.carried.run = 2, 1
    return outcome


def failed() -> Outcome:
    outcome = judged()
    outcome.failures = [Failure(3, "ValueError: odd"), Failure(4, "ValueError: odd")]
    return outcome


def nothing() -> Outcome:
    return small_outcome(min_trades=1000)


def few(p_value: float = 0.01) -> Outcome:
    outcome = judged(bootstrap=bootstrap(p_value=p_value))
    outcome.table.column("# Trades")[:] = 3
    return outcome


def few_of_many() -> Outcome:
    outcome = judged()
    outcome.table.column("# Trades")[outcome.best] = 3
    return outcome


def losing() -> Outcome:
    outcome = judged()
    outcome.table.column("Return [%]")[:] = -1.0
    return outcome


SEEN = {"holdout": holdout(), "walk_forward": walk_forward()}


@pytest.mark.parametrize(
    ("outcome", "step"),
    [
        (stopped(), "Give the same command again: it continues where it stopped."),
        (failed(), "Mend what made 2 combinations fail, then give the same command; with "
                   "--retry-failed where the strategy stays as it is."),
        (small_outcome(), "Leave --no-validate out: nothing says yet whether this is more than "
                          "luck."),
        (judged(conduct=conduct(sees_future="x")), "Mend what looks ahead (centred windows, "
                                                   "shift(-1), max or min over all bars)."),
        (judged(conduct=conduct(answers_differently="x")),
         "Give its random numbers a fixed seed in init, and run it again."),
        (few_of_many(), "Ask for more trades: --min-trades 30. So few are "
                        "little to rely on, however good they look."),
        (few(), "Use a longer file: so few are little to rely on, however good they look."),
        (few(p_value=0.5), "Use a longer file: so few say nothing."),
        (judged(bootstrap=bootstrap(p_value=math.nan)),
         "Use a longer file: this one is too short to tell skill from luck."),
        (losing(), "Try another idea, or other parameters: even the best of these loses."),
        (judged(holdout=holdout(-1.0)),
         "Leave it, or try another idea on other bars: it lost on bars that it had not seen, and "
         "looking again makes them seen."),
        (judged(bootstrap=bootstrap(p_value=0.5)),
         "Get a longer file: an edge like this takes about 2.6 times as many bars to tell from "
         "luck (these are 100 days); or try fewer settings."),
        (judged(bootstrap=bootstrap(p_value=0.5, chosen=0.1)),
         "Try another idea, or fewer parameters: no file is long enough to show an edge here."),
        (judged(bootstrap=bootstrap(p_value=0.5, chosen=7.12)),
         "Try fewer settings, or a longer file: luck had too many chances."),
        (judged(costs=costs()), "Say what your broker takes, --commission or --spread: nothing is "
                                "charged so far, and it loses above a commission of 2 bp."),
        (judged(plateau=plateau(peak=small_outcome().best, peak_edges=("k_atr",))),
         "Widen --k-atr: the best has k_atr 1.1, the end of its range, so better may lie beyond."),
        (judged(plateau=plateau(peak=small_outcome().best, peak_edges=(), robust=3)),
         "Take the setting with the best neighbours, not a lone peak: --choose robust."),
        (judged(), "Check it on bars that it has not seen: --holdout 0.2 keeps the last fifth "
                   "back."),
        (judged(holdout=holdout()),
         "See whether choosing again and again would have worked: --walk-forward 5."),
        (judged(**SEEN), "Look closer around it: --atr-period 10:20:1 --k-atr 0.8:9:1 "
                         "--previous-weight 0.1:0.4:0.04."),
        (judged(small_outcome(atr_period=10, k_atr=1.1, previous_weight=0.1), **SEEN),
         "Trade it on paper, and run it again with --no-optimize on the bars to come: nothing of "
         "the past can say more."),
    ],
)  # fmt: skip
def test_the_next_step(outcome, step):
    assert next_step(outcome) == step
    assert f"Next       {' '.join(step.split()[:3])}" in answer(outcome, files=[])


def test_where_nothing_counts_the_answer_says_itself_what_to_do():
    assert next_step(nothing()) == ""
    assert "Next" not in answer(nothing(), files=[])


@pytest.mark.parametrize(
    ("values", "value", "text"),
    [
        ((5, 10, 15, 20), 10, "5:15:1"), ((5, 10, 15, 20), 20, "15:20:1"), ((1, 2, 3), 2, ""),
        ((0.5, 1.0, 1.5), 1.0, "0.5:1.5:0.1"), (("a", "b"), "a", ""), (tuple(range(50)), 3, ""),
    ],
)  # fmt: skip
def test_a_finer_axis_around_a_value(values, value, text):
    assert around(Parameter("n", values), value) == text


# ---------------------------------------------------------------------------------------- colour


@pytest.fixture
def screen() -> Iterator[TextIO]:
    """A real terminal to write to."""
    if not hasattr(os, "openpty"):
        pytest.skip("no pseudo-terminals here")
    theirs, ours = os.openpty()
    try:
        with os.fdopen(ours, "w", encoding="utf-8") as terminal:
            yield terminal
    finally:
        os.close(theirs)


@pytest.fixture
def plain_environment(monkeypatch) -> None:
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.usefixtures("plain_environment")
def test_colours_on_a_terminal(screen):
    text = answer(judged(), files=PAGE)
    shown = coloured(text, screen)
    assert "\x1b[1;32m✓ Verdict: unlikely" in shown
    without = "".join(part.partition("m")[2] for part in ("m" + shown).split("\x1b["))
    assert without == text


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("CI", "true")])
def test_no_colours_where_they_are_not_wanted(monkeypatch, screen, name, value):
    monkeypatch.setenv(name, value)
    assert coloured("✗ Verdict: luck.\n", screen) == "✗ Verdict: luck.\n"


def test_no_colours_in_a_pipe(tmp_path):
    with (tmp_path / "pipe").open("w") as pipe:
        assert coloured("✗ Verdict: luck.\n", pipe) == "✗ Verdict: luck.\n"


def test_a_verdict_without_a_light_has_no_mark():
    outcome = small_outcome()
    outcome.findings = Findings(verdict=Verdict("none", "Verdict: none.", ("Verdict: none.",)))
    assert "\nVerdict: none.\n" in answer(outcome, files=[])
    assert not np.isnan(outcome.table.values[outcome.best]).all()
