"""What every engine can do, whoever makes it.

An engine answers points of a space with rows of statistics. `bigbar.engines.find` has those there
are; a new one is a file with an `EngineKind`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.job import Job


class Engine(Protocol):
    """What every engine can do. One instance serves one thread of one process."""

    def run(self, start: int, stop: int) -> NDArray[np.float64]:
        """Statistics of the combinations `start` to `stop` (excluded), in grid order.

        Returns
        -------
        ndarray of float, shape (stop - start, statistics)
            Columns as in `bigbar.statistics.STATISTICS`; durations in nanoseconds.

        Raises
        ------
        IndexError
            If the slice is not one of the grid's.
        """
        ...

    def returns(self, start: int, stop: int) -> NDArray[np.float32]:
        """Returns of the combinations `start` to `stop` (excluded), from day end to day end.

        Returns
        -------
        ndarray of float32, shape (stop - start, periods - 1)
            As `backtesting.py` has them for its annual statistics (of weeks, months or years for
            bars that long, see `bigbar.calendar`), rounded from float64. After ruin, where it has
            none, 0.

        Raises
        ------
        IndexError
            If the slice is not one of the grid's.
        """
        ...

    def equity(self, number: int) -> pd.Series:
        """Equity of one combination at each bar that takes part, by time.

        A position that is open at the last bar counts at its close.
        """
        ...

    def trades(self, number: int) -> pd.DataFrame:
        """Closed trades of one combination, columns and order as backtesting.py's `_trades`.

        Returns
        -------
        DataFrame
            Size, EntryBar, ExitBar, EntryPrice, ExitPrice, PnL, Commission, ReturnPct,
            EntryTime, ExitTime; bars counted from the first that takes part.
        """
        ...


#: Columns of a trade list, named as backtesting.py names them.
TRADE_COLUMNS = (
    "Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "PnL", "Commission", "ReturnPct",
    "EntryTime", "ExitTime",
)  # fmt: skip


@dataclass(frozen=True)
class EngineKind:
    """How an engine is made, and how to time it.

    Attributes
    ----------
    build : callable
        From the file with its indicator columns and the job to an `Engine`; with a third argument
        from what was prepared.
    sample_slice : int
        Neighbouring combinations that share preparatory work; timing fewer at once would not
        show what they cost in a chunk.
    returns_come_along : bool, optional
        Whether its engines have `run_with_returns`, because a backtest gives statistics and
        returns together: asked for one after the other they would take twice as long.
    warm_up : callable, optional
        Compiles what the engine runs under an account, or loads it: done, and told, before anything
        is timed. It must run none of a job's own combinations, one of which may misbehave.
    compiles : str, optional
        Name of a function that it always compiles: where its machine code is kept, that of all is.
    prepare : callable, optional
        From the file and the job to what all engines of the job can share: picklable, and never
        written to. It is made once and published for all workers.
    """

    build: Callable[..., Engine]
    sample_slice: int
    returns_come_along: bool = False
    warm_up: Callable[[Account], None] | None = None
    compiles: str = ""
    prepare: Callable[[pd.DataFrame, Job], Any] | None = None


def span_of(job: Job, bars: int) -> tuple[int, int] | None:
    """The bars that take part; None where it is the whole file."""
    first, stop, _ = job.bars.indices(bars)
    return None if (first, stop) == (0, bars) else (first, stop)
