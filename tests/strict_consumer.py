"""What a user's own project writes, under `mypy --strict`: checked by tests/test_package.py."""

from pathlib import Path
from typing import Any, assert_type

import pandas as pd

import bigbar
from bigbar import Backtest, Explanation, Optimization, explain, optimize
from bigbar.errors import BigBarError, NothingCounts, SettingsError
from bigbar.validation.findings import Findings


def in_place_of_backtesting(data: pd.DataFrame, strategy: type) -> Optimization:
    """One import changed."""
    bt = Backtest(data, strategy, cash=10_000, commission=0.002)
    assert_type(bt.optimize(fast=range(5, 30, 5), maximize="SQN"), pd.Series)
    stats, heatmap = bt.optimize(fast=range(5, 30, 5), return_heatmap=True, workers=2)
    assert_type(stats, pd.Series)
    assert_type(heatmap, pd.Series)
    assert_type(bt.last.verdict, str | None)
    return bt.last


def from_a_file(path: Path) -> list[Path]:
    """All of what was found."""
    try:
        found = optimize(path, "my.py:Mine", fast="5:30:5", constraint="fast < slow", holdout=0.2)
    except NothingCounts as nothing:
        found = nothing.found
    except (SettingsError, BigBarError):
        return []
    assert_type(found.best_parameters, dict[str, Any] | None)
    assert_type(found.best_statistics, pd.Series | None)
    assert_type(found.table(), pd.DataFrame)
    assert_type(found.heatmap("SQN"), pd.Series)
    assert_type(found.trades, pd.DataFrame | None)
    assert_type(found.findings, Findings | None)
    assert_type(found.report("page.html"), Path)
    assert_type(found.report(), Path | None)
    found.plot(open_browser=False)
    for parameters, statistics in found.results:
        print(parameters["fast"], statistics["SQN"], len(found))
    return found.save("out", csv=True, plot=True, force=True)


def why(strategy: type) -> Explanation:
    """What is compiled."""
    print(bigbar.__version__, dir(bigbar))
    return explain(strategy)


def mistakes(found: Optimization, bt: Backtest) -> None:
    """Each of these is one: an ignored error that is none is an error under `--strict`."""
    found.save()  # type: ignore[call-arg]
    found.report(3)  # type: ignore[call-overload]
    found.heatmap(1)  # type: ignore[arg-type]
    number: int = found.verdict  # type: ignore[assignment]
    text: str = bt.optimize(n=[1])  # type: ignore[assignment]
    optimize("a.csv", holdouts=0.2, min_trades="5")  # type: ignore[arg-type]
    print(number, text)
