"""How a run is carried out, and all that it found."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.causes import cause_in
from bigbar.choice import Choice
from bigbar.data.read import Bars
from bigbar.errors import VerificationError
from bigbar.executors.contract import Machine
from bigbar.job import Job
from bigbar.keeping.reduced import Reduced
from bigbar.keeping.rule import Rule
from bigbar.known import KnownResult
from bigbar.machine.budget import Budget, Files
from bigbar.machine.metrics import Metrics
from bigbar.machine.watch import SweepMetrics, Watcher
from bigbar.pareto import ParetoSet, pareto_set
from bigbar.results import ResultTable
from bigbar.search.find import Asking
from bigbar.sharing.asked import AskedSpace
from bigbar.slices import Failure
from bigbar.store.fingerprint import Identity, identity_of
from bigbar.store.recorder import Carried
from bigbar.store.records import State
from bigbar.store.search_parts import SearchParts, keep_parts, search_parts
from bigbar.validation.findings import Findings
from bigbar.validation.plan import Plan
from bigbar.validation.returns import KeptReturns
from bigbar.verification.replay import BUDGET_S, Verification

#: What the replays through `backtesting.py` are called where they break off.
PROOF = "the verification"

#: Seconds that a run waits for a machine when the last one of its cluster is gone: one that was
#: started anew is there by then.
CLUSTER_WAIT_S = 300.0

#: So many characters of an exception's message are told.
_REASON = 200


@dataclass(frozen=True)
class Execution:
    """How a run is carried out; nothing here changes a bit of its result.

    Attributes
    ----------
    workers : int
        Worker processes.
    least_workers : int or None
        At work when other programs take the processors; None to keep all at work whatever they do.
    timeout : float or None
        Seconds that a single combination may take before it counts as failed.
    start_method : str or None
        "fork", "spawn" or "forkserver"; None for Python's default.
    verify : int
        Combinations to replay through `backtesting.py` besides the winner; 0 for no replay.
    verify_seconds : float
        When these are over no further replay begins, the winner's aside.
    seed : int
        Of the samples that are timed and replayed.
    max_memory : int or None
        Bytes that all processes together may take; None for what the machine has.
    files : Files or None
        What is written, for the forecast; None where nothing is.
    cluster : str or None
        Whose machines run it: "HOST:PORT", "auto" or "local:N"; None for this machine's processes.
    cluster_wait : float
        Seconds to wait for a machine when the last one of a cluster is gone.
    """

    workers: int = 1
    least_workers: int | None = None
    timeout: float | None = None
    start_method: str | None = None
    verify: int = 20
    verify_seconds: float = BUDGET_S
    seed: int = 0
    max_memory: int | None = None
    files: Files | None = None
    cluster: str | None = None
    cluster_wait: float = CLUSTER_WAIT_S


class Replays(TypedDict):
    """How many replays there are to be, of an `Execution`, and how long they may take."""

    verify: int
    verify_seconds: float


def replays_asked_for(count: int | None) -> Replays:
    """As many replays as were asked for, however long they take; the default within its time.

    Parameters
    ----------
    count : int or None
        None where nothing was said.
    """
    if count is None:
        return Replays(verify=Execution.verify, verify_seconds=Execution.verify_seconds)
    return Replays(verify=count, verify_seconds=math.inf)


@dataclass(frozen=True)
class Memory:
    """Where the memory of a run is; all in bytes.

    Attributes
    ----------
    data : int
        The bars with their indicator columns.
    shared : int
        Published for all workers together.
    parent : int
        Of the parent process, at its end.
    workers : tuple of int
        What each worker holds alone; empty where that could not be read.
    independent : int
        What the data would take if every process had loaded it.
    """

    data: int
    shared: int
    parent: int
    workers: tuple[int, ...]
    independent: int


@dataclass
class Outcome:
    """All that a run found.

    Attributes
    ----------
    job, execution, choice, bars
        What was asked for.
    table : ResultTable
        Rows not reached before an interruption are NaN.
    plan : Plan or None
        What of the validation was asked for.
    best : int or None
        The combination that is the answer, None where none counts: the winner, unless the
        robust choice was asked for.
    trades : DataFrame or None
        Closed trades of the best.
    verification : Verification or None
        None where it was switched off or nothing counts.
    findings : Findings or None
        What the result is worth; None where that was not asked for, or not reached.
    failures : list of Failure
        In grid order.
    estimated_duration_s : float
        Seconds per backtest.
    chunk_size : int
    start_method, workers_kind : str
        As they came to be used: "processes" or, where there are no semaphores, "threads".
    shared_kind : str
        "shared_memory" or "file".
    timings : dict of str to float
        Seconds of each stage.
    memory : Memory or None
    stopped_by : int or None
        Number of the signal that ended the run early.
    carried : Carried
        What there was from earlier runs.
    resumed, reused : int
        Rows that were not run: from an earlier attempt of this run, and from other runs.
    kept : ndarray of bool, shape (combinations,)
        Which rows those are, failures among them; known once the sweep begins.
    given_up : list of Failure
        Combinations that the sample for the estimate left no doubt about: they are not run again.
    sweep_metrics : SweepMetrics
        Of the slices of the sweep.
    watcher : Watcher or None
        What was seen of the run's processes.
    budget : Budget or None
        What it was expected to take.
    shared_bytes, written_bytes : int
        What it took of shared memory at most, and of the disk.
    kept_bytes : int
        What earlier runs had taken of the disk.
    machines : list of Machine
        Of a cluster, that took part in the sweep.
    sampled : list of int
        Combinations whose rows come of the sample for the estimate: they are not run again.
    returns : KeptReturns or None
        Returns that come along with the rows, until they are let go.
    broke_off : dict of str to str
        What failed after the sweep, each in a sentence: the result stands without it.
    engine_reason : str
        Why this engine ran; empty where there was nothing to choose.
    in_python : Counter of str
        Why combinations of a compiled strategy were run by `backtesting.py`, and how many.
    config : dict or None
        The file that settings came from, by path and sha256; None where there was none.
    asking : Asking or None
        The search that chose the points; None where they were known from the beginning.
    untried : int
        Points that a search was stopped before it could ask for.
    rule : Rule or None
        By what a part of the rows is kept; None where all are.
    reduced : Reduced or None
        What is known of all combinations then: counts, and sums for heatmaps. `table` has the rows
        that were kept.
    """

    job: Job
    execution: Execution
    choice: Choice
    bars: Bars
    table: ResultTable
    plan: Plan | None = None
    best: int | None = None
    trades: pd.DataFrame | None = None
    verification: Verification | None = None
    findings: Findings | None = None
    failures: list[Failure] = field(default_factory=list)
    estimated_duration_s: float = 0.0
    chunk_size: int = 0
    start_method: str = ""
    workers_kind: str = ""
    shared_kind: str = ""
    timings: dict[str, float] = field(default_factory=dict)
    memory: Memory | None = None
    stopped_by: int | None = None
    carried: Carried = field(default_factory=Carried.nothing)
    resumed: int = 0
    reused: int = 0
    kept: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    given_up: list[Failure] = field(default_factory=list)
    sweep_metrics: SweepMetrics = field(default_factory=SweepMetrics)
    watcher: Watcher | None = None
    budget: Budget | None = None
    shared_bytes: int = 0
    written_bytes: int = 0
    kept_bytes: int = 0
    machines: list[Machine] = field(default_factory=list)
    sampled: list[int] = field(default_factory=list)
    returns: KeptReturns | None = None
    broke_off: dict[str, str] = field(default_factory=dict)
    engine_reason: str = ""
    in_python: Counter[str] = field(default_factory=Counter)
    config: dict[str, str] | None = None
    asking: Asking | None = None
    untried: int = 0
    search_s: float = 0.0
    rule: Rule | None = None
    reduced: Reduced | None = None

    @property
    def metrics(self) -> Metrics | None:
        """Where time and memory went, up to now; None before the workers were there."""
        if self.watcher is None:
            return None
        return self.watcher.metrics(self.sweep_metrics, self.timings)

    @property
    def against_forecast(self) -> dict[str, dict[str, float]] | None:
        """Forecast and actual of time, memory, shared memory and disk, up to now."""
        metrics = self.metrics
        if self.budget is None or metrics is None:
            return None
        return self.budget.against(
            backtest_s=self.estimated_duration_s,
            seconds=sum(self.timings.values()),
            memory=metrics.peak_memory,
            shared=self.shared_bytes,
            disk=self.written_bytes,
            search_s=self.search_s,
        )

    @property
    def backtests_per_second(self) -> float:
        """Over the fan-out alone."""
        seconds = self.timings.get("sweep_s", 0.0)
        ran = self.reached + self.failed - self.resumed - self.reused - len(self.sampled)
        return max(0, ran) / seconds if seconds else 0.0

    @cached_property
    def identity(self) -> Identity:
        """What decides the numbers."""
        if self.rule is not None:
            return self._identity_kept(self.rule)
        found = identity_of(self.bars.frame, self.job, self.search)
        if isinstance(self.job.space, AskedSpace):  # Nothing has been asked for yet.
            return found.with_points(np.empty(0, np.int64))
        return found

    def _identity_kept(self, rule: Rule) -> Identity:
        """Of a run of which a part is kept: of the whole grid, with those points."""
        space = self.job.space
        whole = space if self.reduced is None else self.reduced.space
        found = identity_of(self.bars.frame, replace(self.job, space=whole), keep=keep_parts(rule))
        count = 0 if self.reduced is None else len(space)
        return found.with_points(space.in_product(np.arange(count)))

    @cached_property
    def search(self) -> SearchParts | None:
        """How the points were chosen, as JSON holds it, where a search did."""
        return None if self.asking is None else search_parts(self.asking, self.choice)

    @property
    def complete(self) -> bool:
        """Whether every combination was answered, or failed."""
        return self.reached + self.failed >= self.total

    @property
    def total(self) -> int:
        """How many combinations were to be tried."""
        if self.rule is not None:
            return self.rule.total
        return len(self.table) + self.untried

    @property
    def reached(self) -> int:
        """How many combinations were answered."""
        if self.reduced is not None:
            return self.reduced.counts.tried - self.reduced.counts.failed
        return self.table.reached()

    @property
    def failed(self) -> int:
        """How many combinations failed; of a part that is kept, `failures` has some of them."""
        return len(self.failures) if self.reduced is None else self.reduced.counts.failed

    @property
    def without_trades(self) -> int:
        """How many combinations never traded."""
        if self.reduced is not None:
            return self.reduced.counts.without_trades
        return self.table.without_trades()

    @property
    def most_trades(self) -> int:
        """That any combination made."""
        if self.reduced is not None:
            return self.reduced.counts.most_trades
        trades = self.table.column("# Trades")
        return 0 if np.isnan(trades).all() else int(np.nanmax(trades))

    @property
    def in_sample(self) -> NDArray[np.bool_] | None:
        """Which rows of the table are a fair sample of all; None where the table has all."""
        if self.rule is None:
            return None
        return self.rule.in_sample(self.job.space.in_product(np.arange(len(self.table))))

    @property
    def unsteady(self) -> str | None:
        """That the strategy answers differently each time it is run, in a sentence; or None."""
        replayed = self.verification is not None and self.verification.unsteady
        conduct = None if self.findings is None else self.findings.conduct
        if not replayed and (conduct is None or conduct.answers_differently is None):
            return None
        return (
            f"{self.job.spec.title} answers differently each time it is run (random numbers, or "
            "the clock): no other run takes rows from this one"
        )

    @property
    def state(self) -> State:
        """What becomes of the run in the history; nothing is taken from one that failed."""
        if self.verification is not None and not self.verification.ok:
            return "failed"
        if self.unsteady is not None:
            return "failed"
        return "finished" if self.complete and self.stopped_by is None else "interrupted"

    @property
    def result_sha256(self) -> str | None:
        """Digest of every combination's statistics; None unless all were answered."""
        return self._digest.result() if self.complete else None

    @cached_property
    def _digest(self) -> Future[str]:
        aside = ThreadPoolExecutor(1)
        future = aside.submit(self.table.sha256)
        aside.shutdown(wait=False)
        return future

    def known(self, *beside: object) -> KnownResult | None:
        """What earlier runs found out about this very result, and what later ones will know.

        Parameters
        ----------
        *beside
            What that follows from, besides the result and the objective; by what it prints.

        Returns
        -------
        KnownResult or None
            None where a later run could not tell that its result is the same, or why it is.
        """
        if self.carried.run is None or self.failures or self.choice.has_functions:
            return None
        result, earlier = self.result_sha256, self.carried.earlier
        if result is None:
            return None
        if self.identity.problem is not None or self.unsteady is not None:
            return None
        is_the_same = earlier is not None and earlier.result_sha256 == result
        key = (self.identity.fingerprint, result, self.choice, self.execution.seed, *beside)
        return KnownResult(repr(key), recalls=is_the_same and self.carried.recalls)

    @cached_property
    def pareto(self) -> ParetoSet | None:
        """What no other combination beats by all objectives, of a table that will not change.

        None of a single objective, and where nothing counts.
        """
        return pareto_set(self.table, self.choice)

    @property
    def have(self) -> NDArray[np.bool_]:
        """Which combinations need not be run: earlier runs answered them, or the sample did."""
        found = self.carried.done | (self.carried.taken > 0)
        found[self.sampled] = True
        return found

    def score(self) -> None:
        """Ask functions that are optimized about every combination."""
        index = self.bars.frame.index[self.job.bars]
        for each in self.choice.objectives:
            if each.function is not None:
                found = each.values(self.table.values, (index[0], index[-1]))
                self.table.more[each.name] = found

    def digest_aside(self) -> None:
        """Begin with the digest of a table that will not change any more."""
        if self.complete:
            _ = self._digest

    def changed(self) -> None:
        """The table has changed since its digest was begun with, and the Pareto set was found."""
        self.__dict__.pop("_digest", None)
        self.__dict__.pop("pareto", None)

    @contextmanager
    def apart(
        self, part: str, tell: Callable[[str], Any], *, but: type[Exception] = VerificationError
    ) -> Iterator[None]:
        """Let what fails inside cost itself and nothing else: hours of sweep come before it.

        Parameters
        ----------
        part : str
            What is attempted, as a sentence would call it.
        tell : callable
            Is told what happened.
        but : type of Exception, optional
            What is passed on all the same.
        """
        try:
            yield
        except but:
            raise
        except Exception as problem:
            self.break_off(part, cause_in(problem)[:_REASON], tell)

    def break_off(self, part: str, reason: str, tell: Callable[[str], Any]) -> None:
        """Note that a part failed, and tell it; of the same part the first time counts."""
        if part not in self.broke_off:
            self.broke_off[part] = f"{part} broke off ({reason}); the result stands without it"
            tell(self.broke_off[part])

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds spent inside to a stage's timing."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begun
            self.timings[stage] = self.timings.get(stage, 0.0) + spent


