"""Equal rows are one kind, and no others are."""

from __future__ import annotations

import numpy as np
import pytest
from made_returns import noise

from bigbar.validation import distinct
from bigbar.validation.distinct import find_kinds


def repeated(combinations=3000, kinds=400):
    few = noise(kinds, 37, 1, traded=0.3)
    return few[np.random.default_rng(2).integers(0, kinds, combinations)]


def check(returns, counting, found):
    """By comparing rows as bytes."""
    rows = {}
    for number in np.flatnonzero(counting):
        rows.setdefault(returns[number].tobytes(), []).append(int(number))
    assert found.first.tolist() == sorted(group[0] for group in rows.values())
    for group in rows.values():
        place = found.place[group[0]]
        assert (found.place[group] == place).all()
        assert found.first[place] == group[0]
        assert found.counts[place] == len(group)
    assert (found.place[~counting] == -1).all()


def test_every_kind_once():
    returns = repeated()
    counting = np.random.default_rng(3).random(len(returns)) < 0.8
    check(returns, counting, find_kinds(returns, counting))


def test_a_collision_of_keys_costs_nothing_but_time(monkeypatch):
    """With all keys alike, only rows equal to the first are its kind."""

    class Zeros:
        def integers(self, low, high, size, dtype):
            return np.zeros(size, dtype)

    monkeypatch.setattr(distinct.np.random, "default_rng", lambda seed: Zeros())
    returns = np.zeros((6, 8), np.float32)
    returns[2, 3] = returns[4, 3] = 1.0
    # Keys add up the bits times one: these rows have the same sum, and differ.
    returns[3, 5] = returns[5, 6] = 1.0
    found = find_kinds(returns, np.ones(6, bool))
    for number in range(6):
        assert (returns[found.first[found.place[number]]] == returns[number]).all()
    assert found.counts.sum() == 6
    assert found.counts.tolist() == np.bincount(found.place).tolist() == [2, 2, 1, 1]


def test_nothing_counts():
    found = find_kinds(noise(5, 8, 1), np.zeros(5, bool))
    assert len(found) == 0
    assert found.place.tolist() == [-1] * 5


@pytest.mark.parametrize("left_out", [0, 1])
def test_only_some_of_the_kinds(left_out):
    returns = repeated(200, 20)
    counting = np.ones(200, bool)
    found = find_kinds(returns, counting)
    wanted = np.arange(len(found)) % 3 != left_out
    kept = found.only(wanted)
    check(returns, wanted[found.place], kept)
