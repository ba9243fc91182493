"""Chance in the shape of the data: periods drawn anew in blocks, returns without their edge."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: Mean length of the blocks, in periods: a trading week of days. Blocks keep what neighbouring
#: days have to do with each other.
MEAN_BLOCK = 5.0

#: Draws. The standard error of a p-value of 5 % is then 0.7 %.
RESAMPLES = 1000


def stationary_draws(
    periods: int, resamples: int = RESAMPLES, *, seed: int, mean_block: float = MEAN_BLOCK
) -> NDArray[np.intp]:
    """Draw the periods anew by the stationary bootstrap (Politis and Romano, 1994).

    Blocks begin anywhere, each with the same chance, go on round the end, and have geometric
    lengths.

    Parameters
    ----------
    periods, resamples : int
    seed : int
    mean_block : float
        At least 1, which draws single periods.

    Returns
    -------
    ndarray of int, shape (resamples, periods)
        Which period stands in each place.
    """
    random = np.random.default_rng(seed)
    begins = random.random((resamples, periods)) < 1.0 / mean_block
    begins[:, 0] = True
    starts = random.integers(0, periods, (resamples, periods))
    places = np.arange(periods)
    begun = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    return (np.take_along_axis(starts, begun, axis=1) + places - begun) % periods


def as_weights(draws: NDArray[np.intp]) -> NDArray[np.float32]:
    """How often each period was drawn, divided by the number of periods.

    Returns
    -------
    ndarray of float32, shape (resamples, periods)
        Times a column of returns: its mean in each resample.
    """
    resamples, periods = draws.shape
    cells = draws + periods * np.arange(resamples)[:, None]
    counts = np.bincount(cells.ravel(), minlength=cells.size)
    return (counts / periods).astype(np.float32).reshape(resamples, periods)


def lost_spread(periods: int, mean_block: float = MEAN_BLOCK) -> float:
    """By how much the means of resamples scatter too little, as a factor of their deviation.

    A sample less its own mean has neighbours that are a little opposed to each other, by 1/T of
    the variance each, and blocks carry that over: for independent periods the variance of a
    resample's mean is too small by the share (2·block - 1)/T.

    Parameters
    ----------
    periods : int
        More than twice the block.
    mean_block : float

    Returns
    -------
    float
        Below 1; near it for many periods.
    """
    return math.sqrt(1.0 - (2.0 * mean_block - 1.0) / periods)


def without_edge(returns: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same returns with no edge: less their mean, on the periods that have any.

    A period without a trade stays 0. To take the mean from it as well would have a setting that
    rarely trades gain something each day it does nothing; divided by a variance that consists of
    a few trades, luck would then seem to reach ratios that no series with so few trades can have.
    Where every period has a return, this is the ordinary centring.

    Parameters
    ----------
    returns : ndarray of float32, shape (combinations, periods)

    Returns
    -------
    ndarray of float32, shape (combinations, periods)
    """
    traded = returns != 0
    counts = np.maximum(np.count_nonzero(traded, axis=1), 1)
    means = (returns.sum(axis=1, dtype=np.float64) / counts).astype(np.float32)
    centred = returns - means[:, None]
    centred *= traded
    return centred
