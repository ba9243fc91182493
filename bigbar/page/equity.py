"""The equity of the chosen setting, bar by bar, from its list of trades.

`backtesting.py` would give the same curve, but importing it and running it again takes longer
than writing the whole page.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.engines import build_engine
from bigbar.indicators import with_indicators
from bigbar.pipeline import Outcome
from bigbar.settings import Account

Floats = NDArray[np.float64]

#: Bars at the end of a file that are restricted make sure of an exit: it is ordered on the first
#: of them and filled on the second.
_BARS_TO_LEAVE = 2


def trades_with_open_one(outcome: Outcome) -> pd.DataFrame | None:
    """The trades of the best, with the one that is still open at the last bar, if there is one.

    An engine lists closed trades only. Two flat bars after the end make it close the open one:
    no trade outlasts a bar without a body that is no higher and no lower than the one before, and
    nothing is entered on such a bar.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    DataFrame or None
        Columns as in `bigbar.engines.TRADE_COLUMNS`. The last row's ExitBar is the number of bars
        where its trade is open; its profit is then of no meaning. None where nothing counts.
    """
    trades, best, settings = outcome.trades, outcome.best, outcome.job.settings
    if trades is None or best is None or settings.week_edge_bars >= _BARS_TO_LEAVE:
        return trades
    file = with_indicators(outcome.bars.frame, settings.week_edge_bars)
    last = file.iloc[-1:]
    close = float(last["Close"].iloc[0])
    flat = pd.concat([last, last]).assign(Open=close, Close=close, Momentum=0.0, TrueRange=0.0)
    # A week later, so that no bar of the file comes to stand elsewhere in its trading week.
    flat.index = last.index[0] + pd.to_timedelta([7, 14], unit="D")
    longer = build_engine(pd.concat([file, flat]), outcome.job).trades(best)
    bars = len(file) - outcome.job.first_bar
    # An order at the last close is never filled: what was entered there is none of this file's.
    longer = longer[longer["EntryBar"] < bars - 1].reset_index(drop=True)
    still_open = len(longer) - len(trades)
    return pd.concat([trades, longer.iloc[-1:].assign(ExitBar=bars)]) if still_open else trades


def equity_curve(close: Floats, trades: pd.DataFrame, account: Account) -> Floats:
    """Equity at each close, as `backtesting.py`'s broker keeps it.

    Parameters
    ----------
    close : ndarray of float, shape (bars,)
        Closing prices of the bars that take part.
    trades : DataFrame
        One after the other, as `trades_with_open_one` returns them.
    account : Account

    Returns
    -------
    ndarray of float, shape (bars,)
        0 from the bar on which all was lost.
    """
    bars = len(close)
    if len(trades) == 0:
        return np.full(bars, float(account.cash))
    entry, exit_, size, fill, profit = (
        trades[name].to_numpy(np.float64)
        for name in ("EntryBar", "ExitBar", "Size", "EntryPrice", "PnL")
    )
    fixed, relative = account.commission_parts
    entry_fee = fixed + np.abs(size) * fill * relative
    before = account.cash + np.concatenate([[0.0], np.cumsum(profit)[:-1]])
    # An order at the close of a bar is filled with the next one: the bar of the entry still shows
    # the cash, and the bar of the exit the open position.
    number = np.arange(bars)
    trade = np.searchsorted(entry, number, side="left") - 1
    held = np.maximum(trade, 0)
    marked = size[held] * (close - fill[held]) - entry_fee[held]
    equity = before[held] + np.where(number > exit_[held], profit[held], marked)
    equity[trade < 0] = account.cash
    lost = np.flatnonzero(equity <= 0)
    if lost.size:
        equity[lost[0] :] = 0.0
    return equity


def drawdown(equity: Floats) -> Floats:
    """How far equity is below its highest so far, in per cent, from 0 down to -100."""
    return 100.0 * (equity / np.maximum.accumulate(equity) - 1.0)


def monthly_returns(equity: pd.Series) -> pd.DataFrame:
    """Returns by calendar month, from month end to month end.

    Parameters
    ----------
    equity : Series
        By time.

    Returns
    -------
    DataFrame
        A row a year, columns 1 to 12 and "Year", in per cent; NaN for months without bars.
    """
    times = pd.DatetimeIndex(equity.index)
    years = _returns(equity, times.year)
    months = _returns(equity, times.year * 100 + times.month)
    table = pd.DataFrame(np.nan, index=years.index, columns=[*range(1, 13), "Year"])
    for month, value in months.items():
        year, number = divmod(int(str(month)), 100)
        table.loc[year, number] = value
    table["Year"] = years
    return table


def _returns(equity: pd.Series, periods: pd.Index) -> pd.Series:
    """Per cent from the end of each period to that of the next; the first from its first value."""
    ends = equity.groupby(periods).last()
    before = ends.shift(fill_value=equity.iloc[0])
    return 100.0 * (ends / before.where(before > 0) - 1.0)
