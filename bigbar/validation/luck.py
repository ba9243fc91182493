"""All that the returns of a whole grid say about luck, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.pareto import pareto_set
from bigbar.results import ResultTable
from bigbar.validation.bootstrap import (
    LEAST_PERIODS,
    LEAST_TRADED,
    RETURN,
    SHARPE,
    LuckyBest,
    TestStatistic,
    bootstrap_test,
    chance_of_luck,
    lucky_best,
    statistic_for,
)
from bigbar.validation.cscv import BLOCKS, LEAST_BLOCK, THOROUGH_BLOCKS, block_sums, overfitting
from bigbar.validation.distinct import Kinds, find_kinds
from bigbar.validation.findings import Bootstrap, DeflatedSharpe, Overfitting, Plateau
from bigbar.validation.luck_band import FOLLOWED, luck_band
from bigbar.validation.plateau import find_plateau
from bigbar.validation.resampling import RESAMPLES, as_weights, stationary_draws
from bigbar.validation.sharpe import deflated_sharpe, moments

#: Combinations looked at together.
_ROWS = 1024

#: Settings of a Pareto set that are held against luck; more are on no page.
_TOLD = 200


@dataclass(frozen=True)
class LuckFindings:
    """The parts of `bigbar.validation.findings.Findings` that are about luck; same names."""

    plateau: Plateau | None = None
    bootstrap: Bootstrap | None = None
    sharpe_bootstrap: Bootstrap | None = None
    pbo: Overfitting | None = None
    deflated_sharpe: DeflatedSharpe | None = None
    luck_band: pd.DataFrame | None = None
    pareto_luck: dict[int, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Observed:
    """Statistics of every kind: t-statistic of the mean return, and total log growth."""

    t_statistics: NDArray[np.float64]
    growth: NDArray[np.float64]

    def of(self, statistic: TestStatistic) -> NDArray[np.float64]:
        return self.t_statistics if statistic is SHARPE else self.growth


def assess_luck(
    returns: NDArray[np.float32],
    table: ResultTable,
    choice: Choice,
    chosen: int | None,
    *,
    periods_per_year: float,
    times: pd.DatetimeIndex | None = None,
    cash: float = 1.0,
    earlier_trials: int = 0,
    seed: int = 0,
    resamples: int = RESAMPLES,
    thorough: bool = False,
) -> LuckFindings:
    """Hold a result against luck: bootstrap, PBO, deflated Sharpe ratio, plateau.

    Parameters
    ----------
    returns : ndarray of float32, shape (combinations, periods)
        Of every combination of the grid in every period (days as a rule), 0 without a trade.
        Combinations that failed may hold NaN.
    table : ResultTable
        Of the same combinations.
    choice : Choice
        Which of them count, and what was optimized.
    chosen : int or None
        The setting to judge, any that counts: the peak, or the robust one.
    periods_per_year : float
        That the annual statistics use.
    times : DatetimeIndex, shape (periods,), optional
        For the luck band; without them there is none.
    cash : float, optional
        At the start of the luck band.
    earlier_trials : int, optional
        Different combinations that earlier runs tried on the same data.
    seed : int, optional
        Of the draws: the same for all combinations, statistics and runs.
    resamples : int, optional
    thorough : bool, optional
        Cut the periods for PBO into more blocks.

    Returns
    -------
    LuckFindings
        None for what cannot be had, the reason in `notes`.
    """
    plateau = None if table.space.is_sample else find_plateau(table, choice)
    periods = returns.shape[1]
    if chosen is None:
        return LuckFindings(plateau, notes=("no combination counts, so there is nothing to test",))
    if periods < LEAST_PERIODS:
        return LuckFindings(
            plateau,
            notes=(f"{periods} periods are too few to tell luck from skill ({LEAST_PERIODS})",),
        )
    returns = np.ascontiguousarray(returns)
    kinds, observed = _observe(returns, ~np.isnan(table.scores(choice)))
    if kinds.place[chosen] < 0:
        return LuckFindings(
            plateau, notes=("the chosen setting has no returns that could be tested",)
        )
    statistic = statistic_for(choice.objective.name)
    draws = stationary_draws(periods, resamples, seed=seed)
    luck = lucky_best(
        returns,
        kinds,
        as_weights(draws),
        [statistic] if statistic is SHARPE else [statistic, SHARPE],
        followed=0 if times is None else min(FOLLOWED, resamples),
    )
    bootstrap, *of_sharpe = _bootstraps(
        luck,
        returns[chosen],
        observed,
        objective=choice.objective.name,
        combinations=int(kinds.counts.sum()),
        periods_per_year=periods_per_year,
        earlier_trials=earlier_trials,
    )
    return LuckFindings(
        plateau=plateau,
        bootstrap=bootstrap,
        sharpe_bootstrap=of_sharpe[0] if of_sharpe else None,
        pbo=_pbo(returns, kinds, statistic, thorough=thorough),
        deflated_sharpe=deflated_sharpe(
            returns[chosen],
            np.repeat(observed.t_statistics, kinds.counts) / np.sqrt(periods),
            trials=len(table),
            earlier_trials=earlier_trials,
            periods_per_year=periods_per_year,
        ),
        luck_band=None
        if times is None
        else luck_band(returns, kinds, draws, luck[0], times=times, cash=cash),
        pareto_luck=_of_pareto_set(returns, kinds, luck[0], table, choice, earlier_trials),
        notes=_notes(bootstrap),
    )


def _of_pareto_set(
    returns: NDArray[np.float32],
    kinds: Kinds,
    luck: LuckyBest,
    table: ResultTable,
    choice: Choice,
    earlier_trials: int,
) -> dict[int, float] | None:
    """How often luck does as well as each: the maxima are of all combinations that count."""
    found = pareto_set(table, choice)
    if found is None:
        return None
    told = found.points[found.spread(_TOLD)]
    return {
        number: chance_of_luck(
            luck, returns[number], moments(returns[number]), earlier_trials=earlier_trials
        )
        for number in told.tolist()
        if kinds.place[number] >= 0
    }


def assess_sample(
    returns: NDArray[np.float32],
    table: ResultTable,
    choice: Choice,
    chosen: int,
    in_sample: NDArray[np.bool_],
    *,
    tried: int,
    periods_per_year: float,
    earlier_trials: int = 0,
    seed: int = 0,
    thorough: bool = False,
) -> LuckFindings:
    """What a sample of a grid says about luck, and about the best of all of it.

    Parameters
    ----------
    returns, table, choice, chosen, periods_per_year, earlier_trials, seed, thorough
        As of `assess_luck`.
    in_sample : ndarray of bool, shape (combinations,)
        Which rows are of the sample; the chosen setting is held against these.
    tried : int
        Combinations in all.

    Returns
    -------
    LuckFindings
        `bootstrap` is over the sample and the chosen setting: luck's best over all does as well at
        least as often. The probability of overfitting is of the sample; the deflated Sharpe ratio
        of as many trials as there were, which vary as those of the sample do.
    """
    periods = returns.shape[1]
    if periods < LEAST_PERIODS:
        return LuckFindings(
            notes=(f"{periods} periods are too few to tell luck from skill ({LEAST_PERIODS})",)
        )
    returns = np.ascontiguousarray(returns)
    counting = ~np.isnan(table.scores(choice)) & in_sample
    beside = counting.copy()
    beside[chosen] = True
    kinds, observed = _observe(returns, beside)
    if kinds.place[chosen] < 0:
        return LuckFindings(notes=("the chosen setting has no returns that could be tested",))
    statistic = statistic_for(choice.objective.name)
    weights = as_weights(stationary_draws(periods, seed=seed))
    bootstrap, *_ = _bootstraps(
        lucky_best(returns, kinds, weights, [statistic]),
        returns[chosen],
        observed,
        objective=choice.objective.name,
        combinations=int(kinds.counts.sum()),
        periods_per_year=periods_per_year,
        earlier_trials=earlier_trials,
    )
    others, of_others = _observe(returns, counting)
    return LuckFindings(
        bootstrap=bootstrap,
        pbo=_pbo(returns, others, statistic, thorough=thorough),
        deflated_sharpe=deflated_sharpe(
            returns[chosen],
            np.repeat(of_others.t_statistics, others.counts) / np.sqrt(periods),
            trials=tried,
            earlier_trials=earlier_trials,
            periods_per_year=periods_per_year,
        ),
        notes=_notes(bootstrap),
    )


def sharpe_test(
    returns: NDArray[np.float32],
    counting: NDArray[np.bool_],
    chosen: int,
    *,
    objective: str,
    periods_per_year: float,
    earlier_trials: int = 0,
    seed: int = 0,
) -> Bootstrap | None:
    """Hold one setting's Sharpe ratio against luck, and nothing else.

    Parameters
    ----------
    returns : ndarray of float32, shape (combinations, periods)
        At least `LEAST_PERIODS` periods.
    counting : ndarray of bool, shape (combinations,)
        Which combinations could have been chosen.
    chosen, objective, periods_per_year, earlier_trials, seed
        As of `assess_luck`.

    Returns
    -------
    Bootstrap or None
        None where the setting has no returns that could be tested.
    """
    returns = np.ascontiguousarray(returns)
    kinds, observed = _observe(returns, counting)
    if kinds.place[chosen] < 0:
        return None
    weights = as_weights(stationary_draws(returns.shape[1], seed=seed))
    return _bootstraps(
        lucky_best(returns, kinds, weights, [SHARPE]),
        returns[chosen],
        observed,
        objective=objective,
        combinations=int(kinds.counts.sum()),
        periods_per_year=periods_per_year,
        earlier_trials=earlier_trials,
    )[0]


def _bootstraps(
    luck: Sequence[LuckyBest], chosen: NDArray[np.float32], observed: _Observed, **of_run: Any
) -> list[Bootstrap]:
    """The test of the chosen setting's returns by each statistic that was drawn."""
    found = moments(chosen)
    return [
        bootstrap_test(best, chosen, found, observed.of(best.statistic), **of_run) for best in luck
    ]


