"""How long a search will still take for itself, told by what it has taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest

from bigbar.errors import Interrupted
from bigbar.search.pace import Pace


class Clock:
    """A clock of the test's own."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def wait(self, seconds: float) -> None:
        self._now += seconds


def paced(seconds: Callable[[int], float], *, points: int, batch: int = 5, until: int) -> Pace:
    """Of a search that takes so long for each batch, by the points before it."""
    clock = Clock()
    pace = Pace(points, clock=clock)
    for before in range(0, until, batch):
        pace.timed(partial(clock.wait, seconds(before)))
        pace.chose(before + batch)
    return pace


def test_nothing_is_said_of_the_first_batches():
    for until in (0, 5, 10, 15):
        assert paced(lambda _: 0.001, points=100, until=until).left_s() is None
    assert paced(lambda _: 0.001, points=100, until=20).left_s() is not None


def test_a_first_batch_that_imports_does_not_speak_for_the_rest():
    pace = paced(lambda before: 0.3 if not before else 0.004, points=100, until=50)
    assert pace.left_s() == pytest.approx(10 * 0.004)
    assert pace.spent_s == pytest.approx(0.3 + 9 * 0.004)


def test_what_grows_with_the_points_is_expected_to_grow_on():
    """Half the points have taken a quarter of the time."""
    pace = paced(lambda before: 0.0005 * before, points=200, until=100)
    expected = sum(0.0005 * before for before in range(100, 200, 5))
    assert pace.left_s() == pytest.approx(expected)
    assert pace.left_s() > 2 * pace.spent_s


def test_what_becomes_quicker_is_taken_for_steady():
    pace = paced(lambda before: 0.02 - 0.0003 * before, points=200, until=50)
    assert pace.left_s() == pytest.approx(30 * (pace.spent_s - 0.02) / 9)


def test_nothing_is_left_at_the_end():
    assert paced(lambda _: 0.001, points=50, until=50).left_s() == 0


def test_a_step_that_raises_is_counted():
    def fail() -> None:
        time.sleep(0.01)
        raise Interrupted(2)

    pace = Pace(10)
    with pytest.raises(Interrupted):
        pace.timed(fail)
    assert pace.spent_s >= 0.01
    assert pace.timed(lambda: 7) == 7
