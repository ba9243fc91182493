"""BigBar, described: its engine, its columns, what it refuses, where its bars may be cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar import given
from bigbar.account import Account
from bigbar.calendar import trading_weeks
from bigbar.errors import DataError, SettingsError
from bigbar.job import LEAST_TRADING_BARS, Job
from bigbar.parameter import Parameter
from bigbar.space import Space
from bigbar.spec import StrategySpec, Task
from bigbar.strategies.big_bar.indicators import first_trading_bar, with_indicators
from bigbar.strategies.big_bar.parameters import (
    DEFAULT_GRID,
    FILLS,
    HELP,
    Parameters,
    Settings,
    big_bar_account,
    check_values,
    grid_with,
    longest_period,
    parse_grid,
    parse_parameter,
    single_point,
)
from bigbar.without_charts import import_backtesting

if TYPE_CHECKING:
    from backtesting import Backtest

    from bigbar.choice import Choice
    from bigbar.data.read import Bars

__all__ = [
    "DEFAULT_GRID",
    "BigBar",
    "Parameters",
    "Settings",
    "big_bar_account",
    "check_enough_bars",
    "grid_with",
    "job_of",
    "longest_period",
    "parse_grid",
    "parse_parameter",
    "single_point",
]

#: A week at either end of the bars with less than this share of the longest week's bars is no week
#: to speak of (the warm-up ended inside it, or the file does): it goes with its neighbour.
_WHOLE_WEEK = 0.5


@dataclass(frozen=True)
class BigBar(StrategySpec):
    """The strategy that comes along.

    Attributes
    ----------
    week_edge_bars : int
        How many bars at each end of a trading week are restricted, at least 0.
    """

    path: str = "big_bar"
    by_value: bytes | None = None
    week_edge_bars: int = Settings.week_edge_bars

    engines: ClassVar[Mapping[str, str]] = {
        "compiled": "bigbar.strategies.big_bar.kind:KIND",
    }
    default_engine: ClassVar[str] = "compiled"
    comes_along: ClassVar[bool] = True
    has_own_backtest: ClassVar[bool] = True
    default_grid: ClassVar[Mapping[str, str]] = DEFAULT_GRID
    help: ClassVar[Mapping[str, str]] = HELP
    account_options: ClassVar[tuple[str, ...]] = ("cash", "commission", "spread", "margin")
    sees_other_columns: ClassVar[bool] = False
    cut_unit: ClassVar[str] = "trading weeks"
    cut_unit_means: ClassVar[str] = "Sunday 00:00 UTC to the next"

    def __post_init__(self) -> None:
        bars = given.whole("week-edge bars", self.week_edge_bars)
        object.__setattr__(self, "week_edge_bars", bars)

    @property
    def strategy(self) -> Any:
        import_backtesting()
        from bigbar.strategies.big_bar.strategy import with_week_edges

        return with_week_edges(self.week_edge_bars)

    @property
    def title(self) -> str:
        return "BigBar"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"week_edge_bars": int(self.week_edge_bars)}

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(vars(Parameters()))

    def default_account(self) -> Account:
        return big_bar_account()

    def columns(self, bars: pd.DataFrame) -> pd.DataFrame:
        return with_indicators(bars, self.week_edge_bars)

    def warm_up(self, space: Space) -> int:
        return first_trading_bar(longest_period(space))

    def warm_up_text(self, space: Space) -> str:
        return f"ATR period {longest_period(space)} is from bar {self.warm_up(space)} on"

    def cuts(self, index: pd.DatetimeIndex, span: tuple[int, int]) -> NDArray[np.int64]:
        first, stop = span
        weeks = trading_weeks(index[first:stop])
        edges = np.append(first + np.flatnonzero(np.diff(weeks, prepend=weeks[0] - 1)), stop)
        lengths = np.diff(edges)
        least = _WHOLE_WEEK * lengths.max()
        if len(lengths) > 1 and lengths[-1] < least:
            edges = np.delete(edges, -2)
        if len(lengths) > 1 and lengths[0] < least:
            edges = np.delete(edges, 1)
        return edges

    def check(self, space: Space, account: Account) -> None:
        if space.names != tuple(DEFAULT_GRID):
            unknown = next((name for name in space.names if name not in DEFAULT_GRID), None)
            if unknown is not None:
                raise SettingsError(self._unknown(unknown, DEFAULT_GRID))
            raise SettingsError(
                f"a grid of BigBar needs {', '.join(DEFAULT_GRID)}, not {', '.join(space.names)}"
            )
        for parameter in space.parameters:
            check_values(parameter)
        for name, value in FILLS.items():
            if getattr(account, name) != value:
                raise SettingsError(f"BigBar is always run with {name}={value}")

    def check_bars(self, bars: Bars, space: Space) -> None:
        check_enough_bars(len(bars.frame), longest_period(space), bars.source)

    def check_feasible(self, bars: Bars, job: Task, choice: Choice) -> None:
        from bigbar.strategies.big_bar.feasibility import check_feasible

        check_feasible(bars, job, choice, edge=self.week_edge_bars)

    def note(self, bars: Bars, job: Task) -> str | None:
        from bigbar.strategies.big_bar.feasibility import edge_note

        return edge_note(bars, job, edge=self.week_edge_bars)

    def parameter(self, name: str, text: str) -> Parameter:
        if name not in DEFAULT_GRID:
            raise SettingsError(self._unknown(name, DEFAULT_GRID))
        return parse_parameter(name, text)

    def grid(self, texts: Mapping[str, str]) -> Space:
        self._check_names(texts)
        return parse_grid(**texts)

    def space(self, values: Mapping[str, Any]) -> Space:
        self._check_names(values)
        typed = {name: text for name, text in values.items() if isinstance(text, str)}
        asked = {
            name: several
            for name, several in values.items()
            if several is not None and name not in typed
        }
        from_text = {each.name: each.values for each in parse_grid(**typed).parameters}
        return grid_with(**from_text | asked)

    def single(self, texts: Mapping[str, str]) -> Space:
        self._check_names(texts)
        typed = {name: repr(value) for name, value in vars(Parameters()).items()}
        return parse_grid(**typed | dict(texts))

    def _check_names(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in DEFAULT_GRID:
                raise SettingsError(self._unknown(name, DEFAULT_GRID))

    def why_no_trade(self, bars: Bars, job: Task) -> str:
        from bigbar.strategies.big_bar.feasibility import why_no_trade

        return why_no_trade(bars, job, edge=self.week_edge_bars)

    def own_backtest(
        self, bars: pd.DataFrame, account: Account, span: tuple[int, int]
    ) -> Backtest | None:
        from bigbar.strategies.big_bar.strategy import reference_backtest

        first, stop = span
        return reference_backtest(
            bars, first, Settings(account, self.week_edge_bars), stop_bar=stop
        )


def job_of(
    grid: Space, settings: Settings, engine: str, span: tuple[int, int] | None = None
) -> Job:
    """A job of BigBar."""
    return Job(BigBar(week_edge_bars=settings.week_edge_bars), grid, settings.account, engine, span)


def check_enough_bars(bars: int, max_atr_period: int, source: str) -> None:
    """Refuse a file too short for the grid.

    Raises
    ------
    DataError
        Saying how many bars there are and how many are needed.
    """
    needed = first_trading_bar(max_atr_period) + LEAST_TRADING_BARS
    if bars < needed:
        longest = bars - LEAST_TRADING_BARS
        ways = "a longer file"
        if longest >= first_trading_bar(0):  # With fewer bars no period does.
            ways += f" or a smaller --atr-period, up to {longest}"
        raise DataError(
            f"{source}: {bars} bars, but ATR period {max_atr_period} needs at least {needed}; "
            f"use {ways}"
        )
