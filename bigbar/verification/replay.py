"""The proof: combinations replayed through `backtesting.py`, every statistic and trade compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.engines.any_strategy.statistics import statistics_row
from bigbar.engines.contract import TRADE_COLUMNS, Engine
from bigbar.engines.reference import BacktestingEngine
from bigbar.job import Job
from bigbar.parameter import setting_text
from bigbar.space import Space
from bigbar.statistics import NAMES
from bigbar.verification.rounding import EPS, ROOTS, Reference, looseness
from bigbar.worker import clock, desk, reference_engine

#: Two results agree within this, relative, where the formula does not cancel.
TOLERANCE = 1e-9

#: About a tenth of a minute for the replays of a run, the winner's aside.
BUDGET_S = 6.0

_DIFFERENCES_SHOWN = 10

#: A strategy that throws dice may well throw the same twice, on a stretch of few bars above all.
_ASKED_AGAIN = 8


@dataclass(frozen=True)
class ReplayTask:
    """A combination to replay.

    Attributes
    ----------
    number : int
    row : ndarray of float, shape (statistics,)
        What the sweep answered.
    deadline : float or None
        On `bigbar.worker.clock`; a task that would begin later is left out. None: never.
    stored : bool
        Whether the row is one out of the store: it is computed again as well.
    """

    number: int
    row: NDArray[np.float64]
    deadline: float | None = None
    stored: bool = False


@dataclass(frozen=True)
class Difference:
    """One number on which the engine and `backtesting.py` disagree."""

    number: int
    what: str
    engine: float
    reference: float


@dataclass(frozen=True)
class Replay:
    """A combination as `backtesting.py` answered it, and how the sweep's answer compares.

    Attributes
    ----------
    number : int
    stats : Series
        Its statistics as it prints them, without the equity curve and the trades.
    trades : DataFrame
        Its closed trades, columns as in `TRADE_COLUMNS`.
    largest : float
        Largest difference of a statistic, relative (see `relative_difference`).
    differences : list of Difference
        Those beyond the tolerance.
    stored : Difference or None
        Where the row is one out of the store and not what the engine answers now: by how much.
        All else is of the engine's answer then.
    unsteady : bool
        Whether the strategy answers differently each time it is run: nothing can be compared then,
        and nobody is to blame but itself.
    """

    number: int
    stats: pd.Series
    trades: pd.DataFrame
    largest: float
    differences: list[Difference]
    stored: Difference | None = None
    unsteady: bool = False


@dataclass(frozen=True)
class Verification:
    """What the replays of a run came to.

    Attributes
    ----------
    combinations : int
        How many were replayed, those of `unsteady` aside.
    wanted : int
        How many would have been, had the time budget allowed.
    statistics : int
        Statistics compared for each.
    max_relative_difference : float
    differences : tuple of Difference
    unsteady : tuple of int
        Combinations that the strategy answers differently each time it is run.
    before : int
        How many of `combinations` were replayed by earlier runs, which came to the same result.
    """

    combinations: int
    wanted: int
    statistics: int = len(NAMES)
    max_relative_difference: float = 0.0
    differences: tuple[Difference, ...] = field(default=())
    unsteady: tuple[int, ...] = ()
    before: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything compared agrees."""
        return not self.differences


def relative_difference(
    value: float, reference: float, loose: float, *, root: bool = False
) -> float:
    """Distance of a value from the reference's, relative to the digits that there are.

    Parameters
    ----------
    value, reference : float
        What the engine and `backtesting.py` say; NaN agrees with NaN only.
    loose : float
        What rounding alone can do, from `bigbar.verification.rounding.looseness`.
    root : bool
        Whether the statistic is a square root: one of at most `loose` agrees with NaN as well.

    Returns
    -------
    float
        `TOLERANCE` or less where they agree; infinity where one is NaN or infinite alone.
    """
    if value == reference or (math.isnan(value) and math.isnan(reference)) or math.isinf(loose):
        return 0.0
    distance = abs(value - reference)
    if root and (math.isnan(value) or math.isnan(reference)):
        left = reference if math.isnan(value) else value
        return 0.0 if left <= loose else math.inf
    scale = max(abs(reference), loose / TOLERANCE)
    if not math.isfinite(distance) or scale == 0:
        return math.inf
    return distance / scale


