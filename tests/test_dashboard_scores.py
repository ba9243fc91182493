"""The scores of a run that come in piece by piece, against all of them looked at at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bigbar.choice import Choice
from bigbar.dashboard.present import duration_text, objective_text
from bigbar.dashboard.scores import MOST_CELLS, Scores
from bigbar.results import best_of
from bigbar.space import Space
from bigbar.statistics import COLUMN, NAMES


def made(space: Space, name: str, seed: int) -> np.ndarray:
    """Rows of whole numbers, so that some are equal; of a tenth no trades."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(len(space), len(NAMES)))
    rows[:, COLUMN[name]] = rng.integers(-9, 9, len(space))
    rows[:, COLUMN["# Trades"]] = rng.integers(0, 10, len(space))
    rows[rng.random(len(space)) < 0.05] = np.nan
    return rows


def spaces() -> list[Space]:
    whole = Space.of(a=[1, 2, 3], b=list(range(7)), c=[0.5, 0.7], d=["x"])
    long = Space.of(a=list(range(MOST_CELLS * 2 + 17)), b=[True, False, None])
    return [whole, whole.where(lambda point: point.a + point.b != 4), long, Space.of(a=[1, 2, 3])]


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("name", ["Return [%]", "Max. Drawdown Duration"])
@pytest.mark.parametrize("asked_first", [True, False])
def test_any_pair_as_if_looked_at_at_once(which: int, name: str, asked_first: bool):
    space, choice = spaces()[which], Choice.by_name(name, 2)
    rows = made(space, choice.objective.name, which)
    scores = Scores(space, choice)
    names = scores.axes()
    down, across = (names[0], names[1]) if len(names) > 1 else ("", names[0])
    if asked_first:
        assert scores.heatmap(down, across) is not None
    cuts = [
        0,
        *sorted(np.random.default_rng(which).choice(len(space), 2, replace=False)),
        len(space),
    ]
    pieces = list(itertools.pairwise(cuts))
    for start, stop in [pieces[2], pieces[0]]:  # In any order; the middle is not there yet.
        if stop > start:
            scores.add(int(start), int(stop), rows[start:stop])
    known = np.zeros(len(space), bool)
    known[: cuts[1]] = known[cuts[2] :] = True
    every = choice.scores(rows[:, COLUMN[choice.objective.name]], rows[:, COLUMN["# Trades"]])
    every[~known] = np.nan
    assert scores.best == best_of(every)
    assert (scores.done == known).all()
    found = scores.heatmap(down, across)
    assert found is not None
    expected: dict[tuple[int, int], list[float]] = {}
    for number in np.flatnonzero(known):
        cell = tuple(
            place_of(space, name, int(number), len(found[side]["labels"]))
            for side, name in (("down", down), ("across", across))
        )
        expected.setdefault(cell, []).append(float(every[number]))
    sign = 1 if found["higher"] else -1
    for y, row in enumerate(found["cells"]):
        for x, value in enumerate(row):
            scored = [one for one in expected.get((y, x), []) if one == one]
            if (y, x) not in expected:
                assert value is None
            elif not scored:
                assert value is False
            else:
                assert value == sign * max(scored)
    assert found["known"] == len(expected)
    assert len(found["cells"]) <= MOST_CELLS
    if scores.best is not None:
        assert found["cells"][found["best"][0]][found["best"][1]] == scores.value()


def place_of(space: Space, name: str, number: int, cells: int) -> int:
    if not name:
        return 0
    axis = space.parameters[space.names.index(name)]
    return space.places(number)[space.names.index(name)] * cells // len(axis)


def test_labels_of_values_that_share_a_cell():
    space = Space.of(a=list(range(MOST_CELLS * 2)), b=[1, 2])
    found = Scores(space, Choice.by_name("Return [%]")).heatmap("b", "a")
    assert found is not None
    assert found["across"]["labels"][:2] == ["0 … 1", "2 … 3"]
    assert found["down"]["labels"] == ["1", "2"]


@pytest.mark.parametrize("pair", [("a", "a"), ("x", "a"), ("a", "x"), ("", "a"), ("a", "")])
def test_what_is_no_pair(pair: tuple[str, str]):
    space = Space.of(a=[1, 2], b=[1, 2])
    assert Scores(space, Choice.by_name("Return [%]")).heatmap(*pair) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (float("nan"), "–"), (float("inf"), "–"), (0.25, "0.2 s"), (45.4, "45 s"),
        (300, "5 min"), (9000, "2.5 h"), (4e5, "4.6 days"),
    ],
)  # fmt: skip
def test_how_long_something_takes(seconds: float | None, text: str):
    assert duration_text(seconds) == text


def test_an_objective_in_words():
    assert objective_text("Return [%]", 12.3456) == "12.35"
    assert objective_text("Max. Drawdown Duration", 86_400e9 * 3) == "3.0 days"
    assert objective_text("a function", 2.0) == "2"
    assert objective_text("Return [%]", None) == "–"
