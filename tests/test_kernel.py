"""The compiled engine's parts, each against a plain twin.

What the engine as a whole answers is compared with backtesting.py in `test_engines.py`, and the
indicators with TA-Lib in `test_indicators.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("numba")

from bigbar.account import Account
from bigbar.compiled.jit import compiled
from bigbar.compiled.logarithms import log_ratio
from bigbar.compiled.statistics import new_stack, pairwise_sum
from bigbar.compiled.tally import Tally, TradeSums
from bigbar.space import Space
from bigbar.strategies.big_bar.batches import run_lanes
from bigbar.strategies.big_bar.buffers import LANE_STEP, new_batch
from bigbar.strategies.big_bar.candidates import precompute
from bigbar.strategies.big_bar.engine import CompiledSweep
from bigbar.strategies.big_bar.indicators import average_true_range, true_range, with_indicators
from bigbar.strategies.big_bar.many_walks import finish_lane
from bigbar.strategies.big_bar.market import market_of
from bigbar.strategies.big_bar.one_walk import (
    AccountNumbers,
    MarketArrays,
    affordable_units,
    walk,
)
from bigbar.strategies.big_bar.parameters import big_bar_account, parse_grid
from bigbar.strategies.big_bar.purse import CASH
from bigbar.strategies.big_bar.signals import (
    compiled_average_true_range,
    exit_bars,
    least_average_true_range,
    next_lower_low,
)
from bigbar.strategies.big_bar.trade_selection import (
    LANES,
    LEAST_FACTOR,
    LEAST_WEIGHT,
    TIGHTEST_TAIL,
    entries_of,
    start_selection,
)
from bigbar.strategies.big_bar.trade_terms import trade_terms, usual_share

Floats = NDArray[np.float64]

# ---- sums -------------------------------------------------------------------------------------


@compiled
def call_pairwise_sum(values, count, stack):  # type: ignore[no-untyped-def]
    return pairwise_sum(values, count, stack)


LENGTHS = [*range(300), 511, 512, 513, 1000, 1023, 1024, 1025, 4099, 20_001, 131_073]


#: Before 2.3 NumPy added the sums of pieces of longer arrays one after the other.
NUMPYS_PIECE = 8192 if np.lib.NumpyVersion(np.__version__) < "2.3.0" else np.inf


@pytest.mark.parametrize("start", [0, 3])
def test_sums_have_numpys_bits(start):
    """Where an array begins in memory changes nothing."""
    values = np.random.default_rng(1).normal(0.001, 1.0, max(LENGTHS) + 8)
    stack = new_stack()
    for count in LENGTHS:
        mine = call_pairwise_sum(values[start:], count, stack)
        theirs = values[start : start + count].sum()
        if count <= NUMPYS_PIECE:
            assert mine == theirs, count
        else:
            assert mine == pytest.approx(theirs, rel=1e-12), count


def test_a_sum_of_negative_zeros_is_one():
    assert np.signbit(call_pairwise_sum(np.full(16, -0.0), 16, new_stack()))


# ---- average true ranges ----------------------------------------------------------------------


@pytest.mark.parametrize("periods", [(14,), (10, 11, 40), tuple(range(10, 101))])
def test_the_least_average_true_range_has_the_indicators_bits(periods):
    ranges = np.random.default_rng(2).exponential(1.0, 700)
    ranges[0] = np.nan
    ranges[300:450] = 0.0  # Averages that fall for long, each at its own speed.
    first = max(periods) + 3
    each = [average_true_range(ranges, period)[first:] for period in periods]
    mine = least_average_true_range(ranges, np.array(periods, float), first)
    assert mine.tobytes() == np.min(each, axis=0).tobytes()


# ---- bars -------------------------------------------------------------------------------------


def made_bars(seed: int, bars: int, *, tick: float = 0.05, scale: float = 0.4) -> pd.DataFrame:
    """Bars around 100 on a grid of ticks, so that equal highs, lows and closes are common."""
    random = np.random.default_rng(seed)
    body = random.normal(0.0, scale, bars) * random.choice([0.3, 1.0, 3.0], bars)
    close = 100.0 + np.cumsum(body - body.mean())
    open_ = close - body
    high = np.maximum(open_, close) + random.exponential(scale / 4, bars)
    low = np.minimum(open_, close) - random.exponential(scale / 4, bars)
    ticks = {
        "Open": open_,
        "High": high,
        "Low": low,
        "Close": close,
    }
    prices = {name: np.maximum(np.round(v / tick), 1.0) * tick for name, v in ticks.items()}
    index = pd.date_range("2024-01-01", periods=bars, freq="1h", tz="UTC")
    return pd.DataFrame(prices | {"Volume": np.nan}, index)


@pytest.mark.parametrize("period", [1, 2, 14, 100, 399, 400])
def test_compiled_atr_has_the_plain_ones_bits(period):
    bars = made_bars(5, 400)
    ranges = true_range(*(bars[name].to_numpy() for name in ("High", "Low", "Close")))
    plain = average_true_range(ranges, period)
    np.testing.assert_array_equal(compiled_average_true_range(ranges, period), plain)


def leaving_bar(bars: dict[str, Any], entry: int, direction: int, buffer_ratio: float) -> int:
    """The page's rules of leaving, bar by bar; the number of bars if the trade stays open."""
    open_, high, low, close = (bars[name] for name in ("open", "high", "low", "close"))
    room = buffer_ratio * (high[entry] - low[entry])
    stop = low[entry] - room if direction > 0 else high[entry] + room
    i = entry + 1
    while i < len(close):
        if bars["restricted"][i]:
            return i
        if i == entry + 1:
            if direction > 0:
                if close[i] <= open_[i] or high[i] <= high[entry]:
                    return i
                stop = max(stop, low[i] - room)
            else:
                if close[i] >= open_[i] or low[i] >= low[entry]:
                    return i
                stop = min(stop, high[i] + room)
        elif direction > 0:
            stop = max(stop, min(low[i], low[i - 1]))
            if low[i] <= stop:
                return i
        else:
            stop = min(stop, max(high[i], high[i - 1]))
            if high[i] >= stop:
                return i
        i += 1
    return len(close)


