"""What a trader's strategy does that no backtest may be trusted with: looked for, and said.

- It **sees the future**: `init` gets the whole file, so an indicator that uses all of it (a
  normalization, a centred window) knows prices that nobody knows yet. On the file cut short, its
  indicators and closed trades then differ from those on the whole file.
- It **answers differently each time**: random numbers, or the clock.
- It **changes its class** as it runs: the next run in the same process would begin where this one
  ended. The engines put that back; it is said all the same.

None of it can be told of every strategy: what is found is so, what is not found may still be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.errors import WorkersLostError
from bigbar.executors.contract import Unanswered
from bigbar.job import LEAST_TRADING_BARS, Job
from bigbar.validation.findings import Conduct
from bigbar.validation.tasks import Imap
from bigbar.worker import desk

if TYPE_CHECKING:
    from backtesting import Strategy

    from bigbar.engines.any_strategy.run import BacktestRun, StrategyRunner

#: Where the file is cut short, as shares of its bars; each cut is moved to just behind a trade.
CUTS = (0.3, 0.5, 0.7, 0.85, 0.97)

#: So many bars behind the end of a trade the file is cut: what ended it lies before the cut, and
#: a look a bar or two ahead of it does not.
_BEHIND_A_TRADE = 2

#: Indicators agree within this, relative to the largest value: sums over more bars are rounded
#: differently, and no look ahead is that small.
TOLERANCE = 1e-9

#: What is compared of a trade.
_OF_A_TRADE = ("Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice")


@dataclass(frozen=True)
class ConductTask:
    """A combination whose conduct is looked at: its number, and the job of the workers."""

    number: int
    job: Job


def find_conduct(job: Job, number: int, imap: Imap) -> Conduct | None:
    """See how a combination of a trader's strategy behaves.

    Parameters
    ----------
    job : Job
        What was optimized. Bars that it holds back are not looked at.
    number : int
        The combination.
    imap : Imap
        It is run in a worker, which may end with it.

    Returns
    -------
    Conduct or None
        None for strategies that come along, and where a Backtest has a `run` of its own.

    Raises
    ------
    WorkersLostError
        If the worker ends.
    """
    if job.spec.comes_along or job.spec.has_own_backtest:
        return None
    for _, found in imap(examine_conduct, [ConductTask(number, job)]):
        if isinstance(found, Unanswered):
            raise WorkersLostError(f"combination {number} was not answered: {found.reason()}")
        examined: Conduct = found
    return examined


def examine_conduct(task: ConductTask) -> Conduct:
    """The same, in a worker started on the same file."""
    job = task.job
    examination = _Examination(desk().file.iloc[: job.stop_bar], job, task.number)
    differs = examination.second_run()
    seen, cuts = (None, ()) if differs else examination.foresight()
    return Conduct(
        combination=task.number,
        cuts=cuts,
        sees_future=seen,
        answers_differently=differs,
        changed_class_attributes=examination.changed,
    )


class _Examination:
    """One combination, run on a file and on parts of it.

    Each run has a runner of its own, that knows no indicator from another.
    """

    def __init__(self, file: pd.DataFrame, job: Job, number: int) -> None:
        self._file, self._job, self._point = file, job, job.space[number]
        first, self._second = self._runner(len(file)), self._runner(len(file))
        self._whole, self._series = self._run(first, len(file))
        first.restore_class()
        self.changed = first.changed_class_attributes

    def _runner(self, bars: int) -> StrategyRunner:
        from bigbar.engines.any_strategy.run import StrategyRunner

        # Where the file is cut nothing may be closed that is not closed there in the whole file.
        options = {**self._job.account.options, "finalize_trades": False}
        return StrategyRunner(self._file.iloc[:bars], self._job.spec.strategy, **options)

    def _run(self, runner: StrategyRunner, bars: int) -> tuple[BacktestRun, dict[Any, _Series]]:
        """A run, and the series that its `init` made; what `next` keeps is no indicator."""
        made: dict[Any, _Series] = {}

        def init(strategy: Strategy) -> None:
            strategy.init()
            made.update(_series(strategy, bars))

        return runner.run(self._point, init), made

    def second_run(self) -> str | None:
        """What differs when the same is run again."""
        bars = len(self._file)
        again, theirs = self._run(self._second, bars)
        self._second.restore_class()
        ours = self._series
        for key in ours.keys() & theirs.keys():
            bar = _first_difference(ours[key].values, theirs[key].values)
            if bar is not None:
                return f"{ours[key].name} at {self._bar(bar)}"
        wrong = _first_difference(self._whole.equity, again.equity)
        if wrong is not None:
            return f"equity from {self._bar(wrong)} on"
        # Whoever closes and opens again at one price has the same equity by other trades.
        entry = _other_trade(_trades(self._whole, bars + 1), _trades(again, bars + 1))
        return None if entry is None else f"the trade entered at {self._bar(entry)}"

    def foresight(self) -> tuple[str | None, tuple[int, ...]]:
        """What is another on the file cut short, and the cuts that were compared."""
        compared: list[int] = []
        exits = self._whole.trades["ExitBar"].to_numpy(np.int64)
        for bars in _cuts(exits, len(self._file)):
            runner = self._runner(bars)
            try:
                cut, short = self._run(runner, bars)
            except Exception:  # The file is too short for it: that is no look ahead.
                continue
            finally:
                runner.restore_class()
            compared.append(bars)
            seen = self._difference(cut, short, bars)
            if seen is not None:
                return f"{seen} if the file ends at {self._bar(bars - 1)}", tuple(compared)
        return None, tuple(compared)

    def _difference(self, cut: BacktestRun, short: dict[Any, _Series], bars: int) -> str | None:
        for key, series in self._series.items():
            its, known = short.get(key), series.values[..., :bars]
            if its is None or its.values.shape != known.shape:
                continue  # Made another way on fewer bars: its trades tell.
            bar = _first_difference(known, its.values)
            if bar is not None:
                return f"{series.name} is another at {self._bar(bar)}"
        entry = _other_trade(_trades(self._whole, bars), _trades(cut, bars))
        return None if entry is None else f"the trade entered at {self._bar(entry)} is another"

    def _bar(self, bar: int) -> str:
        """A bar as a person names it: by its time, or its number."""
        label = self._file.index[bar]
        if not isinstance(label, pd.Timestamp):
            return f"bar {label}"
        return f"{label:%Y-%m-%d}" if label == label.normalize() else f"{label:%Y-%m-%d %H:%M}"


def _cuts(exits: NDArray[np.int64], bars: int) -> list[int]:
    """How many bars each shortened file has: up to just behind a trade, where there are any."""
    found = set()
    ordered = np.sort(exits)
    for share in CUTS:
        at = int(share * bars)
        later = ordered[ordered >= at]
        if len(later):
            at = int(later[0]) + _BEHIND_A_TRADE
        found.add(min(at, bars - 1))
    return sorted(at for at in found if at >= LEAST_TRADING_BARS)


# ----------------------------------------------------------------------------------------- trades


def _trades(run: BacktestRun, bars: int) -> NDArray[np.float64]:
    """The trades that end before the last of some bars, in order of their ends.

    On the last one itself a strategy may close all as its file ends; with one bar more than there
    are, those are told too.
    """
    found = run.trades[list(_OF_A_TRADE)].to_numpy(np.float64)
    found = found[found[:, 2] < bars - 1]
    return found[np.lexsort((found[:, 0], found[:, 1], found[:, 2]))]


def _other_trade(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> int | None:
    """The entry bar of the first trade that only one of the two has."""
    both = min(len(ours), len(theirs))
    alike = np.isclose(ours[:both], theirs[:both], rtol=TOLERANCE, atol=0.0).all(axis=1)
    if not alike.all():
        return int(ours[int(np.argmin(alike)), 1])
    longer = ours if len(ours) > both else theirs
    return int(longer[both, 1]) if len(longer) > both else None


# --------------------------------------------------------------------------------- values per bar


@dataclass(frozen=True)
class _Series:
    """What a strategy has a value a bar of, and what a person calls it; bars come last."""

    name: str
    values: NDArray[Any]


def _series(strategy: Strategy, bars: int) -> dict[Any, _Series]:
    """All that a strategy has by now, declared by `self.I` or not; copies of them."""
    from backtesting._util import _Array

    found: dict[Any, _Series] = {}
    for place, array in enumerate(strategy._indicators):
        name = getattr(array, "name", None) or f"number {place + 1}"
        found[place] = _Series(f"the indicator {name}", np.array(array))
    for name, value in vars(strategy).items():
        if name.startswith("_") or isinstance(value, _Array):
            continue
        if isinstance(value, np.ndarray | pd.Series) and value.shape[:1] == (bars,):
            found[name] = _Series(f"{type(strategy).__name__}.{name}", np.array(value).T)
    return found


def _first_difference(one: NDArray[Any], other: NDArray[Any]) -> int | None:
    """The first bar on which two series of the same bars differ."""
    if one.shape != other.shape:
        return 0
    if one.dtype.kind in "fiub" and other.dtype.kind in "fiub":
        ours, theirs = one.astype(np.float64), other.astype(np.float64)
        least = TOLERANCE * float(np.abs(ours[np.isfinite(ours)]).max(initial=0.0))
        same = np.isclose(ours, theirs, rtol=TOLERANCE, atol=least, equal_nan=True)
    else:
        same = (one == other) | ((one != one) & (other != other))
    wrong = ~np.asarray(same, np.bool_).reshape(-1, one.shape[-1]).all(axis=0)
    return int(np.argmax(wrong)) if wrong.any() else None
