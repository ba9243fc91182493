"""Which combinations of a run are replayed through `backtesting.py`, and what came of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace

from bigbar.executors.contract import Executor, Unanswered
from bigbar.outcome import PROOF, Outcome
from bigbar.progress.events import Listener
from bigbar.stored_rows import sample_stored
from bigbar.sweep import throttle_of
from bigbar.verification.replay import (
    Difference,
    Replay,
    ReplayTask,
    Verification,
    replay,
    sample,
    summarize,
)

#: One in so many of a sample is a row out of the store, where there are any.
_STORED_SHARE = 4

#: And one in so many is of the Pareto set, where there are several objectives.
_FRONT_SHARE = 2

#: What replays are kept as, for runs that come to the same result.
_PART = "replays"


def verify(outcome: Outcome, pool: Executor, listener: Listener) -> list[Difference]:
    """Replay the winner always, and a sample as far as the time allows.

    Rows out of the store are among them: one at least, and a quarter of the sample. Of several
    objectives half of the sample is of the Pareto set, the compromise whatever the time.

    Returns
    -------
    list of Difference
        Of rows out of the store that are not what their combinations compute to. Then nothing is
        known yet of the others; else `outcome.verification` has it.
    """
    tasks = _tasks(outcome)
    if not tasks:
        return []
    wanted = len(tasks)
    # Replays that were asked for are made.
    known = outcome.known() if math.isfinite(outcome.execution.verify_seconds) else None
    kept: dict[int, float] = {} if known is None else known.recall(_PART) or {}
    before = {
        task.number: kept[task.number]
        for task in tasks
        if task.number in kept and not _is_due(outcome, task)
    }
    tasks = [task for task in tasks if task.number not in before]
    listener.verifying(len(tasks))
    replays: list[Replay] = []
    with outcome.apart(PROOF, listener.event):
        for task, done in pool.imap_unordered(replay, tasks, throttle=throttle_of(outcome)):
            if isinstance(done, Unanswered):
                why = f"combination {task.number}: {done.reason()}"
                outcome.break_off(PROOF, why, listener.event)
            elif done is not None:
                replays.append(done)
    # Where what is computed now is wrong as well, it is not the store that is to blame.
    wrong = [one.stored for one in replays if one.stored is not None and not one.differences]
    if replays and not wrong:  # They count, whatever became of the others.
        outcome.verification = _with_those_before(summarize(replays, wanted), before)
        if known is not None and outcome.verification.ok and outcome.unsteady is None:
            known.keep(_PART, before | {one.number: one.largest for one in replays})
        if outcome.unsteady is not None:
            listener.event(outcome.unsteady)
    return wrong


def _is_due(outcome: Outcome, task: ReplayTask) -> bool:
    """Whether a combination is replayed in each run: the answer, and what is out of the store."""
    return task.stored or task.number == outcome.best


def _with_those_before(found: Verification, before: Mapping[int, float]) -> Verification:
    """What the replays came to, and those of earlier runs that are not made again."""
    return replace(
        found,
        combinations=found.combinations + len(before),
        before=len(before),
        max_relative_difference=max([found.max_relative_difference, *before.values()]),
    )


def _tasks(outcome: Outcome) -> list[ReplayTask]:
    execution, table = outcome.execution, outcome.table
    if not execution.verify:
        return []
    stored = sample_stored(outcome, max(1, execution.verify // _STORED_SHARE))
    named, front = _of_pareto_set(outcome, execution.verify // _FRONT_SHARE)
    best = [] if outcome.best is None else [outcome.best]
    always = list(dict.fromkeys([*best, *named, *stored[:1]]))
    failed = {failure.number for failure in outcome.failures}
    wanted = execution.verify + (outcome.best is not None)
    first = list(dict.fromkeys([*always, *front, *stored]))
    left = max(0, wanted - len(first)) if outcome.best is not None else 0
    others = sample(len(table), left, execution.seed, without={*first, *failed})
    deadline = (
        time.time() + execution.verify_seconds if math.isfinite(execution.verify_seconds) else None
    )
    return [
        ReplayTask(
            number,
            table.values[number],
            None if number in always else deadline,
            stored=bool(outcome.kept[number]),
        )
        for number in [*first, *others]
    ]


def _of_pareto_set(outcome: Outcome, count: int) -> tuple[list[int], list[int]]:
    """What of the Pareto set is replayed: the compromise, and some, spread evenly along it."""
    found = outcome.pareto
    if found is None or not count:
        return [], []
    compromise = int(found.points[found.compromise])
    return [compromise], found.points[found.spread(count)].tolist()
