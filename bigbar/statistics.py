"""The statistics of a backtest: their names, what kind of number each is, and which way is better.

The order of `STATISTICS` is the order of the columns in every table of results. Tables, choices
and docs derive from this one place; what each statistic means is `backtesting.py`'s definition.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum

from bigbar import given
from bigbar.errors import SettingsError


class Kind(Enum):
    """What a column holds. Durations are stored as nanoseconds in a float column, NaN for none."""

    NUMBER = "number"
    COUNT = "count"
    DURATION = "duration"


class Better(Enum):
    """Which way a trader wants a statistic to go."""

    HIGHER = 1
    LOWER = -1
    SAME = 0
    UNCLEAR = None


@dataclass(frozen=True)
class Statistic:
    """One statistic: `backtesting.py`'s name, its kind, and which way is better."""

    name: str
    kind: Kind = Kind.NUMBER
    better: Better = Better.HIGHER


STATISTICS = (
    Statistic("Duration", Kind.DURATION, Better.SAME),
    Statistic("Exposure Time [%]"),
    Statistic("Equity Final [$]"),
    Statistic("Equity Peak [$]"),
    Statistic("Commissions [$]", better=Better.LOWER),
    Statistic("Return [%]"),
    Statistic("Buy & Hold Return [%]", better=Better.SAME),
    Statistic("Return (Ann.) [%]"),
    Statistic("Volatility (Ann.) [%]", better=Better.LOWER),
    Statistic("CAGR [%]"),
    Statistic("Sharpe Ratio"),
    Statistic("Sortino Ratio"),
    Statistic("Calmar Ratio"),
    Statistic("Alpha [%]"),
    Statistic("Beta"),
    # Drawdowns are negative numbers: the highest is the smallest loss.
    Statistic("Max. Drawdown [%]"),
    Statistic("Avg. Drawdown [%]"),
    Statistic("Max. Drawdown Duration", Kind.DURATION, Better.LOWER),
    Statistic("Avg. Drawdown Duration", Kind.DURATION, Better.LOWER),
    Statistic("# Trades", Kind.COUNT),
    Statistic("Win Rate [%]"),
    Statistic("Best Trade [%]"),
    Statistic("Worst Trade [%]"),
    Statistic("Avg. Trade [%]"),
    Statistic("Max. Trade Duration", Kind.DURATION, Better.UNCLEAR),
    Statistic("Avg. Trade Duration", Kind.DURATION, Better.UNCLEAR),
    Statistic("Profit Factor"),
    Statistic("Expectancy [%]"),
    Statistic("SQN"),
    Statistic("Kelly Criterion"),
)

NAMES = tuple(statistic.name for statistic in STATISTICS)
COLUMN = {name: column for column, name in enumerate(NAMES)}


def by_name(name: str) -> Statistic:
    """Look a statistic up by `backtesting.py`'s name; upper and lower case do not matter.

    Raises
    ------
    SettingsError
        If there is no such statistic, with the nearest names.
    """
    given.text("statistic", name, "a name, such as 'Sharpe Ratio'")
    by_lower = {statistic.name.lower(): statistic for statistic in STATISTICS}
    wanted = name.strip().lower()
    if wanted in by_lower:
        return by_lower[wanted]
    near = difflib.get_close_matches(wanted, by_lower, n=3, cutoff=0.4)
    # A word out of the middle of a long name is not close to it, but means it.
    near += [known for known in by_lower if wanted and wanted in known and known not in near]
    hint = " or ".join(repr(by_lower[match].name) for match in near[:3])
    raise SettingsError(
        f"there is no statistic {name!r}"
        + (f"; did you mean {hint}?" if hint else f"; choose from {', '.join(NAMES)}")
    )


def objective(name: str) -> Statistic:
    """The statistic to optimize, by `backtesting.py`'s name.

    Parameters
    ----------
    name : str
        As `backtesting.py` prints it; upper and lower case do not matter.

    Returns
    -------
    Statistic

    Raises
    ------
    SettingsError
        If there is no such statistic (with the nearest names), or optimizing it makes no sense
        (with the reason).
    """
    found = by_name(name)
    if found.better is Better.SAME:
        raise SettingsError(
            f"{found.name!r} cannot be optimized: it is the same for every combination of a file"
        )
    if found.better is Better.UNCLEAR:
        raise SettingsError(
            f"{found.name!r} cannot be optimized: neither a longer nor a shorter one is better in "
            "itself"
        )
    return found
