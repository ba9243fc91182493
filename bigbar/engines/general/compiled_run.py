"""What came of one compiled backtest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.compiled.broker import state as at
from bigbar.compiled.loop import fill_equity
from bigbar.compiled.translate.kinds import Symbols
from bigbar.engines.any_strategy.run import StrategyRunner
from bigbar.engines.any_strategy.statistics import ClosedTrades
from bigbar.engines.general.machine import Machine


class CompiledRun:
    """What came of the last backtest that a machine has run.

    Parameters
    ----------
    machine : Machine
    runner : StrategyRunner
        Of the same bars.
    symbols : Symbols
    parameters : mapping
        The combination.
    first_bar : int
        Bars that its indicators warm up.
    """

    def __init__(
        self,
        machine: Machine,
        runner: StrategyRunner,
        symbols: Symbols,
        parameters: Mapping[str, Any],
        first_bar: int,
    ) -> None:
        self._runner, self._symbols = runner, symbols
        self._parameters, self._first_bar = parameters, first_bar
        self._close = machine.market[at.CLOSE]
        self._segments = machine.segments[: machine.n[at.NSEG]].copy()
        self._parted = bool(machine.n[at.PARTED])
        closed = machine.Ti[: machine.n[at.NCL], at.TCLOSED]
        self._T, self._Ti = machine.T[closed], machine.Ti[closed]

    @cached_property
    def equity(self) -> NDArray[np.float64]:
        """Equity at each bar that takes part."""
        found = np.empty(len(self._close))
        fill_equity(found, self._segments, len(self._segments), self._close)
        return found

    @cached_property
    def closed(self) -> ClosedTrades:
        """The closed trades."""
        T, Ti = self._T, self._Ti
        columns = (T[:, at.TSIZE], T[:, at.TENTRY], T[:, at.TEXIT], T[:, at.TCOMM])
        return ClosedTrades.of(columns, (Ti[:, at.TEBAR], Ti[:, at.TXBAR]))

    def row(self) -> NDArray[np.float64]:
        """The statistics as plain numbers, see `BacktestRun.row`."""
        row = self._runner.maker.row_of(self.closed, self.equity, self._first_bar)
        return self._runner.run(self._parameters).row() if row is None else row

    @property
    def trades(self) -> pd.DataFrame:
        """Closed trades, as in `_trades` of the statistics."""
        T, Ti = self._T, self._Ti
        index = self._runner.index
        entry_bars, exit_bars = Ti[:, at.TEBAR], Ti[:, at.TXBAR]

        def price(column: int) -> NDArray[np.float64]:
            return np.where(T[:, column] == 0.0, np.nan, T[:, column])

        return pd.DataFrame(
            {
                "Size": T[:, at.TSIZE].astype(np.float64 if self._parted else np.int64),
                "EntryBar": entry_bars,
                "ExitBar": exit_bars,
                "EntryPrice": T[:, at.TENTRY],
                "ExitPrice": T[:, at.TEXIT],
                "SL": price(at.TSL),
                "TP": price(at.TTP),
                "PnL": self.closed.profits,
                "Commission": T[:, at.TCOMM],
                "ReturnPct": self.closed.returns,
                "EntryTime": index[entry_bars],
                "ExitTime": index[exit_bars],
                "Tag": [self._symbols.values[tag] for tag in Ti[:, at.TTAG]],
            }
        )
