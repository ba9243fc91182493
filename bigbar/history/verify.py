"""`verify`: a stored run held against `backtesting.py` and against its data, as they are now."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from bigbar.account import Account
from bigbar.data.encoding import named_file
from bigbar.data.read import Bars, read_bars
from bigbar.data.reading import Reading
from bigbar.engines.find import engine_names
from bigbar.engines.reference import BacktestingEngine
from bigbar.errors import DataError, InputError, SettingsError
from bigbar.history.answer import Answer
from bigbar.history.rows import choice_of, table_of, winner_of
from bigbar.history.tables import pairs
from bigbar.job import Job
from bigbar.results import ResultTable
from bigbar.spec import StrategySpec
from bigbar.statistics import NAMES
from bigbar.store.fingerprint import Identity, identity_of
from bigbar.store.points import FunctionNotStored, Unmade, account_of
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError
from bigbar.store.search_parts import SearchParts
from bigbar.store.strategy_code import strategy_name
from bigbar.strategies.find import described
from bigbar.units import counted
from bigbar.verification.replay import Difference, compare, differences_text, sample
from bigbar.verification.rounding import Reference


@dataclass
class RunCheck:
    """What a check of a stored run came to.

    Attributes
    ----------
    run : int
    data : str
        The price file that was read.
    rows : int
        Combinations of which there is a row.
    hash_matches : bool or None
        Whether all rows together have the stored hash; None for a run that did not finish.
    replayed : list of int
        Combinations run again by `backtesting.py`.
    differing : int
        How many of these differ.
    largest : float
        Largest relative difference of a statistic.
    changed : list of str
        Parts of the fingerprint that are not as they were, the bars aside. Not wrong by itself:
        that is what the replays are for.
    edited : str or None
        What of the strategy's own code changed since the run, where it did.
    problems : list of str
        What is wrong; empty where all is well.
    """

    run: int
    data: str
    rows: int = 0
    hash_matches: bool | None = None
    replayed: list[int] = field(default_factory=list)
    differing: int = 0
    largest: float = 0.0
    changed: list[str] = field(default_factory=list)
    edited: str | None = None
    problems: list[str] = field(default_factory=list)

    def wrong(self, what: str) -> None:
        """Note what is wrong, once."""
        if what not in self.problems:
            self.problems.append(what)


def verify(
    store: RunStore,
    run: Run,
    *,
    count: int,
    seed: int = 1,
    data: str | None = None,
    strategy: str | None = None,
) -> Answer:
    """Check the digests, then replay the winner and a sample.

    Parameters
    ----------
    store : RunStore
    run : Run
    count : int
        Combinations to replay besides the winner.
    seed : int, optional
        Of the sample; another one than a run's own by default, so that it meets others.
    data : str, optional
        The price file, if it is not where it was.
    strategy : str, optional
        The strategy, if it is not where it was. Its code is run, so it has to be one to trust.

    Returns
    -------
    Answer
        With exit code 1 where something is wrong.

    Raises
    ------
    DataError
        If the price file cannot be read.
    InputError
        If the strategy cannot be had any more.
    StoreError
        If the rows are of another version.
    """
    found = check(store, run, count=count, seed=seed, data=data, strategy=strategy)
    ok = not found.problems
    return Answer(_text(found), {**asdict(found), "ok": ok}, 0 if ok else 1)


def check(
    store: RunStore,
    run: Run,
    *,
    count: int,
    seed: int,
    data: str | None,
    strategy: str | None = None,
) -> RunCheck:
    """What `verify` finds."""
    found = RunCheck(run.id, str(run.data.get("path", "")) if data is None else data)
    job = job_of(run, strategy)
    table, done = table_of(store, run, damaged=found.wrong)
    _check_rows(found, run, table, done)
    try:
        bars = bars_at(
            found.data,
            moved=data is not None,
            reading=reading_of(run),
            others=job.spec.sees_other_columns,
        )
    except DataError as problem:
        if not found.problems:
            raise
        found.wrong(str(problem))
        return found
    if _check_bars(found, run, job, bars):
        best = winner_of(run, table)
        first = [] if best is None or not done[best] else [best]
        failed = [failure.number for failure in store.failures(run, damaged=found.wrong)]
        unanswered = {*first, *failed, *np.flatnonzero(~done).tolist()}
        others = sample(len(table), count, seed, without=unanswered)
        _replay(found, job, bars, table, [*first, *others])
    return found


def bars_at(path: str, *, moved: bool, reading: Reading, others: bool) -> Bars:
    """The price file of a run.

    Parameters
    ----------
    path : str
    moved : bool
        Whether somebody named it, because it is not where it was.
    reading : Reading
        As the run read it.
    others : bool
        Whether further columns are read.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        return read_bars(named_file(path) if moved else path, reading=reading, others=others)
    except DataError as problem:
        if moved:
            raise
        raise DataError(f"{problem} If the file was moved, name it with --data FILE.") from problem


def _check_rows(found: RunCheck, run: Run, table: ResultTable, done: NDArray[np.bool_]) -> None:
    """The rows against what is stored of them."""
    found.rows = int(np.count_nonzero(done))
    if run.state != "finished":
        return
    found.hash_matches = run.result_sha256 == table.sha256()
    if not found.hash_matches:
        found.wrong("the hash of the stored rows is not that of the run's result")
    if run.best is not None:
        objective = choice_of(run).objective.name
        value = float(table.column(objective)[run.best])
        if run.best_value != value:
            found.wrong(f"the best has {objective} {run.best_value!r}, its row {value!r}")