def compare(number: int, row: NDArray[np.float64], reference: Reference) -> Replay:
    """Compare the statistics of one combination with `backtesting.py`'s.

    Parameters
    ----------
    number : int
        The combination.
    row : ndarray of float, shape (statistics,)
        The engine's answer.
    reference : Reference
        `backtesting.py`'s.

    Returns
    -------
    Replay
    """
    largest, differences = 0.0, []
    expected = statistics_row(reference.stats)
    for name, value, wanted in zip(NAMES, row.tolist(), expected.tolist(), strict=True):
        loose = looseness(name, reference)
        distance = relative_difference(value, wanted, loose, root=name in ROOTS)
        largest = max(largest, distance)
        if not distance <= TOLERANCE:
            differences.append(Difference(number, name, value, wanted))
    shown = reference.stats[[key for key in reference.stats.index if not key.startswith("_")]]
    trades = reference.stats["_trades"][list(TRADE_COLUMNS)]
    return Replay(number, pd.Series(shown, dtype=object), trades, largest, differences)


def compare_trades(number: int, trades: pd.DataFrame, reference: pd.DataFrame) -> list[Difference]:
    """Compare two trade lists entry by entry.

    Returns
    -------
    list of Difference
        The first one of each column, or of the number of trades.
    """
    if len(trades) != len(reference):
        return [Difference(number, "number of trades", len(trades), len(reference))]
    if not len(trades):  # Columns without entries may be of different kinds.
        return []
    found = []
    for column in TRADE_COLUMNS[:-2]:
        ours = trades[column].to_numpy(np.float64)
        theirs = reference[column].to_numpy(np.float64)
        allowed = TOLERANCE * np.abs(theirs) + _trade_rounding(column, reference)
        wrong = np.flatnonzero(~(np.abs(ours - theirs) <= allowed))
        if len(wrong):
            at = wrong[0]
            what = f"{column} of trade {at + 1}"
            found.append(Difference(number, what, float(ours[at]), float(theirs[at])))
    for column in TRADE_COLUMNS[-2:]:
        if not (trades[column].to_numpy() == reference[column].to_numpy()).all():
            found.append(Difference(number, column, math.nan, math.nan))
    return found


def _trade_rounding(column: str, reference: pd.DataFrame) -> NDArray[np.float64] | float:
    """What rounding alone can do to a column of a trade list."""
    if column not in ("PnL", "ReturnPct"):
        return 0.0
    # Differences of order values, and of those relative to the entry's.
    size = reference["Size"].to_numpy(np.float64)
    entry, leave = (
        np.abs(size * reference[name].to_numpy(np.float64)) for name in ("EntryPrice", "ExitPrice")
    )
    values = entry + leave + np.abs(reference["Commission"].to_numpy(np.float64))
    return 8 * EPS * (values if column == "PnL" else values / entry)


def replay(task: ReplayTask) -> Replay | None:
    """Replay one combination in a worker; None where the deadline has passed.

    Parameters
    ----------
    task : ReplayTask

    Returns
    -------
    Replay or None
    """
    if task.deadline is not None and clock() > task.deadline:
        return None
    here, number, row = desk(), task.number, task.row
    if task.stored:
        row = here.engine.run(number, number + 1)[0]
    close = here.file["Close"].to_numpy(np.float64)[here.job.bars]
    reference = reference_engine()
    found = compare_engines(number, row, close, here.engine, reference)
    if task.stored:
        found = replace(found, stored=first_difference(number, task.row, row))
    if found.stored is None and not found.differences:
        return found
    return judged(found, task.row, here.job, here.engine, reference)


