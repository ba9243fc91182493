"""What a backtest adds up to, before statistics are made of it."""

from __future__ import annotations

from typing import NamedTuple


class TradeSums(NamedTuple):
    """What the closed trades of a backtest add up to.

    Attributes
    ----------
    best, worst : float
        Largest and smallest return of a trade; infinities without trades.
    gained, lost : float
        Sum of the positive returns, and of the amounts of the negative ones.
    log_growth : float
        Sum of the logarithms of one plus each return; NaN where any of these is zero or less.
    won, paid : float
        Sum of the positive profits, and of the amounts of the negative ones.
    wins, losses : int
        How many profits are positive, and negative.
    mean_profit, scatter : float
        Mean of the profits, and the sum of their squared deviations from it.
    """

    best: float
    worst: float
    gained: float
    lost: float
    log_growth: float
    won: float
    paid: float
    wins: int
    losses: int
    mean_profit: float
    scatter: float


class Tally(NamedTuple):
    """What one backtest adds up to.

    Attributes
    ----------
    equity, peak : float
        Equity at the last bar, and the highest.
    commissions : float
        Paid by closed trades.
    covariance : float
        Sum over bars of the equity's log return times the market's, less its mean.
    max_drawdown, sum_drawdown : float
        The deepest, and the sum of the deepest of each drawdown period, as shares of the peak.
    drawdowns : int
        Number of drawdown periods.
    max_time, sum_time : int
        Longest drawdown period and their sum, in units of the bars' times.
    exposed : int
        Bars with a position, entry and exit bars included.
    max_held, sum_held : int
        Longest trade and the sum of all, in the same units.
    trades : int
        Closed trades.
    sums : TradeSums
    """

    equity: float
    peak: float
    commissions: float
    covariance: float
    max_drawdown: float
    sum_drawdown: float
    drawdowns: int
    max_time: int
    sum_time: int
    exposed: int
    max_held: int
    sum_held: int
    trades: int
    sums: TradeSums