def settings_values(outcome: Outcome) -> dict[str, Any]:
    """What was asked for, besides the grid, as JSON holds it."""
    job, execution = outcome.job, outcome.execution
    return {
        "strategy": job.spec.path,
        "maximize": outcome.choice.objective.name
        if len(outcome.choice.objectives) == 1
        else list(outcome.choice.names),
        "min_trades": outcome.choice.min_trades,
        **job.account.described,
        **job.spec.settings,
        **_search_values(outcome.asking),
        **({} if outcome.rule is None else {"keep": f"top:{outcome.rule.top}"}),
        "seed": execution.seed,
        "verify": execution.verify,
    }


def _search_values(asking: Asking | None) -> dict[str, Any]:
    return {} if asking is None else {"method": asking.method, "max_tries": asking.tries}


def data_values(outcome: Outcome) -> dict[str, Any]:
    """The bars, as JSON holds it."""
    bars = outcome.bars
    return {
        "path": bars.source,
        "sha256": bars.sha256,
        "rows": len(bars.frame),
        "first_time": moment_text(bars.frame.index[0]),
        "last_time": moment_text(bars.frame.index[-1]),
        "bars_taking_part": len(bars.frame.index[outcome.job.bars]),
        "notes": list(bars.notes),
        "reading": bars.reading.said(),
    }


def moment_text(label: Any) -> str:
    """A bar's time in ISO 8601; what stands in its place where bars have none."""
    return str(label.isoformat()) if isinstance(label, pd.Timestamp) else str(label)
