"""Optuna's samplers: TPE, Gaussian process, NSGA-II and CMA-ES, asked and told in batches.

A parameter is a whole number, the place of its value, where its values have an order; else one of
several. Points that do not meet the constraints are told at once as bad as the worst, and others
are asked for in their place.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, IntDistribution

from bigbar.search.contract import Ground
from bigbar.search.scores import Worst

#: Points of a batch, unless the sampler has a size of its own: a model of what was told before it
#: is made once for all of them.
_BATCH = 16

#: A generation of NSGA-II, all of which is asked for at once.
_POPULATION = 32

#: CMA-ES adds to this three times the logarithm of the number of parameters.
_LEAST_CMA_ES = 4

#: Points that are asked for, or drawn, at most for each that can be tried; then the batch ends.
_MOST_ASKED = 50


class OptunaSearch:
    """A search by one of Optuna's samplers.

    Parameters
    ----------
    ground : Ground
    sampler : callable
        Makes it from a seed.
    batch : int
        Points that are asked for together.
    insists : bool, optional
        Whether the sampler is sure of itself: once it has found what it takes for the best it asks
        for that again and again, ever more slowly. Then each time a point by chance is tried in
        place of one that was asked for before.
    """

    why_ended = "none of those that it proposed meets the constraints"

    def __init__(
        self,
        ground: Ground,
        sampler: Callable[[int], Any],
        batch: int,
        *,
        insists: bool = False,
    ) -> None:
        self._ground, self._batch = ground, batch
        self._before: set[int] | None = set() if insists else None
        self._random = np.random.default_rng(ground.seed)
        self._worst = [Worst() for _ in range(ground.objectives)]
        self._asked: list[Any] = []
        with _quietly():
            self._study = optuna.create_study(
                directions=["maximize"] * ground.objectives, sampler=sampler(ground.seed)
            )
        self._axes: dict[str, Any] = {
            parameter.name: IntDistribution(0, len(parameter) - 1)
            if parameter.is_ordered
            else CategoricalDistribution(range(len(parameter)))
            for parameter in ground.product.varying
        }
        self._of_axis = [name in self._axes for name in ground.product.names]

    def ask(self) -> NDArray[np.int64]:
        numbers: list[int] = []
        self._asked = []
        for _ in range(_MOST_ASKED * self._batch):
            if len(numbers) == self._batch:
                break
            with _quietly():
                trial = self._study.ask(self._axes)
            number = self._number(trial.params)
            if self._before is not None:
                if number in self._before:
                    self._forget(trial)
                    trial = self._by_chance(self._before)
                    number = self._number(trial.params)
                self._before.add(number)
            if self._admits(number):
                numbers.append(number)
                self._asked.append(trial)
            else:
                self._tell(trial, [each.score for each in self._worst])
        return np.array(numbers, np.int64)

    def tell(self, numbers: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        columns = scores.reshape(len(scores), -1).T
        finite = [each.in_place(one) for each, one in zip(self._worst, columns, strict=True)]
        for trial, of_trial in zip(self._asked, np.transpose(finite).tolist(), strict=True):
            self._tell(trial, of_trial)

    def _admits(self, number: int) -> bool:
        return bool(self._ground.admitted(np.array([number]))[0])

    def _by_chance(self, before: set[int]) -> Any:
        """A trial of a point that was not asked for before, if one is found soon."""
        for _ in range(_MOST_ASKED):
            places = {
                parameter.name: int(self._random.integers(len(parameter)))
                for parameter in self._ground.product.varying
            }
            number = self._number(places)
            if number not in before and self._admits(number):
                break
        with _quietly():
            self._study.enqueue_trial(places)
            return self._study.ask(self._axes)

    def _forget(self, trial: Any) -> None:
        """Keep a trial out of what the sampler learns from."""
        with _quietly():
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _tell(self, trial: Any, scores: list[float]) -> None:
        with _quietly():
            self._study.tell(trial, scores)

    def _number(self, places: dict[str, int]) -> int:
        names = self._ground.product.names
        return int(self._ground.numbers(np.array([places.get(name, 0) for name in names])))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what Optuna logs of every step, and without its warnings that a part may change."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def tpe(ground: Ground) -> OptunaSearch:
    """Tree-structured Parzen estimator, of all parameters together."""
    sampler = partial(_tpe, startup=_BATCH)
    return OptunaSearch(ground, sampler, _BATCH)


def _tpe(seed: int, startup: int) -> Any:
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, constant_liar=True, n_startup_trials=startup
    )


def gp(ground: Ground) -> OptunaSearch:
    """A Gaussian process; it takes ever longer for each point, and needs torch."""

    def sampler(seed: int) -> Any:
        return optuna.samplers.GPSampler(seed=seed)

    return OptunaSearch(ground, sampler, _BATCH // 2, insists=True)


def nsga2(ground: Ground) -> OptunaSearch:
    """NSGA-II, a genetic algorithm."""

    def sampler(seed: int) -> Any:
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=_POPULATION)

    return OptunaSearch(ground, sampler, _POPULATION)


def cmaes(ground: Ground) -> OptunaSearch:
    """CMA-ES, which sees numbers only: other parameters are taken by chance."""
    axes = max(1, sum(parameter.is_ordered for parameter in ground.product.varying))
    population = _LEAST_CMA_ES + int(3 * np.log(axes))

    def sampler(seed: int) -> Any:
        return optuna.samplers.CmaEsSampler(seed=seed, popsize=population)

    return OptunaSearch(ground, sampler, population)
