"""What the machines of a cluster get for a run: data, the trader's modules, and a witness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bigbar.job import Job
from bigbar.outcome import Outcome
from bigbar.search.random import draw
from bigbar.sharing.asked import AskedSpace
from bigbar.sharing.frames import Publication
from bigbar.sharing.objects import SharedObject
from bigbar.store.alike import versions_here
from bigbar.store.strategy_code import StrategyCode, function_code, strategy_code
from bigbar.with_points import dressing, witness_of_points
from bigbar.worker import start_worker, witness

if TYPE_CHECKING:
    from bigbar.executors.cluster.supplies import Supplies, Witness
    from bigbar.executors.cluster.travelling import Travelling

#: Combinations of a witness; and how many are asked alone where they end a worker.
_TOGETHER, _ALONE = 4, 3

#: Seconds that compiling may take a witness, besides what its combinations may.
_COMPILING_S = 10.0


def supplies_for(
    outcome: Outcome, publication: Publication, prepared: SharedObject | None
) -> Supplies:
    """What makes the machines of a cluster ready for a run.

    Parameters
    ----------
    outcome : Outcome
    publication : Publication
        The file with its indicators.
    prepared : SharedObject or None
        What engines share, published beside it.
    """
    from bigbar.executors.cluster.supplies import Supplies

    job, execution = outcome.job, outcome.execution
    codes = _codes(outcome)
    named = {name for code in codes for name in code.packages}
    limit_s = float("inf")
    if execution.timeout is not None:
        limit_s = _COMPILING_S + _TOGETHER * execution.timeout
    return Supplies(
        initializer=start_worker,
        initargs=publication.carried(prepared),
        travelling=_travelling(job, codes),
        witness=_witness(outcome, limit_s),
        versions=versions_here,
        named=tuple(sorted(named)),
        wait_s=execution.cluster_wait,
        dressed=dressing(job),
    )


def _witness(outcome: Outcome, limit_s: float) -> Witness:
    """Combinations that every machine has to answer alike; of a search, any of its product."""
    from bigbar.executors.cluster.supplies import Witness

    asking, space, seed = outcome.asking, outcome.job.space, outcome.execution.seed
    if asking is None or not isinstance(space, AskedSpace):
        return Witness(witness, _witnesses(len(space), seed), limit_s)
    drawn = draw(asking.product, _TOGETHER + _ALONE, constraints=asking.constraints, seed=seed)
    numbers = drawn.in_product(np.arange(len(drawn)))
    tasks = [tuple(numbers[places].tolist()) for places in map(list, _witnesses(len(drawn), seed))]
    return Witness(witness_of_points, tasks, limit_s)


def _codes(outcome: Outcome) -> list[StrategyCode]:
    """The trader's own code that takes part: the strategy, costs and objectives of his."""
    objectives = [each.function for each in outcome.choice.objectives]
    functions = [outcome.job.account.commission, *objectives]
    own = [getattr(one, "function", one) for one in functions if callable(one)]
    return [strategy_code(outcome.job.spec), *(function_code(one) for one in own)]


def _travelling(job: Job, codes: list[StrategyCode]) -> Travelling:
    from bigbar.executors.cluster.travelling import Source, Travelling

    sources = {
        name: Source(file, text, file.endswith("__init__.py"))
        for code in codes
        for name, (file, text) in code.sources.items()
    }
    strategy = job.spec.strategy
    if job.spec.by_value is None and strategy.__module__ in sources:
        return Travelling(sources, job.spec, strategy.__module__, strategy.__qualname__)
    return Travelling(sources)


def _witnesses(count: int, seed: int) -> list[tuple[int, ...]]:
    """Combinations by chance, the same in every attempt; at last none, which all agree on."""
    drawn = np.random.default_rng(seed).integers(0, count, _TOGETHER + _ALONE).tolist()
    together = tuple(dict.fromkeys(drawn[:_TOGETHER]))
    return [together, *((number,) for number in drawn[_TOGETHER:]), ()]
