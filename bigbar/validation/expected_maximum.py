"""How good the best of many tries looks without any edge, in standard errors.

Formulas: Bailey and López de Prado, "The deflated Sharpe ratio" (2014), equation 1.
"""

from __future__ import annotations

import math
from statistics import NormalDist

#: Euler and Mascheroni's constant.
EULER = 0.5772156649015329

_NORMAL = NormalDist()

#: Below so many tries the approximation says nothing: the best of one is 0 on average.
_FEWEST = 1.0


def expected_maximum(tries: float) -> float:
    """Expected maximum of so many independent standard normal values.

    Parameters
    ----------
    tries : float
        At least 1; need not be whole.

    Returns
    -------
    float
        (1 - γ)·Φ⁻¹(1 - 1/N) + γ·Φ⁻¹(1 - 1/(N·e)), an approximation that is too low for a handful
        of tries; never below 0, the maximum of a single one.
    """
    if tries <= _FEWEST:
        return 0.0
    # By symmetry -Φ⁻¹(1/N): 1 - 1/N would lose the digits of a large N.
    first = -_NORMAL.inv_cdf(1.0 / tries)
    second = -_NORMAL.inv_cdf(1.0 / (tries * math.e))
    return max(0.0, (1.0 - EULER) * first + EULER * second)


def independent_tries(mean_maximum: float, most: float) -> float:
    """How many independent tries would have such an expected maximum.

    Parameters
    ----------
    mean_maximum : float
        In standard errors.
    most : float
        As many as were made: dependent ones cannot be worth more.

    Returns
    -------
    float
        From 1 to `most`; NaN if the maximum is.
    """
    if math.isnan(mean_maximum):
        return math.nan
    if mean_maximum >= expected_maximum(most):
        return float(most)
    low, high = 0.0, math.log(most)  # Bisection in the logarithm.
    for _ in range(60):
        middle = (low + high) / 2.0
        if expected_maximum(math.exp(middle)) < mean_maximum:
            low = middle
        else:
            high = middle
    return math.exp(high)


def chance_of_best(t_statistic: float, periods: int, tries: float) -> float:
    """How often the best of so many independent tries without an edge reaches a t-statistic.

    Parameters
    ----------
    t_statistic : float
        Of a mean return, over `periods`.
    periods : int
        At least 2.
    tries : float

    Returns
    -------
    float
        1 - F(t)^tries, F being Student's distribution, by the normal approximation of Wallace
        (1959), whose error is far below what a bootstrap can resolve; NaN if the t-statistic is.
    """
    if math.isinf(t_statistic):
        return float(t_statistic < 0 and tries > 0)
    freedom = periods - 1
    z = math.sqrt(freedom * math.log1p(t_statistic**2 / freedom))
    z *= (8 * freedom + 1) / (8 * freedom + 3)
    beyond = _NORMAL.cdf(-math.copysign(z, t_statistic))
    return 1.0 if beyond == 1.0 and tries else -math.expm1(tries * math.log1p(-beyond))
