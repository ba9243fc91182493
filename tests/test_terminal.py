"""What a run tells on standard error: no control characters where they do not belong."""

import io
import os
import re
import time
from datetime import UTC, datetime

import pytest
from backtesting import Strategy
from backtesting.test import EURUSD
from small_run import small_bars

import bigbar
from bigbar.batch.listener import FilesTerminal
from bigbar.data.read import bars_from_frame
from bigbar.options import parse_options
from bigbar.progress.terminal import Terminal, wants_bar
from bigbar.sharing.frames import publish
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.parameters import Settings, parse_grid


def written(*, show_bar: bool, workers: int = 2) -> str:
    """All that a run can tell."""
    stream = io.StringIO()
    terminal = Terminal(stream, show_bar=show_bar)
    bars = small_bars()
    terminal.data(bars, job_of(parse_grid(), Settings(), "backtesting"))
    terminal.grid(parse_grid(), "")
    with publish(bars.frame) as publication:
        terminal.shared(publication, workers)
    terminal.compiling()
    terminal.estimated(1.23e-5, 14_105, 8)
    with terminal.progress(1000) as bar:
        for _ in range(10):
            bar.update(100)
        terminal.event("a worker died; another one took its place")
    terminal.verifying(21)
    terminal.validating("luck")
    return stream.getvalue()


def test_plain_lines_have_no_control_characters():
    text = written(show_bar=False)
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert "Optimization Progress" not in text
    assert "Note       a worker died" in text


def test_the_bar():
    text = written(show_bar=True)
    assert "Optimization Progress: 100%" in text
    assert "1000/1000" in text
    assert "backtest/s" in text
    assert "\r" in text
    assert "Note       a worker died; another one took its place\n" in text


def test_the_bar_appears_at_once_and_moves():
    stream = io.StringIO()
    with Terminal(stream, show_bar=True).progress(10) as bar:
        assert "0/10" in stream.getvalue()
        bar.update(10)


class Sleeps(Strategy):
    """Takes a while for each combination."""

    one = 1

    def init(self):
        time.sleep(0.03)

    def next(self):
        if len(self.data) == 3:
            self.buy(size=self.one)
        elif len(self.data) == 6:
            self.position.close()


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [{}, {"method": "local", "max_tries": 50}])
def test_a_slow_run_without_a_bar_tells_how_far_it_is(monkeypatch, chosen):
    monkeypatch.setattr("bigbar.progress.bar.LINE_S", 0.2)
    stream = io.StringIO()
    bigbar.optimize(
        EURUSD.iloc[:20], strategy=Sleeps, one=range(1, 61), engine="backtesting", workers=2,
        verify=0, validate=False, listener=Terminal(stream, show_bar=False), **chosen,
    )  # fmt: skip
    lines = [line for line in stream.getvalue().splitlines() if line.startswith("Running")]
    assert 1 <= len(lines) <= 6, stream.getvalue()
    for line in lines:
        assert re.fullmatch(
            r"Running    \d+ of [56]0 \(\d+ %\), about \d+ s left, best Return −?\d+\.\d\d %", line
        ), line


@pytest.mark.slow
@pytest.mark.parametrize("show_bar", [False, True])
def test_a_slow_validation_tells_how_far_it_is(monkeypatch, show_bar):
    monkeypatch.setattr("bigbar.progress.bar.LINE_S", 0.2)
    monkeypatch.setattr("bigbar.progress.terminal.VALIDATED_S", 0.2)
    stream = io.StringIO()
    found = bigbar.optimize(
        EURUSD.iloc[:120], strategy=Sleeps, one=range(1, 21), engine="backtesting", workers=2,
        verify=0, walk_forward=2, listener=Terminal(stream, show_bar=show_bar),
    )  # fmt: skip
    assert found.findings is not None
    _, begun, rest = stream.getvalue().partition("Validate   walk-forward, 2 windows …\n")
    assert begun
    of_it = rest.partition("Validate ")[0]
    if show_bar:
        assert re.search(r"\rValidation Progress: +\d+%\|[^\n]*\| \d+/40 \[", of_it), of_it
        assert of_it.endswith("\r"), "the bar has gone before the next line"
    else:
        lines = of_it.splitlines()
        assert 1 <= len(lines) <= 6, of_it
        for line in lines:
            assert re.fullmatch(r"Running    \d+ of 40? \(\d+ %\), about \d+ s left", line), line


def test_several_files_say_which_one_is_under_way(monkeypatch):
    monkeypatch.setattr("bigbar.progress.bar.LINE_S", 0.0)
    stream = io.StringIO()
    terminal = FilesTerminal(stream, show_bar=False)
    terminal.begin("goog.csv")
    with terminal.progress(10) as bar:
        time.sleep(0.11)
        bar.update(1)
    assert "Running    goog.csv: 1 of 10 (10 %), about 1 s left\n" in stream.getvalue()


def test_lines_are_aligned():
    lines = written(show_bar=False).splitlines()
    for line in lines:
        label, text = line[:11], line[11:]
        assert text[0] != " "
        assert label == label.strip().ljust(11)


def test_what_the_lines_say():
    text = written(show_bar=False)
    assert "eurusd.csv · 400 bars · 2017-04-19 09:00:00 to 2017-05-12 00:00:00" in text
    assert "the first 100 warm up the indicators, 300 take part" in text
    assert "91 × 31 × 5 × 8 × 1 = 112,840 combinations" in text
    assert "atr_period 10 … 100 (91)" in text
    assert "once in shared memory for 2 workers; a copy each would take" in text
    assert "12.3 µs per backtest; 8 chunks of up to 14,105 combinations" in text


