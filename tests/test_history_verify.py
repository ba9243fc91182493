"""`verify`: a stored run against `backtesting.py` and its price file, as they are now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from history_tools import Asked, fail, falsify, stored
from store_tools import change, forge

from bigbar.verification.replay import sample


def path_of(folder: Path) -> Path:
    run, _, _ = stored(folder, 1)
    return Path(run.data["path"])


def move(folder: Path, path: str) -> None:
    forge(folder, "UPDATE runs SET data = ? WHERE id = 1", json.dumps({"path": path}))


@pytest.mark.parametrize("number", ["1", "2"])
def test_it_agrees(capsys, kept_runs, number):
    asked = Asked(capsys, kept_runs, "verify", number, "--sample", "3")
    assert (asked.code, asked.err) == (0, "")
    words = " ".join(asked.out.split())
    assert words.startswith(f"Run {number} is as it was.")
    assert "4 combinations through backtesting.py: 4 with all 30 statistics as stored" in words
    assert "Rows 12, with the hash of the run's result" in words
    assert "Changed" not in words


def test_for_machines(capsys, kept_runs):
    run, _, _ = stored(kept_runs, 1)
    told = Asked(capsys, kept_runs, "verify", "1", "--sample", "4", "--seed", "7", "--json").json
    assert told["ok"]
    assert (told["problems"], told["changed"], told["differing"]) == ([], [], 0)
    assert told["replayed"] == [run.best, *sample(12, 4, 7, without={run.best})]
    assert told["hash_matches"]
    assert told["largest"] < 1e-9


def test_a_sample_larger_than_the_grid_is_all_of_it(capsys, kept_runs):
    told = Asked(capsys, kept_runs, "verify", "1", "--sample", "999", "--json").json
    assert sorted(told["replayed"]) == list(range(12))


@pytest.mark.parametrize("name", ["Sharpe Ratio", "# Trades", "Max. Drawdown Duration"])
def test_a_falsified_row_is_found(capsys, spoilable_runs, name):
    """Rows and checksum fit each other; what they say is not so."""
    run, _, _ = stored(spoilable_runs, 1)
    falsify(spoilable_runs, 1, run.best, name, 0.5 if name == "Sharpe Ratio" else 3.6e12)
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--sample", "0")
    assert asked.code == 1
    words = " ".join(asked.out.split())
    assert words.startswith("Run 1 is not as it was.")
    assert "the hash of the stored rows is not that of the run's result" in words
    assert "stored rows and backtesting.py disagree:" in words
    assert f"combination {run.best} (" in words
    assert f"{name} is" in words
    assert "1 combination through backtesting.py: 0 with" in words
    assert asked.err == ""


def test_a_falsified_row_that_is_not_replayed_is_found_by_the_hash(capsys, spoilable_runs):
    run, _, _ = stored(spoilable_runs, 1)
    falsify(spoilable_runs, 1, (run.best + 1) % 12, "Equity Final [$]", 1e-9)
    told = Asked(capsys, spoilable_runs, "verify", "1", "--sample", "0", "--json")
    assert told.code == 1
    assert told.json["hash_matches"] is False
    assert told.json["differing"] == 0
    assert len(told.json["problems"]) == 1


def test_a_falsified_hash_hides_nothing(capsys, spoilable_runs):
    from bigbar.results import ResultTable

    run, _, _ = stored(spoilable_runs, 1)
    falsify(spoilable_runs, 1, run.best, "SQN", 1.0)
    run, values, _ = stored(spoilable_runs, 1)
    digest = ResultTable(run.grid, values).sha256()
    forge(spoilable_runs, "UPDATE runs SET result_sha256 = ? WHERE id = 1", digest)
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--sample", "0")
    assert asked.code == 1
    assert "SQN is" in asked.out


def test_a_falsified_best_is_found(capsys, spoilable_runs):
    forge(spoilable_runs, "UPDATE runs SET best_value = best_value + 1 WHERE id = 1")
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--sample", "0")
    assert asked.code == 1
    assert "the best has Return [%]" in asked.out


def test_damaged_rows_are_found(capsys, spoilable_runs):
    change(spoilable_runs, "UPDATE blocks SET rows = rows + 1 WHERE run = 1")
    asked = Asked(capsys, spoilable_runs, "verify", "1")
    assert asked.code == 1
    assert "rows of run 1 are damaged (its checksum does not match)" in asked.out
    assert "12 rows of run 1 that had been stored cannot be read" in asked.out
    assert "through backtesting.py" not in asked.out  # There is nothing to compare.


# ---------------------------------------------------------------------------------- the bars


def test_a_changed_price_is_found(capsys, spoilable_runs):
    lines = path_of(spoilable_runs).read_text().splitlines(keepends=True)
    cells = lines[200].split(",")
    cells[4] = str(float(cells[4]) + 1e-5)
    lines[200] = ",".join(cells)
    changed = spoilable_runs / "changed.csv"
    changed.write_text("".join(lines))
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--data", str(changed))
    assert asked.code == 1, asked.err
    assert "are not those of the run" in asked.out
    assert "through backtesting.py" not in asked.out


def test_a_shortened_file_is_found(capsys, spoilable_runs):
    lines = path_of(spoilable_runs).read_text().splitlines(keepends=True)
    changed = spoilable_runs / "changed.csv"
    changed.write_text("".join(lines[:-5]))
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--data", str(changed))
    assert asked.code == 1
    assert "has 395 bars, the run's had 400 or more" in " ".join(asked.out.split())


def test_a_lengthened_file_is_found(capsys, spoilable_runs):
    lines = (Path(__file__).parents[1] / "example.csv").read_text().splitlines(keepends=True)
    changed = spoilable_runs / "changed.csv"
    changed.write_text("".join(lines[:500]))
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--data", str(changed))
    assert asked.code == 1
    assert "are not those of the run" in asked.out


def test_a_moved_file(capsys, spoilable_runs):
    gone = str(spoilable_runs / "gone" / "bars.csv")
    where = path_of(spoilable_runs)
    move(spoilable_runs, gone)
    asked = Asked(capsys, spoilable_runs, "verify", "1")
    assert asked.refused("gone", "If the file was moved, name it with --data FILE.")
    moved = shutil.copy(where, spoilable_runs / "moved.csv")
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--sample", "0", "--data", str(moved))
    assert asked.code == 0
    # The same bars in another dialect are the same bars.
    moved.write_text(moved.read_text().replace(",", ";"))
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--sample", "0", "--data", str(moved))
    assert asked.code == 0, asked.out


def test_what_is_wrong_is_said_even_without_the_file(capsys, spoilable_runs):
    move(spoilable_runs, str(spoilable_runs / "gone.csv"))
    falsify(spoilable_runs, 1, 3, "Equity Final [$]", 1.0)
    asked = Asked(capsys, spoilable_runs, "verify", "1")
    assert asked.code == 1
    assert "the hash of the stored rows" in asked.out
    assert "gone.csv does not exist" in asked.out.replace("\n       ", "")


# ------------------------------------------------------------------------------- other versions


def test_another_version_of_a_package_is_named_and_no_error(capsys, spoilable_runs):
    forge(
        spoilable_runs,
        "UPDATE runs SET identity = json_set(identity, '$.packages.numpy', '1.0') WHERE id = 1",
    )
    asked = Asked(capsys, spoilable_runs, "verify", "1", "--sample", "0")
    assert asked.code == 0
    assert "since the run: versions of packages" in " ".join(asked.out.split())


def test_an_engine_that_there_is_not(capsys, spoilable_runs):
    forge(
        spoilable_runs,
        "UPDATE runs SET identity = json_set(identity, '$.engine', 'abacus') WHERE id = 1",
    )
    assert Asked(capsys, spoilable_runs, "verify", "1").refused("engine 'abacus'", "does not have")


def test_failed_combinations_are_not_replayed(capsys, spoilable_runs):
    run, _, _ = stored(spoilable_runs, 1)
    failed = (run.best + 1) % 12
    fail(spoilable_runs, 1, [failed])
    told = Asked(capsys, spoilable_runs, "verify", "1", "--sample", "50", "--json").json
    assert sorted({*told["replayed"], failed}) == list(range(12))
    assert failed not in told["replayed"]
    assert np.isfinite(told["largest"])