def judged(
    found: Replay, row: NDArray[np.float64], job: Job, engine: Engine, reference: BacktestingEngine
) -> Replay:
    """A replay with differences, without them where the strategy itself is to blame.

    A trader's strategy may draw random numbers, or look at the clock. Then `backtesting.py` does
    not agree with itself; or what the engine answered before, it does not answer now that it agrees
    with `backtesting.py`.

    Parameters
    ----------
    found : Replay
    row : ndarray of float, shape (statistics,)
        What the engine answered before.
    job : Job
        Of engine and reference.
    engine : Engine
    reference : BacktestingEngine

    Returns
    -------
    Replay
    """
    if job.spec.comes_along:
        return found
    number = found.number
    once = statistics_row(found.stats)
    unsteady = any(
        first_difference(number, once, statistics_row(reference.stats(number))) is not None
        for _ in range(_ASKED_AGAIN)
    )
    if not unsteady and found.differences:
        now = engine.run(number, number + 1)[0]
        unsteady = first_difference(number, row, now) is not None and (
            first_difference(number, now, once) is None
        )
    return replace(found, differences=[], stored=None, unsteady=True) if unsteady else found


def first_difference(
    number: int, row: NDArray[np.float64], other: NDArray[np.float64]
) -> Difference | None:
    """The first statistic that two rows of a combination do not have in common, to the last bit.

    Parameters
    ----------
    number : int
        The combination.
    row, other : ndarray of float, shape (statistics,)
        One NaN is as good as another.

    Returns
    -------
    Difference or None
    """
    same = (row.view(np.int64) == other.view(np.int64)) | (np.isnan(row) & np.isnan(other))
    if same.all():
        return None
    at = int(np.argmin(same))
    return Difference(number, NAMES[at], float(row[at]), float(other[at]))


def compare_engines(
    number: int,
    row: NDArray[np.float64],
    close: NDArray[np.float64],
    engine: Engine,
    reference: BacktestingEngine,
) -> Replay:
    """Compare statistics and trades of one combination with `backtesting.py`'s.

    Parameters
    ----------
    number : int
        The combination.
    row : ndarray of float, shape (statistics,)
        What the engine answered.
    close : ndarray of float, shape (bars,)
        Closing prices of the bars that take part.
    engine : Engine
        For the trades.
    reference : BacktestingEngine
        Of the same job.

    Returns
    -------
    Replay
    """
    compared = compare(number, row, Reference(reference.stats(number), close))
    compared.differences.extend(compare_trades(number, engine.trades(number), compared.trades))
    return compared


def differences_text(
    differences: Sequence[Difference],
    grid: Space,
    lead: str = "the engine and backtesting.py disagree; do not use this result:",
) -> str:
    """The differences found, for a person: combination, statistic, both values."""
    lines = [lead]
    for difference in differences[:_DIFFERENCES_SHOWN]:
        parameters = setting_text(grid[difference.number])
        lines.append(
            f"  combination {difference.number} ({parameters}): {difference.what} is "
            f"{difference.engine!r}, backtesting.py says {difference.reference!r}"
        )
    hidden = len(differences) - _DIFFERENCES_SHOWN
    if hidden > 0:
        lines.append(f"  and {hidden} more")
    return "\n".join(lines)


def sample(total: int, count: int, seed: int, *, without: Iterable[int] = ()) -> list[int]:
    """A seeded random sample of combinations, without repeats.

    Parameters
    ----------
    total : int
        Combinations of the grid.
    count : int
        How many at most.
    seed : int
    without : iterable of int
        Combinations left out: the winner and those that failed.

    Returns
    -------
    list of int
    """
    left_out = set(without)
    order = np.random.default_rng(seed).permutation(total)[: count + len(left_out)]
    return [int(number) for number in order if int(number) not in left_out][:count]


def summarize(replays: Sequence[Replay], wanted: int) -> Verification:
    """What the replays of a run came to."""
    unsteady = tuple(sorted(one.number for one in replays if one.unsteady))
    done = [one for one in replays if not one.unsteady]
    return Verification(
        combinations=len(done),
        wanted=wanted,
        max_relative_difference=max((one.largest for one in done), default=0.0),
        differences=tuple(difference for one in done for difference in one.differences),
        unsteady=unsteady,
    )
