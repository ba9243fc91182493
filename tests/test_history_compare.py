"""`compare`: two runs side by side."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from history_tools import Asked, falsify, rehash, stored
from store_tools import change, forge

from bigbar.choice import Choice
from bigbar.history.compare import compare_runs
from bigbar.results import ResultTable
from bigbar.store.runs import RunStore

PARAMETERS = ["atr_period", "k_atr", "uptail_max_ratio", "previous_weight", "buffer_ratio"]


@pytest.fixture(scope="module")
def frames(kept_runs):
    """Both runs as tables; returns of those that traded."""
    found = []
    for number in (1, 2):
        run, values, _ = stored(kept_runs, number)
        frame = ResultTable(run.grid, values).frame()
        found.append(frame[frame["# Trades"] > 0].set_index(PARAMETERS)["Return [%]"])
    return found


@pytest.fixture(scope="module")
def found(kept_runs):
    with RunStore(kept_runs, read_only=True) as store:
        return compare_runs(store, store.run(1), store.run(2))


def test_settings_that_differ(found):
    assert found.differing == (
        ("commission", "0", "0.0001"),
        ("k_atr", "0.8 … 9 (3)", "0.8 … 1.5 (3)"),
    )


def test_how_the_same_combinations_moved(found, frames):
    """Held against pandas, which joins them by their parameters."""
    joined = pd.concat(frames, axis=1, join="inner", keys=["first", "second"])
    assert found.shared == 8  # 2 periods, 2 of 3 factors, 2 weights.
    assert found.in_both == len(joined) == 8
    moved = joined["second"] - joined["first"]
    # Costs make every combination that traded worse.
    assert (found.better, found.worse, found.same) == (0, 8, 0)
    ranks = joined.rank()
    expected = np.corrcoef(ranks["first"], ranks["second"])[0, 1]
    assert found.rank_correlation == pytest.approx(expected, rel=1e-12)
    largest = moved.abs().sort_values(ascending=False)
    assert [tuple(one.parameters.values()) for one in found.movers] == list(largest.index[:5])
    for one in found.movers:
        at = tuple(one.parameters.values())
        assert one.values == (joined["first"][at], joined["second"][at])


def test_where_the_best_stands_in_the_other(found, frames):
    for which in (0, 1):
        winner = found.winners[which]
        at = tuple(winner.parameters.values())
        assert at == frames[which].idxmax()
        for standing, frame in zip(winner.standings, frames, strict=True):
            if at not in frame.index:
                assert standing.place is None
                continue
            assert standing.in_grid
            assert standing.value == frame[at]
            assert standing.place == 1 + (frame > frame[at]).sum()
        assert winner.standings[which].place == 1
    assert found.counting == tuple(map(len, frames))


def test_pareto_sets_are_held_against_each_other(capsys, spoilable_runs):
    """Against every pair of combinations, in either run and by their parameters."""
    both = ["Return [%]", "Max. Drawdown [%]"]
    forge(
        spoilable_runs,
        "UPDATE runs SET settings = json_set(settings, '$.maximize', json(?)) WHERE id = 1",
        json.dumps(both),
    )
    members = []
    for number in (1, 2):
        run, values, _ = stored(spoilable_runs, number)
        frame = ResultTable(run.grid, values).frame()
        frame = frame[frame["# Trades"] > 0].set_index(PARAMETERS)[both]
        rows = frame.to_numpy()
        beaten = [((rows >= row).all(1) & (rows > row).any(1)).any() for row in rows]
        members.append(set(frame.index[~np.array(beaten)]))
    first, second = members
    asked = Asked(capsys, spoilable_runs, "compare", "1", "2", "--json")
    wanted = [len(first), len(second), len(first & second)]
    assert json.loads(asked.out)["pareto"] == wanted
    text = " ".join(Asked(capsys, spoilable_runs, "compare", "1", "2").out.split())
    said = "{} in run 1, {} in run 2, {} in both".format(*wanted)
    assert f"Pareto set {said}" in text


@pytest.mark.parametrize("other", [1, 2])
def test_what_counts_in_a_run_is_by_its_own_trades(capsys, spoilable_runs, other):
    forge(
        spoilable_runs,
        "UPDATE runs SET settings = json_set(settings, '$.min_trades', 100000) WHERE id = ?",
        other,
    )
    found = json.loads(Asked(capsys, spoilable_runs, "compare", "1", "2", "--json").out)
    assert [count > 0 for count in found["counting"]] == [other != 1, other != 2]


def test_in_words(capsys, kept_runs, found, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    asked = Asked(capsys, kept_runs, "compare", "1", "2")
    assert asked.code == 0
    assert max(map(len, asked.out.splitlines())) <= 80
    words = " ".join(asked.out.split())
    assert "what differs run 1 run 2 commission 0 0.0001" in words
    assert "in run 2 0 better, 8 worse, 0 the same" in words
    assert f"rank correlation {found.rank_correlation:.3f}" in words
    assert asked.out.rstrip().count("\n") > 15
    assert "moved most" in words


def test_for_machines(capsys, kept_runs, found):
    told = Asked(capsys, kept_runs, "compare", "1", "2", "--json").json
    assert told["runs"] == [1, 2]
    assert told["differing"][0] == {"name": "commission", "values": ["0", "0.0001"]}
    assert told["winners"][0]["standings"][0]["place"] == 1
    assert told["rank_correlation"] == found.rank_correlation
    assert told["movers"][0]["values"] == list(found.movers[0].values)


def test_with_itself(capsys, kept_runs):
    asked = Asked(capsys, kept_runs, "compare", "2", "last")
    assert "Nothing differs in what was asked for." in asked.out
    assert "the same, to the last bit" in asked.out
    assert "moved most" not in asked.out
    told = Asked(capsys, kept_runs, "compare", "2", "2", "--json").json
    assert (told["identical"], told["same"], told["rank_correlation"]) == (True, 12, 1.0)


def test_grids_that_share_nothing(capsys, spoilable_runs):
    axis = "UPDATE runs SET identity = json_set(identity, '$.grid.values.k_atr', json('[5, 6, 7]'))"
    forge(spoilable_runs, f"{axis} WHERE id = 2")
    asked = Asked(capsys, spoilable_runs, "compare", "1", "2")
    words = " ".join(asked.out.split())
    assert "shared combinations 0: 0 count in both" in words
    assert words.count("not in it --") == 2
    told = Asked(capsys, spoilable_runs, "compare", "1", "2", "--json").json
    assert told["rank_correlation"] is None
    assert told["winners"][0]["standings"][1] == {"in_grid": False, "value": None, "place": None}


def test_axes_of_the_same_ends(capsys, spoilable_runs):
    forge(
        spoilable_runs,
        "UPDATE runs SET identity = json_set(identity, '$.grid.values.k_atr', "
        "json('[0.8, 1.2, 9.0]')) WHERE id = 2",
    )
    told = Asked(capsys, spoilable_runs, "compare", "1", "2", "--json").json
    assert told["differing"][1]["values"] == ["0.8 … 9 (3) with 1.1", "0.8 … 9 (3) with 1.2"]


def test_packages_that_differ_are_named_alone(capsys, spoilable_runs):
    forge(
        spoilable_runs,
        "UPDATE runs SET identity = json_set(identity, '$.packages.zlib', '1.2') WHERE id = 2",
    )
    told = Asked(capsys, spoilable_runs, "compare", "1", "2", "--json").json
    assert {"name": "zlib", "values": ["--", "1.2"]} in told["differing"]
    assert len(told["differing"]) == 3


def test_another_objective_is_pointed_out(capsys, spoilable_runs):
    forge(spoilable_runs, "UPDATE runs SET objective = 'Win Rate [%]' WHERE id = 2")
    asked = Asked(capsys, spoilable_runs, "compare", "1", "2")
    assert "run 2 was to find Win Rate [%], and its best is the best by that" in " ".join(
        asked.out.split()
    )


def test_a_lower_value_can_be_the_better(capsys, spoilable_runs):
    """Direction counts: of volatility, the lower is better."""
    forge(spoilable_runs, "UPDATE runs SET objective = 'Volatility (Ann.) [%]' WHERE id = 1")
    run, values, _ = stored(spoilable_runs, 1)
    choice = Choice.by_name("Volatility (Ann.) [%]")
    table = ResultTable(run.grid, values)
    traded = table.column("# Trades") > 0
    lowest = np.min(table.column(choice.objective.name)[traded])
    number = table.best(choice)
    forge(spoilable_runs, "UPDATE runs SET best = ? WHERE id = 1", number)
    told = Asked(capsys, spoilable_runs, "compare", "1", "1", "--json").json
    assert told["winners"][0]["standings"][0]["value"] == lowest
    assert told["winners"][0]["standings"][0]["place"] == 1


def test_infinite_values_have_an_order_and_no_distance(capsys, spoilable_runs):
    run, _, _ = stored(spoilable_runs, 1)
    for number in (1, 2):
        falsify(spoilable_runs, number, run.best, "Return [%]", np.inf)
        rehash(spoilable_runs, number)
    told = Asked(capsys, spoilable_runs, "compare", "1", "2", "--json").json
    assert told["same"] == 1
    assert told["winners"][0]["standings"][1] == {"in_grid": True, "value": "inf", "place": 1}
    assert all("inf" not in one["values"] for one in told["movers"])


def test_a_run_that_is_not_finished_is_named(capsys, spoilable_runs):
    forge(spoilable_runs, "UPDATE runs SET state = 'interrupted', done = 6 WHERE id = 2")
    forge(spoilable_runs, "UPDATE runs SET state = 'failed' WHERE id = 1")
    asked = Asked(capsys, spoilable_runs, "compare", "1", "2")
    assert "Run 2 is interrupted at 50%: what it has not finished does not count." in asked.out
    assert "Run 1 failed its verification" in asked.out


def test_rows_of_another_version_are_refused(capsys, spoilable_runs):
    forge(
        spoilable_runs,
        "UPDATE runs SET identity = json_remove(identity, '$.statistics[3]') WHERE id = 2",
    )
    for command in (("compare", "1", "2"), ("export", "2"), ("verify", "2")):
        assert Asked(capsys, spoilable_runs, *command).refused("hold other statistics")


def test_damaged_rows_are_refused(capsys, spoilable_runs):
    change(spoilable_runs, "UPDATE blocks SET rows = rows + 1 WHERE run = 2")
    asked = Asked(capsys, spoilable_runs, "compare", "1", "2")
    assert asked.refused("rows of run 2 are damaged (its checksum does not match)")