@pytest.fixture(autouse=True)
def no_width(monkeypatch) -> None:
    """Lines are whole where nothing says how wide they may be."""
    monkeypatch.delenv("COLUMNS", raising=False)


def told(what) -> str:
    stream = io.StringIO()
    what(Terminal(stream, show_bar=False))
    return stream.getvalue()


def test_what_is_said_of_earlier_runs():
    begun = datetime(2026, 11, 24, 10, 51, 30).astimezone(UTC)  # As the user's clock showed it.
    assert told(lambda terminal: terminal.resuming(7, begun, 68_832, 112_840)) == (
        "Resume     resuming run 7 of 2026-11-24 10:51: 60 % already done (68,832 of 112,840)\n"
    )
    assert told(lambda terminal: terminal.retrying(7, 2)) == (
        "Retry      run 7: 2 combinations that failed\n"
    )
    assert told(lambda terminal: terminal.retrying(7, 1)) == (
        "Retry      run 7: 1 combination that failed\n"
    )
    assert told(lambda terminal: terminal.reusing(56_420, 56_420, [3])) == (
        "Reuse      reusing 56,420 rows of run 3\n"
    )
    assert told(lambda terminal: terminal.reusing(10, 30, [3, 5])) == (
        "Reuse      reusing 10 rows of run 3 and 5; 20 more are there, but quicker run again\n"
    )
    assert told(lambda terminal: terminal.reusing(10, 11, [3])) == (
        "Reuse      reusing 10 rows of run 3; 1 more is there, but quicker run again\n"
    )
    assert told(lambda terminal: terminal.searching("optuna:tpe", 58.2, 61.0)) == (
        "Estimate   optuna:tpe takes about 58.2 s to choose all combinations; with their "
        "backtests, about 61 s are left\n"
    )


def test_the_bar_starts_where_the_run_was():
    stream = io.StringIO()
    with Terminal(stream, show_bar=True).progress(1000, 610) as bar:
        assert "61%" in stream.getvalue()
        assert "610/1000" in stream.getvalue()
        bar.update(390)
    assert "1000/1000" in stream.getvalue()


def test_one_worker_saves_nothing():
    assert "for 1 worker\n" in written(show_bar=False, workers=1)


def test_notes_about_the_data_stand_below_it():
    frame = EURUSD.iloc[[1, 0, *range(2, 50)]].assign(extra=1)
    stream = io.StringIO()
    bars = bars_from_frame(frame)
    assert len(bars.notes) >= 2
    job = job_of(parse_grid(atr_period="10"), Settings(), "backtesting")
    Terminal(stream, show_bar=False).data(bars, job)
    assert stream.getvalue().splitlines()[2:] == [" " * 11 + note for note in bars.notes]


def test_of_a_search_the_grid_names_method_and_constraint():
    options = parse_options(
        ["f", "--method", "local", "--max-tries", "40", "--constraint", "k_atr < 3"]
    )
    stream = io.StringIO()
    Terminal(stream, show_bar=False).grid(options.request.space, options.chosen_by)
    assert (
        'of which 40 are to be tried (--method local, --constraint "k_atr < 3")'
        in stream.getvalue()
    )
    one = parse_options(["f", "--method", "local", "--max-tries", "1"])
    Terminal(stream, show_bar=False).grid(one.request.space, one.chosen_by)
    assert "of which 1 is to be tried (--method local)" in stream.getvalue()
    assert parse_options(["f", "--method", "random", "--max-tries", "40"]).chosen_by == \
        "--method random"  # fmt: skip


def test_bars_held_back_are_told():
    stream = io.StringIO()
    bars = small_bars()
    job = job_of(parse_grid(atr_period="10"), Settings(), "backtesting", span=(10, 300))
    Terminal(stream, show_bar=False).data(bars, job)
    assert "290 take part, 100 from 2017-05-07 21:00:00 on are held back" in stream.getvalue()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
@pytest.mark.parametrize("no_progress", [False, True])
def test_a_bar_only_on_a_terminal(no_progress):
    theirs, ours = os.openpty()
    try:
        with os.fdopen(ours, "w") as terminal:
            assert wants_bar(terminal, no_progress=no_progress) is not no_progress
    finally:
        os.close(theirs)
    assert wants_bar(io.StringIO(), no_progress=no_progress) is False


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [60, 80])
def test_lines_are_broken_between_words_on_a_narrow_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Screen()
    terminal = Terminal(screen, show_bar=False)
    text = "595 kB once in shared memory for 2 workers; a copy each would take 595 kB more"
    terminal.event(text)
    lines = screen.getvalue().splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= columns
    assert all(line.startswith(" " * 11) for line in lines[1:])
    assert " ".join(line[11:] for line in lines) == text


def test_lines_for_a_file_are_whole_unless_columns_says_otherwise(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    line = "Verify     replaying up to 21 combinations through backtesting.py …\n"
    assert line in written(show_bar=False)
    monkeypatch.setenv("COLUMNS", "40")
    text = written(show_bar=False)
    assert max(map(len, text.splitlines())) <= 40
    assert "Verify     replaying up to 21\n           combinations through\n" in text
