"""A combination of a stored run by `backtesting.py`: equity, trades, and if it is as stored."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.data.read import read_bars
from bigbar.engines.contract import TRADE_COLUMNS
from bigbar.engines.reference import BacktestingEngine
from bigbar.errors import DataError
from bigbar.history.verify import job_of, reading_of
from bigbar.origin import is_library
from bigbar.report.page.equity import drawdown
from bigbar.report.page.thinning import telling_points
from bigbar.store.fingerprint import identity_of
from bigbar.store.records import Run
from bigbar.verification.replay import compare
from bigbar.verification.rounding import Reference

#: Points of the equity curve at most: a chart is a thousand pixels wide.
MOST_POINTS = 3_000

#: Trades that are listed at most.
MOST_TRADES = 5_000

#: Statistics that are named where they are not as stored.
_NAMED = 5


class Replaying:
    """The combinations of a run, one after the other.

    Parameters
    ----------
    run : Run
    path : str
        The price file.

    Raises
    ------
    DataError
        If the price file is not what it was.
    InputError, StoreError
        If the job cannot be made again; see `bigbar.history.verify.job_of`.
    """

    def __init__(self, run: Run, path: str) -> None:
        job = job_of(run)
        bars = _bars(run, path, others=job.spec.sees_other_columns)
        changed = (
            f"the price file {path} has changed since the run: equity and trades of its "
            "combinations cannot be had from it"
        )
        if job.stop_bar is not None and job.stop_bar > len(bars):
            raise DataError(changed)
        now = identity_of(bars, job)
        if now.bars_sha256 != run.bars_sha256:
            raise DataError(changed)
        self._edited = run.identity.code_difference(now)
        file = job.spec.columns(bars)
        self._engine = BacktestingEngine(file, job)
        self._close = file["Close"].iloc[job.bars]
        self._cash = job.account.cash
        self._files = [path, *_sources()]
        self._stamps = _stamps(self._files)

    def is_old(self) -> bool:
        """Whether the price file, or a source that is not installed, has changed since."""
        return _stamps(self._files) != self._stamps

    def answer(self, number: int, row: list[float]) -> dict[str, Any]:
        """Compute a combination.

        Parameters
        ----------
        number : int
        row : list of float
            Its stored statistics; NaN for one that failed.

        Returns
        -------
        dict
            `equity`, `held` (buy and hold, NaN before it begins) and `drawdown` in per cent at
            `times`, milliseconds since 1970 UTC; `points`, how many bars there are; `trades`,
            lists by `trade_columns`, and `trade_count`; `differing`, what is not as stored, and
            `differing_count`; `edited`, what changed of the strategy since, or null.
        """
        stats = self._engine.stats(number)
        equity: pd.Series = stats["_equity_curve"]["Equity"]
        values = equity.to_numpy(np.float64)
        below = drawdown(values)
        most = MOST_POINTS // 2
        shown = np.union1d(telling_points(values, most), telling_points(below, most))
        close = self._close.to_numpy(np.float64)
        held = self._cash * held_since(close, stats["Buy & Hold Return [%]"])
        trades: pd.DataFrame = stats["_trades"][list(TRADE_COLUMNS)]
        stored = np.array(row, np.float64)
        differing = []
        if not np.isnan(stored).all():
            reference = Reference(stats, close)
            differing = compare(number, stored, reference).differences
        return {
            "times": _milliseconds(equity.index[shown]),
            "equity": values[shown].tolist(),
            "held": held[shown].tolist(),
            "drawdown": below[shown].tolist(),
            "points": len(values),
            "trade_columns": list(TRADE_COLUMNS),
            "trades": _trade_rows(trades.iloc[:MOST_TRADES]),
            "trade_count": len(trades),
            "differing": [
                {"what": each.what, "stored": each.engine, "now": each.reference}
                for each in differing[:_NAMED]
            ],
            "differing_count": len(differing),
            "edited": self._edited,
        }


def _sources() -> list[str]:
    """Files of the modules that were imported and are no installed ones: the trader's own."""
    files = {name: getattr(module, "__file__", None) for name, module in [*sys.modules.items()]}
    return [file for name, file in files.items() if file and not is_library(name)]


def _stamps(files: list[str]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for file in files:
        try:
            known = os.stat(file)
            found.append((known.st_mtime_ns, known.st_size))
        except OSError:
            found.append(None)
    return found


def held_since(close: NDArray[np.float64], returned: float) -> NDArray[np.float64]:
    """Buy and hold as `backtesting.py` has it: from the bar on which its strategy could first act.

    Parameters
    ----------
    close : ndarray of float, shape (bars,)
    returned : float
        Its return in per cent.

    Returns
    -------
    ndarray of float, shape (bars,)
        What a unit of cash is worth; NaN before that bar.
    """
    bought = close[-1] / (1 + returned / 100)
    found = np.flatnonzero(np.isclose(close, bought, rtol=1e-12, atol=0))
    first = int(found[0]) if len(found) else 0
    worth = close / close[first]
    worth[:first] = np.nan
    return worth


def _bars(run: Run, path: str, *, others: bool) -> pd.DataFrame:
    try:
        return read_bars(path, reading=reading_of(run), others=others).frame
    except DataError:
        # What is wrong with it is not said: a message quotes the file, and whoever wrote the
        # store may have named any file of this machine.
        raise DataError(
            f"the price file {path} can no longer be read as prices; "
            f"'bigbar verify {run.id}' says why"
        ) from None


def _milliseconds(times: Any) -> list[int]:
    index = pd.DatetimeIndex(times).as_unit("ms")
    found: list[int] = index.asi8.tolist()
    return found


def _trade_rows(trades: pd.DataFrame) -> list[list[Any]]:
    columns = [
        _milliseconds(trades[name]) if name.endswith("Time") else trades[name].tolist()
        for name in TRADE_COLUMNS
    ]
    return [list(row) for row in zip(*columns, strict=True)]
