"""Several objectives, from the command and from Python: what is said, written, kept and proved."""

from __future__ import annotations

import json
import os
import pickle
import re
import sys
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest
from made_returns import grid_of, noise, table_from_returns
from small_run import small_bars, small_outcome

import bigbar
from bigbar.choice import Choice
from bigbar.errors import SettingsError
from bigbar.optimization import Optimization
from bigbar.outcome import Execution
from bigbar.parameter import Parameter, value_text
from bigbar.pareto import COMBINATION, PLACE, SHARED, pareto_set
from bigbar.report.answer import answer
from bigbar.report.card import card_html
from bigbar.report.files import write_csv, write_pareto
from bigbar.report.front import front_text
from bigbar.report.next_step import next_step
from bigbar.report.page.numbers import statistic
from bigbar.results import ResultTable
from bigbar.space import Space
from bigbar.statistics import COLUMN
from bigbar.store.recorder import Carried
from bigbar.validation.findings import Findings, Verdict
from bigbar.validation.luck import assess_luck
from bigbar.verification.replays import _tasks
from tests import commands

ROOT = Path(__file__).resolve().parents[1]
BOTH = ["Return [%]", "Max. Drawdown [%]"]

#: Of the second the lower is the better; the small runs have five results that no other beats.
OPPOSED = ["Return [%]", "Volatility (Ann.) [%]"]
GRID = ("--atr-period", "10,14,20", "--k-atr", "0.8:2:0.1", "--uptail-max-ratio", "0.5,0.7",
        "--previous-weight", "0.1,0.4", "--min-trades", "5")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the bars, a file of settings, and the run of them."""
    folder = tmp_path_factory.mktemp("several")
    frame = small_bars(1500).frame
    frame.rename_axis("time").to_csv(folder / "bars.csv")
    return folder


def command(folder: Path, *words: str) -> CompletedProcess[str]:
    return commands.run(
        [sys.executable, "-m", "bigbar", *words], cwd=folder, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(folder: Path) -> CompletedProcess[str]:
    """The run, whose settings are saved."""
    asked = [word for name in BOTH for word in ("--maximize", name)]
    words = (
        "bars.csv",
        *asked,
        *GRID,
        "--workers",
        "2",
        "--verify",
        "6",
        "--save-config",
        "run.toml",
    )
    found = command(folder, *words)
    assert found.returncode == 0, found.stderr
    return found


@pytest.fixture(scope="module")
def table(folder: Path, ran: CompletedProcess[str]) -> pd.DataFrame:
    return pd.read_parquet(folder / "bigbar_output" / "results.parquet")


def by_definition(table: pd.DataFrame) -> list[int]:
    """Combinations with trades enough that no other beats in both."""
    counting = table[table["# Trades"] >= 5].dropna(subset=BOTH)
    values = counting[BOTH].to_numpy()
    beaten = [((values >= row).all(axis=1) & (values > row).any(axis=1)).any() for row in values]
    return counting.index[~np.array(beaten)].tolist()


# ---------------------------------------------------------------------------------- the command


@pytest.mark.slow
def test_the_file_holds_what_no_other_beats(folder, table):
    found = pd.read_csv(folder / "bigbar_output" / "pareto.csv", index_col=COMBINATION)
    assert sorted(found.index) == by_definition(table)
    assert found["Return [%]"].is_monotonic_decreasing
    assert found["Return [%]"].tolist() == table["Return [%]"][found.index].tolist()
    assert found["k_atr"].tolist() == table["k_atr"][found.index].tolist()
    assert found.groupby(PLACE)[SHARED].first().tolist() == found.groupby(PLACE).size().tolist()
    assert found.groupby(PLACE)[BOTH].nunique().to_numpy().max() == 1


def test_numbers_are_written_as_in_results_csv(tmp_path):
    """Also of a parameter that has whole numbers, fractions and none."""
    space = Space([Parameter("stop", (None, 0, 0.5, 1)), Parameter("side", ("a,b", 'c"d'))])
    table = ResultTable.empty(space)
    table.values[:] = 0.0
    table.values[:, COLUMN["# Trades"]] = 5
    table.values[:, COLUMN["Return [%]"]] = np.arange(8) / 4
    table.values[:, COLUMN["Max. Drawdown [%]"]] = -np.arange(8) / 4
    found = pareto_set(table, Choice.of(BOTH, 1))
    assert len(found) == 8
    front = pd.read_csv(write_pareto(tmp_path / "p.csv", found), dtype=str, index_col=COMBINATION)
    rows = pd.read_csv(write_csv(tmp_path / "r.csv", table), dtype=str)
    front = front.sort_index().reset_index(drop=True)
    pd.testing.assert_frame_equal(front[rows.columns], rows, check_index_type=False)
    assert rows["stop"].tolist() == [np.nan] * 2 + ["0"] * 2 + ["0.5"] * 2 + ["1"] * 2
    assert rows["side"].tolist() == ["a,b", 'c"d'] * 4


def test_the_summary_has_it(folder, table):
    told = json.loads((folder / "bigbar_output" / "summary.json").read_text())
    found, members = told["pareto"], by_definition(table)
    assert told["settings"]["maximize"] == BOTH
    assert found["objectives"] == dict.fromkeys(BOTH, "higher")
    assert found["combinations"] == len(members)
    assert {one["combination"] for one in found["front"]} <= set(members)
    assert sum(one["shared_by"] for one in found["front"]) == len(members)
    assert found["front"][0]["combination"] == told["best"]["combination"]
    assert found["front"][0]["luck"] == told["bootstrap"]["p_value_all_trials"]
    for one in found["front"]:
        row = table.loc[one["combination"]]
        assert one["values"] == {name: row[name] for name in BOTH}
        assert one["parameters"]["k_atr"] == row["k_atr"]
    assert found["compromise"]["combination"] in members


def test_the_answer_is_a_table_on_one_screen(folder, ran, table):
    lines = ran.stdout.splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"Pareto set of {len(table)} combinations by Return [%] and Max.")
    assert "that no other beats in both" in " ".join(ran.stdout.split())
    first = next(line for line in lines if line.startswith("best "))
    assert f"{table['Return [%]'][by_definition(table)].max():.3f}" in first
    assert any(line.startswith("compromise ") for line in lines)
    assert any(line.startswith("Buy & hold ") for line in lines)
    assert "as good" in ran.stdout
    assert "as good by luck: by Return [%]" in " ".join(ran.stdout.split())


@pytest.mark.slow
def test_the_settings_come_back_from_a_file(folder, ran):
    saved = (folder / "run.toml").read_text()
    assert 'maximize = ["Return [%]", "Max. Drawdown [%]"]' in saved
    again = command(folder, "--config", "run.toml", "--output", "again", "--no-store")
    assert again.returncode == 0, again.stderr
    texts = [(folder / name / "pareto.csv").read_bytes() for name in ("bigbar_output", "again")]
    assert texts[0] == texts[1]
    one = command(folder, "--config", "run.toml", "--maximize", "SQN", "--output", "again",
                  "--no-store", "--no-validate", "--save-config", "one.toml")  # fmt: skip
    assert one.stdout.startswith("Best of 156 combinations by SQN:")
    assert 'maximize = "SQN"' in (folder / "one.toml").read_text()
    assert not (folder / "again" / "pareto.csv").exists()  # Of an earlier run: removed.


@pytest.mark.slow
def test_it_is_kept_and_shown_again(folder, ran):
    shown = command(folder, "show", "1").stdout
    assert "Pareto set of 156 combinations by Return [%] and Max. Drawdown [%]" in shown
    assert re.search(r"^Objective +Return \[%\], Max\. Drawdown \[%\], of those", shown, re.M)
    drawn = command(folder, "report", "1")
    assert drawn.returncode == 0, drawn.stderr
    assert 'id="pareto"' in (folder / "bigbar_output" / "report-1.html").read_text()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("SQN", "sqn"), "'SQN' is to be maximized twice"),
        (("SQN", "Shrpe Ratio"), "did you mean 'Sharpe Ratio'"),
    ],
)
def test_what_is_no_objective_is_refused(folder, asked, said):
    found = command(folder, "bars.csv", *(f"--maximize={name}" for name in asked))
    assert found.returncode == 2
    assert said in found.stderr
    assert "Traceback" not in found.stderr


# ------------------------------------------------------------------------------------ from Python


def test_python_has_the_same(folder, table):
    found = bigbar.optimize(
        folder / "bars.csv", maximize=BOTH, min_trades=5, atr_period="10,14,20",
        k_atr="0.8:2:0.1", uptail_max_ratio="0.5,0.7", previous_weight="0.1,0.4", workers=1,
        verify=0, validate=False,
    )  # fmt: skip
    frame = found.pareto
    assert sorted(frame.index) == by_definition(table)
    assert found.best_parameters == {name: frame.iloc[0][name] for name in found.best_parameters}
    assert found.compromise_parameters in [
        {name: row[name] for name in found.best_parameters} for _, row in frame.iterrows()
    ]
    assert "for Return [%] and Max. Drawdown [%]" in repr(found)
    page = found.plot_pareto(folder / "front.html", show=False)
    text = page.read_text()
    assert 'id="pareto"' in text
    assert 'id="verdict"' not in text


def test_a_notebook_shows_the_set_with_figures_as_people_write_them():
    outcome = small_outcome(maximize=OPPOSED, k_atr=(0.8004, 1.1004, 1.5004))
    frame = Optimization(outcome).pareto
    first, shown = frame.iloc[0], frame._repr_html_()
    cells = re.findall(r"<td>(.*?)</td>", shown)[: frame.shape[1]]
    assert statistic("Return [%]", first["Return [%]"], with_unit=False) in cells
    assert value_text(first["k_atr"]) in cells
    assert not re.search(r"<td>-?\d+\.\d{5,}<", shown)
    assert type(frame.head(2)) is pd.DataFrame
    pd.testing.assert_frame_equal(pd.DataFrame(frame), outcome.pareto.frame())
    assert pickle.loads(pickle.dumps(frame))._repr_html_() == shown


def test_of_one_objective_there_is_no_set(folder):
    found = bigbar.optimize(folder / "bars.csv", k_atr=[1, 2], atr_period=10, verify=0,
                            uptail_max_ratio=0.7, previous_weight=0.1, workers=1,
                            validate=False)  # fmt: skip
    assert found.pareto is None
    assert found.compromise_parameters is None
    with pytest.raises(SettingsError, match="there is no Pareto set"):
        found.plot_pareto()


# --------------------------------------------------------------------------- what is said of it


def test_a_card_names_the_compromise():
    outcome = small_outcome(maximize=OPPOSED)
    text = card_html(outcome, None, to_come=False)
    assert "Pareto set by Return [%] and Volatility (Ann.) [%]" in text
    assert "Pareto set" not in card_html(small_outcome(), None, to_come=False)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize(
    "maximize",
    [OPPOSED, [*BOTH, "Max. Drawdown Duration", "Exposure Time [%]", "Win Rate [%]"],
     ["SQN", lambda stats: -stats["# Trades"]]],
)  # fmt: skip
def test_every_line_fits(maximize, width):
    outcome = small_outcome(maximize=maximize)
    text = front_text(outcome, outcome.pareto, 9, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    words = " ".join(text.split())
    assert all(name in words for name in ("best", "Buy & hold", "atr"))


def test_where_nothing_counts_it_is_said_why():
    outcome = small_outcome(maximize=OPPOSED)
    outcome.table.column(OPPOSED[1])[:] = np.nan
    outcome.changed()
    outcome.best = outcome.table.best(outcome.choice)
    assert outcome.best is None
    assert outcome.pareto is None
    said = " ".join(answer(outcome, files=[]).split())
    assert "No combination that traded has a value of each of Return [%] and Vola" in said


def test_of_an_unfinished_run_it_is_what_there_is_so_far():
    outcome = small_outcome(maximize=OPPOSED)
    outcome.table.values[8:] = np.nan
    outcome.changed()
    outcome.best = outcome.table.best(outcome.choice)
    outcome.stopped_by = 2
    text = answer(outcome, files=[])
    assert text.startswith("Stopped after 8 of 12 combinations.\n\nPareto set so far of 8")


def test_a_choice_that_is_not_of_the_set_stands_before_it():
    outcome = small_outcome(maximize=OPPOSED)
    outcome.best = next(number for number in range(12) if number not in outcome.pareto.numbers)
    text = answer(outcome, files=[])
    assert text.startswith("Best of 12 combinations by Return [%]:\n  atr_period ")
    assert "Pareto set of 12 combinations" in text


# ------------------------------------------------------------------------------ proof and luck


@pytest.mark.slow
def test_half_of_the_replays_are_of_the_set():
    outcome = small_outcome(maximize=OPPOSED, atr_period=tuple(range(10, 22)))
    outcome.kept, outcome.carried = np.zeros(72, bool), Carried.nothing(72)
    outcome.execution = Execution(verify=20)
    tasks = _tasks(outcome)
    numbers = [task.number for task in tasks]
    assert len(numbers) == len(set(numbers)) == 21
    found = outcome.pareto
    assert numbers[0] == outcome.best == found.points[0]
    assert len(set(numbers) & set(found.points.tolist())) >= min(10, len(found.points))
    always = {task.number for task in tasks if task.deadline is None}
    assert always == {outcome.best, int(found.points[found.compromise])}
    outcome.execution = Execution(verify=1)
    assert len(_tasks(outcome)) == 2


def test_luck_of_each_is_what_it_would_be_had_it_been_chosen():
    space = grid_of(6, 5, 4)
    returns = noise(len(space), 100, 3, traded=0.7)
    table = table_from_returns(space, returns)
    table.values[:, COLUMN["Win Rate [%]"]] = np.random.default_rng(1).random(len(space))
    choice = Choice.of(["Sharpe Ratio", "Win Rate [%]"])
    more = {"periods_per_year": 252, "resamples": 199, "earlier_trials": 300}
    found = assess_luck(returns, table, choice, table.best(choice), **more)
    points = pareto_set(table, choice).points.tolist()
    assert len(points) > 2
    assert list(found.pareto_luck) == points
    for number in points:
        alone = assess_luck(returns, table, choice, number, **more).bootstrap
        assert found.pareto_luck[number] == alone.p_value_all_trials
    one = assess_luck(returns, table, Choice.by_name("Sharpe Ratio"), points[0], **more)
    assert one.pareto_luck is None
    assert one.bootstrap == found.bootstrap


def test_a_compromise_of_few_trades_is_no_advice():
    outcome = small_outcome(maximize=OPPOSED)
    trades, found = outcome.table.column("# Trades"), outcome.pareto
    trades[:] = 40
    trades[found.points[found.compromise]] = 3
    assert found.compromise
    outcome.findings = Findings(Verdict("green", "Good.", ()))
    assert next_step(outcome).startswith("Ask for more trades: --min-trades 30.")
    trades[:] = 40
    assert not next_step(outcome).startswith("Ask for more trades")
