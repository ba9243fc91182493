"""The bar's prediction of the end, and lines in its place, on a clock of the test's own."""

import heapq
import io
import itertools
import math

import numpy as np
import pytest

from bigbar.choice import Choice
from bigbar.executors.chunks import chunks_in_order, in_flight
from bigbar.progress.bar import Bar, Lines
from bigbar.progress.best import BestSoFar
from bigbar.statistics import COLUMN, NAMES


class ClockedBar(Bar):
    """A bar whose time is told to it."""

    now = 0.0

    def __init__(self, **options):
        super().__init__(file=io.StringIO(), miniters=1, mininterval=0, smoothing=0, **options)
        self._time = lambda: self.now
        self.start_t = self.last_print_t = 0.0

    def predicted_s(self):
        """Seconds of the whole, by the speed that is drawn; None before anything is done."""
        drawn = self.format_dict
        left = drawn["total"] - drawn["n"]
        if not left:
            return drawn["elapsed"]
        return drawn["rate"] and drawn["elapsed"] + left / drawn["rate"]


def test_nothing_is_predicted_before_anything_is_done():
    with ClockedBar(total=10, in_flight=1.0) as bar:
        assert bar.predicted_s() is None
        bar.now = 3.0
        assert bar.predicted_s() is None


def test_without_slices_under_way_the_share_done_predicts():
    with ClockedBar(total=100, in_flight=0.0) as bar:
        bar.now = 2.0
        bar.update(20)
        assert bar.predicted_s() == pytest.approx(10.0)
        assert "[00:02<00:08, 10.00it/s]" in bar.fp.getvalue()


def test_half_a_slice_of_every_other_worker_is_done_as_well():
    with ClockedBar(total=100, in_flight=10.0) as bar:
        bar.now = 3.0
        bar.update(20)
        assert bar.predicted_s() == pytest.approx(3.0 + 80 / 10)
        assert "[00:03<00:08, 10.00it/s]" in bar.fp.getvalue()


def test_a_resumed_run_is_judged_by_what_is_done_now():
    with ClockedBar(total=100, initial=60, in_flight=0.0) as bar:
        bar.now = 1.0
        bar.update(10)
        assert bar.predicted_s() == pytest.approx(4.0)


def test_what_is_expected_predicts_until_it_is_told_anew():
    """As of a search that takes ever longer to choose."""
    with ClockedBar(total=100, in_flight=0.0) as bar:
        bar.now = 2.0
        bar.update(20)
        bar.expect(30.0)
        assert bar.predicted_s() == pytest.approx(32.0)
        bar.now = 12.0
        bar.update(10)
        assert bar.predicted_s() == pytest.approx(32.0)
        bar.expect(40.0)
        assert bar.predicted_s() == pytest.approx(52.0)
        bar.now = 60.0  # It has taken longer: the speed so far is what is left to go by.
        assert bar.predicted_s() == pytest.approx(60.0 + 70 / (30 / 60.0))
        bar.update(70)
        assert bar.predicted_s() == 60.0


