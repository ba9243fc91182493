"""The equity curve of the page is backtesting.py's own, whatever it costs and however it ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bigbar.data import bars_from_frame
from bigbar.engines import Job, build_engine
from bigbar.grid import Grid
from bigbar.indicators import with_indicators
from bigbar.page.equity import drawdown, equity_curve, monthly_returns, trades_with_open_one
from bigbar.pipeline import Execution, Outcome
from bigbar.results import Choice, ResultTable
from bigbar.settings import Account, Parameters, Settings
from bigbar.strategy import reference_backtest, run_quietly
from tests.small_run import small_bars

PARAMETERS = Parameters(atr_period=10, k_atr=0.8)
ACCOUNTS = {
    "free": Account(),
    "commission": Account(commission=0.0002),
    "fixed and relative": Account(commission=(5.0, 0.0001)),
    "rebate": Account(commission=-0.0001),
    "spread": Account(spread=0.0003),
    "margin": Account(margin=0.05),
    "everything": Account(cash=20_000, commission=(2.0, 0.00005), spread=0.0001, margin=0.1),
}
RUINED = Account(margin=0.002)


def outcome_of(account: Account, *, edge: int = 6, bars: int = 400) -> Outcome:
    """A finished run of one combination."""
    file = bars_from_frame(small_bars().frame.iloc[:bars])
    job = Job(Grid.single(PARAMETERS), Settings(account, edge), "compiled")
    engine = build_engine(with_indicators(file.frame, edge), job)
    table = ResultTable(job.grid, engine.run(0, 1))
    outcome = Outcome(job, Execution(), Choice.by_name("Return [%]"), file, table, best=0)
    outcome.trades = engine.trades(0)
    return outcome


def reference(outcome: Outcome) -> pd.Series:
    """backtesting.py's equity."""
    job = outcome.job
    backtest = reference_backtest(outcome.bars.frame, job.first_bar, job.settings)
    return run_quietly(backtest, PARAMETERS)["_equity_curve"]["Equity"]


def drawn(outcome: Outcome) -> np.ndarray:
    """The page's."""
    trades = trades_with_open_one(outcome)
    assert trades is not None
    close = outcome.bars.frame["Close"].to_numpy()[outcome.job.first_bar :]
    return equity_curve(close, trades, outcome.job.settings.account)


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS)
def test_equity_is_that_of_backtesting(account):
    outcome = outcome_of(account)
    assert outcome.trades is not None
    assert len(outcome.trades) > 20
    np.testing.assert_allclose(drawn(outcome), reference(outcome), rtol=1e-9, atol=0)


@pytest.mark.parametrize("account", [ACCOUNTS["free"], ACCOUNTS["everything"]], ids=["free", "all"])
@pytest.mark.parametrize("edge", [0, 1])
def test_a_position_open_at_the_end_is_marked_to_the_last_close(account, edge):
    open_at_the_end = 0
    for bars in range(302, 308):
        outcome = outcome_of(account, edge=edge, bars=bars)
        np.testing.assert_allclose(drawn(outcome), reference(outcome), rtol=1e-9, atol=0)
        trades = trades_with_open_one(outcome)
        assert trades is not None
        assert outcome.trades is not None
        open_at_the_end += len(trades) - len(outcome.trades)
    assert open_at_the_end >= 3


def test_an_open_position_does_not_depend_on_the_engine():
    """Found by letting the engine close it; backtesting.py sees week edges by the times."""
    outcome = next(
        found
        for bars in range(302, 308)
        if len(trades_with_open_one(found := outcome_of(Account(), edge=0, bars=bars)))  # type: ignore[arg-type]
        > len(found.trades)  # type: ignore[arg-type]
    )
    by_kernel = trades_with_open_one(outcome)
    outcome.job = Job(outcome.job.grid, outcome.job.settings, "backtesting")
    pd.testing.assert_frame_equal(trades_with_open_one(outcome), by_kernel, check_dtype=False)


def test_after_ruin_there_is_nothing():
    outcome = outcome_of(RUINED)
    equity = drawn(outcome)
    assert equity[-1] == 0
    assert equity[0] > 0
    np.testing.assert_allclose(equity, reference(outcome), rtol=1e-9, atol=0)
    assert drawdown(equity)[-1] == -100


def test_without_trades_the_cash_stays():
    outcome = outcome_of(Account())
    assert outcome.trades is not None
    np.testing.assert_array_equal(
        equity_curve(np.ones(5), outcome.trades.iloc[:0], Account(cash=7.0)), [7.0] * 5
    )


def test_the_final_equity_is_the_tables():
    outcome = outcome_of(ACCOUNTS["everything"])
    final = outcome.table.statistics(0)["Equity Final [$]"]
    assert drawn(outcome)[-1] == pytest.approx(final, rel=1e-12)


def test_the_deepest_drawdown_is_the_tables():
    outcome = outcome_of(ACCOUNTS["everything"])
    deepest = outcome.table.statistics(0)["Max. Drawdown [%]"]
    assert drawdown(drawn(outcome)).min() == pytest.approx(deepest, rel=1e-9)


def test_monthly_returns():
    times = pd.to_datetime(["2023-11-30", "2023-12-01", "2023-12-29", "2024-02-01", "2024-02-02"])
    found = monthly_returns(pd.Series([100.0, 110.0, 121.0, 60.5, 121.0], index=times))
    assert list(found.index) == [2023, 2024]
    assert found.loc[2023, 11] == 0
    assert found.loc[2023, 12] == pytest.approx(21)
    assert np.isnan(found.loc[2024, 1])
    assert found.loc[2024, 2] == pytest.approx(0, abs=1e-12)
    assert found["Year"].to_list() == pytest.approx([21, 0])


def test_monthly_returns_multiply_to_the_whole():
    outcome = outcome_of(ACCOUNTS["everything"])
    equity = pd.Series(drawn(outcome), outcome.bars.frame.index[outcome.job.first_bar :])
    months = monthly_returns(equity).drop(columns="Year").to_numpy()
    assert np.nanprod(1 + months / 100) == pytest.approx(equity.iloc[-1] / equity.iloc[0])


def test_months_after_ruin_have_no_return():
    times = pd.to_datetime(["2023-11-30", "2023-12-01", "2024-01-01"])
    found = monthly_returns(pd.Series([100.0, 0.0, 0.0], index=times))
    assert found.loc[2023, 12] == -100
    assert np.isnan(found.loc[2024, 1])
