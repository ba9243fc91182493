"""Walk-forward against the same by hand: `backtesting.py` on every combination of every window."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_bars import Case, Recipe
from worker_here import one_by_one, worker_here

from bigbar.choice import Choice
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES, build_engine
from bigbar.engines.reference import BacktestingEngine, run_quietly
from bigbar.errors import DataError, SettingsError, VerificationError, WorkersLostError
from bigbar.executors.contract import WorkerDied
from bigbar.executors.local import WorkerPool
from bigbar.job import Job
from bigbar.sharing.frames import publish
from bigbar.strategies.big_bar.description import BigBar, job_of
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with
from bigbar.strategies.big_bar.strategy import reference_backtest
from bigbar.validation.findings import WalkForward
from bigbar.validation.splits import walk_forward_splits
from bigbar.validation.walk_forward import (
    WindowTask,
    Winners,
    run_window,
    t_statistic,
    walk_forward,
    walk_forward_matrix,
)
from bigbar.worker import start_worker

GRID = grid_with(
    atr_period=[3, 7], k_atr=[0.7, 1.2, 1.8], uptail_max_ratio=0.7, previous_weight=[0.0, 0.3],
    buffer_ratio=0.01,
)  # fmt: skip

#: Hourly, eight weeks, the first of them short.
RECIPE = Recipe(
    bars=900, calendar="forex", style="trend", seed=2, zone="America/New_York", volatility=0.002
)
CASE = Case(RECIPE, GRID, Settings(big_bar_account(commission=0.0002), 6))

#: Less of everything, for `backtesting.py` to go through alone.
SMALL = Case(
    replace(RECIPE, bars=500, style="walk", seed=10),
    grid_with(
        atr_period=[3, 7], k_atr=[0.7, 1.2, 1.8], uptail_max_ratio=0.7, previous_weight=0.0,
        buffer_ratio=0.01,
    ),
    CASE.settings,
)  # fmt: skip


@dataclass
class Counting:
    """An `Imap` in this thread that counts, and may falsify what comes back."""

    tasks: list[Any] = field(default_factory=list)
    change: Any = None

    def __call__(self, function: Any, tasks: Sequence[Any], *, split: Any = None) -> Iterator[Any]:
        for task in tasks:
            self.tasks.append(task)
            result = function(task)
            yield task, result if self.change is None else self.change(task, result)

    def windows(self) -> list[WindowTask]:
        return [task for task in self.tasks if isinstance(task, WindowTask)]


def analysed(
    case: Case,
    *,
    imap: Any = one_by_one,
    choice: Choice | None = None,
    engine: str = "compiled",
    span: tuple[int, int] | None = None,
    slices: int = 3,
    **how: Any,
) -> WalkForward:
    file, job = case.file(), job_of(case.grid, case.settings, engine, span)
    how = {"windows": 4, "share": 0.3} | how
    with worker_here(file, job):
        winners = Winners(job, choice or Choice.by_name("Return [%]"), imap, slices=slices)
        return walk_forward(file, job, winners, **how)


@cache
def usual() -> WalkForward:
    """The analysis that most tests look at."""
    return analysed(CASE)


def by_hand(
    case: Case, *, objective: str, windows: int, share: float, anchored: bool, min_trades: int = 1
) -> tuple[list[int | None], pd.Series, list[float]]:
    """Winners, joined equity, and each winner's objective in training, by backtesting.py alone."""
    file = case.file()
    splits = walk_forward_splits(
        BigBar(), file.index, (7, len(file)), windows=windows, share=share, anchored=anchored
    )

    def run(span: tuple[int, int], number: int, cash: float) -> pd.Series:
        account = replace(case.settings.account, cash=cash)
        settings = replace(case.settings, account=account)
        test = reference_backtest(file, span[0], settings, stop_bar=span[1])
        return run_quietly(test, case.grid[number])

    cash = case.settings.account.cash
    found: list[int | None] = []
    curves, best = [], []
    for one in splits:
        trained = [
            run(one.train, number, case.settings.account.cash) for number in range(len(case.grid))
        ]
        values = [
            stats[objective] if stats["# Trades"] >= min_trades else -math.inf for stats in trained
        ]
        winner = values.index(max(values)) if max(values) > -math.inf else None
        found.append(winner)
        best.append(max(values))
        if winner is None:
            curves.append(pd.Series(cash, file.index[slice(*one.test)]))
        else:
            curves.append(run(one.test, winner, cash)["_equity_curve"]["Equity"])
        cash = curves[-1].iloc[-1]
    return found, pd.concat(curves), best


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("objective", ["Return [%]", "Sharpe Ratio"])
def test_walk_forward_is_what_it_says(anchored: bool, objective: str) -> None:
    how = {"windows": 3, "share": 0.4, "anchored": anchored}
    found = analysed(SMALL, choice=Choice.by_name(objective), **how)
    numbers, equity, best = by_hand(SMALL, objective=objective, **how)  # type: ignore[arg-type]
    assert [one.combination for one in found.windows] == numbers
    assert len(set(numbers)) >= 2
    pd.testing.assert_series_equal(found.equity, equity, check_exact=True, check_names=False)
    assert [one.train_objective for one in found.windows] == pytest.approx(best, rel=1e-9)
    assert found.replayed == 6
    assert found.anchored == anchored