@pytest.mark.slow
@given(
    seed=st.integers(0, 10_000),
    bars=st.integers(4, 80),
    tick=st.sampled_from([0.01, 0.2, 0.5]),
    buffer_ratio=st.sampled_from([0.0, 0.01, 0.3, 1.0, 5.0]),
    restricted_share=st.sampled_from([0.0, 0.05, 0.5]),
)
@settings(max_examples=150, deadline=None)
def test_exits_are_the_pages(seed, bars, tick, buffer_ratio, restricted_share):
    frame = made_bars(seed, bars, tick=tick)
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {name.lower(): frame[name].to_numpy() for name in frame}
    columns["restricted"] = random.random(bars) < restricted_share
    direction = random.choice([-1, 1], bars).astype(np.int8)
    entries = np.arange(1, bars, dtype=np.int32)
    ends = next_lower_low(columns["low"], columns["high"], columns["restricted"])
    found = exit_bars(
        entries, direction[1:], *(columns[name] for name in ("open", "high", "low", "close")),
        columns["restricted"], buffer_ratio, *ends,
    )  # fmt: skip
    wanted = [leaving_bar(columns, i, direction[i], buffer_ratio) for i in range(1, bars)]
    assert found.tolist() == wanted


# ---- the lanes and the plain walk --------------------------------------------------------------


@compiled
def walk_both_ways(  # type: ignore[no-untyped-def]
    thresholds, chosen, entries, factor_levels, market, account, fees, batch
):
    """Tallies, thresholds still passed and day ends, of the lanes and of plain walks."""
    picked, count, days = len(thresholds), len(chosen), len(batch.equity)
    used = picked + -picked % LANE_STEP
    batch.listed[:] = chosen
    for lane in range(picked):
        start_selection(
            batch.selection, lane, (thresholds[lane, 0], thresholds[lane, 1], thresholds[lane, 2])
        )
    run_lanes(batch, count, picked, used, entries, factor_levels, market, account, fees)
    tallies, least = [], []
    ends = np.empty((2, picked, days))
    for lane in range(picked):
        tally = finish_lane(
            batch.selection,
            batch.purse,
            lane,
            used,
            entries,
            market,
            account,
            fees,
            batch.day_equity,
        )
        for d in range(days):
            ends[0, lane, d] = batch.day_equity[d * used + lane]
        tallies.append(tally)
        lanes = batch.selection.lanes
        least.append(
            (
                np.int64(lanes[LEAST_FACTOR + lane]),
                np.int64(lanes[TIGHTEST_TAIL + lane]),
                np.int64(lanes[LEAST_WEIGHT + lane]),
            )
        )
        combination = thresholds[lane, 0], thresholds[lane, 1], thresholds[lane, 2]
        tally, still = walk(
            chosen, count, combination, entries, factor_levels, market, account, ends[1, lane]
        )
        tallies.append(tally)
        least.append(still)
    return tallies, least, ends


@dataclass
class Walks:
    """What both ways came to, a lane each."""

    lanes: list[Tally]
    plain: list[Tally]
    least: list[tuple[int, int, int]]
    ends: Floats
    regular: NDArray[np.bool_]