def _check_bars(found: RunCheck, run: Run, job: Job, bars: Bars) -> bool:
    """The fingerprint against the price file and the program as they are now."""
    there = len(bars.frame)
    if job.stop_bar is not None and job.stop_bar > there:
        found.wrong(f"{found.data} has {there:,} bars, the run's had {job.stop_bar:,} or more")
        return False
    now = identity_now(bars, job, run)
    if now.bars_sha256 != run.bars_sha256:
        found.wrong(
            f"the bars of {found.data} are not those of the run: the file has changed, or is "
            "another one"
        )
        return False
    found.changed = run.identity.differences(now)
    found.edited = run.identity.code_difference(now)
    return True


def identity_now(bars: Bars, job: Job, run: Run) -> Identity:
    """What decides the numbers of a stored run, by the bars and the program as they are now."""
    if (rule := run.identity.keep) is None:
        return identity_of(bars.frame, job, run.identity.search)
    whole = replace(job, space=run.identity.tried())
    return identity_of(bars.frame, whole, keep=SearchParts(rule))


def _replay(found: RunCheck, job: Job, bars: Bars, table: ResultTable, numbers: list[int]) -> None:
    """Compare stored rows with what `backtesting.py` answers now."""
    file = job.spec.columns(bars.frame)
    reference = BacktestingEngine(file, job)
    close = file["Close"].to_numpy(np.float64)[job.bars]
    differences: list[Difference] = []
    for number in tqdm(numbers, desc="Replays", disable=None, leave=False):
        stats: pd.Series = reference.stats(number)
        replayed = compare(number, table.values[number], Reference(stats, close))
        found.replayed.append(number)
        found.largest = max(found.largest, replayed.largest)
        found.differing += bool(replayed.differences)
        differences += replayed.differences
    if differences:
        lead = "stored rows and backtesting.py disagree:"
        if found.edited is not None:
            lead = (
                f"{found.edited} changed since the run, so this is of another strategy than the "
                "stored rows are of, and they disagree:"
            )
        found.wrong(differences_text(differences, job.space, lead))


def reading_of(run: Run) -> Reading:
    """What was said about the price file when the run was made.

    Raises
    ------
    StoreError
        If that is damaged.
    """
    said = run.data.get("reading", {})
    try:
        return Reading(**said)
    except (TypeError, SettingsError) as problem:
        raise StoreError(f"run {run.id} is damaged ({problem})") from problem


def job_of(run: Run, strategy: str | None = None) -> Job:
    """The job that a run computed, from its identity.

    Parameters
    ----------
    run : Run
    strategy : str, optional
        Where its strategy is now, if not where it was.

    Raises
    ------
    InputError
        If its engine is none of this program's, or its strategy or a value of its grid cannot be
        had any more.
    StoreError
        If its identity is damaged.
    SettingsError
        If a setting in it makes no sense.
    """
    parts = run.identity.parts
    where = strategy or str(run.settings.get("strategy", run.identity.strategy_name))
    try:
        (first, stop), settings = parts["span"], dict(parts["settings"])
        spec = _spec_of(run, where, settings, moved=strategy is not None)
        if run.engine not in engine_names(spec):
            raise InputError(
                f"run {run.id} is by the engine {run.engine!r}, which this program does not have"
            )
        _refuse_unmade(run)
        return Job(spec, run.grid, _account_of(run), run.engine, (first, stop))
    except (KeyError, TypeError, ValueError) as problem:
        raise StoreError(f"run {run.id} is damaged ({problem!r})") from problem


def _spec_of(run: Run, where: str, settings: dict[str, object], *, moved: bool) -> StrategySpec:
    """The strategy of a run, which has to be of the name that it had."""
    try:
        spec = described(where, settings)
    except SettingsError as problem:
        if moved:
            raise
        raise InputError(
            f"the strategy of run {run.id} cannot be had any more: "
            f"{str(problem).removeprefix('--strategy: ')}; where it was moved, name it with "
            "--strategy; history, show, compare and export work without it"
        ) from problem
    name = strategy_name(spec)
    if name != run.identity.strategy_name:
        raise InputError(
            f"run {run.id} is of the strategy {run.identity.strategy_name}, and {where} is {name}"
        )
    return spec


def _refuse_unmade(run: Run) -> None:
    for axis in run.grid.parameters:
        for value in axis.values:
            if isinstance(value, Unmade):
                raise InputError(
                    f"run {run.id} cannot be replayed: of the value {value} of {axis.name} only "
                    "its text was stored"
                )


def _account_of(run: Run) -> Account:
    try:
        return account_of(run.identity.parts)
    except FunctionNotStored as problem:
        raise InputError(f"run {run.id} cannot be replayed: {problem}") from problem


def _text(found: RunCheck) -> str:
    """The checks one by one, and what is wrong."""
    lines = [("Wrong", problem) for problem in found.problems]
    if found.replayed:
        equal = len(found.replayed) - found.differing
        lines.append(
            (
                "Replayed",
                f"{counted(len(found.replayed), 'combination')} through backtesting.py: {equal:,} "
                f"with all {len(NAMES)} statistics as stored (largest relative difference "
                f"{found.largest:.0e})",
            )
        )
    if not found.problems:
        whole = "with the hash of the run's result" if found.hash_matches else "as far as it came"
        lines.append(("Rows", f"{found.rows:,}, {whole}"))
        lines.append(("Bars", f"those of the run, in {found.data}"))
    if found.changed:
        lines.append(("Changed", f"since the run: {', '.join(found.changed)}"))
    verdict = "is not as it was" if found.problems else "is as it was"
    return f"Run {found.run} {verdict}.\n\n{pairs(lines)}"
