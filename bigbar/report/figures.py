"""The key figures of the chosen setting, with those of buying and holding beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bigbar.engines.any_strategy.statistics import StatisticsMaker
from bigbar.outcome import Outcome
from bigbar.report.console import drawn
from bigbar.report.page.numbers import statistic
from bigbar.statistics import COLUMN

#: What is shown, by backtesting.py's names; an objective that is none of these stands first.
KEY_FIGURES = (
    "Return [%]",
    "Max. Drawdown [%]",
    "Sharpe Ratio",
    "Win Rate [%]",
    "Exposure Time [%]",
    "# Trades",
)

_LABELS = {"Sharpe Ratio": "Sharpe Ratio (annual)", "# Trades": "Trades"}

#: In narrower terminals the heads of columns take several lines.
_NARROW = 60

_HELD = "Buy & Hold Return [%]"


def figures_text(outcome: Outcome, number: int, *, width: int) -> str:
    """Six figures of a combination, on unseen bars as well where some were held back.

    Parameters
    ----------
    outcome : Outcome
    number : int
        Of the combination.
    width : int
        Of the terminal, in characters.
    """
    from rich.table import Table

    objective = outcome.choice.objective.name
    rest = tuple(name for name in KEY_FIGURES if name != objective)
    names = KEY_FIGURES if objective in KEY_FIGURES else (objective, *rest[: len(KEY_FIGURES) - 1])
    columns: dict[str, pd.Series | dict[str, Any]] = {
        "This setting": outcome.table.statistics(number)
    }
    holdout = None if outcome.findings is None else outcome.findings.holdout
    if holdout is not None:
        columns["Unseen"] = holdout.unseen
    columns["Buy and hold"] = held(outcome, number)
    narrow = width < _NARROW
    drawing = Table(box=None, padding=(0, 1 if narrow else 3, 0, 0), pad_edge=False)
    drawing.add_column("")
    for head in columns:
        shown = head.replace(" ", "\n") if narrow else head
        drawing.add_column(shown, justify="right", no_wrap=True, vertical="bottom")
    for name in names:
        label = _LABELS.get(name, name.partition(" [")[0])
        values = (statistic(name, column.get(name)) for column in columns.values())
        drawing.add_row(f"  {label}", *(value.replace("\u00a0", " ") for value in values))
    return drawn(drawing, width)


def held(outcome: Outcome, number: int) -> dict[str, Any]:
    """Statistics of buying at the first close that takes part and holding, at no cost.

    The return is that which `backtesting.py` gives; the others are of the closes as equity.
    """
    bars = outcome.bars.frame.iloc[outcome.job.bars]
    close = bars["Close"].to_numpy(np.float64)
    row = StatisticsMaker(bars).row([], close, 0)
    found: dict[str, Any] = {"# Trades": 1, "Exposure Time [%]": 100.0, "Win Rate [%]": None}
    if row is not None:
        for name in ("Max. Drawdown [%]", "Sharpe Ratio", "Sortino Ratio", "Calmar Ratio",
                     "Return (Ann.) [%]", "Volatility (Ann.) [%]", "CAGR [%]"):  # fmt: skip
            found[name] = float(row[COLUMN[name]])
    return found | {"Return [%]": outcome.table.statistics(number)[_HELD]}
