"""What fails after the sweep costs itself: the result is written, the failure said and noted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_run import AXES, few_prices, small_bars
from test_layers import ROOT

import bigbar
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES
from bigbar.engines.reference import BacktestingEngine
from bigbar.errors import VerificationError
from bigbar.report.files import RESULTS, SUMMARY
from bigbar.statistics import COLUMN
from bigbar.strategies.big_bar.kind import KIND as COMPILED
from bigbar_multiprocessing_optimized import main

WORDS = (
    "--no-progress", "--workers", "1", "--atr-period", "10,20", "--k-atr",
    "0.8,1.1,9", "--uptail-max-ratio", "0.7", "--previous-weight", "0.1,0.4",
)  # fmt: skip


class Brittle:
    """The compiled engine, that fails where it is told to: a way to ask, or a kind of job."""

    fails: tuple[str, ...] = ()

    def __init__(self, file: pd.DataFrame, job: Any) -> None:
        self._good = COMPILED.build(file, job)
        self._job = job

    def __getattr__(self, name: str) -> Any:
        job = self._job
        kinds = {
            "costs": len(job.space) == 1 and job.account.spread > 0,
            "prices": len(job.space) == 1 and job.account.spread == 0,
            "window": job.stop_bar is not None and len(job.space) > 1,
            name: True,
        }
        if any(kinds.get(what) for what in self.fails):
            raise LookupError(f"{name}: \x1b[2Jno such thing\nat all")
        return getattr(self._good, name)


@pytest.fixture(autouse=True)
def quickly_validated() -> Iterator[None]:
    with few_prices():
        yield


@pytest.fixture
def brittle(monkeypatch):
    monkeypatch.setitem(ENGINES, "brittle", EngineKind(Brittle, sample_slice=4))

    def failing(*what: str) -> dict[str, object]:
        monkeypatch.setattr(Brittle, "fails", what)
        return {"engine": "brittle", "workers": 1, "start_method": "fork"}

    return failing


def source(folder: Path, bars: int = 400) -> str:
    """The first bars of the example, as a file."""
    path = folder / "bars.csv"
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: bars + 1]))
    return str(path)


def run(folder: Path, *more: str, bars: int = 400, verify: int = 2) -> tuple[int, dict[str, Any]]:
    """Exit code and summary of the command; its table is there."""
    words = [
        source(folder, bars),
        *WORDS,
        "--verify",
        str(verify),
        "--output",
        str(folder / "out"),
        *more,
    ]
    code = main(words)
    told = json.loads((folder / "out" / SUMMARY).read_text())
    assert len(pd.read_parquet(folder / "out" / RESULTS)) == told["grid"]["combinations"]
    assert told["best"] is not None
    return code, told


PARTS = [
    (("returns",), "holding the result against luck", 0, "bootstrap"),
    (("costs",), "the search for costs that break even", 0, "costs"),
    (("equity",), "the look at the bars that were held back", 1, "holdout"),
    (("trades",), "the verification", 1, "verification"),
    (("window",), "the walk-forward analysis", 0, "walk_forward"),
]


@pytest.mark.parametrize(("fails", "part", "code", "figure"), PARTS)
def test_a_part_that_fails(brittle, capsys, tmp_path, fails, part, code, figure):
    """One that more than one part asks for, such as the equity for the page, costs them all."""
    brittle(*fails)
    # Windows end before the file does, and so does the sweep where bars are held back.
    held_back = [] if fails == ("window",) else ["--holdout", "0.3"]
    more = ["--engine", "brittle", *held_back, "--walk-forward", "2"]
    found, told = run(tmp_path, *more, bars=900)
    assert found == code
    assert told[figure] is None
    (sentence,) = [one for one in told["broke_off"] if one.startswith(f"{part} broke off (")]
    assert sentence.endswith("no such thing); the result stands without it")
    out, err = capsys.readouterr()
    for text in (out, err):
        assert f"{part} broke off (LookupError: " in " ".join(text.split())
        assert "Traceback" not in text
        assert "\x1b" not in text
    # The other parts are there.
    assert (told["costs"] is None) is (fails == ("costs",))
    assert (told["bootstrap"] is None) is (fails == ("returns",))
    assert told["verdict"] is not None


@pytest.mark.slow
def test_costs_as_high_as_the_broker_takes(capsys, tmp_path):
    words = ["--commission", "0.0999", "--spread", "0.9"]
    code, told = run(tmp_path, *words)
    assert (code, told["broke_off"]) == (0, [])
    costs = told["costs"]
    assert (costs["break_even_commission"], costs["break_even_spread"]) == (0, 0)
    assert max(row["spread"] for row in costs["table"]) < 1
    assert max(row["commission"] for row in costs["table"]) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "part", "missing"),
    [
        ("bigbar.report.page.report.write_report", "the report page", "report.html"),
        ("bigbar.report.plots.plot_backtest", "drawing the plots", "plot.html"),
    ],
)
def test_a_page_that_cannot_be_made(monkeypatch, capsys, tmp_path, where, part, missing):
    def fails(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(where, fails)
    code, told = run(tmp_path, "--plot")
    assert code == 1
    assert told["broke_off"] == [f"{part} broke off (MemoryError); the result stands without it"]
    assert not (tmp_path / "out" / missing).exists()
    assert told["verdict"] is not None
    assert part in capsys.readouterr().err


def test_a_verdict_that_cannot_be_told(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("bigbar.validation.examine.conclude", lambda *_, **__: 1 / 0)
    code, told = run(tmp_path)
    assert code == 0
    assert told["verdict"] is None
    assert "the validation broke off (ZeroDivisionError: " in told["broke_off"][0]


def test_a_robust_choice_that_cannot_be_made(monkeypatch, capsys, tmp_path):
    plain = run(tmp_path, "--no-validate")[1]["best"]["parameters"]
    monkeypatch.setattr("bigbar.validation.examine.find_plateau", lambda *_: 1 / 0)
    words = ["--no-validate", "--choose", "robust", "--fresh"]
    code, told = run(tmp_path, *words)
    assert code == 0
    assert told["best"]["parameters"] == plain
    assert "the robust choice broke off" in told["broke_off"][0]
    assert "Robust choice of" not in capsys.readouterr().out


def test_a_replay_that_kills_its_worker(monkeypatch, capsys, tmp_path):
    """One replay of three, as often as it is tried."""
    real = BacktestingEngine.stats
    parent = os.getpid()

    def deadly(self: BacktestingEngine, number: int) -> pd.Series:
        if number == killed and os.getpid() != parent:
            os._exit(9)
        return real(self, number)

    killed = 3
    monkeypatch.setattr(BacktestingEngine, "stats", deadly)
    code, told = run(tmp_path, "--start-method", "fork", "--no-validate", verify=20)
    assert code == 1
    assert told["verification"]["ok"]
    assert (told["verification"]["combinations"], told["verification"]["wanted"]) == (11, 12)
    assert "the verification broke off (combination 3: " in told["broke_off"][0]
    assert "1 more was not replayed" in " ".join(capsys.readouterr().out.split())


def test_from_python(brittle):
    with pytest.warns(RuntimeWarning, match="the search for costs that break even broke off"):
        found = bigbar.optimize(small_bars().frame, **AXES, verify=0, **brittle("costs"))
    assert found.findings.costs is None
    assert found.findings.plateau is not None
    assert found.broke_off == list(found.findings.notes[-len(found.broke_off) :])
    assert len(found) == 12


def test_a_disagreement_is_no_part_that_fails(brittle, monkeypatch):
    """A result that is known to be wrong is not handed out."""
    real = Brittle.__getattr__

    def wrong(self: Brittle, name: str) -> Any:
        if name != "run":
            return real(self, name)
        rows = COLUMN["Sharpe Ratio"] == np.arange(len(COLUMN))
        return lambda start, stop: self._good.run(start, stop) * np.where(rows, 1.000001, 1.0)

    monkeypatch.setattr(Brittle, "__getattr__", wrong)
    with pytest.raises(VerificationError, match="do not use this result"):
        bigbar.optimize(small_bars().frame, **AXES, verify=2, **brittle())
