"""Probabilistic and deflated Sharpe ratio, and the record that a ratio needs.

Everything is per period. Skewness and raw kurtosis (3 for a normal) are biased moments; the
Sharpe ratio has ddof 1. Formulas: Bailey and López de Prado, "The Sharpe ratio efficient frontier"
(2012) and "The deflated Sharpe ratio" (2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bigbar.validation.expected_maximum import expected_maximum
from bigbar.validation.findings import DeflatedSharpe

#: Confidence of the track record.
CONFIDENCE = 0.95

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Moments:
    """A series of returns in four numbers.

    Attributes
    ----------
    periods : int
    sharpe : float
        Mean over standard deviation (ddof 1); NaN without variance.
    skewness, kurtosis : float
        Biased; the kurtosis is raw. NaN without variance.
    """

    periods: int
    sharpe: float
    skewness: float
    kurtosis: float


def moments(returns: NDArray[np.floating]) -> Moments:
    """Moments of returns per period.

    Parameters
    ----------
    returns : ndarray of float, shape (periods,)
        Periods without a trade count, as 0.

    Returns
    -------
    Moments
        NaN where there are fewer than two periods, a return that is not finite, or no variance.
    """
    values = np.asarray(returns, dtype=np.float64)
    count = len(values)
    if count < 2 or not np.isfinite(values).all() or values.min() == values.max():
        return Moments(count, math.nan, math.nan, math.nan)
    mean = values.mean()
    deviations = values - mean
    variance = float(np.mean(deviations**2))
    return Moments(
        periods=count,
        sharpe=float(mean / math.sqrt(variance * count / (count - 1))),
        skewness=float(np.mean(deviations**3)) / variance**1.5,
        kurtosis=float(np.mean(deviations**4)) / variance**2,
    )


def _spread(found: Moments) -> float:
    """The squared standard error times (periods - 1); NaN where no returns have such moments."""
    sharpe = found.sharpe
    spread = 1.0 - found.skewness * sharpe + (found.kurtosis - 1.0) / 4.0 * sharpe**2
    return spread if spread > 0.0 else math.nan


def probabilistic_sharpe(found: Moments, threshold: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above a threshold (PSR).

    Parameters
    ----------
    found : Moments
    threshold : float
        Per period.

    Returns
    -------
    float
        Φ((SR - SR*) / SE), SE² = (1 - γ3·SR + (γ4 - 1)/4·SR²) / (T - 1); NaN where the ratio is,
        or with fewer than two periods.
    """
    if found.periods < 2 or not math.isfinite(threshold):
        return math.nan
    error = math.sqrt(_spread(found) / (found.periods - 1))
    return math.nan if math.isnan(error) else _NORMAL.cdf((found.sharpe - threshold) / error)


def track_record(found: Moments, threshold: float = 0.0, confidence: float = CONFIDENCE) -> float:
    """Periods after which such a ratio is above a threshold with some confidence (MinTRL).

    Parameters
    ----------
    found : Moments
        Its number of periods plays no part.
    threshold : float
        Per period.
    confidence : float

    Returns
    -------
    float
        1 + (1 - γ3·SR + (γ4 - 1)/4·SR²)·(z / (SR - SR*))²; NaN where the ratio is NaN or not above
        the threshold: no record would do.
    """
    if not found.sharpe > threshold:
        return math.nan
    z = _NORMAL.inv_cdf(confidence)
    return 1.0 + _spread(found) * (z / (found.sharpe - threshold)) ** 2


def luck_threshold(variance: float, trials: float) -> float:
    """The expected best Sharpe ratio of many trials without an edge (SR0).

    Parameters
    ----------
    variance : float
        Of the trials' Sharpe ratios, per period.
    trials : float

    Returns
    -------
    float
        Per period.
    """
    return math.sqrt(variance) * expected_maximum(trials)


def deflated_sharpe(
    returns: NDArray[np.floating],
    ratios: NDArray[np.floating],
    *,
    trials: int,
    earlier_trials: int,
    periods_per_year: float,
) -> DeflatedSharpe:
    """Deflate the chosen setting's Sharpe ratio by all that was tried.

    Parameters
    ----------
    returns : ndarray of float, shape (periods,)
        Of the chosen setting.
    ratios : ndarray of float
        Sharpe ratios per period of the run's combinations; NaN is left out.
    trials : int
        Combinations of this run, all of them: an "effective number" from eigenvalues or clusters
        is far too small on smooth grids.
    earlier_trials : int
        Of earlier runs on the same data.
    periods_per_year : float

    Returns
    -------
    DeflatedSharpe
    """
    found = moments(returns)
    known = np.asarray(ratios, dtype=np.float64)
    known = known[np.isfinite(known)]
    # A single trial has no scatter and nothing to deflate: its DSR is its PSR.
    variance = float(known.var(ddof=1)) if len(known) > 1 else 0.0
    threshold = luck_threshold(variance, trials + earlier_trials)
    return DeflatedSharpe(
        sharpe=found.sharpe,
        annual_sharpe=found.sharpe * math.sqrt(periods_per_year),
        skewness=found.skewness,
        kurtosis=found.kurtosis,
        periods=found.periods,
        trials=trials,
        earlier_trials=earlier_trials,
        psr=probabilistic_sharpe(found),
        threshold=threshold,
        dsr=probabilistic_sharpe(found, threshold),
        track_record=track_record(found),
    )