def test_the_figures_are_those_of_the_joined_equity() -> None:
    found = usual()
    equity = found.equity
    file = CASE.file()
    first = found.windows[0].test[0]
    assert equity.index.equals(file.index[first:])
    assert equity.iloc[0] == CASE.settings.account.cash
    assert found.total_return == pytest.approx((equity.iloc[-1] / equity.iloc[0] - 1) * 100)
    growth = np.prod([1 + one.test_return / 100 for one in found.windows])
    assert found.total_return == pytest.approx((growth - 1) * 100)
    daily = equity.resample("D").last().dropna().pct_change().dropna()
    assert found.annual_return == pytest.approx(daily.mean() * 252 * 100)
    expected = daily.mean() / (daily.std(ddof=1) / math.sqrt(len(daily)))
    assert found.t_statistic == pytest.approx(expected)
    trained = []
    for one in found.windows:
        job = job_of(GRID, CASE.settings, "backtesting", one.train)
        stats = BacktestingEngine(file, job).stats(one.combination or 0)
        inside = stats["_equity_curve"]["Equity"].resample("D").last().dropna().pct_change()
        trained.append(inside.mean() * 252 * 100)
        assert one.train_return == pytest.approx(stats["Return [%]"])
    assert found.in_sample_annual_return == pytest.approx(np.mean(trained))
    assert found.in_sample_annual_return > 0
    assert found.efficiency == pytest.approx(found.annual_return / np.mean(trained))


def test_a_small_profit_in_training_has_an_efficiency_as_well() -> None:
    """Prices that hardly move, without costs: a third of a per cent a year."""
    recipe = replace(RECIPE, volatility=1e-6)
    found = analysed(replace(CASE, recipe=recipe, settings=Settings(big_bar_account(), 6)))
    assert 0 < found.in_sample_annual_return < 1
    assert found.efficiency == pytest.approx(found.annual_return / found.in_sample_annual_return)


def test_windows_say_where_they_are() -> None:
    found = usual()
    index = CASE.file().index
    assert len(found.windows) == 4
    for one in found.windows:
        assert one.train_times == (index[one.train[0]], index[one.train[1] - 1])
        assert one.test_times == (index[one.test[0]], index[one.test[1] - 1])
        assert one.train[1] == one.test[0]
        assert one.test_times[0].tz_convert("UTC").day_name() == "Sunday"
        assert one.test_trades > 0
    assert found.windows[-1].test[1] == len(index)


@pytest.mark.slow
def test_pass_marks_follow_from_the_windows() -> None:
    seen = []
    for style, seed in (("leaning", 1), ("leaning", 3), ("walk", 10), ("walk", 2)):
        found = analysed(replace(CASE, recipe=replace(RECIPE, style=style, seed=seed)))
        ends = [found.equity.iloc[0]]
        ends += [found.equity[one.test_times[1]] for one in found.windows]
        profits = np.diff(ends)
        assert found.profitable_windows == (profits > 0).sum()
        total = profits.sum()
        if total > 0:
            assert found.largest_share == pytest.approx(profits.max() / total)
        else:
            assert math.isnan(found.largest_share)
        assert list(found.passes.values()) == [
            total > 0,
            found.efficiency is not None and found.efficiency >= 0.5,
            (profits > 0).sum() >= 2,
            total > 0 and profits.max() / total < 0.5,
        ]
        seen.append(tuple(found.passes.values()))
    assert len(set(seen)) >= 3


def test_only_the_bars_of_the_job_are_cut_up() -> None:
    """What was put away is not looked at: the bars after the span may be anything."""
    file = CASE.file()
    found = analysed(CASE, span=(7, 700), windows=3)
    assert found.windows[-1].test[1] == 700
    falsified = file.copy()
    falsified.iloc[700:, :4] *= 3
    job = job_of(GRID, CASE.settings, "compiled", (7, 700))
    with worker_here(falsified, job):
        winners = Winners(job, Choice.by_name("Return [%]"), one_by_one, slices=1)
        again = walk_forward(falsified, job, winners, windows=3, share=0.3)
    pd.testing.assert_series_equal(found.equity, again.equity)


