"""How many digits each statistic can hold: what rounding does to `backtesting.py`'s own formulas.

Two correct programs differ by what rounding leaves open. Most formulas lose nothing; some
cancel: the annual volatility subtracts two almost equal powers, and Sharpe divides by it. For
each statistic the size of that effect is worked out from the reference's own result, so that a
comparison asks for all the digits there are, and for no more. docs/statistics.md has the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bigbar.calendar import calendar_of, period_returns

EPS = float(np.finfo(np.float64).eps)

#: Roundings of one formula that can add up: products, quotients and the library's functions.
_FEW = 8 * EPS

#: The same for sums over trades or bars, which NumPy adds pairwise.
_SUM = 64 * EPS

#: Statistics that are a square root: of a difference that is nothing but rounding it is NaN or
#: not, depending on the sign that rounding gave it.
ROOTS = frozenset({"Volatility (Ann.) [%]"})


@dataclass(frozen=True)
class Reference:
    """One backtest of `backtesting.py`, with what its rounding depends on.

    Attributes
    ----------
    stats : Series
        As `Backtest.run` returns it, with the equity curve and the trades.
    close : ndarray of float, shape (bars,)
        Closing prices of the bars that take part.
    """

    stats: pd.Series
    close: np.ndarray

    def value(self, name: str) -> float:
        """A statistic as a float."""
        return float(self.stats[name])

    @cached_property
    def equity(self) -> np.ndarray:
        """Equity at each bar."""
        return self._curve.to_numpy(np.float64)

    @cached_property
    def sampling(self) -> tuple[str, float]:
        """How the annual statistics resample bars, and at most how many samples make a year."""
        calendar = calendar_of(self._curve.index)
        most = 365 if calendar.frequency == "D" else calendar.annual_periods
        return calendar.frequency, most

    @cached_property
    def day_returns(self) -> np.ndarray:
        """Returns from day end to day end (week, month, year); none after ruin."""
        returns = period_returns(self._curve)
        return returns[~np.isnan(returns)]

    @property
    def _curve(self) -> Any:
        return self.stats["_equity_curve"]["Equity"]


def _annual_return(reference: Reference) -> float:
    # (1 + g)^N - 1: one rounding of the base counts N times.
    annual = reference.value("Return (Ann.) [%]") / 100
    return 100 * _FEW * reference.sampling[1] * (1 + abs(annual))


def _squared_volatility(reference: Reference) -> float:
    # A - B with A and B near (1 + R)^2: their rounding is absolute, the difference small.
    if len(reference.day_returns) < 2 or not reference.day_returns.any():
        return 0.0  # No variance, or powers of one, which round nothing.
    growth = 1 + reference.value("Return (Ann.) [%]") / 100
    volatility = reference.value("Volatility (Ann.) [%]") / 100
    squared = volatility * volatility if math.isfinite(volatility) else 0.0
    loose = _FEW * reference.sampling[1] * (2 * growth * growth + squared)
    return loose if math.isfinite(loose) else 0.0  # The powers overflow in any order.


def _volatility(reference: Reference) -> float:
    loose = _squared_volatility(reference)
    volatility = reference.value("Volatility (Ann.) [%]") / 100
    if not volatility * volatility > loose:  # Nothing but rounding, NaN included.
        return 100 * math.sqrt(2 * loose)
    return 100 * loose / volatility


def _sharpe(reference: Reference) -> float:
    loose = _squared_volatility(reference)
    annual = reference.value("Return (Ann.) [%]")
    volatility = reference.value("Volatility (Ann.) [%]")
    if not (volatility / 100) * (volatility / 100) > loose:
        return math.inf if loose else 0.0
    by_volatility = abs(annual) / volatility / volatility * _volatility(reference)
    return _annual_return(reference) / volatility + by_volatility


def _sortino(reference: Reference) -> float:
    losses = np.minimum(reference.day_returns, 0.0)
    if not losses.any():
        return 0.0
    ratio = abs(reference.value("Sortino Ratio"))
    downside = math.sqrt(float(np.mean(losses * losses))) * math.sqrt(reference.sampling[1])
    # A day's return is a ratio less 1: a small one holds fewer digits.
    of_losses = 2 * EPS * float(np.abs(losses).sum() / (losses @ losses))
    return _annual_return(reference) / 100 / downside + (_SUM + of_losses) * ratio


def _calmar(reference: Reference) -> float:
    deepest = abs(reference.value("Max. Drawdown [%]"))
    return _annual_return(reference) / deepest if deepest else 0.0


def _cagr(reference: Reference) -> float:
    # growth^(1 / years) - 1: a rounding of the growth counts 1 / years times, one of the
    # exponent as often as the growth has digits.
    duration = reference.stats["Duration"]
    years = (duration.days + duration.seconds / 86400) / 365.25
    growth = 1 + abs(reference.value("CAGR [%]")) / 100
    return 100 * _FEW * (1 + 1 / years + math.log(growth)) * growth if years else 0.0


def _beta(reference: Reference) -> float:
    # A sum over bars of products of both signs, divided by the market's variance. The logarithm
    # of a ratio near 1 is off by EPS however small it is itself.
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = np.diff(np.log(reference.equity))
    if len(moves) < 2 or not np.isfinite(moves).all():
        return 0.0
    market = np.diff(np.log(reference.close))
    market -= market.mean()
    variance = float(market @ market)
    if not variance or not moves.any():
        return 0.0
    of_market = 2 * EPS * float(np.abs(market).sum()) / variance
    if of_market > 0.1:
        return math.inf  # The market's moves differ by their rounding only.
    of_moves = 2 * EPS * float(np.abs(moves).sum()) / variance
    adding = _SUM * (1 + math.sqrt(len(market)) / 16)
    products = float(np.abs(moves * market).sum()) / variance
    beta = abs(reference.value("Beta"))
    return of_market * (1 + beta) + of_moves + adding * (products + beta)


def _alpha(reference: Reference) -> float:
    held = abs(reference.value("Buy & Hold Return [%]"))
    made = abs(reference.value("Return [%]"))
    return _beta(reference) * held + _FEW * (made + abs(reference.value("Beta")) * held)


def _trades(reference: Reference, column: str) -> np.ndarray:
    return reference.stats["_trades"][column].to_numpy(np.float64)


def _average_trade(reference: Reference) -> float:
    # exp(mean log) - 1 holds no more digits than 1 does.
    return 100 * _FEW


def _expectancy(reference: Reference) -> float:
    returns = _trades(reference, "ReturnPct")
    return 100 * _SUM * float(np.abs(returns).mean()) if len(returns) else 0.0


def _sqn(reference: Reference) -> float:
    profits = _trades(reference, "PnL")
    if len(profits) < 2:
        return 0.0
    size, spread = float(np.abs(profits).max()), float(profits.std(ddof=1))
    if spread <= _SUM * size:
        return math.inf if spread > 0 else 0.0
    mean = abs(float(profits.mean()))
    return math.sqrt(len(profits)) * _SUM * size / spread * (1 + mean / spread)


def _kelly(reference: Reference) -> float:
    # The win rate less a quotient: near zero it is a difference of two numbers below or near 1.
    share = reference.value("Win Rate [%]") / 100
    kelly = reference.value("Kelly Criterion")
    return _SUM * (1 + abs(kelly - share)) if math.isfinite(kelly) else 0.0


_LOOSENESS: dict[str, Callable[[Reference], float]] = {
    "Return (Ann.) [%]": _annual_return,
    "Volatility (Ann.) [%]": _volatility,
    "CAGR [%]": _cagr,
    "Sharpe Ratio": _sharpe,
    "Sortino Ratio": _sortino,
    "Calmar Ratio": _calmar,
    "Alpha [%]": _alpha,
    "Beta": _beta,
    "Avg. Trade [%]": _average_trade,
    "Expectancy [%]": _expectancy,
    "SQN": _sqn,
    "Kelly Criterion": _kelly,
}


def looseness(name: str, reference: Reference) -> float:
    """How far rounding alone can move a statistic of one backtest.

    Parameters
    ----------
    name : str
        The statistic.
    reference : Reference
        The backtest.

    Returns
    -------
    float
        In the statistic's own unit; 0 where its formula does not cancel or its value is
        infinite, infinity where it is a quotient by nothing but rounding, which holds no digit.
    """
    formula = _LOOSENESS.get(name)
    if formula is None or name not in reference.stats:  # Left out: of bars without dates.
        return 0.0
    if math.isinf(reference.value(name)):
        return 0.0
    with np.errstate(over="ignore"):
        found = formula(reference)
    return 0.0 if math.isnan(found) else found
