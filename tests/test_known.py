"""A run that comes to the result of an earlier one takes over what was found out about it."""

import json
from pathlib import Path

import pytest

from bigbar.private_cache import Damaged, find_folder, read, write
from bigbar_multiprocessing_optimized import main

ROOT = Path(__file__).resolve().parents[1]
GRID = ["--atr-period", "20:30:5", "--k-atr", "1:3:.5", "--buffer-ratio", "0.01",
        "--uptail-max-ratio", "0.7", "--previous-weight", "0.1,0.3"]  # fmt: skip


def run(folder: Path, *words: str) -> dict:
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    (folder / "bars.csv").write_text("".join(lines[:1501]))
    command = [str(folder / "bars.csv"), *GRID, "--workers", "2", "--no-progress"]
    main([*command, "--output", str(folder / "out"), *words])
    return json.loads((folder / "out" / "summary.json").read_text())


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("bigbar.known._folder", lambda: tmp_path / "known")
    # However busy the machine is, all of the sample are replayed.
    monkeypatch.setattr("bigbar.outcome.Execution.verify_seconds", 600.0)


def worth(summary: dict) -> dict:
    """What the run is worth, and not when it was found out."""
    names = (
        "verdict", "bootstrap", "pbo", "plateau", "costs", "perturbation", "buy_and_hold",
        "deflated_sharpe", "validation_notes", "best",
    )  # fmt: skip
    return {name: summary[name] for name in names}


def before(summary: dict) -> int:
    assert summary["verification"]["combinations"] == summary["verification"]["wanted"] == 21
    return summary["verification"]["replayed_before"]


@pytest.mark.slow
def test_the_same_result_is_known(tmp_path, capsys):
    first = run(tmp_path)
    assert before(first) == 0
    assert "luck: the returns" in capsys.readouterr().err
    second = run(tmp_path)
    said = capsys.readouterr()
    assert before(second) == 20
    assert "luck: the returns" not in said.err
    assert "1 combination replayed through backtesting.py, 20 before: all equal" in said.out
    assert worth(second) == worth(first)
    # What was asked for by its number is done, and so is everything with --fresh.
    assert before(run(tmp_path, "--verify", "20")) == 0
    assert before(run(tmp_path, "--fresh")) == 0
    assert "luck: the returns" in capsys.readouterr().err
    # Another objective is another question.
    other = run(tmp_path, "--maximize", "Sharpe Ratio")
    assert before(other) == 0
    assert other["bootstrap"]["objective"] == "Sharpe Ratio"


@pytest.mark.slow
def test_bars_held_back_are_opened_again(tmp_path):
    first = run(tmp_path, "--holdout", "0.2")
    second = run(tmp_path, "--holdout", "0.2")
    assert (before(first), before(second)) == (0, 20)
    assert [each["holdout"]["openings"] for each in (first, second)] == [1, 2]
    without = [each["holdout"] | {"openings": 0} for each in (first, second)]
    assert without[0] == without[1]


@pytest.mark.slow
def test_what_has_decayed_is_found_out_again(tmp_path, capsys):
    first = run(tmp_path)
    kept = sorted((tmp_path / "known").glob("*.known"))
    assert len(kept) == 2
    for path in kept:
        held = bytearray(path.read_bytes())
        held[len(held) // 2] ^= 1
        path.write_bytes(held)
    capsys.readouterr()
    second = run(tmp_path)
    assert before(second) == 0
    assert "luck: the returns" in capsys.readouterr().err
    assert worth(second) == worth(first)
    assert before(run(tmp_path)) == 20


@pytest.mark.slow
def test_nothing_is_known_without_the_store(tmp_path):
    assert [before(run(tmp_path, "--no-store")) for _ in range(2)] == [0, 0]


def test_a_file_is_no_other_ones(tmp_path):
    write(tmp_path / "here", "one", b"found")
    assert read(tmp_path / "here", "one") == b"found"
    assert read(tmp_path / "there", "one") is None
    with pytest.raises(Damaged):
        read(tmp_path / "here", "other")


def test_a_folder_that_is_given_is_the_one(tmp_path):
    assert find_folder(tmp_path, "x", given=str(tmp_path / "g")) == tmp_path / "g" / "bigbar" / "x"
    assert find_folder(tmp_path, "x", given="") == tmp_path / "x"
