"""The curve on the page is backtesting.py's own, and so are the figures read off it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bigbar.account import Account
from bigbar.choice import Choice
from bigbar.data.read import bars_from_frame
from bigbar.engines.find import build_engine
from bigbar.engines.reference import run_quietly
from bigbar.job import Job
from bigbar.outcome import Execution, Outcome
from bigbar.report.page.equity import drawdown, monthly_returns
from bigbar.report.page.subject import Subject
from bigbar.results import ResultTable
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Parameters, Settings, big_bar_account, single_point
from bigbar.strategies.big_bar.strategy import reference_backtest
from tests.small_run import small_bars

PARAMETERS = Parameters(atr_period=10, k_atr=0.8)
COSTLY = big_bar_account(cash=20_000, commission=(2.0, 0.00005), spread=0.0001, margin=0.1)
ACCOUNTS = {
    "free": big_bar_account(),
    "commission": big_bar_account(commission=(5.0, 0.0001)),
    "spread": big_bar_account(spread=0.0003),
    "margin": big_bar_account(margin=0.05),
    "everything": COSTLY,
    "ruin": big_bar_account(margin=0.002),
}


def outcome_of(
    account: Account, *, edge: int = 6, bars: int = 400, span: tuple[int, int] | None = None
) -> Outcome:
    """A finished run of one combination."""
    file = bars_from_frame(small_bars().frame.iloc[:bars])
    job = job_of(single_point(PARAMETERS), Settings(account, edge), "compiled", span)
    engine = build_engine(with_indicators(file.frame, edge), job)
    table = ResultTable(job.space, engine.run(0, 1))
    outcome = Outcome(job, Execution(), Choice.by_name("Return [%]"), file, table, best=0)
    outcome.trades = engine.trades(0)
    return outcome


def drawn(outcome: Outcome) -> pd.Series:
    """The page's."""
    equity = Subject(outcome).equity
    assert equity is not None
    return equity


def settings_of(job: Job) -> Settings:
    return Settings(job.account, job.spec.settings["week_edge_bars"])


def reference(outcome: Outcome) -> pd.Series:
    """backtesting.py's."""
    job = outcome.job
    backtest = reference_backtest(
        outcome.bars.frame, job.first_bar, settings_of(job), stop_bar=job.stop_bar
    )
    return run_quietly(backtest, vars(PARAMETERS))["_equity_curve"]["Equity"]


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS)
@pytest.mark.parametrize("span", [None, (50, 301)], ids=["file", "span"])
def test_equity_is_that_of_backtesting(account, span):
    outcome = outcome_of(account, span=span)
    ours, theirs = drawn(outcome), reference(outcome)
    pd.testing.assert_index_equal(ours.index, theirs.index)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=0)


def test_the_deepest_drawdown_is_the_tables():
    outcome = outcome_of(COSTLY)
    deepest = outcome.table.statistics(0)["Max. Drawdown [%]"]
    assert drawdown(drawn(outcome).to_numpy()).min() == pytest.approx(deepest, rel=1e-9)


def test_a_position_open_at_the_end_is_noticed():
    """Without week edges some file ends in the middle of a trade; with them none does."""
    for edge, some in ((0, True), (6, False)):
        runs = [outcome_of(COSTLY, edge=edge, bars=bars) for bars in range(302, 308)]
        still = [Subject(outcome).still_open for outcome in runs]
        assert any(still) == some
        for outcome, held in zip(runs, still, strict=True):
            assert outcome.trades is not None
            assert (len(outcome.trades) < trades_begun(outcome)) == held


def trades_begun(outcome: Outcome) -> int:
    """Closed or not: backtesting.py closes what is open when told to."""
    job = outcome.job
    backtest = reference_backtest(outcome.bars.frame, job.first_bar, settings_of(job))
    backtest._finalize_trades = True
    return int(run_quietly(backtest, vars(PARAMETERS))["# Trades"])


def test_after_ruin_nothing_is_open():
    outcome = outcome_of(ACCOUNTS["ruin"])
    assert drawn(outcome).iloc[-1] == 0
    assert not Subject(outcome).still_open
    assert drawdown(drawn(outcome).to_numpy())[-1] == -100


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
    equity = drawn(outcome_of(COSTLY))
    months = monthly_returns(equity).drop(columns="Year").to_numpy()
    assert np.nanprod(1 + months / 100) == pytest.approx(equity.iloc[-1] / equity.iloc[0])


def test_months_after_ruin_have_no_return():
    times = pd.to_datetime(["2023-11-30", "2023-12-01", "2024-01-01"])
    found = monthly_returns(pd.Series([100.0, 0.0, 0.0], index=times))
    assert found.loc[2023, 12] == -100
    assert np.isnan(found.loc[2024, 1])