def test_the_end_is_what_it_took():
    with ClockedBar(total=100, in_flight=10.0) as bar:
        bar.now = 12.5
        bar.update(100)
        assert bar.predicted_s() == 12.5
        assert "[00:12<00:00,  8.00it/s]" in bar.fp.getvalue()


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16, 64])
def test_the_end_holds_from_a_fifth_on_for_any_number_of_workers(workers):
    """About 25 slices a worker, whose costs differ but even out, as in the order of a grid."""
    total = 112_840
    chunks = chunks_in_order(total, total // (25 * workers))
    free = [0.0] * workers
    ends = []
    for place, (start, stop) in enumerate(chunks):
        begun, cost = heapq.heappop(free), 0.8 + 0.4 * (place * math.sqrt(2) % 1)
        ends.append((begun + cost * (stop - start), stop - start))
        heapq.heappush(free, ends[-1][0])
    took = max(end for end, _ in ends)
    with ClockedBar(total=total, in_flight=in_flight(chunks, workers)) as bar:
        for end, size in sorted(ends):
            bar.now = end
            bar.update(size)
            if bar.n >= 0.2 * total:
                assert bar.predicted_s() == pytest.approx(took, rel=0.05)


def test_what_is_in_flight():
    assert in_flight([], 4) == 0
    assert in_flight([(0, 10), (10, 20)], 1) == 0
    assert in_flight([(0, 10), (10, 20), (20, 30)], 3) == 10
    assert in_flight([(0, 10), (10, 20)], 8) == 5, "two slices keep two workers busy"


class ClockedLines(Lines):
    """Lines whose time is told to them."""

    now = 0.0

    def __init__(self, **options):
        self.told: list[tuple[float, str]] = []
        super().__init__(lambda text: self.told.append((self.now, text)), in_flight=0.0, **options)
        self._time = lambda: self.now
        self.start_t = self.last_print_t = 0.0


def told_of(total: int, seconds: float, **options) -> list[tuple[float, str]]:
    """The lines of a run of so many backtests that takes so long, one by one."""
    with ClockedLines(total=total, **options) as lines:
        for one in range(1, total + 1):
            lines.now = one * seconds / total
            lines.update(1)
    return lines.told


def test_no_line_of_what_takes_less_than_ten_seconds():
    assert told_of(1_000, 9.9) == []


def test_lines_come_every_tenth_but_not_too_often_and_not_too_seldom():
    def times(seconds):
        return [round(at) for at, _ in told_of(1_000, seconds)]

    assert times(30) == [10, 20]
    assert times(400) == [10, *range(40, 400, 40)]
    hour = times(3_600)
    assert 10 <= hour[0] < 14
    assert all(10 <= b - a <= 64 for a, b in itertools.pairwise(hour))


def test_what_a_line_says():
    with ClockedLines(total=7_701) as lines:
        lines.now = 34.3
        lines.set_postfix_str("best Return 3.12 %", refresh=False)
        lines.update(3_120)
        lines.now = 36.0
        lines.update(4_581)
    assert lines.told == [
        (34.3, "3,120 of 7,701 (41 %), about 50 s left, best Return 3.12 %"),
    ]
    assert told_of(100, 20_000)[0][1] == "1 of 100 (1 %), about 5.5 h left"


def rows(*values: tuple[float, float], name: str = "Return [%]") -> np.ndarray:
    """Rows with an objective and a number of trades."""
    found = np.full((len(values), len(NAMES)), np.nan)
    found[:, [COLUMN[name], COLUMN["# Trades"]]] = values
    return found


def test_the_best_so_far():
    best = BestSoFar(Choice.by_name("Return [%]", 2))
    best.add(rows((np.nan, np.nan), (99.0, 1)))  # Not answered, and too few trades.
    assert str(best) == ""
    best.add(rows((-3.25, 2), (-4.0, 9)))
    assert str(best) == "best Return −3.25 %"
    best.add(rows((1234.5, 2)))
    best.add(rows((2.0, 2)))
    best.add(rows((0.0, 5))[:0])
    assert str(best) == "best Return 1,234.50 %"


def test_the_best_so_far_of_what_is_to_be_small():
    name = "Max. Drawdown Duration"
    best = BestSoFar(Choice.by_name(name))
    best.add(rows((3 * 86_400e9, 5), (2.5 * 86_400e9, 5), name=name))
    assert str(best) == "best Max. Drawdown Duration 2.5 days"
    asked = BestSoFar(Choice.of(lambda stats: stats["SQN"]))
    asked.add(rows((1.0, 5)))
    assert str(asked) == ""


@pytest.mark.parametrize(("width", "speed"), [(80, False), (120, True)])
def test_the_bar_carries_the_best_and_fits(width, speed):
    with ClockedBar(
        total=112_840, in_flight=0.0, ncols=width, desc="Optimization Progress", unit="backtest"
    ) as bar:
        bar.now = 1.0
        bar.set_postfix_str("best Return 4.64 %", refresh=False)
        bar.update(56_420)
        drawn = str(bar)
    assert drawn.endswith("best Return 4.64 %]")
    assert ("backtest/s" in drawn) is speed
    assert len(drawn) <= width
