"""Break-even costs: what `backtesting.py` says on either side of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_bars import Case, Recipe

from bigbar.account import Account
from bigbar.engines.reference import BacktestingEngine
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.validation.costs import LIMIT, break_even, find_costs, with_costs

GRID = grid_with(
    atr_period=[3, 7], k_atr=0.7, uptail_max_ratio=0.7, previous_weight=0.0, buffer_ratio=0.01
)

#: Two hundred hours that trade often and gain.
CASE = Case(Recipe(bars=250, seed=3, volatility=0.001), GRID, Settings(big_bar_account(), 1))


def with_account(case: Case, account: Account) -> Case:
    return replace(case, settings=replace(case.settings, account=account))


def returned(case: Case, number: int, *, commission: float, spread: float) -> float:
    """The return by backtesting.py under given costs."""
    account = with_costs(case.settings.account, commission=commission, spread=spread)
    settings = replace(case.settings, account=account)
    stats = BacktestingEngine(case.file(), job_of(case.grid, settings, "backtesting")).stats(number)
    return float(stats["Return [%]"])


@pytest.mark.parametrize(
    "account",
    [
        big_bar_account(),
        big_bar_account(commission=0.0001, spread=0.0002),
        big_bar_account(commission=(2.0, 0.0001)),
        big_bar_account(commission=-0.0001, spread=0.0001, margin=0.2),
    ],
    ids=["none", "both", "fixed", "rebate"],
)
@pytest.mark.parametrize("number", [0, 1])
def test_break_even_by_backtesting(account: Account, number: int) -> None:
    case = with_account(CASE, account)
    found = find_costs(case.file(), case.job(), number)
    commission, spread = account.commission_parts[1], account.spread
    assert (found.commission, found.spread, found.limit) == (commission, spread, LIMIT)
    assert found.fixed_commission == account.commission_parts[0]
    assert found.total_return == pytest.approx(
        returned(case, number, commission=commission, spread=spread), rel=1e-9
    )
    even = found.break_even_commission
    assert even
    assert returned(case, number, commission=even, spread=spread) >= 0
    assert returned(case, number, commission=even * 1.01, spread=spread) < 0
    even = found.break_even_spread
    assert even
    assert returned(case, number, commission=commission, spread=even) >= 0
    assert returned(case, number, commission=commission, spread=even * 1.01) < 0


def test_the_table_is_backtestings() -> None:
    case = with_account(CASE, big_bar_account(commission=(1.0, 0.0001), spread=0.0001))
    found = find_costs(case.file(), case.job(), 1)
    table = found.table
    assert list(table.columns) == [
        "commission", "spread", "Return [%]", "Sharpe Ratio", "# Trades",
    ]  # fmt: skip
    for row in table.to_dict("records"):
        account = with_costs(
            case.settings.account, commission=row["commission"], spread=row["spread"]
        )
        settings = replace(case.settings, account=account)
        job = job_of(GRID, settings, "backtesting")
        stats = BacktestingEngine(case.file(), job).stats(1)
        assert row["Return [%]"] == pytest.approx(stats["Return [%]"], rel=1e-9)
        assert row["Sharpe Ratio"] == pytest.approx(stats["Sharpe Ratio"], rel=1e-9)
        assert row["# Trades"] == stats["# Trades"]
    own = (table["commission"] == found.commission) & (table["spread"] == found.spread)
    assert own.sum() == 1
    assert not table.duplicated(["commission", "spread"]).any()
    for name, other, even in (
        ("commission", "spread", found.break_even_commission),
        ("spread", "commission", found.break_even_spread),
    ):
        assert even is not None
        rungs = table[table[other] == getattr(found, other)].sort_values(name)
        assert {rung * even for rung in (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)} <= set(rungs[name])
        assert rungs["Return [%]"].is_monotonic_decreasing
        assert (rungs["Return [%]"] >= 0).tolist() == (rungs[name] <= even).tolist()


def test_the_span_of_the_job_counts() -> None:
    file = CASE.file()
    job = job_of(GRID, CASE.settings, "compiled", (7, 120))
    found = find_costs(file, job, 0)
    even = found.break_even_commission
    assert even
    settings = replace(CASE.settings, account=big_bar_account(commission=even))
    engine = BacktestingEngine(file, job_of(GRID, settings, "backtesting", (7, 120)))
    assert 0 <= engine.stats(0)["Return [%]"] < 0.01
    assert even != find_costs(file, CASE.job(), 0).break_even_commission


def test_what_loses_already_has_none() -> None:
    case = with_account(CASE, big_bar_account(spread=0.005))
    found = find_costs(case.file(), case.job(), 0)
    assert found.break_even_commission == 0
    assert found.break_even_spread
    losing = Case(Recipe(bars=250, seed=0, style="walk", volatility=0.001), GRID, Settings())
    found = find_costs(losing.file(), losing.job(), 0)
    assert returned(losing, 0, commission=0, spread=0) < 0
    assert (found.break_even_commission, found.break_even_spread) == (0, 0)
    assert len(found.table) > 5


def test_what_never_loses_has_none_either() -> None:
    found = find_costs(CASE.file(), CASE.job(), 0, limit=1e-6)
    assert found.break_even_commission is None
    assert found.break_even_spread is None
    assert found.table["commission"].max() == found.table["spread"].max() == 1e-6
    assert (found.table["Return [%]"] > 0).all()


def test_another_commission_leaves_the_fixed_fee() -> None:
    account = big_bar_account(commission=(3.0, 0.001), spread=0.1, cash=50.0, margin=0.5)
    changed = with_costs(account, commission=0.002, spread=0.0)
    assert changed == big_bar_account(commission=(3.0, 0.002), spread=0.0, cash=50.0, margin=0.5)
    assert with_costs(big_bar_account(), commission=0.002, spread=0.1) == big_bar_account(
        commission=0.002, spread=0.1
    )


def test_what_neither_gains_nor_loses_never_loses() -> None:
    """A setting that never trades: its return is 0 at any cost, and 0 is no loss."""
    grid = grid_with(
        atr_period=[3, 7], k_atr=90.0, uptail_max_ratio=0.7, previous_weight=0.0, buffer_ratio=0.01
    )
    case = replace(CASE, grid=grid)
    found = find_costs(case.file(), case.job(), 0)
    assert found.total_return == 0
    assert found.break_even_commission is None
    assert found.break_even_spread is None


# The search.


@given(st.floats(1e-6, 0.0099))
def test_the_last_that_does_not_lose_of_a_falling_return(even: float) -> None:
    found = break_even(lambda cost: cost > even, 0.01)
    assert found is not None
    assert found <= even
    assert even - found <= 0.006 * even


def test_a_return_that_rises_again() -> None:
    """Losing between 0.0007 and 0.0008 only: the scan of doubling costs steps over it or not."""
    asked = []

    def loses(cost: float) -> bool:
        asked.append(cost)
        return 0.0007 < cost < 0.0008 or cost > 0.004

    found = break_even(loses, 0.01)
    assert found == pytest.approx(0.004, rel=0.01)
    scan = [0.01 / 2**step for step in range(13, -1, -1)]
    assert all(not loses(cost) for cost in scan if cost <= found)

    def loses_at_a_step(cost: float) -> bool:
        return 0.01 / 2**4 <= cost < 0.001 or cost > 0.004

    found = break_even(loses_at_a_step, 0.01)
    assert found == pytest.approx(0.01 / 2**4, rel=0.01)
    assert not loses_at_a_step(found)


def test_the_ends_of_the_search() -> None:
    assert break_even(lambda cost: True, 0.01) == 0.0
    assert break_even(lambda cost: False, 0.01) is None
    assert break_even(lambda cost: cost >= 0.01, 0.01) == pytest.approx(0.01, rel=0.01)
    tiny = break_even(lambda cost: cost > 0, 0.01)
    assert tiny == 0.0


def test_the_search_asks_little() -> None:
    for even in np.geomspace(1e-6, 0.009, 20):
        asked: list[float] = []

        def loses(cost: float, even: float = float(even)) -> bool:
            asked.append(cost)  # noqa: B023
            return cost > even

        break_even(loses, 0.01)
        assert len(asked) <= 24
        assert len(asked) == len(set(asked))
