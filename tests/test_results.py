"""The result table and the answers read off it; the heatmap against `Backtest.optimize`."""

import hashlib
import struct
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from backtesting import Backtest
from hypothesis import given
from hypothesis import strategies as st
from small_run import AXES, small_bars, small_outcome

from bigbar.choice import Choice
from bigbar.errors import SettingsError
from bigbar.results import Pairs, ResultTable, Standing
from bigbar.series import as_timedeltas
from bigbar.statistics import COLUMN, NAMES, STATISTICS, Kind
from bigbar.strategies.big_bar.parameters import big_bar_account, grid_with, parse_grid
from bigbar.strategies.big_bar.strategy import BigBarAllIn

RETURN = Choice.by_name("Return [%]")


def table_of(returns: list[float], trades: list[float] | None = None, name: str = "Return [%]"):
    """A table with one statistic and the number of trades; the rest 0."""
    grid = grid_with(
        atr_period=list(range(1, len(returns) + 1)), k_atr=1, uptail_max_ratio=1,
        previous_weight=1,
    )  # fmt: skip
    values = np.zeros((len(returns), len(STATISTICS)))
    values[:, COLUMN["# Trades"]] = 5 if trades is None else trades
    values[:, COLUMN[name]] = returns
    return ResultTable(grid, values)


# --------------------------------------------------------------------------------------- digest


def by_the_book(values: np.ndarray) -> str:
    """Every value by itself, as eight bytes, the lowest first."""
    digest = hashlib.sha256()
    for value in values.ravel().tolist():
        digest.update(struct.pack("<d", np.nan if value != value else value))
    return digest.hexdigest()


@pytest.mark.parametrize("rows", [1, 1023, 1024, 1025])
def test_the_digest_is_of_every_value_in_grid_order(rows):
    table = table_of(list(np.random.default_rng(rows).normal(size=rows)))
    table.values[:, 3] = np.inf
    table.values[::2, 4] = np.nan
    assert table.sha256() == by_the_book(table.values)
    assert ResultTable(table.space, np.asfortranarray(table.values)).sha256() == table.sha256()


def test_the_digest_takes_all_nan_for_one_and_nothing_else():
    digests = set()
    for bits in (0x7FF8_0000_0000_0000, 0xFFF8_0000_0000_0000, 0x7FF8_0000_0000_0001):
        table = table_of([1, 2])
        table.values.view(np.uint64)[1, 7] = bits
        digests.add(table.sha256())
        assert table.values.view(np.uint64)[1, 7] == bits  # The table is left as it is.
    assert len(digests) == 1
    for value in (0.0, -0.0, np.inf, np.nextafter(0, 1)):
        table = table_of([1, 2])
        table.values[1, 7] = value
        digests.add(table.sha256())
    assert len(digests) == 5


# ----------------------------------------------------------------------------------------- best


@pytest.mark.parametrize(
    ("returns", "best", "ties"),
    [
        ([1, 3, 2], 1, 1),
        ([3, 1, 3, 3], 0, 3),
        ([np.nan, 1, np.nan, 1], 1, 2),
        ([np.nan, np.nan], None, 0),
        ([1, np.inf, np.inf], 1, 2),
        ([-np.inf, -np.inf], 0, 2),
        ([-np.inf, np.nan, -5], 2, 1),
        ([0.0, -0.0], 0, 2),
    ],
)
def test_ties_go_to_the_lowest_number(returns, best, ties):
    table = table_of(returns)
    assert table.best(RETURN) == best
    assert table.ties(RETURN) == ties
    assert numbers_of(table.top(RETURN, 1)) == ([] if best is None else [best])


@pytest.mark.parametrize(
    ("least", "best"), [(0, 3), (1, 3), (2, 2), (4, 2), (5, 1), (9, 1), (10, None)]
)
def test_min_trades(least, best):
    # The first never traded: whatever its numbers are, they say nothing.
    table = table_of([9, 1, 2, 3], trades=[0, 9, 4, 1])
    assert table.best(Choice.by_name("Return [%]", least)) == best


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("Max. Drawdown [%]", [-30, -10, -20], 1),
        ("Avg. Drawdown [%]", [-3, -2, -1], 2),
        ("Max. Drawdown Duration", [3e9, 1e9, 2e9], 1),
        ("Avg. Drawdown Duration", [np.nan, 2e9, 1e9], 2),
        ("Volatility (Ann.) [%]", [3, 0.5, 1], 1),
        ("Commissions [$]", [0.0, 5, 2], 0),
        ("# Trades", [3, 9, 5], 1),
        ("Sharpe Ratio", [0.1, -2, np.nan], 0),
    ],
)
def test_the_traders_better_wins(name, values, best):
    assert table_of(values, name=name).best(Choice.by_name(name)) == best


