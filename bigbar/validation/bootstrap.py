"""With no edge at all, how often would the best of this very grid look this good?

All combinations are drawn anew together, period by period, from returns whose mean has been taken
away, and the best of each draw is kept: what the grid finds by luck (White's reality check, with
a studentized statistic as in Hansen's test). A p-value read off these maxima is adjusted for every
combination that counts, so it holds for whichever of them was chosen, by whatever rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bigbar.validation.distinct import Kinds
from bigbar.validation.expected_maximum import chance_of_best, independent_tries
from bigbar.validation.findings import Bootstrap
from bigbar.validation.resampling import MEAN_BLOCK, lost_spread, without_edge
from bigbar.validation.sharpe import Moments

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

#: A result that luck reaches less often than this can be told from luck.
LEVEL = 0.05

#: With fewer periods, or a choice that traded in fewer, nothing can be told.
LEAST_PERIODS, LEAST_TRADED = 20, 10

#: Combinations of earlier runs count as this power of their number of independent tries: grids are
#: made of neighbours. Whole grids of noise are worth less than that (`docs/validation.md`).
EARLIER_POWER = 0.5

#: Objectives that rank combinations as the total return does.
RETURN_LIKE = ("Return [%]", "Equity Final [$]", "Return (Ann.) [%]", "CAGR [%]")

#: Combinations resampled together: their products with all draws stay near the processor.
_COLUMNS = 512


@dataclass(frozen=True)
class TestStatistic:
    """What is maximized over the combinations.

    Attributes
    ----------
    name : str
        "Sharpe Ratio" or "Return [%]".
    of_returns : callable
        From returns, shape (combinations, periods), to what is resampled, its edge still in it.
    order : callable
        From columns without an edge, shape (combinations, periods), and weights, shape (draws,
        periods), to something that rises with the statistic, shape (draws, combinations).
    finish : callable
        From maxima of `order` and the number of periods to the statistic itself: the t-statistic
        of the mean, or the total log growth.
    path : callable
        From resampled columns, shape (draws, periods), to equity relative to its start.
    """

    name: str
    of_returns: Callable[[Floats32], Floats32]
    order: Callable[[NDArray, NDArray], NDArray]
    finish: Callable[[NDArray, int], Floats]
    path: Callable[[NDArray], NDArray]


def share_of_square(columns: NDArray, weights: NDArray) -> NDArray:
    """The part of the mean square that is the squared mean, with the mean's sign.

    It rises with mean / standard deviation, both of the resample: the variance is estimated anew
    in each. With the variance of the data instead, the test would reject too often.

    Parameters
    ----------
    columns : ndarray of float, shape (combinations, periods)
    weights : ndarray of float, shape (draws, periods)
        Of the means; their absolute values are the weights of the squares.

    Returns
    -------
    ndarray of float, shape (draws, combinations)
        From -1 to 1; 0 where a draw holds nothing but zeros.
    """
    means = weights @ columns.T
    squares = np.abs(weights) @ np.square(columns).T
    order = np.abs(means)
    order *= means
    order /= np.maximum(squares, np.finfo(squares.dtype).tiny, out=squares)
    return order


def t_statistics(shares: NDArray, periods: int) -> Floats:
    """From `share_of_square` to sqrt(T - 1)·m / sqrt(q - m²), the t-statistic of the mean m."""
    part = np.abs(shares.astype(np.float64))
    rest = np.maximum(1.0 - part, np.finfo(shares.dtype).eps)
    return np.copysign(np.sqrt((periods - 1) * part / rest), shares)


def _growth(returns: Floats32) -> Floats32:
    """Log returns; wider by what the resamples lose, as no estimate of their spread is renewed."""
    logs: Floats32 = np.log1p(returns)
    logs /= np.float32(lost_spread(returns.shape[1]))
    return logs


def _sum(columns: NDArray, weights: NDArray) -> NDArray:
    return weights @ columns.T


SHARPE = TestStatistic(
    "Sharpe Ratio",
    of_returns=lambda returns: returns,
    order=share_of_square,
    finish=t_statistics,
    path=lambda columns: np.cumprod(np.maximum(1.0 + columns, 0.0), axis=1),
)
RETURN = TestStatistic(
    "Return [%]",
    of_returns=_growth,
    order=_sum,
    finish=lambda means, periods: means.astype(np.float64) * periods,
    path=lambda columns: np.exp(np.cumsum(columns, axis=1)),
)


def statistic_for(objective: str) -> TestStatistic:
    """The statistic to test for an objective.

    Total return for what ranks as it does, else the Sharpe ratio: for other objectives its
    p-value is valid as well, because it is adjusted for every combination, but it does not use
    what the objective looks at, and may miss an edge that a test of the objective would see.
    """
    return RETURN if objective in RETURN_LIKE else SHARPE


@dataclass(frozen=True)
class LuckyBest:
    """The best of the grid in each draw.

    Attributes
    ----------
    statistic : TestStatistic
    maxima : ndarray of float, shape (draws,)
        See `TestStatistic.finish`.
    winners : ndarray of int, shape (followed,)
        Kinds that are the best in the first draws.
    """

    statistic: TestStatistic
    maxima: Floats
    winners: NDArray[np.intp]

    def p_value(self, observed: float) -> float:
        """How often luck's best is at least as good; see `adjusted_p_values`."""
        return float(adjusted_p_values(np.array([observed]), self.maxima)[0])

    def smallest_provable(self) -> float:
        """What must be exceeded for a p-value of at most `LEVEL`; NaN with too few draws."""
        allowed = math.floor(LEVEL * (len(self.maxima) + 1)) - 1
        return math.nan if allowed < 0 else float(np.sort(self.maxima)[-1 - allowed])


