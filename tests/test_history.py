"""`python -m bigbar` on real small runs."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_run import AXES
from test_docs import blocks, text_of

import bigbar
from bigbar.history.command import main, make_parser
from bigbar.history.tables import table
from bigbar.statistics import COLUMN
from bigbar.store.runs import RunStore

ROOT = Path(__file__).resolve().parents[1]
HISTORY = text_of(ROOT / "docs" / "history.md")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Two runs in a folder: the second's grid is larger, and costs more."""
    folder = tmp_path_factory.mktemp("kept")
    source = folder / "bars.csv"
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    source.write_text("".join(lines[:401]))
    axes = {"atr_period": (10, 20), "uptail_max_ratio": 0.7, "buffer_ratio": 0.01}
    for k_atr, commission in ((AXES["k_atr"], 0.0), ((0.8, 1.1, 1.5), 1e-4)):
        bigbar.optimize(
            source,
            **axes,
            k_atr=k_atr,
            previous_weight=(0.1, 0.4),
            commission=commission,
            workers=1,
            verify=1,
            validate=False,
            engine="backtesting",
            store=folder,
        )
    return folder


@pytest.fixture
def folder(kept, tmp_path):
    """A copy to spoil."""
    return Path(shutil.copytree(kept, tmp_path / "copy"))