few = st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1.0, 2.0])


@given(st.lists(st.tuples(few, st.sampled_from([np.nan, 0, 1, 5])), min_size=1, max_size=30))
def test_top_is_a_stable_sort(rows):
    table = table_of([value for value, _ in rows], [trades for _, trades in rows])
    counting = [n for n, (value, trades) in enumerate(rows) if trades >= 1 and value == value]
    expected = sorted(counting, key=lambda number: -rows[number][0])
    seen, first = Counter(map(rows.__getitem__, expected)), {}
    for number in expected:
        first.setdefault(rows[number], number)
    held = table.top(RETURN, len(rows))
    assert held == [Standing(number, seen[row]) for row, number in first.items()]
    for count in range(len(held)):
        assert table.top(RETURN, count) == held[:count]
    assert table.best(RETURN) == (expected[0] if expected else None)
    assert table.ties(RETURN) == sum(rows[n][0] == rows[expected[0]][0] for n in expected)


@pytest.mark.parametrize(("count", "top"), [(0, []), (2, [2, 1]), (99, [2, 1, 0])])
def test_top(count, top):
    assert numbers_of(table_of([1, 2, 3]).top(RETURN, count)) == top


def test_equal_results_are_those_with_every_statistic_equal():
    """Not those with one value: four have the best return, and two of them differ elsewhere."""
    table = table_of([5.0, 7.0, 7.0, 7.0, 7.0, 0.0, -0.0], trades=[3, 4, 4, 4, 4, 2, 2])
    sharpe = table.column("Sharpe Ratio")
    sharpe[:] = [1.0, 2.0, np.nan, 2.0, np.nan, 1.0, 1.0]
    table.values[4, COLUMN["Sharpe Ratio"]] = -np.nan  # Another NaN by its bits.
    assert table.top(RETURN, 9) == [
        Standing(1, 2), Standing(2, 2), Standing(0, 1), Standing(5, 2),
    ]  # fmt: skip
    assert table.same_result(1, 3)
    assert table.same_result(2, 4)
    assert not table.same_result(1, 2)
    sharpe[:] = np.arange(7.0)
    assert [one.sharing for one in table.top(RETURN, 9)] == [1] * 7


def test_all_that_share_a_result_are_counted_however_many_there_are():
    """More than are looked at together, between others of the same value."""
    count = 5000
    table = table_of([1.0] * count, trades=[9] * count)
    table.column("Sharpe Ratio")[:] = np.arange(count) % 3
    assert table.top(RETURN, 2) == [Standing(0, 1667), Standing(1, 1667)]
    assert [one.sharing for one in table.top(RETURN, 9)] == [1667, 1667, 1666]


def numbers_of(held: list[Standing]) -> list[int]:
    return [one.number for one in held]


def test_counts():
    table = table_of([1, 2, 3, 4], trades=[0, np.nan, 0, 7])
    assert table.reached() == 3
    assert table.without_trades() == 2
    empty = ResultTable.empty(parse_grid(atr_period="10"))
    assert len(empty) == 1240
    assert empty.reached() == 0
    assert empty.best(RETURN) is None


# --------------------------------------------------------------------------------- one row, all


def test_statistics_of_a_row():
    found = small_outcome(account=big_bar_account(commission=1e-4)).table.statistics(0)
    assert list(found.index) == list(NAMES)
    for statistic in STATISTICS:
        kinds = {Kind.DURATION: pd.Timedelta, Kind.COUNT: int, Kind.NUMBER: float}
        assert type(found[statistic.name]) is kinds[statistic.kind]


def test_commissions_are_left_out_where_there_are_none():
    assert "Commissions [$]" not in small_outcome().table.statistics(0)


def test_statistics_without_trades():
    found = small_outcome().table.statistics(4)
    assert found["# Trades"] == 0
    assert found["Max. Trade Duration"] is pd.NaT
    assert np.isnan(found["Win Rate [%]"])