@dataclass(frozen=True)
class EarlierTries:
    """What earlier runs on the same data tried.

    Attributes
    ----------
    trials : int
        Different combinations.
    """

    trials: int = 0

    def chance(self, t_statistic: float, periods: int) -> float:
        """How often the best of them reaches a t-statistic by luck."""
        if not self.trials:
            return 0.0
        return chance_of_best(t_statistic, periods, self.trials**EARLIER_POWER)

    def with_all(self, p_value: float, t_statistic: float, periods: int) -> float:
        """A p-value of this run, and theirs: that one of them at least is as good."""
        return 1.0 - (1.0 - p_value) * (1.0 - self.chance(t_statistic, periods))

    def smallest_provable(self, luck: LuckyBest, periods: int) -> float:
        """As of this run alone, a t-statistic, but counting the earlier ones; NaN for none."""
        low = luck.smallest_provable()
        if not self.trials or math.isnan(low):
            return low
        if not self.with_all(luck.p_value(math.inf), math.inf, periods) < LEVEL:
            return math.nan  # So few draws leave no room for the chance of the others.
        high = 2.0 * max(low, 1.0)
        while self.with_all(luck.p_value(high), high, periods) > LEVEL:
            high *= 2.0
        for _ in range(50):
            middle = (low + high) / 2.0
            if self.with_all(luck.p_value(middle), middle, periods) > LEVEL:
                low = middle
            else:
                high = middle
        return high


def lucky_best(
    returns: Floats32,
    kinds: Kinds,
    weights: Floats32,
    statistics: Sequence[TestStatistic],
    *,
    followed: int = 0,
) -> list[LuckyBest]:
    """Resample every kind of combination, block by block, and keep the best of each draw.

    Parameters
    ----------
    returns : ndarray of float32, shape (combinations, periods)
        Above -1.
    kinds : Kinds
    weights : ndarray of float32, shape (draws, periods)
        The same for all combinations: from `bigbar.validation.resampling.as_weights`.
    statistics : sequence of TestStatistic
    followed : int, optional
        Of so many draws the winner is kept as well.

    Returns
    -------
    list of LuckyBest
        In the order of the statistics.
    """
    draws, periods = weights.shape
    # Where nobody traded, such as on Sundays, there is nothing to add up.
    traded = _traded_by_any(returns, kinds)
    weights = np.ascontiguousarray(weights[:, traded])
    best = np.full((len(statistics), draws), -np.inf, np.float32)
    winners = np.zeros((len(statistics), followed), np.intp)
    for start in range(0, len(kinds), _COLUMNS):
        block = returns[kinds.first[start : start + _COLUMNS]]
        for number, statistic in enumerate(statistics):
            columns = without_edge(statistic.of_returns(block)[:, traded])
            order = statistic.order(columns, weights)
            places = order[:followed].argmax(axis=1)
            better = order[np.arange(followed), places] > best[number, :followed]
            winners[number, better] = start + places[better]
            np.maximum(best[number], order.max(axis=1), out=best[number])
    return [
        LuckyBest(statistic, statistic.finish(best[number], periods), winners[number])
        for number, statistic in enumerate(statistics)
    ]


def _traded_by_any(returns: Floats32, kinds: Kinds) -> NDArray[np.intp]:
    """Periods in which any combination traded."""
    traded = np.zeros(returns.shape[1], np.bool_)
    for start in range(0, len(kinds), _COLUMNS):
        traded |= returns[kinds.first[start : start + _COLUMNS]].any(axis=0)
    return np.flatnonzero(traded)


