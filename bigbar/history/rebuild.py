"""A stored run as an outcome again: its rows, its bars and its strategy, for what draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from bigbar.engines.find import build_engine, warm_up
from bigbar.engines.stack_room import with_room
from bigbar.errors import InputError
from bigbar.history.listing import going_on, rows_to_come, state_text
from bigbar.history.rows import choice_of, table_of, winner_of
from bigbar.history.verify import bars_at, identity_now, job_of, reading_of
from bigbar.keeping.packed import unpacked
from bigbar.keeping.rule import Rule
from bigbar.machine.resources import usable_processors
from bigbar.outcome import Execution, Outcome
from bigbar.pipeline import validate_again
from bigbar.progress.events import Listener
from bigbar.store.receipt import receipt
from bigbar.store.recorder import Recorder
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError
from bigbar.validation.cscv import THOROUGH_BLOCKS
from bigbar.validation.plan import Plan
from bigbar.verification.replay import Verification


@dataclass(frozen=True)
class Rebuilt:
    """A stored run, as far as it came.

    Attributes
    ----------
    run : Run
    outcome : Outcome
        With trades of the best; without findings.
    summary : mapping
        What it said at its end; empty where it did not come to it.
    remarks : tuple of str
        What is not as it was, or not whole, a sentence each.
    """

    run: Run
    outcome: Outcome
    summary: Mapping[str, Any]
    remarks: tuple[str, ...]

    @property
    def receipt(self) -> dict[str, Any]:
        """What went into it, as it was then."""
        run, config = self.run, self.summary.get("config")
        return receipt(
            run.identity,
            run=run.id,
            state=run.state,
            settings=run.settings,
            data=run.data,
            command=run.command,
            config=config if isinstance(config, dict) else None,
            completed=run.done,
            failed=run.failed,
            result_sha256=run.result_sha256,
        )


def rebuild(
    store: RunStore, run: Run, *, data: str | None = None, strategy: str | None = None
) -> Rebuilt:
    """Put a run together again.

    Parameters
    ----------
    store : RunStore
    run : Run
    data : str, optional
        The price file, if it is not where it was.
    strategy : str, optional
        The strategy, if it is not where it was. Its code is run, so it has to be one to trust.

    Raises
    ------
    DataError
        If the price file cannot be read.
    InputError
        If the file is another one by now, or the strategy cannot be had any more, or nothing of
        the run counts.
    StoreError
        If its rows are damaged, or of another version.
    """
    job, choice = job_of(run, strategy), choice_of(run)
    table, _ = table_of(store, run)
    best = winner_of(run, table)
    if best is None:
        raise InputError(_why_nothing(run))
    bars = bars_at(
        str(run.data.get("path", "")) if data is None else data,
        moved=data is not None,
        reading=reading_of(run),
        others=job.spec.sees_other_columns,
    )
    if (job.stop_bar or 0) > len(bars.frame) or (
        identity_now(bars, job, run).bars_sha256 != run.bars_sha256
    ):
        raise InputError(
            f"the bars of {bars.source} are not those of run {run.id}: the file has changed, or "
            "is another one; name the right one with --data FILE"
        )
    summary = store.output(run).summary or {}
    execution = Execution(workers=usable_processors(), seed=int(run.settings.get("seed", 0)))
    outcome = Outcome(job, execution, choice, bars, table, best=best)
    outcome.carried.run = run.id
    outcome.carried.earlier = run if run.state == "finished" else None
    outcome.failures = store.failures(run)
    _know_the_rest(outcome, store, run)
    outcome.verification = _verification(summary.get("verification"))
    with_room(partial(warm_up, job))
    outcome.trades = build_engine(job.spec.columns(bars.frame), job).trades(best)
    now = identity_now(bars, job, run)
    return Rebuilt(run, outcome, summary, tuple(_remarks(run, now.differences(run.identity))))


def _why_nothing(run: Run) -> str:
    if run.state not in ("running", "interrupted"):
        return f"no combination of run {run.id} counts: there is nothing to show"
    why = "none of its combinations so far counts"
    if rows_to_come(run):
        why = "with --keep the best are stored when it ends"
    return f"run {run.id} is not finished ({state_text(run)}), and {why}: {going_on(run)}"


def _know_the_rest(outcome: Outcome, store: RunStore, run: Run) -> None:
    """Of a run of which a part of the rows is kept: counts and sums of all.

    Raises
    ------
    StoreError
        If they are damaged.
    """
    keep, content = run.identity.keep, store.reduction(run)
    if keep is None or content is None:
        return
    rule = Rule(
        int(keep["top"]),
        outcome.choice,
        int(keep["combinations"]),
        int(keep["seed"]),
        int(keep["sample"]),
    )
    try:
        outcome.reduced, _ = unpacked(content, rule, run.identity.tried())
    except ValueError as problem:
        raise StoreError(f"what is kept of run {run.id} makes no sense ({problem})") from problem
    outcome.rule = rule


def _remarks(run: Run, changed: list[str]) -> list[str]:
    remarks = []
    if run.state == "failed":
        remarks.append(f"Run {run.id} failed its verification: its rows are not to be trusted.")
    elif run.state != "finished":
        remarks.append(f"Run {run.id} is {run.state}.")
    if changed:
        remarks.append(
            f"Changed since run {run.id}: {', '.join(changed)}. Its rows are as they were stored; "
            "trades, equity and all that is drawn of them are of now."
        )
    return remarks


def _verification(told: Mapping[str, Any] | None) -> Verification | None:
    if told is None:
        return None
    return Verification(
        combinations=told["combinations"],
        wanted=told["wanted"],
        statistics=told["statistics"],
        max_relative_difference=told["max_relative_difference"] or 0.0,
        unsteady=tuple(told["answered_differently"]),
    )


class _AsThen(Recorder):
    """Knows what a run knew of earlier ones; nothing is counted again."""

    def __init__(self, summary: Mapping[str, Any]) -> None:
        self._summary = summary

    def earlier_trials(self) -> int:
        told = self._summary.get("bootstrap") or self._summary.get("deflated_sharpe") or {}
        return int(told.get("earlier_trials", 0))

    def count_opening(self, split: str) -> int:
        return int(self._summary["holdout"]["openings"])


def find_out_again(rebuilt: Rebuilt, listener: Listener) -> None:
    """What the run is worth, by the very steps that it took then: the same findings.

    Parameters
    ----------
    rebuilt : Rebuilt
        Its outcome gets the findings.
    listener : Listener
        Is told how it goes.

    Raises
    ------
    Interrupted
        By a signal.
    """
    outcome, summary = rebuilt.outcome, rebuilt.summary
    plan = _plan(summary)
    if plan is not None and isinstance(outcome.bars.frame.index, pd.DatetimeIndex):
        validate_again(outcome, plan, listener=listener, recorder=_AsThen(summary))


def _plan(summary: Mapping[str, Any]) -> Plan | None:
    """What was asked for, by what was found; None where nothing was."""
    held_back, walked = summary.get("holdout"), summary.get("walk_forward")
    matrix, pbo = summary.get("walk_forward_matrix"), summary.get("pbo")
    if summary.get("verdict") is None:
        return None
    return Plan(
        assess=summary.get("buy_and_hold") is not None,
        holdout=None if held_back is None else held_back["share"],
        thorough=pbo is not None and pbo["blocks"] == THOROUGH_BLOCKS,
        walk_forward=0 if walked is None else len(walked["windows"]),
        anchored=walked is not None and walked["anchored"],
        matrix=matrix is not None,
    )
