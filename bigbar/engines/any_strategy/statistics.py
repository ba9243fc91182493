"""The statistics of one backtest as plain numbers, without pandas: a row of a table.

The formulas are those of backtesting.py's `compute_stats`, in its order of adding, so that a row
has its bits. What is out of the ordinary (equity that is not finite, two bars at the same time,
another version of backtesting.py) is not guessed: `StatisticsMaker.row` then has no row, and
`statistics_row` makes it from what `compute_stats` itself says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.calendar import bar_time, calendar_of
from bigbar.compiled.clock import Clock
from bigbar.statistics import COLUMN, NAMES

#: What `compute_stats` leaves out, and what it means: commissions where nobody was paid any, the
#: annual growth where bars are not by time.
_LEFT_OUT = {"Commissions [$]": 0.0, "CAGR [%]": np.nan}

#: So many statistics `StatisticsMaker` makes; where there are more, it leaves them all to others.
_MADE = 30


def statistics_row(stats: pd.Series) -> NDArray[np.float64]:
    """One backtest's statistics as plain floats.

    Parameters
    ----------
    stats : Series
        As `Backtest.run` returns it.

    Returns
    -------
    ndarray of float, shape (statistics,)
        Durations in nanoseconds. Commissions that backtesting.py leaves out are 0. Where it
        puts a bare number in place of a duration (a drawdown on the last bar only, bars that are
        not by time), NaN.
    """
    known = {**_LEFT_OUT, **stats}
    return np.array([_as_float(name, known[name]) for name in NAMES])


def _as_float(name: str, value: object) -> float:
    if isinstance(value, pd.Timedelta):
        return float(value.as_unit("ns").value)
    if name.endswith("Duration") or pd.isna(value):  # type: ignore[call-overload]
        return np.nan
    return float(value)  # type: ignore[arg-type]


def are_plain(prices: pd.DataFrame) -> bool:
    """Whether rows can be made for backtests on these bars here."""
    index: Any = prices.index
    if len(NAMES) != _MADE or prices["Close"].dtype.kind not in "fiu":
        return False
    if isinstance(index, pd.DatetimeIndex):
        return bool(index.is_unique)
    return isinstance(index, pd.RangeIndex)


class StatisticsMaker:
    """Makes rows for backtests on the same bars.

    Parameters
    ----------
    prices : DataFrame
        The bars as `Backtest` holds them: checked, in order of time.

    Attributes
    ----------
    times : Times or None
        Of the bars; None where they have none, or where no rows are made.
    """

    def __init__(self, prices: pd.DataFrame) -> None:
        index: Any = prices.index
        self._bars = len(prices)
        self._close = prices["Close"].to_numpy()
        self._plain = are_plain(prices)
        self.times = Times(index) if self._plain and isinstance(index, pd.DatetimeIndex) else None
        if not self._plain:
            return
        with np.errstate(all="ignore"):
            self._market_moves = np.log(self._close[1:] / self._close[:-1])

    def row(
        self, trades: Sequence[Any], equity: NDArray[np.float64], first_trading_bar: int
    ) -> NDArray[np.float64] | None:
        """The statistics of one backtest.

        Parameters
        ----------
        trades : sequence of backtesting.backtesting.Trade
            Closed trades, in the order in which the broker closed them.
        equity : ndarray of float, shape (bars,)
        first_trading_bar : int
            Where buy and hold begins: the bars that the strategy's indicators warm up.

        Returns
        -------
        ndarray of float, shape (statistics,)
            As `statistics_row` has it; None where something is out of the ordinary.
        """
        with np.errstate(all="ignore"):
            closed = ClosedTrades(trades)
        return self.row_of(closed, equity, first_trading_bar)

    def row_of(
        self, closed: ClosedTrades, equity: NDArray[np.float64], first_trading_bar: int
    ) -> NDArray[np.float64] | None:
        """As `row`, of closed trades as columns of numbers."""
        if not (self._plain and equity[0] > 0.0 and np.isfinite(equity).all()):
            return None
        row = np.full(len(NAMES), np.nan)
        with np.errstate(all="ignore"):
            if not closed.finite:
                return None
            self._equity_statistics(row, equity, first_trading_bar)
            deepest = self._drawdown_statistics(row, equity)
            self._annual_statistics(row, equity, deepest)
            self._market_statistics(row, equity)
            self._trade_statistics(row, closed)
        return row

    def _equity_statistics(
        self, row: NDArray[np.float64], equity: NDArray[np.float64], first_trading_bar: int
    ) -> None:
        close = self._close
        held = close[-1] - close[first_trading_bar]
        row[COLUMN["Equity Final [$]"]] = equity[-1]
        row[COLUMN["Equity Peak [$]"]] = equity.max()
        row[COLUMN["Return [%]"]] = (equity[-1] - equity[0]) / equity[0] * 100
        row[COLUMN["Buy & Hold Return [%]"]] = held / close[first_trading_bar] * 100
        if self.times is not None:
            row[COLUMN["Duration"]] = self.times.duration_ns
            if self.times.years:
                growth = (equity[-1] / equity[0]) ** (1 / self.times.years)
                row[COLUMN["CAGR [%]"]] = (growth - 1) * 100

    def _drawdown_statistics(
        self, row: NDArray[np.float64], equity: NDArray[np.float64]
    ) -> np.float64:
        """The columns of drawdowns; returns the deepest, as a positive share."""
        drawdown = 1 - equity / np.maximum.accumulate(equity)
        deepest: np.float64 = drawdown.max()
        row[COLUMN["Max. Drawdown [%]"]] = -deepest * 100
        bounds = np.flatnonzero(drawdown == 0)
        if bounds[-1] != self._bars - 1:
            bounds = np.append(bounds, self._bars - 1)
        first, last = bounds[:-1], bounds[1:]
        lasting = last > first + 1
        # pandas adds up a column with a value at the end of each drawdown and zeros elsewhere:
        # the order of adding is that of the column.
        depths = np.zeros(self._bars)
        if lasting.any():
            depths[last[lasting]] = np.maximum.reduceat(drawdown, first)[lasting]
            count = np.count_nonzero(lasting)
            if self.times is not None:
                longest, mean = self.times.underwater(first[lasting], last[lasting], self._bars)
                row[COLUMN["Max. Drawdown Duration"]] = longest
                row[COLUMN["Avg. Drawdown Duration"]] = mean
        else:
            depths = drawdown
            count = np.count_nonzero(drawdown)
        row[COLUMN["Avg. Drawdown [%]"]] = -(depths.sum() / count) * 100 if count else np.nan
        return deepest

    def _annual_statistics(
        self, row: NDArray[np.float64], equity: NDArray[np.float64], deepest: np.float64
    ) -> None:
        year = np.float64(np.nan)
        scatter = downside = mean = np.float64(np.nan)
        if self.times is None:
            mean = np.float64(0.0)
        else:
            year = np.float64(self.times.calendar.annual_periods)
            returns = self.times.calendar.returns(equity)
            returns = returns[~np.isnan(returns)]  # After ruin there are none.
            mean = geometric_mean(returns)
            scatter = _variance(returns)
            losses = np.minimum(returns, 0.0)
            downside = _mean(losses**2)
        growth = 1 + mean
        annual = growth**year - 1
        volatility = np.sqrt((scatter + growth**2) ** year - growth ** (2 * year)) * 100
        row[COLUMN["Return (Ann.) [%]"]] = annual * 100
        row[COLUMN["Volatility (Ann.) [%]"]] = volatility
        row[COLUMN["Sharpe Ratio"]] = annual * 100 / (volatility or np.nan)
        row[COLUMN["Sortino Ratio"]] = annual / (np.sqrt(downside) * np.sqrt(year))
        row[COLUMN["Calmar Ratio"]] = annual / (deepest or np.nan)

    def _market_statistics(self, row: NDArray[np.float64], equity: NDArray[np.float64]) -> None:
        moves = np.log(equity[1:] / equity[:-1])
        beta = np.nan
        if len(moves) > 1:
            covariance = np.cov(moves, self._market_moves)
            beta = covariance[0, 1] / covariance[1, 1]
        held = row[COLUMN["Buy & Hold Return [%]"]]
        row[COLUMN["Beta"]] = beta
        row[COLUMN["Alpha [%]"]] = row[COLUMN["Return [%]"]] - beta * held

    def _trade_statistics(self, row: NDArray[np.float64], closed: ClosedTrades) -> None:
        row[COLUMN["Exposure Time [%]"]] = closed.exposed(self._bars).mean() * 100
        row[COLUMN["Commissions [$]"]] = closed.commissions
        row[COLUMN["# Trades"]] = count = len(closed)
        if not count:
            return
        profits, returns = closed.profits, closed.returns
        won, lost = profits[profits > 0], profits[profits < 0]
        gained, given = returns[returns > 0].sum(), abs(returns[returns < 0].sum())
        wins = (profits > 0).mean()
        row[COLUMN["Win Rate [%]"]] = wins * 100
        row[COLUMN["Best Trade [%]"]] = returns.max() * 100
        row[COLUMN["Worst Trade [%]"]] = returns.min() * 100
        row[COLUMN["Avg. Trade [%]"]] = geometric_mean(returns) * 100
        row[COLUMN["Profit Factor"]] = gained / (given or np.nan)
        row[COLUMN["Expectancy [%]"]] = _mean(returns) * 100
        deviation = np.sqrt(_variance(profits))
        row[COLUMN["SQN"]] = np.sqrt(count) * _mean(profits) / (deviation or np.nan)
        row[COLUMN["Kelly Criterion"]] = wins - (1 - wins) / (_mean(won) / -_mean(lost))
        if self.times is not None:
            longest, mean = self.times.held(closed.entry_bars, closed.exit_bars)
            row[COLUMN["Max. Trade Duration"]] = longest
            row[COLUMN["Avg. Trade Duration"]] = mean


class ClosedTrades:
    """The closed trades of a backtest as columns of numbers.

    Parameters
    ----------
    trades : sequence of backtesting.backtesting.Trade
    """

    def __init__(self, trades: Sequence[Any]) -> None:
        columns = (
            np.array([trade.size for trade in trades], np.float64),
            np.array([trade.entry_price for trade in trades], np.float64),
            np.array([trade.exit_price for trade in trades], np.float64),
            np.array([trade._commissions for trade in trades], np.float64),
        )
        bars = (
            np.array([trade.entry_bar for trade in trades], np.intp),
            np.array([trade.exit_bar for trade in trades], np.intp),
        )
        self._fill(columns, bars)
        #: Added up as `compute_stats` does, one by one.
        self.commissions = sum(trade._commissions for trade in trades)
        if not (columns[1].all() and columns[2].all()):
            # `Trade.pl` takes an exit at price zero for a trade that is still open.
            self.profits = np.array([trade.pl for trade in trades], np.float64)
            self.returns = np.array([trade.pl_pct for trade in trades], np.float64)

    @classmethod
    def of(
        cls, columns: tuple[NDArray[np.float64], ...], bars: tuple[NDArray[np.intp], ...]
    ) -> ClosedTrades:
        """From columns: sizes, prices of entry and exit (none of them 0), commissions; bars."""
        found = cls.__new__(cls)
        found._fill(columns, bars)
        found.commissions = sum(columns[3].tolist())
        return found

    def _fill(
        self, columns: tuple[NDArray[np.float64], ...], bars: tuple[NDArray[np.intp], ...]
    ) -> None:
        sizes, entries, exits, paid = columns
        self._count = len(sizes)
        self.entry_bars, self.exit_bars = bars
        self.profits = sizes * (exits - entries) - paid
        self.returns = np.copysign(1, sizes) * (exits / entries - 1)
        self.returns -= paid / (np.abs(sizes) * entries)

    def __len__(self) -> int:
        return self._count

    @property
    def finite(self) -> bool:
        """Whether every trade has a profit and a return."""
        return bool(
            math.isfinite(self.commissions)
            and np.isfinite(self.profits).all()
            and np.isfinite(self.returns).all()
        )

    def exposed(self, bars: int) -> NDArray[np.bool_]:
        """Which bars had a position that was closed later, as `compute_stats` sees it."""
        exposed = np.zeros(bars, np.bool_)
        for entry, exit_ in zip(self.entry_bars.tolist(), self.exit_bars.tolist(), strict=True):
            exposed[entry : exit_ + 1] = True
        return exposed


class Times:
    """What the statistics need to know of the bars' times.

    Durations are counted in the unit that pandas gives their column, truncated and then rounded up
    to the bars' own resolution as `compute_stats` does it.
    """

    def __init__(self, index: pd.DatetimeIndex) -> None:
        self.calendar = calendar_of(index)
        duration = index[-1] - index[0]
        self.duration_ns = float(duration.as_unit("ns").value)
        self.years = (duration.days + duration.seconds / 86400) / 365.25
        #: The bars' times in the index's own unit.
        self.stamps = index.asi8
        unit_ns = _unit_ns(index[:1] - index[:1])
        # Columns of times are made in two ways, and not every version of pandas gives both the
        # unit of the index.
        one: Any = pd.Series([0]).map(index.__getitem__)
        listed: Any = pd.DataFrame({"time": [index[0]]})["time"]
        period: Any = bar_time(index)
        resolution_ns = 1
        if period is not pd.NaT:
            resolution_ns = pd.Timedelta(1, period.resolution_string).as_unit("ns").value
        #: How drawdowns are counted, and how trades are.
        self.clocks = (
            _clock(unit_ns, _unit_ns(one - one), resolution_ns),
            _clock(unit_ns, _unit_ns(listed - listed), resolution_ns),
        )

    def underwater(
        self, first: NDArray[np.intp], last: NDArray[np.intp], bars: int
    ) -> tuple[float, float]:
        """Longest and mean time from peak to recovery, in nanoseconds."""
        clock, _ = self.clocks
        times = self._between(first, last, clock)
        column = np.zeros(bars, np.int64)
        column[last] = times
        return _longest_and_mean(column, len(times), clock)

    def held(self, entry: NDArray[np.intp], exit_: NDArray[np.intp]) -> tuple[float, float]:
        """Longest and mean time from entry to exit, in nanoseconds."""
        _, clock = self.clocks
        times = self._between(entry, exit_, clock)
        return _longest_and_mean(times, len(times), clock)

    def _between(
        self, first: NDArray[np.intp], last: NDArray[np.intp], clock: Clock
    ) -> NDArray[np.int64]:
        times = self.stamps[last] - self.stamps[first]
        return times * clock.factor // clock.divisor


def _clock(index_ns: int, column_ns: int, resolution_ns: int) -> Clock:
    return Clock(
        factor=max(index_ns // column_ns, 1),
        divisor=max(column_ns // index_ns, 1),
        unit_ns=column_ns,
        round_to=max(resolution_ns // column_ns, 1),
    )


def _longest_and_mean(times: NDArray[np.int64], count: int, clock: Clock) -> tuple[float, float]:
    mean = np.int64(times.sum(dtype=np.float64) / count)
    return _rounded_up(times.max(), clock), _rounded_up(mean, clock)


def _rounded_up(time: np.int64, clock: Clock) -> float:
    return float(-(-int(time) // clock.round_to) * clock.round_to * clock.unit_ns)


def _unit_ns(durations: Any) -> int:
    """Nanoseconds in the unit of a column of durations."""
    return int(np.ones(1, "i8").view(durations.dtype).astype("m8[ns]").view("i8")[0])


def geometric_mean(returns: NDArray[np.float64]) -> np.float64:
    """The mean return as `compute_stats` has it: 0 where one lost everything, NaN for none."""
    grown = returns + 1
    if np.any(grown <= 0):
        return np.float64(0.0)
    return np.exp(np.log(grown).sum() / (len(grown) or np.nan)) - 1


def _mean(values: NDArray[np.float64]) -> np.float64:
    return np.float64(values.sum() / len(values) if len(values) else np.nan)


def _variance(values: NDArray[np.float64]) -> np.float64:
    """Sample variance by pandas' two passes; NaN for fewer than two values."""
    if len(values) < 2:
        return np.float64(np.nan)
    deviations = values.sum() / len(values) - values
    return np.float64((deviations**2).sum() / (len(values) - 1))