def adjusted_p_values(observed: Floats, maxima: Floats) -> Floats:
    """How often luck's best is at least as good, the data itself counted as one draw.

    Parameters
    ----------
    observed : ndarray of float, shape (combinations,)
        The statistic of each combination.
    maxima : ndarray of float, shape (draws,)
        From `lucky_best`.

    Returns
    -------
    ndarray of float, shape (combinations,)
        (1 + #{maximum >= observed}) / (draws + 1): family-wise adjusted; NaN where the statistic
        is.
    """
    below = np.searchsorted(np.sort(maxima), observed, side="left")
    values = (1.0 + len(maxima) - below) / (len(maxima) + 1.0)
    return np.where(np.isnan(observed), math.nan, values)


def bootstrap_test(
    luck: LuckyBest,
    chosen: NDArray[np.floating],
    found: Moments,
    observed: Floats,
    *,
    objective: str,
    combinations: int,
    periods_per_year: float,
    earlier_trials: int = 0,
    mean_block: float = MEAN_BLOCK,
) -> Bootstrap:
    """Hold the chosen setting, and the grid's best, against luck's best.

    Parameters
    ----------
    luck : LuckyBest
    chosen : ndarray of float, shape (periods,)
        Returns of the chosen setting.
    found : Moments
        Of these.
    observed : ndarray of float, shape (kinds,)
        The statistic of every kind: t-statistics, or total log growth.
    objective : str
        What was optimized.
    combinations : int
        That count.
    periods_per_year : float
    earlier_trials : int, optional
        Combinations of earlier runs on the same data.
    mean_block : float, optional
        With which the draws were made.

    Returns
    -------
    Bootstrap
        Both p-values of the choice are NaN where it traded in fewer than `LEAST_TRADED` periods.
    """
    statistic, periods = luck.statistic, len(chosen)
    traded = int(np.count_nonzero(chosen))
    is_sharpe = statistic is SHARPE
    t_statistic, value = _statistics(luck, chosen, found)

    def shown(statistics: float) -> float:
        if is_sharpe:
            return statistics * math.sqrt(periods_per_year / periods)
        return 100.0 * math.expm1(statistics)

    earlier = EarlierTries(earlier_trials)
    p_value = _p_value(luck, chosen, value)
    # Earlier runs are known by their number alone, which says something of Sharpe ratios only.
    least = earlier.smallest_provable(luck, periods) if is_sharpe else luck.smallest_provable()
    most = float(np.mean(luck.maxima))
    return Bootstrap(
        statistic=statistic.name,
        objective=objective,
        tests_objective=objective in (RETURN_LIKE if statistic is RETURN else (SHARPE.name,)),
        periods=periods,
        combinations=combinations,
        resamples=len(luck.maxima),
        mean_block=mean_block,
        periods_per_year=periods_per_year,
        chosen=shown(value),
        luck_typical=shown(float(np.median(luck.maxima))),
        luck_95=shown(float(np.quantile(luck.maxima, 0.95))),
        p_value=p_value,
        p_value_all_trials=earlier.with_all(p_value, t_statistic, periods),
        earlier_trials=earlier_trials,
        best_p_value=luck.p_value(float(observed.max())),
        traded_periods=traded,
        independent_tries=independent_tries(most, combinations) if is_sharpe else math.nan,
        smallest_provable=shown(least),
        autocorrelation=autocorrelation(chosen),
        autocorrelation_limit=2.0 / math.sqrt(periods),
    )


def chance_of_luck(
    luck: LuckyBest, returns: NDArray[np.floating], found: Moments, *, earlier_trials: int
) -> float:
    """How often luck does as well as another combination that counts.

    Parameters
    ----------
    luck : LuckyBest
    returns : ndarray of float, shape (periods,)
        Of the combination.
    found : Moments
        Of these.
    earlier_trials : int
        Combinations of earlier runs on the same data.

    Returns
    -------
    float
        As `Bootstrap.p_value_all_trials` would be, had it been chosen.
    """
    t_statistic, value = _statistics(luck, returns, found)
    p_value = _p_value(luck, returns, value)
    return EarlierTries(earlier_trials).with_all(p_value, t_statistic, len(returns))


def _statistics(
    luck: LuckyBest, returns: NDArray[np.floating], found: Moments
) -> tuple[float, float]:
    """The t-statistic of the mean return, and what luck was drawn by."""
    t_statistic = found.sharpe * math.sqrt(len(returns))
    if luck.statistic is SHARPE:
        return t_statistic, t_statistic
    return t_statistic, float(np.log1p(returns.astype(np.float64)).sum())


def _p_value(luck: LuckyBest, returns: NDArray[np.floating], value: float) -> float:
    traded = int(np.count_nonzero(returns))
    return luck.p_value(value) if traded >= LEAST_TRADED else math.nan


def autocorrelation(values: NDArray[np.floating]) -> float:
    """Correlation of each period with the next; NaN without variance."""
    deviations = np.asarray(values, dtype=np.float64)
    deviations = deviations - deviations.mean()
    square = float(deviations @ deviations)
    return float(deviations[1:] @ deviations[:-1]) / square if square else math.nan