def test_a_position_open_at_a_windows_end_counts_at_its_close() -> None:
    """Without restricted bars trades are cut by windows; equity goes on from the close."""
    case = replace(CASE, settings=Settings(big_bar_account(), 0))
    found = analysed(case, windows=5)
    file = case.file()
    open_ends = 0
    cash = case.settings.account.cash
    for one in found.windows:
        settings = replace(case.settings, account=replace(case.settings.account, cash=cash))
        stats = BacktestingEngine(file, job_of(GRID, settings, "backtesting", one.test)).stats(
            one.combination or 0
        )
        assert found.equity[one.test_times[0]] == cash
        cash = stats["_equity_curve"]["Equity"].iloc[-1]
        assert found.equity[one.test_times[1]] == cash
        closed = stats["_trades"]["PnL"].sum() + settings.account.cash
        open_ends += abs(closed - cash) > 1e-6
    assert open_ends >= 1


def test_where_nothing_counts_nothing_is_traded() -> None:
    found = analysed(CASE, choice=Choice.by_name("Return [%]", 10_000))
    assert [one.combination for one in found.windows] == [None] * 4
    assert (found.equity == 100_000).all()
    assert (found.total_return, found.annual_return, found.replayed) == (0, 0, 0)
    assert found.efficiency is None
    assert math.isnan(found.t_statistic)
    assert math.isnan(found.largest_share)
    assert not found.passes["makes money out of sample"]
    assert not found.passes["no window makes half of the profit or more"]
    assert all(math.isnan(one.train_objective) for one in found.windows)


def test_after_ruin_nothing_is_traded() -> None:
    account = big_bar_account(margin=0.01, commission=0.002)
    case = Case(replace(RECIPE, volatility=0.01), GRID, Settings(account, 6))
    found = analysed(case)
    assert found.total_return == -100
    ruined = [one for one in found.windows if one.test_trades == 0]
    assert ruined
    assert all(one.combination is not None and one.test_return == 0 for one in ruined)
    assert found.equity.iloc[-1] == 0
    assert math.isfinite(found.t_statistic)


def test_too_few_weeks() -> None:
    with pytest.raises(DataError, match="trading weeks"):
        analysed(CASE, windows=30)


# Work.


def test_each_window_is_a_few_slices_of_whole_periods() -> None:
    counting = Counting()
    analysed(CASE, imap=counting, slices=2)
    tasks = counting.windows()
    assert len(tasks) == 4 * 2
    assert {(task.start, task.stop) for task in tasks} == {(0, 6), (6, 12)}
    assert {task.choice for task in tasks} == {Choice.by_name("Return [%]")}


@pytest.mark.parametrize("slices", [1, 3, 5, 50])
def test_slices_change_nothing(slices: int) -> None:
    found = analysed(CASE, slices=slices)
    assert [one.combination for one in found.windows] == [
        one.combination for one in usual().windows
    ]


def test_progress_counts_every_combination_of_every_window() -> None:
    done: list[int] = []
    file, job = CASE.file(), CASE.job()
    with worker_here(file, job):
        winners = Winners(
            job, Choice.by_name("Return [%]"), one_by_one, slices=5, progress=done.append
        )
        walk_forward(file, job, winners, windows=4, share=0.3)
    assert sum(done) == 4 * len(GRID)


def test_the_same_window_is_not_optimized_twice() -> None:
    counting = Counting()
    file, job = CASE.file(), CASE.job()
    with worker_here(file, job):
        winners = Winners(job, Choice.by_name("Return [%]"), counting, slices=1)
        found = walk_forward(file, job, winners, windows=4, share=0.3)
        before = len(counting.windows())
        matrix = walk_forward_matrix(file, job, winners, windows=[2, 4, 40], shares=[0.2, 0.3, 0.5])
    spans = [task.span for task in counting.windows()]
    assert before == 4
    assert len(spans) == len(set(spans)) > 10
    assert matrix.windows == (2, 4, 40)
    assert matrix.shares == (0.2, 0.3, 0.5)
    assert matrix.total_return[1, 1] == found.total_return
    assert matrix.efficiency[1, 1] == found.efficiency
    assert np.isnan(matrix.total_return[2]).all()
    assert np.isfinite(matrix.total_return[0]).all()
    assert len(np.unique(matrix.total_return[:2].round(6))) >= 5


