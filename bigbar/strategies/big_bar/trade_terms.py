"""What each possible trade is like, whoever takes it: its extremes, and its part in Beta.

The exit of a candidate depends only on `buffer_ratio`, so all this is computed once for all
combinations that share it.
"""

from __future__ import annotations

import numpy as np

from bigbar.compiled.jit import compiled
from bigbar.compiled.logarithms import log_ratio

#: Coefficients of a trade's part in the covariance, see `trade_terms`.
COEFFICIENTS = 6

#: Up to this the first coefficient left out adds less than 1e-17 to a bar's logarithm, below the
#: rounding of the equity itself: (2e-3)**6 / 6.
REACH_LIMIT = 2e-3

# Columns of the terms.
BEST = 0  #: Highest close of the trade, lowest times -1 for a short.
WORST = 1  #: The other extreme, times -1 for a short.
REACH = 2  #: How fast the covariance's series converges.
FIRST = 3  #: The series' first coefficient.
TERMS = FIRST + COEFFICIENTS


def usual_share(leverage: float, relative: float) -> float:
    """Position's value per unit of cash after the entry fee, if fractions could be bought."""
    share = leverage / (1.0 + relative)
    left = 1.0 - share * relative
    # Where the fee alone takes all cash nothing can be traded, and any share will do.
    return share / left if left > 0.0 else share


@compiled
def trade_terms(entry, exits, direction, close, market_move, spread, share, returns):  # type: ignore[no-untyped-def]
    """The terms of every candidate whose trade is closed before the end of the data.

    With cash B after the entry fee and a position worth s times that, equity is B (1 + s x) at a
    close that gained x on the fill. The trade's part in the covariance of logarithmic returns
    with the market's is then a function of s alone. Whole units keep s slightly below `share`,
    so it is expanded there: the sum over k of coefficient k times (s - share)**k. With
    t = x / (1 + share x), each bar adds market move times log(1 + (s - share) t) less the bar
    before's; the largest |t| is the column `REACH`.

    Parameters
    ----------
    entry, exits : ndarray of int32, shape (candidates,)
    direction : ndarray of int8, shape (candidates,)
    close, market_move : ndarray of float, shape (bars,)
        See `MarketArrays`.
    spread : float
    share : float
        From `usual_share`.
    returns : ndarray of float, shape (candidates,)
        Written: the trade's return without fees.

    Returns
    -------
    ndarray of float, shape (candidates, TERMS)
    """
    terms = np.zeros((len(entry), TERMS))
    before = np.empty(COEFFICIENTS)
    for c in range(len(entry)):
        last = exits[c]
        if last >= len(close) - 1:
            continue
        side = np.float64(direction[c])
        fill = close[entry[c]] * (1.0 + side * spread)
        best, worst, reach = -np.inf, np.inf, 0.0
        y_before = 1.0
        before[:] = 0.0
        for i in range(entry[c] + 1, last + 1):
            x = side * (close[i] / fill - 1.0)
            y = 1.0 + share * x
            if y <= 0.0:
                reach = np.inf  # Ruin at this share: no series.
                break
            t = x / y
            reach = max(reach, abs(t))
            terms[c, FIRST] += market_move[i] * log_ratio(y, y_before)
            power = -1.0
            for k in range(1, COEFFICIENTS):
                power *= -t
                terms[c, FIRST + k] += market_move[i] * (power / k - before[k])
                before[k] = power / k
            y_before = y
        for i in range(entry[c] + 1, last + 1):
            signed = side * close[i]
            best, worst = max(best, signed), min(worst, signed)
        terms[c, BEST], terms[c, WORST], terms[c, REACH] = best, worst, reach
        returns[c] = side * (close[last] / fill - 1.0)
    return terms
