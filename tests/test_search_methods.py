"""What every search has to do, and what each of them is known for."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from backtesting.test import EURUSD

import bigbar
from bigbar.constraint import Constraint
from bigbar.errors import SettingsError
from bigbar.search.contract import Ground
from bigbar.search.find import SEARCHES, Asking, Search
from bigbar.search.tries import Tries
from bigbar.space import Space
from bigbar.strategies.sma_cross import SmaCross

ROOT = Path(__file__).resolve().parents[1]

EVERY = [
    pytest.param(name, marks=pytest.mark.torch) if name == "optuna:gp" else name
    for name in SEARCHES
]

SPACE = Space.of(
    a=range(40), b=[i / 10 for i in range(30)], c=["x", "y", "z"], d=[True, False], e=7
)

#: The only best point.
BEST = {"a": 17, "b": 0.5, "c": "y", "d": True, "e": 7}


def scores(numbers: np.ndarray, space: Space = SPACE) -> np.ndarray:
    """A hill with one top, full of holes where points do not count."""
    places = np.stack(np.unravel_index(numbers, space.shape), axis=1)
    height = -((places[:, 0] - 17) ** 2) - (places[:, 1] - 5) ** 2.0
    height -= 30 * (places[:, 2] != 1) + 10 * (places[:, 3] != 0)
    return np.where((places[:, 0] * 7 + places[:, 1]) % 11 == 0, np.nan, height)


def search(
    method: str, count: int, *, seed: int = 0, constraints=(), space: Space = SPACE
) -> Tries:
    asking = Asking(method, count, seed, space, tuple(constraints))
    tries = Tries(asking.searcher(), np.zeros(count, np.int64))
    while len(places := tries.ask()):
        numbers = tries.numbers[places.start : places.stop]
        tries.tell(places, scores(numbers, space))
    return tries


@pytest.fixture(autouse=True)
def needed(request):
    if request.node.get_closest_marker("torch"):
        pytest.importorskip("torch")


@pytest.mark.parametrize("method", EVERY)
def test_each_point_once_and_the_same_for_a_seed(method):
    one, again, other = search(method, 100), search(method, 100), search(method, 100, seed=1)
    tried = one.numbers[: one.count]
    assert one.count > 60
    assert len(set(tried)) == one.count
    assert (tried >= 0).all()
    assert (tried < SPACE.product).all()
    assert again.numbers.tolist() == one.numbers.tolist()
    assert other.numbers.tolist() != one.numbers.tolist()


@pytest.mark.parametrize("method", EVERY)
def test_it_finds_more_than_chance_does(method):
    by_chance = scores(np.random.default_rng(0).permutation(SPACE.product))
    best = [np.nanmax(search(method, 120, seed=seed).scores) for seed in range(3)]
    of_chance = [np.nanmax(by_chance[120 * turn : 120 * (turn + 1)]) for turn in range(59)]
    assert np.median(best) > np.median(of_chance)


@pytest.mark.parametrize("method", EVERY)
def test_constraints_are_met(method):
    constraints = [Constraint("a < 25 and c != 'z'", SPACE.names), lambda p: p.b > 0.25]
    tries = search(method, 60, constraints=constraints)
    points = [SPACE[number] for number in tries.numbers[: tries.count]]
    assert len(points) > 40
    assert all(p["a"] < 25 and p["c"] != "z" and p["b"] > 0.25 for p in points)


@pytest.mark.parametrize("method", EVERY)
def test_a_space_that_is_far_too_large_to_hold(method):
    huge = Space.of(**{name: range(100) for name in "abcde"})
    asking = Asking(method, 40, 0, huge)
    tries = Tries(asking.searcher(), np.zeros(40, np.int64))
    while len(places := tries.ask()):
        tries.tell(places, -np.abs(tries.numbers[places.start : places.stop] - 5e9))
    assert len(set(tries.numbers[: tries.count])) == tries.count > 30


@pytest.mark.parametrize("method", EVERY)
def test_nothing_but_failures(method):
    asking = Asking(method, 40, 0, SPACE)
    tries = Tries(asking.searcher(), np.zeros(40, np.int64))
    while len(places := tries.ask()):
        tries.tell(places, np.full(len(places), np.nan))
    assert tries.count > 20


@pytest.mark.parametrize("method", EVERY)
def test_infinite_scores_are_borne(method):
    asking = Asking(method, 60, 0, SPACE)
    tries = Tries(asking.searcher(), np.zeros(60, np.int64))
    turns = np.resize([np.inf, -np.inf, 1.0, np.nan, 2.0], 60)
    while len(places := tries.ask()):
        tries.tell(places, turns[places.start : places.stop])
    assert tries.count > 20


@pytest.mark.parametrize("method", EVERY)
def test_a_small_space_comes_to_an_end(method):
    small = Space.of(a=range(4), b=range(3))
    tries = search(method, 11, space=Space.of(a=range(4), b=range(3), c=["x"], d=[True]))
    assert small.product >= tries.count >= 6


@pytest.mark.torch
def test_a_gaussian_process_that_is_sure_of_the_best_goes_on():
    small = Space.of(a=range(8), b=range(8))
    asking = Asking("optuna:gp", 60, 0, small)
    tries = Tries(asking.searcher(), np.zeros(60, np.int64))
    while len(places := tries.ask()):
        tries.tell(places, -np.abs(tries.numbers[places.start : places.stop] - 30.0))
    assert tries.count == 60


def test_where_a_sampler_insists_on_a_point_others_are_tried_by_chance():
    samplers = pytest.importorskip("optuna").samplers
    from bigbar.search.optuna import OptunaSearch

    def sampler(seed):
        return samplers.PartialFixedSampler({"a": 3, "b": 2}, samplers.RandomSampler(seed=seed))

    small = Space.of(a=range(8), b=range(8))
    found = []
    for _ in range(2):
        ground = Ground(small, (lambda p: p.a != p.b,), 40, 0, 1)
        tries = Tries(OptunaSearch(ground, sampler, 8, insists=True), np.zeros(40, np.int64))
        while len(places := tries.ask()):
            tries.tell(places, -np.abs(tries.numbers[places.start : places.stop] - 30.0))
        assert tries.count == 40
        assert tries.numbers[0] == 3 * 8 + 2
        assert all(number // 8 != number % 8 for number in tries.numbers)
        found.append(tries.numbers.tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize(("count", "said"), [(60, "ends after 60 tries"), (600, "nothing better")])
def test_sambo_says_why_it_ends_before_that(count, said):
    plane = Space.of(a=range(46), b=[i / 10 for i in range(91)], c=["y"], d=[True])
    tries = search("sambo", count, space=plane)
    assert tries.count < count
    assert said in tries.why_ended


@pytest.mark.slow
def test_who_asks_for_the_same_again_and_again_has_ended():
    tries = search("optuna:nsga2", 11, space=Space.of(a=[17], b=[0.1, 0.2], c=["y"], d=[True]))
    assert tries.count == 2
    assert tries.why_ended == "50 times in a row it asked only for what it had tried"


def test_local_tries_all_of_a_small_space():
    tries = search("local", 239, space=Space.of(a=range(40), b=range(6), c=["x"], d=[True]))
    assert tries.count == 239


def test_local_finds_the_top():
    found = [np.nanmax(search("local", 200, seed=seed).scores) for seed in range(5)]
    assert np.median(found) >= -1


def test_asking_and_telling_take_next_to_no_time():
    """Below 0.2 ms a point, of processor time."""
    search("local", 100)
    begun = time.process_time()
    tries = search("local", 2000)
    assert tries.count == 2000
    assert time.process_time() - begun < 2000 * 0.0002


@pytest.mark.slow
def test_sambo_tries_what_backtest_optimize_does():
    parameters = {"fast": range(5, 30), "slow": range(31, 70)}
    asked = {"maximize": "Return [%]", "method": "sambo", "max_tries": 70}
    one = SmaCross
    backtest = bigbar.Backtest(EURUSD.iloc[:700], one, finalize_trades=True)
    _, theirs = backtest.optimize(**asked, random_state=3, return_heatmap=True, **parameters)
    found = bigbar.optimize(
        EURUSD.iloc[:700], one, finalize_trades=True, **asked, seed=3, engine="backtesting",
        verify=0, validate=False, workers=2, **parameters,
    )  # fmt: skip
    ours = found.heatmap()
    # SAMBO names the last of its population in place of the first ten points.
    assert len(ours) - 10 <= len(theirs) == len(theirs.index.intersection(ours.index))
    assert ours[theirs.index].to_list() == theirs.to_list()


def test_a_search_that_is_left_leaves_no_thread():
    before = threading.active_count()
    tries = Tries(Asking("sambo", 50, 0, SPACE).searcher(), np.zeros(50, np.int64))
    tries.ask()
    assert threading.active_count() == before + 1
    del tries
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("method", "module", "install"),
    [
        ("optuna:tpe", "optuna", r"\.\[search\]"),
        ("optuna:cmaes", "cmaes", r"\.\[search\]"),
        ("optuna:gp", "torch", "torch"),
        ("sambo", "joblib", r"\.\[sambo\]"),
    ],
)
def test_a_package_that_is_missing_is_named_with_what_installs_it(
    monkeypatch, method, module, install
):
    import importlib.util

    right = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == module else right(name)
    )
    with pytest.raises(SettingsError, match=f"needs .*{module}.*pip install .*{install}"):
        Search(method, 10)


@pytest.mark.slow
def test_no_package_of_a_search_is_imported_unasked():
    code = (
        "import sys, bigbar, bigbar.options, bigbar.search.find\n"
        "print(sorted({'optuna', 'sambo', 'sklearn', 'joblib', 'cmaes'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"