def test_a_matrix_of_shares_that_make_no_sense() -> None:
    file, job = CASE.file(), CASE.job()
    winners = Winners(job, Choice.by_name("Return [%]"), one_by_one, slices=1)
    with pytest.raises(SettingsError):
        walk_forward_matrix(file, job, winners, windows=[2], shares=[1.2])


def test_a_pool_gives_the_same() -> None:
    file, job = CASE.file(), CASE.job()
    with (
        publish(file, job) as publication,
        WorkerPool(
            2, start_method=None, initializer=start_worker, initargs=(publication.descriptor,)
        ) as pool,
    ):
        winners = Winners(job, Choice.by_name("Return [%]"), pool.imap_unordered, slices=2)
        found = walk_forward(file, job, winners, windows=4, share=0.3)
    here = usual()
    assert found.windows == here.windows
    pd.testing.assert_series_equal(found.equity, here.equity)


def test_the_slow_engine_gives_the_same() -> None:
    slow = analysed(SMALL, engine="backtesting", windows=2, share=0.3)
    fast = analysed(SMALL, windows=2, share=0.3)
    assert [one.combination for one in slow.windows] == [one.combination for one in fast.windows]
    pd.testing.assert_series_equal(slow.equity, fast.equity)


# What goes wrong.


@pytest.mark.parametrize("off", [1e-6, -1e-6])
def test_a_wrong_winner_is_found_out(off: float) -> None:
    def falsify(task: Any, result: Any) -> Any:
        if isinstance(task, WindowTask):
            result[0] += off
        return result

    with pytest.raises(VerificationError, match=r"combination \d+ .*Return \[%\] is"):
        analysed(CASE, imap=Counting(change=falsify))


def test_a_replay_that_kills_its_worker_is_an_error() -> None:
    def kill(task: Any, result: Any) -> Any:
        return result if isinstance(task, WindowTask) else WorkerDied(-9, 2)

    with pytest.raises(WorkersLostError, match=r"could not be replayed .* \(signal 9\)"):
        analysed(CASE, imap=Counting(change=kill))


def test_a_slice_that_kills_its_worker_does_not_count() -> None:
    """The pool has cut it down to the one combination that does it: the winner, here."""
    best = usual().windows[0].combination
    assert best is not None

    def kill(task: Any, result: Any) -> Any:
        died = isinstance(task, WindowTask) and task.start == best
        return WorkerDied(-9, 2) if died else result

    counting = Counting(change=kill)
    file, job = CASE.file(), CASE.job()
    with worker_here(file, job):
        winners = Winners(job, Choice.by_name("Return [%]"), counting, slices=len(GRID))
        (winner,) = winners.find([usual().windows[0].train])
    assert {task.stop - task.start for task in counting.windows()} == {1}
    assert winner is not None
    assert winner.number != best
    assert winner.objective <= usual().windows[0].train_objective


def test_a_combination_that_raises_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    class Moody:
        """The compiled engine, but for combination 4."""

        def __init__(self, file: pd.DataFrame, job: Job) -> None:
            self._engine = build_engine(file, replace(job, engine="compiled"))

        def run(self, start: int, stop: int) -> np.ndarray:
            if start <= 4 < stop:
                raise ZeroDivisionError
            return self._engine.run(start, stop)

    monkeypatch.setitem(ENGINES, "moody", EngineKind(Moody, 1))  # type: ignore[arg-type]
    file, job = CASE.file(), CASE.job("moody")
    with worker_here(file, job):
        found = run_window(WindowTask((7, 400), 0, 12, Choice.by_name("# Trades")))
    assert np.flatnonzero(np.isnan(found[0])).tolist() == [4]
    assert np.flatnonzero(np.isnan(found[1])).tolist() == [4]


# The t-statistic.


def test_t_statistic() -> None:
    returns = [0.01, -0.02, 0.03, 0.005, 0.0]
    expected = statistics.mean(returns) / (statistics.stdev(returns) / math.sqrt(5))
    assert t_statistic(np.array(returns)) == pytest.approx(expected)
    with_ruin = np.array([0.01, -1.0, np.nan, np.nan])
    assert t_statistic(with_ruin) == pytest.approx(t_statistic(np.array([0.01, -1.0, 0, 0])))


@pytest.mark.parametrize("returns", [[], [0.1], [0.0, 0.0, 0.0]])
def test_no_t_statistic(returns: list[float]) -> None:
    assert math.isnan(t_statistic(np.array(returns)))
