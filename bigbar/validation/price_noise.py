"""The chosen setting under chance: other orders of its trades, and slightly other prices.

Neither says whether there is an edge: the trades that are drawn are those that made the setting
the best. They say how much of the result hangs on their order, and on the last digits of prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.engines.find import build_engine
from bigbar.executors.contract import Unanswered
from bigbar.job import Job
from bigbar.slices import halves
from bigbar.statistics import COLUMN
from bigbar.validation.findings import Perturbation
from bigbar.validation.single import single_job, whole_span
from bigbar.validation.tasks import Imap
from bigbar.worker import desk

Floats = NDArray[np.float64]

#: What the quantiles are of.
COLUMNS = ("Return [%]", "Max. Drawdown [%]")

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

#: Each price is moved by a normal change of this share of its bar's range: a tick or two.
NOISE = 0.05

#: Drawing trades costs microseconds, running the strategy again milliseconds.
ORDERS, REPETITIONS = 1000, 200

#: On long files the strategy is run again on so many bars altogether: about two seconds of one
#: worker. The number follows from the file alone, so the same run gives the same figures.
_MOST_BARS = 4_000_000

#: By `backtesting.py`'s broker, bar by bar, that takes ten times as long: on so many then.
_MOST_BARS_PLAYED = 400_000

#: But not less often than this.
_LEAST_REPETITIONS = 20

#: Repetitions that a worker runs before it hands them in.
_CHUNK = 25

#: Trades drawn at once: some megabytes.
_DRAWN = 500_000

#: A price that is moved keeps at least this share of its bar's low, so that it stays above 0.
_LEAST_PRICE = 0.5


def perturb(
    file: pd.DataFrame, job: Job, number: int, imap: Imap, *, seed: int, noise: float = NOISE
) -> Perturbation:
    """Draw a combination's trades anew, and run it again on slightly other prices.

    Parameters
    ----------
    file : DataFrame
        The whole file with its indicators: what the workers were started on.
    job : Job
        What was optimized, on which of the bars.
    number : int
        The combination.
    imap : Imap
    seed : int
    noise : float, optional
        Standard deviation of the change of each price, as a share of the bar's range.

    Returns
    -------
    Perturbation
        NaN for the trades of a combination that closed none.
    """
    single = single_job(job, number, whole_span(file, job))
    trades = build_engine(file, single).trades(0)
    orders = redrawn(trades["PnL"].to_numpy(np.float64), job.account.cash, ORDERS, seed)
    prices = _on_other_prices(
        single,
        repetitions_for(len(file.index[single.bars]), played=not job.spec.engines),
        noise,
        seed,
        imap,
    )
    return Perturbation(
        repetitions=len(orders),
        noise=noise,
        columns=COLUMNS,
        quantiles=QUANTILES,
        trade_order=np.quantile(orders, QUANTILES, axis=0),
        prices=np.quantile(prices, QUANTILES, axis=0),
        order_loss_share=_losses(orders),
        prices_loss_share=_losses(prices),
        price_repetitions=len(prices),
    )


def repetitions_for(bars: int, *, played: bool = False) -> int:
    """How often a strategy is run again on a file of so many bars; `played`: it has no kernel."""
    most = _MOST_BARS_PLAYED if played else _MOST_BARS
    return min(REPETITIONS, max(_LEAST_REPETITIONS, most // bars))


def _losses(results: Floats) -> float:
    """Share of results with a return below zero; NaN where there is none."""
    returns = results[:, 0]
    return np.nan if np.isnan(returns).any() else float((returns < 0).mean())


# Other orders.


def redrawn(profits: Floats, cash: float, repetitions: int, seed: int) -> Floats:
    """Draw trades with replacement, as many as there were, and compound what each did.

    What a trade did is its profit as a share of the equity that it began with: leverage, costs
    and whole units are part of it.

    Parameters
    ----------
    profits : ndarray of float, shape (trades,)
        Of the closed trades in time order, costs included.
    cash : float
        Before the first.
    repetitions : int
    seed : int

    Returns
    -------
    ndarray of float, shape (repetitions, 2)
        Return and deepest drawdown from trade to trade, in per cent; NaN without trades.
    """
    results = np.full((repetitions, len(COLUMNS)), np.nan)
    if not len(profits):
        return results
    before = cash + np.concatenate([[0.0], np.cumsum(profits)[:-1]])
    growth = np.maximum(1.0 + profits / before, 0.0)  # More than all is not lost.
    random = np.random.default_rng(seed)
    at_once = max(1, _DRAWN // len(profits))
    for start in range(0, repetitions, at_once):
        count = min(at_once, repetitions - start)
        drawn = random.integers(0, len(growth), (count, len(growth)))
        curves = np.ones((count, len(growth) + 1))
        np.cumprod(growth[drawn], axis=1, out=curves[:, 1:])
        peaks = np.maximum.accumulate(curves, axis=1)
        results[start : start + count, 0] = (curves[:, -1] - 1.0) * 100.0
        results[start : start + count, 1] = ((curves / peaks).min(axis=1) - 1.0) * 100.0
    return results


# Other prices.


@dataclass(frozen=True)
class PricesTask:
    """Repetitions `start` to `stop` (excluded) of a run on other prices.

    Attributes
    ----------
    job : Job
        Of a single combination.
    noise : float
    seed : int
    start, stop : int
    """

    job: Job
    noise: float
    seed: int
    start: int
    stop: int


def _on_other_prices(single: Job, repetitions: int, noise: float, seed: int, imap: Imap) -> Floats:
    """Return and drawdown of each repetition, shape (repetitions, 2)."""
    results = np.full((repetitions, len(COLUMNS)), np.nan)
    tasks = [
        PricesTask(single, noise, seed, start, min(start + _CHUNK, repetitions))
        for start in range(0, repetitions, _CHUNK)
    ]
    for task, found in imap(run_on_other_prices, tasks, split=halved_prices):
        if not isinstance(found, Unanswered):
            results[task.start : task.stop] = found
    done = ~np.isnan(results).any(axis=1)
    return results[done] if done.any() else results


def run_on_other_prices(task: PricesTask) -> Floats:
    """Run a combination again on other prices, in a worker.

    Returns
    -------
    ndarray of float, shape (stop - start, 2)
        Return and drawdown, in per cent.
    """
    file, job = desk().file, task.job
    results = np.empty((task.stop - task.start, len(COLUMNS)))
    for place, repetition in enumerate(range(task.start, task.stop)):
        random = np.random.default_rng((task.seed, repetition))
        row = build_engine(on_other_prices(file, job, task.noise, random), job).run(0, 1)[0]
        results[place] = row[[COLUMN[name] for name in COLUMNS]]
    return results


def halved_prices(task: PricesTask) -> list[PricesTask]:
    """As `bigbar.slices.halves`, for repetitions."""
    return [replace(task, start=a, stop=b) for a, b in halves((task.start, task.stop))]


def on_other_prices(
    file: pd.DataFrame, job: Job, noise: float, random: np.random.Generator
) -> pd.DataFrame:
    """A file up to the last bar that takes part, on other prices, the strategy's columns anew.

    Parameters
    ----------
    file : DataFrame
        The whole file.
    job : Job
    noise, random
        As of `other_prices`.

    Returns
    -------
    DataFrame
    """
    bars = file.iloc[: job.stop_bar]
    moved = other_prices(bars, noise, random)
    if len(bars) < len(file):  # Columns may hang on later bars' times: where a week ends.
        moved = pd.concat([moved, file.iloc[len(bars) :]])
    return job.spec.columns(moved).iloc[: len(bars)]


def other_prices(bars: pd.DataFrame, noise: float, random: np.random.Generator) -> pd.DataFrame:
    """The bars with every price moved a little; what else is in them stays as it is.

    Parameters
    ----------
    bars : DataFrame
    noise : float
        Standard deviation of the change, as a share of the bar's range.
    random : Generator

    Returns
    -------
    DataFrame
        High and Low are the highest and lowest of a bar's four moved prices.
    """
    names = ("Open", "High", "Low", "Close")
    prices = np.stack([bars[name].to_numpy(np.float64) for name in names])
    heights = prices[1] - prices[2]
    moved = prices + noise * heights * random.standard_normal(prices.shape)
    moved = np.maximum(moved, _LEAST_PRICE * prices[2])
    open_, close = moved[0], moved[3]
    high, low = moved.max(axis=0), moved.min(axis=0)
    return bars.assign(Open=open_, High=high, Low=low, Close=close)
