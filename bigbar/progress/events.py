"""The events of a run while it goes on, and who listens to them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.executors.contract import Machine
from bigbar.machine.budget import Budget
from bigbar.sharing.frames import Publication


class Progress(Protocol):
    """A bar that counts backtests."""

    def update(self, n: int) -> Any:
        """Count `n` more."""
        ...

    def expect(self, seconds: float) -> Any:
        """Predict the end by this, in so many seconds, and not by the speed so far."""
        ...

    def set_postfix_str(self, s: str, refresh: bool) -> Any:
        """Show something else beside the count, at once if `refresh`."""
        ...


class Listener:
    """Hears of the events of a run. This one does nothing; see `bigbar.progress.terminal`."""

    def shared(self, publication: Publication, workers: int) -> None:
        """The bars have been published for the workers."""

    def machines(self, publication: Publication, machines: Sequence[Machine]) -> None:
        """The bars have been sent to these machines of a cluster; more may come."""

    def forecast(self, budget: Budget) -> None:
        """What the run will take, of what is left to do of it; told before it takes it."""

    def engine(self, name: str, reason: str) -> None:
        """Which engine runs, and why."""

    def compiling(self) -> None:
        """The kernel is being compiled, which happens once on a machine."""

    def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
        """A backtest takes about this long; this many combinations go out at once."""

    def searching(self, method: str, seconds: float, left_s: float) -> None:
        """A search takes so long in all for itself; it and its backtests will take so much more."""

    def resuming(self, run: int, begun: datetime, done: int, total: int) -> None:
        """A run that was begun earlier is continued: so many of all combinations are done."""

    def retrying(self, run: int, count: int) -> None:
        """So many combinations of a run failed, and are run again."""

    def reusing(self, rows: int, there: int, runs: Sequence[int]) -> None:
        """So many rows of these other runs are taken; others there are quicker run again."""

    def progress(
        self, total: int, done: int = 0, in_flight: float = 0.0
    ) -> AbstractContextManager[Progress]:
        """A bar for this many backtests, of which so many are done already.

        While it goes on, `in_flight` more are done than it has been told, on average.
        """
        return nullcontext(_Uncounted())

    def event(self, what: str) -> None:
        """Something out of the ordinary: a worker died, shared memory could not be had."""

    def verifying(self, wanted: int) -> None:
        """This many combinations are about to be replayed."""

    def validating(self, what: str) -> None:
        """A step of the validation begins."""

    def validated(self, total: int) -> AbstractContextManager[Progress]:
        """A bar for one part of that step, of so many combinations or repetitions."""
        return nullcontext(_Uncounted())

    def returns(self, returns: NDArray[np.float32], times: pd.DatetimeIndex, annual: float) -> None:
        """The returns of all combinations, to be looked at now: the end of each period, how many
        of them make a year."""


class _Uncounted:
    def update(self, n: int) -> None:
        """Nobody watches."""

    def expect(self, seconds: float) -> None:
        """Nobody watches."""

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        """Nobody watches."""
