"""The search around the best points: how it gets to them, and that it is not caught."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bigbar.search.contract import Ground
from bigbar.search.find import Asking
from bigbar.search.local_model import Model
from bigbar.search.local_moves import Moves
from bigbar.search.tries import Tries
from bigbar.space import Space

#: Scores of points, whose places are given, a row each.
Landscape = Callable[[np.ndarray], np.ndarray]

SEEDS = range(9)

PLANE = Space.of(a=range(200), b=range(200))
NAMES = Space.of(a=[f"name {i}" for i in range(50)], b=[f"{i}!" for i in range(40)], c=range(30))
MANY = Space.of(**{name: range(100) for name in "abcde"})


def ridge(places: np.ndarray) -> np.ndarray:
    """A narrow ridge across both axes: no step along one of them goes up it."""
    a, b = places.T
    return 1.0 * (a + b) - 40 * np.abs(a - b)


def two_hills(places: np.ndarray) -> np.ndarray:
    """A broad hill, and a narrow one far from it that is higher."""
    a, b = places.T
    broad = np.exp(-((a - 50) ** 2 + (b - 50) ** 2) / (2 * 40**2))
    narrow = 2 * np.exp(-((a - 170) ** 2 + (b - 160) ** 2) / (2 * 8**2))
    return broad + narrow


def terraces(places: np.ndarray) -> np.ndarray:
    """Few different scores: most steps change nothing."""
    return np.floor(-np.abs(places - 77).sum(axis=1) / 40.0)


def two_names(places: np.ndarray) -> np.ndarray:
    """Each good name is worth something by itself, whatever stands next to it."""
    return 5.0 * (places[:, 0] == 31) + 5.0 * (places[:, 1] == 7) - np.abs(places[:, 2] - 11) / 10


def searched(space: Space, scores: Landscape, count: int, seed: int) -> Tries:
    asking = Asking("local", count, seed, space)
    tries = Tries(asking.searcher(), np.zeros(count, np.int64))
    ground = Ground(space, (), count, seed)
    while len(at := tries.ask()):
        tries.tell(at, scores(ground.places(tries.numbers[at.start : at.stop])))
    return tries


@pytest.mark.parametrize(
    ("space", "scores", "count", "least"),
    [
        pytest.param(PLANE, ridge, 600, 390, id="along a ridge"),
        pytest.param(PLANE, two_hills, 1000, 1.9, id="to the higher hill"),
        pytest.param(MANY, terraces, 500, -1, id="over terraces"),
        pytest.param(NAMES, two_names, 500, 9.5, id="among names"),
    ],
)
def test_it_gets_to_the_top(space, scores, count, least):
    best = [np.nanmax(searched(space, scores, count, seed).scores) for seed in SEEDS]
    assert np.median(best) >= least


def test_tries_without_anything_better_go_further_afield():
    """Of equal points none is better than the first."""

    def corner(places: np.ndarray) -> np.ndarray:
        return np.where((places < 40).all(axis=1), 1.0, np.nan)

    early, late = [], []
    for seed in SEEDS:
        tries = searched(PLANE, corner, 500, seed)
        places = Ground(PLANE, (), 500, seed).places(tries.numbers)
        far_off = (places > 100).any(axis=1)
        early.append(far_off[32:80].mean())
        late.append(far_off[400:].mean())
    assert np.median(early) < 0.25
    assert np.median(late) > 0.3


def test_moves_stay_in_the_space_and_go_to_every_value():
    space = Space.of(a=range(30), b=["x", "y", "z"], c=[True, False], d=7)
    moves = Moves(Ground(space, (), 100, 0), np.random.default_rng(0))
    places = moves.proposed(np.array([[0, 0, 0, 0], [29, 2, 1, 0], [15, 1, 0, 0]]), 4000)
    assert places.min(axis=0).tolist() == [0, 0, 0, 0]
    assert places.max(axis=0).tolist() == [29, 2, 1, 0]
    assert len(np.unique(places[:, 0])) == 30


def test_of_one_good_point_there_are_moves():
    moves = Moves(Ground(PLANE, (), 100, 0), np.random.default_rng(0))
    places = moves.proposed(np.array([[100, 100]]), 400)
    assert len(np.unique(places, axis=0)) > 50


def test_what_is_near_good_points_is_promising_and_more_so_where_little_was_tried():
    space = Space.of(a=range(100), b=["x", "y", "z"])
    good = np.array([[20, 1], [22, 1], [24, 1]])
    others = np.array([[at, kind] for at in range(40, 100, 5) for kind in range(3)])
    between, of_another_kind, among_others = Model(Ground(space, (), 100, 0)).promise(
        np.array([[21, 1], [21, 2], [70, 1]]), good, np.vstack([good, others]), tries=39
    )
    assert of_another_kind > between > among_others


def test_all_that_was_tried_is_stood_for_by_some():
    model = Model(Ground(PLANE, (), 100, 0))
    random = np.random.default_rng(0)
    assert model.sampled(list(range(150)), random).tolist() == list(range(150))
    some = model.sampled(list(range(100_000)), random)
    assert len(some) == 200
    assert some.max() > 90_000
