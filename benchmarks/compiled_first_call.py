"""The first and the second `bigbar.Backtest.optimize` of a process; for `compiled_strategies.py`.

Prints, as JSON, for each the seconds, the engine and why it is that one.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import common  # noqa: F401  (makes `bigbar` importable)
from any_strategy import ACCOUNT, GRIDS, WORKERS
from backtesting.test import GOOG

import bigbar


def main() -> None:
    """Twice the same."""
    warnings.simplefilter("ignore")
    strategy, grid = next(iter(GRIDS.values()))
    asked: dict[str, Any] = {**grid, "maximize": "Return [%]", "engine": sys.argv[1]}
    asked |= {"workers": WORKERS, "progress": False}
    found = []
    for _ in range(2):
        backtest = bigbar.Backtest(GOOG, strategy, **ACCOUNT)
        begun = time.perf_counter()
        backtest.optimize(**asked)
        spent = time.perf_counter() - begun
        found.append((spent, backtest.last.engine, backtest.last.engine_reason))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
