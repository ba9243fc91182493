"""What an error advises can be followed: each way that it names does."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from backtesting.test import EURUSD
from test_forecast import DEFAULT, PRESENT

from bigbar.data.read import bars_from_frame
from bigbar.errors import DataError, SettingsError
from bigbar.executors.local import _likely_cause
from bigbar.job import Job
from bigbar.machine.budget import Budget, budget_for
from bigbar.machine.forecast import fit
from bigbar.machine.metrics import Metrics, verdict
from bigbar.options import parse_options
from bigbar.pipeline import checked_job
from bigbar.strategies.big_bar.description import check_enough_bars


def job(words: list[str], bars: int) -> Job:
    """What a command line comes to on the first bars of EUR/USD, checked as a run checks it."""
    request = parse_options(["f", *words]).request
    return checked_job(bars_from_frame(EURUSD.iloc[:bars]), request)


def refusal(words: list[str], bars: int) -> str:
    with pytest.raises((DataError, SettingsError)) as caught:
        job(words, bars)
    return str(caught.value)


WINDOWS = [
    (["--walk-forward", "500"], 5_000),
    (["--walk-forward", "500", "--anchored"], 5_000),
    (["--walk-forward", "40", "--holdout", "0.5"], 5_000),
    (["--walk-forward", "30", "--holdout", "0.5"], 5_000),
    (["--walk-forward", "2", "--holdout", "0.95"], 5_000),
    (["--walk-forward", "3"], 400),
    (["--walk-forward", "3"], 230),
    (["--walk-forward", "7", "--atr-period", "10", "--holdout", "0.3"], 700),
]


@pytest.mark.parametrize(("words", "bars"), WINDOWS)
def test_too_many_windows(words, bars):
    said = refusal(words, bars)
    assert "share or" not in said
    ways = 0
    if found := re.search(r"--walk-forward (\d+)", said.split(";")[1]):
        followed = words.copy()
        followed[1] = found[1]
        job(followed, bars)
        followed[1] = str(int(found[1]) + 1)  # And no more than that would have.
        refusal(followed, bars)
        ways += 1
    if "leave out --holdout" in said:
        at = words.index("--holdout")
        job(words[:at] + words[at + 2 :], bars)
        ways += 1
    assert "use a longer file" in said
    assert ways or "--holdout" not in said


@pytest.mark.parametrize(("bars", "period"), [(59, 57), (5, 3), (101, 99)])
def test_too_long_a_period(bars, period):
    said = refusal([], bars)
    assert said.endswith(f"or a smaller --atr-period, up to {period}")
    check_enough_bars(bars, period, "f")
    with pytest.raises(DataError):
        check_enough_bars(bars, period + 1, "f")


@pytest.mark.parametrize("bars", [2, 3, 4])
def test_so_few_bars_that_no_period_does(bars):
    assert refusal(["--atr-period", "1"], bars).endswith("; use a longer file")


@pytest.mark.parametrize("most", [1_000_000, 300_000_000, 450_000_000, 570_000_000])
@pytest.mark.parametrize("combinations", [1, 1_000, 112_840, 10_000_000])
@pytest.mark.parametrize("later", [PRESENT - 5_000_000, PRESENT + 5_000_000])
def test_too_little_memory(most, combinations, later):
    """Also in another process, which has a little more than this one."""
    load = replace(DEFAULT, combinations=combinations)
    try:
        fit(load, most, present=PRESENT)
    except SettingsError as problem:
        said = str(problem)
    else:
        return
    found = re.search(r"give it ([\d.]+) (MB|GB)", said)
    fit(load, round(float(found[1]) * {"MB": 1e6, "GB": 1e9}[found[2]]), present=later)
    for way, lighter in (("--verify 0", {"replays": 0}), ("--no-validate", {"returns": 0})):
        if way in said:
            fit(replace(load, **lighter), most, present=later)
    if found := re.search(r"run ([\d,]+) combination", said):
        fewer = int(found[1].replace(",", ""))
        fit(replace(load, combinations=fewer), most, present=later)


def notes_of(monkeypatch: pytest.MonkeyPatch, **changes: int) -> str:
    monkeypatch.setattr("bigbar.machine.budget.available_memory", lambda: -(10**12))
    found: Budget = budget_for(replace(DEFAULT, **changes), max_memory=None, files=None)
    return found.notes[0]


def test_a_note_about_memory_names_what_there_is_less_of(monkeypatch):
    ways = "fewer --workers or a smaller grid or --no-validate or a shorter file"
    assert ways in notes_of(monkeypatch)
    alone = notes_of(monkeypatch, workers=1, combinations=1, returns=0)
    assert alone.endswith("can be had; a shorter file would take less")


@pytest.mark.parametrize("workers", [1, 4])
def test_one_worker_is_not_told_to_be_fewer(workers):
    waited = Metrics({"sweep_s": 1.0}, workers, capacity_s=1.0, busy_s=1.0)
    short = replace(waited, peak_memory=99, memory_limit=100)
    told = [verdict(waited), verdict(short), _likely_cause(-9, workers)]
    assert [("fewer workers" in text) for text in told] == [workers > 1] * 3
    assert ("one worker" in _likely_cause(-11, workers)) == (workers > 1)
