"""What `backtesting.Backtest.optimize` makes of its arguments: refusals, points, the heatmap.

Everything here is as in `backtesting.py` 0.6, in its order and in its words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import default_rng

from bigbar.choice import Choice, Maximize, Objective
from bigbar.errors import SettingsAttributeError, SettingsTypeError, SettingsValueError
from bigbar.parameter import Parameter
from bigbar.results import ResultTable, index_of
from bigbar.series import as_timedeltas
from bigbar.space import Space
from bigbar.statistics import COLUMN, Better, Kind, by_name

#: From so many combinations on, those that the constraint admits are not counted to make a share
#: of `max_tries`.
_COUNTED = 10_000


def check_any(parameters: Mapping[str, Any]) -> None:
    """Refuse to optimize without parameters.

    Raises
    ------
    SettingsValueError
    """
    if not parameters:
        raise SettingsValueError("Need some strategy parameters to optimize")


def choice_of(maximize: Maximize) -> Choice:
    """What is maximized: the higher the better, whatever it is.

    Several objectives, which backtesting.py does not take, are each in the direction that a trader
    wants it.

    Raises
    ------
    SettingsValueError, SettingsTypeError
        If it is no key of the statistics, or no function.
    """
    if isinstance(maximize, str):
        if maximize in COLUMN:
            return Choice((Objective(replace(by_name(maximize), better=Better.HIGHER)),))
        from backtesting._stats import dummy_stats

        if maximize not in dummy_stats().index:
            raise SettingsValueError(
                "`maximize`, if str, must match a key in pd.Series result of backtest.run()"
            )
        return Choice.of(_Item(maximize))
    if isinstance(maximize, list | tuple):
        return Choice.of(maximize)
    if not callable(maximize):
        raise SettingsTypeError(
            "`maximize` must be str (a field of backtest.run() result Series) or a function that "
            "accepts result Series and returns a number; the higher the better"
        )
    return Choice.of(maximize)


@dataclass(frozen=True)
class _Item:
    """A statistic that is no number, such as `Start`."""

    key: str

    @property
    def __name__(self) -> str:
        return self.key

    def __call__(self, stats: pd.Series) -> Any:
        return pd.Timestamp(stats[self.key]).value


def check_arguments(
    parameters: Mapping[str, Any], constraint: object, method: str, return_optimization: bool
) -> None:
    """Refuse arguments that make no sense.

    Raises
    ------
    SettingsTypeError, SettingsValueError
    """
    if constraint is not None and not callable(constraint):
        raise SettingsTypeError(
            "`constraint` must be a function that accepts a dict of strategy parameters and "
            "returns a bool whether the combination of parameters is admissible or not"
        )
    if return_optimization:
        raise SettingsValueError("return_optimization=True only valid if method='sambo'")
    for name, values in parameters.items():
        if not values_of(values):
            raise SettingsValueError(
                f"Optimization variable '{name}' is passed no optimization values: {name}={values}"
            )
    if method != "grid":
        raise SettingsValueError(f"Method should be 'grid' or 'sambo', not {method!r}")


def check_names(strategy: type, parameters: Mapping[str, Any]) -> None:
    """Refuse a parameter that the strategy does not have.

    Raises
    ------
    SettingsAttributeError
        With the nearest names.
    """
    missing = next((name for name in parameters if not hasattr(strategy, name)), None)
    if missing is None:
        return
    near = get_close_matches(missing, [each for each in dir(strategy) if not each.startswith("_")])
    raise SettingsAttributeError(
        f"Strategy '{strategy.__name__}' is missing parameter '{missing}'. "
        "Strategy class should define parameters as class variables before they "
        "can be optimized or run with." + (f" Did you mean: {', '.join(near)}?" if near else "")
    )


def values_of(given: Any) -> tuple[Any, ...]:
    """The values of a parameter: a sequence's or an array's items, or the one value."""
    if isinstance(given, str):
        return (given,)
    if isinstance(given, np.ndarray) and given.ndim == 0:
        return (given.item(),)
    if isinstance(given, Sequence | np.ndarray | pd.Series | pd.Index):
        return tuple(given)
    return (given,)


def space_of(
    parameters: Mapping[str, Any],
    constraint: Callable[[Any], bool] | None,
    max_tries: int | float | None,
    random_state: Any,
) -> Space:
    """The points, and of these backtesting.py's own random draw where not all are to be tried.

    Raises
    ------
    SettingsValueError
        If none is left.
    TypeError
        If a value cannot be part of an index (a list), or `random_state` is no seed.
    """
    product = Space([Parameter(name, values_of(given)) for name, given in parameters.items()])
    for parameter in product.parameters:
        for value in parameter.values:
            hash(value)
    product.check_size()
    space = product if constraint is None else product.where(constraint)
    if max_tries is None:
        share = 1.0
    elif 0 < max_tries <= 1:
        share = float(max_tries)
    else:
        counted = len(product) < _COUNTED and constraint is not None
        share = max_tries / (len(space) if counted else len(product))
    # Drawn even where all are tried: a generator given as the state goes on as far as theirs.
    drawn = default_rng(random_state).random(len(space)) <= share
    if not drawn.any():
        raise SettingsValueError("No admissible parameter combinations to test")
    return space if drawn.all() else space.only(drawn)


def heatmap_of(table: ResultTable, choice: Choice, name: str | None) -> pd.Series:
    """The objective of every point, by its parameters: NaN where nothing was traded."""
    index = index_of(table.space)
    values = np.where(table.column("# Trades") > 0, table.column(choice.objective.name), np.nan)
    if choice.function is None and choice.objective.kind is Kind.DURATION:
        return pd.Series(as_timedeltas(values), index=index, name=name)
    return pd.Series(values, index=index, name=name, dtype=float)