def _observe(returns: NDArray[np.float32], counting: NDArray[np.bool_]) -> tuple[Kinds, _Observed]:
    """The kinds that can be tested, and their statistics.

    Left out are returns that are not numbers, a loss of everything, and no variance.
    """
    kinds = find_kinds(returns, counting)
    count = returns.shape[1]
    t_statistics, growth = np.full((2, len(kinds)), np.nan)
    usable = np.zeros(len(kinds), np.bool_)
    for start in range(0, len(kinds), _ROWS):
        into = slice(start, start + _ROWS)
        part = returns[kinds.first[into]].astype(np.float64)
        lowest, highest = part.min(axis=1), part.max(axis=1)
        fine = (lowest > -1.0) & (highest < np.inf) & (lowest < highest)
        usable[into] = fine
        part[~fine] = 0.0
        growth[into] = np.log1p(part).sum(axis=1)
        means = part.mean(axis=1)
        part -= means[:, None]
        variances = np.einsum("ij,ij->i", part, part) / (count - 1)
        np.divide(means, np.sqrt(variances / count), out=t_statistics[into], where=fine)
    return kinds.only(usable), _Observed(t_statistics[usable], growth[usable])


def _pbo(
    returns: NDArray[np.float32], kinds: Kinds, statistic: TestStatistic, *, thorough: bool
) -> Overfitting | None:
    blocks = THOROUGH_BLOCKS if thorough else BLOCKS
    if returns.shape[1] < blocks * LEAST_BLOCK:
        blocks = BLOCKS
    cut = block_sums(
        returns, blocks, rows=kinds.first, counts=kinds.counts, by_growth=statistic is RETURN
    )
    return overfitting(cut)


def _notes(found: Bootstrap) -> tuple[str, ...]:
    notes = []
    if found.traded_periods < LEAST_TRADED:
        notes.append(
            f"the chosen setting traded in {found.traded_periods} periods; with fewer than "
            f"{LEAST_TRADED} nothing can be told from luck"
        )
    if abs(found.autocorrelation) > found.autocorrelation_limit:
        notes.append(
            f"the chosen setting's periods are correlated with the next ones "
            f"({found.autocorrelation:+.2f}); the luck figures are less certain"
        )
    if not found.tests_objective:
        notes.append(
            f"luck was tested by the Sharpe ratio, not by {found.objective}: valid for the chosen "
            "setting, but it may miss what the objective sees"
        )
    return tuple(notes)