def run(capsys, folder, *arguments):
    code = main([*arguments, "--output", str(folder)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_history_lists_the_newest_last(capsys, kept):
    code, out, _ = run(capsys, kept, "history")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split()[:5] == ["id", "begun", "state", "grid", "seconds"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    assert all("finished" in line for line in lines[1:])
    assert all(len(line) <= 80 for line in lines)


def test_history_for_machines(capsys, kept):
    _, out, _ = run(capsys, kept, "history", "--json")
    newest, oldest = json.loads(out)
    assert (newest["id"], oldest["id"]) == (2, 1)
    assert oldest["combinations"] == 12
    assert oldest["best_parameters"].keys() == AXES.keys()


def test_show_prints_what_was_printed(capsys, kept):
    with RunStore(kept, read_only=True) as store:
        answer = store.told(1).answer
    code, out, _ = run(capsys, kept, "show", "1")
    assert code == 0
    assert answer is not None
    assert out.startswith(answer.rstrip())
    assert "fingerprint" in out


def test_show_for_machines_has_the_summary(capsys, kept):
    _, out, _ = run(capsys, kept, "show", "last", "--json")
    told = json.loads(out)
    assert told["id"] == 2
    assert told["summary"]["settings"]["commission"] == 1e-4
    assert told["summary"]["verdict"] is None


def test_compare(capsys, kept):
    code, out, _ = run(capsys, kept, "compare", "1", "2")
    assert code == 0
    assert "commission" in out
    assert "k_atr" in out
    _, out, _ = run(capsys, kept, "compare", "1", "2", "--json")
    found = json.loads(out)
    assert found["shared"] == 8  # 2 periods, 2 of 3 factors, 2 weights.
    # Costs make every combination that traded worse.
    assert (found["better"], found["worse"]) == (0, 8)
    assert {row["name"] for row in found["differing"]} == {"commission", "k_atr"}


def test_compare_with_itself(capsys, kept):
    _, out, _ = run(capsys, kept, "compare", "1", "1")
    assert "Nothing differs" in out
    assert "the same, to the last bit" in out


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_export(capsys, kept, tmp_path, kind):
    to = tmp_path / f"rows.{kind}"
    code, out, _ = run(capsys, kept, "export", "1", "--format", kind, "--to", str(to))
    assert code == 0
    assert "12 combinations" in out
    read = {"parquet": pd.read_parquet, "csv": pd.read_csv, "json": pd.read_json}[kind]
    found = read(to)
    with RunStore(kept, read_only=True) as store:
        values, _ = store.values(store.run(1))
    for name in ("Return [%]", "# Trades", "Sharpe Ratio"):
        np.testing.assert_allclose(
            found[name].to_numpy(np.float64), values[:, COLUMN[name]], rtol=1e-12
        )


def test_delete(capsys, folder):
    code, out, _ = run(capsys, folder, "delete", "1")
    assert code == 0
    assert out.startswith("deleted run 1; ")
    _, out, err = run(capsys, folder, "show", "1")
    assert out == ""
    assert "there is no run 1" in err


def test_verify_agrees(capsys, kept):
    code, out, _ = run(capsys, kept, "verify", "1", "--sample", "3")
    assert code == 0
    assert "4 combinations replayed through backtesting.py, all equal" in out


def test_verify_finds_a_falsified_row(capsys, folder):
    """The rows and their checksum fit; what they say is not so."""
    with RunStore(folder, read_only=True) as store:
        values, _ = store.values(store.run(1))
        best = store.run(1).best
    values[best, COLUMN["Sharpe Ratio"]] += 0.5
    falsify(folder, values)
    code, out, _ = run(capsys, folder, "verify", "1", "--sample", "0")
    assert code == 1
    assert "not those of the stored result hash" in out
    assert "Sharpe Ratio is" in out


def falsify(folder: Path, values: np.ndarray) -> None:
    """Write other rows in the place of those of run 1, in one slice, as the store would."""
    from bigbar.store.owner import Owner
    from bigbar.store.rows import Finished, Slice
    from bigbar.store.writer import SliceWriter

    connection = sqlite3.connect(folder / "runs.sqlite")
    connection.execute("DELETE FROM slices WHERE run = 1")
    owner = Owner.of_this_process()
    connection.execute("UPDATE runs SET owner = ? WHERE id = 1", (owner.text(),))
    connection.commit()
    connection.close()
    writer = SliceWriter(
        folder / "runs.sqlite", 1, owner, done=np.zeros(len(values), bool), seconds_before=0.0
    )
    writer.put(Finished(Slice(0, len(values)), values, []))
    writer.close()
    assert writer.problem is None


def test_verify_finds_changed_bars(capsys, folder):
    source = Path(json.loads(run(capsys, folder, "show", "1", "--json")[1])["data"]["path"])
    changed = folder / "changed.csv"
    lines = source.read_text().splitlines(keepends=True)
    changed.write_text("".join([*lines[:-1], lines[-2]]))
    code, out, _ = run(capsys, folder, "verify", "1", "--data", str(changed))
    assert code == 1
    assert "the price file has" in out


def test_a_moved_file_is_named(capsys, folder, kept):
    connection = sqlite3.connect(folder / "runs.sqlite")
    connection.execute("""UPDATE runs SET data = json_set(data, '$.path', '/gone/bars.csv')""")
    connection.commit()
    connection.close()
    code, _, err = run(capsys, folder, "verify", "1")
    assert code == 2
    assert "name it with --data FILE" in err
    code, _, _ = run(capsys, folder, "verify", "1", "--data", str(kept / "bars.csv"))
    assert code == 0


def test_profile(capsys, kept):
    code, out, _ = run(capsys, kept, "profile", "1")
    assert code == 0
    assert out.startswith("Verdict")
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "7"], "there is no run 7"),
        (["show", "seven"], "'seven' is no run"),
        (["compare", "1", "8"], "there is no run 8"),
    ],
)
def test_wrong_runs(capsys, kept, arguments, message):
    code, out, err = run(capsys, kept, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


def test_no_store(capsys, tmp_path):
    code, _, err = run(capsys, tmp_path, "history")
    assert code == 2
    assert "there is no" in err
    (tmp_path / "runs.sqlite").write_bytes(zlib.compress(b"x" * 5000) + b"y" * 5000)
    code, _, err = run(capsys, tmp_path, "history")
    assert code == 2
    assert err.startswith("error: ")


def test_whoever_reads_may_leave(kept):
    """`| head -1`: no traceback, no complaint."""
    command = [sys.executable, "-m", "bigbar", "show", "1", "--output", str(kept)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert complaint == b""


def test_tables_fit():
    drawn = table(("a", "long", "n"), [("x" * 50, "y" * 60, "1")], right="  r", width=40)
    assert all(len(line) <= 40 for line in drawn.splitlines())
    assert "…" in drawn
    assert drawn.splitlines()[1].endswith("1")


def test_the_page_has_every_commands_help():
    """Word for word, as a terminal of 80 columns shows it."""
    shown = blocks(HISTORY, "text")
    actions = make_parser()._subparsers._group_actions[0]
    for name in actions.choices:
        assert any(f"python -m bigbar {name}" in block for block in shown), name
        for option in actions.choices[name]._option_string_actions:
            if option.startswith("--") and option != "--help":
                assert option in HISTORY, option