def random_walks(seed: int, bars: int, account: Account, *, scale: float, bars_a_day: int) -> Walks:
    """Made-up candidates with any exits at all, through the lanes and through plain walks."""
    random = np.random.default_rng(seed)
    close = made_bars(seed, bars, tick=0.05, scale=scale)["Close"].to_numpy()
    moves = np.diff(np.log(close), prepend=np.log(close[0]))
    market = MarketArrays(
        close,
        np.cumsum(random.integers(1, 5, bars)),
        (np.arange(bars) // bars_a_day).astype(np.int32),
        moves - moves.mean(),
    )
    entry = np.flatnonzero(random.random(bars - 2) < 0.6).astype(np.int32) + np.int32(1)
    entry = entry[entry < bars - 1]
    count = len(entry)
    exits = (entry + random.choice([1, 1, 1, 2, 3, 8], count)).astype(np.int32)
    exits[exits >= bars - 1] = random.choice([bars - 1, bars])
    direction = random.choice([-1, 1], count).astype(np.int8)
    fixed, relative = account.commission_parts
    numbers = AccountNumbers(
        float(account.cash), fixed, relative, float(account.spread), float(account.leverage),
        usual_share(float(account.leverage), relative),
    )  # fmt: skip
    plain_returns = np.zeros(count)
    terms = trade_terms(
        entry, exits, direction, close, market.market, account.spread, numbers.share,
        plain_returns,
    )  # fmt: skip
    entries = entries_of(
        entry=entry,
        exits=exits,
        direction=direction,
        tail_levels=random.integers(0, 3, count).astype(np.int32),
        weight_levels=random.integers(1, 4, count).astype(np.int32),
        terms=terms,
        returns=plain_returns,
        close=market.close,
        times=market.times,
        spread=account.spread,
    )
    levels = random.integers(1, 5, count).astype(np.int32)
    lanes = int(random.integers(1, LANES + 1))
    thresholds = np.column_stack([random.integers(0, n, lanes) for n in (4, 3, 3)])
    batch = new_batch(count, int(market.day[-1]) + 1)
    fees = (fixed, relative) if fixed or relative else None
    chosen = np.arange(count, dtype=np.int32)
    tallies, least, ends = walk_both_ways(
        thresholds, chosen, entries, levels, market, numbers, fees, batch
    )
    return Walks(
        lanes=[Tally(*tally) for tally in tallies[::2]],
        plain=[Tally(*tally) for tally in tallies[1::2]],
        least=least,
        ends=ends,
        regular=~np.isnan(batch.purse.money[CASH : CASH + lanes]),
    )


def assert_same_sums(mine: TradeSums, plain: TradeSums) -> None:
    """Equal, but for what another order of adding, or of multiplying, shows in the last digits."""
    for name in ("best", "worst", "wins", "losses"):
        assert getattr(mine, name) == getattr(plain, name), name
    for name in ("gained", "lost", "won", "paid", "scatter"):
        assert getattr(mine, name) == pytest.approx(getattr(plain, name), rel=1e-10), name
    assert mine.log_growth == pytest.approx(plain.log_growth, rel=1e-9, abs=1e-12, nan_ok=True)
    size = plain.won + plain.paid
    assert mine.mean_profit == pytest.approx(plain.mean_profit, rel=1e-9, abs=1e-13 * size)


def assert_same(walks: Walks) -> None:
    for lane in np.flatnonzero(walks.regular):
        mine, plain = walks.lanes[lane]._asdict(), walks.plain[lane]._asdict()
        # The series, and the order of adding, show in the last digits.
        assert mine.pop("covariance") == pytest.approx(plain.pop("covariance"), rel=1e-9, abs=1e-15)
        assert_same_sums(mine.pop("sums"), plain.pop("sums"))
        assert mine == plain
        np.testing.assert_array_equal(walks.ends[0, lane], walks.ends[1, lane])
        # Above every threshold there is, where nothing was traded.
        assert np.minimum(walks.least[2 * lane], 99).tolist() == (
            np.minimum(walks.least[2 * lane + 1], 99).tolist()
        )


ACCOUNTS = {
    "plain": big_bar_account(),
    "poor": big_bar_account(cash=150.0),
    "spread": big_bar_account(spread=0.002),
    "fees": big_bar_account(commission=(1.0, 0.0005)),
    "dear": big_bar_account(cash=5_000.0, commission=(20.0, 0.02)),
    "rebate": big_bar_account(commission=-0.0001),
    "leverage": big_bar_account(margin=0.05, commission=0.0002),
    "ruin": big_bar_account(margin=0.01, spread=0.001),
}


@pytest.mark.slow
@given(
    seed=st.integers(0, 100_000),
    bars=st.integers(4, 400),
    account=st.sampled_from(sorted(ACCOUNTS)),
    scale=st.sampled_from([0.0, 0.05, 0.4, 3.0]),
    bars_a_day=st.sampled_from([1, 5, 24, 1000]),
)
@settings(max_examples=80, deadline=None)
def test_lanes_trade_as_the_plain_walk(seed, bars, account, scale, bars_a_day):
    assert_same(random_walks(seed, bars, ACCOUNTS[account], scale=scale, bars_a_day=bars_a_day))


@pytest.mark.parametrize("account", ["plain", "spread", "fees", "rebate"])
def test_usual_accounts_need_no_walk_alone(account):
    walks = random_walks(7, 3000, ACCOUNTS[account], scale=0.05, bars_a_day=24)
    assert walks.regular.all()
    assert max(tally.trades for tally in walks.plain) > 300
    assert max(tally.drawdowns for tally in walks.plain) > 1


def test_ruin_and_lost_accounts_are_irregular():
    walks = random_walks(7, 3000, ACCOUNTS["ruin"], scale=3.0, bars_a_day=24)
    assert not walks.regular.any()


# ---- single formulas ---------------------------------------------------------------------------


@compiled
def call_affordable_units(budget, price, fill, fixed, relative):  # type: ignore[no-untyped-def]
    return affordable_units(budget, price, fill, fixed, relative)


@compiled
def call_log_ratio(new, old):  # type: ignore[no-untyped-def]
    return log_ratio(new, old)


@given(
    budget=st.floats(0.0, 1e9),
    price=st.sampled_from([0.01, 0.1, 0.3, 1.1, 3900.07]),
    costs=st.sampled_from([(0.0, 0.0), (2.0, 0.0), (0.0, 0.001), (5.0, -0.01)]),
)
@settings(max_examples=200, deadline=None)
def test_units_are_the_most_that_the_broker_accepts(budget, price, costs):
    fixed, relative = costs

    def accepted(units: float) -> bool:
        return units * (price + (fixed + units * price * relative) / units) <= budget

    units = call_affordable_units(budget, price, price, fixed, relative)
    assert units == int(units)
    assert units < 1 or accepted(units)
    assert not accepted(units + 1)


@given(old=st.floats(0.01, 1e6), ratio=st.floats(0.5, 2.0))
@settings(max_examples=200, deadline=None)
def test_logarithm_by_series(old, ratio):
    new = old * ratio
    exact = np.log1p((new - old) / old)
    assert call_log_ratio(new, old) == pytest.approx(exact, rel=1e-14, abs=1e-300)


# ---- the sweep ---------------------------------------------------------------------------------

GRID = parse_grid(
    atr_period="3,10", k_atr="0.5:2.0:0.1", uptail_max_ratio="0.3:0.9:0.2",
    previous_weight="-0.5,0.1,0.3,0.35", buffer_ratio="0,0.2",
)  # fmt: skip


def sweep(account: Account, grid: Space = GRID) -> CompiledSweep:
    market = market_of(with_indicators(made_bars(3, 600), 2), 10)
    return CompiledSweep(precompute(market, grid, account), grid)


def assert_equal_bits(left: Floats, right: Floats) -> None:
    """Equal to the last bit, whatever else was on the lanes; NaN where the other has NaN."""
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("account", ["plain", "fees", "ruin", "poor"])
def test_any_slices_give_the_same_rows(account):
    engine = sweep(ACCOUNTS[account])
    whole = engine.run(0, len(GRID))
    cuts = np.sort(np.random.default_rng(2).choice(np.arange(1, len(GRID)), 12, replace=False))
    pieces = [
        engine.run(int(a), int(b)) for a, b in zip([0, *cuts], [*cuts, len(GRID)], strict=True)
    ]
    assert_equal_bits(np.concatenate(pieces), whole)


@pytest.mark.parametrize("account", ["plain", "fees", "ruin", "poor"])
def test_answers_by_another_walk_are_its_own(account):
    """A combination alone is always walked; in the whole grid, most are answered by others."""
    engine = sweep(ACCOUNTS[account])
    whole = engine.run(0, len(GRID))
    alone = np.concatenate([engine.run(n, n + 1) for n in range(len(GRID))])
    assert_equal_bits(alone, whole)
    assert len(np.unique(whole[:, 2])) >= 10


def test_a_grid_nothing_passes():
    grid = parse_grid(k_atr="50,60", atr_period="10", previous_weight="0.1", buffer_ratio="0.01")
    rows = sweep(big_bar_account(), grid).run(0, len(grid))
    assert (rows[:, 19] == 0).all()
    assert (rows[:, 2] == 100_000.0).all()