def test_statistics_of_a_failed_row():
    table = ResultTable.empty(parse_grid(atr_period="10"))
    assert table.statistics(3).isna().all()


def test_frame():
    frame = small_outcome().table.frame()
    assert list(frame.columns) == [*AXES, *NAMES]
    assert frame["atr_period"].dtype == np.int64
    assert frame["# Trades"].dtype == np.int64
    for statistic in STATISTICS:
        is_duration = frame[statistic.name].dtype == np.dtype("timedelta64[ns]")
        assert is_duration == (statistic.kind is Kind.DURATION)
    assert frame["Max. Trade Duration"].isna().sum() == (frame["# Trades"] == 0).sum() == 4
    grid = grid_with(**AXES)
    assert [tuple(row) for row in frame[list(AXES)].itertuples(index=False)] == [
        tuple(parameters.values()) for parameters in grid
    ]


def test_a_failed_row_in_the_frame():
    outcome = small_outcome()
    outcome.table.values[2] = np.nan
    frame = outcome.table.frame()
    assert frame.loc[2, list(NAMES)].isna().all()
    assert frame["# Trades"].dtype == np.float64


def test_as_timedeltas():
    found = as_timedeltas(np.array([0.0, np.nan, 3.6e12]))
    assert found.dtype == np.dtype("timedelta64[ns]")
    assert pd.TimedeltaIndex(found).equals(pd.TimedeltaIndex(["0h", None, "1h"]))


# -------------------------------------------------------------------------------------- heatmap


class BigBarOnSmallBars(BigBarAllIn):
    """`Backtest.optimize` pickles the class by name."""

    whole_file = small_bars().frame


@pytest.mark.parametrize("name", ["Return [%]", "Sharpe Ratio", "# Trades"])
def test_the_heatmap_is_what_backtesting_gives(name):
    outcome = small_outcome()
    bars = small_bars().frame.iloc[outcome.job.first_bar :]
    reference = Backtest(bars, BigBarOnSmallBars, cash=100_000, trade_on_close=True)
    axes = {axis.name: list(axis.values) for axis in outcome.job.space.parameters}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, expected = reference.optimize(maximize=name, return_heatmap=True, **axes)
    found = outcome.table.heatmap(name)
    assert found.isna().sum() == 4  # Nothing trades at the highest k_atr.
    pd.testing.assert_series_equal(found, expected, check_dtype=True, check_exact=True)
    assert list(found.index.names) == list(expected.index.names)


def test_the_heatmap_of_a_duration():
    found = small_outcome().table.heatmap("max. drawdown duration")
    assert found.name == "Max. Drawdown Duration"
    assert found.dtype == np.dtype("timedelta64[ns]")
    assert found.isna().sum() == 4


def test_the_heatmap_of_nothing():
    with pytest.raises(SettingsError, match="did you mean 'Return"):
        small_outcome().table.heatmap("Returns")


# ---------------------------------------------------------------------------------------- pairs


def test_pairs_are_made_when_asked_for():
    table = ResultTable.empty(parse_grid())
    pairs = Pairs(table)
    assert len(pairs) == 112_840
    table.values[112_839, COLUMN["# Trades"]] = 7  # Nothing was copied when the sequence was made.
    parameters, statistics = pairs[-1]
    assert parameters == {
        "atr_period": 100, "k_atr": 4.0, "uptail_max_ratio": 0.9, "previous_weight": 0.8,
        "buffer_ratio": 0.01,
    }  # fmt: skip
    assert statistics["# Trades"] == 7


def test_pairs_slice_like_a_list():
    pairs = Pairs(small_outcome().table)
    everything = list(pairs)
    assert len(everything) == 12
    for places in (slice(2, 5), slice(None, None, -4), slice(-2, None), slice(20, 30)):
        found = pairs[places]
        assert [p for p, _ in found] == [p for p, _ in everything[places]]
        for (_, ours), (_, theirs) in zip(found, everything[places], strict=True):
            pd.testing.assert_series_equal(ours, theirs)


@pytest.mark.parametrize("place", [12, -13])
def test_there_is_no_such_pair(place):
    with pytest.raises(IndexError):
        Pairs(small_outcome().table)[place]
